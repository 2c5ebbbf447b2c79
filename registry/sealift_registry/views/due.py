"""What waits for somebody, along the journey: from roles that expire to sites that do not answer.

Of each kind a page is told, and which others seem to wait: as many are verified on a hub of any
size. Which those are, rows say; what is told of them was signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256

from sqlalchemy import Connection

from sealift_registry.catalog import discards, pages
from sealift_registry.catalog.catalog import Catalog
from sealift_registry.catalog.pages import VersionDue
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.conversion.refused import Refused, refused_as_it_is
from sealift_registry.delivery import (
    assignments,
    attention,
    receipts,
    transfer_hosts,
    transfers,
    unsigned_transfers,
)
from sealift_registry.delivery.attention import Rank, Seeming
from sealift_registry.delivery.holdings import missed
from sealift_registry.delivery.outcomes import first_lines, outcomes_at
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.delivery.unsigned_transfers import UnsignedTransfer
from sealift_registry.promotion.status import Counted, Counting
from sealift_registry.storage.within import ALL, Within
from sealift_registry.trust import replaced_keys, skimming
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing import documents, roles, shape
from sealift_signing.acts.offices import Office
from sealift_signing.approvals import REQUEST, approve
from sealift_signing.documents import Assignment, Members
from sealift_signing.statements import Transfer
from sealift_signing.vocabulary import SOURCE, instant, moment

PAGE = 10
"""Models, requests or sites of which it is told what they wait for."""
MOST_PAGES = 3
"""So many pages are verified at most, where it turns out that nothing is to be told of many."""
SOON = timedelta(days=14)
SILENT = timedelta(days=30)
"""For so long a site may say nothing before somebody is told; a ship's voyage takes weeks."""


@dataclass(frozen=True)
class StaleKey:
    """A person with two keys in two places: what is wrong, and the office to be mended."""

    sentence: str
    office: Office


@dataclass(frozen=True)
class RoleDue:
    """A role that people sign, whose signature runs out soon, or has."""

    role: str
    expires: datetime


@dataclass(frozen=True)
class PeopleDue:
    """Whom a team lacks: to ask for promotions, or to approve for `stage`.

    Attributes:
        stage: None of those who ask.
    """

    team: str
    stage: str | None
    have: int
    need: int


@dataclass(frozen=True)
class VersionsDue:
    """The newest versions of models that lack something, in order.

    Attributes:
        beyond: the others that do.
        refused: those that have no variant because converting them was refused.
        any_model: whether there is any version at all.
    """

    versions: tuple[VersionDue, ...]
    refused: tuple[tuple[VersionRef, Refused], ...]
    beyond: tuple[VersionRef, ...]
    any_model: bool


@dataclass(frozen=True)
class PromotionDue:
    """A request that waits for approvals, or is too old to get any and is to be made again.

    Attributes:
        within: for how long after it an approval counts.
    """

    counted: Counted
    within: timedelta
    too_old: bool


@dataclass(frozen=True)
class PromotionsDue:
    """The requests that wait: first those that can be approved, the oldest of them first.

    Attributes:
        beyond: the numbers of the others that seem to wait, in the same order.
    """

    promotions: tuple[PromotionDue, ...]
    beyond: tuple[int, ...]


class SiteLack(Enum):
    """What a site waits for."""

    ASSIGNMENT = "nothing is assigned to it"
    SIGNATURE = "a bundle for it waits to be signed"
    BUNDLE = "nothing was exported for it"
    NEWER_BUNDLE = "its assignment changed since the last bundle"
    ANSWER = "it has not answered the last bundle"
    BLOBS = "it has lost blobs of what it is assigned"
    ATTENTION = "it does not run what it is assigned"
    REFUSED = "it did not believe what was sent"
    SILENT = "nothing was heard of it for long"

    @property
    def is_amiss(self) -> bool:
        """Whether something went wrong there, and not only something is still to be done."""
        return self in {SiteLack.BLOBS, SiteLack.ATTENTION, SiteLack.REFUSED}


@dataclass(frozen=True)
class SiteDue:
    """A site that waits for something.

    Attributes:
        unsigned: the bundle that waits to be signed, where that is it.
        begun: where no bundle is there yet, one that another host has begun: its id, and the host.
        transfer: the id of its last bundle.
        blobs: how many it has lost.
        first: what should be looked at first there, where something is amiss.
        days: for how many nothing was heard of it, or it did not answer.
    """

    site: EnrolledSite
    lack: SiteLack
    unsigned: UnsignedTransfer | None = None
    transfer: str = ""
    blobs: int = 0
    begun: tuple[str, str] | None = None
    first: str = ""
    days: int = 0


@dataclass(frozen=True)
class SitesDue:
    """The sites that wait: first those where something went wrong, each kind by its ids.

    Attributes:
        beyond: the ids of the others, by how they seem to be; of those in order, nothing.
        any_site: whether there is any site at all.
    """

    sites: tuple[SiteDue, ...]
    beyond: Mapping[Rank, tuple[str, ...]]
    any_site: bool


def stale_keys(connection: Connection) -> tuple[StaleKey, ...]:
    """People of whom one key was replaced in one office and goes on in another."""
    alarms = replaced_keys.alarms(Repository(connection).stored)
    return tuple(StaleKey(sentence, office) for sentence, office in alarms)


def expiring(connection: Connection, now: datetime) -> tuple[RoleDue, ...]:
    """Roles that people sign, and that run out soon; of the sites', those that seem to."""
    repository = Repository(connection)
    end = (now + SOON).strftime("%Y-%m-%dT%H:%M:%SZ")  # as TUF spells it
    names = _people_roles(repository)
    sites = skimming.skim(connection, roles.SITE)
    names += sorted(one.role for one in sites if not one.expires or one.expires <= end)
    found = []
    for role in sorted(names):
        base = repository.base(role)
        if base is not None and base.signed.expires - now < SOON:
            found.append(RoleDue(role, base.signed.expires))
    return tuple(found)


def handed_on(connection: Connection) -> tuple[str, ...]:
    """Roles that others hold since they were signed: what stands on them says nothing until then.

    Of the sites' roles those are looked at that seem to be signed by nobody who holds them now.
    """
    repository = Repository(connection)
    names = _people_roles(repository)
    fleet = repository.targets(roles.FLEET).signed
    for one in skimming.skim(connection, roles.SITE):
        held = roles.holders(fleet, one.role)
        if not held.keys() & one.keyids:
            names.append(one.role)
    return tuple(role for role in sorted(names) if repository.stored.is_superseded(role))


def _people_roles(repository: Repository) -> list[str]:
    """The roles that people sign, but those of sites."""
    there = repository.stored.rows.newest_numbers()
    return [one for one in there if not roles.is_online(one) and roles.kind(one) != roles.SITE]


def people(connection: Connection, team: str) -> Iterator[PeopleDue]:
    """Whom a team lacks."""
    repository = Repository(connection)
    members = repository.members(team) or Members(1, (), team, (), ())
    purposes = [{use for key in one.active_keys for use in key.purposes} for one in members.people]
    if not any(REQUEST in uses for uses in purposes):
        yield PeopleDue(team, None, 0, 1)
    for stage, rule in sorted(repository.policy().stages.items()):
        have = sum(approve(stage) in uses for uses in purposes)
        if have < rule.approvals:
            yield PeopleDue(team, stage, have, rule.approvals)


def versions(connection: Connection, within: Within = ALL) -> VersionsDue:
    """The newest version of each model, where it lacks goldens, a variant or a promotion.

    Those that were refused take no place of others.
    """
    every, catalog = pages.versions_due(connection), Catalog(connection)
    gone = _let_go(connection)
    every = [one for one in every if one.ref not in gone and within.has_team(one.ref.team)]
    here, refused = list[VersionDue](), dict[VersionRef, Refused]()
    for one in every[: MOST_PAGES * PAGE]:
        if len(here) == PAGE:
            break
        goldens = catalog.goldens(one.ref) if one.has_goldens and not one.has_variant else None
        found = refused_as_it_is(connection, one.ref, goldens) if goldens else None
        if found is None:
            here.append(one)
        else:
            refused[one.ref] = found
    return VersionsDue(
        tuple(here),
        tuple(refused.items()),
        tuple(one.ref for one in every[len(here) + len(refused) :]),
        bool(every) or bool(catalog.models(limit=1)),
    )


def _let_go(connection: Connection) -> set[VersionRef]:
    """The versions of which the source, or every variant, was discarded: nothing is to follow."""
    forms: dict[VersionRef, set[str]] = {}
    for one in discards.of_all(connection).values():
        ref = VersionRef(one.path.team, one.path.model, one.path.version)
        forms.setdefault(ref, set()).add(one.path.form)
    every = pages.artifacts(connection, list(forms))
    return {
        ref
        for ref, gone in forms.items()
        if SOURCE in gone or all(one.path.is_source or one.path.form in gone for one in every[ref])
    }


def promotions(connection: Connection, now: datetime, within: Within = ALL) -> PromotionsDue:
    """Requests that wait for approvals, or for another request; of each version and stage one.

    It is the newest. Who can be approved comes first, and of those whoever waits longest; behind
    them those that are too old for it, of which many may never be made again.
    """
    heads, periods = list[tuple[bool, int]](), dict[str, timedelta]()
    for stage, rule in sorted(Repository(connection).policy().stages.items()):
        periods[stage] = rule.within
        oldest = moment(now - rule.within)
        waiting = pages.waiting(connection, stage, rule, now, within)
        heads += [(one.made < oldest, one.number) for one in waiting]
    numbers = [number for _, number in sorted(heads)]
    counting, found, looked_at = Counting(connection, now), list[PromotionDue](), 0
    gone = discards.of_all(connection).keys()
    while len(found) < PAGE and looked_at < min(len(numbers), MOST_PAGES * PAGE):
        some = numbers[looked_at : looked_at + PAGE - len(found)]
        looked_at += len(some)
        rows = pages.promotions_named(connection, some)
        requests = pages.Requests(connection, rows)
        for promotion in map(requests.promotion, rows):
            counted = counting.counted(promotion, requests.approvals(promotion.number))
            discarded = gone & {one.name for one in promotion.request.subjects}
            if not counted.listed and not discarded:
                period = periods[promotion.stage]
                too_old = now - instant(promotion.made) > period
                found.append(PromotionDue(counted, period, too_old))
    found.sort(key=lambda one: (one.too_old, one.counted.promotion.number))
    return PromotionsDue(tuple(found), tuple(numbers[looked_at:]))


def sites(hub: Hub, connection: Connection, within: Within = ALL) -> SitesDue:
    """The sites that wait for something: a page of those that seem amiss, and one of the others.

    What went wrong can take weeks to be mended, and hides nothing that is to be done meanwhile.
    """
    seeming = attention.sites(connection, hub.home.blobs, moment(hub.now() - SILENT))
    seeming = [one for one in seeming if within.has_site(one.site)]
    amiss = [one for one in seeming if one.rank is Rank.AMISS]
    found, beyond = list[SiteDue](), dict[Rank, list[str]]()
    for some in (amiss, seeming[len(amiss) :]):
        due, rest = _page(hub, connection, some)
        found += due
        for one in rest:
            if one.rank is not Rank.IN_ORDER:
                beyond.setdefault(one.rank, []).append(one.site)
    found.sort(key=lambda one: (not one.lack.is_amiss, one.site.id))
    names = {rank: tuple(those) for rank, those in beyond.items()}
    return SitesDue(tuple(found), names, any_site=bool(seeming))


def _page(
    hub: Hub, connection: Connection, seeming: Sequence[Seeming]
) -> tuple[list[SiteDue], Sequence[Seeming]]:
    """Of some sites, in order, a page of those that wait; and those that were not looked at.

    A page is looked at, and more where rows say so of sites of which nothing is to be told then.
    """
    found, looked_at = list[SiteDue](), 0
    for one in seeming[: MOST_PAGES * PAGE]:
        if len(found) == PAGE or (one.rank is Rank.IN_ORDER and looked_at >= PAGE):
            break
        looked_at += 1
        due = _site(hub, connection, Sites(connection).get(one.site))
        found += [due] if due is not None else []
    return found, seeming[looked_at:]


def _site(hub: Hub, connection: Connection, site: EnrolledSite) -> SiteDue | None:
    assigned = assignments.current(Repository(connection), site)
    last = transfers.newest_bundle(connection, site)
    path, digest = documents.assignment_path(site.id), sha256(shape.write(assigned)).hexdigest()
    if not assigned.groups and not assigned.retire:
        return SiteDue(site, SiteLack.ASSIGNMENT)
    waits = unsigned_transfers.newest(hub, connection, site)
    if waits and waits.about(path, digest):
        return SiteDue(site, SiteLack.SIGNATURE, unsigned=waits)
    if last is None:
        begun = transfer_hosts.unfinished(hub, connection, site)
        return SiteDue(site, SiteLack.BUNDLE, begun=begun)
    if not last.about(path, digest):
        begun = transfer_hosts.unfinished(hub, connection, site)
        return SiteDue(site, SiteLack.NEWER_BUNDLE, transfer=last.predicate.id, begun=begun)
    return _under_way(hub, connection, site, assigned, last.predicate)


def _under_way(
    hub: Hub, connection: Connection, site: EnrolledSite, assigned: Assignment, last: Transfer
) -> SiteDue | None:
    """What a site waits for that was sent all that it is assigned."""
    found = outcomes_at(connection, site, assigned)
    first, now = next(first_lines(found), ""), hub.now()
    if receipts.answer_to(connection, last) is None:
        if found.refused is not None and last.id in found.refused.transfers:
            return SiteDue(site, SiteLack.REFUSED, transfer=last.id, first=first)
        days = (now - instant(last.made)).days
        return SiteDue(site, SiteLack.ANSWER, transfer=last.id, days=days)
    if count := missed(connection, site, hub.home.blobs, assigned):
        return SiteDue(site, SiteLack.BLOBS, blobs=count)
    if found.is_amiss:
        return SiteDue(site, SiteLack.ATTENTION, first=first)
    if found.heard is not None and (days := (now - instant(found.heard)).days) >= SILENT.days:
        return SiteDue(site, SiteLack.SILENT, days=days)
    return None
