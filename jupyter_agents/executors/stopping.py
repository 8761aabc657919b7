"""Stopping a block: a person's interrupt, and an advisory limit of time.

A signal handler may raise only while the code of a block is running. In between, in IPython's code or ours, an
exception would leave a half-restored shell behind, and inside the event loop it would end the kernel.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, TypeVar

T = TypeVar("T")

_AGAIN = 1.0  # seconds after which code that swallowed the time-out is told again


class BlockTimeout(BaseException):
    """The time of a block is over. Not an `Exception`: `except Exception` in the block must not swallow it."""


class Stopper:
    """What happens to a block while its signal handlers are ours.

    `breakable` are the functions under which an exception may be raised, `guarded` those that call them: a handler
    looks up the stack for whichever comes first.
    """

    def __init__(self, *, breakable: Iterable[Any], guarded: Iterable[Any]) -> None:
        self.interrupted = False
        self.timed_out = False
        self._breakable, self._guarded = _codes(breakable), _codes(guarded)
        self._cancel: Callable[[], Any] | None = None
        self._outer: Stopper | None = None
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._is_reachable = False

    @property
    def has_stopped(self) -> bool:
        """Whether somebody, or the clock, has told the block to stop."""
        return self.interrupted or self.timed_out

    @contextmanager
    def watching(self, timeout: float | None) -> Iterator[None]:
        """Have the signal handlers. Only the main thread can; elsewhere there is neither interrupt nor limit."""
        if threading.current_thread() is not threading.main_thread():
            with self._known():
                yield
            return
        before = signal.signal(signal.SIGINT, self._on_interrupt)
        owner = getattr(before, "__self__", None)
        self._outer = owner if isinstance(owner, Stopper) else None
        try:
            with self._limited(timeout):
                yield
        finally:
            signal.signal(signal.SIGINT, before)

    @contextmanager
    def cancelling(self, task: asyncio.Task[Any]) -> Iterator[None]:
        """Cancel `task` when the block is to stop while it awaits."""
        loop = task.get_loop()
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)  # wakes the loop, unlike call_soon
        try:
            yield
        finally:
            self._cancel = None

    @contextmanager
    def _known(self) -> Iterator[None]:
        _elsewhere.append(self)
        try:
            yield
        finally:
            _elsewhere.remove(self)

    def reachably(self, run: Callable[[], T]) -> T:
        """The value of `run()`, which another thread may interrupt with `stop_running_block`."""
        try:
            self._is_reachable = True
            return run()
        finally:
            self._leave()

    def _leave(self) -> None:
        while True:
            try:
                with self._lock:
                    self._is_reachable = False
                return
            except KeyboardInterrupt:  # sent in this very moment, and it is sent only once
                continue

    def stop_from_outside(self) -> bool:
        """Interrupt the block from a thread that is not its own; whether that could be done."""
        with self._lock:
            if self.interrupted or not (self._is_reachable or self._cancel):
                return False
            self.interrupted = True
            if self._cancel is not None:
                self._cancel()
                return True
            return _raise_in(self._thread, KeyboardInterrupt)

    @contextmanager
    def _limited(self, timeout: float | None) -> Iterator[None]:
        if timeout is None or not hasattr(signal, "setitimer"):
            yield
            return
        handler = signal.signal(signal.SIGALRM, self._on_alarm)
        started = time.monotonic()
        left, interval = signal.setitimer(signal.ITIMER_REAL, max(timeout, 1e-3), _AGAIN)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, handler)
            if left:
                left = max(left - (time.monotonic() - started), 1e-3)
                signal.setitimer(signal.ITIMER_REAL, left, interval)

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        stopper: Stopper | None = self
        while stopper is not None:  # a block that has started a chat, whose block runs now, is interrupted as well
            stopper.interrupted = True
            stopper = stopper._outer
        self._stop(frame, KeyboardInterrupt)

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        self.timed_out = True
        self._stop(frame, BlockTimeout)

    def _stop(self, frame: FrameType | None, error: type[BaseException]) -> None:
        if self._is_in_block(frame):
            raise error
        if self._cancel is not None:
            self._cancel()

    def _is_in_block(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code in self._breakable:
                return True
            if frame.f_code in self._guarded:
                return False
            frame = frame.f_back
        return False


_elsewhere: list[Stopper] = []
"""The blocks under way in threads that get no signals, the innermost last."""


def stop_running_block(thread: int) -> bool:
    """Interrupt the block that runs in this thread (its `ident`), as a signal does in the main one.

    Gives back whether there was one to tell. Code that awaits is cancelled; other code notices at its next instruction
    of Python: not while it sleeps, waits for a socket, or computes in C.
    """
    found = next((one for one in reversed(_elsewhere) if one._thread == thread), None)
    return found is not None and found.stop_from_outside()


def _raise_in(thread: int, error: type[BaseException]) -> bool:
    import ctypes

    return bool(ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error)))


def _codes(functions: Iterable[Any]) -> frozenset[CodeType]:
    return frozenset(function.__code__ for function in functions)
