"""Both drivers, as functions of a coroutine function: the same test holds for either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from jupyter_agents.drive import Run, a_drive, drive

Core = Callable[[], Coroutine[Any, Any, Any]]


def sync_driver(core: Core, run: Run | None = None) -> Any:
    """The value of what `core` makes, driven in this thread."""
    return drive(core(), run)


def async_driver(core: Core, run: Run | None = None) -> Any:
    """The value of what `core` makes, driven on an event loop of its own."""
    return on_a_loop(lambda: a_drive(core(), run))


def on_a_loop(make: Core) -> Any:
    """The value of a coroutine on an event loop of its own; what it raises comes out without tearing the loop down."""

    async def main() -> Any:
        try:
            return await make(), None
        except BaseException as error:  # noqa: BLE001 - raised again outside of the loop
            return None, error

    value, error = asyncio.run(main())
    if error is not None:
        raise error
    return value


both_drivers = pytest.mark.parametrize("driver", [sync_driver, async_driver], ids=["sync", "async"])
