"""What a reasoning model says to itself before it answers, where its server leaves that in the reply."""

from __future__ import annotations

import re

from jupyter_agents.code_blocks import CodeBlock, remove_code

_TAG = r"(?:think|thinking|thought|reasoning)>"
_OPENING = re.compile(rf"\s*<{_TAG}", re.IGNORECASE)
_CLOSING = re.compile(rf"</{_TAG}", re.IGNORECASE)
_THOUGHT = re.compile(rf"\A.*</{_TAG}", re.DOTALL | re.IGNORECASE)
"""Its end is enough: the templates of some models write the beginning themselves."""


def without_thought(text: str) -> str:
    """A reply without what its model has said to itself: that is not its answer, whatever is in it.

    >>> without_thought("<think>Alice or Bob?</think>Bob"), without_thought("Bob")
    ('Bob', 'Bob')
    """
    return _THOUGHT.sub("", text, count=1) if "</" in text else text


def beyond_thought(text: str, blocks: list[CodeBlock]) -> list[CodeBlock]:
    """The code blocks of a reply that are not in a thought with which it begins. Tags that stand in code are none."""
    if not blocks or _OPENING.match(text) is None:
        return blocks
    ends = (at for at, line in enumerate(remove_code(text).split("\n")) if _CLOSING.search(line))
    end = next(ends, -1)
    return [block for block in blocks if block.line > end]
