"""The kernel's end of a page: numbered patches in batches, the whole state on request, and who is there.

The Jupyter server drops messages when there are more than a thousand a second, and each one that is sent by itself costs
the kernel 0.7 ms. So changes are gathered: text that grows goes out seven times a second, which the page shows smoothly,
and the rest within a thirtieth. A page that misses a number asks for the state. The protocol is `protocol.ts`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_agents.widgets.clock import Clock, clock
from jupyter_agents.widgets.protocol import Item, LiveTurn, ViewState

FRAME = 1 / 30
"""Seconds for which changes are gathered."""

TEXT_FRAME = 0.15
"""The same for text that grows: a page needs as long to show what came."""

_UNSEEN = 0.152  # seconds of a turn until its output has just gone live: what was said in them goes out right behind it
_PING = 1.0  # seconds of silence after which pages are asked whether they have the last change
_CALM_PING = 3.0  # the same while changes go out, which tell as much, or while all pages have the last one
_FIRST_PING = 0.25  # and while no page is there
_LAST_PINGS = 2
_MOST_ITEMS = 500
_GONE = 5.0  # seconds without a sign after which a page counts as gone

Send = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class _Page:
    """A page: since when it is there, when it was last heard of, and how many views of the widget are drawn there."""

    since: float
    heard: float
    views: int = 0


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
        """The first item of the slot that is live; those before are there on request."""
        self.viewed: Callable[[int], None] = lambda views: None
        """Told at every pong how many views of the widget are drawn on that page."""
        self.lock = threading.RLock()
        self._send, self._heard, self._clock = send, heard, at
        self._seq = 0
        self._ops: list[dict[str, Any]] = []
        self._due: float | None = None
        self._is_pinging = self.is_closed = False
        self._pings_left = _LAST_PINGS
        self._began = self._sent_at = self._pinged_at = self._text_from = at.now()
        self._turn: LiveTurn | None = None
        self._pages: dict[str, _Page] = {}
        self._is_drawn = False

    # -- Who is there ---------------------------------------------------------------------------------------------

    @property
    def has_page(self) -> bool:
        """Whether any page has loaded the widget."""
        return bool(self._pages)

    @property
    def is_viewed(self) -> bool:
        """Whether the widget is drawn anywhere: JupyterLab draws only the first 50 outputs of a cell."""
        with self.lock:
            heard = max((page.heard for page in self._pages.values() if page.views), default=None)
        return heard is not None and self._clock.now() - heard < _GONE

    @property
    def is_followed_anew(self) -> bool:
        """Whether the page that gets the outputs has gone, and one that has come after it shows the widget."""
        with self.lock:
            pages = list(self._pages.values())
            return any(page.views and page.since > pages[0].heard for page in pages[1:])

    @property
    def silence(self) -> float:
        """Seconds since any page has said anything; one that is there says something every few seconds."""
        with self.lock:
            return self._clock.now() - max((page.heard for page in self._pages.values()), default=self._began)

    def ping(self) -> None:
        """Ask who is there, now and every few seconds while the chat goes on, and a little longer: its end may be lost too.

        The first message of a page may be lost while the main shell is blocked; the answer to a ping is not.
        """
        with self.lock:
            self._pings_left = _LAST_PINGS
            if self.is_closed or self._is_pinging:
                return
            self._is_pinging = True
            self._pinged_at = -math.inf
        self._watch()

    def _watch(self) -> None:
        """Ping when it is time, and look again when it may be; a question or the end makes it time sooner."""
        with self.lock:
            now = self._clock.now()
            if now >= self._next_ping and not self._ping():
                return
            self._clock.at(min(self._next_ping, now + _PING), self._watch)

    def _ping(self) -> bool:
        """Ping; whether that goes on."""
        self._pings_left = _LAST_PINGS if self.state.is_going_on else self._pings_left - 1
        self._is_pinging = not self.is_closed and self._pings_left >= 0
        if self._is_pinging:
            self._flush()
            self._send({"t": "ping", "seq": self._seq})
            self._pinged_at = self._clock.now()
        return self._is_pinging

    @property
    def _next_ping(self) -> float:
        """When pages have to be asked next. Each change that goes out tells as much as a ping, except that one comes after it."""
        if not self._is_drawn:
            return self._pinged_at + _FIRST_PING
        if self.state.questions or not self.state.is_going_on:  # an answer that was lost is repeated at a ping
            return self._pinged_at + _PING
        calm = self._pinged_at + _CALM_PING
        return calm if self._sent_at < self._pinged_at else min(calm, self._sent_at + _PING)

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
            self._change({"op": "text", "text": text}, self._text_from)

    def set(self, **values: Any) -> None:
        """Values of the state, by name."""
        with self.lock:
            for name, value in values.items():
                setattr(self.state, name, value)
            self._follow_turn()
            if not self.is_open:
                return
            now = self._clock.now()
            plain = {name: self.state.value(name, now) for name in values}
            if self._ops and self._ops[-1]["op"] == "set":
                self._ops[-1]["values"] |= plain
                return
            self._change({"op": "set", "values": plain})

    def _follow_turn(self) -> None:
        """Hold back what is said in a new turn until its output is live."""
        turn = self.state.live
        if turn is not None and turn is not self._turn:
            self._turn = turn
            self._text_from = self._clock.now() + _UNSEEN

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
            self._change({"op": "stream", "id": item.id, "text": text}, self._text_from)

    def _index(self, item: int) -> int | None:
        items = self.state.items
        return next((at for at in reversed(range(len(items))) if items[at].id == item), None)

    def _append(self, item: Item) -> None:
        """Add an item, and drop the first where there are too many: the log has them."""
        self.state.items.append(item)
        if len(self.state.items) > _MOST_ITEMS:
            del self.state.items[0]
            self.first = max(self.first - 1, 0)

    def _change(self, op: dict[str, Any], when: float | None = None) -> None:
        """Send this at a time, or within a frame; sooner when something else goes out."""
        now = self._clock.now()
        when = now + FRAME if when is None else max(when, now)
        self._ops.append(op)
        if not self.is_closed and (self._due is None or when < self._due):
            self._due = when
            self._clock.at(when, lambda: self._flush_at(when))

    def _flush_at(self, when: float) -> None:
        with self.lock:
            if self._due == when:
                self._flush()

    def flush_slot(self) -> None:
        """Send the begin of a slot: a page must know of it before it draws the output. Other things may come after."""
        with self.lock:
            if any(op["op"] == "slot" for op in self._ops):
                self._flush()

    def flush(self) -> None:
        """Send what has gathered."""
        with self.lock:
            self._flush()

    def _flush(self) -> None:
        self._due = None
        if not self._ops or self.is_closed:
            return
        ops, self._ops = self._ops, []
        self._seq += 1
        if any(op["op"] in ("text", "stream") for op in ops):
            self._text_from = max(self._text_from, self._clock.now() + TEXT_FRAME)
        if self._pages:  # whoever comes later gets the state
            self._sent_at = self._clock.now()
            self._send({"t": "patch", "seq": self._seq, "ops": ops})

    def post(self, message: dict[str, Any]) -> None:
        """Send something that is not a change, after what has gathered."""
        with self.lock:
            self._flush()
            if not self.is_closed:
                self._send(message)

    def renew(self) -> None:
        """Begin a new slot: views that are drawn from now on show what comes from now on."""
        with self.lock:
            self.first = len(self.state.items)
            if self.is_open:
                self._change({"op": "slot"})

    def show_all(self) -> None:
        """Let views show all that is kept, and pages have it that have dropped what stood on them."""
        with self.lock:
            self.first = 0
            for page in list(self._pages):
                self._sync(page, None, with_earlier=True)

    def begin_anew(self) -> None:
        """What was sent to is gone: nobody is there until there is something else to send to."""
        with self.lock:
            self._pages.clear()
            self.is_open = self._is_drawn = False
            self._began = self._clock.now()

    def close(self) -> None:
        """Send nothing more."""
        with self.lock:
            self._flush()
            self.is_closed = True

    # -- What pages say -------------------------------------------------------------------------------------------

    def hear(self, content: Any) -> None:
        """A message from a page. What is not of the protocol is passed over: pages are not trusted to be right."""
        if not isinstance(content, Mapping):
            return
        kind, name = content.get("t"), str(content.get("page") or "")
        with self.lock:
            page = self._pages.setdefault(name, _Page(self._clock.now(), 0.0)) if name else None
            if page is not None:
                page.heard = self._clock.now()
            if page is not None and kind in ("pong", "sync"):
                page.views = _count(content.get("views"), page.views)
            if page is not None and kind == "sync":
                self._sync(name, content.get("first"), with_earlier=bool(content.get("earlier")))
        if kind == "pong" and page is not None:
            self.viewed(page.views)
        if kind not in ("hello", "pong", "sync"):
            self._heard(content)

    def _sync(self, page: str, shown: Any, *, with_earlier: bool) -> None:
        """Send a page the state, from the item that it has `shown` first."""
        self._is_drawn = True
        follows = page == next(iter(self._pages), None)  # from the beginning: it has what was before as outputs
        at = self._index(shown) if isinstance(shown, int) else self.first
        first = 0 if with_earlier else at or 0
        self._flush()
        state = self.state.to_json(self._clock.now(), first)
        if follows:
            state["earlier"] = 0
        slot = max(self.first - first, 0) if follows else None
        if not self.is_closed:
            self._send({"t": "state", "seq": self._seq, "to": page, "slot": slot, "state": state})


def _count(given: Any, otherwise: int) -> int:
    return given if isinstance(given, int) else otherwise


__all__ = ["FRAME", "TEXT_FRAME", "Channel"]
