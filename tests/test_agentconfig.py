"""`%agentconfig`: every setting in force, and where it came from."""

from dataclasses import fields

import pytest
from traitlets.config import Config

from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.magics.agentconfig import Configuration
from jupyter_agents.magics.config import JupyterAgents
from jupyter_agents.session import Session, Settings, current_session, use_session
from jupyter_agents.surroundings import make_session
from jupyter_agents.testing import ScriptedModel

KEY = "sk-canary-0123456789"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch):
    """No key, no address and no mode but those of the test; no server on this machine is asked."""
    for name in (
        "OPENAI_API_KEY OPENAI_BASE_URL OPENAI_MODEL GROQ_API_KEY AZURE_OPENAI_ENDPOINT JUPYTER_AGENTS_REPLAY "
        "JUPYTER_AGENTS_CODE_POLICY JUPYTER_AGENTS_KEYRING"
    ).split():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("jupyter_agents.models.local.USUAL_PORTS", {})


@pytest.fixture
def show(shell):
    """What the magic shows, as a dictionary from settings to values and origins."""

    def show():
        return {name: (value, origin) for name, value, origin in shell.run_line_magic("agentconfig", "")}

    return show


def test_every_setting_is_shown_with_its_default(show):
    shown = show()

    assert [one.name for one in fields(Settings)] == list(shown)[: len(fields(Settings))]
    assert shown["max_turns"] == ("30", "default")
    assert shown["model"] == ("–", "default")


def test_setting_is_from_config_when_it_was_assigned(shell, show):
    shell.run_cell("%config JupyterAgents.max_turns = 3")
    shell.run_cell("%config JupyterAgents.base_url = 'http://127.0.0.1:9/v1'")

    shown = show()

    assert shown["max_turns"] == ("3", "%config")
    assert shown["session.base_url"] == ("http://127.0.0.1:9", "settings: base_url")


def test_setting_is_from_the_file_when_that_says_it():
    config = Config()
    config.JupyterAgents.max_repairs = 2
    with use_session(Session()) as session:
        shown = Configuration(JupyterAgents(session.settings, config=config), {})

    assert ("max_repairs", "2", "ipython_config") in list(shown)
    assert ("max_turns", "30", "default") in list(shown)


def test_setting_is_from_the_environment_when_that_says_it(monkeypatch):
    monkeypatch.setenv("JUPYTER_AGENTS_CODE_POLICY", "deny")
    monkeypatch.setenv("JUPYTER_AGENTS_KEYRING", "1")
    monkeypatch.setenv("JUPYTER_AGENTS_REPLAY", "model")
    monkeypatch.setenv("JUPYTER_AGENTS_RECORDING", "mine.jsonl")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with use_session(make_session()) as session:
        shown = {one[0]: one[1:] for one in Configuration(JupyterAgents(session.settings), {})}

    assert shown["code_policy"] == ("deny", "environment: JUPYTER_AGENTS_CODE_POLICY")
    assert shown["keyring"] == ("True", "environment: JUPYTER_AGENTS_KEYRING")
    assert shown["replay"] == ("model", "environment: JUPYTER_AGENTS_REPLAY")
    assert shown["recording"] == ("mine.jsonl", "environment: JUPYTER_AGENTS_RECORDING")


def test_setting_is_from_python_when_a_program_changed_it(show):
    current_session().settings.max_turns = 4

    assert show()["max_turns"] == ("4", "Python: session.settings")


def test_model_and_key_are_shown_with_where_they_are_from(monkeypatch, show):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_MODEL", "gpt-x")

    shown = show()

    assert shown["session.model"] == ("gpt-x", "environment: OPENAI_MODEL")
    assert shown["session.base_url"] == ("https://api.openai.com", "default")
    assert shown["session.api_key"] == ("***", "environment: OPENAI_API_KEY")


def test_error_is_shown_when_there_is_no_model(show):
    value, origin = show()["session.model"]

    assert value == "–"
    assert origin.startswith("Cannot call a model: none is configured")


def test_agents_are_shown_with_what_they_say_themselves(shell, show, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    configs = [{"preset": "groq", "model": "m"}, {"preset": "ollama", "model": "n"}, {"preset": "azure", "model": "o"}]
    shell.user_ns["both"] = AssistantAgent("both", llm_config={"config_list": configs})
    shell.user_ns["named"] = AssistantAgent("named", llm_config={"model": "gpt-y"})
    shell.user_ns["scripted"] = AssistantAgent("scripted", llm_config={"model": ScriptedModel(["a"])})
    shell.user_ns["silent"] = AssistantAgent("silent")
    shell.user_ns["runs"] = UserProxyAgent("runs", code_execution_config={"work_dir": "out"})
    shell.run_cell("%config JupyterAgents.code_policy = 'ask'")

    shown = show()

    assert shown["both.model [1]"] == ("m", "agent")
    assert shown["both.api_key [1]"] == ("–", "missing: GROQ_API_KEY")
    assert "logprobs" in shown["both.lacks [1]"][0]
    assert shown["both.api_key [2]"] == ("–", "not needed")
    assert shown["both.base_url [3]"] == shown["both.api_key [3]"] == ("–", "missing: AZURE_OPENAI_ENDPOINT")
    assert shown["named.model"] == ("gpt-y", "agent, where the settings or the environment say")
    assert "ScriptedModel" in shown["scripted.model"][0]
    assert "silent.model" not in shown
    assert shown["runs.code_policy"] == ("ask", "settings: code_policy")


def test_key_is_nowhere_when_the_settings_are_shown(shell, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    config = {"model": "m", "api_key": KEY, "base_url": f"https://user:{KEY}@example.com/v1?key={KEY}"}
    shell.user_ns["agent"] = AssistantAgent("agent", llm_config=config)
    current_session().settings.model = config
    current_session().settings.api_key_variable = KEY

    shown = shell.run_line_magic("agentconfig", "")

    assert "https://example.com" in repr(shown)
    assert KEY[-4:] not in repr(shown) + shown._repr_html_() + shown._repr_markdown_() + repr(
        current_session().settings
    )


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("base_url", f"https://user:{KEY}@example.com/v1"),
        ("base_url", f"https://example.com/v1?key={KEY}"),
        ("base_url", f"http://[{KEY}"),
        ("api_key_variable", KEY),
        ("api_key_variable", "gsk_0123456789"),
    ],
)
def test_setting_is_refused_unseen_when_it_may_hold_a_key(shell, caplog, setting, value):
    shell.run_cell(f"%config JupyterAgents.{setting} = {value!r}")

    assert "Cannot use" in caplog.text
    assert KEY not in caplog.text
    assert getattr(current_session().settings, setting) is None


def test_table_is_for_every_viewer(shell):
    shown = shell.run_line_magic("agentconfig", "")

    assert repr(shown).splitlines()[0].split() == ["setting", "value", "from"]
    assert 'aria-label="Settings"' in shown._repr_html_()
    assert shown._repr_markdown_().startswith("| setting | value | from |")
