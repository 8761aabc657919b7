"""Agents as plain data, and from it: what they are, with what they remember, but for functions and secrets.

A state is written by `agent.to_state()` and read by `Agent.from_state(state)`. Functions, people, executors and models
that are objects cannot be written; the state says by name which there were, and who reads it gives them again.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_agents.agents import losses
from jupyter_agents.agents.given import OF_GROUP, check_keys
from jupyter_agents.agents.group_chat import GroupChat
from jupyter_agents.agents.memory import Memory, memory_of
from jupyter_agents.agents.state_shape import check_shape
from jupyter_agents.agents.tool_use import as_tool
from jupyter_agents.errors import ConfigurationError, JupyterAgentsError
from jupyter_agents.models.masking import public
from jupyter_agents.tools import Tool

if TYPE_CHECKING:
    from jupyter_agents.agents.responsive import ResponsiveAgent

A = TypeVar("A")

VERSION = 1
_PLAIN = ("name", "system_message", "description", "human_input_mode", "default_auto_reply", "tool_policy")
_GROUP_PLAIN = (
    "max_round",
    "admin_name",
    "func_call_filter",
    "enable_clear_history",
    "send_introductions",
    "select_speaker_message_template",
    "select_speaker_prompt_template",
    "select_speaker_auto_none_template",
    "select_speaker_auto_multiple_template",
    "max_retries_for_selecting_speaker",
    "role_for_select_speaker_messages",
    "seed",
)


# -- Writing -----------------------------------------------------------------------------------------------------


def state_of(agent: ResponsiveAgent, name_of: Callable[[Any], str] | None = None) -> dict[str, Any]:
    """What `to_state` gives. `name_of` names the others, as a log's `key_of` does; by default they have their names."""
    state: dict[str, Any] = {"version": VERSION, "class": type(agent).__name__}
    state |= {name: getattr(agent, name) for name in _PLAIN}
    state["human_input_mode"] = agent._human_input_mode
    state["memory"] = memory_of(agent).to_state(name_of or (lambda one: str(one.name)))
    state["functions"] = sorted(agent.function_map)
    state["own_tools"] = sorted(agent.tool_use.own)
    state["reply_functions"] = losses.reply_functions(agent)
    state["llm_config"] = _model_state(agent)
    state["code_execution_config"] = _code_state(agent)
    state["given_again"] = sorted({*losses.given_again(agent), *losses.secrets(agent)})
    state["not_kept"] = losses.not_kept(agent)
    group = getattr(agent, "groupchat", None)
    if isinstance(group, GroupChat):
        state["group"] = _group_state(group)
    check_json(state, f"agent {agent.name!r}")
    return state


def _model_state(agent: Any) -> Any:
    """The config without what may be secret."""
    config = agent._model_config
    return False if config.model is None else public(config.to_classic() or {})[0]


def _code_state(agent: Any) -> Any:
    config = agent._code_config
    if config is None:
        return False
    found = {"work_dir": config._absolute, "timeout": config.timeout, "last_n_messages": config.last_n_messages}
    return {**found, "policy": config.policy}


def _group_state(group: GroupChat) -> dict[str, Any]:
    method, names = group.speaker_selection_method, group.agent_names
    state: dict[str, Any] = {name: getattr(group, name) for name in _GROUP_PLAIN}
    given_again = [] if isinstance(method, str) else ["speaker_selection_method"]
    if group.select_speaker_transform_messages is not None:
        given_again.append("select_speaker_transform_messages")
    config, left_out = _selecting_state(group.select_speaker_auto_llm_config)
    after = {one.name: [other.name for other in group.transitions.successors(one)] for one in group.agents}
    return state | {
        "agents": names,
        "messages": [dict(one) for one in group.messages],
        "last_speaker": getattr(group.last_speaker, "name", None),
        "speaker_selection_method": method if isinstance(method, str) else None,
        "select_speaker_auto_llm_config": config,
        "transitions": after,
        "given_again": [*given_again, *(["select_speaker_auto_llm_config"] if left_out else [])],
    }


def _selecting_state(config: Any) -> tuple[Any, bool]:
    if config is None or isinstance(config, bool):
        return config, False
    if not isinstance(config, Mapping):
        return None, True
    found, left_out = public(config)
    return found, bool(left_out)


def check_json(value: Any, where: str) -> None:
    """Raise `ConfigurationError` for what JSON cannot say, with the place where it is."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        path, found = place_of_trouble(value)
        raise ConfigurationError(
            f"Cannot write {where}: {path or 'it'} is {_short(found)}, which JSON cannot say. "
            "Give plain data there (texts, numbers, lists, dictionaries with texts as keys)."
        ) from None


def place_of_trouble(value: Any, path: str = "", around: tuple[int, ...] = ()) -> tuple[str, Any]:
    """Where in some data something is that JSON cannot say, and what it is."""
    if id(value) in around:
        return path, value
    if isinstance(value, Mapping):
        children: Iterable[tuple[str, Any]] = (
            (f"{path}[{key!r}]" if path else str(key), one) for key, one in value.items()
        )
        odd = next((key for key in value if not isinstance(key, str | int | float | bool | None)), None)
        if odd is not None:
            return f"{path} (a key)".lstrip(), odd
    elif isinstance(value, list | tuple):
        children = ((f"{path}[{number}]", one) for number, one in enumerate(value))
    else:
        return path, value
    for where, one in children:
        try:
            json.dumps(one, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            return place_of_trouble(one, where, (*around, id(value)))
    return path, value


def _short(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:79] + '…'} (a {type(value).__name__})"


# -- Reading -----------------------------------------------------------------------------------------------------


def agent_from_state(
    cls: type[A], state: Mapping[str, Any], agents: Mapping[str, Any] | None, again: dict[str, Any]
) -> A:
    """What `from_state` gives: an agent of a class from a state. `again` is what was given again."""
    check_state(state)
    check_keys(cls, state, again)
    given = dict(again)
    try:
        agent = _made(cls, state, agents, again)
    except JupyterAgentsError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"Cannot load the agent {state['name']!r}: {type(error).__name__}: {error}. Give what to_state() gave, as it was."
        ) from error
    losses.warn_of_losses(agent, state, given)
    found: A = agent
    return found


def check_state(state: Any) -> None:
    """Raise `ConfigurationError` for what is no state, with the key at which something is wrong."""
    check_shape(state, VERSION)


def _made(cls: type[Any], state: Mapping[str, Any], agents: Mapping[str, Any] | None, again: dict[str, Any]) -> Any:
    config = _given_config(state, again)
    options: dict[str, Any] = {
        **{name: state[name] for name in _PLAIN},
        "max_consecutive_auto_reply": state["memory"]["limit"],
        "code_execution_config": _code_config(state, again.pop("executor", None)),
        "llm_config": config,
        **{name: again.pop(name) for name in ("is_termination_msg", "human") if name in again},
    }
    functions = again.pop("functions", None) or {}
    if "group" in state:
        options["groupchat"] = _group(state, agents or {}, again)
    agent: Any = _built(cls, options, again)
    _give_functions(agent, state, functions)
    agent.default_auto_reply = state["default_auto_reply"]
    agent.update_system_message(state["system_message"])
    if agents is not None:
        agent._memory = Memory.from_state(state["memory"], agents)
    return agent


def _given_config(state: Mapping[str, Any], again: dict[str, Any]) -> Any:
    if "llm_config" in again:
        return again.pop("llm_config")
    if "model" in state.get("given_again", ()):
        raise ConfigurationError(
            f"Cannot load the agent {state['name']!r}: its model was an object, which cannot be written. "
            "Give it again as llm_config."
        )
    return state["llm_config"]


def _code_config(state: Mapping[str, Any], executor: Any) -> Any:
    config = state["code_execution_config"]
    if not isinstance(config, Mapping):
        return config
    if executor is None and "executor" in state.get("given_again", ()):
        raise ConfigurationError(
            f"Cannot load the agent {state['name']!r}: its code ran in an executor of its own, which cannot be written, and "
            "must not run elsewhere. Give it again as executor."
        )
    return {**config, **({} if executor is None else {"executor": executor})}


def _built(cls: type[Any], options: dict[str, Any], again: Mapping[str, Any]) -> Any:
    """An agent of a class whose constructor may take less of the `options`, or other names. What was given it must take."""
    parameters = inspect.signature(cls).parameters
    takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    given = {name: value for name, value in options.items() if takes_all or name in parameters} | dict(again)
    try:
        agent = cls(**given)
    except TypeError as error:
        raise ConfigurationError(
            f"Cannot load an agent of class {cls.__name__}: {error}. Give the class a from_state of its own, which calls "
            "its constructor."
        ) from error
    for name in ("human_input_mode", "description", "human", "tool_policy", "is_termination_msg"):
        if name in options and name not in given:
            setattr(agent, name, options[name])
    return agent


def _give_functions(agent: Any, state: Mapping[str, Any], functions: Mapping[str, Any]) -> None:
    lacking = [name for name in state.get("functions", ()) if name not in functions and name not in agent.function_map]
    if lacking:
        raise ConfigurationError(
            f"Cannot load the agent {state['name']!r}: it had the function {lacking[0]!r}, which cannot be written. "
            f"Give it again: functions={{{lacking[0]!r}: …}}."
        )
    known = {name: one for name, one in functions.items() if name in state.get("functions", ())}
    for name in set(state.get("own_tools", ())) & known.keys():
        known[name] = agent.tool_use.own[name] = as_tool(known[name], name, _told_of(known[name], name, state))
    agent.register_function(known)
    _offer_again(agent, state)


def _told_of(function: Any, name: str, state: Mapping[str, Any]) -> str | None:
    """How the model was told of a tool; a function may have no words of its own."""
    config = state["llm_config"]
    offered = (config.get("tools") or ()) if isinstance(config, Mapping) and not isinstance(function, Tool) else ()
    described = (one.get("function") for one in offered if isinstance(one, Mapping))
    found = next((one for one in described if isinstance(one, Mapping) and one.get("name") == name), {})
    return found.get("description")


def _offer_again(agent: Any, state: Mapping[str, Any]) -> None:
    """Let the model know of what it could call, where it was given again without."""
    config = state["llm_config"] if isinstance(state["llm_config"], Mapping) else {}
    if agent.model is None:
        return
    for key, offer in (("tools", agent.update_tool_signature), ("functions", agent.update_function_signature)):
        if not agent.request_options.get(key):
            for signature in config.get(key) or ():
                offer(signature)


def _check_names(manager: str, found: Mapping[str, Any]) -> None:
    """Refuse the state of a group that speaks of somebody who is no member of it, and has not begun its chat from outside."""
    after, members = found["transitions"], found["agents"]
    named = [("transitions", name) for name in [*after, *(one for others in after.values() for one in others)]]
    last, heard = found["last_speaker"], [one.get("name") for one in found["messages"]]
    if last is not None and last not in heard:
        named.append(("last_speaker", last))
    stranger = next((one for one in named if one[1] not in members), None)
    if stranger is not None:
        raise ConfigurationError(
            f"Cannot load the group of {manager!r}: its {stranger[0]!r} names {stranger[1]!r}, who is not among its agents "
            f"({', '.join(members)}). Give what to_state() gave, as it was."
        )


def _group(state: Mapping[str, Any], agents: Mapping[str, Any], again: dict[str, Any]) -> GroupChat:
    found = state["group"]
    by_name = {one.name: one for one in agents.values()}
    _check_names(state["name"], found)
    lacking = next((name for name in found["agents"] if name not in by_name), None)
    if lacking is not None:
        raise ConfigurationError(
            f"Cannot load the group of {state['name']!r}: {lacking!r} is not given. Give its members as agents={{name: agent}}."
        )
    members = [by_name[name] for name in found["agents"]]
    for name in found["given_again"]:
        if name not in again:
            raise ConfigurationError(
                f"Cannot load the group of {state['name']!r}: its {name} cannot be written. Give it again: {name}=…."
            )
    options = {
        name: found[name] for name in (*_GROUP_PLAIN, "speaker_selection_method", "select_speaker_auto_llm_config")
    }
    options |= {name: again.pop(name) for name in OF_GROUP if name in again}
    graph = {by_name[one]: [by_name[other] for other in others] for one, others in found["transitions"].items()}
    # A member that is alone and may not repeat itself has no way out, which no graph may say.
    who_follows = {"allowed_or_disallowed_speaker_transitions": graph, "speaker_transitions_type": "allowed"}
    group = GroupChat(
        members,
        [dict(one) for one in found["messages"]],
        **(who_follows if any(graph.values()) else {"allow_repeat_speaker": False}),
        **options,
    )
    group.last_speaker = by_name.get(found["last_speaker"])
    return group
