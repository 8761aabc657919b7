"""A group of agents that talk with each other, and who of them speaks next."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from jupyter_agents.agents.faces import call_of, faces
from jupyter_agents.agents.group_members import (
    checked_agents,
    find_member,
    named_members,
    names_of,
    with_teams,
)
from jupyter_agents.agents.mentions import chosen_name, mentioned
from jupyter_agents.agents.model_config import ModelConfig
from jupyter_agents.agents.speaker_by_hand import choose_by_hand
from jupyter_agents.agents.transitions import Transitions, TransitionsType
from jupyter_agents.arguments import refuses_unknown
from jupyter_agents.effects import Complete, Emit
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import SpeakerChosen
from jupyter_agents.messages import Message, wire_name
from jupyter_agents.models.base import Model, ModelRequest
from jupyter_agents.nearest import did_you_mean
from jupyter_agents.run import ThisRun
from jupyter_agents.session import Rendered, rendered

SpeakerSelectionMethod = Literal["auto", "manual", "random", "round_robin"]
_METHODS = ("auto", "manual", "random", "round_robin")
_ROLES = ("user", "system", "assistant", "developer")

_MESSAGE = """\
A group works on a task together. Its members:
{roles}.

Read the conversation. Then say who of {agentlist} speaks next. Answer with that name and nothing else."""
_PROMPT = "Who of {agentlist} speaks next, after the conversation above? Answer with one name and nothing else."
_NOBODY = "Your answer {answer!r} names nobody of the group. Answer with exactly one of these names, as it is written here: {agentlist}."
_SEVERAL = "Your answer names several of the group ({named}). Only one can speak next. Answer with exactly one of these names: {agentlist}."
_QUOTED = 200


@refuses_unknown
@dataclass(eq=False)
class GroupChat:
    """Agents that talk with each other, one at a time, and the rule by which the next speaker is found.

    `speaker_selection_method`: `auto` asks the manager's model; `round_robin` and `random` (with `seed`, the same in
    every run) ask nobody; `manual` asks a person, who is the `human` of the manager, or else that of the admin, or else who
    sits at the notebook; a function `(last_speaker, groupchat)`, plain or async, gives an agent or its name, the name of a
    method, or `None` to end the chat.

    `allow_repeat_speaker` (all, none, or a list of agents) or a graph of transitions say who may speak after whom; both take
    names of agents, too. `initiate_chat` begins anew, without the `messages` of before: to go on from messages, use
    `resume` of the manager, and `clear_history=False`. A message that calls a function goes to an agent that has it (`func_call_filter`). `max_round` counts messages, the opening one
    included. An interrupt gives the word to the agent named `admin_name`, if there is one; another one meanwhile ends the
    chat.

    With `enable_clear_history` a person in the group can have it forget: `CLEAR HISTORY` at the beginning of a line or sentence
    clears what all remember of it, `CLEAR HISTORY Bob` what Bob does, and a number after it says how many messages stay.

    Raises `ConfigurationError` for a group that cannot work: two agents of one name, transitions to strangers…

    >>> from jupyter_agents import AssistantAgent
    >>> coder, critic = AssistantAgent("Coder", llm_config=False), AssistantAgent("Critic", llm_config=False)
    >>> GroupChat([coder, critic], speaker_selection_method="round_robin").next_agent(coder).name
    'Critic'
    """

    agents: Sequence[Any]
    messages: list[dict[str, Any]] = field(default_factory=list)
    max_round: int = 10
    admin_name: str = "Admin"
    func_call_filter: bool = True
    speaker_selection_method: SpeakerSelectionMethod | Callable[..., Any] = "auto"
    allow_repeat_speaker: bool | Sequence[Any] | None = None
    allowed_or_disallowed_speaker_transitions: Mapping[Any, Sequence[Any]] | None = None
    speaker_transitions_type: TransitionsType | None = None
    enable_clear_history: bool = False
    send_introductions: bool = False
    select_speaker_message_template: str = _MESSAGE
    select_speaker_prompt_template: str | None = _PROMPT
    select_speaker_auto_none_template: str = _NOBODY
    select_speaker_auto_multiple_template: str = _SEVERAL
    max_retries_for_selecting_speaker: int = 2
    select_speaker_auto_verbose: bool = False  # has no meaning here: listeners show whom the model was asked to choose
    select_speaker_auto_llm_config: Mapping[str, Any] | Model | bool | None = None
    select_speaker_transform_messages: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] | None = None
    role_for_select_speaker_messages: Literal["user", "system"] = "user"
    seed: int | None = None

    def __post_init__(self) -> None:
        self.agents = checked_agents(self.agents)
        self.messages = _checked_messages(self.messages)
        self.last_speaker: Any = None
        _check_numbers(self)
        _check_method(self.speaker_selection_method)
        _check_role(self.role_for_select_speaker_messages)
        graph, repeats = self.allowed_or_disallowed_speaker_transitions, self.allow_repeat_speaker
        if graph is not None and repeats is not None:
            raise ConfigurationError(
                "Cannot build the group: it has both transitions and allow_repeat_speaker. Give one of them; a transition "
                "from an agent to itself lets it speak twice."
            )
        if graph is not None:
            self.transitions = Transitions.from_graph(self.agents, graph, self.speaker_transitions_type)
        else:
            self.transitions = Transitions.everyone(self.agents, self._checked_repeats(repeats))
        self._random = random.Random(self.seed)  # noqa: S311 - whose turn it is, is no secret

    def _checked_repeats(self, repeats: Any) -> bool | list[Any]:
        """Who may speak twice in a row: all, nobody, or these agents."""
        if repeats is None or isinstance(repeats, bool):
            return repeats is not False
        if isinstance(repeats, str | Mapping) or not isinstance(repeats, Iterable):
            raise ConfigurationError(
                f"Cannot build the group: allow_repeat_speaker is {getattr(repeats, 'name', repeats)!r}. Give True, False, or "
                "a list of agents."
            )
        self.allow_repeat_speaker = named_members(self.agents, repeats, "the agents in allow_repeat_speaker")
        return self.allow_repeat_speaker

    def __repr__(self) -> str:
        method = self.speaker_selection_method
        how = method if isinstance(method, str) else getattr(method, "__name__", "a function")
        return f"GroupChat({self.agent_names!r}, max_round={self.max_round}, speaker_selection_method={how!r})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Rendered:
        return rendered(self)

    # -- Who is in it --------------------------------------------------------------------------------------------

    @property
    def agent_names(self) -> list[str]:
        """The names, in order."""
        return [agent.name for agent in self.agents]

    def agent_by_name(self, name: str, *, recursive: bool = False) -> Any:
        """The agent of this name; with `recursive`, also one of a team in the group. Raises `ValueError` when nobody has it."""
        found = next((one for one in (everyone_in(self) if recursive else self.agents) if one.name == name), None)
        if found is None:
            raise ValueError(f"Cannot find an agent named {name!r}: the group has {', '.join(self.agent_names)}.")
        return found

    def next_agent(self, agent: Any, agents: Sequence[Any] | None = None) -> Any:
        """The next one in the order of the group, of `agents` only if they are given."""
        wanted = self.agents if agents is None else list(agents)
        at = next((n for n, one in enumerate(self.agents) if one is agent), -1)
        ordered = [*self.agents[at + 1 :], *self.agents[: at + 1]]
        return next((one for one in ordered if any(one is other for other in wanted)), wanted[0])

    def reset(self) -> None:
        """Forget the messages and who spoke last, and begin the random order anew."""
        self.messages.clear()
        self.last_speaker = None
        self._random.seed(self.seed)

    def append(self, message: Mapping[str, Any], speaker: Any) -> None:
        """Take note of what was said, with the name of who said it."""
        named = dict(message)
        if named.get("role") != "function":
            named["name"] = speaker.name if speaker is not None else named.get("name", "")
        named["content"] = named.get("content")
        self.messages.append(named)

    # -- What its members and the manager's model are told -------------------------------------------------------

    def introductions_msg(self, agents: Sequence[Any] | None = None) -> str:
        """Who is here, for everybody to read before the chat begins."""
        return f"Hello everyone. In this group we work together: {self._roles(agents, '; ')}."

    def select_speaker_msg(self, agents: Sequence[Any] | None = None) -> str:
        """The instructions to the model that chooses the next speaker."""
        return self._filled(self.select_speaker_message_template, agents)

    def select_speaker_prompt(self, agents: Sequence[Any] | None = None) -> str:
        """The question to that model, after the conversation."""
        return self._filled(self.select_speaker_prompt_template or "", agents)

    def _filled(self, template: str, agents: Sequence[Any] | None, **others: Any) -> str:
        names = [one.name for one in agents or self.agents]
        values = {"roles": self._roles(agents, "\n"), "agentlist": ", ".join(names), **others}
        try:
            return template.format(**values)
        except (KeyError, IndexError, ValueError) as error:
            raise ConfigurationError(
                f"Cannot fill in the template {template!r}: {error!r}. It may use {', '.join(map('{{{}}}'.format, values))}."
            ) from error

    def _roles(self, agents: Sequence[Any] | None, between: str) -> str:
        return between.join(f"{one.name}: {_description(one)}".strip() for one in agents or self.agents)

    # -- Who speaks next -----------------------------------------------------------------------------------------

    async def _select_speaker(self, last_speaker: Any, selector: Any) -> Any:
        """The agent that speaks after `last_speaker`, or `None` when nobody may. `selector` is the manager. An override point."""
        choice = await self._choose(last_speaker, selector)
        run = await ThisRun()
        chosen = run.log.key_of(choice.speaker) if choice.speaker is not None else None
        await Emit(SpeakerChosen(run.chat, run.log.key_of(selector), chosen, choice.how, choice.asked))
        return choice.speaker

    select_speaker, a_select_speaker = faces(_select_speaker)

    async def _choose(self, last: Any, selector: Any) -> Choice:
        method: Any = self.speaker_selection_method
        if callable(method):
            found = await call_of("the speaker selector", selector, method, last, self)
            if not _is_method(found) or (found in self.agent_names and found not in _METHODS):
                return Choice(self._member(found), "function")
            method = found
        method = method.lower()
        callers = self._who_can_answer_calls()
        if len(callers) == 1:
            return Choice(callers[0], "call")
        eligible = _both(callers, self.transitions.successors(last)) or callers or self.transitions.successors(last)
        if len(eligible) < 2:
            return Choice(eligible[0] if eligible else None, "only one" if eligible else "nobody")
        return await self._choose_among(method, last, list(eligible), selector)

    async def _choose_among(self, method: str, last: Any, eligible: list[Any], selector: Any) -> Choice:
        if method == "random":
            return Choice(self._random.choice(eligible), "random")
        if method == "manual":
            admin = next((one for one in self.agents if one.name == self.admin_name), None)
            return Choice(*await choose_by_hand(eligible, self.next_agent(last, eligible), last, selector, admin))
        model = self.selecting_model(selector)
        if method == "auto" and model.model is not None:
            return await self._choose_by_model(model, last, eligible, selector)
        return Choice(self.next_agent(last, eligible), "order")

    def _member(self, found: Any) -> Any:
        """Whom a function means that selects the speaker: an agent of the group, by its name too, or nobody."""
        member = find_member(self.agents, found)
        if found is not None and member is None:
            raise ConfigurationError(
                f"Cannot give the word to {getattr(found, 'name', found)!r}: it is not in the group. The function that "
                f"selects the speaker must give one of {names_of(self.agents)} (the agent, or its name), the name of a "
                f"method ({', '.join(_METHODS)}), or None to end the chat.{did_you_mean(found, (*self.agent_names, *_METHODS))}"
            )
        return member

    def _who_can_answer_calls(self) -> list[Any]:
        """The agents that have all functions which the last message calls, or else some of them; nobody where it calls none."""
        if not self.func_call_filter or not self.messages:
            return []
        names = {one.name for one in Message.from_dict(self.messages[-1]).calls}
        having = [(one, names & set(getattr(one, "function_map", ()))) for one in self.agents]
        return [one for one, some in having if names and some == names] or [one for one, some in having if some]

    # -- By a model ----------------------------------------------------------------------------------------------

    def selecting_model(self, selector: Any) -> ModelConfig:
        """The model that chooses the speakers, where one does: that of the manager (`selector`), or another that is given."""
        given = self.select_speaker_auto_llm_config
        config: ModelConfig = selector.model_config if given is None else ModelConfig.from_classic(given)
        return config

    async def _choose_by_model(self, config: ModelConfig, last: Any, eligible: list[Any], selector: Any) -> Choice:
        run = await ThisRun()
        key, names = run.log.key_of(selector), [one.name for one in eligible]
        wire = self._question(eligible)
        options = {name: value for name, value in config.options.items() if name not in _FOR_CALLS}
        for asked in range(1, self.max_retries_for_selecting_speaker + 2):
            assert config.model is not None
            aside = "choosing who speaks next"
            reply = await Complete(key, config.model, ModelRequest(list(wire), options), aside)
            text = reply.content or ""
            name = chosen_name(text, names)
            if name is not None:
                return Choice(eligible[names.index(name)], "model", asked)
            wire += [
                {"role": "assistant", "content": text},
                {"role": "user", "content": self._feedback(text, eligible)},
            ]
        return Choice(self.next_agent(last, eligible), "order", self.max_retries_for_selecting_speaker + 1)

    def _question(self, eligible: list[Any]) -> list[dict[str, Any]]:
        transform = self.select_speaker_transform_messages
        messages = transform(list(self.messages)) if transform is not None else self.messages
        asked = self.select_speaker_prompt(eligible)
        wire = [{"role": "system", "content": self.select_speaker_msg(eligible)}, *map(_as_heard, messages)]
        return [*wire, {"role": self.role_for_select_speaker_messages, "content": asked}] if asked else wire

    def _feedback(self, answer: str, eligible: list[Any]) -> str:
        named = mentioned(answer, [one.name for one in eligible])
        template = self.select_speaker_auto_multiple_template if named else self.select_speaker_auto_none_template
        return self._filled(template, eligible, answer=answer[:_QUOTED], named=", ".join(named))


@dataclass(frozen=True, slots=True)
class Choice:
    """Who speaks next (`None`: nobody), how that was found, and how often a model was asked."""

    speaker: Any
    how: str
    asked: int = 0


_FOR_CALLS = frozenset({"functions", "function_call", "tools", "tool_choice", "parallel_tool_calls", "response_format"})


def everyone_in(group: GroupChat) -> list[Any]:
    """The agents of a group, and those of the teams in it."""
    return with_teams(group.agents)


def _both(some: Iterable[Any], others: Iterable[Any]) -> list[Any]:
    kept = {id(one) for one in others}
    return [one for one in some if id(one) in kept]


def _description(agent: Any) -> str:
    return " ".join((getattr(agent, "description", None) or agent.system_message or "").split())


def _as_heard(message: Mapping[str, Any]) -> dict[str, Any]:
    """What was said, as somebody hears it who takes no part: calls and their results are words, too."""
    said = Message.from_dict({"content": "", **message} if message.get("content") is None else message)
    calls = [f"[calls {one.name}({one.arguments})]" for one in said.calls]
    words = "\n".join([said.text, *calls] if said.text else calls) or "[says nothing]"
    name = str(message.get("name") or "")
    if not name:
        return {"role": "user", "content": words}
    told = words if name.isascii() else f"{name}: {words}"  # which no model could read out of what stands for the name
    return {"role": "user", "content": told, "name": wire_name(name)}


# -- What a group must be ----------------------------------------------------------------------------------------


def _checked_messages(given: Any) -> list[dict[str, Any]]:
    """The messages that a group has from the beginning: the very list, where it is one."""
    if given is None:
        return []
    is_list = isinstance(given, Iterable) and not isinstance(given, str | Mapping)
    found = given if isinstance(given, list) else list(given) if is_list else [given]
    wrong = next((one for one in found if not isinstance(one, Mapping)), given if not is_list else None)
    if wrong is not None:
        raise ConfigurationError(
            f"Cannot build the group: its messages have {wrong!r}. Give a list of dictionaries with 'content' and 'name', "
            "or none."
        )
    return found


def _check_numbers(group: GroupChat) -> None:
    for name, least in (("max_round", 1), ("max_retries_for_selecting_speaker", 0)):
        value = getattr(group, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ConfigurationError(
                f"Cannot build the group: {name} is {value!r}. Give a whole number of at least {least}."
            )


def _is_method(value: Any) -> bool:
    return isinstance(value, str) and value.lower() in _METHODS


def _check_role(role: Any) -> None:
    if role not in _ROLES:
        raise ConfigurationError(
            f"Cannot use role_for_select_speaker_messages={role!r}: it must be one of {', '.join(_ROLES)}."
            + did_you_mean(role, _ROLES)
        )


def _check_method(method: Any) -> None:
    if callable(method) or _is_method(method):
        return
    raise ConfigurationError(
        f"Cannot select speakers by {method!r}: it must be one of {', '.join(_METHODS)}, or a function of "
        f"(last_speaker, groupchat).{did_you_mean(method, _METHODS)}"
    )
