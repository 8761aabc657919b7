"""What each speaker of a chat did: a fold of its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_agents.events import (
    CodeFinished,
    Event,
    HumanAnswered,
    MessageSent,
    ModelAnswered,
    ModelFailed,
    ReplyDropped,
    ToolFinished,
)
from jupyter_agents.messages import Usage


@dataclass(frozen=True, slots=True)
class SpeakerFacts:
    """What one speaker did in a chat and in the chats nested in it.

    `model_calls` are those that were answered, replayed and cached ones included; `usage` is what the others used,
    `replayed_usage` what the replayed ones had used when they were recorded, and `cached_usage` what those had used
    that a cache has answered. `cost` is what the others cost, in US dollars, and `kept_cost` what replayed and cached ones had
    cost; `unpriced_calls` are those of which that is unknown, and not in it. `failed_calls` came to nothing.
    `blocks` are those that ran, `failed_blocks` of them ended with an error; `refused_blocks` did not run.
    Seconds are of this run, and `None` where nothing was measured: replayed and cached calls, tools and people are not.

    >>> SpeakerFacts("assistant", messages=2).model_seconds is None
    True
    """

    speaker: str
    messages: int = 0
    model_calls: int = 0
    replayed_calls: int = 0
    failed_calls: int = 0
    usage: Usage = field(default_factory=Usage)
    replayed_usage: Usage = field(default_factory=Usage)
    model_seconds: float | None = None
    blocks: int = 0
    failed_blocks: int = 0
    refused_blocks: int = 0
    code_seconds: float | None = None
    tool_calls: int = 0
    failed_tools: int = 0
    answers: int = 0
    cached_calls: int = 0
    cached_usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    kept_cost: float | None = None
    unpriced_calls: int = 0

    @property
    def all_usage(self) -> Usage:
        """The tokens of all answered calls, whether in this run or when they were recorded or kept."""
        return self.usage + self.replayed_usage + self.cached_usage

    @property
    def all_cost(self) -> float | None:
        """US dollars of all answered calls whose price is known, whoever answered them; `None` where there are none."""
        known = [one for one in (self.cost, self.kept_cost) if one is not None]
        return sum(known) if known else None

    def plus(self, found: Mapping[str, Any]) -> SpeakerFacts:
        """The same with so much more of some fields; what is unknown adds nothing."""
        known = {name: _sum(getattr(self, name), more) for name, more in found.items() if more is not None}
        return replace(self, **known)


def facts_by_speaker(events: Iterable[Event]) -> dict[str, SpeakerFacts]:
    """The facts of each speaker, in the order in which they first did something."""
    found: dict[str, SpeakerFacts] = {}
    for event in events:
        speaker, more = _what_it_adds(event)
        if more:
            found[speaker] = found.get(speaker, SpeakerFacts(speaker)).plus(more)
    return found


def _what_it_adds(event: Event) -> tuple[str, Mapping[str, Any]]:
    match event:
        case MessageSent():
            return event.sender, {"messages": 1}
        case ModelAnswered():
            return event.agent, _of_call(event)
        case ModelFailed() | ReplyDropped():
            return event.agent, {"failed_calls": 1}
        case CodeFinished():
            return event.agent, _of_block(event)
        case ToolFinished():
            return event.agent, {"tool_calls": 1, "failed_tools": int(not event.ok)}
        case HumanAnswered():
            return event.agent, {"answers": 1}
    return "", {}


def _of_call(event: ModelAnswered) -> Mapping[str, Any]:
    found = {"model_calls": 1, "unpriced_calls": int(event.cost is None)}
    if event.replayed:
        return found | {"replayed_calls": 1, "replayed_usage": event.usage, "kept_cost": event.cost}
    if event.cached:
        return found | {"cached_calls": 1, "cached_usage": event.usage, "kept_cost": event.cost}
    return found | {"usage": event.usage, "model_seconds": event.seconds, "cost": event.cost}


def _of_block(event: CodeFinished) -> Mapping[str, Any]:
    if event.status == "refused":
        return {"refused_blocks": 1}
    return {"blocks": 1, "failed_blocks": int(event.exit_code != 0), "code_seconds": event.seconds}


def _sum(known: Any, more: Any) -> Any:
    return more if known is None else known + more
