"""What the events of the Responses API mean, over every way to cut, interleave, repeat, leave out and damage them."""

import itertools
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_agents.errors import MalformedReplyError, ModelError, RateLimitedError, ReplyInterruptedError
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.stream import ReplyStream, parse_body

USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


def event(kind, **fields):
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def text(delta, **fields):
    return event("response.output_text.delta", output_index=0, delta=delta, **fields)


def message(*parts):
    return {"type": "message", "id": "m", "role": "assistant", "content": list(parts)}


def call(call_id, name, arguments, **fields):
    about = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
    return {"id": f"i{call_id}"} | about | fields


def end(*output, status="completed", **fields):
    return event(f"response.{status}", response={"status": status, "output": list(output), "usage": USAGE, **fields})


def read(*pieces):
    stream = ReplyStream("a model", api="responses")
    told = "".join([stream.feed(piece) for piece in pieces])
    return stream.finish(), told


def cut(data, places):
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


STREAM = b"".join(
    [
        event("response.created", response={"model": "m-1", "status": "in_progress", "output": []}),
        event("response.output_item.added", output_index=0, item=message()),
        text("Hé "),
        text("\ud83d"),
        text("\ude00."),
        event("response.output_text.done", output_index=0, text="Hé 😀."),
        event("response.output_item.added", output_index=1, item=call("c1", "f", "")),
        event("response.function_call_arguments.delta", output_index=1, item_id="ic1", delta='{"a":'),
        event("response.function_call_arguments.delta", output_index=1, item_id="ic1", delta="1}"),
        event("response.function_call_arguments.done", output_index=1, item_id="ic1", arguments='{"a":1}'),
        event("response.output_item.done", output_index=1, item=call("c1", "f", '{"a":1}')),
        end(message({"type": "output_text", "text": "Hé 😀."}), call("c1", "f", '{"a":1}')),
    ]
)


@given(st.lists(st.integers(0, len(STREAM))))
@example(list(range(len(STREAM))))
def test_reply_is_the_same_when_the_events_are_cut_anywhere(places):
    reply, told = read(*cut(STREAM, places))

    assert reply.content == told == "Hé 😀."
    assert reply.tool_calls == (ToolCall("f", '{"a":1}', "c1"),)
    assert (reply.finish_reason, reply.model) == ("tool_calls", "m-1")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (3, 4)


def test_reply_is_never_complete_when_the_events_end_before_the_last_is_whole():
    for place in range(len(STREAM) - 1):
        stream = ReplyStream("a model", api="responses")
        told = stream.feed(STREAM[:place])

        with pytest.raises(ReplyInterruptedError) as caught:
            stream.finish()

        assert "Hé 😀.".startswith(told)
        assert caught.value.partial.tool_calls == ()


@given(st.integers(0, len(STREAM) - 1), st.integers(0, 255), st.lists(st.integers(0, len(STREAM)), max_size=3))
def test_outcome_is_a_reply_or_a_typed_error_when_a_byte_of_an_event_is_damaged(place, byte, places):
    damaged = STREAM[:place] + bytes([byte]) + STREAM[place + 1 :]

    try:
        reply, _ = read(*cut(damaged, places))
    except ModelError:
        return

    (reply.content or "").encode()


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("\ud83d")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                "type response item output output_index item_id call_id id name arguments delta content text refusal "
                "status usage error incomplete_details reason logprobs input_tokens model".split()
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)
KINDS = st.sampled_from(
    """response.created response.output_item.added response.output_item.done response.output_text.delta
    response.function_call_arguments.delta response.function_call_arguments.done response.refusal.delta
    response.completed response.incomplete response.failed response.other error""".split()
)


@given(st.lists(st.tuples(KINDS, st.dictionaries(st.sampled_from(["item", "response", "delta"]), JSON)), max_size=5))
def test_outcome_is_a_reply_or_a_typed_error_when_events_hold_anything(events):
    try:
        reply, told = read(*(event(kind, **fields) for kind, fields in events), end())
    except ModelError as error:
        str(error).encode()
        return

    json.dumps(reply.to_json(), ensure_ascii=False).encode()
    told.encode()


@given(st.one_of(JSON.map(lambda value: json.dumps(value).encode()), st.binary()))
@example(b"[" * 100_000)
@example(b'{"output": [{"content": [{"type": "text", "text": 1}]}]}')
@example(b'{"status": "queued", "output": []}')
@example(b'{"type": []}')
def test_outcome_is_a_reply_or_a_typed_error_when_a_whole_response_is_anything(body):
    try:
        reply = parse_body(body, "a model", api="responses")
    except ModelError as error:
        str(error).encode()
        return

    assert reply.finish_reason


CALLS = st.lists(
    st.tuples(st.text("abc", min_size=1, max_size=3), st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)),
    min_size=1,
    max_size=4,
)


@given(calls=CALLS, known_by=st.sampled_from(["both", "index", "id"]), ends=st.booleans(), data=st.data())
def test_calls_are_those_sent_when_their_events_interleave(calls, known_by, ends, data):
    queues = []
    for index, (name, arguments) in enumerate(calls):
        where = {"output_index": index} if known_by != "id" else {}
        whole = json.dumps(arguments)
        deltas = cut(whole, data.draw(st.lists(st.integers(0, len(whole)), max_size=3)))
        named = where | ({"item_id": f"ic{index}"} if known_by != "index" else {})
        queue = [event("response.output_item.added", item=call(f"c{index}", name, ""), **where)]
        queue += [event("response.function_call_arguments.delta", delta=delta, **named) for delta in deltas]
        done = event("response.output_item.done", item=call(f"c{index}", name, whole), **where)
        queues.append(queue + [done] * ends)
    order = [index for index, queue in enumerate(queues) for _ in queue]
    firsts = [queue.pop(0) for queue in queues]
    rest = data.draw(st.permutations(order[:])) if order else []

    reply, _ = read(*firsts, *(queues[index].pop(0) for index in rest if queues[index]), end())

    assert [(one.name, json.loads(one.arguments)) for one in reply.tool_calls] == calls
    assert [one.id for one in reply.tool_calls] == [f"c{index}" for index in range(len(calls))]


@pytest.mark.parametrize(
    "pieces",
    [
        [event("response.output_item.done", output_index=0, item=call("c1", "f", '{"a": 1}')), end()],
        [end(call("c1", "f", '{"a": 1}'))],
        [
            event("response.output_item.added", output_index=0, item=call("c1", "f", "", id="one")),
            event("response.function_call_arguments.delta", output_index=0, item_id="another", delta='{"a": 1}'),
            event("response.output_item.done", output_index=0, item=call("c1", "f", '{"a": 1}', id="a third")),
            end(),
        ],
        [
            event("response.output_item.added", item=call("c1", "f", "")),
            event("response.function_call_arguments.delta", delta='{"a"'),
            event("response.function_call_arguments.delta", delta=": 1}"),
            end(),
        ],
        [event("response.output_item.added", output_index=4, item=call("c1", "f", {"a": 1})), end()],
        [
            event("response.output_item.added", item={"type": "reasoning"}),
            end({"type": "reasoning"}, call("c1", "f", '{"a": 1}')),
        ],
        [
            event("response.output_item.done", output_index=3, item=call("c1", "f", '{"a": 1}')),
            end(call("c1", "f", '{"a": 1}')),
        ],
    ],
    ids=["done_only", "end_only", "changing_ids", "no_places", "arguments_object", "reasoning_before", "another_place"],
)
def test_call_is_put_together_when_its_events_come_as(pieces):
    assert read(*pieces)[0].tool_calls == (ToolCall("f", '{"a": 1}', "c1"),)


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (end(), "stop"),
        (end(status="incomplete", incomplete_details={"reason": "max_output_tokens"}), "length"),
        (end(status="incomplete", incomplete_details={"reason": "content_filter"}), "content_filter"),
        (end(status="incomplete", incomplete_details={"reason": "something new"}), "interrupted"),
        (end(status="incomplete"), "interrupted"),
        (end(status="cancelled"), "interrupted"),
    ],
)
def test_finish_reason_is_in_our_words_when_a_response_ends(ending, reason):
    assert read(text("a"), ending)[0].finish_reason == reason


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([event("error", code="rate_limit_exceeded", message="slow")], RateLimitedError),
        ([b'data: {"type": "error", "code": "rate_limit_exceeded", "message": "slow"}\n\n'], RateLimitedError),
        ([end(status="failed", error={"code": "rate_limit_exceeded", "message": "m"})], RateLimitedError),
        ([b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'], MalformedReplyError),
        ([text({"a": 1})], MalformedReplyError),
    ],
    ids=["event", "unnamed_event", "failed", "chat_completions", "odd_text"],
)
def test_error_is_typed_when_the_events_say(pieces, error):
    with pytest.raises(error):
        read(text("a"), *pieces)


def test_text_is_taken_from_the_end_when_no_pieces_of_it_came():
    reply, told = read(end(message({"type": "output_text", "text": "all"})))

    assert reply.content == told == "all"


def test_nothing_is_read_when_it_follows_the_end_of_a_response():
    reply, told = read(text("all"), end(), text(" and more"), event("error", message="late")[len("event: error\n") :])

    assert reply.content == told == "all"


def test_refusal_is_one_when_it_comes_in_pieces_or_whole():
    pieces = [event("response.refusal.delta", delta="I will "), event("response.refusal.delta", delta="not.")]
    whole = end(message({"type": "refusal", "refusal": "I will not."}))

    for reply, told in (read(*pieces, whole), read(whole)):
        assert (reply.content, reply.refusal, told) == (None, "I will not.", "I will not.")


def test_logprobs_are_those_of_all_pieces_when_they_were_asked_for():
    reply, _ = read(text("a", logprobs=[{"token": "a", "logprob": -1}]), text("b", logprobs=[{"token": "b"}]), end())

    assert reply.logprobs == {"content": [{"token": "a", "logprob": -1}, {"token": "b"}]}
