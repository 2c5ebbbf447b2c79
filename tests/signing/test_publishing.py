"""The next metadata: drafted, signed in different rooms, joined, and checked before it goes out."""

from datetime import timedelta, timezone

import pytest
from tuf.api.metadata import Metadata, Targets

from sealift_signing import publishing
from sealift_signing.errors import (
    BadSignatureError,
    MalformedError,
    NoKeyError,
    NotSignedEnoughError,
)
from sealift_signing.tuf_walk import WentBackError
from tests.trust import NOW, Keyring, Repository

KEYS = Keyring()
EXPIRES = publishing.expiry(NOW, 30)


def draft(repository: Repository) -> Metadata[Targets]:
    """The next targets, which delegates to a further team."""
    metadata: Metadata[Targets] = publishing.successor(
        repository.current["targets"], expires=EXPIRES
    )
    publishing.delegate(metadata.signed, "team.audio", 1, {"uwe": KEYS.public("uwe")})
    return metadata


def test_an_expiry_is_in_whole_seconds_of_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5))) + timedelta(microseconds=7)
    assert publishing.expiry(there, 2) == NOW + timedelta(days=2)
    assert Targets(expires=publishing.expiry(there, 2)).expires == NOW + timedelta(days=2)


def test_a_successor_starts_unsigned_and_leaves_the_old_one_alone() -> None:
    repository = Repository()
    before = publishing.to_bytes(repository.current["targets"])
    following = draft(repository)
    assert following.signed.version == 2
    assert following.signatures == {}
    assert publishing.to_bytes(repository.current["targets"]) == before


def test_signatures_made_apart_are_joined() -> None:
    repository = Repository(KEYS)
    metadata = draft(repository)
    unsigned = publishing.to_bytes(metadata)
    copies = []
    for name in ("tina", "toni"):
        signed_apart: Metadata[Targets] = Metadata.from_bytes(unsigned)
        publishing.sign(signed_apart, [KEYS[name]])
        copies.append(publishing.to_bytes(signed_apart))
    joined: Metadata[Targets] = Metadata.from_bytes(publishing.join(unsigned, copies))
    publishing.check_publishable(joined, "targets", repository.current["root"].signed)
    assert set(joined.signatures) == {KEYS.public("tina").keyid, KEYS.public("toni").keyid}


def test_a_signature_of_another_draft_is_left_out() -> None:
    repository = Repository(KEYS)
    unsigned = publishing.to_bytes(draft(repository))
    other: Metadata[Targets] = publishing.successor(repository.current["targets"], expires=EXPIRES)
    publishing.sign(other, [KEYS["tina"]])
    joined: Metadata[Targets] = Metadata.from_bytes(
        publishing.join(unsigned, [publishing.to_bytes(other)])
    )
    assert joined.signatures == {}


def test_what_is_no_metadata_is_not_joined() -> None:
    unsigned = publishing.to_bytes(draft(Repository(KEYS)))
    for draft_, copies in ((b"{}", []), (unsigned, [b"nonsense"])):
        with pytest.raises(MalformedError) as error:
            publishing.join(draft_, copies)
        assert error.value.code == "metadata-unreadable"


def test_what_sites_would_refuse_is_not_publishable() -> None:
    repository = Repository(KEYS)
    root = repository.current["root"].signed
    metadata = draft(repository)
    with pytest.raises(NoKeyError):
        publishing.check_publishable(metadata, "targets", root)
    publishing.sign(metadata, [KEYS["tina"]])
    with pytest.raises(NotSignedEnoughError, match="1 of the 2 people"):
        publishing.check_publishable(metadata, "targets", root)
    publishing.sign(metadata, [KEYS["tara"]])
    publishing.check_publishable(metadata, "targets", root)
    metadata.signed.version += 1
    with pytest.raises(BadSignatureError):
        publishing.check_publishable(metadata, "targets", root)


def test_what_does_not_fit_the_layout_is_not_publishable() -> None:
    repository = Repository(KEYS)
    metadata = draft(repository)
    publishing.list_document(metadata.signed, "catalog/vision/digits/3/cpu-x86_64", b"{}")
    publishing.sign(metadata, repository.signers("targets"))
    with pytest.raises(MalformedError) as error:
        publishing.check_publishable(metadata, "targets", repository.current["root"].signed)
    assert error.value.code == "path-not-of-role"


def test_a_root_is_signed_by_its_own_keys_too() -> None:
    repository = Repository(KEYS)
    metadata = publishing.successor(repository.current["root"], expires=EXPIRES)
    for keyid in list(metadata.signed.roles["root"].keyids):
        metadata.signed.revoke_key(keyid, "root")
    metadata.signed.add_key(publishing.named_key(KEYS.public("eve"), "eve"), "root")
    metadata.signed.roles["root"].threshold = 1
    publishing.sign(metadata, repository.signers("root"))
    with pytest.raises(NoKeyError):
        publishing.check_publishable(metadata, "root", repository.current["root"].signed)


def test_delegating_again_replaces_the_holders_and_forgets_their_keys() -> None:
    signed = draft(Repository(KEYS)).signed
    assert signed.delegations is not None
    publishing.delegate(signed, "team.audio", 1, {"vera": KEYS.public("vera")})
    assert KEYS.public("uwe").keyid not in signed.delegations.keys
    assert KEYS.public("vera").keyid in signed.delegations.keys


@pytest.mark.parametrize("threshold,people", [(2, ("uwe",)), (1, ())])
def test_a_role_that_nobody_could_sign_is_not_drafted(
    threshold: int, people: tuple[str, ...]
) -> None:
    holders = KEYS.publics(people)
    with pytest.raises(MalformedError) as error:
        publishing.delegate(Targets(), "team.audio", threshold, holders)
    assert error.value.code == "threshold-unreachable"
    with pytest.raises(MalformedError):
        publishing.first_root({"root": (threshold, holders)}, expires=EXPIRES)


def test_one_key_for_two_people_is_not_drafted() -> None:
    shared = {"uwe": KEYS.public("uwe"), "vera": KEYS.public("uwe")}
    with pytest.raises(MalformedError) as error:
        publishing.delegate(Targets(), "team.audio", 1, shared)
    assert error.value.code == "threshold-unreachable"


def test_a_role_of_no_layout_is_not_delegated() -> None:
    with pytest.raises(MalformedError) as error:
        publishing.delegate(Targets(), "team.../x", 1, KEYS.publics(("uwe",)))
    assert error.value.code == "no-such-role"


def test_a_snapshot_forgets_no_role_and_takes_none_back() -> None:
    first = publishing.next_snapshot(None, {"targets": 2, "fleet": 1}, expires=EXPIRES)
    second = publishing.next_snapshot(first, {"targets": 2, "fleet": 2}, expires=EXPIRES)
    assert (first.signed.version, second.signed.version) == (1, 2)
    for versions in ({"targets": 2}, {"targets": 1, "fleet": 2}):
        with pytest.raises(WentBackError):
            publishing.next_snapshot(second, versions, expires=EXPIRES)


def test_a_timestamp_names_its_snapshot() -> None:
    snapshot = publishing.next_snapshot(None, {"targets": 1}, expires=EXPIRES)
    first = publishing.next_timestamp(None, snapshot, expires=EXPIRES)
    second = publishing.next_timestamp(first, snapshot, expires=EXPIRES)
    assert (first.signed.version, second.signed.version) == (1, 2)
    assert second.signed.snapshot_meta.version == 1


def test_a_listed_document_is_named_by_its_digest_and_length() -> None:
    signed = Targets()
    publishing.list_document(signed, "policy.json", b"one")
    publishing.list_document(signed, "policy.json", b"other")
    assert len(signed.targets) == 1
    signed.targets["policy.json"].verify_length_and_hashes(b"other")
