"""Parts of a reply, put together from pieces: text, and calls by their index, in the many dialects of servers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_agents.messages import FinishReason, ToolCall, Usage, scrub
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.server_events import list_of, malformed, mapping, plain, words

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


class Text:
    """Text that comes in pieces, each of which can be encoded: half a surrogate pair waits for the other half."""

    __slots__ = ("_held", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._held = ""

    def add(self, piece: str) -> str:
        """Take a piece; what of it can be shown."""
        if self._held or not piece.isascii():
            piece = self._held + piece
            self._held = piece[-1:] if "\ud800" <= piece[-1:] <= "\udbff" else ""
            piece = scrub(piece[:-1] if self._held else piece)
        self._pieces.append(piece)
        return piece

    def whole(self) -> str | None:
        """All of it; `None` where there was no piece."""
        if not self._pieces:
            return None
        return "".join(self._pieces) + ("\ufffd" if self._held else "")


class Call:
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
            raise malformed(source, f"the name of a function is {name!r}")
        if name != self.name and not self.arguments:
            self.name += name
        arguments = function.get("arguments")
        if isinstance(arguments, Mapping | list):
            arguments = json.dumps(arguments)
        if arguments:
            if not isinstance(arguments, str):
                raise malformed(source, f"the arguments of a function are {arguments!r}")
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


class Calls:
    """Tool calls by their index. Servers leave it out, skip numbers, give all the same, or send ids again and again."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._calls: list[tuple[int, Call]] = []

    def add(self, piece: Mapping[str, Any], position: int | None = None) -> None:
        """Take a piece. `position` counts where calls come whole, in a list."""
        function = mapping(piece.get("function") or {}, "'function'", self._source)
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
                raise malformed(self._source, "it calls a function without a name")
            call_id = scrub(call.id)
            if not call_id or call_id in found:
                call_id = _made_up_id(number, call)
            found[call_id] = call.to_tool_call(call_id)
        return tuple(found.values())

    def _find(self, index: int | None, call_id: str, is_named: bool) -> Call:
        last = self._last(index, call_id)
        if last is None or (is_named and _is_another(last, index, call_id)):
            last = Call(call_id)
            self._calls.append((len(self._calls) if index is None else index, last))
        return last

    def _last(self, index: int | None, call_id: str) -> Call | None:
        """The call that a piece may go on with: the latest of its index or of its id, or else the latest of all."""
        for known, call in reversed(self._calls):
            if (index is not None and known == index) or (index is None and call_id and call.id == call_id):
                return call
        return self._calls[-1][1] if self._calls and index is None else None


def _is_another(last: Call, index: int | None, call_id: str) -> bool:
    if call_id and last.id:
        return call_id != last.id
    return index is None and bool(last.name) and last.is_whole


def _made_up_id(number: int, call: Call) -> str:
    """The same for the same call: recordings compare requests."""
    content = f"{number}\0{call.name}\0{''.join(call.arguments)}".encode("utf-8", "replace")
    return "call_" + hashlib.blake2s(content, digest_size=8).hexdigest()


class Choice:
    """One answer among those that were asked for: its text, its calls, and why it ended."""

    __slots__ = ("_logprobs", "_source", "calls", "content", "function", "reason", "refusal")

    def __init__(self, source: str) -> None:
        self._source = source
        self._logprobs: dict[str, list[Any]] = {}
        self.content, self.refusal = Text(), Text()
        self.function: Call | None = None
        self.calls = Calls(source)
        self.reason: str | None = None

    def add(self, choice: Mapping[str, Any]) -> str:
        """Take a piece of the chat-completions API, or the whole of it; the text that it adds."""
        whole = choice.get("delta") is None
        delta = mapping(choice.get("message" if whole else "delta") or {}, "a delta", self._source)
        text = ""
        if (content := delta.get("content")) is not None:
            text = self.content.add(words(content, self._source))
        if (refusal := delta.get("refusal")) is not None:
            text += self.refusal.add(words(refusal, self._source))
        if call := delta.get("function_call"):
            self.function = self.function or Call()
            self.function.add(mapping(call, "'function_call'", self._source), self._source)
        if calls := delta.get("tool_calls"):
            for number, piece in enumerate(list_of(calls, "'tool_calls'", self._source)):
                self.calls.add(mapping(piece, "a tool call", self._source), number if whole else None)
        if logprobs := choice.get("logprobs"):
            self.add_logprobs(mapping(logprobs, "'logprobs'", self._source))
        if reason := choice.get("finish_reason"):
            self.reason = str(reason)
        return text

    def add_logprobs(self, logprobs: Mapping[str, Any]) -> None:
        """Take what is said of some tokens. What is there already is added to."""
        for key, tokens in logprobs.items():
            if isinstance(tokens, list):
                self._logprobs.setdefault(scrub(key), []).extend(plain(tokens, self._source))

    def partial(self, usage: Usage | None = None, model: str | None = None) -> ModelReply:
        """What there is, marked as interrupted. Calls are left out: half a call is none."""
        return self._reply("interrupted", usage=usage, model=model)

    def finish(self, usage: Usage | None = None, model: str | None = None) -> ModelReply:
        """The reply, as whole."""
        call = self.function.to_tool_call(None) if self.function else None
        calls = self.calls.finish()
        return self._reply(finish_reason(self.reason, call, calls), call, calls, usage, model)

    def _reply(
        self,
        reason: FinishReason,
        call: ToolCall | None = None,
        calls: tuple[ToolCall, ...] = (),
        usage: Usage | None = None,
        model: str | None = None,
    ) -> ModelReply:
        content, refusal = self.content.whole(), self.refusal.whole() or None
        if not content and (refusal or call or calls):
            content = None  # streams begin with an empty text, whatever follows
        return ModelReply(content, reason, call, calls, refusal, usage, model, logprobs=self._logprobs or None)


def finish_reason(said: str | None, call: ToolCall | None, calls: tuple[ToolCall, ...]) -> FinishReason:
    """The reason that a server gives, in the words of this package. What calls tools has ended for that."""
    reason = _REASONS.get((said or "stop").lower(), "stop")
    if reason in ("stop", "tool_calls", "function_call"):
        return "tool_calls" if calls else "function_call" if call else "stop"
    return reason


def usage_of(data: Mapping[str, Any]) -> Usage | None:
    """The counts in a `usage` object of either API, as far as they are counts; `None` where there are none."""
    prompt = _count(data.get("prompt_tokens", data.get("input_tokens")))
    completion = _count(data.get("completion_tokens", data.get("output_tokens")))
    if prompt is None and completion is None:
        return None
    parts = {
        "cached_tokens": _part(data, ("prompt_tokens_details", "input_tokens_details"), "cached_tokens"),
        "reasoning_tokens": _part(data, ("completion_tokens_details", "output_tokens_details"), "reasoning_tokens"),
    }
    return Usage.from_json({"prompt_tokens": prompt, "completion_tokens": completion, **parts})


def _part(data: Mapping[str, Any], details: Iterable[str], name: str) -> int | None:
    """A part of the tokens, as the details of the whole say it."""
    found = next((one for one in map(data.get, details) if isinstance(one, dict)), {})
    return _count(found.get(name))


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
