"""The classic's logging of model calls, and an SQLite file of what happened: views of the logs of all chats held meanwhile.

Nothing is written while chats go on. What is kept in memory are the logs and the requests themselves, until another logging
is started with a new history.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.journal.canonical import canonical, plain, redacted
from jupyter_agents.journal.event_json import event_to_json
from jupyter_agents.known_secrets import known_secrets
from jupyter_agents.models.base import ModelReply
from jupyter_agents.observers import observe, stop_observing

if TYPE_CHECKING:
    from jupyter_agents.effects import Complete
    from jupyter_agents.events import Entry, EventLog

_SCHEMA = """
CREATE TABLE events (session_id TEXT, log INTEGER, seq INTEGER, chat INTEGER, kind TEXT, agent TEXT, json_state TEXT);
CREATE TABLE chat_completions (session_id TEXT, log INTEGER, seq INTEGER, chat INTEGER, source_name TEXT, model TEXT,
    request TEXT, response TEXT, is_cached INTEGER, prompt_tokens INTEGER, completion_tokens INTEGER, cost REAL, end_time TEXT);
CREATE VIEW function_calls AS SELECT session_id, log, seq, chat, agent AS source_name,
    json_extract(json_state, '$.name') AS function_name, json_extract(json_state, '$.content') AS returns,
    json_extract(json_state, '$.ok') AS ok FROM events WHERE kind = 'tool_finished';
"""
_NOTHING: dict[str, list[Any]] = {"created_at": [], "cost": []}
_CALL = "INSERT INTO chat_completions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_WHO = ("agent", "sender", "initiator", "manager", "by")
"""Fields of events that say whose doing it was."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A question to a model and its reply. `seq` is the place in its log at which the reply came."""

    log: EventLog
    seq: int
    chat: int
    agent: str
    messages: tuple[Any, ...]
    options: dict[str, Any]
    reply: ModelReply
    ended: datetime

    @property
    def is_paid(self) -> bool:
        return not (self.reply.replayed or self.reply.cached)

    @property
    def cost(self) -> float | None:
        """US dollars; nothing where no server was asked, and `None` where it is unknown."""
        return self.reply.cost if self.is_paid else 0.0

    def to_request(self) -> dict[str, Any]:
        return _safe({**self.options, "messages": self.messages})  # type: ignore[no-any-return]

    def to_response(self) -> dict[str, Any]:
        """The reply, as the classic has it."""
        reply, usage = self.reply, self.reply.usage
        choices = [_choice(number, one) for number, one in enumerate((reply, *reply.alternatives))]
        found: dict[str, Any] = {"model": reply.model, "choices": choices, "cost": self.cost}
        if usage is not None:
            found["usage"] = usage.to_json() | {"total_tokens": usage.total_tokens}
        return _safe(found | {"cached": not self.is_paid})  # type: ignore[no-any-return]


@dataclass
class _Logging:
    """An observer that keeps what it sees. `spans` are the logs, with the first place in each."""

    spans: dict[int, tuple[EventLog, int]] = field(default_factory=dict)
    calls: list[_Call] = field(default_factory=list)
    first: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def happened(self, log: EventLog, entry: Entry) -> None:
        with self._lock:
            self.spans.setdefault(id(log), (log, entry.seq))

    def answered(self, log: EventLog, chat: int, question: Complete, outcome: ModelReply | Exception) -> None:
        if not isinstance(outcome, ModelReply):
            return
        request, now = question.request, datetime.now(UTC)
        options = {key: value for key, value in request.options.items() if value is not None}
        messages = tuple(request.messages)
        with self._lock:
            self.calls.append(_Call(log, len(log), chat, question.agent, messages, options, outcome, now))

    def logs(self) -> Iterator[tuple[int, EventLog, int]]:
        for number, (log, first) in enumerate(self.spans.values()):
            yield number, log, first


@dataclass
class _State:
    logging: _Logging | None = None
    is_compact: bool = True
    history: dict[Any, Any] | None = None
    seen: int = 0
    counter: int = 0


_state = _State()


def start_logging(history_dict: dict[Any, Any] | None = None, compact: bool = True, reset_counter: bool = True) -> None:
    """Keep what models are asked and what they reply, in all chats from now on. The classic form.

    `history_dict` is filled where one is given, when `logged_history()` is called or logging stops; see there for
    `compact`. With `reset_counter` calls are counted from 0, otherwise on from the last logging.
    """
    if history_dict is not None and not isinstance(history_dict, dict):
        raise ConfigurationError(
            f"Cannot log to a {type(history_dict).__name__}: a dictionary is accepted. Give one, or None for a new one."
        )
    stop_logging()
    _state.logging = _Logging()
    _state.history = {} if history_dict is None else history_dict
    _state.is_compact, _state.seen = bool(compact), 0
    _state.counter = 0 if reset_counter else _state.counter
    observe(_state.logging)


def stop_logging() -> None:
    """Keep nothing from now on. What was kept can still be read, and exported."""
    if _state.logging is not None:
        logged_history()
        stop_observing(_state.logging)


def logged_history() -> dict[Any, Any] | None:
    """The calls that were logged so far; `None` where logging was never started.

    Compact: by the JSON of each conversation with a model the numbers of its calls (`created_at`) and what they cost, in
    US dollars (`None` where it is unknown). Otherwise: by its number each call, with its `request` and its `response`.
    Known secrets are not in it.
    """
    logging, history = _state.logging, _state.history
    if logging is None or history is None:
        return None
    add = _add_compact if _state.is_compact else _add_whole
    for call in logging.calls[_state.seen :]:
        add(history, call, _state.counter)
        _state.counter += 1
        _state.seen += 1
    return history


def export_logging(path: str | os.PathLike[str]) -> Path:
    """Write what was logged to a new SQLite file: all events (`events`), and model calls (`chat_completions`); its path.

    Only this user can read it. Known secrets are not in it. The view `function_calls` holds what tools gave.
    """
    if _state.logging is None:
        raise ConfigurationError("Cannot export: nothing was logged. Call start_logging() before the chats.")
    target = Path(path).expanduser().absolute()
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        _write(part, _state.logging)
        part.replace(target)
    except (OSError, sqlite3.Error) as error:
        raise ConfigurationError(
            f"Cannot export to {str(target)!r}: {getattr(error, 'strerror', None) or error}. Give a path that can be written."
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _add_compact(history: dict[Any, Any], call: _Call, number: int) -> None:
    """A conversation that goes on takes the place of what it was before, as the classic has it."""
    asked = call.to_request()["messages"]
    said = call.to_response()["choices"][0]["message"]
    last = max((at for at, one in enumerate(asked) if one.get("role") == "assistant"), default=-1)
    before = history.pop(canonical(asked[: last + 1]), _NOTHING)
    whole = canonical([*asked, said])
    same = history.get(whole, _NOTHING)
    new = {"created_at": number, "cost": call.cost}
    history[whole] = {name: [*same[name], *before[name], one] for name, one in new.items()}


def _add_whole(history: dict[Any, Any], call: _Call, number: int) -> None:
    history[number] = {"request": call.to_request(), "response": call.to_response()}


def _choice(number: int, reply: ModelReply) -> dict[str, Any]:
    message = reply.to_message().to_wire("assistant")[0]
    return {"index": number, "finish_reason": reply.finish_reason, "message": message}


def _safe(value: Any) -> Any:
    return redacted(plain(value), known_secrets(), whole=True)


def _write(path: Path, logging: _Logging) -> None:
    session = uuid.uuid4().hex
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_SCHEMA)
        for number, log, first in logging.logs():
            rows = (_event_row(session, number, entry) for entry in log.entries[first:])
            database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        numbers = {id(log): number for number, log, _ in logging.logs()}
        calls = (_call_row(session, numbers[id(call.log)], call) for call in logging.calls)
        database.executemany(_CALL, calls)


def _event_row(session: str, number: int, entry: Entry) -> tuple[Any, ...]:
    found = _safe(event_to_json(entry.event))
    who = next((found[name] for name in _WHO if isinstance(found.get(name), str)), None)
    return session, number, entry.seq, entry.event.chat, entry.event.kind, who, canonical(found)


def _call_row(session: str, number: int, call: _Call) -> tuple[Any, ...]:
    usage = call.reply.usage
    tokens = (usage.prompt_tokens, usage.completion_tokens) if usage else (None, None)
    request, response = json.dumps(call.to_request()), json.dumps(call.to_response())
    whose = session, number, call.seq, call.chat, call.agent, call.reply.model
    return *whose, request, response, int(not call.is_paid), *tokens, call.cost, call.ended.isoformat()
