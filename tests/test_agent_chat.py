"""A chat box in a cell: writing, answering, stopping, several pages."""

import asyncio

import pytest

from jupyter_agents import AgentChat, GroupChat, GroupChatManager
from jupyter_agents.display import front_end, people
from jupyter_agents.display.slots import WIDGET_MIME
from jupyter_agents.effects import Pause
from jupyter_agents.errors import ConfigurationError, UnknownAgentError
from jupyter_agents.events import Noted
from jupyter_agents.executors.base import ExecutionResult
from jupyter_agents.executors.outputs import MESSAGE_MIME
from jupyter_agents.models.scripted import ScriptedModel
from jupyter_agents.session import use_session
from jupyter_agents.termination import EndedBy
from tests.fakes import FakeExecutor, assistant, quiet_session, texts
from tests.lab import Lab


class Slow(ScriptedModel):
    """Takes a minute for a reply."""

    async def complete(self, request):
        await Pause(60)
        return await super().complete(request)


@pytest.fixture
def lab(monkeypatch):
    return Lab().install(monkeypatch)


def in_a_cell(cell, **options):
    """Run a coroutine as a cell does; its value."""
    with use_session(quiet_session(**options)):
        return asyncio.run(cell())


def slow_assistant(name="slow"):
    agent = assistant(name=name)
    agent._model_config = type(agent.model_config).from_classic(Slow(["too late"]))
    return agent


async def write(lab, text, to="", page="p"):
    """Write in the box, as a page does, and let the kernel take it."""
    lab.widget.hear({"t": "say", "view": "v", "page": page, "to": to, "text": text, "attached": []})
    await asyncio.sleep(0.01)


async def end(chat):
    while chat.is_busy:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.01)


def shown(lab):
    """The words of the box, as its output and as the widget show them."""
    items = lab.draw("another")["items"]
    return [one["bundle"]["data"]["text/plain"] for one in items]


def test_answer_to_what_was_written_is_in_the_box_and_in_its_output(lab):
    async def cell():
        chat = AgentChat(assistant("Hello, you. TERMINATE"))
        chat._ipython_display_()
        lab.draw()
        await write(lab, "Hi")
        await end(chat)
        chat.close()
        return chat

    chat = in_a_cell(cell)

    assert texts(chat.messages) == ["Hi", "Hello, you. TERMINATE"]
    [(_, data)] = lab.outputs
    assert WIDGET_MIME not in data
    assert data["text/plain"] == "you (to assistant):\n\nHi\n\nassistant (to you):\n\nHello, you. TERMINATE"


def test_agents_remember_what_was_said_before(lab):
    agent = assistant("One. TERMINATE", "Two. TERMINATE")

    async def cell():
        chat = AgentChat(agent)
        chat._ipython_display_()
        lab.draw()
        for text in ("first", "second"):
            await write(lab, text)
            await end(chat)
        return shown(lab), lab.draw()["composer"]

    words, composer = in_a_cell(cell)

    assert [one["content"] for one in agent.model.requests[-1].messages][1:] == ["first", "One. TERMINATE", "second"]
    assert [one.split("\n\n")[1] for one in words] == ["first", "One. TERMINATE", "second", "Two. TERMINATE"]
    assert composer == {"agents": ("assistant",), "is_busy": False}


def test_named_agent_is_spoken_to(lab):
    one, other = assistant("I am one. TERMINATE", name="one"), assistant("I am other. TERMINATE", name="other")

    async def cell():
        chat = AgentChat(one, other)
        chat._ipython_display_()
        lab.draw()
        await write(lab, "Who?", to="other")
        await end(chat)
        await write(lab, "Who?", to="nobody")
        return chat, shown(lab), lab.draw()["composer"]["is_busy"]

    chat, words, is_busy = in_a_cell(cell)

    assert texts(chat.messages) == ["Who?", "I am other. TERMINATE"]
    assert "Cannot find agent 'nobody'" in words[-1]
    assert not is_busy


def test_second_message_is_given_back_when_two_pages_write_at_once(lab):
    async def cell():
        chat = AgentChat(slow_assistant())
        chat._ipython_display_()
        lab.draw()
        await write(lab, "first", page="p")
        doing = lab.draw()["activity"]
        await write(lab, "second", page="q")
        after, words = lab.draw()["activity"], shown(lab)
        chat.stop()
        await end(chat)
        return chat, doing, after, words

    chat, doing, after, words = in_a_cell(cell)

    assert texts(chat.messages) == ["first"]
    assert words[-1].endswith("This was not sent, for an answer is under way: second")
    assert doing["kind"] == after["kind"] == "model"


def test_answer_ends_in_order_when_stop_is_pressed_on_the_page(lab):
    async def cell():
        chat = AgentChat(slow_assistant())
        chat._ipython_display_()
        lab.draw()
        await write(lab, "Hello")
        going_on = lab.draw()["is_going_on"]
        lab.widget.hear({"t": "stop", "view": "v"})
        await end(chat)
        return chat, going_on, lab.draw()

    chat, was_going_on, state = in_a_cell(cell)

    assert was_going_on
    assert chat.results[0].ended_by == EndedBy.STOPPED
    assert (state["is_going_on"], state["activity"], state["live"]) == (False, None, None)
    assert not state["composer"]["is_busy"]


def test_box_can_be_written_in_again_when_its_chat_was_cancelled_before_it_began(lab):
    async def cell():
        chat = AgentChat(assistant("Hello. TERMINATE"))
        chat._ipython_display_()
        chat.say("never").cancel()
        await end(chat)
        is_busy = lab.draw()["composer"]["is_busy"]
        await write(lab, "Hi")
        await end(chat)
        return is_busy, chat

    is_busy, chat = in_a_cell(cell)

    assert not is_busy
    assert texts(chat.messages) == ["Hi", "Hello. TERMINATE"]


def test_failure_is_said_in_the_box_and_the_next_message_can_be_sent(lab):
    async def cell():
        chat = AgentChat(assistant(RuntimeError("out of order"), "Fine. TERMINATE"))
        chat._ipython_display_()
        lab.draw()
        await write(lab, "Hi")
        await end(chat)
        words = shown(lab)
        await write(lab, "Again")
        await end(chat)
        return chat, words

    chat, words = in_a_cell(cell)

    assert any("The chat has failed. RuntimeError: out of order" in one for one in words)
    assert texts(chat.messages) == ["Hi", "Again", "Fine. TERMINATE"]


def test_code_is_approved_in_the_box_long_after_the_message_was_written(lab, monkeypatch):
    executor = FakeExecutor(ExecutionResult(0, "4"))
    monkeypatch.setattr(people, "HELLO", 1.0)

    async def cell():
        chat = AgentChat(assistant("```python\nprint(2 + 2)\n```", "Four. TERMINATE"))
        chat._ipython_display_()
        lab.draw()
        lab.widget.send = lambda message: _pong(lab, message)
        await write(lab, "What is 2 + 2?")
        while not (found := chat._box.page.questions):
            await asyncio.sleep(0.01)
        [question] = found
        lab.widget.hear({"t": "answer", "view": "v", "id": question, "answer": {"action": "run", "text": ""}})
        await end(chat)
        return chat

    chat = in_a_cell(cell, executor=executor, human=people.PageHuman())

    assert [code.strip() for code in executor.codes] == ["print(2 + 2)"]
    assert chat.messages[-1]["content"] == "Four. TERMINATE"


def _pong(lab, message):
    lab.widget.sent.append(message)
    if message["t"] == "ping":
        lab.widget.hear({"t": "pong", "page": "p"})


def test_two_boxes_do_not_mix(lab):
    async def cell():
        one, other = AgentChat(assistant("One. TERMINATE")), AgentChat(assistant("Other. TERMINATE"))
        one._ipython_display_()
        other._ipython_display_()
        chats = [one.say("to one"), other.say("to other")]
        await asyncio.gather(*chats)
        await end(one)
        one.close()
        other.close()

    in_a_cell(cell)

    first, second = lab.texts()
    assert "to one" in first
    assert "One." in first
    assert "ther" not in first
    assert "to other" in second
    assert "Other." in second


def test_box_goes_on_in_the_cell_in_which_it_was_shown_last(lab):
    async def cell():
        chat = AgentChat(assistant("One. TERMINATE", "Two. TERMINATE"))
        chat._ipython_display_()
        await chat.say("first")
        chat._ipython_display_()
        await chat.say("second")
        await end(chat)
        chat.close()

    in_a_cell(cell)

    assert len(lab.outputs) == 2
    assert len(lab.widgets) == 1
    assert "second" not in lab.texts()[0]
    assert [part in lab.texts()[1] for part in ("first", "One.", "second", "Two.")] == [True] * 4


def test_answer_is_stopped_and_then_stands_there_when_the_box_is_closed(lab):
    async def cell():
        chat = AgentChat(slow_assistant())
        chat._ipython_display_()
        chat.say("Hello")
        await asyncio.sleep(0.1)
        chat.close()
        chat.close()
        await end(chat)
        return chat

    chat = in_a_cell(cell)

    [(_, data)] = lab.outputs
    assert WIDGET_MIME not in data
    assert "Hello" in data["text/plain"]
    assert data["text/plain"].endswith("Stopped by the user.")
    assert chat.results[0].ended_by == EndedBy.STOPPED


def test_transcript_is_saved_with_the_box(lab):
    async def cell():
        chat = AgentChat(assistant("Hello. TERMINATE"))
        chat._ipython_display_()
        await chat.say("Hi")
        await end(chat)

    in_a_cell(cell)

    [(_, data)] = lab.outputs
    assert data[MESSAGE_MIME]["live"]["model_id"] == "model-1"
    assert "Hi" in data["text/markdown"]
    assert "Hello. TERMINATE" in data["text/markdown"]


@pytest.mark.parametrize("followed", [True, False])
def test_text_is_shown_where_nobody_can_write(lab, monkeypatch, followed):
    lab.request["content"]["allow_stdin"] = followed
    monkeypatch.setattr(front_end, "has_widgets", lambda: False)

    async def cell():
        chat = AgentChat(assistant("Hello. TERMINATE"))
        chat._ipython_display_()
        return texts((await chat.say("Hi")).messages)

    assert in_a_cell(cell) == ["Hi", "Hello. TERMINATE"]
    assert lab.texts() == ["<AgentChat: you and assistant, nothing said yet>"]
    assert lab.widgets == []


def test_usual_limit_of_turns_is_not_for_groups_and_one_of_the_box_is_noted(lab):
    group = GroupChat([assistant("one", "two")], max_round=2, speaker_selection_method="round_robin")
    manager = GroupChatManager(group, llm_config=False)

    async def notes(**options):
        result = await AgentChat(manager, **options).say("Hi")
        return [event.text for event in result.events if isinstance(event, Noted)]

    assert in_a_cell(notes) == []
    assert "max_turns=3 does not count in a group" in in_a_cell(lambda: notes(max_turns=3))[0]


def test_failure_is_said_where_there_is_no_box(lab, capsys):
    async def cell():
        chat = AgentChat(assistant(RuntimeError("out of order")))
        with pytest.raises(RuntimeError):
            await chat.say("Hi")

    in_a_cell(cell)

    assert "out of order" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: AgentChat(), "there is nobody in it"),
        (lambda: AgentChat("assistant"), "it is no agent"),
        (lambda: AgentChat(assistant(), assistant()), "is in it twice"),
    ],
)
def test_box_is_refused_when_it_makes_no_sense(make, said):
    with pytest.raises(ConfigurationError, match=said):
        make()


def test_message_is_refused_when_it_is_empty_or_goes_to_nobody_or_comes_too_early():
    async def cell():
        chat = AgentChat(slow_assistant("one"))
        with pytest.raises(ConfigurationError, match="it is empty"):
            chat.say("  ")
        with pytest.raises(UnknownAgentError, match="Did you mean 'one'"):
            chat.say("Hi", to="onne")
        chat.say("Hi")
        with pytest.raises(ConfigurationError, match="an answer is under way"):
            chat.say("Hi again")
        chat.stop()
        await end(chat)

    in_a_cell(cell)
