"""What `%agentconfig` shows: every setting in force, and where it came from. Of keys it is said only that there is one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from jupyter_agents.agents.model_config import NamedModel, SessionModel
from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.display.tables import Table
from jupyter_agents.errors import ConfigurationError, ModelNotConfiguredError
from jupyter_agents.journal.using import RECORDING_VARIABLE, REPLAY_VARIABLE
from jupyter_agents.magics.config import JupyterAgents
from jupyter_agents.models.base import Model
from jupyter_agents.models.endpoint import Endpoint
from jupyter_agents.models.masking import shown_setting
from jupyter_agents.session import Settings, current_session

_HEADINGS = ("setting", "value", "from")
_NOTHING = "–"

Row = tuple[str, str, str]


class Configuration:
    """The settings in force, the model that speaks for agents which name none, and what agents say for themselves."""

    def __init__(self, config: JupyterAgents, agents: Mapping[str, ResponsiveAgent]) -> None:
        self._rows = [*_settings(config), *_model_in_force(), *_agents(agents)]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return self._table().text()

    def _repr_html_(self) -> str:
        return self._table().scrolling_html("Settings")

    def _repr_markdown_(self) -> str:
        return self._table().markdown()

    def _table(self) -> Table:
        return Table.of(_HEADINGS, self._rows)


def configuration(shell: Any, agents: Mapping[str, ResponsiveAgent]) -> Configuration:
    """That of a shell in which the extension is loaded."""
    return Configuration(next(one for one in shell.configurables if isinstance(one, JupyterAgents)), agents)


def _settings(config: JupyterAgents) -> Iterator[Row]:
    settings = current_session().settings
    for one in fields(Settings):
        value, origin = getattr(settings, one.name), config.origin_of(one.name)
        told = os.environ.get(REPLAY_VARIABLE, "").strip().lower() if one.name == "replay" else ""
        if told:  # which goes before all settings
            value, origin = told, f"environment: {REPLAY_VARIABLE}"
        if one.name == "recording" and value is None and os.environ.get(RECORDING_VARIABLE):
            value, origin = os.environ[RECORDING_VARIABLE], f"environment: {RECORDING_VARIABLE}"
        yield one.name, _said(shown_setting(one.name, value)), origin


def _model_in_force() -> Iterator[Row]:
    """Who speaks for agents that name no model."""
    find = current_session().find_model
    try:
        model = find() if find is not None else None
    except ConfigurationError as error:
        yield "session.model", _NOTHING, str(error)
        return
    if model is not None:
        yield from _of_model(
            "session.", model, "settings: model" if current_session().settings.model is not None else "found"
        )


def _agents(agents: Mapping[str, ResponsiveAgent]) -> Iterator[Row]:
    for variable, agent in agents.items():
        if isinstance(agent.model, NamedModel):
            yield f"{variable}.model", agent.model.name, "agent, where the settings or the environment say"
        elif agent.model is not None and not isinstance(agent.model, SessionModel):
            yield from _of_model(f"{variable}.", agent.model, "agent")
        code = agent.code_config
        if code is not None:
            policy = code.strictest(current_session().settings.code_policy)
            yield f"{variable}.code_policy", policy, "agent" if policy == code.policy else "settings: code_policy"


def _of_model(prefix: str, model: Model, origin: str) -> Iterator[Row]:
    """A model, where it is, whose key opens the door and what the server lacks; of several models each."""
    several = tuple(getattr(model, "models", ()))
    for number, one in enumerate(several or (model,), 1):
        place = f"{prefix}model" if not several else f"{prefix}model [{number}]"
        yield place, str(getattr(one, "name", None) or repr(one)), _name_origin(one, origin)
        yield from _of_endpoint(place.replace("model", "{}"), getattr(one, "endpoint", None))


def _name_origin(model: Any, origin: str) -> str:
    if getattr(model, "model", "") is not None:
        return origin
    return "environment: OPENAI_MODEL" if os.environ.get("OPENAI_MODEL") else "default"


def _of_endpoint(place: str, endpoint: Endpoint | None) -> Iterator[Row]:
    if endpoint is None:
        return
    for what, find in (("base_url", endpoint.find_url), ("api_key", endpoint.find_key)):
        try:
            found = find()
        except ModelNotConfiguredError:
            yield place.format(what), _NOTHING, f"missing: {_wanted(what, endpoint)}"
            continue
        except ConfigurationError as error:  # a keyring that cannot be read
            yield place.format(what), _NOTHING, str(error)
            continue
        is_key = what == "api_key"
        shown = ("***" if found.origin != "not needed" else _NOTHING) if is_key else shown_setting(what, found.value)
        yield place.format(what), _said(shown), found.origin
    server = endpoint.server if endpoint.preset is not None or endpoint.base_url else None
    if server is not None and server.lacks:
        yield place.format("lacks"), server.lacks, f"preset: {server.name}"


def _wanted(what: str, endpoint: Endpoint) -> str:
    """What would say it."""
    return (
        "AZURE_OPENAI_ENDPOINT"
        if what == "base_url" or not _has_place(endpoint)
        else " or ".join(endpoint.key_variables())
    )


def _has_place(endpoint: Endpoint) -> bool:
    try:
        return bool(endpoint.find_url())
    except ModelNotConfiguredError:
        return False


def _said(value: Any) -> str:
    return _NOTHING if value is None else str(value)
