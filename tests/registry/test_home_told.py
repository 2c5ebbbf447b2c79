"""What people at the hub read of a site's log: what did not start, and how checks ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sealift_signing import more_member
from sealift_signing.canonical import Json
from sealift_signing.transparency.entry import Term, new_entry
from sealift_signing.vocabulary import moment
from tests.registry.hub_fixture import GROUP, MODEL, SITE, Acme
from tests.registry.test_delivery import carried
from tests.registry.test_guide import sentences, steps
from tests.registry.test_hub_cli import Capsys, Cli
from tests.site_on_paper import SiteOnPaper


@pytest.fixture
def told(ready: Acme, plant: SiteOnPaper, capsys: Capsys) -> Cli:
    """The hub once a site runs version 1, and is assigned version 2, which was carried there."""
    hook = plant.root / "hook.sh"
    hook.write_text("#!/bin/sh\n[ $SEALIFT_VERSION != 2 ] || { echo no such device; exit 3; }\n")
    hook.chmod(0o755)
    (plant.root / "settings.toml").write_text(f'[groups.{GROUP}]\nhook = ["{hook}"]\n')
    carried(ready, plant)
    ready.app.returns.receive(ready.returned(plant))
    ready.promoted(2)
    ready.assign(2)
    carried(ready, plant)
    return Cli(ready, capsys)


def checks(plant: SiteOnPaper, version: int, outcome: str, words: str) -> Json:
    about: dict[str, Json] = {"group": GROUP, "model": MODEL, "version": version}
    said: dict[str, Json] = {"outcome": outcome, "runtime": "x", "words": words}
    return about | said


def says(hub: Acme, plant: SiteOnPaper, kind: str, **data: Json) -> None:
    terms = [Term("host-group", GROUP), Term("model", MODEL)]
    hub.site_says(new_entry(kind, "site", plant.now, data, terms))


def test_p0_262_the_hub_says_which_place_did_not_switch_and_why(
    told: Cli, ready: Acme, plant: SiteOnPaper
) -> None:
    for shown in (told.says("receive", ready.returned(plant)), told.says("show", SITE)):
        (line,) = [one for one in shown.splitlines() if "DID NOT START" in one]
        assert "version 2 failed, switched back to version 1" in line
        assert '"no such device"' in line
        assert f"In {GROUP} version 1 of {MODEL} runs, by its log as of " in shown
    assert told.says("show", SITE).splitlines()[1].startswith("  DID NOT START, 20")
    data = told.json("show", SITE)
    assert [(one["runs"], one["model"]) for one in data["not_started"]] == [(1, MODEL)]
    (unlike,) = data["unlike_assigned"]
    assert (unlike["runs"], unlike["assigned"]) == (1, 2)
    assert steps(ready) == [f"sealift show {SITE}"]
    assert "DID NOT START" in sentences(ready)
    ready.ingest(3, ready.goldens())  # to convert it can wait
    assert steps(ready) == [f"sealift show {SITE}", f"sealift convert {MODEL}/3"]


def test_p0_262_until_a_later_activation_of_that_place(
    told: Cli, ready: Acme, plant: SiteOnPaper
) -> None:
    told.says("receive", ready.returned(plant))
    says(ready, plant, "model.activated", after=2, words="It runs.")
    shown = told.says("show", SITE)
    assert "DID NOT START" not in shown
    assert "is assigned" not in shown
    assert steps(ready) == []


def test_p0_262_and_not_once_nothing_is_assigned_there(
    told: Cli, ready: Acme, plant: SiteOnPaper
) -> None:
    told.says("receive", ready.returned(plant))
    ready.unassign()
    assert "DID NOT START" not in told.says("show", SITE)


def test_p0_263_how_the_newest_check_of_what_runs_ended(
    told: Cli, ready: Acme, plant: SiteOnPaper
) -> None:
    told.says("receive", ready.returned(plant))
    says(ready, plant, "model.checked", checked=[checks(plant, 1, "failed", "Row 3 is off.")])
    shown = told.says("show", SITE)
    line = f"  The newest check of {MODEL}/1 in {GROUP} FAILED, 20"
    assert any(one.startswith(line) and "“Row 3 is off.”" in one for one in shown.splitlines()[:4])
    says(ready, plant, "model.checked", checked=[checks(plant, 2, "passed", "Of another.")])
    assert "Row 3 is off." in told.says("show", SITE)
    says(ready, plant, "model.checked", checked=[checks(plant, 1, "passed", "All is well.")])
    shown = told.says("show", SITE)
    assert f"check of {MODEL}/1 in {GROUP} passed, 20" in shown
    assert "Row 3 is off." not in shown
    assert told.json("show", SITE)["checks"][0]["outcome"] == "passed"


def test_p0_263_a_switch_brings_its_own_check_and_ends_that_of_another(
    told: Cli, ready: Acme, plant: SiteOnPaper
) -> None:
    told.says("receive", ready.returned(plant))
    says(ready, plant, "model.checked", checked=[checks(plant, 1, "failed", "Row 3 is off.")])
    checked = {"outcome": "not-checked", "runtime": "", "words": "No rows came."}
    says(ready, plant, "model.activated", after=2, words="It runs.", checked=checked)
    shown = told.says("show", SITE)
    assert "Row 3 is off." not in shown
    assert f"check of {MODEL}/2 in {GROUP} was not made, 20" in shown
    says(ready, plant, "model.checked", checked=[checks(plant, 2, "passed", "All is well.")])
    says(ready, plant, "model.activated", after=2, words="It runs.", checked=checked)
    assert "All is well." in told.says("show", SITE)


@pytest.mark.parametrize("said", [3, "x", {}, {"outcome": "x"}, {"outcome": [1]}, [{}], [[3]]])
def test_p0_263_what_makes_no_sense_keeps_nobody_from_reading_the_rest(
    told: Cli, ready: Acme, plant: SiteOnPaper, said: Json
) -> None:
    told.says("receive", ready.returned(plant))
    says(ready, plant, "model.checked", checked=said)
    says(ready, plant, "model.activated", after=1, words="It runs.", checked=said)
    assert told.json("show", SITE)["checks"] == []


def test_p0_263_the_words_of_a_site_are_drawn(told: Cli, ready: Acme, plant: SiteOnPaper) -> None:
    told.says("receive", ready.returned(plant))
    words = "x” is well\n  runs "
    says(ready, plant, "model.checked", checked=[checks(plant, 1, "failed", words)])
    says(ready, plant, "model.activation-failed", after=1, words=words)
    shown = told.says("show", SITE)
    assert shown.count('“x" is well\\n \\x20runs ”') == 2


def test_p0_263_sentences_of_a_receipt_are_lines_and_no_json() -> None:
    more: dict[str, Json] = {
        "checks": {f"{MODEL}/1 in {GROUP}": "passed 2026-11-30: 3 rows."},
        "n": {"a": 1},
    }
    assert list(more_member.more_words(more)) == [
        f"besides, checks, “{MODEL}/1 in {GROUP}”: “passed 2026-11-30: 3 rows.”",
        'besides, n: “{"a":1}”',
    ]


def test_p0_370_what_ran_on_runs_since_it_was_switched_to(
    told: Cli, ready: Acme, plant: SiteOnPaper
) -> None:
    """An attempt that failed moves no time: an auditor asks when the version began to run."""

    def since() -> list[tuple[int, str]]:
        return [(one["version"], one["since"]) for one in told.json("show", SITE)["running"]]

    told.says("receive", ready.returned(plant))
    began = plant.now
    assert since() == [(1, moment(began))]
    for version, hours in ((1, 1), (0, 2)):
        plant.now = began + timedelta(hours=hours)
        says(ready, plant, "model.activation-failed", after=version, words="No such device.")
        assert since() == [(1, moment(began))] * bool(version)
    assert f"DID NOT START, {moment(plant.now)}" in told.says("show", SITE)
    plant.now += timedelta(hours=1)
    says(ready, plant, "model.activated", after=1, words="It runs.")
    assert f"{MODEL}/1, since {moment(plant.now)}" in told.says("show", SITE)
    began = plant.now
    plant.now += timedelta(hours=1)
    says(ready, plant, "model.activated", after=1, words="Of another digest.")
    assert since() == [(1, moment(plant.now))] != [(1, moment(began))]
