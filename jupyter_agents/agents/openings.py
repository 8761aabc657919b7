"""The first message of a chat: given, made by a function, or asked of a person; with what is carried over from others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jupyter_agents.agents.faces import call_hook, call_of, is_overridden
from jupyter_agents.agents.templates import prepared
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.messages import Message
from jupyter_agents.replies import Reply
from jupyter_agents.run import ThisRun
from jupyter_agents.termination import EndedBy, Ending

_HEADING = "\nContext: \n"


async def opening_message(sender: Any, recipient: Any, context: Mapping[str, Any]) -> Message | None:
    """What `sender` says first, from the keyword arguments of `initiate_chat`; `None` where a person is to be asked.

    A function given as `message` is called with the two agents and the context; what is carried over is in that, and the
    function says what becomes of it.
    """
    texts = carried_over(context.get("carryover"))
    message = context.get("message")
    if callable(message):
        role = f"the message to {recipient.name!r}"
        return await prepared(await call_of(role, sender, message, sender, recipient, dict(context)), recipient)
    if is_overridden(sender, "generate_init_message"):
        return await prepared(await call_hook(sender, "generate_init_message", **context), recipient)
    if is_asked_for(context):
        return None
    return with_context(await prepared(given_message(sender, context), recipient), texts)


def given_message(sender: Any, context: Mapping[str, Any]) -> Any:
    """The message among the keyword arguments. Raises `ConfigurationError` where there is none."""
    if "message" not in context:
        begins = [f"{name}='…'" for name in (*sender.opening_arguments[:1], "message")]
        raise ConfigurationError(
            f"Cannot begin a chat: there is no message. Pass {begins[0]} to initiate_chat, or "
            + ("message=None to be asked for it." if len(begins) == 1 else f"{begins[1]}.")
        )
    return context["message"]


def is_asked_for(context: Mapping[str, Any]) -> bool:
    """Whether a person is to say what the chat begins with."""
    return "message" in context and context["message"] is None


async def ask_opening(sender: Any, recipient: Any, context: Mapping[str, Any]) -> Reply:
    """What a person wants said first, with what is carried over. One who says nothing, or `exit`, ends the chat."""
    name = "" if recipient is None else f" to {recipient.name}"
    prompt = f"What should {sender.name} say{name}? Type 'exit' to say nothing: "
    text = str(await call_hook(sender, "get_human_input", prompt))
    if not text.strip() or text.strip() == "exit":
        who = (await ThisRun()).log.key_of(sender)
        return Reply(True, None, ending=Ending(EndedBy.HUMAN, "nothing was said", who))
    return Reply(True, with_context(Message.from_dict(text), carried_over(context.get("carryover"))), "human")


def carried_over(value: Any) -> list[str]:
    """The texts of a `carryover`: one text, or several. Raises `ConfigurationError` for anything else."""
    if value is None or isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list | tuple):
        return [_text_of(one) for one in value]
    raise ConfigurationError(f"Cannot carry over {value!r}: give a text, or a list of texts.")


def with_context(message: Message, texts: list[str]) -> Message:
    """A message with what is carried over below it, a text a line. Beside parts it is one more, before them."""
    if not texts:
        return message
    below = _HEADING + "\n".join(texts)
    if isinstance(message.content, tuple):
        return replace(message, content=({"type": "text", "text": below}, *message.content))
    return replace(message, content=(message.content or "") + below)


def _text_of(value: Any) -> str:
    if isinstance(value, Mapping) and isinstance(value.get("content"), str):
        return str(value["content"])
    return value if isinstance(value, str) else str(value)
