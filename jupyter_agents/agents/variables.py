"""Agents as the variables of a notebook: which hold one, and which may be given one."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from keyword import iskeyword
from typing import Any, TypeGuard

from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.errors import ConfigurationError


def is_agent(value: Any) -> TypeGuard[ResponsiveAgent]:
    """Whether a variable holds an agent. Its type is asked, not the object: some of them raise for any question."""
    return issubclass(type(value), ResponsiveAgent)


def agents_in(namespace: Mapping[str, Any]) -> dict[str, ResponsiveAgent]:
    """The agents among the user's variables, by variable, in order of definition. Names with `_` in front are not the user's."""
    return {name: value for name, value in list(namespace.items()) if is_agent(value) and not name.startswith("_")}


def check_variable(name: str) -> None:
    """Raise `ConfigurationError` for what is no name of a variable."""
    if not name.isidentifier() or iskeyword(name):
        raise ConfigurationError(f"Cannot use {name!r} as a variable: give a Python name (letters, digits, _).")


def check_free(name: str, namespace: Mapping[str, Any]) -> None:
    """Refuse a variable that holds what is no agent: a slip would lose the user's data."""
    held = namespace.get(name, vars(builtins).get(name))
    if held is not None and not is_agent(held):
        kind = type(held).__name__
        raise ConfigurationError(
            f"Cannot define agent {name!r}: that name holds a {kind}. Take another name, or del {name}."
        )
