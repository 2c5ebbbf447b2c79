"""A hub without blobs is moved only to a store that is there, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_registry.moving import checks, moves
from sealift_registry.moving.route import route
from sealift_registry.storage import s3_owner
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_signing.errors import SealiftError
from sealift_sync.blobs import BlobFolder
from tests.registry.hub_fixture import Acme
from tests.registry.moving_hubs import moved_to
from tests.servers.seaweed import S3Server, seaweed

pytestmark = [
    pytest.mark.socket,
    pytest.mark.embedded("it begins in the home, and is moved to servers by the test itself"),
]
OTHERS = "e" * 64


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    found = seaweed()
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


def to(server: S3Server, bucket: str) -> dict[str, str]:
    return {"url": f"s3://{bucket}/hub", "endpoint": server.endpoint, "region": ""}


def emptied(hub: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    """No blobs, and no row that names one: as a hub that was set up a moment ago."""
    store = hub.app.hub.home.blobs
    for digest in list(store.digests()):
        store.remove(digest)
    monkeypatch.setattr(checks, "check_blobs", lambda _hub, _there: None)


def test_g1_106_a_bucket_that_is_not_there(
    hub: Acme, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied(hub, monkeypatch)
    way = route(hub.app.hub.home, None, to(server, "there-is-none"))
    with pytest.raises(SealiftError) as caught:
        moves.check(hub.app.hub, way)
    assert caught.value.code == "blobs-no-bucket"
    with pytest.raises(SealiftError) as caught:
        moved_to(hub.app, None, to(server, "there-is-none"))
    assert caught.value.code == "blobs-no-bucket"
    hub.close()
    assert isinstance(hub.app.hub.home.blobs, BlobFolder)
    assert hub.types()[-1] != "hub.moved"


@pytest.mark.parametrize("empty", [True, False])
def test_g1_106_the_bucket_of_another_hub(
    hub: Acme,
    server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    empty: bool,
) -> None:
    if empty:
        emptied(hub, monkeypatch)
    theirs = server.blobs(tmp_path, OTHERS)
    theirs.claim()
    before = set(theirs.digests())
    with pytest.raises(SealiftError) as caught:
        moved_to(hub.app, None, to(server, theirs.address.bucket))
    assert caught.value.code == "blobs-of-another-hub"
    hub.close()
    assert isinstance(hub.app.hub.home.blobs, BlobFolder)
    assert set(theirs.digests()) == before


def test_g1_106_what_is_moved_without_blobs_is_marked(
    hub: Acme, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied(hub, monkeypatch)
    bucket = server.bucket()
    way = route(hub.app.hub.home, None, to(server, bucket))
    moves.check(hub.app.hub, way)
    assert not server.client().list_objects_v2(Bucket=bucket).get("Contents"), "a plan writes none"
    assert moved_to(hub.app, None, to(server, bucket)).blobs == 0
    hub.close()
    store = hub.app.hub.home.blobs
    assert isinstance(store, S3Blobs)
    assert s3_owner.owner(store.calls) == store.organisation
