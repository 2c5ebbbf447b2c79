"""docs/reference/performance.md is made of the figures in performance.json, and of nothing else."""

import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from tests.benchmarks import report
from tests.benchmarks.__main__ import BENCHMARKS
from tests.benchmarks.figures import Absent, Claim, Figure, Measured, Timing
from tests.benchmarks.report import Part

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
MACHINE: dict[str, str | int | float] = {"processor": "one", "memory": 8_000_000_000}
OURS = Measured(
    "sealift export",
    2_000_000_000,
    (Timing(2.0, 1.0, peak=64_000_000, read=2_000_000_000),),
    stored=2_000_000_000,
    shares={"processor": 0.5, "disk": 0.875},
    note="read back | and flushed",
)
EXPORT = Part(
    (
        OURS,
        Measured("read, cold", 2_000_000_000, (Timing(1.0, 0.25),), control=True),
        Claim("1", "us, against them", 1.25, "x", least=1.0, low=1.0, high=1.5),
        Figure("append", 10, 5.0, 1.0, 2.0, 3.0),
        Absent("borg", "not installed"),
    ),
    quick=False,
    made="2026-01-02T03:04:05Z",
    commit="abc1234",
    load=0.25,
)


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The program that writes the page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REFERENCE))
        return importlib.import_module("make_performance")


def made(maker: ModuleType, folder: Path, parts: dict[str, Part]) -> str:
    report.write(folder / "figures.json", MACHINE, parts)
    page: str = maker.page(folder / "figures.json")
    return page


def test_the_page_is_the_generated_one(maker: ModuleType) -> None:
    assert (REFERENCE / "performance.md").read_text() == maker.page(), (
        "performance.md is out of date: run .venv/bin/python docs/reference/make_performance.py"
    )


def test_every_benchmark_has_its_words(maker: ModuleType) -> None:
    assert set(maker.PARTS) >= set(BENCHMARKS)


def test_without_figures_it_says_so_and_has_no_number(maker: ModuleType, tmp_path: Path) -> None:
    page = maker.page(tmp_path / "none.json")
    assert "No figures have been taken in yet" in page
    assert "## " not in page


def test_a_part_that_was_not_measured_says_how_it_is(maker: ModuleType, tmp_path: Path) -> None:
    page = made(maker, tmp_path, {"export": EXPORT})
    assert "## What signing costs" in page
    assert "No figures of it have been taken in yet: run `make bench ARGS=gate`." in page
    assert "ARGS=export" not in page


def test_a_part_that_is_measured_anew_leaves_the_others(maker: ModuleType, tmp_path: Path) -> None:
    known, measured = tmp_path / "known.json", tmp_path / "figures.json"
    report.write(known, MACHINE, {"export": EXPORT, "gate": EXPORT})
    newer = replace(EXPORT, commit="def5678")
    report.write(measured, MACHINE, {"gate": newer})
    maker.take_in(measured, known)
    _, parts = report.read(known)
    assert parts == {"export": EXPORT, "gate": newer}


def test_every_figure_is_on_the_page(maker: ModuleType, tmp_path: Path) -> None:
    page = made(maker, tmp_path, {"export": EXPORT})
    assert "| memory | 8.0 GB |" in page
    rows = [
        "| sealift export | 2.000 | 1,000 | 1.000 | 64.0 | 2,000 | 2,000 | processor 50%, ",
        "disk 88% | read back \\| and flushed |",
        "| (read, cold) | 1.000 | 2,000 | 0.250 |  |  |  |  |  |",
        "| us, against them | 1.25 x | 1.00 … 1.50 | at least 1 x | yes |",
        "| append | 10 | 5.0 | 1.000 | 2.000 | 3.000 |",
        "Not measured: borg (not installed).",
        "**What limits it.** `sealift export`: disk, by itself 88% of its time. ",
        "Measured at 2026-01-02T03:04:05Z of commit abc1234; 0.2 other processes",
    ]
    for row in rows:
        assert row in page
    assert "quick run" not in page


def test_a_quick_run_is_marked_as_one(maker: ModuleType, tmp_path: Path) -> None:
    page = made(maker, tmp_path, {"export": EXPORT, "verify": replace(EXPORT, quick=True)})
    assert "Some of these figures are from a quick run" in page


def test_a_part_without_words_is_shown_all_the_same(maker: ModuleType, tmp_path: Path) -> None:
    assert "## walk-of-tomorrow\n" in made(maker, tmp_path, {"walk-of-tomorrow": EXPORT})


def test_columns_that_nothing_is_in_are_left_out(maker: ModuleType, tmp_path: Path) -> None:
    bare = replace(OURS, size=0, stored=0, shares={}, note="")
    page = made(maker, tmp_path, {"start": replace(EXPORT, lines=(bare,))})
    assert "| what | s | processor s | peak MB |\n" in page
