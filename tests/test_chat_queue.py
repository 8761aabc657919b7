"""Chats of a queue: in sequence with what came of those before, or by their prerequisites; one log and one budget."""

import asyncio
import threading

import pytest

from jupyter_agents import Budget, EndedBy, GroupChat, GroupChatManager, ResponsiveAgent, UserProxyAgent
from jupyter_agents.agents.chat_queue import a_initiate_chats, initiate_chats
from jupyter_agents.control import Control, use_control
from jupyter_agents.display.bundle import Transcript
from jupyter_agents.errors import ConfigurationError, ModelUnavailableError, ScriptEndedError
from jupyter_agents.events import ChatStarted, Entry, Noted, SeriesEnded, SeriesStarted
from jupyter_agents.journal.recording import Recording
from jupyter_agents.journal.trust import TrustStore
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from tests.drivers import on_a_loop
from tests.fakes import assistant, both_faces, quiet_session, talker, texts, user


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as quiet:
        yield quiet


def sync_queue(queue, **options):
    return initiate_chats(queue, **options)


def async_queue(queue, **options):
    return on_a_loop(lambda: a_initiate_chats(queue, **options))


both_queues = pytest.mark.parametrize("hold", [sync_queue, async_queue], ids=["sync", "async"])


def teller(name, *said):
    """An agent that says this and ends the chat."""
    return assistant(*(f"{one} TERMINATE" for one in said or (f"I am {name}.",)), name=name)


def chat(recipient, message="Go", sender=None, **options):
    return {"sender": sender or user(), "recipient": recipient, "message": message, **options}


def openings(results):
    found = results.values() if isinstance(results, dict) else results
    return [one.messages[0]["content"] for one in found]


# -- In sequence -------------------------------------------------------------------------------------------------


@both_queues
def test_each_chat_is_given_what_those_before_came_to(hold):
    me = user()

    results = hold([chat(teller(name), f"Ask {name}", me) for name in "abc"])

    assert openings(results) == ["Ask a", "Ask b\nContext: \nI am a.", "Ask c\nContext: \nI am a.\nI am b."]
    assert [one.summary for one in results] == ["I am a.", "I am b.", "I am c."]


@both_queues
def test_own_carryover_comes_before_what_chats_came_to(hold):
    results = hold([chat(teller("a")), chat(teller("b"), carryover="Mine."), chat(teller("c"), carryover=["x", "y"])])

    assert openings(results)[1:] == ["Go\nContext: \nMine.\nI am a.", "Go\nContext: \nx\ny\nI am a.\nI am b."]


def test_what_some_chats_came_to_is_left_out_when_the_entry_says_so():
    left_out = {"finished_chat_indexes_to_exclude_from_carryover": [0]}

    results = initiate_chats([chat(teller("a")), chat(teller("b")), chat(teller("c"), **left_out)])

    assert openings(results)[2] == "Go\nContext: \nI am b."


def test_chat_without_a_summary_carries_nothing_over():
    results = initiate_chats([chat(teller("a"), summary_method=None), chat(teller("b"))])

    assert openings(results) == ["Go", "Go"]


def test_function_of_the_context_is_given_what_chats_came_to():
    def compose(sender, recipient, context):
        return f"{recipient.name} hears {context['carryover']} of {context['topic']}"

    results = initiate_chats([chat(teller("a")), chat(teller("b"), compose, topic="snow")])

    assert openings(results)[1] == "b hears ['I am a.'] of snow"


@both_faces
def test_agent_begins_chats_of_its_own(face):
    me, other = user("me"), user("other")

    results = face(me, "initiate_chats", [{"recipient": teller("a"), "message": "Go"}, chat(teller("b"), sender=other)])

    assert [one.messages[0]["name"] for one in results] == ["me", "other"]
    assert me.get_chat_results() == results
    assert me.get_chat_results(1) is results[1]


def test_same_two_may_talk_again_in_sequence_and_go_on():
    me, agent = user(), teller("a", "One.", "Two.")

    initiate_chats([chat(agent, "First", me), chat(agent, "Second", me, clear_history=False)])

    assert texts(agent.chat_messages[me]) == ["First", "One. TERMINATE", "Second\nContext: \nOne.", "Two. TERMINATE"]


def test_entries_stay_as_they_are():
    entry = chat(teller("b"), carryover=["x"])
    before = {key: list(value) if isinstance(value, list) else value for key, value in entry.items()}

    initiate_chats([chat(teller("a")), entry])

    assert entry == before


@both_queues
def test_queue_with_nothing_in_it_gives_nothing(hold):
    assert hold([]) == []


def test_chat_is_begun_as_a_subclass_begins_it():
    class Shouting(UserProxyAgent):
        def initiate_chat(self, recipient, *args, **context):
            return super().initiate_chat(recipient, *args, **(context | {"message": context["message"].upper()}))

    me = Shouting("me", human_input_mode="NEVER", code_execution_config=False)

    assert openings(initiate_chats([chat(teller("a"), "go", me)])) == ["GO"]


def test_override_that_gives_no_result_is_an_error_that_says_so():
    class Silent(UserProxyAgent):
        def initiate_chat(self, recipient, **context):
            super().initiate_chat(recipient, **context)

    me = Silent("me", human_input_mode="NEVER", code_execution_config=False)

    with pytest.raises(ConfigurationError, match=r"initiate_chat\(\) of Silent gave None. Have it return"):
        initiate_chats([chat(teller("a"), sender=me)])


# -- One log, one budget, one recording --------------------------------------------------------------------------


@both_queues
def test_chats_share_one_log_in_which_they_are_a_series(hold):
    results = hold([chat(teller("a")), chat(teller("b"))])

    log = results[0].log
    assert results[1].log is log
    assert log.select(SeriesStarted, SeriesEnded) == [SeriesStarted(0, 2), SeriesEnded(0)]
    assert [(one.chat, one.parent) for one in log.select(ChatStarted)] == [(1, 0), (2, 0)]
    assert [one.chat_id for one in results] == [1, 2]
    assert [len(one) for one in results] == [2, 2]


def test_transcript_says_where_each_chat_begins_and_indents_none():
    results = initiate_chats([chat(teller("a")), chat(teller("b"))])

    transcript = Transcript()
    shown = [bundle for one in results[0].log if (bundle := transcript.bundle(one)) is not None]
    assert [one.data["text/plain"].partition("\n")[0] for one in shown] == [
        "Chat 1 of 2: user and a.",
        "user (to a) · chat 1:",
        "a (to user) · chat 1:",
        "Chat 2 of 2: user#2 and b, with what chat 1 came to.",
        "user#2 (to b) · chat 2:",
        "b (to user#2) · chat 2:",
    ]
    assert all("depth" not in one.data["application/vnd.jupyter-agents.message+json"] for one in shown)


def test_silent_chat_is_not_announced():
    heard = []
    with use_session(quiet_session(make_listeners=lambda: [heard.append])):
        user().initiate_chats([chat(teller("a"), silent=True), chat(teller("b"))])

    said = [one.event.text for one in heard if isinstance(one, Entry) and isinstance(one.event, Noted)]
    assert said == ["Chat 2 of 2: user#2 and b, with what chat 1 came to."]


@both_queues
def test_budget_covers_all_chats(hold):
    agents = [assistant(*[f"{name} {n}." for n in range(9)], name=name) for name in "abc"]

    me = user(default_auto_reply="More?")
    results = hold([chat(one, sender=me, max_turns=2) for one in agents], budget=Budget(model_calls=3))

    assert [one.ended_by for one in results] == [EndedBy.MAX_TURNS, EndedBy.BUDGET, EndedBy.BUDGET]
    assert [one.model.calls for one in agents] == [2, 1, 0]


@both_faces
def test_queue_in_a_tool_belongs_to_the_chat_around_it(face):
    experts, asker = [teller("a"), teller("b")], user("asker")

    def consult():
        return asker.initiate_chats([{"recipient": one, "message": "Go"} for one in experts])[-1].summary

    call = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "consult", "arguments": "{}"}}]}
    agent = assistant(call, "TERMINATE")
    result = face(user(function_map={"consult": consult}), "initiate_chat", agent, message="go", budget=Budget(turns=9))

    assert result.messages[2]["content"] == "I am b."
    assert [(one.chat, one.parent) for one in result.log.select(ChatStarted)] == [(0, None), (1, 0), (2, 0)]
    assert not result.log.select(SeriesStarted)
    assert result.model_calls == 4


@both_queues
def test_budget_of_a_queue_in_a_chat_is_part_of_the_one_around_it(hold):
    agents = [assistant(*[f"{name} {n}." for n in range(9)], name=name) for name in "ab"]
    found = []

    def consult(recipient, messages, sender, config):
        found.extend(initiate_chats([chat(one, max_turns=1) for one in agents], budget=Budget(model_calls=1)))
        return True, "Done. TERMINATE"

    consultant = talker("consultant")
    consultant.register_auto_reply(ResponsiveAgent, consult, position=1)

    [result] = hold([chat(consultant)])

    assert [one.ended_by for one in found] == [EndedBy.MAX_TURNS, EndedBy.BUDGET]
    assert result.ended_by is EndedBy.TERMINATION


@both_queues
def test_queue_is_recorded_and_replayed_as_one(hold, tmp_path):
    path = tmp_path / "chats.jsonl"
    first = held_with(hold, path, "record", [["One."], ["Two."], ["Three."]])

    again = held_with(hold, path, "replay", [[], [], []])

    assert first == again == {"x": "One.", "y": "Two.", "z": "Three."}


def held_with(hold, path, mode, replies):
    recording = Recording.open(path, mode, trust=TrustStore(path.with_name("trust")))
    x, y, z = (assistant(*one, name=name) for one, name in zip(replies, "xyz", strict=True))
    with use_session(quiet_session(find_recording=lambda: recording)):
        queue = [
            chat(x, chat_id="x", max_turns=1),
            chat(y, chat_id="y", max_turns=1),
            chat(z, chat_id="z", max_turns=1, prerequisites=["y", "x"]),
        ]
        return {key: one.summary for key, one in hold(queue).items()}


def test_recording_finds_chats_that_began_in_another_order(tmp_path):
    """A chat that waits for others begins whenever they have ended: its place must not depend on that."""
    path = tmp_path / "chats.jsonl"

    async def hold(mode, slow, replies):
        recording = Recording.open(path, mode, trust=TrustStore(path.with_name("trust")))
        agents = {name: assistant(*replies.get(name, ()), name=name) for name in "abcd"}
        queue = [
            chat(agents["a"], chat_id="a", max_turns=1, summary_method=waiting(0.05 if slow == "a" else 0)),
            chat(agents["b"], chat_id="b", max_turns=1, summary_method=waiting(0.05 if slow == "b" else 0)),
            chat(agents["c"], chat_id="c", max_turns=1, prerequisites=["a"]),
            chat(agents["d"], chat_id="d", max_turns=1, prerequisites=["b"]),
        ]
        with use_session(quiet_session(find_recording=lambda: recording)):
            return {key: one.messages[-1]["content"] for key, one in (await a_initiate_chats(queue)).items()}

    replies = {name: [f"I am {name}."] for name in "abcd"}
    first = asyncio.run(hold("record", "a", replies))

    assert asyncio.run(hold("replay", "b", {})) == first


def waiting(seconds):
    async def sum_up(sender, recipient, args):
        await asyncio.sleep(seconds)
        return "So."

    return sum_up


# -- By prerequisites --------------------------------------------------------------------------------------------


def diamond(**agents):
    found = {name: agents.get(name) or teller(name) for name in "abcd"}
    return [
        chat(found["d"], "D", chat_id="d", prerequisites=["b", "c"]),
        chat(found["b"], "B", chat_id="b", prerequisites=["a"]),
        chat(found["c"], "C", chat_id="c", prerequisites=["a"]),
        chat(found["a"], "A", chat_id="a"),
    ]


@both_queues
def test_chat_begins_when_its_prerequisites_have_ended_and_is_given_what_they_came_to(hold):
    results = hold(diamond())

    assert list(results) == ["d", "b", "c", "a"]
    assert openings(results) == [
        "D\nContext: \nI am b.\nI am c.",
        "B\nContext: \nI am a.",
        "C\nContext: \nI am a.",
        "A",
    ]
    assert {key: one.chat_id for key, one in results.items()} == {key: key for key in "abcd"}


@both_queues
def test_numbers_of_chats_are_those_of_the_queue_whichever_begins_first(hold):
    results = hold(diamond())

    assert [one.chat for one in results.values()] == [1, 2, 3, 4]
    assert [one.chat for one in results["a"].log.select(ChatStarted)] == [4, 2, 3, 1]


def test_what_a_prerequisite_came_to_is_left_out_when_the_entry_says_so():
    queue = diamond()
    queue[0]["finished_chat_indexes_to_exclude_from_carryover"] = ["b"]

    assert openings(initiate_chats(queue))[0] == "D\nContext: \nI am c."


def meeting_agents(count):
    """Agents whose models answer when all of them have been asked, and never before."""
    barrier = asyncio.Barrier(count)

    async def meet(request):
        await asyncio.wait_for(barrier.wait(), 20)
        return "We met. TERMINATE"

    from jupyter_agents import AssistantAgent

    return [AssistantAgent(f"m{number}", llm_config=ScriptedModel(meet)) for number in range(count)]


def test_chats_that_need_no_other_are_held_at_the_same_time():
    async def hold():
        agents = meeting_agents(5)
        return await a_initiate_chats([chat(one, chat_id=number) for number, one in enumerate(agents)])

    results = asyncio.run(hold())

    assert [one.summary for one in results.values()] == ["We met."] * 5


def test_chat_waits_only_for_what_it_needs():
    async def hold():
        one, other = meeting_agents(2)  # the second of a chain meets who needs nobody
        queue = [chat(one, chat_id=1), chat(teller("a"), chat_id=2), chat(other, chat_id=3, prerequisites=[2])]
        return await a_initiate_chats(queue)

    assert [one.summary for one in asyncio.run(hold()).values()] == ["We met.", "I am a.", "We met."]


def test_chats_are_held_one_after_the_other_by_the_sync_face():
    order = []
    agents = {name: assistant(lambda _, name=name: order.append(name) or "x. TERMINATE", name=name) for name in "abcd"}

    initiate_chats(diamond(**agents))

    assert order == ["a", "b", "c", "d"]


@both_queues
def test_long_chain_needs_no_recursion(hold):
    queue = [
        chat(teller(f"a{n}"), chat_id=n, prerequisites=[n - 1] if n else [], summary_method=None) for n in range(400)
    ]

    assert len(hold(queue)) == 400


# -- Failures ----------------------------------------------------------------------------------------------------


@both_queues
def test_chat_that_fails_ends_a_sequence_with_the_results_so_far(hold):
    down = assistant(ModelUnavailableError("the server is down"), name="b")
    last = teller("c")

    with pytest.raises(ModelUnavailableError, match="the server is down") as caught:
        hold([chat(teller("a")), chat(down), chat(last)])

    assert [one.summary for one in caught.value.results] == ["I am a."]
    assert texts(caught.value.result.messages) == ["Go\nContext: \nI am a."]
    assert last.model.calls == 0


@both_queues
def test_others_go_on_when_a_chat_fails_but_for_those_that_need_it(hold):
    agents = {"b": assistant(ModelUnavailableError("the server is down"), name="b")}
    queue = [*diamond(**agents), chat(teller("e"), chat_id="e", prerequisites=["c"])]

    with pytest.raises(ModelUnavailableError) as caught:
        hold(queue)

    assert sorted(caught.value.results) == ["a", "c", "e"]
    assert caught.value.__notes__[1:] == ["The chat of user and d was not begun: it needs one that failed."]


@both_queues
def test_first_error_names_the_others(hold):
    agents = {name: assistant(ModelUnavailableError(f"{name} is down"), name=name) for name in "bc"}

    with pytest.raises(ModelUnavailableError, match="b is down") as caught:
        hold(diamond(**agents))

    assert "Chat 'c' failed, too: ModelUnavailableError: c is down" in caught.value.__notes__


@both_queues
@pytest.mark.parametrize(
    ("ids", "name"), [(({}, {}), "2 of 2"), (({"chat_id": "x"}, {"chat_id": "y"}), "'y'")], ids=["number", "id"]
)
def test_error_names_the_chat_that_it_ended(hold, ids, name):
    me = user()

    with pytest.raises(ModelUnavailableError) as caught:
        hold(
            [
                chat(teller("a"), sender=me, **ids[0]),
                chat(assistant(ModelUnavailableError("down"), name="b"), sender=me, **ids[1]),
            ]
        )

    assert caught.value.__notes__ == [f"It ended chat {name}, of user and b."]


def test_error_names_some_of_many_chats_that_were_not_begun():
    queue = [chat(assistant(ModelUnavailableError("down"), name="a")), *(chat(teller(f"b{at}")) for at in range(20))]

    with pytest.raises(ModelUnavailableError) as caught:
        initiate_chats(queue)

    assert len(caught.value.__notes__) == 5
    assert caught.value.__notes__[-1] == "Nor were 17 others."


def test_error_that_two_chats_raise_has_each_note_once():
    error = ModelUnavailableError("down")
    queue = [chat(assistant(error, name=name), chat_id=name) for name in "ab"]

    with pytest.raises(ModelUnavailableError) as caught:
        asyncio.run(a_initiate_chats(queue))

    assert len(caught.value.__notes__) == len(set(caught.value.__notes__)) == 2


@both_faces
def test_results_of_an_agent_are_those_that_have_ended_when_a_chat_fails(face):
    me = user()

    with pytest.raises(ScriptEndedError):
        face(me, "initiate_chats", [{"recipient": one, "message": "Go"} for one in (teller("a"), assistant(name="b"))])

    assert [one.summary for one in me.get_chat_results()] == ["I am a."]


@both_queues
def test_interrupt_ends_all_with_the_results_so_far(hold):
    last = teller("c")

    with pytest.raises(BaseException) as caught:  # noqa: PT011 - each face has its own
        hold([chat(teller("a")), chat(assistant(KeyboardInterrupt(), name="b")), chat(last)])

    assert type(caught.value).__name__ in ("ChatInterrupted", "ChatCancelled")
    assert [(one.summary, one.ended_by) for one in caught.value.results] == [
        ("I am a.", EndedBy.TERMINATION),
        ("Go\nContext: \nI am a.", EndedBy.INTERRUPTED),
    ]
    assert last.model.calls == 0


def test_interrupt_of_one_ends_those_at_the_same_time_and_leaves_the_loop_alone():
    async def never(request):
        await asyncio.sleep(60)

    async def hold():
        agents = [assistant(never, name="a"), assistant(KeyboardInterrupt(), name="b")]
        try:
            await a_initiate_chats([chat(one, chat_id=one.name) for one in agents])
        except asyncio.CancelledError as stop:
            return stop, len(asyncio.all_tasks())

    stop, tasks = asyncio.run(hold())

    assert {key: one.ended_by for key, one in stop.results.items()} == {
        "a": EndedBy.INTERRUPTED,
        "b": EndedBy.INTERRUPTED,
    }
    assert tasks == 1


@pytest.mark.parametrize("is_async", [False, True])
def test_stop_ends_all_in_order_and_gives_what_there_is(is_async):
    control = Control()

    def stopping(request):
        threading.Thread(target=control.stop).start()
        threading.Event().wait(20)  # the stop interrupts it
        return "never"

    async def a_stopping(request):
        control.stop()
        await asyncio.sleep(20)

    agents = [teller("a"), assistant(a_stopping if is_async else stopping, name="b"), teller("c")]
    with use_control(control):
        queue = [chat(one) for one in agents]
        results = asyncio.run(a_initiate_chats(queue)) if is_async else initiate_chats(queue)

    assert [one.ended_by for one in results] == [EndedBy.TERMINATION, EndedBy.STOPPED]
    assert agents[2].model.calls == 0


# -- What is refused ---------------------------------------------------------------------------------------------


def other_team():
    members = [talker("x", "x"), talker("y", "y")]
    return GroupChatManager(GroupChat(members, speaker_selection_method="round_robin"), llm_config=False)


ME, TEAM = user("me"), other_team()
REFUSED = [
    ({"recipient": teller("a")}, "give a list of dictionaries"),
    ("abc", "give a list of dictionaries"),
    (3, "give a list of dictionaries"),
    ([teller("a")], "Cannot hold chat 1: .* is no dictionary"),
    ([{"sender": ME, "message": "x"}], "Cannot hold chat 1: it has no recipient"),
    ([{"recipient": ME, "message": "x"}], "Cannot hold chat 1: it has no sender"),
    ([chat("a")], "its recipient 'a' is no agent"),
    ([chat(teller("a"), max_turn=1)], "it has 'max_turn', which nobody reads. Use 'max_turns'"),
    ([chat(teller("a"), xyz=1)], "it has 'xyz', which nobody reads. Known are sender, recipient"),
    ([chat(teller("a"), max_turns=0)], "Cannot hold chat 1: Cannot use max_turns=0"),
    ([chat(teller("a"), summary_method="last")], "Cannot hold chat 1: Cannot use summary_method='last'"),
    ([chat(talker("a"), summary_method="reflection_with_llm")], "neither 'a' nor 'user' has one"),
    ([chat(teller("a"), carryover=3)], "Cannot hold chat 1: Cannot carry over 3"),
    ([chat(teller("a"), finished_chat_indexes_to_exclude_from_carryover=[4])], "has 4, and there is no such chat"),
    ([chat(teller("a"), finished_chat_indexes_to_exclude_from_carryover="0")], "Give a list"),
    ([chat(teller("a"), chat_id=1), chat(teller("b"))], "Cannot hold chat 2: it has no chat_id"),
    ([chat(teller("a"), prerequisites=[])], "Cannot hold chat 1: it has no chat_id"),
    ([chat(teller("a"), chat_id=[1])], "may change"),
    ([chat(teller("a"), chat_id=1), chat(teller("b"), chat_id=1)], "2 have the chat_id 1"),
    ([chat(teller("a"), chat_id="one", prerequisites="one")], "Give a list of chat_ids"),
    ([chat(teller("a"), chat_id="one"), chat(teller("b"), chat_id="b", prerequisites=["ones"])], "'ones' of its prerequisites. Use one"),
    ([chat(teller("a"), chat_id=1, prerequisites=[1])], "in a circle, 1 needs 1"),
    (
        [chat(teller("a"), chat_id=n, prerequisites=[{1: 3, 2: 1, 3: 2, 4: 1}[n]]) for n in (1, 2, 3, 4)],
        "in a circle, 1 needs 3 needs 2 needs 1. Take one of them out",
    ),
    ([chat(TEAM, sender=ME, chat_id=1), chat(TEAM, sender=ME, chat_id=2)], "me and chat_manager talk in both"),
    ([chat(ME, sender=TEAM, chat_id=1), chat(TEAM, sender=ME, chat_id=2)], "may be held at the same time"),
    ([chat(TEAM, chat_id=1), chat(TEAM, chat_id=2)], "the group of chat_manager talks in both"),
]  # fmt: skip


@both_queues
@pytest.mark.parametrize(("queue", "problem"), REFUSED, ids=range(len(REFUSED)))
def test_queue_is_refused_before_anything_begins(hold, queue, problem):
    with pytest.raises(ConfigurationError, match=problem):
        hold(queue)


def test_nothing_is_said_when_a_later_entry_is_wrong():
    first = teller("first")

    with pytest.raises(ConfigurationError):
        initiate_chats([chat(first), {"recipient": teller("a")}])

    assert (first.model.calls, first.chat_messages) == (0, {})


def test_same_two_may_talk_twice_when_one_chat_needs_the_other_by_way_of_a_third():
    me, agent = user(), teller("a", "One.", "Two.")
    queue = [
        chat(agent, chat_id=1, sender=me),
        chat(teller("b"), chat_id=2, prerequisites=[1]),
        chat(agent, chat_id=3, sender=me, prerequisites=[2]),
    ]

    assert [one.summary for one in initiate_chats(queue).values()] == ["One.", "I am b.", "Two."]


def test_any_key_may_be_there_when_the_sender_makes_the_message_itself():
    class Asking(UserProxyAgent):
        def generate_init_message(self, problem, **context):
            return f"Solve {problem}"

    me = Asking("me", human_input_mode="NEVER", code_execution_config=False)

    assert openings(initiate_chats([{"sender": me, "recipient": teller("a"), "problem": "this"}])) == ["Solve this"]
