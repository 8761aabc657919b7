"""How far a chat has come: what was said in it, and whether that ends it. Shared by two agents, groups and teams."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_agents.budget import Budget, Ledger, check_budget
from jupyter_agents.conditions import ChatFacts, Condition, Unwritten
from jupyter_agents.culprits import was_in
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.likeness import gist, is_blank, repetition
from jupyter_agents.meant import condition_meant, is_whole, short
from jupyter_agents.messages import Message, Usage
from jupyter_agents.replies import Reply
from jupyter_agents.termination import ChatEnds, EndedBy, Ending

_REPEATS = 5
"""So often the same replies of all sides in a row are a loop. Calls do not count: a tool may be polled. What a
person says is no loop either."""


@dataclass(frozen=True)
class Limits:
    """What ends a chat besides its agents. `max_turns` counts round trips: one message each way.

    `reply_format` is whose replies (its key in the log) are to have which form: the first that has it answers the chat.
    `cache` ends nothing: it is what is asked before a model is, and goes with a chat as the limits do.
    """

    max_turns: int | None = None
    termination: Condition | None = None
    budget: Budget | None = None
    reply_format: tuple[str, Any] | None = None
    cache: Any = field(default=None, compare=False)

    def __post_init__(self) -> None:
        turns = self.max_turns
        if turns is not None and not is_whole(turns, 1):
            raise ConfigurationError(
                f"Cannot use max_turns={turns!r}: give a whole number of at least 1, or None for no limit."
            )
        object.__setattr__(self, "max_turns", None if turns is None else int(turns))  # a number of numpy is no JSON
        if self.termination is not None and not isinstance(self.termination, Condition):
            raise ConfigurationError(
                f"Cannot use termination={short(self.termination)}: it is no condition. {condition_meant(self.termination)}"
            )
        check_budget(self.budget)

    def without_objects(self) -> Limits:
        """The same as plain data, where the condition and the cache are not known."""
        condition = self.termination
        unwritten = condition if condition is None else Unwritten(repr(condition))
        return replace(self, termination=unwritten, cache=None)


def check_flag(name: str, value: Any) -> None:
    """Refuse an option of a chat that is neither true nor false: any text would count as true."""
    if value is None or value in (True, False):
        return
    raise ConfigurationError(
        f"Cannot begin the chat: {name}={short(value)} is neither True nor False. Give one of them; a message goes in "
        "message=…."
    )


@dataclass
class Consumption:
    """What a chat has taken so far: tokens and money on a ledger, and the seconds on a clock, since it began."""

    ledger: Ledger = field(default_factory=Ledger)
    now: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._began, self._before, self._paid = self.now(), dict(self.ledger.by_model), self.ledger.money

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return self.now() - self._began

    @property
    def usage(self) -> dict[str, Usage]:
        """The tokens of each model."""
        changed = {name: one for name, one in self.ledger.by_model.items() if one is not self._before.get(name)}
        return {name: one - self._before.get(name, Usage()) for name, one in changed.items()}

    @property
    def cost(self) -> float | None:
        """US dollars; `None` where no price is known."""
        cost, ledger = self.ledger.money - self._paid, self.ledger
        return cost if cost > 0 or not ledger.unpriced else None


class Progress:
    """The messages of one chat so far, those of a group that talks in it included."""

    def __init__(
        self, limits: Limits, max_repairs: int, *, silent: bool = False, consumed: Consumption | None = None
    ) -> None:
        self.limits, self.silent, self._max_repairs = limits, silent, max_repairs
        self._consumed = consumed or Consumption()
        self.sent: list[Message] = []
        self.speakers: list[str] = []
        self._gists: list[int] = []
        self._doubts: set[str] = set()
        self._repairs = 0
        self._heard_person = 0
        self._senders: dict[int, Any] = {}
        self._parties: dict[int, Any] = {}

    def meet(self, sender: Any, recipient: Any) -> None:
        """Take note of who takes part."""
        self._senders[id(sender)] = sender
        self._parties |= {id(one): one for one in (sender, recipient)}

    def add(self, said: Reply, speaker: str = "") -> None:
        """Take note of what has been sent.

        Raises `ChatEnds` when a model does not mend what it was asked to mend, and `BudgetSpent` when a model may not be
        told of a mistake any more.
        """
        self.sent.append(said.message or Message(""))
        self.speakers.append(speaker)
        self._gists.append(gist(self.sent[-1]))
        if said.origin == "human":
            self._heard_person = len(self.sent)
        if said.is_repair:
            self._repairs += 1
            self._consumed.ledger.reserve_repair()
        elif said.origin in ("code", "tool"):
            self._repairs = 0
        if self._repairs > self._max_repairs:
            raise ChatEnds(EndedBy.REPAIRS, f"{self._max_repairs} failures in a row were not mended")

    def ending(self, speakers: int = 2) -> Ending | None:
        """Why the chat ends after the last message, if it does; `speakers` is how many take part."""
        sent = self.sent
        if len(sent) >= speakers and all(map(is_blank, sent[-speakers:])):
            return Ending(EndedBy.EMPTY_REPLIES)
        loop = self._loop(speakers)
        if loop is not None:
            said = f"{loop} speakers said the same" if loop <= speakers else f"the same {loop} messages came"
            both = "both sides said the same" if loop == 2 else said
            return Ending(EndedBy.REPETITION, f"{both} {_REPEATS} times in a row")
        condition = self.limits.termination
        reason = None if condition is None else self._judged_by(condition)
        return Ending(EndedBy.CONDITION, reason) if reason else None

    def _judged_by(self, condition: Condition) -> str | None:
        try:
            return condition.judge(self.facts)
        except Exception as error:
            was_in(error, "the condition", condition)
            raise

    @property
    def facts(self) -> ChatFacts:
        """What conditions are told."""
        consumed = self._consumed
        ledger = consumed.ledger
        return ChatFacts(
            self.sent, self.speakers, consumed.seconds, consumed.usage, ledger.uncounted, consumed.cost, ledger.unpriced
        )

    @property
    def _known(self) -> ChatFacts:
        """The facts with the names of those who may speak, and of the tools that they know, once anybody has spoken.

        Who leads a group passes on what its members say, and says nothing itself unless it has begun the chat.
        """
        if not self._parties:
            return self.facts
        members = [one for party in self._parties.values() for one in _speakers(party)]
        tools = [getattr(one, "tool_names", ()) for one in (*self._parties.values(), *members)]
        present = {one.name for one in (*self._senders.values(), *members)}
        return replace(self.facts, present=present, tools={name for names in tools for name in names})

    def new_doubts(self) -> list[str]:
        """What keeps the condition from being noticed, once for each reason."""
        condition = self.limits.termination
        if condition is None or type(condition).doubt is Condition.doubt:  # which has none
            return []
        doubt = condition.doubt(self._known)
        if not doubt or doubt in self._doubts:
            return []
        self._doubts.add(doubt)
        return [doubt]

    def _loop(self, speakers: int) -> int | None:
        """Of how many messages the loop is in which the chat is. Who says two things by turns, is in one, too."""
        size = len(self.sent) - self._heard_person
        periods = (period for period in range(2, 2 * speakers + 1) if period * _REPEATS <= size)
        return repetition(self.sent, _REPEATS, periods, self._gists.__getitem__)


def _speakers(party: Any) -> list[Any]:
    group = getattr(party, "groupchat", None)
    return [party] if group is None else list(group.agents)
