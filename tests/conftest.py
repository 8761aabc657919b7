"""What tests in several modules start from."""

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


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
