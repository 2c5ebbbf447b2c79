"""Sessions: opened by signing in, ended by signing out, by their limits, and by anybody's word.

What a session's secret opens stands in its row, and the log has the row's sha256, and whether it
was ended. When it was used last is in its row alone: that shortens a session, and never opens one.
"""

from __future__ import annotations

import secrets as random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, insert, select, update

from sealift_registry.access import secret, standing, tables
from sealift_registry.access.calling import Way
from sealift_registry.access.rows import SessionRow, is_so
from sealift_registry.access.standing import ACCOUNT, Standing
from sealift_registry.trust import signed_log
from sealift_registry.trust.hub import Hub
from sealift_signing import shape
from sealift_signing.canonical import Json
from sealift_signing.drawing import plain
from sealift_signing.errors import FailedError, NotFoundError, SealiftError
from sealift_signing.transparency.entry import Entry
from sealift_signing.vocabulary import instant, moment

OPENED, CLOSED = "session.opened", "session.closed"
SESSION = "session"
"""The term by which all about one is found."""
TYPES = (OPENED, CLOSED, standing.PASSWORD)
"""The entries by which sessions begin and end; others end with a new one, or a new password."""

IDLE = timedelta(minutes=60)
"""Without a request, a session is over."""
LONGEST = timedelta(hours=12)
"""A session is over then, however much it is used."""
NOTED = timedelta(minutes=1)
"""How exactly it is noted when one was used last."""
SKEW = timedelta(minutes=5)
"""What was made so far ahead of the clock was made by a wrong one, and does not count."""
MOST = 20
"""Sessions of one account at once; the oldest ends for a new one."""
LONGEST_NOTE = 200


@dataclass(frozen=True)
class Opened:
    """A session that was opened.

    Attributes:
        session: as it is kept.
        secret: by which it is shown; it is told here, and never again.
        device: the mark by which whoever signs in there again is known to have done so.
    """

    session: SessionRow
    secret: str
    device: str = ""


def made(hub: Hub, of: Standing, way: Way, note: str) -> Opened:
    """A session for an account, to be added (`add`) within an action."""
    now, shown_once = hub.latest(), secret.new(secret.SESSION)
    session = SessionRow(
        format=1,
        requires=(),
        id=secret.new_id("session"),
        account=of.id,
        made=moment(now),
        secret=secret.digest(shown_once),
        way=way,
        era=of.era,
        ends=moment(now + LONGEST),
        note=plain(note)[:LONGEST_NOTE] or way,
        csrf=random.token_urlsafe(32) if way == "browser" else "",
    )
    return Opened(session, shown_once)


def add(connection: Connection, one: SessionRow) -> list[str]:
    """Add its row. Of its account's, the oldest end where they are too many: their ids."""
    t = tables.session
    rows = connection.execute(select(t.c.id, t.c.body).where(t.c.account == one.account)).all()
    by_age = sorted(rows, key=lambda row: _made(bytes(row.body)), reverse=True)
    ended = [str(row.id) for row in by_age[MOST - 1 :]]
    for gone in ended:
        connection.execute(delete(t).where(t.c.id == gone))
    row = {"id": one.id, "secret": one.secret, "account": one.account, "body": one.body()}
    connection.execute(insert(t).values(**row, seen=one.made))
    return ended


def end_others(connection: Connection, account: str, but: str) -> list[str]:
    """Take out the sessions of an account but one: their ids."""
    t = tables.session
    others = (t.c.account == account, t.c.id != but)
    found = connection.execute(select(t.c.id).where(*others)).scalars().all()
    connection.execute(delete(t).where(*others))
    return sorted(map(str, found))


def end_before(connection: Connection, shown: str) -> list[str]:
    """Take out the session that a browser showed before it opened another: its id, if any."""
    known = secret.is_one(shown, secret.SESSION)
    found = by_secret(connection, secret.digest(shown)) if known else None
    if found is None or not _is_browsers(bytes(found.body)):
        return []
    connection.execute(delete(tables.session).where(tables.session.c.id == found.id))
    return [str(found.id)]


def _is_browsers(body: bytes) -> bool:
    """Whether a session was opened by a browser; a damaged row lets nobody in, and may go."""
    with suppress(SealiftError):
        return read(body).way == "browser"
    return True


def _made(body: bytes) -> str:
    """When it was opened; of a damaged row it counts as the oldest."""
    with suppress(SealiftError):
        return read(body).made
    return ""


def opened_entry(hub: Hub, of: Standing, one: SessionRow, ended: Sequence[str]) -> Entry:
    """The entry of a session that is opened, and of those that end for it."""
    data: dict[str, Json] = {
        "account": of.id,
        "session": one.id,
        "row": one.digest(),
        "way": one.way,
        "ends": one.ends,
        "ended": list(ended),
    }
    return hub.entry(OPENED, of.name, data, {SESSION: [one.id, *ended], ACCOUNT: of.name})


def open_session(hub: Hub, name: str, way: Way, note: str) -> Opened:
    """Open a session of an account, once it is known whose word that is.

    Raises:
        NotFoundError: there is no such account.
    """

    def action(connection: Connection) -> tuple[Entry, Opened]:
        of = standing.known(connection, name)
        opened = made(hub, of, way, note)
        ended = add(connection, opened.session)
        return opened_entry(hub, of, opened.session, ended), opened

    return hub.commit(action).result


def close(hub: Hub, account: str, session: str, actor: str) -> bool:
    """End a session of the account with this id: what was shown for it counts no more.

    Whether it had not ended; said again, it has no effect.

    Raises:
        NotFoundError: it is none of that account.
    """

    def action(connection: Connection) -> tuple[Entry, bool]:
        t = tables.session
        mine = (t.c.id == session, t.c.account == account)
        known = secret.is_id(session, "session")
        if not known or connection.execute(select(t.c.id).where(*mine)).first() is None:
            raise NotFoundError(
                "no-session",
                f"There is no session {session} of that account, or it has ended.",
                subject=session,
                next_step="Nothing is to be done: it lets nobody in.",
            )
        connection.execute(delete(t).where(t.c.id == session))
        data: dict[str, Json] = {"account": account, "session": session}
        terms = {SESSION: session, ACCOUNT: _name_of(connection, account)}
        return hub.entry(CLOSED, actor, data, terms), True

    return hub.commit(action).result


def of_account(connection: Connection, account: str) -> list[tuple[SessionRow, str | None]]:
    """The sessions of an account that have not ended, each with when it was used last."""
    t = tables.session
    query = select(t.c.body, t.c.seen).where(t.c.account == account)
    found = [(read(bytes(row.body)), row.seen) for row in connection.execute(query)]
    return sorted(found, key=lambda one: one[0].made, reverse=True)


def read(body: bytes) -> SessionRow:
    """What a session's row holds.

    Raises:
        MalformedError: it is none.
    """
    return shape.read(SessionRow, body, what="a session's row")


def by_secret(connection: Connection, digest: str) -> Row[tuple[str, str, str, bytes, str]] | None:
    """The row that a secret's sha256 finds; nothing in it is believed."""
    t = tables.session
    return connection.execute(select(t).where(t.c.secret == digest)).first()


def is_logged(connection: Connection, one: SessionRow) -> bool:
    """Whether the log says that it was opened so, and not that it ended.

    Raises:
        FailedError: an entry is not the one that was signed.
    """
    said = signed_log.newest(
        connection,
        TYPES,
        (SESSION, one.id),
        lambda _, data: data.get("session") == one.id or one.id in data.get("ended", ()),
    )
    if said is None or said[0] != OPENED or said[1].get("session") != one.id:
        return False
    return is_so(one.body(), said[1].get("row"))


def is_over(one: SessionRow, seen: str | None, now: datetime) -> bool:
    """Whether its time is over, by the hub's clock; or began in what is the future by now."""
    begun, last = instant(one.made), instant(seen or one.made)
    return not (begun - SKEW <= now < instant(one.ends)) or now - last >= IDLE


def note_seen(hub: Hub, one: SessionRow, seen: str | None) -> None:
    """Note that it is used now, where that was not noted within the last minute.

    It lets nobody in, so where it cannot be written, as on a full disk, whoever asks still reads.
    """
    now = hub.latest()
    if abs(now - instant(seen or one.made)) < NOTED:
        return
    t = tables.session
    with (
        suppress(FailedError),
        hub.database.in_words(),
        hub.database.writing() as connection,
        connection.begin(),
    ):
        connection.execute(update(t).where(t.c.id == one.id).values(seen=moment(now)))


def _name_of(connection: Connection, account: str) -> str:
    t = tables.account
    return str(connection.execute(select(t.c.name).where(t.c.id == account)).scalar_one())
