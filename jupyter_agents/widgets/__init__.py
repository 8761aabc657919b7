"""What a person uses on the page. Each widget is loaded when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_agents.widgets.builder import AgentBuilder
    from jupyter_agents.widgets.chat import AgentChat

__all__ = ["AgentBuilder", "AgentChat"]

_HOMES = {"AgentBuilder": "builder", "AgentChat": "chat"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
