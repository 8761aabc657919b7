"""What `FakeOpenAIServer` sends for `/responses`: a reply of the script as a response, whole or as events."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_CREATED = 1700000000


def response_of(
    text: str | None,
    calls: Sequence[Mapping[str, Any]],
    *,
    refusal: str | None = None,
    finish_reason: str | None = "stop",
    usage: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A whole response. Calls are in the form of chat completions, as are the finish reason and the usage."""
    content: list[dict[str, Any]] = []
    if text is not None:
        content.append({"type": "output_text", "text": text, "annotations": []})
    if refusal:
        content.append({"type": "refusal", "refusal": refusal})
    output = [_message(content)] if content else []
    output += [_call(number, call) for number, call in enumerate(calls)]
    return _response(output) | _ending(finish_reason) | {"usage": _usage(usage)}


def events_of(response: Mapping[str, Any], pieces: Sequence[str]) -> list[bytes]:
    """The events of a response whose text comes in these pieces. One without a status stops before its end."""
    begun = {**_response([]), "status": "in_progress"}
    events = [{"type": "response.created", "response": begun}]
    for index, item in enumerate(response["output"]):
        events += _of_message(index, item, pieces) if item["type"] == "message" else _of_call(index, item)
    if response["status"]:
        events.append({"type": f"response.{response['status']}", "response": dict(response)})
    return [_event(number, event) for number, event in enumerate(events)]


def _of_message(index: int, item: Mapping[str, Any], pieces: Sequence[str]) -> Iterator[dict[str, Any]]:
    where = {"item_id": item["id"], "output_index": index}
    yield _added(index, {**item, "content": []})
    for at, part in enumerate(item["content"]):
        place, what = where | {"content_index": at}, "refusal" if part["type"] == "refusal" else "text"
        yield {"type": "response.content_part.added", **place, "part": {**part, what: ""}}
        if what == "refusal":
            yield {"type": "response.refusal.delta", **place, "delta": part["refusal"]}
        else:
            for piece in pieces:
                yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
            yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
        yield {"type": "response.content_part.done", **place, "part": dict(part)}
    yield {"type": "response.output_item.done", "output_index": index, "item": dict(item)}


def _of_call(index: int, item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    where = {"item_id": item["id"], "output_index": index}
    arguments = item["arguments"]
    half = len(arguments) // 2
    yield _added(index, {**item, "arguments": "", "status": "in_progress"})
    for piece in (arguments[:half], arguments[half:]):
        yield {"type": "response.function_call_arguments.delta", **where, "delta": piece}
    yield {"type": "response.function_call_arguments.done", **where, "arguments": arguments}
    yield {"type": "response.output_item.done", "output_index": index, "item": dict(item)}


def _added(index: int, item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": index, "item": dict(item)}


def _response(output: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    about = {"id": "resp_fake", "object": "response", "created_at": _CREATED, "model": "fake-model"}
    return {**about, "status": "completed", "error": None, "incomplete_details": None, "output": list(output)}


def _ending(finish_reason: str | None) -> dict[str, Any]:
    if finish_reason in ("length", "content_filter"):
        why = "max_output_tokens" if finish_reason == "length" else finish_reason
        return {"status": "incomplete", "incomplete_details": {"reason": why}}
    return {"status": "completed" if finish_reason else None}


def _message(content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"id": "msg_fake", "type": "message", "role": "assistant", "status": "completed", "content": list(content)}


def _call(number: int, call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    said = {"name": function.get("name"), "arguments": str(function.get("arguments") or "")}
    about = {"id": f"fc_fake_{number}", "type": "function_call", "status": "completed", "call_id": call.get("id")}
    return about | said


def _usage(usage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    names = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
    return {names.get(key, key): value for key, value in usage.items()}


def _event(number: int, event: Mapping[str, Any]) -> bytes:
    body = json.dumps({**event, "sequence_number": number}).encode()
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), body)
