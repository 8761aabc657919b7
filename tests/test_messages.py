"""Messages: what is accepted, what is kept, and what a server is sent."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_agents.errors import InvalidMessageError
from jupyter_agents.messages import Message, ToolCall, ToolResponse, Usage, scrub, wire_name
from jupyter_agents.models.base import ModelReply

ANY_TEXT = st.text(st.characters())  # surrogates too
TEXT = st.text()
CALLS = st.builds(ToolCall, TEXT, TEXT)
TOOL_CALLS = st.builds(ToolCall, TEXT, TEXT, st.text(min_size=1))
PARTS = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}),
    st.fixed_dictionaries({"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": TEXT})}),
)
MESSAGES = st.builds(
    Message,
    content=st.one_of(TEXT, st.lists(PARTS).map(tuple)),
    role=st.sampled_from([None, "function", "tool", "system"]),
    name=st.none() | st.text(min_size=1),
    function_call=st.none() | CALLS,
    tool_calls=st.lists(TOOL_CALLS, max_size=3).map(tuple),
    tool_call_id=st.none() | st.text(min_size=1),
    tool_responses=st.lists(
        st.builds(ToolResponse, TEXT, TEXT, st.lists(PARTS, max_size=2).map(tuple)), max_size=3
    ).map(tuple),
    context=st.none() | st.dictionaries(TEXT, st.integers() | TEXT, max_size=3),
    finish_reason=st.sampled_from([None, "length", "content_filter", "interrupted"]),
)
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


# -- Text that can be encoded ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("grüße 漢字 🙂", "grüße 漢字 🙂"),
        ("\ud83d\ude42", "🙂"),
        ("a\ud83db", "a\ufffdb"),
        ("\ude42\ud83d", "\ufffd\ufffd"),
        ("end\ud83d", "end\ufffd"),
        ("\ufeffbyte order mark\ud83d", "\ufeffbyte order mark\ufffd"),
    ],
)
def test_surrogates_are_joined_or_replaced_when_text_is_scrubbed(text, expected):
    assert scrub(text) == expected


@given(ANY_TEXT)
def test_scrubbed_text_can_be_encoded_and_keeps_every_other_character(text):
    scrubbed = scrub(text)

    joined = re.sub(
        "[\ud800-\udbff][\udc00-\udfff]", lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text
    )
    assert scrubbed == re.sub("[\ud800-\udfff]", "\ufffd", joined)
    assert scrubbed.encode("utf-8").decode("utf-8") == scrubbed


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Player white", "Player_white"),
        ("user_proxy-2", "user_proxy-2"),
        ("Zoë <s>|\n", "Zoe__s___"),
        ("\u674e", "u674e"),
        ("\u0410\u043d\u043d\u0430-2", "u410u43du43du430-2"),
        ("\u674e" * 20, "u674e" * 11 + "_1b86819c"),
        ("a" * 65, "a" * 64),
    ],
)
def test_name_is_what_the_api_takes_when_it_goes_on_the_wire(name, expected):
    assert wire_name(name) == expected


def test_names_stay_apart_on_the_wire_when_no_letter_of_them_can_be_sent():
    names = ["\u674e", "\u738b", "\u674e" * 20, "\u674e" * 21]

    assert len({wire_name(name) for name in names}) == len(names)


# -- What can be a message ---------------------------------------------------------------------------------------


def test_message_is_its_words_when_it_is_made_from_text():
    assert Message.from_dict("hello \ud800") == Message("hello \ufffd")


def test_message_stays_itself_when_it_is_made_from_a_message():
    message = Message("hello", finish_reason="length")

    assert Message.from_dict(message) is message


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"role": "user"},
        {"content": None},
        {"content": None, "tool_calls": []},
        {"content": None, "tool_calls": None, "function_call": None},
        {"function_call": {}},
        {"tool_responses": []},
    ],
)
def test_message_is_refused_when_there_is_nothing_in_it(data):
    with pytest.raises(InvalidMessageError, match="neither 'content' nor 'function_call' nor 'tool_calls'"):
        Message.from_dict(data)


@pytest.mark.parametrize("data", [None, 3, ["hello"], b"hello", ("content", "hello")])
def test_message_is_refused_when_it_is_neither_text_nor_a_dictionary(data):
    with pytest.raises(InvalidMessageError, match="a message is a text or a dictionary"):
        Message.from_dict(data)


@pytest.mark.parametrize("content", [3, b"hello", ["hello"], [IMAGE, "hello"], {"text": "hello"}, {"hello"}])
def test_message_is_refused_when_its_content_is_neither_text_nor_parts(content):
    with pytest.raises(InvalidMessageError, match="neither text nor a list of content parts"):
        Message.from_dict({"content": content})


@pytest.mark.parametrize("context", ["text", 3, ["a"]])
def test_message_is_refused_when_its_context_is_no_dictionary(context):
    with pytest.raises(InvalidMessageError, match="it must be a dictionary"):
        Message.from_dict({"content": "hello", "context": context})


def test_refusal_of_a_message_is_a_value_error_as_in_the_classic():
    with pytest.raises(ValueError, match="Cannot send"):
        Message.from_dict({})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"content": ""}, Message("")),
        ({"content": []}, Message(())),
        ({"content": "hello", "tool_calls": None}, Message("hello")),
        (
            {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
            Message(None, function_call=ToolCall("f", "{}")),
        ),
        (
            {"tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            Message(None, tool_calls=(ToolCall("f", "{}", "1"),)),
        ),
        (
            {"role": "tool", "tool_responses": [{"tool_call_id": "1", "content": None}]},
            Message(None, role="tool", tool_responses=(ToolResponse("1", ""),)),
        ),
        ({"role": "tool", "tool_call_id": "1", "content": "42"}, Message("42", role="tool", tool_call_id="1")),
    ],
)
def test_message_is_accepted_when_there_is_content_or_a_call(data, expected):
    assert Message.from_dict(data) == expected


def test_unknown_keys_and_the_roles_of_speech_are_dropped_when_a_message_is_read():
    message = Message.from_dict({"role": "assistant", "content": "hello", "audio": None, "refusal": "no"})

    assert message == Message("hello")


@pytest.mark.parametrize("role", ["function", "tool", "system"])
def test_role_is_kept_when_it_is_not_plain_speech(role):
    assert Message.from_dict({"role": role, "content": "hello"}).role == role


# -- Immutable and plain data ------------------------------------------------------------------------------------


@given(MESSAGES)
def test_message_is_the_same_when_it_went_through_json(message):
    assert Message.from_dict(json.loads(json.dumps(message.to_dict()))) == message


@pytest.mark.parametrize("reason", ["stop", "tool_calls", "function_call"])
def test_finish_reason_is_left_out_of_the_dictionary_when_the_reply_came_whole(reason):
    assert Message("hello", finish_reason=reason).to_dict() == {"content": "hello"}


def test_message_stays_as_it_is_when_its_source_or_its_dictionary_are_changed():
    source = {"content": [{"type": "image_url", "image_url": {"url": "a", "sizes": [1]}}], "context": {"x": 1}}
    message = Message.from_dict(source)

    source["content"][0]["image_url"]["sizes"].append(2)
    source["context"]["x"] = 2
    given_out = message.to_dict()
    given_out["content"][0]["image_url"]["url"] = "b"
    given_out["content"].append("c")
    given_out["context"]["x"] = 3

    assert message.to_dict() == {
        "content": [{"type": "image_url", "image_url": {"url": "a", "sizes": [1]}}],
        "context": {"x": 1},
    }


@pytest.mark.parametrize("kind", [list, tuple])
def test_content_parts_are_scrubbed_however_deep_the_text_is(kind):
    parts = kind([{"type": "text", "text": "a\ud800"}, {"type": "x", "x": {"y": ["b\ud800", ("c\ud800",)]}}])

    message = Message.from_dict({"content": parts})

    assert message.content == ({"type": "text", "text": "a\ufffd"}, {"type": "x", "x": {"y": ["b\ufffd", ["c\ufffd"]]}})


# -- What a reader wants to know of a message ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ""),
        ("words", "words"),
        ((), ""),
        (({"type": "text", "text": "look: "}, IMAGE, {"type": "text", "text": "."}), "look: <image>."),
        (({"type": "text"},), ""),
    ],
)
def test_text_is_the_words_when_content_is_text_or_parts(content, expected):
    assert Message(content).text == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Message(), True),
        (Message(" \n\t"), True),
        (Message(()), True),
        (Message("."), False),
        (Message((IMAGE,)), False),
        (Message(None, function_call=ToolCall("f")), False),
        (Message("", tool_calls=(ToolCall("f", id="1"),)), False),
        (Message("", role="tool", tool_responses=(ToolResponse("1", ""),)), False),
    ],
)
def test_message_is_empty_when_there_is_nothing_to_answer(message, expected):
    assert message.is_empty is expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (None, True),
        ("stop", True),
        ("tool_calls", True),
        ("function_call", True),
        ("length", False),
        ("content_filter", False),
        ("interrupted", False),
    ],
)
def test_message_is_complete_when_the_reply_came_whole(reason, expected):
    assert Message("hello", finish_reason=reason).is_complete is expected


def test_calls_are_of_both_forms_when_a_message_has_both():
    legacy, current = ToolCall("f"), ToolCall("g", id="1")

    assert Message(None, function_call=legacy, tool_calls=(current,)).calls == (legacy, current)
    assert Message("no calls").calls == ()


def test_all_but_the_words_stays_when_they_are_replaced():
    message = Message("a", name="Zoë", role="system", context={"x": 1})

    assert message.with_content("b") == Message("b", name="Zoë", role="system", context={"x": 1})


# -- Calls -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        {"name": "f", "arguments": '{"a": 1}'},
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "not json"}},
    ],
)
def test_call_keeps_its_form_when_it_is_read_and_written(data):
    assert ToolCall.from_json(data).to_json() == data


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(None, ""), ({"ä": [1, None]}, '{"ä": [1, null]}'), ("\ud800", "\ufffd"), ({"a": "\ud800"}, '{"a": "\ufffd"}')],
)
def test_arguments_are_text_when_a_server_sends_something_else(arguments, expected):
    assert ToolCall.from_json({"function": {"name": "f", "arguments": arguments}, "id": "1"}).arguments == expected


def test_call_has_no_name_when_none_was_sent():
    assert ToolCall.from_json({"function": {"arguments": "{}"}, "id": "1"}).name == ""


def test_tool_calls_are_told_apart_when_they_came_without_ids():
    calls = [{"function": {"name": name, "arguments": "{}"}} for name in "fgh"]
    calls[1]["id"] = "call_0"

    message = Message.from_dict({"tool_calls": calls})

    assert [(call.id, call.name) for call in message.tool_calls] == [("call_1", "f"), ("call_0", "g"), ("call_2", "h")]


# -- The wire ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["assistant", "user", "system"])
def test_speech_has_the_role_of_the_readers_view_when_it_goes_on_the_wire(role):
    assert Message("hello").to_wire(role) == [{"role": role, "content": "hello"}]


@pytest.mark.parametrize(
    "message",
    [Message("I call", function_call=ToolCall("f")), Message(None, tool_calls=(ToolCall("f", id="1"),))],
)
def test_calls_are_the_assistants_when_they_go_on_the_wire(message):
    (wire,) = message.to_wire("user")

    assert wire["role"] == "assistant"


def test_result_of_a_function_keeps_its_role_when_it_goes_on_the_wire():
    message = Message("42", role="function", name="my function")

    assert message.to_wire("assistant") == [{"role": "function", "name": "my_function", "content": "42"}]


def test_every_tool_call_has_its_own_answer_when_they_go_on_the_wire():
    message = Message("1\n\n2", role="tool", tool_responses=(ToolResponse("a", "1"), ToolResponse("b", "2")))

    assert message.to_wire("user") == [
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
    ]


def test_images_of_tools_follow_all_results_when_they_go_on_the_wire():
    responses = (ToolResponse("a", "1", (IMAGE, IMAGE)), ToolResponse("b", "2"), ToolResponse("c", "3", (IMAGE,)))

    assert Message("1", role="tool", tool_responses=responses).to_wire("user") == [
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "tool", "tool_call_id": "c", "content": "3"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Tool call a gave these 2 images:"},
                IMAGE,
                IMAGE,
                {"type": "text", "text": "Tool call c gave this image:"},
                IMAGE,
            ],
        },
    ]


def test_images_of_a_function_follow_its_result_when_they_go_on_the_wire():
    message = Message(({"type": "text", "text": "A plot."}, IMAGE), role="function", name="plot")

    assert message.to_wire("user") == [
        {"role": "function", "name": "plot", "content": "A plot."},
        {"role": "user", "content": [{"type": "text", "text": "The function plot gave this image:"}, IMAGE]},
    ]


def test_images_of_a_tool_are_kept_when_a_message_becomes_a_dictionary():
    message = Message("1", role="tool", tool_responses=(ToolResponse("a", "1", (IMAGE,)), ToolResponse("b", "2")))

    found = message.to_dict()

    assert found["tool_responses"] == [
        {"role": "tool", "tool_call_id": "a", "content": "1", "images": [IMAGE]},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
    ]
    assert Message.from_dict(json.loads(json.dumps(found))) == message


@pytest.mark.parametrize("images", ["text", [3], 3])
def test_message_is_refused_when_the_images_of_a_tool_are_no_parts(images):
    with pytest.raises(InvalidMessageError, match="Cannot send"):
        Message.from_dict({"tool_responses": [{"tool_call_id": "1", "content": "", "images": images}]})


@given(MESSAGES, st.sampled_from(["assistant", "user", "system"]))
def test_wire_form_is_json_and_holds_what_a_server_takes_only(message, role):
    wire = message.to_wire(role)

    assert json.loads(json.dumps(wire)) == wire
    for one in wire:
        assert one.keys() <= {"role", "content", "name", "function_call", "tool_calls", "tool_call_id"}
        assert one["role"] in ("assistant", "user", "system", "function", "tool")
        assert re.fullmatch("[a-zA-Z0-9_-]{1,64}", one.get("name", "x"))


def test_message_stays_as_it_is_when_its_wire_form_is_changed():
    message = Message(({"type": "text", "text": "a"},))

    message.to_wire("user")[0]["content"][0]["text"] = "b"

    assert message.text == "a"


# -- Replies of models -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "content"),
    [
        (ModelReply("hello"), "hello"),
        (ModelReply(None, refusal="I will not"), "I will not"),
        (ModelReply("", refusal="I will not"), ""),
        (ModelReply(None), ""),
        (ModelReply(None, tool_calls=(ToolCall("f", id="1"),)), None),
        (ModelReply(None, function_call=ToolCall("f")), None),
    ],
)
def test_reply_is_something_to_say_whatever_a_model_answers(reply, content):
    message = reply.to_message()

    assert message.content == content
    assert message.calls == ((reply.function_call,) if reply.function_call else reply.tool_calls)


@given(
    st.builds(
        ModelReply,
        st.none() | TEXT,
        st.sampled_from(["stop", "length", "tool_calls"]),
        st.none() | CALLS,
        st.lists(TOOL_CALLS, max_size=2).map(tuple),
        st.none() | st.text(min_size=1),
        st.none() | st.builds(Usage, st.none() | st.integers(0), st.none() | st.integers(0), st.booleans()),
        st.none() | st.text(min_size=1),
    )
)
def test_reply_is_the_same_when_it_went_through_json(reply):
    assert ModelReply.from_json(json.loads(json.dumps(reply.to_json()))) == reply


# -- Usage -------------------------------------------------------------------------------------------------------

COUNTS = st.none() | st.integers(0, 10**6)
USAGES = st.builds(Usage, COUNTS, COUNTS, st.booleans(), COUNTS, COUNTS)


@pytest.mark.parametrize(
    ("usage", "total"),
    [(Usage(), None), (Usage(3), 3), (Usage(None, 4), 4), (Usage(3, 4), 7), (Usage(0, 0), 0)],
)
def test_total_is_unknown_when_nothing_is_known(usage, total):
    assert usage.total_tokens == total


@given(USAGES, USAGES, USAGES)
def test_usages_add_up_in_any_order(a, b, c):
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Usage() == a
    if None not in (a.total_tokens, b.total_tokens):
        assert (a + b).total_tokens == a.total_tokens + b.total_tokens


def test_growth_is_told_of_every_count_when_a_usage_has_grown():
    before, more = Usage(1, 2, False, 3, 4), Usage(10, 20, False, 30, 40)

    assert (before + more) - before == more


def test_sum_is_estimated_when_a_part_of_it_is():
    assert (Usage(1, 2) + Usage(3, 4, estimated=True)) == Usage(4, 6, estimated=True)


@given(USAGES)
def test_usage_is_the_same_when_it_went_through_json(usage):
    assert Usage.from_json(json.loads(json.dumps(usage.to_json()))) == usage


def test_usage_is_read_from_the_object_of_a_server():
    sent = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21, "prompt_tokens_details": {"audio": 0}}

    assert Usage.from_json(sent) == Usage(9, 12)
