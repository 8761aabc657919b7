"""`OpenAIModel` against a real server: real HTTP, real tokens. How replies come counts, never what they say."""

import json

import pytest

from jupyter_agents.drive import Run, a_drive, drive
from jupyter_agents.errors import ContextLengthError, ModelRejectedError
from jupyter_agents.events import Delta
from jupyter_agents.models.base import ModelRequest
from jupyter_agents.models.openai import OpenAIModel

QUESTION = [{"role": "user", "content": "Write a long story about a cat."}]
ONE_BLOCK = r"""
root ::= "```python\nprint(" [1-9] " + " [1-9] ")\n```"
"""


@pytest.fixture
def model(local_server):
    """A model of the local server, with these options.

    It asks again once: the server at times closes a connection that it had said to keep.
    """

    def model(**options) -> OpenAIModel:
        return OpenAIModel(
            local_server.model, base_url=local_server.base_url, api_key="none", max_retries=1, timeout=60, **options
        )

    return model


@pytest.fixture
def told():
    return []


@pytest.fixture
def run(told):
    return Run(listeners=(told.append,))


async def a_complete(model, options, run):
    return await a_drive(model.complete(ModelRequest(QUESTION, options)), run)


def pieces(told):
    return [one.text for one in told if isinstance(one, Delta)]


def test_reply_is_told_in_pieces_when_it_streams(model, told, run):
    reply = drive(model(temperature=0).complete(ModelRequest(QUESTION, {"max_tokens": 12})), run)

    assert len(pieces(told)) > 5
    assert "".join(pieces(told)) == reply.content
    assert reply.finish_reason == "length"
    assert reply.usage.completion_tokens == 12
    assert reply.usage.prompt_tokens > 5
    assert not reply.usage.estimated


async def test_reply_is_the_same_when_it_is_awaited(model, told, run):
    options = {"max_tokens": 12, "temperature": 0, "seed": 1}

    awaited = await a_complete(model(), options, run)
    said = pieces(told)

    assert "".join(said) == awaited.content
    assert drive(model().complete(ModelRequest(QUESTION, options))) == awaited


def test_reply_is_whole_when_it_does_not_stream(model, told, run):
    reply = drive(model(stream=False, max_tokens=5).complete(ModelRequest(QUESTION)), run)

    assert reply.content
    assert reply.finish_reason == "length"
    assert reply.usage.completion_tokens == 5


@pytest.mark.parametrize("stream", [True, False])
def test_reply_is_a_code_block_when_a_grammar_says_so(model, stream):
    reply = drive(
        model(stream=stream, extra_body={"grammar": ONE_BLOCK}, temperature=0).complete(ModelRequest(QUESTION))
    )

    assert reply.finish_reason == "stop"
    assert reply.content.startswith("```python\nprint(")
    assert reply.content.endswith(")\n```")


def test_conversation_that_is_too_long_is_named_as_such(model):
    long = [{"role": "user", "content": "cat " * 20_000}]

    with pytest.raises(ContextLengthError):
        drive(model().complete(ModelRequest(long)))


AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"], "additionalProperties": False}
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
WAYS = pytest.mark.parametrize("stream", [True, False])


def schema(what):
    return {"type": "json_schema", "json_schema": {"name": "cat", "strict": True, "schema": what}}


@WAYS
def test_reply_is_json_of_the_schema_when_one_is_asked_for(model, stream):
    options = {"response_format": schema(AGE), "max_tokens": 100, "temperature": 0}

    reply = drive(model(stream=stream).complete(ModelRequest(QUESTION, options)))

    assert reply.finish_reason == "stop"
    said = json.loads(reply.content)
    assert list(said) == ["age"]
    assert isinstance(said["age"], int)


@WAYS
def test_schema_is_refused_as_such_when_it_is_none(model, stream):
    options = {"response_format": schema({"type": "nonsense"})}

    with pytest.raises(ModelRejectedError, match="nonsense"):
        drive(model(stream=stream).complete(ModelRequest(QUESTION, options)))


@WAYS
def test_every_choice_is_there_when_several_are_asked_for(model, stream):
    reply = drive(model(stream=stream, n=2, max_tokens=4).complete(ModelRequest(QUESTION)))

    [other] = reply.alternatives
    assert reply.content
    assert other.content
    assert other.finish_reason == "length"


@WAYS
def test_every_token_has_its_probability_when_they_are_asked_for(model, stream):
    options = {"logprobs": True, "top_logprobs": 2, "max_tokens": 3}

    reply = drive(model(stream=stream).complete(ModelRequest(QUESTION, options)))

    tokens = reply.logprobs["content"]
    assert "".join(one["token"] for one in tokens).strip() == reply.content.strip()
    assert all(one["logprob"] <= 0 for one in tokens)
    assert all(len(one["top_logprobs"]) == 2 for one in tokens)


def test_reply_is_another_when_the_seed_is_another(model):
    def say(seed):
        options = {"max_tokens": 16, "temperature": 2.0, "seed": seed}
        return drive(model().complete(ModelRequest(QUESTION, options))).content

    assert say(1) == say(1)
    assert len({say(seed) for seed in range(4)}) > 1


@WAYS
def test_reply_ends_before_the_stop_when_it_comes(model, stream):
    options = {"stop": ["b"], "grammar": 'root ::= "aaabccc"'}

    reply = drive(model(stream=stream).complete(ModelRequest(QUESTION, options)))

    assert (reply.content, reply.finish_reason) == ("aaa", "stop")


@WAYS
def test_image_is_refused_at_once_when_the_model_sees_nothing(local_server, told, run, stream):
    model = OpenAIModel(
        local_server.model, base_url=local_server.base_url, api_key="none", stream=stream, max_retries=2
    )
    image = {"type": "image_url", "image_url": {"url": PIXEL}}
    seen = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, image]}]

    with pytest.raises(ModelRejectedError, match="image input is not supported.*Leave the image out"):
        drive(model.complete(ModelRequest(seen)), run)

    assert told == []  # it did not wait to ask again


ADD = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
}


@WAYS
def test_reply_is_text_when_the_template_of_the_model_knows_no_tools(model, stream):
    reply = drive(model(stream=stream).complete(ModelRequest(QUESTION, {"tools": [ADD], "max_tokens": 8})))

    assert reply.content  # as the notes of the preset say: nothing tells that the tools were left out
    assert reply.tool_calls == ()


@WAYS
def test_call_that_is_required_is_an_error_when_the_server_does_not_know_how(model, stream):
    options = {"tools": [ADD], "tool_choice": "required", "stop": ["."], "max_tokens": 200}

    with pytest.raises(ModelRejectedError, match="'tool_choice' requires one, and it has answered with words"):
        drive(model(stream=stream).complete(ModelRequest(QUESTION, options)))
