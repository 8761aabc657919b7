"""Which model speaks for an agent: the classic `llm_config`, checked and immutable."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.models.base import Model, ModelReply, ModelRequest


class SessionModel:
    """Whatever model this session is configured with, looked up at every call, so that a setting takes effect at once."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """See `Model`. Raises `ModelNotConfiguredError` when there is none."""
        return await _find_session_model().complete(request)

    @property
    def scripted(self) -> bool:
        """Whether its words are written by hand, which recordings and pages say."""
        return bool(getattr(_find_session_model(), "scripted", False))

    def check_configured(self) -> None:
        """Raise `ModelNotConfiguredError` when there is no such model."""
        from jupyter_agents.models.config import check_configured

        check_configured(_find_session_model())

    def __repr__(self) -> str:
        return "the configured model"


@dataclass(frozen=True)
class ModelConfig:
    """What an `llm_config` says: the model, and the inference settings that go into every request."""

    model: Model | None
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    given: Mapping[str, Any] | None = field(default=None, repr=False)  # a key may be in it

    @classmethod
    def from_classic(cls, config: Mapping[str, Any] | Model | bool | None) -> ModelConfig:
        """The configuration. `False` is no model; `None`, `True` and a dictionary without a model are the session's."""
        if config is False:
            return cls(None)
        if config is None or config is True:
            return cls(SessionModel(), given={})
        if hasattr(config, "complete") and not isinstance(config, Mapping):
            return cls(config, given={})
        if not isinstance(config, Mapping):
            raise ConfigurationError(
                f"Cannot use llm_config={config!r}: give a dictionary, a model, or False for none."
            )
        from jupyter_agents.models.config import CONNECTION_KEYS, model_from_config, request_options

        names_model = not {"model", "config_list", *CONNECTION_KEYS}.isdisjoint(config)
        model = model_from_config(config) if names_model else SessionModel()
        return cls(model, MappingProxyType(request_options(config)), _copied(config))

    def to_classic(self) -> dict[str, Any] | bool:
        """The dictionary as it was given (a copy), or `False`."""
        return False if self.given is None else dict(_copied(self.given))


def _copied(config: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy in which models, clients and the like stay what they are."""
    return {key: copy.deepcopy(value) if isinstance(value, (dict, list)) else value for key, value in config.items()}


def _find_session_model() -> Model:
    from jupyter_agents.errors import ModelNotConfiguredError
    from jupyter_agents.session import current_session

    find = current_session().find_model
    if find is None:
        raise ModelNotConfiguredError(
            "Cannot call a model: none is configured. Set OPENAI_API_KEY (and OPENAI_BASE_URL), pass llm_config, "
            "or set %config JupyterAgents.model."
        )
    return find()
