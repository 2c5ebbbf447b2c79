"""The draft: one file that holds what is to be signed, and everything that it stands on.

Draft → sign → submit is the only way in which a person's signature comes to be. A draft is one act
of a closed list, with its object. It carries the exact bytes to be signed, the verified chain
behind them from root 1 on, and all that they name; nothing of it is believed because it is there.
Signing adds a signature to it; submitting joins the signatures of copies that hold the same bytes.

The file is canonical JSON, so that it has one spelling, and its `check` tells damage from a change.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Literal, cast

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Signature, Targets

from sealift_signing import canonical, dsse, shape
from sealift_signing.canonical import Json
from sealift_signing.errors import MalformedError
from sealift_signing.organisation import Files
from sealift_signing.roles import ROOT
from sealift_signing.shape import Distinct
from sealift_signing.tuf_walk import read_spelled
from sealift_signing.version_links import Follows
from sealift_signing.vocabulary import (
    Base64,
    MediumPath,
    Moment,
    Name,
    RoleName,
    Sentence,
    Sha256,
    VersionNumber,
)

LARGEST = 64 * 1024 * 1024
"""Bytes: an organisation of a thousand teams, each with a hundred people and eighty versions."""

NO_CHECK = "0" * 64
"""What stands in the place of a draft's check where that is computed."""

ROLE, STATEMENT = "role", "statement"

Kind = Literal["role", "statement"]


@dataclass(frozen=True)
class CarriedRole:
    """A role's version as it stands, and what the versions below it say of their past."""

    role: RoleName
    data: Base64
    lineage: tuple[Follows, ...]


@dataclass(frozen=True)
class FormerVersion:
    """An older version of a role, by which something was signed that stands."""

    role: RoleName
    version: VersionNumber
    data: Base64


@dataclass(frozen=True)
class CarriedDocument:
    """A document that a role lists."""

    path: MediumPath
    data: Base64


@dataclass(frozen=True)
class Superseded:
    """Another version of the role, which the one to be signed sets aside: all of its files."""

    role: RoleName
    data: Base64
    documents: Annotated[tuple[CarriedDocument, ...], Distinct(by="path")]


@dataclass(frozen=True)
class PartSignature:
    """A signature of one part."""

    keyid: Sha256
    signature: Base64


@dataclass(frozen=True)
class DraftPart:
    """One thing that is to be signed.

    Attributes:
        kind: a role's next version, or a statement.
        name: the role; of a statement, the last word of its type, such as `approval`.
        payload: the exact bytes: of a role what TUF signs, of a statement what DSSE encloses.
        documents: what the role's next version lists that is not published yet.
    """

    kind: Kind
    name: Sentence
    payload: Base64
    documents: Annotated[tuple[CarriedDocument, ...], Distinct(by="path")]
    signatures: Annotated[tuple[PartSignature, ...], Distinct(by="keyid")]

    @property
    def data(self) -> bytes:
        """The bytes to be signed."""
        return decoded(self.payload)

    @property
    def digest(self) -> str:
        """Their sha256: by what a version is known."""
        return sha256(self.data).hexdigest()

    @property
    def signed_data(self) -> bytes:
        """What a signature is of: of a statement, DSSE's encoding of it."""
        return self.data if self.kind == ROLE else dsse.encoding(dsse.IN_TOTO, self.data)


@dataclass(frozen=True)
class Draft:
    """One act, to be signed.

    Attributes:
        act: of the closed list (`acts`).
        object: what it is done to, such as a team and a person.
        details: what else whoever signs must name, by option, such as the stages of an approver.
        facts: what the hub adds, and whoever signs is shown, such as the artifacts of a request.
        made: when it was drafted; the dates in a role's next version follow from it.
        roots: every root since 1.
        statements: requests, approvals, evidence and key cards that the act names.
        superseded: what the version to be signed sets aside.
        parts: what is to be signed; none where it is a person's own statement, which is made, with
            the date of the clock there, when it is signed.
        check: the sha256 of the file without `check` and signatures.
    """

    DOCUMENT: ClassVar[str] = "draft"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    act: Name
    object: tuple[Sentence, ...]
    details: Mapping[Name, tuple[Sentence, ...]]
    facts: Mapping[Name, tuple[Sentence, ...]]
    made: Moment
    roots: tuple[Base64, ...]
    roles: Annotated[tuple[CarriedRole, ...], Distinct(by="role")]
    former: Annotated[tuple[FormerVersion, ...], Distinct(by="data")]
    documents: Annotated[tuple[CarriedDocument, ...], Distinct(by="path")]
    statements: Annotated[tuple[Base64, ...], Distinct()]
    superseded: Annotated[tuple[Superseded, ...], Distinct(by="data")]
    parts: Annotated[tuple[DraftPart, ...], Distinct(by="name")]
    check: Sha256

    @property
    def is_signed(self) -> bool:
        """Whether any part bears a signature."""
        return any(part.signatures for part in self.parts)

    def part(self, name: str) -> DraftPart | None:
        """The part called `name`."""
        return next((part for part in self.parts if part.name == name), None)


@dataclass(frozen=True)
class RoleVersion:
    """One version of a role with its documents, given back by whoever remembers it.

    Attributes:
        lineage: what the versions below it say of their past, newest first.
        roots: of root, every one since 1, of which this is the last; of another role, none.
    """

    DOCUMENT: ClassVar[str] = "version"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    role: RoleName
    data: Base64
    documents: Annotated[tuple[CarriedDocument, ...], Distinct(by="path")]
    lineage: tuple[Follows, ...]
    roots: tuple[Base64, ...]


@dataclass(frozen=True)
class Shared:
    """What one signer's memory tells another's: versions, and nothing of what was signed.

    Attributes:
        mark: a random number, of the memory that wrote it: by it a memory knows its own file.
    """

    DOCUMENT: ClassVar[str] = "shared"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    roots: tuple[Base64, ...]
    roles: Annotated[tuple[CarriedRole, ...], Distinct(by="role")]
    former: Annotated[tuple[FormerVersion, ...], Distinct(by="data")]
    documents: Annotated[tuple[CarriedDocument, ...], Distinct(by="path")]
    mark: Sha256 | None = None


def read_any(data: bytes, *, what: str) -> Draft | RoleVersion:
    """What somebody submits: a signed draft, or a version that the hub lost.

    Raises:
        MalformedError, RefusedError: it is neither.
    """
    value = _value(data, what)
    if "role" in value:
        return shape.from_json(RoleVersion, value, what=what)
    return _read(data, value, what)


def read(data: bytes, *, what: str = "the draft") -> Draft:
    """The draft that `data` spells; nothing of it is verified here.

    Raises:
        MalformedError: it is damaged, or no draft.
        RefusedError: it needs a newer version of this software.
    """
    return _read(data, _value(data, what), what)


def _value(data: bytes, what: str) -> Mapping[str, Json]:
    if len(data) > LARGEST:
        raise MalformedError(
            "too-large",
            f"{what} is larger than the {LARGEST:,} bytes of any draft.",
            subject=what,
            next_step="Have it drafted again, or copied again whole.",
        )
    return shape.parsed(data, what=what)


def _read(data: bytes, value: Mapping[str, Json], what: str) -> Draft:
    found = shape.from_json(Draft, value, what=what)
    bare = _with_check(data, found.check, NO_CHECK)
    if _check_of(found, value, bare) != found.check:
        raise MalformedError(
            "draft-damaged",
            f"{what} is damaged: it is not the file that was written.",
            subject=what,
            next_step="Copy it again, or have it drafted again.",
        )
    return found


def write(draft: Draft) -> bytes:
    """The file of `draft`; its check is computed."""
    value = shape.to_json(draft) | {"check": NO_CHECK}
    data = canonical.encode(value)
    return _with_check(data, NO_CHECK, _check_of(draft, value, data))


def _check_of(draft: Draft, value: Mapping[str, Json], unchecked: bytes) -> str:
    """The check of `draft`, whose object is `value`, and whose file without check `unchecked`.

    A large organisation's draft is a megabyte: it is spelled no more often than it must be.
    """
    if draft.is_signed:
        parts = cast("Sequence[Mapping[str, Json]]", value["parts"])
        bare = [{**part, "signatures": []} for part in parts]
        unchecked = canonical.encode({**value, "parts": bare, "check": NO_CHECK})
    return sha256(unchecked).hexdigest()


def _with_check(data: bytes, there: str, check: str) -> bytes:
    """A draft's file with another check; only `act`, which is a name, stands before it."""
    return data.replace(b'"check":"%b"' % there.encode(), b'"check":"%b"' % check.encode(), 1)


def encoded(data: bytes) -> str:
    """Bytes as a draft holds them."""
    return base64.b64encode(data).decode()


def decoded(text: str) -> bytes:
    """The bytes that a draft holds as `text`.

    Raises:
        MalformedError: base64 in a second spelling.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as bad:
        raise MalformedError(
            "base64",
            "The draft holds bad base64.",
            next_step="Have it drafted again, or copied again whole.",
        ) from bad
    if encoded(data) != text:
        raise MalformedError(
            "base64",
            "The draft holds base64 in a second spelling.",
            next_step="Have it drafted again, or copied again whole.",
        )
    return data


def to_metadata(part: DraftPart) -> Metadata[Any]:
    """The metadata of a part that is a role's next version, with the signatures that it bears.

    Raises:
        MalformedError: it is none, or not spelled as it is signed.
    """
    try:
        said = json.loads(part.data)
        metadata: Metadata[Any] = (
            Metadata(Root.from_dict(said))
            if said["_type"] == Root.type
            else Metadata(Targets.from_dict(said))
        )
        exact = metadata.signed_bytes == part.data
    except (RepositoryError, ValueError, KeyError, TypeError, AttributeError) as bad:
        raise _unreadable(part.name) from bad
    if not exact:
        raise _unreadable(part.name)
    for one in part.signatures:
        signature = Signature(one.keyid, decoded(one.signature).hex())
        metadata.signatures[one.keyid] = signature
    return metadata


def to_envelope(part: DraftPart) -> bytes:
    """The envelope of a part that is a statement and bears one signature.

    Raises:
        MalformedError: it bears another number of signatures.
    """
    if len(part.signatures) != 1:
        raise MalformedError(
            "envelope-signatures",
            f"The {part.name} carries {len(part.signatures)} signatures; it must carry exactly "
            "one.",
            subject=part.name,
            next_step="Have it drafted again, or copied again whole.",
        )
    (one,) = part.signatures
    return dsse.joined(dsse.IN_TOTO, part.data, one.keyid, decoded(one.signature))


def _unreadable(name: str) -> MalformedError:
    return MalformedError(
        "metadata-unreadable",
        f"What is to be signed as the next version of {name} is not readable.",
        subject=name,
        next_step="Have it drafted again, or copied again whole.",
    )


class DraftFiles:
    """What a draft carries, as an organisation's files; it knows what nobody asked for.

    Attributes:
        absent: roles that were asked for and are not carried: as if they had no version yet.
    """

    def __init__(self, draft: Draft | Shared) -> None:
        self._roots = tuple(map(decoded, draft.roots))
        self._roles = {one.role: decoded(one.data) for one in draft.roles}
        self._former = {(one.role, one.version): decoded(one.data) for one in draft.former}
        self._documents = {one.path: decoded(one.data) for one in draft.documents}
        former = {f"{one.role} {one.version}" for one in draft.former}
        self._unread: set[str] = {*self._roles, *former, *self._documents}
        self.absent: set[str] = set()

    def metadata(self, role: str, version: int | None = None) -> bytes | None:
        """The role's version that the draft carries."""
        if role == ROOT:
            number = len(self._roots) if version is None else version
            return self._roots[number - 1] if 0 < number <= len(self._roots) else None
        if version is not None:
            self._unread.discard(f"{role} {version}")
            return self._former.get((role, version))
        self._unread.discard(role)
        if role not in self._roles:
            self.absent.add(role)
        return self._roles.get(role)

    def document(self, path: str, digest: str) -> bytes | None:
        """The document; whoever asks compares its digest."""
        del digest
        self._unread.discard(path)
        return self._documents.get(path)

    @property
    def unread(self) -> tuple[str, ...]:
        """Roles and documents that the draft carries and nobody asked for."""
        return tuple(sorted(self._unread))


class Recording:
    """Files that keep what was asked for: what a draft has to carry."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.roles: dict[str, bytes] = {}
        self.former: dict[tuple[str, int], bytes] = {}
        self.documents: dict[str, bytes] = {}

    def metadata(self, role: str, version: int | None = None) -> bytes | None:
        """As the files under it."""
        data = self._files.metadata(role, version)
        if data is None or role == ROOT:
            return data
        if version is None:
            self.roles[role] = data
        else:
            self.former[role, version] = data
        return data

    def document(self, path: str, digest: str) -> bytes | None:
        """As the files under it."""
        data = self._files.document(path, digest)
        if data is not None:
            self.documents[path] = data
        return data


def envelopes(part: DraftPart) -> tuple[bytes, ...]:
    """A signed statement as it is kept: an envelope for each signature; none of them is verified.

    Raises:
        MalformedError: it is larger than a reader takes.
    """
    return tuple(
        dsse.joined(dsse.IN_TOTO, part.data, one.keyid, decoded(one.signature))
        for one in part.signatures
    )


def with_signature(draft: Draft, name: str, keyid: str, signature: bytes) -> Draft:
    """`draft` with a signature more on the part called `name`."""
    said = PartSignature(keyid, encoded(signature))
    return replace(draft, parts=tuple(_signed(part, name, said) for part in draft.parts))


def _signed(part: DraftPart, name: str, said: PartSignature) -> DraftPart:
    if part.name != name:
        return part
    others = [one for one in part.signatures if one.keyid != said.keyid]
    together = sorted((*others, said), key=lambda one: one.keyid)
    return replace(part, signatures=tuple(together))


def join(copies: Iterable[Draft]) -> tuple[Draft, tuple[Draft, ...]]:
    """The first of `copies` with the signatures of all that hold the same bytes; and the others.

    A copy of other bytes is given back, for somebody to be told of: its signatures are of something
    else.
    """
    first, *more = copies
    foreign = []
    for copy in more:
        if not is_same(copy, first):
            foreign.append(copy)
            continue
        for part in copy.parts:
            for one in part.signatures:
                first = with_signature(first, part.name, one.keyid, decoded(one.signature))
    return first, tuple(foreign)


def is_same(one: Draft, other: Draft) -> bool:
    """Whether two drafts are copies of one: the same bytes are to be signed."""
    return _bare(one) == _bare(other)


def _bare(draft: Draft) -> tuple[object, ...]:
    """What two copies of one draft have in common: what is signed."""
    signed = tuple((part.kind, part.name, part.payload, part.documents) for part in draft.parts)
    return (draft.organisation, draft.act, draft.object, signed)


def spelled_role(role: str, data: bytes) -> Metadata[Any]:
    """A whole file of `role` that a draft carries beside its base; not verified."""
    if role == ROOT:
        return read_spelled(data, role, Root).metadata
    return read_spelled(data, role, Targets).metadata
