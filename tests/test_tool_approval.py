"""Leave to call functions: the policy of agent and session, and what a person may do with a call."""

import pytest

from jupyter_agents import EndedBy
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import Noted, ToolFinished, ToolStarted
from jupyter_agents.human.base import Answer
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.session import current_session, use_session
from tests.fakes import assistant, both_faces, quiet_session, sync_face, user

DONE = "Done.\n\nTERMINATE"
ARGUMENTS = '{"a": 1, "b": 2}'


def legacy(name, arguments=ARGUMENTS):
    return {"content": None, "function_call": {"name": name, "arguments": arguments}}


def tools(name, arguments=ARGUMENTS):
    call = {"id": "7", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"content": None, "tool_calls": [call]}


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


class Calls:
    """Two functions that write down what they are called with."""

    def __init__(self):
        self.made = []
        self.functions = {"add": self.add, "subtract": self.subtract}

    def add(self, a, b):
        self.made.append(("add", a, b))
        return str(a + b)

    def subtract(self, a, b):
        self.made.append(("subtract", a, b))
        return str(a - b)


@pytest.fixture
def calls():
    return Calls()


def chat(calls, answers, *replies, face=sync_face, policy="ask", **options):
    """A chat in which a model makes these calls, and the person who was asked about them."""
    human = ScriptedHuman(answers)
    me = user(function_map=calls.functions, tool_policy=policy, human=human, **options)
    return face(me, "initiate_chat", assistant(*replies, DONE), message="go"), human


def told(result):
    """What the model was told of its first call."""
    return result.messages[2]["content"]


@both_faces
@pytest.mark.parametrize("call", [legacy, tools])
def test_call_is_made_when_the_person_lets_it(calls, face, call):
    result, human = chat(calls, [Answer(action="run")], call("add"), face=face)

    [prompt] = human.prompts
    assert (prompt.kind, prompt.text, prompt.block.language) == ("approval", "Call add?", "json")
    assert prompt.block.code == '{\n  "a": 1,\n  "b": 2\n}'
    assert (calls.made, told(result)) == ([("add", 1, 2)], "3")


@pytest.mark.parametrize("call", [legacy, tools])
def test_call_is_made_with_the_arguments_as_they_were_edited(calls, call):
    result, _ = chat(calls, [Answer('{"a": 5, "b": 5}', "edit")], call("add"))

    started, finished = result.log.select(ToolStarted, ToolFinished)
    assert (calls.made, told(result)) == ([("add", 5, 5)], "10")
    assert (started.arguments, finished.content) == ('{"a": 5, "b": 5}', "10")
    assert result.log.select(Noted) == []  # the message with the result says it, with the text that ran


@both_faces
def test_model_is_told_why_a_call_was_refused(calls, face):
    result, _ = chat(calls, [Answer("not today", "reject")], tools("add"), face=face)

    assert (calls.made, told(result)) == ([], "Error: The user refused this call: not today")
    assert not result.log.select(ToolFinished)[0].ok


def test_model_is_told_when_the_edited_arguments_are_none(calls):
    result, _ = chat(calls, [Answer("{a: 5", "edit")], tools("add"))

    assert calls.made == []
    assert "must be in JSON format" in told(result)


def test_chat_ends_when_the_person_stops_it_instead_of_a_call(calls):
    result, _ = chat(calls, [Answer(action="stop")], tools("add"))

    assert calls.made == []
    assert result.ended_by is EndedBy.HUMAN


def test_chat_ends_when_a_call_needs_leave_and_nobody_is_there(calls):
    me = user(function_map=calls.functions, tool_policy="ask")

    result = me.initiate_chat(assistant(tools("add"), DONE), message="go")

    assert calls.made == []
    assert result.ended_by is EndedBy.NO_HUMAN


@pytest.mark.parametrize(
    ("of_agent", "of_session", "asked", "made"),
    [
        ("auto", None, 0, True),
        ("auto", "auto", 0, True),
        ("auto", "ask", 1, True),
        ("ask", "auto", 1, True),
        ("auto", "deny", 0, False),
        ("deny", "ask", 0, False),
    ],
)
def test_stricter_policy_rules_when_agent_and_session_differ(calls, session, of_agent, of_session, asked, made):
    session.settings.tool_policy = of_session

    result, human = chat(calls, [Answer(action="run")], tools("add"), policy=of_agent)

    assert (len(human.prompts), bool(calls.made)) == (asked, made)
    assert ("Calling functions is not allowed here" in told(result)) is not made


def test_same_call_is_made_without_asking_when_the_person_said_so(calls):
    other = '{"a": 1, "b": 3}'
    answers = [Answer(action="run", always=True), Answer(action="run"), Answer(action="reject")]

    result, human = chat(calls, answers, tools("add"), tools("add"), tools("subtract"), tools("add", other))

    assert [prompt.text for prompt in human.prompts] == ["Call add?", "Call subtract?", "Call add?"]
    assert calls.made == [("add", 1, 2), ("add", 1, 2), ("subtract", 1, 2)]
    assert "Called without asking: this exact call was allowed before." in [n.text for n in result.log.select(Noted)]


def test_edited_call_gives_leave_for_nothing(calls):
    edited = Answer('{"a": 1, "b": 3}', action="edit", always=True)
    other = '{"a": 1, "b": 3}'

    _, human = chat(
        calls,
        [edited, Answer(action="reject"), Answer(action="reject")],
        tools("add"),
        tools("add"),
        tools("add", other),
    )

    assert len(human.prompts) == 3
    assert calls.made == [("add", 1, 3)]


def test_leave_for_a_call_is_none_for_code(calls, session):
    chat(calls, [Answer(action="run", always=True)], tools("add"))
    human = ScriptedHuman([Answer(action="reject")])
    coder = user(code_execution_config={"policy": "ask"}, human=human)

    coder.initiate_chat(assistant(f"```json\n{ARGUMENTS}\n```\n\n```python\n{ARGUMENTS}\n```", DONE), message="go")

    assert len(human.prompts) == 1


@pytest.mark.parametrize("arguments", ['{"a": 1', "", "[1, 2]", '{"a": NaN, "b": "\\ud800"}'])
def test_person_sees_arguments_as_they_are_when_they_make_no_sense(calls, arguments):
    result, human = chat(calls, [Answer(action="run")], tools("add", arguments))

    assert len(human.prompts) == 1
    assert isinstance(human.prompts[0].block.code, str)
    assert told(result).startswith("Error")
    assert calls.made == []


def test_call_of_a_reply_that_was_cut_off_is_not_asked_about(calls):
    _, human = chat(calls, [Answer(action="run")], tools("add") | {"finish_reason": "length"})

    assert (human.prompts, calls.made) == ([], [])


@pytest.mark.parametrize("make", [user, assistant])
def test_policy_must_be_one_of_three(make):
    with pytest.raises(ConfigurationError, match="Cannot use tool_policy='never': it must be one of auto, ask, deny"):
        make(tool_policy="never")


def test_classic_agents_call_what_is_registered_without_asking():
    assert (user().tool_policy, assistant().tool_policy) == ("auto", "auto")
    assert current_session().settings.tool_policy is None
