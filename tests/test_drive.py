"""The two drivers: every effect performed, every error thrown in at its place, the same in either world."""

import _thread
import asyncio
import contextvars
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.budget import Budget, BudgetSpent, Ledger
from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.drive import ChatCancelled, Run, ThisRun, Within, a_drive, current_run, drive
from jupyter_agents.effects import Ask, CallTool, Complete, Effect, Emit, Execute, Pause, Step, Tell
from jupyter_agents.errors import ConfigurationError, ModelUnavailableError, NoHumanError, ReplyInterruptedError
from jupyter_agents.events import Delta, Noted, Waiting
from jupyter_agents.executors.base import ExecutionResult
from jupyter_agents.human.base import Answer, Prompt
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.session import Session
from tests.drivers import async_driver, both_drivers, sync_driver


@dataclass(frozen=True, slots=True)
class Say(Step[str]):
    """A step that says by which face it was performed."""

    word: str

    def perform(self):
        return f"{self.word}, blocking"

    async def a_perform(self):
        await asyncio.sleep(0)
        return f"{self.word}, awaited"


@dataclass(frozen=True, slots=True)
class Fail(Step[None]):
    """A step that fails, in either face."""

    error: BaseException

    def perform(self):
        raise self.error


async def give(value):
    await asyncio.sleep(0)
    return value


async def this_run():
    return await ThisRun()


def chat_of(driver, *effects, run=None):
    """The outcomes of effects, driven one after the other."""

    async def core():
        return [await effect for effect in effects]

    return driver(core, run)


# -- Outcomes ----------------------------------------------------------------------------------------------------


@both_drivers
def test_value_is_that_of_the_coroutine_when_it_awaits_nothing(driver):
    assert chat_of(driver) == []


@pytest.mark.parametrize(("driver", "said"), [(sync_driver, "hi, blocking"), (async_driver, "hi, awaited")])
def test_step_is_performed_by_the_face_of_the_driver(driver, said):
    assert chat_of(driver, Say("hi")) == [said]


def test_step_is_performed_in_its_one_way_when_it_has_no_other():
    class Blocking(Step[str]):
        def perform(self):
            return "performed"

    assert chat_of(async_driver, Blocking()) == ["performed"]


@both_drivers
def test_step_without_a_way_to_perform_it_is_an_error_that_says_so(driver):
    class Nothing(Step[str]):
        pass

    with pytest.raises(TypeError, match=r"Nothing does not say how it is performed; define perform\(\)"):
        chat_of(driver, Nothing())


@both_drivers
@pytest.mark.parametrize("function", [lambda *args, **kwargs: (args, kwargs), lambda *a, **k: give((a, k))])
def test_function_is_called_with_its_arguments_and_awaited_when_it_is_async(driver, function):
    assert chat_of(driver, CallTool(function, (1, 2), {"c": 3})) == [((1, 2), {"c": 3})]


@pytest.mark.parametrize(("driver", "expected"), [(sync_driver, "plain"), (async_driver, "awaited")])
def test_driver_takes_its_own_function_when_there_are_two(driver, expected):
    effect = CallTool(lambda: "plain", a_function=lambda: give("awaited"))

    assert chat_of(driver, effect) == [expected]


@both_drivers
@pytest.mark.parametrize(("seconds", "at_least"), [(0.02, 0.02), (0, 0), (-1, 0)])
def test_pause_takes_its_time_and_gives_nothing(driver, seconds, at_least):
    start = time.monotonic()

    assert chat_of(driver, Pause(seconds)) == [None]

    assert at_least <= time.monotonic() - start < at_least + 5


@both_drivers
def test_twenty_thousand_effects_need_no_recursion(driver):
    async def core():
        total = 0
        for number in range(20_000):
            total += await CallTool(lambda number=number: number)
        return total

    assert driver(core) == sum(range(20_000))


@both_drivers
def test_unknown_effect_is_an_error_in_the_coroutine(driver):
    with pytest.raises(TypeError, match="Cannot await"):
        chat_of(driver, Effect())


# -- Errors are thrown in where the effect is awaited --------------------------------------------------------------


def raiser(error):
    def function():
        raise error

    return function


def a_raiser(error):
    async def function():
        raise error

    return function


FAILING = {
    "step": Fail,
    "function": lambda error: CallTool(raiser(error)),
    "async function": lambda error: CallTool(a_raiser(error)),
}


@both_drivers
@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
@pytest.mark.parametrize("kind", [ValueError, TimeoutError, KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_coroutine_can_mend_whatever_a_performer_raises(driver, failing, kind):
    error = kind("wrong")

    async def core():
        try:
            await failing(error)
        except BaseException as raised:  # noqa: BLE001 - an interrupt can be mended too
            return raised, await Say("still here")

    raised, said = driver(core)

    assert raised is error
    assert said.startswith("still here")


@both_drivers
@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_error_comes_out_when_the_coroutine_does_not_mend_it(driver, failing, kind):
    error, closed = kind("wrong"), []

    async def core():
        try:
            await failing(error)
        finally:
            closed.append(True)

    is_cancelled = kind is KeyboardInterrupt and driver is async_driver  # one that left a task would end the loop
    with pytest.raises(ChatCancelled if is_cancelled else kind) as raised:
        driver(core)

    assert is_cancelled or raised.value is error
    assert closed == [True]


@both_drivers
@pytest.mark.parametrize("failing", FAILING.values(), ids=FAILING)
def test_stop_iteration_of_a_performer_is_an_error_and_ends_no_loop(driver, failing):
    async def core():
        with pytest.raises(RuntimeError, match="raised StopIteration") as raised:
            await failing(StopIteration("value"))
        return raised.value

    error = driver(core)

    assert isinstance(error.__cause__, StopIteration)


@both_drivers
def test_failed_effect_leaves_nothing_behind_for_the_next(driver):
    async def core():
        found = []
        for effect in (CallTool(lambda: 1), Fail(ValueError()), CallTool(lambda: None), Fail(ValueError()), Pause(0)):
            try:
                found.append(await effect)
            except ValueError:
                found.append("failed")
        return found

    assert driver(core) == [1, "failed", None, "failed", None]


# -- The loop's own futures --------------------------------------------------------------------------------------


async def test_future_reaches_the_task_untouched_when_the_loop_drives():
    future = asyncio.get_running_loop().create_future()

    async def core():
        return await future

    driving = a_drive(core())
    yielded = driving.send(None)
    future.set_result("done")

    assert yielded is future
    with pytest.raises(StopIteration) as end:
        driving.send(None)
    assert end.value.value == "done"


async def test_everything_of_asyncio_works_between_effects_when_the_loop_drives():
    event, queue = asyncio.Event(), asyncio.Queue()

    async def core():
        first = await asyncio.gather(give(1), give(2))
        async with asyncio.timeout(5):
            await event.wait()
        await Say("between")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)
        return first, await queue.get()

    task = asyncio.create_task(a_drive(core()))
    asyncio.get_running_loop().call_soon(event.set)
    queue.put_nowait("item")

    assert await task == ([1, 2], "item")


@pytest.mark.parametrize("waits", [lambda: asyncio.Event().wait(), lambda: Pause(600), lambda: CallTool(stall)])
async def test_cancellation_is_thrown_in_where_the_coroutine_waits(waits):
    waiting, seen = asyncio.Event(), []

    async def core():
        waiting.set()
        try:
            await waits()
        except asyncio.CancelledError:
            seen.append(await Say("cleaning up"))
            raise

    task = asyncio.create_task(a_drive(core()))
    await waiting.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cleaning up, awaited"]


async def stall():
    await asyncio.Event().wait()


def test_future_is_a_clear_error_when_there_is_no_loop_to_wait_on():
    async def core():
        with pytest.raises(TypeError, match="it belongs to an event loop. Use the `a_` method and `await` it"):
            await asyncio.sleep(0)
        return "went on"

    assert drive(core()) == "went on"


async def test_future_of_the_running_loop_is_a_clear_error_in_a_synchronous_call():
    async def core():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(TypeError, match="Cannot await <Future pending> in a synchronous call"):
        drive(core())


# -- Coroutines are closed ---------------------------------------------------------------------------------------


async def test_coroutine_is_closed_and_its_run_forgotten_when_the_driver_is_dropped():
    closed, run = [], Run()

    async def inner():
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(current_run.get())

    async def core():
        await Within(run, inner())

    driving = a_drive(core())
    driving.send(None)
    driving.close()

    assert closed == [run]
    assert current_run.get() is None


@both_drivers
def test_coroutine_cannot_be_driven_twice(driver):
    coroutine = this_run()
    driver(lambda: coroutine)

    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        driver(lambda: coroutine)


def test_run_is_forgotten_when_the_coroutine_refuses_to_close():
    async def core():
        try:
            await asyncio.Event().wait()
        except GeneratorExit:
            await Pause(0)  # once: it closes when it is dropped

    async def main():
        driving = a_drive(core())
        driving.send(None)
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            driving.close()
        return current_run.get()

    assert asyncio.run(main()) is None


# -- The run, and what is nested in it ---------------------------------------------------------------------------


@both_drivers
def test_run_is_the_one_that_was_given_and_a_new_one_when_none_was(driver):
    run = Run()

    assert driver(this_run, run) is run
    assert driver(this_run) is not driver(this_run)
    assert current_run.get() is None


@both_drivers
@pytest.mark.parametrize(
    "calls", [CallTool, lambda function: CallTool(lambda: later(function))], ids=["plain", "async"]
)
def test_synchronous_call_in_a_callback_inherits_the_run(driver, calls):
    run = Run()

    def callback():
        drive(say_so())
        return drive(this_run())

    async def say_so():
        await Emit(Noted(0, "nested"))

    outcomes = chat_of(driver, ThisRun(), calls(callback), ThisRun(), run=run)

    assert all(found is run for found in outcomes)
    assert run.log.select(Noted) == [Noted(0, "nested")]


async def later(function):
    await asyncio.sleep(0)
    return function()


async def test_awaited_call_in_a_callback_inherits_the_run():
    run = Run()

    async def core():
        return await CallTool(lambda: a_drive(this_run()))

    assert await a_drive(core(), run) is run


@both_drivers
def test_callback_may_drive_under_a_run_of_its_own(driver):
    run, own = Run(), Run()

    outcomes = chat_of(driver, CallTool(lambda: drive(this_run(), own)), ThisRun(), run=run)

    assert outcomes[0] is own
    assert outcomes[1] is run


@both_drivers
def test_coroutine_is_driven_under_another_run_within_this_one(driver):
    outer, inner, seen = Run(), Run(), []

    async def nested():
        seen.append(current_run.get())
        await Emit(Noted(0, "inside"))
        return await ThisRun()

    outcomes = chat_of(driver, Within(inner, nested()), ThisRun(), CallTool(current_run.get), run=outer)

    assert [found is inner for found in (*seen, outcomes[0])] == [True, True]
    assert [found is outer for found in outcomes[1:]] == [True, True]
    assert (len(outer.log), len(inner.log)) == (0, 1)


@both_drivers
def test_error_comes_out_of_a_nested_coroutine_and_leaves_the_outer_run(driver):
    run = Run()

    async def nested():
        await Fail(ValueError("inside"))

    async def core():
        with pytest.raises(ValueError, match="inside"):
            await Within(Run(), nested())
        return await CallTool(current_run.get)

    assert driver(core, run) is run


async def test_chats_at_the_same_time_keep_their_runs_apart():
    runs = [Run() for _ in range(20)]

    async def core():
        found = []
        for _ in range(5):
            await asyncio.sleep(0)
            found += [await ThisRun(), await CallTool(current_run.get)]
        return found

    outcomes = await asyncio.gather(*(a_drive(core(), run) for run in runs))

    for run, found in zip(runs, outcomes, strict=True):
        assert all(one is run for one in found)


# -- Both drivers do the same ------------------------------------------------------------------------------------

LEAVES = st.sampled_from(
    ["value", "async value", "error", "async error", "step error", "stop", "emit", "tell", "pause"]
)
PROGRAMS = st.recursive(
    st.lists(LEAVES, max_size=4),
    lambda inner: st.lists(LEAVES | st.tuples(st.sampled_from(["within", "call"]), inner), max_size=5),
    max_leaves=12,
)
EFFECTS = {
    "value": lambda: CallTool(lambda: "value"),
    "async value": lambda: CallTool(lambda: give("value")),
    "error": lambda: CallTool(raiser(ValueError("error"))),
    "async error": lambda: CallTool(a_raiser(ValueError("error"))),
    "step error": lambda: Fail(KeyError("error")),
    "stop": lambda: CallTool(raiser(StopIteration())),
    "emit": lambda: Emit(Noted(0, "emitted")),
    "tell": lambda: Tell(Delta("told")),
    "pause": lambda: Pause(0),
}


async def perform(program, run):
    """What came of each effect of a program; its tuples are programs of their own."""
    trace = []
    for one in program:
        if isinstance(one, str):
            effect = EFFECTS[one]()
        elif one[0] == "within":
            effect = Within(replace(run, chat=run.chat + 1), perform(one[1], run))
        else:
            effect = CallTool(lambda inner=one[1]: drive(perform(inner, run)))
        try:
            trace.append(await effect)
        except Exception as error:  # noqa: BLE001 - an error is an outcome too
            trace.append(repr(error))
    return [*trace, (await ThisRun()).chat]


@given(PROGRAMS)
def test_outcomes_and_events_are_the_same_under_both_drivers(program):
    outcomes = []
    for driver in (sync_driver, async_driver):
        heard = []
        run = Run(listeners=(heard.append,))
        trace = driver(lambda run=run: perform(program, run), run)
        outcomes.append((trace, run.log.entries, heard))

    assert outcomes[0] == outcomes[1]


# -- The log and its listeners -----------------------------------------------------------------------------------


@both_drivers
def test_event_is_in_the_log_before_every_listener_hears_of_it(driver):
    heard = []
    run = Run(listeners=(lambda what: heard.append((1, what, len(run.log))), lambda what: heard.append((2, what))))

    outcomes = chat_of(driver, Emit(Noted(0, "a")), Tell(Delta("b")), run=run)

    (entry,) = run.log
    assert entry.event == Noted(0, "a")
    assert heard == [(1, entry, 1), (2, entry), (1, Delta("b"), 1), (2, Delta("b"))]
    assert outcomes == [None, None]


@both_drivers
def test_event_is_kept_and_notice_is_not_when_nobody_listens(driver):
    run = Run()

    chat_of(driver, Emit(Noted(0, "a")), Tell(Delta("b")), run=run)

    assert [entry.event for entry in run.log] == [Noted(0, "a")]


# -- Async callbacks under the synchronous driver ------------------------------------------------------------------

COLOUR = contextvars.ContextVar("colour", default="none")


def outside(function):
    return function()


def inside(function):
    async def main():
        return function()

    return asyncio.run(main())


with_or_without_loop = pytest.mark.parametrize("where", [outside, inside])


@with_or_without_loop
def test_async_callback_is_awaited_on_a_loop_of_its_own(where):
    async def callback():
        await asyncio.sleep(0)
        return threading.current_thread(), asyncio.get_running_loop()

    def call():
        running = asyncio._get_running_loop()
        return running, *chat_of(sync_driver, CallTool(callback), CallTool(callback))

    running, first, second = where(call)

    assert first == second
    assert first[0] is not threading.current_thread()
    assert first[1] is not running


@with_or_without_loop
def test_async_callback_sees_the_callers_context_and_leaves_it_alone(where):
    async def callback():
        seen = COLOUR.get()
        COLOUR.set("blue")
        await asyncio.sleep(0)
        return seen, COLOUR.get()

    def call():
        token = COLOUR.set("red")
        try:
            return chat_of(sync_driver, CallTool(callback)), COLOUR.get()
        finally:
            COLOUR.reset(token)

    assert where(call) == ([("red", "blue")], "red")


@with_or_without_loop
def test_any_awaitable_is_awaited_when_a_callback_gives_one(where):
    class Later:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            return "awaited"

    assert where(lambda: chat_of(sync_driver, CallTool(Later))) == ["awaited"]


@with_or_without_loop
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_next_async_callback_works_when_one_was_interrupted(where, kind):
    def call():
        with pytest.raises(kind):
            chat_of(sync_driver, CallTool(a_raiser(kind())))
        return chat_of(sync_driver, CallTool(lambda: give("next")))

    assert where(call) == ["next"]


@pytest.mark.timeout(30)
@with_or_without_loop
def test_async_callback_may_start_chats_with_async_callbacks(where):
    run = Run()

    async def callback(depth):
        if depth == 0:
            return await give([drive(this_run())])
        outcomes = chat_of(sync_driver, ThisRun(), CallTool(callback, (depth - 1,)))
        return [outcomes[0], *outcomes[1]]

    (found,) = where(lambda: chat_of(sync_driver, CallTool(callback, (3,)), run=run))

    assert [one is run for one in found] == [True] * 4


@pytest.mark.timeout(30)
def test_threads_may_drive_async_callbacks_at_the_same_time():
    barrier = asyncio.Barrier(4)  # passed only when all four callbacks are under way

    async def callback():
        await barrier.wait()
        return "done"

    found = []
    threads = [
        threading.Thread(target=lambda: found.extend(chat_of(sync_driver, CallTool(callback)))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == ["done"] * 4


BOUND = {
    "future": lambda: asyncio.get_running_loop().create_future(),
    "task": lambda: asyncio.ensure_future(stall()),
    "event": lambda: bound(asyncio.Event(), asyncio.Event.wait),
    "queue": lambda: bound(asyncio.Queue(), asyncio.Queue.get),
}


def bound(thing, wait):
    """What is waited for on a loop belongs to it from then on."""
    waiter = wait(thing)
    waiter.send(None)
    waiter.close()
    return thing


async def wait_for(thing):
    if isinstance(thing, asyncio.Event):
        return await thing.wait()
    return await (thing.get() if isinstance(thing, asyncio.Queue) else thing)


@pytest.mark.parametrize("make", BOUND.values(), ids=BOUND)
async def test_object_of_the_callers_loop_is_a_clear_error(make):
    thing = make()

    with pytest.raises(ConfigurationError, match=r"Use the `a_` method instead, with `await`"):
        chat_of(sync_driver, CallTool(wait_for, (thing,)))

    if isinstance(thing, asyncio.Task):
        thing.cancel()


def test_other_runtime_errors_of_an_async_callback_stay_as_they_are():
    error = RuntimeError("of its own")

    with pytest.raises(RuntimeError) as raised:
        chat_of(sync_driver, CallTool(a_raiser(error)))

    assert raised.value is error


@with_or_without_loop
def test_interrupt_reaches_the_chat_and_ends_the_async_callback(where):
    ended = threading.Event()

    async def callback():
        try:
            _thread.interrupt_main()  # as Ctrl-C does while this thread waits
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def core():
        try:
            await CallTool(callback)
        except KeyboardInterrupt:
            return "interrupted"

    def call():
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio.run has another
        try:
            return drive(core())
        finally:
            signal.signal(signal.SIGINT, handler)

    start = time.monotonic()

    assert where(call) == "interrupted"

    assert time.monotonic() - start < 1
    assert ended.wait(5)


FORKING = """
import asyncio, os, signal
from jupyter_agents.drive import drive
from jupyter_agents.effects import CallTool

async def callback():
    await asyncio.sleep(0)
    return os.getpid()

async def core():
    return await CallTool(callback)

assert drive(core()) == os.getpid()
child = os.fork()
if child == 0:
    signal.alarm(20)  # a callback that is never awaited ends the child with a signal
    os._exit(0 if drive(core()) == os.getpid() else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_async_callback_is_awaited_in_a_forked_process():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


# -- The heartbeat -----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no timer that sends a signal here")
@pytest.mark.parametrize("waits", [stall, lambda: Pause(600), lambda: CallTool(stall)], ids=["future", "pause", "tool"])
def test_idle_chat_notices_within_a_second_when_a_signal_handler_cancels_it(waits):
    noticed = []

    async def core():
        try:
            await waits()
        finally:
            noticed.append(time.monotonic())

    async def main():
        task = asyncio.create_task(a_drive(core()))
        asyncio.get_running_loop().call_later(20, task.cancel)  # in the end
        # ipykernel's handler cancels in this way: nothing in it wakes the loop
        handler = signal.signal(signal.SIGALRM, lambda *_: (noticed.append(time.monotonic()), task.cancel()))
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            await task
        finally:
            signal.signal(signal.SIGALRM, handler)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())

    interrupted, ended = noticed
    assert ended - interrupted < 1


async def test_heart_stops_when_the_chat_is_over(monkeypatch):
    loop, beats = asyncio.get_running_loop(), []
    call_later = loop.call_later
    monkeypatch.setattr("jupyter_agents.interrupts.TICK", 0.001)
    monkeypatch.setattr(loop, "call_later", lambda *args: beats.append(args) or call_later(*args))

    await a_drive(give(None))
    after = len(beats)
    await asyncio.sleep(0.02)

    assert after >= 1
    assert len(beats) - after <= 1  # that of this test's own wait


# -- What the effects of a conversation mean -----------------------------------------------------------------------


class Model:
    """A model with one outcome, which streams a word first."""

    def __init__(self, outcome):
        self.outcome, self.requests = outcome, []

    async def complete(self, request):
        self.requests.append(request)
        await Tell(Delta("wo"))
        await Tell(Waiting(0.0, "busy"))
        if isinstance(self.outcome, BaseException):
            await Fail(self.outcome)
        return self.outcome


class Person:
    """A person with one answer, and false as an empty list of answers is."""

    def __init__(self, answer):
        self.answer, self.prompts = answer, []

    def __len__(self):
        return 0

    async def ask(self, prompt):
        self.prompts.append(prompt)
        return (await Say(self.answer)).partition(",")[0] and Answer(self.answer)


class Tape:
    """A tape that replays one outcome, if it has one, and says what it was asked to record."""

    def __init__(self, outcome=None):
        self.outcome, self.recorded = outcome, []

    def replay(self, effect, *, chat, agent):
        return self.outcome

    def record(self, effect, outcome, *, chat, agent):
        self.recorded.append((chat, agent, outcome))

    def close(self):
        pass


REQUEST = ModelRequest([{"role": "user", "content": "hi"}] * 3)
REPLY = ModelReply("words", usage=Usage(3, 4), model="m")
PROMPT = Prompt("go on?", agent="user")


def kinds(run):
    return [entry.event.kind for entry in run.log]


@both_drivers
def test_model_call_is_counted_logged_and_attributed(driver):
    heard = []
    run, model = Run(chat=2, listeners=(heard.append,), tape=Tape()), Model(REPLY)

    (reply,) = chat_of(driver, Complete("coder", model, REQUEST), run=run)

    asked, answered = (entry.event for entry in run.log)
    assert reply is REPLY
    assert model.requests == [REQUEST]
    assert (asked.kind, asked.chat, asked.agent, asked.messages) == ("model_asked", 2, "coder", 3)
    assert (answered.kind, answered.finish_reason, answered.usage, answered.model) == (
        "model_answered",
        "stop",
        Usage(3, 4),
        "m",
    )
    assert answered.seconds >= 0
    assert not answered.replayed
    assert heard[1:3] == [Delta("wo", "coder"), Waiting(0.0, "busy", "coder")]
    assert (run.ledger.model_calls, run.ledger.tokens) == (1, 7)
    assert run.tape.recorded == [(2, "coder", REPLY)]


@both_drivers
def test_model_is_not_asked_when_the_tape_has_the_reply(driver):
    replayed = replace(REPLY, replayed=True)
    run, model = Run(tape=Tape(replayed)), Model(REPLY)

    (reply,) = chat_of(driver, Complete("coder", model, REQUEST), run=run)

    assert reply is replayed
    assert (model.requests, run.tape.recorded) == ([], [])
    assert run.log.entries[-1].event.replayed
    assert run.ledger.model_calls == 1


@both_drivers
def test_model_is_not_asked_when_the_budget_is_spent(driver):
    run, model = Run(ledger=Ledger(Budget(model_calls=0))), Model(REPLY)

    with pytest.raises(BudgetSpent):
        chat_of(driver, Complete("coder", model, REQUEST), run=run)

    assert (model.requests, kinds(run)) == ([], [])


@both_drivers
@pytest.mark.parametrize(
    ("error", "partial"),
    [
        (ModelUnavailableError("no answer"), ""),
        (ReplyInterruptedError("cut", partial=ModelReply("wor")), "wor"),
        (ReplyInterruptedError("cut", partial=ModelReply(None)), ""),
        (ReplyInterruptedError("cut"), ""),
    ],
)
def test_failure_of_a_model_is_logged_with_what_had_come(driver, error, partial):
    run = Run(tape=Tape())

    with pytest.raises(type(error)) as raised:
        chat_of(driver, Complete("coder", Model(error), REQUEST), run=run)

    failed = run.log.entries[-1].event
    assert raised.value is error
    assert (failed.kind, failed.agent, failed.error, failed.partial) == ("model_failed", "coder", str(error), partial)
    assert kinds(run) == ["model_asked", "model_failed"]
    assert run.tape.recorded == []


@both_drivers
def test_question_and_answer_are_logged_and_recorded(driver):
    person, run = Person("yes"), Run(tape=Tape())

    (answer,) = chat_of(driver, Ask("user", PROMPT, person), run=run)

    asked, answered = (entry.event for entry in run.log)
    assert answer == Answer("yes")
    assert person.prompts == [PROMPT]
    assert (asked.agent, asked.prompt) == ("user", {"kind": "text", "text": "go on?", "agent": "user"})
    assert (answered.agent, answered.action, answered.text) == ("user", "reply", "yes")
    assert run.tape.recorded == [(0, "user", Answer("yes"))]


@both_drivers
def test_person_of_the_session_is_asked_when_the_agent_has_none(driver):
    usual, own = Person("usual"), Person("own")
    run = Run(session=Session(find_human=lambda: usual))

    answers = chat_of(driver, Ask("user", PROMPT), Ask("user", PROMPT, own), run=run)

    assert [answer.text for answer in answers] == ["usual", "own"]


@both_drivers
def test_nobody_is_asked_when_the_tape_has_the_answer(driver):
    person, run = Person("no"), Run(tape=Tape(Answer("yes", replayed=True)))

    (answer,) = chat_of(driver, Ask("user", PROMPT, person), run=run)

    assert (answer.text, person.prompts) == ("yes", [])
    assert run.log.entries[-1].event.replayed


@both_drivers
def test_question_is_an_error_that_names_the_remedies_when_nobody_is_there(driver):
    with pytest.raises(NoHumanError, match=r"'user'. Use human_input_mode='NEVER' or pass human=ScriptedHuman"):
        chat_of(driver, Ask("user", PROMPT), run=Run(session=Session()))


@both_drivers
def test_start_and_end_of_a_block_are_logged(driver):
    result = ExecutionResult(1, "Traceback", ({"output_type": "error"},), "error", 0.5)

    class Executor:
        async def execute(self, block):
            await Say(block.code)
            return result

    run = Run()

    (found,) = chat_of(driver, Execute("user", Executor(), CodeBlock("python", "1/0")), run=run)

    started, finished = (entry.event for entry in run.log)
    assert found is result
    assert (started.kind, started.language, started.code) == ("code_started", "python", "1/0")
    assert (finished.kind, finished.exit_code, finished.status) == ("code_finished", 1, "error")
    assert (finished.text, finished.outputs, finished.seconds) == ("Traceback", 1, 0.5)
