"""Groups as the arguments of `GroupChat` and of its manager, from which the objects and their code both come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_agents.agents.group_chat import GroupChat
from jupyter_agents.agents.group_chat_manager import GroupChatManager
from jupyter_agents.widgets._source import Reference, call_source, imports_of, value_of


@dataclass(frozen=True)
class GroupBlueprint:
    """A valid group and its manager. Members are variables: which agents they hold is known when the group is made."""

    variable: str
    name: str
    members: tuple[str, ...]
    settings: Mapping[str, Any]
    kind: str
    graph: Mapping[str, Sequence[str]]
    manager: Mapping[str, Any]

    @property
    def chat(self) -> str:
        """The variable of the `GroupChat`; the other one is the manager's."""
        return f"{self.variable}_groupchat"

    def make(self, agents: Mapping[str, Any]) -> dict[str, Any]:
        """The `GroupChat` and its manager, by variable."""
        group = GroupChat(value_of(self._members(agents)), **value_of(self._keywords(agents)))
        return {self.chat: group, self.variable: GroupChatManager(group, self.name, **value_of(self.manager))}

    def classes(self) -> tuple[str, ...]:
        """Both classes."""
        return (GroupChat.__name__, GroupChatManager.__name__)

    def imports(self) -> set[str]:
        """What its arguments need."""
        return imports_of(self.manager)

    def source(self) -> str:
        """The two statements that make it."""
        group = call_source(self.chat, GroupChat.__name__, [self._members({})], self._keywords({}))
        given = [Reference(self.chat, None), self.name]
        return f"{group}\n{call_source(self.variable, GroupChatManager.__name__, given, self.manager)}"

    def _members(self, agents: Mapping[str, Any]) -> list[Reference]:
        return _named(self.members, agents)

    def _keywords(self, agents: Mapping[str, Any]) -> dict[str, Any]:
        if self.kind not in ("allowed", "disallowed"):
            return dict(self.settings)
        rows = {Reference(one, agents.get(one)): _named(others, agents) for one, others in self.graph.items()}
        kind = {"speaker_transitions_type": self.kind}
        return {**self.settings, "allowed_or_disallowed_speaker_transitions": rows, **kind}


def _named(variables: Sequence[str], agents: Mapping[str, Any]) -> list[Reference]:
    return [Reference(one, agents.get(one)) for one in variables]
