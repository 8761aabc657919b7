"""The contrast of our text in a real JupyterLab, in every theme. axe takes what stands in Lab's scrolling panel for out
of sight, and looks at no contrast there; so it is reckoned here, by the rules of WCAG 2."""

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.chats import PREPARE, Source, chat
from tests.browser.conftest import THEMES, Notebook

SLOW = 30_000  # milliseconds: machines that test are busy

# Each text node of ours: what it is drawn with, on what. Colours come as the browser gives them (also `color(srgb …)`),
# so a canvas makes bytes of them. The grounds of all ancestors lie over each other, as their opacity does.
CONTRASTS = r"""root => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const bytes = colour => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
    const luminance = colour => {
        const [r, g, b] = colour.map(one => (one /= 255, one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ratio = (one, other) => {
        const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
    };
    const chain = node => {
        const found = [];
        for (let at = node; at; at = at.parentElement) found.unshift(at);
        return found;
    };
    const groundOf = element => chain(element).reduce(
        (ground, at) => over(bytes(getComputedStyle(at).backgroundColor), ground), [255, 255, 255, 1]);
    const opacityOf = element => chain(element).reduce((all, at) => all * Number(getComputedStyle(at).opacity), 1);
    const isSeen = element => element.checkVisibility({visibilityProperty: true, opacityProperty: true})
        && element.getClientRects().length > 0 && element.getBoundingClientRect().width > 1
        && !element.closest(':disabled, [aria-disabled=true]');

    const found = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const fields = [...root.querySelectorAll('textarea, input')].filter(one => one.value || one.placeholder);
    const elements = new Set(fields);
    while (walker.nextNode()) {
        if (walker.currentNode.data.trim()) elements.add(walker.currentNode.parentElement);
    }
    for (const element of elements) {
        if (!isSeen(element)) continue;
        const isEmpty = element.placeholder && !element.value;
        const style = getComputedStyle(element, isEmpty ? '::placeholder' : null);
        const ground = groundOf(element);
        const [r, g, b, a] = bytes(style.color);
        const size = parseFloat(style.fontSize), isBold = Number(style.fontWeight) >= 700;
        const text = (element.value || element.placeholder || element.textContent).trim().slice(0, 40);
        found.push({
            where: `${element.tagName.toLowerCase()}.${element.className}`,
            text,
            ratio: Math.round(100 * ratio(over([r, g, b, a * opacityOf(element)], ground), ground)) / 100,
            needed: size >= 24 || (isBold && size >= 18.66) ? 3 : 4.5
        });
    }
    return found;
}"""
RULES = [
    ("color: #767676; background: #fff", 4.54),
    ("color: #777; background: #fff", 4.48),
    ("color: rgb(0 0 0 / 50%); background: #fff", 3.95),
    ("color: #000; background: #fff; opacity: 0.5", 3.95),
    ("color: color-mix(in srgb, #000 50%, #fff); background: rgb(0 0 0 / 0%)", 3.95),
    ("color: #fff; background: #000", 21.0),
]


def contrasts(place: Locator) -> list[dict[str, object]]:
    """Each text in a place that can be seen, with its contrast."""
    place.scroll_into_view_if_needed()
    found: list[dict[str, object]] = place.evaluate(CONTRASTS)
    return found


def too_faint(place: Locator) -> list[str]:
    found = contrasts(place)
    assert len(found) > 5, "there is hardly any text to look at"
    faint = [one for one in found if one["ratio"] < one["needed"]]  # type: ignore[operator]
    return [f"{one['where']} {one['text']!r}: {one['ratio']}" for one in faint]


@pytest.mark.parametrize(("style", "ratio"), RULES)
def test_contrast_is_reckoned_as_wcag_says(page, style, ratio):
    page.set_content(f"<body style='background: #fff'><p style='{style}'>text</p></body>")

    [found] = contrasts(page.locator("p"))

    assert found["ratio"] == pytest.approx(ratio, abs=0.05)


SAID = """\
A *word*, `code`, a [link](https://example.org).

> a quotation

| a | b |
|---|---|
| 1 | 2 |

"""
CODE = "# a remark\nimport math\n\n\n@print\ndef self(a: int = 0x1F) -> bool: return a.real is not True\nx = [1, 'two', None]\nprint(f'{math.pi:.2f}', x)"


def in_every_theme(notebook: Notebook, place: Locator, name: str) -> list[str]:
    """What is too faint, by theme; a picture of each is kept."""
    notebook.page.emulate_media(reduced_motion="reduce")  # nothing is half faded out
    faint = []
    for theme in THEMES:
        notebook.use_theme(theme)
        faint += [f"{name}, {theme}: {one}" for one in too_faint(place)]
        notebook.screenshot(f"contrast-{name}-{theme}")
    notebook.use_theme("light")
    return faint


def test_text_of_prompts_and_messages_can_be_read_in_every_theme(open_notebook):
    notebook = open_notebook(PREPARE)
    notebook.run_cell(0)
    said = Source(f"{SAID!r} + block({CODE!r})")
    cell = notebook.add_and_run(chat(said, "Done. TERMINATE", policy="ask"), wait=False)
    prompt = notebook.cell(cell).locator(".jp-agents-Prompt")
    prompt.get_by_role("button", name="Run", exact=False).first.wait_for(timeout=SLOW)
    faint = in_every_theme(notebook, prompt, "approval")

    prompt.get_by_role("button", name="Edit and run").click()
    field = prompt.get_by_role("textbox")
    field.fill(field.input_value().replace("pi", "e") + "print('more')\n")
    expect(prompt.locator(".jp-agents-Diff")).to_be_visible()
    faint += in_every_theme(notebook, prompt, "edit")

    prompt.get_by_role("button", name="Run edited code").click()
    notebook.wait_idle()
    fold = notebook.cell(cell).locator(".jp-agents-Fold", has_text="as it ran")
    fold.locator("summary").first.click()
    expect(fold.locator("ins").first).to_be_visible()
    faint += in_every_theme(notebook, notebook.cell(cell).locator(".jp-OutputArea").first, "messages")

    assert faint == [], "\n".join(faint)


def test_text_of_a_classic_prompt_can_be_read_in_every_theme(open_notebook):
    notebook = open_notebook(PREPARE)
    notebook.run_cell(0)
    cell = notebook.add_and_run(chat(SAID, mode="ALWAYS"), wait=False)
    prompt = notebook.cell(cell).locator(".jp-agents-Prompt")
    prompt.get_by_role("textbox").wait_for(timeout=SLOW)

    faint = in_every_theme(notebook, notebook.cell(cell).locator(".jp-agents-LiveView"), "question")
    prompt.get_by_role("button", name="End the chat").click()
    notebook.wait_idle()

    assert faint == [], "\n".join(faint)


def test_text_of_the_builder_can_be_read_in_every_theme(open_notebook):
    notebook = open_notebook(PREPARE, "from jupyter_agents import AgentBuilder\nAgentBuilder()")
    notebook.run_cell(0)
    notebook.run_cell(1)
    form = notebook.cell(1).locator(".jp-agents-Builder")
    form.get_by_role("textbox").first.wait_for(timeout=SLOW)

    assert in_every_theme(notebook, form, "builder") == []
