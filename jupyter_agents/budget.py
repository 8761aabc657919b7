"""What a chat may spend, and the ledger that counts it for the chat and all chats nested in it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from jupyter_agents.arguments import refuses_unknown
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.meant import is_whole, short
from jupyter_agents.messages import Usage
from jupyter_agents.termination import ChatEnds, EndedBy


@refuses_unknown
@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on a chat and everything nested in it. `None` is no limit.

    `turns` counts replies of agents, `model_calls` requests to models (replayed ones too), `tokens` those that
    the servers reported or that were estimated.

    >>> Budget(model_calls=20)
    Budget(turns=None, model_calls=20, tokens=None)
    """

    turns: int | None = None
    model_calls: int | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if value is not None and not is_whole(value, 0):
                raise ConfigurationError(
                    f"Cannot use {one.name}={short(value)} as a budget: give a whole number of at least 0, or None."
                )
            object.__setattr__(self, one.name, None if value is None else int(value))  # a number of numpy is no JSON


def check_budget(value: object) -> None:
    """Raise `ConfigurationError` for what is neither a budget nor `None`."""
    if value is None or isinstance(value, Budget):
        return
    meant = f"Budget(turns={value!r}), or model_calls=, or tokens=" if is_whole(value, 0) else "Budget(turns=…)"
    raise ConfigurationError(f"Cannot use budget={short(value)}: it does not say what it limits. Give {meant}.")


class BudgetSpent(Exception):
    """Raised inside a conversation when the next step would exceed a budget. The chat ends in order, it does not fail."""


@dataclass
class Ledger:
    """What has been spent. Reserving comes before spending, so that a limit is never overshot by a call.

    Tokens are the exception: their number is known only after a call, so the call that crosses the limit is the last.
    """

    budget: Budget = field(default_factory=Budget)
    parent: Ledger | None = None
    turns: int = 0
    model_calls: int = 0
    tokens: int = 0
    by_model: dict[str, Usage] = field(default_factory=dict)
    uncounted: set[str] = field(default_factory=set)
    stopped: tuple[str, str] | None = None

    def stop(self, reason: str, who: str = "") -> None:
        """Let nothing more be spent by the whole chat, with all that is nested in it: the person of `who` has stopped it."""
        self._lineage()[-1].stopped = reason, who

    def reserve_turn(self) -> None:
        """Count a turn about to begin. Raises `BudgetSpent` where there is none left."""
        self._reserve("turns")

    def reserve_model_call(self) -> None:
        """Count a model call about to be made. Raises `BudgetSpent` where no call or no token is left."""
        for ledger in self._lineage():
            ledger._check("tokens")
        self._reserve("model_calls")

    def spend(self, usage: Usage | None, model: str | None = None) -> None:
        """Count the tokens of a call of a model. Unknown usage counts nothing."""
        name, usage = model or "", usage or Usage()
        for ledger in self._lineage():
            ledger.tokens += usage.total_tokens or 0
            ledger.by_model[name] = ledger.by_model.get(name, Usage()) + usage
            if usage.total_tokens is None:
                ledger.uncounted.add(name)

    def _reserve(self, what: str) -> None:
        lineage = self._lineage()
        if lineage[-1].stopped is not None:
            raise ChatEnds(EndedBy.HUMAN, *lineage[-1].stopped)
        for ledger in lineage:
            ledger._check(what)
        for ledger in lineage:
            setattr(ledger, what, getattr(ledger, what) + 1)

    def _check(self, what: str) -> None:
        limit, spent = getattr(self.budget, what), getattr(self, what)
        if limit is not None and spent >= limit:
            raise BudgetSpent(f"the budget of {limit} {what.replace('_', ' ')} is spent")

    def _lineage(self) -> list[Ledger]:
        found: list[Ledger] = []
        ledger: Ledger | None = self
        while ledger is not None:
            found.append(ledger)
            ledger = ledger.parent
        return found
