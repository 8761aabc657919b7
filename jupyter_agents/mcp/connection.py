"""One session with a server, from its beginning to its end. All of it runs on one event loop."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.mcp.diagnostics import Diagnostics
from jupyter_agents.mcp.results import MCPResult, MCPToolError, read_result
from jupyter_agents.mcp.transports import Transport

if TYPE_CHECKING:
    from anyio import CancelScope
    from mcp import ClientSession, types

_CLOSE = 5.0  # seconds for the farewell, before it is cut off; ending a process has limits of its own
_LAST_WORDS = 1.0  # seconds for a connection that has broken to tell why
_MAX_PAGES = 100  # of a list of tools
_MAX_SAID = 1_000  # characters of an error's text that are quoted
_NOT_FOUND, _CONNECTION_CLOSED, _UNSUPPORTED_VERSION = -32601, -32000, -32022  # JSON-RPC's and MCP's codes

for _name in ("mcp", "client"):  # the SDK's loggers; without a handler of the user's, Python prints what they log
    logging.getLogger(_name).addHandler(logging.NullHandler())


class NotSent(Exception):
    """A connection was gone before a call was sent with it: the call can be made again with another one."""


class Connection:
    """A session with a server. `is_over` says that it has ended, however; it is never opened again."""

    def __init__(self, transport: Transport, name: str, timeout: float) -> None:
        self.is_over = False
        self._is_stale = True
        self._transport, self._name, self._timeout = transport, name, timeout
        self._found = Diagnostics(transport.secrets())
        self._failure: ConfigurationError | None = None
        self._broke_with: BaseException | None = None
        self._session: ClientSession | None = None
        self._scope: CancelScope | None = None
        self._opened, self._ending = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # -- Its life, in a task of its own: what is entered there must be left there -----------------------------------

    async def open(self) -> None:
        """Connect, shake hands. Raises `ConfigurationError` with the reason when that does not succeed in time."""
        self._task = asyncio.create_task(self._live())
        try:
            await self._opened.wait()
        except asyncio.CancelledError:
            self._give_up()
            raise
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        """End it in order. Calls that are under way fail."""
        if self._task is None:
            return
        if self._opened.is_set():
            self._ending.set()
        else:
            self._give_up()
        await asyncio.wait([self._task])

    def _give_up(self) -> None:
        if self._scope is not None:
            self._scope.cancel()
        elif self._task is not None:
            self._task.cancel()

    async def _live(self) -> None:
        import anyio

        error: BaseException | None = None
        try:
            with anyio.CancelScope(deadline=anyio.current_time() + self._timeout) as self._scope:
                await self._converse(self._scope)
        except BaseException as raised:  # noqa: BLE001 - whatever ended it is told to whoever waits for it
            error = _leaf(raised)
        self.is_over, self._broke_with = True, error
        if not self._opened.is_set():
            self._failure = self._cannot_open(error)
            self._opened.set()

    async def _converse(self, scope: CancelScope) -> None:
        import anyio
        from mcp import ClientSession

        async with self._transport.open(self._found) as (incoming, outgoing):
            watched = _Watched(incoming, self._note_end)
            async with ClientSession(watched, outgoing, message_handler=self._note_message) as session:
                await _shake_hands(session)
                scope.deadline = math.inf
                self._session = session
                self._opened.set()
                await self._ending.wait()
                self.is_over = True
                scope.deadline = anyio.current_time() + _CLOSE

    def _note_end(self) -> None:
        self.is_over = True
        self._ending.set()

    async def _note_message(self, message: Any) -> None:
        from mcp import types

        if isinstance(message, types.ToolListChangedNotification):
            self._is_stale = True
        elif isinstance(message, Exception):
            self._found.note_stray(message)

    def _cannot_open(self, error: BaseException | None) -> ConfigurationError:
        import httpx2
        from mcp import MCPError

        if error is None or isinstance(error, asyncio.CancelledError):
            wrong = f"it did not answer within {self._timeout:g} s"
            to_do = "Give more seconds as connect_timeout=, or look at what it does when it is run by hand"
        elif self._found.refusal:
            wrong = f"it answers {self._found.refusal} at {self._transport.address}"
            to_do = "Correct the address, or pass what it asks for as headers={…}"
        elif isinstance(error, MCPError) and error.code != _CONNECTION_CLOSED:
            wrong, to_do = f"it answers {error.message!r}", "Check that it is an MCP server of a version that is known"
        elif isinstance(error, ValueError | RuntimeError):
            wrong, to_do = f"it does not speak MCP ({_said(error)})", "Check the address or the command"
        elif isinstance(error, MCPError | OSError | httpx2.HTTPError):
            wrong, to_do = self._transport.why(None if isinstance(error, MCPError) else error)
        else:
            wrong, to_do = f"{type(error).__name__}: {error}", "Check the address or the command"
        text = f"Cannot {self._transport.action} the MCP server {self._name!r}: {wrong}. {to_do}."
        return ConfigurationError(self._found.clean(text) + str(self._found))

    # -- What it is asked ---------------------------------------------------------------------------------------------

    @property
    def is_stale(self) -> bool:
        """Whether the list of tools has not been read yet, or has changed since.

        Servers without the handshake (from the protocol of 2026 on) do not tell changes unasked; theirs is read anew
        each time.
        """
        return self._is_stale or (self._session is not None and self._session.initialize_result is None)

    async def tools(self) -> list[types.Tool]:
        """What the server says of its tools. Raises `ConfigurationError` where it does not say it in time."""
        self._is_stale = False
        try:
            return await asyncio.wait_for(self._pages_of_tools(), self._timeout)
        except Exception as error:
            self._is_stale = True
            said = f"no answer within {self._timeout:g} s" if isinstance(error, TimeoutError) else _said(error)
            text = f"Cannot read the tools of the MCP server {self._name!r}: {said}. Look at what it does by hand."
            raise ConfigurationError(self._found.clean(text) + str(self._found)) from error

    async def _pages_of_tools(self) -> list[types.Tool]:
        from mcp import MCPError, types

        assert self._session is not None
        found: list[types.Tool] = []
        cursor = None
        for _ in range(_MAX_PAGES):
            try:
                page = await self._session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            except MCPError as error:
                if error.code == _NOT_FOUND:  # it has resources or prompts only
                    return []
                raise
            found += page.tools
            cursor = page.next_cursor
            if not cursor:
                break
        return found

    async def call(self, tool: str, arguments: Mapping[str, Any], timeout: float) -> MCPResult:
        """The tool's answer. Raises `MCPToolError` for the model, or `NotSent`. To cancel it tells the server."""
        import anyio
        from mcp import MCPError

        if self.is_over or self._session is None:
            raise NotSent
        try:
            with anyio.move_on_after(timeout):
                return read_result(await self._session.call_tool(tool, dict(arguments)))
        except MCPToolError as error:
            raise MCPToolError(self._found.clean(str(error))) from None
        except MCPError as error:
            raise await self._failed(tool, error) from error
        except (ValueError, RuntimeError) as error:  # an answer that is none, or not what the tool's schema promises
            raise MCPToolError(self._found.clean(f"{tool} answered what cannot be used: {_said(error)}")) from error
        raise MCPToolError(f"{tool} did not answer within {timeout:g} s and was cancelled.{self._found}")

    async def _failed(self, tool: str, error: Any) -> Exception:
        """The error to raise for an error of the protocol."""
        if self._found.has_lost_session:
            self._note_end()
            return NotSent()
        if error.code != _CONNECTION_CLOSED:
            refusal, self._found.refusal = self._found.refusal, ""
            status = f" ({refusal})" if refusal else ""
            return MCPToolError(self._found.clean(f"{tool} failed: {_said(error)}{status}"))
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_LAST_WORDS)
        if _was_refused(self._broke_with):
            return NotSent()
        return MCPToolError(f"The MCP server {self._name!r} ended while it worked on {tool}.{self._found}")


class _Watched:
    """A stream of messages that says when it ends: nothing else tells that a server is gone while nobody asks it."""

    def __init__(self, stream: Any, on_end: Callable[[], None]) -> None:
        self._stream, self._on_end = stream, on_end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> _Watched:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except BaseException:
            self._on_end()
            raise

    async def __aenter__(self) -> _Watched:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._stream.__aexit__(*error)


async def _shake_hands(session: ClientSession) -> None:
    """Agree on a protocol: by the handshake that nearly all servers know, or as servers of 2026 that refuse it do."""
    from mcp import MCPError

    try:
        await session.initialize()
    except MCPError as error:
        if error.code not in {_NOT_FOUND, _UNSUPPORTED_VERSION}:
            raise
        await session.discover()


def _leaf(error: BaseException) -> BaseException:
    """The first error in a group of errors that is no cancellation."""
    leaves = list(_leaves(error))
    return next((one for one in leaves if not isinstance(one, asyncio.CancelledError)), leaves[0])


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _said(error: Exception) -> str:
    """The error in one line: of a validation, what is wrong at which place."""
    details: list[Any] = getattr(error, "errors", list)()
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in details[:3]) or str(error)[:_MAX_SAID]


def _was_refused(error: BaseException | None) -> bool:
    import httpx2

    return isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
