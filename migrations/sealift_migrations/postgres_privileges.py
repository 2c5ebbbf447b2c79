"""What the application may do on PostgreSQL: to each table what `table_rules` says, and no more.

Which roles the application goes by stands in the database: those that `sealift db init` gave the
default privileges of the schema's tables. Builders on other machines are those that it gave the
default privileges of its sequences, of which there are none.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from sealift_migrations.table_rules import RULES, VERSION_TABLE

_MARKED = text(
    "SELECT DISTINCT pg_catalog.pg_get_userbyid(a.grantee) FROM pg_catalog.pg_default_acl d "
    "JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace, "
    "pg_catalog.aclexplode(d.defaclacl) a "
    "WHERE n.nspname = 'sealift' AND d.defaclobjtype = :of "
    "AND d.defaclrole = n.nspowner AND a.grantee NOT IN (0, n.nspowner) ORDER BY 1"
)
_MIGRATORS = text(
    "SELECT r.rolname FROM pg_catalog.pg_auth_members m "
    "JOIN pg_catalog.pg_namespace n ON n.nspowner = m.roleid "
    "JOIN pg_catalog.pg_roles r ON r.oid = m.member "
    "WHERE n.nspname = 'sealift' AND r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolcreaterole "
    "AND NOT r.rolname = ANY(:applications) GROUP BY r.rolname ORDER BY r.rolname"
)
"""Who makes roles is a member of each that it made, and is no migrator for that."""
_TABLES = text(
    "SELECT c.relname FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'sealift' AND c.relkind = 'r'"
)


def applications(connection: Connection) -> list[str]:
    """The roles that the application goes by, in our schema."""
    return list(connection.execute(_MARKED, {"of": "r"}).scalars())


def builders(connection: Connection) -> list[str]:
    """The roles of builders on other machines."""
    return list(connection.execute(_MARKED, {"of": "S"}).scalars())


def migrators(connection: Connection) -> list[str]:
    """The roles that may become the owner of our schema, and that somebody may be logged in as."""
    values = {"applications": applications(connection)}
    return list(connection.execute(_MIGRATORS, values).scalars())


def grant(connection: Connection) -> None:
    """Give the application's roles what each table that is there allows, and take the rest away.

    Whoever does it, each migrator may do it the next time.
    """
    there = set(connection.execute(_TABLES).scalars())
    for role in applications(connection):
        for statement in statements(connection, role, there):
            connection.exec_driver_sql(statement)
    for role in builders(connection):
        for statement in statements(connection, role, there, builds=True):
            connection.exec_driver_sql(statement)
    if VERSION_TABLE in there:  # whoever migrates asks first whether there is anything to do
        names = map(connection.dialect.identifier_preparer.quote, migrators(connection))
        readers = ", ".join(["SESSION_USER", *names])
        connection.exec_driver_sql(f"GRANT SELECT ON {VERSION_TABLE} TO {readers}")


def statements(
    connection: Connection, role: str, there: set[str], *, builds: bool = False
) -> Iterator[str]:
    """The statements by which `role` may do just what the rules of the tables `there` say.

    Of the application, or of a builder where it `builds`.
    """
    quoted = connection.dialect.identifier_preparer.quote(role)
    for table, rule in RULES.items():
        if table in there:
            yield f"REVOKE ALL ON {table} FROM {quoted}"
            may = rule.builders if builds else rule.privileges
            if may:
                yield f"GRANT {', '.join(sorted(may))} ON {table} TO {quoted}"
