"""What bytes mean: the event reader and the assembler, over every way to cut, repeat, leave out and damage."""

import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_agents.errors import (
    ContextLengthError,
    MalformedReplyError,
    ModelError,
    ModelRejectedError,
    ModelUnavailableError,
    RateLimitedError,
    ReplyInterruptedError,
)
from jupyter_agents.messages import ToolCall, Usage
from jupyter_agents.models.assembly import usage_of
from jupyter_agents.models.base import ModelReply
from jupyter_agents.models.refusals import Refusal
from jupyter_agents.models.server_events import EventReader, ServerEvent
from jupyter_agents.models.stream import ReplyStream, parse_body

DONE = b"data: [DONE]\n\n"


def event(value):
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(finish_reason=None, **delta):
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})


def read(*pieces):
    stream = ReplyStream("a model")
    told = "".join([stream.feed(piece) for piece in pieces])
    return stream.finish(), told


def cut(data, places):
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


STREAM = b"".join(
    [
        b"\xef\xbb\xbf: comment\r\n\r\n",
        delta(role="assistant", content=""),
        delta(content="Hé "),
        b'data:{"choices":[{"delta":{"content":"\xf0\x9f\x98\x80 \\ud83d"}}]}\r\n\r\n',
        b": keep-alive\n\n",
        b'event: message\ndata: {\ndata: "choices": [{"delta": {"content": "\\ude00."}}]}\n\n',
        delta(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "f", "arguments": '{"a":'}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": "1}"}}]),
        b"id: 7\rretry: 5\r",
        delta(finish_reason="tool_calls"),
        event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}),
        DONE,
    ]
)
FINISHED_AT = STREAM.index(b'"finish_reason": "tool_calls"')
FINISHED_AT = STREAM.index(b"\n\n", FINISHED_AT) + 2


# -- The event reader -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"data: a\n\n", [(b"a", b"")]),
        (b"data:a\r\n\r\n", [(b"a", b"")]),
        (b"data: a\r\r", [(b"a", b"")]),
        (b"data:  a \n\n", [(b" a ", b"")]),
        (b"data: a\ndata: b\n\n", [(b"a\nb", b"")]),
        (b"data\n\n", [(b"", b"")]),
        (b"event: error\ndata: a\n\ndata: b\n\n", [(b"a", b"error"), (b"b", b"")]),
        (b": comment\n\n:\n\n", []),
        (b"event: lonely\n\n", []),
        (b"id: 1\nretry: 2\nother: 3\nno colon\ndata: a\n\n", [(b"a", b"")]),
        (b"\n\n\ndata: a\n\n\n", [(b"a", b"")]),
        (b"data: never ended\n", []),
        (b"", []),
    ],
)
def test_events_are_those_of_the_standard_when(data, events):
    assert EventReader().feed(data) == [ServerEvent(*one) for one in events]


LINES = st.lists(
    st.one_of(
        st.text(alphabet="aé😀 :", max_size=6).map(lambda text: "data: " + text),
        st.sampled_from(["", "", ": c", "event: x", "data"]),
    ),
    max_size=12,
)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 300)))
def test_events_are_the_same_when_cut_anywhere_and_whatever_ends_lines(lines, ending, places):
    plain = ("\n".join(lines) + "\n\n").encode()
    data = (ending.join(lines) + ending * 2).encode()
    reader = EventReader()

    events = [event for piece in cut(data, places) for event in reader.feed(piece)]

    assert events == EventReader().feed(plain)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_events_are_the_same_when_pieces_are_whole_lines(lines, ending, data):
    pieces, reader = [""], EventReader()
    for line in [*lines, ""]:
        pieces[-1] += line + ending
        pieces += [""] * data.draw(st.booleans())

    events = [event for piece in pieces for event in reader.feed(piece.encode())]

    assert events == EventReader().feed(b":\n" + "\n".join([*lines, "", ""]).encode())


@given(st.lists(st.binary(max_size=20)))
def test_reader_takes_anything_when_fed_noise(pieces):
    reader = EventReader()

    for piece in pieces:
        for found in reader.feed(piece):
            assert isinstance(found.data, bytes)


# -- Whole streams ----------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, len(STREAM))))
@example(list(range(len(STREAM))))
def test_reply_is_the_same_when_the_stream_is_cut_anywhere(places):
    reply, told = read(*cut(STREAM, places))

    assert reply.content == told == "Hé 😀 😀."
    assert reply.tool_calls == (ToolCall("f", '{"a":1}', "c1"),)
    assert reply.finish_reason == "tool_calls"
    assert reply.usage == Usage(3, 4)


def test_reply_is_never_complete_when_the_stream_ends_anywhere_before_its_finish():
    for end in range(FINISHED_AT):
        stream = ReplyStream("a model")
        told = stream.feed(STREAM[:end])

        with pytest.raises(ReplyInterruptedError) as caught:
            stream.finish()

        assert "Hé 😀 😀.".startswith(told)
        assert (caught.value.partial.content or "").rstrip("\ufffd") == told
        assert caught.value.partial.tool_calls == ()


def test_reply_is_complete_when_the_stream_ends_anywhere_after_its_finish():
    for end in range(FINISHED_AT, len(STREAM)):
        assert read(STREAM[:end])[0].finish_reason == "tool_calls"


@given(st.integers(0, len(STREAM) - 1), st.integers(0, 255), st.lists(st.integers(0, len(STREAM)), max_size=3))
def test_outcome_is_a_reply_or_a_typed_error_when_a_byte_is_damaged(place, byte, places):
    damaged = STREAM[:place] + bytes([byte]) + STREAM[place + 1 :]

    try:
        reply, told = read(*cut(damaged, places))
    except ModelError:
        return

    assert (reply.content or "").startswith(told)
    (reply.content or "").encode()


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("\ud83d")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                "choices delta message content tool_calls function name arguments id index finish_reason usage error "
                "function_call refusal text prompt_tokens completion_tokens model object".split()
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@given(st.lists(JSON, max_size=5))
def test_outcome_is_a_reply_or_a_typed_error_when_chunks_have_any_shape(values):
    try:
        reply, told = read(*(event(value) for value in values), delta(finish_reason="stop"))
    except ModelError as error:
        str(error).encode()
        return

    json.dumps(reply.to_json(), ensure_ascii=False).encode()
    told.encode()


@given(st.one_of(JSON.map(lambda value: json.dumps(value).encode()), st.binary()))
@example(b"[" * 100_000)
@example(b"9" * 5_000)
@example(b'{"choices": [{"message": {"content": NaN}}]}')
@example(b'{"choices": [{"message": {"content": 1e999}}]}')
def test_row13_outcome_is_a_reply_or_a_typed_error_when_a_body_is_anything(body):
    try:
        reply = parse_body(body, "a model")
    except ModelError as error:
        str(error).encode()
        return

    assert reply.finish_reason


@given(st.lists(st.text(st.characters(codec=None), min_size=1, max_size=4), min_size=1, max_size=6))
def test_text_can_be_encoded_when_surrogates_come_in_pieces(texts):
    pieces = [b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n" for text in texts]

    reply, told = read(*pieces, delta(finish_reason="stop"))

    whole = "".join(texts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert reply.content == whole
    assert whole.startswith(told)


@pytest.mark.parametrize(
    ("pieces", "content"),
    [
        (["\ud83d", "\ude00"], "😀"),
        (["a\ud83d", "b"], "a\ufffdb"),
        (["a\ud83d"], "a\ufffd"),
        (["\ude00"], "\ufffd"),
        (["\ud83d", "\ud83d", "\ude00"], "\ufffd😀"),
    ],
)
def test_surrogates_are_joined_or_replaced_when_they_come_in_pieces(pieces, content):
    reply, _ = read(*(delta(content=piece) for piece in pieces), delta(finish_reason="stop"))

    assert reply.content == content


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, None),
        ([{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "…"}, "b"], "ab"),
        ("\x00", "\x00"),
    ],
)
def test_content_is_text_when_it_comes_as(content, text):
    assert read(delta(content=content), delta(finish_reason="stop"))[0].content == text


def test_reply_is_the_first_choice_when_there_are_several():
    both = event(
        {
            "choices": [
                {"index": 1, "delta": {"content": "other"}, "finish_reason": "length"},
                {"index": 0, "delta": {"content": "first"}, "finish_reason": "stop"},
            ]
        }
    )

    reply, told = read(both)

    assert (reply.content, reply.finish_reason, told) == ("first", "stop", "first")


def choice(index, finish_reason=None, **delta):
    return event({"choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}]})


@given(
    texts=st.lists(st.lists(st.text("aé😀", min_size=1, max_size=3), max_size=3), min_size=1, max_size=4),
    data=st.data(),
)
def test_choices_are_those_sent_when_their_pieces_interleave(texts, data):
    queues = [
        [choice(index, content=one) for one in pieces] + [choice(index, "stop")] for index, pieces in enumerate(texts)
    ]
    order = data.draw(st.permutations([index for index, queue in enumerate(queues) for _ in queue]))
    stream = ReplyStream("a model", n=len(texts))

    told = "".join(stream.feed(queues[index].pop(0)) for index in order)

    reply = stream.finish()
    assert stream.is_complete
    assert [one.content or "" for one in (reply, *reply.alternatives)] == ["".join(pieces) for pieces in texts]
    assert told == "".join(texts[0])


def test_alternative_is_marked_and_calls_nothing_when_it_was_cut_off():
    pieces = [choice(0, content="a"), choice(1, tool_calls=[piece(0, "c", "f", "{}")], content="b"), choice(0, "stop")]
    stream = ReplyStream("a model", n=2)

    for one in pieces:
        stream.feed(one)

    assert (stream.is_finished, stream.is_complete) == (True, False)
    [other] = stream.finish().alternatives
    assert (other.content, other.finish_reason, other.tool_calls) == ("b", "interrupted", ())


def test_alternatives_and_logprobs_come_back_when_a_reply_was_written_as_json():
    tokens = [{"token": "a\ud83d", "logprob": float("-inf"), "bytes": None}]
    body = json.dumps(
        {
            "choices": [
                {"index": 0, "message": {"content": "a"}, "logprobs": {"content": tokens}, "finish_reason": "stop"},
                {"index": 1, "message": {"content": "b"}, "finish_reason": "length"},
            ]
        }
    )

    reply = parse_body(body.encode(), "a model")

    found = json.loads(json.dumps(reply.to_json(), allow_nan=False))
    assert ModelReply.from_json(found) == reply
    assert reply.logprobs == {"content": [{"token": "a\ufffd", "logprob": None, "bytes": None}]}
    assert reply.alternatives == (ModelReply("b", "length"),)


def test_nothing_is_read_when_it_follows_the_end():
    reply, _ = read(delta(content="a", finish_reason="stop"), DONE + b"data: {oops\n\n", b"data: oops\n\n")

    assert reply.content == "a"


def test_reply_is_malformed_when_it_is_endless(monkeypatch):
    monkeypatch.setattr("jupyter_agents.models.stream._MAX_BYTES", 100)
    stream = ReplyStream("a model")

    for _ in range(10):
        stream.feed(b"x" * 10)

    with pytest.raises(MalformedReplyError, match="longer than"):
        stream.feed(b"x")


@pytest.mark.parametrize(
    "usage",
    [{"prompt_tokens": -1}, {"prompt_tokens": "3"}, {"prompt_tokens": True, "completion_tokens": 1.5}, {"other": 1}],
)
def test_usage_is_unknown_when_the_counts_are_no_counts(usage):
    reply, _ = read(delta(content="a", finish_reason="stop"), event({"choices": [], "usage": usage}))

    assert reply.usage is None


@pytest.mark.parametrize(
    "usage",
    [
        {
            "prompt_tokens": 9,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        {
            "input_tokens": 9,
            "output_tokens": 5,
            "input_tokens_details": {"cached_tokens": 4},
            "output_tokens_details": {"reasoning_tokens": 3},
        },
    ],
    ids=["chat", "responses"],
)
def test_parts_of_the_usage_are_found_when_the_server_tells_them(usage):
    counts = {"prompt_tokens": 9, "completion_tokens": 5, "cached_tokens": 4, "reasoning_tokens": 3}

    assert usage_of(usage) == Usage.from_json(counts) == Usage(9, 5, cached_tokens=4, reasoning_tokens=3)


# -- Tool calls -------------------------------------------------------------------------------------------------


def piece(index=None, call_id=None, name=None, arguments=None):
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    found = {"index": index, "id": call_id, "function": function}
    return {key: value for key, value in found.items() if value is not None}


ONE = [ToolCall("f", '{"a": 1}', "c1")]
TWO = [ToolCall("f", '{"a": 1}', "c1"), ToolCall("g", '{"b": 2}', "c2")]


@pytest.mark.parametrize(
    ("pieces", "calls"),
    [
        ([piece(0, "c1", "f", ""), piece(0, None, None, '{"a"'), piece(0, None, None, ": 1}")], ONE),
        ([piece(0, "c1", "f", '{"a"'), piece(0, "c1", "f", ": 1}")], ONE),
        ([piece(None, "c1", "f", '{"a"'), piece(None, None, None, ": 1}")], ONE),
        ([piece(None, "c1", "f", '{"a"'), piece(None, "c1", "f", ": 1}")], ONE),
        ([piece(0, "c1", "f", '{"a"'), piece(0, "random", None, ": 1}")], ONE),
        ([piece(0, "c1", "f"), piece(0, "", "", '{"a": 1}')], ONE),
        ([piece(0, "c1", "f", {"a": 1})], ONE),
        ([piece(0, "c1", "f", '{"a": 1}'), piece(1, "c2", "g", '{"b": 2}')], TWO),
        (
            [
                piece(0, "c1", "f", '{"a"'),
                piece(1, "c2", "g", '{"b"'),
                piece(0, arguments=": 1}"),
                piece(1, arguments=": 2}"),
            ],
            TWO,
        ),
        ([piece(7, "c2", "g", '{"b": 2}'), piece(2, "c1", "f", '{"a": 1}')], TWO),
        ([piece(0, "c1", "f", '{"a": 1}'), piece(0, "c2", "g", '{"b": 2}')], TWO),
        ([piece(None, "c1", "f", '{"a": 1}'), piece(None, "c2", "g", '{"b": 2}')], TWO),
        ([piece(0, "c1", "f", '{"a": 1}'), piece(1)], ONE),
    ],
    ids=[
        "as_openai",
        "id_and_name_repeated",
        "no_index",
        "no_index_repeated",
        "new_id_each_piece",
        "empty_id_and_name",
        "arguments_object",
        "two",
        "interleaved",
        "gaps_and_order",
        "same_index",
        "no_index_two",
        "empty_call",
    ],
)
def test_row23_calls_are_put_together_when_pieces_come_as(pieces, calls):
    reply, _ = read(*(delta(tool_calls=[one]) for one in pieces), delta(finish_reason="tool_calls"))

    assert list(reply.tool_calls) == calls


def test_row22_every_call_has_an_id_of_its_own_when_ids_are_missing_or_the_same():
    calls = [piece(0, None, "f", "{}"), piece(1, None, "f", "{}"), piece(2, "c", "g", "{}"), piece(3, "c", "g", "{}")]

    first, again = (read(delta(tool_calls=calls), delta(finish_reason="stop"))[0] for _ in range(2))

    assert len({call.id for call in first.tool_calls}) == 4
    assert first.tool_calls == again.tool_calls
    assert first.finish_reason == "tool_calls"


def test_reply_is_malformed_when_a_call_names_no_function():
    with pytest.raises(MalformedReplyError, match="without a name"):
        read(delta(tool_calls=[piece(0, "c", None, "{}")]), delta(finish_reason="tool_calls"))


def test_legacy_call_is_put_together_when_it_comes_in_pieces():
    pieces = [{"name": "f", "arguments": ""}, {"arguments": '{"a'}, {"arguments": '": 1}'}]

    reply, _ = read(*(delta(function_call=one) for one in pieces), delta(finish_reason="function_call"))

    assert reply.function_call == ToolCall("f", '{"a": 1}', None)
    assert reply.finish_reason == "function_call"


@given(
    calls=st.lists(
        st.tuples(
            st.text("abc", min_size=1, max_size=3), st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)
        ),
        min_size=1,
        max_size=4,
    ),
    data=st.data(),
)
def test_calls_are_those_sent_when_their_pieces_interleave(calls, data):
    queues = []
    for index, (name, arguments) in enumerate(calls):
        text = json.dumps(arguments)
        places = data.draw(st.lists(st.integers(0, len(text)), max_size=3))
        first = piece(index, f"c{index}", name, "")
        queues.append([first] + [piece(index, None, None, part) for part in cut(text, places)])
    order = data.draw(st.permutations([index for index, queue in enumerate(queues) for _ in queue]))

    reply, _ = read(*(delta(tool_calls=[queues[index].pop(0)]) for index in order), delta(finish_reason="tool_calls"))

    assert [(call.name, json.loads(call.arguments)) for call in reply.tool_calls] == calls


# -- What a server says when it does not answer -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "status", "error"),
    [
        ({"error": {"message": "m", "code": "context_length_exceeded"}}, 400, ContextLengthError),
        ({"error": {"code": 400, "message": "x", "type": "exceed_context_size_error"}}, 400, ContextLengthError),
        ({"message": "This model's maximum context length is 8192 tokens"}, None, ContextLengthError),
        ({"error": {"message": "m", "code": "insufficient_quota"}}, 429, ModelRejectedError),
        ({"error": {"message": "m", "type": "insufficient_quota"}}, None, ModelRejectedError),
        ({"error": {"message": "m", "code": "rate_limit_exceeded"}}, None, RateLimitedError),
        ({"error": "slow down"}, 429, RateLimitedError),
        ([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}], None, RateLimitedError),
        ({"object": "error", "message": "bad", "code": 400}, None, ModelRejectedError),
        ({"detail": "Not Found"}, 404, ModelRejectedError),
        ({"error": {"message": {"odd": 1}}}, None, ModelUnavailableError),
        ("plain words", 503, ModelUnavailableError),
        (None, 408, ModelUnavailableError),
        ([], 409, ModelUnavailableError),
        ({"error": {"message": "please use the context manager"}}, 400, ModelRejectedError),
        ({"error": {"code": 500, "message": "image input is not supported - hint: mmproj"}}, 500, ModelRejectedError),
        ({"error": "Images are not supported by this model"}, 503, ModelRejectedError),
        ({"error": {"message": "this image could not be read"}}, 500, ModelUnavailableError),
    ],
)
def test_refusal_is_the_error_that_fits_when_a_server_says(payload, status, error):
    found = Refusal.from_payload(payload, status).to_error("'m' at here")

    assert type(found) is error
    assert str(found).startswith("Cannot get a reply from 'm' at here: ")


def test_refusal_is_bounded_when_a_server_says_a_lot():
    found = Refusal.from_payload({"error": {"message": "x\n" * 10_000}}, 500).to_error("'m' at here")

    assert len(str(found)) < 700
    assert "\n" not in str(found)
