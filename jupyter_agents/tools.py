"""Calling a user's function with the arguments that a model wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_agents.budget import BudgetSpent
from jupyter_agents.effects import CallTool
from jupyter_agents.errors import JupyterAgentsError
from jupyter_agents.messages import scrub
from jupyter_agents.termination import ChatEnds

_MAX_ARGUMENTS = 1_000_000


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
