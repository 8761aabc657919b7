"""Who answers when a chat begins, and whether that is certain to need a model that is not configured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_agents.agents.built_in_replies import REPLY_CORES, BuiltInReplies
from jupyter_agents.agents.checkpoints import group_of
from jupyter_agents.agents.faces import core_of, is_overridden
from jupyter_agents.agents.group_chat import GroupChat
from jupyter_agents.code_blocks import find_code_blocks
from jupyter_agents.errors import ConfigurationError, ModelNotConfiguredError
from jupyter_agents.models.base import check_configured

_BY_MODEL = core_of(BuiltInReplies.generate_oai_reply)


def check_first_reply(agent: Any, sender: Any, text: str) -> None:
    """Raise `ModelNotConfiguredError` where nobody could answer a text: the agent, or a group that it leads."""
    group = group_of(agent)
    if group is None:
        if _asks_model(agent, sender, text):
            check_configured(agent.model)
        return
    members = _first_speakers(agent, group, sender)
    errors = [error for one in members if (error := _problem(one, agent, text)) is not None]
    if errors and len(errors) == len(members):
        raise errors[0]


def _problem(agent: Any, sender: Any, text: str) -> ConfigurationError | None:
    try:
        check_first_reply(agent, sender, text)
    except ConfigurationError as error:
        return error
    return None


def _first_speakers(manager: Any, group: GroupChat, sender: Any) -> Sequence[Any]:
    """Who may have the first word in a group. Raises where a model would choose that is not configured."""
    method: Any = group.speaker_selection_method
    if callable(method) or is_overridden(group, "select_speaker"):
        return group.agents
    members = group.transitions.successors(sender)
    if method.lower() == "round_robin" and members:
        return [group.next_agent(sender, members)]
    if method.lower() == "auto" and len(members) > 1:
        _check_selecting(manager, group)
    return members


def _check_selecting(manager: Any, group: GroupChat) -> None:
    model = group.selecting_model(manager).model
    try:
        if model is not None:  # else they speak in turns
            check_configured(model)
    except ModelNotConfiguredError as error:
        raise ModelNotConfiguredError(
            f"{error} Without a model the members of {manager.name!r} can speak in turns: "
            "GroupChat(…, speaker_selection_method='round_robin')."
        ) from None


def _asks_model(agent: Any, sender: Any, text: str) -> bool:
    """Whether it is certain that the agent's reply would be its model's: nothing and nobody is asked before it that may answer."""
    if agent.model is None or is_overridden(agent, "generate_reply"):
        return False
    if agent.human_input_mode == "ALWAYS" or agent.max_consecutive_auto_reply(sender) == 0:
        return False
    if agent.code_config is not None and find_code_blocks(text):
        return False
    cores = [core_of(entry.function) for entry in agent._reply_functions]
    return _BY_MODEL in cores and all(one in REPLY_CORES for one in cores[: cores.index(_BY_MODEL)])
