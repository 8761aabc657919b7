"""The buttons of a chat, to be pressed from any thread: end it in order, or interrupt only the block that it runs."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STOPPED = "stopped by the user"


class Control:
    """Stops one chat with all that is nested in it. A chat that has ended takes no notice.

    A chat ends at what it waits for: the wait is cancelled on its event loop, or interrupted in its thread. What runs
    in C code, and servers that are waited for in a thread other than the main one, are noticed when they return.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.is_calling = False
        """Whether a user's function holds the thread of the event loop, so that only a signal reaches it."""
        self._lock = threading.RLock()
        self._thread: int | None = None
        self._task: asyncio.Task[Any] | None = None
        self._has_cancelled = False

    @property
    def is_stopping(self) -> bool:
        """Whether somebody has pressed Stop. Once is enough: nothing takes it back."""
        return self.reason is not None

    @property
    def is_held(self) -> bool:
        """Whether the chat is going on."""
        return self._thread is not None

    @contextmanager
    def held(self, task: asyncio.Task[Any] | None) -> Iterator[None]:
        """Be in charge of the chat that this thread, or this task of an event loop, holds inside the block."""
        self._thread, self._task = threading.get_ident(), task
        try:
            yield
        finally:
            self._release()

    def _release(self) -> None:
        while True:
            try:
                with self._lock:
                    self._thread = None
                break
            except KeyboardInterrupt:  # ours, sent in the moment in which the chat ended by itself
                continue
        if self._has_cancelled and self._task is not None:
            self._task.uncancel()

    def stop(self, reason: str = STOPPED) -> bool:
        """End the chat as soon as possible, with this reason; whether there was one to end."""
        with self._lock:
            if self._thread is None:
                return False
            self.reason = self.reason or reason
            if self._task is not None:
                self._task.get_loop().call_soon_threadsafe(self._cancel)
            if not self._interrupt(ends_chat=True) and (self._task is None or self.is_calling):
                _interrupt_thread(self._thread)
            return True

    def interrupt_code(self) -> bool:
        """End only the block that runs; whether one did. The chat goes on, and the model reads what happened."""
        with self._lock:
            return self._thread is not None and self._interrupt(ends_chat=False)

    def _interrupt(self, *, ends_chat: bool) -> bool:
        from jupyter_agents.executors.stopping import interrupt_block

        return interrupt_block(ends_chat=ends_chat, owner=self)

    def _cancel(self) -> None:
        with self._lock:
            if self._thread is not None and self._task is not None and not self._has_cancelled:
                self._has_cancelled = self._task.cancel()


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
