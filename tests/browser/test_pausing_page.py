"""Pause, Step and Resume in a browser: while a cell blocks, awaits or has ended, in a box, and when something comes between."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.chats import HOLDS, chat, code, said, value
from tests.browser.conftest import Notebook
from tests.browser.test_page_life import SLOW, reload_meanwhile

WORDS = "word " * 200
"""A reply that streams for four seconds, in which Pause can be pressed."""


def long_chat(how: str, **pair: object) -> str:
    """A cell with a chat of six messages."""
    return chat(WORDS, "Two.", "Three.", how=how, default_auto_reply="Go on.", options="max_turns=3", **pair)


def button(notebook: Notebook, name: str) -> Locator:
    return notebook.page.get_by_role("button", name=name, exact=True).locator("visible=true")


def words(notebook: Notebook) -> Locator:
    """What the line says of a pause."""
    return notebook.page.locator(".jp-agents-Standstill:visible")


def expect_rest(notebook: Notebook, following: str) -> None:
    expect(words(notebook)).to_have_text(f"Paused{following}", timeout=SLOW)


def ended(notebook: Notebook, how: str) -> list[str]:
    """What was said, when the chat has ended."""
    if how == "background":
        notebook.add_and_run("result = await chat")
    notebook.wait_idle()
    return said(notebook)


def blank(notebook: Notebook, cell: int) -> float:
    """How much an output is higher than what it shows, at most: its place is kept for a moment when that changes."""
    found: float = notebook.cell(cell).evaluate(_BLANK)
    return found


_BLANK = """cell => Math.max(...[...cell.querySelectorAll('.jp-agents-Slot')].map(slot => {
    const shown = [...slot.children].filter(one => one.offsetParent !== null);
    return slot.offsetHeight - shown.reduce((sum, one) => sum + one.offsetHeight, 0);
}))"""


def wait_for_words(notebook: Notebook) -> None:
    """Wait until the reply is seen to stream; looked for in every frame, as it does not last."""
    notebook.page.wait_for_function(_STREAMS, timeout=SLOW)


_STREAMS = """() => [...document.querySelectorAll('.jp-agents-mod-live')]
    .some(live => live.textContent.includes('word word'))"""


def pause(notebook: Notebook) -> None:
    """Press Pause while the first reply is written."""
    wait_for_words(notebook)
    button(notebook, "Pause").press("Enter")  # it moves down as the text grows


@pytest.mark.parametrize("how", HOLDS)
def test_chat_rests_makes_a_step_and_goes_on(notebook, how):
    cell = notebook.add_and_run(long_chat(how), wait=False)

    pause(notebook)
    expect(words(notebook)).to_have_text("Pausing after this…")
    expect_rest(notebook, "Next to speak: user")
    messages = notebook.cell(cell).locator(".jp-agents-Message")
    expect(messages).to_have_count(2)
    button(notebook, "Step").focus()
    notebook.page.keyboard.press("Enter")

    expect_rest(notebook, "Next to speak: assistant")
    expect(messages).to_have_count(3)
    expect(button(notebook, "Step")).to_be_focused()
    expect(button(notebook, "Step")).to_be_in_viewport()
    notebook.page.keyboard.press("Enter")
    expect_rest(notebook, "Next to speak: user")
    expect(messages).to_have_count(4)
    assert blank(notebook, cell) < 60
    expect(button(notebook, "Step")).to_be_in_viewport()
    notebook.screenshot(f"paused-{how}")
    button(notebook, "Resume").click()
    assert len(ended(notebook, how)) == 6
    expect(button(notebook, "Pause")).to_have_count(0)


def test_code_that_runs_comes_to_its_end_before_the_chat_rests(notebook):
    slow = code("import time\nfor n in range(4):\n    print(n)\n    time.sleep(0.5)\nran = n")
    notebook.add_and_run(chat(slow, "Done.", policy="auto", options="max_turns=2"), wait=False)
    expect(button(notebook, "Interrupt code")).to_be_visible(timeout=SLOW)

    button(notebook, "Pause").click()

    expect(words(notebook)).to_have_text("Pausing after this…")
    expect_rest(notebook, "Next to speak: assistant")
    button(notebook, "Resume").click()
    notebook.wait_idle()
    assert value(notebook, "ran") == 3
    assert said(notebook)[-1] == "Done."


BESIDE = """
from jupyter_agents import a_initiate_chats
slow = block("import asyncio\\nfor n in range(8):\\n    await asyncio.sleep(0.5)\\nran = n")
results = await a_initiate_chats([
    dict(chat_id="talk", sender=person("me"), recipient=agent("Ann", "word " * 100, "Two."), message="Go", max_turns=2),
    dict(chat_id="work", sender=person("you", policy="auto"), recipient=agent("Bob", slow, "Ran."), message="Go", max_turns=2),
])
"""


def test_chats_beside_each_other_rest_when_the_code_of_each_has_ended(notebook):
    cell = notebook.add_and_run(BESIDE, wait=False)
    expect(button(notebook, "Interrupt code")).to_be_visible(timeout=SLOW)
    expect(notebook.cell(cell).locator(".jp-agents-Message")).to_have_count(3)

    button(notebook, "Pause").first.press("Enter")

    expect(words(notebook)).to_have_text("Pausing after this…")
    expect(notebook.cell(cell).locator(".jp-agents-Message")).to_have_count(4, timeout=SLOW)  # the other one rests
    expect(words(notebook)).to_have_text("Pausing after this…")
    notebook.screenshot("pausing-beside")
    expect_rest(notebook, "Next to speak: Bob")
    notebook.screenshot("paused-beside")
    button(notebook, "Resume").click()
    notebook.wait_idle()
    assert value(notebook, "ran") == 7
    assert value(notebook, "[results[name].messages[-1]['content'] for name in results]") == ["Two.", "Ran."]


@pytest.mark.parametrize("how", HOLDS)
def test_paused_chat_is_stopped(notebook, how):
    notebook.add_and_run(long_chat(how), wait=False)
    pause(notebook)
    expect_rest(notebook, "Next to speak: user")

    button(notebook, "Stop").click()

    assert len(ended(notebook, how)) == 2
    expect(words(notebook)).to_have_count(0)


@pytest.mark.parametrize("how", ["blocking", "awaited"])
def test_paused_chat_is_ended_by_an_interrupt_of_the_kernel(notebook, how):
    cell = notebook.add_and_run(long_chat(how), wait=False)
    pause(notebook)
    expect_rest(notebook, "Next to speak: user")

    notebook.interrupt()

    notebook.wait_idle(10)
    expect(words(notebook)).to_have_count(0)
    expect(button(notebook, "Resume")).to_have_count(0)
    expect(notebook.cell(cell)).to_contain_text("interrupted")


def test_page_that_is_loaded_anew_lets_a_paused_chat_go_on(notebook):
    notebook.add_and_run(long_chat("awaited"), wait=False)
    pause(notebook)
    expect_rest(notebook, "Next to speak: user")
    notebook.save()

    reload_meanwhile(notebook)
    expect_rest(notebook, "Next to speak: user")
    button(notebook, "Step").click()
    expect_rest(notebook, "Next to speak: assistant")
    button(notebook, "Resume").click()

    notebook.wait_idle()
    assert len(said(notebook)) == 6


def test_chat_that_blocks_a_cell_ends_when_its_page_was_loaded_anew_while_it_rested(notebook):
    notebook.add_and_run("from jupyter_agents.display import pausing\npausing.SILENCE = 2")
    notebook.add_and_run(long_chat("blocking"), wait=False)
    pause(notebook)
    expect_rest(notebook, "Next to speak: user")
    notebook.save()

    reload_meanwhile(notebook)

    notebook.wait_idle(20)
    assert value(notebook, "result.detail") == "stopped since the page on which it was paused is gone"
    assert len(said(notebook)) == 2
    notebook.add_and_run("pausing.SILENCE = 60")


def test_second_tab_shows_the_pause_and_presses_its_buttons(notebook):
    notebook.add_and_run(long_chat("background"), wait=False)
    pause(notebook)
    expect_rest(notebook, "Next to speak: user")
    notebook.save()
    first, second = notebook.page, notebook.page.context.new_page()

    second.goto(first.url)
    notebook.page = second
    notebook.wait_ready()
    expect_rest(notebook, "Next to speak: user")
    button(notebook, "Step").click()
    expect_rest(notebook, "Next to speak: assistant")
    notebook.page = first
    expect_rest(notebook, "Next to speak: assistant")
    button(notebook, "Resume").click()

    assert len(ended(notebook, "background")) == 6
    second.close()


def test_chat_box_has_the_same_buttons(notebook):
    cell = notebook.add_and_run(f"box = AgentChat(agent('clerk', {WORDS!r}, 'Two.'))\nbox")
    box = notebook.cell(cell).locator(".jp-agents-mod-chatBox")
    expect(button(notebook, "Pause")).to_have_count(0)
    box.get_by_role("textbox").fill("Hello")
    notebook.page.keyboard.press("Enter")

    pause(notebook)

    expect(words(notebook)).to_have_text("Pausing after this…")
    expect_rest(notebook, "Next to speak: you")
    button(notebook, "Resume").click()
    expect(button(notebook, "Pause")).to_have_count(0)
    expect(box.locator(".jp-agents-Message")).to_have_count(2)


def test_buttons_of_another_cell_are_seen_on_the_page(notebook):
    notebook.add_and_run(long_chat("background"), wait=False)
    wait_for_words(notebook)

    notebook.add_and_run("chat.pause()\nawait chat.rested()")
    expect_rest(notebook, "Next to speak: user")
    notebook.add_and_run("chat.resume()\nawait chat")

    expect(words(notebook)).to_have_count(0)
    assert len(said(notebook, "chat.result")) == 6


def test_line_of_a_paused_chat_is_not_crowded_when_the_page_is_narrow(notebook):
    notebook.page.set_viewport_size({"width": 400, "height": 800})
    notebook.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    try:
        notebook.add_and_run(long_chat("background"), wait=False)
        pause(notebook)
        expect_rest(notebook, "Next to speak: user")

        bar = notebook.page.locator(".jp-agents-LiveView-bar:visible")
        tops = (
            bar.get_by_role("button")
            .locator("visible=true")
            .evaluate_all("all => all.map(n => n.getBoundingClientRect().top)")
        )
        inside = bar.evaluate("n => n.scrollWidth <= n.clientWidth && n.offsetHeight < 70")
        faults = notebook.axe(bar)
        notebook.screenshots("paused-400")
    finally:
        notebook.page.set_viewport_size({"width": 1200, "height": 1000})
        notebook.page.evaluate("() => window.jupyterapp.shell.expandLeft()")
    assert len(tops) == 3
    assert len(set(tops)) == 1
    assert inside
    assert faults == []
