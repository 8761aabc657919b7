"""The fenced code blocks of a reply, found as CommonMark has them.

Only fences count, as https://spec.commonmark.org/0.31.2/#fenced-code-blocks defines them: back-ticks or tildes,
of any length, indented, in lists and quotations, with an info string. A block whose fence is never closed is
found too, and marked as such: it was cut off, and must not run.
"""

from __future__ import annotations

import ast
import functools
import re
import unicodedata
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

PYTHON = frozenset({"python", "py", "python3", "ipython", "ipython3"})
SHELL = frozenset({"sh", "bash", "shell"})

MAX_TEXT = 256 * 1024
_FILENAME = re.compile(r"\s*(?:#|//|<!--|/\*)\s*filename:")
_FOR_IPYTHON = re.compile(r"^[ \t]*[%!?]|\?[ \t]*$|=[ \t]*[%!]", re.MULTILINE)
_COMMAND = re.compile(r"^([ \t]*)(?:%{1,2}[A-Za-z_].*|!.*|\?.*|[\w.]+\?{1,2}[ \t]*)$", re.MULTILINE)
_ASSIGNED_COMMAND = re.compile(r"^([\w., \t]+=[ \t]*)(?:%[A-Za-z_]|!).*$", re.MULTILINE)
_WORD = re.compile(r"[^\s{},:]+")
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_LEFT, _RIGHT = "\N{MATHEMATICAL LEFT ANGLE BRACKET}", "\N{MATHEMATICAL RIGHT ANGLE BRACKET}"


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A block of code. `language` is the first word of the info string in lower case, `""` where there is none.

    `closed` is false when the text ended before the closing fence. `line` is where the block begins in the text,
    counted from 0.
    """

    language: str
    code: str
    closed: bool = True
    line: int = 0

    @property
    def filename(self) -> str | None:
        """The name given by a first line like `# filename: plot.py`, under which the code is to be saved."""
        line = self.code.partition("\n")[0]
        found = _FILENAME.match(line)
        name = line[found.end() :].strip() if found else ""
        return name.removesuffix("-->").removesuffix("*/").rstrip() or None

    @property
    def is_python(self) -> bool:
        """Whether it is tagged as Python."""
        return self.language in PYTHON

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"language": self.language, "code": self.code}


def find_code_blocks(text: str) -> list[CodeBlock]:
    """All fenced blocks of `text`, in order.

    Lines beyond 256 Ki characters are not looked at, which leaves a block that reaches there unclosed.

    >>> find_code_blocks("~~~ Python\\nprint(1)\\n~~~")
    [CodeBlock(language='python', code='print(1)\\n', closed=True, line=0)]
    """
    if "```" not in text and "~~~" not in text:
        return []
    lines = _lines(text)
    if lines[-1]:
        lines.append("")  # every line of a block ends with a line feed
    return [
        CodeBlock(_language(token.info), token.content, _is_closed(token.content, *token.map), token.map[0])
        for token in _parser().parse("\n".join(lines))
        if token.type == "fence" and token.map
    ]


def python_error(code: str) -> str | None:
    """Why `code` is not Python, or `None` when it is. Magics, `!commands` and top-level `await` are accepted.

    >>> python_error("x = ")
    'invalid syntax (line 1)'
    >>> python_error("%matplotlib inline\\nfiles = !ls\\nx = (")
    "'(' was never closed (line 3)"
    """
    problem = _compile_error(code)
    if problem is None or code.lstrip().startswith("%%"):
        return None
    if not _FOR_IPYTHON.search(code):
        return problem
    without_magics = _COMMAND.sub(r"\1pass", _ASSIGNED_COMMAND.sub(r"\1None", code))
    return _compile_error(without_magics)


def _compile_error(code: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are shown when the code runs
            compile(code, "<code block>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    except (RecursionError, MemoryError):
        return "it is nested too deeply"
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        return f"{getattr(error, 'msg', None) or error}" + (f" (line {line})" if line else "")
    return None


def remove_code(text: str) -> str:
    """`text` without its fenced blocks and quotations: what the author says in its own voice.

    A line that follows a quotation without a mark of its own is the author's, although CommonMark counts it in.
    Lines beyond 256 Ki characters are left out.
    """
    lines = _lines(text)
    if not any(mark in text for mark in ("```", "~~~", ">")):
        return "\n".join(lines)
    for token in _parser().parse("\n".join(lines)):
        if token.type in ("fence", "blockquote_open") and token.map:
            for at in range(*token.map):
                if token.type == "fence" or at == token.map[0] or lines[at].lstrip().startswith(">"):
                    lines[at] = ""
    return "\n".join(lines)


def fenced(text: str, language: str = "text") -> str:
    """A text as a Markdown code block, whose fence is longer than any in the text.

    >>> fenced("a")
    '```text\\na\\n```'
    """
    longest = max((len(found) for found in re.findall("`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def show_exact(code: str) -> str:
    """`code` with every character that cannot be seen, or that moves others about, written as its code point.

    Two different texts are never shown alike, but for letters of different alphabets that look the same.

    >>> show_exact("admin\\u202e = 1")
    'admin⟨U+202E⟩ = 1'
    """
    if code.isascii() and code.isprintable():
        return code
    return "".join(f"{_LEFT}U+{ord(one):04X}{_RIGHT}" if _is_hidden(one) else one for one in code)


def _is_hidden(one: str) -> bool:
    if one in "\n\t" or " " <= one <= "~":
        return False
    kind = unicodedata.category(one)
    is_selector = "\ufe00" <= one <= "\ufe0f" or "\U000e0100" <= one <= "\U000e01ef"
    return kind[0] in "CZ" or is_selector or one in _INVISIBLE or one == _LEFT


def _language(info: str) -> str:
    found = _WORD.search(info)
    return found[0].lower() if found else ""


def _lines(text: str) -> list[str]:
    """The lines to be looked at: all, or the whole ones that fit the limit."""
    if len(text) > MAX_TEXT:
        text = text[: text.rfind("\n", 0, MAX_TEXT) + 1]
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _is_closed(content: str, start: int, end: int) -> bool:
    """Whether a block spans one line more than its opening fence and its content."""
    return end - start - content.count("\n") == 2


@functools.cache
def _parser() -> MarkdownIt:
    """The rules for blocks, as the display has them: what runs is what is shown as code."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).disable("inline")
