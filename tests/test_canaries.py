"""Keys are in nothing that is kept, shown or logged, whoever repeats them: a server, a model, a function, code."""

import asyncio
import io
import json
import logging
import os
import pickle
import traceback
from types import SimpleNamespace

import pytest
from IPython.core.ultratb import AutoFormattedTB
from IPython.lib.pretty import pretty
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from jupyter_agents import (
    AssistantAgent,
    Cache,
    UserProxyAgent,
    export_logging,
    logged_history,
    register_function,
    start_logging,
    stop_logging,
    tune,
    use_recording,
    use_tracing,
)
from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.drive import drive
from jupyter_agents.errors import ModelError
from jupyter_agents.executors.base import ExecutionResult
from jupyter_agents.executors.live import LiveExecutor
from jupyter_agents.journal.trust import DATABASE
from jupyter_agents.known_secrets import (
    hide,
    known_secrets,
    remember,
    remember_address,
    remember_carried,
    secret_values,
)
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.models.config import model_from_config
from jupyter_agents.session import Session, rendered, use_session
from jupyter_agents.surroundings import make_session
from jupyter_agents.testing import FakeOpenAIServer, RecordingExecutor, ScriptedModel, ServerReply

pytestmark = pytest.mark.usefixtures("first_or_later")

CANARIES = {
    name: f"canary{number}-{name}-7f3a9b2c4d"
    for number, name in enumerate(["config", "bearer", "header", "extra", "user", "password", "query", "environment"])
}
ALL = " ".join(CANARIES.values())


def found_in(text):
    return [name for name, canary in CANARIES.items() if canary in text]


def config_of(server):
    carried = f"{CANARIES['user']}:{CANARIES['password']}@"
    return {
        "model": "fake-model",
        "api_key": CANARIES["config"],
        "base_url": server.base_url.replace("://", f"://{carried}"),
        "default_headers": {"X-Auth": CANARIES["header"], "X-Token": f"Bearer {CANARIES['bearer']}"},
        "extra_headers": {"X-More": CANARIES["extra"]},
        "extra_query": {"code": CANARIES["query"]},
        "max_retries": 0,
    }


def agents_of(server):
    config = config_of(server)

    def fetch(token: str) -> str:
        return f"token {token}; all of them: {ALL}"

    output = ExecutionResult(0, f"environ: {ALL}")
    assistant = AssistantAgent("assistant", "You fetch.", llm_config=config)
    user = UserProxyAgent(
        "user", human_input_mode="NEVER", code_execution_config={"executor": RecordingExecutor([output])}
    )
    register_function(fetch, caller=assistant, executor=user, description="Fetch.")
    return assistant, user


def frames_of_ours(error):
    """The traceback without the frame of the test, which holds the canaries by name."""
    return error.__traceback__.tb_next


REPLIES = (
    ModelReply(None, "tool_calls", tool_calls=(ToolCall("fetch", json.dumps({"token": CANARIES["config"]}), "c1"),)),
    f"Now code, with {ALL}.\n```python\nprint({ALL!r})\n```",
    f"I know {ALL}.\nTERMINATE",
)


@pytest.fixture
def chat(tmp_path, monkeypatch):
    """A chat in which all repeat the keys, one that fails with them, and what was logged meanwhile."""
    monkeypatch.setenv("MY_SERVICE_TOKEN", CANARIES["environment"])
    monkeypatch.setenv(DATABASE, str(tmp_path / "trusted.jsonl"))
    said = io.StringIO()
    handler, root = logging.StreamHandler(said), logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", "openai", "httpx", "httpx2", "httpcore")}
    root.addHandler(handler)
    for name in levels:
        logging.getLogger(name).setLevel(logging.DEBUG)
    with FakeOpenAIServer() as server:
        server.enqueue(*REPLIES, ServerReply.error(401, f"Incorrect API key provided: {ALL}"))
        assistant, user = agents_of(server)
        with use_session(Session()), use_recording(tmp_path / "chat.jsonl", "record"):
            result = user.initiate_chat(assistant, message="Fetch it.")
            with pytest.raises(ModelError) as caught:
                user.initiate_chat(assistant, message="And again.")
        requests = list(server.requests)
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    return SimpleNamespace(
        folder=tmp_path, result=result, agents=(assistant, user), error=caught.value, logged=said.getvalue(), requests=requests
    )  # fmt: skip


def test_chat_is_what_it_says_it_is(chat):
    """Otherwise the scans below would find nothing in nothing."""
    headers = chat.requests[0].headers
    assert CANARIES["header"] in headers["x-auth"]
    assert CANARIES["query"] in chat.requests[0].path
    assert len(chat.result.messages) == 6
    assert "[redacted]" in json.dumps(chat.result.messages[2])
    assert "[redacted]" in json.dumps(chat.result.messages[4])
    assert "Incorrect API key provided" in str(chat.error)
    assert "HTTP Request: POST" in chat.logged


def test_no_key_is_in_what_was_said_and_logged(chat):
    result, error = chat.result, chat.error
    kept = [result.messages, result.events, error.result.messages, error.result.events, result.summary, result.cost]
    kept += [agent.chat_messages for agent in chat.agents]

    assert found_in(repr(kept)) == []


def test_no_key_is_sent_back_to_a_model(chat):
    assert [found_in(json.dumps(one.body)) for one in chat.requests] == [[]] * 4


def test_no_key_is_in_a_file(chat):
    chat.result.save(chat.folder / "saved.jsonl")
    chat.error.result.save(chat.folder / "failed.jsonl")

    files = sorted(chat.folder.iterdir())

    assert [one.name for one in files] == ["chat.jsonl", "failed.jsonl", "saved.jsonl", "trusted.jsonl"]
    assert {one.name: found_in(one.read_text()) for one in files} == {one.name: [] for one in files}


def test_no_key_is_in_what_a_page_shows(chat):
    with use_session(make_session()):
        shown = [rendered(chat.result), rendered(chat.error.result), rendered(chat.result.tokens())]

    assert len(repr(shown)) > 1_000
    assert found_in(repr(shown)) == []


def test_no_key_is_in_a_table(chat):
    pytest.importorskip("pandas")

    assert found_in(chat.result.to_frame().to_csv()) == []


def test_no_key_is_in_a_repr(chat):
    assistant, user = chat.agents
    ours = [chat.result, assistant, user, assistant.llm_config, *chat.result.log.entries, chat.error]

    assert found_in(" ".join(map(repr, ours)) + " ".join(map(str, ours)) + " ".join(map(pretty, ours))) == []


def test_no_key_is_in_the_logs_of_the_libraries(chat):
    assert found_in(chat.logged) == []


@pytest.mark.parametrize("mode", ["Plain", "Context", "Verbose"])
def test_no_key_is_in_a_traceback_of_ipython(chat, mode):
    formatter = AutoFormattedTB(mode=mode, theme_name="nocolor")

    lines = formatter.structured_traceback(type(chat.error), chat.error, frames_of_ours(chat.error))

    assert "ModelRejectedError" in str(lines)
    assert found_in(str(lines)) == []


def test_no_key_is_in_a_traceback(chat):
    error = chat.error.with_traceback(frames_of_ours(chat.error))

    assert found_in("".join(traceback.format_exception(error))) == []


@pytest.mark.parametrize(
    "reply", [ServerReply.error(401, ALL), ServerReply.html(ALL), ServerReply.nothing()], ids=["401", "html", "nothing"]
)
def test_no_key_is_in_a_traceback_with_the_values_of_variables(reply, monkeypatch):
    """As crash reporters make them; with no chat around, the frames are all there."""
    monkeypatch.setenv("MY_SERVICE_TOKEN", CANARIES["environment"])
    with FakeOpenAIServer() as server:
        server.enqueue(reply)
        model = model_from_config(config_of(server))
        with pytest.raises(ModelError) as caught:
            drive(model.complete(ModelRequest([{"role": "user", "content": "Hi"}])))
    error = caught.value.with_traceback(frames_of_ours(caught.value))

    told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())

    assert "self = " in told
    assert found_in(told) == []


def test_no_key_is_said_when_a_chat_is_asynchronous(monkeypatch):
    monkeypatch.setenv("MY_SERVICE_TOKEN", CANARIES["environment"])
    with FakeOpenAIServer() as server:
        server.enqueue(*REPLIES)
        assistant, user = agents_of(server)
        with use_session(Session()):
            result = asyncio.run(user.a_initiate_chat(assistant, message="Fetch it."))

    assert len(result.messages) == 6
    assert found_in(repr(result.events)) == []


def test_a_pickled_config_says_that_it_has_keys_and_a_key_is_not_pickled(chat):
    from jupyter_agents.models.keys import Secret

    with pytest.raises(TypeError, match="a Secret is not pickled"):
        pickle.dumps(Secret(CANARIES["config"]))


def test_no_key_is_in_a_file_when_the_user_said_it(chat):
    config = chat.agents[0].llm_config
    assistant, user = AssistantAgent("a", f"Use {ALL}.", llm_config=ScriptedModel(["Yes.\nTERMINATE"])), chat.agents[1]
    with use_session(Session()), use_recording(chat.folder / "said.jsonl", "record"):
        result = user.initiate_chat(assistant, message=f"I have {ALL}")
    result.save(chat.folder / "said_saved.jsonl")

    files = [chat.folder / "said.jsonl", chat.folder / "said_saved.jsonl"]

    assert config["api_key"] == CANARIES["config"]
    assert [found_in(one.read_text()) for one in files] == [[], []]


def test_no_key_is_kept_beside_a_chat(tmp_path, monkeypatch):
    """In a cache, in what is logged, in a file of it, in spans with texts, and in what a search keeps."""
    monkeypatch.setenv("MY_SERVICE_TOKEN", CANARIES["environment"])
    exporter, provider, cache = (
        InMemorySpanExporter(),
        TracerProvider(shutdown_on_exit=False),
        Cache(tmp_path / "cache"),
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with FakeOpenAIServer() as server, use_session(Session()), use_tracing(provider, content=True):
        server.enqueue(*REPLIES)
        assistant, user = agents_of(server)
        start_logging(compact=False)
        result = user.initiate_chat(assistant, message=f"Fetch {ALL}.", cache=cache)
        stop_logging()
        server.enqueue(*[f"I know {ALL}"] * 4)
        data = [{"question": f"Is it {ALL}?"}, {"question": "What else?"}]
        found = tune(
            data,
            space={"prompt": "{question}", "temperature": [0, 1]},
            llm_config=config_of(server),
            eval_func=lambda responses, **_: len(responses[0]),
            score_range=(0, 500),
            store=tmp_path / "store",
        )
    export_logging(tmp_path / "logged")
    cache.close()

    assert len(result.messages) == 6
    spans = [span.to_json() for span in exporter.get_finished_spans()]
    tuned = [repr(found), found.to_frame().to_csv(), repr(rendered(found))]
    kept = {one.name: one.read_bytes().decode("latin-1") for one in tmp_path.iterdir()}
    told = {"history": repr(logged_history()), "spans": "".join(spans), "repr": repr(cache), "tuning": "".join(tuned)}
    assert {"cache", "logged", "store"} <= kept.keys()
    assert all(
        "[redacted]" in text for text in (kept["cache"], kept["logged"], kept["store"], told["history"], told["spans"])
    )
    assert {name: found_in(text) for name, text in (kept | told).items()} == {name: [] for name in kept | told}


@pytest.mark.parametrize(
    "how",
    [
        "print(token)",
        "token",
        "raise ValueError(token)",
        "display({'text/html': token}, raw=True)",
        "import sys; sys.stderr.write(token)",
    ],
)
def test_no_key_is_on_the_page_when_code_shows_it(shell, monkeypatch, capsys, how):
    monkeypatch.setenv("MY_SERVICE_TOKEN", CANARIES["environment"])
    code = f"import os\nfrom IPython.display import display\ntoken = os.environ['MY_SERVICE_TOKEN']\n{how}"

    result = drive(LiveExecutor(shell).execute(CodeBlock("python", code)))

    shown = capsys.readouterr()
    assert "[redacted]" in repr(result)
    assert found_in(repr(result) + shown.out + shown.err) == []


# -- What is known to be secret ----------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def remembered(monkeypatch):
    monkeypatch.setattr("jupyter_agents.known_secrets._remembered", frozenset())


def test_placeholders_are_no_secrets():
    remember("ollama", "lm-studio-key", "not-needed", "fake-key", "EMPTY", "1234", "no-key-is-required")

    assert hide("ollama and lm-studio-key, 1234") == "ollama and lm-studio-key, 1234"


def test_secret_is_hidden_as_an_address_and_as_a_header_spells_it():
    remember("s3cret/with+signs")

    assert (
        hide("a=s3cret%2Fwith%2Bsigns b=czNjcmV0L3dpdGgrc2lnbnM= s3cret/with+signs")
        == "a=[redacted] b=[redacted] [redacted]"
    )


def test_longer_secret_is_hidden_whole_when_a_shorter_one_is_its_beginning():
    remember("abcdefgh1234", "abcdefgh1234-and-more")

    assert hide("abcdefgh1234-and-more") == "[redacted]"


def test_headers_that_tell_who_asks_are_no_secrets():
    remember_carried(
        [
            ("HTTP-Referer", "https://my-app1.example.com"),
            ("User-Agent", "my-notebook/1.2.3"),
            ("X-Key", "0123456789ab"),
        ]
    )

    assert (
        hide("https://my-app1.example.com my-notebook/1.2.3 0123456789ab")
        == "https://my-app1.example.com my-notebook/1.2.3 [redacted]"
    )


def test_password_and_query_of_an_address_are_secret():
    remember_address("https://ada:p4ssw0rd-long%21@example.com/v1?api-version=2024-10-21-preview&sig=0123456789ab")

    assert hide("2024-10-21-preview") == "2024-10-21-preview"
    assert (
        hide("p4ssw0rd-long! p4ssw0rd-long%21 0123456789ab example.com")
        == "[redacted] [redacted] [redacted] example.com"
    )


def test_place_of_a_key_is_no_secret(tmp_path):
    file = tmp_path / "id_ed25519"
    file.write_text("")

    assert secret_values({"SSH_KEY_FILE": str(file), "SSH_KEY": "/not/there/at/all"}) == ("/not/there/at/all",)


def test_secrets_of_the_environment_are_those_of_now(monkeypatch):
    monkeypatch.setenv("ONE_TOKEN", "first-token-1")
    assert hide("first-token-1 second-token-2") == "[redacted] second-token-2"
    monkeypatch.setenv("ONE_TOKEN", "second-token-2")

    assert hide("first-token-1 second-token-2") == "first-token-1 [redacted]"
    assert os.environ["ONE_TOKEN"] in known_secrets()


@pytest.mark.parametrize(
    ("name", "value", "is_hidden"),
    [
        ("DB_PASSWORD", "correct horse battery", False),
        ("MODEL_TOKEN", "bert-base", False),
        ("TOKENIZERS_CHECKPOINT", "bert-base-uncased-v2", False),
        ("KEYBOARD_LAYOUT", "pc105-international", False),
        ("DB_PASSWORD", "c0rrect-horse-battery", True),
        ("PGPASSWORD", "c0rrect-horse-battery", True),
        ("ACCESS_TOKENS", "0123456789abcdef", True),
    ],
)
def test_words_stay_and_keys_are_hidden_when_a_variable_has_them(monkeypatch, name, value, is_hidden):
    monkeypatch.setenv(name, value)

    assert (hide(f"It is {value}.") == "It is [redacted].") is is_hidden


def test_longer_key_is_hidden_whole_when_a_known_one_begins_it(monkeypatch):
    monkeypatch.setenv("ONE_TOKEN", "0123456789abcdef")

    assert hide("0123456789abcdef-XYZ_1, then") == "[redacted], then"
