"""The walk, where it is stricter than TUF's letter. TUF's own cases are in test_tuf_conformance."""

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Key, Metadata, MetaFile, Targets
from tuf.api.serialization import SerializationError

from sealift_signing import publishing, tuf_walk
from sealift_signing.errors import (
    BadSignatureError,
    MalformedError,
    NoKeyError,
    NotSignedEnoughError,
    RefusedError,
)
from sealift_signing.public_key import PublicKey
from sealift_signing.tuf_walk import (
    LARGEST,
    LIMITS,
    PERSON_FIELD,
    Keep,
    MissingError,
    Need,
    Walk,
    WentBackError,
    check_listed,
    drive,
    read_metadata,
    read_spelled,
)
from tests.trust import NOW, Keyring, Repository

KEYS = Keyring()
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def repository() -> Repository:
    return Repository(KEYS)


def spelled(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def forge(repository: Repository, file: str, role: str, edit: Edit) -> None:
    """Change what `file` says and sign it again, with keys that may: an insider's file."""
    value = json.loads(repository.files[file])
    edit(value["signed"])
    payload = (encode_canonical(value["signed"]) or "").encode()
    signatures = [signer.sign(payload) for signer in repository.signers(role)]
    value["signatures"] = [{"keyid": one.keyid, "sig": one.signature} for one in signatures]
    repository.files[file] = spelled(value)


def respell(repository: Repository, file: str, edit: Edit) -> None:
    """Change what stands around what is signed: a carrier's file."""
    value = json.loads(repository.files[file])
    edit(value)
    repository.files[file] = spelled(value)


def refused(repository: Repository, kind: type[RefusedError], code: str) -> RefusedError:
    with pytest.raises(kind) as error:
        repository.walk()
    assert error.value.code == code
    return error.value


# ---------------------------------------------------------------- what is asked for and kept


def test_the_walk_asks_in_tufs_order_and_keeps_what_it_verified(repository: Repository) -> None:
    asked: list[str] = []
    kept: list[tuple[str, str, int]] = []

    def fetch(need: Need) -> bytes | None:
        asked.append(need.file_name)
        return repository.fetch(need)

    walk = Walk(repository.files["1.root.json"], {}, NOW)
    drive(walk.top(), fetch, lambda step: kept.append((step.delegator, step.role, step.version)))
    drive(
        walk.delegated("targets", "fleet"),
        fetch,
        lambda step: kept.append((step.delegator, step.role, step.version)),
    )
    assert asked == [
        "2.root.json",
        "timestamp.json",
        "1.snapshot.json",
        "1.targets.json",
        "1.fleet.json",
    ]
    assert kept == [
        ("root", "timestamp", 1),
        ("root", "snapshot", 1),
        ("root", "targets", 1),
        ("targets", "fleet", 1),
    ]
    assert walk.versions()["targets", "fleet"] == 1
    assert walk.root.version == walk.snapshot.version == walk.targets.version == 1
    assert walk.role("targets", "fleet").version == 1


def test_a_keep_bears_the_bytes_as_they_came(repository: Repository) -> None:
    _, kept = repository.walk()
    assert kept["root", "timestamp"] == repository.files["timestamp.json"]
    assert kept["fleet", "site.plant-7"] == repository.files["1.site.plant-7.json"]


@pytest.mark.parametrize(
    "file",
    ["timestamp.json", "1.snapshot.json", "1.targets.json", "1.team.vision.json", "1.fleet.json"],
)
def test_a_missing_file_is_named(repository: Repository, file: str) -> None:
    del repository.files[file]
    error = refused(repository, MissingError, "metadata-missing")
    assert error.subject == file.removesuffix(".json").removeprefix("1.")


def test_more_bytes_than_asked_for_are_refused(repository: Repository) -> None:
    repository.files["timestamp.json"] += b" " * LIMITS["timestamp"]
    refused(repository, MalformedError, "too-large")


def test_a_huge_next_root_is_refused(repository: Repository) -> None:
    repository.files["2.root.json"] = b" " * (LIMITS["root"] + 1)
    refused(repository, MalformedError, "too-large")


@pytest.mark.parametrize(
    "length,limit",
    [(None, LIMITS["targets"]), (7_000_000, 7_000_000), (10**15, LARGEST), (0, LIMITS["targets"])],
)
def test_a_signed_length_moves_the_limit_within_bounds(
    repository: Repository, length: int | None, limit: int
) -> None:
    def lengthen(signed: dict[str, Any]) -> None:
        if length is not None:
            signed["meta"]["fleet.json"]["length"] = length

    forge(repository, "1.snapshot.json", "snapshot", lengthen)
    walk = Walk(repository.files["1.root.json"], {}, NOW)
    drive(walk.top(), repository.fetch, lambda step: None)
    need = next(walk.delegated("targets", "fleet"))
    assert need == Need("fleet", 1, limit)


def test_roots_without_end_are_not_followed(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuf_walk, "MOST_ROOTS", 2)
    repository.rotate("timestamp", 1, "t-2")
    repository.refresh()
    walk, _ = repository.walk()
    assert walk.root.version == 2
    repository.rotate("timestamp", 1, "t-3")
    refused(repository, RefusedError, "too-many-roots")


# ---------------------------------------------------------------- thresholds, people, keys


def delegate_again(repository: Repository, edit: Callable[[Targets], object]) -> None:
    """The next targets, whose delegations an administrator got wrong, or was made to."""
    with repository.next("targets") as signed:
        edit(signed)


def sign_again(repository: Repository, role: str, *names: str) -> None:
    """The next version of `role`, signed by `names`."""
    with repository.next(role, signers=[KEYS[name] for name in names]):
        pass


def test_two_stewards_are_enough_and_one_is_not(repository: Repository) -> None:
    sign_again(repository, "team.vision", "stella", "sven")
    repository.walk()
    sign_again(repository, "team.vision", "sven")
    error = refused(repository, NotSignedEnoughError, "not-signed-enough")
    assert "1 of the 2 people" in error.what


def test_a_stranger_s_signature_is_no_signature(repository: Repository) -> None:
    sign_again(repository, "team.vision", "eve", "mallory")
    refused(repository, NoKeyError, "no-key")


def test_a_wrong_signature_is_told_apart_from_a_missing_one(repository: Repository) -> None:
    def spoil(value: dict[str, Any]) -> None:
        value["signatures"][0]["sig"] = value["signatures"][1]["sig"]

    respell(repository, "1.team.vision.json", spoil)
    refused(repository, BadSignatureError, "bad-signature")


def test_a_wrong_signature_beside_enough_right_ones_does_no_harm(repository: Repository) -> None:
    sign_again(repository, "team.vision", "stella", "stefan", "sven")

    def spoil(value: dict[str, Any]) -> None:
        value["signatures"][0]["sig"] = "00"

    respell(repository, "2.team.vision.json", spoil)
    walk, _ = repository.walk()
    assert walk.role("targets", "team.vision").version == 2


def test_one_person_with_two_keys_counts_once(repository: Repository) -> None:
    def two_keys_of_stella(signed: Targets) -> None:
        signed.add_key(publishing.named_key(KEYS.public("stella-2"), "stella"), "team.vision")

    delegate_again(repository, two_keys_of_stella)
    sign_again(repository, "team.vision", "stella", "stella-2")
    refused(repository, NotSignedEnoughError, "not-signed-enough")
    sign_again(repository, "team.vision", "stella-2", "stefan")
    repository.walk()


def test_two_keys_that_name_nobody_are_two(repository: Repository) -> None:
    def nameless(signed: Targets) -> None:
        assert signed.delegations is not None
        for key in signed.delegations.keys.values():
            key.unrecognized_fields.pop(PERSON_FIELD)

    delegate_again(repository, nameless)
    repository.walk()


def spelled_twice(name: str, edit: Callable[[str], str]) -> Key:
    """The key of `name` under another keyid, because its value is spelled otherwise."""
    value = KEYS[name].public_key.to_dict()
    value["keyval"]["public"] = edit(value["keyval"]["public"])
    return Key.from_dict("f" * 64, value)


def test_one_key_in_two_spellings_is_refused(repository: Repository) -> None:
    loud = spelled_twice("stella", str.upper)
    delegate_again(repository, lambda signed: signed.add_key(loud, "team.vision"))
    metadata = publishing.successor(
        repository.current["team.vision"], expires=repository.expiry("team.vision")
    )
    publishing.sign(metadata, [KEYS["stella"]])
    twice = publishing.to_bytes(metadata)
    value = json.loads(twice)
    value["signatures"].append(value["signatures"][0] | {"keyid": loud.keyid})
    repository.publish("team.vision", metadata, signers=[])
    repository.files["2.team.vision.json"] = spelled(value)
    refused(repository, MalformedError, "keyid-not-computed")


def test_a_keyid_without_its_key_is_nobody(repository: Repository) -> None:
    ghost = "f" * 64

    def haunt(signed: Targets) -> None:
        assert signed.delegations is not None
        assert signed.delegations.roles is not None
        signed.delegations.roles["team.vision"].keyids.append(ghost)

    delegate_again(repository, haunt)
    respell(
        repository,
        "1.team.vision.json",
        lambda value: value["signatures"].append({"keyid": ghost, "sig": "00"}),
    )
    repository.walk()


def test_a_signature_scheme_we_do_not_read_counts_for_nobody(repository: Repository) -> None:
    other = KEYS["stella"].public_key.to_dict() | {
        "keytype": "ecdsa",
        "scheme": "ecdsa-sha2-nistp384",
    }
    key = Key.from_dict("f" * 64, other)
    delegate_again(repository, lambda signed: signed.add_key(key, "team.vision"))
    respell(
        repository,
        "1.team.vision.json",
        lambda value: value["signatures"].append({"keyid": key.keyid, "sig": "00"}),
    )
    refused(repository, MalformedError, "bad-public-key")


# ---------------------------------------------------------------- by delegator and name


def test_a_role_is_verified_by_the_delegator_that_was_asked(repository: Repository) -> None:
    """`fleet` delegates a `catalog.vision` of its own, with its own key."""
    with repository.next("fleet") as signed:
        publishing.delegate(signed, "catalog.vision", 1, {"frank": KEYS.public("frank")})
    walk, kept = repository.walk()
    with pytest.raises(NoKeyError):
        drive(walk.delegated("fleet", "catalog.vision"), repository.fetch, lambda step: None)
    sign_again(repository, "catalog.vision", "frank")
    walk = Walk(repository.files["1.root.json"], kept, NOW)
    drive(walk.top(), repository.fetch, lambda step: None)
    with pytest.raises(NoKeyError):
        drive(walk.delegated("targets", "catalog.vision"), repository.fetch, lambda step: None)


def test_what_was_trusted_under_one_delegator_is_not_trusted_under_another(
    repository: Repository,
) -> None:
    with repository.next("fleet") as signed:
        publishing.delegate(signed, "catalog.vision", 1, {"hub": KEYS.public("hub-catalog")})
    walk, _ = repository.walk()
    drive(walk.delegated("fleet", "catalog.vision"), repository.fetch, lambda step: None)
    assert ("fleet", "catalog.vision") in walk.versions()
    with pytest.raises(KeyError):
        walk.role("recall", "catalog.vision")
    # Two roles of one name were walked now: which of them would delegate is not guessed.
    with pytest.raises(LookupError, match="2 times"):
        next(drain(walk, "catalog.vision"))


def drain(walk: Walk, delegator: str) -> Any:  # noqa: ANN401 - a generator of steps
    """A step beyond the need: where the delegator's keys are looked up."""
    steps = walk.delegated(delegator, "team.vision")
    next(steps)
    yield steps.send(Repository(KEYS).files["1.team.vision.json"])


def test_a_delegator_is_walked_before_what_it_delegates(repository: Repository) -> None:
    walk = Walk(repository.files["1.root.json"], {}, NOW)
    drive(walk.top(), repository.fetch, lambda step: None)
    with pytest.raises(LookupError, match="0 times"):
        drive(walk.delegated("fleet", "site.plant-7"), repository.fetch, lambda step: None)


def test_a_role_that_nobody_delegates_has_no_key(repository: Repository) -> None:
    walk, _ = repository.walk()
    with pytest.raises(NoKeyError, match="Nothing that is trusted delegates"):
        drive(walk.delegated("targets", "site.plant-7"), repository.fetch, lambda step: None)


def test_a_role_that_the_snapshot_does_not_list_is_missing(repository: Repository) -> None:
    walk, _ = repository.walk()
    with pytest.raises(MissingError) as error:
        drive(walk.delegated("targets", "team.audio"), repository.fetch, lambda step: None)
    assert error.value.code == "role-missing"


# ---------------------------------------------------------------- spellings


@pytest.mark.parametrize(
    "file",
    ["timestamp.json", "1.snapshot.json", "1.targets.json", "1.fleet.json", "1.team.vision.json"],
)
def test_another_spelling_of_a_file_is_refused(repository: Repository, file: str) -> None:
    right = repository.files[file]
    value = json.loads(right)
    for other in (
        json.dumps(value, sort_keys=True, indent=1).encode(),
        right + b"\n",
        json.dumps(dict(reversed(value.items())), separators=(",", ":")).encode(),
        right.replace(b'"version":1', b'"version":1,"version":1', 1),
        right.replace(b'"_type"', b'"\\u005ftype"', 1),
    ):
        assert other != right
        repository.files[file] = other
        refused(repository, MalformedError, "metadata-not-canonical")


@pytest.mark.parametrize(
    "edit",
    [
        lambda value: value.update(note="unsigned"),
        lambda value: value["signatures"][0].update(note="unsigned"),
        lambda value: value["signatures"][0].update(sig=value["signatures"][0]["sig"].upper()),
        lambda value: value["signatures"][0].update(sig=value["signatures"][0]["sig"] + " "),
        lambda value: value["signatures"][0].update(sig=5),
    ],
    ids=["member", "member of a signature", "capitals", "space", "number"],
)
def test_what_nobody_signed_does_not_travel_along(repository: Repository, edit: Edit) -> None:
    respell(repository, "1.fleet.json", edit)
    refused(repository, MalformedError, "metadata-not-canonical")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"signatures":[],"signed":{"_type":"mirrors"}}',
        b'{"signatures":5,"signed":{"_type":"targets"}}',
    ],
)
def test_what_is_no_metadata_is_refused(repository: Repository, data: bytes) -> None:
    repository.files["1.fleet.json"] = data
    refused(repository, MalformedError, "metadata-unreadable")


def test_one_role_is_not_read_as_another(repository: Repository) -> None:
    repository.files["timestamp.json"] = repository.files["1.snapshot.json"]
    refused(repository, MalformedError, "metadata-of-other-kind")


@pytest.mark.parametrize(
    "file,role,edit",
    [
        ("1.fleet.json", "fleet", lambda signed: signed.update(version=True)),
        ("1.fleet.json", "fleet", lambda signed: signed.update(version=2**53 + 1)),
        (
            "1.snapshot.json",
            "snapshot",
            lambda signed: signed["meta"]["fleet.json"].update(version=True),
        ),
        (
            "1.snapshot.json",
            "snapshot",
            lambda signed: signed["meta"]["fleet.json"].update(length=True),
        ),
        (
            "timestamp.json",
            "timestamp",
            lambda signed: signed["meta"]["snapshot.json"].update(version=10**30),
        ),
        (
            "1.targets.json",
            "targets",
            lambda signed: signed["delegations"]["roles"][0].update(threshold=True),
        ),
        (
            "1.recall.json",
            "recall",
            lambda signed: signed["targets"].update(
                {"recall.json": {"length": True, "hashes": {"sha256": "a" * 64}}}
            ),
        ),
    ],
)
def test_a_number_that_is_none_is_refused(
    repository: Repository, file: str, role: str, edit: Edit
) -> None:
    forge(repository, file, role, edit)
    refused(repository, MalformedError, "metadata-number")


def test_the_largest_number_is_read(repository: Repository) -> None:
    forge(repository, "1.fleet.json", "fleet", lambda signed: signed.update(version=2**53))
    assert read_metadata(repository.files["1.fleet.json"], "fleet", Targets).signed.version == 2**53


def test_a_root_s_threshold_is_a_number_too() -> None:
    repository = Repository(KEYS)
    forge(
        repository,
        "1.root.json",
        "root",
        lambda signed: signed["roles"]["timestamp"].update(threshold=True),
    )
    refused(repository, MalformedError, "metadata-number")


@pytest.mark.parametrize("file", ["timestamp.json", "1.snapshot.json", "1.fleet.json"])
def test_a_fraction_cannot_be_signed_and_is_refused(repository: Repository, file: str) -> None:
    def weigh(value: dict[str, Any]) -> None:
        value["signed"]["weight"] = 1.5

    respell(repository, file, weigh)
    refused(repository, MalformedError, "metadata-unreadable")


@given(position=st.integers(0, 100_000), bit=st.integers(0, 7), data=st.data())
@settings(max_examples=300, deadline=None)
def test_no_single_bit_can_change(position: int, bit: int, data: st.DataObject) -> None:
    repository = Repository(KEYS)
    file = data.draw(st.sampled_from(sorted(set(repository.files) - {"1.root.json"})))
    changed = bytearray(repository.files[file])
    changed[position % len(changed)] ^= 1 << bit
    repository.files[file] = bytes(changed)
    with pytest.raises(RefusedError):
        repository.walk()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(said=st.dictionaries(st.text(), JSON), data=st.data())
def test_signatures_are_of_canonical_json(said: dict[str, Any], data: st.DataObject) -> None:
    """What is spelled out for speed is what tuf spells; escapes and other scripts included."""
    repository = Repository(KEYS)
    role = data.draw(st.sampled_from(["fleet", "targets", "catalog.vision"]))
    signed = repository.current[role].signed
    signed.unrecognized_fields.update({f"x-{name}": value for name, value in said.items()})
    file = publishing.to_bytes(repository.current[role])
    try:
        payload = repository.current[role].signed_bytes
    except SerializationError:  # half a surrogate pair
        with pytest.raises(MalformedError):
            read_spelled(file, role, Targets)
        return
    assert read_spelled(file, role, Targets).payload == payload


def test_a_key_with_line_breaks_in_it_signs_too(repository: Repository) -> None:
    """ECDSA keys are PEM in TUF: what a signature is of is not the file's own spelling then."""
    key = CryptoSigner.generate_ecdsa()
    with repository.next("fleet") as signed:
        publishing.delegate(signed, "site.ship-2", 1, {"nils": PublicKey.from_tuf(key.public_key)})
    file = repository.files["2.fleet.json"]
    read = read_spelled(file, "fleet", Targets)
    assert read.payload == read.metadata.signed_bytes
    assert read.payload not in file
    repository.walk()


# ---------------------------------------------------------------- going back


def test_a_role_that_goes_back_is_refused(repository: Repository) -> None:
    older = repository.files["1.fleet.json"]
    with repository.next("fleet"):
        pass
    _, kept = repository.walk()
    # A hub's own keys can say that version 1 is current; what was seen is seen.
    repository.store("fleet", older, Metadata.from_bytes(older))
    repository.current.pop("snapshot")
    repository.refresh()
    with pytest.raises(WentBackError) as error:
        repository.walk({("targets", "fleet"): kept["targets", "fleet"]})
    assert error.value.code == "role-went-back"


def test_what_was_kept_and_damaged_since_is_not_gone_by(repository: Repository) -> None:
    with repository.next("fleet"):
        pass
    for kept in (b"", b"[]", b'{"signed":{"version":"1"}}', b'{"signed":{"version":1}}x'):
        with pytest.raises(MalformedError) as error:
            repository.walk({("targets", "fleet"): kept})
        assert error.value.code == "metadata-unreadable"


def test_two_files_of_one_version_are_a_fork(repository: Repository) -> None:
    _, kept = repository.walk()
    for file, role in (("timestamp.json", "timestamp"), ("1.fleet.json", "fleet")):
        before = repository.files[file]
        forge(repository, file, role, lambda signed: signed.update(note="another"))
        with pytest.raises(WentBackError) as error:
            repository.walk(kept)
        assert error.value.code == "role-forked"
        assert "tell the hub" in error.value.next_step
        repository.files[file] = before
    repository.walk(kept)


def test_other_signatures_on_the_same_version_are_no_fork(repository: Repository) -> None:
    _, kept = repository.walk()
    metadata: Metadata[Targets] = Metadata.from_bytes(repository.files["1.team.vision.json"])
    metadata.signatures.clear()
    publishing.sign(metadata, [KEYS["stefan"], KEYS["sven"]])
    repository.files["1.team.vision.json"] = publishing.to_bytes(metadata)
    walk, _ = repository.walk(kept)
    assert walk.role("targets", "team.vision").version == 1


def test_expiry_is_not_looked_at_when_recalls_are_read(repository: Repository) -> None:
    late = NOW + timedelta(days=10_000)
    walk = Walk(repository.files["1.root.json"], {}, late, check_expiry=False)
    drive(walk.top(), repository.fetch, lambda step: None)
    drive(walk.delegated("targets", "recall"), repository.fetch, lambda step: None)
    assert walk.role("targets", "recall").version == 1
    with pytest.raises(RefusedError) as error:
        repository.walk(now=late)
    assert error.value.code == "role-expired"


def test_metadata_is_read_with_the_kind_it_must_have(repository: Repository) -> None:
    data = repository.files["1.fleet.json"]
    assert read_metadata(data, "fleet", Targets).signed.version == 1


def test_a_driver_answers_needs_and_hands_on_keeps(repository: Repository) -> None:
    steps = Walk(repository.files["1.root.json"], {}, NOW).top()
    first = next(steps)
    assert first == Need("root", 2, LIMITS["root"])
    second = steps.send(None)
    assert second == Need("timestamp", None, LIMITS["timestamp"])
    third = steps.send(repository.files["timestamp.json"])
    assert third == Keep("root", "timestamp", 1, repository.files["timestamp.json"])


def test_a_delegated_role_has_a_name(repository: Repository) -> None:
    """Found by fuzzing: the library takes a number for a name, and what came after it did not."""

    def unname(signed: dict[str, Any]) -> None:
        signed["delegations"]["roles"][0]["name"] = 2

    file = f"{repository.current['targets'].signed.version}.targets.json"
    forge(repository, file, "targets", unname)
    refused(repository, MalformedError, "metadata-unreadable")


@pytest.mark.parametrize("version", [1, 9])
def test_a_name_in_a_snapshot_cannot_rewrite_a_terminal(
    repository: Repository, version: int
) -> None:
    after = repository.current["snapshot"].signed
    before = copy.deepcopy(after)
    before.meta["\x1b[2J" + "x" * 1000 + ".json"] = MetaFile(version)
    if version > 1:
        after.meta.update(dict.fromkeys(before.meta, MetaFile(1)))
    with pytest.raises(WentBackError) as error:
        check_listed(after, before)
    assert "\x1b" not in str(error.value)
    assert len(str(error.value)) < 300
