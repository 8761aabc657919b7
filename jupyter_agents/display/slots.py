"""Outputs of a cell that can be live for a while: a widget stands in them, and afterwards what was said.

JupyterLab draws only the first 50 outputs of a cell. So after `MAX_OUTPUTS` of them everything that follows, messages and
what code shows, shares one slot.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from jupyter_agents.display import front_end
from jupyter_agents.display.bundle import Bundle, joined_bundle
from jupyter_agents.executors.outputs import MESSAGE_MIME
from jupyter_agents.executors.sink import showing_message

MAX_OUTPUTS = 40
"""Outputs of a cell, counted with those of the code it ran, after which everything shares one."""

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
_MAX_SHARED = 500  # items of the shared slot: what is older would be sent again with every one that is new
_MOST_REPEATS = 2
_MAX_CELLS = 100  # of which the outputs are counted: more do not have chats at a time
_PAUSE = 1.0  # seconds between two updates of the shared slot, and at least 20 times what an update took


NOTHING = Bundle({}, {})
"""What takes the place of a widget where nothing came of it: no viewer shows it, and nbval does not see it."""

REFRESH = 10.0
"""Seconds after which what stands beside a widget is brought up to date, for whoever opens what was saved meanwhile."""


def publish(
    bundle: Bundle, *, display_id: str | None = None, update: bool = False, may_be_of_block: bool = True
) -> None:
    """Show a bundle in the cell that runs, or in place of what was shown under its `display_id`.

    A block that runs meanwhile has nothing to do with it, unless it holds the chat and this `may_be_of_block`.
    """
    from IPython.display import publish_display_data

    transient = {"display_id": display_id} if display_id else {}
    with showing_message(may_be_of_block=may_be_of_block):
        publish_display_data(bundle.data, bundle.metadata, transient=transient, update=update)


def live_bundle(static: Bundle, model_id: str, kind: str = "turn") -> Bundle:
    """What to show while something goes on: the widget, and beside it all that could be said until now.

    `kind` is what is under way there: a `turn`, or a `box` for many chats. A page that draws our JSON type shows the
    widget while it lives and the rest when it does not; others show the widget.
    """
    said = static.data[MESSAGE_MIME]
    widget = {"version_major": 2, "version_minor": 0, "model_id": model_id}
    data = {
        MESSAGE_MIME: {**said, "live": {"model_id": model_id} | ({} if kind == "turn" else {"kind": kind})},
        WIDGET_MIME: widget,
    }
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
    left_at: float = 0.0
    """When the widget left it."""
    _beside: Bundle | None = field(default=None, repr=False)
    _repeats: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the widget stands in it, and nothing that was said."""
        return self.is_live and self.bundle is None

    @property
    def is_behind(self) -> bool:
        """Whether what was said in it is not saved beside the widget yet."""
        return self.is_live and self._beside is not self.bundle

    def show(self, bundle: Bundle) -> None:
        """Show this, finished, and no widget."""
        self.bundle = bundle
        publish(bundle, display_id=self.display_id, update=self.is_shown)
        self.is_shown, self.is_live = True, False

    def repeat(self) -> None:
        """Show once more what is shown, for a page on which the widget still stands in it; not again and again."""
        if self.bundle is not None and self._repeats < _MOST_REPEATS:
            self._repeats += 1
            publish(self.bundle, display_id=self.display_id, update=True)

    def go_live(self, model_id: str, meanwhile: Bundle) -> None:
        """Show the widget; `meanwhile` is what is there without it."""
        publish(live_bundle(self.bundle or meanwhile, model_id), display_id=self.display_id, update=self.is_shown)
        self.is_shown = self.is_live = True
        self._beside = self.bundle


@dataclass
class SharedSlot:
    """One output for all that follows: updated as it comes, or published when the chat ends where nobody follows.

    Parts are made when they are needed: an output of text may grow a thousand times before it is shown.

    Clients that run notebooks unattended compare or store outputs as they were published first. What a block shows
    goes in here, so that an update in the midst of it is no output of the block.
    """

    display_id: str
    is_followed: bool
    clock: Callable[[], float] = time.monotonic
    kind: str = "turn"
    is_live: bool = False
    is_shown: bool = False
    displays: dict[str, int] = field(default_factory=dict, repr=False)
    """The numbers of what has a display id, under which it may be updated."""
    _parts: dict[int, Callable[[], Bundle]] = field(default_factory=dict)
    _count: int = 0
    _is_stale: bool = False
    _next_update: float = 0.0
    _model_id: str = ""
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def add(self, part: Callable[[], Bundle], number: int | None = None) -> None:
        """Show one more, now or with the next ones; or another one in place of what was added with the same `number`."""
        with self._lock:
            self._put(part, number)
            if not self.is_followed or self.clock() < self._next_update:
                return
            if self.is_live:
                self.go_live(self._model_id)
            else:
                self._send()

    def _put(self, part: Callable[[], Bundle], number: int | None) -> None:
        if number is None or number not in self._parts:
            self._count += 1
        self._parts[-self._count if number is None else number] = part
        if len(self._parts) > _MAX_SHARED:
            del self._parts[next(iter(self._parts))]
        self._is_stale = True

    def go_live(self, model_id: str, meanwhile: Bundle | None = None) -> None:
        """Show the widget, which has all that follows; what is beside it is that of the last few seconds.

        `meanwhile` is what has been said in a turn that is under way.
        """
        with self._lock:
            started = self.clock()
            shown = live_bundle(self._joined(meanwhile), model_id, self.kind)
            publish(shown, display_id=self.display_id, update=self.is_shown, may_be_of_block=False)
            self.is_shown = self.is_live = True
            self._model_id, self._is_stale = model_id, False
            self._next_update = self.clock() + max(REFRESH, 20 * (self.clock() - started))

    def catch_up(self, meanwhile: Bundle | None = None) -> None:
        """Bring what is saved beside the widget up to date, if anything has been said since."""
        with self._lock:
            if self.is_live and (self._is_stale or meanwhile is not None):
                self.go_live(self._model_id, meanwhile)

    def finish(self) -> None:
        """Show all of it, finished."""
        with self._lock:
            if self._is_stale or self.is_live:
                self._send()
            self.is_live = False

    def move(self, display_id: str) -> None:
        """Stand in another output from the next time on."""
        with self._lock:
            self.display_id, self.is_shown = display_id, False

    def _joined(self, meanwhile: Bundle | None = None) -> Bundle:
        parts = [part() for part in self._parts.values()] + ([meanwhile] if meanwhile is not None else [])
        return joined_bundle(parts, left_out=self._count - len(self._parts))

    def _send(self) -> None:
        started = self.clock()
        display_id = self.display_id if self.is_followed else None
        publish(self._joined(), display_id=display_id, update=self.is_shown, may_be_of_block=False)
        self.is_shown, self._is_stale = True, False
        self._next_update = self.clock() + max(_PAUSE, 20 * (self.clock() - started))


@dataclass
class _Cell:
    """How many outputs the cell that runs has got, and how many chats it has begun; chats of one cell share it."""

    request: str = ""
    outputs: int = 0
    chats: int = 0


_cells: OrderedDict[str, _Cell] = OrderedDict()
_cells_lock = threading.Lock()


def this_cell() -> _Cell:
    """The cell to which what is shown here goes: the one that runs, or that has begun a chat in the background.

    A new request begins to count anew; without a kernel there is nothing to count.
    """
    request = str(front_end.parent().get("header", {}).get("msg_id", ""))
    if not request:
        return _Cell()
    with _cells_lock:
        cell = _cells.setdefault(request, _Cell(request))
        _cells.move_to_end(request)
        if len(_cells) > _MAX_CELLS:
            _cells.popitem(last=False)
        return cell


def begin_chat() -> int:
    """Count one more chat of the cell that runs; which one it is."""
    cell = this_cell()
    with _cells_lock:
        cell.chats += 1
        return cell.chats


def new_display_id() -> str:
    """An id that no other output has."""
    return f"jupyter-agents-{uuid.uuid4().hex}"


__all__ = [
    "MAX_OUTPUTS",
    "NOTHING",
    "REFRESH",
    "WIDGET_MIME",
    "SharedSlot",
    "Slot",
    "begin_chat",
    "live_bundle",
    "new_display_id",
    "publish",
    "this_cell",
]
