"""Interrupting a block in a real kernel: at any moment, with nothing left over for the cells of the user."""

import json
import time

import pytest

SAID = "The block was interrupted by the user.\n"
CLICK = (
    "import threading, time\n"
    "from jupyter_agents.executors.stopping import interrupt_block, is_block_under_way\n"
    "def click(seconds, ends_chat=False):\n"
    "    def later():\n"
    "        while not is_block_under_way(): time.sleep(0.001)\n"
    "        time.sleep(seconds)\n"
    "        interrupt_block(ends_chat=ends_chat)\n"
    "    thread = threading.Thread(target=later); thread.start()\n"
    "    return thread\n"
)
BUSY = "import time\nfor _ in range(8):\n    time.sleep(0.0003)\n    sum(range(2_000))"
RACES = """
import asyncio, json, random
chance = random.Random(7)

def mine():
    for _ in range(300): pass
    time.sleep(0.0005)

async def race({code!r}, number):
    found = []
    for _ in range(number):
        def later(seconds=chance.uniform(0, {longest})):
            time.sleep(seconds)
            interrupt_block(ends_chat={ends_chat})
        thread = threading.Thread(target=later)
        try:
            thread.start()
            result = json.loads({call})
            mine()
            thread.join()
            mine()
            found.append(result if isinstance(result, str) else result['exit_code'])
        except BaseException as error:
            thread.join()
            found.append(type(error).__name__)
    return found
"""


@pytest.fixture(scope="module")
def clicked(kernel):
    kernel.execute(CLICK)
    return kernel


@pytest.mark.parametrize(
    ("code", "language", "awaited"),
    [
        ("print('begun')\nwhile True: pass", "python", False),
        ("print('begun')\nwhile True: pass", "python", True),
        ("import time\nprint('begun')\ntime.sleep(30)", "python", True),
        ("import asyncio\nprint('begun')\nawait asyncio.sleep(30)", "python", True),
        ("print('begun')\n!sleep 30", "python", True),
        ("echo begun; sleep 30", "bash", True),
        ("echo begun; sleep 30", "bash", False),
    ],
)
def test_chat_goes_on_when_only_code_is_interrupted(clicked, code, language, awaited):
    clicked.execute("clicking = click(0.4)")
    started = time.monotonic()

    ran = clicked.run(code, language, awaited=awaited)

    assert time.monotonic() - started < 3
    assert ran.result["exit_code"] == 130
    assert ran.text.replace("^C\n", "") == f"begun\n{SAID}"  # which the terminal of a command echoes
    assert ran.reply["status"] == "ok"
    assert clicked.execute("print(6 * 7)").stream() == "42\n"


def test_chat_ends_when_the_click_says_so(clicked):
    clicked.execute("clicking = click(0.4, ends_chat=True)")

    ran = clicked.run("import time\ntime.sleep(30)", awaited=True)

    assert ran.result == "interrupted"
    assert ran.reply["status"] == "ok"


@pytest.mark.parametrize(
    ("code", "call", "longest"),
    [
        (BUSY, "executor_harness.run(code)", "0.006"),
        (BUSY, "await executor_harness.a_run(code)", "0.006"),
        ("for i in range(400_000): pass", "executor_harness.run(code)", "0.02"),
        (
            "import asyncio\nfor i in range(3):\n    await asyncio.sleep(0.001)",
            "await executor_harness.a_run(code)",
            "0.006",
        ),
        ("sleep 0.002", "executor_harness.run(code, 'bash')", "0.006"),
    ],
)
def test_interrupt_hits_the_block_or_nothing_when_it_comes_at_any_moment(clicked, code, call, longest):
    outcomes = race(clicked, code, call, longest, ends_chat=False)

    assert outcomes == ["0", "130"]
    assert clicked.execute("import time; time.sleep(0.3); print('mine')").stream() == "mine\n"


@pytest.mark.parametrize("call", ["executor_harness.run(code)", "await executor_harness.a_run(code)"])
def test_interrupt_ends_the_chat_or_nothing_when_it_comes_at_any_moment(clicked, call):
    outcomes = race(clicked, BUSY, call, "0.006", ends_chat=True)

    assert outcomes == ["0", "interrupted"]
    assert clicked.execute("import time; time.sleep(0.3); print('mine')").stream() == "mine\n"


LIMITED = "await asyncio.to_thread(executor_harness.run, 'print(1)\\nwhile True: pass', timeout=0.3)"
IN_BACKGROUND = """
from jupyter_agents import AssistantAgent, Chat, UserProxyAgent
from jupyter_agents.testing import ScriptedModel
user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config={"policy": "auto", "timeout": 0.3})
bot = AssistantAgent("bot", llm_config=ScriptedModel(["```python\\nprint(1)\\nwhile True: pass\\n```", "TERMINATE"]))
"""


def test_time_of_a_block_ends_in_a_thread_beside_the_cell(kernel):
    cell = kernel.execute(f"found = {LIMITED}", "found")

    found = json.loads(cell.value("found"))
    assert found["exit_code"] == 124
    assert found["text"].endswith("The block timed out after 0.3 s.\n")
    assert cell.seconds < 5
    assert kernel.execute("print(6 * 7)").stream() == "42\n"


def test_time_of_a_block_ends_when_its_chat_is_in_the_background(kernel):
    kernel.execute(IN_BACKGROUND + "chat = Chat(user, bot, message='Go', silent=True).start()")

    cell = kernel.execute("r = await chat", "r.messages[2]['content']")

    assert cell.value("r.messages[2]['content']").endswith("The block timed out after 0.3 s.\n")
    assert cell.seconds < 5


def race(kernel, code, call, longest, *, ends_chat):
    """The outcomes of blocks that are interrupted at random moments, before they begin and after they end too."""
    program = RACES.replace("{code!r}", "code").replace("{call}", call).replace("{longest}", longest)
    kernel.execute(program.replace("{ends_chat}", str(ends_chat)))
    cell = kernel.execute(f"found = await race({code!r}, 250)", "sorted(set(map(str, found)))")
    assert cell.reply["status"] == "ok"
    found: list[str] = cell.value("sorted(set(map(str, found)))")
    return found


def test_output_goes_to_the_sink_and_the_cell_stays_empty(kernel):
    kernel.execute(
        "from jupyter_agents.executors.sink import use_sink\n"
        "class Sink:\n"
        "    def __init__(self): self.found = []\n"
        "    def write(self, name, text): self.found.append((name, text))\n"
        "    def show(self, data, metadata, *, display_id, update): self.found.append(sorted(data))\n"
    )
    code = "import os\nprint('said')\nos.system('echo by a child')\ndisplay(1)\n{'a': 2}"

    cell = kernel.execute(
        f"sink = Sink()\nwith use_sink(sink): result = await executor_harness.a_run({code!r})", "sink.found", "result"
    )

    assert cell.kinds == []
    streams = "".join(one[1] for one in cell.value("sink.found") if one[0] == "stdout")
    assert sorted(streams.split("\n")) == ["", "by a child", "said"]
    assert [one for one in cell.value("sink.found") if isinstance(one, list)] == [["text/plain"]] * 2
