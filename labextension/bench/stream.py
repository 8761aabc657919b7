# ruff: noqa: INP001 - a script
"""How smoothly the live view streams: frames a second while 20,000 tokens come at 2,000 a second, in real Chromium.

Run from `labextension/` after `npm run build:widgets`, with the environment of the tests: `python bench/stream.py`.
The page is static and the kernel is played in the page: what is measured is the view alone.
"""

import json
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

STATIC = Path(__file__).parents[2] / "jupyter_agents" / "widgets" / "static"
QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
TOKENS, RATE, PATCHES = 20_000, 2_000, 30

LOAD = """async ([source, style]) => {
    const sheet = document.createElement('style');
    sheet.textContent = style;
    document.head.append(sheet);
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    const widget = (await import(url)).default;
    const heard = new Set();
    const say = message => [...heard].forEach(one => one(message));
    const state = { items: [], live: null, activity: null, questions: [], earlier: 0, is_going_on: true, composer: null };
    const model = {
        on: (_, callback) => heard.add(callback),
        off: (_, callback) => heard.delete(callback),
        send: message => message.t === 'sync' && setTimeout(() => say({ t: 'state', seq: 0, to: message.view, state })),
    };
    let seq = 0;
    window.patch = ops => say({ t: 'patch', seq: ++seq, ops });
    const root = document.createElement('div');
    document.body.replaceChildren(root);
    widget.initialize({ model });
    window.end = widget.render({ model, el: root });
    await new Promise(resolve => setTimeout(resolve, 50));
    const live = { sender: 'assistant', recipient: 'user', colour: 1, text: '' };
    const activity = { kind: 'model', agent: 'assistant', what: 'a model', elapsed: 0, remaining: null };
    window.patch([{ op: 'set', values: { live, activity } }]);
}"""

STREAM = """async ([words, rate, patches]) => {
    const frames = [], start = performance.now();
    let at = 0, isOver = false;
    const frame = now => { frames.push(now); if (!isOver) requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
    await new Promise(resolve => {
        const timer = setInterval(() => {
            const due = Math.min(words.length, Math.floor((performance.now() - start) / 1000 * rate));
            if (due > at) window.patch([{ op: 'text', text: words.slice(at, due).join('') }]);
            at = due;
            if (at === words.length) { clearInterval(timer); resolve(); }
        }, 1000 / patches);
    });
    isOver = true;
    const gaps = frames.slice(1).map((now, i) => now - frames[i]).sort((a, b) => a - b);
    const seconds = (frames.at(-1) - frames[0]) / 1000;
    const before = performance.now();
    const text = words.join('');
    const mime = 'application/vnd.jupyter-agents.message+json';
    const data = { [mime]: { schema: 1, kind: 'message', sender: 'assistant', recipient: 'user', colour: 1, text } };
    window.patch([
        { op: 'item', item: { id: 1, kind: 'bundle', bundle: { data, metadata: {} } } },
        { op: 'set', values: { live: null, activity: null } },
    ]);
    document.body.getBoundingClientRect();
    return {
        seconds, fps: (frames.length - 1) / seconds, p99: gaps[Math.floor(0.99 * gaps.length)], longest: gaps.at(-1),
        handover: performance.now() - before, height: document.body.scrollHeight,
        characters: document.querySelector('.jp-agents-Message-body').textContent.length,
    };
}"""

APPEND = """async count => {
    const before = performance.now();
    const mime = 'application/vnd.jupyter-agents.message+json';
    const first = document.querySelectorAll('.jp-agents-Message').length + 1;
    for (let id = first; id < first + count; id++) {
        const text = `Message **${id}** with \\`code\\` in it.\\n\\n- one\\n- two\\n\\n\\`\\`\\`python\\nx = ${id}\\n\\`\\`\\`\\n`;
        const data = { [mime]: { schema: 1, kind: 'message', sender: 'a', recipient: 'b', colour: id % 2, text } };
        window.patch([{ op: 'item', item: { id: 1000 + id, kind: 'bundle', bundle: { data, metadata: {} } } }]);
    }
    document.body.getBoundingClientRect();
    return performance.now() - before;
}"""

SECTION = """## Part {n}: what the numbers say

The mean of `x` is **{n}.5**, which is *more* than the last one; see [the table](https://example.org/{n}). Every value
was checked twice, and those that differ are listed below in the order in which they were found.

- first, the `index` was sorted
- then **duplicates** were dropped
  1. by name
  2. by date

| column | mean | rows |
|---|---:|---:|
| a | {n}.25 | 1,200 |
| b | {n}.75 | 1,198 |

```python
import pandas as pd
frame = pd.read_csv("part_{n}.csv")
for name, group in frame.groupby("kind"):
    print(name, group["x"].mean())  # one line a group
```

> A remark of the agent that goes over more than one line and has to be wrapped where the page is narrow.

"""


def main() -> None:
    """Measure three texts, and a hundred messages, and print what came of it."""
    texts = {
        "Markdown": tokens("".join(SECTION.format(n=n) for n in range(400)), TOKENS),
        "one paragraph": ["word " for _ in range(5_000)],
        "one code block": tokens("```python\n" + "total = sum(x for x in values)  # a line\n" * 3_000, TOKENS),
    }
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET.split())
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        for name, words in texts.items():
            load(page)
            sys.stdout.write(f"{name}: {json.dumps(page.evaluate(STREAM, [words, RATE, PATCHES]))}\n")
        load(page)
        for count in (100, 100, 800):
            sys.stdout.write(f"{count} more messages: {page.evaluate(APPEND, count):.0f} ms\n")
        browser.close()


def load(page: Page) -> None:
    """A page with the view on it, and a reply that has just begun."""
    page.goto("about:blank")
    page.evaluate(LOAD, [(STATIC / "live.js").read_text(), (STATIC / "agents.css").read_text()])


def tokens(text: str, count: int) -> list[str]:
    """The text in pieces as long as the tokens of a model are on average."""
    return [text[at : at + 4] for at in range(0, len(text), 4)][:count]


if __name__ == "__main__":
    main()
