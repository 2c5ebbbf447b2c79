"""What a site knows, in its one database; only `State.transaction` writes, and that all at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sealift_signing import events, shape
from sealift_signing.compromised import Compromised
from sealift_signing.documents import Recall, Withdrawal
from sealift_signing.floors import FloorKey, Floors
from sealift_signing.statements import Pins
from sealift_signing.tuf_walk import Keep, RoleKey
from sealift_signing.vocabulary import CatalogPath, instant, moment
from sealift_sync.site.state import schema_steps
from sealift_sync.site.state.connection import open_database, unusable
from sealift_sync.site.state.records import Current, Imported, Installed, RolledBack


class State:
    """The site's database; `connection` is shared with the site's log.

    Args:
        file: made when it is not there.
        looks: nothing will be written; so where nothing can be, it is read all the same.

    Raises:
        FailedError: it cannot be used, or is newer than this software.
    """

    def __init__(self, file: Path, *, looks: bool = False) -> None:
        self._file = file
        self._recorded: list[tuple[int, str]] = []
        try:
            self.connection = open_database(file, looks=looks)
        except (sqlite3.Error, OSError) as bad:
            raise unusable(file, bad) from bad

    def bring_forward(self) -> None:
        """Take the steps of the schema that are due: each is one transaction with its number.

        Raises:
            FailedError: the database did not take one; it is as the step before left it.
        """
        while schema_steps.due(self.connection):
            with self.transaction():
                # Asked again: only now nobody else can take it.
                if step := schema_steps.due(self.connection):
                    schema_steps.take(self.connection, step)

    def close(self) -> None:
        """Let go of the database."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written within is committed together, or not at all.

        Raises:
            FailedError: the database did not take it; nothing changed.
        """
        self._recorded.clear()
        try:
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as bad:
            raise unusable(self._file, bad) from bad
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException as bad:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            if isinstance(bad, sqlite3.Error):
                raise unusable(self._file, bad) from bad
            raise
        for seq, kind in self._recorded:
            events.tell("log", "entry-committed", seq=seq, type=kind)

    def recorded(self, seq: int, kind: str) -> None:
        """Have an entry of the log told of, once the transaction that it is in was committed."""
        self._recorded.append((seq, kind))

    # -- single facts

    def fact(self, name: str) -> bytes | None:
        """The fact called `name`, if it is known."""
        rows = self._all("SELECT value FROM fact WHERE name = ?", name)
        return bytes(rows[0][0]) if rows else None

    def set_fact(self, name: str, value: bytes) -> None:
        """Remember `value` as `name`."""
        self.connection.execute("REPLACE INTO fact VALUES (?, ?)", (name, value))

    def clear_fact(self, name: str) -> None:
        """Forget what was remembered as `name`."""
        self.connection.execute("DELETE FROM fact WHERE name = ?", (name,))

    def pins(self, first: Pins) -> Pins:
        """The pins in force; `first` until they have risen."""
        data = self.fact("pins")
        return first if data is None else shape.read(Pins, data, what="this site's pins")

    def high_water(self) -> datetime | None:
        """The highest authenticated time that was seen."""
        data = self.fact("high-water")
        return None if data is None else instant(data.decode())

    # -- trust

    def roots(self) -> dict[int, bytes]:
        """Every root that was ever trusted, by version."""
        return {row[0]: bytes(row[1]) for row in self._all("SELECT version, data FROM root")}

    def trusted(self) -> dict[RoleKey, bytes]:
        """The metadata kept of each role, root aside."""
        rows = self._all("SELECT delegator, role, data FROM trusted")
        return {(row[0], row[1]): bytes(row[2]) for row in rows}

    def keep(self, kept: Keep) -> None:
        """Trust verified metadata from now on."""
        if kept.role == "root":
            # In place of one that its holders set aside, if there is one.
            self.connection.execute("REPLACE INTO root VALUES (?, ?)", (kept.version, kept.data))
            return
        row = (kept.delegator, kept.role, kept.version, kept.data)
        self.connection.execute("REPLACE INTO trusted VALUES (?, ?, ?, ?)", row)

    def floors(self) -> dict[FloorKey, int]:
        """The version below which a role never goes back, by (delegator, role, key set)."""
        rows = self._all("SELECT delegator, role, keys, version FROM floor_of_keys")
        return {(row[0], row[1], row[2]): row[3] for row in rows}

    def set_floors(self, floors: Floors) -> None:
        """Raise these floors; none ever falls."""
        rows = [(*key, version) for key, version in floors.items()]
        self.connection.executemany(
            "INSERT INTO floor_of_keys VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE "
            "SET version = MAX(version, excluded.version)",
            rows,
        )

    def drop_floor(self, key: FloorKey) -> None:
        """Forget a floor that others have taken over."""
        self.connection.execute(
            "DELETE FROM floor_of_keys WHERE (delegator, role, keys) = (?, ?, ?)", key
        )

    def hub_checkpoints(self) -> dict[str, bytes]:
        """The last checkpoint of the hub's log that this site took, by the key that signed it."""
        return {row[0]: bytes(row[1]) for row in self._all("SELECT key, note FROM hub_checkpoint")}

    def set_hub_checkpoint(self, key: str, note: bytes) -> None:
        """`note`, signed with `key`, is the last that this site took."""
        self.connection.execute("REPLACE INTO hub_checkpoint VALUES (?, ?)", (key, note))

    def every_recall(self) -> tuple[Recall, ...]:
        """Every recall ever seen; an artifact may have been recalled more than once."""
        bodies = (bytes(row[0]) for row in self._all("SELECT body FROM recall ORDER BY body"))
        return tuple(shape.read(Recall, body, what="a recall") for body in bodies)

    def recalls(self) -> dict[str, Recall]:
        """A recall of every artifact that was recalled, by its digest."""
        return {recall.sha256: recall for recall in self.every_recall()}

    def add_recall(self, recall: Recall) -> None:
        """Never forget this recall."""
        self.connection.execute("INSERT OR IGNORE INTO recall VALUES (?)", (shape.write(recall),))

    def withdrawals(self) -> dict[str, tuple[Withdrawal, ...]]:
        """Every withdrawal ever seen, by team."""
        found: dict[str, tuple[Withdrawal, ...]] = {}
        for team, body in self._all("SELECT team, body FROM withdrawal ORDER BY team, body"):
            one = shape.read(Withdrawal, bytes(body), what="a withdrawal")
            found[team] = (*found.get(team, ()), one)
        return found

    def add_withdrawal(self, team: str, withdrawal: Withdrawal) -> None:
        """Never forget this withdrawal."""
        row = (team, shape.write(withdrawal))
        self.connection.execute("INSERT OR IGNORE INTO withdrawal VALUES (?, ?)", row)

    def compromised(self) -> Compromised:
        """Every key ever called compromised, each with the role that entered it."""
        return frozenset((row[0], row[1]) for row in self._all("SELECT * FROM compromised"))

    def add_compromised(self, keys: Compromised) -> None:
        """Never forget that these keys are."""
        rows = sorted(keys)
        self.connection.executemany("INSERT OR IGNORE INTO compromised VALUES (?, ?)", rows)

    # -- artifacts

    def installed(self) -> tuple[Installed, ...]:
        """Everything that is installed, in order."""
        rows = self._all("SELECT * FROM installed")
        return tuple(sorted(_installed(row) for row in rows))

    def add_installed(self, artifact: Installed) -> None:
        """This artifact is installed; if it was already, the newer request's withdrawals count."""
        row = (
            artifact.group,
            str(artifact.path),
            artifact.sha256,
            json.dumps(artifact.despite),
            artifact.transfer,
            moment(artifact.installed_at),
        )
        self.connection.execute("REPLACE INTO installed VALUES (?, ?, ?, ?, ?, ?)", row)

    def current(self) -> dict[tuple[str, str], Current]:
        """What runs, by (host group, model)."""
        rows = self._all("SELECT host_group, model, path, sha256, since FROM current")
        return {
            (row[0], row[1]): Current(row[0], CatalogPath.parse(row[2]), row[3], instant(row[4]))
            for row in rows
        }

    def set_current(self, running: Current) -> None:
        """This runs from now on, in place of what did."""
        row = (
            running.group,
            running.path.full_model,
            str(running.path),
            running.sha256,
            moment(running.since),
        )
        self.connection.execute("REPLACE INTO current VALUES (?, ?, ?, ?, ?)", row)

    def clear_current(self, group: str, model: str) -> None:
        """Nothing of `model` runs in `group` now."""
        self.connection.execute(
            "DELETE FROM current WHERE host_group = ? AND model = ?", (group, model)
        )

    def failures(self) -> dict[tuple[str, str, str], str]:
        """What was switched back, and why, by (host group, model, digest)."""
        return {(row[0], row[1], row[2]): row[3] for row in self._all("SELECT * FROM failure")}

    def add_failure(self, group: str, model: str, sha256: str, words: str) -> None:
        """Do not try this again by itself."""
        self.connection.execute(
            "REPLACE INTO failure VALUES (?, ?, ?, ?)", (group, model, sha256, words)
        )

    def clear_failure(self, group: str, model: str, sha256: str) -> None:
        """People here want this tried again."""
        self.connection.execute(
            "DELETE FROM failure WHERE host_group = ? AND model = ? AND sha256 = ?",
            (group, model, sha256),
        )

    def clear_failures(self) -> None:
        """A new transfer was imported: everything may be tried once more."""
        self.connection.execute("DELETE FROM failure")

    def untold(self) -> dict[tuple[str, str], str]:
        """Where a model was stopped and its hook failed, by (host group, model): what it said."""
        return {(row[0], row[1]): row[2] for row in self._all("SELECT * FROM untold")}

    def set_untold(self, group: str, model: str, words: str) -> None:
        """Whether whoever serves `model` heard that it stopped: no `words` where they did."""
        if words:
            self.connection.execute("REPLACE INTO untold VALUES (?, ?, ?)", (group, model, words))
        else:
            self.connection.execute(
                "DELETE FROM untold WHERE host_group = ? AND model = ?", (group, model)
            )

    def rollbacks(self) -> dict[tuple[str, str], RolledBack]:
        """Which models people here took back, by (host group, model): the last time each."""
        query = "SELECT host_group, model, assigned, away_from, reason, made FROM rolled_back"
        rows = self._all(f"{query} ORDER BY number")
        return {(row[0], row[1]): _rolled_back(row[2:]) for row in rows}

    def every_rollback(self, group: str, model: str) -> tuple[RolledBack, ...]:
        """Each time that people here took `model` back, and that still holds; the oldest first."""
        query = "SELECT assigned, away_from, reason, made FROM rolled_back"
        where = "WHERE host_group = ? AND model = ? ORDER BY number"
        return tuple(_rolled_back(row) for row in self._all(f"{query} {where}", group, model))

    def add_rollback(self, group: str, model: str, rollback: RolledBack) -> None:
        """People here take `model` back, once more if they did before."""
        row = (
            group,
            model,
            rollback.assigned,
            rollback.away_from,
            rollback.reason,
            moment(rollback.made),
        )
        self.connection.execute(
            "INSERT INTO rolled_back (host_group, model, assigned, away_from, reason, made) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            row,
        )

    def take_rollback_back(self, group: str, model: str) -> None:
        """The last rollback of `model` went nowhere; those before it hold."""
        self.connection.execute(
            "DELETE FROM rolled_back WHERE number = "
            "(SELECT MAX(number) FROM rolled_back WHERE host_group = ? AND model = ?)",
            (group, model),
        )

    def clear_rollbacks(self, group: str, model: str) -> None:
        """The hub assigned something else: the rollback is over."""
        self.connection.execute(
            "DELETE FROM rolled_back WHERE host_group = ? AND model = ?", (group, model)
        )

    # -- the store

    def lost(self) -> frozenset[str]:
        """The blobs of what is installed that are known not to be whole in the store."""
        return frozenset(row[0] for row in self._all("SELECT sha256 FROM lost"))

    def set_lost(self, digests: Iterable[str]) -> None:
        """These and no others are not whole."""
        self.connection.execute("DELETE FROM lost")
        rows = ((digest,) for digest in sorted(digests))
        self.connection.executemany("INSERT INTO lost VALUES (?)", rows)

    # -- transfers

    def imported(self) -> tuple[Imported, ...]:
        """Every imported transfer, the oldest first."""
        rows = self._all("SELECT transfer_sha256, id, made, receipt FROM imported ORDER BY number")
        return tuple(Imported(row[0], row[1], instant(row[2]), bytes(row[3])) for row in rows)

    def add_imported(self, transfer: Imported) -> None:
        """This transfer is imported."""
        self.connection.execute(
            "INSERT INTO imported (transfer_sha256, id, made, receipt) VALUES (?, ?, ?, ?)",
            (transfer.transfer_sha256, transfer.id, moment(transfer.made), transfer.receipt),
        )

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self.connection.execute(query, values).fetchall()
        except sqlite3.Error as bad:
            raise unusable(self._file, bad) from bad


def _installed(row: tuple[Any, ...]) -> Installed:
    group, path, digest, despite, transfer, at = row
    named = tuple(json.loads(despite))
    return Installed(group, CatalogPath.parse(path), digest, named, transfer, instant(at))


def _rolled_back(row: tuple[Any, ...]) -> RolledBack:
    assigned, away_from, reason, made = row
    return RolledBack(assigned, away_from, reason, instant(made))
