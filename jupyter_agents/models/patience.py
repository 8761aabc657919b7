"""How long a call may take.

The HTTP client has a time limit for each read, which a server that drips bytes never meets. Here a call has a
`Patience`, and the network layer below the client asks it before every wait, so that the limits hold exactly, in
connecting, in headers and in bodies, synchronously and on an event loop.
"""

from __future__ import annotations

import math
import time
from contextvars import ContextVar

from jupyter_agents.errors import ModelTimeoutError

CONNECT_SECONDS = 10.0
"""The longest wait for a connection."""


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
            what = f"no connection within {CONNECT_SECONDS:g} s. Check that the server is running."
        else:
            what = f"it took longer than {self._total:g} s. Ask again, or raise 'timeout'."
        return ModelTimeoutError(f"Cannot get a reply from {source}: {what}")


_patience: ContextVar[Patience | None] = ContextVar("jupyter_agents_patience", default=None)


def be_patient(patience: Patience | None) -> None:
    """Set the limits of all network waits of this thread or task; `None` lifts them."""
    _patience.set(patience)


def bounded(timeout: float | None) -> float | None:
    """What a wait of this thread or task may take. Raises `httpcore2.ReadTimeout` when nothing is left."""
    patience = _patience.get()
    if patience is None:
        return timeout
    left = patience.wait()
    if left <= 0:
        import httpcore2

        raise httpcore2.ReadTimeout
    return left if timeout is None else min(left, timeout)


def arrived(data: bytes) -> bytes:
    """Note what a read from the network has brought."""
    patience = _patience.get()
    if patience is not None:
        patience.arrived = data
    return data
