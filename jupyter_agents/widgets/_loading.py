"""From an agent in the namespace to what would have been typed to make it. Keys stay in the kernel, and out of code."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from jupyter_agents.agents.code_config import CodeConfig
from jupyter_agents.agents.model_config import NamedModel, SessionModel
from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.models.masking import kind_of, shown
from jupyter_agents.tools import Tool
from jupyter_agents.widgets._blueprint import KINDS, Kept, Kind, kind_of_agent
from jupyter_agents.widgets._builder_protocol import Draft
from jupyter_agents.widgets._fields import schema_reference
from jupyter_agents.widgets._namespace import reference_to, reference_to_equal
from jupyter_agents.widgets._source import Reference, text_source

_REQUEST_KEYS = frozenset("function_call functions logit_bias response_format stop tool_choice tools".split())
"""What goes into requests as it is written, and is never a key."""

_ADDRESS_KEYS = frozenset({"api_base", "azure_endpoint", "base_url"})
_ORDINARY_PATH = re.compile(r"(/(v\d+\w*|api|openai))*/?")
_CHANCES = ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "OPENAI_BASE_URL")


def why_not(agent: ResponsiveAgent) -> str:
    """Why an agent cannot be loaded; `""` if it can, as far as that is known without a closer look."""
    if kind_of_agent(agent) is not None:
        return ""
    known = ", ".join(kind.agent_class.__name__ for kind in KINDS.values())
    return f"it is a {type(agent).__name__}, and only {known} can be edited here"


def load(variable: str, agent: ResponsiveAgent, namespace: Mapping[str, Any], id: str) -> tuple[Draft, Kept]:  # noqa: A002 - the draft's
    """The draft of an agent, with what is kept of it. Raises `ConfigurationError` where its code could not be written."""
    kind = kind_of_agent(agent)
    if kind is None:
        raise ConfigurationError(f"Cannot edit {variable!r}: {why_not(agent)}. Change it in code.")
    model, model_name, llm_config, settings = _model(variable, agent, namespace)
    code, code_settings = _code(variable, agent, namespace)
    tools, kept_tools, lost_tools = _tools(agent, namespace)
    schemas = _schemas(agent, tools, kept_tools)
    llm_config, settings = _without(schemas, llm_config), _without(schemas, settings)
    arguments, lost = _other_arguments(kind, agent, namespace)
    limit = agent.max_consecutive_auto_reply()
    draft = Draft(
        id=id,
        basis=id,
        kind=kind.id,
        name=agent.name,
        variable=variable,
        description=agent.description or "",
        system_message=_unless(agent.system_message, kind.sample().system_message),
        model=model,
        model_name=model_name if model == "named" else "",
        kept_model=model_name if model == "kept" else "",
        human_input_mode=agent.human_input_mode,
        code=code,
        work_dir=_work_dir(agent.code_config),
        timeout=_timeout(agent.code_config),
        max_replies="" if limit == kind.agent_class.MAX_CONSECUTIVE_AUTO_REPLY else str(limit),
        tools=tools,
    )
    return draft, Kept(arguments, model, llm_config, settings, code_settings, (*lost, *lost_tools), kept_tools)


def _unless(text: str, usual: str) -> str | None:
    return None if text == usual else text


_Tools = dict[tuple[str, str], Reference]


def _tools(agent: ResponsiveAgent, namespace: Mapping[str, Any]) -> tuple[dict[str, str], _Tools, list[str]]:
    """The functions that a variable holds, tools that were made of one, and those that would be lost."""
    tools: dict[str, str] = {}
    kept: _Tools = {}
    lost = []
    for name, value in agent.function_map.items():
        held = reference_to(value, namespace)
        function = held or (reference_to(value.function, namespace) if isinstance(value, Tool) else None)
        if function is None:
            lost.append(_lost(f"the function {name!r}"))
            continue
        tools[name] = function.expression
        if held is None and isinstance(value, Tool):
            kept[name, function.expression] = _made_of(function, value)
    return tools, kept, lost


def _made_of(function: Reference, tool: Tool) -> Reference:
    """How code makes a tool of a function, as `@agent.tool` does."""
    usual = _usual(function.value)
    told = {
        name: getattr(tool, name)
        for name in ("name", "description")
        if getattr(tool, name) != getattr(usual, name, None)
    }
    words = [f"{name}={text_source(text)}" for name, text in told.items()]
    words += ["external=True"] if tool.external else []
    words += [f"timeout={tool.timeout!r}"] if tool.timeout is not None else []
    source = f"Tool.from_function({', '.join([function.expression, *words])})"
    return Reference(source, tool, ("from jupyter_agents.tools import Tool",))


def _usual(function: Any) -> Tool | None:
    try:
        return Tool.from_function(function)
    except ConfigurationError:  # it has no docstring, for one
        return None


def _schemas(agent: ResponsiveAgent, tools: Mapping[str, str], kept: _Tools) -> list[Any]:
    """What the model is told of the chosen tools."""
    found = []
    for name, at in tools.items():
        made = kept.get((name, at))
        found.append(schema_reference(name, made.expression if made else at, agent.function_map[name]).value)
    return found


def _without(schemas: list[Any], config: Any) -> Any:
    """A config without what a model is told of the chosen tools: it follows from the choice."""
    if not isinstance(config, dict) or not isinstance(config.get("tools"), list):
        return config
    left = [one for one in config["tools"] if one not in schemas]
    return {key: value for key, value in config.items() if key != "tools"} | ({"tools": left} if left else {})


def _other_arguments(
    kind: Kind, agent: ResponsiveAgent, namespace: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    sample = kind.sample()
    arguments: dict[str, Any] = {}
    lost = []
    for name in ("is_termination_msg", "human"):
        value = getattr(agent, name)
        found = reference_to(value, namespace)
        if found is not None and value is not getattr(sample, name):
            arguments[name] = found
        elif value is not getattr(sample, name):
            lost.append(_lost(name))
    if agent.default_auto_reply != sample.default_auto_reply:
        arguments["default_auto_reply"] = agent.default_auto_reply
    return arguments, lost


def _lost(what: str) -> str:
    return f"Left out: {what}, which no variable holds. Assign it to a variable and load the agent again to keep it."


def _work_dir(config: CodeConfig | None) -> str:
    """The folder as it was given, where that still means the same one."""
    if config is None or config.work_dir is None:
        return ""
    absolute = str(config.executor_options()["work_dir"])
    return config.work_dir if os.path.abspath(os.path.expanduser(config.work_dir)) == absolute else absolute


def _timeout(config: CodeConfig | None) -> str:
    return "" if config is None or config.timeout is None else str(config.timeout)


def _code(variable: str, agent: ResponsiveAgent, namespace: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    config = agent.code_config
    if config is None:
        return "off", {}
    settings: dict[str, Any] = {}
    if config.last_n_messages != 1:
        settings["last_n_messages"] = config.last_n_messages
    if config.executor is not None:
        settings["executor"] = _held(variable, "executor", config.executor, namespace)
    return config.policy, settings


def _held(variable: str, what: str, value: Any, namespace: Mapping[str, Any]) -> Reference:
    found = reference_to(value, namespace)
    if found is None:
        raise ConfigurationError(
            f"Cannot edit {variable!r}: its {what} is a {type(value).__name__} that no variable holds, so no code can "
            "name it. Assign it to a variable, and make the agent with that."
        )
    return found


# -- The model -------------------------------------------------------------------------------------------------


def _model(variable: str, agent: ResponsiveAgent, namespace: Mapping[str, Any]) -> tuple[str, str, Any, dict[str, Any]]:
    """The choice, the name that is shown, the whole config where it is kept, and the settings beside a name."""
    config, model = agent.llm_config, agent.model
    if model is None or isinstance(config, bool):
        return "none", "", None, {}
    is_of_session = isinstance(model, SessionModel) and not isinstance(model, NamedModel)
    if not config and not is_of_session:
        return "kept", repr(model), _held(variable, "model", model, namespace), {}
    name = config.get("model")
    if "config_list" in config or not isinstance(name, str | None):
        return "kept", str(shown(config)), _described(variable, config, namespace), {}
    settings = {key: value for key, value in config.items() if key != "model"}
    described = {key: _setting(variable, key, value, namespace) for key, value in settings.items()}
    if name is None and not is_of_session:
        return "kept", str(shown(config)), _described(variable, config, namespace), {}
    return ("default", "", None, described) if name is None else ("named", name, None, described)


def _described(variable: str, config: Mapping[str, Any], namespace: Mapping[str, Any]) -> Any:
    """A config as code may name it: a variable that holds it, or key by key."""
    whole = reference_to_equal(dict(config), namespace)
    if whole is not None:
        return whole
    return {key: _setting(variable, key, value, namespace) for key, value in config.items()}


def _setting(variable: str, key: str, value: Any, namespace: Mapping[str, Any]) -> Any:
    if _may_be_written(key, value):
        return value
    if key == "model":
        return _held(variable, "model", value, namespace)
    if key == "config_list":
        return _list(variable, value, namespace)
    found = reference_to_equal(value, namespace) or reference_to(value, namespace)
    if found is not None:
        return found
    if not isinstance(value, str):
        raise ConfigurationError(
            f"Cannot edit {variable!r}: its llm_config has a {key!r} {kind_of(value)}, which may hold a key and is not "
            "put into code. Assign it to a variable, and make the agent with that."
        )
    return _secret(key, value)


def _list(variable: str, configs: list[Any], namespace: Mapping[str, Any]) -> Any:
    whole = reference_to_equal(configs, namespace)
    return whole or [_described(variable, one, namespace) for one in configs]


def _secret(key: str, value: str) -> Reference:
    """Where code gets a key from: the environment, where it holds it, else the person who runs the code."""
    for name in _CHANCES:
        if os.environ.get(name) == value:
            return Reference(f'os.environ["{name}"]', value, ("import os",))
    prompt = f"{key}: " if key.isidentifier() else "key: "
    return Reference(f'getpass("{prompt}")', value, ("from getpass import getpass",))


def _may_be_written(key: str, value: Any) -> bool:
    if value is None or key in _REQUEST_KEYS:
        return _is_plain(value)
    if key in _ADDRESS_KEYS and isinstance(value, str):
        return _is_harmless(value)
    return key != "config_list" and _is_plain(value) and shown({key: value})[key] == value


def _is_plain(value: Any) -> bool:
    """Whether it is made of what source spells out."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(one) for key, one in value.items())
    if isinstance(value, list | tuple):
        return all(_is_plain(one) for one in value)
    return value is None or type(value) in (str, int, float, bool)


def _is_harmless(url: str) -> bool:
    """Whether an address has nothing in it that may be a key."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    has_more = parts.username or parts.password or parts.query or parts.fragment
    return not has_more and _ORDINARY_PATH.fullmatch(parts.path) is not None
