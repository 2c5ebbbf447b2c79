"""What the hub tells of a role's past is read from its rows, of which none is believed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from sealift_registry.trust.stored import AHEAD, Rows, stored
from sealift_signing import links, publishing, roles
from sealift_signing.errors import RefusedError
from sealift_signing.links import Named, follows_of
from tests.registry import test_stored_metadata as rows
from tests.registry.hub_fixture import TEAM, Acme
from tests.registry.test_stored_sites import no_triggers

ROLE = roles.team_role(TEAM)


def grow(acme: Acme) -> int:
    """More versions of the team's list than are read at once; how many there are."""
    before = rows.newest(acme, ROLE)
    for _ in range(AHEAD + 10):
        before = publishing.following(before, expires=before.signed.expires)
        publishing.sign(before, [acme.signer("anna"), acme.signer("ben")])
        rows.put(acme, ROLE, before)
    return int(before.signed.version)


def test_the_past_is_what_each_version_says_of_its_own(acme: Acme) -> None:
    newest = grow(acme)
    with acme.app.hub.reading() as connection:
        found = stored(connection)
        told = found.lineage(ROLE, 0)
        versions = [found.version(ROLE, number) for number in range(newest - 1, 1, -1)]
    assert [one.version for one in told] == list(range(newest - 2, 0, -1))
    assert list(told) == [follows_of(one.targets) for one in versions if one is not None]


def test_a_version_whose_past_was_changed_is_named(acme: Acme) -> None:
    number = grow(acme) - 7
    no_triggers(acme)
    with acme.app.hub.reading() as connection:
        one = stored(connection).version(ROLE, number)
    assert one is not None
    said = follows_of(one.targets)
    assert said is not None
    other = Named(said.version, "e" * 64)
    links.write_follows(one.metadata.signed, replace(said, set_aside=(other,)))
    rows.drop(acme, ROLE, number)
    rows.put(acme, ROLE, one.metadata, number)
    with acme.app.hub.reading() as connection, pytest.raises(RefusedError) as refused:
        stored(connection).lineage(ROLE, 0)
    assert (refused.value.code, refused.value.subject) == ("version-differs", ROLE)
    assert f"version {number} of" in refused.value.what


def test_the_past_ends_above_a_version_that_is_gone(acme: Acme) -> None:
    number = grow(acme) - 7
    no_triggers(acme)
    rows.drop(acme, ROLE, number)
    with acme.app.hub.reading() as connection:
        told = stored(connection).lineage(ROLE, 0)
    assert told[-1].version == number


def test_versions_that_are_read_ahead_are_those_that_are_there(acme: Acme) -> None:
    newest = grow(acme)
    no_triggers(acme)
    rows.drop(acme, ROLE, newest - 3)
    down = list(range(newest + 1, -2, -1))
    mixed = random.Random(7).choices(down, k=40)  # noqa: S311 - an order, no secret
    with acme.app.hub.reading() as connection:
        each = {number: Rows(connection).metadata(ROLE, number) for number in down}
        together = Rows(connection)
        for number in (*down, *reversed(down), *mixed, newest, newest - 1, newest + 1):
            assert together.metadata(ROLE, number) == each[number], number
        assert together.metadata(roles.TARGETS, newest) is None
    assert [n for n in down if each[n] is None] == [newest + 1, newest - 3, 0, -1]
