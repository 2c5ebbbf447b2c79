"""Everything that the database holds beside the log, checked against what was signed.

`trust.checking` looks at metadata and documents; here are the statements, what the catalog's tables
say of them, the listings, the sites and what came home from them; and what is derived from that.
Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, exists, select

from sealift_registry.access import checking as accounts_checking
from sealift_registry.catalog import filed_rows, logged_rows, statement_rows, tables
from sealift_registry.catalog.reference import promotion_id
from sealift_registry.delivery import (
    enrolments,
    filed,
    receipts,
    site_records,
    site_rows,
    transfers,
    whole_logs,
)
from sealift_registry.delivery import tables as delivery
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.intake.source import SourceRecord
from sealift_registry.jobs import logged_jobs
from sealift_registry.storage import schema
from sealift_registry.storage.database import Database
from sealift_registry.storage.queries import all_rows
from sealift_registry.trust import checking, whereabouts
from sealift_registry.trust.repository import Repository
from sealift_signing import documents, roles, shape, statements
from sealift_signing.drawing import word
from sealift_signing.errors import SealiftError
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
from sealift_signing.transparency.verdict import NOT_CHECKED, UNFINISHED, LogFault, apart

KINDS: Mapping[str, type[Predicate]] = {
    "request": Request,
    "approval": Approval,
    "objection": Objection,
    "evidence": Evidence,
}

ROWS_DIFFER = "site-state-differs"
"""The code of what is wrong with derived rows, which can be made anew."""

BUILT_OTHERWISE = "database-built-otherwise"
"""The code of what is wrong with tables, and not with their rows."""

AnyRow = Row[tuple[Any, ...]]


def built(database: Database) -> tuple[LogFault, ...]:
    """By what the database's tables could show other rows than there are.

    Nothing is raised: what could not be looked at is a finding.
    """
    found = (LogFault(BUILT_OTHERWISE, one, None) for one in database.tampered())
    return tuple(apart("How the database is built", found))


def check(connection: Connection) -> Iterator[LogFault]:
    """Everything that is wrong with what is stored beside the log.

    Each part is looked at whatever comes of the others; nothing is raised.
    """
    told: set[str] = set()
    for one in _parts(connection):
        # A refusal that keeps several parts from being checked is told by the first of them.
        why = one.sentence.partition(UNFINISHED)[2] or one.sentence
        if one.code == NOT_CHECKED or why not in told:
            told.add(why)
            yield one


def _parts(connection: Connection) -> Iterator[LogFault]:
    misfits = (LogFault("row-of-wrong-type", one, None) for one in schema.misfits(connection))
    yield from apart("What columns hold", misfits)
    yield from apart("What the roles signed", checking.check(connection))
    yield from apart("Where the hub went", whereabouts.faults(connection))
    signed: dict[str, Signed[Any]] = {}
    yield from apart("The statements", _statements(connection, signed))
    yield from statement_rows.check(connection, signed)
    yield from filed_rows.check(connection)
    yield from logged_rows.check(connection, _identity)
    yield from apart("The jobs", logged_jobs.not_logged(connection))
    yield from accounts_checking.check(connection)
    yield from apart("What catalog roles list", _listings(connection, signed))
    yield from apart("The enrolments", _enrolments(connection))
    yield from apart("The transfers", _transfers(connection))
    yield from filed.check(connection)
    yield from apart("What came home from sites", _home(connection))


def _identity(source: bytes) -> tuple[str, tuple[str, ...]]:
    """What makes a version the same when it is ingested again, and its aliases."""
    record = shape.read(SourceRecord, source, what="the source's record")
    return record.identity(), record.aliases


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


def _statements(connection: Connection, signed: dict[str, Signed[Any]]) -> Iterator[LogFault]:
    """Put the statements that a known key signed into `signed`, by their digests.

    They come without their reports and their bytes.
    """
    known = _Known(Repository(connection))
    t = tables.statement
    for row in all_rows(connection, select(t).order_by(t.c.sha256)):
        yield from apart(f"The statement {word(row.sha256[:12])}", _statement(row, known, signed))


def _statement(row: AnyRow, known: _Known, signed: dict[str, Signed[Any]]) -> Iterator[LogFault]:
    with suppress(SealiftError, KeyError):  # it is named as not signed
        one = statements.read(KINDS[row.kind], bytes(row.body), what="it")
        one.envelope.verify(known.keys(one)[one.envelope.keyid], what="it")
        if one.sha256 == row.sha256:
            signed[row.sha256] = _without_report(one)
    yield from ()


def _without_report(one: Signed[Any]) -> Signed[Any]:
    """What is compared with rows: of a hundred thousand reports nobody keeps all at once."""
    said = one.predicate
    if isinstance(said, Evidence):
        said = replace(said, checks=(), tools={}, machine="", details={})
    return replace(one, predicate=said, envelope=replace(one.envelope, data=b"", payload=b""))


def _listings(connection: Connection, signed: Mapping[str, Signed[Any]]) -> Iterator[LogFault]:
    """What catalog roles list, who approved it, and what the rows say of it."""
    listed: set[tuple[str, str]] = set()
    repository = Repository(connection)
    for role in repository.delegated(roles.CATALOG):
        yield from apart(f"The role {word(role)}", _listed(repository, role, listed))
    yield from apart("Approvals of what is listed", _listed_so(repository, signed, listed))
    paths = {path for path, _ in listed}
    yield from apart("The rows of listing", _listing_rows(connection, signed, paths))


def _listed(repository: Repository, role: str, listed: set[tuple[str, str]]) -> Iterator[LogFault]:
    """Put what a catalog role lists into `listed`."""
    for path, target in repository.targets(role).signed.targets.items():
        listed.add((path, target.hashes["sha256"]))
    yield from ()


def _listed_so(
    repository: Repository, signed: Mapping[str, Signed[Any]], listed: set[tuple[str, str]]
) -> Iterator[LogFault]:
    """What is listed was approved at some time, by as many as the policy asks least."""
    least = min((rule.approvals for rule in repository.policy().stages.values()), default=1)
    for path, digest in sorted(listed - _approved(signed, max(least, 1))):
        what = f"{path} ({digest[:12]}) is listed, and nobody approved it."
        yield LogFault("listing-not-approved", what, None)


def _listing_rows(
    connection: Connection, signed: Mapping[str, Signed[Any]], paths: set[str]
) -> Iterator[LogFault]:
    """Each row is of a path that is listed, because of a promotion of that path to that stage."""
    promotions = {row.number: row.request for row in connection.execute(select(tables.promotion))}
    t = tables.listing
    for row in connection.execute(select(t).order_by(*t.primary_key)):
        noted = f"{word(row.path)} is noted as listed for {word(row.stage)}"
        if row.path not in paths:
            what = f"{noted}, and no catalog role lists it."
            yield LogFault("listing-not-signed", what, None)
        name = promotion_id(row.promotion)
        if row.promotion not in promotions:
            what = f"{noted} because of {name}, and there is no such promotion."
            yield LogFault("listing-of-nothing", what, None)
            continue
        request = signed.get(promotions[row.promotion])
        if request is None or not isinstance(request.predicate, Request):
            continue  # it was named
        about = any(subject.name == row.path for subject in request.subjects)
        if not about or request.predicate.stage != row.stage:
            what = f"{noted} because of {name}, which asks for something else."
            yield LogFault("row-differs", what, None)


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


def _enrolments(connection: Connection) -> Iterator[LogFault]:
    """Every enrolment was signed."""
    repository = Repository(connection)
    t = delivery.site
    for row in connection.execute(select(t).order_by(*t.primary_key)):
        name = f"The enrolment of site {word(row.id)}"
        yield from apart(name, _refusal(partial(enrolments.verified, repository, row)))


def _transfers(connection: Connection) -> Iterator[LogFault]:
    """Every transfer was begun, as the log says, and every one that was written was signed."""
    yield from apart("What the log says of transfers", transfers.not_begun(connection))
    repository = Repository(connection)
    t = delivery.bundle
    for row in all_rows(connection, select(t).order_by(t.c.transfer)):
        name = f"The transfer {word(row.transfer)}"
        yield from apart(name, _refusal(partial(transfers.verified, repository, row)))


def _home(connection: Connection) -> Iterator[LogFault]:
    """What came home from each site is as it signed it, and the rows of what it said last."""
    of_nobody = whole_logs.of_nobody(connection)
    yield from apart(
        f"The rows of {site_rows.WHAT}", (LogFault(ROWS_DIFFER, one, None) for one in of_nobody)
    )
    for t in (delivery.receipt, delivery.site_entry, delivery.site_checkpoint):
        yield from apart(f"The rows of {t.name}", _of_no_site(connection, t))
    repository = Repository(connection)
    wrong: dict[str, bool] = {}
    t = delivery.site
    for row in connection.execute(select(t).order_by(*t.primary_key)):
        found = list(apart("", _refusal(partial(enrolments.verified, repository, row))))
        wrong[row.id] = bool(found) or wrong.get(row.id, False)
    for name in [name for name, is_wrong in wrong.items() if not is_wrong]:
        yield from apart(f"What came home from site {word(name)}", _home_from(connection, name))


def _of_no_site(connection: Connection, t: Table) -> Iterator[LogFault]:
    """What came home from a site, or by an enrolment of it, that there is not."""
    s = delivery.site.c
    same = s.id == t.c.site
    if "enrolment" in t.c:
        same = and_(same, s.enrolment == t.c.enrolment)
    query = select(t.c.site).where(~exists().where(same)).distinct().order_by(t.c.site)
    for name in connection.execute(query).scalars():
        what = (
            f"There are rows of {t.name} for an enrolment of site {word(name)} that there is not."
        )
        yield LogFault("row-of-nothing", what, None)


def _home_from(connection: Connection, name: str) -> Iterator[LogFault]:
    site = Sites(connection).get(name)
    receipts_of = f"The receipts of site {word(name)}"
    yield from apart(receipts_of, _refusal(partial(receipts.every, connection, site)))
    yield from apart(f"The log of site {word(name)}", _log_of(connection, site))


def _log_of(connection: Connection, site: EnrolledSite) -> Iterator[LogFault]:
    try:
        bodies = site_records.entries(connection, site)
        for what in whole_logs.differences(connection, site, bodies):
            yield LogFault(ROWS_DIFFER, what, None)
    except SealiftError as bad:
        yield LogFault(bad.code, bad.what, None)


def _refusal(verify: Callable[[], object]) -> Iterator[LogFault]:
    """What `verify` refuses, as it says it."""
    try:
        verify()
    except SealiftError as bad:
        yield LogFault(bad.code, bad.what, None)
