"""What a Python function says of itself: its parameters, their types, and the words of its docstring."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Optional, Union

from jupyter_agents.errors import ConfigurationError

REQUIRED: Any = inspect.Parameter.empty
"""In place of a default where there is none, and of an annotation where there is none."""

_SECTION = re.compile(r"(?:Args|Arguments|Parameters|Params):\s*$")
_ANY_SECTION = re.compile(r"[A-Z]\w+(?: \w+)?:\s*$")
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")


@dataclass(frozen=True)
class Parameter:
    """One parameter. Where there is no annotation, any JSON is accepted."""

    name: str
    annotation: Any = Any
    default: Any = REQUIRED
    description: str | None = None


@dataclass(frozen=True)
class Signature:
    """What a function is called with, by name. `others` is the annotation of `**kwargs`, or `REQUIRED` without any."""

    label: str
    summary: str
    parameters: tuple[Parameter, ...]
    others: Any = REQUIRED


def read_signature(function: Callable[..., Any]) -> Signature:
    """What a function takes. Raises `ConfigurationError` for what a model cannot give: arguments without a name.

    What a `functools.partial` binds is hidden. `**kwargs` means that other arguments are accepted too.
    """
    target, bound = _behind_partials(function)
    label = name_of(function)
    summary, words = read_docstring(_docstring(target))
    hints = _type_hints(target, label)
    found, others = [], REQUIRED
    for one in _parameters(function, label):
        annotation = hints.get(one.name, Any)
        if one.kind is one.VAR_KEYWORD:
            others = annotation
        elif one.name not in bound:
            found.append(_parameter(one, annotation, words.get(one.name)))
    return Signature(label, summary, tuple(found), others)


def name_of(function: Callable[..., Any]) -> str:
    """What a function is called: its own name, or that of its class where it is an object that can be called."""
    target, _ = _behind_partials(function)
    return str(getattr(target, "__name__", type(target).__name__))


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await."""
    target, _ = _behind_partials(function)
    call = getattr(type(target), "__call__", None)  # noqa: B004 - it is looked at, not asked for
    return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(call)


# -- The function ------------------------------------------------------------------------------------------------


def _behind_partials(function: Any) -> tuple[Any, frozenset[str]]:
    """The function behind partials, and the names of arguments that they bind."""
    bound: set[str] = set()
    while isinstance(function, functools.partial):
        bound.update(function.keywords)
        function = function.func
    return function, frozenset(bound)


def _parameters(function: Any, label: str) -> Iterator[inspect.Parameter]:
    try:
        found = inspect.signature(function).parameters.values()
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"Cannot make a tool of {label!r}: it does not say what it takes. Wrap it in a function with type hints."
        ) from error
    for one in found:
        if one.kind in (one.POSITIONAL_ONLY, one.VAR_POSITIONAL):
            what = f"*{one.name} takes" if one.kind is one.VAR_POSITIONAL else f"{one.name!r} is taken by position, as"
            raise ConfigurationError(
                f"Cannot make a tool of {label!r}: {what} arguments without names, and a model gives each a name. "
                "Name the parameters, or take one list; drop a `/`."
            )
        yield one


def _parameter(one: inspect.Parameter, annotation: Any, words: str | None) -> Parameter:
    if one.default is None and not _takes_none(annotation):
        return Parameter(one.name, Optional[annotation], None, _description(annotation) or words)  # noqa: UP045 - at run time
    return Parameter(one.name, annotation, one.default, _description(annotation) or words)


def _description(annotation: Any) -> str | None:
    """The words in an `Annotated`: a text, or something with a `description` or `documentation`."""
    for one in getattr(annotation, "__metadata__", ()):
        text = one if isinstance(one, str) else getattr(one, "description", None) or getattr(one, "documentation", None)
        if isinstance(text, str) and text.strip():
            return text
    return None


def _takes_none(annotation: Any) -> bool:
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    is_union = typing.get_origin(annotation) in (Union, types.UnionType)
    return annotation in (Any, None, type(None)) or (is_union and type(None) in typing.get_args(annotation))


# -- Type hints --------------------------------------------------------------------------------------------------


def _type_hints(target: Any, label: str) -> dict[str, Any]:
    """The annotations, those that are text evaluated where the function is written."""
    function = getattr(target, "__init__") if isinstance(target, type) else target  # noqa: B009 - the class's, for mypy
    if not inspect.isroutine(function):
        function = type(function).__call__
    try:
        return _evaluated(function)
    except Exception as error:  # an annotation that is text may do anything
        raise ConfigurationError(
            f"Cannot make a tool of {label!r}: its annotations cannot be read: {error}. "
            "Import what they name, and define it before the tool is made."
        ) from error


def _evaluated(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError:
        return typing.get_type_hints(function, localns=dict(_names_around(function)), include_extras=True)


def _names_around(function: Any) -> Mapping[str, Any]:
    """The names that a function sees which is defined inside of another, while that one still runs."""
    function = inspect.unwrap(getattr(function, "__func__", function))
    outer = function.__qualname__.rpartition(".<locals>")[0]
    found: dict[str, Any] = {}
    frame: types.FrameType | None = sys._getframe()
    while frame is not None and outer:
        if frame.f_code.co_qualname == outer and frame.f_globals is function.__globals__:
            found = dict(frame.f_locals)
            break
        frame = frame.f_back
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # a name without a value yet: perhaps that of the function itself
            found[name] = cell.cell_contents
    return found


# -- Docstrings --------------------------------------------------------------------------------------------------


def _docstring(target: Any) -> str:
    if inspect.isroutine(target) or isinstance(target, type):
        return inspect.getdoc(target) or ""
    return inspect.getdoc(type(target).__call__) or inspect.getdoc(type(target)) or ""


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """The first paragraph on one line, and what a Google-style `Args:` section says of each parameter. Indented as `inspect.getdoc` gives it.

    >>> read_docstring("Add up.\\n\\nArgs:\\n    a: The first\\n        number.\\n    b (int): The second.")
    ('Add up.', {'a': 'The first number.', 'b': 'The second.'})
    """
    lines = text.splitlines()
    summary: list[str] = []
    for line in lines:
        if not line.strip() or _ANY_SECTION.match(line):
            break
        summary.append(line.strip())
    return " ".join(summary), _entries(_section(lines))


def _section(lines: list[str]) -> list[str]:
    """The indented lines below the heading of the section on parameters."""
    start = next((at for at, line in enumerate(lines, 1) if _SECTION.match(line)), len(lines))
    found: list[str] = []
    for line in lines[start:]:
        if line.strip() and not line[0].isspace():
            break
        found.append(line)
    return inspect.cleandoc("\n".join(["", *found])).splitlines()


def _entries(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        entry = _ENTRY.match(line) if line[:1].strip() else None
        if entry is not None:
            name, found[entry[1]] = entry[1], entry[2].strip()
        elif name and line.strip():
            found[name] = f"{found[name]} {line.strip()}".strip()
    return {name: words for name, words in found.items() if words}
