"""`sealift db`: a database on PostgreSQL, set up, brought up to date and checked.

None of it opens the hub: these commands come before there is one, and when it does not open.
"""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from sealift_registry.cli.again import again
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_signing.drawing import word
from sealift_signing.errors import RefusedError, SealiftError, UsageError, shown
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from sealift_registry.storage.home import DatabaseSettings
    from sealift_registry.storage.postgres_finding import Finding
    from sealift_registry.storage.postgres_roles import Roles
    from sealift_registry.storage.postgresql import PostgresDatabase

ROLE = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")
"""Names that PostgreSQL takes without quotes."""
URL = "postgresql://USER@HOST/DATABASE"


@sealift.group()
def db() -> None:
    """Set up, upgrade and check a database on PostgreSQL."""


@command(db, "init", example="sealift db init")
@click.option("--run", "runs", is_flag=True, help="Run it, by --as; else it is printed.")
@click.option("--as", "url", metavar="URL", help=f"With --run: an administrator's {URL}.")
@click.option("--owner", metavar="ROLE", help="Owns the tables. [default: sealift_owner]")
@click.option("--migrator", metavar="ROLE", help="Upgrades. [default: sealift_migrator]")
@click.option("--application", metavar="ROLE", help="Is the hub. [default: sealift_app]")
@click.option("--builder", metavar="ROLE", help="Is a builder on another machine. [default: none]")
def db_init(
    session: Session,
    *,
    runs: bool,
    url: str | None,
    owner: str | None,
    migrator: str | None,
    application: str | None,
    builder: str | None,
) -> None:
    """Print the SQL that sets up roles and schema.

    An administrator reads and runs it. Three roles: the owner of the tables, as whom nobody logs
    in; the migrator, for sealift db upgrade; and the hub itself, which adds rows and reads them. A
    builder's role reads what it is to build and adds what came of it; sealift db upgrade gives it
    that. No password is in it, or asked for. It can be run again.
    """
    from sealift_registry.storage import postgres_roles

    roles = _roles(owner, migrator, application, builder)
    names = vars(roles)
    if not runs:
        if url is not None:
            raise UsageError(
                "db-init-how",
                "--as says as whom the SQL is run, and it is only printed.",
                next_step="Add --run, or leave --as out.",
            )
        lines = "\n".join(postgres_roles.script(roles)).splitlines()  # each is printed as one
        session.terminal.answer("db-init", {"ran": False, "roles": names, "sql": lines}, lines)
        return
    with (
        closing(_database(url, "", "")) as database,
        _next("Name a role that may make roles, such as an administrator's: --as URL"),
        database.in_words(),
        database.writing() as connection,
        connection.begin(),
    ):
        postgres_roles.run(connection, roles)
    data = {"ran": True, "roles": names, "database": database.where}
    session.terminal.answer(
        "db-init",
        data,
        [
            f"{database.where} has its roles and its schema.",
            f"  owner        {roles.owner}",
            f"  migrator     {roles.migrator}",
            f"  application  {roles.application}",
            *([f"  builder      {roles.builder}"] if roles.builder else []),
            "Let all but the owner log in (pg_hba.conf; a password by psql's \\password).",
            again("Then, as the migrator: sealift db upgrade --as URL"),
        ],
    )


@command(
    db,
    "upgrade",
    example="sealift db upgrade --as postgresql://sealift_migrator@db.example/sealift",
)
@click.option("--as", "url", metavar="URL", help="The migrator's. [default: database.migrator]")
def db_upgrade(session: Session, *, url: str | None) -> None:
    """Bring the tables up to date.

    All of it or nothing; and the hub's role is given its privileges. Hubs that have the database
    open wait meanwhile; those of an older version are to be stopped before. While a job is being
    done it is refused; jobs that wait are done afterwards. Where there is nothing to do, it only
    grants.
    """
    import sealift_migrations
    from sealift_migrations import postgres_session
    from sealift_registry.jobs import dbos_running

    settings = _settings(session)
    with (
        closing(_database(url, settings.migrator, "database.migrator")) as database,
        _next(
            "Name the migrator's role, by --as URL. If it is, have the database's administrator "
            "run what this prints: sealift db init"
        ),
        database.in_words(),
    ):
        database.check_sessions()
        before = sealift_migrations.current(database.engine)
        sealift_migrations.upgrade(database.engine, dbos_running.check_none)
        after = sealift_migrations.current(database.engine)
        if before == after:
            with postgres_session.migrating(database.engine):
                pass  # it grants
        jobs, left_out = _upgrade_jobs(database)
    words = f"is at step {after} now"
    if before == after:
        words = f"is at step {after} already, and each role has its privileges"
    line = f"{database.where} {words}" + (f", from {before}." if before not in {"", after} else ".")
    data = {"database": database.where, "from": before or None, "to": after, "jobs": jobs}
    session.terminal.answer("db-upgrade", data, [line, *left_out])


def _upgrade_jobs(database: PostgresDatabase) -> tuple[str, list[str]]:
    """Bring the tables for jobs up to date; else why they were left out, and what to do."""
    if find_spec("dbos") is None:
        return "no-engine", [
            "Tables for jobs were left out: sealift-registry[jobs] is not installed here.",
            again("To have them, install it, and then: sealift db upgrade"),
        ]
    from sealift_registry.jobs import dbos_schema

    if not dbos_schema.upgrade(database):
        return "no-schema", [
            "Tables for jobs were left out: there is no schema for them.",
            again("To have them, have an administrator run what this prints: sealift db init"),
        ]
    return "ready", []


@command(db, "check", example="sealift db check")
@click.option("--as", "url", metavar="URL", help="As somebody else. [default: database.url]")
@click.option("--application", metavar="ROLE", help="The hub's role. [default: database.url's]")
def db_check(session: Session, *, url: str | None, application: str | None) -> None:
    """Say what is missing, and what is too much.

    The server and its settings; every table, column, key and trigger; and what the hub's role may
    do. Exit code 1 where something is wrong; what is only to be known is noted. Nothing is changed.
    """
    from sealift_registry.storage import postgres_check
    from sealift_registry.storage.postgres_address import parse_url

    settings = _settings(session)
    _load_tables()
    own = parse_url(settings.url).username if settings.url else None
    with (
        closing(_database(url, settings.url, "database.url")) as database,
        _next(
            "Name the hub's own role, by --as URL. If it is, have the database's administrator "
            "run what this prints: sealift db init"
        ),
        database.in_words(),
        database.reading() as connection,
    ):
        role = application or own or postgres_check.only_application(connection)
        found = list(postgres_check.check(connection, role, failover=settings.failover))
        found += [*_left_open(connection, role), *_not_done(connection)]
    faults, notes = ([_told(one) for one in found if one.is_fault is so] for so in (True, False))
    data = {"database": database.where, "application": role, "findings": faults, "notes": notes}
    whole = f"{database.where} is as it should be, and {role} may do what it needs to, and no more."
    lines = [f"{one['what']} Next: {one['next']}" for one in faults] or [whole]
    lines += [f"Note: {one['what']} Next: {one['next']}" for one in notes]
    session.terminal.answer("db-check", {"ok": not faults, **data}, lines)
    if faults:
        raise RefusedError(
            "database-not-right",
            f"{database.where} is not as it should be: {counted(len(faults), 'finding')}.",
            subject=database.where,
            next_step="Do what is said with each; then check again: sealift db check",
        )


_SEE_CHECK = frozenset({"database-not-allowed", "database-no-table"})
"""Errors whose next step is `sealift db check`, which leads nowhere from here."""


@contextmanager
def _next(step: str) -> Iterator[None]:
    """Have errors of one who may not say `step`."""
    try:
        yield
    except SealiftError as error:
        if error.code in _SEE_CHECK:
            error.next_step = again(step)
        raise


def _told(finding: Finding) -> dict[str, str]:
    return {"what": finding.what, "where": finding.where, "next": again(finding.advice)}


def _left_open(connection: Connection, role: str) -> list[Finding]:
    """What is wrong where the hub has left the database, and `role` may still come in."""
    from sealift_registry.storage import postgres_left
    from sealift_registry.trust import whereabouts

    may = postgres_left.may_read(connection)
    if not may:  # before `db upgrade` there is no table
        return [] if may is None else [postgres_left.unread(connection, role)]
    try:
        there = whereabouts.went_to(connection)
    except SealiftError:  # what is there is not what was signed, which fsck names
        there = None
    return [] if there is None else list(postgres_left.check(connection, role, there))


def _not_done(connection: Connection) -> list[Finding]:
    """What is wrong where the database says of itself that it does not count yet."""
    from sealift_registry.audit import moved
    from sealift_registry.storage import postgres_left
    from sealift_registry.storage.postgres_finding import Finding

    if not postgres_left.may_read(connection):
        return []
    found = moved.arriving_row(connection, moved.history(connection))
    if found is None:
        return []
    number, one = found
    return [
        Finding(
            f"This database does not count yet, by row {number} of moved: the rows are in "
            f"{word(one.place)}, it says.",
            "moved",
            "Run the same sealift migrate again. If none was under way, somebody added it: "
            "docs/how-to/lost-and-found.md.",
        )
    ]


def _settings(session: Session) -> DatabaseSettings:
    """Those of the home; where there is none yet, those that count without one."""
    from sealift_registry.storage.home import Home, Settings, open_home, with_environment
    from sealift_signing.errors import NotFoundError

    try:
        home = open_home(session.root, session.environment)
    except NotFoundError:
        home = with_environment(Home(session.root, Settings()), session.environment)
    return home.settings.database


def _database(url: str | None, default: str, setting: str) -> PostgresDatabase:
    """The one that `--as` names, else `setting`, where there is one that may."""
    from sealift_registry.storage.opening import postgres_at
    from sealift_registry.storage.postgres_address import of_argument

    if url:
        of_argument(url, "--as")
        return postgres_at(url, named="--as")
    if not default:
        option = f"--as, or {setting}" if setting else "--as"
        raise UsageError(
            "no-database-url",
            f"No PostgreSQL database is named: by {option}.",
            subject=setting or "--as",
            next_step="Name it: --as postgresql://USER@HOST/DATABASE",
        )
    return postgres_at(default, named=setting)


def _roles(
    owner: str | None, migrator: str | None, application: str | None, builder: str | None
) -> Roles:
    from sealift_registry.storage.postgres_roles import Roles

    default = Roles()
    roles = Roles(
        owner or default.owner,
        migrator or default.migrator,
        application or default.application,
        builder or "",
    )
    names = [one for one in vars(roles).values() if one]
    for name in names:
        if not ROLE.fullmatch(name) or names.count(name) > 1:
            raise UsageError(
                "bad-role",
                f"{shown(name)} cannot be the name of one of these roles.",
                subject=name,
                next_step="Use a name for each, of small letters, digits and _, none of them pg_….",
            )
    return roles


def _load_tables() -> None:
    """Have every room's tables in the `MetaData`."""
    from sealift_registry.access import tables as _access
    from sealift_registry.audit import tables as _log
    from sealift_registry.catalog import tables as _catalog
    from sealift_registry.delivery import tables as _delivery
    from sealift_registry.jobs import tables as _jobs
    from sealift_registry.storage import blob_tables as _blobs
    from sealift_registry.trust import tables as _trust

    del _access, _log, _catalog, _delivery, _jobs, _blobs, _trust
