"""One instance is asked about: a model with a prompt, or a chat of agents that somebody's function holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_agents.budget import Budget, Ledger
from jupyter_agents.effects import CallTool, Complete
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import EventLog
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import Model, ModelReply, ModelRequest
from jupyter_agents.models.config import model_from_config, request_options
from jupyter_agents.models.config_lists import checked_list
from jupyter_agents.run import Run, ThisRun, Within
from jupyter_agents.tuning.identity import endpoints, of_chat, of_request
from jupyter_agents.tuning.store import Outcome, Store

Instance = Mapping[str, Any]
Runner = Callable[[dict[str, Any], dict[str, Any]], Any]
"""A function of a config and an instance: it gives a `ChatResult`, a text, or several texts."""

_OF_PROMPTS = ("prompt", "messages")


class Asker:
    """Asks about instances with configs, and keeps the outcomes.

    `llm_config` is what all configs share; a `run` answers in the place of a model.
    """

    def __init__(self, store: Store, llm_config: Any = None, run: Runner | None = None) -> None:
        self._store = store
        self._shared: dict[str, Any] = _as_config(llm_config)
        self._run = run
        self.has_run = run is not None
        self._model_of: tuple[Mapping[str, Any], Model] | None = None

    async def ask(self, config: Mapping[str, Any], labels: Mapping[str, Any], instance: Instance) -> Outcome:
        """What this config says to this instance. `labels` are the names of its values."""
        if self._run is not None:
            key = of_chat(self._run, config, labels, instance)
            return await self._kept(key, None, lambda: self._hold_chat(self._run, config, instance))
        model, merged = self.model(config), self._merged(config)
        options = {name: one for name, one in request_options(merged).items() if one is not None}
        request = ModelRequest(await _messages(config, instance), options, dict(instance))
        key = of_request(request, merged, model, labels.get("model", merged.get("model")), instance)
        hosts = {host for _, host in endpoints(model)}
        return await self._kept(key, hosts.pop() if len(hosts) == 1 else None, lambda: _say(model, request))

    def model(self, config: Mapping[str, Any]) -> Model:
        """The model that answers with this config."""
        if self._model_of is None or self._model_of[0] is not config:
            self._model_of = config, model_from_config(self._merged(config) or None)
        return self._model_of[1]

    async def _kept(self, key: str | None, host: str | None, ask: Callable[[], Any]) -> Outcome:
        stored = self._store.get(key)
        if stored is not None:
            return stored
        here = await ThisRun()
        ledger = Ledger(Budget(), here.ledger)
        log = EventLog()
        # A run with a depth: chats that begin in it are nested, so that they are silent and count here.
        recording = here.session.find_recording()
        tape = here.tape if recording is None or here.depth else recording.conversation()
        run = Run(log, ledger, (), here.session, tape, log.new_chat(), depth=1, control=here.control)
        try:
            responses: tuple[str, ...] = await Within(run, ask())
        finally:
            if tape is not None and tape is not here.tape:
                tape.close()
        used = {model: Usage() if model in ledger.uncounted else one for model, one in ledger.by_model.items()}
        cost = None if ledger.unpriced else ledger.money
        outcome = Outcome(responses, used, ledger.model_calls, ledger.turns, host, cost)
        self._store.put(key, outcome)
        return outcome

    async def _hold_chat(self, run: Any, config: Mapping[str, Any], instance: Instance) -> tuple[str, ...]:
        return _texts(await CallTool(run, (dict(config), dict(instance))))

    def _merged(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The config with what all share. What it chooses counts, also against what an entry of a config list says."""
        chosen = {name: value for name, value in config.items() if name not in _OF_PROMPTS}
        merged = self._shared | chosen
        if self._shared.get("config_list") and "config_list" not in chosen:
            merged["config_list"] = _narrowed(self._shared["config_list"], chosen)
        return merged


def check_config(config: Mapping[str, Any]) -> None:
    """Refuse a config with which no model could be asked."""
    if not any(config.get(name) for name in _OF_PROMPTS):
        raise ConfigurationError(
            "Cannot ask a model: there is neither a prompt nor messages. "
            "Give prompt='… {field} …' with the fields of an instance, or messages, or run=."
        )


async def _say(model: Model, request: ModelRequest) -> tuple[str, ...]:
    reply: ModelReply = await Complete("tuning", model, request)
    return tuple(one.to_message().text for one in (reply, *reply.alternatives))


def _as_config(llm_config: Any) -> dict[str, Any]:
    if llm_config is None:
        return {}
    return dict(llm_config) if isinstance(llm_config, Mapping) else {"model": llm_config}


def _narrowed(configs: Any, chosen: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries for the chosen model, or where there are none all of them for it, without what is chosen."""
    entries: list[dict[str, Any]] = list(map(dict, checked_list(configs)))
    of_model = [one for one in entries if "model" in chosen and one.get("model") == chosen["model"]]
    return [{name: one for name, one in entry.items() if name not in chosen} for entry in of_model or entries]


# -- Prompts -----------------------------------------------------------------------------------------------------


async def _messages(config: Mapping[str, Any], instance: Instance) -> list[dict[str, Any]]:
    found = [dict(one) for one in config.get("messages") or ()]
    if config.get("prompt"):
        found.append({"role": "user", "content": config["prompt"]})
    for message in found:
        content = message.get("content")
        if callable(content):
            message["content"] = await CallTool(content, (dict(instance),))
        elif isinstance(content, str):
            message["content"] = filled_in(content, instance)
    return found


def filled_in(template: str, instance: Instance) -> str:
    """A template with the fields of an instance in their places.

    >>> filled_in("What is {a} + {b}? Answer as {{sum}}.", {"a": 1, "b": 2})
    'What is 1 + 2? Answer as {sum}.'
    """
    try:
        return template.format(**instance)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"Cannot fill in the prompt {template[:80]!r}: {error!r}; an instance has {', '.join(map(str, instance))}. "
            "Name only those, and write {{ and }} for braces that are text."
        ) from error


# -- What was said ------------------------------------------------------------------------------------------


def _texts(given: Any) -> tuple[str, ...]:
    summary = getattr(given, "summary", None)
    if isinstance(summary, str):
        return (summary,)
    if isinstance(given, str):
        return (given,)
    if isinstance(given, ModelReply):
        return tuple(one.to_message().text for one in (given, *given.alternatives))
    if isinstance(given, Sequence) and given and all(isinstance(one, str) for one in given):
        return tuple(given)
    raise ConfigurationError(
        f"Cannot score what run gave: a {type(given).__name__}. Return the result of a chat, a text or a list of texts."
    )
