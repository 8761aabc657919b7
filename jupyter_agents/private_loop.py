"""A private event loop in a thread of its own, on which the synchronous driver awaits async callbacks.

The loop of the calling thread may be running already, as in a notebook, and cannot be entered a second time.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Awaitable
from concurrent.futures import Future, wait
from functools import cache
from typing import TypeVar

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.interrupts import TICK, ChatCancelled

T = TypeVar("T")


def await_elsewhere(awaitable: Awaitable[T]) -> T:
    """The value of an async callback, awaited on a private loop while this thread waits.

    The callback sees the caller's context variables. What is bound to the caller's loop cannot be awaited there.
    """
    outcome: Future[T] = Future()
    task: asyncio.Task[None] | None = None

    async def awaited() -> None:
        try:
            outcome.set_result(await awaitable)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread; here it would end the loop
            outcome.set_exception(error)

    def begin() -> None:
        nonlocal task
        task = loop.create_task(awaited(), context=context)

    depth = _depth_of_this_thread() + 1
    loop, context = _private_thread(depth).loop, contextvars.copy_context()
    try:
        loop.call_soon_threadsafe(begin)
        while not outcome.done():
            wait([outcome], TICK)
    except BaseException:
        loop.call_soon_threadsafe(lambda: task and task.cancel())
        _stop_blocks(depth)
        wait([outcome], TICK)  # for the end of what is being stopped, but not long
        raise
    try:
        return outcome.result()
    except ChatCancelled as stop:  # a chat of the callback was interrupted
        raise KeyboardInterrupt from stop
    except RuntimeError as error:
        if "different loop" not in str(error) and "different event loop" not in str(error):
            raise
        raise ConfigurationError(
            "Cannot await an object of this notebook's event loop in a synchronous call. "
            "Use the `a_` method instead, with `await` (for example `await agent.a_initiate_chat(…)`)."
        ) from error


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
