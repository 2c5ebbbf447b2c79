"""What stops at a site, and what goes back, is asked for by name, signed and shown."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sealift_registry.delivery import assignments, retiring
from sealift_signing import documents
from sealift_signing.documents import Assignment
from sealift_signing.drafts import decoded
from sealift_signing.errors import NotFoundError, UsageError
from tests.registry.hub_fixture import GROUP, SITE, TARGET, Acme, version
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_promotions import refused
from tests.registry.test_signed_deliveries import AtDesk, drafted
from tests.site_on_paper import SiteOnPaper

MODEL = str(version(1).of)
WHY = "It misreads sevens."


def runs(plant: SiteOnPaper) -> int | None:
    with plant.opened() as site:
        found = site.state.current().get((GROUP, MODEL))
        return found.path.version if found else None


def said(assignment: Assignment) -> tuple[Sequence[str], list[str], list[int]]:
    """What it requires, what it retires, and from where it goes back."""
    retired = [one.reason for one in assignment.retire or ()]
    return assignment.requires, retired, [one.version for one in assignment.back or ()]


@pytest.fixture
def newer(ready: Acme, plant: SiteOnPaper) -> Acme:
    """The site runs version 2."""
    ready.promoted(2)
    ready.assign(2)
    plant.take(ready.export().folder)
    assert runs(plant) == 2
    return ready


def test_t1_02_a_lower_version_is_not_assigned_in_silence(newer: Acme) -> None:
    before = newer.rows()
    assert "lower than version 2" in refused(lambda: newer.assign(1), "goes-back")
    refused(lambda: newer.assign(2, back=WHY), "not-back", UsageError)
    assert newer.rows() == before


def test_t1_02_going_back_is_signed_shown_and_followed(newer: Acme, plant: SiteOnPaper) -> None:
    wanted = assignments.wanted(newer.app.hub, SITE, version(1), {GROUP: TARGET}, (), back=WHY)
    dora = AtDesk(newer, "dispatcher-1")
    signed = dora.signs(drafted(newer, wanted), wanted.ask)
    assert any(
        one.strip().startswith("GOES BACK") and WHY in one and "from version 2" in one
        for one in dora.said.shown
    )
    newer.app.submit(signed, at_hub=False)
    plant.take(newer.export().folder)
    assert runs(plant) == 1
    assert said(newer.assign(1)) == (("back",), [], [2])  # it stands while it is true
    assert said(newer.assign(2)) == ((), [], [])


def test_t1_02_what_is_retired_stops_and_is_told_of(newer: Acme, plant: SiteOnPaper) -> None:
    wanted = retiring.wanted(newer.app.hub, SITE, MODEL, (), WHY)
    dora = AtDesk(newer, "dispatcher-1")
    signed = dora.signs(drafted(newer, wanted), wanted.ask)
    assert any(one.strip().startswith("STOP") and WHY in one for one in dora.said.shown)
    newer.app.submit(signed, at_hub=False)
    assert newer.types()[-1] == "site.unassigned"
    plant.take(newer.export().folder)
    assert runs(plant) is None
    assert said(newer.unassign()) == (("retire",), [WHY], [])
    refused(lambda: newer.assign(1), "goes-back")
    assert said(newer.assign(2)) == ((), [], [])
    plant.take(newer.export().folder)
    assert runs(plant) == 2


def test_t1_02_a_site_that_missed_the_bundle_stops_by_the_next(
    newer: Acme, plant: SiteOnPaper
) -> None:
    newer.unassign()
    newer.export()
    back = newer.assign(1, back=WHY)
    assert back.groups[GROUP].models[MODEL].fallbacks == ()
    assert said(back) == (("back",), [], [2])
    plant.take(newer.export().folder)
    assert runs(plant) == 1


def test_t1_02_only_what_is_assigned_is_retired_but_for_a_group_that_is_named(
    ready: Acme, plant: SiteOnPaper
) -> None:
    ready.unassign(GROUP)
    with pytest.raises(NotFoundError, match="no host group nowhere"):
        ready.unassign("nowhere")
    wanted = retiring.wanted(ready.app.hub, SITE, "vision/letters", (), WHY)
    with pytest.raises(NotFoundError, match="is assigned to no host group"):
        drafted(ready, wanted)
    wanted = retiring.wanted(ready.app.hub, SITE, "vision/letters", (GROUP,), WHY)
    data = decoded(drafted(ready, wanted).parts[0].documents[0].data)
    found = documents.read_assignment(data, SITE)
    assert [(one.model, one.version) for one in found.retire or ()] == [
        ("vision/letters", None),
        (MODEL, 1),
    ]


def test_both_are_typed_at_the_hub(newer: Acme, capsys: Capsys) -> None:
    """What is printed to be typed where the key is names the act as it is."""
    cli = Cli(newer, capsys)
    to = (SITE, f"{MODEL}/1", "--for", f"{GROUP}={TARGET}")
    code, _, error = cli("assign", *to, "--back")
    assert (code, "give both, or neither" in error) == (2, True)
    drafts = newer.folder / "one.draft", newer.folder / "two.draft"
    told = cli.json("assign", *to, "--back", "--reason", WHY, "--draft", drafts[0])
    assert f"--back --reason '{WHY}' --key FILE" in told["sign"]
    told = cli.json("unassign", SITE, MODEL, "--reason", WHY, "--draft", drafts[1])
    assert told["sign"].startswith(f"sealift-sign unassign {SITE} {MODEL} ")
    newer.unassign()
    assert WHY in cli.says("show", SITE)


def test_t1_89_what_stopped_comes_home_as_retired_and_not_as_installed(
    newer: Acme, plant: SiteOnPaper, capsys: Capsys
) -> None:
    newer.unassign()
    plant.take(newer.export().folder)
    cli = Cli(newer, capsys)
    told = cli.says("receive", newer.returned(plant)), cli.says("show", SITE)
    for one in told:
        (line,) = (words for words in one.splitlines() if WHY in words and "catalog/" in words)
        assert line.split()[:2] == ["retired", f"{GROUP}:"]
