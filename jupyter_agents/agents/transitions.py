"""Who may speak after whom in a group: a graph, checked when the group is built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jupyter_agents.agents.group_members import named_members
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.nearest import did_you_mean

TransitionsType = Literal["allowed", "disallowed"]


@dataclass(frozen=True)
class Transitions:
    """For each agent of a group those who may speak after it, in the order of the group.

    An agent after whom nobody may speak has the last word: the group's chat ends there.
    """

    agents: tuple[Any, ...]
    after: Mapping[int, tuple[Any, ...]]
    """The successors by the `id` of the agent; agents need not be hashable by value."""

    @classmethod
    def everyone(cls, agents: Sequence[Any], repeats: bool | Sequence[Any] = True) -> Transitions:
        """Anybody after anybody. `repeats`: whether an agent may speak twice in a row, or which ones may."""
        twice = {id(one) for one in agents} if repeats is True else {id(one) for one in repeats or ()}
        after = {id(one): tuple(other for other in agents if other is not one or id(one) in twice) for one in agents}
        return cls(tuple(agents), after)

    @classmethod
    def from_graph(
        cls, agents: Sequence[Any], graph: Mapping[Any, Iterable[Any]], kind: TransitionsType | None
    ) -> Transitions:
        """From a mapping of agents (or their names) to those who may (`allowed`) or may not (`disallowed`) speak after them.

        An agent that is no key of an allowed graph has the last word; after one that is no key of a disallowed graph
        anybody may speak. Raises `ConfigurationError` for a graph that cannot be meant.
        """
        if kind not in ("allowed", "disallowed"):
            raise ConfigurationError(
                f"Cannot build the group: speaker_transitions_type is {kind!r}. Say whether the graph gives the "
                f"'allowed' or the 'disallowed' transitions.{did_you_mean(kind, ('allowed', 'disallowed'))}"
            )
        edges = _edges(agents, graph)
        named = {key: set(map(id, others)) for key, others in edges.items()}
        if kind == "allowed":
            after = {id(one): tuple(o for o in agents if id(o) in named.get(id(one), ())) for one in agents}
        else:
            after = {id(one): tuple(o for o in agents if id(o) not in named.get(id(one), ())) for one in agents}
        if not any(after.values()):
            raise ConfigurationError(
                "Cannot build the group: by its transitions nobody may speak after anybody, so no chat gets beyond its "
                f"first message. {'Allow' if kind == 'allowed' else 'Do not disallow'} at least one transition."
            )
        return cls(tuple(agents), after)

    def successors(self, speaker: Any) -> tuple[Any, ...]:
        """Who may speak after `speaker`: all, if it is not of the group (a team that opens the talk of this one)."""
        return self.after.get(id(speaker), self.agents)

    @property
    def edges(self) -> list[tuple[str, str]]:
        """Each transition as two names, in the order of the group."""
        return [(one.name, other.name) for one in self.agents for other in self.after[id(one)]]

    @property
    def unreachable(self) -> list[str]:
        """Names of agents after whom others may speak, but who may speak after nobody else: they can only open a chat."""
        reached = {id(other) for one in self.agents for other in self.after[id(one)] if other is not one}
        return [one.name for one in self.agents if id(one) not in reached]

    @property
    def last_words(self) -> list[str]:
        """Names of agents after whom nobody may speak."""
        return [one.name for one in self.agents if not self.after[id(one)]]


def _edges(agents: Sequence[Any], graph: Any) -> dict[int, list[Any]]:
    if not isinstance(graph, Mapping) or not graph:
        raise ConfigurationError(
            f"Cannot build the group: its transitions are {graph!r}. Give a dictionary of agents to lists of agents."
        )
    found: dict[int, list[Any]] = {}
    for one, others in graph.items():
        if isinstance(others, (str, Mapping)) or not isinstance(others, Iterable):
            raise ConfigurationError(
                f"Cannot build the group: the transitions from {_name(one)} are {others!r}. Give a list of agents."
            )
        member, *following = named_members(agents, [one, *others], "its transitions")
        if id(member) in found:
            raise ConfigurationError(
                f"Cannot build the group: the transitions from {member.name!r} are given twice. Give one list of agents."
            )
        found[id(member)] = following
    return found


def _name(agent: Any) -> str:
    return repr(getattr(agent, "name", agent))
