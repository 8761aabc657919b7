"""The live view in a real browser, on a static page that plays the kernel: focus, scrolling, keys, accessibility."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "jupyter_agents" / "widgets" / "static"
THEMES = ROOT / ".venv" / "share" / "jupyter" / "lab" / "themes" / "@jupyterlab"
AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
MESSAGE = "application/vnd.jupyter-agents.message+json"
LIVE = {"sender": "assistant", "recipient": "user", "colour": 1, "text": ""}
PAGE = """<!doctype html><html lang="en"><title>A notebook</title><body style="margin: 0">
<main class="jp-Notebook" tabindex="-1" aria-label="notebook" style="height: 400px; overflow: auto">
<div style="height: 200px"><label>A cell <textarea id="cell"></textarea></label></div>
<div class="jp-OutputArea"><div style="display: flex"><div id="output" style="flex: 1; min-width: 0"></div></div></div>
</main></body></html>"""
LOAD = """async ([source, style, theme]) => {
    for (const css of [theme, style]) {
        const sheet = document.createElement('style');
        sheet.textContent = css;
        document.head.append(sheet);
    }
    document.body.style.background = 'var(--jp-layout-color0)';
    document.body.style.color = 'var(--jp-ui-font-color1)';
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    const widget = (await import(url)).default();
    const heard = new Set();
    window.sent = [];
    window.needed = [];
    document.addEventListener('jp-agents:person-needed', event => window.needed.push(event.detail));
    window.say = message => [...heard].forEach(one => one(message));
    const model = {
        on: (_, callback) => heard.add(callback),
        off: (_, callback) => heard.delete(callback),
        send: message => window.sent.push(message),
    };
    widget.initialize({ model });
    window.end = widget.render({ model, el: document.querySelector('#output') });
}"""


class Kernel:
    """Says to the page what a kernel would say."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.seq = self.lines = 0

    def say(self, **message: Any) -> None:
        self.page.evaluate("message => window.say(message)", message)

    def state(self, **values: Any) -> None:
        nothing = {
            "items": [],
            "live": None,
            "activity": None,
            "questions": [],
            "earlier": 0,
            "composer": None,
            "pause": None,
        }
        self.say(t="state", seq=self.seq, to=None, slot=0, state=nothing | {"is_going_on": True} | values)

    def patch(self, *ops: dict[str, Any]) -> None:
        self.seq += 1
        self.say(t="patch", seq=self.seq, ops=list(ops))

    def sent(self, kind: str) -> list[dict[str, Any]]:
        return self.page.evaluate("kind => window.sent.filter(message => message.t === kind)", kind)

    def scrolled(self, selector: str) -> dict[str, float]:
        """Where a scroller stands: `top`, and how much is `below` what it shows."""
        return self.page.eval_on_selector(
            selector, "n => ({top: n.scrollTop, below: n.scrollHeight - n.clientHeight - n.scrollTop})"
        )


def set_(**values: Any) -> dict[str, Any]:
    return {"op": "set", "values": values}


def item(number: int, text: str) -> dict[str, Any]:
    said = {"schema": 1, "kind": "message", "sender": "assistant", "recipient": "user", "colour": 1, "text": text}
    return {"id": number, "kind": "bundle", "bundle": {"data": {MESSAGE: said}, "metadata": {}}}


def question(number: str = "q1", **values: Any) -> dict[str, Any]:
    asked = {"id": number, "kind": "text", "text": "Well?", "agent": "user", "sender": "assistant", "empty": "send"}
    rest = {"choices": [], "code": "", "language": "", "facts": None, "otherwise": "", "remaining": None}
    return asked | rest | values


@pytest.fixture
def kernel(page: Page) -> Callable[..., Kernel]:
    def kernel(theme: str = "light") -> Kernel:
        page.set_content(PAGE)
        page.evaluate("theme => document.body.dataset.jpThemeLight = String(theme === 'light')", theme)
        css = (THEMES / f"theme-{theme}-extension" / "index.css").read_text()
        page.evaluate(LOAD, [(STATIC / "live.js").read_text(), (STATIC / "agents.css").read_text(), css])
        return Kernel(page)

    return kernel


def settle(page: Page) -> None:
    """Let the page draw, and its observers see what it has drawn."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def stream(kernel: Kernel, lines: int = 60) -> None:
    for number in range(lines):
        kernel.patch({"op": "text", "text": f"Line {number} of a reply that is long.\n\n"})
    kernel.lines += lines
    drawn = "count => document.querySelectorAll('.jp-agents-mod-live .jp-agents-Markdown > p').length >= count"
    kernel.page.wait_for_function(drawn, arg=kernel.lines)  # it is revealed bit by bit
    settle(kernel.page)


def test_reader_stays_at_the_end_when_the_end_was_in_view(kernel, page):
    live = kernel()
    live.state(live=LIVE)

    stream(live)

    assert live.scrolled(".jp-Notebook")["top"] > 500
    assert live.scrolled(".jp-Notebook")["below"] <= 8


def test_reader_is_left_alone_when_scrolled_up(kernel, page):
    live = kernel()
    live.state(live=LIVE)
    stream(live)
    page.eval_on_selector(".jp-Notebook", "node => node.scrollTop = 300")
    settle(page)

    stream(live)

    assert live.scrolled(".jp-Notebook")["top"] == 300


def test_line_of_what_goes_on_stays_in_reach_when_code_shows_much_below_the_view(kernel, page):
    live = kernel()
    live.state(activity={"kind": "code", "agent": "user", "what": "python", "elapsed": 3, "remaining": None})
    stop = page.get_by_role("button", name="Interrupt code")
    stop.focus()

    page.evaluate(_PRINT, 200)
    settle(page)
    page.eval_on_selector(".jp-Notebook", "node => node.scrollTop = 1000")
    settle(page)

    box = stop.bounding_box()
    assert box is not None
    assert 0 < box["y"] < 400 - box["height"]
    assert page.evaluate("() => document.activeElement.textContent") == "Interrupt code"
    page.keyboard.press("Enter")
    assert len(live.sent("interrupt")) == 1


_PRINT = """lines => {
    const output = document.createElement('div');
    output.className = 'jp-OutputArea-child';
    output.append(...Array.from({length: lines}, (_, n) => {
        const line = document.createElement('div');
        line.textContent = `line ${n}`;
        return line;
    }));
    document.querySelector('.jp-OutputArea').append(output);
}"""


def test_output_that_grows_in_the_view_keeps_to_its_place_and_its_end(kernel, page):
    live = kernel()
    live.state(items=[printed(1, "line\n")])

    for _ in range(30):
        live.patch({"op": "stream", "id": 1, "text": "line\n" * 10})
    settle(page)

    place = page.locator(".jp-agents-LiveOutput-place")
    assert place.bounding_box()["height"] < 400
    assert place.evaluate(_BELOW) <= 1
    assert page.get_by_text("301 lines").is_visible()

    page.get_by_role("button", name="Show all of this output").click()
    assert place.bounding_box()["height"] > 4000
    assert place.evaluate(_BELOW) <= 1


_BELOW = """node => {
    const [text, place] = [node.firstElementChild, node].map(one => one.getBoundingClientRect());
    return text.bottom - place.bottom;
}"""
"""How much of a text is below its place, in pixels."""


def printed(number: int, text: str) -> dict[str, Any]:
    bundle = {"data": {"application/vnd.jupyter.stdout": text}, "metadata": {}}
    return {"id": number, "kind": "output", "bundle": bundle}


def test_page_does_not_scroll_when_the_output_is_swapped(kernel, page):
    live = kernel()
    live.state(live=LIVE)
    stream(live)
    before = live.scrolled(".jp-Notebook")["top"]

    live.say(t="leaving")
    page.evaluate("() => window.end()")
    settle(page)

    assert page.locator(".jp-agents-LiveView").count() == 0
    assert live.scrolled(".jp-Notebook")["top"] == before


def test_turn_keeps_its_height_when_it_becomes_a_message(kernel, page):
    live = kernel()
    text = "Some **words**.\n\n- one\n- two\n\n```python\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    live.state(live=LIVE)
    live.patch({"op": "text", "text": text})
    page.locator(".jp-agents-mod-live").get_by_role("cell", name="2", exact=True).wait_for()  # it flows in for a moment
    settle(page)
    turn = page.locator(".jp-agents-mod-live").bounding_box()

    live.patch({"op": "item", "item": item(1, text)}, set_(live=None))

    message = page.locator(".jp-agents-LiveView-items .jp-agents-Message").bounding_box()
    assert message == pytest.approx(turn, abs=1)


def test_chat_box_offers_new_text_when_the_reader_has_scrolled_up(kernel, page):
    live = kernel()
    live.state(live=LIVE, composer={"agents": ["assistant"], "is_busy": True})
    stream(live)
    button = page.get_by_role("button", name="New text below")
    at_end = button.is_visible(), live.scrolled(".jp-agents-LiveView-scroll")["below"] <= 8
    page.eval_on_selector(".jp-agents-LiveView-scroll", "node => node.scrollTop = 0")
    button.wait_for()

    button.click()

    assert at_end == (False, True)
    assert live.scrolled(".jp-agents-LiveView-scroll")["below"] <= 8
    assert not button.is_visible()


def test_question_takes_the_focus_and_gives_it_back_when_nobody_types(kernel, page):
    live = kernel()
    live.state()
    page.locator(".jp-Notebook").focus()
    live.patch(set_(questions=[question()]))
    page.keyboard.type("ddx")

    page.keyboard.press("Enter")

    assert [one["answer"] for one in live.sent("answer")] == [{"action": "reply", "text": "ddx"}]
    assert page.evaluate("() => document.activeElement.className") == "jp-Notebook"


def test_person_is_called_and_keeps_typing_when_a_question_comes(kernel, page):
    live = kernel()
    live.state()
    page.locator("#cell").focus()
    page.keyboard.type("half ")
    live.patch(set_(questions=[question()]))
    page.wait_for_function("() => window.needed.length === 1")
    page.keyboard.type("a line")

    page.evaluate("() => window.needed[0].open()")
    page.keyboard.type("here")

    assert page.locator("#cell").input_value() == "half a line"
    assert page.locator(".jp-agents-Prompt textarea").input_value() == "here"


def test_half_typed_text_stays_when_the_state_comes_anew(kernel, page):
    live = kernel()
    live.state(questions=[question()])
    field = page.locator(".jp-agents-Prompt textarea")
    field.click()
    page.keyboard.type("half ")

    live.patch({"op": "item", "item": item(1, "A message.")})
    live.state(items=[item(1, "A message.")], questions=[question()])
    page.keyboard.type("a line")

    assert field.input_value() == "half a line"


def test_stop_is_pressed_once_when_clicked_twice(kernel, page):
    live = kernel()
    live.state()

    page.get_by_role("button", name="Stop").dblclick()

    assert len(live.sent("stop")) == 1
    assert page.get_by_role("button", name="Stopping").is_disabled()


@pytest.mark.parametrize("theme", ["light", "dark", "dark-high-contrast"])
def test_axe_finds_nothing_when_all_is_shown(kernel, page, theme):
    live = kernel(theme)
    running = {"kind": "code", "agent": "user", "what": "python", "elapsed": 12, "remaining": None}
    output = {"id": 2, "kind": "output", "bundle": {"data": {"application/vnd.jupyter.stdout": "1\n"}, "metadata": {}}}
    live.state(
        items=[item(1, "See `x`:\n\n```python\nprint(x)  # a remark\n```"), output],
        live=LIVE | {"text": "Some **words**"},
        activity=running,
        questions=[question()],
        earlier=3,
    )
    settle(page)
    page.add_script_tag(path=AXE)

    found = page.evaluate("() => axe.run('.jp-agents-LiveView')")

    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []
