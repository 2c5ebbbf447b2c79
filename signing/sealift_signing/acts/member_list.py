"""The next version of a team's list of people, by whichever act it comes to be."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sealift_signing import documents, key_status, roles, shape
from sealift_signing.acts import versions, wording
from sealift_signing.acts.material import Material, Unsigned
from sealift_signing.documents import Members
from sealift_signing.organisation import Organisation


@dataclass(frozen=True)
class ListedMembers:
    """A list of people that is to be signed.

    Attributes:
        members: as they are listed.
        part: what is signed.
        becomes: the version that the team's role becomes, in words.
    """

    members: Members
    part: Unsigned
    becomes: str

    def without(self, person: str) -> Members:
        """The list but for one person, who is shown apart."""
        others = tuple(one for one in self.members.people if one.id != person)
        return replace(self.members, people=others)


def list_members(organisation: Organisation, material: Material, members: Members) -> ListedMembers:
    """`members` as the next version of their team's role lists them: without what expired since.

    Raises:
        MalformedError: no site would read them.
        RefusedError: as `versions.next_version`.
    """
    found = key_status.requiring(key_status.without_expired(members, material.made))
    path, data = documents.members_path(found.team), shape.write(found)
    documents.read_members(data, found.team)
    role = roles.team_role(found.team)
    signed, part = versions.listing(organisation, role, material, path, data)
    return ListedMembers(found, part, wording.becomes(role, signed))
