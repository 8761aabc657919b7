"""The pages of the documentation as programs: what is on them, and what models and people say while they run."""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from typing import Any

from jupyter_agents.code_blocks import CodeBlock, find_code_blocks
from jupyter_agents.human.scripted import ScriptedHuman
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import Session

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@dataclass
class Surroundings:
    """What a page supposes: what the notebook's model and the people say in it, and names and files that are there."""

    replies: Sequence[Any] = ()
    served: Sequence[Any] = ()
    """What models say that the page names."""
    people: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Callable[[], Mapping[str, Any]] = dict
    files: Mapping[str, str] = field(default_factory=dict)

    def lay_out(self, folder: Path) -> None:
        """Write the files."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    def session(self) -> Session:
        """A session with that model and these people, in which nobody listens."""
        from jupyter_agents.surroundings import make_session

        human = ScriptedHuman(self.people)
        model = ScriptedModel(self.replies)
        executor = make_session().find_executor
        return Session(find_human=lambda: human, find_executor=executor, find_model=lambda: model)


@dataclass(frozen=True)
class Step:
    """A block of Python, and what the page says that it prints (`None`: nothing is said)."""

    code: str
    line: int
    printed: str | None = None


def steps_of(page: Path) -> Iterator[Step]:
    """The Python of a page, in order; a block tagged `text` right below one is what it prints."""
    blocks = list(find_code_blocks(page.read_text()))
    for block, below in zip_longest(blocks, blocks[1:]):
        if block.language == "python":
            yield Step(block.code, block.line + 1, below.code if _is_output(block, below) else None)


def _is_output(block: CodeBlock, below: CodeBlock | None) -> bool:
    end = block.line + block.code.count("\n") + 2
    return below is not None and below.language == "text" and below.line == end


def run_step(step: Step, page: Path, namespace: dict[str, Any]) -> str:
    """Run a block as a cell would, with `await` at its top; what it prints. One that names a file is saved there."""
    filename = CodeBlock("python", step.code).filename
    if filename is not None:
        Path(filename).write_text(step.code)
        return ""
    padded = "\n" * step.line + step.code  # so that a traceback names the line of the page
    code = compile(padded, page.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with redirect_stdout(StringIO()) as printed:
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, namespace))
        else:
            exec(code, namespace)
    return printed.getvalue()


def call(name: str, arguments: str) -> dict[str, Any]:
    """A reply of a model that calls a tool."""
    function = {"name": name, "arguments": arguments}
    return {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}


SURROUNDINGS: dict[str, Surroundings] = {
    "conversations.md": Surroundings(
        replies=[
            "The median: a few very high incomes pull the mean up.",
            "Line.",
            "Simple, and the mean stays honest.",
            "Only if the gaps are random.",
            "We can test that first.",
            "No: it is a convention.",
        ],
        people={
            "expert": ["Your model is worse than the mean. Is it a test set?", "exit"],
            "student": ["It is. Thank you!"],
        },
    ),
    "groups.md": Surroundings(
        replies=[
            "Sales rise.",
            "By how much?",
            "Sales rose by 12 % a year from 2019 to 2024.",
            "TERMINATE",
            "Writer",
            "Two parties have half of the votes.",
            "Critic",
            "Which two?",
            "Most rain falls in the west.",
            "In which year?",
            "In 2024 most rain fell in the west.",
            "Writer",
            "Half of the people are under 30.",
            "Checker",
            "The data say 41 %.",
            "41 % of the people are under 30.",
            "Checker",
            "TERMINATE",
            "Three values lie far from the others.",
        ],
        people={"Ben": ["Readers will ask which."], "Anna": ["exit"]},
    ),
    "chats-of-chats.md": Surroundings(
        replies=[
            "date, co2",
            "Yearly means of co2, then a straight line.",
            "date, co2",
            "Yearly means, then a line.",
            "CO2 rose by 2.4 ppm a year.",
            "It does not say by how much.",
            "CO2 rose by 2.4 ppm a year.",
            call("ask_reader", '{"question": "Which columns are there?"}'),
            "date, co2, station, remarks",
            "Yearly means of co2 for each station.",
        ],
    ),
    "tools.md": Surroundings(
        replies=[
            call("mean_of", '{"column": "co2"}'),
            "It was 424.6 ppm in 2024.",
            call("rows_between", '{"first": 2020, "last": 2024}'),
            "There are 60.",
            call("unit_of", '{"column": "co2"}'),
            "In ppm.",
        ],
    ),
    "mcp.md": Surroundings(
        replies=[
            call("forecast", '{"city": "Bern"}'),
            "Yes: it will rain.",
            call("forecast", '{"city": "Basel"}'),
            "Yes.",
        ],
        names=lambda: {"token": "a-token"},
    ),
    "agents.md": Surroundings(
        replies=[
            "The blue one, which hangs in the office [1].",
            "They add up to \\boxed{1/2}.",
            "So the patient is known.",
            "Noted.",
            "It was moved in 2019.",
            "CO2",
            "CO2 at Mauna Loa, 1958–2024",
            '{"name": "Mauna Loa", "height": 3397}',
        ],
        files={
            "docs/handbook.md": "# Handbook\n\n## The dome\n\nThe blue key opens the dome. It hangs in the office.\n",
            "notes/night.md": "# Night\n\nClouds until two.\n",
        },
    ),
    "inference.md": Surroundings(served=["Hello!", *["Paris"] * (12 + 6), "Hi.", "Hi."]),
    "README.md": Surroundings(served=["a and b are.\nTERMINATE"]),
}
