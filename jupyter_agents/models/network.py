"""The network below the HTTP clients: every wait is bounded by the patience of the call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_agents.models.patience import arrived, bounded

if TYPE_CHECKING:
    import ssl

_LONGEST_JOINED = 64 * 1024


class _PatientStream:
    """A network stream of `httpcore2` whose waits are bounded by the patience of the call.

    What is written first after a read is held until the next write (or read), and goes out with it: headers and body of
    a request in one system call, as each costs a packet and wakes the server. A long body is not copied for it.
    """

    __slots__ = ("_held", "_inner", "get_extra_info")

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._held: bytes | None = None
        self.get_extra_info: Callable[[str], Any] = inner.get_extra_info

    def _due(self, buffer: bytes) -> list[bytes]:
        """What is to be written now, given what is written next."""
        if self._held is None:
            self._held = buffer
            return []
        held, self._held = self._held, b""
        pieces = [held + buffer] if len(buffer) <= _LONGEST_JOINED else [held, buffer]
        return list(filter(None, pieces))

    def _due_before_read(self) -> bytes:
        held, self._held = self._held, None
        return held or b""


class SyncStream(_PatientStream):
    """The stream of a thread."""

    __slots__ = ()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, or wait for it."""
        if due := self._due_before_read():
            self._inner.write(due, bounded(timeout))
        return arrived(self._inner.read(max_bytes, bounded(timeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write it, or hold it until the next write."""
        for due in self._due(buffer):
            self._inner.write(due, bounded(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> SyncStream:
        """Go on under TLS."""
        return SyncStream(self._inner.start_tls(ssl_context, server_hostname, bounded(timeout)))

    def close(self) -> None:
        """Close it."""
        self._inner.close()


class AsyncStream(_PatientStream):
    """The stream of an event loop."""

    __slots__ = ()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there, or wait for it."""
        if due := self._due_before_read():
            await self._inner.write(due, bounded(timeout))
        return arrived(await self._inner.read(max_bytes, bounded(timeout)))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write it, or hold it until the next write."""
        for due in self._due(buffer):
            await self._inner.write(due, bounded(timeout))

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> AsyncStream:
        """Go on under TLS."""
        return AsyncStream(await self._inner.start_tls(ssl_context, server_hostname, bounded(timeout)))

    async def aclose(self) -> None:
        """Close it."""
        await self._inner.aclose()


class SyncBackend:
    """Makes the streams of threads."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.sleep = inner.sleep

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> SyncStream:
        """Open a connection."""
        return SyncStream(self._inner.connect_tcp(host, port, timeout=bounded(timeout), **options))


class AsyncBackend:
    """Makes the streams of an event loop."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.sleep = inner.sleep

    async def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> AsyncStream:
        """Open a connection."""
        return AsyncStream(await self._inner.connect_tcp(host, port, timeout=bounded(timeout), **options))
