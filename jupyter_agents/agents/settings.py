"""The settings of an agent that are checked when they are given, be it to the constructor or later."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_agents.agents.code_config import check_policy
from jupyter_agents.conditions import Condition
from jupyter_agents.errors import ConfigurationError, InvalidMessageError
from jupyter_agents.meant import short
from jupyter_agents.messages import Message


def check_name(value: Any) -> None:
    """Refuse a name that would break a transcript."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"Cannot name an agent {short(value)}: give it a name with at least one character.")
    if any(unicodedata.category(one) in ("Cc", "Zl", "Zp") for one in value):
        raise ConfigurationError(
            f"Cannot name an agent {short(value)}: a name stands before what the agent says. Give one that is on one line, "
            "without control characters."
        )


def check_description(value: Any) -> None:
    """Refuse a description that is no text."""
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"Cannot use description={short(value)}: it is no text. Give one, or None.")


def check_function_of_message(value: Any) -> None:
    """Refuse an `is_termination_msg` that is no function of a message."""
    if isinstance(value, Condition):
        raise ConfigurationError(
            f"Cannot use is_termination_msg={short(value)}: a condition looks at a whole chat, not at one message. "
            f"Give it to the chat: initiate_chat(…, termination={short(value)})."
        )
    if not callable(value):
        word = value if isinstance(value, str) and value else "DONE"
        raise ConfigurationError(
            f"Cannot use is_termination_msg={short(value)}: it is no function. Give a function of the message, such as "
            f"lambda message: {short(word)} in message['content'], or nothing: then a last word TERMINATE ends the chat."
        )


def check_default_reply(value: Any) -> None:
    """Refuse a `default_auto_reply` that is no message."""
    if value is None or isinstance(value, str):
        return
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"Cannot use default_auto_reply={short(value)}: it is no message. Give a text, a dictionary with 'content', or "
            "None to say nothing."
        )
    try:
        Message.from_dict(value)
    except InvalidMessageError as error:
        raise ConfigurationError(f"Cannot use default_auto_reply={short(value)}: {error}") from None


def check_human(value: Any) -> None:
    """Refuse somebody who cannot be asked."""
    if value is None or (callable(getattr(value, "ask", None)) and not isinstance(value, type)):
        return
    given = [value] if isinstance(value, str) else value
    answers = short(given) if isinstance(given, list | dict) else "[…]"
    raise ConfigurationError(
        f"Cannot use human={short(value)}: it cannot be asked. Give ScriptedHuman({answers}), or an object of your own "
        "with a coroutine ask(prompt)."
    )


def instructions(value: Any) -> str:
    """The text of a `system_message`."""
    if value is None or isinstance(value, str):
        return value or ""
    hint = " Join several texts: '\\n'.join([…])." if isinstance(value, list | tuple) else " Convert it with str()."
    raise ConfigurationError(f"Cannot use system_message={short(value)}: instructions are one text.{hint}")


class _Checked:
    """It has no `__get__`, so the attribute is read as any other."""

    def __init__(self, check: Callable[[Any], None]) -> None:
        self._check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __set__(self, instance: Any, value: Any) -> None:
        self._check(value)
        vars(instance)[self._name] = value


def checked(check: Callable[[Any], None]) -> Any:
    """An attribute that is checked whenever it is set."""
    return _Checked(check)


def check_tool_policy(value: Any) -> None:
    """Refuse what is no policy."""
    check_policy("tool_policy", value)
