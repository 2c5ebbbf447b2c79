"""The tables of a site's log, as the hub's migrations make them: the same columns and triggers.

They are part of the first step of the site's schema (`schema_steps.py`), and change by a further
one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

_TABLES = """
CREATE TABLE IF NOT EXISTS log_entry (
    seq INTEGER NOT NULL,
    leaf BLOB NOT NULL,
    body BLOB NOT NULL,
    id VARCHAR NOT NULL,
    type VARCHAR NOT NULL,
    site VARCHAR,
    recorded_at VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    CONSTRAINT pk_log_entry PRIMARY KEY (seq),
    CONSTRAINT uq_log_entry_id UNIQUE (id)
);
CREATE INDEX IF NOT EXISTS ix_log_entry_type ON log_entry (type);
CREATE INDEX IF NOT EXISTS ix_log_entry_site ON log_entry (site);
CREATE INDEX IF NOT EXISTS ix_log_entry_actor ON log_entry (actor);
CREATE INDEX IF NOT EXISTS ix_log_entry_day ON log_entry (substr(recorded_at, 1, 10));
CREATE TABLE IF NOT EXISTS log_term (
    kind VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    seq INTEGER NOT NULL,
    CONSTRAINT pk_log_term PRIMARY KEY (kind, value, seq),
    CONSTRAINT fk_log_term_seq FOREIGN KEY (seq) REFERENCES log_entry (seq)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ix_log_term_seq ON log_term (seq);
CREATE TABLE IF NOT EXISTS log_tile (
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    root BLOB NOT NULL,
    hashes BLOB NOT NULL,
    CONSTRAINT pk_log_tile PRIMARY KEY (level, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_checkpoint (
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    frontier BLOB NOT NULL,
    leaves BLOB NOT NULL,
    note BLOB NOT NULL,
    CONSTRAINT pk_log_checkpoint PRIMARY KEY (size)
);
"""

_GUARDS = """
CREATE TRIGGER IF NOT EXISTS {table}_no_update BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
CREATE TRIGGER IF NOT EXISTS {table}_no_delete BEFORE DELETE ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
CREATE TRIGGER IF NOT EXISTS {table}_no_replace BEFORE INSERT ON {table}
WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
"""

# INSERT OR REPLACE deletes what it replaces without telling a DELETE trigger, unless the
# connection has recursive_triggers on; so what would be replaced is looked for before.
_SAME = {
    "log_entry": "(seq = NEW.seq) OR (id = NEW.id)",
    "log_term": "(kind = NEW.kind AND value = NEW.value AND seq = NEW.seq)",
    "log_tile": "(level = NEW.level AND number = NEW.number)",
    "log_checkpoint": "(size = NEW.size)",
}


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the log's tables, where they are not there, and the triggers that refuse every change.

    Part of the caller's transaction, if it has begun one.
    """
    guards = "".join(_GUARDS.format(table=table, same=same) for table, same in _SAME.items())
    for statement in statements(_TABLES + guards):
        connection.execute(statement)


def statements(script: str) -> Iterator[str]:
    """Each statement of `script`; SQLite's own executescript() would commit what was begun."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
