"""Whose names a text mentions: how a model's word on the next speaker is read."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from jupyter_agents.thoughts import without_thought

_GAP = r"(?:\s|\\?_|-)+"
_NO_GAP = r"(?:\s|\\?_|-)*"
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
"""Letters of scripts that put no spaces around a name."""
_LETTER = rf"[^\W{_UNSPACED}]"
_MARKUP = " \t*_`\"'“”‘’«»<>()[]{}#:;,.!?-–—>"


def mentioned(text: str, names: Iterable[str]) -> Counter[str]:
    """How often each name is mentioned, most often first; names that are not mentioned are left out.

    Case does not matter, nor how accents and apostrophes are written, nor whether a space is written as a space, `_`,
    `\\_`, `-` or not at all. Where one name is part of another ("Alice" of "Alice Coder"), the longer one is meant.

    >>> mentioned("Next: alice_coder, then Bob", ["Alice", "Alice Coder", "Bob"])
    Counter({'Alice Coder': 1, 'Bob': 1})
    """
    known = sorted(dict.fromkeys(names), key=len, reverse=True)
    if not known:
        return Counter()
    ways = [*(_as_pattern(name) for name in known), *(_as_pattern(name, _NO_GAP) for name in known)]
    pattern = re.compile("|".join(f"({way})" for way in ways), re.IGNORECASE)
    found = (one.lastindex for one in pattern.finditer(_alike(text)))
    return Counter(known[(number - 1) % len(known)] for number in found if number)


def chosen_name(text: str, names: Iterable[str]) -> str | None:
    """The one name that a text gives; `None` when it gives none, or several.

    What a reasoning model says to itself before (`<think>…</think>`) does not count. A first line that is nothing but a
    name is an answer, whatever follows it as a reason.

    >>> chosen_name("**Bob**\\n\\nAlice has just spoken.", ["Alice", "Bob"])
    'Bob'
    >>> chosen_name("Alice, then Bob", ["Alice", "Bob"]) is None
    True
    """
    known, text = list(names), without_thought(text)
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
    return _alike(name).strip(_MARKUP) == _alike(text)


def _is_spelt(name: str, text: str) -> bool:
    return re.fullmatch(_as_pattern(name), _alike(text), re.IGNORECASE) is not None


def _alike(text: str) -> str:
    """With accents composed and apostrophes straight, as both are written in two ways."""
    return text if text.isascii() else unicodedata.normalize("NFC", text).replace("\u2019", "'").replace("\u2018", "'")


def _as_pattern(name: str, gap: str = _GAP) -> str:
    name = _alike(name)
    words = [re.escape(word) for word in re.split(r"[\s_-]+", name) if word]
    before = "" if re.match(rf"[{_UNSPACED}]", name) else f"(?<!{_LETTER})"
    after = "" if re.search(rf"[{_UNSPACED}]\Z", name) else f"(?!{_LETTER})"
    return before + gap.join(words or [re.escape(name)]) + after
