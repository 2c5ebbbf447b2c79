"""What the database holds of the repository, read as a site reads a medium: from the root.

A row is data, whoever wrote it. People sign what follows the rows and are shown what is in them,
so a row above the newest that its holders signed is refused by its name: it is neither believed
nor passed over in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from typing import Any, TypeVar

from sqlalchemy import Connection, Subquery, Table, and_, func, select
from tuf.api.metadata import Metadata, Snapshot, Timestamp

from sealift_registry.storage.queries import in_parts
from sealift_registry.trust.tables import (
    tuf_document,
    tuf_metadata,
    tuf_online,
    tuf_online_body,
)
from sealift_signing import documents, roles
from sealift_signing.compromised import Compromised, machines_of, people_of, union
from sealift_signing.documents import FleetKeys
from sealift_signing.errors import NotFoundError, RefusedError
from sealift_signing.organisation import Head, Organisation, verified_by
from sealift_signing.tuf_walk import check_signed, read_spelled

T = TypeVar("T")

AHEAD = 50
"""Versions that are read at once of a role that is gone back along, version by version."""

READING = "sealift_reading"
"""Execution option of a connection that sees one state: what was read through it already."""

FRESHNESS: dict[str, type[Any]] = {roles.SNAPSHOT: Snapshot, roles.TIMESTAMP: Timestamp}


_WITHOUT: set[tuple[str, bytes]] = set()
"""Documents by their digests, each with what it was found not to hold."""


class RowError(RefusedError):
    """A row that nobody signed who may."""


class Rows:
    """The rows, as the files of an organisation; none of them is believed here.

    Of what the hub signs by itself the newest bodies are there, and the digests of all.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = ("", 0)
        self._ahead: dict[tuple[str, int], bytes] = {}
        self._newest: dict[str, int | None] = {}
        self._bodies: dict[str, bytes] = {}
        self._versions: dict[str, list[int]] = {}

    def metadata(self, role: str, version: int | None = None) -> bytes | None:
        """The bytes of a role's version, or of its newest; None if there is none, or no more."""
        if version is None:
            if role in self._bodies:
                return self._bodies[role]
            version = self.newest(role)
            return None if version is None else self._read(role, version, 1).get((role, version))
        if (role, version) not in self._ahead:
            goes_back = self._last == (role, version + 1)
            self._ahead = self._read(role, version, AHEAD if goes_back else 1)
        self._last = (role, version)
        return self._ahead.get((role, version))

    def _read(self, role: str, version: int, most: int) -> dict[tuple[str, int], bytes]:
        """A version of a role, if it is there, and with it those below it: `most` in all."""
        t = _bodies(role)
        query = (
            select(t.c.version, t.c.body)
            .where(t.c.role == role, t.c.version <= version, t.c.version > version - most)
            .order_by(t.c.version.desc())
        )
        return {(role, row.version): bytes(row.body) for row in self._connection.execute(query)}

    def document(self, path: str, digest: str) -> bytes | None:
        """The document that is kept under this path and digest; None if there is none."""
        query = select(tuf_document.c.body).where(
            tuf_document.c.path == path, tuf_document.c.sha256 == digest
        )
        body = self._connection.execute(query).scalar_one_or_none()
        return None if body is None else bytes(body)

    def bodies(self, path: str, part: bytes) -> dict[str, bytes]:
        """The documents under this path that hold `part`, by their own sha256.

        What a digest is of cannot change: a process reads each of the others once. A fleet of two
        thousand sites has as many lists of keys, and every request asks for them.
        """
        t, found = tuf_document, dict[str, bytes]()
        named = select(t.c.sha256).where(t.c.path == path)
        digests = self._connection.execute(named).scalars()
        unread = [one for one in digests if (one, part) not in _WITHOUT]
        for some in in_parts(unread):
            query = select(t.c.body).where(t.c.path == path, t.c.sha256.in_(some))
            for body in map(bytes, self._connection.execute(query).scalars()):
                digest = sha256(body).hexdigest()
                if part in body:
                    found[digest] = body
                else:
                    _WITHOUT.add((digest, part))
        return found

    def documents(self) -> list[tuple[str, str]]:
        """Every document, by its path and digest."""
        t = tuf_document
        query = select(t.c.path, t.c.sha256).order_by(*t.primary_key)
        return [(row.path, row.sha256) for row in self._connection.execute(query)]

    def roles(self) -> list[str]:
        """The roles that have a row, in order."""
        # Whoever asks for them all asks for the newest of each next.
        for numbers, bodies in ((tuf_metadata, tuf_metadata), (tuf_online, tuf_online_body)):
            last, b = newest_of(numbers), bodies.alias()
            there = and_(b.c.role == last.c.role, b.c.version == last.c.version)
            query = select(last.c.role, last.c.version, b.c.body).outerjoin_from(last, b, there)
            for row in self._connection.execute(query):
                if versions_of(row.role) is numbers:
                    self._newest[row.role] = row.version
                    if row.body is not None:
                        self._bodies[row.role] = bytes(row.body)
        return sorted(role for role, number in self._newest.items() if number is not None)

    def newest_numbers(self) -> dict[str, int]:
        """The number of each role's newest row; no body is read for it."""
        found = {}
        for t in (tuf_metadata, tuf_online):
            for row in self._connection.execute(select(newest_of(t))):
                if versions_of(row.role) is t:
                    found[row.role] = row.version
        return found

    def newest(self, role: str) -> int | None:
        """The number of a role's newest row."""
        if role not in self._newest:
            t = versions_of(role)
            query = select(func.max(t.c.version)).where(t.c.role == role)
            self._newest[role] = self._connection.execute(query).scalar()
        return self._newest[role]

    def versions(self, role: str) -> list[int]:
        """The numbers of a role's rows, newest first."""
        if role not in self._versions:  # a fleet of many sites has as many, asked for by each
            self._versions[role] = self._numbers(versions_of(role), role)
        return self._versions[role]

    def kept(self, role: str) -> list[int]:
        """The numbers of a role's versions of which there is a body, newest first."""
        return self._numbers(_bodies(role), role)

    def _numbers(self, t: Table, role: str) -> list[int]:
        query = select(t.c.version).where(t.c.role == role).order_by(t.c.version.desc())
        return list(self._connection.execute(query).scalars())

    def digests(self, role: str) -> dict[int, str]:
        """The digest of each version of a role that the hub signs by itself."""
        t = tuf_online
        query = select(t.c.version, t.c.sha256).where(t.c.role == role)
        return {row.version: row.sha256 for row in self._connection.execute(query)}

    def digest(self, role: str, version: int) -> str | None:
        """The digest of a version of a role that the hub signs by itself; None if there is none."""
        t = tuf_online
        query = select(t.c.sha256).where(t.c.role == role, t.c.version == version)
        return self._connection.execute(query).scalar_one_or_none()


def versions_of(role: str) -> Table:
    """The table in which every version of `role` has a row for ever."""
    return tuf_online if roles.is_online(role) else tuf_metadata


def _bodies(role: str) -> Table:
    return tuf_online_body if roles.is_online(role) else tuf_metadata


def newest_of(t: Table) -> Subquery:
    """Each role's newest version, found by the key: many versions take no longer than few."""
    each, before = t.alias(), t.alias()
    first = select(func.min(each.c.role).label("role")).cte("each_role", recursive=True)
    after = select(func.min(before.c.role)).where(before.c.role > first.c.role)
    found = first.union_all(select(after.scalar_subquery()).where(first.c.role.is_not(None)))
    newest = select(func.max(t.c.version)).where(t.c.role == found.c.role).scalar_subquery()
    query = select(found.c.role, newest.label("version")).where(found.c.role.is_not(None))
    return query.subquery()


class Stored(Organisation):
    """The organisation in the database.

    Every method raises RowError where the newest row of a role is none that its holders signed.
    """

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows)
        self.rows = rows
        self._versions: dict[tuple[str, int], Head | None] = {}

    def _roots(self) -> tuple[Head, ...]:
        bodies = tuple(self.rows.metadata(roles.ROOT, n) for n in self.rows.versions(roles.ROOT))
        known = _ROOTS.get(bodies)
        if known is None:
            try:
                known = super()._roots()
            except RefusedError as bad:
                raise self._refused(roles.ROOT, bad) from bad
            _ROOTS.clear()
            _ROOTS[bodies] = known
        return known

    def head(self, role: str) -> Head:
        """The newest version of `role`, signed by those who hold it now."""
        try:
            found = super().head(role)
            self._check_number(role, found.version)
        except RefusedError as bad:
            raise self._refused(role, bad) from bad
        except NotFoundError:
            self._check_there(role)
            raise
        return found

    def verified(self, role: str, data: bytes) -> Head:
        """`data` as a version of `role`; what this process verified once, it knows."""
        owner = self.head(roles.delegator(role)).data
        known = _VERIFIED.get(role)
        if known is None or known[:2] != (owner, data):
            known = _VERIFIED[role] = (owner, data, super().verified(role, data))
        return known[2]

    def base(self, role: str) -> Head:
        """The newest version of `role`, were it signed by those who held it before.

        The next version follows it; what it says counts only if `head` gives it, too.
        """
        try:
            return self.head(role)
        except RowError as bad:
            newest = self.rows.newest(role)
            found = self.version(role, newest) if newest and bad.subject == role else None
            if found is None:
                raise
            return found

    def is_superseded(self, role: str) -> bool:
        """Whether others hold `role` since its newest version was signed."""
        if self.rows.newest(role) is None:
            return False
        base = self.base(role)
        try:
            return self.head(role) != base
        except RowError:
            return True

    def authentic(self, role: str) -> Iterator[Head]:
        """The versions of `role` that those signed who held it then, newest first."""
        for number in self.rows.versions(role):
            found = self.version(role, number)
            if found is not None:
                yield found

    def version(self, role: str, number: int) -> Head | None:
        """A version that those signed who held `role` by any version of its delegator.

        None where the database has none such.
        """
        if (role, number) not in self._versions:
            self._versions[role, number] = self._version(role, number)
        return self._versions[role, number]

    def _fleet_keys(self) -> FleetKeys:
        return _read_fleet_keys(self._present(roles.FLEET, documents.FLEET_KEYS_PATH))

    def compromised_people(self, team: str) -> Compromised:
        """The keys of those whom any version of the team's list called compromised."""
        return self.once(f"compromised in {team}", lambda: self._compromised_people(team))

    def _compromised_people(self, team: str) -> Compromised:
        role, path = roles.team_role(team), documents.members_path(team)
        lists = (documents.read_members(data, team) for data in self._naming(role, path))
        return union(people_of(role, one) for one in lists)

    def compromised_machines(self) -> Compromised:
        """The keys that any version of the fleet's list called compromised."""
        found = self._naming(roles.FLEET, documents.FLEET_KEYS_PATH)
        lists = (documents.read_fleet_keys(data) for data in found)
        return union(machines_of(roles.FLEET, one) for one in lists)

    def _naming(self, role: str, path: str) -> Iterator[bytes]:
        """The documents that any version of `role` listed, if they call a key compromised."""
        left = self.rows.bodies(path, b'"compromised"')  # few versions do
        for number in self.rows.versions(role) if left else ():
            if not left:
                return
            data = self.rows.metadata(role, number) or b""
            if not any(digest.encode() in data for digest in left):
                continue  # it lists none of them that another has not: spared being verified
            one = self.version(role, number)
            listed = one.targets.targets.get(path) if one else None
            if listed is not None and listed.hashes["sha256"] in left:
                yield left.pop(listed.hashes["sha256"])

    def compromised(self) -> Compromised:
        """The keys that any list of a team here, or the newest of other roles, calls compromised.

        What drafts go by: whoever signs remembers more, and a site, too.
        """
        return union(self.compromised_people(team) for team in self.teams)

    def freshness(self, role: str) -> Metadata[Any] | None:
        """The newest snapshot or timestamp, as the hub signed it; None if there is none."""
        data = self.rows.metadata(role)
        if data is None:
            self._check_there(role)
            return None
        try:
            read = read_spelled(data, role, FRESHNESS[role])
            check_signed(self.root.metadata.signed, role, read.metadata, read.payload)
            self._check_number(role, read.metadata.signed.version)
        except RefusedError as bad:
            raise self._refused(role, bad) from bad
        return read.metadata

    def _version(self, role: str, number: int) -> Head | None:
        if role == roles.ROOT:
            return next((one for one in self.roots if one.version == number), None)
        data, delegator = self.rows.metadata(role, number), roles.delegator(role)
        for owner in self.authentic(delegator) if data is not None else ():
            with suppress(RefusedError):
                found = verified_by(owner, role, data or b"")
                return found if found.version == number else None
        return None

    def _check_there(self, role: str) -> None:
        """Check that a role without a body has no version: a first one would take its number."""
        newest = self.rows.newest(role)
        if newest is not None and self.rows.metadata(role) is None:
            raise RowError(
                "row-missing",
                f"Version {newest} of {role}, its newest, is missing from the database: all that "
                "is left of it is its digest.",
                subject=role,
                next_step="Somebody changed the database, or it is damaged. See all that is wrong "
                "with it with: sealift audit fsck; then restore it from a backup.",
            )

    def _check_number(self, role: str, said: int) -> None:
        if said != self.rows.newest(role):
            raise RefusedError("metadata-version", f"It is version {said}.", subject=role)

    def _refused(self, role: str, bad: RefusedError) -> RefusedError:
        """`bad`, of the newest row of `role`, as somebody reads it who was about to go by it."""
        if isinstance(bad, RowError):
            return bad
        newest = self.rows.newest(role)
        # Root is its own delegator: to ask for its versions would be to read this one again.
        handed_on = role != roles.ROOT and newest is not None and self.version(role, newest)
        if handed_on:
            return RowError(
                "role-handed-on",
                f"Others hold {role} since its version {newest} was signed, and they have not "
                "signed it again: until they do, it counts for nothing.",
                subject=role,
                next_step=f"Have those who hold it now sign it: sealift renew {role}",
            )
        return RowError(
            "row-not-signed",
            f"Version {newest} of {role}, as the database has it, is not what its "
            f"holders signed: {bad.what}",
            subject=role,
            next_step="Somebody changed the database, or it is damaged. See all that is wrong with "
            "it with: sealift audit fsck; then restore it from a backup.",
        )


def stored(connection: Connection) -> Stored:
    """The organisation as `connection` sees it: read once, where it sees one state."""
    kept: dict[str, Any] | None = connection.get_execution_options().get(READING)
    if kept is None:
        return Stored(Rows(connection))
    found: Stored = kept.setdefault("stored", Stored(Rows(connection)))
    return found


def once_read(connection: Connection, name: str, make: Callable[[], T]) -> T:
    """What `make` reads through `connection`: read once, where that sees one state."""
    kept: dict[str, Any] | None = connection.get_execution_options().get(READING)
    if kept is None:
        return make()
    if name not in kept:
        kept[name] = make()
    found: T = kept[name]
    return found


@lru_cache(2)
def _read_fleet_keys(data: bytes) -> FleetKeys:
    """A list of machines by its bytes: a fleet of two thousand sites has one of megabytes."""
    return documents.read_fleet_keys(data)


_VERIFIED: dict[str, tuple[bytes, bytes, Head]] = {}
"""By role the newest version that was verified, with its delegator's: neither can change."""
_ROOTS: dict[tuple[bytes | None, ...], tuple[Head, ...]] = {}
