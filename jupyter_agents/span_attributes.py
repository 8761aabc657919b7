"""What spans say of calls of models, in the words of OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_agents.known_secrets import hide, known_secrets
from jupyter_agents.models.base import ModelReply

if TYPE_CHECKING:
    from jupyter_agents.effects import Complete

_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
    "n": "choice.count",
}
"""Options of requests, by their names here, and in spans as `gen_ai.request.…`."""
_PROVIDERS = {"api.openai.com": "openai", "api.anthropic.com": "anthropic", "api.mistral.ai": "mistral_ai"}


def of_question(question: Complete) -> dict[str, Any]:
    """The attributes of a question to a model: which one, where, and with which options."""
    options = question.request.options
    told = {key: value for key, value in options.items() if key in _OPTIONS and type(value) in (int, float)}
    known: dict[str, Any] = {f"gen_ai.request.{_OPTIONS[key]}": value for key, value in told.items()}
    model, host = requested(question.model, options), _host(question.model)
    if model:
        known["gen_ai.request.model"] = model
    address, port = _parted(host or "")
    if address:
        known["server.address"] = address
    if port is not None:
        known["server.port"] = port
    known["gen_ai.provider.name"] = _provider(address)
    return known


def of_reply(reply: ModelReply) -> dict[str, Any]:
    """The attributes of a reply: how it ended, and what it took. What is unknown is `None`."""
    usage = reply.usage
    reasons = [one.finish_reason for one in (reply, *reply.alternatives)]
    found: dict[str, Any] = {"response.finish_reasons": reasons, "response.model": reply.model}
    if usage is not None:
        found["usage.input_tokens"], found["usage.output_tokens"] = usage.prompt_tokens, usage.completion_tokens
        found["usage.cache_read.input_tokens"] = usage.cached_tokens
        found["usage.reasoning.output_tokens"] = usage.reasoning_tokens
    return found


def requested(model: Any, options: Mapping[str, Any]) -> str | None:
    """The name of the model that is asked; of several, of the first."""
    name = options.get("model") or getattr(model, "name", None)
    if isinstance(name, str) and name:
        return name
    return next((found for part in getattr(model, "parts", ()) if (found := requested(part, {}))), None)


def _host(model: Any) -> str | None:
    host = getattr(getattr(model, "endpoint", None), "host", None)
    if isinstance(host, str):
        return host
    return next((found for part in getattr(model, "parts", ()) if (found := _host(part))), None)


def _parted(host: str) -> tuple[str, int | None]:
    address, _, port = host.rpartition(":")
    return (address, int(port)) if address and port.isdigit() else (host, None)


def _provider(host: str | None) -> str:
    if host and host.endswith(".openai.azure.com"):
        return "azure.ai.openai"
    return _PROVIDERS.get(host or "", host or "jupyter_agents")


def message_text(role: str, text: str, finish_reason: str | None) -> str:
    """One message, in the form in which spans hold them."""
    found = [message_part(role, text) | ({"finish_reason": finish_reason} if finish_reason else {})]
    return hidden(json.dumps(found, ensure_ascii=False))


def message_part(role: str, content: Any) -> dict[str, Any]:
    """A message as plain data."""
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def hidden(text: str) -> str:
    """The text without what is known to be secret."""
    return hide(text, known_secrets())
