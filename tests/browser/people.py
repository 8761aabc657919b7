"""What a person does on the page of a chat: for the tests of several kinds of pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.chats import MAGIC, chat, make

if TYPE_CHECKING:
    from tests.browser.conftest import Notebook

LAB, OLDEST, NOTEBOOK = ("lab", "python3"), ("lab", "ipykernel-oldest"), ("notebook", "python3")
SLOW = 20_000  # milliseconds for what takes one on a quiet machine


def on(*places: tuple[str, str]) -> pytest.MarkDecorator:
    """Do a test on these kinds of pages."""
    names = ["-".join(place) for place in places]
    return pytest.mark.parametrize("notebook", places, indirect=True, ids=names)


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


def may_run(notebook: Notebook) -> Locator:
    """The question whether code may run, when it takes an answer: a moment after it has appeared."""
    prompt = asked(notebook, "Run this Python code?")
    expect(prompt.get_by_role("button", name="Run", exact=True)).not_to_have_attribute("aria-disabled", "true")
    return prompt


def stop_button(notebook: Notebook) -> Locator:
    """The button that ends the chat."""
    return notebook.page.get_by_role("button", name="Stop", exact=True)
