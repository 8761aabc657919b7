"""A reply in the shape of a chat completion, which classic filters and programs take apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply


class ClassicObject(dict[str, Any]):
    """A dictionary whose items are attributes too: `response.choices[0].message.content`, or with brackets."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name!r}; it has {', '.join(self)}") from None


class ClassicResponse(ClassicObject):
    """A reply, as a chat completion. `reply` is what it was made from.

    `config_id` says which config of the list has answered, `pass_filter` whether the filter has accepted the reply (true
    without a filter, as in the classic), `cost` the price in US dollars: `None` where it is unknown.
    """

    reply: ModelReply

    @classmethod
    def of(
        cls, reply: ModelReply, *, config_id: int | None = None, pass_filter: bool = True, cost: float | None = None
    ) -> ClassicResponse:
        """The response of a reply."""
        replies = (reply, *reply.alternatives)
        usage = reply.usage
        found = cls(
            object="chat.completion",
            model=reply.model,
            choices=[_choice(number, one) for number, one in enumerate(replies)],
            usage=usage and ClassicObject(usage.to_json() | {"total_tokens": usage.total_tokens}),
            cost=cost,
            config_id=config_id,
            pass_filter=pass_filter,
            cached=reply.cached or reply.replayed,
        )
        found.reply = reply
        return found


def _choice(number: int, reply: ModelReply) -> ClassicObject:
    message = ClassicObject(
        role="assistant",
        content=reply.content,
        refusal=reply.refusal,
        function_call=reply.function_call and _nested(reply.function_call.to_json()),
        tool_calls=[_nested(call.to_json()) for call in reply.tool_calls] or None,
    )
    return ClassicObject(index=number, finish_reason=reply.finish_reason, message=message, logprobs=reply.logprobs)


def _nested(value: Any) -> Any:
    if isinstance(value, Mapping):
        return ClassicObject({key: _nested(one) for key, one in value.items()})
    return value


def reply_of(message: Any, **known: Any) -> ModelReply:
    """The reply in a text, a message as a dictionary, or a message object of an SDK, such as custom clients retrieve."""
    if isinstance(message, str):
        return ModelReply(message, **known)
    call, calls = _part(message, "function_call"), _part(message, "tool_calls") or ()
    content = _part(message, "content")
    return ModelReply(
        content if content is None or isinstance(content, str) else str(content),
        function_call=_call(call) if call else None,
        tool_calls=tuple(map(_call, calls)),
        **known,
    )


def _call(call: Any) -> ToolCall:
    function = _part(call, "function") or call
    name, arguments = (str(_part(function, key) or "") for key in ("name", "arguments"))
    return ToolCall(name, arguments or "{}", _part(call, "id"))


def _part(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
