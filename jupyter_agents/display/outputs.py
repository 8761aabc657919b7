"""What code shows, where it does not go to the cell: as bundles of the slot that a long chat shares."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from html import escape
from typing import Any, Literal

from jupyter_agents.display.bundle import Bundle
from jupyter_agents.display.markdown import code_html, code_markdown
from jupyter_agents.executors.outputs import MESSAGE_MIME, describe, plain

STDOUT = "application/vnd.jupyter.stdout"
STDERR = "application/vnd.jupyter.stderr"

ShowOutput = Callable[[int, Mapping[str, Any], Mapping[str, Any], "str | None"], None]
_numbers = itertools.count(1)


class SlotSink:
    """Gives what a block shows to `show(number, data, metadata, grown)`: streams as text of the notebook's own types.

    `grown` is what has been added to the output with this number; `None` where it is a new one, or another one in place
    of that with this number. `displays` are the numbers of outputs with a display id, which later blocks may update.
    """

    def __init__(self, show: ShowOutput, displays: dict[str, int] | None = None) -> None:
        self._show = show
        self._lock = threading.Lock()
        self._mime, self._text, self._number = "", "", 0
        self._displays = {} if displays is None else displays

    def write(self, name: Literal["stdout", "stderr"], text: str) -> None:
        """See `OutputSink`."""
        mime = STDOUT if name == "stdout" else STDERR
        with self._lock:
            is_new = mime != self._mime
            if is_new:
                self._mime, self._text, self._number = mime, "", next(_numbers)
            self._text += text
            self._show(self._number, {mime: self._text}, {}, None if is_new else text)

    def show(
        self, data: Mapping[str, Any], metadata: Mapping[str, Any], *, display_id: str | None, update: bool
    ) -> None:
        """See `OutputSink`."""
        with self._lock:
            known = self._displays.get(display_id) if display_id is not None else None
            if update and known is not None:
                self._show(known, data, metadata, None)
            elif not update:
                self._mime, number = "", next(_numbers)
                if display_id is not None:
                    self._displays[display_id] = number
                self._show(number, data, metadata, None)


def output_bundle(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Bundle:
    """An output of code as a bundle of ours. Its HTML is that of the output: code that has run may show what it likes."""
    words = plain(str(data.get(STDOUT) or data.get(STDERR) or "")) or describe(data)
    shown: dict[str, Any] = {
        MESSAGE_MIME: {"schema": 1, "kind": "output", "data": dict(data), "metadata": dict(metadata), "text": ""},
        "text/html": _html(data, words),
        "text/markdown": code_markdown(words),
        "text/plain": words,
    }
    return Bundle(shown, {})


def _html(data: Mapping[str, Any], words: str) -> str:
    if isinstance(data.get("text/html"), str):
        return f"<div>{data['text/html']}</div>"
    if isinstance(data.get("image/svg+xml"), str):
        return f"<div>{data['image/svg+xml']}</div>"
    for mime in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        if isinstance(data.get(mime), str):
            source = f"data:{mime};base64,{''.join(data[mime].split())}"
            return f'<img src="{escape(source)}" alt="{escape(words)}" style="max-width:100%">'
    return code_html(words)


__all__ = ["STDERR", "STDOUT", "SlotSink", "output_bundle"]
