"""Models whose replies are kept in a cache: each is asked a question once, whichever agent, kernel or day asks it again."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_agents.effects import Step, Tell
from jupyter_agents.events import Delta, Remark
from jupyter_agents.known_secrets import hide, known_secrets
from jupyter_agents.models.base import Model, ModelReply, ModelRequest, check_configured
from jupyter_agents.models.cache import Cache

_WHOLE = ("stop", "tool_calls", "function_call")
"""How replies have ended that are kept. What was cut off or filtered may come whole the next time."""


class CachedModel:
    """A model that is asked what the cache does not know.

    Replies from the cache say so (`cached`). A request that is to be `fresh` goes to the model in any case, and its reply
    takes the place of the one that was kept. Nothing is kept of scripts, and of models that cannot be told apart.
    """

    def __init__(self, model: Model, cache: Cache) -> None:
        self._model = model
        self.cache = cache

    def __repr__(self) -> str:
        return f"CachedModel({self._model!r}, {self.cache!r})"

    @property
    def parts(self) -> tuple[Model, ...]:
        """The models of which it is made."""
        return (self._model,)

    @property
    def source(self) -> str:
        """The model, for a person."""
        return str(getattr(self._model, "source", None) or type(self._model).__name__)

    @property
    def on_break(self) -> str:
        """What becomes of a reply that breaks off."""
        return getattr(self._model, "on_break", "raise")

    @property
    def scripted(self) -> bool:
        """Whether its words are written by hand."""
        return bool(getattr(self._model, "scripted", False))

    def caching(self, cache: Cache) -> Model:
        """The same with another cache: that of a chat goes before that of a config."""
        return with_cache(self._model, cache)

    def renamed(self, name: str) -> Model:
        """The same with another model at the same endpoint."""
        from jupyter_agents.models.named import named_model

        return with_cache(named_model(name, self._model), self.cache)

    def check_configured(self) -> None:
        """Raise `ModelNotConfiguredError` if a call could not be sent."""
        check_configured(self._model)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer the request, from the cache where it is known there."""
        caching = getattr(self._model, "caching", None)
        if caching is not None:  # several models, or one that is found anew for each call
            found: Model = caching(self.cache)
            return await found.complete(request)
        if self.scripted:
            return await self._model.complete(request)
        key = question_key(self._model, request)
        if key is None:
            await Tell(Remark(f"Replies of {self.source} are not kept in the cache: {_NOT_TOLD_APART}"))
            return await self._model.complete(request)
        kept = None if request.fresh else _read(await _Aside(self.cache.get, (key,)))
        reply = await self._ask_and_keep(key, request) if kept is None else kept
        if kept is not None and kept.content:
            await Tell(Delta(kept.content))
        if trouble := getattr(self.cache, "trouble", None):
            await Tell(Remark(f"This chat goes on without its cache: {trouble}."))
        return reply

    async def _ask_and_keep(self, key: str, request: ModelRequest) -> ModelReply:
        reply = await self._model.complete(request)
        if all(one.finish_reason in _WHOLE for one in (reply, *reply.alternatives)):
            await _Aside(self.cache.set, (key, _without_secrets(reply.to_json())))
        return reply


_NOT_TOLD_APART = "it has no `source` or `name` by which to tell it from others. Give its class one."


def with_cache(model: Model, cache: Cache) -> Model:
    """The model with a cache; of several, each has it, so that filters and fallbacks are as without."""
    if isinstance(model, CachedModel):
        return model.caching(cache)
    return CachedModel(model, cache)


def question_key(model: Model, request: ModelRequest) -> str | None:
    """What stands for a question to this model: all that it is sent, and where; neither keys nor time-outs are in it.

    `None` where that is not known.
    """
    question = getattr(model, "question", None)
    asked = _asked_of_any(model, request) if question is None else question(request)
    try:
        text = json.dumps(asked, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return None if asked is None else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _asked_of_any(model: Any, request: ModelRequest) -> dict[str, Any] | None:
    names = (getattr(model, name, None) for name in ("source", "name", "model"))
    name = next((one for one in names if isinstance(one, str) and one), None)
    if name is None:
        return None
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    options = {key: value for key, value in request.options.items() if value is not None}
    return {"model": [kind, name], "options": options, "messages": [dict(one) for one in request.messages]}


def _read(kept: Any) -> ModelReply | None:
    """A reply that was kept. What is none (a file may hold anything) is asked for anew."""
    try:
        reply = ModelReply.from_json(kept, cached=True) if isinstance(kept, dict) else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return reply if reply is not None and _is_sound(reply) else None


def _is_sound(reply: ModelReply) -> bool:
    texts = (reply.content, reply.refusal, reply.model)
    calls = (*reply.tool_calls, *([reply.function_call] if reply.function_call else ()))
    counts = (reply.usage.prompt_tokens, reply.usage.completion_tokens) if reply.usage else ()
    return (
        reply.finish_reason in _WHOLE
        and all(text is None or isinstance(text, str) for text in texts)
        and all(count is None or type(count) is int for count in counts)
        and type(reply.cost) in (int, float, type(None))
        and all(isinstance(call.arguments, str) and isinstance(call.name, str) and call.name for call in calls)
    )


def _without_secrets(value: Any, secrets: Sequence[str] | None = None) -> Any:
    known = known_secrets() if secrets is None else tuple(secrets)
    if isinstance(value, str):
        return hide(value, known)
    if isinstance(value, dict):
        return {key: _without_secrets(one, known) for key, one in value.items()}
    return [_without_secrets(one, known) for one in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class _Aside(Step[Any]):
    """What a function gives that waits for a file: in another thread, where an event loop goes on meanwhile."""

    function: Callable[..., Any]
    args: tuple[Any, ...]

    def perform(self) -> Any:
        return self.function(*self.args)

    async def a_perform(self) -> Any:
        return await asyncio.to_thread(self.function, *self.args)
