"""Who may speak after whom: what a graph means, and which graphs are refused."""

import pytest

from jupyter_agents.agents.transitions import Transitions
from jupyter_agents.errors import ConfigurationError
from tests.fakes import talker

A, B, C = (talker(name) for name in "ABC")
GROUP = [A, B, C]


def names(agents):
    return [one.name for one in agents]


@pytest.mark.parametrize(
    ("repeats", "after_a"),
    [(True, ["A", "B", "C"]), (False, ["B", "C"]), ([A], ["A", "B", "C"]), ([B], ["B", "C"]), ([], ["B", "C"])],
)
def test_anybody_may_speak_after_anybody_but_for_repeats(repeats, after_a):
    assert names(Transitions.everyone(GROUP, repeats).successors(A)) == after_a


def test_allowed_graph_says_who_may_speak_in_the_order_of_the_group():
    graph = Transitions.from_graph(GROUP, {A: [C, B], B: [A]}, "allowed")

    assert names(graph.successors(A)) == ["B", "C"]
    assert names(graph.successors(B)) == ["A"]
    assert graph.last_words == ["C"]
    assert graph.edges == [("A", "B"), ("A", "C"), ("B", "A")]


def test_disallowed_graph_says_who_may_not():
    graph = Transitions.from_graph(GROUP, {A: [A, B]}, "disallowed")

    assert names(graph.successors(A)) == ["C"]
    assert names(graph.successors(B)) == ["A", "B", "C"]


def test_graph_may_name_agents_as_json_and_models_do():
    by_name = Transitions.from_graph(GROUP, {"A": ["c", B], B: ["A"]}, "allowed")

    assert by_name == Transitions.from_graph(GROUP, {A: [C, B], B: [A]}, "allowed")


def test_name_that_is_nearly_one_of_the_group_is_asked_about():
    members = [talker("Coder"), talker("Critic")]

    with pytest.raises(ConfigurationError, match=r"name 'Codr'.*Did you mean 'Coder'\?"):
        Transitions.from_graph(members, {"Coder": ["Critic", "Codr"]}, "allowed")


def test_agent_whom_nobody_gives_the_word_is_named():
    assert Transitions.from_graph(GROUP, {A: [B], B: [B]}, "allowed").unreachable == ["A", "C"]


def test_anybody_may_speak_after_a_stranger():
    graph = Transitions.from_graph(GROUP, {A: [B]}, "allowed")

    assert names(graph.successors(talker("stranger"))) == ["A", "B", "C"]
    assert names(graph.successors(None)) == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("graph", "kind", "words"),
    [
        ({A: [B]}, None, "'allowed' or the 'disallowed'"),
        ({A: [B]}, "permitted", "speaker_transitions_type is 'permitted'"),
        ({}, "allowed", "its transitions are {}"),
        ([A, B], "allowed", "Give a dictionary of agents"),
        ({A: B}, "allowed", "Give a list of agents"),
        ({A: "B"}, "allowed", "from 'A' are 'B'"),
        ({A: [talker("D")]}, "allowed", "name 'D', who is not in it"),
        ({talker("D"): [A]}, "disallowed", "name 'D', who is not in it"),
        ({"Alf": [B]}, "allowed", "name 'Alf', who is not in it. It has A, B, C."),
        ({A: ["Bob"]}, "allowed", "name 'Bob', who is not in it"),
        ({A: [B], "a": [C]}, "allowed", "the transitions from 'A' are given twice"),
        ({A: [], B: []}, "allowed", "nobody may speak after anybody"),
        ({A: GROUP, B: GROUP, C: GROUP}, "disallowed", "nobody may speak after anybody"),
    ],
)
def test_graph_that_cannot_be_meant_is_refused_when_the_group_is_built(graph, kind, words):
    with pytest.raises(ConfigurationError, match=r"Cannot build the group") as caught:
        Transitions.from_graph(GROUP, graph, kind)

    assert words in str(caught.value)
