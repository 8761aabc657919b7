"""Whose names a text mentions: how a model's word on the next speaker is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_GAP = r"(?:\s|\\?_|-)+"
_MARKUP = " \t*_`\"'“”‘’«»<>()[]{}#:;,.!?-–—>"


def mentioned(text: str, names: Iterable[str]) -> Counter[str]:
    """How often each name is mentioned, most often first; names that are not mentioned are left out.

    Case does not matter, nor whether a space is written as a space, `_`, `\\_` or `-`. Where one name is part of
    another ("Alice" of "Alice Coder"), the longer one is meant.

    >>> mentioned("Next: alice_coder, then Bob", ["Alice", "Alice Coder", "Bob"])
    Counter({'Alice Coder': 1, 'Bob': 1})
    """
    known = sorted(dict.fromkeys(names), key=len, reverse=True)
    if not known:
        return Counter()
    pattern = re.compile("|".join(f"({_as_pattern(name)})" for name in known), re.IGNORECASE)
    return Counter(known[found.lastindex - 1] for found in pattern.finditer(text) if found.lastindex)


def chosen_name(text: str, names: Iterable[str]) -> str | None:
    """The one name that a text gives; `None` when it gives none, or several.

    A first line that is nothing but a name is an answer, whatever follows it as a reason.

    >>> chosen_name("**Bob**\\n\\nAlice has just spoken.", ["Alice", "Bob"])
    'Bob'
    >>> chosen_name("Alice, then Bob", ["Alice", "Bob"]) is None
    True
    """
    known = list(names)
    first = next((line for line in text.splitlines() if line.strip(_MARKUP)), "").strip(_MARKUP)
    for is_meant in (_is_exactly, _is_spelt):
        found = next((name for name in known if is_meant(name, first)), None)
        if found is not None:
            return found
    names_in_it = mentioned(text, known)
    return next(iter(names_in_it)) if len(names_in_it) == 1 else None


def same_name(one: str, other: str) -> bool:
    """Whether two names differ in nothing but case, and in how spaces are written.

    >>> same_name("Dr Smith", "dr_smith"), same_name("Ann", "Anna")
    (True, False)
    """
    return _words(one) == _words(other)


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\s_-]+", name.casefold()) if word] or [name]


def _is_exactly(name: str, text: str) -> bool:
    return name.strip(_MARKUP) == text


def _is_spelt(name: str, text: str) -> bool:
    return re.fullmatch(_as_pattern(name), text, re.IGNORECASE) is not None


def _as_pattern(name: str) -> str:
    words = [re.escape(word) for word in re.split(r"[\s_-]+", name) if word]
    return r"(?<!\w)" + _GAP.join(words or [re.escape(name)]) + r"(?!\w)"
