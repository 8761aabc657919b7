"""What calls of a model cost: by the price that its config says, else by what is published for the server that answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.meant import is_number
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import Model, ModelReply, ModelRequest
from jupyter_agents.models.masking import kind_of
from jupyter_agents.prices import price_of

if TYPE_CHECKING:
    from jupyter_agents.models.cache import Cache

CHARACTERS_PER_TOKEN = 4
_OF_AN_IMAGE = 1_000
"""About so many tokens is a picture; how many it is, the servers reckon each in their own way."""
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


@dataclass(frozen=True, slots=True)
class Price:
    """How calls of one model are priced.

    `own` is the price of 1,000 tokens of a request and of a reply, as its config says it; `host` is the server, of which a
    published price is taken where `own` is not said. Where neither is, nothing is known.
    """

    own: tuple[float, float] | None = None
    host: str | None = None

    def of(self, model: str | None, usage: Usage | None) -> float | None:
        """US dollars of a call, or `None`."""
        if self.own is not None:
            return price_of("own", usage, prices={"own": self.own})
        return None if self.host is None else price_of(model, usage, endpoint_host=self.host)

    def put_on(self, reply: ModelReply) -> ModelReply:
        """The reply with its price, where that is known and the reply does not have one."""
        if reply.cost is not None or reply.usage is None:
            return reply
        cost = self.of(reply.model, reply.usage)
        return reply if cost is None else replace(reply, cost=cost)

    def least_of(self, model: str, request: ModelRequest, options: Mapping[str, Any]) -> float | None:
        """What a call may cost as far as it is known before: its prompt, and its reply where that has a limit."""
        limit = next((options[name] for name in _LIMITS if type(options.get(name)) is int), 0)
        several = options.get("n")
        reply = limit * (several if type(several) is int and several > 1 else 1)
        return self.of(model, Usage(prompt_tokens(request), reply))


def checked_price(price: Any) -> tuple[float, float] | None:
    """The price in a config: of 1,000 tokens of a request and of a reply, in US dollars.

    >>> checked_price([0.001, 0.002])
    (0.001, 0.002)
    """
    if price is None:
        return None
    parts = list(price) if isinstance(price, Sequence) and not isinstance(price, str | bytes) else []
    if len(parts) != 2 or not all(is_number(one) and math.isfinite(one) and one >= 0 for one in parts):
        said = repr(price)[:60] if isinstance(price, Sequence | int | float) else kind_of(price)
        raise ConfigurationError(
            f"Cannot use the price {said}: two numbers are accepted, the US dollars for 1,000 tokens of a request and of a "
            "reply. Give [0.001, 0.002], or leave it out."
        )
    return float(parts[0]), float(parts[1])


def expected_cost(model: Any, request: ModelRequest) -> float | None:
    """What a call may cost, as far as that is known before; `None` where no price is. Scripts cost nothing.

    Of several models of which one answers, the most that one of them may cost.
    """
    if getattr(model, "scripted", False):
        return 0.0
    own = getattr(model, "expected_cost", None)
    if own is not None:
        cost: float | None = own(request)
        return cost
    costs = [expected_cost(part, request) for part in getattr(model, "parts", ())]
    known = [cost for cost in costs if cost is not None]
    return max(known) if known and len(known) == len(costs) else None


def check_priced(model: Any, request: ModelRequest, agent: str) -> None:
    """Raise `ConfigurationError` for a model whose price is not known, where money is limited."""
    if expected_cost(model, request) is None:
        name = getattr(model, "source", None) or repr(model)
        raise ConfigurationError(
            f"Cannot limit the money of a chat in which {agent!r} asks {name}: its price is unknown. Put 'price': "
            "[US dollars for 1,000 tokens of a request, of a reply] in its config, run `pip install "
            "'jupyter-agents[prices]'` for published ones, or give Budget(…, unknown_price='allow')."
        )


def prompt_tokens(request: ModelRequest) -> int:
    """About how many tokens a request has."""
    told = sum(_size(message.get("content")) + _calls(message) for message in request.messages)
    offered = sum(len(str(request.options.get(key) or "")) for key in ("tools", "functions"))
    return math.ceil((told + offered) / CHARACTERS_PER_TOKEN)


def _size(content: Any) -> int:
    """Characters of a text, and about as many as a picture has tokens."""
    if isinstance(content, str):
        return len(content)
    if not isinstance(content, list | tuple):
        return 0
    return sum(
        len(str(part.get("text", ""))) if "text" in part else _OF_AN_IMAGE * CHARACTERS_PER_TOKEN
        for part in content
        if isinstance(part, Mapping)
    )


def _calls(message: Mapping[str, Any]) -> int:
    return len(str(message.get("tool_calls") or message.get("function_call") or ""))


class PricedModel:
    """A model of the user's own whose calls have the price that a config says."""

    def __init__(self, model: Model, price: tuple[float, float]) -> None:
        self._model, self._own, self._price = model, price, Price(price)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._model, name)

    def __repr__(self) -> str:
        return f"PricedModel({self._model!r}, {self._price.own!r})"

    @property
    def parts(self) -> tuple[Model, ...]:
        """The models of which it is made."""
        return (self._model,)

    def caching(self, cache: Cache) -> Model:
        """The same with a cache."""
        from jupyter_agents.models.cached import with_cache

        return PricedModel(with_cache(self._model, cache), self._own)

    def expected_cost(self, request: ModelRequest) -> float | None:
        """What a call may cost, as far as that is known before."""
        return self._price.least_of("", request, request.options)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer the request."""
        return self._price.put_on(await self._model.complete(request))
