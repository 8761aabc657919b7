"""What is wrong with the arguments that a model has written, in words for the model: where, what was expected, what came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_agents.nearest import nearest

if TYPE_CHECKING:
    from pydantic import ValidationError

Schema = Mapping[str, Any]

_MOST_MISTAKES = 5
_MOST_SHOWN = 100
_MOST_EXPECTED = 600
_DEPTHS = (3, 2, 1)  # of types within types that are shown, as long as there is room
_UNTOLD = frozenset({"description", "default", "$defs", "$ref"})
_CLOSED = ("additionalProperties", False)  # which pydantic says of some types only, depending on its version
_NAMED = frozenset({"properties", "patternProperties"})
_CHOICES = ("anyOf", "oneOf", "allOf")


def mistakes(error: ValidationError, parameters: Schema) -> str:
    """The mistakes, and the parameters where one was missed or there is none of the name."""
    found = error.errors(include_url=False, include_context=False)
    lines = [_mistake(one, parameters) for one in found[:_MOST_MISTAKES]]
    more = len(found) - len(lines)
    text = f"The arguments do not fit. {'; '.join(lines)}{f'; and {more} more' if more else ''}."
    if not any(one["type"] in ("missing", "extra_forbidden") for one in found):
        return text
    required = parameters.get("required", ())
    names = ", ".join(f"{name}{' (required)' if name in required else ''}" for name in parameters["properties"])
    return f"{text}\nParameters: {names or 'none'}."


def _mistake(one: Mapping[str, Any], parameters: Schema) -> str:
    where, expected = _path(one["loc"]), _at(one["loc"], parameters)
    if one["type"] == "missing":
        return f"{where}: missing{_told(expected, parameters)}"
    if one["type"] == "extra_forbidden" and len(one["loc"]) == 1:
        meant = nearest(where, parameters["properties"])
        return f"{where}: there is no such parameter{f' (did you mean {meant}?)' if meant else ''}"
    has_fields = bool(_resolved(expected, parameters).get("properties"))
    is_of_another_type = one["type"].endswith("_type")
    told = _told(expected, parameters) if has_fields and is_of_another_type else ""
    return f"{where}: {one['msg']}, got {_shown(one['input'], _MOST_SHOWN)}{told}"


def _path(location: tuple[Any, ...]) -> str:
    """Where in the arguments: `points[0].x`."""
    return "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in location).lstrip(".") or "the arguments"


def _shown(value: Any, most: int) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= most else f"{text[: most - 1]}…"


# -- What was expected -------------------------------------------------------------------------------------------


def _at(location: tuple[Any, ...], parameters: Schema) -> Schema:
    """The schema of a place in the arguments; an empty one where it cannot be told."""
    found: Schema = parameters
    for part in location:
        found = _step(found, part, parameters) or {}
    return found


def _step(schema: Schema, part: Any, parameters: Schema) -> Schema | None:
    schema = _resolved(schema, parameters)
    for choice in (one for name in _CHOICES for one in schema.get(name, ())):
        if _name_of(choice) == part:  # pydantic names the one of several types that it has tried
            return dict(choice)
        found = _step(choice, part, parameters)
        if found is not None:
            return found
    if isinstance(part, int):
        first = schema.get("prefixItems", ())
        return first[part] if part < len(first) else _schema_in(schema, "items")
    properties = schema.get("properties", {})
    return properties[part] if part in properties else _schema_in(schema, "additionalProperties")


def _schema_in(schema: Schema, key: str) -> Schema | None:
    found = schema.get(key)
    return found if isinstance(found, Mapping) else None


def _name_of(schema: Schema) -> str:
    return str(schema.get("$ref", "")).removeprefix("#/$defs/")


def _resolved(schema: Schema, parameters: Schema) -> Schema:
    """The schema that a reference means, or itself."""
    found = parameters.get("$defs", {}).get(_name_of(schema))
    return schema if found is None else {**found, **schema}


def _told(schema: Schema, parameters: Schema) -> str:
    """A schema with what it refers to in its place, as deep as there is room for."""
    if not schema:
        return ""
    shown = ""
    for depth in _DEPTHS:
        shown = json.dumps(_inlined(schema, parameters, depth), ensure_ascii=False, default=str)
        if len(shown) <= _MOST_EXPECTED:
            break
    return f", expected {shown if len(shown) <= _MOST_EXPECTED else f'{shown[: _MOST_EXPECTED - 1]}…'}"


def _inlined(schema: Any, parameters: Schema, depth: int) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    if "$ref" in schema:
        schema, depth = _resolved(schema, parameters), depth - 1
        if depth < 0:
            return {"type": schema.get("type", "object")}
    told = ((key, one) for key, one in schema.items() if key not in _UNTOLD and (key, one) != _CLOSED)
    return {key: _inlined_part(key, one, parameters, depth) for key, one in told}


def _inlined_part(key: str, value: Any, parameters: Schema, depth: int) -> Any:
    if key in _NAMED:
        return {name: _inlined(one, parameters, depth) for name, one in value.items()}
    if key in (*_CHOICES, "prefixItems"):
        return [_inlined(one, parameters, depth) for one in value]
    return _inlined(value, parameters, depth) if key in ("items", "additionalProperties", "not") else value
