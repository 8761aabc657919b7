"""What showing a chat costs the kernel: CPU of its process, with a page that follows or with nobody there.

The same chat is held twice in turn in one real ipykernel, once shown and once not; what is reported is the difference
a message, which holds the whole listener: bundles, slots, the channel, the widget's messages, and hearing the page. The
page is played here, in another process, and says what a widget in JupyterLab says. Beside it: `IPython.display.Markdown`
of the same texts, the least that could show them.

Rows: `live` (every reply streams for a quarter of a second, in a widget), `quick` (replies come at once: no widget),
`unattended` (nobody follows, as under nbconvert), `long` (200 live turns in one cell: after 40 outputs they share a
slot), a block that prints 200,000 lines into that slot beside the same block in a cell, and the first chat of a kernel.
Bytes in the file a byte of text, for ordinary messages and for ones that are mostly code.
Target: at most 5 ms a turn; at most 5 bytes a byte.

    python -m benchmarks.page_turn [--rounds N] [--json FILE]
"""

from __future__ import annotations

import argparse
import ast
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

from benchmarks._transcripts import code_message, ordinary_message
from jupyter_agents.display.bundle import Transcript
from jupyter_agents.events import Entry, MessageSent
from jupyter_agents.messages import Message, Usage
from tests.kernel.conftest import Kernel
from tests.kernel.page import Page

PREPARE = """
%load_ext jupyter_agents
import itertools, json, time
from IPython.display import Markdown, display
from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.session import current_session
from jupyter_agents.surroundings import make_listeners
from jupyter_agents.testing import ScriptedModel
from benchmarks._transcripts import ordinary_message

def chat(messages, delay, shown, chunk=60):
    numbers = itertools.count(1)
    model = ScriptedModel(lambda request: ordinary_message(next(numbers)), delay=delay, chunk=chunk, record=False)
    one, other = (AssistantAgent(name, llm_config=model, max_consecutive_auto_reply=messages) for name in ("one", "other"))
    return talk(other, one, messages, shown)

def talk(one, other, messages, shown):
    current_session().make_listeners = make_listeners if shown else lambda **options: []
    started = time.process_time()
    result = one.initiate_chat(other, message=ordinary_message(0), max_turns=messages // 2)
    seconds = time.process_time() - started
    assert len(result) == messages, (len(result), result.ended_by)
    return seconds

def block_after(messages, block, shown):
    # A chat of so many messages, whose last but two is a block that is run.
    replies = [*(f"message {number}" for number in range(messages // 2 - 2)), f"```python\\n{block}\\n```", "done"]
    one = AssistantAgent("one", llm_config=ScriptedModel(replies), max_consecutive_auto_reply=messages)
    user = UserProxyAgent(
        "user", human_input_mode="NEVER", code_execution_config={"policy": "auto"}, max_consecutive_auto_reply=messages,
        llm_config=ScriptedModel(lambda request: f"go on {len(request.messages)}"),
    )
    return talk(user, one, messages, shown)

def floor(messages):
    started = time.process_time()
    for number in range(messages):
        display(Markdown(ordinary_message(number)))
    return time.process_time() - started

def cpu(work):
    started = time.process_time()
    work()
    return time.process_time() - started
"""
SHORT = 36  # messages: as many outputs, which a cell takes before there is a shared slot
LONG = 200
LINES = 200_000
QUICK = "chat({messages}, 0, {shown}, None)"
LIVE = "chat({messages}, 0.025, {shown})"
PRINTS = f"for number in range({LINES}): print('line', number)"


def main() -> None:
    """Measure all rows, and say which target is met."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", type=Path, help="write the results to this file as well")
    given = options.parse_args()
    found = {
        "turns": turns(given.rounds),
        "lines": lines(given.rounds),
        "first": first(given.rounds),
        "file": bytes_in_file(),
    }
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    report(found)


# -- Turns -------------------------------------------------------------------------------------------------------


def turns(rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds a message that showing it adds, by row."""
    with kernel() as (one, page):
        return {
            "live": added(one, page, LIVE, SHORT, rounds),
            "quick": added(one, page, QUICK, SHORT, rounds),
            "unattended": added(one, None, QUICK, SHORT, rounds),
            "long, quick": added(one, page, QUICK, LONG, rounds),
            "long, live": added(one, page, LIVE, LONG, 1, warm_up=0),
        }


def added(
    one: Kernel, page: Page | None, work: str, messages: int, rounds: int, *, warm_up: int = 1
) -> dict[str, float]:
    """The medians a message of pairs of chats, shown and not shown, and of the floor."""
    pairs = []
    for at in range(warm_up + rounds):
        pair = {}
        for shown in (True, False) if at % 2 else (False, True):
            pair[shown] = seconds(one, page, work.format(messages=messages, shown=shown))
        pairs.append((pair[True], pair[False], seconds(one, page, f"floor({messages})")))
    shown, hidden, floor = (
        1000 * statistics.median(column) / messages for column in zip(*pairs[warm_up:], strict=True)
    )
    differences = [1000 * (pair[0] - pair[1]) / messages for pair in pairs[warm_up:]]
    return {
        "chat": hidden,
        "shown": shown,
        "added": statistics.median(differences),
        "worst": max(differences),
        "markdown": floor,
    }


def seconds(one: Kernel, page: Page | None, expression: str) -> float:
    """CPU of the kernel while it evaluates this, with a page that follows or without."""
    cell = one.execute(
        f"_found = {expression}", "_found", when=page.look if page else None, allow_stdin=page is not None
    )
    return float(value_of(cell, "_found"))


def value_of(cell: Any, expression: str) -> Any:
    if cell.reply["status"] != "ok":
        sys.exit("\n".join(cell.reply["traceback"]))
    return ast.literal_eval(cell.reply["user_expressions"][expression]["data"]["text/plain"])


@contextmanager
def kernel() -> Iterator[tuple[Kernel, Page]]:
    """A kernel that is ready for chats, and a page that follows it."""
    one = Kernel()
    page = Page(one)
    try:
        one.execute(PREPARE)
        yield one, page
    finally:
        page.close()
        one.close()


# -- A block that prints much ----------------------------------------------------------------------------------------


def lines(rounds: int) -> dict[str, float]:
    """Seconds for the same lines: a cell of a person, a block in the shared slot, a block of a chat that is not shown."""
    block = f"block_after({SHORT + 10}, {PRINTS!r}, {{shown}})"
    columns: dict[str, list[float]] = {"cell": [], "slot": [], "hidden": []}
    with kernel() as (one, page):
        for _ in range(rounds):
            columns["cell"].append(seconds(one, page, f"cpu(lambda: exec({PRINTS!r}))"))
            columns["slot"].append(seconds(one, page, block.format(shown=True)))
            columns["hidden"].append(seconds(one, page, block.format(shown=False)))
    return {name: statistics.median(column) for name, column in columns.items()}


# -- The first chat of a kernel -----------------------------------------------------------------------------------


def first(rounds: int) -> dict[str, float]:
    """Seconds of a short live chat in a new kernel, shown and not, and of the second one that is shown."""
    columns: dict[str, list[float]] = {"shown": [], "hidden": [], "second": [], "imports": []}
    for _ in range(rounds):
        with kernel() as (one, page):
            columns["shown"].append(seconds(one, page, LIVE.format(messages=2, shown=True)))
            columns["second"].append(seconds(one, page, LIVE.format(messages=2, shown=True)))
        with kernel() as (one, page):
            columns["hidden"].append(seconds(one, page, LIVE.format(messages=2, shown=False)))
            columns["imports"].append(seconds(one, page, "cpu(lambda: __import__('anywidget'))"))
    return {name: statistics.median(column) for name, column in columns.items()}


# -- The file -----------------------------------------------------------------------------------------------------


def bytes_in_file() -> dict[str, float]:
    """Bytes that a message adds to a notebook file, a byte of its text."""
    kinds = {"ordinary": ordinary_message, "code": code_message}
    return {name: file_factor([make(number) for number in range(100)]) for name, make in kinds.items()}


def file_factor(texts: Sequence[str]) -> float:
    empty, full = (len(nbformat.writes(notebook_of(one)).encode()) for one in ([], texts))
    return (full - empty) / sum(len(text.encode()) for text in texts)


def notebook_of(texts: Sequence[str]) -> nbformat.NotebookNode:
    transcript = Transcript()
    sent = (
        MessageSent(0, "user", "assistant", Message(text), "model", usage=Usage(900, 160), model="gpt-5")
        for text in texts
    )
    bundles = [transcript.bundle(Entry(0, one)) for one in sent]
    outputs = [nbformat.v4.new_output("display_data", one.data, metadata=one.metadata) for one in bundles if one]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("chat", outputs=outputs)])


# -- The report ---------------------------------------------------------------------------------------------------


def report(found: dict[str, Any]) -> None:
    """Print what was measured."""
    print(
        f"{'a message, ms of CPU':<22} {'chat':>6} {'shown':>7} {'added':>7} {'worst':>7} {'Markdown':>9}   (target: 5 added)"
    )
    for name, row in found["turns"].items():
        verdict = "met" if row["added"] <= 5 else "MISSED"
        numbers = (row[column] for column in ("chat", "shown", "added", "worst", "markdown"))
        print(f"{name:<22} " + " ".join(f"{number:>7.2f}" for number in numbers) + f"   {verdict}")
    print(f"{LINES:,} lines: " + ", ".join(f"{name} {one:.2f} s" for name, one in found["lines"].items()))
    print("first chat: " + ", ".join(f"{name} {1000 * one:.0f} ms" for name, one in found["first"].items()))
    for name, factor in found["file"].items():
        print(f"bytes in the file, {name}: {factor:.2f} a byte   {'met' if factor <= 5 else 'MISSED'} (target: 5)")


if __name__ == "__main__":
    main()
