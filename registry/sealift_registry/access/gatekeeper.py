"""Who is signed in, and what they may do: asked by each request, of the log and of what was signed.

A secret that somebody shows finds a row; the row counts where the log has its sha256 and nothing
says that it was ended, revoked, or that its account is disabled. What was read of the log is kept
until an entry of the same account, session or token follows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, TypeAlias, TypeVar

from sqlalchemy import Connection, and_, func, or_, select

from sealift_registry.access import offices, rights, secret, sessions, standing, tables, tokens
from sealift_registry.access.calling import HUB, Caller, Held, Reach, Way, Where
from sealift_registry.access.offices import Offices
from sealift_registry.access.refusals import forbidden, signed_out
from sealift_registry.access.rows import SessionRow, TokenRow
from sealift_registry.access.standing import STANDING, Standing
from sealift_registry.access.told_refusals import ToldRefusals
from sealift_registry.audit import pending
from sealift_registry.audit.tables import log_checkpoint, log_term
from sealift_registry.trust.hub import Hub
from sealift_signing.acts.offices import Office
from sealift_signing.errors import MalformedError, SealiftError
from sealift_signing.transparency.entry import Entry

R = TypeVar("R", SessionRow, TokenRow)

MOST_KEPT = 10_000
"""Sessions and tokens of which something is kept in memory."""


@dataclass(frozen=True)
class _Known(Generic[R]):
    """What the log said of a session or a token and its account, when it had `size` entries."""

    row: R
    of: Standing
    size: int


_KnownOne: TypeAlias = _Known[SessionRow] | _Known[TokenRow]


class Gatekeeper:
    """Knows who is signed in, and what each may do. One serves all threads of a process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._sessions: dict[str, _Known[SessionRow]] = {}
        self._tokens: dict[str, _Known[TokenRow]] = {}
        self._offices: tuple[int, Offices] | None = None
        self._refusals = ToldRefusals(hub)

    def caller(self, shown: str, way: Way) -> Caller:
        """Who shows this secret, of a session from there or of a token.

        Raises:
            SignedOutError: nobody who is signed in: nothing says which of the reasons it is.
            FailedError: the log is not the one that was signed.
        """
        if way == "token":
            return self._by_token(shown)
        return self._by_session(shown, way)

    def check(self, caller: Caller, action: str, where: Where = HUB) -> None:
        """Check that somebody may do something there, by what is signed and granted now.

        Raises:
            ForbiddenError: they may not, which the log is told.
        """
        with self._hub.reading() as connection:
            held = self._held(connection, caller)
            allowed = rights.may(action, caller, held, where)
            reach = Reach() if allowed else rights.reach(action, caller, held)
        if not allowed:
            self._refusals.tell(caller, action, where)
            raise forbidden(caller, action, elsewhere=reach != Reach())

    def tell_refused(self, caller: Caller, action: str, where: Where = HUB) -> None:
        """Log that somebody was refused by the server itself, such as for a page of another site.

        Raises:
            FailedError: the log could not be written.
        """
        self._refusals.tell(caller, action, where)

    def tell_request_refused(
        self, caller: Caller, asked: str, kind: str, bad: SealiftError, run: str
    ) -> None:
        """Log that a change that somebody asked for was refused, by whatever refuses changes.

        Raises:
            FailedError: the log could not be written.
        """
        self._refusals.tell_request(caller, asked, kind, bad, run)

    def tell_more_refused(self, *, rest: bool = False) -> None:
        """Log how many refusals are no entries, where that is due; or the `rest`."""
        self._refusals.tell_more(rest=rest)

    def guard(
        self, caller: Caller, action: str, where: Where = HUB
    ) -> Callable[[Connection], None]:
        """The same check, to be asked within the commit that acts on it (`Hub.guard`).

        Between the request's beginning and its commit a right may end.
        """
        return partial(self._guard, caller, action, where)

    def reach(self, caller: Caller, action: str) -> Reach:
        """How far an action goes for somebody, for lists."""
        with self._hub.reading() as connection:
            return rights.reach(action, caller, self._held(connection, caller))

    def offices(self, caller: Caller) -> tuple[Office, ...]:
        """What they may sign, by what was published last.

        Raises:
            RefusedError: a role that says so is none that its holders signed.
        """
        with self._hub.reading() as connection:
            return self._all_offices(connection).of(caller.person, caller.keyid)

    # ---------------------------------------------------------------------- who

    def _by_session(self, shown: str, way: Way) -> Caller:
        if not secret.is_one(shown, secret.SESSION):
            raise signed_out()
        with self._hub.reading() as connection:
            found = sessions.by_secret(connection, secret.digest(shown))
            if found is None:
                raise signed_out()
            one = _read(sessions.read, bytes(found.body))
            if (one.id, one.secret) != (found.id, found.secret) or one.way != way:
                raise signed_out()
            known = self._session(connection, one)
        if known.of.era != one.era or sessions.is_over(one, found.seen, self._hub.latest()):
            raise signed_out()
        sessions.note_seen(self._hub, one, found.seen)
        return _caller(known.of, way, one.id, csrf=one.csrf)

    def _by_token(self, shown: str) -> Caller:
        if not secret.is_one(shown, secret.TOKEN):
            raise signed_out()
        with self._hub.reading() as connection:
            found = tokens.by_secret(connection, secret.digest(shown))
            if found is None:
                raise signed_out()
            one = _read(tokens.read, bytes(found.body))
            if (one.id, one.secret) != (found.id, found.secret):
                raise signed_out()
            known = self._token(connection, one)
        if known.of.era != one.era or tokens.is_over(one, self._hub.latest()):
            raise signed_out()
        tokens.note_used(self._hub, one, found.used)
        return _caller(known.of, "token", one.id, scopes=frozenset(one.scopes))

    def _session(self, connection: Connection, one: SessionRow) -> _Known[SessionRow]:
        return self._kept(connection, one, self._sessions, sessions.SESSION, sessions.is_logged)

    def _token(self, connection: Connection, one: TokenRow) -> _Known[TokenRow]:
        return self._kept(connection, one, self._tokens, tokens.TOKEN, tokens.is_logged)

    def _kept(
        self,
        connection: Connection,
        one: R,
        kept: dict[str, _Known[R]],
        kind: str,
        is_logged: Callable[[Connection, R], bool],
    ) -> _Known[R]:
        """What the log says of it, asked anew where it has grown by anything about it.

        Raises:
            SignedOutError: it does not count.
        """
        size, known = _size(connection), kept.get(one.id)
        is_same = known is not None and known.row == one and known.size <= size
        if known and is_same and (known.size == size or not _grown(connection, known, kind)):
            return known
        of = _account_of(connection, one)
        if of is None or not of.enabled or not is_logged(connection, one):
            kept.pop(one.id, None)
            raise signed_out()
        made = _Known(one, of, size)
        with self._lock:
            if len(kept) >= MOST_KEPT:
                kept.clear()
            kept[one.id] = made
        return made

    # --------------------------------------------------------------------- what

    def _guard(self, caller: Caller, action: str, where: Where, connection: Connection) -> None:
        of = self._still(connection, caller)
        now = _caller(of, caller.by, caller.credential, scopes=caller.scopes, csrf=caller.csrf)
        held = Held() if of.person is None else offices.read(connection).held(of.person, of.keyid)
        if not rights.may(action, now, held, where):
            raise forbidden(now, action, elsewhere=rights.reach(action, now, held) != Reach())

    def _still(self, connection: Connection, caller: Caller) -> Standing:
        """The account of a caller as it stands within a commit, if they are still signed in.

        Raises:
            SignedOutError: they are not.
        """
        by_token = caller.by == "token"
        found = _open_row(connection, caller, self._hub.latest())
        known = (self._tokens if by_token else self._sessions).get(caller.credential)
        kind = tokens.TOKEN if by_token else sessions.SESSION
        if (
            known is not None
            and known.row == found
            and known.of.id == caller.account
            and not _grown(connection, known, kind)
            and not _is_about(pending.entries(connection), known, kind)
        ):
            return known.of
        of = standing.standing(connection, caller.name)
        if of is None or (of.id, of.enabled, of.era) != (caller.account, True, found.era):
            raise signed_out()
        is_logged = (
            tokens.is_logged(connection, found)
            if isinstance(found, TokenRow)
            else sessions.is_logged(connection, found)
        )
        if not is_logged:
            raise signed_out()
        return of

    def _held(self, connection: Connection, caller: Caller) -> Held:
        if caller.person is None:
            return Held()
        return self._all_offices(connection).held(caller.person, caller.keyid)

    def _all_offices(self, connection: Connection) -> Offices:
        size = _size(connection)
        known = self._offices
        if known is None or known[0] != size:
            known = self._offices = (size, offices.read(connection))
        return known[1]


def _caller(
    of: Standing,
    way: Way,
    credential: str,
    scopes: frozenset[str] | None = None,
    csrf: str = "",
) -> Caller:
    grants = frozenset(of.grants.values())
    return Caller(
        of.id, of.name, of.kind, of.person, way, credential, grants, scopes, csrf, of.keyid
    )


def _open_row(connection: Connection, caller: Caller, now: datetime) -> SessionRow | TokenRow:
    """The row of a caller's session or token, whose time is not over.

    Raises:
        SignedOutError: there is none.
    """
    by_token = caller.by == "token"
    t = tables.api_token if by_token else tables.session
    row = connection.execute(select(t).where(t.c.id == caller.credential)).first()
    if row is None:
        raise signed_out()
    if by_token:
        token = _read(tokens.read, bytes(row.body))
        is_over = tokens.is_over(token, now)
        found: SessionRow | TokenRow = token
    else:
        session = _read(sessions.read, bytes(row.body))
        is_over = sessions.is_over(session, row.seen, now)
        found = session
    if is_over or (found.id, found.account) != (row.id, caller.account):
        raise signed_out()
    return found


def _is_about(entries: Sequence[Entry], known: _KnownOne, kind: str) -> bool:
    """Whether one of these entries is about it or its account."""
    about = {(kind, known.row.id), (STANDING, known.of.name)}
    return any((term.kind, term.value) in about for one in entries for term in one.terms)


def _account_of(connection: Connection, one: SessionRow | TokenRow) -> Standing | None:
    """The account of a row, by the log; its row of `account` only tells the name to ask for."""
    t = tables.account
    name = connection.execute(select(t.c.name).where(t.c.id == one.account)).scalar()
    found = None if name is None else standing.standing(connection, name)
    return found if found is not None and found.id == one.account else None


def _read(read: Callable[[bytes], R], body: bytes) -> R:
    """What a row holds; a damaged one lets nobody in.

    Raises:
        SignedOutError: it is damaged.
    """
    try:
        return read(body)
    except MalformedError as bad:
        raise signed_out() from bad


def _size(connection: Connection) -> int:
    """How many entries the log has."""
    found = connection.execute(select(func.max(log_checkpoint.c.size))).scalar()
    return int(found or 0)


def _grown(connection: Connection, known: _KnownOne, kind: str) -> bool:
    """Whether the log has grown, since then, by an entry about it or its account."""
    t = log_term.c
    about = or_(
        and_(t.kind == kind, t.value == known.row.id),
        and_(t.kind == STANDING, t.value == known.of.name),
    )
    return connection.execute(select(t.seq).where(about, t.seq >= known.size)).first() is not None
