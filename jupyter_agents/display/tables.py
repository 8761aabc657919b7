"""Small tables of foreign text, as HTML, Markdown and plain text: what figures say to those who do not see them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from unicodedata import east_asian_width

from jupyter_agents.display.markdown import clean, escape_markdown

_NUMBER = re.compile(r"[≈↻]?\s?[\d,.]+( s|%)?[↻]?|–|")
_NOT_IN_XML = re.compile("[\ufffe\uffff\u202a-\u202e\u2066-\u2069]")  # and what turns the text around it
_CELL = "padding:3px 14px 3px 0"
_LINE = "1px solid var(--jp-border-color2,rgba(128,128,128,.35))"


def one_line(text: object) -> str:
    """Foreign text on one line, without characters that no document may hold or that turn what stands around them."""
    return " ".join(_NOT_IN_XML.sub("", clean(str(text))).split())


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts below headings. Columns of numbers are aligned at their right.

    >>> print(Table(("speaker", "messages"), (("user", "12"), ("assistant", "1,000"))).text())
    speaker    messages
    user             12
    assistant     1,000
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
        """A table of whatever can be shown on one line."""
        return cls(tuple(headings), tuple(tuple(one_line(cell) for cell in row) for row in rows))

    def html(self) -> str:
        """As HTML in the colours of the page."""
        aligned = ["right" if is_number else "left" for is_number in self._numeric()]
        head = "".join(
            f'<th scope="col" style="{_CELL};white-space:nowrap;text-align:{side}">{escape(one)}</th>'
            for one, side in zip(self.headings, aligned, strict=True)
        )
        body = "".join(
            f'<tr style="background:none;border-top:{_LINE}">{_cells(row, aligned)}</tr>' for row in self.rows
        )
        style = (
            "border-collapse:collapse;margin:6px 0;table-layout:auto;font-variant-numeric:tabular-nums;color:inherit"
        )
        return f'<table style="{style}"><thead><tr style="background:none">{head}</tr></thead><tbody>{body}</tbody></table>'

    def scrolling_html(self, name: str) -> str:
        """The same, to be scrolled where the page is too narrow for it, from the keyboard too."""
        return (
            f'<div style="overflow-x:auto" tabindex="0" role="region" aria-label="{escape(name)}">{self.html()}</div>'
        )

    def markdown(self) -> str:
        """As Markdown, with what is foreign escaped."""
        marks = ["---:" if is_number else "---" for is_number in self._numeric()]
        rows = [[escape_markdown(cell) for cell in row] for row in (self.headings, *self.rows)]
        return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], marks, *rows[1:]))

    def text(self) -> str:
        """As plain text in columns."""
        numeric, rows = self._numeric(), (self.headings, *self.rows)
        widths = [max(_columns(row[at]) for row in rows) for at in range(len(self.headings))]
        return "\n".join(
            "  ".join(_padded(*one) for one in zip(row, widths, numeric, strict=True)).rstrip() for row in rows
        )

    def _numeric(self) -> list[bool]:
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.headings)
        return [any(column) and all(_NUMBER.fullmatch(cell) for cell in column) for column in columns]


def _cells(row: Sequence[str], aligned: Sequence[str]) -> str:
    return "".join(
        f'<td style="{_CELL};text-align:{side}">{escape(cell, quote=False)}</td>'
        for cell, side in zip(row, aligned, strict=True)
    )


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def _padded(text: str, width: int, is_number: bool) -> str:
    space = " " * (width - _columns(text))
    return space + text if is_number else text + space
