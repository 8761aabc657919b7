"""A plugin of pytest: recordings for tests of agents, and for notebooks that nbval runs.

Installed with the package. `--agent-recording=record` (or `refresh`) brings recordings up to date; without it, tests
and notebooks replay.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from jupyter_agents.journal.recording import Recording
from jupyter_agents.journal.using import REPLAY_VARIABLE, use_recording

NOTEBOOK_VARIABLE = "JPY_SESSION_NAME"
"""What a Jupyter server calls the notebook of a kernel."""

_MODES = ("all", "model", "record", "refresh", "off")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option `--agent-recording`."""
    parser.getgroup("jupyter-agents").addoption(
        "--agent-recording",
        choices=_MODES,
        help="what becomes of recordings of agents: replay all, or the words of models only; record; refresh: replay what "
        "fits and record the rest (for notebooks this sets JUPYTER_AGENTS_REPLAY)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let kernels that nbval starts do the same as tests."""
    mode = config.getoption("agent_recording")
    if mode:
        patch = pytest.MonkeyPatch()
        patch.setenv(REPLAY_VARIABLE, mode)
        config.add_cleanup(patch.undo)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    """Tell a kernel that nbval starts which notebook it is for, as a Jupyter server does."""
    with pytest.MonkeyPatch.context() as patch:
        if item.path.suffix == ".ipynb":
            patch.setenv(NOTEBOOK_VARIABLE, str(item.path))
        return (yield)


@pytest.fixture
def agent_recording(request: pytest.FixtureRequest) -> Iterator[Recording | None]:
    """The recording of this test: all chats that it holds are replayed from there.

    It is `recordings/<test module>/<test>.jsonl` beside the test. To make it, or bring it up to date, run the test with
    `--agent-recording=record` or `--agent-recording=refresh`.
    """
    name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
    path = request.path.parent / "recordings" / request.path.stem / f"{name}.jsonl"
    with use_recording(path) as recording:
        yield recording
