"""People in the loop: they answer, approve and stop, with the mouse and with the keyboard alone.

The tests of a kind of page (JupyterLab or Notebook 7, the newest or the oldest ipykernel) share one notebook, whose
cells are taken away after every test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Error, Locator, expect

from tests.browser.chats import MAGIC, PREPARE, Source, chat, code, make, said, value
from tests.browser.conftest import App, Lab, Notebook, write_notebook

LAB, OLDEST, NOTEBOOK = ("lab", "python3"), ("lab", "ipykernel-oldest"), ("notebook", "python3")
SLOW = 20_000  # milliseconds for what takes one on a quiet machine


def on(*places: tuple[str, str]) -> pytest.MarkDecorator:
    """Do a test on these kinds of pages."""
    names = ["-".join(place) for place in places]
    return pytest.mark.parametrize("notebook", places, indirect=True, ids=names)


EVERYWHERE = on(LAB, OLDEST, NOTEBOOK)

_CLEAR = """() => {
    const {model, widgets} = window.jupyterapp.shell.currentWidget.content;
    model.sharedModel.deleteCellRange(1, model.sharedModel.cells.length);
}"""


@pytest.fixture(scope="module")
def pages(lab: Lab, browser: Browser) -> Iterator[Callable[[App, str], Notebook]]:
    """A notebook of a kind, which is opened when it is first asked for."""
    opened: dict[tuple[str, str], Notebook] = {}

    def find(app: App, kernel: str) -> Notebook:
        if (app, kernel) not in opened:
            opened[app, kernel] = _open(lab, browser, app, kernel)
        return opened[app, kernel]

    yield find
    for notebook in opened.values():
        notebook.page.context.close()


def _open(lab: Lab, browser: Browser, app: App, kernel: str) -> Notebook:
    context = browser.new_context(
        viewport={"width": 1200, "height": 1000}, permissions=["clipboard-read", "clipboard-write"]
    )
    path = lab.folder / f"people-{app}-{kernel}.ipynb"
    write_notebook(path, PREPARE, kernel=kernel)
    notebook = Notebook(context.new_page(), path, app, lab)
    place = f"lab/tree/{path.name}" if app == "lab" else f"notebooks/{path.name}"
    notebook.page.goto(f"{lab.url}/{place}?token={lab.token}{'&reset' if app == 'lab' else ''}")
    notebook.wait_ready()
    notebook.wait_idle()
    notebook.use_theme("light")
    notebook.run_cell(0)
    return notebook


@pytest.fixture
def notebook(pages: Callable[[App, str], Notebook], request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """A notebook in which the preparations have been made, and nothing else."""
    notebook = pages(*getattr(request, "param", LAB))
    faults: list[str] = []

    def hear(error: Error) -> None:
        faults.append(str(error))

    notebook.page.on("pageerror", hear)
    yield notebook
    notebook.page.remove_listener("pageerror", hear)
    _clear(notebook, request.node.name)
    assert faults == []


def _clear(notebook: Notebook, name: str) -> None:
    """Take the cells away. What a test that failed has left under way must not fail the next one."""
    if notebook.page.evaluate(_IS_LEFT):
        notebook.screenshot(f"people-left-{name}".replace("/", "-"))
        notebook.restart_kernel()
        notebook.run_cell(0)
    notebook.page.evaluate(_CLEAR)


_IS_LEFT = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    const shown = [...panel.node.querySelectorAll('.jp-agents-mod-stop, .jp-agents-Prompt:not(.jp-agents-mod-closed)')];
    return panel.sessionContext.session?.kernel?.status !== 'idle' || shown.some(one => one.offsetParent !== null);
}"""
_CLEAR = """() => {
    const {sharedModel} = window.jupyterapp.shell.currentWidget.content.model;
    sharedModel.deleteCellRange(1, sharedModel.cells.length);
}"""


# -- Questions and answers -------------------------------------------------------------------------------------------


def asked(notebook: Notebook, title: str = "") -> Locator:
    """The question that is open, when it is on the page."""
    prompt = notebook.page.locator(".jp-agents-Prompt:not(.jp-agents-mod-closed)").filter(has_text=title)
    expect(prompt).to_be_visible(timeout=SLOW)
    return prompt


def press(prompt: Locator, name: str) -> None:
    """Click a button of a question."""
    prompt.get_by_role("button", name=name, exact=True).click()


def reply(notebook: Notebook, text: str) -> None:
    """Answer the question that is open with words."""
    field = asked(notebook).get_by_role("textbox")
    field.fill(text)
    field.press("Enter")


def begin(notebook: Notebook, how: str, *replies: str, **options: object) -> int:
    """Begin a chat in a cell of its own, in one of the ways of holding it."""
    if how != "magic":
        return notebook.add_and_run(chat(*replies, how=how, **options), wait=False)
    notebook.add_and_run(make(*replies, **options))
    return notebook.add_and_run(MAGIC, wait=False)


EVERY_WAY = pytest.mark.parametrize(
    ("notebook", "how"),
    [(LAB, "blocking"), (LAB, "awaited"), (LAB, "magic"), (OLDEST, "blocking"), (NOTEBOOK, "blocking")],
    indirect=["notebook"],
    ids=["lab-blocking", "lab-awaited", "lab-magic", "oldest-blocking", "notebook-blocking"],
)


@EVERY_WAY
def test_answer_on_the_page_reaches_the_chat(notebook, how):
    begin(notebook, how, "Who are you?", "Hello, Ada.", mode="ALWAYS")

    field = asked(notebook).get_by_role("textbox")
    expect(field).to_be_focused()
    notebook.screenshot(f"people-reply-{notebook.app}-{how}")
    reply(notebook, "I am Ada")
    expect(notebook.page.locator(".jp-agents-LiveView", has_text="Hello, Ada.")).to_be_visible(timeout=SLOW)
    reply(notebook, "exit")

    notebook.wait_idle()
    assert said(notebook) == ["Hello", "Who are you?", "I am Ada", "Hello, Ada."]
    assert value(notebook, "str(result.ended_by)") == "person"
    expect(notebook.page.locator(".jp-agents-LiveView")).to_have_count(0)
    notebook.screenshot(f"people-replied-{notebook.app}-{how}")
