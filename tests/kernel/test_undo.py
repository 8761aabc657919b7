"""Undoing what a block has changed, in a real kernel: from a cell, from a page, and by a request that leaves no trace."""

import pytest

from tests.kernel.page import Page

PREPARE = """
%load_ext jupyter_agents
import jupyter_agents
from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.testing import ScriptedModel

def pair(*codes, policy="auto"):
    replies = [f"```python\\n{code}\\n```" for code in codes]
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config={"policy": policy})
    return user, AssistantAgent("assistant", llm_config=ScriptedModel([*replies, "TERMINATE"]))

total, rows = 1, []
"""
CHAT = "user, bot = pair({code!r})\nr = user.initiate_chat(bot, message='Hello')"
UNDONE = "application/vnd.jupyter-agents.undone+json"
MESSAGE = "application/vnd.jupyter-agents.message+json"


@pytest.fixture
def cells(kernel):
    kernel.execute(PREPARE)
    yield kernel
    kernel.execute("from jupyter_agents.executors.undo import forget\nforget()")


def block_of(cell):
    """The id of the only block whose changes are shown, from the metadata of the output."""
    [found] = [
        one["metadata"]["jupyter_agents"] for one in cell.of("display_data") if "changes" in one["data"][MESSAGE]
    ]
    [block] = found["blocks"]
    return block


def ask(kernel, expression):
    """What the page asks of the kernel: no code, only an expression."""
    kernel.client.execute("", silent=True, store_history=False, user_expressions={"found": expression})
    while True:
        reply = kernel.client.get_shell_msg(timeout=60)["content"]
        if "found" in reply.get("user_expressions", {}):
            return reply["user_expressions"]["found"]["data"]


def test_last_block_is_undone_from_a_cell_and_it_says_what_it_did(cells):
    cells.execute(CHAT.format(code="total = 2\nrows.append(1)"))

    cell = cells.execute("jupyter_agents.undo()", "(total, rows)")

    [shown] = cell.data
    assert shown["text/plain"] == "As before the block: total.\nLeft as it is: rows (it was changed in place)."
    assert shown[UNDONE]["restored"] == ["total"]
    assert cell.value("(total, rows)") == (1, [1])


def test_blocks_are_undone_one_after_the_other_and_then_there_is_none(cells):
    cells.execute(CHAT.format(code="total = 2"))
    cells.execute(CHAT.format(code="total = 3"))

    cell = cells.execute("found = [jupyter_agents.undo() for _ in range(3)]", "[str(one) for one in found]", "total")

    first, second, third = cell.value("[str(one) for one in found]")
    assert first == second == "As before the block: total."
    assert third == "There is no block whose changes are kept."
    assert cell.value("total") == 1


def test_request_of_the_page_undoes_a_block_and_leaves_no_trace(cells):
    block = block_of(cells.execute(CHAT.format(code="total = 2")))
    before = cells.execute("", "get_ipython().execution_count", "len(In)")

    known = ask(cells, "getattr(__import__('sys').modules.get('jupyter_agents.executors.undo'), 'undoable', tuple)()")
    undone = ask(cells, f"__import__('jupyter_agents').undo('{block}')")
    after = cells.execute("", "get_ipython().execution_count", "len(In)", "total")

    assert f"'{block}'" in known["text/plain"]
    assert undone[UNDONE] == {"restored": ["total"], "left": {}, "reason": ""}
    assert after.value("total") == 1
    assert [after.value(one) for one in ("get_ipython().execution_count", "len(In)")] == [
        before.value(one) for one in ("get_ipython().execution_count", "len(In)")
    ]


def test_button_on_the_page_undoes_a_block_while_the_cell_blocks_the_kernel(cells):
    page = Page(cells)
    undone, asked = [], []

    def answer(question):
        asked.append(question)
        if len(asked) == 2:
            [block] = [block for op in blocks(page) for block in op]
            page.send({"t": "undo", "view": "v", "block": block})
        else:
            page.answer(question, "run")

    def look(message):
        page.look(message)
        found = [one for one in page.heard if one["t"] == "undone"]
        if found and not undone:
            undone.extend(found)
            page.answer(asked[1], "reject")

    page.when_asked = answer
    chat = "user, bot = pair('total = 2', 'other = 3', policy='ask')\nr = user.initiate_chat(bot, message='Hello')"

    cell = cells.execute(chat, "total", when=look, allow_stdin=True)
    page.close()

    assert undone[0]["undone"] == {"restored": ["total"], "left": {}, "reason": ""}
    assert cell.value("total") == 1


def blocks(page):
    """The blocks of all messages that the page has got."""
    items = [op["item"] for one in page.heard if one["t"] == "patch" for op in one["ops"] if op["op"] == "item"]
    return [item["bundle"]["metadata"].get("jupyter_agents", {}).get("blocks", []) for item in items]


def test_ids_of_another_kernel_undo_nothing(cells):
    block = block_of(cells.execute(CHAT.format(code="total = 2")))
    digest, kernel, number = block.split("-")

    found = ask(cells, f"__import__('jupyter_agents').undo('{digest}-{'0' * len(kernel)}-{number}')")

    assert found[UNDONE]["restored"] == []
    assert cells.execute("", "total").value("total") == 2
