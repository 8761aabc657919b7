"""An event loop on a thread of its own, and how another thread waits for what it does there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from typing import Any, TypeVar

T = TypeVar("T")

_TICK = 0.2
"""Seconds between two wake-ups of a waiting thread: a kernel's main thread notices an interrupt only then."""


class LoopThread(threading.Thread):
    """A daemon thread that runs an event loop until `stop`."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._loop = asyncio.new_event_loop()

    def run(self) -> None:
        """Run the loop, and afterwards end what is left on it."""
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(_end_others())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """The future value of a coroutine that runs here. To cancel the future cancels the coroutine."""
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:  # the loop is closed
            coroutine.close()
            raise

    def stop(self) -> None:
        """Let the loop end; does not wait for it. What still runs is cancelled."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def wait(future: Future[T]) -> T:
    """The future's value, waited for in ticks. An interrupt is noticed at once and cancels what is waited for."""
    try:
        while not future.done():
            wait_for([future], _TICK)
    except BaseException:
        future.cancel()
        raise
    return future.result()
