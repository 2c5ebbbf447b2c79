"""What was stopped here and is still served: a hook that fails must not look like a stop.

A model server holds a model in memory. Whoever keeps its hook from working, by a server that hangs,
say, would have a recalled model answer on where all that people see says that it stopped.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from sealift_sync.cli import commands
from sealift_sync.cli.run import run
from tests.hub_on_paper import HubOnPaper
from tests.site_on_paper import SiteOnPaper

HOOK = """#!/bin/sh
echo "$SEALIFT_VERSION" >> {heard}
test ! -e {deaf}
"""


class Served:
    """A site whose server hears of a switch, unless it is deaf."""

    def __init__(self, hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
        self.hub, self.site, self.medium = hub, site, medium
        self.heard, self._deaf = medium.parent / "heard", medium.parent / "deaf"
        hook = medium.parent / "hook"
        hook.write_text(HOOK.format(heard=self.heard, deaf=self._deaf))
        hook.chmod(0o755)
        (site.root / "settings.toml").write_text(f'[groups.cpu]\nhook = ["{hook}"]\n')

    def deaf(self, *, now: bool) -> None:
        self._deaf.touch() if now else self._deaf.unlink()

    def run(self, *words: str) -> int:
        return run(["--home", str(self.site.root), *words])

    def comes(self) -> int:
        return self.run("import", str(self.hub.export(self.medium)))

    def last_heard(self) -> str:
        return self.heard.read_text().splitlines()[-1]


@pytest.fixture
def served(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, monkeypatch: pytest.MonkeyPatch
) -> Served:
    now: datetime = site.now
    monkeypatch.setattr(commands, "datetime", SimpleNamespace(now=lambda _zone: now))
    made = Served(hub, site, medium)
    hub.assign(only := hub.promote(1))
    assert made.comes() == 0
    hub.recall(only.sha256)
    return made


def unheard(served: Served) -> None:
    """What was recalled stops, and its server does not hear of it."""
    served.deaf(now=True)
    assert served.comes() == 1
    assert served.site.running() is None


def test_t1_48_a_stop_that_the_server_did_not_hear_of_is_not_told_as_one(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    unheard(served)
    told = capsys.readouterr()
    assert "may still run it" in told.err
    assert "nothing runs there now" not in told.err
    stopped = [one.data for one in served.site.entries() if one.type == "model.stopped"]
    assert "may still run it" in str(stopped[-1])
    assert served.run("status") == 0
    assert "may still run it" in capsys.readouterr().out
    assert served.run("status", "--json") == 0
    assert [one["model"] for one in json.loads(capsys.readouterr().out)["untold"]] == [
        "vision/digits"
    ]


def test_t1_48_every_import_tells_it_again(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    unheard(served)
    heard = len(served.heard.read_text().splitlines())
    assert served.comes() == 1
    assert len(served.heard.read_text().splitlines()) == heard + 1
    served.deaf(now=False)
    assert served.comes() == 0
    assert served.comes() == 0
    assert len(served.heard.read_text().splitlines()) == heard + 2
    assert served.last_heard() == ""
    capsys.readouterr()
    served.run("status")
    assert "may still run it" not in capsys.readouterr().out


def test_t1_48_so_does_a_rollback_without_any_medium(served: Served) -> None:
    unheard(served)
    again = ("rollback", "vision/digits", "--reason", "It hallucinates.")
    assert served.run(*again) == 1
    served.deaf(now=False)
    assert served.run(*again) == 0
    assert served.site.entries()[-1].type == "model.stopped"
    assert served.run(*again) == 3, "nothing runs, and everybody knows"


def test_t1_48_what_runs_there_later_ends_it(served: Served) -> None:
    unheard(served)
    served.deaf(now=False)
    served.hub.assign(served.hub.promote(2))
    assert served.comes() == 0
    assert served.last_heard() == "2"
    with served.site.opened() as opened:
        assert opened.state.untold() == {}


def test_t1_48_a_fallback_that_fails_too_is_not_told_as_a_stop(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    served = Served(hub, site, medium)
    first, second = hub.promote(1), hub.promote(2)
    hub.assign(second, first)
    site.take(hub.export(medium))
    hub.recall(second.sha256)
    served.deaf(now=True)
    done = site.take(hub.export(medium))
    assert not done.stopped[-1].went_well
    assert site.running() is None
    with site.opened() as opened:
        assert ("cpu", "vision/digits") in opened.state.untold()
