"""A chat with a group that begins anew: what is forgotten, what stays, and how such chats go on."""

import pytest

from jupyter_agents import GroupChat, GroupChatManager, initiate_chats, load_chat
from jupyter_agents.agents.memory import memory_of
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import GroupSet
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply
from jupyter_agents.session import use_session
from tests.drivers import on_a_loop
from tests.fakes import assistant, both_faces, quiet_session, talker, texts, user, wire_of


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as quiet:
        yield quiet


def led(*members, name="manager", rounds=2, **options):
    """Who leads a group of these that speak in turns."""
    options = {"speaker_selection_method": "round_robin", "max_round": rounds} | options
    return GroupChatManager(GroupChat(members, **options), name, llm_config=False)


def pair(*replies, **options):
    """A user, an assistant that says these things, and the manager of their group."""
    me, poet = user("user"), assistant(*replies, name="poet")
    return me, poet, led(me, poet, **options)


@both_faces
def test_group_forgets_the_chat_before_when_a_new_one_begins(face):
    me, poet, manager = pair("one", "two")
    face(me, "initiate_chat", manager, message="First")

    face(me, "initiate_chat", manager, message="Second")

    assert texts(wire_of(poet)) == ["Second"]
    assert texts(manager.groupchat.messages) == ["Second", "two"]
    assert texts(poet.chat_messages[manager]) == ["Second", "two"]
    assert texts(manager.chat_messages[poet]) == ["Second", "two"]


@both_faces
def test_group_goes_on_from_what_it_remembers_when_the_history_is_kept(face):
    me, poet, manager = pair("one", "two")
    face(me, "initiate_chat", manager, message="First")

    face(me, "initiate_chat", manager, message="Second", clear_history=False)

    assert texts(wire_of(poet)) == ["First", "one", "Second"]
    assert texts(manager.groupchat.messages) == ["First", "one", "Second", "two"]


def test_selecting_model_reads_the_new_chat_only_when_another_was_held_before():
    me, chooser = user("user"), assistant("poet", "poet")
    group = GroupChat([me, talker("poet", "hm"), talker("other")], max_round=2)
    manager = GroupChatManager(group, llm_config=chooser.model)
    me.initiate_chat(manager, message="First")

    me.initiate_chat(manager, message="Second")

    assert texts(wire_of(chooser))[:-1] == ["Second"]


def test_automatic_replies_are_counted_anew_when_a_new_chat_begins():
    me = user("user")
    limited = talker("limited", "hm", max_consecutive_auto_reply=1)
    manager = led(me, limited)

    chats = [me.initiate_chat(manager, message="Go") for _ in range(2)]

    assert [texts(one.messages) for one in chats] == [["Go", "hm"]] * 2


def test_talks_elsewhere_stay_when_a_group_begins_anew():
    me, poet, manager = pair("one", "aside", "two")
    me.initiate_chat(manager, message="First")
    me.initiate_chat(poet, message="Between us", max_turns=1)

    me.initiate_chat(manager, message="Second")

    assert texts(poet.chat_messages[me]) == ["Between us", "aside"]


@both_faces
def test_team_forgets_with_the_group_that_it_is_in(face):
    me, poet = user("user"), assistant("one", "two", name="poet")
    team = led(poet, name="team", rounds=2)
    manager = led(me, team)
    face(me, "initiate_chat", manager, message="First")

    face(me, "initiate_chat", manager, message="Second")

    assert texts(wire_of(poet)) == ["Second"]
    assert texts(team.groupchat.messages) == ["Second", "two"]
    assert texts(team.chat_messages[manager]) == ["Second", "two"]


def test_team_remembers_within_a_chat_what_it_said_before():
    me, poet = user("user"), assistant("one", "two", name="poet")
    team = led(poet, name="team", rounds=2)

    me.initiate_chat(led(me, team, rounds=4), message="Go")

    assert texts(wire_of(poet)) == ["Go", "one", ""]


def test_group_forgets_when_the_team_that_leads_it_begins_a_chat():
    me, poet, team = pair("one", "two", "three")
    me.initiate_chat(team, message="First")

    team.initiate_chat(talker("other"), message="Second")

    assert "First" not in texts(team.groupchat.messages)
    assert texts(poet.chat_messages[team])[:1] != ["First"]


def test_group_of_any_agent_forgets_when_it_leads_by_a_reply_function():
    me, poet = user("user"), assistant("one", "two", name="poet")
    leader = talker("leader")
    group = GroupChat([me, poet], speaker_selection_method="round_robin", max_round=2)
    leader.register_auto_reply([lambda sender: True], GroupChatManager.run_chat, config=group)
    me.initiate_chat(leader, message="First")

    me.initiate_chat(leader, message="Second")

    assert texts(wire_of(poet)) == ["Second"]


def test_random_order_begins_anew_when_the_group_does():
    members = [user("user"), *(talker(name, name) for name in "ABC")]
    manager = led(*members, rounds=8, speaker_selection_method="random", seed=7)

    said = [texts(members[0].initiate_chat(manager, message="Go").messages) for _ in range(2)]

    assert said[0] == said[1]


def test_messages_given_to_a_group_are_forgotten_unless_the_history_is_kept():
    earlier = [{"content": "Before", "name": "poet"}]

    def group_after(**options):
        me, _, manager = pair("one")
        manager.groupchat.messages[:] = earlier
        me.initiate_chat(manager, message="Go", **options)
        return texts(manager.groupchat.messages)

    assert group_after() == ["Go", "one"]
    assert group_after(clear_history=False) == ["Before", "Go", "one"]


# -- Chats within chats ------------------------------------------------------------------------------------------


def two_in_one_log(*replies):
    me, poet, manager = pair(*replies)
    chats = initiate_chats(
        [
            {"sender": me, "recipient": manager, "message": text, "carryover": "", "summary_method": None}
            for text in ("First", "Second")
        ]
    )
    return me, poet, manager, chats


def test_group_begins_anew_in_each_chat_of_a_series():
    _, poet, manager, chats = two_in_one_log("one", "two")

    assert texts(chats[1].messages)[-1] == "two"
    assert all("one" not in text for text in texts(wire_of(poet)))
    assert len(manager.groupchat.messages) == 2


def test_group_begins_anew_when_a_chat_is_nested():
    poet = assistant("one", "two", name="poet")
    manager = led(poet)
    asker, host = user("asker", default_auto_reply="More"), talker("host")
    host.register_nested_chats([{"recipient": manager, "message": "Go"}], trigger=asker)

    asker.initiate_chat(host, message="Hi", max_turns=2)

    assert [texts(wire_of(poet, call)) for call in (0, 1)] == [["Go"], ["Go"]]
    assert texts(manager.groupchat.messages) == ["Go", "two"]


def test_log_says_so_when_a_group_begins_anew_in_it():
    *_, manager, chats = two_in_one_log("one", "two")

    [event] = [entry.event for entry in chats[0].log if isinstance(entry.event, GroupSet)]

    assert (event.chat, event.manager, event.messages) == (chats[1].chat, manager.name, ())


def test_chat_is_where_it_was_when_it_goes_on_after_another_in_the_same_log():
    _, poet, manager, chats = two_in_one_log("one", "two", "three", "four")

    chats[1].resume()

    assert not [text for text in texts(manager.groupchat.messages) if text in ("one", "First")]
    assert not [text for text in texts(wire_of(poet)) if text in ("one", "First")]
    assert texts(manager.groupchat.messages)[1] == "two"


def test_first_chat_is_forked_as_it_was_when_another_was_held_after_it():
    _, _, manager, chats = two_in_one_log("one", "two", "three")

    fork = chats[0].fork()

    assert texts(fork.recipient.groupchat.messages)[1:] == ["one"]
    assert texts(fork.agents["poet"].chat_messages[fork.recipient])[1:] == ["one"]
    assert texts(manager.groupchat.messages)[1:] == ["two"]


def test_first_chat_goes_on_when_a_new_one_was_held_after_it():
    me, poet, manager = pair("one", "two", "three")
    first = me.initiate_chat(manager, message="First")
    me.initiate_chat(manager, message="Second")

    first.resume()

    assert texts(manager.groupchat.messages)[:3] == ["First", "one", ""]
    assert texts(wire_of(poet)) == ["First", "one", ""]


@both_faces
def test_reply_of_a_new_chat_is_asked_for_anew_without_the_chat_before(face):
    me, poet, manager = pair("one", "two", "three")
    me.initiate_chat(manager, message="First")
    second = me.initiate_chat(manager, message="Second")

    face(second, "retry")

    assert texts(manager.groupchat.messages)[:2] == ["Second", "three"]
    assert texts(wire_of(poet)) == ["Second"]


def test_chat_is_loaded_as_it_was_when_the_group_had_begun_anew(tmp_path):
    *_, chats = two_in_one_log("one", "two")
    path = chats[1].save(tmp_path / "chat.jsonl")

    loaded = load_chat(path, given={"poet": {"llm_config": assistant("three").model}})
    fork = loaded.fork()

    assert texts(fork.recipient.groupchat.messages)[1:] == ["two"]


def test_counts_of_a_fork_begin_with_the_chat_when_the_group_had_begun_anew():
    me, poet, manager, chats = two_in_one_log("one", "two")

    fork = chats[1].fork()

    there, here = fork.agents["poet"], memory_of(poet)
    assert memory_of(there).auto_replies_to(fork.recipient) == here.auto_replies_to(manager) == 1
    assert fork.initiator is not me


# -- While the group talks ---------------------------------------------------------------------------------------


def test_group_that_talks_does_not_forget_what_about():
    me, helper, caught = user("user"), talker("helper"), []

    def reply(recipient, messages, sender, config):
        with pytest.raises(ConfigurationError) as error:
            helper.initiate_chat(manager, message="Again")
        caught.append(str(error.value))
        return True, "hm"

    busy = talker("busy")
    busy.register_auto_reply([lambda sender: True], reply)
    manager = led(me, busy)

    result = me.initiate_chat(manager, message="Go")

    assert texts(result.messages) == ["Go", "hm"]
    assert texts(manager.groupchat.messages) == ["Go", "hm"]
    assert "the group of 'manager' is talking in another one" in caught[0]


def test_group_goes_on_when_its_manager_begins_another_chat_meanwhile():
    me, busy, other = user("user"), talker("busy"), talker("other", "fine")

    def reply(recipient, messages, sender, config):
        return True, manager.initiate_chat(other, message="Aside", max_turns=1).summary

    busy.register_auto_reply([lambda sender: True], reply)
    manager = led(me, busy)

    me.initiate_chat(manager, message="Go")

    assert texts(manager.groupchat.messages) == ["Go", "fine"]


def test_team_that_talks_apart_does_not_forget_what_about():
    me, helper, caught = user("user"), talker("helper"), []

    def reply(recipient, messages, sender, config):
        with pytest.raises(ConfigurationError, match="the group of 'team' is talking"):
            helper.initiate_chat(team, message="Again")
        caught.append(texts(team.groupchat.messages))
        return True, "hm"

    busy = talker("busy")
    busy.register_auto_reply([lambda sender: True], reply)
    team = led(busy, name="team")

    me.initiate_chat(led(me, team), message="Go")

    assert caught == [["Go"]]


def test_chats_wait_for_each_other_when_calls_of_one_message_hold_them_with_the_same_group():
    poet, runner = assistant("one", "two", name="poet"), user("runner", default_auto_reply="")
    manager = led(poet)

    @runner.register_for_execution(name="discuss")
    async def discuss(who: str) -> str:
        return str((await user(who).a_initiate_chat(manager, message=who)).summary)

    calls = tuple(ToolCall("discuss", f'{{"who": "{who}"}}', who) for who in ("X", "Y"))
    asker = assistant(ModelReply(tool_calls=calls), "Done. TERMINATE", name="asker")

    on_a_loop(lambda: runner.a_initiate_chat(asker, message="Discuss"))

    assert [texts(wire_of(poet, call)) for call in (0, 1)] == [["X"], ["Y"]]
    assert [one["content"] for one in wire_of(asker) if one["role"] == "tool"] == ["one", "two"]
