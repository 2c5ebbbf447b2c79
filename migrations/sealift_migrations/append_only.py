"""Triggers that make SQLite refuse every change to a table but new rows at new keys.

`INSERT OR REPLACE` deletes a row without telling any DELETE trigger, unless the connection has
recursive_triggers on; a stranger's connection has not. So a BEFORE INSERT trigger looks for the
row that would be replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def guard(table: str, *keys: Sequence[str]) -> Iterator[str]:
    """The statements that make `table` append-only; `keys` are all its unique sets of columns."""
    for change in ("UPDATE", "DELETE"):
        yield (
            f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
    same = " OR ".join(
        "(" + " AND ".join(f"{column} = NEW.{column}" for column in key) + ")" for key in keys
    )
    yield (
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "  # noqa: S608 - our own names
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )
