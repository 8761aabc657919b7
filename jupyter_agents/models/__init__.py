"""Models: who answers. One boundary (`Model`) and its implementations."""

from jupyter_agents.models.base import Model, ModelReply, ModelRequest
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
