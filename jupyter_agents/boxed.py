r"""Answers that a model puts in a box, `\boxed{42}`, and whether two of them say the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jupyter_agents.formula import NoFormula, is_same, parse

_BOX = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])[ \t]*")
_TOKEN = re.compile(r"\\[a-zA-Z]+|[+-]?\d[\d.,/]*|[a-zA-Z](?![a-zA-Z])")


def find_boxed(text: str) -> list[str]:
    r"""What is in the boxes (`\boxed`, `\fbox`) of a text, in order; of boxes in one another, the inner one.

    A box that is never closed is none.

    >>> find_boxed(r"So $x=\boxed{\frac{1}{2}}$, and not \boxed 7.")
    ['\\frac{1}{2}', '7']
    """
    ends = _closing_braces(text)
    boxes: list[tuple[int, int]] = []
    for box in _BOX.finditer(text):
        found = _extent(text, box.end(), ends)
        if found is not None:
            boxes.append(found)
    inner = [one for one, after in zip(boxes, [*boxes[1:], (len(text), 0)], strict=False) if after[0] >= one[1]]
    return [text[start:end].strip().strip("$").strip() for start, end in inner]


def last_boxed(text: str) -> str | None:
    r"""The last answer in a box; `None` where there is no box, or nothing in it.

    >>> last_boxed(r"First \boxed{1}, then \boxed{2}.")
    '2'
    """
    answers = find_boxed(text)
    return answers[-1] or None if answers else None


def _closing_braces(text: str) -> dict[int, int]:
    """For each brace that is closed, where that is. Braces behind a backslash are text."""
    opened: list[int] = []
    found = {}
    for brace in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            found[opened.pop()] = brace.start()
    return found


def _extent(text: str, at: int, ends: dict[int, int]) -> tuple[int, int] | None:
    """Where the content of a box begins and ends: braces, or, as in `\\boxed 5`, one number or letter."""
    if text[at : at + 1] == "{":
        return (at + 1, ends[at]) if at in ends else None
    token = _TOKEN.match(text, at)
    return (at, at + len(token[0].rstrip(".,/"))) if token else None


# -- Whether two answers are the same ----------------------------------------------------------------------------

_LONGEST = 2000
_MATH = re.compile(r"^(\${1,2})(.*)\1$|^\\\((.*)\\\)$|^\\\[(.*)\\\]$", re.DOTALL)
_TYPESETTING = re.compile(r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|limits)(?![a-zA-Z])|(?<!\\)\\[!,;: ]|~")
_WORDS = re.compile(r"\\(?:text|mathrm|mbox|textrm|textbf|mathbf|operatorname)\s*\{([^{}]*)\}")
_CURRENCY = re.compile(r"^(-?)\s*(\\?\$|€|£)\s*(?=[\d.])")
_DEGREES = re.compile(r"\s*(?:\^\s*\{?\s*\\circ(?![a-zA-Z])\s*\}?|\\degree(?![a-zA-Z])|°)")
_PERCENT = re.compile(r"\s*\\?%$")
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:(?:,|\{,\})\d{3})+(?!\d)")
_NAME = re.compile(r"^(?:[a-zA-Z]|[a-zA-Z]\([a-zA-Z]\)|\\[a-zA-Z]+)\s*=\s*(?=[^=\s])")
_RELATION = re.compile(r"\s*([=<>≤≥≠])\s*")
_SIGNS = {
    r"\\[dtc]frac(?![a-zA-Z])": r"\\frac",
    r"\\leq?(?![a-zA-Z])": "≤",
    r"\\geq?(?![a-zA-Z])": "≥",
    r"\\neq?(?![a-zA-Z])": "≠",
    r"\\lt(?![a-zA-Z])": "<",
    r"\\gt(?![a-zA-Z])": ">",
    r"\\varnothing(?![a-zA-Z])": r"\\emptyset ",
    r"\\\{|\\lbrace(?![a-zA-Z])": "⦃",
    r"\\\}|\\rbrace(?![a-zA-Z])": "⦄",
    "\u2212": "-",
    "\u00d7": r"\\times ",
    "π": r"\\pi ",
    "∞": r"\\infty ",
    "√": r"\\sqrt ",
    "\u222a": r"\\cup ",
    "±": r"\\pm ",
}
_TURNED = {"<": ">", ">": "<", "≤": "≥", "≥": "≤"}
_UNITS = {
    **{
        name: name
        for name in "mm cm dm km m g kg mg h min s l ml mph oz lb day week month year unit degree radian cent".split()
    },
    **dict.fromkeys("meter metre".split(), "m"),
    **dict.fromkeys("centimeter centimetre".split(), "cm"),
    **dict.fromkeys("kilometer kilometre".split(), "km"),
    **dict.fromkeys("in inch inche".split(), "inch"),
    **dict.fromkeys("foot feet ft".split(), "foot"),
    **dict.fromkeys("second sec".split(), "s"),
    **dict.fromkeys("minute".split(), "min"),
    **dict.fromkeys("hour hr".split(), "h"),
    **dict.fromkeys("gram".split(), "g"),
    **dict.fromkeys("kilogram".split(), "kg"),
    **dict.fromkeys("liter litre".split(), "l"),
    **dict.fromkeys("pound".split(), "lb"),
    **dict.fromkeys("ounce".split(), "oz"),
    **dict.fromkeys("dollar usd".split(), "dollar"),
    **dict.fromkeys("euro eur".split(), "euro"),
    **dict.fromkeys("square sq squared".split(), "square"),
    **dict.fromkeys("cubic cubed".split(), "cubic"),
    **{name: name for name in "yard mile people person student way per".split()},
    **dict.fromkeys("percent".split(), "%"),
}


def is_equivalent(one: str, other: str, *, symbolic: bool = False) -> bool:
    r"""Whether two answers say the same: `\frac{1}{2}`, `1/2`, `0.5`, `.5` and `50\%` do.

    How they are typeset does not matter, nor does a name in front (`x = 5`), a separator of thousands, or a unit where
    the other has none; two different units make two answers. A percentage equals the number of its per cents and the
    fraction that it is. Order matters in tuples and intervals, and not in sets, lists and unions. Formulas are compared
    by their values (see `is_same`); with `symbolic` sympy confirms that.

    >>> is_equivalent(r"\dfrac12", "0.5"), is_equivalent("2(x+1)", "2x+2"), is_equivalent("(1, 2)", "(2, 1)")
    (True, True, False)
    """
    if max(len(one), len(other)) > _LONGEST:
        return one.split() == other.split()
    first, second = _plain(one), _plain(other)
    if first.unit and second.unit and first.unit != second.unit:
        return False
    if _are_same(first.text, second.text, symbolic):
        return True
    if (first.unit == "%") == (second.unit == "%"):
        return False
    percent, number = (first, second) if first.unit == "%" else (second, first)
    return _are_same(f"({percent.text})/100", number.text, symbolic)


# -- An answer without its dress ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer in its plain form. `unit` is `%` for a percentage."""

    text: str
    unit: str = ""


def _plain(answer: str) -> _Answer:
    text = answer.strip()
    math = _MATH.match(text)
    if math:
        text = next(group for group in math.groups()[1:] if group is not None)
    text = _TYPESETTING.sub(" ", text).strip()
    for pattern, plain in _SIGNS.items():
        text = re.sub(pattern, plain, text)
    text = _WORDS.sub(r" \1 ", text).strip().rstrip(".").rstrip()
    text = _THOUSANDS.sub(lambda found: re.sub(r"[,{}]", "", found[0]), text)
    found = _without_unit(_NAME.sub("", re.sub(r"\s+\^", "^", text)))
    choice = re.fullmatch(r"\(\s*([A-Za-z])\s*\)", found.text)
    return _Answer(choice[1], found.unit) if choice else found


def _without_unit(text: str) -> _Answer:
    price = _CURRENCY.match(text)
    if price:
        return _Answer(_CURRENCY.sub(r"\1", text), {"€": "euro", "£": "lb"}.get(price[2], "dollar"))
    if _PERCENT.search(text):
        return _Answer(_PERCENT.sub("", text), "%")
    words = _DEGREES.sub(" degree", text).split()
    units: list[str] = []
    while len(words) > 1 and (unit := _unit(words[-1])) is not None:
        units.insert(0, unit)
        words.pop()
    if not units or words[-1][-1] not in "0123456789)}":
        return _Answer(text)
    return _Answer(" ".join(words), " ".join(units))


def _unit(word: str) -> str | None:
    """A unit by one name, whichever it was given; `None` for what is none."""
    name, _, exponent = word.rstrip(".").replace("{", "").replace("}", "").partition("^")
    low = name.lower()
    known = _UNITS.get(low) or (_UNITS.get(low.removesuffix("s")) if len(low) > 2 else None)
    if known is None or exponent not in ("", "2", "3"):
        return None
    return {"": "", "2": "square ", "3": "cubic "}[exponent] + known


# -- Part by part ------------------------------------------------------------------------------------------------


def _are_same(one: str, other: str, symbolic: bool) -> bool:
    if _bare(one) == _bare(other):
        return True
    for split in (_alternatives, _union, _enclosed, _sides):
        first, second = split(one), split(other)
        if first is not None or second is not None:
            return first is not None and second is not None and _match(first, second, symbolic)
    try:
        return is_same(parse(one), parse(other), symbolic=symbolic)
    except NoFormula:
        return False


def _bare(text: str) -> str:
    """The text without spaces; words in lower case."""
    bare = "".join(text.split())
    return bare.lower() if bare.isalpha() and len(bare) > 1 else bare


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of an answer, and what holds them together. `turned` is the same the other way round, where that is allowed."""

    parts: Sequence[str]
    by: str = ""
    is_ordered: bool = False
    turned: tuple[Sequence[str], str] | None = None


def _match(one: _Parts, other: _Parts, symbolic: bool) -> bool:
    if len(one.parts) != len(other.parts):
        return False
    if one.is_ordered:
        ways = [(other.parts, other.by), *([other.turned] if other.turned else [])]
        return any(
            one.by == by and all(_are_same(a, b, symbolic) for a, b in zip(one.parts, parts, strict=True))
            for parts, by in ways
        )
    left = [*other.parts]
    for part in one.parts:
        at = next((number for number, candidate in enumerate(left) if _are_same(part, candidate, symbolic)), None)
        if at is None:
            return False
        left.pop(at)
    return one.by == other.by


def _alternatives(text: str) -> _Parts | None:
    r"""What is listed (`1, 2`, `1 or 2`, `\{1, 2\}`), and both values of `\pm`: in any order."""
    is_set = text.startswith("⦃") and text.endswith("⦄")
    listed = text[1:-1] if is_set else text
    parts = _split(listed, r",|;|(?<=[\s\d)}])(?:or|and)(?=[\s\d(\\-])")
    if len(parts) == 1 and r"\pm" in listed:
        parts = [re.sub(r"\\pm(?![a-zA-Z])", sign, listed) for sign in "+-"]
    return _Parts([part for part in parts if part.strip()]) if is_set or len(parts) > 1 else None


def _union(text: str) -> _Parts | None:
    parts = _split(text, r"\\cup(?![a-zA-Z])")
    return _Parts(parts, "union") if len(parts) > 1 else None


def _enclosed(text: str) -> _Parts | None:
    """A tuple or an interval: the brackets belong to it."""
    if len(text) < 3 or text[0] not in "([" or text[-1] not in ")]" or not _is_one_pair(text):
        return None
    parts = _split(text[1:-1], ",")
    return _Parts(parts, text[0] + text[-1], is_ordered=True) if len(parts) > 1 else None


def _sides(text: str) -> _Parts | None:
    """An equation or an inequality, which may be turned round."""
    pieces = _RELATION.split(text)
    if len(pieces) == 1:
        return None
    sides, signs = pieces[::2], pieces[1::2]
    turned = "".join(_TURNED.get(sign, sign) for sign in reversed(signs))
    return _Parts(sides, "".join(signs), is_ordered=True, turned=(sides[::-1], turned))


def _split(text: str, pattern: str) -> list[str]:
    """The pieces between what matches, where that stands in no brackets."""
    depths = _depths(text)
    pieces, start = [], 0
    for found in re.finditer(pattern, text):
        if depths[found.start()] == 0:
            pieces.append(text[start : found.start()].strip())
            start = found.end()
    return [*pieces, text[start:].strip()]


def _is_one_pair(text: str) -> bool:
    """Whether the bracket that opens a text is closed by the one that ends it."""
    return all(depth > 0 for depth in _depths(text)[1:])


def _depths(text: str) -> list[int]:
    """For each character in how many brackets it stands; the closing one is within, the opening one is not."""
    depth, found = 0, []
    for character in text:
        found.append(depth)
        depth += (character in "([{⦃") - (character in ")]}⦄")
    return found
