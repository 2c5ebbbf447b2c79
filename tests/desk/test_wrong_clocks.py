"""A desk whose clock was never set signs nothing; one that went back is told to look at it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sealift_signing.acts.material import Ask
from tests.desk.people import Home, Signer
from tests.desk.test_clocks_and_names import GIVEN, approving
from tests.desks import Acme

LONG_AGO = datetime(1970, 1, 1, 3, tzinfo=UTC)


def test_t1_10_at_a_desk_of_1970_nothing_is_signed(tmp_path: Path) -> None:
    """Also where the hub's clock stopped with it: the draft alone would show nothing."""
    acme = Acme()
    draft, number = approving(acme)
    carla = Home(acme, "carla", tmp_path / "carla")
    carla.trusts()
    carla.takes(draft, "approve.draft")
    acme.now = LONG_AGO
    words = ("--meaning", "validated", "--reason", "I saw it", "--key", "carla.pem", "--yes")
    for act in (
        ("approve", number, "approve.draft", *words),
        ("card", "carla", "--key", "carla.pem", "--out", "new.card"),
        ("learn", "approve.draft"),
    ):
        said = " ".join(carla(*act, code=1).split())
        assert "The clock of this machine says 1970-01-01, which is before Sealift was made" in said
        assert "Next: Set the clock" in said
    assert not list(carla.folder.glob("*.signed"))
    assert not list(carla.folder.glob("new.card"))


def test_t1_10_a_clock_that_is_behind_what_was_signed_is_shown_first(tmp_path: Path) -> None:
    """It may be right now: what was signed by one that was ahead must not bar anybody."""
    acme = Acme()
    draft, number = approving(acme)
    carla = Signer(acme, "carla", tmp_path / "carla")
    carla.trust()
    right = acme.now
    acme.later(days=20)
    carla.sign(draft, Ask("approve", (number,), GIVEN))
    assert not any("CLOCK" in line for line in carla.said.shown)
    acme.now = right
    carla.sign(draft, Ask("approve", (number,), GIVEN), anew=True)
    first, *others = carla.said.shown
    assert first.startswith("THE CLOCK here says")
    assert f"{right:%Y-%m-%d}" in first
    assert not any("CLOCK" in line for line in others)
