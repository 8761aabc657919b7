"""Conditions that need more than the messages, and the detectors of chats that get nowhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents import GroupChat, GroupChatManager
from jupyter_agents.conditions import (
    CallOf,
    ChatFacts,
    Condition,
    EmptyReplies,
    ExternalStop,
    MaxCost,
    MaxMessages,
    MaxSeconds,
    MaxTokens,
    Repetition,
    SaidBy,
    TextMention,
    When,
)
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import Noted
from jupyter_agents.likeness import gist, is_blank
from jupyter_agents.messages import Message, ToolCall, Usage
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from tests.fakes import assistant, both_faces, quiet_session, talker, user

PRICES = {"m": (1.0, 2.0)}


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()):
        yield


def said(*texts):
    return [Message(text) for text in texts]


USED = Usage(100, 10)


def billed(*texts, usage=USED, model="m"):
    """An assistant whose replies have used so much."""
    agent = assistant()
    replies = [ModelReply(text, usage=usage, model=model) for text in texts]
    agent._model_config = type(agent.model_config).from_classic(ScriptedModel(replies))
    return agent


def search(words: str) -> str:
    """Look for words."""
    return words


def notes(result):
    return [event.text for event in result.events if isinstance(event, Noted)]


# -- What each needs to know -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "facts", "reason"),
    [
        (SaidBy("critic"), ChatFacts(said("ok"), ["critic"]), "critic spoke"),
        (SaidBy("critic", "judge"), ChatFacts(said("ok"), ["judge"]), "judge spoke"),
        (SaidBy("critic"), ChatFacts(said("ok", "so"), ["critic", "user"]), None),
        (SaidBy("critic"), ChatFacts([]), None),
        (MaxTokens(110), ChatFacts([], usage={"m": Usage(100, 10)}), "110 tokens of 110 were used"),
        (MaxTokens(110), ChatFacts([], usage={"m": Usage(50, 5), "n": Usage(50, 4)}), None),
        (MaxTokens(1), ChatFacts([], usage={"m": Usage()}, uncounted={"m"}), None),
        (MaxTokens(1), ChatFacts([]), None),
        (MaxSeconds(2), ChatFacts([], seconds=2.0), "2 seconds have passed"),
        (MaxSeconds(2), ChatFacts([], seconds=1.9), None),
        (MaxSeconds(2), ChatFacts([]), None),
        (MaxCost(0.12, PRICES), ChatFacts([], usage={"m": Usage(100, 10)}), "0.12 of 0.12 was spent"),
        (MaxCost(0.13, PRICES), ChatFacts([], usage={"m": Usage(100, 10)}), None),
        (MaxCost(0.01, PRICES), ChatFacts([], usage={"other": Usage(10**9, 10**9)}), None),
        (MaxCost(0.01, PRICES), ChatFacts([], usage={"m": Usage(100, None)}), None),
        (
            MaxCost(0.1, PRICES),
            ChatFacts([], usage={"m": Usage(100, 10), "other": Usage(1, 1)}),
            "at least 0.12 of 0.1 was spent",
        ),
        (MaxCost(5, lambda name, usage: 6.0), ChatFacts([], usage={"m": Usage(1, 1)}), "6 of 5 was spent"),
        (MaxCost(5, lambda name, usage: None), ChatFacts([], usage={"m": Usage(1, 1)}), None),
    ],
)
def test_condition_says_why_by_what_it_is_told(condition, facts, reason):
    assert condition.judge(facts) == reason


@pytest.mark.parametrize("condition", [SaidBy("a"), MaxTokens(1), MaxSeconds(1), MaxCost(1, PRICES)])
def test_condition_does_not_hold_when_it_is_told_only_messages(condition):
    assert condition(said("hello")) is None


def test_conditions_of_both_sorts_are_combined():
    facts = ChatFacts(said("APPROVED"), ["critic"], seconds=10)

    assert (SaidBy("critic") & TextMention("APPROVED")).judge(facts) == (
        "critic spoke and the text 'APPROVED' was mentioned"
    )
    assert (SaidBy("user") & TextMention("APPROVED")).judge(facts) is None
    assert (SaidBy("user") | MaxSeconds(5) | MaxMessages(9)).judge(facts) == "5 seconds have passed"


def test_own_condition_may_be_written_in_the_old_form_and_in_the_new():
    class Old(Condition):
        def __call__(self, messages):
            return "old" if messages else None

    class New(Condition):
        def judge(self, facts):
            return "new" if facts.speakers else None

    facts = ChatFacts(said("x"), ["a"])

    assert [(Old() | New()).judge(facts), (New() | Old()).judge(facts)] == ["old", "new"]
    assert New()(said("x")) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: MaxTokens(0),
        lambda: MaxTokens("many"),
        lambda: MaxSeconds(-1),
        lambda: MaxSeconds(True),
        lambda: MaxCost(0, PRICES),
        lambda: MaxCost(1, {"m": 3}),
        lambda: SaidBy(),
        lambda: SaidBy(3),
        lambda: Repetition(1),
        lambda: EmptyReplies(0),
    ],
)
def test_condition_is_refused_when_it_cannot_be_meant(make):
    with pytest.raises(ConfigurationError, match=r"^Cannot .+: .+\. "):
        make()


def test_chat_is_refused_when_the_condition_is_a_plain_function():
    with pytest.raises(ConfigurationError, match=r"When\(function\)"):
        user().initiate_chat(assistant("x"), message="go", termination=lambda messages: True)


# -- In chats ----------------------------------------------------------------------------------------------------


@both_faces
def test_chat_ends_when_its_tokens_are_used(face):
    result = face(user(), "initiate_chat", billed(*"abcdef"), message="go", termination=MaxTokens(250))

    assert (result.ended_by, result.detail) == (EndedBy.CONDITION, "330 tokens of 250 were used")
    assert result.model_calls == 3


@both_faces
def test_chat_ends_when_its_money_is_spent(face):
    result = face(user(), "initiate_chat", billed(*"abcdef"), message="go", termination=MaxCost(0.2, PRICES))

    assert (result.ended_by, result.detail) == (EndedBy.CONDITION, "0.24 of 0.2 was spent")
    assert notes(result) == []


@both_faces
def test_transcript_says_once_that_a_limit_may_not_be_noticed_when_a_price_is_not_known(face):
    agent = billed(*"abc", model="mystery")

    result = face(user(), "initiate_chat", agent, message="go", max_turns=3, termination=MaxCost(0.0001, PRICES))

    assert result.ended_by == EndedBy.MAX_TURNS
    assert notes(result) == ["What mystery costs is not all known; the rest does not count as spent."]


def test_transcript_says_it_when_a_server_does_not_count_tokens():
    agent = billed(*"abc", usage=Usage())

    result = user().initiate_chat(agent, message="go", max_turns=3, termination=MaxTokens(1))

    assert result.ended_by == EndedBy.MAX_TURNS
    assert notes(result) == ["Not all tokens of m are known; the others do not count as used."]


@both_faces
def test_transcript_says_once_that_a_speaker_is_waited_for_in_vain_when_nobody_has_that_name(face):
    me = user(default_auto_reply="Go on.")

    result = face(
        me, "initiate_chat", assistant(*"abc", name="critic"), message="go", max_turns=2, termination=SaidBy("critik")
    )

    words = "Nobody who may speak in this chat is called 'critik': there is critic and user. Did you mean 'critic'?"
    assert (result.ended_by, notes(result)) == (EndedBy.MAX_TURNS, [words])


@both_faces
def test_transcript_says_that_the_manager_does_not_speak_when_it_is_waited_for(face):
    members = [assistant(*"abc", name="ann"), assistant(*"xyz", name="bob")]
    manager = GroupChatManager(GroupChat(members, [], 3, speaker_selection_method="round_robin"), llm_config=False)

    result = face(user(), "initiate_chat", manager, message="go", termination=SaidBy("chat_manager") | SaidBy("zoe"))

    nobody = "Nobody who may speak in this chat is called {!r}: there is ann and bob and user."
    assert notes(result) == [" ".join(nobody.format(name) for name in ("chat_manager", "zoe"))]


@both_faces
@pytest.mark.parametrize("name", ["user", "ann", "bob"])
def test_transcript_says_nothing_when_a_speaker_of_the_group_is_waited_for(face, name):
    members = [assistant(*"abc", name="ann"), assistant(*"xyz", name="bob")]
    manager = GroupChatManager(GroupChat(members, [], 3, speaker_selection_method="round_robin"), llm_config=False)

    result = face(user(), "initiate_chat", manager, message="go", termination=SaidBy(name))

    assert (result.ended_by, notes(result)) == (EndedBy.CONDITION, [])


def test_transcript_says_that_a_call_is_waited_for_in_vain_when_nobody_knows_the_function():
    agent = assistant(*"abc")
    agent.tool(search)

    result = user(default_auto_reply="Go on.").initiate_chat(
        agent, message="go", max_turns=2, termination=CallOf("serach")
    )

    assert notes(result) == ["Nobody in this chat knows a function or tool 'serach'. Did you mean 'search'?"]


@pytest.mark.parametrize("who", ["model", "executor", "signature", "member"])
def test_transcript_says_nothing_when_somebody_knows_the_function_that_is_waited_for(who):
    agent, me = assistant(*"abc", name="ann"), user(default_auto_reply="Go on.")
    if who == "model":
        agent.register_for_llm(search)
    elif who == "signature":
        agent.update_function_signature({"name": "search", "parameters": {}})
    else:
        (me if who == "executor" else agent).register_function({"search": search})
    group = GroupChat([agent, assistant(*"xyz", name="bob")], [], 2, speaker_selection_method="round_robin")
    other = GroupChatManager(group, llm_config=False) if who == "member" else agent

    result = me.initiate_chat(
        other, message="go", max_turns=None if who == "member" else 2, termination=CallOf("search")
    )

    assert notes(result) == []


def test_tokens_of_nested_chats_count_and_those_of_the_chat_around_do_not():
    inner = []

    def ask(recipient, messages, sender, config):
        helper = user("helper").initiate_chat(
            billed("x", "y"), message="sub", max_turns=9, termination=MaxTokens(150), silent=True
        )
        inner.append(helper)
        return True, "answered"

    caller = talker("caller")
    caller.register_auto_reply([lambda sender: True, None], ask)
    outer = caller.initiate_chat(billed(*"abcdefgh"), message="go", termination=MaxTokens(500))

    assert [one.detail for one in inner] == ["220 tokens of 150 were used"] * 2
    assert outer.detail == "660 tokens of 500 were used"
    assert outer.usage.total_tokens == 660


def test_chat_ends_when_somebody_has_spoken():
    result = user().initiate_chat(assistant("one", "two", name="critic"), message="go", termination=SaidBy("critic"))

    assert (len(result), result.detail) == (2, "critic spoke")


def test_chat_ends_when_its_time_is_over():
    def slow(count):
        import time

        time.sleep(0.03)
        return f"{count}"

    result = talker("a", slow).initiate_chat(talker("b", slow), message="0", termination=MaxSeconds(0.1))

    assert (result.ended_by, result.detail) == (EndedBy.CONDITION, "0.1 seconds have passed")
    assert 4 <= len(result) <= 6


def test_calls_functions_and_stops_are_conditions_too():
    stop = ExternalStop()
    stop.set()
    call = [Message(tool_calls=(ToolCall("submit", "{}", "1"),))]

    assert CallOf("submit")(call) == "submit was called"
    assert When(bool)(call) == "bool said so"
    assert stop([]) == "a stop was asked for"
    stop.clear()
    assert stop([]) is None


# -- Detectors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b", "\u00a0 \u2060\ufeff", "\u200d\u200c"])
def test_message_is_blank_when_nothing_of_it_can_be_seen(text):
    assert is_blank(Message(text))


@pytest.mark.parametrize("text", ["?", ".", "0", "👍", "\u200bx", "`"])
def test_message_is_not_blank_when_something_of_it_can_be_seen(text):
    assert not is_blank(Message(text))


def test_message_is_not_blank_when_it_calls():
    assert not is_blank(Message("", tool_calls=(ToolCall("f", "{}", "1"),)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Thank you!", "thank you"),
        ("Thank you!", "Thank  you. \n"),
        ("**Done**", "Done."),
        ("Bye", "\u200bBye"),
        ("I agree. Go on.", "I agree! Go on…"),
    ],
)
def test_gist_is_the_same_when_only_marks_differ(one, other):
    assert gist(Message(one)) == gist(Message(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("5", "-5"), ("1.5", "15"), ("👍", "👎"), ("e2e4", "e7e5"), ("x = 1", "x = 2"), ("?", "!"), ("a", "")],
)
def test_gist_differs_when_something_else_is_said(one, other):
    assert gist(Message(one)) != gist(Message(other))


@given(st.text())
def test_gist_can_be_taken_of_any_text(text):
    assert gist(Message(text)) == gist(Message(text))


@both_faces
@pytest.mark.parametrize(
    "phrases",
    [
        ("Thank you!",),
        ("Thank you!", "thank you", "Thank  you.", "THANK YOU", "Thank you…"),
        ("After you.", "No, after you!"),
    ],
    ids=["the same", "other marks", "by turns"],
)
def test_chat_that_gets_nowhere_ends(face, phrases):
    def polite(count):
        return phrases[count // 2 % len(phrases)]

    result = face(talker("a", polite), "initiate_chat", talker("b", polite), message="Hello", max_turns=100)

    assert result.ended_by == EndedBy.REPETITION
    assert len(result) <= 4 * 5 + 4


def test_chat_goes_on_when_its_words_change():
    result = talker("a", lambda n: f"{n}!").initiate_chat(talker("b", "Next."), message="0", max_turns=40)

    assert result.ended_by == EndedBy.MAX_TURNS


@both_faces
def test_invisible_replies_are_empty_ones(face):
    result = face(talker("a", "\u200b"), "initiate_chat", talker("b", " \u00a0"), message="Hello", max_turns=9)

    assert (result.ended_by, len(result)) == (EndedBy.EMPTY_REPLIES, 3)


def test_detectors_may_be_stricter():
    polite = talker("a", "Thanks."), talker("b", "Thanks!")

    thrice = polite[0].initiate_chat(polite[1], message="Hello", termination=Repetition(3))
    once = user().initiate_chat(assistant(" "), message="Hello", termination=EmptyReplies(1))

    assert (thrice.detail, len(thrice)) == ("the same message came 3 times in a row", 4)
    assert (once.detail, len(once)) == ("1 reply in a row had nothing in them", 2)


def test_repetition_says_how_many_messages_come_round():
    assert Repetition(2)(said("x", "a", "b", "A.", "B!")) == "the same 2 messages came 2 times in a row"


def test_calls_are_never_a_repetition():
    call = Message(tool_calls=(ToolCall("poll", "{}", "1"),))

    assert Repetition(2)([call, call, call, call]) is None
