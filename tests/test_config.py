"""From what a user writes to a model, and from one model to the next."""

import json

import pytest

from jupyter_agents import AssistantAgent
from jupyter_agents.drive import Run, drive
from jupyter_agents.errors import (
    ConfigurationError,
    ContextLengthError,
    MalformedReplyError,
    ModelNotConfiguredError,
    ModelRejectedError,
    ModelTimeoutError,
    ModelUnavailableError,
    RateLimitedError,
    ReplyInterruptedError,
)
from jupyter_agents.events import Waiting
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.models.config import model_from_config, request_options
from jupyter_agents.models.config_keys import INFERENCE_KEYS
from jupyter_agents.models.config_lists import config_list_from_json, filter_config
from jupyter_agents.models.endpoint import Endpoint, Secret, is_loopback
from jupyter_agents.models.fallback import FallbackModel
from jupyter_agents.models.openai import OpenAIModel
from jupyter_agents.nearest import nearest
from jupyter_agents.testing import ScriptedModel, ServerReply

KEY = "sk-canary-0123456789"
HELLO = ModelRequest([{"role": "user", "content": "Hi"}])


def ask(model, request=HELLO, notices=None):
    return drive(model.complete(request), Run(listeners=(notices.append,) if notices is not None else ()))


# -- One config -------------------------------------------------------------------------------------------------


def test_classic_keys_are_understood_when_they_are_used(server):
    server.enqueue("ok")
    config = {
        "config_list": [{"model": "gpt-4", "api_base": server.base_url, "api_key": KEY, "api_type": "open_ai"}],
        "request_timeout": 7,
        "temperature": 0,
        "seed": 42,
        "cache_seed": None,
        "use_cache": True,
        "retry_time": 10,
        "functions": [{"name": "f"}],
    }

    model = model_from_config(config)
    ask(model)

    assert model.timeout == 7
    sent = server.requests[0].body
    assert {key: sent[key] for key in sent if key not in ("messages", "stream", "stream_options")} == {
        "model": "gpt-4",
        "temperature": 0,
        "seed": 42,
        "functions": [{"name": "f"}],
    }


def test_config_is_copied_when_the_model_is_made(server):
    server.enqueue("ok")
    config = {**server.config, "stop": ["a"]}

    model = model_from_config(config)
    config["stop"].append("b")
    config["model"] = "other"
    ask(model)

    assert server.requests[0].body["stop"] == ["a"]
    assert server.requests[0].body["model"] == "fake-model"


def test_options_of_the_request_go_first_when_both_say_something(server):
    server.enqueue("ok")

    ask(model_from_config({**server.config, "temperature": 0}), ModelRequest(HELLO.messages, {"temperature": 1}))

    assert server.requests[0].body["temperature"] == 1


def test_a_model_is_itself_when_it_is_the_config():
    model = ScriptedModel(["a"])

    assert model_from_config(model) is model
    assert model_from_config({"model": model}) is model
    assert model_from_config({"config_list": [{"model": model}]}) is model


def test_a_model_is_asked_with_options_when_the_config_has_some():
    model = ScriptedModel(["a"])

    ask(model_from_config({"model": model, "temperature": 0, "cache_seed": 1}), ModelRequest(HELLO.messages, {"n": 1}))

    assert model.requests[0].options == {"temperature": 0, "n": 1}


def test_words_are_written_by_hand_when_those_of_all_models_are():
    scripted, real = ScriptedModel(["a"]), OpenAIModel("m")

    assert model_from_config({"model": scripted, "temperature": 0}).scripted
    assert FallbackModel([scripted, scripted]).scripted
    assert not FallbackModel([scripted, real]).scripted
    assert not model_from_config({"model": real, "temperature": 0}).scripted


def test_a_name_is_a_model_when_it_is_the_config():
    assert model_from_config("gpt-9").name == "gpt-9"
    assert model_from_config(None).name


def test_no_key_is_needed_when_the_model_is_only_made():
    model = model_from_config({"config_list": [{"model": "a"}, {"model": "b"}]})

    with pytest.raises(ModelNotConfiguredError, match="OPENAI_API_KEY"):
        model.check_configured()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (5, "Cannot use llm_config of type int"),
        ({"config_list": []}, "Cannot use config_list: it is empty"),
        ({"config_list": {"model": "a"}}, "Cannot use config_list of type dict"),
        ({"config_list": ["gpt-4"]}, "Cannot use config_list: entry 1 is a str"),
        ({"model": 5}, "Cannot use a model of type int"),
        ({1: 2}, "Cannot use a key of type int"),
    ],
)
def test_mistake_is_a_clear_error_when_the_config_is(config, said):
    with pytest.raises(ConfigurationError, match=said):
        model_from_config(config)


def test_key_is_nowhere_when_things_are_shown():
    config = {"model": "m", "api_key": KEY, "base_url": f"https://user:{KEY}@example.com/v1", "max_tokens": 5}

    model = model_from_config({"config_list": [config, config], "extra_headers": {"x-key": KEY}})

    assert KEY not in repr(model)
    assert KEY not in repr([vars(one) for one in model.models])
    assert repr(model.models[0]) == "OpenAIModel('m', 'example.com', max_tokens=5)"


@pytest.mark.parametrize(
    ("name", "found"), [("temprature", "temperature"), ("api_keys", "api_key"), ("nothing_like_it", None)]
)
def test_nearest_name_is_found_when_there_is_one(name, found):
    assert nearest(name, INFERENCE_KEYS) == found


# -- Secrets and addresses --------------------------------------------------------------------------------------


def test_secret_does_not_show_when_printed_compared_or_pickled():
    import copy
    import pickle

    secret = Secret(KEY)

    assert KEY not in f"{secret} {secret!r} {Endpoint(api_key=secret)!r}"
    assert secret == Secret(KEY) != Secret("other")
    assert copy.deepcopy({"a": secret})["a"] is secret
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:1", True),
        ("http://127.0.0.1/v1", True),
        ("http://127.1.2.3/v1", True),
        ("http://[::1]:8/v1", True),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost.example.com", False),
        ("https://api.openai.com", False),
    ],
)
def test_address_is_of_this_machine_only_when_it_is(url, local):
    assert is_loopback(url) is local


def test_azure_needs_an_address_when_it_is_asked():
    with pytest.raises(ModelNotConfiguredError, match="AZURE_OPENAI_ENDPOINT"):
        ask(OpenAIModel("m", api_type="azure", api_key=KEY))


# -- Fallback ---------------------------------------------------------------------------------------------------

SHOWN = ModelReply("shown", "interrupted")
NOTHING = ModelReply(None, "interrupted")


def broken(error, partial):
    error.partial = partial
    return error


@pytest.mark.parametrize(
    "error",
    [
        ModelUnavailableError("x"),
        ModelTimeoutError("x"),
        RateLimitedError("x", retry_after=1),
        ModelRejectedError("x", status=401),
        ModelRejectedError("x", status=429),
        ModelRejectedError("x", status=404),
        ContextLengthError("x", status=400),
        MalformedReplyError("x"),
        ModelNotConfiguredError("x"),
        ReplyInterruptedError("x", partial=NOTHING),
    ],
    ids=lambda error: f"{type(error).__name__}_{getattr(error, 'status', '')}",
)
def test_next_model_answers_when_the_first_fails_with(error):
    notices = []

    reply = ask(FallbackModel([ScriptedModel([error]), ScriptedModel(["second"])]), notices=notices)

    assert reply.content == "second"
    assert notices[0] == Waiting(0.0, "the next model is asked: ScriptedModel failed")


@pytest.mark.parametrize(
    "error",
    [
        ModelRejectedError("x", status=400),
        ModelRejectedError("x", status=422),
        ReplyInterruptedError("x", partial=SHOWN),
        broken(ModelTimeoutError("x"), SHOWN),
        ValueError("x"),
        KeyboardInterrupt(),
    ],
    ids=["400", "422", "text_was_shown", "late_text_was_shown", "another_error", "interrupt"],
)
def test_no_other_model_is_asked_when_it_cannot_help(error):
    second = ScriptedModel(["second"])

    with pytest.raises(type(error)):
        ask(FallbackModel([ScriptedModel([error]), second]))

    assert second.calls == 0


def test_last_error_names_every_try_when_all_fail(server):
    server.enqueue(ServerReply.error(401, "bad key"), ServerReply.error(429, "slow down", retry_after="130"))
    model = model_from_config({"config_list": [{**server.config, "model": "a"}, {**server.config, "model": "b"}]})

    with pytest.raises(RateLimitedError) as caught:
        ask(model)

    assert caught.value.retry_after == 130
    for part in ("any of 2 models", "[1] 'a' at", "HTTP 401 (bad key)", "[2] 'b' at", "HTTP 429 (slow down)"):
        assert part in str(caught.value)


def test_only_the_last_model_is_asked_again_when_there_are_several(server):
    server.respond_with(lambda request: ServerReply.error(500, retry_after="0.01"))
    model = model_from_config({"config_list": [{**server.config, "model": "a"}, {**server.config, "model": "b"}]})

    with pytest.raises(ModelUnavailableError):
        ask(model)

    assert [request.body["model"] for request in server.requests] == ["a", "b", "b", "b"]


def test_list_is_configured_when_one_of_its_models_is():
    model = model_from_config({"config_list": [{"model": "a"}, {"model": "b", "api_key": KEY}, {"model": "c"}]})

    model.check_configured()


def test_fallback_is_refused_when_there_is_no_model():
    with pytest.raises(ConfigurationError, match="there are no models"):
        FallbackModel([])


# -- Config lists -----------------------------------------------------------------------------------------------

CONFIGS = [{"model": "a", "tags": ["x", "y"]}, {"model": "b", "api_type": "azure"}]


def test_list_is_read_when_it_is_in_a_variable(monkeypatch):
    monkeypatch.setenv("MY_CONFIGS", json.dumps(CONFIGS))

    assert config_list_from_json("MY_CONFIGS") == CONFIGS
    assert config_list_from_json("MY_CONFIGS", filter_dict={"model": ["b"]}) == CONFIGS[1:]


def test_list_is_read_when_it_is_in_a_file(tmp_path, monkeypatch):
    (tmp_path / "MY_CONFIGS").write_text(json.dumps(CONFIGS))

    assert config_list_from_json("MY_CONFIGS", file_location=str(tmp_path)) == CONFIGS
    monkeypatch.setenv("A_PATH", str(tmp_path / "MY_CONFIGS"))
    assert config_list_from_json("A_PATH") == CONFIGS


@pytest.mark.parametrize(
    ("text", "said"), [("{oops", "it is not JSON"), ('{"model": "a"}', "of type dict"), ("[5]", "entry 1 is a int")]
)
def test_mistake_is_a_clear_error_when_the_list_is(monkeypatch, text, said):
    monkeypatch.setenv("MY_CONFIGS", text)

    with pytest.raises(ConfigurationError, match=said):
        config_list_from_json("MY_CONFIGS")


def test_mistake_is_a_clear_error_when_there_is_no_list(tmp_path):
    with pytest.raises(ConfigurationError, match="no environment variable 'MY_CONFIGS'"):
        config_list_from_json("MY_CONFIGS", str(tmp_path))


@pytest.mark.parametrize(
    ("accepted", "models"),
    [
        (None, ["a", "b"]),
        ({}, ["a", "b"]),
        ({"model": ["a", "c"]}, ["a"]),
        ({"model": "b"}, ["b"]),
        ({"model": {"a", "b"}, "api_type": ["azure"]}, ["b"]),
        ({"tags": ["y", "z"]}, ["a"]),
        ({"api_type": ["azure", None]}, ["a", "b"]),
        ({"model": ["c"]}, []),
        (lambda config: "tags" in config, ["a"]),
    ],
)
def test_configs_are_those_that_match_when_filtered(accepted, models):
    assert [config["model"] for config in filter_config(CONFIGS, accepted)] == models


def test_setting_of_a_config_goes_before_the_shared_one():
    config = {"temperature": 1, "seed": 3, "config_list": [{"model": "a", "api_key": "k", "temperature": 0}]}

    assert request_options(config) == {"seed": 3}


# -- Slips of the keyboard ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "meant"),
    [("modle", "model"), ("temprature", "temperature"), ("api_keyy", "api_key"), ("max_token", "max_tokens")],
)
def test_mistyped_key_is_refused_with_what_was_meant(key, meant):
    with pytest.raises(ConfigurationError, match=f"the key '{key}'. Did you mean '{meant}'"):
        AssistantAgent("a", llm_config={"model": "m", "api_key": "k", key: 1})


@pytest.mark.parametrize("key", ["top_k", "min_p", "repetition_penalty", "num_ctx", "enable_thinking"])
def test_setting_of_a_servers_own_is_sent_as_it_is(key):
    agent = AssistantAgent("a", llm_config={"model": "m", "api_key": "k", "base_url": "http://127.0.0.1:1", key: 1})

    assert agent.request_options == {key: 1}
