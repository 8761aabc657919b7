"""An agent that stands for a whole inner chat: whom it answers sees one voice, behind it a group has talked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jupyter_agents.agents.asides import ask_aside
from jupyter_agents.agents.faces import call, call_of, core_of, faces
from jupyter_agents.agents.group_chat_manager import GroupChatManager
from jupyter_agents.agents.history import Talk
from jupyter_agents.agents.memory import memory_of, wait_for_pair
from jupyter_agents.agents.message_units import as_text
from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.messages import Message
from jupyter_agents.replies import NEXT, Reply
from jupyter_agents.run import ThisRun
from jupyter_agents.termination import EndedBy, Ending

_ASIDE = "preparing the reply"
_PROMPT = (
    "Now answer the request yourself, in a reply that stands alone. Whoever reads it knows nothing of the discussion: do "
    "not mention it, nor those who took part."
)
_FRAME = """\
You were asked this:

<request>
{request}
</request>

A team of yours has discussed it:

<discussion>
{discussion}
</discussion>

{prompt}"""

_OFF = ((4, "code_execution_config"), (5, "llm_config"))
"""What is off unless it is given, and where it stands among the positional arguments."""

Preparer = str | Callable[[Any, list[dict[str, Any]]], Any] | None


class SocietyOfMindAgent(ResponsiveAgent):
    """An agent that holds an inner chat about what it hears, and replies with what that came to.

    `chat_manager` leads the group that talks; the group begins anew each time, knowing what was said outside. Its chat is
    nested in the one around it, with one log and one budget.

    `response_preparer` makes the reply: a prompt for this agent's model, which is shown the discussion, or a function of (agent,
    messages), plain or async, that gives a text or a message. Without one the model is asked in words of ours; without
    a model the last message of the group is the reply.

    What follows are the arguments of `ResponsiveAgent` after its `system_message`, in their order; no model speaks for the
    agent, and it runs no code, unless they say so.

    >>> from jupyter_agents import AssistantAgent, GroupChat
    >>> from jupyter_agents.testing import ScriptedModel
    >>> poet = AssistantAgent("Poet", llm_config=ScriptedModel(["Snow falls. TERMINATE"]))
    >>> manager = GroupChatManager(GroupChat([poet], speaker_selection_method="round_robin"), llm_config=False)
    >>> society = SocietyOfMindAgent("Society", manager, llm_config=False)
    >>> user = ResponsiveAgent("user", human_input_mode="NEVER", llm_config=False)
    >>> user.initiate_chat(society, message="A haiku, please.", max_turns=1, silent=True).summary
    'Snow falls.'
    """

    def __init__(
        self,
        name: str,
        chat_manager: GroupChatManager,
        response_preparer: Preparer = None,
        *args: Any,
        system_message: str = "",
        **options: Any,
    ) -> None:
        for place, option in _OFF:
            if len(args) <= place:
                options.setdefault(option, False)
        super().__init__(name, system_message, *args, **options)
        self.update_chat_manager(chat_manager)
        self.response_preparer = self._checked(response_preparer)
        reply = SocietyOfMindAgent.generate_inner_monologue_reply
        self.register_auto_reply([_is_anyone, None], reply, position=self._before_the_model())

    @property
    def chat_manager(self) -> GroupChatManager:
        """Who leads the group."""
        return self._chat_manager

    def update_chat_manager(self, chat_manager: GroupChatManager) -> None:
        """Let another group talk from the next message on."""
        if not isinstance(chat_manager, GroupChatManager):
            raise ConfigurationError(
                f"Cannot let {self.name!r} stand for {chat_manager!r}: it leads no group. Give a GroupChatManager."
            )
        if any(one is self for one in chat_manager.groupchat.agents):
            raise ConfigurationError(
                f"Cannot let {self.name!r} stand for a group that it is in itself: it would talk with itself without end. "
                "Take it out of the group."
            )
        self._chat_manager = chat_manager

    async def _generate_inner_monologue_reply(
        self, messages: Sequence[Mapping[str, Any]] | None = None, sender: Any = None, config: Any = None
    ) -> Reply:
        """What the group's talk about the last message comes to. A reply function; it gives the pair `(True, reply)`."""
        heard = [dict(one) for one in (self.chat_messages[sender] if messages is None else messages)]
        if not heard:
            return NEXT
        await wait_for_pair(self, self._chat_manager, await ThisRun())
        self.check_free(self._chat_manager)  # the group may be talking: it must not forget what about
        self._begin_anew(heard[:-1], sender)
        said = Message.from_dict(heard[-1])
        opening = {"content": said.to_dict()["content"] if said.text else as_text(heard[-1])}
        held = await call(self.initiate_chat, self._chat_manager, message=opening, clear_history=False)
        inner = [dict(one) for one in self._chat_manager.groupchat.messages[1:]]
        if not inner:
            by = held.ended_by if held.ended_by is EndedBy.BUDGET else EndedBy.NO_REPLY
            return Reply(True, None, ending=Ending(by, f"the group of {self.name} said nothing: {held.ended_by}"))
        return await self._prepared(as_text(heard[-1]), inner, held.summary)

    generate_inner_monologue_reply, a_generate_inner_monologue_reply = faces(_generate_inner_monologue_reply)

    # -- The inner chat --------------------------------------------------------------------------------------------

    def _begin_anew(self, earlier: list[dict[str, Any]], sender: Any) -> None:
        """The group forgets what it has talked about, and knows what was said outside before; other talks stay."""
        manager = self._chat_manager
        manager.groupchat.reset()
        _forget(manager, self)
        _forget(self, manager)
        messages = [self._attributed(one, sender) for one in earlier]
        for member in manager.groupchat.agents:
            for one, other, is_own in ((member, manager, False), (manager, member, True)):
                _forget(one, other)
                if messages:
                    memory_of(one).load(other, Talk((is_own, message) for message in messages))

    def _attributed(self, message: Mapping[str, Any], sender: Any) -> Message:
        """A message of the chat outside, with who said it; calls there are words here, since nobody here answers them."""
        speaker = self.name if message.get("role") == "assistant" else getattr(sender, "name", "user")
        said = Message.from_dict({"content": "", **message} if message.get("content") is None else message)
        is_plain = said.role is None and not said.calls and not said.tool_responses
        content = said.content if is_plain else as_text(message).partition(": ")[2]
        return Message(content, name=said.name if is_plain and said.name else speaker)

    # -- The reply -------------------------------------------------------------------------------------------------

    async def _prepared(self, request: str, inner: list[dict[str, Any]], last: str) -> Reply:
        prepare = self.response_preparer
        if callable(prepare):
            return Reply(True, Message.from_dict(await call_of("the response_preparer", self, prepare, self, inner)))
        if self.model is None:
            return Reply(True, Message(last))
        return await self._by_model(prepare or _PROMPT, request, inner)

    async def _by_model(self, prompt: str, request: str, inner: list[dict[str, Any]]) -> Reply:
        discussion = "\n\n".join(map(as_text, inner))
        asked = _FRAME.format(request=request.partition(": ")[2], discussion=discussion, prompt=prompt)
        reply = await ask_aside(self, [*self.system_wire(), {"role": "user", "content": asked}], _ASIDE)
        said = replace(reply, tool_calls=(), function_call=None).to_message()
        return Reply.of_model(said, reply)

    def _checked(self, prepare: Preparer) -> Preparer:
        if isinstance(prepare, str) and self.model is None:
            raise ConfigurationError(
                f"Cannot have {self.name!r} prepare replies by a prompt: it has no model. Give it an llm_config, or a function "
                "as response_preparer."
            )
        if prepare is not None and not isinstance(prepare, str) and not callable(prepare):
            raise ConfigurationError(
                f"Cannot use response_preparer={prepare!r}: give a prompt, a function of (agent, messages), or None."
            )
        return prepare

    def _before_the_model(self) -> int:
        """The place in the list of reply functions of the one that asks the model: the group talks instead of it."""
        core = core_of(ResponsiveAgent.generate_oai_reply)
        return next(at for at, one in enumerate(self._reply_functions) if core_of(one.function) is core)


def _forget(one: Any, other: Any) -> None:
    memory_of(one).forget(other)
    memory_of(one).count_anew(other)


def _is_anyone(sender: Any) -> bool:
    return sender is not None
