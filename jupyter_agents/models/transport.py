"""The HTTP clients that reach model servers: one for this process, one for each event loop, shared by all models."""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
from collections.abc import AsyncIterator, Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jupyter_agents.known_secrets import hide_in_logs
from jupyter_agents.models.connections import ConnectionPool
from jupyter_agents.models.network import AsyncBackend, SyncBackend
from jupyter_agents.models.patience import CONNECT_SECONDS

if TYPE_CHECKING:
    import ssl

    import httpx2

T = TypeVar("T")

_KEEP_ALIVE_SECONDS = 30.0
_MAX_CONNECTIONS = 1000
_MAX_IDLE_CONNECTIONS = 100


def http_client(*, local: bool) -> httpx2.Client:
    """The one HTTP client of this process; `local` for the one that reaches this machine with plain HTTP."""
    import httpx2

    hide_in_logs("httpx2", "openai._base_client")

    def make() -> httpx2.Client:
        client = httpx2.Client(**_options(local=local))
        atexit.register(client.close)
        return cast(httpx2.Client, _patient(client, SyncBackend))

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
    client = _pooled(_patient(httpx2.AsyncClient(**_options(local=local)), AsyncBackend))
    try:
        while True:
            yield client
    finally:
        await client.aclose()


def _options(*, local: bool) -> dict[str, Any]:
    """No redirects: they would carry the conversation to another host. Local servers are reached past all proxies."""
    import httpx2

    return {
        "timeout": httpx2.Timeout(600.0, connect=CONNECT_SECONDS),
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
