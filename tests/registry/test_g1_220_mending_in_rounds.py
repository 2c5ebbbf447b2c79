"""Mending hashes what is whole once, however often it looks; and what versions there are is told.

What lies in a store may be terabytes: a round that hashed all of it again would take days.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealift_registry.catalog.reference import VersionRef
from sealift_registry.storage import s3_versions
from sealift_registry.storage.s3_address import s3_address
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_sync.blobs import BlobFolder, Fault
from sealift_sync.durable import Progress
from tests.blob_faults import spoil
from tests.registry.hub_fixture import TARGET, Acme, converted, copied
from tests.registry.test_g1_19_blob_commands import Capsys, Commands, on_s3
from tests.registry.test_g1_182_what_brings_it_back import ingested, some_of_each
from tests.servers.hostile_s3 import Answer, Request, hostile, said
from tests.servers.seaweed import S3Server, seaweed

pytestmark = pytest.mark.socket


@pytest.fixture(scope="module")
def built(
    founded: Path, trained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A hub with a model and a variant of it."""
    acme = copied(founded, tmp_path_factory.mktemp("built"))
    ingested(acme, trained, goldens=True)
    converted(acme.app, VersionRef("vision", "digits", 1), TARGET)
    acme.close()
    return acme.folder


@pytest.fixture
def acme(built: Path, tmp_path: Path) -> Iterator[Acme]:
    made = copied(built, tmp_path)
    yield made
    made.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    found = seaweed()
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each blob of a folder was hashed where it lies."""
    counts, genuine = Counter[str](), BlobFolder.fault

    def fault(self: BlobFolder, digest: str, progress: Progress | None = None) -> Fault:
        counts[digest] += 1
        return genuine(self, digest, progress)

    monkeypatch.setattr(BlobFolder, "fault", fault)
    return counts


def test_g1_220_what_is_whole_is_hashed_once(
    acme: Acme, capsys: Capsys, hashed: Counter[str]
) -> None:
    store, commands = acme.app.hub.home.blobs, Commands(acme.root, capsys)
    assert isinstance(store, BlobFolder)
    copy = BlobFolder(acme.folder / "copy")
    for digest in store.digests():
        copy.put_file(store.path(digest), expect=digest)
    found, everything = some_of_each(acme), {*store.digests()}
    manifest, file, picture = (found[one, False] for one in ("manifest", "file", "picture"))
    for ways in (("--from-blobs", str(copy.root)), ("--from-hub",)):
        for lost in (manifest, file, picture):  # the file is known to be lost in a second round
            store.remove(lost)
        hashed.clear()
        done = commands("blobs", "mend", *ways)
        assert {*done["mended"]} == {manifest, file, picture}
        assert {*hashed} <= everything
        assert hashed[manifest] == 1, "where it lies, after it was written"
        assert {one: times for one, times in hashed.items() if times > 1} == {}


def test_g1_220_what_is_not_whole_where_it_was_put_is_not_back(
    acme: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes the bytes and gives others: nothing is said to be whole, and it ends."""
    store, commands = acme.app.hub.home.blobs, Commands(acme.root, capsys)
    assert isinstance(store, BlobFolder)
    copy = BlobFolder(acme.folder / "copy")
    digest = some_of_each(acme)["file", True]
    copy.put_file(store.path(digest), expect=digest)
    store.remove(digest)
    genuine = BlobFolder.fault

    def fault(self: BlobFolder, one: str, progress: Progress | None = None) -> Fault:
        return "damaged" if one == digest else genuine(self, one, progress)

    monkeypatch.setattr(BlobFolder, "fault", fault)
    done = commands("blobs", "mend", "--from-blobs", str(copy.root), code=1)
    assert done["mended"] == []
    assert [(one["sha256"], one["fault"]) for one in done["lost"]] == [(digest, "damaged")]


# -------------------------------------------------------------------- versions


def test_g1_221_a_blob_of_one_version_has_no_older_ones(
    acme: Acme, server: S3Server, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies there damaged is a version itself, and no help."""
    on_s3(acme, server, monkeypatch)
    commands = Commands(acme.root, capsys)
    with acme.another() as hub:
        store = hub.app.hub.home.blobs
        one, other = some_of_each(hub)["file", True], some_of_each(hub)["goldens", True]
    assert isinstance(store, S3Blobs)
    commands("blobs", "init")
    kept = store.read(other)
    for digest in (one, other):
        store.remove(digest)
    for digest, datas in ((one, [b"rotten"]), (other, [kept, b"rotten"])):
        store.calls.ask("delete_object", Key=store.key(digest), VersionId="null")
        for data in datas:
            spoil(store, digest, data)
    lost = commands("blobs", "fsck", code=1)["lost"]
    assert {entry["sha256"]: entry["older_versions"] for entry in lost} == {
        one: False,
        other: True,
    }


def test_g1_221_a_question_that_fails_takes_no_other_answer_along(
    server: S3Server, tmp_path: Path
) -> None:
    bucket = server.bucket()
    server.client().put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    with hostile(server.endpoint) as proxy:
        store = S3Blobs(s3_address(f"s3://{bucket}/hub", proxy.endpoint), tmp_path, "0" * 64)
        digests = [store.put_bytes(data).sha256 for data in (b"one", b"two", b"three")]
        for digest in digests:
            spoil(store, digest, b"rotten")

        def refused(request: Request, passed: Callable[[], Answer]) -> Answer:
            asked = request.method == "GET" and "versions" in request.path
            if asked and digests[1] in request.path:
                return said("AccessDenied", 403)
            return passed()

        assert s3_versions.kept(store, digests) == {*digests}
        proxy.fault = refused
        assert s3_versions.kept(store, digests) == {digests[0], digests[2]}
