"""The layout: which roles there are, and what each may list and delegate."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from tuf.api.metadata import DelegatedRole, Delegations, SuccinctRoles, TargetFile, Targets

from sealift_signing import publishing, roles
from sealift_signing.errors import MalformedError, NotSignedEnoughError
from sealift_signing.policy import Policy
from sealift_signing.tuf_walk import PERSON_FIELD
from tests.trust import NOW, STAGE, Repository, rule

REPOSITORY = Repository()
DIGEST = "a" * 64


def role(name: str) -> Targets:
    """A copy of a role's current metadata, to be spoiled."""
    metadata = publishing.successor(
        REPOSITORY.current[name], expires=REPOSITORY.current[name].signed.expires
    )
    signed = metadata.signed
    assert isinstance(signed, Targets)
    return signed


def listing(path: str, hashes: dict[str, str] | None = None) -> Targets:
    return Targets(targets={path: TargetFile(1, hashes or {"sha256": DIGEST}, path)})


@pytest.mark.parametrize(
    "name",
    [name for name in REPOSITORY.holders if "." in name or name in {"targets", "fleet", "recall"}],
)
def test_what_is_published_fits_the_layout(name: str) -> None:
    roles.check_layout(name, role(name))


@pytest.mark.parametrize(
    "name,path",
    [
        ("targets", "policy.json"),
        ("team.vision", "teams/vision/members.json"),
        ("catalog.vision", "catalog/vision/digits/3/cpu-x86_64"),
        ("fleet", "fleet/keys.json"),
        ("site.plant-7", "sites/plant-7/assignment.json"),
        ("recall", "recall.json"),
    ],
)
def test_each_role_lists_its_own(name: str, path: str) -> None:
    roles.check_layout(name, listing(path))


@pytest.mark.parametrize(
    "name,path",
    [
        ("targets", "catalog/vision/digits/3/cpu-x86_64"),
        ("targets", "teams/vision/members.json"),
        ("team.vision", "teams/audio/members.json"),
        ("team.vision", "policy.json"),
        ("catalog.vision", "catalog/audio/digits/3/cpu-x86_64"),
        ("catalog.vision", "catalog/vision/digits/3/source"),
        ("catalog.vision", "catalog/vision/digits/03/cpu-x86_64"),
        ("catalog.vision", "catalog/vision/../x/3/cpu"),
        ("catalog.vision", "catalog/vision/digits/3/cpu/x"),
        ("catalog.vision", "teams/vision/members.json"),
        ("fleet", "sites/plant-7/assignment.json"),
        ("fleet", "sites/plant-7/x"),
        ("site.plant-7", "sites/ship-2/assignment.json"),
        ("recall", "policy.json"),
    ],
)
def test_no_role_lists_what_is_anothers(name: str, path: str) -> None:
    with pytest.raises(MalformedError) as error:
        roles.check_layout(name, listing(path))
    assert error.value.code == "path-not-of-role"


@pytest.mark.parametrize(
    "hashes",
    [
        {"sha512": "a" * 128},
        {"sha256": DIGEST, "md5": "a" * 32},
        {"sha256": DIGEST.upper()},
        {"sha256": ""},
    ],
)
def test_only_sha256_is_listed(hashes: dict[str, str]) -> None:
    with pytest.raises(MalformedError) as error:
        roles.check_layout("recall", listing("recall.json", hashes))
    assert error.value.code == "digest-not-sha256"


def delegating(name: str, paths: list[str] | None = None, threshold: int = 1) -> Targets:
    key = publishing.named_key(REPOSITORY.keys.public("eve"), "eve")
    spec = DelegatedRole(name, [key.keyid], threshold, terminating=True, paths=paths or ["*"])
    return Targets(delegations=Delegations({key.keyid: key}, {name: spec}))


@pytest.mark.parametrize(
    "owner,name,paths",
    [
        ("targets", "team.audio", ["teams/vision/members.json"]),
        ("targets", "team.audio", ["*"]),
        ("targets", "site.plant-7", ["sites/plant-7/assignment.json"]),
        ("targets", "team.../../x", ["teams/../../x/members.json"]),
        ("targets", "team.", ["teams//members.json"]),
        ("targets", "team", ["teams//members.json"]),
        ("targets", "fleet.x", ["fleet/keys.json", "sites/*/*"]),
        ("targets", "unheard.of", ["*"]),
        ("targets", "unheard-of", ["*"]),
        ("fleet", "team.audio", ["teams/audio/members.json"]),
        ("fleet", "recall", ["recall.json"]),
        ("team.vision", "team.audio", ["teams/audio/members.json"]),
        ("catalog.vision", "catalog.audio", ["catalog/audio/*/*/*"]),
        ("site.plant-7", "site.ship-2", ["sites/ship-2/assignment.json"]),
    ],
)
def test_no_role_delegates_what_is_not_its_own(owner: str, name: str, paths: list[str]) -> None:
    with pytest.raises(MalformedError) as error:
        roles.check_layout(owner, delegating(name, paths))
    assert error.value.code == "bad-delegation"


def test_a_right_delegation_is_taken() -> None:
    roles.check_layout("targets", delegating("team.audio", ["teams/audio/members.json"]))
    roles.check_layout("fleet", delegating("site.ship-2", ["sites/ship-2/assignment.json"]))


def test_a_threshold_that_nobody_can_reach_is_refused() -> None:
    with pytest.raises(MalformedError) as error:
        roles.check_layout("targets", delegating("recall", ["recall.json"], threshold=2))
    assert error.value.code == "threshold-unreachable"


def test_hash_bins_are_refused() -> None:
    bins = SuccinctRoles([], 1, 4, "bin")
    with pytest.raises(MalformedError, match="hash bins"):
        roles.check_layout("targets", Targets(delegations=Delegations({}, None, bins)))


@pytest.mark.parametrize(
    "name,owner",
    [
        ("root", "root"),
        ("timestamp", "root"),
        ("targets", "root"),
        ("fleet", "targets"),
        ("recall", "targets"),
        (roles.team_role("vision"), "targets"),
        (roles.catalog_role("vision"), "targets"),
        (roles.site_role("plant-7"), "fleet"),
    ],
)
def test_each_role_has_one_delegator(name: str, owner: str) -> None:
    assert roles.delegator(name) == owner
    assert roles.is_known(name)


@pytest.mark.parametrize("name", ["root", "unheard.of", "team.../x", "team"])
def test_what_is_no_delegated_role_has_no_paths(name: str) -> None:
    with pytest.raises(MalformedError) as error:
        roles.paths(name)
    assert error.value.code == "no-such-role"


def test_every_kind_of_role_has_a_lifetime() -> None:
    assert {roles.kind(name) for name in REPOSITORY.holders} == set(roles.LIFETIMES_DAYS)


def test_keyholders_are_the_ones_delegated_to() -> None:
    root = roles.keyholders(REPOSITORY.current["root"].signed, "root")
    assert (root.threshold, root.people, root.real_threshold) == (2, ("rolf", "rosa", "ruth"), 2)
    stewards = roles.keyholders(REPOSITORY.current["targets"].signed, "team.vision")
    assert {key.raw for key in stewards.keys} == {
        REPOSITORY.keys.public(name).raw for name in ("stella", "stefan", "sven")
    }
    with pytest.raises(MalformedError) as error:
        roles.keyholders(REPOSITORY.current["targets"].signed, "team.audio")
    assert error.value.code == "no-such-role"


def one_person(signed: Targets) -> None:
    assert signed.delegations is not None
    for key in signed.delegations.keys.values():
        key.unrecognized_fields[PERSON_FIELD] = "stella"


def no_keys(signed: Targets) -> None:
    assert signed.delegations is not None
    signed.delegations.keys.clear()


@pytest.mark.parametrize("spoil,left", [(one_person, 1), (no_keys, 0)])
def test_a_threshold_is_no_higher_than_there_are_people_with_keys(
    spoil: Callable[[Targets], None], left: int
) -> None:
    signed = role("targets")
    spoil(signed)
    assert roles.keyholders(signed, "team.vision").real_threshold == left


def unprotected(repository: Repository, requester_may_approve: bool = False) -> tuple[str, ...]:
    policy = Policy(
        1, (), "Example", {STAGE: rule(requester_may_approve=requester_may_approve)}, {}
    )
    return roles.unprotected(
        repository.current["root"].signed, repository.current["targets"].signed, policy, ["vision"]
    )


def test_the_full_layout_is_protected() -> None:
    assert unprotected(REPOSITORY) == ()


def test_one_person_alone_is_unprotected_and_every_reason_is_told() -> None:
    repository = Repository()
    for name in ("root", "targets"):
        repository.rotate(name, 1, "solo")
    repository.holders["team.vision"] = (1, ("solo",))
    repository.holders["catalog.vision"] = (1, ("solo",))
    with repository.next("targets") as signed:
        repository.delegate(signed, "team.vision")
        repository.delegate(signed, "catalog.vision")
    assert unprotected(repository, requester_may_approve=True) == (
        "one signature suffices for root",
        "one signature suffices for targets",
        "one steward suffices for team vision",
        "who requests production may approve it",
        "the hub's online key is also an offline one",
    )


@pytest.mark.parametrize("role", ["snapshot", "timestamp"])
def test_a_root_s_key_that_the_hub_signs_with_is_unprotected(role: str) -> None:
    repository = Repository()
    repository.rotate(role, 1, "ruth")
    assert unprotected(repository) == ("the hub's online key is also an offline one",)


def test_two_stewards_with_one_name_are_one() -> None:
    repository = Repository()
    with repository.next("targets") as signed:
        one_person(signed)
    assert unprotected(repository) == ("one steward suffices for team vision",)


@pytest.mark.parametrize("holders,needed", [(2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4)])
def test_any_two_quorums_meet(holders: int, needed: int) -> None:
    assert roles.quorum(holders) == needed
    assert 2 * needed > holders


FOUR = ("stella", "stefan", "sven", "sara")


def test_t0_86_two_halves_could_sign_two_versions_and_that_is_said() -> None:
    """Two of four stewards sign one version, the other two another; nobody signed twice."""
    repository = Repository()
    repository.holders["team.vision"] = (2, FOUR)
    with repository.next("targets") as signed:
        repository.delegate(signed, "team.vision")
    halves = [publishing.successor(repository.current["team.vision"], expires=NOW) for _ in "ab"]
    halves[1].signed.targets.clear()
    halves[1].signed.expires += timedelta(days=1)
    targets = repository.current["targets"].signed
    for half, names in zip(halves, (FOUR[:2], FOUR[2:]), strict=True):
        publishing.sign(half, [repository.keys[name] for name in names])
        publishing.check_publishable(half, "team.vision", targets)
    assert halves[0].signed_bytes != halves[1].signed_bytes
    said = "2 of 4 stewards suffice for team vision: two halves could sign two versions"
    assert unprotected(repository) == (said,)
    repository.holders["team.vision"] = (roles.quorum(4), FOUR)
    with repository.next("targets") as signed:
        repository.delegate(signed, "team.vision")
    assert unprotected(repository) == ()
    targets = repository.current["targets"].signed
    for half in halves:
        with pytest.raises(NotSignedEnoughError, match="signed by 2 of the 3"):
            publishing.check_publishable(half, "team.vision", targets)


def test_root_and_targets_are_shared_by_more_than_half_too() -> None:
    repository = Repository()
    repository.rotate("targets", 2, "tina", "toni", "tara", "theo")
    assert unprotected(repository) == (
        "2 of 4 holders suffice for targets: two halves could sign two versions",
    )
