"""The code examples of the classic documentation, as printed but for two things: the import line names this package, and
the first example starts the chat with `user_proxy`, where the original writes a name that it never defines.
"""

import json

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from jupyter_agents import EndedBy
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply
from jupyter_agents.session import use_session
from jupyter_agents.surroundings import make_session
from jupyter_agents.testing import FakeOpenAIServer
from tests.fakes import texts

SOLVE_A_TASK_WITH_CODE = '''
from jupyter_agents import AssistantAgent, UserProxyAgent

# create an AssistantAgent instance named "assistant"
assistant = AssistantAgent(name="assistant")

# create a UserProxyAgent instance named "user_proxy"
user_proxy = UserProxyAgent(
    name="user_proxy",
    human_input_mode="NEVER",  # in this mode, the agent will never solicit human input but always auto reply
)

# the assistant receives a message from the user, which contains the task description
user_proxy.initiate_chat(
    assistant,
    message="""What date is today? Which big tech stock has the largest year-to-date gain this year? How much is the gain?""",
)
'''

CALL_FUNCTIONS = """
from jupyter_agents import AssistantAgent, UserProxyAgent

# put the descriptions of functions in config to be passed to OpenAI's API
llm_config = {
    "model": "gpt-4-0613",
    "functions": [
        {
            "name": "python",
            "description": "run cell in ipython and return the execution result.",
            "parameters": {
                "type": "object",
                "properties": {
                    "cell": {
                        "type": "string",
                        "description": "Valid Python cell to execute.",
                    }
                },
                "required": ["cell"],
            },
        },
        {
            "name": "sh",
            "description": "run a shell script and return the execution result.",
            "parameters": {
                "type": "object",
                "properties": {
                    "script": {
                        "type": "string",
                        "description": "Valid shell script to execute.",
                    }
                },
                "required": ["script"],
            },
        },
    ],
}

# create an AssistantAgent instance named "assistant"
chatbot = AssistantAgent("assistant", **llm_config)

# create a UserProxyAgent instance named "user_proxy"
user_proxy = UserProxyAgent(
    "user_proxy",
    human_input_mode="NEVER",
)

# define functions according to the function desription
from IPython import get_ipython

def exec_python(cell):
    ipython = get_ipython()
    result = ipython.run_cell(cell)
    log = str(result.result)
    if result.error_before_exec is not None:
        log += f"\\n{result.error_before_exec}"
    if result.error_in_exec is not None:
        log += f"\\n{result.error_in_exec}"
    return log

def exec_sh(script):
    return user_proxy.execute_code_blocks([("sh", script)])

# register the functions
user_proxy.register_function(
    function_map={
        "python": exec_python,
        "sh": exec_sh,
    }
)

# start the conversation
user_proxy.initiate_chat(
    chatbot,
    message="Draw two agents chatting with each other with an example dialog.",
)
"""

FIRST_TRY = """\
First I look at the data.

```python
prices = {"META": (120.0, 298.0), "TSLA": (123.0, 245.0)}
gains = {name: end / begin - 1 for name, (start, end) in prices.items()}
```
"""
SECOND_TRY = """\
`begin` is not defined; I mend that.

```python
gains = {name: end / start - 1 for name, (start, end) in prices.items()}
max(gains, key=gains.get), round(max(gains.values()), 3)
```

```sh
echo 2023-08-30
```
"""
ANSWER = "On 2023-08-30, META has the largest gain: 148.3 %.\n\nTERMINATE"


@pytest.fixture
def shell():
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance(config=config)
    InteractiveShell.clear_instance()


@pytest.fixture
def server(monkeypatch):
    with FakeOpenAIServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "fake-key")
        yield server


def run_cell(shell, code):
    """Run a cell of a notebook; the value of its last expression.

    It is read from `_`, for IPython forgets a cell's value when code in the cell runs another one.
    """
    with use_session(make_session()):
        shell.run_cell(code).raise_error()
    return shell.user_ns["_"]


def calling(name, **arguments):
    return ModelReply(finish_reason="function_call", function_call=ToolCall(name, json.dumps(arguments)))


def test_task_is_solved_with_code_that_fails_once_when_the_first_example_is_run(shell, server):
    server.enqueue(FIRST_TRY, SECOND_TRY, ANSWER)

    result = run_cell(shell, SOLVE_A_TASK_WITH_CODE)

    task, _, failed, _, succeeded, answer = texts(result.messages)
    assert task.startswith("What date is today?")
    assert failed.startswith("exitcode: 1 (execution failed)\nCode output: \n")
    assert "NameError: name 'begin' is not defined" in failed
    assert succeeded == "exitcode: 0 (execution succeeded)\nCode output: \n('META', 1.483)\n2023-08-30\n"
    assert (answer, result.ended_by) == (ANSWER, EndedBy.TERMINATION)


def test_variables_of_the_agents_are_there_afterwards_when_the_first_example_is_run(shell, server):
    server.enqueue(FIRST_TRY, SECOND_TRY, ANSWER)

    run_cell(shell, SOLVE_A_TASK_WITH_CODE)

    assert shell.run_cell("round(gains['TSLA'], 3)").result == 0.992
    assert shell.user_ns["user_proxy"].last_message()["content"] == ANSWER


def test_whole_talk_is_sent_with_each_request_when_the_first_example_is_run(shell, server):
    server.enqueue(FIRST_TRY, SECOND_TRY, ANSWER)

    run_cell(shell, SOLVE_A_TASK_WITH_CODE)

    roles = [[message["role"] for message in request.body["messages"]] for request in server.requests]
    assert roles == [["system", "user"] + ["assistant", "user"] * turn for turn in range(3)]


def test_transcript_is_printed_when_the_first_example_is_run_in_a_terminal(shell, server, capsys):
    server.enqueue(FIRST_TRY, SECOND_TRY, ANSWER)

    run_cell(shell, SOLVE_A_TASK_WITH_CODE)

    printed = capsys.readouterr().out
    assert "user_proxy (to assistant):\n\nWhat date is today?" in printed
    assert "assistant (to user_proxy):\n\nFirst I look at the data." in printed
    assert "exitcode: 0 (execution succeeded)" in printed


def test_functions_run_in_the_shell_when_the_second_example_is_run(shell, server):
    server.enqueue(
        calling("python", cell="dialog = ['A: Hello!', 'B: Hi!']\nlen(dialog)"),
        calling("sh", script="echo drawn; exit 3"),
        calling("python", cell="1 / 0"),
        "Drawn.\n\nTERMINATE",
    )

    result = run_cell(shell, CALL_FUNCTIONS)

    answers = [(one["name"], one["content"]) for one in result.messages if one["role"] == "function"]
    assert [name for name, _ in answers] == ["python", "sh", "python"]
    assert [content for _, content in answers] == ["2", str((3, "\ndrawn\n")), "None\ndivision by zero"]
    assert (result.ended_by, len(result)) == (EndedBy.TERMINATION, 8)
    assert shell.user_ns["dialog"] == ["A: Hello!", "B: Hi!"]


def test_model_and_functions_of_the_config_are_sent_when_the_second_example_is_run(shell, server):
    server.enqueue(calling("python", cell="1"), "TERMINATE")

    run_cell(shell, CALL_FUNCTIONS)

    first, second = (request.body for request in server.requests)
    assert first["model"] == "gpt-4-0613"
    assert [one["name"] for one in first["functions"]] == ["python", "sh"]
    assert second["messages"][-2]["function_call"] == {"name": "python", "arguments": '{"cell": "1"}'}
    assert second["messages"][-1] == {"role": "function", "name": "python", "content": "1"}


def test_model_is_told_and_mends_it_when_it_writes_bad_arguments_in_the_second_example(shell, server):
    broken = ModelReply(finish_reason="function_call", function_call=ToolCall("python", '{"cell": "6 * 7"'))
    server.enqueue(broken, calling("python", cell="6 * 7"), "TERMINATE")

    result = run_cell(shell, CALL_FUNCTIONS)

    contents = texts(result.messages)
    assert "The argument must be in JSON format." in contents[2]
    assert contents[4] == "42"
