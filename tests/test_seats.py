"""Several people in one group: each has a seat of their own, and is told who asks."""

import pytest

from jupyter_agents import AssistantAgent, GroupChat, GroupChatManager, UserProxyAgent
from jupyter_agents.drive import drive
from jupyter_agents.errors import ScriptEndedError
from jupyter_agents.human.base import Prompt
from jupyter_agents.session import use_session
from jupyter_agents.testing import ScriptedHuman, ScriptedModel
from tests.fakes import both_faces, quiet_session


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as quiet:
        yield quiet


def person(name, **options):
    return UserProxyAgent(name, human_input_mode="ALWAYS", code_execution_config=False, **options)


def group_of(anna, ben):
    """A group in which a planner speaks, then Anna, then Ben, and so on; its manager, and who begins."""
    planner = AssistantAgent("Planner", llm_config=ScriptedModel(["Where to?", "When?", "Done."]))
    starter = UserProxyAgent("starter", human_input_mode="NEVER", code_execution_config=False)
    group = GroupChat([planner, anna, ben], speaker_selection_method="round_robin", max_round=9)
    return starter, GroupChatManager(group, llm_config=False)


@both_faces
def test_each_person_answers_in_their_own_seat_and_is_told_who_asks(face, session):
    people = ScriptedHuman({"Anna": ["To Oslo.", "In May."], "Ben": ["To Rome.", "exit"]})
    session.find_human = lambda: people
    starter, manager = group_of(person("Anna"), person("Ben"))

    result = face(starter, "initiate_chat", manager, message="Plan a trip.")

    said = [(one["name"], one["content"]) for one in manager.groupchat.messages]
    assert said[1:] == [
        ("Planner", "Where to?"),
        ("Anna", "To Oslo."),
        ("Ben", "To Rome."),
        ("Planner", "When?"),
        ("Anna", "In May."),
    ]
    asked = [(prompt.sender, prompt.agent) for prompt in people.prompts]
    assert asked == [("Planner", "Anna"), ("Anna", "Ben"), ("Planner", "Anna"), ("Anna", "Ben")]
    assert str(result.ended_by) == "person"


@both_faces
def test_person_of_an_agent_goes_before_the_one_of_the_notebook(face, session):
    everybody = ScriptedHuman(["To Rome.", "exit"])
    session.find_human = lambda: everybody
    own = ScriptedHuman(["To Oslo.", "In May."])
    starter, manager = group_of(person("Anna", human=own), person("Ben"))

    face(starter, "initiate_chat", manager, message="Plan a trip.")

    assert [prompt.agent for prompt in own.prompts] == ["Anna", "Anna"]
    assert [prompt.agent for prompt in everybody.prompts] == ["Ben", "Ben"]


def test_error_names_the_seats_when_nobody_is_scripted_in_one(session):
    session.find_human = lambda: ScriptedHuman({"Anna": ["To Oslo."]})
    starter, manager = group_of(person("Anna"), person("Ben"))

    with pytest.raises(ScriptEndedError, match=r"nobody is scripted in the seat of 'Ben'\. The seats are Anna\."):
        starter.initiate_chat(manager, message="Plan a trip.")


def test_sender_is_the_partner_when_two_agents_talk(session):
    people = ScriptedHuman({"Anna": ["exit"]})
    session.find_human = lambda: people
    planner = AssistantAgent("Planner", llm_config=ScriptedModel(["Where to?"]))

    person("Anna").initiate_chat(planner, message="Plan a trip.")

    assert [(prompt.sender, prompt.agent) for prompt in people.prompts] == [("Planner", "Anna")]


def test_person_is_asked_by_an_agent_when_a_function_was_called_before(session):
    session.find_human = lambda: people
    people = ScriptedHuman(["exit"])
    ben, planner = person("Ben"), AssistantAgent("Planner", llm_config=False)

    planner.initiate_chat(ben, message={"role": "function", "name": "find_trains", "content": "None."})

    assert people.prompts[0].sender == "Planner"


def test_question_without_a_seat_is_answered_by_the_script_that_has_none():
    people = ScriptedHuman({"Anna": ["no"], "": ["red"]})

    assert drive(people.ask(Prompt("Which colour?"))).text == "red"
    with pytest.raises(ScriptEndedError, match="for questions without a seat"):
        drive(ScriptedHuman({"Anna": ["no"]}).ask(Prompt("Which colour?")))


def test_error_names_the_seat_whose_script_has_ended():
    people = ScriptedHuman({"Anna": [], "Ben": ["x"]})

    with pytest.raises(ScriptEndedError, match="the script of 'Anna' has 0 answers"):
        drive(people.ask(Prompt("Who?", agent="Anna")))
