"""Keys that were called compromised: of whom, by whose word, and that it is for ever."""

from dataclasses import replace

import pytest
from securesystemslib.signer import Signer

from sealift_signing import compromised, roles
from sealift_signing.approvals import NotCountedError, check_request, tally
from sealift_signing.compromised import FIELD, Compromised
from sealift_signing.documents import FleetKeys, Members
from sealift_signing.errors import MalformedError, NotSignedEnoughError
from sealift_signing.tuf_walk import RoleKey, Walk, drive
from tests.trust import NOW, TEAM, Promotion, Repository

VISION = roles.team_role(TEAM)


@pytest.fixture
def repository() -> Repository:
    return Repository()


def texts(repository: Repository, *names: str) -> list[str]:
    return sorted(repository.keys.public(name).text for name in names)


def by(repository: Repository, *names: str) -> list[Signer]:
    return [repository.keys[name] for name in names]


def visit(
    repository: Repository, before: dict[RoleKey, bytes], known: Compromised = compromised.NONE
) -> Walk:
    """Another visit of somebody who keeps `before`, and knows of those keys."""
    walk = Walk(repository.files["1.root.json"], before, NOW, compromised=known)
    drive(walk.top(), repository.fetch, lambda _: None)
    for role in repository.holders:
        if role not in roles.TOP_ROLES:
            drive(walk.delegated(roles.delegator(role), role), repository.fetch, lambda _: None)
    return walk


# ---------------------------------------------------------------- statements


def test_t0_115_what_a_thief_approved_never_counts_again() -> None:
    """Bert's key was stolen; then bert was made active again, with the same key."""
    promotion = Promotion()
    request = promotion.request()
    approvals = promotion.read_approvals(*(promotion.approve(request, n) for n in ("bert", "dirk")))
    asked, lost = promotion.read_request(request), frozenset({promotion.keys.public("bert").raw})
    assert tally(asked, approvals, promotion.rules()).enough
    found = tally(asked, approvals, promotion.rules(compromised=lost))
    assert found.people == ("dirk",)
    assert "a key that was called compromised" in found.set_aside[0]


def test_a_request_signed_with_such_a_key_does_not_stand() -> None:
    promotion = Promotion()
    asked = promotion.read_request(promotion.request())
    lost = frozenset({promotion.keys.public("anna").raw})
    with pytest.raises(NotCountedError) as error:
        check_request(asked, promotion.rules(compromised=lost))
    assert error.value.code == "key-compromised"


def test_a_team_enters_its_people_and_fleet_its_machines() -> None:
    promotion = Promotion()
    bert = promotion.people[1]
    members = Members(1, (), TEAM, (promotion.people[0], replace(bert, status="compromised")), ())
    entered = compromised.people_of(VISION, members)
    assert entered == {(VISION, bert.keys[0].key)}
    fleet = promotion.fleet()
    lost = replace(fleet.keys[0], status="compromised")
    machines = compromised.machines_of("fleet", FleetKeys(1, (), (lost, fleet.keys[1])))
    assert machines == {("fleet", lost.key)}
    known = compromised.union((entered, machines))
    raw = promotion.keys.public("bert").raw
    assert compromised.barred(known, (VISION, "targets")) == {raw}
    assert not compromised.barred(known, ("team.audio", "targets", "root")), "another team's word"
    scanner = compromised.marked(fleet, compromised.barred(known, ("fleet",))).keys[0]
    assert scanner.status == "compromised"


# ---------------------------------------------------------------- roles


def entered(repository: Repository, role: str, *names: str) -> None:
    with repository.next(role) as signed:
        signed.unrecognized_fields[FIELD] = texts(repository, *names)


@pytest.mark.parametrize(
    "delegator,name,role",
    [
        ("targets", "stella", VISION),
        ("targets", "olga", "recall"),
        ("targets", "flora", "fleet"),
        ("fleet", "dora", "site.plant-7"),
        ("root", "tina", "targets"),
        ("root", "stella", VISION),
        ("targets", "dora", "site.plant-7"),
    ],
)
def test_t0_116_a_compromised_keys_signature_counts_for_no_new_version(
    repository: Repository, delegator: str, name: str, role: str
) -> None:
    entered(repository, delegator, name)
    if role == "targets":  # tina must not have signed what is newer than root's word
        with repository.next("targets", signers=by(repository, "toni", "tara")):
            pass
    before = kept(repository, role)
    walk = visit(repository, before)
    assert {key for _, key in walk.compromised} == set(texts(repository, name))
    with repository.next(role):
        pass
    with pytest.raises(NotSignedEnoughError, match="keys that were called compromised"):
        visit(repository, before)


def kept(repository: Repository, *wanted: str) -> dict[RoleKey, bytes]:
    """The newest version of these roles, as somebody keeps them who verified them before."""
    return {
        (roles.delegator(role), role): repository.files[
            f"{repository.current[role].signed.version}.{role}.json"
        ]
        for role in wanted
    }


def test_what_is_kept_stands_and_what_is_not_must_be_signed_by_others(
    repository: Repository,
) -> None:
    entered(repository, "targets", "stella")
    visit(repository, kept(repository, VISION))
    with pytest.raises(NotSignedEnoughError):
        visit(repository, {})
    with repository.next(VISION, signers=by(repository, "stefan", "sven")):
        pass
    visit(repository, {})


def test_t0_117_a_key_that_no_list_names_any_more_is_remembered(repository: Repository) -> None:
    entered(repository, "targets", "stella")
    known = visit(repository, kept(repository, VISION)).compromised
    with repository.next("targets") as signed:
        del signed.unrecognized_fields[FIELD]
    with repository.next(VISION):
        pass
    visit(repository, {})
    with pytest.raises(NotSignedEnoughError):
        visit(repository, {}, known)


def test_a_team_calls_no_stewards_key_compromised(repository: Repository) -> None:
    """Nor a hostile team the keys of another: what stewards say of people reaches no role."""
    (stella,) = texts(repository, "stella")
    known = frozenset({(VISION, stella), ("fleet", stella)})
    visit(repository, {}, known)


def test_root_chains_stand(repository: Repository) -> None:
    """Root 2 calls a key compromised that signed root 1, and root 2 with it."""
    entered(repository, "root", "rosa")
    visit(repository, {})
    with repository.next("root", signers=by(repository, "rosa", "ruth")):
        pass
    with pytest.raises(NotSignedEnoughError, match="root is signed by 1 of the 2"):
        visit(repository, {})


@pytest.mark.parametrize("wrong", [None, "x", [1], ["x"], "unsorted", "twice"])
def test_the_field_is_a_sorted_list_of_keys(repository: Repository, wrong: object) -> None:
    first, second = texts(repository, "stella", "stefan")
    lists = {"unsorted": [second, first], "twice": [first, first]}
    with repository.next("targets") as signed:
        signed.unrecognized_fields[FIELD] = lists.get(str(wrong), wrong)
    with pytest.raises(MalformedError):
        visit(repository, {})


def test_only_who_delegates_may_say_it(repository: Repository) -> None:
    entered(repository, VISION, "bert")
    with pytest.raises(MalformedError, match="may call no key compromised"):
        roles.check_layout(VISION, repository.current[VISION].signed)
    for role in ("targets", "fleet"):
        entered(repository, role, "bert")
        roles.check_layout(role, repository.current[role].signed)
