"""What a result shows of itself on a page: all of it, in little space, the same in every run."""

import json
import re
import time

import pytest

from jupyter_agents.conversation import ChatFigure
from jupyter_agents.display.bundle import METADATA_KEY, Transcript
from jupyter_agents.display.result import describe, result_bundle, result_metadata, transcript
from jupyter_agents.events import ChatStarted, Entry, HumanAnswered, MessageSent, Noted
from jupyter_agents.journal.recording import Recording
from jupyter_agents.journal.trust import DATABASE
from jupyter_agents.messages import Message, ToolCall, ToolResponse, Usage
from jupyter_agents.models.base import ModelReply
from jupyter_agents.session import use_session
from tests.chats import long_chat, result_of, said
from tests.fakes import FakeExecutor, assistant, quiet_session, user

TEAM = ("planner", "coder", "critic", "writer")
START = ChatStarted(0, "user", "assistant")


def size(bundle):
    return len(json.dumps(bundle, ensure_ascii=False).encode())


def test_result_shows_facts_transcript_and_figures_when_a_chat_was_held():
    agent = assistant(ModelReply("I will *look*.", usage=Usage(1000, 234)), ModelReply("Done.", usage=Usage(2, 0)))
    with use_session(quiet_session(render=result_bundle)):
        result = user(default_auto_reply="Go on.").initiate_chat(agent, message="Hi", max_turns=2)

        bundle = result._repr_mimebundle_()

    assert describe(result) == "4 messages · ended by turn limit (2 turns) · 2 model calls · 1,236 tokens"
    assert bundle["text/plain"].startswith(f"ChatResult: {describe(result)}\n\nspeaker ")
    assert [bundle["text/html"].count(one) for one in ("I will <em>look</em>.", "Go on.", 'role="img"')] == [1, 1, 3]
    assert "| assistant | 2 | 2 | 1,002 | 234 |" in bundle["text/markdown"]


def test_figure_shows_itself_when_it_is_asked_for():
    result = long_chat(6)
    with use_session(quiet_session(render=result_bundle)):
        shown = [one._repr_mimebundle_() for one in (result.timeline(times=True), result.exchanges(), result.tokens())]

    assert [one["text/plain"].splitlines()[0] for one in shown] == [
        "Timeline",
        "Who talked to whom",
        "Tokens by speaker",
    ]
    assert all(one["text/html"].count("<svg xmlns") == 1 for one in shown)
    assert "seconds" in shown[0]["text/plain"]


def test_figure_is_its_repr_when_nothing_draws():
    with use_session(quiet_session()):
        figure = long_chat(2).timeline()

        assert isinstance(figure, ChatFigure)
        assert figure._repr_mimebundle_() == {"text/plain": repr(figure)}


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_result_shows_itself_when_hardly_anything_was_said(turns):
    bundle = result_bundle(long_chat(turns))

    assert bundle["text/html"].count("<article") == turns
    assert "<details open>" not in bundle["text/html"]
    assert size(bundle) < 16_000


@pytest.mark.parametrize(("turns", "most"), [(40, 60_000), (1000, 300_000)])
@pytest.mark.parametrize("names", [("user", "assistant"), TEAM], ids=["pair", "team"])
def test_result_stays_small_when_the_chat_is_long(turns, most, names):
    assert size(result_bundle(long_chat(turns, names))) <= most


@pytest.mark.parametrize("text", ["<&\"'>" * 200_000, "\n" * 100_000, "```\n" + "x\n" * 100_000, "評" * 100_000])
def test_result_stays_small_when_messages_are_huge(text):
    result = result_of(START, *(said("user", "assistant", text) for _ in range(40)))

    assert size(result_bundle(result)) <= 60_000


def test_result_costs_little_when_forty_messages_are_shown():
    result = long_chat(40)
    result_bundle(result)  # the parser of Markdown is made once

    costs = []
    for _ in range(5):
        started = time.process_time()
        result_bundle(result)
        costs.append(time.process_time() - started)

    assert min(costs) <= 0.05


@pytest.mark.parametrize("turns", [1, 40, 1000])
def test_result_is_the_same_when_the_run_is_slower_or_replayed(turns):
    first = result_bundle(long_chat(turns))

    assert result_bundle(long_chat(turns, pace=3.7)) == first
    assert result_bundle(long_chat(turns, replayed=True)) == first


def test_result_is_the_same_when_the_chat_was_recorded_and_is_replayed(tmp_path, monkeypatch):
    monkeypatch.setenv(DATABASE, str(tmp_path / "trusted.jsonl"))
    bundles, replayed = [], []

    for mode in ("record", "replay"):
        recording = Recording.open(tmp_path / "recording.jsonl", mode)
        agent = assistant("```python\n6 * 7\n```", ModelReply("It is 42.", usage=Usage(50, 5)))
        me = user(code_execution_config={"executor": FakeExecutor("42")})
        with use_session(quiet_session(find_recording=lambda found=recording: found)):
            result = me.initiate_chat(agent, message="What is six times seven?", max_turns=2)
        bundles.append(result_bundle(result))
        replayed.append(result.by_speaker["assistant"].replayed_calls)

    assert bundles[0] == bundles[1]
    assert replayed == [0, 2]


def test_metadata_has_what_differs_when_calls_are_live_or_replayed():
    live, replayed = (result_metadata(long_chat(4, replayed=one))[METADATA_KEY]["speakers"] for one in (False, True))

    assert live["assistant"] == {"usage": {"prompt_tokens": 400, "completion_tokens": 40}, "model_seconds": 4.0}
    assert replayed["assistant"] == {"replayed_calls": 2}
    assert live["user"] == {"code_seconds": 0.5}


def test_names_and_details_stay_text_when_they_are_markup():
    attack = "</summary><script>alert(1)</script><img src=x>"

    bundle = result_bundle(long_chat(12, (attack, "assistant")))

    assert not re.search(r"<(script|img)", bundle["text/html"] + bundle["text/markdown"])


# -- The transcript ----------------------------------------------------------------------------------------------


def test_transcript_is_drawn_as_in_the_cell_when_the_chat_is_short():
    result = long_chat(12)
    drawing = Transcript()
    bundles = [drawing.bundle(Entry(at, event)) for at, event in enumerate(result.events)]

    assert transcript(result.events) == [one.data["text/html"] for one in bundles if one is not None]


def test_middle_is_left_out_and_counted_when_the_chat_is_long():
    found = transcript(long_chat(1000, TEAM).events)

    (gap,) = [one for one in found if "not shown here" in one]
    missing = int(re.search(r"([\d,]+) messages", gap)[1].replace(",", ""))
    assert missing + len(found) - 1 == 1000
    assert abs(found.index(gap) - len(found) / 2) < 3


def test_speakers_keep_their_colours_when_the_middle_is_left_out():
    result = long_chat(1000, TEAM)
    drawing = Transcript()
    whole = [drawing.bundle(Entry(at, event)) for at, event in enumerate(result.events)]

    assert transcript(result.events)[-1] == [one for one in whole if one][-1].data["text/html"]


def test_decision_stays_with_its_message_when_others_are_left_out():
    asked = [
        one for _ in range(800) for one in (HumanAnswered(0, "user", "run"), said("user", "assistant", origin="code"))
    ]

    found = transcript(result_of(START, *asked).events)

    assert all(one.count("approved") == 1 for one in found if "<article" in one)


def test_tool_keeps_its_name_when_its_call_is_left_out():
    call = Message(tool_calls=(ToolCall("search_the_web", '{"q": "x"}', "1"),))
    answer = Message(role="tool", tool_responses=(ToolResponse("1", "found"),))
    talk = [said("user", "assistant", "x" * 1000) for _ in range(400)]
    result = result_of(
        START, *talk[:200], MessageSent(0, "assistant", "user", call, "model"), *talk[200:],
        MessageSent(0, "user", "assistant", answer, "tool"),
    )  # fmt: skip

    assert "search_the_web returned" in transcript(result.events)[-1]


def test_long_text_is_cut_and_says_so_when_it_is_shown():
    (html,) = transcript([said("user", "assistant", "word " * 2000)])

    assert "… and 6,000 more characters" in html


def test_notes_and_nested_chats_are_shown_and_silent_ones_are_not():
    result = result_of(
        START,
        Noted(0, "Replies are replayed."),
        Noted(0, "user runs code without asking.", "user"),
        ChatStarted(1, "assistant", "critic", parent=0),
        MessageSent(1, "assistant", "critic", Message("Is it right?")),
        MessageSent(1, "critic", "assistant", Message("A secret."), silent=True),
    )

    assert describe(result).startswith("0 messages · 2 more in nested chats · ")
    found = transcript(result.events)

    assert [("user runs code" in one, "Is it right?" in one) for one in found] == [(True, False), (False, True)]
