"""Exact text for a person's eyes: no character hides."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jupyter_agents.code_blocks import show_exact


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("a\n\tb = 'c'", "a\n\tb = 'c'"),
        ("grüße = '漢字'", "grüße = '漢字'"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("a\u00a0b", "a⟨U+00A0⟩b"),
        ("a\x1b[2Kb", "a⟨U+001B⟩[2Kb"),
        ("a\rb", "a⟨U+000D⟩b"),
        ("a\x00b", "a⟨U+0000⟩b"),
        ("a\u3164b", "a⟨U+3164⟩b"),
        ("a\ufe0fb", "a⟨U+FE0F⟩b"),
        ("a\U000e0041b", "a⟨U+E0041⟩b"),
        ("a\ud800b", "a⟨U+D800⟩b"),
        ("⟨U+202E⟩", "⟨U+27E8⟩U+202E⟩"),
    ],
)
def test_prompt_shows_a_character_as_its_code_point_when_it_cannot_be_seen(code, shown):
    assert show_exact(code) == shown


@given(st.text())
def test_prompt_hides_nothing(code):
    shown = show_exact(code)

    assert {unicodedata.category(one) for one in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"} <= {"Cc"}
    assert not set(shown) & {chr(one) for one in range(0x20) if chr(one) not in "\n\t"}


@given(st.text(st.sampled_from("ab\u202e\u200b⟨⟩U+20E\n")), st.text(st.sampled_from("ab\u202e\u200b⟨⟩U+20E\n")))
def test_prompt_never_shows_two_texts_alike(one, other):
    assume(one != other)

    assert show_exact(one) != show_exact(other)
