"""What an agent is: its name, its instructions, and how it is set up to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jupyter_agents.agents import settings
from jupyter_agents.agents.adjustments import adjustment_of
from jupyter_agents.agents.code_config import CodeConfig
from jupyter_agents.agents.faces import is_overridden
from jupyter_agents.agents.model_config import ModelConfig
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.human.base import HumanInput
from jupyter_agents.models.base import Model
from jupyter_agents.nearest import did_you_mean
from jupyter_agents.session import CodePolicy
from jupyter_agents.termination import HumanInputMode

_MODES = ("ALWAYS", "TERMINATE", "NEVER")


class Identity:
    """The part of an agent that says who it is. What is otherwise for the time of one chat goes before its settings."""

    name: str = settings.checked(settings.check_name)
    description: str | None = settings.checked(settings.check_description)
    is_termination_msg: Callable[[dict[str, Any]], bool] = settings.checked(settings.check_function_of_message)
    default_auto_reply: str | dict[str, Any] | None = settings.checked(settings.check_default_reply)
    human: HumanInput | None = settings.checked(settings.check_human)
    tool_policy: CodePolicy = settings.checked(settings.check_tool_policy)
    _system_message: str
    _human_input_mode: HumanInputMode
    _code_config: CodeConfig | None
    _model_config: ModelConfig

    @property
    def system_message(self) -> str:
        """The instructions to the agent's model."""
        return self._system_message

    def update_system_message(self, system_message: str) -> None:
        """Give other instructions from the next model call on."""
        self._system_message = settings.instructions(system_message)

    @property
    def human_input_mode(self) -> HumanInputMode:
        """When a person is asked: `ALWAYS`, at the end (`TERMINATE`), or `NEVER`."""
        return adjustment_of(self).human_input_mode or self._human_input_mode

    @human_input_mode.setter
    def human_input_mode(self, mode: HumanInputMode) -> None:
        if mode not in _MODES:
            raise ConfigurationError(
                f"Cannot use human_input_mode={mode!r}: it must be one of {', '.join(_MODES)}.{did_you_mean(mode, _MODES)}"
            )
        self._human_input_mode = mode

    @property
    def code_config(self) -> CodeConfig | None:
        """How the agent runs code; `None` where it runs none."""
        return adjustment_of(self).code(self._code_config)

    @property
    def model(self) -> Model | None:
        """The model that speaks for the agent, or `None`."""
        return self.model_config.model

    def register_model_client(self, model_client_cls: type[Any], **kwargs: Any) -> None:
        """Give the class of a model client of your own, which a config names as `model_client_cls`.

        It is made with that config and these keyword arguments. Of several configs that name it, the first without a
        client gets it.
        """
        from jupyter_agents.models.client import register_client

        register_client(self.model, model_client_cls, **kwargs)

    @property
    def model_config(self) -> ModelConfig:
        """The model with the settings of its requests."""
        return adjustment_of(self).model_config or self._model_config

    @property
    def llm_config(self) -> dict[str, Any] | bool:
        """The inference settings as given (a copy), or `False` where no model speaks for the agent."""
        return self.model_config.to_classic()

    @property
    def request_options(self) -> Mapping[str, Any]:
        """The inference settings that go into every request."""
        return self.model_config.options

    @property
    def asks_session_human(self) -> bool:
        """Whether prompts go to a person through `human`, not through an override of `get_human_input`."""
        return not is_overridden(self, "get_human_input")

    def system_wire(self) -> list[dict[str, Any]]:
        """The instructions as a server is sent them."""
        return [{"content": self._system_message, "role": "system"}] if self._system_message else []
