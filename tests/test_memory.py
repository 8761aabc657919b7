"""What an agent remembers of others: in one chat and the next, of a group, stored and restored."""

import gc
import json
import weakref

import pytest

from jupyter_agents.agents.history import Talk
from jupyter_agents.agents.memory import Memory, memory_of
from jupyter_agents.drive import Run, drive
from jupyter_agents.effects import Emit
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import EventLog, HistorySet, MessageSent
from jupyter_agents.messages import Message
from jupyter_agents.session import use_session
from tests.fakes import assistant, quiet_session, talker, texts, user


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


def restored(memory, *agents):
    """The memory, as it is after it has been written down and read."""
    state = json.loads(json.dumps(memory.to_state(EventLog().key_of)))
    names = EventLog()
    return Memory.from_state(state, {names.key_of(agent): agent for agent in agents})


def classic(memory):
    return {other: talk.to_dicts() for other, talk in memory.talks.items()}


CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TALK = [
    {"content": "Do it", "role": "user"},
    {"content": None, "role": "assistant", "tool_calls": [CALL]},
    {"content": "6", "role": "tool", "tool_responses": [{"tool_call_id": "1", "role": "tool", "content": "6"}]},
    {"content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "x"}}], "role": "user"},
    {"content": "", "role": "assistant"},
    {"content": "cut o", "role": "assistant", "finish_reason": "length"},
    {"content": "said by another", "role": "user", "name": "Grand Master"},
]


# -- In a group: one counterpart, several speakers ---------------------------------------------------------------


@pytest.fixture
def group():
    """A member, the manager of its group, and what the manager passes on to it."""
    member, manager = assistant("I see.", name="member"), user(name="manager")
    for name, text in (("ann", "I am Ann."), ("Bob B.", "I am Bob.")):
        manager.send({"content": text, "name": name, "role": "user"}, member, request_reply=False, silent=True)
    return member, manager


def test_each_message_tells_its_speaker_when_a_manager_passes_on_what_others_said(group):
    member, manager = group

    manager.send("Your turn.", member, request_reply=True)

    assert [one.get("name") for one in member.chat_messages[manager]] == ["ann", "Bob B.", None, None]
    assert [one["role"] for one in member.chat_messages[manager]] == ["user", "user", "user", "assistant"]
    assert [one.get("name") for one in member.model.requests[0].messages[1:]] == ["ann", "Bob_B_", None]


def test_speakers_stay_when_the_memory_of_a_group_is_restored(group):
    member, manager = group

    again = restored(memory_of(member), manager)

    assert classic(again) == member.chat_messages
    assert again.talk_with(manager).wire == memory_of(member).talk_with(manager).wire


def test_others_are_remembered_when_one_is_forgotten(group):
    member, manager = group
    friend = user(name="friend")
    friend.send("Psst", member, request_reply=False)

    memory_of(member).forget(manager)

    assert list(memory_of(member).talks) == [friend]


def test_nobody_is_remembered_when_all_are_forgotten(group):
    member, _ = group
    user(name="friend").send("Psst", member, request_reply=False)

    memory_of(member).forget()

    assert memory_of(member).talks == {}


def test_one_counterpart_is_a_stranger_again_when_it_is_reset(group):
    member, manager = group
    friend = user(name="friend")
    for other in (manager, friend):
        other.send("Say something.", member, request_reply=False)
        member.expect(other)
    member.update_max_consecutive_auto_reply(7, manager)

    memory_of(member).reset(manager)

    assert list(memory_of(member).talks) == [friend]
    assert (member.replies_to(manager), member.replies_to(friend)) == (False, True)
    assert member.max_consecutive_auto_reply(manager) == 7


# -- Loading -----------------------------------------------------------------------------------------------------


def test_chat_carries_on_what_was_loaded_when_the_history_is_kept():
    me, agent = user(), assistant("Indeed.")
    memory_of(agent).load(
        me, Talk.from_dicts([{"content": "Hi", "role": "user"}, {"content": "Ho", "role": "assistant"}])
    )

    result = me.initiate_chat(agent, message="Well?", clear_history=False, max_turns=1)

    assert texts(agent.model.requests[0].messages[1:]) == ["Hi", "Ho", "Well?"]
    assert texts(agent.chat_messages[me]) == ["Hi", "Ho", "Well?", "Indeed."]
    assert texts(me.chat_messages[agent]) == ["Well?", "Indeed."]
    [carried] = [one for one in result.log.select(HistorySet) if one.agent == agent.name]
    assert [(spoken, one.text) for spoken, one in carried.messages] == [(False, "Hi"), (True, "Ho")]


def test_loaded_talk_is_forgotten_when_a_chat_begins_anew():
    me, agent = user(), assistant("Indeed.")
    memory_of(agent).load(me, Talk.from_dicts([{"content": "Hi", "role": "user"}]))

    me.initiate_chat(agent, message="Well?", max_turns=1)

    assert texts(agent.chat_messages[me]) == ["Well?", "Indeed."]


def test_loaded_talk_has_no_log_when_no_chat_has_carried_it_on():
    me, agent = user(), assistant("Indeed.")

    memory_of(agent).load(me, Talk.from_dicts(TALK))

    assert agent.log_with(me) is None
    assert agent.last_message(me) == TALK[-1]


def test_talks_are_in_the_order_in_which_they_began_when_one_was_forgotten():
    memory, talk = Memory(3), Talk.from_dicts(TALK[:1])
    memory.expect("last")
    for name in ("first", "second", "last"):
        memory.load(name, talk)

    memory.forget("first")
    memory.load("first", talk)

    assert list(memory.talks) == ["second", "last", "first"]


# -- Storing and restoring ---------------------------------------------------------------------------------------


def test_every_kind_of_message_is_the_same_when_a_memory_is_restored():
    me, agent = user(), assistant("Indeed.")
    memory = memory_of(agent)
    memory.load(me, Talk.from_dicts(TALK))

    again = restored(memory, me)

    assert again.talk_with(me).pairs() == memory.talk_with(me).pairs()
    assert again.talk_with(me).wire == memory.talk_with(me).wire
    assert classic(again) == {me: TALK}


def test_counters_and_limits_are_the_same_when_a_memory_is_restored():
    agent, me = talker("agent", "yes", max_consecutive_auto_reply=9), user(default_auto_reply="go")
    twin = user(name=me.name)
    me.initiate_chat(agent, message="Hi", max_turns=2)
    agent.update_max_consecutive_auto_reply(4, twin)

    again = restored(memory_of(agent), me, twin)

    assert (again.limit_for(me), again.limit_for(twin), again.limit_for(agent)) == (9, 4, 9)
    assert again.auto_replies_to(me) == agent.auto_replies_to(me) == 2
    assert (again.replies_to(me), again.replies_to(twin)) == (True, False)
    assert list(again.talks) == [me]


def test_context_keeps_what_json_can_say_when_a_memory_is_stored():
    memory = Memory(1)
    memory.load("me", Talk([(False, Message("Hi", context={"n": 1, "table": object(), "endless": float}))]))

    state = memory.to_state(str)

    assert state["relations"][0]["messages"][0]["message"] == {"content": "Hi", "context": {"n": 1}}


def test_nobody_is_in_the_state_when_a_reply_was_asked_for_without_a_sender():
    agent = assistant("Indeed.")
    agent.generate_reply(messages=[{"content": "Hi", "role": "user"}])

    assert memory_of(agent).to_state(EventLog().key_of) == {"limit": 100, "relations": []}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({}, "KeyError: 'limit'.*Give what to_state"),
        ([], "TypeError"),
        ({"limit": 1, "relations": [{"with": "me"}]}, "KeyError: 'messages'"),
        ({"limit": -1, "relations": []}, "max_consecutive_auto_reply=-1"),
        (
            {"limit": 1, "relations": [{"with": "me", "messages": [{"spoken": True, "message": {}}], "limit": None}]},
            "Cannot send {}",
        ),
    ],
)
def test_memory_is_not_restored_when_the_state_is_none(state, said):
    with pytest.raises(ConfigurationError, match=said):
        Memory.from_state(state, {"me": object()})


def test_memory_is_not_restored_when_one_of_the_others_is_missing():
    memory = Memory(1)
    memory.expect("bob")

    with pytest.raises(ConfigurationError, match=r"of 'bob': given are ann, eve\. Give it by that name"):
        Memory.from_state(memory.to_state(str), {"eve": 1, "ann": 2})


# -- What goes on in a chat --------------------------------------------------------------------------------------


def test_history_begins_anew_in_the_log_when_a_message_comes_from_another_run():
    agent, me, run = assistant("Indeed."), user(), Run()

    async def heard():
        history = await agent.attach(run, me)
        await Emit(MessageSent(run.chat, run.log.key_of(me), run.log.key_of(agent), Message("Hi")))
        return history

    history = drive(heard(), run)

    assert agent.log_with(me) is run.log
    assert history is memory_of(agent).talk_with(me)
    assert texts(agent.chat_messages[me]) == ["Hi"]


def test_strangers_are_not_kept_when_they_are_only_asked_about():
    agent, stranger = assistant("Indeed."), user(name="stranger")
    gone = weakref.ref(stranger)

    agent.replies_to(stranger), agent.auto_replies_to(stranger), agent.max_consecutive_auto_reply(stranger)
    agent.clear_history(stranger), agent.stop_reply_at_receive(stranger), agent.check_free(stranger)
    del stranger
    gc.collect()

    assert gone() is None
