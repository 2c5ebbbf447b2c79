"""Whether all that is stored of the repository was signed, descends, and is what the log says.

Reading (`stored`) looks at the newest version of each role, and refuses. Here every version and
every document is looked at, and everything that is wrong is named: a row that nobody signed, a gap
where a version was deleted, two that know nothing of each other.

Of what the hub signs by itself, superseded bodies are pruned (`keeping`). Their digests are there,
and are compared with what the log says was published; a newest version without a body is a fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, select
from tuf.api.metadata import Root, Targets

from sealift_registry.audit.tables import log_entry
from sealift_registry.storage.queries import all_rows
from sealift_registry.trust.signatures import holders, strays
from sealift_registry.trust.stored import FRESHNESS, Rows, Stored, newest_of, versions_of
from sealift_registry.trust.tables import tuf_metadata, tuf_online, tuf_online_body
from sealift_signing import roles, version_links
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError, SealiftError
from sealift_signing.organisation import Head
from sealift_signing.transparency.entry import read_entry
from sealift_signing.transparency.verdict import LogFault, apart
from sealift_signing.tuf_walk import check_signed, read_spelled

SNAPSHOT_FILE = f"{roles.SNAPSHOT}.json"


class Logged(NamedTuple):
    """A version that an entry of the log says was published."""

    seq: int
    role: str
    version: int
    digest: str


def check(connection: Connection) -> Iterator[LogFault]:
    """Everything that is wrong with the stored metadata and documents."""
    organisation = Stored(Rows(connection))
    try:
        _ = organisation.roots
    except SealiftError as bad:
        yield LogFault(bad.code, bad.what, None)
        return  # without it nothing can be said of anything else
    found: dict[str, dict[int, str]] = {}
    listed: set[tuple[str, str]] = set()
    yield from apart("The places of versions", _check_places(connection))
    for role in organisation.rows.roles():
        found[role] = {}
        one = _check_role(organisation, role, found[role], listed)
        yield from apart(f"The role {word(role)}", one)
    yield from apart("The documents", _check_documents(organisation, listed))
    yield from apart("What was published", _check_logged(found, _logged(connection)))
    yield from apart("The newest snapshot", _check_snapshot(organisation))


def _check_role(
    organisation: Stored, role: str, found: dict[int, str], listed: set[tuple[str, str]]
) -> Iterator[LogFault]:
    """Every version of a role; their digests go to `found`, and what they list to `listed`."""
    if roles.is_online(role):
        yield from _check_online(organisation, role, found)
        yield from _check_signatures(organisation, role)
        return
    versions: list[Head] = []
    yield from _check_signatures(organisation, role)
    for number in sorted(organisation.rows.versions(role)):
        one = organisation.version(role, number)
        if one is None:
            yield _unsigned(role, number)
        else:
            versions.append(one)
            found[number] = one.digest
    yield from _check_descent(role, versions)
    yield from _check_listed(organisation, role, versions, listed)


def _check_documents(organisation: Stored, listed: set[tuple[str, str]]) -> Iterator[LogFault]:
    for path, digest in organisation.rows.documents():
        if (path, digest) not in listed:
            what = f"The document {path} ({digest[:12]}) is listed by no version that was signed."
            yield LogFault("document-not-listed", what, None)


def pruned(connection: Connection) -> int:
    """How many versions that the hub signed by itself have made room for newer ones."""
    every = select(func.count()).select_from(tuf_online)
    there = and_(
        tuf_online.c.role == tuf_online_body.c.role,
        tuf_online.c.version == tuf_online_body.c.version,
    )
    kept = every.join(tuf_online_body, there)
    return int(
        connection.execute(select(every.scalar_subquery() - kept.scalar_subquery())).scalar_one()
    )


def _check_signatures(organisation: Stored, role: str) -> Iterator[LogFault]:
    """Every signature is right, and of somebody who held the role by any word of its delegator.

    A version counts by those that are; another beside them makes people believe that somebody
    signed who did not.
    """
    above = roles.delegator(role)
    owners = organisation.roots if above == roles.ROOT else tuple(organisation.authentic(above))
    held = holders([one.metadata.signed for one in owners], role)
    kind = FRESHNESS.get(role, Root if role == roles.ROOT else Targets)
    for number in organisation.rows.kept(role):
        try:
            data = organisation.rows.metadata(role, number) or b""
            found = strays(read_spelled(data, role, kind).metadata, held)
        except RefusedError:
            continue  # it is named as signed by nobody
        for one in found:
            key = one.keyid[:12]
            yield LogFault(
                "signature-stray",
                f"Version {number} of {role}: the signature by {one.person} ({key}) is wrong."
                if one.person
                else f"Version {number} of {role} bears the signature of nobody who held it "
                f"({key}).",
                None,
            )


def _check_online(organisation: Stored, role: str, found: dict[int, str]) -> Iterator[LogFault]:
    """Every version that the hub signed by itself is noted, and none is missing.

    What is kept is signed by a key that somebody gave the hub, and has the digest that is noted;
    the newest is kept. The digests go to `found`: of those that are kept, as they are.
    """
    rows, below = organisation.rows, 0
    digests, kept = rows.digests(role), set(rows.kept(role))
    for number in sorted(kept - digests.keys()):
        what = f"A version {number} of {role} is kept, and nothing says that there is one."
        yield LogFault("version-not-noted", what, None)
    for number in sorted(digests):
        digest = _online_digest(organisation, role, number) if number in kept else digests[number]
        if digest is None:
            yield _unsigned(role, number)
        elif number != below + 1:
            yield _gap(role, below, number)
        below = number
        if digest is None:
            continue
        found[number] = digest
        if digest != digests[number]:
            what = f"Version {number} of {role} is another one than is noted under that number."
            yield LogFault("version-differs", what, None)
    for number in sorted(kept & digests.keys() - {below}):
        what = f"Version {number} of {role} is kept, and made room for a newer one before."
        yield LogFault("version-superseded", what, None)
    if digests and below not in kept:
        what = f"Version {below} of {role}, its newest, is missing: its digest is left."
        yield LogFault("version-missing", what, None)


def _online_digest(organisation: Stored, role: str, number: int) -> str | None:
    """The digest of a version whose body is there; None where nobody signed it who might."""
    if role in FRESHNESS:
        return _fresh_digest(organisation, role, number)
    one = organisation.version(role, number)
    return one.digest if one else None


def _fresh_digest(organisation: Stored, role: str, number: int) -> str | None:
    for root in reversed(organisation.roots):
        with suppress(RefusedError):
            data = organisation.rows.metadata(role, number) or b""
            read = read_spelled(data, role, FRESHNESS[role])
            check_signed(root.metadata.signed, role, read.metadata, read.payload)
            right = read.metadata.signed.version == number
            return sha256(read.payload).hexdigest() if right else None
    return None


def _check_places(connection: Connection) -> Iterator[LogFault]:
    """No row lies where it is not looked for: it would be passed over in silence."""
    for t in (tuf_metadata, tuf_online, tuf_online_body):
        mine = tuf_metadata if t is tuf_metadata else tuf_online
        for row in connection.execute(select(newest_of(t))):
            if versions_of(row.role) is not mine:
                what = f"{t.name} holds {row.role}, which does not belong there."
                yield LogFault("row-misplaced", what, None)


def _check_snapshot(organisation: Stored) -> Iterator[LogFault]:
    """What the newest snapshot lists, and the newest timestamp names, is the newest of each role.

    Together they say so of what no entry of the log names.
    """
    numbers = organisation.rows.newest_numbers()
    with suppress(SealiftError):  # it was named as signed by nobody, or missing
        snapshot = organisation.freshness(roles.SNAPSHOT)
        timestamp = organisation.freshness(roles.TIMESTAMP)
        listed = {} if timestamp is None else {SNAPSHOT_FILE: timestamp.signed.snapshot_meta}
        listed |= {} if snapshot is None else snapshot.signed.meta
        for name, one in sorted(listed.items()):
            role = name.removesuffix(".json")
            if one.version != numbers.get(role):
                what = (
                    f"The newest version of {role} is {numbers.get(role, 'missing')} here, and "
                    f"{one.version} by what the hub signed last."
                )
                yield LogFault("version-not-newest", what, None)


def _check_descent(role: str, versions: Iterable[Head]) -> Iterator[LogFault]:
    """Each follows the one below it: by its number, or as it says by what it signed."""
    below: Head | None = None
    for one in versions:
        number = below.version if below else 0
        past = one.follows
        if past is None:
            if one.version != number + 1:
                yield _gap(role, number, one.version)
        elif below is None or past.version > number:
            yield _gap(role, number, one.version)
        elif _skips(role, one.version, past):
            what = f"Version {one.version} of {role} leaves out numbers that nobody set aside."
            yield LogFault("role-skipped", what, None)
        elif past.predecessor != below.named and below.named not in past.set_aside:
            what = (
                f"Version {one.version} of {role} was made without knowledge of {below.named}: "
                f"it follows {past.predecessor}."
            )
            yield LogFault("role-forked", what, None)
        below = one


def _skips(role: str, version: int, past: version_links.Follows) -> bool:
    try:
        version_links.check_accounted(role, version, past)
    except version_links.SkippedError:
        return True
    return False


def _check_listed(
    organisation: Stored, role: str, versions: Iterable[Head], listed: set[tuple[str, str]]
) -> Iterator[LogFault]:
    """What each version lists is stored, byte for byte; it is added to `listed`."""
    if role == roles.ROOT or roles.kind(role) == roles.CATALOG:
        return  # artifacts are blobs
    for one in versions:
        for path, target in one.targets.targets.items():
            digest = target.hashes["sha256"]
            if (path, digest) in listed:
                continue
            listed.add((path, digest))
            data = organisation.rows.document(path, digest)
            if data is None or sha256(data).hexdigest() != digest:
                said = "is missing" if data is None else "was changed"
                what = f"{path} {said}, as version {one.version} of {role} lists it."
                yield LogFault(f"document-{said.split()[1]}", what, None)


def _logged(connection: Connection) -> Iterator[Logged]:
    """The versions that the log says were published, oldest first."""
    query = select(log_entry.c.seq, log_entry.c.body).order_by(log_entry.c.seq)
    for row in all_rows(connection, query):
        seq, body = row.seq, row.body
        if b'"published"' not in body:
            continue
        # The check of the log itself names what is no entry, and a member that nobody committed.
        with suppress(SealiftError, KeyError, TypeError):
            data = read_entry(bytes(body)).data
            said: Any = data.get("published") if isinstance(data, Mapping) else None
            for one in said if isinstance(said, list | tuple) else ():
                yield Logged(seq, one["role"], one["version"], one["sha256"])


def _check_logged(
    found: Mapping[str, Mapping[int, str]], logged: Iterable[Logged]
) -> Iterator[LogFault]:
    """What the log says was published is there, and there is nothing newer."""
    newest: dict[str, int] = {}
    for one in logged:
        newest[one.role] = max(one.version, newest.get(one.role, 0))
        there = found.get(one.role, {}).get(one.version)
        if there != one.digest:
            is_what = "is missing" if there is None else "is not the one that was published"
            what = f"Version {one.version} of {one.role} {is_what}, by entry {one.seq} of the log."
            yield LogFault("version-missing" if there is None else "version-differs", what, one.seq)
    for role, number in newest.items():
        if roles.kind(role) == roles.CATALOG:
            continue  # of very many that the hub renews at once, the entry does not name all
        for version in found.get(role, {}):
            if version > number:
                what = f"Version {version} of {role} was published by no entry of the log."
                yield LogFault("version-not-logged", what, None)


def _unsigned(role: str, number: int) -> LogFault:
    what = f"Version {number} of {role} is not signed by anybody who held the role."
    return LogFault("row-not-signed", what, None)


def _gap(role: str, below: int, above: int) -> LogFault:
    what = f"Between version {below} and version {above} of {role} at least one is missing."
    return LogFault("version-gap", what, None)
