"""What the model calls of a chat took, in the classic form: by model, with and without those that were replayed or cached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jupyter_agents.events import Event, ModelAnswered, ModelFailed, ReplyDropped
from jupyter_agents.messages import Usage

Call = ModelAnswered | ModelFailed | ReplyDropped


def calls_of(events: Iterable[Event]) -> Iterator[Call]:
    """The model calls that took something: answered ones, and what is known of those that came to nothing."""
    for one in events:
        if isinstance(one, ModelAnswered) or (isinstance(one, ModelFailed | ReplyDropped) and one.usage is not None):
            yield one


def paid(events: Iterable[Event]) -> list[Call]:
    """Those of them that a server has answered now."""
    return [one for one in calls_of(events) if not _was_kept(one)]


def sum_of_costs(calls: Iterable[Call]) -> float | None:
    """US dollars of all of them; `None` where one is unknown."""
    costs = [one.cost for one in calls]
    return None if None in costs else float(sum(one or 0.0 for one in costs))


def classic_cost(events: Iterable[Event]) -> dict[str, dict[str, Any]]:
    """The tokens and the US dollars of the calls in some events. Unknown prices are `None`; no calls cost 0."""
    known = list(calls_of(events))
    return {
        "usage_including_cached_inference": summed(known),
        "usage_excluding_cached_inference": summed(paid(known)),
    }


def summed(calls: Iterable[Call]) -> dict[str, Any]:
    """Some calls by model, in the classic form."""
    by_model: dict[str, list[Call]] = {}
    for one in calls:
        by_model.setdefault(one.model or "", []).append(one)
    total = sum_of_costs(one for calls in by_model.values() for one in calls)
    return {"total_cost": total if by_model else 0, **{name: _taken(calls) for name, calls in by_model.items()}}


def _was_kept(call: Call) -> bool:
    return isinstance(call, ModelAnswered) and (call.replayed or call.cached)


def _taken(calls: list[Call]) -> dict[str, Any]:
    usage = sum((one.usage or Usage() for one in calls), Usage())
    return {
        "cost": sum_of_costs(calls),
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
