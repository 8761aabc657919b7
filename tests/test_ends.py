"""Every end of a chat is one line that says what, or who, ended it and why: in text, on the page, in HTML and Markdown."""

import re
from html import unescape

import pytest

from jupyter_agents import GroupChat, GroupChatManager, load_chat
from jupyter_agents.budget import Budget
from jupyter_agents.conditions import MaxMessages, TextMention
from jupyter_agents.display.bundle import Transcript
from jupyter_agents.display.result import describe, transcript
from jupyter_agents.display.text import TextListener
from jupyter_agents.events import Entry
from jupyter_agents.executors.outputs import MESSAGE_MIME
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.journal.event_json import event_from_json, event_to_json
from jupyter_agents.messages import Message
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from tests.fakes import FakeExecutor, assistant, both_faces, quiet_session, sync_face, talker, user


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()):
        yield


def person(name, *answers, **options):
    return user(name, human_input_mode="ALWAYS", human=ScriptedHuman(answers), **options)


def a_condition(face):
    return face(
        user(default_auto_reply="go"), "initiate_chat", assistant("x", "y"), message="h", termination=MaxMessages(3)
    )


def either_condition(face):
    either = MaxMessages(9) | TextMention("bye")
    return face(user(), "initiate_chat", assistant("Well, bye."), message="h", termination=either)


def one_of_several_people(face):
    anna, ben = person("Anna", "Hello."), person("Ben", "exit")
    members = GroupChat([anna, ben, assistant("q?")], speaker_selection_method="round_robin")
    return face(anna, "initiate_chat", GroupChatManager(members, llm_config=False), message="hi")


def a_person_who_selects(face):
    selects = ScriptedHuman(["exit"])
    me = user("Anna")
    members = GroupChat([me, assistant("q?")], speaker_selection_method="manual")
    return face(me, "initiate_chat", GroupChatManager(members, llm_config=False, human=selects), message="hi")


def exit_of_one(face):
    return face(person("Anna", "exit"), "initiate_chat", assistant("q?"), message="hi")


def a_card(face):
    config = {"policy": "ask", "executor": FakeExecutor()}
    me = user("Anna", code_execution_config=config, human=ScriptedHuman(["stop"]))
    return face(me, "initiate_chat", assistant("```python\n1\n```"), message="hi")


def a_function_of_ones_own(face):
    me = user(is_termination_msg=lambda message: "42" in message["content"])
    return face(me, "initiate_chat", assistant("It is 42."), message="hi")


def a_budget(face):
    return face(user(), "initiate_chat", assistant("x"), message="hi", budget=Budget(model_calls=0))


def nothing_more_to_say(face):
    silent = talker("mute")
    silent.register_reply([lambda sender: True, None], lambda recipient, messages, sender, config: (True, None))
    return face(user(), "initiate_chat", silent, message="hi")


ENDS = [
    (a_condition, "The chat ended (termination condition: 3 messages were sent)."),
    (either_condition, "The chat ended (termination condition: the text 'bye' was mentioned)."),
    (one_of_several_people, "Ben ended the chat."),
    (a_person_who_selects, "chat_manager ended the chat."),
    (exit_of_one, "Anna ended the chat."),
    (a_card, "Anna ended the chat: stopped instead of running code."),
    (a_function_of_ones_own, "The chat ended (termination message: is_termination_msg of user)."),
    (a_budget, "The chat ended (budget: the budget of 0 model calls is spent)."),
    (nothing_more_to_say, "The chat ended (no reply: mute gave none)."),
]


def in_text(events):
    written = []
    listener = TextListener(written.append)
    for number, event in enumerate(events):
        listener(Entry(number, event))
    return "".join(written)


def bundles(events):
    drawing = Transcript()
    found = (drawing.bundle(Entry(number, event)) for number, event in enumerate(events))
    return [bundle.data for bundle in found if bundle is not None]


@both_faces
@pytest.mark.parametrize(("ends", "line"), ENDS, ids=[ends.__name__ for ends, _ in ENDS])
def test_end_is_one_line_wherever_the_chat_is_shown(face, ends, line):
    result = ends(face)

    saved = [event_from_json(event_to_json(entry.event)) for entry in result.log]

    assert in_text(saved).endswith(f"\n>>>>>>>> {line}\n")
    data = bundles(saved)[-1]
    assert (data["text/plain"], data[MESSAGE_MIME]["kind"]) == (line, "end")
    assert unescape(re.sub("<[^>]*>", "", data["text/html"])) == line
    assert data["text/markdown"].replace("\\", "") == f"*{line}*"
    assert transcript(result.events)[-1] == data["text/html"]


@both_faces
def test_end_by_the_word_is_not_said_again(face):
    own = lambda message: message["content"].rstrip().endswith("TERMINATE")  # noqa: E731 - as classic programs have it
    result = face(user(is_termination_msg=own), "initiate_chat", assistant("4. TERMINATE"), message="hi")

    assert [data[MESSAGE_MIME]["kind"] for data in bundles(result.events)] == ["message", "message"]
    assert ">>>>>>>>" not in in_text(result.events)


@both_faces
def test_chat_around_says_too_that_a_person_has_ended_it(face):
    def buys():
        seller = assistant("```python\n1\n```", name="seller")
        config = {"policy": "ask", "executor": FakeExecutor()}
        buyer = user("Anna", code_execution_config=config, human=ScriptedHuman(["stop"]))
        return buyer.initiate_chat(seller, message="buy").summary

    call = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "buys", "arguments": "{}"}}]}
    me = user(function_map={"buys": buys})

    result = face(me, "initiate_chat", assistant(call), message="hi")

    lines = [data["text/plain"] for data in bundles(result.events) if data[MESSAGE_MIME]["kind"] == "end"]
    assert lines == ["Anna ended the chat: stopped instead of running code."] * 2


def test_facts_of_a_result_name_who_ended_the_chat():
    assert "ended by person (Anna)" in describe(exit_of_one(sync_face))
    assert "ended by person (Anna: stopped instead of running code)" in describe(a_card(sync_face))
    assert "ended by termination condition (3 messages were sent)" in describe(a_condition(sync_face))


# -- The word that ends a chat, and who says it --------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize("in_group", [False, True], ids=["two", "group"])
def test_model_may_end_a_chat_within_its_sentence_and_a_person_asks_for_the_word(face, in_group):
    me, other = user(default_auto_reply="Go on."), assistant("The answer is 4 TERMINATE", "never asked")
    members = GroupChat([me, other], speaker_selection_method="round_robin")
    partner = GroupChatManager(members, llm_config=False) if in_group else other

    result = face(me, "initiate_chat", partner, message="Was ist 2 + 2? Sage am Ende TERMINATE")

    assert (str(result.ended_by), len(result)) == ("termination message", 2)
    assert result.summary == "The answer is 4"


@both_faces
def test_word_of_a_model_ends_a_chat_although_a_hook_has_changed_what_is_said_or_heard(face):
    me, other = user(), assistant("The ANSWER is 4 TERMINATE", "never asked")
    other.register_hook(
        "process_message_before_send", lambda sender, message, recipient, silent: message.replace("ANSWER", "x")
    )
    me.register_hook(
        "process_all_messages_before_reply",
        lambda messages: [one | {"content": one["content"].replace("x", "result")} for one in messages],
    )

    result = face(me, "initiate_chat", other, message="2 + 2?")

    assert (str(result.ended_by), result.summary) == ("termination message", "The x is 4")


def test_word_of_a_loaded_chat_is_that_of_the_model(tmp_path):
    result = user().initiate_chat(assistant("The answer is 4 TERMINATE"), message="2 + 2?")

    given = {"assistant": {"llm_config": ScriptedModel([])}}
    loaded = load_chat(result.save(tmp_path / "chat.jsonl"), given=given)

    assert loaded.summary == "The answer is 4"
    assert len(loaded.resume()) == 0


def test_function_for_the_end_is_given_a_plain_message():
    seen = []
    me = user(is_termination_msg=lambda message: seen.append(message) or True)
    me.initiate_chat(assistant("4"), message="2 + 2?")

    assert (seen, Message.from_dict(seen[0]).text) == ([{"content": "4", "role": "user"}], "4")
