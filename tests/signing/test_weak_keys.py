"""Bytes that anybody can sign for are nobody's key: not entered, not counted, and no hindrance.

What OpenSSL takes for right is shown first: each attack verifies before it is refused.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from hashlib import sha512
from secrets import randbelow
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner, Key, Signature, Signer

from sealift_signing import curve, publishing
from sealift_signing.approvals import tally
from sealift_signing.curve import D, L, P, Point
from sealift_signing.documents import MemberKey
from sealift_signing.errors import BadSignatureError, NotSignedEnoughError, RefusedError
from sealift_signing.public_key import PublicKey, _made, _pem
from sealift_signing.roles import named_keys
from sealift_signing.tuf_walk import check_signed
from tests.desks import STEWARDS, TEAM, Acme
from tests.trust import STAGE, Promotion, Repository


def decoded(y: int, sign: int = 0) -> Point:
    found = curve.point((y | sign << 255).to_bytes(32, "little"))
    assert found is not None
    return found


BASE = decoded(4 * pow(5, -1, P) % P)
"""The base point: y = 4/5 (RFC 8032, section 5.1)."""


def torsion() -> list[Point]:
    """The eight points whose eightfold is zero: what is left of any point times the group order."""
    found: dict[bytes, Point] = {}
    y = 2
    while len(found) < 8:
        y += 1
        some = curve.point(y.to_bytes(32, "little"))
        if some is not None:
            left = some.times(L)
            found[left.spelled()] = left
    return list(found.values())


SMALL = sorted(one.spelled() for one in torsion())
TWICE = [
    raw
    for y in range(19)  # of these y + p fits into 255 bits
    for sign in (0, 1)
    if curve.point(raw := ((y + P) | sign << 255).to_bytes(32, "little")) is not None
]
"""Every spelling whose y is not below p."""


class Anybody(Signer):
    """Signs with no private key for an Ed25519 key of small order."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.key = PublicKey(f"ed25519:{raw.hex()}")

    @cached_property
    def public_key(self) -> Key:
        return self.key.tuf_key()

    def sign(self, payload: bytes) -> Signature:
        """S·B = R + h·A holds as soon as h·A is the multiple of A that R was made with."""
        weak = cast("Point", curve.point(self.raw))
        for guess in range(400):
            s = randbelow(L)
            minus = weak.times(8 - guess % 8)
            r = (BASE.times(s) + minus).spelled()
            h = int.from_bytes(sha512(r + self.raw + payload).digest(), "little") % L
            if weak.times(h).spelled() == weak.times(guess % 8).spelled():
                return Signature(self.key.keyid, (r + s.to_bytes(32, "little")).hex())
        raise AssertionError(self.raw)

    @classmethod
    def from_priv_key_uri(cls, *_args: object, **_more: object) -> Anybody:
        raise NotImplementedError


def verifies(raw: bytes, signature: bytes, data: bytes) -> bool:
    """What `cryptography` says."""
    Ed25519PublicKey.from_public_bytes(raw).verify(signature, data)
    return True


def test_the_arithmetic_is_that_of_the_standard() -> None:
    """RFC 8032's base point is of the group's order, and its own keys are sound."""
    assert BASE.times(L).is_zero
    assert not BASE.times(8).is_zero
    assert D == 37095705934669439343138083508754565189542113879843219016388785533085940283555
    for _ in range(20):
        key = PublicKey.from_tuf(CryptoSigner.generate_ed25519().public_key)
        assert key.fault is None
        key.check_enters("anna")
    assert len(SMALL) == len(set(SMALL)) == 8


@pytest.mark.parametrize("raw", SMALL, ids=lambda raw: raw.hex()[:8])
def test_t1_08_what_anybody_can_sign_for_signs_nothing(raw: bytes) -> None:
    key = PublicKey.parse(f"ed25519:{raw.hex()}")
    signature = bytes.fromhex(Anybody(raw).sign(b"anything").signature)
    assert verifies(raw, signature, b"anything")
    with pytest.raises(BadSignatureError, match="is of small order") as refused:
        key.verify(signature, b"anything", what="the note")
    assert refused.value.code == "weak-key"


@pytest.mark.parametrize("raw", TWICE, ids=lambda raw: raw.hex()[:8])
def test_t1_08_a_second_spelling_is_nobodys_key(raw: bytes) -> None:
    fault = PublicKey.parse(f"ed25519:{raw.hex()}").fault
    assert fault is not None
    assert re.match("is a second spelling|is of small order", fault)


def no_point() -> bytes:
    return next(raw for y in range(2, 99) if curve.point(raw := y.to_bytes(32, "little")) is None)


def no_p256() -> str:
    """A P-256 key whose point is beside the curve."""
    point = generate_private_key(SECP256R1()).public_key()
    raw = bytearray(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    raw[-1] ^= 1
    return f"ecdsa-p256:{raw.hex()}"


def test_t1_08_what_is_no_point_is_read_and_signs_nothing() -> None:
    for text in (f"ed25519:{no_point().hex()}", no_p256()):
        key = PublicKey.parse(text)
        assert key.fault == "is no point of the curve"
        assert PublicKey.from_tuf(key.tuf_key()) == key
        with pytest.raises(BadSignatureError, match="is no point"):
            key.verify(bytes(64), b"anything", what="the note")


def test_a_p256_key_is_spelled_as_the_library_spells_it() -> None:
    """Its PEM and its id are ours, so that one which is no point can be read, too."""
    for _ in range(5):
        signer = CryptoSigner.generate_ecdsa()
        key = PublicKey.from_tuf(signer.public_key)
        assert _made(key.text).to_dict() == signer.public_key.to_dict()
        assert key.keyid == signer.public_key.keyid
        assert _pem(key.raw) == signer.public_key.keyval["public"]


def test_t1_08_one_private_key_is_not_eight_people() -> None:
    """The sum of an honest point and one of small order: its owner signs for it, after some tries.

    With a = the private scalar, R = r·B and S = r + h·a, the sum verifies where h is a multiple of
    eight, for then h·T is zero.
    """
    a = randbelow(L)
    shifted = BASE.times(a) + next(one for one in torsion() if not one.times(4).is_zero)
    raw = shifted.spelled()
    while True:
        r = randbelow(L)
        spelled = BASE.times(r).spelled()
        h = int.from_bytes(sha512(spelled + raw + b"data").digest(), "little") % L
        if h % 8 == 0:
            break
    signature = spelled + ((r + h * a) % L).to_bytes(32, "little")
    assert verifies(raw, signature, b"data")
    key = PublicKey.parse(f"ed25519:{raw.hex()}")
    with pytest.raises(RefusedError, match="one of eight that the same private key") as refused:
        key.check_enters("bert")
    assert refused.value.code == "weak-key"


# ---------------------------------------------------------------- in documents and roles


def test_t1_08_an_approval_by_such_a_key_does_not_count_and_the_others_do() -> None:
    promotion = Promotion()
    promotion.keys._signers["nobody"] = cast("CryptoSigner", Anybody(SMALL[3]))
    weak = MemberKey(promotion.keys.public("nobody").text, "file", (f"approve:{STAGE}",))
    promotion.people = [
        replace(one, keys=(weak,)) if one.id == "bert" else one for one in promotion.people
    ]
    request = promotion.request()
    given = [promotion.approve(request, "bert", key="nobody"), promotion.approve(request, "carla")]
    found = tally(
        promotion.read_request(request), promotion.read_approvals(*given), promotion.rules()
    )
    assert found.people == ("carla",)
    (aside,) = found.set_aside
    assert "the key that it is signed with is of small order" in aside


def test_t1_08_a_role_counts_such_a_key_for_nobody_and_is_read() -> None:
    repository = Repository()
    weak = [Anybody(raw) for raw in SMALL[:3]]
    keys = {f"nobody-{number}": one.key for number, one in enumerate(weak)}
    off = {"off-curve": PublicKey.parse(no_p256())}
    with repository.next("targets") as signed:
        publishing.delegate(
            signed, "team.vision", 2, {**keys, **off, **repository.keys.publics(("stella", "sven"))}
        )
    targets = repository.current["targets"].signed
    draft = repository.draft("team.vision")
    publishing.sign(draft, weak)
    with pytest.raises(RefusedError):
        check_signed(targets, "team.vision", draft)
    publishing.sign(draft, [*weak, repository.keys["stella"]])
    with pytest.raises(NotSignedEnoughError):
        check_signed(targets, "team.vision", draft)
    publishing.sign(draft, [*weak, repository.keys["stella"], repository.keys["sven"]])
    check_signed(targets, "team.vision", draft)
    assert set(named_keys(targets, "team.vision")) >= {"stella", "sven"}


@pytest.mark.parametrize("raw", SMALL, ids=lambda raw: raw.hex()[:8])
def test_t1_08_no_card_brings_such_a_key_into_a_document(raw: bytes) -> None:
    acme = Acme()
    acme.trusting(*STEWARDS)
    acme.person("mallory").signer = cast("CryptoSigner", Anybody(raw))
    with pytest.raises(RefusedError, match="small order") as refused:
        acme.draft("add-approver", TEAM, "mallory", cards=["mallory"])
    assert refused.value.code == "weak-key"
