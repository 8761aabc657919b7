"""Which connection carries which request, on an event loop.

The pool of `httpcore2` looks at every connection whenever a request begins or ends, so that the work for each grows
with the number of chats at the same time. This one keeps the idle connections of each server on a stack: a request
takes the last, and nothing looks at the others. The connections themselves, through proxies as well, stay those of
`httpcore2`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpcore2

_Server = tuple[bytes, bytes, int]


class ConnectionPool:
    """Connections of one client on one loop. It takes the place of an `httpcore2.AsyncConnectionPool`.

    `connect` makes a connection that will open itself. At most `most` carry requests at the same time, others wait;
    at most `kept` more are idle, none that is used again for longer than `seconds`.
    """

    def __init__(self, connect: Callable[[httpcore2.Origin], Any], *, most: int, kept: int, seconds: float) -> None:
        self._connect = connect
        self._kept = kept
        self._seconds = seconds
        self._free = asyncio.Semaphore(most)
        self._busy: set[Any] = set()
        self._idle: dict[Any, tuple[_Server, float]] = {}  # in the order in which they became idle
        self._stacks: dict[_Server, list[Any]] = {}

    @property
    def connections(self) -> list[Any]:
        """All of them, whether they carry a request or not."""
        return [*self._busy, *self._idle]

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        """Send a request; its answer, once the headers have come. The connection is taken until the body is closed."""
        import httpcore2

        origin = request.url.origin
        server = (origin.scheme, origin.host, origin.port)
        await self._turn(request)
        connection = None
        try:
            connection = await self._idle_one(server) or self._connect(origin)
            self._busy.add(connection)
            response = await connection.handle_async_request(request)
        except BaseException:
            await self._take_back(connection, server)
            raise
        body = _Body(response.stream, lambda: self._take_back(connection, server))
        return httpcore2.Response(
            status=response.status, headers=response.headers, content=body, extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close all connections, those that carry a request too."""
        closing = self.connections
        self._kept = 0  # what is still connecting is closed when its request is over
        self._idle.clear()
        self._stacks.clear()
        await _close(closing)

    async def _turn(self, request: httpcore2.Request) -> None:
        """Wait until there may be one more."""
        if not self._free.locked():
            await self._free.acquire()
            return
        import httpcore2

        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("pool")):
                await self._free.acquire()
        except TimeoutError:
            raise httpcore2.PoolTimeout from None

    async def _idle_one(self, server: _Server) -> Any:
        """The connection that was in use last: the older ones grow old, and are closed."""
        await self._close_old()
        while stack := self._stacks.get(server):
            connection = stack[-1]
            self._forget(connection)
            if not connection.has_expired():  # which also tells whether the server has closed it
                return connection
            await _close([connection])
        return None

    async def _take_back(self, connection: Any, server: _Server) -> None:
        """A request is over. What cannot carry another one is closed."""
        self._busy.discard(connection)
        self._free.release()
        if connection is None or connection.is_closed():
            return
        if not connection.is_idle():
            await _close([connection])
            return
        self._idle[connection] = server, time.monotonic() + self._seconds
        self._stacks.setdefault(server, []).append(connection)
        await self._close_old()

    async def _close_old(self) -> None:
        """Close the idle ones that are too many or too old, the oldest first."""
        closing, now = [], time.monotonic()
        while self._idle:
            oldest = next(iter(self._idle))
            if len(self._idle) <= self._kept and self._idle[oldest][1] > now:
                break
            self._forget(oldest)
            closing.append(oldest)
        if closing:
            await _close(closing)

    def _forget(self, connection: Any) -> None:
        server, _ = self._idle.pop(connection)
        stack = self._stacks[server]
        if stack[-1] is connection:
            stack.pop()
        else:
            stack.remove(connection)
        if not stack:
            del self._stacks[server]


class _Body:
    """The body of an answer; closing it gives the connection back."""

    __slots__ = ("_inner", "_is_closed", "_then")

    def __init__(self, inner: Any, then: Callable[[], Any]) -> None:
        self._inner = inner
        self._then = then
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Read it. One that breaks gives its connection back at once: not every reader closes what has failed."""
        try:
            async for piece in self._inner:
                yield piece
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        import anyio

        with anyio.CancelScope(shield=True):
            try:
                await self._inner.aclose()
            finally:
                await self._then()


async def _close(connections: list[Any]) -> None:
    """Close them to the last, whoever is cancelled meanwhile. One that fails to close is gone all the same."""
    import anyio

    with anyio.CancelScope(shield=True):
        for connection in connections:
            with contextlib.suppress(Exception):
                await connection.aclose()
