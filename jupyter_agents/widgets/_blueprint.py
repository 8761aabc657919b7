"""From what is typed to an agent and to the code that makes it, and back from an agent to what would be typed.

Both come from one description of the constructor's arguments, so the object and the code cannot differ. What is wrong
is said by the constructors themselves: each argument is tried alone, so that the field to blame is known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from keyword import iskeyword
from typing import Any

from jupyter_agents.agents.assistant import AssistantAgent
from jupyter_agents.agents.code_config import CodeConfig
from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.agents.user_proxy import UserProxyAgent
from jupyter_agents.errors import ConfigurationError, JupyterAgentsError
from jupyter_agents.models.masking import shown
from jupyter_agents.tools import tool_schema
from jupyter_agents.widgets._builder_protocol import Draft, KindFacts, Problem
from jupyter_agents.widgets._namespace import check_free, check_variable, function_at
from jupyter_agents.widgets._source import Reference, call_source, imports_of, source_of, text_source, value_of

_PACKAGE = "jupyter_agents"


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

_RESERVED = frozenset({"os", "getpass", "tool_schema", *(kind.agent_class.__name__ for kind in KINDS.values())})


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


@dataclass(frozen=True)
class Blueprint:
    """A valid agent: the arguments that differ from the constructor's defaults, some of them references."""

    kind: Kind
    variable: str
    arguments: Mapping[str, Any]

    def build(self) -> ResponsiveAgent:
        """The agent."""
        return self.kind.agent_class(**value_of(self.arguments))

    def source(self) -> str:
        """The statement that makes it."""
        keywords = dict(self.arguments)
        return call_source(self.variable, self.kind.agent_class.__name__, [keywords.pop("name")], keywords)


def source_of_all(blueprints: Sequence[Blueprint]) -> str:
    """The code that makes these agents, with its imports; `""` for none."""
    if not blueprints:
        return ""
    classes = sorted({one.kind.agent_class.__name__ for one in blueprints})
    needed = sorted({line for one in blueprints for line in imports_of(one.arguments)})
    standard = [line for line in needed if f" {_PACKAGE}." not in line]
    own = [line for line in needed if line not in standard]
    imports = "\n".join([f"from {_PACKAGE} import {', '.join(classes)}", *own])
    statements = "\n".join(one.source() for one in blueprints)
    return "\n\n".join([*(["\n".join(standard)] if standard else []), imports, statements]) + "\n"


# -- From what is typed ----------------------------------------------------------------------------------------


@dataclass
class Reading:
    """What became of some drafts: those that are valid, by id, all that there is to say, and every draft's variable."""

    blueprints: dict[str, Blueprint] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def say(self, draft: Draft, field: str, text: str, *, is_note: bool = False) -> None:
        """Add something to say about a field."""
        self.problems.append(Problem(draft=draft.id, field=field, text=text, is_note=is_note))

    def has_errors(self, draft: Draft) -> bool:
        """Whether something about a draft must be mended."""
        return any(one["draft"] == draft.id and not one["is_note"] for one in self.problems)


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
    for name, argument, read in _READERS:
        _try(draft, name, reading, lambda: arguments.update(_tried(kind, argument, read(given))))  # noqa: B023 - called at once
    if variable or draft.name.strip():
        _try(draft, "variable", reading, lambda: _check_variable(variable, namespace))
    for name, remark in _remarks(draft, kept):
        reading.say(draft, name, remark, is_note=True)
    if not reading.has_errors(draft):
        blueprint = Blueprint(kind, variable, _in_order({**arguments, **kept.arguments}))
        if _try(draft, "", reading, blueprint.build):
            reading.blueprints[draft.id] = blueprint


def _remarks(draft: Draft, kept: Kept) -> Iterator[tuple[str, str]]:
    """What a person should know of a loaded agent."""
    for remark in kept.left_out:
        yield "", remark
    if kept.model_settings and draft.model == kept.model:
        settings = ", ".join(f"{key}={value!r}" for key, value in shown(value_of(kept.model_settings)).items())
        yield "model", f"Kept as it was: {settings}"


def _try(draft: Draft, name: str, reading: Reading, action: Callable[[], object]) -> bool:
    try:
        action()
    except _WRONG as error:
        reading.say(draft, name, str(error))
        return False
    return True


_WRONG = (JupyterAgentsError, TypeError, ValueError)


def _tried(kind: Kind, argument: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """An argument as it was given, after an agent has been made with it and with nothing else."""
    if given:
        kind.agent_class(**{"name": "agent", argument: value_of(given[argument])})
    return given


def _check_variable(name: str, namespace: Mapping[str, Any]) -> None:
    check_variable(name)
    check_free(name, namespace)
    if name in _RESERVED:
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
    callers = [draft for draft in valid if draft.tools and _has_model(draft)]
    for draft in valid:
        if not _has_model(draft):
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
        arguments = _in_order({**blueprint.arguments, "function_map": functions})
        reading.blueprints[draft.id] = replace(blueprint, arguments=arguments)


def _functions(blueprint: Blueprint) -> Mapping[str, Any]:
    functions: Mapping[str, Any] = blueprint.arguments.get("function_map", {})
    return functions


def variable_for(name: str) -> str:
    """The variable that an agent of this name gets where none is given; `""` where the name has no letters.

    >>> variable_for("Data analyst"), variable_for("2nd"), variable_for("class")
    ('data_analyst', 'agent_2nd', 'class_')
    """
    found = re.sub(r"\W+", "_", name).strip("_").lower()
    if found and not found.isidentifier():
        found = f"agent_{found}"
    return f"{found}_" if iskeyword(found) else found


# -- Each field ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """What the reading of one field needs."""

    draft: Draft
    kind: Kind
    kept: Kept
    namespace: Mapping[str, Any]


def _name(given: Given) -> dict[str, Any]:
    return {"name": given.draft.name}


def _system_message(given: Given) -> dict[str, Any]:
    text = given.draft.system_message
    return {} if text is None or text == given.kind.sample().system_message else {"system_message": text}


def _description(given: Given) -> dict[str, Any]:
    return {"description": given.draft.description} if given.draft.description else {}


def _llm_config(given: Given) -> dict[str, Any]:
    """The model, and what it is told of the tools: without that it calls none."""
    found = _model_config(given)
    tools = _schemas(given) if _has_model(given.draft) else []
    if not tools:
        return found
    config = found.get("llm_config", {})
    return {"llm_config": _with_tools({} if isinstance(config, bool) else config, tools)}


def _with_tools(config: Any, tools: list[Reference]) -> Any:
    """A config with tools; one in a variable that has its own is left as it is."""
    if not isinstance(config, Reference):
        return {**config, "tools": [*config.get("tools", []), *tools]}
    if not isinstance(config.value, Mapping):
        return {"model": config, "tools": tools}
    if "tools" in config.value:
        return config
    source = f'{{**{config.expression}, "tools": {source_of(tools)}}}'
    return Reference(source, {**config.value, "tools": value_of(tools)}, (*config.imports, *sorted(imports_of(tools))))


def _schemas(given: Given) -> list[Reference]:
    """The schemas of the tools that can be found; what is wrong with the others is said at their own field."""
    found = []
    for name, expression in given.draft.tools.items():
        try:
            found.append(schema_reference(name, expression, function_at(expression, given.namespace)))
        except ConfigurationError:
            continue
    return found


def schema_reference(name: str, expression: str, function: Callable[..., Any]) -> Reference:
    """The schema of a function under the name by which a model calls it."""
    renamed = "" if name == getattr(function, "__name__", None) else f", name={text_source(name)}"
    source = f"tool_schema({expression}{renamed})"
    return Reference(source, tool_schema(function, name=name), (f"from {_PACKAGE}.tools import tool_schema",))


def _has_model(draft: Draft) -> bool:
    kind = KINDS.get(draft.kind)
    return kind is not None and (draft.model or kind.facts()["model"]) != "none"


def _model_config(given: Given) -> dict[str, Any]:
    draft, kept = given.draft, given.kept
    usual = given.kind.facts()["model"]
    choice = draft.model or usual
    settings = dict(kept.model_settings) if choice == kept.model else {}
    if choice == "named":
        if not draft.model_name.strip():
            raise ConfigurationError(
                "Cannot use a model without a name: give the name of one, or choose another answer."
            )
        return {"llm_config": {"model": draft.model_name.strip(), **settings}}
    if choice == "kept" and kept.llm_config is not None:
        return {"llm_config": kept.llm_config}
    if choice not in ("default", "none"):
        raise ConfigurationError(f"Cannot use model={choice!r}: its config is not known any more. Choose another.")
    if choice == "default" and settings:
        return {"llm_config": settings}
    return {} if choice == usual else {"llm_config": choice == "default"}


def _human_input_mode(given: Given) -> dict[str, Any]:
    mode = given.draft.human_input_mode
    return {} if mode is None or mode == given.kind.sample().human_input_mode else {"human_input_mode": mode}


def _max_replies(given: Given) -> dict[str, Any]:
    text = given.draft.max_replies.strip()
    if not text:
        return {}
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise ConfigurationError(f"Cannot use max_consecutive_auto_reply={text!r}: give a whole number, 0 or more.")
    limit = int(text)
    usual = given.kind.agent_class.MAX_CONSECUTIVE_AUTO_REPLY
    return {} if limit == usual else {"max_consecutive_auto_reply": limit}


def _timeout(given: Given) -> dict[str, Any]:
    if _runs_code(given):
        seconds_of(given.draft.timeout)
    return {}


def seconds_of(text: str) -> float | None:
    """The seconds that somebody typed; `None` for nothing. Raises `ConfigurationError` for what is no limit."""
    if not text.strip():
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ConfigurationError(
            f"Cannot limit code to timeout={text!r}: give a number of seconds above 0, or nothing."
        )
    return int(seconds) if seconds.is_integer() else seconds


def _code_execution_config(given: Given) -> dict[str, Any]:
    if not _runs_code(given):
        return {} if given.kind.sample().code_config is None else {"code_execution_config": False}
    policy = given.draft.code or given.kind.code
    settings: dict[str, Any] = {} if policy == "auto" else {"policy": policy}
    if given.draft.work_dir.strip():
        settings["work_dir"] = given.draft.work_dir
    try:
        timeout = seconds_of(given.draft.timeout)
    except ConfigurationError:  # said at its own field
        timeout = None
    settings |= {} if timeout is None else {"timeout": timeout}
    settings |= given.kept.code_settings
    if CodeConfig.from_classic(value_of(settings)) == given.kind.sample().code_config:
        return {}
    return {"code_execution_config": settings or {"policy": "auto"}}


def _runs_code(given: Given) -> bool:
    return (given.draft.code or given.kind.code) != "off"


def _function_map(given: Given) -> dict[str, Any]:
    functions = {
        name: Reference(expression, function_at(expression, given.namespace))
        for name, expression in given.draft.tools.items()
    }
    return {"function_map": functions} if functions else {}


_READERS: tuple[tuple[str, str, Callable[[Given], dict[str, Any]]], ...] = (
    ("name", "name", _name),
    ("system_message", "system_message", _system_message),
    ("description", "description", _description),
    ("model", "llm_config", _llm_config),
    ("human_input_mode", "human_input_mode", _human_input_mode),
    ("max_replies", "max_consecutive_auto_reply", _max_replies),
    ("timeout", "timeout", _timeout),
    ("code", "code_execution_config", _code_execution_config),
    ("tools", "function_map", _function_map),
)
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


def _in_order(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: arguments[name] for name in _ORDER if name in arguments}


def kind_of_agent(agent: ResponsiveAgent) -> Kind | None:
    """The kind that an agent is exactly of: a subclass may do anything."""
    return next((kind for kind in KINDS.values() if type(agent) is kind.agent_class), None)
