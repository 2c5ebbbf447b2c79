"""`make test ARGS=--where-time-goes`: the processor time of each test, its processes' included."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest

from tests.forked_workers import Nursery

SPENT = "processor seconds"
MOST = 40
"""Lines of each list."""


def spent() -> float:
    """Seconds of processor time of this process, and of those it started that have ended."""
    every = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in every)


class Where:
    """Adds to each report what was spent since the one before; tells of all of them at the end."""

    def __init__(self) -> None:
        self._before = spent() + Nursery.seconds
        self._whole = 0.0
        self._parts: dict[str, Counter[str]] = {"setup": Counter(), "call": Counter()}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        now = spent() + Nursery.seconds  # which this process started, and has not waited for
        report.user_properties.append((SPENT, now - self._before))
        self._before = now
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        seconds = dict(report.user_properties).get(SPENT, 0.0)
        part = "setup" if report.when == "setup" else "call"
        assert isinstance(seconds, float)
        self._parts[part][report.nodeid] += seconds  # type: ignore[assignment]  # Counter of floats

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output: dict[str, Any] = getattr(session.config, "workeroutput", {})
        output[SPENT] = spent()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401 - xdist has no types
        self._whole += node.workeroutput[SPENT]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        whole = self._whole or spent()
        terminalreporter.section(f"processor time: {whole:,.0f} s")
        for part, tests in self._parts.items():
            files = _by_file(tests)
            terminalreporter.write_line(f"{part}: {sum(tests.values()):,.0f} s")
            for named in (files, tests):
                for name, seconds in named.most_common(MOST):
                    terminalreporter.write_line(f"{seconds:8.2f} s  {name}")
                terminalreporter.write_line("")


def _by_file(tests: Counter[str]) -> Counter[str]:
    files: Counter[str] = Counter()
    for name, seconds in tests.items():
        files[name.partition("::")[0]] += seconds
    return files
