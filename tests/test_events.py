"""The event log: numbered entries of plain data, and stable names for those who take part."""

import json
from dataclasses import FrozenInstanceError
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents import events
from jupyter_agents.events import ChatEnded, ChatStarted, Event, EventLog, MessageSent, ModelAnswered, Noted
from jupyter_agents.messages import Message, ToolCall, Usage

EVENTS = [
    ChatStarted(0, "a", "b", None),
    ChatEnded(0, "turn limit", "3 turns"),
    MessageSent(0, "a", "b", Message("hi", tool_calls=(ToolCall("f", "{}", "1"),)), "model", usage=Usage(1, 2)),
    events.HistorySet(0, "a", "b", ((True, Message("hi")), (False, Message("hello")))),
    events.Relayed(0, "m", ("a", "b"), Message("hi", name="c")),
    events.GroupSet(0, "m", (("a", Message("hi", name="a")),)),
    events.SpeakerChosen(0, "m", "a", "model", 2),
    events.ModelAsked(0, "a", 3),
    ModelAnswered(0, "a", "stop", Usage(1, None, estimated=True), "m", True, 0.5),
    events.ModelFailed(0, "a", "no answer", "par"),
    events.ReplyDropped(0, "a", "it broke off", "par", Usage(1, 2), "m"),
    events.HumanAsked(0, "a", {"kind": "approval", "block": {"code": "x", "language": "py"}}),
    events.HumanAnswered(0, "a", "reply", "yes"),
    events.CodeStarted(0, "a", "python", "x"),
    events.CodeFinished(0, "a", 1, "error", "text", 2, 0.1),
    events.ToolStarted(0, "a", "f", "{}", "1"),
    events.ToolFinished(0, "a", "f", True, "42", "1"),
    Noted(0, "a sentence", level="warning"),
    events.SeriesStarted(0, 2),
    events.SeriesEnded(0),
    events.Summarised(0, "It is 7.", "function"),
    events.FormAsked(0, "a", "Point", "0123456789abcdef"),
    events.FormGiven(0, "a", "Point", "0123456789abcdef", '{"x": 1}'),
]
KINDS = {kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)} - {Event}


def agent(name):
    return SimpleNamespace(name=name)


# -- Events as data ----------------------------------------------------------------------------------------------


def test_table_of_events_has_every_kind():
    assert {type(event) for event in EVENTS} == KINDS


def test_kinds_are_told_apart_by_their_names():
    names = {kind.kind for kind in KINDS}

    assert len(names) == len(KINDS)
    assert Event.kind not in names


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_event_is_plain_json_with_its_kind(event):
    data = event.to_json()

    assert json.loads(json.dumps(data)) == data
    assert data["kind"] == event.kind
    assert data["chat"] == 0


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_event_cannot_be_changed(event):
    with pytest.raises(FrozenInstanceError):
        event.chat = 1


def test_message_and_usage_are_in_the_data_of_an_event():
    data = EVENTS[2].to_json()

    assert data["message"] == {
        "content": "hi",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    assert data["usage"] == {"prompt_tokens": 1, "completion_tokens": 2}
    assert (data["sender"], data["recipient"], data["origin"], data["held_by"]) == ("a", "b", "model", "both")


def test_history_is_a_list_of_who_spoke_and_what_when_it_is_data():
    assert EVENTS[3].to_json()["messages"] == [[True, {"content": "hi"}], [False, {"content": "hello"}]]


# -- The log -----------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(EVENTS)))
def test_entries_are_numbered_without_gaps_and_in_order(happened):
    log = EventLog()

    appended = [log.append(event) for event in happened]

    assert list(log) == log.entries == appended
    assert [entry.seq for entry in log] == list(range(len(happened)))
    assert [entry.event for entry in log] == happened
    assert len(log) == len(happened)


def test_entry_says_its_number_when_it_is_data():
    log = EventLog()
    log.append(Noted(0, "first"))

    entry = log.append(Noted(2, "second"))

    assert entry.to_json() == {"seq": 1} | Noted(2, "second").to_json()


def test_selection_has_the_kinds_asked_for_in_order():
    log = EventLog()
    for event in EVENTS:
        log.append(event)

    assert log.select(ChatEnded, ChatStarted) == [EVENTS[0], EVENTS[1]]
    assert log.select(Event) == EVENTS
    assert log.select() == []


def test_chats_are_counted_from_zero():
    log = EventLog()

    assert [log.new_chat() for _ in range(3)] == [0, 1, 2]


def test_repr_says_how_much_there_is():
    log = EventLog()
    log.new_chat()
    log.append(Noted(0, "first"))

    assert repr(log) == "<EventLog: 1 events, 1 chats>"


# -- Names -------------------------------------------------------------------------------------------------------


def test_key_of_an_agent_is_its_name_at_every_call():
    log, one = EventLog(), agent("coder")

    assert [log.key_of(one), log.key_of(one)] == ["coder", "coder"]


def test_keys_are_numbered_when_agents_share_a_name():
    log = EventLog()

    assert [log.key_of(agent("coder")) for _ in range(3)] == ["coder", "coder#2", "coder#3"]


@given(st.lists(st.sampled_from(["a", "a#2", "a#2#2", "a#3", "b"]), max_size=12))
def test_every_agent_has_a_key_of_its_own_whatever_the_names(names):
    log = EventLog()
    agents = [agent(name) for name in names]

    keys = [log.key_of(one) for one in agents]

    assert len(set(keys)) == len(keys)
    assert [log.key_of(one) for one in agents] == keys
    assert all(key.startswith(name) for key, name in zip(keys, names, strict=True))


def test_key_stays_taken_when_its_agent_is_gone():
    log = EventLog()
    log.key_of(agent("coder"))  # kept by the log alone, or its id could come again

    assert log.key_of(agent("coder")) == "coder#2"


def test_agents_are_told_apart_when_they_are_equal():
    class Same:
        name = "coder"

        def __eq__(self, other):
            return True

        def __hash__(self):
            return 0

    log = EventLog()

    assert [log.key_of(Same()), log.key_of(Same())] == ["coder", "coder#2"]
