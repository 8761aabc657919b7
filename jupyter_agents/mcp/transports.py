"""The two ways to a server: the pipes of a process that is started for it, and streamable HTTP."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jupyter_agents.mcp.diagnostics import Diagnostics

_MIN_SECRET = 6  # what is shorter ("true") stands in too many words
_HTTP_CONNECT = 30.0  # seconds; the time limits of starting and of calls are the ones that users set
_MAX_EVENT = 64 * 1024 * 1024


@dataclass(frozen=True)
class Stdio:
    """A process that speaks MCP on its stdin and stdout.

    It sees `env` and the few variables that every program needs (`PATH`, `HOME`, …), not our whole environment.
    """

    command: str
    args: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None
    action = "start"

    @property
    def address(self) -> str:
        """What errors call it. The arguments are left out: they may be secret."""
        return self.command

    @property
    def default_name(self) -> str:
        """The script's name, or else the program's."""
        script = next((one for one in self.args if PurePath(one).suffix in {".py", ".js", ".ts", ".mjs"}), self.command)
        return PurePath(script).stem or "server"

    def secrets(self) -> tuple[str, ...]:
        """What must not stand in an error."""
        return _long_enough(self.env.values())

    @asynccontextmanager
    async def open(self, found: Diagnostics) -> AsyncIterator[tuple[Any, Any]]:
        """The two streams of messages. The process and its children are gone when it is left."""
        from mcp import StdioServerParameters, stdio_client

        parameters = StdioServerParameters(
            command=self.command,
            args=list(self.args),
            env=dict(self.env),
            cwd=self.cwd,
            encoding_error_handler="replace",
        )
        with found.reading_stderr() as stderr:
            async with stdio_client(parameters, errlog=stderr) as streams:
                stderr.close()  # the process has a copy
                yield streams

    def why(self, error: BaseException | None) -> tuple[str, str]:
        """What is wrong when the connection failed with this error, and what to do."""
        if isinstance(error, OSError) and self.cwd is not None and not os.path.isdir(self.cwd):
            return f"there is no folder {self.cwd!r}", "Give an existing folder as cwd="
        if isinstance(error, FileNotFoundError):
            return f"there is no program {self.command!r}", "Check the command, or give its full path"
        if isinstance(error, OSError):
            return f"{self.command!r} cannot be run ({error.strerror or error})", "Check the command and its rights"
        return "its process ended, or closed its stdout", "Run its command in a terminal to see why"


@dataclass(frozen=True)
class Http:
    """A server at an address, over streamable HTTP. `headers` go with every request."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    action = "connect to"

    @property
    def address(self) -> str:
        """The address without user, password and query."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def default_name(self) -> str:
        """The host's name."""
        return urlsplit(self.url).hostname or "server"

    def secrets(self) -> tuple[str, ...]:
        """What must not stand in an error: headers, whole and in pieces (`Bearer …`), and secrets of the address."""
        parts = urlsplit(self.url)
        pieces = [piece for value in self.headers.values() for piece in (value, *re.split(r"[\s,;=]+", value)[1:])]
        return _long_enough([*pieces, parts.password or "", *(value for _, value in parse_qsl(parts.query))])

    @asynccontextmanager
    async def open(self, found: Diagnostics) -> AsyncIterator[tuple[Any, Any]]:
        """The two streams of messages; the session is ended at the server when it is left."""
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        client = httpx2.AsyncClient(
            headers=dict(self.headers),
            timeout=httpx2.Timeout(_HTTP_CONNECT, read=None),
            event_hooks={"response": [found.note_response]},
        )
        async with (
            client,
            streamable_http_client(self.url, http_client=client, max_sse_event_size=_MAX_EVENT) as streams,
        ):
            yield streams

    def why(self, error: BaseException | None) -> tuple[str, str]:
        """What is wrong when the connection failed with this error, and what to do."""
        said = f" ({error})" if error is not None and str(error) else ""
        return f"it cannot be reached at {self.address}{said}", "Start the server, or correct its address"


Transport = Stdio | Http


def _long_enough(values: Iterable[str]) -> tuple[str, ...]:
    found = {value.strip() for value in values}
    return tuple(sorted((one for one in found if len(one) >= _MIN_SECRET), key=lambda one: (-len(one), one)))
