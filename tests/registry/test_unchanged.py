"""A command that is run again adds nothing; one that means something new is not taken for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from sealift_registry.trust import hub_drafts, submitting, teams
from sealift_registry.trust.stored import stored
from sealift_registry.trust.unchanged import UnchangedError, check_changes, is_published
from sealift_signing import publishing
from sealift_signing.acts.material import SetAsideVersion
from tests.registry.hub_fixture import Acme
from tests.registry.signing_people import draft_renewal, sign

ROLE = "fleet"


def is_new(
    acme: Acme, connection: Connection, *others: SetAsideVersion, key: str = "fleet-1"
) -> bool:
    """Whether a renewal is, by both who ask: the command that drafts, and the log's writer."""
    wanted, now = teams.renewal(ROLE, others), acme.app.hub.now()
    made = hub_drafts.draft_at(connection, wanted, now)
    new = not is_published(connection, made, frozenset({acme.public(key).keyid}))
    signed = sign(made, wanted.ask, [acme.signer(key)], now)
    try:
        check_changes(connection, submitting.change_of(connection, signed))
    except UnchangedError:
        assert not new
    else:
        assert new
    return new


def another(acme: Acme, connection: Connection) -> SetAsideVersion:
    """Another version of the role's next number, which was signed and never published."""
    change = draft_renewal(connection, ROLE, [acme.signer("fleet-2")], acme.app.hub.now())
    metadata: Any = change.metadata[ROLE]
    return SetAsideVersion(ROLE, publishing.to_bytes(metadata))


def age(acme: Acme, connection: Connection) -> timedelta:
    """How long ago the role was signed: with a template that was made as the tests began."""
    made = draft_renewal(connection, ROLE, [acme.signer("fleet-1")], acme.app.hub.now())
    before: Any = stored(connection).head(ROLE).metadata
    after: Any = made.metadata[ROLE]
    gained: timedelta = after.signed.expires - before.signed.expires
    return gained


@pytest.mark.parametrize("minutes, new", [(0, False), (30, False), (61, True)])
def test_what_was_signed_within_the_hour_is_not_signed_again(
    acme: Acme, minutes: int, new: bool
) -> None:
    with acme.app.hub.reading() as connection:
        since = age(acme, connection)
    acme.later(seconds=60 * minutes - since.total_seconds())
    with acme.app.hub.reading() as connection:
        assert is_new(acme, connection) is new


def test_what_another_key_signs_is_new(acme: Acme) -> None:
    with acme.app.hub.reading() as connection:
        assert is_new(acme, connection, key="fleet-2")


def test_what_sets_a_version_aside_is_new(acme: Acme) -> None:
    with acme.app.hub.reading() as connection:
        assert is_new(acme, connection, another(acme, connection))
