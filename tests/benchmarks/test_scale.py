"""What the benchmarks of scale build is real, and they run; nobody looks at a clock."""

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealift_registry import fsck
from sealift_registry.app import open_app
from sealift_registry.trust.repository import Repository
from sealift_signing.transparency.question import Question
from tests.benchmarks import (
    engines,
    gate,
    large_log,
    log_appends,
    log_proofs,
    log_questions,
    organisations,
    tuf_walk,
    workloads,
)
from tests.benchmarks.figures import Claim, Figure, Line, Measured
from tests.benchmarks.gate_process import STAGES
from tests.benchmarks.grown import grown
from tests.logs import KEY, ORIGIN, HubSide, numbered
from tests.registry.hub_fixture import copied


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
        hub.log.stated = datetime.now(UTC).date()  # the log ends on a day of its own
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
def test_both_engines_are_measured_beside_their_drivers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "QUICK_SECONDS", 0.05)
    monkeypatch.setattr(log_appends, "PROCESSES", 2)
    lines = list(engines.measure(tmp_path, quick=True))
    figures = [line for line in lines if isinstance(line, Figure)]
    assert len(figures) == 2 * 2 * 3
    assert all(one.count > 0 for one in figures)
    assert len(lines) == len(figures) + 2


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


@pytest.mark.system
def test_what_the_gate_costs_is_measured_beside_the_same_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "TEAMS", 2)
    monkeypatch.setattr(gate, "WEEKS", 3)
    monkeypatch.setattr(gate, "PART", 1)
    monkeypatch.setattr(workloads, "QUICK_ROUNDS", 1)
    lines = list(gate.measure(tmp_path / "gate", quick=True))
    workloads.forget()
    measured = [line for line in lines if isinstance(line, Measured)]
    each = 3 + 2 * 2 + len(STAGES)
    assert len(measured) == 2 * each
    assert all(one.wall > 0 for one in measured)
    assert claims(lines) == []


def test_a_hub_that_has_grown_for_years_is_one_that_fsck_calls_whole(tmp_path: Path) -> None:
    founded = organisations.founded(tmp_path / "founded")
    founded.close()
    hub = grown(copied(tmp_path / "founded", tmp_path / "acme"), tmp_path, 1, 3)
    with closing(open_app(hub.us.hub, {})) as app, app.hub.reading() as connection:
        assert list(fsck.check(connection)) == []
        assert len(Repository(connection).teams()) == 2
