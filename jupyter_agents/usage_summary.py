"""What somebody's model calls took, by model, in the classic form: of all calls, and of those that a server has answered."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from jupyter_agents.messages import Usage
from jupyter_agents.prices import dollars

Mode = Literal["both", "total", "actual"] | Sequence[str]


@dataclass
class _Spent:
    prompt: int = 0
    completion: int = 0
    cost: float | None = 0.0

    def add(self, other: _Spent) -> None:
        self.prompt += other.prompt
        self.completion += other.completion
        self.cost = None if other.cost is None or self.cost is None else self.cost + other.cost

    def to_classic(self) -> dict[str, Any]:
        return {
            "cost": self.cost,
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        }


@dataclass
class _Summary:
    """Calls by model. A price is `None` where that of one call is unknown."""

    by_model: dict[str, _Spent] = field(default_factory=dict)

    def add(self, model: str, spent: _Spent) -> None:
        self.by_model.setdefault(model, _Spent()).add(spent)

    @property
    def cost(self) -> float | None:
        costs = [spent.cost for spent in self.by_model.values()]
        return None if None in costs else sum(cost or 0.0 for cost in costs)

    def to_classic(self) -> dict[str, Any] | None:
        if not self.by_model:
            return None
        return {"total_cost": self.cost} | {model: spent.to_classic() for model, spent in self.by_model.items()}

    def lines(self, what: str) -> list[str]:
        if not self.by_model:
            return [f"Usage of {what}: none."]
        models = [
            f"- {model}: {_dollars(spent.cost)}, {spent.prompt} prompt and {spent.completion} completion tokens"
            for model, spent in self.by_model.items()
        ]
        return [f"Usage of {what}: {_dollars(self.cost)}", *models]


def _dollars(cost: float | None) -> str:
    return "price unknown" if cost is None else dollars(cost)


@dataclass
class UsageSummary:
    """The calls that somebody has made.

    >>> summary = UsageSummary()
    >>> summary.add("m", Usage(10, 2), 0.5, is_paid=True)
    >>> summary.actual
    {'total_cost': 0.5, 'm': {'cost': 0.5, 'prompt_tokens': 10, 'completion_tokens': 2, 'total_tokens': 12}}
    """

    _total: _Summary = field(default_factory=_Summary)
    _actual: _Summary = field(default_factory=_Summary)

    def add(self, model: str | None, usage: Usage | None, cost: float | None, *, is_paid: bool) -> None:
        """Count a call; `is_paid` where neither a recording nor a cache has answered it."""
        spent = _Spent((usage and usage.prompt_tokens) or 0, (usage and usage.completion_tokens) or 0, cost)
        for one in (self._total, self._actual) if is_paid else (self._total,):
            one.add(model or "unknown model", spent)

    @property
    def total(self) -> dict[str, Any] | None:
        """All calls; `None` where there were none."""
        return self._total.to_classic()

    @property
    def actual(self) -> dict[str, Any] | None:
        """Those that a server has answered."""
        return self._actual.to_classic()

    def clear(self) -> None:
        """Count anew."""
        self._total, self._actual = _Summary(), _Summary()

    def write(self, mode: Mode = "both", whose: str = "") -> None:
        """Write the summaries to where `print` writes."""
        wanted = {"total", "actual"} if mode == "both" else {mode} if isinstance(mode, str) else set(mode)
        if unknown := wanted - {"total", "actual"}:
            raise ValueError(f"Cannot print {min(unknown)!r}: the modes are 'both', 'total' and 'actual'. Give one.")
        lines = [*(self._total.lines(f"all calls{whose}") if "total" in wanted else ())]
        lines += self._actual.lines(f"calls{whose} that a server has answered") if "actual" in wanted else ()
        sys.stdout.write("".join(f"{line}\n" for line in lines))

    @classmethod
    def together(cls, summaries: Iterable[UsageSummary]) -> UsageSummary:
        """All of them as one."""
        found = cls()
        for summary in summaries:
            for kind in ("_total", "_actual"):
                for model, spent in getattr(summary, kind).by_model.items():
                    getattr(found, kind).add(model, spent)
        return found
