"""Whoever owns the database takes out what somebody signed: it is missed, and named.

Nothing is left that would miss it but the log, which has an entry of each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from sqlalchemy import text

from sealift_registry.delivery.sites import Sites
from sealift_signing.errors import SealiftError
from tests.registry.hub_fixture import MODEL, SITE, STAGE, TARGET, Acme
from tests.registry.test_g1_210_rows_that_nobody_signed import named
from tests.site_on_paper import SiteOnPaper
from tests.stores import unguard

VARIANT = f"catalog/{MODEL}/1/{TARGET}"


Rows = tuple[str, str]
"""A table, and which rows of it."""


def take_out(acme: Acme, *rows: Rows) -> None:
    """What the owner deletes; no reference between tables and no guard stops them."""
    with acme.stranger() as connection:
        unguard(connection)
        for table, which in rows:
            connection.execute(text(f"DELETE FROM {table} WHERE {which}"))  # noqa: S608 - our words
    acme.close()  # what was read before is known no more


def refused(act: Callable[[], object]) -> str:
    """Which row is said to be missing."""
    with pytest.raises(SealiftError) as caught:
        act()
    assert caught.value.code == "row-missing"
    assert "sealift audit fsck" in caught.value.next_step
    return str(caught.value.subject)


def objected(acme: Acme) -> int:
    """A promotion that waits, and that emil objects to."""
    acme.convert(2)
    number = acme.request(2)
    acme.objects(number, "emil")
    return number


APPROVAL = "sha256 = (SELECT min(sha256) FROM approval)"
PARITY = "sha256 = (SELECT min(sha256) FROM evidence WHERE kind = 'parity' AND path LIKE '%/1/%')"


class Lost(NamedTuple):
    """What is taken out, and who misses it.

    Attributes:
        rows: what the owner deletes.
        named: how what fsck says of it begins.
        row: how the row begins that is missed by whoever goes by it.
        goes_by_it: who does.
    """

    rows: tuple[Rows, ...]
    named: str
    row: str
    goes_by_it: Callable[[Acme], object]


LOST = {
    "approval": Lost(
        (("statement", APPROVAL), ("approval", APPROVAL)),
        "The approval ",
        "approval WHERE sha256 = ",
        lambda acme: acme.standing(1),
    ),
    "promotion": Lost(
        (
            ("statement", "kind IN ('request', 'approval')"),
            *((table, "true") for table in ("approval", "listing", "promotion")),
        ),
        "The request ",
        "promotion WHERE number = 1",
        lambda acme: acme.standing(1),
    ),
    "evidence": Lost(
        (("statement", PARITY), ("evidence", PARITY)),
        "The evidence ",
        "evidence WHERE sha256 = ",
        lambda acme: acme.request(1, "staging"),
    ),
    "listing": Lost(
        (("listing", "true"),),
        f"That {VARIANT} is listed for {STAGE} because of P-000001 ",
        f"listing WHERE path = '{VARIANT}'",
        lambda acme: acme.assign(),
    ),
    "artifact": Lost(
        (("evidence", f"path = '{VARIANT}'"), ("artifact", f"path = '{VARIANT}'")),
        "The evidence ",
        f"artifact WHERE path = '{VARIANT}'",
        lambda acme: acme.convert(1),
    ),
    "version": Lost(
        tuple(
            (table, "number = 2")
            for table in ("goldens", "version_alias", "artifact", "model_version")
        ),
        "The version ",
        "model_version WHERE team = 'vision' AND model = 'tiny' AND number = 2",
        lambda acme: acme.convert(2),
    ),
}


def test_g1_260_an_objection_that_was_taken_out_is_missed(ready: Acme) -> None:
    """The next approver would be shown none, and nobody would know of it."""
    number = objected(ready)
    assert named(ready) == []
    take_out(ready, ("objection", "true"), ("statement", "kind = 'objection'"))
    (fault,) = named(ready)
    assert fault.startswith("The objection ")
    assert fault.endswith(" is in the log, and has no row.")
    assert refused(lambda: ready.standing(number)).startswith("objection WHERE sha256 = '")
    assert refused(lambda: ready.approve(number, "carla")).startswith("objection WHERE")


@pytest.mark.parametrize("name", LOST)
def test_g1_261_what_was_taken_out_is_missed_and_named(ready: Acme, name: str) -> None:
    """Failed evidence, what a newer version is compared with, or who agreed: all of it decides."""
    lost = LOST[name]
    assert named(ready) == []
    take_out(ready, *lost.rows)
    said = named(ready)
    assert any(one.startswith(lost.named) and one.endswith(" has no row.") for one in said), said
    assert refused(lambda: lost.goes_by_it(ready)).startswith(lost.row)


def test_g1_262_an_enrolment_that_was_taken_out_brings_no_earlier_one_back(ready: Acme) -> None:
    """By the earlier one the site would get what its stage of today is not to have."""
    with ready.app.hub.reading() as connection:
        request = Sites(connection).get(SITE).request.envelope.data
    ready.later(hours=2)
    ready.enrolled(request, "staging")
    assert named(ready) == []
    take_out(ready, ("site", "stage = 'staging'"))
    assert any(one.startswith("The enrolment ") for one in named(ready))
    with ready.app.hub.reading() as connection, pytest.raises(SealiftError) as caught:
        Sites(connection).get(SITE)
    assert caught.value.code == "site-row-missing"


def test_g1_262_a_bundle_that_was_taken_out_is_not_written_again(ready: Acme) -> None:
    """Another one of the same name would be signed, and the site has the first."""
    ready.export()
    take_out(ready, ("bundle", "true"))
    assert any(one.startswith("The bundle ") for one in named(ready))
    assert refused(ready.export) == f"bundle WHERE transfer = '{SITE}-000001'"


@pytest.mark.parametrize(
    "rows, named_so",
    [
        ([("receipt", "true")], ["The receipt "]),
        (
            [("site_checkpoint", "true"), ("site_entry", "true"), ("site_state", "true")],
            [f"The log of site {SITE} with "],
        ),
    ],
)
def test_g1_262_what_came_home_and_was_taken_out_is_named(
    ready: Acme, plant: SiteOnPaper, rows: list[Rows], named_so: list[str]
) -> None:
    plant.take(ready.export().folder)
    ready.app.returns.receive(ready.returned(plant))
    assert named(ready) == []
    take_out(ready, *rows)
    said = named(ready)
    for begin in named_so:
        assert any(one.startswith(begin) and one.endswith(" has no row.") for one in said), said


def test_g1_267_limit_whoever_takes_out_its_words_as_well_is_named_by_fsck_alone(
    ready: Acme,
) -> None:
    """An entry is found by rows that are derived from it: without them it is read by fsck only."""
    number = objected(ready)
    entry = "SELECT seq FROM log_entry WHERE type = 'promotion.objected'"
    take_out(
        ready,
        ("objection", "true"),
        ("statement", "kind = 'objection'"),
        ("log_term", f"kind = 'promotion' AND seq IN ({entry})"),
    )
    assert not ready.standing(number).objections
    said = named(ready)
    assert any(one.startswith("The objection ") for one in said)
    assert any("its term promotion" in one for one in said)
