"""What shows itself in a cell, in a real JupyterLab: it works there, it has no fault for axe, and nbval finds it again."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.chats import value
from tests.browser.people import SLOW, asked, press

THEMES = ("light", "dark", "high-contrast")

# -- Questions of one's own, and variables ---------------------------------------------------------------------------


def test_choice_is_made_and_a_variable_goes_along(notebook):
    notebook.add_and_run("from jupyter_agents import a_ask\nrows = [1, 2, 3]")
    notebook.add_and_run("said = await a_ask('Which?', ['red', 'blue']), await a_ask('And why?')", wait=False)

    card = asked(notebook, "Which?")
    faults = notebook.axe(card)
    expect(card.get_by_role("button", name="blue")).to_be_visible()
    card.get_by_role("button", name="blue").click()
    card = asked(notebook, "And why?")
    field = card.get_by_role("textbox")
    field.press_sequentially("See @ro")
    card.get_by_role("option", name=re.compile("rows")).click(timeout=SLOW)
    expect(card.locator(".jp-agents-Preview")).to_contain_text("[1, 2, 3]", timeout=SLOW)
    faults += notebook.axe(card)
    field.press("Enter")

    notebook.wait_idle()
    colour, why = value(notebook, "said")
    assert faults == []
    assert colour == "blue"
    assert "rows" in why
    assert "[1, 2, 3]" in why


def test_what_counts_otherwise_is_the_answer_when_the_time_is_over(notebook):
    notebook.add_and_run("from jupyter_agents import a_ask")
    notebook.add_and_run("said = await a_ask('Which?', ['red', 'blue'], timeout=3, otherwise='blue')", wait=False)

    expect(asked(notebook, "Which?")).to_contain_text("blue")

    notebook.wait_idle()
    assert value(notebook, "said") == "blue"


# -- The builder -----------------------------------------------------------------------------------------------------


def test_agent_is_built_and_its_code_becomes_a_cell_that_runs(notebook):
    form = notebook.cell(notebook.add_and_run("from jupyter_agents import AgentBuilder\nAgentBuilder()"))
    form.get_by_label("Name", exact=True).fill("Clerk", timeout=SLOW)
    expect(form.locator(".jp-agents-Builder-source")).to_contain_text('AssistantAgent("Clerk")', timeout=SLOW)
    form.get_by_role("button", name="Insert as cell").click()
    inserted = "window.jupyterapp.shell.currentWidget.content.widgets[2]?.model.sharedModel.source"
    notebook.page.wait_for_function(inserted, timeout=SLOW)
    source = notebook.page.evaluate(inserted)
    form.get_by_role("button", name="Create clerk").click()
    expect(form).to_contain_text("Created clerk.", timeout=SLOW)
    made_by_the_form = value(notebook, "globals().pop('clerk').name")
    notebook.run_cell(2)

    assert 'AssistantAgent("Clerk")' in source
    assert made_by_the_form == value(notebook, "globals().pop('clerk').name") == "Clerk"


# -- No fault for axe ------------------------------------------------------------------------------------------------

SHOWN = {
    "result": "user, bot = pair('Fine. TERMINATE')\nresult = await user.a_initiate_chat(bot, message='Hello')\nresult",
    "agent": "agent('critic', 'Well.')",
    "group": "from jupyter_agents import GroupChat\nGroupChat([agent('ada', '.'), agent('bob', '.')], [], max_round=3)",
    "builder": "from jupyter_agents import AgentBuilder\nAgentBuilder()",
    "chat box": "AgentChat(agent('clerk', '.'))",
    "roster": "%agents",
}


@pytest.mark.parametrize("what", SHOWN)
def test_axe_finds_no_fault_in_what_shows_itself(notebook, what):
    cell = notebook.cell(notebook.add_and_run(SHOWN[what]))
    place = cell.locator(".jp-OutputArea").last
    expect(place).to_contain_text(re.compile(r"\w{3}"), timeout=SLOW)
    if what in ("builder", "chat box"):
        place.get_by_role("textbox").first.wait_for(timeout=SLOW)

    for theme in THEMES:
        notebook.use_theme(theme)
        assert notebook.axe(place) == [], f"in the theme {theme}"
        notebook.screenshot(f"shown-{what}-{theme}")
    notebook.use_theme("light")


CARDS = """
chats = [Chat(person(name, policy="ask"), agent(f"{name}'s bot", block(f"print({at})")), message="Go").start()
         for at, name in enumerate(("Ada", "Bob"))]
await asyncio.sleep(0.5)
"""


def test_axe_finds_no_fault_in_cards_on_which_a_person_edits_and_rejects(notebook):
    notebook.add_and_run(CARDS)
    cards = notebook.page.locator(".jp-agents-Prompt:not(.jp-agents-mod-closed)")
    expect(cards).to_have_count(2, timeout=SLOW)
    press(cards.nth(0), "Edit and run…")
    cards.nth(0).get_by_role("textbox", name="Code, to edit").fill("print(2)")
    press(cards.nth(1), "Reject…")

    for theme in THEMES:
        notebook.use_theme(theme)
        assert [notebook.axe(cards.nth(at)) for at in (0, 1)] == [[], []], f"in the theme {theme}"
    notebook.use_theme("light")
    notebook.add_and_run("[chat.stop() for chat in chats]\n[await chat for chat in chats];")


# -- Saved by JupyterLab, run again by nbval -------------------------------------------------------------------------

MODEL = """
%load_ext jupyter_agents
%config JupyterAgents.recording = "recordings/live.jsonl"
import os
if os.environ.get("JUPYTER_AGENTS_REPLAY") != "all":
    from jupyter_agents.session import current_session
    from jupyter_agents.testing import ScriptedModel
    replies = ["Look:\\n\\n```python\\nanswer = 6 * 7\\nprint('it is', answer)\\nanswer\\n```", "It is **42**.\\n\\nTERMINATE"]
    current_session().settings.model = ScriptedModel(replies, delay=0.1)
"""


def test_live_notebook_that_was_saved_is_found_again_by_nbval(open_notebook):
    notebook = open_notebook(MODEL, "%%agentchat\nWhat is 6 times 7?", "answer")
    replay_is(notebook, "record")
    notebook.run_cell(0)
    notebook.run_cell(1, wait=False)
    card = asked(notebook, "Run this Python code?")
    run = card.get_by_role("button", name="Run", exact=True)
    expect(run).not_to_have_attribute("aria-disabled", "true", timeout=SLOW)
    run.click()
    notebook.wait_idle()
    notebook.restart_kernel()
    notebook.wait_idle()
    replay_is(notebook, "all")
    for cell in range(3):  # what is recorded says so; what nbval is to find is the replay
        notebook.run_cell(cell)
    saved = notebook.save()
    assert [one.output_type for one in saved.cells[2].outputs] == ["execute_result"]
    assert "widget-view" not in str(saved.cells[1].outputs)

    passed = nbval(notebook)
    saved.cells[1].outputs[-1].data["text/plain"] += "!"
    nbformat.write(saved, notebook.path)
    changed = nbval(notebook)

    assert passed.returncode == 0, passed.stdout[-3000:]
    assert "3 passed" in passed.stdout
    assert changed.returncode == 1


def replay_is(notebook, how: str) -> None:
    value(notebook, f"__import__('os').environ.__setitem__('JUPYTER_AGENTS_REPLAY', {how!r})")


def nbval(notebook) -> subprocess.CompletedProcess[str]:
    """Run it as CI does: from its recording, without a page, a model and a person."""
    environment = os.environ | {"JUPYTER_AGENTS_REPLAY": "all", "JUPYTER_AGENTS_TRUST_RECORDINGS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    folder = notebook.path.parent
    return subprocess.run(
        [*command, f"--rootdir={folder}", notebook.path.name],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
