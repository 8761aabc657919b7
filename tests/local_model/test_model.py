"""`OpenAIModel` against a real server: real HTTP, real tokens. How replies come counts, never what they say."""

import pytest

from jupyter_agents.drive import Run, a_drive, drive
from jupyter_agents.errors import ContextLengthError
from jupyter_agents.events import Delta
from jupyter_agents.models.base import ModelRequest
from jupyter_agents.models.openai import OpenAIModel

QUESTION = [{"role": "user", "content": "Write a long story about a cat."}]
ONE_BLOCK = r"""
root ::= "```python\nprint(" [1-9] " + " [1-9] ")\n```"
"""


@pytest.fixture
def model(local_server):
    """A model of the local server, with these options."""

    def model(**options) -> OpenAIModel:
        return OpenAIModel(
            local_server.model, base_url=local_server.base_url, api_key="none", max_retries=0, timeout=60, **options
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
