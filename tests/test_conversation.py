import asyncio
import copy
import pickle
from unittest.mock import MagicMock

import pytest
from pydantic import BaseModel

from jupyter_agents import Budget, EndedBy, ExternalStop, MaxMessages, TextMention, Usage, UserProxyAgent
from jupyter_agents.drive import ChatCancelled
from jupyter_agents.errors import (
    ChatInterrupted,
    ConfigurationError,
    InvalidMessageError,
    ModelUnavailableError,
    NoHumanError,
    ScriptEndedError,
)
from jupyter_agents.events import ChatEnded, ChatStarted, MessageSent
from jupyter_agents.human.base import Answer
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import CallOf, When
from tests.fakes import FakeExecutor, assistant, both_faces, failure, quiet_session, talker, texts, user, wire_of


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


def calling(name, arguments="{}", call_id="call_1"):
    return {"content": None, "tool_calls": [{"id": call_id, "function": {"name": name, "arguments": arguments}}]}


# -- Beginning ---------------------------------------------------------------------------------------------------


@both_faces
def test_agents_answer_each_other_until_one_says_that_it_is_done(face):
    agent, me = assistant("What for?", "Done.\n\nTERMINATE"), user(default_auto_reply="For me.")

    result = face(me, "initiate_chat", agent, message="Help")

    assert texts(result.messages) == ["Help", "What for?", "For me.", "Done.\n\nTERMINATE"]
    assert [one["name"] for one in result.messages] == ["user", "assistant"] * 2
    assert result.ended_by is EndedBy.TERMINATION


@both_faces
def test_chat_needs_a_message(face):
    with pytest.raises(ConfigurationError, match=r"Cannot begin a chat: there is no message. Pass message='…'"):
        face(user(), "initiate_chat", assistant("never"))


@both_faces
@pytest.mark.parametrize("message", ["", "  ", {"content": ""}])
def test_chat_may_begin_with_an_empty_message(face, message):
    agent = assistant("What can I do?")

    result = face(user(), "initiate_chat", agent, message=message, max_turns=1)

    said = message["content"] if isinstance(message, dict) else message
    assert texts(result.messages) == [said, "What can I do?"]
    assert wire_of(agent) == [{"role": "user", "content": said}]


@both_faces
@pytest.mark.parametrize("message", [{}, {"role": "user"}, {"content": None}, 3, ["Hi"], {"content": 3}])
def test_invalid_message_is_refused_before_anything_is_remembered(face, message):
    agent, me = assistant("never"), user()

    with pytest.raises(InvalidMessageError, match="Cannot send"):
        face(me, "initiate_chat", agent, message=message)

    assert (me.chat_messages, agent.chat_messages, agent.model.calls) == ({}, {}, 0)


@both_faces
@pytest.mark.parametrize("method", ["send", "receive"])
def test_invalid_message_is_refused_and_the_talk_stays_when_there_was_one(face, method):
    agent, me = assistant("Hello."), user()
    me.initiate_chat(agent, message="Hi", max_turns=1)

    with pytest.raises(InvalidMessageError):
        face(me, method, {"role": "user"}, agent)

    assert texts(me.chat_messages[agent]) == texts(agent.chat_messages[me]) == ["Hi", "Hello."]


@both_faces
@pytest.mark.parametrize("method", ["initiate_chat", "send"])
@pytest.mark.parametrize("recipient", ["assistant", None, UserProxyAgent])
def test_one_can_talk_to_agents_only(face, method, recipient):
    arguments = {"message": "Hi", "recipient": recipient}

    with pytest.raises(ConfigurationError, match="Cannot talk to .*: it is no agent"):
        face(user(), method, **arguments)


@both_faces
@pytest.mark.parametrize("turns", [0, -1, "3", 1.5])
def test_turn_limit_that_is_no_number_of_turns_is_refused_and_the_last_talk_stays(face, turns):
    agent, me = assistant("Hello."), user()
    me.initiate_chat(agent, message="Hi", max_turns=1)

    with pytest.raises(ConfigurationError, match=f"max_turns={turns!r}: give a whole number of at least 1"):
        face(me, "initiate_chat", agent, message="Again", max_turns=turns)

    assert texts(me.chat_messages[agent]) == ["Hi", "Hello."]


@both_faces
def test_message_may_be_a_dictionary_and_keeps_its_context(face):
    agent, me = assistant("Hello."), user()

    face(me, "initiate_chat", agent, message={"content": "Hi", "context": {"n": 1}, "other": 2}, max_turns=1)

    assert agent.chat_messages[me][0] == {"content": "Hi", "context": {"n": 1}, "role": "user"}
    assert wire_of(agent) == [{"content": "Hi", "role": "user"}]


@both_faces
def test_content_may_be_a_function_of_the_context(face):
    agent = assistant("Hello.")
    message = {"content": lambda context: f"Add {context['a']} and {context['b']}", "context": {"a": 1, "b": 2}}

    result = face(user(), "initiate_chat", agent, message=message, max_turns=1)

    assert texts(result.messages) == ["Add 1 and 2", "Hello."]
    assert wire_of(agent)[0]["content"] == "Add 1 and 2"


@both_faces
@pytest.mark.parametrize(("allowed", "expected"), [(True, "Add 1"), (False, "Add {a}")])
def test_template_is_filled_in_when_the_readers_config_allows_it(face, allowed, expected):
    with use_session(quiet_session(find_model=lambda: ScriptedModel(["Hello."]))):
        agent = UserProxyAgent(
            "reader",
            human_input_mode="NEVER",
            code_execution_config=False,
            llm_config={"allow_format_str_template": allowed},
        )
        message = {"content": "Add {a}", "context": {"a": 1}}

        result = face(user(), "initiate_chat", agent, message=message, max_turns=1)

    assert texts(result.messages) == [expected, "Hello."]


@pytest.mark.parametrize("content", ["Add {missing}", "Add {", "Add {0}"])
def test_template_that_cannot_be_filled_in_is_refused_before_anything_is_remembered(content):
    me = user()
    agent = user("reader", llm_config={"allow_format_str_template": True})

    with pytest.raises(InvalidMessageError, match="Cannot fill in the template"):
        me.initiate_chat(agent, message={"content": content, "context": {"a": 1}})

    assert me.chat_messages == {}


@both_faces
def test_chat_begins_anew_when_history_is_not_kept(face):
    agent, me = assistant("One.", "Two."), user()
    face(me, "initiate_chat", agent, message="First", max_turns=1)

    result = face(me, "initiate_chat", agent, message="Second", max_turns=1)

    assert texts(wire_of(agent)) == ["Second"]
    assert texts(me.chat_messages[agent]) == texts(result.messages) == ["Second", "Two."]


@both_faces
def test_chat_goes_on_from_what_both_remember_when_history_is_kept(face):
    agent, me = assistant("One.", "Two."), user()
    face(me, "initiate_chat", agent, message="First", max_turns=1)

    result = face(me, "initiate_chat", agent, False, message="Second", max_turns=1)

    assert texts(wire_of(agent)) == ["First", "One.", "Second"]
    assert texts(result.messages) == ["Second", "Two."]
    assert texts(me.chat_messages[agent]) == ["First", "One.", "Second", "Two."]


def test_counters_begin_anew_when_a_chat_does():
    agent, me = talker("agent", lambda n: f"{n}", max_consecutive_auto_reply=2), talker("me", lambda n: f"{n}")

    lengths = [len(me.initiate_chat(agent, clear_history=False, message="go")) for _ in range(2)]

    assert lengths == [5, 5]


def test_earlier_result_stays_when_the_chat_goes_on():
    agent, me = assistant("One.", "Two."), user(default_auto_reply=None)
    first = me.initiate_chat(agent, message="First")

    me.send("Second", agent)

    assert texts(first.messages) == ["First", "One."]
    assert (len(first), first.model_calls) == (2, 1)


# -- send and receive --------------------------------------------------------------------------------------------


@both_faces
def test_follow_up_goes_on_with_the_chat(face):
    agent, me = assistant("Done.\n\nTERMINATE", "Plotted.\n\nTERMINATE"), user()
    face(me, "initiate_chat", agent, message="Compute")

    result = face(me, "send", "Now plot it", agent)

    assert texts(wire_of(agent)) == ["Compute", "Done.\n\nTERMINATE", "Now plot it"]
    assert texts(result.messages) == ["Now plot it", "Plotted.\n\nTERMINATE"]
    assert result.ended_by is EndedBy.TERMINATION


@both_faces
@pytest.mark.parametrize(("request_reply", "said"), [(None, ["Hi"]), (False, ["Hi"]), (True, ["Hi", "Hello."])])
def test_stranger_answers_only_when_a_reply_is_requested(face, request_reply, said):
    agent, me = assistant("Hello.", "never"), user(default_auto_reply="never")

    result = face(me, "send", "Hi", agent, request_reply)

    assert texts(result.messages) == texts(me.chat_messages[agent]) == said
    assert result.ended_by is EndedBy.NOT_REQUESTED


@both_faces
def test_nobody_answers_when_no_reply_is_requested_in_a_chat(face):
    agent, me = assistant("Hello."), user()
    me.initiate_chat(agent, message="Hi", max_turns=1)

    result = face(me, "send", "By the way", agent, request_reply=False)

    assert (result.ended_by, agent.model.calls) == (EndedBy.NOT_REQUESTED, 1)
    assert texts(agent.chat_messages[me])[-1] == "By the way"


@both_faces
def test_only_the_recipient_remembers_what_it_received(face):
    agent, me = assistant("Hello."), user()

    face(agent, "receive", "Hi", me)

    assert agent.chat_messages[me] == [{"content": "Hi", "role": "user"}]
    assert me.chat_messages[agent] == []


@both_faces
def test_recipient_answers_what_it_received_when_a_reply_is_requested(face):
    agent, me = assistant("Hello."), user()

    result = face(agent, "receive", "Hi", me, request_reply=True)

    assert texts(agent.chat_messages[me]) == ["Hi", "Hello."]
    assert me.chat_messages[agent] == [{"content": "Hello.", "role": "user"}]
    assert result.ended_by is EndedBy.NOT_REQUESTED


@both_faces
@pytest.mark.parametrize("names_sender", [True, False])
def test_agent_does_not_answer_any_more_when_it_was_told_to_stop(face, names_sender):
    agent, me = assistant("Hello.", "Summary."), user(default_auto_reply="never")
    me.initiate_chat(agent, message="Hi", max_turns=1)

    me.stop_reply_at_receive(*([agent] if names_sender else []))
    result = face(me, "send", "Summarize, please", agent)

    assert texts(result.messages) == ["Summarize, please", "Summary."]
    assert result.ended_by is EndedBy.NOT_REQUESTED


def test_agent_answers_others_when_it_was_told_to_stop_for_one():
    agent, one, other = assistant("1", "2", "3"), user("one"), user("other", default_auto_reply=None)
    for sender in (one, other):
        sender.initiate_chat(agent, message="Hi", max_turns=1)

    agent.stop_reply_at_receive(one)

    assert [len(one.send("More", agent)), len(other.send("More", agent))] == [1, 2]


@both_faces
@pytest.mark.parametrize("method", ["initiate_chat", "send", "receive"])
@pytest.mark.parametrize("silent", [True, False])
def test_nobody_hears_of_a_silent_chat(face, method, silent):
    heard = []
    agent, me = assistant("Hello."), user(default_auto_reply=None)
    arguments = {"message": "Hi", "silent": silent} | ({} if method == "initiate_chat" else {"request_reply": True})
    first, second = (agent, me) if method == "receive" else (me, agent)

    with use_session(quiet_session(make_listeners=lambda: [heard.append])):
        if method == "initiate_chat":
            result = face(first, method, second, **arguments)
        else:
            result = face(first, method, arguments.pop("message"), second, **arguments)

    said = [entry.event.message.text for entry in heard if isinstance(getattr(entry, "event", None), MessageSent)]
    assert said == ([] if silent else ["Hi", "Hello."])
    assert texts(result.messages) == ["Hi", "Hello."]


# -- People and termination messages -----------------------------------------------------------------------------

FEEDBACK = (
    "Provide feedback to assistant. Press enter to skip and use auto-reply, or type 'exit' to end the conversation: "
)
AT_LIMIT = "Please give feedback to assistant. Press enter to skip and use auto-reply, or type 'exit' to stop the conversation: "
LAST_WORD = "Please give feedback to assistant. Press enter or type 'exit' to stop the conversation: "


@both_faces
@pytest.mark.parametrize(
    ("mode", "limit", "answers", "prompts", "said", "ended_by"),
    [
        ("ALWAYS", 9, ["use sympy", "", ""], [FEEDBACK] * 3, ["use sympy", "auto"], EndedBy.TERMINATION),
        ("ALWAYS", 9, ["", "exit"], [FEEDBACK] * 2, ["auto"], EndedBy.HUMAN),
        ("ALWAYS", 9, ["", "", "more", "", ""], [FEEDBACK] * 5, ["auto", "auto", "more", "auto"], EndedBy.TERMINATION),
        ("ALWAYS", 0, ["", "exit"], [FEEDBACK] * 2, [""], EndedBy.HUMAN),
        ("TERMINATE", 9, [""], [LAST_WORD], ["auto", "auto"], EndedBy.TERMINATION),
        ("TERMINATE", 9, ["more", ""], [LAST_WORD] * 2, ["auto", "auto", "more", "auto"], EndedBy.TERMINATION),
        ("TERMINATE", 1, ["mine", "exit"], [AT_LIMIT, LAST_WORD], ["auto", "mine"], EndedBy.HUMAN),
        ("TERMINATE", 1, ["", ""], [AT_LIMIT, LAST_WORD], ["auto", "auto"], EndedBy.TERMINATION),
        ("TERMINATE", 0, ["mine", "", "exit"], [AT_LIMIT, AT_LIMIT, LAST_WORD], ["mine", ""], EndedBy.HUMAN),
        ("NEVER", 9, [], [], ["auto", "auto"], EndedBy.TERMINATION),
        ("NEVER", 2, [], [], ["auto", "auto"], EndedBy.TERMINATION),
        ("NEVER", 1, [], [], ["auto"], EndedBy.AUTO_REPLY_LIMIT),
        ("NEVER", 0, [], [], [], EndedBy.AUTO_REPLY_LIMIT),
    ],
)
def test_person_is_asked_as_the_mode_says(face, mode, limit, answers, prompts, said, ended_by):
    human = ScriptedHuman(answers)
    agent = assistant("First.", "Second.", "Third.\n\nTERMINATE", "Fourth.", "Fifth.\n\nTERMINATE")
    me = user(human_input_mode=mode, max_consecutive_auto_reply=limit, human=human, default_auto_reply="auto")

    result = face(me, "initiate_chat", agent, message="go")

    assert [prompt.text for prompt in human.prompts] == prompts
    assert [one["content"] for one in result.messages if one["name"] == "user"] == ["go", *said]
    assert result.ended_by is ended_by


@both_faces
def test_automatic_replies_are_counted_anew_when_the_person_has_answered(face):
    human = ScriptedHuman(["mine", "", "mine", "exit"])
    agent = talker("assistant", lambda n: f"reply {n}")
    me = user(human_input_mode="TERMINATE", max_consecutive_auto_reply=1, human=human, default_auto_reply="auto")

    result = face(me, "initiate_chat", agent, message="go")

    assert [prompt.text for prompt in human.prompts] == [AT_LIMIT] * 4
    assert texts(result.messages[2::2]) == ["auto", "mine", "auto", "auto", "mine", "auto"]


@both_faces
def test_prompt_says_for_whom_the_person_answers(face):
    human = ScriptedHuman(["exit"])

    face(user("student", human_input_mode="ALWAYS", human=human), "initiate_chat", assistant("Hm."), message="go")

    assert [(prompt.agent, prompt.kind) for prompt in human.prompts] == [("student", "text")]


def is_over(message):
    return message["content"].endswith("over")


async def a_is_over(message):
    await asyncio.sleep(0)
    return message["content"].endswith("over")


@both_faces
@pytest.mark.parametrize(
    "function", [is_over, a_is_over, MagicMock(side_effect=is_over)], ids=["plain", "async", "mock"]
)
def test_own_function_says_what_ends_a_chat(face, function):
    agent = assistant("TERMINATE", {"content": None, "function_call": {"name": "f", "arguments": "{}"}}, "It is over")
    me = user(is_termination_msg=function, default_auto_reply="And?")

    result = face(me, "initiate_chat", agent, message="go")

    assert (result.ended_by, agent.model.calls) == (EndedBy.TERMINATION, 3)


def test_function_that_says_what_ends_a_chat_is_given_the_message_as_it_is_remembered():
    seen = []
    me = user(is_termination_msg=lambda message: seen.append(message) or True)
    agent = assistant("Hello.")

    me.initiate_chat(agent, message={"content": "go", "context": {"n": 1}})

    assert seen == [{"content": "Hello.", "role": "user"}] == [me.last_message()]


# -- Each way to end ---------------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize(("turns", "said"), [(1, 2), (2, 4), (3, 6)])
def test_chat_ends_after_so_many_round_trips(face, turns, said):
    result = face(
        talker("a", lambda n: f"{n}"), "initiate_chat", talker("b", lambda n: f"{n}"), message="go", max_turns=turns
    )

    assert (len(result), result.ended_by) == (said, EndedBy.MAX_TURNS)


@both_faces
def test_limit_of_automatic_replies_ends_a_chat_without_people(face):
    a, b = talker("a", lambda n: f"{n}", max_consecutive_auto_reply=3), talker("b", lambda n: f"{n}")

    result = face(a, "initiate_chat", b, message="go")

    assert result.ended_by is EndedBy.AUTO_REPLY_LIMIT
    assert result.detail == "a has given 3 automatic replies in a row, as many as it may"
    assert [one["name"] for one in result.messages].count("a") == 4


@both_faces
@pytest.mark.parametrize("answer", ["exit", Answer("", "stop")])
def test_person_ends_a_chat(face, answer):
    agent = assistant("What?", "never")
    me = user(human_input_mode="ALWAYS", human=ScriptedHuman([answer]))

    result = face(me, "initiate_chat", agent, message="Hi")

    assert (result.ended_by, texts(result.messages)) == (EndedBy.HUMAN, ["Hi", "What?"])


@both_faces
def test_two_empty_replies_end_a_chat(face):
    result = face(talker("a"), "initiate_chat", talker("b"), message="go")

    assert (texts(result.messages), result.ended_by) == (["go", "", ""], EndedBy.EMPTY_REPLIES)


@both_faces
def test_one_empty_reply_does_not_end_a_chat(face):
    agent = assistant("Thinking.", "Still.", "Done.\n\nTERMINATE")

    result = face(user(), "initiate_chat", agent, message="go")

    assert texts(result.messages) == ["go", "Thinking.", "", "Still.", "", "Done.\n\nTERMINATE"]


@both_faces
def test_same_words_again_and_again_end_a_chat(face):
    result = face(talker("a", "After you."), "initiate_chat", talker("b", "No, after you."), message="After you.")

    assert (len(result), result.ended_by) == (10, EndedBy.REPETITION)


def test_polling_a_tool_is_no_repetition():
    polls = iter(range(20))
    agent = assistant(*[calling("is_ready") for _ in range(12)], "Ready.\n\nTERMINATE")
    me = user(function_map={"is_ready": lambda: "no" if next(polls) < 11 else "yes"})

    result = me.initiate_chat(agent, message="Wait for it")

    assert result.ended_by is EndedBy.TERMINATION


def test_person_who_says_the_same_again_and_again_is_no_loop():
    human = ScriptedHuman(["next"] * 11 + ["exit"])
    me = user(human_input_mode="ALWAYS", human=human)

    result = me.initiate_chat(talker("dealer", "Here is a card."), message="next")

    assert (result.ended_by, len(human.prompts)) == (EndedBy.HUMAN, 12)


@both_faces
def test_chat_ends_when_failures_are_not_mended(face):
    executor = FakeExecutor(*[failure(f"error {n}") for n in range(9)])
    agent = assistant(*[f"Try {n}:\n```python\n{n}\n```" for n in range(9)])
    me = user(code_execution_config={"executor": executor})

    with use_session(quiet_session(max_repairs=3)):
        result = face(me, "initiate_chat", agent, message="go")

    assert (result.ended_by, result.detail) == (EndedBy.REPAIRS, "3 failures in a row were not mended")
    assert len(executor.blocks) == 4
    assert result.messages[-1]["content"] == "exitcode: 1 (execution failed)\nCode output: \nerror 3"


def test_failures_count_anew_when_one_was_mended():
    executor = FakeExecutor(*([failure("no"), "yes"] * 4))
    agent = assistant(*[f"Try {n}:\n```python\n{n}\n```" for n in range(8)], "Done.\n\nTERMINATE")
    me = user(code_execution_config={"executor": executor})

    with use_session(quiet_session(max_repairs=1)):
        result = me.initiate_chat(agent, message="go")

    assert result.ended_by is EndedBy.TERMINATION


@both_faces
def test_chat_ends_when_replies_are_cut_off_again_and_again(face):
    agent = assistant(*[ModelReply(f"Long story {n}", "length") for n in range(9)])

    with use_session(quiet_session(max_repairs=3)):
        result = face(user(), "initiate_chat", agent, message="Tell")

    assert result.ended_by is EndedBy.REPAIRS
    assert "cut off at the token limit" in result.messages[2]["content"]
    assert agent.model.calls == 4


@both_faces
@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (MaxMessages(3), "3 messages were sent"),
        (TextMention("2"), "the text '2' was mentioned"),
        (TextMention("never") | MaxMessages(3), "3 messages were sent"),
        (TextMention("2") & MaxMessages(3), "the text '2' was mentioned and 3 messages were sent"),
        (When(lambda messages: messages[-1].text == "2"), "<lambda> said so"),
    ],
)
def test_condition_ends_a_chat_and_says_why(face, condition, reason):
    a, b = talker("a", lambda n: f"{n}"), talker("b", lambda n: f"{n}")

    result = face(a, "initiate_chat", b, message="0", termination=condition)

    assert (texts(result.messages), result.ended_by, result.detail) == (["0", "1", "2"], EndedBy.CONDITION, reason)


def test_condition_on_a_call_ends_a_chat_before_the_call_is_made():
    called = []
    me = user(function_map={"submit": lambda: called.append(1)})

    result = me.initiate_chat(assistant(calling("submit")), message="go", termination=CallOf("submit"))

    assert (result.ended_by, result.detail, called) == (EndedBy.CONDITION, "submit was called", [])


@both_faces
def test_stop_from_outside_ends_a_chat_after_the_message(face):
    stop = ExternalStop()

    def count(number):
        if number == 3:
            stop.set()
        return f"{number}"

    result = face(talker("a", count), "initiate_chat", talker("b", count), message="0", termination=stop)

    assert (texts(result.messages), result.ended_by) == (["0", "1", "2", "3"], EndedBy.CONDITION)


@both_faces
def test_filtered_reply_is_shown_and_ends_the_chat(face):
    executor = FakeExecutor()
    agent = assistant(ModelReply("```python\nbad()\n```", "content_filter"), "never")

    result = face(user(code_execution_config={"executor": executor}), "initiate_chat", agent, message="go")

    assert (len(result), result.ended_by, executor.blocks) == (2, EndedBy.FILTERED, [])


# -- Budgets -----------------------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize(
    ("budget", "said", "calls", "detail"),
    [
        (Budget(turns=3), 4, 2, "the budget of 3 turns is spent"),
        (Budget(turns=0), 1, 0, "the budget of 0 turns is spent"),
        (Budget(model_calls=1), 3, 1, "the budget of 1 model calls is spent"),
        (Budget(model_calls=0), 1, 0, "the budget of 0 model calls is spent"),
        (Budget(tokens=15), 5, 2, "the budget of 15 tokens is spent"),
        (Budget(tokens=1, turns=9), 3, 1, "the budget of 1 tokens is spent"),
    ],
)
def test_chat_ends_before_it_exceeds_its_budget(face, budget, said, calls, detail):
    replies = [ModelReply(f"reply {n}", usage=Usage(6, 4)) for n in range(9)]
    agent = assistant(*replies)

    result = face(user(default_auto_reply="And?"), "initiate_chat", agent, message="go", budget=budget)

    assert (len(result), agent.model.calls) == (said, calls)
    assert (result.ended_by, result.detail) == (EndedBy.BUDGET, detail)


def expert_as_tool(face, expert, **options):
    """A tool of an agent that asks another one in a chat of its own, through the face given."""
    asker = user("asker", default_auto_reply="Go on.")

    def ask(question):
        return str(asker.initiate_chat(expert, message=question, **options).summary)

    async def a_ask(question):
        return str((await asker.a_initiate_chat(expert, message=question, **options)).summary)

    return {"sync": ask, "async": a_ask}[face]


nested_face = pytest.mark.parametrize("inner", ["sync", "async"])


@both_faces
@nested_face
def test_chat_nested_in_a_tool_belongs_to_the_outer_chat(face, inner):
    expert = assistant("It is 7.", name="expert")
    agent = assistant(calling("ask", '{"question": "What?"}'), "Seven.\n\nTERMINATE")
    me = user(function_map={"ask": expert_as_tool(inner, expert, max_turns=1)})

    result = face(me, "initiate_chat", agent, message="go")

    starts = result.log.select(ChatStarted)
    assert [(one.chat, one.parent, one.initiator) for one in starts] == [(0, None, "user"), (1, 0, "asker")]
    assert result.messages[2]["tool_responses"][0]["content"] == "It is 7."
    assert (result.model_calls, len(result)) == (3, 4)
    assert texts(expert.chat_messages[next(iter(expert.chat_messages))]) == ["What?", "It is 7."]


@both_faces
@nested_face
def test_budget_covers_a_chat_that_is_nested_in_a_tool(face, inner):
    expert = assistant(*[f"Hm {n}." for n in range(9)], name="expert")
    agent = assistant(calling("ask", '{"question": "What?"}'), "never")
    me = user(function_map={"ask": expert_as_tool(inner, expert)})

    result = face(me, "initiate_chat", agent, message="go", budget=Budget(model_calls=4))

    assert (result.ended_by, result.model_calls) == (EndedBy.BUDGET, 4)
    assert (agent.model.calls, expert.model.calls) == (1, 3)
    ends = {one.chat: one.ended_by for one in result.log.select(ChatEnded)}
    assert ends == {0: "budget", 1: "budget"}


@both_faces
@nested_face
def test_nested_chat_ends_by_its_own_budget_and_the_outer_one_goes_on(face, inner):
    expert = assistant(*[f"Hm {n}." for n in range(9)], name="expert")
    agent = assistant(calling("ask", '{"question": "What?"}'), "Fine.\n\nTERMINATE")
    me = user(function_map={"ask": expert_as_tool(inner, expert, budget=Budget(model_calls=2))})

    result = face(me, "initiate_chat", agent, message="go", budget=Budget(model_calls=9))

    assert (result.ended_by, expert.model.calls) == (EndedBy.TERMINATION, 2)


@both_faces
@nested_face
def test_budget_covers_a_chat_that_is_nested_in_a_reply_function(face, inner):
    expert = assistant(*[f"Hm {n}." for n in range(9)], name="expert")
    ask = expert_as_tool(inner, expert, max_turns=2)

    def consult(recipient, messages, sender, config):
        return True, ask("What?")

    async def a_consult(recipient, messages, sender, config):
        return True, await ask("What?")

    consultant = talker("consultant")
    consultant.register_auto_reply(UserProxyAgent, {"sync": consult, "async": a_consult}[inner], position=1)

    me = user(default_auto_reply="More?")
    result = face(me, "initiate_chat", consultant, message="go", budget=Budget(model_calls=3), max_turns=3)

    # the first consultation has two calls, the second one, the third none
    ends = {one.chat: one.ended_by for one in result.log.select(ChatEnded)}
    assert ends == {0: "turn limit", 1: "turn limit", 2: "budget", 3: "budget"}
    assert expert.model.calls == result.model_calls == 3


def test_budget_of_turns_counts_those_of_nested_chats():
    expert = assistant(*[f"Hm {n}." for n in range(9)], name="expert")
    agent = assistant(calling("ask", '{"question": "What?"}'), "never")
    me = user(function_map={"ask": expert_as_tool("sync", expert)})

    result = me.initiate_chat(agent, message="go", budget=Budget(turns=6))

    replies = [one for one in result.log.select(MessageSent) if one.message.text not in ("go", "What?")]
    assert (result.ended_by, len(replies)) == (EndedBy.BUDGET, 6)


def test_tokens_of_nested_chats_are_in_the_usage():
    expert = assistant(ModelReply("7", usage=Usage(10, 1)), name="expert")
    agent = assistant(
        ModelReply.from_json(calling("ask", '{"question": "What?"}') | {"usage": {"prompt_tokens": 20, "completion_tokens": 2}}),
        ModelReply("TERMINATE", usage=Usage(40, 4)),
    )  # fmt: skip
    me = user(function_map={"ask": expert_as_tool("sync", expert, max_turns=1)})

    result = me.initiate_chat(agent, message="go")

    assert result.usage == Usage(70, 7)


def test_cost_is_the_tokens_by_model_and_money_is_not_known():
    first = ModelReply("7", usage=Usage(10, 1), model="small")
    agent = assistant(
        first, ModelReply("8", usage=Usage(20, 2), model="large"), ModelReply("9. TERMINATE", model="large")
    )

    result = user(default_auto_reply="And?").initiate_chat(agent, message="go")

    small = {"cost": None, "prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
    assert result.cost["usage_including_cached_inference"]["small"] == small
    assert result.cost["usage_excluding_cached_inference"]["small"] == small
    assert result.cost["usage_including_cached_inference"]["total_cost"] is None
    assert result.usage.total_tokens == sum(
        one["total_tokens"] for one in result.cost["usage_excluding_cached_inference"].values() if isinstance(one, dict)
    )


def test_cost_is_nothing_when_no_model_was_called():
    result = user().initiate_chat(talker("other", "yes"), message="go", max_turns=1)

    nothing = {"total_cost": 0}
    assert result.cost == {"usage_including_cached_inference": nothing, "usage_excluding_cached_inference": nothing}


# -- Failures ----------------------------------------------------------------------------------------------------


@both_faces
def test_error_of_a_model_carries_what_was_said(face):
    agent = assistant("First.", ModelUnavailableError("the server is down"))

    with pytest.raises(ModelUnavailableError, match="the server is down") as caught:
        face(user(default_auto_reply="And?"), "initiate_chat", agent, message="Hi")

    result = caught.value.result
    assert texts(result.messages) == ["Hi", "First.", "And?"]
    assert (result.ended_by, result.detail) == (EndedBy.ERROR, "ModelUnavailableError: the server is down")


@both_faces
def test_chat_can_go_on_after_an_error(face):
    agent, me = assistant(ModelUnavailableError("down"), "Up again.\n\nTERMINATE"), user()
    with pytest.raises(ModelUnavailableError):
        face(me, "initiate_chat", agent, message="Hi")

    result = face(me, "send", "Are you there?", agent)

    assert texts(wire_of(agent)) == ["Hi", "Are you there?"]
    assert result.ended_by is EndedBy.TERMINATION


class Slotted(Exception):
    __slots__ = ()

    def __setattr__(self, name, value):
        if name == "result":
            raise AttributeError(name)
        super().__setattr__(name, value)


@both_faces
@pytest.mark.parametrize(("error", "has_result"), [(KeyError("x"), True), (SystemExit(2), True), (Slotted(), False)])
def test_error_of_a_reply_function_carries_what_was_said(face, error, has_result):
    def fail(recipient, messages, sender, config):
        raise error

    agent = talker("agent")
    agent.register_auto_reply(UserProxyAgent, fail)
    heard = []

    with use_session(quiet_session(make_listeners=lambda: [heard.append])), pytest.raises(type(error)) as caught:
        face(user(), "initiate_chat", agent, message="Hi")

    assert isinstance(heard[-1].event, ChatEnded)
    assert heard[-1].event.ended_by == "error"
    if has_result:
        assert texts(caught.value.result.messages) == ["Hi"]


@both_faces
@nested_face
def test_error_of_a_nested_chat_ends_the_outer_one_with_all_that_was_said(face, inner):
    expert = assistant(ModelUnavailableError("down"), name="expert")
    agent = assistant(calling("ask", '{"question": "What?"}'))
    me = user(function_map={"ask": expert_as_tool(inner, expert)})

    with pytest.raises(ModelUnavailableError) as caught:
        face(me, "initiate_chat", agent, message="go")

    assert caught.value.result.chat == 0
    assert [one["content"] for one in caught.value.result.messages] == ["go", None]
    assert {one.chat: one.ended_by for one in caught.value.result.log.select(ChatEnded)} == {0: "error", 1: "error"}


@both_faces
def test_script_that_is_too_short_is_an_error(face):
    with pytest.raises(ScriptEndedError, match="has 1 replies"):
        face(user(default_auto_reply="And?"), "initiate_chat", assistant("One."), message="Hi")


# -- Interrupts and cancelling -----------------------------------------------------------------------------------


def interrupting(where):
    """An agent and a user one of whose effects is interrupted by a person."""
    agent, options = assistant("One.", "Two.\n```python\n1\n```"), {}
    if where == "model":
        agent = assistant("One.", KeyboardInterrupt())
    elif where == "code":
        options = {"code_execution_config": {"executor": FakeExecutor(KeyboardInterrupt())}}
    elif where == "tool":
        agent = assistant("One.", calling("wait"))
    elif where == "human":
        options = {"human_input_mode": "ALWAYS", "human": ScriptedHuman(["And?", interrupt])}
    return agent, user(**({"default_auto_reply": "And?", "function_map": {"wait": interrupt}} | options))


def interrupt(*args):
    raise KeyboardInterrupt


@both_faces
@pytest.mark.parametrize("where", ["model", "code", "tool", "human"])
def test_interrupt_ends_a_chat_in_order_with_what_was_said(face, where):
    agent, me = interrupting(where)

    with pytest.raises((ChatInterrupted, ChatCancelled)) as caught:
        face(me, "initiate_chat", agent, message="Hi")

    result = caught.value.result
    assert result.ended_by is EndedBy.INTERRUPTED
    assert texts(result.messages)[:3] == ["Hi", "One.", "And?"]
    assert isinstance(result.log.entries[-1].event, ChatEnded)


@both_faces
def test_chat_can_go_on_after_an_interrupt(face):
    agent, me = assistant("One.", KeyboardInterrupt(), "Two.\n\nTERMINATE"), user(default_auto_reply="And?")
    with pytest.raises((ChatInterrupted, ChatCancelled)):
        face(me, "initiate_chat", agent, message="Hi")

    result = face(me, "send", "Go on", agent)

    assert texts(result.messages) == ["Go on", "Two.\n\nTERMINATE"]
    assert texts(wire_of(agent)) == ["Hi", "One.", "And?", "Go on"]


@both_faces
@nested_face
def test_interrupt_of_a_nested_chat_ends_all_of_them(face, inner):
    expert = assistant(KeyboardInterrupt(), name="expert")
    agent = assistant(calling("ask", '{"question": "What?"}'))
    me = user(function_map={"ask": expert_as_tool(inner, expert)})

    with pytest.raises((ChatInterrupted, ChatCancelled)) as caught:
        face(me, "initiate_chat", agent, message="go")

    result = caught.value.result
    assert (result.chat, len(result)) == (0, 2)
    assert [one.chat for one in result.log.select(ChatEnded)] == [1, 0]


async def test_cancelled_chat_is_cancelled_and_ends_in_order():
    waiting = asyncio.Event()

    async def never(request):
        waiting.set()
        await asyncio.Event().wait()

    agent, me = assistant("One.", never), user(default_auto_reply="And?")
    chat = asyncio.create_task(me.a_initiate_chat(agent, message="Hi"))
    await waiting.wait()

    chat.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await chat

    assert chat.cancelled()
    assert texts(caught.value.result.messages) == ["Hi", "One.", "And?"]
    assert caught.value.result.ended_by is EndedBy.INTERRUPTED
    assert texts(me.chat_messages[agent]) == ["Hi", "One.", "And?"]


async def test_time_limit_of_asyncio_ends_a_chat():
    async def never(request):
        await asyncio.Event().wait()

    me, agent = user(), assistant(never)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await me.a_initiate_chat(agent, message="Hi")

    assert texts(me.chat_messages[agent]) == ["Hi"]
    assert me.log_with(agent).select(ChatEnded)[-1].ended_by == "interrupt"


async def test_chats_of_one_loop_run_side_by_side_and_keep_apart():
    both_wait = asyncio.Barrier(2)

    async def together(request):
        await both_wait.wait()
        return "Together."

    pairs = [(user(f"user {n}"), assistant(together, name=f"assistant {n}")) for n in range(2)]

    results = await asyncio.gather(*(me.a_initiate_chat(agent, message="Hi", max_turns=1) for me, agent in pairs))

    assert [texts(result.messages) for result in results] == [["Hi", "Together."]] * 2
    assert results[0].log is not results[1].log


# -- Nobody to ask -----------------------------------------------------------------------------------------------


@both_faces
def test_chat_is_refused_before_a_model_is_paid_when_nobody_can_answer(face):
    agent, me = assistant("never"), user(human_input_mode="ALWAYS")

    with pytest.raises(NoHumanError, match="Cannot ask for human input: 'user' has human_input_mode='ALWAYS'"):
        face(me, "initiate_chat", agent, message="Hi")

    assert agent.model.calls == 0


@both_faces
def test_chat_fails_with_what_was_said_when_a_prompt_is_due_and_nobody_is_there(face):
    agent, me = assistant("Done.\n\nTERMINATE"), user(human_input_mode="TERMINATE")

    with pytest.raises(NoHumanError, match="nobody is there to answer 'user'") as caught:
        face(me, "initiate_chat", agent, message="Hi")

    assert len(caught.value.result) == 2


@both_faces
def test_nobody_is_needed_when_the_one_who_would_ask_has_no_turn(face):
    agent, me = assistant("Hello.", "Noted."), user(human_input_mode="ALWAYS")

    one_turn = face(me, "initiate_chat", agent, message="Hi", max_turns=1)
    me.stop_reply_at_receive(agent)
    sent = face(me, "send", "By the way", agent)
    told = face(agent, "send", "Note this", me)

    assert [one_turn.ended_by, sent.ended_by] == [EndedBy.MAX_TURNS, EndedBy.NOT_REQUESTED]
    assert texts(told.messages) == ["Note this"]


@both_faces
def test_nobody_is_needed_when_the_answer_comes_from_an_override(face):
    class Machine(UserProxyAgent):
        def get_human_input(self, prompt):
            return "exit"

    result = face(Machine("m", code_execution_config=False), "initiate_chat", assistant("Hello."), message="Hi")

    assert result.ended_by is EndedBy.HUMAN


@both_faces
def test_human_of_the_agent_answers_before_that_of_the_session(face):
    own, other = ScriptedHuman(["mine", "exit"]), ScriptedHuman([])
    me = user(human_input_mode="ALWAYS", human=own)

    with use_session(quiet_session(human=other)):
        result = face(me, "initiate_chat", assistant("One.", "Two."), message="Hi")

    assert texts(result.messages) == ["Hi", "One.", "mine", "Two."]
    assert (len(own.prompts), len(other.prompts)) == (2, 0)


# -- Length ------------------------------------------------------------------------------------------------------


@both_faces
def test_twenty_thousand_turns_fit_into_one_chat(face):
    def count(recipient, messages, sender, config):
        return True, str(len(messages))

    pair = [talker(name, max_consecutive_auto_reply=10**6) for name in ("a", "b")]
    for agent in pair:
        agent.register_auto_reply(UserProxyAgent.__base__, count, position=1)

    result = face(pair[0], "initiate_chat", pair[1], message="0", max_turns=10_000)

    assert (len(result), result.ended_by) == (20_000, EndedBy.MAX_TURNS)
    assert result.messages[-1]["content"] == "19999"


# -- The result --------------------------------------------------------------------------------------------------


def test_result_says_what_happened_in_one_line():
    agent = assistant(ModelReply("Hello.", usage=Usage(1000, 234)))

    result = user().initiate_chat(agent, message="Hi", max_turns=1)

    assert repr(result) == "<ChatResult: 2 messages, ended by turn limit, 1 model call, 1,234 tokens>"
    assert result._repr_mimebundle_() == {"text/plain": repr(result)}


def test_result_says_nothing_of_tokens_when_no_model_was_called():
    result = talker("a").initiate_chat(talker("b"), message="Hi", max_turns=1)

    assert "token" not in repr(result)
    assert result.usage == Usage(None, None)


def test_result_shows_the_roles_as_the_initiator_sees_them():
    result = user().initiate_chat(assistant("Hello."), message="Hi", max_turns=1)

    assert result.messages == result.chat_history == [
        {"role": "assistant", "name": "user", "content": "Hi"},
        {"role": "user", "name": "assistant", "content": "Hello."},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("last", "summary"),
    [
        ("It is 7.\n\nTERMINATE", "It is 7."),
        ("It is 7.", "It is 7."),
        ("TERMINATE", ""),
    ],
)
def test_summary_is_the_last_message_without_the_word_that_ended_the_chat(last, summary):
    result = user().initiate_chat(assistant(last), message="Hi", max_turns=1)

    assert result.summary == summary


def test_summary_is_the_last_message_with_words_when_the_chat_ran_out_of_them():
    result = talker("a").initiate_chat(talker("b"), message="Only this.")

    assert result.summary == "Only this."


def test_human_input_holds_what_people_said_and_not_their_word_on_code():
    executor = FakeExecutor("done")
    human = ScriptedHuman(["look first", "", "run", "exit"])
    agent = assistant("What?", "```python\n1\n```", "Done.")
    me = user(human_input_mode="ALWAYS", human=human, code_execution_config={"executor": executor, "policy": "ask"})

    result = me.initiate_chat(agent, message="Hi")

    assert executor.codes == ["1\n"]
    assert result.human_input == ["look first", "", "exit"]


def test_result_is_true_even_when_nothing_was_said():
    agent = assistant(ModelUnavailableError("down"))

    with pytest.raises(ModelUnavailableError) as caught:
        agent.receive("Hi", user(), request_reply=True)

    assert len(caught.value.result) == 1
    assert caught.value.result


def test_fields_that_hold_nothing_are_left_out_of_what_is_remembered():
    me, agent = user(), assistant()

    me.send({"content": "x", "function_call": None, "name": None}, agent, request_reply=False, silent=True)

    assert list(me.chat_messages[agent]) == [{"content": "x", "role": "assistant"}]
    assert list(agent.chat_messages[me]) == [{"content": "x", "role": "user"}]


# -- Copies ------------------------------------------------------------------------------------------------------


class Figure(BaseModel):
    height: int


def nested_result():
    """What comes of a chat with a nested one, with a condition and a form that no file can hold as they are."""
    outer = assistant('{"height": 7}', name="outer")
    outer.register_nested_chats(
        [{"recipient": talker("inner", "i"), "message": "Go", "max_turns": 1}], lambda sender: sender.name == "asker"
    )
    user("asker").initiate_chat(outer, message="Hi", max_turns=1)
    return user().initiate_chat(outer, message="Hi", response_format=Figure, termination=When(lambda messages: False))


def test_result_that_is_pickled_says_the_same():
    result = nested_result()

    loaded = pickle.loads(pickle.dumps(result))

    assert loaded.messages == result.messages
    assert loaded.events == result.events
    assert loaded.value == Figure(height=7)
    assert (loaded.summary, loaded.ended_by, loaded.cost) == (result.summary, result.ended_by, result.cost)
    assert loaded.by_speaker == result.by_speaker
    assert loaded.log.new_chat() == result.log.new_chat()


def test_results_of_a_series_that_are_pickled_say_the_same():
    chats = [{"recipient": assistant("w", name=name), "message": "Hi", "max_turns": 1} for name in ("a", "b")]
    results = user().initiate_chats(chats)

    loaded = pickle.loads(pickle.dumps(results))

    assert repr(loaded) == repr(results)
    assert loaded.by_speaker == results.by_speaker
    assert loaded[0].log is loaded[1].log


def test_result_that_was_pickled_does_not_go_on_without_its_agents():
    loaded = pickle.loads(pickle.dumps(user().initiate_chat(assistant("w"), message="Hi", max_turns=1)))

    with pytest.raises(ConfigurationError, match=r"its log does not know the agent 'user'.*load_chat"):
        loaded.resume()


def test_copy_of_a_result_goes_on_with_its_agents():
    result = user().initiate_chat(assistant("one", "two"), message="Hi", max_turns=1)

    for made in (copy.copy(result), copy.deepcopy(result)):
        assert made == result
        assert made.log is result.log
    assert texts(copy.deepcopy({"it": result})["it"].retry(max_turns=1).messages) == ["two"]
