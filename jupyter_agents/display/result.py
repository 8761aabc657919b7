"""What a chat's result shows of itself: what it was and why it ended, with an outline of who said what."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from jupyter_agents.display.markdown import clean
from jupyter_agents.messages import Usage

if TYPE_CHECKING:
    from jupyter_agents.conversation import ChatResult

_LINE = 100
_MOST = 200


def result_bundle(result: ChatResult) -> dict[str, Any]:
    """The result as HTML, Markdown and plain text. The transcript itself stands where the chat was held."""
    lines = outline(result)
    rows = "".join(f"<li><b>{escape(name)}</b>: {escape(line)}</li>" for name, line in lines[:_MOST])
    more = f"<p>… and {len(lines) - _MOST:,} more</p>" if len(lines) > _MOST else ""
    facts = escape(describe(result))
    return {
        "text/html": f"<details><summary>{facts}</summary><ol>{rows}</ol>{more}</details>",
        "text/plain": repr(result),
    }


def describe(result: ChatResult) -> str:
    """The facts of a chat in one line."""
    facts = [
        _count(len(result), "message"),
        f"ended by {result.ended_by}" + (f" ({result.detail})" if result.detail else ""),
        _count(result.model_calls, "model call"),
        _tokens(result.usage),
    ]
    return " · ".join(fact for fact in facts if fact)


def outline(result: ChatResult) -> list[tuple[str, str]]:
    """For each message its speaker and its first line, shortened; calls by the names of what they call."""
    return [(str(message["name"]), _first_line(message)) for message in result.messages]


def _first_line(message: dict[str, Any]) -> str:
    content = message.get("content")
    text = content if isinstance(content, str) else "<content parts>" if content else ""
    line = next((line.strip() for line in clean(text).splitlines() if line.strip()), "")
    calls = [call["function"]["name"] for call in message.get("tool_calls", ())]
    calls += [message["function_call"]["name"]] if "function_call" in message else []
    if calls:
        line = f"{line} (calls {', '.join(calls)})".strip()
    return line if len(line) <= _LINE else f"{line[: _LINE - 1]}…"


def _tokens(usage: Usage) -> str:
    total = usage.total_tokens
    return "" if total is None else _count(total, "token") + (" (estimated)" if usage.estimated else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
