"""A failover that lost that the log's key was replaced: neither key signs a second history."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sealift_registry.audit.newest_checkpoint import notes
from sealift_signing.errors import SealiftError
from tests.registry.hub_fixture import Acme
from tests.registry.hubs_on_postgres import another_home, fail_over, founded_on
from tests.registry.test_replacing_keys import rotate
from tests.servers.postgres import postgres


def noted(acme: Acme) -> None:
    hub = acme.app.hub
    hub.log.commit_entry(hub.entry("work.resumed", "hub", {}))


def refused(acme: Acme) -> str:
    with pytest.raises(SealiftError) as caught:
        noted(acme)
    acme.close()
    assert caught.value.next_step
    return caught.value.code


@pytest.mark.parametrize("more", [0, 1, 2])
def test_g1_122_the_old_key_does_not_go_on(tmp_path: Path, more: int) -> None:
    """Whoever has the new key is not told to bring the old one back; and where it is, it stops."""
    database = postgres().migrated()
    one = founded_on(database, tmp_path / "one")
    for _ in range(2):
        noted(one)
    shutil.copytree(one.root / "keys", tmp_path / "old")
    one.close()
    older = database.copy()
    rotate(one, "log")
    for _ in range(more):
        noted(one)
    one.close()
    with another_home(one, tmp_path / "other") as other:
        shutil.rmtree(other.root / "keys")
        shutil.copytree(tmp_path / "old", other.root / "keys")
        shutil.copy(one.root / "newest-checkpoint", other.root)
        fail_over(database, older)
        before = one.root / "newest-checkpoint"
        kept = notes(before)
        assert refused(one) in {"log-key-lost", "database-of-another-hub"}
        # An administrator brings the old key back, there or on another host with the same file.
        assert refused(other) in {"newest-checkpoint-foreign", "newest-checkpoint-unusable"}
        shutil.rmtree(one.root / "keys")
        shutil.copytree(tmp_path / "old", one.root / "keys")
        assert refused(one) in {"newest-checkpoint-foreign", "newest-checkpoint-unusable"}
        assert notes(before) == kept


def test_g1_122_a_replaced_key_goes_on_as_ever(tmp_path: Path) -> None:
    one = founded_on(postgres().migrated(), tmp_path / "one")
    noted(one)
    for _ in range(2):
        rotate(one, "log")
        for _ in range(2):
            noted(one)
    one.close()
    noted(one)
    one.close()
