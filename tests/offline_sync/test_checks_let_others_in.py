"""While a runtime is asked, others work here: what goes back or stops waits for no check."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sealift_signing.errors import RefusedError
from sealift_sync import check_rows
from sealift_sync.check_rows import Difference
from sealift_sync.cli.run import run
from sealift_sync.site.importing.importer import Import
from sealift_sync.site.reports.site_status import site_status
from sealift_sync.site.running import runtime_checks
from sealift_sync.site.running.reactivation import activate_assigned
from sealift_sync.site.running.rollback import roll_back
from sealift_sync.site.setup.open_site import open_site
from tests.hub_on_paper import HubOnPaper, Release
from tests.offline_sync.checked_models import configure, content, export, program, promote
from tests.offline_sync.test_checks_at_site import runs
from tests.site_on_paper import SiteOnPaper

LONG = 60
"""Seconds after which a test has failed, whatever it waits for."""


class Slow:
    """A runtime that says that it was asked, and answers when it is told to."""

    def __init__(self, site: SiteOnPaper, folder: Path) -> None:
        self._asked, self._go = folder / "asked", folder / "go"
        text = f"""import pathlib, runpy, sys, time
with open({str(self._asked)!r}, "a") as asked: asked.write("x")
while not pathlib.Path({str(self._go)!r}).exists(): time.sleep(0.05)
runpy.run_path(sys.argv[1], run_name="__main__")"""
        configure(site, *program(site, text), seconds=LONG)

    @property
    def times(self) -> int:
        return len(self._asked.read_text()) if self._asked.exists() else 0

    @contextmanager
    def asked_by(self, does: Callable[[], object]) -> Iterator[list[object]]:
        """While it is asked by `does`; what that gave is in the list afterwards."""
        found: list[object] = []
        asking = threading.Thread(target=lambda: found.append(_outcome(does)))
        asking.start()
        end = time.monotonic() + LONG
        while not self.times and time.monotonic() < end:
            time.sleep(0.05)
        try:
            yield found
            assert asking.is_alive()
            assert not found
        finally:
            self._go.touch()
            asking.join()


def _outcome(does: Callable[[], object]) -> object:
    try:
        return does()
    except Exception as bad:  # noqa: BLE001 - it is looked at by the test
        return bad


def go_back(site: SiteOnPaper, model: str) -> int | None:
    """As another process would: it has the home for itself, and waits for that."""
    with open_site(site.root, site.environment, site.clock, "rollback", stops=True) as opened:
        return roll_back(opened, model, None, "It is wrong.").after


def two_run(hub: HubOnPaper, site: SiteOnPaper, medium: Path, name: str) -> tuple[Release, Release]:
    """Of `name` version 2 runs, and 1 is its fallback."""
    configure(site)
    first, second = promote(hub, 1, name=name), promote(hub, 2, name=name)
    hub.assign(first)
    site.take(export(hub, medium, first))
    hub.assign(second, first)
    site.take(export(hub, medium, first, second))
    return first, second


def test_p0_225_a_rollback_waits_for_no_check_of_another_model(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    first, second = two_run(hub, site, medium, "alpha")
    slow, other = Slow(site, tmp_path), promote(hub, 1)
    hub.assign(other)
    folder = export(hub, medium, first, second, other)
    with slow.asked_by(lambda: site.take(folder)) as done:
        assert go_back(site, "vision/alpha") == 1
    (took,) = done
    assert isinstance(took, Import)
    assert [one.outcome for one in took.activations] == ["activated"]
    assert runs(site) == 1


def test_p0_225_what_people_went_back_from_meanwhile_is_not_switched_to(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    """Version 3 is asked about, and is right; whoever rolled back has it held."""
    first, second = two_run(hub, site, medium, "digits")
    slow, third = Slow(site, tmp_path), promote(hub, 3)
    hub.assign(third, second, first)
    folder = export(hub, medium, first, second, third)
    with slow.asked_by(lambda: site.take(folder)) as done:
        assert go_back(site, "vision/digits") == 1
    (took,) = done
    assert isinstance(took, Import)
    assert took.activations == ()
    assert runs(site) == 1


def test_p0_226_a_recall_on_a_second_stick_waits_for_no_check(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    """What is asked about is recalled besides: the right answer comes too late for it."""
    first, second = two_run(hub, site, medium, "alpha")
    slow, other = Slow(site, tmp_path), promote(hub, 1)
    hub.assign(other)
    folder = export(hub, medium, first, second, other)
    hub.recall(second.sha256)
    hub.recall(other.sha256)
    stick = tmp_path / "stick"
    stick.mkdir()
    newer = export(hub, stick, first, second, other)
    with slow.asked_by(lambda: site.take(folder)) as done:
        run(["--home", str(site.root), "import", str(newer)])
        assert versions(site) == {"vision/alpha": 1}
        assert slow.times == 1  # whoever came with the recall asked nobody
    (took,) = done
    assert isinstance(took, Import)
    assert took.activations == ()
    assert site.running() is None


def test_p0_227_a_rollback_while_people_try_again_is_not_undone_by_it(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    first, second = two_run(hub, site, medium, "digits")
    configure(site, *program(site, "raise SystemExit(3)"))
    third = promote(hub, 3)
    hub.assign(third, second, first)
    site.take(export(hub, medium, first, second, third))
    assert runs(site) == 2
    slow = Slow(site, tmp_path)

    def again() -> object:
        with site.opened("activate") as opened:
            return activate_assigned(opened, "vision/digits", None, "It is mended.")

    with slow.asked_by(again) as done:
        assert go_back(site, "vision/digits") == 1
    (refused,) = done
    assert isinstance(refused, RefusedError)
    assert refused.code == "changed-meanwhile"
    assert runs(site) == 1
    assert "model.tried-again" not in [one.type for one in site.entries()]


def test_p0_228_what_is_recalled_is_recorded_as_stopped_before_its_successor_is_asked_about(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Ctrl-C meanwhile: nothing runs, and everybody is told just that."""
    trace = tmp_path / "hooked"
    hook = tmp_path / "hook.sh"
    hook.write_text(f"#!/bin/sh\necho ${{SEALIFT_VERSION:-none}} >> {trace}\n")
    hook.chmod(0o755)
    first, second = two_run(hub, site, medium, "digits")
    third = promote(hub, 3)
    hub.assign(third, first)
    folder = export(hub, medium, first, second, third)
    configure(site, *program(site, "raise SystemExit(3)"), more=f'hook = ["{hook}"]')
    site.take(folder)
    with site.opened() as opened, opened.state.transaction():
        opened.state.clear_failures()  # as a cut before that check would leave it
    hub.recall(second.sha256)
    folder = export(hub, medium, first, third)

    def stop(_: runtime_checks.DueCheck) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(runtime_checks.DueCheck, "ask", stop)
        with pytest.raises(KeyboardInterrupt):
            site.take(folder)
    assert (runs(site), versions(site)) == (None, {})
    assert site.entries()[-1].type == "model.stopped"
    with site.opened() as opened:
        (found,) = site_status(opened).runs
    assert (found.version, found.note) == (None, "a switch is pending: run the import again")
    assert trace.read_text().split() == ["none"]
    configure(site, more=f'hook = ["{hook}"]')
    site.take(folder)
    assert (runs(site), versions(site)) == (3, {"vision/digits": 3})


def test_p0_228_two_that_are_recalled_stop_before_either_successor_is_asked_about(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    configure(site)
    old = [promote(hub, 1, name=name) for name in ("alpha", "beta")]
    new = [promote(hub, 2, name=name) for name in ("alpha", "beta")]
    for one in old:
        hub.assign(one)
    site.take(export(hub, medium, *old))
    configure(site, "/no/such/python")
    for newer, older in zip(new, old, strict=True):
        hub.assign(newer, older)
    site.take(export(hub, medium, *old, *new))
    assert versions(site) == {"vision/alpha": 1, "vision/beta": 1}
    with site.opened() as opened, opened.state.transaction():
        opened.state.clear_failures()
    slow = Slow(site, tmp_path)
    for one in old:
        hub.recall(one.sha256)
    folder = export(hub, medium, *new)
    with slow.asked_by(lambda: site.take(folder)):
        assert versions(site) == {}
    assert versions(site) == {"vision/alpha": 2, "vision/beta": 2}


def versions(site: SiteOnPaper) -> dict[str, int]:
    """What runs, as the state has it; it takes the home, and so waits for whoever has that."""
    with site.opened() as opened:
        return {one.path.full_model: one.path.version for one in opened.state.current().values()}


def test_p0_232_a_check_has_one_time_for_its_runtime_and_for_comparing(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The time is over while answers are compared: that is no answer in time."""
    configure(site, seconds=4)
    honest = check_rows.differences

    def slow(*given: Any) -> tuple[Difference, ...]:  # noqa: ANN401 - whatever it is called with
        time.sleep(4)
        return honest(*given)

    monkeypatch.setattr(runtime_checks, "differences", slow)
    first = promote(hub, 1)
    hub.assign(first)
    (told,) = site.take(export(hub, medium, first)).activations
    assert told.outcome == "switched-back"
    assert "took longer than 4 seconds" in told.words


def test_p0_232_of_many_files_of_rows_the_newest_one_is_asked(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, tmp_path: Path
) -> None:
    """A hub makes one file a proof; each more would hold up whoever waits for the import."""
    asked = tmp_path / "asked"
    text = f"""import runpy, sys
with open({str(asked)!r}, "a") as file: file.write("x")
runpy.run_path(sys.argv[1], run_name="__main__")"""
    configure(site, *program(site, text))
    first = promote(hub, 1)
    evidence = list(first.evidence)
    for number in range(1, 5):
        hub.now += timedelta(seconds=1)
        data = check_rows.pack(content(1.0, [(float(number), 0.0)] * number))
        hub.store.put_bytes(data)
        named = {"sha256": sha256(data).hexdigest(), "size": len(data), "rows": number}
        evidence.append(hub.evidence(first, "parity", "builder-1", details={"check_rows": named}))
    first.evidence = tuple(evidence)
    first.request = hub.request(first)
    first.approvals = (hub.approve(first, "bert"), hub.approve(first, "carla"))
    hub.list_artifact(first)
    hub.assign(first)
    (told,) = site.take(export(hub, medium, first)).activations
    assert told.checked is not None
    assert told.checked.words.startswith("4 rows were answered as expected")
    assert asked.read_text() == "x"
