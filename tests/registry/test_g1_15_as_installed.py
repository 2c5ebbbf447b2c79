"""The installed program `sealift`, and no function of it, with rows and blobs on real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.storage.postgres_roles import Roles
from tests.servers.postgres import postgres, program
from tests.servers.seaweed import seaweed

PROGRAM = "import sys; from sealift_registry.cli import main; main()"
"""What the entry point that the distribution installs does."""


def sealift(home: Path, *words: str) -> dict[str, Any]:
    """What a command answers under --json, in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, "--home", str(home), *words, "--json"]
    settings = seaweed().environment | {"SEALIFT_TRUST": str(home.parent / "trust")}
    environment = {name: value for name, value in os.environ.items() if "SEALIFT" not in name}
    done = subprocess.run(
        command, env=environment | settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def program_of(*words: str) -> subprocess.CompletedProcess[str]:
    """The installed program, without a home."""
    command = [sys.executable, "-c", PROGRAM, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_g1_15_what_db_init_prints_is_sql(tmp_path: Path) -> None:
    """As an administrator takes it: from the program into a file, and from the file into psql."""
    database = postgres().fresh()
    said = program_of("db", "init")
    assert said.returncode == 0, said.stderr
    file = tmp_path / "roles.sql"
    file.write_text(said.stdout, encoding="utf-8")
    psql = [program("psql"), "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--file", str(file)]
    for _ in range(2):  # it can be run again
        done = subprocess.run([*psql, database.url()], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.socket
def test_g1_15_the_program_keeps_a_hub_on_both_servers(tmp_path: Path) -> None:
    """A command keeps boto3 from being loaded along the way, and loads it where it is wanted."""
    home, server = tmp_path / "hub", seaweed()
    blobs = ("--blobs", "s3://as-installed/hub", "--blobs-endpoint", server.endpoint)
    assert sealift(home, "blobs", "init", *blobs)
    database = postgres().migrated().url(Roles().application)
    sealift(home, "init", "--solo", "--person", "dora", "--database", database, *blobs)
    assert not (home / "blobs").exists()
    assert not (home / "sealift.db").exists()
    checked = sealift(home, "blobs", "check")["findings"]
    assert {one["grade"] for one in checked} <= {"good", "weak"}
    assert sealift(home, "blobs", "fsck")["ok"] is True
    assert sealift(home, "audit", "verify")["ok"] is True
