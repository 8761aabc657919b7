"""The file of a recording: JSON lines that a person can read, and that a version control system can compare.

    {"jupyter_agents": "recording", "schema": 1, "source": "recorded", "model": "gpt-4.1", "made": "2026-11-22"}
    {"conversation": "6f1c…", "chat": 0, "agent": "assistant", "kind": "model", "turn": 1, "hash": "6f1c…",
     "messages": [{"content": "…", "role": "system"}, {"content": "…", "role": "user"}], "reply": {"content": "…"}}
    {"conversation": "6f1c…", …, "turn": 2, …, "messages": [[0, 3], {"content": "…", "role": "user"}], "reply": …}

Each line after the header is an exchange: a question, and what a model or a person answered. A question is told as
what is new in it: `[0, 3]` stands for the first three of the messages of the turn before, its reply counted as the
last. `options` are given where they change. A conversation is named by the hash of its first question, with `.2`,
`.3`… for later ones that begin with the same words. Lines are appended as they come. Where a conversation begins
anew further down, the later take counts, and `tidy` removes the earlier one.

Nothing in a recording is executed or read as configuration: whatever is wrong in it is a `RecordingError`.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, NoReturn, get_args

from jupyter_agents.errors import RecordingError
from jupyter_agents.human.base import Answer
from jupyter_agents.journal.canonical import Kind, expand, plain, redacted
from jupyter_agents.messages import FinishReason
from jupyter_agents.models.base import ModelReply

SCHEMA = 1

_ACTIONS = ("reply", "run", "edit", "reject", "stop")
_UNSEEN = re.compile(r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_CONVERSATION = re.compile(r"[0-9a-f]{16}(\.[1-9][0-9]*)?")


@dataclass(frozen=True, slots=True)
class Header:
    """The first line. `source` is who made the replies: `scripted` by hand, `recorded` from a model, or `mixed`."""

    source: str = "recorded"
    model: str | None = None
    made: str = ""

    def to_line(self) -> str:
        """The line as it is written."""
        kind = {"jupyter_agents": "recording", "schema": SCHEMA}
        return to_text(kind | {"source": self.source, "model": self.model, "made": self.made})

    @classmethod
    def of(cls, exchanges: Collection[Exchange], made: str) -> Header:
        """The header that is true of these exchanges."""
        scripted = {one.scripted for one in exchanges if one.kind == "model"}
        source = "mixed" if len(scripted) == 2 else "scripted" if scripted == {True} else "recorded"
        return cls(source, ", ".join(models_of(exchanges)) or None, made)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its answer, as recorded. `number` is that of the line in the file, `line` its text.

    `parts` tells the messages of the question by those of the turn before; `head` is its options (`None`: those of the
    turn before) or the prompt.
    """

    conversation: str
    chat: int
    agent: str
    kind: Kind
    turn: int
    hash: str
    head: Mapping[str, Any] | None
    parts: Sequence[Any]
    outcome: ModelReply | Answer
    scripted: bool
    line: str
    number: int

    @property
    def key(self) -> tuple[int, str, Kind, int]:
        """Its place in the conversation."""
        return self.chat, self.agent, self.kind, self.turn


@dataclass(slots=True)
class Conversation:
    """One take of a conversation."""

    name: str
    exchanges: dict[tuple[int, str, Kind, int], Exchange] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that is recorded of it; what the trust store knows it by."""
        return digest(one.line for one in self.exchanges.values())

    def opening(self, kinds: Collection[str]) -> Exchange | None:
        """The first exchange of these kinds."""
        return next((one for one in self.exchanges.values() if one.kind in kinds), None)

    def asks(self, key: tuple[int, str, Kind, int]) -> bool:
        """Whether the agent of this key asks anybody of this kind anything, in its chat."""
        return any(known[:3] == key[:3] for known in self.exchanges)

    def question(self, exchange: Exchange) -> tuple[Mapping[str, Any], list[Any]] | None:
        """The question of an exchange in full: options or prompt, and messages. `None` when earlier lines are missing."""
        if exchange.kind == "human":
            return exchange.head or {}, []
        head: Mapping[str, Any] = {}
        messages: list[Any] = []
        for turn in range(1, exchange.turn + 1):
            one = self.exchanges.get((exchange.chat, exchange.agent, exchange.kind, turn))
            if one is None:
                return None
            head = head if one.head is None else one.head
            messages = expand(messages, one.parts)
            if one is not exchange and isinstance(one.outcome, ModelReply):
                messages.append(as_message(one.outcome))
        return head, messages


@dataclass(slots=True)
class Contents:
    """What a recording holds. `is_torn` says that no newline ends the last line."""

    header: Header
    conversations: dict[str, Conversation] = field(default_factory=dict)
    is_torn: bool = False

    def __iter__(self) -> Iterator[Exchange]:
        return (one for conversation in self.conversations.values() for one in conversation.exchanges.values())

    def add(self, exchange: Exchange) -> None:
        """Put an exchange in its place. Where that is taken, a new take of the conversation begins."""
        name = exchange.conversation
        held = self.conversations.setdefault(name, Conversation(name))
        if exchange.key in held.exchanges:
            for other in self.conversations.values():
                if other is held or other.name.startswith(f"{name}."):
                    other.exchanges = {}
        held.exchanges[exchange.key] = exchange

    def sort(self, order: Sequence[str]) -> None:
        """Put the conversations with these names first."""
        known = [name for name in order if name in self.conversations]
        self.conversations = {name: self.conversations[name] for name in known} | self.conversations

    def to_bytes(self, header: Header) -> bytes:
        """The file without earlier takes, each conversation in one piece, in the place where it first was."""
        return "".join(f"{line}\n" for line in (header.to_line(), *(one.line for one in self))).encode()


def digest(lines: Iterable[str]) -> str:
    """SHA-256 of the lines of a conversation, whatever the ends of lines in the file."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def models_of(exchanges: Iterable[Exchange]) -> list[str]:
    """The names of the models that replied, in order, without those of scripts."""
    replies = (one.outcome for one in exchanges if not one.scripted)
    return list(dict.fromkeys(one.model for one in replies if isinstance(one, ModelReply) and one.model))


def as_message(reply: ModelReply) -> dict[str, Any]:
    """How the agent who said the reply finds it among the messages of its next question, in most chats."""
    found: dict[str, Any] = redacted(plain(reply.to_message().to_wire("assistant")[0]))
    return found


def to_text(value: Any) -> str:
    """JSON for people: spaces, letters of all languages as they are, characters that do not show as `\\u…`."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def read(path: Path, *, action: str, torn: bool = False) -> Contents:
    """What the file holds. `torn` leaves out a last line that is unfinished, as a killed kernel leaves it.

    Raises `RecordingError` ("Cannot <action> …") for whatever else is wrong, naming the line.
    """

    def fail(
        problem: str, remedy: str = "Record again with --record, or take the file from its last good version."
    ) -> NoReturn:
        raise RecordingError(f"Cannot {action} {str(path)!r}: {problem}. {remedy}")

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        fail("there is no such file", "Make it with --record, or check the path.")
    except OSError as error:
        fail(f"it cannot be read ({error.strerror or error})", "Check the path and its permissions.")
    lines = data.removeprefix(codecs.BOM_UTF8).split(b"\n")
    if not data.strip():
        fail("it is empty", "Make it with --record.")
    contents = Contents(_header(_parsed(lines[0], 1, fail), fail), is_torn=bool(lines[-1]))
    for number, line in enumerate(lines[1:-1], start=2):
        if line.strip():
            contents.add(_exchange(line.strip(), number, fail))
    if contents.is_torn and len(lines) > 1:
        _add_unfinished(contents, lines[-1].strip(), len(lines), None if torn else fail)
    return contents


def is_torn_header(data: bytes) -> bool:
    """Whether a file holds nothing but the beginning of a header, or nothing at all."""
    start = Header().to_line().partition("1")[0].encode()
    return b"\n" not in data and data[: len(start)] == start[: len(data)]


def append(path: Path, *lines: str) -> None:
    """Add lines at the end. When this returns the operating system has them: a killed kernel loses nothing."""
    with path.open("ab") as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def replace(path: Path, data: bytes) -> None:
    """Give the file a new content, so that at any moment it has the old one or the new one, whole."""
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def name_of_take(beginning: str, number: int) -> str:
    """The name of a conversation, by the hash of its first question and its number, from 0, among those of this hash."""
    return beginning if number == 0 else f"{beginning}.{number + 1}"


def tidy(path: Path, order: Sequence[str] = (), *, without: Collection[str] = ()) -> None:
    """Remove earlier takes and torn lines, group conversations, and let the header tell the truth, dated today.

    `order` has the names of conversations that come first, `without` those that are to be removed.
    """
    contents = read(path, action="tidy", torn=True)
    for name in without:
        contents.conversations.pop(name, None)
    contents.sort(order)
    data = contents.to_bytes(Header.of(list(contents), today()))
    if data != path.read_bytes():
        replace(path, data)


def put(path: Path, name: str, lines: Iterable[str]) -> None:
    """Put these lines in the place of the conversation of this name, or at the end. The others stay as they are."""
    contents = read(path, action="record to", torn=True) if path.exists() else Contents(Header())
    fresh = contents.conversations[name] = Conversation(name)
    for exchange in (_exchange(line.encode(), 0, _fail_as_made) for line in lines):
        fresh.exchanges[exchange.key] = exchange
    replace(path, contents.to_bytes(Header.of(list(contents), today())))


def _fail_as_made(problem: str, *_: str) -> NoReturn:
    raise RecordingError(f"Cannot record a conversation: {problem}. Please report this: its lines were made here.")


def today() -> str:
    """The date as recordings give it."""
    return datetime.now().astimezone().date().isoformat()


_Fail = Callable[..., NoReturn]


def _add_unfinished(contents: Contents, line: bytes, number: int, fail: _Fail | None) -> None:
    """Add the last line, which no newline ends: an editor took that away, or a kernel was killed while writing."""

    def fail_as_cut(problem: str, *_: str) -> NoReturn:
        raise ValueError(problem)

    try:
        contents.add(_exchange(line, number, fail_as_cut))
    except ValueError:
        if fail is not None:
            fail(f"line {number} ends in the middle (was the kernel killed?)")


def _parsed(line: bytes, number: int, fail: _Fail) -> Mapping[str, Any]:
    try:
        found = json.loads(line.decode())
    except (ValueError, RecursionError):
        fail(f"line {number} is not JSON")
    if not isinstance(found, dict):
        fail(f"line {number} is no JSON object")
    return plain(found) if b"\\u" in line else found  # an escape may be half a character


def _header(data: Mapping[str, Any], fail: _Fail) -> Header:
    if data.get("jupyter_agents") != "recording":
        fail("its first line is not the header of a recording")
    if data.get("schema") != SCHEMA:
        fail(
            f"it has schema {data.get('schema')!r}, and this version reads {SCHEMA}",
            "Upgrade jupyter-agents, or record again.",
        )
    source, model, made = data.get("source"), data.get("model"), data.get("made")
    if source not in ("scripted", "recorded", "mixed") or not isinstance(model, str | None) or not _is_date(made):
        fail("line 1 is damaged ('source', 'model' or 'made')")
    return Header(str(source), model, str(made))


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _exchange(line: bytes, number: int, fail: _Fail) -> Exchange:
    data = _parsed(line, number, fail)
    kind = data.get("kind")
    try:
        outcome = _reply(data["reply"], data.get("cached") is True) if kind == "model" else _answer(data["answer"])
        exchange = Exchange(
            conversation=data["conversation"],
            chat=data["chat"],
            agent=data["agent"],
            kind=data["kind"],
            turn=data["turn"],
            hash=data["hash"],
            head=data.get("options") if kind == "model" else data["prompt"],
            parts=data.get("messages", ()),
            outcome=outcome,
            scripted=data.get("scripted", False),
            line=line.decode(),
            number=number,
        )
        if not _is_sound(exchange):
            raise ValueError
    except KeyError as error:
        fail(f"line {number} has no {error.args[0]!r}")
    except (TypeError, ValueError, AttributeError):
        fail(f"line {number} is no exchange that can be read")
    return exchange


def _is_sound(exchange: Exchange) -> bool:
    return (
        _CONVERSATION.fullmatch(exchange.conversation) is not None
        and exchange.kind in get_args(Kind)
        and isinstance(exchange.agent, str)
        and isinstance(exchange.hash, str)
        and isinstance(exchange.scripted, bool)
        and type(exchange.chat) is type(exchange.turn) is int
        and exchange.turn > 0
        and isinstance(exchange.head, dict | None)
        and _are_parts(exchange.parts)
    )


def _are_parts(parts: Any) -> bool:
    """Messages, and spans that go forward, so that no file unfolds into more than it holds."""
    at = 0
    for part in parts:
        if isinstance(part, dict):
            continue
        if not isinstance(part, list) or len(part) != 2 or not all(type(one) is int for one in part):
            return False
        if not at <= part[0] <= part[1]:
            return False
        at = part[1]
    return isinstance(parts, list | tuple)


def _reply(data: Mapping[str, Any], is_cached: bool) -> ModelReply:
    reply = ModelReply.from_json(data, replayed=True, cached=is_cached)
    calls = (reply.function_call, *reply.tool_calls) if reply.function_call else reply.tool_calls
    texts = (reply.content, reply.refusal, reply.model, *(call.id for call in calls))
    counts = (reply.usage.prompt_tokens, reply.usage.completion_tokens) if reply.usage else ()
    sound = all(isinstance(one, str | None) for one in texts) and all(type(one) in (int, type(None)) for one in counts)
    sound = sound and type(reply.cost) in (int, float, type(None))
    if not sound or reply.finish_reason not in get_args(FinishReason):
        raise ValueError("not a reply")
    return reply


def _answer(data: Mapping[str, Any]) -> Answer:
    answer = Answer.from_json(data, replayed=True)
    if not isinstance(answer.text, str) or answer.action not in _ACTIONS:
        raise ValueError("not an answer")
    return answer
