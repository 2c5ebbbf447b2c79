"""Blobs to an S3 server and back, beside boto3; and the memory that one large object takes.

boto3 alone neither hashes nor flushes what it fetched; so it is measured once more with both, which
is the same job as ours.

The server runs on the same machine and shares its processors, so that whoever hashes more has less
of them: on a machine of its own it would wait for the network instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from tests.benchmarks import workloads
from tests.benchmarks.figures import MB, Claim, Line, ratio
from tests.benchmarks.racing import Act, Contestant, Place, Step, race
from tests.benchmarks.workloads import GB
from tests.servers.seaweed import S3Server, starting

SIZE, QUICK_SIZE = 2 * GB, GB // 10
SPARSE, QUICK_SPARSE = 10 * GB, GB // 2
LEAST = 0.8
"""Of boto3's own speed."""
MOST = 128
"""Megabytes of memory, of all that the process takes."""
CHUNK = 1024 * 1024
WORDS = {"put": "sent", "get": "fetched"}
WHO = {"ours": "Sealift", "boto3": "boto3 alone", "boto3-hashed": "boto3 and SHA-256"}


def measure(folder: Path, *, quick: bool) -> Iterator[Line]:
    """Random bytes sent and fetched by each, and a file of zeros sent and fetched by us."""
    folder.mkdir(parents=True, exist_ok=True)
    file, digest = _random(folder / "random", QUICK_SIZE if quick else SIZE)
    size = file.stat().st_size
    with starting() as server:
        bucket = server.bucket()
        for how in WORDS:
            each = [_run(who, how, server, bucket, file, digest) for who in WHO]
            found = race(each, workloads.rounds(quick=quick), folder / how)
            yield from found.values()
            us, them, same = (found[_name(who, how, size)] for who in WHO)
            yield ratio("4", us, them, least=LEAST)
            yield ratio("", us, same, aim=1.0)
        file.unlink()
        yield from _memory(folder, server, bucket, QUICK_SPARSE if quick else SPARSE)


def _memory(folder: Path, server: S3Server, bucket: str, size: int) -> Iterator[Line]:
    sparse, digest = folder / "zeros", sha256()
    with sparse.open("xb") as file:
        file.truncate(size)
    for _ in range(size // CHUNK):
        digest.update(bytes(CHUNK))
    digest.update(bytes(size % CHUNK))
    for how in WORDS:
        run = _run("ours", how, server, bucket, sparse, digest.hexdigest())
        (found,) = race([run], 1, folder / f"memory-{how}").values()
        yield found
        what = f"{found.name}: peak memory"
        yield Claim("4", what, found.peak / MB, "MB", most=MOST)


def _name(who: str, how: str, size: int) -> str:
    return f"{size / GB:g} GB {WORDS[how]}, {WHO[who]}"


def _run(who: str, how: str, server: S3Server, bucket: str, file: Path, digest: str) -> Contestant:
    def steps(place: Place) -> Iterator[Step | Act]:
        target = file if how == "put" else place / "fetched"
        words = (who, how, server.endpoint, bucket, target, digest)
        environment = {**server.environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        program = (sys.executable, "-m", "tests.benchmarks.s3_process")
        yield Step((*program, *words), cwd=Path(__file__).parents[2], environment=environment)

    return Contestant(_name(who, how, file.stat().st_size), file.stat().st_size, steps)


def _random(file: Path, size: int) -> tuple[Path, str]:
    digest, left = sha256(), size
    with file.open("xb") as into:
        while left:
            piece = os.urandom(min(16 * CHUNK, left))
            digest.update(piece)
            left -= into.write(piece)
    return file, digest.hexdigest()
