"""Whoever watches and whoever does not get the same outputs in the same order: nbval compares a saved run with a replay."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.display.notebook import NotebookListener
from jupyter_agents.display.slots import WIDGET_MIME
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    CodeFinished,
    CodeStarted,
    Delta,
    MessageSent,
    ModelAnswered,
    ModelAsked,
    ModelFailed,
    Noted,
    ToolFinished,
    ToolStarted,
    Waiting,
)
from jupyter_agents.human.base import Answer, Prompt
from jupyter_agents.messages import Message
from tests.lab import Lab, tell

NAMES = ("user", "assistant", "critic")
TIMES = st.sampled_from([0.0, 0.05, 0.2, 0.6, 11.0])
WORDS = st.sampled_from(["Hello.", "Done.", "```python\n1\n```"])


class Run:
    """One run of a script: events for the listener, and what code shows meanwhile."""

    def __init__(self, *, is_live):
        self.lab = Lab(is_followed=is_live)
        self.listener = NotebookListener(is_live=is_live, at=self.lab.clock)

    def tell(self, *events):
        tell(self.listener, *events)

    def wait(self, seconds):
        self.lab.clock.run(seconds)

    def ask(self, chat, agent, seconds):
        question = self.listener.open_question(Prompt("Run it?", "approval", agent, block=CodeBlock("python", "1")))
        if question is not None:
            self.wait(seconds)
            question.give(Answer(action="run"))
            self.listener.close_question(question)

    def show(self, count):
        sink = self.listener.output_sink()
        for number in range(count):
            if sink is None:
                self.lab.take({"text/plain": f"output {number}"}, {}, transient={}, update=False)
            else:
                sink.show({"text/plain": f"output {number}"}, {}, display_id=None, update=False)

    @property
    def outputs(self):
        return [data for _, data in self.lab.outputs if data]


@st.composite
def turns(draw, chat):
    """A reply of a model: whole, without any sign of its coming, or failed."""
    agent, times = draw(st.sampled_from(NAMES)), draw(st.lists(TIMES, min_size=3, max_size=3))
    words, what = draw(WORDS), draw(st.sampled_from(["said", "said", "failed", "empty", "retried", "silent"]))

    def play(run):
        run.tell(ModelAsked(chat, agent, 1))
        run.wait(times[0])
        if what == "retried":
            run.tell(Waiting(2.0, "busy", agent))
            run.wait(times[2])
        if what != "empty":
            run.tell(Delta(words, agent))
        run.wait(times[1])
        if what in ("failed", "empty"):
            run.tell(ModelFailed(chat, agent, "gone", words if what == "failed" else ""))
            return
        said = MessageSent(chat, agent, "user", Message(words), "model", what == "silent")
        run.tell(ModelAnswered(chat, agent, "stop"), said)
        run.wait(times[2])

    return play


@st.composite
def code(draw, chat):
    """A block: asked about or not, noted or not, with outputs."""
    times = draw(st.lists(TIMES, min_size=2, max_size=2))
    is_asked, is_noted, count = draw(st.booleans()), draw(st.booleans()), draw(st.integers(0, 3))

    def play(run):
        run.tell(MessageSent(chat, "assistant", "user", Message("```python\n1\n```"), "model"))
        if is_asked:
            run.ask(chat, "user", times[0])
        if is_noted:
            run.tell(Noted(chat, "user runs code without asking.", "user"))
        run.tell(CodeStarted(chat, "user", "python", "1"))
        run.show(count)
        run.wait(times[1])
        run.tell(CodeFinished(chat, "user", 0, "ok", "", outputs=count))
        run.tell(MessageSent(chat, "user", "assistant", Message("exitcode: 0 (execution succeeded)"), "code"))

    return play


@st.composite
def tools(draw, chat):
    """A call of a tool, in which a chat may be held."""
    seconds, inner = draw(TIMES), draw(st.lists(turns(chat + 1), max_size=2))

    def play(run):
        run.tell(MessageSent(chat, "assistant", "user", Message("Calling."), "model"))
        run.tell(ToolStarted(chat, "user", "tool", "{}"))
        if inner:
            run.tell(ChatStarted(chat + 1, "critic", "assistant", chat))
            for one in inner:
                one(run)
            run.tell(ChatEnded(chat + 1, "termination message"))
        run.wait(seconds)
        run.tell(ToolFinished(chat, "user", "tool", True, "3"))

    return play


@st.composite
def gathered(draw, chat):
    """Two chats at the same time, each with a reply."""
    times, first = draw(st.lists(TIMES, min_size=3, max_size=3)), draw(st.booleans())

    def play(run):
        run.tell(ChatStarted(chat + 1, "user", "assistant", chat), ChatStarted(chat + 2, "user", "critic", chat))
        run.tell(ModelAsked(chat + 1, "assistant", 1))
        run.wait(times[0])
        run.tell(ModelAsked(chat + 2, "critic", 1))
        run.wait(times[1])
        ends = [(chat + 1, "assistant"), (chat + 2, "critic")]
        for number, agent in ends if first else reversed(ends):
            run.tell(Delta(f"I am {agent}", agent), ModelAnswered(number, agent, "stop"))
            run.tell(MessageSent(number, agent, "user", Message(f"I am {agent}"), "model"))
            run.wait(times[2])
            run.tell(ChatEnded(number, "termination message"))

    return play


def notes(chat):
    return st.builds(lambda text: lambda run: run.tell(Noted(chat, text)), st.sampled_from(["a note", "another"]))


STEPS = st.lists(st.one_of(turns(0), code(0), tools(0), gathered(0), notes(0)), max_size=6)
ENDS = st.sampled_from([None, ("termination message", ""), ("turn limit", ""), ("stop", "stopped by the user")])


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@given(before=st.integers(0, 42), steps=STEPS, end=ENDS)
@settings(max_examples=60, deadline=None)
def test_outputs_are_the_same_whether_or_not_somebody_watches(patch, before, steps, end):
    def played(*, is_live):
        run = Run(is_live=is_live)
        run.lab.install(patch)
        run.tell(ChatStarted(0, "user", "assistant"))
        for number in range(before):
            run.tell(MessageSent(0, "user", "assistant", Message(f"m{number}")))
        for step in steps:
            step(run)
        run.tell(ChatEnded(0, *(end or ("termination message",))))
        run.wait(20)
        return run

    live, static = played(is_live=True), played(is_live=False)

    assert [one for one in live.outputs if WIDGET_MIME in one] == []
    assert live.outputs == static.outputs
    assert len(live.lab.widgets) <= 1
