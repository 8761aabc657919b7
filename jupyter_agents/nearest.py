"""The known name that a mistyped one was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], *, at_least: float = 0.6) -> str | None:
    """The most similar known name, or `None` when none is similar; one that differs in its case alone is.

    >>> nearest("temprature", ["temperature", "top_p"]), nearest("never", ["ALWAYS", "NEVER"])
    ('temperature', 'NEVER')
    """
    from difflib import get_close_matches

    known = list(known)
    if found := get_close_matches(name, known, n=1, cutoff=at_least):
        return found[0]
    cased = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), cased, n=1, cutoff=at_least)
    return cased[found[0]] if found else None


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """The question whether another name was meant, where one is near; to be put after a sentence.

    >>> did_you_mean("temprature", ["temperature", "top_p"])
    " Did you mean 'temperature'?"
    """
    meant = nearest(name, known) if isinstance(name, str) else None
    return f" Did you mean {meant!r}?" if meant else ""


def mistyped(name: str, known: Iterable[str]) -> str | None:
    """The known name of which this one is a slip of the keyboard: letters in another order, one too many, or one too few.

    One letter in place of another is no slip: many settings of servers differ in no more.

    >>> mistyped("modle", ["model", "top_p"]), mistyped("temprature", ["temperature"]), mistyped("top_k", ["top_p"])
    ('model', 'temperature', None)
    """
    return next((one for one in sorted(known) if one != name and len(one) > 3 and _is_slip(name, one)), None)


def _is_slip(name: str, other: str) -> bool:
    short, long = sorted((name, other), key=len)
    if len(short) == len(long):
        return sorted(short) == sorted(long)
    return any(long[:at] + long[at + 1 :] == short for at in range(len(long)))
