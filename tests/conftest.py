"""What tests in several modules start from."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from jupyter_agents.code_blocks import CodeBlock
from jupyter_agents.drive import a_drive, drive
from jupyter_agents.executors.live import LiveExecutor
from jupyter_agents.journal.trust import DATABASE, TRUST_ALL
from jupyter_agents.models.opening import Open
from jupyter_agents.testing import FakeOpenAIServer
from tests.model_calls import async_face, envelope_of_the_sdk, sync_face


@pytest.fixture(scope="module")
def bare_shell():
    """An IPython shell without a kernel and without a history."""
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance(config=config, user_ns={})
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(bare_shell):
    """The shell with the extension loaded, and no variables of an earlier test."""
    before = set(bare_shell.user_ns)
    bare_shell.run_line_magic("load_ext", "jupyter_agents")
    yield bare_shell
    bare_shell.run_line_magic("unload_ext", "jupyter_agents")
    for name in set(bare_shell.user_ns) - before:
        del bare_shell.user_ns[name]


@pytest.fixture
def run(bare_shell):
    """Run a block in the shell under the synchronous driver; its result."""

    def run(code, language="python", **options):
        return drive(LiveExecutor(bare_shell, **options).execute(CodeBlock(language, code)))

    return run


@pytest.fixture
def a_run(bare_shell):
    """The same under the driver of an event loop."""

    async def a_run(code, language="python", **options):
        return await a_drive(LiveExecutor(bare_shell, **options).execute(CodeBlock(language, code)))

    return a_run


@pytest.fixture
def server():
    """A scripted server on this machine."""
    with FakeOpenAIServer() as server:
        yield server


@pytest.fixture(params=[sync_face, async_face], ids=["sync", "async"])
def ask(request):
    """Asks a model, in this thread and on a loop."""
    return request.param


@pytest.fixture(params=["first", "later"])
def first_or_later(request, monkeypatch):
    """Each request is sent as the first to its address, by the SDK, and as a later one, in the envelope of the first."""
    if request.param == "later":
        monkeypatch.setattr(Open, "_known", envelope_of_the_sdk)


@pytest.fixture
def own_trust_store(tmp_path, monkeypatch):
    """No recording is trusted but by the test."""
    monkeypatch.setenv(DATABASE, str(tmp_path / "trusted.jsonl"))
    monkeypatch.delenv(TRUST_ALL, raising=False)
