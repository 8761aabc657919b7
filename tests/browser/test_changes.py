"""What code has changed, on the page: the line below its result, and Undo, while a turn is live and afterwards."""

import pytest

from tests.browser import chats

PATIENCE = 20_000  # milliseconds
TWO_BLOCKS = ("total = 2\nrows.append(1)", "other = 3")


def changes(notebook):
    return notebook.page.locator(".jp-agents-Changes")


def see(notebook):
    """Scroll to the first line, which the kernel is asked about when it is in sight."""
    changes(notebook).first.wait_for(timeout=PATIENCE)
    changes(notebook).first.scroll_into_view_if_needed()


def undo(notebook, at=0):
    changes(notebook).nth(at).get_by_role("button", name="Undo").click()


def said(notebook, at=0):
    status = changes(notebook).nth(at).get_by_role("status")
    notebook.page.wait_for_function("node => node.textContent.startsWith('Undone')", arg=status.element_handle())
    return status.inner_text()


def approve(notebook):
    card = notebook.page.locator(".jp-agents-Prompt.jp-agents-mod-approval:not(.jp-agents-mod-closed)")
    card.get_by_role("button", name="Run", exact=True).and_(notebook.page.locator(":not([aria-disabled])")).click()


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_variable_is_back_when_the_block_that_was_approved_is_undone(open_notebook, app):
    chat = chats.chat(chats.code(TWO_BLOCKS[0]), "Done. TERMINATE", policy="ask")
    notebook = open_notebook(chats.PREPARE, "total, rows = 1, []", app=app)
    notebook.run_cell(0)
    notebook.run_cell(1)

    notebook.add_and_run(chat, wait=False)
    approve(notebook)
    notebook.wait_idle()
    see(notebook)
    line = changes(notebook).locator(".jp-agents-Changes-names").inner_text()
    notebook.screenshot(f"changes-{app}")
    faults = notebook.axe(".jp-agents-Changes")
    undo(notebook)
    told = said(notebook)

    notebook.screenshot(f"changes-undone-{app}")
    assert faults == notebook.axe(".jp-agents-Changes") == []
    assert line == "set total (int) · changed rows (list, 0 items → 1 item)"
    assert told == "Undone: total as before. Left as it is: rows (it was changed in place)."
    assert chats.value(notebook, "(total, rows)") == (1, [1])
    assert chats.value(notebook, "In[-1]").startswith("user, bot"), "undoing left a trace in the history"


def test_block_is_undone_in_a_chat_box_while_the_chat_waits_for_leave(open_notebook):
    box = f"box = AgentChat(agent('coder', {', '.join(repr(chats.code(one)) for one in TWO_BLOCKS)}, 'Done.'))\nbox"
    notebook = open_notebook(chats.PREPARE, "total, rows = 1, []")
    notebook.run_cell(0)
    notebook.run_cell(1)
    cell = notebook.cell(notebook.add_and_run(box))
    composer = cell.get_by_label("Message", exact=True)
    composer.fill("Go.", timeout=PATIENCE)
    composer.press("Enter")

    folded = cell.locator(".jp-agents-mod-shownBelow").get_by_text("shown below")
    folded.wait_for(timeout=PATIENCE)
    notebook.screenshot("approval-shown-below")
    approve(notebook)
    see(notebook)
    notebook.page.locator(".jp-agents-Prompt .jp-agents-Exact").get_by_text("other").wait_for(timeout=PATIENCE)
    undo(notebook)
    told = said(notebook)
    notebook.screenshot("changes-live")
    approve(notebook)
    cell.get_by_text("Done.", exact=True).wait_for(timeout=PATIENCE)

    assert told == "Undone: total as before. Left as it is: rows (it was changed in place)."
    assert chats.value(notebook, "(total, rows, other)") == (1, [1], 3)
    assert folded.count() == 0


def test_nothing_can_be_undone_when_the_kernel_was_restarted(open_notebook):
    notebook = open_notebook(chats.PREPARE, chats.chat(chats.code("total = 2"), "Done. TERMINATE", policy="auto"))
    notebook.run_cell(0)
    notebook.run_cell(1)
    see(notebook)
    button = changes(notebook).get_by_role("button", name="Undo")
    button.wait_for(timeout=PATIENCE)

    notebook.restart_kernel()
    notebook.wait_idle()

    assert button.is_disabled()
    assert "does not know this block any more" in changes(notebook).get_by_role("status").inner_text()

    notebook.save()
    notebook.reload()
    notebook.wait_idle()
    see(notebook)

    assert changes(notebook).inner_text().strip() == "set total (int)"
    assert not button.is_visible()


TOOL = """
call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
bot = agent("assistant", {"content": None, "tool_calls": [call]}, "Done. TERMINATE")
user = person(function_map={"add": lambda a, b: a + b}, tool_policy="ask")
result = await user.a_initiate_chat(bot, message="Hello")
"""


def test_call_is_made_with_the_arguments_that_were_edited_on_the_page(open_notebook):
    notebook = open_notebook(chats.PREPARE)
    notebook.run_cell(0)
    notebook.add_and_run(TOOL, wait=False)
    card = notebook.page.locator(".jp-agents-Prompt.jp-agents-mod-approval")
    card.get_by_role("button", name="Edit and call").click(timeout=PATIENCE)
    notebook.page.locator(".jp-agents-mod-shownBelow").wait_for(timeout=PATIENCE)
    field = card.get_by_label("Arguments, to edit")
    ready = card.get_by_role("button", name="Call with edited").and_(notebook.page.locator(":not([aria-disabled])"))

    field.fill('{"a": 5, "b"')
    ready.click()
    card.get_by_text("These are no arguments yet").wait_for(timeout=PATIENCE)
    notebook.screenshot("call-edited")
    field.fill('{"a": 5, "b": 5}')
    ready.click()
    notebook.wait_idle()

    notebook.screenshot("call-made")
    assert chats.said(notebook)[2] == "10"
