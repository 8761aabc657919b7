"""The OpenAI model against a real loopback server: the rows of the fault matrix, in both worlds alike."""

import asyncio
import gc
import json
import logging
import socket
import subprocess
import sys
import threading
import time
import traceback
from types import MappingProxyType

import pytest

from jupyter_agents.drive import ChatCancelled, Run, a_drive, drive
from jupyter_agents.errors import (
    ConfigurationError,
    ContextLengthError,
    MalformedReplyError,
    ModelError,
    ModelNotConfiguredError,
    ModelRejectedError,
    ModelTimeoutError,
    ModelUnavailableError,
    RateLimitedError,
    ReplyInterruptedError,
)
from jupyter_agents.events import Delta, Waiting
from jupyter_agents.messages import ToolCall, Usage
from jupyter_agents.models import transport
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.models.openai import OpenAIModel
from jupyter_agents.testing import FakeOpenAIServer, ServerReply

KEY = "sk-canary-0123456789"
HELLO = ModelRequest([{"role": "user", "content": "Hi"}])
CODE = "Here:\n```python\nprint(1)\n```\n"


@pytest.fixture
def server():
    with FakeOpenAIServer() as server:
        yield server


def sync_face(model, request=HELLO, notices=None):
    return drive(model.complete(request), Run(listeners=(notices.append,) if notices is not None else ()))


def async_face(model, request=HELLO, notices=None):
    async def ask():
        run = Run(listeners=(notices.append,) if notices is not None else ())
        return await a_drive(model.complete(request), run)

    return asyncio.run(ask())


@pytest.fixture(params=[sync_face, async_face], ids=["sync", "async"])
def ask(request):
    return request.param


@pytest.fixture
def no_waiting(monkeypatch):
    """Retries wait for no time at all."""
    monkeypatch.setattr("jupyter_agents.models.openai._FIRST_WAIT", 0.0)


def model_of(server, **settings):
    return OpenAIModel("m", base_url=server.base_url, **{"api_key": KEY, "max_retries": 0, **settings})


# -- What is sent and what comes back ---------------------------------------------------------------------------


def test_reply_is_text_and_usage_when_it_streams(server, ask):
    server.enqueue(ServerReply(text="Hello you.", usage={"prompt_tokens": 5, "completion_tokens": 2}))
    notices = []

    reply = ask(model_of(server), notices=notices)

    assert reply == ModelReply("Hello you.", "stop", usage=Usage(5, 2), model="fake-model")
    assert [notice for notice in notices if isinstance(notice, Delta)] == [Delta("Hello "), Delta("you.")]


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


# -- The fault matrix: rows 1 to 26 -----------------------------------------------------------------------------

FINISHED = b'data: {"choices": [{"delta": {"content": "all"}, "finish_reason": "stop"}]}\n\n'
BEGUN = b'data: {"choices": [{"delta": {"content": "half a "}}]}\n\n'

FAULTS = [
    ("row02_retry_after_121", ServerReply.error(429, retry_after="121"), RateLimitedError, 1),
    ("row03_quota", ServerReply.error(429, code="insufficient_quota"), ModelRejectedError, 1),
    ("row05_context_length", ServerReply.error(400, code="context_length_exceeded"), ContextLengthError, 1),
    ("row05_llama_cpp", ServerReply.error(400, "exceeds the available context size"), ContextLengthError, 1),
    ("row06_401", ServerReply.error(401, f"Incorrect API key provided: {KEY}"), ModelRejectedError, 1),
    ("row06_403", ServerReply.error(403, "no access"), ModelRejectedError, 1),
    ("unknown_model", ServerReply.error(404, "no such model"), ModelRejectedError, 1),
    ("row04_500", ServerReply.error(500), ModelUnavailableError, 3),
    ("row07_eof_before_headers", ServerReply.nothing("eof"), ModelUnavailableError, 3),
    ("row07_rst_before_headers", ServerReply.nothing("reset"), ModelUnavailableError, 3),
    ("row08_rst_mid_stream", ServerReply(text=CODE, cut=300, ending="reset", pause=0.001), ReplyInterruptedError, 1),
    ("row08_eof_mid_stream", ServerReply(text=CODE, cut=300, ending="eof"), ReplyInterruptedError, 1),
    ("row08_rst_after_headers", ServerReply(text=CODE, cut=0, ending="reset", pause=0.01), ReplyInterruptedError, 1),
    ("row09_clean_end_no_finish", ServerReply.raw(BEGUN), ReplyInterruptedError, 1),
    ("row09_done_no_finish", ServerReply.raw(BEGUN, b"data: [DONE]\n\n"), ReplyInterruptedError, 1),
    ("row09_finish_reason_null", ServerReply(text="a", finish_reason=None), ReplyInterruptedError, 1),
    ("row09_empty", ServerReply.raw(), ReplyInterruptedError, 1),
    ("row10_stall_mid_stream", ServerReply(text=CODE, cut=300, ending="stall"), ModelTimeoutError, 1),
    ("row10_stall_before_headers", ServerReply.nothing("stall"), ModelTimeoutError, 1),
    ("row10_stall_after_headers", ServerReply.raw(ending="stall"), ModelTimeoutError, 1),
    ("row11_keep_alive_for_ever", ServerReply.forever(), ModelTimeoutError, 1),
    ("row11_drip_for_ever", ServerReply.forever(b":", pause=0.02), ModelTimeoutError, 1),
    ("row11_text_for_ever", ServerReply.forever(BEGUN), ModelTimeoutError, 1),
    ("row12_error_object", ServerReply.error_event("overloaded", after="half"), ModelUnavailableError, 1),
    ("row12_error_event", ServerReply.raw(b'event: error\ndata: {"detail": "x"}\n\n'), ModelUnavailableError, 1),
    ("row12_error_event_text", ServerReply.raw(b"event: error\ndata: oh no\n\n"), ModelUnavailableError, 1),
    ("row13_bad_json", ServerReply.raw(BEGUN, b"data: {oops\n\n"), MalformedReplyError, 1),
    ("row13_bad_utf8", ServerReply.raw(b'data: {"choices": "\xff"}\n\n'), MalformedReplyError, 1),
    ("row13_bad_body", ServerReply.raw(b"\xff{", content_type="application/json"), MalformedReplyError, 1),
    ("row13_bad_gzip", ServerReply(body=b"no", headers={"content-encoding": "gzip"}), MalformedReplyError, 1),
    ("row14_html", ServerReply.html(), MalformedReplyError, 1),
    ("row14_image", ServerReply.raw(b"x", content_type="image/png"), MalformedReplyError, 1),
    (
        "row15_choices_null",
        ServerReply.raw(b'{"choices": null}', content_type="application/json"),
        MalformedReplyError,
        1,
    ),
    (
        "row15_choices_empty",
        ServerReply.raw(b'{"choices": []}', content_type="application/json"),
        MalformedReplyError,
        1,
    ),
    (
        "row15_error_with_200",
        ServerReply.raw(b'{"error": {"message": "m"}}', content_type="application/json"),
        ModelUnavailableError,
        1,
    ),
    ("row20_redirect", ServerReply.redirect("http://localhost:9/elsewhere"), MalformedReplyError, 1),
]


@pytest.mark.parametrize(("reply", "error", "calls"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_fault_is_a_typed_error_when(server, ask, no_waiting, reply, error, calls):
    server.respond_with(lambda request: reply)
    started = time.monotonic()

    with pytest.raises(ModelError) as caught:
        ask(model_of(server, timeout=0.15 if error is ModelTimeoutError else 10, idle_timeout=0.1, max_retries=2))

    assert type(caught.value) is error
    assert len(server.requests) == calls
    assert time.monotonic() - started < 3
    assert KEY not in str(caught.value)
    assert str(caught.value).startswith("Cannot ")


@pytest.mark.parametrize(
    ("reply", "partial"),
    [
        (ServerReply.raw(BEGUN, BEGUN, ending="reset", pause=0.02), "half a half a "),
        (ServerReply.raw(BEGUN, ending="stall"), "half a "),
        (ServerReply.raw(BEGUN, b"data: {oops\n\n"), "half a "),
        (ServerReply.error_event("no", after="half a "), "half a "),
        (ServerReply.raw(b"", ending="eof"), None),
    ],
    ids=["row08_rst", "row10_stall", "row13_bad_json", "row12_error_event", "row08_nothing_came"],
)
def test_error_holds_what_had_come_when_a_reply_breaks_off(server, ask, reply, partial):
    server.enqueue(reply)

    with pytest.raises(ModelError) as caught:
        ask(model_of(server, timeout=0.5, idle_timeout=0.1))

    assert caught.value.partial.content == partial
    assert caught.value.partial.finish_reason == "interrupted"


def test_row01_wait_is_told_and_kept_when_the_server_asks_for_it(server, ask):
    server.enqueue(ServerReply.error(429, retry_after="0.05"), "ok")
    notices = []
    started = time.monotonic()

    reply = ask(model_of(server, max_retries=1), notices=notices)

    assert reply.content == "ok"
    assert notices[0] == Waiting(0.05, "the server asks to wait")
    assert time.monotonic() - started >= 0.05


def test_row01_wait_in_milliseconds_is_preferred_when_given(server, ask):
    server.enqueue(ServerReply.error(429, retry_after_ms="20", retry_after="100"), "ok")
    notices = []

    ask(model_of(server, max_retries=1), notices=notices)

    assert notices[0] == Waiting(0.02, "the server asks to wait")


def test_row02_error_says_how_long_when_the_wait_is_too_long(server):
    server.enqueue(ServerReply.error(429, retry_after="121"))

    with pytest.raises(RateLimitedError) as caught:
        sync_face(model_of(server, max_retries=2))

    assert caught.value.retry_after == 121


def test_row02_no_wait_is_begun_when_it_would_pass_the_deadline(server, ask):
    server.enqueue(ServerReply.error(429, retry_after="5"))

    with pytest.raises(RateLimitedError):
        ask(model_of(server, max_retries=2, timeout=0.3))

    assert len(server.requests) == 1


def test_row04_reply_comes_when_the_server_recovers(server, ask, no_waiting):
    server.enqueue(ServerReply.error(500), ServerReply.error(503), "ok")
    notices = []

    reply = ask(model_of(server, max_retries=2), notices=notices)

    assert reply.content == "ok"
    assert [notice.reason for notice in notices[:2]] == ["the server is not available"] * 2


def test_no_retry_is_made_when_the_server_says_so(server, ask, no_waiting):
    server.enqueue(ServerReply.error(503, x_should_retry="false"))

    with pytest.raises(ModelUnavailableError):
        ask(model_of(server, max_retries=2))

    assert len(server.requests) == 1


def test_row07_error_names_the_address_when_nobody_listens(ask):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    model = OpenAIModel("m", base_url=f"http://127.0.0.1:{port}/v1", max_retries=0)

    with pytest.raises(ModelUnavailableError, match=f"'m' at 127.0.0.1:{port}: the connection failed"):
        ask(model)


@pytest.mark.parametrize("where", ["headers", "informational"])
def test_row11_deadline_holds_when_headers_never_end(ask, where):
    first, again = {
        "headers": (b"HTTP/1.1 200 OK\r\n", b"x-a: 1\r\n"),
        "informational": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    }[where]
    stop = threading.Event()

    def serve():
        connection, _ = listening.accept()
        with connection:
            connection.sendall(first)
            while not stop.wait(0.01):
                try:
                    connection.sendall(again)
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        model = OpenAIModel("m", base_url=f"http://127.0.0.1:{listening.getsockname()[1]}/v1", timeout=0.2)
        started = time.monotonic()

        with pytest.raises(ModelTimeoutError, match=r"longer than 0\.2 s"):
            ask(model)

        assert time.monotonic() - started < 1
        stop.set()
        thread.join()


def test_row10_and_11_errors_name_the_limit_when_it_passes(server, ask):
    server.enqueue(ServerReply.raw(BEGUN, ending="stall"), ServerReply.forever())

    with pytest.raises(ModelTimeoutError, match=r"nothing came for 0\.1 s"):
        ask(model_of(server, idle_timeout=0.1))
    with pytest.raises(ModelTimeoutError, match=r"longer than 0\.2 s"):
        ask(model_of(server, timeout=0.2))


def test_row14_error_names_type_and_host_when_a_page_comes(server, ask):
    server.enqueue(ServerReply.html())

    with pytest.raises(MalformedReplyError, match=r"127\.0\.0\.1 answered with 'text/html'"):
        ask(model_of(server))


def test_row16_refusal_is_said_when_there_is_no_content(server, ask):
    server.enqueue(ServerReply(refusal="I will not."))

    reply = ask(model_of(server))

    assert (reply.content, reply.refusal) == (None, "I will not.")
    assert reply.to_message().text == "I will not."


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("content_filter", "content_filter"),
        ("SAFETY", "content_filter"),
        ("abort", "interrupted"),
        ("stop", "stop"),
        ("eos_token", "stop"),
    ],
    ids=lambda value: f"row17_18_19_{value}",
)
def test_finish_reason_is_normalised_when_servers_have_their_own(server, ask, said, understood):
    server.enqueue(ServerReply(text=CODE, finish_reason=said))

    reply = ask(model_of(server))

    assert reply.finish_reason == understood
    assert reply.to_message().is_complete is (understood == "stop")


def test_row20_conversation_is_not_carried_on_when_redirected(server, ask):
    with FakeOpenAIServer() as elsewhere:
        server.enqueue(ServerReply.redirect(f"{elsewhere.base_url}/chat/completions"))

        with pytest.raises(MalformedReplyError, match=r"redirects to 127\.0\.0\.1"):
            ask(model_of(server))

        assert elsewhere.requests == []


def test_row21_arguments_are_given_as_they_are_when_they_are_not_json(server, ask):
    server.enqueue(ServerReply(tool_calls=[ToolCall("f", "{not json", "c1")]))

    assert ask(model_of(server)).tool_calls == (ToolCall("f", "{not json", "c1"),)


def test_row25_prompt_is_scrubbed_when_it_holds_surrogates(server, ask):
    server.enqueue("ok")
    request = ModelRequest([{"role": "user", "content": "a\ud83d b\ud83d\ude00"}])

    reply = ask(model_of(server), request)

    assert reply.content == "ok"
    assert server.requests[0].body["messages"][0]["content"] == "a\ufffd b😀"


def test_row26_usage_is_an_estimate_when_the_server_gives_none(server, ask):
    server.enqueue(ServerReply(text="x" * 40, usage=None))

    usage = ask(model_of(server)).usage

    assert usage.estimated
    assert usage.completion_tokens == 10
    assert usage.prompt_tokens > 0


def test_reply_is_whole_when_the_connection_breaks_after_its_finish(server, ask):
    server.enqueue(
        ServerReply.raw(FINISHED, ending="reset", pause=0.02), ServerReply.raw(FINISHED, ending="eof", pause=0.02)
    )

    assert [ask(model_of(server)).content for _ in range(2)] == ["all", "all"]


def test_reply_is_not_held_back_when_the_server_never_closes(server, ask, monkeypatch):
    monkeypatch.setattr("jupyter_agents.models.openai._FOR_USAGE", 0.1)
    server.enqueue(
        ServerReply.raw(FINISHED, ending="stall"),
        ServerReply.raw(FINISHED, b"data: [DONE]\n\n", ending="stall"),
    )
    started = time.monotonic()

    replies = [ask(model_of(server)) for _ in range(2)]

    assert [reply.content for reply in replies] == ["all", "all"]
    assert time.monotonic() - started < 1.5


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
        await asyncio.gather(*transport._closing)
        client = await transport.a_http_client(local=True)
        return pool_is_idle(client)

    assert asyncio.run(ask_and_fail())


@pytest.mark.parametrize(
    "reply",
    [
        ServerReply.error(401, f"bad key {KEY}"),
        ServerReply.error(500, f"{KEY}"),
        ServerReply.error(401, "bad key " * 61 + KEY),
        ServerReply.error(401, "bad header token-of-the-header"),
        ServerReply.error_event(f"Incorrect API key provided: {KEY}"),
        ServerReply.error_event("said too much: " * 33 + KEY, after="Hello"),
        ServerReply.raw(b'{"error": "bad key ' + KEY.encode() + b'"}', content_type="application/json"),
        ServerReply.raw(f"data: {KEY}\n\n".encode()),
        ServerReply.raw(f'data: {{"choices": {"x" * 50 + KEY!r}}}\n\n'.replace("'", '"').encode()),
        ServerReply.raw(b"data: {oops\n\n"),
        ServerReply.nothing("reset"),
        ServerReply.redirect("http://localhost:9/"),
    ],
    ids="""401 500 401_cut_off 401_header event event_cut_off body no_json no_json_cut_off malformed reset
        redirect""".split(),
)
def test_row06_key_is_nowhere_when_a_call_fails(server, ask, caplog, reply):
    caplog.set_level(logging.DEBUG)
    server.enqueue(reply)
    model = model_of(server, extra_headers={"authorization-too": "Bearer token-of-the-header"})

    with pytest.raises(ModelError) as caught:
        ask(model)

    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=False).format())
    shown += repr(model) + repr(vars(model)) + repr(caught.value)
    assert KEY not in shown + caplog.text
    assert KEY[:8] not in shown
    assert "token-of-the-header" not in shown.replace(repr(vars(model)), "")
    assert caught.value.__cause__ is None


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

    assert isinstance(client._transport._pool._network_backend, transport._SyncBackend)
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
