"""Rate, estimate and lines of a log, by a clock that the test turns: every figure is exact."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from sealift_sync import pace
from sealift_sync.pace import BIG, MB, Cadence, Figures, Pace

SECONDS = 100
"""What most of these stages take."""
Step = tuple[float, int]
"""Seconds that pass, and bytes that are done by then."""


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def steady(rate: float, seconds: float, each: int = MB) -> Iterator[Step]:
    """`rate` in bytes a second."""
    for _ in range(round(rate * seconds / each)):
        yield each / rate, each


def played(steps: Iterator[Step], total: int) -> list[tuple[float, Figures]]:
    """How the stage stood after each step, with the seconds at which it did."""
    clock = Clock()
    stage = Pace(total, clock)
    found = []
    for seconds, count in steps:
        clock.now += seconds
        stage.add(count)
        found.append((clock.now - 1_000.0, stage.figures()))
    return found


# ---------------------------------------------------------------- the estimate


def bursts() -> Iterator[Step]:
    """A disk that takes 32 MB at once and then writes them for most of half a second."""
    for _ in range(2 * SECONDS):
        yield from steady(500 * MB, 0.064)
        yield 0.436, 0


def cached() -> Iterator[Step]:
    """A cache takes the first twelfth; then the disk is as fast as it is."""
    yield from steady(5_000 * MB, 0.16)
    yield from steady(92 * MB, SECONDS)


def asleep() -> Iterator[Step]:
    """A disk that has to be woken."""
    yield 5.0, MB
    yield from steady(100 * MB, SECONDS)


def many_small() -> Iterator[Step]:
    """Files of a few kilobytes, of which each takes its time."""
    for _ in range(20_000):
        yield 0.005, 5_000


def two_hands() -> Iterator[Step]:
    """Two threads: each tells of its own file, one of them more slowly."""
    for number in range(10_000):
        yield 0.01, MB if number % 3 else MB // 4


def odd() -> Iterator[Step]:
    """In pieces of any size, as a network gives them."""
    for number in range(5_000):
        yield (number % 7 + 1) * 0.005, (number % 7 + 1) * 400_000


@pytest.mark.parametrize(
    "steps",
    [bursts, cached, asleep, many_small, two_hands, odd],
    ids=lambda one: one.__name__,
)
def test_the_estimate_is_right_within_a_tenth_after_the_first_fifth(
    steps: Callable[[], Iterator[Step]],
) -> None:
    """Or by a second, near the end."""
    given = list(steps())
    total, whole = sum(count for _, count in given), sum(seconds for seconds, _ in given)
    told = played(iter(given), total)
    late = [(whole - at, now) for at, now in told if now.share >= 0.2]
    estimates = [(true, now.left) for true, now in late if now.left is not None]
    assert len(estimates) > 0.9 * len(late)
    assert [one for one in estimates if abs(one[1] - one[0]) > max(0.1 * one[0], 1.0)] == []


def test_a_disk_that_becomes_slow_is_believed_in_a_minute() -> None:
    steps = [*steady(100 * MB, SECONDS), *steady(20 * MB, 500)]
    told = played(iter(steps), 20_000 * MB)
    at, now = next((at, now) for at, now in told if at >= SECONDS + pace.LATELY)
    assert now.rate == pytest.approx(20 * MB, rel=0.02)
    assert now.left == pytest.approx(600 - at, rel=0.02)


def test_while_nothing_comes_the_estimate_grows_until_there_is_none() -> None:
    clock = Clock()
    stage = Pace(2_000 * MB, clock)
    for seconds, count in steady(100 * MB, 10):
        clock.now += seconds
        stage.add(count)
    before = stage.figures().left
    clock.now += 5
    after = stage.figures().left
    assert before is not None
    assert after is not None
    assert before < after
    clock.now += 2 * pace.LATELY
    now = stage.figures()
    assert (now.rate, now.left, now.done) == (0.0, None, 1_000 * MB)


def test_nothing_is_estimated_before_anything_is_known() -> None:
    clock = Clock()
    stage = Pace(100 * MB, clock)
    assert stage.figures() == Figures(0, 100 * MB, 0.0, None, None)
    clock.now += pace.LEAST / 2
    stage.add(MB)
    assert stage.figures().rate is None


# ---------------------------------------------------------------- what is done


def test_it_never_goes_backwards() -> None:
    stage = Pace(10 * MB, Clock())
    stage.add(MB)
    stage.add(-MB)
    assert stage.figures().done == MB


def test_a_total_that_is_exceeded_grows() -> None:
    stage = Pace(10, Clock())
    stage.add(11)
    now = stage.figures()
    assert (now.done, now.total, now.share) == (11, 11, 1.0)


def test_a_stage_of_no_bytes_is_none() -> None:
    now = Pace(0, Clock()).figures()
    assert (now.done, now.total, now.share, now.rate, now.left) == (0, 0, 0.0, None, None)
    assert Pace(0, Clock()).result(with_pause=True).rate is None


def test_an_unknown_total_has_a_rate_and_no_estimate() -> None:
    (*_, (_, now)) = played(steady(10 * MB, 10), 0)
    assert now.rate == pytest.approx(10 * MB)
    assert (now.total, now.left) == (0, None)


def test_a_flush_after_the_last_bytes_counts_where_it_belongs_to_the_stage() -> None:
    clock = Clock()
    stage = Pace(10 * MB, clock)
    clock.now += 1
    stage.add(10 * MB)
    clock.now += 4
    assert stage.result(with_pause=True).rate == pytest.approx(2 * MB)
    assert stage.result(with_pause=False).rate == pytest.approx(10 * MB)
    stage.add(0)  # a use case that says so itself
    assert stage.result(with_pause=False).rate == pytest.approx(2 * MB)


def test_threads_may_tell_of_bytes_at_once() -> None:
    stage = Pace(80_000)
    seen: list[int] = []

    def hand() -> None:
        for _ in range(10_000):
            stage.add(1)

    hands = [threading.Thread(target=hand) for _ in range(8)]
    for one in hands:
        one.start()
    while any(one.is_alive() for one in hands):
        seen.append(stage.figures().done)
    assert stage.figures().done == 80_000
    assert seen == sorted(seen)


# ---------------------------------------------------------------- lines of a log


def lines(steps: Iterator[Step], total: int) -> list[float]:
    """The seconds at which a line is due."""
    clock = Clock()
    stage, cadence = Pace(total, clock), Cadence()
    found = [0.0] if cadence.due(stage.figures()) else []
    for seconds, count in steps:
        clock.now += seconds
        stage.add(count)
        if cadence.due(stage.figures()):
            found.append(round(clock.now - 1_000.0, 1))
    return found


def test_much_work_has_its_first_line_at_once_and_one_every_tenth() -> None:
    found = lines(steady(100 * MB, 50), 5_000 * MB)
    assert found == pytest.approx(range(0, 50, 5), abs=0.15)


def test_slow_work_has_a_line_every_ten_seconds() -> None:
    found = lines(steady(MB, 990), 990 * MB)
    assert found[:2] == [1, 11]
    assert {round(later - earlier) for earlier, later in pairwise(found)} == {10}


def test_fast_work_has_one_a_second_at_most() -> None:
    found = lines(steady(1_000 * MB, 3.5), 3_500 * MB)
    assert found == [0, 1, 2, 3]


@pytest.mark.parametrize("seconds", [0, 0.3, 0.9])
def test_work_of_less_than_a_second_has_none(seconds: float) -> None:
    assert lines(steady(100 * MB, seconds), round(100 * MB * seconds)) == []


def test_what_is_done_gets_no_further_line() -> None:
    """How it ended is told when it has."""
    assert lines(iter([(20.0, 100 * MB), (20.0, 0), (20.0, 1)]), 100 * MB) == []


def test_a_stage_that_begins_with_a_jump_has_its_line() -> None:
    found = lines(iter([(30.0, 800 * MB), *steady(10 * MB, 10)]), 900 * MB)
    assert found == [30, 39]


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    "now, words",
    [
        (
            Figures(412 * MB, 2_000 * MB, 4.0, 488e6, 3.3),
            "412 of 2,000 MB, 20 %, 488 MB/s, 3 s left",
        ),
        (Figures(0, BIG, 0.0, None, None), "0 of 1,000 MB, 0 %"),
        (
            Figures(1_234_567, 64 * MB, 4.0, 4_321_000, 4_000.0),
            "1.2 of 64.0 MB, 1 %, 4.3 MB/s, 1 h 06 min left",
        ),
        (Figures(999_999, 10**6, 9.0, 0.0, None), "1.0 of 1.0 MB, 99 %, 0.0 MB/s"),
        (Figures(5, 10, 9.0, 1.0, 200.0), "5 of 10 bytes, 50 %, 0.0 MB/s, 3 min 20 s left"),
        (Figures(99 * MB, 99 * MB, 1.0, 99e6, 0.0), "99.0 of 99.0 MB, 100 %, 99.0 MB/s"),
        (Figures(412 * MB, 0, 4.0, 103e6, None), "412 MB, 103 MB/s"),
        (Figures(0, 0, 12.3, None, None), "12 s"),
    ],
)
def test_how_it_stands(now: Figures, words: str) -> None:
    assert pace.so_far(now) == words


@pytest.mark.parametrize(
    "end, words",
    [
        (Figures(2_000 * MB, 2_000 * MB, 4.1, 488e6, None), "2,000 MB in 4.1 s, 488 MB/s"),
        (Figures(BIG, BIG, 61.0, None, None), "1,000 MB in 1 min 1 s"),
        (Figures(12, 12, 5.0, 2.4, None), "12 bytes in 5 s, 0.0 MB/s"),
        (Figures(0, 0, 17.2, None, None), "17 s"),
    ],
)
def test_how_it_ended(end: Figures, words: str) -> None:
    assert pace.ending(end) == words


def test_how_far_it_came() -> None:
    stopped = Figures(412 * MB, 2_000 * MB, 4.1, 1.0, None)
    assert pace.stopping(stopped) == "stopped at 412 of 2,000 MB after 4.1 s"


@pytest.mark.parametrize(
    "size, words",
    [
        (0, "0 bytes"),
        (999_999, "999,999 bytes"),
        (MB, "1.0 MB"),
        (99_949_999, "99.9 MB"),
        (99_950_000, "100 MB"),
        (123_456_789_000, "123,457 MB"),
    ],
)
def test_sizes_are_decimal(size: int, words: str) -> None:
    assert pace.megabytes(size) == words


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0.04, "0.0 s"),
        (4, "4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 0 s"),
        (3_599, "59 min 59 s"),
        (3_600, "1 h 00 min"),
        (90_061, "25 h 01 min"),
    ],
)
def test_spans_of_time(seconds: float, words: str) -> None:
    assert pace.span(seconds) == words
