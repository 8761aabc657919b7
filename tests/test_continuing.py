"""Chats that go on after their end: resumed, with the last reply asked for anew, edited, and forked."""

import asyncio

import pytest

from jupyter_agents import GroupChat, GroupChatManager, ResponsiveAgent
from jupyter_agents.budget import Budget
from jupyter_agents.conditions import MaxMessages, TextMention
from jupyter_agents.conversation import ChatResult
from jupyter_agents.drive import current_run
from jupyter_agents.errors import ChatInterrupted, ConfigurationError, ModelUnavailableError
from jupyter_agents.events import HistorySet, Noted
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from tests.fakes import FakeExecutor, assistant, both_faces, quiet_session, talker, texts, user, wire_of


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()):
        yield


def chat(*replies, max_turns=2, **options):
    """Two agents, and the result of a chat of theirs."""
    me, other = user(), assistant(*replies)
    return me, other, me.initiate_chat(other, message="go", max_turns=max_turns, **options)


def group(*replies_of, rounds=4, **options):
    """A user, two assistants and their manager."""
    me = user()
    members = [assistant(*replies, name=name) for name, replies in zip("AB", replies_of, strict=True)]
    options = {"speaker_selection_method": "round_robin"} | options
    return me, *members, GroupChatManager(GroupChat([me, *members], max_round=rounds, **options), llm_config=False)


def memory(one, other):
    return [(message["role"], message["content"]) for message in one.chat_messages[other]]


def by_name(result):
    return [(one["name"], one["content"]) for one in result.messages]


# -- Resume ------------------------------------------------------------------------------------------------------


@both_faces
def test_chat_goes_on_where_a_limit_has_ended_it(face):
    me, other, result = chat("1", "2", "3", "4")

    more = face(result, "resume")

    assert texts(more.messages) == ["", "3", "", "4"]
    assert more.ended_by == EndedBy.MAX_TURNS
    assert texts(me.chat_messages[other]) == ["go", "1", "", "2", "", "3", "", "4"]
    assert texts(other.chat_messages[me]) == texts(me.chat_messages[other])
    assert more.log is result.log
    assert texts(result.messages) == ["go", "1", "", "2"]


@both_faces
def test_limits_may_be_others_when_a_chat_goes_on(face):
    _, _, result = chat("1", "2", "3", "4", "5", termination=TextMention("4"))

    more = face(result, "resume", max_turns=5)
    budgeted = face(more, "resume", budget=Budget(model_calls=0))
    ended = face(budgeted, "resume", budget=Budget(model_calls=1), termination=MaxMessages(1))

    assert (more.ended_by, texts(more.messages)) == (EndedBy.CONDITION, ["", "3", "", "4"])
    assert (budgeted.ended_by, texts(budgeted.messages)) == (EndedBy.BUDGET, [""])
    assert (ended.ended_by, texts(ended.messages)) == (EndedBy.CONDITION, ["5"])


@both_faces
def test_interrupted_chat_goes_on_with_whose_turn_it_was(face):
    def interrupt(request):
        raise KeyboardInterrupt

    me, other = user(), assistant("1", interrupt, "2. TERMINATE")
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - one sort for each face
        face(me, "initiate_chat", other, message="go")

    more = face(caught.value.result, "resume")

    assert texts(caught.value.result.messages) == ["go", "1", ""]
    assert (texts(more.messages), more.ended_by) == (["2. TERMINATE"], EndedBy.TERMINATION)
    assert [one["content"] for one in wire_of(other)] == ["go", "1", ""]


def test_interrupt_is_the_one_of_the_sync_face():
    def interrupt(request):
        raise KeyboardInterrupt

    with pytest.raises(ChatInterrupted) as caught:
        user().initiate_chat(assistant(interrupt, "now. TERMINATE"), message="go")

    assert texts(caught.value.result.resume().messages) == ["now. TERMINATE"]


@both_faces
def test_counts_of_automatic_replies_begin_anew_when_their_limit_has_ended_a_chat(face):
    me, other = user(max_consecutive_auto_reply=1), assistant("1", "2", "3", "4")
    result = me.initiate_chat(other, message="go")

    more = face(result, "resume")

    assert result.ended_by == more.ended_by == EndedBy.AUTO_REPLY_LIMIT
    assert texts(more.messages) == ["", "3"]


def test_chat_that_is_over_ends_again_when_it_is_resumed():
    _, _, result = chat("1. TERMINATE", max_turns=None)

    more = result.resume()

    assert (more.ended_by, len(more)) == (EndedBy.TERMINATION, 0)


def test_agents_remember_again_when_they_have_talked_otherwise_since():
    me, other, result = chat("1", "2", "other", "3", max_turns=1)
    me.initiate_chat(other, message="something else", max_turns=1)

    result.resume(max_turns=1)

    assert texts(me.chat_messages[other]) == ["go", "1", "", "other"]
    assert [one["content"] for one in wire_of(other)] == ["go", "1", ""]


def test_chat_that_was_sent_on_is_resumed_as_a_whole():
    me, other, _ = chat("1", "2", "3", max_turns=1)
    sent = me.send("more", other, request_reply=False)

    more = sent.resume(max_turns=1)

    assert texts(more.messages) == ["2"]
    assert [one["content"] for one in wire_of(other)] == ["go", "1", "more"]


def test_chat_is_not_resumed_while_its_agents_are_in_another():
    me, other, result = chat("1", "2", "3", max_turns=1)
    refused = []

    def reply(recipient, messages, sender, config):
        with pytest.raises(ConfigurationError, match="in another one that has not ended") as caught:
            asyncio.run(elsewhere())
        refused.append(caught.value)
        return True, "TERMINATE"

    async def elsewhere():
        token = current_run.set(None)  # as in another cell, or another thread
        try:
            await result.a_resume()
        finally:
            current_run.reset(token)

    other.register_auto_reply(me, reply)
    me.initiate_chat(other, message="new")

    assert len(refused) == 1


def test_chat_that_never_was_cannot_be_resumed():
    _, _, result = chat("1", max_turns=1)

    with pytest.raises(ConfigurationError, match="has never begun"):
        ChatResult(EndedBy.ERROR, "", result.log, 7, 0, len(result.log)).resume()


@both_faces
def test_resuming_runs_nothing_again(face):
    executor = FakeExecutor()
    me = user(code_execution_config={"executor": executor})
    other = assistant("```python\nx = 1\n```", "It ran.", "More.")
    result = me.initiate_chat(other, message="go", max_turns=2)

    face(result, "resume", max_turns=1)

    assert executor.codes == ["x = 1\n"]


# -- Retry -------------------------------------------------------------------------------------------------------


@both_faces
def test_last_reply_of_a_model_is_asked_for_anew(face):
    me, other, result = chat("1", "bad", "better")

    again = face(result, "retry", max_turns=1)

    assert texts(again.messages)[0] == "better"
    assert texts(me.chat_messages[other])[:4] == ["go", "1", "", "better"]
    assert "bad" not in texts(other.chat_messages[me])
    assert [one["content"] for one in wire_of(other, 2)] == ["go", "1", ""]
    assert [one.text for one in again.events if isinstance(one, Noted)] == [
        "The last reply of a model is asked for anew."
    ]


@both_faces
def test_what_came_of_a_reply_is_forgotten_with_it_when_it_is_retried(face):
    executor = FakeExecutor()
    me = user(code_execution_config={"executor": executor})
    other = assistant("```python\nbad\n```", "good. TERMINATE")
    result = me.initiate_chat(other, message="go", max_turns=1)
    result = result.resume(termination=TextMention("exitcode"))
    assert texts(me.chat_messages[other])[2].startswith("exitcode: 0")

    again = face(result, "retry")

    assert texts(again.messages) == ["good. TERMINATE"]
    assert texts(me.chat_messages[other]) == ["go", "good. TERMINATE"]
    assert executor.codes == ["bad\n"]


@both_faces
def test_reply_that_has_failed_is_asked_for_again(face):
    me, other = user(), assistant("1", ModelUnavailableError("down"), "2. TERMINATE")
    with pytest.raises(ModelUnavailableError) as caught:
        face(me, "initiate_chat", other, message="go")

    again = face(caught.value.result, "retry")

    assert texts(again.messages) == ["2. TERMINATE"]
    assert texts(me.chat_messages[other]) == ["go", "1", "", "2. TERMINATE"]


@both_faces
def test_what_the_initiator_has_said_is_the_first_half_of_a_turn(face):
    _, _, result = chat("1", "2", "3", "4", max_turns=1)

    retried = face(result, "retry")
    resumed = face(retried, "resume")
    edited = face(result, "edit", "changed")

    assert [texts(one.messages) for one in (retried, resumed, edited)] == [["2"], ["", "3"], ["changed", "", "4"]]


def test_chat_can_be_retried_again_and_again():
    me, other, result = chat("1", "2", "3", max_turns=1)

    last = result.retry().retry()

    assert texts(last.messages)[0] == "3"
    assert texts(me.chat_messages[other]) == ["go", "3"] + texts(last.messages)[1:]


def test_retrying_is_refused_when_no_model_has_replied():
    result = talker("a", "x").initiate_chat(talker("b", "y"), message="go", max_turns=1)

    with pytest.raises(ConfigurationError, match="no model has replied"):
        result.retry()


def test_limit_of_automatic_replies_is_where_it_was_when_a_reply_is_retried():
    me, other = user(max_consecutive_auto_reply=1), assistant("1", "2", "3")
    result = me.initiate_chat(other, message="go")

    again = result.retry()

    assert (texts(again.messages), again.ended_by) == (["3"], EndedBy.AUTO_REPLY_LIMIT)


# -- Edit --------------------------------------------------------------------------------------------------------


@both_faces
def test_last_message_says_something_else_when_it_is_edited(face):
    me, other, result = chat("1", "2", "3")

    edited = face(result, "edit", "changed", max_turns=1)

    assert texts(edited.messages) == ["changed", "", "3"]
    assert edited.messages[0]["name"] == "assistant"
    assert texts(me.chat_messages[other]) == ["go", "1", "", "changed", "", "3"]
    assert memory(me, other)[3] == ("user", "changed")
    assert memory(other, me)[3] == ("assistant", "changed")
    assert texts(result.messages) == ["go", "1", "", "2"]


@both_faces
def test_opening_message_may_be_edited(face):
    me, other = user(), assistant(ModelUnavailableError("down"), "Yes. TERMINATE")
    with pytest.raises(ModelUnavailableError) as caught:
        me.initiate_chat(other, message="tpyo")

    edited = face(caught.value.result, "edit", "typo")

    assert texts(edited.messages) == ["typo", "Yes. TERMINATE"]
    assert [one["content"] for one in wire_of(other)] == ["typo"]


def test_calls_are_gone_with_the_message_that_is_edited():
    call = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}
    _me, _other, result = chat(call, "fine. TERMINATE", max_turns=1)

    edited = result.edit("I call nothing.", max_turns=2)

    assert texts(edited.messages) == ["I call nothing.", "", "fine. TERMINATE"]


# -- Fork --------------------------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize(("at", "kept"), [(0, 1), (1, 2), (2, 3), (-1, 4), (None, 4)])
def test_fork_remembers_what_was_said_up_to_a_message(face, at, kept):
    me, other, result = chat("1", "2", "3", "4")

    fork = result.fork(at=at)

    whole = ["go", "1", "", "2"]
    assert texts(fork.initiator.chat_messages[fork.recipient]) == whole[:kept]
    assert memory(fork.recipient, fork.initiator) == memory(other, me)[:kept]
    assert fork.agents == {"user": fork.initiator, "assistant": fork.recipient}
    assert fork.at == kept - 1


@both_faces
def test_both_go_on_apart_after_a_fork(face):
    me, other, result = chat("1", "2", "3", "4", "5")
    before = memory(me, other), memory(other, me), len(result.log)

    fork = result.fork(at=1)
    resumed = face(fork, "resume", max_turns=1)
    sent = face(fork, "send", "and?", max_turns=1)

    assert texts(resumed.messages) == ["", "3"]
    assert texts(sent.messages) == ["and?", "4"]
    assert texts(fork.recipient.chat_messages[fork.initiator]) == ["go", "1", "", "3", "and?", "4"]
    assert (memory(me, other), memory(other, me), len(result.log)) == before
    assert texts(result.resume(max_turns=1).messages) == ["", "5"]


def test_fork_is_of_agents_like_any_others():
    _, _, result = chat("1", "2", "3", "4")

    fork = result.fork(at=1)
    again = fork.initiator.initiate_chat(fork.recipient, message="new", clear_history=False, max_turns=1)

    assert [one["content"] for one in wire_of(fork.recipient)] == ["go", "1", "new"]
    assert again.fork().at == 1


def test_originals_know_nobody_of_a_fork():
    me, other, result = chat("1", "2", "3", "4")

    fork = result.fork(at=1)
    fork.initiator.update_max_consecutive_auto_reply(3)
    fork.resume(max_turns=1)

    assert (list(me.chat_messages), list(other.chat_messages)) == ([other], [me])
    assert list(fork.initiator.chat_messages) == [fork.recipient]
    assert me.max_consecutive_auto_reply() == 100


def test_fork_is_refused_after_a_message_that_was_not_said():
    _, _, result = chat("1", max_turns=1)

    with pytest.raises(ConfigurationError, match="it has 2 messages"):
        result.fork(at=2)
    with pytest.raises(ConfigurationError, match="counted from 0"):
        result.fork(at=-9)


def test_fork_of_an_agent_of_ones_own_has_its_state_and_its_reply_functions():
    class Counter(ResponsiveAgent):
        def __init__(self, partner):
            super().__init__("counter", human_input_mode="NEVER", code_execution_config=False, llm_config=False)
            self.partner, self.seen, self.config_of = partner, [], {}
            self.register_auto_reply([partner, None], Counter.count, config={"n": 0})
            self.register_function({"own": self.own})

        def own(self):
            return self

        def count(self, messages=None, sender=None, config=None):
            self.seen.append(len(messages))
            config["n"] += 1
            return True, f"{config['n']} of {self.partner.name} {self.partner is sender}"

    me = user(max_consecutive_auto_reply=9)
    counter = Counter(me)
    result = me.initiate_chat(counter, message="go", max_turns=2)
    fork = result.fork(at=1)

    more = fork.resume(max_turns=1)

    assert texts(more.messages) == ["", "3 of user True"]
    assert counter.seen == [1, 3]
    assert fork.recipient.seen == [1, 3, 3]
    assert fork.recipient.partner is fork.initiator
    assert fork.recipient.function_map["own"]() is fork.recipient


# -- Groups ------------------------------------------------------------------------------------------------------


@both_faces
def test_group_goes_on_after_its_last_speaker(face):
    me, a, _b, manager = group(["A1", "A2", "A3"], ["B1", "B2"])
    result = me.initiate_chat(manager, message="Go")

    more = face(result, "resume")

    assert by_name(result) == [("user", "Go"), ("A", "A1"), ("B", "B1"), ("user", "")]
    assert by_name(more) == [("A", "A2"), ("B", "B2"), ("user", ""), ("A", "A3")]
    assert more.ended_by == EndedBy.MAX_ROUNDS
    assert texts(manager.groupchat.messages) == ["Go", "A1", "B1", "", "A2", "B2", "", "A3"]
    assert [one["name"] for one in manager.groupchat.messages][:5] == ["user", "A", "B", "user", "A"]
    assert texts(a.chat_messages[manager]) == texts(manager.groupchat.messages)


@both_faces
def test_same_member_of_a_group_is_asked_anew(face):
    me, a, b, manager = group(["A1", "A2"], ["bad", "better", "B3"], rounds=3)
    result = me.initiate_chat(manager, message="Go")

    again = face(result, "retry", termination=TextMention("better"))

    assert by_name(again) == [("B", "better")]
    assert texts(manager.groupchat.messages) == ["Go", "A1", "better"]
    assert texts(a.chat_messages[manager]) == ["Go", "A1", "better"]
    assert manager.last_speaker is b


@both_faces
def test_last_message_of_a_group_is_edited(face):
    me, a, _b, manager = group(["A1", "A2"], ["B1"], rounds=3)
    result = me.initiate_chat(manager, message="Go")

    edited = face(result, "edit", "B changed", termination=TextMention("A2"))

    assert by_name(edited) == [("B", "B changed"), ("user", ""), ("A", "A2")]
    assert texts(manager.groupchat.messages) == ["Go", "A1", "B changed", "", "A2"]
    assert texts(a.chat_messages[manager]) == ["Go", "A1", "B changed", "", "A2"]


def test_group_that_was_taken_back_stays_so_when_it_goes_on_again():
    me, _a, b, manager = group(["A1", "A2", "A3"], ["B1", "B2", "B3"], rounds=3)
    result = me.initiate_chat(manager, message="Go")

    again = result.retry(termination=MaxMessages(1))
    again.resume(termination=MaxMessages(2))

    assert texts(manager.groupchat.messages) == ["Go", "A1", "B2", "", "A2"]
    assert texts(b.chat_messages[manager]) == ["Go", "A1", "B2", "", "A2"]


@both_faces
@pytest.mark.parametrize("introduces", [False, True])
def test_group_is_forked_with_all_its_members(face, introduces):
    me, a, b, manager = group(["A1", "A2", "A3"], ["B1", "B2"], send_introductions=introduces)
    result = me.initiate_chat(manager, message="Go")
    before = texts(manager.groupchat.messages), [memory(one, manager) for one in (me, a, b)]

    fork = result.fork(at=1)
    inner = fork.recipient.groupchat
    stood = texts(inner.messages), inner.last_speaker
    more = face(fork, "resume", termination=MaxMessages(2))

    assert stood == (["Go", "A1"], fork.agents["A"])
    assert by_name(more) == [("B", "B2"), ("user", "")]
    assert texts(inner.messages) == ["Go", "A1", "B2", ""]
    assert texts(fork.agents["A"].chat_messages[fork.recipient])[introduces:] == ["Go", "A1", "B2", ""]
    assert (texts(manager.groupchat.messages), [memory(one, manager) for one in (me, a, b)]) == before
    assert set(map(id, inner.agents)).isdisjoint(map(id, manager.groupchat.agents))


def test_function_that_selects_speakers_works_in_a_fork_though_it_knows_the_originals():
    agents = {}

    def select(last, groupchat):
        assert last in groupchat.agents
        return agents["B"] if last is agents["A"] else agents["A"]

    me, a, b, manager = group(["A1", "A2", "A3"], ["B1", "B2", "B3"], speaker_selection_method=select)
    agents |= {"A": a, "B": b}
    result = me.initiate_chat(manager, message="Go")

    more = result.fork(at=1).resume(termination=MaxMessages(2))

    assert by_name(result) == [("user", "Go"), ("A", "A1"), ("B", "B1"), ("A", "A2")]
    assert by_name(more) == [("B", "B2"), ("A", "A3")]


def test_group_of_a_team_is_forked_whole():
    me = user()
    inner_a, inner_b = assistant("a1", "a2", "a3", name="ia"), assistant("b1", "b2", "b3", name="ib")
    team = GroupChatManager(
        GroupChat([inner_a, inner_b], max_round=3, speaker_selection_method="round_robin"),
        name="team",
        llm_config=False,
        description="a team",
    )
    outer = GroupChatManager(
        GroupChat([me, team], max_round=3, speaker_selection_method="round_robin"), llm_config=False
    )
    result = me.initiate_chat(outer, message="Go")

    fork = result.fork(at=1)

    assert set(fork.agents) == {"user", "chat_manager", "team", "ia", "ib"}
    twin = fork.agents["team"]
    assert twin.groupchat.agents == [fork.agents["ia"], fork.agents["ib"]]
    assert texts(twin.groupchat.messages) == texts(team.groupchat.messages)[: len(twin.groupchat.messages)]
    assert by_name(fork.resume(termination=MaxMessages(1)))[0][0] == "user"


# -- What a chat around it leaves ---------------------------------------------------------------------------------


@both_faces
def test_nested_chat_of_the_same_two_is_not_mixed_in(face):
    me, other = user(), assistant("1", "inner", "2", "3", "4")

    def ask(recipient, messages, sender, config):
        if len(messages) == 2:
            me.initiate_chat(other, message="aside", max_turns=1)
        return False, None

    me.register_auto_reply(other, ask)
    result = me.initiate_chat(other, message="go", max_turns=2)

    fork = result.fork()
    face(result, "resume", max_turns=1)

    assert texts(fork.initiator.chat_messages[fork.recipient]) == ["go", "1", "", "2"]
    assert texts(me.chat_messages[other]) == ["go", "1", "", "2", "", "3"]


def test_nothing_is_said_twice_to_the_log_when_agents_remember_already():
    _me, _other, result = chat("1", "2", "3", "4")

    more = result.resume()

    assert [one for one in more.events if isinstance(one, HistorySet)] == []


def test_result_of_a_log_without_agents_says_that_it_cannot_go_on():
    from jupyter_agents.events import ChatStarted
    from tests.chats import result_of, said

    with pytest.raises(ConfigurationError, match="does not know the agent 'a'"):
        result_of(ChatStarted(0, "a", "b"), said("a", "b")).resume()


def test_fresh_model_answers_when_the_agent_was_given_another_since():
    _me, other, result = chat("1", max_turns=1)
    other._model_config = type(other.model_config).from_classic(ScriptedModel(["from another"]))

    assert texts(result.retry(max_turns=1).messages)[0] == "from another"
