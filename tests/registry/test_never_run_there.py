"""A variant that was never run on its architecture: told first, and sent only where it is tried."""

from __future__ import annotations

import pytest

from sealift_registry.catalog.catalog import Catalog
from sealift_registry.delivery.exports import Exported
from sealift_registry.proof.proof_report import named_check_rows
from sealift_signing import features
from sealift_signing.documents import Assignment
from sealift_signing.more_member import TOLD_FIRST
from sealift_sync.site.setup.initialising import begin_enrolment, finish_enrolment
from tests.registry.hub_fixture import GROUP, SITE, TARGET, Acme, stage, version
from tests.registry.signing_people import assign
from tests.registry.test_letting_rows_out import lets
from tests.registry.test_promised_runtimes import LINE, asks
from tests.registry.test_promotions import refused
from tests.registry.test_what_sites_read import says, without
from tests.site_on_paper import SiteOnPaper, as_told


def never(hub: Acme, plant: SiteOnPaper) -> None:
    """Version 1 is listed for machines that nobody here has, and the site has one of them."""
    hub.ingest(1, hub.goldens(1))
    asks(hub, "installed", arch="riscv64")
    lets(hub)
    hub.convert(1, LINE)
    hub.promoted(1)
    asked = begin_enrolment(plant.root, {}, SITE, {GROUP: LINE}, plant.clock)
    finish_enrolment(plant.root, {}, hub.enrolled(asked).answer, plant.clock, as_told)


def sends(hub: Acme) -> Assignment:
    return assign(hub.app, SITE, version(1), {GROUP: LINE}, None, hub.signer("dispatcher-1"))


def lose_rows(hub: Acme) -> None:
    with hub.app.hub.reading() as connection:
        found = Catalog(connection).evidence(version(1).path(LINE))
    for one in found:
        rows = named_check_rows(one.predicate.details)
        if rows is not None:
            hub.app.hub.home.blobs.remove(rows.sha256)


def test_p0_238_that_it_was_never_run_there_is_told_first(acme: Acme) -> None:
    acme.ingest(1, acme.goldens(1))
    asks(acme, "installed", arch="riscv64")
    lets(acme)
    there, here = acme.convert(1, LINE), acme.convert(1, TARGET)
    first = {
        built.artifact.path.form: [
            check.words
            for one in built.evidence
            for check in one.predicate.checks
            if check.name == TOLD_FIRST
        ]
        for built in (there, here)
    }
    assert any("IT WAS NEVER RUN" in words for words in first[LINE])
    assert not any("NEVER RUN" in words for words in first[TARGET])


@pytest.mark.parametrize("how", ["stay", "software", "lost"])
def test_p0_239_it_is_not_assigned_where_the_site_could_not_try_it(
    acme: Acme, plant: SiteOnPaper, how: str
) -> None:
    never(acme, plant)
    spoil(acme, how)
    rows = acme.rows()
    stopped = refused(lambda: sends(acme), "never-run")
    assert f"catalog/{version(1)}/{LINE} was never run on its architecture" in stopped
    assert acme.rows() == rows


@pytest.mark.parametrize("how", ["stay", "software", "lost"])
def test_p0_239_nor_exported_where_that_came_later(
    acme: Acme, plant: SiteOnPaper, how: str
) -> None:
    never(acme, plant)
    sends(acme)
    spoil(acme, how)
    stopped = refused(lambda: exports(acme), "never-run")
    assert f"catalog/{version(1)}/{LINE} was never run on its architecture" in stopped
    sent = exports(acme, any_software=True)
    assert any("Written all the same" in one for one in sent.warnings), "a recall must get out"


def test_p0_239_what_a_site_has_is_sent_as_before(acme: Acme, plant: SiteOnPaper) -> None:
    never(acme, plant)
    sends(acme)
    plant.take(exports(acme).folder)
    acme.app.returns.receive(acme.returned(plant))
    lets(acme, travel=False)
    sends(acme)
    assert not any("Written all the same" in one for one in exports(acme).warnings)


def exports(hub: Acme, *, any_software: bool = False) -> Exported:
    how = {"any_software": any_software}
    return hub.app.exports.export(SITE, hub.medium, hub.dispatcher(), stage, **how)


def spoil(hub: Acme, how: str) -> None:
    if how == "stay":
        lets(hub, travel=False)
    elif how == "software":
        says(hub, without(features.CHECK_ROWS.full))
    else:
        lose_rows(hub)
