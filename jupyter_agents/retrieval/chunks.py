"""Documents are cut into chunks that a model can read: at headings, blank lines and line ends, in this order."""

from __future__ import annotations

import ast
import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from jupyter_agents.code_blocks import fenced, find_code_blocks
from jupyter_agents.retrieval.documents import Document

ChunkMode = Literal["multi_lines", "one_line"]
Counter = Callable[[str], int]

SEPARATOR = " > "
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_RST_LINE = re.compile(r"([=\-~^\"'`#*+:._<>])\1{2,}[ \t]*$")
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])")  # noqa: RUF001 - these end sentences, too


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has: one for four characters.

    >>> estimate_tokens("twelve chars")
    3
    """
    return math.ceil(len(text) / 4)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document. `heading` names the sections around it, `place` says where it is (`lines 3–9`)."""

    text: str
    source: str = ""
    heading: str = ""
    place: str = ""

    @property
    def id(self) -> str:
        """A name that is the same whenever the document is cut in the same way."""
        said = repr((self.source, self.heading, self.place, self.text))
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def label(self) -> str:
        """Where it is from, for a reader.

        >>> Chunk("…", "guide.md", "Install > Linux", "lines 3–9").label
        'guide.md, “Install > Linux”, lines 3–9'
        """
        parts = (self.source, f"“{self.heading}”" if self.heading else "", self.place)
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Cutting:
    """How documents are cut.

    A chunk has at most `max_tokens`, as `count` counts them. `overlap` tokens of prose are said again at the beginning
    of the next chunk of the same section. In the mode `one_line` each line that is not blank is a chunk of its own.
    With `at_blank_lines` false paragraphs are cut to fill chunks up.
    """

    max_tokens: int = 400
    overlap: int = 40
    mode: ChunkMode = "multi_lines"
    at_blank_lines: bool = True
    count: Counter = estimate_tokens


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines that belong together, from `line` to `last` (counted from 1). `fence` is the language of a code block."""

    text: str
    line: int
    last: int
    heading: str = ""
    begins_section: bool = False
    fence: str | None = None

    @property
    def is_title(self) -> bool:
        """Whether it is a heading and nothing else."""
        lines = self.text.split("\n")
        if len(lines) == 1:
            return self.begins_section and bool(_ATX.match(lines[0]))
        return self.begins_section and len(lines) <= 3 and bool(_SETEXT.match(lines[-1]) or _RST_LINE.match(lines[-1]))


def cut(document: Document, how: Cutting | None = None) -> list[Chunk]:
    """The chunks of a document, in order. Each section begins a new one, and code blocks that fit stay whole.

    >>> text = "# Tea\\nHot.\\n\\n# Ice\\nCold."
    >>> [(chunk.heading, chunk.place) for chunk in cut(Document("drinks.md", text, "markdown"))]
    [('Tea', 'lines 1–2'), ('Ice', 'lines 4–5')]
    """
    how = how or Cutting()
    lines = document.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    head = document.head if how.count(document.head) <= how.max_tokens // 2 and any(lines[1:]) else ""
    if head:
        lines[0] = ""  # it is said with each chunk
    room = how.max_tokens - (how.count(f"{head}\n") if head else 0)
    blocks = _each_line(lines) if how.mode == "one_line" else _Reader(document, lines, how).blocks()
    pieces = [piece for block in blocks for piece in _fitting(block, room, how.count)]
    if document.kind in ("python", "table"):
        how = replace(how, overlap=0)  # what is said twice there would be there twice
    groups = [[piece] for piece in pieces] if how.mode == "one_line" else _packed(pieces, room, how)
    return [_chunk(group, document, head) for group in groups]


def _each_line(lines: Sequence[str]) -> Iterator[_Block]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _Block(line, number, number)


def _chunk(group: Sequence[_Block], document: Document, head: str) -> Chunk:
    text = group[0].text
    for before, block in pairwise(group):
        text += ("\n" if block.line <= before.last + 1 else "\n\n") + block.text
    if head:
        text = f"{head}\n{text}"
    return Chunk(text.strip("\n"), document.source, group[-1].heading, document.place(group[0].line, group[-1].last))


# -- What belongs together ---------------------------------------------------------------------------------------


class _Reader:
    """Finds the paragraphs, code blocks and rows of a document, each with the headings above it."""

    def __init__(self, document: Document, lines: Sequence[str], how: Cutting) -> None:
        self._lines = lines
        self._fences = _fences(document, len(lines))
        self._headings = _headings(document, lines, self._fences)
        self._each = document.kind == "table" or not how.at_blank_lines
        self._heading, self._begins = "", False

    def blocks(self) -> Iterator[_Block]:
        """The blocks, in order."""
        start = number = 0
        while number < len(self._lines):
            if self._is_cut(number):
                yield from self._block(start, number)
                start = number
            if number in self._headings:
                self._heading, self._begins = self._headings[number], True
            if number in self._fences:
                end, language = self._fences[number]
                yield from self._block(number, end, language)
                start = number = end
            else:
                number += 1
        yield from self._block(start, len(self._lines))

    def _is_cut(self, number: int) -> bool:
        is_marked = number in self._headings or number in self._fences
        return is_marked or self._each or not self._lines[number].strip()

    def _block(self, start: int, end: int, fence: str | None = None) -> Iterator[_Block]:
        while start < end and not self._lines[start].strip():
            start += 1
        if start < end:
            text = "\n".join(self._lines[start:end])
            yield _Block(text, start + 1, end, self._heading, self._begins, fence)
            self._begins = False


def _fences(document: Document, length: int) -> dict[int, tuple[int, str]]:
    """The code blocks by the line (from 0) in which they begin: the line after their end, and their language."""
    if document.kind not in ("markdown", "text"):
        return {}
    return {
        block.line: (min(block.line + block.code.count("\n") + 1 + block.closed, length), block.language)
        for block in find_code_blocks(document.text)
    }


def _headings(document: Document, lines: Sequence[str], fences: Mapping[int, tuple[int, str]]) -> dict[int, str]:
    """By line (from 0) the path of headings that begins there."""
    if document.kind == "python":
        return _definitions(document.text)
    if document.kind not in ("markdown", "rst"):
        return {}
    hidden = {line for start, (end, _) in fences.items() for line in range(start, end)}
    path: list[tuple[int, str]] = []
    found = {}
    for number, level, title in (_markdown_headings if document.kind == "markdown" else _rst_headings)(lines):
        if number not in hidden:
            path = [*(one for one in path if one[0] < level), (level, title)]
            found[number] = SEPARATOR.join(one[1] for one in path)
    return found


def _markdown_headings(lines: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    for number, line in enumerate(lines):
        atx = _ATX.match(line)
        if atx:
            yield number, len(atx[1]), atx[2]
        elif number and _SETEXT.match(line) and _is_underlined(lines, number - 1):
            yield number - 1, 1 if "=" in line else 2, lines[number - 1].strip()


def _is_underlined(lines: Sequence[str], number: int) -> bool:
    """Whether the line before an underline is a heading: it stands alone, and is no table, list or heading itself."""
    alone = number == 0 or not lines[number - 1].strip()
    return alone and bool(lines[number].strip()) and not re.match(r"\s*([|#>*+-]|\d+[.)])", lines[number])


def _rst_headings(lines: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Titles with a line under them, and perhaps one above; the level is that of the mark's first use."""
    levels: dict[str, int] = {}
    for number, (title, under) in enumerate(pairwise(lines)):
        mark = _RST_LINE.match(under)
        if not mark or not title.strip() or _RST_LINE.match(title) or len(under.rstrip()) < len(title.rstrip()):
            continue
        over = number > 0 and lines[number - 1].rstrip() == under.rstrip()
        level = levels.setdefault(f"{mark[1]}{over}", len(levels) + 1)
        yield number - over, level, title.strip()


def _definitions(text: str) -> dict[int, str]:
    """Classes and functions of a module, and the methods of its classes, by the line in which they begin.

    Statements that define nothing are one section, without a name.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[int, str] = {}
    for node in tree.body:
        found[_first_line(node)] = getattr(node, "name", "")
        if isinstance(node, ast.ClassDef):
            methods = (one for one in node.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)))
            found |= {_first_line(one): f"{node.name}.{one.name}" for one in methods}
    named = [(0, ""), *sorted(found.items())]
    return {line: name for (_, before), (line, name) in pairwise(named) if name or before}


def _first_line(node: ast.stmt) -> int:
    decorators: Iterable[ast.expr] = getattr(node, "decorator_list", ())
    return min([node.lineno, *(one.lineno for one in decorators)]) - 1


# -- What fits ---------------------------------------------------------------------------------------------------


def _fitting(block: _Block, room: int, count: Counter) -> list[_Block]:
    """A block, or pieces of it where it is too long. Pieces of a code block are code blocks themselves."""
    if count(block.text) <= room:
        return [block]
    lines = block.text.split("\n")
    if block.fence is None:
        return _pieces(block, lines, block.line, room, count)
    is_closed = len(lines) > 1 and not lines[-1].strip().strip("`~")
    code = lines[1:-1] if is_closed else lines[1:]
    made = _pieces(block, code, block.line + 1, max(room - count(fenced("", block.fence)), 1), count)
    return [replace(piece, text=fenced(piece.text, block.fence)) for piece in made]


def _pieces(block: _Block, lines: Sequence[str], line: int, room: int, count: Counter) -> list[_Block]:
    """Lines, as many in each piece as there is room for; a line that is too long is cut."""
    found: list[_Block] = []
    held: list[str] = []

    def finish(last: int) -> None:
        if any(one.strip() for one in held):
            begins = block.begins_section and not found
            found.append(_Block("\n".join(held), last - len(held) + 1, last, block.heading, begins, block.fence))
        held.clear()

    for number, text in enumerate(lines, line):
        if count(text) > room:
            finish(number - 1)
            for part in _parts(text, room, count):
                held.append(part)
                finish(number)
            continue
        if count("\n".join([*held, text])) > room:
            finish(number - 1)
        held.append(text)
    finish(line + len(lines) - 1)
    return found


def _parts(line: str, room: int, count: Counter) -> list[str]:
    """A long line, cut after sentences, else between words, else anywhere."""
    joined: list[str] = []
    for sentence in _SENTENCE.split(line):
        for unit in [sentence] if count(sentence) <= room else _words(sentence, room, count):
            if joined and count(f"{joined[-1]} {unit}") <= room:
                joined[-1] += f" {unit}"
            else:
                joined.append(unit)
    return joined


def _words(text: str, room: int, count: Counter) -> list[str]:
    """Words; long ones in pieces of as many characters as there is room for on the average."""
    size = max(int(len(text) * room / max(count(text), 1)), 1)
    return [word[at : at + size] for word in text.split() for at in range(0, len(word), size)]


# -- What goes together ------------------------------------------------------------------------------------------


def _packed(pieces: Iterable[_Block], room: int, how: Cutting) -> list[list[_Block]]:
    """Blocks in groups that fit. A section begins a new one, unless there are only titles before it."""
    groups: list[list[_Block]] = []
    for piece in pieces:
        last = groups[-1] if groups else []
        if last and _belongs(piece, last) and _size([*last, piece], how.count) <= room:
            last.append(piece)
            continue
        tail = _tail(last, piece, how)
        groups.append([tail, piece] if tail and _size([tail, piece], how.count) <= room else [piece])
    return groups


def _belongs(piece: _Block, group: Sequence[_Block]) -> bool:
    return not piece.begins_section or all(block.is_title for block in group)


def _size(group: Iterable[_Block], count: Counter) -> int:
    return count("\n\n".join(block.text for block in group))


def _tail(before: Sequence[_Block], piece: _Block, how: Cutting) -> _Block | None:
    """The end of what is before, where both are prose of one section: its last sentences, as many as may overlap."""
    if not before or piece.begins_section or piece.fence is not None or before[-1].fence is not None:
        return None
    last = before[-1]
    kept = ""
    for sentence in reversed(_SENTENCE.split(last.text)):
        longer = f"{sentence} {kept}" if kept else sentence
        if how.count(longer) > how.overlap:
            break
        kept = longer
    return replace(last, text=kept, line=last.last - kept.count("\n"), begins_section=False) if kept.strip() else None
