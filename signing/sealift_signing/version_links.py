"""Versions descend: each version of a role that people sign names the one it follows.

Numbers alone do not say that a version was made with knowledge of the one before it: whoever offers
people an old base gets a properly signed version in which a removal never happened. So version N
names, within what is signed, the *digest* and the *link* of its predecessor and what it sets aside.
A link is the sha256 over just these values. Whoever holds an older version follows the links from
the new one down to it; for each version that they missed, a few values travel and not its file.

    link(N) = sha256(canonical JSON of N's `x-sealift-follows`)

The first version with a link starts the chain; below it, a version's number is all there is.
Pure: values in, an answer or a refusal out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, ClassVar, Literal, cast

from tuf.api.metadata import Metadata, Root, Targets

from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.floors import RECALL
from sealift_signing.tuf_walk import MissingError, WentBackError
from sealift_signing.vocabulary import RoleName, Sha256, VersionNumber

FIELD = "x-sealift-follows"
"""The member of a role's signed part that holds its `Follows`."""

_MEMBER = f'"{FIELD}":'.encode()

MOST = 80_000
"""Versions that a lineage may have: a version an hour for nine years.

A document of so many is read (`canonical.MOST_VALUES`, six for each), and a tenth of it is left."""


class ForkedError(RefusedError):
    """Two versions of a role, neither of which knew of the other."""


@dataclass(frozen=True, order=True)
class VersionId:
    """A version of a role by its number and its digest, the sha256 of what was signed."""

    version: VersionNumber
    digest: Sha256

    def __str__(self) -> str:
        """As sentences name it: `version 7 (1f2e3d4c5b6a)`."""
        return f"version {self.version} ({self.digest[:12]})"


@dataclass(frozen=True)
class Follows:
    """What a version says of its past.

    Attributes:
        version: the number of its predecessor.
        digest: the digest of its predecessor.
        link: the link of its predecessor; None where that had none, so that the chain starts here.
        set_aside: other versions of the role that are not to count: given up, or published and
            lost, or two of one number.
    """

    version: VersionNumber
    digest: Sha256
    link: Sha256 | None
    set_aside: tuple[VersionId, ...]

    @property
    def predecessor(self) -> VersionId:
        """The version that this one was made from."""
        return VersionId(self.version, self.digest)


@dataclass(frozen=True)
class Lineage:
    """How the past of a role travels: what each version below its newest says of its own.

    It is signed by nobody: from the newest version's link follows whether it is true.

    Attributes:
        versions: newest first, down to where the chain starts or as far as whoever wrote it knew.
    """

    DOCUMENT: ClassVar[str] = "lineage"

    format: Literal[1]
    requires: tuple[str, ...]
    role: RoleName
    versions: tuple[Follows, ...]


class SkippedError(RefusedError):
    """A version that leaves out numbers which nobody set aside."""


@dataclass(frozen=True)
class Descent:
    """How a newer version comes from one that somebody holds.

    Attributes:
        set_aside: by what the held version was set aside; None where it is an ancestor.
        by_number: the chain starts above the held version, so its number is all that was compared.
    """

    set_aside: int | None = None
    by_number: bool = False


def has_links(role: str) -> bool:
    """Whether people sign `role`; the hub's own roles go by numbers."""
    return role not in {"snapshot", "timestamp"} and not role.startswith("catalog.")


def digest(metadata: Metadata[Any]) -> str:
    """The digest of a version: the sha256 of the bytes that its signatures are of."""
    return sha256(metadata.signed_bytes).hexdigest()


def named(metadata: Metadata[Any]) -> VersionId:
    """A version's number and digest."""
    return VersionId(metadata.signed.version, digest(metadata))


def follows_of(signed: Root | Targets) -> Follows | None:
    """What a version says of its past; None where it is from before links, or is version 1.

    Raises:
        MalformedError: it says it in another shape, or follows a version that is not below it.
    """
    said = signed.unrecognized_fields.get(FIELD)
    if said is None:
        return None
    what = f"what version {signed.version} says that it follows"
    if not isinstance(said, Mapping):
        raise MalformedError(
            "bad-shape",
            f"{what} is not an object.",
            subject=FIELD,
            next_step="Have its holders sign it again, drafted by this version of Sealift.",
        )
    found = shape.from_json(Follows, cast("Mapping[str, Json]", said), what=what)
    # A root's number cannot be skipped, so it alone sets another of its own number aside.
    most = signed.version if signed.type == Root.type else signed.version - 1
    if found.version >= signed.version or any(one.version > most for one in found.set_aside):
        raise MalformedError(
            "follows-itself",
            f"Version {signed.version} says that it follows or sets aside a version that is not "
            "below it.",
            subject=FIELD,
            next_step="Have its holders sign it again, drafted by this version of Sealift.",
        )
    return found


def follows_linked(data: bytes, wanted: str) -> Follows | None:
    """What the file `data` says of its past, if it is what `wanted` is the link of; else None.

    Nothing else in the file is looked at. A link is of the values, wherever they were found, so
    that the file need not be read whole: a role of a hundred teams takes a hundred times as long.
    """
    start = data.rfind(_MEMBER)
    found = _spelled_there(data[start + len(_MEMBER) :]) if start >= 0 else None
    return found if found is not None and link(found) == wanted else None


def _spelled_there(text: bytes) -> Follows | None:
    """The value that `text` begins with, if it is a `Follows`."""
    try:
        value, _ = json.JSONDecoder().raw_decode(text.decode())
        return shape.from_json(Follows, value, what=FIELD) if isinstance(value, dict) else None
    except (ValueError, RecursionError, RefusedError):
        return None


@lru_cache(maxsize=10_000)  # of each version it is asked again by every step that follows a past
def link(follows: Follows | None) -> str | None:
    """The link of a version that says this of its past; None where it says nothing."""
    return None if follows is None else sha256(shape.write(follows)).hexdigest()


def following(before: Metadata[Any], set_aside: Iterable[VersionId] = ()) -> Follows:
    """What the version that is made from `before` says of its past."""
    past = follows_of(before.signed)
    aside = tuple(sorted(set(set_aside)))
    return Follows(before.signed.version, digest(before), link(past), aside)


def write_follows(signed: Root | Targets, follows: Follows) -> None:
    """Have `signed`, which is about to be signed, name what it follows."""
    signed.unrecognized_fields[FIELD] = shape.to_json(follows)


def read_lineage(data: bytes, role: str, signed: Root | Targets) -> tuple[Follows, ...]:
    """What the versions below `signed`, the newest that is there, say of their past.

    Raises:
        MalformedError: another role's, or not what the links are of, in any of its values.
    """
    what = f"the lineage of {role}"
    found = shape.read(Lineage, data, what=what)
    newest = follows_of(signed)
    below = () if newest is None else tuple(ancestry(role, newest, found.versions))[1:]
    if found.role != role or below != found.versions:
        raise _differs(role)
    return below


def check_descends(
    role: str,
    held: VersionId,
    newer: Metadata[Any],
    lineage: Iterable[Follows] = (),
    *,
    linked: bool = False,
) -> Descent:
    """Check that `newer` was made with knowledge of the version that somebody holds.

    Args:
        role: whose versions they are, for sentences.
        held: what is held.
        newer: a properly signed version.
        lineage: what the versions between the two say of their past, newest first. It need not be
            signed: each is checked against the link that the one above it names.
        linked: what is held has a link, so that numbers alone say nothing of what follows it.

    Raises:
        WentBackError: `newer` has a lower number.
        ForkedError: neither knew of the other.
        SkippedError: a number was left out on the way.
        MissingError: the lineage does not reach down to what is held.
        MalformedError: the lineage is not what the links are of.
    """
    version = newer.signed.version
    if version < held.version:
        raise WentBackError(
            "role-went-back",
            f"{role} is at version {version} here; version {held.version} was already seen.",
            subject=role,
            next_step="Use a newer one; an older one is never taken again.",
        )
    said = follows_of(newer.signed)
    if version == held.version:
        if digest(newer) == held.digest:
            return Descent()
        if said is not None and held in said.set_aside:
            return Descent(set_aside=version)
        raise _forked(role, held, named(newer))
    found = _descent(role, held, named(newer), said, lineage)
    if found.by_number and linked:
        raise _forked(role, held, named(newer))
    return found


def _descent(
    role: str, held: VersionId, newer: VersionId, said: Follows | None, lineage: Iterable[Follows]
) -> Descent:
    if said is None:
        return Descent(by_number=True)
    above, steps = newer.version, list[tuple[int, Follows]]()
    for ancestor in ancestry(role, said, lineage):
        steps.append((above, ancestor))
        if held in ancestor.set_aside:
            return _accounted(role, steps, Descent(set_aside=above))
        if ancestor.version == held.version:
            if ancestor.digest != held.digest:
                raise _forked(role, held, ancestor.predecessor)
            return _accounted(role, steps, Descent())
        if ancestor.version < held.version:
            raise _forked(role, held, newer)
        if ancestor.link is None:
            return _accounted(role, steps, Descent(by_number=True))
        above = ancestor.version
    raise MissingError(
        "lineage-missing",
        f"Nothing here shows that {role} {newer} descends from {held}, which is known here: the "
        f"values of the versions between them are missing.",
        subject=role,
        next_step="Have it drafted or exported again, by a hub that has all versions.",
    )


def _accounted(role: str, steps: Iterable[tuple[int, Follows]], found: Descent) -> Descent:
    for version, follows in steps:
        check_accounted(role, version, follows)
    return found


def check_accounted(role: str, version: int, follows: Follows) -> None:
    """Check that a version leaves out no number but of those that it sets aside.

    Whoever signs by acts can make no other (`acts.versions`). A number far ahead, signed by a thief
    of a key, would be the last that its role ever has; so nobody takes it. Recalls are taken
    whatever their past.

    Raises:
        SkippedError: it does.
    """
    if role == RECALL:
        return
    aside = {one.version for one in follows.set_aside}
    between = version - follows.version - 1
    if between > len(aside) or not aside.issuperset(range(follows.version + 1, version)):
        raise SkippedError(
            "role-skipped",
            f"Version {version} of {role} follows version {follows.version} and says of no version "
            "between them that it is set aside: no tool of ours makes such a version, and it was "
            "signed to leave no number to those who come after.",
            subject=role,
            next_step="Keep it, and tell the hub's administrators: whoever signed it misuses a "
            "key. The next honest version is taken as if this one were not there.",
        )


def ancestry(role: str, newest: Follows, lineage: Iterable[Follows]) -> Iterable[Follows]:
    """`newest`, then what each version below it says of its past, as far as `lineage` goes.

    Raises:
        MalformedError: a value is not the one that the link above it is of.
    """
    yield newest
    wanted = newest.link
    below = newest.version
    for count, one in enumerate(lineage):
        if wanted is None:
            return
        if link(one) != wanted or one.version >= below or count >= MOST:
            raise _differs(role)
        yield one
        wanted, below = one.link, one.version


def _differs(role: str) -> MalformedError:
    return MalformedError(
        "lineage-differs",
        f"What is said of the past of {role} is not what its versions' links are of.",
        subject=role,
        next_step="Have it drafted or exported again.",
    )


def _forked(role: str, held: VersionId, other: VersionId) -> ForkedError:
    return ForkedError(
        "role-forked",
        f"{role} has forked: {held} is known here, and {other} was made without knowledge of it.",
        subject=role,
        next_step="Keep both, and have the role's holders compare their heads: sealift-sign heads. "
        "A later version that sets one of them aside is taken.",
    )
