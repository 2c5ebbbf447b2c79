"""Taking signatures in: bytes from wherever they come, counted by the rule that sites go by.

What is published was signed by enough of those who hold its role now, and follows the newest
version that is here. Nothing else is asked: who carried it, and from where, decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256

from sqlalchemy import Connection
from tuf.api.metadata import Metadata, Targets

from sealift_registry.trust import catalogs, key_rotation, lost_entries, readiness
from sealift_registry.trust.affected_people import affected_people
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Change, Repository, check_follows
from sealift_registry.trust.signatures import holders, without_strays
from sealift_registry.trust.stored import Stored, stored
from sealift_signing import documents, drafts, publishing, roles, version_links
from sealift_signing.acts.names import OF_PEOPLE
from sealift_signing.canonical import Json
from sealift_signing.drafts import ROLE, Draft, DraftPart, RoleVersion, decoded
from sealift_signing.errors import (
    BadSignatureError,
    NoKeyError,
    NotSignedEnoughError,
    RefusedError,
)
from sealift_signing.policy import read_policy
from sealift_signing.public_key import PublicKey
from sealift_signing.version_links import VersionId
from sealift_signing.vocabulary import moment
from sealift_signing.words import words_of

READERS: Mapping[str, Callable[[bytes, str], object]] = {
    roles.TARGETS: lambda data, _name: read_policy(data),
    roles.FLEET: lambda data, _name: documents.read_fleet_keys(data),
    roles.RECALL: lambda data, _name: documents.read_recalls(data),
    roles.TEAM: documents.read_members,
    roles.SITE: documents.read_assignment,
}


@dataclass(frozen=True)
class AcceptedSubmission:
    """What became of something that was submitted.

    Attributes:
        new: it was published now; else it is there already.
        sentence: what is so now, in one line.
        data: the same, for machines.
        more: further lines.
    """

    new: bool
    sentence: str
    data: Mapping[str, Json]
    more: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """All that is said."""
        return (self.sentence, *self.more)


def change_of(connection: Connection, draft: Draft) -> Change:
    """What a signed draft publishes.

    Raises:
        NotSignedEnoughError, NoKeyError: too few of those who hold the role signed it; who does is
            said.
        RefusedError: it no longer follows what is published, or lists what no site would read.
    """
    change = Change()
    found = stored(connection)
    for part in draft.parts:
        if part.kind != ROLE:
            continue
        metadata = drafts.to_metadata(part)
        listed = {one.path: decoded(one.data) for one in part.documents}
        _check_enough(found, part)
        check_follows(found, part.name, metadata)
        check_documents(found, part.name, metadata.signed, listed)
        change.metadata[part.name] = metadata
        change.documents |= listed
    return change


def _check_enough(found: Stored, part: DraftPart) -> None:
    metadata = drafts.to_metadata(part)
    owner = found.head(roles.delegator(part.name)).metadata.signed
    try:
        publishing.check_publishable(metadata, part.name, owner)
    except (NotSignedEnoughError, NoKeyError) as bad:
        held = roles.keyholders(owner, part.name)
        bad.next_step = (
            f"{held.threshold} of {', '.join(held.people)} sign it, each with sealift-sign; then "
            "submit all their files together."
        )
        raise


def check_documents(found: Stored, role: str, signed: object, listed: Mapping[str, bytes]) -> None:
    """Check that every document comes with the version that lists it, and is one of its kind.

    Raises:
        MalformedError, RefusedError: no site would read it.
    """
    if not isinstance(signed, Targets):
        return
    for path, one in signed.targets.items():
        if path not in listed and not found.rows.document(path, one.hashes["sha256"]):
            raise RefusedError(
                "document-missing",
                f"Version {signed.version} of {role} lists {path}, which did not come with it.",
                subject=path,
                next_step="Submit the whole file, as sealift-sign wrote it.",
            )
    name = role.partition(".")[2]
    for path, data in listed.items():
        target = signed.targets.get(path)
        if target is None or target.hashes["sha256"] != sha256(data).hexdigest():
            raise RefusedError(
                "not-listed",
                f"Nothing signed lists {path}.",
                subject=path,
                next_step="Submit the whole file, as sealift-sign wrote it.",
            )
        READERS[roles.kind(role)](data, name)


def signers_of(connection: Connection, part: DraftPart) -> str:
    """Who signed a part that is a role's next version, by the names under which they hold it."""
    return names_of(_holders(connection, part.name), part)


def _holders(connection: Connection, role: str) -> Mapping[str, PublicKey]:
    return roles.named_keys(stored(connection).head(roles.delegator(role)).metadata.signed, role)


def envelope_of(connection: Connection, role: str, part: DraftPart) -> bytes:
    """The statement that a holder of `role` signed: of several, by the lowest key id.

    Raises:
        NotSignedEnoughError: none of them did.
    """
    held = {key.keyid: key for key in _holders(connection, role).values()}
    for one, envelope in zip(part.signatures, drafts.envelopes(part), strict=True):
        with suppress(KeyError, BadSignatureError):
            held[one.keyid].verify(decoded(one.signature), part.signed_data, what=part.name)
            return envelope
    raise NotSignedEnoughError(
        "not-signed-enough",
        f"The {part.name} is not signed by anybody who holds {role}.",
        subject=role,
        next_step="Have one of its holders sign it with sealift-sign; then submit that file.",
    )


def names_of(held: Mapping[str, PublicKey], part: DraftPart) -> str:
    """The names of those in `held` whose keys signed `part`."""
    keyids = {one.keyid for one in part.signatures}
    return ", ".join(sorted(name for name, key in held.items() if key.keyid in keyids))


# ---------------------------------------------------------------------- acts of this room

ENTRIES = {
    "add-team": "team.added",
    "set-stewards": "team.stewards-changed",
    "add-approver": "team.members-changed",
    "add-requester": "team.members-changed",
    **dict.fromkeys(OF_PEOPLE, "team.members-changed"),
    "set-check-rows": "team.check-rows-changed",
    "set-stage": "policy.changed",
    "remove-stage": "policy.changed",
    "set-lifetime": "policy.changed",
    "rotate-keys": "keys.rotated",
    "add-builder": "builder.added",
    "remove-builder": "builder.removed",
    "renew": "role.renewed",
}
"""The type of the log's entry for each act that is one role's next version."""


def submit_role(hub: Hub, draft: Draft, *, at_hub: bool) -> AcceptedSubmission:
    """Publish a role's next version, with its entry in the log; what is there stays.

    Args:
        hub: to publish in.
        draft: signed, by however many.
        at_hub: its signatures were made on this machine, which the log says.

    Raises:
        RefusedError: as `change_of`.
    """
    (part,) = draft.parts
    metadata = drafts.to_metadata(part)
    with hub.reading() as connection:
        new = not is_there(stored(connection), part.name, version_links.named(metadata))
        change = change_of(connection, draft) if new else Change()
        actor = signers_of(connection, part)
        people = affected_people(stored(connection), change)
        if draft.act == "add-team" and new:
            role = roles.catalog_role(draft.object[0])
            change.metadata[role] = _first_catalog(hub, Repository(connection), role, change)
        if draft.act == "rotate-keys" and new:
            key_rotation.check_has(hub, draft.object[0], draft.facts["key"])
            if part.name == roles.TARGETS:
                key_rotation.with_catalogs(hub, connection, change)
    said: dict[str, Json] = {
        "role": part.name,
        "version": metadata.signed.version,
        "expires": moment(metadata.signed.expires),
        "act": draft.act,
        "object": list(draft.object),
        "details": {name: list(given) for name, given in draft.details.items()},
        "at_hub": at_hub,
    }
    if new:
        entry = hub.entry(ENTRIES[draft.act], actor, said, _terms(draft, people))
        hub.commit_change(
            change,
            entry,
            replaces_key=readiness.replaces_log(draft.act, draft.object),
            check=partial(lost_entries.check, draft=draft),
        )
    if draft.act == "rotate-keys":
        key_rotation.take_up(hub)
    with hub.reading() as connection:
        told = published_words(connection, part.name, metadata.signed.version)
        return AcceptedSubmission(new, told, said, _more(connection, draft))


def published_words(connection: Connection, role: str, version: int) -> str:
    """What is so of `role`, of which `version` was submitted: told from what is stored."""
    head = stored(connection).base(role)
    until = f"valid until {moment(head.expires)}, signed by {', '.join(head.signers)}."
    if head.version == version:
        return f"{role} is now version {version}, {until}"
    return (
        f"Version {version} of {role} was published before; version {head.version} stands now, "
        f"{until}"
    )


def _more(connection: Connection, draft: Draft) -> tuple[str, ...]:
    """What came of an act that a version's number does not say: told from what is stored."""
    if draft.act != "set-check-rows":
        return lost_entries.told(connection, draft)
    team = draft.object[0]
    members = Repository(connection).members(team)
    out = members is not None and members.check_rows is not None
    return (f"Check rows of team {team} {'travel with its models' if out else 'stay at the hub'}.",)


def is_there(found: Stored, role: str, version: VersionId) -> bool:
    """Whether that version was published."""
    there = found.version(role, version.version) if found.rows.newest(role) else None
    return there is not None and there.named == version


def _first_catalog(
    hub: Hub, repository: Repository, role: str, change: Change
) -> Metadata[Targets]:
    """A new team's catalog, which the hub signs by itself: nothing is listed yet."""
    owner = change.metadata[roles.TARGETS].signed
    catalog = catalogs.following(repository, role, owner, hub.now())
    catalogs.sign(hub.online, catalog, role, owner)
    return catalog


def _terms(draft: Draft, people: Sequence[str]) -> dict[str, str | Sequence[str]]:
    if draft.act in {"renew", "rotate-keys", "set-stage", "remove-stage", "set-lifetime"}:
        return {"person": people}
    if draft.act in {"add-builder", "remove-builder"}:
        return {"builder": draft.object[0], "person": people}
    rows = {"check-rows": draft.object[1]} if draft.act == "set-check-rows" else {}
    return {"team": draft.object[0], **rows, "person": people}


def with_fingerprint(hub: Hub, done: AcceptedSubmission) -> AcceptedSubmission:
    """`done`; of a new root with the fingerprint that people have on paper from now on."""
    if done.data.get("role") != roles.ROOT:
        return done
    with hub.reading() as connection:
        fingerprint = Repository(connection).fingerprint()
    paper = (
        "Copy it to paper, in place of the one before."
        if done.new
        else "This is what your paper says; where it does not, copy this one to it."
    )
    more = (*done.more, f"  fingerprint  {words_of(fingerprint)}", paper)
    return replace(done, more=more, data={**done.data, "fingerprint": fingerprint})


def submit_version(hub: Hub, version: RoleVersion) -> AcceptedSubmission:
    """Take back a version that this hub lost, from whoever remembers it.

    Raises:
        RefusedError: it is not signed by enough of those who hold the role, is of another
            organisation, or does not follow what is here.
    """
    role, data = version.role, decoded(version.data)
    metadata = drafts.spelled_role(role, data)
    named = version_links.named(metadata)
    listed = {one.path: decoded(one.data) for one in version.documents}
    with hub.reading() as connection:
        found = stored(connection)
        if version.organisation != found.id:
            raise RefusedError(
                "other-organisation",
                f"This is a version of the organisation {version.organisation}, not of this one.",
                subject=role,
                next_step="Submit it to the hub of its own organisation.",
            )
        new, people = not is_there(found, role, named), list[str]()
        if new:
            owner = found.head(roles.delegator(role)).metadata.signed
            owners = [owner, metadata.signed] if role == roles.ROOT else [owner]
            without_strays(metadata, holders(owners, role))
            publishing.check_publishable(metadata, role, owner)
            check_follows(found, role, metadata)
            check_documents(found, role, metadata.signed, listed)
            people = _signed_or_about(found, role, Change({role: metadata}, listed))
    said: dict[str, Json] = {"role": role, "version": named.version, "sha256": named.digest}
    if not new:
        return AcceptedSubmission(new, f"{named} of {role} is here already.", said)
    change = Change({role: metadata}, listed)
    hub.commit_change(change, hub.entry("role.restored", "hub", said, {"person": people}))
    # Not "again": whether this hub ever had it, its database does not know.
    words = f"{named} of {role} is taken in as it was signed; look at it with: sealift audit list"
    return AcceptedSubmission(new, f"{words} --type role.restored", said)


def _signed_or_about(found: Stored, role: str, change: Change) -> list[str]:
    """Who signed a version that comes back, and whom it is about: they did not bring it back."""
    owner = found.head(roles.delegator(role)).metadata.signed
    held = holders([owner], role)
    signed = {held[keyid][0] for keyid in change.metadata[role].signatures if keyid in held}
    return sorted({*signed, *affected_people(found, change)})


def together(copies: Iterable[tuple[str, Draft]]) -> list[list[tuple[str, Draft]]]:
    """Copies, each with its file, by the draft that they are of; each different one once."""
    found: list[list[tuple[str, Draft]]] = []
    for file, copy in copies:
        same = next((one for one in found if drafts.is_same(one[0][1], copy)), None)
        if same is None:
            found.append([(file, copy)])
        else:
            same.append((file, copy))
    return found
