"""Changes to agents for the time of one chat, seen by that chat alone.

They are kept in a context variable, not in the agent: another chat that goes on at the same time, in another task,
has its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from jupyter_agents.agents.code_config import CodeConfig
from jupyter_agents.agents.model_config import ModelConfig
from jupyter_agents.termination import HumanInputMode


@dataclass(frozen=True)
class Adjustment:
    """What is otherwise for an agent; `None` leaves it as it is."""

    human_input_mode: HumanInputMode | None = None
    code_config: CodeConfig | None = None
    model_config: ModelConfig | None = None


_NONE = Adjustment()
_adjustments: ContextVar[Mapping[int, Adjustment]] = ContextVar(
    "jupyter_agents_adjustments", default=MappingProxyType({})
)


def adjustment_of(agent: Any) -> Adjustment:
    """What is otherwise for this agent, here and now."""
    return _adjustments.get().get(id(agent), _NONE)


@contextmanager
def adjusting(agent: Any, **changes: Any) -> Iterator[None]:
    """Change an agent (by the fields of an `Adjustment`) for what runs in this context, until the block ends."""
    before = _adjustments.get()
    given = {name: value for name, value in changes.items() if value is not None}
    token = _adjustments.set({**before, id(agent): replace(adjustment_of(agent), **given)})
    try:
        yield
    finally:
        _adjustments.reset(token)
