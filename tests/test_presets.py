"""Servers that are known by name: where they are, whose key they get, what they lack."""

import json
from pathlib import Path

import pytest

from jupyter_agents.drive import Run, drive
from jupyter_agents.errors import ConfigurationError, ModelNotConfiguredError, ModelRejectedError
from jupyter_agents.models import PRESETS, find_local_servers, model_from_config
from jupyter_agents.models.base import ModelRequest
from jupyter_agents.models.endpoint import Endpoint
from jupyter_agents.models.keys import Secret, forget_keys
from jupyter_agents.models.local import LocalServer
from jupyter_agents.models.presets import preset_named, preset_of
from jupyter_agents.session import Session, Settings, use_session
from jupyter_agents.surroundings import find_model
from jupyter_agents.testing import FakeOpenAIServer

KEY, OTHER = "sk-canary-0123456789", "sk-another-0123456789"
HELLO = [{"role": "user", "content": "Hi"}]


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch):
    """No key, no address and no setting but those of the test."""
    variables = [one.key_variable for one in PRESETS.values() if one.key_variable]
    for name in (*variables, "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    forget_keys()
    with use_session(Session()):
        yield
    forget_keys()


@pytest.fixture
def settings():
    """The settings in force."""
    with use_session(Session(settings=Settings())) as session:
        yield session.settings


@pytest.fixture
def ask():
    """Ask a server that is taken for a preset; the body that arrived."""

    def ask(preset, messages=HELLO, **options):
        with FakeOpenAIServer() as server:
            server.enqueue("ok")
            model = model_from_config({"model": "m", "preset": preset, "base_url": server.base_url})
            drive(model.complete(ModelRequest(messages, options)), Run())
            return server.requests[0].body

    return ask


def origin_of_key(**config):
    return Endpoint(**config).find_key().origin


# -- Where a server is --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.base_url])
def test_server_is_where_its_preset_says_when_the_config_has_no_address(name):
    endpoint = model_from_config({"model": "m", "preset": name}).endpoint

    assert endpoint.find_url().value == PRESETS[name].base_url
    assert endpoint.find_url().origin == f"preset: {name}"


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.host])
def test_server_is_known_by_its_address_when_no_preset_is_named(name):
    assert model_from_config({"model": "m", "base_url": PRESETS[name].base_url}).endpoint.server is PRESETS[name]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:11434/v1",
        "https://api.groq.com.example.com/v1",
        "https://example.com/api.groq.com",
        "http://[",
    ],
)
def test_server_is_not_guessed_when_its_address_is_another(url):
    assert preset_of(url) is None


def test_address_of_the_config_goes_first_when_it_names_a_preset_too():
    endpoint = model_from_config({"model": "m", "preset": "vllm", "base_url": "http://10.0.0.1:9/v1"}).endpoint

    assert endpoint.find_url().value == "http://10.0.0.1:9/v1"
    assert endpoint.server is PRESETS["vllm"]


@pytest.mark.parametrize(("kind", "name"), [("google", "gemini"), ("ollama", "ollama"), ("groq", "groq")])
def test_api_type_is_a_preset_when_it_names_a_known_server(kind, name):
    assert model_from_config({"model": "m", "api_type": kind}).endpoint.server is PRESETS[name]


def test_azure_is_reached_as_azure_when_it_is_the_preset():
    config = {"model": "m", "preset": "azure", "base_url": "https://r.openai.azure.com", "api_key": KEY}

    endpoint = model_from_config(config).endpoint.resolve()

    assert endpoint.path("m") == "/deployments/m/chat/completions"


def test_error_names_the_presets_when_there_is_none_of_this_name():
    with pytest.raises(ConfigurationError, match=r"there are openai, azure.*Did you mean 'ollama'") as caught:
        model_from_config({"model": "m", "preset": "olama"})
    with pytest.raises(ConfigurationError) as shown:
        model_from_config({"model": "m", "preset": KEY})

    assert KEY not in f"{caught.value} {shown.value}"


# -- Whose key it gets --------------------------------------------------------------------------------------------


def test_key_of_openai_is_not_sent_when_the_server_is_another_known_one(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    with pytest.raises(ModelNotConfiguredError, match=r"no API key for api\.groq\.com\. Set GROQ_API_KEY"):
        Endpoint(base_url="https://api.groq.com/openai/v1").resolve()


def test_key_of_the_server_is_sent_when_it_has_a_variable(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("GROQ_API_KEY", OTHER)

    assert Endpoint(preset="groq").resolve().api_key == Secret(OTHER)
    assert Endpoint().resolve().api_key == Secret(KEY)


def test_key_of_openai_is_sent_when_the_environment_says_where(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.groq.com/openai/v1")

    assert Endpoint().resolve().api_key == Secret(KEY)


def test_no_key_is_sent_when_the_preset_needs_none(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    endpoint = Endpoint(preset="vllm", base_url="http://10.0.0.1:8000/v1")

    assert endpoint.resolve().api_key == Secret("not-needed")
    assert endpoint.find_key().origin == "not needed"


def test_key_comes_from_the_first_that_has_one(monkeypatch, settings, fake_keyring):
    fake_keyring["OPENAI_API_KEY"] = "in-the-keyring"
    settings.keyring = True
    assert origin_of_key() == "keyring: OPENAI_API_KEY"

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert origin_of_key() == "environment: OPENAI_API_KEY"

    monkeypatch.setenv("MY_KEY", OTHER)
    settings.api_key_variable = "MY_KEY"
    assert origin_of_key() == "environment: MY_KEY"

    assert origin_of_key(key_variable="OPENAI_API_KEY") == "environment: OPENAI_API_KEY"
    assert origin_of_key(api_key=Secret(KEY)) == "llm_config"


def test_variable_of_the_settings_is_not_read_when_the_config_says_where(monkeypatch, settings):
    monkeypatch.setenv("MY_KEY", KEY)
    settings.api_key_variable = "MY_KEY"

    with pytest.raises(ModelNotConfiguredError):
        Endpoint(base_url="https://example.com/v1").resolve()


def test_address_comes_from_the_first_that_has_one(monkeypatch, settings):
    origins = [Endpoint().find_url().origin]

    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    origins.append(Endpoint().find_url().origin)
    settings.base_url = "http://127.0.0.1:2/v1"
    origins.append(Endpoint().find_url().origin)
    origins.append(Endpoint(preset="ollama").find_url().origin)
    origins.append(Endpoint(preset="ollama", base_url="http://127.0.0.1:3/v1").find_url().origin)

    assert origins == [
        "default",
        "environment: OPENAI_BASE_URL",
        "settings: base_url",
        "preset: ollama",
        "llm_config",
    ]


def test_model_is_at_the_address_of_the_settings_when_none_is_named(settings):
    settings.base_url = "http://127.0.0.1:2/v1"

    assert find_model(settings).endpoint.resolve().base_url == "http://127.0.0.1:2/v1"


@pytest.mark.parametrize("name", [KEY, "gsk_abcdef0123456789", "a b", ""])
def test_name_of_a_variable_is_refused_unseen_when_it_may_be_a_key(name):
    with pytest.raises(ConfigurationError, match="no name of a variable") as caught:
        model_from_config({"model": "m", "api_key_variable": name})

    assert not name or name not in str(caught.value)


# -- The keyring --------------------------------------------------------------------------------------------------


@pytest.fixture
def fake_keyring():
    """A keyring in memory, with the keys in it; `None` for one that is locked."""
    import keyring
    from keyring.backend import KeyringBackend
    from keyring.errors import KeyringLocked

    held = {}

    class Memory(KeyringBackend):
        priority = 1

        def get_password(self, service, username):
            assert service == "jupyter-agents"
            if held.get(username, "") is None:
                raise KeyringLocked(KEY)
            return held.get(username)

        set_password = delete_password = None

    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    yield held
    keyring.set_keyring(before)


def test_keyring_is_not_asked_when_the_settings_do_not_allow_it(fake_keyring):
    fake_keyring["OPENAI_API_KEY"] = KEY

    with pytest.raises(ModelNotConfiguredError):
        Endpoint().resolve()


def test_model_is_configured_when_its_key_is_in_the_keyring_only(fake_keyring, settings):
    fake_keyring["OPENAI_API_KEY"] = KEY
    settings.keyring = True

    assert find_model(settings).endpoint.resolve().api_key == Secret(KEY)


def test_error_says_what_to_do_when_the_keyring_is_locked(fake_keyring, settings):
    fake_keyring["OPENAI_API_KEY"] = None
    settings.keyring = True

    with pytest.raises(ConfigurationError, match="KeyringLocked. Unlock it") as caught:
        Endpoint().resolve()
    assert KEY not in str(caught.value)


def test_error_says_what_to_install_when_there_is_no_keyring(monkeypatch, settings):
    import sys

    monkeypatch.setitem(sys.modules, "keyring", None)
    settings.keyring = True

    with pytest.raises(ConfigurationError, match=r"jupyter-agents\[keyring\]"):
        Endpoint().resolve()


# -- What it lacks ------------------------------------------------------------------------------------------------

PEOPLE = [
    {"role": "system", "content": "Be brief.", "name": "rules"},
    {"role": "user", "content": "Hi", "name": "Ann"},
    {"role": "assistant", "content": "Hello", "name": "Bot"},
    {"role": "user", "content": [{"type": "text", "text": "Bye"}], "name": "Ben"},
    {"role": "tool", "content": "1", "tool_call_id": "c", "name": "f"},
]


@pytest.mark.parametrize("preset", ["groq", "mistral", "anthropic"])
def test_names_stand_before_the_words_when_the_server_takes_none(ask, preset):
    before = json.dumps(PEOPLE)

    sent = ask(preset, PEOPLE)["messages"]

    assert sent == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Ann: Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": [{"type": "text", "text": "Ben:"}, {"type": "text", "text": "Bye"}]},
        PEOPLE[4],
    ]
    assert json.dumps(PEOPLE) == before


def test_names_are_left_out_when_one_person_speaks(ask):
    assert ask("groq", PEOPLE[:3])["messages"][1] == {"role": "user", "content": "Hi"}


def test_names_are_sent_when_the_server_reads_them(ask):
    assert ask("deepseek", PEOPLE)["messages"] == PEOPLE


@pytest.mark.parametrize(
    ("preset", "options", "said"),
    [
        ("groq", {"logprobs": True}, "Cannot ask Groq with the option 'logprobs'"),
        ("groq", {"logit_bias": {"1": 2}}, "'logit_bias'"),
        ("groq", {"n": 2}, "gives one choice a request"),
        ("anthropic", {"n": 3}, "gives one choice a request"),
        ("anthropic", {"logprobs": True}, "'logprobs'"),
        ("ollama", {"n": 2}, "gives one choice a request"),
        ("lmstudio", {"response_format": {"type": "json_object"}}, "json_schema and text only"),
        ("deepseek", {"response_format": {"type": "json_schema", "json_schema": {}}}, "json_object and text only"),
    ],
)
def test_error_names_what_is_lacking_before_anything_is_sent(preset, options, said):
    with FakeOpenAIServer() as server:
        server.enqueue("never")
        model = model_from_config({"model": "m", "preset": preset, "base_url": server.base_url})
        with pytest.raises(ModelRejectedError, match=said):
            drive(model.complete(ModelRequest(HELLO, options)), Run())

        assert server.requests == []


def test_next_model_is_asked_when_the_first_server_lacks_something():
    with FakeOpenAIServer() as server:
        server.enqueue("from the second")
        first = {"model": "a", "preset": "groq", "base_url": "http://127.0.0.1:1/v1"}
        model = model_from_config({"config_list": [first, {**server.config, "model": "b"}]})

        reply = drive(model.complete(ModelRequest(HELLO, {"logprobs": True})), Run())

    assert reply.content == "from the second"


def test_options_go_through_when_they_say_what_holds_anyway(ask):
    sent = ask("groq", n=1, logprobs=False, temperature=0)

    assert "logprobs" not in sent
    assert (sent["n"], sent["temperature"]) == (1, 0)


def test_options_are_called_as_the_server_calls_them(ask):
    sent = ask("mistral", seed=7, max_completion_tokens=9)

    assert (sent["random_seed"], sent["max_tokens"]) == (7, 9)
    assert {"seed", "max_completion_tokens"}.isdisjoint(sent)


def test_own_name_of_an_option_goes_first_when_it_is_said_twice(ask):
    assert ask("mistral", seed=7, random_seed=8)["random_seed"] == 8
    assert ask("mistral", random_seed=8, seed=7)["random_seed"] == 8


def test_nothing_is_checked_when_the_preset_is_switched_off():
    endpoint = model_from_config({"model": "m", "preset": False, "base_url": PRESETS["groq"].base_url}).endpoint

    assert endpoint.server is None


def test_every_preset_is_in_the_documentation():
    page = (Path(__file__).parent.parent / "docs" / "inference.md").read_text("utf-8")

    for preset in PRESETS.values():
        [row] = [line for line in page.splitlines() if line.startswith(f"| `{preset.name}` |")]
        cells = [cell.strip() for cell in row.split("|")[1:-1]]
        assert cells[1:] == [
            preset.base_url or "–",
            preset.key_variable or "–",
            preset.lacks or "–",
            preset.notes or "–",
        ]


def test_preset_has_other_names_when_people_call_it_so():
    assert preset_named(" Google ") is PRESETS["gemini"]
    assert preset_named("llamacpp") is PRESETS["llama.cpp"]


# -- Servers on this machine --------------------------------------------------------------------------------------


def test_all_servers_are_listed_when_several_answer():
    def port_of(server):
        return int(server.base_url.split(":")[2].removesuffix("/v1"))

    with FakeOpenAIServer(models=["a"]) as one, FakeOpenAIServer(models=["b", "c"]) as other:
        found = find_local_servers(ports={port_of(one): "Ollama", 1: "Nobody", port_of(other): "vLLM"})

    assert found == [LocalServer(one.base_url, "Ollama", ("a",)), LocalServer(other.base_url, "vLLM", ("b", "c"))]
