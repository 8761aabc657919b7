"""Chats that go on while their user goes on working: the handle."""

import asyncio

import pytest

from jupyter_agents import Chat
from jupyter_agents.drive import ChatCancelled
from jupyter_agents.effects import Pause
from jupyter_agents.errors import ConfigurationError
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from tests.fakes import FakeExecutor, assistant, quiet_session, talker, texts, user


class Slow(ScriptedModel):
    """Takes a minute for a reply."""

    async def complete(self, request):
        await Pause(60)
        return await super().complete(request)


def slow_assistant():
    agent = assistant()
    agent._model_config = type(agent.model_config).from_classic(Slow(["too late"]))
    return agent


def in_a_cell(cell):
    """Run a coroutine as a cell does; its value."""
    with use_session(quiet_session()):
        return asyncio.run(cell())


def test_cell_goes_on_while_the_chat_does():
    async def cell():
        chat = Chat(user(), assistant("Hello. TERMINATE"), message="Hi").start()
        states = [repr(chat), chat.done(), chat.result]
        await chat
        return states, repr(chat), chat

    states, after, chat = in_a_cell(cell)

    assert states == ["<Chat: user and assistant, going on>", False, None]
    assert after == "<Chat: user and assistant, ended>"
    assert texts(chat.result.messages) == ["Hi", "Hello. TERMINATE"]
    assert chat.error is None


def test_result_is_the_same_however_often_it_is_awaited():
    async def cell():
        chat = Chat(user(), assistant("Hello. TERMINATE"), message="Hi").start()
        return await chat, await chat, chat.result

    first, second, third = in_a_cell(cell)

    assert first is second is third


def test_chat_is_refused_when_no_loop_is_running():
    with pytest.raises(ConfigurationError, match="no event loop is running"):
        Chat(user(), assistant("Hello."), message="Hi").start()


def test_chat_is_refused_when_it_was_started_before():
    async def cell():
        chat = Chat(user(), assistant("Hello. TERMINATE"), message="Hi").start()
        with pytest.raises(ConfigurationError, match="it is going on"):
            chat.start()
        await chat
        with pytest.raises(ConfigurationError, match="it is ended"):
            chat.start()

    in_a_cell(cell)


def test_chat_is_refused_when_the_two_are_in_another():
    async def cell():
        one, other = user(), slow_assistant()
        chat = Chat(one, other, message="Hi").start()
        await asyncio.sleep(0.05)
        with pytest.raises(ConfigurationError, match="still goes on in the background"):
            Chat(one, other, message="Hi").start()
        chat.stop()
        await chat

    in_a_cell(cell)


def test_chat_is_refused_within_a_chat():
    refused = []

    async def reply(recipient, messages, sender, config):
        try:
            Chat(user("b"), assistant("Hello."), message="Hi").start()
        except ConfigurationError as error:
            refused.append(str(error))
        return True, "Bye. TERMINATE"

    agent = talker("assistant")
    agent.register_auto_reply([lambda sender: True, None], reply)

    in_a_cell(lambda: user().a_initiate_chat(agent, message="Hi"))

    [why] = refused
    assert "within a chat" in why


def test_chat_of_a_task_that_goes_on_after_its_chat_is_one_of_its_own():
    chats = []

    async def later():
        await asyncio.sleep(0.05)
        chats.append(Chat(user("b"), assistant("Hello. TERMINATE"), message="Hi").start())

    async def reply(recipient, messages, sender, config):
        chats.append(asyncio.get_running_loop().create_task(later()))
        return True, "Bye. TERMINATE"

    agent = talker("assistant")
    agent.register_auto_reply([lambda sender: True, None], reply)

    async def cell():
        await user().a_initiate_chat(agent, message="Hi")
        await chats[0]
        return await chats[1]

    assert texts(in_a_cell(cell).messages) == ["Hi", "Hello. TERMINATE"]


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("seconds", [0, 0.1])
def test_chat_ends_in_order_when_it_is_stopped(silent, seconds):
    async def cell():
        chat = Chat(user(), slow_assistant(), message="Hello", silent=silent).start()
        if seconds:
            await asyncio.sleep(seconds)
        chat.stop("enough")
        return await chat

    result = in_a_cell(cell)

    assert (result.ended_by, result.detail) == (EndedBy.STOPPED, "enough")
    assert texts(result.messages) == ["Hello"]


def test_chat_that_is_stopped_before_it_is_started_says_its_first_message_only():
    async def cell():
        chat = Chat(user(), slow_assistant(), message="Hello")
        chat.stop()
        return await chat.start()

    assert texts(in_a_cell(cell).messages) == ["Hello"]


def test_nothing_happens_when_a_chat_that_has_ended_is_stopped():
    async def cell():
        chat = Chat(user(), assistant("Hello. TERMINATE"), message="Hi").start()
        result = await chat
        chat.stop()
        await asyncio.sleep(0)
        return result, chat.result

    first, second = in_a_cell(cell)

    assert first is second
    assert first.ended_by == EndedBy.TERMINATION


def test_one_of_two_chats_goes_on_when_the_other_is_stopped():
    async def cell():
        slow = Chat(user("a"), slow_assistant(), message="Hello").start()
        other = Chat(user("b"), assistant("Hi. TERMINATE", name="other"), message="Hello").start()
        slow.stop()
        return await slow, await other

    slow, other = in_a_cell(cell)

    assert slow.ended_by == EndedBy.STOPPED
    assert other.ended_by == EndedBy.TERMINATION


def test_what_was_said_is_kept_when_a_chat_is_cancelled():
    async def cell():
        chat = Chat(user(), slow_assistant(), message="Hello").start()
        await asyncio.sleep(0.1)
        chat.cancel()
        await asyncio.wait([chat._task])
        return chat.result

    result = in_a_cell(cell)

    assert result.ended_by == EndedBy.INTERRUPTED
    assert texts(result.messages) == ["Hello"]


def test_nothing_is_left_when_a_chat_is_cancelled_before_its_first_step():
    async def cell():
        chat = Chat(user(), slow_assistant(), message="Hello").start()
        chat.cancel()
        await asyncio.wait([chat._task])
        return chat

    chat = in_a_cell(cell)

    assert chat.done()
    assert chat.result is None
    assert chat.error is None


def test_cell_that_awaits_a_chat_does_not_go_on_when_it_is_interrupted():
    gone_on = []

    async def waiting(chat):
        await chat
        gone_on.append(True)

    async def cell():
        chat = Chat(user(), slow_assistant(), message="Hello").start()
        task = asyncio.get_running_loop().create_task(waiting(chat))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as stop:
            await task
        return stop.value, chat.result

    stop, result = in_a_cell(cell)

    assert isinstance(stop, ChatCancelled)
    assert stop.result is result
    assert gone_on == []


def test_error_is_said_in_one_line_and_raised_where_it_is_awaited(capsys):
    async def cell():
        chat = Chat(user(), assistant(), message="Hi").start()
        with pytest.raises(Exception, match="Cannot answer request 1") as caught:
            await chat
        return chat, caught.value

    chat, error = in_a_cell(cell)

    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("The chat in the background has failed. ScriptEndedError: Cannot answer request 1")
    assert chat.error is error
    assert texts(chat.result.messages) == ["Hi"]
    assert repr(chat) == "<Chat: user and assistant, failed>"


def test_chat_cannot_be_awaited_before_it_is_started():
    async def cell():
        await Chat(user(), assistant("Hello."), message="Hi")

    with pytest.raises(ConfigurationError, match="has not been started"):
        in_a_cell(cell)


def test_chat_is_kept_while_it_goes_on_and_let_go_afterwards():
    import gc
    import weakref

    async def cell():
        found = weakref.ref(Chat(user(), assistant("Hello. TERMINATE"), message="Hi").start())
        gc.collect()
        was_there = found() is not None
        await found()
        await asyncio.sleep(0.01)
        gc.collect()
        return was_there, found()

    assert in_a_cell(cell) == (True, None)


def test_code_is_run_by_an_executor_that_lets_no_other_cell_run_in_its_midst():
    asked = []

    async def cell():
        session = quiet_session(find_executor=lambda options: asked.append(dict(options)) or FakeExecutor("1"))
        with use_session(session):
            coder = user(code_execution_config={})
            await Chat(coder, assistant("```python\n1\n```", "TERMINATE"), message="Hi").start()

    in_a_cell(cell)

    assert asked
    assert all(options["allow_await"] is False for options in asked)


def test_second_chat_of_a_pair_is_refused_and_the_first_is_shown_again():
    shown = []

    async def cell():
        me, other = user(), slow_assistant()
        with use_session(quiet_session(show_again=lambda control: shown.append(control) or True)):
            first = Chat(me, other, message="Hi").start()
            await asyncio.sleep(0)
            with pytest.raises(
                ConfigurationError, match=r"still goes on in the background. It is shown here again"
            ) as caught:
                Chat(me, other, message="Hi").start()
            first.stop()
            await first
        return str(caught.value), first

    words, first = in_a_cell(cell)

    assert "_chat.stop()" in words
    assert shown == [first._control]
