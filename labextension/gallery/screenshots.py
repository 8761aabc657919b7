# ruff: noqa: INP001 - a script
"""One picture of every state in every theme and width, into build/gallery: `python gallery/screenshots.py`.

`build.mjs` has to have run. Themes can be named: only those then. What is wider than the page, what a page complains of, and what axe finds, is an error.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

GALLERY = Path(__file__).parents[2] / "build" / "gallery"
WIDTHS = (400, 900, 1600)
AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
_AXE = """async without => {
    const rules = Object.fromEntries(['heading-order', 'landmark-unique', ...without].map(id => [id, {enabled: false}]));
    const {violations} = await axe.run('main', {rules});
    const place = node => document.querySelector(node.target[0])?.closest('section[id]')?.id;
    // Saved HTML has the page's links, and JupyterLab's have no line below them.
    const isOurs = (one, node) => one.id !== 'link-in-text-block' || !place(node).includes('without-the-extension');
    const line = (one, node) => `${one.id}: ${place(node)}: ${node.html.slice(0, 160)}`;
    return violations.flatMap(one => one.nodes.filter(node => isOurs(one, node)).map(node => line(one, node)));
}"""
THEMES: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {},
    "contrast": {},
    "none": {},
    "forced": {"forced_colors": "active", "color_scheme": "dark"},
}


def open_page(browser: Browser, theme: str, width: int, wrong: list[str]) -> Page:
    """The gallery in a theme; what it complains of is added to `wrong`."""
    page = browser.new_page(viewport={"width": width, "height": 600}, reduced_motion="reduce", **THEMES[theme])
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{(GALLERY / 'index.html').as_uri()}?theme={'light' if theme == 'forced' else theme}")
    return page


def faults(page: Page, theme: str) -> list[str]:
    """What axe finds fault with. The page of the gallery is not ours to judge, nor are colours that are forced."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate(_AXE, [] if theme != "forced" else ["color-contrast"])
    return [f"{line} ({theme})" for line in found]


def take(page: Page, theme: str, width: int) -> list[str]:
    """Take the pictures of a page; what is wrong with it."""
    wrong = []
    for section in page.locator("main > section").all():
        name = section.get_attribute("id")
        folder = GALLERY / str(name)
        folder.mkdir(exist_ok=True)
        section.screenshot(path=folder / f"{theme}-{width}.png")
        if section.evaluate("node => node.scrollWidth > node.clientWidth"):
            wrong.append(f"{name} is wider than the page ({theme}, {width} px)")
    return wrong


def main(themes: Iterable[str]) -> int:
    """Take them all; 1 when something is wrong."""
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        for theme in themes:
            for width in WIDTHS:
                page = open_page(browser, theme, width, wrong)
                wrong += take(page, theme, width)
                if width == WIDTHS[1]:
                    wrong += faults(page, theme)
                page.close()
        browser.close()
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or THEMES))
