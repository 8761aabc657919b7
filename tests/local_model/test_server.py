"""What llama.cpp's server does on the wire, told by the plain client: the ground that the other tests here stand on.

The model is far too small to be right. Nothing here looks at what it says, only at how it comes.
"""

import openai
import pytest

QUESTION = [{"role": "user", "content": "Write a long story about a cat."}]

ONE_BLOCK = r"""
root ::= "```python\nprint(" [1-9] " + " [1-9] ")\n```"
"""


@pytest.fixture
def client(local_server):
    with openai.OpenAI(base_url=local_server.base_url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


def test_server_names_its_model(client, local_server):
    assert [model.id for model in client.models.list()] == [local_server.model]


def test_reply_is_cut_when_it_reaches_max_tokens(client, local_server):
    reply = client.chat.completions.create(model=local_server.model, messages=QUESTION, max_tokens=5)

    assert reply.choices[0].finish_reason == "length"
    assert reply.usage.completion_tokens == 5
    assert reply.usage.prompt_tokens > 5


def test_stream_comes_in_pieces_and_ends_with_the_usage(client, local_server):
    stream = client.chat.completions.create(
        model=local_server.model, messages=QUESTION, max_tokens=12, stream=True, stream_options={"include_usage": True}
    )

    chunks = list(stream)

    pieces = [one.choices[0].delta.content for one in chunks if one.choices and one.choices[0].delta.content]
    assert len(pieces) > 5
    assert [one.choices[0].finish_reason for one in chunks if one.choices][-1] == "length"
    assert chunks[-1].usage.completion_tokens == 12


def test_reply_is_one_code_block_when_a_grammar_says_so(client, local_server):
    reply = client.chat.completions.create(
        model=local_server.model, messages=QUESTION, temperature=0, extra_body={"grammar": ONE_BLOCK}
    )

    assert reply.choices[0].message.content.startswith("```python\nprint(")
    assert reply.choices[0].message.content.endswith(")\n```")
    assert reply.choices[0].finish_reason == "stop"


def test_reply_is_the_same_when_it_is_asked_for_twice_at_temperature_0(client, local_server):
    def ask():
        reply = client.chat.completions.create(
            model=local_server.model, messages=QUESTION, max_tokens=12, temperature=0, seed=1
        )
        return reply.choices[0].message.content

    assert ask() == ask()


def test_server_refuses_when_the_conversation_is_too_long(client, local_server):
    long = [{"role": "user", "content": "cat " * 20_000}]

    with pytest.raises(openai.BadRequestError, match="context"):
        client.chat.completions.create(model=local_server.model, messages=long, max_tokens=1)
