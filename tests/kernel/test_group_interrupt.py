"""The kernel is interrupted while a group talks: its admin has the word, in a cell that blocks and in one that awaits."""

import os
import signal
import threading
import time

import pytest

from tests.kernel.page import Page

PREPARE = """
%load_ext jupyter_agents
import asyncio, time
from jupyter_agents import AssistantAgent, GroupChat, GroupChatManager, UserProxyAgent
from jupyter_agents.effects import Pause, Tell
from jupyter_agents.events import Delta
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply
from jupyter_agents.testing import ScriptedModel

class Slow(ScriptedModel):
    async def complete(self, request):
        reply = await super().complete(request)
        if reply.content.startswith("slow"):
            print("busy", flush=True)
            for _ in range(600):
                await Tell(Delta("word "))
                await Pause(0.05)
        return reply

def block(code, language="python"):
    return f"```{language}\\nprint('busy', flush=True)\\n{code}\\n```" if language == "python" else (
        f"```{language}\\necho busy\\n{code}\\n```")

def calls(*names):
    made = tuple(ToolCall(name, "{}", str(number)) for number, name in enumerate(names))
    return ModelReply("", "tool_calls", tool_calls=made)

def sleeping():
    print("busy", flush=True)
    time.sleep(60)

async def waiting():
    print("busy", flush=True)
    await asyncio.sleep(60)

def pair():
    mode = "ALWAYS" if nested_reply == "Well?" else "NEVER"
    me = UserProxyAgent("me", human_input_mode=mode, code_execution_config={"policy": "auto"})
    return me, AssistantAgent("expert", llm_config=Slow([nested_reply, "I see.\\nTERMINATE"]))

def talk():
    me, expert = pair()
    return me.initiate_chat(expert, message="Hello").summary

async def a_talk():
    me, expert = pair()
    return (await me.a_initiate_chat(expert, message="Hello")).summary

def group(reply, admin="I take over.\\nTERMINATE", *, later="Done.", mode="NEVER", admin_name="Admin"):
    functions = {one.__name__: one for one in (sleeping, waiting, talk, a_talk)}
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    worker = AssistantAgent("worker", llm_config=Slow([reply, later]))
    runner = UserProxyAgent("runner", human_input_mode=mode, function_map=functions,
                            code_execution_config={"policy": "auto"})
    boss = AssistantAgent("Admin", llm_config=Slow([admin, "Never mind.\\nTERMINATE"]))
    talkers = GroupChat([user, worker, runner, boss], speaker_selection_method="round_robin", admin_name=admin_name)
    return user, GroupChatManager(talkers, name="manager", llm_config=False)

def two(reply):
    user = UserProxyAgent("user", human_input_mode="NEVER", function_map={"talk": talk, "a_talk": a_talk})
    return user, AssistantAgent("worker", llm_config=Slow([reply, "Done.\\nTERMINATE"]))
"""
HOW = {
    "blocking": "r = user.initiate_chat(manager, message='Go')",
    "awaited": "r = await user.a_initiate_chat(manager, message='Go')",
    "magic": "%%agentchat --from user --to manager --into r\nGo",
}
BUSY = {
    "streaming": ("'slow'", ""),
    "spinning": ("block('while True: pass')", ""),
    "sleeping": ("block('import time; time.sleep(60)')", ""),
    "a script": ("block('sleep 60', 'bash')", ""),
    "a tool": ("calls('sleeping')", ""),
    "an async tool": ("calls('waiting')", ""),
    "two tools": ("calls('waiting', 'sleeping')", ""),
    "two async tools": ("calls('waiting', 'waiting')", ""),
    "a nested chat, streaming": ("calls('talk')", "'slow'"),
    "an async nested chat, streaming": ("calls('a_talk')", "'slow'"),
    "a nested chat, running code": ("calls('talk')", "block('while True: pass')"),
    "an async nested chat, running code": ("calls('a_talk')", "block('while True: pass')"),
    "two nested chats": ("calls('a_talk', 'a_talk')", "'slow'"),
}
SPEAKERS = "[one['name'] for one in r.messages]"
INTERRUPTED = ("ChatInterrupted", "ChatCancelled", "CancelledError")


@pytest.fixture
def talk(kernel):
    """Hold a chat of a group in a cell."""
    kernel.execute(PREPARE)

    def talk(made, how, *, nested="''", when=None):
        assert kernel.execute(f"nested_reply = {nested}\nr = None\nuser, manager = {made}").reply["status"] == "ok"
        cell = kernel.execute(HOW[how], when=when, allow_stdin=True)
        found = kernel.execute("print('alive')", SPEAKERS, "str(r.ended_by)")
        assert found.stream() == "alive\n"
        return cell, found

    return talk


@pytest.fixture
def page(kernel):
    page = Page(kernel)
    yield page
    page.close()


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("what", BUSY)
def test_admin_has_the_word_when_a_group_is_interrupted(kernel, talk, what, how):
    reply, nested = BUSY[what]

    cell, found = talk(f"group({reply})", how, nested=nested or "''", when=kernel.interrupt_when("busy"))

    assert cell.of("error") == []
    assert found.value(SPEAKERS)[-1] == "Admin"
    assert found.value("str(r.ended_by)") == "termination message"
    assert cell.seconds < 10


@pytest.mark.parametrize("how", HOW)
def test_chat_ends_when_it_is_interrupted_while_the_admin_has_the_word(kernel, talk, how):
    cell, _ = talk("group('slow', 'slow admin')", how, when=interrupt_each(kernel, times=2))

    [error] = cell.of("error")
    assert error["ename"] in INTERRUPTED
    assert len(error["traceback"]) == 1
    assert cell.seconds < 10
    said = "[one['name'] for one in _chat.messages] + [str(_chat.ended_by)]"
    assert how != "magic" or kernel.execute("", said).value(said) == ["user", "interrupt"]


@pytest.mark.parametrize("how", HOW)
def test_admin_has_the_word_again_when_a_later_turn_is_interrupted(kernel, talk, how):
    made = "group('slow', 'Go on.', later='slow again')"

    cell, found = talk(made, how, when=interrupt_each(kernel, times=2))

    assert cell.of("error") == []
    assert found.value(SPEAKERS) == ["user", "Admin", "user", "Admin"]


@pytest.mark.parametrize("how", HOW)
def test_chat_ends_when_a_group_without_an_admin_is_interrupted(kernel, talk, how):
    cell, _ = talk("group('slow', admin_name='Nobody')", how, when=kernel.interrupt_when("busy"))

    [error] = cell.of("error")
    assert error["ename"] in INTERRUPTED
    assert cell.seconds < 10


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("made", ["group('Well?', mode='ALWAYS')", "group(calls('talk'))", "group(calls('a_talk'))"])
def test_admin_has_the_word_when_a_prompt_is_interrupted(kernel, talk, page, how, made):
    page.when_asked = lambda question: kernel.manager.interrupt_kernel()

    cell, found = talk(made, how, nested="'Well?'", when=page.look)

    assert cell.of("error") == []
    assert found.value(SPEAKERS)[-1] == "Admin"
    assert cell.seconds < 10


@pytest.mark.parametrize("how", ["blocking", "awaited"])
@pytest.mark.parametrize("what", [*BUSY, "asking"])
def test_stop_ends_the_chat_and_no_admin_speaks(talk, page, what, how):
    reply, nested = BUSY.get(what, ("'Well?'", ""))
    made = f"group({reply}, mode='ALWAYS')" if what == "asking" else f"group({reply})"
    stop = once(lambda: page.press("stop"))
    page.when_asked = lambda question: stop()
    page.when_text = lambda text: len(text) > 20 and stop()
    page.when_busy = lambda activity: activity["kind"] in ("code", "" if nested else "tool") and stop()

    cell, found = talk(made, how, nested=nested or "''", when=page.look)

    assert cell.of("error") == []
    assert found.value("str(r.ended_by)") == "stop"
    assert "Admin" not in found.value(SPEAKERS)
    assert time.monotonic() - page.answered_at < 5


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("tool", ["talk", "a_talk"])
@pytest.mark.parametrize(
    "nested", ["'slow'", "block('while True: pass')", "'Well?'"], ids=["streaming", "code", "prompt"]
)
def test_both_chats_end_when_a_nested_one_is_interrupted(kernel, talk, page, how, tool, nested):
    page.when_asked = lambda question: kernel.manager.interrupt_kernel()
    page.when_busy = lambda activity: activity["kind"] == "code" and press()
    page.when_text = lambda text: len(text) > 20 and press()
    press = once(lambda: kernel.manager.interrupt_kernel())

    cell, _ = talk(f"two(calls({tool!r}))", how, nested=nested, when=page.look)

    [error] = cell.of("error")
    assert error["ename"] in INTERRUPTED
    assert len(error["traceback"]) == 1
    assert cell.seconds < 10
    ended = "[one.event.ended_by for one in _chat.log if type(one.event).__name__ == 'ChatEnded']"
    assert how != "magic" or kernel.execute("", ended).value(ended) == ["interrupt", "interrupt"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("made", "nested"),
    [
        ("group(block('while True: pass'))", "''"),
        ("group(calls('talk'))", "block('while True: pass')"),
        ("two(calls('a_talk'))", "block('while True: pass')"),
    ],
    ids=["group", "nested in a group", "nested"],
)
def test_chats_go_on_when_only_code_is_interrupted(kernel, talk, page, how, made, nested):
    press = once(lambda: page.press("interrupt"))
    page.when_busy = lambda activity: activity["kind"] == "code" and press()

    cell, found = talk(made, how, nested=nested, when=page.look)

    codes = "[one.event.exit_code for one in r.log if type(one.event).__name__ == 'CodeFinished']"
    assert cell.of("error") == []
    assert kernel.execute("", codes).value(codes) == [130]
    assert found.value(SPEAKERS)[-1] == ("Admin" if "group" in made else "worker")


@pytest.mark.parametrize("what", ["streaming", "an async tool"])
def test_cancelled_task_of_a_group_is_cancelled(kernel, talk, what):
    """What cancels is no interrupt: a time limit, a task group, or whoever has the task."""
    kernel.execute(PREPARE + "\nnested_reply = ''")

    cell = kernel.execute(
        f"user, manager = group({BUSY[what][0]})\n"
        "limited = None\n"
        "try:\n"
        "    async with asyncio.timeout(0.5): await user.a_initiate_chat(manager, message='Go')\n"
        "except TimeoutError as error: limited = 'ended'",
        "limited",
    )

    assert cell.value("limited") == "ended"


def test_interrupt_is_that_of_the_cell_when_a_group_talks_in_the_background(kernel, talk):
    kernel.execute(PREPARE + "\nfrom jupyter_agents import Chat\nnested_reply = ''")
    kernel.execute("user, manager = group('slow')\nchat = Chat(user, manager, message='Go').start()")

    cell = kernel.execute("print('mine', flush=True)\nawait asyncio.sleep(20)", when=kernel.interrupt_when("mine"))
    kernel.execute("await asyncio.sleep(0.5)")
    found = kernel.execute("", "(chat.done(), 'Admin' in [one['name'] for one in chat.so_far.messages])")
    kernel.execute("chat.stop()\nawait chat")

    assert [one["ename"] for one in cell.of("error")] == ["CancelledError"]
    assert found.value("(chat.done(), 'Admin' in [one['name'] for one in chat.so_far.messages])") == (False, False)


def interrupt_each(kernel, *, times):
    """For `when`: interrupt the kernel each time somebody is busy, but not more often than so many times."""
    left = [times]

    def look(message):
        if "busy" in message["content"].get("text", "") and left[0]:
            left[0] -= 1
            threading.Timer(0.3, os.kill, (kernel.pid, signal.SIGINT)).start()

    return look


def once(function):
    """A function that is called the first time only."""
    called = []

    def call():
        if not called:
            called.append(True)
            function()

    return call
