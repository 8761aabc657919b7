"""`AgentBuilder`: a form in a cell that makes agents and groups in the namespace, and shows the code that makes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.errors import ConfigurationError, JupyterAgentsError
from jupyter_agents.session import current_session
from jupyter_agents.widgets._blueprint import KINDS, Kept, source_of_all
from jupyter_agents.widgets._builder_page import after_each_cell, make_widget, running_shell
from jupyter_agents.widgets._builder_protocol import (
    BUILDER_PROTOCOL,
    AgentFacts,
    Asks,
    Checked,
    Created,
    Draft,
    Failed,
    Form,
    Found,
    FromKernel,
    GroupDraft,
    Loaded,
    Place,
    PlaceChanged,
)
from jupyter_agents.widgets._group_reading import read_groups
from jupyter_agents.widgets._loading import load, why_not
from jupyter_agents.widgets._namespace import (
    default_model,
    functions_in,
    is_agent,
    models_in,
    reference_to,
    users_variables,
)
from jupyter_agents.widgets._reading import Reading, read_drafts
from jupyter_agents.widgets._workshop import Workshop

_MOST_DRAFTS = 100
_IN_A_NOTEBOOK = "AgentBuilder: a form that makes agents. Run this cell to open it."
_ELSEWHERE = """\
AgentBuilder needs a notebook (JupyterLab, Notebook 7, …), where it shows a form. Here, make agents in code:

    from jupyter_agents import AssistantAgent, UserProxyAgent

    assistant = AssistantAgent("assistant")
    user = UserProxyAgent("user", code_execution_config={"policy": "ask"})
    user.initiate_chat(assistant, message="…")"""


class AgentBuilder:
    """A form that makes agents and groups of them: `AgentBuilder()` at the end of a cell shows it.

    Agents that are given are loaded for editing. What is created becomes a variable of the notebook; a variable that
    holds no agent is never replaced. `code` is what makes the agents that are typed now.

    >>> from jupyter_agents import AssistantAgent
    >>> writer = AssistantAgent("writer", model="gpt-4o")
    >>> print(AgentBuilder(writer, namespace={"writer": writer}).code)
    from jupyter_agents import AssistantAgent
    <BLANKLINE>
    writer = AssistantAgent("writer", llm_config={"model": "gpt-4o"})
    <BLANKLINE>
    """

    def __init__(self, *agents: ResponsiveAgent, namespace: dict[str, Any] | None = None) -> None:
        shell = running_shell()
        self._namespace: dict[str, Any] = (shell.user_ns if shell else {}) if namespace is None else namespace
        self._hidden: Mapping[str, Any] = shell.user_ns_hidden if shell and namespace is None else {}
        self._shell = shell
        self._ids = count(1)
        self._kept: dict[str, Kept] = {}
        self._drafts: list[Draft] = []
        self._groups: list[GroupDraft] = []
        self._workshop = Workshop(self._namespace)
        self._local_models: list[str] = []
        self._views: set[str] = set()
        self._place: Place | None = None
        self._widget: Any = None
        self._lock = threading.RLock()  # messages may arrive in another thread than the one that runs cells
        for agent in agents:
            self._drafts.append(self._load(self._variable_of(agent)))

    @property
    def code(self) -> str:
        """The code that makes what is typed now and has nothing to correct; it never holds a key."""
        return source_of_all(list(self._read().made.values()))

    def close(self) -> None:
        """Take the form off the page."""
        if self._widget is not None:
            self._widget.close()
            self._widget = None

    def __repr__(self) -> str:
        return _IN_A_NOTEBOOK if getattr(self._shell, "kernel", None) is not None else _ELSEWHERE

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The form; beside it, what a page shows that has no kernel any more."""
        from jupyter_agents.display.bundle import note_bundle
        from jupyter_agents.events import Noted
        from jupyter_agents.executors.outputs import MESSAGE_MIME
        from jupyter_agents.widgets.live import WIDGET_MIME

        if getattr(self._shell, "kernel", None) is None:
            return {"text/plain": repr(self)}, {}
        widget = self._open()
        data, metadata = note_bundle(Noted(0, _IN_A_NOTEBOOK))
        view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
        saved = {**data[MESSAGE_MIME], "live": {"model_id": widget.model_id, "kind": "form"}}
        return {**data, MESSAGE_MIME: saved, WIDGET_MIME: view}, metadata

    def _open(self) -> Any:
        if self._widget is None:
            self._widget = make_widget(self._hear)
            if self._shell is not None:
                after_each_cell(self._shell, self._look_again)
        return self._widget

    # -- What pages say ------------------------------------------------------------------------------------------

    def _hear(self, message: Any) -> None:
        """Answer one message of a page."""
        if not isinstance(message, Mapping):
            return
        handlers: dict[str, Callable[[Mapping[str, Any]], FromKernel | None]] = {
            "hello": self._form,
            "bye": self._leave,
            "check": self._check,
            "create": self._create,
            "load": self._answer_load,
            "find_models": self._find_models,
        }
        handler = handlers.get(str(message.get("t")))
        if handler is None:
            return
        try:
            with self._lock:
                answer = handler(message)
        except Exception as error:  # noqa: BLE001 - a page must hear that it will get no answer
            why = str(error) if isinstance(error, JupyterAgentsError) else f"{type(error).__name__}: {error}"
            to, ask = _sender(message)
            answer = Failed(t="failed", to=to, ask=ask, why=why)
        self._send(answer)

    def _send(self, message: FromKernel | None) -> None:
        if self._widget is not None and message is not None:
            self._widget.send(message)

    def _form(self, message: Mapping[str, Any]) -> Form:
        if not self._drafts:
            self._drafts.append(Draft(id=self._new_id(), kind="assistant", name="assistant"))
        to, _ = _sender(message)
        self._views.add(to)
        self._place = self._look()
        return Form(
            t="form",
            to=to,
            version=BUILDER_PROTOCOL,
            kinds=[kind.facts() for kind in KINDS.values()],
            place=self._place,
            drafts=[draft.to_json() for draft in self._drafts],
            groups=[group.to_json() for group in self._groups],
        )

    def _leave(self, message: Mapping[str, Any]) -> None:
        self._views.discard(_sender(message)[0])

    def _check(self, message: Mapping[str, Any]) -> Checked:
        to, ask = _sender(message)
        self._take(message)
        self._look_again()
        reading = self._read()
        return Checked(
            t="checked",
            to=to,
            ask=ask,
            problems=reading.problems,
            variables=reading.variables,
            code=source_of_all(list(reading.made.values())),
            left_out=[one for one in self._ids_typed() if one not in reading.made],
            groups=reading.group_facts,
        )

    def _create(self, message: Mapping[str, Any]) -> Asks | Created:
        """Make it all, or nothing; first ask where something would be replaced that the page has not asked about."""
        to, ask = _sender(message)
        self._take(message)
        reading, which = self._read(), message.get("which")
        wanted = [one for one in self._ids_typed() if which is None or one == which]
        if not wanted or any(one not in reading.made for one in wanted):
            return Created(t="created", to=to, ask=ask, variables=[], outdated=[])
        plan = self._workshop.plan(reading, which)
        may_replace = message.get("replace")
        may_replace = may_replace if isinstance(may_replace, list) else []
        replaced = [one for one in self._workshop.replaced(plan) if one["variable"] not in may_replace]
        if replaced:
            return Asks(t="asks", to=to, ask=ask, replaced=replaced)
        made = self._workshop.make(plan)
        self._look_again()
        return Created(t="created", to=to, ask=ask, variables=made, outdated=self._workshop.outdated())

    def _answer_load(self, message: Mapping[str, Any]) -> Loaded:
        to, ask = _sender(message)
        try:
            draft = self._load(str(message.get("variable")))
        except ConfigurationError as error:
            return Loaded(t="loaded", to=to, ask=ask, draft=None, why=str(error))
        return Loaded(t="loaded", to=to, ask=ask, draft=draft.to_json(), why="")

    def _load(self, variable: str) -> Draft:
        agent = self._namespace.get(variable)
        if not isinstance(agent, ResponsiveAgent):
            raise ConfigurationError(f"Cannot edit {variable!r}: it holds no agent any more. Choose another.")
        draft, kept = load(variable, agent, self._namespace, self._new_id())
        self._kept[draft.id] = kept
        return draft

    def _variable_of(self, agent: ResponsiveAgent) -> str:
        if not isinstance(agent, ResponsiveAgent):
            raise ConfigurationError(
                f"Cannot edit {agent!r}: it is a {type(agent).__name__} and no agent. Pass the agent itself."
            )
        found = reference_to(agent, self._namespace)
        if found is None:
            raise ConfigurationError(
                f"Cannot edit agent {agent!r}: no variable holds it. Assign it to a variable first."
            )
        return found.expression

    def _find_models(self, message: Mapping[str, Any]) -> Found:
        """Ask the ports of model servers on this machine: only because somebody has pressed the button."""
        to, ask = _sender(message)
        from jupyter_agents.models.local import find_local_server

        server = find_local_server()
        self._local_models = list(server.models) if server else []
        self._look_again()
        name = server.name if server else ""
        return Found(t="found", to=to, ask=ask, server=name, names=self._local_models)

    def _take(self, message: Mapping[str, Any]) -> None:
        """Remember what is typed: a page that is loaded anew gets it back."""
        drafts = message.get("drafts")
        given = drafts if isinstance(drafts, list) else []
        self._drafts = [Draft.from_json(one) for one in given[:_MOST_DRAFTS]]
        groups = message.get("groups")
        given = groups if isinstance(groups, list) else []
        self._groups = [GroupDraft.from_json(one) for one in given[:_MOST_DRAFTS]]

    def _ids_typed(self) -> list[str]:
        return [*(draft.id for draft in self._drafts), *(group.id for group in self._groups)]

    def _read(self) -> Reading:
        """What is typed, read."""
        reading = read_drafts(self._drafts, self._kept, self._namespace)
        read_groups(self._groups, reading, self._namespace)
        return reading

    def _new_id(self) -> str:
        return f"kernel-{next(self._ids)}"

    # -- What the namespace holds --------------------------------------------------------------------------------

    def _look_again(self, *_: Any) -> None:
        """Tell pages what the namespace holds, if it is something else than they know."""
        if not self._views:  # nobody is there to see it
            return
        place = self._look()
        if place != self._place:
            self._place = place
            self._send(PlaceChanged(t="place", place=place))

    def _look(self) -> Place:
        agents = [
            AgentFacts(variable=name, name=value.name, class_name=type(value).__name__, why=why_not(value))
            for name, value in users_variables(self._namespace, self._hidden)
            if is_agent(value)
        ]
        setting = current_session().settings.model
        return Place(
            agents=agents,
            functions=functions_in(self._namespace, self._hidden),
            models=models_in(self._namespace, setting, self._local_models),
            default_model=default_model(setting),
        )


def _sender(message: Mapping[str, Any]) -> tuple[str, int]:
    """To which view an answer goes, and to which of its requests it is one."""
    ask = message.get("ask")
    return str(message.get("view", "")), ask if isinstance(ask, int) else 0


__all__ = ["AgentBuilder"]
