"""What is known of each speaker, and the messages of a chat as a DataFrame."""

import sys

import pandas as pd
import pytest

from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import (
    ChatStarted,
    CodeFinished,
    HumanAnswered,
    MessageSent,
    ModelAnswered,
    ModelFailed,
    ToolFinished,
)
from jupyter_agents.journal.frame import COLUMNS
from jupyter_agents.journal.speakers import SpeakerFacts
from jupyter_agents.messages import Message, ToolCall, Usage
from jupyter_agents.models.base import ModelReply
from jupyter_agents.session import use_session
from tests.chats import long_chat, result_of, said
from tests.fakes import FakeExecutor, assistant, failure, quiet_session, user

START = ChatStarted(0, "user", "assistant")


def test_speakers_are_counted_when_a_chat_was_held():
    agent = assistant(
        ModelReply("```python\n1/0\n```", usage=Usage(1000, 50)), ModelReply("TERMINATE", usage=Usage(1200, 5))
    )
    me = user(code_execution_config={"executor": FakeExecutor(failure("ZeroDivisionError"))})

    with use_session(quiet_session()):
        facts = me.initiate_chat(agent, message="Go.").by_speaker

    assert list(facts) == ["user", "assistant"]
    assert (facts["user"].messages, facts["user"].blocks, facts["user"].failed_blocks) == (2, 1, 1)
    assert (facts["assistant"].model_calls, facts["assistant"].usage) == (2, Usage(2200, 55))
    assert facts["assistant"].model_seconds >= 0


def test_replayed_calls_count_apart_when_some_were_made_live():
    result = result_of(
        START,
        ModelAnswered(0, "assistant", "stop", Usage(10, 1), replayed=True, seconds=9.0),
        ModelAnswered(0, "assistant", "stop", Usage(5, 2), seconds=1.5),
    )

    facts = result.by_speaker["assistant"]

    assert (facts.model_calls, facts.replayed_calls, facts.model_seconds) == (2, 1, 1.5)
    assert (facts.usage, facts.replayed_usage, facts.all_usage) == (Usage(5, 2), Usage(10, 1), Usage(15, 3))
    assert facts.usage == result.usage


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (ModelAnswered(0, "a", "stop"), {"model_calls": 1, "model_seconds": 0.0, "unpriced_calls": 1}),
        (ModelAnswered(0, "a", "stop", cost=0.5), {"model_calls": 1, "model_seconds": 0.0, "cost": 0.5}),
        (
            ModelAnswered(0, "a", "stop", replayed=True, cost=0.5),
            {"model_calls": 1, "replayed_calls": 1, "kept_cost": 0.5},
        ),
        (ModelFailed(0, "a", "no"), {"failed_calls": 1}),
        (CodeFinished(0, "a", 1, "refused"), {"refused_blocks": 1}),
        (CodeFinished(0, "a", 0, "ok", seconds=2.0), {"blocks": 1, "code_seconds": 2.0}),
        (ToolFinished(0, "a", "f", ok=False, content=""), {"tool_calls": 1, "failed_tools": 1}),
        (HumanAnswered(0, "a", "reply", "hi"), {"answers": 1}),
    ],
    ids="model priced replayed failed_model refused code tool human".split(),
)
def test_each_event_counts_for_who_did_it_when_it_happens(event, expected):
    assert result_of(START, event).by_speaker == {"a": SpeakerFacts("a", **expected)}


def test_nested_chats_count_and_others_do_not_when_one_log_holds_them():
    result = result_of(
        START,
        ChatStarted(1, "assistant", "critic", parent=0),
        MessageSent(1, "assistant", "critic", Message("Well?")),
        ChatStarted(2, "stranger", "friend"),
        MessageSent(2, "stranger", "friend", Message("Hello")),
    )

    assert list(result.by_speaker) == ["assistant"]


def test_nobody_is_listed_when_nothing_happened():
    assert result_of(START).by_speaker == {}


def test_frame_has_a_row_for_each_message_when_a_chat_was_held():
    frame = long_chat(8).to_frame()

    assert dict(zip(frame.columns, map(str, frame.dtypes), strict=True)) == COLUMNS
    assert list(frame["turn"]) == list(range(8))
    assert list(frame["sender"][:2]) == ["user", "assistant"]
    assert list(frame["role"][:2]) == ["assistant", "user"]
    assert list(frame["seconds"][1:4]) == [2.0, 0.5, 2.0]
    assert pd.isna(frame["seconds"][0])
    assert frame["tokens_in"].sum() == 100 * (1 + 3 + 5 + 7)
    assert pd.isna(frame["tokens_in"][2])


def test_frame_agrees_with_the_messages_when_tools_are_called():
    message = Message(tool_calls=(ToolCall("search", "{}", "1"), ToolCall("read", "{}", "2")))
    result = result_of(START, said("user", "assistant", "Look."), MessageSent(0, "assistant", "user", message, "model"))

    frame = result.to_frame()

    assert frame["tool_calls"][1] == ["search", "read"]
    assert list(frame["role"]) == [one["role"] for one in result.messages]


def test_frame_says_nothing_of_seconds_when_the_reply_was_replayed():
    frame = long_chat(4, replayed=True).to_frame()

    assert list(frame["replayed"]) == [False, True, False, True]
    assert pd.isna(frame["seconds"][1])


def test_frame_leaves_nested_chats_out_unless_they_are_asked_for():
    result = result_of(
        START, said("user", "assistant"), ChatStarted(1, "assistant", "critic", parent=0),
        MessageSent(1, "assistant", "critic", Message("Well?")), said("assistant", "user"),
    )  # fmt: skip

    assert list(result.to_frame()["chat"]) == [0, 0]
    assert list(result.to_frame(nested=True)["chat"]) == [0, 1, 0]
    assert list(result.to_frame(nested=True)["turn"]) == [0, 0, 1]


def test_frame_is_empty_with_all_columns_when_nobody_spoke():
    frame = result_of(START).to_frame()

    assert (len(frame), list(frame.columns)) == (0, list(COLUMNS))


def test_frame_says_what_to_install_when_pandas_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(ConfigurationError, match=r"Cannot make a DataFrame: .* `pip install pandas`"):
        long_chat(2).to_frame()
