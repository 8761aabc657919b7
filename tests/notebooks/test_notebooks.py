"""What every saved notebook owes its reader. That its outputs are what its code gives is compared by nbval."""

import json
import re
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parent.parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"
MACHINE = re.compile(r"(?<![\w.])/(?:home|root|Users|tmp|var/folders)/[\w.]+|[A-Z]:\\\\Users\\\\")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


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
