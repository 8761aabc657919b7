"""What a model reads of a tool's value."""

import base64
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import io
import json
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from jupyter_agents.executors.outputs import MAX_TEXT
from jupyter_agents.messages import Message
from jupyter_agents.tool_results import MAX_IMAGE, MAX_IMAGES, NoText, ToolResult, parts_of, to_result

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big")


class Colour(enum.Enum):
    RED = "red"


class Word(str, enum.Enum):  # noqa: UP042 - as users of older Pythons have it
    YES = "yes"


@dataclasses.dataclass
class Point:
    x: int
    when: dt.date | None = None


class Order(BaseModel):
    item: str
    at: Point


class Opaque:
    pass


class Spoken:
    def __str__(self):
        return "spoken"


class Picture:
    def __init__(self, data=PNG):
        self.data = data

    def _repr_png_(self):
        return self.data


class Photo:
    def _repr_jpeg_(self):
        return b"\xff\xd8\xff"


class Broken(Spoken):
    def _repr_png_(self):
        raise ValueError


def image(data=PNG, mime="image/png"):
    return {"type": "image_url", "image_url": {"url": f"data:{mime};base64,{base64.b64encode(data).decode()}"}}


# -- Text --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ("", ""),
        ("a\ud800", "a\ufffd"),
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (1.5, "1.5"),
        (float("nan"), "NaN"),
        (Colour.RED, "red"),
        (Word.YES, "yes"),
        ([Word.YES], '["yes"]'),
        ({"a": [1, None, "ü"]}, '{"a": [1, null, "ü"]}'),
        ([1, "a"], '[1, "a"]'),
        ((1, 2), "[1, 2]"),
        ({1}, "[1]"),
        (Point(1, dt.date(2026, 1, 31)), '{"x": 1, "when": "2026-01-31"}'),
        (Order(item="tea", at=Point(1)), '{"item": "tea", "at": {"x": 1, "when": null}}'),
        ([Point(1)], '[{"x": 1, "when": null}]'),
        ({"order": Order(item="tea", at=Point(1))}, '{"order": {"item": "tea", "at": {"x": 1, "when": null}}}'),
        (dt.date(2026, 1, 31), "2026-01-31"),
        (decimal.Decimal("1.10"), "1.10"),
        ({"cost": decimal.Decimal("1.10")}, '{"cost": "1.10"}'),
        (collections.OrderedDict(a=1), '{"a": 1}'),
        (types.MappingProxyType({"a": 1}), '{"a": 1}'),
        (Spoken(), "spoken"),
        ([Spoken()], '["spoken"]'),
        ({"a": "\ud800"}, '{"a": "\ufffd"}'),
        ({"a": b"x"}, '{"a": "eA=="}'),
        (collections.namedtuple("Pair", "a b")(1, 2), "[1, 2]"),
    ],
    ids=repr,
)
def test_value_is_text_or_json(value, text):
    assert to_result(value) == ToolResult(text)


def test_numbers_and_arrays_of_numpy_are_json():
    numpy = pytest.importorskip("numpy")

    found = to_result({"n": numpy.int64(3), "rows": numpy.arange(3), "x": numpy.float64(0.5)}).text

    assert json.loads(found) == {"n": 3, "rows": [0, 1, 2], "x": 0.5}


def circular():
    found = []
    found.append(found)
    return found


def deep():
    found = []
    for _ in range(100_000):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"x" * 5_000, "it is 5,000 bytes, which are not text"),
        (bytearray(3), "it is 3 bytes"),
        (Opaque(), "Opaque"),
        ([Opaque()], "it holds an object of type Opaque, which has no text form"),
        (circular(), "it contains itself"),
        (deep(), "nested too deeply"),
        (object(), "object"),
        ((one for one in [1]), "generator"),
    ],
    ids=lambda value: str(type(value)),
)
def test_value_is_refused_when_it_has_no_text(value, said):
    with pytest.raises(NoText, match=said):
        to_result(value)


def test_text_is_cut_in_its_middle_when_it_is_long():
    text = to_result(list(range(100_000))).text

    assert MAX_TEXT < len(text) < MAX_TEXT + 100
    assert "characters not shown …" in text
    assert (text[:3], text[-6:]) == ("[0,", "99999]")


def test_table_is_its_beginning_and_end_with_its_size():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"n": range(1_000), "words": ["word" * 5] * 1_000})

    text = to_result(table).text

    assert text.endswith("[1,000 rows x 2 columns]")
    assert "999" in text
    assert "500" not in text
    assert to_result(table["n"]).text.endswith("[1,000 values]")
    assert to_result(table.head(2)).text.splitlines()[1].split() == ["0", "0", "word" * 5]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(JSON) | st.dictionaries(st.text(), JSON))
def test_any_json_is_text_that_can_be_sent(value):
    text = to_result(value).text

    text.encode()
    if len(text) < MAX_TEXT:
        json.loads(text)


# -- Images ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (Picture(), image()),
        (Picture((PNG, {"width": 3})), image()),
        (Picture(base64.b64encode(PNG).decode()), image()),
        (Photo(), image(b"\xff\xd8\xff", "image/jpeg")),
    ],
)
def test_value_is_an_image_when_it_shows_itself_as_one(value, part):
    result = to_result(value)

    assert result.images == (part,)
    assert result.text.startswith("<figure: image/")
    assert result.text.endswith("(attached as image 1)")


def test_words_and_images_may_come_together():
    result = to_result(("Look:", Picture(), {"n": 1}, Picture()))

    assert result.text.splitlines() == [
        "Look:",
        "<figure: image/png 640x480> (attached as image 1)",
        '{"n": 1}',
        "<figure: image/png 640x480> (attached as image 2)",
    ]
    assert result.images == (image(), image())
    assert parts_of(Message.from_dict({"content": result.content}).content) == (result.text, result.images)


def test_figure_is_an_image_when_it_is_of_matplotlib():
    figures = pytest.importorskip("matplotlib.figure")
    figure = figures.Figure()
    axes = figure.subplots()

    for value in (figure, axes):
        [part] = to_result(value).images
        data = base64.b64decode(part["image_url"]["url"].partition(",")[2])
        assert data.startswith(b"\x89PNG")
    assert to_result(figure) == to_result(figure)


def test_picture_of_pillow_is_an_image():
    pillow = pytest.importorskip("PIL.Image")

    [part] = to_result(pillow.new("RGB", (2, 2))).images

    assert pillow.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].partition(",")[2]))).size == (2, 2)


@pytest.mark.parametrize("value", [Broken(), Picture(None), Picture(b""), Picture("no base64!")])
def test_value_is_no_image_when_it_cannot_show_itself(value):
    if isinstance(value, Broken):
        assert to_result(value) == ToolResult("spoken")
    else:
        with pytest.raises(NoText):
            to_result(value)


def test_images_are_bounded_and_the_text_says_so():
    many, large = to_result([Picture()] * (MAX_IMAGES + 1)), to_result(Picture(PNG + b"x" * MAX_IMAGE))

    assert len(many.images) == MAX_IMAGES
    assert "(not attached: " in many.text.splitlines()[-1]
    assert large.images == ()
    assert "(not attached: 7,500,024 bytes" in large.text


def test_tool_may_say_itself_what_the_model_reads():
    given = ToolResult("x" * 50_000, (image(),), ok=False, external=True)

    result = to_result(given)

    assert len(result.text) < MAX_TEXT + 100
    assert (result.images, result.ok, result.external) == (given.images, False, True)


def test_images_beside_a_text_are_kept():
    class Text(str):
        __slots__ = ("images",)

    value = Text("words")
    value.images = (image(),)

    result = to_result(value)

    assert result == ToolResult("words", (image(),))
    assert type(result.text) is str
