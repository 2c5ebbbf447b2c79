"""Whom a change is about: everybody for whom something is other than it was."""

from __future__ import annotations

from sealift_registry.trust.repository import Change
from sealift_registry.trust.stored import Stored
from sealift_signing import documents, roles
from sealift_signing.acts import offices


def affected_people(found: Stored, change: Change) -> list[str]:
    """Who comes to hold a role or no longer does, or is said something else of in a team's list."""
    people: set[str] = set()
    for role, metadata in change.metadata.items():
        before = found.base(role).metadata.signed if found.rows.newest(role) else None
        held = offices.holders(before) if before else set()
        people |= {who for _, who, _ in held ^ offices.holders(metadata.signed)}
    for path, data in change.documents.items():
        for role in change.metadata:
            team = roles.whose(role)
            if roles.kind(role) == roles.TEAM and path == documents.members_path(team):
                people |= _of_team(_before(found, role, path), data, team)
    return sorted(people)


def _before(found: Stored, role: str, path: str) -> bytes | None:
    """What the version before lists under `path`, whoever holds the role now."""
    if found.rows.newest(role) is None:
        return None
    listed = found.base(role).targets.targets.get(path)
    return found.rows.document(path, listed.hashes["sha256"]) if listed else None


def _of_team(before: bytes | None, data: bytes, team: str) -> set[str]:
    old = documents.read_members(before, team).people if before is not None else ()
    new = documents.read_members(data, team).people
    return {person.id for person in (set(old) ^ set(new))}
