"""Is the site whole? Database, log, every blob of the store, and what consumers read of it.

    (1) the database is sound, and the log is the one that was signed, for everybody who saw it
    (2) every blob is hashed; nobody is kept waiting meanwhile: a rollback must never be
    (3) what was found is looked at again, links and copies are put right, and what is newly lost or
        whole again is recorded, for the next receipt to tell the hub

Where the log or the database is damaged nothing is recorded: nothing may be appended to them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sealift_signing import statements
from sealift_signing.errors import SealiftError
from sealift_signing.statements import Receipt
from sealift_signing.transparency import checkpoint
from sealift_signing.transparency.checkpoint import Checkpoint, claimed
from sealift_signing.transparency.verdict import Verdict
from sealift_sync import stream
from sealift_sync.blobs import BlobFolder, Fault
from sealift_sync.durable import BeginPhase
from sealift_sync.site.log.log_reader import SiteLogReader
from sealift_sync.site.log.restored_site import ACKNOWLEDGED, restored_words
from sealift_sync.site.running.choices import Choices
from sealift_sync.site.running.installed_parts import in_use, parts, record_lost
from sealift_sync.site.running.model_tree import ModelTree, RepairedPlace
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.state.records import Installed

Opener = Callable[[], AbstractContextManager[OpenSite]]


@dataclass(frozen=True)
class BlobUse:
    """Where a blob belongs; this very version may be current there, or assigned."""

    group: str
    artifact: str
    file: str
    transfer: str
    running: bool
    in_use: bool


@dataclass(frozen=True)
class Damage:
    """A blob of what is installed that is not whole, and all that consists of it."""

    sha256: str
    fault: Fault
    used_by: tuple[BlobUse, ...]

    @property
    def missed(self) -> bool:
        """Whether something that is assigned or runs consists of it."""
        return any(use.in_use for use in self.used_by)


@dataclass(frozen=True)
class Examination:
    """What was found.

    Attributes:
        log: whether the log is the one that was signed.
        receipts: sentences about receipts that are not as they were signed.
        database: what the database says is wrong with itself.
        restored: that the log is not all that was signed, as a sentence; empty if it is.
        blobs: how many were hashed, of how many bytes.
        damages: what is lost, or damaged.
        mended: blobs that were known to be lost and are whole again.
        links: places that did not show what they should.
        removed: damaged blobs that nothing needs; they were thrown away.
        recorded: whether the state and the log could take note of it.
    """

    log: Verdict
    receipts: tuple[str, ...]
    database: tuple[str, ...]
    restored: str
    blobs: tuple[int, int]
    damages: tuple[Damage, ...]
    mended: tuple[str, ...]
    links: tuple[RepairedPlace, ...]
    removed: tuple[str, ...]
    recorded: bool

    @property
    def problems(self) -> int:
        """How many things are wrong and stay so, of those that anybody would miss."""
        unmended = sum(1 for link in self.links if link.problem)
        missed = sum(1 for one in self.damages if one.missed)
        missed += bool(self.restored)
        return unmended + missed + sum(map(len, (self.log.findings, self.receipts, self.database)))


def examine(opened: Opener, begin_phase: BeginPhase) -> Examination:
    """Look at everything; the site is open only for moments, at the beginning and at the end."""
    with opened() as site:
        log, receipts = _log(site), tuple(_receipts(site))  # (1)
        database, restored = tuple(_database(site)), restored_words(site.state)
        store, expected = site.home.store, _expected(site)
    faults = _hash(store, expected, begin_phase)  # (2)
    with opened() as site:  # (3)
        found = _look_again(site, {*faults, *site.state.lost()})
        whole = log.ok and not (receipts or database or restored)
        removed = tuple(_remove(site, found)) if whole else ()
        damages = tuple(_damages(site, found))
        mended = _record(site, {one.sha256 for one in damages}) if whole else ()
        links = _show(site) if whole else ()
    told = (len(expected), sum(size for size in expected.values() if size > 0))
    return Examination(
        log, receipts, database, restored, told, damages, mended, links, removed, whole
    )


def _log(site: OpenSite) -> Verdict:
    """(1): all that others have seen of the log counts, the hub's word and every receipt."""
    seen = [said for said in _seen(site) if said is not None]
    reader = SiteLogReader(site.state.connection)
    return reader.fsck(site.key, site.origin, seen=seen)


def _seen(site: OpenSite) -> Iterator[Checkpoint | None]:
    note = site.state.fact(ACKNOWLEDGED)
    yield claimed(note) if note else None
    for _, said in _read_receipts(site):
        if said and said.log:
            yield checkpoint.verify(said.log.encode(), site.key, site.origin)


def _receipts(site: OpenSite) -> Iterator[str]:
    for name, said in _read_receipts(site):
        if said is None:
            yield f"The receipt for {name} is not the one that this site signed."


def _read_receipts(site: OpenSite) -> Iterator[tuple[str, Receipt | None]]:
    """Every receipt that this site signed, or None in place of one that is not as it was."""
    for one in site.state.imported():
        what = f"the receipt for {one.id}"
        try:
            signed = statements.read(Receipt, one.receipt, what=what)
            statements.verify(signed, site.key, what=what)
        except SealiftError:
            yield one.id, None
        else:
            yield one.id, signed.predicate


def _database(site: OpenSite) -> Iterator[str]:
    for (said,) in site.state.connection.execute("PRAGMA integrity_check(20)"):
        if said != "ok":
            yield str(said)


def _expected(site: OpenSite) -> dict[str, int]:
    """Every blob that should be here or is, with its size, or -1 if that cannot be told."""
    expected = {digest: part.size for digest, part in parts(site).items()}
    store = site.home.store
    return {digest: _size(store, digest) for digest in store.digests()} | expected


def _size(store: BlobFolder, digest: str) -> int:
    try:
        return store.size(digest)
    except SealiftError:
        return -1


def _hash(
    store: BlobFolder, expected: Mapping[str, int], begin_phase: BeginPhase
) -> dict[str, Fault]:
    """(2): what is wrong, by digest."""
    progress = begin_phase("check the store", sum(size for size in expected.values() if size > 0))
    digests = sorted(expected)
    faults = stream.side_by_side(store.fault, digests, progress)
    return {digest: fault for digest, fault in zip(digests, faults, strict=True) if fault}


def _look_again(site: OpenSite, digests: Iterable[str]) -> dict[str, Fault]:
    """An import in between may have brought what was missing, or found out what is lost since.

    So nothing is called whole again that was not hashed with the home in hand.
    """
    found = {digest: site.home.store.fault(digest) for digest in digests}
    return {digest: fault for digest, fault in found.items() if fault}


def _remove(site: OpenSite, faults: Mapping[str, Fault]) -> Iterator[str]:
    """What nothing installed consists of, and is damaged, is good for nothing."""
    needed = parts(site)
    for digest in faults:
        if digest not in needed:
            site.home.store.remove(digest)
            yield digest


def _damages(site: OpenSite, faults: Mapping[str, Fault]) -> Iterator[Damage]:
    current = {(one.group, one.sha256) for one in site.state.current().values()}
    used = in_use(site)
    for digest, part in sorted(parts(site).items()):
        if digest in faults:
            uses = (_use(one, file, current, used) for one, file in part.used_by)
            yield Damage(digest, faults[digest], tuple(uses))


Places = Collection[tuple[str, str]]


def _use(one: Installed, file: str, current: Places, used: Places) -> BlobUse:
    here = (one.group, one.sha256)
    return BlobUse(one.group, str(one.path), file, one.transfer, here in current, here in used)


def _record(site: OpenSite, lost: set[str]) -> tuple[str, ...]:
    mended = site.state.lost() - lost
    with site.state.transaction():
        record_lost(site, lost, mended)
    return tuple(sorted(mended))


def _show(site: OpenSite) -> tuple[RepairedPlace, ...]:
    """Links are derived again; where files had to be copied, each copy is hashed."""
    choices = Choices(site.state, site.enrolment)
    return ModelTree(site.home, hashing=True, lost=site.state.lost()).repair(choices.showing())
