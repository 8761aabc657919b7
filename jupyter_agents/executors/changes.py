"""What a block has changed in the user's namespace: by identity, and by sizes that cost nothing to ask for.

No code of the user's classes runs here: neither `repr`, `==`, `len` nor an attribute of theirs. So a change inside an
object shows only where a list, a dictionary, a set or a table of a well-known library has another size than before.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

MAX_NAMES = 50
"""Names that a `Changes` lists of each sort; the rest is counted."""

_MAX_KIND = 80
_MAX_SIZED = 500  # things whose size is looked at: asking two thousand tables would take longer than most blocks
_NAMES_OF_SHELL = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})
_SIZED = (list, dict, set, bytearray, tuple, frozenset, str, bytes)
_MUTABLE = (list, dict, set, bytearray)
_TABLES = frozenset(
    {
        ("numpy", "ndarray"), ("pandas", "DataFrame"), ("pandas", "Series"), ("polars", "DataFrame"),
        ("polars", "Series"), ("pyarrow", "Table"), ("torch", "Tensor"), ("xarray", "DataArray"),
    }
)  # fmt: skip
_name_of_type: Callable[[type], str] = type.__dict__["__name__"].__get__  # a metaclass may have a property of this name
module_of_type: Callable[[type], Any] = type.__dict__["__module__"].__get__
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Change:
    """A name, the kind of its value (`"DataFrame 703 × 3"`), and the kind of what it was bound to before."""

    name: str
    kind: str = ""
    before: str = ""

    def to_json(self) -> dict[str, str]:
        """The same for a page."""
        return {"name": self.name, "kind": self.kind, "before": self.before}


@dataclass(frozen=True, slots=True)
class Changes:
    """The names that a block has bound, bound again, seen grow or shrink, and deleted.

    `more` counts names that are not listed. When not `is_known`, other code ran beside the block, and nobody can
    tell whose the changes are. Changes inside an object that leave its size alone are never among them.
    """

    added: tuple[Change, ...] = ()
    rebound: tuple[Change, ...] = ()
    changed: tuple[Change, ...] = ()
    deleted: tuple[Change, ...] = ()
    more: int = 0
    is_known: bool = True

    def to_json(self) -> dict[str, Any]:
        """The same for a page: lists of changes, how many `more`, and whether it `is_known`."""
        sorts = {name: [one.to_json() for one in getattr(self, name)] for name in _SORTS}
        return {**sorts, "more": self.more, "is_known": self.is_known}


_SORTS = ("added", "rebound", "changed", "deleted")


class Bindings:
    """The names of a namespace at one moment, with what they are bound to.

    >>> namespace = {"n": 1, "rows": [1]}
    >>> before = Bindings(namespace)
    >>> namespace["rows"].append(2); namespace["text"] = "abc"; del namespace["n"]
    >>> changes = before.compared(namespace)
    >>> changes.added
    (Change(name='text', kind='str, 3 characters', before=''),)
    >>> changes.changed, changes.deleted
    ((Change(name='rows', kind='list, 2 items', before='list, 1 item'),), (Change(name='n', kind='', before='int'),))
    """

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.values = {name: value for name, value in [*namespace.items()] if _is_of_user(name)}
        self._sizes: dict[str, Any] = {}
        for name, value in self.values.items():
            if len(self._sizes) < _MAX_SIZED and (size := _changing_size(value)) is not None:
                self._sizes[name] = size

    def differences(self, namespace: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """By name, what it was bound to and what it is now; `UNBOUND` for nothing. Names of the same object are not here."""
        now = {name: value for name, value in [*namespace.items()] if _is_of_user(name)}
        found = {
            name: (self.values.get(name, UNBOUND), value)
            for name, value in now.items()
            if self.values.get(name, _MISSING) is not value
        }
        return found | {name: (value, UNBOUND) for name, value in self.values.items() if name not in now}

    def resized(self, namespace: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """By name, the objects that are still the same and have another size, and the size that they had."""
        found = {}
        for name, size in self._sizes.items():
            value = self.values[name]
            if namespace.get(name, _MISSING) is value and _changing_size(value) != size:
                found[name] = (value, size)
        return found

    def compared(self, namespace: Mapping[str, Any]) -> Changes:
        """What has changed since."""
        return summary(self.differences(namespace), self.resized(namespace))


def summary(differences: Mapping[str, tuple[Any, Any]], resized: Mapping[str, tuple[Any, Any]]) -> Changes:
    """What `Bindings` has found, in words."""
    found: dict[str, list[Change]] = {sort: [] for sort in _SORTS}
    for name, (before, now) in differences.items():
        sort = "added" if before is UNBOUND else "deleted" if now is UNBOUND else "rebound"
        found[sort].append(Change(_printable(name), kind_of(now), kind_of(before)))
    for name, (value, size) in resized.items():
        found["changed"].append(Change(_printable(name), kind_of(value), _described(value, size)))
    added, rebound, changed, deleted = (tuple(found[sort][:MAX_NAMES]) for sort in _SORTS)
    more = sum(max(0, len(one) - MAX_NAMES) for one in found.values())
    return Changes(added, rebound, changed, deleted, more)


class _Unbound:
    """That a name is bound to nothing."""

    def __repr__(self) -> str:
        return "UNBOUND"


UNBOUND = _Unbound()
"""Stands for the value of a name that has none."""


def kind_of(value: Any) -> str:
    """What kind of thing a value is, in a few words that name its size, and never its contents.

    >>> kind_of([1, 2]), kind_of(kind_of), kind_of(types), kind_of(2.5), kind_of(UNBOUND)
    ('list, 2 items', 'function', 'module types', 'float', '')
    """
    kind = type(value)
    if value is UNBOUND:
        return ""
    if value is None:
        return "None"
    if kind is types.ModuleType:
        return _printable(f"module {types.ModuleType.__getattribute__(value, '__dict__').get('__name__', '')}")
    if issubclass(kind, type):
        return _printable(f"class {_name_of_type(value)}")
    return _described(value, _size(value))


def _described(value: Any, size: Any) -> str:
    kind = type(value)
    name = _printable(_name_of_type(kind))
    if isinstance(size, tuple):
        return _printable(f"{name} {_dtype(value)}{' × '.join(f'{one:,}' for one in size)}".rstrip())
    if size is None:
        return name
    unit = "character" if issubclass(kind, str) else "byte" if issubclass(kind, bytes | bytearray) else "item"
    return f"{name}, {size:,} {unit}{'' if size == 1 else 's'}"


def _is_of_user(name: Any) -> bool:
    return type(name) is str and not name.startswith("_") and name not in _NAMES_OF_SHELL


def _changing_size(value: Any) -> Any:
    """The size of a thing that may have another one later."""
    kind = type(value)
    if kind is list or kind is dict or kind is set:
        return len(value)
    return _size(value) if is_table(kind) or issubclass(kind, _MUTABLE) else None


def _size(value: Any) -> Any:
    """Its length, or the shape of a table; `None` for all else, and for what will not say."""
    kind = type(value)
    if is_table(kind):
        with suppress(Exception):
            return tuple(value.shape)
        return None
    return next((base.__len__(value) for base in _SIZED if issubclass(kind, base)), None)


def is_table(kind: type) -> bool:
    """Whether it is exactly a class of a library, not one of the user's that inherits from it."""
    module = module_of_type(kind)
    return isinstance(module, str) and (module.partition(".")[0], _name_of_type(kind)) in _TABLES


def _dtype(value: Any) -> str:
    with suppress(Exception):
        return f"{value.dtype} "
    return ""


def _printable(text: str) -> str:
    """`text` in one line: a name may be made of anything."""
    text = (
        text
        if text.isprintable()
        else "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    )
    return text if len(text) <= _MAX_KIND else f"{text[: _MAX_KIND - 1]}…"
