"""Whom a change is about: everybody for whom something is other than it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuf.api.metadata import Role, Root, Targets

from sealift_registry.trust.repository import Change
from sealift_registry.trust.stored import Stored
from sealift_signing import documents, roles
from sealift_signing.tuf_walk import PERSON_FIELD


def people_about(found: Stored, change: Change) -> list[str]:
    """Who comes to hold a role or no longer does, or is said something else of in a team's list."""
    people: set[str] = set()
    for role, metadata in change.metadata.items():
        before = found.base(role).metadata.signed if found.rows.newest(role) else None
        people |= {who for _, _, who in _held(before) ^ _held(metadata.signed)}
    for path, data in change.documents.items():
        for role in change.metadata:
            team = role.partition(".")[2]
            if roles.kind(role) == roles.TEAM and path == documents.members_path(team):
                people |= _of_team(_before(found, role, path), data, team)
    return sorted(people)


def _held(signed: Any) -> set[tuple[str, str, str]]:  # noqa: ANN401 - whatever a role signs
    """The roles that `signed` delegates, each with a key that holds it and whose that is."""
    delegated: Mapping[str, Role]
    if isinstance(signed, Root):
        delegated, keys = signed.roles, signed.keys
    elif isinstance(signed, Targets) and signed.delegations is not None:
        delegated, keys = signed.delegations.roles or {}, signed.delegations.keys
    else:
        return set()
    return {
        (role, keyid, str(keys[keyid].unrecognized_fields.get(PERSON_FIELD, keyid)))
        for role, held in delegated.items()
        if not roles.is_online(role)
        for keyid in held.keyids
        if keyid in keys
    }


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
