"""What a chat's result shows of itself: what it was and why it ended, its transcript, and figures of who did what.

What is shown is saved in notebooks and compared by nbval, so it does not depend on the run: the timeline counts
turns, and tokens count alike whether a reply was replayed. What does depend on it (seconds, what was replayed) is in
`result_metadata`, and in the figures that are asked for: `result.timeline(times=True)`, `result.tokens(replays=True)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from jupyter_agents.display.bundle import METADATA_KEY, Transcript
from jupyter_agents.display.exchanges import exchanges
from jupyter_agents.display.figures import Figure, count
from jupyter_agents.display.markdown import clean, escape_markdown
from jupyter_agents.display.tables import Table
from jupyter_agents.display.timeline import timeline
from jupyter_agents.display.token_bars import token_bars, tokens
from jupyter_agents.events import ChatEnded, Entry, Event, MessageSent, ModelFailed, Noted
from jupyter_agents.journal.speakers import SpeakerFacts
from jupyter_agents.messages import Message, Usage
from jupyter_agents.prices import dollars

if TYPE_CHECKING:
    from jupyter_agents.conversation import ChatFigure, ChatResult
    from jupyter_agents.series import SeriesFacts

_LONGEST_TEXT = 4000
_LONGEST_TRANSCRIPT = 150_000
_FRAME = 420  # bytes of HTML around a message
_SHOWN_FROM_HERE = 4  # messages from which on the figures are unfolded
_SUMMARY = "cursor:pointer;padding:2px 0"


def result_bundle(shown: Any) -> dict[str, Any]:
    """What is shown of a result, of several, of a figure of one, of an agent or of a group, as HTML, Markdown and plain text."""
    from jupyter_agents.agents.group_chat import GroupChat
    from jupyter_agents.conversation import ChatFigure, ChatResult
    from jupyter_agents.display.agent_card import agent_bundle
    from jupyter_agents.display.group_card import group_bundle
    from jupyter_agents.display.series import series_bundle
    from jupyter_agents.display.tuning import tuning_bundle
    from jupyter_agents.series import SeriesFacts
    from jupyter_agents.tuning.result import TuneFigure, TuneResult

    bundles: dict[type, Callable[[Any], dict[str, Any]]] = {
        ChatResult: chat_bundle,
        ChatFigure: figure_bundle,
        GroupChat: group_bundle,
        SeriesFacts: series_bundle,
        TuneResult: tuning_bundle,
        TuneFigure: tuning_bundle,
    }
    draw = next((draw for kind, draw in bundles.items() if isinstance(shown, kind)), agent_bundle)
    return draw(shown)


def chat_bundle(result: ChatResult) -> dict[str, Any]:
    """The result: a line of facts, the transcript (folded), and three figures."""
    events, facts = result.events, result.by_speaker
    line = describe(result)
    figures = timeline(events), exchanges(events), token_bars(facts)
    overview = speakers_table(facts.values())
    tables = [overview, *([figures[1].table] if len(figures[1].table.rows) > 2 else [])]
    return {
        "text/html": _html(result, line, events, figures),
        "text/markdown": "\n\n".join([escape_markdown(line), *(one.markdown() for one in tables if one.rows)]),
        "text/plain": "\n\n".join([f"ChatResult: {line}", *(one.text() for one in tables if one.rows)]),
    }


def figure_bundle(asked: ChatFigure) -> dict[str, Any]:
    """One figure of a result."""
    figure = _figure(asked)
    return {"text/html": figure.html(), "text/markdown": figure.markdown(), "text/plain": figure.text()}


def _figure(asked: ChatFigure) -> Figure:
    if asked.kind == "timeline":
        return timeline(asked.result.events, times=asked.is_of_this_run)
    if asked.kind == "exchanges":
        return exchanges(asked.result.events)
    return token_bars(asked.result.by_speaker, replays=asked.is_of_this_run)


def result_metadata(result: ChatResult | SeriesFacts) -> dict[str, Any]:
    """What differs from run to run, for the metadata of the output: usage, seconds and replays of each speaker."""
    return {METADATA_KEY: {"speakers": {name: _of_this_run(one) for name, one in result.by_speaker.items()}}}


def _of_this_run(one: SpeakerFacts) -> dict[str, Any]:
    found = {
        "usage": one.usage.to_json() if one.usage.total_tokens is not None else None,
        "replayed_calls": one.replayed_calls or None,
        "cached_calls": one.cached_calls or None,
        "cost": one.cost,
        "model_seconds": None if one.model_seconds is None else round(one.model_seconds, 3),
        "code_seconds": None if one.code_seconds is None else round(one.code_seconds, 3),
    }
    return {key: value for key, value in found.items() if value is not None}


# -- The facts ---------------------------------------------------------------------------------------------------


def describe(result: ChatResult) -> str:
    """The facts of a chat in one line."""
    nested = sum(isinstance(event, MessageSent) for event in result.events) - len(result)
    facts = [
        count(len(result), "message"),
        f"{nested:,} more in nested chats" if nested else "",
        ended(result),
        count(result.model_calls, "model call"),
        tokens_of(result.by_speaker.values()),
        money_of(result.by_speaker.values()),
    ]
    return " · ".join(fact for fact in facts if fact)


def ended(result: ChatResult) -> str:
    """Why a chat ended, in a few words."""
    ends = (one.event for one in result.log.of_chat(result.chat, result.first) if isinstance(one.event, ChatEnded))
    more = [clean(one) for one in (next((end.who for end in ends), ""), result.detail) if one]
    return f"ended by {result.ended_by}" + (f" ({': '.join(more)})" if more else "")


def tokens_of(facts: Iterable[SpeakerFacts]) -> str:
    """How many tokens speakers took; empty where that is not known."""
    total = sum((one.all_usage for one in facts), Usage())
    amount = total.total_tokens
    return "" if amount is None else count(amount, "token") + (" (estimated)" if total.estimated else "")


def money_of(facts: Iterable[SpeakerFacts]) -> str:
    """What the calls of speakers cost, as far as that is known; empty where nothing is. Replayed ones had cost it."""
    known = list(facts)
    costs = [one.all_cost for one in known if one.all_cost is not None]
    if not costs:
        return ""
    least = "at least " if any(one.unpriced_calls for one in known) else ""
    return least + ("≈ " if any(one.all_usage.estimated for one in known) else "") + dollars(sum(costs))


def speakers_table(facts: Iterable[SpeakerFacts]) -> Table:
    """A row for each speaker; columns in which there is nothing are left out."""
    columns: dict[str, Callable[[SpeakerFacts], str]] = {
        "speaker": lambda one: one.speaker,
        "messages": lambda one: _amount(one.messages),
        "model calls": lambda one: _amount(one.model_calls + one.failed_calls),
        "code blocks": lambda one: _amount(one.blocks + one.refused_blocks),
        "tool calls": lambda one: _amount(one.tool_calls),
        "failed": lambda one: _amount(one.failed_calls + one.failed_blocks + one.refused_blocks + one.failed_tools),
        "human inputs": lambda one: _amount(one.answers),
        "tokens in": lambda one: _usage(one, one.all_usage.prompt_tokens),
        "tokens out": lambda one: _usage(one, one.all_usage.completion_tokens),
        "cost": lambda one: money_of([one]).replace("at least ", "≥ "),
    }
    rows = [[show(one) for show in columns.values()] for one in facts]
    used = [at for at in range(len(columns)) if at < 2 or any(row[at] not in ("", "–") for row in rows)]
    return Table.of([list(columns)[at] for at in used], ([row[at] for at in used] for row in rows))


def _amount(number: int) -> str:
    return f"{number:,}" if number else ""


def _usage(one: SpeakerFacts, amount: int | None) -> str:
    if not one.model_calls:
        return ""
    return ("≈" if one.all_usage.estimated and amount is not None else "") + tokens(amount)


# -- The page ----------------------------------------------------------------------------------------------------


def _html(result: ChatResult, line: str, events: Sequence[Event], figures: Sequence[Figure]) -> str:
    told = folded("Transcript", "".join(transcript(events)))
    return page(line, told + drawn(figures, is_open=len(result) >= _SHOWN_FROM_HERE))


def page(line: str, below: str) -> str:
    """A line of facts, and what stands below it."""
    head, _, rest = line.partition(" · ")
    return (
        '<div style="margin:4px 0;max-width:760px">'
        f'<div style="margin-bottom:4px"><b>{escape(head)}</b> · {escape(rest, quote=False)}</div>{below}</div>'
    )


def folded(title: str, html: str, *, is_open: bool = False) -> str:
    """What a reader may unfold."""
    start = "<details open>" if is_open else "<details>"
    return f'{start}<summary style="{_SUMMARY}">{escape(title, quote=False)}</summary>{html}</details>'


def drawn(figures: Sequence[Figure], *, is_open: bool) -> str:
    """The figures in which there is something: the first one above the others."""
    first, *small = (figure.html() for figure, is_needed in zip(figures, _needed(figures), strict=True) if is_needed)
    side_by_side = "".join(f'<div style="flex:1 1 300px;min-width:0">{one}</div>' for one in small)
    below = f'<div style="display:flex;flex-wrap:wrap;gap:0 40px">{side_by_side}</div>'
    return folded("Figures", f'<div style="margin-top:10px">{first}{below}</div>', is_open=is_open)


def _needed(figures: Sequence[Figure]) -> list[bool]:
    """The timeline always, the others where there is something in them."""
    return [True, *(bool(figure.table.rows) for figure in figures[1:])]


# -- The transcript ----------------------------------------------------------------------------------------------


def transcript(events: Sequence[Event], longest: int = _LONGEST_TRANSCRIPT) -> list[str]:
    """The messages as HTML, as they stand in the cell where the chat was held.

    A notebook stays small: long texts are cut, and of a long chat the middle is left out.
    """
    shown = [at for at, event in enumerate(events) if _is_shown(event)]
    budget = min(18_000 + 140 * len(shown), longest)
    chosen = _ends(shown, [_size(events[at]) for at in shown], budget)
    rendered = list(_drawn(events, chosen))
    kept = _ends(range(len(rendered)), [len(html.encode()) for _, html in rendered], budget)
    left_out = {at for at in shown if at not in chosen} | {
        at for nth, (at, _) in enumerate(rendered) if nth not in kept
    }
    found = dict(rendered[nth] for nth in kept)
    return list(_with_gaps(found, left_out))


def _is_shown(event: Event) -> bool:
    if isinstance(event, MessageSent):
        return not event.silent
    if isinstance(event, Noted):
        return event.agent is not None  # the other kind says whether this run records or replays
    return isinstance(event, ChatEnded | ModelFailed)


def _size(event: Event) -> int:
    if not isinstance(event, MessageSent):
        return _FRAME
    message = event.message
    texts = [message.text, *(one.arguments for one in message.calls), *(one.content for one in message.tool_responses)]
    return _FRAME + sum(min(len(text), _LONGEST_TEXT) for text in texts)


def _ends(items: Sequence[int], sizes: Sequence[int], budget: int) -> set[int]:
    """The items that fit, taken from the beginning and the end in turn: the middle of a chat is the least missed."""
    kept: set[int] = set()
    first, last = 0, len(items) - 1
    while first <= last:
        at = first if len(kept) % 2 == 0 else last
        budget -= sizes[at]
        if budget < 0 and kept:
            break
        kept.add(items[at])
        first, last = (first + 1, last) if at == first else (first, last - 1)
    return kept


def _drawn(events: Sequence[Event], chosen: set[int]) -> Iterator[tuple[int, str]]:
    drawing = Transcript()
    for at, event in enumerate(events):
        if isinstance(event, MessageSent):
            event = replace(event, message=_cut(event.message, _LONGEST_TEXT if at in chosen else 0))
        elif _is_shown(event) and at not in chosen:
            continue
        bundle = drawing.bundle(Entry(at, event))  # what is left out is counted: numbers and colours stay the same
        if bundle is not None and at in chosen:
            yield at, bundle.data["text/html"]


def _cut(message: Message, longest: int) -> Message:
    """The message with its texts at most so long."""
    if _size(MessageSent(0, "", "", message)) <= _FRAME + longest and len(message.text) <= longest:
        return message
    return replace(
        message,
        content=_beginning(message.text, longest) if message.content is not None else None,
        function_call=message.function_call
        and replace(message.function_call, arguments=_beginning(message.function_call.arguments, longest)),
        tool_calls=tuple(replace(one, arguments=_beginning(one.arguments, longest)) for one in message.tool_calls),
        tool_responses=tuple(replace(one, content=_beginning(one.content, longest)) for one in message.tool_responses),
    )


def _beginning(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[:longest]}\n\n… and {count(len(text) - longest, 'more character')}" if longest else ""


def _with_gaps(found: Mapping[int, str], left_out: Set[int]) -> Iterator[str]:
    """The messages in order, with a line in place of those that are left out."""
    for is_left_out, together in groupby(sorted(found.keys() | left_out), left_out.__contains__):
        if is_left_out:
            yield _gap(len(list(together)))
        else:
            yield from (found[at] for at in together)


def _gap(missing: int) -> str:
    return (
        f'<div role="note" style="margin:8px 0;font-size:90%;opacity:.8">… {count(missing, "message")} not shown here; '
        "<code>result.messages</code> and <code>result.to_frame()</code> have them …</div>"
    )
