"""The demo: what JupyterLab is started with, and, without a display, a notebook run in a real kernel and printed."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from jupyter_agents.journal.trust import TrustStore
from jupyter_agents.testing import FakeOpenAIServer, ServerReply

ROOT = Path(__file__).parent.parent.parent
DEMO = ROOT / "scripts" / "demo.py"
QUICKSTART = ROOT / "notebooks" / "00_quickstart.ipynb"
FIGURE = (
    "import base64\n"
    "from IPython.display import Image\n"
    "png = 'iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAQAAAAT4xYKAAAADklEQVR42mNkAAJGDAYAADsABJeUl+cAAAAASUVORK5CYII='\n"
    "Image(base64.b64decode(png))"
)
SETTINGS = ("REPLAY", "TRUST_RECORDINGS", "CODE_POLICY")
SHOW_SETTINGS = f"import os\ntuple(os.environ.get('JUPYTER_AGENTS_' + name) for name in {SETTINGS})"
LOAD = "%load_ext jupyter_agents"
CHAT = "%%agentchat\nHow much is 6 times 7?"
CODE = "```python\nanswer = 6 * 7\nprint('computed', answer)\n```"


@pytest.fixture
def server(monkeypatch):
    """What a live model is."""
    with FakeOpenAIServer(models=["lively"]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("OPENAI_MODEL", "lively")
        yield server


@pytest.fixture
def demo(tmp_path):
    """Run the demo on a notebook of these cells."""

    def demo(*cells: str, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_markdown_cell("# A title"), *map(nbformat.v4.new_code_cell, cells)]
        )
        nbformat.write(notebook, tmp_path / "demo.ipynb")
        return run("--headless", *arguments, str(tmp_path / "demo.ipynb"))

    return demo


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Start the demo where there is a display, with something in JupyterLab's place that writes down how it is started."""
    package = tmp_path / "instead" / "jupyterlab"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import json, os, pathlib, sys\n"
        "pathlib.Path(os.environ['SEEN']).write_text(json.dumps([sys.argv[1:], dict(os.environ)]))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setenv("SEEN", str(tmp_path / "seen.json"))
    monkeypatch.setenv("DISPLAY", ":0")

    def lab(*arguments: str) -> tuple[subprocess.CompletedProcess[str], list[str], dict[str, str]]:
        done = run(*arguments)
        assert done.returncode == 0, done.stderr
        words, environment = json.loads((tmp_path / "seen.json").read_text())
        del environment["PYTHONPATH"], environment["SEEN"]
        return done, words, environment

    return lab


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(DEMO), *arguments], capture_output=True, text=True, timeout=100, check=False
    )


def run_in_kernel(cells, environment):
    """The cells after they ran in a kernel that has this environment, beside the quickstart."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": str(QUICKSTART.parent)}}
    client = NotebookClient(notebook, timeout=100, kernel_name="python3", resources=resources)
    with client.setup_kernel(env=environment):
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
    return notebook.cells


def first_cells_of_the_quickstart():
    return [cell.source for cell in nbformat.read(QUICKSTART, 4).cells if cell.cell_type == "code"][:4]


# -- Without a display -------------------------------------------------------------------------------------------


def test_notebook_is_printed_with_its_outputs(demo):
    done = demo("import sys\nprint('said')\nsys.executable", FIGURE)

    assert done.returncode == 0, done.stderr
    assert "# A title\n\n│ import sys\n│ print('said')\n│ sys.executable\nsaid\n" in done.stdout
    assert f"'{sys.executable}'" in done.stdout  # the kernel is this environment's
    assert "[figure 2x3]" in done.stdout
    assert done.stdout.endswith("demo.ipynb ran to its end: 2 code cells.\n")


def test_demo_fails_when_a_cell_fails(demo):
    done = demo("print('before')", "1 / 0", "print('after')")

    assert done.returncode == 1
    assert "before\n" in done.stdout
    assert "\nZeroDivisionError: division by zero\n" in done.stdout
    assert "\nafter" not in done.stdout
    assert "ZeroDivisionError: division by zero" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ((), ("all", "1", None)),
        (("--live",), ("off", None, None)),
        (("--live", "--approve", "auto"), ("off", None, "auto")),
    ],
    ids=["replayed", "live", "live_without_asking"],
)
def test_kernel_is_told_where_replies_come_from(demo, server, arguments, settings):
    done = demo(SHOW_SETTINGS, arguments=arguments)

    assert done.returncode == 0, done.stderr
    assert repr(settings) in done.stdout
    first = done.stdout.partition("\n")[0]
    assert ("replayed" in first) == (not arguments)
    assert ("'lively' at 127.0.0.1" in first) == bool(arguments)


# -- With a live model -------------------------------------------------------------------------------------------


def test_demo_ends_at_once_when_there_is_no_model(demo, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1")  # known, so that no local server is looked for

    done = demo("print('ran')", arguments=("--live",))

    assert done.returncode == 2
    assert "ran\n" not in done.stdout
    assert "OPENAI_API_KEY" in done.stderr
    assert done.stderr.count("\n") == 1


def test_code_does_not_run_and_the_demo_says_why_when_nobody_can_approve_it(demo, server):
    server.enqueue(CODE)

    done = demo(LOAD, CHAT, "answer", arguments=("--live",))

    before, _, after = done.stdout.partition("# A title")
    assert "code will not run: nobody can approve it here. APPROVE=auto" in before
    assert "computed 42" not in after
    assert after.endswith(
        "ran to its end: 3 code cells, 1 failed.\n  code cell 3: NameError: name 'answer' is not defined\n"
    )
    assert done.returncode == 0, done.stderr


def test_code_of_the_model_runs_when_it_is_approved_beforehand(demo, server):
    server.enqueue(CODE, "It is 42.\nTERMINATE")

    done = demo(LOAD, CHAT, "answer + 1", arguments=("--live", "--approve", "auto"))

    assert done.returncode == 0, done.stderr
    assert "will not run" not in done.stdout
    assert "computed 42" in done.stdout
    assert "\n43\n" in done.stdout
    assert done.stdout.endswith("ran to its end: 3 code cells.\n")


def test_demo_fails_when_a_chat_fails(demo, server):
    server.enqueue(ServerReply.error(401, "no such key"))

    done = demo(LOAD, CHAT, "print('after')", arguments=("--live", "--approve", "auto"))

    assert done.returncode == 1
    assert "\nafter\n" in done.stdout
    assert "3 code cells, 1 failed.\n  code cell 2: " in done.stdout


def test_demo_fails_when_a_cell_before_the_chats_fails(demo, server):
    done = demo("import no_such_module", arguments=("--live",))

    assert done.returncode == 1
    assert "code cell 1: ModuleNotFoundError" in done.stdout


@pytest.mark.parametrize("arguments", [("--approve", "yes"), ("no_such.ipynb",)], ids=["policy", "notebook"])
def test_demo_is_refused_when_its_arguments_make_no_sense(arguments):
    assert run("--headless", *arguments).returncode == 2


# -- In JupyterLab -----------------------------------------------------------------------------------------------


def test_only_the_recording_of_the_quickstart_is_trusted_when_it_is_shown_in_lab(lab):
    done, words, environment = lab()

    assert words[0] == str(QUICKSTART)
    assert [name for name in SETTINGS if f"JUPYTER_AGENTS_{name}" in environment] == []
    assert "notebooks/recordings/00_quickstart.jsonl are trusted" in done.stdout
    recorded = map(json.loads, (QUICKSTART.parent / "recordings" / "00_quickstart.jsonl").read_text().splitlines())
    conversations = {line["conversation"] for line in recorded if "conversation" in line}
    trusted = TrustStore().path.read_text().split("\n")
    assert len([line for line in trusted if line]) == len(conversations)


def test_nothing_is_trusted_when_lab_shows_a_notebook_from_elsewhere(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_AGENTS_TRUST_DB", str(tmp_path / "trusted.jsonl"))
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "00_quickstart.jsonl").write_bytes(
        (QUICKSTART.parent / "recordings" / "00_quickstart.jsonl").read_bytes()
    )
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "00_quickstart.ipynb")

    lab(str(tmp_path / "00_quickstart.ipynb"))

    assert not (tmp_path / "trusted.jsonl").exists()


def test_quickstart_runs_and_its_last_section_works_when_it_is_shown_in_lab(lab, server):
    _, _, environment = lab()
    server.enqueue("Hello from a live model.")
    live = f'%config JupyterAgents.replay = "off"\n%config JupyterAgents.model = {server.config!r}'

    cells = run_in_kernel(
        [*first_cells_of_the_quickstart(), live, "%%agentchat\nSomething that nobody has recorded.", "_chat.summary"],
        environment,
    )

    assert "1960: 0.87" in cells[3].outputs[0]["data"]["text/plain"]  # the recorded approvals counted: the code ran
    assert "Hello from a live model." in cells[-1].outputs[0]["data"]["text/plain"]
    assert [request.body["messages"][-1]["content"] for request in server.requests] == [
        "Something that nobody has recorded."
    ]


def test_recording_is_not_replayed_in_lab_when_a_live_model_is_asked_for(lab, server):
    done, _, environment = lab("--live")

    assert "'lively' at 127.0.0.1" in done.stdout
    assert "will not run" not in done.stdout
    assert environment["JUPYTER_AGENTS_REPLAY"] == "off"
    assert "JUPYTER_AGENTS_TRUST_RECORDINGS" not in environment


def test_lab_opens_all_the_same_when_no_model_is_found(lab, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.openai.com/v1")

    done, words, _ = lab("--live")

    assert words[0] == str(QUICKSTART)
    assert "set one in the notebook" in done.stderr
