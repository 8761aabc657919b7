"""What a page shows while a turn goes on: the slot, what stands in it, and the questions."""

import pytest

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.display import front_end, slots
from jupyter_agents.display.notebook import MAX_OUTPUTS, NotebookListener
from jupyter_agents.display.slots import WIDGET_MIME
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    CodeFinished,
    CodeStarted,
    Delta,
    Entry,
    MessageSent,
    ModelAnswered,
    ModelAsked,
    ModelFailed,
    Noted,
    ToolFinished,
    ToolStarted,
    Waiting,
)
from jupyter_agents.executors.outputs import MESSAGE_MIME
from jupyter_agents.human.base import Answer, Prompt
from jupyter_agents.messages import Message
from tests.fakes import FakeClock


class FakeWidget:
    """A widget whose messages are kept, and whose page says what a test has it say."""

    model_id = "model-1"

    def __init__(self, hear):
        self.hear, self.sent, self.is_closed = hear, [], False

    def send(self, message):
        self.sent.append(message)

    def close(self):
        self.is_closed = True


class Lab:
    """The page of a cell, with its outputs in order and the widgets that were made."""

    def __init__(self):
        self.request = {"header": {"msg_id": "first", "session": "s"}, "content": {"allow_stdin": True}}
        self.outputs, self.widgets, self.clock = [], [], FakeClock()

    def take(self, data, metadata, *, transient, update):
        display_id = transient.get("display_id")
        if update:
            [at] = [at for at, (known, _) in enumerate(self.outputs) if known == display_id]
            self.outputs[at] = (display_id, data)
        else:
            self.outputs.append((display_id, data))

    def make_widget(self, hear):
        self.widgets.append(FakeWidget(hear))
        return self.widgets[-1]

    @property
    def widget(self):
        [widget] = self.widgets
        return widget

    def texts(self):
        return [("live: " if WIDGET_MIME in data else "") + data["text/plain"] for _, data in self.outputs]

    def draw(self, view="v"):
        """Draw the widget; what it shows."""
        self.widget.hear({"t": "hello", "page": "p"})
        self.widget.hear({"t": "sync", "view": view, "page": "p", "earlier": False})
        return self.widget.sent[-1]["state"]


@pytest.fixture
def lab(monkeypatch):
    lab = Lab()
    monkeypatch.setattr("IPython.display.publish_display_data", lab.take)
    monkeypatch.setattr(front_end, "parent", lambda: lab.request)
    monkeypatch.setattr(slots, "_cell", slots._Cell())
    monkeypatch.setattr("jupyter_agents.widgets.live.make_widget", lab.make_widget)
    monkeypatch.setattr(front_end, "user_namespace", lambda: {"df": [1, 2]})
    return lab


@pytest.fixture
def listener(lab):
    listener = NotebookListener(is_live=True, at=lab.clock)
    listener.number = 0
    tell(listener, ChatStarted(0, "user", "assistant"))
    return listener


def tell(listener, *events):
    for event in events:
        if isinstance(event, (Delta, Waiting)):
            listener(event)
        else:
            listener(Entry(0, event))


def said(text, sender="assistant", recipient="user", origin="model"):
    return MessageSent(0, sender, recipient, Message(text), origin)


ASKED = ModelAsked(0, "assistant", 1)
ANSWERED = ModelAnswered(0, "assistant", "stop")
OPENING = said("Do it.", "user", "assistant", "program")
ENDED = ChatEnded(0, "termination message")


def test_turn_that_takes_a_moment_is_one_output_and_no_widget(lab, listener):
    tell(listener, OPENING, ASKED, ANSWERED, said("Done."), ENDED)
    lab.clock.run(5)

    assert lab.texts() == ["user (to assistant):\n\nDo it.", "assistant (to user):\n\nDone."]
    assert lab.widgets == []


def test_turn_that_takes_longer_is_live_and_then_its_message(lab, listener):
    tell(listener, OPENING, ASKED)
    lab.clock.run(1)
    tell(listener, Delta("Do", "assistant"), Delta("ne.", "assistant"))
    lab.clock.run(1)
    live = lab.texts()[-1]
    state = lab.draw()

    tell(listener, ANSWERED, said("Done."), ENDED)

    assert live.startswith("live: assistant")
    assert state["live"] == {"sender": "assistant", "recipient": "user", "colour": 1, "text": "Done."}
    assert (state["activity"]["kind"], state["activity"]["elapsed"]) == ("model", 2.0)
    assert lab.texts() == ["user (to assistant):\n\nDo it.", "assistant (to user):\n\nDone."]


def test_unfinished_turn_says_so_without_its_widget(lab, listener):
    tell(listener, ASKED, Delta("I would", "assistant"))
    lab.clock.run(1)

    [(_, data)] = lab.outputs

    assert data[MESSAGE_MIME]["live"] == {"model_id": "model-1"}
    assert list(data)[:2] == [MESSAGE_MIME, WIDGET_MIME]
    assert "I would" in data["text/html"]
    assert "interrupted before its end" in data["text/html"]


def test_one_widget_serves_all_turns_of_a_chat(lab, listener):
    for _ in range(3):
        tell(listener, ASKED)
        lab.clock.run(1)
        tell(listener, ANSWERED, said("Hello."))

    tell(listener, ENDED)

    assert len(lab.widgets) == 1
    assert lab.texts() == ["assistant (to user):\n\nHello."] * 3


def test_slot_of_the_message_is_live_while_its_code_runs(lab, listener):
    tell(listener, said("Code."), CodeStarted(0, "user", "python", "1"))
    lab.clock.run(0.3)
    before = lab.texts()
    lab.clock.run(0.3)
    during, state = lab.texts(), lab.draw()

    tell(listener, CodeFinished(0, "user", 0, "ok", "1"), said("exitcode: 0", "user", "assistant", "code"))

    assert before == ["assistant (to user):\n\nCode."]
    assert during == ["live: assistant (to user):\n\nCode."]
    assert (state["activity"]["kind"], state["activity"]["what"]) == ("code", "python")
    assert [item["bundle"]["data"]["text/plain"] for item in state["items"]] == ["assistant (to user):\n\nCode."]
    assert lab.texts()[0] == "assistant (to user):\n\nCode."


def test_note_between_message_and_code_leaves_the_slot_to_the_message(lab, listener):
    tell(listener, said("Code."), Noted(0, "user runs code without asking."), CodeStarted(0, "user", "python", "1"))
    lab.clock.run(1)

    assert lab.texts() == ["live: assistant (to user):\n\nCode.", "user runs code without asking."]


def test_note_in_the_midst_of_a_turn_comes_before_it(lab, listener):
    tell(listener, ASKED)
    lab.clock.run(1)
    tell(listener, Noted(0, "a note"))
    lab.clock.run(1)
    during = lab.texts()

    tell(listener, said("Hello."), ENDED)

    assert during[0] == "a note"
    assert during[1].startswith("live: ")
    assert lab.texts() == ["a note", "assistant (to user):\n\nHello."]


def test_tool_that_takes_long_is_shown_in_the_slot_of_its_call(lab, listener):
    tell(listener, said("Calling."), ToolStarted(0, "user", "get_price", "{}"))
    lab.clock.run(1)

    state = lab.draw()

    assert (state["activity"]["kind"], state["activity"]["what"]) == ("tool", "get_price")
    tell(listener, ToolFinished(0, "user", "get_price", True, "3"))
    lab.clock.run(1)
    assert lab.draw()["activity"] is None


def test_wait_for_a_retry_counts_down(lab, listener):
    tell(listener, ASKED, Waiting(8.0, "rate limit", "assistant"))
    lab.clock.run(2)

    activity = lab.draw()["activity"]

    assert (activity["kind"], activity["what"], activity["remaining"]) == ("retry", "rate limit", 6.0)


def test_what_had_come_of_a_failed_reply_takes_its_slot(lab, listener):
    tell(listener, ASKED, Delta("Half", "assistant"))
    lab.clock.run(1)

    tell(listener, ModelFailed(0, "assistant", "gone", "Half"), ChatEnded(0, "error", "gone"))

    assert lab.texts()[0] == "assistant:\n\nHalf\n\n[interrupted before its end; nothing in it was run]"
    assert len(lab.outputs) == 2


def test_end_takes_the_slot_of_a_reply_that_never_came(lab, listener):
    tell(listener, ASKED)
    lab.clock.run(1)

    tell(listener, ModelFailed(0, "assistant", "gone"), ChatEnded(0, "error", "gone"))

    assert lab.texts() == ["The chat ended (error: gone)."]


def test_widget_goes_when_the_chat_is_over_and_no_page_shows_it(lab, listener):
    tell(listener, ASKED)
    lab.clock.run(1)
    tell(listener, said("Hello."), ENDED)

    lab.clock.run(1)
    is_there_for_a_moment = not lab.widget.is_closed
    lab.clock.run(5)

    assert is_there_for_a_moment
    assert lab.widget.is_closed


# -- Questions ---------------------------------------------------------------------------------------------------


APPROVAL = Prompt("Run this code?", "approval", "user", block=CodeBlock("python", "df.pop()"))


def test_question_is_asked_in_the_slot_of_the_last_message(lab, listener):
    tell(listener, said("Code."))

    listener.open_question(APPROVAL)

    [question] = lab.draw()["questions"]
    assert lab.texts() == ["live: assistant (to user):\n\nCode."]
    assert (question["kind"], question["code"], question["language"]) == ("approval", "df.pop()", "python")
    assert (question["agent"], question["sender"]) == ("user", "assistant")
    assert question["facts"]["reads"] == ("df",)


def test_question_gets_a_slot_of_its_own_when_nothing_was_said(lab, listener):
    question = listener.open_question(Prompt("Your name?", agent="user"))
    live = lab.texts()
    question.give(Answer("Ada"))
    listener.close_question(question)

    tell(listener, said("Ada", "user", "assistant", "human"), ENDED)

    assert live == ["live: Waiting for an answer."]
    assert lab.texts() == ["user (to assistant):\n\nAda"]


def test_first_answer_counts_and_the_others_hear_of_it(lab, listener):
    question = listener.open_question(Prompt("Go on?", agent="user"))
    lab.draw("one")
    lab.draw("two")
    [card] = lab.widget.sent[-1]["state"]["questions"]

    for view, text in (("one", "yes"), ("two", "no")):
        answer = {"action": "reply", "text": text}
        lab.widget.hear({"t": "answer", "view": view, "id": card["id"], "answer": answer})
    listener.close_question(question)

    assert question.answer == Answer("yes")
    assert {"t": "closed", "id": card["id"], "by": "one"} in lab.widget.sent


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        {"action": "run", "text": ""},
        {"action": "edit", "text": "x"},
        {"action": "delete everything", "text": ""},
    ],
)
def test_answer_that_the_question_does_not_allow_is_no_answer(lab, listener, given):
    question = listener.open_question(Prompt("Go on?", agent="user"))

    lab.draw()
    lab.widget.hear({"t": "answer", "view": "v", "id": question.card.id, "answer": given})

    assert question.answer is None


def test_approval_is_not_given_by_a_reply(lab, listener):
    question = listener.open_question(APPROVAL)

    lab.draw()
    for action in ("reply", "stop", "run"):
        lab.widget.hear({"t": "answer", "view": "v", "id": question.card.id, "answer": {"action": action}})

    assert question.answer.action == "stop"


def test_choice_must_be_one_of_those_offered(lab, listener):
    question = listener.open_question(Prompt("Who?", "choice", "user", choices=("ann", "bob")))

    lab.draw()
    for text in ("eve", "bob"):
        answer = {"action": "reply", "text": text}
        lab.widget.hear({"t": "answer", "view": "v", "id": question.card.id, "answer": answer})

    assert question.answer == Answer("bob")


def test_attached_variable_goes_with_the_reply(lab, listener):
    question = listener.open_question(Prompt("What?", agent="user"))

    lab.draw()
    answer = {"action": "reply", "text": "Look at \ud800 it.", "attached": ["df", "gone"]}
    lab.widget.hear({"t": "answer", "view": "v", "id": question.card.id, "answer": answer})

    assert question.answer.text == (
        "Look at \N{REPLACEMENT CHARACTER} it.\n\n`df` (list of 2):\n```\n[1, 2]\n```\n\n`gone` is not defined."
    )


def test_page_is_told_of_variables_and_of_what_will_be_sent(lab, listener):
    listener.open_question(Prompt("What?", agent="user"))
    lab.draw()

    lab.widget.hear({"t": "look", "view": "v", "ask": 7, "prefix": "d", "text": "Hi", "attached": ["df"]})

    seen = lab.widget.sent[-1]
    assert (seen["t"], seen["ask"]) == ("seen", 7)
    assert seen["names"] == [{"name": "df", "kind": "list of 2"}]
    assert seen["text"].startswith("Hi\n\n`df`")


def test_stop_and_interrupt_press_the_buttons_of_the_chat(lab, listener, monkeypatch):
    pressed = []
    control = listener.page.control
    monkeypatch.setattr(control, "stop", lambda: pressed.append("stop"))
    monkeypatch.setattr(control, "interrupt_code", lambda: pressed.append("interrupt"))
    tell(listener, ASKED)
    lab.clock.run(1)
    lab.draw()

    lab.widget.hear({"t": "interrupt", "view": "v"})
    lab.widget.hear({"t": "stop", "view": "v"})

    assert pressed == ["interrupt", "stop"]


# -- The shared slot ---------------------------------------------------------------------------------------------


def test_long_chat_goes_on_live_in_one_slot_with_what_its_code_shows(lab, listener):
    for number in range(MAX_OUTPUTS):
        tell(listener, said(f"m{number}"))
    sink = listener.output_sink()
    tell(listener, CodeStarted(0, "user", "python", "1"))
    sink.write("stdout", "one\n")
    sink.show({"text/plain": "<b>"}, {}, display_id=None, update=False)
    sink.write("stdout", "two\n")
    sink.write("stdout", "three\n")
    lab.clock.run(1)
    state = lab.draw()
    tell(listener, CodeFinished(0, "user", 0, "ok", "one"), said("exitcode: 0", "user", "assistant", "code"), ENDED)

    kinds = [item["kind"] for item in state["items"]]
    assert len(lab.outputs) == MAX_OUTPUTS + 1
    assert kinds == ["output"] * 3
    assert state["items"][-1]["bundle"]["data"] == {"application/vnd.jupyter.stdout": "two\nthree\n"}
    assert lab.texts()[-1].startswith("one\n\n\n<b>\n\ntwo\nthree")
    assert WIDGET_MIME not in lab.outputs[-1][1]


def test_code_shows_things_in_its_cell_while_there_is_room(lab, listener):
    tell(listener, said("Code."))

    assert listener.output_sink() is None


def test_prompt_at_the_end_of_a_long_chat_is_in_an_output_that_is_drawn(lab, listener):
    for number in range(100):
        tell(listener, said(f"m{number}"))

    question = listener.open_question(Prompt("Go on?", agent="user"))

    assert lab.texts()[-1].startswith("live: ")
    assert len(lab.outputs) <= 50
    assert lab.draw()["questions"][0]["id"] == question.card.id
