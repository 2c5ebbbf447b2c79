"""What is promised of sizes is kept: what is written at the edge of a limit can be read."""

from __future__ import annotations

from sealift_signing import canonical, drafts, shape, version_links
from sealift_signing.drafts import CarriedDocument, CarriedRole, Shared, encoded
from sealift_signing.memory_updates import fitting
from sealift_signing.version_links import Follows, Lineage

DIGEST = "a" * 64


def lineage(length: int) -> tuple[Follows, ...]:
    return tuple(Follows(length - n, DIGEST, DIGEST, ()) for n in range(length))


def test_the_longest_past_can_be_read() -> None:
    data = shape.write(Lineage(1, (), "team.vision", lineage(version_links.MOST)))
    canonical.check_values(data, what="it")
    assert len(data) < drafts.LARGEST


def told(teams: int, versions: int) -> bytes:
    """What somebody shares of so many teams, each with a members.json of a hundred people."""
    pasts = fitting({f"team.t{n}": lineage(versions) for n in range(teams)})
    people, listed = encoded(b"x" * 20_000), encoded(b"x" * 1_200)
    roles = tuple(CarriedRole(role, listed, past) for role, past in pasts.items())
    documents = tuple(CarriedDocument(f"teams/t{n}/members.json", people) for n in range(teams))
    return shape.write(Shared(1, (), DIGEST, (listed,), roles, (), documents))


def test_a_large_organisation_is_shared_as_promised() -> None:
    data = told(1_000, 80)
    canonical.check_values(data, what="it")
    assert len(data) < drafts.LARGEST


def test_of_a_larger_one_the_newest_of_each_past_is_shared() -> None:
    for teams, versions in ((1_000, 100), (300, 400), (2, 70_000)):
        canonical.check_values(told(teams, versions), what="it")
    assert fitting({"a": lineage(3), "b": lineage(version_links.MOST)}) == {
        "a": lineage(3),
        "b": lineage(version_links.MOST)[: version_links.MOST - 3],
    }
    whole = {"a": lineage(3), "b": lineage(5)}
    assert fitting(whole) == whole
