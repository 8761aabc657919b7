"""What answers are known by: everything that bears on what is said, and nothing of keys and of patience."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

from jupyter_agents.journal.canonical import plain
from jupyter_agents.models.base import Model, ModelRequest
from jupyter_agents.tuning.store import key_of

_NOT_SAID = frozenset(
    """api_key api_key_variable api_rate_limit azure_ad_token_provider cache cache_seed default_headers extra_headers extra_query
    idle_timeout max_retries max_retry_period messages model on_break organization price prompt request_timeout
    retry_time retry_timeout retry_wait_time stream tags timeout total_timeout""".split()
)
"""Settings that do not change what is said, and those that a request has already."""


def of_request(
    request: ModelRequest, config: Mapping[str, Any], model: Model, label: Any, instance: Mapping[str, Any]
) -> str | None:
    """The key of what a model is asked. `None` for one that cannot be told from others of its kind."""
    sources = [getattr(leaf, "source", None) for leaf in leaves(model)]
    if not isinstance(label, str) and not all(sources):
        return None
    settings = {name: _told(value) for name, value in config.items() if name not in _NOT_SAID}
    asked = {"messages": plain(request.messages), "options": plain(request.options), "settings": settings}
    named = {"label": label if isinstance(label, str) else None, "sources": [str(source or "") for source in sources]}
    seen = dict(instance) if _has_filter(config) else None  # a filter reads more of it than what is asked
    return key_of(asked | named | {"instance": seen})


def of_chat(run: Any, config: Mapping[str, Any], labels: Mapping[str, Any], instance: Mapping[str, Any]) -> str | None:
    """The key of what a function says of an instance; what is no data is known by its label."""
    named = {name: labels.get(name, one) if key_of({name: one}) is None else one for name, one in config.items()}
    return key_of({"run": _code_of(run), "config": named, "instance": dict(instance)})


def leaves(model: Model) -> Iterator[Model]:
    """The models of which a model is made, or itself."""
    parts = getattr(model, "parts", None)
    if not parts:
        yield model
    for part in parts or ():
        yield from leaves(part)


def endpoints(model: Model) -> list[tuple[str | None, str | None]]:
    """The name and the host of each model, as far as they are known."""
    return [
        (getattr(one, "name", None), getattr(getattr(one, "endpoint", None), "host", None)) for one in leaves(model)
    ]


def _has_filter(config: Mapping[str, Any]) -> bool:
    return any(one.get("filter_func") is not None for one in (config, *(config.get("config_list") or ())))


def _told(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _told(one) for name, one in value.items() if name == "model" or name not in _NOT_SAID}
    if isinstance(value, (list, tuple)):
        return [_told(one) for one in value]
    return _code_of(value) if hasattr(value, "__code__") or hasattr(value, "__func__") else plain(value)


def _code_of(function: Any) -> list[str]:
    """A function by its name and its code, so that what an edited one says is asked for anew."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    name = str(getattr(function, "__qualname__", type(function).__qualname__))
    return [name, *(_lines_of(code) if isinstance(code, CodeType) else ())]


def _lines_of(code: CodeType) -> list[str]:
    inner = [line for one in code.co_consts if isinstance(one, CodeType) for line in _lines_of(one)]
    constants = [repr(one) for one in code.co_consts if isinstance(one, (str, bytes, int, float, tuple, type(None)))]
    return [code.co_code.hex(), *code.co_names, *(one for one in constants if "<code object" not in one), *inner]
