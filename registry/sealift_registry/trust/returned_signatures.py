"""Which signatures on a file that comes back count, and what is said of the others.

Whoever carries a file can add to it, and a medium can damage it. Neither may get into what is
published or into the log, where it would name keys that never signed; nor may a damaged copy stand
in the way of a whole one. So copies are joined by the signatures that verify, and every other is
said, by its file and its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection
from tuf.api.metadata import Root, Targets

from sealift_registry.trust.repository import Repository
from sealift_registry.trust.signatures import Holders, Stray, holders, is_right
from sealift_registry.trust.stored import Stored, stored
from sealift_signing import account_binding, drafts, roles, statements
from sealift_signing.drafts import ROLE, Draft, DraftPart, PartSignature, decoded, encoded
from sealift_signing.drawing import plain
from sealift_signing.errors import MalformedError, NotFoundError
from sealift_signing.statements import Approval, Objection, Request

MOST_NAMED = 3
"""Keys of nobody that are named for each file: there may be thousands."""

OWN: Mapping[str, type[Request | Approval | Objection]] = {
    "request": Request,
    "approval": Approval,
    "objection": Objection,
}
"""The statements that people make by themselves, by the name of the part."""


def joined(
    connection: Connection, copies: Sequence[tuple[str, Draft]]
) -> tuple[Draft, tuple[str, ...]]:
    """One draft, of copies of the same bytes each with its file, with all signatures that count.

    Returns:
        The draft; and a sentence for each file that bears others.
    """
    first, said, parts = copies[0][1], [], []
    for part in first.parts:
        signed = [(file, (copy.part(part.name) or part).signatures) for file, copy in copies]
        whole, left_out = _joined(connection, part, signed)
        parts.append(whole)
        said += left_out
    return replace(first, parts=tuple(parts)), tuple(said)


def _joined(
    connection: Connection, part: DraftPart, signed: Sequence[tuple[str, Sequence[PartSignature]]]
) -> tuple[DraftPart, list[str]]:
    """A part with the signatures that count, of all that its copies bear."""
    if part.name == account_binding.NAME:
        return part, []  # whose it is, the server asks that it is for
    found = stored(connection)
    held, there = _may_sign(connection, found, part), _published(found, part)
    right, said = {}, []
    for file, signatures in signed:
        strays = []
        for one in signatures:
            known = there.get(one.keyid) == one.signature
            if known or is_right(held, one.keyid, decoded(one.signature), part.signed_data):
                right[one.keyid] = one
            else:
                strays.append(Stray(one.keyid, held[one.keyid][0] if one.keyid in held else ""))
        said += _said(file, part.name, strays)
    if not right and part.name in OWN:
        _check_own(held, part)
        return part, said
    return replace(part, signatures=tuple(right[keyid] for keyid in sorted(right))), said


def _check_own(held: Holders, part: DraftPart) -> None:
    """Check that a statement of one's own, which nobody signed rightly, is not said to be signed.

    By whom else it is signed, the rules of promotion judge.

    Raises:
        BadSignatureError: whoever it is of has another signature.
    """
    for one in part.signatures:
        if one.keyid in held:
            person, key = held[one.keyid]
            what = f"the {part.name} by {person}"
            key.verify(decoded(one.signature), part.signed_data, what=what)


def _may_sign(connection: Connection, found: Stored, part: DraftPart) -> Holders:
    """Who may sign a part now."""
    if part.kind == ROLE:
        owners: list[Root | Targets] = [found.head(roles.delegator(part.name)).metadata.signed]
        if part.name == roles.ROOT:  # those to whom it hands itself sign it, too
            owners.append(drafts.to_metadata(part).signed)
        return holders(owners, part.name)
    if part.name in OWN:
        return _of_person(connection, part)
    role = roles.FLEET
    if part.name == "transfer":
        said, _ = statements.read_payload(statements.Transfer, part.data, what="the transfer")
        role = roles.site_role(said.site)
    return holders([found.head(roles.delegator(role)).metadata.signed], role)


def _of_person(connection: Connection, part: DraftPart) -> Holders:
    """The keys of the person who says that a statement is theirs."""
    said, _ = statements.read_payload(OWN[part.name], part.data, what=f"the {part.name}")
    try:
        members = Repository(connection).members(said.team)
    except (MalformedError, NotFoundError):
        members = None
    return {
        key.keyid: (person.id, key)
        for person, key in (members.all_keys() if members else ())
        if person.id == said.person
    }


def _published(found: Stored, part: DraftPart) -> dict[str, str]:
    """The signatures of the same version where it was published: by whom was asked then."""
    if part.kind != ROLE or found.rows.newest(part.name) is None:
        return {}
    metadata = drafts.to_metadata(part)
    there = found.version(part.name, metadata.signed.version)
    if there is None or there.digest != part.digest:
        return {}
    signed = there.metadata.signatures
    return {one: encoded(bytes.fromhex(signed[one].signature)) for one in there.keyids}


def _said(file: str, name: str, found: Sequence[Stray]) -> list[str]:
    """What is said of the signatures of one file that are left out."""
    lines = [
        f"{plain(file)}: the signature of {one.person} (key {one.keyid[:12]}) on {name} is "
        "wrong: it is over other bytes, or damaged. It was left out."
        for one in found
        if one.person
    ]
    of_nobody = [one.keyid[:12] for one in found if not one.person]
    if of_nobody:
        more = len(of_nobody) - MOST_NAMED
        named = ", ".join(of_nobody[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        keys = "key" if len(of_nobody) == 1 else "keys"
        lines.append(
            f"{plain(file)}: nobody may sign {name} with the {keys} {named}. What bears their "
            "name was left out."
        )
    return lines
