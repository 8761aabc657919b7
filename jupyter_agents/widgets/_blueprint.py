"""Agents as the arguments of their constructors, from which the objects and the code that makes them both come.

So the object and the code cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any, Protocol

from jupyter_agents.agents.assistant import AssistantAgent
from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.agents.user_proxy import UserProxyAgent
from jupyter_agents.widgets._builder_protocol import KindFacts
from jupyter_agents.widgets._source import Reference, call_source, imports_of, value_of

PACKAGE = "jupyter_agents"


@dataclass(frozen=True)
class Kind:
    """A kind of agent that can be built. `code` is what the form begins with, and asks where the constructor does not."""

    id: str
    agent_class: type[ResponsiveAgent]
    code: str

    def sample(self) -> ResponsiveAgent:
        """An agent with all the defaults of its constructor."""
        return self.agent_class("agent")

    def facts(self) -> KindFacts:
        """What a page needs to know."""
        sample = self.sample()
        return KindFacts(
            id=self.id,
            class_name=self.agent_class.__name__,
            system_message=sample.system_message,
            model="none" if sample.model is None else "default",
            human_input_mode=sample.human_input_mode,
            code=self.code,
            max_replies=sample.max_consecutive_auto_reply(),
        )


KINDS = {
    kind.id: kind
    for kind in (
        Kind("assistant", AssistantAgent, "off"),
        Kind("user_proxy", UserProxyAgent, "ask"),
        Kind("responsive", ResponsiveAgent, "ask"),
    )
}
"""The kinds that there are. One more is one more line here, and its words on the page."""

_GROUPS = ("GroupChat", "GroupChatManager")
RESERVED = frozenset(
    {"os", "getpass", "tool_schema", "Tool", *_GROUPS, *(kind.agent_class.__name__ for kind in KINDS.values())}
)


@dataclass(frozen=True)
class Kept:
    """What of a loaded agent has no field: it stays in the kernel, and goes into the new agent as it is.

    `model_settings` go with the choice `model` only: another model is not asked with the key of this one.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    llm_config: Any = None
    model_settings: Mapping[str, Any] = field(default_factory=dict)
    code_settings: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    tools: Mapping[tuple[str, str], Reference] = field(default_factory=dict)
    """Those that were made of a function, by name and by the expression of the function."""


class Made(Protocol):
    """What can be made, and the code that makes it."""

    @property
    def variable(self) -> str:
        """What it is called by other code."""
        ...

    def classes(self) -> tuple[str, ...]:
        """The names from this package that the code needs."""
        ...

    def imports(self) -> set[str]:
        """The other import statements that it needs."""
        ...

    def source(self) -> str:
        """The statements that make it."""
        ...

    def make(self, agents: Mapping[str, Any]) -> dict[str, Any]:
        """The objects, by variable. `agents` holds those that are made before."""
        ...


@dataclass(frozen=True)
class Blueprint:
    """A valid agent: the arguments that differ from the constructor's defaults, some of them references."""

    kind: Kind
    variable: str
    arguments: Mapping[str, Any]

    def build(self) -> ResponsiveAgent:
        """The agent."""
        return self.kind.agent_class(**value_of(self.arguments))

    def make(self, agents: Mapping[str, Any]) -> dict[str, Any]:
        """The agent by its variable."""
        return {self.variable: self.build()}

    def classes(self) -> tuple[str, ...]:
        """The class of the agent."""
        return (self.kind.agent_class.__name__,)

    def imports(self) -> set[str]:
        """What its arguments need."""
        return imports_of(self.arguments)

    def source(self) -> str:
        """The statement that makes it."""
        keywords = dict(self.arguments)
        return call_source(self.variable, self.kind.agent_class.__name__, [keywords.pop("name")], keywords)


def source_of_all(made: Sequence[Made]) -> str:
    """The code that makes these agents and groups, with its imports; `""` for none."""
    if not made:
        return ""
    classes = sorted({name for one in made for name in one.classes()})
    needed = sorted({line for one in made for line in one.imports()})
    standard = [line for line in needed if f" {PACKAGE}." not in line]
    own = [line for line in needed if line not in standard]
    imports = "\n".join([f"from {PACKAGE} import {', '.join(classes)}", *own])
    statements = "\n".join(one.source() for one in made)
    return "\n\n".join([*(["\n".join(standard)] if standard else []), imports, statements]) + "\n"


_ORDER = (
    "name",
    "system_message",
    "description",
    "llm_config",
    "human_input_mode",
    "max_consecutive_auto_reply",
    "is_termination_msg",
    "code_execution_config",
    "function_map",
    "default_auto_reply",
    "human",
)


def in_order(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: arguments[name] for name in _ORDER if name in arguments}


def variable_for(name: str) -> str:
    """The variable that an agent of this name gets where none is given; `""` where the name has no letters.

    >>> variable_for("Data analyst"), variable_for("2nd"), variable_for("class")
    ('data_analyst', 'agent_2nd', 'class_')
    """
    found = re.sub(r"\W+", "_", name).strip("_").lower()
    if found and not found.isidentifier():
        found = f"agent_{found}"
    return f"{found}_" if iskeyword(found) else found


def kind_of_agent(agent: ResponsiveAgent) -> Kind | None:
    """The kind that an agent is exactly of: a subclass may do anything."""
    return next((kind for kind in KINDS.values() if type(agent) is kind.agent_class), None)
