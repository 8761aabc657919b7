"""The buttons of a chat, to be pressed from any thread: end it in order, or interrupt only the block that it runs."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any

STOPPED = "stopped by the user"

_AGAIN = 1.0  # seconds after which a chat that has not ended is told again: people press a button twice


class Control:
    """Stops one chat with all that is nested in it. A chat that has ended takes no notice.

    A chat ends at what it waits for: the wait is cancelled on its event loop, or interrupted in its thread. What runs
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

    @property
    def is_stopping(self) -> bool:
        """Whether somebody has pressed Stop. Once is enough: nothing takes it back."""
        return self.reason is not None

    @property
    def is_held(self) -> bool:
        """Whether the chat is going on."""
        return self._thread is not None

    # -- For whoever holds the chat ---------------------------------------------------------------------------------

    @contextmanager
    def held(self, task: asyncio.Task[Any] | None) -> Iterator[None]:
        """Be in charge of the chat that this thread, or this task of an event loop, holds inside the block."""
        self._has_cancelled = self._is_ending = self._is_late = False
        self._thread, self._task = threading.get_ident(), task
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
        before = signal.getsignal(signal.SIGINT) if is_main else None
        if before is signal.default_int_handler or not (callable(before) or before is signal.SIG_IGN):
            yield
            return
        handler: Any = signal.default_int_handler if callable(before) else self._on_signal
        signal.signal(signal.SIGINT, handler)
        self._is_calling = True
        try:
            yield
        finally:
            self._is_calling = False
            if signal.getsignal(signal.SIGINT) == handler:  # a function may have set one of its own
                signal.signal(signal.SIGINT, before)

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
            if self._is_ending:
                return self.is_held
            self.reason = self.reason or reason
            if self._thread is None:
                return False
            if time.monotonic() - self._told_at >= _AGAIN:
                self._told_at = time.monotonic()
                self._tell(self._thread)
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
            if self.is_held and not self._is_ending and self._task is not None and not self._has_cancelled:
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


__all__ = ["STOPPED", "Control", "find_control", "use_control"]
