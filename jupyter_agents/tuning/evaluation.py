"""One config over a data set: its scores, and what it took."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_agents.agents.faces import faces
from jupyter_agents.effects import Together
from jupyter_agents.errors import ConfigurationError, ModelError
from jupyter_agents.prices import Prices
from jupyter_agents.tuning.asking import Asker, Runner, check_config
from jupyter_agents.tuning.costs import Spent, total
from jupyter_agents.tuning.scoring import Aggregate, aggregated, checked_data, score
from jupyter_agents.tuning.store import DEFAULT_PATH, Store

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]  # its stubs are a package of their own


@dataclass(frozen=True, slots=True)
class Scored:
    """An instance (by its place in the data), what was said to it, what that is worth and what it took.

    `spent` is what it took when it was asked; `is_stored` says that this was earlier.
    """

    number: int
    responses: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)
    is_stored: bool = False
    error: ModelError | None = None


@dataclass(frozen=True)
class Evaluation:
    """The scores of a config, aggregated, and all instances behind them."""

    metrics: dict[str, float]
    instances: tuple[Scored, ...] = field(repr=False)
    spent: Spent = field(default_factory=Spent)

    def __getitem__(self, metric: str) -> float:
        return self.metrics[metric]

    def to_frame(self) -> DataFrame:
        """One row for each instance: its number, the responses, its scores, tokens, and cost in US dollars."""
        rows = [{"instance": one.number, "responses": [*one.responses], **one.scores} for one in self.instances]
        for row, one in zip(rows, self.instances, strict=True):
            row |= {"tokens": one.spent.tokens, "cost": one.spent.money}
        return pandas().DataFrame(rows).astype({"tokens": "Int64", "cost": "Float64"})


class Examiner:
    """Asks about instances with configs, several at a time, and scores the answers."""

    def __init__(
        self,
        data: Sequence[dict[str, Any]],
        eval_func: Callable[..., Any],
        asker: Asker,
        prices: Prices | None,
        workers: int,
    ) -> None:
        if not isinstance(workers, int) or workers < 1:
            raise ConfigurationError(f"Cannot work with workers={workers!r}: give a whole number of at least 1.")
        self.data = data
        self._eval_func, self._asker, self._prices, self._workers = eval_func, asker, prices, workers

    async def examine(
        self, config: Mapping[str, Any], labels: Mapping[str, Any], numbers: Sequence[int]
    ) -> list[Scored]:
        """These instances, in the order given. A model that failed is an `error` of the instance, and of no other."""
        found: dict[int, Scored] = {}
        waiting = iter(numbers)

        async def work() -> None:
            for number in waiting:
                found[number] = await self._one(config, labels, number)

        workers: list[Coroutine[Any, Any, None]] = [work() for _ in range(min(self._workers, len(numbers)))]
        await Together(workers)
        return [found[number] for number in numbers]

    async def _one(self, config: Mapping[str, Any], labels: Mapping[str, Any], number: int) -> Scored:
        instance = self.data[number]
        try:
            outcome = await self._asker.ask(config, labels, instance)
        except ModelError as error:
            return Scored(number, error=error)
        scores = await score(self._eval_func, outcome.responses, number, instance)
        spent = Spent.of(outcome, self._prices)
        return Scored(number, outcome.responses, scores, spent, outcome.is_stored)


async def _evaluate(
    data: Any,
    config: Mapping[str, Any],
    eval_func: Callable[..., Any],
    agg: Aggregate | Mapping[str, Aggregate] = "mean",
    *,
    run: Runner | None = None,
    llm_config: Any = None,
    prices: Prices | None = None,
    workers: int = 8,
    store: str | os.PathLike[str] | None = DEFAULT_PATH,
    fresh: bool = False,
) -> Evaluation:
    """The scores of a config over all of the data. `a_evaluate` is the same, with several instances at a time.

    `eval_func(responses, **instance)` gives a number, or numbers by name. `agg` is `"mean"`, `"median"`, a function of
    a list of numbers, or such by name. Everything else is as in `tune`.
    """
    instances = checked_data(data)
    if run is None:
        check_config(config)
    kept = Store(store, fresh=fresh)
    try:
        examiner = Examiner(instances, eval_func, Asker(kept, llm_config, run), prices, workers)
        scored = await examiner.examine(config, {}, range(len(instances)))
    finally:
        kept.close()
    for one in scored:
        if one.error is not None:
            raise one.error
    return Evaluation(
        aggregated([one.scores for one in scored], agg), tuple(scored), total([one.spent for one in scored])
    )


def pandas() -> Any:
    """The package, which is loaded here and only here."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ConfigurationError(
            "Cannot make a DataFrame: pandas is not installed. Run `pip install pandas`."
        ) from error
    return pd


evaluate, a_evaluate = faces(_evaluate)
