"""What is hard to take: a megabyte in any field, halves of characters, texts that attack, and a page that closes a widget."""

from __future__ import annotations

import hashlib
import re

import pytest
from playwright.sync_api import Locator, Request, expect

from tests.browser.chats import Source, code, said, value
from tests.browser.conftest import Notebook
from tests.browser.people import LAB, OLDEST, SLOW, asked, begin, may_run, on, press, reply
from tests.browser.test_renderer import ATTACKS, DANGEROUS, attack

MEGABYTE = 1_000_000
LINES = "".join(f"# line {number}: žluťoučký 🐎\n" for number in range(34_000))


def paste(field: Locator, text: str) -> None:
    """Put a text into a field by way of the clipboard, in place of what is there."""
    field.page.evaluate("text => navigator.clipboard.writeText(text)", text)
    field.press("Control+a")
    field.press("Control+v")
    field.page.wait_for_function(
        "([field, length]) => field.value.length === length",
        arg=[field.element_handle(), len(text.encode("utf-16-le")) // 2],
        timeout=SLOW,
    )


def digest(text: str) -> tuple[int, str]:
    return len(text), hashlib.sha256(text.encode()).hexdigest()


def digest_of(notebook: Notebook, expression: str) -> tuple[int, str]:
    """The same of a text in the kernel."""
    found: tuple[int, str] = value(
        notebook, f"(lambda t: (len(t), __import__('hashlib').sha256(t.encode()).hexdigest()))({expression})"
    )
    return found


def ready(card: Locator, name: str) -> Locator:
    """A button of a card, when it takes a click."""
    button = card.get_by_role("button", name=name, exact=True)
    expect(button).not_to_have_attribute("aria-disabled", "true", timeout=SLOW)
    return button


# -- A megabyte ------------------------------------------------------------------------------------------------------


def test_code_runs_as_it_was_edited_when_a_megabyte_is_pasted_into_it(notebook):
    cell = begin(notebook, "awaited", code("answer = 1"), "Thank you. TERMINATE", policy="ask")
    card = may_run(notebook)
    press(card, "Edit and run…")
    text = f"{LINES}answer = 6 * 7\nprint('it', 'ran')"
    assert len(text.encode()) > MEGABYTE

    paste(card.get_by_role("textbox", name="Code, to edit"), text)
    notebook.screenshot("pasted-code")
    ready(card, "Run edited code").click()

    expect(notebook.cell(cell)).to_contain_text("it ran", timeout=SLOW)
    expect(notebook.cell(cell)).to_contain_text("Thank you.", timeout=SLOW)
    notebook.wait_idle()
    assert value(notebook, "globals().pop('answer')") == 42
    started = "next(one.event.code for one in result.log if type(one.event).__name__ == 'CodeStarted')"
    assert digest_of(notebook, started) == digest(text)


def test_model_reads_the_whole_reason_when_a_megabyte_is_pasted_into_it(notebook):
    begin(notebook, "awaited", code("answer = 1"), "Thank you. TERMINATE", policy="ask")
    card = may_run(notebook)
    press(card, "Reject…")
    assert len(LINES.encode()) > MEGABYTE

    paste(card.get_by_role("textbox", name="Why not?"), LINES)
    ready(card, "Reject").click()

    notebook.wait_idle()
    reason = "models['assistant'].requests[-1].messages[-1]['content'].partition('run this code: ')[2]"
    assert digest_of(notebook, f"({reason}).strip()") == digest(LINES.strip())
    assert value(notebook, "'answer' in globals()") is False


def test_message_arrives_whole_when_a_megabyte_is_pasted_into_a_chat_box(notebook):
    cell = notebook.cell(notebook.add_and_run("box = AgentChat(agent('coder', 'Thank you.'))\nbox"))
    composer = cell.get_by_label("Message", exact=True)
    composer.wait_for(timeout=SLOW)

    paste(composer, LINES)
    ready(cell, "Send").click()

    expect(cell.locator(".jp-agents-Message", has_text="Thank you.")).to_be_visible(timeout=SLOW)
    expect(cell.get_by_role("button", name="Stop", exact=True)).to_have_count(0, timeout=SLOW)
    notebook.wait_idle()
    assert digest_of(notebook, "box.messages[0]['content'].strip()") == digest(LINES.strip())
    notebook.add_and_run("box.close()")


def test_code_can_be_approved_when_it_is_as_long_as_code_may_be(notebook):
    text = f"#{'x' * 500}\n" * 500 + "answer = 6 * 7"  # a message's blocks are looked for in its first 256 KiB
    begin(notebook, "awaited", code(text), "Thank you. TERMINATE", policy="ask", delay=0)

    card = may_run(notebook)
    expect(card.locator(".jp-agents-Approval-code")).to_contain_text("answer = 6 * 7")
    press(card, "Run")

    notebook.wait_idle()
    assert value(notebook, "globals().pop('answer')") == 42


# -- Halves of characters --------------------------------------------------------------------------------------------


def type_half(field: Locator) -> None:
    """Write a text with half a character, as a script or a broken input method can."""
    field.evaluate("node => { node.value = 'a\\ud800b'; node.dispatchEvent(new Event('input', {bubbles: true})); }")


def test_halves_of_characters_are_replaced_wherever_they_are_written(notebook):
    notebook.add_and_run("box = AgentChat(agent('coder', 'Thank you.'))")
    box = notebook.cell(notebook.add_and_run("box"))
    type_half(box.get_by_label("Message", exact=True))
    ready(box, "Send").click()
    expect(box).to_contain_text("Thank you.", timeout=SLOW)
    notebook.wait_idle()
    begin(notebook, "awaited", code("answer = 1"), code("answer = 2"), "TERMINATE", policy="ask")

    card = may_run(notebook)
    press(card, "Reject…")
    type_half(card.get_by_role("textbox", name="Why not?"))
    ready(card, "Reject").click()
    notebook.page.locator(".jp-agents-Approval-code", has_text="answer = 2").wait_for(timeout=SLOW)
    card = may_run(notebook)
    press(card, "Edit and run…")
    field = card.get_by_role("textbox", name="Code, to edit")
    type_half(field)
    field.evaluate("node => { node.value = `answer = '${node.value}'`; node.dispatchEvent(new Event('input')); }")
    ready(card, "Run edited code").click()

    notebook.wait_idle()
    assert value(notebook, "box.messages[0]['content']") == "a\ufffdb"
    assert "run this code: a\ufffdb" in said(notebook)[2]
    assert value(notebook, "globals().pop('answer')") == "a\ufffdb"
    notebook.add_and_run("box.close()")


HALVES_MENDED = ("s\ufffdt", "h\ufffdi", "v\ufffdw", "x\ufffd", "m\ufffdn")
HALVES = """
import os
folder = os.fsencode(os.path.abspath("halves"))
os.makedirs(folder, exist_ok=True)
open(folder + b"/\\xff.txt", "w").close()
"""
SHOWN_HALVES = """
print('s\\ud800t')
display({'text/plain': 'd\\udfffe', 'text/html': '<b>h\\ud800i</b>'}, raw=True)
print(os.listdir('halves'))
raise ValueError('v\\ud800w')"""


@on(LAB, OLDEST)
def test_conversation_goes_on_when_code_shows_halves_of_characters(notebook):
    notebook.add_and_run(HALVES)
    script = Source(r'"Look:\n\n```sh\nls halves; printf \"x\\355\\240\\200y\\n\"; python3 -c \"print(1)\"\n```"')
    replies = (code(SHOWN_HALVES), script, Source("'Half: m\\ud800n'"), "Whole. TERMINATE")
    cell = begin(notebook, "awaited", *replies, policy="auto", default_auto_reply="And?")

    outputs = notebook.cell(cell).locator(".jp-OutputArea").first
    expect(outputs).to_contain_text("Whole.", timeout=SLOW)
    notebook.wait_idle()
    shown = outputs.text_content() or ""  # what is out of sight is not drawn
    assert [words for words in HALVES_MENDED if words not in shown] == []
    assert "Whole." in str(notebook.save().cells[cell].outputs[-1])
    shell, script_said = said(notebook)[2], said(notebook)[4]
    assert "s\ufffdt" in shell
    assert "x\ufffd" in script_said
    assert not re.search("[\ud800-\udfff]", shell + script_said)


# -- Texts that attack, while they are live --------------------------------------------------------------------------


@pytest.fixture
def requests(notebook: Notebook):
    """The addresses outside of the server that the page asks for, and those on it that an attack names."""
    found: list[str] = []
    assert notebook.lab is not None
    ours = (notebook.lab.url, notebook.lab.url.replace("http", "ws"), "data:", "blob:")

    def note(request: Request) -> None:
        if not request.url.startswith(ours) or "evil" in request.url:
            found.append(request.url)

    notebook.page.on("request", note)
    yield found
    notebook.page.remove_listener("request", note)


ALL = "\n\n".join(attack(name) for name in ATTACKS)
HOSTILE_BOX = "box = AgentChat(agent('<img src=x onerror=pwned=1>', {text!r}))\nbox"


def assert_harmless(notebook: Notebook, requests: list[str]) -> None:
    """Nothing was fetched, nothing ran, and nothing that could is on the page of ours."""
    notebook.page.wait_for_load_state("networkidle")
    ours = notebook.page.locator(".jp-agents-LiveView, .jp-agents-Slot, .jp-agents-Prompt, .jp-agents-Composer")
    assert ours.count() > 0
    assert ours.locator(DANGEROUS).evaluate_all("nodes => nodes.map(node => node.outerHTML)") == []
    assert notebook.page.evaluate("window.pwned") is None
    assert requests == []


def test_nothing_is_fetched_and_nothing_runs_when_texts_attack_while_they_are_live(notebook, requests):
    text = Source(f"{ALL!r} + 'ended'")
    begin(notebook, "awaited", text, code(ALL), mode="ALWAYS", policy="ask", delay=0.001)
    expect(asked(notebook)).to_be_visible(timeout=SLOW)
    expect(notebook.page.locator(".jp-agents-Message", has_text="ended")).to_be_visible(timeout=SLOW)
    assert_harmless(notebook, requests)

    reply(notebook, ALL)
    card = asked(notebook)
    expect(card).to_be_visible(timeout=SLOW)
    notebook.screenshot("attacks-live")
    assert_harmless(notebook, requests)
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    notebook.wait_idle()
    assert_harmless(notebook, requests)


def test_nothing_is_fetched_and_nothing_runs_when_a_question_or_a_chat_box_attacks(notebook, requests):
    notebook.add_and_run(
        "from jupyter_agents import a_ask\n"
        f"attacks = {ALL!r}\n"
        "asking = asyncio.ensure_future(a_ask(attacks, [attacks, '<img src=x onerror=pwned=1>']))\nawait asyncio.sleep(0)"
    )
    box = notebook.cell(notebook.add_and_run(HOSTILE_BOX.format(text=ALL)))
    composer = box.get_by_label("Message", exact=True)
    composer.fill("See @attacks ", timeout=SLOW)
    ready(box, "Send").click()
    expect(box.locator(".jp-agents-Preview")).to_contain_text("after", timeout=SLOW)
    assert_harmless(notebook, requests)
    ready(box, "Send").click()
    expect(box.locator(".jp-agents-Message", has_text="after")).to_have_count(2, timeout=SLOW)
    notebook.screenshot("attacks-box")
    assert_harmless(notebook, requests)

    notebook.add_and_run("asking.cancel()\nbox.close()")


# -- The page closes what it shows -----------------------------------------------------------------------------------

CLOSE = "from ipywidgets import Widget\nimport threading\n"


@pytest.mark.parametrize(
    ("notebook", "how"),
    [(LAB, "blocking"), (LAB, "awaited"), (LAB, "background")],
    indirect=["notebook"],
    ids=["blocking", "awaited", "background"],
)
def test_question_is_asked_again_when_its_comm_is_closed(notebook, how):
    notebook.add_and_run(f"{CLOSE}threading.Timer(4, Widget.close_all).start()")
    cell = begin(notebook, how, "Who are you?", "Hello, Ada.", mode="ALWAYS")
    before = asked(notebook).element_handle()

    before.wait_for_element_state("hidden", timeout=SLOW)
    reply(notebook, "I am Ada")

    expect(notebook.cell(cell).locator(".jp-agents-Message", has_text="Hello, Ada.")).to_be_visible(timeout=SLOW)
    reply(notebook, "exit")
    expect(notebook.page.locator(".jp-agents-Prompt")).to_have_count(0, timeout=SLOW)
    notebook.wait_idle()
    result = "chat.result" if how == "background" else "result"
    assert said(notebook, result)[:3] == ["Hello", "Who are you?", "I am Ada"]


# -- Two chats, one kernel -------------------------------------------------------------------------------------------

SCRIPTS = """
from pathlib import Path
Path("log").write_text("")

def scripts(name):
    lines = "\\n".join(f"echo begin {name} >> log; sleep 0.2; echo end {name} >> log" for _ in range(2))
    return f"Look:\\n\\n```sh\\n{lines}\\n```"

chats = [
    Chat(person(f"for_{name}", "NEVER", "auto"), agent(name, *[scripts(name)] * 2, "Done. TERMINATE"), message="Go").start()
    for name in ("ada", "bob")
]
results = [await one for one in chats]
"""


def test_scripts_of_two_chats_in_the_background_never_run_at_once(notebook):
    notebook.add_and_run(SCRIPTS)

    lines = value(notebook, "Path('log').read_text().splitlines()")
    blocks = ["\n".join(lines[at : at + 4]) for at in range(0, len(lines), 4)]
    whole = {name: "\n".join([f"begin {name}", f"end {name}"] * 2) for name in ("ada", "bob")}
    assert sorted(blocks) == sorted([whole["ada"], whole["bob"]] * 2)
