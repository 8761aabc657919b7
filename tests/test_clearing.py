"""A person in a group who has it forget."""

import pytest

from jupyter_agents import GroupChat, GroupChatManager
from jupyter_agents.agents.clearing import Wish, read_orders
from jupyter_agents.events import Noted
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from tests.fakes import assistant, both_faces, quiet_session, sync_face, talker, texts, user, wire_of

NAMES = ["Ann", "Bob", "Player white", "Player"]
CALL = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "add", "arguments": "{}"}}]}
LEGACY_CALL = {"content": None, "function_call": {"name": "add", "arguments": "{}"}}


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as quiet:
        yield quiet


def group_of(*answers, members=None, is_enabled=True, **options):
    """A group in which `user`, a person, speaks first and after the others; the person's script, and the manager."""
    human = ScriptedHuman(answers)
    person = user("user", human_input_mode="ALWAYS", human=human)
    agents = [person, *(members or [talker("Ann", "a"), talker("Bob", "b")])]
    given = {"max_round": len(agents) + 2, "speaker_selection_method": "round_robin"}
    group = GroupChat(agents, enable_clear_history=is_enabled, **(given | options))
    return human, GroupChatManager(group, llm_config=False)


def begin(face, manager, **options):
    return face(manager.groupchat.agents[0], "initiate_chat", manager, message="Go", **options)


def known_to(agent, manager):
    return texts(agent.chat_messages[manager])


def notes(result):
    return [one.text for one in result.log.select(Noted)]


# -- What is an order --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wishes", "rest"),
    [
        ("CLEAR HISTORY", [Wish(None)], ""),
        ("clear history.", [Wish(None)], ""),
        ("Clear  history 3", [Wish(None, 3)], ""),
        ("clear history Bob", [Wish("Bob")], ""),
        ("clear history of bob 2\nGo on.", [Wish("Bob", 2)], "Go on."),
        ("clear history player_white 12", [Wish("Player white", 12)], ""),
        ("clear history Player 1", [Wish("Player", 1)], ""),
        ('clear history "Bob"; what now?', [Wish("Bob")], "what now?"),
        ("Wrong! Clear history, and begin anew.", [Wish(None)], "Wrong! and begin anew."),
        ("CLEAR HISTORY Ann\r\nCLEAR HISTORY Bob 1\r\nNext.", [Wish("Ann"), Wish("Bob", 1)], "Next."),
        ("clear history Ann. clear history Bob.", [Wish("Ann"), Wish("Bob")], ""),
    ],
)
def test_order_is_read_wherever_a_line_or_a_sentence_begins_with_it(text, wishes, rest):
    found = read_orders(text, NAMES)

    assert (list(found.wishes), found.rest, found.unclear) == (wishes, rest, "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "How do I clear history in bash?",
        "> clear history",
        "Run this:\n```sh\nclear history\n```",
        "clear historyBob",
        "Clear the history",
        "unclear history",
    ],
)
def test_words_are_no_order_when_they_stand_elsewhere(text):
    found = read_orders(text, NAMES)

    assert (found.wishes, found.rest, found.unclear) == ((), text, "")


@pytest.mark.parametrize(
    ("text", "unclear"),
    [
        ("clear history Bobb", "Bobb"),
        ("clear history Bob 2 3", "Bob 2 3"),
        ("clear history -1", "-1"),
        ("clear history Ann\nclear history please", "please"),
        ("clear history 2nd", "2nd"),
    ],
)
def test_nothing_is_wanted_when_an_order_is_unclear(text, unclear):
    found = read_orders(text, NAMES)

    assert (found.wishes, found.rest, found.unclear) == ((), text, unclear)


# -- Whose history is cleared ------------------------------------------------------------------------------------


@both_faces
def test_everybody_forgets_when_a_person_says_so(face):
    _, manager = group_of("CLEAR HISTORY\nBegin anew.")
    group = manager.groupchat

    result = begin(face, manager)

    assert [known_to(one, manager) for one in group.agents[1:]] == [["Begin anew.", "a"]] * 2
    assert [known_to(manager, one) for one in group.agents[1:]] == [["Begin anew.", "a"]] * 2
    assert texts(group.messages) == ["Begin anew.", "a"]
    assert texts(result.messages) == ["Go", "a", "b", "Begin anew.", "a"]
    assert notes(result) == ["The history of everybody in the group is cleared."]


@both_faces
def test_one_forgets_but_for_the_last_messages_when_a_person_says_so(face):
    _, manager = group_of("clear history bob 2. Once more.", max_round=6)
    ann, bob = manager.groupchat.agents[1:]

    result = begin(face, manager)

    assert known_to(bob, manager) == ["a", "b", "Once more.", "a", "b"]
    assert known_to(ann, manager) == ["Go", "a", "b", "Once more.", "a", "b"]
    assert texts(manager.groupchat.messages) == ["Go", "a", "b", "Once more.", "a", "b"]
    assert notes(result) == ["The history of Bob is cleared, but for the last 2 messages."]


@both_faces
def test_model_reads_no_more_than_what_is_left(face):
    poet = assistant("Snow.", "Rain.", name="Poet")
    _, manager = group_of("CLEAR HISTORY 1. Another one.", members=[poet])

    begin(face, manager)

    assert texts(wire_of(poet)) == ["Snow.", "Another one."]


@both_faces
def test_words_are_said_as_they_are_when_it_is_not_enabled(face):
    _, manager = group_of("CLEAR HISTORY", is_enabled=False)

    result = begin(face, manager)

    assert texts(result.messages)[3] == "CLEAR HISTORY"
    assert known_to(manager.groupchat.agents[1], manager)[:2] == ["Go", "a"]


def test_history_stays_when_no_person_says_so():
    _, manager = group_of("yes", members=[talker("Ann", "CLEAR HISTORY"), talker("Bob", "b")])

    result = begin(sync_face, manager)

    assert texts(result.messages)[:3] == ["Go", "CLEAR HISTORY", "b"]
    assert notes(result) == []


def test_talks_outside_the_group_stay():
    _, manager = group_of("CLEAR HISTORY. Anew.")
    ann = manager.groupchat.agents[1]
    other = talker("other")
    other.initiate_chat(ann, message="Between us", max_turns=1)

    manager.groupchat.agents[0].initiate_chat(manager, message="Go")

    assert texts(ann.chat_messages[other]) == ["Between us", "a"]


# -- Talking with the person -------------------------------------------------------------------------------------


@both_faces
def test_person_is_asked_what_to_say_when_nothing_is_left(face):
    human, manager = group_of("CLEAR HISTORY", "Begin anew.")

    result = begin(face, manager)

    assert texts(result.messages)[3:] == ["Begin anew.", "a"]
    assert human.prompts[1].text.startswith("The history is cleared. What do you want to say?")


@both_faces
def test_person_is_told_when_nobody_has_that_name(face):
    human, manager = group_of("CLEAR HISTORY Bobb", "CLEAR HISTORY Bob. Now?")
    ann, bob = manager.groupchat.agents[1:]

    result = begin(face, manager)

    assert "Nothing was forgotten: 'Bobb' is no name of this group" in human.prompts[1].text
    assert "user, Ann, Bob" in human.prompts[1].text
    assert texts(result.messages)[3:] == ["Now?", "a"]
    assert known_to(bob, manager) == ["Now?", "a"]
    assert known_to(ann, manager) == ["Go", "a", "b", "Now?", "a"]


@both_faces
def test_words_are_said_as_they_are_when_they_stay_unclear(face):
    human, manager = group_of(*["CLEAR HISTORY please"] * 5)

    result = begin(face, manager)

    assert len(human.prompts) == 4
    assert texts(result.messages)[3] == "CLEAR HISTORY please"


@both_faces
def test_person_may_end_the_chat_at_that_prompt(face):
    _, manager = group_of("CLEAR HISTORY", "exit")

    result = begin(face, manager)

    assert (len(result), result.ended_by) == (3, EndedBy.HUMAN)


def test_hooks_for_sending_see_what_is_said_instead():
    _, manager = group_of("CLEAR HISTORY", "begin anew")
    person = manager.groupchat.agents[0]
    person.register_hook("process_message_before_send", lambda sender, message, recipient, silent: message.upper())

    result = person.initiate_chat(manager, message="Go")

    assert texts(result.messages)[3] == "BEGIN ANEW"


# -- Calls, and going on -----------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize("call", [CALL, LEGACY_CALL], ids=["tool", "legacy"])
def test_call_that_a_person_answers_stays_with_its_result(face, call):
    caller = assistant(call, "I see.", name="Caller")
    _, manager = group_of("clear history. Do not add.", members=[caller], max_round=4)

    begin(face, manager)

    sent = wire_of(caller)
    assert len(sent) == 2
    assert sent[0]["role"] == "assistant"
    assert sent[1]["role"] in ("tool", "function")
    assert sent[1]["content"] == "USER INTERRUPTED: Do not add."
    assert len(manager.groupchat.messages) == 3


@both_faces
def test_group_goes_on_with_what_is_left_when_the_chat_is_resumed(face):
    _, manager = group_of("CLEAR HISTORY 1. Anew.", "exit", max_round=4)

    result = begin(face, manager)
    face(result, "resume")

    assert texts(manager.groupchat.messages)[:3] == ["b", "Anew.", "a"]
    assert known_to(manager.groupchat.agents[2], manager)[:3] == ["b", "Anew.", "a"]


def test_fork_knows_what_is_left():
    _, manager = group_of("CLEAR HISTORY. Anew.")

    result = begin(sync_face, manager)
    fork = result.fork()

    assert texts(fork.recipient.groupchat.messages) == ["Anew.", "a"]
    assert texts(fork.agents["Ann"].chat_messages[fork.recipient]) == ["Anew.", "a"]
