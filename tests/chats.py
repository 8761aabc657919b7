"""Chats of any length for the tests of what is shown of them: logs as the driver writes them, without driving."""

from __future__ import annotations

from collections.abc import Sequence

from jupyter_agents.conversation import ChatResult
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    CodeFinished,
    Event,
    EventLog,
    HumanAnswered,
    MessageSent,
    ModelAnswered,
    ToolFinished,
)
from jupyter_agents.messages import Message, Usage
from jupyter_agents.termination import EndedBy

SPEECH = "I will **average** the measurements, and then compare.\n\n```python\nco2.groupby('year').mean()\n```\n" * 3


def result_of(*events: Event) -> ChatResult:
    """The result of a chat in which this happened."""
    log = EventLog()
    for event in events:
        log.append(event)
    return ChatResult(EndedBy.TERMINATION, "", log, 0, 0, len(log))


def said(sender: str, recipient: str, text: str = SPEECH, **fields: object) -> MessageSent:
    """A message of plain speech."""
    return MessageSent(0, sender, recipient, Message(text), **fields)  # type: ignore[arg-type]


def long_chat(
    turns: int, names: Sequence[str] = ("user", "assistant"), *, replayed: bool = False, pace: float = 1.0
) -> ChatResult:
    """A chat in which the first speaker runs code (some of it fails, some is approved) and the others call models."""
    events: list[Event] = [ChatStarted(0, names[0], names[-1])]
    for turn in range(turns):
        sender, recipient = names[turn % len(names)], names[(turn + 1) % len(names)]
        events += _turn(turn, sender, recipient, runs_code=sender == names[0], replayed=replayed, pace=pace)
    return result_of(*events, ChatEnded(0, "termination message"))


def _turn(turn: int, sender: str, recipient: str, *, runs_code: bool, replayed: bool, pace: float) -> list[Event]:
    if turn == 0:
        return [said(sender, recipient)]
    if runs_code:
        failed = turn % 8 == 2
        result = f"exitcode: {int(failed)} (execution {'failed' if failed else 'succeeded'})\nCode output: \n42"
        asked = [HumanAnswered(0, sender, "run", replayed=replayed)] if turn % 6 == 0 else []
        ran = CodeFinished(0, sender, int(failed), "error" if failed else "ok", "42", seconds=0.5 * pace)
        return [*asked, ran, said(sender, recipient, result, origin="code")]
    usage = Usage(100 * turn, 20)
    tool = [ToolFinished(0, sender, "search", ok=turn % 10 != 5, content="x")] if turn % 5 == 0 else []
    answered = ModelAnswered(0, sender, "stop", usage, "gpt-x", replayed, 0.0 if replayed else 2.0 * pace)
    return [answered, *tool, said(sender, recipient, origin="model", usage=usage, model="gpt-x", replayed=replayed)]
