"""Record what models and people said, and replay it: the same conversation with no network and nobody to ask.

A driver asks the `Tape` of a conversation before it performs a `Complete` or an `Ask`, and tells it the outcome after.
Code runs for real in both modes. What is asked must be what was asked when the recording was made; the first
difference ends the replay with a `RecordingError` that shows it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Literal

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.journal import recording_file
from jupyter_agents.journal.recording_file import Contents, Header
from jupyter_agents.journal.refreshing import RefreshingTape
from jupyter_agents.journal.takes import RunTakes, Takes
from jupyter_agents.journal.tapes import RecordingTape, ReplayingTape, Tape, refuse_to_record
from jupyter_agents.journal.trust import TrustStore

Mode = Literal["record", "replay", "refresh"]
Replayed = Literal["model", "all"]

_TAPES: dict[str, type[Tape]] = {"record": RecordingTape, "replay": ReplayingTape, "refresh": RefreshingTape}
_KINDS: dict[str, frozenset[str]] = {"model": frozenset({"model"}), "all": frozenset({"model", "human"})}


class Recording:
    """A file of recorded conversations, opened to record, to replay or to refresh.

    Open it once for each run of a cell or script. Conversations are found by what is asked first, so cells can run
    again and in any order; those that begin with the same words are taken in turn, as `takes` says.

    >>> from jupyter_agents.effects import Complete
    >>> from jupyter_agents.models.base import ModelReply, ModelRequest
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

        `refresh` replays what is recorded and still asked in the same words, and records the rest.

        Raises `RecordingError` when there is nothing to replay, or no place to record.
        """
        if mode not in _TAPES or kinds not in _KINDS:
            raise ConfigurationError(
                f"Cannot open the recording {os.fspath(path)!r}: mode is {mode!r} and kinds is {kinds!r}. "
                "Use mode 'record', 'replay' or 'refresh', and kinds 'model' or 'all'."
            )
        file = Path(path)
        contents = recording_file.read(file, action="replay") if mode == "replay" else _prepare(file)
        return cls(file, mode, _KINDS[kinds], trust or TrustStore(), contents, takes)

    def conversation(self) -> Tape:
        """A tape for one root chat and all chats nested in it."""
        return _TAPES[self.mode](self)

    @property
    def provenance(self) -> str:
        """One sentence for the page that says where the words come from."""
        if self.mode == "record":
            return f"Replies are recorded in {self._shown_path}."
        if self.mode == "refresh":
            return f"Replies that still fit are replayed from {self._shown_path}; the others are recorded there."
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
        refuse_to_record(path, error)


__all__ = ["Mode", "Recording", "Replayed", "Tape"]
