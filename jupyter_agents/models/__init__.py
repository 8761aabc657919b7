"""Models: who answers. One boundary (`Model`) and its implementations, each loaded when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jupyter_agents.models.base import Model, ModelReply, ModelRequest

if TYPE_CHECKING:
    from jupyter_agents.models.config import (
        INFERENCE_KEYS,
        FallbackModel,
        config_list_from_json,
        filter_config,
        model_from_config,
    )
    from jupyter_agents.models.local import LocalServer, find_local_server
    from jupyter_agents.models.openai import OpenAIModel
    from jupyter_agents.models.scripted import ScriptedModel

__all__ = [
    "INFERENCE_KEYS",
    "FallbackModel",
    "LocalServer",
    "Model",
    "ModelReply",
    "ModelRequest",
    "OpenAIModel",
    "ScriptedModel",
    "config_list_from_json",
    "filter_config",
    "find_local_server",
    "model_from_config",
]

_HOMES = {"LocalServer": "local", "find_local_server": "local", "OpenAIModel": "openai", "ScriptedModel": "scripted"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'config')}"), name)
    globals()[name] = value
    return value
