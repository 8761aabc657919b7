"""People in the loop: they answer, approve and stop, with the mouse and with the keyboard alone.

The tests of a kind of page (JupyterLab or Notebook 7, the newest or the oldest ipykernel) share one notebook, whose
cells are taken away after every test.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from jupyter_agents.errors import INTERRUPTED
from tests.browser.chats import LONG, Source, chat, code, said, value
from tests.browser.conftest import Notebook
from tests.browser.people import LAB, NOTEBOOK, OLDEST, SLOW, asked, begin, may_run, on, press, reply, stop_button

# -- Questions and answers -------------------------------------------------------------------------------------------


EVERY_WAY = pytest.mark.parametrize(
    ("notebook", "how"),
    [(LAB, "blocking"), (LAB, "awaited"), (LAB, "magic"), (OLDEST, "blocking"), (NOTEBOOK, "blocking")],
    indirect=["notebook"],
    ids=["lab-blocking", "lab-awaited", "lab-magic", "oldest-blocking", "notebook-blocking"],
)


@EVERY_WAY
def test_answer_on_the_page_reaches_the_chat(notebook, how):
    begin(notebook, how, "Who are you?", "Hello, Ada.", mode="ALWAYS")

    field = asked(notebook).get_by_role("textbox")
    expect(field).to_be_focused()
    notebook.screenshot(f"people-reply-{notebook.app}-{how}")
    reply(notebook, "I am Ada")
    expect(notebook.page.locator(".jp-agents-LiveView", has_text="Hello, Ada.")).to_be_visible(timeout=SLOW)
    reply(notebook, "exit")

    notebook.wait_idle()
    assert said(notebook) == ["Hello", "Who are you?", "I am Ada", "Hello, Ada."]
    assert value(notebook, "str(result.ended_by)") == "person"
    expect(notebook.page.locator(".jp-agents-LiveView")).to_have_count(0)
    notebook.screenshot(f"people-replied-{notebook.app}-{how}")


@pytest.mark.parametrize("by", ["key", "button"])
def test_automatic_reply_goes_out_when_the_person_skips(notebook, by):
    begin(notebook, "awaited", "Who are you?", "Well?", mode="ALWAYS", default_auto_reply="(nothing)")
    prompt = asked(notebook)
    expect(prompt.get_by_role("textbox")).to_be_focused()

    if by == "button":
        press(prompt, "Use auto-reply")
    while by == "key" and prompt.count():  # in its first half second a question takes no empty answer
        notebook.page.keyboard.press("Enter")

    expect(notebook.page.locator(".jp-agents-LiveView", has_text="Well?")).to_be_visible(timeout=SLOW)
    press(asked(notebook), "End the chat")
    notebook.wait_idle()
    assert said(notebook) == ["Hello", "Who are you?", "(nothing)", "Well?"]


@pytest.mark.parametrize("by", ["word", "button"])
def test_chat_ends_when_the_person_says_so(notebook, by):
    begin(notebook, "blocking", "Who are you?", mode="ALWAYS")

    if by == "word":
        reply(notebook, "exit")
    else:
        press(asked(notebook), "End the chat")

    notebook.wait_idle()
    assert said(notebook) == ["Hello", "Who are you?"]
    assert value(notebook, "str(result.ended_by)") == "person"
    expect(notebook.page.get_by_text("user ended the chat.")).to_be_visible()


SEATS = """
chats = [
    Chat(person(name, mode="ALWAYS"), agent(f"{name}'s bot", f"Hello {name}?", "Well?"), message="Hello").start()
    for name in ("Ada", "Bob")
]
"""


def test_every_seat_has_its_own_question_when_several_ask(notebook):
    notebook.add_and_run(SEATS)
    ada, bob = asked(notebook, "as Ada"), asked(notebook, "as Bob")
    notebook.screenshot("people-seats")

    bob.get_by_role("textbox").fill("I am Bob")
    bob.get_by_role("textbox").press("Enter")
    ada.get_by_role("textbox").fill("exit")
    ada.get_by_role("textbox").press("Enter")

    expect(ada).to_have_count(0, timeout=SLOW)
    notebook.add_and_run("[chat.stop() for chat in chats]\nresults = [await chat for chat in chats]")
    assert said(notebook, "results[0]") == ["Hello", "Hello Ada?"]
    assert said(notebook, "results[1]")[:3] == ["Hello", "Hello Bob?", "I am Bob"]


# -- Approval of code ------------------------------------------------------------------------------------------------


@EVERY_WAY
def test_code_runs_when_it_is_approved(notebook, how):
    index = begin(notebook, how, code("answer = 6 * 7\nprint(answer)"), "TERMINATE", policy="ask")

    prompt = may_run(notebook)
    expect(prompt.locator(".jp-agents-Approval-code")).to_be_focused()
    notebook.screenshot(f"people-approve-{notebook.app}-{how}")
    press(prompt, "Run")

    notebook.wait_idle()
    assert said(notebook)[2] == "exitcode: 0 (execution succeeded)\nCode output: \n42\n"
    assert value(notebook, "globals().pop('answer')") == 42
    expect(notebook.cell(index).locator(".jp-OutputArea-output", has_text="42").first).to_be_visible()
    notebook.screenshot(f"people-approved-{notebook.app}-{how}")


def test_edited_code_runs_when_it_was_edited(notebook):
    begin(notebook, "awaited", code("answer = 1"), "TERMINATE", policy="ask")

    prompt = may_run(notebook)
    press(prompt, "Edit and run…")
    editor = prompt.get_by_role("textbox", name="Code, to edit")
    editor.fill("answer = 2\nprint(answer)")
    notebook.screenshot("people-edit")
    run = prompt.get_by_role("button", name="Run edited code")
    expect(run).not_to_have_attribute("aria-disabled", "true")
    run.click()

    notebook.wait_idle()
    assert value(notebook, "globals().pop('answer')") == 2
    assert "Code output: \n2" in said(notebook)[2]
    expect(notebook.page.locator(".jp-agents-Badge", has_text="edited")).to_be_visible()


@on(LAB, OLDEST)
def test_model_reads_the_reason_when_code_is_rejected(notebook):
    begin(notebook, "blocking", code("answer = 1"), "TERMINATE", policy="ask")

    prompt = may_run(notebook)
    press(prompt, "Reject…")
    prompt.get_by_role("textbox", name="Why not?").fill("too small")
    notebook.screenshot("people-reject")
    reject = prompt.get_by_role("button", name="Reject", exact=True)
    expect(reject).not_to_have_attribute("aria-disabled", "true")
    reject.click()

    notebook.wait_idle()
    [*_, last] = value(notebook, "[message['content'] for message in models['assistant'].requests[-1].messages]")
    assert "The user refused to run this code: too small" in last
    assert value(notebook, "'answer' in globals()") is False


def test_same_text_runs_again_without_asking_when_that_was_allowed(notebook):
    begin(notebook, "awaited", code("print(17)"), code("print(17)"), code("print( 17)"), policy="ask")

    prompt = may_run(notebook)
    prompt.get_by_label("Run it, and do not ask again for exactly this text").check()
    press(prompt, "Run")
    notebook.page.get_by_text("Ran without asking").wait_for(timeout=SLOW)
    different = may_run(notebook)
    expect(different.locator(".jp-agents-Approval-code")).to_contain_text("print( 17)")
    notebook.screenshot("people-asked-again")
    press(different, "Stop the chat")

    notebook.wait_idle()
    assert value(notebook, "str(result.ended_by)") == "person"
    assert [text.count("17\n") for text in said(notebook)[2::2]] == [1, 1]


@on(LAB, OLDEST)
def test_chat_ends_when_it_is_stopped_instead_of_running_code(notebook):
    begin(notebook, "blocking", code("answer = 1"), policy="ask")

    press(may_run(notebook), "Stop the chat")

    notebook.wait_idle()
    assert len(said(notebook)) == 2
    assert value(notebook, "str(result.ended_by), 'answer' in globals()") == ("person", False)


# -- The keyboard alone ----------------------------------------------------------------------------------------------


@pytest.fixture
def without_mouse(notebook: Notebook) -> Iterator[Notebook]:
    """A notebook with a cell below the one for the chat, on whose page nothing is clicked."""
    notebook.page.evaluate(_WATCH_MOUSE)
    yield notebook
    assert notebook.page.evaluate("window.clicks") == 0


_WATCH_MOUSE = """() => {
    window.clicks = 0;
    document.addEventListener('pointerdown', () => window.clicks++, {capture: true});
}"""
_PUT_CELLS = """source => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const cells = notebook.model.sharedModel;
    cells.insertCells(1, [source, '"below"'].map(source => ({cell_type: 'code', source, metadata: {trusted: true}})));
    notebook.activeCellIndex = 1;
}"""
_CELLS = """() => {
    const notebook = window.jupyterapp.shell.currentWidget.content;
    const cells = notebook.widgets.map(cell => [cell.model.type, cell.model.sharedModel.source]);
    return {cells, mode: notebook.mode};
}"""

_IS_IN_NOTEBOOK = """() => {
    const at = document.activeElement;
    return at.closest('.jp-Notebook') !== null && at.closest('.jp-OutputArea, .cm-editor') === null;
}"""


def type_cell(notebook: Notebook, source: str, keys: str = "Shift+Enter") -> list[list[str]]:
    """Have a cell in which somebody writes, and run it by its keys. All cells."""
    notebook.page.evaluate(_PUT_CELLS, source)
    notebook.cell(1).locator(".cm-content").focus()
    found: list[list[str]] = notebook.page.evaluate(_CELLS)["cells"]
    notebook.page.keyboard.press(keys)
    return found


def tab_to(notebook: Notebook, target: Locator) -> None:
    """Go to a control with the Tab key."""
    for _ in range(12):
        if target.evaluate("node => node === document.activeElement"):
            return
        notebook.page.keyboard.press("Tab")
    expect(target).to_be_focused()


@on(LAB, NOTEBOOK)
def test_question_is_answered_when_there_is_no_mouse(without_mouse):
    notebook, keyboard = without_mouse, without_mouse.page.keyboard
    before = type_cell(notebook, chat("Who are you?", "Hello.", "Bye?", mode="ALWAYS"))

    expect(asked(notebook).get_by_role("textbox")).to_be_focused()
    keyboard.type("dd aa xz 1 0 0")  # every one of these does something to the notebook where it gets there
    keyboard.press("Shift+Enter")
    keyboard.type("ii jk M")
    keyboard.press("Enter")
    expect(notebook.page.locator(".jp-agents-LiveView", has_text="Hello.")).to_be_visible(timeout=SLOW)
    expect(asked(notebook).get_by_role("textbox")).to_be_focused()
    tab_to(notebook, asked(notebook).get_by_role("button", name="Use auto-reply"))
    keyboard.press("Space")
    expect(notebook.page.locator(".jp-agents-LiveView", has_text="Bye?")).to_be_visible(timeout=SLOW)
    expect(asked(notebook).get_by_role("textbox")).to_be_focused()
    keyboard.press("ArrowUp")
    expect(asked(notebook).get_by_role("textbox")).to_have_value("dd aa xz 1 0 0\nii jk M")
    keyboard.press("Control+a")
    keyboard.type("exit")
    keyboard.press("Enter")

    notebook.wait_idle()
    assert said(notebook) == ["Hello", "Who are you?", "dd aa xz 1 0 0\nii jk M", "Hello.", "", "Bye?"]
    assert notebook.page.evaluate(_CELLS) == {"cells": before, "mode": "command"}
    assert notebook.page.evaluate(_IS_IN_NOTEBOOK)


def test_code_is_approved_when_there_is_no_mouse(without_mouse):
    notebook, keyboard = without_mouse, without_mouse.page.keyboard
    before = type_cell(notebook, chat(code("print(1)"), code("print(2)"), code("x = 3"), "TERMINATE", policy="ask"))

    expect(may_run(notebook).locator(".jp-agents-Approval-code")).to_be_focused()
    keyboard.type("dd aa xz 1 0 0")  # nothing here takes letters, and nobody else gets them
    keyboard.press("Control+Enter")
    notebook.page.locator(".jp-agents-Approval-code", has_text="print(2)").wait_for(timeout=SLOW)
    edit = may_run(notebook).get_by_role("button", name="Edit and run…")
    expect(asked(notebook).locator(".jp-agents-Approval-code")).to_be_focused()
    tab_to(notebook, edit)
    keyboard.press("Enter")
    editor = asked(notebook).get_by_role("textbox", name="Code, to edit")
    expect(editor).to_be_focused()
    keyboard.press("Control+a")
    keyboard.type("print(22)")
    expect(asked(notebook).get_by_role("button", name="Run edited code")).not_to_have_attribute("aria-disabled", "true")
    keyboard.press("Control+Enter")
    notebook.page.locator(".jp-agents-Approval-code", has_text="x = 3").wait_for(timeout=SLOW)
    expect(may_run(notebook).locator(".jp-agents-Approval-code")).to_be_focused()
    tab_to(notebook, may_run(notebook).get_by_role("button", name="Reject…"))
    keyboard.press("Space")
    expect(asked(notebook).get_by_role("textbox", name="Why not?")).to_be_focused()
    keyboard.type("add it up")
    notebook.screenshot("people-keyboard-reject")
    expect(asked(notebook).get_by_role("button", name="Reject", exact=True)).not_to_have_attribute(
        "aria-disabled", "true"
    )
    keyboard.press("Enter")

    notebook.wait_idle()
    replies = said(notebook)[2::2]
    assert ["Code output: \n1\n" in replies[0], "Code output: \n22\n" in replies[1]] == [True, True]
    assert "refused to run this code: add it up" in replies[2]
    assert notebook.page.evaluate(_CELLS) == {"cells": before, "mode": "command"}


def test_chat_is_ended_when_there_is_no_mouse(without_mouse):
    notebook, keyboard = without_mouse, without_mouse.page.keyboard
    before = type_cell(notebook, chat("Who are you?", mode="ALWAYS"))

    expect(asked(notebook).get_by_role("textbox")).to_be_focused()
    expect(stop_button(notebook)).to_have_count(0)  # one way out at a time
    tab_to(notebook, asked(notebook).get_by_role("button", name="End the chat"))
    keyboard.press("Enter")

    notebook.wait_idle()
    assert value(notebook, "str(result.ended_by)") == "person"
    assert notebook.page.evaluate(_CELLS) == {"cells": before, "mode": "command"}


def test_escape_leaves_the_question_for_the_notebook(without_mouse):
    notebook, keyboard = without_mouse, without_mouse.page.keyboard
    type_cell(notebook, chat("Who are you?", mode="ALWAYS"))

    expect(asked(notebook).get_by_role("textbox")).to_be_focused()
    keyboard.type("half a thou")
    keyboard.press("Escape")  # the first one leaves a field in which something is written as it is
    expect(asked(notebook).get_by_role("textbox")).to_be_focused()
    keyboard.press("Escape")
    assert notebook.page.evaluate(_IS_IN_NOTEBOOK)
    keyboard.press("b")  # a new cell below
    asked(notebook)

    assert len(notebook.page.evaluate(_CELLS)["cells"]) == 4
    assert asked(notebook).get_by_role("textbox").input_value() == "half a thou"
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    notebook.wait_idle()


# -- Stop, Interrupt code, and the kernel's own interrupt ------------------------------------------------------------

CODE = {
    "sleeping": "import time\nprint('begun')\ntime.sleep(60)",
    "spinning": "print('begun')\nwhile True: pass",
}
WAYS = {
    "lab-blocking": (LAB, "blocking"),
    "lab-awaited": (LAB, "awaited"),
    "oldest-blocking": (OLDEST, "blocking"),
    "oldest-awaited": (OLDEST, "awaited"),
}


def by(*ways: str) -> pytest.MarkDecorator:
    """Hold the chats of a test in these ways."""
    given = [WAYS[way] for way in ways]
    return pytest.mark.parametrize(("notebook", "how"), given, indirect=["notebook"], ids=ways)


OVER = 2.0  # seconds until a chat that was told to end has ended


def under_way(notebook: Notebook, how: str, what: str) -> int:
    """Begin a chat, and wait until it does this."""
    if what == "streaming":
        index = begin(notebook, how, LONG)
        live = notebook.page.locator(".jp-agents-Message.jp-agents-mod-live", has_text="word word word")
        live.wait_for(timeout=SLOW)
    elif what == "asking":
        index = begin(notebook, how, "Who are you?", mode="ALWAYS")
        asked(notebook)
    else:
        index = begin(notebook, how, code(CODE[what]), "I see. TERMINATE", policy="auto")
        notebook.page.get_by_role("button", name="Interrupt code").wait_for(timeout=SLOW)
        expect(notebook.cell(index)).to_contain_text("begun", timeout=SLOW)
    return index


def seconds_until_idle(notebook: Notebook, act: Callable[[], None]) -> float:
    """Do it, and wait for the kernel to be idle. How long that took."""
    began = time.monotonic()
    act()
    notebook.wait_idle()
    return time.monotonic() - began


def assert_next_cell_runs(notebook: Notebook) -> None:
    index = notebook.add_and_run("print('alive')")
    assert notebook.outputs(index) == [{"output_type": "stream", "name": "stdout", "text": "alive\n"}]


@by("lab-blocking", "lab-awaited", "oldest-blocking")
@pytest.mark.parametrize("what", ["streaming", "asking", *CODE])
def test_chat_ends_in_order_when_it_is_stopped(notebook, how, what):
    index = under_way(notebook, how, what)
    notebook.screenshot(f"people-{what}-{how}")

    is_asking = what == "asking"  # the prompt has the button then
    way_out = asked(notebook).get_by_role("button", name="End the chat") if is_asking else stop_button(notebook)
    expect(stop_button(notebook)).to_have_count(0 if is_asking else 1)
    seconds = seconds_until_idle(notebook, way_out.click)

    assert value(notebook, "str(result.ended_by)") == ("person" if is_asking else "stop")
    if not is_asking:
        expect(notebook.cell(index)).to_contain_text("Stopped by the user")
    expect(notebook.page.locator(".jp-agents-LiveView")).to_have_count(0, timeout=SLOW)
    assert [output for output in notebook.outputs(index) if output["output_type"] == "error"] == []
    notebook.screenshot(f"people-stopped-{what}-{how}")
    assert_next_cell_runs(notebook)
    assert seconds < OVER


@by("lab-blocking", "lab-awaited")
@pytest.mark.parametrize("what", CODE)
def test_only_the_code_ends_when_it_is_interrupted(notebook, how, what):
    index = under_way(notebook, how, what)

    seconds = seconds_until_idle(notebook, notebook.page.get_by_role("button", name="Interrupt code").click)

    [_, _, result, last] = said(notebook)
    assert "exitcode: 130" in result
    assert "interrupted by the user" in result
    assert last == "I see. TERMINATE"
    expect(notebook.cell(index)).to_contain_text("The block was interrupted by the user.")
    expect(notebook.cell(index)).not_to_contain_text("What it changed is not known")
    notebook.screenshot(f"people-interrupted-{what}-{how}")
    assert_next_cell_runs(notebook)
    assert seconds < OVER


@by(*WAYS)
@pytest.mark.parametrize("what", ["streaming", "asking", *CODE])
def test_cell_ends_when_the_kernel_is_interrupted(notebook, how, what):
    index = under_way(notebook, how, what)

    seconds = seconds_until_idle(
        notebook,
        lambda: notebook.page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')"),
    )

    [error] = [output for output in notebook.outputs(index) if output["output_type"] == "error"]
    assert error["traceback"] == [INTERRUPTED]
    expect(notebook.page.locator(".jp-agents-LiveView")).to_have_count(0, timeout=SLOW)
    notebook.screenshot(f"people-kernel-interrupted-{what}-{how}")
    assert_next_cell_runs(notebook)
    assert seconds < OVER


# -- Two tabs --------------------------------------------------------------------------------------------------------


@pytest.fixture
def other_tab(notebook: Notebook, browser: Browser) -> Iterator[Callable[[], Notebook]]:
    """Opens the same notebook once more, as it was saved last; the kernel may be busy."""
    context = browser.new_context(viewport={"width": 1200, "height": 1000})

    def open_again() -> Notebook:
        page = context.new_page()
        page.goto(notebook.page.url + (f"?token={notebook.lab.token}&reset" if notebook.lab else ""))
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
        page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady", timeout=60_000)
        return Notebook(page, notebook.path, notebook.app, notebook.lab)

    yield open_again
    context.close()


def test_one_answer_wins_when_two_tabs_ask(notebook, other_tab):
    begin(notebook, "awaited", "Who are you?", LONG, mode="ALWAYS")
    asked(notebook)
    notebook.save()
    other = other_tab()
    here, there = asked(notebook).get_by_role("textbox"), asked(other).get_by_role("textbox")
    here.fill("I am here")
    there.fill("I am there")

    here.press("Enter")
    other.page.keyboard.press("Enter")

    expect(other.page.locator(".jp-agents-Prompt", has_text="Answered in another window.")).to_be_visible(timeout=SLOW)
    other.screenshot("people-answered-elsewhere")
    stop_button(notebook).click()
    notebook.wait_idle()
    assert said(notebook)[:3] == ["Hello", "Who are you?", "I am here"]


def test_tab_says_so_when_another_one_has_answered(notebook, other_tab):
    begin(notebook, "awaited", "Who are you?", LONG, mode="ALWAYS")
    asked(notebook).get_by_role("textbox").fill("half a thou")
    notebook.save()
    other = other_tab()
    notebook.page.evaluate(_WATCH_WORDS)

    reply(other, "I am there")

    expect(notebook.page.locator(".jp-agents-Message", has_text="I am there")).to_be_visible(timeout=SLOW)
    assert "Answered in another window." in notebook.page.evaluate("window.words")
    stop_button(notebook).click()
    notebook.wait_idle()


_WATCH_WORDS = """() => {
    window.words = '';
    new MutationObserver(() => {
        for (const one of document.querySelectorAll('[role=status]')) window.words += one.textContent + '\\n';
    }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


# -- What is typed ---------------------------------------------------------------------------------------------------


def test_nothing_typed_is_saved_in_the_state_of_widgets(notebook):
    toggle = "() => window.jupyterapp.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState')"
    begin(notebook, "awaited", "Who are you?", "Hello.", mode="ALWAYS")
    asked(notebook).get_by_role("textbox").fill("first secret")
    notebook.page.evaluate(toggle)

    open_question = notebook.save()
    text_while_open = notebook.path.read_text("utf-8")
    asked(notebook).get_by_role("textbox").press("Enter")
    notebook.page.locator(".jp-agents-LiveView", has_text="Hello.").wait_for(timeout=SLOW)
    asked(notebook).get_by_role("textbox").fill("second secret")
    answered = notebook.save()
    notebook.page.evaluate(toggle)
    press(asked(notebook), "End the chat")
    notebook.wait_idle()

    assert "secret" not in text_while_open
    for saved in (open_question, answered):
        [state] = saved.metadata.widgets.values()
        assert "AnyModel" in str(state)  # our widget is there, and its state holds nothing of a chat
        assert "secret" not in str(state)
        assert "Who are you?" not in str(state)


DRAFTS = """
box = AgentChat(agent("clerk", "Hello."))
chats = [Chat(person(name, policy="ask"), agent(f"{name}'s bot", block(f"print({at})")), message="Go").start()
         for at, name in enumerate(("Ada", "Bob"))]
await asyncio.sleep(0.5)
"""


def test_no_draft_is_saved_wherever_it_was_begun(notebook):
    notebook.add_and_run(DRAFTS)
    box = notebook.cell(notebook.add_and_run("box"))
    box.get_by_label("Message", exact=True).fill("first secret", timeout=SLOW)
    cards = notebook.page.locator(".jp-agents-Prompt:not(.jp-agents-mod-closed)")
    expect(cards).to_have_count(2, timeout=SLOW)
    for card, button, name in ((cards.nth(0), "Edit and run…", "Code, to edit"), (cards.nth(1), "Reject…", "Why not?")):
        press(card, button)
        card.get_by_role("textbox", name=name).fill("another secret")
    toggle = "() => window.jupyterapp.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState')"
    notebook.page.evaluate(toggle)

    saved = notebook.save()
    notebook.page.evaluate(toggle)
    notebook.add_and_run("[chat.stop() for chat in chats]\n[await chat for chat in chats]\nbox.close()")

    [state] = saved.metadata.widgets.values()
    assert str(state).count("AnyModel") >= 3
    assert "secret" not in notebook.path.read_text("utf-8")
    assert "secret" not in str(saved)


def test_text_arrives_whole_when_a_megabyte_is_pasted(notebook):
    cell = begin(notebook, "awaited", "Who are you?", "Thank you.", mode="ALWAYS")
    text = "".join(f"line {number}: žluťoučký 🐎\n" for number in range(36_000))
    assert len(text.encode()) > 1_000_000
    field = asked(notebook).get_by_role("textbox")
    notebook.page.evaluate("text => navigator.clipboard.writeText(text)", text)

    field.press("Control+v")
    expect(asked(notebook).get_by_role("button", name="Reply", exact=True)).to_be_enabled(timeout=SLOW)
    notebook.screenshot("people-pasted")
    field.press("Enter")
    expect(notebook.cell(cell)).to_contain_text("Thank you.", timeout=SLOW)
    press(asked(notebook), "End the chat")

    notebook.wait_idle()
    found = value(notebook, _DIGEST)
    assert found == (len(text), hashlib.sha256(text.encode()).hexdigest())


_DIGEST = """(lambda text: (len(text), __import__('hashlib').sha256(text.encode()).hexdigest()))(
    result.messages[2]['content'])"""


def test_half_characters_are_replaced_when_they_are_sent(notebook):
    begin(notebook, "blocking", "Who are you?", "Hello.", mode="ALWAYS")
    field = asked(notebook).get_by_role("textbox")

    field.evaluate("node => { node.value = 'a\\ud800b'; node.dispatchEvent(new Event('input', {bubbles: true})); }")
    field.press("Enter")
    notebook.page.locator(".jp-agents-LiveView", has_text="Hello.").wait_for(timeout=SLOW)
    reply(notebook, "exit")

    notebook.wait_idle()
    assert said(notebook)[2] == "a\ufffdb"


def test_tricks_of_writing_are_seen_when_code_is_to_be_approved(notebook):
    trick = "access = 'user\u202e \u2066# admin\u2069 \u2066'\np\u0430ypal = '\u200b'"
    begin(notebook, "awaited", code(trick), policy="ask")

    prompt = may_run(notebook)
    notebook.screenshot("people-bidi")
    shown = prompt.locator(".jp-agents-Approval-code").inner_text()
    for hidden in ("U+202E", "U+2066", "U+2069", "U+200B"):
        assert hidden in shown
    assert not set(shown) & set("\u202e\u2066\u2069\u200b")
    expect(prompt.locator(".jp-agents-Approval-remarks")).to_contain_text("p\u0430ypal (\u0430 = U+0430)")
    press(prompt, "Stop the chat")
    notebook.wait_idle()


# -- How fast --------------------------------------------------------------------------------------------------------

ASKED = 9
PROMPT = 0.3
"""Seconds from a click to Python, at most, on a machine that does nothing else."""
_WATCH_CLICKS = """() => {
    window.clicked = [];
    document.onclick = () => window.clicked.push(Date.now() / 1000);
}"""


@pytest.mark.parametrize("how", ["blocking", "awaited"])
def test_click_reaches_python_at_once(notebook, how):
    notebook.add_and_run(
        "heard = []\ndef hear(request):\n    heard.append(time.time())\n    return f'Question {len(heard)}?'"
    )
    notebook.page.evaluate(_WATCH_CLICKS)
    begin(notebook, how, Source("hear"), mode="ALWAYS")

    for number in range(ASKED):
        notebook.page.locator(".jp-agents-Message", has_text=f"Question {number + 1}?").wait_for(timeout=SLOW)
        press(asked(notebook), "Use auto-reply")
    press(asked(notebook), "End the chat")
    notebook.wait_idle()

    clicked = notebook.page.evaluate("window.clicked")[:ASKED]
    taken = [there - here for here, there in zip(clicked, value(notebook, "heard[1:]"), strict=True)]
    load = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert statistics.median(taken) < PROMPT * load  # who shares the machine gets a share of it
