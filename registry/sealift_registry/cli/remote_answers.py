"""`sealift site answer` of a hub behind its server: what is carried to a site.

The server's word is not taken for what it is: it must be of this site, and of an organisation that
is trusted here, and its eight words are computed from the bytes that are written. Who signed it the
site verifies, from the fingerprint that is typed there from paper.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError

if TYPE_CHECKING:
    from sealift_registry.cli.session import Session


def write_answer(session: Session, site: str, out: str) -> None:
    """Write the answer to a site, and tell its words.

    Raises:
        RefusedError: the server answers with that of another site.
        NotFoundError: it is of an organisation that is not trusted here.
        FailedError: something else is there, or it cannot be written.
    """
    from sealift_registry.client.address import address_of
    from sealift_signing import file_access, statements
    from sealift_signing.desk.files import write_new
    from sealift_signing.memory import Memory, not_trusted
    from sealift_signing.statements import SiteAnswer
    from sealift_signing.words import words_of

    data = session.remote.envelope(address_of("sites", site, "answer"))
    found = statements.read(SiteAnswer, data, what=f"the answer to {site}")
    said = found.predicate
    if said.site != site:
        raise RefusedError(
            "answer-of-another",
            f"The server answers with what is for the site {word(said.site)}.",
            subject=site,
            next_step="Carry nothing. Tell whoever runs the server, and have the hub checked: "
            "sealift audit fsck",
        )
    memory = Memory.located(session.environment, session.terminal.note)
    if memory.known(said.organisation) is None:
        raise not_trusted(said.organisation)
    write_new(Path(out), data, mode=file_access.SHOWN_FILE)
    words = words_of(found.sha256)
    lines = [
        f"The answer to {site}, which is enrolled for {word(said.stage)}, is in {word(out)}.",
        "Carry it to the site, and read its words aloud; they are typed there:",
        f"  answer       {words}",
        "The organisation's fingerprint is typed there too, from paper and not from you.",
    ]
    told = {"site": site, "stage": said.stage, "enrolment": found.sha256, "words": words}
    session.terminal.answer("site-answer", {**told, "answer": out}, lines)
