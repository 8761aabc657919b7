"""The two drivers: they step a coroutine and perform the effects that it awaits.

`drive` does it synchronously, `a_drive` on the running event loop. What an effect of a conversation means (which
tape answers it, what is logged before and after) is written once, as coroutines that both drivers step.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import signal
import sys
import threading
import time
import types
import warnings
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jupyter_agents.budget import Ledger
from jupyter_agents.control import Control
from jupyter_agents.effects import Ask, CallTool, Complete, Effect, Emit, Execute, Pause, Step, Tell
from jupyter_agents.errors import INTERRUPTED, ConfigurationError, ModelError, NoHumanError
from jupyter_agents.events import (
    CodeFinished,
    CodeStarted,
    Delta,
    EventLog,
    HumanAnswered,
    HumanAsked,
    Listener,
    ModelAnswered,
    ModelAsked,
    ModelFailed,
    Notice,
    Waiting,
)
from jupyter_agents.executors.sink import OutputSink, use_sink
from jupyter_agents.executors.stopping import use_owner
from jupyter_agents.session import Session, current_session

if TYPE_CHECKING:
    from jupyter_agents.executors.base import ExecutionResult
    from jupyter_agents.human.base import Answer
    from jupyter_agents.journal.recording import Tape
    from jupyter_agents.models.base import ModelReply

T = TypeVar("T")

TICK = 0.2
"""Seconds between two wake-ups of an idle wait. A kernel notices an interrupt only when its loop wakes up."""


@dataclass
class RunState:
    """What changes about a run: whether its chat is over. A task that goes on after it begins chats of its own."""

    is_over: bool = False


@dataclass(frozen=True)
class Run:
    """What a driver works with: the log, the ledger, who listens, the tape, and which chat of the log this is.

    `pairs` are the pairs of agents (by `id`) whose chats are under way around this one, each with a token of its own.
    """

    log: EventLog = field(default_factory=EventLog)
    ledger: Ledger = field(default_factory=Ledger)
    listeners: tuple[Listener, ...] = ()
    session: Session = field(default_factory=current_session)
    tape: Tape | None = None
    chat: int = 0
    depth: int = 0
    pairs: Mapping[frozenset[int], object] = field(default_factory=dict)
    state: RunState = field(default_factory=RunState)
    control: Control = field(default_factory=Control)

    def output_sink(self) -> OutputSink | None:
        """Where code shows things, if a listener takes them; otherwise they go to the cell."""
        sinks = (listener.output_sink() for listener in self.listeners if hasattr(listener, "output_sink"))
        return next((sink for sink in sinks if sink is not None), None)

    def tell(self, what: Any) -> None:
        """Let every listener know. One that fails is warned about, and does not end the chat."""
        with self.control.undisturbed():
            for listener in self.listeners:
                try:
                    listener(what)
                except Exception as error:  # noqa: BLE001 - whatever a listener raises, the chat is not its business
                    warnings.warn(f"A listener failed: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=2)


current_run: ContextVar[Run | None] = ContextVar("jupyter_agents_run", default=None)


class ThisRun(Effect[Run]):
    """The run of the driver that performs this effect."""

    __slots__ = ()


class ThisTask(Effect["asyncio.Task[Any] | None"]):
    """The task in which an event loop's driver performs this effect; `None` under the synchronous one."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Within(Effect[T]):
    """The value of a coroutine that is driven under another run: a chat nested in this one, or a new root chat."""

    run: Run
    coroutine: Coroutine[Any, Any, T]


class ChatCancelled(asyncio.CancelledError):
    """An interrupt or a cancelled task ended a chat in order. `result` holds what was said."""

    def __init__(self, result: Any = None) -> None:
        super().__init__("chat interrupted")
        self.result = result

    def _render_traceback_(self) -> list[str]:
        """One quiet line instead of a traceback, in IPython."""
        return [INTERRUPTED]


def drive(coroutine: Coroutine[Any, Any, T], run: Run | None = None) -> T:
    """Step a coroutine to its end, performing its effects in this thread; its value.

    Without `run`, that of the driver which called us (through a tool or an override) is inherited.
    """
    with _driving(coroutine, run) as here:
        reply: Any = None
        error: BaseException | None = None
        while True:
            try:
                try:
                    wanted = coroutine.send(reply) if error is None else coroutine.throw(error)
                except StopIteration as end:
                    return cast(T, end.value)
                reply = error = None
                try:
                    reply = _perform(wanted, here)
                except BaseException as raised:  # noqa: BLE001 - the coroutine decides what an error or an interrupt means
                    error = _throwable(raised)
            except KeyboardInterrupt as interrupt:  # between two effects, unless the coroutine itself has raised it
                if inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED:
                    raise
                reply, error = None, interrupt


async def a_drive(coroutine: Coroutine[Any, Any, T], run: Run | None = None) -> T:
    """The same on the running event loop. Futures of the loop pass through untouched.

    An interrupt cancels: it is raised as `ChatCancelled`, since a `KeyboardInterrupt` that leaves a task ends the loop,
    and in a kernel the kernel with it.
    """
    loop = asyncio.get_running_loop()
    with _driving(coroutine, run) as here, _heartbeat(loop), _cancelling(loop):
        try:
            return await _steps(coroutine, here)
        except KeyboardInterrupt as stop:
            raise ChatCancelled(getattr(stop, "result", None)) from None
        except asyncio.CancelledError as stop:  # stays what it is: `asyncio.timeout` knows its own
            if getattr(stop, "result", None) is not None:
                stop._render_traceback_ = lambda: [INTERRUPTED]  # type: ignore[attr-defined]
            raise


@types.coroutine
def _steps(coroutine: Coroutine[Any, Any, T], run: Run) -> Generator[Any, Any, T]:
    reply, error = None, None
    while True:
        try:
            wanted = coroutine.send(reply) if error is None else coroutine.throw(error)
        except StopIteration as end:
            return cast(T, end.value)
        reply = error = None
        try:
            if isinstance(wanted, Effect):
                reply = yield from _a_perform(wanted, run).__await__()
            else:
                reply = yield wanted
        except GeneratorExit:
            raise
        except BaseException as raised:  # noqa: BLE001 - see drive()
            error = _throwable(raised)


@contextmanager
def _driving(coroutine: Coroutine[Any, Any, Any], run: Run | None) -> Iterator[Run]:
    here = run or current_run.get() or Run()
    token = current_run.set(here)
    try:
        yield here
    finally:
        try:
            coroutine.close()
        finally:
            current_run.reset(token)


@contextmanager
def _heartbeat(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Wake the loop every tick: ipykernel's interrupt handler schedules a callback, which does not wake it."""
    beating = True

    def beat() -> None:
        if beating:
            loop.call_later(TICK, beat)

    beat()
    try:
        yield
    finally:
        beating = False


_interruptible: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[asyncio.Task[Any]]] = (
    weakref.WeakKeyDictionary()
)
"""The tasks of a loop that an interrupt cancels, while our handler for it is there."""


@contextmanager
def _cancelling(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Let an interrupt cancel this task where it would be raised in the loop itself, as in a terminal's IPython.

    A kernel and `asyncio.run` have a handler of their own for it. Of several chats on a loop the first installs the
    handler, and the last takes it away.
    """
    task, tasks = asyncio.current_task(), _interruptible.setdefault(loop, [])
    if task is None or (not tasks and not _interrupts_are_raised()):
        yield
        return
    if not tasks:
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(lambda: [one.cancel() for one in tasks]))
    tasks.append(task)
    try:
        yield
    finally:
        tasks.remove(task)
        if not tasks:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupts_are_raised() -> bool:
    """Whether an interrupt is a `KeyboardInterrupt` wherever this thread is: no kernel and no `asyncio.run` sees to it."""
    app = sys.modules.get("ipykernel.kernelapp")
    is_kernel = app is not None and app.IPKernelApp.initialized()
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and not is_kernel and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _throwable(error: BaseException) -> BaseException:
    if not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError("a callback raised StopIteration")
    wrapped.__cause__ = error
    return wrapped


# -- Performing an effect ---------------------------------------------------------------------------------------


def _perform(effect: Any, run: Run) -> Any:
    _check_stopped(effect, run)
    if isinstance(effect, Step):
        return effect.perform()
    if isinstance(effect, CallTool):
        return _call(effect)
    if isinstance(effect, Pause):
        return time.sleep(max(effect.seconds, 0))
    if isinstance(effect, Within):
        return drive(effect.coroutine, effect.run)
    operation = _OPERATIONS.get(type(effect))
    if operation is not None:
        return drive(operation(effect, run), run)
    return _at_once(effect, run)


async def _a_perform(effect: Any, run: Run) -> Any:
    _check_stopped(effect, run)
    if isinstance(effect, Step):
        return await effect.a_perform()
    if isinstance(effect, CallTool):
        return await _a_call(effect, run)
    if isinstance(effect, ThisTask):
        return asyncio.current_task()
    if isinstance(effect, Pause):
        return await asyncio.sleep(effect.seconds)
    if isinstance(effect, Within):
        with _driving(effect.coroutine, effect.run):
            return await _steps(effect.coroutine, effect.run)
    operation = _OPERATIONS.get(type(effect))
    if operation is not None:
        return await _steps(operation(effect, run), run)
    return _at_once(effect, run)


def _check_stopped(effect: Any, run: Run) -> None:
    """Begin nothing more in a chat that a person has stopped, whoever has swallowed the interrupt."""
    if run.control.is_stopping and run.control.is_held and not isinstance(effect, _PASSING):
        raise KeyboardInterrupt


def _at_once(effect: Any, run: Run) -> Any:
    if isinstance(effect, Emit):
        return run.tell(run.log.append(effect.event))
    if isinstance(effect, Tell):
        return run.tell(effect.notice) if run.listeners else None
    if isinstance(effect, ThisRun):
        return run
    if isinstance(effect, ThisTask):
        return None
    raise TypeError(
        f"Cannot await {effect!r} in a synchronous call: it belongs to an event loop. "
        "Use the `a_` method and `await` it, or make the callback an async function."
    )


def _call(effect: CallTool) -> Any:
    value = effect.function(*effect.args, **effect.kwargs)
    return _await_elsewhere(value) if inspect.isawaitable(value) else value


async def _a_call(effect: CallTool, run: Run) -> Any:
    try:
        value = _call_interruptibly(effect, run.control)
    except StopIteration as end:  # here, and not by this coroutine in words of its own: a model may read them
        raise _throwable(end) from end
    return await value if inspect.isawaitable(value) else value


def _call_interruptibly(effect: CallTool, control: Control) -> Any:
    """Call a function from the loop so that an interrupt reaches it while it runs."""
    function = effect.a_function or effect.function
    with control.interruptible():
        return function(*effect.args, **effect.kwargs)


# -- What the effects of a conversation mean --------------------------------------------------------------------


async def _complete(effect: Complete, run: Run) -> ModelReply:
    run.ledger.reserve_model_call()
    await Emit(ModelAsked(run.chat, effect.agent, len(effect.request.messages)))
    started = time.monotonic()
    run = _with_tape(run)
    reply = run.tape and run.tape.replay(effect, chat=run.chat, agent=effect.agent)
    if not reply:
        reply = await _ask_model(effect, run)
    run.ledger.spend(reply.usage)
    seconds = time.monotonic() - started
    await Emit(
        ModelAnswered(run.chat, effect.agent, reply.finish_reason, reply.usage, reply.model, reply.replayed, seconds)
    )
    return reply


def _with_tape(run: Run) -> Run:
    """A run with the tape of the session, where a single reply is asked for outside any chat."""
    if run.depth or run.tape is not None:
        return run
    recording = run.session.find_recording()
    return run if recording is None else replace(run, tape=recording.conversation())


async def _ask_model(effect: Complete, run: Run) -> ModelReply:
    said: list[str] = []
    speaking = replace(run, listeners=(_Attributed(effect.agent, run, said),))
    try:
        reply = await Within(speaking, effect.model.complete(effect.request))
    except ModelError as error:
        partial = getattr(getattr(error, "partial", None), "content", None) or ""
        await Emit(ModelFailed(run.chat, effect.agent, str(error), partial))
        raise
    except (KeyboardInterrupt, asyncio.CancelledError):
        await Emit(ModelFailed(run.chat, effect.agent, "interrupted", "".join(said)))
        raise
    if run.tape:
        run.tape.record(effect, reply, chat=run.chat, agent=effect.agent)
        if not run.depth:
            run.tape.close()
    return reply


@dataclass(frozen=True, slots=True)
class _Attributed:
    """A listener that says whose words a notice holds: a model does not know who speaks. What was `said` it keeps."""

    agent: str
    run: Run
    said: list[str]

    def __call__(self, what: Any) -> None:
        if isinstance(what, Delta):
            self.said.append(what.text)
        elif isinstance(what, Waiting):  # another try begins anew
            self.said.clear()
        self.run.tell(replace(what, agent=self.agent) if isinstance(what, Delta | Waiting) else what)


async def _ask(effect: Ask, run: Run) -> Answer:
    await Emit(HumanAsked(run.chat, effect.agent, effect.prompt.to_json()))
    answer = run.tape and run.tape.replay(effect, chat=run.chat, agent=effect.agent)
    if not answer:
        human = run.session.find_human() if effect.human is None else effect.human
        if human is None:
            raise NoHumanError(
                f"Cannot ask for human input: nobody is there to answer {effect.agent!r}. "
                "Use human_input_mode='NEVER' or pass human=ScriptedHuman([...])."
            )
        answer = await human.ask(effect.prompt)
        if run.tape:
            run.tape.record(effect, answer, chat=run.chat, agent=effect.agent)
    await Emit(HumanAnswered(run.chat, effect.agent, answer.action, answer.text, answer.replayed))
    return answer


async def _execute(effect: Execute, run: Run) -> ExecutionResult:
    await Emit(CodeStarted(run.chat, effect.agent, effect.block.language, effect.block.code))
    with use_sink(run.output_sink()), use_owner(run.control):
        result = await effect.executor.execute(effect.block)
    await Emit(_finished(effect, run, result))
    return result


def _finished(effect: Execute, run: Run, result: ExecutionResult) -> CodeFinished:
    changes = None if result.changes is None else result.changes.to_json()
    return CodeFinished(
        run.chat,
        effect.agent,
        result.exit_code,
        result.status,
        result.text,
        len(result.outputs),
        result.seconds,
        changes,
        result.block_id,
    )


_PASSING = (Emit, Tell, ThisRun, ThisTask, Within)
"""Effects that begin nothing: a chat that is being stopped needs them to end in order."""

_OPERATIONS: dict[type[Any], Callable[[Any, Run], Coroutine[Any, Any, Any]]] = {
    Complete: _complete,
    Ask: _ask,
    Execute: _execute,
}


# -- Async callbacks under the synchronous driver ----------------------------------------------------------------


def _await_elsewhere(awaitable: Awaitable[T]) -> T:
    """The value of an async callback, awaited on a private loop: the loop of this thread may be running already.

    The callback sees the caller's context variables. What is bound to the caller's loop cannot be awaited there.
    """
    outcome: Future[T] = Future()
    task: asyncio.Task[None] | None = None

    async def awaited() -> None:
        try:
            outcome.set_result(await awaitable)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread; here it would end the loop
            outcome.set_exception(error)

    def begin() -> None:
        nonlocal task
        task = loop.create_task(awaited(), context=context)

    depth = _depth_of_this_thread() + 1
    loop, context = _private_thread(depth).loop, contextvars.copy_context()
    try:
        loop.call_soon_threadsafe(begin)
        while not outcome.done():
            wait([outcome], TICK)
    except BaseException:
        loop.call_soon_threadsafe(lambda: task and task.cancel())
        _stop_blocks(depth)
        wait([outcome], TICK)  # for the end of what is being stopped, but not long
        raise
    try:
        return outcome.result()
    except ChatCancelled as stop:  # a chat of the callback was interrupted
        raise KeyboardInterrupt from stop
    except RuntimeError as error:
        if "different loop" not in str(error) and "different event loop" not in str(error):
            raise
        raise ConfigurationError(
            "Cannot await an object of this notebook's event loop in a synchronous call. "
            "Use the `a_` method instead, with `await` (for example `await agent.a_initiate_chat(…)`)."
        ) from error


class _LoopThread(threading.Thread):
    """The thread of a private loop. A callback there that starts a chat of its own awaits callbacks on the next one."""

    def __init__(self, depth: int) -> None:
        super().__init__(name=f"jupyter-agents-callbacks-{depth}", daemon=True)
        self.depth = depth
        self.loop = asyncio.new_event_loop()

    def run(self) -> None:
        self.loop.run_forever()


def _depth_of_this_thread() -> int:
    thread = threading.current_thread()
    return thread.depth if isinstance(thread, _LoopThread) else 0


@cache
def _private_thread(depth: int) -> _LoopThread:
    thread = _LoopThread(depth)
    thread.start()
    return thread


def _stop_blocks(depth: int) -> None:
    """Stop the code that chats of callbacks run, in the private thread of this depth and those below it."""
    from jupyter_agents.executors.stopping import stop_running_block

    for thread in threading.enumerate():
        if isinstance(thread, _LoopThread) and thread.depth >= depth and thread.ident is not None:
            stop_running_block(thread.ident)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_private_thread.cache_clear)  # the threads of the loops stay with the parent


__all__ = ["TICK", "Notice", "Run", "ThisRun", "Within", "a_drive", "current_run", "drive"]
