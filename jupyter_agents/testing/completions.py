"""What `FakeOpenAIServer` sends for `/chat/completions`: a reply of the script as a completion, whole or as chunks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_agents.messages import ToolCall

if TYPE_CHECKING:
    from jupyter_agents.testing.server import ServerReply

_CREATED = 1700000000


def usage_of(reply: ServerReply, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The usage object: counted in words, given by the script, or none."""
    if reply.usage != "count":
        return reply.usage
    said_before = body.get("messages") or body.get("input") or ()
    messages = [{"content": said_before}] if isinstance(said_before, str) else said_before
    asked = sum(len(str(message.get("content") or "").split()) for message in messages)
    said = len((reply.text or "").split())
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def finish_reason_of(reply: ServerReply) -> str | None:
    """The finish reason: that of the script, or the one that fits."""
    if reply.finish_reason != "":
        return reply.finish_reason
    return "tool_calls" if reply.tool_calls else "function_call" if reply.function_call else "stop"


def completion_of(reply: ServerReply, usage: Mapping[str, Any] | None) -> dict[str, Any]:
    """A whole completion."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, **calls_of(reply)}
    if reply.refusal:
        message["refusal"] = reply.refusal
    choices = [{"index": 0, "message": message, "finish_reason": finish_reason_of(reply)}]
    for index, text in enumerate(reply.alternatives, 1):
        other = {"role": "assistant", "content": text}
        choices.append({"index": index, "message": other, "finish_reason": "stop"})
    if reply.logprobs:
        choices = [{**choice, "logprobs": dict(reply.logprobs)} for choice in choices]
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": _CREATED,
        "model": "fake-model",
        "choices": choices,
        "usage": usage,
    }


def stream_of(reply: ServerReply, usage: Mapping[str, Any] | None) -> list[bytes]:
    """The events of a completion that is streamed."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in cut(reply.text or "", reply.chunk)]
    if reply.refusal:
        deltas.append({"refusal": reply.refusal})
    if calls := calls_of(reply):
        deltas += _call_deltas(calls)
    chunks = [chunk_of(delta) for delta in deltas]
    if reply.logprobs:
        chunks[-1]["choices"][0]["logprobs"] = dict(reply.logprobs)
    for index, text in enumerate(reply.alternatives, 1):
        chunks += [chunk_of({"content": piece}, index=index) for piece in cut(text, reply.chunk)]
    chunks.append(chunk_of({}, finish_reason=finish_reason_of(reply)))
    chunks += [chunk_of({}, index=index, finish_reason="stop") for index, _ in enumerate(reply.alternatives, 1)]
    if usage is not None:
        chunks.append(chunk_of(None, usage=usage))
    return [*map(event_of, chunks), b"data: [DONE]\n\n"]


def calls_of(reply: ServerReply) -> dict[str, Any]:
    """The calls of a reply, in the form of a message."""
    calls: dict[str, Any] = {}
    if reply.tool_calls:
        calls["tool_calls"] = [
            call.to_json() if isinstance(call, ToolCall) else dict(call) for call in reply.tool_calls
        ]
    if reply.function_call:
        calls["function_call"] = reply.function_call.to_json()
    return calls


def _call_deltas(calls: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Name first, then the arguments in two pieces, as OpenAI does it."""
    deltas: list[dict[str, Any]] = []
    for index, call in enumerate(calls.get("tool_calls", ())):
        function = dict(call.get("function") or {})
        arguments = str(function.pop("arguments", ""))
        half = len(arguments) // 2
        deltas.append({"tool_calls": [{"index": index, **call, "function": {**function, "arguments": ""}}]})
        pieces = (arguments[:half], arguments[half:])
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces]
    if call := calls.get("function_call"):
        deltas.append({"function_call": {"name": call["name"], "arguments": ""}})
        deltas.append({"function_call": {"arguments": call["arguments"]}})
    return deltas


def cut(text: str, size: int) -> list[str]:
    """A text in pieces of a size, or word by word."""
    if size:
        return [text[start : start + size] for start in range(0, len(text), size)]
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + ([words[-1]] if words[-1] else [])


def chunk_of(
    delta: Mapping[str, Any] | None, *, index: int = 0, finish_reason: str | None = None, usage: Any = None
) -> dict[str, Any]:
    """One chunk, with a piece of one choice or with none."""
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish_reason}]
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": "fake-model",
        "choices": choices,
        "usage": usage,
    }


def event_of(value: Any) -> bytes:
    """A value as an event of a stream."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"
