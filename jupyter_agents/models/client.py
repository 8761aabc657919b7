"""Models behind a client of the user's own: the classic protocol of `model_client_cls`.

Such a client has `create(params)`, which gives a response, `message_retrieval(response)`, which gives its texts or
messages, and may have `cost(response)` and `get_usage(response)`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from jupyter_agents.culprits import was_in
from jupyter_agents.effects import CallTool
from jupyter_agents.errors import ConfigurationError, MalformedReplyError, ModelError, ModelUnavailableError
from jupyter_agents.meant import is_number
from jupyter_agents.messages import Usage
from jupyter_agents.models.assembly import usage_of
from jupyter_agents.models.base import Model, ModelReply, ModelRequest
from jupyter_agents.models.classic_response import reply_of
from jupyter_agents.models.pricing import Price, checked_price


class ClientModel:
    """A model behind a client class, which the config names and `register_model_client` gives.

    An `a_create` of the client is used where a chat runs on an event loop.
    """

    def __init__(self, config: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        named = config["model_client_cls"]
        self._config = dict(config)
        self._options = copy.deepcopy(dict(options))
        self._client: Any = None
        self._price = Price(checked_price(config.get("price")))
        self.class_name = named if isinstance(named, str) else getattr(named, "__name__", "")
        if isinstance(named, type):
            self.register(named)
        elif not isinstance(named, str):
            raise ConfigurationError(
                f"Cannot use model_client_cls {type(named).__name__!r}: the name of a class, or the class, is accepted. "
                "Give one of them."
            )

    def __repr__(self) -> str:
        return f"ClientModel({self._config.get('model')!r}, {self.class_name!r})"

    @property
    def source(self) -> str:
        """The model and its client, for a person."""
        return f"{self._config.get('model')!r} of {self.class_name}"

    def question(self, request: ModelRequest) -> dict[str, Any]:
        """What the client is asked, as far as it changes the reply: how a cache knows it."""
        return {"of": [self.class_name, self._config.get("base_url")], "asked": self._parameters(request)}

    @property
    def is_registered(self) -> bool:
        """Whether the class is known."""
        return self._client is not None

    def register(self, client_class: Any, **arguments: Any) -> None:
        """Make the client: its class gets the config, and the arguments."""
        client = client_class(dict(self._config), **arguments)
        for name in ("create", "message_retrieval"):
            if not callable(getattr(client, name, None)):
                raise ConfigurationError(
                    f"Cannot use {self.class_name} as a model client: it has no method {name}(). Add it."
                )
        self._client = client

    def check_configured(self) -> None:
        """Raise `ConfigurationError` while the class is not registered."""
        if self._client is None:
            raise ConfigurationError(
                f"Cannot ask {self.source}: the config names the client class {self.class_name!r}, which is not "
                f"registered. Call register_model_client({self.class_name}) of the agent, or of the OpenAIWrapper."
            )

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer the request."""
        self.check_configured()
        response = await self._call("create", self._parameters(request))
        messages = list(await self._call("message_retrieval", response) or ())
        if not messages:
            raise MalformedReplyError(
                f"Cannot read the reply of {self.source}: message_retrieval() gives no message. Correct the client."
            )
        usage = await self._call("get_usage", response) if hasattr(self._client, "get_usage") else None
        reply = self._price.put_on(self._reply(response, messages, usage))
        if reply.cost is None and hasattr(self._client, "cost"):
            reply = replace(reply, cost=_amount(await self._call("cost", response)))
        return reply

    def expected_cost(self, request: ModelRequest) -> float | None:
        """What a call may cost, as far as that is known before. A client that tells its costs does so afterwards."""
        known = self._price.least_of("", request, {**self._options, **request.options})
        return 0.0 if known is None and hasattr(self._client, "cost") else known

    def _parameters(self, request: ModelRequest) -> dict[str, Any]:
        said = {"model": self._config.get("model"), **self._options, **request.options}
        parameters = {key: value for key, value in said.items() if value is not None}
        parameters["messages"] = [copy.deepcopy(dict(one)) for one in request.messages]
        return parameters

    async def _call(self, name: str, argument: Any) -> Any:
        function = getattr(self._client, name)
        try:
            return await CallTool(function, (argument,), a_function=getattr(self._client, f"a_{name}", None))
        except ModelError:
            raise
        except (ConnectionError, TimeoutError) as error:
            raise ModelUnavailableError(
                f"Cannot get a reply from {self.source}: {type(error).__name__} ({error}). Try again later."
            ) from error
        except Exception as error:
            was_in(error, "a model client", function)
            raise

    def _reply(self, response: Any, messages: list[Any], usage: Any) -> ModelReply:
        model = getattr(response, "model", None) or self._config.get("model")
        known = {"usage": _usage(usage), "model": model if isinstance(model, str) else None}
        first, *others = (_finished(reply_of(one, **known)) for one in messages)
        return first if not others else _with_alternatives(first, others)


def _finished(reply: ModelReply) -> ModelReply:
    reason: Any = "tool_calls" if reply.tool_calls else "function_call" if reply.function_call else "stop"
    return replace(reply, finish_reason=reason)


def _with_alternatives(first: ModelReply, others: list[ModelReply]) -> ModelReply:
    return replace(first, alternatives=tuple(replace(one, usage=None) for one in others))


def _usage(said: Any) -> Usage | None:
    counts = said if isinstance(said, Mapping) else vars(said) if hasattr(said, "__dict__") else {}
    return usage_of(counts)


def _amount(value: Any) -> float | None:
    return float(value) if is_number(value) and value >= 0 else None


def client_models(model: Model | None) -> Iterator[ClientModel]:
    """The models behind custom clients that are in a model."""
    if isinstance(model, ClientModel):
        yield model
    for part in getattr(model, "parts", ()):
        yield from client_models(part)


def register_client(model: Model | None, client_class: Any, **arguments: Any) -> None:
    """Give the class to the first config which names it and has none. Raises `ConfigurationError` where none does."""
    name = getattr(client_class, "__name__", str(client_class))
    named = [one for one in client_models(model) if one.class_name == name]
    for one in named:
        if not one.is_registered:
            return one.register(client_class, **arguments)
    if named:
        raise ConfigurationError(
            f"Cannot register {name} once more: every config that names it has it. Add a config with "
            f"'model_client_cls': {name!r}."
        )
    raise ConfigurationError(
        f"Cannot register {name}: no config has 'model_client_cls': {name!r}. Add it to the config that it is for."
    )
