"""Each field of an agent's form: from what is typed to an argument of the constructor."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_agents.agents.code_config import CodeConfig
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.tools import Tool, tool_schema
from jupyter_agents.widgets._blueprint import KINDS, PACKAGE, Kept, Kind
from jupyter_agents.widgets._builder_protocol import Draft
from jupyter_agents.widgets._namespace import function_at
from jupyter_agents.widgets._source import Reference, imports_of, source_of, text_source, value_of


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
    tools = _schemas(given) if has_model(given.draft) else []
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
            tool = given.kept.tools.get((name, expression))
            function = tool.value if tool else function_at(expression, given.namespace)
            found.append(schema_reference(name, tool.expression if tool else expression, function))
        except ConfigurationError:
            continue
    return found


def schema_reference(name: str, expression: str, function: Callable[..., Any]) -> Reference:
    """The schema of a function under the name by which a model calls it; a tool has its own."""
    if isinstance(function, Tool) and function.name == name:
        return Reference(f"{expression}.to_wire()", function.to_wire())
    renamed = "" if name == getattr(function, "__name__", None) else f", name={text_source(name)}"
    source = f"tool_schema({expression}{renamed})"
    return Reference(source, tool_schema(function, name=name), (f"from {PACKAGE}.tools import tool_schema",))


def has_model(draft: Draft) -> bool:
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
        name: given.kept.tools.get((name, expression))
        or Reference(expression, function_at(expression, given.namespace))
        for name, expression in given.draft.tools.items()
    }
    return {"function_map": functions} if functions else {}


READERS: tuple[tuple[str, str, Callable[[Given], dict[str, Any]]], ...] = (
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
