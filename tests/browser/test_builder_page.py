"""The agent builder's form in a real Chromium: the page as it is built, and the real kernel side, without a server."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import comm
import pytest
from IPython.core.interactiveshell import InteractiveShell
from playwright.sync_api import expect
from traitlets.config import Config

from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.widgets import AgentBuilder, live
from tests.fake_comm import FakeComm

ROOT = Path(__file__).parents[2]
AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = ROOT / "build" / "screenshots"
THEMES = {"light": "theme-light", "dark": "theme-dark", "high-contrast": "theme-dark-high-contrast"}
ORIGIN = "http://builder.test/"
PAGE = """<!doctype html><html lang="en"><head><title>builder</title>
<link rel="stylesheet" href="/theme.css"><link rel="stylesheet" href="/agents.css"></head>
<body data-jp-theme-light="{light}" style="margin:0;background:var(--jp-layout-color0)"><main id="place" style="padding:8px"></main>
<script type="module">
import widget from '/builder.js';
const listeners = new Set();
const model = {{
  on: (name, heard) => listeners.add(heard),
  off: (name, heard) => listeners.delete(heard),
  send: async message => {{
    if (window.isBusy) await new Promise(free => (window.release = free));
    for (const answer of await window.toKernel(message)) listeners.forEach(heard => heard(answer));
  }}
}};
window.deliver = message => listeners.forEach(heard => heard(message));
widget.render({{ model, el: document.getElementById('place') }});
</script></body></html>"""


def get_weather(city: str, days: int = 3) -> str:
    """The weather in a city for some days."""
    return f"{city}: {days}"


def plot(data, title="x"):
    return data


@pytest.fixture
def show(browser, monkeypatch):
    """`show(theme=…, width=…, **namespace)`: a page with a form, and the namespace in which it makes agents."""
    comms, contexts, builders = [], [], []
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config, user_ns={})
    monkeypatch.setattr(shell, "kernel", SimpleNamespace(), raising=False)
    monkeypatch.setattr(comm, "create_comm", lambda **given: comms.append(FakeComm(**given)) or comms[-1])

    def open_page(theme="light", width=1000, **namespace):
        builders.append(AgentBuilder(namespace=namespace))
        builders[-1]._repr_mimebundle_()
        wire = next(one for one in reversed(comms) if "_esm" in one.opened_with.get("state", {}))
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}))
        page = contexts[-1].new_page()
        page.route("**/*", lambda route: serve(route, theme))
        page.expose_function("toKernel", wire.hear)
        page.goto(ORIGIN)
        expect(page.get_by_label("Name", exact=True)).to_be_visible()
        return page, namespace

    yield open_page
    for one in contexts:
        one.close()
    for one in builders:
        one.close()
    InteractiveShell.clear_instance()


def serve(route, theme):
    """Answer a request of the page from the built files; nothing else is answered."""
    name = route.request.url.removeprefix(ORIGIN)
    themes = ROOT / ".venv" / "share" / "jupyter" / "lab" / "themes" / "@jupyterlab"
    if name == "":
        return route.fulfill(body=PAGE.format(light=str(theme == "light").lower()), content_type="text/html")
    path = themes / f"{THEMES[theme]}-extension" / "index.css" if name == "theme.css" else live.STATIC / name
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    return route.fulfill(body=path.read_text("utf-8"), content_type=kind) if path.is_file() else route.abort()


def code(page):
    return page.locator(".jp-agents-Builder-source code")


def violations(page):
    page.add_script_tag(path=str(AXE))
    found = page.evaluate(
        "() => axe.run('#place', {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [
        (one["id"], [(node["html"], node["failureSummary"]) for node in one["nodes"]][:3])
        for one in found["violations"]
    ]


def screenshot(page, name):
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"builder-{name}.png", full_page=True)


def fill_in(page):
    """A form with two agents, a mistake, a model by name and tools."""
    page.get_by_label("Name", exact=True).fill("Weather analyst")
    page.get_by_label("System message").fill("You look at the weather.\nSay so in one line.")
    page.get_by_label("A model by its name").check()
    page.get_by_label("Name of the model").fill("gpt-4o")
    page.get_by_label("get_weather").check()
    page.get_by_role("button", name="Add an agent").click()
    page.get_by_label("Name", exact=True).fill("me")
    page.get_by_label("Runs when you approve").check()
    page.get_by_label("Time limit in seconds").fill("soon")
    expect(page.get_by_label("Time limit in seconds")).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize(("theme", "width"), list(itertools.product(THEMES, (400, 1000, 1600))))
def test_form_is_accessible_and_fits_when_it_is_shown(theme, width, show):
    page, _ = show(theme, width, get_weather=get_weather, plot=plot, critic=AssistantAgent("critic"))
    fill_in(page)
    page.get_by_role("button", name="Weather analyst").click()
    screenshot(page, f"{theme}-{width}")

    found = violations(page)
    page.get_by_role("button", name="me").first.click()
    screenshot(page, f"{theme}-{width}-problem")

    assert found == []
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_agent_is_made_when_only_the_keyboard_is_used(show):
    page, namespace = show(get_weather=get_weather)
    page.get_by_label("Name", exact=True).focus()

    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("Bob")
    expect(code(page)).to_contain_text('bob = AssistantAgent("Bob")')
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.textContent") == "Create bob":
            break
    page.keyboard.press("Enter")

    expect(page.get_by_text("Created bob.")).to_be_visible()
    assert type(namespace["bob"]) is AssistantAgent


def test_question_has_the_focus_when_an_agent_would_be_replaced(show):
    before = UserProxyAgent("old")
    page, namespace = show(assistant=before)
    expect(code(page)).to_contain_text("assistant = ")
    page.get_by_role("button", name="Create assistant").click()
    expect(page.get_by_role("alertdialog")).to_contain_text("assistant holds an agent already (old, UserProxyAgent)")
    screenshot(page, "replace")
    found = violations(page)

    expect(page.get_by_role("button", name="Keep")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Create assistant")).to_be_focused()
    kept = namespace["assistant"]
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Replace", exact=True).click()

    expect(page.get_by_text("Created assistant.")).to_be_visible()
    assert found == []
    assert kept is before
    assert type(namespace["assistant"]) is AssistantAgent


def test_typing_goes_on_when_the_kernel_is_busy(show):
    page, _ = show()
    expect(code(page)).to_contain_text("assistant = ")
    page.evaluate("() => { window.isBusy = true; }")

    page.get_by_label("Name", exact=True).fill("first")
    expect(page.get_by_text("The kernel is busy.")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("second")
    screenshot(page, "busy")
    page.evaluate("() => { window.isBusy = false; window.release(); }")

    expect(code(page)).to_contain_text('second = AssistantAgent("second")')
    expect(page.get_by_text("The kernel is busy.")).to_have_count(0)
    expect(page.get_by_label("Name", exact=True)).to_have_value("second")


def test_agent_is_changed_when_it_is_loaded(show):
    writer = AssistantAgent("writer", "Be brief.", {"model": "m", "api_key": "sk-canary"}, max_consecutive_auto_reply=3)
    page, _ = show(writer=writer)

    page.get_by_label("Edit an agent of the notebook").select_option("writer")
    page.get_by_role("button", name="Edit", exact=True).click()

    expect(page.get_by_label("System message")).to_have_value("Be brief.")
    expect(page.get_by_label("Name of the model")).to_have_value("m")
    expect(page.get_by_text("api_key='***'")).to_be_visible()
    expect(code(page)).to_contain_text("from getpass import getpass")
    assert "sk-canary" not in page.content()


def test_markup_is_text_when_names_and_descriptions_hold_it(show):
    def evil():
        """<img src=x onerror="window.hit = 1">."""

    page, _ = show(evil=evil, agent=AssistantAgent("<b>bold</b>"))
    requests = []
    page.on("request", lambda request: requests.append(request.url))

    page.get_by_label("Name", exact=True).fill("<script>window.hit = 1</script>")
    page.get_by_label("System message").fill('"""<svg onload="window.hit = 1">')

    expect(code(page)).to_contain_text("<svg onload=")
    assert page.evaluate("() => window.hit === undefined")
    assert page.locator("#place").locator("img, svg, script, b").count() == 0
    assert requests == []


# -- Groups ------------------------------------------------------------------------------------------------------


def group_form(page):
    """A form with a group of four, two of whom are people, and who may speak after whom."""
    page.get_by_label("Name", exact=True).fill("Planner")
    page.get_by_role("button", name="Add an agent").click()
    page.get_by_label("Name", exact=True).fill("Anna")
    page.get_by_role("button", name="Add a group").click()
    page.get_by_label("Name", exact=True).fill("Review board")
    page.get_by_label("Critic", exact=True).check()
    page.get_by_role("button", name="Add a person").click()
    page.get_by_label("Name", exact=True).fill("Ben")
    page.get_by_role("button", name="Review board").first.click()
    page.get_by_label("In turns").check()
    page.get_by_label("Only those that are ticked").check()
    page.get_by_label("Critic may speak after Planner").uncheck()
    expect(page.get_by_role("img", name="Who may speak after whom")).to_be_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 400), ("dark", 400), ("dark", 1200), ("high-contrast", 1600), ("light", 1200)])  # fmt: skip
def test_group_form_is_accessible_and_fits_when_it_is_shown(theme, width, show):
    page, _ = show(theme, width, critic=AssistantAgent("Critic"))
    group_form(page)
    expect(page.get_by_text("Seats of people: Anna, Ben.")).to_be_visible()
    screenshot(page, f"group-{theme}-{width}")

    found = violations(page)
    page.get_by_label("Messages at most").fill("0")
    expect(page.get_by_label("Messages at most")).to_have_attribute("aria-invalid", "true")
    screenshot(page, f"group-{theme}-{width}-problem")

    assert found == []
    assert violations(page) == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_group_is_made_when_only_the_keyboard_is_used(show):
    page, namespace = show(critic=AssistantAgent("Critic"), tester=AssistantAgent("tester"))
    expect(code(page)).to_contain_text("assistant = ")
    page.get_by_role("button", name="Add a group").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()

    press_until(page, "Critic, not picked", "() => document.activeElement.parentElement.textContent === 'Critic'")
    page.keyboard.press("Space")
    press_until(
        page, "transitions", "() => document.activeElement.closest('fieldset')?.innerText.startsWith('Who may')"
    )
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Only those that are ticked")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")  # Critic after assistant, which was allowed
    expect(code(page)).to_contain_text("{critic: [assistant]}")
    press_until(page, "Create", "() => document.activeElement.textContent === 'Create team'")
    page.keyboard.press("Enter")

    expect(page.get_by_text("Created assistant, team_groupchat, team.")).to_be_visible()
    assert namespace["team_groupchat"].transitions.edges == [("Critic", "assistant")]
    assert namespace["team"].groupchat.agents == [namespace["assistant"], namespace["critic"]]


def press_until(page, what, found):
    """Press Tab until something has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(found):
            return
    raise AssertionError(f"Tab never came to {what}")


def test_code_of_a_group_makes_the_same_when_it_runs_as_it_is_shown(show):
    page, namespace = show(critic=AssistantAgent("Critic"))
    group_form(page)
    expect(code(page)).to_contain_text('board_groupchat, "Review board", llm_config=False')

    ran = {"critic": namespace["critic"]}
    exec(code(page).inner_text(), ran)
    page.get_by_role("button", name="Create all").click()
    expect(page.get_by_text("They are in the notebook now.")).to_be_visible()

    groups = [one["review_board"].groupchat for one in (ran, namespace)]
    assert groups[0].agent_names == groups[1].agent_names == ["Planner", "Anna", "Ben", "Critic"]
    assert groups[0].transitions.edges == groups[1].transitions.edges
    assert ("Planner", "Critic") not in groups[1].transitions.edges
    assert len(groups[1].transitions.edges) == 15


def test_markup_is_text_when_a_member_of_a_group_holds_it(show):
    page, _ = show(evil=AssistantAgent("<svg onload='window.hit = 1'>"))
    page.get_by_role("button", name="Add a group").click()
    page.get_by_label("<svg onload='window.hit = 1'>", exact=True).check()
    page.get_by_label("Nobody twice in a row").check()

    expect(page.get_by_role("img", name="Who may speak after whom")).to_contain_text("<svg onload=")
    assert page.evaluate("() => window.hit === undefined")
