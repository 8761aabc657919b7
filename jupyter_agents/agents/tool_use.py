"""Which tools an agent's model may call, and which functions an agent calls for others: how both are registered.

The schema of a tool is with the agent whose model proposes the call. Who receives the call makes it: with a function of
its own of that name, otherwise with that of the agent who proposed it, where it is one of its own tools (`@agent.tool`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.meant import short
from jupyter_agents.tool_signature import name_of
from jupyter_agents.tools import Style, Tool, check_style

if TYPE_CHECKING:
    from jupyter_agents.agents.responsive import ResponsiveAgent
    from jupyter_agents.agents.tool_user import ToolUser

F = TypeVar("F", bound=Callable[..., Any])

_KEYS: dict[str, str] = {"tool": "tools", "function": "functions"}

_told: WeakKeyDictionary[Any, tuple[str, str]] = WeakKeyDictionary()
"""Name and description with which a function was last offered: decorators below one another share them."""

_caller: ContextVar[Any] = ContextVar("jupyter_agents_tool_caller", default=None)
"""The agent whose call is being answered."""


class ToolSource(Protocol):
    """What offers tools that are not known before it is asked, such as a server."""

    def tools_for(self, taken: Collection[str]) -> Sequence[Tool]:
        """Its tools, none of which has a name that is taken."""
        ...

    def replaces(self, other: Any) -> bool:
        """Whether it is this source again: the same, or one that was made in the same way."""
        ...


class ToolUse:
    """What an agent knows of tools: those that its model was offered, which of them are its own, and where they are from."""

    def __init__(self) -> None:
        self.offered: dict[str, Tool] = {}
        self.own: dict[str, Tool] = {}
        self.sources: list[tuple[ToolSource, tuple[str, ...]]] = []


# -- Calling -----------------------------------------------------------------------------------------------------


@contextmanager
def lending(caller: Any) -> Iterator[None]:
    """Let whoever answers a call of this agent use the agent's own tools, for as long as the block runs."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


def functions_for(agent: ToolUser) -> dict[str, Callable[..., Any]]:
    """What the agent can call here and now: its functions, and those that are lent to it."""
    return {**_own_tools(_caller.get()), **agent.function_map}


def lender_of(agent: ResponsiveAgent, name: str) -> ResponsiveAgent | None:
    """The agent whose function it is that this one would call; `None` where it is its own, or nobody's."""
    caller: ResponsiveAgent | None = _caller.get()
    return caller if name not in agent.function_map and name in _own_tools(caller) else None


def _own_tools(agent: Any) -> dict[str, Callable[..., Any]]:
    """An agent's own tools, but for those of which it has another function by now, or none."""
    use = getattr(agent, "tool_use", None)
    if not isinstance(use, ToolUse):
        return {}
    functions = agent.function_map
    return {name: tool for name, tool in use.own.items() if functions.get(name) is tool}


def is_external(agent: ToolUser, name: str) -> bool:
    """Whether the results of a function come from outside, so that their words are not to be trusted."""
    found = functions_for(agent).get(name)
    return isinstance(found, Tool) and found.external


def is_async(agent: ToolUser, name: str) -> bool:
    """Whether a function leaves the event loop free while it works."""
    found = functions_for(agent).get(name)
    return inspect.iscoroutinefunction(found.function if isinstance(found, Tool) else found)


def can_execute(agent: ToolUser, name: str | Sequence[str]) -> bool:
    """Whether the agent has a function of this name, or of all these names."""
    return all(one in agent.function_map for one in ([name] if isinstance(name, str) else name))


# -- Registering -------------------------------------------------------------------------------------------------


def offer(agent: ToolUser, function: F, name: str | None, description: str | None, style: Style) -> F:
    """Let the agent's model know of a function."""
    check_style(style)
    tool = as_tool(function, name, description)
    _check_offer(agent, tool)
    _offer(agent, tool, style)
    _remember(function, tool)
    return function


def take(agent: ToolUser, function: F, name: str | None) -> F:
    """Let the agent call a function for others."""
    tool = _as_executed(function, name)
    _check_function(agent, tool)
    agent.register_function({tool.name: tool})
    return function


def own(agent: ToolUser, function: F, **options: Any) -> F:
    """Make a function a tool of the agent: its model is offered it, and it is called when the model asks for it."""
    tool = as_tool(function, options.pop("name"), options.pop("description"), **options)
    _check_offer(agent, tool)
    _check_function(agent, tool)
    _offer(agent, tool, "tool")
    agent.register_function({tool.name: tool})
    agent.tool_use.own[tool.name] = tool
    _remember(function, tool)
    return function


def use(agent: ToolUser, given: Iterable[Any]) -> None:
    """Make all that is given tools of the agent: sources of tools (servers), tools, functions, and lists of these.

    What a source offered before, and what one did that was made in the same way, goes first: a cell runs again and again.
    """
    for one in given:
        if isinstance(one, list | tuple):
            use(agent, one)
        elif hasattr(one, "tools_for"):
            _use_source(agent, one)
        else:
            own(agent, one, name=None, description=None)


def _use_source(agent: ToolUser, source: ToolSource) -> None:
    if agent.model is None:
        raise ConfigurationError(
            f"Cannot give {agent.name!r} the tools of {source!r}: no model speaks for it. Give them to the agent whose model "
            "is to call them; whoever receives the call makes it."
        )
    known = agent.tool_use.sources
    before = [(one, names) for one, names in known if source.replaces(one)]
    old = {name for _, names in before for name in names if _is_its_own(agent, name)}
    taken = {
        *agent.function_map,
        *agent.tool_use.offered,
        *(name for key in _KEYS.values() for name in _names(agent, key)),
    }
    tools = source.tools_for(taken - old)
    for name in old:
        _drop(agent, name)
    agent.tool_use.sources = [one for one in known if one not in before]
    for tool in tools:
        own(agent, tool, name=None, description=None)
    agent.tool_use.sources.append((source, tuple(tool.name for tool in tools)))


def _is_its_own(agent: ToolUser, name: str) -> bool:
    """Whether a tool of this name is still the agent's own: its user may have put a function in its place."""
    tool = agent.tool_use.own.get(name)
    return tool is not None and agent.function_map.get(name) is tool


def _drop(agent: ToolUser, name: str) -> None:
    """Have the agent have no tool of this name."""
    agent.register_function({name: None})
    if name in _names(agent, "tools"):
        update_signature(agent, "tool", name, is_remove=True)
    agent.tool_use.own.pop(name, None)


def register_function(
    f: Callable[..., Any],
    *,
    caller: ResponsiveAgent,
    executor: ResponsiveAgent,
    name: str | None = None,
    description: str | None = None,
) -> None:
    """Make a function (or a `Tool`) one that the model of `caller` may call, and that `executor` calls for it.

    The name is that of the function and the description its docstring, unless others are given.
    """
    for what, agent in (("caller", caller), ("executor", executor)):
        if not hasattr(agent, "tool_use"):
            raise ConfigurationError(
                f"Cannot register the function: {what}={short(agent)} is no agent. Give the agent itself, such as "
                "AssistantAgent('assistant')."
            )
    tool = as_tool(f, name, description)
    _check_offer(caller, tool)
    _check_function(executor, tool)
    _offer(caller, tool, "tool")
    executor.register_function({tool.name: tool})


def update_signature(agent: ToolUser, style: Style, signature: Any, *, is_remove: bool) -> None:
    """Add or replace the JSON signature of a tool that the model may call, or remove it by its name."""
    _check_model(agent, signature)
    key = _KEYS[style]
    name = signature if isinstance(signature, str) and is_remove else _name_in(signature, style)
    others = [one for one in _offered(agent, key) if _name_of(one) != name]
    if is_remove and len(others) == len(_offered(agent, key)):
        known = ", ".join(map(_name_of, others)) or "none"
        raise ConfigurationError(
            f"Cannot remove {name!r} from the {key} of {agent.name!r}: they are {known}. Name one."
        )
    if not is_remove and name in _names(agent, _other(key)):
        raise ConfigurationError(_twice(agent, name, f"one of its {_other(key)}", "a signature"))
    agent._model_config = agent._model_config.offering(key, others if is_remove else [*others, signature])
    agent.tool_use.offered.pop(name, None)
    if is_remove:
        agent.tool_use.own.pop(name, None)


def _offer(agent: ToolUser, tool: Tool, style: Style) -> None:
    for key in _KEYS.values():
        others = [one for one in _offered(agent, key) if _name_of(one) != tool.name]
        added = [tool.to_wire(style)] if key == _KEYS[style] else []
        if added or len(others) < len(_offered(agent, key)):
            agent._model_config = agent._model_config.offering(key, [*others, *added])
    agent.tool_use.offered[tool.name] = tool


# -- Tools -------------------------------------------------------------------------------------------------------


def as_tool(function: Any, name: str | None, description: str | None, **options: Any) -> Tool:
    """The tool that a function is, or a `Tool` with other words."""
    if isinstance(function, Tool):
        given = {"name": name, "description": description, **options}
        return replace(function, **{key: value for key, value in given.items() if value})
    return Tool.from_function(function, name=name, description=description, **options)


def _as_executed(function: Any, name: str | None) -> Tool:
    """A tool that is only called: what it was offered as, and no model reads its description."""
    if isinstance(function, Tool):
        return function if name is None else replace(function, name=name)
    told_name, told_description = _recalled(function)
    return Tool.from_function(
        function, name=name or told_name, description=told_description or name or name_of(function)
    )


def _remember(function: Any, tool: Tool) -> None:
    with suppress(TypeError):  # what cannot be hashed or referred to weakly
        if not hasattr(function, "__self__"):
            _told[function] = tool.name, tool.description


def _recalled(function: Any) -> tuple[str | None, str | None]:
    try:
        return _told.get(function, (None, None))
    except TypeError:
        return None, None


# -- What is there already ---------------------------------------------------------------------------------------


def _check_model(agent: ToolUser, tool: Any) -> None:
    if agent._model_config.model is None:
        name = tool.name if isinstance(tool, Tool) else tool
        raise ConfigurationError(
            f"Cannot offer the tool {name!r} to {agent.name!r}: no model speaks for it. "
            "Give it llm_config, or register the tool with the agent whose model is to call it."
        )


def _check_offer(agent: ToolUser, tool: Tool) -> None:
    _check_model(agent, tool)
    known = agent.tool_use.offered.get(tool.name)
    if known is not None and not _is_redefined(known.function, tool.function):
        raise ConfigurationError(_twice(agent, tool.name, _described(known.function), _described(tool.function)))
    if known is None and any(tool.name in _names(agent, key) for key in _KEYS.values()):
        raise ConfigurationError(_twice(agent, tool.name, "a signature in its llm_config", _described(tool.function)))


def _check_function(agent: ToolUser, tool: Tool) -> None:
    found = agent.function_map.get(tool.name)
    known = found.function if isinstance(found, Tool) else found
    if known is not None and not _is_redefined(known, tool.function):
        raise ConfigurationError(_twice(agent, tool.name, _described(known), _described(tool.function)))


def _is_redefined(known: Any, function: Any) -> bool:
    """Whether it is the same function, or the newer definition of it: a cell of a notebook is run again and again."""
    if known == function:
        return True
    places = [(getattr(one, "__module__", None), getattr(one, "__qualname__", "<none>")) for one in (known, function)]
    is_bound = hasattr(known, "__self__") or hasattr(function, "__self__")
    return places[0] == places[1] and "<" not in places[0][1] and not is_bound


def _twice(agent: ToolUser, name: str, known: str, other: str) -> str:
    return (
        f"Cannot register the tool {name!r} with {agent.name!r}: the name is that of {known} already, and {other} "
        "would take it. Give another name='…', or remove the old one first."
    )


def _described(function: Any) -> str:
    place = getattr(function, "__qualname__", None)
    return f"{getattr(function, '__module__', '')}.{place}" if place else repr(function)


def _offered(agent: ToolUser, key: str) -> list[Mapping[str, Any]]:
    return list(agent._model_config.options.get(key) or ())


def _names(agent: ToolUser, key: str) -> set[str]:
    return {_name_of(one) for one in _offered(agent, key)}


def offered_names(agent: ToolUser) -> set[str]:
    """The names of all functions and tools that the agent's model may call."""
    return {name for key in _KEYS.values() for name in _names(agent, key)}


def _name_of(signature: Mapping[str, Any]) -> str:
    return str((signature.get("function") or signature).get("name"))


def _name_in(signature: Any, style: Style) -> str:
    """The name in a signature that a user has written, which must be one."""
    inner = signature.get("function") if isinstance(signature, Mapping) and style == "tool" else signature
    name = inner.get("name") if isinstance(inner, Mapping) else None
    if not isinstance(name, str):
        form = "{'type': 'function', 'function': {'name': …}}" if style == "tool" else "{'name': …, 'parameters': …}"
        raise ConfigurationError(f"Cannot use the signature {signature!r}: it has no name. Give {form}.")
    return name


def _other(key: str) -> str:
    return "functions" if key == "tools" else "tools"
