"""The product as a person meets it: in a real JupyterLab, in a real browser."""

from pathlib import Path

from playwright.sync_api import expect

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "00_quickstart.ipynb"
SCRIPT = """
%load_ext jupyter_agents
from jupyter_agents.session import current_session
from jupyter_agents.testing import ScriptedModel
current_session().settings.model = ScriptedModel([
    "I will compute it.\\n\\n```python\\nanswer = 6 * 7\\nanswer\\n```",
    "It is **42**.\\n\\nTERMINATE",
])
"""


def test_quickstart_runs_from_top_to_bottom(open_notebook):
    notebook = open_notebook(file=QUICKSTART)

    notebook.run_all()

    page = notebook.page
    expect(page.get_by_text("Yes, the rise is getting faster.", exact=True).first).to_be_visible()
    expect(page.get_by_text("a swing of 6.1 ppm").first).to_be_attached(timeout=60_000)
    answer = page.get_by_text("Yes, the rise is getting faster.", exact=True).first
    answer.scroll_into_view_if_needed()
    expect(answer).to_be_in_viewport()
    notebook.screenshot("quickstart")
    images = page.locator(".jp-OutputArea img")
    expect(images.first).to_be_attached()
    saved = notebook.save()
    assert [output for cell in saved.cells for output in cell.get("outputs", ()) if output.output_type == "error"] == []
    assert not any(
        "application/vnd.jupyter.widget-view+json" in output.get("data", {})
        for cell in saved.cells
        for output in cell.get("outputs", ())
    )


def test_person_approves_code_with_the_keyboard(open_notebook):
    notebook = open_notebook(SCRIPT, "%%agentchat\nWhat is 6 times 7?", "answer")
    page = notebook.page
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    prompt = page.get_by_role("group", name="Run this Python code?")
    expect(prompt).to_be_visible(timeout=30_000)
    notebook.screenshot("approval")
    run = prompt.get_by_role("button", name="Run", exact=True)
    expect(run).not_to_have_attribute("aria-disabled", "true")  # a moment after the question, lest a stray key run it
    run.focus()
    page.keyboard.press("Enter")

    expect(page.get_by_text("It is 42.").first).to_be_visible(timeout=30_000)
    expect(page.locator(".jp-OutputArea-executeResult", has_text="42").last).to_be_visible()
    notebook.screenshot("approved")


def test_mistake_is_shown_in_one_line(open_notebook):
    notebook = open_notebook("%load_ext jupyter_agents", "%%agentchat --modle gpt\nHello")

    notebook.run_all()

    error = notebook.page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']")
    expect(error).to_contain_text("Did you mean --model?", timeout=30_000)
    assert error.inner_text().strip().count("\n") == 0
    notebook.screenshot("mistake")
