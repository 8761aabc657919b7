"""What a server says of its tools, in the form in which a model's API takes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_agents.tool_schema import BadArguments

if TYPE_CHECKING:
    from mcp import types

_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]+")
_WORDS = re.compile(r"[^a-zA-Z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_MAX_NAME = 64
_MAX_COMPLAINTS = 3


def wire_names(names: Iterable[str]) -> dict[str, str]:
    """The server's names by the names under which a model calls them, which hold letters, digits, `_` and `-` only.

    A name that the API takes stays as it is; others that become the same as another one are numbered.

    >>> wire_names(["files.read", "files_read", "list"])
    {'files_read_2': 'files.read', 'files_read': 'files_read', 'list': 'list'}
    """
    names = list(dict.fromkeys(names))
    taken = {name for name in names if accepted(name) == name}
    found = {}
    for name in names:
        wire = name if accepted(name) == name else free_name(accepted(name), taken)
        taken.add(wire)
        found[wire] = name
    return found


def accepted(name: str) -> str:
    """The name with `_` for what the API does not take, in at most 64 characters."""
    return _FOREIGN.sub("_", name)[:_MAX_NAME] or "tool"


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with a number behind it if it is taken."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name[: _MAX_NAME - len(str(number)) - 1]}_{number}"
    return free


def description_of(tool: types.Tool) -> str:
    """What the server says of the tool, or else its name in words."""
    said = (tool.description or tool.title or "").strip()
    return said or _WORDS.sub(" ", tool.name).strip().lower() or "a tool without a name"


def parameters_of(tool: types.Tool) -> dict[str, Any]:
    """The tool's JSON Schema, always of an object. References within it stay valid."""
    schema = {key: value for key, value in tool.input_schema.items() if key != "$schema"}
    return schema | {"type": "object", "properties": schema.get("properties", {})}


def validator_of(parameters: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """A function that returns arguments that fit the schema, and raises `BadArguments` for others.

    A schema that cannot be used (it is none, or refers to another document) lets everything through: the server
    checks as well.
    """

    def validate(arguments: Mapping[str, Any]) -> dict[str, Any]:
        complaints = _complaints(parameters, arguments)
        if complaints:
            raise BadArguments("\n".join(complaints))
        return dict(arguments)

    return validate


def _complaints(parameters: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
    from jsonschema.exceptions import SchemaError  # type: ignore[import-untyped]
    from jsonschema.validators import validator_for  # type: ignore[import-untyped]
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    kind = validator_for(parameters)
    try:
        kind.check_schema(parameters)
        errors = sorted(
            kind(parameters, registry=Registry()).iter_errors(dict(arguments)), key=lambda error: error.path
        )
    except (SchemaError, Unresolvable):
        return []
    return [f"{_place(error.absolute_path)}: {error.message[:300]}" for error in errors[:_MAX_COMPLAINTS]]


def _place(path: Iterable[Any]) -> str:
    return ".".join(str(step) for step in path) or "arguments"
