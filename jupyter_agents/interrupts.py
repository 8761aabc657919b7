"""How an interrupt ends a chat on an event loop: the loop notices it soon, and it cancels the task of the chat."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_agents.errors import INTERRUPTED

TICK = 0.2
"""Seconds between two wake-ups of an idle wait. A kernel notices an interrupt only when its loop wakes up."""


class ChatCancelled(asyncio.CancelledError):
    """An interrupt or a cancelled task ended a chat in order. `result` holds what was said."""

    def __init__(self, result: Any = None) -> None:
        super().__init__("chat interrupted")
        self.result = result

    def _render_traceback_(self) -> list[str]:
        """One quiet line instead of a traceback, in IPython."""
        return [INTERRUPTED]


@contextmanager
def heartbeat(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
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
def cancelling(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
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
