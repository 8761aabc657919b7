"""Tokens of each speaker: what their models read and wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from jupyter_agents.display.figures import QUIET, Figure, anchored, bar, label, listed, name_label, text_width
from jupyter_agents.display.tables import Table
from jupyter_agents.journal.speakers import SpeakerFacts
from jupyter_agents.messages import Usage

_ROW = 44
_TOP = 22
_COLUMN = 72  # pixels between the right edges of the two columns of numbers
_MOST_ROWS = 12
_READ = "fill:var(--jp-brand-color1,#1976d2);fill-opacity:.28;stroke:var(--jp-brand-color1,#1976d2);stroke-opacity:.6"
_WROTE = "fill:var(--jp-brand-color1,#1976d2)"


def token_bars(facts: Mapping[str, SpeakerFacts], *, replays: bool = False) -> Figure:
    """A bar for each speaker who called a model; counts that no server gave are marked as estimates.

    Calls count alike whether they were replayed, so that the figure is the same in every run. With `replays` what
    was replayed, and so was not paid for in this run, is marked.
    """
    callers = [one for one in facts.values() if one.model_calls]
    callers.sort(key=lambda one: -(one.all_usage.total_tokens or 0))
    shown = callers[:_MOST_ROWS]
    most = max((one.all_usage.total_tokens or 0 for one in shown), default=0)
    shapes = [*_headings(shown), *(s for at, one in enumerate(shown) for s in _row(one, at, most, replays=replays))]
    notes = _notes(callers, shown, replays=replays)
    height = _TOP + _ROW * len(shown) + 18 * len(notes)
    shapes += [label(note, 0, height - 18 * (len(notes) - at) + 12, style=QUIET) for at, note in enumerate(notes)]
    return Figure("Tokens by speaker", _description(callers), height, tuple(shapes), _table(callers, replays=replays))


def _headings(shown: Sequence[SpeakerFacts]) -> Iterator[str]:
    if shown:
        for word, style, shift in (("in", _READ, -_COLUMN), ("out", _WROTE, 0)):
            yield label(word, 100, 14, at="end", shift=shift, style=QUIET)
            swatch = (
                f'<rect x="{shift - 16 - text_width(word):.0f}" y="0" width="10" height="8" rx="2" style="{style}"/>'
            )
            yield anchored(100, 6, swatch)


def _row(one: SpeakerFacts, at: int, most: int, *, replays: bool) -> Iterator[str]:
    top, usage = _TOP + at * _ROW, one.all_usage
    mark = _mark(one, replays=replays)
    yield name_label(one.speaker, top, width=44)
    yield label(mark + tokens(usage.prompt_tokens), 100, top + 14, at="end", shift=-_COLUMN)
    yield label(mark + tokens(usage.completion_tokens), 100, top + 14, at="end")
    yield bar(0, top + 22, 100, 8, round=2, style="fill-opacity:.06")
    if not most:
        return
    read, wrote = ((amount or 0) / most * 100 for amount in (usage.prompt_tokens, usage.completion_tokens))
    if read:
        yield bar(0, top + 22, read, 8, round=2, style=_READ)
    if wrote:
        yield bar(read, top + 22, wrote, 8, round=2, style=_WROTE)


def tokens(amount: int | None) -> str:
    """An amount of tokens; a dash where it is unknown."""
    return "–" if amount is None else f"{amount:,}"


def _mark(one: SpeakerFacts, *, replays: bool) -> str:
    return ("≈" if one.all_usage.estimated else "") + ("↻" if replays and _is_unpaid(one) else "")


def _is_unpaid(one: SpeakerFacts) -> bool:
    return one.replayed_calls + one.cached_calls > 0


def _notes(callers: Sequence[SpeakerFacts], shown: Sequence[SpeakerFacts], *, replays: bool) -> list[str]:
    """What the marks mean, and who is not drawn."""
    return [
        note
        for note, is_needed in (
            ("≈ estimated: the server gave no counts", any(one.all_usage.estimated for one in shown)),
            (f"↻ {_whence(shown)}: not paid for now", replays and any(map(_is_unpaid, shown))),
            ("– unknown", any(_is_unknown(one.all_usage) for one in shown)),
            (f"and {len(callers) - len(shown)} more in the table", len(callers) > len(shown)),
        )
        if is_needed
    ]


def _whence(shown: Sequence[SpeakerFacts]) -> str:
    found = {"replayed": any(one.replayed_calls for one in shown), "cached": any(one.cached_calls for one in shown)}
    return " or ".join(name for name, is_so in found.items() if is_so)


def _is_unknown(usage: Usage) -> bool:
    return usage.prompt_tokens is None or usage.completion_tokens is None


def _description(callers: Iterable[SpeakerFacts]) -> str:
    total = Usage()
    for one in callers:
        total = total + one.all_usage
    if total.total_tokens is None:
        return "No tokens were counted."
    about = " (estimated in part)" if total.estimated else ""
    return f"{listed([f'{tokens(total.prompt_tokens)} tokens in', f'{tokens(total.completion_tokens)} out'])}{about}."


def _table(callers: Iterable[SpeakerFacts], *, replays: bool) -> Table:
    replayed = ("replayed calls",) if replays else ()
    headings = ("speaker", "model calls", *replayed, "tokens in", "tokens out", "tokens")
    return Table.of(headings, (_table_row(one, replays=replays) for one in callers))


def _table_row(one: SpeakerFacts, *, replays: bool) -> tuple[str, ...]:
    usage, about = one.all_usage, "≈" if one.all_usage.estimated else ""
    replayed = (f"{one.replayed_calls:,}",) if replays else ()
    amounts = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
    return (
        one.speaker,
        f"{one.model_calls:,}",
        *replayed,
        *(about + tokens(amount) if amount is not None else "–" for amount in amounts),
    )
