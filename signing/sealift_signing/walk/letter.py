"""TUF's client workflow (specification §5) without I/O: it asks for bytes and is given bytes.

The walk is a generator. It yields `Need` (send the bytes of that role and version, or None if there
are none) and `Keep` (these bytes are verified). Whoever drives it decides where bytes come from and
what keeping means: a web server and a folder for the conformance suite, a quarantined copy and one
database transaction for a medium. It never opens anything and never looks at a clock.

With no rules it is TUF to the letter, but that trusted roles are keyed by (delegator, name), which
TUF leaves open. There is no default for the rules: nobody walks without them by leaving them out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Mapping
from datetime import datetime
from typing import Any, cast

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

from sealift_signing import clock
from sealift_signing.errors import RefusedError
from sealift_signing.vocabulary import moment, visible
from sealift_signing.walk.counting import check_signed
from sealift_signing.walk.layer import Rules
from sealift_signing.walk.reading import check_length, read
from sealift_signing.walk.steps import (
    LARGEST,
    LIMITS,
    ExpiredError,
    Keep,
    MissingError,
    Need,
    RoleKey,
    S,
    Spelled,
    Steps,
    WentBackError,
    differs,
    went_back,
)

LONGEST_NAME = 80
"""Characters of a role's name that an error shows; our own are shorter."""


class LetterWalk:
    """One visit: from a trusted root, and what was trusted before, to what is current at `now`.

    Args:
        root: the trusted root's bytes, verified when they were first trusted.
        before: metadata kept by earlier visits, by (delegator, role); never goes back behind it.
        now: the trusted time.
        rules: what is asked beyond the letter.
        most_roots: new roots that are followed (§5.3.9).
        check_expiry: False only to read recalls, which are honoured even when all has expired.
        no_floor: roles of which an older version, or another of the same number, is taken too.
    """

    def __init__(
        self,
        root: bytes,
        before: Mapping[RoleKey, bytes],
        now: datetime,
        *,
        rules: Rules,
        most_roots: int,
        check_expiry: bool = True,
        no_floor: Collection[str] = (),
    ) -> None:
        self.now = now
        self._rules = rules
        self._most_roots = most_roots
        self._check_expiry = check_expiry
        self._no_floor = no_floor
        self._before = dict(before)
        self._delegators: dict[str, str] = {}
        self._trusted: dict[RoleKey, Metadata[Any]] = {}
        self._trust("root", "root", read(root, "root", Root, rules).metadata)

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
        self._check_meta(data, info, name)
        found = read(data, name, Targets, self._rules)
        self._check_signed(delegator, name, found)
        if found.metadata.signed.version != info.version:
            raise _mismatch(name, found.metadata.signed.version, info.version)
        self._check_follows(delegator, name, found)
        self._alive(found.metadata, name)
        self._delegators[name] = delegator
        self._trust(delegator, name, found.metadata)
        yield Keep(delegator, name, found.metadata.signed.version, data)

    def _roots(self) -> Steps:
        """§5.3: each root is signed by the keys of the one before it and by its own."""
        for _ in range(self._most_roots):
            need = Need("root", self.root.version + 1, LIMITS["root"])
            data = yield need
            if data is None:
                break
            check_length(data, need.role, need.limit)
            found = read(data, "root", Root, self._rules)
            self._check_signed("root", "root", found)
            self._check_signed("root", "root", found, by=found.metadata.signed)
            if found.metadata.signed.version != need.version:
                raise _mismatch("root", found.metadata.signed.version, self.root.version + 1)
            self._trust("root", "root", found.metadata)
            yield Keep("root", "root", found.metadata.signed.version, data)
        else:
            raise RefusedError(
                "too-many-roots",
                f"There are more than {self._most_roots} roots after the one that is trusted.",
                subject="root",
                next_step="Tell the hub's administrators; no organisation has so many.",
            )
        self._alive(self._trusted["root", "root"], "root")

    def _timestamp(self) -> Steps:
        """§5.4."""
        data = yield from _ask(Need("timestamp", None, LIMITS["timestamp"]))
        found = read(data, "timestamp", Timestamp, self._rules)
        self._check_signed("root", "timestamp", found)
        earlier = self._earlier("root", "timestamp", Timestamp)
        self._check_follows("root", "timestamp", found)
        if earlier is not None:
            before, after = earlier.metadata.signed, found.metadata.signed
            if after.version < before.version:
                raise went_back("timestamp", after.version, before.version)
            if after.version == before.version and found.payload != earlier.payload:
                found = earlier  # §5.4.3.1: the one that is trusted stays
                after = before
            if after.snapshot_meta.version < before.snapshot_meta.version:
                raise went_back(
                    "snapshot", after.snapshot_meta.version, before.snapshot_meta.version
                )
        self._alive(found.metadata, "timestamp")
        self._trust("root", "timestamp", found.metadata)
        yield Keep("root", "timestamp", found.metadata.signed.version, found.data)

    def _snapshot(self) -> Steps:
        """§5.5."""
        timestamp = cast("Timestamp", self._trusted["root", "timestamp"].signed)
        info = timestamp.snapshot_meta
        data = yield from _ask(Need("snapshot", info.version, _limit(info, "snapshot")))
        self._check_meta(data, info, "snapshot")
        found = read(data, "snapshot", Snapshot, self._rules)
        self._check_signed("root", "snapshot", found)
        if found.metadata.signed.version != info.version:
            raise _mismatch("snapshot", found.metadata.signed.version, info.version)
        earlier = self._earlier("root", "snapshot", Snapshot)
        if earlier is not None:
            check_listed(found.metadata.signed, earlier.metadata.signed, self._no_floor)
        self._check_follows("root", "snapshot", found)
        self._alive(found.metadata, "snapshot")
        self._trust("root", "snapshot", found.metadata)
        yield Keep("root", "snapshot", found.metadata.signed.version, data)

    def _trust(self, delegator: str, role: str, metadata: Metadata[Any]) -> None:
        """Remember what was verified; a layer that notes something of it overrides this."""
        self._trusted[delegator, role] = metadata

    def _lost(self, delegator: str, role: str, data: bytes) -> frozenset[bytes]:
        """The raw keys whose signatures on `data` do not count; none, by TUF's letter."""
        del delegator, role, data
        return frozenset()

    def _check_signed(
        self, delegator: str, role: str, found: Spelled[S], by: Root | Targets | None = None
    ) -> None:
        owner = self._delegating(delegator) if by is None else by
        without = self._lost(delegator, role, found.data)
        check_signed(
            owner, role, found.metadata, self._rules, payload=found.payload, without=without
        )

    def _check_meta(self, data: bytes, info: MetaFile, role: str) -> None:
        if info.hashes is not None:
            for rule in self._rules:
                rule.check_hashes(info.hashes, role)
        try:
            info.verify_length_and_hashes(data)
        except LengthOrHashMismatchError as bad:
            raise differs(role) from bad

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
        found = read(data, role, kind, self._rules)
        owner = self._delegating(delegator)
        try:
            check_signed(owner, role, found.metadata, self._rules, payload=found.payload)
        except RefusedError:
            return None
        return found

    def _check_follows(self, delegator: str, role: str, found: Spelled[S]) -> None:
        kept = self._before.get((delegator, role))
        after = found.metadata.signed.version
        if role in self._no_floor or kept is None or kept == found.data or _says_less(kept, after):
            return  # whoever vouches for what was kept: this is no way back from it
        earlier = self._earlier(delegator, role, type(found.metadata.signed))
        if earlier is not None:
            for rule in self._rules:
                rule.check_follows(earlier, found, role)

    def _alive(self, metadata: Metadata[S], role: str) -> None:
        if self._check_expiry and metadata.signed.expires <= self.now:
            raise ExpiredError(
                "role-expired",
                f"The signature of {role} (version {metadata.signed.version}) expired at "
                f"{moment(metadata.signed.expires)}; here it is {moment(self.now)}.",
                subject=role,
                next_step=clock.after_expiry(metadata.signed.expires),
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
    check_length(data, need.role, need.limit)
    return data


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
            raise went_back(role, listed.version, seen.version)


def _mismatch(role: str, found: int, wanted: int) -> RefusedError:
    return RefusedError(
        "metadata-version",
        f"The metadata of {role} says version {found} where version {wanted} belongs.",
        subject=role,
        next_step="Have it copied or exported again; if it stays so, check the "
        "hub: sealift audit fsck",
    )
