"""One chat of a queue, as a dictionary says it: checked, with all others, before any of them begins."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from jupyter_agents.agents.keywords import OF_CHAT, Readers
from jupyter_agents.agents.openings import carried_over
from jupyter_agents.agents.summaries import Summary
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.models.cache import to_cache
from jupyter_agents.nearest import nearest
from jupyter_agents.progress import Limits, check_flag
from jupyter_agents.replies import is_agent

_OF_QUEUE = ("sender", "recipient", "chat_id", "prerequisites", "finished_chat_indexes_to_exclude_from_carryover")
_OF_NESTED = "carryover_config"
_LEFT_OUT = "finished_chat_indexes_to_exclude_from_carryover"


@dataclass(frozen=True)
class QueuedChat:
    """A chat that is to be held.

    `number` counts from 1, `follows` are the numbers of those that must have ended before, `carries` of those whose
    summaries it is given; `options` are what `initiate_chat` is called with, but for those summaries.
    """

    number: int
    sender: Any
    recipient: Any
    options: Mapping[str, Any] = field(repr=False)
    chat_id: Hashable = None
    follows: frozenset[int] = frozenset()
    carries: tuple[int, ...] = ()

    @property
    def pair(self) -> str:
        """Who talks in it, for people."""
        return f"{self.sender.name} and {self.recipient.name}"

    @property
    def is_silent(self) -> bool:
        """Whether nothing of it is shown."""
        return bool(self.options.get("silent"))


def read_queue(queue: Any, sender: Any = None, *, is_nested: bool = False) -> list[QueuedChat]:
    """The chats of a queue; `sender` begins those whose entries name nobody. Nothing is changed in the entries.

    Functions as messages of nested chats are not given what else is in the entries.

    Raises `ConfigurationError` for whatever is wrong with them.
    """
    entries = _entries(queue)
    for number, entry in enumerate(entries, 1):
        _check_entry(number, entry, sender, is_nested)
    if any(one.get("chat_id") is not None or "prerequisites" in one for one in entries):
        return _as_graph(entries, sender)
    return _in_sequence(entries, sender)


# -- An entry ----------------------------------------------------------------------------------------------------


def _entries(queue: Any) -> list[Mapping[str, Any]]:
    if isinstance(queue, str | Mapping) or not isinstance(queue, Iterable):
        raise ConfigurationError(f"Cannot hold the chats {queue!r}: give a list of dictionaries, one a chat.")
    entries = list(queue)
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping):
            raise ConfigurationError(
                f"Cannot hold chat {number}: {entry!r} is no dictionary. Give {{'recipient': …, 'message': …}}."
            )
    return entries


def _check_entry(number: int, entry: Mapping[str, Any], sender: Any, is_nested: bool) -> None:
    sender = sender if entry.get("sender") is None else entry["sender"]
    for what, agent in (("sender", sender), ("recipient", entry.get("recipient"))):
        if agent is None:
            raise ConfigurationError(f"Cannot hold chat {number}: it has no {what}. Add '{what}': an agent.")
        if not (is_agent(agent) and hasattr(agent, "initiate_chat")):
            raise ConfigurationError(
                f"Cannot hold chat {number}: its {what} {agent!r} is no agent. Give an agent, such as AssistantAgent('a')."
            )
    _check_keys(number, entry, Readers.of(sender, None if is_nested else entry.get("message")), is_nested)
    try:
        Limits(entry.get("max_turns"), entry.get("termination"), entry.get("budget"))
        Summary(entry.get("summary_method", "last_msg"), entry.get("summary_args") or {}).check(
            sender, entry["recipient"]
        )
        carried_over(entry.get("carryover"))
        to_cache(entry.get("cache"))
        for name in ("clear_history", "silent"):
            check_flag(name, entry.get(name))
    except ConfigurationError as error:
        raise ConfigurationError(f"Cannot hold chat {number}: {error}") from None


def _check_keys(number: int, entry: Mapping[str, Any], readers: Readers, is_nested: bool) -> None:
    """Refuse what nobody would read, and slips. A function of the context may read anything, and so may an override."""
    known = (*_OF_QUEUE, *OF_CHAT, *readers.names, *([_OF_NESTED] if is_nested else []))
    for key in entry:
        if key in known:
            continue
        if not readers.read_all:
            meant = nearest(str(key), known)
            way_out = f"Use {meant!r}." if meant else f"Known are {', '.join(known)}."
            raise ConfigurationError(f"Cannot hold chat {number}: it has {key!r}, which nobody reads. {way_out}")
        meant = readers.meant(str(key), known)
        if meant is not None:
            raise ConfigurationError(
                f"Cannot hold chat {number}: it has {key!r}, which is not one of its settings. Use {meant!r}, or another name."
            )


def _options(entry: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in entry.items() if key not in _OF_QUEUE}
    return {"message": None} | found


def _pair_of(entry: Mapping[str, Any], sender: Any) -> tuple[Any, Any]:
    return sender if entry.get("sender") is None else entry["sender"], entry["recipient"]


# -- Which is after which ----------------------------------------------------------------------------------------


def _in_sequence(entries: Sequence[Mapping[str, Any]], sender: Any) -> list[QueuedChat]:
    chats = []
    for number, entry in enumerate(entries, 1):
        left_out = _left_out(number, entry, range(len(entries)))
        before = range(1, number)
        carries = tuple(one for one in before if one - 1 not in left_out)
        chats.append(QueuedChat(number, *_pair_of(entry, sender), _options(entry), None, frozenset(before), carries))
    return chats


def _as_graph(entries: Sequence[Mapping[str, Any]], sender: Any) -> list[QueuedChat]:
    numbers = _numbers_by_id(entries)
    chats = []
    for number, entry in enumerate(entries, 1):
        wanted = _prerequisites(number, entry, numbers)
        left_out = _left_out(number, entry, numbers)
        carries = tuple(numbers[one] for one in wanted if one not in left_out)
        follows = frozenset(numbers[one] for one in wanted)
        chats.append(QueuedChat(number, *_pair_of(entry, sender), _options(entry), entry["chat_id"], follows, carries))
    _check_no_circle(chats)
    _check_apart(chats)
    return chats


def _numbers_by_id(entries: Sequence[Mapping[str, Any]]) -> dict[Hashable, int]:
    for number, entry in enumerate(entries, 1):
        if entry.get("chat_id") is None:
            raise ConfigurationError(
                f"Cannot hold chat {number}: it has no chat_id, and others have one, or have prerequisites. Give each its own."
            )
        if not isinstance(entry["chat_id"], Hashable):
            raise ConfigurationError(
                f"Cannot hold chat {number}: its chat_id {entry['chat_id']!r} may change. Give a number or a name."
            )
    counts = Counter(entry["chat_id"] for entry in entries)
    chat_id, count = counts.most_common(1)[0]
    if count > 1:
        raise ConfigurationError(f"Cannot hold these chats: {count} have the chat_id {chat_id!r}. Give each its own.")
    return {entry["chat_id"]: number for number, entry in enumerate(entries, 1)}


def _prerequisites(number: int, entry: Mapping[str, Any], known: Mapping[Hashable, int]) -> list[Hashable]:
    given = entry.get("prerequisites")
    if given is not None and (isinstance(given, str | Mapping) or not isinstance(given, Iterable)):
        raise ConfigurationError(
            f"Cannot hold chat {entry['chat_id']!r}: its prerequisites are {given!r}. Give a list of chat_ids."
        )
    wanted = list(dict.fromkeys(given or ()))
    unknown = next((one for one in wanted if one not in known), None)
    if unknown is not None:
        meant = nearest(str(unknown), map(str, known))
        raise ConfigurationError(
            f"Cannot hold chat {entry['chat_id']!r}: no chat has the chat_id {unknown!r} of its prerequisites. "
            + (f"Use {meant}." if meant else f"There are {', '.join(map(repr, known))}.")
        )
    return wanted


def _left_out(number: int, entry: Mapping[str, Any], known: Iterable[Any]) -> set[Any]:
    """The chats (by index, or by `chat_id`) whose summaries are not carried over."""
    given = entry.get(_LEFT_OUT) or ()
    known = list(known)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigurationError(f"Cannot hold chat {number}: {_LEFT_OUT} is {given!r}. Give a list.")
    found = list(given)
    unknown = next((one for one in found if one not in known), None)
    if unknown is not None:
        raise ConfigurationError(
            f"Cannot hold chat {number}: {_LEFT_OUT} has {unknown!r}, and there is no such chat. "
            f"There are {', '.join(map(repr, known))}."
        )
    return set(found)


def _check_no_circle(chats: Sequence[QueuedChat]) -> None:
    """Refuse chats that wait for each other; the error names them in their order."""
    left = {one.number: one for one in chats}
    for one in _in_order(chats):
        del left[one.number]
    if not left:
        return
    path = [min(left)]
    while path[-1] not in path[:-1]:
        path.append(min(left[path[-1]].follows & left.keys()))
    circle = [repr(left[number].chat_id) for number in path[path.index(path[-1]) :]]
    raise ConfigurationError(
        f"Cannot hold these chats: their prerequisites go in a circle, {' needs '.join(circle)}. Take one of them out."
    )


# -- At the same time --------------------------------------------------------------------------------------------


def _check_apart(chats: Sequence[QueuedChat]) -> None:
    """Refuse two chats that may be held at the same time, though there is one memory, or one group, for both."""
    before: dict[int, set[int]] = {}
    for chat in _in_order(chats):
        before[chat.number] = set(chat.follows).union(*(before[one] for one in chat.follows))
    for shared, those in _sharing(chats).items():
        for one, other in combinations(those, 2):
            if other.number in before[one.number] or one.number in before[other.number]:
                continue
            raise ConfigurationError(
                f"Cannot hold chats {one.chat_id!r} and {other.chat_id!r}: {_described(one, shared)} in both, which may be "
                "held at the same time. Make one a prerequisite of the other, or take other agents."
            )


def _sharing(chats: Sequence[QueuedChat]) -> dict[frozenset[int], list[QueuedChat]]:
    """The chats of the same two agents, and those of the same group, by the ids of these."""
    found: defaultdict[frozenset[int], list[QueuedChat]] = defaultdict(list)
    for chat in chats:
        sides = (chat.sender, chat.recipient)
        found[frozenset(map(id, sides))].append(chat)
        for agent in sides:
            if hasattr(agent, "groupchat"):
                found[frozenset({id(agent)})].append(chat)
    return found


def _described(chat: QueuedChat, shared: frozenset[int]) -> str:
    if len(shared) > 1 or chat.sender is chat.recipient:
        return f"{chat.pair} talk"
    leader = chat.sender if id(chat.sender) in shared else chat.recipient
    return f"the group of {leader.name} talks"


def _in_order(chats: Sequence[QueuedChat]) -> list[QueuedChat]:
    """Each chat after those that it follows. Chats that wait for each other are left out."""
    found: list[QueuedChat] = []
    left, ended = list(chats), set[int]()
    while free := [one for one in left if one.follows <= ended]:
        found += free
        ended |= {one.number for one in free}
        left = [one for one in left if one.number not in ended]
    return found
