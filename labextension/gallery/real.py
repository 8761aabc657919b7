# ruff: noqa: INP001, D103 - not a module of a package
"""The states that only a notebook has, in a real JupyterLab and Notebook 7, as pictures in build/gallery/real.

`python -m pytest -p tests.browser.conftest labextension/gallery/real.py`, from the folder of the project.
"""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.chats import PREPARE
from tests.browser.conftest import ROOT, THEMES, Notebook

FOLDER = ROOT / "build" / "gallery" / "real"
SLOW = 30_000
APPS = pytest.mark.parametrize("app", ["lab", "notebook"])
TALK = '''
import pandas as pd
import matplotlib.pyplot as plt
%matplotlib inline
prices = pd.DataFrame({"day": range(1, 25), "price": [50 + 8 * (n * 37 % 11) / 11 + n / 2 for n in range(24)]})
FIRST = """I'll look at the **trend** first: a moving average over five days is enough.

```python
average = prices["price"].rolling(5).mean()
plt.figure(figsize=(6, 2.4))
plt.plot(prices["day"], prices["price"], label="price")
plt.plot(prices["day"], average, label="average of 5 days")
plt.legend()
plt.show()
print(f"from {average.iloc[4]:.2f} to {average.iloc[-1]:.2f}")
```

Once that has run I can say whether the rise is worth a test."""
SECOND = """The price **rises**, by about half a unit a day.

| price | first week | last week |
|:--|--:|--:|
| mean | 54.86 | 64.55 |
| SD | 2.31 | 2.58 |

The scatter around the line does not grow, so a *linear* model will do. TERMINATE"""
'''
_TO_TOP = """([cell, selector]) => {
    const node = document.querySelector(`.jp-Notebook .jp-Cell[data-windowed-list-index='${cell}'] ${selector}`);
    node?.scrollIntoView({block: 'start'});
}"""


def keep(notebook: Notebook, name: str, *, cell: int | None = None, at: str = "", themes: bool = True) -> None:
    """Keep a picture in each theme, with a place of a cell at the top of the page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for theme in THEMES if themes else ("light",):
        notebook.use_theme(theme)
        expect(notebook.page.locator("#jupyterlab-splash")).to_have_count(0, timeout=SLOW)
        if cell is not None:
            notebook.page.evaluate(_TO_TOP, [cell, at])
        notebook.page.screenshot(path=FOLDER / f"{name}-{theme}.png")
    notebook.use_theme("light")


def narrow(notebook: Notebook) -> None:
    """Leave the page to the notebook."""
    if notebook.app == "lab":
        notebook.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")


def card(notebook: Notebook) -> Locator:
    return notebook.page.locator(".jp-agents-Prompt").first


@APPS
def test_analysis(open_notebook: Callable[..., Notebook], app: Any) -> None:
    notebook = open_notebook(PREPARE + TALK, "user, bot = pair(FIRST, SECOND, policy='ask', delay=0.06)", app=app)
    narrow(notebook)
    notebook.run_cell(0)
    notebook.run_cell(1)
    cell = notebook.add_and_run(
        "result = user.initiate_chat(bot, message='Do the prices rise, and does their scatter grow?')", wait=False
    )
    expect(notebook.cell(cell)).to_contain_text("a moving average", timeout=SLOW)
    keep(notebook, f"{app}-streaming", cell=cell, themes=False)
    card(notebook).wait_for(timeout=SLOW)
    keep(notebook, f"{app}-approval", cell=cell)
    notebook.page.set_viewport_size({"width": 700, "height": 1000})
    keep(notebook, f"{app}-approval-narrow", cell=cell, themes=False)
    notebook.page.set_viewport_size({"width": 1200, "height": 1000})
    assert notebook.axe(".jp-agents-Prompt") == []
    card(notebook).get_by_role("button", name="Run", exact=False).first.click()
    notebook.wait_idle(60)
    keep(notebook, f"{app}-conversation", cell=cell)
    keep(notebook, f"{app}-conversation-end", cell=cell, at=".jp-agents-Message-result")
    assert notebook.axe(".jp-agents-Message") == []
    again = notebook.add_and_run("result")
    keep(notebook, f"{app}-result", cell=again)


def test_reply(open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(PREPARE, "user, bot = pair('Which of the two files do you mean?', 'Good.', mode='ALWAYS')")
    narrow(notebook)
    notebook.run_cell(0)
    notebook.run_cell(1)
    cell = notebook.add_and_run("result = user.initiate_chat(bot, message='Read the prices.')", wait=False)
    card(notebook).wait_for(timeout=SLOW)
    keep(notebook, "lab-reply", cell=cell)
    notebook.page.get_by_role("button", name="End the chat").click()
    notebook.wait_idle()


def test_chat_box_and_builder(open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(
        PREPARE
        + "box = AgentChat(agent('coder', 'It is **seven**: the list has a header.'), agent('poet', 'A verse.'))",
        "box",
        "from jupyter_agents import AgentBuilder\nAgentBuilder()",
    )
    narrow(notebook)
    notebook.run_cell(0)
    notebook.run_cell(1)
    composer = notebook.cell(1).get_by_label("Message", exact=True)
    composer.wait_for(timeout=SLOW)
    keep(notebook, "lab-chat-box-empty", cell=1, themes=False)
    composer.fill("How many rows has the file?")
    expect(notebook.cell(1).get_by_role("button", name="Send")).to_be_enabled(timeout=SLOW)
    composer.press("Enter")
    expect(notebook.cell(1)).to_contain_text("has a header", timeout=SLOW)
    keep(notebook, "lab-chat-box", cell=1)
    notebook.run_cell(2)
    notebook.cell(2).get_by_label("Name", exact=True).wait_for(timeout=SLOW)
    keep(notebook, "lab-builder", cell=2)


def test_call(open_notebook: Callable[..., Notebook]) -> None:
    notebook = open_notebook(
        PREPARE,
        "user, bot = pair('What shall I do with the rows that are empty? ' * 2, mode='ALWAYS', delay=0.2)",
        "chat = Chat(user, bot, message='Read the prices.').start()",
        "for number in range(120):\n    print(number)",
    )
    narrow(notebook)
    for cell in range(4):
        notebook.run_cell(cell)
    notebook.page.evaluate("() => document.querySelector('.jp-WindowedPanel-outer').scrollTo(0, 9999)")
    notebook.page.locator(".Toastify__toast").first.wait_for(timeout=SLOW)
    keep(notebook, "lab-call", themes=False)
    notebook.restart_kernel()
