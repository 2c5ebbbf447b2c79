"""`sealift submit`: what people signed comes back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_registry.cli.drafts import read_signed
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command

if TYPE_CHECKING:
    from sealift_registry.trust.submitting import Accepted
    from sealift_signing.drafts import Draft


@command(sealift, "submit", example="sealift submit add-approver-vision-carla.anna.signed *.signed")
@click.argument("files", metavar="FILE…", nargs=-1, required=True)
@click.option("--medium", metavar="DIR", help="Of a transfer: the medium it was written to.")
def submit(session: Session, *, files: Sequence[str], medium: str | None) -> None:
    """Take in what people signed.

    FILE is a draft that somebody signed, or a version that this hub lost and somebody's memory gave
    back. Copies of one draft are joined; who carried them decides nothing.
    """
    from sealift_registry.trust.submitting import together
    from sealift_signing import drafts

    read = [(name, read_signed(name)) for name in files]
    signed = [(name, one) for name, one in read if isinstance(one, drafts.Draft)]
    done: list[Accepted] = [
        session.app.take_back(one) for _, one in read if isinstance(one, drafts.Version)
    ]
    each = together(signed)
    for copies in each[1:]:
        if all(part.kind != drafts.ROLE for part in copies[0][1].parts):
            continue  # what people say themselves is never the same
        names = ", ".join(name for name, _ in copies)
        session.terminal.note(
            f"{names} is signed over other bytes than {files[0]}: it is another draft."
        )
    left_out: list[str] = []
    done += [_submitted(session, copies, medium, left_out) for copies in each]
    data = {"submitted": [{"new": one.new, **one.data} for one in done], "left_out": left_out}
    session.terminal.answer("submit", data, "\n".join((*left_out, *(one.sentence for one in done))))


def _submitted(
    session: Session,
    copies: Sequence[tuple[str, Draft]],
    medium: str | None,
    left_out: list[str],
) -> Accepted:
    """Submit copies of one draft; what is said of signatures that do not count joins `left_out`."""
    from sealift_registry.trust.counting import joined
    from sealift_registry.trust.submitting import with_fingerprint
    from sealift_signing.errors import SealiftError

    # Just before it is submitted: who may sign it may follow from one that came before it.
    with session.app.hub.reading() as connection:
        draft, said = joined(connection, copies)
    try:
        done = _published(session, draft, medium)
    except SealiftError as bad:
        bad.what = " ".join((*said, bad.what))
        raise
    left_out += said
    return with_fingerprint(session.app.hub, done)


def _published(session: Session, draft: Draft, medium: str | None) -> Accepted:
    if draft.act != "transfer" or medium is None:
        return session.app.submit(draft, at_hub=False)
    with session.terminal.stages() as stage:
        return session.app.finish(draft, Path(medium), stage)
