"""A real JupyterLab on 127.0.0.1, and a real Chromium that shows it."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "build" / "screenshots"
QUIET = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
_RESTART_AND_RUN = """async () => {
    const app = window.jupyterapp, notebook = app.shell.currentWidget;
    await notebook.sessionContext.ready;
    await notebook.sessionContext.restartKernel();
    await app.commands.execute('notebook:run-all-cells');
}"""


@dataclass
class Lab:
    """A server, and the folder that it shows."""

    url: str
    token: str
    folder: Path


@dataclass
class Notebook:
    """A notebook on a page."""

    page: Page
    path: Path

    def run_all(self) -> None:
        """Restart the kernel and run every cell, to the end."""
        self.page.evaluate(_RESTART_AND_RUN)

    def save(self) -> nbformat.NotebookNode:
        """The notebook as JupyterLab saves it."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return nbformat.read(self.path, as_version=4)

    def screenshot(self, name: str) -> Path:
        """Keep a picture of the page for a person to look at."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")
        return SHOTS / f"{name}.png"


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    home = tmp_path_factory.mktemp("lab")
    folder = home / "files"
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "IdentityProvider.token": token,
        "LabApp.expose_app_in_browser": True,
        "LabApp.news_url": "",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--{name}={value}" for name, value in options.items()]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    environment |= {"JUPYTER_AGENTS_TRUST_RECORDINGS": "1"}  # as `make demo` does, for our own
    environment |= {
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "spaces"),
    }
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            found = Lab(f"http://127.0.0.1:{port}", token, folder)
            _wait_for(f"{found.url}/api?token={token}", server)
            yield found
        finally:
            server.terminate()
            server.wait(20)


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


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 1000})
    yield context.new_page()
    context.close()


@pytest.fixture
def open_notebook(lab: Lab, page: Page, request: pytest.FixtureRequest):
    """Open a notebook: a file of ours, with what lies beside it, or cells. Its kernel is ready."""

    def open_notebook(*cells: str, file: Path | None = None) -> Notebook:
        path = lab.folder / (file.name if file else f"{request.node.name}.ipynb")
        if file is not None:
            for beside in ("data", "recordings"):
                shutil.copytree(file.parent / beside, lab.folder / beside, dirs_exist_ok=True)
            shutil.copy(file, path)
        else:
            sources = [nbformat.v4.new_code_cell(cell) for cell in cells]
            kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
            nbformat.write(nbformat.v4.new_notebook(cells=sources, metadata={"kernelspec": kernel}), path)
        page.goto(f"{lab.url}/lab/tree/{path.name}?token={lab.token}&reset")
        page.locator(".jp-CodeCell").first.wait_for(timeout=60_000)
        page.wait_for_function(
            "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'", timeout=60_000
        )
        return Notebook(page, path)

    return open_notebook
