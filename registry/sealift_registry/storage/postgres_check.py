"""Whether a server, its roles and its settings keep what a hub needs kept: `sealift db check`.

How the tables are built is `postgres_catalog`'s. Here is what an administrator sets: whether what
was acknowledged is on a disk, and whether the hub's own processes could change what they wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from sealift_migrations import SCHEMA, newest, postgres_privileges
from sealift_migrations.table_rules import ADDED, RULES, VERSION_TABLE, Rule
from sealift_registry.storage import (
    postgres_address,
    postgres_beside,
    postgres_catalog,
    postgres_jobs,
    postgres_migrator,
    postgres_pooler,
    postgres_set,
    postgres_words,
)
from sealift_registry.storage.postgres_finding import Finding
from sealift_registry.storage.postgres_roles import quoted
from sealift_signing.drawing import word
from sealift_signing.errors import UsageError

OLDEST = 14
"""The oldest release of PostgreSQL that is still given fixes, and that Sealift is made for."""

INIT = "Have an administrator run what this prints: sealift db init"
UPGRADE = "Run: sealift db upgrade"

_PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
_MAINTAIN, _MAINTAINED = "MAINTAIN", 170_000
"""To lock a table, among others; and the release that has it first."""
_PARAMETERS = 150_000
"""The release that gives privileges on settings first."""
_BY_COLUMN = frozenset({"SELECT", "INSERT", "UPDATE", "REFERENCES"})
_HARMLESS = frozenset({"pg_monitor", "pg_read_all_settings", "pg_read_all_stats"})
_HARMLESS_TOO = frozenset({"pg_stat_scan_tables", "pg_database_owner"})


def check(connection: Connection, application: str, *, failover: bool) -> Iterator[Finding]:
    """All that is missing or too much, and what else is to be known.

    Args:
        connection: as anybody who may connect; every room's tables must have been loaded.
        application: the role that the hub's processes are logged in as.
        failover: another server takes over when this one fails.
    """
    yield from postgres_address.way(connection)
    yield from _server(connection)
    yield from _sessions(connection.engine)
    yield from _commits(connection, failover=failover)
    yield from postgres_set.findings(connection, application)
    yield from _owner(connection)
    hidden = list(_hidden(connection))
    yield from hidden
    if hidden:
        return
    step = _step(connection)
    if postgres_catalog.owner(connection) is None:
        yield from postgres_catalog.findings(connection)
        return
    if step == newest():
        yield from postgres_catalog.findings(connection)
        yield from _role(connection, application)
        for builder in postgres_privileges.builders(connection):
            yield from _powers(connection, builder, BUILDER)
        yield from postgres_migrator.findings(connection)
        yield from postgres_jobs.findings(connection, application)
        return
    # Of another step nothing is known but that it is another.
    words = f"at step {word(step)}" if step else "without Sealift's tables, or hides at which step"
    what = f"The schema is {words}, and this version of Sealift works with {newest()}."
    yield Finding(what, VERSION_TABLE, UPGRADE)


def only_application(connection: Connection) -> str:
    """The role that `sealift db init` set up as the application's.

    Raises:
        UsageError: there is none, or there are several.
    """
    found = postgres_privileges.applications(connection)
    if len(found) != 1:
        raise UsageError(
            "no-application-role",
            f"Which role is the hub's cannot be told: {len(found)} could be.",
            next_step="Name it with --application ROLE.",
        )
    return found[0]


def _setting(connection: Connection, name: str) -> str:
    query = text("SELECT pg_catalog.current_setting(:name, true)")
    return connection.execute(query, {"name": name}).scalar() or ""


def _release(connection: Connection) -> int:
    return int(_setting(connection, "server_version_num"))


_ONLY_READ = text(
    # What is set for a role or a database is found there (`postgres_set`).
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_settings "
    "WHERE name = 'default_transaction_read_only' AND setting = 'on' "
    "AND source NOT IN ('user', 'database', 'database user', 'session'))"
)


def _server(connection: Connection) -> Iterator[Finding]:
    release = _release(connection) // 10_000
    if release < OLDEST:
        what = f"The server is PostgreSQL {release}, and Sealift needs {OLDEST} or newer."
        yield Finding(what, "server_version", "Upgrade the server.")
    encoding = _setting(connection, "server_encoding")
    if encoding != "UTF8":
        yield Finding(
            f"The database's encoding is {encoding}, which cannot hold every name.",
            "server_encoding",
            "Make it anew, with ENCODING 'UTF8'.",
        )
    if connection.execute(text("SELECT pg_catalog.pg_is_in_recovery()")).scalar_one():
        what = "The server is in recovery: it is a standby, or is being restored."
        yield Finding(what, "pg_is_in_recovery", f"Name the primary in {postgres_words.ADDRESS}.")
    if connection.execute(_ONLY_READ).scalar_one():
        what = "default_transaction_read_only is on for the whole server: nobody writes there."
        advice = "Set default_transaction_read_only = off in postgresql.conf."
        yield Finding(what, "default_transaction_read_only", advice)
    for name, wanted in (
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("zero_damaged_pages", "off"),
        ("ignore_checksum_failure", "off"),
    ):
        found = _setting(connection, name)
        if found not in {wanted, ""}:  # which only some may ask for
            what = f"{name} is {found}: when the machine fails, rows are lost and nobody is told."
            yield Finding(what, name, f"Set {name} = {wanted} in postgresql.conf.")


def _sessions(engine: Engine) -> Iterator[Finding]:
    with engine.connect() as connection:
        if postgres_pooler.changes(connection, engine):
            what = "A pooler gives each transaction another session: locks are lost, and settings."
            yield Finding(what, "pg_backend_pid", postgres_pooler.NEXT)


_STANDBYS = text(
    "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication "
    "WHERE application_name IS DISTINCT FROM 'pg_basebackup'"
)


def _commits(connection: Connection, *, failover: bool) -> Iterator[Finding]:
    """Whether what was acknowledged is on a disk, and on another machine's where it is needed."""
    found = _setting(connection, "synchronous_commit")
    if found not in postgres_set.FLUSHED:
        what = f"synchronous_commit is {found}: what was acknowledged may be lost."
        advice = "ALTER DATABASE … SET synchronous_commit = on, and RESET it for the role."
        yield Finding(what, "synchronous_commit", advice)
    name = "synchronous_standby_names"
    named, count = _setting(connection, name), connection.execute(_STANDBYS).scalar_one()
    if named and not count:
        what = f"{name} is {word(named)}, and no standby is there: COMMIT waits for it."
        yield Finding(what, name, "Start the standby, or name another one, and reload.")
    elif not named and failover:
        what = f"{name} is empty, and another server takes over on failure: it may lack what was "
        advice = f"Name the standby that takes over in {name}, and reload."
        yield Finding(f"{what}answered.", name, advice)
    elif not named and count:
        follow = "A standby follows" if count == 1 else f"{count} standbys follow"
        what = f"{follow}, and {name} is empty: what was answered may not be there yet."
        advice = (
            "If one of them may take over, say database.failover = true and name it there. If "
            "they are only read, nothing has to be done."
        )
        yield Finding(what, name, advice, is_fault=False)


_USAGE = text(
    "SELECT CURRENT_USER FROM pg_catalog.pg_namespace WHERE nspname = :schema "
    "AND NOT pg_catalog.has_schema_privilege(oid, 'USAGE')"
)


def _hidden(connection: Connection) -> Iterator[Finding]:
    """That whoever asks may not look into the schema: a role that is not the hub's, mostly."""
    asks = connection.execute(_USAGE, {"schema": SCHEMA}).scalar()
    if asks is not None:
        yield Finding(
            f"The user {word(asks)} may not use the schema {SCHEMA} (USAGE): nothing of it is "
            "seen.",
            SCHEMA,
            f"Check the user in {postgres_words.ADDRESS}. If it is to be the hub's, have an "
            "administrator run what this prints: sealift db init",
        )


def _step(connection: Connection) -> str:
    """At which step the schema is; empty where that is not there, or may not be read."""
    table = f"{SCHEMA}.{VERSION_TABLE}"
    may = (
        "SELECT pg_catalog.has_table_privilege(oid, 'SELECT') FROM pg_catalog.pg_class "
        "WHERE oid = pg_catalog.to_regclass(:name)"
    )
    if not connection.execute(text(may), {"name": table}).scalar():
        return ""
    return connection.execute(text(f"SELECT version_num FROM {table}")).scalar() or ""  # noqa: S608 - ours


_OWNER = text(
    "SELECT rolname AS name, rolcanlogin AS login, rolsuper AS super, rolbypassrls AS bypass "
    "FROM pg_catalog.pg_roles WHERE oid = (SELECT nspowner FROM pg_catalog.pg_namespace "
    "WHERE nspname = :schema)"
)


def _owner(connection: Connection) -> Iterator[Finding]:
    row = connection.execute(_OWNER, {"schema": SCHEMA}).one_or_none()
    if row is not None and (row.login or row.super or row.bypass):
        what = f"The owner of the tables, {word(row.name)}, is more than that: it can log in, or "
        yield Finding(what + "is a superuser.", row.name, INIT)


_ROLE = text("SELECT oid, * FROM pg_catalog.pg_roles WHERE rolname = :role")
_POWERS = {
    "rolsuper": ("SUPERUSER", "is a superuser"),
    "rolbypassrls": ("BYPASSRLS", "passes by row security (BYPASSRLS)"),
    "rolcreaterole": ("CREATEROLE", "makes roles (CREATEROLE)"),
    "rolcreatedb": ("CREATEDB", "makes databases (CREATEDB)"),
    "rolreplication": ("REPLICATION", "may replicate (REPLICATION)"),
}


def _role(connection: Connection, name: str) -> Iterator[Finding]:
    """What the application's role is, and may do by itself, by others' roles and by PUBLIC."""
    row = connection.execute(_ROLE, {"role": name}).one_or_none()
    if row is None:
        yield Finding(f"There is no role {word(name)}.", name, INIT)
        return
    hubs = postgres_privileges.applications(connection)
    if name not in hubs and (hubs or row.rolsuper):  # what another may do is not to be taken away
        yield _not_the_hubs(name, hubs)
        return
    yield from _powers(connection, name, HUB)
    if not row.rolsuper:  # who may do anything
        yield from _defaults(connection, name)
        yield from postgres_beside.doors(connection, name)


def _powers(connection: Connection, name: str, who: Who) -> Iterator[Finding]:
    """What a role that only adds rows is and may do, more than that."""
    row = connection.execute(_ROLE, {"role": name}).one()
    for power, (attribute, words) in _POWERS.items():
        if getattr(row, power):
            yield who.may(name, words, f"ALTER ROLE {quoted(name)} NO{attribute}")
    if row.rolsuper:
        return
    yield from _memberships(connection, name, who)
    yield from _places(connection, name, who)
    yield from _tables(connection, name, who)


def _not_the_hubs(name: str, hubs: list[str]) -> Finding:
    what = f"{word(name)} is not the hub's role here"
    if not hubs:
        return Finding(f"{what}: it is a superuser, and no role is the hub's.", name, INIT)
    listed = " or ".join(word(one) for one in hubs)
    advice = f"Name the hub's own role, {listed}, in {postgres_words.ADDRESS}, or by --application."
    return Finding(f"{what}.", name, advice)


@dataclass(frozen=True)
class Who:
    """Of whom a role is: in words, and what each table's rule gives it."""

    words: str
    privileges: Callable[[Rule], frozenset[str]]

    def role(self, name: str) -> str:
        """The role in a sentence."""
        return f"{self.words} role {word(name)}"

    def may(self, name: str, words: str, sql: str) -> Finding:
        """That it is more than it should be, and what takes that away."""
        return Finding(f"{self.role(name)} {words}.", name, f"{sql}.")


HUB = Who("The application's", lambda rule: rule.privileges)
BUILDER = Who("The builders'", lambda rule: rule.builders)


_MEMBER = text(
    "SELECT r.rolname AS name, r.rolsuper AS super, r.rolbypassrls AS bypass, "
    "r.oid = (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = :schema) AS owns "
    "FROM pg_catalog.pg_roles r WHERE r.rolname <> :role "
    "AND pg_catalog.pg_has_role(:role, r.oid, 'MEMBER') ORDER BY 1"
)


def _memberships(connection: Connection, role: str, who: Who) -> Iterator[Finding]:
    """Whose part it can take: the owner's, a superuser's, or one of PostgreSQL's own."""
    for row in connection.execute(_MEMBER, {"role": role, "schema": SCHEMA}):
        own = row.name.startswith("pg_") and row.name not in _HARMLESS | _HARMLESS_TOO
        words = f"is a member of {word(row.name)}"
        if row.owns:
            words += ", which owns the tables"
        if row.owns or row.super or row.bypass or own:
            yield who.may(role, words, f"REVOKE {quoted(row.name)} FROM {quoted(role)}")


_PLACES = """
SELECT pg_catalog.has_schema_privilege(:role, n.oid, 'USAGE') AS usage,
    pg_catalog.has_schema_privilege(:role, n.oid, 'CREATE') AS create, n.nspname AS name
FROM pg_catalog.pg_namespace n WHERE n.nspname IN (:schema, 'public') ORDER BY 3
"""
_REPLICA = "SELECT pg_catalog.has_parameter_privilege(:role, 'session_replication_role', 'SET')"


def _places(connection: Connection, role: str, who: Who) -> Iterator[Finding]:
    """Where it may make things, and what it may switch off."""
    for row in connection.execute(text(_PLACES), {"role": role, "schema": SCHEMA}):
        if row.create:
            sql = f"REVOKE CREATE ON SCHEMA {row.name} FROM PUBLIC, {quoted(role)}"
            yield who.may(role, f"may make tables in the schema {row.name}", sql)
        if row.name == SCHEMA and not row.usage:
            what = f"{who.role(role)} may not use the schema {SCHEMA}."
            yield Finding(what, SCHEMA, INIT)
    query = text(
        "SELECT pg_catalog.has_database_privilege(:role, pg_catalog.current_database(), 'CREATE')"
    )
    if connection.execute(query, {"role": role}).scalar_one():
        sql = f"REVOKE CREATE ON DATABASE … FROM PUBLIC, {quoted(role)}"
        yield who.may(role, "may make schemas in the database", sql)
    asked = _release(connection) >= _PARAMETERS
    if asked and connection.execute(text(_REPLICA), {"role": role}).scalar_one():
        sql = f"REVOKE SET ON PARAMETER session_replication_role FROM PUBLIC, {quoted(role)}"
        yield who.may(role, "may set session_replication_role", sql)


_GRANTED = """
SELECT c.relname AS table, p.privilege,
    pg_catalog.bool_or(pg_catalog.has_table_privilege(r.oid, c.oid, p.privilege)) AS whole,
    pg_catalog.bool_or(p.by_column
    AND pg_catalog.has_any_column_privilege(r.oid, c.oid, p.privilege)) AS columns,
    pg_catalog.bool_or(pg_catalog.has_table_privilege(r.oid, c.oid,
    p.privilege || ' WITH GRANT OPTION')) AS passed_on,
    pg_catalog.has_table_privilege(:role, c.oid, p.privilege) AS own
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
    unnest(CAST(:privileges AS text[]), CAST(:by_column AS boolean[])) p (privilege, by_column),
    pg_catalog.pg_roles r
WHERE n.nspname = :schema AND c.relname = ANY(:tables) AND c.relkind IN ('r', 'p', 'v', 'f')
    AND pg_catalog.pg_has_role(:role, r.oid, 'MEMBER') AND NOT r.rolsuper AND r.oid <> n.nspowner
GROUP BY c.relname, c.oid, p.privilege ORDER BY c.relname, p.privilege
"""


def _tables(connection: Connection, role: str, who: Who) -> Iterator[Finding]:
    """To each table just what its rule says."""
    asked = [*_PRIVILEGES, *([_MAINTAIN] if _release(connection) >= _MAINTAINED else [])]
    values = {
        "role": role,
        "schema": SCHEMA,
        "tables": list(RULES),
        "privileges": asked,
        "by_column": [one in _BY_COLUMN for one in asked],
    }
    for row in connection.execute(text(_GRANTED), values):
        yield from _granted(role, row, who)


def _granted(role: str, row: Row[Any], who: Who) -> Iterator[Finding]:
    allowed = row.privilege in who.privileges(RULES[row.table])
    if allowed and not row.own:
        what = f"{who.role(role)} lacks {row.privilege} on {row.table}."
        yield Finding(what, row.table, UPGRADE)
    sql = f"REVOKE {row.privilege} ON {SCHEMA}.{row.table} FROM PUBLIC, {quoted(role)}"
    if not allowed and (row.whole or row.columns):
        words = f"may {row.privilege} on {row.table}, by itself, by another role or as everybody"
        yield who.may(role, words, sql)
    elif row.passed_on:
        words = f"may give {row.privilege} on {row.table} to others"
        yield who.may(role, words, sql.replace("REVOKE", "REVOKE GRANT OPTION FOR", 1))


_DEFAULT = text(
    "SELECT coalesce(pg_catalog.array_agg(a.privilege_type::text ORDER BY 1), '{}') "
    "FROM pg_catalog.pg_default_acl d JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace, "
    "pg_catalog.aclexplode(d.defaclacl) a WHERE n.nspname = :schema AND d.defaclobjtype = 'r' "
    "AND d.defaclrole = n.nspowner AND pg_catalog.pg_get_userbyid(a.grantee) = :role"
)


def _defaults(connection: Connection, role: str) -> Iterator[Finding]:
    found = connection.execute(_DEFAULT, {"schema": SCHEMA, "role": role}).scalar_one()
    if set(found) != ADDED.privileges:
        what = f"What {word(role)} may do to tables that are made later is {found or 'nothing'}."
        yield Finding(what, role, INIT)
