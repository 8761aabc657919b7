"""The reply chain: who is asked for a reply, in which order, and for which sender."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from jupyter_agents.culprits import was_in
from jupyter_agents.messages import Message, Usage
from jupyter_agents.termination import EndedBy, Ending

Origin = Literal["model", "human", "code", "tool", "program"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a reply function decided.

    Not `final`: the next one is asked. Final with no message: nothing is said and the chat ends (`ending` says why).
    `is_repair` marks an answer to something a model has to mend; `ends_after` ends the chat once the message was sent.
    Classic code may unpack it as `(final, reply)`.
    """

    final: bool
    message: Message | None = None
    origin: Origin = "program"
    ending: Ending = Ending(EndedBy.NO_REPLY)
    is_repair: bool = False
    ends_after: Ending | None = None
    usage: Usage | None = None
    model: str | None = None
    replayed: bool = False
    cached: bool = False
    cost: float | None = None

    @classmethod
    def of_model(cls, message: Message, reply: Any, ends_after: Ending | None = None) -> Reply:
        """What a model says, with what is known of its `ModelReply`: where it came from, and what it took."""
        known = {name: getattr(reply, name) for name in ("usage", "model", "replayed", "cached", "cost")}
        return cls(True, message, "model", ends_after=ends_after, **known)

    def __iter__(self) -> Iterator[Any]:
        yield self.final
        yield self.to_classic()

    def to_classic(self) -> str | dict[str, Any] | None:
        """The form in which classic code expects it: text where it is only text."""
        if self.message is None:
            return None
        found = self.message.to_dict()
        return found["content"] if found.keys() == {"content"} else found

    @classmethod
    def from_classic(cls, final: bool, reply: Any) -> Reply:
        """A reply function's `(final, reply)`; the reply is text, a dictionary, a `Message` or `None`."""
        if not final:
            return NEXT
        return cls(True, None if reply is None else Message.from_dict(reply))


NEXT = Reply(False)
"""Ask the next reply function."""


@dataclass
class ReplyFunction:
    """A reply function with the senders it answers to, and its configuration.

    A dictionary, list or set given as `config` is copied, and `reset` brings the copy back to what it was. Any other
    object (an agent, a board, a future) is handed on as it is, and only `reset_config` can reset it. With
    `is_for_async_only` an async function is not asked by the synchronous methods.
    """

    trigger: Any
    function: Callable[..., Any]
    config: Any = None
    reset_config: Callable[[Any], None] | None = None
    is_for_async_only: bool = False
    _initial: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_trigger(self.trigger)
        self._initial = _copied(self.config)
        self.config = _copied(self.config)

    def reset(self) -> None:
        """Bring the configuration back to its initial state."""
        if self.reset_config is not None:
            self.reset_config(self.config)
        else:
            self.config = _copied(self._initial)

    def calling(self, function: Callable[..., Any]) -> ReplyFunction:
        """The same entry, with its configuration as it is now, for another function."""
        other = copy.copy(self)
        other.function = function
        vars(other).pop("_takes_names", None)
        return other

    def arguments(self, recipient: Any, messages: Any, sender: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """How the function is called: by the classic names where it takes them, otherwise by position."""
        if self._takes_names:
            return (recipient,), {"messages": messages, "sender": sender, "config": self.config}
        return (recipient, messages, sender, self.config), {}

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def is_unbound(self) -> bool:
        """Whether the function belongs to no object already."""
        return getattr(self.function, "__self__", None) is None

    @cached_property
    def _takes_names(self) -> bool:
        try:
            inspect.signature(self.function).bind(None, messages=None, sender=None, config=None)
        except (TypeError, ValueError):
            return False
        return True


def _copied(config: Any) -> Any:
    return copy.copy(config) if isinstance(config, (dict, list, set)) else config


def check_trigger(trigger: Any, *, nested: bool = False) -> None:
    """Refuse what cannot be a trigger, with an error that lists what can."""
    if isinstance(trigger, (list, tuple)):
        for one in trigger:
            check_trigger(one, nested=True)
    elif trigger is None and nested:
        return
    elif trigger == "" or not (isinstance(trigger, (str, type)) or is_agent(trigger) or callable(trigger)):
        raise ValueError(
            f"Cannot register a reply for trigger {trigger!r}: it must be an agent class, an agent, an agent's name, "
            "a function of the sender, or a list of these (in a list, None stands for no sender)."
        )


def matches(trigger: Any, sender: Any) -> bool:
    """Whether a trigger means this sender. Raises `ValueError` for what is no trigger."""
    if trigger is None:
        return sender is None
    if isinstance(trigger, str):
        return sender is not None and trigger == sender.name
    if isinstance(trigger, type):
        return isinstance(sender, trigger)
    if isinstance(trigger, (list, tuple)):
        return any(matches(one, sender) for one in trigger)
    if is_agent(trigger):
        return trigger is sender
    if callable(trigger):
        return _is_meant(trigger, sender)
    check_trigger(trigger)
    return False


def _is_meant(trigger: Callable[[Any], Any], sender: Any) -> bool:
    try:
        return bool(trigger(sender))
    except Exception as error:
        was_in(error, "the trigger of a reply function", trigger)
        raise


def is_agent(value: Any) -> bool:
    """Whether something takes part in chats, as the classic protocol has it."""
    return hasattr(value, "generate_reply") and hasattr(value, "name") and not isinstance(value, type)
