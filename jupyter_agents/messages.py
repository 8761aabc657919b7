"""Messages and their parts, and the wire form in which a chat-completions server takes them.

A `Message` is immutable and plain data: it goes into the event log, recordings and notebooks as JSON.
It does not say who sent it to whom; the event that carries it does.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count
from typing import Any, Literal

from jupyter_agents.errors import InvalidMessageError
from jupyter_agents.known_secrets import hide

Content = str | tuple[Mapping[str, Any], ...] | None
"""Text, or content parts as in the chat-completions API (`{"type": "text", …}`, `{"type": "image_url", …}`)."""

FinishReason = Literal["stop", "length", "tool_calls", "function_call", "content_filter", "interrupted"]

_NOT_IN_A_WIRE_NAME = re.compile(r"[^a-zA-Z0-9_-]")


def scrub(text: str) -> str:
    """`text` as it can be encoded: surrogate pairs joined, lone surrogates replaced by U+FFFD.

    One lone surrogate in an output loses the whole IOPub message, and in a prompt it fails the request.
    """
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


@lru_cache(maxsize=1024)  # the same few names, for every message of a group
def wire_name(name: str) -> str:
    """`name` as the API takes it: letters, digits, `_` and `-`, at most 64 of them.

    Accents are left out, and letters of other scripts are told by their numbers, so that two names stay two.

    >>> wire_name("Dr. Zoë"), wire_name("\u674e"), wire_name("\u738b")
    ('Dr__Zoe', 'u674e', 'u738b')
    """
    if name.isascii():
        return _NOT_IN_A_WIRE_NAME.sub("_", name)[:64]
    plain = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    spelt = "".join(_NOT_IN_A_WIRE_NAME.sub("_", one) if one.isascii() else f"u{ord(one):x}" for one in plain)
    return (
        spelt if len(spelt) <= 64 else f"{spelt[:55]}_{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"
    )


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a model call. `None` means unknown, never 0; `estimated` marks counts that no server gave.

    `cached_tokens` are a part of the prompt's, which the server had kept; `reasoning_tokens` are a part of the
    completion's. Neither adds to the total.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    estimated: bool = False
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def total_tokens(self) -> int | None:
        """Both together, or `None` when neither is known."""
        if self.prompt_tokens is None and self.completion_tokens is None:
            return None
        return (self.prompt_tokens or 0) + (self.completion_tokens or 0)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            _sum(self.prompt_tokens, other.prompt_tokens),
            _sum(self.completion_tokens, other.completion_tokens),
            self.estimated or other.estimated,
            _sum(self.cached_tokens, other.cached_tokens),
            _sum(self.reasoning_tokens, other.reasoning_tokens),
        )

    def __sub__(self, other: Usage) -> Usage:
        """What was used since `other`, of which this has grown."""
        return Usage(
            _difference(self.prompt_tokens, other.prompt_tokens),
            _difference(self.completion_tokens, other.completion_tokens),
            self.estimated,
            _difference(self.cached_tokens, other.cached_tokens),
            _difference(self.reasoning_tokens, other.reasoning_tokens),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        found: dict[str, Any] = {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.completion_tokens}
        parts = {"cached_tokens": self.cached_tokens, "reasoning_tokens": self.reasoning_tokens}
        found |= {name: count for name, count in parts.items() if count is not None}
        return found | {"estimated": True} if self.estimated else found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Usage:
        """The reverse of `to_json`; also takes the `usage` object of a server."""
        return cls(
            data.get("prompt_tokens"),
            data.get("completion_tokens"),
            bool(data.get("estimated", False)),
            data.get("cached_tokens"),
            data.get("reasoning_tokens"),
        )


def _sum(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else a + b


def _difference(a: int | None, b: int | None) -> int | None:
    return a if a is None or b is None else a - b


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that a model wants called. `arguments` is the model's text: JSON if the model did well.

    `id` is `None` for the legacy form (`function_call`), of which a message holds at most one.
    """

    name: str
    arguments: str = "{}"
    id: str | None = None

    def without_secrets(self) -> ToolCall:
        """The same where no secret is known that the model repeats in its arguments."""
        hidden = hide(self.arguments) if isinstance(self.arguments, str) else self.arguments
        return self if hidden == self.arguments else replace(self, arguments=hidden)

    def to_json(self) -> dict[str, Any]:
        """The wire form: a legacy function call without an id, a tool call with one."""
        function = {"name": self.name, "arguments": self.arguments}
        return function if self.id is None else {"id": self.id, "type": "function", "function": function}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ToolCall:
        """The reverse of `to_json`."""
        function = data.get("function") or data
        return cls(_text(function.get("name")), _text(function.get("arguments")), data.get("id"))


@dataclass(frozen=True, slots=True)
class ToolResponse:
    """The answer to one tool call. `images` are content parts, which a server takes only in a message of its own."""

    tool_call_id: str
    content: str
    images: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)

    def to_wire(self) -> dict[str, Any]:
        """The wire form: one message of role `tool`, without the images."""
        return {"role": "tool", "tool_call_id": self.tool_call_id, "content": self.content}

    def to_json(self) -> dict[str, Any]:
        """The wire form, and the images where there are any."""
        return self.to_wire() | ({"images": _copied(self.images)} if self.images else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ToolResponse:
        """The reverse of `to_json`."""
        images = _content(data.get("images")) or ()
        if isinstance(images, str):
            raise InvalidMessageError(
                "Cannot send the images of a tool: they are a text. Give a list of content parts."
            )
        return cls(str(data.get("tool_call_id")), _text(data.get("content")), images)


@dataclass(frozen=True, slots=True)
class Message:
    """What one agent says to another.

    `role` is set only where the message is not plain speech: `function` and `tool` for results, `system` for
    instructions. Whether speech is `assistant` or `user` on the wire depends on who reads it.

    >>> Message("hello").to_wire("user")
    [{'content': 'hello', 'role': 'user'}]
    """

    content: Content = None
    role: Literal["function", "tool", "system"] | None = None
    name: str | None = None
    function_call: ToolCall | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    tool_responses: tuple[ToolResponse, ...] = ()
    context: Mapping[str, Any] | None = field(default=None, hash=False)
    finish_reason: FinishReason | None = None

    @property
    def text(self) -> str:
        """The words of the message: `""` when there are none; an image part becomes `<image>`."""
        if self.content is None:
            return ""
        if isinstance(self.content, str):
            return self.content
        return "".join(str(part.get("text", "")) if part.get("type") == "text" else "<image>" for part in self.content)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """All calls that the message asks for, legacy and current form alike."""
        return (self.function_call, *self.tool_calls) if self.function_call else self.tool_calls

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it to answer."""
        return not self.text.strip() and not self.calls and not self.tool_responses

    @property
    def is_complete(self) -> bool:
        """Whether the reply came whole. What is cut off, filtered or interrupted is shown, and nothing in it runs."""
        return self.finish_reason not in ("length", "content_filter", "interrupted")

    @property
    def is_of_model(self) -> bool:
        """Whether a model has written it: only of a model's reply it is known why it ended."""
        return self.finish_reason is not None

    def with_content(self, content: Content) -> Message:
        """The same message with other words."""
        return replace(self, content=content)

    def to_dict(self) -> dict[str, Any]:
        """The classic dictionary, without a role for plain speech. A new one at every call."""
        found: dict[str, Any] = {"content": _copied(self.content) if isinstance(self.content, tuple) else self.content}
        if self.role:
            found["role"] = self.role
        if self.name:
            found["name"] = self.name
        if self.function_call:
            found["function_call"] = self.function_call.to_json()
        if self.tool_calls:
            found["tool_calls"] = [call.to_json() for call in self.tool_calls]
        if self.tool_call_id:
            found["tool_call_id"] = self.tool_call_id
        if self.tool_responses:
            found["tool_responses"] = [response.to_json() for response in self.tool_responses]
        if self.context is not None:
            found["context"] = dict(self.context)
        if self.finish_reason not in (None, "stop", "tool_calls", "function_call"):
            found["finish_reason"] = self.finish_reason
        return found

    def to_wire(self, role: Literal["assistant", "user", "system"]) -> list[dict[str, Any]]:
        """What a server is sent for this message; several entries when it answers several tool calls.

        `role` is the reader's view of plain speech: `assistant` for what the reader said itself. Images that tools gave
        follow their results, in one message of the role `user`: a result itself may hold text only.
        """
        if self.tool_responses:
            return [one.to_wire() for one in self.tool_responses] + _images_of(self.tool_responses)
        if self.role == "function" and isinstance(self.content, tuple):
            return self._function_to_wire(self.content)
        wire = self.to_dict()
        for key in ("context", "finish_reason"):
            wire.pop(key, None)
        wire["role"] = self.role or ("assistant" if self.calls else role)
        if self.name:
            wire["name"] = wire_name(self.name)
        return [wire]

    def _function_to_wire(self, parts: tuple[Mapping[str, Any], ...]) -> list[dict[str, Any]]:
        """The result of a legacy call, and after it its images."""
        images = tuple(part for part in parts if part.get("type") != "text")
        words = "".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
        [wire] = replace(self, content=words).to_wire("user")
        return [wire, *_shown([(f"The function {self.name or ''}".rstrip(), images)])]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | str | Message) -> Message:
        """A message from text, from the classic dictionary or from the wire form.

        Unknown keys are dropped, as the classic framework does, and a tool call without an id is given one. Raises
        `InvalidMessageError` when there is neither content nor a call in it.
        """
        if isinstance(data, Message):
            return data
        if isinstance(data, str):
            return cls(scrub(data))
        if not isinstance(data, Mapping):
            raise InvalidMessageError(
                f"Cannot send {data!r}: a message is a text or a dictionary with 'content'. Convert it with str()."
            )
        role, content, call = data.get("role"), data.get("content"), data.get("function_call")
        calls, responses = data.get("tool_calls"), data.get("tool_responses")
        if content is None and not (call or calls or responses):
            raise InvalidMessageError(
                f"Cannot send {dict(data)!r}: it has neither 'content' nor 'function_call' nor 'tool_calls'. Give it one."
            )
        return cls(
            content=_content(content),
            role=role if role in ("function", "tool", "system") else None,
            name=data.get("name"),
            function_call=ToolCall.from_json(call) if call else None,
            tool_calls=_with_ids(map(ToolCall.from_json, calls)) if calls else (),
            tool_call_id=data.get("tool_call_id"),
            tool_responses=tuple(map(ToolResponse.from_json, responses or ())),
            context=_context(data.get("context")),
            finish_reason=data.get("finish_reason"),
        )


def _images_of(responses: Iterable[ToolResponse]) -> list[dict[str, Any]]:
    return _shown([(f"Tool call {one.tool_call_id}", one.images) for one in responses])


def _shown(images: Iterable[tuple[str, tuple[Mapping[str, Any], ...]]]) -> list[dict[str, Any]]:
    """One message with the images of several sources, each announced by its name; none where there are no images."""
    parts: list[dict[str, Any]] = []
    for source, found in images:
        if found:
            what = "this image" if len(found) == 1 else f"these {len(found)} images"
            parts += [{"type": "text", "text": f"{source} gave {what}:"}, *_copied(found)]
    return [{"role": "user", "content": parts}] if parts else []


def _content(value: Any) -> Content:
    if value is None:
        return None
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, (list, tuple)) and all(isinstance(part, Mapping) for part in value):
        return tuple(_copied(value))
    raise InvalidMessageError(
        f"Cannot send content {value!r}: it is neither text nor a list of content parts (dictionaries with a 'type'). "
        "Convert it with str()."
    )


def _copied(value: Any) -> Any:
    """Content parts that share nothing with `value`, scrubbed."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {key: _copied(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(one) for one in value]
    return value


def _context(value: Any) -> Mapping[str, Any] | None:
    if value is None or isinstance(value, Mapping):
        return None if value is None else dict(value)
    raise InvalidMessageError(f"Cannot send a message with context {value!r}: it must be a dictionary.")


def _with_ids(calls: Iterable[ToolCall]) -> tuple[ToolCall, ...]:
    """Tool calls of which each has an id, as their results are told apart by it."""
    found = tuple(calls)
    taken = {call.id for call in found}
    free = (name for name in map("call_{}".format, count()) if name not in taken)
    return tuple(call if call.id else replace(call, id=next(free)) for call in found)


def _text(value: Any) -> str:
    """Text of a model, or of a server that sends arguments as an object instead of as text."""
    if value is None:
        return ""
    return scrub(json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value))
