"""The boundary between a widget and a page: a comm without a kernel, on which a test says what a page would say."""

from typing import Any


class FakeComm:
    """Keeps what the kernel sends, and delivers what a page says."""

    def __init__(self, target_name="", data=None, metadata=None, buffers=None, comm_id=None, **_: Any) -> None:
        self.comm_id = comm_id or f"comm-{id(self)}"
        self.opened_with = data or {}
        self.sent: list[dict[str, Any]] = []
        self.is_closed = False

    def open(self, *_: Any, **__: Any) -> None:
        """Nothing is on the other side."""

    def send(self, data=None, metadata=None, buffers=None) -> None:
        self.sent.append(data)

    def close(self, *_: Any, **__: Any) -> None:
        self.is_closed = True

    def on_msg(self, callback) -> None:
        self._heard = callback

    def on_close(self, callback) -> None:
        self._closed = callback

    def hear(self, content: Any) -> list[dict[str, Any]]:
        """Say something as a page would; the custom messages that it is answered with."""
        before = len(self.sent)
        self._heard({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
        return [one["content"] for one in self.sent[before:] if one.get("method") == "custom"]

    @property
    def custom(self) -> list[dict[str, Any]]:
        """All custom messages that were sent."""
        return [one["content"] for one in self.sent if one.get("method") == "custom"]
