"""What the hub tells of a role's past is read from its rows, of which none is believed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from sealift_registry.trust.stored import _WITHOUT, AHEAD, Rows, stored
from sealift_signing import publishing, roles, shape, version_links
from sealift_signing.documents import Members, Status, members_path
from sealift_signing.errors import RefusedError
from sealift_signing.organisation import Head, verified_by
from sealift_signing.version_links import VersionId, follows_of
from tests.registry import test_stored_metadata as rows
from tests.registry.hub_fixture import TEAM, Acme
from tests.registry.test_stored_sites import no_triggers

ROLE = roles.team_role(TEAM)


@pytest.fixture(autouse=True)
def nothing_read_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a process read once it knows; each test is a new one, though all have the same past."""
    monkeypatch.setattr("sealift_signing.organisation._PAST", {})


def status(now: Status) -> Callable[[Members], Members]:
    """A change of carla's."""
    return lambda members: replace(
        members,
        people=tuple(
            replace(one, status=now) if one.id == "carla" else one for one in members.people
        ),
    )


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
    other = VersionId(said.version, "e" * 64)
    version_links.write_follows(one.metadata.signed, replace(said, set_aside=(other,)))
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


def test_what_was_read_once_is_not_read_again(acme: Acme) -> None:
    grow(acme)
    with acme.app.hub.reading() as connection:
        told = stored(connection).lineage(ROLE, 0)
    no_triggers(acme)
    rows.drop(acme, ROLE, told[3].version)
    with acme.app.hub.reading() as connection:
        assert stored(connection).lineage(ROLE, 0) == told


def test_t0_175_a_key_that_was_called_compromised_is_known_however_long_ago(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody has to verify ten years for it: each list is looked for once."""
    acme.change_members(status("compromised"))
    acme.change_members(status("active"))
    grow(acme)
    looked_at: list[bytes] = []

    def verified(owner: Head, role: str, data: bytes) -> Head:
        looked_at.append(data)
        return verified_by(owner, role, data)

    monkeypatch.setattr("sealift_registry.trust.stored.verified_by", verified)
    with acme.app.hub.reading() as connection:
        found = stored(connection).compromised_people(TEAM)
    assert found == {(ROLE, acme.public("carla").text)}
    assert 0 < sum(members_path(TEAM).encode() in data for data in looked_at) < AHEAD


def test_k1_139_a_list_that_calls_nobody_compromised_is_read_once_by_a_process(
    acme: Acme,
) -> None:
    """A fleet of two thousand sites has as many lists, and every request asks for them."""
    path, part = members_path(TEAM), b'"compromised"'
    for status_then in ("active", "compromised", "active"):
        acme.change_members(status(status_then))
    with acme.app.hub.reading() as connection:
        first = stored(connection).rows.bodies(path, part)
    with acme.app.hub.reading() as connection:
        told = [one for one in stored(connection).rows.documents() if one[0] == path]
        _WITHOUT.add((told[0][1], b"another"))
        again, read = stored(connection).rows.bodies(path, part), _WITHOUT
    assert again == first
    assert len(first) == 1
    assert {(digest, part) for _, digest in told} - read == {(one, part) for one in first}


def test_t0_176_a_list_that_no_version_has_calls_nobody_compromised(acme: Acme) -> None:
    """Nor one that a version has which nobody signed."""
    with acme.app.hub.reading() as connection:
        known = stored(connection).members(TEAM)
    assert known is not None
    data = shape.write(status("compromised")(known))
    rows.put_document(acme, members_path(TEAM), data)
    forged = rows.next_of(acme, ROLE)
    publishing.list_document(forged.signed, members_path(TEAM), data)
    forged.signed.version = 1
    no_triggers(acme)
    rows.drop(acme, ROLE, 1)
    rows.put(acme, ROLE, forged)
    with acme.app.hub.reading() as connection:
        assert stored(connection).compromised_people(TEAM) == frozenset()
