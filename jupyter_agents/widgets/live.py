"""The widget of a chat: what it shows travels as messages, so that nothing of it is saved as the state of a widget."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_agents.errors import ConfigurationError

STATIC = Path(__file__).parent / "static"
"""Where the build of the front end puts the widgets' modules and their style sheet."""

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"


def is_built() -> bool:
    """Whether the front end is there; a checkout has to be built first."""
    return (STATIC / "live.js").is_file()


@functools.cache
def static_text(name: str) -> str:
    """A file of the front end. Raises `ConfigurationError` where it has not been built."""
    try:
        return (STATIC / name).read_text("utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            f"Cannot show a widget: {name} has not been built. Run `npm ci && npm run build` in labextension/."
        ) from None


def make_widget(hear: Callable[[Any], None], closed: Callable[[], None] = lambda: None) -> Any:
    """A widget without a state of its own. `hear` gets every message of a page, in whichever thread it arrives.

    `closed` is called when a page has closed it: there is nothing any more that could be heard.
    """
    widget = _widget_class()()
    widget.on_msg(lambda _, content, buffers: hear(content))
    widget.comm.on_close(lambda _: closed())
    answer_anywhere(widget.comm)
    hear_beside_cells(widget.comm)
    return widget


@functools.cache
def _widget_class() -> type[Any]:
    import anywidget

    class AgentConversation(anywidget.AnyWidget):
        """A chat on a page. It is made by the package; its text form has no address, which differs in every run."""

        _esm = static_text("live.js")
        _css = static_text("agents.css")

        def __repr__(self) -> str:
            return "AgentConversation()"

    return AgentConversation


def answer_anywhere(comm: Any) -> None:
    """Let the answers of pages reach Python also while the main shell is blocked.

    ipykernel 7.4 sends what a page answers on a comm to the (sub)shell that has last sent on it
    (https://github.com/ipython/ipykernel, `Comm._reply_subshell_for`), which is the blocked one. Front ends
    ask for a subshell of their own for comms, and 7.0 to 7.3 heed that; so do we again.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default


def hear_beside_cells(comm: Any) -> None:
    """Hear what pages say without IPython's events of cells, which comms trigger around it.

    A page says every second that it is there. Were that a cell, figures of the block that runs would be shown before
    they are finished, and nobody could tell what the block has changed and what the cell.
    """

    def hear(message: Any) -> None:
        heard = getattr(comm, "_msg_callback", None)
        if heard is not None:
            heard(message)

    comm.handle_msg = hear


__all__ = ["STATIC", "WIDGET_MIME", "answer_anywhere", "hear_beside_cells", "is_built", "make_widget", "static_text"]
