"""The search: configs are proposed, tried on growing parts of the data, and left as soon as they can no longer win.

The parts are drawn at random, once for all trials. What can win is settled by a bound that holds for every trial but for
a chance of `risk` (see `bounds.py`); the idea of pruning so is that of EcoOptiGen, https://arxiv.org/abs/2303.04673.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from jupyter_agents.agents.faces import faces
from jupyter_agents.budget import Budget
from jupyter_agents.errors import ConfigurationError, ModelError
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import ModelRequest
from jupyter_agents.models.pricing import expected_cost
from jupyter_agents.prices import Prices, price_of
from jupyter_agents.tuning.asking import Asker, Runner, check_config
from jupyter_agents.tuning.bounds import parts, radius
from jupyter_agents.tuning.costs import Limit, Spent, costliest, price_unknown, total
from jupyter_agents.tuning.evaluation import Examiner, Scored
from jupyter_agents.tuning.identity import endpoints
from jupyter_agents.tuning.proposals import Proposals
from jupyter_agents.tuning.result import State, Trial, TuneResult
from jupyter_agents.tuning.rules import Rules
from jupyter_agents.tuning.scoring import aggregated, checked_data, chosen_metric
from jupyter_agents.tuning.space import Label, Space
from jupyter_agents.tuning.store import DEFAULT_PATH, Store

_SMALLEST_PART = 4


@dataclass
class _Progress:
    """A trial as far as it has come."""

    labels: dict[str, Label]
    config: dict[str, Any]
    scored: list[Scored] = field(default_factory=list)

    @property
    def answered(self) -> list[Scored]:
        return [one for one in self.scored if one.error is None]

    @property
    def spent(self) -> Spent:
        return total([one.spent for one in self.answered])

    @property
    def each(self) -> Spent | None:
        """What an instance is expected to take."""
        return costliest([one.spent for one in self.answered]) if self.answered else None


class _Search:
    """A search under way."""

    def __init__(self, space: Space, examiner: Examiner, rules: Rules, metric: str | None, seed: int) -> None:
        self._space, self._examiner, self._rules = space, examiner, rules
        self.metric = metric
        self._order = list(range(len(examiner.data)))
        random.Random(seed).shuffle(self._order)  # noqa: S311 - a sample, no secret
        self._parts = parts(len(self._order), _SMALLEST_PART) if self._looks_early else [len(self._order)]
        self._largest_each: Spent | None = None
        self.trials: list[Trial] = []
        self.asked_now: list[Spent] = []
        self.last_error: ModelError | None = None
        self.ended_by = ""
        self._is_spent = False

    @property
    def _looks_early(self) -> bool:
        rules = self._rules
        return rules.prune or rules.inference_budget is not None or bool(rules.of_trial.amounts or rules.in_all.amounts)

    @property
    def spent(self) -> Spent:
        """What all trials took."""
        return total([one.spent for one in self.trials])

    async def go(self, proposals: Proposals, count: int) -> None:
        """Try as many configs, or fewer where there are no more or a budget is spent."""
        self.ended_by = f"{count} trials"
        while len(self.trials) < count:
            labels = proposals.next()
            if labels is None:
                self.ended_by = "every config was tried"
                return
            trial = await self._try(_Progress(labels, self._space.values(labels)))
            if trial is None:
                self.ended_by = "the budget is spent"
                return
            self.trials.append(trial)
            if self._is_spent:
                self.ended_by = "the budget is spent"
                return
            self._teach(proposals, trial)

    async def _try(self, progress: _Progress) -> Trial | None:
        """A trial; `None` if there was nothing left to begin it with."""
        for part in self._parts:
            stop = self._before(progress, part)
            if stop is None:
                await self._look(progress, part)
                stop = self._after(progress)
            if stop is not None:
                return self._trial(progress, *stop) if progress.scored else None
        return self._trial(progress, "complete", "")

    async def _look(self, progress: _Progress, part: int) -> None:
        numbers = self._order[len(progress.scored) : part]
        found = await self._examiner.examine(progress.config, progress.labels, numbers)
        progress.scored += found
        self.asked_now += [one.spent for one in found if one.error is None and not one.is_stored]
        for one in found:
            if one.error is None:
                self._check(one)
        if progress.each is not None:
            self._largest_each = costliest([progress.each, *([self._largest_each] if self._largest_each else [])])

    def _check(self, one: Scored) -> None:
        self.metric = chosen_metric(self.metric, one.scores)
        (low, high), value = self._rules.score_range, one.scores[self.metric]
        if self._rules.prune and not low <= value <= high:
            raise ConfigurationError(
                f"Cannot prune by {self.metric!r}: instance {one.number} scored {value:g}, which is outside of {low:g} to "
                f"{high:g}. Give score_range=(lowest, highest), or prune=False."
            )
        if self._rules.needs_money and one.spent.money is None:
            raise price_unknown("a model that answered")

    # -- What ends a trial -------------------------------------------------------------------------------------

    def _before(self, progress: _Progress, part: int) -> tuple[State, str] | None:
        more = part - len(progress.scored)
        if self._rules.in_all.is_reached(self.spent + progress.spent, more, progress.each or self._largest_each):
            self._is_spent = True
            return "over budget", "the budget of the search is spent"
        if self._rules.of_trial.is_reached(progress.spent, more, progress.each):
            return "over budget", "the budget of a trial is spent"
        return None

    def _after(self, progress: _Progress) -> tuple[State, str] | None:
        failed = next((one for one in progress.scored if one.error is not None), None)
        if failed is not None:
            self.last_error = failed.error
            return "failed", f"instance {failed.number}: {type(failed.error).__name__}: {failed.error}"
        if self._is_too_costly(progress):
            return "too costly", "it costs more for an instance than the inference budget"
        if self._cannot_win(progress):
            return "pruned", "it can no longer be the best"
        return None

    def _cannot_win(self, progress: _Progress) -> bool:
        complete = [one.score for one in self.trials if one.state == "complete" and one.score is not None]
        seen, of = len(progress.scored), len(self._order)
        if not self._rules.prune or not complete or seen == of:
            return False
        low, high = self._rules.score_range
        sign = self._rules.sign
        reach = radius(seen, of, self._risk_of_a_look, high - low)
        return sign * self._mean(progress) + reach < max(sign * one for one in complete)

    def _is_too_costly(self, progress: _Progress) -> bool:
        """Certainly, since no cost is negative; or by the bound, for which the costliest instance so far is the widest."""
        limit = self._rules.inference_budget
        if limit is None:
            return False
        costs = [one.spent.money or 0.0 for one in progress.scored]
        seen, of = len(costs), len(self._order)
        reach = radius(seen, of, self._risk_of_a_look, max(costs))
        return sum(costs) / of > limit or sum(costs) / seen - reach > limit

    @property
    def _risk_of_a_look(self) -> float:
        return self._rules.risk / max(len(self._parts) - 1, 1)

    # -- What is kept of a trial -------------------------------------------------------------------------------

    def _mean(self, progress: _Progress) -> float:
        assert self.metric is not None
        return aggregated([one.scores for one in progress.answered])[self.metric]

    def _trial(self, progress: _Progress, state: State, detail: str) -> Trial:
        answered = progress.answered
        metrics = aggregated([one.scores for one in answered]) if answered else {}
        score = metrics.get(self.metric or "")
        number = len(self.trials)
        return Trial(
            number, progress.labels, progress.config, state, score, len(answered), progress.spent, metrics, detail
        )

    def _teach(self, proposals: Proposals, trial: Trial) -> None:
        value = trial.score if trial.state == "complete" else None if trial.state == "pruned" else self._rules.worst
        proposals.learn(trial.labels, value, trial.score or 0.0, trial.instances)


async def _tune(
    data: Any,
    *,
    space: Mapping[str, Any],
    eval_func: Callable[..., Any],
    metric: str | None = None,
    mode: Literal["max", "min"] = "max",
    run: Runner | None = None,
    llm_config: Any = None,
    config_list: Sequence[Mapping[str, Any]] | None = None,
    num_samples: int = 20,
    start: Sequence[Mapping[str, Any]] = (),
    budget: Budget | float | None = None,
    trial_budget: Budget | float | None = None,
    optimization_budget: float | None = None,
    inference_budget: float | None = None,
    prices: Prices | None = None,
    score_range: tuple[float, float] = (0.0, 1.0),
    prune: bool = True,
    risk: float = 0.1,
    seed: int = 0,
    workers: int = 8,
    store: str | os.PathLike[str] | None = DEFAULT_PATH,
    fresh: bool = False,
) -> TuneResult:
    """The trials of a search for the best config. `a_tune` is the same, with several instances at a time (`workers`).

    Args:
        data: dictionaries (or a DataFrame), each of which is an instance.
        space: for each setting its choices (a list, or a mapping of names to values), a `Range`, or a fixed value. Settings
            are `prompt` (a template with the fields of an instance, or a function of it), `messages` (such templates),
            `model` (names, or `Model` objects by name), and all inference options. With `run`: whatever it takes.
        eval_func: called as `eval_func(responses, **instance)`; gives a number, or numbers by name.
        metric: the name of the number that counts, where there are several.
        mode: whether more of it is better, or less.
        run: called as `run(config, instance)` in the place of a model: it holds a chat and returns its result, or text.
            Chats that begin in it are silent. What it says is stored by its own code, not by that of functions it calls.
        llm_config: what all configs share, such as endpoints and keys.
        config_list: the same as a list of endpoints, which are asked in turn.
        num_samples: how many configs are tried at most.
        start: configs to try first, such as the one in use.
        budget: the most that all trials may take, in US dollars or as a `Budget`. What was stored counts, too.
        trial_budget: the same for each trial.
        optimization_budget: the classic name of `budget` in US dollars.
        inference_budget: the most that an instance may cost in the mean, in US dollars; a config above it cannot win.
        prices: US dollars of 1,000 tokens in and out by the name of a model, or a function of a name and a `Usage`, which
            go before those of the extra `prices`. What has no price can be limited in calls, turns and tokens only.
        score_range: the lowest and the highest score that there can be, by which trials are pruned.
        prune: whether trials end when they can no longer win.
        risk: the chance, at most, that a trial is pruned which would have won.
        seed: of the search and of the order of the data. The same seed and answers give the same trials.
        workers: how many instances are asked about at a time, on an event loop.
        store: the file in which answers are kept, so that the same search is free when it is run again or goes on after an
            interrupt; `None` keeps nothing.
        fresh: ask anew what is stored, and store that.
    """
    instances, known = checked_data(data), Space(space)
    llm_config = _with_list(llm_config, config_list)
    if run is None:
        _check_prompts(known)
    limits = Limit.of(trial_budget), Limit.of(budget, optimization_budget)
    rules = Rules(mode, score_range, risk, prune, inference_budget, *limits)
    proposals = Proposals(known, start, maximize=mode == "max", seed=seed, count=_checked_count(num_samples))
    kept = Store(store, fresh=fresh)
    try:
        asker = Asker(kept, llm_config, run)
        _check_prices(rules, known, asker, prices)
        examiner = Examiner(instances, eval_func, asker, prices, workers)
        search = _Search(known, examiner, rules, metric, seed)
        await search.go(proposals, num_samples)
    finally:
        kept.close()
    if search.last_error is not None and all(one.state == "failed" for one in search.trials):
        raise search.last_error
    return TuneResult(
        tuple(search.trials), search.metric or "", mode, search.spent, total(search.asked_now), search.ended_by
    )


def _checked_count(num_samples: int) -> int:
    if not isinstance(num_samples, int) or num_samples < 1:
        raise ConfigurationError(f"Cannot try num_samples={num_samples!r} configs: give a whole number of at least 1.")
    return num_samples


def _check_prompts(space: Space) -> None:
    given = {name: next(iter(one.values())) for name, one in space.choices.items()}
    check_config(given | space.fixed)


def _with_list(llm_config: Any, config_list: Sequence[Mapping[str, Any]] | None) -> Any:
    if config_list is None:
        return llm_config
    shared = llm_config if isinstance(llm_config, Mapping) else {"model": llm_config} if llm_config else {}
    return {**shared, "config_list": [*config_list]}


def _check_prices(rules: Rules, space: Space, asker: Asker, prices: Prices | None) -> None:
    """Before anything is paid for: a budget of money needs the prices of all models whose names are known."""
    if not rules.needs_money or asker.has_run:
        return
    for value in space.choices.get("model", {"": space.fixed.get("model")}).values():
        config = space.fixed | ({"model": value} if value is not None else {})
        model = asker.model(config)
        if expected_cost(model, ModelRequest([])) is not None:
            continue
        for name, host in endpoints(model):
            if name and price_of(name, Usage(1000, 1000), prices=prices, endpoint_host=host) is None:
                raise price_unknown(repr(name))


tune, a_tune = faces(_tune)
