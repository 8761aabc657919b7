"""What happens in a conversation, as data.

Every event is a frozen dataclass of plain JSON values. The log (an `EventLog`) numbers them; it is the only
state that a conversation has. What agents remember, what the page shows, usage and recordings are folds of it.
Agents are named by their key in the log: their name, with `#2`, `#3`… where several agents share one.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from jupyter_agents.messages import Message, Usage
from jupyter_agents.observers import tell_event


@dataclass(frozen=True, slots=True)
class Event:
    """Base of what a log holds. `chat` is the ordinal of the chat in the log: 0 for the root chat."""

    kind: ClassVar[str] = "event"
    chat: int

    def to_json(self) -> dict[str, Any]:
        """Plain data, with the kind of event."""
        return {"kind": self.kind} | {one.name: _plain(getattr(self, one.name)) for one in fields(self)}


@dataclass(frozen=True, slots=True)
class ChatStarted(Event):
    """Two agents begin to talk. `parent` is the chat in which this one is nested.

    `name` is what it is called among chats that are held as one (their `chat_id`).
    """

    kind: ClassVar[str] = "chat_started"
    initiator: str
    recipient: str
    parent: int | None = None
    name: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data; without a name where it has none."""
        found = Event.to_json(self)
        return found if self.name else {key: value for key, value in found.items() if key != "name"}


@dataclass(frozen=True, slots=True)
class ChatEnded(Event):
    """A chat is over. `ended_by` is a value of `EndedBy`; `detail` says more, for a person.

    `who` is the agent whose person has ended it, where one has.
    """

    kind: ClassVar[str] = "chat_ended"
    ended_by: str
    detail: str = ""
    who: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data; without `who` where it was nobody."""
        found = Event.to_json(self)
        return found if self.who else {key: value for key, value in found.items() if key != "who"}


@dataclass(frozen=True, slots=True)
class SeriesStarted(Event):
    """Several chats are held as one: what they share is this log, a budget and a recording.

    The series has an ordinal of its own, and is the parent of its chats. It is never nested: there the chats are.
    """

    kind: ClassVar[str] = "series_started"
    chats: int


@dataclass(frozen=True, slots=True)
class SeriesEnded(Event):
    """A series of chats is over, whatever became of them."""

    kind: ClassVar[str] = "series_ended"


@dataclass(frozen=True, slots=True)
class Summarised(Event):
    """What a chat comes to, as a model (`reflection_with_llm`) or a `function` has summed it up; `none`: not at all."""

    kind: ClassVar[str] = "summarised"
    text: str
    method: str


@dataclass(frozen=True, slots=True)
class MessageSent(Event):
    """A message went from one agent to another, and both remember it; only the recipient does when `held_by` says so.

    `origin` says who made the words: a `model`, a `human`, `code` (a result), a `tool` (a result), or the
    agent's own `program` (an opening message, a reply function, a default reply). `usage`, `replayed`, `cached` and
    `cost` (US dollars) are of the model call behind it.
    """

    kind: ClassVar[str] = "message"
    sender: str
    recipient: str
    message: Message
    origin: Literal["model", "human", "code", "tool", "program"] = "program"
    silent: bool = False
    held_by: Literal["both", "recipient"] = "both"
    usage: Usage | None = None
    model: str | None = None
    replayed: bool = False
    cached: bool = False
    cost: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data; without `cached` where it was not, and without a price that is unknown."""
        return _without_nothing(Event.to_json(self), "cached", "cost")


@dataclass(frozen=True, slots=True)
class Relayed(Event):
    """An agent (`by`: who leads a group) passed a message on to others, who remember it as said by the agent it names."""

    kind: ClassVar[str] = "relayed"
    by: str
    to: tuple[str, ...]
    message: Message


@dataclass(frozen=True, slots=True)
class SpeakerChosen(Event):
    """Who of a group speaks next (`None`: nobody may), and how that was found. `asked` counts questions to a model."""

    kind: ClassVar[str] = "speaker_chosen"
    manager: str
    speaker: str | None
    how: str
    asked: int = 0


@dataclass(frozen=True, slots=True)
class HistorySet(Event):
    """What an agent remembers of its talk with another begins anew, with `messages` as (spoken by the agent itself, message)."""

    kind: ClassVar[str] = "history_set"
    agent: str
    counterpart: str
    messages: tuple[tuple[bool, Message], ...] = ()


@dataclass(frozen=True, slots=True)
class GroupSet(Event):
    """What a group has heard begins anew, with `messages` as (who spoke, message): its chat was taken back, or it was to forget."""

    kind: ClassVar[str] = "group_set"
    manager: str
    messages: tuple[tuple[str, Message], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelAsked(Event):
    """An agent waits for its model. `messages` is the length of the request.

    `aside` is for what the model is asked, where that is not what the agent says next: choosing a speaker, summing up.
    """

    kind: ClassVar[str] = "model_asked"
    agent: str
    messages: int
    aside: str = ""


@dataclass(frozen=True, slots=True)
class ModelAnswered(Event):
    """A model replied, now or when a recording or a cache had it reply. `usage` is `None` when the server gave none."""

    kind: ClassVar[str] = "model_answered"
    agent: str
    finish_reason: str
    usage: Usage | None = None
    model: str | None = None
    replayed: bool = False
    seconds: float = 0.0
    cached: bool = False
    cost: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data; without `cached` where it was not, and without a price that is unknown."""
        return _without_nothing(Event.to_json(self), "cached", "cost")


@dataclass(frozen=True, slots=True)
class ModelFailed(Event):
    """A model did not answer usefully. `partial` is what had come of the reply, `usage` what the server said of it."""

    kind: ClassVar[str] = "model_failed"
    agent: str
    error: str
    partial: str = ""
    seconds: float | None = None
    usage: Usage | None = None
    model: str | None = None
    cost: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data; without a price that is unknown."""
        return _without_nothing(Event.to_json(self), "cost")


@dataclass(frozen=True, slots=True)
class ReplyDropped(Event):
    """What a model had said of a reply counts no longer, and it is asked anew, or another model is.

    The reply broke off, or a filter did not accept it. `partial` is what had been said, `usage` what the server said
    of it, `cost` its price in US dollars.
    """

    kind: ClassVar[str] = "reply_dropped"
    agent: str
    reason: str
    partial: str = ""
    usage: Usage | None = None
    model: str | None = None
    cost: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data; without a price that is unknown."""
        return _without_nothing(Event.to_json(self), "cost")


@dataclass(frozen=True, slots=True)
class FormAsked(Event):
    """An agent's replies are to be of a form, from here on in this chat. `digest` is that of the JSON that the server is sent."""

    kind: ClassVar[str] = "form_asked"
    agent: str
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class FormGiven(Event):
    """A reply is of the form that was asked for. `text` is its JSON, from which the value is read."""

    kind: ClassVar[str] = "form_given"
    agent: str
    name: str
    digest: str
    text: str


@dataclass(frozen=True, slots=True)
class HumanAsked(Event):
    """A question went to a person. `prompt` is a `Prompt` as plain data."""

    kind: ClassVar[str] = "human_asked"
    agent: str
    prompt: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True, slots=True)
class HumanAnswered(Event):
    """A person answered."""

    kind: ClassVar[str] = "human_answered"
    agent: str
    action: str
    text: str = ""
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class CodeStarted(Event):
    """A block begins to run."""

    kind: ClassVar[str] = "code_started"
    agent: str
    language: str
    code: str


@dataclass(frozen=True, slots=True)
class CodeFinished(Event):
    """A block has run, or was refused. `outputs` counts its rich outputs; the outputs themselves are on the page.

    `changes` is what the block did to the user's variables (see `executors.changes`), by the `block_id` with which that
    is undone; `None` where it is not known.
    """

    kind: ClassVar[str] = "code_finished"
    agent: str
    exit_code: int
    status: str
    text: str = ""
    outputs: int = 0
    seconds: float = 0.0
    changes: Mapping[str, Any] | None = field(default=None, hash=False)
    block_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolStarted(Event):
    """A tool or function is called."""

    kind: ClassVar[str] = "tool_started"
    agent: str
    name: str
    arguments: str
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolFinished(Event):
    """A tool or function gave a value, or an error for the model to mend."""

    kind: ClassVar[str] = "tool_finished"
    agent: str
    name: str
    ok: bool
    content: str
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """Something that a reader of the transcript should know, in one sentence."""

    kind: ClassVar[str] = "noted"
    text: str
    agent: str | None = None
    level: Literal["info", "warning"] = "info"


class Notice:
    """Base of what listeners hear of but no log keeps."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Delta(Notice):
    """A piece of a reply that is still streaming. `agent` is filled in by the driver."""

    text: str
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Waiting(Notice):
    """A wait of so many seconds, and why: a retry, a rate limit."""

    seconds: float
    reason: str
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Retracted(Notice):
    """What has streamed of a reply is taken back, since it begins anew. `text` is all that a model said, shown or not.

    `agent` is filled in by the driver, which also has the log keep it, as `ReplyDropped`.
    """

    reason: str
    text: str = ""
    usage: Usage | None = None
    model: str | None = None
    cost: float | None = None
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Remark(Notice):
    """What a reader of the transcript should know of how a reply came. The driver has the log keep it once, as `Noted`."""

    text: str


@dataclass(frozen=True, slots=True)
class Paused(Notice):
    """A chat has come to rest since somebody has paused it (`is_paused`), or goes on.

    `agent` is at it next, where that is known, and `next` says what it does: it speaks, runs code, calls tools, or is
    asked as a person.
    """

    chat: int
    is_paused: bool
    agent: str = ""
    next: Literal["", "reply", "code", "tool", "person"] = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in its place in a log. `seq` counts from 0, without gaps."""

    seq: int
    event: Event

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"seq": self.seq} | self.event.to_json()


class EventLog:
    """An append-only list of events, and the names of those who take part.

    Only a driver appends. Everyone else reads: `entries[n]` never changes once it is there.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._lock = threading.Lock()
        self._by_chat: dict[int, list[Entry]] = {}
        self._keys: dict[int, str] = {}
        self._agents: dict[str, Any] = {}
        self._forms: dict[tuple[str, str], Callable[[str], Any]] = {}
        self._values: dict[int, Any] = {}
        self._chats = 0

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __repr__(self) -> str:
        return f"<EventLog: {len(self.entries)} events, {self._chats} chats>"

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: all that has happened, and not those to whom, whose models and people belong to a process."""
        return {"entries": list(self.entries), "chats": self._chats, "forms": self._forms}

    def __setstate__(self, state: dict[str, Any]) -> None:
        EventLog.__init__(self)
        for entry in state["entries"]:
            self._add(entry.event)
        self._chats, self._forms = state["chats"], state["forms"]

    def append(self, event: Event) -> Entry:
        """Add an event at the end; its entry."""
        entry = self._add(event)
        tell_event(self, entry)
        return entry

    def _add(self, event: Event) -> Entry:
        entry = Entry(len(self.entries), event)
        self.entries.append(entry)
        self._by_chat.setdefault(event.chat, []).append(entry)
        return entry

    def of_chat(self, chat: int, first: int = 0) -> list[Entry]:
        """The entries of one chat, in order, from that of the number `first` on. Those of other chats cost nothing."""
        entries = self._by_chat.get(chat, [])
        return entries[bisect_left(entries, first, key=_number) :]

    def key_of(self, agent: Any) -> str:
        """The name under which the log knows an agent (any object with a `name`); the same at every call."""
        key = self._keys.get(id(agent))
        if key is None:
            key, number = agent.name, 1
            while key in self._agents:
                number += 1
                key = f"{agent.name}#{number}"
            self._keys[id(agent)] = key
            self._agents[key] = agent  # kept: an id may not be used again while the log knows it
        return key

    def agent_of(self, key: str) -> Any:
        """The agent whom the log knows under a name; `None` where it knows nobody."""
        return self._agents.get(key)

    def read_forms(self, agent: str, digest: str, read: Callable[[str], Any]) -> None:
        """Say what makes a value of the JSON of this agent's replies of a form."""
        self._forms[agent, digest] = read

    def value_at(self, seq: int) -> Any:
        """The value of the reply of a form at `seq`, read once; plain data where nobody has said what it is to be."""
        event = self.entries[seq].event
        assert isinstance(event, FormGiven)
        if seq not in self._values:
            self._values[seq] = self._forms.get((event.agent, event.digest), json.loads)(event.text)
        return self._values[seq]

    @classmethod
    def restored(cls, events: Iterable[Event], agents: Mapping[str, Any]) -> EventLog:
        """A log in which this has happened to these agents, by their names there."""
        log = cls()
        for key, agent in agents.items():
            log._keys[id(agent)], log._agents[key] = key, agent
        for event in events:
            log._chats = max(log._chats, log._add(event).event.chat + 1)  # it happened before
        return log

    def new_chat(self) -> int:
        """The ordinal of a new chat."""
        with self._lock:
            self._chats += 1
            return self._chats - 1

    def select(self, *kinds: type[Event]) -> list[Event]:
        """The events of these kinds, in order."""
        return [entry.event for entry in self.entries if isinstance(entry.event, kinds)]


def _number(entry: Entry) -> int:
    return entry.seq


Listener = Callable[["Entry | Notice"], None]
"""Whoever wants to know: called with every entry of the log and every notice, in order, on the driver's thread."""


def _without_nothing(found: dict[str, Any], *names: str) -> dict[str, Any]:
    return {
        key: value for key, value in found.items() if key not in names or (value is not None and value is not False)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return value.to_dict()
    if isinstance(value, Usage):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return dict(value) if isinstance(value, Mapping) else value
