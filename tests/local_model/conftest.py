"""A real language model behind a real OpenAI-compatible server on this machine."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

START = 60  # seconds


@dataclass(frozen=True)
class LocalServer:
    """Where the server is (`…/v1`), and what it calls its model."""

    base_url: str
    model: str = "smollm2-135m"


@pytest.fixture(scope="session")
def local_server(tmp_path_factory) -> Iterator[LocalServer]:
    log = tmp_path_factory.mktemp("local_server") / "log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("serve.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        killer = threading.Timer(START, process.kill)
        killer.start()
        address = process.stdout.readline().strip()
        killer.cancel()
        if not address:
            process.wait()
            pytest.fail(
                f"the local model did not start within {START} s:\n{log.read_text('utf-8', 'replace')[-4_000:]}"
            )
        yield LocalServer(f"{address}/v1")
        process.stdin.close()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
