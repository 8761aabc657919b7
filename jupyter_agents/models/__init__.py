"""Models: who answers. One boundary (`Model`) and its implementations, each loaded when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jupyter_agents.models.base import Model, ModelReply, ModelRequest

if TYPE_CHECKING:
    from jupyter_agents.models.cache import Cache
    from jupyter_agents.models.config import model_from_config
    from jupyter_agents.models.config_keys import INFERENCE_KEYS
    from jupyter_agents.models.config_lists import config_list_from_json, filter_config
    from jupyter_agents.models.fallback import FallbackModel
    from jupyter_agents.models.key_files import (
        config_list_from_dotenv,
        config_list_from_models,
        config_list_gpt4_gpt35,
        config_list_openai_aoai,
        get_config,
        get_config_list,
    )
    from jupyter_agents.models.local import LocalServer, find_local_server, find_local_servers
    from jupyter_agents.models.openai import OpenAIModel
    from jupyter_agents.models.presets import PRESETS, Preset
    from jupyter_agents.models.scripted import ScriptedModel

__all__ = [
    "INFERENCE_KEYS",
    "PRESETS",
    "Cache",
    "FallbackModel",
    "LocalServer",
    "Model",
    "ModelReply",
    "ModelRequest",
    "OpenAIModel",
    "Preset",
    "ScriptedModel",
    "config_list_from_dotenv",
    "config_list_from_json",
    "config_list_from_models",
    "config_list_gpt4_gpt35",
    "config_list_openai_aoai",
    "filter_config",
    "find_local_server",
    "find_local_servers",
    "get_config",
    "get_config_list",
    "model_from_config",
]

_HOMES = {
    "Cache": "cache",
    "FallbackModel": "fallback",
    "INFERENCE_KEYS": "config_keys",
    "LocalServer": "local",
    "OpenAIModel": "openai",
    "PRESETS": "presets",
    "Preset": "presets",
    "ScriptedModel": "scripted",
    "config_list_from_dotenv": "key_files",
    "config_list_from_json": "config_lists",
    "config_list_from_models": "key_files",
    "config_list_gpt4_gpt35": "key_files",
    "config_list_openai_aoai": "key_files",
    "filter_config": "config_lists",
    "find_local_server": "local",
    "find_local_servers": "local",
    "get_config": "key_files",
    "get_config_list": "key_files",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'config')}"), name)
    globals()[name] = value
    return value
