"""What one conversation records or replays: a tape for a root chat and all chats nested in it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, overload

from jupyter_agents.effects import Ask, Complete
from jupyter_agents.errors import RecordingError
from jupyter_agents.human.base import Answer
from jupyter_agents.journal import mismatch, recording_file
from jupyter_agents.journal.canonical import Asked, Chain, Kind, canonical, plain, redacted, splice
from jupyter_agents.journal.recording_file import Conversation, Exchange, Header
from jupyter_agents.known_secrets import known_secrets
from jupyter_agents.models.base import ModelReply

if TYPE_CHECKING:
    from jupyter_agents.journal.recording import Recording

_log = logging.getLogger(__name__)
lock = threading.RLock()  # one for all: several recordings may be open on one file


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
    def replays_models(self) -> bool:
        """Whether replies of models come from the recording, so that they are not paid for."""
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
        with lock:
            return self._replay(effect, self._place(chat), agent)

    def record(self, effect: Complete | Ask, outcome: ModelReply | Answer, *, chat: int, agent: str) -> None:
        """Keep the outcome of an effect that was performed. In replay this does nothing."""
        with lock:
            self._record(effect, outcome, self._place(chat), agent)

    def reserve(self, chats: Iterable[int]) -> None:
        """Give chats that may begin at the same time their places in this order, whichever asks first."""
        with lock:
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
        kind = kind_of(effect)
        chain = self._chains.get((chat, agent, kind))
        if chain is None:
            chain = self._chains[chat, agent, kind] = Chain(chat, agent, kind)
        return chain.ask(effect, known_secrets())


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

    @property
    def replays_models(self) -> bool:
        """Whether replies of models come from the recording."""
        return "model" in self._recording.kinds

    def _replay(self, effect: Complete | Ask, chat: int, agent: str) -> ModelReply | Answer | None:
        if kind_of(effect) not in self._recording.kinds:
            return None
        asked = self._ask(effect, chat, agent)
        if self._found is None:
            self._found = self._find(asked)
        if is_approval(effect) and self.is_foreign and not self._found.asks(asked.key):
            return None  # the code ran unasked where it was recorded
        outcome = self._exchange(asked, self._found).outcome
        return None if grants(effect, outcome) and self.is_foreign else outcome

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
            self._refuse(asked, problem, mismatch.nearest(asked, self._conversations(), (conversation, exchange)))
        return exchange

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
        expected = (conversation, before) if before else mismatch.nearest(asked, [conversation])
        self._refuse(asked, problem, mismatch.nearest(asked, self._conversations(), expected))

    def _refuse(self, asked: Asked, problem: str, recorded: tuple[Conversation, Exchange] | None) -> NoReturn:
        raise RecordingError(
            f"Cannot replay {str(self._recording.path)!r}: {problem}. "
            "Undo the change that the comparison with the nearest recorded question shows, or bring the recording up to date with --refresh.\n"
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
        with lock:
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
        scripted = is_scripted(effect)
        line = recording_file.to_text(self._entry(asked, outcome, is_scripted=scripted))
        self._write(line, outcome, is_scripted=scripted)
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
        said = redacted(plain(outcome.to_json()), known_secrets(), whole=True)
        if isinstance(outcome, Answer):
            return entry | {"prompt": json.loads(asked.head), "answer": said}
        entry |= self._news(asked, ModelReply.from_json(said))
        whence = {"scripted": is_scripted, "cached": outcome.cached}
        return entry | {name: True for name, is_so in whence.items() if is_so} | {"reply": said}

    def _news(self, asked: Asked, reply: ModelReply) -> dict[str, Any]:
        """What a reader does not know from the turn before."""
        head, base = self._told.get(asked.key[:3], ("{}", []))
        parts = splice(base, asked.messages, asked.kept)
        self._tell(asked, reply)
        news: dict[str, Any] = {} if asked.head == head else {"options": json.loads(asked.head)}
        return news | {"messages": [json.loads(part) if isinstance(part, str) else part for part in parts]}

    def _tell(self, asked: Asked, reply: ModelReply) -> None:
        """Remember what a reader knows after this exchange."""
        said = canonical(recording_file.as_message(reply))
        self._told[asked.key[:3]] = asked.head, [*asked.messages, said]

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
            refuse_to_record(self._recording.path, error)


def kind_of(effect: Complete | Ask) -> Kind:
    """Who is asked."""
    return "model" if isinstance(effect, Complete) else "human"


def _turn(asked: Asked) -> str:
    return f"turn {asked.turn} of {asked.agent!r}"


def refuse_to_record(path: Path, error: OSError) -> NoReturn:
    """Say that nothing can be recorded there, and why."""
    raise RecordingError(
        f"Cannot record to {str(path)!r}: {error.strerror or error}. Choose a place that can be written, with --record PATH."
    ) from error


def is_scripted(effect: Complete | Ask) -> bool:
    """Whether the words that answer it are written by hand."""
    return isinstance(effect, Complete) and getattr(effect.model, "scripted", False) is True


def grants(effect: Complete | Ask, outcome: ModelReply | Answer) -> bool:
    """Whether the outcome lets code run; a refusal grants nothing."""
    return is_approval(effect) and not (isinstance(outcome, Answer) and outcome.action in ("reject", "stop"))


def is_approval(effect: Complete | Ask) -> bool:
    """Whether a person is asked if code may run."""
    return isinstance(effect, Ask) and effect.prompt.kind == "approval"
