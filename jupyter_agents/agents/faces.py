"""One coroutine, two faces: the synchronous and the asynchronous method are made from it.

A method of an agent is written once, as a coroutine that awaits effects. `faces` makes the plain method and its
`a_` twin. `call_hook` is how the core calls what a subclass may override, in either face.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

from jupyter_agents.culprits import is_ours, leaving, name_of, was_in
from jupyter_agents.drive import a_drive, drive
from jupyter_agents.effects import CallTool
from jupyter_agents.run import current_run

P = ParamSpec("P")
T = TypeVar("T")
Core = Callable[P, Coroutine[Any, Any, T]]


def faces(core: Core[P, T]) -> tuple[Callable[P, T], Core[P, T]]:
    """The synchronous and the asynchronous method of a coroutine function, in this order."""

    @functools.wraps(core)
    def synchronous(*args: P.args, **kwargs: P.kwargs) -> T:
        __tracebackhide__ = True  # from those who read a traceback in IPython and pytest
        try:
            return drive(core(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is raised again
            raise _outside(error)  # noqa: B904 - the error keeps its own cause

    @functools.wraps(core)
    async def asynchronous(*args: P.args, **kwargs: P.kwargs) -> T:
        __tracebackhide__ = True
        try:
            return await a_drive(core(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is raised again
            raise _outside(error)  # noqa: B904 - the error keeps its own cause

    face: Any
    for face, prefix in ((synchronous, ""), (asynchronous, "a_")):
        name = prefix + core.__name__.lstrip("_")
        face.__name__, face.__qualname__ = name, core.__qualname__.replace(core.__name__, name)
        face.core = core  # how the core finds its way back from a face
    return synchronous, asynchronous


def _outside(error: Exception) -> Exception:
    """An error as a caller sees it, without the frames of the drivers, which say nothing. Within a chat it keeps them."""
    return error if current_run.get() is not None else leaving(error)


def core_of(function: Any) -> Core[..., Any] | None:
    """The coroutine function from which a face was made, also where the face is bound; `None` for anything else."""
    function = getattr(function, "__func__", function)
    return getattr(function, "core", None) if isinstance(function, FunctionType) else None


async def call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """The value of a function, which may be a user's (plain or async) or a face of ours."""
    core = core_of(function)
    if core is None:
        return await CallTool(function, args, kwargs)
    owner = getattr(function, "__self__", None)
    return await (core(*args, **kwargs) if owner is None else core(owner, *args, **kwargs))


async def call_of(role: str, whose: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """The same. An error of the function says in which `role` it was, and of whom."""
    try:
        if core_of(function) is None:  # as `call` does, without another coroutine: every turn comes by here
            return await CallTool(function, args, kwargs)
        return await call(function, *args, **kwargs)
    except Exception as error:
        was_in(error, role, function, whose)
        raise


async def call_hook(agent: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
    """The value of a method that may be overridden, as `name` or as `a_<name>`.

    The most derived override wins. Where one class overrides both faces, the driver takes its own.
    """
    found = [face for face in find_hook(agent, name) if face is not None]
    overrides = [face for face in found if core_of(face) is None]
    if not overrides:
        return await call(found[0], *args, **kwargs)
    try:
        return await CallTool(overrides[0], args, kwargs, a_function=overrides[-1])
    except Exception as error:
        if not is_ours(overrides[0]):
            was_in(error, f"the method {name_of(overrides[0])}", whose=agent)
        raise


def is_overridden(agent: Any, name: str) -> bool:
    """Whether a subclass, ours or somebody's, or the agent itself has another definition of a hook, in either face."""
    first = next((core for owner in reversed(type(agent).__mro__) if (core := core_of(vars(owner).get(name)))), None)
    found = [core_of(face) for face in find_hook(agent, name) if face is not None]
    return any(core is None or core is not first for core in found)


def find_hook(agent: Any, name: str) -> tuple[Any, Any]:
    """The plain and the async form of the most derived definition of a method, bound; one of them may be `None`."""
    for owner in (agent, *type(agent).__mro__):
        plain, awaited = vars(owner).get(name), vars(owner).get(f"a_{name}")
        if plain is not None or awaited is not None:
            return (plain, awaited) if owner is agent else (_bound(plain, agent), _bound(awaited, agent))
    raise AttributeError(f"{type(agent).__name__} has no method {name!r}")


def _bound(function: Any, agent: Any) -> Any:
    """The method that a class's function is for an agent. A `partial` is none, whatever Python makes of it."""
    is_method = hasattr(function, "__get__") and not isinstance(function, functools.partial)
    return function.__get__(agent, type(agent)) if is_method else function
