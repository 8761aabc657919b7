"""A user's own project, outside of this package: a notebook and a test with recordings, replayed where there is no server."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import jupyter_agents
from jupyter_agents.testing import FakeOpenAIServer

PLUGIN = "jupyter_agents.testing.plugin"
AGENTS = """\
from jupyter_agents import AssistantAgent, UserProxyAgent

guide = AssistantAgent("guide", "You know all rivers.")
user = UserProxyAgent("user", human_input_mode="NEVER")"""
CELLS = [
    '%load_ext jupyter_agents\n%config JupyterAgents.recording = "recordings/rivers.jsonl"',
    AGENTS,
    "%%agentchat --to guide --from user\nHow long is the Danube, in miles?",
    "%%agentchat --to guide --from user\nAnd the Rhine?",
]
REPLIES = ["```python\nprint(round(2850 * 0.6214))\n```", "1771 miles.\nTERMINATE", "764 miles.\nTERMINATE"]
TEST = """\
from jupyter_agents import AssistantAgent, UserProxyAgent


def test_guide_knows_the_elbe(agent_recording):
    guide = AssistantAgent("guide", "You know all rivers.")
    user = UserProxyAgent("user", human_input_mode="NEVER")

    assert user.initiate_chat(guide, message="How long is the Elbe?").summary == "680 miles."
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    write(folder, CELLS)
    (folder / "test_rivers.py").write_text(TEST)
    return folder


def write(folder, cells):
    nbformat.write(nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells))), folder / "rivers.ipynb")


def run(folder, *command, server=None, **variables):
    """A command of the user's, in the project; with a model only where there is a server."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "IPYTHONDIR") if name in os.environ}
    environ["PYTHONPATH"] = str(Path(jupyter_agents.__file__).parent.parent)
    environ["JUPYTER_DATA_DIR"] = str(folder.parent / "data")
    if server is not None:
        environ |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "fake-key", "OPENAI_MODEL": "fake-model"}
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environ | variables,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def execute(folder, mode, server=None):
    return run(folder, "jupyter", "execute", "--inplace", "rivers.ipynb", server=server, JUPYTER_AGENTS_REPLAY=mode)


def compare(folder):
    return run(folder, "pytest", "-p", PLUGIN, "--nbval", "rivers.ipynb", "--agent-recording=all", "-q")


def test_notebook_of_a_user_is_recorded_replayed_by_nbval_and_refreshed_when_it_changed(project):
    with FakeOpenAIServer() as server:
        server.enqueue(*REPLIES)
        recorded = execute(project, "record", server)
        assert recorded.returncode == 0, recorded.stderr

    saved = execute(project, "all")
    assert saved.returncode == 0, saved.stderr
    compared = compare(project)
    assert compared.returncode == 0, compared.stdout
    assert "4 passed" in compared.stdout

    notebook = project / "rivers.ipynb"
    notebook.write_text(notebook.read_text().replace("And the Rhine?", "And the Loire?"))
    changed = compare(project)
    assert changed.returncode == 1
    assert "-user | And the Rhine?" in changed.stdout
    assert "+user | And the Loire?" in changed.stdout
    assert "1 failed, 3 passed" in changed.stdout

    with FakeOpenAIServer() as server:
        server.enqueue("634 miles.\nTERMINATE")
        before = (project / "recordings" / "rivers.jsonl").read_text().splitlines()
        refreshed = execute(project, "refresh", server)
        assert refreshed.returncode == 0, refreshed.stderr
        assert len(server.requests) == 1
    assert (project / "recordings" / "rivers.jsonl").read_text().splitlines()[1:4] == before[1:4]
    assert execute(project, "all").returncode == 0
    assert compare(project).returncode == 0


def test_test_of_a_user_is_recorded_and_replayed_without_a_server(project):
    arguments = ("pytest", "-p", PLUGIN, "-q", "test_rivers.py")

    missing = run(project, *arguments)
    with FakeOpenAIServer() as server:
        server.enqueue("680 miles.\nTERMINATE")
        recorded = run(project, *arguments, "--agent-recording=record", server=server)
        assert len(server.requests) == 1
    replayed = run(project, *arguments)

    assert missing.returncode == 1
    assert "there is no such file" in missing.stdout
    assert recorded.returncode == 0, recorded.stdout
    assert replayed.returncode == 0, replayed.stdout
    assert [one.name for one in project.rglob("*.jsonl")] == ["test_guide_knows_the_elbe.jsonl"]


def test_notebook_without_a_named_recording_has_its_own_when_nbval_runs_it(project):
    write(project, ["%load_ext jupyter_agents", AGENTS, *CELLS[2:]])
    with FakeOpenAIServer() as server:
        server.enqueue(*REPLIES)
        run(project, "pytest", "-p", PLUGIN, "--nbval-lax", "--agent-recording=record", "rivers.ipynb", server=server)

    assert (project / "recordings" / "rivers.jsonl").is_file()
