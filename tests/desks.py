"""People at their desks: an organisation on paper, whose every signature goes through the gate.

`Paper` is a hub's files and nothing else: tests change them as somebody who owns the hub would.
Each person has a key and a memory of their own, and signs what the files offer if the gate lets
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from securesystemslib.signer import CryptoSigner

from sealift_signing import documents, drafting, drafts, gate, publishing, roles, shape, statements
from sealift_signing.acts.material import Ask, Carried, Material, SetAsideVersion
from sealift_signing.documents import FleetKeys, MachineKey, RecallList
from sealift_signing.drafts import Draft
from sealift_signing.gate import ExaminedDraft
from sealift_signing.memory_updates import seen_in
from sealift_signing.organisation import Organisation
from sealift_signing.organisation_memory import OrganisationMemory, SignedOnce
from sealift_signing.policy import POLICY_PATH, Policy
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import KeyCard
from sealift_signing.version_links import VersionId
from sealift_signing.vocabulary import moment
from tests.trust import NOW, STAGE, Keyring, rule

TEAM, SITE = "vision", "plant-7"
ROOT_HOLDERS, TARGETS_HOLDERS = ("rosa", "rolf", "ruth"), ("tina", "toni", "tara")
FLEET_HOLDERS, OFFICERS = ("flora", "frank"), ("olga", "oleg")
STEWARDS = ("anna", "ben")
Loose = Any


@dataclass
class Person:
    """Somebody with a key, and a memory of their own."""

    name: str
    signer: CryptoSigner
    known: OrganisationMemory | None = None

    @property
    def public(self) -> PublicKey:
        return PublicKey.from_tuf(self.signer.public_key)

    def card(self, now: datetime = NOW) -> bytes:
        key = self.public
        about = statements.subject(f"keys/{self.name}", sha256(key.raw).hexdigest())
        said = KeyCard(1, (), self.name, key.text, "file", moment(now))
        return statements.sign(said, [about], self.signer)


class Paper:
    """A hub's rows, as files: the newest of a role is that with the highest number."""

    def __init__(self) -> None:
        self.roles: dict[str, dict[int, bytes]] = {}
        self.documents: dict[tuple[str, str], bytes] = {}

    def metadata(self, role: str, version: int | None = None) -> bytes | None:
        found = self.roles.get(role, {})
        if not found:
            return None
        return found.get(max(found) if version is None else version)

    def document(self, path: str, digest: str) -> bytes | None:
        return self.documents.get((path, digest))

    def put(self, role: str, data: bytes, listed: Mapping[str, bytes] | None = None) -> None:
        number = drafts.spelled_role(role, data).signed.version
        self.roles.setdefault(role, {})[number] = data
        for path, body in (listed or {}).items():
            self.documents[path, sha256(body).hexdigest()] = body

    def copy(self) -> Paper:
        made = Paper()
        made.roles = {role: dict(found) for role, found in self.roles.items()}
        made.documents = dict(self.documents)
        return made


@dataclass
class Acme:
    """The organisation: its files, its people, and a clock."""

    paper: Paper = field(default_factory=Paper)
    keys: Keyring = field(default_factory=Keyring)
    now: datetime = NOW
    people: dict[str, Person] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.paper.roles:
            self._found()

    def person(self, name: str) -> Person:
        if name not in self.people:
            self.people[name] = Person(name, self.keys[name])
        return self.people[name]

    def _found(self) -> None:
        """The first metadata, as a ceremony makes it."""
        policy = Policy(1, (), "Acme", {STAGE: rule()}, dict(roles.LIFETIMES_DAYS))
        machines = [("hub", "log"), ("scanner-1", "scanner"), ("builder-1", "builder")]
        fleet = FleetKeys(
            1,
            (),
            tuple(
                MachineKey(self.keys.public(name).text, name, purpose, "active")  # type: ignore[arg-type]
                for name, purpose in machines
            ),
        )
        root = publishing.first_root(
            {
                "root": (2, self.keys.publics(ROOT_HOLDERS)),
                "targets": (2, self.keys.publics(TARGETS_HOLDERS)),
                "snapshot": (1, self.keys.publics(("hub-snapshot",))),
                "timestamp": (1, self.keys.publics(("hub-timestamp",))),
            },
            expires=publishing.expiry(self.now, 730),
        )
        publishing.sign(root, [self.keys[name] for name in ROOT_HOLDERS[:2]])
        self.paper.put("root", publishing.to_bytes(root))
        targets = publishing.first_targets(expires=publishing.expiry(self.now, 365))
        publishing.delegate(targets.signed, "fleet", 1, self.keys.publics(FLEET_HOLDERS))
        publishing.delegate(targets.signed, "recall", 1, self.keys.publics(OFFICERS))
        publishing.delegate(targets.signed, f"team.{TEAM}", 2, self.keys.publics(STEWARDS))
        catalog = self.keys.publics(("hub-catalog",))
        publishing.delegate(targets.signed, f"catalog.{TEAM}", 1, catalog)
        first: list[tuple[str, Any, str, Any, Sequence[str]]] = [
            ("targets", targets, POLICY_PATH, policy, TARGETS_HOLDERS[:2]),
            ("fleet", self._first(365), documents.FLEET_KEYS_PATH, fleet, FLEET_HOLDERS[:1]),
            ("recall", self._first(90), documents.RECALL_PATH, RecallList(1, (), ()), ("olga",)),
        ]
        for role, metadata, path, document, signers in first:
            data = shape.write(document)
            publishing.list_document(metadata.signed, path, data)
            publishing.sign(metadata, [self.keys[name] for name in signers])
            self.paper.put(role, publishing.to_bytes(metadata), {path: data})

    def _first(self, days: int) -> Any:  # noqa: ANN401 - tuf's own generic
        return publishing.first_targets(expires=publishing.expiry(self.now, days))

    # ------------------------------------------------------------------ draft, sign, submit

    @property
    def organisation(self) -> Organisation:
        return Organisation(self.paper)

    def trusting(self, *names: str) -> None:
        """Each of these people typed the fingerprint of the newest root, and nothing more."""
        root = self.organisation.root
        for name in names:
            self.person(name).known = OrganisationMemory(
                1, (), self.organisation.id, "Acme", root.named, "0" * 64, False, (), (), (), ()
            )

    def draft(self, act: str, *about: str, **more: Loose) -> Draft:
        """As the hub drafts it. `cards` are people; `facts`, `details`, `statements`, `over`."""
        cards = [self.person(name).card(self.now) for name in more.get("cards", ())]
        material = Material(
            made=self.now,
            now=self.now,
            carried=Carried([*cards, *more.get("statements", ())]),
            facts=more.get("facts", {}),
            parts=more.get("parts", {}),
            others=tuple(more.get("over", ())),
        )
        ask = Ask(act, about, more.get("details", {}))
        made, _ = drafting.compose(self.paper, ask, material)
        return made

    def examine(self, draft: Draft, name: str, ask: Ask | None = None) -> ExaminedDraft:
        """What the gate tells `name`, who brings all cards themselves."""
        person = self.person(name)
        named = ask or Ask(draft.act, draft.object, draft.details)
        cards = [sha256(drafts.decoded(one)).hexdigest() for one in draft.statements]
        return gate.examine(draft, named, person.known, self.now, person.public, cards)

    def sign(
        self, draft: Draft, name: str, ask: Ask | None = None, *, typed: bool = False
    ) -> Draft:
        """`name` signs; `typed` where they type every digest that they are asked for."""
        person = self.person(name)
        found = self.examine(draft, name, ask)
        if person.known is not None:
            person.known = remembered(person.known, found, self.now)
        assert typed or not found.confirm, found.confirm
        signed = gate.sign(found, person.signer)
        if person.known is not None:
            person.known = with_signed(person.known, found, signed, person, self.now)
        return signed

    def submit(self, *copies: Draft) -> None:
        """Publish what enough people signed."""
        joined, foreign = drafts.join(copies)
        assert not foreign
        for part in joined.parts:
            if part.kind != drafts.ROLE:
                continue
            metadata = drafts.to_metadata(part)
            owner = self.organisation.head(roles.delegator(part.name)).metadata.signed
            publishing.check_publishable(metadata, part.name, owner)
            listed = {one.path: drafts.decoded(one.data) for one in part.documents}
            self.paper.put(part.name, publishing.to_bytes(metadata), listed)

    def publish(self, signers: Sequence[str], act: str, *about: str, **more: Loose) -> Draft:
        """One act from draft to rows, signed by one after the other."""
        typed = more.pop("typed", False)
        made = self.draft(act, *about, **more)
        for name in signers:
            made = self.sign(made, name, typed=typed)
        self.submit(made)
        return made

    def put_members(self, members: documents.Members, signers: Sequence[str]) -> None:
        """A list of people that no act makes yet, signed by those who hold the team's role."""
        role = roles.team_role(members.team)
        metadata = publishing.following(
            self.organisation.head(role).metadata, expires=publishing.expiry(self.now, 180)
        )
        path, data = documents.members_path(members.team), shape.write(members)
        publishing.list_document(metadata.signed, path, data)
        publishing.sign(metadata, [self.keys[name] for name in signers])
        self.paper.put(role, publishing.to_bytes(metadata), {path: data})

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)


def remembered(
    known: OrganisationMemory, found: ExaminedDraft, now: datetime
) -> OrganisationMemory:
    heads = [(head, sha256(head.data).hexdigest()) for head in found.heads]
    known = known.with_compromised(seen_in(found).compromised)
    return known.with_root(found.root, "0" * 64).with_heads(heads, "a draft", moment(now))


def with_signed(
    known: OrganisationMemory, found: ExaminedDraft, signed: Draft, person: Person, now: datetime
) -> OrganisationMemory:
    known = known.with_settled(found.settles)
    for part in signed.parts:
        version = drafts.to_metadata(part).signed.version if part.kind == drafts.ROLE else 0
        one = SignedOnce(
            part.name,
            version,
            part.digest,
            str(found.ask),
            person.public.keyid,
            "0" * 64,
            moment(now),
            settled=False,
        )
        known = known.with_signed(one)
    return known


def over(draft: Draft) -> SetAsideVersion:
    """A draft that somebody signed in part, to be set aside."""
    part = draft.parts[0]
    data = publishing.to_bytes(drafts.to_metadata(part))
    listed = {one.path: drafts.decoded(one.data) for one in part.documents}
    return SetAsideVersion(part.name, data, listed)


def newest(paper: Paper, role: str) -> VersionId:
    return Organisation(paper).head(role).named


def without_signatures(draft: Draft) -> Draft:
    return replace(draft, parts=tuple(replace(part, signatures=()) for part in draft.parts))
