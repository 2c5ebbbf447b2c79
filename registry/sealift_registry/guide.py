"""What is missing before the next step of the journey: one sentence and one command each.

The order is the journey's, and only what can be done now is named: a version cannot be promoted
before it has a variant, so nobody is told to.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, select

from sealift_registry.catalog.catalog import Catalog, Version
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.conversion.refused import Refused, refused_as_it_is
from sealift_registry.delivery import (
    assignments,
    receipts,
    tables,
    transfers,
    unsigned_transfers,
)
from sealift_registry.delivery.holdings import missed
from sealift_registry.delivery.outcomes import outcomes_at
from sealift_registry.delivery.sites import Site, Sites
from sealift_registry.promotion.promotions import Promotions
from sealift_registry.promotion.status import PromotionStatus
from sealift_registry.trust import readiness, replaced_keys
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.stored import Stored
from sealift_signing import documents, roles, shape
from sealift_signing.approvals import REQUEST
from sealift_signing.documents import Members
from sealift_signing.drawing import pasted
from sealift_signing.statements import Signed, Transfer
from sealift_signing.vocabulary import instant, moment

SOON = timedelta(days=14)
LONGEST_SHOWN = 400
"""Characters of why something was refused."""
_KEYS = re.compile(r" --key [A-Z]+")
_NO_COMMAND = "sealift team list     (no command takes it out yet: tell those who sign with them)"
_NEW_LOG_KEY = "sealift key rotate log     (only where no backup holds them: restore that first)"
_SET_CLOCK = "sealift --today YYYY-MM-DD next     (once the clock is right)"
_WAYS_ON = {
    "clock-not-set": "sealift next     (once the clock is set)",
    "clock-behind": _SET_CLOCK,
    "clock-ahead": _SET_CLOCK,
}
ONLINE = {roles.SNAPSHOT, roles.TIMESTAMP}
"""Signed anew at every export, so their running out is no concern of people."""


@dataclass(frozen=True)
class Step:
    """What is missing, and the command that sees to it."""

    sentence: str
    command: str


def no_hub(root: Path) -> Step:
    """The step where there is no hub at `root`."""
    command = "sealift init --offline-keys DIR     (or, for one person alone: sealift init --solo)"
    return Step(f"There is no hub at {root} yet.", command)


def missing(hub: Hub, promotions: Promotions, hardware_targets: Collection[str]) -> list[Step]:
    """What is missing at the hub, in the order of the journey; first, and alone, what stops it."""
    stopped = [
        Step(bad.what, _WAYS_ON.get(bad.code, _NEW_LOG_KEY)) for bad in readiness.problems(hub)
    ]
    if stopped:
        return stopped
    with hub.reading() as connection:
        steps = list(_steps(hub, promotions, hardware_targets, connection))
    if not hub.home.settings.keys.default:
        return steps
    # A hub for one person has a key that every command takes where none is named.
    return [replace(step, command=_KEYS.sub("", step.command)) for step in steps]


def _steps(
    hub: Hub, promotions: Promotions, hardware_targets: Collection[str], connection: Connection
) -> Iterator[Step]:
    repository, catalog = Repository(connection), Catalog(connection)
    expiring = list(_expiring(repository, hub.now()))  # read first: a false row is named so
    yield from _stale_keys(repository.stored)
    yield from expiring
    handed_on = list(_handed_on(repository))
    if handed_on:
        yield from handed_on  # what stands on such a role says nothing until then
        return
    teams = sorted(repository.teams())
    if not teams:
        # In a hub for one person, that person is the steward.
        stewards = "" if hub.home.settings.keys.person else " --steward CARD" * 2
        command = f"sealift team add NAME{stewards}"
        yield Step("There is no team yet; a team owns models.", command)
        return
    for team in teams:
        yield from _people(repository, team)
    sites = [(site, list(_site(hub, connection, site))) for site in Sites(connection).all()]
    for site, steps in sites:
        if not steps:  # nothing is under way there that would explain it
            yield from _amiss(connection, repository, site)
    versions = {version.ref.of: version for version in catalog.versions()}
    if not versions:
        command = f"sealift ingest onnx FILE --as {teams[0]}/MODEL --goldens FILE.npz"
        yield Step("No model has been taken in yet.", command)
    refused = {
        version.ref: found
        for version in versions.values()
        if (found := _refused(connection, catalog, version)) is not None
    }
    for version in versions.values():
        if version.ref not in refused:
            yield from _version(catalog, version, hardware_targets)
    standings = [promotions.status(connection, one.number) for one in catalog.promotions()]
    yield from _promotions(repository, standings, hub.now())
    yield from _sites(sites)
    for ref, found in refused.items():
        yield _another(ref, found)


def _stale_keys(found: Stored) -> Iterator[Step]:
    """People of whom one key was exchanged in one office and goes on in another."""
    for sentence, office in replaced_keys.alarms(found):
        kind, _, name = office.place.partition(".")
        commands = {
            roles.TEAM: f"sealift team stewards {name} PERSON… --card {office.person}.card",
            roles.SITE: f"sealift site enroll REQUEST --stage STAGE --dispatcher {office.person}"
            ".card",
        }
        yield Step(sentence, commands.get(kind, _NO_COMMAND))


def _expiring(repository: Repository, now: datetime) -> Iterator[Step]:
    for role in sorted(repository.versions()):
        metadata = repository.base(role)
        if metadata is None or role in ONLINE or roles.kind(role) == roles.CATALOG:
            continue
        expires = metadata.signed.expires
        if expires - now < SOON:
            yield Step(
                f"The signature of {role} "
                f"{'expired' if expires <= now else 'expires'} at {moment(expires)}.",
                f"sealift renew {role}",
            )


def _handed_on(repository: Repository) -> Iterator[Step]:
    """Roles that others hold since they were signed."""
    for role in sorted(repository.versions()):
        if not roles.is_online(role) and repository.stored.is_superseded(role):
            yield Step(
                f"Others hold {role} since it was signed, and they have not signed it again.",
                f"sealift renew {role}",
            )


def _people(repository: Repository, team: str) -> Iterator[Step]:
    members = repository.members(team) or Members(1, (), team, (), ())
    active = [person for person in members.people if person.status == "active"]
    purposes = [{use for key in person.keys for use in key.purposes} for person in active]
    if not any(REQUEST in uses for uses in purposes):
        yield Step(
            f"Nobody in team {team} may request promotions.",
            f"sealift team requester {team} CARD",
        )
    for stage, rule in sorted(repository.policy().stages.items()):
        count = sum(f"approve:{stage}" in uses for uses in purposes)
        if count < rule.approvals:
            yield Step(
                f"Team {team} has {count} of the {rule.approvals} people whose approval "
                f"{stage} needs.",
                f"sealift team approver {team} CARD --stage {stage}",
            )


def _version(
    catalog: Catalog, version: Version, hardware_targets: Collection[str]
) -> Iterator[Step]:
    """The newest version of a model: goldens, then a variant, then a promotion."""
    ref = version.ref
    if catalog.goldens(ref) is None:
        yield Step(
            f"{ref} has no goldens, which converting needs.",
            f"sealift ingest …  (as before)  --as {ref.of} --goldens FILE.npz",
        )
    elif all(one.path.is_source for one in catalog.artifacts(ref)):
        yield Step(
            f"{ref} has no variant for any hardware target yet.",
            f"sealift convert {ref} --for {min(hardware_targets, key=_x86_first)}",
        )
    elif not catalog.promotions(ref):
        yield Step(
            f"{ref} has not been promoted to any stage.",
            f"sealift promote {ref} --to STAGE --reason '…'",
        )


def _refused(connection: Connection, catalog: Catalog, version: Version) -> Refused | None:
    """That this very version has no variant, for its conversion was refused."""
    ref = version.ref
    goldens = catalog.goldens(ref)
    if goldens is None or not all(one.path.is_source for one in catalog.artifacts(ref)):
        return None
    return refused_as_it_is(connection, ref, goldens)


def _another(ref: VersionRef, found: Refused) -> Step:
    """To convert the same once more would end as it did; a mended one is another version."""
    words = found.words
    if len(words) > LONGEST_SHOWN:
        words = f"{words[:LONGEST_SHOWN]} …"
    return Step(
        f"Converting {ref} for {found.path.form} was refused: {words} Ingest "
        "another version, mended so, or other goldens where it is these.",
        f"sealift ingest …  (as before)  --as {ref.of} --goldens FILE.npz",
    )


def _promotions(
    repository: Repository, standings: Sequence[PromotionStatus], now: datetime
) -> Iterator[Step]:
    """Requests that wait: for approvals, or for another request where they are too old for them."""
    listed = {_about(one) for one in standings if one.listed}
    last = {_about(one): one for one in standings}
    for standing in standings:
        # Another request of the same may have been listed: nobody waits for this one any more.
        if _about(standing) in listed:
            continue
        within = _within(repository, standing.promotion.stage)
        if now - instant(_made(standing)) <= within:
            yield _approve(standing)
        elif last[_about(standing)] is standing:
            yield _ask_again(standing, within)


def _about(standing: PromotionStatus) -> tuple[VersionRef, str]:
    return standing.promotion.ref, standing.promotion.stage


def _made(standing: PromotionStatus) -> str:
    """When it was asked for, by the request itself."""
    return standing.promotion.request.predicate.made


def _within(repository: Repository, stage: str) -> timedelta:
    """For how long after its request an approval for `stage` counts."""
    rule = repository.policy().stages.get(stage)
    return rule.within if rule else timedelta.max


def _approve(standing: PromotionStatus) -> Step:
    promotion, have = standing.promotion, len(standing.tally.counted)
    return Step(
        f"{promotion.id} ({promotion.ref} to {promotion.stage}) has {have} of "
        f"{standing.tally.needed} approvals.",
        f"sealift approve {promotion.id} --meaning validated --reason '…'",
    )


def _ask_again(standing: PromotionStatus, within: timedelta) -> Step:
    promotion, have = standing.promotion, len(standing.tally.counted)
    return Step(
        f"{promotion.id} ({promotion.ref} to {promotion.stage}) has {have} of "
        f"{standing.tally.needed} approvals, and is too old to get more: it was asked for on "
        f"{_made(standing)[:10]}, and an approval counts within {within.days} days. Ask again:",
        f"sealift promote {promotion.ref} --to {promotion.stage} --reason '…'",
    )


def _sites(sites: Sequence[tuple[Site, Sequence[Step]]]) -> Iterator[Step]:
    if not sites:
        yield Step(
            "No site is enrolled yet. At the site: sealift-site init --id ID "
            "--group NAME=HARDWARE-TARGET --request FILE; then here:",
            "sealift site enroll FILE --stage STAGE --dispatcher CARD",
        )
    for _, steps in sites:
        yield from steps


def _amiss(connection: Connection, repository: Repository, site: Site) -> Iterator[Step]:
    """A site that has all that it is assigned, and does not run it: before all that can wait."""
    end = outcomes_at(connection, site, assignments.current(repository, site))
    if end.failed or end.unlike:
        yield Step(
            f"What site {site.id} is assigned does not run there, or did not start; it says why.",
            f"sealift show {site.id}",
        )


def _site(hub: Hub, connection: Connection, site: Site) -> Iterator[Step]:
    assigned = assignments.current(Repository(connection), site)
    last = _last_bundle(connection, site)
    path, digest = documents.assignment_path(site.id), sha256(shape.write(assigned)).hexdigest()
    if not assigned.groups and not assigned.retire:
        group, hardware_target = min(site.groups.items())
        yield Step(
            f"Nothing is assigned to site {site.id}.",
            f"sealift assign {site.id} TEAM/MODEL/VERSION --for {group}={hardware_target} "
            "--key DISPATCHER",
        )
    elif (waits := unsigned_transfers.newest(hub, connection, site)) and waits.about(path, digest):
        yield Step(
            f"{waits.said.id} waits on {waits.medium} to be signed by whoever dispatches to "
            f"{site.id}. The same export again gives the same draft; what is signed of it:",
            f"sealift submit FILE --medium {pasted([str(waits.medium)])}",
        )
    elif last is None:
        yield Step(
            f"Nothing has been exported for site {site.id} yet.",
            f"sealift export {site.id} --to DIR --key DISPATCHER",
        )
    elif not last.about(path, digest):
        yield Step(
            f"What site {site.id} is assigned has changed since {last.predicate.id} was exported.",
            f"sealift export {site.id} --to DIR --key DISPATCHER",
        )
    elif receipts.answer_to(connection, last.predicate) is None:
        yield Step(
            f"Site {site.id} has not answered {last.predicate.id} yet. At the site: sealift-site "
            "import DIR, then sealift-site return --to DIR; then here:",
            "sealift receive DIR",
        )
    elif count := missed(connection, site, hub.home.blobs, assigned):
        blobs = "1 blob" if count == 1 else f"{count} blobs"
        yield Step(
            f"Site {site.id} says that it has lost {blobs}; the next bundle brings what is lost.",
            f"sealift export {site.id} --to DIR --key DISPATCHER",
        )


def _last_bundle(connection: Connection, site: Site) -> Signed[Transfer] | None:
    """The newest bundle that was written for this enrolment of the site.

    Raises:
        RefusedError: its row is of none that a dispatcher signed.
    """
    b, t = tables.bundle, tables.transfer
    query = (
        select(b)
        .join(t, t.c.id == b.c.transfer)
        .where(t.c.site == site.id, t.c.enrolment == site.enrolment)
        .order_by(t.c.number.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else transfers.verified(Repository(connection), row)


def _x86_first(name: str) -> tuple[bool, str]:
    return "x86" not in name, name
