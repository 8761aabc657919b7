"""What a model is sent: in both APIs, to models with habits of their own, and with parts that can be sent at all."""

import base64

import pytest

from jupyter_agents.errors import ConfigurationError, InvalidMessageError
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.models.config import model_from_config
from jupyter_agents.models.openai import OpenAIModel
from jupyter_agents.models.requests import adapted_messages, adapted_options
from jupyter_agents.models.responses import to_response_request
from jupyter_agents.testing import ServerReply
from tests.model_calls import HELLO, model_of, sync_face

pytestmark = pytest.mark.usefixtures("first_or_later")

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG").decode()


# -- Chat completions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
def test_alternatives_and_logprobs_are_in_the_reply_when_they_are_asked_for(server, ask, stream):
    logprobs = {"content": [{"token": "one", "logprob": -0.5}]}
    server.enqueue(ServerReply(text="one", alternatives=["two", "three"], logprobs=logprobs))

    reply = ask(model_of(server, stream=stream, n=3, logprobs=True, seed=7))

    sent = server.requests[0].body
    assert (sent["n"], sent["logprobs"], sent["seed"]) == (3, True, 7)
    assert [one.content for one in (reply, *reply.alternatives)] == ["one", "two", "three"]
    assert reply.logprobs == logprobs


def test_reply_is_not_held_back_when_a_server_gives_fewer_choices_than_asked_for(server, ask):
    server.enqueue("only one")

    reply = ask(model_of(server, n=3, timeout=2))

    assert (reply.content, reply.alternatives) == ("only one", ())


def test_alternatives_are_waited_for_when_the_first_has_finished_long_before(server, ask, monkeypatch):
    monkeypatch.setattr("jupyter_agents.models.openai._FOR_USAGE", 0.02)
    pieces = [
        b'data: {"choices": [{"index": 0, "delta": {"content": "one"}, "finish_reason": "stop"}]}\n\n',
        b'data: {"choices": [{"index": 1, "delta": {"content": "two"}, "finish_reason": "stop"}]}\n\n',
    ]
    server.enqueue(ServerReply.raw(*pieces, pause=0.1))

    reply = ask(model_of(server, n=2))

    assert [one.content for one in (reply, *reply.alternatives)] == ["one", "two"]


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("o1", "max_completion_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("o4-mini-2025-04-16", "max_completion_tokens"),
        ("gpt-5", "max_completion_tokens"),
        ("gpt-5.1-codex", "max_completion_tokens"),
        ("gpt-4o", "max_tokens"),
        ("gpt-4.1-mini", "max_tokens"),
        ("olmo-2", "max_tokens"),
    ],
)
def test_token_limit_has_the_name_that_the_model_knows(model, sent):
    assert adapted_options({"max_tokens": 5}, model, is_openai=True) == {sent: 5}


def test_token_limit_stays_as_it_is_when_the_server_is_not_openais(server):
    server.enqueue("ok")

    sync_face(model_of(server, max_tokens=5).renamed("o3-mini"))

    assert server.requests[0].body["max_tokens"] == 5


def test_own_token_limit_is_kept_when_both_are_given():
    options = {"max_tokens": 5, "max_completion_tokens": 6}

    assert adapted_options(options, "o3", is_openai=True) == {"max_completion_tokens": 6}


@pytest.mark.parametrize(
    ("model", "asked", "role"),
    [
        ("gpt-4.1", None, "system"),
        ("o3", None, "system"),
        ("o1", None, "system"),
        ("o1-mini", None, "user"),
        ("o1-preview-2024-09-12", None, "user"),
        ("o3", "developer", "developer"),
        ("o1-mini", "system", "system"),
    ],
)
def test_instructions_have_the_role_that_the_model_takes(model, asked, role):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]

    found = adapted_messages(messages, model, asked)

    assert [one["role"] for one in found] == [role, "user"]
    assert messages[0]["role"] == "system"


def test_system_role_of_a_config_is_obeyed_and_not_sent(server, ask):
    server.enqueue("ok")
    model = model_from_config(server.config | {"system_role": "developer"})

    ask(model, ModelRequest([{"role": "system", "content": "Be brief."}]))

    assert server.requests[0].body["messages"] == [{"role": "developer", "content": "Be brief."}]
    assert "system_role" not in server.requests[0].body


@pytest.mark.parametrize("setting", [{"system_role": "boss"}, {"api": "completions"}])
def test_setting_is_refused_when_there_is_no_such_thing(server, setting):
    with pytest.raises(ConfigurationError, match="are accepted. Correct it"):
        model_of(server, **setting)


@pytest.mark.parametrize("image", [{"url": PNG}, {"url": PNG, "detail": "low"}, {"url": "https://example.com/a.png"}])
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_image_is_sent_when_a_server_can_read_it(server, api, image):
    server.enqueue("ok")
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": image}]

    sync_face(model_of(server, api=api), ModelRequest([{"role": "user", "content": parts}]))

    sent = server.requests[0].body
    if api == "chat":
        assert sent["messages"][0]["content"] == parts
    else:
        shown = {"type": "input_image", "image_url": image["url"], "detail": image.get("detail", "auto")}
        assert sent["input"][0]["content"] == [{"type": "input_text", "text": "What is it?"}, shown]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,a"}}, "it is not valid base64"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,ab cd"}}, "it is not valid base64"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}, "there is nothing in it"),
        ({"type": "image_url", "image_url": {"url": "picture.png"}}, "its address begins with 'picture.png'"),
        ({"type": "image_url", "image_url": {"url": PNG, "detail": "much"}}, "its detail is 'much'"),
        ({"type": "image_url", "image_url": PNG}, "its 'image_url' is not a dictionary"),
        ({"type": "image_url"}, "its 'image_url' is not a dictionary"),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "it is sound"),
    ],
)
@pytest.mark.parametrize("api", ["chat", "responses"])
def test_part_is_refused_before_anything_is_sent_when_no_server_could_read_it(server, ask, api, part, said):
    with pytest.raises(InvalidMessageError, match=said):
        ask(model_of(server, api=api), ModelRequest([{"role": "user", "content": [part]}]))

    assert server.requests == []


@pytest.mark.parametrize("options", [{"modalities": ["text", "audio"]}, {"audio": {"voice": "alloy"}}])
def test_speech_is_refused_before_anything_is_sent_when_it_is_asked_for(server, options):
    with pytest.raises(ConfigurationError, match="asks for speech"):
        sync_face(model_of(server, **options))

    assert server.requests == []


# -- Responses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "said",
    [
        ModelReply("Hello you."),
        ModelReply(None, "tool_calls", tool_calls=(ToolCall("f", '{"a": 1}', "c1"), ToolCall("g", "{}", "c2"))),
        ModelReply("Both.", "tool_calls", tool_calls=(ToolCall("f", '{"a": 1}', "c1"),)),
        ModelReply(None, "stop", refusal="I will not."),
        ModelReply("Cut", "length"),
        ModelReply("Filtered", "content_filter"),
    ],
    ids=["text", "calls", "both", "refusal", "length", "content_filter"],
)
def test_reply_of_the_responses_api_is_the_one_that_was_said(server, ask, stream, said):
    server.enqueue(said)

    reply = ask(model_of(server, api="responses", stream=stream))

    assert server.requests[0].path.endswith("/v1/responses")
    assert reply.usage.prompt_tokens is not None
    assert not reply.usage.estimated
    assert reply.to_json() | {"usage": None, "model": None} == said.to_json() | {"usage": None, "model": None}


def test_text_is_told_as_it_comes_when_the_responses_api_streams(server, ask):
    server.enqueue(ServerReply(text="a b c", pause=0.05))
    notices = []

    ask(model_of(server, api="responses"), notices=notices)

    assert [notice.text for notice in notices] == ["a ", "b ", "c"]


def test_nothing_is_kept_at_the_server_when_the_responses_api_is_asked(server, ask):
    server.enqueue("ok")

    ask(model_of(server, api="responses"))

    assert server.requests[0].body == {
        "model": "m",
        "stream": True,
        "store": False,
        "input": [{"role": "user", "content": "Hi"}],
    }


def test_conversation_with_calls_is_in_the_items_of_the_responses_api():
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "name": "ada", "content": "Go"},
        {"role": "assistant", "name": "bob", "content": "On it.", "tool_calls": [ToolCall("f", "{}", "c1").to_json()]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "assistant", "content": None, "function_call": {"name": "g", "arguments": ""}},
        {"role": "function", "name": "g", "content": [{"type": "text", "text": "43"}]},
        {"role": "user", "name": "ada", "content": [{"type": "text", "text": "Look"}]},
    ]

    assert to_response_request({"model": "m", "messages": messages})["input"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "ada:\nGo"},
        {"role": "assistant", "content": "On it."},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "42"},
        {"type": "function_call", "call_id": "call_legacy_1", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_legacy_1", "output": "43"},
        {"role": "user", "content": [{"type": "input_text", "text": "ada:\n"}, {"type": "input_text", "text": "Look"}]},
    ]


SCHEMA = {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"max_tokens": 5}, {"max_output_tokens": 5}),
        ({"max_completion_tokens": 5}, {"max_output_tokens": 5}),
        ({"n": 1, "stream_options": {"include_usage": True}}, {}),
        (
            {"reasoning_effort": "low", "verbosity": "low"},
            {"reasoning": {"effort": "low"}, "text": {"verbosity": "low"}},
        ),
        ({"logprobs": True, "top_logprobs": 2}, {"include": ["message.output_text.logprobs"], "top_logprobs": 2}),
        ({"logprobs": False}, {}),
        ({"store": True, "temperature": 0}, {"store": True, "temperature": 0}),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}], "tool_choice": "auto"},
            {
                "tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}],
                "tool_choice": "auto",
            },
        ),
        (
            {"functions": [{"name": "f", "parameters": SCHEMA}], "function_call": {"name": "f"}},
            {
                "tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": False}],
                "tool_choice": {"type": "function", "name": "f"},
            },
        ),
        ({"tools": [{"type": "web_search"}]}, {"tools": [{"type": "web_search"}]}),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
                }
            },
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}}},
        ),
        ({"response_format": {"type": "json_object"}}, {"text": {"format": {"type": "json_object"}}}),
    ],
)
def test_options_have_the_names_of_the_responses_api(options, sent):
    assert to_response_request({"messages": [], **options}) == {"store": False, "input": []} | sent


@pytest.mark.parametrize(
    "options",
    [
        {"n": 2},
        {"stop": ["a"]},
        {"seed": 1},
        {"logit_bias": {"1": 2}},
        {"previous_response_id": "r"},
        {"background": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_option_is_refused_before_anything_is_sent_when_the_responses_api_cannot_do_it(server, ask, options):
    with pytest.raises(ConfigurationError, match=f"Cannot send the request: .*{next(iter(options))!r}"):
        ask(model_of(server, api="responses", **options), HELLO)

    assert server.requests == []


def test_responses_are_asked_for_when_a_config_says_so(server, ask):
    server.enqueue("ok")

    ask(model_from_config(server.config | {"api": "responses", "temperature": 0}))

    assert server.requests[0].path == "/v1/responses"
    assert "api" not in server.requests[0].body


def test_deployment_is_the_model_when_azure_is_asked_for_responses(server, ask):
    server.enqueue("ok")
    address = server.base_url.removesuffix("/v1")
    model = OpenAIModel(
        "my-deployment", azure_endpoint=address, api_type="azure", api_version="v", api_key="k", api="responses"
    )

    assert ask(model).content == "ok"
    assert server.requests[0].path == "/openai/responses?api-version=v"
    assert server.requests[0].body["model"] == "my-deployment"


def test_context_of_a_request_is_kept_and_never_sent(server, ask):
    server.enqueue("ok")
    request = ModelRequest(HELLO.messages, context={"secret": "word"})

    ask(model_of(server), request)

    assert "word" not in str(server.requests[0].body)
