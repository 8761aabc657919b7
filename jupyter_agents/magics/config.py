"""`%config JupyterAgents`: the settings of this session, also from `ipython_config.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from traitlets import Enum, Float, Int, TraitError, TraitType, Unicode, default
from traitlets.config import Configurable

from jupyter_agents.models.masking import kind_of, masked
from jupyter_agents.session import Settings, current_session


class ModelSetting(TraitType[Any, Any]):
    """A model name, a config or a model object. Neither the value nor an error about it shows a key."""

    info_text = "a model name, an llm_config dictionary or a model object"

    def validate(self, obj: Any, value: Any) -> Any:
        """The value, with what is secret in it masked."""
        if value is None or isinstance(value, str | Mapping) or hasattr(value, "complete"):
            return masked(value)
        raise TraitError(f"Cannot use a model {kind_of(value)}: {self.info_text} is accepted. Assign one.")


class JupyterAgents(Configurable):
    """Settings of all chats in this kernel."""

    model = ModelSetting(
        None, allow_none=True, help="The model of agents that name none: a name, an llm_config, or a model object."
    ).tag(config=True)
    code_policy = Enum(
        ["ask", "auto", "deny"],
        None,
        allow_none=True,
        help="Whether agents' code runs: ask you, auto, or deny. The stricter of this and the agent's own holds.",
    ).tag(config=True)
    tool_policy = Enum(
        ["ask", "auto", "deny"],
        None,
        allow_none=True,
        help="Whether functions are called for models: ask you, auto, or deny. The stricter of this and the agent's own "
        "holds.",
    ).tag(config=True)
    max_repairs = Int(10, min=0, help="How many failures in a row a model may try to mend.").tag(config=True)
    max_turns = Int(30, min=1, help="The turn limit of %%agentchat, in round trips.").tag(config=True)
    recording = Unicode(None, allow_none=True, help="The file of this notebook's recording.").tag(config=True)
    replay = Enum(
        ["off", "model", "all", "record"],
        "off",
        help="Replay the words of models, of people too (all), or record them.",
    ).tag(config=True)

    prompt_timeout = Float(
        None,
        allow_none=True,
        help="Seconds that a prompt on the page waits; then skip, or reject code. None: for ever.",
    ).tag(config=True)

    def __init__(self, settings: Settings | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._settings = settings or current_session().settings
        self._names = [one.name for one in fields(Settings)]
        for name in self._names:
            setattr(self._settings, name, getattr(self, name))
        self.observe(self._changed, self._names)

    @default("code_policy")
    def _default_code_policy(self) -> str | None:
        """What the session says: the environment may have set it."""
        return self._settings.code_policy

    def _changed(self, change: dict[str, Any]) -> None:
        setattr(self._settings, change["name"], change["new"])
