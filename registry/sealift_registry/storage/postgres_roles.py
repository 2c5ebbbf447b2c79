"""Who is who in a database on PostgreSQL, as its administrator sets it up once.

Three roles, or four: the *owner* of the schema and all in it, whom nobody can be logged in as; the
*migrator*, who may become the owner, for `sealift db upgrade`; and the *application*, which the
hub's processes are logged in as. It adds rows and reads them, and can neither change a table nor
what keeps tables from being changed. A *builder*, where there is to be one, is a machine elsewhere:
it reads what it is to build, adds what came of it, and sees nothing else.

The SQL can be run again: it makes what is not there, and puts right what is otherwise. It holds no
password and no database's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text

from sealift_migrations import JOBS_SCHEMA, SCHEMA
from sealift_migrations.table_rules import ADDED, VERSION_TABLE

DEFAULTS = ", ".join(sorted(ADDED.privileges))
"""What the application may do to a table that is made later, until `db upgrade` says better."""

_POWERLESS = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"


@dataclass(frozen=True)
class Roles:
    """The names of the roles; no `builder` where there is none."""

    owner: str = "sealift_owner"
    migrator: str = "sealift_migrator"
    application: str = "sealift_app"
    builder: str = ""

    @property
    def logged_in(self) -> tuple[str, ...]:
        """Those that somebody is logged in as."""
        return tuple(filter(None, (self.migrator, self.application, self.builder)))


@dataclass(frozen=True)
class Step:
    """A statement, and what it is for."""

    why: str
    sql: str


def steps(roles: Roles) -> Iterator[Step]:
    """The statements, in order, for one transaction of an administrator in our database."""
    owner, migrator, application = map(quoted, (roles.owner, roles.migrator, roles.application))
    yield from _roles(roles)
    yield Step(
        "The migrator may become the owner, and is not the owner before it says so.",
        f"GRANT {owner} TO {migrator}",
    )
    yield Step("An administrator who is no superuser is a member of it meanwhile.", _join(roles))
    yield Step(
        # Temporary tables hide none of ours. But where they may not be made and our schema is not
        # there, PostgreSQL speaks of them, and not of the schema.
        "Nobody else connects.",
        _on_database("REVOKE ALL ON DATABASE %I FROM PUBLIC"),
    )
    for role in roles.logged_in:
        yield Step("", _on_database(f"GRANT CONNECT, TEMPORARY ON DATABASE %I TO {quoted(role)}"))
    yield Step(
        "Nobody makes tables where names might be looked up.",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    )
    yield Step(
        "The schema, and who may use what is in it.",
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA} AUTHORIZATION {owner}",
    )
    yield Step("", f"ALTER SCHEMA {SCHEMA} OWNER TO {owner}")
    yield Step("", f"REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC, {application}")
    yield Step("", f"GRANT USAGE ON SCHEMA {SCHEMA} TO {migrator}, {application}")
    yield Step(
        "The schema of the engine that keeps jobs: its rows are changed and removed, too.",
        f"CREATE SCHEMA IF NOT EXISTS {JOBS_SCHEMA} AUTHORIZATION {owner}",
    )
    yield Step("", f"ALTER SCHEMA {JOBS_SCHEMA} OWNER TO {owner}")
    yield Step("", f"REVOKE ALL ON SCHEMA {JOBS_SCHEMA} FROM PUBLIC, {application}")
    yield Step("", f"GRANT USAGE ON SCHEMA {JOBS_SCHEMA} TO {migrator}, {application}")
    yield Step("", _version_read_by(roles.migrator))
    default = f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {SCHEMA}"
    yield Step(
        "Tables that are made later.", f"{default} GRANT {DEFAULTS} ON TABLES TO {application}"
    )
    if roles.builder:
        yield from _builder(roles, default)
    yield Step(
        "Functions are for triggers alone.",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    )
    yield Step(
        "What was committed is on the disk, and on the standby where one is named.",
        _on_database("ALTER DATABASE %I SET synchronous_commit = ''on''"),
    )
    yield Step(
        "Each statement sees what was committed before it.",
        _on_database("ALTER DATABASE %I SET default_transaction_isolation = ''read committed''"),
    )
    yield Step("The administrator is that no longer.", _leave(roles))


def _builder(roles: Roles, default: str) -> Iterator[Step]:
    builder = quoted(roles.builder)
    yield Step(
        "A builder uses the schema; which tables of it, sealift db upgrade says.",
        f"REVOKE ALL ON SCHEMA {SCHEMA} FROM {builder}",
    )
    yield Step("", f"GRANT USAGE ON SCHEMA {SCHEMA} TO {builder}")
    yield Step(
        "By this it is known as one. There are no sequences, and there will be none.",
        f"{default} GRANT USAGE ON SEQUENCES TO {builder}",
    )


def run(connection: Connection, roles: Roles) -> None:
    """Run them, as an administrator; whoever has the transaction commits."""
    for step in steps(roles):
        connection.execute(text(step.sql))


def script(roles: Roles) -> list[str]:
    """The same for psql: lines of text, with what is left to do by hand."""
    found = [
        "-- Run by an administrator, with psql, in the database that is to be Sealift's:",
        "--   CREATE DATABASE sealift ENCODING 'UTF8' TEMPLATE template0;",
        "\\set ON_ERROR_STOP on",
        "BEGIN;",
    ]
    for step in steps(roles):
        found += ["", f"-- {step.why}"] if step.why else []
        found.append(f"{step.sql};")
    return [
        *found,
        "",
        "COMMIT;",
        "-- Then let each role log in: by a certificate or by peer (pg_hba.conf), or give it a",
        "-- password, which psql asks for and never shows:",
        *(f"--   \\password {quoted(one)}" for one in roles.logged_in),
    ]


def quoted(name: str) -> str:
    """A name as SQL has it, always with quotes."""
    return '"' + name.replace('"', '""') + '"'


def _roles(roles: Roles) -> Iterator[Step]:
    """Each role is made where it is not there, and is what it should be afterwards."""
    for name, kind, why in (
        (roles.owner, "NOLOGIN NOINHERIT", "Owns the schema and its tables; nobody logs in as it."),
        (roles.migrator, "LOGIN NOINHERIT", "Is logged in as for sealift db upgrade."),
        (roles.application, "LOGIN", "Is what the hub's processes are logged in as."),
        (roles.builder, "LOGIN", "Is what a builder on another machine is logged in as."),
    ):
        if not name:
            continue
        literal = _literal(name)
        yield Step(
            why,
            "DO $$ BEGIN\n"
            f"  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal}) THEN\n"
            f"    CREATE ROLE {quoted(name)} {kind} {_POWERLESS};\n"
            "  END IF;\nEND $$",
        )
        yield Step("", f"ALTER ROLE {quoted(name)} {kind}")


def _join(roles: Roles) -> str:
    """Since PostgreSQL 16, whoever makes a role may manage it, and not act as it."""
    owner = _literal(roles.owner)
    return (
        "DO $$ DECLARE may boolean; options text := ''; BEGIN\n"
        "  IF current_setting('server_version_num')::int >= 160000 THEN\n"
        "    options := ' WITH INHERIT TRUE, SET TRUE';\n"
        f"    EXECUTE format('SELECT pg_has_role(%L, ''SET'')', {owner}) INTO may;\n"
        "  ELSE\n"
        f"    may := pg_has_role({owner}, 'MEMBER');\n"
        "  END IF;\n"
        "  IF NOT may THEN\n"
        f"    EXECUTE format('GRANT %I TO %I', {owner}, current_user) || options;\n"
        "    PERFORM set_config('sealift.joined', 'yes', true);\n"
        "  END IF;\n"
        "END $$"
    )


def _leave(roles: Roles) -> str:
    return (
        "DO $$ BEGIN\n"
        "  IF current_setting('sealift.joined', true) = 'yes' THEN\n"
        f"    EXECUTE format('REVOKE %I FROM %I', {_literal(roles.owner)}, current_user);\n"
        "  END IF;\n"
        "END $$"
    )


def _version_read_by(role: str) -> str:
    table = f"{SCHEMA}.{VERSION_TABLE}"
    return (
        f"DO $$ BEGIN\n  IF to_regclass('{table}') IS NOT NULL THEN\n"
        f"    GRANT SELECT ON {table} TO {quoted(role)};\n  END IF;\nEND $$"
    )


def _on_database(sql: str) -> str:
    return f"DO $$ BEGIN EXECUTE format('{sql}', current_database()); END $$"


def _literal(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
