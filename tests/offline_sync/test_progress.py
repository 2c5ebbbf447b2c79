"""What is told of long work, on standard error: lines in a log, a bar on a terminal, or nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import pytest

from sealift_sync import progress
from sealift_sync.pace import BIG, MB
from sealift_sync.progress import Bar, Lines, Phases, Silence
from tests.offline_sync.test_pace import Clock
from tests.terminals import lasting, on_a_terminal

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def phases(clock: Clock) -> Phases:
    """As they are told of in a log."""
    return Phases(Lines(), clock)


def test_every_stage_has_its_name_its_lines_and_its_rate(
    phases: Phases, clock: Clock, capsys: Capsys
) -> None:
    for name in ("copy", "read back"):
        told = phases(name, 2_000 * MB)
        for _ in range(2_000):
            clock.now += 0.01
            told(MB)
    phases.close()
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert said.out == ""
    assert lines[0] == "copy: 0 of 2,000 MB, 0 %"
    assert lines[1] == "copy: 200 of 2,000 MB, 10 %, 100 MB/s, 18 s left"
    assert lines[10] == "copy: 2,000 MB in 20 s, 100 MB/s"
    assert lines[11] == "read back: 0 of 2,000 MB, 0 %"
    assert lines[21] == "read back: 2,000 MB in 20 s, 100 MB/s"
    assert len(lines) == 22


@pytest.mark.parametrize("size", [0, 1, 900 * MB])
def test_of_what_is_short_nothing_is_told(
    phases: Phases, clock: Clock, capsys: Capsys, size: int
) -> None:
    told = phases("copy", size)
    clock.now += 0.9
    told(size)
    phases("read back", 0)
    clock.now += 60
    phases.close()
    assert capsys.readouterr().err == ""


def test_the_flush_between_two_stages_belongs_to_the_first(
    phases: Phases, clock: Clock, capsys: Capsys
) -> None:
    """And what is done after the last one, such as a hook, does not belong to it."""
    for name in ("copy", "read back"):
        told = phases(name, 10 * MB)
        clock.now += 2
        told(10 * MB)
        clock.now += 3
    phases.close()
    ends = [line for line in capsys.readouterr().err.splitlines() if " in " in line]
    assert ends == ["copy: 10.0 MB in 5 s, 2.0 MB/s", "read back: 10.0 MB in 2 s, 5.0 MB/s"]


def test_a_hand_that_is_late_is_not_told_of(phases: Phases, clock: Clock, capsys: Capsys) -> None:
    late = phases("copy", 2 * BIG)
    phases.close()
    capsys.readouterr()
    clock.now += 60
    late(MB)
    assert capsys.readouterr().err == ""


def test_many_hands_write_no_line_twice_and_none_that_goes_back(
    phases: Phases, clock: Clock, capsys: Capsys
) -> None:
    told = phases("copy", 8_000 * MB)
    turn = threading.Lock()

    def hand() -> None:
        for _ in range(1_000):
            with turn:
                clock.now += 0.01
            told(MB)

    hands = [threading.Thread(target=hand) for _ in range(8)]
    for one in hands:
        one.start()
    for one in hands:
        one.join()
    phases.close()
    lines = capsys.readouterr().err.splitlines()
    done = [
        int(found[1].replace(",", ""))
        for found in map(re.compile(r"copy: ([\d,]+) of").match, lines)
        if found
    ]
    assert len(done) == 10
    assert done == sorted(set(done))
    assert lines[-1].startswith("copy: 8,000 MB in 1 min 20 s")


def test_work_that_cannot_be_counted_says_how_long_it_took(
    phases: Phases, clock: Clock, capsys: Capsys
) -> None:
    phase = phases.begin("convert")
    for subject in ("a.onnx", "b.onnx"):
        phase.note(f"{subject}\x1b[2J")
        clock.now += 8
        phase.add(0)
    phases("", 0)
    assert capsys.readouterr().err == "convert: 16 s, b.onnx\\x1b[2J\nconvert: 16 s\n"


# ---------------------------------------------------------------- around the work


def begin(phase: Phases) -> None:
    phase("copy", 2 * BIG)


def test_a_quiet_command_tells_nothing(capsys: Capsys) -> None:
    with progress.telling(quiet=True) as phase:
        begin(phase)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_what_is_stopped_says_how_far_it_came(capsys: Capsys, stop: type[BaseException]) -> None:
    def work() -> None:
        with progress.telling(quiet=False) as phase:
            told = phase("copy", 2 * BIG)
            told(MB)
            raise stop

    with pytest.raises(stop):
        work()
    first, last = capsys.readouterr().err.splitlines()
    assert first == "copy: 0 of 2,000 MB, 0 %"
    assert re.fullmatch(r"copy: stopped at 1 of 2,000 MB after [\d.]+ s", last)


def test_a_reader_who_went_away_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _text: str) -> None:
            raise BrokenPipeError

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stderr", Gone())
    with progress.telling(quiet=False) as phase:
        begin(phase)


@pytest.mark.parametrize(
    "terminal, kind, screen",
    [(True, "xterm", Bar), (True, "dumb", Lines), (True, "", Lines), (False, "xterm", Lines)],
)
def test_a_bar_is_drawn_only_where_it_can_be_drawn_over(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, kind: str, screen: type
) -> None:
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with progress.telling(quiet=False) as phase:
        assert isinstance(phase._screen, screen)
    with progress.telling(quiet=True) as phase:
        assert isinstance(phase._screen, Silence)


SCRIPT = """
import sys, time
from sealift_sync.progress import telling
from sealift_sync.pace import MB
with telling(quiet=False) as phase:
    for name in ("copy", "read back"):
        told = phase(name, 2000 * MB)
        for _ in range(1000):
            told(MB)
        time.sleep(0.6)  # the bar is drawn
        if "stop" in sys.argv:
            raise KeyboardInterrupt
        for _ in range(1000):
            told(MB)
"""


def test_a_bar_is_drawn_and_a_line_stays_of_each_stage() -> None:
    said = on_a_terminal("-c", SCRIPT)
    assert "1,000 of 2,000 MB, 50 %" in said
    assert "━" in said
    for name in ("copy", "read back"):
        assert re.search(
            rf"\x1b\[2K.*{name}: 2,000 MB in [\d.]+ s, [\d,.]+ MB/s\r\n", said, re.DOTALL
        )
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 2, "the cursor comes back"


def test_what_is_not_counted_is_drawn_at_once_and_leaves_no_line_if_it_was_short() -> None:
    script = (
        "import time\nfrom sealift_sync.progress import telling\n"
        "with telling(quiet=False) as phases:\n"
        "    phase = phases.begin('convert'); phase.note('model.skops'); phase.add(0)\n"
        "    time.sleep(0.3)\n"
    )
    said = on_a_terminal("-c", script)
    assert "convert" in said
    assert ", model.skops" in said
    assert lasting(said) == []


def test_ctrl_c_takes_the_bar_away_and_gives_the_cursor_back() -> None:
    said = on_a_terminal("-c", SCRIPT, "stop")
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1
    assert lasting(said)[0].startswith("copy: stopped at 1,000 of 2,000 MB after ")
    assert "Error" not in lasting(said)[0]


def test_nothing_but_the_standard_library_is_needed_to_tell_lines() -> None:
    script = (
        "import sys\nfrom sealift_sync.progress import telling\n"
        "with telling(quiet=False) as phase: phase('copy', 2 * 10**9)(1)\n"
        "assert 'rich' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[0] == "copy: 0 of 2,000 MB, 0 %"
