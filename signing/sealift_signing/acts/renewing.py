"""`renew ROLE`: a role as it stands, because a signature lasts only so long."""

from __future__ import annotations

from sealift_signing import key_status, roles
from sealift_signing.acts import versions, wording
from sealift_signing.acts.material import Ask, Material, Prepared
from sealift_signing.acts.member_list import list_members
from sealift_signing.documents import Members
from sealift_signing.errors import NotFoundError
from sealift_signing.organisation import Organisation
from sealift_signing.vocabulary import moment


def renew(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """The next version of a role, unchanged but for its number and expiry, and what expired.

    Raises:
        NotFoundError: there is no such role, or the hub renews it by itself.
    """
    (role,) = ask.object
    by_itself = role in {roles.SNAPSHOT, roles.TIMESTAMP} or roles.kind(role) == roles.CATALOG
    if not roles.is_known(role) or by_itself or not organisation.has(role):
        raise NotFoundError(
            "not-renewable",
            f"There is no role {role} that people renew.",
            subject=role,
            next_step="`sealift next` names the roles whose signature runs out.",
        )
    if roles.kind(role) == roles.TEAM:
        members = organisation.members(roles.whose(role))
        if members is not None and members != key_status.without_expired(members, material.made):
            return _without_expired(organisation, material, members)
    metadata = versions.next_version(organisation, role, material)
    signed = metadata.signed
    words = (
        (
            f"Renew {role} as it stands: version {signed.version}, valid until "
            f"{moment(signed.expires)}."
        ),
        "It says:",
        *wording.indented(wording.stands(organisation, role)),
    )
    return Prepared((versions.unsigned(role, metadata),), words)


def _without_expired(organisation: Organisation, material: Material, members: Members) -> Prepared:
    """A team's list, of which something counts no longer anywhere."""
    listed = list_members(organisation, material, members)
    words = (
        f"Renew the list of team {members.team} without what expired since: {listed.becomes}.",
        "It says:",
        *wording.indented(wording.members(listed.members)),
    )
    return Prepared((listed.part,), words)
