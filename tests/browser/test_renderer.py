"""Saved messages and live turns, drawn by the extension in JupyterLab and in Notebook 7."""

import json

import nbformat
import pytest
from playwright.sync_api import Page, Request, expect

from jupyter_agents.display.bundle import Transcript
from jupyter_agents.events import Entry, MessageSent
from jupyter_agents.executors.outputs import MESSAGE_MIME, error_bundle
from jupyter_agents.messages import Message

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
WORDS = "Euler said $e^{i\\pi} + 1 = 0$ and **meant** it.\n\n```python\nhalf = 1 / 2\n```"
REMARK = "This turn was still under way when it was last heard of."
APPS = pytest.mark.parametrize("app", ["lab", "notebook"])

ATTACKS = {
    "script": "<script>window.pwned = 1; fetch('{evil}/a')</script>",
    "onerror": "<img src=x onerror=\"window.pwned = 1; fetch('{evil}/a')\">",
    "image": '<img src="{evil}/a"> ![a]({evil}/b) ![c](files/evil-c.png) ![d][e]\n\n[e]: {evil}/e',
    "svg": '<svg onload="window.pwned = 1"><image href="{evil}/a"/><style>@import url({evil}/b)</style></svg>',
    "iframe": '<iframe src="{evil}/a"></iframe><iframe srcdoc="<script>parent.pwned=1</script>"></iframe>',
    "css url": '<p style="background: url({evil}/a)">x</p><style>p {{ background: url({evil}/b) }}</style>',
    "media": '<video src="{evil}/a" poster="{evil}/b"></video><audio src="{evil}/c" autoplay></audio>',
    "meta refresh": '<meta http-equiv="refresh" content="0;url={evil}/a">',
    "link": '<link rel="stylesheet" href="{evil}/a"><link rel="preload" as="image" href="{evil}/b">',
    "javascript link": '[x](javascript:window.pwned=1) <a href="javascript:window.pwned=1">y</a>',
    "data link": '[x](data:text/html,<script>alert(1)</script>) <a href="data:text/html,x">y</a>',
    "form": '<form action="{evil}/a"><input name="x" autofocus onfocus="window.pwned=1"><button>y</button></form>',
    "base and srcset": '<base href="{evil}/"><img srcset="{evil}/a 1x, {evil}/b 2x" src="c.png">',
    "diagram": '```mermaid\nflowchart LR\n A@{{ img: "{evil}/a", w: 60, h: 60 }} --> B\n```',
}
EVIL = "http://127.0.0.1:9"
DANGEROUS = (
    "script, style, link, meta, base, iframe, object, embed, form, svg, video, audio, "
    "[src]:not([src^='data:image/']), [srcset], [poster], [action], [style*='url'], [href^='javascript'], [href^='data']"
)


def message(text: str, sender: str = "assistant") -> dict[str, object]:
    """The data of a message's output."""
    bundle = Transcript().bundle(Entry(0, MessageSent(0, sender, "user", Message(text))))
    assert bundle is not None
    return bundle.data


def saved(*outputs: dict[str, object], source: str = "pass") -> nbformat.NotebookNode:
    """A cell that holds these data as outputs."""
    shown = [nbformat.v4.new_output("display_data", data=data) for data in outputs]
    return nbformat.v4.new_code_cell(source, outputs=shown)


def attack(name: str) -> str:
    """A text that would make the page ask for addresses in which the attack is named."""
    address = f"{EVIL}/{name.replace(' ', '-')}"
    return f"before\n\n{ATTACKS[name].format(evil=address)}\n\nafter"


def attacking_outputs(text: str) -> list[dict[str, object]]:
    """Outputs that hold a text wherever one can be: in a message and its JSON, in an older form, in what code showed."""
    hostile = message(text)
    hostile[MESSAGE_MIME] |= {"text": text, "sender": text, "recipient": text, "agent": text}
    newer = {MESSAGE_MIME: {"schema": 99}, "text/markdown": text, "text/plain": "x"}
    shown = {"kind": "output", "data": {"text/html": text, "text/markdown": text}, "metadata": {}}
    joined = message("x") | {
        MESSAGE_MIME: {
            "schema": 1,
            "kind": "messages",
            "items": [hostile[MESSAGE_MIME], shown, message("after")[MESSAGE_MIME]],
        }
    }
    return [hostile, newer, joined]


def live(data: dict[str, object], model: str) -> dict[str, object]:
    """The data of a turn that is under way."""
    view = {"version_major": 2, "version_minor": 0, "model_id": model}
    return data | {MESSAGE_MIME: data[MESSAGE_MIME] | {"live": {"model_id": model}}, WIDGET_MIME: view}


TINY = f"""
import anywidget, json
from IPython.display import display, update_display

class Tiny(anywidget.AnyWidget):
    _esm = '''export default {{ render({{ el }}) {{
        const area = document.createElement("textarea");
        area.setAttribute("aria-label", "answer");
        area.style.cssText = "display: block; height: 200px";
        el.append(area, "it is live");
    }} }}'''

STILL = json.loads('''%s''')
tiny = Tiny()

def state(text, is_live=True):
    data = json.loads(json.dumps(STILL).replace("TEXT", text))
    if is_live:
        data["{MESSAGE_MIME}"]["live"] = {{"model_id": tiny.model_id}}
        data["{WIDGET_MIME}"] = {{"version_major": 2, "version_minor": 0, "model_id": tiny.model_id}}
    return data
"""


def tiny_cell() -> str:
    """Code that makes a live view, and what its turn shows."""
    return TINY % json.dumps(message("TEXT")).replace("\\", "\\\\").replace("'''", "")


@pytest.fixture
def requests(page: Page, lab) -> list[str]:
    """The addresses outside of the server that the page asks for, and those on it that an attack names."""
    asked: list[str] = []

    def note(request: Request) -> None:
        is_outside = not request.url.startswith((lab.url, lab.url.replace("http", "ws"), "data:", "blob:"))
        if is_outside or "evil" in request.url:
            asked.append(request.url)

    page.on("request", note)
    return asked


@APPS
def test_saved_message_is_drawn_by_the_extension(open_notebook, app):
    notebook = open_notebook(saved(message(WORDS)), app=app)

    drawn = notebook.page.locator(".jp-agents-Slot")
    expect(drawn).to_have_count(1)
    expect(drawn).to_contain_text("assistant")
    expect(drawn.locator("strong", has_text="meant")).to_be_visible()
    expect(drawn.locator("mjx-container")).to_be_visible()
    notebook.screenshots(f"saved-message-{app}")


@APPS
def test_traceback_keeps_its_columns_and_scrolls_within_its_place(open_notebook, page, app):
    lines = [
        "KeyError" + " " * 40 + "Traceback (most recent call last)",
        "----> 1 " + "table_of_stations." * 30,
        "KeyError",
    ]
    error = error_bundle({"ename": "KeyError", "evalue": "", "traceback": lines})

    notebook = open_notebook(saved(message("before"), error), app=app)
    shown = notebook.cell(0).locator("pre.jp-agents-Traceback-text")
    expect(shown).to_be_visible()

    assert shown.inner_text() == "\n".join(lines)
    assert shown.evaluate("node => getComputedStyle(node).whiteSpace") == "pre"
    assert shown.evaluate("node => [node.scrollWidth > node.clientWidth, node.tabIndex]") == [True, 0]
    assert "mono" in shown.evaluate("node => getComputedStyle(node).fontFamily").lower()
    assert notebook.axe(".jp-Cell-outputArea") == []


def test_saved_message_has_no_fault_when_axe_looks(open_notebook):
    notebook = open_notebook(saved(message(WORDS), message("Thank you.", "user")))

    for theme in ("light", "dark", "high-contrast"):
        notebook.use_theme(theme)
        assert notebook.axe(".jp-OutputArea") == []


@APPS
def test_code_of_a_message_becomes_a_cell(open_notebook, app):
    notebook = open_notebook(saved(message(WORDS)), "last = 1", app=app)
    page = notebook.page

    page.locator(".jp-agents-Slot").hover()
    page.get_by_role("button", name="Insert as cell below").click()

    cells = "[...jupyterapp.shell.currentWidget.content.model.cells].map(cell => cell.sharedModel.source)"
    page.wait_for_function(f"{cells}.length === 3")
    assert [source.strip() for source in page.evaluate(cells)] == ["pass", "half = 1 / 2", "last = 1"]


@APPS
def test_untrusted_notebook_fetches_nothing_when_its_texts_attack(open_notebook, requests, page, app):
    outputs = [output for name in ATTACKS for output in attacking_outputs(attack(name))]

    notebook = open_notebook(saved(*outputs), app=app)

    drawn = page.locator(".jp-agents-Slot")
    expect(drawn).to_have_count(len(outputs))
    expect(drawn.last).to_contain_text("after")
    page.wait_for_load_state("networkidle")
    assert requests == []
    assert page.evaluate("window.pwned") is None
    assert drawn.locator(DANGEROUS).evaluate_all("nodes => nodes.map(node => node.outerHTML)") == []
    links = drawn.locator("a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert [link for link in links if not link.startswith(("http://", "https://", "#"))] == []
    assert notebook.save().cells[0].outputs[0].data["text/markdown"] == outputs[0]["text/markdown"]


@APPS
def test_html_of_an_unknown_schema_is_harmless_when_it_attacks(open_notebook, page, app):
    outputs = [{MESSAGE_MIME: {"schema": 99}, "text/html": attack(name), "text/plain": "x"} for name in ATTACKS]

    # What the page asks for says nothing here: JupyterLab's table of contents loads images of any output's HTML.
    open_notebook(saved(*outputs), app=app)

    drawn = page.locator(".jp-agents-Slot")
    expect(drawn).to_have_count(len(outputs))
    expect(drawn.last).to_contain_text("after")
    assert page.evaluate("window.pwned") is None
    assert drawn.locator(DANGEROUS).evaluate_all("nodes => nodes.map(node => node.outerHTML)") == []


def test_unknown_schema_is_drawn_from_its_other_forms(open_notebook):
    newer = message("It is **bold**.")
    newer[MESSAGE_MIME] = {"schema": 2, "wholly": ["different"]}

    notebook = open_notebook(saved(newer))

    expect(notebook.page.locator(".jp-agents-Slot")).to_contain_text("It is bold.")


@APPS
def test_dead_live_turn_shows_what_was_said_when_the_notebook_is_not_trusted(open_notebook, troubles, app):
    notebook = open_notebook(saved(live(message("I was about to"), "0" * 32)), app=app)

    drawn = notebook.page.locator(".jp-agents-Slot")
    expect(drawn).to_contain_text("I was about to")
    expect(drawn).to_contain_text(REMARK)
    assert troubles() == []


@APPS
def test_dead_live_turn_shows_what_was_said_when_the_notebook_is_trusted(open_notebook, troubles, app):
    data = json.dumps(live(message("I was about to"), "0" * 32))
    notebook = open_notebook(f"import json\ndisplay(json.loads({data!r}), raw=True)", app=app)
    notebook.run_cell(0)
    notebook.save()

    notebook.reload()

    drawn = notebook.page.locator(".jp-agents-Slot")
    expect(drawn).to_contain_text("I was about to")
    expect(drawn).to_contain_text(REMARK, timeout=10_000)
    assert troubles() == []


@APPS
@pytest.mark.parametrize("kernel", ["python3", "ipykernel-oldest"])
def test_live_view_is_shown_and_kept_when_its_turn_goes_on(open_notebook, troubles, app, kernel):
    notebook = open_notebook(tiny_cell(), 'display(state("one"), raw=True, display_id="slot")', app=app, kernel=kernel)
    notebook.run_cell(0)
    notebook.run_cell(1)
    page = notebook.page
    answer = page.get_by_label("answer")
    expect(answer).to_be_visible(timeout=20_000)
    expect(page.locator(".jp-agents-Slot article")).to_have_count(0)
    answer.fill("half-typed")

    page.evaluate("""() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
        {code: 'update_display(state("two"), raw=True, display_id="slot")'}).done.then(() => null)""")
    page.wait_for_function(f"() => ({_data(1)})['text/plain'].includes('two')")

    expect(answer).to_be_focused()
    expect(answer).to_have_value("half-typed")
    assert troubles() == []


@APPS
def test_static_form_takes_the_place_of_the_live_view_when_its_turn_ends(open_notebook, troubles, app):
    filling = "\n".join(f"line {number}" for number in range(40))
    notebook = open_notebook(
        tiny_cell(), 'display(state("one"), raw=True, display_id="slot")', *[f"'''\n{filling}'''"] * 3, app=app
    )
    notebook.run_cell(0)
    notebook.run_cell(1)
    page = notebook.page
    answer = page.get_by_label("answer")
    expect(answer).to_be_visible(timeout=20_000)
    answer.scroll_into_view_if_needed()
    page.evaluate(_WATCH)

    page.evaluate("""() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
        {code: 'update_display(state("done", False), raw=True, display_id="slot"); tiny.close()'}).done.then(() => null)""")

    drawn = page.locator(".jp-agents-Slot")
    expect(drawn).to_contain_text("done")
    expect(answer).to_have_count(0)
    expect(drawn).not_to_contain_text(REMARK)
    page.wait_for_function("window.watched.length > 120")  # two seconds of frames
    tops = page.evaluate("window.watched")
    assert max(tops) - min(tops) < 2
    assert troubles() == []


@APPS
def test_reader_below_is_not_moved_when_a_live_view_above_ends(open_notebook, app):
    filling = "\n".join(f"line {number}" for number in range(60))
    notebook = open_notebook(
        tiny_cell(), 'display(state("one"), raw=True, display_id="slot")', *[f"'''\n{filling}'''"] * 3, app=app
    )
    notebook.run_cell(0)
    notebook.run_cell(1)
    page = notebook.page
    expect(page.get_by_label("answer")).to_be_visible(timeout=20_000)
    page.evaluate("jupyterapp.shell.currentWidget.content.scrollToItem(3, 'start')")
    line = notebook.cell(3).locator(".cm-line", has_text="line 5").first
    expect(line).to_be_in_viewport()
    before = line.bounding_box()["y"]

    page.evaluate("""() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
        {code: 'update_display(state("done", False), raw=True, display_id="slot"); tiny.close()'}).done.then(() => null)""")
    page.wait_for_function(f"() => ({_data(1)})['text/plain'].includes('done')")
    page.wait_for_function(
        "document.querySelector('.jp-agents-Slot')?.style.minHeight === ''"
    )  # it is kept for a moment

    assert abs(line.bounding_box()["y"] - before) < 2


@APPS
@pytest.mark.parametrize("end", ["restart_kernel", "kill_kernel", "shut_down_kernel"])
def test_static_form_is_shown_when_the_kernel_of_a_live_view_ends(open_notebook, troubles, app, end):
    notebook = open_notebook(tiny_cell(), 'display(state("one"), raw=True, display_id="slot")', app=app)
    notebook.run_cell(0)
    notebook.run_cell(1)
    page = notebook.page
    expect(page.get_by_label("answer")).to_be_visible(timeout=20_000)

    getattr(notebook, end)()

    drawn = page.locator(".jp-agents-Slot")
    expect(drawn).to_contain_text("one", timeout=20_000)
    expect(drawn).to_contain_text(REMARK)
    expect(page.get_by_label("answer")).to_have_count(0)
    assert troubles() == []


@APPS
def test_live_view_comes_back_when_the_page_is_reloaded(open_notebook, troubles, app):
    notebook = open_notebook(tiny_cell(), 'display(state("one"), raw=True, display_id="slot")', app=app)
    notebook.run_cell(0)
    notebook.run_cell(1)
    expect(notebook.page.get_by_label("answer")).to_be_visible(timeout=20_000)
    notebook.save()

    notebook.reload()

    expect(notebook.page.get_by_label("answer")).to_be_visible(timeout=20_000)
    assert troubles() == []


@APPS
def test_person_is_called_when_the_prompt_is_out_of_sight(open_notebook, app):
    filling = "\n".join(f"line {number}" for number in range(60))
    notebook = open_notebook("1", *[f"'''\n{filling}'''"] * 4, app=app)
    notebook.run_cell(0)
    page = notebook.page
    page.evaluate(_ASK)
    page.evaluate("jupyterapp.shell.currentWidget.content.scrollToItem(4, 'start')")

    page.evaluate("window.ask()")
    toast = page.locator(".Toastify__toast", has_text="user waits for you: May this run?")
    toast.get_by_role("button", name="Go to the question").click()

    expect(page.locator("[data-jp-agents-question='q1']")).to_be_in_viewport()
    assert page.evaluate("window.opened") == 1


@APPS
def test_person_is_not_called_when_the_prompt_is_in_sight(open_notebook, app):
    notebook = open_notebook("1", app=app)
    page = notebook.page
    page.evaluate(_ASK)

    page.evaluate("window.ask()")
    page.locator("[data-jp-agents-question]").evaluate("prompt => prompt.remove()")
    page.evaluate("window.ask('a later one')")

    expect(page.locator(".Toastify__toast", has_text="a later one")).to_be_visible()
    expect(page.locator(".Toastify__toast", has_text="May this run?")).to_have_count(0)


@APPS
def test_call_is_taken_back_when_the_question_is_answered(open_notebook, app):
    notebook = open_notebook("1", app=app)
    page = notebook.page
    page.evaluate(_ASK)
    page.locator("[data-jp-agents-question]").evaluate("prompt => prompt.remove()")

    page.evaluate("window.ask()")
    toast = page.locator(".Toastify__toast", has_text="May this run?")
    expect(toast).to_be_visible()
    notebook.screenshot(f"person-needed-{app}")
    page.evaluate("document.dispatchEvent(new CustomEvent('jp-agents:person-answered', {detail: {id: 'q1'}}))")

    expect(toast).to_have_count(0)


def _data(cell: int) -> str:
    return f"jupyterapp.shell.currentWidget.content.widgets[{cell}].model.outputs.get(0).data"


_WATCH = """() => {
    const node = document.querySelector('.jp-agents-Slot');
    window.watched = [];
    const look = () => { window.watched.push(node.getBoundingClientRect().top); requestAnimationFrame(look); };
    look();
}"""
_ASK = """() => {
    const prompt = document.createElement('section');
    prompt.setAttribute('data-jp-agents-question', 'q1');
    prompt.textContent = 'May this run?';
    document.querySelector('.jp-OutputArea')?.append(prompt);
    const open = () => { window.opened = (window.opened ?? 0) + 1; return true; };
    window.ask = (text = 'May this run?', id = text === 'May this run?' ? 'q1' : 'q2') => document.dispatchEvent(
        new CustomEvent('jp-agents:person-needed', {detail: {id, text, agent: 'user', open}}));
}"""
