"""Triggers that make PostgreSQL refuse every change to a table but new rows.

Or, of a table whose rows make room for newer ones, to each newest row.

The application's role has no privilege to change or delete what is guarded (`postgres_privileges`);
these stop whoever has, such as a table's owner who errs, and a superuser. They are `ENABLE ALWAYS`,
so that `session_replication_role` does not turn them off. An owner can still drop them, which
`sealift db check` tells.

UPDATE and DELETE are refused row by row: a trigger for each statement would not hear of rows that
are changed by way of a parent table. TRUNCATE knows no rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

REFUSE_CHANGE = "refuse_change"
KEEP_NEWEST = "keep_newest"

BODIES = {
    REFUSE_CHANGE: """
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '23000';
END
""",
    KEEP_NEWEST: """
DECLARE
    newer boolean;
BEGIN
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM %I.%I WHERE %I = ($1).%I AND %I > ($1).%I)',
        TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0], TG_ARGV[0], TG_ARGV[1], TG_ARGV[1]
    ) INTO newer USING OLD;
    IF NOT newer THEN
        RAISE EXCEPTION '% keeps the newest', TG_TABLE_NAME USING ERRCODE = '23000';
    END IF;
    RETURN OLD;
END
""",
}
"""What each function does, in PL/pgSQL, to the letter: `pg_proc.prosrc`."""

SETTING = "search_path=pg_catalog, pg_temp"
"""Under which they run, so that every name in them means ours (`pg_proc.proconfig`)."""


@dataclass(frozen=True)
class Trigger:
    """A trigger, as `table` has it.

    Attributes:
        change: UPDATE, DELETE or TRUNCATE, before which it is asked.
        function: which it calls, with `arguments`.
    """

    table: str
    change: str
    function: str
    arguments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return f"{self.table}_no_{self.change.lower()}"

    @property
    def each(self) -> str:
        """How often it is asked."""
        return "STATEMENT" if self.change == "TRUNCATE" else "ROW"


def triggers(table: str) -> list[Trigger]:
    """The triggers of a table that is append-only."""
    return [Trigger(table, change, REFUSE_CHANGE) for change in ("UPDATE", "DELETE", "TRUNCATE")]


def newest_triggers(table: str, kind: str, version: str) -> list[Trigger]:
    """The triggers of a table that keeps each newest row."""
    update, _, truncate = triggers(table)
    return [update, Trigger(table, "DELETE", KEEP_NEWEST, (kind, version)), truncate]


def guarded(table: str) -> Iterator[str]:
    """The statements that make `table` append-only."""
    yield from _functions()
    for one in triggers(table):
        yield from _made(one)


def guarded_newest(table: str, kind: str, version: str) -> Iterator[str]:
    """The statements by which no row of `table` changes, and none goes but for a newer one."""
    yield from _functions()
    for one in newest_triggers(table, kind, version):
        yield from _made(one)


def unguarded(table: str) -> Iterator[str]:
    """The statements that take away what `guarded` made."""
    for one in triggers(table):
        yield f"DROP TRIGGER IF EXISTS {one.name} ON {table}"


def _functions() -> Iterator[str]:
    """Each function; the first table that is guarded makes them, and the next find the same."""
    for name, body in BODIES.items():
        setting = SETTING.replace("=", " = ", 1)
        yield (
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger "
            f"LANGUAGE plpgsql SET {setting} AS $${body}$$"
        )


def _made(one: Trigger) -> Iterator[str]:
    arguments = ", ".join(f"'{argument}'" for argument in one.arguments)
    yield (
        f"CREATE TRIGGER {one.name} BEFORE {one.change} ON {one.table} "
        f"FOR EACH {one.each} EXECUTE FUNCTION {one.function}({arguments})"
    )
    yield f"ALTER TABLE {one.table} ENABLE ALWAYS TRIGGER {one.name}"
