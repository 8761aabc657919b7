"""Pausing a chat, letting it make single steps, and letting it go on: from other threads, and from its handle."""

import asyncio
import threading
import time
from contextlib import contextmanager

import pytest

from jupyter_agents import Chat, GroupChat, GroupChatManager, a_initiate_chats
from jupyter_agents.conditions import MaxSeconds
from jupyter_agents.control import Control, use_control
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.events import ModelAsked, ToolStarted
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from tests.fakes import SOON, FakeExecutor, FakeListener, assistant, both_faces, quiet_session, texts, user


@pytest.fixture
def notebook():
    notebook = FakeListener()
    with use_session(quiet_session(make_listeners=lambda **_: [notebook])):
        yield notebook


@contextmanager
def another_thread(function):
    """Run a function in another thread meanwhile; what it raises, is raised."""
    errors = []

    def run():
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - raised again in the test
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join(20)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


def paused():
    control = Control()
    control.pause()
    return control


# -- Pause, step, resume -----------------------------------------------------------------------------------------


@both_faces
def test_chat_rests_until_it_is_resumed(face, notebook):
    control, seen = paused(), []

    def person():
        assert control.wait_until_waiting(SOON)
        time.sleep(0.3)
        seen.append((list(notebook.said), control.is_paused, control.is_waiting, notebook.of(ModelAsked)))
        assert control.resume()

    with use_control(control), another_thread(person):
        result = face(user(), "initiate_chat", assistant("Hi. TERMINATE"), message="Hello")

    assert seen == [(["Hello"], True, True, [])]
    assert texts(result.messages) == ["Hello", "Hi. TERMINATE"]
    assert result.ended_by == EndedBy.TERMINATION
    assert notebook.pauses == [True, False]
    assert not control.is_paused
    assert not control.is_waiting


@both_faces
def test_step_lets_exactly_one_message_be_said(face, notebook):
    control, seen = paused(), []

    def person():
        for _ in range(3):
            assert control.wait_until_waiting(SOON)
            time.sleep(0.25)
            seen.append(list(notebook.said))
            control.step()
        assert control.wait_until_waiting(SOON)
        seen.append(list(notebook.said))
        control.resume()

    with use_control(control), another_thread(person):
        face(user(), "initiate_chat", assistant("1", "2", "3"), message="0", max_turns=3)

    assert seen == [["0"], ["0", "1"], ["0", "1", ""], ["0", "1", "", "2"]]


def test_steps_add_up(notebook):
    control, seen = paused(), []

    def person():
        assert control.wait_until_waiting(SOON)
        control.step()
        control.step()
        control.step()
        assert control.wait_until_waiting(SOON)
        seen.append(list(notebook.said))
        control.resume()

    with use_control(control), another_thread(person):
        user().initiate_chat(assistant("1", "2", "3"), message="0", max_turns=3)

    assert seen == [["0", "1", "", "2"]]


@both_faces
def test_one_step_of_a_group_is_one_message_of_a_member(face, notebook):
    control, seen = paused(), []
    me = user()
    members = [me, assistant("A1", "A2", name="A"), assistant("B1", "B2", name="B")]
    manager = GroupChatManager(
        GroupChat(members, max_round=4, speaker_selection_method="round_robin"), llm_config=False
    )

    def person():
        for _ in range(2):
            assert control.wait_until_waiting(SOON)
            seen.append(list(notebook.said))
            control.step()
        assert control.wait_until_waiting(SOON)
        control.resume()

    with use_control(control), another_thread(person):
        face(me, "initiate_chat", manager, message="Go")

    assert seen == [["Go"], ["Go", "A1"]]
    assert notebook.said == ["Go", "A1", "B1", ""]


@both_faces
def test_what_runs_is_finished_before_a_chat_rests(face, notebook):
    control, seen = Control(), []

    def reply(request):
        control.pause()  # while the model answers
        return "It is 42."

    def person():
        assert control.wait_until_waiting(SOON)
        seen.append(list(notebook.said))
        control.resume()

    with use_control(control), another_thread(person):
        face(user(), "initiate_chat", assistant(reply, "Yes."), message="What is it?", max_turns=2)

    assert seen == [["What is it?", "It is 42."]]
    assert notebook.said == ["What is it?", "It is 42.", "", "Yes."]


@both_faces
@pytest.mark.parametrize("what", ["code", "tool"])
def test_chat_rests_before_what_a_model_has_asked_for(face, notebook, what):
    control, ran, seen = Control(), [], []
    executor = FakeExecutor()
    call = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}

    def reply(request):
        control.pause()
        return call if what == "tool" else "```python\n6 * 7\n```"

    def person():
        assert control.wait_until_waiting(SOON)
        time.sleep(0.25)
        seen.append((len(ran) + len(executor.blocks), len(notebook.of(ToolStarted))))
        control.resume()

    me = user(code_execution_config={"executor": executor}, function_map={"f": lambda: ran.append(1) or "done"})
    with use_control(control), another_thread(person):
        face(me, "initiate_chat", assistant(reply, "TERMINATE"), message="Go")

    assert seen == [(0, 0)]
    assert len(ran) + len(executor.blocks) == 1


@both_faces
def test_nested_chat_rests_with_the_one_around_it(face, notebook):
    control, seen = Control(), []

    def ask():
        control.pause()
        expert = assistant("nested answer", name="expert")
        return user("asker").initiate_chat(expert, message="nested question", max_turns=1).summary

    def person():
        assert control.wait_until_waiting(SOON)
        seen.append(notebook.said[-1])
        control.resume()

    call = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "ask", "arguments": "{}"}}]}
    with use_control(control), another_thread(person):
        face(user(function_map={"ask": ask}), "initiate_chat", assistant(call, "Thanks. TERMINATE"), message="Go")

    assert seen == ["nested question"]
    assert notebook.said[-1] == "Thanks. TERMINATE"


# -- Chats at the same time --------------------------------------------------------------------------------------


def beside_each_other(control, *pairs, **options):
    """Hold chats at the same time, each until its first reply or the word that ends it."""
    queue = [
        {"chat_id": one.name, "sender": one, "recipient": other, "message": "Go"} | options.get(one.name, {})
        for one, other in pairs
    ]
    with use_control(control):
        results = asyncio.run(a_initiate_chats(queue))
    return [texts(one.messages)[-1] for one in results.values()]


async def until(is_so):
    for _ in range(int(SOON / 0.01)):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about")


def rests_soon(control):
    """Two agents of whom one speaks until the chat is paused, and who rest then."""

    async def first_words(request):
        await until(lambda: control.is_paused)
        return "One."

    return user("soon"), assistant(first_words, "More. TERMINATE", name="first")


def test_chats_at_the_same_time_have_come_to_rest_when_all_of_them_have(notebook):
    control, seen = Control(), []
    call = {"content": None, "tool_calls": [{"id": "1", "function": {"name": "slow", "arguments": "{}"}}]}

    async def slow():
        control.pause()
        await until(lambda: notebook.pauses)
        seen.append((notebook.pauses, control.is_waiting))
        return "done"

    def person():
        assert control.wait_until_waiting(SOON)
        seen.append((notebook.pauses, control.is_waiting))
        control.resume()

    late = user("late", function_map={"slow": slow}), assistant(call, "Two. TERMINATE", name="second")
    with another_thread(person):
        ends = beside_each_other(control, rests_soon(control), late)

    assert seen == [([True], False), ([True, True], True)]
    assert ends == ["More. TERMINATE", "Two. TERMINATE"]
    assert not control.is_waiting


def test_whoever_watches_is_told_when_the_chat_beside_one_that_rests_has_ended(notebook):
    control, seen, told = Control(), [], []

    async def last_words(request):
        control.pause()
        await until(lambda: notebook.pauses)
        told.clear()
        seen.append(control.is_waiting)
        return "Over."

    def person():
        assert control.wait_until_waiting(SOON)
        seen.extend([control.is_waiting, list(told)])
        control.resume()

    control.watch(lambda: told.append(control.is_waiting))
    over = user("over"), assistant(last_words, name="second")
    with another_thread(person):
        ends = beside_each_other(control, rests_soon(control), over, over={"max_turns": 1})

    assert seen == [False, True, [True]]
    assert ends == ["More. TERMINATE", "Over."]


# -- Stop --------------------------------------------------------------------------------------------------------


@both_faces
def test_paused_chat_can_be_stopped(face, notebook):
    control, model = paused(), ScriptedModel(["never"])
    agent = assistant()
    agent._model_config = type(agent.model_config).from_classic(model)

    def person():
        assert control.wait_until_waiting(SOON)
        control.stop("enough")

    started = time.monotonic()
    with use_control(control), another_thread(person):
        result = face(user(), "initiate_chat", agent, message="Hello")

    assert (result.ended_by, result.detail) == (EndedBy.STOPPED, "enough")
    assert model.calls == 0
    assert time.monotonic() - started < SOON


def test_paused_chat_in_another_thread_can_be_stopped(notebook):
    control, results = paused(), []
    session = quiet_session()

    def hold():
        with use_session(session), use_control(control):
            results.append(user().initiate_chat(assistant("never"), message="Hello"))

    with another_thread(hold):
        assert control.wait_until_waiting(SOON)
        control.stop()

    assert results[0].ended_by == EndedBy.STOPPED


def test_time_of_a_pause_does_not_count(notebook):
    control = paused()

    def person():
        assert control.wait_until_waiting(SOON)
        time.sleep(0.6)
        control.resume()

    with use_control(control), another_thread(person):
        result = user().initiate_chat(assistant("1", "2"), message="0", max_turns=2, termination=MaxSeconds(0.5))

    assert result.ended_by == EndedBy.MAX_TURNS


def test_buttons_say_whether_they_have_changed_something():
    control = Control()

    assert [control.resume(), control.pause(), control.pause(), control.resume()] == [False, True, False, True]


def test_pausing_takes_steps_back_that_were_not_made():
    control = Control()

    control.step()
    control.pause()

    assert control.must_wait


# -- The handle --------------------------------------------------------------------------------------------------


def in_a_cell(cell, notebook):
    return asyncio.run(cell())


def test_chat_in_the_background_is_paused_stepped_and_resumed(notebook):
    async def cell():
        chat = Chat(user(), assistant("1", "2", "3"), message="0", max_turns=3).start()
        chat.pause()
        await chat.rested()
        states = [(repr(chat), chat.is_paused, list(notebook.said))]
        chat.step()
        await chat.rested()
        states.append(list(notebook.said))
        chat.resume()
        result = await chat
        return states, result, chat

    states, result, chat = in_a_cell(cell, notebook)

    assert states == [("<Chat: user and assistant, paused>", True, ["0"]), ["0", "1"]]
    assert texts(result.messages) == ["0", "1", "", "2", "", "3"]
    assert not chat.is_paused


def test_paused_chat_in_the_background_can_be_forked_and_stopped(notebook):
    async def cell():
        chat = Chat(user(), assistant("1", "2", "3"), message="0", max_turns=3).start()
        chat.pause()
        await chat.rested()
        so_far = chat.so_far
        fork = so_far.fork()
        other = await fork.a_resume(max_turns=1)
        chat.stop()
        return so_far, other, await chat

    so_far, other, result = in_a_cell(cell, notebook)

    assert so_far.ended_by == EndedBy.PAUSED
    assert texts(so_far.messages) == texts(result.messages) == ["0"]
    assert texts(other.messages) == ["1"]
    assert result.ended_by == EndedBy.STOPPED


@pytest.mark.parametrize("button", ["pause", "resume", "step"])
def test_button_is_refused_when_the_chat_does_not_go_on(notebook, button):
    async def cell():
        chat = Chat(user(), assistant("TERMINATE"), message="0")
        with pytest.raises(ConfigurationError, match="it is not started"):
            getattr(chat, button)()
        await chat.start()
        with pytest.raises(ConfigurationError, match="it is ended"):
            getattr(chat, button)()

    in_a_cell(cell, notebook)


def test_chats_go_on_when_another_is_paused(notebook):
    control = paused()

    async def cell():
        async def held():
            with use_control(control):
                return await user("a").a_initiate_chat(assistant("x", name="b"), message="0", max_turns=1)

        resting = asyncio.create_task(held())
        other = await user("c").a_initiate_chat(assistant("y", name="d"), message="1", max_turns=1)
        is_done = resting.done()
        control.resume()
        return is_done, other, await resting

    is_done, other, rested = in_a_cell(cell, notebook)

    assert not is_done
    assert (texts(other.messages), texts(rested.messages)) == (["1", "y"], ["0", "x"])
