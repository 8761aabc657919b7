"""Rows 1 to 26 of the fault matrix: what servers and networks do, over real HTTP, in both worlds and both APIs.

Each row has a test, or a case of the table, that is named after its number. None may hang: all have a time limit.
"""

import logging
import socket
import threading
import time
import traceback

import pytest

from jupyter_agents import AssistantAgent, EndedBy
from jupyter_agents.errors import (
    ContextLengthError,
    MalformedReplyError,
    ModelError,
    ModelRejectedError,
    ModelTimeoutError,
    ModelUnavailableError,
    RateLimitedError,
    ReplyInterruptedError,
)
from jupyter_agents.events import Retracted, Waiting
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelRequest
from jupyter_agents.models.openai import OpenAIModel
from jupyter_agents.session import use_session
from jupyter_agents.testing import FakeOpenAIServer, ServerReply
from tests import test_stream, test_tools
from tests.fakes import FakeExecutor, quiet_session, user
from tests.model_calls import CODE, KEY, model_of, sync_face

pytestmark = [pytest.mark.timeout(20), pytest.mark.usefixtures("first_or_later")]

FINISHED = b'data: {"choices": [{"delta": {"content": "all"}, "finish_reason": "stop"}]}\n\n'
BEGUN = b'data: {"choices": [{"delta": {"content": "half a "}}]}\n\n'
BEGUN_RESPONSE = b'data: {"type": "response.output_text.delta", "output_index": 0, "delta": "half a "}\n\n'


@pytest.fixture
def no_waiting(monkeypatch):
    """Retries wait for no time at all."""
    monkeypatch.setattr("jupyter_agents.models.opening._FIRST_WAIT", 0.0)


# -- The fault matrix: rows 1 to 26 -----------------------------------------------------------------------------


def faults(begun):
    """What goes wrong: its row, what the server does, the error, and how often the server is asked."""
    return [
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
        (
            "row08_rst_mid_stream",
            ServerReply(text=CODE, cut=300, ending="reset", pause=0.001),
            ReplyInterruptedError,
            1,
        ),
        ("row08_eof_mid_stream", ServerReply(text=CODE, cut=300, ending="eof"), ReplyInterruptedError, 1),
        (
            "row08_rst_after_headers",
            ServerReply(text=CODE, cut=0, ending="reset", pause=0.01),
            ReplyInterruptedError,
            1,
        ),
        ("row09_clean_end_no_finish", ServerReply.raw(begun), ReplyInterruptedError, 1),
        ("row09_done_no_finish", ServerReply.raw(begun, b"data: [DONE]\n\n"), ReplyInterruptedError, 1),
        ("row09_finish_reason_null", ServerReply(text="a", finish_reason=None), ReplyInterruptedError, 1),
        ("row09_empty", ServerReply.raw(), ReplyInterruptedError, 1),
        ("row10_stall_mid_stream", ServerReply(text=CODE, cut=300, ending="stall"), ModelTimeoutError, 1),
        ("row10_stall_before_headers", ServerReply.nothing("stall"), ModelTimeoutError, 1),
        ("row10_stall_after_headers", ServerReply.raw(ending="stall"), ModelTimeoutError, 1),
        ("row11_keep_alive_for_ever", ServerReply.forever(), ModelTimeoutError, 1),
        ("row11_drip_for_ever", ServerReply.forever(b":", pause=0.02), ModelTimeoutError, 1),
        ("row11_text_for_ever", ServerReply.forever(begun), ModelTimeoutError, 1),
        (
            "row12_error_object",
            ServerReply.raw(begun, b'data: {"error": {"message": "overloaded"}}\n\n'),
            ModelUnavailableError,
            1,
        ),
        ("row12_error_event", ServerReply.raw(b'event: error\ndata: {"detail": "x"}\n\n'), ModelUnavailableError, 1),
        ("row12_error_event_text", ServerReply.raw(b"event: error\ndata: oh no\n\n"), ModelUnavailableError, 1),
        ("row13_bad_json", ServerReply.raw(begun, b"data: {oops\n\n"), MalformedReplyError, 2),
        ("row13_bad_utf8", ServerReply.raw(b'data: {"choices": "\xff"}\n\n'), MalformedReplyError, 2),
        ("row13_bad_body", ServerReply.raw(b"\xff{", content_type="application/json"), MalformedReplyError, 2),
        ("row13_bad_gzip", ServerReply(body=b"no", headers={"content-encoding": "gzip"}), MalformedReplyError, 2),
        ("row14_html", ServerReply.html(), MalformedReplyError, 1),
        ("row14_image", ServerReply.raw(b"x", content_type="image/png"), MalformedReplyError, 1),
        (
            "row15_choices_null",
            ServerReply.raw(b'{"choices": null}', content_type="application/json"),
            MalformedReplyError,
            2,
        ),
        (
            "row15_choices_empty",
            ServerReply.raw(b'{"choices": []}', content_type="application/json"),
            MalformedReplyError,
            2,
        ),
        (
            "row15_error_with_200",
            ServerReply.raw(b'{"error": {"message": "m"}}', content_type="application/json"),
            ModelUnavailableError,
            1,
        ),
        ("row20_redirect", ServerReply.redirect("http://localhost:9/elsewhere"), MalformedReplyError, 1),
    ]


BOTH = [(api, *row) for api, begun in (("chat", BEGUN), ("responses", BEGUN_RESPONSE)) for row in faults(begun)]


@pytest.mark.parametrize(
    ("api", "reply", "error", "calls"),
    [(api, *row) for api, _, *row in BOTH],
    ids=[f"{name}-{api}" for api, name, *_ in BOTH],
)
def test_fault_is_a_typed_error_when(server, ask, no_waiting, api, reply, error, calls):
    server.respond_with(lambda request: reply)
    limit = 0.5 if error is ModelTimeoutError else 10
    started = time.monotonic()

    with pytest.raises(ModelError) as caught:
        ask(model_of(server, api=api, timeout=limit, idle_timeout=0.1, max_retries=2))

    assert type(caught.value) is error
    assert len(server.requests) == calls
    assert time.monotonic() - started < 3
    assert KEY not in str(caught.value)
    assert str(caught.value).startswith("Cannot ")


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_row13_reply_comes_when_only_the_first_try_was_malformed(server, ask, no_waiting, api):
    server.enqueue(ServerReply.raw(b"data: {oops\n\n"), "whole")
    notices = []

    reply = ask(model_of(server, api=api, max_retries=2), notices=notices)

    assert reply.content == "whole"
    assert [type(one) for one in notices[:2]] == [Retracted, Waiting]


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


# -- What a reply holds, in a chat -------------------------------------------------------------------------------


@pytest.fixture(params=["chat", "responses"])
def talk(request, server):
    """A chat with a model at the server and someone who runs every block and makes every call."""

    def talk(*replies, **options):
        server.enqueue(*replies)
        executor, areas = FakeExecutor(), []
        agent = AssistantAgent("assistant", llm_config=server.config | {"api": request.param, "max_retries": 0})
        agent.tool(lambda side: areas.append(side), name="area", description="The area of a square.")
        with use_session(quiet_session(max_repairs=2)):
            me = user(code_execution_config={"executor": executor}, default_auto_reply="go on")
            result = me.initiate_chat(agent, message="go", **{"max_turns": 4, **options})
        return result, executor.codes, areas

    return talk


def results_in(request):
    """What a request answers to calls, by their ids."""
    body = request.body
    if "input" in body:
        return [(one["call_id"], one["output"]) for one in body["input"] if one.get("type") == "function_call_output"]
    return [(one["tool_call_id"], one["content"]) for one in body["messages"] if one["role"] == "tool"]


def test_row16_refusal_is_shown_as_such_and_no_empty_words_go_around_when_a_model_refuses(talk, server):
    result, *_ = talk(ServerReply(refusal="I will not."), "TERMINATE", max_turns=2)

    assert result.chat_history[1]["content"] == "I will not."
    assert "I will not." in str(server.requests[1].body)


def test_row17_code_does_not_run_and_the_model_is_told_when_a_reply_is_too_long(talk, server):
    result, ran, _ = talk(ServerReply(text=CODE, finish_reason="length"), "TERMINATE")

    assert ran == []
    assert result.chat_history[1]["finish_reason"] == "length"
    assert "none of its code was run" in str(server.requests[1].body)


def test_row18_code_does_not_run_and_the_chat_ends_when_a_reply_is_filtered(talk):
    result, ran, _ = talk(ServerReply(text=CODE, finish_reason="content_filter"))

    assert ran == []
    assert result.chat_history[1]["finish_reason"] == "content_filter"
    assert result.ended_by is EndedBy.FILTERED


def test_row19_reply_is_understood_when_its_reason_is_unknown_and_its_content_a_list(server, ask):
    content = b'[{"type": "text", "text": "a"}, {"type": "odd"}, "b"]'
    server.enqueue(
        ServerReply.raw(b'data: {"choices": [{"delta": {"content": ' + content + b'}, "finish_reason": "eos"}]}\n\n')
    )

    reply = ask(model_of(server))

    assert (reply.content, reply.finish_reason) == ("ab", "stop")


def test_row21_model_is_told_and_mends_its_call_when_its_arguments_are_no_json(talk, server):
    bad, good = ('{"side": 3', '{"side": 3}')

    _, _, areas = talk(
        ServerReply(tool_calls=[ToolCall("area", bad, "c1")]),
        ServerReply(tool_calls=[ToolCall("area", good, "c2")]),
        "TERMINATE",
    )

    assert areas == [3]
    [(call_id, said)] = results_in(server.requests[1])
    assert call_id == "c1"
    assert "not valid" in said or "Expecting" in said


def test_row21_chat_ends_when_bad_calls_are_never_mended(talk, server):
    server.respond_with(lambda request: ServerReply(tool_calls=[ToolCall("area", "{", "c1")]))

    result, _, areas = talk(max_turns=20)

    assert areas == []
    assert result.ended_by is EndedBy.REPAIRS
    assert len(server.requests) <= 4


def test_row22_every_call_has_one_result_when_tools_are_unknown_and_ids_missing_or_the_same(talk, server):
    calls = [ToolCall("aera", "{}", "c1"), ToolCall("area", '{"side": 2}', "c1"), ToolCall("area", '{"side": 4}', "")]

    _, _, areas = talk(ServerReply(tool_calls=calls), "TERMINATE")

    found = results_in(server.requests[1])
    assert areas == [2, 4]
    assert len({call_id for call_id, _ in found}) == len(found) == 3
    assert "aera" in found[0][1]


test_row23_calls_are_put_together_when_pieces_come_as = (
    test_stream.test_row23_calls_are_put_together_when_pieces_come_as
)
test_row23_calls_are_those_sent_when_their_pieces_interleave = (
    test_stream.test_calls_are_those_sent_when_their_pieces_interleave
)
test_row24_arguments_are_refused_when_they_are_no_plain_object = (
    test_tools.test_arguments_are_refused_with_a_short_reason_when_they_are_no_plain_object
)
test_row24_any_text_is_an_object_or_refused = test_tools.test_any_text_is_an_object_or_refused
