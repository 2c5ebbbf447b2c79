"""Guessing takes time: whoever failed waits, by account and by address, and nobody for ever.

An attempt counts as failed before it is judged, so that a thousand at once are a thousand; who is
right has that taken back. What comes within a pause is not judged and does not lengthen it. Whoever
signed in from the same desk or browser before is counted apart from all others (`devices`).
"""

from __future__ import annotations

from dataclasses import dataclass
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
CAPS = {
    "account": timedelta(minutes=1),
    "address": timedelta(minutes=15),
    "device": timedelta(minutes=1),
    "credential": timedelta(minutes=1),
}
"""The longest pauses. An account's is short: others keep a new desk of its owner out by it."""
FORGOTTEN = timedelta(days=1)
MOST_ROWS = 10_000


@dataclass(frozen=True)
class Lane:
    """What one attempt is counted with: pairs of a kind and of what of that kind it came by."""

    keys: tuple[tuple[str, str], ...]

    @classmethod
    def of_anybody(cls, name: str, address: str) -> Lane:
        """That of whoever types a name: also of names that there are not; no address in clear."""
        return cls((("account", _digest(name)), ("address", _digest(address))))

    @classmethod
    def of_device(cls, name: str, mark: str) -> Lane:
        """That of who signed in with this account before, by what their mark is known by."""
        return cls((("device", _digest(f"{name} {mark}")),))

    @classmethod
    def of_credential(cls, credential: str) -> Lane:
        """That of who is signed in, and shows the password again."""
        return cls((("credential", _digest(credential)),))


def attempt(hub: Hub, lane: Lane) -> None:
    """Note an attempt to sign in, where nothing that it is counted with waits.

    Raises:
        ThrottledError: it is to wait, also if it would be right.
        ClockError: the clock was set: by a wrong one all failures would be forgotten.
        FailedError: it could not be noted: nothing is judged, then.
    """
    with hub.database.in_words(), hub.database.writing() as connection, connection.begin():
        now = hub.log.dated()  # by a wrong clock nothing is forgotten
        pauses = [_left(connection, *one, now) for one in lane.keys]
        if (longest := max(pauses)) > timedelta():
            raise throttled(longest)
        for kind, key in lane.keys:
            _count(connection, kind, key, now)
        _forget(connection, now)


def succeeded(connection: Connection, lane: Lane) -> None:
    """Take back what was counted: all of it, and of an address, which others have, one attempt."""
    t = tables.sign_in_failure
    for kind, key in lane.keys:
        mine = (t.c.kind == kind, t.c.key == key)
        if kind != "address":
            connection.execute(delete(t).where(*mine))
            continue
        fewer = {"failures": t.c.failures - 1, "until": t.c.began}
        connection.execute(update(t).where(*mine, t.c.failures > 0).values(**fewer))


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
