"""A hub goes to PostgreSQL and back: the same rows, files and log, and no two places sign."""

from __future__ import annotations

import pytest

from sealift_registry.audit.moved import MovedHubError
from sealift_registry.moving import checks
from sealift_signing.errors import SealiftError
from tests.registry.hub_fixture import Acme
from tests.registry.moving_hubs import (
    blobs,
    bodies,
    copies,
    moved_to,
    new_database,
    opened,
    root_of,
    rows,
    url_of,
)

pytestmark = pytest.mark.embedded(
    "it begins in the home, and is moved to servers by the test itself"
)


def test_there_and_back(hub: Acme) -> None:
    """Acceptance: byte-equal TUF files, the same log, every blob; it works in either place."""
    hub.promoted()
    before = bodies(hub.app), copies(hub.root), blobs(hub.app), rows(hub.app)
    database = new_database()
    first = moved_to(hub.app, url_of(database))
    assert first.rows == {name: one.rows for name, one in before[3].items()}
    hub.close()
    assert (bodies(hub.app), copies(hub.root), blobs(hub.app)) == before[:3]
    assert root_of(hub.app, first.edge.size) == first.edge.root.hex()
    assert hub.app.hub.database.where.startswith("postgresql://")
    with hub.app.hub.reading() as connection:
        assert checks.edge(connection).size == first.edge.size + 1
    hub.ingest(3, hub.goldens())  # it works there
    between = bodies(hub.app), copies(hub.root), blobs(hub.app), rows(hub.app)
    second = moved_to(hub.app, "home")
    assert second.rows == {name: one.rows for name, one in between[3].items()}
    hub.close()
    assert (bodies(hub.app), copies(hub.root), blobs(hub.app)) == between[:3]
    for one in (first, second):
        assert root_of(hub.app, one.edge.size) == one.edge.root.hex()
    assert hub.app.hub.database.where == str(hub.root / "sealift.db")
    assert hub.types()[-1] == "hub.moved"
    assert hub.types().count("hub.moved") == 2
    hub.ingest(4, hub.goldens())
    assert checks.faults(hub.app.hub) == []
    assert (hub.root / "sealift.db.moved").exists()  # what was ended first is still there


def test_what_was_left_signs_nothing_and_says_where_it_went(hub: Acme) -> None:
    database = new_database()
    settings = (hub.root / "settings.toml").read_bytes()
    moved_to(hub.app, url_of(database))
    with pytest.raises(SealiftError, match=r"moved to .postgresql://") as caught:
        hub.ingest(3, hub.goldens())  # by who had it open meanwhile
    assert isinstance(caught.value, MovedHubError)
    hub.close()
    (hub.root / "settings.toml").write_bytes(settings)  # and by who names it again
    with pytest.raises(MovedHubError, match=r"moved to .postgresql://"):
        hub.ingest(3, hub.goldens())
    hub.close()
    opened(hub.root, lambda app: moved_to(app, url_of(database)))  # which mends it
    assert hub.ingest(3, hub.goldens()).new
