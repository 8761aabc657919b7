"""Who talked to whom: how many messages went from each speaker to each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from jupyter_agents.display.figures import QUIET, TEXT, Figure, anchored, bar, clipped, count, label, name_label, short
from jupyter_agents.display.tables import Table
from jupyter_agents.events import Event, MessageSent

_MOST_SPEAKERS = 8
_CELL = 30
_LABELS = 34  # per cent of the width
_FILL = "fill:var(--jp-brand-color1,#1976d2)"
_LINE = "stroke:currentColor;stroke-opacity:.5"

Counts = Counter[tuple[str, str]]


def exchanges(events: Iterable[Event]) -> Figure:
    """A pair with two arrows, or, among more than two, a matrix: senders down, recipients across."""
    counts = Counter((event.sender, event.recipient) for event in events if isinstance(event, MessageSent))
    table = Table.of(
        ("from", "to", "messages"), ((one, other, f"{sent:,}") for (one, other), sent in counts.most_common())
    )
    description = _description(counts)
    counts, others = _with_fewer_speakers(counts)
    speakers = list(dict.fromkeys(name for pair in counts for name in pair))
    speakers.sort(key=lambda name: name == others)  # who are shown last
    draw = _pair if len(speakers) == 2 else _matrix
    shapes, height = tuple(draw(speakers, counts)), 64 if len(speakers) == 2 else 44 + _CELL * len(speakers)
    return Figure("Who talked to whom", description, height, shapes, table)


def _with_fewer_speakers(counts: Counts) -> tuple[Counts, str]:
    """The same, and what those who talked least are called where there are too many for a matrix, put together."""
    talked: Counter[str] = Counter()
    for (sender, recipient), sent in counts.items():
        talked[sender] += sent
        talked[recipient] += sent
    if len(talked) <= _MOST_SPEAKERS:
        return counts, ""
    kept = {name for name, _ in talked.most_common(_MOST_SPEAKERS - 1)}
    others = f"{len(talked) - len(kept)} others"
    found: Counts = Counter()
    for pair, sent in counts.items():
        sender, recipient = (name if name in kept else others for name in pair)
        found[sender, recipient] += sent
    return found, others


def _description(counts: Counts) -> str:
    if not counts:
        return "Nobody said anything."
    total = count(sum(counts.values()), "message")
    (sender, recipient), most = counts.most_common(1)[0]
    from_one = f"from {short(sender)} to {short(recipient)}"
    if len(counts) == 1:
        return f"{total}, {from_one}."
    back = counts[recipient, sender]
    if len(counts) == 2 and back:
        return f"{total}: {most:,} {from_one} and {back:,} back."
    return f"{total} in all; most {from_one}: {most:,}."


# -- A pair ------------------------------------------------------------------------------------------------------


def _pair(speakers: Sequence[str], counts: Counts) -> Iterator[str]:
    """Two names with an arrow each way, and how many messages went along it."""
    one, other = speakers
    yield from (_pill(name, left) for name, left in ((one, 0), (other, 64)))
    yield from _arrow(counts[one, other], 24, "→")
    yield from _arrow(counts[other, one], 46, "←")


def _pill(name: str, left: float) -> str:
    box = bar(left, 8, 36, 46, round=8, style="fill-opacity:.07")
    return box + name_label(short(name, 24), 18, left=left, width=36, height=26, at="middle")


def _arrow(sent: int, top: float, sign: str) -> Iterator[str]:
    if not sent:
        return
    yield f'<line x1="38%" x2="62%" y1="{top}" y2="{top}" style="{_LINE};stroke-width:1.5"/>'
    tip, path = (62, "M-6-4L0 0l-6 4") if sign == "→" else (38, "M6-4L0 0l6 4")
    yield anchored(tip, top, f'<path d="{path}" style="{_LINE};stroke-width:1.5;fill:none"/>')
    yield label(f"{sent:,}", 50, top - 5, at="middle")


# -- A matrix ----------------------------------------------------------------------------------------------------


def _matrix(speakers: Sequence[str], counts: Counts) -> Iterator[str]:
    """Numbered speakers: a row for what each said, a column for what each heard."""
    if not speakers:
        return
    across, most = (100 - _LABELS) / len(speakers), max(counts.values())
    yield clipped(0, _LABELS, 4, label("from ↓   to →", 0, 14, style=QUIET))
    for at in range(len(speakers)):
        yield label(str(at + 1), _LABELS + across * (at + 0.5), 18, at="middle", style="font-weight:600")
    for at, name in enumerate(speakers):
        top = 28 + at * _CELL
        yield name_label(f"{at + 1}. {short(name, 24)}", top + 5, width=_LABELS - 2, style="")
        for column, recipient in enumerate(speakers):
            yield from _cell(_LABELS + column * across, top, across, counts[name, recipient], most)


def _cell(left: float, top: float, width: float, sent: int, most: int) -> Iterator[str]:
    strength = f"{_FILL};fill-opacity:{0.12 + 0.38 * sent / most:.2f}" if sent else "fill-opacity:.04"
    yield bar(left + 0.3, top + 1, width - 0.6, _CELL - 2, round=4, style=strength)
    if sent:
        yield label(_in_short(sent), left + width / 2, top + _CELL / 2 + TEXT * 0.35, at="middle")


def _in_short(amount: int) -> str:
    """An amount that fits into a narrow cell; the table has it exactly."""
    return str(amount) if amount < 1000 else f"{amount // 1000}k"
