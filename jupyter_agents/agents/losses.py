"""What JSON cannot say of an agent: functions, people, keys, hooks and the like. A state lists them, and loading warns of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_agents.agents.faces import core_of
from jupyter_agents.agents.memory import lost_context
from jupyter_agents.agents.model_config import SessionModel
from jupyter_agents.agents.reply_format import ReplyFormat
from jupyter_agents.errors import NotKeptWarning
from jupyter_agents.models.masking import public

if TYPE_CHECKING:
    from jupyter_agents.agents.responsive import ResponsiveAgent

_CONFIG = "llm_config: "
_KEY = f"{_CONFIG}api_key"


def not_kept(agent: ResponsiveAgent) -> list[str]:
    """What of an agent its state cannot hold, in words."""
    return [
        *(f"function: {name}" for name in sorted(agent.function_map)),
        *(f"reply function: {name}" for name in reply_functions(agent)),
        *(f"hook {name}: {_name(hook)}" for name, hooks in agent.hook_lists.items() for hook in hooks),
        *(f"capability: {type(one).__name__}" for one in agent.capabilities),
        *(f"{name} of its {type(one).__name__}" for one in agent.capabilities for name in one.not_kept),
        *given_again(agent),
        *(f"{_CONFIG}{key}" for key in secrets(agent)),
        *_form(agent),
        *lost_context(agent),
        *_of_group(agent),
    ]


def warn_of_losses(agent: ResponsiveAgent, state: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Warn of what an agent had that is in no state, and that the one made of it has not been `given` again.

    A key is not asked for: it may come from the environment, and where it does not, the first call says so.
    """
    there = {*not_kept(agent), _KEY}
    lost = [one for one in state.get("not_kept", ()) if one not in there]
    if "llm_config" in given:
        lost = [one for one in lost if not one.startswith(_CONFIG)]
    if lost:
        warnings.warn(
            f"The agent {agent.name!r} is loaded without what its state could not hold ({'; '.join(lost)}). "
            "Give it to from_state or load_chat, or register it with the agent.",
            NotKeptWarning,
            stacklevel=4,
        )


def reply_functions(agent: ResponsiveAgent) -> list[str]:
    """The names of the reply functions that are not the agent's own methods."""
    return [_name(one.function) for one in agent._reply_functions if core_of(one.function) is None]


def given_again(agent: Any) -> list[str]:
    """The arguments of the constructor that must be given again."""
    from jupyter_agents.agents.responsive import _is_terminate

    has = {
        "is_termination_msg": agent.is_termination_msg is not _is_terminate,
        "human": agent.human is not None,
        "executor": agent._code_config is not None and agent._code_config.executor is not None,
    }
    return [name for name, is_there in has.items() if is_there]


def secrets(agent: ResponsiveAgent) -> list[str]:
    """What of the `llm_config` is not written: keys that are not known to be harmless, and a model that is an object."""
    config = agent._model_config
    if config.model is None:
        return []
    found, left_out = public(config.to_classic() or {})  # type: ignore[arg-type]  # it is no `True`
    is_object = not isinstance(config.model, SessionModel) and not found.keys() - {"tools", "functions"}
    return ["model", *left_out] if is_object else left_out


def _form(agent: ResponsiveAgent) -> Iterator[str]:
    form = agent._model_config.options.get("response_format")
    if isinstance(form, ReplyFormat):
        yield f"{_CONFIG}the type {form.label} of response_format"


def _of_group(agent: Any) -> Iterator[str]:
    from jupyter_agents.agents.group_chat import GroupChat

    group = getattr(agent, "groupchat", None)
    if not isinstance(group, GroupChat):
        return
    if not isinstance(group.speaker_selection_method, str):
        yield "speaker_selection_method"
    if group.select_speaker_transform_messages is not None:
        yield "select_speaker_transform_messages"


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", None) or repr(function))
