"""Spans of chats: what they are called, where they hang, and what they do not say."""

import asyncio
import json
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from jupyter_agents import AssistantAgent, Cache, OpenAIWrapper, initiate_chats, start_tracing, stop_tracing
from jupyter_agents.errors import ConfigurationError, ModelError
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.testing import FakeOpenAIServer
from jupyter_agents.tracing import CONTENT_VARIABLE, use_tracing
from tests.fakes import assistant, user
from tests.model_calls import KEY

pytestmark = pytest.mark.timeout(30)
CALLING = {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "double", "arguments": '{"n": 4}'}}]}


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider
    stop_tracing()
    provider.shutdown()


def talk(*replies, **options):
    return user(function_map={"double": lambda n: n * 2}).initiate_chat(
        assistant(*replies), **{"message": "Hi", "max_turns": len(replies), "silent": True, **options}
    )


def tree(exporter):
    """The names of all spans, each below its parent, in the order in which they began."""
    spans = sorted(exporter.get_finished_spans(), key=lambda one: one.start_time)
    ids = {one.context.span_id for one in spans}

    def below(parent):
        return [
            (one.name, below(one.context.span_id))
            for one in spans
            if (one.parent.span_id if one.parent and one.parent.span_id in ids else None) == parent
        ]

    return below(None)


def named(exporter, name):
    return next(one for one in exporter.get_finished_spans() if one.name == name)


def test_spans_hang_as_things_happened_when_a_chat_is_traced(provider, exporter):
    start_tracing(provider)

    talk(CALLING, "done")

    assert tree(exporter) == [
        (
            "invoke_workflow user → assistant",
            [
                ("invoke_agent assistant", [("chat", [])]),
                ("invoke_agent user", [("execute_tool double", [])]),
                ("invoke_agent assistant", [("chat", [])]),
            ],
        )
    ]


def test_spans_are_the_same_when_a_chat_is_awaited(provider, exporter):
    start_tracing(provider)
    talk("one", "two")
    in_sync = tree(exporter)
    exporter.clear()

    asyncio.run(user().a_initiate_chat(assistant("one", "two"), message="Hi", max_turns=2, silent=True))

    assert tree(exporter) == in_sync


def test_chat_is_below_the_current_span_when_there_is_one(provider, exporter):
    start_tracing(provider)

    with provider.get_tracer("mine").start_as_current_span("mine"):
        talk("one")

    assert [name for name, _ in tree(exporter)] == ["mine"]
    assert [name for name, _ in tree(exporter)[0][1]] == ["invoke_workflow user → assistant"]


def test_call_says_what_the_conventions_ask_when_a_server_answers(provider, exporter):
    start_tracing(provider)
    with FakeOpenAIServer() as server:
        port = int(server.base_url.split(":")[2].split("/")[0])
        server.enqueue(ModelReply("Hello.", usage=Usage(7, 3), model="fake-model"))
        config = {"model": "m", "base_url": server.base_url, "api_key": KEY, "temperature": 0.5, "max_tokens": 9}
        user().initiate_chat(AssistantAgent("ada", llm_config=config), message="Hi", max_turns=1, silent=True)

    span = named(exporter, "chat m")

    chat = named(exporter, "invoke_workflow user → ada")
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "127.0.0.1",
        "server.address": "127.0.0.1",
        "server.port": port,
        "gen_ai.conversation.id": f"{chat.context.span_id:016x}",
        "gen_ai.agent.name": "ada",
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.response.model": "fake-model",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
    }


def test_call_says_so_when_a_cache_has_answered(provider, exporter, tmp_path):
    with FakeOpenAIServer() as server, Cache(tmp_path / "c.sqlite") as cache:
        server.enqueue("Hello.")
        wrapper = OpenAIWrapper(model="m", base_url=server.base_url, api_key=KEY, cache=cache)
        with use_tracing(provider):
            for _ in range(2):
                wrapper.create(prompt="Hi")

    spans = exporter.get_finished_spans()
    assert [(one.name, one.attributes.get("jupyter_agents.cached")) for one in spans] == [
        ("chat m", None),
        ("chat m", True),
    ]


@pytest.mark.parametrize("content", [False, True])
def test_spans_hold_what_was_said_only_when_that_is_asked_for(provider, exporter, content):
    start_tracing(provider, content=content)

    talk(CALLING, "The answer is 8.")

    held = [
        value
        for span in exporter.get_finished_spans()
        for key, value in span.attributes.items()
        if any(word in key for word in ("messages", "arguments", "result"))
    ]
    assert bool(held) == content
    assert any("The answer is 8." in one for one in held) == content
    assert ('{"n": 4}' in held) == content
    assert ("8" in held) == content


@pytest.mark.parametrize("content", [False, True])
def test_no_secret_is_in_a_span_when_somebody_says_one(provider, exporter, monkeypatch, content):
    monkeypatch.setenv("DB_PASSWORD", "correct-horse")
    start_tracing(provider, content=content)

    with pytest.raises(ModelError):
        talk("It is correct-horse.", ModelError("Cannot reply: correct-horse."), message="It is correct-horse.")

    everything = "".join(one.to_json() for one in exporter.get_finished_spans())
    assert "correct-horse" not in everything
    assert ("[redacted]" in everything) == content


def test_variable_asks_for_content_when_nothing_else_is_said(provider, exporter, monkeypatch):
    monkeypatch.setenv(CONTENT_VARIABLE, "true")
    start_tracing(provider)

    talk("one")

    [said] = json.loads(named(exporter, "chat").attributes["gen_ai.output.messages"])
    assert said == {"role": "assistant", "parts": [{"type": "text", "content": "one"}], "finish_reason": "stop"}


def test_spans_are_marked_when_a_model_fails(provider, exporter):
    start_tracing(provider)

    with pytest.raises(ModelError):
        talk(ModelError("Cannot reply: nothing works."))

    call, chat = named(exporter, "chat"), named(exporter, "invoke_workflow user → assistant")
    assert (call.status.status_code, call.attributes["error.type"]) == (StatusCode.ERROR, "ModelError")
    assert (chat.status.status_code, chat.attributes["jupyter_agents.ended_by"]) == (StatusCode.ERROR, "error")
    assert call.status.description is None
    assert named(exporter, "invoke_agent assistant")


def test_spans_end_when_a_model_has_a_defect(provider, exporter):
    start_tracing(provider)

    with pytest.raises(ZeroDivisionError):
        talk(lambda request: 1 / 0)

    assert tree(exporter) == [("invoke_workflow user → assistant", [("invoke_agent assistant", [("chat", [])])])]


def test_span_is_marked_when_a_tool_fails(provider, exporter):
    start_tracing(provider)

    user(function_map={"double": lambda n: 1 / 0}).initiate_chat(
        assistant(CALLING, "sorry"), message="Hi", max_turns=2, silent=True
    )

    span = named(exporter, "execute_tool double")
    assert (span.status.status_code, span.attributes["error.type"]) == (StatusCode.ERROR, "tool_error")
    assert (span.attributes["gen_ai.tool.call.id"], span.attributes["gen_ai.tool.type"]) == ("c1", "function")


def test_nested_chat_is_below_the_tool_when_a_tool_holds_it(provider, exporter):
    start_tracing(provider)

    def double(n):
        talk("inner")
        return n * 2

    user(function_map={"double": double}).initiate_chat(
        assistant(CALLING, "done"), message="Hi", max_turns=2, silent=True
    )

    [(_, turns)] = tree(exporter)
    [(tool, inner)] = turns[1][1]
    assert tool == "execute_tool double"
    assert [name for name, _ in inner] == ["invoke_workflow user#2 → assistant#2"]


def test_chats_are_below_their_series_when_there_are_several(provider, exporter):
    start_tracing(provider)
    entries = [
        {
            "sender": user(f"of {name}"),
            "recipient": assistant("ok", name=name),
            "message": "Hi",
            "max_turns": 1,
            "silent": True,
        }
        for name in ("a", "b")
    ]

    initiate_chats(entries)

    [(series, chats)] = tree(exporter)
    assert series == "invoke_workflow 2 chats"
    assert [name for name, _ in chats] == ["invoke_workflow of a → a", "invoke_workflow of b → b"]


def test_nothing_is_traced_when_tracing_has_stopped(provider, exporter):
    start_tracing(provider)
    stop_tracing()

    talk("one")

    assert exporter.get_finished_spans() == ()


def test_spans_are_made_once_when_tracing_is_started_twice(provider, exporter):
    start_tracing(provider)
    start_tracing(provider)

    OpenAIWrapper(model=ScriptedModel(["one"])).create(prompt="Hi")

    assert len(exporter.get_finished_spans()) == 1


def test_nothing_is_imported_when_tracing_is_off():
    code = (
        "import sys\n"
        "from jupyter_agents import AssistantAgent, UserProxyAgent\n"
        "from jupyter_agents.models import ScriptedModel\n"
        "user = UserProxyAgent('u', human_input_mode='NEVER', code_execution_config=False)\n"
        "other = AssistantAgent('a', llm_config=ScriptedModel(['one']))\n"
        "user.initiate_chat(other, message='Hi', max_turns=1, silent=True)\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_error_says_what_to_install_when_there_is_no_opentelemetry(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with pytest.raises(ConfigurationError, match=r"jupyter-agents\[otel\]"):
        start_tracing()
