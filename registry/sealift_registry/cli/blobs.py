"""`sealift blobs`: where models are kept: the bucket, what is lost, and bringing it back."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift_registry.cli.again import again, at_home
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_signing.drawing import word
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from sealift_registry.blob_fsck import Found, Loss, Part
    from sealift_registry.blob_mend import Mended
    from sealift_registry.storage.s3_address import S3Address
    from sealift_sync.blobs import BlobStore

_FAULTS = {
    "missing": "is missing",
    "damaged": "is damaged: its bytes are not those of its digest",
    "unreadable": "cannot be read",
}


_KINDS = {
    "source-record": "a source's record",
    "goldens": "goldens",
    "manifest": "a manifest",
    "file": "a file",
    "picture": "the picture of a proof",
    "check-rows": "check rows",
}
MOST_TOLD = 10
"""Forms that were discarded, each in a sentence; machines are told all."""
FROM_HUB = "sealift blobs mend --from-hub"


@sealift.group()
def blobs() -> None:
    """Check where models are kept, and mend it."""


@command(
    blobs,
    "init",
    example="sealift blobs init --blobs s3://acme-models/hub --blobs-endpoint https://s3.acme.example",
)
@click.option("--blobs", "url", metavar="URL", help="s3://BUCKET/PREFIX. [default: blobs.url]")
@click.option("--blobs-endpoint", "endpoint", metavar="URL", help="The server's address.")
@click.option("--blobs-region", "region", metavar="REGION", help="Its region.")
@click.option(
    "--object-lock-days",
    type=click.IntRange(1, 36_500),
    metavar="N",
    help="Have the server keep each version for N days, whoever asks to remove it.",
)
def blobs_init(
    session: Session,
    *,
    url: str | None,
    endpoint: str | None,
    region: str | None,
    object_lock_days: int | None,
) -> None:
    """Make the bucket, which keeps versions.

    One that is there is given versions.

    Before there is a hub it is named by --blobs, and afterwards by the hub's settings.
    """
    from sealift_registry.storage import buckets

    address = _address(session, url, endpoint, region)
    new = buckets.make(address, object_lock_days)
    made = "is made" if new else "was there"
    lines = [f"The bucket {address.bucket} {made}, and keeps versions."]
    if object_lock_days is not None:
        days = counted(object_lock_days, "day")
        lines.append(f"  Each version is kept for {days}, whoever asks to remove it.")
    lines += ["", again("Next: sealift blobs check")]
    data = {"bucket": address.bucket, "new": new, "object_lock_days": object_lock_days}
    session.terminal.answer("blobs-init", data, lines)


def _address(
    session: Session, url: str | None, endpoint: str | None, region: str | None
) -> S3Address:
    from sealift_registry.storage.s3_address import s3_address
    from sealift_signing.errors import UsageError

    if url:
        return s3_address(url, endpoint or "", region or "")
    address = session.app.hub.home.settings.blobs.address
    if address is None:
        raise UsageError(
            "blobs-in-home",
            "This hub keeps its blobs in its home, where no bucket is needed.",
            next_step="Name one with --blobs s3://BUCKET/PREFIX for a hub that is to be set up.",
        )
    return address


@command(blobs, "check", example="sealift blobs check")
@click.option("--blobs", "url", metavar="URL", help="s3://BUCKET/PREFIX. [default: blobs.url]")
@click.option("--blobs-endpoint", "endpoint", metavar="URL", help="The server's address.")
@click.option("--blobs-region", "region", metavar="REGION", help="Its region.")
def blobs_check(
    session: Session, *, url: str | None, endpoint: str | None, region: str | None
) -> None:
    """Say what is missing of where blobs are kept.

    Of a bucket: whether it is reached, keeps versions, heeds conditions and checksums, has the same
    time, and lets these credentials list, write, read and abort. With --blobs, before anything is
    there.
    """
    from sealift_registry.storage.s3_blobs import S3Blobs
    from sealift_registry.storage.s3_check import HURRY, Finding, check
    from sealift_signing.errors import RefusedError

    store = _to_check(session, url, endpoint, region)
    if isinstance(store, S3Blobs):
        work = session.root / "work"  # nothing is put aside there
        found = check(S3Blobs(store.address, work, store.organisation, HURRY))
    else:
        there = counted(sum(1 for _ in store.digests()), "blob")
        found = [Finding("reach", "good", f"{store.where} is a folder of the home, with {there}.")]
    found = [replace(one, words=again(one.words, store.where)) for one in found]
    marks = {"good": "ok  ", "weak": "weak", "bad": "BAD "}
    lines = [f"{marks[one.grade]}  {one.words}" for one in found]
    bad = [one for one in found if one.grade == "bad"]
    told = [asdict(one) for one in found]
    data = {"where": store.where, "findings": told, "ok": not bad}
    session.terminal.answer("blobs-check", data, lines)
    if bad:
        raise RefusedError(
            "blobs-not-usable",
            f"The hub cannot keep blobs at {store.where}: {counted(len(bad), 'thing')} must be "
            "mended.",
            subject=store.where,
            next_step="Do what is said above, and check again: sealift blobs check",
        )
    if weak := sum(one.grade == "weak" for one in found):
        things = counted(weak, "thing")
        session.terminal.note(("", f"Warning: it can be used, but {things} could be better."))


def _to_check(
    session: Session, url: str | None, endpoint: str | None, region: str | None
) -> BlobStore:
    """The store that is named; else the hub's."""
    from sealift_registry.storage.home import open_home
    from sealift_registry.storage.s3_address import s3_address
    from sealift_registry.storage.s3_blobs import S3Blobs
    from sealift_signing.errors import NotFoundError, UsageError

    if not url:
        if endpoint or region:
            raise UsageError(
                "check-where",
                "A server or a region is named, and no store of blobs there.",
                next_step="Name it too: --blobs s3://BUCKET/PREFIX",
            )
        return session.app.hub.home.blobs
    address = s3_address(url, endpoint or "", region or "")
    try:
        open_home(session.root, session.environment)
    except NotFoundError:  # before there is a hub
        return S3Blobs(address, session.root)
    return S3Blobs(address, session.root, session.app.hub.home.organisation)


@command(blobs, "fsck", example="sealift blobs fsck")
def blobs_fsck(session: Session) -> None:
    """Hash every blob, and name what is lost.

    Every blob that rows name is hashed; told are the versions that lost something.
    """
    from sealift_registry.blob_fsck import examine

    with session.terminal.phases() as begin_phase:
        found = examine(session.app.hub, begin_phase)
    lines = [_sentence(one) for one in found.losses] or [_whole(found)]
    lines += _discarded(found)
    lines += _what_to_do(session, found)
    session.terminal.answer("blobs-fsck", _json(found), lines)
    _refuse(found)


@command(
    blobs, "mend", example="sealift blobs mend --from-bundle /media/disk/sealift/plant-7-000001"
)
@click.option("--from-blobs", metavar="URL|FOLDER", help="Another store, or a folder of blobs.")
@click.option("--from-bundle", metavar="DIR", help="A bundle on a medium.")
@click.option("--from-hub", is_flag=True, help="What the hub has itself: see above.")
@click.option("--blobs-endpoint", "endpoint", metavar="URL", help="The other store's server.")
@click.option("--blobs-region", "region", metavar="REGION", help="Its region.")
def blobs_mend(
    session: Session,
    *,
    from_blobs: str | None,
    from_bundle: str | None,
    from_hub: bool,
    endpoint: str | None,
    region: str | None,
) -> None:
    """Bring back blobs that are lost or damaged.

    Whatever comes is hashed. --from-hub takes older versions in a bucket that keeps them, draws
    the pictures of proofs again, and builds variants again from their sources, which makes the same
    bytes. What nothing has, its source may have: for that the command is printed which ingests the
    version again.
    """
    from sealift_registry.blob_mend import check_bundle, mend, mend_from_hub
    from sealift_signing.errors import UsageError

    if [bool(from_blobs), bool(from_bundle), from_hub].count(True) != 1:
        raise UsageError(
            "mend-from",
            "Say from where: either --from-blobs, or --from-bundle, or --from-hub.",
            next_step="See: sealift blobs mend --help",
        )
    hub = session.app.hub
    hub.home.sweep()
    source: BlobStore | Path | None = None
    if from_bundle:
        source = check_bundle(Path(from_bundle))
    elif from_blobs:
        source = _other(session, from_blobs, endpoint, region)
    with session.terminal.phases() as begin_phase:
        if source is None:
            done = mend_from_hub(hub, session.app.conversion.rebuild, begin_phase)
        else:
            done = mend(hub, source, begin_phase)
    _tell_mended(session, done)
    _refuse(done.found)


def _tell_mended(session: Session, done: Mended) -> None:
    lines = [
        f"The blob {one.sha256[:12]} of {', '.join(one.of)} is whole again, {where}."
        for one, where in done.back.values()
    ]
    lines += done.told
    lines += [_sentence(one) for one in done.found.losses] or [_whole(done.found)]
    lines += _discarded(done.found)
    lines += _what_to_do(session, done.found)
    whence = {digest: where for digest, (_, where) in done.back.items()}
    data = {**_json(done.found), "mended": list(done.back), "whence": whence, "told": done.told}
    session.terminal.answer("blobs-mend", data, lines)


def _other(session: Session, named: str, endpoint: str | None, region: str | None) -> BlobStore:
    """The store to mend from: only read."""
    from sealift_registry.blob_mend import check_folder
    from sealift_registry.storage.s3_address import SCHEME, s3_address
    from sealift_registry.storage.s3_blobs import S3Blobs

    if not named.startswith(SCHEME):
        return check_folder(Path(named))
    ours = session.app.hub.home.settings.blobs
    address = s3_address(named, endpoint or ours.endpoint, region or ours.region)
    return S3Blobs(address, session.app.hub.home.work)


def _what_to_do(session: Session, found: Found) -> list[str]:
    """For each kind of loss what gives it back, where no other store and no medium does."""
    from_hub, from_sources = False, dict[str, bool]()
    for one in found.losses:
        theirs = [part for part in one.parts if not _is_of_hub(part)]
        from_hub = from_hub or one.older or not theirs
        for part in theirs:
            version = part.path.full_version
            from_sources[version] = from_sources.get(version, False) or part.kind == "goldens"
    ways = list[str]()  # sources first, from which others are built again
    for version, with_goldens in sorted(from_sources.items()):
        ways += _from_source(session, version, with_goldens=with_goldens)
    ways += [f"  {again(FROM_HUB)}"] * from_hub
    return ["", "What brings it back:", *ways] if ways else []


def _is_of_hub(part: Part) -> bool:
    """Whether the hub can make it again from what it has."""
    made = part.kind in {"picture", "check-rows", "source-record"}
    return made or (part.kind != "goldens" and not part.path.is_source)


def _from_source(session: Session, name: str, *, with_goldens: bool) -> list[str]:
    """How a version that lost something is ingested again."""
    from sealift_registry.catalog.catalog import Catalog
    from sealift_registry.catalog.reference import VersionRef
    from sealift_registry.intake.source import SourceRecord
    from sealift_signing import shape
    from sealift_signing.errors import SealiftError

    try:
        ref = VersionRef.parse(name)
        with session.app.hub.reading() as connection:
            source = Catalog(connection).version(ref).source
        record = shape.read(SourceRecord, source, what="the source's record")
    except SealiftError:
        return []
    line = f"  {word(record.locator)}: sealift ingest {record.kind} … --as {ref.of}"
    aside = "     (--goldens only if it was given then)" * with_goldens
    return [line + " --goldens FILE" * with_goldens + at_home() + aside]


def _whole(found: Found) -> str:
    from sealift_sync.pace import megabytes

    return f"{counted(found.blobs, 'blob')} hashed, {megabytes(found.size)}: whole."


def _discarded(found: Found) -> list[str]:
    """What is looked for no more, and is no loss."""
    told = [f"{one.words} Its files are not looked for." for one in found.discarded[:MOST_TOLD]]
    more = len(found.discarded) - len(told)
    if more:
        told.append(f"So it is with {counted(more, 'more form')}:  sealift list")
    return told


def _sentence(one: Loss) -> str:
    kinds = " and ".join(dict.fromkeys(_KINDS[part.kind] for part in one.parts))
    older = " The bucket has older versions of it." if one.older else ""
    what = f"The blob {one.sha256[:12]} of {', '.join(one.of)} ({kinds})"
    return f"{what} {_FAULTS[one.fault]}.{older}"


def _json(found: Found) -> dict[str, Any]:
    losses = [
        {
            "sha256": one.sha256,
            "fault": one.fault,
            "of": list(one.of),
            "parts": [{"kind": part.kind, "path": str(part.path)} for part in one.parts],
            "older_versions": one.older,
        }
        for one in found.losses
    ]
    return {
        "blobs": found.blobs,
        "bytes": found.size,
        "lost": losses,
        "discarded": [str(one.path) for one in found.discarded],
        "ok": not found.losses,
    }


def _refuse(found: Found) -> None:
    from sealift_signing.errors import RefusedError

    if found.losses:
        versions = {one for loss in found.losses for one in loss.of}
        raise RefusedError(
            "blobs-lost",
            f"Lost or damaged: {counted(len(found.losses), 'blob')} of "
            f"{counted(len(versions), 'version')}.",
            next_step="Do what is said above; or bring back from a copy or a medium what that has: "
            "sealift blobs mend --help",
        )
