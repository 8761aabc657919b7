"""The images of a message: what tools gave beside their text, and what was said with images.

They stand in the HTML of a bundle and nowhere else in it, because a file need not hold them twice. Only images that are
in the message itself are shown: nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jupyter_agents.display.markdown import clean
from jupyter_agents.executors.outputs import describe
from jupyter_agents.messages import Message

MAX_SHOWN = 2_000_000
"""Characters that the images of one message may take in the file. What does not fit is told in words."""

_DATA = re.compile(r"data:(image/(?:png|jpeg|gif|webp));base64,([A-Za-z0-9+/]+={0,2})")
_IN_HTML = re.compile(r"<img src='(data:image/[a-z]+;base64,[A-Za-z0-9+/=]+)'")


class Picture(NamedTuple):
    """An image in words, and its `url`: `""` where it is not shown. `result` counts the results of the message."""

    words: str
    result: int
    url: str = ""

    def to_json(self) -> dict[str, Any]:
        """What the JSON part says of it. The image itself is in the HTML."""
        return {"words": self.words, "result": self.result} | ({"shown": True} if self.url else {})


def pictures_of(message: Message, names: Sequence[str] = ()) -> list[Picture]:
    """The images of a message. `names` are those of the tools whose results it holds."""
    found, taken, counts = [], 0, dict[int, int]()
    for result, url in _urls(message):
        counts[result] = counts.get(result, 0) + 1
        of = f" of {clean(names[result])}" if result < len(names) and names[result] else ""
        picture = _picture(f"Image {counts[result]}{of}", result, url, MAX_SHOWN - taken)
        taken += len(picture.url)
        found.append(picture)
    return found


def urls_in(html: str) -> list[str]:
    """The images in the HTML of a bundle. Text of agents is escaped there: it has none."""
    return _IN_HTML.findall(html)


def _urls(message: Message) -> Iterator[tuple[int, str]]:
    """The URLs of the images, each with the ordinal of the result that it belongs to."""
    content = message.content if isinstance(message.content, tuple) else ()
    parts = [one.images for one in message.tool_responses] or [content]
    for result, found in enumerate(parts):
        for part in found:
            url = _url_of(part)
            if url:
                yield result, url


def _url_of(part: Mapping[str, Any]) -> str:
    found = part.get("image_url") if part.get("type") == "image_url" else None
    found = found.get("url") if isinstance(found, Mapping) else found
    return found if isinstance(found, str) else ""


def _picture(name: str, result: int, url: str, room: int) -> Picture:
    data = _DATA.fullmatch(url)
    if data is None:
        where = "" if url.startswith("data:") else f": it is at {clean(url)[:200]}"
        return Picture(f"{name}, not loaded{where}", result)
    what = describe({data[1]: data[2]}).removeprefix("<figure: ").removesuffix(">")
    if len(url) > room:
        return Picture(f"{name} ({what}), too large to be shown: {len(url):,} characters", result)
    return Picture(f"{name} ({what})", result, url)


__all__ = ["MAX_SHOWN", "Picture", "pictures_of", "urls_in"]
