"""An agent that stands for a person: it asks them, and runs the code and functions that others want run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.arguments import refuses_unknown
from jupyter_agents.human.base import HumanInput
from jupyter_agents.models.base import Model
from jupyter_agents.session import CodePolicy
from jupyter_agents.termination import HumanInputMode


@refuses_unknown
class UserProxyAgent(ResponsiveAgent):
    """An agent that asks the person at every message, unless told otherwise, and then runs code and functions.

    No model speaks for it unless `llm_config` is a dictionary. Code runs in this notebook's kernel without asking,
    unless `code_execution_config` says otherwise (see `ResponsiveAgent`). The order of the positional arguments
    is the classic one, and differs from that of `ResponsiveAgent`.

    >>> UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    UserProxyAgent('user', human_input_mode='NEVER', no model)
    """

    def __init__(
        self,
        name: str,
        is_termination_msg: Callable[[dict[str, Any]], bool] | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: HumanInputMode = "ALWAYS",
        function_map: Mapping[str, Callable[..., Any]] | None = None,
        code_execution_config: Mapping[str, Any] | bool | None = None,
        default_auto_reply: str | dict[str, Any] | None = "",
        llm_config: Mapping[str, Any] | Model | bool | None = False,
        system_message: str = "",
        *,
        description: str | None = None,
        human: HumanInput | None = None,
        tool_policy: CodePolicy = "auto",
    ) -> None:
        super().__init__(
            name,
            system_message,
            is_termination_msg,
            max_consecutive_auto_reply,
            human_input_mode,
            function_map,
            code_execution_config,
            llm_config,
            default_auto_reply,
            description=description,
            human=human,
            tool_policy=tool_policy,
        )


def make_proxy(
    name: str, *, human_input_mode: HumanInputMode | None = None, policy: CodePolicy | None = None, **options: Any
) -> UserProxyAgent:
    """A user proxy for a notebook: it asks before it runs code, and has nothing to say of its own.

    So a chat ends, and the user has the word, as soon as the assistant says something in which there is nothing to run:
    an answer, or a question. `%%agentchat --continue` goes on from there.
    """
    return UserProxyAgent(
        name,
        human_input_mode=human_input_mode or "NEVER",
        code_execution_config={"policy": policy or "ask", "last_n_messages": "auto"},
        default_auto_reply=None,
        **options,
    )
