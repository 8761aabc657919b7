"""What an agent knows of the others: what was said between them, who is answered, and how often it was by itself.

Everything that is kept per counterpart is kept here, so that there is one place to forget it, to put it back after a
nested chat, and to store it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

from jupyter_agents.agents.history import History, Talk
from jupyter_agents.effects import Emit, Pause
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import EventLog, HistorySet
from jupyter_agents.messages import Message
from jupyter_agents.run import Run, RunState, ThisTask

_MOMENT = 0.01  # seconds between two looks at whether a chat has ended


@dataclass(slots=True)
class Relation:
    """What there is between an agent and one other.

    `auto_replies` counts the automatic replies in a row, `limit` is how many there may be where that is not the
    agent's own limit, `replies` says whether it answers when nobody asks it to, `chat` is the token of the chat that
    is under way between the two.
    """

    talk: Talk | None = None
    auto_replies: int = 0
    limit: int | None = None
    replies: bool = False
    chat: object = None


@dataclass(frozen=True)
class Opening:
    """How a chat begins: who is to answer, and whether what was said before is forgotten."""

    request_reply: bool | None = None
    clear_history: bool = False
    expects_replies: bool = False


class Memory:
    """The relations of one agent. Others are told apart by what they are, not by their names.

    A counterpart may pass on what several said, as the manager of a group does: `Message.name` then tells who spoke.
    """

    def __init__(self, limit: int) -> None:
        self._limit = checked_limit(limit)
        self._relations: dict[Any, Relation] = {}

    # -- What was said -------------------------------------------------------------------------------------------

    @property
    def talks(self) -> dict[Any, Talk]:
        """By counterpart what is remembered, in the order in which it began to be."""
        return {other: one.talk for other, one in self._relations.items() if one.talk is not None}

    def talk_with(self, other: Any) -> Talk:
        """What is remembered of the talk with another agent; an empty talk where nothing is."""
        return self._known(other).talk or Talk()

    def log_with(self, other: Any) -> EventLog | None:
        """The log that holds the talk with another agent; `None` for a talk that was loaded, or that never was."""
        talk = self._known(other).talk
        return talk.log if isinstance(talk, History) else None

    async def attach(self, run: Run, me: Any, other: Any) -> History:
        """Remember the talk with another agent from this run's log on, carrying over what is remembered already."""
        history = self._known(other).talk
        if not isinstance(history, History) or history.log is not run.log:
            carried = history.pairs() if history is not None else ()
            keys = run.log.key_of(me), run.log.key_of(other)
            history = History(run.log, *keys)
            history.chats.add(run.chat)
            self.load(other, history)
            await Emit(HistorySet(run.chat, *keys, carried))
        history.chats.add(run.chat)
        return history

    def load(self, other: Any, talk: Talk | None) -> None:
        """Remember this of another agent, instead of what was; the next chat with it carries it on in its log."""
        relation = self._of(other)
        if relation.talk is None:  # the order is that of the talks, not of the first question about somebody
            self._relations[other] = self._relations.pop(other)
        relation.talk = talk

    def forget(self, other: Any = None, kept: int = 0) -> None:
        """Forget the talk with one agent, or with all, but for the last messages; see `Talk.last`."""
        for relation in self._all(other):
            relation.talk = relation.talk.last(kept) if relation.talk is not None and kept else None

    def reset(self, other: Any = None) -> None:
        """Forget all but the limit of one agent, or of all."""
        for who in [*self._relations] if other is None else [other]:
            limit = self._known(who).limit
            self._relations.pop(who, None)
            if limit is not None:
                self.set_limit(limit, who)

    # -- Counting automatic replies, and whom to answer ----------------------------------------------------------

    def limit_for(self, sender: Any) -> int:
        """How many automatic replies a sender gets in a row."""
        limit = self._known(sender).limit
        return self._limit if limit is None else limit

    def set_limit(self, value: int, sender: Any = None) -> None:
        """Change that limit, for one sender or for all."""
        if sender is not None:
            self._of(sender).limit = checked_limit(value)
            return
        self._limit = checked_limit(value)
        for relation in self._relations.values():
            relation.limit = None

    def auto_replies_to(self, sender: Any) -> int:
        """How many automatic replies a sender has had in a row."""
        return self._known(sender).auto_replies

    def count_auto_reply(self, sender: Any, *, starts_anew: bool) -> None:
        """Count one more automatic reply, or begin at 0."""
        relation = self._of(sender)
        relation.auto_replies = 0 if starts_anew else relation.auto_replies + 1

    def set_auto_replies(self, sender: Any, count: int) -> None:
        """Have given a sender so many automatic replies in a row."""
        self._of(sender).auto_replies = count

    def count_anew(self, sender: Any = None) -> None:
        """Begin at 0, for one sender or for all."""
        for relation in self._all(sender):
            relation.auto_replies = 0

    def replies_to(self, sender: Any) -> bool:
        """Whether the agent answers what this sender says, when nobody asks it to."""
        return self._known(sender).replies

    def expect(self, sender: Any) -> None:
        """Answer what this sender says from now on, and count automatic replies to it anew."""
        relation = self._of(sender)
        relation.replies, relation.auto_replies = True, 0

    def stop_replying(self, sender: Any = None) -> None:
        """Answer one sender, or nobody, of one's own accord from now on."""
        for relation in self._all(sender):
            relation.replies = False

    # -- Being in a chat -----------------------------------------------------------------------------------------

    def chat_with(self, other: Any) -> object:
        """The token of the chat that is under way with another agent, or `None`."""
        return self._known(other).chat

    @property
    def chats(self) -> list[object]:
        """The tokens of all chats that are under way."""
        return [one.chat for one in self._relations.values() if one.chat is not None]

    def enter(self, other: Any, chat: object) -> Relation:
        """Be in a chat with another agent, which is known by its token; what there was between them before."""
        relation = self._of(other)
        before = replace(relation)
        relation.chat = chat
        return before

    def leave(self, other: Any, around: object, before: Relation | None = None) -> None:
        """Be back in the chat `around` (`None`: in none); what was remembered before is so again, where it is given."""
        relation = self._of(other)
        relation.chat = around
        if before is not None:
            self.load(other, before.talk)
            relation.auto_replies, relation.replies = before.auto_replies, before.replies

    def copied(self, who: Callable[[Any], Any]) -> Memory:
        """The same for another agent. `who` says who takes the place of somebody; a chat that is under way is not in it."""
        memory = Memory(self._limit)
        for other, one in self._relations.items():
            talk = None if one.talk is None else Talk(one.talk.pairs())
            memory._relations[who(other)] = replace(one, talk=talk, chat=None)
        return memory

    # -- Storing it ----------------------------------------------------------------------------------------------

    def to_state(self, name_of: Callable[[Any], str]) -> dict[str, Any]:
        """Plain data from which `from_state` makes it again. `name_of` names the others, as a log's `key_of` does.

        A chat that is under way is not in it, nor is what JSON cannot say of the `context` of a message.
        """
        others = {other: one for other, one in self._relations.items() if other is not None}  # `None` sends no messages
        relations = [{"with": name_of(other), **_relation_to_json(one)} for other, one in others.items()]
        return {"limit": self._limit, "relations": relations}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], agents: Mapping[str, Any]) -> Memory:
        """The reverse of `to_state`, given the others by the names that they have there.

        Raises `ConfigurationError` for one who is not given, and for what is no such state.
        """
        try:
            memory = cls(state["limit"])
            relations = {one["with"]: _relation_from_json(one) for one in state["relations"]}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ConfigurationError(
                f"Cannot restore what an agent remembers: {type(error).__name__}: {error}. Give what to_state() gave."
            ) from error
        for name, relation in relations.items():
            if name not in agents:
                known = ", ".join(sorted(agents)) or "nobody"
                raise ConfigurationError(
                    f"Cannot restore what an agent remembers of {name!r}: given are {known}. Give it by that name."
                )
            memory._relations[agents[name]] = relation
        return memory

    def _known(self, other: Any) -> Relation:
        """The relation to another, to look at: that to a stranger is not kept."""
        return self._relations.get(other) or Relation()

    def _of(self, other: Any) -> Relation:
        """The relation to another, to change."""
        return self._relations.setdefault(other, Relation())

    def _all(self, other: Any) -> list[Relation]:
        """The relation to one, if there is any, or to all where none is named."""
        if other is None:
            return [*self._relations.values()]
        return [self._relations[other]] if other in self._relations else []


def memory_of(agent: Any) -> Memory:
    """What an agent remembers of all others."""
    memory: Memory = agent._memory
    return memory


def checked_limit(value: Any) -> int:
    """A number of automatic replies; raises `ConfigurationError` where it is none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
        raise ConfigurationError(
            f"Cannot use max_consecutive_auto_reply={value!r}: give a whole number of at least 0, or nothing for the "
            "usual limit."
        )
    return int(value)


@dataclass(frozen=True, slots=True, eq=False)
class UnderWay:
    """A chat that is going on, in this log."""

    log: EventLog


async def wait_for_pair(one: Any, other: Any, run: Run) -> None:
    """Wait while two agents are in a chat that another call of the same message holds: those are made together.

    A chat of theirs elsewhere is not waited for. Raises `ConfigurationError` for one that could not go on meanwhile.
    """
    around = run.pairs.get(frozenset((id(one), id(other))))

    def chats() -> list[object]:
        chat = memory_of(one).chat_with(other)
        return [] if chat is around else [chat]

    await _wait_while(chats, run, f"{one.name!r} and {other.name!r} are")


async def wait_for_others(agent: Any, run: Run) -> None:
    """Wait in the same way while an agent is in a chat with anybody, but for those that this one is nested in."""
    around = list(run.pairs.values())

    def chats() -> list[object]:
        return [one for one in memory_of(agent).chats if one not in around]

    await _wait_while(chats, run, f"{agent.name!r} is")


async def _wait_while(chats: Callable[[], list[object]], run: Run, who: str) -> None:
    while any(isinstance(one, UnderWay) and one.log is run.log for one in chats()):
        if await _holds_up_loop():
            raise ConfigurationError(
                f"Cannot begin a chat: {who} in another one of this conversation, which cannot end while a synchronous "
                "call holds up the event loop. Use `await agent.a_initiate_chat(…)`."
            )
        await Pause(_MOMENT)


async def wait_for_nested(run: Run, before: int) -> None:
    """Wait, on an event loop, until no more chats are nested in this one than there were `before`.

    A plain function that is called meanwhile would hold up the loop, and so all of them, and could hold none of its own
    between two agents who are in one.
    """
    while run.state.nested > before and await ThisTask() is not None:
        await Pause(_MOMENT)


async def _holds_up_loop() -> bool:
    """Whether this thread has an event loop that does nothing while we wait."""
    if await ThisTask() is not None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def in_chat(one: Any, other: Any, run: Run, opening: Opening, parent: Run | None = None) -> Iterator[Run]:
    """Have two agents be in a chat for as long as the block runs, and `parent` know of it; the run, which then does too.

    The two may be in one chat at a time. Where one is nested in another of theirs and begins anew, what they
    remembered is put back when it has ended.
    """
    pair = frozenset((id(one), id(other)))
    around, chat = run.pairs.get(pair), UnderWay(run.log)
    one.check_free(other, around)
    sides = [(me, you, memory_of(me).enter(you, chat)) for me, you in ((one, other), (other, one))]
    around_both = parent.state if parent is not None else RunState()
    around_both.nested += 1
    try:
        for me, you, _ in sides:
            _open(me, you, opening)
        yield replace(run, pairs={**run.pairs, pair: chat})
    finally:
        around_both.nested -= 1
        for me, you, before in sides:
            puts_back = around is not None and opening.clear_history
            memory_of(me).leave(you, around, before if puts_back else None)


def _open(me: Any, you: Any, opening: Opening) -> None:
    if opening.expects_replies:
        me.expect(you)
    if opening.clear_history:
        me.clear_history(you)  # the method of the agent, which a subclass may have made its own


# -- As JSON -----------------------------------------------------------------------------------------------------


def _relation_to_json(relation: Relation) -> dict[str, Any]:
    return {
        "messages": None if relation.talk is None else _talk_to_json(relation.talk),
        "auto_replies": relation.auto_replies,
        "limit": relation.limit,
        "replies": relation.replies,
    }


def _talk_to_json(talk: Talk) -> list[dict[str, Any]]:
    return [{"spoken": spoken, "message": _message_to_json(message)} for spoken, message in talk.pairs()]


def _relation_from_json(data: Mapping[str, Any]) -> Relation:
    said, limit = data["messages"], data["limit"]
    return Relation(
        talk=Talk((bool(one["spoken"]), Message.from_dict(one["message"])) for one in said)
        if said is not None
        else None,
        auto_replies=int(data["auto_replies"]),
        limit=None if limit is None else checked_limit(limit),
        replies=bool(data["replies"]),
    )


def _message_to_json(message: Message) -> dict[str, Any]:
    found = message.to_dict()
    if message.context is not None:
        found["context"] = {str(key): value for key, value in message.context.items() if _is_plain(value)}
    return found


def lost_context(agent: Any) -> list[str]:
    """What of the `context` of messages JSON cannot say, in words."""
    talks = memory_of(agent).talks.items()
    found = (
        f"context of a message with {getattr(other, 'name', other)}: {key}"
        for other, talk in talks
        for message in talk.messages
        for key, value in (message.context or {}).items()
        if not _is_plain(value)
    )
    return list(dict.fromkeys(found))


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
