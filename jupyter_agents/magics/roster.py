"""What `%agents` shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jupyter_agents.agents.group_chat import GroupChat
from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.display.tables import Table
from jupyter_agents.session import current_session

_HEADINGS = ("variable", "name", "kind", "model", "human", "approve", "functions")  # as the options are called
_WITH_GROUPS = (*_HEADINGS, "members")
_NOBODY = "No agents yet. Define one with %%agent NAME, or just begin with %%agentchat."


class Roster:
    """The agents and groups of a notebook, as a table: what speaks for each, when it asks you, whether its code runs, who is in it."""

    def __init__(self, agents: Mapping[str, ResponsiveAgent]) -> None:
        self._agents = dict(agents)

    def __len__(self) -> int:
        return len(self._agents)

    def __iter__(self) -> Iterator[str]:
        return iter(self._agents)

    def __getitem__(self, variable: str) -> ResponsiveAgent:
        return self._agents[variable]

    def __repr__(self) -> str:
        return self._table().text() if self._agents else _NOBODY

    def _repr_html_(self) -> str | None:
        return self._table().scrolling_html("Agents") if self._agents else None

    def _repr_markdown_(self) -> str | None:
        return self._table().markdown() if self._agents else None

    def _table(self) -> Table:
        rows = [(_row(variable, agent), _members(agent)) for variable, agent in self._agents.items()]
        if not any(members for _, members in rows):
            return Table.of(_HEADINGS, (row for row, _ in rows))
        return Table.of(_WITH_GROUPS, ((*row, members or "–") for row, members in rows))


def _members(agent: ResponsiveAgent) -> str:
    """Who is in the group that an agent leads, and who chooses the next speaker; `""` where it leads none."""
    group = getattr(agent, "groupchat", None)
    if not isinstance(group, GroupChat):
        return ""
    method = group.speaker_selection_method
    how = method if isinstance(method, str) else getattr(method, "__name__", "a function")
    return f"{', '.join(group.agent_names)} ({how})"


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
