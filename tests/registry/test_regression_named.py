"""Which comparison a request names is up to whoever asks, and is told where it says little."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.regression import comparisons
from sealift_registry.regression.regression_report import KIND
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_signing import shape
from sealift_signing.documents import Withdrawal
from sealift_signing.more_member import LOOK, TOLD_FIRST
from sealift_signing.statements import Evidence, Signed
from sealift_signing.vocabulary import moment
from tests.registry.hub_fixture import APPROVERS, MODEL, REQUESTER, STAGE, TARGET, Acme, version
from tests.registry.signing_people import carry_out
from tests.registry.test_hub_cli import Capsys, Cli
from tests.registry.test_promotions import refused
from tests.registry.test_regression import asks, compared, evidence, forge

PATH = f"catalog/{MODEL}/2/{TARGET}"


def naming(hub: Acme, *named_ones: Signed[Evidence], why: str = "better") -> AcceptedSubmission:
    """Ask by a request that names these comparisons and no others: a tool of one's own makes it."""
    with hub.app.hub.reading() as connection:
        wanted = hub.app.promotions.request_wanted(connection, version(2), STAGE, why)
        found = Catalog(connection).evidence(version(2).path(TARGET))
    ours = {one.envelope.data for one in found if one.predicate.kind == KIND}
    others = tuple(one for one in wanted.statements if one not in ours)
    named = (*others, *(one.envelope.data for one in named_ones))
    return carry_out(hub.app, replace(wanted, statements=named), [hub.signer(REQUESTER)])


def other_software(hub: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version 2 compared once more, with software of another number."""
    monkeypatch.setattr(comparisons, "_software", lambda: {"sealift": "0"})
    compared(hub, 2)
    monkeypatch.undo()


def test_p0_320_a_request_without_a_comparison_is_told_so_before_all_else(
    hub: Acme, capsys: Capsys
) -> None:
    hub.promoted(1)
    compared(hub, 2)
    done = naming(hub)
    words = (
        f"Of {PATH}: it was NOT COMPARED with version 1, which is listed for {STAGE}; a comparison "
        "exists and is NOT NAMED."
    )
    again = f"sealift promote {MODEL}/2 --to {STAGE}"
    line = f"{LOOK}. “{words}” To see what changes now, ask again: {again}"
    assert done.lines[1:] == (line,)
    cli = Cli(hub, capsys)
    assert cli.says("show", "P-2").splitlines()[0] == line
    assert cli.json("show", "P-2")["stale"] == [line]
    how = ("--meaning", "validated", "--reason", "tested")
    _, _, err = cli("approve", "P-2", *how, "--draft", hub.folder / "a.draft")
    assert err.splitlines()[0] == line
    key = ("--at-hub", "--yes", "--key", cli.key(APPROVERS[0]))
    assert cli.json("approve", "P-2", *how, *key)["stale"] == [line]
    why = ("--reason", "not compared", "--at-hub", "--yes", "--key", cli.key(APPROVERS[1]))
    assert cli.json("object", "P-2", *why)["stale"] == [line]


def test_p0_320_promote_says_so_of_a_request_that_was_left_bare(
    hub: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.promoted(1)
    monkeypatch.setattr(comparisons.Comparisons, "compare", lambda *_: None)
    cli = Cli(hub, capsys)
    words = ("--to", STAGE, "--reason", "better", "--at-hub", "--key", cli.key(REQUESTER))
    line = f"{LOOK}. “Of {PATH}: it was NOT COMPARED with version 1, which is listed for {STAGE}.”"
    assert cli.says("promote", str(version(2)), *words).startswith(line)
    (told,) = cli.json("promote", str(version(2)), *words)["stale"]
    assert told.startswith(line)


def test_p0_320_where_nothing_is_listed_nothing_is_told(hub: Acme) -> None:
    compared(hub, 2)
    assert naming(hub).lines[1:] == ()
    hub.promoted(1, "staging")
    with hub.app.hub.reading() as connection:
        assert hub.app.promotions.stale(connection, hub.standing(1)) == [], "of another stage"


def test_p0_320_what_was_listed_and_lapsed_is_not_left_out_either(hub: Acme) -> None:
    """Its comparison tells first that there is none to compare with any more."""
    hub.promoted(1)
    withdraw(hub, 1)
    compared(hub, 2)
    (line,) = naming(hub).lines[1:]
    assert f"Of {PATH}: a comparison exists and is NOT NAMED." in line


def withdraw(hub: Acme, number: int) -> None:
    with hub.app.hub.reading() as connection:
        artifact = Catalog(connection).artifact(version(number).path(TARGET))
    assert artifact is not None
    now = moment(hub.app.hub.now())
    gone = Withdrawal(f"w-{number}", STAGE, artifact.sha256, None, None, "it is wrong", now)
    hub.change_members(
        lambda members: replace(members, withdrawn=(*members.withdrawn, gone)),
    )


def test_p0_321_an_older_comparison_is_told_and_where_it_is_asked_for_refused(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.promoted(1)
    compared(hub, 2)
    other_software(hub, monkeypatch)
    older, newer = evidence(hub, 2)
    (line,) = naming(hub, older).lines[1:]
    assert f"Of {PATH}: a NEWER comparison exists and is not named." in line
    asks(hub, "scan", "parity", KIND)
    why = refused(lambda: hub.approve(2, APPROVERS[0]), "regression-stale")
    assert "a NEWER comparison exists and is not named" in why
    refused(lambda: naming(hub, older, why="again"), "regression-stale")
    assert naming(hub, newer, why="again").lines[1:] == ()


def test_p0_322_of_two_comparisons_the_newest_counts_and_both_are_shown(
    hub: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.promoted(1)
    honest = compared(hub, 2)
    flattering = replace(honest, listed=None, nothing="first", comparison=None, proved_by=None)
    forge(hub, 2, flattering)
    first, second = evidence(hub, 2)
    line, both = naming(hub, first, second).lines[1:]
    assert "it was compared when nothing was listed, and now version 1 is" in line
    assert "its request names 2 COMPARISONS, and the newest counts" in both
    asks(hub, "scan", "parity", KIND)
    refused(lambda: hub.approve(2, APPROVERS[0]), "regression-stale")
    cli = Cli(hub, capsys)
    shown = cli.says("show", "P-2")
    assert shown.count("    regression: pass") == 2
    assert len(cli.json("show", "P-2")["regression"]) == 2
    (vouched,) = [one for one in hub.standing(2).vouched if not one.artifact.path.is_source]
    newest = vouched.of_kind(KIND)
    assert newest is not None
    assert newest.sha256 == second.sha256


def test_p0_322_what_was_compared_for_another_stage_answers_for_none(hub: Acme) -> None:
    hub.promoted(1)
    compared(hub, 2, "staging")
    (of_staging,) = evidence(hub, 2, "staging")
    (line,) = naming(hub, of_staging).lines[1:]
    assert f"it was NOT COMPARED with version 1, which is listed for {STAGE}" in line
    # A newer one of another stage does not stand in for what was found of this one.
    compared(hub, 2)
    (of_production,) = evidence(hub, 2)
    hub.promoted(1, "staging")
    compared(hub, 2, "staging")
    asks(hub, "scan", "parity", KIND)
    assert naming(hub, of_production, evidence(hub, 2, "staging")[-1]).lines[1:] == ()


def test_p0_323_evidence_from_before_both_sets_were_asked_answers_no_stage(hub: Acme) -> None:
    hub.promoted(1)
    forge(hub, 2, replace(compared(hub, 2), proved_by=None))
    before = evidence(hub, 2)[-1]
    (line,) = naming(hub, before).lines[1:]
    assert "on its own golden rows alone" in line
    asks(hub, "scan", "parity", KIND)
    why = refused(lambda: hub.approve(2, APPROVERS[0]), "regression-stale")
    assert "on its own golden rows alone" in why


# ------------------------------------------------------------------ what was listed after it


def lapsing(hub: Acme) -> None:
    """Version 1 is listed, and then version 2 by approvals that are valid for a few days."""
    hub.promoted(1)
    hub.ingest(2, hub.goldens(7))
    hub.convert(2)
    number = hub.request(2)
    for person in APPROVERS:
        hub.approve(number, person, days=5)


def third(hub: Acme) -> None:
    hub.ingest(3, hub.goldens())
    hub.convert(3)


def first_words(hub: Acme, number: int) -> list[str]:
    checks = evidence(hub, number)[-1].predicate.checks
    return [one.words for one in checks if one.name == TOLD_FIRST]


def test_p0_324_a_newer_version_whose_approvals_lapsed_is_told_first(hub: Acme) -> None:
    lapsing(hub)
    third(hub)
    assert compared(hub, 3).no_more is None
    hub.later(days=8)
    found = compared(hub, 3)
    assert found.listed is not None
    assert found.listed.version == 1
    assert found.no_more is not None
    assert [one.version for one in found.no_more] == [2]
    first, lapsed = first_words(hub, 3)
    assert first.startswith("Compared with version 1, ")
    assert lapsed == (
        "Version 2 was listed after version 1, and NO LONGER COUNTS: too few of its approvals "
        "still "
        "count. NOT COMPARED on the golden rows by which it was approved."
    )
    entries = len(hub.types())
    compared(hub, 3)
    assert len(hub.types()) == entries, "the same is not found again"


def test_p0_324_so_is_one_that_was_withdrawn_and_one_that_asks_for_itself(hub: Acme) -> None:
    hub.promoted(1)
    hub.promoted(2)
    withdraw(hub, 2)
    third(hub)
    compared(hub, 3)
    lapsed = first_words(hub, 3)[1]
    assert lapsed == "Version 2 was listed after version 1, and NO LONGER COUNTS: it was withdrawn."
    compared(hub, 2)
    itself = first_words(hub, 2)[1]
    assert itself.startswith(
        "Version 2 itself was listed after version 1, and NO LONGER COUNTS: it "
    )


def test_p0_325_what_was_listed_and_lapsed_meanwhile_makes_a_comparison_old(hub: Acme) -> None:
    asks(hub, "scan", "parity", KIND)
    compared(hub, 1)
    hub.promoted(1)
    third(hub)
    compared(hub, 3)
    number = hub.request(3)
    compared(hub, 2)
    hub.promoted(2)
    withdraw(hub, 2)
    why = refused(lambda: hub.approve(number, APPROVERS[0]), "regression-stale")
    assert "version 2 was listed since, and no longer counts" in why
    compared(hub, 3)
    hub.approve(hub.asked(3, reason="again"), APPROVERS[0])


def test_p0_325_nothing_is_told_where_nothing_lapsed(hub: Acme) -> None:
    hub.promoted(1)
    hub.promoted(2)
    third(hub)
    found = compared(hub, 3)
    assert found.no_more is None
    assert "no_more" not in shape.to_json(found)
    assert "NO LONGER COUNTS" not in " ".join(first_words(hub, 3))
