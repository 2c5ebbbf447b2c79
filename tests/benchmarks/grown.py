"""Hubs on which people have signed for years: many teams, and a link for every week.

Teams and people come to be by drafts, as everywhere. The weekly versions between are put into the
database as they would stand there, each signed, and the last of them is published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from securesystemslib.signer import CryptoSigner, Signer
from sqlalchemy import Connection, insert
from tuf.api.metadata import Metadata, Targets

from sealift_registry.catalog.reference import ModelRef
from sealift_registry.intake.onnx_source import OnnxSource
from sealift_registry.trust import teams
from sealift_registry.trust.repository import Change, Repository
from sealift_registry.trust.tables import tuf_metadata
from sealift_signing import publishing, roles
from sealift_signing.desk.cards import make_card
from sealift_signing.memory import Memory
from sealift_sync.site.setup.initialising import begin_enrolment, finish_enrolment
from tests.benchmarks import weights
from tests.benchmarks.organisations import Organisation
from tests.registry.hub_fixture import (
    GROUP,
    MODEL,
    SITE,
    STEWARDS,
    TARGET,
    TEAM,
    Acme,
    taken_in,
    version,
)
from tests.registry.signing_people import assign, carry_out
from tests.site_on_paper import SiteOnPaper, as_told

ROLES = (roles.team_role(TEAM), roles.TARGETS, roles.FLEET, roles.site_role(SITE))
"""What somebody signs anew each week."""
OTHER_GROUP = "line-2"
"""A host group of the site that nothing is assigned to yet."""
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Grown:
    """A hub, and what whoever signs remembers of it.

    Attributes:
        us: its folders; nothing is at the site but its enrolment.
        memory: of each of `STEWARDS` and of the dispatcher: they know the same.
        size: in words.
    """

    us: Organisation
    memory: Path
    size: str


def grown(acme: Acme, top: Path, more_teams: int, weeks: int) -> Grown:
    """`acme`, which has one team, with `more_teams` more, and a version a week of what is renewed.

    Args:
        acme: founded; it is closed.
        top: a folder for what it takes in.
        more_teams: beside the one.
        weeks: how long ago it began; one at least.
    """
    model = weights.make(top / "model", [weights.ROW * weights.GOLDEN_ROWS])
    goldens = model.with_name(f"{model.name}.npz")
    taken_in(acme.app, OnnxSource(model), ModelRef.parse(MODEL), goldens)
    acme.convert()
    acme.promoted()
    us = Organisation(acme.folder, {}, 0)
    site = SiteOnPaper(us.site, datetime.now(UTC))
    groups = {GROUP: TARGET, OTHER_GROUP: TARGET}
    asked = begin_enrolment(site.root, {}, SITE, groups, site.clock)
    finish_enrolment(site.root, {}, acme.enrolled(asked).answer, site.clock, as_told)
    assign(acme.app, SITE, version(1), {GROUP: TARGET}, (), acme.signer("dispatcher-1"))
    for n in range(more_teams):
        _add_team(acme, f"team-{n:03d}")
    _renew_weekly(acme, weeks)
    memory = acme.folder / "memory"
    acme.trusted(Memory(memory))
    acme.close()
    teams_, links = f"{more_teams + 1} team{'s' if more_teams else ''}", f"{weeks} weekly links"
    return Grown(us, memory, f"{teams_}, {links if weeks > 1 else 'one link'}")


def _add_team(acme: Acme, name: str) -> None:
    """A team with two stewards and somebody who approves, all of them its own."""
    now = acme.app.hub.now()
    people = {f"{name}-{n}": CryptoSigner.generate_ed25519() for n in range(3)}
    cards = [(who, make_card(who, signer, "file", now)) for who, signer in people.items()]
    targets = [acme.signer("targets-1"), acme.signer("targets-2")]
    carry_out(acme.app, teams.team(acme.app.hub, name, cards[:2]), targets)
    carry_out(acme.app, teams.approver(name, cards[2]), list(people.values())[:2])


def _renew_weekly(acme: Acme, weeks: int) -> None:
    """A version of each role for every week until a week ago; the last is published."""
    hub = acme.app.hub
    signers = _signers(acme)
    with hub.reading() as connection:
        newest: dict[str, Metadata[Targets]] = {
            role: Repository(connection).targets(role) for role in ROLES
        }
    with hub.engine.begin() as connection:
        for week in range(weeks, 0, -1):
            if week < weeks:
                _insert(connection, newest)
            made = hub.now() - week * WEEK
            for role, metadata in newest.items():
                expires = publishing.expiry(made, roles.LIFETIMES_DAYS[roles.kind(role)])
                newest[role] = publishing.following(metadata, expires=expires)
                publishing.sign(newest[role], signers[role])
    hub.commit_change(Change(dict(newest)), hub.entry("role.renewed", "bench", {}))


def _signers(acme: Acme) -> dict[str, Sequence[Signer]]:
    def of(*names: str) -> Sequence[Signer]:
        return [acme.signer(name) for name in names]

    held = (of(*STEWARDS), of("targets-1", "targets-2"), of("fleet-1"), of("dispatcher-1"))
    return dict(zip(ROLES, held, strict=True))


def _insert(connection: Connection, versions: dict[str, Metadata[Targets]]) -> None:
    rows = [
        {"role": role, "version": one.signed.version, "body": publishing.to_bytes(one)}
        for role, one in versions.items()
    ]
    connection.execute(insert(tuf_metadata), rows)
