"""What every saved notebook owes its reader. That its outputs are what its code gives is compared by nbval."""

import base64
import json
import re
import struct
from collections import Counter
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parent.parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"
FIGURE = re.compile(r"<figure: image/png (\d+)x(\d+)>")
MACHINE = re.compile(r"(?<![\w.])/(?:home|root|Users|tmp|var/folders)/[\w.]+|[A-Z]:\\\\Users\\\\")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture
def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture
def outputs(code_cells):
    return [(cell, output) for cell in code_cells for output in cell.outputs]


def test_notebook_is_valid_and_runs_in_any_python_kernel(notebook):
    nbformat.validate(notebook)

    assert notebook.metadata.kernelspec.name == "python3"


def test_notebook_begins_with_what_it_is_about(notebook):
    first = notebook.cells[0]

    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")


def test_notebook_was_run_from_top_to_bottom(code_cells):
    counts = [cell.execution_count for cell in code_cells if cell.source.strip()]

    assert counts == list(range(1, len(counts) + 1))


def test_notebook_holds_no_error_when_none_is_meant(outputs):
    failed = [
        cell.source
        for cell, output in outputs
        if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", [])
    ]

    assert failed == []


def test_notebook_holds_no_dead_widget(notebook, outputs):
    assert [cell.source for cell, output in outputs if WIDGET in output.get("data", {})] == []
    assert "widgets" not in notebook.metadata


def test_notebook_says_nothing_of_the_machine_it_was_saved_on(notebook):
    assert MACHINE.findall(json.dumps(notebook)) == []


def figures_told_to_models(recording):
    """The sizes of the figures that code gave, as models were told of them; a message that is repeated counts once."""
    if not recording.exists():
        return Counter()
    lines = map(json.loads, recording.read_text().splitlines())
    messages = (message for line in lines for message in line.get("messages", ()) if isinstance(message, dict))
    texts = {str(message["content"]) for message in messages}
    return Counter((int(width), int(height)) for text in texts for width, height in FIGURE.findall(text))


def size_of(png):
    """Width and height of an image that is whole."""
    image = base64.b64decode(png)
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    assert image.endswith(b"IEND\xaeB`\x82")
    assert len(image) > 1_000  # it shows something
    return struct.unpack(">II", image[16:24])


def test_notebook_shows_every_figure_that_a_model_was_told_of(path, outputs):
    told = figures_told_to_models(path.parent / "recordings" / f"{path.stem}.jsonl")

    shown = Counter(
        size_of(output.data["image/png"])
        for cell, output in outputs
        if cell.source.startswith("%%agentchat") and "image/png" in output.get("data", {})
    )

    assert shown == told
