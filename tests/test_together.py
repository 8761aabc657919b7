"""Coroutines that are driven at the same time: their values in order, one's failure, an interrupt."""

import asyncio
import threading
import time

import pytest

from jupyter_agents.drive import a_drive, drive
from jupyter_agents.effects import CallTool, Pause, Together
from jupyter_agents.interrupts import ChatCancelled
from tests.drivers import on_a_loop


def on_loop(make):
    return on_a_loop(lambda: a_drive(make()))


def in_thread(make):
    return drive(make())


both = pytest.mark.parametrize("driven", [in_thread, on_loop], ids=["sync", "async"])


async def together(*coroutines):
    return await Together(coroutines)


async def value_of(function, *args):
    return await CallTool(function, args)


async def sleep_and_say(seconds, what):
    await asyncio.sleep(seconds)
    return what


@both
def test_values_come_in_the_order_of_the_coroutines(driven):
    async def paused(seconds, what):
        await Pause(seconds)
        return what

    assert driven(lambda: together(paused(0.02, "a"), paused(0, "b"), paused(0.01, "c"))) == ["a", "b", "c"]


@both
def test_nothing_together_is_nothing(driven):
    assert driven(lambda: together()) == []


@both
def test_async_callbacks_wait_at_the_same_time(driven):
    meeting = threading.Barrier(3, timeout=20)  # which none of them passes alone

    async def meet(what):
        await asyncio.get_running_loop().run_in_executor(None, meeting.wait)
        return what

    found = driven(lambda: together(*(value_of(meet, number) for number in range(3))))

    assert found == [0, 1, 2]


@both
def test_plain_callbacks_are_called_in_order_in_the_callers_thread(driven):
    called = []

    def call(what):
        called.append((what, threading.current_thread() is threading.main_thread()))
        return what

    driven(lambda: together(*(value_of(call, what) for what in "abc")))

    assert called == [("a", True), ("b", True), ("c", True)]


@both
def test_each_goes_on_with_what_it_got(driven):
    async def twice(what):
        first = await CallTool(sleep_and_say, (0.001, what))
        return await CallTool(sleep_and_say, (0.001, first + first))

    assert driven(lambda: together(twice("a"), twice("b"))) == ["aa", "bb"]


@both
def test_error_of_one_is_raised_and_the_others_end(driven):
    ended = []

    async def fail():
        await asyncio.sleep(0.01)
        raise LookupError("lost")

    async def wait_long():
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("waited")

    began = time.monotonic()
    with pytest.raises(LookupError, match="lost"):
        driven(lambda: together(value_of(wait_long), value_of(fail)))

    assert ended == ["waited"]
    assert time.monotonic() - began < 30


@both
def test_coroutine_may_mend_the_error_of_its_callback(driven):
    async def mended():
        try:
            return await CallTool(lambda: 1 / 0)
        except ZeroDivisionError:
            return "mended"

    assert driven(lambda: together(mended(), value_of(sleep_and_say, 0, "x"))) == ["mended", "x"]


@both
def test_stop_iteration_of_a_callback_is_an_error_and_ends_nothing_else(driven):
    with pytest.raises(RuntimeError, match="StopIteration"):
        driven(lambda: together(value_of(next, iter(()))))


@both
def test_together_may_be_nested(driven):
    async def two(name):
        return await Together([value_of(sleep_and_say, 0.001, name + "1"), value_of(sleep_and_say, 0, name + "2")])

    assert driven(lambda: together(two("a"), two("b"))) == [["a1", "a2"], ["b1", "b2"]]


def test_interrupt_stops_all_that_wait():
    started, ended = threading.Event(), []

    async def interrupted():
        assert await CallTool(started.wait, (20,))
        raise KeyboardInterrupt

    async def wait_long():
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("waited")

    with pytest.raises(KeyboardInterrupt):
        drive(together(value_of(wait_long), interrupted()))

    assert ended == ["waited"]


@both
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_others_end_and_the_loop_lives_when_one_is_interrupted(driven, kind):
    started, ended = [], []

    async def wait_long():
        started.append(True)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("waited")

    def stop():
        raise kind

    with pytest.raises((kind, ChatCancelled)):  # which an interrupt is to what awaits
        driven(lambda: together(value_of(wait_long), value_of(stop)))

    assert ended == ["waited"] * len(started)
