"""Events from their JSON, and a file of an earlier day that must stay readable."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.errors import RecordingError
from jupyter_agents.events import HistorySet, MessageSent, Noted
from jupyter_agents.journal.event_json import event_from_json, event_to_json
from jupyter_agents.messages import Message, ToolCall, ToolResponse, Usage
from tests.test_events import EVENTS, KINDS

GOLDEN = Path(__file__).parent / "data" / "events-v1.jsonl"
LINES = GOLDEN.read_text("utf-8").splitlines()
"""Lines are added for new kinds of events, and never changed: such files are on people's disks."""

MESSAGES = [
    Message("plain"),
    Message(""),
    Message(None),
    Message("cut", finish_reason="length"),
    Message("whole", finish_reason="stop"),
    Message(({"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}})),
    Message(None, function_call=ToolCall("f", '{"x": 1}')),
    Message(None, tool_calls=(ToolCall("f", "{}", "1"), ToolCall("g", "not json", "2")), finish_reason="tool_calls"),
    Message("both", role="tool", tool_responses=(ToolResponse("1", "a"), ToolResponse("2", "b", ({"type": "image"},)))),
    Message("result", role="function", name="f"),
    Message("filled", context={"x": 1, "y": ["z"]}),
    Message("in a group", name="Mr. X"),
]


def there_and_back(event):
    return event_from_json(json.loads(json.dumps(event_to_json(event))))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_event_is_the_same_after_it_was_written_and_read(event):
    assert there_and_back(event) == event


@pytest.mark.parametrize("message", MESSAGES, ids=range(len(MESSAGES)))
def test_message_is_the_same_after_it_was_written_and_read(message):
    sent = MessageSent(0, "a", "b", message, "model", usage=Usage(1, None, estimated=True))
    kept = HistorySet(0, "a", "b", ((True, message), (False, message)))

    assert there_and_back(sent) == sent
    assert there_and_back(sent).message.context == message.context
    assert there_and_back(kept) == kept


@given(st.text(), st.sampled_from([None, "stop", "length", "interrupted"]))
def test_any_text_comes_back(text, reason):
    event = MessageSent(0, "a", "b", Message.from_dict({"content": text, "finish_reason": reason}))

    assert there_and_back(event) == event


@pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["kind"])
def test_event_of_an_earlier_day_is_read_as_it_was(line):
    written = json.loads(line)

    found = event_to_json(event_from_json(written))

    assert {name: found[name] for name in written} == written


def test_every_kind_of_event_is_in_the_file_of_an_earlier_day():
    assert {json.loads(line)["kind"] for line in LINES} == {kind.kind for kind in KINDS}


def test_messages_and_usage_of_an_earlier_day_are_what_they_were():
    [sent, kept, heard] = [
        event_from_json(json.loads(line))
        for line in LINES
        if json.loads(line)["kind"] in ("message", "history_set", "relayed")
    ]

    call = ToolCall("f", "{}", "1")
    assert (sent.message, sent.usage) == (Message("hi", tool_calls=(call,)), Usage(1, 2))
    assert kept.messages == ((True, Message("hi")), (False, Message("hello")))
    assert (heard.to, heard.message) == (("a", "b"), Message("hi", name="c"))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ({"kind": "telepathy", "chat": 0}, "of kind 'telepathy': this version knows chat_ended, "),
        ({"chat": 0}, "of kind None"),
        ({"kind": ["noted"], "chat": 0}, "of kind"),
        ({"kind": "event", "chat": 0}, "of kind 'event'"),
        ({"kind": "noted", "chat": 0, "text": "x", "colour": "red"}, "it has 'colour', which is not known"),
        ({"kind": "noted", "chat": 0}, "it lacks 'text'"),
        ({"kind": "message", "chat": 0, "sender": "a", "recipient": "b", "message": 3}, "The file is damaged"),
        ({"kind": "history_set", "chat": 0, "agent": "a", "counterpart": "b", "messages": [1]}, "The file is damaged"),
    ],
)
def test_event_is_refused_when_it_cannot_be_understood(data, what):
    with pytest.raises(RecordingError) as caught:
        event_from_json(data)

    assert what in str(caught.value)
    assert str(caught.value).startswith("Cannot read an event")


def test_what_has_a_default_may_be_left_out():
    assert event_from_json({"kind": "noted", "chat": 0, "text": "x"}) == Noted(0, "x")
