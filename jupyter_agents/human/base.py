"""The boundary to a person: one coroutine, `ask`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from jupyter_agents.code_blocks import CodeBlock

Action = Literal["reply", "run", "edit", "reject", "stop"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question to a person.

    `kind` is `text` (any words), `choice` (one of `choices`) or `approval` (may this block run?). `agent` is the seat:
    the agent for whom the person answers. `sender` is the agent who spoke last, or who wrote the block.

    `empty` says what an empty answer to a `text` prompt means: it is sent as it is, it asks for the automatic reply, or
    it ends the chat; except with `send`, the word `exit` ends the chat. To a `choice` an empty answer is none, except with
    `auto`, where it means `otherwise`. `otherwise` is the answer that counts when
    nobody has given one within `timeout` seconds; for an approval it is the reason of a rejection.
    """

    text: str
    kind: Literal["text", "choice", "approval"] = "text"
    agent: str | None = None
    sender: str | None = None
    block: CodeBlock | None = None
    choices: tuple[str, ...] = ()
    empty: Literal["send", "auto", "end"] = "send"
    timeout: float | None = None
    otherwise: str = ""

    def choice_of(self, words: str) -> str | None:
        """The choice that words make: its text, whatever the case, or its number; `None` for words that make none.

        >>> prompt = Prompt("Who?", kind="choice", choices=("Ann", "Bob"))
        >>> prompt.choice_of("2"), prompt.choice_of("ann"), prompt.choice_of("Eve")
        ('Bob', 'Ann', None)
        """
        if words in self.choices:
            return words
        meant = words.strip()
        if not meant:
            return self.otherwise if self.empty == "auto" else None
        numbered = {str(number): one for number, one in enumerate(self.choices, 1)}
        alike = [one for one in self.choices if one.strip().casefold() == meant.casefold()]
        return alike[0] if len(alike) == 1 else numbered.get(meant)

    def to_json(self) -> dict[str, Any]:
        """What is asked, as plain data, without the fields that hold nothing; not how long is waited for the answer."""
        found: dict[str, Any] = {"kind": self.kind, "text": self.text}
        if self.choices:
            found["choices"] = list(self.choices)
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

    `action` is `reply` to a `text` or `choice` prompt; to an `approval` it is `run`, `edit` (then `text` is the code to
    run instead), `reject` (then `text` is the reason, for the model) or `stop` (end the chat). With `always`, the text
    that was approved runs again without asking, for as long as this session lives.
    """

    text: str = ""
    action: Action = "reply"
    replayed: bool = False
    always: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain data, without `replayed` and `always`: a recording grants nothing for other chats."""
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
