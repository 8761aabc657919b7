"""The transcript on the page of a notebook: every message is an output of its own, live while it comes about.

Where somebody watches, what takes longer than a moment is seen while it goes on: the output of the turn shows a widget
with the text that streams in, what is waited for, the buttons, and questions; when the turn has ended, the message
stands in its place. Where nobody watches (nbval, nbconvert, a replay that answers at once) only messages are
published, each once. Both give the same outputs in the same order: the widget keeps its place above what its code shows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jupyter_agents.control import Control
from jupyter_agents.display import front_end
from jupyter_agents.display.bundle import Bundle, Transcript, message_bundle, note_bundle
from jupyter_agents.display.doing import Doer, Doing
from jupyter_agents.display.outputs import SlotSink, output_bundle
from jupyter_agents.display.page import LivePage, OpenQuestion
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
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    CodeFinished,
    CodeStarted,
    Delta,
    Entry,
    Event,
    MessageSent,
    ModelAnswered,
    ModelAsked,
    ModelFailed,
    Noted,
    Notice,
    ToolFinished,
    ToolStarted,
    Waiting,
)
from jupyter_agents.executors.sink import OutputSink
from jupyter_agents.human.base import Prompt
from jupyter_agents.messages import Message
from jupyter_agents.widgets.clock import Clock, clock
from jupyter_agents.widgets.protocol import Activity, CodeFacts, Item, LiveTurn

_TURN_OPENS = 0.15  # seconds after which a turn is shown while it comes about
_ACTIVITY_OPENS = 0.5  # seconds after which code and tools that run are shown to do so


@dataclass(frozen=True)
class Box:
    """A place for many chats one after the other: a page, and the one slot in which it stands."""

    page: LivePage
    slot: SharedSlot
    transcript: Transcript = field(default_factory=Transcript)


@dataclass
class NotebookListener:
    """Shows every message, note and unusual end in the running cell, in order, and what goes on meanwhile.

    With `skip_opening` the opening message is left out: in `%%agentchat` it is the body of the cell. `is_live` says
    whether anything is shown while it goes on; by default, where somebody follows. With a `box` all of it is shown there.
    """

    skip_opening: bool = False
    is_live: bool | None = None
    at: Clock = field(default=clock, repr=False)
    box: Box | None = None
    _transcript: Transcript = field(default_factory=Transcript, repr=False)
    _root: int | None = field(default=None, repr=False)
    _is_opening: bool = field(default=False, repr=False)
    _is_over: bool = field(default=False, repr=False)
    _is_refreshing: bool = field(default=False, repr=False)
    _page: LivePage | None = field(default=None, repr=False)
    _slot: Slot | None = field(default=None, repr=False)
    _shared: SharedSlot | None = field(default=None, repr=False)
    _turn: LiveTurn | None = field(default=None, repr=False)
    _asked: Doer | None = field(default=None, repr=False)
    _doing: Doing = field(default_factory=Doing, repr=False)
    _last: MessageSent | None = field(default=None, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __call__(self, what: Entry | Notice) -> None:
        """See `jupyter_agents.events.Listener`."""
        with self._lock:
            if isinstance(what, Entry):
                self._hear(what)
            elif self._page is not None:
                self._notice(what)

    def _hear(self, entry: Entry) -> None:
        event = entry.event
        if isinstance(event, ChatStarted) and event.parent is None:
            self._begin(event)
        handle = _HANDLERS.get(type(event))
        if handle is not None:
            handle(self, event)
        bundle = self._transcript.bundle(entry)
        if bundle is not None and not self._is_body_of_cell(event):
            self._show(bundle, event)
        if isinstance(event, MessageSent):
            self._last = event
        if isinstance(event, ChatEnded) and event.chat == self._root:
            self._end()

    # -- Beginning and end ----------------------------------------------------------------------------------------

    def _begin(self, event: ChatStarted) -> None:
        self._root, self._is_opening, self._is_over = event.chat, True, False
        run = current_run.get()
        if self.box is not None:
            self._page, self._shared = self.box.page, self.box.slot
            self._transcript = self.box.transcript
            self.box.page.control = self.box.page.control if run is None else run.control
            self.box.page.channel.set(is_going_on=True)
            self.box.page.channel.ping()
        is_live = front_end.is_followed() and front_end.has_widgets() if self.is_live is None else self.is_live
        if is_live and self._page is None:
            self._page = self._new_page()

    def _new_page(self) -> LivePage:
        run = current_run.get()
        return LivePage(Control() if run is None else run.control, front_end.user_namespace, self.at)

    def _end(self) -> None:
        self._turn = None
        self._is_over = True
        if self.box is not None:
            self.box.page.channel.set(is_going_on=False, live=None, activity=None)
            self.box.slot.catch_up()
            return
        self._settle(is_end=True)
        if self._shared is not None:
            self._shared.finish()
            self._shared = None
        self._slot = None
        if self._page is not None:
            self._page.close()
            self._page = None

    def _is_body_of_cell(self, event: Event) -> bool:
        if not isinstance(event, MessageSent) or event.chat != self._root:
            return False
        is_opening, self._is_opening = self._is_opening, False
        return is_opening and self.skip_opening

    # -- What goes on ---------------------------------------------------------------------------------------------

    def _notice(self, notice: Notice) -> None:
        if isinstance(notice, Delta) and self._page is not None:
            if self._turn is not None and notice.agent in ("", self._turn.sender):
                self._page.channel.text(notice.text)
        elif isinstance(notice, Waiting):
            self._waits(notice)

    def _waits(self, notice: Waiting) -> None:
        """A model is not asked until a time is over, and then it is."""
        doer = self._doing.model_call_of(notice.agent)
        if doer is None:
            return
        now = self.at.now()
        waiting = Activity("retry", notice.agent, notice.reason, now, now + notice.seconds)
        self._goes_on(doer, waiting)

        def goes_on() -> None:
            with self._lock:
                if self._doing.is_at(waiting):
                    self._goes_on(doer, Activity("model", notice.agent, "", self.at.now()))

        self.at.after(notice.seconds, goes_on)

    def _turn_begins(self, event: ModelAsked) -> None:
        """An agent is asked for its next message: its slot is opened when that takes a moment.

        Where another one is asked at the same time, in a chat beside this one, the page stays with that one.
        """
        doer = Doer("model", event.chat, event.agent)
        is_beside, activity = self._is_asked, Activity("model", event.agent, "", self.at.now())
        self._goes_on(doer, activity)
        if self._page is None or is_beside:
            return
        self._asked = doer
        if self._slot is None or not self._slot.is_open:  # a slot in which nothing was said is as good as a new one
            self._settle()
        recipient = self._last.sender if self._last is not None and self._last.recipient == event.agent else ""
        turn = LiveTurn(event.agent, recipient, self._transcript.ordinal(event.agent))
        self._turn = turn
        self._page.channel.set(live=turn)
        self._page.channel.flush()  # with the output that has just been settled: messages in one go cost a kernel least
        self.at.after(_TURN_OPENS, lambda: self._open(lambda: self._turn is turn))

    @property
    def _is_asked(self) -> bool:
        """Whether the model of the live turn is at it."""
        return self._turn is not None and self._asked in self._doing

    def _model_answers(self, event: ModelAnswered) -> None:
        self._ceases(Doer("model", event.chat, event.agent))

    def _code_begins(self, event: CodeStarted) -> None:
        activity = Activity("code", event.agent, event.language, self.at.now())
        self._goes_on(Doer("code", event.chat, event.agent), activity)

    def _code_ends(self, event: CodeFinished) -> None:
        if self._shared is None and event.status != "refused":
            this_cell().outputs += event.outputs + bool(event.text and not event.outputs)
        self._ceases(Doer("code", event.chat, event.agent))

    def _tool_begins(self, event: ToolStarted) -> None:
        activity = Activity("tool", event.agent, event.name, self.at.now())
        self._goes_on(Doer("tool", event.chat, event.agent, event.call_id or event.name), activity)

    def _tool_ends(self, event: ToolFinished) -> None:
        self._ceases(Doer("tool", event.chat, event.agent, event.call_id or event.name))

    def _model_failed(self, event: ModelFailed) -> None:
        doer = Doer("model", event.chat, event.agent)
        self._ceases(doer)
        if self._asked == doer:
            self._leave_turn()

    def _chat_ends(self, event: ChatEnded) -> None:
        self._doing.end_chat(event.chat)
        self._show_doing()
        if event.chat == self._root or (self._asked is not None and self._asked.chat == event.chat):
            self._leave_turn()

    def _leave_turn(self) -> None:
        self._turn = None
        if self._page is not None:
            self._page.channel.set(live=None)

    def _goes_on(self, doer: Doer, activity: Activity) -> None:
        if self._page is None:
            return
        self._doing.begin(doer, activity)
        self._show_doing()
        if activity.kind in ("code", "tool"):
            self.at.after(_ACTIVITY_OPENS, lambda: self._open(lambda: self._doing.is_at(activity)))

    def _ceases(self, doer: Doer) -> None:
        if doer in self._doing:
            self._doing.end(doer)
            self._show_doing()

    def _show_doing(self) -> None:
        if self._page is not None and self._page.state.activity is not self._doing.now:
            self._page.channel.set(activity=self._doing.now)

    def _open(self, is_wanted: Callable[[], bool]) -> None:
        """Let the page show what goes on, in the last slot, if it still does."""
        with self._lock:
            if is_wanted():
                self._go_live()

    def _go_live(self) -> None:
        """Show the widget in the last slot. What is saved beside it is all that was said: what goes on may last."""
        if self._page is None:
            return
        if self._shared is None and self._slot is None and this_cell().outputs >= MAX_OUTPUTS:
            self._share()
        if self._shared is not None:
            if not self._shared.is_live:
                self._shared.go_live(self._page.model_id)
        elif self._slot is None or not self._slot.is_live or self._slot.is_behind:
            self._slot = self._slot or self._new_slot()
            self._slot.go_live(self._page.model_id, self._meanwhile())
        self._refresh_later()

    def _refresh_later(self) -> None:
        """Bring what is saved with a live slot up to date now and then; not under the hands of who answers in it."""
        if self._is_refreshing:
            return
        self._is_refreshing = True

        def refresh() -> None:
            with self._lock:
                self._is_refreshing = False
                if self._page is None or self._is_over:
                    return
                if not self._page.questions:
                    self._refresh(self._page)
                self._refresh_later()

        self.at.after(REFRESH, refresh)

    def _refresh(self, page: LivePage) -> None:
        if self._shared is not None:
            self._shared.catch_up(self._meanwhile() if self._turn is not None else None)
        elif self._slot is not None and (self._slot.is_open or self._slot.is_behind):
            self._slot.go_live(page.model_id, self._meanwhile())

    def _meanwhile(self) -> Bundle:
        """What a slot shows without its widget while nothing has been said in it."""
        if self._turn is None:
            return note_bundle(Noted(0, "Waiting for an answer."))
        said = Message(self._turn.text, finish_reason="interrupted")
        return message_bundle(MessageSent(0, self._turn.sender, self._turn.recipient, said, "model"), 0)

    # -- What was said --------------------------------------------------------------------------------------------

    def _show(self, bundle: Bundle, event: Event) -> None:
        slot = self._slot
        is_open = slot is not None and slot.is_open
        is_message = isinstance(event, MessageSent)
        is_beside = self._is_asked and self._asked != Doer("model", event.chat, getattr(event, "sender", ""))
        if is_open and (self._turn is None or (is_message and not is_beside)):
            return self._complete(bundle)
        if is_open:
            return self._show_before(bundle)
        if isinstance(event, Noted) and slot is not None:
            return self._show_below(bundle)
        self._settle()
        return self._publish(bundle)

    def _complete(self, bundle: Bundle) -> None:
        """What the live slot has waited for is there. The slot stays live: code may run next, or be asked about."""
        assert self._slot is not None
        self._slot.bundle, self._turn = bundle, None
        self._keep(bundle)

    def _show_before(self, bundle: Bundle) -> None:
        """What is said in the midst of a turn, or in a chat beside it, takes its slot, and the turn gets the next one."""
        assert self._slot is not None
        self._slot.show(bundle)
        self._slot = None
        self._keep(bundle)
        if self._page is not None:
            self._page.channel.set(live=self._turn)
            self._page.channel.renew()
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
        self._turn = None
        if self._shared is None and this_cell().outputs >= MAX_OUTPUTS:
            self._share()
        if is_kept or self._shared is not None:
            self._keep(bundle)
        if self._shared is not None:
            self._shared.add(lambda: bundle)
            return
        self._slot = self._new_slot()
        self._slot.show(bundle)

    def _new_slot(self) -> Slot:
        this_cell().outputs += 1
        return Slot(new_display_id() if self._page is not None else None)

    def _share(self) -> None:
        """From here on all of this chat goes into one slot."""
        cell = this_cell()
        cell.outputs += 1
        is_live = self._page is not None
        self._shared = SharedSlot(f"jupyter-agents-{cell.request}-{cell.outputs}", is_live or front_end.is_followed())
        if self._page is not None:
            self._page.channel.renew()

    def _settle(self, *, is_end: bool = False) -> None:
        """The last slot is over: what was said in it takes the place of the widget.

        At the end no other slot begins: a page that was loaded anew meanwhile shows how the chat ended.
        """
        slot, page = self._slot, self._page
        if page is None or self._shared is not None:
            return
        if slot is not None and slot.is_live:
            slot.show(slot.bundle or NOTHING)
        self._slot = None
        if not is_end:
            page.channel.renew()

    def _keep(self, bundle: Bundle) -> None:
        """Show it in the widget too: as the end of the live turn, and to pages that get the widget and nothing else."""
        if self._page is None:
            return
        self._page.channel.add(Item(next(self._page.numbers), "bundle", bundle.data, bundle.metadata))
        self._page.channel.set(live=None)

    # -- What code shows ------------------------------------------------------------------------------------------

    def output_sink(self) -> OutputSink | None:
        """Where blocks show things: their cell, or the shared slot once there is one."""
        with self._lock:
            if self._shared is None and this_cell().outputs >= MAX_OUTPUTS:
                self._settle()
                self._share()
            return SlotSink(self._show_output, self._shared.displays) if self._shared is not None else None

    def _show_output(
        self, number: int, data: Mapping[str, Any], metadata: Mapping[str, Any], grown: str | None
    ) -> None:
        """An output of code, or the last one again where it is text that has `grown`."""
        with self._lock:
            if self._shared is None:
                return
            self._shared.add(lambda: output_bundle(data, metadata), number)
            if self._page is None:
                return
            item = Item(-number, "output", data, metadata)
            if grown is None:
                self._page.channel.add(item)
            else:
                self._page.channel.stream(item, grown)

    # -- Questions ------------------------------------------------------------------------------------------------

    def open_question(self, prompt: Prompt) -> OpenQuestion | None:
        """Put a question where the chat is; `None` where nobody can see it."""
        with self._lock:
            if self._page is None:
                return None
            self._go_live()
            if self._shared is not None:
                self._shared.catch_up()
            return self._page.ask(prompt, sender=self._last.sender if self._last else "", facts=_facts(prompt))

    def close_question(self, question: OpenQuestion) -> None:
        """Take it away again."""
        with self._lock:
            if self._page is not None:
                self._page.close_question(question)

    @property
    def page(self) -> LivePage | None:
        """The page, while somebody follows the chat."""
        return self._page

    @contextmanager
    def alone(self) -> Iterator[NotebookListener]:
        """Show a question of a chat that shows nothing else."""
        if self._page is None and front_end.is_followed() and front_end.has_widgets():
            self._page = self._new_page()
        try:
            yield self
        finally:
            with self._lock:
                self._end()


def _facts(prompt: Prompt) -> CodeFacts | None:
    if prompt.block is None:
        return None
    from jupyter_agents.code_facts import facts_of

    found = facts_of(prompt.block.code, prompt.block.language, set(front_end.user_namespace()))
    return CodeFacts(tuple(found.reads), tuple(found.sets), tuple(found.deletes), tuple(found.notes))


_HANDLERS: dict[type[Event], Callable[[NotebookListener, Any], None]] = {
    ModelAsked: NotebookListener._turn_begins,
    ModelAnswered: NotebookListener._model_answers,
    ModelFailed: NotebookListener._model_failed,
    CodeStarted: NotebookListener._code_begins,
    CodeFinished: NotebookListener._code_ends,
    ToolStarted: NotebookListener._tool_begins,
    ToolFinished: NotebookListener._tool_ends,
    ChatEnded: NotebookListener._chat_ends,
}


__all__ = ["MAX_OUTPUTS", "NotebookListener"]
