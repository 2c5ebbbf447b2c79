"""A hostile hub that replays old metadata: every file authentic, and older than what was seen."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, MetaFile, Snapshot, Timestamp

from sealift_signing import publishing
from sealift_signing.vocabulary import CatalogPath
from tests.hub_on_paper import SITE, HubOnPaper, relist
from tests.site_on_paper import SiteOnPaper
from tests.trust import STAGE, rule

Change = Callable[[HubOnPaper], object]

ROLES: dict[str, Change] = {
    "targets": lambda hub: hub.publish_policy(**{STAGE: rule(longest_validity_days=366)}),
    "team.vision": lambda hub: hub.withdraw(model="vision/other", below=2),
    "catalog.vision": lambda hub: hub.list_artifact(hub.build(8)),
    "fleet": lambda hub: hub.add_site("ship-2"),
    "recall": lambda hub: hub.recall("d" * 64),
    f"site.{SITE}": lambda hub: hub.assign(hub.promote(2)),
}


def forge_snapshot(hub: HubOnPaper, role: str, version: int) -> None:
    """A snapshot and timestamp by the stolen online keys, newer than all, that name an older role.

    `publishing` would refuse to: this is written by hand, as an attacker would.
    """
    repository = hub.repository
    snapshot: Metadata[Snapshot] = publishing.successor(
        repository.current["snapshot"], expires=repository.expiry("snapshot")
    )
    if version:
        snapshot.signed.meta[f"{role}.json"] = MetaFile(version)
    else:
        del snapshot.signed.meta[f"{role}.json"]
    repository.publish("snapshot", snapshot)
    stamp: Metadata[Timestamp] = publishing.next_timestamp(
        repository.current["timestamp"], snapshot, expires=repository.expiry("timestamp")
    )
    repository.publish("timestamp", stamp)


def replace_metadata(folder: Path, hub: HubOnPaper, *names: str) -> None:
    for name in names:
        (folder / "metadata" / name).write_bytes(hub.repository.files[name])
    relist(folder, hub, *(f"metadata/{name}" for name in names))


@pytest.mark.parametrize("role", [role for role in ROLES if role != "recall"])
def test_a1_05_metadata_going_back(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, role: str
) -> None:
    hub.assign(hub.promote(1))
    hub.export(medium)
    old = hub.repository.current[role].signed.version
    ROLES[role](hub)
    site.take(hub.export(medium))
    assert hub.repository.current[role].signed.version > old
    folder = hub.export(medium)
    forge_snapshot(hub, role, old)
    snapshot = hub.repository.current["snapshot"].signed.version
    replace_metadata(
        folder, hub, "timestamp.json", f"{snapshot}.snapshot.json", f"{old}.{role}.json"
    )
    refusal = site.refuses(folder)
    assert refusal.code == "role-went-back"
    assert refusal.subject == role
    assert f"{role} is at version {old} here" in refusal.what


@pytest.mark.parametrize("role", ROLES)
def test_a1_05_a_role_that_vanishes_from_the_snapshot(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, role: str
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    folder = hub.export(medium)
    forge_snapshot(hub, role, 0)
    snapshot = hub.repository.current["snapshot"].signed.version
    replace_metadata(folder, hub, "timestamp.json", f"{snapshot}.snapshot.json")
    refusal = site.refuses(folder)
    assert role in refusal.what
    assert "no longer lists" in refusal.what


def test_a1_05_the_timestamp_going_back(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    hub.assign(hub.promote(1))
    older = hub.export(medium)
    site.take(hub.export(medium))
    refusal = site.refuses(older)
    assert refusal.code == "role-went-back"
    assert refusal.subject == "timestamp"


def test_a1_05_the_snapshot_going_back(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    hub.assign(hub.promote(1))
    older = hub.export(medium)
    old = hub.repository.current["snapshot"]
    site.take(hub.export(medium))
    stamp = publishing.next_timestamp(
        hub.repository.current["timestamp"], old, expires=hub.repository.expiry("timestamp")
    )
    hub.repository.publish("timestamp", stamp)
    replace_metadata(older, hub, "timestamp.json")
    refusal = site.refuses(older)
    assert refusal.code == "role-went-back"
    assert refusal.subject == "snapshot"


def test_a1_05_going_back_behind_a_change_of_keys(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """With new keys TUF compares with nothing; the site's floor stays where it was."""
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    hub.repository.rotate("timestamp", 1, "hub-timestamp-2")
    hub.repository.current["timestamp"].signed.version = 0
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "below-floor"
    assert refusal.what.startswith("timestamp is at version 1 here; with the keys that hold it now")


def test_a1_05_a_new_root_is_followed_and_the_old_one_is_not_taken_again(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    old = hub.export(medium)
    hub.repository.rotate("timestamp", 1, "hub-timestamp-2")
    site.take(hub.export(medium))
    refusal = site.refuses(old)  # complete, and from before the key was replaced
    assert refusal.subject == "timestamp"
    assert "No key that is trusted for timestamp signed it" in refusal.what


def test_a1_05_a_missing_link_in_the_root_chain(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    hub.assign(hub.promote(1))
    hub.repository.rotate("timestamp", 1, "t-2")
    hub.repository.rotate("timestamp", 1, "t-3")
    folder = hub.export(medium)
    (folder / "metadata/2.root.json").unlink()
    refusal = site.refuses(folder)
    assert refusal.what == "The bundle holds root 3, and root 2, which leads to it, is missing."


def test_a1_05_a_forked_root_is_recorded(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    (folder / "metadata/1.root.json").write_bytes(hub.fork_root())
    relist(folder, hub, "metadata/1.root.json")
    refusal = site.refuses(folder)
    assert refusal.code == "root-forked"
    assert "the root's keyholders signed two" in refusal.what


def test_a1_05_two_files_of_one_version(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    role = f"site.{SITE}"
    metadata = hub.repository.current[role]
    metadata.signatures.clear()
    metadata.signed.expires = hub.repository.expiry("targets")
    hub.repository.publish(role, metadata)
    refusal = site.refuses(hub.export(medium, publish=False))
    assert refusal.code == "role-forked"
    assert refusal.subject == role


def test_a1_05_a_lowered_threshold(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    """The stewards' threshold falls from two to one: a site that saw two insists on two."""
    hub.assign(hub.promote(1))
    site.take(hub.export(medium))
    hub.repository.holders["team.vision"] = (1, ("stella", "stefan", "sven"))
    with hub.repository.next("targets") as signed:
        hub.repository.delegate(signed, "team.vision")
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "threshold-lowered"
    assert "team.vision needs fewer than the 2 signatures" in refusal.what


@pytest.mark.parametrize("name", ["duplicate", "newline", "order"])
def test_a1_05_metadata_of_other_bytes_under_a_good_signature(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, name: str
) -> None:
    """TUF signs parsed content: other bytes of the same content verify, and are refused."""
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    file = folder / "metadata/timestamp.json"
    good = file.read_bytes()
    spelled = {
        "duplicate": good.replace(b'"version":', b'"version":1,"version":', 1),
        "newline": good + b"\n",
        "order": json.dumps(dict(reversed(json.loads(good).items()))).encode(),
    }
    file.write_bytes(spelled[name])
    relist(folder, hub, "metadata/timestamp.json")
    refusal = site.refuses(folder)
    assert refusal.code in {"metadata-not-canonical", "json-duplicate"}
    assert "timestamp" in refusal.what


@pytest.mark.parametrize(
    "path",
    [
        "catalog/vision/../../cpu-x86_64",
        "catalog/vision/digits/1/..",
        "catalog/other/digits/1/cpu-x86_64",
    ],
)
def test_a1_05_dots_in_a_catalog_path(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, path: str
) -> None:
    hub.assign(hub.promote(1))
    with hub.repository.next("catalog.vision") as signed:
        signed.targets[path] = publishing.target_file(path, 3, "e" * 64)
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "path-not-of-role"
    assert path in refusal.what


@pytest.mark.parametrize("path", ["../../etc/cron.d/x", "/etc/passwd", "a/../../b", "a//b", ".ssh"])
def test_a1_05_dots_in_an_artifacts_file_name(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path, path: str
) -> None:
    """Even people approved it, unseen: a file that would be written outside of its folder."""
    made = hub.build(1)
    where = CatalogPath("vision", "digits", 1, "cpu-x86_64")
    evil = hub.manifests[where].replace(b"model.onnx", path.encode())
    hub.manifests[where] = evil
    made.sha256 = hub.store.put_bytes(evil).sha256
    hub.vouch(made)
    made.approvals = (hub.approve(made, "bert"), hub.approve(made, "carla"))
    hub.list_artifact(made)
    hub.assign(made)
    refusal = site.refuses(hub.export(medium))
    assert refusal.code == "bad-manifest"
    assert str(where) in refusal.what


def test_a1_05_dots_in_a_listed_file(hub: HubOnPaper, site: SiteOnPaper, medium: Path) -> None:
    from sealift_signing import dsse

    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    file = folder / "transfer.json"
    payload = dsse.read(file.read_bytes(), what="").payload
    evil = payload.replace(b"log/hub.checkpoint", b"../hub.checkpoint")
    file.write_bytes(dsse.sign(dsse.IN_TOTO, evil, hub.keys["dora"]))
    refusal = site.refuses(folder)
    assert refusal.code == "bad-shape"
    assert "../hub.checkpoint" in refusal.what


def test_a1_05_a_blob_listed_under_another_digest(
    hub: HubOnPaper, site: SiteOnPaper, medium: Path
) -> None:
    """The dispatcher signs that the weights' file has other bytes than its name says."""
    hub.assign(hub.promote(1))
    folder = hub.export(medium)
    (weights,) = (f for f in (folder / "blobs/sha256").iterdir() if b"weights" in f.read_bytes())
    weights.write_bytes(b"a back door")
    relist(folder, hub, f"blobs/sha256/{weights.name}")
    refusal = site.refuses(folder)
    assert refusal.code == "file-misnamed"
    assert weights.name in refusal.what
