"""The life of a page: chats in it when it is loaded anew, saved half-way, left alone, crowded, or cut off."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.chats import PREPARE, Source, chat, code, make, said, value
from tests.browser.conftest import Notebook

APPS = pytest.mark.parametrize("app", ["lab", "notebook"])
THEMES = ("light", "dark", "high-contrast")
REMARK = "This turn was still under way when it was last heard of."
SLOW = 20_000  # milliseconds for what takes one on a quiet machine

HELD = '''
from pathlib import Path
from jupyter_agents.effects import Pause

async def until(name):
    """Wait for a file of this name, which the test makes."""
    while not Path(name).exists():
        await Pause(0.02)

class Held(ScriptedModel):
    """Writes the whole of its replies, and sends off those that begin so when the test lets it."""

    def __init__(self, *replies, at, when, **options):
        super().__init__(list(replies), **options)
        self.at, self.when = at, when

    async def complete(self, request):
        reply = await super().complete(request)
        if reply.content.startswith(self.at):
            await until(self.when)
        return reply
'''
"""A model whose reply stays unfinished for as long as a test needs."""


def held_chat(
    *replies: str, at: str, when: str = "never", how: str = "awaited", delay: float = 0.005, **pair: object
) -> str:
    """A cell whose chat stands still in the reply that begins with `at`, until there is a file `when`."""
    model = f"Held({', '.join(map(repr, replies))}, at={at!r}, when={when!r}, delay={delay!r})"
    return chat(how=how, **pair).replace(
        "user, bot = pair(", f"bot = AssistantAgent('assistant', llm_config={model})\nuser, _ = pair("
    )


def begin(notebook: Notebook, *cells: str) -> int:
    """Prepare, and run cells; the last one goes on while the test does. Its number."""
    notebook.run_cell(0)
    for cell in cells[:-1]:
        notebook.add_and_run(cell)
    return notebook.add_and_run(cells[-1], wait=False)


def field(notebook: Notebook):
    """The field of the prompt for a text that is open."""
    return notebook.page.locator(".jp-agents-Prompt textarea.jp-agents-Field:visible").last


def reply(notebook: Notebook, text: str) -> None:
    """Write an answer, and send it."""
    field(notebook).fill(text, timeout=SLOW)
    field(notebook).press("Enter")


def reload_meanwhile(notebook: Notebook) -> None:
    """Load the page anew while a cell runs. Such a page does not know that the kernel is busy: it knows nothing of it."""
    notebook.page.reload()
    notebook.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
    notebook.page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady", timeout=60_000)


def reopen(notebook: Notebook) -> None:
    """Leave the page, and open the notebook again."""
    page, url = notebook.page, notebook.page.url
    page.goto("about:blank")
    page.goto(url)
    notebook.wait_ready()


def as_html(path: Path) -> str:
    """The text of the page that nbconvert makes of a notebook."""
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--stdout", str(path)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|script).*?</\1>", " ", made))


# -- The page is loaded anew -----------------------------------------------------------------------------------------


@APPS
def test_prompt_is_answered_when_the_page_was_loaded_anew(open_notebook, troubles, app):
    notebook = open_notebook(PREPARE, app=app)
    cell = begin(notebook, chat("Who are you?", "Hello, Ada.", mode="ALWAYS"))
    expect(field(notebook)).to_be_visible(timeout=SLOW)
    notebook.save()

    reload_meanwhile(notebook)
    reply(notebook, "I am Ada")

    live = notebook.cell(cell).locator(".jp-agents-LiveView")
    expect(live).to_contain_text("Hello, Ada.", timeout=SLOW)
    reply(notebook, "exit")
    notebook.wait_idle()
    assert said(notebook) == ["Hello", "Who are you?", "I am Ada", "Hello, Ada."]
    expect(notebook.cell(cell).locator(".jp-OutputArea").first).to_contain_text("Hello, Ada.")
    assert troubles() == []


@pytest.mark.parametrize(
    ("how", "kernel"), [("blocking", "python3"), ("blocking", "ipykernel-oldest"), ("awaited", "ipykernel-oldest")]
)
def test_chat_ends_when_the_page_was_loaded_anew_and_cannot_answer(open_notebook, troubles, how, kernel):
    notebook = open_notebook(PREPARE, kernel=kernel)
    cell = begin(notebook, "people.SILENCE = 5", chat("Who are you?", "Hello, Ada.", mode="ALWAYS", how=how))
    expect(field(notebook)).to_be_visible(timeout=SLOW)
    notebook.save()

    reload_meanwhile(notebook)

    notebook.wait_idle(20)
    assert value(notebook, "__import__('sys').last_value.__class__.__name__") == "NoHumanError"
    expect(notebook.cell(cell)).to_contain_text("Hello")
    expect(notebook.cell(cell)).to_contain_text("Cannot ask for human input", timeout=SLOW)
    assert troubles() == []


@APPS
def test_whole_conversation_is_shown_when_the_kernel_was_restarted_and_the_page_loaded_anew(
    open_notebook, troubles, app
):
    notebook = open_notebook(PREPARE, app=app)
    replies = ["Let me see.", code("print('sum', 1 + 1)"), "It is **two**."]
    cell = begin(notebook, chat(*replies, mode="ALWAYS", policy="ask"))
    reply(notebook, "I am Ada")
    notebook.page.get_by_role("button", name="Use auto-reply").click(timeout=SLOW)
    notebook.page.get_by_role("button", name="Run", exact=True).click(timeout=SLOW)
    reply(notebook, "exit")
    notebook.wait_idle()
    notebook.save()

    notebook.restart_kernel()
    notebook.reload()

    shown = notebook.cell(cell).locator(".jp-OutputArea").first
    for words in ("Hello", "Let me see.", "I am Ada", "print('sum', 1 + 1)", "sum 2", "It is two."):
        expect(shown).to_contain_text(words)
    expect(shown).not_to_contain_text(REMARK)
    assert troubles() == []
    notebook.screenshot(f"whole-conversation-{app}")


# -- The page is saved half-way --------------------------------------------------------------------------------------

HALF = {
    "live turn": (held_chat("Half of **the answer**", at="Half"), "Half of the answer"),
    "prompt": (chat("Who are you?", mode="ALWAYS"), "Who are you?"),
    "long chat": (
        held_chat(*(f"Reply {number}." for number in range(45)), "Half of **the answer**", at="Half"),
        "Half of the answer",
    ),
}
OFTEN = "from jupyter_agents.display import slots, stage\nstage.REFRESH = slots.REFRESH = 0.3"
"""What stands beside a widget is brought up to date every ten seconds, as it is."""


@pytest.mark.parametrize("where", HALF)
def test_what_was_said_is_there_when_the_page_was_saved_half_way_and_the_kernel_died(open_notebook, troubles, where):
    notebook = open_notebook(PREPARE + HELD)
    source, words = HALF[where]
    cell = begin(notebook, OFTEN, source)
    live = notebook.cell(cell).locator(".jp-agents-LiveView")
    expect(live if where != "prompt" else notebook.cell(cell)).to_contain_text(words, timeout=SLOW)
    if where == "prompt":
        expect(field(notebook)).to_be_visible(timeout=SLOW)
    notebook.page.wait_for_function(HOLDS, arg=[cell, words.split()[-1]], timeout=SLOW)
    notebook.save()

    notebook.kill_kernel()
    reopen(notebook)

    shown = notebook.cell(cell).locator(".jp-OutputArea").first
    expect(shown).to_contain_text(words)
    expect(shown).to_contain_text(REMARK, timeout=SLOW)
    assert troubles() == []
    html = as_html(notebook.path)
    assert words.split()[-1] in html
    assert "Hello" in html
    notebook.screenshot(f"half-way-{where}")


HOLDS = """([cell, words]) => JSON.stringify(
    window.jupyterapp.shell.currentWidget.content.widgets[cell].model.outputs.toJSON()
).includes(words)"""


# -- The page is crowded ---------------------------------------------------------------------------------------------

MANY = """
def steps(request, numbers=iter(range(1000))):
    number = next(numbers)
    if number < 50:
        return block(f"# step {number}\\nprint('o' + 'ut', {number})")
    return "All done.\\nTERMINATE" if number == 50 else "You are welcome.\\nTERMINATE"

bot = agent("assistant", steps, delay=0)
user = person("user", "TERMINATE", "auto", max_consecutive_auto_reply=1000)
result = await user.a_initiate_chat(bot, message="Begin")
"""
ORDER = [word for number in range(50) for word in (f"step {number}", f"out {number}")]


def steps_in(text: str) -> list[str]:
    """The steps and what their code put out, in order; what stands there twice in a row, once."""
    found = re.findall(r"(?:step|out) \d+", text)
    return [one for one, before in zip(found, [None, *found], strict=False) if one != before]


def test_prompt_is_on_the_page_when_a_chat_of_a_hundred_turns_ends_with_it(open_notebook, troubles):
    notebook = open_notebook(PREPARE)
    cell = begin(notebook, MANY)
    shown = notebook.cell(cell)
    expect(field(notebook)).to_be_visible(timeout=60_000)
    assert steps_in(shown.locator(".jp-OutputArea").first.text_content() or "") == ORDER

    reply(notebook, "Thank you")
    expect(shown).to_contain_text("You are welcome.", timeout=SLOW)
    reply(notebook, "exit")
    notebook.wait_idle()

    assert said(notebook)[-3:] == ["All done.\nTERMINATE", "Thank you", "You are welcome.\nTERMINATE"]
    assert len(notebook.outputs(cell)) <= 50
    saved = notebook.save().cells[cell].outputs
    texts = [one.text if one.output_type == "stream" else one.data["text/plain"] for one in saved]
    assert steps_in("\n".join(texts)) == ORDER
    assert steps_in(shown.locator(".jp-OutputArea").first.text_content() or "") == ORDER
    notebook.reload()
    expect(shown).to_contain_text("You are welcome.")
    assert steps_in(shown.locator(".jp-OutputArea").first.text_content() or "") == ORDER
    assert troubles() == []


# -- Chats in the background -----------------------------------------------------------------------------------------

STEPS = """
log = []

def steps(name, *last):
    blocks = [
        block(f"# step {number}\\nlog.append('begin {name}')\\ntime.sleep(0.1)\\nlog.append('end {name}')\\n"
              f"print('o' + 'ut', {number})")
        for number in range(4)
    ]
    return [*blocks, *last]

async def next_(request):
    while not Path("ask").exists():
        await asyncio.sleep(0.02)
    return "What next?\\nTERMINATE"

ada, bob = agent("ada", *steps("ada", "Now: " + LONG)), agent("bob", *steps("bob", next_))
for_ada, for_bob = person("for_ada", "NEVER", "auto"), person("for_bob", "TERMINATE", "auto")
"""
FAR = "\n".join(f"print({number})" for number in range(100))
FOUR = [word for number in range(4) for word in (f"step {number}", f"out {number}")]


def test_two_chats_in_the_background_keep_to_their_cells(open_notebook, lab, troubles):
    notebook = open_notebook(PREPARE + HELD + STEPS)
    page = notebook.page
    notebook.run_cell(0)
    first = notebook.add_and_run("chat = Chat(for_ada, ada, message='Hello').start()")
    second = notebook.add_and_run("%%agentchat --background --from for_bob --to bob --into other\nHello")
    assert value(notebook, "chat.done() or other.done()") is False
    far = notebook.add_and_run(FAR)
    assert [one["text"] for one in notebook.outputs(far)] == ["".join(f"{number}\n" for number in range(100))]
    page.wait_for_function(HOLDS, arg=[second, "out 3"], timeout=SLOW)
    page.evaluate("far => jupyterapp.shell.currentWidget.content.scrollToItem(far, 'end')", far)
    expect(notebook.cell(far).locator(".jp-OutputArea")).to_be_in_viewport()
    (lab.folder / "ask").touch()

    call = page.locator(".Toastify__toast", has_text="for_bob waits for you")
    call.get_by_role("button", name="Go to the question").click(timeout=SLOW)
    expect(field(notebook)).to_be_in_viewport()
    expect(call).to_have_count(0)
    expect(notebook.cell(second).locator(".jp-agents-Prompt")).to_have_count(1)
    notebook.cell(first).get_by_role("button", name="Stop").click()
    page.wait_for_function(HOLDS, arg=[first, "Stopped by the user"], timeout=SLOW)
    assert value(notebook, "str(chat.result.ended_by), other.done()") == ("stop", False)
    reply(notebook, "exit")
    page.wait_for_function(HOLDS, arg=[second, "What next?"], timeout=SLOW)
    expect(notebook.cell(second).locator(".jp-agents-Prompt")).to_have_count(0)

    for cell in (first, second):
        assert steps_in(notebook.cell(cell).locator(".jp-OutputArea").first.text_content() or "") == FOUR
    log = value(notebook, "log")
    assert len(log) == 16
    assert [one.replace("end", "begin") for one in log[1::2]] == log[::2]
    assert troubles() == []


# -- A box to chat in ------------------------------------------------------------------------------------------------

BOX = """
coder = agent("coder", "I am the coder.", block("print('o' + 'ut', 6 * 7)"), "It is done.", LONG, "Once more.")
poet = agent("poet", "I am the poet.", "A second verse.")
box = AgentChat(coder, poet, max_turns=2)
other = AgentChat(agent("clerk", "I am the clerk."))
"""


def write(notebook: Notebook, cell: int, text: str, page: Page | None = None) -> None:
    """Write a message in the box of a cell, and send it."""
    place = (page or notebook.page).locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{cell}']")
    composer = place.get_by_label("Message", exact=True)
    composer.fill(text, timeout=SLOW)
    expect(place.get_by_role("button", name="Send")).to_be_enabled(timeout=SLOW)
    composer.press("Enter")


def test_chat_box_talks_asks_and_stops_on_several_pages(open_notebook, troubles):
    notebook = open_notebook(PREPARE + BOX)
    page = notebook.page
    notebook.run_cell(0)
    first, second = notebook.add_and_run("box"), notebook.add_and_run("other")
    box = notebook.cell(first)
    write(notebook, first, "Who are you?")
    write(notebook, second, "And you?")
    expect(box).to_contain_text("I am the coder.", timeout=SLOW)
    expect(notebook.cell(second)).to_contain_text("I am the clerk.", timeout=SLOW)
    write(notebook, first, "@poet And you?")
    expect(box).to_contain_text("I am the poet.", timeout=SLOW)

    write(notebook, first, "@coder Six times seven?")
    box.get_by_role("button", name="Run", exact=True).click(timeout=SLOW)
    expect(box).to_contain_text("out 42", timeout=SLOW)
    expect(box).to_contain_text("It is done.", timeout=SLOW)

    notebook.save()
    tab = page.context.new_page()
    tab.goto(page.url)
    there = tab.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{first}']")
    expect(there.get_by_label("Message", exact=True)).to_be_visible(timeout=60_000)
    write(notebook, first, "At length, please.", page=tab)
    expect(box).to_contain_text("word word", timeout=SLOW)
    box.get_by_role("button", name="Stop").click()
    expect(there).to_contain_text("Stopped by the user", timeout=SLOW)
    write(notebook, first, "Go on.")
    expect(there).to_contain_text("Once more.", timeout=SLOW)
    assert "I am the" not in "".join(re.findall("coder|poet", notebook.cell(second).inner_text()))
    assert troubles() == []
    notebook.screenshot("chat-boxes")


@APPS
def test_chat_box_lives_on_when_its_page_is_loaded_anew_and_its_transcript_without_a_kernel(
    open_notebook, troubles, app
):
    notebook = open_notebook(PREPARE + BOX, app=app)
    notebook.run_cell(0)
    cell = notebook.add_and_run("box")
    box = notebook.cell(cell)
    write(notebook, cell, "@poet Who are you?")
    expect(box).to_contain_text("I am the poet.", timeout=SLOW)
    notebook.page.wait_for_function(HOLDS, arg=[cell, "I am the poet."], timeout=SLOW)
    notebook.save()

    notebook.reload()
    write(notebook, cell, "@poet More!")
    expect(box).to_contain_text("A second verse.", timeout=SLOW)
    expect(box).to_contain_text("Who are you?")
    expect(box).to_contain_text("I am the poet.")
    again = notebook.add_and_run("box")  # a page that was loaded anew gets no more outputs of a cell of before
    notebook.page.wait_for_function(HOLDS, arg=[again, "A second verse."], timeout=SLOW)
    notebook.save()

    notebook.restart_kernel()
    reopen(notebook)
    for words in ("Who are you?", "I am the poet.", "More!", "A second verse."):
        expect(notebook.cell(again)).to_contain_text(words, timeout=SLOW)
    expect(box).to_contain_text("I am the poet.")
    assert troubles() == []
    assert "A second verse." in as_html(notebook.path)


# -- The page is cut off ---------------------------------------------------------------------------------------------

WORDS = "\n\n".join(" ".join(f"w{number}" for number in range(start, start + 50)) for start in range(0, 5000, 50))


def header_of(message: str | bytes) -> dict[str, object]:
    """The header of a message of Jupyter's, in either of the forms in which it goes over a socket."""
    if isinstance(message, str):
        found: dict[str, object] = json.loads(message)["header"]
        return found
    count = int.from_bytes(message[:8], "little")
    offsets = [int.from_bytes(message[8 * at : 8 * at + 8], "little") for at in range(1, count + 1)]
    return dict(json.loads(message[offsets[1] : offsets[2]]))


def lose_a_third(page: Page) -> list[str]:
    """Drop a third of the messages of comms, both ways, as a server does that has too many. What was dropped."""
    chance, lost = random.Random(3), []

    def passes(message: str | bytes) -> bool:
        if header_of(message)["msg_type"] != "comm_msg" or chance.random() > 1 / 3:
            return True
        lost.append("comm_msg")
        return False

    def route(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(lambda message: passes(message) and server.send(message))
        server.on_message(lambda message: passes(message) and socket.send(message))

    page.route_web_socket(re.compile("/api/kernels/.*/channels"), route)
    return lost


def test_nothing_is_lost_or_doubled_when_a_third_of_the_messages_is_lost(open_notebook, lab, page):
    lost = lose_a_third(page)
    notebook = open_notebook(PREPARE + HELD)
    words = Source(f"{WORDS!r}")
    cell = begin(notebook, held_chat(words, "Good bye.", at="w0", when="sent", delay=0.002, mode="ALWAYS"))
    shown = notebook.cell(cell)

    live = shown.locator(".jp-agents-LiveView-turn")
    expect(live).to_contain_text("w4999", timeout=60_000)
    assert re.findall(r"w\d+", live.text_content()) == WORDS.split()
    assert len(lost) > 20
    (lab.folder / "sent").touch()
    reply(notebook, "Thank you")
    expect(shown).to_contain_text("Good bye.", timeout=SLOW)
    reply(notebook, "exit")
    notebook.wait_idle()

    assert said(notebook) == ["Hello", WORDS, "Thank you", "Good bye."]
    assert re.findall(r"w\d+", shown.locator(".jp-OutputArea").text_content()) == WORDS.split()


@APPS
def test_input_box_asks_when_the_widget_never_loads(open_notebook, page, app):
    page.route(re.compile("/anywidget/static/"), lambda route: route.abort())
    notebook = open_notebook(PREPARE, app=app)
    cell = begin(notebook, chat("Who are you?", "Hello, Ada.", mode="ALWAYS"))

    boxes = notebook.cell(cell).locator(".jp-Stdin-input")
    for answer in ("I am Ada", "exit"):
        boxes.first.wait_for(timeout=SLOW)
        box = boxes.first.element_handle()
        box.fill(answer)
        box.press("Enter")
        box.wait_for_element_state("hidden")
    expect(notebook.cell(cell)).to_contain_text("Hello, Ada.", timeout=SLOW)
    notebook.wait_idle()
    assert [one for one in notebook.outputs(cell) if one["output_type"] == "error"] == []

    assert said(notebook) == ["Hello", "Who are you?", "I am Ada", "Hello, Ada."]
    notebook.screenshot(f"without-widgets-{app}")


# -- The hand-over ---------------------------------------------------------------------------------------------------

LINES = "\n\n".join(f"Line {number} of a long reply." for number in range(40))
"""Notebook 7 itself folds outputs of more than a hundred lines, which moves what is below."""
SCROLLER = """const scroller = (() => {
    for (let at = document.querySelector('.jp-Notebook .jp-OutputArea'); at; at = at.parentElement) {
        if (at.scrollHeight > at.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(at).overflowY)) return at;
    }
    return document.scrollingElement;
})();"""
SCROLL = f"by => {{ {SCROLLER} scroller.scrollTop = by < 0 ? scroller.scrollHeight : by; return scroller.scrollTop; }}"
TOP = f"() => {{ {SCROLLER} return scroller.scrollTop; }}"
WATCH = f"""() => {{ {SCROLLER}
    window.watched = [];
    const look = () => {{ window.watched.push(scroller.scrollTop); requestAnimationFrame(look); }};
    look();
}}"""


@APPS
@pytest.mark.parametrize("reader", ["at the end", "further up"])
def test_page_stays_when_a_turn_is_handed_over(open_notebook, lab, request, app, reader):
    notebook = open_notebook(PREPARE + HELD, app=app)
    page, sent = notebook.page, f"sent-{abs(hash(request.node.name))}"
    cell = begin(notebook, held_chat(Source(f"{LINES!r}"), at="Line", when=sent, delay=0.012, options="max_turns=1"))
    live = notebook.cell(cell).locator(".jp-agents-LiveView")
    expect(live).to_contain_text("Line 5 of", timeout=SLOW)
    if reader == "further up":
        page.evaluate(SCROLL, 40)
    else:
        page.evaluate(SCROLL, -1)
    before = page.evaluate(TOP)
    expect(live).to_contain_text("Line 39", timeout=SLOW)

    if reader == "at the end":
        expect(live.locator("p", has_text="Line 39")).to_be_in_viewport()
        assert page.evaluate(TOP) > before
    else:
        assert page.evaluate(TOP) == before
    page.evaluate(WATCH)
    (lab.folder / sent).touch()
    expect(live).to_have_count(0, timeout=SLOW)
    page.wait_for_function("watched.length > 90", timeout=SLOW)  # longer than the second for which a place is held

    tops = page.evaluate("watched")
    assert max(tops) - min(tops) <= 2, sorted(set(tops))
    expect(notebook.cell(cell)).to_contain_text("Line 39")


# -- Accessible ------------------------------------------------------------------------------------------------------


def test_axe_finds_no_fault_in_what_is_live(open_notebook):
    notebook = open_notebook(PREPARE + HELD + BOX)
    notebook.run_cell(0)
    turn = notebook.add_and_run(held_chat("Here is **half** of `it`.", at="Here", how="background"))
    asked = notebook.add_and_run(chat("Who are you?", how="background", mode="ALWAYS"))
    approval = notebook.add_and_run(chat(code("print(sum([1, 2]))"), how="background", policy="ask"))
    box = notebook.add_and_run("box")
    write(notebook, box, "@poet Who are you?")
    expect(notebook.cell(box)).to_contain_text("I am the poet.", timeout=SLOW)
    for cell, what in {turn: ".jp-agents-LiveView", asked: "textarea", approval: "button:text-is('Reject…')"}.items():
        expect(notebook.cell(cell).locator(what).first).to_be_visible(timeout=SLOW)

    for theme in THEMES:
        notebook.use_theme(theme)
        for cell in (turn, asked, approval, box):
            assert notebook.axe(notebook.cell(cell).locator(".jp-agents-Slot").last) == [], f"in the theme {theme}"
        notebook.screenshot(f"live-{theme}")


# -- A cell that is run again ------------------------------------------------------------------------------------


@APPS
def test_chat_in_the_background_is_shown_again_when_its_cell_is_run_again(open_notebook, app):
    begin_chat = "chat = Chat(user, bot, message='Hello').start()"
    notebook = open_notebook(PREPARE, app=app)
    notebook.run_cell(0)
    notebook.add_and_run(make("Who are you?", "Fine.", mode="ALWAYS"))
    cell = notebook.add_and_run(begin_chat)
    field(notebook).wait_for(timeout=SLOW)

    notebook.run_cell(cell)
    field(notebook).wait_for(timeout=SLOW)
    expect(notebook.cell(cell)).to_contain_text("It is shown here again", timeout=SLOW)
    expect(notebook.cell(cell)).to_contain_text("Who are you?", timeout=SLOW)
    reply(notebook, "I am Ada")
    expect(notebook.cell(cell)).to_contain_text("Fine.", timeout=SLOW)
    reply(notebook, "exit")

    expect(field(notebook)).to_have_count(0, timeout=SLOW)
    assert said(notebook, "chat.result") == ["Hello", "Who are you?", "I am Ada", "Fine."]
    expect(notebook.cell(cell)).to_contain_text("I am Ada")
