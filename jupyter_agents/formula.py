r"""Formulas as answers have them (`\frac{1}{2}`, `3x^2`, `2\sqrt{3}`), and whether two of them say the same.

They are read by a grammar of their own and never evaluated as code: an answer comes from a model.
"""

from __future__ import annotations

import cmath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle
from typing import Any, cast

from jupyter_agents.errors import ConfigurationError

Number = Fraction | complex
_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?|\.\d+)|\\([a-zA-Z]+)|([a-zA-Z]+)|(\*\*|[-+*/^(){}\[\]!|_]))")
_FUNCTIONS: Mapping[str, Callable[[complex], complex]] = {
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "sec": lambda x: 1 / cmath.cos(x),
    "csc": lambda x: 1 / cmath.sin(x),
    "cot": lambda x: 1 / cmath.tan(x),
    "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan,
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "tanh": cmath.tanh,
    "ln": cmath.log,
    "log": cmath.log,
    "exp": cmath.exp,
    "sqrt": cmath.sqrt,
    "abs": abs,
}
_CONSTANTS: Mapping[str, complex] = {"pi": cmath.pi, "e": cmath.e, "i": 1j}
_TINY = 1e-12
_BAR, _OPEN = "|", "{"
_TIMES = frozenset({"cdot", "times", "ast"})
_GREEK = frozenset(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta kappa lambda mu nu xi rho sigma tau phi varphi chi psi "
    "omega infty".split()
)
_POINTS = (0.7391, 1.6181, 2.2361, -0.5671, -1.3247)
_LONGEST, _DEEPEST = 200, 60


class NoFormula(ValueError):
    """A text that this grammar does not know."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A number (`kind` `number`), a letter (`letter`), or an operation on other formulas (`+ - * / ^ neg`, or a function)."""

    kind: str
    parts: tuple[Any, ...] = ()

    @property
    def letters(self) -> frozenset[str]:
        """The unknowns in it."""
        if self.kind == "letter":
            return frozenset(self.parts)
        return frozenset[str]().union(*(part.letters for part in self.parts if isinstance(part, Formula)))


def parse(text: str) -> Formula:
    """The formula that a text is. Raises `NoFormula` where it is none, or too long.

    >>> value(parse(r"\\frac{1}{2} + .5"))
    Fraction(1, 1)
    """
    tokens = [*_tokens(text[: 20 * _LONGEST])]
    if len(tokens) > _LONGEST or len(text) > 20 * _LONGEST:
        raise NoFormula("it is too long")
    reader = _Reader(tokens)
    found = reader.sum()
    if reader.next:
        raise NoFormula(f"{reader.next!r} is not expected there")
    return found


def _tokens(text: str) -> Iterator[str]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise NoFormula(f"{text[at]!r} is not known")
        at = found.end()
        number, command, word, mark = found.groups()
        yield from [number or mark] if number or mark else [f"\\{command}"] if command else _letters(word)


def _letters(word: str) -> Iterator[str]:
    """A word is the name of a function or a constant, or else each of its letters is an unknown."""
    if word in _FUNCTIONS or word in _CONSTANTS:
        yield f"\\{word}"
        return
    for name in sorted(_FUNCTIONS, key=len, reverse=True):
        before, found, after = word.partition(name)
        if found and len(name) > 1:
            yield from (*_letters(before), f"\\{name}", *_letters(after))
            return
    yield from (f"\\{one}" if one in _CONSTANTS else one for one in word)


class _Reader:
    """Recursive descent: sums of products of powers; a product may leave out its sign."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, *wanted: str) -> str:
        found = self.next
        if not found or (wanted and found not in wanted):
            raise NoFormula(f"{' or '.join(wanted) or 'more'} is expected, not {found!r}")
        self._at += 1
        return found

    def sum(self) -> Formula:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NoFormula("it is nested too deeply")
        found = self.product()
        while self.next in ("+", "-"):
            found = Formula(self.take(), (found, self.product()))
        self._depth -= 1
        return found

    def product(self) -> Formula:
        found = self.signed()
        while self.next:
            if self.next in ("*", "/"):
                found = Formula(self.take(), (found, self.signed()))
            elif self.next.removeprefix("\\") in _TIMES:
                self.take()
                found = Formula("*", (found, self.signed()))
            elif self.next == "\\div":
                self.take()
                found = Formula("/", (found, self.signed()))
            elif self._begins_factor():
                found = self._with_factor(found)
            else:
                break
        return found

    def _begins_factor(self) -> bool:
        return self.next in ("(", "{", "[") or self.next[0] not in "+-*/^)}]!|_"

    def _with_factor(self, found: Formula) -> Formula:
        is_mixed = found.kind == "number" and found.parts[0].denominator == 1 and self.next == "\\frac"
        factor = self.power()
        return Formula("+" if is_mixed else "*", (found, factor))  # 1\frac{1}{2} is one and a half

    def signed(self) -> Formula:
        if self.next == "-":
            self.take()
            return self._nested(lambda: Formula("neg", (self.signed(),)))
        if self.next == "+":
            self.take()
            return self._nested(self.signed)
        return self.power()

    def _nested(self, read: Callable[[], Formula]) -> Formula:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NoFormula("it is nested too deeply")
        found = read()
        self._depth -= 1
        return found

    def power(self) -> Formula:
        found = self.atom()
        while self.next == "!":
            self.take()
            found = Formula("!", (found,))
        if self.next in ("^", "**"):
            self.take()
            return Formula("^", (found, self._nested(self.signed)))
        return found

    def atom(self) -> Formula:
        token = self.take()
        if token in ("(", "{", "["):
            found = self.sum()
            self.take({"(": ")", "{": "}", "[": "]"}[token])
            return found
        if token == _BAR:
            found = self.sum()
            self.take(_BAR)
            return Formula("abs", (found,))
        if token[0].isdigit() or token[0] == ".":
            return Formula("number", (Fraction(token),))
        return self._command(token[1:]) if token[0] == "\\" else self._letter(token)

    def _command(self, name: str) -> Formula:
        if name == "frac":
            return Formula("/", (self.argument(), self.argument()))
        if name == "sqrt":
            return self._root()
        if name in _CONSTANTS:
            return Formula("constant", (name,))
        if name in _FUNCTIONS:
            return self._function(name)
        if name in _GREEK:
            return self._letter(name)
        raise NoFormula(f"\\{name} is not known")

    def argument(self) -> Formula:
        r"""What is in braces, or, as in `\frac12`, one digit or letter."""
        if self.next == "{":
            return self.atom()
        if self.next and self.next.isdigit() and len(self.next) > 1:
            token = self.next
            self._tokens[self._at] = token[1:]
            return Formula("number", (Fraction(token[0]),))
        return self._nested(self.atom)

    def _root(self) -> Formula:
        degree = Formula("number", (Fraction(2),))
        if self.next == "[":
            degree = self.atom()
        if degree == Formula("number", (Fraction(2),)):
            return Formula("sqrt", (self.argument(),))
        return Formula("^", (self.argument(), Formula("/", (Formula("number", (Fraction(1),)), degree))))

    def _function(self, name: str) -> Formula:
        exponent = None
        if self.next in ("^", "**"):
            self.take()
            exponent = self.argument()
        found = Formula(name, (self._nested(self.power),))
        return found if exponent is None else Formula("^", (found, exponent))

    def _letter(self, name: str) -> Formula:
        if not name.isalpha():
            raise NoFormula(f"{name!r} is not expected there")
        if self.next == "_":
            self.take()
            token = self.take()
            if token == _OPEN:
                token = self.take()
                self.take("}")
            name = f"{name}_{token}"
        return Formula("letter", (name,))


# -- What they are worth -----------------------------------------------------------------------------------------


def value(formula: Formula, letters: Mapping[str, complex] | None = None) -> Number:
    """The value of a formula: exact where it is rational. Raises `NoFormula` where it has none, or is too large."""
    try:
        return _value(formula, letters or {})
    except (ArithmeticError, ValueError, KeyError, RecursionError) as error:
        raise NoFormula(str(error)) from error


def _value(formula: Formula, letters: Mapping[str, complex]) -> Number:
    kind, parts = formula.kind, formula.parts
    if kind == "number":
        found: Fraction = parts[0]
        return found
    if kind == "letter":
        return letters[parts[0]]
    if kind == "constant":
        return _CONSTANTS[parts[0]]
    numbers = [_value(part, letters) for part in parts]
    if kind in _OPERATIONS:
        return _OPERATIONS[kind](*numbers)
    return _exact_root(numbers[0]) if kind == "sqrt" else _FUNCTIONS[kind](_complex(numbers[0]))


def _complex(number: Number) -> complex:
    """A complex number without negative zeros, which would choose the other branch of a root."""
    return complex(number) + 0


def _exact_root(number: Number) -> Number:
    if isinstance(number, Fraction) and number >= 0:
        from math import isqrt

        root = Fraction(isqrt(number.numerator), isqrt(number.denominator))
        if root * root == number:
            return root
    return cmath.sqrt(_complex(number))


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        size = max(base.numerator.bit_length(), base.denominator.bit_length())
        if size * abs(exponent.numerator) <= 10_000:
            return base**exponent.numerator
    return _complex(base) ** _complex(exponent)


def _factorial(number: Number) -> Number:
    from math import factorial

    if not isinstance(number, Fraction) or number.denominator != 1 or not 0 <= number <= 500:
        raise NoFormula("only factorials of whole numbers up to 500 are known")
    return Fraction(factorial(number.numerator))


def _both(exact: Callable[[Any, Any], Any]) -> Callable[[Number, Number], Number]:
    """An operation that is exact on fractions, and else one on complex numbers."""

    def operation(one: Number, other: Number) -> Number:
        if isinstance(one, Fraction) and isinstance(other, Fraction):
            return cast(Number, exact(one, other))
        return cast(Number, exact(complex(one), complex(other)))

    return operation


_OPERATIONS: Mapping[str, Callable[..., Number]] = {
    "+": _both(lambda one, other: one + other),
    "-": _both(lambda one, other: one - other),
    "*": _both(lambda one, other: one * other),
    "/": _both(lambda one, other: one / other),
    "^": _power,
    "neg": lambda one: -one,
    "!": _factorial,
}


# -- Whether they are the same -----------------------------------------------------------------------------------


def is_same(one: Formula, other: Formula, *, symbolic: bool = False) -> bool:
    """Whether two formulas have the same value, whatever their unknowns are.

    Rational values are compared exactly, others to 9 digits. Formulas with unknowns are compared at five points, where
    either is a real number; that tells apart all that were not made to deceive. With `symbolic` sympy must agree, too.
    Raises `ConfigurationError` where that is not installed.
    """
    letters = sorted(one.letters | other.letters)
    pairs = [_values(one, other, letters, point) for point in (_POINTS if letters else _POINTS[:1])]
    known = [pair for pair in pairs if pair is not None]
    real = [pair for pair in known if any(abs(complex(number).imag) < _TINY for number in pair)]
    if not known or not all(_is_close(*pair) for pair in real or known):
        return False
    return not (symbolic and letters) or _is_same_to_sympy(one, other)


def _values(one: Formula, other: Formula, letters: Sequence[str], point: float) -> tuple[Number, Number] | None:
    """Both values at a point, at which each letter has another value; `None` where neither has one."""
    factors = (sign * (1 + 0.37 * number) for number, sign in enumerate(cycle((1, 1, -1))))
    at = {name: complex(point * factor) for name, factor in zip(letters, factors, strict=False)}
    found = [_value_or_none(formula, at) for formula in (one, other)]
    if found == [None, None]:
        return None
    first, second = (cmath.nan if number is None else number for number in found)
    return first, second


def _value_or_none(formula: Formula, letters: Mapping[str, complex]) -> Number | None:
    try:
        return value(formula, letters)
    except NoFormula:
        return None


def _is_close(one: Number, other: Number) -> bool:
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return one == other
    return cmath.isclose(complex(one), complex(other), rel_tol=1e-9, abs_tol=_TINY)


def _is_same_to_sympy(one: Formula, other: Formula) -> bool:
    try:
        import sympy  # type: ignore[import-untyped]
    except ImportError as error:
        raise ConfigurationError(
            "Cannot compare formulas symbolically: sympy is not installed. Install it with %pip install sympy, or leave "
            "symbolic=True out."
        ) from error
    return bool(sympy.simplify(_to_sympy(one, sympy) - _to_sympy(other, sympy)) == 0)


def _to_sympy(formula: Formula, sympy: Any) -> Any:
    kind, parts = formula.kind, formula.parts
    if kind == "number":
        return sympy.Rational(parts[0].numerator, parts[0].denominator)
    if kind == "letter":
        return sympy.Symbol(parts[0])
    if kind == "constant":
        return {"pi": sympy.pi, "e": sympy.E, "i": sympy.I}[parts[0]]
    numbers = [_to_sympy(part, sympy) for part in parts]
    if kind in _FUNCTIONS:
        names = {"ln": "log", "abs": "Abs", "arcsin": "asin", "arccos": "acos", "arctan": "atan"}
        return getattr(sympy, names.get(kind, kind))(*numbers)
    if kind == "!":
        return sympy.factorial(*numbers)
    return _OPERATIONS_OF_SYMPY[kind](*numbers)


_OPERATIONS_OF_SYMPY: Mapping[str, Callable[..., Any]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": lambda one, other: one / other,
    "^": lambda one, other: one**other,
    "neg": lambda one: -one,
}
