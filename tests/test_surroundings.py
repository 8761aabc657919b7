"""Where we are: the model that is meant by default, the recording of the notebook, who shows a chat."""

import json
import shutil
from types import SimpleNamespace

import pytest

from jupyter_agents import surroundings
from jupyter_agents.effects import Complete
from jupyter_agents.errors import ConfigurationError, ModelNotConfiguredError, RecordingError
from jupyter_agents.models import local
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.models.local import LocalServer
from jupyter_agents.session import Session, Settings, current_session, set_session_maker, use_session
from jupyter_agents.surroundings import check_models, find_model, make_listeners, make_session, open_recording
from jupyter_agents.testing import FakeOpenAIServer, ScriptedModel

HEADER = {"jupyter_agents": "recording", "schema": 1, "source": "recorded", "model": None, "made": "2026-01-01"}


@pytest.fixture(autouse=True)
def no_local_server(monkeypatch):
    """Nothing that happens to listen on this machine is found."""
    monkeypatch.setattr(local, "find_local_server", lambda *args, **options: None)


@pytest.fixture
def recording(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recordings").mkdir()
    file = tmp_path / "recordings" / "talk.jsonl"
    file.write_text(json.dumps(HEADER) + "\n")
    return file


# -- The model ---------------------------------------------------------------------------------------------------


def test_model_is_the_configured_one_when_there_is_one(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-other")
    model = ScriptedModel(["hi"])

    assert find_model(Settings(model=model)) is model
    assert "gpt-x" in repr(find_model(Settings(model="gpt-x")))
    assert "127.0.0.1" in repr(find_model(Settings(model={"model": "m", "base_url": "http://127.0.0.1:1/v1"})))


@pytest.mark.parametrize(
    "variables",
    [{"OPENAI_API_KEY": "sk-1"}, {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}],
    ids=["key", "address"],
)
def test_model_is_that_of_the_environment_when_none_is_configured(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_MODEL", "gpt-named")

    assert "gpt-named" in repr(find_model(Settings()))


def test_model_is_a_local_one_when_nothing_is_configured(monkeypatch):
    found = LocalServer(base_url="http://127.0.0.1:11434/v1", name="Ollama", models=("llama3",))
    monkeypatch.setattr(local, "find_local_server", lambda *args, **options: found)

    assert "llama3" in repr(find_model(Settings()))


def test_error_says_what_to_do_when_there_is_no_model():
    with pytest.raises(ModelNotConfiguredError, match=r"OPENAI_API_KEY.*JupyterAgents.model.*--replay"):
        find_model(Settings())


def test_model_is_looked_for_again_when_a_setting_changes(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    session = make_session()
    session.settings.model = "gpt-one"
    first = session.find_model()

    assert session.find_model() is first
    session.settings.model = "gpt-two"
    assert "gpt-two" in repr(session.find_model())


def test_chat_is_refused_before_it_begins_when_a_model_has_no_key():
    from jupyter_agents import AssistantAgent, UserProxyAgent

    agent, user = AssistantAgent("a", model="gpt-4.1"), UserProxyAgent("u")

    with pytest.raises(ModelNotConfiguredError):
        check_models(agent, user, "Hello", Session())


def test_chat_needs_no_model_when_it_is_replayed(recording):
    from jupyter_agents import AssistantAgent, UserProxyAgent

    session = Session(find_recording=lambda: open_recording("all", str(recording)))

    check_models(AssistantAgent("a", model="gpt-4.1"), UserProxyAgent("u"), "Hello", session)


def test_agent_asks_the_model_of_the_session_when_it_names_none():
    from jupyter_agents import AssistantAgent

    with FakeOpenAIServer() as server, use_session(make_session()) as session:
        server.enqueue("Hello.")
        session.settings.model = {"model": "m", "base_url": server.base_url}

        reply = AssistantAgent("a").generate_reply(messages=[{"role": "user", "content": "Hi"}])

    assert reply == "Hello."
    assert server.requests[0].body["model"] == "m"


# -- The recording -----------------------------------------------------------------------------------------------


def test_nothing_is_recorded_or_replayed_when_it_is_off(recording):
    assert open_recording("off", str(recording)) is None


@pytest.mark.parametrize(("mode", "replays_people"), [("model", False), ("all", True)])
def test_words_are_replayed_as_the_mode_says(recording, mode, replays_people):
    found = open_recording(mode, str(recording))

    assert found.mode == "replay"
    assert found.conversation().replays_people is replays_people


@pytest.mark.parametrize(
    ("variable", "expected"), [("off", None), ("record", "record"), ("ALL", "replay"), ("", "replay")]
)
def test_environment_goes_before_the_mode_that_is_set(recording, monkeypatch, variable, expected):
    monkeypatch.setenv("JUPYTER_AGENTS_REPLAY", variable)

    found = open_recording("model", str(recording))

    assert (found and found.mode) == expected


@pytest.mark.parametrize(
    ("variable", "expected"), [("off", "replay"), ("record", "record"), ("all", "replay"), ("", "replay")]
)
def test_environment_switches_no_option_off_when_it_says_so(recording, monkeypatch, variable, expected):
    monkeypatch.setenv("JUPYTER_AGENTS_REPLAY", variable)

    assert open_recording("model", str(recording), is_option=True).mode == expected


class Kernel:
    """What a kernel says about the request that it handles."""

    def __init__(self):
        self.requests = 0
        self.cell = None

    def get_parent(self):
        metadata = {} if self.cell is None else {"cellId": self.cell}
        return {"metadata": metadata, "header": {"msg_id": str(self.requests)}}


@pytest.fixture
def hold(tmp_path, monkeypatch):
    """Hold a chat in a cell that begins with the same words as every other; the model's reply."""
    kernel = Kernel()
    monkeypatch.setattr(surroundings, "running_shell", lambda: SimpleNamespace(kernel=kernel))
    monkeypatch.setenv("JUPYTER_AGENTS_TRUST_DB", str(tmp_path / "trusted"))

    def hold(cell, mode, *replies, in_same_run=False, file="talk.jsonl"):
        kernel.cell, kernel.requests = cell, kernel.requests + (not in_same_run)
        asked = Complete("ada", ScriptedModel([]), ModelRequest([{"role": "user", "content": "Hi"}]))
        tape = open_recording(mode, str(tmp_path / file)).conversation()
        for reply in replies:
            tape.record(asked, ModelReply(reply), chat=0, agent="ada")
        said = None if replies else tape.replay(asked, chat=0, agent="ada").content
        tape.close()
        return said

    return hold


def test_cells_with_equal_beginnings_are_kept_apart_when_they_record(hold):
    hold("a", "record", "one")
    hold("b", "record", "two")

    assert [hold("a", "all"), hold("b", "all"), hold("a", "all"), hold("b", "all")] == ["one", "two", "one", "two"]


@pytest.mark.parametrize(("again", "expected"), [("a", ["new", "two"]), ("b", ["one", "new"])])
def test_cell_replaces_its_own_words_when_it_records_again(hold, tmp_path, again, expected):
    hold("a", "record", "one")
    hold("b", "record", "two")

    hold(again, "record", "new")

    assert [hold("b", "all"), hold("a", "all")] == expected[::-1]
    shutil.copy(tmp_path / "talk.jsonl", tmp_path / "later.jsonl")  # as a later session finds it
    assert [hold("a", "all", file="later.jsonl"), hold("b", "all", file="later.jsonl")] == expected


def test_words_of_a_longer_run_are_gone_when_the_cell_records_fewer(hold, tmp_path):
    hold("a", "record", "one")
    hold("a", "record", "more", in_same_run=True)
    hold("b", "record", "two")

    hold("a", "record", "new")

    shutil.copy(tmp_path / "talk.jsonl", tmp_path / "later.jsonl")  # as a later session finds it
    for file in ("talk.jsonl", "later.jsonl"):
        assert [hold("a", "all", file=file), hold("b", "all", file=file)] == ["new", "two"]


def test_cell_keeps_its_place_when_it_is_replayed_and_then_recorded(hold):
    hold("a", "record", "one")
    hold("b", "record", "two")
    hold("b", "all")

    hold("b", "record", "new")

    assert [hold("a", "all"), hold("b", "all")] == ["one", "new"]


def test_cells_are_all_different_when_the_front_end_does_not_name_them(hold):
    hold(None, "record", "one")
    hold(None, "record", "two")

    assert [hold(None, "all"), hold(None, "all"), hold(None, "all")] == ["one", "two", "one"]


def test_environment_is_refused_when_it_makes_no_sense(monkeypatch):
    monkeypatch.setenv("JUPYTER_AGENTS_REPLAY", "yes")

    with pytest.raises(
        ConfigurationError, match="JUPYTER_AGENTS_REPLAY='yes': it must be one of off, model, all, record"
    ):
        open_recording("off", None)


def test_recording_is_named_after_the_notebook_when_no_file_is_named(recording, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "/somewhere/talk.ipynb")

    assert open_recording("all", None).path == recording


def test_error_names_the_file_when_there_is_nothing_to_replay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(RecordingError, match=r"notebook\.jsonl"):
        open_recording("all", None)


def test_recording_is_read_anew_when_the_file_has_changed(recording):
    first = open_recording("all", str(recording))

    assert open_recording("all", str(recording)) is first
    recording.write_text(json.dumps(HEADER | {"model": "other"}) + "\n")
    assert open_recording("all", str(recording)) is not first


# -- The rest ----------------------------------------------------------------------------------------------------


def test_chat_is_shown_as_text_when_there_is_no_kernel():
    assert [type(listener).__name__ for listener in make_listeners()] == ["TextListener"]


def test_code_runs_in_one_executor_when_the_options_are_the_same():
    session = make_session()

    assert session.executor({"work_dir": "a"}) is session.executor({"work_dir": "a", "timeout": None})
    assert session.executor({"work_dir": "a"}) is not session.executor({"work_dir": "b"})


def test_session_is_made_when_it_is_first_asked_for():
    made = []

    def maker():
        made.append(Session())
        return made[-1]

    set_session_maker(maker)
    try:
        assert current_session() is current_session() is made[0]
        assert len(made) == 1
    finally:
        set_session_maker(surroundings.make_session)


@pytest.mark.parametrize(("variable", "policy"), [("auto", "auto"), (" Deny ", "deny"), ("", None)])
def test_code_policy_is_that_of_the_environment_when_it_says_one(monkeypatch, variable, policy):
    monkeypatch.setenv("JUPYTER_AGENTS_CODE_POLICY", variable)

    assert make_session().settings.code_policy == policy


def test_code_policy_of_the_environment_is_refused_when_there_is_no_such_policy(monkeypatch):
    monkeypatch.setenv("JUPYTER_AGENTS_CODE_POLICY", "yes")

    with pytest.raises(ConfigurationError, match="JUPYTER_AGENTS_CODE_POLICY='yes': it must be one of ask, auto, deny"):
        make_session()
