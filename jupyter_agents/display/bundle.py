"""What happened, as MIME bundles that every viewer of notebooks can show.

A bundle holds the same thing four times over, for whoever shows it: our JSON type for the labextension, HTML,
Markdown and plain text. The text of a message is not in the JSON unless the Markdown differs from it, because a
conversation must stay small in the file; `exact_text` gives it back from any bundle. Nothing in the data depends on
the run: what does (usage, times, whether a reply was replayed) is metadata of the output.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

from jupyter_agents.display.changes import changes_of, describe_changes, is_unknown
from jupyter_agents.display.markdown import clean, code_html, code_markdown, defang, escape_markdown, to_html
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    CodeFinished,
    Entry,
    Event,
    HumanAnswered,
    MessageSent,
    ModelAnswered,
    ModelFailed,
    Noted,
)
from jupyter_agents.executors.outputs import MESSAGE_MIME, plain
from jupyter_agents.messages import Message, ToolCall
from jupyter_agents.termination import EndedBy

METADATA_KEY = "jupyter_agents"
"""Where the metadata of an output says what differs from run to run."""

_LONG_SPEECH = 10_000
_LONG_RESULT = 600
_COLOURS = ("#4a82d4", "#b9682f", "#2f9467", "#9168c8", "#a37f1c", "#c4557f", "#1f8fa3", "#7b8794")
_QUIET = "opacity:.8"
_ALARM = "padding:0 5px;border-radius:4px;background:rgba(214,64,64,.18)"
_CODE_RESULT = re.compile(r"exitcode: (-?\d+) \(execution (succeeded|failed)\)\nCode output: ?\n?(.*)", re.DOTALL)
_ORDINARY_ENDS = frozenset(
    {EndedBy.TERMINATION, EndedBy.HUMAN, EndedBy.NOT_REQUESTED, EndedBy.NO_REPLY, EndedBy.CONDITION}
)
CUT_REMARKS = {
    "length": "cut off at the token limit; nothing in it was run",
    "content_filter": "stopped by the content filter; nothing in it was run",
    "interrupted": "interrupted before its end; nothing in it was run",
}
_DECISIONS = {"run": "approved", "edit": "edited, then run", "reject": "rejected", "stop": "stopped"}


class Bundle(NamedTuple):
    """An output: `data` by MIME type, and `metadata`."""

    data: dict[str, Any]
    metadata: dict[str, Any]


class _Part(NamedTuple):
    """A piece of what a bundle shows, in its three forms."""

    html: str
    markdown: str
    text: str


class Place(NamedTuple):
    """How deep a message is nested; the ordinals of its speaker and of who wrote the code or the call it is a result of.

    Ordinals are shown as colours: here on a border only, so they need not suit a theme.
    """

    depth: int = 0
    colour: int = 0
    author_colour: int | None = None

    def to_json(self) -> dict[str, int]:
        """What the JSON part says of it."""
        found = {"colour": self.colour, "author_colour": self.author_colour, "depth": self.depth or None}
        return {key: value for key, value in found.items() if value is not None}


@dataclass
class Transcript:
    """Turns the entries of a log, given one after the other, into what to show of them.

    >>> sent = MessageSent(0, "user", "assistant", Message("hello"))
    >>> Transcript().bundle(Entry(0, sent)).data["text/plain"]
    'user (to assistant):\\n\\nhello'
    """

    _numbers: dict[int, int] = field(default_factory=dict)
    _depths: dict[int, int] = field(default_factory=dict)
    _tools: dict[str, str] = field(default_factory=dict)
    _decisions: dict[tuple[int, str], list[HumanAnswered]] = field(default_factory=dict)
    _seconds: dict[tuple[int, str], float] = field(default_factory=dict)
    _ran: dict[tuple[int, str], list[CodeFinished]] = field(default_factory=dict)
    _ordinals: dict[str, int] = field(default_factory=dict)

    def bundle(self, entry: Entry) -> Bundle | None:
        """What to show of an entry, or `None` when there is nothing to show."""
        event = entry.event
        if isinstance(event, MessageSent):
            return self._message(event)
        if isinstance(event, Noted):
            return note_bundle(event)
        if isinstance(event, ChatEnded):
            return end_bundle(event)
        if isinstance(event, ModelFailed):
            return failure_bundle(event, Place(self._depths.get(event.chat, 0), self.ordinal(event.agent)))
        self._remember(event)
        return None

    def _remember(self, event: Event) -> None:
        if isinstance(event, ChatStarted):
            self._depths[event.chat] = 0 if event.parent is None else self._depths.get(event.parent, 0) + 1
        elif isinstance(event, HumanAnswered) and event.action in _DECISIONS:
            self._decisions.setdefault((event.chat, event.agent), []).append(event)
        elif isinstance(event, ModelAnswered):
            self._seconds[event.chat, event.agent] = event.seconds
        elif isinstance(event, CodeFinished):
            self._ran.setdefault((event.chat, event.agent), []).append(event)

    def _message(self, event: MessageSent) -> Bundle | None:
        number = self._numbers.get(event.chat, 0)
        self._numbers[event.chat] = number + 1
        self._tools |= {call.id: call.name for call in event.message.calls if call.id}
        key = event.chat, event.sender
        seconds = self._seconds.pop(key, None) if event.origin == "model" else None
        ran = self._ran.pop(key, [])
        if event.silent:
            return None
        self._ordinals.setdefault(event.sender, self.ordinal(event.sender))
        return message_bundle(
            event,
            number,
            place=self._place(event),
            tools=self._tools,
            decisions=self._decisions.pop(key, ()),
            seconds=seconds if event.origin == "model" else _seconds_of(ran),
            ran=ran,
        )

    def _place(self, event: MessageSent) -> Place:
        depth = self._depths.get(event.chat, 0)
        return Place(depth, self.ordinal(event.sender), self._ordinals.get(event.recipient))

    def ordinal(self, name: str) -> int:
        """The ordinal of a speaker, in the order in which they first speak: what they are told apart by.

        Who has not spoken yet would be the next one, and is only when the message comes: a reply that fails takes no
        place, so that a replay gives the same ordinals.
        """
        return self._ordinals.get(name, len(self._ordinals))


def message_bundle(
    event: MessageSent,
    number: int,
    *,
    place: Place | None = None,
    tools: Mapping[str, str] | None = None,
    decisions: Sequence[HumanAnswered] = (),
    seconds: float | None = None,
    ran: Sequence[CodeFinished] = (),
) -> Bundle:
    """A message. `number` is its ordinal in the chat, `seconds` what it took to make it.

    `tools` are the names of the tools by call id, `decisions` what a person said to the code whose result this is, and
    `ran` the blocks that were run for it.
    """
    is_result = event.origin in ("code", "tool") or event.message.role in ("function", "tool")
    text = plain(event.message.text) if is_result else clean(event.message.text)
    exited = _CODE_RESULT.fullmatch(text) if event.origin == "code" else None
    reason = _reason_not_run(exited, decisions, ran) if exited else ""
    changes = changes_of(ran)
    results = _results(event.message, text, tools or {}) if is_result and not exited else []
    if exited:
        said = [_quiet(reason) if reason else _exit(exited)]
    else:
        said = [_result(*one) for one in results] or ([_speech(text)] if text.strip() else [])
    place = place or Place()
    place = place if is_result else place._replace(author_colour=None)
    shown = {"kind": "message", "id": number, "chat": event.chat} | _who(event) | place.to_json()
    shown |= _what(event.message, decisions, results) | ({"not_run": True} if reason else {})
    shown |= {"changes": [names for names, _ in changes]} if changes else {}
    remarks = _remarks(decisions, is_call=bool(results))
    below = [_quiet(describe_changes(names)) for names, _ in changes]
    parts = [*said, *below, *_beside(event.message, decisions, is_call=bool(results))]
    return _assemble(
        shown, (event.sender, event.recipient), parts, text, remarks, place, _metadata(event, seconds, ran)
    )


def _remarks(decisions: Iterable[HumanAnswered], *, is_call: bool) -> list[str]:
    """What stands behind the names: what a person has decided."""
    words = _DECISIONS | ({"edit": "edited"} if is_call else {})
    return [words[decision.action] for decision in decisions]


def _seconds_of(ran: Sequence[CodeFinished]) -> float | None:
    """How long blocks ran; `None` where none did."""
    times = [one.seconds for one in ran if one.status != "refused"]
    return sum(times) if times else None


def _beside(message: Message, decisions: Iterable[HumanAnswered], *, is_call: bool) -> list[_Part]:
    """What stands below the text of a message: code (or arguments of a call) as edited, calls, and whether it is whole."""
    cut = [_alarm(CUT_REMARKS[message.finish_reason])] if message.finish_reason in CUT_REMARKS else []
    return [
        *_edits(decisions, "called with" if is_call else "the code as it ran"),
        *(_call(call) for call in message.calls),
        *cut,
    ]


def note_bundle(event: Noted) -> Bundle:
    """Something that a reader should know."""
    text = clean(event.text)
    sign = "\N{WARNING SIGN} " if event.level == "warning" else ""
    return _line({"kind": "note", "chat": event.chat, "level": event.level}, sign + text, text)


def end_bundle(event: ChatEnded) -> Bundle | None:
    """Why a chat ended; `None` where it ended as chats do."""
    if event.ended_by in _ORDINARY_ENDS:
        return None
    detail = clean(event.detail)
    why = f"{event.ended_by}: {detail}" if detail and detail != event.ended_by else event.ended_by
    return _line(
        {"kind": "end", "chat": event.chat, "ended_by": str(event.ended_by)}, f"The chat ended ({why}).", detail
    )


def failure_bundle(event: ModelFailed, place: Place | None = None) -> Bundle | None:
    """What had come of a reply that failed; `None` when nothing had."""
    if not event.partial.strip():
        return None
    text = clean(event.partial)
    parts = [_speech(text), _alarm(CUT_REMARKS["interrupted"])]
    place = place or Place()
    shown = {"kind": "failure", "chat": event.chat, "sender": clean(event.agent)} | place.to_json()
    return _assemble(shown, (event.agent, ""), parts, text, (), place, {})


def joined_bundle(bundles: Sequence[Bundle], *, left_out: int = 0) -> Bundle:
    """Several bundles as one output. `left_out` says how many before them are not shown."""
    note = Noted(0, f"{left_out:,} earlier messages are not shown here; `_chat` has them.")
    all_of_them = [*([note_bundle(note)] if left_out else []), *bundles]
    items = [dict(one.data[MESSAGE_MIME]) | {"text": exact_text(one.data)} for one in all_of_them]
    data = {
        MESSAGE_MIME: {"schema": 1, "kind": "messages", "items": items},
        "text/html": "".join(one.data["text/html"] for one in all_of_them),
        "text/markdown": "\n\n".join(one.data["text/markdown"] for one in all_of_them),
        "text/plain": "\n\n".join(one.data["text/plain"] for one in all_of_them),
    }
    return Bundle(data, {METADATA_KEY: {"items": [one.metadata.get(METADATA_KEY, {}) for one in all_of_them]}})


def exact_text(data: Mapping[str, Any]) -> str:
    """The text of the message that a bundle shows, as it was said.

    It is the `text` of the JSON part; where there is none, the Markdown after the line that names the speaker.
    """
    found = data[MESSAGE_MIME].get("text")
    return str(data["text/markdown"]).partition("\n\n")[2] if found is None else str(found)


def readable_arguments(arguments: str) -> str:
    """The arguments of a call for a reader: JSON set out, and text of several lines as lines.

    >>> print(readable_arguments('{"cell": "x = 1\\\\nx", "timeout": 5}'))
    cell:
    x = 1
    x
    timeout: 5
    """
    try:
        values = json.loads(arguments)
        if isinstance(values, dict) and any(isinstance(one, str) and "\n" in one for one in values.values()):
            return "\n".join(_argument(name, value) for name, value in values.items())
        return json.dumps(values, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return arguments


def _argument(name: str, value: Any) -> str:
    if isinstance(value, str) and "\n" in value:
        return f"{name}:\n{value.rstrip()}"
    return f"{name}: {json.dumps(value, ensure_ascii=False)}"


# -- The JSON part and the metadata ------------------------------------------------------------------------------


def _who(event: MessageSent) -> dict[str, str]:
    return {"sender": clean(event.sender), "recipient": clean(event.recipient), "origin": event.origin}


def _what(message: Message, decisions: Iterable[HumanAnswered], results: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What a renderer cannot read from the text. Call ids are left out: a server makes them anew in every run."""
    found = {
        "calls": [{"name": clean(call.name), "arguments": clean(call.arguments)} for call in message.calls],
        "results": [clean(name) for name, _ in results],
        "lines": _lines(results, message.text),
        "decisions": [{"action": one.action} | ({"text": clean(one.text)} if one.text else {}) for one in decisions],
        "finish_reason": message.finish_reason if not message.is_complete else None,
    }
    return {key: value for key, value in found.items() if value}


def _lines(results: Sequence[tuple[str, str]], text: str) -> list[int]:
    """How many lines of the text each of several results is, where they stand in it one after the other."""
    contents = [content for _, content in results]
    is_joined = len(contents) > 1 and "\n\n".join(contents) == plain(text)
    return [content.count("\n") + 1 for content in contents] if is_joined else []


def _metadata(event: MessageSent, seconds: float | None, ran: Sequence[CodeFinished]) -> dict[str, Any]:
    found = {
        "model": event.model,
        "usage": event.usage.to_json() if event.usage else None,
        "seconds": None if seconds is None else round(seconds, 3),
        "replayed": event.replayed or None,
        "blocks": [block_id for _, block_id in changes_of(ran)] or None,
        "is_change_unknown": is_unknown(ran) or None,
    }
    found = {key: value for key, value in found.items() if value is not None}
    return {METADATA_KEY: found} if found else {}


# -- Putting parts together --------------------------------------------------------------------------------------


def _assemble(
    shown: Mapping[str, Any],
    names: tuple[str, str],
    parts: Sequence[_Part],
    text: str,
    remarks: Sequence[str],
    place: Place,
    metadata: dict[str, Any],
) -> Bundle:
    sender, recipient = (" ".join(clean(name).split()) for name in names)
    described = dict(shown)
    body = "\n\n".join(part.markdown for part in parts)
    if body != text:
        described["text"] = text
    after = "".join(f" · {remark}" for remark in remarks)
    to = f" to {escape_markdown(recipient)}" if recipient else ""
    data = {
        MESSAGE_MIME: {"schema": 1} | described,
        "text/html": _article(sender, recipient, after, "".join(part.html for part in parts), place),
        "text/markdown": f"**{escape_markdown(sender)}**{to}{after}\n\n{body}",
        "text/plain": _heading(sender, recipient, after) + "\n\n".join(part.text for part in parts if part.text),
    }
    return Bundle(data, metadata)


def _heading(sender: str, recipient: str, after: str) -> str:
    return f"{sender} (to {recipient}){after}:\n\n" if recipient else f"{sender}{after}:\n\n"


def _article(sender: str, recipient: str, after: str, body: str, place: Place) -> str:
    name = f"{sender} to {recipient}" if recipient else sender
    to = f' <span style="{_QUIET}">to {escape(recipient, quote=False)}{after}</span>' if recipient else after
    indent = f"8px 0 8px {24 * min(place.depth, 5)}px" if place.depth else "8px 0"
    return (
        f'<article aria-label="{escape(name)}" style="margin:{indent};padding-left:12px;'
        f'border-left:3px solid {_colour(place)};max-width:60em">'
        f'<div style="font-size:90%;margin-bottom:4px"><b>{escape(sender, quote=False)}</b>{to}</div>{body}</article>'
    )


def _colour(place: Place) -> str:
    """A result has the colour of the message that it is a result of."""
    ordinal = place.colour if place.author_colour is None else place.author_colour
    return _COLOURS[ordinal % len(_COLOURS)]


def _line(shown: Mapping[str, Any], line: str, text: str) -> Bundle:
    """A bundle of one quiet line that nobody in the chat said."""
    data = {
        MESSAGE_MIME: {"schema": 1} | dict(shown) | {"text": text},
        "text/html": f'<div role="note" style="margin:8px 0;font-size:90%;{_QUIET}">{escape(line, quote=False)}</div>',
        "text/markdown": f"*{escape_markdown(line)}*",
        "text/plain": line,
    }
    return Bundle(data, {})


# -- Parts -------------------------------------------------------------------------------------------------------


def _speech(text: str) -> _Part:
    html = to_html(text)
    if len(text) > _LONG_SPEECH:
        html = _folded(f"{_beginning(text)} ({len(text):,} characters)", html)
    return _Part(html, defang(text), text)


def _call(call: ToolCall) -> _Part:
    name, arguments = clean(call.name), clean(readable_arguments(call.arguments))
    return _Part(
        code_html(arguments, f"calls {name}"),
        f"calls **{escape_markdown(name)}**\n\n{code_markdown(arguments)}",
        f"calls {name}:\n{arguments}",
    )


def _results(message: Message, text: str, tools: Mapping[str, str]) -> list[tuple[str, str]]:
    """The names of those that were called, and what they gave."""
    if message.tool_responses:
        return [(tools.get(one.tool_call_id, "tool"), plain(one.content)) for one in message.tool_responses]
    return [(message.name or tools.get(message.tool_call_id or "", ""), text)]


def _result(name: str, content: str) -> _Part:
    label = f"{clean(name)} returned" if name else ""
    html = code_html(content, label)
    if len(content) > _LONG_RESULT:
        html = _folded(f"{label or 'result'}: {_beginning(content)} ({len(content):,} characters)", code_html(content))
    title = f"**{escape_markdown(name)}** returned\n\n" if name else ""
    return _Part(html, title + code_markdown(content), f"{label}:\n{content}" if label else content)


def _exit(ran: re.Match[str]) -> _Part:
    """The result of code in one line. What the code showed stands in the cell already, so it is folded away."""
    failed, output = ran[2] == "failed", ran[3].strip("\n")
    line = f"exit code {ran[1]}, failed" if failed else f"exit code {ran[1]}"
    html = f'<span style="{_ALARM}">{line}</span>' if failed else line
    html = _folded(html, code_html(output), is_html=True) if output else f"<div>{html}</div>"
    return _Part(html, line, line)


def _reason_not_run(exited: re.Match[str], decisions: Sequence[HumanAnswered], ran: Sequence[CodeFinished]) -> str:
    """Why no code was run at all, in a line; `""` when some was."""
    if exited[2] == "succeeded" or any(one.status != "refused" for one in ran):
        return ""
    if decisions and decisions[-1].action == "reject":
        reason = " ".join(clean(decisions[-1].text).split())
        return f"not run: rejected \N{EN DASH} {reason}" if reason else "not run: rejected"
    output = " ".join(exited[3].split())
    return f"not run: {output}" if ran else ""


def _quiet(line: str) -> _Part:
    return _Part(f'<div style="{_QUIET}">{escape(line, quote=False)}</div>', escape_markdown(line), line)


def _edits(decisions: Iterable[HumanAnswered], label: str) -> list[_Part]:
    codes = [clean(one.text) for one in decisions if one.action == "edit"]
    return [_Part(_folded(label, code_html(code)), code_markdown(code), f"{label}:\n{code}") for code in codes]


def _alarm(text: str) -> _Part:
    return _Part(f'<div><span style="{_ALARM}">{text}</span></div>', f"*{text}*", f"[{text}]")


def _folded(summary: str, html: str, *, is_html: bool = False) -> str:
    label = summary if is_html else escape(summary, quote=False)
    return f'<details><summary style="cursor:pointer">{label}</summary>{html}</details>'


def _beginning(text: str) -> str:
    words = " ".join(text[:200].split())
    return words[:80] + "…"


__all__ = [
    "METADATA_KEY",
    "Bundle",
    "Place",
    "Transcript",
    "end_bundle",
    "exact_text",
    "failure_bundle",
    "joined_bundle",
    "message_bundle",
    "note_bundle",
    "readable_arguments",
]
