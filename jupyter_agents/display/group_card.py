"""What a group of agents shows of itself: who is in it, how the next speaker is found, and who may follow whom."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from jupyter_agents.display.agent_card import facts_html, kind_of, shortened
from jupyter_agents.display.figures import Figure, count
from jupyter_agents.display.markdown import escape_markdown
from jupyter_agents.display.tables import Table, one_line
from jupyter_agents.display.transitions import transitions

if TYPE_CHECKING:
    from jupyter_agents.agents.group_chat import GroupChat

_HOW = {
    "auto": "a model chooses",
    "manual": "you choose",
    "random": "at random",
    "round_robin": "in turns",
}


def group_bundle(group: GroupChat) -> dict[str, Any]:
    """The group as HTML, Markdown and plain text."""
    facts, members, figure = list(facts_of(group)), _members(group), _figure(group)
    title = f"Group of {count(len(group.agents), 'agent')}"
    lines = [f"- {subject}: {'; '.join(map(escape_markdown, said))}" for subject, said in facts]
    parts = [f"**{title}**", "\n".join(lines), members.markdown(), *([figure.markdown()] if figure else [])]
    return {
        "text/html": _html(title, facts, members, figure),
        "text/markdown": "\n\n".join(parts),
        "text/plain": repr(group),
    }


def facts_of(group: GroupChat) -> Iterator[tuple[str, list[str]]]:
    """What there is to say of a group: the subject, and lines about it."""
    method = group.speaker_selection_method
    is_named = isinstance(method, str)
    how = _HOW.get(str(method).lower(), str(method)) if is_named else f"{getattr(method, '__name__', 'a function')}(…)"
    yield "next speaker", [f"{method}: {how}" if is_named else how]
    yield "rounds", [f"at most {count(group.max_round, 'message')}"]
    if any(agent.name == group.admin_name for agent in group.agents):
        yield "after an interrupt", [f"{group.admin_name} has the word"]
    if group.messages:
        yield "has said", [count(len(group.messages), "message")]


def _members(group: GroupChat) -> Table:
    rows = ((one.name, kind_of(one), shortened(one.description or one.system_message or "")) for one in group.agents)
    return Table.of(("agent", "kind", "what it is for"), rows)


def _figure(group: GroupChat) -> Figure | None:
    """The figure of its transitions; `None` where anybody may speak after anybody, which needs no picture."""
    names, edges = group.agent_names, group.transitions.edges
    return None if len(edges) == len(names) ** 2 else transitions(names, edges)


def _html(title: str, facts: list[tuple[str, list[str]]], members: Table, figure: Figure | None) -> str:
    picture = f'<div style="margin-top:10px">{figure.html()}</div>' if figure else ""
    return (
        f'<section aria-label="{escape(one_line(title))}" style="margin:4px 0;max-width:46em;padding:10px 14px;'
        'border:1px solid var(--jp-border-color1,rgba(128,128,128,.5));border-radius:8px">'
        f'<div style="margin-bottom:6px"><b style="font-size:115%">{escape(title)}</b></div>'
        f"{facts_html(facts)}{members.scrolling_html('The agents of the group')}{picture}</section>"
    )
