"""The live side of a chat on the page: its widget, the questions that are open on it, and what its buttons do."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast, get_args

from jupyter_agents.control import Control
from jupyter_agents.display.pausing import Pausing
from jupyter_agents.display.variables import names_like, with_values
from jupyter_agents.human.base import Action, Answer, Prompt
from jupyter_agents.messages import scrub
from jupyter_agents.widgets.channel import Channel
from jupyter_agents.widgets.clock import Clock, clock
from jupyter_agents.widgets.protocol import CodeFacts, QuestionCard, ViewState

_LEAVING = 2.0  # seconds after which a widget that was replaced may go


@dataclass
class OpenQuestion:
    """A question that waits for its one answer; whoever gives it first has answered."""

    card: QuestionCard
    prompt: Prompt
    answer: Answer | None = None
    by: str | None = None
    _answered: threading.Event = field(default_factory=threading.Event, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _then: list[Callable[[], None]] = field(default_factory=list, repr=False)

    def give(self, answer: Answer, by: str | None = None) -> bool:
        """Answer it; `False` when somebody else has."""
        with self._lock:
            if self.answer is not None:
                return False
            self.answer, self.by = answer, by
            then, self._then = self._then, []
        self._answered.set()
        for function in then:
            function()
        return True

    def wait(self, seconds: float) -> bool:
        """Whether it has been answered, after so many seconds at most."""
        return self._answered.wait(seconds)

    def when_answered(self, function: Callable[[], None]) -> None:
        """Call `function` when there is an answer, in the thread in which it comes, or at once."""
        with self._lock:
            if self.answer is None:
                self._then.append(function)
                return
        function()


class LivePage:
    """What the page shows of one chat while it goes on, and what comes back from it.

    The widget is made when it is first needed. `control` are the buttons; `namespace` gives the user's variables.
    """

    def __init__(self, control: Control, namespace: Callable[[], Mapping[str, Any]] = dict, at: Clock = clock) -> None:
        self.control, self.clock = control, at
        self.state = ViewState()
        self.channel = Channel(self._send, self.state, self._hear, at)
        self.pausing = Pausing(control, self.channel, at)
        self.questions: dict[str, OpenQuestion] = {}
        self.say: Callable[[str, str], None] = lambda to, text: None
        """What is done with what a person writes without having been asked."""
        self.lost: Callable[[], None] = lambda: None
        """What is done when somebody else has closed the widget: to show another one, which is made when it is needed."""
        self._namespace = namespace
        self._widget: Any = None
        self.numbers = itertools.count(1)

    @property
    def model_id(self) -> str:
        """The id by which outputs name the widget, which is made for it.

        A page that draws such an output begins with what it has got, so it is told of the slot first.
        """
        if self._widget is None:
            from jupyter_agents.widgets.live import make_widget

            self._widget = make_widget(self.channel.hear, self._lose)
            self.channel.is_open = True
            self.channel.ping()
        self.channel.flush_slot()
        return str(self._widget.model_id)

    def take_control(self, control: Control) -> None:
        """The buttons are those of another chat from now on."""
        self.control = control
        self.pausing.follow(control)

    def close(self) -> None:
        """The chat is over. The widget stays for a moment: it must not vanish before what replaces it is there."""
        self.pausing.leave()
        self.channel.set(is_going_on=False, activity=None, live=None)
        self.channel.flush()
        if self._widget is not None:
            self.clock.after(_LEAVING, self._retire)

    def _retire(self) -> None:
        """Let the widget go, but not while a page shows more of the chat in it than it got as outputs."""
        if self.channel.is_viewed:
            self.channel.ping()
            self.clock.after(_LEAVING, self._retire)
            return
        self.channel.close()
        with suppress(Exception):  # the kernel may be about to end
            self._widget.close()

    def _send(self, message: dict[str, Any]) -> None:
        if self._widget is None:
            return
        if self._widget.comm is None:  # closed by code, as `Widget.close_all()` does
            self._lose()
        else:
            self._widget.send(message)

    def _lose(self) -> None:
        """The widget is gone, and with it every page that had it. A chat that asks there would wait for ever."""
        if self._widget is None or self.channel.is_closed:
            return
        self._widget = None
        self.channel.begin_anew()
        self.clock.after(0, self.lost)

    # -- Questions ------------------------------------------------------------------------------------------------

    def ask(self, prompt: Prompt, *, sender: str = "", facts: CodeFacts | None = None) -> OpenQuestion:
        """Put a question to whoever reads the page."""
        now = self.clock.now()
        card = QuestionCard(
            f"{self.model_id}-{next(self.numbers)}",  # which tells a page where it is
            prompt.kind,
            scrub(prompt.text),
            scrub(prompt.agent or ""),
            scrub(prompt.sender or sender),
            tuple(scrub(one) for one in prompt.choices),
            scrub(prompt.block.code) if prompt.block else "",
            scrub(prompt.block.language) if prompt.block else "",
            facts,
            scrub(prompt.otherwise),
            None if prompt.timeout is None else now + prompt.timeout,
            "send" if prompt.kind == "choice" else prompt.empty,  # every choice is a button
        )
        question = OpenQuestion(card, prompt)
        self.questions[card.id] = question
        self._show_questions()
        return question

    def close_question(self, question: OpenQuestion) -> None:
        """Take a question away, answered or not, and let every page know by whom."""
        if self.questions.pop(question.card.id, None) is None:
            return
        self.channel.post({"t": "closed", "id": question.card.id, "by": question.by})
        self._show_questions()

    def _show_questions(self) -> None:
        self.channel.set(questions=[one.card for one in self.questions.values()])
        self.channel.flush()

    # -- What pages say -------------------------------------------------------------------------------------------

    def _hear(self, content: Mapping[str, Any]) -> None:
        """In whichever thread it comes: only hand data over here."""
        kind = content.get("t")
        if kind == "answer":
            self._hear_answer(content)
        elif kind == "stop":
            self.control.stop()
        elif kind == "interrupt":
            self.control.interrupt_code()
        elif kind in ("pause", "resume", "step"):
            self.pausing.press(kind)
        elif kind == "undo":
            self._undo(str(content.get("block", "")))
        elif kind == "look":
            self._look(content)
        elif kind == "say":
            self.say(str(content.get("to", "")), self._with_attached(content))

    def _hear_answer(self, content: Mapping[str, Any]) -> None:
        question = self.questions.get(str(content.get("id")))
        view = str(content.get("view", ""))
        if question is None:
            self.channel.post({"t": "closed", "id": str(content.get("id")), "by": None})
            return
        answer = self._read_answer(question, content.get("answer"))
        if answer is None:
            return
        if not question.give(answer, view):
            self.channel.post({"t": "closed", "id": question.card.id, "by": question.by})

    def _read_answer(self, question: OpenQuestion, given: Any) -> Answer | None:
        """The answer as one of ours; `None` for what the question does not allow."""
        if not isinstance(given, Mapping):
            return None
        action, text = given.get("action"), scrub(str(given.get("text", "")))
        is_approval = question.prompt.kind == "approval"
        allowed = set(get_args(Action)) - {"reply"} if is_approval else {"reply", "stop"}
        if action not in allowed:
            return None
        if question.prompt.kind == "choice" and action == "reply" and text not in question.card.choices:
            return None
        if not is_approval:
            text = self._with_attached(given)
        return Answer(text, cast(Action, action), always=given.get("always") is True and action == "run")

    def _undo(self, block: str) -> None:
        from jupyter_agents.executors.undo import undo

        self.channel.post({"t": "undone", "block": block, "undone": undo(block).to_json()})

    def _look(self, content: Mapping[str, Any]) -> None:
        namespace = self._namespace()
        prefix = content.get("prefix")
        names = names_like(str(prefix), namespace) if prefix is not None else []
        seen = [{"name": name, "kind": kind} for name, kind in names]
        text = self._with_attached(content)
        self.channel.post({"t": "seen", "ask": content.get("ask"), "names": seen, "text": text})

    def _with_attached(self, content: Mapping[str, Any]) -> str:
        """What a person has written, with the values of the variables that go with it."""
        text, attached = scrub(str(content.get("text", ""))), content.get("attached")
        if not isinstance(attached, list) or not attached:
            return text
        return scrub(with_values(text, [str(name) for name in attached], self._namespace()))


__all__ = ["LivePage", "OpenQuestion"]
