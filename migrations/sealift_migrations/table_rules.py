"""What may happen to each table of the newest schema: one list, for all who ask.

The steps guard tables as they make them, each as it was right then. This is what comes of them,
which a test holds: from it PostgreSQL's privileges are granted (`postgres_privileges`) and what its
catalog says is checked (`registry.storage.postgres_catalog`). A step that makes a table adds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sealift_migrations.postgres_guards import Trigger, newest_triggers, triggers

VERSION_TABLE = "alembic_version"
"""Which step the database is at. The owner alone writes it."""


@dataclass(frozen=True)
class Rule:
    """What may happen to a table's rows.

    Attributes:
        words: that, for people.
        privileges: what the application needs for it, in PostgreSQL's words.
        builders: the same of builders on other machines.
        guarded: no row ever changes or goes; triggers hold it.
        newest: or but for a newer one: the columns that say what is newer than what.
    """

    words: str
    privileges: frozenset[str]
    builders: frozenset[str] = frozenset()
    guarded: bool = False
    newest: tuple[str, str] | None = None

    def triggers(self, table: str) -> list[Trigger]:
        """Those that hold it, on PostgreSQL."""
        if self.newest is not None:
            return newest_triggers(table, *self.newest)
        return triggers(table) if self.guarded else []


_READ = frozenset({"SELECT"})
_ADD = _READ | {"INSERT"}

SIGNED = Rule("rows are added, and never change or go", _ADD, guarded=True)
BODIES = Rule("a row goes when a newer one is there", _ADD | {"DELETE"}, newest=("role", "version"))
ADDED = Rule("rows are added; what they say was signed, and is compared with it", _ADD)
DERIVED = Rule("rows are derived from others, and made anew", _ADD | {"DELETE"})
PASSING = Rule("rows are added, and go when they are old", _ADD | {"DELETE"})
ORDERED = Rule("rows are added, and go when they are answered", _ADD | {"DELETE"}, _READ)
ANSWERED = Rule("builders add rows, and the hub takes them out", _ADD | {"DELETE"}, _ADD)
ENDING = Rule("rows are added, and go when they are used, ended or over", _ADD | {"DELETE"})
COUNTED = Rule(
    "rows are added, note what was last, and go when they are over", _ADD | {"DELETE", "UPDATE"}
)
READ = Rule("rows are the owner's to write", _READ)

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(["log_entry", "log_term", "log_tile", "log_checkpoint", "seen_ahead"], SIGNED),
    "moved": SIGNED,
    **dict.fromkeys(["tuf_metadata", "tuf_online", "tuf_document", "statement"], SIGNED),
    **dict.fromkeys(["site", "bundle", "receipt", "site_entry", "site_checkpoint"], SIGNED),
    "tuf_online_body": BODIES,
    **dict.fromkeys(["model_version", "version_alias", "goldens", "artifact"], ADDED),
    **dict.fromkeys(["evidence", "promotion", "approval", "objection", "listing"], ADDED),
    **dict.fromkeys(["transfer", "derived_table"], ADDED),
    "site_state": DERIVED,
    **dict.fromkeys(["job", "job_attempt", "job_setback", "job_end"], PASSING),
    **dict.fromkeys(["blob_claim", "condemned_blob"], PASSING),
    "build_order": ORDERED,
    "build_result": ANSWERED,
    "account": ADDED,
    **dict.fromkeys(["account_grant", "account_secret", "invitation"], ENDING),
    **dict.fromkeys(["account_challenge", "one_time_code"], ENDING),
    # When a session or token was used last is in no entry, and lets nobody in that none lets in.
    **dict.fromkeys(["session", "api_token", "sign_in_failure", "once_answer"], COUNTED),
    VERSION_TABLE: READ,
}
"""Every table, by its name."""


def all_triggers() -> Iterator[Trigger]:
    """Every trigger that there is on PostgreSQL, and no other."""
    for table, rule in RULES.items():
        yield from rule.triggers(table)
