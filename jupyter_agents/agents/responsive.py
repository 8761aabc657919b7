"""The agent that everything else is made of: it remembers its talks and asks its reply functions what to say."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Self, TypeVar

from jupyter_agents.agents import chat_queue as queues
from jupyter_agents.agents import code_running, hooks, nested_chats, openings, reply_functions, states, tool_use
from jupyter_agents.agents.adjustments import adjustment_of
from jupyter_agents.agents.chat_queue import ChatResults
from jupyter_agents.agents.code_config import CodeConfig, check_policy
from jupyter_agents.agents.faces import Core, call, call_hook, core_of, faces, is_overridden
from jupyter_agents.agents.history import History, Talk
from jupyter_agents.agents.memory import Memory, Opening, in_chat, wait_for_pair
from jupyter_agents.agents.model_config import ModelConfig
from jupyter_agents.agents.reply_format import asked_by_key, asked_of
from jupyter_agents.agents.summaries import Summary, SummaryMethod, heard_by
from jupyter_agents.agents.templates import prepared
from jupyter_agents.budget import Budget
from jupyter_agents.conversation import ChatResult, TurnLoop, check_people, check_person, hold_chat, open_run
from jupyter_agents.effects import Ask, Emit
from jupyter_agents.errors import ConfigurationError, InvalidMessageError
from jupyter_agents.events import EventLog, MessageSent
from jupyter_agents.human.base import HumanInput, Prompt
from jupyter_agents.messages import Message
from jupyter_agents.models.base import Model
from jupyter_agents.progress import Limits
from jupyter_agents.replies import Reply, ReplyFunction, matches
from jupyter_agents.run import Run, ThisRun
from jupyter_agents.session import CodePolicy, Rendered, rendered
from jupyter_agents.termination import Condition, Ending, HumanInputMode, is_terminate, read_question
from jupyter_agents.tools import Style, call_tool

_F = TypeVar("_F", bound=Callable[..., Any])
_MODES = ("ALWAYS", "TERMINATE", "NEVER")
_CODE_RESULT = re.compile(r"exitcode: -?\d+ \(execution (?:succeeded|failed)\)\n")
_chosen: ContextVar[list[Reply]] = ContextVar("jupyter_agents_chosen")
"""Where the replies go that the chain chooses while an override of `generate_reply` runs."""


class ResponsiveAgent:
    """An agent that answers what it receives: by a person, by functions, by running code, by a model, in this order.

    The positional arguments and their defaults are those of the classic `ResponsiveAgent`. `human` is who answers
    for this agent (otherwise: whoever sits at this notebook), `description` tells other agents what it is for.

    Code runs in this kernel and without asking unless `code_execution_config` says otherwise: `False` switches it
    off, `{"policy": "ask"}` asks for every block. Other keys: `work_dir`, `timeout` (seconds), `last_n_messages`
    (a number, or `"auto"` for all since the agent last spoke), `executor`.

    Functions are called without asking: who registers one means it to be called. With `tool_policy="ask"` a person sees
    every call first and may edit its arguments; with `"deny"` none is made.

    >>> from jupyter_agents.testing import ScriptedModel
    >>> a = ResponsiveAgent("a", human_input_mode="NEVER", llm_config=ScriptedModel(["Hello!"]))
    >>> a.generate_reply(messages=[{"role": "user", "content": "Hi"}])
    'Hello!'
    """

    MAX_CONSECUTIVE_AUTO_REPLY = 100

    def __init__(
        self,
        name: str,
        system_message: str = "You are a helpful AI Assistant.",
        is_termination_msg: Callable[[dict[str, Any]], bool] | None = None,
        max_consecutive_auto_reply: int | None = None,
        human_input_mode: HumanInputMode = "TERMINATE",
        function_map: Mapping[str, Callable[..., Any]] | None = None,
        code_execution_config: Mapping[str, Any] | bool | None = None,
        llm_config: Mapping[str, Any] | Model | bool | None = None,
        default_auto_reply: str | dict[str, Any] | None = "",
        *,
        description: str | None = None,
        human: HumanInput | None = None,
        tool_policy: CodePolicy = "auto",
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ConfigurationError(f"Cannot name an agent {name!r}: give it a name with at least one character.")
        self.name = name
        self.description = description
        self.human_input_mode = human_input_mode
        self.is_termination_msg = is_termination_msg or _is_terminate
        self.default_auto_reply = default_auto_reply
        self.human = human
        check_policy("tool_policy", tool_policy)
        self.tool_policy = tool_policy
        self._code_config = CodeConfig.from_classic(code_execution_config)
        self._model_config = ModelConfig.from_classic(llm_config)
        self._system_message = system_message
        limit = max_consecutive_auto_reply
        self._memory = Memory(self.MAX_CONSECUTIVE_AUTO_REPLY if limit is None else limit)
        self._functions: dict[str, Callable[..., Any]] = {}
        self.tool_use = tool_use.ToolUse()
        self._reply_functions: list[ReplyFunction] = []
        self.capabilities: list[hooks.Capability] = []
        self._last_message_hooks: list[Callable[..., Any]] = []
        self._all_messages_hooks: list[Callable[..., Any]] = []
        self._sending_hooks: list[Callable[..., Any]] = []
        self._chat_results: ChatResults = []
        self.announced_in: EventLog | None = None
        self.warned_in: EventLog | None = None
        if function_map:
            self.register_function(function_map)
        for function in reversed(_BUILT_IN):
            self.register_auto_reply([_is_someone, None], function)

    def __repr__(self) -> str:
        model = self.model
        facts = [f"{self.name!r}", f"human_input_mode={self.human_input_mode!r}"]
        facts.append("no model" if model is None else f"model={model!r}")
        if self.code_config is not None:
            facts.append(f"code={self.code_config.policy!r}")
        if self._functions:
            facts.append(f"functions={sorted(self._functions)!r}")
        return f"{type(self).__name__}({', '.join(facts)})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Rendered:
        return rendered(self)

    # -- What it is ----------------------------------------------------------------------------------------------

    @property
    def system_message(self) -> str:
        """The instructions to the agent's model."""
        return self._system_message

    def update_system_message(self, system_message: str) -> None:
        """Give other instructions from the next model call on."""
        self._system_message = system_message

    @property
    def human_input_mode(self) -> HumanInputMode:
        """When a person is asked: `ALWAYS`, at the end (`TERMINATE`), or `NEVER`."""
        return adjustment_of(self).human_input_mode or self._human_input_mode

    @human_input_mode.setter
    def human_input_mode(self, mode: HumanInputMode) -> None:
        if mode not in _MODES:
            raise ConfigurationError(f"Cannot use human_input_mode={mode!r}: it must be one of {', '.join(_MODES)}.")
        self._human_input_mode = mode

    @property
    def code_config(self) -> CodeConfig | None:
        """How the agent runs code; `None` where it runs none."""
        return adjustment_of(self).code(self._code_config)

    @property
    def model(self) -> Model | None:
        """The model that speaks for the agent, or `None`."""
        return self.model_config.model

    @property
    def model_config(self) -> ModelConfig:
        """The model with the settings of its requests."""
        return adjustment_of(self).model_config or self._model_config

    @property
    def llm_config(self) -> dict[str, Any] | bool:
        """The inference settings as given (a copy), or `False` where no model speaks for the agent."""
        return self.model_config.to_classic()

    @property
    def request_options(self) -> Mapping[str, Any]:
        """The inference settings that go into every request."""
        return self.model_config.options

    @property
    def function_map(self) -> dict[str, Callable[..., Any]]:
        """The functions that the agent executes for others (a copy)."""
        return dict(self._functions)

    @property
    def asks_session_human(self) -> bool:
        """Whether prompts go to a person through `human`, not through an override of `get_human_input`."""
        return not is_overridden(self, "get_human_input")

    def system_wire(self) -> list[dict[str, Any]]:
        """The instructions as a server is sent them."""
        return [{"content": self._system_message, "role": "system"}] if self._system_message else []

    # -- What it remembers ---------------------------------------------------------------------------------------

    @property
    def chat_messages(self) -> defaultdict[Any, list[dict[str, Any]]]:
        """The messages exchanged with each other agent, as classic dictionaries; copies, made at every look.

        For an agent with whom there was no talk it is an empty list.
        """
        found = {other: [dict(one) for one in talk.to_dicts()] for other, talk in self._memory.talks.items()}
        return defaultdict(list, found)

    _oai_messages = chat_messages  # the name by which subclasses in the classic notebooks read it

    @staticmethod
    def _message_to_dict(message: Any) -> dict[str, Any]:
        """A message as a dictionary; subclasses in the classic notebooks call it."""
        return dict(message) if isinstance(message, Mapping) else Message.from_dict(message).to_dict()

    @property
    def has_talked(self) -> bool:
        """Whether it remembers a talk with anybody."""
        return bool(self._memory.talks)

    def last_message(self, agent: Any = None) -> dict[str, Any] | None:
        """The last message exchanged with an agent, or with the only one; `None` before any conversation.

        Raises `ValueError` when there were several and none is named.
        """
        talks = self._memory.talks
        if agent is None:
            if len(talks) > 1:
                names = ", ".join(sorted(other.name for other in talks))
                raise ValueError(
                    f"Cannot tell which last message is meant: {self.name!r} talked with {names}. Name one."
                )
            agent = next(iter(talks), None)
        messages = talks[agent].to_dicts() if agent in talks else []
        return messages[-1] if messages else None

    def clear_history(self, agent: Any = None) -> None:
        """Forget the talk with one agent, or with all."""
        self._memory.forget(agent)

    def reset(self) -> None:
        """Forget all talks and counters, and bring every reply function's configuration back to its initial state."""
        self.clear_history()
        self._memory.reset()
        for entry in self._reply_functions:
            entry.reset()

    def log_with(self, other: Any) -> EventLog | None:
        """The log that holds the talk with another agent."""
        return self._memory.log_with(other)

    async def attach(self, run: Run, other: Any) -> History:
        """Remember the talk with another agent from this run's log on, carrying over what is remembered already."""
        return await self._memory.attach(run, self, other)

    def check_free(self, other: Any, around: object = None) -> None:
        """Refuse a chat with an agent with whom one is under way, other than the one (`around`) that this is nested in."""
        if self._memory.chat_with(other) is not around:
            raise ConfigurationError(
                f"Cannot begin a chat: {self.name!r} and {other.name!r} are in another one that has not ended. "
                "Wait for its end, stop it (chat.stop(); _chat.stop() after %%agentchat), take other agents, or reset() "
                "both if it never will."
            )

    # -- Counting automatic replies ------------------------------------------------------------------------------

    def max_consecutive_auto_reply(self, sender: Any = None) -> int:
        """How many automatic replies a sender gets in a row."""
        return self._memory.limit_for(sender)

    def update_max_consecutive_auto_reply(self, value: int, sender: Any = None) -> None:
        """Change that limit, for one sender or for all."""
        self._memory.set_limit(value, sender)

    def reset_consecutive_auto_reply_counter(self, sender: Any = None) -> None:
        """Count anew, for one sender or for all."""
        self._memory.count_anew(sender)

    def auto_replies_to(self, sender: Any) -> int:
        """How many automatic replies a sender has had in a row."""
        return self._memory.auto_replies_to(sender)

    def count_auto_reply(self, sender: Any, *, starts_anew: bool) -> None:
        """Count one more automatic reply, or begin at 0."""
        self._memory.count_auto_reply(sender, starts_anew=starts_anew)

    def replies_to(self, sender: Any) -> bool:
        """Whether the agent answers what this sender says, when nobody asks it to."""
        return self._memory.replies_to(sender)

    def expect(self, sender: Any) -> None:
        """Answer what this sender says from now on, and count automatic replies to it anew."""
        self._memory.expect(sender)

    def stop_reply_at_receive(self, sender: Any = None) -> None:
        """Do not answer this sender (or anyone) of one's own accord from now on."""
        self._memory.stop_replying(sender)

    # -- As plain data --------------------------------------------------------------------------------------------

    def to_state(self, name_of: Callable[[Any], str] | None = None) -> dict[str, Any]:
        """The agent as plain data, for JSON: what it is, its settings, and what it remembers of others, by name.

        Secrets are left out; functions, people, executors and models that are objects, are named in `given_again`. A
        subclass with a state of its own adds it here, and takes it in `from_state`.
        """
        return states.state_of(self, name_of)

    @classmethod
    def from_state(cls, state: Mapping[str, Any], *, agents: Mapping[str, Any] | None = None, **given: Any) -> Self:
        """An agent from what `to_state` gave, and from what that could not hold.

        With `agents` (by the names that they have in the state) it remembers what was said with them; without, nothing
        (`load_agents` brings several back together). `given` may have `functions` (by name), `llm_config`,
        `is_termination_msg`, `human`, `executor`, and arguments of the constructor of a subclass. Reply functions
        are registered again by whoever has registered them.

        Raises `ConfigurationError` for what is lacking.
        """
        return states.agent_from_state(cls, state, agents, given)

    def load_memory(self, state: Mapping[str, Any], agents: Mapping[str, Any]) -> None:
        """Remember what `to_state` says that the agent did, of these others by name."""
        self._memory = Memory.from_state(state["memory"], agents)

    # -- The reply chain -----------------------------------------------------------------------------------------

    def register_auto_reply(
        self,
        trigger: Any,
        reply_func: Callable[..., Any],
        position: int = 0,
        config: Any = None,
        reset_config: Callable[[Any], None] | None = None,
    ) -> None:
        """Add a reply function `(recipient, messages, sender, config) -> (final, reply)`, plain or async.

        It is asked when the sender matches `trigger`: a class, an agent, a name, a function of the sender, a list of
        these (with `None` for no sender). The one registered last is asked first; `position` 1 is right after the
        first. `final=True` with no reply ends the chat. A dictionary, list or set as `config` is copied, and brought
        back by `reset`; other objects are reset by `reset_config(config)` only.
        """
        self._reply_functions.insert(position, ReplyFunction(trigger, reply_func, config, reset_config))

    register_reply = register_auto_reply

    @property
    def hook_lists(self) -> dict[str, list[Callable[..., Any]]]:
        """The registered hooks, by the names for which `register_hook` takes them."""
        found = self._last_message_hooks, self._all_messages_hooks, self._sending_hooks
        return dict(zip((hooks.LAST, hooks.ALL, hooks.SENDING), found, strict=True))

    def register_hook(self, hookable_method: str, hook: Callable[..., Any]) -> None:
        """Add a function, plain or async, that changes what the agent hears or says; hooks run in the order in which they are added.

        `process_all_messages_before_reply` is given the list of messages, and then `process_last_received_message` the
        content of the last one (if it is no call and no tool's result); what they return is what the reply functions are
        shown, the model among them. `process_message_before_send` is given `sender`, `message`, `recipient` and `silent`
        by name; what it returns is sent. What is in the log already stays as it is.
        """
        hooks.register(self, hookable_method, hook)

    async def reply_to(self, sender: Any, exclude: Sequence[Any] = ()) -> Reply:
        """What the agent says to the last message of a sender; an override of `generate_reply` is obeyed.

        Reply functions in `exclude` are not asked.
        """
        return await hooks.before_sending(self, await self._reply_to(sender, exclude), sender)

    async def _reply_to(self, sender: Any, exclude: Sequence[Any]) -> Reply:
        if not is_overridden(self, "generate_reply"):
            return await self.choose_reply(None, sender, exclude)
        chosen: list[Reply] = []
        token = _chosen.set(chosen)
        try:
            given = await call_hook(self, "generate_reply", sender=sender, **({"exclude": exclude} if exclude else {}))
        finally:
            _chosen.reset(token)
        if chosen and chosen[-1].to_classic() == given:
            return chosen[-1]  # the override passes on what the chain chose, which knows why and from whom
        return Reply.from_classic(True, given)

    async def choose_reply(self, talk: Talk | None, sender: Any, exclude: Iterable[Any] = ()) -> Reply:
        """Ask the reply functions one after another; the first final reply, or the default one."""
        if talk is None:
            talk = self._memory.talk_with(sender)
        talk = await hooks.heard(self, talk, sender)
        excluded = list(exclude)
        for entry in list(self._reply_functions):
            if any(_is_same(entry.function, one) for one in excluded) or not matches(entry.trigger, sender):
                continue
            reply = await self._ask(entry, talk, sender)
            if reply.final:
                return reply
        notice = reply_functions.cut_off_notice(talk) if self.default_auto_reply == "" else None
        if notice is not None:
            return Reply(True, Message(notice), is_repair=True)
        return Reply.from_classic(True, self.default_auto_reply)

    async def _ask(self, entry: ReplyFunction, talk: Talk, sender: Any) -> Reply:
        built_in = _REPLY_CORES.get(core_of(entry.function)) if entry.is_unbound else None
        if built_in is not None and entry.config is None:
            if not talk.messages:
                raise InvalidMessageError(
                    f"Cannot generate a reply: {self.name!r} has no message to answer. Send it one, or pass messages=[…]."
                )
            return await built_in(self, talk, sender)
        args, kwargs = entry.arguments(self, talk.to_dicts(), sender)
        answer = await call(entry.function, *args, **kwargs)
        if isinstance(answer, Reply):
            return answer
        try:
            final, reply = answer
        except (TypeError, ValueError):
            name = getattr(entry.function, "__name__", repr(entry.function))
            raise ConfigurationError(
                f"Cannot use the answer of reply function {name!r}: it gave {answer!r}. Return a pair (final, reply)."
            ) from None
        return Reply.from_classic(bool(final), reply)

    async def _generate_reply(
        self,
        messages: Sequence[Mapping[str, Any]] | None = None,
        sender: Any = None,
        exclude: Sequence[Any] | None = None,
    ) -> str | dict[str, Any] | None:
        """The reply to `messages`, or to what `sender` said last; `None` when the agent would end the chat.

        Reply functions in `exclude` are not asked, so that a reply function can ask the others.
        """
        if messages is None and sender is None:
            raise InvalidMessageError("Cannot generate a reply: neither messages nor a sender is given. Give one.")
        talk = Talk.from_dicts(messages) if messages is not None else None
        reply = await self.choose_reply(talk, sender, exclude or ())
        _chosen.get([]).append(reply)
        return reply.to_classic()

    generate_reply, a_generate_reply = faces(_generate_reply)

    # -- Speaking ------------------------------------------------------------------------------------------------

    async def _generate_init_message(self, **context: Any) -> str | dict[str, Any]:
        """The opening message of `initiate_chat`, from its keyword arguments: `message` and `carryover`. An override point."""
        message, texts = openings.given_message(context), openings.carried_over(context.get("carryover"))
        if message is None:
            asked = await openings.ask_opening(self, None, context)
            return asked.to_classic() or ""
        if not texts:
            given: str | dict[str, Any] = message
            return given
        said = openings.with_context(await prepared(message, None), texts)
        return Reply(True, said).to_classic() or ""

    generate_init_message, a_generate_init_message = faces(_generate_init_message)

    async def _initiate_chat(
        self,
        recipient: Any,
        clear_history: bool = True,
        silent: bool = False,
        *,
        max_turns: int | None = None,
        termination: Condition | None = None,
        budget: Budget | None = None,
        summary_method: SummaryMethod = "last_msg",
        summary_args: Mapping[str, Any] | None = None,
        response_format: Any = None,
        **context: Any,
    ) -> ChatResult:
        """Begin a chat with another agent and hold it to its end.

        `message` (a text, a message dictionary, or a function of sender, recipient and the other keyword arguments) opens
        it; with `None` a person is asked for it. `carryover` (a text, or a list) is put below it. Other keyword arguments
        go to `generate_init_message`. `max_turns` counts round trips, `termination` is a condition, `budget` covers
        nested chats too. `silent` shows nothing. With `clear_history=False` both go on from what they remember.

        `summary_method` says what `result.summary` is: the last message (`"last_msg"`), what a model says of the chat
        (`"reflection_with_llm"`: the recipient's, or else the sender's, with `summary_prompt` and `summary_role` in
        `summary_args`), what a function of (sender, recipient, summary_args) gives, or nothing (`None`).

        `response_format` (a pydantic model, a dataclass, a `TypedDict`, a list of these) is what the recipient's model is to reply:
        JSON of that form, which is checked, and mended aside where it does not fit. The first such reply answers the chat;
        `result.value` is its value.

        Raises the errors of `jupyter_agents.errors`, with the chat so far as `result`.
        """
        _check_agent(recipient)
        form = asked_of(recipient, response_format)
        limits, summary = Limits(max_turns, termination, budget, form), Summary(summary_method, summary_args or {})
        summary.check(self, recipient)
        message = await openings.opening_message(self, recipient, context)
        first = None if message is None else Reply(True, message)
        opening = Opening(clear_history=clear_history, expects_replies=True)
        return await self._hold(recipient, first, limits, opening, silent=silent, summary=summary, context=context)

    initiate_chat, a_initiate_chat = faces(_initiate_chat)

    async def _initiate_chats(
        self, chat_queue: Sequence[Mapping[str, Any]], *, budget: Budget | None = None
    ) -> ChatResults:
        """Hold several chats that this agent begins, unless an entry names another `sender`. See `initiate_chats`."""
        return await queues.hold_for(self, chat_queue, budget=budget)

    initiate_chats, a_initiate_chats = faces(_initiate_chats)

    def get_chat_results(self, chat_index: Any = None) -> Any:
        """What the last `initiate_chats` of this agent gave: all results, or the one of an index (or `chat_id`)."""
        return self._chat_results if chat_index is None else self._chat_results[chat_index]

    def chat_messages_for_summary(self, agent: Any) -> list[dict[str, Any]]:
        """What is summed up of the chat with another agent. An override point."""
        return heard_by(self, agent)

    def register_nested_chats(
        self,
        chat_queue: Sequence[Mapping[str, Any]],
        trigger: Any,
        reply_func_from_nested_chats: str | Callable[..., Any] = "summary_from_nested_chats",
        position: int = 2,
        use_async: bool | None = None,
        *,
        config: Any = None,
        reset_config: Callable[[Any], None] | None = None,
    ) -> None:
        """Answer the senders that `trigger` means (see `register_auto_reply`) with what some chats of this agent come to.

        The chats are those of `initiate_chats`; the first begins with the message received, where it gives none. The reply
        is the summary of the last. A function as `reply_func_from_nested_chats` is called with the queue, the recipient,
        the messages, the sender and `config`, and gives `(final, reply)`. Whom this agent talks to in these chats is
        answered otherwise: nothing begins within itself.

        `position` 2 is right after the check for the end and for a person's word, before functions, code and the model;
        other numbers count in the list of reply functions. `use_async` is not needed: both faces of the API hold them.
        """
        nested_chats.register(self, chat_queue, trigger, reply_func_from_nested_chats, position, config, reset_config)

    async def _send(
        self, message: Any, recipient: Any, request_reply: bool | None = None, silent: bool = False
    ) -> ChatResult:
        """Say something to another agent, who answers if `request_reply` is true or the two are in a chat already.

        The chat goes on until it ends; so this continues an earlier one. Raises `InvalidMessageError` before
        anything is remembered.
        """
        _check_agent(recipient)
        first = Reply(True, await prepared(message, recipient))
        return await self._hold(recipient, first, Limits(), Opening(request_reply), silent=silent)

    send, a_send = faces(_send)

    async def _hold(
        self,
        recipient: Any,
        first: Reply | None,
        limits: Limits,
        opening: Opening,
        *,
        silent: bool,
        summary: Summary | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> ChatResult:
        """Hold a chat that begins with what is said `first`; without that, a person is asked for it."""
        parent = await ThisRun()
        log = None if opening.clear_history else self.log_with(recipient)
        run = await open_run(log, silent=silent, budget=limits.budget)
        limits = asked_by_key(limits, run.log, self, recipient)
        if first is None:
            check_person(self, run, f"{self.name!r} has no message to begin with", "Pass message='…'")
        check_people(self._speakers(recipient, opening, limits), run)
        await wait_for_pair(self, recipient, run)
        with in_chat(self, recipient, run, opening) as run:
            loop = TurnLoop(run, limits, silent=silent)
            talk = self._talk(loop, recipient, first, opening.request_reply, context or {})
            summing_up = None if summary is None else lambda: summary.make(self, recipient, run)
            parent_chat = parent.chat if run.depth > 1 else None
            return await hold_chat(self, recipient, talk, run, parent_chat, summing_up)

    async def _talk(
        self,
        loop: TurnLoop,
        recipient: Any,
        first: Reply | None,
        request_reply: bool | None,
        context: Mapping[str, Any],
    ) -> Ending:
        first = first or await openings.ask_opening(self, recipient, context)
        if first.message is None:
            return first.ending
        first = await hooks.before_sending(self, first, recipient)
        return await loop.talk(self, recipient, first, request_reply)

    def _speakers(self, recipient: Any, opening: Opening, limits: Limits) -> list[Any]:
        """Those who will certainly have to say something."""
        answers = opening.expects_replies or opening.request_reply
        if not answers and (opening.request_reply is False or not recipient.replies_to(self)):
            return []
        goes_on = (opening.expects_replies or self.replies_to(recipient)) and limits.max_turns != 1
        return [recipient, self] if goes_on else [recipient]

    async def _receive(
        self, message: Any, sender: Any, request_reply: bool | None = None, silent: bool = False
    ) -> ChatResult:
        """Take a message as if `sender` had sent it, without the sender remembering it, and answer as `send` says."""
        said = await prepared(message, self)
        first = Reply(True, said)
        parent = await ThisRun()
        run = await open_run(self.log_with(sender), silent=silent, budget=None)

        async def talk(run: Run) -> Any:
            await self.attach(run, sender)
            await sender.attach(run, self)
            keys = run.log.key_of(sender), run.log.key_of(self)
            await Emit(MessageSent(run.chat, *keys, said, silent=silent, held_by="recipient"))
            return await TurnLoop(run, Limits(), silent=silent).go_on(sender, self, first, request_reply)

        with in_chat(sender, self, run, Opening(request_reply)) as run:
            return await hold_chat(sender, self, talk(run), run, parent.chat if run.depth > 1 else None)

    receive, a_receive = faces(_receive)

    # -- What a subclass may override ----------------------------------------------------------------------------

    async def _get_human_input(self, prompt: str) -> str:
        """A person's answer to a prompt: text, `""` to skip, `exit` to end the chat. An override point."""
        run = await ThisRun()
        sender, empty = read_question(prompt)
        timeout = run.session.settings.prompt_timeout
        sender = reply_functions.speaker_before(self, sender)
        asked = Prompt(prompt, agent=self.name, sender=sender or None, empty=empty, timeout=timeout)
        answer = await Ask(run.log.key_of(self), asked, self.human)
        return "exit" if answer.action == "stop" else answer.text

    get_human_input, a_get_human_input = faces(_get_human_input)

    async def _execute_function(self, func_call: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
        """Call a registered function with a model's arguments; whether it succeeded, and the message with its result.

        An override point. Errors are results too: the model can mend them.
        """
        name = str(func_call.get("name", ""))
        result = await call_tool(tool_use.functions_for(self), name, str(func_call.get("arguments") or ""))
        return result.ok, {"name": name, "role": "function", "content": result.content}

    execute_function, a_execute_function = faces(_execute_function)

    async def _run_code(self, code: str, **kwargs: Any) -> tuple[int, str, None]:
        """Run code as it is, without asking: exit code, what it printed, and `None`. An override point.

        Keyword arguments: `lang` (`"python"` unless given), and the keys of `code_execution_config`.
        """
        return await code_running.run_code(self, code, **kwargs)

    run_code, a_run_code = faces(_run_code)

    async def _execute_code_blocks(self, code_blocks: Sequence[tuple[str, str]]) -> tuple[int, str]:
        """Run `(language, code)` blocks in order until one fails: its exit code and all output. An override point.

        The approval policy is asked about each block.
        """
        return await code_running.execute_code_blocks(self, code_blocks)

    execute_code_blocks, a_execute_code_blocks = faces(_execute_code_blocks)

    def register_function(self, function_map: Mapping[str, Callable[..., Any] | None]) -> None:
        """Add functions (plain, async or bound methods) that the agent executes when a model calls them by name.

        `None` in place of a function removes it.
        """
        for name, function in function_map.items():
            if function is None:
                self._functions.pop(name, None)
            elif callable(function):
                self._functions[name] = function
            else:
                raise ConfigurationError(f"Cannot register function {name!r}: {function!r} cannot be called.")

    # -- Tools ---------------------------------------------------------------------------------------------------

    def register_for_llm(
        self, *, name: str | None = None, description: str | None = None, api_style: Style = "tool"
    ) -> Callable[[_F], _F]:
        """A decorator that lets this agent's model propose calls of a function; its schema is made of the type hints.

        Without `description` the docstring says what the function does. `api_style="function"` is the legacy form.
        """
        return lambda function: tool_use.offer(self, function, name, description, api_style)

    def register_for_execution(self, name: str | None = None) -> Callable[[_F], _F]:
        """A decorator that lets this agent call a function when a model proposes it, with arguments that are checked."""
        return lambda function: tool_use.take(self, function, name)

    def tool(
        self,
        function: Any = None,
        *,
        name: str | None = None,
        description: str | None = None,
        external: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """Make a function a tool of this agent: a decorator, with arguments or without.

        Its model may propose calls. Who receives the call makes it: with a function of its own of that name, otherwise
        with this one. In a group, where this agent may receive it itself, it makes the call too. The policies on tools
        of both rule. For `external` and `timeout` see `Tool`.
        """
        options = {"name": name, "description": description, "external": external, "timeout": timeout}
        if function is None:
            return lambda given: tool_use.own(self, given, **options)
        return tool_use.own(self, function, **options)

    def use(self, *tools: Any) -> Self:
        """Make functions, `Tool`s and all that servers offer (`MCPServer`) tools of this agent, as `tool` does; the agent.

        A server is started if it does not run. Its tools are those of now; to use it again is to read them anew. Names that
        the agent has already begin with that of the server. Raises `ConfigurationError` when the server does not come up.
        """
        tool_use.use(self, tools)
        return self

    def update_tool_signature(self, tool_sig: str | Mapping[str, Any], is_remove: bool = False) -> None:
        """Add a tool's JSON signature to what the model may call, replacing that of the same name, or remove it by name."""
        tool_use.update_signature(self, "tool", tool_sig, is_remove=is_remove)

    def update_function_signature(self, func_sig: str | Mapping[str, Any], is_remove: bool = False) -> None:
        """The same for the legacy `functions`."""
        tool_use.update_signature(self, "function", func_sig, is_remove=is_remove)

    def can_execute_function(self, name: str | Sequence[str]) -> bool:
        """Whether this agent has a function of this name, or of all these names."""
        return tool_use.can_execute(self, name)

    # -- The built-in reply functions, in their classic form ------------------------------------------------------

    async def _check_termination_and_human_reply(
        self, messages: Any = None, sender: Any = None, config: Any = None
    ) -> tuple[bool, Any]:
        """Ask a person, or end the chat, as `human_input_mode` and the limits say."""
        return await self._classic(reply_functions.reply_by_human, messages, sender)

    check_termination_and_human_reply, a_check_termination_and_human_reply = faces(_check_termination_and_human_reply)

    async def _generate_function_call_reply(
        self, messages: Any = None, sender: Any = None, config: Any = None
    ) -> tuple[bool, Any]:
        """Answer a legacy function call with its result."""
        return await self._classic(reply_functions.reply_by_function, messages, sender)

    generate_function_call_reply, a_generate_function_call_reply = faces(_generate_function_call_reply)

    async def _generate_tool_calls_reply(
        self, messages: Any = None, sender: Any = None, config: Any = None
    ) -> tuple[bool, Any]:
        """Answer tool calls with their results."""
        return await self._classic(reply_functions.reply_by_tools, messages, sender)

    generate_tool_calls_reply, a_generate_tool_calls_reply = faces(_generate_tool_calls_reply)

    async def _generate_code_execution_reply(
        self, messages: Any = None, sender: Any = None, config: Any = None
    ) -> tuple[bool, Any]:
        """Answer code with the result of running it. `config` may replace the agent's `code_execution_config`."""
        other = CodeConfig.from_classic(config) if config is not None else None
        if other is not None and self.code_config is not None:
            other = replace(other, policy=other.strictest(self.code_config.policy))
        talk = Talk.from_dicts(messages) if messages is not None else self._memory.talk_with(sender)
        reply = await reply_functions.reply_by_code(self, talk, sender, other)
        return reply.final, reply.to_classic()

    generate_code_execution_reply, a_generate_code_execution_reply = faces(_generate_code_execution_reply)

    async def _generate_oai_reply(
        self, messages: Any = None, sender: Any = None, config: Any = None
    ) -> tuple[bool, Any]:
        """Answer with what the model says."""
        return await self._classic(reply_functions.reply_by_model, messages, sender)

    generate_oai_reply, a_generate_oai_reply = faces(_generate_oai_reply)

    async def _classic(self, core: Core[..., Reply], messages: Any, sender: Any) -> tuple[bool, Any]:
        talk = Talk.from_dicts(messages) if messages is not None else self._memory.talk_with(sender)
        if not talk.messages:
            return False, None
        reply = await core(self, talk, sender)
        return reply.final, reply.to_classic()


def _is_same(function: Any, other: Any) -> bool:
    """Whether two reply functions are the same one; the two faces of a method are."""
    return bool(function == other) or (core_of(function) is not None and core_of(function) is core_of(other))


def _is_someone(sender: Any) -> bool:
    return sender is not None


_BUILT_IN: tuple[Callable[..., Any], ...] = (
    ResponsiveAgent.check_termination_and_human_reply,
    ResponsiveAgent.generate_function_call_reply,
    ResponsiveAgent.generate_tool_calls_reply,
    ResponsiveAgent.generate_code_execution_reply,
    ResponsiveAgent.generate_oai_reply,
)
_REPLY_CORES: dict[Any, Core[..., Reply]] = dict(
    zip(
        map(core_of, _BUILT_IN),
        (
            reply_functions.reply_by_human,
            reply_functions.reply_by_function,
            reply_functions.reply_by_tools,
            reply_functions.reply_by_code,
            reply_functions.reply_by_model,
        ),
        strict=True,
    )
)


def _is_terminate(message: Mapping[str, Any]) -> bool:
    """Whether the sender says that it is done; what code or a tool has put out is not what it says."""
    said = Message.from_dict(message)
    return said.role not in ("function", "tool") and not _CODE_RESULT.match(said.text) and is_terminate(said.text)


def _check_agent(value: Any) -> None:
    if not isinstance(value, ResponsiveAgent):
        raise ConfigurationError(
            f"Cannot talk to {value!r}: it is no agent. Give an agent, such as AssistantAgent('assistant')."
        )
