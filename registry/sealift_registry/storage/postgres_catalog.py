"""Whether a database on PostgreSQL is still built as the migrations built it: its catalog's word.

Who owns the tables can have them lie: a view in a table's place, row security that hides rows, a
trigger that is off, a function that does something else. None of that changes a row, so nothing
that was signed contradicts it. `tampered` is a sentence on each; `sealift db check` asks besides
for the server and the roles (`postgres_check`), and `sealift audit verify` for these.

What is asked is read from PostgreSQL's own tables, as numbers and names: whatever text they would
print depends on who asks. A superuser who changes those tables themselves is not found here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    Row,
    Table,
    UniqueConstraint,
    text,
)

from sealift_migrations import SCHEMA, postgres_guards
from sealift_migrations.column_types import COLLATION
from sealift_migrations.postgres_guards import Trigger
from sealift_migrations.table_rules import RULES, VERSION_TABLE, all_triggers
from sealift_registry.storage import postgres_beside
from sealift_registry.storage.postgres_finding import RESTORE, Finding
from sealift_registry.storage.schema import ONLY, BytesType, Number, Text, metadata
from sealift_signing.drawing import word

TYPES = {Text: "character varying", Number: "bigint", BytesType: "bytea"}

_BEFORE = 2
_BITS = {"ROW": 1, "STATEMENT": 0, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}
"""Of `pg_trigger.tgtype`."""

_KINDS = {
    "v": "a view",
    "m": "a materialized view",
    "p": "a partitioned table",
    "f": "a foreign table",
    "S": "a sequence",
    "c": "a type",
}
_ACTIONS = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def tampered(connection: Connection) -> Iterator[str]:
    """A sentence on all by which the database's tables could show other rows than there are.

    Every room's tables must have been loaded.
    """
    for one in findings(connection):
        yield one.what


def findings(connection: Connection) -> Iterator[Finding]:
    """The same, with what to do."""
    owns = owner(connection)
    if owns is None:
        yield Finding(
            f"The database has no schema {SCHEMA}.",
            SCHEMA,
            "Have its administrator run what this prints: sealift db init",
        )
        return
    there = {str(row.name): row for row in _rows(connection, _RELATIONS)}
    tables = [name for name in RULES if name in there and there[name].kind == "r"]
    for name in RULES:
        yield from _table(name, there.get(name), owns)
    for what, name in _strangers(connection, there):
        yield Finding(f"The schema has {what} that is not Sealift's: {word(name)}.", name, RESTORE)
    yield from _columns(connection, tables)
    yield from _constraints(connection, tables)
    yield from _indexes(connection, tables)
    yield from _triggers(connection, tables)
    yield from _functions(connection, owns)
    yield from postgres_beside.findings(connection)


def _rows(connection: Connection, query: str, **more: int) -> list[Row[Any]]:
    return list(connection.execute(text(query), {"schema": SCHEMA, **more}))


def owner(connection: Connection) -> str | None:
    """The role that owns our schema; None where that is not there."""
    query = (
        "SELECT pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace "
        "WHERE nspname = :schema"
    )
    return connection.execute(text(query), {"schema": SCHEMA}).scalar()


_RELATIONS = """
SELECT c.oid, c.relname AS name, c.relkind::text AS kind, c.relpersistence::text AS persistence,
    c.relrowsecurity OR c.relforcerowsecurity AS secured,
    pg_catalog.pg_get_userbyid(c.relowner) AS owner,
    EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid) AS policies,
    EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid) AS rules,
    EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) AS children,
    EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid) AS parents,
    a.amname AS method
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
WHERE n.nspname = :schema AND c.relkind NOT IN ('i', 'I', 't')
"""


def _table(name: str, row: Row[Any] | None, owns: str) -> Iterator[Finding]:
    """Whether it is there, and a table like any other."""
    if row is None:
        yield Finding(f"The table {name} is missing.", name, RESTORE)
        return
    if row.kind != "r":
        kind = _KINDS.get(row.kind, "something else")
        yield Finding(f"{name} is {kind}, and no table.", name, RESTORE)
        return
    for wrong, words in (
        (row.owner != owns, f"is owned by {word(row.owner)}, and the schema by {word(owns)}"),
        (row.persistence != "p", "is emptied when the server crashes: it is unlogged"),
        (row.method != "heap", f"is kept by {word(str(row.method))}, and not as tables are"),
        (row.secured or row.policies, "has row security, which hides rows"),
        (row.rules, "has a rule, which does something else than it is asked"),
        (row.children, "has a child table, whose rows are shown as its own"),
        (row.parents, "is the child of another table, by which its rows can be changed"),
    ):
        if wrong:
            yield Finding(f"The table {name} {words}.", name, RESTORE)


_OTHERS = """
SELECT 'a function' AS what, p.proname::text AS name FROM pg_catalog.pg_proc p
    WHERE p.pronamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = :schema)
UNION ALL SELECT 'an operator', o.oprname FROM pg_catalog.pg_operator o
    WHERE o.oprnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = :schema)
UNION ALL SELECT 'a collation', c.collname FROM pg_catalog.pg_collation c
    WHERE c.collnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = :schema)
UNION ALL SELECT 'a type', t.typname FROM pg_catalog.pg_type t
    WHERE t.typnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = :schema)
    AND t.typrelid = 0 AND t.typcategory <> 'A'
"""


def _strangers(connection: Connection, there: Mapping[str, Row[Any]]) -> Iterator[tuple[str, str]]:
    """What lies beside the tables: statements look their functions and operators up there."""
    for name, row in there.items():
        if name not in RULES:
            yield _KINDS.get(row.kind, "a table"), name
    ours = set(postgres_guards.BODIES)
    for row in _rows(connection, _OTHERS):
        if row.what == "a function" and row.name in ours:
            ours.remove(row.name)  # a second one of that name is none of ours
        else:
            yield row.what, row.name


_COLUMNS = """
SELECT c.relname AS table, a.attname AS name,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    a.attnotnull AS required, o.collname AS collation,
    a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '' AS filled
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_collation o ON o.oid = a.attcollation
WHERE n.nspname = :schema AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
"""


def _columns(connection: Connection, tables: list[str]) -> Iterator[Finding]:
    """Each with its type, its order, and nothing that fills it by itself."""
    found = {(row.table, row.name): row for row in _rows(connection, _COLUMNS)}
    for name in tables:
        if name == VERSION_TABLE:
            continue
        said = metadata.tables[name].columns
        for one in (key for key in found if key[0] == name and key[1] not in said):
            words = f"The table {name} has a column that is not Sealift's: {word(one[1])}."
            yield Finding(words, ".".join(one), RESTORE)
        for column in said:
            where, row = f"{name}.{column.name}", found.get((name, column.name))
            if row is None:
                yield Finding(f"The column {where} is missing.", where, RESTORE)
                continue
            type_ = TYPES[type(column.type)]
            order = COLLATION if isinstance(column.type, Text) else None
            for wrong, words in (
                (row.type != type_, f"is of type {row.type}, and not {type_}"),
                (row.collation != order, f"is ordered by {row.collation}, and not {order}"),
                (row.required == column.nullable, "may be empty, or may not, other than it should"),
                (row.filled, "is filled by the database itself"),
            ):
                if wrong:
                    yield Finding(f"The column {where} {words}.", where, RESTORE)


_CONSTRAINTS = """
SELECT c.relname AS table, k.conname AS name, k.contype::text AS kind,
    CASE f.relnamespace WHEN k.connamespace THEN '' ELSE f.relnamespace::regnamespace || '.' END
        || f.relname AS other,
    k.convalidated AND NOT k.condeferrable AS holds, k.confupdtype::text AS updated,
    k.confdeltype::text AS deleted,
    ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number
        ORDER BY u.place) AS columns,
    ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number
        ORDER BY u.place) AS others,
    EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgconstraint = k.oid
    AND t.tgenabled = 'D') AS off
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
WHERE n.nspname = :schema AND c.relkind = 'r' AND k.contype <> 'n'
"""


def _constraints(connection: Connection, tables: list[str]) -> Iterator[Finding]:
    """Keys, and what refers to them: just those that the rooms' tables have."""
    found: dict[str, dict[str, Row[Any]]] = {name: {} for name in tables}
    for row in _rows(connection, _CONSTRAINTS):
        if row.table in found:
            found[row.table][_constraint(row)] = row
    for name in tables:
        if name == VERSION_TABLE:
            continue
        wanted = set(_wanted(metadata.tables[name]))
        for one in sorted(wanted - found[name].keys()):
            yield Finding(f"The table {name} lacks its {one}.", name, RESTORE)
        for one, row in sorted(found[name].items()):
            if one not in wanted:
                words = f"The table {name} has a constraint that is not Sealift's: {one}."
                yield Finding(words, row.name, RESTORE)
            elif row.off or not row.holds:
                yield Finding(f"The {one} of {name} is not enforced.", name, RESTORE)


def _constraint(row: Row[Any]) -> str:
    columns = ", ".join(row.columns)
    if row.kind == "p":
        return f"primary key ({columns})"
    if row.kind == "u":
        return f"unique key ({columns})"
    if row.kind != "f":
        return word(row.name)
    actions = {row.updated, row.deleted} - {"a"}
    more = "".join(f" {_ACTIONS.get(one, one)}" for one in sorted(actions))
    return f"foreign key ({columns}) to {row.other} ({', '.join(row.others)}){more}"


def _wanted(table: Table) -> Iterator[str]:
    for one in table.constraints:
        columns = ", ".join(one.columns.keys()) if hasattr(one, "columns") else ""
        if isinstance(one, PrimaryKeyConstraint):
            yield f"primary key ({columns})"
        elif isinstance(one, UniqueConstraint):
            yield f"unique key ({columns})"
        elif isinstance(one, ForeignKeyConstraint):
            others = ", ".join(element.column.name for element in one.elements)
            yield f"foreign key ({columns}) to {one.referred_table.name} ({others})"


_BYTEWISE = 950
"""The oid of the collation "C", of which an expression's index is."""
_EXPRESSIONS = {"substr(recorded_at, 1, 10)": "substr((recorded_at)::text, 1, 10)"}

_INDEXES = """
SELECT c.relname AS table, x.relname AS name, i.indisvalid AND i.indisready AND i.indislive AS good,
    i.indisunique AS single, ARRAY(
        SELECT coalesce(a.attname::text,
            pg_catalog.pg_get_indexdef(i.indexrelid, u.place::integer, false))
            || CASE WHEN o.opcdefault AND o.oid < :own
            AND (i.indcollation::oid[])[u.place - 1] = coalesce(a.attcollation, :bytewise)
            AND (i.indoption::smallint[])[u.place - 1] = 0 THEN '' ELSE ' otherwise' END
        FROM pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY u (number, place)
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
        LEFT JOIN pg_catalog.pg_opclass o ON o.oid = (i.indclass::oid[])[u.place - 1]
        ORDER BY u.place) AS columns,
    i.indpred IS NULL AND m.amname = 'btree' AS plain,
    EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid
        AND k.conrelid = i.indrelid) AS of_key
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_am m ON m.oid = x.relam
WHERE n.nspname = :schema AND c.relkind = 'r'
"""


def _indexes(connection: Connection, tables: list[str]) -> Iterator[Finding]:
    """Those of the rooms: an index of another's may run a function of theirs for each new row."""
    every = _rows(connection, _INDEXES, own=postgres_beside.OWN, bytewise=_BYTEWISE)
    found = {(row.table, row.name): row for row in every if not row.of_key}
    wanted = {
        (name, str(index.name)): index
        for name in tables
        if name != VERSION_TABLE
        for index in metadata.tables[name].indexes
        if index.info.get(ONLY, "postgresql") == "postgresql"
    }
    for table, name in sorted(wanted.keys() - {key for key, row in found.items() if row.good}):
        words = f"The index {name} of {table} is missing or not valid."
        yield Finding(words, name, f"Make it again, with REINDEX where it is there. {RESTORE}")
    for key, row in sorted(found.items()):
        table, name = key
        if key not in wanted:
            words = f"{table} has an index that is not Sealift's: {word(name)}."
        elif (row.plain, row.single, row.columns) == (True, wanted[key].unique, _of(wanted[key])):
            continue
        else:
            words = f"The index {name} of {table} is not made as Sealift makes it."
        yield Finding(words, name, RESTORE)


def _of(index: Index) -> list[str]:
    """What an index is of, as PostgreSQL prints it when only its own names are in the way."""
    return [
        one.name if isinstance(one, Column) else _EXPRESSIONS.get(str(one), str(one))
        for one in index.expressions
    ]


_TRIGGERS = """
SELECT c.relname AS table, t.tgname AS name, t.tgenabled::text AS enabled, t.tgtype AS type,
    p.proname AS function, pn.nspname AS space, t.tgqual IS NOT NULL AS conditional,
    pg_catalog.cardinality(t.tgattr::smallint[]) AS columns,
    pg_catalog.encode(t.tgargs, 'hex') AS arguments
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
WHERE n.nspname = :schema AND NOT t.tgisinternal
"""


def _triggers(connection: Connection, tables: list[str]) -> Iterator[Finding]:
    """Those of the rules, which fire whatever is set, and do what they were made for."""
    found = {(row.table, row.name): row for row in _rows(connection, _TRIGGERS)}
    wanted = {(one.table, one.name): one for one in all_triggers()}
    for key, one in wanted.items():
        if one.table not in tables:
            continue  # which is said already
        row = found.get(key)
        if row is None:
            yield _trigger(one, "is missing")
        elif row.enabled != "A":
            yield _trigger(one, "is disabled" if row.enabled == "D" else "does not fire always")
        elif _does_otherwise(row, one):
            yield _trigger(one, "does something else than it was made for")
    for table, name in sorted(found.keys() - wanted.keys()):
        words = f"{word(table)} has a trigger that is not Sealift's: {word(name)}."
        yield Finding(words, name, RESTORE)


def _does_otherwise(row: Row[Any], one: Trigger) -> bool:
    arguments = b"".join(argument.encode() + b"\0" for argument in one.arguments)
    return (
        row.type != _BEFORE | _BITS[one.each] | _BITS[one.change]
        or (row.space, row.function) != (SCHEMA, one.function)
        or row.conditional
        or row.columns != 0
        or row.arguments != arguments.hex()
    )


def _trigger(one: Trigger, words: str) -> Finding:
    what = f"The trigger {one.name}, which refuses {one.change} of {one.table}, {words}."
    return Finding(what, one.name, RESTORE)


_FUNCTIONS = """
SELECT p.proname AS name, p.prosrc AS body, p.proconfig AS settings, p.prosecdef AS defined,
    l.lanname AS language, pg_catalog.pg_get_userbyid(p.proowner) AS owner,
    p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype AS triggers
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE n.nspname = :schema AND p.pronargs = 0
"""


def _functions(connection: Connection, owns: str) -> Iterator[Finding]:
    """What triggers call, to the letter."""
    found = {row.name: row for row in _rows(connection, _FUNCTIONS)}
    for name, body in postgres_guards.BODIES.items():
        row = found.get(name)
        if row is None:
            yield Finding(f"The function {name} is missing.", name, RESTORE)
        elif (
            (row.body, row.settings) != (body, [postgres_guards.SETTING])
            or (row.language, row.owner) != ("plpgsql", owns)
            or (row.triggers, row.defined) != (True, False)
        ):
            words = f"The function {name}, which triggers call, is not as Sealift made it."
            yield Finding(words, name, RESTORE)
