"""What one agent remembers of its talk with another: a fold of the event log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_agents.agents.message_units import start_of_last
from jupyter_agents.errors import InvalidMessageError
from jupyter_agents.events import Event, EventLog, HistorySet, MessageSent, Relayed
from jupyter_agents.meant import short
from jupyter_agents.messages import Message, ToolResponse

_NO_RESULT = "There is no result: the call was not made, or not to its end."


class Talk:
    """Messages as one side sees them: which it spoke itself, and how a server is sent them."""

    def __init__(self, messages: Iterable[tuple[bool, Message]] = ()) -> None:
        self._messages: list[Message] = []
        self._spoken: list[bool] = []
        self._wire: list[dict[str, Any]] = []
        self._dicts: list[dict[str, Any]] = []
        self._pending: list[str] = []
        for spoken, message in messages:
            self._add(spoken, message)

    @classmethod
    def from_dicts(cls, messages: Iterable[Mapping[str, Any]]) -> Talk:
        """A talk given as classic dictionaries. What has the role `assistant` counts as spoken by the reader.

        Raises `InvalidMessageError` for what is no list of messages.
        """
        if isinstance(messages, str | Mapping) or not isinstance(messages, Iterable):
            raise _no_messages(messages)
        messages = list(messages)
        if not all(isinstance(one, Mapping) for one in messages):
            raise _no_messages(messages)
        return cls((one.get("role") == "assistant", Message.from_dict(one)) for one in messages)

    @property
    def messages(self) -> list[Message]:
        """The messages, oldest first. Not to be changed."""
        return self._messages

    @property
    def wire(self) -> list[dict[str, Any]]:
        """The wire form of all messages. Not to be changed: the same dictionaries go into every request."""
        return self._wire

    @property
    def spoken(self) -> list[bool]:
        """For each message whether this side spoke it."""
        return self._spoken

    def to_dicts(self) -> list[dict[str, Any]]:
        """The messages as the classic framework has them, with roles.

        The list is new at every call, its dictionaries are made once: changing them changes no message, but the
        next caller would see it.
        """
        messages, spoken = self.messages, self.spoken
        for at in range(len(self._dicts), len(messages)):
            self._dicts.append(as_classic(spoken[at], messages[at]))
        return list(self._dicts)

    def pairs(self) -> tuple[tuple[bool, Message], ...]:
        """What another talk is made from."""
        return tuple(zip(self.spoken, self.messages, strict=True))

    def last(self, number: int) -> Talk:
        """The talk without what came before its last so many messages. A call and its results stay together."""
        return Talk(self.pairs()[start_of_last(self.to_dicts(), number) :])

    def _add(self, spoken: bool, message: Message) -> None:
        self._messages.append(message)
        self._spoken.append(spoken)
        self._wire.extend(self._without_answer(message))
        self._wire.extend(message.to_wire("assistant" if spoken else "user"))
        self._pending.extend(dict.fromkeys(call.id for call in message.tool_calls if call.id))

    def _without_answer(self, message: Message) -> list[dict[str, Any]]:
        """A result for each tool call that this message leaves behind: a server refuses a request that lacks one."""
        if not self._pending:
            return []
        answered = {message.tool_call_id, *(response.tool_call_id for response in message.tool_responses)}
        left = [call_id for call_id in self._pending if call_id not in answered]
        if message.role == "tool" and not message.tool_responses:
            self._pending = left  # results that come one by one
            return []
        self._pending = []
        return [ToolResponse(call_id, _NO_RESULT).to_json() for call_id in left]


def _no_messages(given: Any) -> InvalidMessageError:
    """The error for what is no list of messages, with the list that was probably meant."""
    one = given[0] if isinstance(given, list) and given else given
    content = one.get("content", "…") if isinstance(one, Mapping) else one if isinstance(one, str) else "…"
    return InvalidMessageError(
        f"Cannot read {short(given)} as messages: it is no list of dictionaries. "
        f"Give messages=[{{'role': 'user', 'content': {short(content)}}}]."
    )


class History(Talk):
    """The part of a log that passed between two agents in some `chats`, as `me` remembers it. Follows the log as it grows."""

    def __init__(self, log: EventLog, me: str, other: str) -> None:
        super().__init__()
        self.log = log
        self.chats: set[int] = set()
        self._me, self._other = me, other
        self._cursor = len(log)

    @property
    def messages(self) -> list[Message]:
        """The messages, oldest first. Not to be changed."""
        self._refresh()
        return self._messages

    @property
    def wire(self) -> list[dict[str, Any]]:
        """The wire form of all messages. Not to be changed."""
        self._refresh()
        return self._wire

    @property
    def spoken(self) -> list[bool]:
        """For each message whether this side spoke it."""
        self._refresh()
        return self._spoken

    def _refresh(self) -> None:
        if self._cursor == len(self.log):
            return
        for event in self._news():
            if isinstance(event, MessageSent):
                self._hear(event)
            elif isinstance(event, Relayed):
                self._hear_of(event)
            elif isinstance(event, HistorySet) and (event.agent, event.counterpart) == (self._me, self._other):
                super().__init__(event.messages)

    def _news(self) -> list[Event]:
        """What has happened since the last look; not in other chats of this log, which the two may be in, too."""
        first, self._cursor = self._cursor, len(self.log)
        entries = [entry for chat in self.chats for entry in self.log.of_chat(chat, first)]
        if len(self.chats) > 1:
            entries.sort(key=lambda entry: entry.seq)
        return [entry.event for entry in entries]

    def _hear(self, event: MessageSent) -> None:
        if (event.sender, event.recipient) == (self._other, self._me):
            self._add(False, event.message)
        elif (event.sender, event.recipient) == (self._me, self._other) and event.held_by == "both":
            self._add(True, event.message)

    def _hear_of(self, event: Relayed) -> None:
        if event.by == self._other and self._me in event.to:
            self._add(False, event.message)
        elif event.by == self._me and self._other in event.to:
            self._add(True, event.message)


def as_classic(spoken: bool, message: Message) -> dict[str, Any]:
    """A message as the classic framework stores it, with the role it has for a reader who spoke it, or did not."""
    return message.to_dict() | {"role": message.role or ("assistant" if spoken or message.calls else "user")}
