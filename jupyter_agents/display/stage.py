"""Where a chat is seen: its outputs one after the other, and the widget that stands in the last of them for a while.

Every message has an output of its own, until a cell has too many and all that follows shares one. Where somebody
watches, the widget takes the last place when something goes on for longer than a moment, and leaves it to what was said.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ParamSpec
from weakref import WeakSet

from jupyter_agents.control import Control
from jupyter_agents.display import front_end
from jupyter_agents.display.bundle import Bundle, Place, message_bundle, note_bundle
from jupyter_agents.display.outputs import SlotSink, output_bundle
from jupyter_agents.display.page import LivePage
from jupyter_agents.display.slots import (
    MAX_OUTPUTS,
    NOTHING,
    REFRESH,
    SharedSlot,
    Slot,
    new_display_id,
    this_cell,
)
from jupyter_agents.drive import current_run
from jupyter_agents.events import MessageSent, Noted
from jupyter_agents.executors.sink import OutputSink
from jupyter_agents.messages import Message
from jupyter_agents.widgets.clock import Clock
from jupyter_agents.widgets.protocol import Activity, Item, LiveTurn

P = ParamSpec("P")
_LOST = 1.0  # seconds after which a page should have taken the widget out of a slot that it has left
_UNSAVED = (
    "What was said after this page was loaded anew is not saved in this notebook. Show the chat's result in a new "
    "cell: `_chat`, after %%agentchat."
)
_TURN_OPENS = 0.15  # seconds after which a turn is shown while it comes about


def in_this_context(function: Callable[P, None]) -> Callable[P, None]:
    """A function that is called as from here, whoever calls it: what it shows goes to the cell that runs now."""
    context = contextvars.copy_context()

    def called(*args: P.args, **kwargs: P.kwargs) -> None:
        context.copy().run(function, *args, **kwargs)

    return called


class Stage:
    """The outputs of a chat, and its widget.

    It is told what to show and what goes on, and decides where that stands. What calls it holds its `lock`; what comes
    due later takes it. `page` is there while somebody follows, `turn` while a message comes about.
    """

    def __init__(self, at: Clock) -> None:
        self.lock = threading.RLock()
        self.page: LivePage | None = None
        self.turn: LiveTurn | None = None
        self._at = at
        self._slot: Slot | None = None
        self._shared: SharedSlot | None = None
        self._is_box = False
        self._is_over = False
        self._is_refreshing = False
        self._left: list[Slot] = []
        _stages.add(self)

    # -- Beginning and end ----------------------------------------------------------------------------------------

    def begin(self, *, is_live: bool) -> None:
        """A chat begins. `is_live` says whether anything is shown while it goes on."""
        self._is_over = False
        if is_live and self.page is None:
            run = current_run.get()
            self.page = LivePage(Control() if run is None else run.control, front_end.user_namespace, self._at)
            self.page.pausing.show()  # it may have been paused before it began
            self.page.lost = in_this_context(self._show_again)
            self.page.channel.viewed = in_this_context(self._look_for_lost)

    def begin_in_box(self, page: LivePage, slot: SharedSlot) -> None:
        """A chat begins in a place that is there before and after it."""
        run = current_run.get()
        self._is_over, self._is_box = False, True
        self.page, self._shared = page, slot
        page.lost = in_this_context(self._show_again)
        page.channel.set(is_going_on=True)
        page.take_control(page.control if run is None else run.control)
        page.channel.ping()

    def end(self) -> None:
        """The chat is over: what stays is what was said."""
        self.turn, self._is_over = None, True
        if self._is_box:
            self._leave_box()
            return
        self._settle(is_end=True)
        if self._shared is not None:
            self._shared.finish()
        if self.page is not None:
            self._say_unsaved(self.page)
            self.page.close()
        self._slot = self._shared = self.page = None

    def _say_unsaved(self, page: LivePage) -> None:
        """JupyterLab takes no more outputs of a cell for a page that was loaded anew while the cell ran."""
        if page.channel.is_followed_anew:
            self._keep(note_bundle(Noted(0, _UNSAVED, "warning")))

    def _leave_box(self) -> None:
        assert self.page is not None
        assert self._shared is not None
        self.page.channel.set(is_going_on=False, live=None, activity=None)
        self.page.pausing.leave()
        self._shared.catch_up()

    def show_here(self) -> None:
        """Go on in the cell that runs now, with all that a page may still ask for: its own cell has been cleared."""
        with self.lock:
            if self.page is None or self._is_over or self._is_box:
                return
            self._slot, self._shared = None, SharedSlot(new_display_id(), is_followed=True)
            for item in self.page.state.items:
                form = output_bundle if item.kind == "output" else Bundle
                self._shared.add(partial(form, dict(item.data), dict(item.metadata)), item.id)
            self.page.channel.show_all()
            self._shared.go_live(self.page.model_id, self._meanwhile() if self.turn is not None else None)

    # -- What goes on ---------------------------------------------------------------------------------------------

    def open_turn(self, turn: LiveTurn) -> None:
        """A message is about to come: what is known of it is shown when that takes a moment."""
        if self.page is None:
            return
        if self._slot is None or not self._slot.is_open:  # a slot in which nothing was said is as good as a new one
            self._settle()
        self.turn = turn
        self.page.channel.set(live=turn)
        self.page.channel.flush()  # with the output that has just been settled: messages in one go cost a kernel least
        self.open_later(_TURN_OPENS, lambda: self.turn is turn)

    def leave_turn(self) -> None:
        """No message comes of the turn, or none that is still awaited."""
        self.turn = None
        if self.page is not None:
            self.page.channel.set(live=None)

    def stream(self, agent: str, text: str) -> None:
        """A piece of the message that comes about; those of other agents are not shown."""
        if self.page is not None and self.turn is not None and agent in ("", self.turn.sender):
            self.page.channel.text(text)

    def take_back(self, agent: str) -> None:
        """What has streamed of the message of this agent no longer counts: it comes about anew."""
        if self.page is not None and self.turn is not None and agent == self.turn.sender and self.turn.text:
            self.turn = replace(self.turn, text="")
            self.page.channel.set(live=self.turn)

    def show_activity(self, activity: Activity | None) -> None:
        """What goes on now, for the line that says so."""
        if self.page is not None and self.page.state.activity is not activity:
            self.page.channel.set(activity=activity)

    def open_later(self, seconds: float, is_wanted: Callable[[], bool]) -> None:
        """Show what goes on after so many seconds, if it still does."""

        def open_it() -> None:
            with self.lock:
                if is_wanted():
                    self._go_live()

        self._at.after(seconds, open_it)

    def open_for_person(self) -> None:
        """Show the widget now, beside all that its question, or its buttons, may be about."""
        self._go_live()
        if self._shared is not None:
            self._shared.catch_up()

    def _go_live(self) -> None:
        """Show the widget in the last slot. What is saved beside it is all that was said: what goes on may last."""
        if self.page is None:
            return
        if self._slot is None:
            self._share_when_full()
        if self._shared is not None:
            if not self._shared.is_live:
                self._shared.go_live(self.page.model_id)
        elif self._slot is None or not self._slot.is_live or self._slot.is_behind:
            self._slot = self._slot or self._new_slot()
            self._slot.go_live(self.page.model_id, self._meanwhile() if self._slot.is_shown else self._at_first())
        self._refresh_later()

    def _show_again(self) -> None:
        """The widget was closed under it: show another one in its place."""
        with self.lock:
            if self.page is None or self._is_over:
                return
            if self._shared is not None and self._shared.is_live:
                self._shared.go_live(self.page.model_id)
            elif self._slot is not None and self._slot.is_live:
                self._slot.go_live(self.page.model_id, self._meanwhile())

    def _refresh_later(self) -> None:
        """Bring what is saved with a live slot up to date now and then; not under the hands of who answers in it."""
        if self._is_refreshing:
            return
        self._is_refreshing = True

        def refresh() -> None:
            with self.lock:
                self._is_refreshing = False
                if self.page is None or self._is_over:
                    return
                if not self.page.questions:
                    self._refresh(self.page)
                self._refresh_later()

        self._at.after(REFRESH, refresh)

    def _refresh(self, page: LivePage) -> None:
        if self._shared is not None:
            self._shared.catch_up(self._meanwhile() if self.turn is not None else None)
        elif self._slot is not None and (self._slot.is_open or self._slot.is_behind):
            self._slot.go_live(page.model_id, self._meanwhile())

    def _at_first(self) -> Bundle:
        """The same when the slot is new: most turns are over before anybody saves, so that this is cheap to make."""
        awaited = "an answer" if self.turn is None else self.turn.sender
        return note_bundle(Noted(0, f"Waiting for {awaited}."))

    def _meanwhile(self) -> Bundle:
        """What a slot shows without its widget while nothing has been said in it."""
        if self.turn is None or not self.turn.text:
            return self._at_first()
        said = Message(self.turn.text, finish_reason="interrupted")
        sent = MessageSent(0, self.turn.sender, self.turn.recipient, said, "model")
        turn = self.turn
        return message_bundle(sent, 0, place=Place(turn.depth, turn.colour, label=turn.label, talk=turn.talk))

    # -- What was said --------------------------------------------------------------------------------------------

    def show(self, bundle: Bundle, *, ends_turn: bool = False, is_note: bool = False) -> None:
        """Show what has been said: where it was awaited if it `ends_turn`, and else before that, or after the last.

        A note stands below the message that it is about, and does not end its slot.
        """
        is_open = self._slot is not None and self._slot.is_open
        if is_open and (self.turn is None or ends_turn):
            self._complete(bundle)
        elif is_open:
            self._show_before(bundle)
        elif is_note and self._slot is not None:
            self._show_below(bundle)
        else:
            self._settle()
            self._publish(bundle)

    def _complete(self, bundle: Bundle) -> None:
        """What the live slot has waited for is there. The slot stays live: code may run next, or be asked about."""
        assert self._slot is not None
        self._slot.bundle, self.turn = bundle, None
        self._keep(bundle)

    def _show_before(self, bundle: Bundle) -> None:
        """What is said in the midst of a turn, or in a chat beside it, takes its slot, and the turn gets the next one."""
        assert self._slot is not None
        self._leave(self._slot, bundle)
        self._slot = None
        self._keep(bundle)
        if self.page is not None:
            self.page.channel.set(live=self.turn)
            self.page.channel.renew()
        self._go_live()

    def _show_below(self, bundle: Bundle) -> None:
        """A note after a message does not end its slot: what goes on next is about that message."""
        slot, self._slot = self._slot, None
        self._publish(bundle, is_kept=False)
        if self._shared is None:
            self._slot = slot
        elif slot is not None and slot.is_live and slot.bundle is not None:
            slot.show(slot.bundle)

    def _publish(self, bundle: Bundle, *, is_kept: bool = True) -> None:
        self.turn = None
        self._share_when_full()
        if is_kept or self._shared is not None:
            self._keep(bundle)
        if self._shared is not None:
            self._shared.add(lambda: bundle)
            return
        self._slot = self._new_slot()
        self._slot.show(bundle)

    def _settle(self, *, is_end: bool = False) -> None:
        """The last slot is over: what was said in it takes the place of the widget.

        At the end no other slot begins: a page that was loaded anew meanwhile shows how the chat ended.
        """
        slot, page = self._slot, self.page
        if page is None or self._shared is not None:
            return
        if slot is not None and slot.is_live:
            self._leave(slot, slot.bundle or NOTHING)
        self._slot = None
        if not is_end:
            page.channel.renew()

    def _leave(self, slot: Slot, bundle: Bundle) -> None:
        """Show this in a slot instead of the widget."""
        slot.show(bundle)
        slot.left_at = self._at.now()
        self._left.append(slot)

    def _look_for_lost(self, views: int) -> None:
        """A page says how many widgets it shows. Where there is one too many it has missed that one has left its slot."""
        with self.lock:
            if views <= (0 if self._is_over else 1):
                self._left.clear()
                return
            for slot in self._left:
                if self._at.now() - slot.left_at >= _LOST:
                    slot.repeat()

    def _keep(self, bundle: Bundle) -> None:
        """Show it in the widget too: as the end of the live turn, and to pages that get the widget and nothing else."""
        if self.page is None:
            return
        self.page.channel.add(Item(next(self.page.numbers), "bundle", bundle.data, bundle.metadata))
        self.page.channel.set(live=None)

    # -- Slots ----------------------------------------------------------------------------------------------------

    def _new_slot(self) -> Slot:
        this_cell().outputs += 1
        return Slot(new_display_id() if self.page is not None else None)

    def _share_when_full(self) -> None:
        """From so many outputs of the cell on all of this chat goes into one slot."""
        cell = this_cell()
        if self._shared is not None or cell.outputs < MAX_OUTPUTS:
            return
        cell.outputs += 1
        is_followed = self.page is not None or front_end.is_followed()
        self._shared = SharedSlot(f"jupyter-agents-{cell.request}-{cell.outputs}", is_followed)
        if self.page is not None:
            self.page.channel.renew()

    # -- What code shows ------------------------------------------------------------------------------------------

    def output_sink(self) -> OutputSink | None:
        """Where blocks show things: their cell, or the shared slot once there is one."""
        if self._shared is None and this_cell().outputs >= MAX_OUTPUTS:
            self._settle()
            self._share_when_full()
        return SlotSink(self._show_output, self._shared.displays) if self._shared is not None else None

    def count_outputs(self, number: int) -> None:
        """A block has shown so many in its cell."""
        if self._shared is None:
            this_cell().outputs += number

    def _show_output(
        self, number: int, data: Mapping[str, Any], metadata: Mapping[str, Any], grown: str | None
    ) -> None:
        """An output of code, or the last one again where it is text that has `grown`."""
        with self.lock:
            if self._shared is None:
                return
            self._shared.add(lambda: output_bundle(data, metadata), number)
            if self.page is None:
                return
            item = Item(-number, "output", data, metadata)
            if grown is None:
                self.page.channel.add(item)
            else:
                self.page.channel.stream(item, grown)


_stages: WeakSet[Stage] = WeakSet()


def show_again(control: Control) -> bool:
    """Show the chat that has these buttons in the cell that runs now; whether there is one to show."""
    found = next((one for one in list(_stages) if one.page is not None and one.page.control is control), None)
    if found is not None:
        found.show_here()
    return found is not None


__all__ = ["Stage", "show_again"]
