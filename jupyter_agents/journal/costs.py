"""What the model calls of a chat took, in the classic form: by model, with and without those that were replayed or cached."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jupyter_agents.events import ModelAnswered
from jupyter_agents.messages import Usage


def classic_cost(calls: Iterable[ModelAnswered]) -> dict[str, dict[str, Any]]:
    """The tokens of some calls. Nothing here knows a price: what calls have cost is `None`, and 0 where there were none."""
    known = list(calls)
    return {
        "usage_including_cached_inference": _summed(known),
        "usage_excluding_cached_inference": _summed(one for one in known if not (one.replayed or one.cached)),
    }


def _summed(calls: Iterable[ModelAnswered]) -> dict[str, Any]:
    totals: dict[str, Usage] = {}
    for one in calls:
        name = one.model or ""
        totals[name] = totals.get(name, Usage()) + (one.usage or Usage())
    return {"total_cost": None if totals else 0, **{name: _tokens(usage) for name, usage in totals.items()}}


def _tokens(usage: Usage) -> dict[str, Any]:
    return {
        "cost": None,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
