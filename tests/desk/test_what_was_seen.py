"""What a team of our own once did with all online keys in hand, by the commands of its day.

Each of these led honest people to sign, or a site to install, what they had not agreed to. The
others of the kind are beside what they attack: rows, drafts, requests, sites.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import Signer

from sealift_registry.trust.repository import Repository
from sealift_signing import keys
from sealift_signing.documents import Members, Withdrawal
from sealift_signing.vocabulary import moment
from tests.desk.days import Days
from tests.desk.test_honest_days import ROLE, approvers, newest
from tests.registry.hub_fixture import (
    GROUP,
    MODEL,
    SITE,
    STAGE,
    STEWARDS,
    TARGET,
    assigned,
    copied,
)

__all__ = ["assigned"]

DISPATCH = "--key offline/dispatcher-1.pem"
SAYING = "--meaning validated --reason tested"


@pytest.fixture
def days(assigned: Path, tmp_path: Path) -> Iterator[Days]:
    """A hub whose site, in `site`, runs version 1 by its first bundle."""
    copied(assigned, tmp_path)
    made = Days(tmp_path)
    (tmp_path / "medium").mkdir(exist_ok=True)
    made.trusting("dispatcher-1")
    made.site(f"import {exported(made)}")
    yield made
    made.close()


def exported(days: Days) -> str:
    days.later(hours=1)
    return str(days.hub(f"export {SITE} --to medium {DISPATCH}")["folder"])


def changed(days: Days, **changes: object) -> None:
    """Stewards sign a list of people that no command makes yet."""
    acme = days.acme
    acme.change_members(lambda members: replace(members, **changes))  # type: ignore[arg-type]
    acme.close()


def members(days: Days) -> Members:
    acme = days.acme
    with acme.app.hub.reading() as connection:
        found = Repository(connection).members("vision")
    acme.close()
    assert found is not None
    return found


def forgotten(days: Days) -> None:
    """The newest version of the team's role is deleted from the hub's database."""
    version, _ = newest(days)
    acme = days.acme
    acme.sql("DROP TRIGGER IF EXISTS tuf_metadata_no_delete")
    acme.sql(f"DELETE FROM tuf_metadata WHERE role = '{ROLE}' AND version = {version}")  # noqa: S608
    acme.close()


def test_t0_74_a_removal_that_was_deleted_comes_back_for_nobody_who_saw_it(days: Days) -> None:
    """Emil was removed; the hub forgets it, and asks for somebody else to be added."""
    anna, _ = days.trusting(*STEWARDS)
    changed(days, people=tuple(one for one in members(days).people if one.id != "emil"))
    days.site(f"import {exported(days)}")
    days.looks(anna)
    forgotten(days)
    assert "emil" in approvers(days)
    days.person("gina").card()
    made = days.draft("team approver vision gina.card")
    assert anna.sign(made, code=1).name == "role-went-back"
    assert days.hub("audit fsck", code=1)["code"] == "log-not-whole"
    # Stewards who remember nothing sign it twice over; the site has seen the removal.
    days.submit(*days.splits(made, *STEWARDS))
    days.later(hours=2)
    days.submit(*days.splits(days.draft(f"renew {ROLE}"), *STEWARDS))
    refused = days.site(f"import {exported(days)}", code=1)
    assert (refused["code"], refused["subject"]) == ("role-forked", ROLE)


def test_t0_186_two_of_four_stewards_publish_nothing_and_nobody_is_in_both_halves(
    days: Days,
) -> None:
    """The hub shows one half one draft, and the other half another of the same number."""
    four = ("fran", "gus", "hal", "ivo")
    for name in (*four, "gina", "hilda"):
        days.person(name).card()
    named = " ".join(f"--steward {name}.card" for name in four)
    days.carry_out(f"team add sound {named}", *days.trusting("targets-1", "targets-2"))
    fran, gus, hal, ivo = days.trusting(*four)
    one, other = (days.draft(f"team approver sound {name}.card") for name in ("gina", "hilda"))
    first, second = [fran.sign(one), gus.sign(one)], [hal.sign(other), ivo.sign(other)]
    for half in (first, second):
        assert days.submit(*half, code=1)["code"] == "not-signed-enough"
    assert days.submit(*first, *second, code=1)["code"] == "partly-refused"
    assert gus.sign(other, code=1).name == "second-content"
    assert hal.sign(one, code=1).name == "second-content"
    assert approvers(days, "sound") == set()


def test_t0_75_a_withdrawal_bars_though_its_id_was_used_and_its_date_is_past(days: Days) -> None:
    """Version 2 was asked for despite w-1; w-1 is now said of something else, long before."""
    one = Withdrawal("w-1", STAGE, None, MODEL, 1, "It is wrong.", moment(days.now))
    changed(days, withdrawn=(one,))
    dora, carla, emil = days.trusting("dora", "carla", "emil")
    days.carry_out(f"promote {MODEL}/2 --to {STAGE} --reason better --despite w-1", dora)
    days.carry_out(f"approve P-2 {SAYING}", carla)
    days.carry_out(f"approve P-2 {SAYING}", emil)
    past = moment(days.now - timedelta(days=400))
    changed(days, withdrawn=(replace(one, below=3, reason="It is worse.", made=past),))
    days.hub(f"assign {SITE} {MODEL}/2 --for {GROUP}={TARGET} {DISPATCH}")
    done = days.site(f"import {exported(days)}")
    found = {one["artifact"]: one for one in done["receipt"]["artifacts"]}
    held = found[f"catalog/{MODEL}/2/{TARGET}"]
    assert (held["outcome"], held["code"]) == ("held", "withdrawn")
    assert days.site("status")["runs"][0]["version"] == 1


OPENED = (
    ("renew root", "root-1"),
    ("renew targets", "targets-1"),
    ("renew fleet", "fleet-1"),
    ("renew recall", "recall-1"),
    (f"renew {ROLE}", "anna"),
    ("team add sound --steward gina.card --steward hilda.card", "targets-1"),
    ("team stewards vision anna ben gina --card gina.card", "targets-1"),
    ("team approver vision gina.card", "anna"),
    ("team requester vision gina.card", "anna"),
    (f"promote {MODEL}/2 --to staging --reason better", "dora"),
    (f"approve P-2 {SAYING}", "carla"),
    ("object P-2 --reason dark", "carla"),
    ("site enroll asked --stage production --dispatcher dispatcher-1", "fleet-1"),
)


def test_t0_76_the_hub_opens_nobodys_key_that_it_is_given(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A passphrase that is typed at the hub is the hub's: the key stays where it is, unread."""
    for name in ("gina", "hilda"):
        days.person(name).card()
    days.site(f"init --id plant-9 --group {GROUP}={TARGET} --request asked", "plant-9")
    days.carry_out(f"promote {MODEL}/2 --to {STAGE} --reason better", *days.trusting("dora"))
    opened: list[str] = []
    real = keys.open_signer

    def opening(uri: str, *more: Any) -> Signer:  # noqa: ANN401 - as it is called
        opened.append(uri)
        return real(uri, *more)

    monkeypatch.setattr(keys, "open_signer", opening)
    for number, (line, name) in enumerate(OPENED):
        key = days.person(name).folder / f"{name}.pem"
        told = days.hub(f"{line} --key {key} --draft {number}.draft")
        assert told["sign"].startswith("sealift-sign "), line
        assert not [one for one in opened if str(days.folder / "hub") not in one], line
    days.hub(f"renew {ROLE} --at-hub --key {days.person('anna').folder / 'anna.pem'}", code=1)
    assert [Path(one).name for one in opened if "anna" in one] == ["anna.pem"]
