"""DVC: a real Git repository with a remote that is a directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sealift_registry.cli import intake
from sealift_registry.intake import dvc_artifact, dvc_source
from sealift_registry.intake.dvc_repository import not_opened
from sealift_registry.intake.dvc_source import DvcSource
from sealift_registry.intake.scan import scan
from sealift_registry.intake.source import SourceRecord
from sealift_signing.errors import FailedError, NotFoundError, RefusedError, UsageError
from tests.sources import DvcRepository, add_tag

IN_ONE_SECOND = "2037-01-02T03:04:05Z"
"""Later than what the fixture made; within one of Git's seconds, counts say which is later."""


def silent(_path: str, _done: int, _total: int) -> None: ...


def fetch(repository: DvcRepository, path: str, into: Path, revision: str = "v1") -> SourceRecord:
    return DvcSource(str(repository.path), path, revision).fetch(into, silent)


def test_a_folder_at_a_tag(dvc_repository: DvcRepository, tmp_path: Path) -> None:
    told: list[str] = []
    source = DvcSource(str(dvc_repository.path), "models/digits", "v1")
    record = source.fetch(tmp_path / "staging", lambda path, _done, _total: told.append(path))
    commit = dvc_repository.commit
    assert record.locator == f"{dvc_repository.path}@{commit}:models/digits"
    assert record.source_version == f"DVC v1 ({commit[:12]})"
    assert record.aliases == ("v1",)
    assert [file.path for file in record.files] == ["config.json", "model.ubj"]
    assert set(told) == {"config.json", "model.ubj"}
    details = record.details
    assert details["commit"] == commit
    assert details["remote"] == {"name": "store", "url": str(dvc_repository.remote)}
    assert details["metrics"] == {"metrics.json": {"accuracy": "0.9"}}
    assert details["params"] == {"params.yaml": {"depth": 3}}
    assert [one["kept_by"] for one in details["files"]] == ["dvc", "dvc"]
    assert dvc_repository.object(details["files"][1]["md5"]).exists()
    assert scan(tmp_path / "staging", record.files).model_format == "xgboost-ubj"


@pytest.mark.parametrize(
    "path, name",
    [("models/digits.txt", "digits.txt"), ("models/digits/model.ubj", "model.ubj")],
)
def test_one_file(dvc_repository: DvcRepository, tmp_path: Path, path: str, name: str) -> None:
    record = fetch(dvc_repository, path, tmp_path / "staging")
    assert [file.path for file in record.files] == [name]


def test_every_name_of_a_commit_is_the_same_version(
    dvc_repository: DvcRepository, tmp_path: Path
) -> None:
    names = ("v1", "main", "HEAD", dvc_repository.commit)
    found = [fetch(dvc_repository, "models/digits.txt", tmp_path / name, name) for name in names]
    assert len({record.identity() for record in found}) == 1
    assert found[-1].aliases == ()


def test_a_file_url_and_housekeeping(dvc_repository: DvcRepository, tmp_path: Path) -> None:
    """What only Git keeps for itself and for DVC is no part of a model."""
    source = DvcSource(f"file://{dvc_repository.path}", "models", "v1")
    record = source.fetch(tmp_path / "staging", silent)
    paths = [file.path for file in record.files]
    assert paths == ["digits.txt", "digits/config.json", "digits/model.ubj"]


def test_the_repository_is_left_as_it_was(dvc_repository: DvcRepository, tmp_path: Path) -> None:
    mine = dvc_repository.copied(tmp_path / "mine")
    fetch(mine, "models/digits", tmp_path / "staging")
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=mine.path, capture_output=True, check=True
    )
    assert status.stdout == b""
    assert not (mine.path / ".dvc" / "cache").exists()


# -------------------------------------------------------------------- damage


def digest_of(repository: DvcRepository, file: str, tmp_path: Path) -> str:
    details = fetch(repository, "models/digits", tmp_path / "before").details
    return str(next(one["md5"] for one in details["files"] if one["path"] == file))


@pytest.mark.parametrize("in_cache", [False, True])
def test_a_damaged_object_is_refused_by_name(
    dvc_repository: DvcRepository, tmp_path: Path, in_cache: bool
) -> None:
    mine = dvc_repository.copied(tmp_path / "mine")
    if in_cache:
        _dvc(mine, "fetch", "-q")
    md5 = digest_of(mine, "model.ubj", tmp_path)
    found = mine.object(md5)
    if in_cache:
        found = mine.path / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    _overwrite(found, bytes(100))
    with pytest.raises(RefusedError) as caught:
        fetch(mine, "models/digits", tmp_path / "staging")
    assert caught.value.code == "dvc-content-altered"
    assert caught.value.subject == "model.ubj"
    assert md5 in caught.value.what


def test_a_changed_list_is_refused(dvc_repository: DvcRepository, tmp_path: Path) -> None:
    """The list of a folder's files is an object in the remote too: a file could be swapped in it
    for another, each with its right digest.
    """
    mine = dvc_repository.copied(tmp_path / "mine")
    (listing,) = mine.remote.rglob("*.dir")
    entries = json.loads(listing.read_bytes())
    entries[0]["md5"], entries[1]["md5"] = entries[1]["md5"], entries[0]["md5"]
    _overwrite(listing, json.dumps(entries).encode())
    for path in ("models/digits", "models/digits/model.ubj", "models"):
        with pytest.raises(RefusedError) as caught:
            fetch(mine, path, tmp_path / path.replace("/", "-"))
        assert caught.value.subject == "models/digits/"


def test_a_list_that_leads_elsewhere_is_refused(
    dvc_repository: DvcRepository, tmp_path: Path
) -> None:
    mine = dvc_repository.copied(tmp_path / "mine")
    (listing,) = mine.remote.rglob("*.dir")
    entries = json.loads(listing.read_bytes())
    entries[0]["relpath"] = "../../escaped"
    _overwrite(listing, json.dumps(entries).encode())
    with pytest.raises((RefusedError, FailedError, NotFoundError)):
        fetch(mine, "models/digits", tmp_path / "a" / "b" / "staging")
    assert not list(tmp_path.rglob("escaped"))


def test_an_object_that_is_not_there(dvc_repository: DvcRepository, tmp_path: Path) -> None:
    mine = dvc_repository.copied(tmp_path / "mine")
    mine.object(digest_of(mine, "model.ubj", tmp_path)).unlink()
    with pytest.raises(FailedError) as caught:
        fetch(mine, "models/digits", tmp_path / "staging")
    assert caught.value.code == "dvc-unreadable"
    assert "dvc push" in caught.value.next_step


# -------------------------------------------------------------------- asking for what is not there


def test_no_such_path(dvc_repository: DvcRepository, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        fetch(dvc_repository, "models/absent", tmp_path / "staging")
    assert caught.value.code == "dvc-path-unknown"


def test_no_such_revision(dvc_repository: DvcRepository, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        fetch(dvc_repository, "models/digits", tmp_path / "staging", "v9")
    assert caught.value.code == "dvc-revision-unknown"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder away, which root may")
def test_t1_78_another_users_repository_is_said_to_be_so(
    dvc_repository: DvcRepository, tmp_path: Path
) -> None:
    """A scientist's own, on the machine where the hub has a user of its own."""
    theirs = dvc_repository.copied(tmp_path / "theirs").path
    for path in (theirs, *theirs.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    with pytest.raises(FailedError) as refused:
        DvcSource(str(theirs), "models/digits", "v1").fetch(tmp_path / "into", silent)
    assert refused.value.code == "git-not-opened"
    assert "not owned by current user" in refused.value.what
    assert f"git config --global --add safe.directory {theirs}" in refused.value.next_step


def test_t1_78_what_git_says_of_an_address_is_told_without_its_password() -> None:
    request = {"repository": "https://me:secret@host/a b.git", "shown": "https://host/a b.git"}
    told = not_opened(request, "no")
    assert "secret" not in told.what + told.subject + told.next_step
    assert "'https://host/a b.git'" in told.next_step


def test_no_repository(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FailedError) as caught:
        DvcSource(str(tmp_path / "empty"), "model").fetch(tmp_path / "staging", silent)
    assert caught.value.code == "dvc-failed"


@pytest.mark.parametrize("path", ["/etc/passwd", "../other", "a/../../b", ""])
def test_paths_that_leave_the_repository(
    dvc_repository: DvcRepository, tmp_path: Path, path: str
) -> None:
    with pytest.raises(UsageError):
        fetch(dvc_repository, path, tmp_path / "staging")


def test_a_remote_of_another_kind(dvc_repository: DvcRepository, tmp_path: Path) -> None:
    mine = dvc_repository.copied(tmp_path / "mine")
    _dvc(mine, "remote", "add", "-q", "-d", "web", "http://127.0.0.1:9/models")
    _commit(mine)
    with pytest.raises(RefusedError) as caught:
        fetch(mine, "models/digits", tmp_path / "staging", "HEAD")
    assert caught.value.code == "dvc-remote-kind"
    # The tag still reads from the remote of then.
    fetch(mine, "models/digits", tmp_path / "then", "v1")


def test_a_repository_without_a_remote_reads_its_cache(
    dvc_repository: DvcRepository, tmp_path: Path
) -> None:
    mine = dvc_repository.copied(tmp_path / "mine")
    _dvc(mine, "fetch", "-q")
    _dvc(mine, "remote", "remove", "-q", "store")
    shutil.rmtree(mine.remote)
    _commit(mine)
    record = fetch(mine, "models/digits", tmp_path / "staging", "HEAD")
    assert len(record.files) == 2


def _dvc(repository: DvcRepository, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *words], cwd=repository.path, check=True)


def _commit(repository: DvcRepository) -> None:
    from tests.sources import GIT_WHO

    subprocess.run(
        ["git", *GIT_WHO, "commit", "-q", "-a", "-m", "Change"], cwd=repository.path, check=True
    )


def _overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)  # DVC keeps its objects read-only
    path.write_bytes(content)


# -------------------------------------------------------------------- by name (GTO)


def by_name(repository: DvcRepository, artifact: str, into: Path) -> SourceRecord:
    return DvcSource(str(repository.path), artifact=artifact).fetch(into, silent)


def test_a_name_is_the_same_version_as_its_path(
    dvc_repository: DvcRepository, tmp_path: Path
) -> None:
    by_path = fetch(dvc_repository, "models/digits", tmp_path / "path")
    record = by_name(dvc_repository, "digits@v1.0.0", tmp_path / "name")
    assert record.identity() == by_path.identity()
    assert record.aliases == ("digits@v1.0.0",)
    assert record.source_version == f"DVC digits v1.0.0 ({dvc_repository.commit[:12]})"
    assert record.details["revision"] == "digits@v1.0.0"
    assert record.details["artifact"] == {
        "name": "digits",
        "tag": "digits@v1.0.0",
        "version": "v1.0.0",
        "labels": ["test"],
    }


def test_a_stage_is_the_last_tag_that_gave_it(
    dvc_repository: DvcRepository, tmp_path: Path
) -> None:
    """10 is later than 9, in versions and in counts, and what was taken back is no more."""
    mine = dvc_repository.copied(tmp_path / "mine")
    (mine.path / "params.yaml").write_text("depth: 4\n")
    _commit(mine)
    for tag in ("digits@v1.9.0", "digits@v1.10.0", "digits#prod#2", "digits#prod!#3"):
        add_tag(mine.path, tag, at=IN_ONE_SECOND)
    for tag in ("digits#prod#10", "digits@v2.0.0", "digits@v2.0.0!", "digits#prod#9"):
        add_tag(mine.path, tag, at=IN_ONE_SECOND)
    add_tag(mine.path, "digits@v3.0.0", annotated=False)
    request = {"shown": "it", "artifact": "digits"}
    url = str(mine.path)
    assert dvc_artifact.find(url, request | {"stage": "prod"}).tag == "digits#prod#10"
    assert dvc_artifact.find(url, request | {"stage": "prod"}).version == "v1.10.0"
    assert dvc_artifact.find(url, request | {"version": "latest"}).tag == "digits@v1.10.0"
    assert dvc_artifact.find(url, request | {"version": "v1.0.0"}).commit == mine.commit
    for gone in ({"version": "v2.0.0"}, {"version": "v3.0.0"}, {"stage": "test"}):
        with pytest.raises(NotFoundError) as caught:
            dvc_artifact.find(url, request | gone)
        assert caught.value.code == "dvc-artifact-unknown"
        assert "digits@v1.10.0" in caught.value.next_step


@pytest.mark.parametrize(
    "artifact", ["digits", "digits@", "digits@1.0.0", "digits#", "@v1.0.0", "a b@v1.0.0", "a#b#1"]
)
def test_names_that_are_none(dvc_repository: DvcRepository, tmp_path: Path, artifact: str) -> None:
    with pytest.raises(UsageError):
        by_name(dvc_repository, artifact, tmp_path / "staging")


@pytest.mark.parametrize(
    "path, rev, artifact",
    [(None, None, None), ("a", None, "a@v1.0.0"), (None, "v1", "a@v1.0.0"), ("", "v1", "")],
)
def test_a_model_is_named_in_one_way(
    path: str | None, rev: str | None, artifact: str | None
) -> None:
    with pytest.raises(UsageError):
        intake._check_one_way(path, rev, artifact)
    intake._check_one_way("a", rev, None)


# -------------------------------------------------------------------- what a stranger may set


def test_a_committed_import_reads_no_file_of_this_machine(
    dvc_repository: DvcRepository, tmp_path: Path
) -> None:
    """An import whose data nobody fetched has no digest, and DVC would open its source: here a
    file that whoever runs the hub can read, and whoever wrote the repository cannot.
    """
    mine = dvc_repository.copied(tmp_path / "mine")
    (tmp_path / "secret.json").write_text('{"secret": 1}')
    (mine.path / "loot.json.dvc").write_text(
        f"deps:\n- path: {tmp_path}/secret.json\n  hash: md5\n"
        "outs:\n- path: loot.json\n  hash: md5\nfrozen: true\n"
    )
    listed = {"metrics": ["loot.json", f"{tmp_path}/secret.json"]}
    (mine.path / "dvc.yaml").write_text(json.dumps(listed))
    _git(mine, "add", "loot.json.dvc", "dvc.yaml")
    _commit(mine)
    with pytest.raises(RefusedError) as caught:
        fetch(mine, "loot.json", tmp_path / "staging", "HEAD")
    assert caught.value.code == "dvc-import"
    assert not list((tmp_path / "staging").iterdir())
    record = fetch(mine, "models/digits.txt", tmp_path / "other", "HEAD")
    assert "metrics" not in record.details


@pytest.mark.parametrize("option", ["configpath", "credentialpath"])
def test_a_committed_setting_runs_no_program(
    dvc_repository: DvcRepository, tmp_path: Path, option: str
) -> None:
    """`credential_process` in a file of AWS's names a program, which boto3 runs."""
    mine = dvc_repository.copied(tmp_path / "mine")
    ran = tmp_path / "ran"
    (mine.path / ".dvc" / "aws").write_text(f"[default]\ncredential_process = touch {ran}\n")
    settings = f"url = s3://models\nendpointurl = http://127.0.0.1:9\n{option} = aws\n"
    (mine.path / ".dvc" / "config").write_text(
        f"[core]\nremote = evil\n['remote \"evil\"']\n{settings}"
    )
    _commit(mine)
    with pytest.raises(RefusedError) as caught:
        fetch(mine, "models/digits", tmp_path / "staging", "HEAD")
    assert caught.value.code == "dvc-remote-option"
    assert option in caught.value.what
    assert not ran.exists()


@pytest.mark.parametrize(
    "repository, shown",
    [
        ("https://alice:secret@host/team/models.git", "https://host/team/models.git"),
        ("ssh://git@host:2222/models", "ssh://host:2222/models"),
        ("git@host:team/models.git", "host:team/models.git"),
        ("host:/srv/models", "host:/srv/models"),
    ],
)
def test_an_address_is_shown_without_who_asks(repository: str, shown: str) -> None:
    assert dvc_source._located(repository) == (repository, shown)


def test_a_password_in_an_address_is_not_told(tmp_path: Path) -> None:
    address = "http://alice:secret@127.0.0.1:9/models.git"
    with pytest.raises(FailedError) as caught:
        DvcSource(address, "model").fetch(tmp_path / "staging", silent)
    error = caught.value
    assert error.code == "dvc-failed"
    assert "127.0.0.1:9/models.git" in error.what
    assert not [x for x in ("alice", "secret") if x in f"{error.what} {error.subject}"]


def _git(repository: DvcRepository, *words: str) -> None:
    subprocess.run(["git", *words], cwd=repository.path, check=True)
