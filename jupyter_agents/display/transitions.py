"""Who may speak after whom in a group, as a figure: the group twice, with a line from each to those who may follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jupyter_agents.display.figures import QUIET, Figure, bar, count, label, listed, name_label, short
from jupyter_agents.display.tables import Table

_MOST_AGENTS = 16
_ROW, _TOP, _PILL = 34, 26, 24
_LEFT, _RIGHT = 38.0, 62.0
_LINE = "stroke:var(--jp-brand-color1,#1976d2);stroke-opacity:.55;stroke-width:1.5"

Edges = Sequence[tuple[str, str]]


def transitions(names: Sequence[str], edges: Edges) -> Figure:
    """The figure for a group of these names; `edges` are pairs of one speaker and another that may follow it."""
    after = {name: [other for one, other in edges if one == name] for name in names}
    table = Table.of(("after", "may speak"), ((one, ", ".join(others) or "nobody") for one, others in after.items()))
    shown = list(names[:_MOST_AGENTS])
    shapes = tuple(_shapes(shown, edges))
    return Figure("Who may speak after whom", _description(after), _TOP + _ROW * len(shown), shapes, table)


def _description(after: dict[str, list[str]]) -> str:
    total, agents = sum(map(len, after.values())), len(after)
    if total == agents * agents:
        return "Anybody may speak after anybody."
    if total == agents * (agents - 1) and all(one not in others for one, others in after.items()):
        return "Anybody may speak after anybody else."
    last = [short(one) for one, others in after.items() if not others]
    ending = f" After {listed(last)} nobody may: the chat ends there." if last else ""
    more = f" The first {_MOST_AGENTS} are drawn." if agents > _MOST_AGENTS else ""
    return f"{count(total, 'transition')} among {count(agents, 'agent')}.{ending}{more}"


def _shapes(names: Sequence[str], edges: Edges) -> Iterator[str]:
    yield label("after", 0, 14, style=QUIET)
    yield label("may speak", _RIGHT, 14, style=QUIET)
    rows = {name: _TOP + _ROW * at for at, name in enumerate(names)}
    for one, other in edges:
        if one in rows and other in rows:
            yield _line(rows[one], rows[other])
    reached = {other for _, other in edges}
    for name, top in rows.items():
        yield from _pill(name, 0, top, is_quiet=not any(one == name for one, _ in edges))
        yield from _pill(name, _RIGHT, top, is_quiet=name not in reached)


def _line(one: float, other: float) -> str:
    middle = _PILL / 2
    ends = f'x1="{_LEFT}%" x2="{_RIGHT}%" y1="{one + middle}" y2="{other + middle}"'
    return f'<line {ends} style="{_LINE}"/>'


def _pill(name: str, left: float, top: float, *, is_quiet: bool) -> Iterator[str]:
    """A name in its place; quietly where no line ends there."""
    yield bar(left, top, _LEFT, _PILL, round=8, style="fill-opacity:.07")
    style = QUIET if is_quiet else "font-weight:600"
    yield name_label(short(name, 24), top + 3, left=left, width=_LEFT, at="middle", style=style)
