"""Functions and tools of an agent: those that its model may propose, and those that it calls for others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar, overload

from jupyter_agents.agents import tool_use as tools_of
from jupyter_agents.agents.faces import faces
from jupyter_agents.agents.identity import Identity
from jupyter_agents.agents.tool_use import ToolUse
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.meant import functions_meant, short
from jupyter_agents.tools import Style, call_tool

_F = TypeVar("_F", bound=Callable[..., Any])


class ToolUser(Identity):
    """The part of an agent that has tools."""

    tool_use: ToolUse
    _functions: dict[str, Callable[..., Any]]

    @property
    def function_map(self) -> dict[str, Callable[..., Any]]:
        """The functions that the agent executes for others (a copy)."""
        return dict(self._functions)

    def register_function(self, function_map: Mapping[str, Callable[..., Any] | None]) -> None:
        """Add functions (plain, async or bound methods) that the agent executes when a model calls them by name.

        `None` in place of a function removes it.
        """
        if not isinstance(function_map, Mapping):
            raise ConfigurationError(
                f"Cannot register functions: {short(function_map)} is not by name. {functions_meant(function_map)}"
            )
        if not all(isinstance(name, str) for name in function_map):
            raise ConfigurationError(
                f"Cannot register functions: of {short(function_map)} not all names are texts. Give {{'name': function}}."
            )
        for name, function in function_map.items():
            if function is None:
                self._functions.pop(name, None)
            elif callable(function):
                self._functions[name] = function
            else:
                raise ConfigurationError(
                    f"Cannot register function {name!r}: {short(function)} cannot be called. Give a function, or None to "
                    "remove it."
                )

    @property
    def tool_names(self) -> set[str]:
        """The names of what its model may call, and of what it executes for others."""
        return {*tools_of.offered_names(self), *self._functions}

    async def _execute_function(self, func_call: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
        """Call a registered function with a model's arguments; whether it succeeded, and the message with its result.

        An override point. Errors are results too: the model can mend them.
        """
        name = str(func_call.get("name", ""))
        result = await call_tool(tools_of.functions_for(self), name, str(func_call.get("arguments") or ""))
        return result.ok, {"name": name, "role": "function", "content": result.content}

    execute_function, a_execute_function = faces(_execute_function)

    @overload
    def register_for_llm(self, function: _F, /) -> _F: ...
    @overload
    def register_for_llm(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        api_style: Style = "tool",
    ) -> Callable[[_F], _F]: ...
    def register_for_llm(
        self,
        function: Any = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        api_style: Style = "tool",
    ) -> Any:
        """Let this agent's model propose calls of a function: a decorator, with arguments or without.

        Its schema is made of the type hints. Without `description` the docstring says what the function does.
        `api_style="function"` is the legacy form.
        """
        return _decorated(function, lambda given: tools_of.offer(self, given, name, description, api_style))

    @overload
    def register_for_execution(self, name: str | None = None) -> Callable[[_F], _F]: ...
    @overload
    def register_for_execution(self, name: _F, /) -> _F: ...
    def register_for_execution(self, name: Any = None) -> Any:
        """Let this agent call a function when a model proposes it, with arguments that are checked.

        A decorator, with the name of the tool or without; without a name, the parentheses may be left out, too.
        """
        if name is None or isinstance(name, str):
            return _decorated(None, lambda given: tools_of.take(self, given, name))
        return _decorated(name, lambda given: tools_of.take(self, given, None))

    def tool(
        self,
        function: Any = None,
        *,
        name: str | None = None,
        description: str | None = None,
        external: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Make a function a tool of this agent: a decorator, with arguments or without.

        Its model may propose calls. Who receives the call makes it: with a function of its own of that name, otherwise
        with this one. In a group, where this agent may receive it itself, it makes the call too. The policies on tools
        of both rule. For `external` and `timeout` see `Tool`.
        """
        options = {"name": name, "description": description, "external": external, "timeout": timeout}
        return _decorated(function, lambda given: tools_of.own(self, given, **options))

    def use(self, *tools: Any) -> Self:
        """Make functions, `Tool`s and all that servers offer (`MCPServer`) tools of this agent, as `tool` does; the agent.

        A server is started if it does not run. Its tools are those of now; to use it again is to read them anew. Names that
        the agent has already begin with that of the server. Raises `ConfigurationError` when the server does not come up.
        """
        tools_of.use(self, tools)
        return self

    def update_tool_signature(self, tool_sig: str | Mapping[str, Any], is_remove: bool = False) -> None:
        """Add a tool's JSON signature to what the model may call, replacing that of the same name, or remove it by name."""
        tools_of.update_signature(self, "tool", tool_sig, is_remove=is_remove)

    def update_function_signature(self, func_sig: str | Mapping[str, Any], is_remove: bool = False) -> None:
        """The same for the legacy `functions`."""
        tools_of.update_signature(self, "function", func_sig, is_remove=is_remove)

    def can_execute_function(self, name: str | Sequence[str]) -> bool:
        """Whether this agent has a function of this name, or of all these names."""
        return tools_of.can_execute(self, name)


def _decorated(function: Any, register: Callable[[Any], Any]) -> Any:
    """What a decorator gives that may stand without parentheses: the function, or what is to be given one."""

    def decorate(given: Any) -> Any:
        if not callable(given):
            raise ConfigurationError(
                f"Cannot register {given!r} as a tool: it is no function. Give a name or a description by keyword: "
                "name='…', description='…'."
            )
        return register(given)

    return decorate if function is None else decorate(function)
