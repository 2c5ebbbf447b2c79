"""`renew ROLE`: a role as it stands, because a signature lasts only so long."""

from __future__ import annotations

from sealift_signing import roles
from sealift_signing.acts import versions, wording
from sealift_signing.acts.material import Ask, Material, Prepared
from sealift_signing.errors import NotFoundError
from sealift_signing.organisation import Organisation
from sealift_signing.vocabulary import moment


def renew(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """The next version of a role, unchanged but for its number and expiry.

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
