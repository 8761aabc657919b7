"""Which model speaks for an agent: the classic `llm_config`, checked and copied."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.meant import short
from jupyter_agents.models.base import Model, ModelReply, ModelRequest
from jupyter_agents.models.masking import MaskedConfig, kind_of

if TYPE_CHECKING:
    from jupyter_agents.models.cache import Cache

FOR_CALLS = frozenset({"functions", "function_call", "tools", "tool_choice", "parallel_tool_calls", "response_format"})
"""Options that are for what an agent says, and out of place where its model is asked aside."""


class SessionModel:
    """Whatever model this session is configured with, looked up at every call, so that a setting takes effect at once."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        """See `Model`. Raises `ModelNotConfiguredError` when there is none."""
        return await self._find().complete(request)

    @property
    def scripted(self) -> bool:
        """Whether its words are written by hand, which recordings and pages say."""
        return bool(getattr(self._find(), "scripted", False))

    def check_configured(self) -> None:
        """Raise `ModelNotConfiguredError` when there is no such model."""
        from jupyter_agents.models.base import check_configured

        check_configured(self._find())

    def caching(self, cache: Cache) -> Model:
        """The model that is meant now, with a cache."""
        from jupyter_agents.models.cached import with_cache

        return with_cache(self._find(), cache)

    def expected_cost(self, request: ModelRequest) -> float | None:
        """What a call may cost, as far as that is known before."""
        from jupyter_agents.models.pricing import expected_cost

        return expected_cost(self._find(), request)

    def renamed(self, name: str) -> Model:
        """The model of this name where the session's is."""
        return NamedModel(name)

    def _find(self) -> Model:
        return _find_session_model()

    def __repr__(self) -> str:
        return "the configured model"


class NamedModel(SessionModel):
    """A model that is given by name only: where it is, the session says, or the environment, or a local server.

    `settings` are those of the agent's own config, which go over those of the session.
    """

    def __init__(self, name: str, settings: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self._settings = dict(settings or {})
        self._found: tuple[Any, Model] | None = None

    def renamed(self, name: str) -> Model:
        """The same with another name."""
        return NamedModel(name, self._settings)

    def _find(self) -> Model:
        """Looked up anew when the session or the environment says something else, or nothing was found."""
        from jupyter_agents.models.base import is_configured
        from jupyter_agents.models.named import named_model
        from jupyter_agents.session import current_session

        settings = current_session().settings
        base, place = settings.model, (settings.base_url, settings.api_key_variable, settings.keyring)
        told = (
            dict(base) if isinstance(base, Mapping) else base,
            *place,
            *(os.environ.get(name) for name in _ENVIRONMENT),
        )
        if self._found is None or self._found[0] != told:
            found = named_model(self.name, base, self._settings)
            if not is_configured(found):
                return found
            self._found = told, found
        return self._found[1]

    def __repr__(self) -> str:
        return f"the model {self.name!r}"


_ENVIRONMENT = ("OPENAI_API_KEY", "OPENAI_BASE_URL")


@dataclass(frozen=True)
class ModelConfig:
    """What an `llm_config` says: the model, and the inference settings that go into every request."""

    model: Model | None
    _options: dict[str, Any] = field(default_factory=dict, repr=False)
    _given: dict[str, Any] | None = field(default=None, repr=False)

    @classmethod
    def from_classic(cls, config: Mapping[str, Any] | Model | bool | None) -> ModelConfig:
        """The configuration. `False` is no model; `None`, `True` and a dictionary without a model are the session's."""
        if config is False:
            return cls(None)
        if config is None or config is True:
            return cls(SessionModel(), _given={})
        if isinstance(config, type):
            raise ConfigurationError(
                f"Cannot use llm_config={config.__name__}: it is a class. Give an object of it: {config.__name__}(…)."
            )
        if hasattr(config, "complete") and not isinstance(config, Mapping):
            return cls(config, _given={})
        if not isinstance(config, Mapping):
            raise ConfigurationError(
                f"Cannot use llm_config {kind_of(config)}: give a dictionary, a model, or False for none. "
                "A name goes in {'model': …}, a list of configs in {'config_list': […]}."
            )
        from jupyter_agents.agents.reply_format import with_reply_format
        from jupyter_agents.models.config import request_options

        _check_signatures(config)
        config = with_reply_format(config)
        always = {key: value for key, value in config.items() if key not in FOR_CALLS}  # also where it is asked aside
        return cls(_model_of(always), request_options(config), _copied(config))

    @property
    def options(self) -> Mapping[str, Any]:
        """The inference settings, in a dictionary of the caller's own."""
        return dict(self._options)

    def renamed(self, name: str) -> ModelConfig:
        """The same with another model at the same endpoint: what `--model` means."""
        from jupyter_agents.models.named import named_model

        given = {key: value for key, value in (self._given or {}).items() if key not in ("config_list", "price")} | {
            "model": name
        }
        model: Model
        if isinstance(self.model, SessionModel):
            model = self.model.renamed(name)
        elif self.model is None or getattr(self.model, "scripted", False):  # which is nowhere
            model = NamedModel(name)
        else:
            model = named_model(name, self._given or self.model)
        return ModelConfig(model, self._options, given)

    def offering(self, key: str, signatures: Sequence[Mapping[str, Any]]) -> ModelConfig:
        """The same with other `tools`, or legacy `functions`, in every request."""
        if any(key in config for config in (self._given or {}).get("config_list") or ()):
            raise ConfigurationError(
                f"Cannot change what the model may call: a config in config_list has {key!r} of its own. "
                f"Put {key!r} beside config_list, for all."
            )
        found = [copy.deepcopy(dict(one)) for one in signatures]
        given, options = (
            {name: value for name, value in one.items() if name != key} for one in (self._given or {}, self._options)
        )
        if found:
            return replace(self, _given=given | {key: found}, _options=options | {key: found})
        was_given = key in (self._given or {})  # the model was made with them; `None` goes before that, and is not sent
        return replace(self, _given=given, _options=options | ({key: None} if was_given else {}))

    def to_classic(self) -> dict[str, Any] | bool:
        """The dictionary as it was given (a copy), or `False`. What is secret in it is not shown when it is printed."""
        return False if self._given is None else MaskedConfig(_copied(self._given))


def _check_signatures(config: Mapping[str, Any]) -> None:
    """Refuse functions and tools that are not described as a server is told of them."""
    listed = config.get("config_list")
    entries = [config, *(listed if isinstance(listed, list | tuple) else ())]
    for key, one in product(("tools", "functions"), entries):
        given = one.get(key) if isinstance(one, Mapping) else None
        if given is None or (isinstance(given, list | tuple) and all(isinstance(each, Mapping) for each in given)):
            continue
        raise ConfigurationError(
            f"Cannot use {key} in llm_config: {short(given)} is no list of signatures (dictionaries with a name). Make "
            "Python functions tools of the agent instead: @agent.tool, or agent.use(function)."
        )


def _model_of(config: Mapping[str, Any]) -> Model:
    from jupyter_agents.models.cache import cache_of
    from jupyter_agents.models.cached import with_cache
    from jupyter_agents.models.config import model_from_config, with_fallback
    from jupyter_agents.models.config_keys import CONNECTION_KEYS
    from jupyter_agents.models.named import is_bare

    if {"model", "config_list", "model_client_cls", *CONNECTION_KEYS}.isdisjoint(config):
        model, cache = SessionModel(), cache_of(config)
        models: list[Model] = [model if cache is None else with_cache(model, cache)]
        return with_fallback(models, [config.get("filter_func")], config.get("total_timeout"))
    found = model_from_config(config)  # whatever is wrong with it is said now
    return NamedModel(config["model"], _copied(config)) if is_bare(config) else found


def _copied(config: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy in which models, clients and the like stay what they are."""
    return {key: copy.deepcopy(value) if isinstance(value, (dict, list)) else value for key, value in config.items()}


def _find_session_model() -> Model:
    from jupyter_agents.errors import ModelNotConfiguredError
    from jupyter_agents.session import current_session

    find: Callable[[], Model] | None = current_session().find_model
    if find is None:
        raise ModelNotConfiguredError(
            "Cannot call a model: none is configured. Set OPENAI_API_KEY (and OPENAI_BASE_URL), pass llm_config, "
            "or set %config JupyterAgents.model."
        )
    return find()
