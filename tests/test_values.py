"""Values of the user's variables in the text of a cell."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.magics.values import fill_in, unfilled


class Table:
    """Stands for a DataFrame: has a shape, and columns by name."""

    shape = (3, 2)

    def __getitem__(self, key):
        return {"price": [1, 2], 0: "first", -1: "last", (0, "price"): 7}[key]


NAMESPACE = {
    "x": 3,
    "name": "Ada",
    "table": Table(),
    "nested": SimpleNamespace(a={"b": [5]}),
    "key": "price",
    "s": "abc",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{x} apples", "3 apples"),
        ("{name} and { name }", "Ada and Ada"),
        ("{table.shape[0]} rows", "3 rows"),
        ("{table['price']}", "[1, 2]"),
        ("{table[key]}", "[1, 2]"),
        ("{table[-1]}", "last"),
        ("{table[0, 'price']}", "7"),
        ("{nested.a['b'][0]}", "5"),
        ("{s[0:2]}", "ab"),
        ("{x}{x}", "33"),
    ],
)
def test_braces_become_values_when_they_name_a_variable(text, expected):
    assert fill_in(text, NAMESPACE) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{unknown}",
        "{x + 1}",
        "{print(x)}",
        "{table.shape.index(3)}",
        "{'x': x}",
        '{"a": 1}',
        "{}",
        "{x, y}",
        "{x!r}",
        "{x:.2f}",
        "{lambda: x}",
        "{[x for x in s]}",
        r"\frac{x}{2}",
        "f{x}",
        "{{x",
        "{x\n}",
        "{table[print(1)]}",
        "{x if x else x}",
    ],
)
def test_braces_stay_when_they_are_something_else(text):
    assert fill_in(text, NAMESPACE) == text


def test_backslash_is_taken_away_when_it_protects_a_variable():
    assert fill_in(r"\{x} and {x}", NAMESPACE) == "{x} and 3"


def test_value_is_not_filled_in_again_when_it_has_braces_itself():
    assert fill_in("{a}", {"a": "{b}", "b": "secret"}) == "{b}"


def test_error_names_the_expression_when_the_value_cannot_be_had():
    with pytest.raises(ConfigurationError, match=r"Cannot fill in \{table\['no'\]\}: KeyError: 'no'"):
        fill_in("{table['no']}", NAMESPACE)


@given(st.text(alphabet="{}\\xs.[]'0 \n", max_size=40))
def test_text_is_never_refused_when_it_holds_stray_braces(text):
    try:
        filled = fill_in(text, NAMESPACE)
    except ConfigurationError as error:
        assert "Cannot fill in" in str(error)  # noqa: PT017 - a value that cannot be had is the only error
    else:
        assert isinstance(filled, str)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "x", "list": [1, {"a": 2}]}',
        r"\frac{a}{b} and \sqrt[3]{a}{c}",
        r"x^{n} + y_{i} and \mathbb{R}^{d}",
        "${HOME} and f{a} and d{b}",
        "{a, b} and {} and { } and {1} and {a + b} and {f(a)}",
        r"\{nope}",
    ],
)
def test_formulas_and_code_are_neither_filled_in_nor_noted(text):
    namespace = {"b": 1, "n": 2, "d": 3, "c": 4}

    assert fill_in(text, namespace) == text
    assert unfilled(text, namespace) == []


def test_amount_of_money_is_filled_in():
    assert fill_in("It costs ${price}, or ${other}.", {"price": 5}) == "It costs $5, or ${other}."


def test_names_without_a_variable_are_told_once_each():
    text = "{nope} and {x}, {nope.attribute}, {other['key']} and {table}"

    assert unfilled(text, {"x": 1, "table": {}}) == ["nope", "other"]
