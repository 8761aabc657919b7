"""Chats that an agent begins, goes on with, or takes part in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_agents.agents import chat_queue as queues
from jupyter_agents.agents import hooks, nested_chats, openings
from jupyter_agents.agents.faces import faces
from jupyter_agents.agents.keywords import check_keywords, note_unread
from jupyter_agents.agents.memory import Opening, in_chat, wait_for_pair
from jupyter_agents.agents.new_talks import NewTalk, begin_anew, new_talks
from jupyter_agents.agents.reply_chain import ReplyChain
from jupyter_agents.agents.reply_format import asked_by_key, asked_of
from jupyter_agents.agents.summaries import Summary, SummaryMethod, heard_by
from jupyter_agents.agents.templates import prepared
from jupyter_agents.budget import Budget
from jupyter_agents.conversation import (
    ChatResult,
    TurnLoop,
    check_people,
    check_person,
    check_prices,
    hold_chat,
    open_run,
)
from jupyter_agents.effects import Emit
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import MessageSent
from jupyter_agents.models.cache import to_cache
from jupyter_agents.progress import Limits, check_flag
from jupyter_agents.replies import Reply
from jupyter_agents.run import Run, ThisRun
from jupyter_agents.series import ChatResults, ChatResultsById
from jupyter_agents.termination import Condition, Ending


class ChatHolding(ReplyChain):
    """The part of an agent that talks with another one until their chat ends."""

    opening_arguments: tuple[str, ...] = ()
    """What `initiate_chat` takes for the opening of this class, beside `message` and `carryover`."""
    _chat_results: ChatResults | ChatResultsById

    async def _generate_init_message(self, **context: Any) -> str | dict[str, Any]:
        """The opening message of `initiate_chat`, from its keyword arguments: `message` and `carryover`. An override point."""
        message, texts = openings.given_message(self, context), openings.carried_over(context.get("carryover"))
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
        cache: Any = None,
        **context: Any,
    ) -> ChatResult:
        """Begin a chat with another agent and hold it to its end.

        `message` (a text, a message dictionary, or a function of sender, recipient and the other keyword arguments) opens
        it; with `None` a person is asked for it. `carryover` (a text, or a list) is put below it. Other keyword arguments
        go to `generate_init_message`; a mistyped one is refused. `max_turns` counts round trips (a group has its `max_round` instead), `termination` is a
        condition, `budget` covers nested chats too. `silent` shows nothing. Both forget what they said to each other before,
        and so does a group that one of them leads; with `clear_history=False` they go on from what they remember.

        `summary_method` says what `result.summary` is: the last message (`"last_msg"`), what a model says of the chat
        (`"reflection_with_llm"`: the recipient's, or else the sender's, with `summary_prompt` and `summary_role` in
        `summary_args`), what a function of (sender, recipient, summary_args) gives, or nothing (`None`).

        `response_format` (a pydantic model, a dataclass, a `TypedDict`, a list of these) is what the recipient's model is to reply:
        JSON of that form, which is checked, and mended aside where it does not fit. The first such reply answers the chat;
        `result.value` is its value.

        `cache` (a `Cache`, the path of one, or `True`) is asked before any model, here and in nested chats, and goes before
        those of their configs; `False` is none but those.

        Raises the errors of `jupyter_agents.errors`, with the chat so far as `result`.
        """
        _check_agent(recipient)
        check_keywords(self, context)
        for name, flag in (("clear_history", clear_history), ("silent", silent)):
            check_flag(name, flag)
        form = asked_of(recipient, response_format)
        limits, summary = (
            Limits(max_turns, termination, budget, form, False if cache is False else to_cache(cache)),
            Summary(summary_method, summary_args or {}),
        )
        summary.check(self, recipient)
        message = await openings.opening_message(self, recipient, context)
        first = None if message is None else Reply(True, message)
        opening = Opening(clear_history=clear_history, expects_replies=True)
        return await self._hold(recipient, first, limits, opening, silent=silent, summary=summary, context=context)

    initiate_chat, a_initiate_chat = faces(_initiate_chat)

    async def _initiate_chats(
        self, chat_queue: Sequence[Mapping[str, Any]], *, budget: Budget | None = None
    ) -> ChatResults | ChatResultsById:
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
        run = await open_run(log, silent=silent, budget=limits.budget, cache=limits.cache)
        limits = asked_by_key(limits, run.log, self, recipient)
        if first is None:
            check_person(self, run, f"{self.name!r} has no message to begin with", "Pass message='…'")
        speakers = self._speakers(recipient, opening, limits)
        check_people(speakers, run)
        check_prices(speakers, run)
        await wait_for_pair(self, recipient, run)
        talks = await new_talks(self, recipient, run) if opening.clear_history else []
        with in_chat(self, recipient, run, opening, parent) as run:
            told = begin_anew(talks, run.log)
            loop = TurnLoop(run, limits, silent=silent)
            talk = self._talk(loop, recipient, first, opening.request_reply, context or {}, told)
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
        told: Sequence[NewTalk] = (),
    ) -> Ending:
        await note_unread(loop.run, self, context)
        for one in told:
            await one.tell(loop.run)
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
        _check_agent(sender)
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

        with in_chat(sender, self, run, Opening(request_reply), parent) as run:
            return await hold_chat(sender, self, talk(run), run, parent.chat if run.depth > 1 else None)

    receive, a_receive = faces(_receive)


def _check_agent(value: Any) -> None:
    if not isinstance(value, ChatHolding):
        raise ConfigurationError(
            f"Cannot talk to {value!r}: it is no agent. Give an agent, such as AssistantAgent('assistant')."
        )
