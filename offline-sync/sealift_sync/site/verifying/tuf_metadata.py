"""Steps (3) and (4) of an import: what TUF says is current, read from the quarantined copy.

All of it is verified before any of it is kept; `Visit.kept` is written by the commit, or never.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from tuf.api.metadata import Metadata, Root, Targets

from sealift_signing import documents, floors, roles
from sealift_signing.compromised import (
    Compromised,
    barred,
    machines_of,
    people_of,
    union,
)
from sealift_signing.documents import Assignment, FleetKeys, Members, RecallList
from sealift_signing.errors import RefusedError
from sealift_signing.evidence import sound
from sealift_signing.floors import VisitedRole
from sealift_signing.organisation import holders_named
from sealift_signing.policy import POLICY_PATH, Policy, read_policy
from sealift_signing.public_key import PublicKey
from sealift_signing.roles import FLEET, RECALL, TARGETS
from sealift_signing.tuf_walk import (
    Keep,
    MissingError,
    Need,
    Steps,
    Walk,
    drive,
    signed_by,
)
from sealift_sync.bundle import layout
from sealift_sync.bundle.quarantine import Quarantine
from sealift_sync.site.state.database import State
from sealift_sync.site.verifying.role_descent import check_descent, to_keep
from sealift_sync.site.verifying.root_chain import check_root_chain
from sealift_sync.site.verifying.site_floors import known_floors, seen_by


@dataclass(frozen=True)
class Visit:
    """What a verified bundle says.

    Attributes:
        kept: the metadata to keep once the import is committed.
        catalog: per team, what `catalog.<team>` lists: path to sha256.
        fleet: the machines; keys that were ever called compromised are, whatever it calls them now.
        seen: every verified role, with the keys that hold it: by these its floor is kept.
        compromised: what this site knew of, and what the bundle adds.
        remarks: what people here should know of the roles' versions, and of this site's pins.
    """

    walk: Walk
    kept: tuple[Keep, ...]
    policy: Policy
    fleet: FleetKeys
    recalls: RecallList
    assignment: Assignment
    assignment_bytes: bytes
    members: Mapping[str, Members]
    catalog: Mapping[str, Mapping[str, str]]
    versions: Mapping[str, int]
    seen: tuple[VisitedRole, ...]
    compromised: Compromised
    remarks: tuple[str, ...]

    def barred(self, role: str) -> frozenset[bytes]:
        """The raw keys that count for nothing in what `role` says or delegates, and never will."""
        above = [role, roles.delegator(role)]
        while above[-1] != roles.ROOT:
            above.append(roles.delegator(above[-1]))
        return barred(self.compromised, above)

    @property
    def machine_keys(self) -> frozenset[bytes]:
        """The raw public keys of machines, and of the roles that the hub signs by itself.

        Not of roles that people hold: a person may hold several offices with one key, and who
        enters somebody's key as a dispatcher's must not void what its owner approved.
        """
        found = {PublicKey.parse(key.key).raw for key in self.fleet.keys}
        for signed in (self.walk.root, self.walk.targets):
            for name in filter(roles.is_online, floors.delegated(signed)):
                found |= {key.raw for key in roles.keyholders(signed, name).keys}
        return frozenset(found)


class Walker:
    """Walks a quarantined bundle for one site."""

    def __init__(
        self, bundle: Quarantine, state: State, now: datetime, listed: Collection[str]
    ) -> None:
        self._bundle = bundle
        self._roots = state.roots()
        self._floors = known_floors(state)
        self._listed = listed
        self._compromised = state.compromised()
        self._before = state.trusted()
        self._kept: list[Keep] = []
        known = self._compromised
        self._chain = check_root_chain(bundle, self._roots, barred(known, (roles.ROOT,)))
        root = self._roots[self._chain.common]
        self.walk = Walk(root, self._before, now, compromised=known, no_floor={RECALL})

    def visit(self, site: str) -> Visit:
        """Walk every role that concerns `site`.

        Raises:
            RefusedError: something is not signed, expired, went back, missing or not of our layout.
        """
        self._go(self.walk.top())
        self._chain.check_reached(self.walk.root.version)
        floors.check_stated(roles.ROOT, self.walk.root)
        targets = self.walk.targets
        roles.check_layout(TARGETS, targets)
        fleet = self._delegated(TARGETS, FLEET)
        recall = self._delegated(TARGETS, RECALL)
        own = self._delegated(FLEET, roles.site_role(site))
        data = self.document(own, documents.assignment_path(site))
        assignment = documents.read_assignment(data, site)
        teams = sorted({found.parsed.team for _, _, found in assignment.artifacts()})
        members = {team: self._members(team) for team in teams}
        catalog = {team: self._catalog(team) for team in teams}
        versions = {role: number for (_, role), number in self.walk.versions().items()}
        seen = seen_by(self.walk)
        floors.check(self._floors, seen)  # (4) the site's floors, and the roles' descent
        remarks = check_descent(self._before, self._kept, self._lineage, self._signers)
        machines = documents.read_fleet_keys(self.document(fleet, documents.FLEET_KEYS_PATH))
        known = self._all_compromised(machines, members)
        return Visit(
            walk=self.walk,
            kept=to_keep(self._before, self._kept),
            policy=read_policy(self.document(targets, POLICY_PATH)),
            fleet=sound(machines, known),
            recalls=documents.read_recalls(self.document(recall, documents.RECALL_PATH)),
            assignment=assignment,
            assignment_bytes=data,
            members=members,
            catalog=catalog,
            versions=versions,
            seen=seen,
            compromised=known,
            remarks=(*self._chain.remarks, *remarks),
        )

    def _signers(self, delegator: str, role: str, metadata: Metadata[Targets]) -> list[str]:
        """Who signed a role that was walked, by name; those who hold it, where one did wrongly."""
        if delegator == roles.ROOT:
            owner: Root | Targets = self.walk.root
        else:
            owner = self.walk.role(roles.delegator(delegator), delegator)
        with suppress(RefusedError):
            return sorted(holders_named(owner, signed_by(owner, role, metadata)))
        return ["those who hold it"]

    def _all_compromised(self, machines: FleetKeys, members: Mapping[str, Members]) -> Compromised:
        people = (people_of(roles.team_role(team), found) for team, found in members.items())
        return union((self.walk.compromised, machines_of(FLEET, machines), *people))

    def document(self, role: Targets, path: str) -> bytes:
        """The document that a verified role lists under `path`.

        Raises:
            RefusedError: not listed, not carried, or not the bytes that were signed for.
        """
        listed = role.targets.get(path)
        data = self._bundle.get(layout.target_file(path))
        if listed is None or data is None:
            raise MissingError(
                "document-missing",
                f"{path} is missing: {'no role lists it' if listed is None else 'not carried'}.",
                subject=path,
                next_step="Copy the whole bundle again, or have it exported again.",
            )
        check_document(path, data, listed.length, listed.hashes.get("sha256", ""))
        return data

    def _members(self, team: str) -> Members:
        role = self._delegated(TARGETS, roles.team_role(team))
        return documents.read_members(self.document(role, documents.members_path(team)), team)

    def _catalog(self, team: str) -> dict[str, str]:
        role = self._delegated(TARGETS, roles.catalog_role(team))
        return {path: target.hashes["sha256"] for path, target in role.targets.items()}

    def _delegated(self, delegator: str, name: str) -> Targets:
        self._go(self.walk.delegated(delegator, name))
        signed = self.walk.role(delegator, name)
        roles.check_layout(name, signed)
        return signed

    def _go(self, steps: Steps) -> None:
        drive(steps, self._fetch, self._kept.append)

    def _fetch(self, need: Need) -> bytes | None:
        return self._carried(layout.metadata_file(need.role, need.version))

    def _lineage(self, role: str) -> bytes | None:
        return self._carried(layout.lineage_file(role))

    def _carried(self, path: str) -> bytes | None:
        if path not in self._listed:
            return None  # a file that nobody signed for is never read
        return self._bundle.get(path)


def check_document(path: str, data: bytes, length: int, digest: str) -> None:
    """Check a document against what TUF signed for it.

    Raises:
        RefusedError: other bytes.
    """
    if (len(data), sha256(data).hexdigest()) != (length, digest):
        raise RefusedError(
            "document-changed",
            f"{path} is not the document that was signed for: it was damaged or changed.",
            subject=path,
            next_step="Copy the bundle again, or have it exported again.",
        )
