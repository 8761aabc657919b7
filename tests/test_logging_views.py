"""The classic's logging, and the file of what happened: what is in them, and what is not."""

import json
import sqlite3
import stat
from contextlib import closing

import pytest

from jupyter_agents import AssistantAgent, OpenAIWrapper, export_logging, logged_history, start_logging, stop_logging
from jupyter_agents.drive import Run, drive
from jupyter_agents.effects import Complete
from jupyter_agents.errors import ConfigurationError, ModelError
from jupyter_agents.events import ChatStarted, Event, EventLog
from jupyter_agents.journal import logging_views
from jupyter_agents.messages import Usage
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.scripted import ScriptedModel
from tests.fakes import assistant, quiet_session, user
from tests.model_calls import HELLO

pytestmark = pytest.mark.timeout(20)


@pytest.fixture(autouse=True)
def no_logging_after():
    yield
    stop_logging()
    logging_views._state = logging_views._State()


def talk(*replies, message="Hi", **options):
    other = assistant(*replies)
    return user().initiate_chat(other, message=message, max_turns=len(replies), silent=True, **options)


def texts(key):
    return [message["content"] for message in json.loads(key)]


def test_history_is_none_when_logging_was_never_started(monkeypatch):
    monkeypatch.setattr(logging_views, "_state", logging_views._State())

    assert logged_history() is None


def test_conversation_is_one_entry_when_the_history_is_compact():
    start_logging()
    talk("one", "two")

    [(key, value)] = logged_history().items()

    assert texts(key)[1:] == ["Hi", "one", "", "two"]
    assert value == {"created_at": [0, 1], "cost": [None, None]}


def test_calls_are_numbered_entries_when_the_history_is_not_compact():
    start_logging(compact=False)
    talk("one", "two")

    history = logged_history()

    assert list(history) == [0, 1]
    assert [one["content"] for one in history[1]["request"]["messages"]][1:] == ["Hi", "one", ""]
    [choice] = history[1]["response"]["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("two", "stop")
    assert history[1]["response"]["usage"]["total_tokens"] > 0
    json.dumps(history)


def test_two_conversations_are_two_entries_when_they_begin_alike():
    start_logging()
    talk("one")
    talk("two")
    talk("two")

    history = logged_history()

    assert sorted(value["created_at"] for value in history.values()) == [[0], [1, 2]]


def test_dictionary_is_filled_when_one_is_given():
    mine = {}
    start_logging(mine)
    talk("one")

    stop_logging()

    assert [texts(key)[-1] for key in mine] == ["one"]
    assert logged_history() is mine


def test_nothing_more_is_kept_when_logging_has_stopped():
    start_logging(compact=False)
    talk("one")
    stop_logging()

    talk("two")

    assert list(logged_history()) == [0]


@pytest.mark.parametrize(("reset", "first"), [(True, 0), (False, 1)])
def test_numbers_go_on_when_the_counter_is_not_reset(reset, first):
    start_logging(compact=False)
    talk("one")

    start_logging(compact=False, reset_counter=reset)
    talk("two")

    assert list(logged_history()) == [first]


def test_calls_without_a_chat_are_kept_when_logging():
    start_logging(compact=False)

    OpenAIWrapper(model=ScriptedModel(["one"])).create(prompt="Hi")

    assert logged_history()[0]["request"]["messages"] == [{"role": "user", "content": "Hi"}]


def test_cost_is_known_when_the_model_is():
    start_logging()
    talk(ModelReply("one", usage=Usage(1000, 1000), model="gpt-4o", cost=0.0125))

    [value] = logged_history().values()

    assert value["cost"][0] == pytest.approx(0.0125)


def test_cost_is_nothing_when_no_server_was_asked():
    start_logging()
    talk(ModelReply("one", usage=Usage(1000, 1000), model="gpt-4o", cached=True))

    [value] = logged_history().values()

    assert value["cost"] == [0.0]


def test_failed_call_is_no_entry_when_a_model_fails():
    start_logging(compact=False)

    with pytest.raises(ModelError):
        talk(ModelError("Cannot reply: nothing works."))

    assert logged_history() == {}


def test_no_secret_is_in_what_was_logged_when_somebody_says_one(monkeypatch, tmp_path):
    monkeypatch.setenv("DB_PASSWORD", "correct-horse")
    start_logging(compact=False)
    talk("The word is correct-horse.", message="It is correct-horse.")

    path = export_logging(tmp_path / "log.sqlite")

    assert "correct-horse" not in json.dumps(logged_history())
    assert "[redacted]" in json.dumps(logged_history())
    assert b"correct-horse" not in path.read_bytes()


def test_file_holds_all_events_and_calls_when_it_is_exported(tmp_path):
    start_logging()
    first, second = talk("one", "two"), talk("three")
    stop_logging()

    path = export_logging(tmp_path / "new" / "log.sqlite")

    with sqlite3.connect(path) as database:
        events = database.execute("SELECT log, seq, kind, json_state FROM events ORDER BY log, seq").fetchall()
        calls = database.execute("SELECT log, source_name, response, is_cached FROM chat_completions").fetchall()
    database.close()
    assert [(log, seq) for log, seq, *_ in events] == [
        (number, entry.seq) for number, one in enumerate((first, second)) for entry in one.log
    ]
    assert [kind for _, _, kind, _ in events[: len(first.log)]] == [entry.event.kind for entry in first.log]
    assert [(log, name, is_cached) for log, name, _, is_cached in calls] == [
        (0, "assistant", 0), (0, "assistant", 0), (1, "assistant", 0),
    ]  # fmt: skip
    assert [json.loads(one[2])["choices"][0]["message"]["content"] for one in calls] == ["one", "two", "three"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["log.sqlite"]


def test_calls_of_tools_are_in_the_view_when_a_file_is_exported(tmp_path):
    start_logging()
    calling = {"tool_calls": [{"id": "1", "type": "function", "function": {"name": "double", "arguments": '{"n": 4}'}}]}
    runner = user(function_map={"double": lambda n: n * 2})
    runner.initiate_chat(assistant(calling, "done"), message="Hi", max_turns=2, silent=True)

    path = export_logging(tmp_path / "log.sqlite")

    with sqlite3.connect(path) as database:
        assert database.execute("SELECT function_name, returns, ok FROM function_calls").fetchall() == [
            ("double", "8", 1)
        ]
    database.close()


def test_export_is_refused_when_nothing_was_logged_or_it_cannot_be_written(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nothing was logged. Call start_logging"):
        export_logging(tmp_path / "a")
    start_logging()

    with pytest.raises(ConfigurationError, match="Cannot export to"):
        export_logging(tmp_path)

    assert list(tmp_path.parent.glob("*.part")) == []


def test_start_is_refused_when_the_history_is_no_dictionary():
    with pytest.raises(ConfigurationError, match="a list"):
        start_logging([])


def test_loaded_chats_are_not_logged_when_they_are_restored(tmp_path):
    events: list[Event] = [ChatStarted(0, "a", "b")]
    start_logging()

    EventLog.restored(events, {})

    with sqlite3.connect(export_logging(tmp_path / "log.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (0,)
    database.close()


def test_chat_goes_on_when_an_observer_fails(monkeypatch):
    start_logging()
    monkeypatch.setattr(logging_views._Logging, "answered", lambda *_: 1 / 0)

    async def ask():
        return await Complete("a", ScriptedModel(["one"]), HELLO)

    with pytest.warns(RuntimeWarning, match="_Logging failed: ZeroDivisionError"):
        reply = drive(ask(), Run(session=quiet_session()))

    assert reply.content == "one"


def test_costs_are_those_that_the_calls_had(server, tmp_path):
    server.enqueue(ModelReply("Hi", usage=Usage(1000, 500)))
    agent = AssistantAgent("a", llm_config=server.config | {"price": [0.01, 0.02]})
    start_logging(compact=False)
    user().initiate_chat(agent, message="go", max_turns=1)
    stop_logging()

    with closing(sqlite3.connect(export_logging(tmp_path / "logged.sqlite"))) as database:
        (cost,) = database.execute("SELECT cost FROM chat_completions").fetchone()
    assert cost == logged_history()[0]["response"]["cost"] == pytest.approx(0.02)
