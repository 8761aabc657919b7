"""The boundary to a language model: one coroutine, `complete`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.known_secrets import hide, known_keys
from jupyter_agents.messages import FinishReason, Message, ToolCall, Usage, scrub


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model is asked: messages in wire form, and inference options as the agent set them.

    All belong to the caller and must not be changed by a model. `context` is what templates and filters read; it is
    never sent. `fresh` asks for a reply that no cache holds. `deadline` is when all of it should be over, by `time.monotonic()`: a model may have less time of its own.
    """

    messages: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] | None = None
    fresh: bool = False
    deadline: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What a model answered. `finish_reason` says whether it came whole; `usage` is `None` when unknown.

    `replayed`, `cached` and `model` are for the page: they say where the words came from. `alternatives` are the other
    choices where `n` of them were asked for, and `logprobs` what the server said of its tokens, as plain data. `cost` is
    the price of the call in US dollars, `None` where it is unknown: what was paid, or had been paid when it was recorded.
    """

    content: str | None = None
    finish_reason: FinishReason = "stop"
    function_call: ToolCall | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    usage: Usage | None = None
    model: str | None = None
    replayed: bool = False
    cached: bool = False
    alternatives: tuple[ModelReply, ...] = ()
    logprobs: Any = field(default=None, hash=False)
    cost: float | None = None

    def to_message(self) -> Message:
        """The reply as something to say. A refusal is said as such."""
        content = self.content if self.content is not None else self.refusal
        if content is None and not self.function_call and not self.tool_calls:
            content = ""
        content = scrub(content) if isinstance(content, str) else content
        return Message(content, None, None, self.function_call, self.tool_calls, finish_reason=self.finish_reason)

    def to_json(self) -> dict[str, Any]:
        """Plain data, without the fields that hold nothing and without `replayed` and `cached`."""
        found: dict[str, Any] = {"content": self.content, "finish_reason": self.finish_reason}
        if self.function_call:
            found["function_call"] = self.function_call.to_json()
        if self.tool_calls:
            found["tool_calls"] = [call.to_json() for call in self.tool_calls]
        if self.refusal:
            found["refusal"] = self.refusal
        if self.usage:
            found["usage"] = self.usage.to_json()
        if self.model:
            found["model"] = self.model
        if self.alternatives:
            found["alternatives"] = [one.to_json() for one in self.alternatives]
        if self.logprobs is not None:
            found["logprobs"] = self.logprobs
        if self.cost is not None:
            found["cost"] = self.cost
        return found

    def without_secrets(self) -> ModelReply:
        """The same where a secret is known, and a reply without it where one is repeated."""
        calls = tuple(call.without_secrets() for call in self.tool_calls)
        call = self.function_call and self.function_call.without_secrets()
        known = known_keys()
        content, refusal = (
            hide(text, known) if isinstance(text, str) else text for text in (self.content, self.refusal)
        )
        others = tuple(one.without_secrets() for one in self.alternatives)
        found = replace(
            self, content=content, refusal=refusal, tool_calls=calls, function_call=call, alternatives=others
        )
        return self if found == self else found

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, replayed: bool = False, cached: bool = False) -> ModelReply:
        """The reverse of `to_json`."""
        call, usage = data.get("function_call"), data.get("usage")
        return cls(
            content=data.get("content"),
            finish_reason=data.get("finish_reason", "stop"),
            function_call=ToolCall.from_json(call) if call else None,
            tool_calls=tuple(ToolCall.from_json(one) for one in data.get("tool_calls") or ()),
            refusal=data.get("refusal"),
            usage=Usage.from_json(usage) if usage else None,
            model=data.get("model"),
            replayed=replayed,
            cached=cached,
            alternatives=tuple(map(cls.from_json, data.get("alternatives") or ())),
            logprobs=data.get("logprobs"),
            cost=data.get("cost"),
        )


@runtime_checkable
class Model(Protocol):
    """Anything that can answer a request.

    Pieces of a streaming reply are told with `await Tell(Delta(text))`. Failures are `ModelError`s. What waits
    or reads does so by awaiting steps (`jupyter_agents.effects.Step`), so that one implementation serves the
    synchronous and the asynchronous API.
    """

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer the request, once."""
        ...


def check_configured(model: Model) -> None:
    """Raise `ModelNotConfiguredError` if `model` knows that it could not be asked."""
    check = getattr(model, "check_configured", None)
    if check is not None:
        check()


def is_configured(model: Model) -> bool:
    """Whether `model` could be asked, as far as it knows."""
    try:
        check_configured(model)
    except ConfigurationError:
        return False
    return True
