"""From what a user writes (`llm_config`, a config list, a name) to a model, with the next config as the fallback.

The classic keys are taken as they were: `config_list`, `api_base` and `request_timeout` among them. What has no meaning
here any more is accepted and ignored (`IGNORED_KEYS`). Nothing is cached unless a config asks for it, by `cache`, or
by a `cache_seed`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.models.base import Model
from jupyter_agents.models.cache import cache_of
from jupyter_agents.models.config_keys import ALIASES, CALL_KEYS, CONNECTION_KEYS, IGNORED_KEYS, check_keys
from jupyter_agents.models.config_lists import checked_list
from jupyter_agents.models.fallback import FallbackModel, WithOptions
from jupyter_agents.models.masking import kind_of
from jupyter_agents.models.presets import with_preset
from jupyter_agents.models.pricing import PricedModel, checked_price


def model_from_config(llm_config: Mapping[str, Any] | str | Model | None = None) -> Model:
    """The model that a config means. The config is copied, and what becomes of it later is of no effect.

    Accepted are the classic dictionary (inference keys, and `config_list` for several models of which the next answers
    when one cannot), a model name, a `Model` (also as the value of `"model"`), and `None` for what the environment
    says. No key is needed yet: a missing one is a `ModelNotConfiguredError` at the first call, or at
    `check_configured()`.

    >>> model_from_config({"config_list": [{"model": "a", "api_key": "1"}, {"model": "b", "api_key": "2"}]})
    FallbackModel([OpenAIModel('a', 'api.openai.com'), OpenAIModel('b', 'api.openai.com')])
    """
    if llm_config is None or isinstance(llm_config, str):
        llm_config = {"model": llm_config} if llm_config else {}
    if isinstance(llm_config, Model):
        return llm_config
    if not isinstance(llm_config, Mapping):
        raise ConfigurationError(
            f"Cannot use llm_config {kind_of(llm_config)}: a dictionary, a model name or a Model is accepted. "
            "Pass one of them; a list of configs goes in {'config_list': […]}."
        )
    check_keys(llm_config)
    shared = {key: value for key, value in llm_config.items() if key != "config_list"}
    configs = llm_config.get("config_list")
    merged = [shared] if configs is None else [shared | dict(config) for config in checked_list(configs)]
    models = [_one_cached(_in_a_hurry(config)) for config in merged[:-1]] + [_one_cached(merged[-1])]
    return with_fallback(models, [config.get("filter_func") for config in merged], shared.get("total_timeout"))


def with_fallback(models: Sequence[Model], filters: Sequence[Any], total_timeout: Any = None) -> Model:
    """The models as one. A single one without a filter and a limit is itself."""
    if len(models) == 1 and filters[0] is None and total_timeout is None:
        return models[0]
    return FallbackModel(models, filter_func=filters, total_timeout=total_timeout)


def request_options(llm_config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a config goes into every request, whichever model answers it: a copy.

    >>> request_options({"model": "gpt-4.1", "api_key": "sk-1", "temperature": 0})
    {'temperature': 0}
    """
    check_keys(llm_config)
    listed = {key for config in llm_config.get("config_list") or () for key in config}  # what a config says itself
    elsewhere = {"model", "config_list", *CONNECTION_KEYS, *CALL_KEYS, *IGNORED_KEYS, *ALIASES, *listed}
    return {key: copy.deepcopy(value) for key, value in llm_config.items() if key not in elsewhere}


def _in_a_hurry(config: dict[str, Any]) -> dict[str, Any]:
    """No retries where another config can answer at once, as in the classic framework."""
    return {"max_retries": 0} | config


def _one_cached(config: Mapping[str, Any]) -> Model:
    cache = cache_of(config)
    model = _one_model(config)
    if cache is None or getattr(model, "scripted", False):
        return model
    from jupyter_agents.models.cached import with_cache

    return with_cache(model, cache)


def _one_model(config: Mapping[str, Any]) -> Model:
    model = config.get("model")
    if model is not None and not isinstance(model, str):
        return _given_model(model, config)
    if config.get("model_client_cls") is not None:
        return _client_model(config)
    from jupyter_agents.models.openai import OpenAIModel

    settings: dict[str, Any] = {}
    config = with_preset(config)
    for key, value in config.items():
        if not isinstance(key, str):
            raise ConfigurationError(f"Cannot use a key {kind_of(key)} in llm_config: keys are texts. Correct it.")
        if key not in IGNORED_KEYS and key not in CALL_KEYS:
            settings[ALIASES.get(key, key)] = value if callable(value) else copy.deepcopy(value)
    settings["price"] = config.get("price")
    return OpenAIModel(**{key: value for key, value in settings.items() if value is not None})


def _given_model(model: Any, config: Mapping[str, Any]) -> Model:
    if not isinstance(model, Model):
        raise ConfigurationError(
            f"Cannot use a model {kind_of(model)}: a name or an object with a complete() method is accepted. Pass one."
        )
    not_sent = {"model", *CALL_KEYS, *IGNORED_KEYS, *CONNECTION_KEYS, *ALIASES}
    options = {key: value for key, value in config.items() if key not in not_sent}
    found: Model = WithOptions(model, copy.deepcopy(options)) if options else model
    price = checked_price(config.get("price"))
    return found if price is None else PricedModel(found, price)


def _client_model(config: Mapping[str, Any]) -> Model:
    from jupyter_agents.models.client import ClientModel

    not_sent = {"model", *CALL_KEYS, *IGNORED_KEYS, *CONNECTION_KEYS, *ALIASES}
    return ClientModel(config, {key: value for key, value in config.items() if key not in not_sent})
