"""The engine's rows at the hub's database server, in the schema `sealift_jobs`.

`sealift db upgrade` makes its tables, as whoever owns them; no process of the hub's may.
"""

from __future__ import annotations

from typing import cast

from dbos._error import DBOSInitializationError
from sqlalchemy import inspect

from sealift_migrations import JOBS_SCHEMA
from sealift_registry.jobs import dbos_tables
from sealift_registry.jobs.dbos_liveness import LEASE, Leases
from sealift_registry.jobs.dbos_place import Place
from sealift_registry.storage.database import Database
from sealift_registry.storage.postgresql import PostgresDatabase, open_beside
from sealift_signing.errors import FailedError


def shared(hub: Database, lease: float = LEASE) -> Place:
    """The engine's rows at the server of this database.

    Args:
        hub: the hub's own rows.
        lease: seconds that a worker may say nothing.

    Raises:
        FailedError: the server cannot be reached, or the tables are not there, or are older.
    """
    database = open_beside(cast("PostgresDatabase", hub).url)
    schema = JOBS_SCHEMA
    leases = Leases(database.execution_options(schema_translate_map={None: schema}), lease)
    place = Place(database, schema, hub.where, leases, hub.in_words)
    try:
        with hub.in_words():
            _check(place)
    except BaseException:
        place.shut()
        raise
    return place


def _check(place: Place) -> None:
    ours = set(dbos_tables.metadata.tables)
    try:
        if not ours <= set(inspect(place.database).get_table_names(schema=place.schema)):
            raise _older(place.where)
        place.client._sys_db.verify_migrations()  # noqa: SLF001 - it has no other name for it
    except DBOSInitializationError as bad:
        raise _older(place.where) from bad


def _older(where: str) -> FailedError:
    return FailedError(
        "engine-older",
        f"The database {where} has no tables for jobs, or older ones than this version of Sealift "
        "works with.",
        subject=JOBS_SCHEMA,
        next_step="Have whoever may change its tables run, with sealift-registry[jobs] installed: "
        "sealift db upgrade",
    )
