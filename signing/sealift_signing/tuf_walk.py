"""The TUF client workflow (specification §5) without I/O: it asks for bytes and is given bytes.

The walk is a generator. It yields `Need` (send the bytes of that role and version, or None if there
are none) and `Keep` (these bytes are verified). Whoever drives it decides where bytes come from and
what keeping means: a web server and a folder for the conformance suite, a quarantined copy and one
database transaction for a medium. It never opens anything and never looks at a clock.

What is stricter than TUF's letter, because a medium is not a server (DESIGN, "The walk"):
trusted roles are keyed by (delegator, name); thresholds count distinct keys and distinct people;
a keyid must be the one computed from its key; only one spelling of a file is read.
Rules about what our roles may say are in `roles` and `site_rules`, a layer above.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Generic, NoReturn, TypeVar, cast

from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import Signature
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError, MetadataDeserializer

from sealift_signing.canonical import check_values
from sealift_signing.compromised import NONE, Compromised, barred, entered_by
from sealift_signing.errors import (
    BadSignatureError,
    MalformedError,
    NoKeyError,
    NotSignedEnoughError,
    RefusedError,
)
from sealift_signing.public_key import PublicKey
from sealift_signing.vocabulary import moment, visible

S = TypeVar("S", Root, Timestamp, Snapshot, Targets)

LIMITS = {"root": 512_000, "timestamp": 16_384, "snapshot": 2_000_000, "targets": 5_000_000}
"""Bytes that are read of a role whose length nobody signed; delegated roles have targets' limit."""

LARGEST = 64 * 1024 * 1024
"""Bytes that are read of any role, whatever length was signed: a stolen online key signs that."""

MOST_ROOTS = 256
"""New roots that one visit follows (§5.3.9's bound against an endless chain)."""

PERSON_FIELD = "x-sealift-person"
"""On a key: whose it is. A threshold counts distinct people (DESIGN, "The walk")."""

LONGEST_NAME = 80
"""Characters of a role's name that an error shows; our own are shorter."""

_HEXADECIMAL = re.compile(r"(?:[0-9a-f]{2})*")


class ExpiredError(RefusedError):
    """Metadata that was right once and is too old now."""


class WentBackError(RefusedError):
    """Metadata older than what was already seen: a replay, or a restored backup."""


class MissingError(RefusedError):
    """Metadata that must be there is not."""


@dataclass(frozen=True)
class Need:
    """Send the bytes of this role; of this version, or of any if None; at most `limit` of them."""

    role: str
    version: int | None
    limit: int

    @property
    def file_name(self) -> str:
        """TUF's name of the file (specification §6.2 for the version prefix)."""
        prefix = "" if self.version is None else f"{self.version}."
        return f"{prefix}{self.role}.json"


@dataclass(frozen=True)
class Keep:
    """These bytes of this role are verified."""

    delegator: str
    role: str
    version: int
    data: bytes


@dataclass(frozen=True)
class Spelled(Generic[S]):
    """Metadata that was read from `data`; `payload` is what its signatures are of."""

    metadata: Metadata[S]
    data: bytes
    payload: bytes


Steps = Generator[Need | Keep, bytes | None, None]
RoleKey = tuple[str, str]


def drive(
    steps: Steps, fetch: Callable[[Need], bytes | None], keep: Callable[[Keep], None]
) -> None:
    """Run `steps` to their end, answering each need from `fetch` and handing on each keep."""
    answer: bytes | None = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration:
            return
        answer = None
        if isinstance(step, Need):
            answer = fetch(step)
        else:
            keep(step)


class Walk:
    """One visit: from a trusted root, and what was trusted before, to what is current at `now`.

    Args:
        root: the trusted root's bytes, verified when they were first trusted.
        before: metadata kept by earlier visits, by (delegator, role); never goes back behind it.
        now: the trusted time.
        check_expiry: False only to read recalls, which are honoured even when all has expired.
        compromised: what was ever called so. Such a key's signature counts for nothing that is new
            here; what was kept before stands.
        no_floor: roles of which an older version, or another of the same number, is taken too.
    """

    def __init__(
        self,
        root: bytes,
        before: Mapping[RoleKey, bytes],
        now: datetime,
        *,
        check_expiry: bool = True,
        compromised: Compromised = NONE,
        no_floor: Collection[str] = (),
    ) -> None:
        self.now = now
        self._compromised = compromised
        self._delegators: dict[str, str] = {}
        self._check_expiry = check_expiry
        self._no_floor = no_floor
        self._before = dict(before)
        self._trusted: dict[RoleKey, Metadata[Any]] = {
            ("root", "root"): read_metadata(root, "root", Root)
        }
        self._compromised |= entered_by("root", self.root)

    @property
    def root(self) -> Root:
        """The newest verified root."""
        return cast("Root", self._trusted["root", "root"].signed)

    @property
    def snapshot(self) -> Snapshot:
        """The verified snapshot; only after `top`."""
        return cast("Snapshot", self._trusted["root", "snapshot"].signed)

    @property
    def targets(self) -> Targets:
        """The verified top-level targets role; only after `top`."""
        return cast("Targets", self._trusted["root", "targets"].signed)

    def role(self, delegator: str, name: str) -> Targets:
        """The verified role `name` as `delegator` delegates it; only after it was walked."""
        return cast("Targets", self._trusted[delegator, name].signed)

    @property
    def compromised(self) -> Compromised:
        """What was known to be, and what the roles that were walked say of those below them."""
        return self._compromised

    def barred(self, role: str) -> frozenset[bytes]:
        """The keys that `role`, already walked, and the roles above it call compromised."""
        above = [role]
        while above[-1] in self._delegators:
            above.append(self._delegators[above[-1]])
        return barred(self._compromised, above)

    def versions(self) -> dict[RoleKey, int]:
        """The version of every verified role."""
        return {key: metadata.signed.version for key, metadata in self._trusted.items()}

    def top(self) -> Steps:
        """Walk root, timestamp, snapshot and targets (TUF specification §5.3 to §5.6)."""
        yield from self._roots()
        yield from self._timestamp()
        yield from self._snapshot()
        yield from self.delegated("root", "targets")

    def delegated(self, delegator: str, name: str) -> Steps:
        """Walk one targets role that `delegator`, already walked, delegates (§5.6)."""
        info = self.snapshot.meta.get(f"{name}.json")
        if info is None:
            raise MissingError(
                "role-missing",
                f"The snapshot does not list the role {name}.",
                subject=name,
                next_step="Have the hub export again.",
            )
        data = yield from _ask(Need(name, info.version, _limit(info, "targets")))
        _check_meta(data, info, name)
        read = read_spelled(data, name, Targets)
        metadata = read.metadata
        without = self._barred(delegator, name, data)
        check_signed(self._delegating(delegator), name, metadata, read.payload, without)
        if metadata.signed.version != info.version:
            raise _mismatch(name, metadata.signed.version, info.version)
        self._no_way_back(delegator, name, read)
        self._alive(metadata, name)
        self._trusted[delegator, name] = metadata
        self._delegators[name] = delegator
        self._compromised |= entered_by(name, metadata.signed)
        yield Keep(delegator, name, metadata.signed.version, data)

    def _roots(self) -> Steps:
        """§5.3: each root is signed by the keys of the one before it and by its own."""
        for _ in range(MOST_ROOTS):
            need = Need("root", self.root.version + 1, LIMITS["root"])
            data = yield need
            if data is None:
                break
            _check_length(data, need.role, need.limit)
            read = read_spelled(data, "root", Root)
            metadata = read.metadata
            without = self.barred("root")
            check_signed(self.root, "root", metadata, read.payload, without)
            check_signed(metadata.signed, "root", metadata, read.payload, without)
            if metadata.signed.version != need.version:
                raise _mismatch("root", metadata.signed.version, self.root.version + 1)
            self._trusted["root", "root"] = metadata
            self._compromised |= entered_by("root", self.root)
            yield Keep("root", "root", metadata.signed.version, data)
        else:
            raise RefusedError(
                "too-many-roots",
                f"There are more than {MOST_ROOTS} roots after the one that is trusted.",
                subject="root",
                next_step="Tell the hub's administrators; no organisation has so many.",
            )
        self._alive(self._trusted["root", "root"], "root")

    def _timestamp(self) -> Steps:
        """§5.4."""
        data = yield from _ask(Need("timestamp", None, LIMITS["timestamp"]))
        read = read_spelled(data, "timestamp", Timestamp)
        metadata = read.metadata
        without = self._barred("root", "timestamp", data)
        check_signed(self.root, "timestamp", metadata, read.payload, without)
        earlier = self._earlier("root", "timestamp", Timestamp)
        self._no_way_back("root", "timestamp", read)
        if earlier is not None:
            before, after = earlier.metadata.signed.snapshot_meta, metadata.signed.snapshot_meta
            if after.version < before.version:
                raise _went_back("snapshot", after.version, before.version)
        self._alive(metadata, "timestamp")
        self._trusted["root", "timestamp"] = metadata
        yield Keep("root", "timestamp", metadata.signed.version, data)

    def _snapshot(self) -> Steps:
        """§5.5."""
        timestamp = cast("Timestamp", self._trusted["root", "timestamp"].signed)
        info = timestamp.snapshot_meta
        data = yield from _ask(Need("snapshot", info.version, _limit(info, "snapshot")))
        _check_meta(data, info, "snapshot")
        read = read_spelled(data, "snapshot", Snapshot)
        metadata = read.metadata
        without = self._barred("root", "snapshot", data)
        check_signed(self.root, "snapshot", metadata, read.payload, without)
        if metadata.signed.version != info.version:
            raise _mismatch("snapshot", metadata.signed.version, info.version)
        earlier = self._earlier("root", "snapshot", Snapshot)
        if earlier is not None:
            check_listed(metadata.signed, earlier.metadata.signed, self._no_floor)
        self._no_way_back("root", "snapshot", read)
        self._alive(metadata, "snapshot")
        self._trusted["root", "snapshot"] = metadata
        yield Keep("root", "snapshot", metadata.signed.version, data)

    def _barred(self, delegator: str, role: str, data: bytes) -> frozenset[bytes]:
        """Whose signature does not count on `data`, which stands if it was kept before."""
        return (
            frozenset() if self._before.get((delegator, role)) == data else self.barred(delegator)
        )

    def _delegating(self, delegator: str) -> Root | Targets:
        walked = [metadata for (_, name), metadata in self._trusted.items() if name == delegator]
        if len(walked) != 1:
            # Two roles of one name: which of them delegates cannot be told by the name alone.
            msg = f"{delegator} was walked {len(walked)} times before what it delegates, not once"
            raise LookupError(msg)
        return cast("Root | Targets", walked[0].signed)

    def _earlier(self, delegator: str, role: str, kind: type[S]) -> Spelled[S] | None:
        """What an earlier visit kept, if the keys of today still vouch for it (§5.3.11)."""
        data = self._before.get((delegator, role))
        if data is None:
            return None
        read = read_spelled(data, role, kind)
        try:
            check_signed(self._delegating(delegator), role, read.metadata, read.payload)
        except RefusedError:
            return None
        return read

    def _no_way_back(self, delegator: str, role: str, read: Spelled[S]) -> None:
        kept = self._before.get((delegator, role))
        after = read.metadata.signed.version
        if role in self._no_floor or kept is None or kept == read.data or _says_less(kept, after):
            return  # whoever vouches for what was kept: this is no way back from it
        earlier = self._earlier(delegator, role, type(read.metadata.signed))
        if earlier is None:
            return
        before = earlier.metadata.signed.version
        if after < before:
            raise _went_back(role, after, before)
        if after == before and read.payload != earlier.payload:
            raise WentBackError(
                "role-forked",
                f"There are two different {role} files of version {after}: somebody signed twice.",
                subject=role,
                next_step="Keep this medium and tell the hub's administrators. A hub that was "
                "restored from a backup counts on by one with each role that is signed again "
                "there: sealift renew ROLE",
            )

    def _alive(self, metadata: Metadata[S], role: str) -> None:
        if self._check_expiry and metadata.signed.expires <= self.now:
            raise ExpiredError(
                "role-expired",
                f"The signature of {role} (version {metadata.signed.version}) expired at "
                f"{moment(metadata.signed.expires)}.",
                subject=role,
                next_step="Carry a newer bundle; what is installed keeps running.",
            )


class _NoFractions(MetadataDeserializer):
    """tuf's own reading, but for fractions, which no signature can be of."""

    def deserialize(self, raw_data: bytes) -> Metadata[Any]:
        """The metadata that `raw_data` spells."""
        try:
            text = raw_data.decode()
            found = json.loads(text, parse_float=_no_fraction, parse_constant=_no_fraction)
            return Metadata.from_dict(found)
        except Exception as bad:  # as tuf's: what a stranger's file makes of its types is open
            raise DeserializationError from bad


def _no_fraction(text: str) -> NoReturn:
    msg = f"{text} has no canonical spelling"
    raise ValueError(msg)


def read_metadata(data: bytes, role: str, kind: type[S]) -> Metadata[S]:
    """The metadata that `data` spells, its signatures not yet verified.

    Raises:
        MalformedError: not metadata of this kind, larger than any, or any spelling but tuf's own.
    """
    return read_spelled(data, role, kind).metadata


def read_spelled(data: bytes, role: str, kind: type[S]) -> Spelled[S]:
    """As `read_metadata`, with the bytes that its signatures are of.

    Raises:
        MalformedError: as `read_metadata`.
    """
    # Not every file comes by way of a `Need`: roots in an answer, recalls beside a bundle.
    _check_length(data, role, LIMITS[role] if role in {"root", "timestamp"} else LARGEST)
    check_values(data, what=f"The metadata of {role}")
    try:
        metadata = Metadata[S].from_bytes(data, _NoFractions())
        spelled, payload = _spell(metadata)
        _check_names(metadata.signed)
    except (
        RepositoryError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as bad:
        raise MalformedError(
            "metadata-unreadable", f"The metadata of {role} is not readable.", subject=role
        ) from bad
    if metadata.signed.type != kind.type:
        raise MalformedError(
            "metadata-of-other-kind",
            f"The metadata of {role} is of type {metadata.signed.type!r}.",
            subject=role,
        )
    if spelled != data or not _signatures_plain(metadata):
        raise MalformedError(
            "metadata-not-canonical",
            f"The metadata of {role} is not spelled as TUF's own writer spells it.",
            subject=role,
        )
    if not all(type(number) is int and number <= 2**53 for number in _numbers(metadata.signed)):
        # To Python `true` is a version, and to a reader in another language 2^53+1 is 2^53.
        raise MalformedError(
            "metadata-number",
            f"The metadata of {role} has a version, length or threshold that is no plain number.",
            subject=role,
        )
    return Spelled(metadata, data, payload)


def _spell(metadata: Metadata[S]) -> tuple[bytes, bytes]:
    """The file as tuf's own writer spells it (compact), and what its signatures are of.

    The latter is canonical JSON (specification §4.2.1), which differs from the file's only in what
    the file escapes; there are no fractions. tuf spells it in Python and piece by piece: for a
    role of 20,000 artifacts that took longer than to read it.
    """
    said = _compact(metadata.signed.to_dict())
    signatures = _compact([one.to_dict() for one in metadata.signatures.values()])
    payload = metadata.signed_bytes if b"\\" in said else said
    return b'{"signatures":%b,"signed":%b}' % (signatures, said), payload


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _signatures_plain(metadata: Metadata[S]) -> bool:
    """Whether nothing stands beside what is signed but signatures in lower-case hexadecimal."""
    return not metadata.unrecognized_fields and all(
        _HEXADECIMAL.fullmatch(str(one.signature)) and not one.unrecognized_fields
        for one in metadata.signatures.values()
    )


def _check_names(signed: Root | Timestamp | Snapshot | Targets) -> None:
    """Check that what a targets role delegates bears a name, which the library does not ask.

    Raises:
        TypeError: a number, say, where everybody after us expects a string.
    """
    delegations = signed.delegations if isinstance(signed, Targets) else None
    delegated = (delegations.roles or {}) if delegations else {}
    if not all(isinstance(name, str) for name in delegated):
        msg = "a delegated role whose name is no string"
        raise TypeError(msg)


def _numbers(signed: Root | Timestamp | Snapshot | Targets) -> Iterator[object]:
    """Every number that means something in `signed`."""
    yield signed.version
    if isinstance(signed, Timestamp | Snapshot):
        listed = [signed.snapshot_meta] if isinstance(signed, Timestamp) else signed.meta.values()
        for info in listed:
            yield info.version
            yield 0 if info.length is None else info.length
    elif isinstance(signed, Root):
        yield from (spec.threshold for spec in signed.roles.values())
    else:
        yield from (target.length for target in signed.targets.values())
        delegated = signed.delegations.roles if signed.delegations else None
        yield from (spec.threshold for spec in (delegated or {}).values())


def check_signed(
    delegator: Root | Targets,
    role: str,
    metadata: Metadata[S],
    payload: bytes | None = None,
    without: frozenset[bytes] = frozenset(),
) -> None:
    """Check that enough distinct keys of distinct people signed `metadata` (§5.3.4 and alike).

    `payload` is what its signatures are of, where that was spelled out already; `without` are the
    raw keys whose signatures do not count, since they were called compromised.

    Raises:
        BadSignatureError: too few, and one that counts is wrong.
        NotSignedEnoughError: too few, and all that count are right.
        NoKeyError: signed by nobody whom the delegator names, or no such role.
    """
    try:
        spec = delegator.get_delegated_role(role)
    except ValueError as bad:
        raise NoKeyError(
            "no-key", f"Nothing that is trusted delegates the role {role}.", subject=role
        ) from bad
    # Spelled out once: a file may bear thousands of signatures.
    payload = metadata.signed_bytes if payload is None else payload
    good, wrong = _count(delegator, spec.keyids, metadata.signatures, payload, role)
    lost = {raw for raw, _ in good} & without
    good = {(raw, person) for raw, person in good if raw not in lost}
    people = {person for _, person in good}
    count = min(len({raw for raw, _ in good}), len(people))
    if count >= spec.threshold:
        return
    if wrong:
        raise _bad_signature(role)
    if not good and not lost:
        raise NoKeyError("no-key", f"No key that is trusted for {role} signed it.", subject=role)
    raise NotSignedEnoughError(
        "not-signed-enough",
        f"{role} is signed by {count} of the {spec.threshold} people it needs"
        f"{', others by keys that were called compromised' if lost else ''}.",
        subject=role,
    )


def signed_by(
    delegator: Root | Targets, role: str, metadata: Metadata[S], payload: bytes | None = None
) -> frozenset[str]:
    """The ids of the keys of `role` whose signatures on `metadata` are right.

    Raises:
        BadSignatureError: one of the role's keys bears a wrong signature, even if others suffice.
    """
    spec = delegator.get_delegated_role(role)
    payload = metadata.signed_bytes if payload is None else payload
    found = set()
    for keyid in spec.keyids:
        good, wrong = _count(delegator, [keyid], metadata.signatures, payload, role)
        if wrong:
            raise _bad_signature(role)
        if good:
            found.add(keyid)
    return frozenset(found)


def _count(
    delegator: Root | Targets,
    keyids: list[str],
    signatures: Mapping[str, Signature],
    payload: bytes,
    role: str,
) -> tuple[set[tuple[bytes, str]], int]:
    """(raw key, person) of each right signature, and how many were wrong."""
    good = set()
    wrong = 0
    for keyid in keyids:
        if keyid not in signatures:
            continue
        try:
            key = delegator.get_key(keyid)
        except ValueError:
            continue  # the role names a key that its delegator does not hold: nobody's
        public = PublicKey.from_tuf(key)
        if public.keyid != keyid:
            raise MalformedError(
                "keyid-not-computed",
                f"A key of {role} bears an id that is not the one computed from it.",
                subject=keyid,
            )
        if public.fault:
            continue  # anybody can sign for it: nobody's
        try:
            key.verify_signature(signatures[keyid], payload)
        except (UnverifiedSignatureError, VerificationError):
            wrong += 1
            continue
        person = str(key.unrecognized_fields.get(PERSON_FIELD, public.text))
        good.add((public.raw, person))
    return good, wrong


def _bad_signature(role: str) -> BadSignatureError:
    return BadSignatureError(
        "bad-signature",
        f"The signature on {role} is wrong: the bytes were changed, or another key made it.",
        subject=role,
        next_step="Do not use this medium; have the bundle copied or exported again.",
    )


def _says_less(kept: bytes, version: int) -> bool:
    """Whether `kept`, which was verified when it was kept, is of a lower version.

    Only that: to read all of a large role and to verify it again takes ten times as long.
    """
    try:
        return bool(json.loads(kept)["signed"]["version"] < version)
    except (ValueError, KeyError, TypeError):
        return False  # the full check says what became of it


def _limit(info: MetaFile, role: str) -> int:
    return min(info.length or LIMITS[role], LARGEST)


def _ask(need: Need) -> Generator[Need | Keep, bytes | None, bytes]:
    """The bytes that `need` asks for, which must be there and no longer than asked for."""
    data = yield need
    if data is None:
        numbered = "" if need.version is None else f" of version {need.version}"
        raise MissingError(
            "metadata-missing",
            f"The metadata of {need.role}{numbered} is missing.",
            subject=need.role,
            next_step="Copy the whole bundle again.",
        )
    _check_length(data, need.role, need.limit)
    return data


def _check_length(data: bytes, role: str, limit: int) -> None:
    if len(data) > limit:
        raise MalformedError(
            "too-large", f"The metadata of {role} is larger than {limit:,} bytes.", subject=role
        )


def check_listed(after: Snapshot, before: Snapshot, no_floor: Collection[str] = ()) -> None:
    """Check that what the snapshot listed it still lists, at no lower version (§5.5.5).

    Roles of `no_floor` need only be listed.

    Raises:
        WentBackError: a role vanished or went back.
    """
    for name, seen in before.meta.items():
        role = visible(name.removesuffix(".json"))[:LONGEST_NAME]  # any text, to TUF
        listed = after.meta.get(name)
        if listed is None:
            raise WentBackError(
                "role-vanished",
                f"The snapshot no longer lists {role}; it once did.",
                subject=role,
                next_step="Keep this medium and tell the hub's administrators.",
            )
        if listed.version < seen.version and role not in no_floor:
            raise _went_back(role, listed.version, seen.version)


def _check_meta(data: bytes, info: MetaFile, role: str) -> None:
    right = info.length is None or info.length == len(data)
    if info.hashes is not None:
        right = right and info.hashes.get("sha256") == sha256(data).hexdigest()
    if not right:
        raise BadSignatureError(
            "metadata-differs",
            f"The metadata of {role} is not the file that was signed for.",
            subject=role,
        )


def _mismatch(role: str, found: int, wanted: int) -> RefusedError:
    return RefusedError(
        "metadata-version",
        f"The metadata of {role} says version {found} where version {wanted} belongs.",
        subject=role,
        next_step="Have it copied or exported again; if it stays so, check the "
        "hub: sealift audit fsck",
    )


def _went_back(role: str, found: int, seen: int) -> WentBackError:
    return WentBackError(
        "role-went-back",
        f"{role} is at version {found} here; version {seen} was already seen.",
        subject=role,
        next_step="Use a newer bundle; an older one is never taken again.",
    )
