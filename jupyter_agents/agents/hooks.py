"""Hooks: functions that change what an agent hears or says on its way; and capabilities, which are more than a function.

A hook changes what the reply functions are shown, or what is sent. What was said before stays as it is: the log keeps
what was sent, and no hook can change it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_agents.agents.faces import call_of
from jupyter_agents.agents.history import Talk, as_classic
from jupyter_agents.culprits import was_in
from jupyter_agents.errors import ConfigurationError, InvalidMessageError
from jupyter_agents.messages import Message
from jupyter_agents.nearest import nearest
from jupyter_agents.replies import Reply
from jupyter_agents.run import ThisRun

if TYPE_CHECKING:
    from jupyter_agents.agents.reply_chain import ReplyChain

T = TypeVar("T")

LAST, ALL, SENDING = (
    "process_last_received_message",
    "process_all_messages_before_reply",
    "process_message_before_send",
)
_TAKES = {LAST: "(content)", ALL: "(messages)", SENDING: "(sender, message, recipient, silent)"}


class Capability:
    """Something that an agent can do besides: it may look at what the agent hears, and change what its model reads.

    Both methods are coroutines, driven with the chat. A subclass defines what it needs.
    """

    @property
    def not_kept(self) -> tuple[str, ...]:
        """The names of its settings that the state of an agent cannot hold, where the agent's class gives it anew."""
        return ()

    def add_to_agent(self, agent: Any) -> None:
        """Give it to an agent; it may be given to several. Raises `ConfigurationError` for one that has it."""
        if not isinstance(getattr(agent, "capabilities", None), list):
            raise ConfigurationError(f"Cannot add a {type(self).__name__} to {agent!r}: it is no agent. Give an agent.")
        if any(one is self for one in agent.capabilities):
            raise ConfigurationError(
                f"Cannot add this {type(self).__name__} to {agent.name!r}: it has it. Add it once, or make another one."
            )
        agent.capabilities.append(self)

    async def hear(self, agent: Any, talk: Talk, sender: Any) -> None:
        """Take note of what the agent has been told, before it answers."""

    async def before_model(self, agent: Any, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the agent's model is to read instead of these messages. Their dictionaries are not to be changed."""
        return messages


def register(agent: ReplyChain, name: str, hook: Callable[..., Any]) -> None:
    """Add a hook after those that are there."""
    known = agent.hook_lists
    if name not in known:
        meant = nearest(str(name), known)
        raise ConfigurationError(
            f"Cannot register a hook for {name!r}: there are {', '.join(known)}."
            + (f" Use {meant!r}." if meant else "")
        )
    if not callable(hook):
        raise ConfigurationError(
            f"Cannot register the hook {hook!r}: it cannot be called. Give a function of {_TAKES[name]}."
        )
    if hook in known[name]:
        raise ConfigurationError(f"Cannot register the hook {_name(hook)} for {name}: it is there. Register it once.")
    known[name].append(hook)


# -- Before the reply chain is asked ---------------------------------------------------------------------------------


async def heard(agent: ReplyChain, talk: Talk, sender: Any) -> Talk:
    """The talk as the agent's reply functions are shown it."""
    if not talk.messages:
        return talk
    for capability in list(agent.capabilities):
        await _by(capability, agent, capability.hear(agent, talk, sender))
    hooks = agent.hook_lists
    if hooks[ALL]:
        talk = await _all_processed(agent, hooks[ALL], talk)
    if hooks[LAST] and talk.messages:
        talk = await _last_processed(agent, hooks[LAST], talk)
    return talk


async def _by(capability: Capability, agent: ReplyChain, found: Coroutine[Any, Any, T]) -> T:
    try:
        return await found
    except Exception as error:
        was_in(error, "the capability", capability, agent)
        raise


async def _all_processed(agent: ReplyChain, hooks: list[Callable[..., Any]], talk: Talk) -> Talk:
    known, pairs = talk.to_dicts(), talk.pairs()
    given = [as_classic(spoken, message) for spoken, message in pairs]  # a hook may change them
    places = {id(one): at for at, one in enumerate(given)}
    found: Any = list(given)
    for hook in list(hooks):
        found = await call_of(f"the hook {ALL}", agent, hook, found)
        if not isinstance(found, list | tuple) or not all(isinstance(one, Mapping) for one in found):
            raise _misused(ALL, hook, found, "the list of messages")
    if list(found) == known:
        return talk
    changed: list[tuple[bool, Message]] = []
    for nth, one in enumerate(found):
        at = places.get(id(one))
        if at is not None and one == known[at]:
            changed.append(pairs[at])
        else:
            spoken = one.get("role") == "assistant" if at is None else pairs[at][0]
            before = pairs[nth][1] if len(found) == len(pairs) else None
            changed.append((spoken, _still_of_model(Message.from_dict(one), before)))
    return Talk(changed)


async def _last_processed(agent: ReplyChain, hooks: list[Callable[..., Any]], talk: Talk) -> Talk:
    """Calls and their results are left alone: a server takes them only as they are."""
    last = talk.messages[-1]
    if last.calls or last.role == "tool" or last.content is None or last.text == "exit":
        return talk
    content: Any = last.to_dict()["content"]
    for hook in list(hooks):
        content = await call_of(f"the hook {LAST}", agent, hook, content)
        if not isinstance(content, str | list | tuple):
            raise _misused(LAST, hook, content, "the content: a text, or a list of parts")
    changed = replace(last, content=Message.from_dict({"content": content}).content)
    return talk if changed == last else _Reread(talk, changed)


class _Reread(Talk):
    """A talk with another last message. The rest is taken over as it is: a long talk costs no more than a short one."""

    def __init__(self, talk: Talk, last: Message) -> None:
        super().__init__()
        before, spoken = talk.messages[-1], talk.spoken[-1]
        role: Any = "assistant" if spoken else "user"
        kept = len(talk.wire) - len(before.to_wire(role))
        self._messages = [*talk.messages[:-1], last]
        self._spoken = list(talk.spoken)
        self._dicts = talk.to_dicts()[:-1]
        self._wire = [*talk.wire[:kept], *last.to_wire(role)]


# -- Before the model is asked, and before something is sent ----------------------------------------------------------


async def read_by_model(agent: ReplyChain, talk: Talk) -> list[dict[str, Any]]:
    """The wire form of a talk as the agent's model reads it, without the instructions."""
    if not agent.capabilities:
        return talk.wire
    known = talk.to_dicts()
    found = list(known)
    for capability in list(agent.capabilities):
        found = await _by(capability, agent, capability.before_model(agent, found))
    is_same = len(found) == len(known) and all(one is other for one, other in zip(found, known, strict=True))
    return talk.wire if is_same else Talk.from_dicts(found).wire


async def before_sending(agent: ReplyChain, said: Reply, recipient: Any) -> Reply:
    """What an agent sends, as its hooks want it."""
    hooks = agent.hook_lists[SENDING]
    if not hooks or said.message is None:
        return said
    run = await ThisRun()
    silent = run.state.progress is not None and run.state.progress.silent
    message: Any = said.to_classic()
    for hook in list(hooks):
        given = {"sender": agent, "message": message, "recipient": recipient, "silent": silent}
        message = await call_of(f"the hook {SENDING}", agent, hook, **given)
        try:
            Message.from_dict(message)  # whether it is one
        except InvalidMessageError as error:
            raise _misused(SENDING, hook, message, "the message: a text, or a dictionary with 'content'") from error
    if message == said.to_classic():
        return said
    return replace(said, message=_still_of_model(Message.from_dict(message), said.message))


def _still_of_model(changed: Message, before: Message | None) -> Message:
    """A message with other words, whose author is the same."""
    if before is None or changed.is_of_model:
        return changed
    return replace(changed, finish_reason=before.finish_reason)


def _misused(name: str, hook: Any, found: Any, due: str) -> ConfigurationError:
    short = repr(found)[:80]
    return ConfigurationError(
        f"Cannot use what the hook {_name(hook)} for {name} gave: {short}. Return {due}, changed or as it was."
    )


def _name(hook: Any) -> str:
    return repr(getattr(hook, "__name__", type(hook).__name__))
