import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_agents.boxed import find_boxed, is_equivalent, last_boxed
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.formula import NoFormula, parse, value

# -- Finding -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"The answer is $\boxed{42}$.", ["42"]),
        (r"\boxed{\frac{1}{2}}", [r"\frac{1}{2}"]),
        (r"\fbox{7} and \boxed{ 8 }", ["7", "8"]),
        (r"\boxed{\{1, 2\}}", [r"\{1, 2\}"]),
        (r"\boxed{\text{a } \} b}", [r"\text{a } \} b"]),
        (r"\boxed{\boxed{3}}", ["3"]),
        (r"$\boxed 5$, \boxed -3.", ["5", "-3"]),
        (r"\boxed\pi", [r"\pi"]),
        (r"\boxed{$9$}", ["9"]),
        (r"\boxed{}", [""]),
        ("\\boxed{\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}}", ["\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"]),
        (r"Put it in \boxed.", []),
        (r"in a \boxed environment", []),
        (r"\boxed{never closed", []),
        (r"\boxed{open \boxed{1}", ["1"]),
        (r"\boxedness{1}", []),
        ("no box", []),
    ],
)
def test_what_is_in_boxes_is_found(text, found):
    assert find_boxed(text) == found


@pytest.mark.parametrize(
    ("text", "last"), [(r"\boxed{1} \boxed{2}", "2"), ("none", None), (r"\boxed{1} \boxed{ }", None)]
)
def test_last_box_is_the_answer(text, last):
    assert last_boxed(text) == last


# -- Comparing ---------------------------------------------------------------------------------------------------

SAME = [
    (r"\frac{1}{2}", "1/2"),
    (r"\dfrac12", "0.5"),
    ("-.5", r"-\tfrac{1}{2}"),
    (r"50\%", "0.5"),
    (r"50\%", "50"),
    ("50 percent", "50%"),
    ("1,000,000", "1000000"),
    (r"1{,}000", "1000"),
    ("x = 5", "5"),
    ("f(x) = 2x", "2x"),
    ("$5$", "5"),
    (r"\(5\)", "5."),
    (r"\$5.00", "5"),
    ("5 euros", "€5"),
    (r"5\text{ cm}", "5"),
    (r"5\,\mathrm{cm}", "5 centimeters"),
    (r"10\,\text{m}^2", "10 square meters"),
    (r"90^\circ", "90"),
    ("90°", "90 degrees"),
    (r"1\frac{1}{2}", "1.5"),
    (r"2\sqrt{3}", r"\sqrt{12}"),
    (r"\frac{\sqrt{3}}{3}", r"1/\sqrt3"),
    (r"\sqrt[3]{27}", "3"),
    ("2pi", r"2\pi"),
    ("5!", "120"),
    (r"2 \cdot 3^{2}", "18"),
    (r"|-3|", "3"),
    (r"\ln 2", r"\log(2)"),
    ("(x+1)(x-1)", "x^2 - 1"),
    (r"\frac{1}{2}x", "x/2"),
    (r"\sin^2 x + \cos^2 x", "1"),
    (r"x_{1} + x_2", "x_2+x_1"),
    (r"\left(1,\ 2\right)", "(1,2)"),
    (r"(\frac12, 3)", "(0.5, 3)"),
    ("1, 2", "2, 1"),
    ("3 or 4", "4,3"),
    (r"\{1,2\}", "2,1"),
    (r"1 \pm \sqrt{2}", r"1+\sqrt2, 1-\sqrt2"),
    (r"(-\infty,-14)\cup(-3,\infty)", r"(-3, \infty) \cup (-\infty, -14)"),
    ("x^2 + y^2 = 1", "1 = x^2+y^2"),
    (r"x \leq 3", "3 ≥ x"),
    (r"\text{East}", "east"),
    (r"\text{(B)}", "B"),
    (r"\varnothing", r"\emptyset"),
    ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}"),
    ("3 + 4i", "4i+3"),
    (r"x\sqrt{x}", r"\sqrt{x^3}"),
    (r"\sqrt{-x^2-1}", r"i\sqrt{x^2+1}"),
]
DIFFERENT = [
    ("1/2", "0.51"),
    ("0.333", "1/3"),
    ("50%", "5"),
    ("50%", "51%"),
    ("5 cm", "5 m"),
    ("5 cm", "5 square cm"),
    ("$5", "5 euros"),
    ("(1, 2)", "(2, 1)"),
    ("[1, 2)", "(1, 2)"),
    ("(1, 2)", "1, 2"),
    ("1, 2", "1, 2, 3"),
    ("1, 1, 2", "1, 2, 2"),
    ("12", "1, 2"),
    ("x", "y"),
    ("2x", "x^2"),
    ("x < 3", "x > 3"),
    ("x < 3", r"x \le 3"),
    ("x = 5", "x = 6"),
    (r"\infty", r"-\infty"),
    (r"\sqrt{x^2}", "x"),
    ("A", "B"),
    ("a", "A"),
    ("east", "west"),
    ("5", ""),
    ("m", "5 m"),
    ("1/0", "2/0"),
    ("3+4i", "3-4i"),
    (r"i\sqrt{x}", r"\sqrt{x}"),
    ("1/(x-x)", "x"),
    ("1/(x-x)", "2/(x-x)"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_answers_are_equivalent_when_they_say_the_same(one, other):
    assert is_equivalent(one, other)
    assert is_equivalent(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_answers_are_not_equivalent_when_they_differ(one, other):
    assert not is_equivalent(one, other)
    assert not is_equivalent(other, one)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (r"\sin(2x)", r"2\sin x\cos x", True),
        ("(x+y)^2", "x^2+2xy+y^2", True),
        (r"\sqrt{12}", r"2\sqrt{3}", True),
        ("x+1", "x+2", False),
        (r"\frac{x^2-1}{x-1} + 5! + e", "x + 121 + e", True),
        (r"|x|+\arcsin{x}+i", r"\arcsin{x} + |x| + i", True),
    ],
)
def test_sympy_confirms_what_is_the_same(one, other, same):
    assert is_equivalent(one, other, symbolic=True) is same


def test_error_says_what_to_install_when_sympy_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)

    assert is_equivalent("1/2", "0.5", symbolic=True)
    with pytest.raises(ConfigurationError, match="sympy is not installed"):
        is_equivalent("2(x+1)", "2x+2", symbolic=True)


# -- Whatever a model says ---------------------------------------------------------------------------------------

BOMBS = [
    "9^9^9^9",
    "(" * 900 + "1" + ")" * 900,
    "-" * 1999,
    "x" * 1999,
    "500!!!!",
    "1/0",
    "5 " + "m" * 1990,
    "5" + " m" * 990,
    "1," * 990,
    "1 or " * 390,
    "{" * 1999,
    "|" * 1999,
    "a=" * 900,
    "0." + "1" * 1990,
    r"\pm" * 600,
    r"\frac" * 300,
    r"\text{" * 300,
    "__import__('os').system('true')",
    "3" * 30_000,
]


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb[:12])
def test_comparison_is_quick_when_an_answer_is_made_to_be_slow(bomb):
    start = time.perf_counter()

    assert not is_equivalent(bomb, "1")
    assert is_equivalent(bomb, bomb + " ")
    assert time.perf_counter() - start < 1


def test_finding_is_quick_when_there_are_many_braces():
    start = time.perf_counter()

    assert find_boxed(r"\boxed{" * 20_000) == []
    assert find_boxed(r"\boxed{" * 20_000 + "}" * 20_000) == [""]
    assert time.perf_counter() - start < 2


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789xyi+-*/^(){}[]|,.=<%$ \\_!fracsqtmp", max_size=40))
def test_every_answer_is_equivalent_to_itself(answer):
    assert is_equivalent(answer, answer)
    assert is_equivalent(answer, "7") in (True, False)


@given(st.fractions(max_denominator=500))
def test_fractions_are_equal_to_themselves_however_they_are_written(number):
    top, bottom = number.numerator, number.denominator

    assert is_equivalent(rf"\frac{{{top}}}{{{bottom}}}", f"{top}/{bottom}")
    assert is_equivalent(f"{top * 3}/{bottom * 3}", str(number))
    assert value(parse(f"({top})/{bottom}")) == number
    assert not is_equivalent(f"{top}/{bottom}", f"{top + 1}/{bottom}")


@pytest.mark.parametrize("text", ["", "1 +", ")", "1 2 )", r"\frac{1}", r"\alphabet", "é", "x_", "(1]", "^2"])
def test_text_is_no_formula_when_the_grammar_does_not_know_it(text):
    with pytest.raises(NoFormula):
        parse(text)
