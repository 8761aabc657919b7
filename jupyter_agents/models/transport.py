"""The connections to model servers: shared, patient for so long and no longer, and read step by step.

The HTTP client has a time limit for each read, which a server that drips bytes never meets. Here a call has a
`Patience`, and the network layer below the client asks it before every wait, so that the limits hold exactly, in
connecting, in headers and in bodies, synchronously and on an event loop.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import math
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jupyter_agents.effects import Step
from jupyter_agents.errors import MalformedReplyError, ModelError, ModelTimeoutError
from jupyter_agents.known_secrets import hide_in_logs
from jupyter_agents.models.connections import ConnectionPool
from jupyter_agents.models.server_events import interrupted

if TYPE_CHECKING:
    import ssl

    import httpx2

T = TypeVar("T")

_CONNECT_SECONDS = 10.0
_KEEP_ALIVE_SECONDS = 30.0
_MAX_CONNECTIONS = 1000
_MAX_IDLE_CONNECTIONS = 100
_LONGEST_JOINED = 64 * 1024
_LONGEST_FRAMING = 16
_FRAMING = re.compile(rb"\r(?:\n(?:[0-9a-fA-F]{1,8}(?:\r\n?)?)?)?\Z")
"""The end of a chunk, and as much of the head of the next as may have come with it: nothing that could be read."""


# -- Patience ---------------------------------------------------------------------------------------------------


class Patience:
    """How long a call may still take: `seconds` in all, and `idle` seconds between two arrivals of bytes.

    The idle limit begins with the first byte of the body: a model may think for long before it speaks.
    """

    __slots__ = ("_deadline", "_idle", "_total", "arrived", "idle")

    def __init__(self, seconds: float, idle: float) -> None:
        self._total = seconds
        self._deadline = time.monotonic() + seconds
        self._idle = math.inf
        self.idle = idle
        self.arrived = b""
        """What came with the last read from the network, framing included."""

    def left(self) -> float:
        """Seconds until the call has taken too long."""
        return self._deadline - time.monotonic()

    def wait(self) -> float:
        """Seconds that the next wait for bytes may take."""
        return min(self._idle, self._deadline - time.monotonic())

    def begin_reply(self) -> None:
        """The first byte has come."""
        self._idle = self.idle

    def hurry(self, seconds: float) -> None:
        """What is still to come is no longer worth more than so many seconds."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def error(self, source: str) -> ModelTimeoutError:
        """The error to raise when a wait was too long."""
        if self.left() > 0 and self._idle < math.inf:
            what = f"nothing came for {self.idle:g} s in the middle of the reply. Ask again, or raise 'idle_timeout'."
        elif self.left() > 0:
            what = f"no connection within {_CONNECT_SECONDS:g} s. Check that the server is running."
        else:
            what = f"it took longer than {self._total:g} s. Ask again, or raise 'timeout'."
        return ModelTimeoutError(f"Cannot get a reply from {source}: {what}")


_patience: ContextVar[Patience | None] = ContextVar("jupyter_agents_patience", default=None)


def be_patient(patience: Patience | None) -> None:
    """Set the limits of all network waits of this thread or task; `None` lifts them."""
    _patience.set(patience)


def _bounded(timeout: float | None) -> float | None:
    patience = _patience.get()
    if patience is None:
        return timeout
    left = patience.wait()
    if left <= 0:
        import httpcore2

        raise httpcore2.ReadTimeout
    return left if timeout is None else min(left, timeout)


def _arrived(data: bytes) -> bytes:
    patience = _patience.get()
    if patience is not None:
        patience.arrived = data
    return data


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


class _SyncStream(_PatientStream):
    __slots__ = ()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if due := self._due_before_read():
            self._inner.write(due, _bounded(timeout))
        return _arrived(self._inner.read(max_bytes, _bounded(timeout)))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for due in self._due(buffer):
            self._inner.write(due, _bounded(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _SyncStream:
        return _SyncStream(self._inner.start_tls(ssl_context, server_hostname, _bounded(timeout)))

    def close(self) -> None:
        self._inner.close()


class _AsyncStream(_PatientStream):
    __slots__ = ()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if due := self._due_before_read():
            await self._inner.write(due, _bounded(timeout))
        return _arrived(await self._inner.read(max_bytes, _bounded(timeout)))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for due in self._due(buffer):
            await self._inner.write(due, _bounded(timeout))

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _AsyncStream:
        return _AsyncStream(await self._inner.start_tls(ssl_context, server_hostname, _bounded(timeout)))

    async def aclose(self) -> None:
        await self._inner.aclose()


class _SyncBackend:
    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.sleep = inner.sleep

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> _SyncStream:
        return _SyncStream(self._inner.connect_tcp(host, port, timeout=_bounded(timeout), **options))


class _AsyncBackend:
    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.sleep = inner.sleep

    async def connect_tcp(self, host: str, port: int, timeout: float | None = None, **options: Any) -> _AsyncStream:
        return _AsyncStream(await self._inner.connect_tcp(host, port, timeout=_bounded(timeout), **options))


def _transports(client: Any) -> list[Any]:
    """What is under a client: the direct way, and those through proxies. `httpx2` has no public way to them."""
    return [one for one in (client._transport, *client._mounts.values()) if one is not None]


def _patient(client: Any, backend: type[Any]) -> Any:
    """Put `backend` under a client. A test fails when the private way to do so changes."""
    for transport in _transports(client):
        transport._pool._network_backend = backend(transport._pool._network_backend)
    return client


def _pooled(client: Any) -> Any:
    """Put our pool under a client of a loop; that of `httpcore2` makes its connections."""
    for transport in _transports(client):
        connect = transport._pool.create_connection
        transport._pool = ConnectionPool(
            connect, most=_MAX_CONNECTIONS, kept=_MAX_IDLE_CONNECTIONS, seconds=_KEEP_ALIVE_SECONDS
        )
    return client


# -- Clients ----------------------------------------------------------------------------------------------------


def http_client(*, local: bool) -> httpx2.Client:
    """The one HTTP client of this process; `local` for the one that reaches this machine with plain HTTP."""
    import httpx2

    hide_in_logs("httpx2", "openai._base_client")

    def make() -> httpx2.Client:
        client = httpx2.Client(**_options(local=local))
        atexit.register(client.close)
        return cast(httpx2.Client, _patient(client, _SyncBackend))

    return of_this_process(("http", local), make)


async def a_http_client(*, local: bool) -> httpx2.AsyncClient:
    """The one HTTP client of the running loop. It is closed when the loop shuts down its generators."""
    lifetime = of_this_loop(("http", local), lambda: _lifetime(local=local))
    try:
        return await anext(lifetime)
    except StopAsyncIteration:  # a loop that runs on after its shutdown
        _of_loops.pop(asyncio.get_running_loop())
        return await a_http_client(local=local)


async def _lifetime(*, local: bool) -> AsyncIterator[httpx2.AsyncClient]:
    """A client for as long as the loop lives: `asyncio.run` closes the generators of its loop, and so this one."""
    import httpx2

    hide_in_logs("httpx2", "openai._base_client")
    client = _pooled(_patient(httpx2.AsyncClient(**_options(local=local)), _AsyncBackend))
    try:
        while True:
            yield client
    finally:
        await client.aclose()


def _options(*, local: bool) -> dict[str, Any]:
    """No redirects: they would carry the conversation to another host. Local servers are reached past all proxies."""
    import httpx2

    return {
        "timeout": httpx2.Timeout(600.0, connect=_CONNECT_SECONDS),
        "limits": httpx2.Limits(
            max_connections=_MAX_CONNECTIONS,
            max_keepalive_connections=_MAX_IDLE_CONNECTIONS,
            keepalive_expiry=_KEEP_ALIVE_SECONDS,
        ),
        "follow_redirects": False,
        "trust_env": not local,
        "verify": _certificates(local=local),
    }


@functools.cache
def _certificates(*, local: bool) -> ssl.SSLContext:
    """Made once: loading the certificate authorities takes most of the time in which a client is made."""
    import httpx2

    return httpx2.create_ssl_context(verify=not local)


_of_process: dict[Hashable, Any] = {}
_of_loops: dict[asyncio.AbstractEventLoop, dict[Hashable, Any]] = {}


def of_this_process(key: Hashable, make: Callable[[], T]) -> T:
    """What was made for synchronous calls under this key."""
    if key not in _of_process:
        _of_process[key] = make()
    return cast(T, _of_process[key])


def of_this_loop(key: Hashable, make: Callable[[], T]) -> T:
    """What was made for the running loop under this key. It is forgotten when the loop is closed."""
    loop = asyncio.get_running_loop()
    made = _of_loops.get(loop)
    if made is None:
        for other in [other for other in _of_loops if other.is_closed()]:
            del _of_loops[other]
        made = _of_loops[loop] = {}
    if key not in made:
        made[key] = make()
    return cast(T, made[key])


def forget_clients() -> None:
    """Start anew with connections, as the child of a fork must: two processes cannot read from one socket."""
    _of_process.clear()
    _of_loops.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_clients)


# -- Reading ----------------------------------------------------------------------------------------------------


class Incoming:
    """A response whose body is still to be read."""

    __slots__ = ("headers", "patience", "response", "source")

    def __init__(self, response: httpx2.Response, patience: Patience, source: str) -> None:
        self.response = response
        self.patience = patience
        self.source = source
        self.headers = {name.lower(): value for name, value in response.headers.raw}  # each look-up there costs more

    @property
    def content_type(self) -> str:
        """What the body claims to be, without parameters."""
        return self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")

    @property
    def is_packed(self) -> bool:
        """Whether the body has to be decompressed."""
        return b"content-encoding" in self.headers

    def abandon(self) -> None:
        """Close without waiting, whatever the state: for an interrupt, after which nothing is awaited."""
        if self.response.is_closed:
            return
        if not self.is_async:
            self.response.close()
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # the connection has gone with its loop
            return
        task = loop.create_task(self.response.aclose())
        _closing.add(task)
        task.add_done_callback(_closed)

    @property
    def is_async(self) -> bool:
        """Whether it was opened on an event loop."""
        return not hasattr(self.response.stream, "__iter__")

    def failure(self, error: Exception) -> ModelError:
        """What went wrong in a read, as an error of this package."""
        import httpx2

        if isinstance(error, httpx2.TimeoutException):
            return self.patience.error(self.source)
        if isinstance(error, httpx2.DecodingError):
            return MalformedReplyError(
                f"Cannot read the reply of {self.source}: its compression is damaged. Ask again, or check the proxy."
            )
        return interrupted(self.source, f"the connection broke ({type(error).__name__})")


_closing: set[asyncio.Task[None]] = set()


def _closed(task: asyncio.Task[None]) -> None:
    _closing.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, so that the loop does not report it: the connection is given up anyway


class Read(Step[bytes]):
    """The next bytes of the body, all that are at hand; `b""` at its end. Made once for an answer, and awaited until the end."""

    __slots__ = ("_answer", "_arrived", "_broken", "_pieces", "_told")

    def __init__(self, answer: Incoming) -> None:
        self._answer = answer
        self._pieces: Any = None
        self._arrived = self._told = b""
        self._broken: Exception | None = None

    def perform(self) -> bytes:
        """Read from the socket."""
        answer, taken = self._begin()
        try:
            if self._pieces is None:
                response = answer.response
                self._pieces = response.iter_bytes() if answer.is_packed else iter(cast(Any, response.stream))
            while self._goes_on(taken, next(self._pieces, b"")):
                pass
        except Exception as error:  # noqa: BLE001 - whatever the layers below raise, the reply is broken
            self._broken = error
        finally:
            _patience.set(None)
        return self._whole(taken)

    async def a_perform(self) -> bytes:
        """Read on the running loop."""
        answer, taken = self._begin()
        try:
            if self._pieces is None:
                response = answer.response
                self._pieces = response.aiter_bytes() if answer.is_packed else aiter(cast(Any, response.stream))
            while self._goes_on(taken, await anext(self._pieces, b"")):
                pass
        except Exception as error:  # noqa: BLE001 - see perform()
            self._broken = error
        finally:
            _patience.set(None)
        return self._whole(taken)

    def _begin(self) -> tuple[Incoming, list[bytes]]:
        if self._broken:
            raise self._answer.failure(self._broken)
        _patience.set(self._answer.patience)
        return self._answer, []

    def _goes_on(self, taken: list[bytes], piece: bytes) -> bool:
        """Take a piece; whether more of what arrived with it is at hand, so that asking for it waits for nothing."""
        if not piece:
            return False
        taken.append(piece)
        arrived = self._answer.patience.arrived
        if len(taken) == 1:
            self._arrived, framing = arrived, _FRAMING.search(arrived, max(len(arrived) - _LONGEST_FRAMING, 0))
            self._told = arrived[: framing.start()] if framing else arrived
        is_last = self._answer.is_packed or arrived.endswith(piece) or self._told.endswith(piece)
        return not is_last and arrived is self._arrived

    def _whole(self, taken: list[bytes]) -> bytes:
        """What was taken. An error stands behind what came before it: it is raised when that has been read."""
        if self._broken and not taken:
            raise self._answer.failure(self._broken) from None
        patience = self._answer.patience
        patience.begin_reply()
        if taken and patience.left() <= 0:
            raise patience.error(self._answer.source)
        return taken[0] if len(taken) == 1 else b"".join(taken)


class Close(Step[None]):
    """Give the connection back; when the body was not read to its end, it is closed."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Incoming) -> None:
        self._answer = answer

    def perform(self) -> None:
        """Close it here and now."""
        self._answer.response.close()

    async def a_perform(self) -> None:
        """Close it on the running loop."""
        await self._answer.response.aclose()
