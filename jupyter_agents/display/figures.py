"""What all figures share: a picture with its words, and the few shapes of which pictures are made.

A picture is SVG without a view box: lengths across are per cent of the page's width and heights are pixels, so that
type keeps its size from 300 px to any width. Colours are those of the page's theme, and of the text around where
that is enough. There are no ids, because several figures share one page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Literal

from jupyter_agents.display.tables import Table, one_line

NARROWEST = 280
"""The width in pixels down to which no two texts of a figure touch each other."""

WIDEST = 760
"""The width in pixels beyond which a figure does not grow."""

TEXT = 12
"""The size of type, in pixels."""

QUIET = "fill-opacity:.72"
_SHOWN_NAME = 40
_XHTML = "http://www.w3.org/1999/xhtml"
_ONLY_PICTURES = "font-size:0;visibility:hidden"
"""Around pictures, which are visible again. JupyterLab takes them out of notebooks that are not trusted and leaves
their labels behind as one run of text, which nobody is to see or hear: there are the description and the table."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture and the same in words: `title` and `description` for who hears it, `table` for who reads it."""

    title: str
    description: str
    height: int
    shapes: tuple[str, ...]
    table: Table
    legend: tuple[tuple[str, str], ...] = ()
    """What the looks mean: shapes of 15 by 12 pixels, and a word."""

    def svg(self) -> str:
        """The picture, as a document of its own or as part of a page."""
        style = (
            f"visibility:visible;display:block;width:100%;max-width:{WIDEST}px;height:{self.height}px;overflow:hidden;"
            f"font-size:{TEXT}px;font-variant-numeric:tabular-nums;color:inherit"
        )
        words = f"<title>{escape(self.title)}</title><desc>{escape(self.description)}</desc>"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="100%" height="{self.height}" '
            f'fill="currentColor" style="{style}">{words}{"".join(self.shapes)}</svg>'
        )

    def html(self) -> str:
        """The picture below its title, with the table folded."""
        title = escape(self.title)
        return (
            f'<figure style="margin:0 0 14px;min-width:0;max-width:{WIDEST}px"><figcaption style="margin:0 0 8px"><b>{title}</b>'
            f'<div style="font-size:{TEXT}px;opacity:.75">{escape(self.description)}</div></figcaption>'
            f'<div style="{_ONLY_PICTURES}">{self.svg()}{self._legend()}</div>'
            f'<details style="margin-top:4px"><summary aria-label="As a table: {title}" '
            f'style="cursor:pointer;opacity:.8">As a table</summary>{self.table.scrolling_html(self.title)}</details>'
            "</figure>"
        )

    def _legend(self) -> str:
        entries = "".join(
            f'<svg aria-hidden="true" width="{text_width(word) + 22:.0f}" height="16" fill="currentColor" '
            f'style="visibility:visible;font-size:{TEXT}px;height:16px;margin-right:12px">{shapes}'
            f'<text x="20" y="11">{escape(word)}</text></svg>'
            for shapes, word in self.legend
        )
        return f'<div style="display:flex;flex-wrap:wrap;margin:4px 0">{entries}</div>' if entries else ""

    def markdown(self) -> str:
        """The words of the figure, as Markdown."""
        return f"**{self.title}**\n\n{self.table.markdown()}"

    def text(self) -> str:
        """The words of the figure, as plain text."""
        return f"{self.title}\n\n{self.table.text()}"


# -- Shapes ------------------------------------------------------------------------------------------------------


def number(value: float) -> str:
    """A length in as few digits as the eye can tell apart."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def bar(left: float, top: float, width: float, height: float, *, round: float = 0, style: str = "") -> str:  # noqa: A002 - the word of the shape
    """A rectangle; `left` and `width` in per cent."""
    corner = f' rx="{number(round)}"' if round else ""
    styled = f' style="{style}"' if style else ""
    return (
        f'<rect x="{number(left)}%" y="{number(top)}" width="{number(width)}%" height="{number(height)}"'
        f"{corner}{styled}/>"
    )


def label(text: str, x: float, y: float, *, at: str = "start", shift: float = 0, style: str = "") -> str:
    """A line of text: `x` in per cent, moved by `shift` pixels; `at` says which end of it stands there."""
    anchor = "" if at == "start" else f' text-anchor="{at}"'
    moved = f' dx="{number(shift)}"' if shift else ""
    styled = f' style="{style}"' if style else ""
    return f'<text x="{number(x)}%" y="{number(y)}"{moved}{anchor}{styled}>{escape(text, quote=False)}</text>'


def clipped(left: float, width: float, top: float, inside: str, *, height: int = 20) -> str:
    """What does not reach beyond its place, however narrow the page is; `inside` is measured from its left and top."""
    return f'<svg x="{number(left)}%" y="{number(top)}" width="{number(width)}%" height="{height}">{inside}</svg>'


def anchored(x: float, y: float, inside: str) -> str:
    """Shapes in pixels from a place: `x` in per cent, `y` in pixels."""
    return f'<svg x="{number(x)}%" y="{number(y)}" width="1" height="1" overflow="visible">{inside}</svg>'


def name_label(
    name: str,
    top: float,
    *,
    left: float = 0,
    width: float = 60,
    height: int = 20,
    at: Literal["start", "middle"] = "start",
    style: str = "font-weight:600",
) -> str:
    """A name in its place: as much of it as fits, and an ellipsis where that is not all of it."""
    name = short(name)
    text = label(name, 0 if at == "start" else 50, 4 + height / 2, at=at, style=style)
    if text_width(name) > width / 100 * NARROWEST:
        text = f"<switch>{_cut_label(name, height, at, style)}{text}</switch>"
    return clipped(left, width, top, text, height=height)


def _cut_label(name: str, height: int, at: str, style: str) -> str:
    """Text that a browser cuts with an ellipsis, which none does in SVG. What is no browser takes the other form."""
    place = "text-align:center;padding:0 5px" if at == "middle" else "text-align:left"
    return (
        f'<foreignObject width="100%" height="{height}" requiredExtensions="{_XHTML}"><div xmlns="{_XHTML}" '
        f'style="overflow:hidden;text-overflow:ellipsis;white-space:nowrap;line-height:{height}px;{place};'
        f'{style.replace("fill-", "")}">{escape(name, quote=False)}</div></foreignObject>'
    )


def short(name: str, longest: int = _SHOWN_NAME) -> str:
    """A name as long as a figure shows it."""
    name = one_line(name)
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def text_width(text: str, size: float = TEXT) -> float:
    """How many pixels a text takes at most in an ordinary sans-serif face."""
    return size * sum(_em(one) for one in text)


def _em(character: str) -> float:
    if not character.isascii():
        return 1.05  # a symbol, an ideograph, or narrower
    return 0.98 if character in "MW@%mw" else 0.42 if character in "ijlft.,:;|! " else 0.7


def count(amount: int, what: str) -> str:
    """An amount with its noun.

    >>> count(1, "message"), count(1200, "message")
    ('1 message', '1,200 messages')
    """
    return f"{amount:,} {what}{'' if amount == 1 else 's'}"


def listed(texts: Iterable[str]) -> str:
    """Texts in one sentence; the empty ones are left out.

    >>> listed(["a", "", "b", "c"])
    'a, b and c'
    """
    *first, last = [text for text in texts if text] or [""]
    return f"{', '.join(first)} and {last}" if first else last
