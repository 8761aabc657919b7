"""What a search is for, and when a trial ends before it is complete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.tuning.costs import Limit


@dataclass(frozen=True)
class Rules:
    """When a trial ends before it is complete."""

    mode: Literal["max", "min"]
    score_range: tuple[float, float]
    risk: float
    prune: bool
    inference_budget: float | None
    of_trial: Limit
    in_all: Limit

    def __post_init__(self) -> None:
        low, high = self.score_range
        if self.mode not in ("max", "min") or not low < high or not 0 < self.risk < 1:
            raise ConfigurationError(
                f"Cannot tune with mode={self.mode!r}, score_range={self.score_range!r} and risk={self.risk!r}: the mode is "
                "'max' or 'min', the range is (low, high), and the risk is between 0 and 1. Correct them."
            )

    @property
    def sign(self) -> int:
        """By which the higher value is the better one."""
        return 1 if self.mode == "max" else -1

    @property
    def worst(self) -> float:
        """The value of what is of no use."""
        return self.score_range[0] if self.mode == "max" else self.score_range[1]

    @property
    def needs_money(self) -> bool:
        """Whether prices must be known."""
        return self.inference_budget is not None or "money" in {**self.of_trial.amounts, **self.in_all.amounts}
