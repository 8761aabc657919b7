"""What a program asks a model in templates: what is filled in, and what never is."""

import asyncio

import pytest

from jupyter_agents import OpenAIWrapper
from jupyter_agents.errors import ConfigurationError, InvalidMessageError
from jupyter_agents.testing import FakeOpenAIServer
from tests.fakes import assistant, user
from tests.model_calls import KEY

pytestmark = pytest.mark.timeout(20)
CONTEXT = {"topic": "tea", "n": 2, "key": "sk-canary-9876543210"}


@pytest.fixture
def server():
    with FakeOpenAIServer() as server:
        server.respond_with(lambda request: "fine")
        yield server


@pytest.fixture(params=["create", "a_create"])
def create(request, server):
    wrapper = OpenAIWrapper(model="m", base_url=server.base_url, api_key=KEY)

    def ask(**arguments):
        given = getattr(wrapper, request.param)(**arguments)
        return asyncio.run(given) if request.param == "a_create" else given

    return ask


def said(server):
    return server.requests[-1].body["messages"]


async def later(context):
    await asyncio.sleep(0)
    return f"soon, {context['topic']}"


@pytest.mark.parametrize(
    ("prompt", "is_allowed", "asked"),
    [
        ("{n} lines on {topic}, {{}}", True, "2 lines on tea, {}"),
        ("{n} lines on {topic}", False, "{n} lines on {topic}"),
        (lambda context: context["topic"] * context["n"], False, "teatea"),
        (lambda context: "{topic}", True, "{topic}"),
        (later, False, "soon, tea"),
    ],
    ids=["text", "not allowed", "function", "text of a function", "async function"],
)
def test_prompt_is_filled_in_when_it_is_a_template(server, create, prompt, is_allowed, asked):
    create(prompt=prompt, context=CONTEXT, allow_format_str_template=is_allowed)

    assert said(server) == [{"role": "user", "content": asked}]
    assert {"context", "allow_format_str_template"}.isdisjoint(server.requests[-1].body)


def test_messages_are_filled_in_when_they_are_templates(server, create):
    messages = [
        {"role": "system", "content": "Write {n} lines."},
        {"role": "user", "content": lambda context: f"On {context['topic']}."},
    ]

    create(messages=messages, context=CONTEXT, allow_format_str_template=True)

    assert [one["content"] for one in said(server)] == ["Write 2 lines.", "On tea."]
    assert messages[0]["content"] == "Write {n} lines."


def test_messages_come_from_a_function_when_it_is_given(server, create):
    create(messages=lambda context: [{"role": "user", "content": context["topic"]}], context=CONTEXT)

    assert said(server) == [{"role": "user", "content": "tea"}]


@pytest.mark.parametrize("role", ["assistant", "tool", "function"])
def test_words_are_not_filled_in_when_a_model_or_a_tool_has_said_them(server, create, role):
    messages = [{"role": "user", "content": "Hi"}, {"role": role, "content": "{key}", "name": "f", "tool_call_id": "1"}]

    create(messages=messages, context=CONTEXT, allow_format_str_template=True)

    assert said(server)[1]["content"] == "{key}"


def test_opening_is_filled_in_when_the_recipient_is_configured_so():
    model = {"model": assistant("fine").model, "allow_format_str_template": True}
    other = user(llm_config=model)

    result = user().initiate_chat(other, message={"content": "{n} lines", "context": CONTEXT}, max_turns=1, silent=True)

    assert result.messages[0]["content"] == "2 lines"


def test_setting_of_the_wrapper_counts_when_a_call_says_nothing(server):
    wrapper = OpenAIWrapper(model="m", base_url=server.base_url, api_key=KEY, allow_format_str_template=True)

    wrapper.create(prompt="{topic}", context=CONTEXT)
    wrapper.create(prompt="{topic}", context=CONTEXT, allow_format_str_template=False)

    assert [one.body["messages"][0]["content"] for one in server.requests] == ["tea", "{topic}"]


@pytest.mark.parametrize("template", ["{missing}", "{0}", "{", "{topic.nothing}", "{topic:d}"])
def test_template_is_refused_when_it_cannot_be_filled_in(server, create, template):
    with pytest.raises(InvalidMessageError, match="Cannot fill in the template"):
        create(prompt=template, context=CONTEXT, allow_format_str_template=True)

    assert server.requests == []


def test_error_names_the_function_when_a_template_fails(create):
    def on_nothing(context):
        return context["nothing"]

    with pytest.raises(KeyError) as caught:
        create(prompt=on_nothing, context=CONTEXT)

    assert "on_nothing" in "".join(caught.value.__notes__)


@pytest.mark.parametrize(
    "wrong", [{"prompt": lambda context: 3}, {"messages": lambda context: "Hi"}, {"prompt": "Hi", "context": 3}, {}]
)
def test_request_is_refused_when_a_template_comes_to_no_messages(create, wrong):
    with pytest.raises(ConfigurationError, match="Cannot"):
        create(**wrong)
