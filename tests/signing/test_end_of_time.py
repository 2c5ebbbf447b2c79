"""A clock that is centuries off is said to be so, and is no surprise."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sealift_signing import publishing
from sealift_signing.errors import RefusedError
from tests.desks import STEWARDS, TEAM, Acme

LAST, FIRST = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)


def test_no_signature_outlasts_the_calendar() -> None:
    with pytest.raises(RefusedError) as error:
        publishing.expiry(LAST, 1)
    assert "Set the clock" in error.value.next_step


@pytest.mark.parametrize("clock", [LAST, FIRST])
def test_a_draft_is_refused_by_such_a_clock_in_words(clock: datetime) -> None:
    acme = Acme()
    acme.trusting(*STEWARDS)
    draft = acme.draft("add-approver", TEAM, "carla", cards=["carla"])
    acme.now = clock
    with pytest.raises(RefusedError):
        acme.examine(draft, "anna")
    if clock is LAST:
        with pytest.raises(RefusedError, match="there is no day"):
            acme.draft("add-approver", TEAM, "carla", cards=["carla"])
