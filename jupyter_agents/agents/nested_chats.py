"""A reply that comes of other chats: who receives a message talks it over elsewhere, and answers with what that came to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jupyter_agents.agents.chat_queue import hold_queue
from jupyter_agents.agents.faces import call_of, faces
from jupyter_agents.agents.openings import carried_over
from jupyter_agents.agents.queued_chat import read_queue
from jupyter_agents.agents.summaries import REFLECTION, Summary, could_not_be_made, reflect
from jupyter_agents.effects import Emit
from jupyter_agents.errors import ConfigurationError, RecordingError
from jupyter_agents.events import Noted
from jupyter_agents.messages import Message
from jupyter_agents.nearest import nearest
from jupyter_agents.replies import NEXT, Reply
from jupyter_agents.run import ThisRun

BY_SUMMARY = "summary_from_nested_chats"
_USUAL_POSITION = 2
_CONFIG = "carryover_config"
_around: ContextVar[frozenset[tuple[int, int]]] = ContextVar("jupyter_agents_nested_chats", default=frozenset())
"""The registrations whose chats are under way here, each with the ids of those who talk in them."""


def register(
    agent: Any,
    chat_queue: Sequence[Mapping[str, Any]],
    trigger: Any,
    reply_func: str | Callable[..., Any],
    position: int,
    config: Any,
    reset_config: Callable[[Any], None] | None,
) -> None:
    """Have an agent answer with nested chats. Raises `ConfigurationError` for chats that could not be held."""
    if isinstance(position, bool) or not isinstance(position, int) or position < 0:
        raise ConfigurationError(
            f"Cannot register nested chats at position {position!r}: give a whole number from 0 on."
        )
    nested = NestedChats(agent, chat_queue, reply_func)
    index = _after_the_person(agent) if position == _USUAL_POSITION else position
    agent.register_auto_reply(trigger, nested.reply_function(), index, config, reset_config)


class NestedChats:
    """Chats in which an agent finds out what to reply."""

    def __init__(
        self, agent: Any, chat_queue: Sequence[Mapping[str, Any]], reply_func: str | Callable[..., Any]
    ) -> None:
        _check_function(reply_func)
        read_queue([] if chat_queue is None else chat_queue, agent, is_nested=True)
        self._queue = [dict(one) for one in chat_queue]
        if not self._queue:
            raise ConfigurationError("Cannot register nested chats: the queue is empty. Give at least one chat.")
        for number, entry in enumerate(self._queue, 1):
            _check_carryover(number, entry)
        self._reply_func = None if reply_func == BY_SUMMARY else reply_func

    def reply_function(self) -> Callable[..., Any]:
        """The reply function that holds them, for both drivers."""

        async def nested_chats(
            recipient: Any, messages: Any = None, sender: Any = None, config: Any = None
        ) -> tuple[bool, Any] | Reply:
            if (id(self), id(sender)) in _around.get():
                return NEXT
            with self._held():
                if callable(self._reply_func):
                    queue = [dict(one) for one in self._queue]
                    given = queue, recipient, messages, sender, config
                    answer: tuple[bool, Any] = await call_of(
                        "reply_func_from_nested_chats", recipient, self._reply_func, *given
                    )
                    return answer
                return await self._reply_by_summary(recipient, messages or [], sender, config)

        return faces(nested_chats)[0]

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Know, inside the block, that these chats are under way: what is said in them is no reason to hold them again."""
        others = {id(one[who]) for one in self._queue for who in ("sender", "recipient") if one.get(who) is not None}
        token = _around.set(_around.get() | {(id(self), other) for other in others})
        try:
            yield
        finally:
            _around.reset(token)

    async def _reply_by_summary(self, recipient: Any, messages: list[Any], sender: Any, config: Any) -> Reply:
        entries = await self._entries(recipient, messages, sender, config)
        if not entries:
            return NEXT
        results = await hold_queue(read_queue(entries, recipient))
        if not results:  # a person has stopped them
            return NEXT
        last = list(results.values())[-1] if isinstance(results, dict) else results[-1]
        return Reply(True, Message.from_dict(last.summary))

    async def _entries(self, recipient: Any, messages: list[Any], sender: Any, config: Any) -> list[dict[str, Any]]:
        """The chats to be held, with their messages. One that has none is passed over, and the transcript says so."""
        found: list[dict[str, Any]] = []
        for number, entry in enumerate(self._queue, 1):
            message, heard = entry.get("message"), messages
            if message is None and number == 1:
                message, heard = _content_of(messages), messages[:-1]
            if callable(message):
                role = f"the message of nested chat {number}"
                message = await call_of(role, recipient, message, recipient, messages, sender, config)
            if message:
                found.append(await _with_context({**entry, "message": message}, recipient, heard))
            elif number > 1:
                name = entry["recipient"].name
                await _warn(f"Nested chat {number}, of {recipient.name} and {name}, has no message and is not held.")
        return _without_missing(found)


def _content_of(messages: Sequence[Mapping[str, Any]]) -> Any:
    """What was said last: a text, or a message of several parts."""
    content = messages[-1].get("content") if messages else None
    return content if content is None or isinstance(content, str) else {"content": content}


def _without_missing(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries without the prerequisites that are not held."""
    held = [one.get("chat_id") for one in entries]
    keys = ("prerequisites", "finished_chat_indexes_to_exclude_from_carryover")
    for entry in entries if any(one is not None for one in held) else ():
        entry |= {key: [one for one in entry[key] if one in held] for key in keys if entry.get(key)}
    return entries


def _after_the_person(agent: Any) -> int:
    """The place in the list of reply functions after the one that asks a person, and ends chats."""
    names = [getattr(one.function, "__name__", "") for one in agent._reply_functions]
    return next((at for at, name in enumerate(names, 1) if name == "check_termination_and_human_reply"), len(names))


# -- What was said before, carried over into a nested chat --------------------------------------------------------


async def _with_context(entry: dict[str, Any], agent: Any, heard: list[dict[str, Any]]) -> dict[str, Any]:
    """An entry in which its `carryover_config` has become a `carryover`, beside what it carries over anyway."""
    config = entry.pop(_CONFIG, None)
    if config is None or not heard:
        return entry
    try:
        text = await _summed_up(config, agent, heard)
    except RecordingError:
        raise
    except Exception as error:  # noqa: BLE001 - the chat is held without it, as it is where a summary fails
        await _warn(f"Nothing is carried over into the nested chat: {could_not_be_made(error)}.")
        return entry
    return entry | {"carryover": carried_over(entry.get("carryover")) + carried_over(text)}


async def _summed_up(config: Mapping[str, Any], agent: Any, heard: list[dict[str, Any]]) -> str | list[str]:
    method, args = config.get("summary_method", "last_msg"), config.get("summary_args") or {}
    if method == "last_msg":
        return _line(heard[-1])
    if method == "all":
        return [_line(one) for one in heard]
    if method == REFLECTION:
        return await reflect(agent, heard, args)
    given = agent, [dict(one) for one in heard], dict(args)
    return str(await call_of("the summary_method", agent, method, *given))


def _line(message: Mapping[str, Any]) -> str:
    return Message.from_dict({"content": "", **message} if message.get("content") is None else message).text


async def _warn(text: str) -> None:
    run = await ThisRun()
    await Emit(Noted(run.chat, text, level="warning"))


# -- What can be registered --------------------------------------------------------------------------------------


def _check_function(reply_func: Any) -> None:
    if callable(reply_func) or reply_func == BY_SUMMARY:
        return
    meant = nearest(str(reply_func), [BY_SUMMARY])
    raise ConfigurationError(
        f"Cannot register nested chats: reply_func_from_nested_chats is {reply_func!r}. Use {BY_SUMMARY!r}"
        + ("." if meant else ", or a function of (chat_queue, recipient, messages, sender, config).")
    )


def _check_carryover(number: int, entry: Mapping[str, Any]) -> None:
    config = entry.get(_CONFIG)
    if config is None:
        return
    if not isinstance(config, Mapping) or config.keys() - {"summary_method", "summary_args"}:
        raise ConfigurationError(
            f"Cannot use the {_CONFIG} {config!r} of nested chat {number}: give a dictionary of summary_method and summary_args."
        )
    method = config.get("summary_method", "last_msg")
    try:
        Summary("last_msg" if method == "all" else method, config.get("summary_args") or {})
    except ConfigurationError as error:
        raise ConfigurationError(f"Cannot use the {_CONFIG} of nested chat {number}: {error}") from None
