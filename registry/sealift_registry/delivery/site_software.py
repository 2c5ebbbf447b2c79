"""What a site's software reads, as the site itself says; what is written for it uses no more.

A site refuses a document that requires what its software does not know, and with it the bundle that
brings it, recalls and all. So nothing is signed or written for a site that its software could not
read: whoever asks for it is told which release the site must get first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from sealift_registry.delivery import receipts, site_rows
from sealift_registry.delivery.sites import EnrolledSite
from sealift_registry.trust.repository import Repository
from sealift_signing import canonical, documents, dsse, features, roles, shape
from sealift_signing.documents import Assignment, FleetKeys, Members, RecallList
from sealift_signing.drafts import Draft, decoded
from sealift_signing.drawing import drawn
from sealift_signing.errors import RefusedError
from sealift_signing.policy import POLICY_PATH, Policy
from sealift_signing.statements import Transfer
from sealift_sync.bundle.writer import Contents

LONGEST_SHOWN = 100
"""Characters of what a site calls its software."""

Needs = Mapping[str, str]
"""Features, by full name, each with the document that requires it."""


@dataclass(frozen=True)
class SiteSoftware:
    """What a site said last of its software.

    Attributes:
        site: its id.
        software: its name and version, in the site's words.
        reads: the formats and features that it reads, by full name.
        where: what says so.
    """

    site: str
    software: str
    reads: tuple[str, ...]
    where: str


def software_of(connection: Connection, site: EnrolledSite) -> SiteSoftware:
    """What `site` says that it reads: its log, else its newest receipt, else its request.

    Raises:
        RefusedError: the database has something else than what the site signed.
    """
    receipt, request = receipts.newest(connection, site), site.request.predicate
    found, size = SiteSoftware(site.id, request.software, request.reads, "its request"), 0
    if receipt is not None:
        newest, size = receipt.predicate, receipts.log_size(receipt.predicate)
        where = f"its receipt for {newest.transfer}"
        found = SiteSoftware(site.id, newest.software, newest.reads, where)
    said = site_rows.state_of(connection, site).software
    if said is not None and said.seq >= size:
        found = SiteSoftware(site.id, said.what.name, said.what.reads, f"its log, {said.what.at}")
    return found


def check_load(
    connection: Connection,
    site: EnrolledSite,
    contents: Contents,
    requires: Iterable[str],
    *,
    whatever: bool,
) -> tuple[str, ...]:
    """Check that `site` reads a bundle of `contents`, whose transfer requires `requires`.

    With `whatever` somebody knows better than what the site said last: then it is only told. Who
    has stolen a site's key could else have it say that it reads nothing, and keep recalls from it.

    Raises:
        RefusedError: it does not; the features are named, and the release that has them.
    """
    lacks = _lacks(connection, site, _needs_of(contents, requires), "the bundle")
    if lacks is not None and not whatever:
        raise lacks
    return () if lacks is None else (f"Written all the same: {lacks.what}",)


def check_assignment(connection: Connection, site: EnrolledSite, made: Draft) -> None:
    """Check that `site` reads the assignment that `made` has its dispatcher sign.

    And the lists of members of the teams whose models are in it, which travel with it.

    Raises:
        RefusedError: it does not; the features are named, and the release that has them.
    """
    path = documents.assignment_path(site.id)
    needs: dict[str, str] = {}
    for part in made.parts:
        for one in part.documents:
            if one.path == path:
                data = decoded(one.data)
                needs |= _needs(one.path, Assignment, data)
                needs |= _needs_of_teams(connection, documents.read_assignment(data, site.id))
    lacks = _lacks(connection, site, needs, "the assignment")
    if lacks is not None:
        raise lacks


def _needs_of_teams(connection: Connection, assignment: Assignment) -> Needs:
    repository, needs = Repository(connection), dict[str, str]()
    for team in sorted({one.parsed.team for _, _, one in assignment.artifacts()}):
        path = documents.members_path(team)
        data = repository.document(roles.team_role(team), path)
        needs |= {} if data is None else _needs(path, Members, data)
    return needs


def check_members(
    connection: Connection, sites: Iterable[EnrolledSite], team: str, made: Draft
) -> None:
    """Check that `sites`, which have models of `team`, read the list of members in `made`.

    It travels with every model of the team: who lacks a feature of it would refuse the bundle.

    Raises:
        RefusedError: one does not; so it is said of all that do not.
    """
    _check_each(connection, sites, documents.members_path(team), made, "the list of members")


def check_policy(connection: Connection, sites: Iterable[EnrolledSite], made: Draft) -> None:
    """Check that `sites` read the policy in `made`, which travels with every bundle.

    Raises:
        RefusedError: one does not; so it is said of all that do not.
    """
    _check_each(connection, sites, POLICY_PATH, made, "the policy")


def _check_each(
    connection: Connection, sites: Iterable[EnrolledSite], path: str, made: Draft, what: str
) -> None:
    needs: dict[str, str] = {}
    for part in made.parts:
        for one in part.documents:
            data = decoded(one.data)
            needs |= _needs(one.path, _kind_at(path), data) if one.path == path else {}
    found = [_lacks(connection, site, needs, what) for site in sites] if needs else []
    lacks = [one for one in found if one is not None]
    if lacks:
        others = ", ".join(one.subject for one in lacks[1:])
        lacks[0].what += f" The same holds for: {others}." if others else ""
        raise lacks[0]


def _lacks(
    connection: Connection, site: EnrolledSite, needs: Needs, what: str
) -> RefusedError | None:
    if not needs:
        return None  # every reader reads what requires nothing: what sites say need not be read
    said = software_of(connection, site)
    unread = features.unread(needs, said.reads)
    if not unread:
        return None
    release = features.release_with(unread)
    wanted = f"Sealift {release} or newer" if release else "software that reads them"
    named = ", ".join(f"{one} ({needs[one]})" for one in unread)
    software = drawn(said.software, LONGEST_SHOWN)
    return RefusedError(
        "site-lacks-features",
        f"{what[0].upper()}{what[1:]} for {site.id} needs what its software does not read: "
        f"{named}. That software is {software}, by {said.where}.",
        subject=site.id,
        next_step=f"Install {wanted} at {site.id}, and have it say so: there sealift-site return "
        "--to DIR, here sealift receive DIR. Where you know that it has that, add --any-software.",
    )


def lacking(said: SiteSoftware) -> tuple[str, ...]:
    """The features that this hub may write for a site, and that the site does not read."""
    known = {one.full for one in features.FEATURES if one.document in features.AT_A_SITE}
    return features.unread(known, said.reads)


# ---------------------------------------------------------------------- what documents require

_KINDS: Mapping[str, type[shape.Dataclass]] = {
    POLICY_PATH: Policy,
    documents.FLEET_KEYS_PATH: FleetKeys,
    documents.RECALL_PATH: RecallList,
}
"""The documents of the organisation, by their TUF paths."""


def _needs_of(contents: Contents, requires: Iterable[str]) -> Needs:
    needs: dict[str, str] = {}
    for path, data in contents.targets.items():
        needs |= _needs(path, _kind_at(path), data)
    for digest, data in contents.statements.items():
        needs |= dict(_stated(digest, data))
    needs |= dict(_required("transfer.json", shape.document_name(Transfer), requires))
    return needs


def _kind_at(path: str) -> type[shape.Dataclass]:
    return _KINDS.get(path) or (Assignment if path.startswith("sites/") else Members)


def _needs(path: str, kind: type[shape.Dataclass], data: bytes) -> Needs:
    said = shape.parsed(data, what=path)
    return dict(_required(path, shape.document_name(kind), _texts(said.get("requires"))))


def _stated(digest: str, data: bytes) -> Iterator[tuple[str, str]]:
    """What a statement requires: of whichever kind it is."""
    what = f"the statement {digest[:12]}"
    value = shape.parsed(dsse.read(data, what=what).payload, what=what)
    said = value.get("predicate")
    if isinstance(said, Mapping):
        kind = shape.statement_name(str(value.get("predicateType")))
        yield from _required(what, kind, _texts(said.get("requires")))


def _required(where: str, document: str, requires: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in features.named(document, requires):
        yield name, where


def _texts(value: canonical.Json | None) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        return ()
    return tuple(one for one in value if isinstance(one, str))
