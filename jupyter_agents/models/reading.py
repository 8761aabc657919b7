"""Reading an answer step by step, and giving its connection back."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, cast

from jupyter_agents.effects import Step
from jupyter_agents.errors import MalformedReplyError, ModelError
from jupyter_agents.models.patience import Patience, be_patient
from jupyter_agents.models.server_events import interrupted

if TYPE_CHECKING:
    import httpx2

_LONGEST_FRAMING = 16
_FRAMING = re.compile(rb"\r(?:\n(?:[0-9a-fA-F]{1,8}(?:\r\n?)?)?)?\Z")
"""The end of a chunk, and as much of the head of the next as may have come with it: nothing that could be read."""


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
            be_patient(None)
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
            be_patient(None)
        return self._whole(taken)

    def _begin(self) -> tuple[Incoming, list[bytes]]:
        if self._broken:
            raise self._answer.failure(self._broken)
        be_patient(self._answer.patience)
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
