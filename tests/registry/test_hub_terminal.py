"""What the hub's commands tell while they work."""

from __future__ import annotations

import pytest

from sealift_registry.cli.terminal import Subjects, Terminal
from sealift_sync import pace
from sealift_sync.pace import MB
from sealift_sync.progress import Lines, Phases
from tests.offline_sync.test_pace import Clock
from tests.registry.hub_fixture import SITE, Acme
from tests.registry.test_hub_cli import Cli

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def phases(clock: Clock) -> Phases:
    return Phases(Lines(), clock)


def test_a_fetch_tells_of_all_its_files_together(
    phases: Phases, clock: Clock, capsys: Capsys
) -> None:
    told = Subjects(phases, "fetch", counted=True)
    clock.now += 30  # a worker is started and asks a server: no time of the fetch
    for number in range(100):
        for done in range(1, 11):
            clock.now += 1 / 32  # which adds up exactly
            told(f"part-{number}", done * MB, 10 * MB)
    for number in range(100):  # and all of it once more, to hash it
        told(f"part-{number}", 10 * MB, 10 * MB)
    phases.close()
    assert capsys.readouterr().err.splitlines() == [
        "fetch: 33.0 MB, 32.0 MB/s, part-3 30 %",
        "fetch: 353 MB, 32.0 MB/s, part-35 30 %",
        "fetch: 673 MB, 32.0 MB/s, part-67 30 %",
        "fetch: 993 MB, 32.0 MB/s, part-99 30 %",
        "fetch: 1,000 MB in 31 s, 32.0 MB/s",
    ]


def test_a_conversion_tells_how_long_it_took_and_no_bytes(
    phases: Phases, clock: Clock, capsys: Capsys
) -> None:
    told = Subjects(phases, "convert for cpu-x86_64", counted=False)
    told("model.skops", 0, 0)
    clock.now += 20
    told("model.skops", 5 * MB, 5 * MB)
    clock.now += 5
    phases("", 0)
    assert capsys.readouterr().err.splitlines() == [
        "convert for cpu-x86_64: 20 s, model.skops",
        "convert for cpu-x86_64: 25 s",
    ]


def test_machines_are_told_nothing_on_the_way(
    monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.setattr(pace, "BIG", 0)
    with Terminal(as_json=True).phases() as phase:
        phase("copy", MB)(MB)
    with Terminal(as_json=True).steps("fetch") as step:
        step("model.onnx", 1, 2)
    assert capsys.readouterr().err == ""


def test_an_export_tells_its_two_stages_by_name(
    ready: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "BIG", 0)
    cli = Cli(ready, capsys)
    given = ("export", SITE, "--to", ready.medium, "--key", cli.key("dispatcher-1"))
    code, _, err = cli(*given)
    names = [line.partition(":")[0] for line in err.splitlines()]
    assert code == 0
    assert [name for name in names if name] == ["copy", "copy", "read back", "read back"]
    assert "MB/s" in err or "bytes in" in err
