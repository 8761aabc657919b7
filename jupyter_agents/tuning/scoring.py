"""What answers are worth: somebody's function scores each instance, and scores of many become one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jupyter_agents.effects import CallTool
from jupyter_agents.errors import ConfigurationError, JupyterAgentsError
from jupyter_agents.nearest import nearest

Aggregate = str | Callable[[list[float]], float]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


AGGREGATES: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": _mean,
    "median": statistics.median,
    "avg": _mean,  # the classic name
}
ONLY = "score"
"""The name of a score that came without one."""


def checked_data(data: Any) -> list[dict[str, Any]]:
    """The instances as dictionaries."""
    to_dict = getattr(data, "to_dict", None)
    rows = to_dict("records") if callable(to_dict) else data  # a DataFrame
    if isinstance(rows, (str, bytes, Mapping)) or not isinstance(rows, Iterable):
        raise ConfigurationError(f"Cannot use data that is a {type(data).__name__}. Give a list of dictionaries.")
    found = list(rows)
    if not found:
        raise ConfigurationError("Cannot score anything: the data is empty. Give at least one instance.")
    for number, one in enumerate(found):
        if not isinstance(one, Mapping):
            raise ConfigurationError(
                f"Cannot use instance {number}: it is a {type(one).__name__}. Give dictionaries, such as {{'question': …}}."
            )
    return [{str(name): value for name, value in one.items()} for one in found]


async def score(
    eval_func: Callable[..., Any], responses: Sequence[str], number: int, instance: Mapping[str, Any]
) -> dict[str, float]:
    """The scores of one instance by name, from `eval_func(responses, **instance)`."""
    try:
        given = await CallTool(eval_func, ([*responses],), instance)
    except JupyterAgentsError as error:  # it says itself what to do
        error.add_note(f"eval_func raised it for instance {number}.")
        raise
    except Exception as error:
        raise ConfigurationError(
            f"Cannot score instance {number}: eval_func raised {type(error).__name__}: {error}. "
            "Mend eval_func, and run this again."
        ) from error
    scores = given if isinstance(given, Mapping) else {ONLY: given}
    return {str(name): _number(value, name, number) for name, value in scores.items()}


def _number(value: Any, name: Any, number: int) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if isinstance(value, str) or not math.isfinite(found):
        raise ConfigurationError(
            f"Cannot score instance {number}: eval_func gave {name}={value!r}. Give finite numbers, or True and False."
        )
    return found


def chosen_metric(metric: str | None, scores: Mapping[str, float]) -> str:
    """The name of the score that counts."""
    if metric in scores:
        return str(metric)
    if len(scores) == 1 and (metric is None or ONLY in scores):
        return next(iter(scores))
    names = ", ".join(map(repr, scores)) or "nothing"
    if metric is None:
        raise ConfigurationError(f"Cannot choose between the scores {names}. Name one as metric.")
    meant = nearest(metric, scores)
    hint = f"Did you mean {meant!r}?" if meant else "Name one of them."
    raise ConfigurationError(f"Cannot use the metric {metric!r}: eval_func gives {names}. {hint}")


def aggregated(
    rows: Sequence[Mapping[str, float]], agg: Aggregate | Mapping[str, Aggregate] = "mean"
) -> dict[str, float]:
    """One number for each score. A mapping names the scores that are wanted, with an aggregate for each.

    >>> aggregated([{"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 5.0}], {"a": "mean", "b": max})
    {'a': 0.5, 'b': 5.0}
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    if isinstance(agg, Mapping):
        for name in agg:
            chosen_metric(name, dict.fromkeys(names, 0.0) if len(names) != 1 else {names[0]: 0.0, "": 0.0})
        return {name: _aggregate(one)(_column(rows, name)) for name, one in agg.items()}
    return {name: _aggregate(agg)(_column(rows, name)) for name in names}


def _column(rows: Sequence[Mapping[str, float]], name: str) -> list[float]:
    for number, row in enumerate(rows):
        if name not in row:
            raise ConfigurationError(
                f"Cannot aggregate {name!r}: eval_func gave none for row {number}. Give it always."
            )
    return [row[name] for row in rows]


def _aggregate(given: Aggregate) -> Callable[[list[float]], float]:
    if callable(given):
        return given
    if given not in AGGREGATES:
        raise ConfigurationError(f"Cannot aggregate by {given!r}: use {', '.join(AGGREGATES)} or a function of a list.")
    return AGGREGATES[given]
