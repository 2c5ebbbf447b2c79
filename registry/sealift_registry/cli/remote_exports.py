"""`sealift export` of a hub behind its server: written there by a job, signed for at a desk.

Whoever dispatches names a folder, never a path: the hub's settings say where it lies. Their key
stays at their desk. What they sign is the draft of the bundle that a job wrote, through their own
gate; what lies in the folder is compared with that at the hub, and finished there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sealift_registry.cli import asking_jobs, at_desk, exporting, remote, remote_jobs
from sealift_registry.client import faults
from sealift_registry.client.address import address_of
from sealift_signing.vocabulary import TRANSFER_ID, site_of

if TYPE_CHECKING:
    from sealift_registry.cli.session import Session
    from sealift_registry.cli.signing import Signing


def export(
    session: Session, site: str, said: Mapping[str, Any], how: Signing, detached: int | None
) -> None:
    """Have a bundle written, and sign for it here, where a key is named; else write its draft.

    What was written already and waits is not written again: the same draft is given out.

    Args:
        session: the command's.
        site: for whom it is.
        said: the folder's name, and what is left out or not.
        how: by the command's options.
        detached: the job's priority, where it is asked for alone.

    Raises:
        UsageError: several keys are named, or the hub is to sign.
        SealiftError: the server's, the job's, or as `at_desk.sign`.
    """
    from sealift_signing.acts.material import Ask  # which loads what signs

    at_desk.check_here(how)
    exporting.check_one_key(how)
    path = address_of("sites", site, "exports")
    if detached is not None:
        asking_jobs.ask(session, path, said, detached)
        return
    job, made = asking_jobs.done(session, path, said)
    if "bundle" not in made:  # it was signed for meanwhile
        lines = () if session.terminal.as_json else remote_jobs.came(session, job)
        session.terminal.answer("export", remote.without_schema(made), lines)
        return
    ask = Ask("transfer", (_transfer(session, site, made),))
    draft = session.remote.transfer_draft(*ask.object)
    if not how.keys:
        at_desk.write_draft(session, draft, ask, how, (), ())
        return
    signed, _ = at_desk.sign(session, draft, ask, how)
    at_desk.tell(session, at_desk.hand_in(session, signed))


def _transfer(session: Session, site: str, made: Mapping[str, Any]) -> str:
    """The transfer that was written, which is to be the site's: by its name it is signed for.

    Raises:
        MalformedError: it is another's, or none.
    """
    said = made.get("object")
    name = said[0] if isinstance(said, list) and len(said) == 1 else None
    if not (isinstance(name, str) and TRANSFER_ID.matches(name) and site_of(name) == site):
        raise faults.odd(str(session.server), "with what is no transfer of that site's")
    return name
