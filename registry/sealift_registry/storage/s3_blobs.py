"""Blobs on an S3 server: each is one object, `PREFIX/sha256/DIGEST`, uploaded once.

What is trusted of a server: that what it says it has, it keeps. What not: that bytes are right, in
either direction; they are hashed here. That it heeds conditions and checksums is found out, once a
process (docs/adr/0045-blobs-on-s3.md).
"""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from sealift_registry.storage import s3_behaviour, s3_faults, s3_lists, s3_owner, s3_sending
from sealift_registry.storage.s3_address import S3Address
from sealift_registry.storage.s3_behaviour import Behaviour, PartsBehaviour
from sealift_registry.storage.s3_calls import ASKED, HANDS, Calls, Patience
from sealift_registry.storage.s3_reading import open_object
from sealift_registry.storage.s3_sending import PART, Sending, Source
from sealift_registry.storage.workspace import workspace
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, SealiftError
from sealift_signing.vocabulary import SHA256
from sealift_sync import durable, stream
from sealift_sync.blobs import (
    SMALL,
    Blob,
    Fault,
    Relied,
    check_digest,
    damaged,
    nobody_removes,
    open_regular,
    too_large,
    unreadable,
)
from sealift_sync.durable import Progress

ABANDONED = timedelta(days=7)
"""An upload in parts that was begun earlier is aborted. Whether a process still goes on with it the
server does not know: within a week 5 TiB are sent at 9 MB/s, and what is slower ends in an error.
"""
SWEPT_EVERY = 24 * 60 * 60
"""Seconds between two sweeps."""
SWEPT = "blobs-swept"
WORTH_A_LIST = 400
"""From so many digests on, what is there is listed: a thousand in one answer."""


class S3Blobs:
    """Blobs at `address`.

    Args:
        address: the bucket and the prefix.
        work: the hub's folder of work.
        organisation: whose hub it is; what is written is refused where another's marker lies.
            Empty: it is not known, and nothing can be written.
        relied: told what others may not remove from there.
    """

    def __init__(
        self,
        address: S3Address,
        work: Path,
        organisation: str = "",
        patience: Patience | None = None,
        *,
        relied: Relied = nobody_removes,
    ) -> None:
        self.address = address
        self.organisation = organisation
        self.calls = Calls(address, patience or Patience())
        self._work = work
        self.relied = relied

    @property
    def where(self) -> str:
        """The bucket, the prefix, and the server where it is named."""
        return self.address.where

    def check_ours(self) -> None:
        """Check that it is there, and not another's; nothing is written.

        Raises:
            RefusedError: another organisation keeps its blobs there.
            FailedError: it cannot be reached.
        """
        with self.calls.told():
            self.calls.ask("list_objects_v2", Prefix=self.address.key("sha256/"), MaxKeys=1)
            found = s3_owner.owner(self.calls)
        if found not in {None, self.organisation}:
            raise s3_owner.not_ours(self.where, str(found))

    def claim(self) -> None:
        """Say whose blobs these are, unless it was said before; RefusedError if another's."""
        with self.calls.told():
            s3_owner.claim(self.calls, self.organisation, lambda: self._probed)

    @cached_property
    def behaviour(self) -> Behaviour:
        """How the server behaves; asked when something is first written, with whose it is."""
        self.claim()
        return self._probed

    @cached_property
    def _probed(self) -> Behaviour:
        with self.calls.told():
            return s3_behaviour.probe(self.calls)

    @cached_property
    def parts_behaviour(self) -> PartsBehaviour:
        """The same for objects in parts; asked when the first of them is sent."""
        _ = self.behaviour  # this is ours, and the probe is there
        with self.calls.told():
            return s3_behaviour.probe_parts(self.calls)

    def key(self, digest: str) -> str:
        """The key of the blob with this digest."""
        check_digest(digest)
        return self.address.key(f"sha256/{digest}")

    def has(self, digest: str) -> bool:
        """Whether the server says that it has it."""
        return self._size(digest) is not None

    def size(self, digest: str) -> int:
        """The blob's size in bytes, as the server has it."""
        found = self._size(digest)
        if found is None:
            raise self.missing(digest)
        return found

    def _size(self, digest: str) -> int | None:
        with self.calls.told():
            try:
                return int(self.calls.ask("head_object", Key=self.key(digest))["ContentLength"])
            except Exception as bad:
                if s3_faults.is_missing(bad):
                    self._bucket_is_there(bad)
                    return None
                raise

    @cached_property
    def _bucket(self) -> None:
        self.calls.ask("list_objects_v2", Prefix=self.address.key("sha256/"), MaxKeys=1)

    def _bucket_is_there(self, bad: Exception) -> None:
        """To HEAD, servers answer 404 without a word: of a bucket that is not there, too."""
        if s3_faults.code_of(bad) == "404":
            _ = self._bucket

    def sizes(self, digests: Collection[str]) -> dict[str, int]:
        """Of those that are here the sizes: some dozens asked at once, or from a list.

        The list is read for no longer than it would take to ask for each; for those behind it then
        is asked. So a large bucket costs twice the better way at most.
        """
        for one in digests:
            check_digest(one)
        sizes: dict[str, int] = {}
        left = list(digests)
        if len(left) >= WORTH_A_LIST:
            wanted, pages = frozenset(left), self._pages()
            for _ in range(len(wanted) // ASKED):
                page = next(pages, None)
                if page is not None:
                    sizes |= {digest: size for digest, size in page if digest in wanted}
                if page is None or len(sizes) == len(wanted):
                    left = []
                    break
            left = [one for one in left if one not in sizes]
        with ThreadPoolExecutor(ASKED) as hands:
            for digest, asked in zip(left, hands.map(self._size, left), strict=True):
                if asked is not None:
                    sizes[digest] = asked
        return {digest: sizes[digest] for digest in digests if digest in sizes}

    def rely_on(self, digests: Collection[str]) -> Collection[str]:
        """Say that these will be relied upon."""
        for one in digests:
            check_digest(one)
        return self.relied(digests)

    def put(
        self,
        source: BinaryIO,
        *,
        expect: str | None = None,
        progress: Progress | None = None,
        anew: bool = False,
    ) -> Blob:
        """Take in `source`: sent as it comes if its digest is known, and else hashed first."""
        return self._put(Source(source), expect, progress or _nobody, anew=anew)

    def _put(self, taken: Source, expect: str | None, told: Progress, *, anew: bool) -> Blob:
        size = taken.size
        small = taken.small(PART)
        if small is not None:
            blob = self._put_small(small, expect, anew=anew)
            told(blob.size)
            return blob
        if expect is None or self.rely_on([expect]) or (not anew and self.has(expect)):
            return self._put_hashed(taken, size, expect, told, anew=anew)
        return self._send(expect, size, taken, told, anew=anew)

    def put_bytes(self, data: bytes) -> Blob:
        """Take in `data`; nothing is written where it is here already."""
        return self.put(BytesIO(data), expect=sha256(data).hexdigest())

    def put_file(
        self,
        path: Path,
        progress: Progress | None = None,
        *,
        expect: str | None = None,
        anew: bool = False,
    ) -> Blob:
        """Take in a regular file, never through a link: hashed where it lies, and then sent."""
        with open_regular(path) as file:
            size, taken = os.fstat(file.fileno()).st_size, Source(file, str(path))
            if size <= PART:
                return self._put(taken, expect, progress or _nobody, anew=anew)
            if expect is not None and (anew or not self.has(expect)):
                # Hashed on its way, and kept only if that is its digest.
                anew = bool(self.rely_on([expect])) or anew
                return self._send(expect, size, taken, progress or _nobody, anew=anew)
            try:
                found, size = stream.hash_file(file)
                file.seek(0)
            except OSError as bad:
                raise unreadable(str(path), bad) from bad
            if expect not in {None, found}:
                raise damaged(str(expect))
            return self._put_known(Blob(found, size), taken, progress or _nobody, anew=anew)

    def prepare(self, files: Mapping[str, Path]) -> Callable[[], None]:
        """Upload all of them now; what is returned has nothing left to do."""
        self.rely_on(files)
        for digest, path in files.items():
            self.put_file(path, expect=digest)
        return _done

    def _put_small(self, data: bytes, expect: str | None, *, anew: bool) -> Blob:
        blob = Blob(sha256(data).hexdigest(), len(data))
        if expect not in {None, blob.sha256}:
            raise damaged(str(expect))
        anew = bool(self.relied([blob.sha256])) or anew
        if not anew and self._size(blob.sha256) == blob.size:
            return blob
        with self.calls.told():
            written = s3_sending.send_small(
                self.calls,
                self.key(blob.sha256),
                data,
                self.behaviour,
                only_new=not anew,
            )
        if not written and self._size(blob.sha256) != blob.size:  # what lies there is damaged
            return self._put_small(data, expect, anew=True)
        self._confirm(blob, checked=self.behaviour.checksums)
        return blob

    def _put_hashed(
        self,
        source: Source,
        about: int | None,
        expect: str | None,
        told: Progress,
        *,
        anew: bool,
    ) -> Blob:
        """Hashed into the folder of work, and sent from there."""
        with ExitStack() as stack:
            try:
                work = stack.enter_context(workspace(self._work))
                self._check_room(about)
                aside = stack.enter_context((work / "blob").open("x+b"))
                digest, size = sha256(), 0
                while piece := source.read(stream.CHUNK):
                    digest.update(piece)
                    size += len(piece)
                    aside.write(piece)
                aside.seek(0)
            except OSError as bad:
                raise durable.unwritable(self._work, bad) from bad
            if expect not in {None, digest.hexdigest()}:
                raise damaged(str(expect))
            blob = Blob(digest.hexdigest(), size)
            return self._put_known(blob, Source(aside), told, anew=anew)

    def _put_known(self, blob: Blob, source: Source, told: Progress, *, anew: bool) -> Blob:
        """Send what was hashed, unless it is there in this size."""
        anew = bool(self.relied([blob.sha256])) or anew
        there = None if anew else self._size(blob.sha256)
        if there == blob.size:
            told(blob.size)
            return blob
        anew = anew or there is not None
        return self._send(blob.sha256, blob.size, source, told, anew=anew)

    def _send(
        self,
        digest: str,
        size: int | None,
        source: Source,
        told: Progress,
        *,
        anew: bool,
    ) -> Blob:
        key, behaviour = self.key(digest), self.parts_behaviour
        with self.calls.told():
            sending = Sending(self.calls, key, digest, size, told, behaviour, only_new=not anew)
            _, sent = sending.send(source)
        # Where it was not written somebody was quicker, with the same digest and so the same bytes.
        blob = Blob(digest, sent)
        self._confirm(blob, checked=behaviour.checksums)
        return blob

    def _confirm(self, blob: Blob, *, checked: bool) -> None:
        """That it is there now: by its size, and by all of it where nobody checked what arrived."""
        if self._size(blob.sha256) != blob.size:
            raise s3_sending.not_kept(self.where, blob.sha256)
        if not checked:
            try:
                self.check(blob.sha256)
            except (NotFoundError, RefusedError) as bad:
                raise s3_sending.not_kept(self.where, blob.sha256) from bad

    def _check_room(self, about: int | None) -> None:
        """Before gigabytes are written, where it is known how many."""
        free = shutil.disk_usage(self._work).free
        if about is not None and about > free:
            raise FailedError(
                "no-room-to-hash",
                f"{self._work} has {free:,} bytes free, and what is to be hashed there has "
                f"{about:,}.",
                subject=str(self._work),
                next_step="Make room on that disk, and run it again.",
            )

    def open(self, digest: str, start: int = 0) -> BinaryIO:
        """The blob; where it is read from its beginning, its first bytes are here already."""
        with self.calls.told():
            try:
                _, source = open_object(self.calls, self.key(digest), start)
            except Exception as bad:
                if s3_faults.is_missing(bad):
                    raise self.missing(digest) from bad
                raise
        return source

    def each(self, sizes: Mapping[str, int]) -> Iterator[tuple[str, BinaryIO]]:
        """Each blob; of small ones some are fetched ahead."""
        small = [one for one, size in sizes.items() if size < stream.CHUNK]
        large = [one for one, size in sizes.items() if size >= stream.CHUNK]
        with ThreadPoolExecutor(HANDS) as hands:
            due: deque[tuple[str, Future[BinaryIO]]] = deque()
            left = iter(small)
            try:
                while True:
                    while len(due) < HANDS and (one := next(left, None)) is not None:
                        due.append((one, hands.submit(self.open, one)))
                    if not due:
                        break
                    digest, opened = due.popleft()
                    with opened.result() as source:
                        yield digest, source
            finally:
                hands.shutdown(cancel_futures=True)
        for digest in large:
            with self.open(digest) as source:
                yield digest, source

    def read(self, digest: str, most: int = SMALL) -> bytes:
        """The bytes of a small blob, hashed; no more than `most` of them are read."""
        with self.open(digest) as source:
            data = source.read(most + 1)
        if len(data) > most:
            raise too_large(digest, most)
        if sha256(data).hexdigest() != digest:
            raise damaged(digest)
        return data

    def read_all(self, digests: Collection[str], most: int) -> dict[str, bytes]:
        """Of small blobs the bytes, hashed; some are fetched at once."""

        def one(digest: str) -> bytes | None:
            with suppress(NotFoundError), self.open(digest) as source:
                data = source.read(most + 1)
                if len(data) <= most and sha256(data).hexdigest() == digest:
                    return data
            return None

        with ThreadPoolExecutor(HANDS) as hands:
            found = zip(digests, hands.map(one, digests), strict=True)
            return {digest: data for digest, data in found if data is not None}

    def check(self, digest: str, progress: Progress | None = None) -> None:
        """Fetch and hash the whole blob."""
        with self.open(digest) as source:
            found, _ = stream.hash_file(source, progress)
        if found != digest:
            raise damaged(digest)

    def fault(self, digest: str, progress: Progress | None = None) -> Fault:
        """What is wrong with the blob, found by fetching and hashing it."""
        try:
            self.check(digest, progress)
        except NotFoundError:
            return "missing"
        except RefusedError:
            return "damaged"
        except (SealiftError, OSError):
            return "unreadable"
        return ""

    def remove(self, digest: str) -> None:
        """Forget a blob; where the bucket has versions, an older one stays until it is purged."""
        with self.calls.told():
            try:
                self.calls.ask("delete_object", Key=self.key(digest))
            except Exception as bad:
                if not s3_faults.is_missing(bad):
                    raise

    def digests(self) -> Iterator[str]:
        """Every blob that is here, in order."""
        yield from (digest for digest, _ in self.listed())

    def listed(self) -> Iterator[tuple[str, int]]:
        """The same, each with its size in bytes, as the server has it."""
        for page in self._pages():
            yield from page

    def _pages(self) -> Iterator[list[tuple[str, int]]]:
        """Every blob with its size, by pages."""
        return s3_lists.blobs(self.calls, self.address.key("sha256/"))

    def sweep(self) -> int:
        """Abort uploads in parts of ours that nobody goes on with; once a day it is looked."""
        stamp = self._work / SWEPT
        with suppress(OSError):
            if time.time() - stamp.stat().st_mtime < SWEPT_EVERY:
                return 0
        swept = 0
        with suppress(SealiftError):  # it is in nobody's way, and left to the next one
            swept = self.sweep_now()
        with suppress(OSError):
            self._work.mkdir(parents=True, exist_ok=True)
            stamp.touch()
        return swept

    def sweep_now(self) -> int:
        """The same at once; how many were aborted."""
        swept = 0
        for key, upload in self.unfinished():
            with suppress(Exception):
                self.calls.ask("abort_multipart_upload", Key=key, UploadId=upload)
                swept += 1
        return swept

    def unfinished(self) -> list[tuple[str, str]]:
        """Those uploads: the key, and the server's name for each."""
        folder, now = self.address.key("sha256/"), datetime.now(UTC)
        return [
            (str(one["Key"]), str(one["UploadId"]))
            for one in s3_lists.uploads(self.calls, folder)
            if str(one["Key"]).startswith(folder)
            and SHA256.matches(str(one["Key"]).removeprefix(folder))
            and now - one["Initiated"] > ABANDONED
        ]

    def missing(self, digest: str) -> NotFoundError:
        """The error for a blob that is not here."""
        return NotFoundError(
            "no-blob-on-s3",
            f"The blob {digest[:12]} is not in {self.where}.",
            subject=digest,
            next_step="See what else is lost, and what brings it back: sealift blobs fsck",
        )


def _done() -> None:
    """What is to be taken in is there."""


def _nobody(_count: int) -> None:
    """Nobody is told."""
