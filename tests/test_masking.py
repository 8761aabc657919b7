"""Keys never reach a page: wherever a config is shown, refused or complained about."""

import copy
import json
import pickle
import pprint

import pytest
from IPython.lib.pretty import pretty

from jupyter_agents import AssistantAgent
from jupyter_agents.agents.model_config import ModelConfig
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.magics.roster import Roster
from jupyter_agents.models.config import model_from_config
from jupyter_agents.models.config_lists import config_list_from_json
from jupyter_agents.models.masking import MaskedConfig, kind_of, masked
from jupyter_agents.models.openai import OpenAIModel
from jupyter_agents.session import Session, Settings, current_session
from jupyter_agents.testing import ScriptedModel

KEY = "secretkey-canary-0123456789"
CONFIG = {
    "model": "gpt-x",
    "api_key": KEY,
    "base_url": f"https://user:{KEY}@example.com:8443/v1?key={KEY}",
    "temperature": 0,
    "default_headers": {"Authorization": f"Bearer {KEY}"},
    "extra_body": {"password": KEY},
    "password": KEY,
    "stop": [KEY],
}
LIST = {"config_list": [CONFIG, CONFIG], "seed": 1}


def said_by(action):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever: what it says is the point
        action()
    return f"{caught.value!r} {caught.value}"


# -- What is shown -----------------------------------------------------------------------------------------------


def test_config_shows_what_is_harmless_and_hides_the_rest():
    assert repr(MaskedConfig(CONFIG)) == repr(
        {
            "model": "gpt-x",
            "api_key": "***",
            "base_url": "https://example.com:8443",
            "temperature": 0,
            "default_headers": "***",
            "extra_body": "***",
            "password": "***",
            "stop": "***",
        }
    )


def test_config_is_a_dictionary_with_all_its_values():
    config = MaskedConfig(LIST)

    assert config == LIST
    assert json.loads(json.dumps(config)) == LIST
    assert copy.deepcopy(config) == pickle.loads(pickle.dumps(config)) == LIST


@pytest.mark.parametrize(
    "odd",
    [{"config_list": KEY}, {"config_list": [KEY]}, {"model": {"api_key": KEY}}, {"base_url": KEY}, {KEY[:2]: KEY}],
)
def test_config_hides_its_values_when_it_is_no_good(odd):
    assert KEY not in repr(MaskedConfig(odd))


@pytest.mark.parametrize("config", [CONFIG, LIST], ids=["one", "list"])
@pytest.mark.parametrize(
    "show",
    [
        lambda config: repr(MaskedConfig(config)),
        lambda config: repr(copy.deepcopy(MaskedConfig(config))),
        lambda config: pretty(MaskedConfig(config)) + pprint.pformat(MaskedConfig(config)) + str(MaskedConfig(config)),
        lambda config: repr(MaskedConfig(LIST)["config_list"]),
        lambda config: repr(model_from_config(config)),
        lambda config: repr(model_from_config({**config, "model": ScriptedModel(["a"]), "config_list": None})),
        lambda config: repr(ModelConfig.from_classic(config)),
        lambda config: repr(AssistantAgent("a", llm_config=config)),
        lambda config: pretty(AssistantAgent("a", llm_config=config).llm_config),
        lambda config: repr(Roster({"a": AssistantAgent("a", llm_config=config)})),
        lambda config: Roster({"a": AssistantAgent("a", llm_config=config)})._repr_html_(),
        lambda config: repr(Settings(model=config)),
        lambda config: repr(Settings(model=[config])),
        lambda config: repr(Session(settings=Settings(model=config))),
    ],
    ids="""config copy printed nested model given_model model_config agent llm_config roster page settings settings_slip
        session""".split(),
)
def test_key_is_nowhere_when_things_are_shown(config, show):
    assert KEY not in show(config)


def test_options_of_a_model_are_shown_when_they_are_harmless():
    model = OpenAIModel("m", api_key=KEY, temperature=0, extra_body={"top_k": 3, "token": KEY})

    assert repr(model) == "OpenAIModel('m', 'api.openai.com', temperature=0, top_k=3, token='***')"


def test_setting_is_what_it_is_when_it_is_no_config():
    model = ScriptedModel(["a"])

    assert [masked(one) for one in ("gpt-x", None, model)] == ["gpt-x", None, model]


# -- What is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "slip",
    [
        lambda: AssistantAgent("a", llm_config=[CONFIG]),
        lambda: AssistantAgent("a", llm_config=KEY),
        lambda: AssistantAgent("a", llm_config=[CONFIG], temperature=0),
        lambda: AssistantAgent("a", llm_config={"config_list": CONFIG}),
        lambda: AssistantAgent("a", llm_config={"config_list": [KEY]}),
        lambda: AssistantAgent("a", llm_config={"config_list": KEY}),
        lambda: AssistantAgent("a", llm_config={"model": CONFIG}),
        lambda: AssistantAgent("a", llm_config={**CONFIG, (KEY,): 1}),
        lambda: model_from_config([CONFIG]),
        lambda: model_from_config({"model": [CONFIG]}),
        lambda: model_from_config({**CONFIG, "base_url": KEY}),
        lambda: model_from_config({**CONFIG, "base_url": f"http://example.com:{KEY}"}),
        lambda: model_from_config({**CONFIG, "base_url": CONFIG}),
        lambda: model_from_config({**CONFIG, "api_key": [KEY]}),
        lambda: model_from_config({**CONFIG, "timeout": KEY}),
        lambda: model_from_config({**CONFIG, "max_retries": KEY}),
        lambda: config_list_from_json(json.dumps([CONFIG])),
        lambda: config_list_from_json(f"  {json.dumps(CONFIG)}"),
        lambda: config_list_from_json(KEY),
        lambda: config_list_from_json([CONFIG]),
    ],
    ids=str,
)
def test_key_is_nowhere_when_a_config_is_refused(slip):
    assert KEY not in said_by(slip)


@pytest.mark.parametrize(
    "text", [KEY, KEY * 20, f"{{'api_key': '{KEY}'}}", json.dumps(CONFIG), f'["{KEY}"]', f"\0{KEY}"]
)
def test_key_is_nowhere_when_a_variable_or_a_file_holds_no_config_list(tmp_path, monkeypatch, text):
    (tmp_path / "A_FILE.json").write_text(text)
    if "\0" not in text:
        monkeypatch.setenv("A_LIST", text)

    said = said_by(lambda: config_list_from_json("A_LIST"))
    said += said_by(lambda: config_list_from_json("A_FILE.json", str(tmp_path)))

    assert "Cannot" in said
    assert KEY not in said


def test_error_names_the_type_and_the_keys_when_a_config_is_refused():
    with pytest.raises(
        ConfigurationError, match=r"llm_config of type list \(with a dict of model, api_key\).*'config_list'"
    ):
        AssistantAgent("a", llm_config=[{"model": "m", "api_key": KEY}])

    assert kind_of({KEY: 1, "model": 2}) == "of type dict (with ***, model)"
    assert kind_of({}) == "of type dict"


# -- %config -----------------------------------------------------------------------------------------------------


def test_key_is_nowhere_when_the_settings_are_printed(shell, capsys):
    shell.user_ns["config"] = {**LIST, "api_key": KEY}
    shell.run_line_magic("config", "JupyterAgents.model = config")

    shell.run_line_magic("config", "JupyterAgents")

    printed = capsys.readouterr()
    assert "'seed': 1" in printed.out
    assert KEY not in printed.out + printed.err + repr(current_session())
    assert current_session().settings.model == {**LIST, "api_key": KEY}
    assert "example.com" in repr(current_session().find_model())


def test_key_is_nowhere_when_a_setting_is_refused(shell, capsys, caplog):
    shell.run_line_magic("config", f"JupyterAgents.model = {[CONFIG]!r}")

    printed = capsys.readouterr()
    assert "Cannot use a model of type list" in printed.out + printed.err + caplog.text
    assert KEY not in printed.out + printed.err + caplog.text
    assert current_session().settings.model is None


# -- Copies ------------------------------------------------------------------------------------------------------


def test_config_of_an_agent_can_be_copied():
    config = ModelConfig.from_classic({**CONFIG, "functions": [{"name": "f"}]})

    other = copy.deepcopy(config)

    assert (other.to_classic(), other.options) == (config.to_classic(), config.options)
    assert repr(other.model) == repr(config.model)
    assert other.model is not config.model


def test_config_can_be_pickled_when_its_model_can():
    config = ModelConfig.from_classic({"model": "gpt-x", "temperature": 0})

    other = pickle.loads(pickle.dumps(config))

    assert (other.to_classic(), other.options) == ({"model": "gpt-x", "temperature": 0}, {"temperature": 0})


def test_options_stay_what_they_are_when_a_copy_is_changed():
    config = ModelConfig.from_classic({"temperature": 0})

    config.options["temperature"] = 1

    assert config.options == {"temperature": 0}


def test_agent_answers_alike_when_it_was_copied():
    agent = AssistantAgent("a", llm_config={"model": ScriptedModel(["one", "two"]), "temperature": 0})

    other = copy.deepcopy(agent)

    messages = [{"role": "user", "content": "Hi"}]
    assert (agent.generate_reply(messages), other.generate_reply(messages)) == ("one", "one")
