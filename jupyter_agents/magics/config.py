"""`%config JupyterAgents`: the settings of this session, also from `ipython_config.py`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from traitlets import Bool, Enum, Float, Int, TraitError, TraitType, Unicode, default
from traitlets.config import Configurable

from jupyter_agents.budget import Budget, budget_from_text
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.meant import is_number
from jupyter_agents.models.cache import Cache
from jupyter_agents.models.keys import KEYRING_VARIABLE, checked_variable
from jupyter_agents.models.masking import is_plain_address, kind_of, masked
from jupyter_agents.session import Settings, current_session

OF_ENVIRONMENT = {"code_policy": "JUPYTER_AGENTS_CODE_POLICY", "keyring": KEYRING_VARIABLE}
"""Settings whose default is a variable of the environment."""


class ModelSetting(TraitType[Any, Any]):
    """A model name, a config or a model object. Neither the value nor an error about it shows a key."""

    info_text = "a model name, an llm_config dictionary or a model object"

    def validate(self, obj: Any, value: Any) -> Any:
        """The value, with what is secret in it masked."""
        if value is None or isinstance(value, str | Mapping) or hasattr(value, "complete"):
            return masked(value)
        raise TraitError(f"Cannot use a model {kind_of(value)}: {self.info_text} is accepted. Assign one.")


class AddressSetting(TraitType[Any, Any]):
    """The address of a server, with nothing in it that may be a key."""

    info_text = "an address like 'http://127.0.0.1:11434/v1', without user, password and query,"

    def validate(self, obj: Any, value: Any) -> Any:
        """The value, unless there is a secret in it, which no error shows."""
        if value is None or (isinstance(value, str) and is_plain_address(value)):
            return value
        raise TraitError(
            f"Cannot use this base_url: {self.info_text} is accepted. Put keys into the environment, or into an "
            "llm_config ('default_headers', 'extra_query')."
        )


class VariableSetting(TraitType[Any, Any]):
    """The name of a variable of the environment."""

    info_text = "the name of a variable that holds the key"

    def validate(self, obj: Any, value: Any) -> Any:
        """The value, unless it may be the key itself, which no error shows."""
        try:
            return checked_variable(value)
        except ConfigurationError as error:
            raise TraitError(str(error)) from None


class BudgetSetting(TraitType[Any, Any]):
    """What a chat may spend."""

    info_text = "US dollars, limits by name ('turns=20,money=0.5'), or a Budget"

    def validate(self, obj: Any, value: Any) -> Any:
        """The budget."""
        if value is None or isinstance(value, Budget):
            return value
        try:
            return Budget(money=value) if is_number(value) else budget_from_text(str(value))
        except ConfigurationError as error:
            raise TraitError(str(error)) from None


class CacheSetting(TraitType[Any, Any]):
    """Where replies are kept."""

    info_text = "True, False, or the path of a file"

    def validate(self, obj: Any, value: Any) -> Any:
        """The value; a path as text."""
        if value is None or isinstance(value, bool):
            return value
        try:
            return str(Cache(value).path) if isinstance(value, str | os.PathLike) else self.error(obj, value)
        except ConfigurationError as error:
            raise TraitError(str(error)) from None


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
        ["off", "model", "all", "record", "refresh"],
        "off",
        help="Replay the words of models, of people too (all), record them, or replay what fits and record the rest.",
    ).tag(config=True)

    budget = BudgetSetting(
        None,
        allow_none=True,
        help="What a chat may spend that is given no budget: US dollars, limits by name ('turns=20,money=0.5'), a Budget.",
    ).tag(config=True)
    cache = CacheSetting(
        None,
        allow_none=True,
        help="Whether replies of models are kept, and asked for first, in chats that are given no cache: True (in "
        ".jupyter_agents/cache.sqlite), or the path of a file.",
    ).tag(config=True)
    prompt_timeout = Float(
        None,
        allow_none=True,
        help="Seconds that a prompt on the page waits; then skip, or reject code. None: for ever.",
    ).tag(config=True)

    base_url = AddressSetting(
        None, allow_none=True, help="Where the models are whose config does not say it: goes before OPENAI_BASE_URL."
    ).tag(config=True)
    api_key_variable = VariableSetting(
        None,
        allow_none=True,
        help="The variable of the environment that holds their key; None: OPENAI_API_KEY, or that of a known server.",
    ).tag(config=True)
    keyring = Bool(
        False, help="Whether keys that are not in the environment are read from the system's keyring (extra keyring)."
    ).tag(config=True)

    def __init__(self, settings: Settings | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._settings = settings or current_session().settings
        self._names = [one.name for one in fields(Settings)]
        for name in self._names:
            setattr(self._settings, name, getattr(self, name))
        self.origins = {name: self._first_origin(name) for name in self._names}
        self.observe(self._changed, self._names)

    def _first_origin(self, name: str) -> str:
        """Where the value of a setting comes from before anybody has set it here."""
        if name in self.config.get(type(self).__name__, {}):
            return "ipython_config"
        variable = OF_ENVIRONMENT.get(name)
        return f"environment: {variable}" if variable and os.environ.get(variable, "").strip() else "default"

    def origin_of(self, name: str) -> str:
        """Who says what a setting is: `default`, `ipython_config`, `%config`, `environment: …`, or `Python`."""
        is_ours = getattr(self._settings, name) == getattr(self, name)
        return self.origins[name] if is_ours else "Python: session.settings"

    @default("keyring")
    def _default_keyring(self) -> bool:
        """What the session says: the environment may have set it."""
        return self._settings.keyring

    @default("code_policy")
    def _default_code_policy(self) -> str | None:
        """What the session says: the environment may have set it."""
        return self._settings.code_policy

    def _changed(self, change: dict[str, Any]) -> None:
        setattr(self._settings, change["name"], change["new"])
        self.origins[change["name"]] = "%config"
