"""Groups, series of chats, nested chats and images of tools in a real JupyterLab: what is seen live, and saved."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.chats import value
from tests.browser.conftest import Notebook
from tests.browser.people import SLOW, asked

WORDS = "word " * 60
"""A reply that streams for more than a second."""

GROUP = f"""
from jupyter_agents import GroupChat, GroupChatManager
boss = person("boss")
engineer = agent("Engineer", {WORDS!r} + "the end.", "Done. TERMINATE")
critic = agent("Critic", "What of empty lines?")
group = GroupChat([boss, engineer, critic], max_round=6, speaker_selection_method=METHOD)
manager = GroupChatManager(group, llm_config=CHOOSES)
result = await boss.a_initiate_chat(manager, message="Read the files.")
"""
AUTO = GROUP.replace("METHOD", "'auto'").replace(
    "CHOOSES", "ScriptedModel(['Nobody that I know', 'Engineer', 'Critic', 'Engineer'])"
)
MANUAL = GROUP.replace("METHOD", "'manual'").replace("CHOOSES", "False")
GRAPH = f"""
from jupyter_agents import a_initiate_chats
facts, history, text = (agent(name, {WORDS!r} + name + ". TERMINATE") for name in ("Ann", "Bob", "Eve"))
results = await a_initiate_chats([
    dict(chat_id="facts", sender=person("me"), recipient=facts, message="When did it snow?"),
    dict(chat_id="history", sender=person("you"), recipient=history, message="What of ploughs?"),
    dict(chat_id="text", sender=person("all"), recipient=text, message="Write.", prerequisites=["facts", "history"]),
])
"""
NESTED = f"""
critic, editor = agent("Critic", {WORDS!r} + "dull."), agent("Editor")
user = person()
editor.register_nested_chats([dict(recipient=critic, message="Judge this.", max_turns=1)], trigger=user)
result = await user.a_initiate_chat(editor, message="Write.", max_turns=1)
"""
TOOL = """
from jupyter_agents.messages import ToolCall
from jupyter_agents.models.base import ModelReply
from jupyter_agents.tool_results import ToolResult

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
call = ModelReply(None, "tool_calls", tool_calls=(ToolCall("plot", "{}", "call_1"),))
helper, user = agent("Helper", call, "It is a dot. TERMINATE"), person()

@user.register_for_execution()
@helper.register_for_llm(description="draws")
def plot():
    there = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + DOT}}
    elsewhere = {"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/secret.png"}}
    return ToolResult("A dot.", (there, elsewhere))

result = await user.a_initiate_chat(helper, message="Draw.")
"""
TWO = f"""
first, second = pair({WORDS!r} + "snow"), pair({WORDS!r} + "rain")
chats = [Chat(*one, message=message, max_turns=1).start() for one, message in ((first, "Snow?"), (second, "Rain?"))]
"""


_DRAWN = "all => all.map(one => getComputedStyle(one).display === 'none' ? null : one.dataset.words)"
_FROM_TOP = """all => all.map(one => [one.getBoundingClientRect().top, one.dataset.words])
    .sort(([one], [other]) => one - other).map(([, words]) => words)"""
_WORDS = "all => all.map(one => [...one.children].map(part => part.textContent).filter(Boolean).join(' '))"


def messages(notebook: Notebook, cell: int) -> Locator:
    return notebook.cell(cell).locator(".jp-agents-Message")


def heads(notebook: Notebook, cell: int) -> list[str]:
    """Who speaks to whom, in which chat; also of those that are out of sight, which are not laid out."""
    found = messages(notebook, cell).locator("header .jp-agents-Message-names")
    words: list[str] = found.evaluate_all(_WORDS)
    return words


def chats_of(notebook: Notebook, cell: int) -> list[str]:
    """The numbers that the style sheet draws beside the names, where it does."""
    shown = notebook.cell(cell).locator(".jp-agents-Message .jp-agents-Talk")
    drawn: list[str | None] = shown.evaluate_all(_DRAWN)
    return [one for one in drawn if one]


def reopen(notebook: Notebook) -> None:
    """Save, and load the page anew."""
    notebook.save()
    notebook.reload()


def keep(notebook: Notebook, cell: int, name: str) -> None:
    """Keep pictures of what stands at the end of a cell: of what goes on one, else one in every theme."""
    messages(notebook, cell).last.scroll_into_view_if_needed()
    (notebook.screenshot if "live" in name else notebook.screenshots)(name)


def left_of(one: Locator) -> float:
    box = one.bounding_box()
    assert box is not None
    return box["x"]


def test_group_streams_live_with_its_speakers_told_apart(notebook):
    cell = notebook.add_and_run(AUTO, wait=False)
    live = notebook.page.locator(".jp-agents-mod-live")

    expect(live).to_contain_text("word word", timeout=SLOW)
    expect(live.locator("header b")).to_have_text("Engineer")
    keep(notebook, cell, "group-live")
    notebook.wait_idle()

    assert heads(notebook, cell) == ["boss to chat_manager", "Engineer", "Critic", "Engineer"]
    chips = messages(notebook, cell).locator(".jp-agents-Chip").all_text_contents()
    assert chips[1] == chips[3]
    assert len(set(chips)) == 3
    assert "Nobody that I know" not in (notebook.cell(cell).locator(".jp-OutputArea").text_content() or "")
    assert chats_of(notebook, cell) == []
    keep(notebook, cell, "group")
    assert notebook.axe(messages(notebook, cell).last) == []


def test_person_chooses_the_next_speaker_by_keys(notebook):
    cell = notebook.add_and_run(MANUAL, wait=False)

    prompt = asked(notebook, "Who speaks next?")
    expect(prompt.locator(".jp-agents-Choice-text")).to_have_text(["boss", "Engineer", "Critic", "End the chat"])
    choose(prompt, "c")
    expect(messages(notebook, cell).last).to_contain_text("What of empty lines?", timeout=SLOW)
    keep(notebook, cell, "group-manual")
    prompt = asked(notebook, "Who speaks next?")
    choose(prompt, "2")
    expect(messages(notebook, cell).last).to_contain_text("the end.", timeout=SLOW)
    choose(asked(notebook, "Who speaks next?"), "End")

    notebook.wait_idle()
    assert heads(notebook, cell) == ["boss to chat_manager", "Critic", "Engineer"]


def choose(prompt: Locator, key: str) -> None:
    """Go to a choice by its key, and take it; a moment after the question has appeared, when it takes an answer."""
    prompt.page.wait_for_function("at => performance.now() > at", arg=prompt.evaluate("performance.now() + 600"))
    prompt.get_by_role("button").first.focus()
    prompt.page.keyboard.press(key)
    prompt.page.keyboard.press("Enter")


def test_chats_of_a_graph_are_told_apart_while_they_go_on_at_the_same_time(notebook):
    cell = notebook.add_and_run(GRAPH, wait=False)
    live = notebook.page.locator(".jp-agents-mod-live .jp-agents-ChatLabel")

    expect(live).to_be_visible(timeout=SLOW)
    assert live.inner_text() in ("facts", "history")
    keep(notebook, cell, "graph-live")
    notebook.wait_idle()

    drawn = heads(notebook, cell)
    assert drawn[:2] == ["me to Ann facts", "you to Bob history"]
    assert sorted(drawn[2:4]) == ["Ann to me facts", "Bob to you history"]
    assert drawn[4:] == ["all to Eve text", "Eve to all text"]
    reopen(notebook)
    expect(messages(notebook, cell)).to_have_count(6)
    assert heads(notebook, cell) == drawn
    keep(notebook, cell, "graph")


@pytest.mark.parametrize("width", [1200, 400])
def test_nested_chat_stands_within_the_one_that_holds_it(notebook, width):
    notebook.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    notebook.page.set_viewport_size({"width": width, "height": 1000})
    cell = notebook.add_and_run(NESTED, wait=False)
    live = notebook.page.locator(".jp-agents-mod-live")
    expect(live).to_contain_text("word word", timeout=SLOW)
    lefts = [left_of(messages(notebook, cell).first), left_of(live)]
    keep(notebook, cell, f"nested-live-{width}")

    notebook.wait_idle()

    shown = messages(notebook, cell).all()
    assert heads(notebook, cell) == ["user to Editor", "Editor to Critic", "Critic to Editor", "Editor to user"]
    outer, inner = left_of(shown[0]), left_of(shown[1])
    assert [outer, inner] == lefts
    assert inner >= outer + 10
    assert [left_of(one) for one in shown[2:]] == [inner, outer]
    [within, last] = notebook.cell(cell).locator(".jp-agents-Note").all()
    assert [left_of(within), left_of(last)] == [inner, outer]
    keep(notebook, cell, f"nested-{width}")
    notebook.page.set_viewport_size({"width": 1200, "height": 1000})


def test_image_of_a_tool_is_shown_and_nothing_is_fetched(notebook):
    fetched: list[str] = []
    notebook.page.on("request", lambda request: fetched.append(request.url))

    cell = notebook.add_and_run(TOOL)
    notebook.wait_idle()
    expect_image(notebook, cell)
    reopen(notebook)

    expect_image(notebook, cell)
    assert [one for one in fetched if "secret" in one] == []
    keep(notebook, cell, "image-of-a-tool")


def expect_image(notebook: Notebook, cell: int) -> None:
    image = notebook.cell(cell).get_by_role("img", name="Image 1 of plot (image/png 1x1)")
    expect(image).to_have_count(1)
    assert image.evaluate("one => one.naturalWidth") == 1
    expect(notebook.cell(cell)).to_contain_text("Image 2 of plot, not loaded: it is at http://127.0.0.1:9/secret.png")


def test_two_chats_of_one_cell_are_told_apart(notebook):
    cell = notebook.add_and_run(TWO)

    expect(notebook.page.locator(".jp-agents-mod-live")).to_have_count(2, timeout=SLOW)
    assert sorted(chats_of(notebook, cell)) == ["chat 1", "chat 1", "chat 2", "chat 2"]
    bars = notebook.cell(cell).locator(".jp-agents-LiveView-bar .jp-agents-Talk:visible")
    expect(bars).to_have_count(2)
    assert bars.evaluate_all(_FROM_TOP) == ["chat 1", "chat 2"]
    keep(notebook, cell, "two-chats-live")
    notebook.add_and_run("for one in chats: await one")
    notebook.wait_idle()

    texts = [
        text.split()[-1] for text in messages(notebook, cell).locator(".jp-agents-Message-body").all_text_contents()
    ]
    told = dict(zip(texts, chats_of(notebook, cell), strict=True))
    assert told == {"Snow?": "chat 1", "snow": "chat 1", "Rain?": "chat 2", "rain": "chat 2"}
    reopen(notebook)
    expect(messages(notebook, cell)).to_have_count(4)
    assert len(chats_of(notebook, cell)) == 4
    assert value(notebook, "len(chats)") == 2
