"""Versions descend: what a version says of its past, and what whoever holds an older one makes of
it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tuf.api.metadata import Metadata, Targets

from sealift_signing import publishing, version_links
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.tuf_walk import MissingError, WentBackError
from sealift_signing.version_links import (
    Descent,
    Follows,
    ForkedError,
    SkippedError,
    VersionId,
    check_descends,
    follows_of,
)
from tests.trust import NOW

ROLE = "team.vision"


def first() -> Metadata[Targets]:
    return publishing.first_targets(expires=publishing.expiry(NOW, 180))


def after(
    before: Metadata[Targets], *aside: VersionId, days: int = 180, version: int | None = None
) -> Metadata[Targets]:
    expires = publishing.expiry(NOW, days)
    return publishing.following(before, expires=expires, set_aside=aside, version=version)


def unlinked(before: Metadata[Targets]) -> Metadata[Targets]:
    return publishing.successor(before, expires=publishing.expiry(NOW, 180))


def chain(length: int) -> list[Metadata[Targets]]:
    made = [first()]
    for days in range(1, length):
        made.append(after(made[-1], days=180 + days))
    return made


def lineage(versions: list[Metadata[Targets]]) -> list[Follows]:
    """What the versions below the last say of their past, newest first."""
    said = [follows_of(one.signed) for one in versions[:-1]]
    return [one for one in reversed(said) if one is not None]


def descends(held: Metadata[Targets], versions: list[Metadata[Targets]]) -> Descent:
    return check_descends(
        ROLE,
        version_links.named(held),
        versions[-1],
        lineage(versions),
        linked=follows_of(held.signed) is not None,
    )


def test_a_version_names_the_one_it_follows() -> None:
    one, two, three = chain(3)
    assert follows_of(one.signed) is None
    assert follows_of(two.signed) == Follows(1, version_links.digest(one), None, ())
    said = follows_of(three.signed)
    assert said == Follows(
        2, version_links.digest(two), version_links.link(follows_of(two.signed)), ()
    )


def test_each_version_of_a_chain_is_an_ancestor_of_the_last() -> None:
    versions = chain(12)
    for held in versions:
        assert descends(held, versions) == Descent()


def test_what_was_missed_travels_as_values() -> None:
    versions = chain(6)
    with pytest.raises(MissingError) as error:
        check_descends(ROLE, version_links.named(versions[1]), versions[-1], lineage(versions)[:2])
    assert error.value.code == "lineage-missing"


def test_a_version_made_from_an_old_base_is_a_fork() -> None:
    """The removal in version 3 never happened, for whoever made the other version 3 from 2."""
    versions = chain(3)
    other = after(versions[1], days=10)
    newest = after(other)
    with pytest.raises(ForkedError):
        descends(versions[2], [*versions[:2], other])
    with pytest.raises(ForkedError):
        descends(versions[2], [*versions[:2], other, newest])


def test_a_version_over_a_number_that_was_seen_is_a_fork() -> None:
    versions = chain(3)
    over = after(versions[1], version=4)
    with pytest.raises(ForkedError):
        descends(versions[2], [*versions[:2], over])


@pytest.mark.parametrize("number", [4, 5, 1000, 10**15 - 1])
def test_t0_193_a_number_that_nobody_set_aside_is_left_out_by_nobody(number: int) -> None:
    """Signed by a thief of a key, it would be the last version that its role ever has."""
    versions = chain(2)
    far = after(versions[1], version=number)
    later = after(far)
    for newest in ([far], [far, later]):
        with pytest.raises(SkippedError, match=f"Version {number} of {ROLE} follows version 2"):
            descends(versions[1], [*versions, *newest])
    said = follows_of(far.signed)
    assert said is not None
    version_links.check_accounted("recall", number, said)  # whatever its past


def test_what_is_set_aside_gives_way() -> None:
    versions = chain(3)
    lost = versions[2]
    over = after(versions[1], version_links.named(lost), version=4)
    assert descends(lost, [*versions[:2], over]) == Descent(set_aside=4)
    later = after(over)
    assert descends(lost, [*versions[:2], over, later]) == Descent(set_aside=4)
    assert descends(versions[1], [*versions[:2], over, later]) == Descent()


def test_another_of_the_same_number_is_not_set_aside_with_it() -> None:
    versions = chain(3)
    twin = after(versions[1], days=9)
    over = after(versions[1], version_links.named(versions[2]), version=4)
    with pytest.raises(ForkedError):
        descends(twin, [*versions[:2], over])


def test_a_lower_number_goes_back() -> None:
    versions = chain(3)
    with pytest.raises(WentBackError):
        descends(versions[2], versions[:2])


def test_two_of_one_number_are_a_fork() -> None:
    versions = chain(2)
    with pytest.raises(ForkedError):
        descends(after(versions[0], days=5), versions)


def test_below_the_chain_numbers_count() -> None:
    old = [first()]
    old += [unlinked(old[-1]) for _ in range(1)]
    old.append(unlinked(old[-1]))
    linked = after(old[-1])
    newest = after(linked)
    for held in old[:-1]:
        assert descends(held, [*old, linked, newest]) == Descent(by_number=True)
    assert descends(old[-1], [*old, linked, newest]) == Descent()
    other = unlinked(old[-2])
    other.signed.targets = {}
    other.signed.expires += timedelta(days=1)
    with pytest.raises(ForkedError):
        descends(other, [*old, linked, newest])


def test_a_chain_never_ends() -> None:
    """A version without a link above one that has it would cut off all that went before."""
    versions = chain(3)
    with pytest.raises(ForkedError):
        descends(versions[2], [*versions, unlinked_copy(versions[2])])
    with pytest.raises(ForkedError):
        descends(versions[2], [*versions, restarted(versions[2])])


def unlinked_copy(before: Metadata[Targets]) -> Metadata[Targets]:
    made = unlinked(before)
    del made.signed.unrecognized_fields[version_links.FIELD]
    return made


def restarted(before: Metadata[Targets]) -> Metadata[Targets]:
    made = unlinked(unlinked_copy(before))
    version_links.write_follows(made.signed, Follows(before.signed.version + 1, "0" * 64, None, ()))
    return made


@pytest.mark.parametrize("change", ["version", "digest", "link", "set_aside"])
def test_a_changed_value_of_the_past_is_noticed(change: str) -> None:
    versions = chain(5)
    values = lineage(versions)
    other = {
        "version": replace(values[1], version=1),
        "digest": replace(values[1], digest="0" * 64),
        "link": replace(values[1], link="0" * 64),
        "set_aside": replace(values[1], set_aside=(VersionId(1, "0" * 64),)),
    }[change]
    values[1] = other
    with pytest.raises(MalformedError) as error:
        check_descends(ROLE, version_links.named(versions[0]), versions[-1], values)
    assert error.value.code == "lineage-differs"


def test_a_left_out_value_is_noticed() -> None:
    versions = chain(5)
    values = lineage(versions)
    del values[1]
    with pytest.raises(RefusedError):
        check_descends(ROLE, version_links.named(versions[0]), versions[-1], values)


def test_nothing_follows_itself() -> None:
    made = after(first())
    version_links.write_follows(made.signed, Follows(2, "0" * 64, None, ()))
    with pytest.raises(MalformedError):
        follows_of(made.signed)
    version_links.write_follows(made.signed, Follows(1, "0" * 64, None, (VersionId(2, "0" * 64),)))
    with pytest.raises(MalformedError):
        follows_of(made.signed)
    made.signed.unrecognized_fields[version_links.FIELD] = ["nothing"]
    with pytest.raises(MalformedError):
        follows_of(made.signed)


# ---------------------------------------------------------------------- one value out of a file


def test_what_a_file_says_of_its_past_is_found_by_its_link() -> None:
    one, two, three = (publishing.to_bytes(made) for made in chain(3))
    said = follows_of(chain(3)[1].signed)
    wanted = version_links.link(said)
    assert wanted is not None
    assert version_links.follows_linked(two, wanted) == said
    assert version_links.follows_linked(one, wanted) is None
    assert version_links.follows_linked(three, wanted) is None


@pytest.mark.parametrize(
    "there",
    [
        b"",
        b"not JSON",
        b'"x-sealift-follows":',
        b'"x-sealift-follows":[1]',
        b'"x-sealift-follows":"text"',
        b'"x-sealift-follows":null',
        b'"x-sealift-follows":{"version":1}',
        b'"x-sealift-follows":{"version":1,"digest":"e","link":null,"set_aside":[]}',
        b'"x-sealift-follows":\xff',
        b'"x-sealift-follows":' + b"[" * 100_000,
        b'"x-sealift-follows":' + b'{"a":' * 100_000,
    ],
)
def test_what_says_nothing_of_its_past_is_not_believed(there: bytes) -> None:
    assert version_links.follows_linked(there, "e" * 64) is None
