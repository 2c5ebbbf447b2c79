"""Key cards: by what a key enters a document, signed by its owner with it."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import cast

from securesystemslib.signer import Signer

from sealift_signing import statements
from sealift_signing.acts.teams import check_name
from sealift_signing.documents import KeyClass
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import KeyCard
from sealift_signing.vocabulary import moment


def make_card(owner: str, signer: Signer, key_class: str, now: datetime) -> bytes:
    """The card that says that the key of `signer` is that of `owner`.

    Raises:
        RefusedError: the owner's name is not spelled as one.
    """
    check_name(owner, "person")
    key = PublicKey.from_tuf(signer.public_key)
    said = KeyCard(1, (), owner, key.text, cast("KeyClass", key_class), moment(now))
    about = statements.subject(f"keys/{owner}", sha256(key.raw).hexdigest())
    return statements.sign(said, [about], signer)
