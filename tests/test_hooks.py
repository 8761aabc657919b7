"""Hooks: functions that change what an agent hears before it answers, and what it says before that is sent."""

import pytest

from jupyter_agents import EndedBy, GroupChat, GroupChatManager
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.session import use_session
from tests.fakes import FakeExecutor, assistant, both_faces, quiet_session, talker, texts, user, wire_of

LAST, ALL, SENDING = (
    "process_last_received_message",
    "process_all_messages_before_reply",
    "process_message_before_send",
)


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as quiet:
        yield quiet


def asynchronous(function):
    async def hook(*args, **kwargs):
        return function(*args, **kwargs)

    return hook


def as_it_is(function):
    return function


both_kinds = pytest.mark.parametrize("kind", [as_it_is, asynchronous], ids=["plain", "async"])


# -- What is heard -----------------------------------------------------------------------------------------------


@both_faces
@both_kinds
def test_last_message_is_read_as_the_hooks_have_made_it_one_after_the_other(face, kind):
    agent = assistant("Yes. TERMINATE")
    agent.register_hook(LAST, kind(lambda content: content + " one"))
    agent.register_hook(LAST, kind(lambda content: content + " two"))

    result = face(user(), "initiate_chat", agent, message="Hi")

    assert wire_of(agent) == [{"content": "Hi one two", "role": "user"}]
    assert texts(result.messages) == ["Hi", "Yes. TERMINATE"]


@both_faces
@both_kinds
def test_all_messages_are_read_as_a_hook_has_made_them(face, kind):
    agent = assistant("One.", "Two. TERMINATE")
    agent.register_hook(ALL, kind(lambda messages: [one | {"content": one["content"].upper()} for one in messages]))

    result = face(user(default_auto_reply="Go on."), "initiate_chat", agent, message="Hi")

    assert [(one["role"], one["content"]) for one in wire_of(agent)] == [
        ("user", "HI"),
        ("assistant", "ONE."),
        ("user", "GO ON."),
    ]
    assert texts(result.messages) == ["Hi", "One.", "Go on.", "Two. TERMINATE"]
    assert texts(agent.chat_messages[next(iter(agent.chat_messages))])[0] == "Hi"


@both_faces
def test_hooks_for_all_messages_come_before_those_for_the_last(face):
    agent = assistant("Yes. TERMINATE")
    agent.register_hook(LAST, lambda content: content + " last")
    agent.register_hook(ALL, lambda messages: [*messages[:-1], messages[-1] | {"content": "all"}])

    face(user(), "initiate_chat", agent, message="Hi")

    assert texts(wire_of(agent)) == ["all last"]


def test_log_stays_when_a_hook_changes_the_messages_in_place():
    agent = assistant("Yes. TERMINATE")

    def change(messages):
        messages[-1]["content"] = "changed"
        return messages

    agent.register_hook(ALL, change)

    result = user().initiate_chat(agent, message="Hi")

    assert texts(wire_of(agent)) == ["changed"]
    assert texts(result.messages)[0] == "Hi"


def test_whole_reply_chain_sees_what_a_hook_has_made_of_a_message():
    executor = FakeExecutor()
    runner = user(code_execution_config={"executor": executor})
    runner.register_hook(LAST, lambda content: content.replace("2 + 2", "3 + 3"))

    runner.generate_reply(messages=[{"role": "user", "content": "```python\n2 + 2\n```"}], sender=talker("other"))

    assert executor.codes == ["3 + 3\n"]


def test_call_of_a_tool_and_its_result_are_not_given_to_hooks():
    agent = assistant(
        {"tool_calls": [{"id": "1", "function": {"name": "add", "arguments": "{}"}}]}, "It is 3. TERMINATE"
    )
    seen = []
    agent.register_hook(LAST, lambda content: seen.append(content) or content)
    me = user(function_map={"add": lambda: 3})
    me.register_hook(LAST, lambda content: seen.append(content) or content)

    me.initiate_chat(agent, message="Add.")

    assert seen == ["Add.", "It is 3. TERMINATE"]


def test_content_parts_are_given_as_a_list():
    agent = assistant("Yes. TERMINATE")
    agent.register_hook(LAST, lambda content: [*content, {"type": "text", "text": "b"}])

    user().initiate_chat(agent, message={"content": [{"type": "text", "text": "a"}]})

    assert [part["text"] for part in wire_of(agent)[0]["content"]] == ["a", "b"]


def test_results_stay_with_their_calls_when_the_last_message_is_changed():
    agent = assistant({"tool_calls": [{"id": "1", "function": {"name": "add", "arguments": "{}"}}]}, "OK.")
    agent.register_hook(LAST, lambda content: content + "!")
    me = talker("me", default_auto_reply=None)
    me.initiate_chat(agent, message="Add.", max_turns=1)

    me.send("Never mind", agent, request_reply=True)

    sent = wire_of(agent)
    assert [one["role"] for one in sent] == ["user", "assistant", "tool", "user"]
    assert texts(sent)[-1] == "Never mind!"


# -- What is said ------------------------------------------------------------------------------------------------


@both_faces
@both_kinds
def test_what_is_sent_is_what_the_hooks_have_made_of_it(face, kind):
    agent, me, calls = assistant("Yes."), user(default_auto_reply="TERMINATE"), []

    def mark(sender, message, recipient, silent):
        calls.append((sender.name, message, recipient.name, silent))
        return message + "!"

    agent.register_hook(SENDING, kind(mark))
    me.register_hook(SENDING, kind(lambda sender, message, recipient, silent: f"<{message}>"))

    result = face(me, "initiate_chat", agent, message="Hi", silent=True, max_turns=1)

    assert texts(result.messages) == ["<Hi>", "Yes.!"]
    assert calls == [("assistant", "Yes.", "user", True)]


def test_call_goes_on_when_a_hook_hands_on_a_message_as_it_was():
    agent = assistant(
        {"content": "Look.", "tool_calls": [{"id": "1", "function": {"name": "add", "arguments": "{}"}}]}, "TERMINATE"
    )
    agent.register_hook(SENDING, lambda sender, message, recipient, silent: message)

    result = user(function_map={"add": lambda: 3}).initiate_chat(agent, message="Add.")

    assert texts(result.messages) == ["Add.", "Look.", "3", "TERMINATE"]


def test_word_that_ends_the_chat_may_be_put_there_by_a_hook():
    agent = assistant("Done.")
    agent.register_hook(SENDING, lambda sender, message, recipient, silent: message + " TERMINATE")

    result = user().initiate_chat(agent, message="Hi")

    assert result.ended_by is EndedBy.TERMINATION


@both_faces
def test_group_hears_what_a_hook_has_made_of_a_message(face):
    poet, critic = assistant("Snow.", name="poet"), assistant("Good. TERMINATE", name="critic")
    poet.register_hook(SENDING, lambda sender, message, recipient, silent: f"{message} ({recipient.name})")
    group = GroupChat([poet, critic], speaker_selection_method="round_robin")

    result = face(user(), "initiate_chat", GroupChatManager(group, llm_config=False), message="A haiku.")

    assert "Snow. (chat_manager)" in texts(group.messages)
    assert "Snow. (chat_manager)" in texts(wire_of(critic))
    assert result.ended_by is EndedBy.TERMINATION


# -- Registering them ---------------------------------------------------------------------------------------------


def test_hooks_are_listed_by_their_names():
    agent = talker("a")
    agent.register_hook(LAST, len)

    assert agent.hook_lists == {LAST: [len], ALL: [], SENDING: []}


@pytest.mark.parametrize(
    ("name", "hook", "words"),
    [
        ("process_last_message", len, "Use 'process_last_received_message'"),
        ("a_process_last_received_message", len, "Use 'process_last_received_message'"),
        (LAST, "len", "it cannot be called"),
        (LAST, repr, "Register it once"),
    ],
)
def test_hook_is_refused_when_it_could_never_work(name, hook, words):
    agent = talker("a")
    agent.register_hook(LAST, repr)

    with pytest.raises(ConfigurationError, match=words):
        agent.register_hook(name, hook)


@pytest.mark.parametrize(
    ("name", "hook"), [(LAST, lambda content: None), (ALL, lambda messages: None), (SENDING, lambda **given: None)]
)
@both_faces
def test_hook_that_returns_nothing_is_named(face, name, hook):
    agent = assistant("Yes.")
    agent.register_hook(name, hook)

    with pytest.raises(ConfigurationError, match=f"hook '<lambda>' for {name} gave: None") as caught:
        face(user(), "initiate_chat", agent, message="Hi")

    assert texts(caught.value.result.messages)[:1] == ["Hi"]


def test_fork_has_hooks_of_its_own():
    agent = assistant("Yes.", "No.", "Perhaps.")
    agent.register_hook(LAST, lambda content: content + " one")
    fork = user().initiate_chat(agent, message="Hi", max_turns=1).fork(at=0)

    fork.recipient.register_hook(LAST, lambda content: content + " two")
    fork.resume()

    assert texts(wire_of(agent)) == ["Hi one two"]
    assert len(agent.hook_lists[LAST]) == 1
