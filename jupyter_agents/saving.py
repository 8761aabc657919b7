"""Chats in files: the agents and all that has happened, as JSON, one thing a line; and how they are brought back.

The first line says what the file is, then comes each agent, then each event of the log. No secret is written. A file is
written beside its place and then put there, so that it is whole or what it was before.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from jupyter_agents.agents.checkpoints import Checkpoint
from jupyter_agents.agents.given import check_given
from jupyter_agents.agents.known_forms import KnownForms, asked_to_json
from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.agents.states import check_json, check_state
from jupyter_agents.budget import Budget
from jupyter_agents.conditions import Unwritten
from jupyter_agents.conversation import ChatResult
from jupyter_agents.errors import ConfigurationError, JupyterAgentsError, RecordingError
from jupyter_agents.events import EventLog
from jupyter_agents.journal.event_json import event_from_json, event_to_json
from jupyter_agents.known_secrets import hide
from jupyter_agents.messages import scrub
from jupyter_agents.progress import Limits
from jupyter_agents.termination import EndedBy

FORMAT = "jupyter_agents.chat"
VERSION = 1
_HALF = re.compile("[\ud800-\udfff]")


# -- Writing -----------------------------------------------------------------------------------------------------


def save_chat(result: ChatResult, path: str | Path) -> Path:
    """Write a chat and its agents to a file; its path.

    Raises `ConfigurationError` for what cannot be written, with its place, and then leaves the file as it was.
    """
    target = Path(path).expanduser()
    lines = [_as_line(one) for one in _lines(result)]
    _write(target, "\n".join(lines) + "\n")
    return target


def _as_line(value: Mapping[str, Any]) -> str:
    """JSON with letters of all languages as they are. Halves of characters, which no file can hold, are escapes."""
    text = hide(json.dumps(value, ensure_ascii=False, allow_nan=False))
    return _HALF.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _lines(result: ChatResult) -> Iterator[dict[str, Any]]:
    log = result.log
    agents = Checkpoint(log, result.chat, result.last).participants()
    keys = {id(one): log.key_of(one) for one in agents}
    yield {
        "format": FORMAT,
        "version": VERSION,
        "chat": {name: getattr(result, name) for name in ("detail", "chat", "first", "last")}
        | {"ended_by": str(result.ended_by), "limits": _limits_state(result.limits)},
        "agents": list(keys.values()),
    }
    for agent in agents:
        state = agent.to_state(log.key_of)
        relations = [one for one in state["memory"]["relations"] if one["with"] in keys.values()]
        state["memory"]["relations"] = [one | {"messages": None} for one in relations]  # the events have them
        yield {"agent": keys[id(agent)], "state": state}
    for entry in log.entries[: result.last]:
        line = {"seq": entry.seq, **event_to_json(entry.event)}
        check_json(line, f"the chat: event {entry.seq} ({entry.event.kind}{_who(line)})")
        yield line


def _who(line: Mapping[str, Any]) -> str:
    sides = [line[name] for name in ("sender", "recipient") if name in line]
    return f" from {sides[0]} to {sides[1]}" if len(sides) == 2 else f" of {line['agent']}" if "agent" in line else ""


def _limits_state(limits: Limits) -> dict[str, Any]:
    """The limits. Of the condition, which may be a function, only what it says of itself."""
    return {
        "max_turns": limits.max_turns,
        "termination": None if limits.termination is None else repr(limits.termination),
        "budget": None if limits.budget is None else asdict(limits.budget),
        "reply_format": asked_to_json(limits.reply_format),
    }


def _limits(found: Mapping[str, Any], forms: KnownForms) -> Limits:
    condition = found["termination"]
    return Limits(
        found["max_turns"],
        None if condition is None else Unwritten(condition),
        _budget(found["budget"]),
        forms.restored(found.get("reply_format")),  # an older file has none
    )


def _write(target: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    beside = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
    except (OSError, ValueError) as error:  # a `ValueError` is of a name that no file can have
        what = getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"Cannot save the chat: {scrub(str(target))} cannot be written ({what}). Give another path."
        ) from error
    finally:
        if beside is not None:
            with suppress(OSError):
                os.unlink(beside)


# -- Reading -----------------------------------------------------------------------------------------------------


def load_chat(
    path: str | Path,
    *,
    given: Mapping[str, Mapping[str, Any]] | None = None,
    classes: Iterable[type[ResponsiveAgent]] = (),
    formats: Iterable[Any] = (),
) -> ChatResult:
    """The chat that a file holds, with new agents. It shows itself, gives frames, and goes on by `resume()` and the like.

    `given` has by the name of an agent what could not be written of it: `llm_config`, `functions`,
    `is_termination_msg`, `human`, `executor`… (see `ResponsiveAgent.from_state`). The classes of agents are found by
    name among those that exist; `classes` go first. A termination condition is given to `resume`. Types that were
    given as `response_format` are given again as `formats`: `value` is read by them; without, it is plain data.

    Raises `RecordingError` for a file that is no such file or is damaged, `ConfigurationError` for what must be given.
    """
    source = Path(path).expanduser()
    head, states, events = _read(source)
    forms = KnownForms([formats] if isinstance(formats, type) else formats)
    try:
        agents = load_agents(states, given=given, classes=classes)
        log = EventLog.restored((event_from_json(one) for one in events), agents)
        found = head["chat"]
        forms.read(log)
        limits = _limits(found["limits"], forms)
        spans = {name: int(found[name]) for name in ("chat", "first", "last")}
        result = ChatResult(EndedBy(found["ended_by"]), str(found["detail"]), log, **spans, limits=limits)
    except JupyterAgentsError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(source, f"{type(error).__name__}: {error}") from error
    place = Checkpoint(log, result.chat, result.last).place()
    place.restore()
    forms.warn()
    return result


def load_agents(
    states: Mapping[str, Mapping[str, Any]],
    *,
    given: Mapping[str, Mapping[str, Any]] | None = None,
    classes: Iterable[type[ResponsiveAgent]] = (),
) -> dict[str, Any]:
    """Agents by name from states that `to_state` gave, with what they remember of each other.

    `given` and `classes` are those of `load_chat`. Managers of groups come after their members, in whatever order the
    states are.
    """
    known = {one.__name__: one for one in (*_all_classes(ResponsiveAgent), *_checked_classes(classes))}
    check_given(states, {} if given is None else given)
    for state in states.values():  # before anything is made of one of them
        check_state(state)
    agents: dict[str, Any] = {}
    waiting = dict(states)
    while waiting:
        ready = [name for name, state in waiting.items() if _members(state) <= {one.name for one in agents.values()}]
        if not ready:
            raise ConfigurationError(
                f"Cannot load the group of {next(iter(waiting))!r}: not all of its members are given. Give the states of "
                f"{', '.join(sorted(set().union(*map(_members, waiting.values()))))}."
            )
        for name in ready:
            state = waiting.pop(name)
            without_memory = {**state, "memory": {**state["memory"], "relations": []}}
            agents[name] = _class_of(state, known).from_state(
                without_memory, agents=agents, **dict((given or {}).get(name, {}))
            )
    for name, state in states.items():
        agents[name].load_memory(state, agents)
    return agents


def _members(state: Mapping[str, Any]) -> set[str]:
    return set(state.get("group", {}).get("agents", ()))


def _class_of(state: Mapping[str, Any], known: Mapping[str, type[ResponsiveAgent]]) -> type[ResponsiveAgent]:
    name = state.get("class")
    found = known.get(str(name))
    if found is None:
        raise ConfigurationError(
            f"Cannot load the agent {state.get('name')!r}: there is no class {name!r} of agents here. "
            f"Define or import it first, or give it: classes=[{name}]."
        )
    return found


def _checked_classes(given: Any) -> list[type[ResponsiveAgent]]:
    """The classes that are given, of which there may be one only."""
    classes = [given] if isinstance(given, type) or not isinstance(given, Iterable) else list(given)
    stranger = next((one for one in classes if not isinstance(one, type) or not hasattr(one, "from_state")), None)
    if stranger is not None:
        raise ConfigurationError(f"Cannot load the agents: {stranger!r} is no class of agents. Give classes=[MyAgent].")
    return classes


def _all_classes(base: type[ResponsiveAgent]) -> Iterator[type[ResponsiveAgent]]:
    """A class and those that are made from it, the newest last: a cell that runs again defines a class anew."""
    from jupyter_agents.agents import assistant, group_chat_manager, user_proxy  # noqa: F401 - so that they are known

    yield base
    for one in base.__subclasses__():
        yield from _all_classes(one)


def _budget(found: Mapping[str, Any] | None) -> Budget | None:
    if found is None:
        return None
    names = {one.name for one in fields(Budget)}
    return Budget(**{name: value for name, value in found.items() if name in names})


def _read(source: Path) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """The first line, the states of the agents by name, and the events."""
    try:
        text = source.read_text("utf-8")
    except OSError as error:
        raise RecordingError(
            f"Cannot load a chat: {source} cannot be read ({error.strerror or error}). Give the path of a saved chat."
        ) from error
    except UnicodeDecodeError as error:
        raise _damaged(source, "it is no text") from error
    lines = [_parsed(source, number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    head = lines[0] if lines else {}
    if head.get("format") != FORMAT:
        raise RecordingError(
            f"Cannot load a chat: {source} holds none. Give a file that result.save(path) has written."
        )
    if head.get("version") != VERSION:
        raise RecordingError(
            f"Cannot load a chat: {source} is of version {head.get('version')!r}, and this package reads {VERSION}. "
            "Load it with the version that has written it."
        )
    states = {str(one["agent"]): one.get("state") for one in lines[1:] if "state" in one}
    events = [one for one in lines[1:] if "state" not in one]
    _check_whole(source, head, states, events)
    return head, states, events


def _parsed(source: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise _damaged(source, f"line {number} is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise _damaged(source, f"line {number} is no JSON object")
    return found


def _check_whole(source: Path, head: Mapping[str, Any], states: Mapping[str, Any], events: list[Any]) -> None:
    lacking = [name for name in head.get("agents", ()) if not isinstance(states.get(name), dict)]
    if lacking:
        raise _damaged(source, f"the agent {lacking[0]!r} is missing")
    gap = next((at for at, event in enumerate(events) if event.get("seq") != at), None)
    last = head["chat"].get("last") if isinstance(head.get("chat"), dict) else None
    if gap is not None or len(events) != last:
        raise _damaged(source, f"event {len(events) if gap is None else gap} of {last} is missing")


def _damaged(source: Path, what: str) -> RecordingError:
    return RecordingError(f"Cannot load a chat: {source} is damaged, {what}. Take a copy of it that is whole.")
