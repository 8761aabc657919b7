"""Taking back while a chat goes on in the background: its last reply asked for anew, its last message edited."""

import asyncio
import threading
import time

import pytest

from jupyter_agents import AgentChat, Chat, GroupChat, GroupChatManager
from jupyter_agents.effects import Pause, Tell
from jupyter_agents.errors import ConfigurationError, ModelUnavailableError
from jupyter_agents.events import ChatEnded, Delta, ModelAsked, Noted
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from jupyter_agents.testing import FakeOpenAIServer, ServerReply
from tests.fakes import SOON, FakeListener, assistant, quiet_session, texts, user


class Streaming(ScriptedModel):
    """Says `slow …` for a minute."""

    async def complete(self, request):
        reply = await super().complete(request)
        for _ in range(600 if reply.content.startswith("slow") else 0):
            await Tell(Delta("word "))
            await Pause(0.1)
        return reply


def streaming(*replies, name="assistant", **options):
    agent = assistant(name=name, **options)
    agent._model_config = type(agent.model_config).from_classic(Streaming(replies))
    return agent


@pytest.fixture
def notebooks():
    """Those that listen to chats, as they are made."""
    made = []

    def make(**_):
        made.append(FakeListener())
        return [made[-1]]

    with use_session(quiet_session(make_listeners=make)):
        yield made


def in_a_cell(cell):
    return asyncio.run(asyncio.wait_for(cell(), 20))


async def until_heard(notebooks):
    while not notebooks:
        await asyncio.sleep(0.01)
    return notebooks[0]


def remembered(one, other):
    return texts(one.chat_messages[other])


# -- Retry -------------------------------------------------------------------------------------------------------


def test_reply_that_comes_in_is_broken_off_and_asked_for_anew(notebooks):
    me, other = user(), streaming("slow and bad", "good. TERMINATE")

    async def cell():
        chat = Chat(me, other, message="go").start()
        await (await until_heard(notebooks)).until(Delta)
        same = await chat.retry()
        return chat, same, await chat

    chat, same, result = in_a_cell(cell)

    assert same is chat
    assert result is chat.result
    assert (texts(result.messages), result.ended_by) == (["good. TERMINATE"], EndedBy.TERMINATION)
    assert remembered(me, other) == remembered(other, me) == ["go", "good. TERMINATE"]
    [notebook] = notebooks
    assert notebook.said == ["go", "good. TERMINATE"]
    assert [one.text for one in notebook.of(Noted)] == ["The last reply of a model is asked for anew."]
    assert [one.ended_by for one in notebook.of(ChatEnded)] == ["pause", "termination message"]
    assert len({one.log for one in (result, chat.so_far)}) == 1


def test_last_reply_is_asked_for_anew_when_the_chat_is_paused_and_it_stays_so(notebooks):
    me, other = user(), assistant("1", "2", "better")

    async def cell():
        chat = Chat(me, other, message="go", max_turns=9).start()
        chat.pause()
        await chat.rested()
        chat.step()
        await chat.rested()
        await chat.retry()
        await chat.rested()
        states = [chat.is_paused, repr(chat), list(notebooks[0].said)]
        chat.step()
        await chat.rested()
        chat.stop()
        return states, await chat

    states, result = in_a_cell(cell)

    assert states == [True, "<Chat: user and assistant, paused>", ["go", "1"]]
    assert (texts(result.messages), result.ended_by) == (["2"], EndedBy.STOPPED)
    assert remembered(me, other) == ["go", "2"]


def test_code_that_runs_is_broken_off_with_the_reply_it_came_of(notebooks):
    from jupyter_agents.executors.base import Executor

    class Slow(Executor):
        async def execute(self, block):
            started.set()
            await Pause(60)
            raise AssertionError

    started = threading.Event()
    me = user(code_execution_config={"executor": Slow()})
    other = assistant("```python\n1\n```", "no code. TERMINATE")

    async def cell():
        chat = Chat(me, other, message="go").start()
        while not started.is_set():
            await asyncio.sleep(0.01)
        await chat.retry()
        return await chat

    result = in_a_cell(cell)

    assert texts(result.messages) == ["no code. TERMINATE"]
    assert remembered(me, other) == ["go", "no code. TERMINATE"]


def test_two_retries_are_one_when_the_first_has_not_begun(notebooks):
    me, other = user(), streaming("slow", "once. TERMINATE", "twice. TERMINATE")

    async def cell():
        chat = Chat(me, other, message="go").start()
        await (await until_heard(notebooks)).until(Delta)
        first, second = chat.retry(), chat.retry()
        with pytest.raises(ConfigurationError, match="it was asked to retry before it could"):
            await first
        await second
        return await chat

    assert texts(in_a_cell(cell).messages) == ["once. TERMINATE"]


def test_retries_follow_each_other_when_each_has_begun(notebooks):
    me, other = user(), streaming("slow 1", "slow 2", "slow 3", "4. TERMINATE")

    async def cell():
        chat = Chat(me, other, message="go").start()
        for number in range(1, 4):
            await (await until_heard(notebooks)).until(ModelAsked, number)
            await chat.retry()
        return await chat

    assert texts(in_a_cell(cell).messages) == ["4. TERMINATE"]
    assert remembered(me, other) == ["go", "4. TERMINATE"]


def test_same_member_of_a_group_is_asked_anew_whoever_selects(notebooks):
    me, a, b = user(), streaming("A1", name="A"), streaming("slow", "B2. TERMINATE", name="B")
    asked = []

    def select(last, group):
        asked.append(last.name)
        assert len(asked) < 3
        return a if last is me else b

    manager = GroupChatManager(GroupChat([me, a, b], max_round=9, speaker_selection_method=select), llm_config=False)

    async def cell():
        chat = Chat(me, manager, message="go").start()
        await (await until_heard(notebooks)).until(Delta)
        await chat.retry()
        return await chat

    result = in_a_cell(cell)

    assert [(one["name"], one["content"]) for one in result.messages] == [("B", "B2. TERMINATE")]
    assert texts(manager.groupchat.messages) == ["go", "A1", "B2. TERMINATE"]
    assert asked == ["user", "A"]


def test_retry_is_pressed_in_another_thread(notebooks):
    me, other = user(), streaming("slow", "good. TERMINATE")
    seen = []

    async def cell():
        chat = Chat(me, other, message="go").start()
        await (await until_heard(notebooks)).until(Delta)
        await asyncio.to_thread(lambda: seen.append(chat.retry().wait(SOON) is chat))
        return await chat

    assert texts(in_a_cell(cell).messages) == ["good. TERMINATE"]
    assert seen == [True]


def calling(function, chats):
    """A chat in whose midst its user calls a function, once; what came of it."""
    me, other, called = user(), assistant("1", "2. TERMINATE"), []

    def interfere(recipient, messages, sender, config):
        if not called:
            called.append(True)
            function(chats[0])
        return False, None

    me.register_auto_reply([lambda sender: True, None], interfere)

    async def cell():
        chats.append(Chat(me, other, message="go").start())
        return await chats[0]

    return in_a_cell(cell)


def test_function_of_the_chat_itself_may_press_retry(notebooks):
    assert texts(calling(lambda chat: chat.retry(), []).messages) == ["2. TERMINATE"]


def test_function_of_the_chat_itself_cannot_wait_for_what_it_asked(notebooks):
    refused = []

    def wait(chat):
        with pytest.raises(ConfigurationError, match="what waits is part of the chat") as caught:
            chat.edit("x").wait(0)
        refused.append(caught.value)

    assert texts(calling(wait, []).messages)[0] == "x"
    assert len(refused) == 1


def test_reply_that_has_failed_is_asked_for_anew_when_that_was_wanted_in_time(notebooks, capsys):
    def fail(request):
        chats[0].retry()
        raise ModelUnavailableError("down")

    me, other, chats = user(), assistant(fail, "up. TERMINATE"), []

    async def cell():
        chats.append(Chat(me, other, message="go").start())
        return await chats[0]

    assert texts(in_a_cell(cell).messages) == ["up. TERMINATE"]
    assert chats[0].error is None
    assert capsys.readouterr().err == ""


def test_retry_is_refused_and_nothing_happens_when_no_model_has_replied(notebooks):
    me, other = user(), assistant("1. TERMINATE")

    async def cell():
        await me.a_initiate_chat(other, message="before", max_turns=1)
        other._model_config = type(other.model_config).from_classic(ScriptedModel(["2. TERMINATE"]))
        chat = Chat(me, other, message="go").start()
        with pytest.raises(ConfigurationError, match="no model has replied"):
            chat.retry()
        chat.pause()
        await chat.rested()
        with pytest.raises(ConfigurationError, match="no model has replied"):
            chat.retry()
        chat.resume()
        return await chat

    result = in_a_cell(cell)

    assert (texts(result.messages), result.ended_by) == (["go", "2. TERMINATE"], EndedBy.TERMINATION)


# -- Edit --------------------------------------------------------------------------------------------------------


def test_edit_waits_for_the_reply_that_comes_in_and_takes_its_place(notebooks):
    model = []

    async def cell():
        def reply(request):
            model.append(chat.edit("what I want"))
            return "1"

        me, other = user(), assistant(reply, "2. TERMINATE")
        chat = Chat(me, other, message="go").start()
        result = await chat
        return me, other, await model[0], chat, result

    me, other, begun, chat, result = in_a_cell(cell)

    assert begun is chat
    assert texts(result.messages) == ["what I want", "", "2. TERMINATE"]
    assert remembered(me, other) == ["go", "what I want", "", "2. TERMINATE"]
    assert notebooks[0].said == ["go", "1", "what I want", "", "2. TERMINATE"]
    assert [one.text for one in notebooks[0].of(Noted)] == ["The last message of assistant was edited."]


def test_message_of_a_paused_chat_is_edited_and_it_stays_paused(notebooks):
    me, other = user(), assistant("1. TERMINATE")

    async def cell():
        chat = Chat(me, other, message="go").start()
        chat.pause()
        await chat.rested()
        await chat.edit("go on")
        await chat.rested()
        seen = [chat.is_paused, list(notebooks[0].said), texts(chat.so_far.messages)]
        chat.resume()
        return seen, await chat

    seen, result = in_a_cell(cell)

    assert seen == [True, ["go", "go on"], ["go on"]]
    assert texts(result.messages) == ["go on", "1. TERMINATE"]
    assert remembered(other, me) == ["go on", "1. TERMINATE"]


def test_first_message_is_edited_when_the_chat_has_not_begun(notebooks):
    me, other = user(), assistant("1. TERMINATE")

    async def cell():
        chat = Chat(me, other, message="go").start()
        await chat.edit("begin")
        return await chat

    assert texts(in_a_cell(cell).messages) == ["begin", "1. TERMINATE"]
    assert len(other.model.requests) == 1


def test_chat_that_ends_just_then_goes_on_from_the_edited_message(notebooks):
    chats = []

    def reply(request):
        chats[0].edit("no end")
        return "1. TERMINATE"

    me, other = user(), assistant(reply, "2. TERMINATE")

    async def cell():
        chats.append(Chat(me, other, message="go").start())
        return await chats[0]

    assert texts(in_a_cell(cell).messages) == ["no end", "", "2. TERMINATE"]
    assert remembered(me, other) == ["go", "no end", "", "2. TERMINATE"]


def test_later_of_two_edits_is_made_when_they_come_before_rest(notebooks):
    chats, moves = [], []

    def reply(request):
        moves.extend([chats[0].edit("first"), chats[0].edit("second")])
        return "1"

    me, other = user(), assistant(reply, "2. TERMINATE")

    async def cell():
        chats.append(Chat(me, other, message="go").start())
        result = await chats[0]
        with pytest.raises(ConfigurationError, match="it was asked to edit before it could"):
            await moves[0]
        return result

    assert texts(in_a_cell(cell).messages) == ["second", "", "2. TERMINATE"]


class NeverAnswers:
    """A person who is asked and says nothing."""

    def __init__(self):
        self.asked = 0
        self.open = 0

    async def ask(self, prompt):
        self.asked += 1
        self.open += 1
        try:
            await Pause(60)
        finally:
            self.open -= 1


@pytest.mark.parametrize("button", ["edit", "retry"])
def test_question_that_is_open_is_taken_away(notebooks, button):
    person = NeverAnswers()
    me, other = user(human_input_mode="TERMINATE", human=person), assistant("1. TERMINATE", "2", "3. TERMINATE")

    async def cell():
        chat = Chat(me, other, message="go", max_turns=2).start()
        while not person.open:
            await asyncio.sleep(0.01)
        await (chat.edit("1") if button == "edit" else chat.retry())
        was_open = person.open
        chat.stop()
        return was_open, await chat

    was_open, result = in_a_cell(cell)

    assert was_open == 0
    assert person.asked == 1
    assert texts(result.messages)[0] == ("1" if button == "edit" else "2")


def test_edit_comes_before_a_question_that_was_about_to_be_asked(notebooks):
    person, chats = NeverAnswers(), []

    def reply(request):
        chats[0].edit("2")
        return "1. TERMINATE"

    me, other = user(human_input_mode="TERMINATE", human=person), assistant(reply, "x", "y")

    async def cell():
        chats.append(Chat(me, other, message="go", max_turns=1).start())
        return await chats[0]

    result = in_a_cell(cell)

    assert person.asked == 0
    assert texts(result.messages)[0] == "2"


def test_last_message_of_a_group_is_edited(notebooks):
    me, b, chats = user(), assistant("B1. TERMINATE", name="B"), []

    def reply(request):
        chats[0].edit("A changed")
        return "A1"

    a = assistant(reply, name="A")
    manager = GroupChatManager(
        GroupChat([me, a, b], max_round=9, speaker_selection_method="round_robin"), llm_config=False
    )

    async def cell():
        chats.append(Chat(me, manager, message="go").start())
        return await chats[0]

    result = in_a_cell(cell)

    assert [(one["name"], one["content"]) for one in result.messages] == [("A", "A changed"), ("B", "B1. TERMINATE")]
    assert texts(manager.groupchat.messages) == ["go", "A changed", "B1. TERMINATE"]
    assert remembered(b, manager) == ["go", "A changed", "B1. TERMINATE"]


# -- What else may come --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("button", ["edit", "retry"])
def test_stop_goes_before_what_was_asked(notebooks, button):
    me, other = user(), streaming("1", "slow", "3. TERMINATE")

    async def cell():
        chat = Chat(me, other, message="go").start()
        await (await until_heard(notebooks)).until(Delta)
        move = chat.edit("x") if button == "edit" else chat.retry()
        chat.stop("enough")
        result = await chat
        with pytest.raises(ConfigurationError, match="it was ended"):
            await move
        return result

    result = in_a_cell(cell)

    assert (result.ended_by, result.detail) == (EndedBy.STOPPED, "enough")
    assert texts(result.messages) == ["go", "1", ""]


def test_chat_can_be_stopped_at_once_when_it_has_gone_on(notebooks):
    me, other = user(), streaming("slow 1", "slow 2")

    async def cell():
        chat = Chat(me, other, message="go").start()
        await (await until_heard(notebooks)).until(Delta)
        await chat.retry()
        await notebooks[0].until(ModelAsked, 2)
        started = time.monotonic()
        chat.stop()
        return await chat, time.monotonic() - started

    result, seconds = in_a_cell(cell)

    assert result.ended_by == EndedBy.STOPPED
    assert seconds < 0.8


@pytest.mark.parametrize("button", ["edit", "retry"])
def test_cancelled_chat_does_not_go_on(notebooks, button):
    me, other = user(), streaming("1", "slow", "3. TERMINATE")

    async def cell():
        chat = Chat(me, other, message="go").start()
        await (await until_heard(notebooks)).until(Delta)
        move = chat.edit("x") if button == "edit" else chat.retry()
        chat.cancel()
        await asyncio.wait([chat._task])
        with pytest.raises(ConfigurationError, match="ended"):
            await move
        return chat

    chat = in_a_cell(cell)

    assert len(other.model.requests) == 2
    assert texts(chat.result.messages) == ["go", "1", ""]


@pytest.mark.parametrize("press", [lambda chat: chat.retry(), lambda chat: chat.edit("x")], ids=["retry", "edit"])
def test_taking_back_is_refused_when_the_chat_has_not_begun_or_has_ended(notebooks, press):
    async def cell():
        chat = Chat(user(), assistant("TERMINATE"), message="0")
        with pytest.raises(ConfigurationError, match="it is not started. Call start"):
            press(chat)
        await chat.start()
        with pytest.raises(ConfigurationError, match=r"it is ended. Its result can go on: await chat.result.a_resume"):
            press(chat)

    in_a_cell(cell)


@pytest.mark.parametrize("seconds", [n / 500 for n in range(12)])
def test_nothing_is_lost_or_said_twice_whenever_another_thread_edits(notebooks, seconds):
    me, other = user(), assistant(*["x", "y", "z"] * 5, "end. TERMINATE")
    moves = []

    def person(chat):
        time.sleep(seconds)
        try:
            moves.append(chat.edit("EDITED"))
        except ConfigurationError as error:
            moves.append(error)

    async def cell():
        chat = Chat(me, other, message="go", max_turns=8).start()
        thread = threading.Thread(target=person, args=(chat,))
        thread.start()
        result = await chat
        await asyncio.to_thread(thread.join)
        if not isinstance(moves[0], ConfigurationError):
            assert await moves[0] is chat
        return result

    result = in_a_cell(cell)

    has_edited = not isinstance(moves[0], ConfigurationError)
    assert texts(result.messages).count("EDITED") == has_edited
    assert remembered(me, other).count("EDITED") == has_edited
    assert remembered(me, other) == remembered(other, me)


def test_agent_chat_keeps_what_was_broken_off_and_what_followed(notebooks):
    box = AgentChat(streaming("slow", "good. TERMINATE"), max_turns=2)

    async def cell():
        chat = box.say("go")
        await (await until_heard(notebooks)).until(Delta)
        await chat.retry()
        await chat

    in_a_cell(cell)

    assert texts(box.messages) == ["go", "good. TERMINATE"]
    assert len(box.results) == 2


# -- Over HTTP -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("button", ["retry", "edit"])
def test_slow_stream_of_a_server_is_broken_off_or_awaited(notebooks, button):
    me = user()

    async def cell(server):
        from jupyter_agents import AssistantAgent

        config = {"model": "m", "base_url": server.base_url, "api_key": "k", "stream": True}
        other = AssistantAgent("assistant", llm_config={"config_list": [config]})
        chat = Chat(me, other, message="go").start()
        await (await until_heard(notebooks)).until(Delta)
        started = time.monotonic()
        await (chat.retry() if button == "retry" else chat.edit("edited"))
        return await chat, time.monotonic() - started, other

    with FakeOpenAIServer() as server:
        words = 40 if button == "retry" else 8
        server.enqueue(ServerReply(text="word " * words, pause=0.2), "good. TERMINATE")
        result, seconds, other = asyncio.run(asyncio.wait_for(cell(server), 20))

    assert server.requests[1].body["messages"][-1]["content"] == ("go" if button == "retry" else "")
    expected = ["good. TERMINATE"] if button == "retry" else ["edited", "", "good. TERMINATE"]
    assert texts(result.messages) == expected
    assert remembered(me, other) == remembered(other, me) == ["go", *expected]
    assert seconds < 3
