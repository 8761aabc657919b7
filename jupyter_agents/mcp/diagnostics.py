"""What a connection leaves behind that explains why it failed, without the secrets that were given to it."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from jupyter_agents.executors.outputs import plain
from jupyter_agents.journal.redact import redact

_LINES = 20
_LINE = 500  # characters of a line that are quoted
_LAST_WORDS = 0.5  # seconds to wait for what a process that has ended wrote last


class Diagnostics:
    """The last lines of a process's stderr, what it wrote to stdout by mistake, and how a web server refused."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        self._stderr: deque[str] = deque(maxlen=_LINES)
        self._stray = ""
        self.refusal = ""
        """The status of the last HTTP answer that was an error, in words."""
        self.has_lost_session = False
        """Whether a web server no longer knows our session; what was asked with it has not been done."""

    def clean(self, text: str) -> str:
        """The text without secrets, as it may stand in an error."""
        return redact(plain(text), self._secrets)

    @contextmanager
    def reading_stderr(self) -> Iterator[TextIO]:
        """A file for a process to write to; whoever starts the process closes it. Its last lines are kept."""
        reader, writer = os.pipe()
        thread = threading.Thread(target=self._read, args=(reader,), name="jupyter-agents-mcp-stderr", daemon=True)
        thread.start()
        try:
            with os.fdopen(writer, "w") as file:
                yield file
        finally:
            thread.join(_LAST_WORDS)

    def _read(self, reader: int) -> None:
        with os.fdopen(reader, encoding="utf-8", errors="replace") as file:
            while line := file.readline(1 << 16):
                self._stderr.append(line.rstrip()[:_LINE])

    def note_stray(self, error: Exception) -> None:
        """Keep a line of stdout that is no message of the protocol."""
        details: list[Any] = getattr(error, "errors", list)()
        self._stray = str(details[0].get("input", ""))[:_LINE] if details else str(error)[:_LINE]

    async def note_response(self, response: Any) -> None:
        """Look at a web server's answer, as a hook of its client."""
        if response.status_code >= 400:
            self.refusal = f"{response.status_code} {response.reason_phrase}".strip()
        if response.status_code == 404 and "mcp-session-id" in response.request.headers:
            self.has_lost_session = True

    def __str__(self) -> str:
        """All of it as lines to put behind an error; empty when there is nothing to tell."""
        parts = []
        if self._stray:
            parts.append(f"\nIt writes to stdout what is no MCP message: {self._stray!r}")
        if self._stderr:
            parts.append("\nThe end of its stderr:\n" + "\n".join(f"  {line}" for line in list(self._stderr)))
        return self.clean("".join(parts))
