"""Taking back what a block has bound and deleted: names only, within a budget of memory, and never a person's own work.

What cannot be taken back is said: changes inside objects, what was too large to keep, and names that somebody has
bound anew since. Files, processes and what else there is outside the namespace are not looked at.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from jupyter_agents.executors.changes import UNBOUND, is_table, module_of_type
from jupyter_agents.executors.stopping import is_block_under_way

BUDGET = 100_000_000
"""About how many bytes of former values are kept for undoing blocks."""

UNDONE_MIME = "application/vnd.jupyter-agents.undone+json"
"""What was undone, as data of an output: a page that has asked the kernel to undo a block reads it."""

_MAX_BLOCKS = 100
_UNDONE = "This block has been undone already."
_UNKNOWN = "Nothing is kept of a block with this id."
_SAMPLE = 100
_SMALL = 64
_HEAP_TYPE = 1 << 9  # a class that was made by a `class` statement: its __sizeof__ may be the user's
_CONTAINERS = (list, tuple, dict, set, frozenset, str, bytes, bytearray)
_weakref_offset = type.__dict__["__weakrefoffset__"].__get__
_flags = type.__dict__["__flags__"].__get__
_DEAD = object()
_TOO_LARGE = "its former value was too large to keep"
_SINCE = "it has been changed since"
_IN_PLACE = "it was changed in place"


@dataclass(frozen=True, slots=True)
class Undone:
    """What undoing a block did: the names that are as they were, and by name why others are not.

    `reason` says why nothing was done at all, or is `""`.
    """

    restored: tuple[str, ...] = ()
    left: Mapping[str, str] | None = None
    reason: str = ""

    def __str__(self) -> str:
        return "\n".join(
            [
                *([self.reason] if self.reason else []),
                *([f"As before the block: {', '.join(self.restored)}."] if self.restored else []),
                *(f"Left as it is: {name} ({why})." for name, why in (self.left or {}).items()),
            ]
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": str(self), UNDONE_MIME: self.to_json()}

    def to_json(self) -> dict[str, Any]:
        """The same for a page."""
        return {"restored": list(self.restored), "left": dict(self.left or {}), "reason": self.reason}


@dataclass(slots=True)
class _Step:
    """One name: what it was bound to, and a way to what the block has bound it to."""

    before: Any
    after: Callable[[], Any]


@dataclass(slots=True)
class _Kept:
    """What a block has done, as far as it can be taken back."""

    namespace: MutableMapping[str, Any]
    steps: dict[str, _Step]
    left: dict[str, str]
    size: int


class UndoHistory:
    """The former bindings of the last blocks, the oldest forgotten when they hold more than `budget` bytes.

    >>> namespace = {"n": 1}
    >>> history = UndoHistory()
    >>> namespace["n"] = 2
    >>> history.keep("block", namespace, {"n": (1, 2)})
    >>> history.undo("block")
    Undone(restored=('n',), left={}, reason='')
    >>> namespace
    {'n': 1}
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._undone: deque[str] = deque(maxlen=_MAX_BLOCKS)
        self._size = 0
        self._lock = threading.RLock()

    @property
    def size(self) -> int:
        """About how many bytes are kept."""
        return self._size

    def keep(
        self,
        block_id: str,
        namespace: MutableMapping[str, Any],
        differences: Mapping[str, tuple[Any, Any]],
        in_place: Collection[str] = (),
    ) -> None:
        """Keep what a block has done: by name, what it was bound to and what it is now (`UNBOUND` for nothing)."""
        kept = _Kept(namespace, {}, dict.fromkeys(in_place, _IN_PLACE), 0)
        for name, (before, now) in differences.items():
            size = size_of(before) + (0 if _is_weak(now) else size_of(now))
            if kept.size + size > self.budget:
                kept.left[name] = _TOO_LARGE
            else:
                kept.steps[name] = _Step(before, _way_to(now))
                kept.size += size
        if kept.steps or kept.left:
            self._add(block_id, kept)

    def undo(self, block_id: str | None = None) -> Undone:
        """Bind the names of a block, or of the last one, as they were before it.

        What it cannot restore it leaves, and says why.
        """
        with self._lock:
            if block_id is None and not self._kept:
                return Undone(left={}, reason="There is no block whose changes are kept.")
            block_id = next(reversed(self._kept)) if block_id is None else block_id
            kept = self._kept.get(block_id)
            if kept is None:
                return Undone(left={}, reason=_UNDONE if block_id in self._undone else _UNKNOWN)
            if is_block_under_way():
                return Undone(left={}, reason="A block is running. Undo when it has ended.")
            self._size -= self._kept.pop(block_id).size
            self._undone.append(block_id)
            return _restore(kept)

    def blocks(self) -> tuple[str, ...]:
        """The ids of the blocks of which something can be taken back, the oldest first."""
        with self._lock:
            return tuple(block_id for block_id, kept in self._kept.items() if kept.steps)

    def can_undo(self, block_id: str) -> bool:
        """Whether there is something of this block to take back."""
        kept = self._kept.get(block_id)
        return kept is not None and bool(kept.steps)

    def forget(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._kept.clear()
            self._size = 0

    def _add(self, block_id: str, kept: _Kept) -> None:
        with self._lock:
            self._kept[block_id] = kept
            self._size += kept.size
            while self._size > self.budget or len(self._kept) > _MAX_BLOCKS:
                self._size -= self._kept.popitem(last=False)[1].size


def _restore(kept: _Kept) -> Undone:
    restored, left = [], dict(kept.left)
    for name, step in kept.steps.items():
        if kept.namespace.get(name, UNBOUND) is not step.after():
            left[name] = _SINCE
            continue
        restored.append(name)
        if step.before is UNBOUND:
            kept.namespace.pop(name, None)
        else:
            kept.namespace[name] = step.before
    return Undone(tuple(restored), left)


def _way_to(value: Any) -> Callable[[], Any]:
    """A function that gives the value, without keeping it alive where that can be."""
    if not _is_weak(value):
        return lambda: value
    reference = weakref.ref(value)
    return lambda: _DEAD if (found := reference()) is None else found


def _is_weak(value: Any) -> bool:
    """Whether it can be referred to without keeping it alive."""
    return bool(_weakref_offset(type(value)))


def size_of(value: Any) -> int:
    """About how many bytes a value holds: its own, and those of what it holds directly.

    The size of a long container is estimated from its first items. No code of the user's classes is asked.
    """
    return _own_size(value) + _size_of_items(value)


def _own_size(value: Any) -> int:
    kind = type(value)
    if is_table(kind):
        return _size_of_table(value)
    for base in _CONTAINERS:
        if issubclass(kind, base):
            return base.__sizeof__(value)
    with suppress(Exception):  # a library may do anything in its __sizeof__
        return object.__sizeof__(value) if _flags(kind) & _HEAP_TYPE else sys.getsizeof(value)
    return _SMALL


def _size_of_table(value: Any) -> int:
    with suppress(Exception):
        if module_of_type(type(value)).startswith("pandas"):
            found = value.memory_usage(deep=False)
            return int(found) if isinstance(found, int) else int(found.sum())
        return int(value.estimated_size() if hasattr(value, "estimated_size") else value.nbytes)
    return _SMALL


def _size_of_items(value: Any) -> int:
    with suppress(RuntimeError):  # another thread makes it grow
        items = _items(value)
        sample = [_own_size(item) for item in islice(items, _SAMPLE)]
        return sum(sample) * len(items) // len(sample) if sample else 0
    return 0


def _items(value: Any) -> Collection[Any]:
    """What a container, or an object of a class of the user, holds directly."""
    kind = type(value)
    if kind is dict:
        return dict.values(value)
    if kind in (list, tuple, set, frozenset):
        items: Collection[Any] = value
        return items
    if not _flags(kind) & _HEAP_TYPE or is_table(kind) or issubclass(kind, type):
        return ()
    with suppress(Exception):
        return dict.values(object.__getattribute__(value, "__dict__"))
    return ()


# -- Those of this kernel ----------------------------------------------------------------------------------------

_history = UndoHistory()
_ordinals = count(1)
_kernel = secrets.token_hex(3)  # so that no id of a notebook that was saved before a restart means a block of today


def new_block_id(code: str) -> str:
    """An id for a block that is executed now: of its text, this process, and how many there were before it."""
    digest = hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{digest[:12]}-{_kernel}-{next(_ordinals)}"


def history() -> UndoHistory:
    """The history of the blocks of this kernel."""
    return _history


def undo(block_id: str | None = None) -> Undone:
    """Take back what a block of agents' code has bound and deleted in this kernel: the last one, unless its id is given.

    Names are bound as they were before the block. Left as they are, with the reason: objects that the block changed in
    place, names that somebody has bound anew since, and what was too large to keep. Nothing outside the namespace is
    undone: no file, no process, no request. Asked again, it takes back the block before.
    """
    return _history.undo(block_id)


def undoable() -> tuple[str, ...]:
    """The ids of the blocks that can be undone, the oldest first."""
    return _history.blocks()


def forget() -> None:
    """Let go of all former values that are kept for undoing."""
    _history.forget()
