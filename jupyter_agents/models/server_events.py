"""Bytes of a server as events, and events as values: the first two steps of reading a reply.

Pure and total: bytes may come in any pieces, and whatever they hold, the outcome is a value or a `MalformedReplyError`.
The format is https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream carrying JSON.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from jupyter_agents.errors import MalformedReplyError, ReplyInterruptedError
from jupyter_agents.messages import scrub
from jupyter_agents.models.base import ModelReply


class ServerEvent(NamedTuple):
    """One event of a stream."""

    data: bytes
    name: bytes = b""


class EventReader:
    r"""Events out of bytes, cut anywhere: in a character, a line, a line ending.

    >>> EventReader().feed(b"data: 1\r\n\r\n: a comment\n\ndata:2\ndata: 3\n\n")
    [ServerEvent(data=b'1', name=b''), ServerEvent(data=b'2\n3', name=b'')]
    """

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        self._data: list[bytes] = []
        self._name = b""
        self._after_return = False
        self._at_start = True

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """The events that are complete now. An event is complete with the empty line after it."""
        if piece[-2:] == b"\n\n" and not (self._tail or self._data or self._name):
            events = _plain_events(piece)
            if events:
                self._after_return = self._at_start = False
                return events
        *lines, rest = self._normalised(piece).split(b"\n")
        if not lines:
            if rest:
                self._tail.append(rest)
            return []
        if self._tail:
            lines[0] = b"".join(self._tail) + lines[0]
        self._tail = [rest] if rest else []
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        return [event for line in lines if (event := self._take(line)) is not None]

    def _normalised(self, piece: bytes) -> bytes:
        if not piece:
            return piece
        if self._after_return and piece[0] == 10:
            piece = piece[1:] or b""
            self._after_return = False
            if not piece:
                return piece
        self._after_return = piece[-1] == 13
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in piece else piece

    def _take(self, line: bytes) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
        elif field == b"event":
            self._name = value.strip()
        return None

    def _dispatch(self) -> ServerEvent | None:
        data, name = self._data, self._name
        self._data, self._name = [], b""
        return ServerEvent(b"\n".join(data) if len(data) != 1 else data[0], name) if data else None


def _plain_events(piece: bytes) -> list[ServerEvent]:
    """The events of a piece in which each is one line of data, as most are; none where anything else is in it.

    Such a piece need not be taken apart line by line, which costs three times as much.
    """
    if b"\r" in piece:
        return []
    found = piece[:-2].split(b"\n\n")
    if not all(one.startswith(b"data: ") and b"\n" not in one for one in found):
        return []
    return [ServerEvent(one[6:]) for one in found]


def words(value: Any, source: str) -> str:
    """The text in a content: itself, or that of its parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in value]
        return "".join(part for part in parts if isinstance(part, str))
    raise malformed(source, f"its content is {_short(value)}")


def mapping(value: Any, what: str, source: str) -> dict[str, Any]:
    """`value`, which must be an object."""
    if isinstance(value, dict):
        return value
    raise malformed(source, f"{what} is {_short(value)}, not an object")


def list_of(value: Any, what: str, source: str) -> list[Any]:
    """`value`, which must be a list; `None` is an empty one."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise malformed(source, f"{what} is {_short(value)}, not a list")


def parse_json(data: bytes, source: str) -> Any:
    """The value of a JSON text. Raises `MalformedReplyError` for anything else."""
    try:
        return _fast_json()(data)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(data.decode("utf-8"))  # takes the half surrogate pairs that the fast parser refuses
    except (ValueError, RecursionError):
        raise malformed(source, f"{_short(data.decode('utf-8', 'replace'))} is not JSON") from None


def any_json(data: bytes) -> Any:
    """The value of a JSON text, or else the text."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")


@functools.cache
def _fast_json() -> Callable[[bytes], Any]:
    import jiter

    return cast(Callable[[bytes], Any], jiter.from_json)


def interrupted(source: str, why: str, partial: ModelReply | None = None) -> ReplyInterruptedError:
    """The error for a reply that is not whole."""
    come = len(partial.content or "") if partial else 0
    return ReplyInterruptedError(
        f"Cannot use the reply of {source}: {why}, after {come} characters. Ask again.", partial=partial
    )


def plain(value: Any, source: str) -> Any:
    """JSON that can be encoded again: text scrubbed, and `None` for the numbers that JSON does not have."""
    try:
        return _plain(value)
    except RecursionError:
        raise malformed(source, "it is nested too deep") from None


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {scrub(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def malformed(source: str, why: str) -> MalformedReplyError:
    """The error for words of a server that make no sense."""
    return MalformedReplyError(
        f"Cannot read the reply of {source}: {why}. Check that 'base_url' is the address of an OpenAI-compatible API."
    )


def _short(value: Any) -> str:
    text = scrub(repr(value) if len(str(value)) < 200 else repr(str(value)[:200]))
    return text if len(text) <= 80 else text[:79] + "…"
