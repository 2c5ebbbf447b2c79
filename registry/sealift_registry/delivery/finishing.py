"""Bundles that are recorded, and those that wait on a medium until their transfer is signed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, insert

from sealift_registry.catalog import discards
from sealift_registry.delivery import export_locks, tables, transfers, unsigned_transfers, witnesses
from sealift_registry.delivery.export_locks import Holding
from sealift_registry.delivery.sites import EnrolledSite, Sites
from sealift_registry.delivery.transfers import Begun
from sealift_registry.trust import readiness, submitting
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.submitting import AcceptedSubmission
from sealift_signing import roles, statements
from sealift_signing.acts.carrying import TRANSFER
from sealift_signing.canonical import Json
from sealift_signing.drafts import Draft
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, UsageError
from sealift_signing.statements import CarriedFile, Transfer
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import instant, moment
from sealift_sync.bundle import fitting
from sealift_sync.bundle.fitting import Space
from sealift_sync.bundle.writer import finish_bundle, lies_whole, sign_off
from sealift_sync.durable import BeginPhase


def survey(medium: Path, site: str) -> Space:
    """What the medium takes.

    Raises:
        NotFoundError: it is not there.
    """
    if not medium.is_dir():
        raise NotFoundError(
            "medium-missing",
            f"There is no folder {medium}.",
            subject=str(medium),
            next_step="Plug the medium in and mount it, or make the folder.",
        )
    return fitting.survey(medium, site)


def check_enrolment(begun: EnrolledSite, now: EnrolledSite) -> None:
    """Check that the site is still enrolled as it was when its export began.

    Raises:
        RefusedError: it was enrolled again.
    """
    if begun.enrolment != now.enrolment:
        raise RefusedError(
            "site-moved-on",
            f"Site {begun.id} was enrolled again meanwhile.",
            subject=begun.id,
            next_step="Run the command again.",
        )


def check_kept(
    holding: Holding,
    medium: Path,
    transfer: str,
    files: tuple[CarriedFile, ...],
    begin_phase: BeginPhase,
) -> None:
    """Check, before it is recorded, that nobody touched what was read back from `medium`.

    Where the export's locks were lost meanwhile, all of it is read back once more under new ones.

    Raises:
        FailedError: another has its locks, or it does not lie there whole any more.
    """
    if holding.was_kept() or lies_whole(medium, transfer, files, begin_phase):
        return
    raise FailedError(
        "medium-touched",
        f"The lock of {transfer} was lost for a while, and what was written of it on {medium} is "
        "not whole any more. Nothing was recorded.",
        subject=transfer,
        next_step="Run the command again: what is whole there is gone on from.",
    )


def record_bundle(hub: Hub, site: EnrolledSite, body: bytes, medium: Path, *, at_hub: bool) -> None:
    """Record a bundle that was read back from `medium`, as its transfer.json says.

    Raises:
        RefusedError: another process, which held no lock that this one knows of, was faster.
    """
    said = statements.read(Transfer, body, what="the transfer")
    transfer = said.predicate.id

    def action(connection: Connection) -> tuple[Entry, None]:
        if transfers.recorded(connection, transfer) is not None:
            raise RefusedError(
                "transfer-recorded",
                f"{transfer} was recorded meanwhile, by another command.",
                subject=transfer,
                next_step="Run the command again: it looks at what is on the medium.",
            )
        _check_there(connection, said.predicate)
        row = {"transfer": transfer, "sha256": said.sha256, "body": body}
        made = moment(hub.now())
        connection.execute(insert(tables.bundle).values(**row, medium=str(medium), made=made))
        keyid = said.envelope.keyid
        data: dict[str, Json] = {
            "sha256": said.sha256,
            "keyid": keyid,
            "medium": str(medium),
            "base": list(said.predicate.base),
            "at_hub": at_hub,
        }
        actor = dispatchers(connection, site).get(keyid, keyid)
        return entry(hub, "transfer.exported", transfer, site, actor, data), None

    hub.commit(action)
    unsigned_transfers.forget(hub, transfer)


def _check_there(connection: Connection, said: Transfer) -> None:
    """Check that nothing which a bundle carries was discarded while it was written.

    Raises:
        RefusedError: something was.
    """
    carried = {file.sha256 for file in said.files}
    for one in discards.of_all(connection).values():
        if one.sha256 in carried:
            raise one.refusal()


def entry(
    hub: Hub, kind: str, transfer: str, site: EnrolledSite, actor: str, data: Mapping[str, Json]
) -> Entry:
    """An entry about a transfer to a site."""
    said = {"transfer": transfer, "enrolment": site.enrolment, **data}
    return hub.entry(kind, actor, said, {"transfer": transfer, "site": site.id}, site.id)


def finish(hub: Hub, draft: Draft, medium: Path, begin_phase: BeginPhase) -> AcceptedSubmission:
    """Finish the bundle on `medium` whose transfer was signed elsewhere; again, it stays.

    Raises:
        NotFoundError: it is not on that medium.
        RefusedError: it is not signed by the site's dispatcher, a later one was begun, or what
            lies on the medium is not what was signed for.
    """
    body, said, site = _signed(hub, draft)
    readiness.notice(hub, (said.log.encode(), *witnesses.on_medium(medium)))
    space = survey(medium, site.id)
    with export_locks.medium(hub.database, space.identity, medium, f"for {said.id}") as holding:
        if not holding.take(said.id):
            raise FailedError(
                "medium-busy",
                f"Another export goes on with {said.id}: {hub.database.holder(said.id)}.",
                subject=said.id,
                next_step="Wait until it is done, and run the command again.",
            )
        new, folder = _finish(hub, body, said, site, medium, begin_phase, holding)
        unsigned_transfers.forget(
            hub, said.id
        )  # also where an earlier run was killed before it did
    hub.copy_metadata()
    data: dict[str, Json] = {
        "transfer": said.id,
        "site": site.id,
        "folder": str(folder),
        "files": len(said.files) + 1,
        "bytes": sum(file.size for file in said.files),
    }
    sentence = f"{said.id} is signed, and on {word(str(folder))} as it was signed for."
    then = f"At the site:  sealift-site import {pasted([str(folder)])}"
    return AcceptedSubmission(new, sentence, data, (then,))


def _finish(
    hub: Hub,
    body: bytes,
    said: Transfer,
    site: EnrolledSite,
    medium: Path,
    begin_phase: BeginPhase,
    holding: Holding,
) -> tuple[bool, Path]:
    """Whether it was recorded now, and the bundle's folder."""
    with hub.reading() as connection:
        known = transfers.recorded(connection, said.id)
        newest = transfers.newest(connection, site)
    if known is None:
        _check_open(hub, newest, said, site)

        def record() -> None:
            check_kept(holding, medium, said.id, said.files, begin_phase)
            record_bundle(hub, site, body, medium, at_hub=False)

        return True, sign_off(medium, said.id, body, said.files, begin_phase, record)
    if statements.read(Transfer, known, what=said.id).predicate != said:
        raise _moved_on(said, f"{said.id} was signed otherwise meanwhile")
    folder = finish_bundle(medium, said.id, known, said.files, begin_phase)
    if folder is None:
        raise NotFoundError(
            "no-unsigned-bundle",
            f"{said.id} is recorded, and is not on {medium}.",
            subject=said.id,
            next_step="Plug in the medium that it was written to, or export again.",
        )
    return False, folder


def _signed(hub: Hub, draft: Draft) -> tuple[bytes, Transfer, EnrolledSite]:
    """transfer.json, what it says, and the site that it is for as it is enrolled now."""
    part = draft.part(TRANSFER)
    if part is None or len(draft.parts) > 1:
        raise RefusedError(
            "draft-says-more",
            "This draft does not hold one transfer and nothing else.",
            subject=draft.act,
            next_step="Submit the file as sealift-sign wrote it.",
        )
    said, _ = statements.read_payload(Transfer, part.data, what="the transfer")
    with hub.reading() as connection:
        site = Sites(connection).get(said.site)
        body = submitting.envelope_of(connection, roles.site_role(site.id), part)
    if (said.organisation, said.enrolment) != (site.organisation, site.enrolment):
        raise _moved_on(said, f"Site {site.id} was enrolled again meanwhile")
    return body, said, site


def _check_open(hub: Hub, newest: Begun | None, said: Transfer, site: EnrolledSite) -> None:
    """Check that a transfer was begun, and that nothing has taken its place since."""
    if newest is None or newest.id != said.id or newest.enrolment != site.enrolment:
        raise _moved_on(said, f"{said.id} is not the newest transfer to {site.id} any more")
    journey = timedelta(days=hub.home.settings.delivery.freshness_days)
    if hub.now() - instant(newest.begun) >= journey:
        raise _moved_on(said, f"{said.id} was begun {newest.begun}, too long ago to travel")


def medium_needed(draft: Draft) -> UsageError:
    """The error where a transfer is submitted without the medium that it lies on."""
    return UsageError(
        "medium-needed",
        f"{' '.join(draft.object)} is finished on the medium that it was written to.",
        subject=" ".join(draft.object),
        next_step="Name it: sealift submit FILE --medium DIR",
    )


def _moved_on(said: Transfer, why: str) -> RefusedError:
    return RefusedError(
        "transfer-moved-on",
        f"{why}; what was signed is of no use now.",
        subject=said.id,
        next_step=f"Export again: sealift export {said.site} --to DIR",
    )


def dispatchers(connection: Connection, site: EnrolledSite) -> dict[str, str]:
    """The names of the site's dispatchers by the ids of their keys."""
    fleet = Repository(connection).targets(roles.FLEET).signed
    found = roles.named_keys(fleet, roles.site_role(site.id))
    return {key.keyid: name for name, key in found.items()}
