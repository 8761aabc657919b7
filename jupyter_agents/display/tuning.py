"""What a search for a config shows of itself: a line, its trials as a table, and a figure of what they cost and score."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from jupyter_agents.display.figures import QUIET, Figure, anchored, bar, count, label, listed, number
from jupyter_agents.display.markdown import escape_markdown
from jupyter_agents.display.tables import Table, one_line
from jupyter_agents.tuning.result import Trial, TuneFigure, TuneResult

_MOST_ROWS = 25
_TOP, _HEIGHT, _LEFT, _WIDTH = 26, 180, 4.0, 90.0
_COLOUR = "var(--jp-brand-color1,#1976d2)"


def tuning_bundle(shown: TuneResult | TuneFigure) -> dict[str, Any]:
    """A search, or its figure alone, as HTML, Markdown and plain text."""
    if isinstance(shown, TuneFigure):
        figure = scatter(shown.result)
        return {"text/html": figure.html(), "text/markdown": figure.markdown(), "text/plain": figure.text()}
    line, table = describe(shown), trials_table(shown)
    html = f'<div style="margin:4px 0">{escape(line)}</div>{table.scrolling_html("Trials")}{scatter(shown).html()}'
    return {
        "text/html": html,
        "text/markdown": f"{escape_markdown(line)}\n\n{table.markdown()}",
        "text/plain": f"TuneResult: {line}\n\n{table.text()}",
    }


def describe(result: TuneResult) -> str:
    """The search in one line. It says nothing of what was asked in this run: that differs from run to run."""
    best = result.best
    facts = [
        count(len(result.trials), "trial"),
        f"best {result.metric} {best.score:.4g} in trial {best.number}" if best else "no trial is complete",
        count(result.spent.model_calls, "model call"),
        "" if result.spent.money is None else f"{_about(result)}${result.spent.money:.4g}",
        f"ended: {result.ended_by}",
    ]
    return one_line(" · ".join(fact for fact in facts if fact))


def trials_table(result: TuneResult) -> Table:
    """The trials, the best first; those that are not complete follow, by what they scored so far."""
    shown = _ordered(result)[:_MOST_ROWS]
    names = list(result.trials[0].labels) if result.trials else []
    headings = (
        "trial",
        *names,
        result.metric or "score",
        "instances",
        "cost" if _has_money(result) else "tokens",
        "state",
    )
    return Table.of(headings, [_row(one, names, result) for one in shown])


def scatter(result: TuneResult) -> Figure:
    """Each trial by what an instance costs, across, and by its score, upwards; the best has a ring and its number."""
    shown = [one for one in result.trials if one.score is not None and _cost(one, result) is not None]
    what = "US dollars for an instance" if _has_money(result) else "tokens for an instance"
    shapes = [*_axes(shown, result, what), *(shape for one in shown for shape in _mark(one, shown, result))]
    left_out = len(result.trials) - len(shown)
    note = (
        f" {count(left_out, 'trial')} without a score or a known cost {'is' if left_out == 1 else 'are'} not drawn."
        if left_out
        else ""
    )
    table = Table.of(
        ("trial", "config", what, result.metric or "score", "instances", "state"),
        [
            (one.number, _config(one), _amount(_cost(one, result)), _score(one), one.instances, one.state)
            for one in _ordered(result)
        ],
    )
    legend = ((_dot("complete"), "complete"), (_dot("pruned"), "not complete"), (_dot("best"), "best"))
    return Figure("Cost and score", _description(result) + note, _TOP + _HEIGHT + 40, tuple(shapes), table, legend)


def _description(result: TuneResult) -> str:
    states: dict[str, int] = {}
    for one in result.trials:
        states[one.state] = states.get(one.state, 0) + 1
    best = result.best
    found = f" Best: trial {best.number}, {_config(best)}, {result.metric} {best.score:.4g}." if best else ""
    return one_line(f"{listed([f'{amount} {state}' for state, amount in states.items()])}.{found}")


# -- The picture -------------------------------------------------------------------------------------------------


def _axes(shown: list[Trial], result: TuneResult, what: str) -> Iterator[str]:
    bottom = _TOP + _HEIGHT
    yield bar(0, bottom + 8, 100, 1, style="fill-opacity:.3")
    yield label(result.metric or "score", 0, 14, style=QUIET)
    if not shown:
        yield label("nothing to draw", 50, _TOP + _HEIGHT / 2, at="middle", style=QUIET)
        return
    low, high = _span([one.score or 0.0 for one in shown])
    most = max(_cost(one, result) or 0.0 for one in shown)
    yield label(f"{high:.3g}", 100, _TOP + 4, at="end", style=QUIET)
    yield label(f"{low:.3g}", 100, bottom + 2, at="end", style=QUIET)
    yield label("0", 0, bottom + 24, style=QUIET)
    yield label(f"{most:.3g} {what}", 100, bottom + 24, at="end", style=QUIET)


def _mark(one: Trial, shown: list[Trial], result: TuneResult) -> Iterator[str]:
    low, high = _span([other.score or 0.0 for other in shown])
    most = max(_cost(other, result) or 0.0 for other in shown)
    x = _LEFT + _WIDTH * ((_cost(one, result) or 0.0) / most if most else 0.5)
    y = _TOP + _HEIGHT * (1 - ((one.score or 0.0) - low) / (high - low))
    is_best = one is result.best
    yield anchored(x, y, _circle("best" if is_best else one.state))
    if is_best:
        side, shift = ("end", -12) if x > 50 else ("start", 12)
        yield label(f"trial {one.number}", x, y + 4, at=side, shift=shift, style="font-weight:600")


def _circle(state: str, ring: int = 8) -> str:
    """Shapes around the origin: filled where a trial is complete, a ring around the best."""
    filled = f'<circle r="4" style="fill:{_COLOUR};fill-opacity:.75"/>'
    if state == "best":
        return f'{filled}<circle r="{ring}" fill="none" style="stroke:{_COLOUR};stroke-width:2"/>'
    return (
        filled if state == "complete" else f'<circle r="3.5" fill="none" style="stroke:{_COLOUR};stroke-opacity:.8"/>'
    )


def _dot(state: str) -> str:
    return f'<svg x="8" y="7" width="1" height="1" overflow="visible">{_circle(state, ring=6)}</svg>'


def _span(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


# -- Words -------------------------------------------------------------------------------------------------------


def _ordered(result: TuneResult) -> list[Trial]:
    return sorted(result.trials, key=lambda one: (one.state != "complete", one.score is None, result.rank(one)))


def _row(one: Trial, names: list[str], result: TuneResult) -> tuple[object, ...]:
    chosen = [_label(one.labels[name]) for name in names]
    state = f"{one.state}: {one.detail}" if one.state == "failed" else one.state
    return (one.number, *chosen, _score(one), one.instances, _amount(_cost(one, result)), state)


def _config(one: Trial) -> str:
    return ", ".join(f"{name}={_label(value)}" for name, value in one.labels.items())


def _label(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _score(one: Trial) -> str:
    if one.score is None:
        return "–"
    return number(one.score) if one.score == round(one.score, 2) else f"{one.score:.4g}"


def _amount(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}" if value >= 100 else f"{value:.4g}"


def _has_money(result: TuneResult) -> bool:
    return any(one.cost is not None for one in result.trials)


def _cost(one: Trial, result: TuneResult) -> float | None:
    return one.cost if _has_money(result) else one.tokens


def _about(result: TuneResult) -> str:
    return "≈" if result.spent.estimated else ""
