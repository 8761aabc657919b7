"""The boundary to whatever runs code: one coroutine, `execute`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, runtime_checkable

from jupyter_agents.code_blocks import CodeBlock

if TYPE_CHECKING:
    from jupyter_agents.executors.changes import Changes

INTERRUPTED: Final = "interrupted"
CANCELLED: Final = "cancelled"

Output = Mapping[str, Any]
"""An output of a cell as the notebook format has it (`stream`, `display_data`, `execute_result`, `error`)."""


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """What running one block gave.

    `exit_code` is 0 exactly when it succeeded. `text` is what the next speaker reads: stdout, stderr, value and
    traceback in the order in which they appeared, normalised (no ANSI, no memory addresses, no paths of ours)
    and bounded, with the size of a cut stated. `outputs` are the rich outputs, bounded as well.
    `status` is `refused` when the block was not run at all (`text` then says why), and `interrupted` or `cancelled` when
    it was broken off together with its chat.
    `changes` are those of the user's namespace, `None` from what has no access to it. `block_id` is the name under
    which `undo` takes them back, where the executor can.
    """

    exit_code: int
    text: str = ""
    outputs: tuple[Output, ...] = ()
    status: Literal["ok", "error", "refused", "interrupted", "cancelled"] = "ok"
    seconds: float = 0.0
    changes: Changes | None = None
    block_id: str = ""

    @property
    def ok(self) -> bool:
        """Whether the code ran and succeeded."""
        return self.exit_code == 0

    @property
    def size(self) -> int:
        """Bytes of what it shows: the text, and the largest form of each rich output."""
        return _bytes(self.text) + sum(map(_largest, self.outputs))

    @classmethod
    def refused(cls, reason: str) -> ExecutionResult:
        """The result of a block that was not run."""
        return cls(1, reason, (), "refused")


def _largest(output: Output) -> int:
    data = output.get("data")
    return max(map(_bytes, data.values()), default=0) if isinstance(data, Mapping) else 0  # streams are in the text


def _bytes(value: Any) -> int:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return len(text.encode("utf-8", "surrogatepass"))


@runtime_checkable
class Executor(Protocol):
    """Anything that runs a block of code and says truthfully how it went.

    Code that fails is a result. A person's interrupt raises `KeyboardInterrupt`, and the chat ends; what had come of the
    block by then may be an `ExecutionResult` in its attribute `partial`. Languages that the executor does not know are a
    `refused` result, which the model can mend.
    """

    async def execute(self, block: CodeBlock) -> ExecutionResult:
        """Run the block to its end."""
        ...
