"""A bare model name never changes who reads the conversation."""

import os

import pytest

from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.agents.model_config import ModelConfig
from jupyter_agents.errors import ConfigurationError, ModelNotConfiguredError
from jupyter_agents.magics.people import adjusted
from jupyter_agents.models import local
from jupyter_agents.models.base import ModelReply, check_configured
from jupyter_agents.models.config import model_from_config
from jupyter_agents.models.fallback import FallbackModel
from jupyter_agents.models.local import find_local_server
from jupyter_agents.models.named import is_bare, named_model
from jupyter_agents.models.openai import OpenAIModel
from jupyter_agents.session import Settings, current_session, use_session
from jupyter_agents.surroundings import find_model, make_session
from jupyter_agents.testing import FakeOpenAIServer, ScriptedModel

HELLO = [{"role": "user", "content": "Hi"}]
THERE = {"base_url": "http://10.0.0.5:8000/v1", "api_key": "key-of-ours"}
AT_THERE = "OpenAIModel('other', '10.0.0.5:8000'"


class CustomModel:
    async def complete(self, request):
        return ModelReply("from a model of the user's own")


@pytest.fixture(autouse=True)
def locally(monkeypatch):
    """The ports of the servers that are to be found on this machine; none at first."""
    ports = {}
    monkeypatch.setattr(local, "USUAL_PORTS", ports)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    return ports


@pytest.fixture
def session():
    with use_session(make_session()) as session:
        yield session


@pytest.fixture
def server():
    with FakeOpenAIServer(models=("fake-model", "other:latest")) as server:
        server.respond_with(lambda request: request.body["model"])
        yield server


@pytest.fixture
def here(server, locally):
    """The server, found on this machine."""
    locally[int(server.base_url.rsplit(":", 1)[1].removesuffix("/v1"))] = "Ollama"
    return server


def reply_with_option(agent, name):
    """What the agent answers in a chat with `--model NAME`."""
    user = UserProxyAgent("user")
    options = dict.fromkeys(("human", "policy", "own_policy"))
    with adjusted(user, agent, **options, model=name):
        return agent.generate_reply(HELLO)


# -- Where a name is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "base",
    [
        {"model": "m", **THERE},
        {"config_list": [{"model": "m", **THERE}, {"model": "b", "api_key": "k"}]},
        {"config_list": [{"model": "m"}], **THERE},
        {"model": "m", "api_base": THERE["base_url"], "api_key": "k"},
        {"model": OpenAIModel("m", **THERE), "temperature": 0},
        OpenAIModel("m", **THERE),
        FallbackModel([OpenAIModel("m", **THERE), OpenAIModel("n", api_key="k")]),
        model_from_config({"model": OpenAIModel("m", **THERE), "temperature": 0}),
    ],
    ids="config list shared classic model_in_config model fallback with_options".split(),
)
def test_endpoint_is_kept_when_only_the_name_is_replaced(monkeypatch, base):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")

    assert AT_THERE in repr(named_model("other", base))


def test_settings_are_kept_when_only_the_name_is_replaced():
    base = {"config_list": [{"model": "m", "timeout": 7, "temperature": 0, **THERE}, {"model": "b"}]}

    model = named_model("other", base)

    assert (model.name, model.timeout, model.max_retries) == ("other", 7, 2)
    assert "temperature=0" in repr(model)


def test_base_stays_what_it_is_when_a_model_is_renamed():
    base = OpenAIModel("m", temperature=0, **THERE)

    other = base.renamed("other")

    assert (base.name, other.name) == ("m", "other")
    assert base._endpoint == other._endpoint


@pytest.mark.parametrize("as_model", [False, True], ids=["config", "model"])
def test_name_is_that_of_the_deployment_when_it_is_at_azure(as_model):
    azure = {"azure_endpoint": "https://x.openai.azure.com", "azure_deployment": "mine", "api_version": "1"}
    base = (
        model_from_config({"model": "m", "api_key": "k", **azure})
        if as_model
        else {"model": "m", "api_key": "k", **azure}
    )

    endpoint = named_model("other", base)._endpoint

    assert endpoint.host == "x.openai.azure.com"
    assert endpoint.path("other") == "/deployments/other/chat/completions"


@pytest.mark.parametrize(
    "base", [None, "m", {"model": "m"}, ScriptedModel(["a"])], ids=["none", "name", "bare", "script"]
)
@pytest.mark.parametrize(
    ("environment", "host"),
    [
        ({"OPENAI_BASE_URL": "http://10.0.0.7/v1"}, "10.0.0.7"),
        ({"OPENAI_API_KEY": "sk-1"}, "api.openai.com"),
    ],
    ids=["address", "key"],
)
def test_environment_says_where_when_the_base_does_not(here, monkeypatch, base, environment, host):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert repr(named_model("other", base)) == f"OpenAIModel('other', '{host}')"
    assert here.requests == []


@pytest.mark.parametrize("name", ["fake-model", "other", "other:latest"])
def test_local_server_is_meant_when_it_offers_the_name(here, name):
    assert repr(named_model(name)) == f"OpenAIModel({name!r}, '{here.base_url[7:-3]}')"


def test_second_server_is_meant_when_the_first_does_not_offer_the_name(here, locally):
    with FakeOpenAIServer(models=("big",)) as second:
        locally[int(second.base_url.rsplit(":", 1)[1].removesuffix("/v1"))] = "LM Studio"

        assert find_local_server(ports=locally).base_url == here.base_url
        assert find_local_server(ports=locally, model="big").base_url == second.base_url
        assert find_local_server(ports=locally, model="small") is None


def test_usual_error_is_raised_when_nobody_offers_the_name(here):
    with pytest.raises(ModelNotConfiguredError, match="OPENAI_API_KEY"):
        check_configured(named_model("gpt-x"))


def test_model_is_not_replaced_by_one_elsewhere_when_it_has_no_other_names(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")

    with pytest.raises(ConfigurationError, match="Cannot ask for 'other': the model in use is a CustomModel"):
        named_model("other", CustomModel())


@pytest.mark.parametrize(
    ("config", "bare"),
    [
        ("m", True),
        ({"model": "m", "timeout": 3, "temperature": 0, "base_url": None}, True),
        ({"model": "m", "api_key": "k"}, False),
        ({"config_list": [{"model": "m"}]}, False),
        ({"temperature": 0}, False),
        (ScriptedModel(["a"]), False),
    ],
    ids=str,
)
def test_config_is_bare_when_it_only_names_a_model(config, bare):
    assert is_bare(config) is bare


# -- In a cell ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "whose"),
    [
        ("%%agentchat", "agent"),
        ("%%agentchat", "session"),
        ("%%agentchat", "local"),
        ("%%agent", "session"),
        ("%%agent", "local"),
    ],
)
def test_cell_stays_where_it_is_when_it_names_a_model(shell, here, monkeypatch, way, whose):
    agent = AssistantAgent("ada", llm_config=here.config if whose == "agent" else None)
    if whose == "session":
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
        current_session().settings.model = here.config
    if way == "%%agent":
        shell.run_cell("%%agent ada --model other\nBe brief.")
    else:
        shell.user_ns["ada"] = agent

    option = "--model other" if way == "%%agentchat" else ""
    result = shell.run_cell(f"%%agentchat --to ada {option}\nHello")

    assert result.success
    assert [message["content"] for message in shell.user_ns["_chat"].messages] == ["Hello", "other"]


# -- In a session ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["config", "config_list", "session", "session_model"])
def test_chat_stays_where_it_is_when_the_option_names_a_model(session, server, monkeypatch, way):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    config = None
    if way.startswith("session"):
        session.settings.model = server.config if way == "session" else model_from_config(server.config)
    else:
        config = server.config if way == "config" else {"config_list": [server.config, {"model": "b", **THERE}]}
    agent = AssistantAgent("a", llm_config=config)

    replies = [reply_with_option(agent, "other"), agent.generate_reply(HELLO)]

    assert replies == ["other", "fake-model"]
    assert server.requests[0].headers["authorization"] == "Bearer fake-key"


def test_agent_stays_where_the_session_is_when_it_only_names_a_model(session, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    session.settings.model = {**server.config, "temperature": 1, "seed": 3}

    reply = AssistantAgent("a", llm_config={"model": "other", "temperature": 0}).generate_reply(HELLO)

    assert reply == "other"
    assert (server.requests[0].body["temperature"], server.requests[0].body["seed"]) == (0, 3)


def test_agent_goes_where_its_own_config_says_when_it_says_so(session, server):
    session.settings.model = {"model": "m", **THERE}

    assert AssistantAgent("a", llm_config=server.config).generate_reply(HELLO) == "fake-model"


def test_agent_follows_when_the_session_moves(session, here):
    agent = AssistantAgent("a", model="other")
    assert agent.generate_reply(HELLO) == "other"

    session.settings.model = {"model": "m", **THERE}

    assert AT_THERE in repr(agent.model._find())
    assert agent.model._find() is agent.model._find()


def test_agent_finds_a_server_when_it_was_started_later(session, server, locally):
    agent = AssistantAgent("a", model="other")
    with pytest.raises(ModelNotConfiguredError):
        agent.model.check_configured()

    locally[int(server.base_url.rsplit(":", 1)[1].removesuffix("/v1"))] = "Ollama"

    assert agent.generate_reply(HELLO) == "other"


@pytest.mark.parametrize("config", [False, ScriptedModel(["a"]), {"model": ScriptedModel(["a"]), "temperature": 0}])
def test_session_says_where_when_the_agents_own_model_is_nowhere(session, server, monkeypatch, config):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    session.settings.model = server.config
    agent = UserProxyAgent("me", human_input_mode="NEVER", code_execution_config=False, llm_config=config)

    assert reply_with_option(agent, "other") == "other"
    assert server.requests[0].body["model"] == "other"


def test_setting_is_looked_for_again_when_nobody_offered_the_name(session, server, locally):
    session.settings.model = "other"
    assert "api.openai.com" in repr(session.find_model())

    locally[int(server.base_url.rsplit(":", 1)[1].removesuffix("/v1"))] = "Ollama"

    assert server.base_url[7:-3] in repr(session.find_model())
    assert session.find_model() is session.find_model()


def test_agent_without_a_model_gets_one_when_the_option_names_it(session, here):
    agent = UserProxyAgent("me", human_input_mode="NEVER", code_execution_config=False)

    assert ModelConfig.from_classic(False).renamed("other").to_classic() == {"model": "other"}
    assert reply_with_option(agent, "other") == "other"


def test_config_shows_the_name_when_the_option_names_a_model(session):
    config = ModelConfig.from_classic({"config_list": [{"model": "m", **THERE}], "seed": 1}).renamed("other")

    assert config.to_classic() == {"model": "other", "seed": 1}
    assert config.options == {"seed": 1}


@pytest.mark.parametrize("model", ["other", {"model": "other", "temperature": 0}], ids=["name", "bare"])
def test_setting_means_the_local_server_when_it_is_a_name_only(here, model):
    assert here.base_url[7:-3] in repr(find_model(Settings(model=model)))


@pytest.mark.parametrize(("wanted", "found"), [("other", "other"), ("gpt-x", "fake-model"), ("", "fake-model")])
def test_variable_chooses_among_the_models_of_a_local_server(here, monkeypatch, wanted, found):
    monkeypatch.setenv("OPENAI_MODEL", wanted)

    assert repr(find_model(Settings())) == f"OpenAIModel({found!r}, '{here.base_url[7:-3]}')"
    assert os.environ["OPENAI_MODEL"] == wanted
