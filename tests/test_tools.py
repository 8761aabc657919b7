"""Calling functions with what a model wrote: whatever it wrote, it gets an answer that it can mend."""

import json
import math
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.budget import BudgetSpent
from jupyter_agents.drive import ChatCancelled
from jupyter_agents.errors import ModelUnavailableError, NoHumanError
from jupyter_agents.termination import ChatEnds, EndedBy
from jupyter_agents.tools import BadArguments, call_function, parse_arguments, to_text, tool_schema
from tests.drivers import async_driver, both_drivers, sync_driver

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(), JSON, max_size=4)


# -- Arguments ---------------------------------------------------------------------------------------------------


@given(OBJECTS, st.booleans(), st.sampled_from([None, 2]))
def test_arguments_are_found_when_they_are_an_object(arguments, ensure_ascii, indent):
    text = json.dumps(arguments, ensure_ascii=ensure_ascii, indent=indent)

    assert parse_arguments(text) == arguments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (" \n", {}),
        ("{}", {}),
        (' {"a": 1}\n', {"a": 1}),
        ('{"cell": "x = 1\nprint(x)\t# tab"}', {"cell": "x = 1\nprint(x)\t# tab"}),
        ('{"a": "x\\ny"}', {"a": "x\ny"}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('{"a": 1e308, "b": -1.5}', {"a": 1e308, "b": -1.5}),
        ('{"a": "\\ud83d\\ude42"}', {"a": "🙂"}),
    ],
)
def test_arguments_are_found_as_models_write_them(text, expected):
    assert parse_arguments(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("null", "not an object"),
        ('"x"', "The arguments are a str, not an object."),
        ("[1]", "The arguments are a list, not an object."),
        ("42", "not an object"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": [-Infinity]}', "-Infinity is not JSON"),
        ('{"a": 1e999}', "A number is too large."),
        ('{"a": -1e999}', "A number is too large."),
        ('{"a": ' + "9" * 5_000 + "}", "4300 digits"),
        ('{"a": 1', "delimiter"),
        ("{'a': 1}", "double quotes"),
        ('{"a": 1} and more', "Extra data"),
        ("a = 1", "Expecting value"),
        ("[" * 100_000, "recursion"),
        ('{"a":' * 100_000, "recursion"),
        ('{"a": "' + "x" * 1_000_000 + '"}', "at most 1000000 are accepted"),
    ],
    ids=lambda value: value[:20],
)
def test_arguments_are_refused_with_a_short_reason_when_they_are_no_plain_object(text, said):
    with pytest.raises(BadArguments) as refused:
        parse_arguments(text)

    assert said in str(refused.value)
    assert len(str(refused.value)) < 300


@given(st.text(st.characters()) | st.text("{}[]\":,. \n\\1e9tfnNaI-'"))
def test_any_text_is_an_object_or_refused(text):
    try:
        found = parse_arguments(text)
    except BadArguments:
        return

    assert isinstance(found, dict)
    assert not any(isinstance(one, float) and not math.isfinite(one) for one in found.values())


# -- Calls -------------------------------------------------------------------------------------------------------


def area(width, height=1):
    return width * height


async def a_area(width, height=1):
    return width * height


def fails(error):
    def function(**arguments):
        raise error

    return function


def call(driver, functions, name="f", arguments="{}"):
    functions = functions if isinstance(functions, dict) else {"f": functions}
    return driver(lambda: call_function(functions, name, arguments))


@both_drivers
@pytest.mark.parametrize("function", [area, a_area], ids=["plain", "async"])
def test_result_is_text_when_a_function_was_called(driver, function):
    assert call(driver, function, arguments='{"width": 6, "height": 7}') == (True, "42")


@both_drivers
@pytest.mark.parametrize("arguments", ["", "{}", " "])
def test_function_is_called_without_arguments_when_there_are_none(driver, arguments):
    assert call(driver, lambda: "called", arguments=arguments) == (True, "called")


@both_drivers
@pytest.mark.parametrize(
    ("value", "text"),
    [("words", "words"), ("", ""), (None, "None"), (1.5, "1.5"), ([1, "a"], "[1, 'a']"), ("a\ud800", "a\ufffd")],
)
def test_result_is_text_whatever_the_function_gives(driver, value, text):
    assert call(driver, lambda: value) == (True, text)


@both_drivers
def test_known_functions_are_named_when_the_function_is_unknown(driver):
    ok, text = call(driver, {"b": area, "a": area}, name="c")

    assert (ok, text) == (False, "Error: Function c not found. Available functions: a, b.")
    assert call(driver, {}, name="c") == (False, "Error: Function c not found. Available functions: none.")


@both_drivers
@pytest.mark.parametrize("arguments", ["{", "[1]", '{"width": NaN}'])
def test_function_is_not_called_when_the_arguments_are_bad(driver, arguments):
    ok, text = call(driver, fails(AssertionError("called")), arguments=arguments)

    assert not ok
    assert text.startswith("Error: ")
    assert text.endswith("\nThe argument must be in JSON format.")


@both_drivers
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("{}", "missing 1 required positional argument: 'width'"),
        ('{"width": 1, "depth": 2}', "unexpected keyword argument 'depth'"),
        ('{"not a name": 1}', "unexpected keyword argument 'not a name'"),
    ],
)
def test_model_is_told_when_the_arguments_do_not_fit(driver, arguments, said):
    ok, text = call(driver, area, arguments=arguments)

    assert not ok
    assert text.startswith("Error: ")
    assert said in text


@both_drivers
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("too small"), "Error: too small"),
        (ValueError(), "Error: ValueError"),
        (ValueError("\ud800"), "Error: \ufffd"),
        (KeyError("x"), "Error: 'x'"),
        (StopIteration(3), "Error: a callback raised StopIteration"),
        (BadArguments("of its own"), "Error: of its own"),
        (RecursionError("too deep"), "Error: too deep"),
    ],
    ids=repr,
)
def test_model_is_told_when_a_function_fails(driver, error, text):
    assert call(driver, fails(error)) == (False, text)


@both_drivers
def test_model_is_told_when_an_async_function_fails(driver):
    async def function():
        raise ValueError("too small")

    assert call(driver, function) == (False, "Error: too small")


@both_drivers
def test_model_is_told_when_a_result_has_no_text(driver):
    class Silent:
        def __str__(self):
            raise ValueError("no words")

    assert call(driver, Silent) == (False, "Error: no words")


@both_drivers
@pytest.mark.parametrize(
    "error",
    [
        ModelUnavailableError("the model of a nested chat"),
        NoHumanError("nobody"),
        ChatEnds(EndedBy.STOPPED),
        BudgetSpent("spent"),
        KeyboardInterrupt(),
        SystemExit(1),
    ],
    ids=repr,
)
def test_error_goes_on_when_no_model_can_mend_it(driver, error):
    is_cancelled = isinstance(error, KeyboardInterrupt) and driver is async_driver
    with pytest.raises(ChatCancelled if is_cancelled else type(error)) as raised:
        call(driver, fails(error))

    assert is_cancelled or raised.value is error


@given(OBJECTS, st.text(max_size=3))
def test_function_is_called_exactly_when_the_arguments_are_an_object(arguments, rest):
    called = []
    text = json.dumps(arguments) + rest
    try:
        is_object = isinstance(json.loads(text), dict)
    except ValueError:
        is_object = False

    ok, _ = call(sync_driver, lambda **given: called.append(given), arguments=text)

    assert called == ([arguments] if is_object else [])
    assert ok is is_object


@given(st.text(st.characters()) | JSON)
def test_any_value_is_text_that_can_be_encoded(value):
    assert to_text(value).encode("utf-8") or value == ""


# -- What a model is told ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (Any, {}),
        (object, {}),
        (list, {"type": "array"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (tuple[int, str], {"type": "array"}),
        (
            dict[str, list[str]],
            {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        ),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (Annotated[str, "in English"], {"type": "string", "description": "in English"}),
        ("no such type", {}),
    ],
)
def test_argument_is_described_by_its_hint(hint, schema):
    def function(of):
        """Do it."""

    function.__annotations__["of"] = hint

    assert tool_schema(function)["function"] == {
        "name": "function",
        "description": "Do it.",
        "parameters": {"type": "object", "properties": {"of": schema}, "required": ["of"]},
    }


class Weather:
    def __call__(self, a, b=2.5, *rest, c: int = 1, **more):
        return a


@pytest.mark.parametrize(
    ("function", "properties"),
    [
        (Weather(), {"a": {}, "b": {}, "c": {"type": "integer", "default": 1}}),
        (Weather().__call__, {"a": {}, "b": {}, "c": {"type": "integer", "default": 1}}),
        (min, {}),
    ],
)
def test_schema_is_plain_json_whatever_can_be_called(function, properties):
    schema = tool_schema(function, name="given")

    assert json.loads(json.dumps(schema)) == schema
    assert schema["function"]["name"] == "given"
    assert schema["function"]["parameters"]["properties"] == properties
