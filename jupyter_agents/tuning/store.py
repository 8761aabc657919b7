"""What was answered is kept, so that the same search costs nothing a second time, also after an interrupt."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_agents.journal.canonical import canonical, plain, redacted
from jupyter_agents.journal.redact import secret_values
from jupyter_agents.messages import Usage

DEFAULT_PATH = Path(".jupyter_agents") / "tuning.sqlite"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a config said to an instance, and what that took. `is_stored` says that nothing was asked in this run.

    `host` is that of the endpoint, where it is known and one: prices go by it. `cost` is what it cost in US dollars, by the
    prices of the configs or published ones; `None` where that is not all known.
    """

    responses: tuple[str, ...]
    usage: Mapping[str, Usage] = field(default_factory=dict)
    model_calls: int = 0
    turns: int = 0
    host: str | None = None
    cost: float | None = None
    is_stored: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        usage = {model: one.to_json() for model, one in self.usage.items()}
        counts = {"model_calls": self.model_calls, "turns": self.turns}
        return {"responses": [*self.responses], "usage": usage, "host": self.host, "cost": self.cost} | counts

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """The reverse of `to_json`, as what was stored."""
        usage = {model: Usage.from_json(one) for model, one in data["usage"].items()}
        counts = data["model_calls"], data["turns"]
        return cls(tuple(data["responses"]), usage, *counts, data["host"], data.get("cost"), is_stored=True)


def key_of(asked: Mapping[str, Any]) -> str | None:
    """A hash of plain data; `None` where it holds something else, of which two could not be told apart."""
    try:
        json.dumps(asked, allow_nan=False)
    except (TypeError, ValueError):
        return None
    return hashlib.sha256(canonical(plain(asked)).encode()).hexdigest()


class Store:
    """Outcomes by key, in a SQLite file that only its owner reads. Where it cannot be used, nothing is kept."""

    def __init__(self, path: str | os.PathLike[str] | None, *, fresh: bool = False) -> None:
        self.path = Path(path) if path is not None else None
        self._fresh = fresh
        self._database = self._opened() if self.path is not None else None

    def close(self) -> None:
        """Let go of the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def get(self, key: str | None) -> Outcome | None:
        """What is kept under a key, unless everything is to be asked anew."""
        if key is None or self._fresh or self._database is None:
            return None
        try:
            row = self._database.execute("SELECT outcome FROM outcomes WHERE key = ?", (key,)).fetchone()
            return Outcome.from_json(json.loads(row[0])) if row else None
        except (sqlite3.Error, ValueError, LookupError, TypeError, AttributeError) as error:
            self._give_up(error)
            return None

    def put(self, key: str | None, outcome: Outcome) -> None:
        """Keep an outcome at once, without the secrets that are in it."""
        if key is None or self._database is None:
            return
        said = canonical(redacted(plain(outcome.to_json()), secret_values(os.environ), whole=True))
        try:
            with self._database:
                self._database.execute("INSERT OR REPLACE INTO outcomes VALUES (?, ?)", (key, said))
        except sqlite3.Error as error:
            self._give_up(error)

    def _opened(self) -> sqlite3.Connection | None:
        assert self.path is not None
        database = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            database = sqlite3.connect(self.path, timeout=10, check_same_thread=False)
            database.execute("PRAGMA journal_mode=WAL")
            with database:
                database.execute("CREATE TABLE IF NOT EXISTS outcomes (key TEXT PRIMARY KEY, outcome TEXT NOT NULL)")
        except (OSError, sqlite3.Error) as error:
            if database is not None:
                database.close()
            self._warn(error)
            return None
        return database

    def _give_up(self, error: Exception) -> None:
        self.close()
        self._warn(error)

    def _warn(self, error: Exception) -> None:
        warnings.warn(
            f"Answers are not kept: {str(self.path)!r} cannot be used ({error}). The search goes on without it.",
            RuntimeWarning,
            stacklevel=2,
        )
