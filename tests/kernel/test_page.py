"""A person at a page: prompts, Stop and Interrupt code, while a cell blocks, awaits, or has ended."""

import time

import pytest

from tests.kernel.page import Page

PREPARE = """
%load_ext jupyter_agents
import asyncio, time
from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.display import people
from jupyter_agents.effects import Pause, Tell
from jupyter_agents.events import Delta
from jupyter_agents.testing import ScriptedModel

class Streaming(ScriptedModel):
    async def complete(self, request):
        reply = await super().complete(request)
        await Pause(0.3)
        for _ in range(600 if reply.content == "long" else 2):
            await Tell(Delta("word "))
            await Pause(0.05)
        return reply

def pair(*replies, mode="NEVER", **config):
    user = UserProxyAgent("user", human_input_mode=mode, code_execution_config=config or False)
    return user, AssistantAgent("assistant", llm_config=Streaming(list(replies)))

def block(code):
    return f"```python\\n{code}\\n```"
"""
HOW = {
    "blocking": "r = user.initiate_chat(bot, message='Hello')",
    "awaited": "r = await user.a_initiate_chat(bot, message='Hello')",
}


@pytest.fixture
def page(kernel):
    kernel.execute(PREPARE)
    page = Page(kernel)
    yield page
    page.close()


@pytest.mark.parametrize("how", HOW)
def test_answer_on_the_page_reaches_the_chat(kernel, page, how):
    replies = iter(["I am Ada", "exit"])
    page.when_asked = lambda question: page.answer(question, text=next(replies))

    cell = kernel.execute(
        f"user, bot = pair('Who are you?', 'Hello.', mode='ALWAYS')\n{HOW[how]}",
        "[m['content'] for m in r.messages]",
        "str(r.ended_by)",
        when=page.look,
        allow_stdin=True,
    )

    assert cell.value("[m['content'] for m in r.messages]") == ["Hello", "Who are you?", "I am Ada", "Hello."]
    assert cell.value("str(r.ended_by)") == "person"
    assert cell.of("error") == []


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"action": "run"}, "exitcode: 0 (execution succeeded)\nCode output: \n1\n"),
        ({"action": "edit", "text": "print(2)"}, "exitcode: 0 (execution succeeded)\nCode output: \n2\n"),
        ({"action": "reject", "text": "too small"}, "The user refused to run this code: too small"),
    ],
    ids=["run", "edit", "reject"],
)
def test_decision_about_code_is_what_happens(kernel, page, how, answer, said):
    page.when_asked = lambda question: page.answer(question, **answer)

    cell = kernel.execute(
        f"user, bot = pair(block('print(1)'), 'TERMINATE', policy='ask')\n{HOW[how]}",
        "r.messages[2]['content']",
        when=page.look,
        allow_stdin=True,
    )

    assert said in cell.value("r.messages[2]['content']")


def test_same_text_runs_again_without_asking_when_that_was_allowed(kernel, page):
    asked = []
    page.when_asked = lambda question: (asked.append(question), page.answer(question, "run", always=True))

    kernel.execute(
        f"user, bot = pair(block('print(17)'), block('print(17)'), 'TERMINATE', policy='ask')\n{HOW['awaited']}",
        when=page.look,
        allow_stdin=True,
    )

    assert len(asked) == 1


STOPPED = {
    "streaming": ("pair('long')", ""),
    "spinning": ("pair(block('while True: pass'), policy='auto')", "code"),
    "sleeping": ("pair(block('import time\\ntime.sleep(60)'), policy='auto')", "code"),
    "asking": ("pair('Who are you?', mode='ALWAYS')", "question"),
}


@pytest.mark.parametrize("how", [*HOW, "background"])
@pytest.mark.parametrize("what", STOPPED)
def test_stop_ends_the_chat_in_order(kernel, page, what, how):
    made, wait_for = STOPPED[what]
    stop = _once(lambda: page.press("stop"))
    page.when_asked = lambda question: stop()
    if wait_for == "code":
        page.when_busy = lambda activity: activity["kind"] == "code" and stop()
    elif not wait_for:
        page.when_text = lambda text: len(text) > 20 and stop()
    begin = HOW.get(
        how, "from jupyter_agents import Chat\nchat = Chat(user, bot, message='Hello').start()\nr = await chat"
    )

    cell = kernel.execute(f"user, bot = {made}\n{begin}", "str(r.ended_by)", when=page.look, allow_stdin=True)
    seconds = time.monotonic() - page.answered_at
    after = kernel.execute("print('alive')")

    assert cell.of("error") == []
    assert cell.value("str(r.ended_by)") == "stop"
    assert page.answered_at
    assert seconds < 2
    assert after.stream() == "alive\n"


@pytest.mark.parametrize("how", HOW)
def test_interrupt_of_code_ends_only_the_block(kernel, page, how):
    interrupt = _once(lambda: page.press("interrupt"))
    page.when_busy = lambda activity: activity["kind"] == "code" and interrupt()

    cell = kernel.execute(
        f"user, bot = pair(block('import time\\ntime.sleep(60)'), 'I see. TERMINATE', policy='auto')\n{HOW[how]}",
        "r.messages[2]['content']",
        "len(r)",
        when=page.look,
        allow_stdin=True,
    )

    assert cell.value("len(r)") == 4
    assert "exitcode: 130" in cell.value("r.messages[2]['content']")
    assert "interrupted by the user" in cell.value("r.messages[2]['content']")
    assert cell.seconds < 20


def test_changes_of_code_are_known_when_a_page_is_there(kernel, page):
    known = "[one.event.changes['is_known'] for one in r.log if type(one.event).__name__ == 'CodeFinished']"
    page.when_busy = lambda activity: page.send({"t": "pong", "page": "p"})

    cell = kernel.execute(
        f"user, bot = pair(block('time.sleep(1.2)'), 'TERMINATE', policy='auto')\n{HOW['blocking']}",
        known,
        when=page.look,
        allow_stdin=True,
    )

    assert cell.value(known) == [True]


@pytest.mark.parametrize("how", HOW)
def test_interrupt_of_the_kernel_ends_a_chat_that_asks(kernel, page, how):
    page.when_asked = lambda question: kernel.manager.interrupt_kernel()

    cell = kernel.execute(f"user, bot = pair('Who?', mode='ALWAYS')\n{HOW[how]}", when=page.look, allow_stdin=True)
    after = kernel.execute("print('alive')")

    [error] = cell.of("error")
    assert error["ename"] in ("ChatInterrupted", "ChatCancelled", "CancelledError")
    assert after.stream() == "alive\n"


def test_keyboard_is_asked_when_the_front_end_draws_no_widget(kernel):
    kernel.execute(PREPARE)
    kernel.execute("people.HELLO = 0.5")

    begun = kernel.client.execute(f"user, bot = pair('Who?', mode='ALWAYS')\n{HOW['blocking']}", allow_stdin=True)
    request = kernel.client.get_stdin_msg(timeout=20)
    kernel.client.input("exit")
    reply = kernel.client.get_shell_msg(timeout=20)
    kernel.execute("people.HELLO = 4.0; people._without_widgets.clear()")

    assert request["content"]["prompt"].startswith("Replying as user. Provide feedback to assistant")
    assert reply["parent_header"]["msg_id"] == begun
    assert reply["content"]["status"] == "ok"


def test_chat_ends_when_the_page_is_gone_and_the_kernel_is_blocked(kernel, page):
    page.when_asked = lambda question: page.silence()

    kernel.execute("people.SILENCE = 1.0")
    cell = kernel.execute(
        f"user, bot = pair('Who?', mode='ALWAYS')\n{HOW['blocking']}", when=page.look, allow_stdin=True
    )
    kernel.execute("people.SILENCE = 60.0")

    [error] = cell.of("error")
    assert error["ename"] == "NoHumanError"


@pytest.mark.parametrize("how", HOW)
def test_code_is_rejected_when_the_time_to_approve_it_is_over(kernel, page, how):
    kernel.execute("%config JupyterAgents.prompt_timeout = 1.0")
    cell = kernel.execute(
        f"user, bot = pair(block('ran = True'), 'TERMINATE', policy='ask')\n{HOW[how]}",
        "'ran' in globals()",
        "r.messages[2]['content']",
        when=page.look,
        allow_stdin=True,
    )
    kernel.execute("%config JupyterAgents.prompt_timeout = None")

    assert cell.value("'ran' in globals()") is False
    assert "The user refused to run this code" in cell.value("r.messages[2]['content']")


def test_question_counts_as_skipped_when_its_time_is_over(kernel, page):
    cell = kernel.execute(
        "%config JupyterAgents.prompt_timeout = 1.0\n"
        "user, bot = pair('Who?', 'Again: who?', mode='ALWAYS')\n"
        "r = await user.a_initiate_chat(bot, message='Hello', max_turns=2)",
        "[m['content'] for m in r.messages]",
        when=page.look,
        allow_stdin=True,
    )
    kernel.execute("%config JupyterAgents.prompt_timeout = None")

    assert cell.value("[m['content'] for m in r.messages]") == ["Hello", "Who?", "", "Again: who?"]
    assert 1 <= cell.seconds < 15


@pytest.mark.parametrize("how", [*HOW, "background"])
def test_question_is_asked_again_when_a_page_has_closed_the_widget(kernel, page, how):
    times = []

    def once_more(question):
        times.append(question["id"])
        page.close_widget() if len(times) == 1 else page.answer(question, text="exit")

    page.when_asked = once_more
    hold = HOW.get(how, "chat = Chat(user, bot, message='Hello').start()\nr = await chat")
    source = f"from jupyter_agents import Chat\nuser, bot = pair('Who?', mode='ALWAYS')\n{hold}"

    cell = kernel.execute(source, "str(r.ended_by)", when=page.look, allow_stdin=True)

    assert cell.of("error") == []
    assert cell.value("str(r.ended_by)") == "person"
    assert len(times) == 2


@pytest.mark.parametrize("how", HOW)
def test_question_is_asked_again_when_code_has_closed_all_widgets(kernel, page, how):
    kernel.execute("import contextvars, threading\nfrom ipywidgets import Widget")
    # In the context of a cell: ipykernel 7.0 lets no comm be closed from a thread that has none.
    kernel.execute("threading.Timer(1.5, contextvars.copy_context().run, [Widget.close_all]).start()")
    times = []

    def when_new(question):
        times.append(question["id"])
        if len(times) == 2:
            page.answer(question, text="exit")

    page.when_asked = when_new
    cell = kernel.execute(
        f"user, bot = pair('Who?', mode='ALWAYS')\n{HOW[how]}", "str(r.ended_by)", when=page.look, allow_stdin=True
    )

    assert cell.of("error") == []
    assert cell.value("str(r.ended_by)") == "person"


def test_chat_ends_when_the_widget_is_closed_and_nobody_is_there_any_more(kernel, page):
    page.when_asked = lambda question: (page.close_widget(), page.silence())

    kernel.execute("people.SILENCE = 1.0")
    cell = kernel.execute(
        f"user, bot = pair('Who?', mode='ALWAYS')\n{HOW['blocking']}", when=page.look, allow_stdin=True
    )
    kernel.execute("people.SILENCE = 60.0")

    assert [error["ename"] for error in cell.of("error")] == ["NoHumanError"]


def _once(function):
    """A function that does it once: a page says several times that code runs."""
    done = []
    return lambda: done or done.append(function() or True)


# -- Stop, once more ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", STOPPED)
def test_stop_that_is_pressed_twice_ends_the_chat_in_order(kernel, page, what):
    made, wait_for = STOPPED[what]
    stop = _once(lambda: (page.press("stop"), page.press("stop"), page.press("stop")))
    page.when_asked = lambda question: stop()
    page.when_busy = lambda activity: wait_for == "code" and activity["kind"] == "code" and stop()
    page.when_text = lambda text: not wait_for and len(text) > 20 and stop()

    cell = kernel.execute(f"user, bot = {made}\n{HOW['blocking']}", "str(r.ended_by)", when=page.look, allow_stdin=True)
    after = kernel.execute("print('alive')")

    assert cell.of("error") == []
    assert cell.value("str(r.ended_by)") == "stop"
    assert after.stream() == "alive\n"


@pytest.mark.parametrize("what", STOPPED)
def test_chat_that_blocks_a_cell_that_awaits_is_stopped_too(kernel, page, what):
    made, wait_for = STOPPED[what]
    stop = _once(lambda: page.press("stop"))
    page.when_asked = lambda question: stop()
    page.when_busy = lambda activity: wait_for == "code" and activity["kind"] == "code" and stop()
    page.when_text = lambda text: not wait_for and len(text) > 20 and stop()

    cell = kernel.execute(
        f"user, bot = {made}\n{HOW['blocking']}\nawait asyncio.sleep(0.2)\ngone_on = True",
        "str(r.ended_by)",
        "gone_on",
        when=page.look,
        allow_stdin=True,
    )
    seconds = time.monotonic() - page.answered_at

    assert cell.of("error") == []
    assert cell.value("str(r.ended_by)") == "stop"
    assert cell.value("gone_on") is True
    assert seconds < 3


TOOL = """
def tool():
    time.sleep(60)
user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, function_map={"tool": tool})
bot = AssistantAgent("assistant", llm_config=Streaming([{"function_call": {"name": "tool", "arguments": "{}"}}, "."]))
"""


@pytest.mark.parametrize("how", [*HOW, "background"])
def test_stop_reaches_a_function_that_blocks(kernel, page, how):
    stop = _once(lambda: page.press("stop"))
    page.when_busy = lambda activity: activity["kind"] == "tool" and stop()
    begin = HOW.get(how, "from jupyter_agents import Chat\nr = await Chat(user, bot, message='Hello').start()")

    cell = kernel.execute(f"{TOOL}\n{begin}", "str(r.ended_by)", when=page.look, allow_stdin=True)

    assert cell.of("error") == []
    assert cell.value("str(r.ended_by)") == "stop"
    assert time.monotonic() - page.answered_at < 3


def test_what_follows_a_retry_is_shown_in_the_cell_of_the_chat(kernel, page):
    """The cell of the chat is over, and another one takes its reply back while it streams."""
    kernel.execute("user, bot = pair('long', 'better. TERMINATE')\nfrom jupyter_agents import Chat")
    shown: dict[str, str] = {}  # by output, the last text of it
    cells: set[str] = set()
    begun = kernel.client.execute("chat = Chat(user, bot, message='Hello').start()")
    ended = kernel.client.execute(
        "await asyncio.sleep(1.5)\nawait chat.retry()\nr = await chat\nawait asyncio.sleep(0.3)\n"
        "print([m['content'] for m in r.messages])"
    )
    said, is_over = "", False
    while not is_over:
        message = kernel.client.get_iopub_msg(timeout=60)
        page.look(message)
        kind, content, cell = message["msg_type"], message["content"], message["parent_header"]["msg_id"]
        if kind in ("display_data", "update_display_data"):
            output = content["transient"].get("display_id", message["header"]["msg_id"])
            shown[output] = content["data"]["text/plain"]
            cells.add(cell)
        said += content["text"] if kind == "stream" else ""
        is_over = cell == ended and content.get("execution_state") == "idle"

    assert said == "['better. TERMINATE']\n"
    assert cells == {begun}
    words = list(shown.values())
    assert words[0] == "user (to assistant):\n\nHello"
    assert "word word" in words[1]
    assert words[2:] == [
        "The last reply of a model is asked for anew.",
        "assistant (to user):\n\nbetter. TERMINATE",
    ]


def test_stop_reaches_a_function_of_a_background_chat_whose_cell_is_over(kernel, page):
    kernel.execute(
        f"{TOOL}\nfrom jupyter_agents import Chat\nimport threading\nchat = Chat(user, bot, message='Hello')"
    )
    kernel.execute("threading.Timer(1.0, chat.stop).start()\nchat.start()", when=page.look, allow_stdin=True)
    started = time.monotonic()

    cell = kernel.execute("r = await chat", "str(r.ended_by)")

    assert cell.value("str(r.ended_by)") == "stop"
    assert time.monotonic() - started < 5


def test_silent_background_chat_can_be_stopped(kernel):
    cell = kernel.execute(
        "from jupyter_agents import Chat\nuser, bot = pair('long')\n"
        "chat = Chat(user, bot, message='Hello', silent=True).start()\n"
        "await asyncio.sleep(1)\nchat.stop()\nr = await chat",
        "str(r.ended_by)",
    )

    assert cell.value("str(r.ended_by)") == "stop"
    assert cell.seconds < 10


def test_interrupt_of_a_cell_that_awaits_a_background_chat_is_not_swallowed(kernel):
    kernel.execute(
        "from jupyter_agents import Chat\nuser, bot = pair('long')\nchat = Chat(user, bot, message='Hi').start()"
    )

    cell = kernel.execute(
        "gone_on = False\nprint('waiting', flush=True)\nawait chat\ngone_on = True",
        when=kernel.interrupt_when("waiting"),
    )
    after = kernel.execute("", "gone_on", "len(chat.result)")

    assert len(cell.of("error")) == 1
    assert after.value("gone_on") is False
    assert after.value("len(chat.result)") == 1


# -- The shared slot ---------------------------------------------------------------------------------------------

LONG = """
from jupyter_agents.display import slots
slots.REFRESH, slots._PAUSE = {refresh}, 0.0
user, bot = pair(*[str(n) for n in range(21)], block({code!r}), 'TERMINATE', policy='auto')
user.default_auto_reply = 'go on'
Streaming.complete = ScriptedModel.complete
"""
SHOWS = """import time
from IPython.display import display
for n in range(3):
    print(n, flush=True)
    time.sleep(0.4)
handle = display('old', display_id=True)
handle.update('new')
display('last')"""


@pytest.mark.parametrize("how", HOW)
def test_code_of_a_long_chat_shows_things_in_the_slot_that_it_shares(kernel, page, how):
    cell = kernel.execute(
        LONG.format(refresh=0.0, code=SHOWS) + HOW[how],
        when=page.look,
        allow_stdin=True,
    )
    kernel.execute("slots.REFRESH, slots._PAUSE = 10.0, 1.0")

    [shared] = {one["transient"]["display_id"] for one in _displays(cell) if "messages" in str(one["data"])[:200]}
    last = [one for one in _displays(cell) if one["transient"].get("display_id") == shared][-1]["data"]["text/plain"]
    shown = last.rpartition("```")[2]
    assert cell.of("error") == []
    assert "0\n1\n2" in shown
    assert shown.count("'new'") == shown.count("'last'") == shown.count("exit code 0") == 1
    assert "'old'" not in shown


def _displays(cell):
    return [one for one in cell.of("display_data", "update_display_data") if one["data"]]


# -- Questions of one's own --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source", ["said = ask('Which?', ['red', 'blue'])", "said = await a_ask('Which?', ['red', 'blue'])"]
)
def test_cell_asks_for_one_of_several_choices_on_the_page(kernel, page, source):
    seen = []

    def choose(question):
        seen.append((question["kind"], question["choices"]))
        page.answer(question, text="blue")

    page.when_asked = choose
    cell = kernel.execute(f"from jupyter_agents import a_ask, ask\n{source}", "said", when=page.look, allow_stdin=True)

    assert cell.of("error") == []
    assert cell.value("said") == "blue"
    assert seen == [("choice", ["red", "blue"])]
