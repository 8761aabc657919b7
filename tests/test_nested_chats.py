"""Nested chats: an agent that answers with what other chats came to; their place in the log, the budget and the transcript."""

import asyncio

import pytest

from jupyter_agents import AssistantAgent, Budget, EndedBy, GroupChat, GroupChatManager, UserProxyAgent
from jupyter_agents.display.bundle import Transcript
from jupyter_agents.errors import ConfigurationError, ModelUnavailableError
from jupyter_agents.events import ChatEnded, ChatStarted, Noted
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from tests.fakes import FakeExecutor, assistant, both_faces, quiet_session, talker, texts, user

MESSAGE_MIME = "application/vnd.jupyter-agents.message+json"


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as quiet:
        yield quiet


def teller(name, *said):
    """An agent that says this and ends the chat."""
    return assistant(*(f"{one} TERMINATE" for one in said or (f"I am {name}.",)), name=name)


def writer_with(*entries, trigger=UserProxyAgent, name="writer", **options):
    """An agent that answers users with what nested chats come to, and everybody else with `Hm.`."""
    writer = talker(name, "Hm.")
    writer.register_nested_chats(list(entries), trigger, **options)
    return writer


def asked(recipient, message=None, **options):
    return {"recipient": recipient, "message": message, "max_turns": 1} | options


def starts(result):
    return [(one.chat, one.parent, one.initiator, one.recipient) for one in result.log.select(ChatStarted)]


def warnings_of(result):
    return [event.text for event in result.events if isinstance(event, Noted) and event.level == "warning"]


# -- What is replied ---------------------------------------------------------------------------------------------


@both_faces
def test_reply_is_what_the_last_chat_came_to(face):
    critic, editor = teller("critic", "Too long."), teller("editor", "Cut it.")
    writer = writer_with(asked(critic), asked(editor, "Edit it."))

    result = face(user(), "initiate_chat", writer, message="A poem.", max_turns=1)

    assert texts(result.messages) == ["A poem.", "Cut it."]
    assert texts(critic.chat_messages[writer]) == ["A poem.", "Too long. TERMINATE"]
    assert texts(editor.chat_messages[writer])[0] == "Edit it.\nContext: \nToo long."
    assert starts(result) == [(0, None, "user", "writer"), (1, 0, "writer", "critic"), (2, 0, "writer", "editor")]


def ask_again(recipient, messages, sender, config):
    return f"{recipient.name} heard {messages[-1]['content']!r} from {sender.name}"


async def a_ask_again(recipient, messages, sender, config):
    return ask_again(recipient, messages, sender, config)


@both_faces
@pytest.mark.parametrize("message", [ask_again, a_ask_again])
def test_message_may_be_made_of_what_was_said(face, message):
    critic = teller("critic")
    writer = writer_with(asked(critic, message))

    face(user(), "initiate_chat", writer, message="A poem.", max_turns=1)

    assert texts(critic.chat_messages[writer])[0] == "writer heard 'A poem.' from user"


@both_faces
def test_each_message_is_talked_over_anew(face):
    critic = teller("critic", "One.", "Two.")
    writer = writer_with(asked(critic))

    result = face(user(default_auto_reply="More."), "initiate_chat", writer, message="A poem.", max_turns=2)

    assert texts(result.messages) == ["A poem.", "One.", "More.", "Two."]


@both_faces
def test_function_says_what_the_chats_come_to(face):
    seen = []

    def reply(chat_queue, recipient, messages, sender, config):
        seen.append((chat_queue[0]["recipient"].name, recipient.name, messages[-1]["content"], sender.name, config))
        return True, recipient.initiate_chats(chat_queue)[0].summary.upper()

    writer = writer_with(asked(teller("critic", "Long."), "Go"), reply_func_from_nested_chats=reply, config={"x": 1})

    result = face(user(), "initiate_chat", writer, message="A poem.", max_turns=1)

    assert texts(result.messages) == ["A poem.", "LONG."]
    assert seen == [("critic", "writer", "A poem.", "user", {"x": 1})]


@both_faces
def test_chats_may_have_prerequisites(face):
    a, b, c = teller("a"), teller("b"), teller("c")
    writer = writer_with(
        asked(a, chat_id=1), asked(b, "B?", chat_id=2), asked(c, "C?", chat_id=3, prerequisites=[1, 2]), use_async=True
    )

    result = face(user(), "initiate_chat", writer, message="A poem.", max_turns=1)

    assert result.messages[-1]["content"] == "I am c."
    assert texts(c.chat_messages[writer])[0] == "C?\nContext: \nI am a.\nI am b."


def test_other_agent_may_begin_a_nested_chat():
    proxy, critic = user("proxy"), teller("critic")
    writer = writer_with(asked(critic, sender=proxy))

    result = user().initiate_chat(writer, message="A poem.", max_turns=1)

    assert starts(result)[1] == (1, 0, "proxy", "critic")


def test_message_of_several_parts_is_passed_on_whole():
    critic = teller("critic")
    parts = [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]
    writer = writer_with(asked(critic))

    user().initiate_chat(writer, message={"content": parts}, max_turns=1)

    assert critic.chat_messages[writer][0]["content"] == parts


def test_chat_without_a_message_is_passed_over_and_the_transcript_says_so():
    writer = writer_with(asked(teller("critic")), asked(assistant(name="never"), lambda *_: ""))

    result = user().initiate_chat(writer, message="A poem.", max_turns=1)

    assert result.messages[-1]["content"] == "I am critic."
    assert warnings_of(result) == ["Nested chat 2, of writer and never, has no message and is not held."]


def test_next_function_replies_when_no_chat_has_a_message():
    writer = writer_with(asked(assistant(name="never"), lambda *_: None))

    assert user().initiate_chat(writer, message="A poem.", max_turns=1).messages[-1]["content"] == "Hm."


def test_prerequisite_that_has_no_message_is_not_waited_for():
    c = teller("c")
    writer = writer_with(
        asked(assistant(name="never"), lambda *_: "", chat_id=1), asked(c, "C?", chat_id=2, prerequisites=[1])
    )

    assert user().initiate_chat(writer, message="A poem.", max_turns=1).messages[-1]["content"] == "I am c."


# -- Carried over from the chat around ----------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"summary_method": "last_msg"}, "Check.\nContext: \nMore."),
        ({}, "Check.\nContext: \nMore."),
        ({"summary_method": "all"}, "Check.\nContext: \nA poem.\nI am critic.\nMore."),
        ({"summary_method": lambda agent, messages, args: f"{agent.name}: {len(messages)}{args['x']}", "summary_args": {"x": "!"}}, "Check.\nContext: \nwriter: 3!"),
    ],
)  # fmt: skip
def test_what_was_said_before_is_carried_over(face, config, said):
    critic = teller("critic", "I am critic.", "Fine.")
    messages = iter([None, "Check."])
    writer = writer_with(asked(critic, lambda *_: next(messages) or "A poem.", carryover_config=config))

    face(user(default_auto_reply="More."), "initiate_chat", writer, message="A poem.", max_turns=2)

    assert texts(critic.chat_messages[writer])[0] == said


def test_what_the_entry_carries_over_itself_comes_before_what_was_said():
    critic = teller("critic")
    writer = writer_with(asked(critic, "Check.", carryover="Mine.", carryover_config={"summary_method": "all"}))

    user().initiate_chat(writer, message="A poem.", max_turns=1)

    assert texts(critic.chat_messages[writer])[0] == "Check.\nContext: \nMine.\nA poem."


def test_model_of_the_agent_sums_up_what_is_carried_over():
    critic = teller("critic")
    writer = AssistantAgent("writer", llm_config=ScriptedModel(["A poem is wanted."]))
    config = {"summary_method": "reflection_with_llm"}
    writer.register_nested_chats([asked(critic, "Check.", carryover_config=config)], UserProxyAgent)

    user().initiate_chat(writer, message="A poem, please.", max_turns=1)

    assert texts(critic.chat_messages[writer])[0] == "Check.\nContext: \nA poem is wanted."


def test_message_that_opens_the_chat_is_not_carried_over_as_well():
    critic = teller("critic")
    writer = writer_with(asked(critic, carryover_config={"summary_method": "all"}))

    user().initiate_chat(writer, message="A poem.", max_turns=1)

    assert texts(critic.chat_messages[writer])[0] == "A poem."


def test_chat_is_held_with_nothing_carried_over_when_that_fails():
    critic = teller("critic")
    writer = writer_with(asked(critic, "Check.", carryover_config={"summary_method": lambda *_: 1 / 0}))

    result = user().initiate_chat(writer, message="A poem.", max_turns=1)

    assert texts(critic.chat_messages[writer])[0] == "Check."
    assert "ZeroDivisionError: division by zero" in warnings_of(result)[0]


# -- When ----------------------------------------------------------------------------------------------------------


def test_trigger_says_who_is_answered_so():
    writer = writer_with(asked(teller("critic")), trigger="user")

    assert user("user").initiate_chat(writer, message="Hi", max_turns=1).messages[-1]["content"] == "I am critic."
    assert user("other").initiate_chat(writer, message="Hi", max_turns=1).messages[-1]["content"] == "Hm."


@both_faces
def test_person_and_end_come_before_nested_chats_and_code_and_model_after(face):
    executor = FakeExecutor()
    writer = AssistantAgent(
        "writer",
        llm_config=ScriptedModel(["never"]),
        human_input_mode="ALWAYS",
        human=ScriptedHuman(["", "My own word.", "exit"]),
        code_execution_config={"executor": executor},
    )
    writer.register_nested_chats([asked(teller("critic"))], UserProxyAgent)

    result = face(
        user(default_auto_reply="```python\n1\n```"), "initiate_chat", writer, message="```python\n2\n```", max_turns=9
    )

    assert [one["content"] for one in result.messages if one["name"] == "writer"] == ["I am critic.", "My own word."]
    assert (result.ended_by, executor.codes, writer.model.calls) == (EndedBy.HUMAN, [], 0)


def test_usual_position_is_after_the_person_whatever_was_registered_before():
    writer = talker("writer", human_input_mode="ALWAYS", human=ScriptedHuman(["Mine."]))
    writer.register_auto_reply(UserProxyAgent, lambda *_: (False, None), position=0)
    writer.register_nested_chats([asked(assistant(name="never"))], UserProxyAgent)

    assert user().initiate_chat(writer, message="Hi", max_turns=1).messages[-1]["content"] == "Mine."


def test_first_position_is_before_the_person():
    writer = talker("writer", human_input_mode="ALWAYS", human=ScriptedHuman(["never"]))
    writer.register_nested_chats([asked(teller("critic"))], UserProxyAgent, position=0)

    assert user().initiate_chat(writer, message="Hi", max_turns=1).messages[-1]["content"] == "I am critic."


@both_faces
def test_nothing_begins_within_itself_when_the_trigger_means_everybody(face):
    critic = assistant("What?", "So. TERMINATE", name="critic")
    writer = writer_with(asked(critic, max_turns=3), trigger=lambda sender: True)

    result = face(user(), "initiate_chat", writer, message="A poem.", max_turns=1)

    assert texts(critic.chat_messages[writer]) == ["A poem.", "What?", "Hm.", "So. TERMINATE"]
    assert result.messages[-1]["content"] == "So."
    assert len(starts(result)) == 2


def test_group_may_be_asked_in_a_nested_chat_by_one_of_its_members():
    writer = talker("writer", "I said so.")
    group = GroupChat([writer, talker("A", "Fine.")], max_round=3, speaker_selection_method="round_robin")
    manager = GroupChatManager(group, llm_config=False)
    writer.register_nested_chats([{"recipient": manager, "message": None}], lambda sender: True)

    result = user().initiate_chat(writer, message="A poem.", max_turns=1)

    assert [one["content"] for one in group.messages] == ["A poem.", "Fine.", "I said so."]
    assert result.messages[-1]["content"] == "I said so."


@both_faces
def test_agent_with_nested_chats_may_be_in_a_group(face):
    writer = writer_with(asked(teller("critic")), trigger=GroupChatManager)
    group = GroupChat([user(), writer], max_round=2, speaker_selection_method="round_robin")

    result = face(group.agents[0], "initiate_chat", GroupChatManager(group, llm_config=False), message="A poem.")

    assert texts(result.messages) == ["A poem.", "I am critic."]
    assert starts(result)[1][:2] == (1, 0)


def test_reply_can_be_asked_for_without_a_chat():
    writer = writer_with(asked(teller("critic")), trigger=[None, UserProxyAgent])

    assert writer.generate_reply([{"role": "user", "content": "A poem."}]) == "I am critic."


# -- One log and one budget ------------------------------------------------------------------------------------------


@both_faces
def test_tokens_and_calls_of_nested_chats_are_those_of_the_chat_around_them(face):
    critic = assistant(ModelReply("Hm.", usage=Usage(10, 1)), ModelReply("Long.", usage=Usage(20, 2)), name="critic")
    writer = writer_with(asked(critic, summary_method="reflection_with_llm"))

    result = face(user(), "initiate_chat", writer, message="A poem.", max_turns=1)

    assert (result.usage, result.model_calls) == (Usage(30, 3), 2)
    assert result.messages[-1]["content"] == "Long."


@both_faces
def test_budget_covers_nested_chats(face):
    critic = assistant(*[f"Hm {n}." for n in range(9)], name="critic")
    writer = writer_with(asked(critic, max_turns=2))

    result = face(
        user(default_auto_reply="More."), "initiate_chat", writer, message="A poem.", budget=Budget(model_calls=3)
    )

    assert critic.model.calls == 3
    assert EndedBy.BUDGET in {one.ended_by for one in result.log.select(ChatEnded)}


@both_faces
def test_error_in_a_nested_chat_ends_the_outer_one_with_what_was_said(face):
    writer = writer_with(asked(teller("a")), asked(assistant(ModelUnavailableError("down"), name="b"), "B?"))

    with pytest.raises(ModelUnavailableError) as caught:
        face(user(), "initiate_chat", writer, message="A poem.")

    assert texts(caught.value.result.messages) == ["A poem."]
    assert [one.summary for one in caught.value.results] == ["I am a."]
    assert [one.ended_by for one in caught.value.result.log.select(ChatEnded)] == [
        "turn limit",
        "error",
        "error",
    ]


def test_transcript_shows_what_is_nested():
    writer = writer_with(asked(teller("a"), max_turns=None), asked(teller("b"), "B?", max_turns=None))

    result = user().initiate_chat(writer, message="A poem.", max_turns=1)

    transcript = Transcript()
    shown = [bundle for one in result.log if (bundle := transcript.bundle(one)) is not None]
    assert [
        (one.data["text/plain"].partition("\n")[0], one.data[MESSAGE_MIME].get("depth", 0)) for one in shown[:-1]
    ] == [
        ("user (to writer):", 0),
        ("Chat 1 of 2: writer and a.", 0),
        ("writer (to a):", 1),
        ("a (to writer):", 1),
        ("Chat 2 of 2: writer and b, with what chat 1 came to.", 0),
        ("writer (to b):", 1),
        ("b (to writer):", 1),
        ("writer (to user):", 0),
    ]


def test_nothing_nested_is_shown_when_the_chat_around_is_silent():
    heard = []
    with use_session(quiet_session(make_listeners=lambda: [heard.append])):
        user().initiate_chat(writer_with(asked(teller("a"))), message="A poem.", max_turns=1, silent=True)

    assert heard == []


def test_many_are_held_at_the_same_time():
    async def hold():
        barrier = asyncio.Barrier(50)

        async def meet(request):
            await asyncio.wait_for(barrier.wait(), 20)
            return "We met. TERMINATE"

        def outer(number):
            critic = AssistantAgent(f"critic {number}", llm_config=ScriptedModel(meet))
            writer = writer_with(asked(critic), name=f"writer {number}")
            return user(f"user {number}").a_initiate_chat(writer, message=f"Poem {number}", max_turns=1)

        return await asyncio.gather(*map(outer, range(50)))

    results = asyncio.run(hold())

    assert [texts(one.messages) for one in results] == [[f"Poem {n}", "We met."] for n in range(50)]


def test_one_agent_may_be_asked_by_many_when_each_nested_chat_has_agents_of_its_own():
    async def hold():
        critics = {f"user {number}": teller(f"critic {number}") for number in range(20)}
        writer = talker("writer", "Hm.")

        async def reply(chat_queue, recipient, messages, sender, config):
            queue = [{"recipient": critics[sender.name], "message": messages[-1]["content"]}]
            return True, (await recipient.a_initiate_chats(queue))[0].summary

        placeholder = [{"recipient": critics["user 0"], "message": "x"}]
        writer.register_nested_chats(placeholder, UserProxyAgent, reply_func_from_nested_chats=reply)
        return await asyncio.gather(
            *(user(f"user {n}").a_initiate_chat(writer, message=f"Poem {n}", max_turns=1) for n in range(20))
        )

    results = asyncio.run(hold())

    assert [one.messages[-1]["content"] for one in results] == [f"I am critic {n}." for n in range(20)]


# -- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "options", "problem"),
    [
        ([], {}, "the queue is empty"),
        ({"recipient": "x"}, {}, "give a list of dictionaries"),
        (["x"], {}, "Cannot hold chat 1: 'x' is no dictionary"),
        ([{"message": "x"}], {}, "Cannot hold chat 1: it has no recipient"),
        ([asked(teller("a"), massage="x")], {}, "Use 'message'"),
        ([asked(teller("a"), chat_id=1, prerequisites=[1])], {}, "in a circle, 1 needs 1"),
        ([asked(teller("a"), carryover_config="all")], {}, "Cannot use the carryover_config 'all' of nested chat 1"),
        ([asked(teller("a"), carryover_config={"method": "all"})], {}, "give a dictionary of summary_method"),
        ([asked(teller("a"), carryover_config={"summary_method": "al"})], {}, "nested chat 1: Cannot use summary_method='al'"),
        ([asked(teller("a"))], {"reply_func_from_nested_chats": "summary"}, "Use 'summary_from_nested_chats'"),
        ([asked(teller("a"))], {"reply_func_from_nested_chats": 3}, "or a function of"),
        ([asked(teller("a"))], {"position": -1}, "Cannot register nested chats at position -1"),
    ],
)  # fmt: skip
def test_wrong_nested_chats_are_refused_when_they_are_registered(queue, options, problem):
    with pytest.raises(ConfigurationError, match=problem):
        talker("writer").register_nested_chats(queue, UserProxyAgent, **options)


def test_wrong_trigger_is_refused():
    with pytest.raises(ValueError, match="Cannot register a reply for trigger 3"):
        talker("writer").register_nested_chats([asked(teller("a"))], 3)


def test_queue_stays_as_it_was_registered():
    queue = [asked(teller("a"))]
    writer = talker("writer", "Hm.")
    writer.register_nested_chats(queue, UserProxyAgent)
    queue.clear()

    assert user().initiate_chat(writer, message="Hi", max_turns=1).messages[-1]["content"] == "I am a."
