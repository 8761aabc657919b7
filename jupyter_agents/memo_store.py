"""Memos in an SQLite file: what was taught in one chat, found again in another by its words.

Every call opens the file and closes it again, so that several kernels can share one. Nothing is written before there is
something to keep.
"""

from __future__ import annotations

import math
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from jupyter_agents.effects import Step
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.retrieval.index import words_of

T = TypeVar("T")

VERSION = 1
_WAIT = 3.0
"""Seconds for which another program may keep the file to itself."""
_LONGEST = 20_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS memos (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    text TEXT NOT NULL,
    about TEXT NOT NULL,
    source TEXT NOT NULL,
    made TEXT NOT NULL,
    words TEXT NOT NULL,
    length INTEGER NOT NULL,
    vector BLOB,
    UNIQUE (about, text)
)
"""
_COLUMNS = "id, text, about, source, made"


@dataclass(frozen=True, slots=True)
class Memo:
    """Something to remember. `about` is the question or kind of task for which it is meant, `source` what it was learned from.

    `likeness`, from 0 to 1, says how well it fits what it was looked up for.
    """

    id: int
    text: str
    about: str = ""
    source: str = ""
    made: str = ""
    likeness: float = 1.0

    def __str__(self) -> str:
        return f"{self.about}: {self.text}" if self.about else self.text


class MemoStore:
    """The memos in one file. Raises `ConfigurationError` where the file cannot be read, or not be written.

    >>> import tempfile
    >>> store = MemoStore(Path(tempfile.mkdtemp()) / "memos.sqlite")
    >>> store.add("June 3rd.", about="the deadline of project Alpha").id
    1
    >>> [str(one) for one in store.search("When is the deadline of Alpha?", 3)]
    ['the deadline of project Alpha: June 3rd.']
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not str(path).strip() or str(path) == ":memory:":
            raise ConfigurationError(
                f"Cannot keep memos in {str(path)!r}: it is no file. Give the path of one, which is made when it is needed."
            )
        self.path = Path(path).expanduser().absolute()

    def __repr__(self) -> str:
        return f"MemoStore({str(self.path)!r})"

    # -- Writing -------------------------------------------------------------------------------------------------

    def add(self, text: str, about: str = "", source: str = "", vector: bytes | None = None) -> Memo:
        """Keep a memo; one that says the same for the same is kept once, as the newer."""
        text, about = text.strip()[:_LONGEST], about.strip()[:_LONGEST]
        if not text:
            raise ConfigurationError("Cannot remember nothing: the text of the memo is empty. Give one.")
        words = words_of(f"{about}\n{text}")
        made = datetime.now(UTC).isoformat(timespec="seconds")
        row = (text, about, source[:_LONGEST], made, f" {' '.join(words)} ", len(words), vector)
        with self._open("write") as database:
            database.execute("DELETE FROM memos WHERE about = ? AND text = ?", (about, text))
            cursor = database.execute(
                "INSERT INTO memos (text, about, source, made, words, length, vector) VALUES (?, ?, ?, ?, ?, ?, ?)", row
            )
            return Memo(int(cursor.lastrowid or 0), text, about, source, made)

    def forget(self, which: int | str) -> int:
        """Delete the memo of an id, or all in which a text stands (upper and lower case alike); how many those were."""
        if isinstance(which, str) and not which.strip():
            raise ConfigurationError(
                "Cannot forget: the text is empty. Give a part of the memo, its id, or use clear()."
            )
        if not self.path.exists():
            return 0
        with self._open("write") as database:
            if isinstance(which, int):
                return database.execute("DELETE FROM memos WHERE id = ?", (which,)).rowcount
            part = which.casefold()
            found = [one.id for one in _memos(database) if part in f"{one.about}\n{one.text}".casefold()]
            database.executemany("DELETE FROM memos WHERE id = ?", [(one,) for one in found])
            return len(found)

    def clear(self) -> None:
        """Delete all memos. A file that cannot be read as memos is left alone."""
        if self.path.exists():
            with self._open("write") as database:
                database.execute("DELETE FROM memos")

    def set_vectors(self, vectors: Mapping[int, bytes]) -> None:
        """Keep the vectors by which memos are found by what they mean."""
        with self._open("write") as database:
            database.executemany("UPDATE memos SET vector = ? WHERE id = ?", [(one, at) for at, one in vectors.items()])

    # -- Reading -------------------------------------------------------------------------------------------------

    def memos(self) -> list[Memo]:
        """All memos, the oldest first."""
        if not self.path.exists():
            return []
        with self._open("read") as database:
            return _memos(database)

    def vectors(self) -> dict[int, bytes | None]:
        """The vector of each memo, by its id."""
        if not self.path.exists():
            return {}
        with self._open("read") as database:
            return dict(database.execute("SELECT id, vector FROM memos"))

    def search(self, question: str, n: int, least: float = 0.0) -> list[Memo]:
        """At most `n` memos that share words with a question, the best first (Okapi BM25).

        `likeness` is which part of the shorter of both has words that they share; memos with less than `least` are left out.
        """
        asked = list(dict.fromkeys(words_of(question)))
        if not asked or n < 1 or not self.path.exists():
            return []
        with self._open("read") as database:
            count, mean = database.execute("SELECT count(*), avg(length) FROM memos").fetchone()
            rows = list(_rows_with(database, asked))
        known = [(Memo(*row[:5]), row[5].split()) for row in rows]
        found = _ranked(asked, known, count, mean or 1.0)
        return [one for one in found if one.likeness >= least][:n]

    # -- The file ------------------------------------------------------------------------------------------------

    @contextmanager
    def _open(self, what_for: str) -> Iterator[sqlite3.Connection]:
        """A connection, in one transaction."""
        database = None
        try:
            if what_for == "write":
                self.path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None)
            database.execute(
                "BEGIN IMMEDIATE" if what_for == "write" else "BEGIN"
            )  # so that a writer waits for its turn
            with database:
                self._prepare(database, what_for)
                yield database
        except (sqlite3.Error, OSError, UnicodeError) as error:
            raise self._trouble(error, what_for) from error
        finally:
            if database is not None:
                database.close()

    def _prepare(self, database: sqlite3.Connection, what_for: str) -> None:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version == VERSION:
            return
        if tables or version:
            raise ConfigurationError(
                f"Cannot {what_for} memos in {str(self.path)!r}: it is a database of something else, or of another version. "
                "Give another file as db."
            )
        database.execute(_SCHEMA)
        database.execute(f"PRAGMA user_version = {VERSION}")

    def _trouble(self, error: Exception, what_for: str) -> ConfigurationError:
        words = str(error).lower()
        start = f"Cannot {what_for} memos in {str(self.path)!r}: "
        if "locked" in words or "busy" in words:
            return ConfigurationError(
                f"{start}another program is writing to it. Try again, or give another file as db."
            )
        if "readonly" in words or isinstance(error, PermissionError):
            return ConfigurationError(f"{start}it is read-only. Make it writable, or give another file as db.")
        if "not a database" in words or "malformed" in words or isinstance(error, UnicodeError):
            return ConfigurationError(
                f"{start}it is no SQLite database, or it is damaged. Move it away, or give another file."
            )
        return ConfigurationError(f"{start}{error}. Check its folder, or give another file as db.")


def _memos(database: sqlite3.Connection) -> list[Memo]:
    return [Memo(*row) for row in database.execute(f"SELECT {_COLUMNS} FROM memos ORDER BY id")]  # noqa: S608 - no user's words


def _rows_with(database: sqlite3.Connection, words: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The memos that have any of these words, and theirs. So many words at a time as SQLite takes."""
    seen: set[int] = set()
    for at in range(0, len(words), 200):
        batch = [f" {word} " for word in words[at : at + 200]]
        where = " OR ".join("instr(words, ?)" for _ in batch)
        for row in database.execute(f"SELECT {_COLUMNS}, words FROM memos WHERE {where}", batch):  # noqa: S608 - placeholders
            if row[0] not in seen:
                seen.add(row[0])
                yield row


def _ranked(asked: Sequence[str], known: Iterable[tuple[Memo, list[str]]], count: int, mean: float) -> list[Memo]:
    """Memos by how much they say about the words asked for; of equals the newest first."""
    counted = [(memo, Counter(words)) for memo, words in known]
    frequency = {word: sum(word in words for _, words in counted) for word in asked}
    weight = {word: math.log(1 + (count - n + 0.5) / (n + 0.5)) for word, n in frequency.items()}
    scored = []
    for memo, words in counted:
        length = 0.25 + 0.75 * words.total() / mean
        shared = [word for word in asked if word in words]
        score = sum(weight[word] * words[word] * 2.2 / (words[word] + 1.2 * length) for word in shared)
        likeness = len(shared) / min(len(asked), len(words))
        scored.append((score, memo.id, replace(memo, likeness=round(likeness, 3))))
    return [memo for _, _, memo in sorted(scored, key=lambda one: (-one[0], -one[1]))]


@dataclass(frozen=True)
class StoreCall(Step[T], Generic[T]):
    """What a call to a store gives. On an event loop it is made in a thread: another program may hold the file."""

    function: Callable[..., T]
    args: Sequence[Any] = ()

    def perform(self) -> T:
        """See `Step`."""
        return self.function(*self.args)

    async def a_perform(self) -> T:
        """See `Step`."""
        import asyncio

        return await asyncio.to_thread(self.perform)
