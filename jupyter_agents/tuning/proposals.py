"""What to try next: proposals of `optuna`, which learns from what came of the earlier ones.

It is `optuna` and not `flaml`, because one asks it and tells it: the calls stay in our coroutines, under both drivers.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.journal.canonical import canonical
from jupyter_agents.tuning.space import Label, Range, Space

_REPEATS = 5
"""Proposals in a row that are known already, after which one is drawn from what is left."""

_MOST_COUNTED = 10_000


class Proposals:
    """Configs to try, each once. With the same seed and the same outcomes they are the same in every run."""

    def __init__(
        self, space: Space, start: Sequence[Mapping[str, Any]], *, maximize: bool, seed: int, count: int
    ) -> None:
        self._optuna = _optuna()
        self._space = space
        self._outcomes: dict[str, tuple[float | None, float]] = {}
        self._asked: Any = None
        self._left = _shuffled(space, seed)
        self._distributions = {name: self._distribution(name) for name in space.searched}
        sampler = self._optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(4, min(10, count // 3)))
        with _quiet():
            self._study = self._optuna.create_study(direction="maximize" if maximize else "minimize", sampler=sampler)
        for config in start:
            self._study.enqueue_trial(space.labels(config))

    def next(self) -> dict[str, Label] | None:
        """The labels of a config that was not tried yet; `None` when there is none, or none is found."""
        for _ in range(2 * _REPEATS):
            for _ in range(_REPEATS):
                labels = self._ask()
                if canonical(labels) not in self._outcomes:
                    return labels
                self._tell(*self._outcomes[canonical(labels)], step=1)  # known: the search learns it once more
            unseen = next((one for one in self._left if canonical(one) not in self._outcomes), None)
            if unseen is None:
                return None
            self._study.enqueue_trial(unseen)
        return None

    def learn(self, labels: Mapping[str, Label], value: float | None, seen: float, step: int) -> None:
        """What came of the last proposal: its value, or `None` and what was `seen` when it was pruned."""
        self._outcomes[canonical(dict(labels))] = value, seen
        self._tell(value, seen, step)

    def _ask(self) -> dict[str, Label]:
        self._asked = self._study.ask(self._distributions)
        return {name: self._asked.params[name] for name in self._space.searched}

    def _tell(self, value: float | None, seen: float, step: int) -> None:
        if value is not None:
            self._study.tell(self._asked, value)
            return
        self._asked.report(seen, step)
        self._study.tell(self._asked, state=self._optuna.trial.TrialState.PRUNED)

    def _distribution(self, name: str) -> Any:
        kinds = self._optuna.distributions
        if name in self._space.choices:
            return kinds.CategoricalDistribution(list(self._space.choices[name]))
        given: Range = self._space.ranges[name]
        if given.is_whole:
            return kinds.IntDistribution(given.low, given.high, log=given.log, step=given.step or 1)
        return kinds.FloatDistribution(given.low, given.high, log=given.log, step=given.step)


def _shuffled(space: Space, seed: int) -> list[dict[str, Label]]:
    if space.size is None or space.size > _MOST_COUNTED:
        return []
    found = list(space.all())
    random.Random(seed).shuffle(found)  # noqa: S311 - an order, no secret
    return found


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ConfigurationError(
            "Cannot tune: optuna is not installed. Run `pip install 'jupyter-agents[tune]'`, and run this again."
        ) from error
    return optuna


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the word on a new study, which would stand in the cell. The level is that of before, afterwards."""
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
