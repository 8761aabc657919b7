"""What a chat may spend, and the ledger that counts it for the chat and all chats nested in it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from jupyter_agents.arguments import refuses_unknown
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.meant import is_number, is_whole, short
from jupyter_agents.messages import Usage
from jupyter_agents.prices import dollars
from jupyter_agents.termination import ChatEnds, EndedBy

_COUNTS = ("turns", "model_calls", "tokens", "output_bytes", "repairs")
_AMOUNTS = ("money", "seconds")


@refuses_unknown
@dataclass(frozen=True, slots=True, repr=False)
class Budget:
    """Limits on a chat and everything nested in it. `None` is no limit. A limit that is reached ends the chat in order.

    `turns` counts replies of agents, `model_calls` requests to models (replayed ones too), `tokens` those that the servers
    reported or that were estimated. `money` is in US dollars. `seconds` are those of the clock, pauses left out; a reply
    of a model that takes longer is broken off, code and tools that have begun come to their end. `output_bytes` is what
    code shows: text, and each picture or table in its richest form. `repairs` are answers that tell a model of a mistake
    of its own, in a row or not.

    What a model or a reply of a cache has cost before does not count, what is replayed counts as it did, so that a replay
    ends where the chat did. A call is not made where its prompt, and `max_tokens` where that is set, would cost more than
    is left. With `unknown_price="allow"` calls whose price is not known are made, and do not count; otherwise they are
    refused before they are made.

    >>> Budget(model_calls=20, money=0.5)
    Budget(model_calls=20, money=0.5)
    """

    turns: int | None = None
    model_calls: int | None = None
    tokens: int | None = None
    money: float | None = None
    seconds: float | None = None
    output_bytes: int | None = None
    repairs: int | None = None
    unknown_price: Literal["refuse", "allow"] = "refuse"

    def __post_init__(self) -> None:
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None and not is_whole(value, 0):
                raise ConfigurationError(
                    f"Cannot use {name}={short(value)} as a budget: give a whole number of at least 0, or None."
                )
            object.__setattr__(self, name, None if value is None else int(value))  # a number of numpy is no JSON
        for name in _AMOUNTS:
            value = getattr(self, name)
            if value is not None and not (is_number(value) and math.isfinite(value) and value >= 0):
                what = "US dollars" if name == "money" else "seconds"
                raise ConfigurationError(
                    f"Cannot use {name}={short(value)} as a budget: give a number of {what}, at least 0, or None."
                )
            object.__setattr__(self, name, None if value is None else float(value))
        if self.unknown_price not in ("refuse", "allow"):
            raise ConfigurationError(f"Cannot use unknown_price={short(self.unknown_price)}: give 'refuse' or 'allow'.")

    def __repr__(self) -> str:
        said = {one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name) != one.default}
        return f"Budget({', '.join(f'{name}={value!r}' for name, value in said.items())})"

    @property
    def limits(self) -> dict[str, float]:
        """What is limited, and to how much."""
        found = {name: getattr(self, name) for name in (*_COUNTS, *_AMOUNTS)}
        return {name: limit for name, limit in found.items() if limit is not None}


def check_budget(value: object) -> None:
    """Raise `ConfigurationError` for what is neither a budget nor `None`."""
    if value is None or isinstance(value, Budget):
        return
    meant = "Budget(money=…), or turns=, model_calls=, tokens=, seconds="
    if is_whole(value, 0):
        meant = f"Budget(turns={value!r}), or model_calls=, or tokens=, or money="
    raise ConfigurationError(f"Cannot use budget={short(value)}: it does not say what it limits. Give {meant}.")


def budget_from_text(text: str) -> Budget:
    """The budget that a text means: US dollars, or limits by name.

    >>> budget_from_text("0.50"), budget_from_text("turns=20, money=$1")
    (Budget(money=0.5), Budget(turns=20, money=1.0))
    """
    given: dict[str, Any] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, sign, value = (one.strip() for one in part.rpartition("="))
        name = name if sign else "money"
        if name not in {one.name for one in fields(Budget)}:
            raise ConfigurationError(f"Cannot use {text!r} as a budget: {name!r} is no limit. {_MEANT}")
        given[name] = value if name == "unknown_price" else _number(value, text)
    if not given:
        raise ConfigurationError(f"Cannot use {text!r} as a budget: it does not say what it limits. {_MEANT}")
    return Budget(**given)


_MEANT = f"Give US dollars, as 0.50, or limits by name, as turns=20,money=0.50: {', '.join((*_COUNTS, *_AMOUNTS))}."


def _number(value: str, text: str) -> float:
    try:
        number = float(value.removeprefix("$").replace("_", ""))
    except ValueError:
        raise ConfigurationError(f"Cannot use {text!r} as a budget: {value!r} is no number. {_MEANT}") from None
    return int(number) if number.is_integer() else number


class BudgetSpent(Exception):
    """Raised inside a conversation when the next step would exceed a budget. The chat ends in order, it does not fail."""


@dataclass
class Ledger:
    """What has been spent. Reserving comes before spending, so that a limit is never overshot by a call.

    Tokens are the exception: their number is known only after a call, so the call that crosses the limit is the last. So
    it is with the part of the money that pays for a reply of which nobody said how long it may be, and with what code shows.
    """

    budget: Budget = field(default_factory=Budget)
    parent: Ledger | None = None
    turns: int = 0
    model_calls: int = 0
    tokens: int = 0
    by_model: dict[str, Usage] = field(default_factory=dict)
    uncounted: set[str] = field(default_factory=set)
    stopped: tuple[str, str] | None = None
    money: float = 0.0
    unpriced: set[str] = field(default_factory=set)
    held: float = 0.0
    output_bytes: int = 0
    repairs: int = 0
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._began = self.clock()

    @property
    def seconds(self) -> float:
        """How long it is since this ledger was opened."""
        return self.clock() - self._began

    def stop(self, reason: str, who: str = "") -> None:
        """Let nothing more be spent by the whole chat, with all that is nested in it: the person of `who` has stopped it."""
        self._lineage()[-1].stopped = reason, who

    def reserve_turn(self) -> None:
        """Count a turn about to begin. Raises `BudgetSpent` where there is none left."""
        self._reserve("turns")

    def reserve_model_call(self) -> None:
        """Count a model call about to be made. Raises `BudgetSpent` where no call, no token or no money is left."""
        for ledger in self._lineage():
            ledger._check("tokens")
            ledger._check("money")
        self._reserve("model_calls")

    def reserve_output(self) -> None:
        """Raises `BudgetSpent` where code about to run may show nothing any more, or has no time."""
        for ledger in self._lineage():
            ledger._check("output_bytes")
            ledger._check("seconds")

    def reserve_repair(self) -> None:
        """Count an answer that tells a model of its mistake. Raises `BudgetSpent` where there is none left."""
        self._reserve("repairs")

    @property
    def limits_money(self) -> bool:
        """Whether anybody wants to know beforehand what a call may cost."""
        return any(one.budget.money is not None for one in self._lineage())

    @property
    def needs_prices(self) -> bool:
        """Whether calls whose price is not known are refused."""
        return any(one.budget.money is not None and one.budget.unknown_price == "refuse" for one in self._lineage())

    @property
    def seconds_left(self) -> float | None:
        """How long it may still take; `None` where nobody says."""
        left = [one.budget.seconds - one.seconds for one in self._lineage() if one.budget.seconds is not None]
        return max(min(left), 0.0) if left else None

    def check_time(self) -> None:
        """Raises `BudgetSpent` where no time is left."""
        for ledger in self._lineage():
            ledger._check("seconds")

    @contextmanager
    def holding(self, money: float) -> Iterator[None]:
        """Keep so much from all others while a call is made. Raises `BudgetSpent` where it is more than is left."""
        lineage = self._lineage()
        for ledger in lineage:
            ledger._check_money(money)
        for ledger in lineage:
            ledger.held += money
        try:
            yield
        finally:
            for ledger in lineage:
                ledger.held -= money

    def spend(self, usage: Usage | None, model: str | None = None, cost: float | None = None) -> None:
        """Count the tokens and the price of a call of a model. What is unknown counts nothing, and is remembered as such."""
        name, usage = model or "", usage or Usage()
        for ledger in self._lineage():
            ledger.tokens += usage.total_tokens or 0
            ledger.money += cost or 0.0
            ledger.by_model[name] = ledger.by_model.get(name, Usage()) + usage
            if usage.total_tokens is None:
                ledger.uncounted.add(name)
            if cost is None:
                ledger.unpriced.add(name)

    def spend_output(self, size: int) -> None:
        """Count the bytes that a block of code has shown."""
        for ledger in self._lineage():
            ledger.output_bytes += size

    def _reserve(self, what: str) -> None:
        lineage = self._lineage()
        if lineage[-1].stopped is not None:
            raise ChatEnds(EndedBy.HUMAN, *lineage[-1].stopped)
        for ledger in lineage:
            ledger._check(what)
            ledger._check("seconds")
        for ledger in lineage:
            setattr(ledger, what, getattr(ledger, what) + 1)

    def _check(self, what: str) -> None:
        limit: Any = getattr(self.budget, what)
        if limit is not None and getattr(self, what) >= limit:
            raise BudgetSpent(f"the budget of {_amount(what, limit)} is spent")

    def _check_money(self, more: float) -> None:
        limit = self.budget.money
        if limit is None or self.money + self.held + more <= limit + 1e-12:
            return
        left = max(limit - self.money - self.held, 0.0)
        raise BudgetSpent(
            f"the next call may cost {dollars(more)}, and {dollars(left)} of the budget of {dollars(limit)} is left"
        )

    def _lineage(self) -> list[Ledger]:
        found: list[Ledger] = []
        ledger: Ledger | None = self
        while ledger is not None:
            found.append(ledger)
            ledger = ledger.parent
        return found


def _amount(what: str, limit: float) -> str:
    if what == "money":
        return dollars(limit)
    words = "bytes of output" if what == "output_bytes" else what.replace("_", " ")
    return f"{limit:,} {words}" if isinstance(limit, int) else f"{limit:g} {words}"
