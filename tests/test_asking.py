"""Questions to the person from tools, reply functions and cells."""

import pytest

from jupyter_agents import a_ask, ask
from jupyter_agents.errors import ConfigurationError, NoHumanError
from jupyter_agents.human.base import Answer
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from jupyter_agents.testing import ScriptedHuman
from tests.drivers import on_a_loop
from tests.fakes import assistant, both_faces, quiet_session, texts, user

CALL = {
    "content": None,
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "pick", "arguments": "{}"}}],
}


@pytest.fixture
def human():
    human = ScriptedHuman(["blue"])
    with use_session(quiet_session(human=human)):
        yield human


def test_answer_is_one_of_the_choices(human):
    assert ask("Which colour?", ["red", "blue"], seat="painter", otherwise="red") == "blue"

    (prompt,) = human.prompts
    assert (prompt.kind, prompt.choices, prompt.agent, prompt.otherwise) == (
        "choice",
        ("red", "blue"),
        "painter",
        "red",
    )


def test_any_words_are_an_answer_when_there_are_no_choices(human):
    assert on_a_loop(lambda: a_ask("Which colour?")) == "blue"
    assert human.prompts[0].kind == "text"


def test_first_choice_counts_when_nothing_else_is_said_to(human):
    ask("Which colour?", ["red", "blue"], timeout=5)

    assert (human.prompts[0].timeout, human.prompts[0].otherwise) == (5, "red")


@both_faces
@pytest.mark.parametrize("is_async", [False, True])
def test_tool_may_ask(human, face, is_async):
    async def a_pick():
        return f"It is {await a_ask('Which colour?', ['red', 'blue'])}."

    def pick():
        return f"It is {ask('Which colour?', ['red', 'blue'])}."

    me = user(function_map={"pick": a_pick if is_async else pick})

    result = face(me, "initiate_chat", assistant(CALL, "TERMINATE"), message="Go")

    assert "It is blue." in texts(result.messages)
    assert result.human_input == ["blue"]


def test_chat_ends_when_the_person_stops_instead_of_answering():
    with use_session(quiet_session(human=ScriptedHuman([Answer(action="stop")]))):
        me = user(function_map={"pick": lambda: ask("Which colour?")})

        result = me.initiate_chat(assistant(CALL, "TERMINATE"), message="Go")

    assert result.ended_by == EndedBy.HUMAN


def test_error_says_so_when_nobody_is_there():
    with use_session(quiet_session()), pytest.raises(NoHumanError):
        ask("Which colour?")


@pytest.mark.parametrize(
    ("choices", "otherwise"),
    [("red", ""), (["red", ""], ""), (["red", 1], ""), (["red", "red"], ""), (["red"], "green")],
)
def test_choices_that_are_none_are_refused(choices, otherwise):
    with pytest.raises(ConfigurationError, match="Cannot ask 'Which"):
        ask("Which colour?", choices, otherwise=otherwise)
