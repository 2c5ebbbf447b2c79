"""Taking an invitation, and signing in: a password and a one-time code, each time a new session."""

from __future__ import annotations

from base64 import b32decode, b32encode
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

import pyotp
from sqlalchemy import Connection, delete, insert, select

from sealift_registry.access import (
    devices,
    granting,
    passwords,
    sealing,
    secret,
    sessions,
    standing,
    tables,
    throttling,
)
from sealift_registry.access.calling import Caller, Way
from sealift_registry.access.refusals import SignedOutError
from sealift_registry.access.rows import InvitationRow, SecretRow, is_so
from sealift_registry.access.sessions import SKEW, Opened
from sealift_registry.access.standing import PASSWORD, Standing
from sealift_registry.access.throttling import Lane
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing import events, shape
from sealift_signing.canonical import Json
from sealift_signing.errors import MalformedError, RefusedError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import instant, moment

ISSUER = "Sealift"


@dataclass(frozen=True)
class Seed:
    """A new seed of one-time codes: `uri` is what an authenticator takes, `text` the same typed.

    `account` is the name of whoever is invited.
    """

    text: str
    uri: str
    account: str


def new_seed(hub: Hub, shown_once: str, server: str = "") -> Seed:
    """A seed for whoever shows an invitation, to be given back with a code of it (`take`).

    An authenticator calls it by the organisation, the account and the `server`: who has accounts of
    two hubs sees which is which.

    Raises:
        SignedOutError: it is none that waits.
    """
    with hub.reading() as connection:
        of, _ = _waiting(hub, connection, shown_once)
        issuer = f"{ISSUER} {Repository(connection).organisation()}"
    text, host = pyotp.random_base32(32), urlsplit(server).netloc
    name = f"{of.name}@{host}" if host else of.name
    uri = pyotp.TOTP(text).provisioning_uri(name=name, issuer_name=issuer)
    return Seed(text, uri, of.name)


@dataclass(frozen=True)
class Taken:
    """An account that can be signed in with now, and the mark of where that was chosen."""

    account: Standing
    device: str


def take(hub: Hub, shown_once: str, password: str, seed: str, code: str) -> Taken:
    """Have an account sign in with this from now on; the invitation is used up by it.

    Raises:
        SignedOutError: the invitation is none that waits.
        RefusedError: the password is too weak, or the code is none of the seed.
    """
    with hub.reading() as connection:
        of, _ = _waiting(hub, connection, shown_once)
    step = passwords.step_of(_checked(seed), code, hub.now())
    if step is None:
        raise RefusedError(
            "wrong-code",
            "This is no code that the new seed shows now.",
            next_step="Check the clock of the authenticator, and type the code that it shows now.",
        )
    sealed, seal_id = sealing.seal(hub.home, b32decode(seed), of.id)
    kept = SecretRow(
        format=1,
        requires=(),
        id=secret.new_id("secret"),
        account=of.id,
        made=moment(hub.now()),
        password=passwords.hashed(password, of.name),
        seed=sealed,
        seal=seal_id,
    )

    def action(connection: Connection) -> tuple[Entry, Standing]:
        now, waiting = _waiting(hub, connection, shown_once)
        for t in (tables.invitation, tables.account_secret, tables.one_time_code):
            connection.execute(delete(t).where(t.c.account == now.id))
        connection.execute(insert(tables.account_secret).values(account=now.id, body=kept.body()))
        connection.execute(insert(tables.one_time_code).values(account=now.id, step=step))
        data: dict[str, Json] = {"account": now.id, "invitation": waiting.id}
        data["row"] = kept.digest()
        entry = hub.entry(standing.OPENED, now.name, data, granting.terms(now))
        return entry, now.after(entry)

    now = hub.commit(action).result
    return Taken(now, devices.made(hub.home, now))


@dataclass(frozen=True)
class From:
    """From where somebody signs in.

    Attributes:
        way: a browser, or a desk.
        address: by which attempts are counted together.
        note: what the session is to be known by.
        before: what a browser showed until then: that session ends with the new one, whosever it
            is, so that nobody goes on with one that somebody else put there.
        device: the mark of a sign-in before, from there.
    """

    way: Way
    address: str
    note: str = ""
    before: str = ""
    device: str = ""


def sign_in(hub: Hub, name: str, password: str, code: str, place: From) -> Opened:
    """A new session of an account, for whoever knows its password and shows a code once.

    Of a wrong name, password or code nobody is told which it was, and each takes as long.

    Raises:
        ThrottledError: signing in failed too often, with the mark that is shown; without one, of
            this account or from this address.
        SignedOutError: something is wrong.
        FailedError: it could not be noted, or the log could not be written.
    """
    mark = _mark(hub, name, place.device)
    lane = Lane.of_device(name, mark) if mark else Lane.of_anybody(name, place.address)
    throttling.attempt(hub, lane)
    with hub.reading() as connection:
        of, kept = _kept(connection, name)
    taken = _step(hub, kept, password, code)
    if taken is None or of is None:
        raise _failed(name)

    def action(connection: Connection) -> tuple[Entry, Opened]:
        now = standing.known(connection, name)
        if (
            now.secret != of.secret
            or not now.enabled
            or not _took_code(hub, connection, now, taken)
        ):
            raise _failed(name)
        throttling.succeeded(connection, lane)
        opened = sessions.made(hub, now, place.way, place.note)
        ended = sessions.add(connection, opened.session)
        ended += sessions.end_before(connection, place.before)
        known = place.device if mark else devices.made(hub.home, now)
        return sessions.opened_entry(hub, now, opened.session, ended), replace(opened, device=known)

    return hub.commit(action).result


def change_password(hub: Hub, caller: Caller, old: str, new: str, code: str) -> tuple[str, ...]:
    """Have somebody's account sign in with a new password; its other sessions end: their ids.

    The codes stay, and so do its tokens.

    Raises:
        ThrottledError: it was tried too often.
        RefusedError: the old password or the code is wrong, or the new one too weak.
    """
    lane = Lane.of_credential(caller.credential)
    throttling.attempt(hub, lane)
    with hub.reading() as connection:
        of, kept = _kept(connection, caller.name)
    step = _step(hub, kept, old, code)
    if step is None or of is None or kept is None or of.id != caller.account:
        raise _wrong_password()
    made = replace(
        kept,
        id=secret.new_id("secret"),
        made=moment(hub.now()),
        password=passwords.hashed(new, of.name),
    )

    def action(connection: Connection) -> tuple[Entry, tuple[str, ...]]:
        now = standing.known(connection, caller.name)
        same = now.enabled and now.secret == of.secret
        if not same or not _took_code(hub, connection, now, step):
            raise _wrong_password()
        throttling.succeeded(connection, lane)
        t = tables.account_secret
        connection.execute(delete(t).where(t.c.account == now.id))
        connection.execute(insert(t).values(account=now.id, body=made.body()))
        ended = sessions.end_others(connection, now.id, caller.credential)
        data: dict[str, Json] = {"account": now.id, "row": made.digest(), "ended": list(ended)}
        terms = {**granting.terms(now), sessions.SESSION: ended}
        return hub.entry(PASSWORD, now.name, data, terms), tuple(ended)

    return hub.commit(action).result


def _mark(hub: Hub, name: str, shown: str) -> str | None:
    """By what a mark of this account is known; None: none is shown, or it is none of it."""
    if not devices.is_mark(shown):
        return None
    with hub.reading() as connection:
        of = standing.standing(connection, name)
    return None if of is None or not of.enabled else devices.known(hub.home, of, shown)


def _step(hub: Hub, kept: SecretRow | None, password: str, code: str) -> int | None:
    """Which span of time a code is of, with the right password; each wrong one takes as long."""
    right = passwords.is_right(password, kept.password if kept else None)
    if not right or kept is None:
        return None
    seed = b32encode(sealing.unseal(hub.home, kept.seed, kept.seal, kept.account)).decode()
    return passwords.step_of(seed, code, hub.now())


def _waiting(hub: Hub, connection: Connection, shown_once: str) -> tuple[Standing, InvitationRow]:
    """The account of an invitation that waits, by the log.

    Raises:
        SignedOutError: it is none: unknown, used, over, or another followed it.
    """
    t, a = tables.invitation, tables.account
    found = None
    if secret.is_one(shown_once, secret.INVITATION):
        query = select(t.c.body).where(t.c.secret == secret.digest(shown_once))
        found = connection.execute(query).scalar()
    if found is None:
        raise _no_invitation()
    try:
        one = shape.read(InvitationRow, bytes(found), what="an invitation's row")
    except MalformedError as bad:
        raise _no_invitation() from bad
    name = connection.execute(select(a.c.name).where(a.c.id == one.account)).scalar()
    of = None if name is None else standing.standing(connection, name)
    right = of is not None and of.enabled and of.id == one.account
    if of is None or not right or not is_so(bytes(found), of.invitation):
        raise _no_invitation()
    if one.secret != secret.digest(shown_once) or not _is_now(one, hub.latest()):
        raise _no_invitation()
    return of, one


def _is_now(one: InvitationRow, now: datetime) -> bool:
    return instant(one.made) - SKEW <= now < instant(one.ends)


def _kept(connection: Connection, name: str) -> tuple[Standing | None, SecretRow | None]:
    """An account that can be signed in with, and with what; what the log does not know is none."""
    of = standing.standing(connection, name)
    if of is None or not of.enabled or of.secret is None:
        return None, None
    t = tables.account_secret
    body = connection.execute(select(t.c.body).where(t.c.account == of.id)).scalar()
    if body is None or not is_so(bytes(body), of.secret):
        return None, None
    return of, shape.read(SecretRow, bytes(body), what="what an account signs in with")


def _took_code(hub: Hub, connection: Connection, of: Standing, step: int) -> bool:
    """Use a code up, where it was not; those that are long over are forgotten."""
    t = tables.one_time_code
    used = connection.execute(select(t.c.step).where(t.c.account == of.id)).scalars().all()
    if step in used:
        return False
    old = int(hub.now().timestamp()) // passwords.STEP - 10
    connection.execute(delete(t).where(t.c.account == of.id, t.c.step < old))
    connection.execute(insert(t).values(account=of.id, step=step))
    return True


def _checked(seed: str) -> str:
    """A seed as `new_seed` made it.

    Raises:
        RefusedError: it is none.
    """
    if len(seed) != 32 or set(seed) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"):  # noqa: PLR2004 - as it is made
        raise RefusedError(
            "bad-seed",
            "This is no seed that was given out with the invitation.",
            next_step="Ask for a new one with the invitation, and give that back.",
        )
    return seed


def _failed(name: str) -> SignedOutError:
    events.tell("access", "sign-in-failed", "warning", length=len(name))
    return SignedOutError(
        "sign-in-failed",
        "Nobody is signed in by this: the account, the password or the code is wrong.",
        next_step="Try again with the next code. Whoever lost what they sign in with is invited "
        "again: sealift account recover --help",
    )


def _wrong_password() -> RefusedError:
    return RefusedError(
        "wrong-password",
        "Nothing is changed: the password of before or the code is wrong.",
        next_step="Try again with the next code.",
    )


def _no_invitation() -> SignedOutError:
    return SignedOutError(
        "no-invitation",
        "This invitation does not count: it was used, it is over, or another one followed it.",
        next_step="Have whoever runs the hub invite you again: sealift account recover --help",
    )
