"""`signed`, `again` and `write`: what a memory gives back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_signing.desk.cli.group import ORGANISATION, Session, command, sign
from sealift_signing.drawing import drawn, pasted, word

if TYPE_CHECKING:
    from sealift_signing.organisation_memory import OrganisationMemory, SignedOnce

LEAST = 6
"""Digits of a digest by which something signed is named."""


@command(sign, "signed", example="sealift-sign signed", more=[ORGANISATION])
def signed(session: Session, *, organisation: str | None) -> None:
    """List all that you signed, and whether it was seen published."""
    from sealift_signing.words import words_of

    known = session.known(organisation)
    states = {one.digest: _state(session, known, one) for one in known.signed}
    lines = []
    for one in known.signed:
        what = f"{one.name} version {one.version}" if one.version else one.name
        lines += [
            f"{one.signed[:10]}  {what}: {_act(one)}",
            f"  {states[one.digest]}",
            f"  {one.digest}",
            f"  {words_of(one.digest)}",
        ]
    told = [
        {
            "name": one.name,
            "version": one.version or None,
            "sha256": one.digest,
            "words": words_of(one.digest),
            "act": one.act,
            "keyid": one.keyid,
            "signed": one.signed,
            "state": states[one.digest],
        }
        for one in known.signed
    ]
    lines = lines or ["Nothing was signed here yet."]
    session.terminal.answer("signed", {"signed": told}, lines)


def _act(one: SignedOnce) -> str:
    """What was signed; in marks where a reason or another text stands in it."""
    return drawn(one.act) if " --" in one.act else one.act


def _state(session: Session, known: OrganisationMemory, one: SignedOnce) -> str:
    if not one.version:
        return "a statement of your own"
    past = session.memory.past(known, one.name)
    if one.named in past:
        return "published"
    if one.named in session.memory.set_aside(known, one.name):
        return "set aside by a later version"
    if all(other.version < one.version for other in past):
        return "not seen published yet"
    return "never published: another version has its number"


@command(sign, "again", example="sealift-sign again a81b39 FILE", more=[ORGANISATION])
@click.argument("digest")
@click.argument("file")
def again(session: Session, *, digest: str, file: str, organisation: str | None) -> None:
    """Write out again what you signed before, from memory.

    DIGEST is the beginning of its digest; `sealift-sign signed` lists them.
    """
    from sealift_signing import drafts
    from sealift_signing.desk.files import write_new
    from sealift_signing.errors import NotFoundError

    known = session.known(organisation)
    wanted = digest.lower()
    found = [one for one in known.signed if one.digest.startswith(wanted)]
    if len(wanted) < LEAST or len({one.digest for one in found}) != 1:
        raise NotFoundError(
            "not-signed-here",
            f"{len(found)} things that you signed have a digest that begins with {digest}."
            if len(wanted) >= LEAST
            else f"{digest} is too short to name something by.",
            subject=digest,
            next_step=f"Give {LEAST} digits or more; they are listed by: sealift-sign signed",
        )
    one = found[-1]
    write_new(Path(file), drafts.write(session.memory.draft(known, one)))
    lines = (
        f"What you signed on {one.signed[:10]} is in {word(file)}: {_act(one)}",
        "At the hub:",
        f"  sealift submit {pasted([Path(file).name])}",
    )
    session.terminal.answer("again", {"file": file, "sha256": one.digest}, lines)


@command(sign, "write", example="sealift-sign write team.vision FILE", more=[ORGANISATION])
@click.argument("role")
@click.argument("file")
@click.option(
    "--at",
    metavar="VERSION",
    type=click.IntRange(min=1),
    help="An older version, where the hub lost several. [default: the newest]",
)
def write(
    session: Session, *, role: str, file: str, organisation: str | None, at: int | None
) -> None:
    """Write the newest version of a role that you know, for a hub that lost it.

    FILE then holds it whole, with its documents and all signatures. A hub that lost several gets
    each of them, the oldest first.
    """
    from sealift_signing import drafts, shape, version_links
    from sealift_signing.desk.files import write_new

    known = session.known(organisation)
    whole = session.memory.whole(known, role, at)
    named = version_links.named(drafts.spelled_role(role, drafts.decoded(whole.data)))
    write_new(Path(file), shape.write(whole))
    lines = (
        f"What is known of {word(role)} {named} is in {word(file)}.",
        "At the hub:",
        f"  sealift submit {pasted([Path(file).name])}",
    )
    told = {"file": file, "role": role, "version": named.version, "sha256": named.digest}
    session.terminal.answer("write", told, lines)
