"""A group that is built on the page of a real JupyterLab, and in which two people then answer, each in their own seat."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.chats import said, value
from tests.browser.conftest import Notebook
from tests.browser.people import SLOW, asked

AGENTS = """
from jupyter_agents import AgentBuilder
for name in ("ben", "team", "team_groupchat"):
    globals().pop(name, None)
planner = agent("Planner", "Where to?", "Done.")
starter = person("starter")
anna = person("Anna", mode="ALWAYS")
AgentBuilder()
"""
CHAT = "result = await starter.a_initiate_chat(team, message='Plan a trip.')"


def builder(notebook: Notebook) -> Locator:
    """The form, when the kernel has said what stands in it."""
    form = notebook.page.locator(".jp-agents-Builder")
    expect(form.get_by_role("button", name="Add a group")).to_be_visible(timeout=SLOW)
    return form


def build(notebook: Notebook) -> Locator:
    """Build a group of the planner, Anna, and Ben, who is made here, as a person does it."""
    notebook.add_and_run(AGENTS)
    form = builder(notebook)
    form.get_by_label("Name", exact=True).fill("Ben")
    form.get_by_label("User proxy").check()
    form.get_by_label("Is not run").check()
    form.get_by_role("button", name="Add a group").click()
    for name in ("Planner", "Anna"):
        form.get_by_label(name, exact=True).check()
    form.get_by_label("In turns").check()
    form.get_by_label("Messages at most").fill("6")
    form.get_by_label("Only those that are ticked").check()
    form.get_by_label("Planner may speak after Anna", exact=True).uncheck()
    expect(form.get_by_text("Seats of people: Ben, Anna.")).to_be_visible(timeout=SLOW)
    return form


@pytest.mark.parametrize("width", [1200, 400])
def test_people_answer_in_their_seats_when_a_group_was_built(notebook, width):
    notebook.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    notebook.page.set_viewport_size({"width": width, "height": 1000})
    form = build(notebook)
    form.get_by_role("grid").scroll_into_view_if_needed()
    shots(notebook, f"builder-group-lab-{width}")
    found = notebook.axe(form)

    form.get_by_role("button", name="Create team").click()
    expect(form.get_by_text("Created ben, team_groupchat, team.")).to_be_visible(timeout=SLOW)
    notebook.add_and_run(CHAT, wait=False)
    answer(notebook, "starter", "Ben", "To Oslo, I hope.")
    answer(notebook, "Planner", "Anna", "To Rome.")
    answer(notebook, "Anna", "Ben", "exit", name=f"builder-group-lab-{width}-seat")

    notebook.wait_idle()
    notebook.page.set_viewport_size({"width": 1200, "height": 1000})
    assert found == []
    said_by = value(notebook, "[one['name'] for one in team_groupchat.messages]")
    assert said_by == ["starter", "Ben", "Planner", "Anna"]
    assert said(notebook)[-2:] == ["Where to?", "To Rome."]


def answer(notebook: Notebook, by: str, seat: str, text: str, name: str = "") -> None:
    """Answer the question that somebody asks a person, who is told by whom and as whom."""
    prompt = asked(notebook, f"as {seat}")
    expect(prompt).to_contain_text(f"Your reply to {by}")
    if name:
        shots(notebook, name)
    prompt.get_by_role("textbox").fill(text)
    prompt.get_by_role("textbox").press("Enter")


def shots(notebook: Notebook, name: str) -> None:
    """Keep pictures in the dark theme, and in the light one, which stays."""
    for theme in ("dark", "light"):
        notebook.use_theme(theme)
        notebook.screenshot(f"{name}-{theme}")
