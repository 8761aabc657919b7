"""What is packaged: the files and metadata of the wheel and of the source distribution, and the version."""

import email
import importlib.metadata
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import jupyter_agents

ROOT = Path(jupyter_agents.__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


FRONT_END = ROOT / "labextension"
EXTENSION = f"jupyter_agents-{PROJECT['version']}.data/data/share/jupyter/labextensions/jupyter-agents/"
STATIC = "jupyter_agents/widgets/static/"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    [path] = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def sdist(built):
    """The files of the source distribution, by their path in it."""
    [path] = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


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


def test_wheel_has_the_widgets(wheel):
    widgets = [f"{STATIC}{path.stem}.js" for path in (FRONT_END / "src" / "widgets").glob("*.ts")]

    assert widgets
    assert {*widgets, f"{STATIC}agents.css"} <= set(wheel.namelist())
    assert all(wheel.read(name) for name in widgets)


def test_wheel_has_the_extension_where_jupyterlab_looks_for_it(wheel):
    made = json.loads(wheel.read(f"{EXTENSION}package.json"))
    entry = made["jupyterlab"]["_build"]["load"]

    assert EXTENSION + entry in wheel.namelist()
    assert json.loads(wheel.read(f"{EXTENSION}install.json"))["packageName"] == "jupyter-agents"
    assert [name for name in wheel.namelist() if name.startswith("jupyter_agents/labextension")] == []


def test_built_files_name_no_machine(wheel):
    text = b"".join(wheel.read(name) for name in wheel.namelist() if name.startswith((EXTENSION, STATIC)))

    assert str(ROOT).encode() not in text


def test_source_distribution_has_the_front_end_and_what_it_is_built_of(sdist):
    sources = [path.relative_to(ROOT).as_posix() for path in (FRONT_END / "src").rglob("*.ts")]

    assert {*sources, "hatch_build.py", "labextension/package.json", "labextension/package-lock.json"} <= sdist
    assert {"jupyter_agents/labextension/package.json", f"{STATIC}live.js", f"{STATIC}agents.css"} <= sdist
    assert [name for name in sdist if re.match(r"labextension/(node_modules|lib)(/|$)", name)] == []


def test_lock_of_the_front_end_names_no_registry():
    lock = json.loads((FRONT_END / "package-lock.json").read_text("utf-8"))

    assert [name for name, one in lock["packages"].items() if "resolved" in one] == []
    assert all(one.get("integrity") for name, one in lock["packages"].items() if name)


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


def test_front_end_has_the_version_of_the_package():
    made = json.loads((FRONT_END / "package.json").read_text("utf-8"))["version"]
    locked = json.loads((FRONT_END / "package-lock.json").read_text("utf-8"))

    assert made == _npm_version(PROJECT["version"])
    assert {locked["version"], locked["packages"][""]["version"]} == {made}


@pytest.mark.parametrize(
    ("python", "npm"),
    [("1.2.3", "1.2.3"), ("1.2.3.dev4", "1.2.3-dev.4"), ("1.2.3a1", "1.2.3-alpha.1"), ("1.2.3rc2", "1.2.3-rc.2")],
)
def test_version_is_written_as_npm_wants_it(python, npm):
    assert _npm_version(python) == npm


def test_version_is_written_once():
    sources = (ROOT / "jupyter_agents").rglob("*.py")

    assert [path.name for path in sources if PROJECT["version"] in path.read_text("utf-8")] == []


def _npm_version(version: str) -> str:
    """A version of Python's (PEP 440) as https://semver.org/#spec-item-9 has it."""
    names = {"a": "alpha", "b": "beta", "rc": "rc", ".dev": "dev"}
    return re.sub(r"(a|b|rc|\.dev)(\d+)$", lambda found: f"-{names[found[1]]}.{found[2]}", version)


def _name(requirement: str) -> str:
    return requirement.partition(">")[0].partition("<")[0].strip()
