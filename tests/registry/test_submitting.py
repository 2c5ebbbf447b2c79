"""What is submitted counts by its signatures; what stands beside them is believed by nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealift_registry.trust import drafting, teams
from sealift_signing import drafts
from sealift_signing.drafts import Draft
from sealift_signing.errors import SealiftError
from tests.registry.hub_fixture import TEAM, Acme
from tests.registry.signing_people import sign


def signed(acme: Acme) -> Draft:
    """Two stewards let emil request, too."""
    hub, wanted = acme.app.hub, teams.requester(TEAM, acme.card("emil"))
    with hub.reading() as connection:
        made = drafting.draft(hub, connection, wanted)
    return sign(made, wanted.ask, acme.stewards, hub.now())


@pytest.mark.parametrize(
    "change",
    [
        {"act": "add-approver"},
        {"act": "renew", "object": (f"team.{TEAM}",)},
        {"object": (TEAM, "carla")},
        {"details": {"stage": ("production",)}},
        {"statements": ()},
    ],
)
def test_t0_140_the_log_says_no_other_act_than_what_was_signed(
    acme: Acme, change: dict[str, object]
) -> None:
    before = acme.rows()
    made = replace(signed(acme), **change)  # type: ignore[arg-type]
    with pytest.raises(SealiftError):
        acme.app.submit(drafts.read(drafts.write(made)), at_hub=False)
    assert acme.rows() == before


def test_what_was_signed_is_published_once(acme: Acme) -> None:
    made = signed(acme)
    assert acme.app.submit(made, at_hub=False).new
    after = acme.rows()
    assert not acme.app.submit(made, at_hub=False).new
    assert acme.rows() == after
