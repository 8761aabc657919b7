"""The transcript on the page of a notebook: every message is an output of its own, until there are too many.

JupyterLab draws only the first 50 outputs of a cell. So after `MAX_OUTPUTS` of them all further messages share one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jupyter_agents.display.bundle import Bundle, Transcript, joined_bundle
from jupyter_agents.events import ChatEnded, ChatStarted, CodeFinished, Entry, MessageSent, Notice

MAX_OUTPUTS = 40
"""Outputs of a cell, counted with those of the code it ran, after which messages share one."""

_MAX_SHARED = 500  # messages of the shared output: what is older would be sent again with every one that is new
_PAUSE = 1.0  # seconds between two updates of the shared output, and at least 20 times what an update took


@dataclass
class _Cell:
    """How many outputs the cell that runs has got; chats of one cell share it."""

    request: str = ""
    outputs: int = 0


_cell = _Cell()


def _publish(bundle: Bundle, *, display_id: str | None = None, update: bool = False) -> None:
    from IPython.display import publish_display_data

    transient = {"display_id": display_id} if display_id else {}
    publish_display_data(bundle.data, bundle.metadata, transient=transient, update=update)


def _this_cell() -> _Cell:
    """The cell that runs. A new request begins to count anew; without a kernel there is nothing to count."""
    request = str(_parent().get("header", {}).get("msg_id", ""))
    if request != _cell.request or not request:
        _cell.request, _cell.outputs = request, 0
    return _cell


def _is_followed() -> bool:
    """Whether somebody watches the page: whoever runs notebooks unattended does not answer prompts."""
    return bool(_parent().get("content", {}).get("allow_stdin", False))


def _parent() -> dict[str, Any]:
    """The request that the kernel is handling."""
    from IPython.core.getipython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return dict(kernel.get_parent()) if kernel is not None else {}


@dataclass
class NotebookListener:
    """Publishes every message, note and unusual end to the running cell, in order and once.

    With `skip_opening` the opening message is left out: in `%%agentchat` it is the body of the cell.
    """

    skip_opening: bool = False
    _transcript: Transcript = field(default_factory=Transcript, repr=False)
    _root: int | None = field(default=None, repr=False)
    _is_opening: bool = field(default=False, repr=False)
    _shared: _SharedOutput | None = field(default=None, repr=False)

    def __call__(self, what: Entry | Notice) -> None:
        """See `jupyter_agents.events.Listener`."""
        if not isinstance(what, Entry):
            return
        event = what.event
        if isinstance(event, ChatStarted) and event.parent is None:
            self._root, self._is_opening = event.chat, True
        elif isinstance(event, CodeFinished):
            _this_cell().outputs += event.outputs + bool(event.text and not event.outputs)
        bundle = self._transcript.bundle(what)
        if bundle is not None and not self._is_body_of_cell(event):
            self._show(bundle)
        if isinstance(event, ChatEnded) and event.chat == self._root and self._shared is not None:
            self._shared.finish()
            self._shared = None

    def _is_body_of_cell(self, event: Any) -> bool:
        if not isinstance(event, MessageSent) or event.chat != self._root:
            return False
        is_opening, self._is_opening = self._is_opening, False
        return is_opening and self.skip_opening

    def _show(self, bundle: Bundle) -> None:
        cell = _this_cell()
        if self._shared is None and cell.outputs < MAX_OUTPUTS:
            cell.outputs += 1
            _publish(bundle)
            return
        if self._shared is None:
            cell.outputs += 1
            self._shared = _SharedOutput(f"jupyter-agents-{cell.request}-{cell.outputs}")
        self._shared.add(bundle)


@dataclass
class _SharedOutput:
    """One output for many messages: updated as they come, or published when the chat ends where nobody follows.

    Clients that run notebooks unattended compare or store outputs as they were published first.
    """

    display_id: str
    is_followed: bool = field(default_factory=_is_followed)
    clock: Callable[[], float] = time.monotonic
    _bundles: deque[Bundle] = field(default_factory=lambda: deque(maxlen=_MAX_SHARED))
    _count: int = 0
    _is_published: bool = False
    _is_stale: bool = False
    _next_update: float = 0.0

    def add(self, bundle: Bundle) -> None:
        """Show one more message, now or with the next ones."""
        self._bundles.append(bundle)
        self._count += 1
        self._is_stale = True
        if self.is_followed and self.clock() >= self._next_update:
            self._send()

    def finish(self) -> None:
        """Show what is not shown yet."""
        if self._is_stale:
            self._send()

    def _send(self) -> None:
        started = self.clock()
        joined = joined_bundle(tuple(self._bundles), left_out=self._count - len(self._bundles))
        _publish(joined, display_id=self.display_id if self.is_followed else None, update=self._is_published)
        self._is_published, self._is_stale = True, False
        self._next_update = self.clock() + max(_PAUSE, 20 * (self.clock() - started))


__all__ = ["MAX_OUTPUTS", "NotebookListener"]
