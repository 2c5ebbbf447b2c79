"""What makes tables refuse change, on whichever database a step runs.

SQLite and PostgreSQL have nothing in common there but the names of the triggers: what each is told
stands in `sqlite_guards` and `postgres_guards`. Steps call these functions, and ask for no engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alembic import op

from sealift_migrations import postgres_guards, sqlite_guards


def guard(table: str, *keys: Sequence[str]) -> None:
    """Make `table` append-only; `keys` are all its unique sets of columns."""
    if _sqlite():
        _run(sqlite_guards.guarded(table, *keys))
    else:
        _run(postgres_guards.guarded(table))


def guard_newest(table: str, kind: str, version: str) -> None:
    """Have no row of `table` change, and none go but for a newer one.

    Args:
        table: with `kind` and `version` as its only key.
        kind: the column by which rows are of one kind.
        version: the column by which one of them is newer than another.
    """
    if _sqlite():
        _run(sqlite_guards.guarded_newest(table, kind, version))
    else:
        _run(postgres_guards.guarded_newest(table, kind, version))


def unguard(table: str) -> None:
    """Take away what `guard` made, within a step that guards the table again."""
    _run(sqlite_guards.unguarded(table) if _sqlite() else postgres_guards.unguarded(table))


def _sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _run(statements: Iterable[str]) -> None:
    for statement in statements:
        op.execute(statement)
