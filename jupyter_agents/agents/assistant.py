"""An agent that solves tasks with a model: it writes code, reads what running it gave, and says when it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.arguments import unknown_argument
from jupyter_agents.errors import UnknownArgumentError
from jupyter_agents.models.base import Model
from jupyter_agents.models.masking import kind_of
from jupyter_agents.termination import HumanInputMode

SYSTEM_MESSAGE = """\
You are a helpful assistant in a Jupyter notebook. You solve the user's task, with code where code helps.

The user runs your code in the notebook's own kernel and sends you the result:
- Put code to run in fenced blocks tagged `python`; use `sh` for shell scripts. Tag anything that is not to be run \
`text`. Several blocks in one reply run in order and stop at the first that fails.
- The kernel keeps its state. Variables, imports and data of earlier blocks, and the user's own variables, are there: \
reuse them, do not load them again. Name what you make so that the user can go on working with it.
- The value of a block's last expression is shown, as in a cell, and so is what it prints. Look at data before you \
rely on it. Figures appear in the notebook by themselves.
- Install a missing package with `%pip install NAME`. Do not call `input()`, and do not end the kernel.
- To save a block as a file, make its first line `# filename: NAME`.
- The user cannot edit your code or fill in blanks: write it complete.

When a task needs several steps, say in a few words how you will go about it. After each result, check whether it is \
what you expected. If code fails, find out why and send the whole corrected block. If the result is right but the \
task is not solved, question your assumptions, gather what is missing, and try another way.

When the task is done, give the answer in plain words together with the evidence for it. Do this in a reply without \
code, after you have seen the results, and end that reply with a line that says only: TERMINATE
"""


class AssistantAgent(ResponsiveAgent):
    """An agent that answers with a model, asks nobody and runs no code itself.

    Inference settings may also be given as keywords (`model=…`, `temperature=…`, `functions=…`, `config_list=…`),
    as the classic documentation does; any other unknown keyword is refused, by the nearest name.

    >>> AssistantAgent("assistant", model="gpt-4o", temperature=0).llm_config
    {'model': 'gpt-4o', 'temperature': 0}
    """

    DEFAULT_SYSTEM_MESSAGE = SYSTEM_MESSAGE

    def __init__(
        self,
        name: str,
        system_message: str | None = None,
        llm_config: Mapping[str, Any] | Model | bool | None = None,
        is_termination_msg: Callable[[dict[str, Any]], bool] | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: HumanInputMode = "NEVER",
        code_execution_config: Mapping[str, Any] | bool = False,
        **kwargs: Any,
    ) -> None:
        own = {key: kwargs.pop(key) for key in _AGENT_KEYS if key in kwargs}
        super().__init__(
            name,
            self.DEFAULT_SYSTEM_MESSAGE if system_message is None else system_message,
            is_termination_msg,
            max_consecutive_auto_reply,
            human_input_mode,
            code_execution_config=code_execution_config,
            llm_config=_merged(type(self), llm_config, kwargs),
            **own,
        )


_AGENT_KEYS = ("function_map", "default_auto_reply", "description", "human", "tool_policy")


def _merged(
    cls: type[AssistantAgent], llm_config: Mapping[str, Any] | Model | bool | None, keywords: dict[str, Any]
) -> Any:
    """Inference settings given as keywords, over those in `llm_config`."""
    if not keywords:
        return llm_config
    from jupyter_agents.models.config_keys import INFERENCE_KEYS

    unknown = next((key for key in keywords if key not in INFERENCE_KEYS), None)
    if unknown is not None:
        raise unknown_argument(cls, unknown, more=sorted(INFERENCE_KEYS))
    if llm_config is not None and not isinstance(llm_config, Mapping):
        raise UnknownArgumentError(
            f"Cannot make {cls.__name__}: it takes inference keywords only with a dictionary llm_config, not one "
            f"{kind_of(llm_config)}. Give the model its settings itself."
        )
    return {**(llm_config or {}), **keywords}
