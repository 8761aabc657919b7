"""What may be chosen: for each setting its choices or its range, and short names by which choices are told apart."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_agents.errors import ConfigurationError

Label = str | int | float | bool | None
"""What a choice is called in tables, in the store and by the search."""

_LONGEST = 60
_EITHER = "temperature_or_top_p"


@dataclass(frozen=True, slots=True)
class Range:
    """All numbers from `low` to `high`, both included; whole ones where both are whole.

    >>> Range(0.0, 2.0), Range(1, 5)
    (Range(low=0.0, high=2.0, step=None, log=False), Range(low=1, high=5, step=None, log=False))
    """

    low: float
    high: float
    step: float | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigurationError(f"Cannot use {self!r}: low must be less than high. Correct it.")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ConfigurationError(f"Cannot use {self!r}: on a log scale low is above 0 and there is no step.")
        if self.step is not None and self.step <= 0:
            raise ConfigurationError(f"Cannot use {self!r}: the step must be above 0. Correct it.")

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers only."""
        return all(isinstance(one, int) for one in (self.low, self.high, self.step or 1))

    def values(self) -> list[float] | None:
        """All of them, or `None` where they cannot be counted."""
        step = self.step or (1 if self.is_whole else None)
        if step is None:
            return None
        count = math.floor((self.high - self.low) / step + 1e-9)
        return [self.low + at * step for at in range(count + 1)]


class Space:
    """The settings of a search: `choices` by label, `ranges`, and `fixed` values.

    A list, a tuple or a mapping (names to values) gives choices, a `Range` or a `range` numbers; anything else is fixed.

    >>> space = Space({"temperature": Range(0.0, 1.0), "prompt": {"short": "{q}", "long": "Think. {q}"}, "n": 1})
    >>> space.values({"temperature": 0.5, "prompt": "long"})
    {'temperature': 0.5, 'prompt': 'Think. {q}', 'n': 1}
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        if not isinstance(given, Mapping):
            raise ConfigurationError(
                "Cannot tune: the space is no dictionary. Give names of settings and their choices."
            )
        self.names = tuple(given)
        self.choices: dict[str, dict[Label, Any]] = {}
        self.ranges: dict[str, Range] = {}
        self.fixed: dict[str, Any] = {}
        for name, value in given.items():
            self._add(name, value)
        if not self.ranges and all(len(one) < 2 for one in self.choices.values()):
            raise ConfigurationError(
                "Cannot tune: the space has no setting with choices. "
                "Give at least one, such as temperature=[0, 0.5, 1] or Range(0.0, 1.0)."
            )

    def _add(self, name: str, value: Any) -> None:
        if isinstance(value, range):
            value = list(value)
        if isinstance(value, Range):
            self.ranges[name] = value
        elif isinstance(value, (list, tuple, Mapping)):
            self.choices[name] = _labelled(name, value)
        else:
            self.fixed[name] = value

    @property
    def searched(self) -> tuple[str, ...]:
        """The settings that are searched, in the order in which they were given."""
        return tuple(name for name in self.names if name not in self.fixed)

    def values(self, labels: Mapping[str, Label]) -> dict[str, Any]:
        """The config that these labels mean. What is chosen under the classic name for either of two stands by itself."""
        found: dict[str, Any] = {}
        for name in self.names:
            value = self._value(name, labels)
            found |= value if name == _EITHER and isinstance(value, Mapping) else {name: value}
        return found

    def _value(self, name: str, labels: Mapping[str, Label]) -> Any:
        if name in self.fixed:
            return self.fixed[name]
        return self.choices[name][labels[name]] if name in self.choices else labels[name]

    def labels(self, config: Mapping[str, Any]) -> dict[str, Label]:
        """The labels of a config that somebody has written, by labels or by values."""
        missing = [name for name in self.searched if name not in config]
        unknown = [name for name in config if name not in self.names]
        if missing or unknown:
            raise ConfigurationError(
                f"Cannot start from {dict(config)!r}: {', '.join(map(repr, missing + unknown))} "
                f"{'is missing' if missing else 'is not in the space'}. Name each of {', '.join(self.searched)}."
            )
        return {name: self._label(name, config[name]) for name in self.searched}

    def _label(self, name: str, value: Any) -> Label:
        if name in self.ranges:
            limits = self.ranges[name]
            if isinstance(value, (int, float)) and limits.low <= value <= limits.high:
                return value
        else:
            for label, choice in self.choices[name].items():
                if value is choice or _is_same(value, label) or _is_same(value, choice):
                    return label
        raise ConfigurationError(f"Cannot start from {name}={value!r}: it is none of its choices. Take one of them.")

    @property
    def size(self) -> int | None:
        """How many configs there are; `None` where they cannot be counted."""
        counted = [len(one) for one in self.choices.values()]
        for one in self.ranges.values():
            values = one.values()
            if values is None:
                return None
            counted.append(len(values))
        return math.prod(counted)

    def all(self) -> Iterator[dict[str, Label]]:
        """The labels of all configs, where they can be counted."""
        columns = [list(self.choices.get(name) or self.ranges[name].values() or ()) for name in self.searched]
        return (dict(zip(self.searched, row, strict=True)) for row in itertools.product(*columns))


def _is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _labelled(name: str, given: Any) -> dict[Label, Any]:
    if not given:
        raise ConfigurationError(f"Cannot tune {name!r}: it has no choices. Give at least one, or leave it out.")
    if isinstance(given, Mapping):
        return {str(label): value for label, value in given.items()}
    found: dict[Label, Any] = {}
    for value in given:
        label = _label_of(name, value)
        if label in found:  # 1 and True, or twice the same
            raise ConfigurationError(f"Cannot tune {name!r}: {value!r} stands twice among its choices. Leave one out.")
        found[label] = value
    return found


def _label_of(name: str, value: Any) -> Label:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else _shortened(value)
    try:
        return _label_of(name, json.dumps(value, sort_keys=True, ensure_ascii=False))
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"Cannot tune {name!r}: a choice is a {type(value).__name__}, which has no name of its own. "
            f"Name the choices: {name}={{'first': …, 'second': …}}."
        ) from None


def _shortened(text: str) -> str:
    """A long text by its beginning and a hash, so that two that begin alike are told apart."""
    from hashlib import sha256

    return f"{text[: _LONGEST - 10]}… #{sha256(text.encode('utf-8', 'replace')).hexdigest()[:6]}"
