"""The agent that stands for a group: what it receives, the group hears, and it lets its members talk."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from jupyter_agents.agents.begun import begun_since_last_message
from jupyter_agents.agents.clearing import obeyed
from jupyter_agents.agents.faces import call_hook, call_of, faces
from jupyter_agents.agents.group_chat import GroupChat
from jupyter_agents.agents.history import Talk
from jupyter_agents.agents.memory import Opening, in_chat, memory_of
from jupyter_agents.agents.reply_chain import passing_over
from jupyter_agents.agents.reply_functions import LAST_WORD, Judged, who_says_so
from jupyter_agents.agents.responsive import ResponsiveAgent
from jupyter_agents.conversation import begin_progress, hold_chat, open_run, send
from jupyter_agents.effects import Emit, Hold
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import HumanAnswered, Noted, Relayed, SpeakerChosen
from jupyter_agents.messages import Message
from jupyter_agents.models.base import Model
from jupyter_agents.replies import Reply
from jupyter_agents.run import Run, ThisRun, ThisTask
from jupyter_agents.termination import EndedBy, Ending, HumanInputMode


class GroupChatManager(ResponsiveAgent):
    """An agent that leads a group: it passes on what is said, and gives the word to one member after another.

    To talk with a group, begin a chat with its manager. Its model chooses the speakers (without one, they speak in
    turns); it must have no functions. A manager may itself be in a group: its team then talks about what it hears
    in a chat of its own, and the last message of that is its reply.

    >>> from jupyter_agents import AssistantAgent, UserProxyAgent
    >>> from jupyter_agents.testing import ScriptedModel
    >>> user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    >>> poet = AssistantAgent("Poet", llm_config=ScriptedModel(["Snow falls. TERMINATE"]))
    >>> group = GroupChat([user, poet], speaker_selection_method="round_robin")
    >>> result = user.initiate_chat(GroupChatManager(group, llm_config=False), message="A haiku, please.", silent=True)
    >>> result.messages[-1]["name"], result.ended_by
    ('Poet', <EndedBy.TERMINATION: 'termination message'>)
    """

    def __init__(
        self,
        groupchat: GroupChat,
        name: str = "chat_manager",
        max_consecutive_auto_reply: int | None = sys.maxsize,
        human_input_mode: HumanInputMode = "NEVER",
        system_message: str = "Group chat manager.",
        *,
        llm_config: Mapping[str, Any] | Model | bool | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(groupchat, GroupChat):
            raise ConfigurationError(
                f"Cannot manage {groupchat!r}: it is no GroupChat. Build one of your agents first."
            )
        options.setdefault("code_execution_config", False)
        super().__init__(
            name,
            system_message,
            max_consecutive_auto_reply=max_consecutive_auto_reply,
            human_input_mode=human_input_mode,
            llm_config=llm_config,
            **options,
        )
        for key in ("functions", "tools"):
            if self.request_options.get(key):
                raise ConfigurationError(
                    f"Cannot build the manager {name!r}: its llm_config has {key!r}, but it only chooses speakers. "
                    "Give the functions to the agents of the group."
                )
        self._groupchat = groupchat
        self.register_auto_reply([_is_anyone, None], GroupChatManager.run_chat, 0, groupchat, GroupChat.reset)

    @property
    def groupchat(self) -> GroupChat:
        """The group that it leads."""
        return self._groupchat

    @property
    def last_speaker(self) -> Any:
        """Who of the group spoke last; the manager itself where nobody has yet."""
        return self._groupchat.last_speaker or self

    async def _run_chat(
        self,
        messages: Sequence[Mapping[str, Any]] | None = None,
        sender: Any = None,
        config: GroupChat | None = None,
    ) -> Reply:
        """Have the group talk about the last message, until its chat ends. A reply function, for any agent.

        It gives the pair `(True, reply)`: no reply but where the sender is a group itself, which is told the last word.
        """
        group = config or getattr(self, "groupchat", None)
        if group is None:
            raise ConfigurationError(
                f"Cannot run a group chat: {self.name!r} has no group. Register run_chat with config=GroupChat(…)."
            )
        said = messages if messages is not None else self.chat_messages[sender]
        if not said:
            return Reply(True, None)
        talk = GroupTalk(self, group)
        first = Message.from_dict(said[-1])
        if isinstance(sender, GroupChatManager) and sender.groupchat is not group:
            return await talk.hold_apart(first, sender)
        return Reply(True, None, ending=await talk.hold(first, sender))

    run_chat, a_run_chat = faces(_run_chat)

    async def _resume(
        self,
        messages: str | Sequence[Mapping[str, Any]],
        remove_termination_string: str | Callable[[str], str] | None = None,
        silent: bool | None = False,
    ) -> tuple[Any, dict[str, Any]]:
        """Bring the group to where an earlier chat had come: `messages` of a `GroupChat`, or their JSON.

        Gives the last speaker and the last message, for `speaker.initiate_chat(manager, message=…,
        clear_history=False)`. Whatever of `remove_termination_string` stands in the last message is taken out.
        Somebody from outside may have begun. Raises `ConfigurationError` for other messages of somebody who is not in the
        group, and then changes nothing.
        """
        said = self._given_messages(messages)
        speakers = [self._beginner_of(said), *map(self._speaker_of, said[1:])]
        said[-1] = _without(said[-1], remove_termination_string)
        earlier = [_named(one, speaker) for one, speaker in zip(said[:-1], speakers, strict=False)]
        self._groupchat.reset()
        for message, speaker in zip(said[:-1], speakers, strict=False):
            self._groupchat.append(message, speaker)
        for member in self._groupchat.agents:
            is_own = [speaker is member for speaker in speakers[:-1]]
            memory_of(member).load(self, Talk(zip(is_own, earlier, strict=True)))
            memory_of(self).load(member, Talk((not own, one) for own, one in zip(is_own, earlier, strict=True)))
        self._groupchat.last_speaker = speakers[-1]
        return speakers[-1], said[-1]

    resume, a_resume = faces(_resume)

    def messages_to_string(self, messages: Sequence[Mapping[str, Any]] | None = None) -> str:
        """Messages (those of the group, if none are given) as JSON."""
        return json.dumps([dict(one) for one in (self._groupchat.messages if messages is None else messages)])

    def messages_from_string(self, text: str) -> list[dict[str, Any]]:
        """Messages from that JSON. Raises `ConfigurationError` for what is no list of messages."""
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ConfigurationError(
                f"Cannot read the messages: they are no JSON ({error}). Give what messages_to_string() gave."
            ) from error
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise ConfigurationError(
                "Cannot read the messages: the JSON is no list of messages. See messages_to_string()."
            )
        return found

    def _given_messages(self, given: Any) -> list[dict[str, Any]]:
        """The messages from which a chat is to be resumed, as dictionaries of our own."""
        if isinstance(given, str):
            given = self.messages_from_string(given)
        is_list = isinstance(given, Iterable) and not isinstance(given, Mapping)
        said = list(given) if is_list else []
        if not is_list or not all(isinstance(one, Mapping) for one in said):
            raise ConfigurationError(
                f"Cannot resume the chat from {given!r}: that is no list of messages. Give those of a group chat, or what "
                "messages_to_string() gave."
            )
        if not said:
            raise ConfigurationError("Cannot resume the chat: there are no messages. Give those of a group chat.")
        return [dict(one) for one in said]

    def _beginner_of(self, said: Sequence[Mapping[str, Any]]) -> Any:
        """Who has spoken first: also somebody from outside, who is not to say it again where others have spoken since."""
        name = said[0].get("name")
        is_member = any(one.name == name for one in (*self._groupchat.agents, self))
        if is_member or not isinstance(name, str):
            return self._speaker_of(said[0])
        known = next((one for one in self.chat_messages if one.name == name), None)
        if known is None and len(said) == 1:
            raise ConfigurationError(
                f"Cannot resume the chat: all that was said is by {name!r}, who is not in the group. Begin it anew: "
                "that agent's initiate_chat(manager, message=…)."
            )
        return known or SimpleNamespace(name=name)

    def _speaker_of(self, message: Mapping[str, Any]) -> Any:
        everyone = [*self._groupchat.agents, self]
        name = message.get("name")
        found = next((one for one in everyone if one.name == name), None)
        if found is None:
            raise ConfigurationError(
                f"Cannot resume the chat: a message is by {name!r}, and the group has "
                f"{', '.join(self._groupchat.agent_names)}. Resume it with a group of the same agents."
            )
        return found


class GroupTalk:
    """One talk of a group. The manager may be any agent: it is whom the members hear and answer."""

    def __init__(self, manager: Any, group: GroupChat) -> None:
        self._manager, self._group = manager, group

    async def hold(self, message: Message, speaker: Any) -> Ending:
        """Pass on a message, give the word to the next, and so on; why it ended."""
        run = await ThisRun()
        await self._note_turns(run)
        await self._introduce(run)
        return await self._rounds(run, message, speaker)

    async def go_on(self, message: Message, speaker: Any, *, is_heard: bool = True, following: Any = None) -> Ending:
        """The same, where this was said before: the others have heard it, or not. `following` speaks first, if given."""
        run = await ThisRun()
        await self._note_turns(run)
        if is_heard:
            speaker, message, ending = await self._turn(run, speaker, following)
            if ending is not None:
                return ending
        return await self._rounds(run, message, speaker)

    async def _rounds(self, run: Run, message: Message, speaker: Any) -> Ending:
        for round_ in range(1, self._group.max_round + 1):
            await self._hear(run, message, speaker)
            ending = await self._ending_after(message) if speaker is not self._manager else None
            if ending is not None or round_ == self._group.max_round:
                return ending or Ending(EndedBy.MAX_ROUNDS, f"{round_} messages in the group")
            speaker, message, ending = await self._turn(run, speaker)
            if ending is not None:
                return ending
        raise AssertionError("a round is the last one")

    async def _turn(self, run: Run, last: Any, following: Any = None) -> tuple[Any, Message, Ending | None]:
        """Who speaks after `last`, and what; with why the chat ends after it, if it does."""
        progress = run.state.progress or begin_progress(run)
        await Hold()
        speaker, said = await self._next(run, last, following)
        if said.message is None:
            return speaker, Message(""), said.ending
        await send(run, speaker, self._manager, said)
        ending = said.ends_after or progress.ending(max(len(self._group.agents), 2))
        if ending is not None:
            await self._hear(run, said.message, speaker)
        return speaker, said.message, ending

    async def hold_apart(self, message: Message, sender: Any) -> Reply:
        """The same in a chat of its own, nested in the one of another group; the last word is the team's reply."""
        parent = await ThisRun()
        run = await open_run(None, silent=False, budget=None)
        with in_chat(sender, self._manager, run, Opening(), parent) as run:
            result = await hold_chat(sender, self._manager, self.hold(message, sender), run, parent.chat)
        if len(result) == 0:
            return Reply(True, None, ending=Ending(EndedBy.NO_REPLY, f"the team {self._manager.name} said nothing"))
        return Reply(True, Message.from_dict(result.summary))

    # -- A round -------------------------------------------------------------------------------------------------

    async def _hear(self, run: Run, message: Message, speaker: Any) -> None:
        """Note a message, and let everybody but its speaker know of it."""
        self._group.append(message.to_dict(), speaker)
        self._group.last_speaker = speaker
        others = [one for one in self._group.agents if one is not speaker]
        await self._relay(run, _named(message, speaker), others)

    async def _relay(self, run: Run, message: Message, others: list[Any]) -> None:
        for one in others:
            await one.attach(run, self._manager)
            await self._manager.attach(run, one)
        keys = tuple(run.log.key_of(one) for one in others)
        await Emit(Relayed(run.chat, run.log.key_of(self._manager), keys, message))

    async def _ending_after(self, message: Message) -> Ending | None:
        judged = Judged(message.to_dict() | {"content": message.text}, message)
        is_last = await call_of(LAST_WORD, self._manager, self._manager.is_termination_msg, judged)
        return Ending(EndedBy.TERMINATION, who_says_so(self._manager, message)) if is_last else None

    async def _next(self, run: Run, speaker: Any, following: Any = None) -> tuple[Any, Reply]:
        """The next speaker, and what it says; after an interrupt that is the admin, if there is one."""
        admin = next((one for one in self._group.agents if one.name == self._group.admin_name), None)
        if admin is None:
            return await self._next_of(run, speaker, following)
        try:
            with run.control.taking_interrupt(await ThisTask()):
                return await self._next_of(run, speaker, following)
        except KeyboardInterrupt:
            if run.control.is_stopping:
                raise
        self._note_begun(run)
        return admin, await self._ask(run, admin, () if admin.human_input_mode == "ALWAYS" else _DOING)

    def _note_begun(self, run: Run) -> None:
        """What members have begun when the interrupt came, they are not to do again when it is their turn later."""
        for key, begun in begun_since_last_message(run.log, run.chat).items():
            member = run.log.agent_of(key)
            begun.position = len(memory_of(member).talk_with(self._manager).messages) - 1
            run.state.begun[key] = begun

    async def _next_of(self, run: Run, speaker: Any, following: Any) -> tuple[Any, Reply]:
        """The next speaker (`following`, if given), and what it says. Where nobody may speak, that is nothing."""
        following = following or await call_hook(self._group, "select_speaker", speaker, self._manager)
        if following is None:
            return speaker, Reply(True, None, ending=_nobody_speaks(run))
        return following, await self._ask(run, following)

    async def _ask(self, run: Run, speaker: Any, exclude: Sequence[Any] = ()) -> Reply:
        run.ledger.reserve_turn()
        with passing_over(speaker, exclude):
            reply: Reply = await speaker.reply_to(self._manager)
        if self._group.enable_clear_history and reply.origin == "human":
            return await obeyed(self._manager, self._group, speaker, reply)
        return reply

    async def _note_turns(self, run: Run) -> None:
        """Say that turns are no limit here: a group speaks for as long as its manager would answer once."""
        turns = run.state.progress.limits.max_turns if run.state.progress is not None else None
        if turns is not None:
            at_most = f"GroupChat(max_round={self._group.max_round})"
            await Emit(Noted(run.chat, f"max_turns={turns} does not count in a group; {at_most} does."))

    async def _introduce(self, run: Run) -> None:
        if self._group.send_introductions:
            text = self._group.introductions_msg()
            await self._relay(run, Message(text, name=self._manager.name), list(self._group.agents))


def _nobody_speaks(run: Run) -> Ending:
    """Why nobody was chosen: a person may have ended the chat instead."""
    events = [entry.event for entry in reversed(run.log.of_chat(run.chat))]
    chosen = next((one for one in events if isinstance(one, SpeakerChosen)), None)
    if chosen is None or chosen.speaker is not None or chosen.how != "person":
        return Ending(EndedBy.NO_SPEAKER)
    return Ending(EndedBy.HUMAN, who=next((one.agent for one in events if isinstance(one, HumanAnswered)), ""))


_DOING = (
    ResponsiveAgent.generate_function_call_reply,
    ResponsiveAgent.generate_tool_calls_reply,
    ResponsiveAgent.generate_code_execution_reply,
)
"""Reply functions that do what a message asks for. What a person has interrupted, nobody shall begin again unasked."""


def _named(message: Message | Mapping[str, Any], speaker: Any) -> Message:
    """A message that says who spoke it, as it is passed on. The name in a function's result is the function's."""
    found = Message.from_dict(message)
    if found.role == "function" or speaker is None:
        return found
    return replace(found, name=speaker.name)


def _without(message: dict[str, Any], removed: str | Callable[[str], str] | None) -> dict[str, Any]:
    text = message.get("content")
    if removed is None or not isinstance(text, str):
        return message
    return message | {"content": removed(text) if callable(removed) else text.replace(removed, "").rstrip()}


def _is_anyone(sender: Any) -> bool:
    return sender is not None
