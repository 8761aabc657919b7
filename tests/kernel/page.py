"""A page without a browser: it draws our widget and answers for a person, as a front end's comm messages do."""

import time
from collections.abc import Callable
from typing import Any

WIDGET = "application/vnd.jupyter.widget-view+json"


class Page:
    """Follows a kernel. Give `look` to `Kernel.execute`; `when_asked` is called with every question, once.

    With `subshell` it answers as JupyterLab does, which gives comms a subshell of their own; without, as others do.
    """

    def __init__(self, kernel: Any, *, subshell: bool = True, draws: bool = True) -> None:
        self.kernel, self.draws = kernel, draws
        self.subshell = self._new_subshell() if subshell else None
        self.when_asked: Callable[[dict[str, Any]], None] = lambda question: None
        self.when_busy: Callable[[dict[str, Any]], None] = lambda activity: None
        self.when_text: Callable[[str], None] = lambda text: None
        self.heard: list[dict[str, Any]] = []
        self.answered_at = 0.0
        self.text = ""
        self._asked: set[str] = set()
        self._comm: str | None = None
        self._views: set[str] = set()
        self._has_state = False
        self._seq = 0
        self._is_silent = False

    def close(self) -> None:
        """Go away, and take the subshell along."""
        if self.subshell is not None:
            self._control("delete_subshell_request", {"subshell_id": self.subshell})

    def silence(self) -> None:
        """Say nothing more, as a page whose connection is gone."""
        self._is_silent = True

    def look(self, message: dict[str, Any]) -> None:
        """Take a message of the kernel."""
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_open" and "_esm" in content["data"].get("state", {}):
            self._comm, self._has_state = content["comm_id"], False
            self._asked.clear()  # a widget that takes the place of another one asks again
            self.send({"t": "hello", "page": "p"})
        elif kind in ("display_data", "update_display_data") and self.draws:
            self._draw(content["transient"].get("display_id", ""), is_live=WIDGET in content["data"])
        elif kind == "comm_msg" and content["comm_id"] == self._comm and content["data"].get("method") == "custom":
            self._hear(content["data"]["content"])

    def send(self, content: dict[str, Any]) -> None:
        """Send a message as the widget does."""
        if self._is_silent:
            return
        session, channel = self.kernel.client.session, self.kernel.client.shell_channel
        data = {"method": "custom", "content": content}
        message = session.msg("comm_msg", {"comm_id": self._comm, "data": data})
        if self.subshell is not None:
            message["header"]["subshell_id"] = self.subshell
        channel.send(message)

    def answer(self, question: dict[str, Any], action: str = "reply", text: str = "", **more: Any) -> None:
        """Answer a question."""
        self.answered_at = time.monotonic()
        answer = {"action": action, "text": text, **more}
        self.send({"t": "answer", "view": "v", "id": question["id"], "answer": answer})

    def press(self, button: str) -> None:
        """Press Stop (`stop`) or Interrupt code (`interrupt`)."""
        self.answered_at = time.monotonic()
        self.send({"t": button, "view": "v"})

    def close_widget(self) -> None:
        """Close the comm from this side, as a front end does that lets the widget go."""
        session, channel = self.kernel.client.session, self.kernel.client.shell_channel
        message = session.msg("comm_close", {"comm_id": self._comm, "data": {}})
        if self.subshell is not None:
            message["header"]["subshell_id"] = self.subshell
        channel.send(message)

    def _draw(self, output: str, *, is_live: bool) -> None:
        """Draw the widget or what takes its place. The first view asks for the state; later ones begin with what is there."""
        self._views = self._views | {output} if is_live else self._views - {output}
        if is_live and not self._has_state:
            self._has_state = True
            self.send({"t": "sync", "page": "p", "views": 1, "first": None, "earlier": False})

    def _hear(self, content: dict[str, Any]) -> None:
        self.heard.append(content)
        if content["t"] == "ping":
            self.send({"t": "pong", "page": "p", "views": len(self._views)})
        elif content["t"] == "state":
            self._take(content["state"])
        elif content["t"] == "patch":
            for op in content["ops"]:
                if op["op"] == "set":
                    self._take(op["values"])
                elif op["op"] == "text":
                    self.text += op["text"]
                    self.when_text(self.text)

    def _take(self, values: dict[str, Any]) -> None:
        if values.get("activity"):
            self.when_busy(values["activity"])
        if values.get("live"):
            self.text = values["live"]["text"]
            self.when_text(self.text)
        for question in values.get("questions") or ():
            if question["id"] not in self._asked:
                self._asked.add(question["id"])
                self.when_asked(question)

    def _new_subshell(self) -> str:
        return str(self._control("create_subshell_request", {})["subshell_id"])

    def _control(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        client = self.kernel.client
        message = client.session.msg(kind, content)
        client.control_channel.send(message)
        while True:
            reply = client.get_control_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return dict(reply["content"])
