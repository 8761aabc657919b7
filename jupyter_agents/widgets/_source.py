"""Values as Python source that gives them back: short, as a person would write it, and never with a key in it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_WIDTH = 88
_INDENT = "    "


@dataclass(frozen=True)
class Reference:
    """A value that source names instead of spelling it out: a variable, an environment variable, a question."""

    expression: str
    value: Any
    imports: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Reference({self.expression!r})"  # the value may be a key


def value_of(described: Any) -> Any:
    """The value itself, with every reference in it replaced by what it stands for."""
    if isinstance(described, Reference):
        return described.value
    if isinstance(described, Mapping):
        return {value_of(key): value_of(value) for key, value in described.items()}
    if isinstance(described, list | tuple):
        return type(described)(value_of(one) for one in described)
    return described


def imports_of(described: Any) -> set[str]:
    """The import statements that the source of a value needs."""
    return {line for reference in _references(described) for line in reference.imports}


def _references(described: Any) -> Iterator[Reference]:
    if isinstance(described, Reference):
        yield described
    elif isinstance(described, Mapping):
        for key, value in described.items():
            yield from _references(key)
            yield from _references(value)
    elif isinstance(described, list | tuple):
        for one in described:
            yield from _references(one)


def call_source(target: str, function: str, positional: Sequence[Any], keywords: Mapping[str, Any]) -> str:
    """`target = function(…)`, on one line where it fits.

    >>> call_source("a", "Agent", ["a"], {"mode": "NEVER"})
    'a = Agent("a", mode="NEVER")'
    """
    start = f"{target} = {function}("
    parts = [source_of(one, 0) for one in positional]
    parts += [f"{name}={source_of(value, 0)}" for name, value in keywords.items()]
    line = f"{start}{', '.join(parts)})"
    if len(line) <= _WIDTH and "\n" not in line:
        return line
    rows = [source_of(one, 1) for one in positional]
    rows += [f"{name}={source_of(value, 1, len(name) + 2)}" for name, value in keywords.items()]
    return "".join([start, "\n", *(f"{_INDENT}{row},\n" for row in rows), ")"])


def source_of(described: Any, depth: int = 0, before: int = 0) -> str:
    """The source of a value that stands `depth` levels deep, with `before` characters in front of it on its line."""
    if isinstance(described, Reference):
        return described.expression
    if isinstance(described, str):
        return text_source(described)
    if not isinstance(described, Mapping | list | tuple):
        return _number_source(described)
    short = _collection(described, _parts(described, 0))
    if len(short) + depth * len(_INDENT) + before <= _WIDTH and "\n" not in short:
        return short
    return _collection(described, _parts(described, depth + 1), depth + 1)


def _number_source(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def _parts(described: Any, depth: int) -> list[str]:
    if isinstance(described, Mapping):
        keys = {source_of(key): value for key, value in described.items()}
        return [f"{key}: {source_of(value, depth, len(key) + 3)}" for key, value in keys.items()]
    return [source_of(one, depth) for one in described]


def _collection(described: Any, parts: Sequence[str], depth: int = 0) -> str:
    left, right = "{}" if isinstance(described, Mapping) else "()" if isinstance(described, tuple) else "[]"
    if not parts:
        return left + right
    if depth:
        rows = "".join(f"{_INDENT * depth}{part},\n" for part in parts)
        return f"{left}\n{rows}{_INDENT * (depth - 1)}{right}"
    comma = "," if isinstance(described, tuple) and len(parts) == 1 else ""
    return f"{left}{', '.join(parts)}{comma}{right}"


def text_source(text: str) -> str:
    r"""A text in double quotes; one of several lines between triple quotes, as it reads.

    What cannot be seen (control and bidi characters, lone surrogates) is written as an escape.

    >>> text_source("say \"hi\"\t")
    '"say \\"hi\\"\\t"'
    """
    if "\n" in text.rstrip("\n"):
        return f'"""\\\n{_SPECIAL_AMONG_LINES.sub(_escaped, text)}"""'
    return f'"{_SPECIAL.sub(_escaped, text)}"'


_SPECIAL = re.compile(r'["\\\x00-\x1f\x7f-\U0010ffff]')
_SPECIAL_AMONG_LINES = re.compile(r'"(?="|\Z)|[\\\x00-\x09\x0b-\x1f\x7f-\U0010ffff]')


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character == '"':
        return '\\"'
    if character == "\\" or not character.isprintable():
        return character.encode("unicode_escape", "surrogatepass").decode("ascii")
    return character
