"""How many tokens messages have, about; and messages made shorter, to so many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.meant import short

Dicts = list[dict[str, Any]]
Counter = Callable[[str], int]

_TOKENS_OF_AN_IMAGE = 1000
"""About what a picture of a screen costs at the large providers. None says in advance."""
_LEFT_OUT = "\n[… {:,} characters are left out here …]\n"


class Tokens:
    """Counts the tokens of messages, and makes messages shorter."""

    def __init__(self, count: Counter | None = None) -> None:
        if count is not None and not callable(count):
            raise ConfigurationError(
                f"Cannot use count={short(count)}: it cannot be called. Give a function of a text that gives its number of "
                "tokens, or None."
            )
        self._count = count or estimate

    def of(self, message: Mapping[str, Any]) -> int:
        """Those of a message: its words, its calls, and about those of its images."""
        return sum(map(self._count, _texts(message))) + self._fixed(message)

    def exceed(self, messages: Sequence[Mapping[str, Any]], limit: int) -> bool:
        """Whether there are more; no more is counted than is needed to know."""
        found = 0
        for one in reversed(messages):
            found += self.of(one)
            if found > limit:
                return True
        return False

    def shortened(self, message: dict[str, Any], limit: int) -> dict[str, Any]:
        """A message whose words have at most so many tokens."""
        return self.fitted([message], limit + self._fixed(message))[0]

    def fitted(self, unit: Dicts, room: int) -> Dicts:
        """Messages of together at most so many tokens, as far as shortening their words makes them. The longest give most."""
        sizes = [self._count(text) for message in unit for text in _texts(message)]
        left = max(room - sum(map(self._fixed, unit)), 0)
        if sum(sizes) <= left:
            return unit
        level = _level(sizes, left)
        return [_with_texts(one, lambda text: self._cut(text, level)) for one in unit]

    def _fixed(self, message: Mapping[str, Any]) -> int:
        calls = [
            *(message.get("tool_calls") or ()),
            *([message["function_call"]] if message.get("function_call") else ()),
        ]
        functions = [one.get("function") or one for one in calls]
        words = sum(self._count(str(one.get("name"))) + self._count(str(one.get("arguments"))) for one in functions)
        return int(words) + _TOKENS_OF_AN_IMAGE * _images(message)

    def _cut(self, text: str, limit: int) -> str:
        """The beginning and the end of a text, with what is missing stated if there is room for that."""
        size = self._count(text)
        if size <= limit:
            return text
        has_room = 3 * self._count(_LEFT_OUT.format(len(text))) <= limit
        kept = len(text) * limit // size
        while kept > 0:
            marker = _LEFT_OUT.format(len(text) - kept) if has_room else "…"
            head, tail = kept - kept // 3, kept // 3
            found = text[:head] + marker + (text[-tail:] if tail else "")
            if self._count(found) <= limit:
                return found
            kept -= max(kept // 8, 1)
        return ""


def estimate(text: str) -> int:
    """About how many tokens a text has: one for four bytes, so that scripts with more to a letter count for more.

    >>> estimate("twelve chars")
    3
    """
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def _texts(message: Mapping[str, Any]) -> list[str]:
    """The texts of which a message consists for a model: results count, and not the content that repeats them."""
    if message.get("tool_responses"):
        return [str(one.get("content") or "") for one in message["tool_responses"]]
    content = message.get("content")
    if isinstance(content, list | tuple):
        return [str(part.get("text", "")) for part in content if part.get("type") == "text"]
    return [content] if isinstance(content, str) else []


def _with_texts(message: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    responses, content = message.get("tool_responses"), message.get("content")
    if responses:
        return message | {
            "tool_responses": [one | {"content": change(str(one.get("content") or ""))} for one in responses]
        }
    if isinstance(content, list | tuple):
        parts = [part | {"text": change(str(part["text"]))} if part.get("type") == "text" else part for part in content]
        return message | {"content": parts}
    return message | {"content": change(content)} if isinstance(content, str) else message


def _images(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    parts = content if isinstance(content, list | tuple) else ()
    found: int = sum(part.get("type") != "text" for part in parts)
    return found + sum(len(one.get("images") or ()) for one in message.get("tool_responses") or ())


def _level(sizes: Sequence[int], room: int) -> int:
    """To what the longest must be cut so that all fit: what the shorter ones leave over is shared among the others."""
    ordered = sorted(sizes)
    for at, size in enumerate(ordered):
        share = room // (len(ordered) - at)
        if size > share:
            return share
        room -= size
    return ordered[-1] if ordered else 0
