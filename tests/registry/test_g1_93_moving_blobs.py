"""Blobs go to an S3 server and home again: each is hashed where it arrived."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from sealift_registry.audit.moved import MovedHubError
from sealift_signing.errors import FailedError, RefusedError, SealiftError
from sealift_sync.blobs import BlobFolder
from tests.blob_faults import spoil
from tests.registry.hub_fixture import Acme
from tests.registry.moving_hubs import (
    blobs,
    bodies,
    moved_to,
    new_database,
    opened,
    root_of,
    url_of,
)
from tests.servers.seaweed import seaweed

pytestmark = [
    pytest.mark.socket,
    pytest.mark.embedded("it begins in the home, and is moved to servers by the test itself"),
]
HOME = {"url": "home", "endpoint": "", "region": ""}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The section `[blobs]` of a hub whose blobs are in a new bucket."""
    server = seaweed()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return {"url": f"s3://{server.bucket()}/hub", "endpoint": server.endpoint, "region": ""}


def test_there_and_back_with_the_rows(hub: Acme, bucket: dict[str, str]) -> None:
    hub.promoted()
    before = bodies(hub.app), blobs(hub.app)
    first = moved_to(hub.app, url_of(new_database()), bucket)
    hub.close()
    assert (first.blobs, first.sent) == (len(before[1]), len(before[1]))
    assert hub.app.hub.home.blobs.where.startswith("s3://")
    assert (bodies(hub.app), blobs(hub.app)) == before
    hub.ingest(3, hub.goldens())
    between = bodies(hub.app), blobs(hub.app)
    assert len(between[1]) > len(before[1])
    second = moved_to(hub.app, "home", HOME)
    hub.close()
    assert (second.blobs, second.sent) == (len(between[1]), len(between[1]) - len(before[1]))
    assert isinstance(hub.app.hub.home.blobs, BlobFolder)
    assert (bodies(hub.app), blobs(hub.app)) == between
    assert root_of(hub.app, second.edge.size) == second.edge.root.hex()
    assert hub.ingest(4, hub.goldens()).new


def test_blobs_alone_and_who_keeps_them_elsewhere(hub: Acme, bucket: dict[str, str]) -> None:
    before = blobs(hub.app)
    settings = (hub.root / "settings.toml").read_bytes()
    with hub.another() as other:
        assert not other.types()[-1].startswith("hub.")
        moved_to(hub.app, None, bucket)
        with pytest.raises(SealiftError, match=r"blobs of this hub were moved to .s3://"):
            other.ingest(3, hub.goldens())
    hub.close()
    assert blobs(hub.app) == before
    assert hub.types()[-1] == "hub.moved"
    hub.ingest(3, hub.goldens())
    hub.close()
    (hub.root / "settings.toml").write_bytes(settings)
    with pytest.raises(MovedHubError, match="sealift migrate --to-blobs s3://"):
        hub.ingest(4, hub.goldens())
    assert opened(hub.root, lambda app: moved_to(app, None, bucket)).again
    hub.close()
    assert hub.ingest(4, hub.goldens()).new


def test_g1_205_where_blobs_were_moved_before_each_of_them_is_looked_for(
    hub: Acme, bucket: dict[str, str]
) -> None:
    """Another home, or this one where settings.toml was not written any more."""
    before = (hub.root / "settings.toml").read_bytes()
    moved_to(hub.app, None, bucket)
    hub.close()
    with hub.app.hub.reading() as connection:
        query = text("SELECT source_sha256 FROM model_version WHERE number = 2")
        digest = connection.execute(query).scalar_one()
    hub.app.hub.home.blobs.remove(digest)
    hub.close()
    (hub.root / "settings.toml").write_bytes(before)
    with pytest.raises(RefusedError, match=r"s3://.* of vision/tiny/2") as caught:
        opened(hub.root, lambda app: moved_to(app, None, bucket))
    assert caught.value.code == "move-blobs-missing"
    assert (hub.root / "settings.toml").read_bytes() == before


def test_a_damaged_blob_is_not_moved(hub: Acme, bucket: dict[str, str]) -> None:
    digest = min(blobs(hub.app))
    spoil(hub.app.hub.home.blobs, digest, b"something else")
    with pytest.raises(RefusedError, match=f"blob {digest[:12]} .* is damaged") as caught:
        moved_to(hub.app, None, bucket)
    assert caught.value.code == "move-blob-damaged"
    hub.close()
    assert isinstance(hub.app.hub.home.blobs, BlobFolder)
    assert hub.types()[-1] != "hub.moved"


def test_a_lost_blob_stops_the_move(hub: Acme, bucket: dict[str, str]) -> None:
    with hub.app.hub.reading() as connection:
        query = text("SELECT source_sha256 FROM model_version WHERE number = 2")
        digest = connection.execute(query).scalar_one()
    hub.app.hub.home.blobs.remove(digest)
    with pytest.raises(RefusedError, match="of vision/tiny/2") as caught:
        moved_to(hub.app, None, bucket)
    assert caught.value.code == "move-blobs-missing"


def test_what_lies_there_counts_only_when_it_is_whole(hub: Acme, bucket: dict[str, str]) -> None:
    """In the home: what was left there, and meanwhile damaged, is sent again."""
    moved_to(hub.app, None, bucket)
    hub.close()
    kept = BlobFolder(hub.root / "blobs")
    digests = sorted(kept.digests())
    spoil(kept, digests[0], b"something else")
    kept.remove(digests[1])
    done = moved_to(hub.app, None, HOME)
    assert done.sent == 2
    hub.close()
    assert blobs(hub.app) == set(digests)


def test_a_store_that_keeps_something_else_is_not_believed(
    hub: Acme, bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sealift_registry.storage.s3_blobs import S3Blobs

    wrong = max(blobs(hub.app))
    real = S3Blobs.fault
    monkeypatch.setattr(S3Blobs, "fault", lambda *a: "damaged" if a[1] == wrong else real(*a))
    with pytest.raises(FailedError, match="not what was written") as caught:
        moved_to(hub.app, None, bucket)
    assert caught.value.code == "move-blob-not-whole"
    hub.close()
    assert isinstance(hub.app.hub.home.blobs, BlobFolder)


def test_no_room(hub: Acme, bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    from sealift_registry.moving import checks

    moved_to(hub.app, None, bucket)
    hub.close()
    for path in (hub.root / "blobs/sha256").iterdir():
        path.unlink()
    monkeypatch.setattr(checks, "ROOM_KEPT", 1 << 60)
    with pytest.raises(FailedError, match="bytes free") as caught:
        moved_to(hub.app, None, HOME)
    assert caught.value.code == "move-no-room"
    assert not list(Path(hub.root / "blobs/sha256").iterdir())
