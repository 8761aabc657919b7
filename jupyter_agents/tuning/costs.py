"""What trials take, and what they may: calls, turns, tokens and money, unknown where it is not known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import reduce
from typing import Any

from jupyter_agents.budget import Budget
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.messages import Usage
from jupyter_agents.prices import Prices, price_of
from jupyter_agents.tuning.store import Outcome


@dataclass(frozen=True, slots=True)
class Spent:
    """What was taken. `tokens` and `money` (US dollars) are `None` where a part of them is unknown."""

    model_calls: int = 0
    turns: int = 0
    tokens: int | None = 0
    money: float | None = 0.0
    estimated: bool = False

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.model_calls + other.model_calls,
            self.turns + other.turns,
            None if self.tokens is None or other.tokens is None else self.tokens + other.tokens,
            None if self.money is None or other.money is None else self.money + other.money,
            self.estimated or other.estimated,
        )

    @classmethod
    def of(cls, outcome: Outcome, prices: Prices | None) -> Spent:
        """What an outcome took when it was asked for. Where no call was seen, somebody else may have made some.

        Calls that a cache has answered took nothing. Prices of the user's own go before those of the calls.
        """
        used = [*outcome.usage.items()] or ([] if outcome.model_calls else [("", Usage())])
        tokens = [usage.total_tokens for _, usage in used]
        costs = [price_of(name, usage, prices=prices, endpoint_host=outcome.host) for name, usage in used]
        if (used and None in costs) or prices is None:
            costs = [outcome.cost] if outcome.model_calls and outcome.cost is not None else costs
        return cls(
            outcome.model_calls,
            outcome.turns,
            None if None in tokens else sum(one or 0 for one in tokens),
            None if None in costs else float(sum(one or 0.0 for one in costs)),
            any(usage.estimated for _, usage in used),
        )


def total(parts: list[Spent]) -> Spent:
    """All of them together."""
    return reduce(Spent.__add__, parts, Spent())


_COUNTED = tuple(one.name for one in fields(Spent) if one.name != "estimated")


@dataclass(frozen=True)
class Limit:
    """How much a trial, or the whole search, may take.

    It is looked at before each part of the data, with what that part is expected to take: as much for an instance as
    the costliest of the trial so far. A chat that takes more than that can overshoot it by one part.
    """

    amounts: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, budget: Budget | float | None, money: float | None = None) -> Limit:
        """A budget, or US dollars."""
        amounts = {} if money is None else {"money": money}
        if isinstance(budget, (int, float)):
            amounts["money"] = min(budget, amounts.get("money", budget))
        elif budget is not None:
            amounts |= _amounts(budget)
        for name, one in amounts.items():
            if isinstance(one, bool) or one < 0:
                raise ConfigurationError(f"Cannot use a budget of {name}={one!r}: give a number of at least 0.")
        return cls(amounts)

    def is_reached(self, spent: Spent, instances: int, each: Spent | None) -> bool:
        """Whether so many more instances would be too much, at `each` for one. Without that, whether nothing is left."""
        for name, limit in self.amounts.items():
            so_far, one = _known(spent, name), 0.0 if each is None else _known(each, name)
            if so_far + instances * one > limit + 1e-12 or so_far >= limit:
                return True
        return False


def _amounts(budget: Budget) -> dict[str, float]:
    given = budget.limits
    unknown = [name for name in given if name not in _COUNTED]
    if unknown:
        raise ConfigurationError(
            f"Cannot tune within a budget of {', '.join(unknown)}: a search counts {', '.join(_COUNTED)}. Leave it out."
        )
    return given


def price_unknown(what: str) -> ConfigurationError:
    """The error for a limit of money where nobody says what something costs."""
    return ConfigurationError(
        f"Cannot keep a budget of money: the price of {what} is unknown. Give prices={{'model': (1,000 tokens in, out)}} in "
        "US dollars, run `pip install 'jupyter-agents[prices]'`, or limit model_calls and tokens with a Budget."
    )


def _known(spent: Spent, name: str) -> float:
    value: Any = getattr(spent, name)
    if value is None:
        if name == "money":
            raise price_unknown("a model that answered")
        raise ConfigurationError(
            f"Cannot keep a budget of {name}: the number of its tokens is unknown. "
            "Limit model_calls, or leave the budget out."
        )
    return float(value)


def costliest(parts: list[Spent]) -> Spent:
    """The most that one of them took, of each kind."""
    tokens, money = [one.tokens for one in parts], [one.money for one in parts]
    return Spent(
        max(one.model_calls for one in parts),
        max(one.turns for one in parts),
        None if None in tokens else max(one or 0 for one in tokens),
        None if None in money else max(one or 0.0 for one in money),
    )
