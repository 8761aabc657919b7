"""The scripted server, seen by a plain HTTP client."""

import http.client
import json
import threading

import pytest

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.messages import ToolCall, Usage
from jupyter_agents.models.base import ModelReply
from jupyter_agents.testing import FakeOpenAIServer, ServerReply, ServerRequest


def post(server, body=None, path="/v1/chat/completions", method="POST"):
    connection = http.client.HTTPConnection(server.base_url.split("/")[2], timeout=5)
    try:
        connection.request(method, path, json.dumps(body or {"messages": []}))
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def events(body):
    return [line.removeprefix("data: ") for line in body.decode().split("\n\n") if line]


def test_completion_is_one_body_when_no_stream_is_asked_for(server):
    server.enqueue("Hello you.")

    response, body = post(server, {"messages": [{"role": "user", "content": "a b c"}]})

    found = json.loads(body)
    assert response.getheader("content-type") == "application/json"
    assert found["choices"][0]["message"] == {"role": "assistant", "content": "Hello you."}
    assert found["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize(("chunk", "pieces"), [(0, ["Hello ", "you."]), (4, ["Hell", "o yo", "u."])])
def test_text_comes_in_pieces_when_a_stream_is_asked_for(server, chunk, pieces):
    server.enqueue(ServerReply(text="Hello you.", chunk=chunk))

    response, body = post(server, {"messages": [], "stream": True})

    found = events(body)
    texts = [json.loads(line)["choices"][0]["delta"].get("content") for line in found[1:-2]]
    assert response.getheader("content-type") == "text/event-stream"
    assert texts == pieces
    assert json.loads(found[-2])["choices"][0]["finish_reason"] == "stop"
    assert found[-1] == "[DONE]"


@pytest.mark.parametrize("asked", [True, False])
def test_usage_is_streamed_only_when_asked_for(server, asked):
    server.enqueue("a")

    _, body = post(server, {"messages": [], "stream": True, "stream_options": {"include_usage": asked}})

    assert any(json.loads(line)["usage"] for line in events(body)[:-1]) is asked


def test_reply_of_a_model_is_sent_as_it_is_when_queued(server):
    server.enqueue(ModelReply("cut", "length", tool_calls=(ToolCall("f", "{}", "1"),), usage=Usage(1, 2)))

    found = json.loads(post(server)[1])

    assert found["choices"][0]["finish_reason"] == "length"
    assert found["choices"][0]["message"]["tool_calls"] == [ToolCall("f", "{}", "1").to_json()]
    assert found["usage"] == {"prompt_tokens": 1, "completion_tokens": 2}


def test_requests_are_kept_when_they_arrive(server):
    server.enqueue("a")

    post(server, {"messages": [{"role": "user", "content": "é"}]})

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.body == {"messages": [{"role": "user", "content": "é"}]}
    assert request.headers["host"] in server.base_url


def test_function_answers_when_the_queue_is_empty(server):
    server.enqueue("queued").respond_with(lambda request: request.path[-5:])

    texts = [json.loads(post(server)[1])["choices"][0]["message"]["content"] for _ in range(3)]

    assert texts == ["queued", "tions", "tions"]


def test_status_is_400_when_the_script_has_ended(server):
    response, body = post(server)

    assert response.status == 400
    assert "enqueue() another reply" in json.loads(body)["error"]["message"]


def test_status_is_400_when_the_function_fails(server):
    server.respond_with(lambda request: 1 / 0)

    response, body = post(server)

    assert response.status == 400
    assert "ZeroDivisionError" in json.loads(body)["error"]["message"]


def test_models_are_listed_when_asked_for(server):
    _, body = post(server, path="/v1/models", method="GET")

    assert json.loads(body)["data"] == [{"id": "fake-model", "object": "model"}]


def test_status_is_404_when_the_path_is_unknown(server):
    assert post(server, path="/v1/embeddings")[0].status == 404


def test_status_and_headers_are_those_of_the_script_when_it_is_an_error(server):
    server.enqueue(ServerReply.error(429, "wait", code="rate_limit_exceeded", retry_after="7"))

    response, body = post(server)

    assert (response.status, response.getheader("retry-after")) == (429, "7")
    assert json.loads(body)["error"] == {
        "message": "wait",
        "type": "rate_limit_exceeded",
        "code": "rate_limit_exceeded",
    }


def test_body_ends_where_it_is_cut_when_the_connection_closes(server):
    server.enqueue(ServerReply.raw(b"data: 1\n\n", b"data: 2\n\n", cut=12, ending="eof"))

    with pytest.raises(http.client.IncompleteRead) as caught:
        post(server)

    assert caught.value.partial == b"data: 1\n\ndat"


def test_connection_closes_without_an_answer_when_it_is_nothing(server):
    server.enqueue(ServerReply.nothing("eof"), ServerReply.nothing("reset"))

    with pytest.raises(http.client.RemoteDisconnected):
        post(server)
    with pytest.raises(ConnectionResetError):
        post(server)


def test_request_is_understood_when_it_arrives_in_pieces(server):
    server.enqueue("ok")
    body = json.dumps({"messages": [], "note": "é"}).encode()
    connection = http.client.HTTPConnection(server.base_url.split("/")[2], timeout=5)
    connection.connect()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    for byte in head + body:
        connection.sock.sendall(bytes([byte]))

    response = http.client.HTTPResponse(connection.sock)
    response.begin()
    assert json.loads(response.read())["choices"][0]["message"]["content"] == "ok"
    assert server.requests[0].body["note"] == "é"
    response.close()
    connection.close()


def test_nothing_is_left_when_it_stops_in_the_middle_of_replies():
    before = threading.active_count()
    with FakeOpenAIServer() as server:
        server.enqueue(ServerReply.nothing("stall"), ServerReply.forever())
        for _ in range(2):
            connection = http.client.HTTPConnection(server.base_url.split("/")[2], timeout=5)
            connection.request("POST", "/v1/chat/completions", "{}")
            connection.close()

    assert threading.active_count() == before


def test_mistakes_are_clear_errors_when_the_script_is_wrong(server):
    with pytest.raises(ConfigurationError, match="Cannot answer with 5: a int"):
        server.enqueue(5)
    with pytest.raises(ConfigurationError, match="it is not started"):
        _ = FakeOpenAIServer().base_url


def test_config_is_complete_when_it_is_given_to_an_agent(server):
    assert server.config == {"model": "fake-model", "base_url": server.base_url, "api_key": "fake-key"}
    assert repr(server) == f"<FakeOpenAIServer: {server.base_url}, 0 requests, 0 replies left>"
    assert ServerRequest("GET", "/", {}).body is None


def test_response_is_one_body_or_events_when_the_responses_api_is_asked(server):
    server.enqueue("Hello you.", "Hello you.")

    _, whole = post(server, {"input": [{"role": "user", "content": "a b c"}]}, path="/v1/responses")
    _, streamed = post(server, {"input": [], "stream": True}, path="/v1/responses")

    response = json.loads(whole)
    found = [json.loads(one.partition("data: ")[2]) for one in events(streamed)]
    assert response["output"][0]["content"][0]["text"] == "Hello you."
    assert response["usage"] == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    assert [one["sequence_number"] for one in found] == list(range(len(found)))
    assert [one["delta"] for one in found if one["type"] == "response.output_text.delta"] == ["Hello ", "you."]
    assert found[-1]["type"] == "response.completed"
