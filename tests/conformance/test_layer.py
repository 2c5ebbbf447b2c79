"""The layer of strict rules: each refuses what the letter takes."""

import json
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b, sha256
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner, Key, SSlibKey
from tuf.api import _payload
from tuf.api.metadata import Metadata, MetaFile, Root, Targets, Timestamp

from sealift_signing import publishing, roles, tuf_walk
from sealift_signing.errors import (
    BadSignatureError,
    MalformedError,
    NoKeyError,
    NotSignedEnoughError,
    RefusedError,
)
from sealift_signing.walk.layer import MOST_HASHES, PERSON_FIELD, STRICT, Rule, Rules
from sealift_signing.walk.letter import LetterWalk
from sealift_signing.walk.steps import MOST_ROOTS, RoleKey, drive
from tests.signing.test_tuf_walk import forge
from tests.signing.test_weak_keys import SMALL, Anybody
from tests.trust import NOW, Keyring, Repository

KEYS = Keyring()
Before = dict[RoleKey, bytes]


def walk(repository: Repository, before: Before, rules: Rules) -> Before:
    """Visit all of it by the letter and `rules`; what was kept."""
    made = LetterWalk(
        repository.files["1.root.json"], before, NOW, rules=rules, most_roots=MOST_ROOTS
    )
    return visit(made, repository)


def visit(made: LetterWalk, repository: Repository) -> Before:
    kept: Before = {}

    def keep(step: tuf_walk.Keep) -> None:
        kept[step.delegator, step.role] = step.data

    drive(made.top(), repository.fetch, keep)
    for role in repository.holders:
        if role not in roles.TOP_ROLES:
            drive(made.delegated(roles.delegator(role), role), repository.fetch, keep)
    return kept


# ---------------------------------------------------------------- a witness for each rule


def indented(repository: Repository) -> Before:
    value = json.loads(repository.files["1.fleet.json"])
    repository.files["1.fleet.json"] = json.dumps(value, indent=1).encode()
    return {}


def true_is_one(repository: Repository) -> Before:
    forge(repository, "1.fleet.json", "fleet", lambda signed: signed.update(version=True))
    return {}


def sha512_only(repository: Repository) -> Before:
    list_fleet(repository, MetaFile.from_data(1, repository.files["1.fleet.json"], ["sha512"]))
    return {}


def list_fleet(repository: Repository, named: MetaFile) -> None:
    forge(
        repository,
        "1.snapshot.json",
        "snapshot",
        lambda signed: signed["meta"].update({"fleet.json": named.to_dict()}),
    )


def fleet_by(repository: Repository, *others: CryptoSigner) -> Before:
    """`fleet` held and signed by flora and others beside her."""
    with repository.next("targets") as signed:
        for other in others:
            signed.add_key(other.public_key, "fleet")
    with repository.next("fleet", signers=[KEYS["flora"], *others]):
        pass
    return {}


def named_often(repository: Repository) -> Before:
    """One hash of `fleet`, under all of its spellings: each is reckoned anew."""
    data = repository.files["1.fleet.json"]
    spelled = map("".join, product(*({one.lower(), one.upper()} for one in "blake2b512")))
    hashes = {name: blake2b(data).hexdigest() for name in spelled}
    hashes["sha256"] = sha256(data).hexdigest()
    assert len(hashes) == 65
    list_fleet(repository, MetaFile(1, len(data), hashes))
    return {}


def by_rsa_too(repository: Repository) -> Before:
    return fleet_by(repository, CryptoSigner.generate_rsa())


def by_another_id(repository: Repository) -> Before:
    return fleet_by(repository, CryptoSigner.generate_ed25519(keyid="f" * 64))


def by_anybody(repository: Repository) -> Before:
    anybody = Anybody(SMALL[0])
    with repository.next("targets") as signed:
        publishing.delegate(signed, "recall", 1, {"nobody": anybody.key})
    with repository.next("recall", signers=[anybody]):
        pass
    return {}


def team_by(repository: Repository, second: CryptoSigner, key: Key) -> Before:
    """`team.vision`, which two must sign, signed by stella and what stands for another."""
    with repository.next("targets") as signed:
        signed.add_key(key, "team.vision")
    with repository.next("team.vision", signers=[KEYS["stella"], second]):
        pass
    return {}


def one_key_twice(repository: Repository) -> Before:
    value = KEYS["stella"].public_key.to_dict()
    again = SSlibKey.from_dict("f" * 64, value)
    return team_by(repository, CryptoSigner(KEYS["stella"]._private_key, again), again)


def one_person_twice(repository: Repository) -> Before:
    key = publishing.named_key(KEYS.public("stella-2"), "stella")
    return team_by(repository, KEYS["stella-2"], key)


def taken_back(repository: Repository) -> Before:
    older = repository.files["1.fleet.json"]
    with repository.next("fleet"):
        pass
    kept = walk(repository, {}, ())
    repository.store("fleet", older, Metadata.from_bytes(older))
    repository.current.pop("snapshot")
    repository.refresh()
    return {("targets", "fleet"): kept["targets", "fleet"]}


def signed_twice(repository: Repository) -> Before:
    kept = walk(repository, {}, ())
    forge(repository, "1.fleet.json", "fleet", lambda signed: signed.update(note="another"))
    return {("targets", "fleet"): kept["targets", "fleet"]}


WITNESSES: dict[str, tuple[Callable[[Repository], Before], str]] = {
    "one spelling": (indented, "metadata-not-canonical"),
    "plain numbers": (true_is_one, "metadata-number"),
    "sha256": (sha512_only, "metadata-differs"),
    "two schemes": (by_rsa_too, "bad-public-key"),
    "computed keyids": (by_another_id, "keyid-not-computed"),
    "owned keys": (by_anybody, "no-key"),
    "distinct keys": (one_key_twice, "not-signed-enough"),
    "distinct people": (one_person_twice, "not-signed-enough"),
    "no way back": (taken_back, "role-went-back"),
    "no forks": (signed_twice, "role-forked"),
}
"""What the letter takes and the rule refuses, with what it says."""


@pytest.mark.parametrize("rule", STRICT, ids=lambda rule: rule.name)
def test_t1_37_each_rule_refuses_what_the_letter_takes(rule: Rule) -> None:
    repository = Repository(KEYS, links=False)
    make, code = WITNESSES[rule.name]
    before = make(repository)
    walk(repository, before, ())
    with pytest.raises(RefusedError) as error:
        walk(repository, before, (rule,))
    assert error.value.code == code
    with pytest.raises(RefusedError):
        repository.walk(before)


def test_t1_80_a_file_is_not_reckoned_under_every_name_that_a_hash_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A thief of the snapshot's key can name 64 MiB by 700 hashes: minutes, before anything fails.

    Of what is refused nothing is reckoned; by as many as may be, a file is read.
    """
    repository = Repository(KEYS, links=False)
    before = named_often(repository)
    walk(repository, before, ())
    reckoned: list[str] = []
    genuine = _payload._get_digest

    def reckon(name: str) -> object:
        reckoned.append(name)
        return genuine(name)

    monkeypatch.setattr(_payload, "_get_digest", reckon)
    with pytest.raises(RefusedError) as error:
        repository.walk(before)
    assert (error.value.code, error.value.subject) == ("too-many-hashes", "fleet")
    assert reckoned == []
    data = repository.files["1.fleet.json"]
    few = ["sha256", "sha512", "sha384", "sha224", "sha3_256", "sha3_512", "blake2b", "blake2s"]
    assert len(few) == MOST_HASHES
    list_fleet(repository, MetaFile.from_data(1, data, few))
    reckoned.clear()
    repository.walk(before)
    assert sorted(reckoned) == sorted(few)


@pytest.mark.parametrize("one, other", [(["stella"], ["stella"]), (1, "1"), ({}, {})])
def test_t1_83_a_person_who_is_no_text_is_a_person_still(one: object, other: object) -> None:
    """What TUF does not know may be any value: of two that read alike, one counts."""
    repository = Repository(KEYS, links=False)
    signers = [KEYS["stella"], KEYS["stefan"]]
    with repository.next("targets") as signed:
        for signer, person in zip(signers, (one, other), strict=True):
            key = signer.public_key
            again = SSlibKey(key.keyid, key.keytype, key.scheme, key.keyval, {PERSON_FIELD: person})
            signed.add_key(again, "team.vision")
    with repository.next("team.vision"):
        pass
    with pytest.raises(NotSignedEnoughError, match="by 1 of the 2 people"):
        repository.walk()


@pytest.mark.parametrize(
    "role, kind, limit",
    [
        ("root", Root, tuf_walk.LIMITS["root"]),
        ("timestamp", Timestamp, tuf_walk.LIMITS["timestamp"]),
        ("recall", Targets, tuf_walk.LARGEST),
    ],
)
def test_t1_82_what_comes_by_no_need_is_bounded_too(
    role: str,
    kind: Any,  # noqa: ANN401
    limit: int,
) -> None:
    """Roots in an answer, and recalls beside a bundle: no walk asked for so many bytes."""
    for length, code in ((limit, "metadata-unreadable"), (limit + 1, "too-large")):
        with pytest.raises(MalformedError) as error:
            tuf_walk.read_metadata(b" " * length, role, kind)
        assert error.value.code == code


@pytest.mark.parametrize("change", [indented, true_is_one])
def test_t1_82_what_is_read_beside_a_walk_is_read_by_the_rules(
    change: Callable[[Repository], Before],
) -> None:
    repository = Repository(KEYS, links=False)
    change(repository)
    with pytest.raises(MalformedError):
        tuf_walk.read_metadata(repository.files["1.fleet.json"], "fleet", Targets)


def test_t1_82_whose_signatures_are_told_of_beside_a_walk_is_told_by_the_rules() -> None:
    repository = Repository(KEYS, links=False)
    by_anybody(repository)
    targets, recall = (repository.current[role] for role in ("targets", "recall"))
    assert tuf_walk.signed_by(targets.signed, "recall", recall) == frozenset()
    by_another_id(repository)
    targets, fleet = (repository.current[role] for role in ("targets", "fleet"))
    with pytest.raises(MalformedError) as error:
        tuf_walk.signed_by(targets.signed, "fleet", fleet)
    assert error.value.code == "keyid-not-computed"


def test_t1_82_a_wrong_signature_and_one_that_does_not_count_are_none_beside_a_walk() -> None:
    repository = Repository(KEYS, links=False)
    targets, fleet = (repository.current[role] for role in ("targets", "fleet"))
    tuf_walk.check_signed(targets.signed, "fleet", fleet)
    with pytest.raises(NotSignedEnoughError):
        tuf_walk.check_signed(
            targets.signed, "fleet", fleet, without=frozenset([KEYS.public("flora").raw])
        )
    with pytest.raises(BadSignatureError):
        tuf_walk.signed_by(targets.signed, "fleet", fleet, b"another")


def test_t1_82_a_root_on_the_way_is_read_by_the_rules() -> None:
    repository = Repository(KEYS, links=False)
    with repository.next("root"):
        pass
    root = repository.files["2.root.json"]
    lost = frozenset(("root", KEYS.public(name).text) for name in ("rosa", "rolf"))
    walked = tuf_walk.Walk(
        repository.files["1.root.json"], {("root", "root"): root}, NOW, compromised=lost
    )
    with pytest.raises(NotSignedEnoughError):  # that it was kept makes no link of the chain
        drive(walked.top(), repository.fetch, lambda _: None)
    repository.files["2.root.json"] = json.dumps(json.loads(root), indent=1).encode()
    with pytest.raises(MalformedError):
        repository.walk()


@pytest.mark.parametrize("file", ["timestamp.json", "1.snapshot.json", "1.targets.json"])
def test_t1_84_each_role_s_own_signature_is_asked_for_whatever_names_the_file(file: str) -> None:
    """The timestamp names a snapshot by its hash too: who has its key alone signs no snapshot."""
    repository = Repository(KEYS, links=False)
    forge(repository, file, "recall", lambda signed: signed.update(note="another"))
    data = repository.files["1.snapshot.json"]
    named = MetaFile.from_data(1, data, ["sha256"]).to_dict()
    if file != "timestamp.json":
        forge(
            repository,
            "timestamp.json",
            "timestamp",
            lambda signed: signed["meta"].update({"snapshot.json": named}),
        )
    with pytest.raises(NoKeyError) as error:
        repository.walk()
    assert error.value.subject == file.removesuffix(".json").removeprefix("1.")


def test_each_rule_has_a_name_and_a_reason_and_a_place_in_the_layer() -> None:
    names = [rule.name for rule in STRICT]
    assert sorted(names) == sorted(WITNESSES)
    assert {type(rule) for rule in STRICT} == set(Rule.__subclasses__())
    for rule in STRICT:
        assert rule.reason.endswith(".")
        assert rule.refuses.split()[0] in {"refuses", "counts"}
        assert "," not in rule.name  # they are listed with commas between


def test_what_our_own_hub_writes_is_the_same_with_the_layer_and_without() -> None:
    repository = Repository(KEYS)
    assert repository.walk()[1] == walk(repository, {}, ())


FORGED = (
    ("timestamp.json", "timestamp", ("version", "expires", "note")),
    ("1.snapshot.json", "snapshot", ("version", "expires", "note", "spec_version")),
    ("1.targets.json", "targets", ("version", "expires", "targets")),
    ("1.fleet.json", "fleet", ("version", "expires", "targets", "note")),
)
VALUES = st.one_of(
    st.integers(-1, 3),
    st.just(2**53 + 1),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from([f"{year}-01-01T00:00:00Z" for year in (1970, 2026, 2999)]),
)


@given(
    place=st.sampled_from([(f, r, m) for f, r, members in FORGED for m in members]), value=VALUES
)
@settings(max_examples=80, deadline=None)
def test_t1_37_the_layer_takes_nothing_that_the_letter_refuses(
    place: tuple[str, str, str], value: object
) -> None:
    """Whatever somebody says who holds the keys: with the layer less is taken, never more."""
    file, role, member = place
    repository = Repository(KEYS, links=False)
    _, kept = repository.walk()
    with suppress(TypeError):  # of what cannot be spelled there is no signature
        forge(repository, file, role, lambda signed: signed.update({member: value}))
    for before in ({}, kept):
        try:
            _, strictly = repository.walk(before)
        except RefusedError:
            continue
        assert walk(repository, before, ()) == strictly
