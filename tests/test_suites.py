"""The runner of the suites: what fails a run, and what is reported."""

import json
import sys

import pytest

from scripts import suites
from scripts.suites import Suite

PASSES = "def test_a(): pass\ndef test_b(): pass\n"
FAILS = "def test_a(): pass\ndef test_b(): assert False\n"


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run suites over a made-up project; the exit status and what was printed."""

    def run(files: dict[str, str], *chosen: Suite, names: tuple[str, ...] = ()) -> tuple[int, str]:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        (tmp_path / "pyproject.toml").write_text(
            "[tool.pytest.ini_options]\naddopts = '-p no:cacheprovider'\n", "utf-8"
        )
        monkeypatch.setattr(suites, "ROOT", tmp_path)
        monkeypatch.setattr(suites, "REPORTS", tmp_path / "build")
        monkeypatch.setattr(suites, "SUITES", chosen)
        monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")  # the machine's own settings do not count
        status = suites.main(names)
        return status, capfd.readouterr().out

    return run


def suite(name: str = "unit", budget: int = 60) -> Suite:
    command = ("pytest", "--quiet", f"tests/{name}")
    return Suite(name, budget, (command,), f"tests/{name}/test_*.py", {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})


def test_run_passes_when_all_tests_pass(run):
    status, printed = run({"tests/unit/test_x.py": PASSES, "tests/kernel/test_y.py": PASSES}, suite(), suite("kernel"))

    assert status == 0
    assert printed.endswith("\n4 passed, 0 failed\n")
    assert "warning" not in printed


def test_run_fails_and_goes_on_when_a_test_fails(run):
    status, printed = run({"tests/unit/test_x.py": FAILS, "tests/kernel/test_y.py": PASSES}, suite(), suite("kernel"))

    assert status == 1
    assert printed.endswith("\n3 passed, 1 failed\n")
    assert "FAILED" in next(line for line in printed.splitlines() if line.startswith("unit "))
    assert next(line for line in printed.splitlines() if line.startswith("kernel ")).endswith("ok")


@pytest.mark.parametrize(
    "source", ["", "def test_a(:", "import no_such_module"], ids=["empty", "no syntax", "no import"]
)
def test_run_fails_when_a_suite_runs_no_test(run, source):
    status, printed = run({"tests/unit/test_x.py": source}, suite())

    assert status == 1
    assert "\n0 passed, 1 failed\n" in printed


def test_run_fails_when_a_tool_fails(run):
    status, printed = run({}, Suite("lint", 60, (("json.tool", "no-such-file"), ("platform",))))

    assert status == 1
    assert printed.endswith("\n1 passed, 1 failed\n")


def test_run_fails_when_a_suite_hangs(run, monkeypatch):
    monkeypatch.setattr(suites, "HANGS", 0.05)

    status, printed = run({"tests/unit/test_x.py": "import threading\nthreading.Event().wait()"}, suite(budget=10))

    assert status == 1
    assert "unit hangs" in printed


def test_run_passes_and_warns_when_a_suite_is_over_its_budget(run, monkeypatch):
    monkeypatch.setattr(suites, "HANGS", 1_000_000)

    status, printed = run({"tests/unit/test_x.py": PASSES}, suite(budget=0.0001))

    assert status == 0
    assert "warning: unit took" in printed


def test_run_fails_when_no_suite_runs_a_file(run):
    status, printed = run({"tests/unit/test_x.py": PASSES, "tests/forgotten/test_y.py": PASSES}, suite())

    assert status == 2
    assert "no suite runs tests/forgotten/test_y.py" in printed


@pytest.mark.parametrize("name", ["no-such-suite", "kernel"])
def test_run_fails_when_there_is_no_such_suite(run, name):
    status, printed = run({"tests/unit/test_x.py": PASSES}, suite(), suite("kernel"), names=(name,))

    assert status == 2
    assert f"Cannot run {name}" in printed.replace("['", "").replace("']", "")


def test_commands_of_a_suite_run_at_the_same_time_where_it_says_so(run):
    waits = """
import time
from pathlib import Path

def test_other_one_has_begun():
    Path("{mine}").touch()
    for _ in range(400):
        if Path("{other}").exists():
            return
        time.sleep(0.05)
    raise AssertionError("it has not begun")

def test_fails():
    assert "{mine}" != "right"
"""
    folders = {"left": "right", "right": "left"}
    both = Suite(
        "both",
        60,
        tuple(("pytest", "--quiet", f"tests/{one}") for one in folders),
        "tests/left/test_*.py",
        {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        at_once=True,
    )

    status, printed = run(
        {f"tests/{mine}/test_x.py": waits.format(mine=mine, other=other) for mine, other in folders.items()}, both
    )

    assert status == 1
    assert printed.endswith("\n3 passed, 1 failed\n")
    assert "2 passed" in printed


def test_suites_see_nothing_of_the_machine(tmp_path, monkeypatch):
    for name in ("OPENAI_API_KEY", "HTTPS_PROXY", "no_proxy", "JUPYTER_PATH", "IPYTHONDIR", "PYTEST_ADDOPTS"):
        monkeypatch.setenv(name, "machine's own")

    found = suites.clean_environment(tmp_path)

    assert "machine's own" not in found.values()
    assert found["PATH"]


def test_every_test_file_is_in_a_suite():
    assert suites.forgotten_files() == []


def test_run_counts_the_tests_of_the_front_end(run):
    reports = 'require("fs").writeFileSync(process.argv[3].split("=")[1], JSON.stringify(%s))'
    counted = {"numPassedTests": 3, "numFailedTests": 2, "numRuntimeErrorTestSuites": 1}
    command = ("node", "node_modules/jest/bin/jest.js")

    status, printed = run(
        {f"{suites.FRONT_END}/{command[1]}": reports % json.dumps(counted)}, Suite("frontend", 60, (command,))
    )

    assert status == 1
    assert printed.endswith("\n3 passed, 3 failed\n")


def test_run_fails_when_a_tool_of_the_front_end_fails(run):
    command = ("node", "tool.js")

    status, printed = run({f"{suites.FRONT_END}/tool.js": "process.exit(1)"}, Suite("frontend", 60, (command,)))

    assert status == 1
    assert printed.endswith("\n0 passed, 1 failed\n")


def test_every_suite_runs_with_this_python_or_node():
    assert {command[0] for one in suites.SUITES for command in one.commands} <= {"ruff", "mypy", "pytest", "node"}
    assert sys.version_info >= (3, 11)
