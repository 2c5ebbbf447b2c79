"""`transfer TRANSFER`: the dispatcher vouches for what one medium carries to one site."""

from __future__ import annotations

from hashlib import sha256

from sealift_signing import documents, roles, shape, statements
from sealift_signing.acts import wording
from sealift_signing.acts.material import Ask, Material, Prepared, Unsigned
from sealift_signing.drafts import STATEMENT
from sealift_signing.drawing import drawn
from sealift_signing.errors import MalformedError, NotFoundError, RefusedError
from sealift_signing.organisation import Organisation
from sealift_signing.statements import Transfer, subject
from sealift_signing.vocabulary import counted, moment

TRANSFER = "transfer"


def transfer(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """The statement that the hub wrote of its files: of this site, of its assignment now.

    Raises:
        RefusedError: it is of another transfer, site, organisation or assignment.
    """
    (name,) = ask.object
    body = material.parts.get(TRANSFER)
    if body is None:
        raise MalformedError(
            "bad-draft",
            "The draft holds no transfer.",
            subject=name,
            next_step="Do not sign it; have the bundle exported again.",
        )
    said, subjects = statements.read_payload(Transfer, body, what=f"the transfer {name}")
    assignment = organisation.assignment(said.site)
    if assignment is None:
        raise NotFoundError(
            "nothing-assigned",
            f"Nothing is assigned to site {said.site}.",
            subject=said.site,
            next_step=f"Have something assigned first: sealift assign {said.site} "
            "TEAM/MODEL/VERSION",
        )
    path = documents.assignment_path(said.site)
    data = shape.write(assignment)
    about = (subject(path, sha256(data).hexdigest()),)
    right = (said.id, said.organisation, said.enrolment, said.made) == (
        name,
        organisation.id,
        assignment.enrolment,
        moment(material.made),
    )
    if not right or subjects != about or statements.payload(said, subjects) != body:
        raise RefusedError(
            "other-object",
            f"The draft is not of {name}, for site {said.site} as it is assigned now.",
            subject=name,
            next_step="Have it exported again.",
        )
    size = sum(file.size for file in said.files)
    words = (
        (
            f"Vouch for the transfer {name} to site {said.site}: "
            f"{counted(len(said.files), 'file')}, {size:,} bytes, written {said.made}."
        ),
        f"  it builds on {', '.join(said.base) or 'nothing: it is full'}",
        f"  the transfer before it: {said.previous or 'none'}",
        f"  the hub's log: {drawn(said.log)}",
        f"  the site's log, as the hub knows it: {drawn(said.site_log or 'not yet')}",
        "It carries what the site is assigned:",
        *wording.indented(wording.assignment(assignment)),
        "in these files:",
        *wording.indented(f"{file.sha256}  {file.size:>15,}  {file.path}" for file in said.files),
    )
    part = Unsigned(STATEMENT, TRANSFER, roles.site_role(said.site), body)
    return Prepared((part,), words)
