"""Run the test suites, one after another, and report how each went and how long it took.

    python scripts/suites.py [NAME ...]

Every suite runs, also after one has failed. The exit status is 0 only if all of them passed and each ran at
least one test. A suite has a budget of seconds; one over budget is pointed out and fails nothing, since a busy
machine is no defect, but one that takes ten times as long is taken to hang, and fails.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FRONT_END = "labextension"
REPORTS = ROOT / "build" / "test-reports"
HANGS = 10  # times the budget

PYTEST = ("pytest", "--quiet")
NBVAL = (
    *PYTEST, "--nbval", "--nbval-current-env", "--nbval-cell-timeout=120",
    "--nbval-sanitize-with=tests/notebooks/sanitize.cfg", "notebooks",
)  # fmt: skip


NODE = tuple(
    ("node", f"node_modules/{script}", *arguments)
    for script, arguments in (
        ("typescript/bin/tsc", ("--noEmit", "-p", "tsconfig.check.json")),
        ("eslint/bin/eslint.js", (".",)),
        ("prettier/bin/prettier.cjs", ("--check", "--log-level=warn", ".")),
        ("stylelint/bin/stylelint.mjs", ("style/*.css",)),
        ("jest/bin/jest.js", ("--silent", "--reporters=default")),
    )
)


# The second half of the browser tests. Each half has a server, a browser and kernels of its own, so that they may run
# beside each other (`at_once`): that takes 600 s in place of 850 on two cores, but a reply that streams for two seconds was
# missed by a page that was that busy, once in two runs. What is not named here, as a file that is new, is in the first half.
BESIDE = tuple(f"tests/browser/test_{name}.py" for name in ("page_life", "people", "pausing_page", "groups", "changes"))


@dataclass(frozen=True)
class Suite:
    """Commands to run: with this Python (`-m` …), or with Node in the folder of the front end.

    It exists where one of the files `needs` names does. With `at_once` the commands run at the same time.
    """

    name: str
    budget: int
    commands: tuple[tuple[str, ...], ...]
    needs: str = "pyproject.toml"
    environment: dict[str, str] = field(default_factory=dict)
    at_once: bool = False

    def exists(self) -> bool:
        """Whether there is anything to run."""
        return any(ROOT.glob(self.needs))


# Budgets are what was measured on two cores that did other things as well (unit: 5,987 tests in 120 s; kernel: 142 s;
# browser: see BESIDE), and a little more.
SUITES = (
    Suite("lint", 60, (("ruff", "check", "--quiet"), ("ruff", "format", "--check", "--quiet"), ("mypy",))),
    Suite("unit", 160, (PYTEST,)),
    Suite("frontend", 90, NODE, f"{FRONT_END}/package.json"),
    Suite("kernel", 200, ((*PYTEST, "tests/kernel"),), "tests/kernel/test_*.py"),
    Suite("faults", 120, ((*PYTEST, "tests/faults"),), "tests/faults/test_*.py"),
    Suite("local-model", 60, ((*PYTEST, "tests/local_model"),), "tests/local_model/test_*.py"),
    Suite(
        "notebooks", 120, ((*PYTEST, "tests/notebooks"), NBVAL), "notebooks/*.ipynb",
        {"JUPYTER_AGENTS_REPLAY": "all", "JUPYTER_AGENTS_TRUST_RECORDINGS": "1"},
    ),
    Suite(
        "browser", 900, ((*PYTEST, "tests/browser", *(f"--ignore={one}" for one in BESIDE)), (*PYTEST, *BESIDE)),
        "tests/browser/test_*.py",
    ),
)  # fmt: skip


@dataclass
class Outcome:
    """How a suite went: tests (or checks, for a tool that counts none) that passed and failed."""

    suite: Suite
    passed: int = 0
    failed: int = 0
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """What the report says of it."""
        if self.failed:
            return "FAILED"
        return "ok, over its budget" if self.seconds > self.suite.budget else "ok"


def main(names: Sequence[str]) -> int:
    """Run the suites of these names, or all; the exit status."""
    os.chdir(ROOT)
    lost = forgotten_files()
    if lost:
        print(f"Cannot run the tests: no suite runs {', '.join(lost)}. Add it to SUITES in scripts/suites.py.")
        return 2
    unknown = set(names) - {suite.name for suite in SUITES}
    if unknown:
        print(f"Cannot run {sorted(unknown)}: the suites are {', '.join(suite.name for suite in SUITES)}.")
        return 2
    chosen = [suite for suite in SUITES if suite.exists() and (not names or suite.name in names)]
    if not chosen:
        print(f"Cannot run {', '.join(names)}: there is no test in it.")
        return 2
    outcomes = [run(suite) for suite in chosen]
    report(outcomes)
    return 1 if any(outcome.failed for outcome in outcomes) else 0


def forgotten_files() -> list[str]:
    """Test files that no suite would run: a folder that nobody has added to `SUITES`."""
    known = {"tests", *(argument for suite in SUITES for command in suite.commands for argument in command)}
    found = (path.relative_to(ROOT) for path in ROOT.glob("tests/**/test_*.py"))
    return sorted(str(path) for path in found if path.parent.as_posix() not in known)


def run(suite: Suite) -> Outcome:
    """Run a suite's commands; all of them, also after one has failed."""
    print(f"\n== {suite.name} (budget {suite.budget} s)", flush=True)
    outcome = Outcome(suite)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="jupyter-agents-") as home:
        environment = clean_environment(Path(home)) | suite.environment
        with ThreadPoolExecutor(len(suite.commands) if suite.at_once else 1) as runners:
            counts = runners.map(lambda number: run_command(suite, number, environment), range(len(suite.commands)))
            for passed, failed in counts:
                outcome.passed += passed
                outcome.failed += failed
    outcome.seconds = time.monotonic() - started
    return outcome


def run_command(suite: Suite, number: int, environment: dict[str, str]) -> tuple[int, int]:
    """How many tests passed, and how many failed; pytest and jest write them to a report. Any other tool is one.

    What commands print that run at the same time is printed in one piece each.
    """
    counts = REPORTS / f"{suite.name}-{number}.xml"
    counts.parent.mkdir(parents=True, exist_ok=True)
    counts.unlink(missing_ok=True)
    arguments, folder = program(suite.commands[number], counts)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as printed:
        status = execute(suite, arguments, folder, environment, printed.fileno() if suite.at_once else None)
        printed.seek(0)
        print(printed.read(), end="", flush=True)
    passed, failed = count(counts) if counts.exists() else (int(status == 0), 0)
    return passed, max(failed, int(status != 0 or passed == 0))


def execute(suite: Suite, arguments: list[str], folder: Path, environment: dict[str, str], output: int | None) -> int:
    """The exit status of a program; what it prints goes to the file with the number `output`, where that is given."""
    try:
        return subprocess.run(
            arguments,
            cwd=folder,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            timeout=HANGS * suite.budget,
        ).returncode
    except subprocess.TimeoutExpired:
        print(f"{suite.name} hangs: it was stopped after {HANGS * suite.budget} s.", flush=True)
        return 1


def program(command: tuple[str, ...], counts: Path) -> tuple[list[str], Path]:
    """What to execute for a command, and where. A tool that counts its tests is told to do so."""
    if command[0] == "node":
        here = Path(sys.executable).parent  # where Node is when it came from PyPI
        node = shutil.which("node") or shutil.which("node", path=here) or "node"
        counting = ["--json", f"--outputFile={counts}"] if "jest" in command[1] else []
        return [node, *command[1:], *counting], ROOT / FRONT_END
    counting = [f"--junit-xml={counts}"] if command[0] == "pytest" else []
    return [sys.executable, "-m", *command, *counting], ROOT


def count(report: Path) -> tuple[int, int]:
    """The tests of a report of pytest (XML) or jest (JSON) that passed, and those that failed."""
    text = report.read_text("utf-8")
    if text.startswith("{"):
        found = json.loads(text)
        return found["numPassedTests"], found["numFailedTests"] + found["numRuntimeErrorTestSuites"]
    suites = ET.fromstring(text).iter("testsuite")
    numbers = [{key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")} for suite in suites]
    failed = sum(one["failures"] + one["errors"] for one in numbers)
    return sum(one["tests"] - one["skipped"] for one in numbers) - failed, failed


def clean_environment(home: Path) -> dict[str, str]:
    """The environment without what would change a test: settings of Jupyter, keys, proxies, other kernels."""
    unwanted = ("OPENAI_", "AZURE_OPENAI_", "JUPYTER", "IPYTHON", "PYTEST_", "MPLBACKEND")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(unwanted) and not name.lower().endswith("_proxy")
    }
    return kept | {
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel `python3` is this environment's, not the user's
        "PYTHONUNBUFFERED": "1",
    }


def report(outcomes: Sequence[Outcome]) -> None:
    """Print the table, and last of all one line that counts."""
    print(f"\n{'suite':16}{'passed':>8}{'failed':>8}{'seconds':>9}{'budget':>8}")
    for outcome in outcomes:
        suite = outcome.suite
        print(
            f"{suite.name:16}{outcome.passed:8}{outcome.failed:8}{outcome.seconds:9.1f}{suite.budget:8}  {outcome.verdict}"
        )
    for outcome in outcomes:
        if outcome.seconds > outcome.suite.budget:
            over, budget = outcome.seconds, outcome.suite.budget
            print(f"warning: {outcome.suite.name} took {over:.0f} s, which is more than its budget of {budget} s")
    print(f"\n{sum(one.passed for one in outcomes)} passed, {sum(one.failed for one in outcomes)} failed", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
