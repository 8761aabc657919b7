"""A request of the chat-completions form in that of the Responses API (`"api": "responses"` in a config).

Every request holds the whole conversation: nothing is kept at the server (`store` is false unless a config says
otherwise), and nothing there is gone on with. What the API has no word for is refused before anything is sent.
https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jupyter_agents.errors import ConfigurationError, InvalidMessageError

_UNKNOWN = ("audio", "frequency_penalty", "logit_bias", "modalities", "prediction", "presence_penalty", "seed", "stop")
_AT_THE_SERVER = ("previous_response_id", "conversation", "background")
_LIMITS = ("max_output_tokens", "max_completion_tokens", "max_tokens")


def to_response_request(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body for `/responses` that asks the same as a body for `/chat/completions`.

    >>> to_response_request({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9})
    {'model': 'm', 'max_output_tokens': 9, 'store': False, 'input': [{'role': 'user', 'content': 'Hi'}]}
    """
    _check(body)
    left = {key: value for key, value in body.items() if key not in (*_UNKNOWN, "n", "messages", "stream_options")}
    limit = next((left[key] for key in _LIMITS if key in left), None)
    found = {key: value for key, value in left.items() if key not in (*_LIMITS, *_TAKEN)}
    if limit is not None:
        found["max_output_tokens"] = limit
    return (
        found | _tools(left) | _wording(left) | {"store": body.get("store", False), "input": _input(body["messages"])}
    )


_TAKEN = (
    "function_call",
    "functions",
    "logprobs",
    "reasoning_effort",
    "response_format",
    "store",
    "tool_choice",
    "tools",
    "verbosity",
)


def _check(body: Mapping[str, Any]) -> None:
    unknown = [key for key in _UNKNOWN if body.get(key)] + (["n"] if body.get("n", 1) != 1 else [])
    if unknown:
        raise ConfigurationError(
            f"Cannot send the request: the Responses API has no {unknown[0]!r}. Take it out of the config, or leave out "
            "'api', so that chat completions are asked for."
        )
    kept = [key for key in _AT_THE_SERVER if body.get(key)]
    if kept:
        raise ConfigurationError(
            f"Cannot send the request: {kept[0]!r} goes on with what a server keeps, and here every request holds the "
            "whole conversation. Take it out of the config."
        )


# -- Options ----------------------------------------------------------------------------------------------------


def _tools(body: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    tools = [_tool(tool) for tool in body.get("tools") or ()] + [_function(one) for one in body.get("functions") or ()]
    if tools:
        found["tools"] = tools
    choice = body.get("tool_choice", body.get("function_call"))
    if choice is not None:
        found["tool_choice"] = _choice(choice)
    return found


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    function = tool.get("function")
    return _function(function) if isinstance(function, Mapping) else tool


def _function(function: Mapping[str, Any]) -> dict[str, Any]:
    """A function. It is not strict unless it says so: the Responses API would take it to be."""
    return {"type": "function", **function, "strict": bool(function.get("strict"))}


def _choice(choice: Any) -> Any:
    if not isinstance(choice, Mapping):
        return choice
    function = choice.get("function", choice)
    return {"type": "function", "name": function["name"]} if "name" in function else choice


def _wording(body: Mapping[str, Any]) -> dict[str, Any]:
    """How the reply is to be: its format and length, the effort for it, what is told of its tokens."""
    found: dict[str, Any] = {}
    text = dict(body.get("text") or {})
    if (format_ := body.get("response_format")) is not None:
        text["format"] = _format(format_)
    if "verbosity" in body:
        text["verbosity"] = body["verbosity"]
    if text:
        found["text"] = text
    if "reasoning_effort" in body:
        found["reasoning"] = {**(body.get("reasoning") or {}), "effort": body["reasoning_effort"]}
    if body.get("logprobs"):
        found["include"] = [*(body.get("include") or ()), "message.output_text.logprobs"]
    return found


def _format(format_: Any) -> Any:
    schema = format_.get("json_schema") if isinstance(format_, Mapping) else None
    return {"type": "json_schema", **schema} if isinstance(schema, Mapping) else format_


# -- Messages ---------------------------------------------------------------------------------------------------


def _input(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    legacy = 0
    for message in messages:
        role = message.get("role")
        if role == "tool":
            items.append(_output(str(message.get("tool_call_id")), message))
        elif role == "function":
            items.append(_output(f"call_legacy_{legacy}", message))
        else:
            legacy += bool(message.get("function_call"))
            items += _said(message, f"call_legacy_{legacy}")
    return items


def _output(call_id: str, message: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": _plain_text(message.get("content"))}


def _said(message: Mapping[str, Any], legacy_id: str) -> list[dict[str, Any]]:
    """What one message becomes: its words, and each of its calls as an item of its own."""
    items: list[dict[str, Any]] = []
    content, role = message.get("content"), message.get("role")
    if role == "assistant":
        if words := _plain_text(content):
            items.append({"role": role, "content": words})
    elif content is not None:
        items.append({"role": role, "content": _content(content, message.get("name") if role == "user" else None)})
    calls = [(call.get("id"), call.get("function") or {}) for call in message.get("tool_calls") or ()]
    if legacy := message.get("function_call"):
        calls.append((legacy_id, legacy))
    return items + [_call(call_id, function) for call_id, function in calls]


def _call(call_id: Any, function: Mapping[str, Any]) -> dict[str, Any]:
    name, arguments = function.get("name"), function.get("arguments") or "{}"
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def _content(content: Any, name: str | None) -> Any:
    """Words and images of a user. There are no names of speakers in this API: who spoke is said in the words."""
    start = f"{name}:\n" if name else ""
    if isinstance(content, str):
        return start + content
    parts = [_part(part) for part in content]
    return [{"type": "input_text", "text": start}, *parts] if start else parts


def _part(part: Mapping[str, Any]) -> Mapping[str, Any]:
    kind = part.get("type")
    if kind == "text":
        return {"type": "input_text", "text": part.get("text", "")}
    if kind == "image_url":
        image = part["image_url"]
        return {"type": "input_image", "image_url": image["url"], "detail": image.get("detail") or "auto"}
    if kind == "file":
        return {"type": "input_file", **part["file"]}
    if kind in ("input_text", "input_image", "input_file"):
        return part
    raise InvalidMessageError(
        f"Cannot send a message: the Responses API has no part of the type {kind!r}. Use 'text', 'image_url' or 'file'."
    )


def _plain_text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(_texts(content))


def _texts(parts: Iterable[Any]) -> Iterable[str]:
    return (str(part.get("text") or part.get("refusal") or "") for part in parts if isinstance(part, Mapping))
