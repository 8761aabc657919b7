"""What blocks print, when it is long: its end is in view while it grows, its size is said, and all of it can be shown."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.chats import PREPARE, chat, code
from tests.browser.conftest import THEMES, Notebook

SLOW = 30_000
LINES = "for n in range(1204):\n    print('line', n, 'of what the block prints')"
GROWING = "import time\nfor n in range(60):\n    print('line', n, flush=True)\n    time.sleep(0.05)"
BESIDE = f"""
{LINES}
{chat(code("print('short')"), "Done. TERMINATE", policy="auto")}
{LINES}
await user.a_initiate_chat(bot, message="Again", max_turns=1)
"""
CROWDED = f"""
def steps(request, numbers=iter(range(100))):
    number = next(numbers)
    if number < 15:
        return block(f"print('step', {{number}})")
    return block({GROWING!r}) if number == 15 else "Done. TERMINATE"

bot, user = agent("assistant", steps, delay=0), person(policy="auto", max_consecutive_auto_reply=1000)
result = await user.a_initiate_chat(bot, message="Begin")
"""
OTHERS = f"""
import sys
{LINES}
print("line\\n" * 100, file=sys.stderr)
"""
WATCH = """() => {
    window.watched = [];
    const look = () => {
        const text = document.querySelector('.jp-agents-LongText.jp-agents-mod-cut');
        if (text) {
            const {height} = text.getBoundingClientRect(), size = text.nextElementSibling.textContent;
            window.watched.push([Math.round(height), text.scrollTop, parseInt(size)]);
        }
        requestAnimationFrame(look);
    };
    look();
}"""
HOLDS = """() => {
    const begin = window.setTimeout, end = window.clearTimeout, open = new Set();
    window.holds = {open, begun: 0};
    window.setTimeout = (done, after, ...given) => {
        const isHold = after === 1000 && new Error().stack.includes('/extensions/jupyter-agents/');
        const id = begin((...args) => { open.delete(id); done(...args); }, after, ...given);
        if (isHold) {
            open.add(id);
            window.holds.begun += 1;
        }
        return id;
    };
    window.clearTimeout = id => { open.delete(id); end(id); };
}"""
"""The extension keeps the height of a place, and the fold of an output, for a second after something has changed there."""
BOTH = pytest.mark.parametrize("notebook", [("lab", "python3"), ("notebook", "python3")], indirect=True)


def texts(notebook: Notebook, cell: int) -> Locator:
    """The outputs of a cell whose text is kept within its place."""
    return notebook.cell(cell).locator(".jp-agents-LongText")


def hidden(text: Locator) -> int:
    """How much of a text is cut above, in pixels: the end is in view as long as it has not been scrolled."""
    found: list[int] = text.evaluate("node => [node.scrollHeight - node.clientHeight, node.scrollTop]")
    assert found[1] == 0
    return found[0]


def wait_until_settled(notebook: Notebook, cell: int) -> int:
    """Wait until the turn has been handed over and nothing is held there any more: what happens, has happened.

    How often something has been held.
    """
    expect(notebook.cell(cell).locator(".jp-agents-LiveView")).to_have_count(0)
    notebook.page.wait_for_function("window.holds.open.size === 0")
    begun: int = notebook.page.evaluate("window.holds.begun")
    return begun


@BOTH
def test_long_output_is_folded_and_says_its_size_when_a_block_has_printed_it(notebook):
    cell = notebook.add_and_run(chat(code(LINES), "Done. TERMINATE", policy="auto"))
    notebook.wait_idle()
    text = texts(notebook, cell)

    show = notebook.cell(cell).get_by_role("button", name="Show all of this output: 1,204 lines · 41 kB")
    expect(show).to_have_text("Show all")
    expect(text).to_have_count(1)
    height = text.bounding_box()["height"]
    assert hidden(text) > 15_000
    assert 300 < height < 420
    notebook.screenshot("long-output-folded")

    show.focus()
    notebook.page.keyboard.press("Enter")
    assert hidden(text) == 0
    assert text.bounding_box()["height"] > 15_000
    less = notebook.cell(cell).get_by_role("button", name="Show less of this output")
    expect(less).to_have_attribute("aria-expanded", "true")
    less.scroll_into_view_if_needed()
    notebook.page.keyboard.press("Space")
    expect(text).to_have_css("height", re.compile(r"3\d\d"))
    expect(show).to_be_in_viewport()
    expect(show).to_be_focused()
    assert notebook.axe(notebook.cell(cell).locator(".jp-OutputArea").first) == []


@BOTH
def test_end_stays_in_view_and_nothing_jumps_when_a_block_prints_more_and_more(notebook):
    notebook.page.evaluate(HOLDS)
    notebook.page.evaluate(WATCH)
    cell = notebook.add_and_run(chat(code(GROWING), "Done. TERMINATE", policy="auto"))
    notebook.wait_idle()
    expect(notebook.cell(cell)).to_contain_text("Done.")
    assert wait_until_settled(notebook, cell) > 0

    watched = notebook.page.evaluate("window.watched")
    heights, tops, counted = ({frame[at] for frame in watched} for at in range(3))
    assert len(heights) == 1
    assert tops == {0}
    assert len(counted) > 10
    assert max(counted) == 60
    expect(texts(notebook, cell)).to_have_count(1)


def test_nothing_jumps_when_the_block_prints_in_the_place_that_a_long_chat_shares(notebook):
    notebook.page.evaluate(HOLDS)
    notebook.page.evaluate(WATCH)
    cell = notebook.add_and_run(CROWDED)
    notebook.wait_idle()
    expect(notebook.cell(cell)).to_contain_text("Done.")
    assert wait_until_settled(notebook, cell) > 0

    heights, tops, counted = ({frame[at] for frame in notebook.page.evaluate("window.watched")} for at in range(3))
    assert len(heights) == 1
    assert tops == {0}
    assert max(counted) == 60
    assert len(counted) > 5
    assert len(notebook.outputs(cell)) <= 50
    expect(notebook.cell(cell).locator(".jp-agents-LiveView")).to_have_count(0)
    expect(notebook.cell(cell).get_by_role("button", name="60 lines")).to_be_visible()


def test_file_holds_all_of_it_and_it_is_folded_again_when_the_notebook_is_reopened(notebook):
    cell = notebook.add_and_run(chat(code(LINES), "Done. TERMINATE", policy="auto"))
    notebook.wait_idle()
    before = texts(notebook, cell).bounding_box()["height"]

    outputs = notebook.save().cells[cell].outputs
    notebook.reload()

    printed = [one.text for one in outputs if one.output_type == "stream"]
    assert [text.count("\n") for text in printed] == [1204]
    expect(notebook.cell(cell).get_by_role("button", name="1,204 lines")).to_be_visible(timeout=SLOW)
    assert hidden(texts(notebook, cell)) > 15_000
    assert texts(notebook, cell).bounding_box()["height"] == before


def test_errors_and_values_are_folded_like_what_is_printed(notebook):
    shows = "import sys\nprint('warning\\n' * 40, file=sys.stderr)\nlist(range(400))"
    cell = notebook.add_and_run(chat(code(shows), "Done. TERMINATE", policy="auto"))
    notebook.wait_idle()

    sizes = notebook.cell(cell).locator(".jp-agents-LongText-size")
    expect(sizes).to_have_text([re.compile("40 lines"), re.compile("400 lines")])
    left = "nodes => nodes.map(node => node.firstElementChild.getBoundingClientRect().left)"
    assert len(set(texts(notebook, cell).evaluate_all(left))) == 1
    assert [one["output_type"] for one in notebook.outputs(cell)].count("execute_result") == 1


def test_output_is_left_alone_when_it_is_of_no_block(notebook):
    notebook.page.evaluate(HOLDS)
    others = notebook.add_and_run(OTHERS)
    beside = notebook.add_and_run(BESIDE)
    notebook.wait_idle()
    expect(notebook.cell(beside)).to_contain_text("Done.")
    wait_until_settled(notebook, beside)

    assert [one["output_type"] for one in notebook.outputs(beside)].count("stream") == 3
    expect(texts(notebook, others)).to_have_count(0)
    expect(texts(notebook, beside)).to_have_text("short\n")
    expect(notebook.cell(beside).get_by_role("button", name="Show all")).to_have_count(0)
    heights = (
        notebook.cell(others)
        .locator(".jp-OutputArea-output")
        .evaluate_all("nodes => nodes.map(node => node.scrollHeight - node.clientHeight)")
    )
    assert heights == [0, 0]


@pytest.mark.parametrize("width", [400, 1200])
def test_folded_output_is_accessible_when_it_is_seen_in_every_theme(open_notebook, width):
    notebook = open_notebook(PREPARE, chat(code(LINES), "Done. TERMINATE", policy="auto"), app="notebook")
    notebook.page.set_viewport_size({"width": width, "height": 900})
    notebook.run_all()
    notebook.wait_idle()
    button = notebook.cell(1).get_by_role("button", name="Show all")

    for theme in THEMES:
        notebook.use_theme(theme)
        button.scroll_into_view_if_needed()
        notebook.screenshot(f"long-output-{width}-{theme}")
        assert notebook.axe(notebook.cell(1).locator(".jp-OutputArea").first) == []
        assert button.evaluate("node => node.getBoundingClientRect().right") < width
