import copy
import json
import os
import re
import stat
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.effects import Ask, Complete
from jupyter_agents.errors import ConfigurationError, RecordingError
from jupyter_agents.human.base import Answer, Prompt
from jupyter_agents.journal import recording_file
from jupyter_agents.journal.recording import Recording
from jupyter_agents.messages import ToolCall, Usage
from jupyter_agents.models.base import ModelReply, ModelRequest


class Model:
    """The mark that a scripted model bears, or none; tapes never call it."""

    def __init__(self, *, scripted=False):
        self.scripted = scripted


pytestmark = pytest.mark.usefixtures("own_trust_store")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "recordings" / "talk.jsonl"


def user(text):
    return {"role": "user", "content": text}


def said(text):
    return {"content": text, "role": "assistant"}


def complete(*messages, agent="assistant", scripted=False, **options):
    return Complete(agent, Model(scripted=scripted), ModelRequest([copy.deepcopy(one) for one in messages], options))


def ask(text="What next?", agent="user"):
    return Ask(agent, Prompt(text, agent=agent, sender="assistant"))


def talk(*texts, system="You help."):
    """A chat of one agent with a model, one step a text: (effect, outcome, chat)."""
    steps, messages = [], [{"role": "system", "content": system}]
    for text in texts:
        messages.append(user(text))
        reply = f"You said {text!r}."
        steps.append((complete(*messages), ModelReply(reply, model="gpt-4.1"), 0))
        messages.append(said(reply))
    return steps


def record(path, *conversations):
    recording = Recording.open(path, "record")
    for steps in conversations:
        tape = recording.conversation()
        for effect, outcome, chat in steps:
            assert tape.replay(effect, chat=chat, agent=effect.agent) is None
            tape.record(effect, outcome, chat=chat, agent=effect.agent)
        tape.close()
    return recording


def run(tape, steps):
    return [tape.replay(effect, chat=chat, agent=effect.agent) for effect, _, chat in steps]


def replay(source, steps, **options):
    recording = source if isinstance(source, Recording) else Recording.open(source, "replay", **options)
    return run(recording.conversation(), steps)


def outcomes(steps):
    return [replace(outcome, replayed=True) for _, outcome, _ in steps]


def lines(path):
    return path.read_text().splitlines()


RICH = [
    (
        complete(user("Plot it.")),
        ModelReply(None, "tool_calls", tool_calls=(ToolCall("plot", '{"a": 1}', "call_1"),)),
        0,
    ),
    (ask(), Answer("make it blue"), 0),
    (complete(user("Plan it."), agent="planner"), ModelReply("1. Draw.", usage=Usage(12, 3), model="m"), 1),
    (Ask("user", Prompt("Run?", "approval", block=CodeBlock("python", "plot()"))), Answer("", "run"), 0),
    (complete(user("Plot it."), user("blue")), ModelReply("Done.\n", "length"), 0),
    (complete(user("Plan it."), user("More."), agent="planner"), ModelReply(refusal="I cannot."), 1),
    (ask(), Answer("", "stop"), 0),
    (complete(user("Sum up."), agent="assistant#2"), ModelReply("Ünïcode \u2028 \u202e ✓"), 2),
]


# -- What was recorded is replayed ------------------------------------------------------------------------------


def test_replay_gives_what_was_recorded_when_chats_are_nested_and_people_answer(path):
    record(path, RICH)

    assert replay(path, RICH) == outcomes(RICH)


TEXTS = st.text(max_size=12)
REPLIES = st.builds(
    ModelReply,
    content=TEXTS,
    finish_reason=st.sampled_from(["stop", "length", "content_filter"]),
    tool_calls=st.lists(st.builds(ToolCall, TEXTS, TEXTS, st.text(min_size=1, max_size=3)), max_size=2).map(tuple),
    usage=st.none() | st.builds(Usage, st.integers(0, 9), st.none() | st.integers(0, 9), st.booleans()),
    model=st.sampled_from([None, "gpt-4.1"]),
)
ANSWERS = st.builds(Answer, TEXTS, st.sampled_from(["reply", "run", "edit", "reject", "stop"]))
PLACES = st.tuples(st.integers(0, 2), st.sampled_from(["ada", "bob", "ada#2", "Zoë K."]))
NEWS = st.lists(TEXTS.map(user) | st.fixed_dictionaries({"role": st.just("user"), "content": st.lists(st.just({"type": "text", "text": "a"}))}), max_size=2)  # fmt: skip
TURNS = st.tuples(st.just("model"), PLACES, NEWS, st.integers(0, 3), st.sampled_from([{}, {"stop": ["x"]}]), REPLIES)
QUESTIONS = st.tuples(st.just("human"), PLACES, TEXTS, st.sampled_from(["text", "approval"]), ANSWERS)


def steps_of(drawn):
    histories, steps = {}, []
    for kind, (chat, agent), what, *more, outcome in drawn:
        if kind == "human":
            steps.append((Ask(agent, Prompt(what, more[0])), outcome, chat))
            continue
        history = histories.setdefault((chat, agent), [])
        del history[1 : 1 + more[0]]  # a window that slides
        history += what
        steps.append((complete(*history, agent=agent, **more[1]), outcome, chat))
        history += outcome.to_message().to_wire("assistant")
    return steps


@given(st.lists(TURNS | QUESTIONS, min_size=1, max_size=12).map(steps_of))
@settings(deadline=None)
def test_replay_gives_what_was_recorded_whatever_was_said(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("recording") / "talk.jsonl"
    record(path, steps)

    assert replay(path, steps) == outcomes(steps)
    conversation = next(iter(Recording.open(path, "replay").contents.conversations.values()))
    questions = [conversation.question(one) for one in conversation.exchanges.values()]
    assert [list(messages) for _, messages in questions] == [
        list(effect.request.messages) if isinstance(effect, Complete) else [] for effect, _, _ in steps
    ]


def test_replay_finds_conversations_when_cells_run_out_of_order_and_again(path):
    cells = [talk("one", "two"), talk("three"), talk("one more")]
    record(path, *cells)
    recording = Recording.open(path, "replay")

    for number in (2, 0, 0, 1, 2, 0):
        assert replay(recording, cells[number]) == outcomes(cells[number])


def with_replies(steps, *contents):
    return [(effect, ModelReply(content), chat) for (effect, _, chat), content in zip(steps, contents, strict=True)]


def test_replay_takes_conversations_in_turn_when_they_begin_with_the_same_words(path):
    takes = [with_replies(talk("A joke!"), joke) for joke in ("first", "second", "third")]
    record(path, *takes)
    recording = Recording.open(path, "replay")

    found = [replay(recording, talk("A joke!"))[0].content for _ in range(6)]

    assert found == ["first", "second", "third"] * 2


def test_replay_keeps_conversations_apart_when_they_run_at_once(path):
    recording = Recording.open(path, "record")
    chats = [(recording.conversation(), talk(name, "more", "and more")) for name in ("a", "b", "c")]
    for step in range(3):
        for tape, steps in chats:
            effect, outcome, chat = steps[step]
            tape.record(effect, outcome, chat=chat, agent=effect.agent)
    for tape, _ in chats:
        tape.close()

    for _, steps in chats:
        assert replay(path, steps) == outcomes(steps)
    names = [json.loads(line)["conversation"] for line in lines(path)[1:]]
    assert [a == b for a, b in pairwise(names)] == [True, True, False, True, True, False, True, True]


def test_replay_finds_nested_chats_when_the_log_went_on_counting(path):
    record(path, RICH)
    later = [(effect, outcome, chat + 7) for effect, outcome, chat in RICH]

    assert replay(path, later) == outcomes(RICH)


def test_replay_ignores_the_model_when_the_configuration_names_another(path):
    record(path, talk("hi"))
    asked = complete({"role": "system", "content": "You help."}, user("hi"), model="other", temperature=1)

    assert replay(path, [(asked, None, 0)])[0].model == "gpt-4.1"


def test_people_answer_live_when_only_models_are_replayed(path):
    record(path, RICH)
    recording = Recording.open(path, "replay", kinds="model")
    tape = recording.conversation()
    expected = [outcome if isinstance(outcome, ModelReply) else None for outcome in outcomes(RICH)]

    assert run(tape, RICH) == expected
    assert not tape.replays_people


def test_models_are_replayed_when_a_person_spoke_first_and_says_something_else_now(path):
    steps = [(ask("Which file?"), Answer("a.csv"), 0), *talk("go")]
    record(path, steps)

    found = replay(path, [(ask("Which other file?"), None, 0), *talk("go")], kinds="model")

    assert found == [None, *outcomes(talk("go"))]


def test_replay_does_nothing_when_an_outcome_is_recorded(path):
    record(path, talk("hi"))
    before = path.read_bytes()
    tape = Recording.open(path, "replay").conversation()

    tape.record(ask(), Answer("live"), chat=0, agent="user")
    tape.close()

    assert path.read_bytes() == before


def test_tape_replays_people_when_all_is_replayed(path):
    record(path, RICH)

    assert Recording.open(path, "replay").conversation().replays_people
    assert not Recording.open(path, "record").conversation().replays_people


# -- What was not recorded is refused ---------------------------------------------------------------------------


def refusal(path, steps, **options):
    with pytest.raises(RecordingError) as caught:
        replay(path, steps, **options)
    return str(caught.value)


def test_replay_refuses_with_the_difference_when_a_question_changed(path):
    record(path, talk("one", "two", "three"))
    changed = talk("one", "two", "three")
    changed[2][0].request.messages[-1]["content"] = "drei"

    text = refusal(path, changed)

    assert text == (
        f"Cannot replay {str(path)!r}: what turn 3 of 'assistant' asks is not what was recorded. "
        "Undo the change that the comparison with the nearest recorded question shows, or bring the recording up to date with --refresh.\n"
        "--- recorded (line 4)\n+++ asked now\n…\n"
        " user | two\n assistant | You said 'two'.\n-user | three\n+user | drei"
    )


def test_replay_names_the_nearest_conversation_when_none_begins_like_this(path):
    record(path, talk("What is the mean of the column height?"), talk("Draw the owl."), talk("Tell a joke."))

    text = refusal(path, talk("Draw the barn owl."))

    assert "it holds no conversation that begins with what turn 1 of 'assistant' asks" in text
    assert "--- recorded (line 3)" in text
    assert "-user | Draw the owl.\n+user | Draw the barn owl." in text


def test_replay_shows_the_options_when_they_changed(path):
    record(path, [(complete(user("hi"), tools=[{"name": "plot"}]), ModelReply("ok"), 0)])

    text = refusal(path, [(complete(user("hi"), tools=[{"name": "draw"}]), None, 0)])

    assert '-tools |   "name": "plot"\n+tools |   "name": "draw"' in text


def test_replay_shows_the_name_when_an_agent_was_renamed(path):
    record(path, talk("hi"))

    text = refusal(path, [(replace(talk("hi")[0][0], agent="coder"), None, 0)])

    assert "-turn 1 of 'assistant' in chat 0\n+turn 1 of 'coder' in chat 0" in text


def test_replay_shows_the_code_when_an_approval_is_for_other_code(path):
    def approval(code):
        return Ask("user", Prompt("Run?", "approval", block=CodeBlock("python", code)))

    record(path, [(approval("print(1)"), Answer("", "run"), 0)])

    assert '-block |  "code": "print(1)"' in refusal(path, [(approval("print(2)"), None, 0)])


def test_replay_says_so_when_the_recording_ends(path):
    record(path, talk("one", "two"))

    text = refusal(path, talk("one", "two", "three"))

    assert "it ends before turn 3 of 'assistant'" in text
    assert "+user | three" in text


def test_replay_says_so_when_an_agent_never_asked_before(path):
    record(path, talk("one"))

    text = refusal(path, [*talk("one"), (complete(user("new"), agent="planner"), None, 1)])

    assert "it holds nothing that 'planner' asks a model in chat 1" in text


def test_replay_says_so_when_a_person_was_never_asked(path):
    record(path, talk("one"))

    text = refusal(path, [*talk("one"), (ask(), None, 0)])

    assert "it holds nothing that 'user' asks a human in chat 0" in text
    assert "Nothing that 'user' asks a human is recorded that could be compared." in text


def test_replay_says_so_when_a_hash_was_edited(path):
    record(path, talk("one", "two"))
    *rest, last = lines(path)
    entry = json.loads(last)
    path.write_text("\n".join([*rest, json.dumps(entry | {"hash": "0" * 16})]) + "\n")

    assert "the recording was edited by hand" in refusal(path, talk("one", "two"))


def test_difference_is_bounded_when_everything_changed(path):
    long = [{"role": "user", "content": f"line {number}\n" * 3 + "x" * 5_000} for number in range(400)]
    record(path, [(complete(*long), ModelReply("ok"), 0)])

    text = refusal(path, [(complete(*reversed(long)), None, 0)])

    assert len(text.splitlines()) < 70
    assert max(map(len, text.splitlines()[1:])) < 140
    assert text.endswith("more lines")


@pytest.mark.parametrize("deleted", range(len(RICH) + 1))
def test_replay_refuses_when_any_line_is_deleted(path, deleted):
    record(path, RICH)
    kept = lines(path)
    gone = kept.pop(deleted)
    path.write_text("".join(f"{line}\n" for line in kept))

    text = refusal(path, RICH)

    assert text.startswith(f"Cannot replay {str(path)!r}: ")
    if deleted == 0:
        assert "first line is not the header" in text
    else:
        assert f"{json.loads(gone)['agent']!r}" in text
        assert "--- recorded (line " in text


@pytest.mark.parametrize("deleted", range(1, 5))
def test_refusal_says_which_line_is_missing_when_a_line_is_deleted(path, deleted):
    steps = talk("one", "two", "three", "four")
    record(path, steps)
    kept = lines(path)
    del kept[deleted]
    path.write_text("".join(f"{line}\n" for line in kept))

    text = refusal(path, steps)

    missing = f"the line with turn {deleted} of 'assistant' is missing"
    assert (f"it ends before turn {deleted} of 'assistant'" if deleted == 4 else missing) in text


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "there is no such file"),
        ("", "it is empty"),
        ("\n\n", "it is empty"),
        ("hello\n", "line 1 is not JSON"),
        ("[]\n", "line 1 is no JSON object"),
        ('{"cells": []}\n', "its first line is not the header of a recording"),
        ('{"jupyter_agents": "recording", "schema": 9}\n', "it has schema 9, and this version reads 1"),
        ('{"jupyter_agents": "recording", "schema": 1, "source": "x"}\n', "line 1 is damaged"),
        ("{header}\n{exchange}\nrubbish\n{exchange}\n", "line 3 is not JSON"),
        ("{header}\n{exchange}\n\xff\n", "line 3 is not JSON"),
        ("{header}\n" + "[" * 100_000 + "\n", "line 2 is not JSON"),
        ("{header}\n{}\n", "line 2 has no 'answer'"),
        ('{header}\n{"kind": "model"}\n', "line 2 has no 'reply'"),
        ('{header}\n{exchange}\n{"kind": "model", "reply": {"content"', "line 3 ends in the middle"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_replay_refuses_when_the_file_is_damaged(path, content, problem):
    record(path, talk("hi"))
    header, exchange = lines(path)
    path.unlink()
    if content is not None:
        path.write_bytes(content.replace("{header}", header).replace("{exchange}", exchange).encode("latin-1"))

    with pytest.raises(RecordingError) as caught:
        Recording.open(path, "replay")

    assert str(caught.value).startswith(f"Cannot replay {str(path)!r}: {problem}")
    assert str(caught.value).count("\n") == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["conversation", "chat", "agent", "kind", "turn", "hash", "options", "messages", "scripted", "reply"]
PARTS = ["content", "finish_reason", "function_call", "tool_calls", "refusal", "usage", "model"]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=2), st.dictionaries(st.sampled_from(PARTS), JSON))
@settings(deadline=None)
def test_a_field_is_refused_or_harmless_whatever_it_holds(tmp_path_factory, fields, parts):
    path = tmp_path_factory.mktemp("recording") / "talk.jsonl"
    record(path, talk("hi", "you"))
    header, first, second = lines(path)
    entry = json.loads(second)
    entry = entry | {"reply": entry["reply"] | parts} | fields
    path.write_text(f"{header}\n{first}\n{json.dumps(entry)}\n")

    try:
        found = replay(path, talk("hi", "you"))
    except RecordingError:
        return

    reply = found[1]
    assert reply.to_message().text is not None
    assert isinstance(reply.content, str | None)
    assert all(isinstance(call.arguments, str) for call in reply.to_message().calls)


def test_spans_are_refused_when_they_would_unfold_without_end(path):
    record(path, talk("hi", "you"))
    path.write_text(path.read_text().replace('"messages": [[0, 3]', '"messages": [[0, 3], [0, 3], [0, 3]'))

    with pytest.raises(RecordingError, match="line 3 is no exchange that can be read"):
        Recording.open(path, "replay")


def test_file_is_read_when_an_editor_added_a_mark_and_took_the_last_newline(path):
    record(path, talk("hi", "you"))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n").rstrip())

    assert replay(path, talk("hi", "you")) == outcomes(talk("hi", "you"))


def test_halves_of_characters_are_recorded_as_what_stands_for_them(path):
    asked = complete(user("a\ud800"), agent="\udfff")

    record(path, [(asked, ModelReply("b\ud801", model="m"), 0)])
    found = Recording.open(path, "replay").conversation().replay(asked, chat=0, agent="\udfff")

    assert found.content == "b\ufffd"
    assert ModelReply("b\ud801").to_message().text == "b\ufffd"  # so that a replayed chat is what the recorded one was


def test_half_a_character_is_replaced_when_the_file_holds_one(path):
    record(path, talk("hi"))
    path.write_text(path.read_text().replace("You said", r"\ud800 You said"))

    assert replay(path, talk("hi"))[0].content.startswith("� You said")


@pytest.mark.parametrize("options", [{"mode": "write"}, {"mode": "replay", "kinds": "human"}], ids=str)
def test_recording_refuses_when_an_option_is_wrong(path, options):
    with pytest.raises(ConfigurationError, match=r"^Cannot open the recording .* Use mode 'record', 'replay' or"):
        Recording.open(path, **options)


# -- The file ---------------------------------------------------------------------------------------------------


def test_file_tells_a_chat_as_a_person_reads_it(path):
    record(path, [*talk("one", "two"), (ask(), Answer("fine"), 0)])

    entries = [json.loads(line) for line in lines(path)]

    today = recording_file.today()
    assert entries[0] == {
        "jupyter_agents": "recording", "schema": 1, "source": "recorded", "model": "gpt-4.1", "made": today,
    }  # fmt: skip
    assert entries[1]["messages"] == [{"role": "system", "content": "You help."}, user("one")]
    assert entries[1]["conversation"] == entries[1]["hash"]
    assert entries[2]["messages"] == [[0, 3], user("two")]
    assert entries[2]["reply"] == {"content": "You said 'two'.", "finish_reason": "stop", "model": "gpt-4.1"}
    assert entries[3]["prompt"]["text"] == "What next?"
    assert entries[3]["answer"] == {"action": "reply", "text": "fine"}
    assert date.fromisoformat(today)


def test_file_escapes_only_what_does_not_show(path):
    record(path, [(complete(user("grüße ✓ \u202e\u2028\x85\u200b")), ModelReply("ok"), 0)])

    assert r"grüße ✓ \u202e\u2028\u0085\u200b" in path.read_text()


@pytest.mark.parametrize("window", [10_000, 30], ids=["whole", "sliding"])
def test_file_grows_with_what_is_new_when_a_chat_is_long(tmp_path, window):
    def size(turns):
        steps, messages = [], [{"role": "system", "content": "s" * 1000}]
        for turn in range(turns):
            messages = [messages[0], *messages[1:][-window:], user(f"turn {turn}: " + "u" * 100)]
            steps.append((complete(*messages), ModelReply("r" * 100 + str(turn)), 0))
            messages.append(said("r" * 100 + str(turn)))
        path = tmp_path / f"{turns}.jsonl"
        record(path, steps)
        assert replay(path, steps) == outcomes(steps)
        return path.stat().st_size

    assert size(200) < 2.05 * size(100)


def test_recording_a_conversation_anew_replaces_it_and_leaves_the_others(path):
    chats = [talk("one", "two", "three"), talk("other"), talk("last", "of all")]
    record(path, *chats)
    before = path.read_text()

    record(path, with_replies(talk("one", "two")[:1], "a better reply"))

    assert "You said 'one'" not in path.read_text()
    assert replay(path, chats[0][:1])[0].content == "a better reply"
    assert replay(path, chats[1]) == outcomes(chats[1])
    assert replay(path, chats[2]) == outcomes(chats[2])
    record(path, chats[0])
    assert path.read_text() == before


def test_recording_anew_gives_the_same_file_when_nothing_changed(path):
    chats = [talk("same", "b"), talk("same", "c"), talk("x"), RICH]
    record(path, *chats)
    before = path.read_bytes()

    record(path, *chats)

    assert path.read_bytes() == before


def test_recording_anew_drops_what_began_alike_when_there_are_fewer_now(path):
    record(path, *[with_replies(talk("A joke!"), joke) for joke in ("first", "second", "third")])

    record(path, with_replies(talk("A joke!"), "better"))

    recording = Recording.open(path, "replay")
    assert [replay(recording, talk("A joke!"))[0].content for _ in range(2)] == ["better", "better"]
    assert len(lines(path)) == 2


def test_every_word_is_in_the_file_when_the_kernel_is_killed(path):
    steps = talk("one", "two", "three")
    tape = Recording.open(path, "record").conversation()

    for number, (effect, outcome, chat) in enumerate(steps, start=1):
        tape.record(effect, outcome, chat=chat, agent=effect.agent)
        assert replay(path, steps[:number]) == outcomes(steps[:number])


def test_the_later_take_counts_when_the_kernel_was_killed_during_it(path):
    record(path, talk("one", "two"), talk("other"))
    tape = Recording.open(path, "record").conversation()
    tape.record(talk("one")[0][0], ModelReply("new"), chat=0, agent="assistant")

    assert replay(path, talk("one"))[0].content == "new"
    assert replay(path, talk("other")) == outcomes(talk("other"))
    assert "it ends before turn 2" in refusal(path, talk("one", "two"))


def test_whole_lines_stay_and_recording_goes_on_when_the_file_was_cut_anywhere(path):
    steps = talk("one", "two")
    record(path, steps)
    data = path.read_bytes()
    ends = [at for at in range(len(data) + 1) if data[:at].endswith(b"\n") or data[at : at + 1] == b"\n"]

    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        if cut not in ends:
            with pytest.raises(RecordingError, match=r"is empty|not JSON|ends in the middle"):
                Recording.open(path, "replay")

        record(path, talk("new"))

        whole = max(0, sum(end <= cut and data[end : end + 1] == b"\n" for end in ends) - 1)
        assert replay(path, talk("new")) == outcomes(talk("new"))
        assert replay(path, steps[:whole]) == outcomes(steps[:whole])
        assert len(lines(path)) == 2 + whole


def test_recording_leaves_no_file_when_nothing_is_said(path):
    Recording.open(path, "record").conversation().close()

    assert list(path.parent.iterdir()) == []


def test_recording_leaves_only_the_file_when_it_is_closed(path):
    record(path, talk("one"))
    record(path, talk("one"))

    assert list(path.parent.iterdir()) == [path]


def test_file_can_be_read_by_others_when_it_is_written_anew(path):
    before = os.umask(0o022)
    try:
        record(path, talk("one"))
        record(path, talk("one", "two"))
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_link_stays_a_link_when_the_file_is_written_anew(path):
    record(path, talk("one"))
    link = path.with_name("link.jsonl")
    link.symlink_to(path)

    record(link, with_replies(talk("one"), "new"))

    assert link.is_symlink()
    assert replay(path, talk("one"))[0].content == "new"


@pytest.mark.parametrize("place", ["file/talk.jsonl", "directory"])
def test_recording_refuses_before_anything_is_said_when_the_place_cannot_be_written(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()

    with pytest.raises(RecordingError, match=r"^Cannot record to '.*': .+\. Choose a place that can be written"):
        Recording.open(tmp_path / place, "record")


def test_recording_refuses_when_the_place_can_no_longer_be_written(path):
    tape = Recording.open(path, "record").conversation()
    path.mkdir()

    with pytest.raises(RecordingError, match=r"^Cannot record to "):
        tape.record(ask(), Answer("hi"), chat=0, agent="user")


@pytest.mark.parametrize("content", ['{"cells": []}', '{"cells": []}\n', "notes\nmore notes\n", "x"], ids=repr)
def test_recording_leaves_a_file_alone_when_it_is_no_recording(path, content):
    path.parent.mkdir()
    path.write_text(content)

    with pytest.raises(RecordingError, match=r"^Cannot record to "):
        Recording.open(path, "record")

    assert path.read_text() == content


def test_chat_is_not_lost_when_the_file_cannot_be_put_in_order(path, caplog):
    tape = Recording.open(path, "record").conversation()
    tape.record(ask(), Answer("hi"), chat=0, agent="user")
    path.write_text("rubbish\n")

    tape.close()

    assert "not in order" in caplog.text


# -- Where the words come from ----------------------------------------------------------------------------------


def scripted(steps):
    return [
        (replace(effect, model=Model(scripted=True)), replace(outcome, model="script"), chat)
        for effect, outcome, chat in steps
    ]


@pytest.mark.parametrize(
    ("conversations", "source", "words"),
    [
        ([talk("a")], "recorded", "they were recorded from gpt-4.1 on {today}."),
        ([scripted(talk("a"))], "scripted", "they were scripted by hand."),
        ([talk("a"), scripted(talk("b"))], "mixed", "some were scripted by hand, the others recorded from gpt-4.1 on {today}."),
        ([with_replies(talk("a"), "x")], "recorded", "they were recorded from a model that was not named on {today}."),
        ([[*talk("a"), (complete(user("b")), ModelReply("c", model="llama"), 1)]], "recorded", "they were recorded from gpt-4.1 and llama on {today}."),
    ],
    ids=["recorded", "scripted", "mixed", "unnamed", "two models"],
)  # fmt: skip
def test_provenance_says_where_the_words_come_from(path, monkeypatch, conversations, source, words):
    record(path, *conversations)
    monkeypatch.chdir(path.parent.parent)

    found = Recording.open("recordings/talk.jsonl", "replay").provenance

    expected = words.replace("{today}", recording_file.today())
    assert found == f"Replies are replayed from recordings/talk.jsonl; {expected}"
    assert json.loads(lines(path)[0])["source"] == source


def test_provenance_speaks_of_answers_when_no_model_was_asked(path):
    record(path, [(ask(), Answer("hi"), 0)])

    assert Recording.open(path, "replay").provenance == "Answers are replayed from talk.jsonl."


def test_provenance_says_so_when_it_is_being_recorded(path):
    assert Recording.open(path, "record").provenance == "Replies are recorded in talk.jsonl."


@pytest.mark.parametrize(("directory", "shown"), [(".", "recordings/talk.jsonl"), ("recordings", "talk.jsonl")])
def test_provenance_shows_no_directories_of_this_machine_when_the_path_is_absolute(path, monkeypatch, directory, shown):
    record(path, talk("a"))
    monkeypatch.chdir(path.parent.parent / directory)

    found = Recording.open(path, "replay").provenance

    assert found.startswith(f"Replies are replayed from {shown}; ")


def test_provenance_shows_the_name_only_when_the_path_leads_out_of_the_directory(path, monkeypatch):
    record(path, talk("a"))
    (path.parent / "notebooks").mkdir()
    monkeypatch.chdir(path.parent / "notebooks")

    assert "from talk.jsonl;" in Recording.open("../talk.jsonl", "replay").provenance
    assert "from talk.jsonl;" in Recording.open(path, "replay").provenance


def test_recording_stays_in_its_file_when_code_changes_the_working_directory(path, monkeypatch):
    path.parent.mkdir()
    (path.parent / "elsewhere").mkdir()
    monkeypatch.chdir(path.parent)
    steps = talk("one", "two")
    tape = Recording.open("talk.jsonl", "record").conversation()

    for effect, outcome, chat in steps:
        tape.record(effect, outcome, chat=chat, agent=effect.agent)
        monkeypatch.chdir(path.parent / "elsewhere")
    tape.close()

    assert replay(path, steps) == outcomes(steps)


def test_provenance_is_one_short_line_when_a_file_names_its_model_maliciously(path):
    record(path, [(complete(user("a")), ModelReply("b", model="x\n\x1b[31m" + "y" * 500), 0)])

    found = Recording.open(path, "replay").provenance

    assert found.isprintable()
    assert len(found) < 200


# -- Secrets ----------------------------------------------------------------------------------------------------

CANARY = "sk-canary-0123456789abcdefghij"
PASSWORD = "correct horse battery"


def secret_talk(secret):
    call = ToolCall("connect", json.dumps({"key": secret}), "call_1")
    messages = [
        {"role": "system", "content": f"The key is {secret}."},
        {"role": "user", "content": [{"type": "text", "text": f"Use {secret}"}]},
    ]
    reply = ModelReply(f"I use {secret}.", tool_calls=(call,), model="m")
    return [
        (complete(*messages, tools=[{"name": secret}]), reply, 0),
        (complete(*messages, *reply.to_message().to_wire("assistant"), user("go")), ModelReply("ok"), 0),
        (Ask("user", Prompt(f"Send {secret}?", "approval", block=CodeBlock("python", f"key = {secret!r}"))), Answer(f"key = {secret!r}", "edit"), 0),
    ]  # fmt: skip


@pytest.mark.parametrize("secret", [CANARY, PASSWORD])
def test_no_secret_is_in_the_file_and_replay_matches_when_one_was_said(path, monkeypatch, secret):
    monkeypatch.setenv("MY_DB_PASSWORD", PASSWORD)
    record(path, secret_talk(secret))

    found = replay(path, secret_talk(secret))

    assert secret not in path.read_text()
    assert found[0].content == "I use [redacted]."
    assert json.loads(found[0].tool_calls[0].arguments) == {"key": "[redacted]"}
    assert found[2].text == "key = '[redacted]'"


def test_replay_matches_when_the_secret_is_another_one_here(path):
    record(path, secret_talk(CANARY))

    assert replay(path, secret_talk(CANARY[::-1].replace("jihg", "sk-jihg")))[1].content == "ok"


def test_no_secret_is_in_a_refusal_when_one_was_said(path):
    record(path, secret_talk(CANARY))
    changed = secret_talk(CANARY)
    changed[1][0].request.messages[-1]["content"] = f"no, {CANARY}"

    text = refusal(path, changed)

    assert "+user | no, [redacted]" in text
    assert CANARY not in text


def test_image_is_kept_as_its_hash_when_one_was_sent(path):
    def steps(byte):
        parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64," + byte * 100_000}}]
        return [(complete({"role": "user", "content": parts}), ModelReply("A cat."), 0)]

    record(path, steps("A"))

    assert path.stat().st_size < 1_000
    assert replay(path, steps("A"))[0].content == "A cat."
    assert re.search(r"-user .*\n(.*\n)*\+user ", refusal(path, steps("B")) + "\n")


def test_reply_comes_back_whole_when_it_holds_an_image(path):
    code = "image = '" + "iVBORw0K" * 1_000 + "'"
    steps = [
        (complete(user("Draw.")), ModelReply(code), 0),
        (complete(user("Draw."), said(code), user("More.")), ModelReply("ok"), 0),
    ]
    record(path, steps)

    assert replay(path, steps) == outcomes(steps)
    assert json.loads(lines(path)[2])["messages"] == [[0, 2], user("More.")]


def test_repr_says_what_it_is(path):
    record(path, talk("hi"))

    assert repr(Recording.open(path, "replay")) == f"<Recording {str(path)!r}: replay>"
    assert Recording.open(path, "replay").path == Path(path)


@pytest.mark.parametrize("is_trusted", [True, False])
def test_code_of_a_recording_is_asked_about_when_it_ran_unasked_elsewhere(tmp_path, monkeypatch, is_trusted):
    from jupyter_agents import AssistantAgent, UserProxyAgent
    from jupyter_agents.session import Session, use_session
    from jupyter_agents.testing import RecordingExecutor, ScriptedHuman, ScriptedModel

    file = tmp_path / "chat.jsonl"
    monkeypatch.setenv("JUPYTER_AGENTS_TRUST_DB", str(tmp_path / "theirs"))
    model = ScriptedModel(["```python\nprint(1)\n```", "Done.\nTERMINATE"])

    def hold(mode, human):
        executor = RecordingExecutor(["1\n"])
        recording = Recording.open(file, mode)
        session = Session(find_recording=lambda: recording, find_human=lambda: human)
        user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config={"executor": executor})
        with use_session(session):
            user.initiate_chat(AssistantAgent("assistant", llm_config=model), message="Count.")
        return executor

    hold("record", None)
    if not is_trusted:
        monkeypatch.setenv("JUPYTER_AGENTS_TRUST_DB", str(tmp_path / "mine"))
    human = ScriptedHuman(["run"])
    executor = hold("replay", human)

    assert len(executor.blocks) == 1
    assert len(human.prompts) == (0 if is_trusted else 1)
