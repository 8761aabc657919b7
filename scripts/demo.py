"""Show a notebook: in JupyterLab, or run in a real kernel here and printed where there is no display.

    python scripts/demo.py [--headless] [--live] [--approve auto|ask|deny] [NOTEBOOK]

Unless `--live` is given, the models' replies come from the notebook's recording; its code runs for real. A live
model's code runs after somebody has approved it, in JupyterLab; here nobody can, unless `--approve auto` says so.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import struct
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_agents.errors import JupyterAgentsError
from jupyter_agents.surroundings import CODE_POLICY_VARIABLE, REPLAY_VARIABLE

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
QUICKSTART = NOTEBOOKS / "00_quickstart.ipynb"
CELL_TIMEOUT = 600  # seconds
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the notebook; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("notebook", nargs="?", type=Path, default=QUICKSTART)
    parser.add_argument("--headless", action="store_true", help="run it here and print it")
    parser.add_argument(
        "--live", action="store_true", help="ask a model that is configured or found, not the recording"
    )
    parser.add_argument(
        "--approve", choices=("auto", "ask", "deny"), help="whether a model's code runs: auto runs it without asking"
    )
    chosen = parser.parse_args(arguments)
    if not chosen.notebook.is_file():
        print(f"Cannot show {str(chosen.notebook)!r}: there is no such notebook.", file=sys.stderr)
        return 2
    if chosen.approve:
        os.environ[CODE_POLICY_VARIABLE] = chosen.approve
    if not chosen.headless and not has_display():
        print("There is no display here: the notebook runs in this terminal.")
        chosen.headless = True
    try:
        prepare(chosen.notebook, live=chosen.live, headless=chosen.headless)
    except JupyterAgentsError as error:
        print(error, file=sys.stderr)
        return 2
    return run_here(chosen.notebook, live=chosen.live) if chosen.headless else open_in_lab(chosen.notebook)


def prepare(notebook: Path, *, live: bool, headless: bool) -> None:
    """Say where replies come from, and see to it that they can come from there."""
    if live:
        os.environ[REPLAY_VARIABLE] = "off"
        announce_model(headless=headless)
        return
    print(
        "The models' replies are replayed from the notebook's recording; the code runs for real. LIVE=1 asks a model."
    )
    if headless:
        os.environ |= {REPLAY_VARIABLE: "all", "JUPYTER_AGENTS_TRUST_RECORDINGS": "1"}
    else:  # the notebook replays by its own setting, which a reader may change
        trust_own(notebook)


def announce_model(*, headless: bool) -> None:
    """Say which model answers, and whether its code will run. In JupyterLab a model may still be set in the notebook."""
    try:
        print(f"The replies come from a live model: {find_model()}.")
    except JupyterAgentsError as error:
        if headless:
            raise
        print(f"{error} Or set one in the notebook.", file=sys.stderr)
    policy = os.environ.get(CODE_POLICY_VARIABLE)
    if headless and policy != "auto":
        why = "it is denied" if policy == "deny" else "nobody can approve it here"
        print(f"The model's code will not run: {why}. APPROVE=auto runs it without asking, with all your rights.")


def find_model() -> str:
    """The model that would answer, for a person. Raises an error in one line when none is configured."""
    from jupyter_agents.models.base import check_configured
    from jupyter_agents.surroundings import make_session

    session = make_session()
    assert session.find_model is not None
    model = session.find_model()
    check_configured(model)
    return str(getattr(model, "source", None) or model)


def trust_own(notebook: Path) -> None:
    """Let the approvals in the recording of one of this project's own notebooks count, and no other's."""
    from jupyter_agents.journal.trust import trust_recording

    recording = notebook.resolve().parent / "recordings" / f"{notebook.stem}.jsonl"
    if recording.parent.parent == NOTEBOOKS and recording.is_file():
        trust_recording(recording)
        print(f"The approvals in {recording.relative_to(NOTEBOOKS.parent)} are trusted from now on.")


def has_display() -> bool:
    """Whether a browser can be shown to somebody."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_in_lab(notebook: Path) -> int:
    """Start JupyterLab on the notebook, until it is stopped."""
    command = [sys.executable, "-m", "jupyterlab", str(notebook)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    try:
        return subprocess.run(command, env=os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"}, check=False).returncode
    except KeyboardInterrupt:
        return 0


@dataclass(frozen=True)
class Failed:
    """A cell that raised an error. `matters` unless it comes after a chat: then it may depend on the model's words."""

    number: int
    error: str
    matters: bool


def run_here(path: Path, *, live: bool = False) -> int:
    """Execute the notebook cell by cell in a kernel of this environment, and print each cell as it is done.

    A failing cell ends it, except with a live model: what that makes of a question is not what the text expects.
    """
    import nbformat
    from nbclient import NotebookClient

    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    client = NotebookClient(
        nbformat.read(path, as_version=4),
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    with client.setup_kernel():
        failed = run_cells(client, go_on=live)
    count = sum(cell.cell_type == "code" for cell in client.nb.cells)
    if failed and not live:
        print(f"\nThe notebook failed: {failed[0].error}", file=sys.stderr)
        return 1
    print(f"\n{path.name} ran to its end: {count} code cells{f', {len(failed)} failed' if failed else ''}.")
    for one in failed:
        print(f"  code cell {one.number}: {one.error}")
    return int(any(one.matters for one in failed))


def run_cells(client: Any, *, go_on: bool) -> list[Failed]:
    """The cells that failed: at most one, unless it is to go on after an error."""
    from nbclient.exceptions import CellExecutionError

    failed: list[Failed] = []
    number, has_talked = 0, False
    for index, cell in enumerate(client.nb.cells):
        is_chat = cell.cell_type == "code" and cell.source.lstrip().startswith("%%agentchat")
        number += cell.cell_type == "code"
        print_source(cell)
        try:
            client.execute_cell(cell, index)
        except CellExecutionError as error:
            failed.append(Failed(number, f"{error.ename}: {error.evalue}", is_chat or not has_talked))
        print_outputs(cell)
        if failed and not go_on:
            break
        has_talked = has_talked or is_chat
    return failed


def print_source(cell: Mapping[str, Any]) -> None:
    """Print what a reader of the notebook sees before a cell's outputs."""
    if cell["cell_type"] == "code":
        print("\n" + textwrap.indent(cell["source"], "│ ", lambda _: True), flush=True)
    else:
        print("\n" + cell["source"], flush=True)


def print_outputs(cell: Mapping[str, Any]) -> None:
    """Print a cell's outputs as text."""
    for output in cell.get("outputs", ()):
        text = output_text(output).rstrip("\n")
        if text:
            print(text if sys.stdout.isatty() else COLOURS.sub("", text))
    sys.stdout.flush()


def output_text(output: Mapping[str, Any]) -> str:
    """An output as text: its stream, its traceback, its plain form, or the size of its picture."""
    match output["output_type"]:
        case "stream":
            return str(output["text"])
        case "error":
            return "\n".join(output["traceback"])
    data = output.get("data", {})
    if "image/png" in data:
        width, height = png_size(base64.b64decode(data["image/png"]))
        return f"[figure {width}x{height}]"
    return str(data.get("text/plain", ""))


def png_size(image: bytes) -> tuple[int, int]:
    """The width and height of a PNG image in pixels, from its first chunk (https://www.w3.org/TR/png-3/#11IHDR)."""
    width, height = struct.unpack(">II", image[16:24])
    return width, height


if __name__ == "__main__":
    sys.exit(main())
