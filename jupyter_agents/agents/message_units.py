"""The parts of a talk that must stay whole: a message, or a call together with its results, in classic dictionaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jupyter_agents.messages import Message

Dicts = list[dict[str, Any]]


def units_from_end(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, int]]:
    """Where each part that must stay whole begins and ends, the last one first: a message, or a call with its results."""
    end = len(messages)
    while end:
        start = end - 1
        while start and _is_result(messages[start]):
            start -= 1
        if not _calls(messages[start]):
            start = end - 1
        yield start, end
        end = start


def start_of_last(messages: Sequence[Mapping[str, Any]], number: int) -> int:
    """Where the last so many messages begin; where that is among the results of a call, it is where the call is."""
    if number <= 0:
        return len(messages)
    return next((start for start, _ in units_from_end(messages) if len(messages) - start >= number), 0)


def unit_at_start(messages: Sequence[Mapping[str, Any]]) -> int:
    """Where the first such part ends."""
    end = min(len(messages), 1)
    if messages and _calls(messages[0]):
        while end < len(messages) and _is_result(messages[end]):
            end += 1
    return end


def mended(messages: Dicts) -> Dicts:
    """The messages without results whose calls are gone. A call without its result is given one on the way to a model."""
    kept: Dicts = []
    waiting: set[Any] = set()
    for message in messages:
        if message.get("role") != "tool":
            waiting = {one.get("id") for one in message.get("tool_calls") or ()}
            kept.append(message)
            continue
        responses = message.get("tool_responses") or ()
        if not responses and _answers(message, waiting):
            kept.append(message)
        fits = [one for one in responses if _answers(one, waiting)]
        if fits:
            kept.append(message if len(fits) == len(responses) else message | {"tool_responses": fits})
    return kept


def _answers(result: Mapping[str, Any], waiting: set[Any]) -> bool:
    """Whether one of the calls that wait is answered by this; it then waits no longer."""
    call_id = result.get("tool_call_id")
    is_due = call_id in waiting
    waiting.discard(call_id)
    return is_due


def _is_result(message: Mapping[str, Any]) -> bool:
    return message.get("role") in ("tool", "function")


def _calls(message: Mapping[str, Any]) -> bool:
    return bool(message.get("tool_calls") or message.get("function_call"))


def instructions(messages: Sequence[Mapping[str, Any]]) -> int:
    """How many messages at the beginning are instructions."""
    return next((at for at, one in enumerate(messages) if one.get("role") != "system"), len(messages))


def as_text(message: Mapping[str, Any]) -> str:
    """A message as somebody reads it who takes no part: who spoke, the words, and calls as words."""
    said = Message.from_dict({"content": "", **message} if message.get("content") is None else message)
    words = [said.text, *(f"[calls {one.name}({one.arguments})]" for one in said.calls)]
    return f"{message.get('name') or message.get('role') or 'user'}: " + "\n".join(one for one in words if one)
