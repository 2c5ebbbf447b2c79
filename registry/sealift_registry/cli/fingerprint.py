"""`sealift fingerprint`: by what the organisation is trusted, and a file to begin a memory from."""

from __future__ import annotations

from pathlib import Path

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_signing.drawing import drawn, pasted, word

COMPARE = (
    "This is what the hub has, and whoever owns this machine chose it. Before anybody copies it to "
    "paper, compare it with what a holder of root noted, or with: sealift-site status"
)


@command(sealift, "fingerprint", example="sealift fingerprint --out acme.draft")
@click.option("--out", metavar="FILE", help="Write all that people signed to FILE, a new one.")
def fingerprint(session: Session, *, out: str | None) -> None:
    """Print by what the organisation is trusted.

    It is the fingerprint of the newest root; who signed that, and until when it is valid, is said.
    With --out a file is written from which whoever signs begins a memory, with `sealift-sign trust`
    and --alone. It is a draft of no act: nothing can be signed with it. The hub is not changed.
    """
    from sealift_registry.trust.stored import Rows, stored
    from sealift_signing import drafts, memory_updates
    from sealift_signing.desk.files import write_new
    from sealift_signing.vocabulary import moment
    from sealift_signing.words import words_of

    with session.app.hub.reading() as connection:
        found = stored(connection)
        root, name = found.root, found.policy().organisation_name
        made = memory_updates.of_no_act(Rows(connection), session.now()) if out else None
    if out and made:
        write_new(Path(out), drafts.write(made))
    until = moment(root.metadata.signed.expires)
    signers = " and ".join(root.signers)
    lines = [
        f"Root {root.version} of {drawn(name)}, signed by {signers}, valid until {until[:10]}",
        f"  fingerprint   {words_of(root.digest)}",
        f"                {root.digest}",
        f"  organisation  {found.id}",
        COMPARE,
    ]
    if out:
        lines += [
            f"All that people signed here is in {word(out)}. Who has no colleague to begin from:",
            f"  sealift-sign trust FINGERPRINT {pasted([Path(out).name])} --alone",
        ]
    data = {
        "name": name,
        "organisation": found.id,
        "fingerprint": root.digest,
        "words": words_of(root.digest),
        "root": root.version,
        "signed_by": list(root.signers),
        "expires": until,
        "file": out,
    }
    session.terminal.answer("fingerprint", data, lines)
