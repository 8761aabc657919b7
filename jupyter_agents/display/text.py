"""The transcript in a terminal, in the plain form of the classic framework."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from jupyter_agents.display.bundle import cut_remark, end_bundle, summary_bundle
from jupyter_agents.display.markdown import clean
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    CodeStarted,
    Delta,
    Entry,
    Event,
    HumanAnswered,
    MessageSent,
    ModelAsked,
    ModelFailed,
    Noted,
    Notice,
    ReplyDropped,
    SpeakerChosen,
    Summarised,
    ToolStarted,
    Waiting,
)
from jupyter_agents.messages import Message

_RULE = "-" * 80 + "\n"
_UNFINISHED = re.compile(r"(?:\x1b(?:\[[0-?]*[ -/]*)?|\r|[\ud800-\udbff])\Z")
"""The end of a piece whose meaning the next piece decides."""


def _to_stdout(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@dataclass
class TextListener:
    """Writes what happens as text. With `stream`, replies are written as they come, and once only.

    Control characters and what else steers a terminal are taken out: words of a model must not conceal or move what
    stands around them.

    >>> listener = TextListener(print)
    >>> listener(Entry(0, MessageSent(0, "user", "assistant", Message("hello"))))
    user (to assistant):
    <BLANKLINE>
    hello
    <BLANKLINE>
    --------------------------------------------------------------------------------
    <BLANKLINE>
    """

    write: Callable[[str], object] = _to_stdout
    stream: bool = False
    _pairs: dict[int, tuple[str, str]] = field(default_factory=dict, repr=False)
    _tools: dict[str, str] = field(default_factory=dict, repr=False)
    _asked: ModelAsked | None = field(default=None, repr=False)
    _streamed: str = field(default="", repr=False)
    _held: str = field(default="", repr=False)
    _skipped: HumanAnswered | None = field(default=None, repr=False)
    _blocks: int = field(default=0, repr=False)

    def __call__(self, what: Entry | Notice) -> None:
        """See `jupyter_agents.events.Listener`."""
        if isinstance(what, Delta):
            self._piece(what)
        elif isinstance(what, Waiting):
            self._say(f"\n>>>>>>>> WAITING {what.seconds:.1f} s: {what.reason}\n")
        elif isinstance(what, Entry):
            self._event(what.event)

    def _event(self, event: Event) -> None:
        if isinstance(event, ChatStarted):
            self._pairs[event.chat] = (event.initiator, event.recipient)
        elif isinstance(event, MessageSent):
            self._message(event)
        elif isinstance(event, HumanAnswered):
            self._answer(event)
        else:
            self._say("".join(self._lines(event)))
            if isinstance(event, ModelAsked):
                self._asked = event

    def _lines(self, event: Event) -> Iterator[str]:
        if isinstance(event, ModelAsked | CodeStarted | ToolStarted):
            yield self._auto_reply(event.chat, event.agent)
        if isinstance(event, CodeStarted):
            language = event.language or "unknown"
            yield f"\n>>>>>>>> EXECUTING CODE BLOCK {self._blocks} (inferred language is {language})...\n"
            self._blocks += 1
        elif isinstance(event, ToolStarted):
            yield f"\n>>>>>>>> EXECUTING FUNCTION {event.name}...\n"
        elif isinstance(event, SpeakerChosen):
            yield f"\nNext speaker: {event.speaker}\n" if event.speaker else ""
        elif isinstance(event, Noted):
            yield f"\n>>>>>>>> {event.text}\n"
        elif isinstance(event, Summarised) and (summary := summary_bundle(event)) is not None:
            yield f"\n>>>>>>>> {summary.data['text/plain']}\n"
        elif isinstance(event, ReplyDropped):
            yield f"\n>>>>>>>> A REPLY OF {event.agent} COUNTS NO LONGER: {event.reason}\n"
        elif isinstance(event, ModelFailed):
            yield f"\n>>>>>>>> THE MODEL OF {event.agent} FAILED: {event.error}\n"
        elif isinstance(event, ChatEnded) and (ending := end_bundle(event)) is not None:
            yield f"\n>>>>>>>> {ending.data['text/plain']}\n"

    def _say(self, text: str) -> None:
        """Write what nobody said, on a line of its own."""
        if text:
            self._break_off()
            self._put(text)

    def _put(self, text: str) -> None:
        self.write(clean(text))

    # -- People: the classic framework says when nobody answered

    def _answer(self, event: HumanAnswered) -> None:
        if event.action == "reply" and not event.text:
            self._skipped = event
            self._say("\n>>>>>>>> NO HUMAN INPUT RECEIVED.\n")

    def _auto_reply(self, chat: int, agent: str) -> str:
        skipped, self._skipped = self._skipped, None
        is_theirs = skipped is not None and (skipped.chat, skipped.agent) == (chat, agent)
        return "\n>>>>>>>> USING AUTO REPLY...\n" if is_theirs else ""

    # -- Messages

    def _message(self, event: MessageSent) -> None:
        message = event.message
        self._tools |= {call.id: call.name for call in message.calls if call.id}
        if event.silent:
            return
        if event.origin != "human":
            self._say(self._auto_reply(event.chat, event.sender))
        is_written = bool(self._streamed) and self._streamed == message.text and self._speaker() == event.sender
        if is_written:
            self._let_go()
        else:
            self._break_off()
            self._put(f"{event.sender} (to {event.recipient}):\n\n")
            self._put(self._said(message))
        self._put("\n" + "".join(_after(message)) + "\n" + _RULE)
        self._asked, self._streamed, self._blocks = None, "", 0

    def _said(self, message: Message) -> str:
        if message.tool_responses:
            return "\n".join(
                _response(self._tools.get(one.tool_call_id, one.tool_call_id), one.content)
                for one in message.tool_responses
            )
        if message.role in ("function", "tool"):
            return _response(message.name or self._tools.get(message.tool_call_id or "", "tool"), message.text)
        return message.text

    # -- Streaming

    def _piece(self, delta: Delta) -> None:
        if not self.stream or not delta.text:
            return
        if not self._streamed:
            speaker = self._speaker() or delta.agent
            self._put(f"{speaker}{self._listener_of(speaker)}:\n\n")
        self._streamed += delta.text
        text = self._held + delta.text
        unfinished = _UNFINISHED.search(text, max(text.rfind("\x1b"), 0))
        end = unfinished.start() if unfinished else len(text)
        self._held = text[end:]
        if text[:end]:
            self._put(text[:end])

    def _let_go(self) -> None:
        """Write what was held back for a next piece, which has not come."""
        held, self._held = self._held, ""
        if held:
            self._put(held)

    def _speaker(self) -> str:
        return self._asked.agent if self._asked else ""

    def _listener_of(self, speaker: str) -> str:
        pair = self._pairs.get(self._asked.chat, ()) if self._asked else ()
        return "".join(f" (to {one})" for one in pair if one != speaker) if speaker in pair else ""

    def _break_off(self) -> None:
        """End what was streamed and did not become the message: an attempt that failed, or no message at all."""
        if self._streamed:
            self._let_go()
            self._streamed = ""
            self._put("\n\n" + _RULE)


def _response(name: str, content: str) -> str:
    title = f'***** Response from calling function "{name}" *****'
    return f"{title}\n{content}\n{'*' * len(title)}"


def _after(message: Message) -> Iterator[str]:
    for call in message.calls:
        title = f"***** Suggested function call: {call.name} *****"
        yield f"{title}\nArguments: \n{call.arguments}\n{'*' * len(title)}\n"
    remark = cut_remark(message)
    if remark:
        yield f">>>>>>>> {remark.upper()}\n"


__all__ = ["TextListener"]
