"""A hub that has grown: versions by the thousand, promotions of a third of them, and their sites.

It is founded by the product's own code some weeks ago, and one version is taken in and converted as
everywhere. All others are put into the database as they would stand there, each statement signed by
whoever would have signed it: `sealift audit fsck` finds no fault, and every approval counts.

As a program: python -m tests.benchmarks.grown_hub FOLDER VERSIONS
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from sealift_registry.audit.writer import AuditLog
from sealift_registry.delivery import whole_logs
from sealift_registry.delivery.sites import Sites
from sealift_registry.trust import founding, teams
from sealift_signing.approvals import approve
from sealift_signing.memory import Memory
from tests.benchmarks import organisations
from tests.benchmarks.chronicle import Chronicle
from tests.benchmarks.grown_catalog import Growing, Team, pattern_of
from tests.benchmarks.grown_sites import LOG_ENTRIES, Fleet
from tests.cheap_keys import cheap_keys
from tests.registry.hub_fixture import (
    APPROVERS,
    PASSPHRASE,
    REQUESTER,
    STEWARDS,
    TARGET,
    TEAM,
    Acme,
    version,
)
from tests.registry.signing_people import carry_out

AGE = timedelta(days=60)
"""Nothing that people signed has run out since, and the oldest requests are too old to approve."""
VERSIONS_A_SITE = 50
TEAMS = ("motion", "speech", "text", TEAM)
PUBLICATIONS = 4
STAGES = ("staging", "production")


@dataclass(frozen=True)
class Size:
    """How large a hub has grown.

    Attributes:
        versions: of all models, the one that the hub converted itself among them.
        sites: that are enrolled.
        entries: of the log of each site that has answered.
    """

    versions: int
    sites: int
    entries: int = LOG_ENTRIES

    @classmethod
    def of(cls, versions: int) -> Size:
        """That with so many versions, and sites in proportion."""
        return cls(versions, max(versions // VERSIONS_A_SITE, 1))


def build(folder: Path, size: Size) -> Acme:
    """A hub of that size in `folder`, which is made; it is closed.

    Beside the hub's home, `hub`, lie the keys of people (`people`, `offline`), the passphrase that
    opens them (`passphrase`) and what whoever runs commands here trusts (`trust`).
    """
    until = datetime.now(UTC)
    with cheap_keys():
        with _founded_at(until - AGE):
            acme = organisations.founded(folder)
            people = _teams(acme)
            acme.ingest(1, acme.goldens())
            acme.convert()
        acme.trusted(Memory(folder / "trust"))
        _grow(acme, people, size, until)
        acme.close()
    secret = folder / "passphrase"
    secret.write_text(f"{PASSPHRASE}\n", encoding="utf-8")
    secret.chmod(0o600)
    return acme


def _grow(acme: Acme, people: dict[str, Team], size: Size, until: datetime) -> None:
    chronicle = Chronicle(acme.app.hub, until, _entries(size))
    pattern = pattern_of(acme.app.hub, version(1), TARGET)
    fleet = Fleet(chronicle, acme.signer("fleet-1"), acme.signer("dispatcher-1"))
    fleet.enrol(size.sites)
    catalog = Growing(chronicle, people, pattern, TARGET)
    catalog.grow(size.versions - 1, PUBLICATIONS)
    fleet.assign(catalog.listed.artifacts)
    fleet.export()
    fleet.receive(size.entries)
    chronicle.write()
    with acme.app.hub.reading() as connection:  # what is signed is read once, not for each site
        sites = Sites(connection).all()
    with acme.app.hub.engine.begin() as connection:
        for site in sites:
            whole_logs.rebuild(connection, site)


def _entries(size: Size) -> int:
    """About how many entries the log will have."""
    return size.versions * 3 + size.sites * 5 + PUBLICATIONS


@contextmanager
def _founded_at(when: datetime) -> Iterator[None]:
    """Whoever founds and opens a hub meanwhile has this clock."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(founding, "utc_now", lambda: when)
        patched.setattr(founding, "AuditLog", partial(AuditLog, clock=lambda: when))
        yield


def _teams(acme: Acme) -> dict[str, Team]:
    """The teams, each with people of its own but for the stewards; one is there already."""
    for name in TEAMS:
        if name != TEAM:
            _add_team(acme, name)
    for person in APPROVERS:
        acme.entitle(person, *map(approve, STAGES))
    return {name: _team(acme, name) for name in TEAMS}


def _add_team(acme: Acme, name: str) -> None:
    requester, approvers = _people(name)
    for person in (requester, *approvers):
        acme.new_key(person)
    acme.add_team(name, {who: acme.public(who) for who in STEWARDS})
    carry_out(acme.app, teams.requester(name, acme.card(requester)), acme.stewards)
    for person in approvers:
        carry_out(acme.app, teams.approver(name, acme.card(person), STAGES), acme.stewards)


def _team(acme: Acme, name: str) -> Team:
    requester, approvers = _people(name)
    return Team(
        name,
        (requester, acme.signer(requester)),
        tuple((who, acme.signer(who)) for who in approvers),
    )


def _people(team: str) -> tuple[str, tuple[str, ...]]:
    """Who asks, and who approves."""
    if team == TEAM:
        return REQUESTER, APPROVERS
    return f"{REQUESTER}-{team}", tuple(f"{who}-{team}" for who in APPROVERS)


def main() -> int:
    """Build the hub that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.grown_hub")
    parser.add_argument("folder", type=Path, help="it is made, and emptied if it is there")
    parser.add_argument("versions", type=int)
    asked = parser.parse_args()
    acme = build(asked.folder.absolute(), Size.of(asked.versions))
    print(f"The hub is {acme.root}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
