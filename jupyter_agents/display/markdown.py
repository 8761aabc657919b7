"""Foreign Markdown made harmless: as HTML, and as Markdown for viewers that render it themselves.

What an agent says may hold anything that a web page or a stranger's file told it. Opening a notebook must neither
run it nor fetch what it names: an image is a message to its server. Viewers do both (JupyterLab fetches the images
of `text/markdown` and runs raw HTML in a trusted notebook), so nothing reaches them that they could misread.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from jupyter_agents.messages import scrub

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

MAX_MARKDOWN = 32 * 1024
"""Characters beyond which text is shown as it is: a parser can be made to take seconds over more."""

# nbconvert's pages know no font for code.
_CODE = "font-family:monospace;margin:6px 0;padding:6px 10px;border-radius:6px;background:#8882;white-space:pre-wrap"
_CONTROLS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")

# What ends a link, breaks out of an attribute in some viewer, or is put back unescaped after its sanitizer (math).
_PLAIN_TARGET = r"https?://[^\s()<>\"'`$\\]+\)"
_LIVE = re.compile(rf"<(?![\s\d=-])|!\[|\](?:\((?!{_PLAIN_TARGET})|:)|`{{3,}}|~{{3,}}|ftp://", re.IGNORECASE)
_DISPLAY_MATH = re.compile(r"\$\$|\\+\[|\\begin\{")
_CLOSING_BRACKET = re.compile(r"(?<!\\)\]")
_CLEAN_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*[\w+#.-]*[ \t]*")
_FENCE_RUN = re.compile(r"`{3,}|~{3,}")
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+!|~$@>-])")
_LANGUAGE = re.compile(r"[\w+#.-]+")
_MATH = re.compile(
    r"\$\$.{1,2000}?\$\$|\$(?![\s$]).{1,300}?(?<![\s\\])\$(?!\d)|\\\(.{1,300}?\\\)|\\\[.{1,2000}?\\\]", re.DOTALL
)  # bounded, or a text of dollars would take time that grows with its square


def clean(text: str) -> str:
    """`text` without what no page can show: colours of a terminal, control characters, lone surrogates."""
    return _CONTROLS.sub("", scrub(text.replace("\r\n", "\n").replace("\r", "\n")))


def to_html(text: str) -> str:
    """Markdown as HTML in which nothing runs and nothing is fetched.

    Raw HTML is shown as text, an image becomes its description and address, and links lead to http and https only.
    Math stays as written. Text of more than `MAX_MARKDOWN` characters is not parsed.

    >>> to_html("**Hi** ![me](http://example.org/me.png)")
    '<p><strong>Hi</strong> [image: me http://example.org/me.png]</p>'
    """
    text = clean(text)
    if len(text) > MAX_MARKDOWN:
        return code_html(text)
    return str(_parser().render(text)).replace("\n", " ").strip()


def code_html(code: str, language: str = "") -> str:
    """Code, or any text whose lines matter, as a block of HTML. `language` is shown above it."""
    label = f"<small>{escape(language)}</small>" if language else ""
    lines = escape(clean(code).rstrip(), quote=False)
    lines = lines.replace("\n", "&#10;")  # a notebook file takes 14 bytes for a line
    return f"{label}<pre style='{_CODE}'>{lines}</pre>"


def code_markdown(code: str, language: str = "") -> str:
    """A fenced block that every parser of Markdown sees as one, whatever it holds."""
    code = clean(code).removesuffix("\n")
    longest = max((len(run) for run in _FENCE_RUN.findall(code)), default=2)
    fence = "`" * (longest + 1)
    word = _LANGUAGE.match(language)
    return f"{fence}{word[0] if word else ''}\n{code}\n{fence}"


def escape_markdown(text: str) -> str:
    """`text` on one line, every character of it standing for itself."""
    line = " ".join(clean(text).split())
    return _PUNCTUATION.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;"))


def defang(text: str) -> str:
    """Markdown that no viewer runs or fetches anything for; unchanged where there is nothing of the kind in it.

    Parsers disagree about where code begins, and what one takes for code another renders. So fenced blocks stay
    exact but stand at the margin behind a fence that all parsers see alike, and everything else has raw HTML,
    images, reference definitions and all but plain http and https links escaped, in code spans as well.

    >>> defang("see ![it](http://example.org/a.png)")
    'see !&#91;it](http://example.org/a.png)'
    """
    text = clean(text)
    if len(text) > MAX_MARKDOWN:
        return code_markdown(text)
    lines = text.split("\n")
    fences = _fences(text)
    has_live_code = any(_LIVE.search(fence.content) for fence in fences)
    done: list[str] = []
    end = 0
    for fence in fences:
        assert fence.map is not None
        done += _defang_prose(lines[end : fence.map[0]], is_before_live_code=has_live_code)
        done += _place(fence, lines, done)
        end = fence.map[1]
    done += _defang_prose(lines[end:])
    return "\n".join(done)


def _fences(text: str) -> list[Token]:
    if "```" not in text and "~~~" not in text:
        return []
    return [token for token in _parser().parse(text) if token.type == "fence"]


def _place(fence: Token, lines: Sequence[str], before: Sequence[str]) -> Iterator[str]:
    """The lines of a fenced block: as they are where all parsers agree on them, else written anew at the margin."""
    assert fence.map is not None
    start, end = fence.map
    if fence.level == 0 and _is_unmistakable(lines[start:end]):
        yield from lines[start:end]
        return
    if before and before[-1].strip():
        yield ""
    yield from code_markdown(fence.content, fence.info.strip()).split("\n")
    if end < len(lines) and lines[end].strip():
        yield ""


def _is_unmistakable(block: Sequence[str]) -> bool:
    opening = _CLEAN_FENCE.fullmatch(block[0])
    if not opening or len(block) < 2 or block[-1].rstrip() != opening[1]:
        return False
    return all(len(run) < len(opening[1]) for line in block[1:-1] for run in _FENCE_RUN.findall(line))


def _defang_prose(lines: Sequence[str], *, is_before_live_code: bool = False) -> Sequence[str]:
    text = "\n".join(lines)
    if is_before_live_code:
        text = _close(text)
    text = _LIVE.sub(_harmless, text)
    return text.split("\n") if lines else ()


def _close(text: str) -> str:
    """Leave nothing open before a code block that some parser would close inside it: a formula, a link's label."""
    text = _DISPLAY_MATH.sub(lambda found: _entities(found[0]), text)
    last = max((found.end() for found in _CLOSING_BRACKET.finditer(text)), default=0)
    return text[:last] + text[last:].replace("[", "&#91;")


def _harmless(found: re.Match[str]) -> str:
    """The same characters, the dangerous one as an entity.

    A backslash is not enough: in the text of a link, marked takes it away from brackets before it looks for images.
    """
    mark = found[0]
    if mark[0] in "<`~":
        return "&lt;" if mark == "<" else _entities(mark)
    harmless = 3 if mark[0] in "fF" else 1
    return mark[:harmless] + _entities(mark[harmless]) + mark[harmless + 1 :]


def _entities(text: str) -> str:
    return "".join(f"&#{ord(character)};" for character in text)


# -- The parser and its rules ------------------------------------------------------------------------------------


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    class Parser(MarkdownIt):
        def validateLink(self, url: str) -> bool:  # noqa: N802 - the name is the library's
            return url.lower().startswith(("http://", "https://"))

    parser = Parser("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.inline.ruler.before("escape", "math", _math)
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return parser


def _math(state: StateInline, silent: bool) -> bool:
    """Keep a formula as it is written: emphasis and escapes would ruin it for whoever typesets it."""
    if state.src[state.pos] not in "$\\":
        return False
    found = _MATH.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.push("text", "", 0).content = found[0]
    state.pos = found.end()
    return True


def _image(_: Any, tokens: Sequence[Token], at: int, *_rest: Any) -> str:
    words = f"{tokens[at].content} {tokens[at].attrGet('src')}".strip()
    return escape(f"[image: {words}]", quote=False)


def _link(_: Any, tokens: Sequence[Token], at: int, *_rest: Any) -> str:
    address = str(tokens[at].attrGet("href") or "")  # `[x]()` has none
    return f"<a href='{escape(address)}' rel='noreferrer' target='_blank'>" if address else "<a>"


def _fence(_: Any, tokens: Sequence[Token], at: int, *_rest: Any) -> str:
    return code_html(tokens[at].content, tokens[at].info.strip().partition(" ")[0])


def _heading(_: Any, tokens: Sequence[Token], at: int, *_rest: Any) -> str:
    """Two levels down: the notebook's own headings stand above what is said in an output."""
    token = tokens[at]
    level = min(int(token.tag[1]) + 2, 6)
    return f"<h{level} style='margin:12px 0 4px'>" if token.nesting == 1 else f"</h{level}>"


def _quotation(*_: Any) -> str:
    return "<blockquote style='margin:6px 0;padding:0 0 0 10px;border-left:2px solid #8888'>"


def _head_cell(renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """A cell at the head of a table; where it says nothing it is the head of nothing."""
    if not tokens[at + 1].content:
        tokens[at].tag = tokens[at + 2].tag = "td"
    return str(renderer.renderToken(tokens, at, options, env))


_RULES = {
    "blockquote_open": _quotation,
    "image": _image,
    "link_open": _link,
    "fence": _fence,
    "code_block": _fence,
    "heading_open": _heading,
    "heading_close": _heading,
    "th_open": _head_cell,
}
