"""Calls that were required and did not come: some servers leave `tool_choice` out without a word."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_agents.errors import ModelRejectedError
from jupyter_agents.models.base import ModelReply


def check_forced_call(options: Mapping[str, Any], reply: ModelReply, source: str) -> None:
    """Raise `ModelRejectedError`, with the reply as its `partial`, for words in the place of a call that was required.

    A reply that was cut off, filtered or refused is none that was left out.
    """
    if not _is_forced(options) or reply.finish_reason != "stop" or reply.refusal:
        return
    if any(one.tool_calls or one.function_call for one in (reply, *reply.alternatives)):
        return
    error = ModelRejectedError(
        f"Cannot get a call from {source}: 'tool_choice' requires one, and it has answered with words. Its server, or the "
        "chat template of the model, does not know tool_choice: leave it out, or use another model."
    )
    error.partial = reply
    raise error


def _is_forced(options: Mapping[str, Any]) -> bool:
    choice = options.get("tool_choice")
    if choice == "required" or isinstance(choice, Mapping):
        kind = choice.get("type") if isinstance(choice, Mapping) else None
        return bool(options.get("tools")) and kind != "allowed_tools"
    return isinstance(options.get("function_call"), Mapping) and bool(options.get("functions"))
