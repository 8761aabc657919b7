"""Changing something for a while, on one object, and putting back exactly what was there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

_MISSING = object()


@contextlib.contextmanager
def override(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute of one object. Afterwards the object has its own attribute again, or that of its class."""
    before = vars(owner).get(name, _MISSING)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is not _MISSING:
            setattr(owner, name, before)
        else:
            with contextlib.suppress(AttributeError):
                delattr(owner, name)
