"""How an S3 server behaves: it is asked, for documentation is of another version than what answers.

Of what a server may do about a condition or a checksum, three things are told apart: it heeds it;
it ignores it, and takes what it should refuse; or it refuses every request that has one. The last
are asked without. An object in one piece and one of parts are apart, for servers are.
"""

from __future__ import annotations

import base64
import zlib
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import md5, sha256
from typing import Any, Literal

from sealift_registry.storage import s3_faults
from sealift_registry.storage.s3_calls import Calls

PROBE = "sealift-probe"
"""The name of the object by which it is found out; it means nothing else."""
PROBED = b"Sealift asks with this object what the server checks. It may be removed.\n"
OTHER = b"other bytes"
TRIED = 3
"""How often what should be taken is sent, before it is believed that it arrived as it was sent."""

Heed = Literal["heeded", "ignored", "refused"]
Checksum = Literal["sha256", "crc32", "md5", ""]
"""By which bytes are named to the server; the empty one by nothing."""


@dataclass(frozen=True)
class Behaviour:
    """What a server does with an object that is sent in one piece.

    Attributes:
        condition: that it writes nothing over what is there (If-None-Match).
        checksum: that it takes only what has the SHA-256 that was sent along.
        named: the checksum that it is sent. A bucket with object lock takes nothing without one.
    """

    condition: Heed
    checksum: Heed
    named: Checksum = "sha256"

    @property
    def conditions(self) -> bool:
        """Whether it can be asked not to write over what is there."""
        return self.condition == "heeded"

    @property
    def checksums(self) -> bool:
        """Whether what it took is what was sent."""
        return self.checksum == "heeded"


@dataclass(frozen=True)
class PartsBehaviour:
    """What a server does with an object that is sent in parts.

    Attributes:
        condition: that it completes nothing over what is there (If-None-Match).
        part: that it takes only a part that has the CRC32 that was sent along.
        whole: that it completes only what has the CRC32 of the whole.
        named: the checksum that it is sent with each part.
    """

    condition: Heed
    part: Heed
    whole: Heed
    named: Checksum = "crc32"

    @property
    def conditions(self) -> bool:
        """Whether it can be asked not to complete it over what is there."""
        return self.condition == "heeded"

    @property
    def checksums(self) -> bool:
        """Whether what it completed is what was sent."""
        return "heeded" in {self.part, self.whole}


def checksum(data: bytes, named: Checksum) -> dict[str, str]:
    """What names `data` in a request.

    MD5 is for servers that know no other. That they heed it is not asked, and nothing is believed
    for it.
    """
    if named == "sha256":
        return {"ChecksumSHA256": _base64(sha256(data).digest())}
    if named == "crc32":
        return {"ChecksumCRC32": crc32(zlib.crc32(data))}
    if named == "md5":
        return {"ContentMD5": _base64(md5(data, usedforsecurity=False).digest())}
    return {}


def crc32(number: int) -> str:
    """A CRC32 as S3 has it."""
    return _base64(number.to_bytes(4, "big"))


def crc32_of(part: dict[str, Any]) -> int:
    """The CRC32 of a part that was sent with it, as a number."""
    return int.from_bytes(base64.b64decode(part["ChecksumCRC32"]))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


Said = Literal["done", "exists", "wrong", "refused"]


def _said(calls: Calls, operation: str, **given: Any) -> Said:  # noqa: ANN401 - botocore's own
    """What the server made of a request about the probe; anything else is an error.

    That it arrived wrong is an answer here, and not asked again.
    """
    try:
        calls.ask(operation, _passes, Key=calls.address.key(PROBE), **given)
    except Exception as bad:
        if s3_faults.exists(bad):
            return "exists"
        if s3_faults.arrived_wrong(bad):
            return "wrong"
        if is_refused(bad):
            return "refused"
        raise
    return "done"


def _passes(bad: BaseException) -> bool:
    return s3_faults.passes(bad) and not s3_faults.arrived_wrong(bad)


def is_refused(bad: Exception) -> bool:
    """Whether a server may have meant a header, which it does not know, and not who asks, or when.

    Each has its own word for that: 501 NotImplemented, 400 InvalidArgument, InvalidRequest and
    others. Whoever asks again without that header sees whether it was meant.
    """
    if s3_faults.passes(bad) or s3_faults.status_of(bad) not in {400, 501}:
        return False
    # Nothing else is known to be meant.
    return s3_faults.said(bad, "").code in {"blobs-failed", "blobs-request-refused"}


_ONCE = {"IfNoneMatch": "*"}


# ------------------------------------------------------------------ in one piece


def probe(calls: Calls) -> Behaviour:
    """Find out what the server does with an object in one piece; the probe is there afterwards.

    Raises:
        Exception: botocore's own, where nothing can be written at all.
    """
    ways: tuple[Checksum, ...] = ("sha256", "md5", "")
    for named in ways:
        for asked in (True, False):
            found = _put(calls, named, asked=asked)
            if found is not None:
                return found
    calls.ask("put_object", Key=calls.address.key(PROBE), Body=PROBED)
    return Behaviour("refused", "refused", "")


def _put(calls: Calls, named: Checksum, *, asked: bool) -> Behaviour | None:
    """What it does with this checksum, and with a condition if that is asked; None: it refuses."""
    put, right = partial(_said, calls, "put_object", Body=PROBED), checksum(PROBED, named)
    condition: Heed = "refused"
    said = _unless_wrong(put, **right, **(_ONCE if asked else {}))
    if asked and said == "done":  # it was not there before, or it was written over
        said = put(**right, **_ONCE)
    if said in {"refused", "wrong"}:
        return None
    if asked:
        condition = "heeded" if said == "exists" else "ignored"
    found = put(**checksum(OTHER, named)) if named == "sha256" else "refused"
    if found == "wrong":
        return Behaviour(condition, "heeded", named)
    if found == "done":
        return Behaviour(condition, "ignored", named)
    # It refuses the wrong one with a word of its own; or else all, once a condition is met.
    if _unless_wrong(put, **right) != "done":
        return None
    return Behaviour(condition, "heeded" if named == "sha256" else "refused", named)


def _unless_wrong(ask: partial[Said], **given: str) -> Said:
    """What it says to what is right; a connection that spoils bytes now and then is no server."""
    said: Said = "wrong"
    for _ in range(TRIED):
        if said == "wrong":
            said = ask(**given)
    return said


# ------------------------------------------------------------------ in parts


def probe_parts(calls: Calls) -> PartsBehaviour:
    """Find out what the server does with parts; the probe must be there.

    Raises:
        Exception: botocore's own, where nothing can be sent in parts.
    """
    ways: tuple[tuple[Checksum, bool], ...] = (
        *(("crc32", True), ("crc32", False)),
        *(("md5", False), ("", False)),
    )
    for named, full in ways:
        found = _Parts(calls, named, full=full).found()
        if found is not None:
            return found
    calls.ask("create_multipart_upload", Key=calls.address.key(PROBE))
    return PartsBehaviour("refused", "refused", "refused", "")


def beginning(behaviour: PartsBehaviour) -> dict[str, str]:
    """With what an upload in parts is begun."""
    if behaviour.named != "crc32":
        return {}
    whole = {} if behaviour.whole == "refused" else {"ChecksumType": "FULL_OBJECT"}
    return {"ChecksumAlgorithm": "CRC32", **whole}


def is_whole(begun: dict[str, Any]) -> bool:
    """Whether the upload that was begun is completed with the checksum of the whole."""
    return begun.get("ChecksumType") == "FULL_OBJECT"


class _Parts:
    """Uploads of the probe in one part, each with this checksum; none of them stays."""

    def __init__(self, calls: Calls, named: Checksum, *, full: bool) -> None:
        self._calls, self._named = calls, named
        self._key = calls.address.key(PROBE)
        heed: Heed = "heeded" if full else "refused"
        self._begins = beginning(PartsBehaviour("heeded", "heeded", heed, named))
        self._full = False

    def found(self) -> PartsBehaviour | None:
        """What the server does; None where it refuses one of these checksums."""
        part = self._part()
        if part is None:
            return None
        whole: Heed = "refused"
        if "ChecksumType" in self._begins:
            whole = "ignored"
        if self._full:
            said = self._completed(OTHER)
            whole = "ignored" if said == "done" else "heeded"
            if said == "refused" and self._completed(PROBED) != "done":
                return None  # not the wrong one: any
        said = self._completed(PROBED, **_ONCE)
        conditions: dict[Said, Heed] = {"exists": "heeded", "done": "ignored"}
        return PartsBehaviour(conditions.get(said, "refused"), part, whole, self._named)

    def _part(self) -> Heed | None:
        """What it does with a part whose checksum is wrong; None where it takes none at all."""
        upload = self._begun()
        if upload is None:
            return None
        try:
            send = partial(
                _said, self._calls, "upload_part", UploadId=upload, PartNumber=1, Body=PROBED
            )
            wrong = send(**checksum(OTHER, self._named)) if self._named == "crc32" else "refused"
            if _unless_wrong(send, **checksum(PROBED, self._named)) != "done":
                return None
        finally:
            self._abort(upload)
        if self._named != "crc32":
            return "refused"
        return "ignored" if wrong == "done" else "heeded"

    def _begun(self) -> str | None:
        try:
            answer = self._calls.ask("create_multipart_upload", Key=self._key, **self._begins)
        except Exception as bad:
            if is_refused(bad):
                return None
            raise
        self._full = is_whole(answer)
        return str(answer["UploadId"])

    def _completed(self, whole: bytes, **more: str) -> Said:
        """What it says when one is completed that has `whole`, by its checksum."""
        upload, named = self._begun(), checksum(PROBED, self._named)
        if upload is None:
            return "refused"
        if self._full:
            more |= {"ChecksumType": "FULL_OBJECT", **checksum(whole, "crc32")}
        try:
            part = self._calls.ask(
                "upload_part",
                Key=self._key,
                UploadId=upload,
                PartNumber=1,
                Body=PROBED,
                **named,
            )
            return _said(
                self._calls,
                "complete_multipart_upload",
                UploadId=upload,
                MultipartUpload={"Parts": [part_of(1, part["ETag"], named)]},
                **({"MpuObjectSize": len(PROBED)} if self._full else {}),
                **more,
            )
        finally:
            self._abort(upload)

    def _abort(self, upload: str) -> None:
        """Of one that was completed there is nothing to abort."""
        with suppress(Exception):
            self._calls.client.abort_multipart_upload(
                Bucket=self._calls.address.bucket, Key=self._key, UploadId=upload
            )


def part_of(number: int, etag: str, named: dict[str, str]) -> dict[str, Any]:
    """A part, as it is named when the upload is completed: there, MD5 is no checksum."""
    sums = {name: value for name, value in named.items() if name != "ContentMD5"}
    return {"PartNumber": number, "ETag": etag, **sums}
