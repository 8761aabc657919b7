"""Whether messages say anything, and whether they say the same again: how a chat that gets nowhere is recognised."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from jupyter_agents.messages import Message

_LONGEST_BLANK = 100
"""Longer texts are not looked at: nobody sends so many invisible characters."""

_FORMAT = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_QUOTES = "*_`'\""
_MARKS = ".,;:!?…" + _QUOTES


def is_blank(message: Message) -> bool:
    """Whether there is nothing in a message to answer: no call, no result, and no character that can be seen.

    >>> is_blank(Message(" \\u200b\\n")), is_blank(Message("?"))
    (True, False)
    """
    if message.is_empty:
        return True
    if message.calls or message.tool_responses or len(message.text) > _LONGEST_BLANK:
        return False
    return all(unicodedata.category(one)[0] in "CZ" for one in message.text)


def gist(message: Message) -> int:
    """A number that is the same for messages which say the same, whatever their spaces, case and sentence marks.

    >>> gist(Message("Thank you!")) == gist(Message("thank  you. ")), gist(Message("5")) == gist(Message("-5"))
    (True, False)
    """
    text = message.text if message.text.isascii() else _FORMAT.sub("", message.text)
    words = [word.lstrip(_QUOTES).rstrip(_MARKS) for word in text.casefold().split()]
    said = " ".join(filter(None, words)) or text.strip()
    return hash((said, message.role, repr(message.tool_responses), repr(_images(message))))


def _images(message: Message) -> list[object]:
    parts = () if message.content is None or isinstance(message.content, str) else message.content
    return [part for part in parts if part.get("type") != "text"]


def repetition(
    messages: Sequence[Message], times: int, periods: Iterable[int], gist_at: Callable[[int], int] | None = None
) -> int | None:
    """Of how many messages is what the last ones repeat, so many times in a row; `None` where they do not.

    Calls are never a repetition: a tool may be polled. `gist_at` gives the gist of a message by its index.
    """
    gist_at = gist_at or (lambda at: gist(messages[at]))
    for period in periods:
        size = period * times
        if len(messages) < size or any(one.calls for one in messages[-period:]):
            continue
        if all(gist_at(-at) == gist_at(-at - period) for at in range(1, size - period + 1)):
            return period
    return None
