"""Replies that are kept: what is asked once, what is asked again, and chats that do without."""

import json
import multiprocessing
import os
import sqlite3
import stat
from dataclasses import replace

import pandas as pd
import pytest

from jupyter_agents import AssistantAgent, Cache, OpenAIWrapper
from jupyter_agents.display.bundle import METADATA_KEY, Transcript
from jupyter_agents.display.result import result_bundle
from jupyter_agents.drive import Run, drive
from jupyter_agents.effects import Complete
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import Delta, EventLog, MessageSent, ModelAnswered, Noted
from jupyter_agents.journal.event_json import event_from_json, event_to_json
from jupyter_agents.journal.recording import Recording
from jupyter_agents.models import cache as cache_module
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.models.cached import CachedModel
from jupyter_agents.models.config import model_from_config
from jupyter_agents.models.openai import OpenAIModel
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import current_session, use_session
from jupyter_agents.testing import FakeOpenAIServer, ServerReply
from tests.fakes import quiet_session, user
from tests.model_calls import HELLO, KEY, model_of, sync_face

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def cache(tmp_path):
    with Cache(tmp_path / "cache.sqlite") as cache:
        yield cache


def assistant(server, **config):
    return AssistantAgent("assistant", llm_config={"model": "m", "base_url": server.base_url, "api_key": KEY, **config})


def talk(agent, **arguments):
    return user().initiate_chat(agent, **{"message": "Hi", "max_turns": 1, "silent": True, **arguments})


# -- The file ------------------------------------------------------------------------------------------------------


def test_value_is_found_when_another_cache_opens_the_file(tmp_path):
    Cache(tmp_path / "c.sqlite").set("question", {"content": "née ☃"})

    assert Cache(tmp_path / "c.sqlite").get("question") == {"content": "née ☃"}
    assert Cache(tmp_path / "c.sqlite").get("another", "nothing") == "nothing"


def test_values_are_others_when_the_seed_is_another(tmp_path):
    one, two = Cache.disk(1, tmp_path), Cache.disk(2, tmp_path)
    one.set("question", 1)

    two.clear()

    assert (one.get("question"), two.get("question"), len(one), len(two)) == (1, None, 1, 0)


def test_only_its_owner_can_read_the_file_when_it_is_made(tmp_path):
    previous = os.umask(0)
    try:
        Cache(tmp_path / "new" / "c.sqlite").set("a", 1)
    finally:
        os.umask(previous)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_nothing_is_made_when_a_cache_is_only_read(tmp_path):
    cache = Cache(tmp_path / "new" / "c.sqlite")

    assert (cache.get("a"), len(cache), cache.trouble) == (None, 0, None)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, float("nan"), object()])
def test_value_is_refused_when_it_is_no_plain_data(cache, value):
    with pytest.raises(ConfigurationError, match="Cannot keep"):
        cache.set("a", value)


@pytest.mark.parametrize("wrong", [{"seed": True}, {"seed": 1.5}, {"size_limit": 0}, {"path": ":memory:"}])
def test_cache_is_refused_when_it_cannot_be_meant(wrong):
    with pytest.raises(ConfigurationError, match="Cannot"):
        Cache(**wrong)


def test_what_was_not_used_for_the_longest_goes_when_the_file_is_full(tmp_path):
    cache = Cache(tmp_path / "c.sqlite", size_limit=400_000)
    for number in range(30):
        cache.set(f"{number}", "x" * 10_000)
        cache.get("0")
    for number in range(30, 60):
        cache.set(f"{number}", "x" * 10_000)
        cache.get("0")

    kept = [number for number in range(60) if cache.get(f"{number}") is not None]
    assert 20 <= len(kept) <= 40
    assert kept == [0, *range(60 - len(kept) + 1, 60)]


def test_size_of_the_file_stays_within_its_limit_when_much_is_kept(tmp_path):
    cache = Cache(tmp_path / "c.sqlite", size_limit=400_000)
    for number in range(300):
        cache.set(f"{number}", "x" * 10_000)
    cache.close()

    assert (tmp_path / "c.sqlite").stat().st_size < 500_000


def test_value_is_not_kept_when_it_is_larger_than_the_limit(tmp_path):
    cache = Cache(tmp_path / "c.sqlite", size_limit=50_000)
    cache.set("small", "x")

    cache.set("large", "x" * 60_000)

    assert (cache.get("small"), cache.get("large")) == ("x", None)


def _write_many(path, name):
    cache = Cache(path)
    for number in range(50):
        cache.set(f"{name}-{number}", {"by": name})
    if cache.trouble:
        raise RuntimeError(cache.trouble)


def test_nothing_is_lost_when_several_processes_write(tmp_path):
    path = tmp_path / "c.sqlite"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, name)) for name in "ab"]

    for one in writers:
        one.start()
    for one in writers:
        one.join(25)

    assert [one.exitcode for one in writers] == [0, 0]
    assert len(Cache(path)) == 100


# -- A file that cannot be used ------------------------------------------------------------------------------------


def damaged(path):
    path.write_bytes(b"this is no database at all, whatever its name says" * 100)


def of_something_else(path):
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE things (id)")
    database.close()


def of_a_later_version(path):
    Cache(path).set("a", 1)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    cache_module._files.clear()


@pytest.mark.parametrize("spoil", [damaged, of_something_else, of_a_later_version])
def test_chat_goes_on_and_says_so_once_when_the_file_cannot_be_used(server, tmp_path, spoil):
    path = tmp_path / "c.sqlite"
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    server.enqueue("one", "two")

    result = user().initiate_chat(assistant(server, cache=path), message="Hi", max_turns=2, silent=True)

    said = [event.text for event in result.events if isinstance(event, Noted)]
    assert [message["content"] for message in result.messages][1::2] == ["one", "two"]
    assert [text for text in said if "goes on without its cache" in text and str(path) in text] == said
    assert len(said) == 1
    if before is not None:
        assert path.read_bytes() == before


def test_chat_goes_on_soon_when_another_program_keeps_the_file(server, tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "_WAIT", 0.05)
    path = tmp_path / "c.sqlite"
    Cache(path).set("a", 1)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    cache_module._files.clear()
    server.enqueue("one")

    try:
        result = talk(assistant(server, cache=path))
    finally:
        other.close()

    assert result.messages[-1]["content"] == "one"
    assert "another program" in next(event.text for event in result.events if isinstance(event, Noted))


@pytest.mark.parametrize("kept", ["[1]", "{", '{"content": 3}', '{"tool_calls": [{}]}', '{"finish_reason": "length"}'])
def test_model_is_asked_when_somebody_has_changed_what_was_kept(server, cache, ask, kept):
    server.enqueue("one", "two")
    model = CachedModel(model_of(server), cache)
    ask(model)
    database = sqlite3.connect(cache.path)
    with database:
        database.execute("UPDATE replies SET value = ?", (kept,))
    database.close()

    assert ask(model).content == "two"
    assert ask(model).content == "two"


# -- Models --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
def test_model_is_asked_once_when_its_reply_is_kept(server, cache, ask, stream):
    server.enqueue("Hello.")
    model, notices = CachedModel(model_of(server, stream=stream), cache), []

    first, second = ask(model), ask(model, notices=notices)

    assert (first.content, first.cached) == ("Hello.", False)
    assert (second.content, second.cached, second.usage, second.model) == ("Hello.", True, first.usage, first.model)
    assert notices == [Delta("Hello.")]
    assert len(server.requests) == 1


def test_reply_to_a_stream_is_found_when_the_next_model_does_not_stream(server, cache, ask):
    server.enqueue("Hello.")
    ask(CachedModel(model_of(server, stream=True), cache))

    assert ask(CachedModel(model_of(server, stream=False, timeout=3, api_key="sk-another-9876543210"), cache)).cached


OTHERS = {
    "words": (ModelRequest([{"role": "user", "content": "Ho"}]), {}),
    "temperature": (ModelRequest(HELLO.messages, {"temperature": 1}), {}),
    "seed": (ModelRequest(HELLO.messages, {"seed": 1}), {}),
    "length": (ModelRequest(HELLO.messages, {"max_tokens": 5}), {}),
    "tools": (ModelRequest(HELLO.messages, {"tools": [{"type": "function", "function": {"name": "f"}}]}), {}),
    "model": (HELLO, {"model": "another"}),
    "options of the model": (HELLO, {"top_p": 0.5}),
    "query": (HELLO, {"extra_query": {"version": "2"}}),
}


@pytest.mark.parametrize("what", OTHERS)
def test_model_is_asked_when_the_question_is_another(server, cache, what):
    server.enqueue("one", "two")
    request, settings = OTHERS[what]
    sync_face(CachedModel(model_of(server), cache))

    reply = sync_face(CachedModel(at(server, **settings), cache), request)

    assert (reply.content, reply.cached) == ("two", False)


def at(server, **settings):
    return OpenAIModel(**{"model": "m", "base_url": server.base_url, "api_key": KEY, "max_retries": 0, **settings})


def test_model_is_asked_when_the_server_is_another(server, cache):
    server.enqueue("one")
    sync_face(CachedModel(model_of(server), cache))
    with FakeOpenAIServer() as another:
        another.enqueue("two")

        assert sync_face(CachedModel(model_of(another), cache)).content == "two"


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_reply_is_not_kept_when_it_was_not_whole(server, cache, ask, reason):
    server.enqueue(ModelReply("one", reason), "two")
    model = CachedModel(model_of(server), cache)
    ask(model)

    assert ask(model).content == "two"


def test_reply_is_not_kept_when_one_of_its_alternatives_was_not_whole(cache):
    replies = iter([ModelReply("one", alternatives=(ModelReply("cut", "length"),)), ModelReply("two")])

    class Named:
        name = "named"

        async def complete(self, request):
            return next(replies)

    model = CachedModel(Named(), cache)
    sync_face(model)

    assert sync_face(model).content == "two"


def test_failure_is_not_kept_when_a_model_fails(server, cache, ask):
    server.enqueue(ServerReply.error(500), "fine")
    model = CachedModel(model_of(server), cache)
    with pytest.raises(Exception, match="500"):
        ask(model)

    assert ask(model).content == "fine"


def test_new_reply_takes_the_place_of_the_old_when_it_is_to_be_fresh(server, cache, ask):
    server.enqueue("one", "two")
    model = CachedModel(model_of(server), cache)
    ask(model)

    fresh = ask(model, ModelRequest(HELLO.messages, fresh=True))

    assert (fresh.content, fresh.cached) == ("two", False)
    assert (ask(model).content, len(cache)) == ("two", 1)


def test_script_is_said_when_there_is_a_cache(cache):
    model = CachedModel(ScriptedModel(["one", "two"]), cache)

    assert [sync_face(model).content for _ in range(2)] == ["one", "two"]
    assert len(cache) == 0


def test_model_is_asked_and_the_reader_told_when_it_cannot_be_told_from_others(cache):
    class Nameless:
        async def complete(self, request):
            return ModelReply("Hello.")

    log = EventLog()

    async def two():
        return [await Complete("ada", CachedModel(Nameless(), cache), HELLO) for _ in range(2)]

    replies = drive(two(), Run(log, session=quiet_session()))

    assert [reply.cached for reply in replies] == [False, False]
    assert ["not kept" in event.text for event in log.select(Noted)] == [True]


def test_no_secret_is_in_the_file_when_a_model_repeats_one(server, cache, monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "correct-horse")
    server.enqueue(f"Your key is {KEY} and the word is correct-horse.")

    sync_face(CachedModel(model_of(server), cache))
    cache.close()

    held = b"".join(path.read_bytes() for path in cache.path.parent.iterdir())
    assert b"Your key is [redacted]" in held
    assert KEY.encode() not in held
    assert b"correct-horse" not in held


def test_calls_and_alternatives_are_as_they_were_when_they_come_from_the_cache(server, cache):
    server.enqueue(
        ModelReply.from_json(
            {
                "finish_reason": "tool_calls",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
            }
        )
    )
    model = CachedModel(model_of(server), cache)

    first, second = sync_face(model), sync_face(model)

    assert second.cached
    assert second.tool_calls == first.tool_calls
    assert second.tool_calls[0].arguments == '{"a": 1}'


# -- Configs -------------------------------------------------------------------------------------------------------


def test_nothing_is_kept_when_no_config_asks_for_it(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server.enqueue("one", "two")
    agent = assistant(server, cache_seed=None)

    assert [talk(agent).messages[-1]["content"] for _ in range(2)] == ["one", "two"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "config", [{"cache_seed": 41}, {"cache": True}, {"cache": "mine.sqlite"}, {"cache_seed": 1, "cache": True}]
)
def test_replies_are_kept_when_a_config_asks_for_it(server, tmp_path, monkeypatch, config):
    monkeypatch.chdir(tmp_path)
    server.enqueue("one", "two")

    replies = [talk(assistant(server, **config)).messages[-1]["content"] for _ in range(2)]

    assert replies == ["one", "one"]
    assert "cache" not in server.requests[0].body
    assert "cache_seed" not in server.requests[0].body
    assert list(tmp_path.rglob("*.sqlite"))


def test_reply_is_another_when_the_seed_is_another(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    server.enqueue("one", "two")

    replies = [talk(assistant(server, cache_seed=seed)).messages[-1]["content"] for seed in (1, 2, 1, 2)]

    assert replies == ["one", "two", "one", "two"]


@pytest.mark.parametrize("config", [{"cache": 3}, {"cache_seed": True}, {"cache_seed": 1.5}])
def test_config_is_refused_when_its_cache_cannot_be_meant(server, config):
    with pytest.raises(ConfigurationError, match="cache"):
        assistant(server, **config)


def test_each_config_keeps_its_own_when_there_are_several(server, cache):
    configs = [{"model": name, "base_url": server.base_url, "api_key": KEY} for name in ("a", "b")]
    server.respond_with(lambda request: f"by {request.body['model']}")

    def is_good(context, response):
        return response.choices[0].message.content != "by a"

    model = model_from_config({"config_list": configs, "cache": cache, "filter_func": is_good})
    first, second = sync_face(model), sync_face(model)

    assert (first.content, second.content, second.cached) == ("by b", "by b", True)
    assert len(server.requests) == 2


# -- Chats ---------------------------------------------------------------------------------------------------------


def test_chat_asks_the_cache_when_it_is_given_one(server, cache):
    server.enqueue("Hello.")
    agent = assistant(server)

    first, second = talk(agent, cache=cache), talk(agent, cache=cache)

    assert [one.messages[-1]["content"] for one in (first, second)] == ["Hello.", "Hello."]
    assert len(server.requests) == 1
    [answered] = [event for event in second.events if isinstance(event, ModelAnswered)]
    said = [event for event in second.events if isinstance(event, MessageSent)]
    assert (answered.cached, said[-1].cached, said[0].cached) == (True, True, False)


def test_chat_with_a_configured_session_asks_the_cache_when_it_is_given_one(server, cache):
    server.enqueue("Hello.", "not this")
    model = model_of(server)
    with use_session(quiet_session(find_model=lambda: model)):
        replies = [talk(AssistantAgent("a"), cache=cache).messages[-1]["content"] for _ in range(2)]

    assert replies == ["Hello.", "Hello."]


def test_cached_calls_are_counted_apart_when_a_chat_has_some(server, cache):
    server.enqueue("Hello.")
    agent = assistant(server)
    live, kept = talk(agent, cache=cache), talk(agent, cache=cache)

    total, actual = kept.cost.values()
    facts = kept.by_speaker["assistant"]
    assert live.usage.total_tokens > 0
    assert (kept.usage.total_tokens, kept.model_calls) == (None, 1)
    assert (facts.cached_calls, facts.usage.total_tokens, facts.model_seconds) == (1, None, None)
    assert facts.cached_usage == facts.all_usage == live.usage
    assert len(total) == 2
    assert actual == {"total_cost": 0}
    assert list(kept.to_frame().cached) == [False, True]
    assert pd.isna(kept.to_frame().seconds.iloc[-1])


def test_page_says_that_a_message_is_cached_when_it_is(server, cache):
    server.enqueue("Hello.")
    agent = assistant(server)
    results = [talk(agent, cache=cache, silent=False) for _ in range(2)]

    figures = [_figures_on_page(one)[-1] for one in results]

    assert ["cached" in one for one in figures] == [False, True]
    assert figures[1]["cached"] is True


def _figures_on_page(result):
    """The metadata of the messages of a chat, as a notebook saves them."""
    transcript = Transcript()
    shown = [(entry.event, transcript.bundle(entry)) for entry in result.log]
    return [bundle.metadata.get(METADATA_KEY, {}) for event, bundle in shown if isinstance(event, MessageSent)]


def test_figure_says_what_was_not_paid_for_when_a_cache_has_answered(server, cache):
    server.enqueue("Hello.")
    agent = assistant(server)
    live, kept = (talk(agent, cache=cache) for _ in range(2))

    pages = [result_bundle(one.tokens(replays=True))["text/html"] for one in (live, kept)]

    assert ["cached: not paid for now" in page for page in pages] == [False, True]


def test_events_are_read_again_when_they_were_cached(server, cache):
    server.enqueue("Hello.")
    agent = assistant(server)
    results = [talk(agent, cache=cache) for _ in range(2)]

    for result, is_cached in zip(results, (False, True), strict=True):
        for event in result.events:
            data = json.loads(json.dumps(event_to_json(event)))
            assert event_from_json(data) == event
            assert ("cached" in data) == (is_cached and isinstance(event, ModelAnswered | MessageSent) and event.cached)


def test_next_reply_is_fresh_when_a_chat_is_retried_so(server, cache):
    server.enqueue("one", "two", "not asked for")
    agent = assistant(server)
    talk(agent, cache=cache)
    result = talk(agent, cache=cache)

    same, fresh = result.retry(silent=True), result.retry(fresh=True, silent=True)

    assert [one.messages[-1]["content"] for one in (same, fresh)] == ["one", "two"]
    assert talk(agent, cache=cache).messages[-1]["content"] == "two"
    assert len(server.requests) == 2


def test_later_replies_come_from_the_cache_when_a_retry_is_fresh(server, cache):
    server.enqueue("one", "two", "one", "not asked for")
    agent = assistant(server)
    result = user().initiate_chat(agent, message="Hi", max_turns=1, silent=True, cache=cache)
    longer = user().initiate_chat(agent, message="Hi", max_turns=2, silent=True, cache=cache)
    assert [one["content"] for one in longer.messages][1::2] == ["one", "two"]

    fresh = result.retry(fresh=True, max_turns=2, silent=True)

    assert [one["content"] for one in fresh.messages] == ["one", "", "two"]


def test_recording_is_asked_first_and_says_what_was_cached_when_there_is_a_cache(server, cache, tmp_path):
    server.enqueue("Hello.")
    agent, path = assistant(server), tmp_path / "r.jsonl"
    talk(agent, cache=cache)
    for mode in ("record", "replay"):
        recording = Recording.open(path, mode)
        with use_session(replace(current_session(), find_recording=lambda one=recording: one)):
            result = talk(agent, cache=cache)
        if mode == "record":
            cache.clear()

    [line] = [json.loads(one) for one in path.read_text().splitlines()[1:]]
    [answered] = [event for event in result.events if isinstance(event, ModelAnswered)]
    assert line["cached"] is True
    assert (answered.replayed, answered.cached) == (True, True)
    assert len(cache) == 0


def test_wrapper_counts_what_it_paid_for_when_a_cache_answers(server, cache):
    server.enqueue("Hello.")
    wrapper = OpenAIWrapper(model="m", base_url=server.base_url, api_key=KEY, cache=cache)

    first, second = (wrapper.create(messages=[{"role": "user", "content": "Hi"}]) for _ in range(2))

    assert (first.cached, second.cached) == (False, True)
    assert second.choices[0].message.content == "Hello."
    [total, actual] = [
        next(spent["total_tokens"] for name, spent in summary.items() if name != "total_cost")
        for summary in (wrapper.total_usage_summary, wrapper.actual_usage_summary)
    ]
    assert total == 2 * actual > 0


# -- As a setting, and as an option of a cell ----------------------------------------------------------------------


def hold(server, **options):
    agent = AssistantAgent("assistant", llm_config=server.config)
    return user().initiate_chat(agent, message="go", max_turns=1, **options)


def cached(result):
    return [event.cached for event in result.events if isinstance(event, ModelAnswered)]


def test_setting_of_the_session_holds_for_chats_that_are_given_no_cache(server, tmp_path):
    session = quiet_session()
    session.settings.cache = str(tmp_path / "kept.sqlite")
    server.enqueue("One", "Two", "Three")
    with use_session(session):
        said = [hold(server), hold(server), hold(server, cache=False), hold(server, cache=tmp_path / "other.sqlite")]

    assert [cached(one) for one in said] == [[False], [True], [False], [False]]


@pytest.mark.parametrize(("told", "kept"), [("True", True), ("False", False), ("None", None)])
def test_cache_is_a_setting_of_the_notebook(shell, told, kept):
    shell.run_line_magic("config", f"JupyterAgents.cache = {told}")

    assert current_session().settings.cache is kept
    shell.run_line_magic("config", "JupyterAgents.cache = None")


def test_path_is_a_setting_of_the_notebook(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    shell.run_line_magic("config", "JupyterAgents.cache = 'kept.sqlite'")

    assert current_session().settings.cache == str(tmp_path / "kept.sqlite")
    shell.run_line_magic("config", "JupyterAgents.cache = None")


@pytest.mark.parametrize("wrong", ["3", "':memory:'", "''"])
def test_setting_is_refused_when_it_is_no_place_for_a_cache(shell, wrong):
    shell.run_line_magic("config", f"JupyterAgents.cache = {wrong}")

    assert current_session().settings.cache is None


def test_cache_is_an_option_of_the_cell(shell, server, tmp_path):
    shell.user_ns |= {"assistant": AssistantAgent("assistant", llm_config=server.config), "me": user("me")}
    server.enqueue("One")

    for _ in range(2):
        shell.run_cell_magic(
            "agentchat", f"--to assistant --from me --max-turns 1 --cache {tmp_path / 'kept.sqlite'}", "go"
        )

    assert cached(shell.user_ns["_chat"]) == [True]


def test_fork_goes_on_with_the_cache_of_its_chat(server, tmp_path):
    server.enqueue("One", "Two")
    result = hold(server, cache=tmp_path / "kept.sqlite")

    said = [result.fork(at=0).resume(max_turns=1) for _ in range(2)]

    assert cached(said[-1]) == [True]


def test_series_is_refused_when_a_cache_in_it_is_none(server):
    agent = AssistantAgent("assistant", llm_config=server.config)

    with pytest.raises(ConfigurationError, match="Cannot hold chat 1: Cannot use cache=3"):
        user().initiate_chats([{"recipient": agent, "message": "go", "cache": 3}])


def test_folder_is_refused_as_a_place_for_replies(tmp_path):
    with pytest.raises(ConfigurationError, match="it is a folder. Give the path of a file in it"):
        Cache(tmp_path)
