"""One real ipykernel for the tests of a module, spoken to as a front end does."""

import ast
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop

ROOT = Path(__file__).parents[2]

_FOLDER = str(Path(__file__).parent)
_PREPARE = f"import asyncio, os, sys\nsys.path.insert(0, {_FOLDER!r})\nimport executor_harness"
_CELL = "import executor_harness\n_result = {how}({code!r}, {language!r}, **{options!r})"


@dataclass
class Cell:
    """What came of executing a cell: the messages of its output, and its reply."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [message["content"] for message in self.messages if message["msg_type"] in kinds]

    @property
    def kinds(self) -> list[str]:
        """The kinds of its outputs, one a run of equal ones."""
        kinds = [message["msg_type"] for message in self.messages]
        kinds = [kind for kind in kinds if kind not in ("status", "execute_input")]
        return [kind for index, kind in enumerate(kinds) if index == 0 or kinds[index - 1] != kind]

    def stream(self, name: str = "stdout") -> str:
        return "".join(content["text"] for content in self.of("stream") if content["name"] == name)

    @property
    def data(self) -> list[dict[str, Any]]:
        return [content["data"] for content in self.of("display_data", "execute_result")]

    def value(self, expression: str) -> Any:
        found = self.reply["user_expressions"][expression]
        assert found["status"] == "ok", found
        return ast.literal_eval(found["data"]["text/plain"])


@dataclass
class Ran(Cell):
    """A cell in which a block was executed, and the result that the block gave."""

    @property
    def result(self) -> dict[str, Any]:
        return json.loads(self.value("_result"))

    @property
    def text(self) -> str:
        return self.result["text"]


class Kernel:
    """A kernel, and the channels of a front end."""

    def __init__(self, **options: Any) -> None:
        self.manager = KernelManager(kernel_name="python3")
        environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        self.manager.start_kernel(
            cwd=str(ROOT), env=environment, **options
        )  # with it, ipykernel reads no child's output
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.pid = self.execute(_PREPARE, "os.getpid()").value("os.getpid()")

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        ensure_event_loop().close()  # jupyter_client has made it, and leaves it open

    def execute(
        self,
        code: str,
        *expressions: str,
        when: Callable[[dict[str, Any]], None] | None = None,
        allow_stdin: bool = False,
    ) -> Cell:
        """Execute a cell to its end. `when` is called with every message of it, as it comes."""
        return self._execute(Cell(), code, expressions, when, allow_stdin=allow_stdin)

    def run(
        self, code: str, language: str = "python", *, awaited: bool = False, when: Any = None, **options: Any
    ) -> Ran:
        """Run a block in a cell of its own: blocking, or awaited."""
        how = "await executor_harness.a_run" if awaited else "executor_harness.run"
        cell = _CELL.format(how=how, options=options, language=language, code=code)
        return self._execute(Ran(), cell, ("_result",), when)

    def interrupt_when(self, text: str) -> Callable[[dict[str, Any]], None]:
        """For `when`: interrupt the kernel, once, as soon as a stream has said this; `interrupted_at` says when."""
        self.interrupted_at = 0.0

        def interrupt() -> None:
            self.interrupted_at = time.monotonic()
            os.kill(self.pid, signal.SIGINT)  # as the manager does, which belongs to the main thread's loop

        def look(message: dict[str, Any]) -> None:
            if not self.interrupted_at and text in message["content"].get("text", ""):
                self.interrupted_at = time.monotonic()
                threading.Timer(0.3, interrupt).start()  # the block says it just before it starts to spin

        return look

    def _execute(
        self, cell: Any, code: str, expressions: tuple[str, ...], when: Any, *, allow_stdin: bool = False
    ) -> Any:
        started = time.monotonic()
        message_id = self.client.execute(
            code, user_expressions={one: one for one in expressions}, allow_stdin=allow_stdin, stop_on_error=False
        )
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != message_id:
                if when is not None and message["msg_type"] == "comm_msg":  # an answer to what a page has said
                    when(message)
                continue
            cell.messages.append(message)
            if when is not None:
                when(message)
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        while not cell.reply:
            reply = self.client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == message_id:  # not the late answer to a first greeting
                cell.reply = reply["content"]
        cell.seconds = time.monotonic() - started
        return cell


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    one = Kernel()
    yield one
    one.close()
