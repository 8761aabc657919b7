"""Variables of the user that go with what a person writes: found by their first letters, and written out for agents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from jupyter_agents.code_blocks import fenced
from jupyter_agents.executors.outputs import plain, shorten

_MOST_NAMES = 50
_MOST_TEXT = 4_000
_OF_IPYTHON = frozenset({"In", "Out", "exit", "quit", "open", "get_ipython"})


def names_like(prefix: str, namespace: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The user's variables whose names begin so, each with what kind of thing it is; at most 50, in order of name.

    Data come before functions and classes of the notebook's own; what was imported is left out.

    >>> names_like("d", {"data": [1, 2], "_d": 0, "e": 1})
    [('data', 'list of 2')]
    """
    wanted = prefix.lower()
    found = [name for name in list(namespace) if name.lower().startswith(wanted) and _is_of_user(name, namespace)]
    found.sort(key=lambda name: (_is_defined(namespace.get(name)), name))
    return [(name, kind_of(namespace[name])) for name in islice(found, _MOST_NAMES) if name in namespace]


def _is_of_user(name: str, namespace: Mapping[str, Any]) -> bool:
    value = namespace.get(name)
    if name.startswith("_") or name in _OF_IPYTHON or isinstance(value, ModuleType):
        return False
    return not _is_defined(value) or getattr(value, "__module__", None) == "__main__"


def _is_defined(value: Any) -> bool:
    """Whether it is a function or a class, and no data."""
    return isinstance(value, type | FunctionType | BuiltinFunctionType)


def kind_of(value: Any) -> str:
    """What kind of thing a value is, without asking it for its text.

    >>> kind_of("abc"), kind_of(3.5)
    ('str of 3', 'float')
    """
    name = type(value).__name__
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and all(isinstance(one, int) for one in shape):
        return f"{name} {' × '.join(map(str, shape))}".strip()
    if isinstance(value, str | bytes | list | tuple | dict | set | frozenset):
        return f"{name} of {len(value):,}"
    return name


def with_values(text: str, names: Iterable[str], namespace: Mapping[str, Any]) -> str:
    """`text` with the values of these variables below it, as an agent reads them; each within 4,000 characters.

    >>> print(with_values("Look.", ["x"], {"x": [1, 2]}))
    Look.
    <BLANKLINE>
    `x` (list of 2):
    ```
    [1, 2]
    ```
    """
    parts = [text] if text.strip() else []
    for name in dict.fromkeys(names):
        if name in namespace:
            value = namespace[name]
            parts.append(f"`{name}` ({kind_of(value)}):\n{fenced(_written(value), '')}")
        else:
            parts.append(f"`{name}` is not defined.")
    return "\n\n".join(parts)


def _written(value: Any) -> str:
    try:
        return shorten(plain(value if isinstance(value, str) else repr(value)), _MOST_TEXT)
    except Exception as error:  # noqa: BLE001 - the repr of somebody's object may raise anything
        return f"<cannot be written: {type(error).__name__}>"


__all__ = ["kind_of", "names_like", "with_values"]
