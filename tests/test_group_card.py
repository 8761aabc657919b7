"""What groups show of themselves: the members, the way of choosing, and the transitions as a diagram."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from jupyter_agents import GroupChat, GroupChatManager
from jupyter_agents.display.result import result_bundle
from jupyter_agents.display.transitions import transitions
from jupyter_agents.session import use_session
from tests.fakes import quiet_session, talker, user

ATTACK = "</text></svg><script>alert(1)</script>"


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session(render=result_bundle)) as session:
        yield session


def team(**options):
    planner, coder, critic = (talker(name, description=f"{name}s things") for name in ("plan", "code", "doubt"))
    graph = {planner: [coder], coder: [critic], critic: []}
    given = {"allowed_or_disallowed_speaker_transitions": graph, "speaker_transitions_type": "allowed"}
    return GroupChat([planner, coder, critic], **(given | options))


def test_group_shows_its_members_and_how_the_next_speaker_is_found():
    shown = team(max_round=7)._repr_mimebundle_()

    assert shown["text/plain"] == "GroupChat(['plan', 'code', 'doubt'], max_round=7, speaker_selection_method='auto')"
    for form in ("text/html", "text/markdown"):
        assert "Group of 3 agents" in shown[form]
        assert "a model chooses" in shown[form]
        assert "at most 7 messages" in shown[form]
        assert "plans things" in shown[form]


def test_transitions_are_a_diagram_with_the_same_in_words():
    shown = team()._repr_mimebundle_()

    assert "2 transitions among 3 agents. After doubt nobody may: the chat ends there." in shown["text/html"]
    assert shown["text/html"].count("<line ") == 2
    assert "| doubt | nobody |" in shown["text/markdown"]


def test_no_diagram_is_drawn_when_anybody_may_speak_after_anybody():
    shown = GroupChat([talker("a"), talker("b")])._repr_mimebundle_()

    assert "<line" not in shown["text/html"]


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ([(a, b) for a in "abc" for b in "abc"], "Anybody may speak after anybody."),
        ([(a, b) for a in "abc" for b in "abc" if a != b], "Anybody may speak after anybody else."),
        ([("a", "b")], "1 transition among 3 agents. After b and c nobody may: the chat ends there."),
    ],
)
def test_diagram_is_said_in_one_sentence(edges, words):
    assert transitions("abc", edges).description == words


def test_only_the_first_of_very_many_are_drawn_and_all_are_in_the_table():
    names = [f"agent {n}" for n in range(40)]

    figure = transitions(names, list(pairwise(names)))

    assert "The first 16 are drawn." in figure.description
    assert len(figure.table.rows) == 40


def test_names_of_agents_are_only_text():
    figure = transitions([ATTACK, "b"], [(ATTACK, "b")])

    assert "<script" not in figure.html()
    ET.fromstring(figure.svg())


def test_manager_shows_whom_it_leads():
    manager = GroupChatManager(GroupChat([user("user"), talker("a"), talker("b")]), llm_config=False)

    assert "a group of user, a and b" in manager._repr_mimebundle_()["text/html"]
