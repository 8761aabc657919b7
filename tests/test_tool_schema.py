"""What a model is told of a Python function, and which Python values its arguments become."""

import dataclasses
import datetime as dt
import enum
import functools
import typing
from typing import Annotated, Any, Literal, Optional, Union

import pytest
import typing_extensions
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.tool_schema import BadArguments, schema_of
from jupyter_agents.tool_signature import read_docstring, read_signature
from jupyter_agents.tools import Tool


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Order(BaseModel):
    """What is bought."""

    item: str
    at: Point
    colour: Colour = Colour.RED


class Node(BaseModel):
    value: int
    next: Optional["Node"] = None


class Address(typing.TypedDict, total=False):
    street: typing.Required[str]
    number: int


class NewAddress(typing_extensions.TypedDict):
    street: str


class Opaque:
    pass


def schema(function):
    return schema_of(read_signature(function))[0]


def properties(function):
    return schema(function)["properties"]


def validated(function, **arguments):
    return schema_of(read_signature(function))[1](arguments)


def refused(function, **arguments):
    with pytest.raises(BadArguments) as error:
        validated(function, **arguments)
    return str(error.value)


def taking(annotation, default=dataclasses.MISSING):
    """A function with one parameter, `x`, of this type."""

    def function(x):
        return x

    function.__annotations__ = {"x": annotation}
    if default is not dataclasses.MISSING:
        function.__defaults__ = (default,)
    return function


# -- The schema --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, {"type": "integer"}),
        (str, {"type": "string"}),
        (Any, {}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),  # noqa: UP045 - as users write it
        (Union[int, str], {"anyOf": [{"type": "integer"}, {"type": "string"}]}),  # noqa: UP007 - as users write it
        (Literal["a", "b"], {"enum": ["a", "b"], "type": "string"}),
        (list[dict[str, int]], {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "integer"}}}),
        (dt.datetime, {"type": "string", "format": "date-time"}),
        (Annotated[int, "How many."], {"type": "integer", "description": "How many."}),
        (Annotated[int, Field(ge=1, description="How many.")], {"type": "integer", "minimum": 1, "description": "How many."}),
        (Annotated[int, typing_extensions.Doc("How many.")], {"type": "integer", "description": "How many."}),
        ("int", {"type": "integer"}),
        ("Annotated[int, 'How many.']", {"type": "integer", "description": "How many."}),
    ],
    ids=repr,
)  # fmt: skip
def test_parameter_is_described_by_its_type(annotation, expected):
    assert schema(taking(annotation)) == {
        "type": "object",
        "properties": {"x": expected},
        "required": ["x"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("annotation", "name"),
    [(Colour, "Colour"), (Point, "Point"), (Order, "Order"), (Address, "Address"), (NewAddress, "NewAddress"), (Node, "Node")],
)  # fmt: skip
@pytest.mark.parametrize("wrap", [lambda kind: kind, lambda kind: list[kind], lambda kind: kind | None])
def test_references_lead_to_definitions_when_a_type_has_a_name(annotation, name, wrap):
    found = schema(taking(wrap(annotation)))

    assert name in found.get("$defs", {}) or wrap(int) is int
    assert set(references(found)) <= {f"#/$defs/{one}" for one in found.get("$defs", {})}


def references(value):
    """All references in a schema."""
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def test_titles_are_left_out_but_for_a_parameter_of_that_name():
    def function(title: str, order: Order, other: Annotated[str, Field(examples=[{"title": "kept"}])] = "title"): ...

    found = schema(function)

    assert list(found["properties"]) == ["title", "order", "other"]
    assert found["properties"]["other"]["examples"] == [{"title": "kept"}]
    assert "title" not in found
    assert all("title" not in one for one in [*found["$defs"].values(), *found["properties"].values()])


@pytest.mark.parametrize(
    ("default", "expected"),
    [
        (3, {"default": 3}),
        (Colour.BLUE, {"default": "blue"}),
        (Point(1), {"default": {"x": 1, "y": 0}}),
        (Opaque(), {}),
        ([], {"default": []}),
    ],
    ids=repr,
)
def test_default_is_told_when_it_has_a_json_form(default, expected):
    found = schema(taking(Any, default))

    assert found["properties"]["x"] == expected
    assert "required" not in found


def test_null_is_accepted_when_the_default_is_none():
    assert properties(taking(int, None))["x"] == {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}
    assert validated(taking(int, None), x=None) == {"x": None}


def test_any_json_is_accepted_when_there_is_no_annotation():
    def function(x, y=1): ...

    assert properties(function) == {"x": {}, "y": {"default": 1}}
    assert validated(function, x={"a": [1]}) == {"x": {"a": [1]}}


def test_names_may_be_whatever_python_allows():
    def function(json: int, model_config: int, _hidden: int, self: int, copy: int = 0, p0: int = 5): ...

    assert list(properties(function)) == ["json", "model_config", "_hidden", "self", "copy", "p0"]
    assert validated(function, json=1, model_config=2, _hidden=3, self=4) == {
        "json": 1,
        "model_config": 2,
        "_hidden": 3,
        "self": 4,
    }


def test_pydantic_field_may_be_the_default():
    def function(x: int = Field(3, ge=1, description="How many.")): ...

    assert properties(function)["x"] == {"type": "integer", "minimum": 1, "default": 3, "description": "How many."}
    assert validated(function) == {"x": 3}
    assert "x: Input should be greater than or equal to 1, got 0" in refused(function, x=0)


def test_local_classes_are_found_when_annotations_are_text():
    class Local(BaseModel):
        a: int

    def function(x: "Local", y: "list[Local]"): ...

    assert properties(function)["x"] == {"$ref": "#/$defs/Local"}
    assert validated(function, x={"a": 1}, y=[])["x"] == Local(a=1)


def test_function_may_call_itself_when_annotations_are_text():
    class Local(BaseModel):
        a: int

    @lambda function: properties(function)
    def found(x: "Local"):
        return found(x)

    assert found["x"] == {"$ref": "#/$defs/Local"}


def test_same_schema_is_made_when_all_annotations_are_text():
    namespace = {}
    code = (
        "from __future__ import annotations\n"
        "from typing import Annotated\n"
        "def function(x: Annotated[int, 'How many.'], y: list[str] | None = None): ...\n"
    )
    exec(compile(code, "cell", "exec", dont_inherit=True), namespace)

    assert properties(namespace["function"]) == {
        "x": {"type": "integer", "description": "How many."},
        "y": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}], "default": None},
    }


# -- Callables ---------------------------------------------------------------------------------------------------


class Account:
    """An account."""

    def deposit(self, amount: int):
        """Put money in."""

    def __call__(self, amount: int):
        """Take money out."""


async def fetch(amount: int):
    """Get money."""


def move(key: str, amount: int, note: str = ""):
    """Move money."""


@pytest.mark.parametrize(
    ("function", "name", "words"),
    [
        (Account().deposit, "deposit", "Put money in."),
        (Account(), "Account", "Take money out."),
        (fetch, "fetch", "Get money."),
        (functools.partial(fetch), "fetch", "Get money."),
        (functools.partial(move, "secret", note="secret"), "move", "Move money."),
        (functools.partial(functools.partial(move, note="secret"), "secret"), "move", "Move money."),
    ],
)
def test_callable_of_any_kind_is_a_tool(function, name, words):
    tool = Tool.from_function(function)

    assert (tool.name, tool.description) == (name, words)
    assert tool.parameters["properties"] == {"amount": {"type": "integer"}}
    assert "secret" not in repr(tool.to_wire())


def test_decorated_function_is_described_by_the_one_inside():
    @functools.wraps(move)
    def decorated(*args, **kwargs):
        return move(*args, **kwargs)

    assert list(properties(decorated)) == ["key", "amount", "note"]


def test_class_is_a_tool_that_makes_its_objects():
    assert Tool.from_function(Point, description="Make a point.").parameters["required"] == ["x"]


def test_other_arguments_are_accepted_when_a_function_takes_them():
    def function(a: int, **others: int): ...

    assert schema(function)["additionalProperties"] == {"type": "integer"}
    assert validated(function, a=1, b="2", p0=3) == {"a": 1, "b": 2, "p0": 3}
    assert "b: Input should be a valid integer" in refused(function, a=1, b="x")


def positional(a, /): ...


def variadic(*rows): ...


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (positional, "Cannot make a tool of 'positional': 'a' is taken by position"),
        (variadic, r"Cannot make a tool of 'variadic': \*rows takes arguments without names"),
        (max, "Cannot make a tool of 'max': it does not say what it takes"),
        (taking(Opaque), "its parameter 'x' is of type Opaque, which no JSON can stand for"),
        (taking(list[Opaque]), "its parameter 'x' is of type list"),
        (taking(typing.Callable[[int], int]), "its parameter 'x' is of type Callable"),
        (taking(3), "its parameter 'x' is of type 3"),
        (taking("Missing"), "its annotations cannot be read: name 'Missing' is not defined"),
        (taking("1 +"), "its annotations cannot be read"),
        (taking("1 / 0"), "its annotations cannot be read"),
    ],
)
def test_function_is_refused_when_no_model_could_call_it(function, said):
    with pytest.raises(ConfigurationError, match=said):
        Tool.from_function(function, name="f", description="f")


# -- Docstrings --------------------------------------------------------------------------------------------------


def test_description_is_the_first_paragraph_and_parameters_are_of_the_section():
    def function(a: int, b: Annotated[int, "The annotated words."], c: int = 0, d: int = 0):
        """Do this
        and that.

        Not this.

        Args:
            a: The first,
                on two lines: really.
            b (int): The words of the docstring.
            c (dict[str, int], optional): The third.

        Returns:
            d: Nothing.
        """

    tool = Tool.from_function(function)

    assert tool.description == "Do this and that."
    assert {name: one.get("description") for name, one in tool.parameters["properties"].items()} == {
        "a": "The first, on two lines: really.",
        "b": "The annotated words.",
        "c": "The third.",
        "d": None,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("", {})),
        ("One line.", ("One line.", {})),
        ("Args:\n    a: A.", ("", {"a": "A."})),
        ("Do.\nArgs:\n    a: A.", ("Do.", {"a": "A."})),
        ("Do.\n\nArgs:\n    *rows: All.\n    **more: Others.", ("Do.", {"rows": "All.", "more": "Others."})),
        ("Do.\n\nArgs:\n\n    a:\n        Below.", ("Do.", {"a": "Below."})),
        ("Do.\n\nArgs:", ("Do.", {})),
    ],
)
def test_docstring_is_read_as_google_writes_it(text, expected):
    assert read_docstring(text) == expected


@given(st.text() | st.text("Args: \nab()*", max_size=60))
def test_any_docstring_is_read(text):
    summary, words = read_docstring(text)

    assert "\n" not in summary
    assert all(words.values())


# -- Arguments ---------------------------------------------------------------------------------------------------


def buy(order: Order, when: dt.date, colours: list[Colour], where: Address, points: tuple[Point, ...] = ()): ...


def test_json_becomes_the_values_that_the_function_expects():
    assert validated(
        buy,
        order={"item": "tea", "at": {"x": "1"}},
        when="2026-01-31",
        colours=["red", "blue"],
        where={"street": "High"},
        points=[{"x": 1, "y": 2}],
    ) == {
        "order": Order(item="tea", at=Point(1)),
        "when": dt.date(2026, 1, 31),
        "colours": [Colour.RED, Colour.BLUE],
        "where": {"street": "High"},
        "points": (Point(1, 2),),
    }


def test_default_is_left_to_the_function_when_nothing_is_given():
    assert validated(taking(list, [])) == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"width": "x"}, ["width: Input should be a valid integer, unable to parse string as an integer, got \"x\""]),
        ({}, ['width: missing, expected {"type": "integer"}', "Parameters: width (required), colour, at."]),
        ({"width": 1, "color": "red"}, ["color: there is no such parameter (did you mean colour?)"]),
        ({"width": 1, "zzz": 1}, ["zzz: there is no such parameter.\n"]),
        ({"width": 1, "colour": "green"}, ["colour: Input should be 'red' or 'blue', got \"green\""]),
        ({"width": 1, "at": [{"x": 1}, {"y": "ü"}]}, ["at[1].x: missing", 'at[1].y: Input should be a valid integer']),
        ({"width": "x" * 10_000}, ['got "xxx', "…"]),
        ({"width": None, **{f"n{i}": i for i in range(9)}}, ["and 5 more."]),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_model_is_told_what_to_mend_when_arguments_do_not_fit(arguments, said):
    def area(width: int, colour: Colour = Colour.RED, at: list[Point] = ()): ...

    text = refused(area, **arguments)

    assert [one for one in said if one not in text] == []
    assert text.startswith("The arguments do not fit. ")
    assert len(text.splitlines()) <= 2
    assert len(text) < 900


# -- What was expected -------------------------------------------------------------------------------------------


def mistakes(function, arguments):
    with pytest.raises(BadArguments) as caught:
        schema_of(read_signature(function))[1](arguments)
    return str(caught.value)


POINT = '{"properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}, "required": ["x"], "type": "object"}'
ADDRESS = '{"properties": {"street": {"type": "string"}, "number": {"type": "integer"}}, "required": ["street"], "type": "object"}'
ORDER = (
    '{"properties": {"item": {"type": "string"}, "at": '
    + POINT
    + ', "colour": {"enum": ["red", "blue"], "type": "string"}}, '
    '"required": ["item", "at"], "type": "object"}'
)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Point, POINT),
        (Address, ADDRESS),
        (Order, ORDER),
        (list[Point], f'{{"items": {POINT}, "type": "array"}}'),
        (dict[str, Point], f'{{"additionalProperties": {POINT}, "type": "object"}}'),
        (Point | None, f'{{"anyOf": [{POINT}, {{"type": "null"}}]}}'),
        (Colour, '{"enum": ["red", "blue"], "type": "string"}'),
        (int, '{"type": "integer"}'),
    ],
)
def test_model_reads_the_fields_when_an_argument_is_missing(kind, expected):
    def move(to):
        pass

    move.__annotations__["to"] = kind

    assert f"to: missing, expected {expected}." in mistakes(move, {})


@pytest.mark.parametrize(
    ("kind", "given", "where", "expected"),
    [
        (Point, {}, "to.x", '{"type": "integer"}'),
        (Order, {"item": "a"}, "to.at", POINT),
        (Order, {"item": "a", "at": {}}, "to.at.x", '{"type": "integer"}'),
        (list[Point], [{"x": 1}, {}], "to[1].x", '{"type": "integer"}'),
        (dict[str, Point], {"a": {}}, "to.a.x", '{"type": "integer"}'),
        (Point | None, {}, "to.x", '{"type": "integer"}'),
        (tuple[int, Point], [1, {}], "to[1].x", '{"type": "integer"}'),
        (Node, {"value": 1, "next": {}}, "to.next.value", '{"type": "integer"}'),
    ],
)
def test_model_reads_the_type_when_a_field_is_missing(kind, given, where, expected):
    def move(to):
        pass

    move.__annotations__["to"] = kind

    assert f"{where}: missing, expected {expected}" in mistakes(move, {"to": given})


@pytest.mark.parametrize("kind", [Point, Order, Address])
def test_model_reads_the_fields_when_something_else_is_given(kind):
    def move(to):
        pass

    move.__annotations__["to"] = kind
    expected = {Point: POINT, Order: ORDER, Address: ADDRESS}[kind]

    assert mistakes(move, {"to": 5}).endswith(f", got 5, expected {expected}.")


def test_model_reads_names_and_types_to_a_depth_when_a_type_holds_itself():
    def walk(node: Node):
        pass

    told = mistakes(walk, {})

    assert '"value": {"type": "integer"}' in told
    assert "$ref" not in told
    assert len(told) < 1000


def test_model_reads_the_outer_fields_when_all_of_them_are_too_long():
    inner = dataclasses.make_dataclass("Inner", [(f"a_name_that_is_rather_long_{number}", int) for number in range(40)])
    outer = dataclasses.make_dataclass("Outer", [("first", inner), ("second", inner)])

    def move(to):
        pass

    move.__annotations__["to"] = outer
    told = mistakes(move, {})

    assert '"properties": {"first": {"type": "object"}, "second": {"type": "object"}}' in told


def test_field_is_shown_when_it_is_called_as_a_word_of_schemas():
    odd = dataclasses.make_dataclass("Odd", [("description", str), ("default", int), ("properties", int)])

    def move(to):
        pass

    move.__annotations__["to"] = odd

    told = mistakes(move, {})

    assert (
        '"description": {"type": "string"}, "default": {"type": "integer"}, "properties": {"type": "integer"}' in told
    )
