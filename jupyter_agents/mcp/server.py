"""A server as users and agents have it: it is started when it is needed, and again when it has crashed."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Collection, Coroutine, Iterable, Mapping
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Any, Self, TypeVar

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.mcp.connection import Connection, NotSent
from jupyter_agents.mcp.descriptions import (
    accepted,
    description_of,
    free_name,
    parameters_of,
    validator_of,
    wire_names,
)
from jupyter_agents.mcp.loop_thread import LoopThread, wait
from jupyter_agents.mcp.results import MCPResult, MCPToolError
from jupyter_agents.mcp.transports import Http, Stdio, Transport
from jupyter_agents.tools import Tool

T = TypeVar("T")

CONNECT_TIMEOUT = 10.0
"""Seconds for a server to start and answer the handshake."""

CALL_TIMEOUT = 60.0
"""Seconds for a tool to answer."""

_MAX_RESTARTS, _PER_SECONDS = 3, 60.0
_FAREWELL = 15.0  # seconds to wait for a server to end: those of its connection, and of its process


class MCPServer:
    """A server of the Model Context Protocol, with `tools` for agents.

    It is started at the first use or by `with`, and ends with `close()`, `with`, or the interpreter. A server that has
    crashed is started again at the next call, at most three times a minute; the call during which it crashed is not
    repeated. What its tools answer comes from outside, so they are `external`.

    >>> server = MCPServer.stdio("python", ["weather.py"], env={"API_KEY": "not shown"})
    >>> server
    <MCPServer 'weather' (python), not started>
    """

    def __init__(
        self,
        transport: Transport,
        *,
        name: str | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        timeout: float = CALL_TIMEOUT,
    ) -> None:
        self.name = name or transport.default_name
        self._transport = transport
        self._connect_timeout = _seconds(connect_timeout, "connect_timeout")
        self._timeout = _seconds(timeout, "timeout")
        self._connection: Connection | None = None
        self._tools: list[Tool] = []
        self._own_names: dict[str, str] = {}
        self._restarts: deque[float] = deque(maxlen=_MAX_RESTARTS)
        self._thread: LoopThread | None = None
        self._turns = asyncio.Lock()  # only one coroutine at a time starts it
        self._lock = threading.Lock()  # only one thread at a time makes the thread
        self._has_started = self._is_closed = False

    @classmethod
    def stdio(
        cls,
        command: str | os.PathLike[str],
        args: Iterable[str | os.PathLike[str]] = (),
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        name: str | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        timeout: float = CALL_TIMEOUT,
    ) -> Self:
        """A server that is a process of ours. It sees `env`, and of our environment only what every program needs."""
        if isinstance(args, str):
            raise ConfigurationError(f"Cannot make an MCP server: args is the text {args!r}. Pass a list of arguments.")
        folder = None if cwd is None else os.fspath(cwd)
        transport = Stdio(os.fspath(command), tuple(os.fspath(one) for one in args), dict(env or {}), folder)
        return cls(transport, name=name, connect_timeout=connect_timeout, timeout=timeout)

    @classmethod
    def http(
        cls,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        name: str | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        timeout: float = CALL_TIMEOUT,
    ) -> Self:
        """A server that runs at an address, over streamable HTTP. `headers` go with every request."""
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(
                "Cannot make an MCP server: the address does not begin with http:// or https://. "
                "Pass it whole, for example 'http://127.0.0.1:8000/mcp'."
            )
        return cls(Http(url, dict(headers or {})), name=name, connect_timeout=connect_timeout, timeout=timeout)

    # -- Beginning and end --------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Start or connect to the server now, if it does not run, and read its tools.

        Raises `ConfigurationError` with the reason and the server's last words.
        """
        wait(self._run(self._start_by_hand()))
        return self

    async def a_start(self) -> Self:
        """The same without blocking the event loop."""
        await asyncio.wrap_future(self._run(self._start_by_hand()))
        return self

    def close(self) -> None:
        """End the session and the process. Calls of its tools fail from now on, until `start()`."""
        with self._lock:
            self._is_closed = True
            thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():  # after a fork it is not: the server belongs to the parent
            self._end(thread)

    async def a_close(self) -> None:
        """The same without blocking the event loop."""
        await asyncio.to_thread(self.close)

    def _end(self, thread: LoopThread) -> None:
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                thread.submit(connection.close()).result(_FAREWELL)
        finally:
            thread.stop()
            thread.join(_FAREWELL)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return await self.a_start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.a_close()

    @property
    def is_running(self) -> bool:
        """Whether there is a session with the server, as far as it is known."""
        return self._connection is not None and not self._connection.is_over

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "ended" if self._has_started else "not started"
        return f"<MCPServer {self.name!r} ({self._transport.address}), {'running' if self.is_running else state}>"

    # -- Its tools ----------------------------------------------------------------------------------------------------

    @property
    def tools(self) -> list[Tool]:
        """The server's tools as they are now. Starts it if it was never started; reads them anew if they changed."""
        if not self._is_closed and not self._has_started:
            self.start()
        if self.is_running and self._connection is not None and self._connection.is_stale:
            wait(self._run(self._read_tools(self._connection)))
        return list(self._tools)

    @property
    def tool_map(self) -> dict[str, Tool]:
        """The tools by name."""
        return {tool.name: tool for tool in self.tools}

    def tools_for(self, taken: Collection[str]) -> list[Tool]:
        """The tools as an agent is given them that has others already, whose names are `taken`."""
        return tools_of(self, taken=taken)

    def replaces(self, other: Any) -> bool:
        """Whether it is the same server: this one, or one of this name that is started or reached in the same way."""
        is_server = isinstance(other, MCPServer)
        return other is self or (is_server and (other.name, other._transport) == (self.name, self._transport))

    def call(self, tool: str, /, **arguments: Any) -> MCPResult:
        """What a tool answers. Raises `MCPToolError`, whose text is meant for a model."""
        return wait(self._submit_call(tool, arguments))

    async def a_call(self, tool: str, /, **arguments: Any) -> MCPResult:
        """The same without blocking the event loop; to cancel it cancels the call at the server."""
        return await asyncio.wrap_future(self._submit_call(tool, arguments))

    def _submit_call(self, tool: str, arguments: Mapping[str, Any]) -> Future[MCPResult]:
        if self._is_closed:
            raise MCPToolError(f"The MCP server {self.name!r} is closed. Only a person can start it again.")
        return self._run(self._call(tool, arguments))

    # -- What runs on the thread --------------------------------------------------------------------------------------

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            self._is_closed = False
            if self._thread is None or not self._thread.is_alive():
                self._thread = self._new_thread()
            return self._thread.submit(coroutine)

    def _new_thread(self) -> LoopThread:
        thread = LoopThread(f"jupyter-agents-mcp-{self.name}")
        self._connection, self._turns = None, asyncio.Lock()
        thread.start()
        weakref.finalize(self, thread.stop).atexit = False  # at exit it is closed in order
        _started.add(self)
        return thread

    async def _start_by_hand(self) -> None:
        async with self._turns:
            self._restarts.clear()
            if not self.is_running:
                await self._open()

    async def _restart(self) -> Connection:
        """A connection that is not over: this one, if another call has opened it meanwhile, or a new one."""
        async with self._turns:
            if self._connection is not None and not self._connection.is_over:
                return self._connection
            if self._has_started:
                self._count_restart()
            return await self._open()

    async def _open(self) -> Connection:
        _check_installed()
        connection = self._connection = Connection(self._transport, self.name, self._connect_timeout)
        await connection.open()
        await self._read_tools(connection)
        self._has_started = True
        return connection

    def _count_restart(self) -> None:
        now = time.monotonic()
        if len(self._restarts) == _MAX_RESTARTS and now - self._restarts[0] < _PER_SECONDS:
            raise ConfigurationError(
                f"Cannot start the MCP server {self.name!r}: it has ended {_MAX_RESTARTS} times within a minute. "
                "Mend it, then call its start()."
            )
        self._restarts.append(now)

    async def _read_tools(self, connection: Connection) -> None:
        found = await connection.tools()
        by_name = {tool.name: tool for tool in found}
        self._own_names = wire_names(by_name)
        self._tools = [self._tool(name, by_name[own]) for name, own in self._own_names.items()]

    def _tool(self, name: str, described: Any) -> Tool:
        parameters = parameters_of(described)

        async def call(**arguments: Any) -> MCPResult:
            return await asyncio.wrap_future(self._submit_call(name, arguments))

        call.__name__ = call.__qualname__ = name
        return Tool(
            name=name,
            description=description_of(described),
            function=call,
            parameters=parameters,
            external=True,
            validate=validator_of(parameters),
        )

    async def _call(self, tool: str, arguments: Mapping[str, Any]) -> MCPResult:
        """The tool's answer, after at most one restart of a server that is no longer there."""
        own_name, connection = self._own_names.get(tool, tool), self._connection
        try:
            if connection is not None:
                return await connection.call(own_name, arguments, self._timeout)
        except NotSent:
            pass  # nothing was done yet
        try:
            connection = await self._restart()
            return await connection.call(own_name, arguments, self._timeout)
        except ConfigurationError as error:
            raise MCPToolError(str(error)) from error
        except NotSent:
            raise MCPToolError(f"The MCP server {self.name!r} ends as soon as it is started.") from None


def tools_of(*servers: MCPServer, taken: Collection[str] = ()) -> list[Tool]:
    """The tools of several servers under names that differ: those that collide begin with their server's name.

    `taken` are names that none of them may have, such as those of an agent's own functions.
    """
    from dataclasses import replace

    tools = [(server, tool) for server in servers for tool in server.tools]
    count = Counter(tool.name for _, tool in tools)
    names = set(taken) | {name for name, times in count.items() if times == 1}
    found = []
    for server, tool in tools:
        if count[tool.name] > 1 or tool.name in taken:
            tool = replace(tool, name=free_name(accepted(f"{server.name}_{tool.name}"), names))
            names.add(tool.name)
        found.append(tool)
    return found


def _seconds(value: float, option: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ConfigurationError(f"Cannot make an MCP server: {option} is {value!r}. Pass a number of seconds above 0.")
    return float(value)


def _check_installed() -> None:
    try:
        import mcp  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            "Cannot use an MCP server: the package mcp is not installed. Run: pip install 'jupyter-agents[mcp]'"
        ) from error


_started: weakref.WeakSet[MCPServer] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for server in list(_started):
        try:
            server.close()
        except (Exception, CancelledError):  # noqa: BLE001, S112 - the interpreter ends, and the others are to end too
            continue
