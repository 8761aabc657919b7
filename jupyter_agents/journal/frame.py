"""The messages of a chat as a pandas DataFrame, for whoever wants to count, filter and plot them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import CodeFinished, Event, MessageSent, ModelAnswered

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]  # its stubs are a package of their own

COLUMNS = {
    "chat": "int64",
    "turn": "int64",
    "sender": "string",
    "recipient": "string",
    "role": "string",
    "origin": "string",
    "content": "string",
    "tool_calls": "object",
    "model": "string",
    "tokens_in": "Int64",
    "tokens_out": "Int64",
    "estimated": "boolean",
    "cost": "Float64",
    "replayed": "bool",
    "cached": "bool",
    "seconds": "Float64",
    "finish_reason": "string",
    "silent": "bool",
}
"""The columns in order, with their dtypes."""


def to_frame(events: Iterable[Event], initiator: str) -> DataFrame:
    """One row for each message among `events`; roles as `initiator` sees them."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ConfigurationError(
            "Cannot make a DataFrame: pandas is not installed. Run `pip install pandas`, or use `messages`."
        ) from error
    rows = list(_rows(events, initiator))
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    return pd.DataFrame({name: pd.Series(columns[name], dtype=dtype) for name, dtype in COLUMNS.items()})


def joined_frames(frames: Sequence[tuple[Hashable, DataFrame]]) -> DataFrame:
    """Several frames one below the other; the first column, `result`, has the key of each."""
    import pandas as pd

    for key, frame in frames:
        frame.insert(0, "result", pd.Series([key] * len(frame), dtype=None if isinstance(key, int) else "object"))
    if frames:
        return pd.concat([frame for _, frame in frames], ignore_index=True)
    empty = to_frame([], "")
    empty.insert(0, "result", pd.Series([], dtype="object"))
    return empty


def _rows(events: Iterable[Event], initiator: str) -> Iterator[dict[str, Any]]:
    turns: defaultdict[int, int] = defaultdict(int)
    seconds: dict[tuple[int, str], float] = {}
    for event in events:
        if isinstance(event, ModelAnswered) and not (event.replayed or event.cached):
            seconds[event.chat, event.agent] = event.seconds
        elif isinstance(event, CodeFinished) and event.status != "refused":
            key = event.chat, event.agent
            seconds[key] = seconds.get(key, 0.0) + event.seconds
        elif isinstance(event, MessageSent):
            took = seconds.pop((event.chat, event.sender), None)
            yield _row(event, turns[event.chat], initiator, took)
            turns[event.chat] += 1


def _row(event: MessageSent, turn: int, initiator: str, seconds: float | None) -> dict[str, Any]:
    message, usage = event.message, event.usage
    speech = "assistant" if event.sender == initiator or message.calls else "user"
    return {
        "chat": event.chat,
        "turn": turn,
        "sender": event.sender,
        "recipient": event.recipient,
        "role": message.role or speech,
        "origin": event.origin,
        "content": message.text,
        "tool_calls": [call.name for call in message.calls],
        "model": event.model,
        "tokens_in": usage.prompt_tokens if usage else None,
        "tokens_out": usage.completion_tokens if usage else None,
        "estimated": usage.estimated if usage else None,
        "cost": event.cost,
        "replayed": event.replayed,
        "cached": event.cached,
        "seconds": seconds if event.origin in ("model", "code") else None,
        "finish_reason": message.finish_reason,
        "silent": event.silent,
    }
