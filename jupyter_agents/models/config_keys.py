"""The keys of an `llm_config`: which there are, which lead to a model, and which are certainly mistyped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.nearest import mistyped

CONNECTION_KEYS = frozenset(
    """api api_key api_key_variable api_rate_limit api_type api_version azure_ad_token_provider azure_deployment azure_endpoint base_url default_headers
    extra_body extra_headers extra_query idle_timeout max_retries on_break organization preset stream system_role timeout""".split()
)
"""Keys of a config that say how to reach a model; all others are sent to it."""

CALL_KEYS = frozenset({"cache", "cache_seed", "filter_func", "model_client_cls", "price", "total_timeout"})
"""Keys that say how models are asked; they are read here and never sent."""

IGNORED_KEYS = frozenset(
    """allow_format_str_template max_retry_period raise_on_ratelimit_or_timeout retry_time
    retry_timeout retry_wait_time tags use_cache""".split()
)
"""Classic keys that are accepted and do nothing here."""

ALIASES = {
    "api_base": "base_url",
    "request_timeout": "timeout",
    "engine": "azure_deployment",
    "deployment_id": "azure_deployment",
}
"""Classic names of keys, and what they are called here."""

INFERENCE_KEYS = (
    CONNECTION_KEYS
    | CALL_KEYS
    | IGNORED_KEYS
    | frozenset(ALIASES)
    | frozenset(
        """audio best_of config_list frequency_penalty function_call functions logit_bias logprobs
        max_completion_tokens max_tokens metadata modalities model n parallel_tool_calls prediction presence_penalty
        reasoning_effort response_format seed service_tier stop store stream_options temperature tool_choice tools
        top_logprobs top_p user verbosity""".split()
    )
)
"""Every key that is known in an `llm_config`. Others are sent to the model as they are."""


def check_keys(config: Mapping[str, Any], where: str = "llm_config") -> None:
    """Refuse a key that is certainly mistyped: it would go to the server, and what was meant would not.

    Other keys that are not known here are sent as they are: servers have settings of their own. `where` says in an error
    what has the key.
    """
    for key in config:
        meant = None if key in INFERENCE_KEYS else mistyped(str(key), INFERENCE_KEYS)
        if meant is not None:
            raise ConfigurationError(f"Cannot use {where} with the key {key!r}. Did you mean {meant!r}?")
