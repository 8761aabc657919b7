"""Configs that can be shown: which values of an `llm_config` are for a page, and which stay hidden.

A list of what may be shown, not of what may not: a key has many names (`api_key`, a header, a field of `extra_body`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_agents.models.keys import is_variable_name

_HIDDEN = "***"

_SHOWN_KEYS = frozenset(
    """allow_format_str_template api api_rate_limit api_type api_version azure_deployment cache cache_seed
    deployment_id engine frequency_penalty idle_timeout logprobs max_completion_tokens max_retries max_tokens model n on_break parallel_tool_calls
    presence_penalty preset reasoning_effort request_timeout seed service_tier store stream system_role temperature
    timeout top_k top_logprobs top_p total_timeout verbosity""".split()
)
_NOT_AS_IT_IS = frozenset({"api_key_variable", "base_url"})
_ADDRESSES = frozenset({"api_base", "azure_endpoint", "base_url"})


class MaskedConfig(dict[str, Any]):
    """A config, as a dictionary with all its values, which shows only the harmless ones.

    >>> MaskedConfig({"model": "gpt-4.1", "api_key": "sk-secret", "temperature": 0})
    {'model': 'gpt-4.1', 'api_key': '***', 'temperature': 0}
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__({key: masked(value) if key == "config_list" else value for key, value in config.items()})

    def __repr__(self) -> str:
        return repr(shown(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return MaskedConfig, (dict(self),)


def masked(value: Any) -> Any:
    """What a setting holds, such that its `repr` shows no key: configs are masked, anything else is what it is."""
    if isinstance(value, list | tuple):
        return [masked(one) for one in value]
    return value if isinstance(value, MaskedConfig) or not isinstance(value, Mapping) else MaskedConfig(value)


def shown(config: Mapping[Any, Any]) -> dict[Any, Any]:
    """A config for a person: values that may be secret are replaced."""
    return {key: _shown_value(key, value) for key, value in config.items()}


def shown_setting(name: str, value: Any) -> Any:
    """What a setting of a session holds, for a person."""
    return _shown_value(name, value) if name in _NOT_AS_IT_IS else masked(value)


def kind_of(value: Any) -> str:
    """What a wrong value is, for an error that must not show it: its type, and the keys where it has some.

    >>> kind_of([{"model": "m", "api_key": "sk-secret"}])
    'of type list (with a dict of model, api_key)'
    """
    inner = value
    if isinstance(value, list | tuple):
        inner = next((one for one in value if isinstance(one, Mapping)), None)
    kind = f"of type {type(value).__name__}"
    if not isinstance(inner, Mapping) or not inner:
        return kind
    keys = ", ".join(str(key) if key in _KNOWN_KEYS else _HIDDEN for key in inner)
    return f"{kind} (with {keys})" if inner is value else f"{kind} (with a {type(inner).__name__} of {keys})"


_KNOWN_KEYS = _SHOWN_KEYS | _ADDRESSES | {"api_key", "config_list", "default_headers", "extra_body", "extra_headers"}


def _shown_value(key: Any, value: Any) -> Any:
    if value is None:
        return None
    if key == "config_list" and isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return [shown(one) if isinstance(one, Mapping) else _HIDDEN for one in value]
    if key == "model" and hasattr(value, "complete"):
        return value
    if key in _ADDRESSES and isinstance(value, str):
        return _address(value)
    if key == "api_key_variable":
        return value if is_variable_name(value) else _HIDDEN
    return value if _is_harmless(key, value) else _HIDDEN


def _is_harmless(key: Any, value: Any) -> bool:
    if key == "price" and isinstance(value, list | tuple):
        return all(isinstance(one, int | float) for one in value)
    return key in _SHOWN_KEYS and isinstance(value, str | int | float)


def _address(url: str) -> str:
    """An address without user, password and query, any of which may be a key."""
    from jupyter_agents.errors import ConfigurationError
    from jupyter_agents.models.endpoint import checked_url, host_of

    try:
        return f"{checked_url(url).partition(':')[0]}://{host_of(url)}"
    except ConfigurationError:
        return _HIDDEN


def public(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A config as it may be written to a file, without what may be secret, and the keys of what was left out.

    >>> public({"model": "gpt-4.1", "api_key": "sk-secret", "temperature": 0})
    ({'model': 'gpt-4.1', 'temperature': 0}, ['api_key'])
    """
    found: dict[str, Any] = {}
    left_out: list[str] = []
    for key, value in config.items():
        if key == "config_list" and isinstance(value, list | tuple):
            parts = [public(one) for one in value if isinstance(one, Mapping)]
            found[key] = [one for one, _ in parts]
            left_out += [name for _, names in parts for name in names if name not in left_out]
        elif (
            key in _SCHEMAS
            or value is None
            or (key in _ADDRESSES and is_plain_address(value))
            or (key == "api_key_variable" and is_variable_name(value))
            or _is_harmless(key, value)
        ):
            found[key] = value
        else:
            left_out.append(str(key))
    return found, left_out


_SCHEMAS = frozenset({"function_call", "functions", "response_format", "stop", "tool_choice", "tools"})
"""Keys whose values are no secrets, and no plain values."""


def is_plain_address(url: Any) -> bool:
    """Whether an address has nothing in it that may be a key: no user, no password, no query."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(str(url))
    except ValueError:
        return False
    return not (parts.username or parts.password or parts.query or parts.fragment)
