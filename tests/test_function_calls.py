import asyncio
import json
import sys
import threading
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents import EndedBy
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import ToolFinished, ToolStarted
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply
from jupyter_agents.session import use_session
from jupyter_agents.termination import CallOf
from tests.fakes import FakeExecutor, assistant, both_faces, quiet_session, texts, user, wire_of

DONE = "Done.\n\nTERMINATE"


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


def legacy(name, arguments="{}"):
    return {"content": None, "function_call": {"name": name, "arguments": arguments}}


def tools(*calls, **more):
    """A message with calls, each as (id, name) or (id, name, arguments)."""
    return {"content": None, "tool_calls": [one_call(*call) for call in calls]} | more


def one_call(call_id, name, arguments="{}"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def results_of(wire):
    """The results in a request, by id."""
    return [(one["tool_call_id"], one["content"]) for one in wire if one["role"] == "tool"]


def check_calls_are_answered(wire):
    """What a server demands: right after the calls of a message there is exactly one result for each id."""
    for at, message in enumerate(wire):
        ids = [call["id"] for call in message.get("tool_calls") or ()]
        following = wire[at + 1 : at + 1 + len(set(ids))]
        assert [one.get("role") for one in following] == ["tool"] * len(set(ids))
        assert {one["tool_call_id"] for one in following} == set(ids)
    answered = [one["tool_call_id"] for one in wire if one["role"] == "tool"]
    assert len(answered) == len(set(answered))


# -- The legacy form ---------------------------------------------------------------------------------------------


@both_faces
def test_function_is_called_and_the_model_reads_its_result(face):
    agent, me = assistant(legacy("add", '{"a": 1, "b": 2}'), DONE), user(function_map={"add": lambda a, b: a + b})

    result = face(me, "initiate_chat", agent, message="Add")

    assert wire_of(agent) == [
        {"role": "user", "content": "Add"},
        {"role": "assistant", "content": None, "function_call": {"name": "add", "arguments": '{"a": 1, "b": 2}'}},
        {"role": "function", "name": "add", "content": "3"},
    ]
    assert result.ended_by is EndedBy.TERMINATION
    assert me.chat_messages[agent][2] == {"role": "function", "name": "add", "content": "3"}


@both_faces
@pytest.mark.parametrize("form", ["legacy", "tools"])
def test_async_function_is_awaited(face, form):
    async def slow(x):
        await asyncio.sleep(0)
        return x * 2

    call = legacy("slow", '{"x": 2}') if form == "legacy" else tools(("1", "slow", '{"x": 2}'))
    agent = assistant(call, DONE)

    face(user(function_map={"slow": slow}), "initiate_chat", agent, message="go")

    assert wire_of(agent)[-1]["content"] == "4"


@both_faces
def test_method_is_called_with_its_object(face):
    class Account:
        balance = 5

        def deposit(self, amount):
            self.balance += amount
            return self.balance

    account = Account()
    agent = assistant(legacy("deposit", '{"amount": 2}'), DONE)

    face(user(function_map={"deposit": account.deposit}), "initiate_chat", agent, message="go")

    assert (wire_of(agent)[-1]["content"], account.balance) == ("7", 7)


def test_call_is_shown_in_the_log_with_its_result():
    me = user(function_map={"add": lambda a, b: a + b})

    result = me.initiate_chat(assistant(tools(("7", "add", '{"a": 1, "b": 2}')), DONE), message="go")

    assert result.log.select(ToolStarted, ToolFinished) == [
        ToolStarted(0, "user", "add", '{"a": 1, "b": 2}', "7"),
        ToolFinished(0, "user", "add", True, "3", "7"),
    ]


# -- What models get wrong ---------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize("form", ["legacy", "tools"])
@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("missing", "{}", "Error: Function missing not found. Available functions: add, fail."),
        ("add", '{"a": 1', "The argument must be in JSON format."),
        ("add", "[1, 2]", "The arguments are a list, not an object."),
        ("add", '{"a": NaN}', "NaN is not JSON."),
        ("add", '{"a": 1}', "missing 1 required positional argument: 'b'"),
        ("add", '{"a": 1, "b": 2, "c": 3}', "unexpected keyword argument 'c'"),
        ("add", '{"a": 1, "b": "x"}', "unsupported operand type"),
        ("add", "", "missing 2 required positional arguments"),
        ("fail", "{}", "Error: ZeroDivisionError"),
    ],
)
def test_mistake_of_the_model_is_a_result_that_it_can_mend(face, form, name, arguments, said):
    def fail():
        raise ZeroDivisionError

    call = legacy(name, arguments) if form == "legacy" else tools(("1", name, arguments))
    agent = assistant(call, DONE)
    me = user(function_map={"add": lambda a, b: a + b, "fail": fail})

    result = face(me, "initiate_chat", agent, message="go")

    assert said in wire_of(agent)[-1]["content"]
    assert wire_of(agent)[-1]["content"].startswith("Error: ")
    assert (result.ended_by, result.log.select(ToolFinished)[0].ok) == (EndedBy.TERMINATION, False)


def test_line_breaks_that_models_write_into_strings_are_accepted():
    seen = []
    agent = assistant(legacy("python", '{"cell": "x = 1\nprint(\'a\tb\')"}'), DONE)

    user(function_map={"python": lambda cell: seen.append(cell)}).initiate_chat(agent, message="go")

    assert seen == ["x = 1\nprint('a\tb')"]


@both_faces
def test_chat_ends_when_mistakes_are_not_mended(face):
    agent = assistant(*[tools((f"{n}", "missing")) for n in range(9)])

    with use_session(quiet_session(max_repairs=2)):
        result = face(user(), "initiate_chat", agent, message="go")

    assert (result.ended_by, agent.model.calls) == (EndedBy.REPAIRS, 3)


@both_faces
@pytest.mark.parametrize("reason", ["length", "content_filter", "interrupted"])
@pytest.mark.parametrize("form", ["legacy", "tools"])
def test_call_of_a_reply_that_is_not_whole_is_not_made(face, reason, form):
    made = []
    call = legacy("pay", '{"sum": 1}') if form == "legacy" else tools(("1", "pay", '{"sum": 1}'))
    agent = assistant(ModelReply.from_json(call | {"finish_reason": reason}), DONE)

    result = face(user(function_map={"pay": made.append}), "initiate_chat", agent, message="go")

    assert made == []
    if reason == "content_filter":
        assert result.ended_by is EndedBy.FILTERED
    else:
        assert wire_of(agent)[-1]["content"].startswith("Error: Your reply was ")
        assert wire_of(agent)[-1]["content"].endswith("the call was not made.")


@both_faces
def test_error_that_a_person_must_mend_ends_the_chat(face):
    def misconfigured():
        raise ConfigurationError("Cannot reach the data: no path is set. Set one.")

    agent = assistant(tools(("1", "misconfigured")))

    with pytest.raises(ConfigurationError, match="no path is set") as caught:
        face(user(function_map={"misconfigured": misconfigured}), "initiate_chat", agent, message="go")

    assert len(caught.value.result) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "None"), (3.5, "3.5"), ({"a": [1]}, "{'a': [1]}"), ("", ""), ("a\ud800b", "a\ufffdb"), (b"x", "b'x'")],
)
def test_result_is_sent_as_text_whatever_it_is(value, text):
    agent = assistant(tools(("1", "get")), DONE)

    user(function_map={"get": lambda: value}).initiate_chat(agent, message="go")

    assert results_of(wire_of(agent)) == [("1", text)]
    json.dumps(wire_of(agent), ensure_ascii=False).encode()


# -- Several calls -----------------------------------------------------------------------------------------------


@both_faces
def test_all_calls_of_a_message_are_made_in_order_and_each_has_one_result(face):
    made = []
    agent = assistant(tools(("a", "note", '{"x": 1}'), ("b", "missing"), ("c", "note", '{"x": 3}')), DONE)

    result = face(user(function_map={"note": lambda x: made.append(x) or x}), "initiate_chat", agent, message="go")

    assert made == [1, 3]
    assert results_of(wire_of(agent)) == [
        ("a", "1"),
        ("b", "Error: Function missing not found. Available functions: note."),
        ("c", "3"),
    ]
    check_calls_are_answered(wire_of(agent))
    assert texts(result.messages)[2].split("\n\n") == [content for _, content in results_of(wire_of(agent))]


@both_faces
def test_other_calls_are_made_when_functions_exit(face):
    async def leave_later():
        await asyncio.sleep(0)
        sys.exit("usage: x")

    agent = assistant(tools(("a", "leave"), ("b", "leave_later"), ("c", "note")), DONE)
    functions = {"leave": lambda: sys.exit(2), "leave_later": leave_later, "note": lambda: "noted"}

    result = face(user(function_map=functions), "initiate_chat", agent, message="go")

    assert result.ended_by is EndedBy.TERMINATION
    assert results_of(wire_of(agent)) == [
        ("a", "Error: leave has exited with 2 instead of giving a result."),
        ("b", "Error: leave_later has exited with usage: x instead of giving a result."),
        ("c", "noted"),
    ]


@both_faces
def test_call_is_made_once_when_two_have_the_same_id(face):
    made = []
    agent = assistant(
        tools(("same", "note", '{"x": 1}'), ("same", "note", '{"x": 2}'), ("other", "note", '{"x": 3}')), DONE
    )

    face(user(function_map={"note": lambda x: made.append(x) or x}), "initiate_chat", agent, message="go")

    assert made == [1, 3]
    assert results_of(wire_of(agent)) == [("same", "1"), ("other", "3")]


def test_results_are_in_the_order_of_the_calls_when_functions_are_async():
    order = []

    async def wait(turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        order.append(turns)
        return turns

    agent = assistant(tools(("a", "wait", '{"turns": 5}'), ("b", "wait", '{"turns": 0}')), DONE)

    user(function_map={"wait": wait}).initiate_chat(agent, message="go")

    assert results_of(wire_of(agent)) == [("a", "5"), ("b", "0")]


@both_faces
def test_calls_come_before_code_when_a_message_has_both(face):
    executor = FakeExecutor()
    agent = assistant(tools(("1", "note"), content="```python\n1\n```"), DONE)
    me = user(function_map={"note": lambda: "noted"}, code_execution_config={"executor": executor})

    face(me, "initiate_chat", agent, message="go")

    assert (results_of(wire_of(agent)), executor.blocks) == ([("1", "noted")], [])


@both_faces
def test_calls_are_answered_when_the_recipient_has_no_functions(face):
    agent = assistant(tools(("1", "note")), DONE)

    face(user(), "initiate_chat", agent, message="go")

    assert results_of(wire_of(agent)) == [("1", "Error: Function note not found. Available functions: none.")]


# -- A person comes in between -----------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize("ids", [["a"], ["a", "b"], ["same", "same", "other"]])
def test_pending_calls_have_one_result_each_when_a_person_answers_instead(face, ids):
    made = []
    agent = assistant(tools(*[(one, "note") for one in ids]), DONE)
    human = ScriptedHuman(["Do not!", ""])
    me = user(human_input_mode="ALWAYS", human=human, function_map={"note": lambda: made.append(1)})

    face(me, "initiate_chat", agent, message="go")

    assert made == []
    assert results_of(wire_of(agent)) == [(one, "USER INTERRUPTED: Do not!") for one in dict.fromkeys(ids)]
    check_calls_are_answered(wire_of(agent))


@both_faces
def test_pending_legacy_call_has_a_result_when_a_person_answers_instead(face):
    agent = assistant(legacy("note"), DONE)
    me = user(human_input_mode="ALWAYS", human=ScriptedHuman(["Do not!", ""]), function_map={"note": max})

    face(me, "initiate_chat", agent, message="go")

    assert wire_of(agent)[-1] == {"role": "function", "name": "note", "content": "USER INTERRUPTED: Do not!"}


@both_faces
def test_calls_are_made_when_a_person_only_presses_enter(face):
    agent = assistant(tools(("1", "note")), DONE)
    me = user(human_input_mode="ALWAYS", human=ScriptedHuman(["", ""]), function_map={"note": lambda: "noted"})

    face(me, "initiate_chat", agent, message="go")

    assert results_of(wire_of(agent)) == [("1", "noted")]


def ended_by_person():
    return user(human_input_mode="ALWAYS", human=ScriptedHuman(["exit", ""])), {}


def ended_by_turns():
    return user(), {"max_turns": 1}


def ended_by_condition():
    return user(), {"termination": CallOf("note")}


def ended_by_interrupt():
    def interrupt():
        raise KeyboardInterrupt

    return user(function_map={"note": interrupt}), {}


def ended_by_error():
    def fail():
        raise ConfigurationError("no")

    return user(function_map={"note": fail}), {}


@both_faces
@pytest.mark.parametrize(
    "how", [ended_by_person, ended_by_turns, ended_by_condition, ended_by_interrupt, ended_by_error]
)
def test_pending_calls_have_one_result_each_when_the_chat_goes_on_after_its_end(face, how):
    me, options = how()
    agent = assistant(tools(("a", "note"), ("b", "note")), DONE)
    with suppress(KeyboardInterrupt, asyncio.CancelledError, ConfigurationError):
        face(me, "initiate_chat", agent, message="go", **options)

    face(me, "send", "Go on without it", agent)

    assert [one["role"] for one in wire_of(agent)] == ["user", "assistant", "tool", "tool", "user"]
    assert results_of(wire_of(agent)) == [
        ("a", "There is no result: the call was not made, or not to its end."),
        ("b", "There is no result: the call was not made, or not to its end."),
    ]
    assert texts(agent.chat_messages[me])[:3] == ["go", None, "Go on without it"]


def test_results_that_come_one_by_one_are_left_as_they_are():
    agent = assistant(DONE)
    given = [
        {"role": "user", "content": "go"},
        tools(("a", "note"), ("b", "note"), ("c", "note")) | {"role": "assistant"},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "c", "content": "3"},
        {"role": "user", "content": "And?"},
    ]

    agent.generate_reply(given)

    assert results_of(wire_of(agent)) == [
        ("a", "1"),
        ("c", "3"),
        ("b", "There is no result: the call was not made, or not to its end."),
    ]
    check_calls_are_answered(wire_of(agent))


CALLS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from(["note", "fail", "missing"]), st.sampled_from(["{}", "{", '{"x": 1}'])
    ),
    min_size=1,
    max_size=4,
)


@given(
    turns=st.lists(
        st.tuples(CALLS, st.sampled_from(["stop", "length", "interrupted"]), st.sampled_from(["", "No!", "exit"])),
        max_size=4,
    )
)
def test_every_request_has_exactly_one_result_for_each_id_whatever_happens(turns):
    replies = [
        ModelReply(
            finish_reason=reason,
            tool_calls=tuple(ToolCall(name, arguments, f"{call_id}{number}") for call_id, name, arguments in calls),
        )
        for number, (calls, reason, _) in enumerate(turns)
    ]
    agent = assistant(*replies, *["hello"] * 9)

    def fail(**given):
        raise LookupError("no")

    answers = [answer for *_, answer in turns]
    me = user(
        human_input_mode="ALWAYS",
        human=ScriptedHuman([*answers, *["exit"] * 9]),
        function_map={"note": lambda **given: "noted", "fail": fail},
    )

    with use_session(quiet_session()):
        me.initiate_chat(agent, message="go")
        me.send("again", agent)

    for request in agent.model.requests:
        check_calls_are_answered([dict(one) for one in request.messages])


# -- execute_function --------------------------------------------------------------------------------------------


@both_faces
@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"name": "add", "arguments": '{"a": 1, "b": 2}'}, (True, "3")),
        ({"name": "add", "arguments": "{"}, (False, "Error: ")),
        ({"name": "other"}, (False, "Error: Function other not found.")),
        ({}, (False, "Error: Function  not found.")),
    ],
)
def test_function_is_executed_by_hand(face, call, expected):
    ok, message = face(user(function_map={"add": lambda a, b: a + b}), "execute_function", call)

    assert (ok, message["content"][: len(expected[1])]) == expected
    assert (message["role"], message["name"]) == ("function", call.get("name", ""))


@both_faces
def test_async_functions_of_one_message_run_at_the_same_time(face):
    meeting = threading.Barrier(3, timeout=20)  # which none of them passes alone

    async def meet(who: str = "") -> str:
        await asyncio.get_running_loop().run_in_executor(None, meeting.wait)
        return f"met {who}"

    me = user(function_map={"meet": meet})
    agent = assistant(tools(("a", "meet"), ("b", "meet"), ("c", "meet")), DONE)

    face(me, "initiate_chat", agent, message="go")

    assert [call_id for call_id, _ in results_of(wire_of(agent))] == ["a", "b", "c"]
    assert {content for _, content in results_of(wire_of(agent))} == {"met "}


@both_faces
def test_failure_of_one_call_is_its_result_and_the_others_go_on(face):
    async def fail():
        raise LookupError("lost")

    async def slow():
        await asyncio.sleep(0.01)
        return "found"

    me = user(function_map={"fail": fail, "slow": slow})
    agent = assistant(tools(("a", "fail"), ("b", "slow")), DONE)

    face(me, "initiate_chat", agent, message="go")

    assert results_of(wire_of(agent)) == [("a", "Error: lost"), ("b", "found")]


@both_faces
def test_chats_of_one_pair_that_are_held_by_calls_of_one_message_wait_for_each_other(face):
    expert, asker = assistant("7", "8", name="expert"), user("asker")

    async def ask_expert():
        return (await asker.a_initiate_chat(expert, message="What?", max_turns=1)).summary

    me = user(function_map={"ask": ask_expert})
    agent = assistant(tools(("a", "ask"), ("b", "ask")), DONE)

    face(me, "initiate_chat", agent, message="go")

    assert sorted(results_of(wire_of(agent))) == [("a", "7"), ("b", "8")]
