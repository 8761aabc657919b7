"""A chat that goes on while its user goes on working: a handle to it, to be awaited, looked at, paused, and taken back."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, replace
from typing import Any

from jupyter_agents.agents.faces import call_hook
from jupyter_agents.agents.keywords import check_keywords
from jupyter_agents.control import STOPPED, Control, use_control
from jupyter_agents.conversation import ChatResult
from jupyter_agents.culprits import described, place_of, without_our_frames
from jupyter_agents.drive import a_drive
from jupyter_agents.errors import ConfigurationError, JupyterAgentsError
from jupyter_agents.events import ChatStarted, Listener
from jupyter_agents.interrupts import ChatCancelled
from jupyter_agents.replies import is_agent
from jupyter_agents.run import current_run
from jupyter_agents.session import Session, current_session, use_session
from jupyter_agents.taking_back import GoOn, NextMove, TakingBack
from jupyter_agents.termination import EndedBy

_HOW_LATER = "Its result can go on: await chat.result.a_resume(), a_retry() or a_edit(text)."
_LOOK = 0.02  # seconds between two looks at whether a chat has come to rest
_under_way: set[Chat] = set()  # an event loop keeps only weak references to its tasks


class Chat:
    """A conversation between two agents that is held in the background, once it has been started.

    Keyword arguments are those of `initiate_chat` (`message`, `max_turns`, …). What is said appears in the cell that has
    started it, and what goes wrong in one line. Await it for its `ChatResult`, or its error. In IPython's terminal it goes
    on only while a cell awaits something.

    >>> from jupyter_agents import AssistantAgent, UserProxyAgent
    >>> user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    >>> Chat(user, AssistantAgent("assistant", llm_config=False), message="Hello")
    <Chat: user and assistant, not started>
    """

    def __init__(self, initiator: Any, recipient: Any, **options: Any) -> None:
        for one in (initiator, recipient):
            if not is_agent(one):
                raise ConfigurationError(
                    f"Cannot make a chat with {one!r}: it is no agent. Give an agent, such as AssistantAgent('assistant')."
                )
        check_keywords(initiator, options)
        self._names = f"{initiator.name} and {recipient.name}"
        self._sides = initiator, recipient
        self._hold: Callable[[], Coroutine[Any, Any, ChatResult]] = lambda: call_hook(
            initiator, "initiate_chat", recipient, **options
        )
        self._check: Callable[[], None] = lambda: initiator.check_free(recipient)
        self._task: asyncio.Task[Any] | None = None
        self._control = Control()
        self._control.in_background = True
        self._failed: Callable[[BaseException], None] = _say_failed
        self._kept: Callable[[list[ChatResult]], None] = lambda results: None
        self._next = NextMove()
        self._results: list[ChatResult] = []

    @classmethod
    def holding(
        cls,
        initiator: Any,
        recipient: Any,
        hold: Callable[[], Coroutine[Any, Any, ChatResult]],
        failed: Callable[[BaseException], None] | None = None,
        kept: Callable[[list[ChatResult]], None] | None = None,
    ) -> Chat:
        """A chat that is held in a way of its own. `failed` is told of an error; by default the cell is.

        `kept` is given its results when it has ended: one, and one more for each time that something was taken back.
        """
        chat = cls(initiator, recipient)
        chat._hold = hold
        chat._failed = failed or _say_failed
        chat._kept = kept or chat._kept
        return chat

    def __repr__(self) -> str:
        return f"<Chat: {self._names}, {self._state}>"

    @property
    def _state(self) -> str:
        if self._task is None:
            return "not started"
        if not self._task.done():
            return "paused" if self._control.is_paused else "going on"
        return "failed" if self.error is not None else "ended"

    def start(self) -> Chat:
        """Begin, and return at once. Code of agents may not use top-level `await` meanwhile: other cells run beside it.

        Raises `ConfigurationError` where no event loop is running, as in a script, and within a chat.
        """
        if self._task is not None:
            raise ConfigurationError(f"Cannot start this chat again: it is {self._state}. Make another one.")
        run = current_run.get()
        if run is not None and run.depth and not run.state.is_over:
            raise ConfigurationError(
                "Cannot start a chat in the background within a chat: it is part of the outer one, which would end "
                "before it. Use initiate_chat(…), or `await` a_initiate_chat(…)."
            )
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigurationError(
                "Cannot start a chat in the background: no event loop is running here. Use initiate_chat(…), or call "
                "this inside asyncio.run(…)."
            ) from None
        self._refuse_second()
        self._check()
        self._task = loop.create_task(self._held())
        _under_way.add(self)
        self._task.add_done_callback(self._ended)
        return self

    def _refuse_second(self) -> None:
        """Refuse a chat of a pair that is in one in the background: its cell may have been run again, and cleared."""
        pair = set(map(id, self._sides))
        other = next((one for one in _under_way if set(map(id, one._sides)) == pair and not one.done()), None)
        if other is None:
            return
        is_shown = current_session().show_again(other._control)
        where = "It is shown here again" if is_shown else "It goes on unseen"
        raise ConfigurationError(
            f"Cannot begin a chat: {self._names} are in one that still goes on in the background. {where}; wait for its "
            "end, or stop it with the handle that start() gave (`_chat.stop()` after %%agentchat)."
        )

    async def _held(self) -> Any:
        """Hold the chat, and what follows where something is taken back."""
        listeners = _Listeners(current_session().make_listeners)
        session = replace(_beside_cells(current_session()), make_listeners=listeners)
        try:
            with use_session(session), use_control(self._control):
                try:
                    held = await self._until_taken_back(self._hold())
                    while (move := self._following()) is not None:
                        listeners.are_kept = True
                        held = await self._until_taken_back(self._go_on(move))
                    return held.given()
                except asyncio.CancelledError as stop:  # an interrupt, which is no error of the task
                    self._keep(stop)
                    if getattr(stop, "result", None) is None:
                        raise
                    return stop.result  # type: ignore[attr-defined]
        finally:
            self._next.end(f"it has ended. {_HOW_LATER}")
            if self._results:
                self._kept(self._results)

    async def _until_taken_back(self, talk: Coroutine[Any, Any, Any]) -> _Outcome:
        """What came of one chat: its value, or its error, after which another one may be held all the same."""
        try:
            value = await a_drive(talk)
        except Exception as error:  # noqa: BLE001 - raised when nothing follows
            self._keep(error)
            return _Outcome(error=without_our_frames(error))
        self._keep(value)
        return _Outcome(value)

    def _keep(self, outcome: Any) -> None:
        found = outcome if isinstance(outcome, ChatResult) else getattr(outcome, "result", None)
        if isinstance(found, ChatResult):
            self._results.append(found)

    def _following(self) -> TakingBack | None:
        """What was asked of the chat that has just ended, unless somebody has ended it for good."""
        task = asyncio.current_task()
        with self._next.lock:
            can_go_on = bool(self._results) and not (task is not None and task.cancelling())
            if self._control.take_up() and can_go_on:
                return self._next.take()
            self._next.end(f"it was ended. {_HOW_LATER}")
        return None

    async def _go_on(self, move: TakingBack) -> ChatResult:
        move.begin()
        return await move.go_on(self._results[-1])

    def _ended(self, task: asyncio.Task[Any]) -> None:
        _under_way.discard(self)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(error)

    def when_ended(self, function: Callable[[], None]) -> None:
        """Call `function` on the event loop when it has ended, in whatever way. It must have been started."""
        assert self._task is not None
        self._task.add_done_callback(lambda _: function())

    def stop(self, reason: str = STOPPED) -> None:
        """End it in order, from any thread; what was said stays. One that has ended already stays as it is."""
        if not self.done():
            self._control.stop(reason)

    def pause(self) -> None:
        """Let it come to rest, from any thread, once what is under way has ended: a model's reply, code, a tool."""
        self._check_going_on("pause")
        self._control.pause()

    def resume(self) -> None:
        """Let a paused chat go on."""
        self._check_going_on("resume")
        self._control.resume()

    def step(self) -> None:
        """Let one more message be said, here or in a chat that is nested in it, and pause again."""
        self._check_going_on("step")
        self._control.step()

    def retry(self, *, fresh: bool = False) -> TakingBack:
        """Ask the same agent anew for the last reply of a model, from any thread, and go on from there in this same chat.

        A reply that comes in now is broken off and asked for anew, and so is code, a tool or a question that came of the
        last one. What it gives may be awaited, until the chat goes on so; a paused one stays paused. `fresh`
        passes a cache over. See `ChatResult.retry`.
        """
        self._check_going_on("retry")
        has_begun = self._control.is_held or self._results
        so_far = self.so_far if has_begun else None  # before, it would be an earlier chat of the two
        if so_far is None:
            raise ConfigurationError("Cannot retry: no model has replied in this chat. Wait for a reply.")
        so_far.check_retry()
        return self._take_back("retry", lambda result: result.a_retry(fresh=fresh))

    def edit(self, text: str) -> TakingBack:
        """Have the last message say this instead, from any thread, and go on from it in this same chat.

        What is under way comes to its end first, and becomes that last message: use `pause()` to edit what is there now.
        A question to a person is taken away. What it gives may be awaited. See `ChatResult.edit`.
        """
        self._check_going_on("edit")
        return self._take_back("edit", lambda result: result.a_edit(text), at_rest=True)

    def _take_back(self, action: str, go_on: GoOn, *, at_rest: bool = False) -> TakingBack:
        move = TakingBack(self, action, go_on, self._control)
        with self._next.lock:
            if self._next.is_over or self._control.is_stopped_for_good:
                state = "has ended" if self._next.is_over else "is being stopped"
                raise ConfigurationError(f"Cannot {action} in this chat: it {state}. {_HOW_LATER}")
            self._next.ask(move)  # first: breaking off may interrupt a function of the chat which has called us
            self._control.break_off(at_rest=at_rest)
        return move

    @property
    def is_paused(self) -> bool:
        """Whether it is paused; `await chat.rested()` waits until it has come to rest."""
        return self._control.is_paused and not self.done()

    async def rested(self) -> None:
        """Wait until a paused chat has come to rest, or has ended."""
        while not self.done() and not (self._control.is_waiting and self._control.must_wait):
            await asyncio.sleep(_LOOK)

    @property
    def so_far(self) -> ChatResult | None:
        """What was said up to now, from which a fork can be made; `None` before anything was."""
        return self.result or _so_far(*self._sides)

    def _check_going_on(self, action: str) -> None:
        if self._task is None or self._task.done():
            raise ConfigurationError(
                f"Cannot {action} this chat: it is {self._state}. "
                + ("Call start() first." if self._task is None else _HOW_LATER)
            )

    def cancel(self) -> bool:
        """Cancel its task, as `asyncio.Task.cancel` does; `stop` ends it in order."""
        return self._task is not None and self._task.cancel()

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._task is not None and self._task.done()

    @property
    def result(self) -> ChatResult | None:
        """What came of it; `None` while it goes on, and where it has failed before anything was said."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        error = self._task.exception()
        found = self._task.result() if error is None else getattr(error, "result", None)
        return found if isinstance(found, ChatResult) else None

    @property
    def error(self) -> BaseException | None:
        """With what it failed, if it did."""
        done = self._task is not None and self._task.done() and not self._task.cancelled()
        return self._task.exception() if done and self._task is not None else None

    def __await__(self) -> Generator[Any, None, ChatResult]:
        if self._task is None:
            raise ConfigurationError("Cannot await this chat: it has not been started. Call start() first.")
        waiting = asyncio.current_task()
        before = 0 if waiting is None else waiting.cancelling()
        __tracebackhide__ = True  # as in the methods of agents
        try:
            result: ChatResult = yield from self._task.__await__()
        except Exception as error:  # noqa: BLE001 - it is raised again
            raise without_our_frames(error)  # noqa: B904 - the error keeps its own cause
        if waiting is not None and waiting.cancelling() > before:  # which has gone on to the chat, and ended it
            raise ChatCancelled(result)
        return result


@dataclass(frozen=True)
class _Outcome:
    """What came of a chat: a value, or an error."""

    value: Any = None
    error: Exception | None = None

    def given(self) -> Any:
        """The value; raises the error."""
        if self.error is not None:
            raise self.error
        return self.value


class _Listeners:
    """Makes those who listen to a chat. What follows in the same handle is heard by the same ones, once they `are_kept`."""

    def __init__(self, make: Callable[..., list[Listener]]) -> None:
        self._make, self._made = make, list[Listener]()
        self.are_kept = False

    def __call__(self, **options: Any) -> list[Listener]:
        if not self.are_kept:
            self._made = self._make(**options)
        return self._made


def _so_far(initiator: Any, recipient: Any) -> ChatResult | None:
    """The chat between two agents that is under way, as far as it has come."""
    log = initiator.log_with(recipient)
    keys = (log.key_of(initiator), log.key_of(recipient)) if log is not None else ()
    begun = [
        one
        for one in (log or ())
        if isinstance(one.event, ChatStarted) and (one.event.initiator, one.event.recipient) == keys
    ]
    if log is None or not begun:
        return None
    return ChatResult(EndedBy.PAUSED, "it is still going on", log, begun[-1].event.chat, begun[-1].seq, len(log))


def _say_failed(error: BaseException) -> None:
    sys.stderr.write(f"The chat in the background has failed. {in_one_line(error)}\n")


def _beside_cells(session: Session) -> Session:
    """The same session for a chat beside which other cells run: they would run in the midst of a block that awaits."""
    find = session.find_executor
    if find is None:
        return session
    return replace(session, find_executor=lambda options: find({**options, "allow_await": False}))


def in_one_line(error: BaseException) -> str:
    """An error as one line; of an error that is not ours, with the place where it was raised."""
    place = place_of(error)
    text = " ".join(f"{described(error)}{place and ', in '}{place}".split())
    frames = [] if isinstance(error, JupyterAgentsError) else traceback.extract_tb(error.__traceback__)
    return f"{text} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else text


__all__ = ["Chat", "in_one_line"]
