"""People who sign what the hub drafts, each through the gate; they remember nothing.

What a signer's memory adds is tested where memories are (tests/signing, tests/desk).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from securesystemslib.signer import Signer
from sqlalchemy import Connection
from tuf.api.metadata import Metadata, Root, Targets

from sealift_registry.app import App
from sealift_registry.catalog.reference import VersionRef
from sealift_registry.delivery import assignments, enrolling, retiring
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.trust import hub_drafts, submitting, teams
from sealift_registry.trust.hub_drafts import Wanted
from sealift_registry.trust.repository import Change, Repository
from sealift_registry.trust.stored import stored
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_registry.wanting import unchanged_of
from sealift_signing import documents, gate, publishing, roles, shape
from sealift_signing.acts.material import Ask
from sealift_signing.documents import Assignment, Members
from sealift_signing.drafts import Draft, decoded
from sealift_signing.errors import NoKeyError, NotSignedEnoughError
from sealift_signing.public_key import PublicKey


def sign(draft: Draft, ask: Ask, signers: Iterable[Signer], now: datetime) -> Draft:
    """Each signs, and brings every key card."""
    cards = [sha256(decoded(one)).hexdigest() for one in draft.statements]
    for signer in signers:
        key = PublicKey.from_tuf(signer.public_key)
        draft = gate.sign(gate.examine(draft, ask, None, now, key, cards), signer)
    return draft


def carry_out(
    app: App,
    wanted: Wanted,
    signers: Sequence[Signer],
    already: Callable[
        [Connection, Draft, frozenset[str] | None], AcceptedSubmission | None
    ] = unchanged_of,
) -> AcceptedSubmission:
    """From draft to submission, but for what is published so already."""
    hub = app.hub
    with hub.reading() as connection:
        made = hub_drafts.draft(hub, connection, wanted)
        keyids = frozenset(PublicKey.from_tuf(one.public_key).keyid for one in signers)
        unchanged = already(connection, made, keyids)
        if unchanged is not None:
            return unchanged
    return app.submit(sign(made, wanted.ask, signers, hub.now()), at_hub=True)


@dataclass(frozen=True)
class Dispatcher:
    """Who signs a transfer at the hub while it is written."""

    app: App
    signer: Signer

    @property
    def key(self) -> PublicKey:
        return PublicKey.from_tuf(self.signer.public_key)

    def check(self, draft: Draft, ask: Ask) -> None:
        gate.examine(draft, ask, None, self.app.hub.now(), self.key)

    def sign(self, draft: Draft, ask: Ask) -> Draft:
        return sign(draft, ask, [self.signer], self.app.hub.now())


def enrol(
    app: App, request: bytes, stage: str, cards: Sequence[teams.Card], signer: Signer
) -> EnrolledSite:
    """Have a fleet administrator answer a site; those whose cards these are dispatch to it."""
    people = [who for who, _ in cards]
    wanted = enrolling.wanted(request, stage, people, cards, app.hardware_targets)
    done = carry_out(app, wanted, [signer], enrolling.already)
    with app.hub.reading() as connection:
        return Sites(connection).get(str(done.data["site"]))


def assign(
    app: App,
    site: str,
    ref: VersionRef,
    groups: Mapping[str, str],
    fallbacks: Sequence[int] | None,
    signer: Signer,
    back: str = "",
) -> Assignment:
    """Have the dispatcher say what a site should run."""
    wanted = assignments.wanted(app.hub, site, ref, groups, fallbacks, back=back)
    carry_out(app, wanted, [signer], assignments.already)
    return assigned(app, site)


def unassign(
    app: App,
    site: str,
    model: str,
    groups: Sequence[str],
    reason: str,
    signer: Signer,
    any_software: bool = False,
) -> Assignment:
    """Have the dispatcher say what a site should stop running."""
    wanted = retiring.wanted(app.hub, site, model, groups, reason)
    wanted = replace(wanted, check=hub_drafts.unchecked) if any_software else wanted
    carry_out(app, wanted, [signer], assignments.already)
    return assigned(app, site)


def assigned(app: App, site: str) -> Assignment:
    """What a site is assigned."""
    with app.hub.reading() as connection:
        return assignments.current(Repository(connection), Sites(connection).get(site))


def draft_renewal(
    connection: Connection, role: str, signers: Sequence[Signer], now: datetime
) -> Change:
    """A signed renewal, to be published by a test itself."""
    wanted = teams.renewal(role)
    made = hub_drafts.draft_at(connection, wanted, now)
    return submitting.change_of(connection, sign(made, wanted.ask, signers, now))


def sign_members(
    connection: Connection, members: Members, signers: Sequence[Signer], now: datetime
) -> Change:
    """Whatever list the stewards sign, with or without an act of that kind."""
    role, found = roles.team_role(members.team), stored(connection)
    data = shape.write(members)
    expires = publishing.expiry(now, Repository(connection).lifetime(role))
    before = found.base(role).metadata if found.rows.newest(role) else None
    metadata: Metadata[Any] = (
        publishing.following(before, expires=expires)
        if before
        else publishing.first_targets(expires=expires)
    )
    path = documents.members_path(members.team)
    publishing.list_document(metadata.signed, path, data)
    publishing.sign(metadata, signers)
    publishing.check_publishable(metadata, role, found.head(roles.TARGETS).metadata.signed)
    return Change({role: metadata}, {path: data})


def sign_enough(
    metadata: Metadata[Any], role: str, signers: Iterable[Signer], owner: Root | Targets
) -> None:
    """Have `signers` sign a role's next version, which `owner` delegates; check it as sites will.

    Raises:
        NotSignedEnoughError, NoKeyError: too few of them hold the role; who does is said.
        BadSignatureError, MalformedError: as `publishing.check_publishable`.
    """
    publishing.sign(metadata, signers)
    try:
        publishing.check_publishable(metadata, role, owner)
    except (NotSignedEnoughError, NoKeyError) as bad:
        holders = roles.keyholders(owner, role)
        bad.next_step = (
            f"Sign with {holders.threshold} of the keys of: {', '.join(holders.people)}; "
            "name each with --key."
        )
        raise


def members_of(repository: Repository, team: str) -> Members:
    """The team's people as they stand; an empty list where its stewards have signed none yet."""
    return repository.members(team) or Members(1, (), team, (), ())
