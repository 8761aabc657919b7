"""What is typed in a builder, read: the agents that are valid, and what is wrong with the others.

What is wrong is said by the constructors themselves: each argument is tried alone, so that the field to blame is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_agents.errors import ConfigurationError, JupyterAgentsError
from jupyter_agents.models.masking import shown
from jupyter_agents.widgets._blueprint import KINDS, RESERVED, Blueprint, Kept, Kind, Made, in_order, variable_for
from jupyter_agents.widgets._builder_protocol import Draft, GroupDraft, GroupFacts, Problem
from jupyter_agents.widgets._fields import READERS, Given, has_model
from jupyter_agents.widgets._group_blueprint import GroupBlueprint
from jupyter_agents.widgets._namespace import check_free, check_variable
from jupyter_agents.widgets._source import value_of


@dataclass
class Reading:
    """What became of some drafts: those that are valid, by id, all that there is to say, and every draft's variable."""

    blueprints: dict[str, Blueprint] = field(default_factory=dict)
    groups: dict[str, GroupBlueprint] = field(default_factory=dict)
    group_facts: dict[str, GroupFacts] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def made(self) -> dict[str, Made]:
        """Agents and groups that are valid, in the order in which they can be made."""
        return {**self.blueprints, **self.groups}

    def say(self, draft: Draft | GroupDraft, field: str, text: str, *, is_note: bool = False) -> None:
        """Add something to say about a field."""
        self.problems.append(Problem(draft=draft.id, field=field, text=text, is_note=is_note))

    def has_errors(self, draft: Draft | GroupDraft) -> bool:
        """Whether something about a draft must be mended."""
        return any(one["draft"] == draft.id and not one["is_note"] for one in self.problems)

    def attempt(self, draft: Draft | GroupDraft, name: str, action: Callable[[], object]) -> bool:
        """Do something, and say at a field what was wrong with it. Whether it went well."""
        try:
            action()
        except _WRONG as error:
            self.say(draft, name, str(error))
            return False
        return True


def read_drafts(drafts: Sequence[Draft], kept: Mapping[str, Kept], namespace: Mapping[str, Any]) -> Reading:
    """The blueprints of drafts, and what is wrong with the others. Nothing is changed anywhere."""
    reading = Reading()
    for draft in drafts:
        _read_draft(draft, kept.get(draft.basis, Kept()), namespace, reading)
    _check_names(drafts, reading)
    _share_tools(drafts, reading)
    return reading


def _read_draft(draft: Draft, kept: Kept, namespace: Mapping[str, Any], reading: Reading) -> None:
    kind = KINDS.get(draft.kind)
    variable = reading.variables[draft.id] = draft.variable or variable_for(draft.name)
    if kind is None:
        reading.say(draft, "kind", f"Cannot build a {draft.kind!r}: the kinds are {', '.join(KINDS)}. Choose one.")
        return
    given = Given(draft, kind, kept, namespace)
    arguments: dict[str, Any] = {}
    for name, argument, read in READERS:
        reading.attempt(draft, name, lambda: arguments.update(_tried(kind, argument, read(given))))  # noqa: B023 - called at once
    if variable or draft.name.strip():
        reading.attempt(draft, "variable", lambda: check_own_variable(variable, namespace))
    for name, remark in _remarks(draft, kept):
        reading.say(draft, name, remark, is_note=True)
    if not reading.has_errors(draft):
        blueprint = Blueprint(kind, variable, in_order({**arguments, **kept.arguments}))
        if reading.attempt(draft, "", blueprint.build):
            reading.blueprints[draft.id] = blueprint


def _remarks(draft: Draft, kept: Kept) -> Iterator[tuple[str, str]]:
    """What a person should know of a loaded agent."""
    for remark in kept.left_out:
        yield "", remark
    if kept.model_settings and draft.model == kept.model:
        settings = ", ".join(f"{key}={value!r}" for key, value in shown(value_of(kept.model_settings)).items())
        yield "model", f"Kept as it was: {settings}"


_WRONG = (JupyterAgentsError, TypeError, ValueError)


def _tried(kind: Kind, argument: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """An argument as it was given, after an agent has been made with it and with nothing else."""
    if given:
        kind.agent_class(**{"name": "agent", argument: value_of(given[argument])})
    return given


def check_own_variable(name: str, namespace: Mapping[str, Any]) -> None:
    """Raise `ConfigurationError` for a variable that cannot be given to an agent or a group."""
    check_variable(name)
    check_free(name, namespace)
    if name in RESERVED:
        raise ConfigurationError(
            f"Cannot use {name!r} as a variable: the code that makes agents needs it. Take another name."
        )


def _check_names(drafts: Sequence[Draft], reading: Reading) -> None:
    """What is wrong with several drafts together."""
    variables: set[str] = set()
    names: set[str] = set()
    for draft in drafts:
        variable = reading.variables[draft.id]
        if variable and variable in variables:
            reading.say(
                draft, "variable", f"Cannot use {variable!r} twice: another agent here has it. Take another name."
            )
            reading.blueprints.pop(draft.id, None)
        elif variable.startswith("_"):
            text = f"{variable} begins with _: %%agentchat and %agents look at no such variables."
            reading.say(draft, "variable", text, is_note=True)
        if draft.name.strip() and draft.name in names:
            text = f"Another agent here is called {draft.name!r} as well: in a chat nobody can tell them apart."
            reading.say(draft, "name", text, is_note=True)
        variables.add(variable)
        names.add(draft.name)


def _share_tools(drafts: Sequence[Draft], reading: Reading) -> None:
    """Let the agents without a model run what the models of the others may call: calls are made by who receives them."""
    valid = [draft for draft in drafts if draft.id in reading.blueprints]
    callers = [draft for draft in valid if draft.tools and has_model(draft)]
    for draft in valid:
        if not has_model(draft):
            _run_for(draft, [caller for caller in callers if caller.id != draft.id], reading)
    for caller in callers:
        others = [_functions(reading.blueprints[other.id]) for other in valid if other.id != caller.id]
        alone = [name for name in caller.tools if not any(name in functions for functions in others)]
        if alone:
            text = f"{', '.join(alone)}: run by the agent it talks with. Choose it there, too, or make that agent here."
            reading.say(caller, "tools", text, is_note=True)


def _run_for(draft: Draft, callers: Sequence[Draft], reading: Reading) -> None:
    blueprint = reading.blueprints[draft.id]
    functions = dict(_functions(blueprint))
    for caller in callers:
        wanted = _functions(reading.blueprints[caller.id])
        added = {name: function for name, function in wanted.items() if name not in functions}
        functions |= added
        if added:
            text = f"It also runs {', '.join(added)}, which {caller.name} may call."
            reading.say(draft, "tools", text, is_note=True)
    if functions:
        arguments = in_order({**blueprint.arguments, "function_map": functions})
        reading.blueprints[draft.id] = replace(blueprint, arguments=arguments)


def _functions(blueprint: Blueprint) -> Mapping[str, Any]:
    functions: Mapping[str, Any] = blueprint.arguments.get("function_map", {})
    return functions
