"""What an operator does next where a version did not start, or a runtime answers otherwise."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tests.hub_on_paper import HubOnPaper, Release
from tests.offline_sync.checked_models import configure, export, program, promote
from tests.offline_sync.test_check_command import Captured, said
from tests.site_on_paper import SiteOnPaper

AGAIN = "sealift-site activate vision/digits --group cpu --reason 'what was mended'"
CHECK = "Next: mend what is named, then: sealift-site check vision/digits --group cpu"
BACK = "Or go back: sealift-site rollback vision/digits --group cpu --reason TEXT"


@pytest.fixture
def first(hub: HubOnPaper) -> Release:
    made = promote(hub, 1)
    hub.assign(made)
    return made


def test_p0_371_status_and_a_second_attempt_end_as_the_import_did(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release, capsys: Captured
) -> None:
    configure(site, *program(site, "raise SystemExit(3)"))
    site.take(export(hub, medium, first))
    for words in (["status"], shlex.split(AGAIN)[1:]):
        code, out, _ = said(site, capsys, *words)
        assert code == (words != ["status"])
        assert out.splitlines()[-1] == f"Next: mend what is named, then: {AGAIN}"
    configure(site)
    assert "Next:" not in said(site, capsys, *shlex.split(AGAIN)[1:])[1]
    assert "Next:" not in said(site, capsys, "status")[1]


def test_p0_371_a_place_that_people_went_back_in_did_not_fail(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release, capsys: Captured
) -> None:
    site.take(export(hub, medium, first))
    hub.assign(promote(hub, 2), first)
    site.take(hub.export(medium))
    site.roll_back()
    out = said(site, capsys, "status")[1]
    assert "rolled back" in out
    assert "Next:" not in out


def test_p0_372_a_check_that_fails_says_what_to_do_and_so_does_status(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release, capsys: Captured
) -> None:
    site.take(export(hub, medium, first))
    configure(site, *program(site, "raise SystemExit(3)"))
    for words in ("check", "status"):
        code, out, _ = said(site, capsys, words)
        assert code == (words == "check")
        assert out.splitlines()[-1] == CHECK
        assert "rollback" not in out  # there is nothing to go back to
    second = promote(hub, 2)
    hub.assign(second, first)
    configure(site)
    site.take(export(hub, medium, first, second))
    configure(site, *program(site, "raise SystemExit(3)"))
    for words in ("check", "status"):
        assert said(site, capsys, words)[1].splitlines()[-2:] == [CHECK, BACK]
    configure(site)
    assert "Next:" not in said(site, capsys, "check")[1]
    out = said(site, capsys, "status")[1]
    assert "Next:" not in out
    assert "vision/digits version 2 in cpu was checked here" in out


def test_p0_373_a_runtime_that_lacks_numpy_is_no_model_that_is_broken(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release, capsys: Captured
) -> None:
    configure(site, sys.executable, "-S")  # without the packages that are installed
    code, out, _ = said(site, capsys, "import", str(export(hub, medium, first)))
    assert code == 1
    assert "lacks NumPy or ONNX Runtime, or cannot load them: “No module named 'numpy'”" in out
    assert "cannot load the model" not in out


@pytest.mark.parametrize("has", ["rows", "runtime", "neither"])
def test_p0_374_where_nothing_was_asked_only_what_lacks_is_advised(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, capsys: Captured, has: str
) -> None:
    made = promote(hub, 1) if has == "rows" else hub.promote(1)
    hub.assign(made)
    site.take(export(hub, medium, made) if has == "rows" else hub.export(medium))
    if has == "runtime":
        configure(site)
    code, _, err = said(site, capsys, "check")
    assert code == 3
    assert ("runtime in settings.toml" in err) == (has != "runtime")
    assert ("check rows travel" in err) == (has != "rows")
