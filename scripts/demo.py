"""Show a notebook: in JupyterLab, or run in a real kernel here and printed where there is no display.

    python scripts/demo.py [--headless] [--live] [NOTEBOOK]

Unless `--live` is given, the models' replies come from the notebook's recording; its code runs for real either way.
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
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
QUICKSTART = ROOT / "notebooks" / "00_quickstart.ipynb"
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
    chosen = parser.parse_args(arguments)
    if not chosen.notebook.is_file():
        print(f"Cannot show {str(chosen.notebook)!r}: there is no such notebook.", file=sys.stderr)
        return 2
    os.environ |= settings(live=chosen.live)
    if not chosen.headless and not has_display():
        print("There is no display here: the notebook runs in this terminal.")
        chosen.headless = True
    return run_here(chosen.notebook, live=chosen.live) if chosen.headless else open_in_lab(chosen.notebook)


def settings(*, live: bool) -> dict[str, str]:
    """The environment variables that say where replies come from."""
    if live:
        print("The replies come from a live model.")
        return {"JUPYTER_AGENTS_REPLAY": "off"}
    print(
        "The models' replies are replayed from the notebook's recording; the code runs for real. LIVE=1 asks a model."
    )
    return {"JUPYTER_AGENTS_REPLAY": "all", "JUPYTER_AGENTS_TRUST_RECORDINGS": "1"}


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


def run_here(path: Path, *, live: bool = False) -> int:
    """Execute the notebook cell by cell in a kernel of this environment, and print each cell as it is done.

    A failing cell ends it, except with a live model: what that makes of a question is not what the text expects.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    client = NotebookClient(
        nbformat.read(path, as_version=4),
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    cells = client.nb.cells
    with client.setup_kernel():
        for index, cell in enumerate(cells):
            print_source(cell)
            try:
                client.execute_cell(cell, index)
            except CellExecutionError as error:
                print_outputs(cell)
                if not live:
                    print(f"\nThe notebook failed: {error.ename}: {error.evalue}", file=sys.stderr)
                    return 1
            else:
                print_outputs(cell)
    print(f"\n{path.name} ran to its end: {sum(cell.cell_type == 'code' for cell in cells)} code cells.")
    return 0


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
