"""What a tool of a server answered, as a model and a person can read it: text within bounds, and images."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jupyter_agents.executors.outputs import MAX_TEXT, shorten
from jupyter_agents.messages import scrub

if TYPE_CHECKING:
    from mcp import types

MAX_IMAGES = 8
"""Images of one result that a model sees."""

MAX_IMAGE = 10_000_000
"""Characters of base64 of one image."""

_SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})  # what vision models read


class MCPToolError(Exception):
    """A call of a server's tool failed. The text is meant for the model."""


class MCPResult(str):
    """A tool's answer as text. `images` are content parts of a message; `structured` is the answer as JSON, if given.

    >>> str(MCPResult("21 °C", structured={"celsius": 21}))
    '21 °C'
    """

    __slots__ = ("images", "structured")

    images: tuple[Mapping[str, Any], ...]
    structured: Any

    def __new__(cls, text: str, images: Iterable[Mapping[str, Any]] = (), structured: Any = None) -> MCPResult:
        """The text is kept as it is; `read_result` bounds it."""
        result = super().__new__(cls, text)
        result.images = tuple(images)
        result.structured = structured
        return result


def read_result(answer: types.CallToolResult) -> MCPResult:
    """The answer for the model. Raises `MCPToolError` with the server's words where it says that the call failed."""
    images: list[Mapping[str, Any]] = []
    lines = [line for block in answer.content for line in _lines(block, images)]
    if not lines and answer.structured_content is not None:
        lines = [json.dumps(answer.structured_content, ensure_ascii=False)]
    text = shorten(scrub("\n".join(lines)), MAX_TEXT)
    if answer.is_error:
        raise MCPToolError(text or "The tool failed and does not say why.")
    return MCPResult(text or "(The tool gave no output.)", images, answer.structured_content)


def _lines(block: Any, images: list[Mapping[str, Any]]) -> Iterator[str]:
    """A block as text. An image that a model can see is added to `images`, and the text says which it is."""
    if block.type == "text":
        yield block.text
    elif block.type == "resource_link":
        about = f": {block.description}" if block.description else ""
        yield f"[link to {block.name} <{block.uri}>{about}]"
    elif block.type == "resource":
        yield from _resource(block.resource, images)
    else:
        yield _blob(block.data, block.mime_type, images)


def _resource(resource: Any, images: list[Mapping[str, Any]]) -> Iterator[str]:
    text = getattr(resource, "text", None)
    if text is None:
        yield f"[resource <{resource.uri}>] {_blob(resource.blob, resource.mime_type, images)}"
    else:
        yield f"[resource <{resource.uri}>]"
        yield text


def _blob(data: str, mime_type: str | None, images: list[Mapping[str, Any]]) -> str:
    mime_type = (mime_type or "application/octet-stream").partition(";")[0].strip().lower()
    what = f"{mime_type}, about {len(data) * 3 // 4:,} bytes"
    if mime_type not in _SHOWN:
        return f"[{what}; not shown]"
    if len(images) == MAX_IMAGES or len(data) > MAX_IMAGE:
        return f"[{what}; not shown, it is too much]"
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return f"[{what}; not shown, it is no valid base64]"
    images.append({"type": "image_url", "image_url": {"url": f"data:{mime_type};base64,{data}"}})
    return f"[image {len(images)}: {what}]"
