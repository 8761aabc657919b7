"""The pieces of a message, each in the three forms in which viewers of notebooks show it: HTML, Markdown and plain text.

The HTML stands alone: some viewers strip styles, so speakers, labels and what is folded must be told by the tags, and
all styles are in attributes. It is in the file of every notebook once for every message, so an attribute is there only
for what viewers do not do by themselves, and in single quotes, which JSON does not escape.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

from jupyter_agents.display.markdown import clean, code_html, code_markdown, defang, escape_markdown, to_html
from jupyter_agents.messages import ToolCall

_LONG_SPEECH = 10_000
_LONG_RESULT = 600
_COLOURS = ("#4a82d4", "#b9682f", "#2f9467", "#9168c8", "#a37f1c", "#c4557f", "#1f8fa3", "#7b8794")
_DEEPEST = 5
_QUIET = "opacity:.8"
_ALARM = "padding:0 5px;border-radius:4px;background:rgba(214,64,64,.18)"


class Part(NamedTuple):
    """A piece of what a bundle shows, in its three forms."""

    html: str
    markdown: str
    text: str


class Place(NamedTuple):
    """How deep a message is nested; the ordinals of its speaker and of who wrote the code or the call it is a result of.

    Ordinals are shown as colours: here on a border only, so they need not suit a theme. `label` names the chat where
    others go on beside it, and `talk` counts the chats of the cell. What is said `to_group` has a recipient, the manager
    of the group, that tells a reader nothing.
    """

    depth: int = 0
    colour: int = 0
    author_colour: int | None = None
    label: str = ""
    talk: int = 1
    to_group: bool = False

    @property
    def name(self) -> str:
        """What the chat is called, where a reader might take it for another one."""
        return self.label or (f"chat {self.talk}" if self.talk > 1 else "")

    def to_json(self) -> dict[str, Any]:
        """What the JSON part says of it. What is as usual is left out."""
        found = {
            "colour": self.colour or None,
            "author_colour": self.author_colour,
            "depth": self.depth or None,
            "label": _line_of(self.label) or None,
            "talk": self.talk if self.talk > 1 else None,
            "to_group": self.to_group or None,
        }
        return {key: value for key, value in found.items() if value is not None}


# -- The whole ---------------------------------------------------------------------------------------------------


def framed(names: tuple[str, str], remarks: Sequence[str], parts: Sequence[Part], place: Place) -> Part:
    """A message of these parts, under a line with the names of who says it and to whom, and short remarks.

    In the Markdown that line and an empty one stand before the parts, which an empty line parts from each other.
    """
    sender, recipient, name = map(_line_of, (*names, place.name))
    after = "".join(f" · {remark}" for remark in remarks)
    shown_to = "" if place.to_group else recipient
    return Part(
        _article(sender, shown_to, _behind(escape(name, quote=False), after), _joined_html(parts), place),
        f"**{escape_markdown(sender)}**{f' to {escape_markdown(shown_to)}' if shown_to else ''}"
        f"{_behind(escape_markdown(name), after)}\n\n" + "\n\n".join(part.markdown for part in parts),
        _heading(sender, recipient, _behind(name, after)) + "\n\n".join(part.text for part in parts if part.text),
    )


def _line_of(name: str) -> str:
    return " ".join(clean(name).split())


def _behind(name: str, after: str) -> str:
    """What stands behind the names: the name of the chat where there is one, and remarks."""
    return f" · {name}{after}" if name else after


def _joined_html(parts: Sequence[Part]) -> str:
    return "".join(part.html for part in parts)


def _heading(sender: str, recipient: str, after: str) -> str:
    return f"{sender} (to {recipient}){after}:\n\n" if recipient else f"{sender}{after}:\n\n"


def _article(sender: str, recipient: str, after: str, body: str, place: Place) -> str:
    name = f"{sender} to {recipient}" if recipient else sender
    to = f" <small>to {escape(recipient, quote=False)}{after}</small>" if recipient else after
    return (
        f"<article aria-label='{escape(name)}' style='margin:{_margin(place.depth)};padding-left:12px;"
        f"border-left:3px solid {_colour(place)};max-width:60em'>"
        f"<div><b>{escape(sender, quote=False)}</b>{to}</div>{body}</article>"
    )


def _margin(depth: int) -> str:
    return f"8px 0 8px {24 * min(depth, _DEEPEST)}px" if depth > 0 else "8px 0"


def _colour(place: Place) -> str:
    """A result has the colour of the message that it is a result of."""
    ordinal = place.colour if place.author_colour is None else place.author_colour
    return _COLOURS[ordinal % len(_COLOURS)]


def line(words: str, place: Place) -> Part:
    """One quiet line that nobody in the chat said, for itself, where the messages of its chat stand."""
    words = f"{_line_of(place.name)} · {words}" if place.name else words
    style = f"margin:{_margin(place.depth)};font-size:90%;{_QUIET}"
    html = f"<div role='note' style='{style}'>{escape(words, quote=False)}</div>"
    return Part(html, f"*{escape_markdown(words)}*", words)


# -- What is said ------------------------------------------------------------------------------------------------


def speech(text: str) -> Part:
    """What an agent or a person has said, as Markdown; folded when it is long."""
    html = to_html(text)
    if len(text) > _LONG_SPEECH:
        html = folded(f"{_beginning(text)} ({len(text):,} characters)", html)
    return Part(html, defang(text), text)


def quiet(words: str) -> Part:
    """A line of less weight."""
    return Part(f"<div style='{_QUIET}'>{escape(words, quote=False)}</div>", escape_markdown(words), words)


def alarm(text: str) -> Part:
    """A line that should be seen. It is shown as it is: words of this package only."""
    return Part(f"<div><span style='{_ALARM}'>{text}</span></div>", f"*{text}*", f"[{text}]")


# -- Calls and what came of them ---------------------------------------------------------------------------------


def call(one: ToolCall) -> Part:
    """A call of a tool with its arguments."""
    name, arguments = clean(one.name), clean(readable_arguments(one.arguments))
    return Part(
        code_html(arguments, f"calls {name}"),
        f"calls **{escape_markdown(name)}**\n\n{code_markdown(arguments)}",
        f"calls {name}:\n{arguments}",
    )


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


def result(name: str, content: str) -> Part:
    """What the tool of this name gave; folded when it is long."""
    label = f"{clean(name)} returned" if name else ""
    html = code_html(content, label)
    if len(content) > _LONG_RESULT:
        html = folded(f"{label or 'result'}: {_beginning(content)} ({len(content):,} characters)", code_html(content))
    title = f"**{escape_markdown(name)}** returned\n\n" if name else ""
    return Part(html, title + code_markdown(content), f"{label}:\n{content}" if label else content)


def picture(url: str, words: str) -> Part:
    """An image that is in its URL, in HTML alone: other forms say in words that there is one."""
    style = "display:block;margin:8px 0;max-width:100%;max-height:480px"
    return Part(f"<img src='{url}' alt='{escape(words)}' style='{style}'>", f"*{escape_markdown(words)}*", f"[{words}]")


def exit_line(code: str, output: str, *, is_failed: bool) -> Part:
    """The result of code in one line. What the code showed stands in the cell already, so it is folded away."""
    words = f"exit code {code}, failed" if is_failed else f"exit code {code}"
    html = f"<span style='{_ALARM}'>{words}</span>" if is_failed else words
    html = _details(html, code_html(output)) if output else f"<div>{html}</div>"
    return Part(html, words, words)


def edited(code: str, label: str) -> Part:
    """Code, or the arguments of a call, as a person has changed it."""
    return Part(folded(label, code_html(code)), code_markdown(code), f"{label}:\n{code}")


# -- Folding -----------------------------------------------------------------------------------------------------


def folded(summary: str, html: str) -> str:
    """HTML behind a line to unfold it by."""
    return _details(escape(summary, quote=False), html)


def _details(summary: str, html: str) -> str:
    return f"<details><summary style='cursor:pointer'>{summary}</summary>{html}</details>"


def _beginning(text: str) -> str:
    words = " ".join(text[:200].split())
    return words[:80] + "…"


__all__ = [
    "Part",
    "Place",
    "alarm",
    "call",
    "edited",
    "exit_line",
    "folded",
    "framed",
    "line",
    "picture",
    "quiet",
    "readable_arguments",
    "result",
    "speech",
]
