"""What an agent shows of itself: what it is for, what speaks for it, what it may do, and with whom it has talked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from jupyter_agents.display.figures import count, listed, short
from jupyter_agents.display.markdown import clean, code_html, code_markdown, escape_markdown
from jupyter_agents.display.tables import one_line
from jupyter_agents.session import current_session

if TYPE_CHECKING:
    from jupyter_agents.agents.responsive import ResponsiveAgent

_HUMAN = {
    "ALWAYS": "asked before every reply",
    "TERMINATE": "asked when the chat would end",
    "NEVER": "never asked",
}
_CODE = {
    "auto": "runs without asking",
    "ask": "runs when you approve it",
    "deny": "never runs",
}
_FACT = "float:none;width:auto;margin:0;padding:2px 0;min-width:0;overflow-wrap:anywhere"  # JupyterLab floats terms
_CODE_LINE = '<code style="background:none;padding:0">'
_MOST_WORDS = 200
_MOST_FUNCTIONS = 50


def agent_bundle(agent: ResponsiveAgent) -> dict[str, Any]:
    """The agent as HTML, Markdown and plain text; the instructions to its model are folded in HTML."""
    facts = list(facts_of(agent))
    return {
        "text/html": _html(agent, facts),
        "text/markdown": _markdown(agent, facts),
        "text/plain": repr(agent),
    }


def facts_of(agent: ResponsiveAgent) -> Iterator[tuple[str, list[str]]]:
    """What there is to say of an agent: the subject, and lines about it."""
    if agent.description:
        yield "description", [shortened(agent.description)]
    yield "model", ["none" if agent.model is None else shortened(agent.model)]
    mode = agent.human_input_mode
    yield "human input", [f"{mode}: {_HUMAN[mode]}" if agent.asks_session_human else f"{mode}: its own way of asking"]
    yield "code", [_code(agent)]
    group = getattr(agent, "groupchat", None)
    if group is not None:
        yield "leads", [f"a group of {listed(short(name) for name in group.agent_names)}"]
    functions = [signature_of(name, function) for name, function in sorted(agent.function_map.items())]
    if functions:
        more = len(functions) - _MOST_FUNCTIONS
        yield "functions", [*functions[:_MOST_FUNCTIONS], *([f"… and {count(more, 'more')}"] if more > 0 else [])]
    talks = [f"{short(other.name)} ({count(len(said), 'message')})" for other, said in agent.chat_messages.items()]
    if talks:
        yield "has talked with", talks


def _code(agent: ResponsiveAgent) -> str:
    if agent.code_config is None:
        return "off"
    policy = agent.code_config.strictest(current_session().settings.code_policy)
    return f"{policy}: {_CODE[policy]}"


def signature_of(name: str, function: Callable[..., Any]) -> str:
    """How a function is called, on one line; only its name where it does not say."""
    try:
        found = str(inspect.signature(function))
    except Exception:  # noqa: BLE001 - a user's object may raise anything when it is asked what it takes
        found = "(…)"
    return shortened(f"{name}{found}")


def shortened(text: object) -> str:
    """Foreign text on one line, and not too long a one."""
    line = one_line(text)
    return line if len(line) <= _MOST_WORDS else f"{line[: _MOST_WORDS - 1]}…"


def kind_of(agent: ResponsiveAgent) -> str:
    """The name of its class; with the class of this package that it is a kind of, where it is a user's own."""
    mine = type(agent)
    known = next((one for one in mine.__mro__ if one.__module__.startswith("jupyter_agents.")), mine)
    return mine.__name__ if known is mine else f"{mine.__name__}, a kind of {known.__name__}"


# -- The forms ---------------------------------------------------------------------------------------------------


def _html(agent: ResponsiveAgent, facts: list[tuple[str, list[str]]]) -> str:
    return (
        f'<section aria-label="{escape(one_line(agent.name))}" style="margin:4px 0;max-width:46em;padding:10px 14px;'
        'border:1px solid var(--jp-border-color1,rgba(128,128,128,.5));border-radius:8px">'
        f'<div style="margin-bottom:6px;overflow-wrap:anywhere"><b style="font-size:115%">{escape(one_line(agent.name))}</b> '
        f'<span style="opacity:.75">{escape(kind_of(agent))}</span></div>'
        f"{facts_html(facts)}{_instructions(agent)}</section>"
    )


def facts_html(facts: Iterable[tuple[str, list[str]]]) -> str:
    """Subjects and what there is to say of them, side by side."""
    rows = "".join(
        f'<dt style="{_FACT};opacity:.75;font-weight:400">{subject}</dt><dd style="{_FACT}">{_lines(subject, lines)}</dd>'
        for subject, lines in facts
    )
    columns = "display:grid;grid-template-columns:max-content minmax(0,1fr);column-gap:16px;margin:0"
    return f'<dl style="{columns}">{rows}</dl>'


def _lines(subject: str, lines: list[str]) -> str:
    opening, closing = (_CODE_LINE, "</code>") if subject == "functions" else ("", "")
    return "".join(f"<div>{opening}{escape(line, quote=False)}{closing}</div>" for line in lines)


def _instructions(agent: ResponsiveAgent) -> str:
    text = clean(str(agent.system_message or ""))
    if not text.strip():
        return ""
    return (
        f'<details style="margin-top:4px"><summary style="cursor:pointer"><span style="opacity:.75">system message</span> '
        f"({count(len(text), 'character')})</summary>{code_html(text)}</details>"
    )


def _markdown(agent: ResponsiveAgent, facts: list[tuple[str, list[str]]]) -> str:
    name = f"**{escape_markdown(agent.name)}** ({escape_markdown(kind_of(agent))})"
    lines = [f"- {subject}: {'; '.join(escape_markdown(line) for line in said)}" for subject, said in facts]
    text = clean(str(agent.system_message or ""))
    return "\n".join([name, "", *lines]) + (f"\n\nsystem message:\n\n{code_markdown(text)}" if text.strip() else "")
