"""Chats that are held one after the other, or as their prerequisites allow, with one log, one budget and one recording.

Each is given what the ones before have come to. Under the asynchronous face chats that do not wait for each other are
held at the same time; under the synchronous one, in their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from jupyter_agents.agents.faces import call_hook, faces
from jupyter_agents.agents.openings import carried_over
from jupyter_agents.agents.queued_chat import QueuedChat, read_queue
from jupyter_agents.budget import Budget, Ledger, check_budget
from jupyter_agents.conversation import ChatResult, hold_series, open_run
from jupyter_agents.culprits import add_note, described
from jupyter_agents.effects import Emit, Together
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import Noted
from jupyter_agents.interrupts import ChatCancelled
from jupyter_agents.run import Run, RunState, ThisRun, ThisTask, Within
from jupyter_agents.series import ChatResults, ChatResultsById

_MOST_NAMED = 3


async def _initiate_chats(
    chat_queue: Sequence[Mapping[str, Any]], *, budget: Budget | None = None
) -> ChatResults | ChatResultsById:
    """Hold several chats, and give their results.

    Each entry has a `sender`, a `recipient`, a `message`, and whatever else `initiate_chat` takes. The chats are held one
    after the other, and each is given the summaries of those before as `carryover`, but for those that its
    `finished_chat_indexes_to_exclude_from_carryover` names. The results are a list (`ChatResults`), which shows the series and has
    `usage`, `cost`, `by_speaker` and `to_frame()` of all its chats.

    Where entries have a `chat_id` and `prerequisites` (a list of such), a chat begins when those have ended, and is
    given their summaries; `a_initiate_chats` holds all that may begin at the same time. The results are a dictionary by
    `chat_id`. When a chat fails, those that need it are not begun, and the others go on.

    All chats share one log and one `budget`. Raises `ConfigurationError` before anything begins when the entries are
    wrong; otherwise the first error, with a note of which chat it ended, and the results of those that have ended as its
    `results`.
    """
    return await hold_queue(read_queue(chat_queue), budget=budget)


initiate_chats, a_initiate_chats = faces(_initiate_chats)


async def hold_for(
    agent: Any, chat_queue: Sequence[Mapping[str, Any]], *, budget: Budget | None = None
) -> ChatResults | ChatResultsById:
    """The same, begun by an agent, which keeps the results."""
    agent._chat_results = ChatResults()
    chats = read_queue(chat_queue, agent)
    try:
        agent._chat_results = await hold_queue(chats, budget=budget)
    except BaseException as error:
        agent._chat_results = getattr(error, "results", ChatResults())
        raise
    found: ChatResults | ChatResultsById = agent._chat_results
    return found


async def hold_queue(chats: Sequence[QueuedChat], *, budget: Budget | None = None) -> ChatResults | ChatResultsById:
    """Hold chats that were checked: nested in the chat that is under way, or as a series of their own."""
    check_budget(budget)
    if not chats:
        return ChatResults()
    here = await ThisRun()
    if here.depth and not here.state.is_over:
        ledger = here.ledger if budget is None else Ledger(budget, here.ledger)
        queue = ChatQueue(chats, replace(here, ledger=ledger))
        return await queue.hold()
    run = await open_run(None, silent=all(one.is_silent for one in chats), budget=budget)
    queue = ChatQueue(chats, run)
    try:
        return await hold_series(run, len(chats), queue.hold())
    except (KeyboardInterrupt, asyncio.CancelledError):
        if run.control.is_stopping:
            return queue.results
        raise


class ChatQueue:
    """Chats under way: which have ended, which have begun, and which wait for others."""

    def __init__(self, chats: Sequence[QueuedChat], run: Run) -> None:
        self._chats, self._run = chats, run
        self._by_id = chats[0].chat_id is not None
        self._waiting = list(chats)
        self._ended: dict[int, ChatResult] = {}
        self._failures: list[tuple[QueuedChat, Exception]] = []
        self._takes_turns = True
        self._ordinals: dict[int, int] = {}

    @property
    def results(self) -> ChatResults | ChatResultsById:
        """Of those that have ended, in the order of the queue."""
        ended = [one for one in self._chats if one.number in self._ended]
        if self._by_id:
            return ChatResultsById({one.chat_id: self._ended[one.number] for one in ended})
        return ChatResults(self._ended[one.number] for one in ended)

    async def hold(self) -> ChatResults | ChatResultsById:
        """Hold all that can be held; their results, or the first error with those."""
        self._takes_turns = await ThisTask() is None
        self._reserve()
        try:
            await self._go_on()
        except BaseException as error:
            _tell_results(error, self.results)
            raise
        if self._failures:
            raise self._first_failure()
        return self.results

    def _reserve(self) -> None:
        """Number the chats, and name who talks in them, in the order of the queue, whichever will begin first."""
        for one in self._chats:
            self._ordinals[one.number] = self._run.log.new_chat()
            self._run.log.key_of(one.sender)
            self._run.log.key_of(one.recipient)
        if self._run.tape is not None:
            self._run.tape.reserve(self._ordinals.values())

    async def _go_on(self) -> None:
        """Hold what may begin, and then what may begin after it."""
        while ready := self._take():
            if len(ready) > 1:
                await Together([self._hold_and_go_on(one) for one in ready])
                return
            await self._hold(ready[0])

    async def _hold_and_go_on(self, chat: QueuedChat) -> None:
        await self._hold(chat)
        await self._go_on()

    def _take(self) -> list[QueuedChat]:
        """The chats that begin now: all that wait for nothing more, or the first of them where they take turns."""
        ready = [one for one in self._waiting if one.follows <= self._ended.keys()]
        if self._takes_turns:
            ready = ready[:1]
        taken = {one.number for one in ready}
        self._waiting = [one for one in self._waiting if one.number not in taken]
        return ready

    # -- One of them ---------------------------------------------------------------------------------------------

    async def _hold(self, chat: QueuedChat) -> None:
        """Hold a chat. One that fails is noted; an interrupt ends them all."""
        try:
            self._ended[chat.number] = await self._held(chat)
        except Exception as error:  # noqa: BLE001 - it is raised when the others have ended
            self._failures.append((chat, error))
        except (KeyboardInterrupt, asyncio.CancelledError) as stop:
            result = getattr(stop, "result", None)
            if isinstance(result, ChatResult):
                self._ended[chat.number] = self._named(result, chat)
            if self._takes_turns or not isinstance(stop, KeyboardInterrupt):
                raise
            raise ChatCancelled(result) from None  # a KeyboardInterrupt that leaves a task ends the loop

    async def _held(self, chat: QueuedChat) -> ChatResult:
        name = "" if chat.chat_id is None else str(chat.chat_id)
        options, state = self._options(chat), RunState(reserved=[self._ordinals[chat.number]], name=name)
        if len(self._chats) > 1 and not chat.is_silent:
            await Within(self._run, _note(self._heading(chat)))
        try:
            holding = call_hook(chat.sender, "initiate_chat", chat.recipient, **options)
            found = await Within(replace(self._run, state=state), holding)
        finally:
            state.is_over = True
        if not isinstance(found, ChatResult):
            raise ConfigurationError(
                f"Cannot go on after the chat of {chat.pair}: initiate_chat() of {type(chat.sender).__name__} gave {found!r}. "
                "Have it return what super().initiate_chat(…) gives."
            )
        return self._named(found, chat)

    def _named(self, result: ChatResult, chat: QueuedChat) -> ChatResult:
        return result if chat.chat_id is None else replace(result, given_id=chat.chat_id)

    def _options(self, chat: QueuedChat) -> dict[str, Any]:
        summaries = [self._ended[one].summary for one in chat.carries]
        texts = carried_over(chat.options.get("carryover")) + [one for one in summaries if one]
        return {**chat.options, "carryover": texts} if texts else dict(chat.options)

    def _heading(self, chat: QueuedChat) -> str:
        """A line that says in the transcript where a chat begins, and what it is given."""
        given = [one for one in self._chats if one.number in chat.carries and self._ended[one.number].summary]
        names = [str(one.number) if one.chat_id is None else repr(one.chat_id) for one in given]
        carried = f", with what {_listed(names)} came to" if names else ""
        return f"Chat {self._name(chat)}: {self._between(chat)}{carried}."

    def _name(self, chat: QueuedChat) -> str:
        return f"{chat.number} of {len(self._chats)}" if chat.chat_id is None else repr(chat.chat_id)

    def _between(self, chat: QueuedChat) -> str:
        sender, recipient = map(self._run.log.key_of, (chat.sender, chat.recipient))
        return f"{sender} and {recipient}"

    def _first_failure(self) -> Exception:
        (chat, first), *others = self._failures
        _tell_results(first, self.results)
        add_note(first, f"It ended chat {self._name(chat)}, of {self._between(chat)}.")
        for other, error in others:
            add_note(first, f"Chat {self._name(other)} failed, too: {described(error)}")
        for one in self._waiting[:_MOST_NAMED]:
            add_note(first, f"The chat of {one.pair} was not begun: it needs one that failed.")
        if len(self._waiting) > _MOST_NAMED:
            add_note(first, f"Nor were {len(self._waiting) - _MOST_NAMED} others.")
        return first


async def _note(text: str) -> None:
    run = await ThisRun()
    await Emit(Noted(run.chat, text))


def _tell_results(error: BaseException, results: ChatResults | ChatResultsById) -> None:
    with suppress(AttributeError, TypeError):  # an error of somebody else's may be closed to it
        error.results = results  # type: ignore[attr-defined]


def _listed(names: Sequence[str]) -> str:
    *some, last = names
    chats = f"{', '.join(some)} and {last}" if some else last
    return f"chat{'s' if some else ''} {chats}"
