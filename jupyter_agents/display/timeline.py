"""Who did what in which order: the timeline of a chat."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jupyter_agents.display.figures import (
    QUIET,
    Figure,
    bar,
    count,
    label,
    listed,
    name_label,
)
from jupyter_agents.display.tables import Table
from jupyter_agents.events import (
    CodeFinished,
    Event,
    HumanAnswered,
    MessageSent,
    ModelAnswered,
    ModelFailed,
    ToolFinished,
)

Kind = Literal["model", "code", "tool", "person", "message"]


class _Look(NamedTuple):
    """How a kind of step is drawn. The shapes differ as well as the colours: inset from the lane's top, and corners."""

    noun: str
    style: str
    inset: int = 0
    corner: int = 2


_LOOKS: Mapping[Kind, _Look] = {
    "model": _Look("model call", "fill:var(--jp-brand-color1,#1976d2)"),
    "code": _Look(
        "code block",
        "fill:var(--jp-accent-color1,#388e3c);fill-opacity:.22;stroke:var(--jp-accent-color1,#388e3c);stroke-width:1.5",
        1,
    ),
    "tool": _Look("tool call", "fill:var(--jp-info-color1,#0097a7)", 9),
    "person": _Look("human input", "fill:var(--jp-warn-color0,#e65100)", 0, 9),
    "message": _Look("other message", "fill-opacity:.55", 13, 0),
}
_FAILED = "fill:var(--jp-error-color1,#d32f2f)"
_SWATCHES: Mapping[Kind, tuple[float, float, float]] = {
    "model": (0.5, 11, 2),
    "code": (1, 10, 2),
    "tool": (6, 6, 1),
    "person": (0.5, 11, 5.5),
    "message": (5, 3, 0),
}
_LANE = 18
_ROW = 50
_MOST_ROWS = 12
_MOST_COLUMNS = 80
_MOST_GROUPS = 20
_MOST_TICKS = 5
_UNITS = ((3600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a speaker did. `turn` is the ordinal of the message it led to, `seconds` `None` where unknown."""

    turn: int
    speaker: str
    kind: Kind
    seconds: float | None = None
    failed: bool = False


class _Piece(NamedTuple):
    """Steps of one speaker that are drawn as one: from `left`, `width` wide, both as shares of the axis."""

    speaker: str
    left: float
    width: float
    steps: tuple[Step, ...]


class _Axis(NamedTuple):
    """What is drawn, and how the axis is labelled: a place as a share, and the text that stands there.

    `scale` is how many steps are as high as a lane; 0 where a piece is, however many it stands for.
    """

    pieces: tuple[_Piece, ...]
    ticks: tuple[tuple[float, str], ...]
    note: str = ""
    scale: int = 0


def steps_of(events: Iterable[Event]) -> list[Step]:
    """The steps of a chat, in order. What led to no message counts to the turn that it would have been."""
    steps: list[Step] = []
    waiting: defaultdict[tuple[int, str], int] = defaultdict(int)
    turn = 0
    for event in events:
        step = _step(event, turn)
        if step is not None:
            steps.append(step)
            waiting[event.chat, step.speaker] += 1
        elif isinstance(event, MessageSent):
            if not waiting.pop((event.chat, event.sender), 0):
                steps.append(Step(turn, event.sender, "message"))
            turn += 1
    return steps


def _step(event: Event, turn: int) -> Step | None:
    match event:
        case ModelAnswered():
            return Step(turn, event.agent, "model", None if event.replayed or event.cached else event.seconds)
        case ModelFailed():
            return Step(turn, event.agent, "model", failed=True)
        case CodeFinished():
            return Step(turn, event.agent, "code", event.seconds, failed=event.exit_code != 0)
        case ToolFinished():
            return Step(turn, event.agent, "tool", failed=not event.ok)
        case HumanAnswered():
            return Step(turn, event.agent, "person")
    return None


def timeline(events: Iterable[Event], *, times: bool = False) -> Figure:
    """A row for each speaker, and on it what they did.

    The axis counts turns, so that it is the same in every run of the chat, live or replayed. With `times` it is
    the seconds that models and code took in this run; what was not measured (replayed calls, tools, people) is a
    hair line. Where nothing was measured it counts turns all the same, and says so.
    """
    events = list(events)
    sent = sum(isinstance(event, MessageSent) for event in events)
    steps = _with_fewer_speakers(steps_of(events))
    axis = _timed(steps) if times else _ordinal(steps)
    speakers = list(dict.fromkeys(step.speaker for step in steps))
    shapes = [shape for at, name in enumerate(speakers) for shape in _row(name, at * _ROW, axis, steps)]
    bottom = len(speakers) * _ROW
    ticks = [_tick(place, text, bottom + 10) for place, text in axis.ticks]
    return Figure(
        "Timeline",
        _description(steps, sent, speakers, axis),
        bottom + 16,
        (*shapes, *ticks),
        _table(steps, times=times),
        tuple(_legend(steps)),
    )


def _with_fewer_speakers(steps: list[Step]) -> list[Step]:
    """The same, with those who did least put together where there are too many for a figure."""
    busiest = Counter(step.speaker for step in steps).most_common()
    if len(busiest) <= _MOST_ROWS:
        return steps
    kept = {name for name, _ in busiest[: _MOST_ROWS - 1]}
    others = f"{len(busiest) - len(kept)} others"
    return [
        step if step.speaker in kept else Step(step.turn, others, step.kind, step.seconds, step.failed)
        for step in steps
    ]


# -- The axis ----------------------------------------------------------------------------------------------------


def _ordinal(steps: Sequence[Step]) -> _Axis:
    turns = max((step.turn for step in steps), default=-1) + 1
    per_column = -(-turns // _MOST_COLUMNS) if turns else 1
    columns = -(-turns // per_column)
    pieces = tuple(_binned(steps, per_column, columns) if per_column > 1 else _single(steps, turns))
    scale = max((len(piece.steps) for piece in pieces), default=1)
    note = f"Each column is {per_column} turns." if per_column > 1 else ""
    ticks = tuple(((turn + 0.5) / (columns * per_column), f"{turn + 1:,}") for turn in _round_turns(turns))
    return _Axis(pieces, ticks, note, scale)


def _single(steps: Sequence[Step], turns: int) -> Iterator[_Piece]:
    """Each step for itself: those of a turn share its place."""
    in_turn = Counter(step.turn for step in steps)
    seen: Counter[int] = Counter()
    for step in steps:
        share = 1 / in_turn[step.turn]
        yield _Piece(step.speaker, (step.turn + seen[step.turn] * share) / turns, share / turns, (step,))
        seen[step.turn] += 1


def _binned(steps: Sequence[Step], per_column: int, columns: int) -> Iterator[_Piece]:
    found: defaultdict[tuple[int, str], list[Step]] = defaultdict(list)
    for step in steps:
        found[step.turn // per_column, step.speaker].append(step)
    for (column, speaker), together in found.items():
        yield _Piece(speaker, column / columns, 1 / columns, tuple(together))


def _timed(steps: Sequence[Step]) -> _Axis:
    total = sum(step.seconds or 0.0 for step in steps)
    if not total:
        return _ordinal(steps)._replace(note="No seconds were measured: the axis counts turns.")
    pieces = tuple(_merged(_lasting(steps, total)))
    return _Axis(
        pieces,
        tuple(_time_ticks(total)),
        "The axis is seconds of models and code; what was not measured is a hair line.",
    )


def _lasting(steps: Sequence[Step], total: float) -> Iterator[_Piece]:
    passed = 0.0
    for step in steps:
        seconds = step.seconds or 0.0
        yield _Piece(step.speaker, passed / total, seconds / total, (step,))
        passed += seconds


def _merged(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    """The pieces, those too narrow to be seen put together where one speaker's begin in the same column."""
    found: dict[tuple[str, int], _Piece] = {}
    for piece in pieces:
        if piece.width >= 1 / _MOST_COLUMNS:
            yield piece
            continue
        key = piece.speaker, int(piece.left * _MOST_COLUMNS)
        before = found.get(key)
        width = piece.left + piece.width - before.left if before else piece.width
        found[key] = _Piece(
            piece.speaker,
            before.left if before else piece.left,
            width,
            (*(before.steps if before else ()), *piece.steps),
        )
    yield from found.values()


def _round_turns(turns: int) -> Iterator[int]:
    """The ordinals that get a label: the first, and round ones at even distances."""
    if turns <= _MOST_TICKS:
        yield from range(turns)
        return
    step = next(step for step in _round_steps() if turns / step <= _MOST_TICKS)
    yield 0
    yield from (turn - 1 for turn in range(int(step), turns + 1, int(step)) if turn > step / 2 + 1)


def _time_ticks(total: float) -> Iterator[tuple[float, str]]:
    """Round times, all in the unit that suits the longest, with their places."""
    unit, name = next((unit, name) for unit, name in _UNITS if total >= 2 * unit or name == "s")
    step = next(step for step in _round_steps(0.001) if total / unit / step < _MOST_TICKS)
    for at in range(int(total / unit / step) + 1):
        yield at * step * unit / total, f"{at * step:g} {name}"


def _round_steps(smallest: float = 2) -> Iterator[float]:
    size = 10 ** len(str(int(smallest))) / 10 if smallest >= 1 else smallest
    while True:
        yield from (size * factor for factor in (1, 2, 5) if size * factor >= smallest)
        size *= 10


# -- The picture -------------------------------------------------------------------------------------------------


def _row(name: str, top: float, axis: _Axis, steps: Sequence[Step]) -> Iterator[str]:
    turns = len({step.turn for step in steps if step.speaker == name})
    yield name_label(name, top)
    yield label(count(turns, "turn"), 100, top + 14, at="end", style=QUIET)
    yield bar(0, top + 22, 100, _LANE, round=3, style="fill-opacity:.06")
    mine = [piece for piece in axis.pieces if piece.speaker == name]
    for kind, look in _LOOKS.items():
        bars = [shape for piece in mine for shape in _bars(piece, kind, top + 22, axis.scale)]
        if bars:
            yield f'<g style="{look.style}">{"".join(bars)}</g>'
    failures = [
        bar(_left(piece), top + 22 + _LANE + 2, max(piece.width * 88, 0.6), 3)
        for piece in mine
        if any(step.failed for step in piece.steps)
    ]
    if failures:
        yield f'<g style="{_FAILED}">{"".join(failures)}</g>'


def _bars(piece: _Piece, kind: Kind, top: float, scale: int) -> Iterator[str]:
    """The steps of one kind in a piece: as they are where it is one, and stacked where it stands for several."""
    mine = sum(step.kind == kind for step in piece.steps)
    if not mine:
        return
    width = max(piece.width * 88, 0.4)
    look, left = _LOOKS[kind], _left(piece)
    if len(piece.steps) == 1 and scale <= 1:
        is_line = kind == "message"
        height = 3 if is_line else _LANE - look.inset * (2 if kind == "code" else 1)
        top += (_LANE - 3) / 2 if is_line else look.inset
        yield bar(left, top, width, height, round=look.corner)
        return
    order = list(_LOOKS)
    below = sum(order.index(step.kind) < order.index(kind) for step in piece.steps)
    unit = _LANE / (scale or len(piece.steps))
    yield bar(left, top + _LANE - (below + mine) * unit, width, mine * unit)


def _left(piece: _Piece) -> float:
    """Where a piece begins, with a gap to the one before it."""
    return piece.left * 100 + piece.width * 6


def _tick(place: float, text: str, top: float) -> str:
    """A label below the axis; near the ends it stands beside its place instead of across it."""
    at = "start" if place < 0.12 else "end" if place > 0.88 else "middle"
    return label(text, place * 100, top, at=at, style=QUIET)


def _legend(steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """The kinds that occur, with their looks."""
    kinds = {step.kind for step in steps}
    for kind, look in _LOOKS.items():
        if kind in kinds:
            yield _swatch(look.style, *_SWATCHES[kind]), look.noun
    if any(step.failed for step in steps):
        yield _swatch(_FAILED, 7, 3, 0), "failed"


def _swatch(style: str, top: float, height: float, corner: float) -> str:
    return f'<rect x="1" y="{top:g}" width="13" height="{height:g}" rx="{corner:g}" style="{style}"/>'


# -- The words ---------------------------------------------------------------------------------------------------


def _description(steps: Sequence[Step], sent: int, speakers: Sequence[str], axis: _Axis) -> str:
    """The facts in words. A turn is a message, and what it took to make it; the last may have come to none."""
    is_broken_off = any(step.turn >= sent for step in steps)
    kinds = Counter(step.kind for step in steps)
    said = listed(count(kinds[kind], look.noun) for kind, look in _LOOKS.items() if kinds[kind])
    failed = sum(step.failed for step in steps)
    failures = f" {failed:,} failed." if failed else ""
    turns = listed([count(sent, "turn"), "one without a message" if is_broken_off else ""])
    facts = f"{turns} of {count(len(speakers), 'speaker')}: {said or 'nothing happened'}."
    return f"{facts}{failures} {axis.note}".rstrip()


def _table(steps: Sequence[Step], *, times: bool) -> Table:
    """The same in words: turn by turn, or, where they are many, some at a time."""
    turns = max((step.turn for step in steps), default=-1) + 1
    size = 1 if turns <= _MOST_COLUMNS else -(-turns // _MOST_GROUPS)
    found: defaultdict[tuple[int, str], list[Step]] = defaultdict(list)
    for step in steps:
        found[step.turn // size, step.speaker].append(step)
    headings = ("turn", "speaker", "what", *(("seconds",) if times else ()))
    return Table.of(headings, (_table_row(*key, size, turns, together, times) for key, together in found.items()))


def _table_row(column: int, speaker: str, size: int, turns: int, steps: Sequence[Step], times: bool) -> tuple[str, ...]:
    first, last = column * size + 1, min((column + 1) * size, turns)
    kinds = Counter(step.kind for step in steps)
    failed = sum(step.failed for step in steps)
    what = listed(count(kinds[kind], look.noun) for kind, look in _LOOKS.items() if kinds[kind])
    what += f" ({failed:,} failed)" if failed else ""
    known = [step.seconds for step in steps if step.seconds is not None]
    seconds = (f"{sum(known):.2f}" if known else "–",) if times else ()
    return (str(first) if first == last else f"{first}–{last}", speaker, what, *seconds)
