"""What came of a search: its trials, the best of them, and how they show themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from jupyter_agents.session import Rendered, rendered
from jupyter_agents.tuning.costs import Spent
from jupyter_agents.tuning.evaluation import pandas
from jupyter_agents.tuning.space import Label

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]  # its stubs are a package of their own

State = Literal["complete", "pruned", "too costly", "over budget", "failed"]


@dataclass(frozen=True)
class Trial:
    """A config that was tried: over all of the data where it is `complete`, else over the first `instances`.

    `score` is the mean over these, and `spent` what they took, whether in this run or when they were first asked;
    `detail` says why it went no further. `labels` name what was chosen, and `config` holds it.
    """

    number: int
    labels: Mapping[str, Label]
    config: Mapping[str, Any] = field(repr=False, compare=False)
    state: State
    score: float | None
    instances: int
    spent: Spent = field(default_factory=Spent)
    metrics: Mapping[str, float] = field(default_factory=dict, repr=False)
    detail: str = ""

    @property
    def cost(self) -> float | None:
        """US dollars for one instance; `None` where that is unknown."""
        return None if self.spent.money is None or not self.instances else self.spent.money / self.instances

    @property
    def tokens(self) -> float | None:
        """Tokens for one instance; `None` where they are unknown."""
        return None if self.spent.tokens is None or not self.instances else self.spent.tokens / self.instances


@dataclass(frozen=True)
class TuneResult:
    """The trials of a search, in order. It shows itself as a table and a figure.

    `spent` is what all of it took, `spent_now` what of that was asked in this run: nothing where all of it was stored.
    `ended_by` says why there are no more trials.
    """

    trials: tuple[Trial, ...]
    metric: str
    mode: Literal["max", "min"]
    spent: Spent
    spent_now: Spent = field(compare=False)
    ended_by: str = ""

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best score; of several the cheapest, of these the first. `None` if there is none."""
        complete = [one for one in self.trials if one.state == "complete"]
        return min(complete, key=self.rank, default=None)

    @property
    def best_config(self) -> dict[str, Any] | None:
        """The config of the best trial, to be used."""
        return dict(self.best.config) if self.best else None

    def rank(self, trial: Trial) -> tuple[float, float, int]:
        """By what trials are ordered, the best first."""
        score = trial.score or 0.0
        cost = trial.cost if trial.cost is not None else trial.tokens
        return -score if self.mode == "max" else score, cost if cost is not None else 0.0, trial.number

    def to_frame(self) -> DataFrame:
        """One row for each trial, in order: `trial`, what was chosen, and what came of it.

        `score` is the mean over `instances`; `cost` (US dollars) and `tokens` are for one instance; `model_calls` are
        all of the trial. What is unknown is `<NA>`.
        """
        rows = [
            {
                "trial": one.number,
                **one.labels,
                "state": one.state,
                "score": one.score,
                "instances": one.instances,
                "cost": one.cost,
                "tokens": one.tokens,
                "model_calls": one.spent.model_calls,
                "detail": one.detail,
            }
            for one in self.trials
        ]
        types = {"state": "string", "score": "Float64", "cost": "Float64", "tokens": "Float64", "detail": "string"}
        return pandas().DataFrame(rows, columns=None if rows else [*types]).astype(types)

    def plot(self) -> TuneFigure:
        """A figure of what trials cost and score."""
        return TuneFigure(self)

    def __repr__(self) -> str:
        best = self.best
        found = f"best {self.metric} {best.score:.4g} with {dict(best.labels)}" if best else "none is complete"
        return f"<TuneResult: {len(self.trials)} trials, {found}, {self.spent.model_calls:,} model calls>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Rendered:
        return rendered(self)


@dataclass(frozen=True)
class TuneFigure:
    """The picture of a search, drawn when it is shown."""

    result: TuneResult

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Rendered:
        return rendered(self)
