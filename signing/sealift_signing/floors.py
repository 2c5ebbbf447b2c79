"""Floors: the version below which a site never goes back, for a role *and the keys that hold it*.

By a role's name alone, whoever stole the hub's own keys could sign version 10^15 once and bar a
site for ever, also after the keys were replaced. So a floor belongs to (delegator, role, key set),
and new keys begin at the number that the role's delegator signed for them, in the delegation
itself (`x-sealift-floor`). Where it states none, the old floor stays.

    own row of these keys, or a stated floor:  the highest of the two, and of what is of any keys
    neither:                                   the highest of all rows of the role

Pure: verified metadata and rows in, an answer or a refusal out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from tuf.api.metadata import Role, Root, Targets

from sealift_signing.errors import MalformedError
from sealift_signing.public_key import PublicKey
from sealift_signing.tuf_walk import WentBackError

FIELD = "x-sealift-floor"
"""In a delegation: the number from which the keys that it names go on."""

ANY = ""
"""The key set of a floor that holds whatever the keys are: root's, and those of an enrolment."""

LARGEST = 999_999_999_999_999
"""The highest version that our documents can name (`vocabulary.VersionNumber`): a receipt, say."""

ROOT, RECALL = "root", "recall"

FloorKey = tuple[str, str, str]
Floors = Mapping[FloorKey, int]
"""By (delegator, role, key set)."""


@dataclass(frozen=True)
class VisitedRole:
    """A verified role on a visit: who delegates it, to which keys, and from which number on."""

    delegator: str
    role: str
    version: int
    keys: str
    stated: int | None

    @property
    def row(self) -> FloorKey:
        """Under what its floor is kept."""
        return self.delegator, self.role, self.keys


def key_set(keys: Iterable[PublicKey]) -> str:
    """The name of a set of keys: the sha256 over them, sorted, each once and after its length."""
    raw = sorted({key.raw for key in keys})
    return sha256(b"".join(len(one).to_bytes(2, "big") + one for one in raw)).hexdigest()


def stated(delegator: Root | Targets, role: str) -> int | None:
    """From which number on the keys of `role` go on, as its delegator signed it; None: not stated.

    Raises:
        MalformedError: what stands there is no such number.
    """
    spec = delegated(delegator).get(role)
    said = None if spec is None else spec.unrecognized_fields.get(FIELD)
    if said is not None and (type(said) is not int or not 1 <= said <= LARGEST):
        raise MalformedError(
            "bad-floor",
            f"The floor of {role} ({FIELD}) is not a whole number from 1 to {LARGEST}.",
            subject=role,
        )
    return said


def check_stated(role: str, signed: Root | Targets) -> None:
    """Check that floors stand where our layout has them, and nowhere else.

    Nobody is above root to state its floor, and recall has none.

    Raises:
        MalformedError: one stands elsewhere, or is not a number.
    """
    if FIELD in signed.unrecognized_fields:
        raise _misplaced(role)
    for name, spec in delegated(signed).items():
        if FIELD in spec.unrecognized_fields and name in {ROOT, RECALL}:
            raise _misplaced(name)
        stated(signed, name)


def delegated(signed: Root | Targets) -> Mapping[str, Role]:
    """What `signed` delegates, by role."""
    if isinstance(signed, Root):
        return signed.roles
    return (signed.delegations.roles or {}) if signed.delegations else {}


def check(floors: Floors, seen: Iterable[VisitedRole]) -> None:
    """Check that no role is below its floor; `recall` has none.

    Raises:
        WentBackError: one is, and which.
        MalformedError: one counts further than any document could say.
    """
    for one in sorted(seen, key=lambda one: one.row):
        if one.version > LARGEST:
            raise MalformedError(
                "metadata-number",
                f"{one.role} is at version {one.version} here, which is more than {LARGEST}: no "
                "receipt could name it.",
                subject=one.role,
                next_step="Keep this medium, and tell the hub's administrators: somebody else has "
                "its keys.",
            )
        least = floor(floors, one)
        if one.role != RECALL and one.version < least:
            raise WentBackError(
                "below-floor",
                f"{one.role} is at version {one.version} here; with the keys that hold it now it "
                f"is not taken below version {least}.",
                subject=one.role,
                next_step="Use a newer bundle; an older one is never taken again. If somebody "
                "counted far ahead with stolen keys, have them replaced at the hub.",
            )


def floor(floors: Floors, seen: VisitedRole) -> int:
    """The version below which a role is not taken with these keys; 0 where nothing is known."""
    own = floors.get(seen.row)
    if own is None and seen.stated is None:
        return max(_of_role(floors, seen.delegator, seen.role), default=0)
    return max(own or 0, seen.stated or 0, floors.get((seen.delegator, seen.role, ANY), 0))


def raised(floors: Floors, seen: Iterable[VisitedRole]) -> dict[FloorKey, int]:
    """The floors of what a visit accepted; those of other key sets stay as they are."""
    return {one.row: max(floor(floors, one), one.version) for one in seen}


def _of_role(floors: Floors, delegator: str, role: str) -> Iterator[int]:
    return (number for key, number in floors.items() if key[:2] == (delegator, role))


def _misplaced(role: str) -> MalformedError:
    return MalformedError(
        "bad-floor", f"A floor ({FIELD}) stands where {role} has none.", subject=role
    )
