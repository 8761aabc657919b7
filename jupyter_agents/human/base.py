"""The boundary to a person: one coroutine, `ask`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from jupyter_agents.code_blocks import CodeBlock


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question to a person.

    `kind` is `text` (any words; empty means skip) or `approval` (may this block run?). `agent` is the seat: the
    agent for whom the person answers. `sender` is the agent who spoke last.
    """

    text: str
    kind: Literal["text", "approval"] = "text"
    agent: str | None = None
    sender: str | None = None
    block: CodeBlock | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data, without the fields that hold nothing."""
        found: dict[str, Any] = {"kind": self.kind, "text": self.text}
        if self.agent:
            found["agent"] = self.agent
        if self.sender:
            found["sender"] = self.sender
        if self.block:
            found["block"] = self.block.to_json()
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person said.

    `action` is `reply` to a `text` prompt; to an `approval` it is `run`, `edit` (then `text` is the code to run
    instead), `reject` (then `text` is the reason, for the model) or `stop` (end the chat).
    """

    text: str = ""
    action: Literal["reply", "run", "edit", "reject", "stop"] = "reply"
    replayed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain data, without `replayed`."""
        return {"action": self.action, "text": self.text}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, replayed: bool = False) -> Answer:
        """The reverse of `to_json`."""
        return cls(data.get("text", ""), data.get("action", "reply"), replayed)


@runtime_checkable
class HumanInput(Protocol):
    """Anything that can put a question to a person."""

    async def ask(self, prompt: Prompt) -> Answer:
        """Wait for the answer. Raises `NoHumanError` when nobody can give one."""
        ...
