"""Rules that end a chat, looked at after every message; they can be combined, and each says why it ends the chat."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from math import inf
from typing import Any, NoReturn, TypeVar

from jupyter_agents.arguments import refuses_unknown
from jupyter_agents.code_blocks import remove_code
from jupyter_agents.culprits import was_in
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.likeness import is_blank, repetition
from jupyter_agents.meant import condition_meant, function_name, is_number, is_whole, short
from jupyter_agents.messages import Message, Usage
from jupyter_agents.nearest import nearest
from jupyter_agents.prices import Prices, dollars, own_price

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChatFacts:
    """What conditions are told of a chat. `None` is what is not known.

    `speakers` has a name for each message. `seconds` are those since the chat began in this run, pauses left out.
    `usage` has the tokens of each model, of nested chats too; `tokens` is their sum. Models in `uncounted` have also
    answered calls of which the usage is not known. `cost` is what calls have cost in US dollars, by their configs or by
    published prices; models in `unpriced` have answered calls whose price is not known. Replayed calls count as they did when they were recorded, so that
    a replay ends where the chat did. `present` has the names of those who may speak in the chat, `tools` those of the
    functions and tools that they know; only `doubt` is told them.
    """

    messages: Sequence[Message]
    speakers: Sequence[str] = ()
    seconds: float | None = None
    usage: Mapping[str, Usage] = field(default_factory=dict)
    uncounted: Collection[str] = ()
    cost: float | None = None
    unpriced: Collection[str] = ()
    present: Collection[str] | None = None
    tools: Collection[str] | None = None

    @property
    def tokens(self) -> int | None:
        """All tokens that are known."""
        counts = [one.total_tokens for one in self.usage.values() if one.total_tokens is not None]
        return sum(counts) if counts else None


class Condition:
    """A rule that ends a chat, looked at after every message. Combine rules with `|` (either) and `&` (both).

    One of your own defines `__call__(messages)`, or `judge(facts)` where the messages are not enough.

    >>> stop = TextMention("DONE") | MaxMessages(10)
    >>> stop([Message("all DONE")])
    "the text 'DONE' was mentioned"
    """

    def __call__(self, messages: Sequence[Message]) -> str | None:
        """Why the chat ends now, or `None`. `messages` are those of the chat so far, oldest first."""
        if type(self).judge is Condition.judge:
            raise TypeError(f"{type(self).__name__} is no condition by itself; define __call__(messages)")
        return self.judge(ChatFacts(messages))

    def judge(self, facts: ChatFacts) -> str | None:
        """The same, by all that is known of the chat."""
        return self(facts.messages)

    def doubt(self, facts: ChatFacts) -> str | None:
        """What keeps the condition from being noticed, in one sentence for the transcript; `None` where nothing does."""
        return None

    def __or__(self, other: object) -> Condition:
        return _Either(self, other) if isinstance(other, Condition) else _refuse_part(other)

    def __and__(self, other: object) -> Condition:
        return _Both(self, other) if isinstance(other, Condition) else _refuse_part(other)

    def __ror__(self, other: object) -> Condition:
        _refuse_part(other)  # what is a condition is asked before

    __rand__ = __ror__

    def __bool__(self) -> bool:
        raise ConfigurationError(
            f"Cannot use {short(self)} as true or false: it says so of a chat, not by itself, and `and`, `or` and `not` "
            "would leave one of two conditions out. Combine conditions with | and &; ask `is not None` whether there is one."
        )


def _asked(role: str, function: Callable[..., T], *args: Any) -> T:
    """What a function of the user's says. Its error tells what it is there for."""
    try:
        return function(*args)
    except Exception as error:
        was_in(error, role, function)
        raise


def _refuse_part(other: object) -> NoReturn:
    raise ConfigurationError(
        f"Cannot combine a condition with {short(other)}: it is no condition. {condition_meant(other)}"
    )


# -- What was said, and by whom ----------------------------------------------------------------------------------


@refuses_unknown
@dataclass(frozen=True)
class TextMention(Condition):
    """Ends a chat when the last message holds a text, in its author's own words (not in code or a quotation)."""

    text: str

    def __post_init__(self) -> None:
        given: Any = self.text
        if isinstance(given, str) and given.strip():
            return
        several = given if isinstance(given, list | tuple) else ()
        each = " | ".join(f"TextMention({one!r})" for one in several) or "a text with at least one character"
        raise ConfigurationError(f"Cannot use TextMention({short(given)}): that is no text to wait for. Give {each}.")

    def __call__(self, messages: Sequence[Message]) -> str | None:
        """See `Condition`."""
        said = messages[-1].text if messages else ""
        found = self.text in said and self.text in remove_code(said)
        return f"the text {self.text!r} was mentioned" if found else None


@refuses_unknown
@dataclass(frozen=True)
class MaxMessages(Condition):
    """Ends a chat after so many messages, the opening one included."""

    count: int

    def __post_init__(self) -> None:
        _check_whole("MaxMessages", self.count, 0)

    def __call__(self, messages: Sequence[Message]) -> str | None:
        """See `Condition`."""
        return f"{self.count} messages were sent" if len(messages) >= self.count else None


@refuses_unknown
@dataclass(frozen=True)
class CallOf(Condition):
    """Ends a chat when the last message calls a function or tool of this name."""

    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            given = function_name(self.name) if callable(self.name) else "name"
            raise ConfigurationError(
                f"Cannot use CallOf({short(self.name)}): a model calls by name. Give the name under which it knows the "
                f"function or tool: CallOf({given!r})."
            )

    def doubt(self, facts: ChatFacts) -> str | None:
        """See `Condition`."""
        if facts.tools is None or self.name in facts.tools:
            return None
        return f"Nobody in this chat knows a function or tool {self.name!r}.{_did_you_mean(self.name, facts.tools)}"

    def __call__(self, messages: Sequence[Message]) -> str | None:
        """See `Condition`."""
        calls = messages[-1].calls if messages else ()
        return f"{self.name} was called" if any(call.name == self.name for call in calls) else None


class SaidBy(Condition):
    """Ends a chat when the last message is by one of these agents, who are given by name.

    In a group that is the member who spoke, not the manager who passed it on.

    >>> approved = SaidBy("critic") & TextMention("APPROVED")
    >>> approved.judge(ChatFacts([Message("APPROVED")], ["critic"]))
    "critic spoke and the text 'APPROVED' was mentioned"
    """

    def __init__(self, *names: str) -> None:
        if not names or not all(isinstance(one, str) and one.strip() for one in names):
            meant = [str(getattr(one, "name", "")) for one in names]
            example = f": SaidBy({', '.join(map(repr, meant))})" if meant and all(meant) else ""
            raise ConfigurationError(
                f"Cannot wait for a speaker: the names are {short(names)}. Give names of agents{example}."
            )
        self.names = names

    def __repr__(self) -> str:
        return f"SaidBy({', '.join(map(repr, self.names))})"

    def judge(self, facts: ChatFacts) -> str | None:
        """See `Condition`."""
        speaker = facts.speakers[-1] if facts.speakers else None
        return f"{speaker} spoke" if speaker in self.names else None

    def doubt(self, facts: ChatFacts) -> str | None:
        """See `Condition`."""
        present = facts.present
        unknown = [] if present is None else [one for one in self.names if one not in present]
        return " ".join(_nobody_named(one, present or ()) for one in unknown) or None


@refuses_unknown
@dataclass(frozen=True)
class When(Condition):
    """Ends a chat when a function of the messages says so."""

    function: Callable[[Sequence[Message]], bool]

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ConfigurationError(
                f"Cannot use When({short(self.function)}): it cannot be called. Give a function of the messages."
            )
        if iscoroutinefunction(self.function):
            raise ConfigurationError(
                f"Cannot use When({function_name(self.function)}): {function_name(self.function)} is async, and nothing waits "
                "for a condition. Give a plain function of the messages."
            )

    def __call__(self, messages: Sequence[Message]) -> str | None:
        """See `Condition`."""
        is_over = _asked("the condition When", self.function, messages)
        return f"{getattr(self.function, '__name__', 'a function')} said so" if is_over else None


class ExternalStop(Condition):
    """Ends a chat at its next message once `set` was called, from any thread."""

    def __init__(self) -> None:
        self.is_set = False

    def set(self) -> None:
        """Ask for the end."""
        self.is_set = True

    def clear(self) -> None:
        """Take it back, for another chat."""
        self.is_set = False

    def __call__(self, messages: Sequence[Message]) -> str | None:
        """See `Condition`."""
        return "a stop was asked for" if self.is_set else None


# -- Chats that get nowhere --------------------------------------------------------------------------------------


@refuses_unknown
@dataclass(frozen=True)
class EmptyReplies(Condition):
    """Ends a chat after so many messages in a row with nothing in them. Two in a row end every chat."""

    count: int = 1

    def __post_init__(self) -> None:
        _check_whole("EmptyReplies", self.count, 0)

    def __call__(self, messages: Sequence[Message]) -> str | None:
        """See `Condition`."""
        is_met = len(messages) >= self.count and all(map(is_blank, messages[-self.count :]))
        return (
            f"{self.count} {'reply' if self.count == 1 else 'replies'} in a row had nothing in them" if is_met else None
        )


@refuses_unknown
@dataclass(frozen=True)
class Repetition(Condition):
    """Ends a chat when the same messages come round so many times, be it one or several by turns.

    Spaces, case and punctuation make no difference; calls of functions are never a repetition. Five times end every chat.
    """

    times: int = 3

    def __post_init__(self) -> None:
        _check_whole("Repetition", self.times, 1)

    def __call__(self, messages: Sequence[Message]) -> str | None:
        """See `Condition`."""
        period = repetition(messages, self.times, range(1, 5))
        if period is None:
            return None
        what = "the same message" if period == 1 else f"the same {period} messages"
        return f"{what} came {self.times} times in a row"


# -- What it takes -----------------------------------------------------------------------------------------------


@refuses_unknown
@dataclass(frozen=True)
class MaxTokens(Condition):
    """Ends a chat once its models, with those of nested chats, have used so many tokens.

    Tokens that no server has counted, and that nobody has estimated, are not known and do not count.
    """

    count: int

    def __post_init__(self) -> None:
        _check_above("MaxTokens", self.count, 0)

    def judge(self, facts: ChatFacts) -> str | None:
        """See `Condition`."""
        tokens = facts.tokens
        return f"{tokens:,} tokens of {self.count:,} were used" if tokens is not None and tokens >= self.count else None

    def doubt(self, facts: ChatFacts) -> str | None:
        """See `Condition`."""
        unknown = sorted(facts.uncounted)
        return f"Not all tokens of {_named(unknown)} are known; the others do not count as used." if unknown else None


@refuses_unknown
@dataclass(frozen=True)
class MaxCost(Condition):
    """Ends a chat once the calls of its models, with those of nested chats, have cost so much, in the unit of `prices`.

    Without `prices` it is US dollars, by the `price` in the models' configs or by published prices (the extra `prices`).
    A price that is not known is not 0: it does not count, the transcript says so, and the chat may cost more.

    >>> stop = MaxCost(0.01, {"m": (0.001, 0.002)})
    >>> stop.judge(ChatFacts([], usage={"m": Usage(9000, 500)}))
    '0.01 of 0.01 was spent'
    """

    limit: float
    prices: Prices | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        _check_above("MaxCost", self.limit, 0)
        if self.prices is None:
            return
        if not callable(self.prices) and not isinstance(self.prices, Mapping):
            raise ConfigurationError(
                f"Cannot limit the cost: prices is {self.prices!r}. Give a dictionary of models to (price of 1,000 tokens "
                "in, price of 1,000 tokens out), or a function of a model's name and its usage."
            )
        if isinstance(self.prices, Mapping):
            _check_prices(self.prices)

    def judge(self, facts: ChatFacts) -> str | None:
        """See `Condition`."""
        if self.prices is None:
            return self._judged_by_cost(facts)
        costs = self._costs(facts)
        known = [cost for cost in costs.values() if cost is not None]
        if not known or sum(known) < self.limit:
            return None
        is_all = len(known) == len(costs) and not facts.uncounted
        return f"{'' if is_all else 'at least '}{sum(known):.4g} of {self.limit:.4g} was spent"

    def doubt(self, facts: ChatFacts) -> str | None:
        """See `Condition`."""
        unpriced = {name for name, cost in self._costs(facts).items() if cost is None} | set(facts.uncounted)
        unknown = set(facts.unpriced) if self.prices is None else unpriced
        return (
            f"What {_named(sorted(unknown))} costs is not all known; the rest does not count as spent."
            if unknown
            else None
        )

    def _judged_by_cost(self, facts: ChatFacts) -> str | None:
        if facts.cost is None or facts.cost < self.limit:
            return None
        return f"{'at least ' if facts.unpriced else ''}{dollars(facts.cost)} of {dollars(self.limit)} was spent"

    def _costs(self, facts: ChatFacts) -> dict[str, float | None]:
        return {name: self._cost(name, usage) for name, usage in facts.usage.items()}

    def _cost(self, name: str, usage: Usage) -> float | None:
        if callable(self.prices):
            return _asked("the prices", self.prices, name, usage)
        return None if self.prices is None else own_price(self.prices, name, usage)


@refuses_unknown
@dataclass(frozen=True)
class MaxSeconds(Condition):
    """Ends a chat at its first message after so many seconds, pauses left out. What takes long is not cut off."""

    seconds: float

    def __post_init__(self) -> None:
        _check_above("MaxSeconds", self.seconds, 0)

    def judge(self, facts: ChatFacts) -> str | None:
        """See `Condition`."""
        is_over = facts.seconds is not None and facts.seconds >= self.seconds
        return f"{self.seconds:g} seconds have passed" if is_over else None


@dataclass(frozen=True)
class Unwritten(Condition):
    """In place of a condition of a chat that was saved: it cannot be written, and must be given again."""

    text: str

    def judge(self, facts: ChatFacts) -> str | None:
        """See `Condition`."""
        raise ConfigurationError(
            f"Cannot go on with the chat: its condition {self.text} was not saved with it. Give it again: termination=…."
        )


def _check_above(name: str, value: object, least: float) -> None:
    if not is_number(value) or not least < value < inf:  # type: ignore[operator]  # it is a number by now
        raise ConfigurationError(f"Cannot use {name}({short(value)}): that is no number above {least:g}. Give one.")


def _check_whole(name: str, value: object, least: int) -> None:
    if not is_whole(value, least + 1):
        raise ConfigurationError(f"Cannot use {name}({short(value)}): that is no whole number above {least}. Give one.")


def _check_prices(prices: Mapping[Any, Any]) -> None:
    for model, price in prices.items():
        is_pair = isinstance(price, tuple | list) and len(price) == 2
        if not is_pair or not all(is_number(one) and one >= 0 for one in price):
            raise ConfigurationError(
                f"Cannot limit the cost: prices is {short({model: price})}. Give each model (price of 1,000 tokens in, price "
                "of 1,000 tokens out)."
            )


def _nobody_named(name: str, present: Collection[str]) -> str:
    others = " and ".join(sorted(present)) or "nobody"
    return f"Nobody who may speak in this chat is called {name!r}: there is {others}.{_did_you_mean(name, present)}"


def _did_you_mean(name: str, known: Collection[str]) -> str:
    meant = nearest(name, sorted(known))
    return f" Did you mean {meant!r}?" if meant else ""


def _named(names: Iterable[str]) -> str:
    return " and ".join(name or "a model without a name" for name in names)


# -- Combined ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Combined(Condition):
    one: Condition
    other: Condition

    def doubt(self, facts: ChatFacts) -> str | None:
        return " ".join(filter(None, (self.one.doubt(facts), self.other.doubt(facts)))) or None


@dataclass(frozen=True)
class _Either(_Combined):
    def judge(self, facts: ChatFacts) -> str | None:
        return self.one.judge(facts) or self.other.judge(facts)


@dataclass(frozen=True)
class _Both(_Combined):
    def judge(self, facts: ChatFacts) -> str | None:
        reasons = self.one.judge(facts), self.other.judge(facts)
        return " and ".join(str(reason) for reason in reasons) if all(reasons) else None
