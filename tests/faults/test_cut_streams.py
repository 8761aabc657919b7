"""A stream that is cut at any byte before its finish reason has come: nothing of it runs, and nothing is lost."""

import json

import pytest

from jupyter_agents.errors import ReplyInterruptedError
from jupyter_agents.events import CodeFinished, CodeStarted, Delta, ModelFailed, ToolFinished, ToolStarted
from jupyter_agents.session import use_session
from jupyter_agents.testing import ServerReply
from tests.fakes import FakeExecutor, quiet_session, user

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("first_or_later")]

CODE = "Héllo:\n```python\nprint(1)\n```\n"
ARGUMENTS = '{"n": 1}'


def event(value):
    return b"data: " + json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def chunk(finish_reason=None, **delta):
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})


def piece(kind, **fields):
    return event({"type": f"response.{kind}", "output_index": 0, **fields})


def call_piece(arguments, **about):
    return {"tool_calls": [{"index": 0, **about, "function": {"name": "count", "arguments": arguments}}]}


CALL = {"type": "function_call", "id": "i1", "call_id": "c1", "name": "count"}
STREAMS = {
    "chat_code": ("chat", [chunk(content=CODE[:9]), chunk(content=CODE[9:]), chunk("stop")]),
    "chat_tools": (
        "chat",
        [chunk(content="Now"), chunk(**call_piece(ARGUMENTS[:4], id="c1")), chunk(**call_piece(ARGUMENTS[4:]))]
        + [chunk("tool_calls")],
    ),
    "responses_code": (
        "responses",
        [
            piece("output_text.delta", delta=CODE[:9]),
            piece("output_text.delta", delta=CODE[9:]),
            event({"type": "response.completed", "response": {"output": []}}),
        ],
    ),
    "responses_tools": (
        "responses",
        [
            piece("output_item.added", item=CALL),
            piece("function_call_arguments.delta", delta=ARGUMENTS),
            piece("output_item.done", item=CALL | {"arguments": ARGUMENTS}),
            event({"type": "response.completed", "response": {"output": [CALL | {"arguments": ARGUMENTS}]}}),
        ],
    ),
}


@pytest.fixture(params=STREAMS.values(), ids=STREAMS)
def stream(request):
    api, pieces = request.param
    return api, b"".join(pieces)


@pytest.fixture(autouse=True)
def session():
    with use_session(quiet_session()) as session:
        yield session


class Told(list):
    """The text that was shown while it came."""

    def __call__(self, notice):
        if isinstance(notice, Delta):
            self.append(notice.text)


def chat(server, api):
    """A chat with someone who runs every block and makes every call; what ran, and how the chat is begun."""
    from jupyter_agents import AssistantAgent

    executor, counted = FakeExecutor(), []
    agent = AssistantAgent("assistant", llm_config=server.config | {"api": api, "max_retries": 0})
    me = user(code_execution_config={"executor": executor})
    agent.tool(lambda n: counted.append(n), name="count", description="Count.")
    return lambda: me.initiate_chat(agent, message="go", max_turns=2), lambda: (executor.codes, counted)


def test_nothing_runs_and_nothing_is_lost_when_a_stream_is_cut_at_any_byte(server, stream):
    api, data = stream
    begin, ran = chat(server, api)

    for end in range(len(data) - 2):  # complete with the first of the two line ends: the second is the event's end
        server.enqueue(ServerReply.raw(data[:end]))
        with pytest.raises(ReplyInterruptedError) as caught:
            begin()
        assert_kept(caught.value, data[:end])

    assert ran() == ([], [])


def assert_kept(error, sent):
    log = error.result.log
    [failed] = log.select(ModelFailed)
    shown = shown_of(sent)
    assert log.select(CodeStarted) == log.select(ToolStarted) == log.select(CodeFinished) == []
    assert log.select(ToolFinished) == []
    assert failed.partial == (error.partial.content or "") == shown
    assert [one["content"] for one in error.result.chat_history] == ["go"]


def shown_of(sent):
    """The text in the events that are complete."""
    events = [json.loads(part.removeprefix(b"data: ")) for part in sent.split(b"\n\n")[:-1]]
    return "".join(_text(one) for one in events)


def _text(one):
    if "choices" in one:
        return one["choices"][0]["delta"].get("content", "")
    return one["delta"] if one["type"] == "response.output_text.delta" else ""


def test_it_runs_when_the_same_stream_is_whole(server, stream):
    api, data = stream
    begin, ran = chat(server, api)
    server.enqueue(ServerReply.raw(data), "TERMINATE")

    begin()

    assert sum(map(len, ran())) == 1
