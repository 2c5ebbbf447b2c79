"""A hub that can only be read, such as one on a read-only mount, is audited where it lies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.registry.hub_fixture import Acme

APART = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
READING = [
    ["audit", "fsck"],
    ["audit", "verify"],
    ["audit", "list"],
    ["show", "vision/tiny/1"],
    ["show", "P-1"],
    ["team", "list"],
    ["next"],
    ["fingerprint"],
]
MAIN = "import sys; from sealift_registry.cli import main; main()"


def run(root: Path, words: list[str], before: str = "true") -> subprocess.CompletedProcess[str]:
    """A command, in a place where the hub's folder is mounted to be read only."""
    mounted = f"mount --bind {root} {root} && mount -o remount,ro,bind {root}"
    script = f'{mounted} && {before} && exec "$@"'
    command = [sys.executable, "-c", MAIN, *words, "--home", str(root)]
    return subprocess.run(
        [*APART, "/bin/sh", "-c", script, "sh", *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=root.parent,
        env=os.environ | {"SEALIFT_TRUST": str(root.parent / "trust")},
    )


@pytest.fixture
def shut(ready: Acme) -> Acme:
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespaces here")
    ready.close()
    return ready


def test_what_reads_works_there(shut: Acme) -> None:
    files = {one: one.read_bytes() for one in shut.root.rglob("*") if one.is_file()}
    for words in READING:
        done = run(shut.root, words)
        assert done.returncode == 0, (words, done.stderr)
        assert done.stdout
    assert "is whole" in run(shut.root, ["audit", "fsck"]).stdout
    assert {one: one.read_bytes() for one in shut.root.rglob("*") if one.is_file()} == files


def test_what_writes_says_that_it_cannot(shut: Acme) -> None:
    key = str(shut.key("dispatcher-1"))
    (shut.folder / "pass").write_text("correct horse\n")
    for words in (
        ["convert", "vision/tiny/1", "--for", "cpu-aarch64"],
        ["ingest", "onnx", str(shut.folder / "tiny-1.onnx"), "--as", "vision/other"],
        ["export", "plant-7", "--to", str(shut.medium), "--key", key],
    ):
        done = run(shut.root, [*words, "--passphrase-file", str(shut.folder / "pass")])
        assert done.returncode == 4, (words, done.stderr)
        assert "can only be read" in " ".join(done.stderr.split()), words
    assert not list(shut.medium.iterdir())


def test_what_is_not_in_the_file_yet_is_not_passed_over(shut: Acme) -> None:
    """A removal may be in the write-ahead log alone."""
    (shut.root / "sealift.db-wal").write_bytes(b"x" * 32)
    done = run(shut.root, ["audit", "fsck"])
    said = " ".join(done.stderr.split())
    assert (done.returncode, "sealift.db-wal" in said, "Copy the whole folder" in said) == (
        4,
        True,
        True,
    )
