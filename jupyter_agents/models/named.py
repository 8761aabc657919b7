"""What a bare model name means: the model of that name at the endpoint that is in use already.

A name says what is to answer, never who is to read the conversation. So it keeps the endpoint of the config that it
replaces; where there is none, the environment's; where that says nothing, a server on this machine which offers it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.models.base import Model

_DEPLOYMENT_KEYS = frozenset({"azure_deployment", "deployment_id", "engine"})  # another name for the model
ENDPOINT_KEYS = _DEPLOYMENT_KEYS | frozenset(
    """api_base api_key api_key_variable api_type api_version azure_ad_token_provider azure_endpoint base_url default_headers
    extra_headers extra_query model_client_cls organization preset""".split()
)
"""Keys of a config that say where its model is."""


def is_bare(config: Any) -> bool:
    """Whether a config names a model and does not say where it is.

    >>> is_bare({"model": "m", "temperature": 0}), is_bare({"model": "m", "base_url": "http://127.0.0.1:1/v1"})
    (True, False)
    """
    if isinstance(config, str):
        return True
    if not isinstance(config, Mapping) or not isinstance(config.get("model"), str):
        return False
    return {"config_list", *ENDPOINT_KEYS}.isdisjoint(key for key, value in config.items() if value is not None)


def named_model(
    name: str, base: Mapping[str, Any] | str | Model | None = None, settings: Mapping[str, Any] | None = None
) -> Model:
    """The model of this name where that of `base` is, with the settings of `base` and over them the given ones.

    Of a config list the first counts. A base without an endpoint (`None`, a name, a scripted model) leaves it to the
    environment, or to a server on this machine. Raises `ConfigurationError` for a model object that cannot be asked
    for another name: it is not replaced by one elsewhere.
    """
    own = {**(settings or {}), "model": name}
    config = _first(base) if isinstance(base, Mapping) else {"model": base}
    model = config.get("model")
    if model is None or isinstance(model, str):
        not_its = _DEPLOYMENT_KEYS if model == name else _DEPLOYMENT_KEYS | {"price"}
        return _placed({key: value for key, value in config.items() if key not in not_its} | own)
    return _placed(own) if getattr(model, "scripted", False) else _renamed(model, name)


def configured_model(config: Mapping[str, Any] | str | Model) -> Model:
    """The model of a session's config, which may be a name only."""
    from jupyter_agents.models.config import model_from_config

    if isinstance(config, str):
        return named_model(config)
    if isinstance(config, Mapping) and is_bare(config):
        return named_model(config["model"], None, config)
    return model_from_config(config)


def _first(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config, or the first of its config list, with what is shared."""
    from jupyter_agents.models.config_lists import checked_list

    shared = {key: value for key, value in config.items() if key != "config_list"}
    configs = config.get("config_list")
    return shared if configs is None else shared | dict(checked_list(configs)[0])


def _placed(config: dict[str, Any]) -> Model:
    """The model of a config; one that does not say where is looked for."""
    from jupyter_agents.models.config import model_from_config

    if is_bare(config) and not says_environment_where():
        config = config | _offered_here(config["model"])
    return model_from_config(config)


def says_environment_where() -> bool:
    """Whether the environment, or the settings, hold a key or an address."""
    from jupyter_agents.models.endpoint import Endpoint
    from jupyter_agents.models.keys import find_key
    from jupyter_agents.session import current_session

    settings = current_session().settings
    if settings.base_url or os.environ.get("OPENAI_BASE_URL"):
        return True
    return find_key(Endpoint().key_variables(), keyring=settings.keyring) is not None


def _offered_here(name: str) -> dict[str, str]:
    from jupyter_agents.models import local

    server = local.find_local_server(model=name)
    return {"base_url": server.base_url} if server is not None and server.offers(name) else {}


def _renamed(model: Any, name: str) -> Model:
    rename = getattr(model, "renamed", None)
    if rename is None:
        raise ConfigurationError(
            f"Cannot ask for {name!r}: the model in use is a {type(model).__name__}, which has no other names. "
            "Pass an llm_config with the name and its 'base_url'."
        )
    renamed: Model = rename(name)
    return renamed
