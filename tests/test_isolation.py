"""The rules that the tests themselves live by: no network, nothing of this machine, no silent skips."""

import os
import socket
import threading

import pytest

from tests.plugins.isolation import is_local
from tests.plugins.no_silent_skips import parse_allowed

PLUGINS = ("-p", "tests.plugins.isolation", "-p", "tests.plugins.no_silent_skips", "-p", "no:cacheprovider")


@pytest.fixture
def run(pytester, monkeypatch):
    """Run a test file with the plugins in a pytest of its own, in this process."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(source: str, *args: str, ini: str = "") -> pytest.RunResult:
        pytester.makeini(f"[pytest]\n{ini}")
        pytester.makepyfile(source)
        return pytester.runpytest_inprocess(*PLUGINS, *args)

    return run


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "", None, b"127.0.0.1", "0.0.0.0", "::"]
)
def test_host_is_local_when_it_is_this_machine(host):
    assert is_local(host)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "2001:db8::1", "example.invalid", "localhost.example.invalid", b"192.0.2.1"]
)
def test_host_is_not_local_when_it_is_another_machine(host):
    assert not is_local(host)


def test_loopback_is_within_reach():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()

        with socket.create_connection(("localhost", port), timeout=5) as client:
            assert client.recv(1) == b""

        thread.join()


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('192.0.2.1', 80), timeout=1)",
        "with socket.socket() as client: client.connect_ex(('192.0.2.1', 80))",
        "urllib.request.urlopen('http://example.invalid/', timeout=1)",
    ],
)
def test_test_fails_when_it_reaches_for_another_machine_and_hides_it(run, attempt):
    result = run(
        f"""
        import socket, urllib.request

        def test_reach():
            try:
                {attempt}
            except OSError:
                pass

        def test_next():
            pass
        """
    )

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*the test tried to reach *; tests talk to 127.0.0.1 only*"])


def test_settings_of_the_machine_are_out_of_sight(run, monkeypatch):
    for name in ("OPENAI_API_KEY", "https_proxy", "JUPYTER_AGENTS_REPLAY", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, "machine's own")
    home = os.environ["HOME"]

    result = run(
        f"""
        import os

        def test_environment():
            assert not [name for name, value in os.environ.items() if value == "machine's own"]
            assert os.environ["HOME"] != {home!r}
        """
    )

    result.assert_outcomes(passed=1)


def test_value_of_an_example_is_forgotten(run):
    result = run(
        """
        import builtins

        def example():
            '''
            >>> 40 + 2
            42
            '''

        def test_next():
            assert not hasattr(builtins, "_")
        """,
        "--doctest-modules",
    )

    result.assert_outcomes(passed=2)


def test_environment_is_restored_when_a_test_changes_it(run):
    result = run(
        """
        import os

        def test_change(tmp_path):
            os.environ["LEFT_BEHIND"] = "1"
            del os.environ["PATH"]
            os.chdir(tmp_path)

        def test_next(tmp_path):
            assert "LEFT_BEHIND" not in os.environ
            assert "PATH" in os.environ
            assert not os.path.samefile(os.getcwd(), tmp_path.parent / "test_change0")
        """
    )

    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import pytest\ndef test_a(): pytest.skip('no time')", "no time"),
        ("import pytest\n@pytest.mark.skipif(True, reason='not here')\ndef test_a(): pass", "not here"),
        ("import pytest\n@pytest.mark.xfail(reason='a bug')\ndef test_a(): assert False", "a bug"),
        ("import pytest\n@pytest.mark.xfail(reason='mended')\ndef test_a(): pass", "mended"),
        ("import pytest\npytest.importorskip('no_such_module')", "no_such_module"),
        (
            "import unittest\nclass TestA(unittest.TestCase):\n    @unittest.skip('old')\n    def test_a(self): pass",
            "old",
        ),
    ],
)
def test_run_fails_when_a_test_is_skipped(run, source, reason):
    result = run(source)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*skipped without leave*", f"*{reason}*"])


def test_run_passes_when_the_skip_is_allowed(run):
    result = run(
        "import pytest\n@pytest.mark.parametrize('n', [1])\ndef test_a(n): pytest.skip('no time')\ndef test_b(): pass",
        ini="allowed_skips =\n    test_run*::test_a[1]: needs a printer\n",
    )

    assert result.ret == pytest.ExitCode.OK


def test_run_fails_when_another_skip_is_allowed(run):
    result = run(
        "import pytest\ndef test_a(): pytest.skip('no time')\ndef test_b(): pass",
        ini="allowed_skips =\n    *::test_b: needs a printer\n",
    )

    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_run_passes_when_all_tests_run(run):
    assert run("def test_a(): pass").ret == pytest.ExitCode.OK


@pytest.mark.parametrize("line", ["tests/test_a.py::test_b", "tests/test_a.py::test_b: ", ""])
def test_allowing_a_skip_fails_when_it_gives_no_reason(line):
    with pytest.raises(pytest.UsageError, match="expected '<node id>: <reason>'"):
        parse_allowed([line])
