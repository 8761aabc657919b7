"""Who is on the other side: whether somebody follows, whether widgets can be answered, and the user's variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def parent() -> Mapping[str, Any]:
    """The request that the kernel is handling; without a kernel, nothing."""
    from IPython.core.getipython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return dict(kernel.get_parent()) if kernel is not None else {}


def is_followed() -> bool:
    """Whether somebody watches the page: whoever runs notebooks unattended does not answer prompts."""
    return bool(parent().get("content", {}).get("allow_stdin", False))


def has_widgets() -> bool:
    """Whether widgets can be answered here: by ipykernel 7 or newer, with the front end built."""
    from ipykernel._version import __version__ as version

    from jupyter_agents.widgets.live import is_built

    return int(version.partition(".")[0]) >= 7 and is_built()


def hears_new_pages() -> bool:
    """Whether a page that is loaded now can reach Python.

    Such a page knows nothing of subshells before the main shell has answered it. While a cell runs that shell answers
    nothing; from ipykernel 7.4 on it takes messages of comms as long as the cell awaits.
    """
    import inspect

    from IPython.core.getipython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    lock = getattr(kernel, "_main_asyncio_lock", None)
    if kernel is None or lock is None or not lock.locked():
        return True
    return "concurrent" in inspect.signature(kernel.dispatch_shell).parameters


def user_namespace() -> Mapping[str, Any]:
    """The user's variables (a copy of the table, not of the values)."""
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return {} if shell is None else dict(shell.user_ns)


__all__ = ["has_widgets", "hears_new_pages", "is_followed", "parent", "user_namespace"]
