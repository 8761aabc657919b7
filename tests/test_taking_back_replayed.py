"""Replies that were taken back, in recordings: the same program gives the same chat again, and another one is told so."""

import asyncio

import pytest

from jupyter_agents import AssistantAgent, Chat
from jupyter_agents.effects import Pause
from jupyter_agents.errors import RecordingError
from jupyter_agents.events import ModelAsked
from jupyter_agents.journal.recording import Recording
from jupyter_agents.journal.trust import TrustStore
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from tests.fakes import FakeListener, both_faces, quiet_session, texts, user


class Slow(ScriptedModel):
    """Says `slow` in a minute."""

    async def complete(self, request):
        reply = await super().complete(request)
        if reply.content == "slow":
            await Pause(60)
        return reply


@pytest.fixture
def played(tmp_path):
    """Run a program with a recording, given an assistant and what listens; in replay its model has nothing to say."""

    def run(mode, program, *replies):
        recording = Recording.open(tmp_path / "talk.jsonl", mode, trust=TrustStore(tmp_path / "trust"))
        heard = FakeListener()
        session = quiet_session(find_recording=lambda: recording, make_listeners=lambda **_: [heard])
        with use_session(session):
            other = AssistantAgent("assistant", llm_config=Slow(replies if mode == "record" else ()))
            return program(other, heard)

    return run


def steps(*given):
    """A program whose chat goes on in the background, and rests after each of these steps before it goes on to its end."""

    async def held(other):
        chat = Chat(user(), other, message="go", max_turns=4).start()
        chat.pause()
        await chat.rested()
        for step in given:
            if step == "step":
                chat.step()
            else:
                await (chat.retry() if step == "retry" else chat.edit(step))
            await chat.rested()
        chat.resume()
        return await chat

    def program(other, heard):
        result = asyncio.run(asyncio.wait_for(held(other), 20))
        return heard.said, texts(result.messages)

    return program


def afterwards(face, *given):
    """A program that takes back what a chat came to when it has ended."""

    def program(other, heard):
        results = [face(user(), "initiate_chat", other, message="go", max_turns=2)]
        for step in given:
            how = ("retry",) if step == "retry" else ("edit", step)
            results.append(face(results[-1], *how))
        return heard.said, [texts(one.messages) for one in results]

    return program


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["step", "retry"], ["go", "1", "2", "", "3", "", "4. TERMINATE"]),
        (["step", "retry", "step", "retry", "step"], ["go", "1", "2", "3", "", "4. TERMINATE"]),
        (["step", "no", "step"], ["go", "1", "no", "", "2", "", "3", "", "4. TERMINATE"]),
        (["step", "no", "step", "step", "retry"], ["go", "1", "no", "", "2", "3", "", "4. TERMINATE"]),
    ],
)
def test_chat_is_the_same_again_when_it_was_taken_back_while_it_went_on(played, given, said):
    first = played("record", steps(*given), "1", "2", "3", "4. TERMINATE")
    again = played("replay", steps(*given))

    assert first[0] == said
    assert again == first


@both_faces
def test_chat_is_the_same_again_when_it_was_taken_back_after_its_end(played, face):
    program = afterwards(face, "retry", "no", "retry")

    first = played("record", program, "1", "2", "3", "4", "5", "6", "7", "8")
    again = played("replay", program)

    assert first[1] == [["go", "1", "", "2"], ["3", "", "4"], ["no", "", "5", "", "6"], ["7", "", "8"]]
    assert again == first


def test_reply_that_a_person_had_broken_off_is_in_no_recording(played):
    async def held(other, heard, *, is_pressed):
        chat = Chat(user(), other, message="go").start()
        if is_pressed:
            await heard.until(ModelAsked)
            await chat.retry()
        return texts((await chat).messages)

    def program(is_pressed):
        return lambda other, heard: asyncio.run(asyncio.wait_for(held(other, heard, is_pressed=is_pressed), 20))

    first = played("record", program(True), "slow", "good. TERMINATE")
    again = played("replay", program(False))  # nobody presses a button when a notebook is replayed

    assert (first, again) == (["good. TERMINATE"], ["go", "good. TERMINATE"])


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        (("step", "yes", "step"), ["-assistant | no", "+assistant | yes"]),
        (("step",), ["+assistant | 1"]),
    ],
)
def test_what_was_edited_is_compared_when_it_was_recorded_with_other_words(played, changed, shown):
    played("record", steps("step", "no", "step"), "1", "2", "3", "4. TERMINATE")

    with pytest.raises(RecordingError) as caught:
        played("replay", steps(*changed))

    lines = str(caught.value).splitlines()
    assert "Undo the change that the comparison with the nearest recorded question shows" in lines[0]
    assert all(one in lines for one in shown)


@both_faces
def test_question_is_compared_when_more_is_taken_back_than_was_recorded(played, face):
    played("record", afterwards(face, "retry"), "1", "2", "3", "4")

    with pytest.raises(
        RecordingError, match="it holds no conversation that begins with what turn 1 of 'assistant' asks"
    ) as caught:
        played("replay", afterwards(face, "retry", "retry"))

    assert "+assistant | 3" in str(caught.value).splitlines()


def test_recorded_reply_comes_again_when_its_question_is_asked_more_often_than_it_was(played):
    """As in a cell that is run again: what begins with the same words is the same conversation."""
    played("record", steps("step"), "1", "2", "3. TERMINATE")

    said, _ = played("replay", steps("step", "retry"))

    assert said == ["go", "1", "1", "", "2", "", "3. TERMINATE"]
