"""`sealift-site check`, and where else people read how a check ended."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from sealift_sync.cli.run import run
from sealift_sync.site.running import runtime_checks
from sealift_sync.site.running.runtime_checks import DueCheck
from sealift_sync.site.state.check_results import CheckResult
from tests.hub_on_paper import HubOnPaper, Release
from tests.offline_sync.checked_models import configure, content, export, program, promote
from tests.site_on_paper import SiteOnPaper

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def first(hub: HubOnPaper) -> Release:
    made = promote(hub, 1)
    hub.assign(made)
    return made


def said(site: SiteOnPaper, captured: Captured, *words: str) -> tuple[int, str, str]:
    captured.readouterr()
    code = run(["--home", str(site.root), *words])
    found = captured.readouterr()
    return code, found.out, found.err


def test_p0_190_what_runs_is_asked_again(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release, capsys: Captured
) -> None:
    configure(site)
    site.take(export(hub, medium, first))
    before = len(site.entries())
    code, out, err = said(site, capsys, "check")
    assert code == 0
    assert "vision/digits version 1 in host group cpu: 3 rows were answered as expected" in out
    assert "Asking the runtime of cpu about vision/digits …" in err
    (entry,) = site.entries()[before:]
    assert entry.type == "model.checked"
    assert entry.data["checked"][0]["outcome"] == "passed"
    configure(site, *program(site, "raise SystemExit(3)"))
    code, out, _ = said(site, capsys, "check", "vision/digits", "--group", "cpu", "--json")
    assert code == 1
    (told,) = json.loads(out)["checks"]
    assert told["checked"]["outcome"] == "failed"
    assert "ended with 3" in told["checked"]["words"]
    assert site.running() is not None  # nothing is switched by it


def test_p0_190_where_nothing_can_be_asked_it_says_why(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release, capsys: Captured
) -> None:
    code, _, err = said(site, capsys, "check")
    assert (code, "Nothing runs here" in err) == (3, True)
    site.take(export(hub, medium, first))
    entries = len(site.entries())
    code, out, err = said(site, capsys, "check")
    assert code == 3
    assert "Not checked here: the settings name no runtime for host group cpu." in out
    assert "runtime in settings.toml" in err
    code, _, err = said(site, capsys, "check", "vision/other")
    assert (code, "vision/other does not run here" in err) == (3, True)
    assert len(site.entries()) == entries


def test_p0_190_others_may_work_here_while_a_runtime_is_asked(
    hub: HubOnPaper,
    site: SiteOnPaper,
    medium: Path,
    first: Release,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(site)
    second = promote(hub, 2)
    site.take(export(hub, medium, first))
    hub.assign(second, first)
    site.take(export(hub, medium, first, second))
    done = []

    def ask(self: DueCheck) -> CheckResult:
        done.append(site.roll_back())  # a rollback must never wait for a check
        return CheckResult("passed", "As it was.")

    monkeypatch.setattr(runtime_checks.DueCheck, "ask", ask)
    assert run(["--home", str(site.root), "check"]) == 0
    assert [one.outcome for one in done] == ["activated"]


def test_p0_306_where_a_new_version_did_not_start_the_last_line_says_how_to_try_again(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release, capsys: Captured
) -> None:
    configure(site, *program(site, "raise SystemExit(3)"))
    folder = export(hub, medium, first)
    code, out, _ = said(site, capsys, "import", str(folder))
    assert code == 1
    *_, last = out.splitlines()
    again = "sealift-site activate vision/digits --group cpu --reason 'what was mended'"
    assert last == f"Next: mend what is named, then: {again}"
    configure(site)
    code, out, _ = said(site, capsys, *shlex.split(again)[1:])
    assert code == 0
    assert "Next:" not in out


def test_p0_191_status_and_import_say_once_what_was_not_checked(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release, capsys: Captured
) -> None:
    folder = export(hub, medium, first)
    code, out, _ = said(site, capsys, "import", str(folder))
    assert code == 0
    why = "vision/digits in cpu: Not checked here: the settings name no runtime for host group cpu."
    assert out.count(why) == 1
    assert said(site, capsys, "status")[1].count(why) == 1
    configure(site)
    _, out, _ = said(site, capsys, "status", "--json")
    (runs,) = json.loads(out)["runs"]
    assert "not asked yet" in runs["checked"]["words"]
    said(site, capsys, "check")
    assert "vision/digits version 1 in cpu was checked here" in said(site, capsys, "status")[1]


def test_p0_191_a_site_without_rows_and_runtimes_hears_nothing_of_them(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, capsys: Captured
) -> None:
    hub.assign(hub.promote(1))
    _, out, _ = said(site, capsys, "import", str(hub.export(medium)))
    assert "check" not in out
    assert "check" not in said(site, capsys, "status")[1]
    assert site.receipts()[-1].more is None
    assert "checked" not in site.entries()[-1].data


def test_p0_192_the_next_receipt_says_how_what_runs_was_checked(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, first: Release
) -> None:
    """A receipt is made before what it brings is switched to; the log of the return has it now."""
    configure(site)
    site.take(export(hub, medium, first))
    assert site.receipts()[-1].more is None
    hub.assign(promote(hub, 2, content(9.0)), first)
    site.take(hub.export(medium))
    more = site.receipts()[-1].more
    assert more is not None
    said_of = more["checks"]["vision/digits/1 in cpu"]
    assert said_of.startswith("passed 20")
    assert "onnxruntime" in said_of


def test_p0_268_settings_of_a_host_group_that_is_none_are_told(
    hub: HubOnPaper, site: SiteOnPaper, capsys: Captured
) -> None:
    words = "The settings name host group cpus, which this site does not have."
    configure(site, more="[groups.cpus]\n")
    code, out, _ = said(site, capsys, "status")
    assert (code, out.count(words)) == (0, 1)
    assert json.loads(said(site, capsys, "status", "--json")[1])["strange_groups"] == ["cpus"]
    configure(site)
    assert "which this site does not have" not in said(site, capsys, "status")[1]
