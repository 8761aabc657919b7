"""The life of a page: chats in it when it is loaded anew, saved half-way, left alone, crowded, or cut off."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from jupyter_agents.executors.outputs import MESSAGE_MIME
from tests.browser.chats import PREPARE, Source, chat, code, said, value
from tests.browser.conftest import Notebook

APPS = pytest.mark.parametrize("app", ["lab", "notebook"])
THEMES = ("light", "dark", "high-contrast")
REMARK = "This turn was under way when the notebook was saved."
SLOW = 20_000  # milliseconds for what takes one on a quiet machine

HELD = '''
from pathlib import Path
from jupyter_agents.effects import Pause

async def until(name):
    """Wait for a file of this name, which the test makes."""
    while not Path(name).exists():
        await Pause(0.02)

class Held(ScriptedModel):
    """Writes the whole of its replies, and sends off those that begin so when the test lets it."""

    def __init__(self, *replies, at, when, **options):
        super().__init__(list(replies), **options)
        self.at, self.when = at, when

    async def complete(self, request):
        reply = await super().complete(request)
        if reply.content.startswith(self.at):
            await until(self.when)
        return reply
'''
"""A model whose reply stays unfinished for as long as a test needs."""


def held_chat(*replies: str, at: str, when: str = "never", how: str = "awaited", **pair: object) -> str:
    """A cell whose chat stands still in the reply that begins with `at`, until there is a file `when`."""
    model = f"Held({', '.join(map(repr, replies))}, at={at!r}, when={when!r}, delay=0.005)"
    return chat(how=how, **pair) .replace(
        "user, bot = pair(", f"bot = AssistantAgent('assistant', llm_config={model})\nuser, _ = pair("
    )


@pytest.fixture
def troubles(page: Page) -> Callable[[], list[str]]:
    """What the page has shown of the manager's troubles with widgets, at any moment of its life."""
    page.add_init_script("""
        window.troubles = [];
        const look = () => {
            const text = document.body?.innerText ?? '';
            const found = ['model not found', 'Loading widget', 'Error displaying'].filter(one => text.includes(one));
            window.troubles.push(...found);
            requestAnimationFrame(look);
        };
        look();
    """)
    return lambda: page.evaluate("[...new Set(window.troubles)]")


def begin(notebook: Notebook, *cells: str) -> int:
    """Prepare, and run cells; the last one goes on while the test does. Its number."""
    notebook.run_cell(0)
    for cell in cells[:-1]:
        notebook.add_and_run(cell)
    return notebook.add_and_run(cells[-1], wait=False)


def field(notebook: Notebook):
    """The field of the prompt for a text that is open."""
    return notebook.page.locator(".jp-agents-Prompt textarea.jp-agents-Field:visible").last


def reply(notebook: Notebook, text: str) -> None:
    """Write an answer, and send it."""
    field(notebook).fill(text, timeout=SLOW)
    field(notebook).press("Enter")


def reload_meanwhile(notebook: Notebook) -> None:
    """Load the page anew while a cell runs. Such a page does not know that the kernel is busy: it knows nothing of it."""
    notebook.page.reload()
    notebook.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
    notebook.page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady", timeout=60_000)


def reopen(notebook: Notebook) -> None:
    """Leave the page, and open the notebook again."""
    page, url = notebook.page, notebook.page.url
    page.goto("about:blank")
    page.goto(url)
    notebook.wait_ready()


def as_html(path: Path) -> str:
    """The text of the page that nbconvert makes of a notebook."""
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--stdout", str(path)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script).*?</\1>", " ", made))


# -- The page is loaded anew -----------------------------------------------------------------------------------------


@APPS
def test_prompt_is_answered_when_the_page_was_loaded_anew(open_notebook, troubles, app):
    notebook = open_notebook(PREPARE, app=app)
    cell = begin(notebook, chat("Who are you?", "Hello, Ada.", mode="ALWAYS"))
    expect(field(notebook)).to_be_visible(timeout=SLOW)
    notebook.save()

    reload_meanwhile(notebook)
    reply(notebook, "I am Ada")

    live = notebook.cell(cell).locator(".jp-agents-LiveView")
    expect(live).to_contain_text("Hello, Ada.", timeout=SLOW)
    reply(notebook, "exit")
    notebook.wait_idle()
    assert said(notebook) == ["Hello", "Who are you?", "I am Ada", "Hello, Ada."]
    expect(notebook.cell(cell)).to_contain_text("Hello, Ada.")
    assert troubles() == []
