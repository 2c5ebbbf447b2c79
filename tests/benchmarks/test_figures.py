"""The benchmarks' arithmetic, tables and files; nothing here looks at a clock."""

import json
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from tests.benchmarks import memory, racing, report, rivals, starting, transfers, weights
from tests.benchmarks.figures import (
    Absent,
    Claim,
    Figure,
    Measured,
    Timing,
    figure,
    over_rounds,
    ratio,
    shares,
)
from tests.benchmarks.racing import Act, Contestant, FailedError, Place, Step
from tests.benchmarks.report import Part

MACHINE: dict[str, str | int | float] = {"processor": "one", "cores": 2, "fdatasync_p50_ms": 1.5}


def measured(name: str, *walls: float, size: int = 1_000_000) -> Measured:
    rounds = tuple(
        Timing(wall, wall / 2, peak=n * 1_000_000, read=n * 400_000)
        for n, wall in enumerate(walls, start=1)
    )
    return Measured(name, size, rounds)


# -------------------------------------------------------------------- arithmetic


def test_medians_and_the_most_memory_and_the_least_that_came_from_the_disk() -> None:
    one = measured("us", 9.0, 1.0, 2.0)
    assert (one.wall, one.cpu, one.per_second) == (2.0, 1.0, 500_000)
    assert (one.peak, one.read) == (3_000_000, 400_000)


def test_a_measurement_without_bytes_has_no_rate() -> None:
    assert measured("us", 1.0, size=0).per_second == 0


def test_steps_of_one_command_add_up_but_for_memory() -> None:
    both = Timing(1, 0.5, 10, 100, 1_000) + Timing(2, 0.25, 7, 200, 2_000)
    assert both == Timing(3, 0.75, 10, 300, 3_000)


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_the_medians() -> None:
    ours, theirs = measured("us", 1.0, 2.0, 10.0), measured("them", 4.0, 2.0, 40.0)
    found = ratio("1", ours, theirs, least=1.0, aim=1.3)
    assert found == Claim("1", "us, against them", 4.0, "x", 1.0, None, 1.3, 1.0, 4.0)
    assert ours.wall == theirs.wall / 2  # what the ratio of the medians would have been


def test_rounds_that_do_not_match_are_not_compared() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio("1", measured("us", 1.0, 2.0), measured("them", 1.0))


@pytest.mark.parametrize(
    "value, least, most, holds",
    [
        (1.0, 1.0, None, True),
        (0.999, 1.0, None, False),
        (128.0, None, 128.0, True),
        (128.1, None, 128.0, False),
        (5.0, 1.0, 4.0, False),
        (5.0, None, None, None),
    ],
)
def test_a_claim_holds_up_to_its_limits_and_without_one_says_nothing(
    value: float, least: float | None, most: float | None, holds: bool | None
) -> None:
    assert Claim("1", "it", value, "x", least, most, aim=100.0).holds is holds


def test_a_claim_over_rounds_has_their_median_and_their_ends() -> None:
    found = over_rounds("3", "it", "s", [3.0, 1.0, 2.0, 8.0], most=2.4)
    assert (found.value, found.low, found.high, found.holds) == (2.5, 1.0, 8.0, False)


def test_what_is_beyond_a_start_is_taken_off_in_each_round() -> None:
    start, ours, tar = measured("start", 1.0, 2.0, 1.0), measured("us", 2.0, 3.0, 5.0), [0.5, 1, 2]
    found = transfers.beyond(start, ours, measured("tar", *tar), line="3", most=1.2)
    assert found.what == "us less start, as a multiple of tar"
    assert (found.value, found.low, found.high, found.holds) == (2.0, 1.0, 2.0, False)


def test_memory_is_promised_for_every_size() -> None:
    found = transfers.memory(measured("us", 1.0, size=20_006_291_456))
    assert (found.what, found.value, found.most) == ("us of 20 GB: peak memory", 1.0, 128.0)


def test_a_figure_counts_what_overlapped_by_the_wall() -> None:
    alone, together = (figure("it", [0.1, 0.1, 0.2], elapsed) for elapsed in (None, 0.2))
    assert (alone.per_second, together.per_second) == (7.5, 15.0)
    assert (alone.p50_ms, alone.p99_ms, alone.worst_ms) == (100.0, 200.0, 200.0)


def test_shares_are_what_the_machine_alone_would_take() -> None:
    one = measured("us", 10.0, size=100)
    controls = {
        "read": measured("read", 1.0, size=100),  # 100 bytes a second
        "written": measured("write", 2.0, size=100),
        "hashed": measured("hash", 4.0, size=400),
    }
    passes = {"read": 2, "written": 1, "hashed": 2}
    found = shares(one, passes, controls, {"flushes": measured("flush", 3.0)})
    wanted = {"processor": 0.5, "disk": 0.4, "sha256": 0.2, "flushes": 0.3}
    assert found.keys() == wanted.keys()
    assert all(math.isclose(found[name], share) for name, share in wanted.items())


def test_what_takes_less_than_half_of_the_time_does_not_limit_it() -> None:
    one = measured("us", 1.0)
    assert replace(one, shares={"disk": 0.49, "sha256": 0.3}).limited_by == ""
    assert replace(one, shares={"disk": 0.6, "sha256": 0.7}).limited_by == "sha256"
    assert one.limited_by == ""


# -------------------------------------------------------------------- races


@pytest.mark.parametrize("keep", [False, True])
def test_everybody_runs_once_a_round_and_who_was_first_is_last(
    tmp_path: Path, *, keep: bool
) -> None:
    order: list[tuple[str, bool]] = []

    def contestant(name: str) -> Contestant:
        def steps(place: Place) -> Iterator[Act]:
            assert list(place.folder.iterdir()) == []
            (place / "left").write_bytes(bytes(10))
            order.append((name, place.first))
            yield Act(lambda: None)

        return Contestant(name, 5, steps, leaves="left")

    found = racing.race([contestant(name) for name in "abc"], 3, tmp_path, keep=keep)
    assert [name for name, _ in order] == [*"abc", *"bca", *"cab"]
    assert [first for _, first in order] == [True] * 3 + [False] * 6
    assert list(found) == ["a", "b", "c"]
    assert [(len(one.rounds), one.stored) for one in found.values()] == [(3, 10)] * 3
    assert len(list(tmp_path.glob("*/left"))) == (9 if keep else 0)


def test_steps_count_together_and_a_part_by_itself(tmp_path: Path) -> None:
    def steps(place: Place) -> Iterator[Step]:
        yield Step(("sh", "-c", "echo one > file"), cwd=place.folder)
        yield Step(
            ("sh", "-c", 'test "$(cat file)$MORE" = onetwo'),
            [place / "file"],
            place.folder,
            {"MORE": "two"},
        )
        yield Step(("true",), part="afterwards")

    found = racing.race([Contestant("it", 1, steps)], 1, tmp_path)
    assert list(found) == ["it", "afterwards"]


def test_a_command_that_fails_ends_the_race_with_its_words(tmp_path: Path) -> None:
    def steps(_place: Place) -> Iterator[Step]:
        yield Step(("sh", "-c", "echo no room >&2; exit 3"))

    with pytest.raises(FailedError, match=r"(?s)ended with 3:\nno room"):
        racing.race([Contestant("it", 1, steps)], 1, tmp_path)


def test_a_command_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match="ended with nothing"):
        racing.run(Step((tmp_path / "no-such-program",)))


def test_the_peak_is_the_commands_own_and_not_that_of_whoever_runs_it() -> None:
    ours = bytearray(os.urandom(1_000_000) * 300)
    small = racing.run(Step((sys.executable, "-I", "-S", "-c", "pass")))
    allocate = "x = bytearray(b'x') * 100_000_000"
    large = racing.run(Step((sys.executable, "-I", "-S", "-c", allocate)))
    assert 1_000_000 < small.peak < 50_000_000 < len(ours)
    assert large.peak > 100_000_000


def test_no_setting_of_sealift_reaches_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALIFT_HOME", "elsewhere")
    racing.run(Step(("sh", "-c", 'test -z "$SEALIFT_HOME"')))
    with pytest.raises(racing.FailedError):
        racing.run(Step(("sh", "-c", 'test -n "$SEALIFT_HOME"')))


def test_other_content_is_an_error_in_the_first_round(tmp_path: Path) -> None:
    (tmp_path / "renamed").write_bytes(b"right")
    expected = {"file": sha256(b"right").hexdigest()}
    rivals.check_same(tmp_path, expected, Place(tmp_path, first=True))
    (tmp_path / "renamed").write_bytes(b"wrong")
    rivals.check_same(tmp_path, expected, Place(tmp_path, first=False))
    with pytest.raises(FailedError, match="lacks 1 of 1 files"):
        rivals.check_same(tmp_path, expected, Place(tmp_path, first=True))


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "program", lambda name: "/bin/x" if name == "restic" else None)
    assert [one.name for one in rivals.absent("restic", "borg")] == ["borg"]


# -------------------------------------------------------------------- what is carried


def test_a_models_bytes_are_the_same_every_time_and_no_noise(tmp_path: Path) -> None:
    import zlib

    sizes = weights.spread(400_000, 5)
    first, second = (weights.make(tmp_path / name / "m", sizes) for name in ("a", "b"))
    assert weights.digests(first) == weights.digests(second)
    assert len(set(weights.digests(first).values())) == 6
    data = b"".join(path.read_bytes() for path in sorted(first.glob("*.bin")))
    assert 390_000 < len(data) <= 400_000
    assert 0.7 < len(zlib.compress(data)) / len(data) < 0.9


def test_spread_sizes_are_many_and_add_up() -> None:
    sizes = weights.spread(16_000_000, 1_000)
    assert (len(sizes), sum(sizes), min(sizes) > weights.ROW) == (1_000, 16_000_000, True)
    assert max(sizes) > 10 * sorted(sizes)[500]


def test_the_digests_of_zeros() -> None:
    for size, digest in memory.zeros([5, 64 * 2**20 + 1, 0]).items():
        assert digest == sha256(bytes(size)).hexdigest()


def test_every_command_is_started() -> None:
    found = starting.commands()
    assert {"sealift export", "sealift team add", "sealift-site import"} <= set(found)
    assert len(found) > 30


# -------------------------------------------------------------------- the report


def part(*lines: object) -> Part:
    return Part(tuple(lines), quick=True, made="2026-01-02T03:04:05Z", commit="abc", load=0.5)  # type: ignore[arg-type]


def everything() -> Part:
    return part(
        replace(measured("us", 1.0, 2.0), shares={"disk": 0.75}, stored=2_000_000),
        replace(measured("the disk", 0.5, 0.5), control=True),
        Claim("1", "us, against them", 1.25, "x", 1.0, None, 1.3, 1.0, 1.5),
        Figure("append", 10, 5.0, 1.0, 2.0, 3.0),
        Absent("borg", "not installed"),
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "new" / "figures.json"
    report.write(file, MACHINE, {"export": everything()})
    assert report.read(file) == (MACHINE, {"export": everything()})
    said = json.loads(file.read_text())["parts"]["export"]["lines"]
    assert (said[0]["kind"], said[0]["wall"], said[0]["limited_by"]) == ("measured", 1.5, "disk")
    assert (said[2]["kind"], said[2]["holds"]) == ("claim", True)


def test_a_later_run_of_a_part_replaces_that_part(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    report.write(file, MACHINE, {"export": everything(), "verify": part()})
    slower = MACHINE | {"fdatasync_p50_ms": 9.0}
    report.write(file, slower, {"export": part(Absent("x", "y"))})
    machine, parts = report.read(file)
    assert (machine, list(parts)) == (slower, ["export", "verify"])
    assert parts["export"].lines == (Absent("x", "y"),)


def test_another_machines_figures_are_not_mixed_in(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    report.write(file, MACHINE, {"export": everything()})
    report.write(file, MACHINE | {"cores": 64}, {"verify": part()})
    assert list(report.read(file)[1]) == ["verify"]


def test_the_tables_say_what_holds_and_what_is_absent(capsys: pytest.CaptureFixture[str]) -> None:
    lines = everything().lines
    failed = Claim("2", "memory", 200.0, "MB", most=128.0)
    report.show("export", part(*lines, failed))
    said = capsys.readouterr().out
    assert "export, quick (load before: 0.5)" in said
    assert "absent: borg (not installed)" in said
    rows = {cells[0]: cells for cells in _rows(said)}
    assert rows["us"][1:] == ["1.500", "1", "0.750", "2.0", "0 !", "2", "disk 75%"]
    assert rows["(the disk)"][1] == "0.500"
    assert rows["append"][1:] == ["10", "5.0", "1.000", "2.000", "3.000"]
    assert rows["us, against them"][1:] == [
        "1.25 x", "1.00 … 1.50", "at least 1 x, aim 1.3 x", "yes",
    ]  # fmt: skip
    assert rows["memory"][1:] == ["200.00 MB", "", "at most 128 MB", "NO"]


def _rows(said: str) -> Iterator[list[str]]:
    for line in said.splitlines():
        if line.startswith("│"):
            yield [cell.strip() for cell in line.strip("│").split("│")]
