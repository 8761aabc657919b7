"""An executor that runs nothing: it remembers what it was asked to run and answers from a script."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.effects import CallTool
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.executors.base import ExecutionResult

Outcome = str | ExecutionResult | BaseException
"""What a block gives: output of code that succeeded, a result, or an error to raise."""


class RecordingExecutor:
    """Remembers the blocks that it is given, in `blocks`, and gives the results of a script, in order.

    A text is the output of code that succeeded; an exception is raised (`KeyboardInterrupt` is a person's interrupt);
    a function, in place of the list, is asked about each block and may be `async`. After the last result, or with
    none at all, every block succeeds without output.

    >>> from jupyter_agents import AssistantAgent, UserProxyAgent
    >>> from jupyter_agents.session import Session, use_session
    >>> from jupyter_agents.testing import RecordingExecutor, ScriptedModel
    >>> executor = RecordingExecutor(["42"])
    >>> model = ScriptedModel(["```python\\nprint(6 * 7)\\n```", "It is 42.\\nTERMINATE"])
    >>> user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config={"executor": executor})
    >>> with use_session(Session()):
    ...     user.initiate_chat(AssistantAgent("assistant", llm_config=model), message="6 times 7?").summary
    'It is 42.'
    >>> executor.blocks[0].code
    'print(6 * 7)\\n'
    """

    def __init__(self, results: Iterable[Outcome] | Callable[[CodeBlock], Outcome] = ()) -> None:
        self._answer_all = results if callable(results) else None
        self._results = [] if callable(results) else list(results)
        self.blocks: list[CodeBlock] = []

    def __repr__(self) -> str:
        return f"<RecordingExecutor: {len(self.blocks)} blocks>"

    async def execute(self, block: CodeBlock) -> ExecutionResult:
        """See `jupyter_agents.executors.base.Executor`."""
        self.blocks.append(block)
        outcome: Outcome = ""
        if self._answer_all is not None:
            outcome = await CallTool(self._answer_all, (block,))
        elif len(self.blocks) <= len(self._results):
            outcome = self._results[len(self.blocks) - 1]
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, str):
            return ExecutionResult(0, outcome)
        if not isinstance(outcome, ExecutionResult):
            raise ConfigurationError(
                f"Cannot use {outcome!r} as the result of a block: give a text, an ExecutionResult or an exception."
            )
        return replace(outcome)
