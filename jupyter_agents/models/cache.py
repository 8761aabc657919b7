"""Replies of models, kept in an SQLite file so that the same question is paid for once. Off unless it is asked for.

Only JSON is kept, never pickles: a file from elsewhere can say something wrong, but it cannot run anything. Whatever is
the matter with the file, chats go on without it; `trouble` says what it is.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary, finalize

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.meant import short

T = TypeVar("T")

FOLDER = Path(".jupyter_agents")
FILE = "cache.sqlite"
VERSION = 1
_MIB = 2**20
_WAIT = 2.0
"""Seconds for which another program may keep the file to itself."""
_LEFT_ALONE = 30.0
"""Seconds for which a file that could not be used is not tried again."""
_SCHEMA = """
CREATE TABLE replies (seed TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (seed, key));
CREATE INDEX by_use ON replies (used);
"""
_DROP_OLDEST = "DELETE FROM replies WHERE rowid IN (SELECT rowid FROM replies ORDER BY used LIMIT ?)"


class Cache:
    """What models have replied, by what they were asked. Give it as `cache` to a chat, or in an `llm_config`.

    Several kernels and programs may share one file, which only its owner can read. Replies of another `seed` are others.
    When the file has grown to `size_limit` bytes, what was not asked for the longest is dropped.

    >>> import tempfile
    >>> with Cache(Path(tempfile.mkdtemp()) / "cache.sqlite") as cache:
    ...     cache.set("question", {"content": "42"})
    ...     cache.get("question"), cache.get("another one"), len(cache)
    ({'content': '42'}, None, 1)
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        seed: int | str | None = None,
        size_limit: int = 256 * _MIB,
    ) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int | str | None):
            raise ConfigurationError(
                f"Cannot use cache_seed={short(seed)}: a whole number, or None for no cache, is accepted. Give one."
            )
        if isinstance(size_limit, bool) or not isinstance(size_limit, int) or size_limit < 1:
            raise ConfigurationError(
                f"Cannot use size_limit={short(size_limit)}: a number of bytes above 0 is accepted. Give one."
            )
        self.path = _checked_path(FOLDER / FILE if path is None else path)
        self.seed = seed
        self.size_limit = size_limit
        self._file = _file_at(self.path)

    @classmethod
    def disk(cls, cache_seed: int | str = 42, cache_path_root: str | os.PathLike[str] = FOLDER) -> Cache:
        """The cache of a seed, in a folder. The classic form."""
        return cls(Path(cache_path_root) / FILE, seed=cache_seed)

    def __repr__(self) -> str:
        return f"Cache({str(self.path)!r}{'' if self.seed is None else f', seed={self.seed!r}'})"

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __copy__(self) -> Cache:
        return self

    def __deepcopy__(self, _: Any) -> Cache:
        return self  # configs are copied, what they lead to is not

    def __len__(self) -> int:
        rows = self._file.read(lambda database: database.execute(_COUNT, (self._seed,)).fetchone(), (0,))
        return int(rows[0])

    def __bool__(self) -> bool:
        return True  # an empty one is a cache, too

    @property
    def trouble(self) -> str | None:
        """Why the file could not be used when it last was needed; `None` where it could."""
        return self._file.trouble

    def get(self, key: str, default: Any = None) -> Any:
        """What is kept under a key, or else the default, also where the file cannot be read."""
        value = self._file.read(lambda database: self._find(database, key), None)
        try:
            return default if value is None else json.loads(value)
        except ValueError:
            return default  # somebody has changed it: the next reply takes its place

    def set(self, key: str, value: Any) -> None:
        """Keep plain data. Raises `ConfigurationError` for anything else; where the file cannot be written, nothing is kept."""
        text = _to_json(value)
        if len(text.encode()) <= self.size_limit:
            self._file.write(lambda database: self._put(database, key, text))

    def clear(self) -> None:
        """Forget all replies of this seed."""
        if self.path.exists():
            self._file.write(lambda database: database.execute("DELETE FROM replies WHERE seed = ?", (self._seed,)))

    def close(self) -> None:
        """Close the file. It is opened again when it is needed."""
        self._file.close()

    @property
    def _seed(self) -> str:
        return "" if self.seed is None else str(self.seed)

    def _find(self, database: sqlite3.Connection, key: str) -> str | None:
        row = database.execute("SELECT value FROM replies WHERE seed = ? AND key = ?", (self._seed, key)).fetchone()
        if row is None:
            return None
        self._file.write(lambda database: database.execute(_TOUCH, (time.time_ns(), self._seed, key)))
        return row[0] if isinstance(row[0], str) else None

    def _put(self, database: sqlite3.Connection, key: str, text: str) -> None:
        database.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?)", (self._seed, key, text, time.time_ns()))
        while _size(database) > self.size_limit:
            (count,) = database.execute("SELECT count(*) FROM replies").fetchone()
            if count < 2:
                return
            database.execute(_DROP_OLDEST, (max(count // 10, 1),))


_COUNT = "SELECT count(*) FROM replies WHERE seed = ?"
_TOUCH = "UPDATE replies SET used = ? WHERE seed = ? AND key = ?"


def to_cache(given: Any) -> Cache | None:
    """The cache that a setting means: `True` is the one of this folder, a text is a path, `None` and `False` are none."""
    if given is None or given is False:
        return None
    if given is True:
        return Cache()
    if isinstance(given, str | os.PathLike):
        return Cache(given)
    if callable(getattr(given, "get", None)) and callable(getattr(given, "set", None)):
        return given  # type: ignore[no-any-return]  # one of the user's own, as the classic has it
    raise ConfigurationError(
        f"Cannot use cache={short(given)}: True, the path of a file, or a Cache is accepted. Give one, or None for none."
    )


def cache_of(config: Mapping[str, Any]) -> Cache | None:
    """The cache that an `llm_config` asks for: by `cache`, or in the classic way by a `cache_seed`."""
    if config.get("cache") is not None:
        return to_cache(config["cache"])
    seed = config.get("cache_seed")
    return None if seed is None else Cache(seed=seed)


def _checked_path(path: str | os.PathLike[str]) -> Path:
    if not str(path).strip() or str(path) == ":memory:":
        raise ConfigurationError(f"Cannot keep replies in {str(path)!r}: it is no file. Give the path of one.")
    found = Path(path).expanduser().absolute()
    if found.is_dir():
        raise ConfigurationError(
            f"Cannot keep replies in {str(path)!r}: it is a folder. Give the path of a file in it, such as {FILE!r}."
        )
    return found


def _to_json(value: Any) -> str:
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"Cannot keep a {type(value).__name__} in a cache: it is no plain data ({error}). Give what JSON can express."
        ) from error


def _size(database: sqlite3.Connection) -> int:
    """The bytes of the file that are in use."""
    pages, free, size = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in _PAGES)
    return int((pages - free) * size)


_PAGES = ("page_count", "freelist_count", "page_size")


# -- The file ------------------------------------------------------------------------------------------------------


class _File:
    """One file, for all caches of this process that are in it. Trouble with it is kept, and never raised."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble: str | None = None
        self._lock = threading.RLock()
        self._opened: list[sqlite3.Connection] = []  # at most one
        self._pid = os.getpid()
        self._not_before = {"read": 0.0, "write": 0.0}
        finalize(self, _close, self._opened)

    def read(self, work: Callable[[sqlite3.Connection], T], default: T) -> T:
        """What some work finds; the default where there is no file, or it cannot be read."""
        return self._do("read", work, default) if self.path.exists() else default

    def write(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        """Do some work in one transaction, or not at all."""

        def in_one(database: sqlite3.Connection) -> None:
            database.execute("BEGIN IMMEDIATE")
            with database:
                work(database)

        self._do("write", in_one, None)

    def close(self) -> None:
        with self._lock:
            _close(self._opened)

    def _do(self, what: str, work: Callable[[sqlite3.Connection], T], default: T) -> T:
        with self._lock:
            if time.monotonic() < self._not_before[what]:
                return default
            try:
                found = work(self._connection())
            except (sqlite3.Error, OSError, UnicodeError, _OfAnother) as error:
                self._leave_alone(what, error)
                return default
            if what == "write":
                self.trouble = None
            return found

    def _connection(self) -> sqlite3.Connection:
        if (
            self._pid != os.getpid()
        ):  # a connection is of the process that has opened it, and must not be closed by another
            _INHERITED.extend(self._opened)
            self._opened.clear()
            self._pid = os.getpid()
        if not self._opened:
            self._opened.append(self._open())
        return self._opened[0]

    def _open(self) -> sqlite3.Connection:
        _make_private(self.path)
        database = sqlite3.connect(self.path, timeout=_WAIT, isolation_level=None, check_same_thread=False)
        try:
            _prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _leave_alone(self, what: str, error: Exception) -> None:
        """Go on without the file: for a while where it is in use, for good where it is damaged."""
        is_passing = isinstance(error, sqlite3.OperationalError | OSError)
        until = time.monotonic() + (_LEFT_ALONE if is_passing else float("inf"))
        self._not_before |= {what: until} if is_passing else {"read": until, "write": until}
        why = "another program keeps it to itself" if "locked" in str(error).lower() else str(error)
        self.trouble = f"the cache {str(self.path)!r} cannot be {'read' if what == 'read' else 'written'} ({why})"
        if not is_passing:
            self.close()


class _OfAnother(Exception):
    """The file is no cache of this version."""


def _prepare(database: sqlite3.Connection) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        database.execute("BEGIN IMMEDIATE")  # of two programs that begin, one makes the tables
        with database:
            _make_tables(database)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")


def _make_tables(database: sqlite3.Connection) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version == VERSION:
        return
    if tables or version:
        raise _OfAnother("it is a database of something else, or of another version")
    for statement in _SCHEMA.strip().split(";\n"):
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {VERSION}")


def _make_private(path: Path) -> None:
    """Make an empty file that only this user can read, where there is none; what SQLite adds to it is like it."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _close(opened: list[sqlite3.Connection]) -> None:
    while opened:
        opened.pop().close()


_INHERITED: list[sqlite3.Connection] = []
_files: WeakValueDictionary[Path, _File] = WeakValueDictionary()
_files_lock = threading.Lock()


def _file_at(path: Path) -> _File:
    with _files_lock:
        found = _files.get(path)
        if found is None:
            found = _files[path] = _File(path)
        return found
