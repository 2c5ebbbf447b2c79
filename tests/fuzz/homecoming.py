"""What the hub makes of a return: its files changed, and signed again by a site that went bad."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from securesystemslib.signer import Signer
from sqlalchemy import Connection, create_engine, insert
from sqlalchemy.pool import StaticPool

from sealift_registry.audit.tables import log_checkpoint
from sealift_registry.delivery import tables, witnesses
from sealift_registry.delivery.holdings import holdings
from sealift_registry.delivery.returns import Returns
from sealift_registry.delivery.running import last_heard, running
from sealift_registry.delivery.sites import Sites
from sealift_registry.storage.home import IN_HOME
from sealift_registry.storage.schema import metadata
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.keeping import keep
from sealift_registry.trust.tables import tuf_document
from sealift_signing import dsse, shape
from sealift_signing.errors import SealiftError
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.transparency.entry import Entry, body_of
from sealift_signing.transparency.extract import Extract
from sealift_signing.transparency.frontier import Frontier
from sealift_signing.transparency.merkle import leaf_hash
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.bundle.returned import Returned, find_returns, read_return
from sealift_sync.site.reports.homebound import write_home
from sealift_sync.site.setup.enrolment import ANSWER, REQUEST
from sealift_sync.site.setup.open_site import OpenSite
from tests.fuzz.forging import TAPES, Files
from tests.fuzz.mutating import mutate, mutate_bytes
from tests.fuzz.organisation import organisation, scratch
from tests.fuzz.tape import Tape
from tests.fuzz.target import BrokenError, Target, check_told
from tests.hub_on_paper import SITE, HubOnPaper
from tests.site_on_paper import SiteOnPaper
from tests.trust import NOW, STAGE

Action = Callable[[Connection], tuple[Entry, Any]]


@dataclass
class ForgetfulHub:
    """A hub that does what a return asks of it, looks at what it then knows, and forgets all of it.

    It has a hub's tables in memory, and no log: an entry only has to be one that could be written.
    """

    connection: Connection
    look: Callable[[Connection], None]
    log: Any = field(init=False)
    home: Any = field(init=False)
    database: SqliteDatabase = field(init=False)

    def __post_init__(self) -> None:
        self.log = SimpleNamespace(commit_entry=body_of, stated=NOW.date())
        self.home = SimpleNamespace(lock=scratch() / "lock", blobs_place=IN_HOME)
        self.engine = self.connection.engine
        self.database = SqliteDatabase(Path("hub.db"), self.home.lock)
        self.database.engine = self.engine  # in memory; no file is opened

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        yield self.connection

    def now(self) -> datetime:
        return NOW

    def entry(self, *said: Any) -> Entry:  # noqa: ANN401 - as the hub's own
        return Hub.entry(cast("Hub", self), *said)

    def commit(self, action: Action) -> SimpleNamespace:
        try:
            entry, result = action(self.connection)
            body_of(entry)
            self.look(self.connection)
            return SimpleNamespace(result=result)
        finally:
            self.connection.rollback()


@cache
def _home() -> tuple[ForgetfulHub, OpenSite, Files]:
    """A hub that exported once, the site that imported it, and the files of its return."""
    hub, _ = organisation("returns")
    paper = SiteOnPaper(scratch() / "returning", NOW)
    paper.enrol(hub)
    bundle = hub.export(scratch() / "outbound")
    paper.take(bundle)
    site = _OPEN.enter_context(paper.opened("fuzz"))
    medium = scratch() / "homebound"
    medium.mkdir()
    folder, _ = write_home(site, medium, everything=True)
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    connection = _database(hub, site, (bundle / layout.TRANSFER).read_bytes(), bundle.name)
    _holds_its_own(connection, read_return(Medium(folder)))

    def look(connection: Connection) -> None:
        """Whatever was accepted must not keep the hub from its work with this site, for ever."""
        known = Sites(connection).get(SITE)
        try:
            running(connection, known)
            last_heard(connection, known)
            holdings(connection, known, hub.store)
        except SealiftError as bad:
            raise BrokenError(f"accepted, and cannot be read: {bad.code}") from bad

    return ForgetfulHub(connection, look), site, files


_OPEN = ExitStack()
"""The site stays open as long as the process lives."""


def _database(hub: HubOnPaper, site: OpenSite, transfer: bytes, name: str) -> Connection:
    """A hub's tables, with the rows that a return is compared with."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    connection = _OPEN.enter_context(engine.connect())
    enrolment, now = site.enrolment.id, "2026-11-20T12:00:00.000000Z"
    asked, answer = site.state.fact(REQUEST), site.state.fact(ANSWER)
    for role, published in hub.repository.current.items():
        keep(connection, role, published)
    for path, data in hub.documents.items():
        listed = {"path": path, "sha256": sha256(data).hexdigest(), "body": data}
        connection.execute(insert(tuf_document).values(**listed))
    rows: Mapping[Any, dict[str, Any]] = {
        tables.site: {
            "id": SITE,
            "enrolment": enrolment,
            "stage": STAGE,
            "request": asked,
            "answer": answer,
            "made": now,
        },
        tables.transfer: {
            "site": SITE,
            "number": 1,
            "id": name,
            "enrolment": enrolment,
            "begun": now,
        },
        tables.bundle: {
            "transfer": name,
            "sha256": sha256(transfer).hexdigest(),
            "body": transfer,
            "medium": "stick",
            "made": now,
        },
    }
    for table, row in rows.items():
        connection.execute(insert(table).values(**row))
    connection.commit()
    return connection


def _holds_its_own(connection: Connection, returned: Returned) -> None:
    """What the hub signed of its own log, which the site saw: another one stops it."""
    for note in witnesses.in_log(returned.log.entries):
        said = checkpoint.claimed(note)
        edge = {"frontier": b"", "leaves": b""}
        row = {"size": said.size, "root": said.root, "note": note, **edge}
        connection.execute(insert(log_checkpoint).values(**row))
    connection.commit()


def _returns(data: bytes) -> None:
    hub, site, files = _home()
    tape = Tape(data)
    changed = dict(files)
    for _ in range(1 + tape.below(3)):
        _edit(site, changed, tape)
    top = scratch() / "stick"
    folder = top / layout.SEALIFT / layout.RETURNS / SITE / "7"
    shutil.rmtree(top, ignore_errors=True)
    try:
        for path, body in changed.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(body)
        for found, *_ in find_returns(top):
            with suppress(SealiftError):  # the hub is told it too, below
                names = {Path(one).stem for one in changed}
                assert read_return(found).receipts.keys() <= names
        _, refused = Returns(cast("Hub", hub)).receive(top)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    for told in refused:
        check_told(told)


def _edit(site: OpenSite, files: Files, tape: Tape) -> None:
    path = tape.pick(sorted(files) or [layout.EXTRACT])
    how, random = tape.below(8), tape.random()
    if path not in files or how == 0:
        files.pop(path, None)
    elif how == 1:
        files[path] = mutate_bytes(files[path], random)
    elif how == 2:
        files[f"{layout.RECEIPTS}/plant-7-{tape.below(4):06}.json"] = files[path]
    elif path == layout.EXTRACT:
        edited = mutate(files[path], random)
        files[path] = signed_extract(edited, site) if how > 3 else edited
    elif path.startswith(f"{layout.RECEIPTS}/"):
        files[path] = signed_statement(files[path], random_edit(random), site.signer())
    else:
        files[path] = mutate(files[path], random)


def random_edit(random: Any) -> Callable[[bytes], bytes]:  # noqa: ANN401 - a source of choices
    return lambda payload: mutate(payload, random) or b"{}"


def signed_statement(data: bytes, edit: Callable[[bytes], bytes], signer: Signer) -> bytes:
    """The statement in `data`, its payload changed and signed again."""
    try:
        payload = dsse.read(data, what="a receipt").payload
    except SealiftError:
        payload = data
    return dsse.sign(dsse.IN_TOTO, edit(payload), signer)


def signed_extract(data: bytes, site: OpenSite) -> bytes:
    """The extract in `data`, if it is one, under a checkpoint that the site signs for it."""
    try:
        said = shape.read(Extract, data, what="an extract")
        edge = Frontier(said.first, tuple(map(bytes.fromhex, said.edge)))
        grown = edge.extended(leaf_hash(text.encode()) for text in said.entries)
        note = checkpoint.sign(Checkpoint(site.origin, grown.size, grown.root), site.signer())
    except SealiftError:
        return data
    changed = Extract(1, (), said.first, said.edge, said.entries, said.proof, note.decode())
    return shape.write(changed)


RETURNS = Target("returns", _returns, lambda: TAPES, "tape", 64)
