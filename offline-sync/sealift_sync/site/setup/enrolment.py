"""How a site comes to trust one organisation: its request, the hub's answer, what people typed.

The answer is believed because somebody typed its eight words, which another person read aloud, and
the organisation's fingerprint, which was on paper; from then on nothing is. It carries every root
since 1, so the site verifies the chain itself, and the stage, the first pins and the first floors.
Its sha256 is the *enrolment id* that every transfer must name.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, Root, Targets

from sealift_signing import roles, statements
from sealift_signing.documents import FLEET_KEYS_PATH
from sealift_signing.errors import MalformedError, NoKeyError, NotFoundError, RefusedError
from sealift_signing.floors import ANY, FloorKey
from sealift_signing.public_key import PublicKey
from sealift_signing.roles import FLEET, keyholders
from sealift_signing.statements import Pins, Signed, SiteAnswer, SiteRequest, subject
from sealift_signing.tuf_walk import check_signed, read_metadata
from sealift_signing.vocabulary import moment
from sealift_signing.words import fingerprint, same_fingerprint, same_words, words_of
from sealift_sync.site.state.database import State
from sealift_sync.software import READS, software

REQUEST = "request"
ANSWER = "answer"
ANSWER_CHECKED = "answer-checked"


@dataclass(frozen=True)
class Enrolment:
    """What a site is, by the hub's answer.

    Attributes:
        id: the sha256 of the answer's envelope.
        organisation: the sha256 of root 1.
        fingerprint: of the organisation, by the newest root of the answer.
        groups: this site's host groups, each with its hardware target.
        pins: the first pins; they rise later.
    """

    id: str
    site: str
    organisation: str
    fingerprint: str
    stage: str
    groups: Mapping[str, str]
    pins: Pins
    floors: Mapping[str, int]
    roots: tuple[bytes, ...]
    answer: Signed[SiteAnswer]

    @property
    def first_floors(self) -> Mapping[FloorKey, int]:
        """The floors that the answer sets, each for whatever keys its role has."""
        return {(roles.delegator(role), role, ANY): number for role, number in self.floors.items()}

    @property
    def words(self) -> str:
        """The eight words of the answer."""
        return words_of(self.id)


@dataclass(frozen=True)
class TypedWords:
    """What whoever installs the site typed: the fingerprint from paper, the words as they heard."""

    fingerprint: str
    words: str


def make_request(
    state: State, signer: Signer, site: str, groups: Mapping[str, str], now: datetime
) -> bytes:
    """The envelope of a request to enrol; a new one replaces any that was not answered.

    Raises:
        RefusedError: this home is enrolled already.
    """
    if state.fact(ANSWER) is not None:
        raise RefusedError(
            "already-enrolled",
            "This site is enrolled already; trust is not exchanged in place.",
            subject=site,
            next_step="Enrol anew in a new home: sealift-site --home DIR init …",
        )
    key = PublicKey.from_tuf(signer.public_key)
    said = SiteRequest(
        1, (), site, groups, key.text, secrets.token_hex(32), moment(now), software(), READS
    )
    about = subject(f"sites/{site}/key", sha256(key.raw).hexdigest())
    envelope = statements.sign(said, [about], signer)
    with state.transaction():
        state.set_fact(REQUEST, envelope)
    return envelope


def check_answer(state: State, data: bytes) -> Enrolment:
    """The enrolment that the answer `data` would make.

    Raises:
        NotFoundError: this home has made no request.
        RefusedError: an answer to another request, or roots that do not hold together.
    """
    asked = state.fact(REQUEST)
    if asked is None:
        raise NotFoundError(
            "not-asked",
            "This home has made no request that could be answered.",
            next_step="Begin with: sealift-site init --id ID --group NAME=TARGET --request FILE",
        )
    answer = statements.read(SiteAnswer, data, what="the answer")
    request = statements.read(SiteRequest, asked, what="this site's request")
    said = answer.predicate
    about = answer.about(f"sites/{said.site}/request", request.sha256)
    if not about or (said.request, said.site) != (request.sha256, request.predicate.site):
        raise RefusedError(
            "answer-to-another",
            f"The answer is for the request {said.request[:12]} of the site {said.site}, not for "
            f"this site's last one, {request.sha256[:12]}.",
            subject=said.site,
            next_step="Have the request file that this site wrote last enrolled at the hub.",
        )
    roots = tuple(_decode(text) for text in said.roots)
    newest = _check_chain(roots, said.organisation)
    return Enrolment(
        id=answer.sha256,
        site=said.site,
        organisation=said.organisation,
        fingerprint=fingerprint(newest),
        stage=said.stage,
        groups=request.predicate.groups,
        pins=said.pins,
        floors=said.floors,
        roots=roots,
        answer=answer,
    )


def check_typed(known: Enrolment, typed: TypedWords) -> None:
    """Check that the organisation and the answer are those that people told each other of.

    Nobody is asked "are they the same?", for the easy answer to that is yes; and no error says what
    would have been right.

    Raises:
        RefusedError: they are not.
    """
    if not same_fingerprint(typed.fingerprint, known.fingerprint):
        raise RefusedError(
            "fingerprint-differs",
            "Nothing was enrolled: the fingerprint of the organisation in this answer is not the "
            "one that was typed.",
            subject=known.site,
            next_step="Type all of it from the newest paper, for each new root changes it. If it "
            "still differs, the answer is not your organisation's: do not use it.",
        )
    if not same_words(typed.words, known.words):
        raise RefusedError(
            "words-differ",
            "Nothing was enrolled: the eight words of this answer are not those that were typed.",
            subject=known.site,
            next_step="Have them read to you again. If they still differ, the answer was changed "
            "on its way: get it again.",
        )


def enrolment(state: State) -> Enrolment:
    """The enrolment of this site.

    Raises:
        NotFoundError: it is not enrolled yet.
    """
    data = state.fact(ANSWER)
    if data is None:
        raise NotFoundError(
            "not-enrolled",
            "This site is not enrolled yet.",
            next_step="Take in the hub's answer: sealift-site init --answer FILE",
        )
    return check_answer(state, data)


def check_answerer(known: Enrolment, targets: Targets) -> None:
    """Check that a fleet administrator signed the answer, now that `targets` says who they are.

    Raises:
        NoKeyError: somebody else did: the hub that was enrolled with is not the organisation's.
        BadSignatureError: the signature is wrong.
    """
    answer = known.answer
    for key in keyholders(targets, FLEET).keys:
        if key.keyid == answer.envelope.keyid:
            statements.verify(answer, key, what="the answer this site was enrolled with")
            return
    raise NoKeyError(
        "answer-not-by-fleet",
        "The answer that this site was enrolled with was not signed by a fleet administrator of "
        "this organisation.",
        subject=FLEET_KEYS_PATH,
        next_step="Do not use this home; enrol anew, with the fingerprint from paper and the eight "
        "words as the hub's side reads them.",
    )


def _check_chain(roots: tuple[bytes, ...], organisation: str) -> Metadata[Root]:
    """The newest root; each is signed by the one before it and itself (TUF specification §5.3)."""
    if not roots or sha256(roots[0]).hexdigest() != organisation:
        raise RefusedError(
            "answer-roots",
            "The answer's first root is not the one that its organisation is named by.",
            subject=organisation,
            next_step="Have the hub answer again.",
        )
    newest = read_metadata(roots[0], "root", Root)
    for number, data in enumerate(roots, start=1):
        metadata = read_metadata(data, "root", Root)
        if metadata.signed.version != number:
            raise RefusedError(
                "answer-roots",
                f"The answer holds root {metadata.signed.version} where root {number} belongs.",
                subject="root",
                next_step="Have the hub write its answer again, and carry that.",
            )
        for signer in (newest, metadata):
            check_signed(signer.signed, "root", metadata)
        newest = metadata
    return newest


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as bad:
        raise MalformedError("base64", "The answer holds bad base64.") from bad
    if base64.b64encode(data).decode() != text:
        raise MalformedError("base64", "The answer holds base64 in a second spelling.")
    return data
