"""What lies beside the hub's schema, and does something when the hub asks for its own.

Only a superuser adds to `pg_catalog`, where every name is looked up first, or makes a trigger that
runs when anybody logs in. The tables' owner can have a key or an index of ours use what lies in
another schema; and both can leave a function or a view there, by which the hub's role changes as
they what it may not. `findings` names the first, `doors` the last.

A built-in function that a superuser replaced by another of its name is not found: who changes the
server's own catalog decides what it says of itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

from sealift_migrations import SCHEMA
from sealift_registry.storage.postgres_finding import RESTORE, Finding
from sealift_signing.drawing import word

OWN = 16384
"""The first oid that PostgreSQL does not give to what it brings (FirstNormalObjectId)."""

_ADDED = text("""
WITH built_in AS (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'pg_catalog')
SELECT 'a function' AS what, p.proname::text AS name FROM pg_catalog.pg_proc p
    WHERE p.oid >= :own AND p.pronamespace IN (SELECT oid FROM built_in)
UNION ALL SELECT 'an operator', o.oprname FROM pg_catalog.pg_operator o
    WHERE o.oid >= :own AND o.oprnamespace IN (SELECT oid FROM built_in)
UNION ALL SELECT 'a relation', c.relname FROM pg_catalog.pg_class c
    WHERE c.oid >= :own AND c.relnamespace IN (SELECT oid FROM built_in)
UNION ALL SELECT 'a type', t.typname FROM pg_catalog.pg_type t
    WHERE t.oid >= :own AND t.typnamespace IN (SELECT oid FROM built_in)
UNION ALL SELECT 'a collation', c.collname FROM pg_catalog.pg_collation c
    WHERE c.oid >= :own AND c.collnamespace IN (SELECT oid FROM built_in)
UNION ALL SELECT 'an operator class', c.opcname FROM pg_catalog.pg_opclass c
    WHERE c.oid >= :own AND c.opcnamespace IN (SELECT oid FROM built_in)
UNION ALL SELECT 'an operator family', f.opfname FROM pg_catalog.pg_opfamily f
    WHERE f.oid >= :own AND f.opfnamespace IN (SELECT oid FROM built_in)
UNION ALL SELECT 'a conversion', c.conname FROM pg_catalog.pg_conversion c
    WHERE c.oid >= :own AND c.connamespace IN (SELECT oid FROM built_in)
ORDER BY 1, 2
""")
_CASTS = text("""
SELECT pg_catalog.format_type(c.castsource, NULL) AS source,
    pg_catalog.format_type(c.casttarget, NULL) AS target
FROM pg_catalog.pg_cast c WHERE c.oid >= :own ORDER BY 1, 2
""")
_EVENTS = text("""
SELECT e.evtname::text AS name, e.evtevent::text AS event FROM pg_catalog.pg_event_trigger e
ORDER BY 1
""")
_USES = text("""
WITH place AS (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = :schema),
ours (class, oid) AS (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid FROM pg_catalog.pg_class c
        WHERE c.relnamespace IN (SELECT oid FROM place)
    UNION ALL SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
        FROM pg_catalog.pg_constraint k WHERE k.connamespace IN (SELECT oid FROM place)
    UNION ALL SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid FROM pg_catalog.pg_proc p
        WHERE p.pronamespace IN (SELECT oid FROM place)
    UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid FROM pg_catalog.pg_type t
        WHERE t.typnamespace IN (SELECT oid FROM place)
    UNION ALL SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid
        FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace IN (SELECT oid FROM place)
)
SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0) AS what,
    pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0) AS used
FROM pg_catalog.pg_depend d JOIN ours o ON o.class = d.classid AND o.oid = d.objid
WHERE d.refobjid >= :own AND d.refclassid <> 'pg_catalog.pg_namespace'::pg_catalog.regclass
    AND (d.refclassid, d.refobjid) NOT IN (SELECT class, oid FROM ours)
ORDER BY 1, 2
""")


def findings(connection: Connection) -> Iterator[Finding]:
    """What is taken before what PostgreSQL brings, or used by what is ours, and is neither."""
    for row in connection.execute(_EVENTS):
        what = f"An event trigger runs at each {row.event} in the database: {word(row.name)}."
        yield Finding(what, row.name, RESTORE)
    for row in connection.execute(_ADDED, {"own": OWN}):
        what = f"{row.what[0].upper()}{row.what[1:]} was added to PostgreSQL's own: "
        yield Finding(f"{what}{word(row.name)}.", row.name, RESTORE)
    for row in connection.execute(_CASTS, {"own": OWN}):
        words = f"{row.source} to {row.target}"
        yield Finding(f"A cast was added to PostgreSQL's own: {word(words)}.", words, RESTORE)
    for row in connection.execute(_USES, {"own": OWN, "schema": SCHEMA}):
        what = f"{word(row.what)} of the schema {SCHEMA} uses what is not Sealift's: "
        yield Finding(f"{what}{word(row.used)}.", row.what, RESTORE)


_DEFINERS = text("""
SELECT DISTINCT n.nspname || '.' || p.proname AS name,
    pg_catalog.pg_get_userbyid(p.proowner) AS owner
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_roles r ON r.oid = p.proowner,
    (SELECT s.nspowner FROM pg_catalog.pg_namespace s WHERE s.nspname = :schema) ours
WHERE p.prosecdef AND p.oid >= :own AND (r.rolsuper
        OR pg_catalog.pg_has_role(r.oid, ours.nspowner, 'MEMBER'))
    AND EXISTS (SELECT FROM pg_catalog.pg_roles m
        WHERE pg_catalog.pg_has_role(:role, m.oid, 'MEMBER')
        AND pg_catalog.has_function_privilege(m.oid, p.oid, 'EXECUTE')
        AND pg_catalog.has_schema_privilege(m.oid, n.oid, 'USAGE'))
ORDER BY 1
""")
_VIEWS = text("""
SELECT DISTINCT n.nspname || '.' || v.relname AS name,
    pg_catalog.pg_get_userbyid(v.relowner) AS owner
FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
JOIN pg_catalog.pg_class v ON v.oid = w.ev_class
JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
JOIN pg_catalog.pg_namespace s ON s.oid = t.relnamespace
WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND s.nspname = :schema AND n.oid <> s.oid
    AND EXISTS (SELECT FROM pg_catalog.pg_roles m
        WHERE pg_catalog.pg_has_role(:role, m.oid, 'MEMBER')
        AND pg_catalog.has_schema_privilege(m.oid, n.oid, 'USAGE')
        AND (pg_catalog.has_table_privilege(m.oid, v.oid, 'INSERT, UPDATE, DELETE')
            OR pg_catalog.has_any_column_privilege(m.oid, v.oid, 'INSERT, UPDATE')))
ORDER BY 1
""")


def doors(connection: Connection, role: str) -> Iterator[Finding]:
    """By which `role` acts with the rights of the tables' owner, or of a superuser."""
    for row in connection.execute(_DEFINERS, {"own": OWN, "schema": SCHEMA, "role": role}):
        what = f"The application's role {word(role)} may run the function {word(row.name)}, "
        what += f"which acts as {word(row.owner)} (SECURITY DEFINER)."
        yield Finding(what, row.name, "REVOKE EXECUTE on it FROM PUBLIC, and from the role.")
    for row in connection.execute(_VIEWS, {"schema": SCHEMA, "role": role}):
        what = f"The application's role {word(role)} may change Sealift's rows by the view or rule "
        what += f"{word(row.name)}, which acts as {word(row.owner)}."
        yield Finding(what, row.name, "REVOKE its privileges FROM PUBLIC, and from the role.")
