"""Where a chat stood at an entry of its log: what everybody remembered, who spoke last, and who is next.

A conversation is a coroutine, which can be neither copied nor taken back. So a chat goes on from anywhere by folding its
log up to there, and by beginning a new talk with agents that remember what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from jupyter_agents.agents.begun import Begun, begun_in
from jupyter_agents.agents.group_chat import GroupChat, everyone_in
from jupyter_agents.agents.history import Talk
from jupyter_agents.agents.memory import memory_of
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    CodeStarted,
    Event,
    EventLog,
    GroupSet,
    HistorySet,
    MessageSent,
    Relayed,
    ToolStarted,
)
from jupyter_agents.messages import Message

Said = list[tuple[bool, Message]]


@dataclass(frozen=True)
class Heard:
    """A message that a group has heard, and who spoke it."""

    message: Message
    speaker: str

    def to_classic(self) -> dict[str, Any]:
        """The message as a group keeps it."""
        found = self.message.to_dict()
        return found | {"content": found.get("content")}


class Fold:
    """What agents remember of each other (by their names in the log), and what groups have heard, after some events."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.talks: dict[tuple[str, str], Said] = {}
        self.auto_replies: dict[tuple[str, str], int] = {}
        self.groups: dict[str, list[Heard]] = {}
        self.unheard: dict[str, Heard] = {}
        self._chats: dict[int, ChatStarted] = {}
        self._parents: dict[int, int | None] = {}
        self._has_messages: set[int] = set()
        self._before: dict[int, dict[tuple[str, str], Said]] = {}
        self._told: dict[str, tuple[Message, str]] = {}
        for event in events:
            self._add(event)

    def _add(self, event: Event) -> None:
        match event:
            case ChatStarted():
                self._begin(event)
            case HistorySet():
                self._set(event)
            case MessageSent():
                self._send(event)
            case Relayed():
                self._relay(event)
            case GroupSet():
                self._set_group(event)
            case ChatEnded():
                self.talks.update(self._before.pop(event.chat, {}))

    def _begin(self, event: ChatStarted) -> None:
        self._chats[event.chat], self._parents[event.chat] = event, event.parent
        for pair in ((event.initiator, event.recipient), (event.recipient, event.initiator)):
            self.auto_replies[pair] = 0

    def _set(self, event: HistorySet) -> None:
        key = event.agent, event.counterpart
        if key in self.talks and self._is_put_back(event):
            self._before.setdefault(event.chat, {})[key] = self.talks[key]
        self.talks[key] = list(event.messages)

    def _set_group(self, event: GroupSet) -> None:
        self.groups[event.manager] = [Heard(message, speaker) for speaker, message in event.messages]
        self.unheard.pop(event.manager, None)
        if not event.messages and event.chat not in self._has_messages:  # its chat begins anew, and so do the counts
            self.auto_replies.update({pair: 0 for pair in self.auto_replies if event.manager in pair})

    def _is_put_back(self, event: HistorySet) -> bool:
        """Whether the chat begins anew within another of the same two, who then remember that one again."""
        pair = {event.agent, event.counterpart}
        if event.chat in self._has_messages or self._pair_of(event.chat) != pair:
            return False
        around = self._parents.get(event.chat)
        while around is not None:
            if self._pair_of(around) == pair:
                return True
            around = self._parents.get(around)
        return False

    def _pair_of(self, chat: int) -> set[str]:
        """The two who talk in a chat; nobody does in a series of chats."""
        found = self._chats.get(chat)
        return {found.initiator, found.recipient} if found is not None else set()

    def _send(self, event: MessageSent) -> None:
        self._hear(event.recipient, event.sender, False, event.message)
        if event.held_by == "both":
            self._hear(event.sender, event.recipient, True, event.message)
        self._told[event.recipient] = event.message, event.sender
        self.unheard[event.recipient] = Heard(event.message, event.sender)
        self._count(event)
        self._has_messages.add(event.chat)

    def _count(self, event: MessageSent) -> None:
        """An estimate of the automatic replies: the log does not say which reply function has spoken."""
        pair, chat = (event.sender, event.recipient), self._chats.get(event.chat)
        is_opening = event.chat not in self._has_messages and chat is not None and chat.initiator == event.sender
        if event.origin == "human" or is_opening:
            self.auto_replies[pair] = 0
        else:
            self.auto_replies[pair] = self.auto_replies.get(pair, 0) + 1

    def _relay(self, event: Relayed) -> None:
        for one in event.to:
            self._hear(one, event.by, False, event.message)
            self._hear(event.by, one, True, event.message)
        message, speaker = self._told.get(event.by, (None, ""))
        if message is not None and replace(event.message, name=message.name) == message:  # who introduces all, does not
            self.groups.setdefault(event.by, []).append(Heard(event.message, speaker))
            self.unheard.pop(event.by, None)
        for one in event.to:
            self._told[one] = event.message, event.by

    def _hear(self, me: str, other: str, spoken: bool, message: Message) -> None:
        self.talks.setdefault((me, other), []).append((spoken, message))


@dataclass(frozen=True)
class GroupPlace:
    """Where a group stands: its messages, those of them that its log tells of, and who spoke last.

    `is_rewound` says whether the log tells of more.
    """

    manager: Any
    group: GroupChat
    messages: list[dict[str, Any]]
    heard: list[tuple[Any, Message]]
    is_rewound: bool

    def restore(self) -> None:
        """Have the group know what it did."""
        self.group.messages[:] = self.messages
        self.group.last_speaker = self.heard[-1][0] if self.heard else None


@dataclass(frozen=True)
class Place:
    """Where a chat of agents stands.

    `said` is what `speaker` has said last, to `listener`; `None` where nobody has said anything yet.
    `group` is the one that talks, where the listener leads one: `is_heard` says whether it has heard that message, and
    `group_has_begun` whether it has heard anything.
    """

    initiator: Any
    recipient: Any
    speaker: Any
    listener: Any
    said: Message | None
    is_heard: bool
    group_has_begun: bool
    group: GroupChat | None
    log: EventLog | None
    _talks: dict[tuple[Any, Any], Said] = field(repr=False)
    _auto_replies: dict[tuple[Any, Any], int] = field(repr=False)
    groups: list[GroupPlace] = field(repr=False)
    begun: dict[Any, Begun] = field(default_factory=dict, repr=False)
    redoes: bool = False
    """Whether code or tools had begun in a nested chat that was broken off: it begins anew, with them."""

    def restore(self) -> None:
        """Have everybody remember what they did. What is so already, stays as it is."""
        for (me, other), said in self._talks.items():
            memory = memory_of(me)
            if memory.talk_with(other).pairs() != tuple(said):
                memory.load(other, Talk(said))
        for group in self.groups:
            group.restore()

    def restore_counts(self) -> None:
        """Have everybody have replied automatically as often as they had."""
        for (me, other), count in self._auto_replies.items():
            memory_of(me).set_auto_replies(other, count)


@dataclass(frozen=True)
class Checkpoint:
    """An entry of a log (`until`; what comes before it has happened), and the chat of that log that is meant."""

    log: EventLog
    chat: int
    until: int

    def place(self, who: Callable[[Any], Any] = lambda one: one) -> Place:
        """Where the chat stood. `who` says which agent takes the place of another, and which group that of another."""
        started, fold = self.started, self._fold
        initiator, recipient = self.agent(started.initiator), self.agent(started.recipient)
        group = group_of(recipient)
        last = self._last_of_two() if group is None else self._last_of_group()
        is_by_initiator = last is None or last.speaker != started.recipient
        agents = self.participants()
        keys = {key for one in agents if (key := self.log.key_of(one))}
        known = {pair: said for pair, said in fold.talks.items() if keys.issuperset(pair)}
        later = {
            (event.agent, event.counterpart)
            for event in self._since(HistorySet)
            if keys >= {event.agent, event.counterpart}
        }
        talks = {**{pair: [] for pair in later}, **known}
        return Place(
            who(initiator),
            who(recipient),
            who(self.agent(last.speaker)) if last is not None else None,
            who(recipient) if is_by_initiator else who(initiator),
            last.message if last is not None else None,
            is_heard=started.recipient not in fold.unheard,
            group_has_begun=bool(fold.groups.get(started.recipient)),
            group=who(group),
            log=self.log,
            _talks={(who(self.agent(a)), who(self.agent(b))): said for (a, b), said in talks.items()},
            _auto_replies={
                (who(self.agent(a)), who(self.agent(b))): count
                for (a, b), count in fold.auto_replies.items()
                if keys >= {a, b}
            },
            groups=[self._group(one, fold, who) for one in agents if group_of(one) is not None],
            begun={who(one): begun for one in agents if (begun := self._begun.get(self.log.key_of(one)))},
            redoes=self._redoes,
        )

    def participants(self) -> list[Any]:
        """The agents of the chat, with the members of groups."""
        found: dict[int, Any] = {}
        for key in (self.started.initiator, self.started.recipient):
            agent = self.agent(key)
            group = group_of(agent)
            for one in (agent, *(everyone_in(group) if group is not None else ())):
                found.setdefault(id(one), one)
        return list(found.values())

    def agent(self, key: str) -> Any:
        """The agent of this name in the log. Raises `ConfigurationError` where there is none."""
        agent = self.log.agent_of(key)
        if agent is None:
            raise ConfigurationError(
                f"Cannot go on with this chat: its log does not know the agent {key!r}. Take the result of a chat that was "
                "held here, or load it with its agents by load_chat(path)."
            )
        return agent

    @property
    def started(self) -> ChatStarted:
        """The beginning of the chat."""
        found = [one for one in self.log.select(ChatStarted) if one.chat == self.chat]
        if not found:
            raise ConfigurationError(
                "Cannot go on with this chat: it has never begun. Begin one with initiate_chat(…)."
            )
        started: ChatStarted = found[0]  # type: ignore[assignment]  # `select` cannot say it
        return started

    def find(self, is_meant: Callable[[MessageSent], bool]) -> tuple[int, MessageSent] | None:
        """The last message of the chat, or of those with which it went on, that is meant and not forgotten: where it is.

        What was taken back is still in the log, and nobody remembers it.
        """
        chats = self._chats
        for entry in reversed(self.log.entries[: self.until]):
            event = entry.event
            if isinstance(event, MessageSent) and event.chat in chats and is_meant(event) and self._is_known(event):
                return entry.seq, event
        return None

    @cached_property
    def _chats(self) -> set[int]:
        """The chat, and those with which it went on or goes on from."""
        started = self.started
        pair = {started.initiator, started.recipient}
        return {
            one.event.chat
            for one in self.log
            if isinstance(one.event, ChatStarted)
            and {one.event.initiator, one.event.recipient} == pair
            and one.event.parent == started.parent
        }

    @cached_property
    def _begun(self) -> dict[str, Begun]:
        """What agents had begun to do for the last message, by their names. For one that was taken back, that is past."""
        last = self.find(lambda one: True)
        if last is None:
            return {}
        later = [entry.event for entry in self.log.entries[last[0] + 1 : self.until] if entry.event.chat in self._chats]
        return {} if any(isinstance(one, MessageSent) for one in later) else begun_in(later)

    @cached_property
    def _redoes(self) -> bool:
        """See `Place`. A chat within a tool is not held again: the call has its result."""
        last = self.find(lambda one: True)
        if last is None or any(one.calls for one in self._begun.values()):
            return False
        nested: set[int] = set()
        for entry in self.log.entries[last[0] + 1 : self.until]:
            event = entry.event
            if isinstance(event, ChatStarted) and (event.parent in self._chats or event.parent in nested):
                nested.add(event.chat)
            elif isinstance(event, CodeStarted | ToolStarted) and event.chat in nested:
                return True
        return False

    def _is_known(self, event: MessageSent) -> bool:
        return (False, event.message) in self._fold.talks.get((event.recipient, event.sender), ())

    @cached_property
    def _fold(self) -> Fold:
        return Fold(entry.event for entry in self.log.entries[: self.until])

    def _last_of_two(self) -> Heard | None:
        started = self.started
        talk = self._fold.talks.get((started.recipient, started.initiator))
        if not talk:
            return None
        spoken, message = talk[-1]
        return Heard(message, started.recipient if spoken else started.initiator)

    def _last_of_group(self) -> Heard | None:
        manager = self.started.recipient
        heard = self._fold.groups.get(manager)
        return self._fold.unheard.get(manager) or (heard[-1] if heard else None)

    def _since(self, kind: type[Any]) -> list[Any]:
        return [entry.event for entry in self.log.entries[self.until :] if isinstance(entry.event, kind)]

    def _group(self, manager: Any, fold: Fold, who: Callable[[Any], Any]) -> GroupPlace:
        """A group with what it had heard. What it knew before this log stays."""
        group, key = group_of(manager), self.log.key_of(manager)
        assert group is not None
        heard, everything = fold.groups.get(key, []), self._whole.groups.get(key, [])
        known = [one.to_classic() for one in everything]
        earlier = group.messages[: len(group.messages) - len(known)]
        is_here = group.messages[len(earlier) :] == known
        return GroupPlace(
            who(manager),
            who(group),
            [*(earlier if is_here else ()), *(one.to_classic() for one in heard)],
            [(who(self.agent(one.speaker)), one.message) for one in heard],
            is_rewound=heard != everything,
        )

    @cached_property
    def _whole(self) -> Fold:
        return Fold(one.event for one in self.log.entries)


def group_of(agent: Any) -> GroupChat | None:
    """The group that an agent leads, if it does: as its manager, or by a reply function of its own."""
    group = getattr(agent, "groupchat", None)
    if isinstance(group, GroupChat):
        return group
    configs = (entry.config for entry in getattr(agent, "_reply_functions", ()))
    return next((one for one in configs if isinstance(one, GroupChat)), None)
