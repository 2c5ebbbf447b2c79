"""The documents that TUF signs as targets (docs/reference/formats.md).

Their signature, version and freshness are TUF's business; the types here are what they say.
Each reader also checks what a shape cannot say, such as that one key stands for one person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, ClassVar, Literal

from sealift_signing import features, key_status, shape
from sealift_signing.errors import MalformedError
from sealift_signing.public_key import PublicKey
from sealift_signing.shape import Distinct
from sealift_signing.vocabulary import (
    CatalogPath,
    CatalogPathText,
    Count,
    KeyText,
    ModelName,
    Moment,
    Name,
    Purpose,
    Sentence,
    Sha256,
    VersionNumber,
)

FLEET_KEYS_PATH = "fleet/keys.json"
RECALL_PATH = "recall.json"

LOG_STARTS = features.LOG_STARTS.spelled
CHECK_ROWS = features.CHECK_ROWS_TRAVEL.spelled
RETIRE, BACK = features.RETIRE.spelled, features.BACK.spelled
"""As they stand under `requires`, and as the members of an assignment are called, too."""


def members_path(team: str) -> str:
    """The TUF path of a team's members.json."""
    return f"teams/{team}/members.json"


def assignment_path(site: str) -> str:
    """The TUF path of a site's assignment.json."""
    return f"sites/{site}/assignment.json"


KeyClass = Literal["file", "hardware", "passkey"]
"""Where a person keeps a key: in a file, in a device that does not give it away, or as a passkey
that a browser signs with."""
Status = Literal["active", "retired", "compromised"]


@dataclass(frozen=True)
class StillCounts:
    """A request or an approval that goes on counting, although its key was retired since."""

    sha256: Sha256
    """The statement's envelope."""
    until: Moment
    """When it leaves the list: an approval is valid no longer, a request can be of no approval."""


@dataclass(frozen=True)
class MemberKey:
    """A person's key: where it is kept, and what it may be used for.

    Purposes are `request` and `approve:<stage>`.
    """

    key: KeyText
    key_class: KeyClass
    purposes: Annotated[tuple[Purpose, ...], Distinct()]
    status: Literal["retired", "compromised"] | None = None
    """What this key is, whatever its person is; absent, it is as its person."""
    counts: Annotated[tuple[StillCounts, ...], Distinct(by="sha256")] | None = None
    """Of a retired key: all that goes on counting of what it signed, and nothing else does."""

    def goes_on_counting(self, sha256: str) -> bool:
        """Whether the statement with this digest was listed when the key was retired."""
        return any(one.sha256 == sha256 for one in self.counts or ())


@dataclass(frozen=True)
class Person:
    """Someone who may request or approve. The id is the same in the whole organisation."""

    id: Name
    printed_name: Sentence
    status: Status
    keys: Annotated[tuple[MemberKey, ...], Distinct(by="key")]

    def key_for(self, keyid: str) -> MemberKey | None:
        """This person's key with TUF keyid `keyid`, if there is one."""
        return next((k for k in self.keys if PublicKey.parse(k.key).keyid == keyid), None)

    def status_of(self, key: MemberKey) -> Status:
        """What one of this person's keys is: who is compromised has no key that is less."""
        if "compromised" in {self.status, key.status}:
            return "compromised"
        return key.status or self.status

    @property
    def active_keys(self) -> tuple[MemberKey, ...]:
        """The keys with which this person may sign something new."""
        return tuple(key for key in self.keys if self.status_of(key) == "active")


@dataclass(frozen=True)
class Withdrawal:
    """A demotion: one artifact, or all of a model's versions below one, no longer for a stage."""

    id: Name
    stage: Name
    sha256: Sha256 | None
    """The manifest's digest, where one artifact is withdrawn."""
    model: ModelName | None
    below: VersionNumber | None
    """With `model`: all of its versions below this one."""
    reason: Sentence
    made: Moment

    @property
    def digest(self) -> str:
        """By what a request names this withdrawal: the id may be given to another one later."""
        return sha256(shape.write(self)).hexdigest()

    def covers(self, path: CatalogPath, sha256: str, stage: str) -> bool:
        """Whether this withdrawal speaks of the artifact at `path` with this digest."""
        if stage != self.stage:
            return False
        older = self.below is not None and path.version < self.below
        return sha256 == self.sha256 or (path.full_model == self.model and older)


@dataclass(frozen=True)
class Members:
    """members.json, signed by a team's stewards: who may request and approve what."""

    DOCUMENT: ClassVar[str] = "members"

    format: Literal[1]
    requires: tuple[str, ...]
    team: Name
    people: Annotated[tuple[Person, ...], Distinct(by="id")]
    withdrawn: Annotated[tuple[Withdrawal, ...], Distinct(by="id")]
    check_rows: Literal["travel"] | None = None
    """Whether check rows of the team's models may leave the hub with them; absent, they stay."""

    def person(self, name: str) -> Person | None:
        """The person with this id, if the team has one."""
        return next((person for person in self.people if person.id == name), None)

    def all_keys(self) -> Iterator[tuple[Person, PublicKey]]:
        """Every key of every person."""
        for person in self.people:
            for key in person.keys:
                yield person, PublicKey.parse(key.key)


MachinePurpose = Literal["log", "scanner", "builder", "site"]


@dataclass(frozen=True)
class LogStart:
    """Where the hub's log goes on with another key."""

    size: Count
    """Entries that it has at least where this key signs."""
    follows: KeyText
    """The key that signed before."""


@dataclass(frozen=True)
class MachineKey:
    """The key of a machine that signs by itself; `name` is the site's id for a site."""

    key: KeyText
    name: Name
    purpose: MachinePurpose
    status: Status
    starts: LogStart | None = None
    """Of a log's key that follows another one: from where on."""


@dataclass(frozen=True)
class FleetKeys:
    """fleet/keys.json, signed by `fleet`: whose machines are ours, and what for."""

    DOCUMENT: ClassVar[str] = "fleet-keys"

    format: Literal[1]
    requires: tuple[str, ...]
    keys: Annotated[tuple[MachineKey, ...], Distinct(by="key")]

    def of(self, purpose: str) -> tuple[MachineKey, ...]:
        """The keys of one purpose, compromised ones left out."""
        return tuple(
            key for key in self.keys if key.purpose == purpose and key.status != "compromised"
        )


@dataclass(frozen=True)
class AssignedArtifact:
    """One artifact that a host group should have, and the statements that vouch for it."""

    path: CatalogPathText
    sha256: Sha256
    """The manifest's digest."""
    request: Sha256
    """The envelope of the request, by its digest; so are approvals and evidence."""
    approvals: Annotated[tuple[Sha256, ...], Distinct()]
    evidence: Annotated[tuple[Sha256, ...], Distinct()]

    @property
    def parsed(self) -> CatalogPath:
        """The path in its parts."""
        return CatalogPath.parse(self.path)


@dataclass(frozen=True)
class ModelAssignment:
    """One model in one host group: what should run, and what to go back to, in order."""

    current: AssignedArtifact
    fallbacks: tuple[AssignedArtifact, ...]

    @property
    def artifacts(self) -> tuple[AssignedArtifact, ...]:
        """The current one, then the fallbacks."""
        return (self.current, *self.fallbacks)


@dataclass(frozen=True)
class GroupAssignment:
    """What one host group should run."""

    hardware_target: Name
    models: Mapping[ModelName, ModelAssignment]


@dataclass(frozen=True)
class Retired:
    """A model that a host group stops running. It stands until the model is assigned there again.

    A site may miss a bundle; to be left out of an assignment, by itself, stops nothing.
    """

    group: Name
    model: ModelName
    version: VersionNumber | None
    """The highest that the site may still run of it; none where nothing was assigned."""
    reason: Sentence


@dataclass(frozen=True)
class GoneBack:
    """A model that is assigned a lower version than before, or other bytes of the same one."""

    group: Name
    model: ModelName
    version: VersionNumber
    """The highest that a site may run and still follow; what runs above it goes on."""
    reason: Sentence


@dataclass(frozen=True)
class Assignment:
    """assignment.json, signed by the dispatcher for one site."""

    DOCUMENT: ClassVar[str] = "assignment"

    format: Literal[1]
    requires: tuple[str, ...]
    site: Name
    enrolment: Sha256
    groups: Mapping[Name, GroupAssignment]
    retire: tuple[Retired, ...] | None = None
    back: tuple[GoneBack, ...] | None = None

    def of(self, group: str, model: str) -> ModelAssignment | None:
        """What is assigned of a model to a host group."""
        given = self.groups.get(group)
        return given.models.get(model) if given else None

    def retired(self, group: str, model: str) -> Retired | None:
        """That a host group stops running a model, if it is said."""
        found = (one for one in self.retire or () if (one.group, one.model) == (group, model))
        return next(found, None)

    def gone_back(self, group: str, model: str) -> GoneBack | None:
        """That a host group goes back with a model, if it is said."""
        found = (one for one in self.back or () if (one.group, one.model) == (group, model))
        return next(found, None)

    def artifacts(self) -> Iterator[tuple[str, str, AssignedArtifact]]:
        """Every (host group, model, artifact), the same artifact as often as it is assigned."""
        for group, assigned in self.groups.items():
            for model, versions in assigned.models.items():
                for artifact in versions.artifacts:
                    yield group, model, artifact


@dataclass(frozen=True)
class Recall:
    """One order to stop using an artifact. It has no end."""

    id: Name
    sha256: Sha256
    reason: Sentence
    made: Moment


@dataclass(frozen=True)
class RecallList:
    """recall.json, signed by a safety officer."""

    DOCUMENT: ClassVar[str] = "recall"

    format: Literal[1]
    requires: tuple[str, ...]
    recalls: Annotated[tuple[Recall, ...], Distinct(by="id")]


def read_members(data: bytes, team: str) -> Members:
    """The members of `team` that `data` spells.

    Raises:
        MalformedError: another team's, one key standing for two people, a withdrawal that is
            unclear or of another team's model, check rows that travel and are not required, or a
            key whose status is not, or is unclear.
    """
    what = members_path(team)
    members = shape.read(Members, data, what=what)
    if members.team != team:
        raise MalformedError("wrong-team", f"{what} is that of {members.team!r}.", subject=what)
    owner: dict[bytes, str] = {}
    for person, key in members.all_keys():
        if owner.setdefault(key.raw, person.id) != person.id:
            raise MalformedError(
                "key-of-two-people",
                f"{what} gives one key to both {owner[key.raw]} and {person.id}; one key stands "
                "for one person.",
                subject=what,
            )
    if (members.check_rows is None) is (CHECK_ROWS in members.requires):
        raise MalformedError(
            "check-rows-unrequired",
            f"{what} says that check rows travel without requiring {CHECK_ROWS}, or the other way "
            "round.",
            subject=what,
        )
    key_status.check(members, what)
    for one in members.withdrawn:
        _check_withdrawal(one, team, what)
    return members


def _check_withdrawal(one: Withdrawal, team: str, what: str) -> None:
    by_model = one.model is not None and one.below is not None and one.sha256 is None
    by_digest = one.sha256 is not None and one.model is None and one.below is None
    if not (by_model or by_digest):
        raise MalformedError(
            "bad-withdrawal",
            f"{what}: withdrawal {one.id} names neither a digest alone nor a model and a version.",
            subject=what,
        )
    if one.model is not None and one.model.partition("/")[0] != team:
        raise MalformedError(
            "bad-withdrawal",
            f"{what}: withdrawal {one.id} is of {one.model}, which is not this team's.",
            subject=what,
        )


def read_fleet_keys(data: bytes) -> FleetKeys:
    """The machine keys that `data` spells.

    Raises:
        MalformedError: one key for two machines or purposes, or what spells none; or a log that
            starts where none does.
    """
    found = shape.read(FleetKeys, data, what=FLEET_KEYS_PATH)
    for machine in found.keys:
        PublicKey.parse(machine.key)
        if machine.starts is not None:
            _check_start(found, machine, machine.starts)
    return found


def _check_start(found: FleetKeys, machine: MachineKey, said: LogStart) -> None:
    """A log's key follows another one of a log, and the document requires that it is read."""
    of_logs = {one.key for one in found.keys if one.purpose == "log"} - {machine.key}
    if machine.purpose != "log" or said.follows not in of_logs:
        raise MalformedError(
            "bad-log-start",
            f"{FLEET_KEYS_PATH}: {machine.name} ({machine.purpose}) cannot go on with a log of the "
            f"key {said.follows}.",
            subject=machine.name,
        )
    if LOG_STARTS not in found.requires:
        raise MalformedError(
            "bad-log-start",
            f"{FLEET_KEYS_PATH} says where a log starts, and does not require {LOG_STARTS}.",
            subject=FLEET_KEYS_PATH,
        )


def read_assignment(data: bytes, site: str) -> Assignment:
    """The assignment of `site` that `data` spells.

    Raises:
        MalformedError: another site's, or a path that does not fit where it stands.
    """
    what = assignment_path(site)
    found = shape.read(Assignment, data, what=what)
    if found.site != site:
        raise MalformedError("wrong-site", f"{what} is that of {found.site!r}.", subject=what)
    for group, model, artifact in found.artifacts():
        if artifact.parsed.full_model != model:
            raise MalformedError(
                "bad-assignment",
                f"{what}: {artifact.path} stands under {model} in host group {group}.",
                subject=artifact.path,
            )
    _check_said(found, what)
    return found


def _check_said(found: Assignment, what: str) -> None:
    """What is retired is not assigned, what goes back is; each once, and required to be read."""
    for name, member, assigned in ((RETIRE, found.retire, False), (BACK, found.back, True)):
        if member is None:
            continue
        places = [(one.group, one.model) for one in member]
        if not places or len(set(places)) != len(places) or name not in found.requires:
            raise MalformedError(
                "bad-assignment",
                f"{what} has a member {name} that is empty, says one thing twice, or is not "
                "required.",
                subject=what,
            )
        for group, model in places:
            if (found.of(group, model) is not None) is not assigned:
                raise MalformedError(
                    "bad-assignment",
                    f"{what} says {name} of {model} in host group {group}, which "
                    f"{'it does not assign' if assigned else 'it assigns'}.",
                    subject=model,
                )
    for one in found.back or ():
        given = found.of(one.group, one.model)
        if given is not None and given.current.parsed.version > one.version:
            raise MalformedError(
                "bad-assignment",
                f"{what} says that {one.model} goes back to a version above {one.version}.",
                subject=one.model,
            )


def read_recalls(data: bytes) -> RecallList:
    """The recall list that `data` spells."""
    return shape.read(RecallList, data, what=RECALL_PATH)
