"""The OpenAI model against a real loopback server, in both worlds alike. Its faults are in `faults/test_provider.py`."""

import asyncio
import gc
import json
import subprocess
import sys
import threading
import time
from types import MappingProxyType

import pytest

from jupyter_agents.drive import ChatCancelled, Run, a_drive, drive
from jupyter_agents.errors import (
    ConfigurationError,
    ModelNotConfiguredError,
)
from jupyter_agents.events import Delta
from jupyter_agents.messages import ToolCall, Usage
from jupyter_agents.models import network, reading, transport
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.models.openai import OpenAIModel
from jupyter_agents.testing import ServerReply
from tests.model_calls import HELLO, KEY, async_face, model_of, sync_face

pytestmark = pytest.mark.usefixtures("first_or_later")

FINISHED = b'data: {"choices": [{"delta": {"content": "all"}, "finish_reason": "stop"}]}\n\n'
BEGUN = b'data: {"choices": [{"delta": {"content": "half a "}}]}\n\n'


# -- What is sent and what comes back ---------------------------------------------------------------------------


def test_reply_is_text_and_usage_when_it_streams(server, ask):
    server.enqueue(ServerReply(text="Hello you.", usage={"prompt_tokens": 5, "completion_tokens": 2}))
    notices = []

    reply = ask(model_of(server), notices=notices)

    assert reply == ModelReply("Hello you.", "stop", usage=Usage(5, 2), model="fake-model")
    assert "".join(notice.text for notice in notices if isinstance(notice, Delta)) == "Hello you."


def test_reply_is_the_same_when_it_does_not_stream(server, ask):
    server.enqueue(ServerReply(text="Hello you.", usage={"prompt_tokens": 5, "completion_tokens": 2}))

    reply = ask(model_of(server, stream=False))

    assert reply == ModelReply("Hello you.", "stop", usage=Usage(5, 2), model="fake-model")
    assert server.requests[0].body["stream"] is False
    assert "stream_options" not in server.requests[0].body


@pytest.mark.parametrize("stream", [True, False])
def test_reply_has_its_calls_when_the_model_calls_tools(server, ask, stream):
    calls = (ToolCall("add", '{"a": 1}', "c1"), ToolCall("add", '{"a": 2}', "c2"))
    server.enqueue(ServerReply(tool_calls=calls), ServerReply(function_call=ToolCall("old", '{"x": "é"}')))

    tools = ask(model_of(server, stream=stream))
    legacy = ask(model_of(server, stream=stream))

    assert (tools.tool_calls, tools.finish_reason) == (calls, "tool_calls")
    assert (legacy.function_call, legacy.finish_reason) == (ToolCall("old", '{"x": "é"}'), "function_call")


def test_body_is_defaults_and_options_when_both_are_given(server):
    server.enqueue("ok")
    options = {"temperature": 1, "stop": ["x"], "a_new_parameter": {"deep": [1]}}
    request = ModelRequest(({"role": "user", "content": "é 😀"},), options)

    sync_face(model_of(server, temperature=0, seed=7, extra_body={"top_k": 3}), request)

    assert server.requests[0].body == {
        "model": "m",
        "messages": [{"role": "user", "content": "é 😀"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 1,
        "seed": 7,
        "top_k": 3,
        "stop": ["x"],
        "a_new_parameter": {"deep": [1]},
    }
    assert request == ModelRequest(({"role": "user", "content": "é 😀"},), options)


def test_options_of_none_are_left_out_and_mappings_are_plain_when_sent(server):
    server.enqueue("ok")
    message = MappingProxyType({"role": "user", "content": ({"type": "text", "text": "Hi"},)})

    sync_face(model_of(server, stop=["x"]), ModelRequest((message,), {"stop": None, "functions": None}))

    sent = server.requests[0].body
    assert {"stop", "functions"}.isdisjoint(sent)
    assert sent["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]


def test_headers_and_query_are_sent_when_configured(server, ask):
    server.enqueue("ok")
    model = model_of(server, organization="org-1", extra_headers={"X-Mine": "1"}, extra_query={"q": "a b"})

    ask(model)

    sent = server.requests[0]
    assert sent.path == "/v1/chat/completions?q=a+b"
    assert sent.headers["x-mine"] == "1"
    assert sent.headers["openai-organization"] == "org-1"
    assert sent.headers["authorization"] == f"Bearer {KEY}"


def test_azure_deployment_is_addressed_when_the_type_is_azure(server, ask):
    server.enqueue("ok")
    address = server.base_url.removesuffix("/v1")
    model = OpenAIModel("my gpt", base_url=address, api_type="azure", api_version="2024-06-01", api_key=KEY)

    ask(model)

    sent = server.requests[0]
    assert sent.path == "/openai/deployments/my%20gpt/chat/completions?api-version=2024-06-01"
    assert sent.headers["api-key"] == KEY


def test_azure_token_is_sent_when_a_provider_gives_it(server):
    server.enqueue("ok")
    address = server.base_url.removesuffix("/v1")
    model = OpenAIModel(
        "m",
        azure_endpoint=address,
        azure_deployment="d",
        api_version="1",
        azure_ad_token_provider=lambda: "token",
    )

    sync_face(model)

    assert server.requests[0].path.startswith("/openai/deployments/d/")
    assert server.requests[0].headers["authorization"] == "Bearer token"


def test_no_key_is_needed_when_the_server_is_on_this_machine(server, ask):
    server.enqueue("ok")

    reply = ask(OpenAIModel("m", base_url=server.base_url))

    assert reply.content == "ok"


def test_proxies_are_passed_by_when_the_server_is_on_this_machine(server, ask, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    transport.forget_clients()
    server.enqueue("ok")

    reply = ask(model_of(server))

    assert reply.content == "ok"


def test_environment_says_where_and_which_when_the_config_does_not(server, monkeypatch):
    model = OpenAIModel()
    server.enqueue("ok")
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_MODEL", "of-the-environment")

    sync_face(model)

    assert server.requests[0].body["model"] == "of-the-environment"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_connection_is_used_again_when_calls_follow_each_other(server):
    server.respond_with(lambda request: "ok")

    for _ in range(3):
        sync_face(model_of(server))

    assert server.connections == 1


def test_connection_is_used_again_when_awaited_calls_follow_each_other(server):
    server.respond_with(lambda request: "ok")

    async def ask_thrice():
        for _ in range(3):
            await a_drive(model_of(server).complete(HELLO))

    asyncio.run(ask_thrice())

    assert server.connections == 1


def test_calls_overlap_when_awaited_together(server):
    server.respond_with(lambda request: ServerReply(text="ok", delay=0.1))

    async def ask_all():
        return await asyncio.gather(*(a_drive(model_of(server).complete(HELLO)) for _ in range(10)))

    started = time.monotonic()
    replies = asyncio.run(ask_all())

    assert [reply.content for reply in replies] == ["ok"] * 10
    assert time.monotonic() - started < 0.8


def test_loop_runs_on_when_a_reply_is_awaited(server):
    server.enqueue(ServerReply(text="a b c", pause=0.02))
    ticks = []

    async def ask_and_tick():
        async def tick():
            while True:
                ticks.append(1)
                await asyncio.sleep(0.005)

        ticking = asyncio.create_task(tick())
        await a_drive(model_of(server).complete(HELLO))
        ticking.cancel()

    asyncio.run(ask_and_tick())

    assert len(ticks) >= 5


def test_first_token_is_told_at_once_when_the_rest_takes_long(server, ask):
    told, in_time = threading.Event(), []

    def pieces():
        yield BEGUN
        in_time.append(told.wait(2))
        yield FINISHED

    class Told(list):
        def append(self, notice):
            told.set()

    server.enqueue(ServerReply(pieces=pieces(), pause=0.001))

    reply = ask(model_of(server), notices=Told())

    assert in_time == [True]
    assert reply.content == "half a all"


def test_usage_is_counted_again_without_when_the_server_refuses_the_option(server, ask):
    server.enqueue(ServerReply.error(400, "Unrecognized request argument supplied: stream_options"), "one", "two")
    model = model_of(server)

    first, second = ask(model), ask(model)

    assert (first.content, second.content) == ("one", "two")
    assert ["stream_options" in request.body for request in server.requests] == [True, False, False]


def test_usage_option_is_left_out_when_the_config_says_so(server):
    server.enqueue("ok")

    sync_face(model_of(server), ModelRequest(HELLO.messages, {"stream_options": None}))

    assert "stream_options" not in server.requests[0].body


def test_body_is_read_when_the_server_does_not_stream_though_asked(server, ask):
    body = {"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]}
    server.enqueue(ServerReply(body=json.dumps(body).encode(), headers={"content-type": "application/json"}))

    assert ask(model_of(server)).content == "whole"


# -- Interrupts, keys, mistakes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_response_is_closed_when_an_interrupt_comes_between_reads(server, interrupt):
    server.enqueue(ServerReply(text="a b c d", pause=0.02), "next")
    model = model_of(server)

    def interrupt_at_text(notice):
        raise interrupt

    with pytest.raises(interrupt):
        drive(model.complete(HELLO), Run(listeners=(interrupt_at_text,)))

    assert sync_face(model).content == "next"
    assert server.connections >= 1
    assert pool_is_idle(transport.http_client(local=True))


def pool_is_idle(client):
    return all(connection.is_idle() for connection in client._transport._pool.connections)


def test_cancelling_ends_the_call_at_once_when_it_waits(server):
    server.enqueue(ServerReply.raw(BEGUN, ending="stall"))

    async def ask_and_cancel():
        begun = asyncio.Event()
        run = Run(listeners=(lambda notice: begun.set(),))
        task = asyncio.create_task(a_drive(model_of(server).complete(HELLO), run))
        await begun.wait()
        task.cancel()
        started = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - started

    assert asyncio.run(ask_and_cancel()) < 1


def test_connection_is_given_up_when_a_listener_fails_in_an_awaited_call(server):
    server.respond_with(lambda request: ServerReply(text="a b c d", pause=0.02))

    def fail(notice):
        raise KeyboardInterrupt

    async def ask_and_fail():
        with pytest.raises(ChatCancelled):
            await a_drive(model_of(server).complete(HELLO), Run(listeners=(fail,)))
        await asyncio.gather(*reading._closing)
        client = await transport.a_http_client(local=True)
        return pool_is_idle(client)

    assert asyncio.run(ask_and_fail())


def test_missing_key_is_told_when_the_first_call_is_made(ask):
    model = OpenAIModel("m")

    with pytest.raises(ModelNotConfiguredError, match=r"no API key for api\.openai\.com\. Set OPENAI_API_KEY"):
        ask(model)
    with pytest.raises(ModelNotConfiguredError, match="--replay"):
        model.check_configured()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"base_url": "api.example.com/v1"}, "Cannot use base_url: it does not begin with http:// or https://"),
        ({"base_url": "http://[::1/v1"}, "Cannot use base_url: its host or its port is none"),
        ({"base_url": "http:///v1"}, "Cannot use base_url: it names no host"),
        ({"api_type": "anthropic"}, "Cannot use api_type 'anthropic'"),
        ({"timeout": 0}, "Cannot use timeout 0"),
        ({"max_retries": -1}, "Cannot use max_retries -1"),
        ({"idle_timeout": "long"}, "Cannot use idle_timeout of type str"),
        ({"api_key": 5}, "Cannot use the API key: it is a int"),
    ],
    ids=["no_scheme", "bad_ipv6", "no_host", "api_type", "timeout", "max_retries", "idle_timeout", "key"],
)
def test_mistake_is_a_clear_error_when_the_model_is_made(settings, said):
    with pytest.raises(ConfigurationError, match=said.replace("[", r"\[")):
        OpenAIModel("m", **settings)


@pytest.mark.parametrize("key", ["sk-“quoted”", "sk-a\nb"])
def test_key_is_refused_when_no_header_can_carry_it(server, ask, key):
    with pytest.raises(ConfigurationError, match="no HTTP header can carry") as caught:
        ask(model_of(server, api_key=key))

    assert key not in str(caught.value)


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}])
def test_request_is_refused_when_json_cannot_express_it(server, value):
    with pytest.raises(ConfigurationError, match="what JSON cannot express"):
        sync_face(model_of(server), ModelRequest(HELLO.messages, {"odd": value}))

    assert server.requests == []


# -- Clients ----------------------------------------------------------------------------------------------------


def test_client_is_made_anew_when_a_process_was_forked(server):
    server.respond_with(lambda request: "ok")
    sync_face(model_of(server))
    before = transport.http_client(local=True)

    transport.forget_clients()
    reply = sync_face(model_of(server))

    assert transport.http_client(local=True) is not before
    assert (reply.content, server.connections) == ("ok", 2)
    before.close()


def test_deadlines_reach_the_network_when_the_client_is_made():
    transport.forget_clients()

    client = transport.http_client(local=False)

    assert isinstance(client._transport._pool._network_backend, network.SyncBackend)
    assert not client.follow_redirects
    client.close()
    transport.forget_clients()


def test_clients_of_a_loop_are_forgotten_when_it_is_closed(server):
    server.respond_with(lambda request: "ok")

    for _ in range(3):
        async_face(model_of(server))
    gc.collect()

    assert sum(loop.is_closed() for loop in transport._of_loops) <= 1


def test_sdk_is_not_imported_when_models_are_made_only():
    code = (
        "import sys, jupyter_agents.models as m; m.OpenAIModel('m', api_key='k'); "
        "print([name for name in ('openai', 'httpx2', 'jiter', 'pydantic', 'anyio') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"
