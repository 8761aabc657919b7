"""What a tool gave, as a model reads it: text within bounds, and images beside it.

A `tool` message holds text only, so images are kept apart. `Message.to_wire` sends them right after the results.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from jupyter_agents.executors.outputs import MAX_TEXT, describe, shorten
from jupyter_agents.messages import scrub

MAX_IMAGES = 8
"""Images of one result that a model sees."""

MAX_IMAGE = 7_500_000
"""Bytes of one image."""

_ROWS = 60
_COLUMNS = 20


class NoText(ValueError):
    """A value that cannot be put into words. The text is meant for the model."""


@dataclass(frozen=True)
class ToolResult:
    """The outcome of a call. `images` are content parts of a message.

    A tool may give one itself, to say exactly what the model reads. `external` marks text that comes from outside.
    """

    text: str
    images: tuple[Mapping[str, Any], ...] = ()
    ok: bool = True
    external: bool = False

    @property
    def content(self) -> str | list[dict[str, Any]]:
        """The content of a message: the text, or, where there are images, parts."""
        if not self.images:
            return self.text
        return [{"type": "text", "text": self.text}, *map(dict, self.images)]


def to_text(value: Any) -> str:
    """The value as `str` has it, without bounds. What cannot be written as UTF-8 is replaced."""
    return scrub(value if isinstance(value, str) else str(value))


def to_result(value: Any) -> ToolResult:
    """A value as a model reads it.

    Text stays what it is. Dictionaries, lists, numbers, `None`, dataclasses and pydantic models become JSON, tables of
    pandas the beginning and the end of their text, and figures and images are images. Text is cut in its middle.
    Raises `NoText` for what has no text form: bytes, and objects that do not say what they are.

    >>> to_result({"a": [1, None]}).text
    '{"a": [1, null]}'
    """
    if isinstance(value, ToolResult):
        return ToolResult(_bounded(value.text), value.images[:MAX_IMAGES], value.ok, value.external)
    if isinstance(value, str):
        return ToolResult(_bounded(value), tuple(getattr(value, "images", ()))[:MAX_IMAGES])
    images = _Images()
    return ToolResult(_bounded(_words(value, images)), tuple(images.parts))


def _bounded(text: str) -> str:
    return shorten(scrub(str.__str__(text)), MAX_TEXT)  # a plain text, be it of an enum or a subclass


def _words(value: Any, images: _Images) -> str:
    own = images.take(value)
    if own is not None:
        return own
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        taken = [images.take(one) for one in value]
        if any(one is not None for one in taken):
            return "\n".join(
                _words(one, images) if words is None else words for one, words in zip(value, taken, strict=True)
            )
    if isinstance(value, str):
        return str.__str__(value)
    table = _table(value)
    return _json(value) if table is None else table


# -- Text --------------------------------------------------------------------------------------------------------


def _table(value: Any) -> str | None:
    """A table or a column of pandas: its first and last rows, and its size; `None` for anything else."""
    if type(value).__module__.partition(".")[0] != "pandas" or not hasattr(value, "to_string"):
        return None
    if getattr(value, "ndim", 0) == 2:
        text = value.to_string(max_rows=_ROWS, max_cols=_COLUMNS, show_dimensions=False, max_colwidth=200)
        return f"{text}\n\n[{value.shape[0]:,} rows x {value.shape[1]:,} columns]"
    text = value.to_string(max_rows=_ROWS)
    return f"{text}\n\n[{len(value):,} values]"


def _json(value: Any) -> str:
    from pydantic_core import to_jsonable_python

    if isinstance(value, bytes | bytearray | memoryview):
        raise NoText(f"it is {len(value):,} bytes, which are not text. Ask for text, or for a file that code can read")
    if isinstance(value, Iterator | AsyncIterator):
        raise NoText(
            f"it is a {type(value).__name__}, of which nobody has taken the values. The tool must return a list"
        )
    if not isinstance(value, dict | list | tuple | set | frozenset) and _says_itself(value):
        return str(value)
    try:
        plain = to_jsonable_python(value, fallback=_fallback, bytes_mode="base64", serialize_unknown=False)
    except RecursionError as error:
        raise NoText("it is nested too deeply") from error
    except NoText:
        raise
    except ValueError as error:
        raise NoText(_why(value, str(error))) from error
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _why(value: Any, said: str) -> str:
    if "depth exceeded" in said:
        return "it is nested too deeply"
    if "Circular" in said:
        return "it contains itself"
    return f"it is a {type(value).__name__}, and of that there is no JSON ({said.splitlines()[0]})"


def _says_itself(value: Any) -> bool:
    """Whether it has a text of its own, and no better form."""
    kind: Any = type(value)
    if kind.__module__ == "builtins" or _has_json(kind):
        return False
    return kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__


def _has_json(kind: type) -> bool:
    from enum import Enum

    is_model = hasattr(kind, "__pydantic_serializer__")
    return is_model or hasattr(kind, "__dataclass_fields__") or issubclass(kind, Enum | Mapping)


def _fallback(value: Any) -> Any:
    """Something inside of a value that JSON does not know."""
    if callable(getattr(value, "tolist", None)):  # numbers and arrays of NumPy and its kin
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if _says_itself(value):
        return str(value)
    raise NoText(f"it holds an object of type {type(value).__name__}, which has no text form")


# -- Images ------------------------------------------------------------------------------------------------------


class _Images:
    """The images of one result, as content parts, no more and none larger than a model reads."""

    def __init__(self) -> None:
        self.parts: list[dict[str, Any]] = []

    def take(self, value: Any) -> str | None:
        """Keep the value's image and say so in words; `None` when it has none."""
        found = _image_of(value)
        if found is None:
            return None
        mime, data = found
        what = describe({mime: data})
        if len(self.parts) == MAX_IMAGES or len(data) > MAX_IMAGE:
            return f"{what} (not attached: {len(data):,} bytes, at most {MAX_IMAGES} images of {MAX_IMAGE:,} bytes are)"
        url = f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"
        self.parts.append({"type": "image_url", "image_url": {"url": url}})
        return f"{what} (attached as image {len(self.parts)})"


def _image_of(value: Any) -> tuple[str, bytes] | None:
    if isinstance(value, type) or value is None:
        return None
    for mime, name in (("image/png", "_repr_png_"), ("image/jpeg", "_repr_jpeg_")):
        data = _data_of(getattr(type(value), name, None) and getattr(value, name))
        if data:
            return mime, data
    figure = _figure_of(value)
    return None if figure is None else ("image/png", _drawn(figure))


def _data_of(represent: Callable[[], Any] | None) -> bytes | None:
    """The bytes of an image, which IPython takes as such, as base64, or in a pair with metadata."""
    data: Any = None
    with suppress(Exception):  # an object that cannot show itself may still have words
        data = represent() if represent is not None else None
        data = data[0] if isinstance(data, tuple) else data
        data = base64.b64decode(data, validate=True) if isinstance(data, str) else data
    return data if isinstance(data, bytes) else None


def _figure_of(value: Any) -> Any:
    """A figure of matplotlib, also that of axes; `None` for anything else."""
    if not any(base.__module__.partition(".")[0] == "matplotlib" for base in type(value).__mro__):
        return None
    figure = value if hasattr(value, "savefig") else getattr(value, "figure", None)
    return figure if hasattr(figure, "savefig") else None


def _drawn(figure: Any) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", metadata={"Software": None})
    return buffer.getvalue()


def parts_of(content: Any) -> tuple[str, tuple[Mapping[str, Any], ...]]:
    """The words and the images of a content, which is text or parts."""
    if not isinstance(content, Iterable) or isinstance(content, str):
        return content or "", ()
    parts = list(content)
    words = "".join(str(one.get("text", "")) for one in parts if one.get("type") == "text")
    return words, tuple(one for one in parts if one.get("type") != "text")
