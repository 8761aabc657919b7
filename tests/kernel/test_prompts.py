"""Prompts at the keyboard in a real kernel, answered as a front end answers them."""

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

import pytest

SETUP = """
import asyncio
from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.drive import a_drive, drive
from jupyter_agents.human.base import Prompt
from jupyter_agents.human.stdin import StdinHuman, can_ask

human = StdinHuman()
text = Prompt("What now? ", agent="user")
approval = Prompt("Run this code?", "approval", "user", block=CodeBlock("python", "x = 1\\nx\\n"))
"""
BLOCKING, AWAITED = "drive(human.ask({prompt}))", "await a_drive(human.ask({prompt}))"


@dataclass
class Asked:
    """A cell that asked: the prompts, the reply, and how long it took from the last answer to the reply."""

    prompts: list[str]
    reply: dict[str, Any]
    seconds: float

    @property
    def error(self) -> str:
        return f"{self.reply.get('ename')}: {self.reply.get('evalue')}"

    @property
    def answer(self) -> str:
        found = self.reply["user_expressions"]["answer"]
        return found["data"]["text/plain"] if found["status"] == "ok" else found["evalue"]


@pytest.fixture(scope="module")
def ask(kernel):
    """Executes a cell that asks, and answers its prompts with `answers`; a callable is called instead."""
    assert kernel.execute(SETUP).reply["status"] == "ok"
    client = kernel.client

    def run(code, *answers):
        message_id = client.execute(
            f"answer = {code}", user_expressions={"answer": "answer"}, allow_stdin=True, stop_on_error=False
        )
        prompts, answered = [], time.monotonic()
        for answer in answers:
            prompts.append(client.get_stdin_msg(timeout=30)["content"]["prompt"])
            answered = time.monotonic()
            if callable(answer):
                answer()
            else:
                client.input(answer)
        reply = client.get_shell_msg(timeout=30)
        assert reply["parent_header"]["msg_id"] == message_id
        while client.get_iopub_msg(timeout=30)["content"].get("execution_state") != "idle":
            pass
        return Asked(prompts, reply["content"], time.monotonic() - answered)

    return run


@pytest.mark.parametrize("way", [BLOCKING, AWAITED])
def test_words_come_back_when_the_front_end_answers(ask, way):
    asked = ask(way.format(prompt="text"), "go on")

    assert asked.prompts == ["Replying as user. What now? "]
    assert asked.answer == "Answer(text='go on', action='reply', replayed=False, always=False)"


@pytest.mark.parametrize("way", [BLOCKING, AWAITED])
def test_code_is_shown_and_approved_when_the_front_end_answers(ask, way):
    asked = ask(way.format(prompt="approval"), "run")

    assert asked.prompts[0].startswith("Replying as user. Run this code? (python, 2 lines)\n  | x = 1\n  | x\n")
    assert asked.answer == "Answer(text='', action='run', replayed=False, always=False)"


def test_code_is_edited_line_by_line_when_the_person_wants_to(ask):
    asked = ask(BLOCKING.format(prompt="approval"), "e", "x = 2", "x", ".")

    assert asked.answer == "Answer(text='x = 2\\nx\\n', action='edit', replayed=False, always=False)"


@pytest.mark.parametrize("way", [BLOCKING, AWAITED])
@pytest.mark.parametrize("prompt", ["text", "approval"])
def test_error_comes_at_once_when_the_client_takes_no_prompts(kernel, ask, way, prompt):
    cell = kernel.execute(way.format(prompt=prompt))

    assert cell.reply["ename"] == "NoHumanError"
    assert "Use human_input_mode='NEVER' or pass human=ScriptedHuman([...])" in cell.reply["evalue"]
    assert cell.seconds < 5


def test_front_end_is_known_before_anything_is_asked(kernel, ask):
    assert kernel.execute("", "can_ask()").value("can_ask()") is False
    assert ask("can_ask() and human.can_ask() and drive(human.ask(text)).text", "yes").answer == "'yes'"


@pytest.mark.parametrize("way", [BLOCKING, AWAITED])
def test_interrupt_ends_the_cell_within_a_second_when_it_comes_at_the_prompt(kernel, ask, way):
    asked = ask(way.format(prompt="text"), lambda: os.kill(kernel.pid, signal.SIGINT))

    assert asked.error.startswith(("KeyboardInterrupt", "ChatCancelled"))
    assert asked.seconds < 1
    assert ask(way.format(prompt="text"), "still here").answer.startswith("Answer(text='still here'")


def test_end_of_input_is_nobody_when_the_front_end_sends_it(ask):
    asked = ask(BLOCKING.format(prompt="text"), "\x04")

    assert "the input has ended" in asked.error


# -- The cell that asks has ended ------------------------------------------------------------------------------------

BEGIN = """
import threading
ended, found = threading.Event(), []

async def in_background():
    while not ended.is_set():
        await asyncio.sleep(0.01)
    found.append(("could ask", can_ask()))
    try:
        await a_drive(human.ask(text))
    except Exception as error:
        found.append(str(error))
    print("over", flush=True)

task = asyncio.get_running_loop().create_task(in_background())
answer = can_ask()
"""
REFUSED = "Cannot ask for human input: the cell that began this has ended"


@pytest.fixture
def begun(ask):
    """A task in the background that will ask as soon as `ended` is set; its cell allowed prompts and has ended."""
    assert ask(f"0\n{BEGIN}").answer == "True"


def test_prompt_of_a_background_task_is_refused_when_its_cell_has_ended(kernel, ask, begun):
    ask("threading.Timer(0.5, ended.set).start()")
    while "over" not in kernel.client.get_iopub_msg(timeout=30)["content"].get("text", ""):
        pass

    found = ask("found").answer
    assert "('could ask', False)" in found
    assert REFUSED in found


def test_prompt_of_a_background_task_is_refused_when_another_cell_runs(ask, begun):
    asked = ask("ended.set() or await asyncio.wait_for(task, 20) or (found, can_ask())")

    assert "('could ask', False)" in asked.answer
    assert REFUSED in asked.answer
    assert asked.answer.endswith("True)")


@pytest.mark.parametrize(
    "code",
    [
        "await asyncio.create_task(a_can_ask())",
        "await asyncio.wait_for(asyncio.shield(a_can_ask()), 20)",
        "drive(in_tool())",
        "await asyncio.to_thread(can_ask)",
    ],
)
def test_cell_may_ask_when_a_task_or_a_thread_of_it_does(kernel, ask, code):
    kernel.execute(
        "from jupyter_agents.effects import CallTool\n"
        "async def a_can_ask(): return can_ask()\n"
        "async def in_tool(): return await CallTool(a_can_ask)"
    )

    assert ask(code).answer == "True"
