"""What a page shows while a turn goes on: the slot, what stands in it, and the questions."""

import json

import pytest

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.display import people, slots
from jupyter_agents.display.notebook import MAX_OUTPUTS, NotebookListener
from jupyter_agents.display.slots import WIDGET_MIME
from jupyter_agents.display.stage import show_again
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
    Retracted,
    ToolFinished,
    ToolStarted,
    Waiting,
)
from jupyter_agents.executors.outputs import MESSAGE_MIME
from jupyter_agents.executors.undo import history
from jupyter_agents.human.base import Answer, Prompt
from jupyter_agents.messages import Message
from tests.lab import Lab, tell


@pytest.fixture
def lab(monkeypatch):
    return Lab().install(monkeypatch, df=[1, 2])


@pytest.fixture
def listener(lab):
    listener = NotebookListener(is_live=True, at=lab.clock)
    tell(listener, ChatStarted(0, "user", "assistant"))
    return listener


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

    assert live == "live: Waiting for assistant."
    where = {"depth": 0, "label": "", "talk": 1}
    assert state["live"] == {"sender": "assistant", "recipient": "user", "colour": 1, "text": "Done."} | where
    assert (state["activity"]["kind"], state["activity"]["elapsed"]) == ("model", 2.0)
    assert lab.texts() == ["user (to assistant):\n\nDo it.", "assistant (to user):\n\nDone."]


def test_widget_hears_of_the_next_turn_together_with_the_output_of_the_last(lab, listener):
    tell(listener, OPENING, ASKED)
    lab.clock.run(1)
    lab.draw()
    tell(listener, Delta("Done.", "assistant"), ANSWERED, said("Done."))

    tell(listener, ModelAsked(0, "user", 2))

    assert lab.texts()[-1] == "assistant (to user):\n\nDone."
    assert lab.widget.sent[-1]["t"] == "patch"
    assert lab.widget.sent[-1]["ops"][-1]["values"]["live"]["sender"] == "user"


def test_unfinished_turn_says_so_without_its_widget(lab, listener):
    tell(listener, ASKED, Delta("I would", "assistant"))
    lab.clock.run(1)
    [(_, first)] = lab.outputs
    lab.clock.run(slots.REFRESH)

    data = lab.outputs[-1][1]

    assert "Waiting for assistant." in first["text/html"]
    assert data[MESSAGE_MIME]["live"] == {"model_id": "model-1"}
    assert list(data)[:2] == [MESSAGE_MIME, WIDGET_MIME]
    assert "I would" in data["text/html"]
    assert "interrupted before its end" in data["text/html"]


def test_unfinished_turn_of_a_long_chat_is_kept_up_to_date_without_its_widget(lab, listener):
    for number in range(MAX_OUTPUTS + 1):
        tell(listener, said(f"m{number}"))
    tell(listener, ASKED, Delta("I would", "assistant"))
    lab.clock.run(1)
    tell(listener, Delta(" say", "assistant"))
    lab.clock.run(slots.REFRESH)

    assert "I would say" in lab.outputs[-1][1]["text/html"]
    assert "interrupted before its end" in lab.outputs[-1][1]["text/html"]
    tell(listener, ANSWERED, said("I would say no."), ENDED)
    assert "interrupted before its end" not in lab.outputs[-1][1]["text/html"]


def test_page_that_comes_later_shows_how_the_chat_ended(lab, listener):
    tell(listener, OPENING, ASKED)
    lab.clock.run(1)
    lab.draw()
    tell(listener, ANSWERED, said("Done."), ENDED)

    lab.widget.hear({"t": "hello", "page": "another"})
    lab.widget.hear({"t": "sync", "page": "another", "views": 1, "first": None, "earlier": False})

    items = lab.widget.sent[-1]["state"]["items"]
    assert [item["bundle"]["data"]["text/plain"] for item in items] == ["assistant (to user):\n\nDone."]


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


def test_text_is_taken_back_when_a_reply_begins_anew(lab, listener):
    tell(listener, OPENING, ASKED)
    lab.clock.run(1)
    tell(listener, Delta("Half a", "assistant"))
    lab.clock.run(1)
    before = lab.draw()["live"]["text"]

    tell(listener, Retracted("it broke off", agent="assistant"))
    lab.clock.run(1)
    taken_back = lab.draw()["live"]["text"]
    tell(listener, Delta("Whole.", "assistant"))
    lab.clock.run(1)

    assert (before, taken_back, lab.draw()["live"]["text"]) == ("Half a", "", "Whole.")


def test_text_stays_when_that_of_another_agent_is_taken_back(lab, listener):
    tell(listener, OPENING, ASKED)
    lab.clock.run(1)
    tell(listener, Delta("Mine", "assistant"), Retracted("it broke off", agent="other"))
    lab.clock.run(1)

    assert lab.draw()["live"]["text"] == "Mine"


def test_what_had_come_of_a_failed_reply_takes_its_slot(lab, listener):
    tell(listener, ASKED, Delta("Half", "assistant"))
    lab.clock.run(1)

    tell(listener, ModelFailed(0, "assistant", "gone", "Half"), ChatEnded(0, "error", "gone"))

    assert lab.texts()[0] == "assistant:\n\nHalf\n\n[interrupted before its end]"
    assert len(lab.outputs) == 2


def test_end_takes_the_slot_of_a_reply_that_never_came(lab, listener):
    tell(listener, ASKED)
    lab.clock.run(1)

    tell(listener, ModelFailed(0, "assistant", "gone"), ChatEnded(0, "error", "gone"))

    assert lab.texts() == ["The chat failed. gone."]


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


def test_choice_has_its_buttons_only_when_nothing_may_be_said_at_the_keyboard(lab, listener):
    question = listener.open_question(Prompt("Who?", "choice", "user", choices=("ann", "exit"), empty="auto"))

    assert (
        question.card.empty == "send"
    )  # else the page would offer the automatic reply, and the end of the chat once more


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


def test_block_is_undone_and_the_page_told_what_became_of_it(lab, listener):
    namespace = {"x": 2}
    history().keep("abc-1", namespace, {"x": (1, 2)})
    listener.open_question(Prompt("What?", agent="user"))
    lab.draw()

    lab.widget.hear({"t": "undo", "view": "v", "block": "abc-1"})
    lab.widget.hear({"t": "undo", "view": "v", "block": "abc-1"})

    first, second = [one for one in lab.widget.sent if one["t"] == "undone"]
    assert namespace == {"x": 1}
    assert first == {"t": "undone", "block": "abc-1", "undone": {"restored": ["x"], "left": {}, "reason": ""}}
    assert "has been undone already" in second["undone"]["reason"]


def test_refused_block_takes_no_place_among_the_outputs(lab, listener):
    tell(listener, *[CodeFinished(0, "user", 1, "refused", "no")] * MAX_OUTPUTS, said("Hello"))

    assert "Hello" in lab.texts()[-1]
    assert listener.output_sink() is None


def test_front_end_that_was_late_with_its_first_widget_is_asked_on_the_page_again(lab, listener, monkeypatch):
    monkeypatch.setattr(people, "_without_widgets", {"s"})
    tell(listener, ASKED)
    lab.clock.run(1)

    before = people._has_no_widgets(listener)
    lab.draw()
    after = people._has_no_widgets(listener)

    assert (before, after) == (True, False)
    assert people._without_widgets == set()


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


# -- Chats within chats, and ends in the midst of a turn -----------------------------------------------------------


def test_turn_stays_on_the_page_when_another_one_begins_beside_it(lab, listener):
    tell(listener, said("Ask both."), ChatStarted(1, "user", "ann", 0), ChatStarted(2, "user", "bob", 0))
    tell(listener, ModelAsked(1, "ann", 1))
    lab.clock.run(1)
    tell(listener, Delta("I am ", "ann"), ModelAsked(2, "bob", 1), Delta("I am Bob.", "bob"), Delta("Ann.", "ann"))
    lab.clock.run(1)
    during = lab.draw()["live"]

    tell(listener, ModelAnswered(2, "bob", "stop"), MessageSent(2, "bob", "user", Message("I am Bob."), "model"))
    between, live = lab.texts(), lab.draw()["live"]
    tell(listener, ModelAnswered(1, "ann", "stop"), MessageSent(1, "ann", "user", Message("I am Ann."), "model"), ENDED)

    assert (during["sender"], during["text"]) == ("ann", "I am Ann.")
    assert between[1] == "bob (to user) · chat 2:\n\nI am Bob."
    assert between[2] == "live: Waiting for ann."
    assert live["text"] == "I am Ann."
    assert [text.split("\n\n")[1] for text in lab.texts()] == ["Ask both.", "I am Bob.", "I am Ann."]


def test_code_goes_on_to_be_shown_when_a_chat_that_it_has_held_is_over(lab, listener):
    tell(listener, said("Code."), CodeStarted(0, "user", "python", "1"))
    lab.clock.run(1)
    tell(listener, ChatStarted(1, "a", "b", 0), ModelAsked(1, "b", 1))
    inner = lab.draw()["activity"]
    tell(listener, ModelAnswered(1, "b", "stop"), MessageSent(1, "b", "a", Message("Hi."), "model"))
    tell(listener, ChatEnded(1, "termination message"))

    outer = lab.draw()["activity"]

    assert (inner["kind"], inner["agent"]) == ("model", "b")
    assert (outer["kind"], outer["agent"], outer["elapsed"]) == ("code", "user", 1.0)


def test_nothing_goes_on_any_more_when_a_nested_chat_has_broken_off(lab, listener):
    tell(listener, said("Calling."), ToolStarted(0, "user", "tool", "{}"), ChatStarted(1, "a", "b", 0))
    tell(listener, ModelAsked(1, "b", 1))
    lab.clock.run(1)

    tell(listener, ChatEnded(1, "error", "gone"), ToolFinished(0, "user", "tool", False, "gone"))

    assert lab.draw()["activity"] is None
    assert lab.draw()["live"] is None


def test_words_that_had_come_stay_and_then_the_end_when_a_turn_is_stopped(lab, listener):
    tell(listener, ASKED, Delta("I would", "assistant"))
    lab.clock.run(1)

    tell(listener, ModelFailed(0, "assistant", "interrupted", "I would"), ChatEnded(0, "stop", "stopped by the user"))

    assert lab.texts() == [
        "assistant:\n\nI would\n\n[interrupted before its end]",
        "Stopped by the user.",
    ]


def test_end_takes_the_slot_of_a_turn_that_was_broken_off(lab, listener):
    tell(listener, ASKED)
    lab.clock.run(1)

    tell(listener, ChatEnded(0, "stop", "stopped by the user"))

    assert lab.texts() == ["Stopped by the user."]


def test_slot_is_taken_by_the_next_turn_when_nothing_came_of_the_first(lab, listener):
    tell(listener, ASKED)
    lab.clock.run(1)
    tell(listener, ANSWERED, MessageSent(0, "assistant", "user", Message("psst"), "model", silent=True), ASKED)
    lab.clock.run(1)

    tell(listener, said("Hello."), ENDED)

    assert lab.texts() == ["assistant (to user):\n\nHello."]


def test_slot_is_empty_when_nothing_came_of_it_at_all(lab, listener):
    question = listener.open_question(Prompt("Go on?", agent="user"))
    question.give(Answer("exit"))
    listener.close_question(question)

    tell(listener, ChatEnded(0, "no reply requested"))

    assert [data for _, data in lab.outputs] == [{}]


def test_model_is_asked_again_when_the_wait_for_a_retry_is_over(lab, listener):
    tell(listener, ASKED, Waiting(8.0, "rate limit", "assistant"))
    lab.clock.run(9)

    activity = lab.draw()["activity"]

    assert (activity["kind"], activity["elapsed"]) == ("model", 1.0)


# -- What is saved beside the widget -------------------------------------------------------------------------------


def test_whole_message_is_saved_beside_the_widget_when_somebody_is_asked_about_it(lab, listener):
    tell(listener, ASKED, Delta("Code", "assistant"))
    lab.clock.run(1)
    tell(listener, ANSWERED, said("Code is here."))

    listener.open_question(APPROVAL)

    assert lab.texts() == ["live: assistant (to user):\n\nCode is here."]


def test_whole_message_is_saved_beside_the_widget_when_its_code_runs_long(lab, listener):
    tell(listener, ASKED, Delta("Code", "assistant"))
    lab.clock.run(1)
    tell(listener, ANSWERED, said("Code is here."), CodeStarted(0, "user", "python", "1"))

    lab.clock.run(1)

    assert lab.texts() == ["live: assistant (to user):\n\nCode is here."]


# -- Several cells -------------------------------------------------------------------------------------------------


def test_outputs_of_each_cell_are_counted_when_two_chats_take_turns(lab):
    first, second = (NotebookListener(is_live=True, at=lab.clock) for _ in range(2))
    requests = [{"header": {"msg_id": name}, "content": {"allow_stdin": True}} for name in ("one", "two")]

    for listener in (first, second):
        tell(listener, ChatStarted(0, "user", "assistant"))
    for number in range(60):
        for listener, lab.request in zip((first, second), requests, strict=True):
            tell(listener, said(f"m{number}"))

    assert len(lab.outputs) == 2 * (MAX_OUTPUTS + 1)


def test_listener_takes_another_widget_when_it_hears_another_chat(lab, listener):
    for chat in (0, 1):
        if chat:
            tell(listener, ChatStarted(chat, "user", "assistant"))
        tell(listener, ModelAsked(chat, "assistant", 1))
        lab.clock.run(1)
        tell(listener, MessageSent(chat, "assistant", "user", Message("Hi."), "model"))
        tell(listener, ChatEnded(chat, "termination message"))
        lab.clock.run(5)

    assert [widget.is_closed for widget in lab.widgets] == [True, True]


def test_widget_stays_while_a_page_that_came_later_shows_it_and_goes_with_that_page(lab, listener):
    tell(listener, ASKED)
    lab.clock.run(1)
    lab.draw()
    tell(listener, said("Hello."), ENDED)

    for _ in range(20):
        lab.clock.run(1)
        lab.widget.hear({"t": "pong", "page": "p", "views": 1})
    was_there = not lab.widget.is_closed
    lab.clock.run(20)

    assert was_there
    assert lab.widget.is_closed


# -- What code shows in the shared slot ------------------------------------------------------------------------------


def test_update_replaces_what_code_has_shown_also_in_a_later_block(lab, listener):
    for number in range(MAX_OUTPUTS):
        tell(listener, said(f"m{number}"))
    sink = listener.output_sink()
    sink.show({"text/plain": "old"}, {}, display_id="its", update=False)
    sink.show({"text/plain": "other"}, {}, display_id=None, update=False)
    for text in ("newer", "newest"):
        listener.output_sink().show({"text/plain": text}, {}, display_id="its", update=True)
    listener.output_sink().show({"text/plain": "of a cell"}, {}, display_id="unknown", update=True)

    tell(listener, ENDED)

    assert lab.texts()[-1] == "newest\n\nother"


def test_update_of_the_shared_slot_is_no_output_of_the_block_that_runs(lab, listener, monkeypatch):
    from jupyter_agents.executors.sink import is_output_of_block

    seen, take = [], lab.take

    def publish(*args, **options):
        seen.append(is_output_of_block(is_inside=True, is_main=True))
        take(*args, **options)

    monkeypatch.setattr("IPython.display.publish_display_data", publish)
    for number in range(MAX_OUTPUTS + 2):
        tell(listener, said(f"m{number}"))

    assert seen == [True] * MAX_OUTPUTS + [False] * (len(seen) - MAX_OUTPUTS)
    assert len(seen) > MAX_OUTPUTS


# -- What a turn costs ---------------------------------------------------------------------------------------------


def test_messages_of_a_streamed_turn_are_few(lab, listener):
    """Each one that is sent by itself costs the kernel most of a millisecond, and each that a page sends two."""

    def turn(number):
        tell(listener, ModelAsked(0, "assistant", 1))
        for _ in range(11):
            lab.clock.run(0.025)
            tell(listener, Delta("x" * 60, "assistant"))
        tell(listener, ANSWERED, said(f"m{number}"))

    turn(0)
    lab.draw()
    turn(1)
    before = len(lab.widget.sent)
    outputs = len(lab.outputs)
    turn(2)

    ops = [[op["op"] for op in one.get("ops", [one["t"]])] for one in lab.widget.sent[before:]]
    assert ops == [["text", "set", "item", "set", "slot", "set"], ["text"]]
    assert len(lab.outputs) == outputs + 1


# -- What a page has missed --------------------------------------------------------------------------------------


def live_and_left(lab, listener, text):
    """A turn that took longer, and another one after it."""
    tell(listener, ASKED)
    lab.clock.run(1)
    lab.draw()
    tell(listener, ANSWERED, said(text))
    tell(listener, said("Go on.", "user", "assistant"), ASKED)
    lab.clock.run(2)


def pong(lab, views):
    lab.widget.hear({"t": "pong", "page": "p", "views": views})


def test_hand_over_is_shown_again_when_a_page_still_shows_the_widget_there(lab, listener):
    live_and_left(lab, listener, "The first.")
    shown = len(lab.published)

    pong(lab, views=2)

    again = lab.published[shown:]
    assert [data["text/plain"] for _, data, is_update in again if is_update] == ["assistant (to user):\n\nThe first."]


def test_hand_over_is_not_shown_again_and_again(lab, listener):
    live_and_left(lab, listener, "The first.")
    shown = len(lab.published)

    for _ in range(20):
        pong(lab, views=2)

    assert len(lab.published) - shown == 2


def test_nothing_is_shown_again_when_the_page_has_only_the_live_widget(lab, listener):
    live_and_left(lab, listener, "The first.")
    shown = len(lab.published)

    pong(lab, views=1)
    pong(lab, views=2)

    assert len(lab.published) == shown


def test_another_widget_stands_there_when_a_page_has_closed_it(lab, listener):
    tell(listener, ASKED)
    lab.clock.run(1)
    [first] = lab.widgets

    first.closed()
    lab.clock.run(1)

    assert len(lab.widgets) == 2
    assert lab.outputs[-1][1][WIDGET_MIME]["model_id"] == lab.widgets[1].model_id != first.model_id


def test_question_holds_no_characters_that_no_message_may_hold(lab, listener):
    prompt = Prompt("Run?", kind="approval", agent="user", sender="bad\ud800name", block=CodeBlock("python", "x\ud800"))

    question = listener.open_question(prompt)

    question.card.sender.encode()
    question.card.code.encode()


def test_nothing_goes_to_the_page_that_no_message_may_hold(lab, monkeypatch):
    lab.install(monkeypatch, name="Z\udcffrich")
    listener = NotebookListener(is_live=True, at=lab.clock)
    tell(listener, ChatStarted(0, "user", "assistant"), OPENING, ASKED)
    lab.clock.run(1)
    lab.draw()
    tell(listener, Delta("m\ud800n", "assistant"))
    lab.clock.run(1)
    listener.open_question(Prompt("What?", agent="user"))
    lab.widget.hear({"t": "look", "view": "v", "ask": 7, "text": "H\ud800", "attached": ["name"]})

    sent = json.dumps(lab.widget.sent, ensure_ascii=False)

    assert sent.encode()
    assert "m\ufffdn" in sent
    assert "Z\ufffdrich" in sent


def test_what_is_saved_is_left_alone_while_a_person_answers(lab, listener):
    tell(listener, ASKED, Delta("I would", "assistant"))
    lab.clock.run(1)
    listener.open_question(Prompt("Who?", agent="user"))
    shown = len(lab.published)

    lab.clock.run(3 * slots.REFRESH)

    assert len(lab.published) == shown


def test_what_a_model_is_asked_aside_goes_on_and_is_no_turn(lab, listener):
    tell(listener, ModelAsked(0, "manager", 3, "choosing who speaks next"))
    lab.clock.run(1)
    state = lab.draw()

    tell(listener, ModelAnswered(0, "manager", "stop"), ASKED, ANSWERED, said("I speak."), ENDED)

    assert state["live"] is None
    assert (state["activity"]["agent"], state["activity"]["what"]) == ("manager", "choosing who speaks next")
    assert lab.texts()[-1] == "assistant (to user):\n\nI speak."


def test_chat_goes_on_in_another_cell_when_it_is_shown_there_again(lab, listener):
    tell(listener, OPENING, ASKED)
    lab.clock.run(1)
    tell(listener, ANSWERED, said("First."), ASKED)
    lab.clock.run(1)
    lab.outputs.clear()  # the cell is run again
    lab.request = {"header": {"msg_id": "second", "session": "s"}, "content": {"allow_stdin": True}}

    assert show_again(listener.page.control)
    shown = lab.outputs[-1]
    tell(listener, ANSWERED, said("Second."), ENDED)

    assert len(lab.outputs) == 1
    assert shown[1][WIDGET_MIME]["model_id"] == lab.widget.model_id
    assert "First." in shown[1]["text/plain"]
    assert [word in lab.texts()[0] for word in ("Do it.", "First.", "Second.")] == [True] * 3
    assert WIDGET_MIME not in lab.outputs[0][1]


def test_nothing_is_shown_again_of_a_chat_that_has_ended(lab, listener):
    tell(listener, OPENING, ASKED)
    lab.clock.run(1)
    control = listener.page.control
    tell(listener, ANSWERED, said("First."), ENDED)

    assert not show_again(control)


# -- A page that was loaded anew ---------------------------------------------------------------------------------


def words_at_the_end(lab, listener, *, is_first_there):
    """What a page that was loaded while the chat went on shows at its end."""
    loaded = {"t": "sync", "page": "loaded anew", "views": 1, "first": None, "earlier": True}
    tell(listener, ASKED)
    lab.clock.run(1)
    lab.draw()
    lab.clock.run(1)
    lab.widget.hear(loaded)
    lab.clock.run(1)
    if is_first_there:
        pong(lab, views=1)
    tell(listener, ANSWERED, said("Done."), ENDED)
    lab.widget.hear(loaded)
    return [one["bundle"]["data"]["text/plain"] for one in lab.widget.sent[-1]["state"]["items"]]


def test_page_says_that_nothing_more_is_saved_when_it_was_loaded_anew(lab, listener):
    shown = words_at_the_end(lab, listener, is_first_there=False)

    assert shown[0] == "assistant (to user):\n\nDone."
    assert "is not saved in this notebook" in shown[1]
    assert lab.texts() == ["assistant (to user):\n\nDone."]


def test_page_says_nothing_of_it_when_the_one_that_saves_is_still_there(lab, listener):
    shown = words_at_the_end(lab, listener, is_first_there=True)

    assert shown == ["assistant (to user):\n\nDone."]
