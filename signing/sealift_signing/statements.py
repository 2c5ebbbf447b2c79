"""Signed statements: who vouched for what (docs/adr/0002-approval-is-a-signed-statement.md).

Each is an in-toto Statement v1 about subjects, in a DSSE envelope (`dsse`). The dataclasses below
are the predicates; their JSON Schemas are in docs/reference/formats.md. What a statement *means*
at a site is decided in `site_rules`; here it is only read, strictly, and signed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, TypeVar, cast

from securesystemslib.signer import Signer

from sealift_signing import canonical, dsse, shape
from sealift_signing.documents import KeyClass
from sealift_signing.errors import MalformedError, shown
from sealift_signing.public_key import PublicKey
from sealift_signing.shape import Distinct, More, Opaque
from sealift_signing.vocabulary import (
    PORTABLE,
    ArtifactPolicy,
    Base64,
    CatalogPathText,
    Count,
    KeyText,
    MediumPath,
    ModelName,
    Moment,
    Name,
    RoleKind,
    RoleName,
    Sentence,
    Sha256,
    TransferId,
    VersionNumber,
)

STATEMENT = "https://in-toto.io/Statement/v1"


class Predicate(shape.Dataclass, Protocol):
    """A dataclass that says which in-toto predicate type it is."""

    PREDICATE_TYPE: ClassVar[str]


P = TypeVar("P", bound=Predicate)


@dataclass(frozen=True)
class Digest:
    """An in-toto DigestSet; SHA-256 is the only digest we read."""

    sha256: Sha256


@dataclass(frozen=True)
class Subject:
    """What a statement is about: a name and a digest, and a reader matches both."""

    name: MediumPath
    digest: Digest

    @property
    def sha256(self) -> str:
        """The subject's digest."""
        return self.digest.sha256


def subject(name: str, sha256: str) -> Subject:
    """The subject called `name` with this digest."""
    return Subject(name, Digest(sha256))


@dataclass(frozen=True)
class Signed(Generic[P]):
    """A statement as it was read: the predicate, its subjects, and the envelope around them."""

    predicate: P
    subjects: tuple[Subject, ...]
    envelope: dsse.Envelope

    @property
    def sha256(self) -> str:
        """The digest by which other documents name this statement."""
        return self.envelope.sha256

    def about(self, name: str, sha256: str) -> bool:
        """Whether a subject has both this name and this digest."""
        return subject(name, sha256) in self.subjects


@dataclass(frozen=True)
class CheckpointSeen:
    """The size and root of a log, as its writer last saw it."""

    origin: Sentence
    size: Count
    root: Sha256


@dataclass(frozen=True)
class Request:
    """A promotion: please bring exactly these artifacts to a stage. It never changes.

    The subjects are every artifact, the source artifact among them.
    """

    PREDICATE_TYPE: ClassVar[str] = "urn:sealift:request:1"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    team: Name
    model: Name
    version: VersionNumber
    stage: Name
    source_record: Sha256
    """What is recorded of where the version came from, by its digest."""
    evidence: Annotated[tuple[Sha256, ...], Distinct()]
    """Every statement about the artifacts that approvers are shown, by its envelope's digest."""
    log: CheckpointSeen
    """The hub's log, as the requester's side saw it."""
    person: Name
    reason: Sentence
    made: Moment
    despite: Annotated[tuple[Name, ...], Distinct()]
    """Withdrawals that the requester asks to set aside, each by the sha256 of its bytes."""
    artifact_policies: Mapping[CatalogPathText, ArtifactPolicy] | None = None
    """Of the artifacts that are not portable, each one's artifact policy: what a stage asks of
    evidence differs by it."""

    def artifact_policy(self, path: str) -> str:
        """The artifact policy of the artifact at `path`, as its requester signed it."""
        return (self.artifact_policies or {}).get(path, PORTABLE)


@dataclass(frozen=True)
class Measured:
    """On which machine an artifact's parity was measured."""

    artifact: CatalogPathText
    machine: Sentence


@dataclass(frozen=True)
class Approval:
    """One person's signature on one request. The subjects repeat the request's, all of them."""

    PREDICATE_TYPE: ClassVar[str] = "urn:sealift:approval:1"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    team: Name
    model: Name
    version: VersionNumber
    stage: Name
    request: Sha256
    """The request's envelope, by its digest."""
    person: Name
    meaning: Sentence
    reason: Sentence
    made: Moment
    valid_until: Moment
    measured: tuple[Measured, ...]
    """What the approver was told of where parity was measured."""


@dataclass(frozen=True)
class Objection:
    """Why somebody would not approve a request. It bars nothing: every later approver reads it."""

    PREDICATE_TYPE: ClassVar[str] = "urn:sealift:objection:1"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    team: Name
    request: Sha256
    """The request's envelope, by its digest; the subjects repeat the request's."""
    person: Name
    reason: Sentence
    made: Moment


@dataclass(frozen=True)
class KeyCard:
    """Whose key this is, said by its owner and signed with it. The subject is the key."""

    PREDICATE_TYPE: ClassVar[str] = "urn:sealift:key-card:1"

    format: Literal[1]
    requires: tuple[str, ...]
    owner: Name
    """A person's id, the same in the whole organisation."""
    key: KeyText
    key_class: KeyClass
    """Where its owner keeps it."""
    made: Moment


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: Name
    verdict: Literal["pass", "fail"]
    words: Sentence


@dataclass(frozen=True)
class Evidence:
    """What a machine found out about an artifact: a scan, parity, provenance."""

    PREDICATE_TYPE: ClassVar[str] = "urn:sealift:evidence:1"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    kind: Name
    verdict: Literal["pass", "fail"]
    checks: tuple[Check, ...]
    tools: Mapping[Sentence, Sentence]
    """What looked, each with its version."""
    machine: Sentence
    made: Moment
    details: Opaque
    """The whole report. What is under `more` in it is for people: no rule goes by it."""

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(one for one in self.checks if one.verdict != "pass")

    @property
    def passed(self) -> bool:
        """Neither the verdict nor, whatever the verdict says, a single check is a failure."""
        return self.verdict == "pass" and not self.failures


@dataclass(frozen=True)
class CarriedFile:
    """One file of a bundle."""

    path: MediumPath
    size: Count
    sha256: Sha256


@dataclass(frozen=True)
class Transfer:
    """transfer.json: what one medium carries to one site. The subject is the assignment."""

    PREDICATE_TYPE: ClassVar[str] = "urn:sealift:transfer:1"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    id: TransferId
    site: Name
    enrolment: Sha256
    made: Moment
    base: tuple[TransferId, ...]
    """The transfer whose receipt says that the site has what this one leaves out; none if full."""
    previous: TransferId | None
    files: Annotated[tuple[CarriedFile, ...], Distinct(by="path")]
    log: str
    """The hub's log checkpoint, a C2SP signed note."""
    site_log: str | None
    """The last checkpoint of the site's log that the hub accepted."""


NO_LONGER_ASSIGNED, RETIRED = NO_MORE = ("no-longer-assigned", "retired")
"""The codes of an outcome of what runs and is assigned no more: by itself it runs on."""


@dataclass(frozen=True)
class ArtifactOutcome:
    """What became of one assigned artifact in one host group."""

    group: Name
    artifact: CatalogPathText
    sha256: Sha256
    outcome: Literal["installed", "held"]
    code: Name
    """The reason, as a stable code (errors.md)."""
    words: Sentence


@dataclass(frozen=True)
class Receipt:
    """A site's signed answer to a transfer. The subject is transfer.json itself."""

    PREDICATE_TYPE: ClassVar[str] = "urn:sealift:receipt:1"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    site: Name
    enrolment: Sha256
    transfer: TransferId
    made: Moment
    artifacts: tuple[ArtifactOutcome, ...]
    inventory: Annotated[tuple[Sha256, ...], Distinct()]
    """Every manifest that the site holds: what the next bundle may leave out."""
    lost: Annotated[tuple[Sha256, ...], Distinct()]
    """Blobs of that inventory which the site no longer has whole: the next bundle brings them."""
    running: Mapping[Name, Mapping[ModelName, VersionNumber]]
    """Per host group and model, the version that was current before this transfer's activation."""
    roles: Mapping[RoleName, VersionNumber]
    trusted_time: Moment
    """What the site took the time to be when the import began: its clock, or the latest signed time
    that it had seen by then."""
    unprotected: tuple[Sentence, ...]
    """Why one person, or one stolen key, could promote alone; computed, and empty where none."""
    overrides: tuple[Sentence, ...]
    """What two people at the site allowed against a rule."""
    software: Sentence
    reads: tuple[Sentence, ...]
    """What the site's software reads: each document's format, such as `transfer:1`, and features,
    such as `transfer:packs`. What is written for the site uses no feature that it lacks."""
    log: str
    """The site's log checkpoint just before this receipt, a C2SP signed note; empty if none."""
    more: More | None = None
    """What else the site says, for people: no rule goes by it."""


@dataclass(frozen=True)
class SiteRequest:
    """A site asks to be enrolled. The subject is the site's public key."""

    PREDICATE_TYPE: ClassVar[str] = "urn:sealift:site-request:1"

    format: Literal[1]
    requires: tuple[str, ...]
    site: Name
    groups: Mapping[Name, Name]
    """Host groups, each with the id of its one hardware target."""
    key: KeyText
    """The key that the site made for itself, and signs this with."""
    nonce: Sha256
    """Random, so that no two requests are alike."""
    made: Moment
    software: Sentence
    reads: tuple[Sentence, ...]
    """What the site's software reads, as in a receipt."""
    more: More | None = None
    """What else the site says, for people: no rule goes by it."""


@dataclass(frozen=True)
class Pins:
    """What a site insists on whatever the hub's policy says; empty tuples mean any."""

    least_approvals: Count
    """Approvals that an artifact needs here, if the policy asks for fewer."""
    least_thresholds: Mapping[RoleKind, Count]
    """Signatures that each kind of role must need."""
    teams: tuple[Name, ...]
    models: tuple[ModelName, ...]


@dataclass(frozen=True)
class SiteAnswer:
    """The hub's answer: what the site trusts from now on. The subject is the site's request."""

    PREDICATE_TYPE: ClassVar[str] = "urn:sealift:site-answer:1"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    site: Name
    stage: Name
    """What artifacts must be approved for, to be installed there."""
    request: Sha256
    roots: tuple[Base64, ...]
    """Every root since 1, each as base64 of its bytes; the first's sha256 is the organisation."""
    pins: Pins
    floors: Mapping[RoleName, VersionNumber]
    """Versions that the site never goes below, from its first import on."""
    made: Moment


def sign(predicate: Predicate, subjects: Sequence[Subject], signer: Signer) -> bytes:
    """The envelope of a statement that says `predicate` of `subjects`, signed by `signer`.

    Raises:
        MalformedError: the statement is one that no reader would accept; nothing was signed.
    """
    return dsse.sign(dsse.IN_TOTO, payload(predicate, subjects), signer)


def payload(predicate: Predicate, subjects: Sequence[Subject]) -> bytes:
    """The bytes of a statement that says `predicate` of `subjects`, to be signed.

    Raises:
        MalformedError: the statement is one that no reader would accept.
    """
    statement = {
        "_type": STATEMENT,
        "predicateType": predicate.PREDICATE_TYPE,
        "subject": [shape.to_json(one) for one in subjects],
        "predicate": shape.to_json(predicate),
    }
    _parse(type(predicate), cast("Mapping[str, Any]", statement), "the statement to be signed")
    return canonical.encode(cast("canonical.Json", statement))


def read(kind: type[P], data: bytes, *, what: str) -> Signed[P]:
    """The statement of type `kind` in the envelope `data`. Its signature is not verified here.

    Raises:
        MalformedError: not exactly such a statement, or two subjects of one name or digest.
    """
    envelope = dsse.read(data, what=what)
    if envelope.payload_type != dsse.IN_TOTO:
        raise MalformedError(
            "not-a-statement",
            f"{what} is {shown(envelope.payload_type)}, not an in-toto statement.",
            subject=what,
        )
    predicate, subjects = _parse(kind, _decoded(envelope.payload, what), what)
    return Signed(predicate, subjects, envelope)


def read_payload(kind: type[P], data: bytes, *, what: str) -> tuple[P, tuple[Subject, ...]]:
    """The predicate and the subjects of a statement that is not signed yet.

    Raises:
        MalformedError: not exactly such a statement, canonically spelled.
    """
    return _parse(kind, _decoded(data, what), what)


def predicate_type(data: bytes, *, what: str) -> str:
    """Which kind of statement the envelope `data` says it holds."""
    said = _decoded(dsse.read(data, what=what).payload, what).get("predicateType")
    if not isinstance(said, str):
        raise _no_statement(what)
    return said


def verify(statement: Signed[P], key: PublicKey, *, what: str) -> None:
    """Check that `key` signed `statement` (see `dsse.Envelope.verify` for what it raises)."""
    statement.envelope.verify(key, what=what)


def _decoded(data: bytes, what: str) -> Mapping[str, Any]:
    value = canonical.decode(data, what=what)
    if not isinstance(value, Mapping):
        raise _no_statement(what)
    return value


def _no_statement(what: str) -> MalformedError:
    return MalformedError("not-a-statement", f"{what} is not an in-toto statement.", subject=what)


def _parse(kind: type[P], value: Mapping[str, Any], what: str) -> tuple[P, tuple[Subject, ...]]:
    if set(value) != {"_type", "predicateType", "subject", "predicate"}:
        raise MalformedError(
            "not-a-statement", f"{what} has members that no in-toto statement has.", subject=what
        )
    if value["_type"] != STATEMENT or value["predicateType"] != kind.PREDICATE_TYPE:
        raise MalformedError(
            "wrong-statement",
            f"{what} says {shown(value['predicateType'])} where {kind.PREDICATE_TYPE!r} belongs.",
            subject=what,
        )
    subjects = _subjects(value["subject"], what)
    if not isinstance(value["predicate"], Mapping):
        raise MalformedError("not-a-statement", f"{what} has no predicate.", subject=what)
    return shape.from_json(kind, value["predicate"], what=what), subjects


def _subjects(value: object, what: str) -> tuple[Subject, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise MalformedError("no-subject", f"{what} is about nothing.", subject=what)
    found = tuple(
        shape.from_json(Subject, one, what=f"{what}, subject {n + 1}")
        if isinstance(one, Mapping)
        else _no_subject(what)
        for n, one in enumerate(value)
    )
    for part in ("name", "sha256"):
        values = [getattr(one, part) for one in found]
        if len(set(values)) != len(values):
            raise MalformedError(
                "subject-twice",
                f"{what} has two subjects of one {part}; which one was meant cannot be told.",
                subject=what,
            )
    return found


def _no_subject(what: str) -> Subject:
    raise MalformedError("no-subject", f"{what} has a subject that is not an object.", subject=what)
