"""Filters of replies: a function of the user's that says whether a reply will do, or the next config is asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_agents.culprits import was_in
from jupyter_agents.effects import CallTool
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.classic_response import ClassicResponse
from jupyter_agents.models.masking import kind_of

Filter = Callable[..., Any]
"""A function of `context` (a dictionary) and `response` (a `ClassicResponse`); it may be async."""

_CONFIGS = frozenset({"base_config", "config"})  # what the first version of the classic gave, too


def checked_filter(function: Any) -> Filter | None:
    """A filter, or `None` for none. Raises `ConfigurationError` for what cannot be called."""
    if function is None or callable(function):
        return function  # type: ignore[no-any-return]
    raise ConfigurationError(
        f"Cannot use filter_func {kind_of(function)}: a function of context and response is accepted. Give one."
    )


async def passes(function: Filter, context: Mapping[str, Any] | None, reply: ModelReply, config_id: int) -> bool:
    """Whether the filter accepts the reply."""
    response = ClassicResponse.of(reply, config_id=config_id)
    args, named = _arguments(function, dict(context or {}), response)
    try:
        return bool(await CallTool(function, args, named))
    except Exception as error:
        was_in(error, "filter_func", function)
        raise


def _arguments(
    function: Filter, context: dict[str, Any], response: ClassicResponse
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """How it is called: by the classic names where it takes them, otherwise by position."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return (context, response), {}
    named = {"context": context, "response": response}
    named |= {name: {"model": response["model"]} for name in signature.parameters if name in _CONFIGS}
    try:
        signature.bind(**named)
    except TypeError:
        return (context, response), {}
    return (), named
