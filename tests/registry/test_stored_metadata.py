"""The hub's database is data: a row that nobody signed is refused by name, and no people follow it.

Whoever owns the database owns no role by it. Each case is an attack that once led honest people to
sign what the attacker had written, while both checks of the log said that it was whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from sqlalchemy import delete, insert
from tuf.api.metadata import Metadata, Targets

from sealift_registry import guide
from sealift_registry.delivery.sites import Sites
from sealift_registry.shown.about import all_about
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.stored import Rows
from sealift_registry.trust.tables import (
    tuf_document,
    tuf_metadata,
    tuf_online,
    tuf_online_body,
)
from sealift_signing import publishing, roles, shape, version_links
from sealift_signing.approvals import approve
from sealift_signing.documents import (
    Assignment,
    GroupAssignment,
    MemberKey,
    Members,
    Person,
    assignment_path,
    members_path,
    read_members,
)
from sealift_signing.errors import RefusedError
from sealift_sync.site.setup.initialising import begin_enrolment
from tests.registry.hub_fixture import GROUP, SITE, STEWARDS, TARGET, TEAM, Acme
from tests.registry.signing_people import draft_renewal
from tests.site_on_paper import SiteOnPaper

FAR = 9 * 10**14
ROLE = roles.team_role(TEAM)


def newest(acme: Acme, role: str) -> Metadata[Targets]:
    """A role's newest row, whoever wrote it."""
    with acme.app.hub.engine.connect() as connection:
        body = Rows(connection).metadata(role)
    assert body is not None
    return Metadata.from_bytes(body)


def put(acme: Acme, role: str, metadata: Metadata[Targets], number: int | None = None) -> None:
    """Insert a row behind the hub's back."""
    row = {"role": role, "version": number or metadata.signed.version}
    with acme.behind() as connection:
        bodies = tuf_metadata
        if roles.is_online(role):
            digest = version_links.digest(metadata)
            connection.execute(insert(tuf_online).values(**row, sha256=digest))
            bodies = tuf_online_body
        connection.execute(insert(bodies).values(**row, body=publishing.to_bytes(metadata)))


def put_document(acme: Acme, path: str, data: bytes) -> None:
    with acme.behind() as connection:
        digest = sha256(data).hexdigest()
        connection.execute(insert(tuf_document).values(path=path, sha256=digest, body=data))


def drop(acme: Acme, role: str, number: int) -> None:
    tables = (tuf_online, tuf_online_body) if roles.is_online(role) else (tuf_metadata,)
    with acme.behind() as connection:
        for t in tables:
            connection.execute(delete(t).where(t.c.role == role, t.c.version == number))


def next_of(acme: Acme, role: str) -> Metadata[Targets]:
    before = newest(acme, role)
    return publishing.successor(before, expires=before.signed.expires)


def members_of(acme: Acme) -> Members:
    with acme.app.hub.reading() as connection:
        found = Repository(connection).members(TEAM)
    assert found is not None
    return found


def invented_people(acme: Acme) -> None:
    """An unsigned `team.vision` N+1, by which three people of the attacker's may approve."""
    made = next_of(acme, ROLE)
    purposes = (approve("staging"), approve("production"))
    people = tuple(
        Person(name, name, "active", (MemberKey(acme.new_key(name).text, "file", purposes),))
        for name in ("mallory", "malcolm", "mal")
    )
    known = members_of(acme)
    data = shape.write(replace(known, people=(*known.people, *people)))
    read_members(data, TEAM)
    publishing.list_document(made.signed, members_path(TEAM), data)
    put_document(acme, members_path(TEAM), data)
    put(acme, ROLE, made)


def team_handed_over(acme: Acme) -> None:
    """An unsigned `targets` N+1, by which the team's stewards are the attacker's."""
    made = next_of(acme, roles.TARGETS)
    stewards = {name: acme.new_key(name) for name in ("mallory", "malcolm")}
    publishing.delegate(made.signed, ROLE, 2, stewards)
    put(acme, roles.TARGETS, made)


def root_that_nobody_signed(acme: Acme) -> None:
    """An unsigned `root` N+1: nothing at all can be verified above it."""
    put(acme, roles.ROOT, next_of(acme, roles.ROOT))


def nothing_to_run(acme: Acme) -> None:
    """An unsigned `site.plant-7` N+1, by which its host group is to run nothing."""
    role = roles.site_role(SITE)
    made = next_of(acme, role)
    with acme.app.hub.reading() as connection:
        site = Sites(connection).get(SITE)
    data = shape.write(
        Assignment(1, (), SITE, site.enrolment, {GROUP: GroupAssignment(TARGET, {})})
    )
    publishing.list_document(made.signed, assignment_path(SITE), data)
    put_document(acme, assignment_path(SITE), data)
    put(acme, role, made)


def far_ahead(acme: Acme) -> None:
    """An unsigned row with a number that no later one would reach."""
    made = next_of(acme, ROLE)
    made.signed.version = FAR
    put(acme, ROLE, made)


def renumbered(acme: Acme) -> None:
    """The genuine version under a number that is not its own."""
    put(acme, ROLE, newest(acme, ROLE), FAR)


def renew(role: str, *by: str) -> Callable[[Acme], object]:
    def act(acme: Acme) -> object:
        hub, signers = acme.app.hub, [acme.signer(name) for name in by]
        with hub.reading() as connection:
            return draft_renewal(connection, role, signers, hub.now())

    return act


def add_somebody(acme: Acme) -> None:
    acme.entitle("gina", approve("production"), key=acme.new_key("gina"))


def ask_what_is_missing(acme: Acme) -> object:
    return guide.missing(acme.app.hub, acme.app.hardware_targets)


def list_people(acme: Acme) -> object:
    with acme.app.hub.reading() as connection:
        return Repository(connection).members(TEAM)


def show_site(acme: Acme) -> object:
    with acme.app.hub.reading() as connection:
        return all_about(acme.app.hub, connection, SITE)


def enrol_another(acme: Acme) -> object:
    plant = SiteOnPaper(acme.folder / "site-8", datetime.now(UTC))
    asked = begin_enrolment(plant.root, {}, "plant-8", {GROUP: TARGET}, plant.clock)
    return acme.enrolled(asked)


ACTS: dict[str, Callable[[Acme], object]] = {
    "renew the team": renew(ROLE, *STEWARDS),
    "add an approver": add_somebody,
    "approve": lambda acme: acme.approve(acme.request(2), "carla"),
    "list": list_people,
    "next": ask_what_is_missing,
    "export": lambda acme: acme.export(),
    "assign": lambda acme: acme.assign(),
    "enrol": enrol_another,
    "renew the root": renew(roles.ROOT, "root-1", "root-2"),
    "renew the targets": renew(roles.TARGETS, "targets-1", "targets-2"),
    "renew the site": renew(roles.site_role(SITE), "dispatcher-1"),
    "show the site": show_site,
}
CASES = [
    (invented_people, ROLE, ("renew the team", "add an approver", "approve", "list", "next")),
    (invented_people, ROLE, ("export", "assign", "enrol")),
    (team_handed_over, roles.TARGETS, ("renew the team", "renew the targets", "approve", "next")),
    (team_handed_over, roles.TARGETS, ("list", "enrol", "export", "assign")),
    (root_that_nobody_signed, roles.ROOT, ("renew the root", "renew the team", "approve", "next")),
    (root_that_nobody_signed, roles.ROOT, ("list", "enrol", "export", "assign", "show the site")),
    (nothing_to_run, f"site.{SITE}", ("renew the site", "export", "assign", "show the site")),
    (nothing_to_run, f"site.{SITE}", ("next", "enrol")),
    (far_ahead, ROLE, ("enrol", "renew the team", "add an approver", "next")),
    (renumbered, ROLE, ("enrol", "renew the team", "add an approver", "next")),
]


@pytest.mark.parametrize("attack, role, acts", CASES)
def test_t0_11_a_row_that_nobody_signed_is_refused_by_name_whoever_goes_by_it(
    ready: Acme, attack: Callable[[Acme], None], role: str, acts: tuple[str, ...]
) -> None:
    attack(ready)
    number = newest(ready, role).signed.version if attack is not renumbered else FAR
    before = ready.rows()
    for name in acts:
        with pytest.raises(RefusedError) as refused:
            ACTS[name](ready)
        assert refused.value.code == "row-not-signed", name
        assert f"Version {number} of {role}" in refused.value.what, name
        assert "sealift audit fsck" in refused.value.next_step
    added = {"log_entry", "log_term", "log_checkpoint", "log_tile"}
    assert {n: r for n, r in ready.rows().items() if n not in added} == {
        n: r for n, r in before.items() if n not in added
    }
