"""The JSON Schema of the form that a reply is to have, made of a type."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_agents.errors import ConfigurationError

VALUE = "value"
"""The key under which a value is that is no object: servers take schemas of objects only."""

_OF_SERVERS = ("text", "json_object", "json_schema")
"""What servers call the forms of a reply."""

_NOT_STRICT = frozenset({"default", "patternProperties", "oneOf", "allOf", "not", "if", "prefixItems", "uniqueItems"})


def schema_of_kind(kind: Any, label: str) -> tuple[dict[str, Any], Callable[[Mapping[str, Any]], dict[str, Any]]]:
    """The schema of an object that holds a value of this type, and what makes such values."""
    from jupyter_agents.tool_schema import schema_of
    from jupyter_agents.tool_signature import Parameter, Signature

    if isinstance(kind, str):
        meant = f"{{'type': {kind!r}}}" if kind in _OF_SERVERS else f"the type itself, without quotes: {kind}"
        raise ConfigurationError(f"Cannot use {kind!r} as response_format: it is a text. Give {meant}.")
    if not (isinstance(kind, type) or hasattr(kind, "__origin__") or hasattr(kind, "__args__")):
        raise ConfigurationError(
            f"Cannot use {kind!r} as response_format: it is no type. Give a pydantic model, a dataclass, a TypedDict, a "
            "list[…] of one, or what the server takes as a dictionary."
        )
    try:
        return schema_of(Signature(label, "", (Parameter(VALUE, kind),)))
    except ConfigurationError as error:
        raise ConfigurationError(
            f"Cannot use {label} as response_format: no JSON can stand for it. Give a pydantic model, a dataclass or a "
            "TypedDict of texts, numbers, lists and the like."
        ) from error


def rooted(schema: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The schema of the value alone where that is an object, as servers demand; otherwise of an object with it as `value`."""
    definitions = schema.get("$defs", {})
    inner = schema["properties"][VALUE]
    name = str(inner.get("$ref", "")).removeprefix("#/$defs/")
    found = dict(definitions.get(name, inner))
    if found.get("type") != "object":
        return dict(schema), True
    used = {key: one for key, one in definitions.items() if f'"#/$defs/{key}"' in _references(found, definitions)}
    return found | ({"$defs": used} if used else {}), False


def _references(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """The text of a schema with that of all definitions which it needs."""
    text, seen = json.dumps(schema), set[str]()
    while found := [name for name in definitions if name not in seen and f'"#/$defs/{name}"' in text]:
        seen.update(found)
        text += "".join(json.dumps(definitions[name]) for name in found)
    return text


def strictly(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema as servers take it that hold a model to it by force; `None` where theirs cannot say the same."""
    try:
        found: dict[str, Any] = _strict(copy.deepcopy(dict(schema)))
    except ValueError:
        return None
    return found


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    schema.pop("default", None)
    if not schema or _NOT_STRICT & schema.keys() or (schema.get("type") == "array" and "items" not in schema):
        raise ValueError("it says what strict schemas cannot")
    if schema.get("type") == "object":
        if "properties" not in schema or schema.get("additionalProperties", False) is not False:
            raise ValueError("objects with other keys")
        schema |= {"additionalProperties": False, "required": list(schema["properties"])}
    for name in ("properties", "$defs"):
        if name in schema:
            schema[name] = {key: _strict(one) for key, one in schema[name].items()}
    for name in ("items", "anyOf"):
        if name in schema:
            schema[name] = _strict(schema[name])
    return schema
