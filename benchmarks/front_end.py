"""What a person waits for in a real JupyterLab: text that streams, a long notebook that opens, a click that arrives.

- `stream`: a model says 20,000 tokens of Markdown at 2,000 a second in a chat of the kernel; frames of the page a second
  meanwhile, beside those of the same page in a chat that streams nothing. What is on the page in the end, and in the
  notebook, is compared with what was said. Target: 50 frames a second, nothing lost.
- `open`: a notebook of 1,000 messages (20 cells of 50) beside the same texts as plain Markdown outputs, opened in turn in
  one Lab, until every output is drawn. Target: at most 1 s more.
- `click`: from the click on "Reply" to Python, in a cell that blocks and in one that is awaited. Target: 300 ms.

    python -m benchmarks.front_end [--rounds N] [--only stream|open|click] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks._transcripts import code_message, ordinary_message
from jupyter_agents.display.bundle import Transcript, exact_text
from jupyter_agents.events import Entry, MessageSent
from jupyter_agents.executors.outputs import MESSAGE_MIME
from jupyter_agents.messages import Message
from tests.browser.conftest import QUIET, Lab, Notebook, _free_port, _settings, _wait_for, write_notebook

ROOT = Path(__file__).parent.parent
TOKENS, RATE = 20_000, 2_000
CELLS, OUTPUTS = 20, 50
ANSWERS = 15

PREPARE = f"""
%load_ext jupyter_agents
import json, time
from jupyter_agents import AssistantAgent, UserProxyAgent
from jupyter_agents.effects import Pause, Tell
from jupyter_agents.events import Delta
from jupyter_agents.testing import ScriptedModel
from benchmarks._transcripts import ordinary_message

class Streaming(ScriptedModel):
    # At so many tokens a second, whatever the machine is busy with, in the pieces of a fast server.
    async def _speak(self, reply):
        text, began, at = reply.content, time.monotonic(), 0
        while at < len(text):
            end = min(len(text), int((time.monotonic() - began) * 4 * {RATE}) + 4)
            for start in range(at, end, 4):
                await Tell(Delta(text[start:min(start + 4, end)]))
            at = end
            await Pause(0.01)

TEXT = "\\n\\n".join(f"## Part {{n}}\\n\\n{{ordinary_message(n)}}" for n in range(1, 1000))[:4 * {TOKENS}]

def pair(model, mode="NEVER"):
    user = UserProxyAgent("user", human_input_mode=mode, code_execution_config=False, max_consecutive_auto_reply=100)
    return user, AssistantAgent("assistant", llm_config=model, max_consecutive_auto_reply=100)
"""
STREAM = """
user, bot = pair(Streaming([TEXT]))
result = user.initiate_chat(bot, message="Tell me all", max_turns=1)
"""
WAIT = f"""
class Waiting(ScriptedModel):
    async def complete(self, request):
        await Pause({TOKENS // RATE})
        return await super().complete(request)
user, bot = pair(Waiting(["Done."]))
result = user.initiate_chat(bot, message="Wait", max_turns=1)
"""
ASK = """
heard = []
user, bot = pair(ScriptedModel(lambda request: heard.append(time.time()) or f"Answer {{len(heard)}}?"), mode="ALWAYS")
result = {call}(bot, message="Ask me", max_turns={turns})
print("HEARD", json.dumps(heard))
"""
FRAMES = """() => {
    const frames = window.frames_ = [];
    const frame = now => {
        if (window.frames_ !== frames) return;  // another count has begun, or this one is over
        frames.push(now);
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""
FRAMES_OF = """() => {
    const frames = window.frames_;
    window.frames_ = null;
    const gaps = frames.slice(1).map((now, i) => now - frames[i]).sort((a, b) => a - b);
    const seconds = (frames.at(-1) - frames[0]) / 1000;
    const at = share => gaps[Math.floor(share * (gaps.length - 1))];
    return { seconds, fps: gaps.length / seconds, p99: at(0.99), longest: at(1) };
}"""
OPEN = """async ([path, selector, count]) => {
    const {commands, shell} = window.jupyterapp;
    const drawn = () => [...document.querySelectorAll(selector)].filter(one => one.childElementCount > 0).length;
    const frame = () => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
    const started = performance.now();
    let first = 0;
    await commands.execute('docmanager:open', { path, factory: 'Notebook' });
    while (drawn() < count) {
        await frame();
        first ||= drawn() > 0 ? performance.now() - started : 0;
        if (performance.now() - started > 120000) return { error: `${drawn()} of ${count}` };
    }
    document.body.getBoundingClientRect();
    await frame();
    return { first, all: performance.now() - started };
}"""
CLOSE = """async () => {
    const widget = window.jupyterapp.shell.currentWidget;
    widget.context?.model && (widget.context.model.dirty = false);
    widget.close();
    await new Promise(resolve => setTimeout(resolve, 500));
}"""
CLICKS = """() => {
    window.clicks_ = [];
    const keep = event => {
        if (event.target.textContent === 'Reply') window.clicks_.push(performance.timeOrigin + event.timeStamp);
    };
    document.addEventListener('click', keep, { capture: true });
}"""


def main() -> None:
    """Measure, and say which target is met."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", choices=WORK)
    options.add_argument("--json", type=Path, help="write the results to this file as well")
    given = options.parse_args()
    found = {}
    with lab() as server, chromium() as browser:
        for name in [given.only] if given.only else WORK:
            found[name] = WORK[name](server, browser, given.rounds)
    print(json.dumps(found, indent=1))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    for name, result in found.items():
        print(REPORTS[name](result))


@contextmanager
def lab() -> Iterator[Lab]:
    """A JupyterLab of its own, which knows nothing of the user's."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        found = Lab(f"http://127.0.0.1:{_free_port()}", secrets.token_hex(16), folder / "files", folder / "runtime")
        found.folder.mkdir()
        said = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": found.url.rpartition(":")[2],
            "ServerApp.root_dir": found.folder,
            "IdentityProvider.token": found.token,
            "LabApp.expose_app_in_browser": True,
            "LabApp.news_url": "",
        }
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        environment = os.environ | {
            "JUPYTER_RUNTIME_DIR": str(found.runtime),
            "JUPYTERLAB_SETTINGS_DIR": str(_settings(folder / "settings")),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "spaces"),
            "PYTHONPATH": str(ROOT),
        }
        server = subprocess.Popen(
            [*command, *(f"--{name}={value}" for name, value in said.items())],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(f"{found.url}/api?token={found.token}", server)
            yield found
        finally:
            server.terminate()
            server.wait(20)


@contextmanager
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        sys.exit("Cannot measure the front end: there is no Chromium. Run scripts/browser.sh.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET.split())
        yield browser
        browser.close()


@contextmanager
def notebook(server: Lab, browser: Browser, name: str, *cells: str) -> Iterator[Notebook]:
    """A notebook of these cells on a page of its own, its kernel ready."""
    path = server.folder / f"{name}.ipynb"
    write_notebook(path, *cells)
    context = browser.new_context(viewport={"width": 1200, "height": 1000})
    page = context.new_page()
    page.goto(f"{server.url}/lab/tree/{path.name}?token={server.token}&reset")
    found = Notebook(page, path, "lab", server)
    found.wait_ready()
    found.wait_idle()
    try:
        yield found
    finally:
        found.shut_down_kernel()
        context.close()


# -- A stream ----------------------------------------------------------------------------------------------------


def stream(server: Lab, browser: Browser, rounds: int) -> dict[str, Any]:
    """Frames a second while text streams, and while nothing does, by round."""
    said = "\n\n".join(f"## Part {n}\n\n{ordinary_message(n)}" for n in range(1, 1000))[: 4 * TOKENS]
    rows = []
    for number in range(rounds):
        with notebook(server, browser, f"stream{number}", PREPARE, WAIT, STREAM) as open_one:
            open_one.run_cell(0)
            still = frames(open_one, 1)
            moving = frames(open_one, 2)
            rows.append({"still": still, "stream": moving, "lost": lost(open_one, said)})
    return {"rounds": rows}


def frames(open_one: Notebook, cell: int) -> dict[str, float]:
    open_one.page.evaluate(FRAMES)
    open_one.run_cell(cell)
    found: dict[str, float] = open_one.page.evaluate(FRAMES_OF)
    return found


def lost(open_one: Notebook, said: str) -> int:
    """How many characters and headings the saved message and the one on the page lack, or have too many."""
    open_one.wait_idle()
    saved = max((exact_text(one["data"]) for one in open_one.outputs(2)), key=len)
    drawn = open_one.page.locator(".jp-agents-Message-body").last.locator("h4").count()
    return abs(len(saved) - len(said)) + (saved != said) + abs(drawn - said.count("## Part"))


def report_stream(found: dict[str, Any]) -> str:
    rows = found["rounds"]
    fps, still = (statistics.median(row[name]["fps"] for row in rows) for name in ("stream", "still"))
    longest = max(row["stream"]["longest"] for row in rows)
    gone = sum(row["lost"] for row in rows)
    verdict = "met" if fps >= 50 and not gone else "MISSED"
    return (
        f"{TOKENS:,} tokens: {fps:.1f} frames a second ({still:.1f} with nothing to draw), longest gap {longest:.0f} ms, "
        f"{gone} characters lost (target: 50, none)  {verdict}"
    )


# -- A long notebook -----------------------------------------------------------------------------------------------


def open_long(server: Lab, browser: Browser, rounds: int) -> dict[str, Any]:
    """Milliseconds until every output is drawn, and of work of the page for it, of pairs of notebooks."""
    found = {}
    for name, make in {"ordinary": ordinary_message, "code": code_message}.items():
        texts = [make(number) for number in range(CELLS * OUTPUTS)]
        write_long(server.folder / f"{name}-ours.ipynb", texts, our_output)
        write_long(server.folder / f"{name}-markdown.ipynb", texts, markdown_output)
        with notebook(server, browser, f"start-{name}", "1") as start:
            found[name] = [opened(start.page, name, at) for at in range(rounds + 1)][1:]
    return found


def opened(page: Page, name: str, at: int) -> dict[str, dict[str, float]]:
    kinds = {
        "ours": ".jp-OutputArea-output .jp-agents-Message",
        "markdown": ".jp-OutputArea-output.jp-RenderedMarkdown",
    }
    order = list(kinds) if at % 2 else list(kinds)[::-1]
    return {kind: opened_one(page, f"{name}-{kind}.ipynb", kinds[kind]) for kind in order}


def opened_one(page: Page, path: str, selector: str) -> dict[str, float]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {})
    before = metrics(session)
    times = page.evaluate(OPEN, [path, selector, CELLS * OUTPUTS])
    if "error" in times:
        sys.exit(f"Cannot measure {path}: {times['error']} outputs were drawn in two minutes.")
    after = metrics(session)
    page.evaluate(CLOSE)
    session.detach()
    return times | {key: 1000 * (after[key] - before[key]) for key in METRICS}


METRICS = ("TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration")


def metrics(session: Any) -> dict[str, float]:
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}


def write_long(path: Path, texts: list[str], output: Callable[[Transcript, str], Any]) -> None:
    transcript = Transcript()
    outputs = [output(transcript, text) for text in texts]
    cells = [
        nbformat.v4.new_code_cell(f"chat({at})", outputs=outputs[at : at + OUTPUTS], execution_count=1)
        for at in range(0, len(outputs), OUTPUTS)
    ]
    spec = {"name": "python3", "display_name": "python3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), path)


def our_output(transcript: Transcript, text: str) -> Any:
    bundle = transcript.bundle(Entry(0, MessageSent(0, "assistant", "user", Message(text), "model")))
    assert bundle is not None
    assert MESSAGE_MIME in bundle.data
    return nbformat.v4.new_output("display_data", bundle.data, metadata=bundle.metadata)


def markdown_output(_: Transcript, text: str) -> Any:
    return nbformat.v4.new_output("display_data", {"text/markdown": text, "text/plain": text})


def report_open(found: dict[str, Any]) -> str:
    lines = []
    for name, rounds in found.items():
        ours, plain = (statistics.median(one[kind]["all"] for one in rounds) for kind in ("ours", "markdown"))
        work, plain_work = (
            statistics.median(one[kind]["TaskDuration"] for one in rounds) for kind in ("ours", "markdown")
        )
        more = statistics.median(one["ours"]["all"] - one["markdown"]["all"] for one in rounds)
        lines.append(
            f"1,000 messages ({name}): {ours:.0f} ms, as Markdown {plain:.0f} ms; {more:+.0f} ms, {ours / plain:.2f}×; "
            f"work of the page {work:.0f} and {plain_work:.0f} ms (target: 1,000 more)  {'met' if more <= 1000 else 'MISSED'}"
        )
    return "\n".join(lines)


# -- A click -------------------------------------------------------------------------------------------------------


def click(server: Lab, browser: Browser, rounds: int) -> dict[str, list[float]]:
    """Milliseconds from a click to Python, of each answer."""
    calls = {"blocking": "user.initiate_chat", "awaited": "await user.a_initiate_chat"}
    found: dict[str, list[float]] = {}
    for how, call in calls.items():
        source = ASK.format(call=call, turns=ANSWERS + 1)
        with notebook(server, browser, f"click-{how}", PREPARE, source) as open_one:
            open_one.run_cell(0)
            open_one.page.evaluate(CLICKS)
            open_one.run_cell(1, wait=False)
            for number in range(ANSWERS):
                answer(open_one.page, number)
            open_one.wait_idle()
            found[how] = latencies(open_one)
    return found


def answer(page: Page, number: int) -> None:
    box = page.locator(".jp-agents-Prompt textarea:enabled").last
    page.get_by_text(f"Answer {number + 1}?").first.wait_for()
    box.fill(f"reply {number}")
    page.get_by_role("button", name="Reply", exact=True).last.click()


def latencies(open_one: Notebook) -> list[float]:
    texts = ["".join(one.get("text", "")) for one in open_one.outputs(1)]
    [line] = [line for text in texts for line in text.splitlines() if line.startswith("HEARD ")]
    heard = json.loads(line.removeprefix("HEARD "))[1:]
    clicks = open_one.page.evaluate("window.clicks_")
    return [1000 * at - clicked for at, clicked in zip(heard, clicks, strict=False)]


def report_click(found: dict[str, list[float]]) -> str:
    return "\n".join(
        f"click to Python, {how}: {statistics.median(many):.0f} ms, at most {max(many):.0f} of {len(many)} (target: 300)  "
        f"{'met' if statistics.median(many) <= 300 else 'MISSED'}"
        for how, many in found.items()
    )


WORK: dict[str, Callable[[Lab, Browser, int], Any]] = {"stream": stream, "open": open_long, "click": click}
REPORTS: dict[str, Callable[[Any], str]] = {"stream": report_stream, "open": report_open, "click": report_click}


if __name__ == "__main__":
    main()
