"""A call that is required: words in its place are an error, as the server has left out that it was."""

import pytest

from jupyter_agents.errors import ModelRejectedError
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.models.config import model_from_config
from jupyter_agents.models.forced_calls import check_forced_call
from jupyter_agents.testing import ServerReply

TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
CALL = ModelReply(None, "tool_calls", tool_calls=(ToolCall("add", "{}", "1"),))
NAMED = {"type": "function", "function": {"name": "add"}}


def asked(server, ask, reply, **options):
    server.enqueue(reply)
    model = model_from_config(server.config | {"max_retries": 0, "stream": options.pop("stream", True)})
    return ask(model, ModelRequest([{"role": "user", "content": "Hi"}], options))


@pytest.mark.parametrize("choice", ["required", NAMED], ids=["required", "named"])
@pytest.mark.parametrize("stream", [True, False])
def test_words_are_an_error_when_a_call_is_required(server, ask, choice, stream):
    with pytest.raises(ModelRejectedError, match="'tool_choice' requires one") as caught:
        asked(server, ask, "I would add them.", tools=[TOOL], tool_choice=choice, stream=stream)

    assert caught.value.partial.content == "I would add them."
    assert len(server.requests) == 1


def test_words_are_an_error_when_a_legacy_function_is_named(server, ask):
    function = {"name": "add", "parameters": {"type": "object", "properties": {}}}

    with pytest.raises(ModelRejectedError):
        asked(server, ask, "No.", functions=[function], function_call={"name": "add"})


@pytest.mark.parametrize("choice", ["required", NAMED], ids=["required", "named"])
def test_call_is_taken_when_it_is_required(server, ask, choice):
    assert asked(server, ask, CALL, tools=[TOOL], tool_choice=choice).tool_calls[0].name == "add"


@pytest.mark.parametrize(
    "options",
    [
        {"tools": [TOOL]},
        {"tools": [TOOL], "tool_choice": "auto"},
        {"tools": [TOOL], "tool_choice": "none"},
        {"tool_choice": "required"},
        {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}},
    ],
)
def test_words_are_taken_when_no_call_is_required(server, ask, options):
    assert asked(server, ask, "Words.", **options).content == "Words."


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_reply_that_was_cut_off_is_not_one_that_was_left_out(server, ask, reason):
    reply = asked(server, ask, ModelReply("Half", reason), tools=[TOOL], tool_choice="required")

    assert reply.finish_reason == reason


def test_refusal_is_not_a_call_that_was_left_out(server, ask):
    body = b'{"choices": [{"message": {"content": null, "refusal": "No."}, "finish_reason": "stop"}]}'
    reply = ServerReply(body=body, headers={"content-type": "application/json"})

    assert asked(server, ask, reply, tools=[TOOL], tool_choice="required", stream=False).refusal == "No."


def test_call_among_several_replies_is_enough():
    check_forced_call({"tools": [TOOL], "tool_choice": "required"}, ModelReply("Words.", alternatives=(CALL,)), "m")
