"""`OpenAIWrapper`, the classic's client: model calls outside any agent, with everything that agents' calls have."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jupyter_agents.agents.faces import faces
from jupyter_agents.effects import Complete
from jupyter_agents.events import Listener
from jupyter_agents.models.base import Model, ModelReply, ModelRequest, check_configured
from jupyter_agents.models.cache import Cache
from jupyter_agents.models.cached import with_cache
from jupyter_agents.models.classic_response import ClassicResponse
from jupyter_agents.models.client import register_client
from jupyter_agents.models.config import model_from_config
from jupyter_agents.models.config_keys import ALIASES, CALL_KEYS, CONNECTION_KEYS, IGNORED_KEYS, check_keys
from jupyter_agents.models.fallback import Answer, FallbackModel
from jupyter_agents.models.masking import MaskedConfig
from jupyter_agents.models.templates import asked_messages
from jupyter_agents.run import ThisRun, Within
from jupyter_agents.usage_summary import Mode, UsageSummary

_OF_MODEL = frozenset({"config_list", *CONNECTION_KEYS, *CALL_KEYS, *IGNORED_KEYS, *ALIASES})
"""Keys that make another model of it; the others are options of a request."""


class OpenAIWrapper:
    """Asks the models of a config, the next where one cannot answer, as agents do.

    `listeners` hear what streams, waits and fallbacks (`jupyter_agents.events`); nothing is printed. Calls are recorded,
    replayed and counted as those of agents are: within a tool, on the budget of its chat.

    >>> from jupyter_agents.models import ScriptedModel
    >>> wrapper = OpenAIWrapper(model=ScriptedModel(["Hello."]))
    >>> wrapper.create(messages=[{"role": "user", "content": "Hi"}]).choices[0].message.content
    'Hello.'
    """

    def __init__(
        self,
        *,
        config_list: Sequence[Mapping[str, Any]] | None = None,
        listeners: Sequence[Listener] = (),
        **base_config: Any,
    ) -> None:
        self._config = dict(base_config) | ({} if config_list is None else {"config_list": list(config_list)})
        self._clients: list[tuple[Any, dict[str, Any]]] = []
        self._listeners = tuple(listeners)
        self._model = model_from_config(self._config)
        self._usage = UsageSummary()

    def __repr__(self) -> str:
        return f"OpenAIWrapper({self._model!r})"

    @property
    def config_list(self) -> list[Mapping[str, Any]]:
        """The configs, which show no keys when they are printed."""
        return [MaskedConfig(copy.copy(dict(one))) for one in self._config.get("config_list") or [self._config]]

    def register_model_client(self, model_client_cls: type[Any], **kwargs: Any) -> None:
        """Give the class of a client of your own, which a config names as `model_client_cls`."""
        register_client(self._model, model_client_cls, **kwargs)
        self._clients.append((model_client_cls, kwargs))

    async def _create(
        self,
        *,
        messages: Sequence[Mapping[str, Any]] | Callable[..., Any] | None = None,
        prompt: str | Callable[..., Any] | None = None,
        context: Mapping[str, Any] | None = None,
        agent: Any = None,
        **config: Any,
    ) -> ClassicResponse:
        """The response to messages. What of `config` is said here goes before what the configs say.

        `context` is what a filter and templates read. `prompt` is one message of a user. `agent` says who asks, by name.

        `messages`, the content of one, or `prompt` may be a function of the context, plain or async. With
        `allow_format_str_template` text is a template, too: `{name}` stands for what the context has under that name.
        What models, tools and functions have said is never filled in.
        """
        check_keys(config, "create()")
        options = {key: value for key, value in config.items() if key not in _OF_MODEL}
        allows_format = bool((self._config | config).get("allow_format_str_template"))
        asked = await asked_messages(messages, prompt, context, allows_format=allows_format)
        request = ModelRequest(asked, options, context)
        call = _Call(self._model_with(config))
        await self._ask(call, request, str(getattr(agent, "name", agent) or type(self).__name__))
        return await self._response(call, request)

    create, a_create = faces(_create)

    @staticmethod
    def extract_text_or_completion_object(response: Any) -> list[Any]:
        """The text of each choice, or its message where that calls tools."""
        messages = [choice["message"] for choice in response["choices"]]
        return [one if one["tool_calls"] or one["function_call"] else one["content"] for one in messages]

    # -- Usage ----------------------------------------------------------------------------------------------------

    @property
    def total_usage_summary(self) -> dict[str, Any] | None:
        """Tokens and price by model, of all calls, also of those that a recording or a cache has answered."""
        return self._usage.total

    @property
    def actual_usage_summary(self) -> dict[str, Any] | None:
        """The same of those that a server has answered."""
        return self._usage.actual

    def clear_usage_summary(self) -> None:
        """Count anew."""
        self._usage.clear()

    def print_usage_summary(self, mode: Mode = "both") -> None:
        """Write the summaries to where `print` writes."""
        self._usage.write(mode)

    # -- One call -------------------------------------------------------------------------------------------------

    def _model_with(self, config: Mapping[str, Any]) -> Model:
        """The model, or one with the settings of this call, which go over those of every config."""
        own = {key: value for key, value in config.items() if key in _OF_MODEL}
        if not own:
            return self._model
        listed = own.pop("config_list", self._config.get("config_list"))
        merged = self._config | own
        if listed is not None:
            merged["config_list"] = [{**one, **own} for one in listed]
        model = model_from_config(merged)
        for client_class, arguments in self._clients:
            register_client(model, client_class, **arguments)
        return model

    async def _ask(self, call: _Call, request: ModelRequest, name: str) -> None:
        """Within a chat it is asked aside: what it says is no message there."""
        run = await ThisRun()
        effect = Complete(name, call, request, aside="" if run.depth == 0 else "a call")
        run = replace(run, listeners=(*run.listeners, *self._listeners))
        call.reply = await Within(run, _performed(effect))

    async def _response(self, call: _Call, request: ModelRequest) -> ClassicResponse:
        answer = call.answer
        if answer is None:  # a recording has answered
            accepts = getattr(call.model, "accepts", None)
            answer = Answer(call.reply, -1, accepts is None or await accepts(call.reply, request))
        costs = [self._count(one.reply) for one in (*answer.refused, answer)]
        config_id = None if call.answer is None else answer.config_id
        cost = None if None in costs else sum(cost or 0.0 for cost in costs)
        return ClassicResponse.of(answer.reply, config_id=config_id, pass_filter=answer.pass_filter, cost=cost)

    def _count(self, reply: ModelReply) -> float | None:
        self._usage.add(reply.model, reply.usage, reply.cost, is_paid=not (reply.replayed or reply.cached))
        return reply.cost


class _Call:
    """The model of one call, which keeps how its reply came."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.answer: Answer | None = None
        self.reply = ModelReply()

    @property
    def parts(self) -> tuple[Model, ...]:
        return (self.model,)

    @property
    def scripted(self) -> bool:
        return bool(getattr(self.model, "scripted", False))

    def caching(self, cache: Cache) -> Model:
        self.model = with_cache(self.model, cache)
        return self

    def check_configured(self) -> None:
        check_configured(self.model)

    async def complete(self, request: ModelRequest) -> ModelReply:
        if isinstance(self.model, FallbackModel):
            self.answer = await self.model.answer(request)
        else:
            self.answer = Answer(await self.model.complete(request), 0)
        return self.answer.reply


async def _performed(effect: Complete) -> ModelReply:
    return await effect
