"""`{name}` in the text of a cell: values of the user's variables."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.messages import scrub

_BRACES = re.compile(r"(?P<before>[\w\\])?\{(?P<inside>[^{}\n]+)\}")


def fill_in(text: str, namespace: Mapping[str, Any]) -> str:
    r"""`text` with `{name}`, `{name.attribute}` and `{name[key]}` replaced by values, where `name` is a variable.

    All other braces stay as they are: those after a letter or a backslash, and whatever is not such an expression.
    A backslash before a brace that would be replaced is taken away. Raises `ConfigurationError` when the value
    cannot be had.

    >>> fill_in(r"{x} of {y}, \{x}, f{x}, {'a': 1}", {"x": 3})
    "3 of {y}, {x}, f{x}, {'a': 1}"
    """

    def value_of(found: re.Match[str]) -> str:
        inside, before = found["inside"], found["before"] or ""
        if not _is_about_a_variable(inside, namespace):
            return found[0]
        if before == "\\":
            return f"{{{inside}}}"
        return found[0] if before else _value(inside, namespace)

    return _BRACES.sub(value_of, text)


def _is_about_a_variable(text: str, namespace: Mapping[str, Any]) -> bool:
    try:
        node: ast.AST = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return False
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Subscript) and not _is_plain_key(node.slice):
            return False
        node = node.value
    return isinstance(node, ast.Name) and node.id in namespace


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
