"""Stopping a block: a person's interrupt, and an advisory limit of time.

A signal handler may raise only while the code of a block is running. In between, in IPython's code or ours, an
exception would leave a half-restored shell behind, and inside the event loop it would end the kernel.
"""

from __future__ import annotations

import _thread
import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import Any, TypeVar

T = TypeVar("T")

_AGAIN = 1.0  # seconds after which code that swallowed the time-out, or an interrupt, is told again
_ARRIVAL = 0.5  # seconds within which a signal has arrived, unless the block has seen to it that it never does
_TICK = 0.001
_SLOW = 0.1


class BlockTimeout(BaseException):
    """The time of a block is over. Not an `Exception`: `except Exception` in the block must not swallow it."""


class Stopper:
    """What happens to a block while its signal handlers are ours.

    `breakable` are the functions under which an exception may be raised, `guarded` those that call them: a handler
    looks up the stack for whichever comes first. `is_ours` says whether the code that runs in this thread right now
    belongs to the block: while it awaits, a cell of the user may run.

    Of a block that a person has stopped, `interrupted` is true when its chat is to end as well, else `told`.
    """

    def __init__(
        self, *, breakable: Iterable[Any], guarded: Iterable[Any], is_ours: Callable[[], bool] = lambda: True
    ) -> None:
        self.interrupted = False
        self.told = False
        self.timed_out = False
        self._breakable, self._guarded = _codes(breakable), _codes(guarded)
        self._is_ours = is_ours
        self._task: asyncio.Task[Any] | None = None
        self._outer = _around.get()
        self._owners = _owners.get()
        self._thread = threading.get_ident()
        self._is_main = threading.current_thread() is threading.main_thread()
        self._lock = threading.Lock()
        self._is_reachable = False
        self._wish: bool | None = None  # the chat is to end (or not): for the handler of the signal on its way
        self._told_at = -_AGAIN
        self._has_heard = False  # of the last interrupt

    @property
    def has_stopped(self) -> bool:
        """Whether somebody, or the clock, has told the block to stop."""
        return self.interrupted or self.told or self.timed_out

    @contextmanager
    def watching(self, timeout: float | None) -> Iterator[None]:
        """Have the signal handlers, and a limit of seconds. Only the main thread has signals; elsewhere a clock of ours ticks."""
        if not self._is_main:
            with self._known(), self._timed(timeout):
                yield
            return
        before = signal.signal(signal.SIGINT, self._on_interrupt)
        try:
            limited = self._limited if hasattr(signal, "setitimer") else self._timed
            with self._known(), limited(timeout):
                yield
        finally:
            self._await_signal()
            signal.signal(signal.SIGINT, before)

    @contextmanager
    def cancelling(self, task: asyncio.Task[Any]) -> Iterator[None]:
        """Cancel `task` when the block is to stop while it awaits."""
        self._task = task
        try:
            yield
        finally:
            self._task = None

    @contextmanager
    def _known(self) -> Iterator[None]:
        _under_way.append(self)
        token = _around.set(self)
        try:
            yield
        finally:
            _around.reset(token)
            _under_way.remove(self)

    def is_of(self, thread: int | None, owner: object) -> bool:
        """Whether it runs in this thread, in a chat of this owner or one that such a chat has started."""
        return thread in (None, self._thread) and (owner is None or any(one is owner for one in self._owners))

    def reachably(self, run: Callable[[], T]) -> T:
        """The value of `run()`, which another thread may interrupt with `interrupt_block`."""
        try:
            self._is_reachable = True
            if self.has_stopped:  # in the moment between the handlers and the code
                raise KeyboardInterrupt
            return run()
        finally:
            self._leave()

    def _leave(self) -> None:
        while True:
            try:
                with self._lock:
                    self._is_reachable = False
                return
            except (KeyboardInterrupt, BlockTimeout):  # sent in this very moment, and it is sent only once
                continue

    def _await_signal(self) -> None:
        """Let a signal that has been sent arrive while the handler is ours: the next one ends the user's cell."""
        with self._lock:  # a sender holds it until it has sent
            self._is_reachable = False
        deadline = time.monotonic() + _ARRIVAL
        while self._wish is not None and time.monotonic() < deadline:
            time.sleep(_TICK)
        self._wish = None

    # -- Being told ---------------------------------------------------------------------------------------------------

    def interrupt(self, *, ends_chat: bool) -> bool:
        """Interrupt the block, from any thread, as soon as its code can be; whether it was under way."""
        self._has_heard = False
        if self not in _under_way:
            return False
        if not self._tell(ends_chat):
            name = "jupyter-agents-interrupt"
            threading.Thread(target=self._insist, args=(ends_chat,), name=name, daemon=True).start()
        return True

    def _insist(self, ends_chat: bool) -> None:
        """Tell again until the block has noticed or ended: its code may not quite have begun."""
        pause = _TICK
        while not self._has_heard and self in _under_way:
            time.sleep(pause)
            pause = min(2 * pause, _SLOW)
            if self._has_heard or self._tell(ends_chat):
                return

    def _tell(self, ends_chat: bool) -> bool:
        """Whether the block needs no more telling. Its thread cannot leave the code meanwhile: it needs the lock."""
        with self._lock:
            task = self._task
            is_ours = self._is_main and signal.getsignal(signal.SIGINT) == self._on_interrupt
            if task is not None and not (is_ours and _is_executing(task)):
                self._cancel(ends_chat)
                return True
            if task is None and not self._is_reachable:
                return False
            return self._signal(ends_chat) if is_ours else self._raise_there(ends_chat)

    def _tell_time(self) -> bool:
        """The same when its time is over."""
        with self._lock:
            task = self._task
            if task is not None and not _is_executing(task):
                self._cancel(None)
                return True
            return (task is not None or self._is_reachable) and self._raise_there(None)

    def _signal(self, ends_chat: bool) -> bool:
        is_on_its_way = self._wish is not None
        self._wish = ends_chat or self._wish is True
        if not is_on_its_way:
            _interrupt_main()
        return self._has_heard

    def _raise_there(self, ends_chat: bool | None) -> bool:
        """Raise it in the thread of the block; `None` when its time is over."""
        is_late = time.monotonic() - self._told_at < _AGAIN  # the last one may be on its way still
        if is_late or not self._is_in_block(sys._current_frames().get(self._thread)):
            return False
        self._told_at = time.monotonic()
        if ends_chat is None:
            return _raise_in(self._thread, BlockTimeout)
        self._note(ends_chat)
        return _raise_in(self._thread, KeyboardInterrupt)

    def _cancel(self, ends_chat: bool | None) -> None:
        """Cancel what awaits; `None` when it is not a person who stops the block, but the clock."""
        task = self._task
        if task is None:
            return

        def cancel() -> None:
            is_done = ends_chat is not None and self._has_heard
            if not is_done and task.cancel() and ends_chat is not None:
                self._note(ends_chat)

        task.get_loop().call_soon_threadsafe(cancel)  # wakes the loop, unlike call_soon

    def _note(self, ends_chat: bool) -> None:
        self._has_heard = True
        if ends_chat:
            self.interrupted = True
        else:
            self.told = True

    def end_chats(self) -> None:
        """Note the interrupt here, and in the blocks that have started the chat whose block this is."""
        stopper: Stopper | None = self
        while stopper is not None:
            stopper.interrupted = True
            stopper = stopper._outer

    # -- Signals ------------------------------------------------------------------------------------------------------

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        """The kernel's interrupt, which ends the chat and means whatever runs; or what `tell` has sent."""
        wish, self._wish = self._wish, None
        if wish is True:
            self.end_chats()
        if wish is None:
            _end_all_of_main()
            self._has_heard = False
            self._stop(frame, KeyboardInterrupt, True)
        elif self._is_ours_in(frame):
            self._note(wish)
            raise KeyboardInterrupt
        else:
            self._cancel(wish)

    def _on_alarm(self, number: int, frame: FrameType | None) -> None:
        self.timed_out = True
        if self._is_ours():
            self._stop(frame, BlockTimeout, None)
        else:
            self._cancel(None)

    def _stop(self, frame: FrameType | None, error: type[BaseException], ends_chat: bool | None) -> None:
        if self._is_in_block(frame):
            raise error
        self._cancel(ends_chat)

    def _is_ours_in(self, frame: FrameType | None) -> bool:
        is_begun = self._is_reachable or self._task is not None
        return is_begun and self._is_in_block(frame) and self._is_ours()

    @contextmanager
    def _timed(self, timeout: float | None) -> Iterator[None]:
        """Have a thread of ours tell the block when its time is over: where it runs there are no signals."""
        if timeout is None:
            yield
            return
        has_ended = threading.Event()
        name = "jupyter-agents-time-limit"
        threading.Thread(target=self._count_down, args=(timeout, has_ended), name=name, daemon=True).start()
        try:
            yield
        finally:
            has_ended.set()

    def _count_down(self, seconds: float, has_ended: threading.Event) -> None:
        if has_ended.wait(seconds):
            return
        self.timed_out = True
        while not has_ended.wait(_AGAIN if self._tell_time() else _SLOW):
            continue

    @contextmanager
    def _limited(self, timeout: float | None) -> Iterator[None]:
        if timeout is None:
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

    def _is_in_block(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code in self._breakable:
                return True
            if frame.f_code in self._guarded:
                return False
            frame = frame.f_back
        return False


_under_way: list[Stopper] = []
"""The blocks under way, the innermost last."""

_around: ContextVar[Stopper | None] = ContextVar("jupyter_agents_block_around", default=None)
"""The block that has started the code here."""

_owners: ContextVar[tuple[object, ...]] = ContextVar("jupyter_agents_owners", default=())


@contextmanager
def use_owner(owner: object) -> Iterator[None]:
    """Have the blocks that are executed within belong to `owner` (a chat), for `interrupt_block` to know them by.

    Blocks of chats that they start belong to it as well, and to the owners of their own.
    """
    token = _owners.set((*_owners.get(), owner))
    try:
        yield
    finally:
        _owners.reset(token)


def is_block_under_way() -> bool:
    """Whether any block runs now."""
    return bool(_under_way)


def interrupt_block(thread: int | None = None, *, ends_chat: bool, owner: object = None) -> bool:
    """Interrupt the block that runs now, from whichever thread; whether there was one.

    Its chat goes on, with a result that says so (exit code 130), unless `ends_chat`: then `execute` raises
    `KeyboardInterrupt`, in the blocks that have started this chat as well. Of blocks within each other it is the
    innermost; with `thread`, the innermost of that thread (its `ident`); with `owner`, of what `use_owner` has marked as
    its own: several chats may share a thread.

    In the main thread a block is woken from a sleep (not on Windows), and one that awaits is cancelled anywhere. In
    other threads code notices at its next instruction of Python. What computes in C ends first. Code that catches the
    interrupt and goes on can be told again. Nothing but a block is ever hit: neither a cell of the user that begins in
    this moment, nor one that runs while the block awaits.
    """
    stopper = _innermost(thread, owner)
    if stopper is None or not stopper.interrupt(ends_chat=ends_chat):
        return False
    if ends_chat:
        stopper.end_chats()
    return True


def stop_running_block(thread: int) -> bool:
    """Interrupt the block of a thread (its `ident`) that is not the main one; its own chat ends, no other.

    Gives back whether there was one to tell.
    """
    stopper = None if thread == threading.main_thread().ident else _innermost(thread)
    return stopper is not None and stopper.interrupt(ends_chat=True)


def _innermost(thread: int | None, owner: object = None) -> Stopper | None:
    return next((one for one in reversed(_under_way) if one.is_of(thread, owner)), None)


def _end_all_of_main() -> None:
    for stopper in _under_way:
        if stopper._is_main:
            stopper.interrupted = True


def _is_executing(task: asyncio.Task[Any]) -> bool:
    """Whether the code of the task runs right now, rather than wait for its turn."""
    return asyncio.current_task(task.get_loop()) is task


def _interrupt_main() -> None:
    if os.name == "posix":
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # wakes it from a system call
    else:
        _thread.interrupt_main()


def _raise_in(thread: int, error: type[BaseException]) -> bool:
    import ctypes

    return bool(ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error)))


def _codes(functions: Iterable[Any]) -> frozenset[CodeType]:
    return frozenset(function.__code__ for function in functions)
