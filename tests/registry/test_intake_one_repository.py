"""A DVC repository is read by itself: no other one that its commit names, and no data for words.

Metrics and parameters describe a model and are nobody's request. So what a commit says of them may
lead nowhere: not to another repository, whose settings nobody looked at, and to no remote.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_registry.intake import dvc_repository as dvc_repository_room
from sealift_registry.intake.dvc_source import DvcSource
from sealift_registry.intake.library_refusals import MisledError
from sealift_registry.intake.source import SourceRecord
from sealift_signing.errors import RefusedError
from tests.registry.test_intake_origins import Server, serving, silent
from tests.sources import GIT_WHO, DvcRepository

pytestmark = pytest.mark.socket
"""Servers of its own on this machine."""

MODEL = "models/digits.txt"
LISTED_AS = ["metrics", "params"]
ANY_MD5 = "ab" * 16


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    with serving(Server()) as server:
        yield server


@pytest.fixture
def hostile(dvc_repository: DvcRepository, tmp_path: Path) -> DvcRepository:
    return dvc_repository.copied(tmp_path / "hostile")


@pytest.fixture
def other(dvc_repository: DvcRepository, tmp_path: Path) -> DvcRepository:
    """Another repository, whose remote has a program run.

    Its file of settings may be one of the model's own: those are there, beside the folder that a
    worker is in (/proc/self/cwd), before metrics are read.
    """
    made = dvc_repository.copied(tmp_path / "other")
    command = f"credential_process = touch {tmp_path}/ran\n"
    (tmp_path / "aws").write_text(f"[default]\n{command}[profile x]\n{command}")
    (made.path / ".dvc" / "config").write_text(
        "[core]\nremote = evil\n['remote \"evil\"']\nurl = s3://models\nprofile = x\n"
        f"endpointurl = http://127.0.0.1:9\nconfigpath = {tmp_path}/aws\n"
    )
    commit(made)
    return made


def commit(repository: DvcRepository) -> str:
    git = ("git", "-C", str(repository.path), *GIT_WHO)
    subprocess.run([*git, "add", "-A"], check=True, capture_output=True)
    subprocess.run([*git, "commit", "-q", "-m", "More"], check=True, capture_output=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return head.stdout.strip()


def list_as(kind: str, repository: DvcRepository, dvc_file: str) -> None:
    """Have `repository` list m.json as metrics or parameters; where it is, `dvc_file` says."""
    (repository.path / "m.json.dvc").write_text(dvc_file)
    (repository.path / "dvc.yaml").write_text(json.dumps({kind: ["m.json", "metrics.json"]}))
    commit(repository)


def imported(url: str, revision: str) -> str:
    from_there = (
        f"- path: models/digits/config.json\n  repo:\n    url: {url}\n    rev_lock: {revision}\n"
    )
    return f"deps:\n{from_there}outs:\n- path: m.json\n  hash: md5\nfrozen: true\n"


def fetch(repository: DvcRepository, path: str, tmp_path: Path) -> SourceRecord:
    return DvcSource(str(repository.path), path, "HEAD").fetch(tmp_path / "staging", silent)


@pytest.mark.parametrize("kind", LISTED_AS)
def test_t1_60_no_program_runs_by_way_of_another_repository(
    hostile: DvcRepository, other: DvcRepository, tmp_path: Path, kind: str
) -> None:
    head = subprocess.run(
        ["git", "-C", str(other.path), "rev-parse", "HEAD"], check=True, capture_output=True
    )
    list_as(kind, hostile, imported(f"file://{other.path}", head.stdout.decode().strip()))
    record = fetch(hostile, MODEL, tmp_path)
    assert not (tmp_path / "ran").exists()
    assert record.details[kind]["metrics.json"] == {"accuracy": "0.9"}, "what Git keeps is read"


@pytest.mark.parametrize("kind", LISTED_AS)
def test_t1_61_no_other_repository_is_asked(
    elsewhere: Server, hostile: DvcRepository, tmp_path: Path, kind: str
) -> None:
    list_as(kind, hostile, imported(f"{elsewhere.address}/models.git", "a" * 40))
    fetch(hostile, MODEL, tmp_path)
    assert elsewhere.asked == []


def test_t1_61_nor_is_it_for_what_was_asked_for(
    elsewhere: Server, hostile: DvcRepository, tmp_path: Path
) -> None:
    list_as("metrics", hostile, imported(f"{elsewhere.address}/models.git", "a" * 40))
    with pytest.raises(RefusedError) as refused:
        fetch(hostile, "m.json", tmp_path)
    assert refused.value.code == "dvc-import"
    assert elsewhere.asked == []


def test_t1_61_whoever_reads_on_is_refused(
    elsewhere: Server, hostile: DvcRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever of DVC's own asks for it: no other repository is opened once ours is."""
    from dvc.repo import Repo

    monkeypatch.setattr(Repo, "open", Repo.open)  # else this process would open none any more
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "dvc"))
    list_as("metrics", hostile, imported(f"{elsewhere.address}/models.git", "a" * 40))
    files = dvc_repository_room.open_at(str(hostile.path), "HEAD")
    with pytest.raises(MisledError) as refused:
        files.read_text("m.json")
    assert refused.value.code == "dvc-import"
    assert elsewhere.asked == []


@pytest.mark.parametrize("digest", [ANY_MD5, f"{ANY_MD5}.dir"], ids=["file", "folder"])
@pytest.mark.parametrize("kind", LISTED_AS)
def test_t1_62_no_remote_is_asked_for_metrics_and_parameters(
    elsewhere: Server, hostile: DvcRepository, tmp_path: Path, kind: str, digest: str
) -> None:
    """Of the kinds of remote that are read only what was asked for is looked at."""
    with (hostile.path / ".dvc" / "config").open("a") as settings:
        settings.write(f"['remote \"evil\"']\n    url = {elsewhere.address}/store\n")
    kept = f"outs:\n- path: m.json\n  md5: {digest}\n  size: 3\n  hash: md5\n  remote: evil\n"
    list_as(kind, hostile, kept)
    fetch(hostile, MODEL, tmp_path)
    assert elsewhere.asked == []
