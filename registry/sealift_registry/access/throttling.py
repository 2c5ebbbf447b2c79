"""Guessing takes time: whoever failed waits, by account and by address, and nobody for ever.

An attempt counts as failed before it is judged, so that a thousand at once are a thousand; who is
right has that taken back. What comes within a pause is not judged and does not lengthen it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil

from sqlalchemy import Connection, delete, func, insert, select, update

from sealift_registry.access import tables
from sealift_registry.access.refusals import ThrottledError
from sealift_registry.trust.hub import Hub
from sealift_signing.vocabulary import instant, moment

FREE = 5
"""Failures before anybody waits."""
CAPS = {"account": timedelta(minutes=1), "address": timedelta(minutes=15)}
"""The longest pauses. That of an account is short: others could keep its owner out by it."""
FORGOTTEN = timedelta(days=1)
MOST_ROWS = 10_000


def attempt(hub: Hub, name: str, address: str) -> None:
    """Note an attempt to sign in, where none of its two waits.

    Raises:
        ThrottledError: it is to wait, also if it would be right.
        ClockError: the clock was set: by a wrong one all failures would be forgotten.
        FailedError: it could not be noted: nothing is judged, then.
    """
    with hub.database.in_words(), hub.database.writing() as connection, connection.begin():
        now = hub.log.dated()  # by a wrong clock nothing is forgotten
        pauses = [_left(connection, *one, now) for one in _keys(name, address)]
        if (longest := max(pauses)) > timedelta():
            raise throttled(longest)
        for kind, key in _keys(name, address):
            _count(connection, kind, key, now)
        _forget(connection, now)


def succeeded(connection: Connection, name: str, address: str) -> None:
    """Take back what was counted: all of the account, and of the address this one attempt."""
    t = tables.sign_in_failure
    of_account, of_address = _keys(name, address)
    connection.execute(delete(t).where(t.c.kind == of_account[0], t.c.key == of_account[1]))
    connection.execute(
        update(t)
        .where(t.c.kind == of_address[0], t.c.key == of_address[1], t.c.failures > 0)
        .values(failures=t.c.failures - 1, until=t.c.began)
    )


def throttled(left: timedelta) -> ThrottledError:
    """The refusal of who is to wait."""
    seconds = max(1, ceil(left.total_seconds()))
    return ThrottledError(
        "sign-in-throttled",
        f"Signing in failed too often; the next attempt counts in {seconds} seconds.",
        next_step="Wait so long. Whoever lost what they sign in with is invited again: sealift "
        "account recover --help",
        retry_after=seconds,
    )


def _keys(name: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """What is counted together; names that there are not, too, and no address in clear."""
    return ("account", _digest(name)), ("address", _digest(address))


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _left(connection: Connection, kind: str, key: str, now: datetime) -> timedelta:
    t = tables.sign_in_failure
    query = select(t.c.until).where(t.c.kind == kind, t.c.key == key)
    until = connection.execute(query).scalar()
    # A clock that was set back locks nobody out for longer than the cap.
    return timedelta() if until is None else min(instant(until) - now, CAPS[kind])


def _count(connection: Connection, kind: str, key: str, now: datetime) -> None:
    t = tables.sign_in_failure
    mine = (t.c.kind == kind, t.c.key == key)
    failures = int(connection.execute(select(t.c.failures).where(*mine)).scalar() or 0) + 1
    pause = timedelta(seconds=2 ** min(failures - FREE, 20)) if failures > FREE else timedelta()
    values = {"failures": failures, "until": moment(now + min(pause, CAPS[kind]))}
    if failures > 1:
        connection.execute(update(t).where(*mine).values(**values))
        return
    connection.execute(delete(t).where(*mine))
    connection.execute(insert(t).values(kind=kind, key=key, began=moment(now), **values))


def _forget(connection: Connection, now: datetime) -> None:
    """What is a day old goes; and the oldest, where a crowd brings too many names and addresses."""
    t = tables.sign_in_failure
    connection.execute(delete(t).where(t.c.until < moment(now - FORGOTTEN)))
    there = connection.execute(select(func.count()).select_from(t)).scalar_one()
    if there > MOST_ROWS:
        middle = select(t.c.until).order_by(t.c.until).offset(MOST_ROWS // 10).limit(1)
        connection.execute(delete(t).where(t.c.until < middle.scalar_subquery()))
