"""Triggers that make SQLite refuse every change to a table but new rows at new keys.

Or, of a table whose rows make room for newer ones, to each newest row.

`INSERT OR REPLACE` deletes a row without telling any DELETE trigger, unless the connection has
recursive_triggers on; a stranger's connection has not. So a BEFORE INSERT trigger looks for the
row that would be replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def guarded(table: str, *keys: Sequence[str]) -> Iterator[str]:
    """The statements that make `table` append-only; `keys` are all its unique sets of columns."""
    yield _never(table, "UPDATE")
    yield _never(table, "DELETE")
    yield _never_replaced(table, *keys)


def guarded_newest(table: str, kind: str, version: str) -> Iterator[str]:
    """The statements by which no row of `table` changes, and none goes but for a newer one.

    Args:
        table: with `kind` and `version` as its only key.
        kind: the column by which rows are of one kind.
        version: the column by which one of them is newer than another.
    """
    yield _never(table, "UPDATE")
    yield (
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "  # noqa: S608 - our own names
        f"WHEN NOT EXISTS (SELECT 1 FROM {table} "
        f"WHERE {kind} = OLD.{kind} AND {version} > OLD.{version}) "
        f"BEGIN SELECT RAISE(ABORT, '{table} keeps the newest'); END"
    )
    yield _never_replaced(table, [kind, version])


def unguarded(table: str) -> Iterator[str]:
    """The statements that take away what `guarded` made."""
    for change in ("update", "delete", "replace"):
        yield f"DROP TRIGGER IF EXISTS {table}_no_{change}"


def _never(table: str, change: str) -> str:
    return (
        f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def _never_replaced(table: str, *keys: Sequence[str]) -> str:
    same = " OR ".join(
        "(" + " AND ".join(f"{column} = NEW.{column}" for column in key) + ")" for key in keys
    )
    return (
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "  # noqa: S608 - our own names
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )
