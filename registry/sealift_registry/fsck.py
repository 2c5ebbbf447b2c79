"""Everything that the database holds beside the log, checked against what was signed.

`trust.checking` looks at metadata and documents; here are the statements, what the catalog's tables
say of them, the listings, the sites and what came home from them; and what is derived from that.
Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, select

from sealift_registry.catalog import tables
from sealift_registry.catalog.reference import promotion_id
from sealift_registry.delivery import enrolments, receipts, site_records, transfers, whole_logs
from sealift_registry.delivery import tables as delivery
from sealift_registry.delivery.sites import Sites
from sealift_registry.storage import schema
from sealift_registry.trust import checking
from sealift_registry.trust.repository import Repository
from sealift_signing import documents, roles, statements
from sealift_signing.errors import RefusedError, SealiftError
from sealift_signing.evidence import EVIDENCE_PURPOSE
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import (
    Approval,
    Evidence,
    Objection,
    Predicate,
    Request,
    Signed,
)
from sealift_signing.transparency.verdict import LogFault

KINDS: Mapping[str, type[Predicate]] = {
    "request": Request,
    "approval": Approval,
    "objection": Objection,
    "evidence": Evidence,
}

ROWS_DIFFER = "site-state-differs"
"""The code of what is wrong with derived rows, which can be made anew."""

AnyRow = Row[tuple[Any, ...]]


def check(connection: Connection) -> Iterator[LogFault]:
    """Everything that is wrong with what is stored beside the log."""
    found = [LogFault("row-of-wrong-type", what, None) for what in schema.misfits(connection)]
    yield from found
    try:
        signed_by_roles = list(checking.check(connection))
        found += signed_by_roles
        yield from signed_by_roles
        repository = Repository(connection)
        known = _Known(repository)
        signed = dict(_statements(connection, known))
        yield from _unsigned(connection, signed)
        yield from _columns(connection, signed)
        yield from _listings(connection, repository, signed)
        yield from _sites(connection, repository)
    except SealiftError as bad:
        # Without a role nobody can say who might have signed the rest; it was named above.
        if not found:
            yield LogFault(bad.code, bad.what, None)


class _Known:
    """Every key that any version of a role ever entitled: people come and go, statements stay."""

    def __init__(self, repository: Repository) -> None:
        self._organisation = repository.stored
        self._people: dict[str, dict[str, PublicKey]] = {}
        self._machines = self._of_machines()

    def keys(self, one: Signed[Any]) -> Mapping[str, PublicKey]:
        """The keys that may have signed `one`, by their ids."""
        if isinstance(one.predicate, Evidence):
            return self._machines.get(EVIDENCE_PURPOSE.get(one.predicate.kind, ""), {})
        team = one.predicate.team
        if team not in self._people:
            self._people[team] = self._of_team(team)
        return self._people[team]

    def _of_team(self, team: str) -> dict[str, PublicKey]:
        path, found = documents.members_path(team), {}
        for data in self._documents(roles.team_role(team), path):
            for _, key in documents.read_members(data, team).all_keys():
                found[key.keyid] = key
        return found

    def _of_machines(self) -> dict[str, dict[str, PublicKey]]:
        found: dict[str, dict[str, PublicKey]] = {}
        for data in self._documents(roles.FLEET, documents.FLEET_KEYS_PATH):
            for machine in documents.read_fleet_keys(data).keys:
                key = PublicKey.parse(machine.key)
                found.setdefault(machine.purpose, {})[key.keyid] = key
        return found

    def _documents(self, role: str, path: str) -> Iterator[bytes]:
        for one in self._organisation.authentic(role):
            listed = one.targets.targets.get(path)
            digest = listed.hashes["sha256"] if listed else ""
            data = self._organisation.rows.document(path, digest)
            if data is not None and sha256(data).hexdigest() == digest:
                yield data


def _statements(connection: Connection, known: _Known) -> Iterator[tuple[str, Signed[Any]]]:
    """The statements that a known key signed, by their digests."""
    for row in connection.execute(select(tables.statement)):
        try:
            one = statements.read(KINDS[row.kind], bytes(row.body), what="it")
            one.envelope.verify(known.keys(one)[one.envelope.keyid], what="it")
        except (RefusedError, KeyError):
            continue
        if one.sha256 == row.sha256:
            yield one.sha256, one


def _unsigned(connection: Connection, signed: Mapping[str, Signed[Any]]) -> Iterator[LogFault]:
    t = tables.statement
    for row in connection.execute(select(t.c.sha256, t.c.kind).order_by(t.c.sha256)):
        if row.sha256 not in signed:
            what = (
                f"The {row.kind} {row.sha256[:12]} is not signed by any key that ever might sign "
                "it."
            )
            yield LogFault("statement-not-signed", what, None)


def _columns(connection: Connection, signed: Mapping[str, Signed[Any]]) -> Iterator[LogFault]:
    """Columns say what the statement says; a row that names none that is signed is told as such."""
    said: Sequence[tuple[Any, str, Callable[[Any], str], Callable[[Any, Signed[Any]], bool]]] = (
        (tables.promotion, "request", lambda row: promotion_id(row.number), _is_promotion),
        (tables.approval, "sha256", lambda row: f"approval {row.sha256[:12]}", _is_approval),
        (tables.objection, "sha256", lambda row: f"objection {row.sha256[:12]}", _is_objection),
        (tables.evidence, "sha256", lambda row: f"evidence {row.sha256[:12]}", _is_evidence),
    )
    for table, column, name, agrees in said:
        for row in connection.execute(select(table)):
            one = signed.get(getattr(row, column))
            if one is not None and not agrees(row, one):
                what = f"The columns of {name(row)} say other than what was signed."
                yield LogFault("row-differs", what, None)
    requests = {row.number: row.request for row in connection.execute(select(tables.promotion))}
    for table in (tables.approval, tables.objection):
        for row in connection.execute(select(table)):
            one = signed.get(row.sha256)
            if one is not None and one.predicate.request != requests.get(row.promotion):
                what = f"The {table.name} {row.sha256[:12]} is filed under a request that it is "
                yield LogFault("row-differs", f"{what}not of.", None)


def _is_promotion(row: AnyRow, one: Signed[Any]) -> bool:
    said = one.predicate
    if not isinstance(said, Request):
        return False
    columns = (row.team, row.model, row.version, row.stage, row.person, row.made)
    return columns == (said.team, said.model, said.version, said.stage, said.person, said.made)


def _is_approval(row: AnyRow, one: Signed[Any]) -> bool:
    said = one.predicate
    if not isinstance(said, Approval):
        return False
    return (row.person, row.made, row.valid_until) == (said.person, said.made, said.valid_until)


def _is_objection(row: AnyRow, one: Signed[Any]) -> bool:
    said = one.predicate
    return isinstance(said, Objection) and (row.person, row.made) == (said.person, said.made)


def _is_evidence(row: AnyRow, one: Signed[Any]) -> bool:
    said = one.predicate
    if not isinstance(said, Evidence):
        return False
    about = any(subject.name == row.path for subject in one.subjects)
    return about and (row.kind, row.verdict, row.made) == (said.kind, said.verdict, said.made)


def _listings(
    connection: Connection,
    repository: Repository,
    signed: Mapping[str, Signed[Any]],
) -> Iterator[LogFault]:
    """What a catalog role lists was approved at some time, by as many as the policy asks least."""
    least = min((rule.approvals for rule in repository.policy().stages.values()), default=1)
    approved = _approved(signed, max(least, 1))
    listed: set[tuple[str, str]] = set()
    for role in repository.delegated(roles.CATALOG):
        for path, target in repository.targets(role).signed.targets.items():
            listed.add((path, target.hashes["sha256"]))
    for path, digest in sorted(listed - approved):
        what = f"{path} ({digest[:12]}) is listed, and nobody approved it."
        yield LogFault("listing-not-approved", what, None)
    paths = {path for path, _ in listed}
    for row in connection.execute(select(tables.listing)):
        if row.path not in paths:
            what = f"{row.path} is noted as listed for {row.stage}, and no catalog role lists it."
            yield LogFault("listing-not-signed", what, None)


def _approved(signed: Mapping[str, Signed[Any]], least: int) -> set[tuple[str, str]]:
    """The artifacts of which a request was signed, with approvals by so many people."""
    people: dict[str, set[str]] = {}
    for one in signed.values():
        if isinstance(one.predicate, Approval):
            people.setdefault(one.predicate.request, set()).add(one.predicate.person)
    return {
        (subject.name, subject.sha256)
        for digest, one in signed.items()
        if isinstance(one.predicate, Request) and len(people.get(digest, ())) >= least
        for subject in one.subjects
    }


def _sites(connection: Connection, repository: Repository) -> Iterator[LogFault]:
    """Every enrolment and transfer was signed, and what came home from each site as it is now."""
    names: dict[str, bool] = {}
    for row in connection.execute(select(delivery.site).order_by(delivery.site.c.id)):
        names.setdefault(row.id, True)
        try:
            enrolments.verified(repository, row)
        except SealiftError as bad:
            names[row.id] = False
            yield LogFault(bad.code, bad.what, None)
    for row in connection.execute(select(delivery.bundle).order_by(delivery.bundle.c.transfer)):
        try:
            transfers.verified(repository, row)
        except SealiftError as bad:
            yield LogFault(bad.code, bad.what, None)
    for what in whole_logs.of_nobody(connection):
        yield LogFault(ROWS_DIFFER, what, None)
    for name in [name for name, whole in names.items() if whole]:
        try:
            site = Sites(connection).get(name)
            receipts.every(connection, site)
            bodies = site_records.entries(connection, site)
            for what in whole_logs.differences(connection, site, bodies):
                yield LogFault(ROWS_DIFFER, what, None)
        except SealiftError as bad:
            yield LogFault(bad.code, bad.what, None)
