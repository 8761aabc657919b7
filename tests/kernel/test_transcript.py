"""The transcript in a real kernel: what goes to the page, and in which messages."""

SETUP = """
from jupyter_agents.display.notebook import NotebookListener
from jupyter_agents.events import ChatEnded, ChatStarted, Entry, MessageSent
from jupyter_agents.messages import Message, Usage

def chat(count):
    listener = NotebookListener()
    said = [MessageSent(0, "user", "assistant", Message(f"m{n}"), usage=Usage(1, 2)) for n in range(count)]
    for n, event in enumerate([ChatStarted(0, "user", "assistant"), *said, ChatEnded(0, "termination message")]):
        listener(Entry(n, event))
"""


def test_message_is_one_output_with_its_metadata(kernel):
    kernel.execute(SETUP)

    [content] = kernel.execute("chat(1)").of("display_data")

    assert list(content["data"]) == [
        "application/vnd.jupyter-agents.message+json",
        "text/html",
        "text/markdown",
        "text/plain",
    ]
    assert content["metadata"] == {"jupyter_agents": {"usage": {"prompt_tokens": 1, "completion_tokens": 2}}}


def test_long_chat_publishes_the_shared_output_once_when_nobody_follows(kernel):
    kernel.execute(SETUP)

    cell = kernel.execute("chat(100)")

    assert cell.kinds == ["display_data"]
    assert len(cell.data) == 41
    assert cell.data[-1]["text/plain"].endswith("m99")


def test_long_chat_updates_the_shared_output_in_place_when_somebody_follows(kernel):
    kernel.execute(SETUP)
    client = kernel.client

    client.execute("chat(100)", allow_stdin=True)
    client.get_shell_msg(timeout=30)
    messages = []
    while not messages or messages[-1]["content"].get("execution_state") != "idle":
        messages.append(client.get_iopub_msg(timeout=30))

    shown = [message for message in messages if message["msg_type"] == "display_data"]
    updates = [message["content"] for message in messages if message["msg_type"] == "update_display_data"]
    assert len(shown) == 41
    assert updates[-1]["transient"] == shown[-1]["content"]["transient"]
    assert updates[-1]["data"]["text/plain"].endswith("m99")
