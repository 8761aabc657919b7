"""What is packaged: the wheel's files and metadata, and the one place of the version."""

import email
import importlib.metadata
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import jupyter_agents

ROOT = Path(jupyter_agents.__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [path] = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture
def metadata(wheel):
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return email.message_from_bytes(wheel.read(name))


def test_wheel_is_for_every_platform(wheel):
    assert Path(wheel.filename).name == f"jupyter_agents-{PROJECT['version']}-py3-none-any.whl"


def test_wheel_has_the_whole_package(wheel):
    sources = [path.relative_to(ROOT).as_posix() for path in (ROOT / "jupyter_agents").rglob("*.py")]

    assert set(sources) <= set(wheel.namelist())
    assert "jupyter_agents/py.typed" in wheel.namelist()


def test_wheel_has_nothing_else(wheel):
    parts = {name.split("/")[0] for name in wheel.namelist()}
    unwanted = [name for name in wheel.namelist() if name.endswith((".pyc", ".ipynb", ".so")) or "/tests/" in name]

    assert {part for part in parts if not part.endswith((".dist-info", ".data"))} == {"jupyter_agents"}
    assert unwanted == []


def test_metadata_says_what_pyproject_says(metadata):
    assert metadata["Name"] == "jupyter-agents"
    assert metadata["Version"] == PROJECT["version"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["License-File"] == "LICENSE"
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_metadata_asks_for_the_core_dependencies_only(metadata):
    core = [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line]

    assert {_name(line) for line in core} == {
        "anywidget",
        "ipython",
        "ipywidgets",
        "markdown-it-py",
        "nbformat",
        "openai",
        "pydantic",
    }


def test_every_dependency_has_a_floor():
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]

    assert [line for group in groups for line in group if ">=" not in line] == []


def test_version_is_the_one_in_pyproject():
    assert jupyter_agents.__version__ == PROJECT["version"]
    assert importlib.metadata.version("jupyter-agents") == PROJECT["version"]


def test_version_is_written_once():
    sources = (ROOT / "jupyter_agents").rglob("*.py")

    assert [path.name for path in sources if PROJECT["version"] in path.read_text("utf-8")] == []


def _name(requirement: str) -> str:
    return requirement.partition(">")[0].partition("<")[0].strip()
