"""Keyword arguments of constructors: one that is not known is refused by the name that was probably meant."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from jupyter_agents.errors import UnknownArgumentError
from jupyter_agents.nearest import did_you_mean

C = TypeVar("C", bound=type)
_OF_MANY = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)

_HOW_ELSE = dict.fromkeys(
    ("chat_messages", "history", "messages"),
    " What was said before comes back with load_agents(…) or load_chat(…); manager.resume(messages) takes up a group.",
)
"""What to do instead, for what some would give an agent, and which no argument is there for."""


def refuses_unknown(cls: C) -> C:
    """Have a class whose constructor takes no other keywords say which one was probably meant. A decorator.

    What subclasses hand on is checked, too; what they take themselves is theirs.
    """
    owner: Any = cls
    init = owner.__init__
    known = frozenset(name for name, one in inspect.signature(init).parameters.items() if one.kind not in _OF_MANY)

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        if not known.issuperset(kwargs):
            raise unknown_argument(type(self), next(name for name in kwargs if name not in known))
        init(self, *args, **kwargs)

    owner.__init__ = checked
    return cls


def unknown_argument(cls: type[Any], name: str, *, more: Iterable[str] = ()) -> UnknownArgumentError:
    """The error for an argument that a class does not take. `more` are names that it knows beside its arguments."""
    own = arguments_of(cls)[0]
    how_else = _HOW_ELSE.get(name) if "name" in own else None
    hint = how_else or did_you_mean(name, [*own, *more]) or f" It takes {', '.join(own)}."
    return UnknownArgumentError(f"Cannot make {cls.__name__}: {name!r} is not one of its arguments.{hint}")


def arguments_of(cls: type[Any]) -> tuple[list[str], bool]:
    """The names that the constructor of a class takes, and those of its bases where it hands on what is left.

    And whether there may be more: who writes a class may look for names in what is left.
    """
    names: dict[str, None] = {}
    is_ours = True
    for one in _constructors(cls):
        found = [each for each in inspect.signature(one).parameters.values() if each.name != "self"]
        names |= dict.fromkeys(each.name for each in found if each.kind not in _OF_MANY)
        if not any(each.kind is each.VAR_KEYWORD for each in found):
            break
        is_ours &= one.__module__.startswith("jupyter_agents.")
    return list(names), not is_ours


def _constructors(cls: type[Any]) -> Iterator[Any]:
    return (vars(one)["__init__"] for one in cls.__mro__[:-1] if "__init__" in vars(one))
