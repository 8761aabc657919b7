"""A message as a program gives it becomes what is said: contents are called, and templates are filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_agents.agents.faces import call_of
from jupyter_agents.messages import Message
from jupyter_agents.models.templates import filled_in


async def prepared(message: Any, recipient: Any) -> Message:
    """A message as it is said: a callable content is called with the message's context, a template is filled in.

    Text is a template only where the recipient's model is configured with `allow_format_str_template`.
    """
    if not isinstance(message, Mapping):
        return Message.from_dict(message)
    context, content = message.get("context"), message.get("content")
    if callable(content):
        content = await call_of("the content of a message", None, content, context or {})
    elif isinstance(content, str) and context and _fills_templates(recipient):
        content = filled_in(content, context)
    return Message.from_dict({**message, "content": content})


def _fills_templates(recipient: Any) -> bool:
    config = getattr(recipient, "llm_config", None)
    return isinstance(config, Mapping) and bool(config.get("allow_format_str_template"))
