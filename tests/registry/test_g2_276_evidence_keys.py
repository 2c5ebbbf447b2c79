"""Whose word a verdict is: of whoever holds the keys that sign evidence, and of no server without.

The builder's key lies on the hub by default. A server whose owner says "pass" of what failed, and
signs it so, is believed at a desk: that limit is stated (docs/explanation/threat-model.md). Where
the builder is another machine, the hub's own key counts no more, and the same is refused.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.catalog import recording
from sealift_signing import drafts
from sealift_signing.drafts import Draft, decoded
from sealift_signing.statements import Check, Evidence
from tests.registry.at_servers import AtServer, Desk, at_server
from tests.registry.http_answers import Asked as AskedOverHttp
from tests.registry.hub_fixture import REQUESTER, TARGET, Acme, version
from tests.registry.test_built_elsewhere import SHOP, accepted, back, called, elsewhere, fleet
from tests.registry.test_g2_140_a_hostile_server import (
    PROMOTE,
    evidence,
    forged,
    typed,
    with_statement,
)

__all__ = ["back", "elsewhere"]  # fixtures

pytestmark = pytest.mark.socket

ROOT = Path(__file__).parents[2]
LIMIT = 'Who holds these can say "pass" of a model that was never looked at.'
PAGE = ROOT / "docs/explanation/threat-model.md"
INVENTED = "the same on every row that there is"


def passed(one: Evidence) -> Evidence:
    """The verdict that its signer would like better, with words that nobody measured."""
    checks = (*one.checks, Check("answers", "pass", INVENTED))
    return replace(one, verdict="pass", checks=checks)


def offers(at: AtServer, lies: Callable[[Acme, Draft], Draft]) -> None:
    """Have the server hand out this in the place of an honest draft."""

    def alters(asked: AskedOverHttp, said: dict[str, Any]) -> dict[str, Any]:
        if not asked.path.endswith("/drafts"):
            return said
        made = lies(at.acme, drafts.read(b64decode(said["draft"]), what="it"))
        return said | {"draft": b64encode(drafts.write(made)).decode()}

    at.alters = alters


def handed_in(at: AtServer) -> list[bytes]:
    return [one.body for one in at.asked if one.path.endswith("/submissions")]


def asks_for_it(at: AtServer) -> Desk:
    """Somebody who asks for version 1 to be promoted, once it was told that its parity failed."""
    dora = at.desk(REQUESTER, bound=True)
    offers(at, forged("parity", "builder", lambda one: replace(one, verdict="fail")))
    assert dora.types(*typed(dora, PROMOTE), "--json").error == "gate"
    assert not handed_in(at)
    return dora


@pytest.fixture
def here(hub: Acme) -> Iterator[AtServer]:
    """A hub that built its variants itself: all keys that sign evidence lie on it."""
    with at_server(hub) as made:
        yield made


@pytest.fixture
def elsewhere_alone(back: Acme) -> Iterator[AtServer]:
    """A hub whose variants another machine builds, and which has no active builder's key."""
    assert accepted(back).new
    fleet(back, called("hub-builder", status="compromised"))
    with at_server(back) as made:
        yield made


def test_g2_276_with_the_evidence_keys_a_hostile_server_says_pass_and_is_believed(
    here: AtServer,
) -> None:
    """The limit: an approver knows no more than the evidence keys said. It is written down."""
    dora = asks_for_it(here)
    offers(here, kept_too)
    said = dora.types(*typed(dora, PROMOTE))
    assert said.code == 0, said.err
    assert INVENTED in said.out.replace("\n> ", " "), "it stands before whoever signs"
    assert len(handed_in(here)) == 1
    page = " ".join(PAGE.read_text("utf-8").split())
    assert LIMIT in page


def test_g2_276_also_with_one_that_is_retired(back: Acme) -> None:
    """What it signed before counts still, and whoever has it says when it signed."""
    assert accepted(back).new
    fleet(back, called("hub-builder", status="retired"))
    with at_server(back) as at:
        dora = at.desk(REQUESTER, bound=True)
        offers(at, kept_too)
        said = dora.types(*typed(dora, PROMOTE))
        assert said.code == 0, said.err
        assert len(handed_in(at)) == 1


def test_g2_276_where_they_are_elsewhere_the_same_is_refused_at_the_desk(
    elsewhere_alone: AtServer,
) -> None:
    at = elsewhere_alone
    dora = at.desk(REQUESTER, bound=True)
    for by in ("builder", "scanner", "catalog"):
        offers(at, forged("parity", by, passed))
        assert dora.types(*typed(dora, PROMOTE), "--json").error == "gate", by
    offers(at, renamed_key)
    assert dora.types(*typed(dora, PROMOTE), "--json").error == "bad-signature"
    assert not handed_in(at)
    at.alters = lambda _asked, said: said
    said = dora.types(*typed(dora, PROMOTE))
    assert said.code == 0, said.err
    assert len(handed_in(at)) == 1, "what that machine said is believed"


def kept_too(acme: Acme, honest: Draft) -> Draft:
    """The verdict as its owner would have it, in the draft and in the hub's own rows."""
    made = forged("parity", "builder", passed)(acme, honest)
    place, _ = evidence(made, "parity")
    with acme.behind() as connection:
        path = version(1).path(TARGET)
        recording.add_evidence(connection, decoded(made.statements[place]), path)
    return made


def renamed_key(acme: Acme, honest: Draft) -> Draft:
    """Its verdict, signed with the hub's key and said to be by the other machine's."""
    made = forged("parity", "builder", passed)(acme, honest)
    place, one = evidence(made, "parity")
    keyid = acme.public(SHOP).keyid
    envelope = json.loads(decoded(made.statements[place]))
    assert one.envelope.keyid != keyid
    envelope["signatures"][0]["keyid"] = keyid
    data = json.dumps(envelope, separators=(",", ":"), sort_keys=True).encode()
    return with_statement(made, place, data)
