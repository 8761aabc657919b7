"""Events from their JSON: how a log that was written to a file is read again.

Reading is strict. A kind of event or a field that is not known was written by another version of this package, and
leaving it out would change what agents remember.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from jupyter_agents import events
from jupyter_agents.errors import RecordingError
from jupyter_agents.events import Event
from jupyter_agents.messages import Message, Usage


def event_to_json(event: Event) -> dict[str, Any]:
    """Plain data, as `Event.to_json` gives it, in which messages also say how they were finished."""
    found = event.to_json()
    for one in fields(event):
        value = getattr(event, one.name)
        if isinstance(value, Message):
            found[one.name] = message_to_json(value)
    if isinstance(event, events.HistorySet | events.GroupSet):
        found["messages"] = [[who, message_to_json(message)] for who, message in event.messages]
    return found


def event_from_json(data: Mapping[str, Any]) -> Event:
    """The reverse. Raises `RecordingError` for an event of a kind that is not known, or that lacks something."""
    kind = data.get("kind")
    sort = _KINDS.get(kind) if isinstance(kind, str) else None
    if sort is None:
        raise RecordingError(
            f"Cannot read an event of kind {kind!r}: this version knows {', '.join(sorted(_KINDS))}. "
            "Read the file with the version that has written it, or a later one."
        )
    known = {one.name: one for one in fields(sort)}
    given = {name: value for name, value in data.items() if name not in ("kind", "seq")}
    unknown = sorted(given.keys() - known.keys())
    missing = [
        name
        for name, one in known.items()
        if name not in given and one.default is MISSING and one.default_factory is MISSING
    ]
    if unknown or missing:
        what = f"it has {unknown[0]!r}, which is not known" if unknown else f"it lacks {missing[0]!r}"
        raise RecordingError(
            f"Cannot read an event of kind {kind!r}: {what}. Read the file with the version that has written it."
        )
    try:
        return sort(**{name: _value(sort, name, value) for name, value in given.items()})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordingError(
            f"Cannot read an event of kind {kind!r}: {type(error).__name__}: {error}. The file is damaged; take a copy of it."
        ) from error


def message_to_json(message: Message) -> dict[str, Any]:
    """A message with everything that is known of it."""
    found = message.to_dict()
    return found if message.finish_reason is None else found | {"finish_reason": message.finish_reason}


def message_from_json(data: Mapping[str, Any]) -> Message:
    """The reverse. A text is as it was, be there halves of characters in it."""
    content = data.get("content")
    message = Message.from_dict({**data, "content": ""} if content is None else data)
    return message.with_content(content) if content is None or isinstance(content, str) else message


def _pairs(value: Any) -> tuple[tuple[Any, Message], ...]:
    return tuple((who, message_from_json(message)) for who, message in value)


def _value(sort: type[Event], name: str, value: Any) -> Any:
    read = _READERS.get((sort.kind, name), _READERS.get(("", name)))
    return value if read is None or value is None else read(value)


_READERS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("", "message"): message_from_json,
    ("", "usage"): Usage.from_json,
    (events.HistorySet.kind, "messages"): _pairs,
    (events.GroupSet.kind, "messages"): _pairs,
    (events.Relayed.kind, "to"): tuple,
}
"""How a field is read that is no plain value, by the kind of event and the name of the field."""

_KINDS: dict[str, type[Event]] = {
    one.kind: one
    for one in vars(events).values()
    if isinstance(one, type) and issubclass(one, Event) and one is not Event
}
