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
from jupyter_agents.session import CodePolicy
from jupyter_agents.termination import HumanInputMode


@dataclass(frozen=True)
class Adjustment:
    """What is otherwise for an agent; `None` leaves it as it is. `policy` goes before that of any `code_config`."""

    human_input_mode: HumanInputMode | None = None
    code_config: CodeConfig | None = None
    model_config: ModelConfig | None = None
    policy: CodePolicy | None = None

    def code(self, config: CodeConfig | None) -> CodeConfig | None:
        """How an agent with this configuration runs code; one that runs none (`None`) is not made to."""
        config = self.code_config or config
        return replace(config, policy=self.policy) if config is not None and self.policy else config


_NONE = Adjustment()
_adjustments: ContextVar[Mapping[int, Adjustment]] = ContextVar(
    "jupyter_agents_adjustments", default=MappingProxyType({})
)


def adjustment_of(agent: Any) -> Adjustment:
    """What is otherwise for this agent, here and now. What is said about everybody (`None`) goes before."""
    known = _adjustments.get()
    own, all_ = known.get(id(agent), _NONE), known.get(id(None), _NONE)
    return own if all_ is _NONE else replace(own, **_given(vars(all_)))


@contextmanager
def adjusting(agent: Any, **changes: Any) -> Iterator[None]:
    """Change an agent (by the fields of an `Adjustment`) for what runs in this context, until the block ends.

    `None` in place of an agent is everybody who takes part, in nested chats too.
    """
    before = _adjustments.get()
    changed = replace(before.get(id(agent), _NONE), **_given(changes))
    token = _adjustments.set({**before, id(agent): changed})
    try:
        yield
    finally:
        _adjustments.reset(token)


def _given(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}
