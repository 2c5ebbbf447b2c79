"""A builder's two keys, and the cards by which a fleet administrator enters them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from sealift_registry.trust.online_keys import PASSPHRASE, VARIABLE, OnlineKeys
from sealift_signing import disk, file_access, statements
from sealift_signing.acts.builders import keys_of
from sealift_signing.acts.material import check_card
from sealift_signing.desk.cards import make_card
from sealift_signing.errors import RefusedError
from sealift_signing.public_key import PublicKey
from sealift_signing.statements import KeyCard
from sealift_signing.words import words_of
from sealift_sync import durable


@dataclass(frozen=True)
class Card:
    """A card: whose it is, the key, its file, and the eight words of it."""

    owner: str
    key: str
    file: Path
    words: str


def make(folder: Path, environment: Mapping[str, str]) -> OnlineKeys:
    """A builder's keys; those that it lacks are made.

    Raises:
        FailedError: they could not be written.
    """
    try:
        folder.mkdir(mode=file_access.FOLDER, parents=True, exist_ok=True)
    except OSError as bad:
        raise durable.unwritable(folder, bad) from bad
    keys, phrase = OnlineKeys(folder, environment), folder / PASSPHRASE
    if not (environment.get(VARIABLE) or phrase.exists()):
        durable.write(phrase, f"{secrets.token_urlsafe(32)}\n".encode())
    for purpose in keys_of(""):
        if not keys.has_public(purpose):
            keys.create_key(purpose)
    return keys


def cards(
    name: str, folder: Path, environment: Mapping[str, str], now: datetime
) -> tuple[Card, ...]:
    """The cards of both keys of the builder `name`, in its folder; what it lacks is made.

    Raises:
        FailedError: they could not be written.
        RefusedError: a card that is there is of another key.
    """
    keys = make(folder, environment)
    return tuple(
        _card(owner, folder / f"{owner}.card", keys, purpose, now)
        for purpose, owner in keys_of(name).items()
    )


def _card(owner: str, file: Path, keys: OnlineKeys, purpose: str, now: datetime) -> Card:
    key: PublicKey = keys.public(purpose)
    if not file.exists():
        data = make_card(owner, keys.signer(purpose), "file", now)
        durable.write(file, data, mode=file_access.SHOWN_FILE)
    data = disk.read(file)
    card = statements.read(KeyCard, data, what=f"the key card {file}")
    check_card(card)
    if card.predicate.key != key.text:
        raise RefusedError(
            "card-of-another",
            f"{file} is the card of another key than {keys.path(purpose)}.",
            subject=str(file),
            next_step="Put it away, and run it again: it is made anew.",
        )
    return Card(owner, key.text, file, words_of(sha256(data).hexdigest()))
