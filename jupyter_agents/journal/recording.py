"""Record what models and people said, and replay it: the same conversation with no network and nobody to ask.

A driver asks the `Tape` of a conversation before it performs a `Complete` or an `Ask`, and tells it the outcome after.
Code runs for real in both modes. What is asked must be what was asked when the recording was made; the first
difference ends the replay with a `RecordingError` that shows it.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NoReturn, overload

from jupyter_agents.effects import Ask, Complete
from jupyter_agents.errors import ConfigurationError, RecordingError
from jupyter_agents.human.base import Answer
from jupyter_agents.journal import mismatch, recording_file
from jupyter_agents.journal.canonical import Asked, Chain, Kind, canonical, plain, redacted, splice
from jupyter_agents.journal.recording_file import Contents, Conversation, Exchange, Header
from jupyter_agents.journal.redact import secret_values
from jupyter_agents.journal.takes import RunTakes, Takes
from jupyter_agents.journal.trust import TrustStore
from jupyter_agents.models.base import ModelReply

Mode = Literal["record", "replay"]
Replayed = Literal["model", "all"]

_log = logging.getLogger(__name__)
_lock = threading.RLock()  # one for all: several recordings may be open on one file
_KINDS: dict[str, frozenset[str]] = {"model": frozenset({"model"}), "all": frozenset({"model", "human"})}


class Recording:
    """A file of recorded conversations, opened to record or to replay.

    Open it once for each run of a cell or script. Conversations are found by what is asked first, so cells can run
    again and in any order; those that begin with the same words are taken in turn, as `takes` says.

    >>> from jupyter_agents.models.base import ModelRequest
    >>> class Hello:
    ...     scripted = True
    >>> asked = Complete("ada", Hello(), ModelRequest([{"role": "user", "content": "Hi"}]))
    >>> path = Path(tempfile.mkdtemp()) / "hello.jsonl"
    >>> tape = Recording.open(path, "record", trust=TrustStore(path.with_name("trust"))).conversation()
    >>> tape.record(asked, ModelReply("Hello!"), chat=0, agent="ada")
    >>> tape.close()
    >>> Recording.open(path, "replay").conversation().replay(asked, chat=0, agent="ada").content
    'Hello!'
    """

    def __init__(
        self,
        path: Path,
        mode: Mode,
        kinds: frozenset[str],
        trust: TrustStore,
        contents: Contents,
        takes: RunTakes | None = None,
    ) -> None:
        self.path = path  # as it was given, for people
        self.file = Path(os.path.abspath(path))  # code of a chat may change the working directory
        self.mode = mode
        self.kinds = kinds
        self.trust = trust
        self.contents = contents  # as they were when it was opened
        self.takes = takes or Takes().of_run()  # by the hash of what a conversation asks first
        self._shown_path = _without_directories_of_this_machine(self.path, self.file)

    def __repr__(self) -> str:
        return f"<Recording {str(self.path)!r}: {self.mode}>"

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        mode: Mode,
        *,
        kinds: Replayed = "all",
        trust: TrustStore | None = None,
        takes: RunTakes | None = None,
    ) -> Recording:
        """The recording in this file. `kinds` says whose words are replayed: `model` leaves people to answer live.

        `takes` are those of the cell that runs, where a session has several.

        Raises `RecordingError` when there is nothing to replay, or no place to record.
        """
        if mode not in ("record", "replay") or kinds not in _KINDS:
            raise ConfigurationError(
                f"Cannot open the recording {os.fspath(path)!r}: mode is {mode!r} and kinds is {kinds!r}. "
                "Use mode 'record' or 'replay', and kinds 'model' or 'all'."
            )
        file = Path(path)
        contents = recording_file.read(file, action="replay") if mode == "replay" else _prepare(file)
        return cls(file, mode, _KINDS[kinds], trust or TrustStore(), contents, takes)

    def conversation(self) -> Tape:
        """A tape for one root chat and all chats nested in it."""
        return ReplayingTape(self) if self.mode == "replay" else RecordingTape(self)

    @property
    def provenance(self) -> str:
        """One sentence for the page that says where the words come from."""
        if self.mode == "record":
            return f"Replies are recorded in {self._shown_path}."
        exchanges = list(self.contents)
        replies = [one for one in exchanges if one.kind == "model"]
        if not replies:
            return f"Answers are replayed from {self._shown_path}."
        scripted, made = Header.of(replies, "").source, self.contents.header.made
        names = (
            " and ".join(_one_line(name) for name in recording_file.models_of(replies)) or "a model that was not named"
        )
        words = {
            "scripted": "they were scripted by hand",
            "recorded": f"they were recorded from {names} on {made}",
            "mixed": f"some were scripted by hand, the others recorded from {names} on {made}",
        }[scripted]
        return f"Replies are replayed from {self._shown_path}; {words}."


class Tape:
    """What one root chat, with all nested in it, says and hears. This base neither records nor replays."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._chats: dict[int, int] = {}
        self._chains: dict[tuple[int, str, Kind], Chain] = {}

    @property
    def provenance(self) -> str:
        """One sentence for the page that says where the words come from."""
        return self._recording.provenance

    @property
    def replays_people(self) -> bool:
        """Whether answers of people come from the recording, so that nobody need be there."""
        return False

    @property
    def is_foreign(self) -> bool:
        """Whether the words are replayed from a conversation that was neither recorded here nor trusted by the user."""
        return False

    @overload
    def replay(self, effect: Complete, *, chat: int, agent: str) -> ModelReply | None: ...
    @overload
    def replay(self, effect: Ask, *, chat: int, agent: str) -> Answer | None: ...
    def replay(self, effect: Complete | Ask, *, chat: int, agent: str) -> ModelReply | Answer | None:
        """The recorded outcome, marked as replayed. `None`: perform the effect.

        To be called for every effect, before it is performed. `chat` is the ordinal of the chat in its log, `agent`
        the agent's key there. Raises `RecordingError` when what is asked was not recorded.
        """
        with _lock:
            return self._replay(effect, self._place(chat), agent)

    def record(self, effect: Complete | Ask, outcome: ModelReply | Answer, *, chat: int, agent: str) -> None:
        """Keep the outcome of an effect that was performed. In replay this does nothing."""
        with _lock:
            self._record(effect, outcome, self._place(chat), agent)

    def reserve(self, chats: Iterable[int]) -> None:
        """Give chats that may begin at the same time their places in this order, whichever asks first."""
        with _lock:
            for chat in chats:
                self._place(chat)

    def close(self) -> None:
        """To be called when the root chat is over, however it ended. It never raises."""

    def _replay(self, effect: Complete | Ask, chat: int, agent: str) -> ModelReply | Answer | None:
        return None

    def _record(self, effect: Complete | Ask, outcome: ModelReply | Answer, chat: int, agent: str) -> None:
        pass

    def _place(self, chat: int) -> int:
        """The chat's place among those of this tape: a log that goes on counts further at every run of a cell."""
        return self._chats.setdefault(chat, len(self._chats))

    def _ask(self, effect: Complete | Ask, chat: int, agent: str) -> Asked:
        kind = _kind(effect)
        chain = self._chains.get((chat, agent, kind))
        if chain is None:
            chain = self._chains[chat, agent, kind] = Chain(chat, agent, kind)
        return chain.ask(effect, secret_values(os.environ))


class ReplayingTape(Tape):
    """Answers from the recording, or refuses."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(recording)
        self._found: Conversation | None = None
        self._is_trusted: bool | None = None

    @property
    def replays_people(self) -> bool:
        """Whether answers of people come from the recording; approvals may still be asked for."""
        return "human" in self._recording.kinds

    def _replay(self, effect: Complete | Ask, chat: int, agent: str) -> ModelReply | Answer | None:
        if _kind(effect) not in self._recording.kinds:
            return None
        asked = self._ask(effect, chat, agent)
        if self._found is None:
            self._found = self._find(asked)
        if _is_approval(effect) and self.is_foreign and not self._found.asks(asked.key):
            return None  # the code ran unasked where it was recorded
        outcome = self._exchange(asked, self._found).outcome
        return None if self._is_foreign_approval(effect, outcome) else outcome

    @property
    def is_foreign(self) -> bool:
        """See `Tape`. Nothing is foreign before the first words."""
        if self._is_trusted is None and self._found is not None:
            self._is_trusted = self._recording.trust.is_trusted(self._found.digest)
        return self._is_trusted is False

    def _find(self, asked: Asked) -> Conversation:
        """The conversation that begins with this question; of several, the next in turn."""
        begins = []
        for conversation in self._conversations():
            opening = conversation.opening(self._recording.kinds)
            if opening and (opening.hash, opening.key) == (asked.hash, asked.key):
                begins.append(conversation)
        if not begins:
            self._refuse_beginning(asked)
        number = self._recording.takes.next(asked.hash)
        same = (one for one in begins if one.name == recording_file.name_of_take(asked.hash, number))
        return next(same, begins[number % len(begins)])

    def _exchange(self, asked: Asked, conversation: Conversation) -> Exchange:
        exchange = conversation.exchanges.get(asked.key)
        if exchange is None:
            self._refuse_turn(asked, conversation)
        if exchange.hash != asked.hash:
            problem = f"what {_turn(asked)} asks is not what was recorded"
            self._refuse(asked, problem, (conversation, exchange))
        return exchange

    def _is_foreign_approval(self, effect: Complete | Ask, outcome: ModelReply | Answer) -> bool:
        if not _is_approval(effect):
            return False
        if isinstance(outcome, Answer) and outcome.action in ("reject", "stop"):
            return False  # a refusal grants nothing
        return self.is_foreign

    def _conversations(self) -> list[Conversation]:
        return list(self._recording.contents.conversations.values())

    def _refuse_beginning(self, asked: Asked) -> NoReturn:
        problem = f"it holds no conversation that begins with what {_turn(asked)} asks"
        if any(one.name.startswith(asked.hash) for one in self._conversations()):
            problem = f"the line with {_turn(asked)} is missing from conversation {asked.hash}"
        self._refuse(asked, problem, mismatch.nearest(asked, self._conversations()))

    def _refuse_turn(self, asked: Asked, conversation: Conversation) -> NoReturn:
        chain = [one for one in conversation.exchanges.values() if one.key[:3] == asked.key[:3]]
        if any(one.turn > asked.turn for one in chain):
            problem = f"the line with {_turn(asked)} is missing, though later ones are there"
        elif chain:
            problem = f"it ends before {_turn(asked)}"
        else:
            problem = f"it holds nothing that {asked.agent!r} asks a {asked.kind} in chat {asked.chat}"
        before = conversation.exchanges.get((asked.chat, asked.agent, asked.kind, asked.turn - 1))
        self._refuse(asked, problem, (conversation, before) if before else mismatch.nearest(asked, [conversation]))

    def _refuse(self, asked: Asked, problem: str, recorded: tuple[Conversation, Exchange] | None) -> NoReturn:
        raise RecordingError(
            f"Cannot replay {str(self._recording.path)!r}: {problem}. "
            "Undo the change that the comparison with the nearest recorded question shows, or record again with --record.\n"
            + mismatch.explain(asked, recorded)
        )


class RecordingTape(Tape):
    """Writes down each outcome as it comes."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(recording)
        self._name: str | None = None
        self._lines: list[str] = []
        self._told: dict[tuple[int, str, Kind], tuple[str, list[str]]] = {}  # head and messages that a reader knows

    def close(self) -> None:
        """Tidy the file, and trust what was recorded here.

        Every word is in the file already: where one of the two cannot be done, the log says so, and the chat
        that was held is not lost over it.
        """
        with _lock:
            lines, self._lines = self._lines, []
            if not lines:
                return
            try:
                recording_file.tidy(self._recording.file, list(self._recording.contents.conversations))
                self._recording.trust.add(recording_file.digest(lines), note=self._recording.path.name)
            except (RecordingError, OSError) as error:
                _log.warning("%s is complete, but not in order: %s", self._recording.path, error)

    def _record(self, effect: Complete | Ask, outcome: ModelReply | Answer, chat: int, agent: str) -> None:
        asked = self._ask(effect, chat, agent)
        if self._name is None:
            self._name = self._new_name(asked)
        is_scripted = isinstance(effect, Complete) and getattr(effect.model, "scripted", False) is True
        line = recording_file.to_text(self._entry(asked, outcome, is_scripted=is_scripted))
        self._write(line, outcome, is_scripted=is_scripted)
        self._lines.append(line)

    def _new_name(self, asked: Asked) -> str:
        takes = self._recording.takes
        names = [recording_file.name_of_take(asked.hash, number) for number in takes.outdated(asked.hash)]
        if names and self._recording.file.exists():
            recording_file.tidy(self._recording.file, list(self._recording.contents.conversations), without=names)
        return recording_file.name_of_take(asked.hash, takes.next(asked.hash))

    def _entry(self, asked: Asked, outcome: ModelReply | Answer, *, is_scripted: bool) -> dict[str, Any]:
        entry: dict[str, Any] = {"conversation": self._name, "chat": asked.chat, "agent": asked.agent}
        entry |= {"kind": asked.kind, "turn": asked.turn, "hash": asked.hash}
        said = redacted(plain(outcome.to_json()), secret_values(os.environ), whole=True)
        if isinstance(outcome, Answer):
            return entry | {"prompt": json.loads(asked.head), "answer": said}
        entry |= self._news(asked, ModelReply.from_json(said))
        return entry | ({"scripted": True} if is_scripted else {}) | {"reply": said}

    def _news(self, asked: Asked, reply: ModelReply) -> dict[str, Any]:
        """What a reader does not know from the turn before."""
        head, base = self._told.get(asked.key[:3], ("{}", []))
        parts = splice(base, asked.messages, asked.kept)
        said = canonical(recording_file.as_message(reply))
        self._told[asked.key[:3]] = asked.head, [*asked.messages, said]
        news: dict[str, Any] = {} if asked.head == head else {"options": json.loads(asked.head)}
        return news | {"messages": [json.loads(part) if isinstance(part, str) else part for part in parts]}

    def _write(self, line: str, outcome: ModelReply | Answer, *, is_scripted: bool) -> None:
        file = self._recording.file
        try:
            if file.exists() and file.stat().st_size:
                recording_file.append(file, line)
            else:
                model = outcome.model if isinstance(outcome, ModelReply) and not is_scripted else None
                header = Header("scripted" if is_scripted else "recorded", model, recording_file.today())
                recording_file.append(file, header.to_line(), line)
        except OSError as error:
            _refuse_to_record(self._recording.path, error)


def _kind(effect: Complete | Ask) -> Kind:
    return "model" if isinstance(effect, Complete) else "human"


def _turn(asked: Asked) -> str:
    return f"turn {asked.turn} of {asked.agent!r}"


def _one_line(name: str) -> str:
    """A name from a file as a page may show it."""
    return "".join(one for one in name if one.isprintable())[:60]


def _without_directories_of_this_machine(path: Path, file: Path) -> str:
    inside = file.relative_to(Path.cwd()) if path.is_absolute() and file.is_relative_to(Path.cwd()) else path
    return path.name if inside.is_absolute() or ".." in inside.parts else inside.as_posix()


def _prepare(path: Path) -> Contents:
    """What the file holds. Before anything is paid for: it can be written, and its last line is whole now."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        if not path.exists():
            return Contents(Header())
        with path.open("r+b") as file:
            if recording_file.is_torn_header(file.read()):
                file.truncate(0)
                return Contents(Header())
        contents = recording_file.read(path, action="record to", torn=True)
        if contents.is_torn:
            recording_file.replace(path, contents.to_bytes(contents.header))
        return contents
    except OSError as error:
        _refuse_to_record(path, error)


def _refuse_to_record(path: Path, error: OSError) -> NoReturn:
    raise RecordingError(
        f"Cannot record to {str(path)!r}: {error.strerror or error}. Choose a place that can be written, with --record PATH."
    ) from error


def _is_approval(effect: Complete | Ask) -> bool:
    return isinstance(effect, Ask) and effect.prompt.kind == "approval"
