"""What `%agents` shows."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping

from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.session import current_session

_HEADINGS = ("variable", "name", "kind", "model", "human", "approve", "functions")  # as the options are called


class Roster:
    """The agents of a notebook, as a table: what speaks for each, when it asks you, and what must happen before its code runs."""

    def __init__(self, agents: Mapping[str, ResponsiveAgent]) -> None:
        self._agents = dict(agents)

    def __len__(self) -> int:
        return len(self._agents)

    def __iter__(self) -> Iterator[str]:
        return iter(self._agents)

    def __getitem__(self, variable: str) -> ResponsiveAgent:
        return self._agents[variable]

    def __repr__(self) -> str:
        if not self._agents:
            return "No agents yet. Define one with %%agent NAME, or just begin with %%agentchat."
        rows = [_HEADINGS, *self._rows()]
        widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADINGS))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    def _repr_html_(self) -> str | None:
        if not self._agents:
            return None
        cells = [f"<th>{heading}</th>" for heading in _HEADINGS]
        rows = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in self._rows()]
        body = "".join(f"<tr>{row}</tr>" for row in ("".join(cells), *rows))
        return f"<table>{body}</table>"

    def _rows(self) -> list[tuple[str, ...]]:
        return [_row(variable, agent) for variable, agent in self._agents.items()]


def _row(variable: str, agent: ResponsiveAgent) -> tuple[str, ...]:
    return (
        variable,
        agent.name,
        type(agent).__name__,
        "–" if agent.model is None else str(agent.model),
        agent.human_input_mode.lower(),
        "–" if agent.code_config is None else agent.code_config.strictest(current_session().settings.code_policy),
        ", ".join(sorted(agent.function_map)) or "–",
    )
