"""The demo without a display: a notebook runs in a real kernel and is printed."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent.parent
FIGURE = (
    "import base64\n"
    "from IPython.display import Image\n"
    "png = 'iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAQAAAAT4xYKAAAADklEQVR42mNkAAJGDAYAADsABJeUl+cAAAAASUVORK5CYII='\n"
    "Image(base64.b64decode(png))"
)


@pytest.fixture
def demo(tmp_path):
    """Run the demo on a notebook of these cells."""

    def demo(*cells: str, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_markdown_cell("# A title"), *map(nbformat.v4.new_code_cell, cells)]
        )
        nbformat.write(notebook, tmp_path / "demo.ipynb")
        return subprocess.run(
            [sys.executable, str(ROOT / "scripts" / "demo.py"), "--headless", *arguments, str(tmp_path / "demo.ipynb")],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return demo


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


@pytest.mark.parametrize(("arguments", "replay", "trust"), [((), "all", "1"), (("--live",), "off", None)])
def test_demo_says_where_replies_come_from(demo, arguments, replay, trust):
    done = demo(
        "import os\nos.environ.get('JUPYTER_AGENTS_REPLAY'), os.environ.get('JUPYTER_AGENTS_TRUST_RECORDINGS')",
        arguments=arguments,
    )

    assert done.returncode == 0, done.stderr
    assert repr((replay, trust)) in done.stdout
    assert ("replayed" in done.stdout.partition("\n")[0]) == (replay == "all")
