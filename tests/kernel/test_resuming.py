"""The kernel is interrupted while a block or a tool runs: the chat goes on without doing it a second time."""

import pytest

PREPARE = """
%load_ext jupyter_agents
import asyncio, sys, time
from jupyter_agents import AssistantAgent, UserProxyAgent, load_chat
from jupyter_agents.testing import ScriptedModel
orders = []

def block(code):
    return f"```python\\norders.append('sent')\\nprint('busy', flush=True)\\n{code}\\n```\\n```python\\nprint('never')\\n```"

async def order():
    orders.append("sent")
    print("busy", flush=True)
    await asyncio.sleep(60)

def chat(said):
    orders.clear()
    me = UserProxyAgent("user", human_input_mode="NEVER", function_map={"order": order})
    return me, AssistantAgent("coder", llm_config=ScriptedModel([said, "I see.\\nTERMINATE"]))

call = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "order", "arguments": "{}"}}]}
"""
BEGIN = {False: "me.initiate_chat(coder, message='Go')", True: "await me.a_initiate_chat(coder, message='Go')"}
GO_ON = {False: "more = result.resume()", True: "more = await result.a_resume()"}


@pytest.fixture(scope="module")
def prepared(kernel):
    assert kernel.execute(PREPARE).reply["status"] == "ok"
    return kernel


@pytest.mark.parametrize("awaits", [False, True], ids=["plain", "awaited"])
@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("block('time.sleep(60)')", "exitcode: 130 (execution failed)"),
        ("block('while True: pass')", "exitcode: 130 (execution failed)"),
        ("call", "Error: the call was interrupted"),
    ],
    ids=["sleep", "loop", "tool"],
)
def test_block_that_was_interrupted_runs_once(prepared, awaits, said, outcome):
    prepared.execute(f"me, coder = chat({said})")
    cell = prepared.execute(BEGIN[awaits], when=prepared.interrupt_when("busy"))

    wanted = "[orders, [one['content'] for one in more.messages], str(more.ended_by)]"
    cell_after = prepared.execute(f"result = sys.last_value.result\n{GO_ON[awaits]}", wanted)

    assert cell.reply["status"] == "error"
    orders, texts, ended_by = cell_after.value(wanted)
    assert orders == ["sent"]
    assert texts[0].startswith(outcome)
    assert "the user" in texts[0] or awaits
    assert (texts[1], ended_by) == ("I see.\nTERMINATE", "termination message")


def test_block_that_awaits_is_not_run_again_from_a_file(prepared, tmp_path):
    prepared.execute("me, coder = chat(block('await asyncio.sleep(60)'))")
    prepared.execute(BEGIN[True], when=prepared.interrupt_when("busy"))

    cell = prepared.execute(
        f"path = sys.last_value.result.save({str(tmp_path / 'chat.jsonl')!r})\n"
        "given = {'user': {'functions': {'order': order}}, 'coder': {'llm_config': ScriptedModel(['I see. TERMINATE'])}}\n"
        "more = await load_chat(path, given=given).a_resume()",
        wanted := "[orders, more.messages[0]['content']]",
    )

    orders, text = cell.value(wanted)
    assert orders == ["sent"]
    assert "busy\nThe block was interrupted" in text
    assert text.endswith("1 more after it was not run.")
