"""A store that cannot be asked is an error: nobody takes it for one that has nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, cast

import pytest

from sealift_registry import blob_fsck
from sealift_registry.delivery import attention
from sealift_registry.delivery.holdings import needed
from sealift_registry.storage import s3_calls
from sealift_registry.storage.s3_address import S3Address
from sealift_registry.storage.s3_behaviour import Behaviour, PartsBehaviour
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_calls import Calls
from sealift_registry.storage.s3_sending import (
    LARGEST,
    PART,
    Sending,
    Source,
    part_size,
)
from sealift_signing.errors import FailedError, SealiftError
from sealift_sync.blobs import BlobFolder
from tests.registry.hub_fixture import Acme, stage
from tests.servers.seaweed import ORGANISATION, Clock

PARTS = PartsBehaviour("heeded", "heeded", "heeded")
Asked = Callable[..., dict[str, Any]]


class Client:
    """boto3's, of a server that does what `answer` does."""

    def __init__(self, answer: Asked) -> None:
        self.answer, self.asked = answer, list[str]()

    def __getattr__(self, operation: str) -> Asked:
        def call(**given: object) -> dict[str, Any]:
            self.asked.append(operation)
            return self.answer(operation, **given)

        return call


def store_of(tmp_path: Path, answer: Asked, clock: Clock | None = None) -> tuple[S3Blobs, Client]:
    patience = (clock or Clock()).patience()
    made, client = S3Blobs(S3Address("bucket"), tmp_path, ORGANISATION, patience), Client(answer)
    made.calls.__dict__["client"] = client
    made.__dict__["behaviour"] = Behaviour("heeded", "heeded")
    made.__dict__["parts_behaviour"] = PARTS
    return made, client


def down(_operation: str, **_: object) -> dict[str, Any]:
    raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


def error(work: Callable[[], object]) -> SealiftError:
    with pytest.raises(SealiftError) as caught:
        work()
    assert caught.value.next_step
    return caught.value


def test_g1_100_a_server_that_is_down_has_not_lost_everything(tmp_path: Path) -> None:
    store, _ = store_of(tmp_path, down)
    one = "1" * 64
    asks: tuple[Callable[[], object], ...] = (
        lambda: store.has(one),
        lambda: store.sizes([one]),
        lambda: store.read_all([one], 1000),
        lambda: store.open(one),
        lambda: list(store.digests()),
        lambda: needed(store, [one]),
    )
    for ask in asks:
        assert isinstance(error(ask), FailedError)


def test_g1_100_what_a_site_lost_is_not_in_order_meanwhile(tmp_path: Path) -> None:
    store, _ = store_of(tmp_path, down)
    wanted = attention._Wanted({}, frozenset({"1" * 64}))
    said = attention._Said(lost={"b" * 64})
    assert isinstance(error(lambda: attention._rank(wanted, said, set(), store)), FailedError)


@pytest.mark.parametrize("fault", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_g1_100_nor_a_disk_that_fails(
    tmp_path: Path, fault: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlobFolder(tmp_path / "blobs")
    digest = store.put_bytes(b"some bytes").sha256

    def fails(*_: object, **__: object) -> None:
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(Path, "stat", fails)
    monkeypatch.setattr(Path, "open", fails)
    asks: tuple[Callable[[], object], ...] = (
        lambda: store.has(digest),
        lambda: store.size(digest),
        lambda: store.sizes([digest]),
        lambda: store.read_all([digest], 1000),
        lambda: store.open(digest),
    )
    for ask in asks:
        assert error(ask).code == "unreadable"


def test_g1_100_patience_is_the_stores(tmp_path: Path) -> None:
    """Twenty manifests of a server that is down take no longer than one."""
    clock = Clock()
    store, client = store_of(tmp_path, lambda *_, **__: {"ContentLength": 1}, clock)
    assert store.has("1" * 64), "it was there before"
    client.answer = down
    error(lambda: store.read("1" * 64))
    assert clock.now >= 90, "one alone is waited for"
    waited, asked = clock.now, len(client.asked)
    for n in range(20):
        error(lambda n=n: store.read(f"{n:064x}"))  # type: ignore[misc]
    assert clock.now == waited
    assert len(client.asked) == asked + 20, "each is asked, once: it may be back"


def test_g1_100_after_an_answer_it_begins_anew(tmp_path: Path) -> None:
    clock, busy = Clock(), [True]

    def answer(operation: str, **given: object) -> dict[str, Any]:
        return down(operation, **given) if busy[0] else {"ContentLength": 1}

    store, _ = store_of(tmp_path, answer, clock)
    error(lambda: store.has("1" * 64))
    assert clock.now < 15, "who was never reached is not waited for"
    busy[0] = False
    assert store.has("1" * 64)
    busy[0], before = True, clock.now
    error(lambda: store.has("1" * 64))
    assert clock.now >= before + 90
    clock.now += 3600  # nobody asked for an hour
    before = clock.now
    error(lambda: store.has("1" * 64))
    assert clock.now >= before + 90


def test_g1_101_a_manifest_that_was_not_read_hides_nothing(
    hub: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.promoted()
    of, unread = blob_fsck.named(hub.app.hub)
    assert of
    assert not unread
    assert not blob_fsck.examine(hub.app.hub, stage).losses
    store = hub.app.hub.home.blobs

    def none(_self: BlobFolder, _digests: Collection[str], _most: int) -> dict[str, bytes]:
        return {}

    with monkeypatch.context() as patched:
        patched.setattr(BlobFolder, "read_all", none)
        assert error(lambda: blob_fsck.examine(hub.app.hub, stage)).code == "manifest-not-read"
        lost = min(blob_fsck.named(hub.app.hub)[1])
        store.remove(lost)
        for other in blob_fsck.named(hub.app.hub)[1]:
            store.remove(other)
        assert lost in {one.sha256 for one in blob_fsck.examine(hub.app.hub, stage).losses}


@pytest.mark.parametrize("size", [8 * 2**20 + 1, 100 * 10**9, 5 * 2**40])
def test_g1_102_large_objects_have_parts_enough(size: int) -> None:
    assert -(-size // part_size(size)) <= 10_000
    sent, number = 0, 0
    while sent < size:  # of a stream: nobody knows how much is still to come
        number += 1
        assert part_size(None, number) <= 5 * 2**30
        sent += part_size(None, number)
    assert number <= 10_000


@pytest.mark.parametrize("how", ["prepare", "put_file", "put"])
def test_g1_102_the_size_of_a_file_is_known(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, digest = list[int | None](), "a" * 64

    class StopHereError(Exception):
        pass

    def spy(self: Sending, _source: Source) -> tuple[bool, int]:
        seen.append(self.size)
        raise StopHereError

    def not_there(self: S3Blobs, digest: str) -> None:
        pass

    monkeypatch.setattr(Sending, "send", spy)
    monkeypatch.setattr(S3Blobs, "_size", not_there)
    store, _ = store_of(tmp_path / "work", down)
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, 100 * 10**9)
    ways: dict[str, Callable[[BinaryIO], object]] = {
        "prepare": lambda _file: store.prepare({digest: path}),
        "put": lambda file: store.put(file, expect=digest),
        "put_file": lambda _file: store.put_file(path, expect=digest, anew=True),
    }
    with path.open("rb") as source, pytest.raises(StopHereError):
        ways[how](source)
    assert seen == [100 * 10**9]


def test_g1_102_what_is_too_large_is_said_before_it_is_sent(tmp_path: Path) -> None:
    store, client = store_of(tmp_path, down)
    sending = Sending(
        store.calls, "key", "a" * 64, LARGEST + 1, lambda _count: None, PARTS, only_new=False
    )
    found = error(lambda: sending.send(Source(BytesIO(b"x"))))
    assert (found.code, client.asked) == ("blob-too-large-for-s3", [])


class Failing(BytesIO):
    """A file that ends in an error."""

    def __init__(self, fault: OSError, good: int) -> None:
        super().__init__(bytes(good))
        self._fault = fault

    def read(self, most: int | None = -1, /) -> bytes:
        data = super().read(most)
        if not data:
            raise self._fault
        return data


@pytest.mark.parametrize("good", [0, 3 * PART], ids=["at once", "in the middle"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "hashed first"])
@pytest.mark.parametrize(
    "fault", [OSError(errno.EIO, "Input/output error"), TimeoutError(errno.ETIMEDOUT, "too late")]
)
def test_g1_103_a_source_that_fails_is_told_as_such(
    tmp_path: Path, fault: OSError, good: int, *, known: bool
) -> None:
    def answer(operation: str, **_: object) -> dict[str, Any]:
        if operation == "head_object":
            raise _MissingError
        return {"UploadId": "1", "ETag": "e"}

    store, _ = store_of(tmp_path / "work", answer)
    source = Failing(fault, good)
    found = error(lambda: store.put(source, expect="a" * 64 if known else None))
    assert (found.code, found.subject) == ("unreadable", "What was to be taken in")
    assert str(fault.strerror) in found.what


class _MissingError(Exception):
    response = {  # noqa: RUF012 - as botocore's
        "Error": {"Code": "NoSuchKey"},
        "ResponseMetadata": {"HTTPStatusCode": 404},
    }


def test_g1_103_a_folder_of_work_that_fails_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "work").write_bytes(b"a file in its place")
    store, _ = store_of(tmp_path / "work", down)
    found = error(lambda: store.put(BytesIO(bytes(PART + 1))))
    assert found.code == "unwritable"
    assert str(tmp_path / "work") in found.what


def test_g1_104_one_client_is_made_by_all_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[object]()
    calls = Calls(S3Address("bucket"), Clock().patience())

    def session() -> SimpleNamespace:
        def client(*_: object, **__: object) -> object:
            made.append(object())
            return made[-1]

        return SimpleNamespace(region_name="", client=client)

    class Waits:
        """A lock that one gets once another thread has made the client."""

        def __enter__(self) -> None:
            calls.__dict__.setdefault("client", "the other's")

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(s3_calls, "session_of_boto3", session)
    cast("Any", calls)._one_at_a_time = Waits()
    assert calls.client == "the other's"
    assert made == []


def test_g1_104_without_boto3_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def without(name: str, *more: Any) -> Any:  # noqa: ANN401 - as it is
        if name.partition(".")[0] in {"boto3", "botocore"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    store = S3Blobs(S3Address("bucket"), tmp_path, ORGANISATION, Clock().patience())
    found = error(lambda: store.has("1" * 64))
    assert found.code == "no-s3-client"
    assert "pip install 'sealift-registry[s3]'" in found.next_step
