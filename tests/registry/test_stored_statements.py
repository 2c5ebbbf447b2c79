"""Statements and what the catalog's tables say of them: drawn, counted and listed as signed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from sealift_registry.catalog import recording, tables
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.pages import PagePlace, VersionFilter
from sealift_registry.promotion.status import PromotionStatus
from sealift_registry.shown.about import all_about
from sealift_registry.shown.promotion import status_lines
from sealift_registry.views import versions
from sealift_signing import statements
from sealift_signing.errors import RefusedError
from tests.registry import test_stored_fsck as stored
from tests.registry.hub_fixture import STAGE, TARGET, Acme, version
from tests.registry.test_stored_sites import no_triggers

Write = Callable[[Connection], None]


def behind(acme: Acme, write: Write) -> None:
    no_triggers(acme)
    with acme.behind() as connection:
        write(connection)


def standing(acme: Acme, number: int) -> PromotionStatus:
    with acme.app.hub.reading() as connection:
        return acme.app.promotions.status(connection, number)


def invented_evidence(acme: Acme, kind: str) -> None:
    """Later evidence of `kind` about version 1, that it is fine, by a key of the attacker's."""
    acme.new_key("mallory")
    signer, path = acme.signer("mallory"), version(1).path(TARGET)

    def write(connection: Connection) -> None:
        genuine = Catalog(connection).evidence(path)[0]
        said = replace(genuine.predicate, kind=kind, made="2099-01-01T00:00:00.000000Z")
        recording.add_evidence(connection, statements.sign(said, genuine.subjects, signer), path)

    behind(acme, write)


@pytest.mark.parametrize("kind", ["parity", "scan", "audit"])
def test_t0_143_evidence_that_no_machine_signed_is_what_the_hub_says_and_nobody_signs_it(
    hub: Acme, kind: str
) -> None:
    number = hub.request()
    invented_evidence(hub, kind)
    with hub.app.hub.reading() as connection:
        lines = all_about(hub.app.hub, connection, str(version(1)))[2]
    assert any(line.strip().startswith(f"the hub says {kind}: ") for line in lines)
    with pytest.raises(RefusedError, match=f"{kind} evidence"):
        hub.request(stage="staging")
    with pytest.raises(RefusedError, match=f"{kind} evidence"):
        hub.approve(number, "carla")


def test_t0_17_evidence_of_another_artifact_is_refused_by_name(hub: Acme) -> None:
    no_triggers(hub)
    stored.evidence_moved(hub)
    with pytest.raises(RefusedError) as refused:
        hub.request()
    assert refused.value.code == "row-differs"


@pytest.mark.parametrize(
    "column, value", [("stage", "'staging'"), ("version", "2"), ("person", "'carla'")]
)
def test_t0_144_a_promotion_is_what_its_request_says(hub: Acme, column: str, value: str) -> None:
    number = hub.request()
    no_triggers(hub)
    hub.sql(f"UPDATE promotion SET {column} = {value}")  # noqa: S608 - ours
    with pytest.raises(RefusedError, match="P-000001") as refused:
        standing(hub, number)
    assert refused.value.code == "row-differs"
    with pytest.raises(RefusedError, match="P-000001"):
        hub.approve(number, "carla")


def test_t0_19_a_row_lists_nothing_that_the_catalog_role_does_not(hub: Acme) -> None:
    number = hub.request()
    path = version(1).path(TARGET)
    behind(hub, lambda connection: recording.add_listing(connection, path, STAGE, number, "now"))
    assert not standing(hub, number).listed
    with hub.app.hub.reading() as connection:
        page = versions.versions(connection, hub.app.hub.now(), VersionFilter(), PagePlace())
    assert {row.stages for row in page.rows} == {()}


def test_t0_20_what_the_hub_lists_without_approvals_is_not_called_listed(ready: Acme) -> None:
    """The catalog role is the hub's own key: that it lists something makes nobody approve it."""
    number = ready.request(2)
    with ready.app.hub.reading() as connection:
        artifact = Catalog(connection).artifact(version(2).path(TARGET))
    assert artifact is not None
    no_triggers(ready)
    stored.listed_by_the_hub_alone(ready, artifact.sha256)
    assert not standing(ready, number).listed
    assert standing(ready, 1).listed


def test_t0_21_a_request_that_nobody_vouches_for_is_what_the_hub_says(hub: Acme) -> None:
    """Signed by nobody of the team, in the name of its requester."""
    number = hub.request()
    hub.new_key("mallory")
    signer = hub.signer("mallory")

    def write(connection: Connection) -> None:
        genuine = Catalog(connection).promotion(number).request
        said = replace(genuine.predicate, reason="It is much better.")
        body = statements.sign(said, genuine.subjects, signer)
        forged = statements.read(statements.Request, body, what="it")
        recording.add_promotion(connection, number + 1, forged)

    behind(hub, write)
    lines = status_lines(standing(hub, number + 1))
    assert lines[0].startswith("This request does not count, and what follows is what the hub says")
    with pytest.raises(RefusedError, match="dora"):
        hub.approve(number + 1, "carla")
    assert not status_lines(standing(hub, number))[0].startswith("This request does not")


def test_t0_22_a_statement_under_anothers_digest_is_refused(hub: Acme) -> None:
    """The digest by which a request is called is that of its bytes."""
    number = hub.request()
    digest = standing(hub, number).promotion.request.sha256
    no_triggers(hub)
    other = hub.request(2)
    body = standing(hub, other).promotion.request.envelope.data
    with hub.behind() as connection:
        t = tables.statement
        connection.execute(t.update().where(t.c.sha256 == digest).values(body=body))
    with pytest.raises(RefusedError) as refused:
        standing(hub, number)
    assert refused.value.code == "row-differs"
