"""The transcript on the page of a notebook: every message is an output of its own, live while it comes about.

Where somebody watches, what takes longer than a moment is seen while it goes on: the output of the turn shows a widget
with the text that streams in, what is waited for, the buttons, and questions; when the turn has ended, the message
stands in its place. Where nobody watches (nbval, nbconvert, a replay that answers at once) only messages are
published, each once. Both give the same outputs in the same order: the widget keeps its place above what its code shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jupyter_agents.display import front_end
from jupyter_agents.display.bundle import Bundle, Transcript
from jupyter_agents.display.doing import Doer, Doing
from jupyter_agents.display.page import LivePage, OpenQuestion
from jupyter_agents.display.slots import MAX_OUTPUTS, SharedSlot, begin_chat
from jupyter_agents.display.stage import Stage
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
    Paused,
    Retracted,
    SeriesEnded,
    SeriesStarted,
    Summarised,
    ToolFinished,
    ToolStarted,
    Waiting,
)
from jupyter_agents.executors.sink import OutputSink
from jupyter_agents.human.base import Prompt
from jupyter_agents.messages import scrub
from jupyter_agents.widgets.clock import Clock, clock
from jupyter_agents.widgets.protocol import Activity, CodeFacts, LiveTurn

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
    _asked: Doer | None = field(default=None, repr=False)
    _doing: Doing = field(default_factory=Doing, repr=False)
    _last: MessageSent | None = field(default=None, repr=False)
    _stage: Stage = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._stage = Stage(self.at)

    def __call__(self, what: Entry | Notice) -> None:
        """See `jupyter_agents.events.Listener`."""
        with self._stage.lock:
            if isinstance(what, Entry):
                self._hear(what)
            elif isinstance(what, Delta):
                self._stage.stream(what.agent, scrub(what.text))
            elif isinstance(what, Retracted):
                self._stage.take_back(what.agent)
            elif isinstance(what, Waiting):
                self._waits(what)
            elif isinstance(what, Paused):
                self._rests(what)

    def _hear(self, entry: Entry) -> None:
        event = entry.event
        if isinstance(event, SeriesStarted) or (isinstance(event, ChatStarted) and event.parent is None):
            self._begin(event)
        handle = _HANDLERS.get(type(event))
        if handle is not None:
            handle(self, event)
        bundle = self._transcript.bundle(entry)
        if bundle is not None and not self._is_body_of_cell(event):
            self._show(bundle, event)
        if isinstance(event, MessageSent):
            self._last = event
        if isinstance(event, ChatEnded | SeriesEnded) and event.chat == self._root:
            self._stage.end()

    def _begin(self, event: ChatStarted | SeriesStarted) -> None:
        self._is_opening = (
            self._root is None
        )  # what follows after something was taken back is the same chat of the cell
        self._root = event.chat
        if self.box is not None:
            self._transcript = self.box.transcript
            self._stage.begin_in_box(self.box.page, self.box.slot)
        else:
            if self._is_opening:
                self._transcript.talk = begin_chat()
            self._stage.begin(is_live=_can_be_live() if self.is_live is None else self.is_live)
            if self.page is not None and self._transcript.talk > 1:
                self.page.channel.set(talk=self._transcript.talk)

    # -- What was said --------------------------------------------------------------------------------------------

    def _show(self, bundle: Bundle, event: Event) -> None:
        """A message ends the live turn, unless it is said in a chat beside the one of that turn."""
        is_message = isinstance(event, MessageSent)
        is_beside = self._is_asked and self._asked != Doer("model", event.chat, getattr(event, "sender", ""))
        self._stage.show(bundle, ends_turn=is_message and not is_beside, is_note=isinstance(event, Noted | Summarised))

    def _is_body_of_cell(self, event: Event) -> bool:
        if not isinstance(event, MessageSent) or event.chat != self._root:
            return False
        is_opening, self._is_opening = self._is_opening, False
        return is_opening and self.skip_opening

    # -- Who is asked ---------------------------------------------------------------------------------------------

    def _turn_begins(self, event: ModelAsked) -> None:
        """An agent is asked for its next message.

        Where another one is asked at the same time, in a chat beside this one, the page stays with that one. What a
        model is asked aside becomes no message.
        """
        doer = Doer("model", event.chat, event.agent)
        is_beside, activity = self._is_asked, Activity("model", event.agent, event.aside, self.at.now())
        self._goes_on(doer, activity)
        if self.page is None or is_beside or event.aside:
            return
        self._asked = doer
        recipient = self._last.sender if self._last is not None and self._last.recipient == event.agent else ""
        place = self._transcript.place(event.chat, event.agent)
        turn = LiveTurn(event.agent, recipient, place.colour, depth=place.depth, label=place.label, talk=place.talk)
        self._stage.open_turn(turn)

    @property
    def _is_asked(self) -> bool:
        """Whether the model of the live turn is at it."""
        return self._stage.turn is not None and self._asked in self._doing

    def _model_answers(self, event: ModelAnswered) -> None:
        self._ceases(Doer("model", event.chat, event.agent))

    def _model_failed(self, event: ModelFailed) -> None:
        doer = Doer("model", event.chat, event.agent)
        self._ceases(doer)
        if self._asked == doer:
            self._stage.leave_turn()

    def _chat_ends(self, event: ChatEnded) -> None:
        self._doing.end_chat(event.chat)
        if self.page is not None:
            self.page.pausing.goes_on(event.chat)
        self._stage.show_activity(self._doing.now)
        if event.chat == self._root or (self._asked is not None and self._asked.chat == event.chat):
            self._stage.leave_turn()

    # -- What goes on ---------------------------------------------------------------------------------------------

    def _waits(self, notice: Waiting) -> None:
        """A model is not asked until a time is over, and then it is."""
        doer = self._doing.model_call_of(notice.agent)
        if doer is None:
            return
        now = self.at.now()
        waiting = Activity("retry", notice.agent, notice.reason, now, now + notice.seconds)
        self._goes_on(doer, waiting)

        def goes_on() -> None:
            with self._stage.lock:
                if self._doing.is_at(waiting):
                    self._goes_on(doer, Activity("model", notice.agent, "", self.at.now()))

        self.at.after(notice.seconds, goes_on)

    def _rests(self, notice: Paused) -> None:
        """A paused chat shows its buttons, however short its turns are: nothing else lets it go on."""
        if self.page is None:
            return
        if notice.is_paused:
            self.page.pausing.rests(notice.chat, notice.agent, notice.next)
            self._stage.open_for_person()
        else:
            self.page.pausing.goes_on(notice.chat)

    def _code_begins(self, event: CodeStarted) -> None:
        activity = Activity("code", event.agent, event.language, self.at.now())
        self._goes_on(Doer("code", event.chat, event.agent), activity)

    def _code_ends(self, event: CodeFinished) -> None:
        if event.status != "refused":
            self._stage.count_outputs(event.outputs + bool(event.text and not event.outputs))
        self._ceases(Doer("code", event.chat, event.agent))

    def _tool_begins(self, event: ToolStarted) -> None:
        activity = Activity("tool", event.agent, event.name, self.at.now())
        self._goes_on(Doer("tool", event.chat, event.agent, event.call_id or event.name), activity)

    def _tool_ends(self, event: ToolFinished) -> None:
        self._ceases(Doer("tool", event.chat, event.agent, event.call_id or event.name))

    def _goes_on(self, doer: Doer, activity: Activity) -> None:
        if self.page is None:
            return
        self._doing.begin(doer, activity)
        self._stage.show_activity(self._doing.now)
        if activity.kind in ("code", "tool") or activity.what:
            self._stage.open_later(_ACTIVITY_OPENS, lambda: self._doing.is_at(activity))

    def _ceases(self, doer: Doer) -> None:
        if doer in self._doing:
            self._doing.end(doer)
            self._stage.show_activity(self._doing.now)

    # -- What others ask of it ------------------------------------------------------------------------------------

    @property
    def page(self) -> LivePage | None:
        """The page, while somebody follows the chat."""
        return self._stage.page

    def output_sink(self) -> OutputSink | None:
        """Where blocks show things: their cell, or the place that all of the chat shares once there is one."""
        with self._stage.lock:
            return self._stage.output_sink()

    def open_question(self, prompt: Prompt) -> OpenQuestion | None:
        """Put a question where the chat is; `None` where nobody can see it."""
        with self._stage.lock:
            if self.page is None:
                return None
            self._stage.open_for_person()
            return self.page.ask(prompt, sender=self._last.sender if self._last else "", facts=_facts(prompt))

    def close_question(self, question: OpenQuestion) -> None:
        """Take it away again."""
        with self._stage.lock:
            if self.page is not None:
                self.page.close_question(question)

    @contextmanager
    def alone(self) -> Iterator[NotebookListener]:
        """Show a question of a chat that shows nothing else."""
        self._stage.begin(is_live=_can_be_live())
        try:
            yield self
        finally:
            with self._stage.lock:
                self._stage.end()


def _can_be_live() -> bool:
    return front_end.is_followed() and front_end.has_widgets()


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


__all__ = ["MAX_OUTPUTS", "Box", "NotebookListener"]
