"""What the bytes of a chat completion mean: an event stream, or one body, becomes a `ModelReply`.

Pure and total: bytes may come in any pieces, and whatever they hold, the outcome is a reply or a `ModelError`. A
stream is whole only when its finish reason has come; everything else is a `ReplyInterruptedError` with the part that
came. The format is https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream carrying
https://platform.openai.com/docs/api-reference/chat-streaming objects, in the many dialects that servers speak.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from jupyter_agents.errors import MalformedReplyError, ReplyInterruptedError
from jupyter_agents.messages import FinishReason, ToolCall, Usage, scrub
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.refusals import Refusal

_DONE = b"[DONE]"
_MAX_BYTES = 64 * 1024 * 1024

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "function_call",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "refusal": "content_filter",
    "error": "interrupted",
    "abort": "interrupted",
    "aborted": "interrupted",
    "cancelled": "interrupted",
    "canceled": "interrupted",
    "interrupted": "interrupted",
    "insufficient_system_resource": "interrupted",
}


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
        if self._is_one_event(piece):
            self._after_return = self._at_start = False
            return [ServerEvent(piece[6:-2])]
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

    def _is_one_event(self, piece: bytes) -> bool:
        """Whether a piece is just one event with one line of data, as most are: it need not be taken apart."""
        return (
            piece.startswith(b"data: ")
            and piece.endswith(b"\n\n")
            and piece.find(b"\n") == len(piece) - 2
            and b"\r" not in piece
            and not (self._tail or self._data or self._name)
        )

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


class ReplyStream:
    """A reply that is coming in. `source` names the model and its server in errors.

    >>> stream = ReplyStream("a model")
    >>> stream.feed(b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\\n\\n')
    'Hi'
    >>> stream.finish().content
    'Hi'
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._reader = EventReader()
        self._reply = ReplyAssembler(source)
        self._bytes = 0
        self.is_done = False

    @property
    def is_finished(self) -> bool:
        """Whether the finish reason has come: what may still follow is the usage."""
        return self._reply.reason is not None

    def feed(self, piece: bytes) -> str:
        """Take bytes; the new text in them. Raises a `ModelError` for what makes no sense, or reports an error."""
        self._bytes += len(piece)
        if self._bytes > _MAX_BYTES:
            raise _malformed(self._source, f"it is longer than {_MAX_BYTES // 2**20} MiB")
        text = ""
        for data, name in self._reader.feed(piece):
            if self.is_done:
                break
            stripped = data.strip()
            if stripped == _DONE:
                self.is_done = True
            elif name == b"error":
                raise Refusal.from_payload(_any_json(data)).to_error(self._source)
            elif stripped:
                text += self._reply.add(parse_json(data, self._source))
        return text

    def partial(self) -> ModelReply:
        """What has come so far, marked as interrupted."""
        return self._reply.partial()

    def finish(self) -> ModelReply:
        """The reply. Raises `ReplyInterruptedError` when it never said that it is whole."""
        if not self.is_finished:
            raise interrupted(self._source, "it ended without a finish reason", self.partial())
        return self._reply.finish()


def parse_body(body: bytes, source: str) -> ModelReply:
    """The reply in a body that was not streamed."""
    if len(body) > _MAX_BYTES:
        raise _malformed(source, f"it is longer than {_MAX_BYTES // 2**20} MiB")
    reply = ReplyAssembler(source)
    reply.add(parse_json(body, source))
    if not reply.has_choice:
        raise _malformed(source, "it holds no choices")
    return reply.finish()


class ReplyAssembler:
    """Puts a reply together from chunks, or from one whole completion: the first choice of it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._content = _Text()
        self._refusal = _Text()
        self._function: _Call | None = None
        self._calls = _Calls(source)
        self._usage: Usage | None = None
        self._model: str | None = None
        self.has_choice = False
        self.reason: str | None = None

    def add(self, chunk: Any) -> str:
        """Take one chunk; the text that it adds."""
        chunk = _mapping(chunk, "a chunk", self._source)
        if chunk.get("error") or chunk.get("object") == "error":
            raise Refusal.from_payload(chunk).to_error(self._source)
        if usage := chunk.get("usage"):
            self._usage = _usage(_mapping(usage, "'usage'", self._source)) or self._usage
        if self._model is None and isinstance(model := chunk.get("model"), str):
            self._model = scrub(model)
        text = ""
        for choice in _list(chunk.get("choices"), "'choices'", self._source):
            choice = _mapping(choice, "a choice", self._source)
            if choice.get("index") in (0, None) and not (self.reason and choice.get("message")):
                text += self._add_choice(choice)
        return text

    def partial(self) -> ModelReply:
        """What there is, marked as interrupted. Calls are left out: half a call is none."""
        return self._reply("interrupted")

    def finish(self) -> ModelReply:
        """The reply, as whole."""
        call = self._function.to_tool_call(None) if self._function else None
        calls = self._calls.finish()
        return self._reply(_reason(self.reason, call, calls), call, calls)

    def _reply(
        self, reason: FinishReason, call: ToolCall | None = None, calls: tuple[ToolCall, ...] = ()
    ) -> ModelReply:
        content, refusal = self._content.whole(), self._refusal.whole() or None
        if not content and (refusal or call or calls):
            content = None  # streams begin with an empty text, whatever follows
        return ModelReply(content, reason, call, calls, refusal, self._usage, self._model)

    def _add_choice(self, choice: Mapping[str, Any]) -> str:
        self.has_choice = True
        whole = choice.get("delta") is None
        delta = _mapping(choice.get("message" if whole else "delta") or {}, "a delta", self._source)
        text = ""
        if (content := delta.get("content")) is not None:
            text = self._content.add(_words(content, self._source))
        if (refusal := delta.get("refusal")) is not None:
            text += self._refusal.add(_words(refusal, self._source))
        if call := delta.get("function_call"):
            self._function = self._function or _Call()
            self._function.add(_mapping(call, "'function_call'", self._source), self._source)
        if calls := delta.get("tool_calls"):
            for number, piece in enumerate(_list(calls, "'tool_calls'", self._source)):
                self._calls.add(_mapping(piece, "a tool call", self._source), number if whole else None)
        if reason := choice.get("finish_reason"):
            self.reason = str(reason)
        return text


class _Text:
    """Text that comes in pieces, each of which can be encoded: half a surrogate pair waits for the other half."""

    __slots__ = ("_held", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._held = ""

    def add(self, piece: str) -> str:
        if self._held or not piece.isascii():
            piece = self._held + piece
            self._held = piece[-1:] if "\ud800" <= piece[-1:] <= "\udbff" else ""
            piece = scrub(piece[:-1] if self._held else piece)
        self._pieces.append(piece)
        return piece

    def whole(self) -> str | None:
        if not self._pieces:
            return None
        return "".join(self._pieces) + ("\ufffd" if self._held else "")


class _Call:
    """One call that comes in pieces."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self, id: str = "") -> None:  # noqa: A002 - the word of the API
        self.id = id
        self.name = ""
        self.arguments: list[str] = []

    def add(self, function: Mapping[str, Any], source: str) -> None:
        """Take a piece. A name that is sent again is the same name; arguments always go on."""
        name = function.get("name") or ""
        if not isinstance(name, str):
            raise _malformed(source, f"the name of a function is {name!r}")
        if name != self.name and not self.arguments:
            self.name += name
        arguments = function.get("arguments")
        if isinstance(arguments, Mapping | list):
            arguments = json.dumps(arguments)
        if arguments:
            if not isinstance(arguments, str):
                raise _malformed(source, f"the arguments of a function are {arguments!r}")
            self.arguments.append(arguments)

    @property
    def is_whole(self) -> bool:
        """Whether its arguments are JSON, so that what follows without an index is another call."""
        try:
            json.loads("".join(self.arguments))
        except (ValueError, RecursionError):
            return False
        return True

    def to_tool_call(self, id: str | None) -> ToolCall:  # noqa: A002 - the word of the API
        """The call. Without arguments it has none: `{}`."""
        return ToolCall(scrub(self.name), scrub("".join(self.arguments)) or "{}", id)


class _Calls:
    """Tool calls by their index. Servers leave it out, skip numbers, give all the same, or send ids again and again."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._calls: list[tuple[int, _Call]] = []

    def add(self, piece: Mapping[str, Any], position: int | None = None) -> None:
        """Take a piece. `position` counts where calls come whole, in a list."""
        function = _mapping(piece.get("function") or {}, "'function'", self._source)
        index = position if position is not None else piece.get("index")
        call_id = piece.get("id") or ""
        if not isinstance(call_id, str):
            call_id = str(call_id)
        call = self._find(index if type(index) is int else None, call_id, bool(function.get("name")))
        call.id = call.id or call_id
        call.add(function, self._source)

    def finish(self) -> tuple[ToolCall, ...]:
        """All calls in the order of their indices, each with an id of its own."""
        found: dict[str, ToolCall] = {}
        for number, (_, call) in enumerate(sorted(self._calls, key=lambda one: one[0])):
            if not call.name and not call.arguments:
                continue
            if not call.name:
                raise _malformed(self._source, "it calls a function without a name")
            call_id = scrub(call.id)
            if not call_id or call_id in found:
                call_id = _made_up_id(number, call)
            found[call_id] = call.to_tool_call(call_id)
        return tuple(found.values())

    def _find(self, index: int | None, call_id: str, is_named: bool) -> _Call:
        last = self._last(index, call_id)
        if last is None or (is_named and _is_another(last, index, call_id)):
            last = _Call(call_id)
            self._calls.append((len(self._calls) if index is None else index, last))
        return last

    def _last(self, index: int | None, call_id: str) -> _Call | None:
        """The call that a piece may go on with: the latest of its index or of its id, or else the latest of all."""
        for known, call in reversed(self._calls):
            if (index is not None and known == index) or (index is None and call_id and call.id == call_id):
                return call
        return self._calls[-1][1] if self._calls and index is None else None


def _is_another(last: _Call, index: int | None, call_id: str) -> bool:
    if call_id and last.id:
        return call_id != last.id
    return index is None and bool(last.name) and last.is_whole


def _made_up_id(number: int, call: _Call) -> str:
    """The same for the same call: recordings compare requests."""
    content = f"{number}\0{call.name}\0{''.join(call.arguments)}".encode("utf-8", "replace")
    return "call_" + hashlib.blake2s(content, digest_size=8).hexdigest()


def _reason(said: str | None, call: ToolCall | None, calls: tuple[ToolCall, ...]) -> FinishReason:
    reason = _REASONS.get((said or "stop").lower(), "stop")
    if reason in ("stop", "tool_calls", "function_call"):
        return "tool_calls" if calls else "function_call" if call else "stop"
    return reason


def _usage(data: Mapping[str, Any]) -> Usage | None:
    counts = [data.get(key) for key in ("prompt_tokens", "completion_tokens")]
    prompt, completion = (one if type(one) is int and one >= 0 else None for one in counts)
    return None if prompt is None and completion is None else Usage(prompt, completion)


def _words(value: Any, source: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in value]
        return "".join(part for part in parts if isinstance(part, str))
    raise _malformed(source, f"its content is {_short(value)}")


def _mapping(value: Any, what: str, source: str) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise _malformed(source, f"{what} is {_short(value)}, not an object")


def _list(value: Any, what: str, source: str) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise _malformed(source, f"{what} is {_short(value)}, not a list")


def parse_json(data: bytes, source: str) -> Any:
    """The value of a JSON text. Raises `MalformedReplyError` for anything else."""
    try:
        return _fast_json()(data)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(data.decode("utf-8"))  # takes the half surrogate pairs that the fast parser refuses
    except (ValueError, RecursionError):
        raise _malformed(source, f"{_short(data.decode('utf-8', 'replace'))} is not JSON") from None


def _any_json(data: bytes) -> Any:
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


def _malformed(source: str, why: str) -> MalformedReplyError:
    return MalformedReplyError(
        f"Cannot read the reply of {source}: {why}. Check that 'base_url' is the address of a chat-completions API."
    )


def _short(value: Any) -> str:
    text = scrub(repr(value) if len(str(value)) < 200 else repr(str(value)[:200]))
    return text if len(text) <= 80 else text[:79] + "…"
