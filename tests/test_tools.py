"""Tools, and calling functions with what a model wrote: whatever it wrote, it gets an answer that it can mend."""

import asyncio
import inspect
import json
import math
import sys
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.budget import BudgetSpent
from jupyter_agents.drive import ChatCancelled, a_drive
from jupyter_agents.errors import ConfigurationError, ModelUnavailableError, NoHumanError
from jupyter_agents.termination import ChatEnds, EndedBy
from jupyter_agents.tool_results import ToolResult
from jupyter_agents.tools import BadArguments, Tool, call_function, call_tool, parse_arguments, to_text
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
def test_model_is_told_when_the_text_of_an_error_fails(driver):
    class Sad(Exception):
        def __str__(self):
            raise ValueError("no words")

    def function():
        raise Sad

    assert call(driver, function) == (False, "Error: (it has no text: ValueError)")


@both_drivers
def test_model_is_told_what_an_error_says_that_cannot_be_changed(driver):
    @dataclass(frozen=True)
    class Small(Exception):
        least: int

    def function():
        raise Small(3)

    assert call(driver, function) == (False, "Error: 3")


@both_drivers
def test_model_is_told_when_a_tool_is_cancelled_by_nobody_else(driver):
    async def function():
        waiting = asyncio.create_task(asyncio.sleep(5))
        waiting.cancel()
        await waiting

    assert call(driver, function) == (False, "Error: f was cancelled by something within it, and gave no result.")


def test_tool_that_is_cancelled_with_its_task_goes_no_further():
    began, told = [], []

    async def function():
        began.append(True)
        await asyncio.sleep(5)

    async def cancelled():
        asking = asyncio.create_task(a_drive(call_tool({"tool": function}, "tool", "{}")))
        asking.add_done_callback(lambda one: told.append(one.cancelled()))
        while not began:
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])

    asyncio.run(cancelled())

    assert told == [True]


@both_drivers
def test_model_is_told_all_errors_of_a_group(driver):
    def function():
        raise ExceptionGroup("two tasks failed", [ValueError("too small"), KeyError("b")])

    text = "Error: two tasks failed (2 sub-exceptions): ValueError: too small; KeyError: 'b'"
    assert call(driver, function) == (False, text)


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
        ChatCancelled(),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_error_goes_on_when_no_model_can_mend_it(driver, error):
    is_cancelled = isinstance(error, KeyboardInterrupt) and driver is async_driver
    with pytest.raises(ChatCancelled if is_cancelled else type(error)) as raised:
        call(driver, fails(error))

    assert is_cancelled or raised.value is error


@both_drivers
@pytest.mark.parametrize(
    ("code", "said"),
    [(None, "f has exited instead"), (2, "f has exited with 2 instead"), ("usage", "f has exited with usage instead")],
)
@pytest.mark.parametrize("is_awaited", [False, True])
def test_function_that_exits_has_failed_and_the_chat_goes_on(driver, code, said, is_awaited):
    def exits():
        sys.exit(code)

    async def exits_when_awaited():
        await asyncio.sleep(0)
        sys.exit(code)

    found = call(driver, exits_when_awaited if is_awaited else exits)

    assert found == (False, f"Error: {said} of giving a result.")


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


# -- Tools -------------------------------------------------------------------------------------------------------


def scale(x: int, by: float = 2.0) -> dict:
    """Scale a number."""
    return {"scaled": x * by}


async def a_scale(x: int, by: float = 2.0) -> dict:
    """Scale a number."""
    return {"scaled": x * by}


def made(**changes):
    parts = {"name": "f", "description": "F.", "function": scale, "parameters": {"type": "object", "properties": {}}}
    return Tool(**(parts | changes))


def test_tool_is_told_to_a_server_in_both_styles():
    tool = Tool.from_function(scale)

    function = {
        "name": "scale",
        "description": "Scale a number.",
        "parameters": {
            "type": "object",
            "properties": {"x": {"type": "integer"}, "by": {"type": "number", "default": 2.0}},
            "required": ["x"],
            "additionalProperties": False,
        },
    }
    assert tool.to_wire() == {"type": "function", "function": function}
    assert tool.to_wire("function") == function


def test_tool_stays_as_it_is_when_its_wire_form_is_changed():
    tool = Tool.from_function(scale)

    tool.to_wire()["function"]["parameters"]["properties"].clear()

    assert tool.parameters["properties"].keys() == {"x", "by"}


def test_tool_can_be_called_and_looked_at_like_its_function():
    tool = replace(Tool.from_function(scale), name="other")

    assert tool(3, by=1.0) == {"scaled": 3.0}
    assert inspect.signature(tool) == inspect.signature(scale)
    assert hash(tool) == hash(replace(tool))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: made(name="two words"), "Cannot name a tool 'two words'"),
        (lambda: made(name=""), "Cannot name a tool ''"),
        (lambda: made(name="x" * 65), "up to 64"),
        (lambda: made(name=None), "Cannot name a tool None"),
        (lambda: made(name="a\n"), "Cannot name a tool"),
        (lambda: made(description=" "), "has no description.*description='…', or write a docstring"),
        (lambda: made(function=3), "3: it cannot be called"),
        (lambda: made(parameters={"type": "array"}), "no JSON Schema of an object"),
        (lambda: made(parameters=None), "no JSON Schema of an object"),
        (lambda: made(timeout=0), "by 0"),
        (lambda: made().to_wire("xml"), "in the style 'xml'"),
        (lambda: Tool.from_function(lambda x: x, description="F."), "Cannot name a tool '<lambda>'.*Give name="),
        (lambda: Tool.from_function(lambda x: x, name="f"), "has no description"),
        (lambda: Tool.from_function(3), "3: it cannot be called"),
        (lambda: Tool.from_function(scale, timeout=1), "only an async function can be stopped"),
    ],
)
def test_tool_is_refused_when_no_model_could_use_it(make, said):
    with pytest.raises(ConfigurationError, match=said):
        make()


def test_name_and_description_may_be_given():
    tool = Tool.from_function(lambda x: x, name="f", description="F.", external=True)

    assert (tool.name, tool.description, tool.external) == ("f", "F.", True)


# -- Calls of tools ----------------------------------------------------------------------------------------------


@both_drivers
@pytest.mark.parametrize("function", [scale, a_scale], ids=["plain", "async"])
@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        ('{"x": "3"}', (True, '{"scaled": 6.0}')),
        ('{"x": "y"}', (False, 'Error: The arguments do not fit. x: Input should be a valid integer, unable to parse string as an integer, got "y".')),
        ('{"x": 1, "bye": 1}', (False, "Error: The arguments do not fit. bye: there is no such parameter (did you mean by?).\nParameters: x (required), by.")),
        ("{", (False, "Error: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)\nThe argument must be in JSON format.")),
    ],
)  # fmt: skip
def test_tool_is_called_with_checked_arguments(driver, function, arguments, outcome):
    assert call(driver, Tool.from_function(function, name="f"), arguments=arguments) == outcome


@both_drivers
def test_nearest_function_is_named_when_the_function_is_mistyped(driver):
    assert call(driver, {"search": area, "add": area}, name="serch") == (
        False,
        "Error: Function serch not found. Did you mean search? Available functions: add, search.",
    )


@both_drivers
@pytest.mark.parametrize("value", [b"x" * 10, object(), [object()]], ids=lambda value: str(type(value)))
def test_model_is_told_when_the_result_of_a_tool_has_no_text(driver, value):
    tool = Tool.from_function(lambda: value, name="f", description="F.")

    ok, text = call(driver, tool)

    assert not ok
    assert text.startswith("Error: f was called, but the model cannot be given its result: it ")


@both_drivers
@pytest.mark.parametrize("tool", [False, True])
def test_long_text_is_cut_in_its_middle(driver, tool):
    def long():
        """Give much."""
        return "x" * 100_000

    ok, text = call(driver, Tool.from_function(long, name="f") if tool else long)

    assert ok
    assert len(text) < 20_100
    assert "80,000 characters not shown" in text


@both_drivers
def test_long_error_is_cut_in_its_middle(driver):
    ok, text = call(driver, fails(ValueError("x" * 100_000)))

    assert not ok
    assert len(text) < 20_100


@both_drivers
def test_async_tool_is_given_up_when_its_time_is_over(driver):
    ended = []

    async def wait(seconds: float):
        """Wait."""
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return "waited"

    tool = Tool.from_function(wait, name="f", timeout=0.05)

    assert call(driver, tool, arguments='{"seconds": 60}') == (
        False,
        "Error: f did not answer within 0.05 s, and was given up.",
    )
    assert ended == ["cancelled"]
    assert call(driver, tool, arguments='{"seconds": 0}') == (True, "waited")


@both_drivers
def test_own_timeout_of_a_tool_keeps_its_words(driver):
    async def ask():
        """Ask."""
        raise TimeoutError("the database sleeps")

    assert call(driver, Tool.from_function(ask, name="f", timeout=5)) == (False, "Error: the database sleeps")


@both_drivers
@pytest.mark.parametrize("ok", [True, False])
def test_result_is_marked_when_it_comes_from_outside(driver, ok):
    def read():
        """Read."""
        if not ok:
            raise ValueError("no")
        return "words"

    tools = {"f": Tool.from_function(read, name="f", external=True), "g": Tool.from_function(read, name="g")}

    assert [driver(lambda name=name: call_tool(tools, name, "{}")).external for name in tools] == [True, False]


@both_drivers
def test_tool_may_give_its_result_itself(driver):
    tool = Tool.from_function(lambda: ToolResult("no luck", ok=False), name="f", description="F.")

    assert call(driver, tool) == (False, "no luck")


@given(OBJECTS)
def test_any_object_is_accepted_or_refused_with_a_short_text(arguments):
    ok, text = call(sync_driver, Tool.from_function(scale, name="f"), arguments=json.dumps(arguments))

    assert ok or text.startswith("Error: ")
    assert len(text) < 2_000
