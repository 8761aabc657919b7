"""`OpenAIWrapper`: classic calls of models, in both worlds."""

import asyncio

import pytest

from jupyter_agents import OpenAIWrapper
from jupyter_agents.errors import ConfigurationError, ModelError
from jupyter_agents.events import Delta, ModelAnswered, ModelAsked
from jupyter_agents.journal.recording import Recording
from jupyter_agents.messages import ToolCall, Usage
from jupyter_agents.models import ScriptedModel
from jupyter_agents.models.base import ModelReply
from jupyter_agents.session import use_session
from jupyter_agents.testing import ServerReply
from tests.fakes import quiet_session, user
from tests.model_calls import KEY
from tests.test_fallback import OwnClient

HELLO = [{"role": "user", "content": "Hi"}]
pytestmark = pytest.mark.timeout(20)


def sync_create(wrapper, **arguments):
    return wrapper.create(**arguments)


def async_create(wrapper, **arguments):
    return asyncio.run(wrapper.a_create(**arguments))


@pytest.fixture(params=[sync_create, async_create], ids=["sync", "async"])
def create(request):
    return request.param


def scripted(*replies):
    return {"model": ScriptedModel(list(replies))}


def test_response_has_the_shape_of_a_completion_when_a_server_answers(server, create):
    server.enqueue(ServerReply(text="Hello.", usage={"prompt_tokens": 3, "completion_tokens": 4}))

    response = create(OpenAIWrapper(**server.config, price=[1, 2]), messages=HELLO, temperature=0.5)

    assert response.choices[0].message.content == response["choices"][0]["message"]["content"] == "Hello."
    assert response.usage.total_tokens == 7
    assert (response.config_id, response.pass_filter, response.cost) == (0, True, pytest.approx(0.011))
    assert server.requests[0].body["temperature"] == 0.5
    assert "price" not in server.requests[0].body


def test_text_or_message_is_extracted_when_there_are_choices():
    call = ToolCall("f", "{}", "c1")
    alternatives = (ModelReply(None, "tool_calls", tool_calls=(call,)),)
    response = OpenAIWrapper(**scripted(ModelReply("a", alternatives=alternatives))).create(messages=HELLO)

    text, message = OpenAIWrapper.extract_text_or_completion_object(response)

    assert text == "a"
    assert message.tool_calls[0].function.name == "f"


def test_filter_of_the_call_gets_its_context_when_there_are_configs(create):
    wrapper = OpenAIWrapper(config_list=[scripted("bad"), scripted("good"), scripted("unused")])

    def is_wanted(context, response):
        return response.choices[0].message.content == context["wanted"]

    response = create(wrapper, messages=HELLO, context={"wanted": "good"}, filter_func=is_wanted)

    assert (response.choices[0].message.content, response.config_id, response.pass_filter) == ("good", 1, True)


def test_last_reply_is_given_and_marked_when_no_config_passes(create):
    wrapper = OpenAIWrapper(config_list=[scripted("a"), scripted("b")], filter_func=lambda context, response: False)

    response = create(wrapper, messages=HELLO)

    assert (response.choices[0].message.content, response.config_id, response.pass_filter) == ("b", 1, False)


def test_cost_is_of_all_tries_when_a_filter_refuses_one():
    configs = [
        {**scripted(ModelReply("bad", usage=Usage(1000, 0), model="m")), "price": [2, 0]},
        {**scripted(ModelReply("good", usage=Usage(1000, 0), model="n")), "price": [3, 0]},
    ]
    wrapper = OpenAIWrapper(
        config_list=configs, filter_func=lambda context, response: response.choices[0].message.content == "good"
    )

    assert wrapper.create(messages=HELLO).cost == pytest.approx(2 + 3)
    assert wrapper.total_usage_summary["n"]["cost"] == pytest.approx(3)
    assert wrapper.total_usage_summary["m"]["prompt_tokens"] == 1000


def test_settings_of_the_call_count_when_the_configs_say_otherwise(server, create):
    server.enqueue("ok")
    wrapper = OpenAIWrapper(config_list=[{**server.config, "temperature": 0.1, "stream": True}])

    create(wrapper, messages=HELLO, temperature=0.9, stream=False)

    assert server.requests[0].body["temperature"] == 0.9
    assert not server.requests[0].body["stream"]


def test_listeners_hear_the_stream_and_nothing_is_printed_when_a_reply_comes(create, capsys):
    heard = []

    create(OpenAIWrapper(**scripted("one two"), listeners=[heard.append]), messages=HELLO)

    assert "".join(one.text for one in heard if isinstance(one, Delta)) == "one two"
    assert capsys.readouterr() == ("", "")


def test_prompt_is_a_message_of_the_user_when_there_are_no_messages():
    model = ScriptedModel(["ok"])

    OpenAIWrapper(model=model).create(prompt="Say ok.")

    assert model.requests[0].messages == [{"role": "user", "content": "Say ok."}]


@pytest.mark.parametrize("messages", [None, [], "Hi", ["Hi"], {"role": "user"}])
def test_messages_are_refused_when_they_are_none(messages):
    with pytest.raises(ConfigurationError, match="list of dictionaries"):
        OpenAIWrapper(**scripted("ok")).create(messages=messages)


def test_usage_is_summed_by_model_when_there_are_several_calls(create, capsys):
    replies = [
        ModelReply("a", usage=Usage(10, 1), model="m"),
        ModelReply("b", usage=Usage(20, 2), model="m", cached=True),
    ]
    wrapper = OpenAIWrapper(**scripted(*replies))

    for _ in replies:
        create(wrapper, messages=HELLO)

    assert wrapper.total_usage_summary["m"]["total_tokens"] == 33
    assert wrapper.actual_usage_summary["m"]["total_tokens"] == 11
    wrapper.print_usage_summary("actual")
    assert "10 prompt and 1 completion tokens" in capsys.readouterr().out
    wrapper.clear_usage_summary()
    assert wrapper.total_usage_summary is None


def test_price_is_unknown_and_never_nothing_when_nobody_says_it():
    wrapper = OpenAIWrapper(**scripted(ModelReply("a", usage=Usage(10, 1), model="an-unknown-model")))

    assert wrapper.create(messages=HELLO).cost is None
    assert wrapper.total_usage_summary["total_cost"] is None


def test_own_client_answers_when_it_is_registered(create):
    wrapper = OpenAIWrapper(config_list=[{"model": "own", "model_client_cls": "OwnClient"}])
    wrapper.register_model_client(OwnClient)

    assert create(wrapper, messages=HELLO).choices[0].message.content == "Hi by own"
    assert create(wrapper, messages=HELLO, filter_func=lambda context, response: True).pass_filter


def test_call_counts_on_the_budget_of_the_chat_when_a_tool_makes_it():
    wrapper = OpenAIWrapper(**scripted("inner"))

    def reply(recipient, messages, sender, config):
        return True, wrapper.create(messages=HELLO, agent="helper").choices[0].message.content

    person, other = user("person"), user("other")
    other.register_reply([type(person)], reply)
    with use_session(quiet_session()):
        result = person.initiate_chat(other, message="go", max_turns=1)

    assert result.chat_history[-1]["content"] == "inner"
    assert [one.aside for one in result.log.select(ModelAsked)] == ["a call"]
    assert [one.agent for one in result.log.select(ModelAnswered)] == ["helper"]


def test_keys_are_not_shown_when_a_wrapper_is(server):
    server.enqueue(ServerReply.error(401, f"bad key {KEY}"))
    wrapper = OpenAIWrapper(config_list=[{**server.config, "api_key": KEY}])

    with pytest.raises(ModelError) as caught:
        wrapper.create(messages=HELLO)

    assert KEY not in f"{wrapper!r} {wrapper.config_list!r} {caught.value}"


def test_mode_of_a_summary_is_refused_when_it_is_unknown():
    with pytest.raises(ValueError, match="'both', 'total' and 'actual'"):
        OpenAIWrapper(**scripted()).print_usage_summary("all")


def test_recording_answers_and_the_filter_judges_anew_when_a_call_is_replayed(tmp_path, create):
    path = tmp_path / "calls.jsonl"

    def call(model, mode):
        recording = Recording.open(path, mode)
        wrapper = OpenAIWrapper(config_list=[model], filter_func=lambda context, response: False)
        with use_session(quiet_session(find_recording=lambda: recording)):
            return create(wrapper, messages=HELLO), wrapper

    call(scripted(ModelReply("kept", usage=Usage(1, 2))), "record")
    response, wrapper = call(scripted(), "replay")

    assert response.choices[0].message.content == "kept"
    assert (response.config_id, response.pass_filter, response.cached) == (None, False, True)
    assert wrapper.actual_usage_summary is None
    assert wrapper.total_usage_summary is not None
