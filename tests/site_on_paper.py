"""A real site in a temporary folder, and a picture of all that it knows, to be compared."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sealift_signing import statements
from sealift_signing.documents import Recall
from sealift_signing.errors import SealiftError
from sealift_signing.statements import Receipt
from sealift_signing.transparency.entry import Entry
from sealift_signing.transparency.question import Question
from sealift_sync.bundle.medium import Medium
from sealift_sync.site.importing.accepting import Accepted
from sealift_sync.site.importing.importer import Import, Watch, import_bundle, verify_bundle
from sealift_sync.site.log.log_reader import SiteLogReader
from sealift_sync.site.reports.integrity import Examination, examine
from sealift_sync.site.running.activation import Activation
from sealift_sync.site.running.rollback import roll_back
from sealift_sync.site.setup.enrolment import Enrolment, TypedWords
from sealift_sync.site.setup.initialising import begin_enrolment, finish_enrolment
from sealift_sync.site.setup.open_site import OpenSite, open_site
from sealift_sync.site.state.database import State
from tests.hub_on_paper import GROUP, GROUPS, MODEL, SITE, TEAM, Changes, HubOnPaper

SIGNED_LOG = "log_"
"""The tables of the log: the one thing that a refusal adds to."""


@dataclass(frozen=True)
class Picture:
    """Every file below store and models with its hash, every link, every table but the log's."""

    files: dict[str, str]
    links: dict[str, str]
    tables: dict[str, list[Any]]


def as_told(known: Enrolment) -> TypedWords:
    """What an operator types to whom the right things were told."""
    return TypedWords(known.fingerprint, known.words)


class SiteOnPaper:
    """One site. `now` is its clock."""

    def __init__(
        self, root: Path, now: datetime, environment: dict[str, str] | None = None
    ) -> None:
        self.root = root
        self.now = now
        self.environment = environment or {"SEALIFT_LIMITS__RESERVE_MIB": "0"}
        self.told: list[str] = []

    def clock(self) -> datetime:
        return self.now

    def enrol(self, hub: HubOnPaper, site: str = SITE, **changes: Changes) -> None:
        request = begin_enrolment(
            self.root, self.environment, site, changes.pop("groups", GROUPS), self.clock
        )
        answer = hub.answer(request, **changes)
        finish_enrolment(self.root, self.environment, answer, self.clock, as_told)

    @contextmanager
    def opened(self, command: str = "test", *, reads_medium: bool = False) -> Iterator[OpenSite]:
        with open_site(
            self.root, self.environment, self.clock, command, reads_medium=reads_medium
        ) as site:
            yield site

    @property
    def watch(self) -> Watch:
        def plan(accepted: Accepted, ignored: tuple[str, ...]) -> None:
            self.told += [f"ignored {path}" for path in ignored]
            self.told += accepted.visit.remarks

        def recalled(recalls: tuple[Recall, ...], stopped: tuple[Activation, ...]) -> None:
            self.told += [f"recalled {one.sha256}" for one in recalls]

        return Watch(lambda _name, _size: lambda _done: None, plan, recalled)

    def take(self, folder: Path) -> Import:
        with self.opened("import", reads_medium=True) as site:
            return import_bundle(site, Medium(folder), self.watch)

    def verify(self, folder: Path) -> Accepted:
        with self.opened("verify", reads_medium=True) as site:
            return verify_bundle(site, Medium(folder), self.watch)

    def roll_back(
        self,
        model: str = f"{TEAM}/{MODEL}",
        reason: str = "It is wrong.",
        away_from: int | None = None,
    ) -> Activation:
        with self.opened("rollback") as site:
            return roll_back(site, model, None, reason, away_from)

    def examined(self) -> Examination:
        """What `fsck` finds."""
        return examine(lambda: self.opened("fsck"), lambda _name, _size: lambda _done: None)

    def refuses(self, folder: Path) -> SealiftError:
        """Import, expect a refusal, and hold it to its promise: one log entry and nothing else."""
        before, entries = self.picture(), len(self.entries())
        with pytest.raises(SealiftError) as caught:
            self.take(folder)
        assert caught.value.exit_code == 1, caught.value
        assert self.picture() == before
        after = self.entries()
        assert len(after) == entries + 1
        assert after[-1].type == "transfer.refused"
        assert after[-1].data["code"] == caught.value.code
        return caught.value

    def held(self, folder: Path) -> dict[str, tuple[str, str]]:
        """Import; the code and sentence of everything that was held, by path."""
        done = self.take(folder)
        return {
            one.artifact: (one.code, one.words)
            for one in done.receipt.artifacts
            if one.outcome == "held"
        }

    def running(self, model: str = f"{TEAM}/{MODEL}", group: str = GROUP) -> bytes | None:
        """What a consumer reads."""
        file = self.root / "models" / group / model / "current" / "model.onnx"
        return file.read_bytes() if file.exists() else None

    def entries(self) -> list[Entry]:
        state = State(self.root / "sealift.db")
        try:
            rows = SiteLogReader(state.connection).page(
                Question(), limit=10_000, newest_first=False
            )
            return [row.entry for row in rows]
        finally:
            state.close()

    def receipts(self) -> list[Receipt]:
        state = State(self.root / "sealift.db")
        try:
            return [
                statements.read(Receipt, one.receipt, what="a receipt").predicate
                for one in state.imported()
            ]
        finally:
            state.close()

    def picture(self) -> Picture:
        files, links = {}, {}
        for folder in ("store", "models", "keys", "quarantine"):
            for path in sorted((self.root / folder).rglob("*")):
                name = str(path.relative_to(self.root))
                if path.is_symlink():
                    links[name] = str(path.readlink())
                elif path.is_file():
                    files[name] = sha256(path.read_bytes()).hexdigest()
        return Picture(files, links, self._tables())

    def _tables(self) -> dict[str, list[Any]]:
        connection = sqlite3.connect(self.root / "sealift.db")
        try:
            listed = "SELECT name FROM sqlite_master WHERE type = 'table'"
            names = [row[0] for row in connection.execute(listed)]
            return {
                name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall(), key=repr)  # noqa: S608
                for name in names
                if not name.startswith(SIGNED_LOG)
            }
        finally:
            connection.close()

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)
