"""What the benchmarks of scale build is real, and they run; nobody looks at a clock."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from sealift_signing.transparency.question import Question
from tests.benchmarks import large_log, log_appends, log_proofs, log_questions, tuf_walk
from tests.benchmarks.figures import Claim, Figure, Line, Measured
from tests.logs import KEY, ORIGIN, HubSide, numbered


def test_the_large_log_is_a_log_and_its_entries_are_found_by_what_they_say(tmp_path: Path) -> None:
    size = 900
    with closing(HubSide(tmp_path)) as hub:
        large_log.build(hub.path, size)
        verdict = hub.reader.verify(KEY, ORIGIN)
        assert (verdict.size, verdict.findings) == (size, ())
        # Nobody signed its notes but the newest; columns and terms are what fsck looks at besides.
        found = [one.code for one in hub.reader.fsck(KEY, ORIGIN).findings]
        assert found == ["checkpoint-unsigned"] * (size - 1)
        rows = hub.reader.page(Question(), limit=size)
        assert len({row.entry.type for row in rows}) > 10
        assert len({row.entry.actor for row in rows}) > 100
        assert hub.log.commit_entry(numbered(1)).seq == size
        assert hub.reader.verify(KEY, ORIGIN).ok


def claims(lines: Iterable[Line]) -> list[str]:
    """The acceptance lines that were measured."""
    return [line.line for line in lines if isinstance(line, Claim) and line.line]


@pytest.mark.system
def test_the_log_is_appended_to_by_threads_and_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_appends, "QUICK_SECONDS", 0.05)
    monkeypatch.setattr(log_appends, "PROCESSES", 2)
    lines = list(log_appends.measure(tmp_path, quick=True))
    figures = [line for line in lines if isinstance(line, Figure)]
    assert len(figures) == 1 + 2 * 4 + 2
    assert all(one.count > 0 for one in figures)
    assert claims(lines) == ["6"] * 3


@pytest.mark.system
def test_a_large_log_is_proved_asked_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_proofs, "QUICK_ENTRIES", 3_000)
    monkeypatch.setattr(log_proofs, "PROOFS", 5)
    monkeypatch.setattr(log_questions, "EACH", 3)
    assert claims(log_proofs.measure(tmp_path, quick=True)) == ["6"] * 3


@pytest.mark.system
def test_a_site_walks_large_organisations_on_a_first_and_a_later_visit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("ARTIFACTS", 500), ("SITES", 30), ("TEAMS", 20), ("ASSIGNED", 2)):
        monkeypatch.setattr(tuf_walk, name, size)
    lines = list(tuf_walk.measure(tmp_path, quick=True))
    assert claims(lines) == ["5"] * 6
    measured = [line for line in lines if isinstance(line, Measured)]
    assert len(measured) == 4 * 3
    assert all(one.peak > 0 for one in measured)
