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
    from sealift_registry.trust.submitting import together, with_fingerprint
    from sealift_signing import drafts

    read = [(name, read_signed(name)) for name in files]
    signed = [one for _, one in read if isinstance(one, drafts.Draft)]
    done: list[Accepted] = [
        session.app.take_back(one) for _, one in read if isinstance(one, drafts.Version)
    ]
    each = together(signed)
    for one in each[1:]:
        if one.parts[0].kind != drafts.ROLE:
            continue  # what people say themselves is never the same
        names = ", ".join(name for name, other in read if other == one) or "another file"
        session.terminal.note(
            f"{names} is signed over other bytes than {files[0]}: it is another draft."
        )
    done += [with_fingerprint(session.app.hub, _submitted(session, one, medium)) for one in each]
    data = {"submitted": [{"new": one.new, **one.data} for one in done]}
    session.terminal.answer("submit", data, "\n".join(one.sentence for one in done))


def _submitted(session: Session, draft: Draft, medium: str | None) -> Accepted:
    if draft.act != "transfer" or medium is None:
        return session.app.submit(draft, at_hub=False)
    with session.terminal.stages() as stage:
        return session.app.finish(draft, Path(medium), stage)
