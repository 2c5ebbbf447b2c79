"""Large files through a real server: cut and resumed, in little memory; what is refused is gone.

`make test` plays them with 200 MB, `make test-long` with 10 GB, of zeros: neither network nor disk
is measured, but what the server holds meanwhile.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from sealift_registry.access.calling import Grant
from sealift_registry.catalog.reference import ModelRef
from sealift_registry.intake.onnx_source import OnnxSource
from tests.benchmarks import weights
from tests.registry.accounts_fixture import signed_in
from tests.registry.hub_fixture import MODEL, Acme, taken_in
from tests.registry.large_files import MB, UPLOADS, Memory, Somebody
from tests.registry.served_hub import serving

pytestmark = pytest.mark.socket

ABOVE = 64 << 20
"""Bytes that a server may hold more than when it is idle."""
FREE = 30_000 * MB
"""Bytes that the disk must have for the large one."""
SIZES = [
    pytest.param(200 * MB, id="200 MB"),
    pytest.param(10_000 * MB, id="10 GB", marks=pytest.mark.long),
]
CUTS = (0.13, 0.5, 0.91)
NOTHING = bytes(1 << 20)


@contextmanager
def at_server(acme: Acme) -> Iterator[tuple[Somebody, Memory]]:
    """Somebody who sends and fetches, and what the server holds meanwhile."""
    secret = signed_in(acme, "anna", Grant("publisher"), Grant("viewer")).secret
    acme.close()
    with serving(acme.root) as server:
        who = Somebody(server.url, secret)
        for _ in range(3):  # what is loaded once is loaded
            assert who.asks("GET", "/api/v1/me")[0] == 200
            assert who.asks("GET", UPLOADS)[0] == 200
        with Memory.watched(server.process.pid) as memory:
            yield who, memory


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A folder that is removed at once, and not kept for the runs that come after."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


def zeros(path: Path, size: int) -> str:
    """A file of zeros, which takes no room; its sha256."""
    with path.open("wb") as file:
        file.truncate(size)
    digest = sha256()
    for start in range(0, size, len(NOTHING)):
        digest.update(NOTHING[: size - start])
    return digest.hexdigest()


def used(acme: Acme) -> int:
    """Bytes in files that were sent, however much of them is there."""
    there = acme.root / "uploads"
    return sum(one.stat().st_size for one in there.rglob("*") if one.is_file())


def told(memory: Memory, what: str) -> None:
    """The figures; and that they are within the bound."""
    idle, above = (round(one / 2**20, 1) for one in (memory.idle, memory.above))
    print(f"{what}: {idle} MiB idle (RssAnon and RssShmem), at most {above} MiB above")  # noqa: T201 - for who runs it
    assert memory.above <= ABOVE, f"{what}: {above} MiB above {idle} MiB"


def check_room(folder: Path, size: int) -> None:
    """Check that the large file has room: it is on the disk twice for a moment."""
    free = shutil.disk_usage(folder).free
    assert size < FREE / 10 or free > FREE, f"{free:,} bytes are free, and {FREE:,} are needed"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.timeout(3600)
def test_g2_272_a_large_file_is_sent_in_little_memory_cut_and_resumed(
    acme: Acme, room: Path, size: int
) -> None:
    check_room(room, size)
    digest = zeros(room / "sent.onnx", size)
    with at_server(acme) as (who, memory):
        status, begun = who.declares(size, digest)
        assert status == 201
        place = f"{UPLOADS}/{begun['upload']}"
        for cut in CUTS:
            there = who.far(place)
            who.adds(place, room / "sent.onnx", int(size * cut) - there, cut=True)
        assert 0 < who.far(place) < size
        status, done = who.adds(place, room / "sent.onnx", size, cut=False)
        assert (status, done["complete"], done["offset"]) == (200, True, size), done
        told(memory, f"{size // MB:,} MB sent")
        assert used(acme) >= size
        assert who.asks("DELETE", place)[0] == 204
        assert used(acme) == 0


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.timeout(3600)
def test_g2_273_a_large_file_is_fetched_in_little_memory_cut_and_resumed(
    acme: Acme, room: Path, size: int
) -> None:
    check_room(room, size)
    model = weights.hollow(room / "model", size)
    taken_in(acme.app, OnnxSource(model), ModelRef.parse(MODEL))
    form = f"/api/v1/versions/{MODEL}/1/source"
    with at_server(acme) as (who, memory):
        layers = who.asks("GET", f"{form}/manifest")[2]["layers"]
        large = max(layers, key=lambda one: int(one["size"]))
        digest, length = large["digest"].removeprefix("sha256:"), int(large["size"])
        assert length > size * 0.99
        blob = f"{form}/blobs/{digest}"
        assert who.fetches(blob, length, [int(length * cut) for cut in CUTS]) == digest
        told(memory, f"{length // MB:,} MB fetched")
        behind, headers, _ = who.asks("GET", blob, range=f"bytes={length}-")
        assert (behind, headers["content-range"]) == (416, f"bytes */{length}")
        last, headers, said = who.asks("GET", blob, range="bytes=-7")
        assert (last, len(said)) == (206, 7)
        assert headers["content-range"] == f"bytes {length - 7}-{length - 1}/{length}"


def test_g2_274_what_is_refused_leaves_nothing(acme: Acme, room: Path) -> None:
    """Another file than was declared; a longer one; more than an account may have; too little."""
    size = 20 * MB
    file = room / "sent.onnx"
    digest = zeros(file, size)
    with at_server(acme) as (who, _memory):
        _, begun = who.declares(size, "ab" * 32)
        status, said = who.adds(f"{UPLOADS}/{begun['upload']}", file, size, cut=False)
        assert (status, said["code"]) == (409, "upload-other-file")
        assert used(acme) == 0
        _, begun = who.declares(size - 1, digest)
        status, said = who.adds(f"{UPLOADS}/{begun['upload']}", file, size, cut=False)
        assert (status, said["code"]) == (409, "upload-too-long")
        assert used(acme) == 0
        status, said = who.declares(1 << 50, digest)
        assert (status, said["code"]) == (409, "upload-quota")
        assert used(acme) == 0
        _, begun = who.declares(size + 1, digest)
        place = f"{UPLOADS}/{begun['upload']}"
        status, said = who.adds(place, file, size, cut=False)
        assert (status, said["complete"]) == (200, False), "the rest may still come"
        asked = {"model": "tiny", "upload": begun["upload"]}
        path = UPLOADS.replace("uploads", "versions")
        status, _, said = who.asks("POST", path, asked, idempotency_key="0123-4567-89")
        assert (status, said["code"]) == (409, "upload-not-whole")
        assert who.asks("DELETE", place)[0] == 204
        assert used(acme) == 0
        assert who.asks("GET", UPLOADS)[2] == {"uploads": []}
