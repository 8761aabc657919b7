"""What a block has changed, for a reader: a quiet line below its result, and the same as data for the page.

The ids under which blocks are undone differ from run to run, and so does whether another cell ran beside one. These are
metadata of the output; the names and the kinds are data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jupyter_agents.events import CodeFinished

_MAX_NAMES = 8
_SORTS = ("added", "rebound", "changed", "deleted")

Names = Mapping[str, Any]
"""The names that one block has changed, by sort, as the JSON part of a bundle holds them; `more` are not listed."""


def changes_of(ran: Iterable[CodeFinished]) -> list[tuple[Names, str]]:
    """The names that each of these blocks has changed, with the id of the block, for those that changed any."""
    found = [(_names(block.changes), block.block_id) for block in ran if block.changes]
    return [(names, block_id) for names, block_id in found if names]


def is_unknown(ran: Iterable[CodeFinished]) -> bool:
    """Whether what one of the blocks has changed cannot be told: another cell ran beside it."""
    return any(block.changes and not block.changes.get("is_known", True) for block in ran)


def describe_changes(names: Names) -> str:
    """The names of a block in a line.

    >>> describe_changes({"added": [{"name": "n", "kind": "int"}], "deleted": [{"name": "tmp"}], "more": 2})
    'set n (int) · deleted tmp · 2 more'
    """
    bound = [*names.get("added", ()), *names.get("rebound", ())]
    parts = [
        _phrase("set", [_described(one) for one in bound]),
        _phrase("changed", [_described(one) for one in names.get("changed", ())]),
        _phrase("deleted", [one["name"] for one in names.get("deleted", ())]),
        f"{names['more']:,} more" if names.get("more") else "",
    ]
    return " · ".join(part for part in parts if part)


def _names(changes: Mapping[str, Any]) -> Names:
    """The first names of all sorts, without what is empty: a message must stay small in the file."""
    found: dict[str, Any] = {}
    left, more = _MAX_NAMES, int(changes.get("more", 0))
    for sort in _SORTS:
        listed = changes.get(sort, ())
        if listed[:left]:
            found[sort] = [{key: text for key, text in one.items() if text} for one in listed[:left]]
        more += len(listed[left:])
        left -= len(listed[:left])
    return found | ({"more": more} if more else {})


def _phrase(verb: str, names: Sequence[str]) -> str:
    return f"{verb} {', '.join(names)}" if names else ""


def _described(one: Mapping[str, str]) -> str:
    kind, before = one.get("kind", ""), one.get("before", "")
    if before and before != kind:
        head, _, rest = kind.partition(" ")
        kind = f"{before} → {rest if rest and before.startswith(f'{head} ') else kind}"
    return f"{one['name']} ({kind})" if kind else one["name"]


__all__ = ["Names", "changes_of", "describe_changes", "is_unknown"]
