"""What somebody probably meant by a value that cannot be used, for the error that refuses it."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

_LONGEST = 80


def short(value: Any) -> str:
    """A value as an error shows it."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def is_whole(value: Any, least: int) -> bool:
    """Whether it is a whole number of at least `least`; truth is no number."""
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= least


def is_number(value: Any) -> bool:
    """Whether it is a number; truth is none."""
    return not isinstance(value, bool) and isinstance(value, Real)


def function_name(value: Any) -> str:
    """What a function is called in code that is proposed: its name, or `function` where it has none."""
    name = str(getattr(value, "__name__", ""))
    return name if name.isidentifier() else "function"


def condition_meant(value: Any) -> str:
    """What to give where a condition is expected, and this was given.

    >>> condition_meant("DONE"), condition_meant(3)
    ("Give TextMention('DONE').", 'Give MaxMessages(3).')
    """
    if isinstance(value, type):
        return f"Give {value.__name__}(…), an object of the class."
    if isinstance(value, str) and value.strip():
        return f"Give TextMention({value!r})."
    if isinstance(value, list | tuple | set):
        return "Combine conditions with | (either) or & (both)."
    if is_whole(value, 1):
        return f"Give MaxMessages({value!r})."
    if callable(value):
        return f"A function of the messages becomes one by When({function_name(value)})."
    return "Give one, such as TextMention('DONE') | MaxMessages(20)."


def functions_meant(value: Any) -> str:
    """What to give where functions by name are expected, and this was given.

    >>> functions_meant([len])
    "Give {'len': len}."
    """
    given = value if isinstance(value, list | tuple) else [value]
    if not given or isinstance(value, Mapping) or not all(callable(one) for one in given):
        return "Give {'name': function}."
    names = [function_name(one) for one in given]
    return f"Give {{{', '.join(f'{name!r}: {name}' for name in names)}}}."
