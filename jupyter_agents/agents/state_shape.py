"""What the state of an agent looks like, so that one that was mangled is refused before anything is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from jupyter_agents.errors import ConfigurationError, InvalidMessageError
from jupyter_agents.messages import Message

Trouble = tuple[str, Any, str]
"""Where something is that does not belong there, what it is, and what does belong there."""


class Shape(Protocol):
    """What some part of a state is like."""

    def troubles(self, value: Any, path: str) -> Iterator[Trouble]:
        """What does not belong there, in order."""
        ...


@dataclass(frozen=True)
class Is:
    """A value that passes a test; `words` say what it is."""

    words: str
    fits: Callable[[Any], bool]

    def troubles(self, value: Any, path: str) -> Iterator[Trouble]:
        """The value, where it does not pass."""
        if not self.fits(value):
            yield path, value, self.words


@dataclass(frozen=True)
class Each:
    """A list whose elements have this shape."""

    element: Shape

    def troubles(self, value: Any, path: str) -> Iterator[Trouble]:
        """The value, or what is wrong in it."""
        if not isinstance(value, list | tuple):
            yield path, value, "a list"
            return
        for number, one in enumerate(value):
            yield from self.element.troubles(one, f"{path}[{number}]")


@dataclass(frozen=True)
class Fields:
    """A dictionary with these keys. Those of `more` may lack, and any others are somebody else's."""

    fields: Mapping[str, Shape]
    more: Mapping[str, Shape]

    def troubles(self, value: Any, path: str) -> Iterator[Trouble]:
        """The value, or what is wrong in it or lacks."""
        if not isinstance(value, Mapping):
            yield path, value, "a dictionary"
            return
        for key, shape in {**self.fields, **self.more}.items():
            where = f"{path}.{key}" if path else key
            if key in value:
                yield from shape.troubles(value[key], where)
            elif key in self.fields:
                yield where, _MISSING, ""


@dataclass(frozen=True)
class OrNone:
    """Something of this shape, or `None`."""

    shape: Shape

    def troubles(self, value: Any, path: str) -> Iterator[Trouble]:
        """What is wrong in a value that is not `None`."""
        if value is not None:
            yield from self.shape.troubles(value, path)


_MISSING = object()
_LONGEST = 80


def check_shape(state: Any, version: int) -> None:
    """Raise `ConfigurationError` for what is no state of an agent, naming the first key with which something is wrong."""
    found = state.get("version") if isinstance(state, Mapping) else None
    if isinstance(found, bool) or found != version:
        raise ConfigurationError(
            f"Cannot load an agent: its state has version {found!r}, and this package reads {version}. "
            "Give what to_state() gave, or load it with the version that has written it."
        )
    trouble = next(STATE.troubles(state, ""), None)
    if trouble is None:
        return
    path, value, due = trouble
    name = state.get("name")
    who = f"the agent {name!r}" if isinstance(name, str) else "an agent"
    wrong = f"lacks {path!r}" if value is _MISSING else f"has {_short(value)} as {path!r}, where {due} belongs"
    raise ConfigurationError(f"Cannot load {who}: its state {wrong}. Give what to_state() gave, as it was.")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_message(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    try:
        Message.from_dict({**value, "content": ""} if value.get("content") is None else value)
    except (InvalidMessageError, KeyError, TypeError, ValueError, AttributeError):
        return False
    return True


_TEXT = Is("a text", lambda value: isinstance(value, str))
_NAME = Is("a text that is not empty", lambda value: isinstance(value, str) and bool(value.strip()))
_COUNT = Is("a whole number of at least 0", _is_count)
_FLAG = Is("true or false", lambda value: value is None or isinstance(value, bool | int))
_YES_OR_NO = Is("true or false", lambda value: isinstance(value, bool))
_NAMES = Each(_TEXT)
_MESSAGE = Is("a message", _is_message)
_SETTINGS = Is("a dictionary, true or false", lambda value: value is None or isinstance(value, Mapping | bool))
_CONTENT = Is("a text or a list of parts", lambda value: isinstance(value, str | list))
_REPLY = Is("a text or a message", lambda value: value is None or isinstance(value, str | list) or _is_message(value))


def _one_of(*words: str) -> Is:
    return Is(f"one of {', '.join(words)}", lambda value: value in words)


_SAID = Fields({"spoken": _YES_OR_NO, "message": _MESSAGE}, {})
_RELATION = Fields(
    {
        "with": _TEXT,
        "messages": OrNone(Each(_SAID)),
        "auto_replies": _COUNT,
        "limit": OrNone(_COUNT),
        "replies": _YES_OR_NO,
    },
    {},
)
_GROUP = Fields(
    {
        "agents": _NAMES,
        "messages": Each(_MESSAGE),
        "last_speaker": OrNone(_TEXT),
        "transitions": Is(
            "a dictionary of lists of names",
            lambda value: (
                isinstance(value, Mapping)
                and all(isinstance(one, list) and all(isinstance(name, str) for name in one) for one in value.values())
            ),
        ),
        "speaker_selection_method": OrNone(_TEXT),
        "select_speaker_auto_llm_config": _SETTINGS,
        "given_again": _NAMES,
        "max_round": _COUNT,
        "admin_name": OrNone(_TEXT),
        "func_call_filter": _FLAG,
        "enable_clear_history": _FLAG,
        "send_introductions": _FLAG,
        "select_speaker_message_template": OrNone(_TEXT),
        "select_speaker_prompt_template": OrNone(_TEXT),
        "select_speaker_auto_none_template": OrNone(_TEXT),
        "select_speaker_auto_multiple_template": OrNone(_TEXT),
        "max_retries_for_selecting_speaker": _COUNT,
        "role_for_select_speaker_messages": _TEXT,
        "seed": Is("a number or a text", lambda value: value is None or isinstance(value, int | float | str)),
    },
    {},
)
STATE: Shape = Fields(
    {
        "name": _NAME,
        "system_message": _CONTENT,
        "description": Is("a text", lambda value: value is None or isinstance(value, str | int | float)),
        "human_input_mode": _one_of("ALWAYS", "TERMINATE", "NEVER"),
        "default_auto_reply": _REPLY,
        "tool_policy": _one_of("auto", "ask", "deny"),
        "memory": Fields({"limit": _COUNT, "relations": Each(_RELATION)}, {}),
        "llm_config": _SETTINGS,
        "code_execution_config": _SETTINGS,
    },
    {
        "class": _TEXT,
        "functions": _NAMES,
        "own_tools": _NAMES,
        "reply_functions": _NAMES,
        "given_again": _NAMES,
        "not_kept": _NAMES,
        "group": _GROUP,
    },
)
"""The state of an agent. What a subclass has added is its own."""
