"""What an interrupt does to a chat on an event loop: the loop notices it soon, and it cancels the task of the chat.

Whoever runs the loop turns it into that (ipykernel and `asyncio.run` do), or else we. Where somebody in the chat takes
interrupts, as a group does that has an admin, it is raised there instead, and the chat goes on.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` is slow: it describes a loop's handler in an error nobody sees
import asyncio
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from types import FrameType
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


# -- Taking an interrupt -------------------------------------------------------------------------------------------


@contextmanager
def taking_interrupt(task: asyncio.Task[Any] | None, outside: Any) -> Iterator[None]:
    """Have an interrupt be a `KeyboardInterrupt` of this block, rather than cancel the task of the chat for good.

    It is taken from `outside`, the handler to which it went when the chat began (`handler_outside`): a chat of another
    cell has no part in it. Of blocks within each other it is the innermost one's. Until that has ended, the next
    interrupt goes to whom it would have gone to. Whatever else cancels the task still does.
    """
    if task is None:
        yield
        return
    taker = _Taker(task)
    is_heard = outside is not None and handler_outside() is outside
    try:
        with _listening(taker) if is_heard else nullcontext():
            yield
            if taker.is_missed:
                raise KeyboardInterrupt
    except asyncio.CancelledError as stop:
        if taker.takes_back(stop):
            raise KeyboardInterrupt from None
        raise
    finally:
        taker.end()


def handler_outside() -> Any:
    """Who turns an interrupt into the cancelling of a task in this thread; `None` where nobody does."""
    if threading.current_thread() is not threading.main_thread():
        return None
    handler: Any = _signal.getsignal(signal.SIGINT)
    if isinstance(handler, _Handler):
        return handler.outside
    is_other = handler is signal.default_int_handler or getattr(handler, "__module__", "") == "asyncio.unix_events"
    return handler if callable(handler) and not is_other else None


class _Taker:
    """One who takes an interrupt: the task in which it waits is cancelled, and that is taken back."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task, self._before = task, task.cancelling()
        self._has_cancelled = self._has_ended = False
        self.around = _around.get()
        self.within = 0
        self.is_told = False

    @property
    def is_missed(self) -> bool:
        """Whether it was told of an interrupt so late that nothing was waited for any more which could be cancelled."""
        return self.is_told and not self._has_cancelled

    def tell(self) -> None:
        """Cancel what is waited for. Called by the handler of the signal, in the midst of anything."""
        self.is_told = True
        self._task.get_loop().call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        self._has_cancelled = not self._has_ended and self._task.cancel()

    def takes_back(self, stop: asyncio.CancelledError) -> bool:
        """Whether an interrupt is behind it, and nobody else has cancelled the task as well."""
        is_interrupt = self._has_cancelled or isinstance(stop, ChatCancelled)
        self.end()
        return is_interrupt and self._task.cancelling() <= self._before

    def end(self) -> None:
        """Cancel no more, and take the cancelling back, whether or not it was noticed."""
        self._has_ended = True
        if self._has_cancelled:
            self._has_cancelled = False
            self._task.uncancel()


_around: ContextVar[_Taker | None] = ContextVar("jupyter_agents_takes_interrupts", default=None)


class _Handler:
    """The handler of interrupts while some take them. Those that nobody takes go where they went before."""

    def __init__(self, outside: Any) -> None:
        self.outside = outside
        self.takers: list[_Taker] = []

    def __call__(self, number: int, frame: FrameType | None) -> None:
        free = [one for one in self.takers if not one.within and not one.is_told]
        for taker in free:
            taker.tell()
        if not free:
            self.outside(number, frame)

    def admit(self, taker: _Taker) -> None:
        """Let one take the next interrupt; whoever is around it waits until it has ended."""
        if taker.around is not None:
            taker.around.within += 1
        self.takers.append(taker)

    def dismiss(self, taker: _Taker) -> None:
        """Let it take no more. The last one takes the handler away, if nobody has put another one in its place."""
        self.takers.remove(taker)
        if taker.around is not None:
            taker.around.within -= 1
        if not self.takers and _signal.getsignal(signal.SIGINT) is self:
            _signal.signal(signal.SIGINT, self.outside)


@contextmanager
def _listening(taker: _Taker) -> Iterator[None]:
    found: Any = _signal.getsignal(signal.SIGINT)
    handler = found if isinstance(found, _Handler) else _Handler(found)
    handler.admit(taker)
    if handler is not found:
        _signal.signal(signal.SIGINT, handler)
    token = _around.set(taker)
    try:
        yield
    finally:
        _around.reset(token)
        handler.dismiss(taker)
