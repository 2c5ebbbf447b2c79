"""Invitations are taken once; who guesses waits; a code counts once; no forged row signs in."""

from __future__ import annotations

from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import insert, update

from sealift_registry.access import accounts, passwords, signing_in, tables, throttling
from sealift_registry.access.refusals import ThrottledError
from sealift_registry.access.rows import SecretRow
from sealift_registry.access.sessions import Opened
from sealift_signing import shape
from tests.registry.accounts_fixture import code, invited, is_let_in, row, stands
from tests.registry.hub_fixture import Acme

PASSWORD = "a horse that nobody knows"


def shows(acme: Acme, seed: str, steps: int = 0) -> str:
    return pyotp.TOTP(seed).at(acme.app.hub.now(), counter_offset=steps)


def opened(acme: Acme, name: str = "anna") -> str:
    """An account that somebody took; the seed of its codes."""
    told = invited(acme, name)
    seed = signing_in.new_seed(acme.app.hub, told.secret)
    assert name in seed.uri
    signing_in.take(acme.app.hub, told.secret, PASSWORD, seed.text, shows(acme, seed.text))
    acme.later(minutes=2)  # the code that was shown is used
    return seed.text


def enters(
    acme: Acme, seed: str, name: str = "anna", password: str = PASSWORD, at: str = "10.0.0.1"
) -> Opened:
    shown = shows(acme, seed)
    return signing_in.sign_in(acme.app.hub, name, password, shown, signing_in.From("desk", at))


def test_g2_30_who_is_invited_signs_in(acme: Acme) -> None:
    seed = opened(acme)
    assert stands(acme, "anna").words == "open"
    first = enters(acme, seed)
    assert is_let_in(acme, first.secret)
    acme.later(minutes=4)
    second = enters(acme, seed)
    assert first.secret != second.secret
    assert first.session.id != second.session.id
    kept = repr(acme.rows())
    assert PASSWORD not in kept
    assert seed not in kept
    with acme.behind() as connection:
        bodies = b"".join(connection.exec_driver_sql("SELECT body FROM log_entry").scalars())
    assert row(acme, "account_secret")["body"] not in bodies


def test_g2_31_an_invitation_is_taken_once_and_in_time(acme: Acme) -> None:
    hub, told = acme.app.hub, invited(acme, "anna")
    seed = signing_in.new_seed(hub, told.secret).text
    kept = row(acme, "invitation")
    take = signing_in.take
    assert code(lambda: take(hub, told.secret, PASSWORD, seed, "000000")) == "wrong-code"
    assert code(lambda: take(hub, told.secret, "short", seed, shows(acme, seed))) == "weak-password"
    take(hub, told.secret, PASSWORD, seed, shows(acme, seed))
    assert code(lambda: signing_in.new_seed(hub, told.secret)) == "no-invitation"
    with acme.behind() as connection:
        connection.execute(insert(tables.invitation).values(**kept))
    assert code(lambda: signing_in.new_seed(hub, told.secret)) == "no-invitation", "by the log"
    late = invited(acme, "ben")
    acme.later(hours=25)
    assert code(lambda: signing_in.new_seed(hub, late.secret)) == "no-invitation"
    acme.later(hours=-1)
    assert code(lambda: signing_in.new_seed(hub, late.secret)) == "no-invitation", "set back"
    for wrong in ("", "sli_", "sli_" + "x" * 43, late.secret.replace("sli_", "slt_")):
        assert code(lambda w=wrong: signing_in.new_seed(hub, w)) == "no-invitation"  # type: ignore[misc]


def test_g2_31_a_newer_invitation_ends_the_one_before(acme: Acme) -> None:
    told = invited(acme, "anna")
    accounts.recover(acme.app.hub, "anna", "root")
    assert code(lambda: signing_in.new_seed(acme.app.hub, told.secret)) == "no-invitation"
    accounts.disable(acme.app.hub, "anna", "root")


def test_g2_32_a_code_counts_once(acme: Acme) -> None:
    seed = opened(acme)
    enters(acme, seed)
    assert code(lambda: enters(acme, seed)) == "sign-in-failed"
    with acme.another() as other:
        other.app.hub.log.stated = acme.app.hub.log.stated
        other.app.hub.log.clock = acme.app.hub.log.clock
        assert code(lambda: enters(other, seed)) == "sign-in-failed"


@pytest.mark.parametrize("steps", [-2, 2, 100])
def test_g2_32_a_code_of_another_time_counts_nothing(acme: Acme, steps: int) -> None:
    seed = opened(acme)
    hub, old = acme.app.hub, shows(acme, seed, steps)
    here = signing_in.From("desk", "x")
    sign_in = signing_in.sign_in
    assert code(lambda: sign_in(hub, "anna", PASSWORD, old, here)) == "sign-in-failed"


def test_g2_33_who_guesses_waits_and_nobody_for_ever(acme: Acme) -> None:
    seed = opened(acme)
    for _ in range(throttling.FREE + 1):
        assert code(lambda: enters(acme, seed, password="wrong" * 4)) == "sign-in-failed"
    with pytest.raises(ThrottledError) as caught:
        enters(acme, seed)  # a right one waits as well
    assert 1 <= caught.value.retry_after <= 2
    for number in range(50):  # from anywhere else; within a pause nothing counts
        code(lambda n=number: enters(acme, seed, password="wrong" * 4, at=f"10.0.1.{n}"))  # type: ignore[misc]
    acme.later(minutes=2, seconds=65)
    assert is_let_in(acme, enters(acme, seed).secret)


def test_g2_33_a_clock_that_was_set_back_locks_nobody_out(acme: Acme) -> None:
    seed = opened(acme)
    began = acme.app.hub.now()
    acme.later(days=300)
    for _ in range(throttling.FREE + 9):
        code(lambda: enters(acme, seed, password="wrong" * 4))
    acme.app.hub.log.clock = lambda: began
    with pytest.raises(ThrottledError) as caught:
        enters(acme, seed)
    assert timedelta(seconds=caught.value.retry_after) <= throttling.CAPS["address"]


def test_g2_33_one_address_guesses_no_many_names(acme: Acme) -> None:
    seed = opened(acme)
    for number in range(throttling.FREE + 1):
        name = f"nobody-{number}"
        assert code(lambda n=name: enters(acme, seed, n)) == "sign-in-failed"  # type: ignore[misc]
    assert code(lambda: enters(acme, seed)) == "sign-in-throttled"
    assert is_let_in(acme, enters(acme, seed, at="10.0.0.2").secret)


def test_g2_34_a_name_that_there_is_not_takes_as_long(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow hash is computed in either case, which is what takes the time."""
    seed, asked = opened(acme), list[bool]()
    real = passwords.is_right

    def told(password: str, kept: str | None) -> bool:
        asked.append(kept is not None)
        return real(password, kept)

    monkeypatch.setattr(passwords, "is_right", told)
    for name in ("anna", "nobody"):
        assert code(lambda n=name: enters(acme, seed, n, "wrong" * 4)) == "sign-in-failed"  # type: ignore[misc]
    assert asked == [True, False]


def test_g2_35_a_password_that_a_row_was_given_later_is_none(acme: Acme) -> None:
    seed, mine = opened(acme), "a password of the thief's"
    body = row(acme, "account_secret")["body"]
    real = shape.read(SecretRow, bytes(body), what="it")
    forged = SecretRow(**{**vars(real), "password": passwords.hashed(mine, "x")})
    with acme.behind() as connection:
        connection.execute(update(tables.account_secret).values(body=forged.body()))
    assert code(lambda: enters(acme, seed, password=mine)) == "sign-in-failed"


def test_g2_36_a_seed_without_its_key_is_said_with_what_to_do(acme: Acme) -> None:
    seed = opened(acme)
    (key,) = (acme.root / "keys/access").iterdir()
    assert key.stat().st_mode & 0o077 == 0
    key.unlink()
    assert code(lambda: enters(acme, seed)) == "seal-key-missing"
