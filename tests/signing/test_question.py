"""What a person may ask the log for."""

from __future__ import annotations

import pytest

from sealift_signing.errors import UsageError
from sealift_signing.transparency.question import day_or_time


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_day_or_time_is_no_question(text: str) -> None:
    with pytest.raises(UsageError) as error:
        day_or_time(text)
    assert error.value.code == "bad-day"


def test_a_day_is_its_first_moment_and_a_time_without_a_zone_is_utc() -> None:
    assert day_or_time("2026-11-20") == "2026-11-20T00:00:00.000000Z"
    assert day_or_time("2026-11-20T12:30:00+02:00") == "2026-11-20T10:30:00.000000Z"
