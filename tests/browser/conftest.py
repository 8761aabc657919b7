"""A real JupyterLab and Notebook 7 on 127.0.0.1, and a real Chromium that shows them."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import nbformat
import pytest
from playwright.sync_api import Browser, Error, Locator, Page, sync_playwright

from tests.browser.chats import PREPARE

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "build" / "screenshots"
AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
OLDEST = ROOT / "build" / "ipykernel-oldest"
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
THEMES = {
    "light": "JupyterLab Light",
    "dark": "JupyterLab Dark",
    "high-contrast": "JupyterLab Dark High Contrast",
}
App = Literal["lab", "notebook"]

_READY = """() => {
    const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
    return context?.isReady && ['idle', 'busy'].includes(context.session?.kernel?.status);
}"""
_IDLE = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    const waits = cell => cell.model.type === 'code' && cell.inputArea.promptNode.textContent.includes('*');
    return panel.sessionContext.session?.kernel?.status === 'idle' && !panel.content.widgets.some(waits);
}"""
_RUN = """async ([index, wait]) => {
    const {commands, shell} = window.jupyterapp, notebook = shell.currentWidget.content;
    notebook.deselectAll();
    notebook.activeCellIndex = index;
    const done = commands.execute('notebook:run-cell');
    if (wait) await done;
}"""
_ADD = """source => {
    const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel;
    cells.insertCell(cells.cells.length, {cell_type: 'code', source, metadata: {trusted: true}});
    return cells.cells.length - 1;
}"""
_RESTART_AND_RUN = """async () => {
    const app = window.jupyterapp, notebook = app.shell.currentWidget;
    await notebook.sessionContext.ready;
    await notebook.sessionContext.restartKernel();
    await app.commands.execute('notebook:run-all-cells');
}"""
_OUTPUTS = "index => window.jupyterapp.shell.currentWidget.content.widgets[index].model.outputs.toJSON()"
_SESSION = "window.jupyterapp.shell.currentWidget.sessionContext"
# axe takes all that stands in JupyterLab's scrolling panel for out of sight, so that no field there has a visible label.
# For the same reason it looks at no contrast there: `test_live_view.py` and the gallery do that on plain pages.
_AXE = """async where => {
    const {violations} = await axe.run(where ?? document, {rules: {'label-title-only': {enabled: false}}});
    return violations.map(one => ({id: one.id, help: one.help, nodes: one.nodes.map(node => node.html)}));
}"""


@dataclass
class Lab:
    """A server, and the folder that it shows."""

    url: str
    token: str
    folder: Path
    runtime: Path


@dataclass
class Notebook:
    """A notebook on a page of JupyterLab or Notebook 7."""

    page: Page
    path: Path
    app: App = "lab"
    lab: Lab | None = field(default=None, repr=False)

    def run_all(self) -> None:
        """Restart the kernel and run every cell, to the end."""
        self.page.evaluate(_RESTART_AND_RUN)

    def run_cell(self, index: int, *, wait: bool = True) -> None:
        """Run a cell; to its end, unless it is to go on while the test does."""
        self.page.evaluate(_RUN, [index, wait])

    def add_and_run(self, source: str, *, wait: bool = True) -> int:
        """Put a cell at the end, and run it. Its number."""
        index: int = self.page.evaluate(_ADD, source)
        self.run_cell(index, wait=wait)
        return index

    def cell(self, index: int) -> Locator:
        """A code cell, by its place among all cells; a cell out of sight may not be on the page."""
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']")

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """The outputs of a cell, as the notebook holds them now."""
        found: list[dict[str, Any]] = self.page.evaluate(_OUTPUTS, index)
        return found

    def wait_idle(self, seconds: float = 60) -> None:
        """Wait until the kernel is idle and no cell waits for it."""
        self.page.wait_for_function(_IDLE, timeout=seconds * 1000)

    def wait_ready(self, seconds: float = 60) -> None:
        """Wait until the notebook is on the page and has a kernel that lives: idle, or busy after a reload."""
        self.page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=seconds * 1000)
        self.page.wait_for_function(_READY, timeout=seconds * 1000)

    def reload(self) -> None:
        """Load the page anew. The kernel goes on."""
        self.page.reload()
        self.wait_ready()

    def restart_kernel(self) -> None:
        """Restart the kernel, whatever it does."""
        self.page.evaluate(f"async () => {{ await {_SESSION}.restartKernel(); }}")

    def interrupt(self) -> None:
        """Interrupt the kernel, as the button with the square does."""
        self.page.evaluate(f"async () => {{ await {_SESSION}.session.kernel.interrupt(); }}")

    def shut_down_kernel(self) -> None:
        """End the kernel in order; the notebook has none afterwards."""
        self.page.evaluate(f"async () => {{ await {_SESSION}.shutdown(); }}")

    def kill_kernel(self) -> None:
        """Kill the kernel's process, as a lack of memory does. The server starts another one."""
        kernel = self.page.evaluate(f"() => {_SESSION}.session.kernel.id")
        os.kill(_kernel_process(kernel), signal.SIGKILL)

    def save(self) -> nbformat.NotebookNode:
        """The notebook as JupyterLab saves it."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.path, as_version=4)

    def use_theme(self, name: str) -> None:
        """Change to a theme: a key of `THEMES`."""
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", THEMES[name]
        )
        self.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=THEMES[name])
        # JupyterLab takes its splash away once for each change, and fails where another change has done so before.
        self.page.locator("#jupyterlab-splash").wait_for(state="detached")

    def screenshot(self, name: str) -> Path:
        """Keep a picture of the page for a person to look at."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")
        return SHOTS / f"{name}.png"

    def screenshots(self, name: str) -> list[Path]:
        """Keep a picture in every theme."""
        kept = []
        for theme in THEMES:
            self.use_theme(theme)
            kept.append(self.screenshot(f"{name}-{theme}"))
        self.use_theme("light")
        return kept

    def axe(self, where: str | Locator | None = None) -> list[dict[str, Any]]:
        """What axe finds fault with in the elements of a selector, in an element, or on the whole page.

        An element is brought into view before: what is out of sight is hidden, and labels nothing.
        """
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(AXE.read_text("utf-8"))
        if isinstance(where, Locator):
            where.scroll_into_view_if_needed()
        found: list[dict[str, Any]] = self.page.evaluate(
            _AXE, where.element_handle() if isinstance(where, Locator) else where
        )
        return found


def _kernel_process(kernel: str) -> int:
    import psutil

    for process in psutil.process_iter(["cmdline"]):
        if any(kernel in argument for argument in process.info["cmdline"] or ()):
            return int(process.pid)
    raise LookupError(f"no process of kernel {kernel}")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("lab")
    found = Lab(f"http://127.0.0.1:{_free_port()}", secrets.token_hex(16), home / "files", home / "runtime")
    found.folder.mkdir()
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": found.url.rpartition(":")[2],
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": found.folder,
        "IdentityProvider.token": found.token,
        "LabApp.expose_app_in_browser": True,
        "LabApp.news_url": "",
        "JupyterNotebookApp.expose_app_in_browser": True,
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--{name}={value}" for name, value in options.items()]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    environment |= {"JUPYTER_AGENTS_TRUST_RECORDINGS": "1"}  # as `make demo` does, for our own
    environment |= {
        "JUPYTER_PATH": str(_other_kernels(home / "jupyter")),
        "JUPYTER_RUNTIME_DIR": str(found.runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(_settings(home / "settings")),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "spaces"),
    }
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(f"{found.url}/api?token={found.token}", server)
            yield found
        finally:
            server.terminate()
            server.wait(20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _other_kernels(folder: Path) -> Path:
    """A kernel beside that of the virtual environment: `ipykernel-oldest`, the oldest one that is supported."""
    assert (OLDEST / "ipykernel").is_dir(), "no oldest ipykernel: scripts/browser.sh installs it"
    spec = folder / "kernels" / "ipykernel-oldest" / "kernel.json"
    spec.parent.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    environment = {"PYTHONPATH": str(OLDEST)}
    spec.write_text(
        json.dumps({"argv": command, "display_name": "oldest", "language": "python", "env": environment}), "utf-8"
    )
    return folder


def _settings(folder: Path) -> Path:
    """JupyterLab's settings: nothing asks, nothing looks for news."""
    plugin = folder / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}), "utf-8")
    return folder


def _wait_for(url: str, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            opener.open(url, timeout=2).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            continue
        return
    raise RuntimeError("the Jupyter server did not start")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert path is not None, "no chromium: scripts/browser.sh installs one"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET.split())
        yield chromium
        chromium.close()


def _new_page(browser: Browser) -> Page:
    context = browser.new_context(
        viewport={"width": 1200, "height": 1000}, permissions=["clipboard-read", "clipboard-write"]
    )
    return context.new_page()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = _new_page(browser)
    yield page
    page.context.close()


@pytest.fixture
def troubles(page: Page) -> Callable[[], list[str]]:
    """What the page has shown of the manager's troubles with widgets, at any moment of its life."""
    page.add_init_script("""
        window.troubles = [];
        const look = () => {
            const text = document.body?.innerText ?? '';
            const found = ['model not found', 'Loading widget', 'Error displaying'].filter(one => text.includes(one));
            window.troubles.push(...found);
            requestAnimationFrame(look);
        };
        look();
    """)
    return lambda: page.evaluate("[...new Set(window.troubles)]")


@pytest.fixture
def open_notebook(lab: Lab, page: Page, request: pytest.FixtureRequest) -> Callable[..., Notebook]:
    """Open a notebook: a file of ours, with what lies beside it, or cells (their sources, or whole). Its kernel is
    ready. `app` is `lab` or `notebook`, `kernel` is `python3` (the newest ipykernel) or `ipykernel-oldest`."""

    def open_notebook(
        *cells: str | nbformat.NotebookNode, file: Path | None = None, app: App = "lab", kernel: str = "python3"
    ) -> Notebook:
        name = request.node.name.translate(str.maketrans("[]/ ", "____"))
        path = lab.folder / (file.name if file else f"{name}.ipynb")
        if file is not None:
            for beside in ("data", "recordings"):
                shutil.copytree(file.parent / beside, lab.folder / beside, dirs_exist_ok=True)
            shutil.copy(file, path)
        else:
            write_notebook(path, *cells, kernel=kernel)
        return _show(lab, page, path, app)

    return open_notebook


def _show(lab: Lab, page: Page, path: Path, app: App) -> Notebook:
    """A notebook on a page, when its kernel is ready."""
    place = f"lab/tree/{path.name}" if app == "lab" else f"notebooks/{path.name}"
    page.goto(f"{lab.url}/{place}?token={lab.token}{'&reset' if app == 'lab' else ''}")
    notebook = Notebook(page, path, app, lab)
    notebook.wait_ready()
    notebook.wait_idle()
    notebook.use_theme("light")  # a test before may have left another one
    return notebook


def write_notebook(path: Path, *cells: str | nbformat.NotebookNode, kernel: str = "python3") -> None:
    """Write a notebook of code cells: sources, or cells with outputs."""
    made = [nbformat.v4.new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    spec = {"name": kernel, "display_name": kernel, "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": spec}), path)


# -- One notebook for the tests of a module --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(lab: Lab, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[[App, str], Notebook]]:
    """A notebook of a kind (JupyterLab or Notebook 7, a kernel), which is opened when it is first asked for."""
    opened: dict[tuple[str, str], Notebook] = {}
    module = request.node.name.rpartition("/")[2].removesuffix(".py")

    def find(app: App, kernel: str) -> Notebook:
        if (app, kernel) not in opened:
            path = lab.folder / f"{module}-{app}-{kernel}.ipynb"
            write_notebook(path, PREPARE, kernel=kernel)
            opened[app, kernel] = _show(lab, _new_page(browser), path, app)
            opened[app, kernel].run_cell(0)
        return opened[app, kernel]

    yield find
    for notebook in opened.values():
        notebook.page.context.close()


@pytest.fixture
def notebook(pages: Callable[[App, str], Notebook], request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """A notebook in which the preparations have been made, and nothing else: the module's, cleared after every test."""
    notebook = pages(*getattr(request, "param", ("lab", "python3")))
    faults: list[str] = []

    def hear(error: Error) -> None:
        faults.append(error.stack or str(error))

    notebook.page.on("pageerror", hear)
    yield notebook
    notebook.page.remove_listener("pageerror", hear)
    _clear(notebook, request.node.name)
    assert faults == []


def _clear(notebook: Notebook, name: str) -> None:
    """Take the cells away. What a test that failed has left under way must not fail the next one."""
    if notebook.page.evaluate(_IS_LEFT):
        notebook.screenshot(f"left-{name}".replace("/", "-"))
        notebook.restart_kernel()
        notebook.run_cell(0)
    notebook.page.evaluate(_CLEAR)


_IS_LEFT = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    const shown = [...panel.node.querySelectorAll('.jp-agents-mod-stop, .jp-agents-Prompt:not(.jp-agents-mod-closed)')];
    return panel.sessionContext.session?.kernel?.status !== 'idle' || shown.some(one => one.offsetParent !== null);
}"""
_CLEAR = """() => {
    const {sharedModel} = window.jupyterapp.shell.currentWidget.content.model;
    sharedModel.deleteCellRange(1, sharedModel.cells.length);
}"""
