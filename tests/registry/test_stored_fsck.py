"""`sealift audit fsck` names every row that nobody signed, and what is missing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import insert

from sealift_registry import fsck
from sealift_registry.audit.reading import LogReader
from sealift_registry.catalog import tables
from sealift_registry.trust.repository import Repository
from sealift_signing import publishing, roles, statements
from sealift_signing.statements import Approval
from sealift_signing.transparency.checkpoint import hub_origin
from tests.registry import test_stored_metadata as rows
from tests.registry.hub_fixture import SITE, TEAM, Acme, version
from tests.registry.test_stored_sites import another_stage, no_triggers, renamed

Attack = Callable[[Acme], None]
ROLE = roles.team_role(TEAM)


def found(acme: Acme) -> list[str]:
    """What fsck says of everything but the log, and the log by itself is whole."""
    hub = acme.app.hub
    with hub.reading() as connection:
        origin = hub_origin(Repository(connection).organisation())
        said = [one.sentence for one in fsck.check(connection)]
    assert LogReader(hub.database).fsck(hub.online.public("log"), origin).ok
    return said


def newest_deleted(acme: Acme) -> None:
    """The newest `team.vision` is gone, and with it whatever it removed."""
    rows.drop(acme, ROLE, rows.newest(acme, ROLE).signed.version)


def another_put_back(acme: Acme) -> None:
    """The number of a version, and the content of the one before it."""
    number = rows.newest(acme, ROLE).signed.version
    rows.drop(acme, ROLE, number)
    rows.put(acme, ROLE, rows.newest(acme, ROLE), number)


def middle_deleted(acme: Acme) -> None:
    rows.drop(acme, ROLE, rows.newest(acme, ROLE).signed.version - 1)


def document_added(acme: Acme) -> None:
    rows.put_document(acme, "policy.json", b"{}")


def document_changed(acme: Acme) -> None:
    acme.sql("UPDATE tuf_document SET body = x'7b7d' WHERE path = 'policy.json'")


def invented_approval(acme: Acme) -> None:
    """An approval in carla's name, by a key of the attacker's."""
    acme.new_key("mallory")
    with acme.behind() as connection:
        promotion = acme.app.promotions.status(connection, 1)
        genuine = promotion.tally.counted[0]
        body = statements.sign(genuine.predicate, genuine.subjects, acme.signer("mallory"))
        digest = statements.read(Approval, body, what="it").sha256
        row = {"sha256": digest, "kind": "approval", "body": body}
        connection.execute(insert(tables.statement).values(**row))


def column_changed(acme: Acme) -> None:
    acme.sql("UPDATE promotion SET stage = 'staging'")


def evidence_moved(acme: Acme) -> None:
    """The evidence of the one version said to be that of the other."""
    acme.sql("UPDATE evidence SET path = replace(path, '/2/', '/1/') WHERE path LIKE '%/2/%'")


def listed_by_the_hub_alone(acme: Acme, digest: str = "ab" * 32) -> None:
    """The hub's own key lists what nobody approved."""
    role = roles.catalog_role(TEAM)
    catalog = rows.next_of(acme, role)
    path = str(version(2).path("cpu-x86_64"))
    catalog.signed.targets[path] = publishing.target_file(path, 1, digest)
    publishing.sign(catalog, [acme.app.hub.online.signer("catalog")])
    rows.put(acme, role, catalog)


CASES: list[tuple[Attack, str]] = [
    (rows.invented_people, f"of {ROLE} is not signed by anybody who held the role"),
    (rows.team_handed_over, "of targets is not signed by anybody who held the role"),
    (rows.nothing_to_run, f"of site.{SITE} is not signed by anybody who held the role"),
    (rows.far_ahead, f"Version {rows.FAR} of {ROLE} is not signed by anybody"),
    (rows.renumbered, f"Version {rows.FAR} of {ROLE} is not signed by anybody"),
    (newest_deleted, f"of {ROLE} is missing, by entry"),
    (another_put_back, f"of {ROLE} is not signed by anybody"),
    (middle_deleted, f"of {ROLE} at least one is missing"),
    (document_added, "policy.json (44136fa355b3) is listed by no version that was signed"),
    (document_changed, "policy.json was changed, as version 1 of targets lists it"),
    (invented_approval, "is not signed by any key that ever might sign it"),
    (column_changed, "The columns of P-000001 say other than what was signed"),
    (evidence_moved, "say other than what was signed"),
    (listed_by_the_hub_alone, "is listed, and nobody approved it"),
    (another_stage, "its columns say something other than the answer"),
    (renamed, "plant-8"),
]


def test_a_hub_that_nobody_touched_is_whole(ready: Acme) -> None:
    assert found(ready) == []


@pytest.mark.parametrize("attack, said", CASES)
def test_t0_15_fsck_names_what_nobody_signed_and_what_is_missing(
    ready: Acme, attack: Attack, said: str
) -> None:
    no_triggers(ready)
    attack(ready)
    assert said in "\n".join(found(ready))
