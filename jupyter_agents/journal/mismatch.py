"""Why a recording does not hold what is asked: the nearest question that it does hold, and the difference."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jupyter_agents.journal.canonical import Asked
from jupyter_agents.journal.recording_file import Conversation, Exchange

_WIDTH = 110
_MAX_LINES = 60
_MAX_COMPARED = 1_500
_CONTEXT = 2
_BENEFIT_OF_PLACE = 0.25
_WORD = re.compile(r"\w+")


def explain(asked: Asked, recorded: tuple[Conversation, Exchange] | None) -> str:
    """The difference between what is asked and a recorded question, as a unified diff of at most about 60 lines."""
    question = recorded and recorded[0].question(recorded[1])
    if not recorded or question is None:
        return f"Nothing that {asked.agent!r} asks a {asked.kind} is recorded that could be compared."
    exchange = recorded[1]
    before = _render(exchange.agent, exchange.chat, exchange.turn, *question)
    now = _render(
        asked.agent, asked.chat, asked.turn, json.loads(asked.head), [json.loads(one) for one in asked.messages]
    )
    made = "scripted" if exchange.scripted else "recorded"
    changes = _diff(before, now, f"{made} (line {exchange.number})")
    return changes or "The words are the same, but the hash does not fit: the recording was edited by hand."


def nearest(
    asked: Asked, conversations: Iterable[Conversation], expected: tuple[Conversation, Exchange] | None = None
) -> tuple[Conversation, Exchange] | None:
    """The recorded question that has most words in common with what is asked; the same agent's, of equals.

    Of a later question those words are compared that are new in it and that the agent has not said itself. The one that was
    `expected` in this place stands unless another is clearly nearer.
    """
    told = asked.head if asked.turn == 1 or asked.kind == "human" else ""
    words = _words(told, *_news(asked))
    best, found = -1.0, None
    for conversation in conversations:
        for exchange in conversation.exchanges.values():
            if exchange.kind != asked.kind:
                continue
            score = _likeness(words, _words(*_recorded_news(exchange)))
            score += 0.01 * (exchange.agent == asked.agent) + 0.001 * (exchange.chat == asked.chat)
            score += _BENEFIT_OF_PLACE * (expected is not None and exchange is expected[1])
            if score > best:
                best, found = score, (conversation, exchange)
    return found or expected


def _news(asked: Asked) -> list[str]:
    if asked.turn == 1:
        return list(asked.messages)
    return [line for line in asked.messages[asked.kept :] if not _is_own(json.loads(line))]


def _recorded_news(exchange: Exchange) -> list[str]:
    parts = [part for part in exchange.parts if exchange.turn == 1 or not (isinstance(part, list) or _is_own(part))]
    told = [exchange.head, *parts] if exchange.turn == 1 or exchange.kind == "human" else parts
    return [json.dumps(told, ensure_ascii=False)]


def _is_own(message: Mapping[str, Any]) -> bool:
    """Whether the agent that asks has said it itself: what is in it, the answer before has brought."""
    return message.get("role") == "assistant"


def _words(*texts: str) -> Counter[str]:
    return Counter(word for text in texts for word in _WORD.findall(text))


def _likeness(one: Counter[str], other: Counter[str]) -> float:
    return 2 * (one & other).total() / max(1, one.total() + other.total())


def _render(agent: str, chat: int, turn: int, head: Mapping[str, Any], messages: Sequence[Any]) -> list[str]:
    """A question as lines for people. Every line says whose words it holds, since a diff shows few of them."""
    lines = [f"turn {turn} of {agent!r} in chat {chat}"]
    for name, value in sorted(head.items()):
        lines += _labelled(name, value)
    for message in messages:
        speaker = message.get("role", "message")
        lines += _labelled(speaker, message.get("content"))
        for name in sorted(message.keys() - {"role", "content"}):
            lines += _labelled(f"{speaker} {name}", message[name])
    return lines


def _labelled(label: str, value: Any) -> list[str]:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1)
    pieces = (line[at : at + _WIDTH] for line in text.split("\n") for at in range(0, len(line) or 1, _WIDTH))
    return [f"{label} | {piece}" for piece in pieces]


def _diff(before: list[str], now: list[str], name: str) -> str:
    same = next(
        (at for at, pair in enumerate(zip(before, now, strict=False)) if pair[0] != pair[1]), min(len(before), len(now))
    )
    start = max(0, same - _CONTEXT)
    compared = before[start : start + _MAX_COMPARED], now[start : start + _MAX_COMPARED]
    lines = list(difflib.unified_diff(*compared, name, "asked now", n=_CONTEXT, lineterm=""))
    shown = ["…" if line.startswith("@@") else line for line in lines[:_MAX_LINES]]
    if len(lines) > _MAX_LINES:
        shown.append(f"… and {len(lines) - _MAX_LINES} more lines")
    return "\n".join(shown)
