"""How a chat goes on after it has ended: from where it stopped, with its last reply asked for anew, or otherwise said."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_agents.agents.faces import faces
from jupyter_agents.budget import Budget
from jupyter_agents.conditions import ChatFacts, Unwritten
from jupyter_agents.effects import Emit
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import EventLog, GroupSet, HistorySet, MessageSent, ModelAsked, Noted, Relayed
from jupyter_agents.messages import Message
from jupyter_agents.progress import Limits
from jupyter_agents.replies import Reply
from jupyter_agents.run import Run, ThisRun
from jupyter_agents.termination import Condition, Ending

if TYPE_CHECKING:
    from jupyter_agents.agents.checkpoints import Checkpoint, Place
    from jupyter_agents.conversation import ChatResult
    from jupyter_agents.forks import Fork


_NOT_AGAIN = "What {} had begun is not done again: the answer is what came of it. retry() asks the model for another reply instead."

_REDOES = "A nested chat was broken off, and begins anew: code and calls in it may be done a second time."


class Resumable:
    """Where a chat stands, and how it goes on from there. Limits are those of the chat, counted anew, unless others are given."""

    limits: Limits

    def _standing(self) -> Place:
        raise NotImplementedError

    async def _resume(
        self,
        *,
        max_turns: int | None = None,
        termination: Condition | None = None,
        budget: Budget | None = None,
        silent: bool = False,
    ) -> ChatResult:
        """Go on from there: whose turn it is, speaks. For a chat that was interrupted, or had a limit, or was forked.

        A chat whose last message ends it, ends again. Counts of automatic replies begin anew. Code and calls that had begun
        when the chat was broken off are not done again: the agent answers with what came of them, as far as the log has
        it, and that they were interrupted. `retry` asks the model for another reply instead.
        """
        limits = changed(self.limits, max_turns, termination, budget)
        return await go_on(self._standing(), limits, Move(), silent=silent)

    resume, a_resume = faces(_resume)


class Continuations(Resumable):
    """What can be done with a chat that has ended. Each gives a new chat on the same log; what was said stays there.

    Agents that have talked otherwise since then remember again what they did, as far as it was said in this chat; their
    models, functions and settings are those of today. Nothing is run again: not code, not tools, not reply functions.
    """

    log: EventLog
    chat: int
    last: int

    async def _retry(
        self,
        *,
        max_turns: int | None = None,
        termination: Condition | None = None,
        budget: Budget | None = None,
        silent: bool = False,
        fresh: bool = False,
    ) -> ChatResult:
        """Ask the same agent anew for the last reply that a model gave, or failed to give, and go on from there.

        What came after that reply is forgotten with it. A cache would give the same reply again: with `fresh` it is not
        asked for that one, and keeps the new one in its place. Raises `ConfigurationError` where no model was asked.
        """
        limits = changed(self.limits, max_turns, termination, budget)
        note = "The last reply of a model is asked for anew."
        if (owing := self._owing()) is not None:
            place = self._standing()
            following = self.log.agent_of(owing) if place.group is not None else None  # a group would choose again
            return await go_on(place, limits, Move(note, following=following, is_fresh=fresh), silent=silent)
        self.check_retry()
        found = self._last_of_model()
        assert found is not None
        at, reply = found
        following = self.log.agent_of(reply.sender)
        return await go_on(self._place(at), limits, Move(note, following=following, is_fresh=fresh), silent=silent)

    retry, a_retry = faces(_retry)

    async def _edit(
        self,
        text: str,
        *,
        max_turns: int | None = None,
        termination: Condition | None = None,
        budget: Budget | None = None,
        silent: bool = False,
    ) -> ChatResult:
        """Have the last message say this instead, and go on from it. Calls of functions that it held are gone with it."""
        said = Message.from_dict(text)
        limits = changed(self.limits, max_turns, termination, budget)
        found = self._checkpoint(self.last).find(lambda one: True)
        if found is None:
            raise ConfigurationError("Cannot edit the last message: nothing was said in this chat. Begin another one.")
        at, last = found
        place = self._place(at)
        sides = self.log.agent_of(last.sender), self.log.agent_of(last.recipient)
        move = Move(f"The last message of {last.sender} was edited.", edited=said, sides=sides)
        return await go_on(place, limits, move, silent=silent)

    edit, a_edit = faces(_edit)

    def fork(self, at: int | None = None) -> Fork:
        """New agents that remember what these did after message `at` (an index into `messages`; by default the last).

        Both go on apart: this chat and its agents stay as they are. See `Fork` for how the new ones go on.
        """
        from jupyter_agents.forks import Fork

        said = self._said()
        number = len(said) - 1 if at is None else at
        is_place = isinstance(number, int) and not isinstance(number, bool)
        if not is_place or not -len(said) <= number < len(said):
            raise ConfigurationError(
                f"Cannot fork the chat after message {at!r}: it has {len(said)} messages, counted from 0. "
                "Give the number of one, or nothing for the last."
            )
        number %= len(said)
        is_last = number == len(said) - 1
        until = self.last if is_last else self._after(said[number][0])  # after the last: with what was begun for it
        return Fork.made(self._checkpoint(until), number, self.limits)

    def save(self, path: str | Path) -> Path:
        """Write the chat and its agents to a file (JSON, one thing a line), whole or not at all. See `load_chat`."""
        from jupyter_agents.saving import save_chat

        return save_chat(self, path)  # type: ignore[arg-type]  # only a ChatResult is one of these

    # -- Where things are in the log -----------------------------------------------------------------------------

    def _checkpoint(self, until: int) -> Checkpoint:
        from jupyter_agents.agents.checkpoints import Checkpoint

        return Checkpoint(self.log, self.chat, until)

    def _standing(self) -> Place:
        return self._place(self.last)

    def _place(self, until: int) -> Place:
        return self._checkpoint(until).place()

    def _said(self) -> list[tuple[int, MessageSent]]:
        return [
            (one.seq, one.event)
            for one in self.log.entries[: self.last]
            if one.event.chat == self.chat and isinstance(one.event, MessageSent)
        ]

    def _after(self, seq: int) -> int:
        """Where the log is once the others have heard the message at `seq`."""
        until = seq + 1
        for entry in self.log.entries[until : self.last]:
            if entry.event.chat != self.chat or not isinstance(entry.event, Relayed | HistorySet):
                break
            until = entry.seq + 1
        return until

    def check_retry(self) -> None:
        """Raise `ConfigurationError` where no model was asked, so that nothing could be asked for anew."""
        if self._owing() is None and self._last_of_model() is None:
            raise ConfigurationError("Cannot retry: no model has replied in this chat. Use resume(), or edit(text).")

    def _last_of_model(self) -> tuple[int, MessageSent] | None:
        return self._checkpoint(self.last).find(lambda one: one.origin == "model")

    def _owing(self) -> str | None:
        """Whose model was asked after the last message, where no message came of it."""
        said = self._said()
        asked = [
            one.event.agent
            for one in self.log.entries[said[-1][0] if said else 0 : self.last]
            if one.event.chat == self.chat and isinstance(one.event, ModelAsked) and not one.event.aside
        ]
        return asked[-1] if asked else None


@dataclass(frozen=True)
class Move:
    """How a chat goes on: who must speak first (`following`), or what is said first, by the first of `sides` to the other.

    With `is_fresh` no cache is asked for the first reply of a model.
    """

    note: str = ""
    following: Any = None
    edited: Message | None = None
    is_fresh: bool = False
    sides: tuple[Any, Any] = (None, None)

    @property
    def is_plain(self) -> bool:
        """Whether it goes on from where it stood, and is not another try."""
        return self.following is None and self.edited is None


def changed(limits: Limits, max_turns: int | None, termination: Condition | None, budget: Budget | None) -> Limits:
    """Limits in which some are others."""
    given = {"max_turns": max_turns, "termination": termination, "budget": budget}
    if termination is None and isinstance(limits.termination, Unwritten):
        limits.termination.judge(ChatFacts(()))  # which says what to do, before anything happens
    return replace(limits, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


async def go_on(place: Place, limits: Limits, move: Move, *, silent: bool = False) -> ChatResult:
    """Hold a chat that begins where another one stood."""
    from jupyter_agents.agents.memory import Opening, in_chat
    from jupyter_agents.conversation import check_people, hold_chat, open_run

    one, other = place.initiator, place.recipient
    if place.said is None and move.edited is None:
        raise ConfigurationError(
            "Cannot go on with this chat: nothing was said in it. Begin one with initiate_chat(…)."
        )
    parent = await ThisRun()
    run = await open_run(place.log, silent=silent, budget=limits.budget, cache=limits.cache)
    if place.group is None:
        check_people([place.listener], run)
    with in_chat(one, other, run, Opening(request_reply=True, expects_replies=True), parent) as run:
        talk = _talk(place, move, limits, run, silent=silent)
        return await hold_chat(one, other, talk, run, parent.chat if run.depth > 1 else None)


async def _talk(place: Place, move: Move, limits: Limits, run: Run, *, silent: bool) -> Ending:
    from jupyter_agents.conversation import TurnLoop

    loop = TurnLoop(run, limits, silent=silent, sent=_sent_already(place, move))
    place.restore()
    if not move.is_plain:  # it is another try, not a new start
        place.restore_counts()
    await place.initiator.attach(run, place.recipient)
    await place.recipient.attach(run, place.initiator)
    for group in place.groups:
        if group.is_rewound or place.log not in (None, run.log):
            heard = tuple((run.log.key_of(speaker), message) for speaker, message in group.heard)
            await Emit(GroupSet(run.chat, run.log.key_of(group.manager), heard))
    if move.is_plain:
        run.state.begun = {run.log.key_of(agent): replace(begun) for agent, begun in place.begun.items()}
    if run.state.begun:
        await Emit(Noted(run.chat, _NOT_AGAIN.format(", ".join(run.state.begun))))
    if move.is_plain and place.redoes:
        await Emit(Noted(run.chat, _REDOES, level="warning"))
    run.state.is_fresh = move.is_fresh
    if move.note:
        await Emit(Noted(run.chat, move.note))
    steps: Callable[..., Coroutine[Any, Any, Ending]] = _of_two if place.group is None else _of_group
    return await steps(place, move, loop, run)


def _sent_already(place: Place, move: Move) -> int:
    """How much of a turn is over: what the initiator has said is the first half of one, and is not to be said again."""
    if move.edited is not None:
        return 0 if move.sides[0] is place.initiator else -1
    listener = move.following or place.listener
    return 0 if listener is place.initiator else 1


async def _of_two(place: Place, move: Move, loop: Any, run: Run) -> Ending:
    ending: Ending
    if move.edited is not None:
        ending = await loop.talk(*move.sides, Reply(True, move.edited, "human"), True)
    else:
        listener = move.following or place.listener
        speaker = place.recipient if listener is place.initiator else place.initiator
        ending = await loop.go_on(speaker, listener, Reply(True, place.said), True)
    return ending


async def _of_group(place: Place, move: Move, loop: Any, run: Run) -> Ending:
    from jupyter_agents.agents.group_chat_manager import GroupTalk
    from jupyter_agents.conversation import send

    assert place.group is not None
    talk = GroupTalk(place.recipient, place.group)
    if move.edited is None:
        assert place.said is not None
        if not place.group_has_begun:
            return await talk.hold(place.said, place.speaker)
        following = move.following or next(iter(place.begun), None)  # who had begun to answer, does
        return await talk.go_on(place.said, place.speaker, is_heard=place.is_heard, following=following)
    sender = move.sides[0]
    await send(run, sender, place.recipient, Reply(True, move.edited, "human"))
    if not place.group_has_begun:
        return await talk.hold(move.edited, sender)
    return await talk.go_on(move.edited, sender, is_heard=False)
