"""The package's layers: imports go down only, and importing the package costs next to nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import jupyter_agents
from tests.plugins.layers import Package, Rules, violations

ROOT = Path(jupyter_agents.__file__).parent

L0 = (
    "errors",
    "messages",
    "events",
    "observers",
    "effects",
    "code_blocks",
    "last_word",
    "thoughts",
    "known_secrets",
    "termination",
    "conditions",
    "likeness",
    "budget",
    "prices",
    "usage_summary",
    "nearest",
    "arguments",
    "meant",
    "boxed",
    "culprits",
    "formula",
    "code_facts",
)
L1 = (
    "tools",
    "tool_schema",
    "tool_mistakes",
    "tool_signature",
    "tool_results",
    "mcp",
    "retrieval",
    "memo_store",
    "models",
    "executors",
    "human",
    "journal",
    "session",
    "interrupts",
    "control",
)
L2 = (
    "run",
    "private_loop",
    "together",
    "drive",
    "replies",
    "progress",
    "agents",
    "continuing",
    "conversation",
    "asking",
    "wrapper",
    "forks",
    "saving",
    "series",
    "tracing",
    "span_attributes",
    "taking_back",
    "background",
)
L3 = ("testing", "sweep", "tuning")
L4 = ("display", "widgets")
L5 = ("magics", "surroundings", "__init__", "labextension")
LAYERS = {name: level for level, names in enumerate((L0, L1, L2, L3, L4, L5)) for name in names}

SHELL = frozenset({"executors.live", "display", "widgets", "magics"})
RULES = Rules(
    LAYERS,
    variants=frozenset({"models", "executors", "human", "journal"}),
    only={
        "openai": frozenset({"models.opening"}),
        "keyring": frozenset({"models.keys"}),
        "mcp": frozenset({"mcp"}),
        "optuna": frozenset({"tuning.proposals"}),
        "genai_prices": frozenset({"prices"}),
        "opentelemetry": frozenset({"tracing"}),
        "bm25s": frozenset({"retrieval.index"}),
        "pypdf": frozenset({"retrieval.documents"}),
        "sympy": frozenset({"formula"}),
        "IPython": SHELL,
        "ipywidgets": SHELL,
    },
)
HEAVY = (
    "openai",
    "nbformat",
    "jupyter_client",
    "pydantic",
    "ipywidgets",
    "anywidget",
    "markdown_it",
    "IPython",
    "mcp",
    "anyio",
    "optuna",
    "genai_prices",
    "opentelemetry",
)


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT.parent, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_package_keeps_its_layers():
    assert violations(ROOT, RULES) == []


def test_package_imports_nothing_heavy():
    loaded = json.loads(python("import json, sys, jupyter_agents; print(json.dumps(list(sys.modules)))"))

    assert "jupyter_agents" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_modules_below_the_display_need_no_kernel_and_no_model_client():
    package = Package(ROOT)
    modules = [name for name in package.paths if LAYERS.get(package.part(name), 0) < LAYERS["display"]]
    modules = [name for name in modules if name != "jupyter_agents.executors.live"]

    output = python(
        "import importlib, json, sys\n"
        "for name in ('IPython', 'ipykernel', 'ipywidgets', 'anywidget', 'openai', 'nbformat'):\n"
        "    sys.modules[name] = None  # to import it is an ImportError\n"
        "failed = {}\n"
        f"for module in {modules}:\n"
        "    try:\n"
        "        importlib.import_module(module)\n"
        "    except ImportError as error:\n"
        "        failed[module] = str(error)\n"
        "print(json.dumps(failed))\n"
    )

    assert json.loads(output) == {}


RULES_OF_A_TREE = Rules(
    {"errors": 0, "models": 1, "human": 1, "agents": 2, "magics": 3, "__init__": 3},
    variants=frozenset({"models", "human"}),
    only={"openai": frozenset({"models.openai"}), "IPython": frozenset({"magics"})},
)
GOOD_TREE = {
    "__init__.py": "",
    "errors.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pkg.agents import Agent\n",
    "models/__init__.py": "",
    "models/base.py": "from pkg.errors import Wrong",
    "models/openai.py": "from pkg.models import base\ndef client():\n    import openai\n",
    "human/__init__.py": "",
    "human/stdin.py": "import sys\nfrom pkg.models.base import Model",
    "agents/__init__.py": "from pkg.human.stdin import Stdin\n",
    "magics.py": "import IPython.core.magic\nimport pkg.agents\n",
}


@pytest.fixture
def check(tmp_path):
    def write_and_check(**changes: str) -> list[str]:
        for name, source in (GOOD_TREE | changes).items():
            path = tmp_path / "pkg" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, "utf-8")
        return violations(tmp_path / "pkg", RULES_OF_A_TREE)

    return write_and_check


def test_checker_finds_nothing_when_all_imports_go_down(check):
    assert check() == []


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        ("errors.py", "import pkg.agents", "pkg.errors:1 imports pkg.agents, which is in a higher layer"),
        ("errors.py", "from pkg import agents", "pkg.errors:1 imports pkg.agents, which is in a higher layer"),
        ("errors.py", "from . import agents", "pkg.errors:1 imports pkg.agents, which is in a higher layer"),
        ("errors.py", "import pkg", "pkg.errors:1 imports pkg, which is in a higher layer"),
        ("errors.py", "try:\n    import pkg.magics\nfinally:\n    pass", "pkg.errors:2 imports pkg.magics, which is in a higher layer"),
        ("models/base.py", "def f():\n    from ..agents import A", "pkg.models.base:2 imports pkg.agents, which is in a higher layer"),
        ("models/base.py", "from pkg.human import stdin", "pkg.models.base:1 imports pkg.human.stdin sideways"),
        ("models/base.py", "import openai", "pkg.models.base:1 imports openai, which is for models.openai only"),
        ("agents/__init__.py", "def f():\n    from IPython.core import magic", "pkg.agents:2 imports IPython.core, which is for magics only"),
        ("agents/__init__.py", "def f():\n    print('hello')", "pkg.agents:2 prints"),
        ("things.py", "", "pkg.things:1 'things' has no layer"),
    ],
)  # fmt: skip
def test_checker_finds_a_violation_when_there_is_one(check, path, source, found):
    assert found in check(**{path: source})


def test_checker_finds_a_cycle_when_two_modules_import_each_other(check):
    [line] = check(**{"models/base.py": "from pkg.models import openai"})

    assert " imports itself: " in line
    assert {"pkg.models.base", "pkg.models.openai"} == set(line.split(": ")[1].split(" <- "))


def test_checker_allows_a_cycle_when_one_import_is_inside_a_function(check):
    assert check(**{"models/base.py": "def f():\n    from pkg.models import openai\n"}) == []
