"""What the results of several chats show of themselves: what came of each, their transcripts, and figures of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jupyter_agents.display.exchanges import exchanges
from jupyter_agents.display.figures import count
from jupyter_agents.display.markdown import escape_markdown
from jupyter_agents.display.result import drawn, ended, folded, money_of, page, speakers_table, tokens_of, transcript
from jupyter_agents.display.tables import Table, one_line
from jupyter_agents.display.timeline import timeline
from jupyter_agents.display.token_bars import token_bars
from jupyter_agents.events import ChatStarted, Event

if TYPE_CHECKING:
    from jupyter_agents.conversation import ChatResult
    from jupyter_agents.series import SeriesFacts

_LONGEST_SUMMARY = 120
_LONGEST_TRANSCRIPTS = 150_000
_HEADINGS = ("chat", "between", "messages", "model calls", "ended by", "came to")


def series_bundle(results: SeriesFacts) -> dict[str, Any]:
    """The results: a line of facts, a table with a row for each chat, their transcripts (folded), and three figures."""
    line, chats = _described(results), _table(results)
    speakers = speakers_table(results.by_speaker.values())
    tables = [one for one in (chats, speakers) if one.rows]
    return {
        "text/html": _html(results, line, chats),
        "text/markdown": "\n\n".join([escape_markdown(line), *(one.markdown() for one in tables)]),
        "text/plain": "\n\n".join([f"{type(results).__name__}: {line}", *(one.text() for one in tables)]),
    }


def _described(results: SeriesFacts) -> str:
    chats = results.chats()
    facts = [
        count(len(chats), "chat"),
        count(sum(map(len, chats)), "message"),
        count(results.model_calls, "model call"),
        tokens_of(results.by_speaker.values()),
        money_of(results.by_speaker.values()),
    ]
    return " · ".join(fact for fact in facts if fact)


def _table(results: SeriesFacts) -> Table:
    return Table.of(_HEADINGS, (_row(label, one) for label, one in _labelled(results)))


def _row(label: str, one: ChatResult) -> list[str]:
    return [label, _between(one), f"{len(one):,}", f"{one.model_calls:,}", str(one.ended_by), _cut(one.summary)]


def _labelled(results: SeriesFacts) -> Iterator[tuple[str, ChatResult]]:
    """The results, each with what its chat is called in the transcript of the cell."""
    for key, one in results.keyed():
        yield f"chat {key + 1}" if isinstance(results, list) and isinstance(key, int) else str(key), one


def _between(one: ChatResult) -> str:
    begun = next((event for event in one.events if isinstance(event, ChatStarted)), None)
    return "" if begun is None else f"{begun.initiator} → {begun.recipient}"


def _cut(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _LONGEST_SUMMARY else f"{line[: _LONGEST_SUMMARY - 1]}…"


def _html(results: SeriesFacts, line: str, chats: Table) -> str:
    if not chats.rows:
        return page(line, "")
    longest = _LONGEST_TRANSCRIPTS // len(chats.rows)
    told = "".join(_told(label, one, longest) for label, one in _labelled(results))
    events = results.events
    figures = timeline(events), exchanges(events), token_bars(results.by_speaker)
    return page(line, chats.scrolling_html("Chats") + folded("Transcript", told) + drawn(figures, is_open=False))


def _told(label: str, one: ChatResult, longest: int) -> str:
    title = " · ".join([one_line(label), one_line(_between(one)), count(len(one), "message"), ended(one)])
    html = "".join(transcript(_by_itself(one.events), longest))
    return f'<div style="margin-left:14px">{folded(title, html)}</div>'


def _by_itself(events: Sequence[Event]) -> list[Event]:
    """The events of a chat that is nested in nothing: its label stands above it."""
    return [
        replace(one, parent=None) if at == 0 and isinstance(one, ChatStarted) else one for at, one in enumerate(events)
    ]
