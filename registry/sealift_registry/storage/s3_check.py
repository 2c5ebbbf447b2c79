"""What is missing or wrong of a bucket, found by asking for each thing that the hub needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from sealift_registry.storage import s3_owner, s3_sending
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_calls import Patience
from sealift_signing.errors import SealiftError

HURRY = Patience(seconds=10.0, attempts=1, connect=5.0, read=15.0)
"""Who asks how a bucket is does not wait for one that is gone as a blob on its way does."""
APART = timedelta(minutes=5)
"""Clocks that are further apart are told; at fifteen minutes the server refuses everything."""


@dataclass(frozen=True)
class Finding:
    """One thing that was asked.

    Attributes:
        name: stable, for machines.
        grade: `good`; `weak`, which works and could be better; or `bad`.
        words: a sentence.
    """

    name: str
    grade: str
    words: str


def check(store: S3Blobs) -> list[Finding]:
    """Everything that the hub needs of its bucket; after what makes all else pointless it ends."""
    found = list(_reached(store))
    if found[-1].grade == "bad":
        return found
    for name, ask in (
        ("clock", _clock),
        ("versions", _versions),
        ("organisation", _organisation),
        ("write", _written),
        ("read", _read),
        ("parts", _parts),
    ):
        try:
            found += ask(store)
        except SealiftError as bad:
            found.append(Finding(name, "bad", f"{bad.what} {bad.next_step or ''}".strip()))
    return found


def _reached(store: S3Blobs) -> Iterator[Finding]:
    try:
        with store.calls.told():
            store.calls.ask("list_objects_v2", Prefix=store.address.key("sha256/"), MaxKeys=1)
    except SealiftError as bad:
        yield Finding("reach", "bad", f"{bad.what} {bad.next_step or ''}".strip())
        return
    yield Finding("reach", "good", f"{store.where} is reached, and may be listed.")


def _clock(store: S3Blobs) -> Iterator[Finding]:
    with store.calls.told():
        answer = store.calls.ask("list_objects_v2", MaxKeys=1)
    said = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    try:
        apart = abs(datetime.now(UTC) - parsedate_to_datetime(said))
    except (TypeError, ValueError):
        yield Finding("clock", "weak", "The server does not tell its time.")
        return
    if apart > APART:
        seconds = int(apart.total_seconds())
        yield Finding(
            "clock", "bad", f"Its clock and this machine's are {seconds:,} seconds apart."
        )
    else:
        yield Finding("clock", "good", "Its clock and this machine's agree.")


def _versions(store: S3Blobs) -> Iterator[Finding]:
    try:
        with store.calls.told():
            said = store.calls.ask("get_bucket_versioning").get("Status", "")
    except SealiftError:
        yield Finding("versions", "weak", "Whether it keeps versions, it does not tell.")
        return
    if said == "Enabled":
        yield Finding("versions", "good", "It keeps every version of an object.")
    else:
        yield Finding(
            "versions",
            "weak",
            "It keeps no versions: what is overwritten or removed there is lost. Turn them on "
            "with: sealift blobs init",
        )


def _organisation(store: S3Blobs) -> Iterator[Finding]:
    with store.calls.told():
        found = s3_owner.owner(store.calls)
    if found is not None and store.organisation and found != store.organisation:
        raise s3_owner.not_ours(store.where, found)
    if found and not store.organisation:
        words = f"A hub keeps its blobs there: that of the organisation {found[:12]}."
        yield Finding("organisation", "weak", words)
        return
    words = "This hub's marker lies there." if found else "No hub has written there yet."
    yield Finding("organisation", "good", words)


def _written(store: S3Blobs) -> Iterator[Finding]:
    with store.calls.told():
        behaves = s3_sending.probe(store.calls)
    yield Finding("write", "good", "It may be written to.")
    yield (
        Finding("conditions", "good", "It does not write over what is there (If-None-Match).")
        if behaves.conditions
        else Finding(
            "conditions",
            "weak",
            "It ignores conditions: the hub asks before and after each blob whether it is there.",
        )
    )
    yield (
        Finding("checksums", "good", "It refuses bytes that do not have the checksum sent along.")
        if behaves.checksums
        else Finding(
            "checksums",
            "weak",
            "It takes bytes with a wrong checksum: the hub reads back each blob that it sends.",
        )
    )


def _read(store: S3Blobs) -> Iterator[Finding]:
    key = store.address.key(s3_sending.PROBE)
    with store.calls.told():
        answer = store.calls.ask("get_object", Key=key, Range="bytes=1-3")
        with answer["Body"] as body:
            data = body.read()
    if data == s3_sending.PROBED[1:4]:
        yield Finding("read", "good", "It may be read, a part of an object, too.")
    else:
        yield Finding(
            "read", "bad", "Asked for a part of an object, it gives something else: see ADR 45."
        )


def _parts(store: S3Blobs) -> Iterator[Finding]:
    key, calls = store.address.key(s3_sending.PROBE), store.calls
    with calls.told():
        upload = calls.ask("create_multipart_upload", Key=key)["UploadId"]
        calls.ask("abort_multipart_upload", Key=key, UploadId=upload)
    yield Finding("parts", "good", "Uploads in parts may be begun and aborted.")
