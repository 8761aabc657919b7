"""What an agent builder needs to know of the user's variables: functions, models by name, and how source names them."""

from __future__ import annotations

import inspect
import os
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from jupyter_agents.agents.variables import check_free as check_free
from jupyter_agents.agents.variables import check_variable as check_variable
from jupyter_agents.agents.variables import is_agent as is_agent
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.messages import scrub
from jupyter_agents.tools import Tool
from jupyter_agents.widgets._builder_protocol import FunctionFacts, ModelFacts
from jupyter_agents.widgets._source import Reference

_LONGEST_LINE = 200
_MOST_FUNCTIONS = 500
_FUNCTIONS = (types.FunctionType, types.MethodType, types.BuiltinFunctionType)


def users_variables(namespace: Mapping[str, Any], hidden: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The variables that are the user's: none with `_` in front, and none that the shell has put there itself."""
    missing = object()
    for name, value in list(namespace.items()):
        if not name.startswith("_") and hidden.get(name, missing) is not value:
            yield name, value


def reference_to(value: Any, namespace: Mapping[str, Any]) -> Reference | None:
    """How source can name this very object: a variable, or a method of one. `None` where nothing holds it."""
    for name, held in list(namespace.items()):
        if held is value and not name.startswith("_"):
            return Reference(name, value)
    owner = getattr(value, "__self__", None) if isinstance(value, types.MethodType) else None
    found = reference_to(owner, namespace) if owner is not None else None
    return Reference(f"{found.expression}.{value.__name__}", value) if found else None


def reference_to_equal(value: Any, namespace: Mapping[str, Any]) -> Reference | None:
    """How source can name a text, list or dictionary that equals this one."""
    for name, held in list(namespace.items()):
        if type(held) in (str, list, dict) and not name.startswith("_") and _is_equal(held, value):
            return Reference(name, value)
    return None


def _is_equal(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - arrays and the like inside, whose comparison may raise anything
        return False


def function_at(expression: str, namespace: Mapping[str, Any]) -> Callable[..., Any]:
    """The function that a name, or a name with attributes, stands for. Raises `ConfigurationError` if it is none."""
    first, *rest = expression.split(".")
    try:
        found = namespace[first]
        for attribute in rest:
            found = getattr(found, attribute)
    except (KeyError, AttributeError):
        raise ConfigurationError(
            f"Cannot use function {expression!r}: no variable has this name any more. Run the cell that defines it, "
            "or take it off the list."
        ) from None
    if not callable(found):
        raise ConfigurationError(
            f"Cannot use function {expression!r}: it holds a {type(found).__name__}, which cannot be called. Take it "
            "off the list."
        )
    return found  # type: ignore[no-any-return]


def functions_in(namespace: Mapping[str, Any], hidden: Mapping[str, Any]) -> list[FunctionFacts]:
    """The functions and tools among the user's variables; those defined in the notebook first."""
    found = [
        _function_facts(name, value)
        for name, value in users_variables(namespace, hidden)
        if issubclass(type(value), (*_FUNCTIONS, Tool))
        and name.isidentifier()
        and not _is_of_package(function_of(value))
    ]
    found.sort(key=lambda one: (not one["is_own"], one["name"].casefold()))
    return found[:_MOST_FUNCTIONS]


def _is_of_package(function: Any) -> bool:
    """Whether it is one of this package's functions, which are for people: a model has no business with `undo`."""
    return str(getattr(function, "__module__", "")).startswith("jupyter_agents.")


def function_of(value: Any) -> Any:
    """The function of a tool, and any other function itself."""
    return value.function if issubclass(type(value), Tool) else value


def _function_facts(name: str, value: Any) -> FunctionFacts:
    function = function_of(value)
    is_tool = function is not value
    doc = value.description if is_tool else inspect.getdoc(function) or ""
    return FunctionFacts(
        name=name,
        called=value.name if is_tool else name,
        signature=_signature(function),
        doc=_line(next(iter(doc.strip().splitlines()), "")),
        untyped=[] if is_tool else _untyped(function),
        is_own=getattr(function, "__module__", None) == "__main__",
    )


class _Hidden:
    """A default value that is not shown: it may be long, or a key."""

    def __repr__(self) -> str:
        return "…"


_SHOWN_DEFAULTS = (int, float, type(None))


def _signature(function: Any) -> str:
    try:
        found = inspect.signature(function)
        parameters = [_without_default(one) for one in found.parameters.values()]
        return _line(str(found.replace(parameters=parameters)))
    except Exception:  # noqa: BLE001 - functions in C do not tell, and what stands in annotations may raise anything
        return "(…)"


def _without_default(parameter: inspect.Parameter) -> inspect.Parameter:
    if parameter.default is inspect.Parameter.empty or issubclass(type(parameter.default), _SHOWN_DEFAULTS):
        return parameter
    return parameter.replace(default=_Hidden())


def _untyped(function: Any) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except Exception:  # noqa: BLE001 - as above
        return []
    return [one.name for one in parameters if one.annotation is inspect.Parameter.empty]


def _line(text: str) -> str:
    text = scrub(" ".join(text.split()))
    return text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 1]}…"


# -- Models that are known by name, without asking anybody -----------------------------------------------------


def models_in(namespace: Mapping[str, Any], setting: Any, local: list[str]) -> list[ModelFacts]:
    """The names of models known here: the configured one, the environment's, those of agents and of a local server."""
    found: dict[str, ModelFacts] = {}
    agents = [value for value in list(namespace.values()) if is_agent(value)]
    named: list[tuple[Literal["configured", "environment", "agent", "local"], list[str]]] = [
        ("configured", _names_in(setting)),
        ("environment", [os.environ.get("OPENAI_MODEL", "")]),
        ("agent", [name for agent in agents for name in _names_in(agent.llm_config)]),
        ("local", local),
    ]
    for source, names in named:
        for name in filter(None, names):
            found.setdefault(name, ModelFacts(name=scrub(name), source=source))
    return list(found.values())


def _names_in(config: Any) -> list[str]:
    if isinstance(config, str):
        return [scrub(config)]
    if not isinstance(config, Mapping):
        return []
    listed = config.get("config_list")
    configs = [config, *(one for one in listed if isinstance(one, Mapping))] if isinstance(listed, list) else [config]
    return [scrub(one["model"]) for one in configs if isinstance(one.get("model"), str)]


def default_model(setting: Any) -> str:
    """What answers for agents that name no model, as far as it is known without asking for it; `""` if it is not."""
    from jupyter_agents.models.named import says_environment_where
    from jupyter_agents.models.openai import DEFAULT_MODEL

    if setting is not None:
        names = _names_in(setting)
        return names[0] if names else type(setting).__name__
    if says_environment_where():
        return scrub(os.environ.get("OPENAI_MODEL") or DEFAULT_MODEL)
    return ""
