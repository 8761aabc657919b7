"""A private event loop in a thread of its own, on which the synchronous driver awaits async callbacks.

The loop of the calling thread may be running already, as in a notebook, and cannot be entered a second time.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import os
import threading
from collections.abc import Awaitable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import cache
from typing import Any, Generic, TypeVar

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.interrupts import TICK, ChatCancelled

T = TypeVar("T")


def await_elsewhere(awaitable: Awaitable[T]) -> T:
    """The value of an async callback, awaited on a private loop while this thread waits.

    The callback sees the caller's context variables. What is bound to the caller's loop cannot be awaited there.
    """
    elsewhere = Elsewhere(awaitable)
    try:
        elsewhere.begin()
        wait_for_one([elsewhere])
    except BaseException:
        elsewhere.stop()
        raise
    return elsewhere.value()


class Elsewhere(Generic[T]):
    """An async callback that is awaited on a private loop, once it has begun."""

    def __init__(self, awaitable: Awaitable[T]) -> None:
        self._awaitable = awaitable
        self.outcome: Future[T] = Future()
        self._task: asyncio.Task[None] | None = None
        self._depth = _depth_of_this_thread() + 1
        self._loop, self._context = _private_thread(self._depth).loop, contextvars.copy_context()

    def begin(self) -> None:
        """Begin to await it."""
        self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._awaited(), context=self._context)
        self._task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task that was cancelled before it began has awaited nothing."""
        if inspect.iscoroutine(self._awaitable):
            self._awaitable.close()
        if not self.outcome.done():
            self.outcome.set_exception(asyncio.CancelledError())

    async def _awaited(self) -> None:
        try:
            self.outcome.set_result(await self._awaitable)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread; here it would end the loop
            self.outcome.set_exception(error)

    def stop(self) -> None:
        """Cancel it, and wait for its end, but not long."""
        self._loop.call_soon_threadsafe(lambda: self._task and self._task.cancel())
        _stop_blocks(self._depth)
        wait([self.outcome], TICK)

    def value(self) -> T:
        """What came of it, once it has ended."""
        try:
            return self.outcome.result()
        except ChatCancelled as stop:  # a chat of the callback was interrupted
            raise KeyboardInterrupt from stop
        except RuntimeError as error:
            if "different loop" not in str(error) and "different event loop" not in str(error):
                raise
            raise ConfigurationError(
                "Cannot await an object of this notebook's event loop in a synchronous call. "
                "Use the `a_` method instead, with `await` (for example `await agent.a_initiate_chat(…)`)."
            ) from error


def wait_for_one(some: Iterable[Elsewhere[Any]]) -> None:
    """Wait until one of them has ended, waking up often enough to notice an interrupt."""
    outcomes = [one.outcome for one in some]
    while not any(outcome.done() for outcome in outcomes):
        wait(outcomes, TICK, FIRST_COMPLETED)


class _LoopThread(threading.Thread):
    """The thread of a private loop. A callback there that starts a chat of its own awaits callbacks on the next one."""

    def __init__(self, depth: int) -> None:
        super().__init__(name=f"jupyter-agents-callbacks-{depth}", daemon=True)
        self.depth = depth
        self.loop = asyncio.new_event_loop()

    def run(self) -> None:
        self.loop.run_forever()


def _depth_of_this_thread() -> int:
    thread = threading.current_thread()
    return thread.depth if isinstance(thread, _LoopThread) else 0


@cache
def _private_thread(depth: int) -> _LoopThread:
    thread = _LoopThread(depth)
    thread.start()
    return thread


def _stop_blocks(depth: int) -> None:
    """Stop the code that chats of callbacks run, in the private thread of this depth and those below it."""
    from jupyter_agents.executors.stopping import stop_running_block

    for thread in threading.enumerate():
        if isinstance(thread, _LoopThread) and thread.depth >= depth and thread.ident is not None:
            stop_running_block(thread.ident)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_private_thread.cache_clear)  # the threads of the loops stay with the parent
