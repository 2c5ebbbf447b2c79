"""What is told of a store of blobs is what is wrong with it, and where to set it right."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sealift_registry.storage import s3_faults, s3_owner
from sealift_registry.storage.s3_address import s3_address
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_signing.errors import SealiftError
from tests.servers.hostile_s3 import hostile
from tests.servers.seaweed import ORGANISATION, Clock, S3Server, blobs_at, seaweed

pytestmark = pytest.mark.socket


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    found = seaweed()
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        kept: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    kept.append(listening.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        for one in kept:
            one.close()


def error(work: Callable[[], object]) -> SealiftError:
    with pytest.raises(SealiftError) as caught:
        work()
    assert caught.value.next_step
    return caught.value


def test_g1_240_a_profile_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [one for one in os.environ if one.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_PROFILE", "factory-two")
    found = error(lambda: blobs_at("http://127.0.0.1:9", "bucket", tmp_path).has("1" * 64))
    assert "factory-two" in found.what
    assert "AWS_PROFILE" in str(found.next_step)


def test_g1_240_a_server_without_tls_is_no_certificate_that_is_not_trusted(
    server: S3Server, tmp_path: Path
) -> None:
    with hostile(server.endpoint) as proxy:
        spoken = proxy.endpoint.replace("http:", "https:")
        found = error(lambda: blobs_at(spoken, "bucket", tmp_path).has("1" * 64))
    assert found.code == "blobs-no-tls"
    assert "certificate" not in found.what
    assert "http://" in str(found.next_step)


def test_g1_240_a_server_that_never_answers_was_not_cut_off(
    server: S3Server, tmp_path: Path
) -> None:
    assert server.environment
    with silent() as endpoint:
        patience = replace(Clock().patience(), read=0.5, attempts=1)
        address = s3_address("s3://bucket/hub", endpoint)
        store = S3Blobs(address, tmp_path, ORGANISATION, patience)
        found = error(lambda: store.has("1" * 64))
    assert found.code == "blobs-silent"
    assert "0.5 seconds" in found.what


CODES = ("PermanentRedirect", "NoSuchBucket", "MethodNotAllowed")


class _Answered(Exception):  # noqa: N818 - a server's answer, as botocore raises it
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


def test_g1_240_nobody_is_sent_to_a_file_that_need_not_be_there() -> None:
    """Where `--blobs` or `--to-blobs` names a store, settings.toml may not be, or names another."""
    found: list[SealiftError] = [s3_faults.said(_Answered(one), "s3://bucket") for one in CODES]
    found += [s3_faults.said(ConnectionRefusedError(111, "refused"), "s3://bucket")]
    found += [s3_owner.not_ours("s3://bucket", "1" * 64)]
    for one in found:
        assert "settings.toml" not in str(one.next_step), one.code
    without = str(found[1].next_step)
    assert without.startswith("Check its name."), "of a store to mend from, none is to be made"
