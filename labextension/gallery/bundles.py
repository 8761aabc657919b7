# ruff: noqa: INP001 - a script
"""The bundles of the gallery, made as a chat makes them: JSON on the standard output."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from jupyter_agents.display.bundle import METADATA_KEY, Bundle, Transcript, joined_bundle
from jupyter_agents.events import (
    ChatEnded,
    ChatStarted,
    CodeFinished,
    CodeStarted,
    Entry,
    Event,
    HumanAnswered,
    MessageSent,
    ModelAnswered,
    ModelFailed,
    Noted,
)
from jupyter_agents.messages import Message, ToolCall, ToolResponse, Usage

CODE = '''import pandas as pd
import seaborn as sns


def mean_mass(penguins: pd.DataFrame) -> pd.Series:
    """The mean body mass of each species, in grams."""
    return penguins.groupby("species")["body_mass_g"].mean().round(1)


penguins = sns.load_dataset("penguins").dropna()  # 333 of 344 rows are complete
print(mean_mass(penguins))'''
ANSWER = f"""I'll compare the **three species** first: a *group by* is enough, no model is needed.

```python
{CODE}
```

Once that has run I can say whether the difference between `Adelie` and `Chinstrap` is worth a test."""
TEXT = """# What the data say

Gentoo penguins are by far the heaviest; the other two are alike.

| Species | n | Mean (g) | SD |
|:--|--:|--:|--:|
| Adelie | 146 | 3,706.2 | 458.6 |
| Chinstrap | 68 | 3,733.1 | 384.3 |
| Gentoo | 119 | 5,092.4 | 501.5 |

1. The difference between Gentoo and the others is about $\\Delta m = 1.37$ kg.
2. Adelie and Chinstrap differ by less than 1 %:
   - not significant ($p = 0.67$),
   - and not of any use to tell them apart.

> The masses are those of the *living* birds.

See the [Palmer penguins](https://allisonhorst.github.io/palmerpenguins/) data set, ~~version 0.1~~ `v0.1.1`."""
TRACEBACK = """Traceback (most recent call last):
  Cell In[…], line 3
      1 import pandas as pd
      2
----> 3 penguins.groupby("specie")["body_mass_g"].mean()

KeyError: 'specie'"""
ROWS = "\n".join(f"{n:>4}  {name:<10} {3000 + 37 * n:>6} g" for n, name in enumerate(["Adelie", "Gentoo"] * 24))


def result(code: int, output: str) -> str:
    """What a model reads of code that ran."""
    return f"exitcode: {code} (execution {'failed' if code else 'succeeded'})\nCode output: \n{output}"


def sent(
    sender: str, recipient: str, content: str | None, origin: Any = "program", chat: int = 0, **options: Any
) -> MessageSent:
    """A message; `options` are of the event and of the message."""
    parts = {
        key: options.pop(key) for key in ("tool_calls", "tool_responses", "finish_reason", "role") if key in options
    }
    return MessageSent(chat, sender, recipient, Message(content, **parts), origin, **options)


def answered(agent: str, seconds: float, chat: int = 0) -> ModelAnswered:
    """A model has answered."""
    return ModelAnswered(chat, agent, "stop", seconds=seconds)


def ran(seconds: float, code: int = 0, status: Literal["ok", "error"] = "ok") -> Iterator[Event]:
    """A block has run."""
    yield CodeStarted(0, "user_proxy", "python", CODE)
    yield CodeFinished(0, "user_proxy", code, status, seconds=seconds)


def said(
    content: str | None, seconds: float = 2.4, usage: tuple[int, int] = (1204, 186), **options: Any
) -> Iterator[Event]:
    """A message of the assistant."""
    yield answered("assistant", seconds)
    yield sent("assistant", "user_proxy", content, "model", usage=Usage(*usage), model="qwen2.5-7b", **options)


def code_result(
    output: str, code: int = 0, decision: str = "run", reason: str = "", seconds: float = 0.31
) -> Iterator[Event]:
    """What a person said of a block, and its result."""
    if decision:
        yield HumanAnswered(0, "user_proxy", decision, reason)
    if decision != "reject":
        yield from ran(seconds, code, "error" if code else "ok")
    yield sent("user_proxy", "assistant", result(code, output), "code")


CALLS = (
    ToolCall("look_up", '{"species": "Gentoo", "columns": ["mass", "bill"], "limit": 5}', "c1"),
    ToolCall("run_cell", json.dumps({"cell": "x = 1\nprint(x)", "timeout": 30}), "c2"),
)
RESPONSES = (ToolResponse("c1", '{"mass": 5092.4, "bill": 47.5}'), ToolResponse("c2", "1"))

STATES: dict[str, list[Event]] = {
    "Conversation": [
        ChatStarted(0, "user_proxy", "assistant"),
        sent("user_proxy", "assistant", "Which of the penguin species is the heaviest, and is the difference real?"),
        *said(ANSWER),
        *code_result(
            "species\nAdelie       3706.2\nChinstrap    3733.1\nGentoo       5092.4\nName: body_mass_g, dtype: float64"
        ),
        *said(TEXT, 3.1, (1622, 240)),
    ],
    "Failed code": [*said(ANSWER), *code_result(TRACEBACK, 1, "")],
    "Edited code": [*said(ANSWER), *code_result("Gentoo    5092.4", 0, "edit", 'print(penguins["body_mass_g"].max())')],
    "Rejected code": [
        *said(ANSWER),
        *code_result("The user refused to run this code: use polars", 1, "reject", "use polars"),
    ],
    "Code not allowed": [
        *said(ANSWER),
        sent(
            "user_proxy",
            "assistant",
            result(1, "Running code is not allowed here. Solve the task without code, or say what you would need."),
            "code",
        ),
    ],
    "Long output": [*said(ANSWER), *code_result(ROWS, seconds=83.2)],
    "Tool calls and results": [
        *said(None, tool_calls=CALLS),
        sent(
            "user_proxy",
            "assistant",
            '{"mass": 5092.4, "bill": 47.5}\n\n1',
            "tool",
            role="tool",
            tool_responses=RESPONSES,
        ),
        *said("Let me look at all of it.", tool_calls=(ToolCall("table", "{}", "c3"),)),
        sent("user_proxy", "assistant", ROWS, "tool", role="tool", tool_responses=(ToolResponse("c3", ROWS),)),
    ],
    "Cut off": [
        *said("The mean of the masses is given by the sum of", finish_reason="length"),
        *said("I will delete all the", finish_reason="interrupted"),
        ModelFailed(0, "assistant", "gone", "The connection was lost while I was say"),
    ],
    "Replayed": [*said("A reply from the recording.", usage=(96, 12), replayed=True)],
    "Nested chats": [
        ChatStarted(0, "user_proxy", "assistant"),
        sent("user_proxy", "assistant", "Write a haiku about penguins."),
        ChatStarted(1, "writer", "critic", parent=0),
        sent(
            "writer",
            "critic",
            "Black coats on white ice\nthe long march home to the sea\nsilver fish, then sleep",
            "model",
            1,
        ),
        ChatStarted(2, "critic", "fact_checker", parent=1),
        sent("critic", "fact_checker", "Do they march *home to the sea*?", "model", 2),
        sent("fact_checker", "critic", "They march from the sea, to breed.", "model", 2),
        sent("critic", "writer", "The second line is wrong: they march **from** the sea.", "model", 1),
        *said("Black coats on white ice…"),
    ],
    "Notes": [
        Noted(0, "user_proxy runs code without asking."),
        Noted(
            0, "The recording was not made here, so what it approves does not count and you are asked.", level="warning"
        ),
        ChatEnded(0, "interrupted", "interrupted by the user after 12 s"),
    ],
    "Eight speakers": [
        sent(name, "everybody", f"I am {name.replace('_', ' ')}.", "model")
        for name in (
            "user_proxy",
            "assistant",
            "Critic",
            "data_engineer",
            "statistician",
            "PlotMaker",
            "writer",
            "reviewer",
        )
    ],
    "Unusual words": [
        sent(
            "a_very_long_name_of_an_agent_that_somebody_gave_it_without_thinking_of_the_page",
            "アシスタント",
            "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
            + "\n\nhttps://example.org/"
            + "a/" * 80
            + "\n\n![a figure](https://example.org/x.png) <b>no HTML</b>",
        ),
        sent("アシスタント", "user", "ペンギンは鳥です。", "model"),
    ],
}


def bundles(events: Iterable[Event]) -> list[Bundle]:
    """What is shown of events."""
    transcript = Transcript()
    found = [transcript.bundle(Entry(number, event)) for number, event in enumerate(events)]
    return [bundle for bundle in found if bundle is not None]


def joined() -> Bundle:
    """What one slot holds after forty outputs: messages and the outputs of their code."""
    bundle = joined_bundle(bundles(STATES["Conversation"])[1:3], left_out=1200)
    items = bundle.data["application/vnd.jupyter-agents.message+json"]["items"]
    items.append({"kind": "output", "data": {"text/plain": "Gentoo    5092.4"}, "metadata": {}})
    bundle.metadata[METADATA_KEY]["items"].append({})
    return bundle


states = {name: [bundle._asdict() for bundle in bundles(events)] for name, events in STATES.items()}
states["Many in one output"] = [joined()._asdict()]
json.dump(states, sys.stdout)
