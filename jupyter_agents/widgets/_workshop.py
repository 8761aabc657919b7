"""Making what is typed in a builder: all of it or nothing, and never in place of something that nobody was asked about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jupyter_agents.agents.group_chat import GroupChat
from jupyter_agents.agents.group_chat_manager import GroupChatManager
from jupyter_agents.agents.variables import is_agent
from jupyter_agents.widgets._blueprint import Made
from jupyter_agents.widgets._builder_protocol import Replaced
from jupyter_agents.widgets._group_blueprint import GroupBlueprint
from jupyter_agents.widgets._namespace import check_free
from jupyter_agents.widgets._reading import Reading


class Workshop:
    """A namespace, and what was made in it here."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._made: dict[str, tuple[Made, Any]] = {}

    def plan(self, reading: Reading, which: str | None) -> list[Made]:
        """What is to be made for one draft, or for all. A group needs its members: those that are as they are typed stay."""
        if which is None:
            return list(reading.made.values())
        wanted = reading.made[which]
        known = {one.variable: one for one in reading.made.values()}
        needed = [one for one in self._needed(wanted, known) if one is not wanted]
        return [*needed, wanted]

    def _needed(self, wanted: Made, known: dict[str, Made]) -> list[Made]:
        """Those of the form without which something cannot be made, and it itself, unless it is there as it is typed."""
        members = wanted.members if isinstance(wanted, GroupBlueprint) else ()
        found: list[Made] = []
        for name in members:
            if name in known:
                found += [one for one in self._needed(known[name], known) if one not in found]
        return [*found, wanted] if found or not self._is_there(wanted) else []

    def _is_there(self, wanted: Made) -> bool:
        blueprint, made = self._made.get(wanted.variable, (None, None))
        is_same = blueprint == wanted and self._namespace.get(wanted.variable) is made
        return is_same and not (isinstance(wanted, GroupBlueprint) and self._is_outdated(wanted.variable))

    def replaced(self, plan: Sequence[Made]) -> list[Replaced]:
        """The agents and groups that the namespace has in the place of others."""
        found = []
        for one in plan:
            held = self._namespace.get(one.variable)
            found += [_replaced_agent(one.variable, held)] if is_agent(held) else []
            if isinstance(one, GroupBlueprint):
                found += self._replaced_group(one.chat, held)
        return found

    def _replaced_group(self, variable: str, manager: Any) -> list[Replaced]:
        held = self._namespace.get(variable)
        if is_agent(held):
            return [_replaced_agent(variable, held)]
        if not isinstance(held, GroupChat) or getattr(manager, "groupchat", None) is held:
            return []
        return [Replaced(variable=variable, name="", class_name=GroupChat.__name__, talks=0)]

    def make(self, plan: Sequence[Made]) -> list[str]:
        """Make it all, and then put it into the namespace. The variables that hold what is new."""
        made: dict[str, Any] = {}
        for one in plan:
            made |= one.make({**self._namespace, **made})
        for name in made:  # a cell that runs in another thread may have taken it
            if not isinstance(self._namespace.get(name), GroupChat):
                check_free(name, self._namespace)
        self._namespace.update(made)
        self._made |= {one.variable: (one, made[one.variable]) for one in plan}
        return list(made)

    def outdated(self) -> list[str]:
        """The groups that were made here, and in which agents are that have been replaced since."""
        return [name for name in self._made if self._is_outdated(name)]

    def _is_outdated(self, variable: str) -> bool:
        blueprint, manager = self._made[variable]
        is_held = self._namespace.get(variable) is manager
        if not is_held or not isinstance(blueprint, GroupBlueprint) or not isinstance(manager, GroupChatManager):
            return False
        held = [self._namespace.get(name) for name in blueprint.members]
        return not _are_same(held, manager.groupchat.agents)


def _are_same(some: Iterable[Any], others: Iterable[Any]) -> bool:
    return [id(one) for one in some] == [id(one) for one in others]


def _replaced_agent(variable: str, agent: Any) -> Replaced:
    talks = sum(1 for talk in agent.chat_messages.values() if talk)
    return Replaced(variable=variable, name=agent.name, class_name=type(agent).__name__, talks=talks)
