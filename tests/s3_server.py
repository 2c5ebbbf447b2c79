"""A real S3 server on loopback, which keeps each object as a file: rclone's."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

STARTS_WITHIN = 60
"""Seconds."""

RCLONE = Path(sys.executable).with_name("rclone")


@dataclass(frozen=True)
class S3Server:
    """A server that is running.

    Attributes:
        endpoint: its address.
        folder: in it one folder a bucket.
        key: the access key's id.
        secret: the access key; rclone refuses very short ones.
        process: its id.
    """

    endpoint: str
    folder: Path
    key: str
    secret: str
    process: int

    @property
    def environment(self) -> dict[str, str]:
        """What a client of it needs."""
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def bucket(self, name: str) -> Path:
        """The folder of a bucket, which exists from now on."""
        made = self.folder / name
        made.mkdir(exist_ok=True)
        self.look_again()
        return made

    def look_again(self) -> None:
        """Have it forget which files there are, after somebody else changed them."""
        os.kill(self.process, signal.SIGHUP)
        time.sleep(0.2)


@contextmanager
def serving_s3(folder: Path) -> Iterator[S3Server]:
    """An S3 server that keeps everything in `folder`."""
    objects, log = folder / "objects", folder / "s3.log"
    objects.mkdir(parents=True)
    key, secret = "sealift-tests", "a-secret-of-tests"
    command = [str(RCLONE), "serve", "s3", "--addr", "127.0.0.1:0", "--config", os.devnull]
    command += ["--auth-key", f"{key},{secret}", str(objects)]
    with log.open("wb") as words:
        server = subprocess.Popen(command, stdout=words, stderr=words)
    try:
        yield S3Server(_address(server, log), objects, key, secret, server.pid)
    finally:
        server.kill()
        server.wait()


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and server.poll() is None:
        said = re.search(r"\[(http://127\.0\.0\.1:\d+)/?\]", log.read_text("utf-8", "replace"))
        if said:
            return said.group(1)
        time.sleep(0.1)
    pytest.fail(f"rclone did not start: {log.read_text('utf-8', 'replace')[-2000:]}")
