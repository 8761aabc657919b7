"""The buttons of a chat, to be pressed from any thread: pause it, step, go on, end it in order, or interrupt its code."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` is slow: it describes a loop's handler in an error nobody sees
import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from types import FrameType
from typing import Any

from jupyter_agents.interrupts import handler_outside, taking_interrupt

STOPPED = "stopped by the user"
TAKEN_BACK = "taken back; it goes on in another way"

_LOOK = 0.02  # seconds between two looks at whether a chat has come to rest
_AGAIN = 1.0  # seconds after which a chat that has not ended is told again: people press a button twice


class Control:
    """Pauses and stops one chat with all that is nested in it. A chat that has ended takes no notice.

    A pause lets what is under way come to its end, and holds the chat before it begins anything more: a reply, a model
    call, code, a tool, a question to a person. A chat ends at what it waits for: the wait is cancelled on its event loop, or interrupted in its thread. What runs
    in C code, and servers that are waited for in a thread other than the main one, are noticed when they return. One
    that is stopped before it has begun ends with its first message.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self._lock = threading.RLock()
        self._thread: int | None = None
        self._task: asyncio.Task[Any] | None = None
        self._has_cancelled = self._is_ending = False
        self._is_calling = False  # a user's function holds the thread of the event loop, which only a signal reaches
        self._is_undisturbed = self._is_late = False
        self._told_at = -_AGAIN
        self._is_paused = self._has_begun = False
        self._steps = 0
        self._waiting = self._asking = 0
        self._strands = 1  # what goes on at the same time, each for itself: chats of a series, calls of tools
        self._goes_on = self._breaks_at_rest = False
        self._rested, self._rests_since = 0.0, 0.0
        self.in_background = False
        self._outside: Any = None
        self._watchers: list[Callable[[], None]] = []

    @property
    def is_stopping(self) -> bool:
        """Whether somebody has pressed Stop. Once is enough: nothing takes it back."""
        return self.reason is not None

    @property
    def is_taken_back(self) -> bool:
        """Whether the chat ends because it is to go on in another way, and nobody has pressed Stop since."""
        return self.reason is TAKEN_BACK

    @property
    def is_stopped_for_good(self) -> bool:
        """Whether somebody has pressed Stop, and nothing follows."""
        return self.is_stopping and not self.is_taken_back

    @property
    def is_held(self) -> bool:
        """Whether the chat is going on."""
        return self._thread is not None

    @property
    def is_paused(self) -> bool:
        """Whether somebody has pressed Pause and not yet Resume. A step that is still to be made changes nothing of it."""
        return self._is_paused

    @property
    def is_waiting(self) -> bool:
        """Whether the chat has come to rest because it is paused, with all that goes on at the same time in it."""
        return self._waiting >= max(self._strands, 1)

    @property
    def must_wait(self) -> bool:
        """Whether nothing may begin now."""
        return self._is_paused and self._steps == 0 and not self.is_stopping

    @property
    def blocks_main_thread(self) -> bool:
        """Whether the chat holds the main thread for itself, in which a kernel handles what comes."""
        return self._thread == threading.main_thread().ident and self._task is None

    def watch(self, function: Callable[[], None]) -> None:
        """Have `function` called when a button was pressed, or the chat has come to rest: in the thread of whoever did."""
        self._watchers.append(function)

    def unwatch(self, function: Callable[[], None]) -> None:
        """Call it no more."""
        if function in self._watchers:
            self._watchers.remove(function)

    def _tell_watchers(self) -> None:
        if not self._watchers:
            return
        with self.undisturbed():
            for function in list(self._watchers):
                function()

    def clock(self) -> float:
        """Seconds of a clock that stands still while the chat rests."""
        now = time.monotonic()
        return now - self._rested - (now - self._rests_since if self._waiting else 0.0)

    # -- For whoever holds the chat ---------------------------------------------------------------------------------

    @contextmanager
    def held(self, task: asyncio.Task[Any] | None) -> Iterator[None]:
        """Be in charge of the chat that this thread, or this task of an event loop, holds inside the block."""
        self._has_cancelled = self._is_ending = self._is_late = False
        self._thread, self._task = threading.get_ident(), task
        self._outside = None if self.in_background else handler_outside()
        self._has_begun = True
        try:
            with self.interruptible() if task is None and _is_loop_blocked() else _as_it_is():
                yield
        finally:
            self._surely(self._release)
            if self._has_cancelled and self._task is not None:
                self._task.uncancel()

    def begin_end(self) -> None:
        """Let the chat end by itself from here on: a stop that came now would break its last words off."""

        def begin() -> None:
            self._is_ending = True

        self._surely(begin)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Do something whole, and short, in the thread of the chat: what stops it meanwhile is raised afterwards."""
        if self._is_undisturbed or self._is_ending or self._thread != threading.get_ident():
            yield
            return
        self._is_undisturbed = True
        try:
            yield
        finally:
            with self._lock:
                is_late, self._is_undisturbed, self._is_late = self._is_late, False, False
        if is_late:
            raise KeyboardInterrupt

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let an interrupt be raised in what blocks the thread inside the block.

        Whoever runs an event loop (ipykernel, `asyncio.run`) has a handler that cancels a task, which what blocks the
        loop would never notice. Where interrupts are ignored, as between two cells, they stay so, but for a stop.
        """
        is_main = threading.current_thread() is threading.main_thread()
        before: Any = _signal.getsignal(signal.SIGINT) if is_main else None
        if before is signal.default_int_handler or not (callable(before) or before == signal.SIG_IGN):
            yield
            return
        handler: Any = signal.default_int_handler if callable(before) else self._on_signal
        _signal.signal(signal.SIGINT, handler)
        self._is_calling = True
        try:
            yield
        finally:
            self._is_calling = False
            if _signal.getsignal(signal.SIGINT) == handler:  # a function may have set one of its own
                _signal.signal(signal.SIGINT, before)

    def taking_interrupt(self, task: asyncio.Task[Any] | None) -> AbstractContextManager[None]:
        """Have an interrupt of the chat be raised in the block, which this task of an event loop is in, and not end it.

        In the background it never is: an interrupt is meant for the cell that waits, not for a chat beside it.
        """
        return taking_interrupt(task, self._outside)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Say that the chat rests, for as long as the block runs."""
        self._surely(self._begin_rest)
        try:
            self._tell_watchers()
            yield
        finally:
            self._surely(self._end_rest)

    def _begin_rest(self) -> None:
        if self._waiting == 0:
            self._rests_since = time.monotonic()
        self._waiting += 1

    def _end_rest(self) -> None:
        self._waiting -= 1
        if self._waiting == 0:
            self._rested += time.monotonic() - self._rests_since

    @contextmanager
    def parted(self, number: int) -> Iterator[Callable[[], None]]:
        """Say that so many things go on at the same time inside the block. What it gives is called when one has ended."""
        left = number

        def end_one() -> None:
            nonlocal left
            left -= 1
            self._strands -= left > 0  # the last one is whoever goes on after the block

        def end_one_and_tell() -> None:
            self._surely(end_one)
            if self._is_paused:
                self._tell_watchers()

        self._surely(partial(self._count_strands, number - 1))
        try:
            yield end_one_and_tell
        finally:
            self._surely(lambda: self._count_strands(1 - max(left, 1)))

    def _count_strands(self, change: int) -> None:
        self._strands += change

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Say that the chat waits for a person, for as long as the block runs."""
        self._surely(partial(self._count_asking, 1))
        try:
            yield
        finally:
            self._surely(partial(self._count_asking, -1))

    def _count_asking(self, change: int) -> None:
        self._asking += change

    def reach_rest(self) -> None:
        """Something is about to begin: a chat that was to be broken off at rest is now."""
        if self._breaks_at_rest and self.is_held and not self._is_ending:
            self._surely(self._take_back)

    def _take_back(self) -> None:
        if self._goes_on and not self.is_stopping:
            self.reason, self._breaks_at_rest = TAKEN_BACK, False

    def take_up(self) -> bool:
        """Whether another chat follows the one that has ended, under the same buttons; what has broken it off is over."""
        with self._lock:
            goes_on, self._goes_on, self._breaks_at_rest = self._goes_on, False, False
            if goes_on:
                self.reason, self._told_at = None, -_AGAIN
            return goes_on

    def count_turn(self) -> None:
        """Take note that a message was sent: that is a step."""
        if self._steps:
            self._surely(self._use_step)

    def _use_step(self) -> None:
        self._steps = max(self._steps - 1, 0)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.is_stopping:
            raise KeyboardInterrupt

    def _release(self) -> None:
        self._thread = None

    def _surely(self, change: Callable[[], None]) -> None:
        """Make a change also when an interrupt of ours arrives in this very moment."""
        while True:
            try:
                with self._lock:
                    change()
                return
            except KeyboardInterrupt:
                continue

    # -- The buttons ------------------------------------------------------------------------------------------------

    def stop(self, reason: str = STOPPED) -> bool:
        """End the chat as soon as possible, with this reason; whether there was one to end."""
        with self._lock:
            self._goes_on = self._breaks_at_rest = False
            if self.is_taken_back:  # what has ended it already, and need not be told again
                self.reason = reason
            if self._is_ending:
                return self.is_held
            self.reason = self.reason or reason
            if self._thread is None:
                return False
            if time.monotonic() - self._told_at >= _AGAIN:
                self._told_at = time.monotonic()
                self._tell(self._thread)
        self._tell_watchers()
        return True

    def break_off(self, *, at_rest: bool = False) -> None:
        """End the chat for another one to follow it (see `take_up`), unless somebody has stopped it.

        With `at_rest` what is under way comes to its end first. A question to a person is no such thing. One that has
        not begun says its first message.
        """
        with self._lock:
            if self.is_stopping:
                return
            self._goes_on = True
            is_at_rest = self._waiting or self._asking
            if self._thread is None or (at_rest and not is_at_rest):
                self._breaks_at_rest = True
            elif not self._is_ending:
                self._take_back()
                self._told_at = time.monotonic()
                self._tell(self._thread)
        self._tell_watchers()

    def pause(self) -> bool:
        """Let the chat come to rest once what is under way has ended; whether it was not paused already.

        One that has not begun rests after its first message.
        """
        with self._lock:
            was_paused, self._is_paused, self._steps = self._is_paused, True, 0
        self._tell_watchers()
        return not was_paused

    def resume(self) -> bool:
        """Let it go on; whether it was paused."""
        with self._lock:
            was_paused, self._is_paused, self._steps = self._is_paused, False, 0
        self._tell_watchers()
        return was_paused

    def step(self) -> None:
        """Let one more message be said, in this chat or one that is nested in it, and rest again. Steps add up."""
        with self._lock:
            self._is_paused = True
            self._steps += 1
        self._tell_watchers()

    def wait_until_waiting(self, timeout: float | None = None) -> bool:
        """In another thread: wait until the chat has come to rest, or has ended; whether it has, within so many seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while not (self.is_waiting and self.must_wait) and (self.is_held or not self._has_begun):
            if end is not None and time.monotonic() >= end:
                return False
            time.sleep(_LOOK)
        return True

    def interrupt_code(self) -> bool:
        """End only the block that runs; whether one did. The chat goes on, and the model reads what happened."""
        with self._lock:
            return self._thread is not None and self._interrupt(ends_chat=False)

    def _tell(self, thread: int) -> None:
        if self._task is not None:
            self._task.get_loop().call_soon_threadsafe(self._cancel)
        if self._interrupt(ends_chat=True) or (self._task is not None and not self._is_calling):
            return
        if self._is_undisturbed:
            self._is_late = True
        else:
            _interrupt_thread(thread)

    def _interrupt(self, *, ends_chat: bool) -> bool:
        from jupyter_agents.executors.stopping import interrupt_block

        return interrupt_block(ends_chat=ends_chat, owner=self)

    def _cancel(self) -> None:
        with self._lock:
            is_wanted = self.is_stopping and not self._is_ending and not self._has_cancelled
            if is_wanted and self.is_held and self._task is not None:
                self._has_cancelled = self._task.cancel()


_given: ContextVar[Control | None] = ContextVar("jupyter_agents_control", default=None)


@contextmanager
def use_control(control: Control) -> Iterator[None]:
    """Have the chats that are held within, one after the other, take this control."""
    token = _given.set(control)
    try:
        yield
    finally:
        _given.reset(token)


def find_control() -> Control:
    """The control of a chat that begins here."""
    given = _given.get()
    return Control() if given is None or given.is_held else given


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


def _is_loop_blocked() -> bool:
    """Whether this thread has an event loop that does nothing meanwhile, or one that ignores interrupts."""
    if threading.current_thread() is not threading.main_thread():
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return True


def _interrupt_thread(ident: int) -> None:
    """Raise `KeyboardInterrupt` in a thread; in the main one by a signal, which wakes it from a sleep."""
    if ident != threading.main_thread().ident:
        import ctypes

        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(KeyboardInterrupt))
    elif os.name == "nt":
        import _thread

        _thread.interrupt_main()
    else:
        signal.pthread_kill(ident, signal.SIGINT)


__all__ = ["STOPPED", "TAKEN_BACK", "Control", "find_control", "use_control"]
