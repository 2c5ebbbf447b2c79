"""`sealift migrate`: the hub's rows and blobs go to another place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from sealift_registry.moving.moves import Moved
    from sealift_registry.moving.route import Route
    from sealift_sync.progress import Phase, Phases


@command(sealift, "migrate", example="sealift migrate --to-database postgresql://sealift@db/hub")
@click.option(
    "--to-database",
    "database",
    metavar="URL",
    help="Have the rows there: postgresql://USER@HOST/DATABASE, or home.",
)
@click.option(
    "--to-blobs",
    "blobs",
    metavar="URL",
    help="Have the blobs there: s3://BUCKET/PREFIX, or home.",
)
@click.option(
    "--blobs-endpoint",
    "endpoint",
    metavar="URL",
    default="",
    help="The address of the S3 server, where it is not Amazon's own.",
)
@click.option(
    "--blobs-region", "region", metavar="NAME", default="", help="Its region, where it has any."
)
@click.option("--plan", is_flag=True, help="Check everything, say what would be done, and stop.")
def migrate(
    session: Session,
    *,
    database: str | None,
    blobs: str | None,
    endpoint: str,
    region: str,
    plan: bool,
) -> None:
    """Move the hub: its rows, its blobs, or both.

    Everything is verified before it begins and where it arrives. Until the last moment the hub is
    where it was; from then on the old place signs nothing more, and says where everything went. It
    keeps what it has. A move that was stopped goes on when the same command is run again.
    """
    from sealift_registry.moving.route import HOME, route
    from sealift_registry.storage.postgres_address import of_argument
    from sealift_signing.errors import UsageError

    if blobs is None and (endpoint or region):
        raise UsageError(
            "move-where",
            "A server or a region is named, and no blobs that are to go there.",
            next_step="Name the bucket too: --to-blobs s3://BUCKET/PREFIX",
        )
    if database not in {None, HOME}:
        of_argument(database or "", "--to-database")
    hub = session.app.hub
    store = None if blobs is None else {"url": blobs, "endpoint": endpoint, "region": region}
    way = route(hub.home, database, store)
    session.warned = True
    if plan:
        _tell_plan(session, way)
        return
    from sealift_registry.moving import moves

    with session.terminal.phases() as phases:
        progress = moves.Progress(phases, _Rows(phases))
        done = moves.move(hub, way, session.environment, progress)
    _tell(session, way, done)


class _Rows:
    """Tells how many rows of which table are done, once blobs are."""

    def __init__(self, phases: Phases) -> None:
        self._phases = phases
        self._phase: Phase | None = None
        self._done = 0

    def __call__(self, table: str, count: int) -> None:
        """So many further rows of a table."""
        if self._phase is None:
            self._phase = self._phases.begin("rows")
        self._done += count
        self._phase.note(f"{self._done:,}, {table}")
        self._phase.add(0)


def _tell_plan(session: Session, way: Route) -> None:
    from sealift_registry.moving import moves, row_copies

    hub = session.app.hub
    if not way.moves_rows and not way.moves_blobs:
        moves.check_is_there(hub)
        data, lines = _where(way)
        session.terminal.answer("migrate-plan", data | {"already": True}, lines)
        return
    copies = moves.check(hub, way)
    data, lines = _places(way)
    if way.moves_rows:
        with hub.reading() as connection:
            counts = row_copies.count(connection)
        data["rows"] = counts
        lines.append(f"  {counted(sum(counts.values()), 'row')} would be copied and compared.")
    if way.moves_blobs:
        sizes, there = copies.plan()
        data |= {"blobs": len(sizes), "bytes": sum(sizes.values()), "there": len(there)}
        lines.append(
            f"  {counted(len(sizes), 'blob')} of {counted(sum(sizes.values()), 'byte')} would be "
            f"hashed there; of them {len(there)} are there already."
        )
    lines = [
        *lines,
        "The hub is whole, and there is where it can go to. Nothing was written.",
    ]
    session.terminal.answer("migrate-plan", data, lines)


def _tell(session: Session, way: Route, done: Moved) -> None:
    data, lines = _where(way) if done.already else _places(way)
    overruled = way.overruled(session.environment)
    data |= {
        "already": done.already,
        "again": done.again,
        "size": done.edge.size,
        "root": done.edge.root.hex(),
        "rows": dict(done.rows),
        "blobs": done.blobs,
        "sent": done.sent,
        "bytes": done.bytes,
        "overruled": overruled,
    }
    if not done.already:
        lines += _done(way, done)
    lines += [
        f"The environment sets {one}, which counts more: change it, too." for one in overruled
    ]
    session.terminal.answer("migrate", data, lines)


def _done(way: Route, done: Moved) -> list[str]:
    size = counted(done.edge.size, "entry", "entries")
    lines = [f"  The log goes on from {size}, root {done.edge.root.hex()}."]
    if done.rows:
        rows = counted(sum(done.rows.values()), "row")
        lines.append(f"  {rows} of {counted(len(done.rows), 'table')} were compared, each whole.")
    if done.blobs:
        bytes_there = counted(done.bytes, "byte")
        lines.append(f"  {counted(done.blobs, 'blob')}, {bytes_there}, were hashed there.")
    if done.again:
        lines.append("  An earlier run had moved it, and this one did what was left.")
    return [
        *lines,
        "",
        "What is at the old place stays there; remove it when you need it no more.",
        *_elsewhere(way),
    ]


def _elsewhere(way: Route) -> list[str]:
    """What is to be done on other machines that had this hub."""
    if way.there.settings.database.url:
        told = "On every other machine with this hub's settings, run the same command: it changes "
        return [told + "them."]
    if way.moves_rows:
        return [
            "On every other machine that had this hub there is none any more: put its home away."
        ]
    return []


def _where(way: Route) -> tuple[dict[str, Any], list[str]]:
    """Where it is that whoever asked wanted it to be."""
    from contextlib import closing

    from sealift_registry.storage.opening import database_of

    data: dict[str, Any] = {"home": str(way.here.root)}
    lines = [f"The hub at {way.here.root} is there already; nothing was changed:"]
    if "database" in way.values:
        with closing(database_of(way.here)) as here:
            data |= {"database": {"from": here.where, "to": here.where}}
            lines.append(f"  rows   in {here.where}")
    if "blobs" in way.values:
        place = way.here.blobs_place
        data |= {"blob_store": {"from": place, "to": place}}
        lines.append(f"  blobs  in {place}")
    return data, lines


def _places(way: Route) -> tuple[dict[str, Any], list[str]]:
    from contextlib import closing

    from sealift_registry.storage.opening import database_of

    data: dict[str, Any] = {"home": str(way.here.root)}
    lines = [f"The hub at {way.here.root}:"]
    if way.moves_rows:
        with closing(database_of(way.here)) as here, closing(way.database()) as there:
            data |= {"database": {"from": here.where, "to": there.where}}
            lines += [f"  rows   from {here.where}", f"         to   {there.where}"]
    if way.moves_blobs:
        from_, to = way.here.blobs_place, way.there.blobs_place
        data |= {"blob_store": {"from": from_, "to": to}}
        lines += [f"  blobs  from {from_}", f"         to   {to}"]
    return data, lines
