"""Functions as tools: what a model is told of one, and calling it with the arguments that the model wrote."""

from __future__ import annotations

import inspect
import json
import math
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from jupyter_agents.budget import BudgetSpent
from jupyter_agents.effects import CallTool
from jupyter_agents.errors import JupyterAgentsError
from jupyter_agents.messages import scrub
from jupyter_agents.termination import ChatEnds

_MAX_ARGUMENTS = 1_000_000
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
_ARRAYS = (list, tuple, set, frozenset)


def tool_schema(function: Callable[..., Any], *, name: str | None = None) -> dict[str, Any]:
    """What a model is told of a function that it may call: an entry of `tools` in an `llm_config`.

    Its description is the docstring, the types are those of the hints (`Annotated[str, "…"]` describes an argument). An
    argument without a hint, or with one that JSON does not know, may be anything.

    >>> def greet(who: str, times: int = 1) -> str:
    ...     "Say hello."
    >>> tool_schema(greet)["function"]["parameters"]["properties"]
    {'who': {'type': 'string'}, 'times': {'type': 'integer', 'default': 1}}
    """
    described = {
        "name": name or getattr(function, "__name__", "function"),
        "description": inspect.getdoc(function) or "",
    }
    return {"type": "function", "function": {**described, "parameters": _parameters(function)}}


def _parameters(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some functions in C do not tell
        return {"type": "object", "properties": {}}
    hints = _hints(function)
    named = [one for one in found if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    properties = {one.name: _property(hints.get(one.name, Any), one.default) for one in named}
    required = [one.name for one in named if one.default is one.empty]
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function if inspect.isroutine(function) else type(function).__call__, include_extras=True)
    except Exception:  # noqa: BLE001 - a hint may be any expression
        return {}


def _property(hint: Any, default: Any) -> dict[str, Any]:
    is_plain = type(default) in (str, int, bool) or default is None
    return _schema(hint) | ({"default": default} if is_plain else {})


def _schema(hint: Any) -> dict[str, Any]:
    """The JSON Schema of a type; one that JSON does not know is `{}`."""
    kind, of = get_origin(hint) or hint, get_args(hint)
    if kind is Annotated:
        described = next((one for one in hint.__metadata__ if isinstance(one, str)), None)
        return _schema(of[0]) | ({} if described is None else {"description": described})
    if kind is Literal:
        return {"enum": list(of)}
    if kind in (Union, types.UnionType):
        return {"anyOf": [_schema(one) for one in of]}
    if kind in _ARRAYS:
        items = _schema(of[0]) if of and (kind is not tuple or of[1:] == (Ellipsis,)) else {}
        return {"type": "array"} | ({"items": items} if items else {})
    if kind is dict:
        return {"type": "object"} | ({"additionalProperties": _schema(of[1])} if of else {})
    return {"type": _TYPES[kind]} if isinstance(kind, type) and kind in _TYPES else {}


class BadArguments(ValueError):
    """A model's arguments are not a JSON object. The text is meant for the model."""


def parse_arguments(text: str) -> dict[str, Any]:
    """The arguments of a call, from the model's text.

    Line breaks and tabs inside strings, which models write unescaped, are accepted, and no text at all means no
    arguments. Raises `BadArguments` for everything that is not an object of plain JSON.

    >>> parse_arguments('{"cell": "x = 1\\nprint(x)"}')
    {'cell': 'x = 1\\nprint(x)'}
    """
    if not text.strip():
        return {}
    if len(text) > _MAX_ARGUMENTS:
        raise BadArguments(f"The arguments are {len(text)} characters long; at most {_MAX_ARGUMENTS} are accepted.")
    try:
        value = json.loads(text, strict=False, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise BadArguments(str(error)) from error
    if not isinstance(value, dict):
        raise BadArguments(f"The arguments are a {type(value).__name__}, not an object.")
    return value


async def call_function(functions: Mapping[str, Callable[..., Any]], name: str, arguments: str) -> tuple[bool, str]:
    """Whether a call succeeded, and its result, or the error, as text for the model. Never fails for a user's mistake."""
    function = functions.get(name)
    if function is None:
        known = ", ".join(sorted(functions)) or "none"
        return False, f"Error: Function {name} not found. Available functions: {known}."
    try:
        found = parse_arguments(arguments)
    except BadArguments as error:
        return False, f"Error: {error}\nThe argument must be in JSON format."
    try:
        return True, to_text(await CallTool(function, (), found))
    except (JupyterAgentsError, ChatEnds, BudgetSpent):
        raise  # for a person, or the end of the chat: no model can mend it
    except Exception as error:  # noqa: BLE001 - whatever a tool raises is for the model to mend
        return False, f"Error: {to_text(error) or type(error).__name__}"


def to_text(value: Any) -> str:
    """A tool's value as text. What cannot be written as UTF-8 is replaced."""
    return scrub(value if isinstance(value, str) else str(value))


def _refuse_constant(name: str) -> Any:
    raise BadArguments(f"{name} is not JSON.")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise BadArguments("A number is too large.")
    return value
