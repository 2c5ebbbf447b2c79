"""People and programs with accounts, as tests of the server's rooms have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from sealift_registry.access import accounts, sessions, standing
from sealift_registry.access.calling import Caller, Grant, Way
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_registry.access.refusals import SignedOutError
from sealift_registry.access.sessions import Opened
from sealift_registry.access.standing import Standing
from sealift_registry.storage.schema import metadata
from sealift_signing.errors import SealiftError
from tests.registry.hub_fixture import Acme


def invited(acme: Acme, name: str, *grants: Grant) -> accounts.Invited:
    """A person's account, invited at the hub's shell."""
    return accounts.invite(acme.app.hub, name, "person", grants, "root")


def signed_in(acme: Acme, name: str, *grants: Grant, way: Way = "desk") -> Opened:
    """A session of a person's account, which is made where there is none."""
    with acme.app.hub.reading() as connection:
        there = standing.standing(connection, name)
    if there is None:
        invited(acme, name, *grants)
    return sessions.open_session(acme.app.hub, name, way, "a test")


def caller(acme: Acme, name: str, *grants: Grant, way: Way = "desk") -> Caller:
    """Somebody who is signed in."""
    opened = signed_in(acme, name, *grants, way=way)
    return Gatekeeper(acme.app.hub).caller(opened.secret, way)


def stands(acme: Acme, name: str) -> Standing:
    """How an account stands, by the log."""
    with acme.app.hub.reading() as connection:
        return standing.known(connection, name)


def is_let_in(acme: Acme, secret: str, way: Way = "desk", by: Gatekeeper | None = None) -> bool:
    """Whether somebody is signed in with this secret; asked of a gatekeeper that knows nothing."""
    try:
        (by or Gatekeeper(acme.app.hub)).caller(secret, way)
    except SignedOutError:
        return False
    return True


def code(act: Callable[[], object]) -> str:
    """The code with which something is refused; it says what to do next."""
    with pytest.raises(SealiftError) as caught:
        act()
    assert caught.value.advice, caught.value.code
    return caught.value.code


def row(acme: Acme, name: str) -> dict[str, Any]:
    """The one row of a table."""
    table = metadata.tables[name]
    with acme.behind() as connection:
        return dict(connection.execute(select(table)).mappings().one())
