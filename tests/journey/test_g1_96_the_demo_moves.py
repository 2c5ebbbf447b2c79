"""The demo's hub goes to PostgreSQL and S3 and back: the same files, the same log, every blob."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealift_registry.moving import checks
from tests.journey.test_demo import check, play_forked
from tests.registry.hub_fixture import Acme
from tests.registry.moving_hubs import (
    blobs,
    bodies,
    copies,
    moved_to,
    new_database,
    root_of,
    rows,
    url_of,
)
from tests.servers.seaweed import seaweed

pytestmark = pytest.mark.embedded(
    "it begins in the home, and is moved to servers by the test itself"
)


@pytest.mark.socket
@pytest.mark.timeout(900)
def test_g1_96_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(play_forked(tmp_path / "demo"), tmp_path / "demo")
    server = seaweed()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    store = {"url": f"s3://{server.bucket()}/hub", "endpoint": server.endpoint, "region": ""}
    home = {"url": "home", "endpoint": "", "region": ""}
    hub = Acme(tmp_path / "demo")
    before = bodies(hub.app), copies(hub.root), blobs(hub.app)
    counts = {name: one.rows for name, one in rows(hub.app).items()}
    ends = []
    for database, kept in ((url_of(new_database()), store), ("home", home)):
        done = moved_to(hub.app, database, kept)
        hub.close()
        assert (bodies(hub.app), copies(hub.root), blobs(hub.app)) == before
        assert done.blobs == len(before[2])
        assert checks.faults(hub.app.hub) == []
        ends.append(done)
    assert ends[0].rows == counts
    assert ends[1].edge.size == ends[0].edge.size + 2  # that it was moved, and that it leaves again
    for one in ends:
        assert root_of(hub.app, one.edge.size) == one.edge.root.hex()
    hub.close()
