"""Refreshing: what still fits is replayed, only the rest is asked again, and the file changes once."""

import copy
import json
from dataclasses import replace

import pytest

from jupyter_agents import AssistantAgent, UserProxyAgent, use_recording
from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.effects import Ask, Complete
from jupyter_agents.errors import ConfigurationError, RecordingError
from jupyter_agents.human.base import Answer, Prompt
from jupyter_agents.journal import recording_file
from jupyter_agents.journal.recording import Recording
from jupyter_agents.journal.trust import DATABASE
from jupyter_agents.models.base import ModelReply, ModelRequest
from jupyter_agents.testing import FakeOpenAIServer, RecordingExecutor


class Model:
    """The mark that a scripted model bears, or none; tapes never call it."""

    scripted = False


pytestmark = pytest.mark.usefixtures("own_trust_store")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "talk.jsonl"


def complete(*messages, agent="assistant", **options):
    return Complete(agent, Model(), ModelRequest([copy.deepcopy(one) for one in messages], options))


def talk(*texts, system="You help.", agent="assistant", chat=0, said="You said {!r}."):
    steps, messages = [], [{"role": "system", "content": system}]
    for text in texts:
        messages.append({"role": "user", "content": text})
        reply = said.format(text)
        steps.append((complete(*messages, agent=agent), ModelReply(reply, model="gpt-4.1"), chat))
        messages.append({"content": reply, "role": "assistant"})
    return steps


def hold(recording, steps):
    """Go through the steps as a driver does; the outcomes, and which of them were asked for."""
    tape, found, asked = recording.conversation(), [], []
    for effect, outcome, chat in steps:
        known = tape.replay(effect, chat=chat, agent=effect.agent)
        if known is None:
            asked.append(outcome)
            tape.record(effect, outcome, chat=chat, agent=effect.agent)
        found.append(known or outcome)
    tape.close()
    return found, asked


def record(path, *conversations):
    recording = Recording.open(path, "record")
    for steps in conversations:
        hold(recording, steps)


def refresh(path, *conversations):
    recording = Recording.open(path, "refresh")
    return [hold(recording, steps)[1] for steps in conversations]


def replayed(path, steps):
    return hold(Recording.open(path, "replay"), steps)[0]


def lines(path):
    return path.read_text().splitlines()


def test_file_is_not_touched_when_everything_fits(path):
    record(path, talk("one", "two"), talk("other"))
    before, stamp = path.read_bytes(), path.stat().st_mtime_ns

    asked = refresh(path, talk("one", "two"), talk("other"))

    assert asked == [[], []]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, stamp)


def test_only_what_follows_the_change_is_asked_when_a_question_changed(path):
    record(path, talk("first"), talk("one", "two", "three"), talk("last"))
    before = lines(path)
    changed = talk("one", "zwei", "three")

    asked = refresh(path, talk("first"), changed, talk("last"))

    assert asked == [[], [outcome for _, outcome, _ in changed[1:]], []]
    after = lines(path)
    assert len(after) == len(before)
    assert after[1:3] + after[5:] == before[1:3] + before[5:]
    assert [one.content for one in replayed(path, changed)] == [
        "You said 'one'.",
        "You said 'zwei'.",
        "You said 'three'.",
    ]


def test_file_is_what_recording_anew_gives_when_a_question_changed(path, tmp_path):
    record(path, talk("one", "two", "three"))
    changed = talk("one", "two", "drei", "vier")
    record(tmp_path / "anew.jsonl", changed)

    refresh(path, changed)

    assert path.read_bytes() == (tmp_path / "anew.jsonl").read_bytes()


def test_other_agents_are_replayed_when_one_of_them_asks_something_else(path):
    plan = talk("Plan it.", agent="planner", chat=1)
    record(path, talk("one") + plan + [(Ask("user", Prompt("Well?")), Answer("go on"), 0)])

    [asked] = refresh(path, talk("one")[:1] + talk("Plan it well.", agent="planner", chat=1) + [(Ask("user", Prompt("Well?")), None, 0)])  # fmt: skip

    assert [one.content for one in asked] == ["You said 'Plan it well.'."]


def test_models_of_nested_chats_are_replayed_and_people_are_asked_when_the_beginning_changed(path):
    plan = talk("Plan it.", agent="planner", chat=1)
    well = Ask("user", Prompt("Well?"))
    record(path, talk("one") + plan + [(well, Answer("go on"), 0)])

    [asked] = refresh(path, talk("eins") + plan + [(well, Answer("stop that"), 0)])

    assert asked == [talk("eins")[0][1], Answer("stop that")]
    assert len(lines(path)) == 7
    assert [one.content for one in replayed(path, talk("eins") + plan)] == ["You said 'eins'.", "You said 'Plan it.'."]
    assert replayed(path, talk("one") + plan)[1].content == "You said 'Plan it.'."


def test_new_conversations_are_added_when_there_was_no_file(path):
    asked = refresh(path, talk("one"), talk("two"))

    assert [len(one) for one in asked] == [1, 1]
    assert replayed(path, talk("two"))[0].content == "You said 'two'."


def test_conversations_that_begin_alike_keep_their_words_when_one_goes_on_otherwise(path):
    takes = [talk("same", "a"), talk("same", "b")]
    record(path, *takes)

    asked = refresh(path, takes[0], talk("same", "c"), talk("same", "d"))

    assert [[one.content for one in found] for found in asked] == [
        [],
        ["You said 'c'."],
        ["You said 'same'.", "You said 'd'."],
    ]
    assert len(recording_file.read(path, action="replay").conversations) == 3


def test_what_was_not_reached_stays_when_the_chat_was_cut_short(path):
    nested = talk("Plan it.", "More.", agent="planner", chat=1)
    record(path, talk("one", "two") + nested)

    refresh(path, talk("one", "zwei") + nested[:1])

    contents = recording_file.read(path, action="replay")
    assert [(one.agent, one.turn) for one in contents] == [
        ("assistant", 1),
        ("assistant", 2),
        ("planner", 1),
        ("planner", 2),
    ]
    assert replayed(path, talk("one", "zwei") + nested)[-1].content == "You said 'More.'."


def test_what_followed_the_change_goes_when_the_chat_ends_sooner_now(path):
    record(path, talk("one", "two", "three"))

    refresh(path, talk("one", "zwei"))

    assert [one.turn for one in recording_file.read(path, action="replay")] == [1, 2]


def test_question_is_counted_once_when_it_came_to_nothing_and_was_asked_again(path):
    record(path, talk("one", "two"))
    (first, _, _), (_, _, _), (third, reply, _) = talk("one", "zwei", "drei")
    failing = talk("one", "zwo")[1][0]
    second, answer, _ = talk("one", "zwei")[1]
    tape = Recording.open(path, "refresh").conversation()

    assert tape.replay(first, chat=0, agent="assistant")
    for effect in (failing, second, second):
        assert tape.replay(effect, chat=0, agent="assistant") is None
    tape.record(second, answer, chat=0, agent="assistant")
    assert tape.replay(third, chat=0, agent="assistant") is None
    tape.record(third, reply, chat=0, agent="assistant")
    tape.close()

    assert [one.content for one in replayed(path, talk("one", "zwei", "drei"))][1:] == [
        "You said 'zwei'.",
        "You said 'drei'.",
    ]


def test_file_is_as_it_was_until_the_conversation_is_over(path):
    record(path, talk("one", "two"))
    before = path.read_bytes()
    tape = Recording.open(path, "refresh").conversation()

    for effect, outcome, chat in talk("eins", "zwei"):
        assert tape.replay(effect, chat=chat, agent="assistant") is None
        tape.record(effect, outcome, chat=chat, agent="assistant")
        assert path.read_bytes() == before
    tape.close()

    assert len(lines(path)) == 5


# -- Approvals ---------------------------------------------------------------------------------------------------

APPROVAL = Ask("user", Prompt("Run?", "approval", block=CodeBlock("python", "x = 1")))


def test_approval_is_replayed_and_trusted_when_it_was_recorded_here(path):
    record(path, [*talk("one"), (APPROVAL, Answer("", "run"), 0), *talk("one", "two")[1:]])

    [asked] = refresh(path, [*talk("one"), (APPROVAL, None, 0), *talk("one", "zwei")[1:]])

    assert [one.content for one in asked] == ["You said 'zwei'."]
    tape = Recording.open(path, "replay").conversation()
    assert tape.replay(talk("one")[0][0], chat=0, agent="assistant")
    assert not tape.is_foreign


def test_approval_is_asked_for_and_nothing_becomes_trusted_when_the_recording_is_foreign(path, monkeypatch, tmp_path):
    record(path, [*talk("one"), (APPROVAL, Answer("", "run"), 0), *talk("one", "two")[1:]])
    monkeypatch.setenv(DATABASE, str(tmp_path / "mine.jsonl"))

    [asked] = refresh(path, [*talk("one"), (APPROVAL, Answer("no", "reject"), 0), *talk("one", "zwei")[1:]])

    assert asked[0] == Answer("no", "reject")
    tape = Recording.open(path, "replay").conversation()
    assert tape.replay(talk("one")[0][0], chat=0, agent="assistant")
    assert tape.is_foreign


# -- From Python -------------------------------------------------------------------------------------------------


def program(path, config, mode="all", question="One?"):
    """A program as a user writes it; the result of its chat."""
    executor = RecordingExecutor(["1\n"] * 3)
    guide = AssistantAgent("guide", "You help.", llm_config=config)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config={"executor": executor})
    with use_recording(path, mode):
        return user.initiate_chat(guide, message=question, silent=True)


def test_program_is_recorded_and_replayed_without_a_server_when_it_uses_a_recording(path):
    with FakeOpenAIServer() as server:
        server.enqueue("```python\nprint(1)\n```", "It is one.\nTERMINATE")
        first = program(path, server.config, "record")

    again = program(path, server.config)

    assert [one["content"] for one in again.messages] == [one["content"] for one in first.messages]
    assert first.usage.prompt_tokens > 0
    assert not again.usage.prompt_tokens
    assert again.by_speaker["guide"].replayed_usage == first.usage
    assert all(one.replayed for one in again.events if type(one).__name__ == "ModelAnswered")
    assert again.cost["usage_excluding_cached_inference"]["total_cost"] == 0


def test_only_the_changed_chat_is_paid_for_when_a_program_is_refreshed(path):
    with FakeOpenAIServer() as server:
        server.enqueue("One.\nTERMINATE")
        program(path, server.config, "record")
        server.enqueue("Two.\nTERMINATE")

        program(path, server.config, "refresh")
        program(path, server.config, "refresh", question="Two?")

        assert [one.body["messages"][-1]["content"] for one in server.requests] == ["One?", "Two?"]


def test_environment_goes_before_the_program_and_its_off_does_not(path, monkeypatch):
    with FakeOpenAIServer() as server:
        server.enqueue("One.\nTERMINATE", "Live.\nTERMINATE")
        monkeypatch.setenv("JUPYTER_AGENTS_REPLAY", "record")
        program(path, server.config, "all")
        monkeypatch.setenv("JUPYTER_AGENTS_REPLAY", "off")

        assert program(path, server.config, "all").summary == "One."
        assert program(path, server.config, "off").summary == "Live."


def test_use_recording_refuses_when_the_mode_is_none(path):
    with pytest.raises(ConfigurationError, match=r"^Cannot use a recording: mode is 'replay'\. Use one of off, model"):
        program(path, None, "replay")


# -- A miss ------------------------------------------------------------------------------------------------------


def test_miss_shows_the_nearest_question_of_the_file_when_another_one_was_expected(path):
    record(path, talk("hello", "Sort the names of all rivers."), talk("hi", "Draw a map of the Danube."))

    with pytest.raises(RecordingError) as caught:
        replayed(path, talk("hello", "Draw a big map of the Danube."))

    assert "what turn 2 of 'assistant' asks is not what was recorded" in str(caught.value)
    assert "--- recorded (line 5)" in str(caught.value)
    assert "-user | Draw a map of the Danube.\n" in str(caught.value) + "\n"


def test_miss_shows_the_expected_question_when_no_other_is_clearly_nearer(path):
    record(path, talk("hello", "Sort the names."), talk("hi", "Draw a map."))

    with pytest.raises(RecordingError) as caught:
        replayed(path, talk("hello", "Something else."))

    assert "-user | Sort the names.\n+user | Something else." in str(caught.value)


def test_miss_says_so_when_the_words_were_scripted(path):
    model = Model()
    model.scripted = True
    record(path, [(replace(effect, model=model), outcome, chat) for effect, outcome, chat in talk("hello")])

    with pytest.raises(RecordingError) as caught:
        replayed(path, talk("hallo"))

    assert "--- scripted (line 2)" in str(caught.value)
    assert json.loads(lines(path)[0])["source"] == "scripted"
