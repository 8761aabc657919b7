"""The two drivers: they step a coroutine and perform the effects that it awaits.

`drive` does it synchronously, `a_drive` on the running event loop. What an effect of a conversation means (which
tape answers it, what is logged before and after) is written once, as coroutines that both drivers step.
"""

from __future__ import annotations

import asyncio
import inspect
import time
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jupyter_agents.culprits import raised_anew, was_in
from jupyter_agents.effects import Ask, CallTool, Complete, Effect, Emit, Execute, Hold, Pause, Step, Tell, Together
from jupyter_agents.errors import INTERRUPTED, ModelError, NoHumanError
from jupyter_agents.events import (
    CodeFinished,
    CodeStarted,
    Delta,
    HumanAnswered,
    HumanAsked,
    MessageSent,
    ModelAnswered,
    ModelAsked,
    ModelFailed,
    Noted,
    Paused,
    Remark,
    ReplyDropped,
    Retracted,
    Waiting,
)
from jupyter_agents.executors.sink import use_sink
from jupyter_agents.executors.stopping import use_owner
from jupyter_agents.interrupts import TICK, ChatCancelled, cancelling, heartbeat
from jupyter_agents.known_secrets import hide
from jupyter_agents.observers import tell_answer
from jupyter_agents.private_loop import await_elsewhere
from jupyter_agents.run import Run, RunState, ThisRun, ThisTask, Within, current_run
from jupyter_agents.together import at_the_same_time, take_turns, throwable

if TYPE_CHECKING:
    from jupyter_agents.control import Control
    from jupyter_agents.executors.base import ExecutionResult
    from jupyter_agents.human.base import Answer
    from jupyter_agents.models.base import ModelReply

T = TypeVar("T")


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
                    reply = _at_once(wanted, here) if type(wanted) in _INSTANT else _perform(wanted, here)
                except BaseException as raised:  # noqa: BLE001 - the coroutine decides what an error or an interrupt means
                    error = throwable(raised)
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
    with _driving(coroutine, run) as here, heartbeat(loop), cancelling(loop):
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
            if type(wanted) in _INSTANT:
                reply = _at_once(wanted, run)
            elif isinstance(wanted, Effect):
                reply = yield from _a_perform(wanted, run).__await__()
            else:
                reply = yield wanted
        except GeneratorExit:
            raise
        except BaseException as raised:  # noqa: BLE001 - see drive()
            error = throwable(raised)


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


# -- Performing an effect ---------------------------------------------------------------------------------------


def _perform(effect: Any, run: Run) -> Any:
    if isinstance(effect, Step):
        _check_stopping(run)
        return effect.perform()
    _check_stopped(effect, run)
    if run.control.must_wait and isinstance(effect, _HELD):
        drive(_rest(effect, run), run)
        _check_stopped(effect, run)
    if isinstance(effect, CallTool):
        return _call(effect)
    if isinstance(effect, Pause):
        return time.sleep(max(effect.seconds, 0))
    if isinstance(effect, Within):
        return drive(effect.coroutine, effect.run)
    if isinstance(effect, Together):
        return take_turns(effect.coroutines, lambda wanted: _perform(wanted, run))
    operation = _OPERATIONS.get(type(effect))
    if operation is not None:
        return drive(operation(effect, run), run)
    return _at_once(effect, run)


async def _a_perform(effect: Any, run: Run) -> Any:
    if isinstance(effect, Step):
        _check_stopping(run)
        return await effect.a_perform()
    _check_stopped(effect, run)
    if run.control.must_wait and isinstance(effect, _HELD):
        await _steps(_rest(effect, run), run)
        _check_stopped(effect, run)
    if isinstance(effect, CallTool):
        return await _a_call(effect, run)
    if isinstance(effect, ThisTask):
        return asyncio.current_task()
    if isinstance(effect, Pause):
        return await asyncio.sleep(effect.seconds)
    if isinstance(effect, Within):
        with _driving(effect.coroutine, effect.run):
            return await _steps(effect.coroutine, effect.run)
    if isinstance(effect, Together):
        return await _all_at_once(effect, run)
    operation = _OPERATIONS.get(type(effect))
    if operation is not None:
        return await _steps(operation(effect, run), run)
    return _at_once(effect, run)


async def _all_at_once(effect: Together, run: Run) -> list[Any]:
    try:
        with run.control.parted(len(effect.coroutines)) as end_one:
            return await at_the_same_time([_strand(one, run, end_one) for one in effect.coroutines])
    finally:
        for one in effect.coroutines:  # a task that is cancelled before it began leaves its coroutine as it was
            one.close()


async def _strand(coroutine: Coroutine[Any, Any, Any], run: Run, then: Callable[[], None]) -> Any:
    try:
        return await _steps(coroutine, run)
    finally:
        then()


def _check_stopped(effect: Any, run: Run) -> None:
    """Begin nothing more in a chat that a person has stopped, whoever has swallowed the interrupt."""
    if isinstance(effect, _HELD):
        run.control.reach_rest()
    if not isinstance(effect, _PASSING):
        _check_stopping(run)


def _check_stopping(run: Run) -> None:
    if run.control.is_stopping and run.control.is_held:
        raise KeyboardInterrupt


async def _rest(before: Any, run: Run) -> None:
    """Wait in ticks, so that a stop and an interrupt are noticed."""
    await Tell(_paused(before, run))
    with run.control.waiting():
        while run.control.must_wait:
            await Pause(TICK)
    await Tell(Paused(run.chat, is_paused=False))


def _paused(before: Any, run: Run) -> Paused:
    """That a chat rests before an effect. What a model is asked aside is said by nobody."""
    if isinstance(before, Hold):
        return Paused(run.chat, True, before.agent, before.what)
    if isinstance(before, Execute):
        return Paused(run.chat, True, before.agent, "code")
    if isinstance(before, Ask):
        return Paused(run.chat, True, before.agent, "person")
    if isinstance(before, Complete) and not before.aside:
        return Paused(run.chat, True, before.agent, "reply")
    return Paused(run.chat, True)


def _at_once(effect: Any, run: Run) -> Any:
    if isinstance(effect, Emit):
        if isinstance(effect.event, MessageSent):
            run.control.count_turn()
        return run.tell(run.log.append(effect.event))
    if isinstance(effect, Hold):
        return None
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
    return await_elsewhere(value) if inspect.isawaitable(value) else value


async def _a_call(effect: CallTool, run: Run) -> Any:
    try:
        value = _call_interruptibly(effect, run.control)
    except StopIteration as end:  # here, and not by this coroutine in words of its own: a model may read them
        raise throwable(end) from end
    return await value if inspect.isawaitable(value) else value


def _call_interruptibly(effect: CallTool, control: Control) -> Any:
    """Call a function from the loop so that an interrupt reaches it while it runs.

    Its errors do not pass through the block, which would set their traceback: an error may be closed to that.
    """
    function, failed = effect.a_function or effect.function, list[Exception]()
    with control.interruptible():
        try:
            return function(*effect.args, **effect.kwargs)
        except Exception as error:  # noqa: BLE001 - it is raised again
            failed.append(error)
    raise failed.pop()


# -- What the effects of a conversation mean --------------------------------------------------------------------


async def _complete(effect: Complete, run: Run) -> ModelReply:
    run.ledger.reserve_model_call()
    if not run.ledger.limits_money:
        return await _answered(effect, run)
    from jupyter_agents.models.pricing import expected_cost

    with run.ledger.holding(expected_cost(effect.model, effect.request) or 0.0):
        return await _answered(effect, run)


async def _answered(effect: Complete, run: Run) -> ModelReply:
    await Emit(ModelAsked(run.chat, effect.agent, len(effect.request.messages), effect.aside))
    started = time.monotonic()
    run = _with_tape(run)
    reply = run.tape and run.tape.replay(effect, chat=run.chat, agent=effect.agent)
    if not reply:
        reply = await _ask_model(effect, run)
    tell_answer(run.log, run.chat, effect, reply)
    _spend(run, effect.agent, reply, is_paid=not (reply.replayed or reply.cached))
    seconds = time.monotonic() - started
    await Emit(
        ModelAnswered(
            run.chat,
            effect.agent,
            reply.finish_reason,
            reply.usage,
            reply.model,
            reply.replayed,
            seconds,
            reply.cached,
            reply.cost,
        )
    )
    return reply


def _spend(run: Run, agent: str, took: ModelReply | ModelFailed | Retracted, *, is_paid: bool = True) -> None:
    """Have the ledger, and the agent, know what a call took. What is replayed counts as it did; a cache costs nothing."""
    if is_paid or not getattr(took, "cached", False):
        run.ledger.spend(took.usage, took.model, took.cost)
    summary = getattr(run.log.agent_of(agent), "usage_summary", None)
    if summary is not None:
        summary.add(took.model, took.usage, took.cost, is_paid=is_paid)


async def _of(found: Coroutine[Any, Any, T], role: str, whose: Any, agent: str) -> T:
    """What somebody gives who may be of a class of the user's: an error of theirs says so."""
    try:
        return await found
    except Exception as error:
        was_in(error, role, whose, agent)
        raise


def _with_tape(run: Run) -> Run:
    """A run with the tape of the session, where a single reply is asked for outside any chat."""
    if run.depth or run.tape is not None:
        return run
    recording = run.session.find_recording()
    return run if recording is None else replace(run, tape=recording.conversation())


async def _ask_model(effect: Complete, run: Run) -> ModelReply:
    said: list[str] = []
    started = time.monotonic()
    if run.ledger.needs_prices:
        _check_price(effect)
    speaking = replace(run, listeners=(_Attributed(effect.agent, run, said, bool(effect.aside)),), passes_on=True)
    try:
        reply = (await Within(speaking, _asked(effect, run))).without_secrets()
    except ModelError as error:
        raised_anew(error)
        seconds = time.monotonic() - started
        tell_answer(run.log, run.chat, effect, error)
        failure = _failure(run.chat, effect.agent, error, seconds)
        if failure.usage is not None:
            _spend(run, effect.agent, failure)
        await Emit(failure)
        run.ledger.check_time()  # a reply that took all that was left ends the chat, and is no failure
        raise
    except Exception as error:
        was_in(error, "the model", effect.model, effect.agent)
        raise
    except (KeyboardInterrupt, asyncio.CancelledError):
        seconds = time.monotonic() - started
        await Emit(ModelFailed(run.chat, effect.agent, "interrupted", "".join(said), seconds))
        raise
    if run.tape:
        run.tape.record(effect, reply, chat=run.chat, agent=effect.agent)
        if not run.depth:
            run.tape.close()
    return reply


def _asked(effect: Complete, run: Run) -> Coroutine[Any, Any, ModelReply]:
    """The question to the model, with the cache of the chat. What is to be said anew is not looked up there."""
    model, request = effect.model, effect.request
    if run.cache is not None:
        from jupyter_agents.models.cached import with_cache

        model = with_cache(model, run.cache)
    if run.state.is_fresh and not effect.aside:
        run.state.is_fresh = False
        request = replace(request, fresh=True)
    left = run.ledger.seconds_left
    if left is not None:
        deadline = time.monotonic() + left
        request = replace(request, deadline=min(deadline, request.deadline or deadline))
    return model.complete(request)


def _check_price(effect: Complete) -> None:
    """Refuse to spend what nobody knows, before it is spent."""
    from jupyter_agents.models.pricing import check_priced

    check_priced(effect.model, effect.request, effect.agent)


def _failure(chat: int, agent: str, error: ModelError, seconds: float) -> ModelFailed:
    """What is known of a reply that failed."""
    partial = error.partial
    text, usage, model, cost = (getattr(partial, name, None) for name in ("content", "usage", "model", "cost"))
    return ModelFailed(chat, agent, str(error), text or "", seconds, usage, model, cost)


@dataclass(frozen=True, slots=True)
class _Attributed:
    """A listener that says whose words a notice holds: a model does not know who speaks. What was `said` it keeps.

    Words that a model says aside are nobody's, and are not passed on.
    """

    agent: str
    run: Run
    said: list[str]
    is_aside: bool = False

    def __call__(self, what: Any) -> None:
        if isinstance(what, Delta):
            self.said.append(what.text)
            if self.run.listeners and not self.is_aside:
                self.run.tell(Delta(what.text, self.agent))
            return
        if isinstance(what, Retracted):
            self._take_back(what)
            return
        if isinstance(what, Remark):
            self._note(what)
            return
        if isinstance(what, Waiting):  # another try begins anew
            self.said.clear()
            what = replace(what, agent=self.agent)
        self.run.tell(what)

    def _note(self, what: Remark) -> None:
        if not any(event.text == what.text for event in self.run.log.select(Noted)):  # type: ignore[attr-defined]
            self.run.tell(self.run.log.append(Noted(self.run.chat, what.text, self.agent, "warning")))

    def _take_back(self, what: Retracted) -> None:
        """The log and the ledger keep what the page is to lose: it was said, and it was paid for."""
        said = hide(what.text or "".join(self.said))
        self.said.clear()
        _spend(self.run, self.agent, what)
        event = ReplyDropped(self.run.chat, self.agent, hide(what.reason), said, what.usage, what.model, what.cost)
        self.run.tell(self.run.log.append(event))
        if self.run.listeners and not self.is_aside:
            self.run.tell(replace(what, agent=self.agent))


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
        with run.control.asking():
            answer = await _of(human.ask(effect.prompt), "the human input", human, effect.agent)
        if run.tape:
            run.tape.record(effect, answer, chat=run.chat, agent=effect.agent)
    await Emit(HumanAnswered(run.chat, effect.agent, answer.action, answer.text, answer.replayed))
    return answer


async def _execute(effect: Execute, run: Run) -> ExecutionResult:
    run.ledger.reserve_output()
    await Emit(CodeStarted(run.chat, effect.agent, effect.block.language, effect.block.code))
    try:
        with use_sink(run.output_sink()), use_owner(run.control):
            running = effect.executor.execute(effect.block)
            result = await _of(running, "the executor", effect.executor, effect.agent)
        if (hidden := hide(result.text)) != result.text:
            result = replace(result, text=hidden)
    except (KeyboardInterrupt, asyncio.CancelledError) as stop:  # the log keeps what had come of it by then
        await Emit(_finished(effect, run, _broken_off(stop)))
        raise
    run.ledger.spend_output(result.size)
    await Emit(_finished(effect, run, result))
    return result


def _broken_off(stop: BaseException) -> ExecutionResult:
    """What is known of a block that has ended with its chat."""
    from jupyter_agents.executors.base import CANCELLED, INTERRUPTED, ExecutionResult

    status: Any = INTERRUPTED if isinstance(stop, KeyboardInterrupt) else CANCELLED
    partial = getattr(stop, "partial", None)
    known = partial if isinstance(partial, ExecutionResult) else ExecutionResult(0)
    return replace(known, exit_code=known.exit_code or 130, status=status)


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


_HELD = (Complete, Ask, Execute, Hold)
"""Effects before which a paused chat rests."""

_INSTANT = frozenset({Emit, Tell, ThisRun})
"""Effects that begin nothing and wait for nothing. Words of a model come by the thousand."""

_PASSING = (Emit, Tell, ThisRun, ThisTask, Within, Together)
"""Effects that begin nothing: a chat that is being stopped needs them to end in order."""

_OPERATIONS: dict[type[Any], Callable[[Any, Run], Coroutine[Any, Any, Any]]] = {
    Complete: _complete,
    Ask: _ask,
    Execute: _execute,
}


__all__ = [
    "TICK",
    "ChatCancelled",
    "Run",
    "RunState",
    "ThisRun",
    "ThisTask",
    "Within",
    "a_drive",
    "current_run",
    "drive",
]
