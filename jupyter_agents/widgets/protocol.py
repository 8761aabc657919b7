"""What the kernel and a page say to each other about a chat: the other side of `labextension/src/view/protocol.ts`.

`tests/test_protocol.py` holds the two together. Everything is plain data, as it goes over the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Item:
    """Something finished: a message, a note, an end (`bundle`), or what code showed (`output`)."""

    id: int
    kind: Literal["bundle", "output"]
    data: Mapping[str, Any] = field(hash=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def to_json(self) -> dict[str, Any]:
        """As it goes over the wire."""
        return {"id": self.id, "kind": self.kind, "bundle": {"data": self.data, "metadata": self.metadata}}


@dataclass(slots=True)
class LiveTurn:
    """A reply that is being written. `colour` is the ordinal of its speaker; `depth`, `label` and `talk` are its chat's."""

    sender: str
    recipient: str = ""
    colour: int = 0
    text: str = ""
    depth: int = 0
    label: str = ""
    talk: int = 1

    def to_json(self) -> dict[str, Any]:
        """As it goes over the wire."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Activity:
    """What goes on since `since`, by the clock of the kernel; `until` is when a wait will be over."""

    kind: Literal["model", "code", "tool", "retry", "queue", "person"]
    agent: str
    what: str
    since: float
    until: float | None = None

    def to_json(self, now: float) -> dict[str, Any]:
        """As it goes over the wire: pages have clocks of their own, so times are differences."""
        remaining = None if self.until is None else max(self.until - now, 0.0)
        elapsed = max(now - self.since, 0.0)
        return {
            "kind": self.kind,
            "agent": self.agent,
            "what": self.what,
            "elapsed": round(elapsed, 2),
            "remaining": remaining,
        }


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What is known of a block before it runs: variables of the user, and notes on what it may do outside."""

    reads: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    deletes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionCard:
    """A question as a page shows it. `deadline` is by the clock of the kernel."""

    id: str
    kind: Literal["text", "choice", "approval"]
    text: str
    agent: str = ""
    sender: str = ""
    choices: tuple[str, ...] = ()
    code: str = ""
    language: str = ""
    facts: CodeFacts | None = None
    otherwise: str = ""
    deadline: float | None = None
    empty: Literal["send", "auto", "end"] = "send"

    def to_json(self, now: float) -> dict[str, Any]:
        """As it goes over the wire."""
        found = asdict(self)
        deadline = found.pop("deadline")
        return found | {"remaining": None if deadline is None else max(deadline - now, 0.0)}


@dataclass(frozen=True, slots=True)
class Standstill:
    """Somebody has paused the chat: it comes to rest (`pausing`), rests (`paused`), or says one more message (`stepping`).

    `agent` is at it next, where that is known, and `next` says what it does.
    """

    phase: Literal["pausing", "paused", "stepping"]
    agent: str = ""
    next: Literal["", "reply", "code", "tool", "person"] = ""


@dataclass(frozen=True, slots=True)
class Composer:
    """A place to write at any time: to whom (the first by default), and whether an answer is awaited."""

    agents: tuple[str, ...]
    is_busy: bool = False


@dataclass(slots=True)
class ViewState:
    """All that a view shows. `earlier` counts the items before the first one here, `talk` the chats of the cell."""

    items: list[Item] = field(default_factory=list)
    live: LiveTurn | None = None
    activity: Activity | None = None
    questions: list[QuestionCard] = field(default_factory=list)
    is_going_on: bool = True
    talk: int = 1
    pause: Standstill | None = None
    composer: Composer | None = None

    def to_json(self, now: float, first: int = 0) -> dict[str, Any]:
        """As it goes over the wire, from the item at `first` on."""
        return {
            "items": [item.to_json() for item in self.items[first:]],
            "live": self.live and self.live.to_json(),
            "activity": self.activity and self.activity.to_json(now),
            "questions": [question.to_json(now) for question in self.questions],
            "earlier": min(first, len(self.items)),
            "is_going_on": self.is_going_on,
            "talk": self.talk,
            "pause": self.pause and asdict(self.pause),
            "composer": self.composer and asdict(self.composer),
        }

    def value(self, name: str, now: float) -> Any:
        """One value of the state, as it goes over the wire."""
        return self.to_json(now, len(self.items))[name]


__all__ = ["Activity", "CodeFacts", "Composer", "Item", "LiveTurn", "QuestionCard", "Standstill", "ViewState"]
