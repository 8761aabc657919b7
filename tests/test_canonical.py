import copy
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.effects import Ask, Complete
from jupyter_agents.human.base import Prompt
from jupyter_agents.journal.canonical import Chain, canonical, expand, plain, redacted, splice
from jupyter_agents.journal.redact import MARK, redact, secret_values
from jupyter_agents.models.base import ModelRequest


class City(BaseModel):
    name: str


class Town(BaseModel):
    name: str
    people: int


class Object:
    pass


def complete(*messages, **options):
    return Complete("ada", None, ModelRequest(messages, options))


def user(text):
    return {"role": "user", "content": text}


def hash_of(*effects, chat=0, agent="ada", kind="model"):
    chain = Chain(chat, agent, kind)
    return [chain.ask(effect).hash for effect in effects][-1]


@pytest.mark.parametrize(
    "options",
    [
        {"model": "other"},
        {"temperature": 0.7, "top_p": 0.1, "seed": 42},
        {"api_key": "x", "base_url": "http://127.0.0.1:8080/v1", "timeout": 3, "max_retries": 0},
        {"config_list": [{"model": "a"}], "cache_seed": 41, "stream": True},
        {"max_tokens": 100},
        {"tools": None, "functions": [], "stop": ()},
    ],
    ids=lambda options: next(iter(options)),
)
def test_question_is_the_same_when_only_noise_differs(options):
    assert hash_of(complete(user("hi"), **options)) == hash_of(complete(user("hi")))


@pytest.mark.parametrize(
    "options",
    [
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"functions": [{"name": "f"}]},
        {"tool_choice": "none"},
        {"response_format": City},
        {"stop": "END"},
        {"a_parameter_of_tomorrow": 0},
        {"parallel_tool_calls": False},
    ],
    ids=lambda options: next(iter(options)),
)
def test_question_differs_when_an_option_changes_what_is_asked(options):
    assert hash_of(complete(user("hi"), **options)) != hash_of(complete(user("hi")))


def test_questions_differ_when_the_schema_of_the_reply_does():
    assert hash_of(complete(response_format=City)) != hash_of(complete(response_format=Town))
    assert hash_of(complete(response_format=City(name="Bonn"))) != hash_of(complete(response_format=City(name="Ulm")))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([user("a"), user("b")], [user("b"), user("a")]),
        ([user("a"), user("b")], [user("ab")]),
        ([user("a"), user("b")], [user("a")]),
        ([user("a")], [{"role": "system", "content": "a"}]),
        ([user("a")], [user("a") | {"name": "bob"}]),
        ([], [user("")]),
    ],
)
def test_question_differs_when_a_message_does(one, other):
    assert hash_of(complete(*one)) != hash_of(complete(*other))


def test_question_differs_when_it_is_asked_in_another_place():
    hashes = {
        hash_of(complete(user("a"))),
        hash_of(complete(user("a")), chat=1),
        hash_of(complete(user("a")), agent="bob"),
        hash_of(complete(user("a")), complete(user("a"))),
        hash_of(complete(user("b")), complete(user("a"))),
    }

    assert len(hashes) == 5


def test_approval_differs_when_the_code_does():
    def approval(code):
        return Ask("ada", Prompt("Run?", "approval", block=CodeBlock("python", code)))

    assert hash_of(approval("a"), kind="human") != hash_of(approval("b"), kind="human")


def test_question_is_the_same_when_keys_come_in_another_order():
    one = {"role": "user", "content": "a"}
    other = {"content": "a", "role": "user"}

    assert hash_of(complete(one)) == hash_of(complete(other))


def test_hash_is_the_one_that_recordings_on_disk_hold():
    found = hash_of(complete({"role": "system", "content": "ü"}, user("hi"), stop=["x"]), complete(user("b")))

    assert found == "a4ce54f073efb9e3"


TEXTS = st.text("ab", max_size=2)
HISTORIES = st.lists(st.lists(TEXTS.map(user), max_size=6), min_size=1, max_size=6)


@given(HISTORIES)
def test_chain_gives_the_hash_of_a_full_computation_when_histories_change_anywhere(histories):
    chain = Chain(0, "ada", "model")
    found = [chain.ask(complete(*history)) for history in histories]

    for place, asked in enumerate(found):
        fresh = Chain(0, "ada", "model")
        for history in histories[:place]:
            fresh.ask(complete(*history))
            fresh._forget(0)  # so that nothing of it can be taken over
        assert fresh.ask(complete(*copy.deepcopy(histories[place]))).hash == asked.hash
        assert list(asked.messages) == [canonical(message) for message in histories[place]]


def test_chain_notices_a_message_when_it_was_changed_in_place():
    message = {"role": "user", "content": [{"type": "text", "text": "before"}]}
    chain = Chain(0, "ada", "model")
    chain.ask(complete(message))

    message["content"][0]["text"] = "after"
    asked = chain.ask(complete(message))

    assert asked.kept == 0
    assert "after" in asked.messages[0]


def test_chain_notices_an_option_when_it_was_changed_in_place():
    tools = [{"name": "before"}]
    chain = Chain(0, "ada", "model")
    chain.ask(complete(tools=tools))

    tools[0]["name"] = "after"

    assert "after" in chain.ask(complete(tools=tools)).head


def test_chain_keeps_the_messages_when_only_new_ones_come():
    history = [user(str(number)) for number in range(10)]
    chain = Chain(0, "ada", "model")
    chain.ask(complete(*history))

    asked = chain.ask(complete(*copy.deepcopy(history), user("new")))

    assert asked.kept == 10


@given(st.lists(TEXTS, max_size=12), st.lists(TEXTS, max_size=12))
def test_expand_gives_back_what_was_spliced(base, lines):
    kept = next((at for at, (a, b) in enumerate(zip(base, lines, strict=False)) if a != b), min(len(base), len(lines)))

    parts = splice(base, lines, kept)

    assert expand(base, parts) == lines
    spans = [part for part in parts if isinstance(part, list)]
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


def test_splice_tells_only_what_is_new_when_a_window_slides():
    base = [f"message {number}" for number in range(100)]
    lines = [base[0], *base[40:], "new"]

    assert splice(base, lines, 1) == [[0, 1], [40, 100], "new"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("\ud83d\ude00 \ud800", "😀 �"),
        ({1: ("a", None)}, {"1": ["a", None]}),
        ({"b", "a"}, ["a", "b"]),
        (float("inf"), "inf"),
        (1.5, 1.5),
        (Object(), f"<{__name__}.Object>"),
        (Object, f"<{__name__}.Object>"),
    ],
    ids=str,
)
def test_plain_gives_data_that_can_be_encoded(value, expected):
    found = plain(value)

    assert found == expected
    canonical(found).encode()


def test_image_is_named_by_its_hash_when_it_is_long():
    url = "data:image/png;base64," + "iVBORw0K" * 1000 + "=="

    found = redacted({"image_url": {"url": url}, "text": "a" * 2047})

    assert found["image_url"]["url"].startswith("data:image/png;base64,<8002 characters of base64, sha256 ")
    assert found["text"] == "a" * 2047
    assert redacted(url, whole=True) == url


SECRETS = {
    "openai": "sk-proj-Abcd_efgh-0123456789",
    "anthropic": "sk-ant-api03-0123456789abcdef",
    "stripe": "sk_live_0123456789abcdef",
    "github": "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "github_fine": "github_pat_0123456789abcdefghijABC_DEFGH",
    "gitlab": "glpat-0123456789abcdefghij",
    "hugging_face": "hf_0123456789abcdefghijABCDEF",
    "aws": "AKIA0123456789ABCDEF",
    "google": "AIza0123456789abcdefghijABCDEFGHIJ01234",
    "slack": "xoxb-0123456789-abcdef",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "bearer": "Bearer 0123456789abcdef0123",
    "url": "postgres://ada:lovelace@db.example",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/IB=\nAAKC\n-----END RSA PRIVATE KEY-----",
    "pem_in_code": "-----BEGIN PRIVATE KEY-----\\nMIIEow+/IB=\\n-----END PRIVATE KEY-----",
    "pem_cut_off": "-----BEGIN EC PRIVATE KEY-----\nMIIEow+/IB",
}
CORES = ("0123456789", "eyJzdWI", "lovelace", "MIIEow")


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
@pytest.mark.parametrize("around", ["{}", "key = '{}'\n", '{{"key": "{}"}}', "see ({}), and so on", "({},{})"])
def test_redact_takes_out_a_secret_when_it_has_a_known_shape(secret, around):
    text = around.replace("{}", secret).replace("{{", "{").replace("}}", "}")

    found = redact(text)

    assert MARK in found
    assert not any(core in found for core in CORES)
    assert redact(found) == found


@pytest.mark.parametrize(
    "text",
    [
        "ask-about-something-long-enough",
        "pip install scikit-learn==1.5.0",
        "the bearer of this letter",
        "http://localhost:8888/lab?x=@here",
        "task_live_0123456789abcdef",
        "-----BEGIN CERTIFICATE-----\nMIIEow",
        "1,234,567 rows × 12 columns",
        "eyJust.some.words",
        "sk-learn",
    ],
)
def test_redact_leaves_text_alone_when_it_holds_no_secret(text):
    assert redact(text) == text


@pytest.mark.parametrize("spelling", ["p@ss/word&1", "p%40ss%2Fword%261", "cEBzcy93b3JkJjE="])
def test_redact_takes_out_the_value_of_a_variable_when_its_name_says_secret(spelling):
    secrets = secret_values({"db_password": "p@ss/word&1", "HOME": "/home/ada", "SHORT_TOKEN": "1234567"})

    assert secrets == ("p@ss/word&1",)
    assert redact(f"connect({spelling!r})", secrets) == f"connect('{MARK}')"


@given(st.text(), st.lists(st.text(min_size=8), max_size=3))
def test_redact_changes_nothing_when_it_is_applied_again(text, values):
    secrets = secret_values({f"KEY_{number}": value for number, value in enumerate(values)})

    once = redact("".join([text, *values, text]), secrets)

    assert redact(once, secrets) == once


@pytest.mark.parametrize(
    "piece",
    ["-----BEGIN PRIVATE KEY-----", "eyJ", "eyJ-", "sk-", "bearer ", "a://b:", "-----BEGIN A", "eyJaaaaaaaa.", "xoxb-"],
)
@pytest.mark.timeout(10)
def test_redact_is_linear_when_the_text_is_hostile(piece):
    redact(piece * (2_000_000 // len(piece)))
