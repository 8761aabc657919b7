"""The groups that are typed in a builder, read: those that are valid, and what is wrong with the others.

What is wrong is said by `GroupChat` and its manager themselves: each part is tried alone, so that the field to blame is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_agents.agents.group_chat import GroupChat, everyone_in
from jupyter_agents.agents.group_chat_manager import GroupChatManager
from jupyter_agents.agents.variables import is_agent
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.widgets._blueprint import variable_for
from jupyter_agents.widgets._builder_protocol import GroupDraft, GroupFacts
from jupyter_agents.widgets._group_blueprint import GroupBlueprint
from jupyter_agents.widgets._namespace import check_free
from jupyter_agents.widgets._reading import Reading, check_own_variable

_METHODS = ("auto", "round_robin", "random", "manual")
_TRANSITIONS = ("", "no_repeat", "allowed", "disallowed")
_WITH_GRAPH = ("allowed", "disallowed")
_DEFAULTS = {"max_round": GroupChat.max_round, "admin_name": GroupChat.admin_name, "speaker_selection_method": "auto"}


@dataclass
class Cast:
    """Who can be in a group: the agents of the form, as examples, and those of the namespace; by variable."""

    namespace: Mapping[str, Any]
    variables: dict[str, str]
    """Those of the drafts that are valid, by the draft's id."""

    examples: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, reading: Reading, namespace: Mapping[str, Any]) -> Cast:
        """With the agents of a form."""
        found = cls(namespace, {})
        for id_, blueprint in reading.blueprints.items():
            found.add(id_, blueprint.variable, blueprint.build())
        return found

    def add(self, draft: str, variable: str, example: Any) -> None:
        """One more of the form."""
        self.variables[draft] = variable
        self.examples[variable] = example

    def variable_of(self, member: str) -> str:
        """The variable of a member. Raises `ConfigurationError` for one that is not there."""
        origin, _, name = member.partition(":")
        if origin == "draft" and name in self.variables:
            return self.variables[name]
        if origin == "variable" and (name in self.examples or is_agent(self.namespace.get(name))):
            return name
        if origin == "variable":
            raise ConfigurationError(
                f"Cannot put {name!r} into the group: no variable of this name holds an agent any more. Run the cell that "
                "makes it, or take it out."
            )
        raise ConfigurationError(
            "Cannot build the group: one of its agents has something to correct, or stands below it in this form. "
            "Correct it, or take it out."
        )

    def variables_of(self, members: Sequence[str]) -> list[str]:
        """The variables of several."""
        return [self.variable_of(one) for one in members]

    def agents(self, variables: Sequence[str]) -> dict[str, Any]:
        """What they hold, or will hold."""
        return {name: self.examples[name] if name in self.examples else self.namespace[name] for name in variables}


def read_groups(drafts: Sequence[GroupDraft], reading: Reading, namespace: Mapping[str, Any]) -> None:
    """Add the blueprints of groups to what was read of the agents, and what is wrong with the others."""
    cast = Cast.of(reading, namespace)
    taken = {name for name in reading.variables.values() if name}
    for draft in drafts:
        variable = reading.variables[draft.id] = draft.variable or variable_for(draft.name)
        _Group(draft, variable, cast, reading, taken).read()
        taken |= {variable, f"{variable}_groupchat"}


class _Group:
    """The reading of one group."""

    def __init__(self, draft: GroupDraft, variable: str, cast: Cast, reading: Reading, taken: set[str]) -> None:
        self._draft, self._variable, self._cast = draft, variable, cast
        self._reading, self._taken = reading, taken
        self._members: list[str] = []
        self._graph: dict[str, list[str]] = {}
        self._settings: dict[str, Any] = {}
        self._manager: dict[str, Any] = {}

    def read(self) -> None:
        """Try part by part, and then the whole."""
        parts = {
            "members": self._read_members,
            "max_round": self._read_rounds,
            "method": self._read_method,
            "admin": self._read_admin,
            "transitions": self._read_transitions,
            "model": self._read_model,
            "name": lambda: GroupChatManager(_any_group(), self._draft.name, llm_config=False),
            "variable": self._check_variable,
        }
        for name, part in parts.items():
            if name != "variable" or self._variable or self._draft.name.strip():
                self._reading.attempt(self._draft, name, part)
        if not self._reading.has_errors(self._draft):
            self._reading.attempt(self._draft, "", self._build)

    def _build(self) -> None:
        draft = self._draft
        introduced = {"send_introductions": True} if draft.introductions else {}
        settings = _in_order({**self._settings, **introduced})
        kind = draft.transitions if any(self._graph.values()) else ""  # one that forbids nothing is left out
        blueprint = GroupBlueprint(
            self._variable, draft.name, tuple(self._members), settings, kind, self._graph, self._manager
        )
        made = blueprint.make(self._cast.agents(self._members))
        self._cast.add(draft.id, self._variable, made[self._variable])
        self._reading.groups[draft.id] = blueprint
        self._reading.group_facts[draft.id] = facts_of(made[blueprint.chat])
        self._remark(made[self._variable])

    def _remark(self, manager: GroupChatManager) -> None:
        """What a person should know of a group that can be made all the same."""
        say, group = self._reading.say, manager.groupchat
        if len(group.agents) == 1:
            say(
                self._draft, "members", "It has one agent, who talks with nobody but itself. Add another.", is_note=True
            )
        if self._draft.method == "auto" and manager.model is None:
            say(self._draft, "model", "Without a model the agents speak in turns.", is_note=True)
        if self._draft.transitions in _WITH_GRAPH:
            for text in _words_on(group):
                say(self._draft, "transitions", text, is_note=True)

    # -- Each part -----------------------------------------------------------------------------------------------

    def _read_members(self) -> None:
        self._members = self._cast.variables_of(self._draft.members)
        agents = self._cast.agents(self._members)
        GroupChat([agents[name] for name in self._members])

    def _read_rounds(self) -> None:
        text = self._draft.max_round.strip()
        if not text:
            return
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
            raise ConfigurationError(
                f"Cannot build the group: max_round is {text!r}. Give a whole number of at least 1."
            )
        self._settings["max_round"] = _any_group(max_round=int(text)).max_round

    def _read_method(self) -> None:
        method: Any = self._draft.method
        self._settings["speaker_selection_method"] = _any_group(
            speaker_selection_method=method
        ).speaker_selection_method

    def _read_admin(self) -> None:
        if not self._draft.admin:
            return
        variable = self._cast.variable_of(self._draft.admin)
        name = self._cast.agents([variable])[variable].name
        if self._draft.admin not in self._draft.members:
            raise ConfigurationError(
                f"Cannot give the word to {name!r} after an interrupt: it is not in the group. Choose one of the group."
            )
        self._settings["admin_name"] = name

    def _read_transitions(self) -> None:
        kind: Any = self._draft.transitions
        if kind == "no_repeat":
            self._settings["allow_repeat_speaker"] = False
        elif kind not in _TRANSITIONS:
            raise ConfigurationError(
                f"Cannot build the group: its transitions are {kind!r}. Choose one of no_repeat, allowed, disallowed."
            )
        if kind in _WITH_GRAPH and self._members:
            self._read_graph(kind)

    def _read_graph(self, kind: Any) -> None:
        """Those who say nothing of their own in the graph are left out of it, unless it would be empty."""
        given = {
            self._cast.variable_of(one): self._cast.variables_of(others) for one, others in self._draft.graph.items()
        }
        strangers = [name for name in given if name not in self._members]
        order = [*self._members, *strangers]
        self._graph = {name: given[name] for name in order if given.get(name)} or {name: [] for name in self._members}
        if kind == "disallowed" and not any(self._graph.values()):
            return
        agents = self._cast.agents([*order, *(name for others in given.values() for name in others)])
        graph = {agents[one]: [agents[name] for name in others] for one, others in self._graph.items()}
        members = [agents[name] for name in self._members]
        GroupChat(members, allowed_or_disallowed_speaker_transitions=graph, speaker_transitions_type=kind)

    def _read_model(self) -> None:
        draft = self._draft
        choice = draft.model or ("default" if draft.method == "auto" else "none")
        if choice not in ("default", "none", "named"):
            raise ConfigurationError(f"Cannot use model={choice!r}: choose another.")
        if choice == "named" and not draft.model_name.strip():
            raise ConfigurationError(
                "Cannot use a model without a name: give the name of one, or choose another answer."
            )
        if choice == "named":
            self._manager["llm_config"] = {"model": draft.model_name.strip()}
        elif choice == "none":
            self._manager["llm_config"] = False
        GroupChatManager(_any_group(), **self._manager)

    def _check_variable(self) -> None:
        chat = f"{self._variable}_groupchat"
        check_own_variable(self._variable, self._cast.namespace)
        if not isinstance(self._cast.namespace.get(chat), GroupChat):
            check_free(chat, self._cast.namespace)
        for name in (self._variable, chat):
            if name in self._taken:
                raise ConfigurationError(
                    f"Cannot use {name!r} twice: something else in this form has it. Take another name."
                )


def _any_group(**settings: Any) -> GroupChat:
    """A group by which a setting is tried."""
    from jupyter_agents.agents.user_proxy import UserProxyAgent

    return GroupChat([UserProxyAgent("agent")], **settings)


def _in_order(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the defaults, in the order of the constructor."""
    order = ("max_round", "admin_name", "speaker_selection_method", "allow_repeat_speaker", "send_introductions")
    given = {name: settings[name] for name in order if name in settings}
    return {name: value for name, value in given.items() if name not in _DEFAULTS or value != _DEFAULTS[name]}


def _words_on(group: GroupChat) -> list[str]:
    found = []
    if group.transitions.last_words:
        found.append(f"After {', '.join(group.transitions.last_words)} nobody may speak: the chat ends there.")
    if group.transitions.unreachable:
        found.append(
            f"{', '.join(group.transitions.unreachable)}: can only open a chat, since nobody may be followed by it."
        )
    return found


def facts_of(group: GroupChat) -> GroupFacts:
    """What a page draws of a group."""
    from jupyter_agents.display.transitions import transitions

    names, edges = group.agent_names, group.transitions.edges
    seats = [one.name for one in everyone_in(group) if getattr(one, "human_input_mode", "NEVER") != "NEVER"]
    return GroupFacts(
        names=names, edges=[list(one) for one in edges], words=transitions(names, edges).description, seats=seats
    )
