"""A whole chat with a real model: its code runs in a real kernel, and what came of it goes back to the model.

A grammar makes the model write a code block; which numbers are in it is the model's own affair.
"""

import ast
import re
import textwrap
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).parent.parent.parent
CHAT = """
    from jupyter_agents import AssistantAgent, UserProxyAgent
    from jupyter_agents.models.openai import OpenAIModel

    model = OpenAIModel({model!r}, base_url={base_url!r}, api_key="none", timeout=60, temperature=0.7, seed=7,
                        max_tokens={max_tokens}, extra_body={{"grammar": {grammar!r}}})
    assistant = AssistantAgent("assistant", system_message="You write code.", llm_config=model)
    user = UserProxyAgent("user", human_input_mode="NEVER", max_consecutive_auto_reply=3)
    result = {call}(assistant, message="Add two numbers.", silent=True)
"""
GRAMMAR = r"""
root ::= "Here it is:\n\n```python\ntotal = " [1-9] " + " [1-9] "\nprint('the total is', total)\n```\n"
"""


class Kernel:
    """A kernel, spoken to as a front end does that cannot ask anybody anything."""

    def __init__(self) -> None:
        self.manager, self.client = start_new_kernel(kernel_name="python3", cwd=str(ROOT))

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code: str) -> None:
        reply = self.client.execute_interactive(
            textwrap.dedent(code), timeout=100, allow_stdin=False, output_hook=lambda message: None
        )
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"].get("traceback", ()))

    def value(self, expression: str):
        reply = self.client.execute_interactive(
            "", user_expressions={"value": expression}, timeout=20, allow_stdin=False
        )
        return ast.literal_eval(reply["content"]["user_expressions"]["value"]["data"]["text/plain"])


@pytest.fixture
def kernel():
    one = Kernel()
    yield one
    one.close()


@pytest.fixture
def chat(kernel, local_server):
    """Hold the chat in the kernel; the replies of the model, and what running their code gave."""

    def chat(call: str = "user.initiate_chat", max_tokens: int = 100) -> tuple[list[str], list[str]]:
        kernel.run(
            CHAT.format(
                model=local_server.model,
                base_url=local_server.base_url,
                max_tokens=max_tokens,
                grammar=GRAMMAR,
                call=call,
            )
        )
        messages = kernel.value("[message['content'] for message in result.messages]")
        return messages[1::2], messages[2::2]

    return chat


FACES = pytest.mark.parametrize("call", ["user.initiate_chat", "await user.a_initiate_chat"])


@FACES
def test_code_of_every_reply_runs_in_the_kernel(chat, kernel, call):
    replies, results = chat(call)

    numbers = [re.search(r"total = (\d) \+ (\d)", reply).groups() for reply in replies]
    totals = [int(one) + int(other) for one, other in numbers][: len(results)]
    assert len(replies) == 4
    assert len(results) == 3  # the limit of auto-replies
    assert [result.split("\n")[0] for result in results] == ["exitcode: 0 (execution succeeded)"] * 3
    assert [int(result.split()[-1]) for result in results] == totals
    assert kernel.value("total") == totals[-1]  # it is there for the next cell
    assert kernel.value("str(result.ended_by)") == "auto-reply limit"


def test_usage_is_what_the_server_counted(chat, kernel):
    chat()

    assert kernel.value("result.model_calls") == 4
    assert kernel.value("result.usage.estimated") is False
    assert kernel.value("result.usage.prompt_tokens") > 100
    assert 4 * 20 < kernel.value("result.usage.completion_tokens") <= 4 * 100


@FACES
def test_nothing_runs_when_the_reply_is_cut_off(chat, kernel, call):
    replies, _ = chat(call, max_tokens=18)

    assert "total = " in replies[0]
    assert kernel.value("result.messages[1]['finish_reason']") == "length"
    assert kernel.value("'total' in globals()") is False
    assert kernel.value("[entry.event.kind for entry in result.log if entry.event.kind.startswith('code')]") == []
