"""Record a notebook anew: what models and people say goes into its recording, what code shows into the notebook.

    python scripts/record_notebook.py NOTEBOOK [--outputs-only]

The words come from `notebooks/scripts/NAME.py` (`REPLIES`, `ANSWERS`) where there is one, else from the model that is
configured or found and from whoever sits at the terminal. The notebook then runs a second time from its recording,
and the outputs of that run are saved: they are what a test compares.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

PREPARE = """
import runpy
from jupyter_agents.session import current_session
from jupyter_agents.testing import ScriptedHuman, ScriptedModel
_script = runpy.run_path({script!r})
get_ipython().config.JupyterAgents.model = ScriptedModel(_script["REPLIES"])
_human = ScriptedHuman(_script["ANSWERS"])
current_session().find_human = lambda: _human
"""


def main() -> int:
    """Record, then run from the recording; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--outputs-only", action="store_true", help="keep the recording, and make the outputs anew")
    chosen = parser.parse_args()
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    if not chosen.outputs_only:
        script = chosen.notebook.parent / "scripts" / f"{chosen.notebook.stem}.py"
        execute(chosen.notebook, "record", PREPARE.format(script=str(script.absolute())) if script.exists() else "")
    save(execute(chosen.notebook, "all"), chosen.notebook)
    return 0


def execute(path: Path, replay: str, prepare: str = "") -> Any:
    """The notebook as it is after running in a kernel of its own, with recordings used as `replay` says."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": path.parent}})
    trust = {"JUPYTER_AGENTS_TRUST_RECORDINGS": "1"} if replay != "record" else {}
    with client.setup_kernel(env=os.environ | trust | {"JUPYTER_AGENTS_REPLAY": replay}):
        if prepare:
            client.execute_cell(nbformat.v4.new_code_cell(prepare), 0, store_history=False)
        for at, cell in enumerate(notebook.cells):
            if cell.cell_type == "code":
                client.execute_cell(cell, at)
        client.set_widgets_metadata()
    return notebook


def save(notebook: Any, path: Path) -> None:
    """Write the notebook without what differs from run to run."""
    import nbformat

    count = 0
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    sys.exit(main())
