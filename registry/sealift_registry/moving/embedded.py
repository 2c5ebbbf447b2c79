"""A hub whose rows come into its home: the new file is made beside, and put in place whole.

What lies there from before the rows went elsewhere is kept under another name. It has left, and
signs nothing more under that name either.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sealift_registry.audit import moved
from sealift_registry.storage import database_files, opening
from sealift_registry.storage.database import Database
from sealift_registry.storage.home import Home
from sealift_registry.trust import whereabouts
from sealift_signing.errors import FailedError
from sealift_sync import durable

INCOMING = "sealift.db.incoming"
KEPT = "sealift.db.moved"


def check_free(home: Home, source: str) -> None:
    """Check that a database may come into the home: what is there has left, or is such a copy.

    `source` is the place from which the rows come.

    Raises:
        FailedError: a database is there that counts.
    """
    path = home.database_file
    if not path.exists():
        return
    with _opened(home, path) as database, database.in_words():
        database.bring_up_to_date()  # it may be older than the table that says where it went
        with database.reading() as connection:
            left = whereabouts.went_to(connection) is not None
            arrives = moved.comes_from(moved.history(connection)) == source
    if not left and not arrives:
        raise FailedError(
            "home-has-database",
            f"{path} is a database that was not moved anywhere, and nothing takes its place.",
            subject=str(path),
            next_step="Find out whose it is. If it is of no use, put it into another folder.",
        )


@contextmanager
def begun(home: Home) -> Iterator[Database]:
    """A new database, with tables and nothing in them; what an earlier run left goes."""
    path = home.root / INCOMING
    database_files.remove(path)
    with _opened(home, path) as database:
        with database.in_words():
            database.bring_up_to_date()
        yield database


def put_in_place(home: Home) -> None:
    """Have the new database be the home's, by its name.

    Raises:
        FailedError: a file could not be renamed; the command can be run again.
    """
    path, incoming = home.database_file, home.root / INCOMING
    try:
        database_files.settle(incoming)
        if path.exists():
            with _opened(home, path) as database, database.reading() as connection:
                has_left = whereabouts.went_to(connection) is not None
            database_files.settle(path)
            if has_left:
                _keep(path)
        incoming.replace(path)
        durable.flush_folder(home.root)
    except OSError as bad:
        raise durable.unwritable(path, bad) from bad


def _keep(path: Path) -> None:
    """Give a database that has left another name, which nothing has."""
    names = (path.with_name(f"{KEPT}{end}") for end in ("", *(f"-{n}" for n in range(2, 1_000))))
    path.replace(next(name for name in names if not name.exists()))


@contextmanager
def _opened(home: Home, path: Path) -> Iterator[Database]:
    with closing(opening.embedded(home, path)) as database:
        yield database
