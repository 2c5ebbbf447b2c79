"""What is missing or wrong of a bucket, found by asking for each thing that the hub needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sealift_registry.storage import s3_answers, s3_behaviour, s3_owner
from sealift_registry.storage.s3_behaviour import Heed
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_calls import Patience
from sealift_signing.errors import RefusedError, SealiftError

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
            if isinstance(bad, RefusedError):  # it is another's: nothing is written there
                break
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
        answer = store.calls.ask("list_objects_v2", Prefix=store.address.key("sha256/"), MaxKeys=1)
    said = s3_answers.server_time(answer)
    if said is None:
        yield Finding("clock", "weak", "The server does not tell its time.")
        return
    apart = abs(datetime.now(UTC) - said)
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
        behaves = s3_behaviour.probe(store.calls)
    yield Finding("write", "good", "It may be written to.")
    yield _finding("conditions", behaves.condition, _CONDITIONS)
    yield _finding("checksums", behaves.checksum, _CHECKSUMS)


def _parts(store: S3Blobs) -> Iterator[Finding]:
    with store.calls.told():
        behaves = s3_behaviour.probe_parts(store.calls)
    yield Finding("parts", "good", "Uploads in parts may be begun, completed and aborted.")
    yield _finding("parts-conditions", behaves.condition, _PARTS_CONDITIONS)
    yield _finding("parts-checksums", behaves.part, _PARTS_CHECKSUMS[behaves.checksums])
    yield _finding("whole-checksums", behaves.whole, _WHOLE_CHECKSUMS[behaves.checksums])


def _finding(name: str, heed: Heed, words: Mapping[Heed, str]) -> Finding:
    return Finding(name, "good" if heed == "heeded" else "weak", words[heed])


_ASKED: Final = "the hub asks before and after each whether it is there."
_CONDITIONS: Mapping[Heed, str] = {
    "heeded": "It does not write over what is there (If-None-Match).",
    "ignored": f"It ignores conditions (If-None-Match), and writes over what is there: {_ASKED}",
    "refused": f"It refuses requests with a condition (If-None-Match): {_ASKED}",
}
_PARTS_CONDITIONS: Mapping[Heed, str] = {
    "heeded": "It completes no upload in parts over what is there (If-None-Match).",
    "ignored": f"It ignores conditions when it completes an upload in parts: {_ASKED}",
    "refused": f"It refuses to complete an upload in parts with a condition: {_ASKED}",
}
_READ_BACK: Final = "the hub reads back and hashes each blob that it sends"
_CHECKSUMS: Mapping[Heed, str] = {
    "heeded": "It refuses bytes that do not have the checksum sent along (SHA-256).",
    "ignored": f"It takes bytes with a wrong checksum (SHA-256): {_READ_BACK} in one piece.",
    "refused": f"It refuses requests with a checksum (SHA-256): {_READ_BACK} in one piece.",
}
_BY_WHOLE: Final = "the hub relies on the checksum of the whole."
_BY_PARTS: Final = "the hub relies on those of the parts."
_PARTS_CHECKSUMS: Mapping[bool, Mapping[Heed, str]] = {
    False: {
        "ignored": f"It takes parts with a wrong checksum (CRC32): {_READ_BACK} in parts.",
        "refused": f"It refuses parts with a checksum (CRC32): {_READ_BACK} in parts.",
    },
    True: {
        "heeded": "It refuses parts that do not have the checksum sent along (CRC32).",
        "ignored": f"It takes parts with a wrong checksum (CRC32): {_BY_WHOLE}",
        "refused": f"It refuses parts with a checksum (CRC32): {_BY_WHOLE}",
    },
}
_WHOLE_CHECKSUMS: Mapping[bool, Mapping[Heed, str]] = {
    False: {
        "ignored": f"It does not check an upload in parts as a whole either: {_READ_BACK}.",
        "refused": f"It refuses a checksum of a whole upload in parts, too: {_READ_BACK}.",
    },
    True: {
        "heeded": "It refuses an upload in parts that as a whole has another checksum.",
        "ignored": f"It does not check an upload in parts as a whole: {_BY_PARTS}",
        "refused": f"It refuses a checksum of a whole upload in parts: {_BY_PARTS}",
    },
}


def _read(store: S3Blobs) -> Iterator[Finding]:
    key = store.address.key(s3_behaviour.PROBE)
    with store.calls.told():
        answer = store.calls.ask("get_object", Key=key, Range="bytes=1-3")
        with answer["Body"] as body:
            data = body.read()
    if data == s3_behaviour.PROBED[1:4]:
        yield Finding("read", "good", "It may be read, a part of an object, too.")
    else:
        yield Finding(
            "read", "bad", "Asked for a part of an object, it gives something else: see ADR 45."
        )
