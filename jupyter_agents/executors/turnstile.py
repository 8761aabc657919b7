"""One block at a time: two chats in one kernel share its namespace, its streams and its working directory."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from jupyter_agents.errors import ExecutorError

_TICK = 0.05


class _Holder:
    """Who runs a block."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()


_inside: ContextVar[_Holder | None] = ContextVar("jupyter_agents_block", default=None)


class Turnstile:
    """A lock that what runs inside a block (a chat that its code starts) passes freely."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: _Holder | None = None

    def is_inside(self) -> bool:
        """Whether this code was started by the block that runs now."""
        return self._holder is not None and self._holder is _inside.get()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for the turn, blocking the thread.

        Raises `ExecutorError` where that would be for ever: the block that runs awaits something on this very thread.
        """
        while not self._try():
            self._check_thread()
            time.sleep(_TICK)
        with self._inside():
            yield

    @asynccontextmanager
    async def a_hold(self) -> AsyncIterator[None]:
        """Wait for the turn, leaving the event loop free."""
        while not self._try():
            await asyncio.sleep(_TICK)
        with self._inside():
            yield

    def _try(self) -> bool:
        with self._lock:
            if self._holder is None:
                self._holder = _Holder()
                return True
            return self._holder is _inside.get()

    @contextmanager
    def _inside(self) -> Iterator[None]:
        outer = _inside.get()
        is_nested = outer is not None and outer is self._holder
        token = _inside.set(self._holder)
        try:
            yield
        finally:
            _inside.reset(token)
            if not is_nested:
                self._holder = None

    def _check_thread(self) -> None:
        holder = self._holder
        if holder is not None and holder.thread == threading.get_ident():
            raise ExecutorError(
                "Cannot run the block: another block of this kernel is still awaiting something, and a synchronous "
                "chat would wait for it for ever. Use `await agent.a_initiate_chat(…)`."
            )
