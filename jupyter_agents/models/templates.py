"""Templates of what a program asks a model: filled in with a context, in the way of the classic framework.

Only what a program itself says to a model is a template. Words that a model, a tool or a function has said are never filled
in: a brace in them would otherwise read the context, and what hangs on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_agents.culprits import was_in
from jupyter_agents.effects import CallTool
from jupyter_agents.errors import ConfigurationError, InvalidMessageError

_OF_PROGRAMS = frozenset({"system", "developer", "user"})
"""Roles of messages whose words may be templates."""


def filled_in(template: str, context: Mapping[str, Any]) -> str:
    """A template with the fields of the context in their places.

    >>> filled_in("{n} lines on {topic}; write {{}} for a dict.", {"n": 2, "topic": "tea"})
    '2 lines on tea; write {} for a dict.'
    """
    try:
        return template.format(**context)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise InvalidMessageError(
            f"Cannot fill in the template {template!r}: {error!r}; the context has {', '.join(map(str, context))}. "
            "Add what is missing, and write {{ and }} for braces that are text."
        ) from error


async def instantiated(template: Any, context: Mapping[str, Any] | None, *, allows_format: bool) -> Any:
    """What a template comes to: a function (plain or async) is called with the context, text is filled in where that is allowed."""
    if callable(template):
        return await _called(template, context)
    if isinstance(template, str) and context and allows_format:
        return filled_in(template, context)
    return template


async def asked_messages(
    messages: Any, prompt: Any, context: Mapping[str, Any] | None, *, allows_format: bool
) -> list[Mapping[str, Any]]:
    """The messages of a request from `messages`, or from a `prompt`, which is one message of a user.

    Both may be functions of the context, and so may the content of each message.
    """
    if context is not None and not isinstance(context, Mapping):
        raise ConfigurationError(
            f"Cannot use a context of type {type(context).__name__}: a dictionary is accepted. Give one."
        )
    if messages is None:
        said = await instantiated(prompt, context, allows_format=allows_format)
        return [{"role": "user", "content": said}] if isinstance(said, str) else list(_checked(said))
    given = await _called(messages, context) if callable(messages) else messages
    return [await _message(one, context, allows_format=allows_format) for one in _checked(given)]


async def _message(
    message: Mapping[str, Any], context: Mapping[str, Any] | None, *, allows_format: bool
) -> Mapping[str, Any]:
    content = message.get("content")
    is_ours = message.get("role", "user") in _OF_PROGRAMS
    if not (callable(content) or (is_ours and isinstance(content, str))):
        return message
    return {**message, "content": await instantiated(content, context, allows_format=allows_format)}


async def _called(function: Callable[..., Any], context: Mapping[str, Any] | None) -> Any:
    try:
        return await CallTool(function, (dict(context or {}),))
    except Exception as error:
        was_in(error, "a template", function)
        raise


def _checked(messages: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(messages, list | tuple) or not messages or not all(isinstance(one, Mapping) for one in messages):
        from jupyter_agents.models.masking import kind_of

        raise ConfigurationError(
            f"Cannot ask a model with messages {kind_of(messages)}: a list of dictionaries is accepted. "
            "Give messages=[{'role': 'user', 'content': …}], or prompt='…'."
        )
    return messages
