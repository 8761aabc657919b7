"""`{name}` in the text of a cell: values of the user's variables."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.messages import scrub

_BRACES = re.compile(r"(?P<before>[\w\\^$\]])?\{(?P<inside>[^{}\n]+)\}")


def fill_in(text: str, namespace: Mapping[str, Any]) -> str:
    r"""`text` with `{name}`, `{name.attribute}` and `{name[key]}` replaced by values, where `name` is a variable.

    All other braces stay as they are: those after a letter, a digit or one of `_^]\`, those that follow such
    ones directly (as in `\frac{a}{b}`), and whatever is not such an expression. A backslash before a brace that would be
    replaced is taken away. Raises `ConfigurationError` when the value cannot be had. `unfilled` tells what looks like a
    variable and is none.

    >>> fill_in(r"{x} of {y}, \{x}, f{x}, {'a': 1}", {"x": 3})
    "3 of {y}, {x}, f{x}, {'a': 1}"
    """
    parts, end = [], 0
    for found, inside in _places(text):
        before = found["before"] or ""
        if _variable_in(inside) in namespace:
            filled = f"{{{inside}}}" if before == "\\" else before + _value(inside, namespace)  # `${price}` is money
            parts += [text[end : found.start()], filled]
            end = found.end()
    return "".join([*parts, text[end:]])


def unfilled(text: str, namespace: Mapping[str, Any]) -> list[str]:
    """The names in braces that read like variables, and of which there are none; each once.

    >>> unfilled(r"{x} and {nope}, {'a': 1}, \\frac{a}{b}, x^{n}", {"x": 3})
    ['nope']
    """
    found = (_variable_in(inside) for place, inside in _places(text) if not place["before"])
    return list(dict.fromkeys(name for name in found if name is not None and name not in namespace))


def _places(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Braces that are no part of a formula or of other code, and those after a backslash or a dollar sign."""
    literal_until = -1
    for found in _BRACES.finditer(text):
        before = found["before"]
        if (before and before not in "\\$") or found.start() == literal_until:
            literal_until = found.end()
        else:
            yield found, found["inside"]


def _variable_in(text: str) -> str | None:
    """The variable of a name with attributes and keys; `None` for all other code."""
    try:
        node: ast.AST = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Subscript) and not _is_plain_key(node.slice):
            return None
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _is_plain_key(node: ast.AST) -> bool:
    if isinstance(node, ast.Slice):
        return all(_is_plain_key(part) for part in (node.lower, node.upper, node.step) if part is not None)
    if isinstance(node, ast.Tuple):
        return all(_is_plain_key(part) for part in node.elts)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)
    return isinstance(node, (ast.Constant, ast.Name))


def _value(text: str, namespace: Mapping[str, Any]) -> str:
    try:
        return scrub(str(eval(text.strip(), {"__builtins__": {}}, namespace)))  # noqa: S307 - names and subscripts only
    except Exception as error:  # noqa: BLE001 - a property or __getitem__ may raise anything
        raise ConfigurationError(
            f"Cannot fill in {{{text}}}: {type(error).__name__}: {error}. Correct it, or write \\{{{text}}} for the text itself."
        ) from None
