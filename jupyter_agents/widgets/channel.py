"""The kernel's end of a page: numbered patches in batches, the whole state on request, and who is there.

The Jupyter server drops messages when there are more than a thousand a second, so changes are gathered and sent 30
times a second, and a page that misses a number asks for the state. The protocol is `protocol.ts`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from jupyter_agents.widgets.clock import Clock, clock
from jupyter_agents.widgets.protocol import Item, ViewState

FRAME = 1 / 30
_PING = 1.0
_LAST_PINGS = 2
_MOST_ITEMS = 500
_GONE = 5.0  # seconds without a sign after which a page counts as gone

Send = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class _View:
    """A view on a page, and the first item that it shows."""

    page: str
    first: int


class Channel:
    """Shows one `ViewState` on every view of a widget.

    `send` takes a message to all of them. All methods may be called from any thread. `heard` gets what is not about
    the channel itself: answers, and the buttons.
    """

    def __init__(
        self, send: Send, state: ViewState, heard: Callable[[Mapping[str, Any]], None], at: Clock = clock
    ) -> None:
        self.state = state
        self.is_open = False
        """Whether there is anything to send to; until then changes are made and not gathered."""
        self.first = 0
        """The first item that a new view shows; those before are there on request."""
        self.lock = threading.RLock()
        self._send, self._heard, self._clock = send, heard, at
        self._seq = 0
        self._ops: list[dict[str, Any]] = []
        self._is_due = self._is_pinging = self._is_closed = False
        self._pings_left = _LAST_PINGS
        self._began = at.now()
        self._views: dict[str, _View] = {}
        self._signs: dict[str, float] = {}

    # -- Who is there ---------------------------------------------------------------------------------------------

    @property
    def has_page(self) -> bool:
        """Whether any page has loaded the widget."""
        return bool(self._signs)

    @property
    def is_viewed(self) -> bool:
        """Whether the widget is drawn anywhere: JupyterLab draws only the first 50 outputs of a cell."""
        with self.lock:
            heard = max((self._signs.get(view.page, 0.0) for view in self._views.values()), default=None)
        return heard is not None and self._clock.now() - heard < _GONE

    @property
    def silence(self) -> float:
        """Seconds since any page has said anything; one that is there says something every second."""
        with self.lock:
            return self._clock.now() - max(self._signs.values(), default=self._began)

    def ping(self) -> None:
        """Ask who is there, now and every second while the chat goes on, and a little longer: its end may be lost too.

        The first message of a page may be lost while the main shell is blocked; the answer to a ping is not.
        """
        with self.lock:
            self._pings_left = _LAST_PINGS
            if self._is_closed or self._is_pinging:
                return
            self._is_pinging = True
        self._ping()

    def _ping(self) -> None:
        with self.lock:
            self._pings_left = _LAST_PINGS if self.state.is_going_on else self._pings_left - 1
            if self._is_closed or self._pings_left < 0:
                self._is_pinging = False
                return
            self._flush()
            self._send({"t": "ping", "seq": self._seq})
            self._clock.after(_PING if self._views else _PING / 4, self._ping)

    # -- Changes --------------------------------------------------------------------------------------------------

    def text(self, text: str) -> None:
        """The reply has grown."""
        with self.lock:
            if self.state.live is None:
                return
            self.state.live.text += text
            if not self.is_open:
                return
            if self._ops and self._ops[-1]["op"] == "text":
                self._ops[-1]["text"] += text
                return
            self._change({"op": "text", "text": text})

    def set(self, **values: Any) -> None:
        """Values of the state, by name."""
        with self.lock:
            for name, value in values.items():
                setattr(self.state, name, value)
            if not self.is_open:
                return
            now = self._clock.now()
            plain = {name: self.state.value(name, now) for name in values}
            if self._ops and self._ops[-1]["op"] == "set":
                self._ops[-1]["values"] |= plain
                return
            self._change({"op": "set", "values": plain})

    def add(self, item: Item) -> None:
        """One more item, or another one in place of the one with its id."""
        with self.lock:
            at = self._index(item.id)
            if at is None:
                self._append(item)
            else:
                self.state.items[at] = item
            if self.is_open:
                self._change({"op": "item", "item": item.to_json()})

    def stream(self, item: Item, text: str) -> None:
        """An output of text has grown by `text`; `item` is what it is now."""
        with self.lock:
            at = self._index(item.id)
            if at is None:
                self.add(item)
                return
            self.state.items[at] = item
            if not self.is_open:
                return
            last = self._ops[-1] if self._ops else {}
            if last.get("op") == "stream" and last["id"] == item.id:
                last["text"] += text
                return
            self._change({"op": "stream", "id": item.id, "text": text})

    def _index(self, item: int) -> int | None:
        items = self.state.items
        return next((at for at in reversed(range(len(items))) if items[at].id == item), None)

    def _append(self, item: Item) -> None:
        """Add an item, and drop the first where there are too many: the log has them."""
        self.state.items.append(item)
        if len(self.state.items) > _MOST_ITEMS:
            del self.state.items[0]
            self.first = max(self.first - 1, 0)
            self._views = {name: replace(view, first=max(view.first - 1, 0)) for name, view in self._views.items()}

    def _change(self, op: dict[str, Any]) -> None:
        self._ops.append(op)
        if not self._is_due and not self._is_closed:
            self._is_due = True
            self._clock.after(FRAME, self.flush)

    def flush(self) -> None:
        """Send what has gathered."""
        with self.lock:
            self._flush()

    def _flush(self) -> None:
        self._is_due = False
        if not self._ops or self._is_closed:
            return
        ops, self._ops = self._ops, []
        self._seq += 1
        if self._signs:  # whoever comes later gets the state
            self._send({"t": "patch", "seq": self._seq, "ops": ops})

    def post(self, message: dict[str, Any]) -> None:
        """Send something that is not a change, after what has gathered."""
        with self.lock:
            self._flush()
            if not self._is_closed:
                self._send(message)

    def renew(self) -> None:
        """Begin a new slot: views that are drawn from now on show what comes from now on."""
        with self.lock:
            self.first = len(self.state.items)

    def close(self) -> None:
        """Send nothing more."""
        with self.lock:
            self._flush()
            self._is_closed = True

    # -- What pages say -------------------------------------------------------------------------------------------

    def hear(self, content: Any) -> None:
        """A message from a page. What is not of the protocol is passed over: pages are not trusted to be right."""
        if not isinstance(content, Mapping):
            return
        with self.lock:
            kind, view = content.get("t"), str(content.get("view", ""))
            known = self._views.get(view)
            page = str(content.get("page") or (known.page if known else ""))
            if page:
                self._signs[page] = self._clock.now()
            if kind == "sync":
                self._sync(view, page, with_earlier=bool(content.get("earlier")))
                return
            if kind == "bye":
                self._views.pop(view, None)
                return
        if kind not in ("hello", "pong"):
            self._heard(content)

    def _sync(self, view: str, page: str, *, with_earlier: bool) -> None:
        known = self._views.get(view)
        first = 0 if with_earlier else known.first if known else self.first
        self._views[view] = _View(page, first)
        self._flush()
        state = self.state.to_json(self._clock.now(), first)
        if page == next(iter(self._signs), None):  # the page that was there from the beginning has it all as outputs
            state["earlier"] = 0
        if not self._is_closed:
            self._send({"t": "state", "seq": self._seq, "to": view, "state": state})


__all__ = ["FRAME", "Channel"]
