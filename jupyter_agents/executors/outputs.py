"""What a block of code shows: normalised, in order, and within bounds, for the model and for the page.

Nothing here knows a kernel. A `Transcript` collects for the model, a `Page` says what still fits on the page. Both
keep the beginning and the end of what is too long, say how much is missing, and hold a bounded amount of memory.
"""

from __future__ import annotations

import base64
import binascii
import html
import os
import re
import sysconfig
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jupyter_agents.executors.base import Output
from jupyter_agents.known_secrets import hide
from jupyter_agents.messages import scrub

MESSAGE_MIME = "application/vnd.jupyter-agents.message+json"
"""The JSON type of everything that this package puts on a page."""

MAX_TEXT = 20_000
"""Characters of a block's output that a model reads."""

MAX_PAGE = 200_000
"""Characters of a block's streams that a notebook gets."""

_MAX_BUNDLE = 10_000_000  # bytes of one MIME type of one output, and of all that a transcript keeps
_MAX_OUTPUTS = 100  # rich outputs of one block: more of them than any reader looks at
_MAX_LINE = 16_384  # an unfinished line that is longer is broken
_BUFFER = 8_192  # writes are gathered up to here before they are looked at
_SLICE = 1 << 20  # one write is looked at in slices of this length

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]+[0-~]|[0-Z\\^-~])?")
_OPERATING_SYSTEM_COMMAND = re.compile(r"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?")  # titles, hyperlinks
_ERASE_LINE = re.compile(r"\x1b\[[02]?K")
_ERASED = re.compile(r".*\x1b\[2K", re.DOTALL)  # all that was before it in the line
_CONTROL = re.compile(r"[\x00-\x06\x0e-\x1f\x7f]")
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,16}\b")
_CELL_FILE = re.compile(r"[^\s\"'<>]*ipykernel_\d+[/\\]\d+\.py|<ipython-input-\d+-[0-9a-f]+>")
_CELL_NAME = re.compile(r"\b(?:Cell )?In ?\[\d+\]")


# -- Normalising -------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """`text` as a reader sees it, the same in every run.

    Progress bars are collapsed to their last state; colours, control characters, lone surrogates and memory addresses
    are gone, and a code block has the same name in every kernel.

    >>> plain("10%\\r100%\\n\\x1b[31mred\\x1b[0m <object at 0x7f3a5c0b1d90>")
    '100%\\nred <object at 0x…>'
    """
    text = scrub(text)
    if "\r" in text:
        text = re.sub(r"\r+\n", "\n", text)
    if "\r" in text or "\b" in text:
        text = "\n".join(_visible(line) for line in text.split("\n"))
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return steady(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\a", "")))


def steady(text: str) -> str:
    """`text` without what differs from run to run: memory addresses and the files of code blocks."""
    if " 0x" in text:
        text = _ADDRESS.sub("at 0x…", text)
    if "ipykernel_" in text or "<ipython-input-" in text:
        text = _CELL_FILE.sub("<code block>", text)
    return text


def plain_traceback(text: str) -> str:
    """A piece of a traceback, normalised further: cell numbers, and where libraries are installed."""
    text = _CELL_NAME.sub("Code block", plain(text))
    for prefix in _library_paths():
        text = text.replace(prefix, "")
    return text


def for_page(text: str) -> str:
    """`text` of a stream as it may go to the page: with colours and progress bars, without what breaks the message."""
    text = steady(scrub(text).replace("\0", "\N{REPLACEMENT CHARACTER}"))
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    return _OPERATING_SYSTEM_COMMAND.sub("", text) if "\x1b]" in text else text


def shorten(text: str, limit: int) -> str:
    """The beginning and the end of `text`, `limit` characters in all, with the size of the cut between them.

    >>> shorten("abcdefgh", 4)
    'ab\\n… 4 characters not shown …\\ngh'
    """
    if len(text) <= limit:
        return text
    half = limit // 2
    return text[: limit - half] + _cut_note(len(text) - limit) + (text[-half:] if half else "")


def _cut_note(characters: int) -> str:
    return f"\n… {characters:,} characters not shown …\n"


def _visible(line: str) -> str:
    """What a terminal shows of a line after its carriage returns, backspaces and erasures."""
    shown = ""
    for piece in line.split("\r"):
        erases = False
        if "\x1b" in piece:
            erases = _ERASE_LINE.search(piece) is not None
            piece = _ANSI.sub("", _ERASED.sub("", piece))
        piece = _without_backspaces(piece)
        shown = piece if erases else piece + shown[len(piece) :]
    return shown


def _without_backspaces(text: str) -> str:
    if "\b" not in text:
        return text
    kept: list[str] = []
    for one in text:
        if one != "\b":
            kept.append(one)
        elif kept:
            kept.pop()
    return "".join(kept)


@cache
def _library_paths() -> tuple[str, ...]:
    """Where Python's libraries and this package are, as a traceback writes it; the longest first."""
    here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib", "platstdlib")} | {here}
    home = os.path.expanduser("~")
    found |= {"~" + path[len(home) :] for path in found if path.startswith(home + os.sep)}
    return tuple(sorted((path + os.sep for path in found), key=len, reverse=True))


# -- Bundles -----------------------------------------------------------------------------------------------------


def describe(bundle: Mapping[str, Any]) -> str:
    """A MIME bundle in words, for a model: its text where it has one, else what kind of thing it is.

    >>> describe({"text/plain": "   a\\n0  1", "text/html": "<table>…"})
    '   a\\n0  1'
    """
    for mime in bundle:
        if mime.startswith("image/"):
            return f"<figure: {mime}{_dimensions(bundle[mime])}>"
    for mime in ("text/plain", "text/markdown", "text/latex"):
        text = bundle.get(mime)
        if isinstance(text, str) and not text.startswith("<IPython.core.display."):
            return plain(text)
    return f"<output: {', '.join(mime for mime in bundle if mime != 'text/plain') or 'empty'}>"


def as_json(bundle: Mapping[str, Any], limit: int = MAX_PAGE) -> dict[str, Any]:
    """The bundle as a notebook stores it and a message can carry it: text that encodes, bytes as base64, bounded."""
    found: dict[str, Any] = {}
    for mime, value in bundle.items():
        if isinstance(value, bytes):
            value = base64.b64encode(value).decode("ascii")
        if isinstance(value, str):
            value = scrub(value).replace("\0", "\N{REPLACEMENT CHARACTER}")
            value = hide(value) if mime.startswith("text/") else value
            value = shorten(steady(value), limit) if mime == "text/plain" else value
        if not isinstance(value, str) or len(value) <= _MAX_BUNDLE:
            found[mime] = value
    return found or {"text/plain": f"<output: {', '.join(bundle)}, too large to show>"}


def error_bundle(error: Output) -> dict[str, Any]:
    """An `error` output as something to display: the page must not read it as the failure of its cell."""
    text = "\n".join(error["traceback"])
    details = {key: error[key] for key in ("ename", "evalue", "traceback")}
    return {
        MESSAGE_MIME: {"schema": 1, "kind": "error"} | details,
        "text/html": f"<pre>{html.escape(text)}</pre>",
        "text/plain": text,
    }


def _dimensions(image: Any) -> str:
    """The size of a PNG image, which its first 24 bytes hold."""
    try:
        head = image[:24] if isinstance(image, bytes) else base64.b64decode(image[:32])
    except (binascii.Error, TypeError, ValueError):
        return ""
    if not head.startswith(b"\x89PNG"):
        return ""
    return f" {int.from_bytes(head[16:20], 'big')}x{int.from_bytes(head[20:24], 'big')}"


# -- For the model -----------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Piece:
    """A piece of a transcript. `name` is that of its stream, or `""` for what is not of a stream."""

    name: str
    text: str
    output: dict[str, Any] | None = None
    is_late: bool = False


@dataclass(slots=True)
class _Line:
    """The end of a stream that no newline has finished yet."""

    name: str
    text: str = ""

    @property
    def is_progress(self) -> bool:
        """Whether it is being overwritten, so that it is worth waiting for its last state."""
        return "\r" in self.text or "\b" in self.text


@dataclass
class Transcript:
    """What a block shows, in order of appearance, within `limit` characters and a bounded number of rich outputs."""

    limit: int = MAX_TEXT
    _head: list[_Piece] = field(default_factory=list)
    _middle: list[_Piece] = field(default_factory=list)  # rich outputs whose words were cut
    _tail: deque[_Piece] = field(default_factory=deque)
    _lines: dict[str, _Line] = field(default_factory=dict)
    _buffer: list[str] = field(default_factory=list)
    _buffered: int = 0
    _stream: str = ""
    _head_size: int = 0
    _tail_size: int = 0
    _cut: int = 0
    _bytes: int = 0
    _displays: dict[str, _Piece] = field(default_factory=dict)
    _count: int = 0

    def write(self, name: str, text: str) -> None:
        """Add what a stream (`stdout` or `stderr`) was given."""
        if name != self._stream:
            self._take_in()
            self._stream = name
        self._buffer.append(text)
        self._buffered += len(text)
        if self._buffered > _BUFFER:
            self._take_in()

    def add(self, text: str, output: Mapping[str, Any], display_id: str | None = None) -> None:
        """Add a rich output and its words. One with a `display_id` can be replaced by `update`."""
        self._take_in()
        self._finish_lines()
        piece = _Piece("", self._fit(text), dict(output))
        self._keep(piece)
        self._append(piece)
        if display_id is not None and piece.output is not None:
            self._displays[display_id] = piece

    def update(self, text: str, output: Mapping[str, Any], display_id: str) -> None:
        """Replace the words and the output of the display with this id, if it is here."""
        piece = self._displays.get(display_id)
        if piece is None:
            return
        before = len(piece.text)
        self._bytes -= _size(piece.output)
        self._count -= 1
        piece.text, piece.output = self._fit(text), dict(output)
        self._keep(piece)
        if piece.is_late:
            self._tail_size += len(piece.text) - before
            self._cut_tail()
        else:
            self._head_size += len(piece.text) - before

    def text(self) -> str:
        """What a model reads: at most `limit` characters, and the note of a cut."""
        self._settle()
        head, tail = _joined(self._head), _joined([*self._tail])
        if self._cut:
            return shorten(head, self.limit - self.limit // 2) + _cut_note(self._cut) + tail
        if self._tail and self._tail[0].output is not None and head and not head.endswith("\n"):
            head += "\n"
        return shorten(head + tail, self.limit)

    def outputs(self) -> tuple[Output, ...]:
        """The same as the outputs of a cell, in the notebook format."""
        self._settle()
        note = [_Piece("stdout", _cut_note(self._cut))] if self._cut else []
        found: list[dict[str, Any]] = []
        for piece in (*self._head, *note, *self._middle, *self._tail):
            if piece.output is not None:
                found.append(piece.output)
            elif piece.name and found and found[-1].get("name") == piece.name:
                found[-1]["text"] += piece.text
            elif piece.name:
                found.append({"output_type": "stream", "name": piece.name, "text": piece.text})
        return tuple(found)

    def _fit(self, text: str) -> str:
        """The words of a rich output, short enough never to be cut off whole."""
        most = self.limit // 2
        return text if len(text) <= most else shorten(text, max(0, most - len(_cut_note(len(text)))))

    def _settle(self) -> None:
        self._take_in()
        self._finish_lines(with_progress=True)

    def _take_in(self) -> None:
        """Look at what was gathered: finished lines are added, the rest waits for its newline."""
        if not self._buffer:
            return
        text = "".join(self._buffer)
        self._buffer, self._buffered = [], 0
        line = self._lines.get(self._stream)
        if line is None:
            self._finish_lines()
            line = self._lines[self._stream] = _Line(self._stream)
        elif len(self._lines) > 1:
            self._finish_lines(but=self._stream)
        for start in range(0, len(text), _SLICE):
            self._extend(line, text[start : start + _SLICE])

    def _extend(self, line: _Line, text: str) -> None:
        finished, newline, rest = (line.text + text).rpartition("\n")
        line.text = rest
        if newline:
            self._append(_Piece(line.name, plain(finished + newline)))
        if len(line.text) > _MAX_LINE and line.is_progress:
            before, _, last = line.text.rpartition("\r")
            line.text = f"{_visible(before)}\r{last}"
        if len(line.text) > 2 * _MAX_LINE:
            self._append(_Piece(line.name, plain(line.text)))
            line.text = ""

    def _finish_lines(self, *, with_progress: bool = False, but: str = "") -> None:
        for line in [*self._lines.values()]:
            if line.name != but and (with_progress or not line.is_progress):
                del self._lines[line.name]
                self._append(_Piece(line.name, plain(line.text)))

    def _keep(self, piece: _Piece) -> None:
        """Count a rich output, or drop it where there are too many already; its words stay."""
        size = _size(piece.output)
        if self._count >= _MAX_OUTPUTS or self._bytes + size > _MAX_BUNDLE:
            piece.output = None
            return
        self._count += 1
        self._bytes += size

    def _append(self, piece: _Piece) -> None:
        if not piece.text and piece.output is None:
            return
        room = self.limit - self.limit // 2 - self._head_size
        if not self._tail and len(piece.text) <= room:
            self._head.append(piece)
            self._head_size += len(piece.text)
            return
        if not self._tail and piece.name and room > 0:
            self._head.append(_Piece(piece.name, piece.text[:room]))
            self._head_size += room
            piece.text = piece.text[room:]
        piece.is_late = True
        self._tail.append(piece)
        self._tail_size += len(piece.text)
        self._cut_tail()

    def _cut_tail(self) -> None:
        while (excess := self._tail_size - self.limit // 2) > 0:
            first = self._tail[0]
            lost = len(first.text) if first.output is not None else min(excess, len(first.text))
            first.text = first.text[lost:]
            self._tail_size -= lost
            self._cut += lost
            if not first.text:
                self._tail.popleft()
                first.is_late = False
                if first.output is not None:
                    self._middle.append(first)


def _size(output: Mapping[str, Any] | None) -> int:
    """About how many bytes an output holds."""
    if not output:
        return 0
    values = output.get("data", output).values()
    return sum(len(value) if isinstance(value, str) else len(repr(value)) for value in values)


def _joined(pieces: Iterable[_Piece]) -> str:
    """The words of the pieces; what is not of a stream has lines of its own."""
    found: list[str] = []
    was_rich = False
    for piece in pieces:
        if piece.text and found and (was_rich or not piece.name) and not found[-1].endswith("\n"):
            found.append("\n")
        if piece.text:
            found.append(piece.text)
            was_rich = not piece.name
    return "".join(found)


# -- For the page ------------------------------------------------------------------------------------------------


@dataclass
class Page:
    """How much of a block's output the notebook still gets: `limit` characters of its streams and 100 outputs.

    What a progress bar overwrites does not count, within reason. The end of what did not fit is kept for `rest`.
    """

    limit: int = MAX_PAGE
    _used: int = 0
    _written: int = 0
    _line: int = 0  # characters since the last newline, which a carriage return will overwrite
    _end: deque[str] = field(default_factory=deque)
    _end_size: int = 0
    _hidden: int = 0
    _outputs: int = 0

    def admit(self, text: str) -> str:
        """The part of `text` to write now."""
        if self._hidden or self._end:
            self._hold_back(text)
            return ""
        cost = self._cost(text)
        if self._used + cost <= self.limit and self._written + len(text) <= 20 * self.limit:
            self._used += cost
            self._written += len(text)
            return text
        room = max(0, self.limit - self._used) if "\r" not in text else 0
        self._hold_back(text[room:])
        return text[:room]

    def admit_output(self) -> bool:
        """Whether one more rich output may be shown."""
        self._outputs += 1
        return self._outputs <= _MAX_OUTPUTS

    def rest(self) -> str:
        """What to write when the block has ended: how much is missing, and the end of it."""
        note = _cut_note(self._hidden) if self._hidden else ""
        if self._outputs > _MAX_OUTPUTS:
            note += f"\n… {self._outputs - _MAX_OUTPUTS:,} outputs not shown …\n"
        return note + "".join(self._end)

    def _cost(self, text: str) -> int:
        """How many characters `text` adds to what is to be seen."""
        if "\r" not in text:
            newline = text.rfind("\n")
            self._line = len(text) - newline - 1 if newline >= 0 else self._line + len(text)
            return len(text)
        refund = self._line if "\r" in text.partition("\n")[0] else 0
        seen = re.sub(r"[^\n]*\r", "", text)
        self._line = len(seen) - seen.rfind("\n") - 1
        return len(seen) - refund

    def _hold_back(self, text: str) -> None:
        most = self.limit // 10
        if len(text) > most:
            self._hidden += len(text) - most
            text = text[-most:] if most else ""
        self._end.append(text)
        self._end_size += len(text)
        while self._end_size - len(self._end[0]) >= most and len(self._end) > 1:
            first = self._end.popleft()
            self._end_size -= len(first)
            self._hidden += len(first)
