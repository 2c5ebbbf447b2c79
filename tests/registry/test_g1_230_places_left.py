"""What `sealift migrate` says of a database that holds what the hub was before."""

from __future__ import annotations

import pytest

from tests.registry.hub_fixture import Acme
from tests.registry.moving_hubs import new_database, opened, url_of
from tests.registry.test_g1_190_forged_rows import signs
from tests.registry.test_g1_194_what_movers_are_told import answer

pytestmark = pytest.mark.embedded("it begins in the home, and is moved to servers by itself")


def test_g1_230_a_database_that_was_left_is_to_be_made_new(
    hub: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    """It lacks nothing, and holds nothing that this hub has not signed: so no other hub is told."""
    hub.close()
    there, other = url_of(new_database()), url_of(new_database())
    for place in (there, "home", other):
        assert answer(capsys, hub.root, "migrate", "--to-database", place).code == 0
        if place == there:
            continue
        for spelled in (there, f"{there}&sslmode=disable"):
            for more in ([], ["--plan"]):
                found = answer(capsys, hub.root, "migrate", "--to-database", spelled, *more)
                assert found.code == 4
                assert "was left by this hub" in found.err
                assert "Have that database made new" in found.err
                assert "Sign nothing" not in found.err
    assert answer(capsys, hub.root, "audit", "fsck").code == 0
    opened(hub.root, signs)


def test_g1_230_so_is_one_that_was_restored_to_an_earlier_moment(
    hub: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.close()
    there = new_database()
    assert answer(capsys, hub.root, "migrate", "--to-database", url_of(there)).code == 0
    earlier = there.copy()
    opened(hub.root, signs)
    found = answer(capsys, hub.root, "migrate", "--to-database", url_of(earlier))
    assert found.code == 4
    assert "holds this hub as it was earlier" in found.err
    assert "Have that database made new" in found.err
