"""How the name of the next speaker is read from what a model says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.agents.mentions import chosen_name, mentioned

NAMES = ["Alice", "Alice Coder", "Bob", "user_proxy", "Player white"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Bob", "Bob"),
        ("bob", "Bob"),
        ("  **Bob**.\n", "Bob"),
        ('"Bob"', "Bob"),
        ("<Bob>", "Bob"),
        ("user proxy", "user_proxy"),
        ("user\\_proxy", "user_proxy"),
        ("User-Proxy:", "user_proxy"),
        ("Player_white", "Player white"),
        ("PLAYER  WHITE", "Player white"),
        ("Alice Coder", "Alice Coder"),
        ("alice_coder should go on", "Alice Coder"),
        ("The next speaker is Bob, because Bob knows it.", "Bob"),
        ("Bob\n\nAlice has just spoken, and Bob must answer.", "Bob"),
        ("\n\nBob\nAlice", "Bob"),
        ("<think>Alice or Bob? Alice has spoken.</think>\nBob", "Bob"),
        ("Alice might, Bob may.\n</thinking>\n\nBob", "Bob"),
        ("AliceCoder", "Alice Coder"),
        ("UserProxy", "user_proxy"),
        ("\u8bf7Bob\u53d1\u8a00", "Bob"),
    ],
)
def test_one_name_is_found_however_it_is_written(text, name):
    assert chosen_name(text, NAMES) == name


@pytest.mark.parametrize(
    "text",
    ["", "???", "Robert", "Bobby", "Malice", "Alice or Bob", "Alice, then Alice Coder", "I cannot choose.", "ALICEBOB"],
)
def test_nothing_is_found_when_no_name_or_several_are_meant(text):
    assert chosen_name(text, NAMES) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Zoe\u0308", "Zo\u00eb"),
        ("It is the turn of O\u2019Neil.", "O'Neil"),
        ("\u4e0b\u4e00\u4e2a\u662f\u674e\u3002", "\u674e"),
        ("\u0410\u041d\u041d\u0410", "\u0410\u043d\u043d\u0430"),
        ("Anna", "Anna"),
    ],
)
def test_name_of_any_script_is_found_however_it_is_composed(text, name):
    names = ["Zo\u00eb", "O'Neil", "\u674e", "\u738b", "\u0410\u043d\u043d\u0430", "Ann A", "Anna"]

    assert chosen_name(text, names) == name


def test_longer_name_is_meant_when_a_shorter_one_is_part_of_it():
    assert mentioned("Alice Coder, not Alice", NAMES) == {"Alice Coder": 1, "Alice": 1}


def test_exact_name_is_taken_when_two_differ_in_case_only():
    assert chosen_name("coder", ["Coder", "coder"]) == "coder"


@given(st.sampled_from(NAMES), st.sampled_from([str.lower, str.upper, str.title, lambda name: name.replace(" ", "_")]))
def test_name_is_found_in_a_sentence_in_every_spelling(name, spelt):
    assert chosen_name(f"I think that {spelt(name)} should speak now.", NAMES) == name


@given(st.text(), st.lists(st.text(min_size=1), max_size=4, unique=True))
def test_any_text_and_any_names_are_read_without_an_error(text, names):
    assert chosen_name(text, names) in {None, *names}
