"""A hub whose blobs are on S3: set up, exported, checked, mended; and the same with a folder."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.cli.run import run
from sealift_registry.storage.s3_address import s3_address
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_calls import Patience
from sealift_signing.errors import UsageError
from sealift_sync.artifact import read_manifest
from sealift_sync.blobs import BlobFolder
from tests.blob_faults import spoil
from tests.registry.hub_fixture import Acme, copied, version
from tests.servers.seaweed import S3Server, seaweed

pytestmark = pytest.mark.socket

Capsys = pytest.CaptureFixture[str]


@dataclass
class Commands:
    """Runs `sealift` on a home, with `--json`."""

    root: Path
    capsys: Capsys

    def __call__(self, *words: str, code: int = 0) -> dict[str, Any]:
        self.capsys.readouterr()
        assert run([*words, "--home", str(self.root), "--json"]) == code, self.capsys.readouterr()
        out, err = self.capsys.readouterr()
        said: dict[str, Any] = json.loads(out) if out else {}
        return said | ({"error": json.loads(err)["error"]} if code else {})

    def words(self, *words: str, code: int = 0) -> str:
        """What people read."""
        self.capsys.readouterr()
        assert run([*words, "--home", str(self.root)]) == code
        out, err = self.capsys.readouterr()
        return out + err


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    found = seaweed()
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture(params=["folder", "s3"])
def acme(
    request: pytest.FixtureRequest,
    assigned: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Acme]:
    """A hub that is ready to export, with its blobs in its home or on the server."""
    made = copied(assigned, tmp_path)
    if request.param == "s3":
        on_s3(made, request.getfixturevalue("server"), monkeypatch)
    yield made
    made.close()


def on_s3(acme: Acme, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Move the blobs of a hub, and have its settings say so."""
    url, here = f"s3://{server.bucket()}/hub", BlobFolder(acme.root / "blobs")
    with acme.another() as before:
        organisation = before.app.hub.home.organisation
    store = S3Blobs(s3_address(url, server.endpoint), acme.folder / "moving", organisation)
    for digest in here.digests():
        store.put_file(here.path(digest), expect=digest)
    shutil.rmtree(acme.root / "blobs")
    monkeypatch.setenv("SEALIFT_BLOBS__URL", url)
    monkeypatch.setenv("SEALIFT_BLOBS__ENDPOINT", server.endpoint)
    acme.environment = {
        "SEALIFT_BLOBS__URL": url,
        "SEALIFT_BLOBS__ENDPOINT": server.endpoint,
    }


def model_of(acme: Acme) -> tuple[str, str]:
    """The manifest of what the site runs, and a blob that it names."""
    from sealift_registry.catalog.catalog import Catalog
    from tests.registry.hub_fixture import TARGET

    with acme.app.hub.reading() as connection:
        row = Catalog(connection).artifact(version(1).path(TARGET))
    assert row is not None
    manifest = read_manifest(acme.app.hub.home.blobs.read(row.sha256), what="it")
    return row.sha256, max(manifest.blobs, key=lambda one: manifest.blobs[one])


def test_g1_19_a_hub_with_blobs_elsewhere_does_all_that_it_did(
    acme: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_way(*_: object) -> None:
        raise AssertionError("blobs are asked for one by one")

    exported = acme.export()
    assert exported.folder.is_dir()
    store = acme.app.hub.home.blobs
    monkeypatch.setattr(type(store), "has", no_way)
    assert acme.export(full=True).folder.is_dir()
    monkeypatch.undo()
    acme.ingest(3, acme.goldens())
    acme.convert(3)
    acme.promoted(3)
    commands = Commands(acme.root, capsys)
    for name, value in acme.environment.items():
        monkeypatch.setenv(name, value)
    for name, value in seaweed().environment.items():
        monkeypatch.setenv(name, value)
    acme.close()
    assert commands("blobs", "fsck")["ok"]
    assert not (acme.root / "blobs").exists() or isinstance(store, BlobFolder)


def test_g1_19_what_is_lost_is_named_and_mended(acme: Acme, capsys: Capsys) -> None:
    store, folder = acme.app.hub.home.blobs, acme.export().folder
    manifest, model = model_of(acme)
    kept = {one: store.read(one) for one in (manifest, model)}
    elsewhere = BlobFolder(acme.folder / "copy")
    elsewhere.put_bytes(kept[model])
    commands = Commands(acme.root, capsys)
    whole = commands("blobs", "fsck")
    assert whole["ok"]
    assert whole["blobs"] > 5

    spoil(store, model, b"rotten")
    lost = commands("blobs", "fsck", code=1)
    assert lost["error"]["code"] == "blobs-lost"
    assert [(one["sha256"], one["fault"]) for one in lost["lost"]] == [(model, "damaged")]
    assert "vision/tiny/1" in lost["lost"][0]["of"]
    assert f"The blob {model[:12]} of vision/tiny/1" in commands.words("blobs", "fsck", code=1)
    mended = commands("blobs", "mend", "--from-blobs", str(elsewhere.root))
    assert mended["mended"] == [model]
    assert store.read(model) == kept[model]

    store.remove(manifest)
    store.remove(model)  # which nobody knows of, until the manifest is back
    spoil(elsewhere, model, b"rotten there, too")
    assert commands("blobs", "mend", "--from-blobs", str(elsewhere.root), code=1)["mended"] == []
    said = commands("blobs", "mend", "--from-bundle", str(folder))
    assert set(said["mended"]) == {manifest, model}
    assert {one: store.read(one) for one in kept} == kept


def test_g1_19_where_nothing_has_it_the_source_is_named(acme: Acme, capsys: Capsys) -> None:
    store = acme.app.hub.home.blobs
    _, model = model_of(acme)
    store.remove(model)
    commands = Commands(acme.root, capsys)
    (acme.folder / "empty/sha256").mkdir(parents=True)
    said = commands.words("blobs", "mend", "--from-blobs", str(acme.folder / "empty"), code=1)
    assert "sealift ingest onnx … --as vision/tiny" in said
    for words in (["--from-blobs", "nowhere"], ["--from-bundle", "nowhere"], []):
        assert run(["blobs", "mend", *words, "--home", str(acme.root)]) in {2, 4}


def test_g1_19_what_is_missing_of_a_bucket_is_told(
    assigned: Path,
    server: S3Server,
    tmp_path: Path,
    capsys: Capsys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = copied(assigned, tmp_path)
    on_s3(made, server, monkeypatch)
    commands = Commands(made.root, capsys)
    told = commands("blobs", "check")
    found = {one["name"]: one["grade"] for one in told["findings"]}
    assert told["ok"], "what is weak can be used"
    names = ["reach", "clock", "organisation", "write", "conditions", "checksums", "read", "parts"]
    names += ["parts-conditions", "parts-checksums", "whole-checksums"]
    assert found == {**dict.fromkeys(names, "good"), "versions": "weak"}
    assert not commands("blobs", "init")["new"], "one that is there is given versions"
    assert "weak" not in commands.words("blobs", "check")
    refusal = commands("blobs", "init", "--object-lock-days", "3", code=1)
    assert refusal["error"]["code"] == "bucket-without-lock"
    monkeypatch.setenv("SEALIFT_BLOBS__URL", "s3://nobodys-bucket/hub")
    refusal = commands("blobs", "check", code=1)
    assert refusal["error"]["code"] == "blobs-not-usable"
    assert [one["grade"] for one in refusal["findings"]] == ["bad"]
    assert not refusal["ok"]
    # Whoever looks after a hub is told that the server is gone before a call of the hub's gives up.
    monkeypatch.setenv("SEALIFT_BLOBS__ENDPOINT", "http://127.0.0.1:9")
    begun = time.monotonic()
    refusal = commands("blobs", "check", code=1)
    assert [one["name"] for one in refusal["findings"]] == ["reach"]
    assert time.monotonic() - begun < Patience().seconds


def test_g1_19_a_hub_is_set_up_with_a_bucket(
    server: S3Server, tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commands(home: str) -> Commands:
        return Commands(tmp_path / home, capsys)

    url = "s3://made-by-init/hub"
    where = ["--blobs", url, "--blobs-endpoint", server.endpoint]
    monkeypatch.setenv("SEALIFT_TRUST", str(tmp_path / "trust"))
    refusal = commands("one")("init", "--solo", *where, code=4)
    assert refusal["error"]["code"] == "blobs-no-bucket"
    assert not (tmp_path / "one").exists(), "nothing is made where blobs cannot be"
    assert commands("one")("blobs", "init", *where, "--object-lock-days", "1")["new"]
    commands("one")("init", "--solo", *where)
    assert f'url = "{url}"' in (tmp_path / "one/settings.toml").read_text()
    refusal = commands("two")("init", "--solo", *where, code=1)
    assert refusal["error"]["code"] == "blobs-of-another-hub"
    assert not (tmp_path / "two").exists()
    found = {one["name"]: one["grade"] for one in commands("one")("blobs", "check")["findings"]}
    assert set(found.values()) == {"good"}
    client = server.client()
    lock = client.get_object_lock_configuration(Bucket="made-by-init")
    assert lock["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]["Days"] == 1


BAD: list[tuple[str, str, str]] = [
    ("s3:/bucket", "", ""),
    ("https://bucket/prefix", "", ""),
    ("s3://B/prefix", "", ""),
    ("s3://bucket/../other", "", ""),
    ("s3://bucket/pre fix", "", ""),
    ("s3://bucket//x", "", ""),
    ("s3://bucket/p", "s3.example.org", ""),
    ("s3://bucket/p", "https://user:secret@s3.example.org", ""),
    ("s3://bucket/p", "https://s3.example.org/path", ""),
    ("s3://bucket/p", "https://s3.example.org:99999", ""),
    ("s3://bucket/p", "", "eu central"),
]


@pytest.mark.parametrize("url, endpoint, region", BAD)
def test_g1_19_what_is_no_address_is_refused(
    url: str, endpoint: str, region: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        s3_address(url, endpoint, region)
    assert "secret" not in str(caught.value)
    assert s3_address("s3://bucket/a/b/").key("x") == "a/b/x"
    assert s3_address("s3://bucket").key("x") == "x"
    assert not list(tmp_path.iterdir())
