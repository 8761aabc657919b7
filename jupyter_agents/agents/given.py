"""What is given again for agents that are loaded: whether it is for one of them, and something that can be given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_agents.arguments import arguments_of
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.nearest import did_you_mean, nearest

AGAIN = ("llm_config", "functions", "is_termination_msg", "human", "executor")
"""What can be given for every agent, besides arguments of its class."""
OF_GROUP = ("speaker_selection_method", "select_speaker_transform_messages", "select_speaker_auto_llm_config")
"""What can be given for the manager of a group, too."""
_LONGEST = 80


def check_given(states: Any, given: Any) -> None:
    """Raise `ConfigurationError` for what is not given by the names of agents that have a state."""
    if not isinstance(states, Mapping):
        raise ConfigurationError(
            f"Cannot load the agents: {_short(states)} holds no states by name. Give {{'name': state}}, with what to_state() gave."
        )
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"Cannot load the agents: {_short(given)} is given, which is not by name. {_form(next(iter(states), 'name'))}"
        )
    for name, found in given.items():
        if name not in states:
            raise ConfigurationError(
                f"Cannot load the agents: something is given for {name!r}, who is not among them. "
                f"There are {', '.join(states)}.{did_you_mean(name, states)}"
            )
        if not isinstance(found, Mapping):
            raise ConfigurationError(
                f"Cannot load the agent {name!r}: {_short(found)} is given for it, without saying as what. {_form(name)}"
            )


def check_keys(cls: type[Any], state: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise `ConfigurationError` for something that cannot be given for an agent of this class, naming what can."""
    arguments, takes_more = arguments_of(cls)
    own = [*AGAIN, *(OF_GROUP if "group" in state else ())]
    known = {*own, *arguments}
    for key in given:
        if key in known or (takes_more and nearest(key, known) is None):
            continue
        raise ConfigurationError(
            f"Cannot load the agent {state['name']!r}: {key!r} is given for it, and there is no such thing to give. "
            f"Give {', '.join(own)}, or arguments of {cls.__name__}.{did_you_mean(key, known)}"
        )
    _check_values(state, given)


def _check_values(state: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    functions = given.get("functions")
    if functions is not None and not isinstance(functions, Mapping):
        raise ConfigurationError(
            f"Cannot load the agent {state['name']!r}: {_short(functions)} is given as functions, which is not by name. "
            "Give functions={'name': function}."
        )
    if (
        given.get("executor") is not None
        and not state["code_execution_config"]
        and "code_execution_config" not in given
    ):
        raise ConfigurationError(
            f"Cannot load the agent {state['name']!r}: an executor is given for it, and it ran no code. "
            "Leave it out, or give code_execution_config={}, too."
        )


def _form(name: str) -> str:
    return f"Give {{{name!r}: {{'llm_config': …}}}}, or any of {', '.join(AGAIN[1:])} and the arguments of its class there."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
