"""Config lists of the classic framework: from keys, from files, filtered."""

import json
import os

import pytest

from jupyter_agents import config_list_from_dotenv, config_list_from_models, config_list_openai_aoai
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.models import config_list_gpt4_gpt35, filter_config, get_config, get_config_list, model_from_config
from jupyter_agents.models.key_files import parse_dotenv

KEY, OTHER = "sk-canary-0123456789", "sk-another-0123456789"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch, tmp_path):
    """No key and no address but those of the test, in an empty folder."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "AZURE_OPENAI_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


# -- Filters -----------------------------------------------------------------------------------------------------

CONFIGS = [{"model": "a", "tags": ["x", "y"]}, {"model": "b", "tags": ["z"]}, {"model": "c"}]


@pytest.mark.parametrize(
    ("accepted", "models"),
    [
        ({"tags": ["y", "z"]}, ["c"]),
        ({"model": "a"}, ["b", "c"]),
        ({"tags": ["y"], "model": ["b"]}, ["a", "b", "c"]),
        (lambda config: config["model"] == "c", ["a", "b"]),
        (None, ["a", "b", "c"]),
    ],
)
def test_configs_are_those_that_do_not_match_when_they_are_excluded(accepted, models):
    assert [config["model"] for config in filter_config(CONFIGS, accepted, exclude=True)] == models


def test_list_shows_no_key_when_it_is_printed():
    configs = filter_config([{"model": "m", "api_key": KEY}], {"model": "m"})

    assert repr(configs) == "[{'model': 'm', 'api_key': '***'}]"
    assert configs[0]["api_key"] == KEY
    assert json.loads(json.dumps(configs)) == configs


# -- Keys and addresses ------------------------------------------------------------------------------------------


def test_config_holds_what_is_given():
    assert get_config(KEY, "https://example.com", None, "") == {"api_key": KEY, "base_url": "https://example.com"}


def test_list_has_a_config_for_each_key():
    found = get_config_list([KEY, " ", OTHER], ["http://a", "http://b", "http://c"], "azure", "v")

    assert found == [
        {"api_key": KEY, "base_url": "http://a", "api_type": "azure", "api_version": "v"},
        {"api_key": OTHER, "base_url": "http://c", "api_type": "azure", "api_version": "v"},
    ]


@pytest.mark.parametrize("keys", [KEY, {"a": KEY}, None, 5])
def test_keys_are_refused_unseen_when_they_are_no_list(keys):
    with pytest.raises(ConfigurationError, match="Cannot use api_keys of type") as caught:
        get_config_list(keys)

    assert KEY not in str(caught.value)


def test_keys_are_refused_when_there_are_not_as_many_addresses():
    with pytest.raises(ConfigurationError, match="2 keys and 1 addresses"):
        get_config_list([KEY, OTHER], ["http://a"])


# -- OpenAI and Azure --------------------------------------------------------------------------------------------


def test_configs_of_both_are_found_when_the_environment_has_their_keys(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", f"{OTHER}\nsecond")
    monkeypatch.setenv("AZURE_OPENAI_API_BASE", "https://a.example\nhttps://b.example\n")

    azure, second, openai = config_list_openai_aoai()

    assert (azure["api_key"], azure["base_url"], azure["api_type"]) == (OTHER, "https://a.example", "azure")
    assert (second["api_key"], second["base_url"]) == ("second", "https://b.example")
    assert openai == {"api_key": KEY}
    assert azure["api_version"]


def test_keys_are_read_from_files_when_the_environment_has_none(tmp_path):
    (tmp_path / "key_openai.txt").write_text(f"{KEY}\n")
    (tmp_path / "key_aoai.txt").write_text(OTHER)
    (tmp_path / "base_aoai.txt").write_text("https://a.example")

    azure, openai = config_list_openai_aoai(key_file_path=str(tmp_path))

    assert (azure["api_key"], azure["base_url"], openai["api_key"]) == (OTHER, "https://a.example", KEY)
    assert config_list_openai_aoai(key_file_path=None) == []


def test_environment_goes_first_when_there_is_a_file_too(tmp_path, monkeypatch):
    (tmp_path / "key_openai.txt").write_text(KEY)
    monkeypatch.setenv("OPENAI_API_KEY", OTHER)

    assert config_list_openai_aoai() == [{"api_key": OTHER}]


@pytest.mark.parametrize(("exclude", "kinds"), [("openai", ["azure"]), ("aoai", [None]), (None, ["azure", None])])
def test_kind_is_left_out_when_it_is_excluded(monkeypatch, exclude, kinds):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", OTHER)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://a.example")

    assert [config.get("api_type") for config in config_list_openai_aoai(exclude=exclude)] == kinds


def test_what_to_leave_out_is_refused_when_it_is_unknown():
    with pytest.raises(ConfigurationError, match="exclude is 'openai', 'aoai' or None"):
        config_list_openai_aoai(exclude="azure")


def test_each_model_is_tried_everywhere_before_the_next(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", OTHER)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://a.example")

    found = [(one["model"], one.get("api_type")) for one in config_list_from_models(model_list=["m", "n"])]

    assert found == [("m", "azure"), ("m", None), ("n", "azure"), ("n", None)]
    assert len(config_list_from_models()) == 2
    assert [one["model"] for one in config_list_gpt4_gpt35(exclude="aoai")] == ["gpt-4", "gpt-3.5-turbo"]


def test_file_is_a_clear_error_when_it_cannot_be_read(tmp_path):
    (tmp_path / "key_openai.txt").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigurationError, match=r"key_openai.txt'?: UnicodeDecodeError"):
        config_list_openai_aoai()


# -- .env --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1", {"A": "1"}),
        ("export A = 1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ('A=\'x # y\' # said\nB="p\\nq\\"r"', {"A": "x # y", "B": 'p\nq"r'}),
        ("A=x#y\nB=x # y\n#C=1", {"A": "x#y", "B": "x"}),
        ("A=\nB=$A", {"A": "", "B": "$A"}),
        ("1A=2\nnothing\n=3", {}),
        ('A="two\nlines"', {"A": "two\nlines"}),
    ],
)
def test_file_is_read_as_people_write_it(text, found):
    assert parse_dotenv(text) == found


def test_configs_are_made_when_a_dotenv_file_has_the_keys(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text(f"MY_KEY={KEY}\nOPENAI_API_KEY=in-the-file\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.setenv("OPENAI_API_KEY", OTHER)
    places = {
        "gpt-x": "OPENAI_API_KEY",
        "llama": {"api_key_env_var": "MY_KEY", "base_url": "http://127.0.0.1:9/v1", "api_type": None},
        "absent": "NO_SUCH_KEY",
    }

    found = config_list_from_dotenv(model_api_key_map=places)

    assert found == [
        {"model": "gpt-x", "api_key": OTHER},
        {"model": "llama", "api_key": KEY, "base_url": "http://127.0.0.1:9/v1"},
    ]
    assert "MY_KEY" not in os.environ
    assert KEY not in repr(found)
    assert len(model_from_config({"config_list": found}).models) == 2
    assert config_list_from_dotenv(model_api_key_map=places, filter_dict={"model": "llama"}) == found[1:]


def test_usual_models_are_meant_when_no_map_is_given(tmp_path):
    (tmp_path / "keys.env").write_text(f"OPENAI_API_KEY={KEY}")

    assert [one["model"] for one in config_list_from_dotenv(tmp_path / "keys.env")] == ["gpt-4", "gpt-3.5-turbo"]


def test_list_is_empty_when_the_filter_lets_nothing_pass(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    assert config_list_from_dotenv(filter_dict={"model": "none"}) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "none of OPENAI_API_KEY is in the environment"),
        ({"dotenv_file_path": "absent.env"}, "there is no such file"),
        ({"model_api_key_map": {"m": {"base_url": "http://x"}}}, "names no variable for it"),
        ({"model_api_key_map": {"m": KEY}}, "names no variable for it"),
        ({"model_api_key_map": {"m": 5}}, "names no variable for it"),
    ],
)
def test_mistake_is_a_clear_error_when_keys_are_looked_for(arguments, said):
    with pytest.raises(ConfigurationError, match=said) as caught:
        config_list_from_dotenv(**arguments)

    assert KEY not in str(caught.value)
