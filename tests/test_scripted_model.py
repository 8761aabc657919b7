"""The model that follows a script."""

import asyncio

import pytest

from jupyter_agents.drive import Run, a_drive, drive
from jupyter_agents.errors import ConfigurationError, ReplyInterruptedError, ScriptEndedError
from jupyter_agents.events import Delta
from jupyter_agents.messages import ToolCall, Usage
from jupyter_agents.models.base import Model, ModelReply, ModelRequest
from jupyter_agents.testing import ScriptedModel

HELLO = ModelRequest([{"role": "user", "content": "Hi"}])


def ask(model, request=HELLO, notices=None):
    return drive(model.complete(request), Run(listeners=(notices.append,) if notices is not None else ()))


def test_scripted_model_is_a_model():
    assert isinstance(ScriptedModel([]), Model)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("text", ModelReply("text")),
        (ModelReply("cut", "length"), ModelReply("cut", "length")),
        ({"content": "text"}, ModelReply("text")),
        ({"content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
         ModelReply(None, "tool_calls", tool_calls=(ToolCall("f", "{}", "1"),))),
        ({"content": None, "function_call": {"name": "f", "arguments": "{}"}},
         ModelReply(None, "function_call", function_call=ToolCall("f", "{}"))),
        ({"content": "cut", "finish_reason": "length"}, ModelReply("cut", "length")),
        (lambda request: request.messages[0]["content"], ModelReply("Hi")),
        (lambda request: lambda request: "deep", ModelReply("deep")),
    ],
    ids=["text", "reply", "message", "tool_calls", "function_call", "finish_reason", "function", "function_of_function"],
)  # fmt: skip
def test_reply_is_what_the_script_says_when_the_line_is(line, reply):
    found = ask(ScriptedModel([line]))

    assert (found.content, found.finish_reason, found.calls if hasattr(found, "calls") else found.tool_calls) == (
        reply.content,
        reply.finish_reason,
        reply.tool_calls,
    )
    assert found.function_call == reply.function_call


def test_replies_come_in_order_when_several_are_asked_for():
    model = ScriptedModel(["one", "two"])

    assert [ask(model).content, ask(model).content] == ["one", "two"]
    assert repr(model) == "<ScriptedModel: 2 calls, 0 replies left>"


def test_function_answers_everything_when_it_stands_for_the_list():
    model = ScriptedModel(lambda request: f"{len(request.messages)}")

    assert [ask(model).content for _ in range(3)] == ["1"] * 3


def test_async_function_is_awaited_when_it_is_in_the_script():
    async def answer(request):
        await asyncio.sleep(0)
        return "later"

    assert ask(ScriptedModel([answer])).content == "later"
    assert asyncio.run(a_drive(ScriptedModel(answer).complete(HELLO))).content == "later"


def test_one_text_is_one_reply_when_no_list_is_given():
    assert ask(ScriptedModel("whole")).content == "whole"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_exception_is_raised_when_the_script_holds_one(error):
    with pytest.raises(type(error)) as caught:
        ask(ScriptedModel([error]))

    assert caught.value is error


def test_partial_text_is_told_when_the_script_breaks_off():
    notices = []
    error = ReplyInterruptedError("cut", partial=ModelReply("half a", "interrupted"))

    with pytest.raises(ReplyInterruptedError):
        ask(ScriptedModel([error]), notices=notices)

    assert notices == [Delta("half "), Delta("a")]


@pytest.mark.parametrize(
    ("settings", "pieces"),
    [({}, ["Hello  ", "you.\n", "Bye"]), ({"chunk": 5}, ["Hello", "  you", ".\nBye"]), ({"chunk": 100}, None)],
    ids=["words", "five", "whole"],
)
def test_text_streams_in_pieces_when_it_is_told(settings, pieces):
    notices = []

    reply = ask(ScriptedModel(["Hello  you.\nBye"], **settings), notices=notices)

    assert [notice.text for notice in notices] == (pieces or [reply.content])


def test_pieces_are_apart_when_a_delay_is_set(monkeypatch):
    pauses = []
    monkeypatch.setattr("jupyter_agents.drive.time.sleep", pauses.append)

    ask(ScriptedModel(["a b c"], delay=0.5))

    assert pauses == [0.5, 0.5]


def test_script_ended_error_says_what_was_asked_when_no_reply_is_left():
    model = ScriptedModel(["only"])
    ask(model)

    with pytest.raises(ScriptEndedError, match=r"Cannot answer request 2: .* has 1 replies.*'Hi'"):
        ask(model)


def test_requests_are_kept_as_they_were_when_the_caller_goes_on():
    model = ScriptedModel(["a"])
    messages, options = [{"role": "user", "content": "Hi"}], {"seed": 1}

    ask(model, ModelRequest(messages, options))
    messages.append({})
    options.clear()

    assert model.requests == [ModelRequest([{"role": "user", "content": "Hi"}], {"seed": 1})]


def test_requests_are_only_counted_when_not_recorded():
    model = ScriptedModel(["a"], record=False)

    ask(model)

    assert (model.calls, model.requests) == (1, [])


def test_usage_is_estimated_when_not_given():
    given = ModelReply("x", usage=Usage(1, 2))
    model = ScriptedModel(["x" * 8, given])

    assert ask(model).usage == Usage(1, 2, estimated=True)
    assert ask(model).usage == Usage(1, 2)


def test_usage_follows_the_history_when_it_grows_or_begins_anew():
    model = ScriptedModel(lambda request: "")
    messages = [{"role": "user", "content": "x" * 40}, {"role": "assistant", "content": None}]
    longer = [*messages, {"role": "user", "content": "y" * 8}]

    sizes = [ask(model, ModelRequest(one)).usage.prompt_tokens for one in (messages, longer, longer[2:], [], messages)]

    assert sizes == [10, 12, 2, 0, 10]


def test_line_is_refused_when_it_is_nothing_a_model_can_say():
    with pytest.raises(ConfigurationError, match="Cannot reply 5: a int stands in the script"):
        ask(ScriptedModel([5]))
