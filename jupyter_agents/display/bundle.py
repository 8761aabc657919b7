"""What happened, as MIME bundles that every viewer of notebooks can show.

A bundle holds the same thing four times over, for whoever shows it: our JSON type for the labextension, HTML,
Markdown and plain text; `jupyter_agents.display.parts` has the last three. The text of a message is not in the JSON unless the Markdown differs from it, because a
conversation must stay small in the file; `exact_text` gives it back from any bundle. Nothing in the data depends on
the run: what does (usage, times, whether a reply was replayed) is metadata of the output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jupyter_agents.code_blocks import find_code_blocks
from jupyter_agents.control import STOPPED
from jupyter_agents.display.beside import Beside
from jupyter_agents.display.changes import changes_of, describe_changes, is_unknown
from jupyter_agents.display.markdown import clean
from jupyter_agents.display.parts import (
    Part,
    Place,
    alarm,
    call,
    edited,
    exit_line,
    framed,
    line,
    picture,
    quiet,
    result,
    speech,
)
from jupyter_agents.display.pictures import Picture, pictures_of, urls_in
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
    Relayed,
    SeriesStarted,
    SpeakerChosen,
    Summarised,
)
from jupyter_agents.executors.outputs import MESSAGE_MIME, plain
from jupyter_agents.messages import Message
from jupyter_agents.termination import EndedBy

METADATA_KEY = "jupyter_agents"
"""Where the metadata of an output says what differs from run to run."""

_FIRST = Place()
_LONGEST_SUMMARY = 300
_CODE_RESULT = re.compile(r"exitcode: (-?\d+) \(execution (succeeded|failed)\)\nCode output: ?\n?(.*)", re.DOTALL)
_QUIET_ENDS = frozenset({EndedBy.NOT_REQUESTED, EndedBy.PAUSED})
_CUT_REMARKS = {
    "length": "cut off at the token limit",
    "content_filter": "stopped by the content filter",
    "interrupted": "interrupted before its end",
}
_DECISIONS = {"run": "approved", "edit": "edited, then run", "reject": "rejected", "stop": "stopped"}


class Bundle(NamedTuple):
    """An output: `data` by MIME type, and `metadata`."""

    data: dict[str, Any]
    metadata: dict[str, Any]


@dataclass
class Transcript:
    """Turns the entries of a log, given one after the other, into what to show of them.

    >>> sent = MessageSent(0, "user", "assistant", Message("hello"))
    >>> Transcript().bundle(Entry(0, sent)).data["text/plain"]
    'user (to assistant):\\n\\nhello'
    """

    talk: int = 1
    """Which chat of its cell this is."""
    _numbers: dict[int, int] = field(default_factory=dict)
    _depths: dict[int, int] = field(default_factory=dict)
    _beside: Beside = field(default_factory=Beside)
    _managers: dict[int, str] = field(default_factory=dict)
    _tools: dict[str, str] = field(default_factory=dict)
    _decisions: dict[tuple[int, str], list[HumanAnswered]] = field(default_factory=dict)
    _seconds: dict[tuple[int, str], float] = field(default_factory=dict)
    _ran: dict[tuple[int, str], list[CodeFinished]] = field(default_factory=dict)
    _ordinals: dict[str, int] = field(default_factory=dict)
    _last: dict[int, MessageSent] = field(default_factory=dict)

    def bundle(self, entry: Entry) -> Bundle | None:
        """What to show of an entry, or `None` when there is nothing to show."""
        event = entry.event
        if isinstance(event, MessageSent):
            return self._message(event)
        if isinstance(event, Noted):
            return note_bundle(event, self._beneath(event.chat))
        if isinstance(event, Summarised):
            return summary_bundle(event, self._beneath(event.chat))
        if isinstance(event, ChatEnded):
            self._beside.end(event.chat)
            return end_bundle(event, self._beneath(event.chat))
        if isinstance(event, ModelFailed):
            place = self.place(event.chat, event.agent)
            return failure_bundle(event, place, recipient=self._waiting_for(event))
        self._remember(event)
        return None

    def _remember(self, event: Event) -> None:
        if isinstance(event, ChatStarted):
            self._depths[event.chat] = 0 if event.parent is None else self._depths.get(event.parent, 0) + 1
            self._beside.begin(event)
        elif isinstance(event, Relayed):
            self._managers[event.chat] = event.by
        elif isinstance(event, SpeakerChosen):
            self._managers[event.chat] = event.manager
        elif isinstance(event, SeriesStarted):  # it says nothing itself: its chats are not nested in anything
            self._depths[event.chat] = -1
            self._beside.begin_series(event)
        elif isinstance(event, HumanAnswered):
            if event.action in _DECISIONS:
                self._decisions.setdefault((event.chat, event.agent), []).append(event)
        elif isinstance(event, ModelAnswered):
            self._seconds[event.chat, event.agent] = event.seconds
        elif isinstance(event, CodeFinished):
            self._ran.setdefault((event.chat, event.agent), []).append(event)

    def _message(self, event: MessageSent) -> Bundle | None:
        number = self._numbers.get(event.chat, 0)
        self._numbers[event.chat] = number + 1
        place = self._place(event)
        self._last[event.chat] = event
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
            place=place,
            tools=self._tools,
            decisions=self._decisions.pop(key, ()),
            seconds=seconds if event.origin == "model" else _seconds_of(ran),
            ran=ran,
        )

    def _waiting_for(self, event: ModelFailed) -> str:
        """Who would have got the reply: who has spoken to the agent last."""
        last = self._last.get(event.chat)
        return last.sender if last is not None and last.recipient == event.agent else ""

    def place(self, chat: int, speaker: str) -> Place:
        """Where what an agent says in a chat stands."""
        return self._beneath(chat)._replace(colour=self.ordinal(speaker))

    def _place(self, event: MessageSent) -> Place:
        """In a group the code or the call of a result is that of who spoke last."""
        to_group, last = self._managers.get(event.chat) == event.recipient, self._last.get(event.chat)
        author = last.sender if to_group and last is not None else event.recipient
        place = self.place(event.chat, event.sender)
        return place._replace(author_colour=self._ordinals.get(author), to_group=to_group)

    def _beneath(self, chat: int) -> Place:
        """Where what nobody has said stands among the messages of a chat."""
        return Place(max(self._depths.get(chat, 0), 0), label=self._beside.label(chat), talk=self.talk)

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
    place = place or Place()
    place = place if is_result else place._replace(author_colour=None)
    shown = _of("message", event.chat) | {"id": number} | _who(event) | place.to_json()
    shown |= _what(event.message, decisions, results) | ({"not_run": True} if reason else {})
    shown |= {"changes": [names for names, _ in changes]} if changes else {}
    pictures = pictures_of(event.message, [name for name, _ in results])
    shown |= {"images": [one.to_json() for one in pictures]} if pictures else {}
    remarks = _remarks(decisions, is_call=bool(results))
    said = [quiet(reason)] if reason else _said(exited, results, text, pictures)
    below = [quiet(describe_changes(names)) for names, _ in changes]
    parts = [*said, *below, *_beside(event.message, decisions, is_call=bool(results))]
    return _assemble(
        shown, (event.sender, event.recipient), parts, text, remarks, place, _metadata(event, seconds, ran)
    )


def _said(
    exited: re.Match[str] | None, results: Sequence[tuple[str, str]], text: str, pictures: Sequence[Picture]
) -> list[Part]:
    """The text of a message, and its images: the result of code, results of tools, or speech."""
    if exited:
        code, ending, output = exited.groups()
        return [exit_line(code, output.strip("\n"), is_failed=ending == "failed")]
    texts = [result(name, content) for name, content in results] or ([speech(text)] if text.strip() else [])
    if not pictures:
        return texts
    found = list(texts)
    for one in reversed(pictures):
        found.insert(one.result + 1, picture(one.url, one.words) if one.url else quiet(one.words))
    return found


def _remarks(decisions: Iterable[HumanAnswered], *, is_call: bool) -> list[str]:
    """What stands behind the names: what a person has decided."""
    words = _DECISIONS | ({"edit": "edited"} if is_call else {})
    return [words[decision.action] for decision in decisions]


def _seconds_of(ran: Sequence[CodeFinished]) -> float | None:
    """How long blocks ran; `None` where none did."""
    times = [one.seconds for one in ran if one.status != "refused"]
    return sum(times) if times else None


def _beside(message: Message, decisions: Iterable[HumanAnswered], *, is_call: bool) -> list[Part]:
    """What stands below the text of a message: code (or arguments of a call) as edited, calls, and whether it is whole."""
    remark = cut_remark(message)
    cut = [alarm(remark)] if remark else []
    return [
        *_edits(decisions, "called with" if is_call else "the code as it ran"),
        *(call(one) for one in message.calls),
        *cut,
    ]


def _results(message: Message, text: str, tools: Mapping[str, str]) -> list[tuple[str, str]]:
    """The names of those that were called, and what they gave."""
    if message.tool_responses:
        return [(tools.get(one.tool_call_id, "tool"), plain(one.content)) for one in message.tool_responses]
    return [(message.name or tools.get(message.tool_call_id or "", ""), text)]


def _reason_not_run(exited: re.Match[str], decisions: Sequence[HumanAnswered], ran: Sequence[CodeFinished]) -> str:
    """Why no code was run at all, in a line; `""` when some was."""
    if exited[2] == "succeeded" or any(one.status != "refused" for one in ran):
        return ""
    if decisions and decisions[-1].action == "reject":
        reason = " ".join(clean(decisions[-1].text).split())
        return f"not run: rejected \N{EN DASH} {reason}" if reason else "not run: rejected"
    output = " ".join(exited[3].split())
    return f"not run: {output}" if ran else ""


def _edits(decisions: Iterable[HumanAnswered], label: str) -> list[Part]:
    return [edited(clean(one.text), label) for one in decisions if one.action == "edit"]


def note_bundle(event: Noted, place: Place = _FIRST) -> Bundle:
    """Something that a reader should know."""
    text = clean(event.text)
    sign = "\N{WARNING SIGN} " if event.level == "warning" else ""
    return _line(_of("note", event.chat) | {"level": event.level}, sign + text, text, place)


def summary_bundle(event: Summarised, place: Place = _FIRST) -> Bundle | None:
    """What a chat came to, in a line; `None` where nothing was summed up. The result of the chat has all of it."""
    words = " ".join(clean(event.text).split())
    if not words:
        return None
    words = words if len(words) <= _LONGEST_SUMMARY else f"{words[: _LONGEST_SUMMARY - 1]}…"
    return _line(_of("note", event.chat) | {"level": "info"}, f"Summary: {words}", f"Summary: {words}", place)


def cut_remark(message: Message) -> str:
    """What is said of a message that did not come whole; of one that did, nothing."""
    remark = _CUT_REMARKS.get(message.finish_reason or "", "")
    has_code = bool(message.calls or find_code_blocks(message.text))
    return f"{remark}; nothing in it was run" if remark and has_code else remark


def end_bundle(event: ChatEnded, place: Place = _FIRST) -> Bundle | None:
    """What, or who, ended a chat, and why; `None` where the last message says so, or no more was wanted."""
    is_said = event.ended_by == EndedBy.TERMINATION and not event.detail
    if is_said or event.ended_by in _QUIET_ENDS:
        return None
    detail, name = clean(event.detail), clean(event.who) if event.ended_by == EndedBy.HUMAN else ""
    shown = _of("end", event.chat) | {"ended_by": str(event.ended_by)} | ({"person": name} if name else {})
    return _line(shown, ending(event.ended_by, detail, name), detail, place)


def ending(ended_by: str, detail: str, person: str = "") -> str:
    """One sentence that says why a chat ended, or what `person` did to end it.

    >>> ending("stop", "stopped by the user"), ending("error", "ModelError: No."), ending("turn limit", "3 turns")
    ('Stopped by the user.', 'The chat failed. ModelError: No.', 'The chat ended (turn limit: 3 turns).')
    """
    if person:
        return f"{person} ended the chat: {detail}." if detail else f"{person} ended the chat."
    if ended_by == EndedBy.STOPPED:
        return "Stopped by the user." if detail in ("", STOPPED) else f"Stopped: {detail}."
    if ended_by == EndedBy.INTERRUPTED:
        return f"Interrupted: {detail}." if detail else "Interrupted."
    if ended_by == EndedBy.ERROR:
        return f"The chat failed. {detail.rstrip('.')}." if detail else "The chat failed."
    why = f"{ended_by}: {detail}" if detail and detail != ended_by else ended_by
    return f"The chat ended ({why})."


def failure_bundle(event: ModelFailed, place: Place | None = None, recipient: str = "") -> Bundle | None:
    """What had come of a reply that failed; `None` when nothing had. `recipient` is who waited for it."""
    if not event.partial.strip():
        return None
    text = clean(event.partial)
    parts = [speech(text), alarm(cut_remark(Message(text, finish_reason="interrupted")))]
    place = place or Place()
    names = {"sender": clean(event.agent)} | ({"recipient": clean(recipient)} if recipient else {})
    shown = _of("failure", event.chat) | names | place.to_json()
    return _assemble(shown, (event.agent, recipient), parts, text, (), place, _figures(event))


def joined_bundle(bundles: Sequence[Bundle], *, left_out: int = 0) -> Bundle:
    """Several bundles as one output. `left_out` says how many before them are not shown."""
    note = Noted(0, f"{left_out:,} earlier messages are not shown here; `_chat` has them.")
    all_of_them = [*([note_bundle(note)] if left_out else []), *bundles]
    items = [dict(one.data[MESSAGE_MIME]) | _only_in_other_forms(one.data) for one in all_of_them]
    data = {
        MESSAGE_MIME: {"schema": 1, "kind": "messages", "items": items},
        "text/html": "".join(one.data["text/html"] for one in all_of_them),
        "text/markdown": "\n\n".join(one.data["text/markdown"] for one in all_of_them),
        "text/plain": "\n\n".join(one.data["text/plain"] for one in all_of_them),
    }
    return Bundle(data, {METADATA_KEY: {"items": [one.metadata.get(METADATA_KEY, {}) for one in all_of_them]}})


def _only_in_other_forms(data: Mapping[str, Any]) -> dict[str, Any]:
    """What the JSON of a bundle leaves to its other forms, which a joined one has of all together."""
    urls = iter(urls_in(data["text/html"]) if "images" in data[MESSAGE_MIME] else ())
    images = [
        one | ({"url": next(urls, "")} if one.get("shown") else {}) for one in data[MESSAGE_MIME].get("images", ())
    ]
    return {"text": exact_text(data)} | ({"images": images} if images else {})


def exact_text(data: Mapping[str, Any]) -> str:
    """The text of the message that a bundle shows, as it was said.

    It is the `text` of the JSON part; where there is none, the Markdown after the line that names the speaker.
    """
    found = data[MESSAGE_MIME].get("text")
    return str(data["text/markdown"]).partition("\n\n")[2] if found is None else str(found)


# -- The JSON part and the metadata ------------------------------------------------------------------------------


def _of(kind: str, chat: int) -> dict[str, Any]:
    """What is shown, and the ordinal of its chat where that is not the first."""
    return {"kind": kind} | ({"chat": chat} if chat else {})


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
    return _figures(
        event,
        seconds,
        replayed=event.replayed or None,
        cached=event.cached or None,
        blocks=[block_id for _, block_id in changes_of(ran)] or None,
        is_change_unknown=is_unknown(ran) or None,
    )


def _figures(event: MessageSent | ModelFailed, seconds: float | None = None, **more: Any) -> dict[str, Any]:
    """What a reply took, as metadata."""
    seconds = event.seconds if isinstance(event, ModelFailed) else seconds
    found = {
        "model": event.model,
        "usage": event.usage.to_json() if event.usage else None,
        "cost": event.cost,
        "seconds": None if seconds is None else round(seconds, 3),
    } | more
    found = {key: value for key, value in found.items() if value is not None}
    return {METADATA_KEY: found} if found else {}


# -- Putting parts together --------------------------------------------------------------------------------------


def _assemble(
    shown: Mapping[str, Any],
    names: tuple[str, str],
    parts: Sequence[Part],
    text: str,
    remarks: Sequence[str],
    place: Place,
    metadata: dict[str, Any],
) -> Bundle:
    described = {"schema": 1} | dict(shown)
    if "\n\n".join(part.markdown for part in parts) != text:
        described["text"] = text
    return Bundle(_forms(described, framed(names, remarks, parts, place)), metadata)


def _line(shown: Mapping[str, Any], words: str, text: str, place: Place) -> Bundle:
    """A bundle of one quiet line that nobody in the chat said."""
    described = {"schema": 1} | dict(shown) | place.to_json() | {"text": text}
    return Bundle(_forms(described, line(words, place)), {})


def _forms(described: Mapping[str, Any], part: Part) -> dict[str, Any]:
    return {
        MESSAGE_MIME: described,
        "text/html": part.html,
        "text/markdown": part.markdown,
        "text/plain": part.text,
    }


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
    "summary_bundle",
]
