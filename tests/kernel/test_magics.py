"""`%%agentchat` in a real kernel: code runs there, outputs are on the page, and a person can always stop it."""

import os
import signal
import threading
import time

import pytest

SETUP = """
%load_ext jupyter_agents
from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.session import current_session
from jupyter_agents.testing import FakeOpenAIServer, ScriptedModel, ServerReply

def say(*replies):
    current_session().settings.model = ScriptedModel(replies)

def block(code):
    return f"I will run this.\\n\\n```python\\n{code}\\n```"

DONE = "Done.\\n\\nTERMINATE"
"""
CHAT = "%%agentchat --approve auto\nPlease do it."


@pytest.fixture(scope="module", autouse=True)
def _loaded(kernel):
    assert kernel.execute(SETUP).reply["status"] == "ok"


def interrupt_soon(kernel, seconds=0.5):
    """Interrupt the kernel in a moment; a list that then holds when."""
    at = []

    def interrupt():
        at.append(time.monotonic())
        os.kill(kernel.pid, signal.SIGINT)

    threading.Timer(seconds, interrupt).start()
    return at


def plain(cell):
    return [data["text/plain"] for data in cell.data]


def test_code_of_an_agent_leaves_its_variables_in_the_kernel(kernel):
    kernel.execute("say(block('answer = 6 * 7\\nanswer'), DONE)")

    cell = kernel.execute(CHAT)

    assert cell.reply["status"] == "ok"
    assert kernel.execute("", "answer", "str(_chat.ended_by)").value("answer") == 42
    assert plain(cell)[-1].startswith("assistant (to user):")


def test_outputs_stand_between_the_messages_in_order(kernel):
    kernel.execute(r"say(block('print(\"printed\")\nfrom IPython.display import HTML\nHTML(\"<b>rich</b>\")'), DONE)")

    cell = kernel.execute(CHAT)

    assert cell.kinds == ["display_data", "stream", "execute_result", "display_data"]
    assert cell.stream() == "printed\n"
    assert "exit code 0" in cell.data[-2]["text/html"] or "exitcode: 0" in plain(cell)[-2]


def test_failing_code_is_no_error_of_the_cell(kernel):
    kernel.execute("say(block('1 / 0'), DONE)")

    cell = kernel.execute(CHAT, "_chat.messages[2]['content']")

    assert cell.of("error") == []
    assert cell.reply["status"] == "ok"
    assert "ZeroDivisionError: division by zero" in cell.value("_chat.messages[2]['content']")


def test_code_may_await_when_the_cell_is_awaited(kernel):
    kernel.execute(r"say(block('import asyncio\nawait asyncio.sleep(0)\n\"slept\"'), DONE)")

    cell = kernel.execute(CHAT, "_chat.messages[2]['content']")

    assert "slept" in cell.value("_chat.messages[2]['content']")


def test_kernel_survives_when_agent_code_ends_it(kernel):
    kernel.execute("say(block('exit()'), DONE)")

    kernel.execute(CHAT)

    assert kernel.execute("", "1 + 1").value("1 + 1") == 2


def test_cell_fails_in_one_line_when_an_option_is_wrong(kernel):
    cell = kernel.execute("%%agentchat --maxturns 1\nx")

    (error,) = cell.of("error")
    assert len(error["traceback"]) == 1
    assert "Did you mean --max-turns?" in error["traceback"][0]
    assert cell.reply["status"] == "error"


@pytest.mark.parametrize(
    "code", ["while True: pass", "import time\ntime.sleep(60)", "import asyncio\nawait asyncio.sleep(60)"]
)
def test_chat_ends_within_a_second_when_code_is_interrupted(kernel, code):
    kernel.execute(f"say(block({code!r}), DONE)")
    at = interrupt_soon(kernel)

    cell = kernel.execute(CHAT)

    assert time.monotonic() - at[0] < 1
    assert cell.reply["ename"] == "ChatInterrupted"
    assert kernel.execute("", "str(_chat.ended_by)", "len(_chat)").value("str(_chat.ended_by)") == "interrupt"


def test_chat_ends_within_a_second_when_a_model_is_awaited(kernel):
    kernel.execute("say()\ncurrent_session().settings.model = ScriptedModel(['word ' * 1000], delay=0.5)")
    at = interrupt_soon(kernel)

    cell = kernel.execute("%%agentchat\nHello")

    assert time.monotonic() - at[0] < 1
    assert cell.reply["ename"] == "ChatInterrupted"
    assert kernel.execute("", "len(_chat)").value("len(_chat)") == 1


def test_chat_ends_within_a_second_when_a_server_does_not_answer(kernel):
    kernel.execute(
        "from jupyter_agents.models.openai import OpenAIModel\n"
        "server = FakeOpenAIServer().__enter__()\nserver.enqueue(ServerReply.nothing('stall'))\n"
        "current_session().settings.model = OpenAIModel('m', base_url=server.base_url)\n"
        "import openai"
    )
    at = interrupt_soon(kernel, 1.5)

    cell = kernel.execute("%%agentchat\nHello")

    assert time.monotonic() - at[0] < 1
    assert cell.reply["ename"] == "ChatInterrupted"


def test_synchronous_chat_ends_within_a_second_when_it_is_interrupted(kernel):
    kernel.execute("say(block('while True: pass'), DONE)")
    at = interrupt_soon(kernel)

    cell = kernel.execute(
        "UserProxyAgent('u', human_input_mode='NEVER').initiate_chat(AssistantAgent('a'), message='Hello')"
    )

    assert time.monotonic() - at[0] < 1
    assert cell.reply["ename"] == "ChatInterrupted"


TOOL = """
from jupyter_agents.models.base import ModelReply
from jupyter_agents.messages import ToolCall
me = UserProxyAgent("me", human_input_mode="NEVER", function_map={{"work": {function}}})
say(ModelReply(None, "tool_calls", tool_calls=(ToolCall("work", "{{}}", "1"),)), DONE)
"""


@pytest.mark.parametrize("function", ["lambda: time.sleep(60)", "talk"], ids=["sleeping", "nested chat"])
def test_chat_ends_within_a_second_when_a_tool_is_interrupted(kernel, function):
    kernel.execute(
        "import time\nfrom jupyter_agents.models.openai import OpenAIModel\nimport openai\n"
        "deaf = FakeOpenAIServer().__enter__()\ndeaf.enqueue(ServerReply.nothing('stall'))\n"
        "def talk():\n"
        "    model = OpenAIModel('m', base_url=deaf.base_url)\n"
        "    asker = UserProxyAgent('asker', human_input_mode='NEVER')\n"
        "    asker.initiate_chat(AssistantAgent('nested', llm_config=model), message='Hello')"
    )
    assert kernel.execute(TOOL.format(function=function)).reply["status"] == "ok"
    at = interrupt_soon(kernel, 1)

    cell = kernel.execute("%%agentchat --from me --to assistant\nWork.")

    assert time.monotonic() - at[0] < 1
    assert cell.reply["ename"] == "ChatInterrupted"
    kernel.execute("del me")


def test_queued_cell_runs_after_the_chat(kernel):
    kernel.execute("say(block('order = [1]'), DONE)")
    client = kernel.client

    client.execute(CHAT)
    client.execute("order.append(2)")

    assert kernel.execute("", "order").value("order") == [1, 2]


def test_cell_returns_at_once_when_the_chat_is_in_the_background(kernel):
    kernel.execute("current_session().settings.model = ScriptedModel(['Hello there.\\nTERMINATE'], delay=0.2)")

    cell = kernel.execute("%%agentchat --background --approve auto\nHello")
    done = kernel.execute(
        "task = _chat\nresult = await task\nlen(result), _chat is result", "(len(result), _chat is result)"
    )

    assert cell.seconds < 0.5
    assert done.value("(len(result), _chat is result)") == (2, True)


def test_handle_of_a_cell_stays_when_its_chat_is_edited(kernel):
    kernel.execute(
        "held = []\n"
        "def first(request):\n    held.append(_chat)\n    _chat.edit(block('print(7)'))\n    return '1. TERMINATE'\n"
        "def second(request):\n    held.append(_chat)\n    return '2. TERMINATE'\n"
        "say(first, second)"
    )

    begun = kernel.execute("%%agentchat --background --approve auto\nHello")
    cell = kernel.execute(
        "import asyncio\nwhile not held:\n    await asyncio.sleep(0.01)\nr = await held[0]",
        "held[0] is held[1] and type(held[0]).__name__",
        "_chat is r",
        "[m['content'].splitlines()[-1] for m in r.messages]",
    )

    assert begun.of("error") == cell.of("error") == []
    assert cell.value("held[0] is held[1] and type(held[0]).__name__") == "Chat"
    assert cell.value("_chat is r") is True
    assert cell.value("[m['content'].splitlines()[-1] for m in r.messages]") == ["```", "7", "2. TERMINATE"]


def test_cell_fails_when_a_chat_in_the_background_may_ask(kernel):
    kernel.execute("say('Hello.')")

    cell = kernel.execute("%%agentchat --background\nHello")

    (error,) = cell.of("error")
    assert "Use --approve auto or deny" in error["traceback"][0]
    assert len(error["traceback"]) == 1


def test_later_error_is_shown_in_its_own_cell_when_in_the_background(kernel):
    kernel.execute("from jupyter_agents.errors import ModelUnavailableError")
    kernel.execute("say(ModelUnavailableError('Cannot reach it.'))")
    outputs = []
    begun = kernel.client.execute("%%agentchat --background --approve auto\nHello")
    waiting = kernel.client.execute(
        "import asyncio\nawait asyncio.wait([_chat]) if isinstance(_chat, asyncio.Task) else 0"
    )

    while not (outputs and outputs[-1]["parent_header"]["msg_id"] == waiting and is_idle(outputs[-1])):
        outputs.append(kernel.client.get_iopub_msg(timeout=60))

    (error,) = [one for one in outputs if one["content"].get("name") == "stderr"]
    assert error["parent_header"]["msg_id"] == begun
    assert error["content"]["text"] == (
        "The chat in the background has failed. ModelUnavailableError: Cannot reach it.\n"
    )


def is_idle(message):
    return message["content"].get("execution_state") == "idle"


def test_kernel_survives_when_a_block_in_the_background_is_interrupted(kernel):
    kernel.execute("say(block('print(\"spinning\", flush=True)\\nwhile True: pass'), DONE)")
    kernel.client.execute("%%agentchat --background --approve auto\nHello")
    while "spinning" not in kernel.client.get_iopub_msg(timeout=60)["content"].get("text", ""):
        pass

    interrupt_soon(kernel)

    cell = kernel.execute("", "str(_chat.ended_by)")
    assert cell.value("str(_chat.ended_by)") == "interrupt"
    assert cell.seconds < 3


def test_person_approves_code_at_the_prompt(kernel):
    kernel.execute("say(block('approved = True'), DONE)")
    client = kernel.client

    message_id = client.execute("%%agentchat\nDo it.", allow_stdin=True)
    prompt = client.get_stdin_msg(timeout=30)["content"]["prompt"]
    client.input("r")
    while client.get_shell_msg(timeout=30)["parent_header"].get("msg_id") != message_id:
        pass

    assert "run" in prompt.lower()
    assert kernel.execute("", "approved").value("approved") is True


def test_chat_ends_resumably_when_nobody_can_approve(kernel):
    kernel.execute("say(block('ran = True'), DONE)")

    cell = kernel.execute("%%agentchat\nDo it.", "str(_chat.ended_by)")

    assert cell.value("str(_chat.ended_by)") == "nobody to ask"
    assert cell.reply["user_expressions"]["str(_chat.ended_by)"]["status"] == "ok"


def test_nothing_heavy_is_imported_by_loading(kernel):
    code = (
        "import subprocess, sys\n"
        "found = subprocess.run([sys.executable, '-c', 'import sys; from IPython.core.interactiveshell import "
        'InteractiveShell as S; s = S.instance(); s.run_line_magic("load_ext", "jupyter_agents"); '
        'print([m for m in ("openai", "nbformat", "jupyter_client", "pydantic", "ipywidgets", "anywidget") '
        "if m in sys.modules])'], capture_output=True, text=True).stdout.strip()"
    )

    assert kernel.execute(code, "found").value("found") == "[]"


TASKS = {
    "background chat": "%%agentchat --background --approve auto\nDo it.",
    "gathered chats": (
        "import asyncio\n"
        "pairs = [(UserProxyAgent(f'u{n}', human_input_mode='NEVER'), AssistantAgent(f'a{n}')) for n in (1, 2)]\n"
        "await asyncio.gather(*(u.a_initiate_chat(a, message='Do it.') for u, a in pairs))"
    ),
    "awaited chat": "await UserProxyAgent('u', human_input_mode='NEVER').a_initiate_chat(AssistantAgent('a'), message='x')",
}


@pytest.mark.parametrize("cell", TASKS.values(), ids=TASKS)
def test_kernel_and_its_variables_survive_when_a_block_of_a_task_is_interrupted(kernel, cell):
    busy = "import time\nend = time.time() + 2\nwhile time.time() < end: pass"
    kernel.execute(f"precious = 42\nsay(block({busy!r}), block({busy!r}), DONE, DONE)")
    interrupt_soon(kernel, 1)

    ran = kernel.execute(cell)
    kernel.execute("import asyncio\nawait asyncio.sleep(3)")

    assert kernel.execute("", "precious").value("precious") == 42
    for error in ran.of("error"):
        assert len(error["traceback"]) == 1, error["traceback"]
