"""The buttons of a chat: what ends, and what goes on."""

import asyncio
import signal
import threading
import time

import pytest

from jupyter_agents import Chat
from jupyter_agents.control import Control, find_control, use_control
from jupyter_agents.effects import Pause, Tell
from jupyter_agents.events import ChatEnded, ChatStarted, Delta, Entry, MessageSent
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from tests.fakes import assistant, quiet_session, talker, user


class Slow(ScriptedModel):
    """Takes a minute for a reply, in so many steps."""

    steps = 1

    async def complete(self, request):
        for _ in range(self.steps):
            await Pause(60 / self.steps)
        return await super().complete(request)


def slow_assistant(name="assistant"):
    agent = assistant(name=name)
    agent._model_config = type(agent.model_config).from_classic(Slow(["too late"]))
    return agent


def stopping(control, *, times=1, after=0.2):
    """Press Stop in another thread, several times at once."""

    def press():
        time.sleep(after)
        for _ in range(times):
            control.stop()

    thread = threading.Thread(target=press)
    thread.start()
    return thread


def heard(events):
    """A session that keeps the events of its chats."""
    return quiet_session(make_listeners=lambda **_: [lambda what: events.append(what)])


@pytest.mark.parametrize("times", [1, 5])
def test_chat_that_blocks_ends_in_order_when_it_is_stopped(times):
    control, started = Control(), time.monotonic()

    with use_session(quiet_session()), use_control(control):
        presser = stopping(control, times=times)
        result = user().initiate_chat(slow_assistant(), message="Hello")
        presser.join()

    assert result.ended_by == EndedBy.STOPPED
    assert [one["content"] for one in result.messages] == ["Hello"]
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("times", [1, 5])
def test_chat_that_is_awaited_ends_in_order_when_it_is_stopped(times):
    control = Control()

    async def cell():
        presser = stopping(control, times=times)
        result = await user().a_initiate_chat(slow_assistant(), message="Hello")
        presser.join()
        await asyncio.sleep(0)  # raises where a cancellation is left over
        return result, asyncio.current_task().cancelling()

    with use_session(quiet_session()), use_control(control):
        result, left_over = asyncio.run(cell())

    assert result.ended_by == EndedBy.STOPPED
    assert left_over == 0


def test_chat_that_blocks_a_running_loop_ends_in_order_when_it_is_stopped():
    control = Control()

    async def cell():
        presser = stopping(control)
        result = user().initiate_chat(slow_assistant(), message="Hello")
        presser.join()
        await asyncio.sleep(0)
        return result

    before = signal.getsignal(signal.SIGINT)
    with use_session(quiet_session()), use_control(control):
        result = asyncio.run(cell())

    assert result.ended_by == EndedBy.STOPPED
    assert signal.getsignal(signal.SIGINT) is before


def test_chat_in_another_thread_ends_in_order_when_it_is_stopped(monkeypatch):
    control, results = Control(), []

    monkeypatch.setattr(Slow, "steps", 1200)

    def hold():
        with use_session(quiet_session()), use_control(control):
            results.append(user().initiate_chat(slow_assistant(), message="Hello"))

    thread = threading.Thread(target=hold)
    thread.start()
    time.sleep(0.2)
    control.stop()
    thread.join(20)

    assert results[0].ended_by == EndedBy.STOPPED


def test_only_the_first_message_is_said_when_a_chat_is_stopped_before_it_begins():
    control, model = Control(), ScriptedModel(["never"])
    agent = assistant()
    agent._model_config = type(agent.model_config).from_classic(model)

    was_going_on = control.stop("not today")
    with use_session(quiet_session()), use_control(control):
        result = user().initiate_chat(agent, message="Hello")

    assert not was_going_on
    assert (result.ended_by, result.detail) == (EndedBy.STOPPED, "not today")
    assert len(result) == 1
    assert model.calls == 0


@pytest.mark.parametrize("is_awaited", [False, True])
def test_chat_ends_in_order_when_it_is_stopped_as_it_begins(is_awaited):
    control = Control()

    def listen(what):
        if isinstance(what, Entry) and isinstance(what.event, ChatStarted):
            stopping(control, after=0).join()

    with use_session(quiet_session(make_listeners=lambda **_: [listen])), use_control(control):
        me, agent = user(), slow_assistant()
        if is_awaited:
            result = asyncio.run(me.a_initiate_chat(agent, message="Hello"))
        else:
            result = me.initiate_chat(agent, message="Hello")

    assert result.ended_by == EndedBy.STOPPED
    assert isinstance(result.events[-1], ChatEnded)


def test_nothing_happens_when_a_chat_has_ended():
    control = Control()
    with use_session(quiet_session()), use_control(control):
        result = user().initiate_chat(assistant("Hello. TERMINATE"), message="Hello")

    assert not control.stop()
    assert not control.interrupt_code()
    time.sleep(0.01)  # a signal would be raised here
    assert result.ended_by == EndedBy.TERMINATION


def test_listener_is_not_cut_off_when_the_chat_is_stopped_in_the_midst_of_it():
    control, finished = Control(), []

    def listen(what):
        if isinstance(what, Entry) and isinstance(what.event, MessageSent):
            stopping(control, after=0).join()
            time.sleep(0.05)
            finished.append(what.event.message.text)

    with use_session(quiet_session(make_listeners=lambda **_: [listen])), use_control(control):
        result = user().initiate_chat(slow_assistant(), message="Hello")

    assert finished == ["Hello"]
    assert result.ended_by == EndedBy.STOPPED


def test_end_is_told_whole_when_stop_is_pressed_while_it_is():
    control, events = Control(), []

    def listen(what):
        if isinstance(what, Entry) and isinstance(what.event, ChatEnded):
            stopping(control, times=3, after=0).join()
            time.sleep(0.05)
            events.append(what.event.ended_by)

    with use_session(quiet_session(make_listeners=lambda **_: [listen])), use_control(control):
        result = user().initiate_chat(assistant("Bye. TERMINATE"), message="Hello")

    assert events == [EndedBy.TERMINATION]
    assert result.ended_by == EndedBy.TERMINATION


def test_nested_chat_ends_with_the_one_around_it_when_that_is_stopped():
    control, inner = Control(), []

    def ask_expert(recipient, messages, sender, config):
        inner.append(talker("manager").initiate_chat(slow_assistant("expert"), message="Help"))
        return True, "never"

    agent = talker("assistant")
    agent.register_auto_reply([lambda sender: True, None], ask_expert)
    events = []
    with use_session(heard(events)), use_control(control):
        presser = stopping(control)
        result = user().initiate_chat(agent, message="Hello")
        presser.join()

    ends = [one.event for one in events if isinstance(one, Entry) and isinstance(one.event, ChatEnded)]
    assert result.ended_by == EndedBy.STOPPED
    assert inner == []
    assert [(one.chat, one.ended_by) for one in ends] == [(1, EndedBy.STOPPED), (0, EndedBy.STOPPED)]


def test_other_chat_goes_on_when_one_of_two_that_are_gathered_is_stopped():
    control = Control()

    async def stopped():
        with use_control(control):
            return await user("one").a_initiate_chat(slow_assistant("slow"), message="Hello")

    async def cell():
        presser = stopping(control)
        other = talker("two").a_initiate_chat(talker("other", lambda number: str(number)), message="Hi", max_turns=3)
        results = await asyncio.gather(stopped(), other)
        presser.join()
        return results

    with use_session(quiet_session()):
        first, second = asyncio.run(cell())

    assert first.ended_by == EndedBy.STOPPED
    assert second.ended_by != EndedBy.STOPPED


def test_function_that_holds_the_loop_is_interrupted_when_interrupts_are_ignored():
    control = Control()

    def tool():
        time.sleep(60)

    agent = user(function_map={"tool": tool})
    model = assistant({"function_call": {"name": "tool", "arguments": "{}"}})

    async def cell():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        presser = stopping(control)
        result = await agent.a_initiate_chat(model, message="Hello")
        presser.join()
        return result, signal.getsignal(signal.SIGINT)

    before, started = signal.getsignal(signal.SIGINT), time.monotonic()
    try:
        with use_session(quiet_session()), use_control(control):
            result, handler = asyncio.run(cell())
    finally:
        signal.signal(signal.SIGINT, before)

    assert result.ended_by == EndedBy.STOPPED
    assert handler is signal.SIG_IGN
    assert time.monotonic() - started < 10


def test_words_that_had_come_are_kept_when_a_reply_is_stopped():
    control, events = Control(), []

    class Streaming(ScriptedModel):
        async def complete(self, request):
            await Tell(Delta("I "))
            await Tell(Delta("would"))
            await Pause(60)

    agent = assistant()
    agent._model_config = type(agent.model_config).from_classic(Streaming([]))
    with use_session(heard(events)), use_control(control):
        presser = stopping(control)
        result = user().initiate_chat(agent, message="Hello")
        presser.join()

    assert [(one.error, one.partial) for one in result.events if one.kind == "model_failed"] == [
        ("interrupted", "I would")
    ]


def test_each_chat_has_a_control_of_its_own_unless_one_is_given():
    given = Control()

    assert find_control() is not find_control()
    with use_control(given):
        assert find_control() is given
        with given.held(None):
            assert find_control() is not given


def test_chat_in_the_background_has_the_control_of_its_handle():
    async def cell():
        chat = Chat(user(), slow_assistant(), message="Hello", silent=True).start()
        await asyncio.sleep(0.1)
        chat.stop("enough")
        return await chat

    with use_session(quiet_session()):
        result = asyncio.run(cell())

    assert (result.ended_by, result.detail) == (EndedBy.STOPPED, "enough")
