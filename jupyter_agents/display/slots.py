"""Outputs of a cell that can be live for a while: a widget stands in them, and afterwards what was said.

JupyterLab draws only the first 50 outputs of a cell. So after `MAX_OUTPUTS` of them everything that follows, messages and
what code shows, shares one slot.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from jupyter_agents.display import front_end
from jupyter_agents.display.bundle import Bundle, joined_bundle
from jupyter_agents.executors.outputs import MESSAGE_MIME

MAX_OUTPUTS = 40
"""Outputs of a cell, counted with those of the code it ran, after which everything shares one."""

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
_MAX_SHARED = 500  # items of the shared slot: what is older would be sent again with every one that is new
_PAUSE = 1.0  # seconds between two updates of the shared slot, and at least 20 times what an update took


REFRESH = 10.0
"""Seconds after which what stands beside a widget is brought up to date, for whoever opens what was saved meanwhile."""


def publish(bundle: Bundle, *, display_id: str | None = None, update: bool = False) -> None:
    """Show a bundle in the cell that runs, or in place of what was shown under its `display_id`."""
    from IPython.display import publish_display_data

    transient = {"display_id": display_id} if display_id else {}
    publish_display_data(bundle.data, bundle.metadata, transient=transient, update=update)


def live_bundle(static: Bundle, model_id: str, kind: str = "turn") -> Bundle:
    """What to show while something goes on: the widget, and beside it all that could be said until now.

    `kind` is what is under way there: a `turn`, or a `box` for many chats. A page that draws our JSON type shows the widget while it lives and the rest when it does not; others show the widget.
    """
    said = static.data[MESSAGE_MIME]
    widget = {"version_major": 2, "version_minor": 0, "model_id": model_id}
    data = {MESSAGE_MIME: {**said, "live": {"model_id": model_id} | ({} if kind == "turn" else {"kind": kind})}, WIDGET_MIME: widget}
    return Bundle(
        {**data, **{mime: value for mime, value in static.data.items() if mime != MESSAGE_MIME}}, static.metadata
    )


@dataclass
class Slot:
    """One output. `is_live` says whether the widget stands in it."""

    display_id: str | None = None
    bundle: Bundle | None = None
    is_live: bool = False
    is_shown: bool = False

    def show(self, bundle: Bundle) -> None:
        """Show this, finished, and no widget."""
        self.bundle = bundle
        publish(bundle, display_id=self.display_id, update=self.is_shown)
        self.is_shown, self.is_live = True, False

    def go_live(self, model_id: str, meanwhile: Bundle) -> None:
        """Show the widget; `meanwhile` is what is there without it."""
        publish(live_bundle(self.bundle or meanwhile, model_id), display_id=self.display_id, update=self.is_shown)
        self.is_shown = self.is_live = True


@dataclass
class SharedSlot:
    """One output for all that follows: updated as it comes, or published when the chat ends where nobody follows.

    Parts are made when they are needed: an output of text may grow a thousand times before it is shown.

    Clients that run notebooks unattended compare or store outputs as they were published first.
    """

    display_id: str
    is_followed: bool
    clock: Callable[[], float] = time.monotonic
    kind: str = "turn"
    is_live: bool = False
    is_shown: bool = False
    _parts: deque[Callable[[], Bundle]] = field(default_factory=lambda: deque(maxlen=_MAX_SHARED))
    _count: int = 0
    _is_stale: bool = False
    _next_update: float = 0.0
    _model_id: str = ""

    def add(self, part: Callable[[], Bundle], *, instead_of_last: bool = False) -> None:
        """Show one more, or another one in place of the last, now or with the next ones."""
        if instead_of_last and self._parts:
            self._parts[-1] = part
        else:
            self._parts.append(part)
            self._count += 1
        self._is_stale = True
        if not self.is_followed or self.clock() < self._next_update:
            return
        if self.is_live:
            self.go_live(self._model_id)
        else:
            self._send()

    def go_live(self, model_id: str) -> None:
        """Show the widget, which has all that follows; what is beside it is that of the last few seconds."""
        started = self.clock()
        publish(live_bundle(self._joined(), model_id, self.kind), display_id=self.display_id, update=self.is_shown)
        self.is_shown = self.is_live = True
        self._model_id = model_id
        self._next_update = self.clock() + max(REFRESH, 20 * (self.clock() - started))

    def finish(self) -> None:
        """Show all of it, finished."""
        if self._is_stale or self.is_live:
            self._send()
        self.is_live = False

    def _joined(self) -> Bundle:
        return joined_bundle([part() for part in self._parts], left_out=self._count - len(self._parts))

    def _send(self) -> None:
        started = self.clock()
        publish(self._joined(), display_id=self.display_id if self.is_followed else None, update=self.is_shown)
        self.is_shown, self._is_stale = True, False
        self._next_update = self.clock() + max(_PAUSE, 20 * (self.clock() - started))


@dataclass
class _Cell:
    """How many outputs the cell that runs has got; chats of one cell share it."""

    request: str = ""
    outputs: int = 0


_cell = _Cell()


def this_cell() -> _Cell:
    """The cell that runs. A new request begins to count anew; without a kernel there is nothing to count."""
    request = str(front_end.parent().get("header", {}).get("msg_id", ""))
    if request != _cell.request or not request:
        _cell.request, _cell.outputs = request, 0
    return _cell


def new_display_id() -> str:
    """An id that no other output has."""
    return f"jupyter-agents-{uuid.uuid4().hex}"


__all__ = [
    "MAX_OUTPUTS",
    "REFRESH",
    "WIDGET_MIME",
    "SharedSlot",
    "Slot",
    "live_bundle",
    "new_display_id",
    "publish",
    "this_cell",
]
