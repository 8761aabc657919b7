"""What an agent had begun to do for a message when its chat was broken off: blocks of code and calls, as the log tells.

A chat that goes on from there does none of it again. The agent answers with what came of it: the results that are in the
log, and for the rest that it was interrupted, or not begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyter_agents.events import (
    ChatEnded,
    CodeFinished,
    CodeStarted,
    Event,
    EventLog,
    HumanAnswered,
    MessageSent,
    ToolFinished,
    ToolStarted,
)
from jupyter_agents.executors.base import CANCELLED, INTERRUPTED
from jupyter_agents.messages import ToolCall
from jupyter_agents.run import Run, ThisRun
from jupyter_agents.termination import EndedBy
from jupyter_agents.tool_results import ToolResult

if TYPE_CHECKING:
    from jupyter_agents.agents.responsive import ResponsiveAgent

EXIT_CODE = 130
"""That of a block which was interrupted, or not run since the chat was broken off."""

_NOT_RUN = (
    "The block was not run: the chat was broken off before it. It is not run unless you ask for it by sending it again."
)
_NOT_CALLED = "Error: the call was not made: the chat was broken off before it. Call again if it is to be made."
_HOW = {INTERRUPTED: "interrupted by the user", CANCELLED: "interrupted"}


@dataclass
class Begun:
    """The blocks and calls of one agent, in order. What of them had not ended, has no outcome.

    `position` is where in the agent's talk the message stands for which it did this; `None` for the last one.
    """

    blocks: list[CodeFinished | None] = field(default_factory=list)
    codes: list[str | None] = field(default_factory=list)
    """The text of each block; `None` where a person had edited it, so that it is not what was asked for."""
    calls: list[tuple[ToolStarted, ToolFinished | None]] = field(default_factory=list)
    how: str = "broken off"
    position: int | None = None
    _told: int = 0
    _is_edited: bool = False

    def is_of(self, codes: Sequence[str]) -> bool:
        """Whether these blocks are what the agent was at: they may go on beyond what had begun, and not differ from it."""
        known = self.codes[self._told :]
        return all(before in (None, code) for before, code in zip(known, codes, strict=False))

    def outcome(self, number: int) -> tuple[int, str]:
        """The last exit code of so many blocks, and what the agent says of them: up to the first that did not succeed."""
        said = ""
        for left in range(number - 1, -1, -1):
            is_whole = self._has_ended(self._told)
            exit_code, output = self.next_block()
            said += f"\n{output}"
            if exit_code != 0:
                others = f"\n{left} more after it {'was' if left == 1 else 'were'} not run."
                return exit_code, said + (others if left and not is_whole else "")
        return 0, said

    def _has_ended(self, at: int) -> bool:
        finished = self.blocks[at] if at < len(self.blocks) else None
        return finished is not None and finished.status not in _HOW

    def next_block(self) -> tuple[int, str]:
        """The exit code of the next block, and what the agent says of it."""
        self._told += 1
        if self._told > len(self.blocks):
            return EXIT_CODE, _NOT_RUN
        finished = self.blocks[self._told - 1]
        if finished is not None and self._has_ended(self._told - 1):
            return finished.exit_code, finished.text
        how, shown = (self.how, "") if finished is None else (_HOW[finished.status], finished.text.rstrip("\n"))
        said = f"The block was {how}; it may have run in part. It is not run again unless you ask for it by sending it again."
        return EXIT_CODE, f"{shown}\n{said}" if shown else said

    def result_of(self, call: ToolCall, *, external: bool) -> ToolResult:
        """What came of a call."""
        found = next((ended for begun, ended in self.calls if _is_of(begun, call)), _NEVER)
        if isinstance(found, ToolFinished):
            return ToolResult(found.content, ok=found.ok, external=external)
        return ToolResult(_NOT_CALLED if found is _NEVER else call_words(self.how), ok=False)


_NEVER: Any = object()


def _is_of(begun: ToolStarted, call: ToolCall) -> bool:
    return begun.call_id == call.id and begun.name == call.name


def call_words(how: str) -> str:
    """What a model reads of a call that was broken off."""
    return (
        f"Error: the call was {how}; it may have been made in part. It is not made again unless you ask for it by calling "
        "again."
    )


# -- In the log --------------------------------------------------------------------------------------------------


def begun_in(events: Iterable[Event]) -> dict[str, Begun]:
    """What agents, by their names in the log, had begun among events since a message was sent."""
    found: dict[str, Begun] = {}
    how = "broken off"
    for event in events:
        if isinstance(event, ChatEnded):
            how = _how_ended(event)
        elif isinstance(event, CodeStarted | CodeFinished | ToolStarted | ToolFinished | HumanAnswered):
            _note(found.setdefault(event.agent, Begun()), event)
    for one in found.values():
        one.how = how
    return {agent: one for agent, one in found.items() if one.blocks or one.calls}


def _note(begun: Begun, event: CodeStarted | CodeFinished | ToolStarted | ToolFinished | HumanAnswered) -> None:
    if isinstance(event, HumanAnswered):
        begun._is_edited = event.action == "edit"
    elif isinstance(event, ToolStarted):
        begun.calls.append((event, None))
    elif isinstance(event, ToolFinished):
        begun.calls = [
            (call, event if ended is None and (call.call_id, call.name) == (event.call_id, event.name) else ended)
            for call, ended in begun.calls
        ]
    elif any(ended is None for _, ended in begun.calls):
        return  # a tool runs this block
    elif isinstance(event, CodeStarted):
        begun.blocks.append(None)
        begun.codes.append(None if begun._is_edited else event.code)
        begun._is_edited = False
    elif begun.blocks and begun.blocks[-1] is None:  # else it was refused, and has not run
        begun.blocks[-1] = event


def _how_ended(event: ChatEnded) -> str:
    if event.ended_by == EndedBy.INTERRUPTED:
        return "interrupted"
    if event.ended_by == EndedBy.STOPPED:
        return event.detail or "stopped"
    return f"broken off when the chat ended ({event.ended_by}{f': {event.detail}' if event.detail else ''})"


def begun_since_last_message(log: EventLog, chat: int) -> dict[str, Begun]:
    """What agents have begun in a chat since the last message was sent there."""
    events = [entry.event for entry in log.of_chat(chat)]
    sent = [at for at, event in enumerate(events) if isinstance(event, MessageSent)]
    return begun_in(events[sent[-1] + 1 :] if sent else ())


# -- In a chat that goes on --------------------------------------------------------------------------------------


async def begun_by(agent: ResponsiveAgent) -> Begun | None:
    """What this agent had begun for the message that it answers now; `None` where it is to do what the message says."""
    run = await ThisRun()
    return run.state.begun.get(run.log.key_of(agent)) if run.state.begun else None


async def begun_of(agent: ResponsiveAgent, codes: Sequence[str]) -> Begun | None:
    """The same where these blocks are what it was at. Where it asks for others now, what it had begun is past."""
    begun = await begun_by(agent)
    if begun is None or not begun.blocks:
        return None
    if not begun.is_of(codes):
        has_spoken(agent, await ThisRun())
        return None
    return begun


async def answers(agent: ResponsiveAgent, position: int) -> None:
    """Note that the agent answers the message at this place of its talk: what it had begun for an older one is past."""
    run, begun = await ThisRun(), await begun_by(agent)
    if begun is not None and begun.position is not None and position > begun.position:
        del run.state.begun[run.log.key_of(agent)]


def has_spoken(agent: Any, run: Run) -> None:
    """Note that the agent has said something: what it had begun is answered, or is past."""
    if run.state.begun:
        run.state.begun.pop(run.log.key_of(agent), None)
