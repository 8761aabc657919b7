"""Tools: functions that a model may call, what it is told of them, and the calls with the arguments that it wrote."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from jupyter_agents.budget import BudgetSpent
from jupyter_agents.culprits import said_by
from jupyter_agents.effects import CallTool
from jupyter_agents.errors import ConfigurationError, JupyterAgentsError
from jupyter_agents.executors.outputs import MAX_TEXT, shorten
from jupyter_agents.interrupts import ChatCancelled
from jupyter_agents.nearest import nearest
from jupyter_agents.termination import ChatEnds
from jupyter_agents.tool_results import NoText, ToolResult, to_result, to_text
from jupyter_agents.tool_schema import BadArguments, schema_of
from jupyter_agents.tool_signature import is_async, name_of, read_signature

_MAX_ARGUMENTS = 1_000_000
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

Style = Literal["tool", "function"]
"""How a tool is offered: the present form, or the legacy one (`functions`)."""


@dataclass(frozen=True)
class Tool:
    """A function that a model may call, with the JSON Schema of its arguments.

    `function`, plain or async, is called with keyword arguments; `validate` makes them of what JSON has. `external`
    says that results come from outside, so that nobody trusts their words. `timeout` (seconds) bounds async functions.

    >>> def area(width: float, height: float = 1.0) -> float:
    ...     "The area of a rectangle."
    ...     return width * height
    >>> Tool.from_function(area).parameters["required"]
    ['width']
    """

    name: str
    description: str
    function: Callable[..., Any]
    parameters: Mapping[str, Any] = field(hash=False)
    external: bool = False
    timeout: float | None = None
    validate: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                f"Cannot name a tool {self.name!r}: a name has up to 64 letters, digits, '_' and '-'. Give name='…'."
            )
        if not isinstance(self.description, str) or not self.description.strip():
            raise ConfigurationError(
                f"Cannot make a tool of {self.name!r}: it has no description, and a model must know what it does. "
                "Give description='…', or write a docstring."
            )
        _check_parts(self)
        object.__setattr__(self, "__wrapped__", self.function)  # so that `inspect` tells its signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function as it is."""
        return self.function(*args, **kwargs)

    def to_wire(self, style: Style = "tool") -> dict[str, Any]:
        """What a server is told of it: a `tool`, or with the style `function` the legacy form. A new dictionary."""
        check_style(style)
        parameters = copy.deepcopy(dict(self.parameters))
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return function if style == "function" else {"type": "function", "function": function}

    @classmethod
    def from_function(
        cls,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        external: bool = False,
        timeout: float | None = None,
    ) -> Tool:
        """A tool of a Python function, by its type hints and its docstring.

        A parameter is described by `Annotated[T, "…"]` or by the docstring's `Args:`; one without a type hint takes
        any JSON. Raises `ConfigurationError` for what a model cannot call.
        """
        if not callable(function):
            raise ConfigurationError(f"Cannot make a tool of {function!r}: it cannot be called. Give a function.")
        if timeout is not None and not is_async(function):
            raise ConfigurationError(
                f"Cannot bound the time of {name_of(function)!r}: only an async function can be stopped. "
                "Make it one, or drop timeout."
            )
        signature = read_signature(function)
        parameters, validate = schema_of(signature)
        name = name if name is not None else signature.label
        description = description if description is not None else signature.summary
        return cls(name, description, function, parameters, external, timeout, validate)


def tool_schema(function: Callable[..., Any], *, name: str | None = None) -> dict[str, Any]:
    """What a model is told of a function that it may call: an entry of `tools` in an `llm_config`.

    Its description is the docstring. Raises `ConfigurationError` for what a model cannot call.

    >>> def greet(who: str, times: int = 1) -> str:
    ...     "Say hello."
    >>> tool_schema(greet)["function"]["parameters"]["properties"]
    {'who': {'type': 'string'}, 'times': {'default': 1, 'type': 'integer'}}
    """
    signature = read_signature(function)
    name = name or signature.label
    return Tool.from_function(function, name=name, description=signature.summary or f"Calls {name}.").to_wire()


def _check_parts(tool: Tool) -> None:
    if not callable(tool.function):
        raise ConfigurationError(f"Cannot make a tool of {tool.function!r}: it cannot be called. Give a function.")
    if not isinstance(tool.parameters, Mapping) or tool.parameters.get("type") != "object":
        raise ConfigurationError(
            f"Cannot make a tool of {tool.name!r}: its parameters are no JSON Schema of an object. "
            "Give {'type': 'object', 'properties': {…}}."
        )
    if tool.timeout is not None and (isinstance(tool.timeout, bool) or not tool.timeout > 0):
        raise ConfigurationError(
            f"Cannot bound the time of {tool.name!r} by {tool.timeout!r}: give a number of seconds above 0, or None."
        )


def check_style(style: str) -> None:
    """Raise `ConfigurationError` unless it is a `Style`."""
    if style not in ("tool", "function"):
        raise ConfigurationError(f"Cannot offer a tool in the style {style!r}: 'tool' and 'function' are accepted.")


# -- Arguments ---------------------------------------------------------------------------------------------------


def parse_arguments(text: str) -> dict[str, Any]:
    """The arguments of a call, from the model's text.

    Line breaks and tabs inside strings, which models write unescaped, are accepted, and no text at all means no
    arguments. Raises `BadArguments` for everything that is not an object of plain JSON.

    >>> parse_arguments('{"cell": "x = 1\\nprint(x)"}')
    {'cell': 'x = 1\\nprint(x)'}
    """
    if not text.strip():
        return {}
    if len(text) > _MAX_ARGUMENTS:
        raise BadArguments(f"The arguments are {len(text)} characters long; at most {_MAX_ARGUMENTS} are accepted.")
    try:
        value = json.loads(text, strict=False, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise BadArguments(str(error)) from error
    if not isinstance(value, dict):
        raise BadArguments(f"The arguments are a {type(value).__name__}, not an object.")
    return value


def _refuse_constant(name: str) -> Any:
    raise BadArguments(f"{name} is not JSON.")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise BadArguments("A number is too large.")
    return value


# -- Calls -------------------------------------------------------------------------------------------------------


async def call_tool(functions: Mapping[str, Callable[..., Any]], name: str, arguments: str) -> ToolResult:
    """The result of a call, or an error that the model can mend. Never fails for a user's mistake.

    A `Tool` is called with validated arguments, and its value becomes JSON or an image. Any other function is called
    as the classic framework does: with the arguments as they are, and its value is written as `str` does.
    """
    function = functions.get(name)
    if function is None:
        return _failed(_unknown(name, functions))
    try:
        given = parse_arguments(arguments)
    except BadArguments as error:
        return _failed(f"{error}\nThe argument must be in JSON format.")
    try:
        return await (_call_tool(function, given) if isinstance(function, Tool) else _call_plain(function, given))
    except (JupyterAgentsError, ChatEnds, BudgetSpent):
        raise  # for a person, or the end of the chat: no model can mend it
    except asyncio.CancelledError as stop:
        if isinstance(stop, ChatCancelled) or _is_cancelled():
            raise  # the chat is
        return _failed(f"{name} was cancelled by something within it, and gave no result.")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a tool raises is for the model to mend
        return _failed(_said(error, name), external=isinstance(function, Tool) and function.external)


async def call_function(functions: Mapping[str, Callable[..., Any]], name: str, arguments: str) -> tuple[bool, str]:
    """The same as `call_tool`, without images: whether the call succeeded, and the text."""
    result = await call_tool(functions, name, arguments)
    return result.ok, result.text


async def _call_plain(function: Callable[..., Any], arguments: Mapping[str, Any]) -> ToolResult:
    return ToolResult(shorten(to_text(await CallTool(function, (), arguments)), MAX_TEXT))


async def _call_tool(tool: Tool, arguments: Mapping[str, Any]) -> ToolResult:
    given = arguments if tool.validate is None else tool.validate(arguments)
    function = tool.function if tool.timeout is None else _bounded(tool, tool.timeout)
    value = await CallTool(function, (), given)
    try:
        result = to_result(value)
    except NoText as error:
        text = f"{tool.name} was called, but the model cannot be given its result: {error}."
        return _failed(text, external=tool.external)
    return replace(result, external=result.external or tool.external)


def _bounded(tool: Tool, seconds: float) -> Callable[..., Any]:
    """The tool's function, of which what is to be awaited is given up after some time."""

    def function(**arguments: Any) -> Any:
        value = tool.function(**arguments)
        return _within(value, tool.name, seconds) if inspect.isawaitable(value) else value

    return function


async def _within(value: Awaitable[Any], name: str, seconds: float) -> Any:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await value
    except TimeoutError as error:
        if not limit.expired():
            raise  # of the function itself
        raise TimeoutError(f"{name} did not answer within {seconds:g} s, and was given up.") from error


def _is_cancelled() -> bool:
    """Whether somebody has cancelled the task in which this is, rather than something for which a tool waits."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # there is no event loop
        return False
    return task is not None and task.cancelling() > 0


def _said(error: BaseException, name: str) -> str:
    """What a model is told. `sys.exit()` within a tool, as parsers of command lines call it, is the end of the tool alone."""
    if isinstance(error, SystemExit):
        return f"{name} has exited{'' if error.code is None else f' with {error.code}'} instead of giving a result."
    return to_text(said_by(error)) or type(error).__name__


def _failed(text: str, *, external: bool = False) -> ToolResult:
    return ToolResult(shorten(f"Error: {text}", MAX_TEXT), ok=False, external=external)


def _unknown(name: str, functions: Mapping[str, Any]) -> str:
    known = ", ".join(sorted(functions)) or "none"
    meant = nearest(name, functions)
    return f"Function {name} not found.{f' Did you mean {meant}?' if meant else ''} Available functions: {known}."


__all__ = [
    "BadArguments",
    "Style",
    "Tool",
    "ToolResult",
    "call_function",
    "call_tool",
    "check_style",
    "parse_arguments",
    "to_text",
]
