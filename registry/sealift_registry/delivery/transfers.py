"""What the hub's rows say of a site's transfers: begun, recorded, and what came home of its log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from sealift_registry.delivery import enrolments, filed, tables
from sealift_registry.delivery.sites import EnrolledSite
from sealift_registry.storage.queries import all_rows
from sealift_registry.trust import signed_log
from sealift_registry.trust.repository import Repository
from sealift_registry.trust.stored import RowError
from sealift_signing import roles, statements
from sealift_signing.drawing import word
from sealift_signing.errors import NoKeyError, RefusedError
from sealift_signing.statements import Signed, Transfer
from sealift_signing.transparency.verdict import LogFault
from sealift_signing.vocabulary import instant
from sealift_sync.bundle import layout

BEGUN = "transfer.begun"
"""The entry of intent: a transfer whose bundle is not written yet."""

FRESH = timedelta(days=1)
"""For so long an export that was cut short is gone on with; after that, a new one is begun.

One whose draft is out being signed waits longer: until a later one is begun, or what the hub signed
on it for its journey has run out.
"""


@dataclass(frozen=True)
class Begun:
    """A transfer that was begun; `body` is its transfer.json, once that was recorded.

    Attributes:
        host: the one that goes on with it, `host_name` to people; None of what is older than that.
    """

    id: str
    number: int
    enrolment: str
    begun: str
    body: bytes | None
    host: str | None = None
    host_name: str | None = None

    def is_fresh(self, site: EnrolledSite, now: datetime) -> bool:
        """Whether it is of the site's present enrolment, and was begun within a day."""
        age = now - instant(self.begun)
        return self.enrolment == site.enrolment and timedelta(0) <= age < FRESH

    @property
    def statement(self) -> Transfer | None:
        """What its transfer.json says; None where none was recorded."""
        if self.body is None:
            return None
        return statements.read(Transfer, self.body, what=f"the transfer {self.id}").predicate


def verified(repository: Repository, row: Row[tuple[Any, ...]]) -> Signed[Transfer]:
    """The transfer of a row of `bundle`, signed by whoever dispatched to its site then.

    Raises:
        RefusedError: nobody who did signed it, or the row says something else; it is named.
    """
    what = f"the transfer {row.transfer}"
    try:
        return _read(repository, row, what)
    except RowError:
        raise  # of a role: that is what is wrong, and it has a name of its own
    except RefusedError as bad:
        raise RefusedError(
            "transfer-row-not-signed",
            f"What the database has as {what} is not what a dispatcher signed: {bad.what}",
            subject=str(row.transfer),
            next_step=enrolments.NEXT,
        ) from bad


def _read(repository: Repository, row: Row[tuple[Any, ...]], what: str) -> Signed[Transfer]:
    one = statements.read(Transfer, bytes(row.body), what=what)
    _check_dispatcher(repository, one, what)
    said = one.predicate
    columns = (row.transfer, row.sha256, repository.organisation())
    if columns != (said.id, one.sha256, said.organisation):
        raise RefusedError("row-differs", "its columns say something other than the statement.")
    return one


def _check_dispatcher(repository: Repository, one: Signed[Transfer], what: str) -> None:
    """A dispatcher of its site signed it, by any `fleet` that there was: they come and go."""
    role = roles.site_role(one.predicate.site)
    for fleet in repository.stored.authentic(roles.FLEET):
        with suppress(ValueError):  # an older one did not delegate to the site yet
            for key in roles.keyholders(fleet.metadata.signed, role).keys:
                if key.keyid == one.envelope.keyid:
                    statements.verify(one, key, what=what)
                    return
    raise NoKeyError("no-key", f"No dispatcher of {one.predicate.site} signed it.", subject=what)


def newest(connection: Connection, site: EnrolledSite) -> Begun | None:
    """The site's newest transfer, of whichever enrolment.

    Raises:
        RefusedError: the log says that its bundle was written, and that has no row.
    """
    t, b = tables.transfer, tables.bundle
    query = (
        select(t, b.c.body)
        .join(b, b.c.transfer == t.c.id, isouter=True)
        .where(t.c.site == site.id)
        .order_by(t.c.number.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    body = None if row.body is None else bytes(row.body)
    if body is None:
        filed.check_not_exported(connection, row.id)
    at = (row.host, row.host_name)
    return Begun(row.id, row.number, row.enrolment, row.begun, body, *at)


def next_id(connection: Connection, site: EnrolledSite) -> tuple[int, str]:
    """The number of the transfer to the site that is begun next, and its name.

    Raises:
        RefusedError: the newest one is not the one that the log says was begun last.
        FailedError: the log is not the one that was signed.
    """

    def given(data: signed_log.Data) -> int | None:
        name = str(data.get("transfer"))
        number = name.rpartition("-")[2]
        if number.isdecimal() and layout.transfer_id(site.id, int(number)) == name:
            return int(number)
        return None

    stored = newest(connection, site)
    last = signed_log.last_number(connection, BEGUN, ("site", site.id), given)
    signed_log.check_last(
        last,
        stored.number if stored else 0,
        lambda number: f"the transfer {layout.transfer_id(site.id, number)}",
        f"transfer WHERE id = '{stored.id if stored else ''}'",
    )
    return last + 1, layout.transfer_id(site.id, last + 1)


def not_begun(connection: Connection) -> Iterator[LogFault]:
    """A transfer that the log knows nothing of, and one that it says was begun and has no row."""
    t = tables.transfer
    begun: dict[Any, tuple[str | None, Any]] = {}
    for one in signed_log.oldest_first(connection, BEGUN):
        name = one.data.get("transfer")
        if name in begun:
            what = f"The transfer {word(str(name))} was begun twice, by the log."
            yield LogFault("number-given-twice", what, None)
        begun[name] = (one.site, one.data.get("enrolment"))
    for row in all_rows(connection, select(t).order_by(t.c.site, t.c.number)):
        said = begun.pop(row.id, None)
        named = layout.transfer_id(row.site, row.number)
        if said is None:
            what = f"The transfer {word(row.id)} is in the database, and no entry of the log says "
            yield LogFault("row-not-logged", f"{what}that it was begun.", None)
        elif said != (row.site, row.enrolment) or named != row.id:
            what = f"The log says otherwise of the transfer {word(row.id)} than its row does."
            yield LogFault("row-differs", what, None)
    for name in sorted(begun):
        what = f"The transfer {word(name)} was begun by the log, and has no row."
        yield LogFault("row-missing", what, None)


def newest_bundle(connection: Connection, site: EnrolledSite) -> Signed[Transfer] | None:
    """The newest bundle that was written for this enrolment of the site.

    Raises:
        RefusedError: its row is of none that a dispatcher signed.
    """
    b, t = tables.bundle, tables.transfer
    query = (
        select(b)
        .join(t, t.c.id == b.c.transfer)
        .where(t.c.site == site.id, t.c.enrolment == site.enrolment)
        .order_by(t.c.number.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else verified(Repository(connection), row)


def recorded(connection: Connection, transfer: str) -> bytes | None:
    """transfer.json of a transfer, as it was recorded; None where it was not.

    Raises:
        RefusedError: the log says that it was.
    """
    query = select(tables.bundle.c.body).where(tables.bundle.c.transfer == transfer)
    body = connection.execute(query).scalar_one_or_none()
    if body is None:
        filed.check_not_exported(connection, transfer)
        return None
    return bytes(body)


def previous(connection: Connection, site: EnrolledSite, transfer: str) -> str | None:
    """The last transfer before `transfer` that was written for this enrolment of the site."""
    t, b = tables.transfer, tables.bundle
    number = select(t.c.number).where(t.c.id == transfer).scalar_subquery()
    query = (
        select(t.c.id)
        .join(b, b.c.transfer == t.c.id)
        .where(t.c.site == site.id, t.c.enrolment == site.enrolment, t.c.number < number)
        .order_by(t.c.number.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()
