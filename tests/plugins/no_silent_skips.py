"""A pytest plugin that fails a run in which a test was skipped, or failed as expected, without being named.

A skipped test looks like a passed one in a long log. Those that may be skipped are named, with the reason, under
`allowed_skips` in pyproject.toml: `<node id, * allowed>: <reason>`.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("allowed_skips", "tests that may be skipped, as '<node id>: <reason>'", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SkipGuard(parse_allowed(config.getini("allowed_skips"))), "no-silent-skips")


def parse_allowed(lines: Iterable[str]) -> dict[str, str]:
    """Patterns of node ids, with the reasons why these tests may be skipped."""
    allowed = {}
    for line in lines:
        pattern, mark, reason = line.partition(": ")
        if not mark or not reason.strip():
            raise pytest.UsageError(f"Cannot allow a skip with {line!r}: expected '<node id>: <reason>'.")
        allowed[pattern.strip()] = reason.strip()
    return allowed


class SkipGuard:
    """Collects the skipped and the expected-to-fail, and fails the session for those that are not allowed."""

    def __init__(self, allowed: dict[str, str]) -> None:
        self.allowed = allowed
        self.found: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped or hasattr(report, "wasxfail"):
            self.note(report.nodeid, getattr(report, "wasxfail", None) or _reason(report))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.note(report.nodeid, _reason(report))

    def note(self, nodeid: str, reason: str) -> None:
        if not any(_matches(nodeid, pattern) for pattern in self.allowed):
            self.found[nodeid] = reason

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.found and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.found:
            return
        terminalreporter.section("skipped without leave", red=True, bold=True)
        for nodeid, reason in self.found.items():
            terminalreporter.write_line(f"{nodeid}: {reason}")
        terminalreporter.write_line(
            "Run these tests, or name them with a reason under allowed_skips in pyproject.toml."
        )


def _matches(nodeid: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(nodeid, pattern.replace("[", "[[]"))


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    return str(report.longrepr)
