"""TUF's client workflow (specification §5), case by case, driven as a client with a folder would.

The TUF conformance suite is not among the packages that our tests pin; these are the cases of it
that decide safety, written anew: after each refusal the client still holds what it held before.
"""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from tuf.api.metadata import Metadata, MetaFile, Targets

from sealift_signing import publishing
from sealift_signing.errors import BadSignatureError, NoKeyError, NotSignedEnoughError, RefusedError
from sealift_signing.tuf_walk import (
    ExpiredError,
    Keep,
    MissingError,
    Need,
    RoleKey,
    Walk,
    WentBackError,
    drive,
)
from tests.trust import NOW, Keyring, Repository

KEYS = Keyring()
TOP = {"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1}


class Client:
    """Keeps as it goes: what was verified stays, whatever fails afterwards."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.root = repository.files["1.root.json"]
        self.kept: dict[RoleKey, bytes] = {}
        self.asked: list[str] = []

    def refresh(self, days: float = 0) -> None:
        walk = Walk(self.root, self.kept, NOW + timedelta(days=days))
        drive(walk.top(), self._fetch, self._keep)

    def _fetch(self, need: Need) -> bytes | None:
        self.asked.append(need.file_name)
        return self.repository.fetch(need)

    def _keep(self, step: Keep) -> None:
        self.kept[step.delegator, step.role] = step.data
        if step.role == "root":
            self.root = step.data

    def versions(self) -> dict[str, int]:
        held = self.kept | {("root", "root"): self.root}
        read: dict[str, Metadata[Any]] = {
            role: Metadata.from_bytes(data) for (_, role), data in held.items()
        }
        return {role: metadata.signed.version for role, metadata in read.items()}


@pytest.fixture
def repository() -> Repository:
    return Repository(KEYS, links=False)  # TUF knows of none


@pytest.fixture
def client(repository: Repository) -> Client:
    return Client(repository)


def refused(client: Client, kind: type[RefusedError], code: str, days: float = 0) -> None:
    """The refresh fails so, and leaves nothing newer behind than what was verified."""
    with pytest.raises(kind) as error:
        client.refresh(days)
    assert error.value.code == code


def publish_again(repository: Repository, role: str) -> None:
    with repository.next(role):
        pass


def test_a_first_refresh(client: Client) -> None:
    client.refresh()
    assert client.versions() == TOP
    assert client.asked == ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]


def test_a_refresh_with_nothing_new(client: Client) -> None:
    client.refresh()
    client.refresh()
    assert client.versions() == TOP


def test_new_versions_are_taken(repository: Repository, client: Client) -> None:
    client.refresh()
    publish_again(repository, "targets")
    client.refresh()
    assert client.versions() == {"root": 1, "timestamp": 2, "snapshot": 2, "targets": 2}


def test_fields_that_nobody_knows_are_carried_and_signed(
    repository: Repository, client: Client
) -> None:
    with repository.next("targets") as signed:
        signed.unrecognized_fields["x-later"] = {"a": 1}
    client.refresh()
    assert client.versions()["targets"] == 2


# ---------------------------------------------------------------- §5.3 root


def test_the_root_s_keys_are_rotated_step_by_step(repository: Repository, client: Client) -> None:
    repository.rotate("root", 2, "rosa", "rolf", "rune")
    repository.rotate("root", 2, "rune", "rita", "rolf")
    repository.rotate("root", 1, "rita")
    client.refresh()
    assert client.versions()["root"] == 4
    assert client.asked[:4] == ["2.root.json", "3.root.json", "4.root.json", "5.root.json"]


def test_a_missing_root_ends_the_chain_where_it_is(repository: Repository, client: Client) -> None:
    repository.rotate("root", 1, "rita")
    repository.rotate("root", 1, "rune")
    del repository.files["2.root.json"]
    client.refresh()
    assert client.versions()["root"] == 1


@pytest.mark.parametrize(
    "signers,kind",
    [
        (("rosa", "rolf"), NoKeyError),  # only the old keys
        (("rita",), NoKeyError),  # only the new key
        (("rosa", "rita"), NotSignedEnoughError),  # one of two old keys
        (("eve",), NoKeyError),
    ],
)
def test_a_root_is_signed_by_the_old_keys_and_the_new(
    repository: Repository, client: Client, signers: tuple[str, ...], kind: type[RefusedError]
) -> None:
    repository.rotate("root", 1, "rita")
    metadata = repository.current["root"]
    metadata.signatures.clear()
    publishing.sign(metadata, [KEYS[name] for name in signers])
    repository.files["2.root.json"] = publishing.to_bytes(metadata)
    code = "not-signed-enough" if kind is NotSignedEnoughError else "no-key"
    refused(client, kind, code)
    assert client.versions() == {"root": 1}


@pytest.mark.parametrize("version", [1, 3])
def test_a_root_bears_the_number_it_is_asked_by(
    repository: Repository, client: Client, version: int
) -> None:
    repository.rotate("timestamp", 1, "t-2")
    metadata = repository.current["root"]
    metadata.signed.version = version
    metadata.signatures.clear()
    publishing.sign(metadata, repository.signers("root"))
    repository.files["2.root.json"] = publishing.to_bytes(metadata)
    refused(client, RefusedError, "metadata-version")
    assert client.versions() == {"root": 1}


def test_only_the_last_root_must_be_alive(repository: Repository, client: Client) -> None:
    repository.rotate("timestamp", 1, "t-2")
    metadata = repository.current["root"]
    metadata.signed.expires = NOW - timedelta(days=1)
    metadata.signatures.clear()
    publishing.sign(metadata, repository.signers("root"))
    repository.files["2.root.json"] = publishing.to_bytes(metadata)
    refused(client, ExpiredError, "role-expired")
    assert client.versions() == {"root": 2}  # it was right, and it is where the next one starts
    repository.rotate("timestamp", 1, "t-3")
    repository.refresh()
    client.refresh()
    assert client.versions()["root"] == 3


# ---------------------------------------------------------------- §5.4 timestamp


def test_a_timestamp_does_not_go_back(repository: Repository, client: Client) -> None:
    first = repository.files["timestamp.json"]
    repository.refresh()
    client.refresh()
    repository.files["timestamp.json"] = first
    refused(client, WentBackError, "role-went-back")
    assert client.versions()["timestamp"] == 2


def test_a_timestamp_changed_without_a_new_version_is_not_kept(
    repository: Repository, client: Client
) -> None:
    client.refresh()
    held = client.kept["root", "timestamp"]
    metadata = repository.current["timestamp"]
    metadata.signed.snapshot_meta = MetaFile(100)
    metadata.signatures.clear()
    publishing.sign(metadata, repository.signers("timestamp"))
    repository.files["timestamp.json"] = publishing.to_bytes(metadata)
    refused(client, WentBackError, "role-forked")
    assert client.kept["root", "timestamp"] == held


def test_a_newer_timestamp_does_not_name_an_older_snapshot(
    repository: Repository, client: Client
) -> None:
    repository.refresh()
    client.refresh()
    stale: Metadata[Any] = Metadata.from_bytes(repository.files["1.snapshot.json"])
    stamp = publishing.next_timestamp(
        repository.current["timestamp"], stale, expires=repository.expiry("timestamp")
    )
    repository.publish("timestamp", stamp)
    refused(client, WentBackError, "role-went-back")
    assert client.versions()["timestamp"] == 2


def test_an_expired_timestamp_is_not_kept(client: Client) -> None:
    refused(client, ExpiredError, "role-expired", days=31)
    assert client.versions() == {"root": 1}


def test_expiry_is_exact(repository: Repository, client: Client) -> None:
    lifetime = (repository.current["timestamp"].signed.expires - NOW) / timedelta(days=1)
    client.refresh(days=lifetime - 1e-6)
    refused(client, ExpiredError, "role-expired", days=lifetime)


def test_a_timestamp_by_a_stranger_is_not_kept(repository: Repository, client: Client) -> None:
    metadata = repository.current["timestamp"]
    metadata.signatures.clear()
    publishing.sign(metadata, [KEYS["eve"]])
    repository.files["timestamp.json"] = publishing.to_bytes(metadata)
    refused(client, NoKeyError, "no-key")
    assert client.versions() == {"root": 1}


# ---------------------------------------------------------------- §5.5 snapshot


def test_a_snapshot_is_the_one_that_the_timestamp_names(
    repository: Repository, client: Client
) -> None:
    repository.refresh()
    repository.files["2.snapshot.json"] = repository.files["1.snapshot.json"]
    refused(client, RefusedError, "metadata-version")
    assert client.versions() == {"root": 1, "timestamp": 2}


@pytest.mark.parametrize("right", [True, False])
def test_a_snapshot_s_hash_and_length_are_checked_where_they_are_given(
    repository: Repository, client: Client, right: bool
) -> None:
    data = repository.files["1.snapshot.json"]
    stamp = publishing.successor(
        repository.current["timestamp"], expires=repository.expiry("timestamp")
    )
    stamp.signed.snapshot_meta = MetaFile.from_data(1, data if right else data + b" ", ["sha256"])
    repository.publish("timestamp", stamp)
    if right:
        client.refresh()
        return
    refused(client, BadSignatureError, "metadata-differs")
    assert client.versions() == {"root": 1, "timestamp": 2}


def test_a_right_hash_does_not_excuse_a_wrong_length(
    repository: Repository, client: Client
) -> None:
    data = repository.files["1.snapshot.json"]
    stamp = publishing.successor(
        repository.current["timestamp"], expires=repository.expiry("timestamp")
    )
    stamp.signed.snapshot_meta = MetaFile(1, len(data) + 1, {"sha256": sha256(data).hexdigest()})
    repository.publish("timestamp", stamp)
    refused(client, BadSignatureError, "metadata-differs")


def test_another_hash_than_sha256_is_no_hash(repository: Repository, client: Client) -> None:
    stamp = publishing.successor(
        repository.current["timestamp"], expires=repository.expiry("timestamp")
    )
    stamp.signed.snapshot_meta = MetaFile.from_data(
        1, repository.files["1.snapshot.json"], ["sha512"]
    )
    repository.publish("timestamp", stamp)
    refused(client, BadSignatureError, "metadata-differs")


def lie_in_snapshot(repository: Repository, versions: dict[str, int], **files: MetaFile) -> None:
    """A next snapshot of just these versions, and its timestamp: what online keys could sign."""
    expires = repository.expiry("snapshot")
    metadata = publishing.successor(repository.current["snapshot"], expires=expires)
    listed = {role: MetaFile(n) for role, n in versions.items()} | files
    metadata.signed.meta = {f"{role}.json": file for role, file in listed.items()}
    repository.publish("snapshot", metadata)
    stamp = publishing.next_timestamp(repository.current["timestamp"], metadata, expires=expires)
    repository.publish("timestamp", stamp)


def test_a_snapshot_drops_no_role(repository: Repository, client: Client) -> None:
    client.refresh()
    lie_in_snapshot(repository, {"targets": 1})
    refused(client, WentBackError, "role-vanished")
    assert client.versions() == TOP | {"timestamp": 2}


def test_a_snapshot_takes_no_role_back(repository: Repository, client: Client) -> None:
    publish_again(repository, "targets")
    client.refresh()
    listed = repository.current["snapshot"].signed.meta
    lie_in_snapshot(repository, {name.removesuffix(".json"): 1 for name in listed} | {"targets": 1})
    refused(client, WentBackError, "role-went-back")
    assert client.versions() == {"root": 1, "timestamp": 3, "snapshot": 2, "targets": 2}


def test_two_snapshots_of_one_version_are_a_fork(repository: Repository, client: Client) -> None:
    client.refresh()
    metadata = repository.current["snapshot"]
    metadata.signed.unrecognized_fields["x-other"] = "content"
    metadata.signatures.clear()
    repository.publish("snapshot", metadata)
    stamp = publishing.next_timestamp(
        repository.current["timestamp"], metadata, expires=repository.expiry("timestamp")
    )
    repository.publish("timestamp", stamp)
    refused(client, WentBackError, "role-forked")
    assert client.versions() == TOP | {"timestamp": 2}


def test_a_snapshot_does_not_go_back_under_a_new_timestamp_key(
    repository: Repository, client: Client
) -> None:
    first = repository.current["snapshot"]
    repository.refresh()
    client.refresh()
    repository.rotate("timestamp", 1, "hub-timestamp-2")
    stamp = publishing.next_timestamp(None, first, expires=repository.expiry("timestamp"))
    repository.publish("timestamp", stamp)
    refused(client, WentBackError, "role-went-back")
    assert client.versions()["snapshot"] == 2


def test_an_expired_snapshot_is_not_kept(repository: Repository, client: Client) -> None:
    metadata = publishing.successor(
        repository.current["snapshot"], expires=NOW - timedelta(seconds=1)
    )
    repository.publish("snapshot", metadata)
    stamp = publishing.next_timestamp(
        repository.current["timestamp"], metadata, expires=repository.expiry("timestamp")
    )
    repository.publish("timestamp", stamp)
    refused(client, ExpiredError, "role-expired")
    assert client.versions() == {"root": 1, "timestamp": 2}


# ---------------------------------------------------------------- §5.6 targets


def test_targets_are_of_the_version_that_the_snapshot_names(
    repository: Repository, client: Client
) -> None:
    publish_again(repository, "targets")
    repository.files["2.targets.json"] = repository.files["1.targets.json"]
    refused(client, RefusedError, "metadata-version")
    assert "targets" not in client.versions()


def test_targets_that_are_not_there(repository: Repository, client: Client) -> None:
    del repository.files["1.targets.json"]
    refused(client, MissingError, "metadata-missing")
    assert client.versions() == {"root": 1, "timestamp": 1, "snapshot": 1}


@pytest.mark.parametrize("right", [True, False])
def test_a_role_s_hash_and_length_are_checked_where_they_are_given(
    repository: Repository, client: Client, right: bool
) -> None:
    data = repository.files["1.targets.json"]
    names = [name.removesuffix(".json") for name in repository.current["snapshot"].signed.meta]
    lie_in_snapshot(
        repository,
        dict.fromkeys(names, 1),
        targets=MetaFile.from_data(1, data if right else data + b" ", ["sha256"]),
    )
    if right:
        client.refresh()
        return
    refused(client, BadSignatureError, "metadata-differs")
    assert "targets" not in client.versions()


def test_expired_targets_are_not_kept(repository: Repository, client: Client) -> None:
    metadata: Metadata[Targets] = publishing.successor(
        repository.current["targets"], expires=NOW - timedelta(seconds=1)
    )
    repository.publish("targets", metadata)
    refused(client, ExpiredError, "role-expired")
    assert "targets" not in client.versions()


# ---------------------------------------------------------------- recovery by key rotation


def run_ahead(repository: Repository, role: str, version: int) -> None:
    """Somebody with an online key signs a version that nothing could follow for years."""
    repository.current[role].signed.version = version
    repository.refresh()


def test_a_timestamp_that_ran_ahead_is_recovered_by_a_new_key(
    repository: Repository, client: Client
) -> None:
    run_ahead(repository, "timestamp", 2**52)
    client.refresh()
    assert client.versions()["timestamp"] > 2**52
    repository.current["timestamp"].signed.version = 1
    repository.refresh()
    refused(client, WentBackError, "role-went-back")
    repository.rotate("timestamp", 1, "hub-timestamp-2")
    repository.refresh()
    client.refresh()
    assert client.versions()["timestamp"] == 3


def test_a_snapshot_that_ran_ahead_is_recovered_by_two_new_keys(
    repository: Repository, client: Client
) -> None:
    run_ahead(repository, "snapshot", 2**52)
    client.refresh()
    repository.current["snapshot"].signed.version = 4
    repository.rotate("snapshot", 1, "hub-snapshot-2")
    repository.refresh()
    refused(client, WentBackError, "role-went-back")  # the timestamp's key still vouches for it
    repository.rotate("timestamp", 1, "hub-timestamp-2")
    repository.refresh()
    client.refresh()
    assert client.versions()["snapshot"] == 6


def test_targets_that_ran_ahead_are_recovered_by_new_keys(
    repository: Repository, client: Client
) -> None:
    run_ahead(repository, "targets", 2**52)
    publish_again(repository, "targets")
    client.refresh()
    repository.current["targets"].signed.version = 1
    for role, names in (
        ("targets", ("tina-2", "toni-2")),
        ("snapshot", ("hub-snapshot-2",)),
        ("timestamp", ("hub-timestamp-2",)),
    ):
        repository.rotate(role, len(names), *names)
    repository.current.pop("snapshot")
    publish_again(repository, "targets")
    client.refresh()
    assert client.versions()["targets"] == 2


def test_a_revoked_key_signs_nothing_more(repository: Repository, client: Client) -> None:
    client.refresh()
    repository.rotate("timestamp", 1, "hub-timestamp-2")
    repository.holders["timestamp"] = (1, ("hub-timestamp",))
    repository.refresh()
    refused(client, NoKeyError, "no-key")
    assert client.versions() == TOP | {"root": 2}
