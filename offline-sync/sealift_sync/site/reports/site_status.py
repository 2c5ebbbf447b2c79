"""What `sealift-site status` tells: who this site is, what runs, what is about to lapse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from tuf.api.metadata import Metadata

from sealift_signing import statements
from sealift_signing.documents import AssignedArtifact
from sealift_signing.errors import SealiftError
from sealift_signing.statements import Receipt
from sealift_sync.artifact import LARGEST_MANIFEST, read_manifest
from sealift_sync.blobs import BlobFolder
from sealift_sync.site.log.restored_site import restored_words
from sealift_sync.site.running.choices import Choice, Choices, Place
from sealift_sync.site.running.installed_parts import lost_and_missed
from sealift_sync.site.running.recheck import newest_check
from sealift_sync.site.setup.home_locks import at_a_medium
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.state.check_results import CheckResult, RecordedCheck, rows_of


@dataclass(frozen=True)
class ModelStatus:
    """One model in one host group.

    Attributes:
        version: what runs; None if nothing.
        assigned: what the hub assigned.
        fallback: what a rollback would go to.
        note: why what runs is not what was assigned, in words; empty if it is.
        checked: how the newest check of what runs ended; None where nobody expects one.
        checked_at: when it was made; None where it was not.
        failed: whether what is assigned does not run because it did not start.
    """

    place: Place
    version: int | None
    sha256: str
    assigned: int | None
    fallback: int | None
    note: str
    checked: CheckResult | None = None
    checked_at: datetime | None = None
    failed: bool = False


@dataclass(frozen=True)
class SiteStatus:
    """The state of a site.

    Attributes:
        roles: each trusted role's version and end.
        unprotected: why one person alone could promote, as the last receipt says.
        held: what the last transfer brought and was not installed: path and sentence.
        untold: where something was stopped and the hook failed, and what it said.
        unused: blobs in the store that nothing assigned or running needs, and their bytes.
        lost: blobs of what is assigned or runs that are known not to be whole.
        restored: that the log is not all that was signed, as a sentence; empty if it is.
        under_way: the command that reads a medium at this moment; empty if none does.
        strange: host groups that the settings name and this site does not have.
    """

    runs: tuple[ModelStatus, ...]
    roles: tuple[tuple[str, int, datetime], ...]
    last: Receipt | None
    recalls: int
    unprotected: tuple[str, ...]
    held: tuple[tuple[str, str, str], ...]
    untold: tuple[tuple[Place, str], ...]
    unused: tuple[int, int]
    lost: frozenset[str]
    restored: str
    under_way: str
    strange: tuple[str, ...]


def site_status(site: OpenSite) -> SiteStatus:
    """Look at everything; nothing is changed."""
    choices = Choices(site.state, site.enrolment)
    done = site.state.imported()
    last = statements.read(Receipt, done[-1].receipt, what="a receipt").predicate if done else None
    held = [one for one in last.artifacts if one.outcome == "held"] if last else []
    return SiteStatus(
        runs=tuple(_runs(site, choices)),
        roles=tuple(sorted(_roles(site))),
        last=last,
        recalls=len(site.state.recalls()),
        unprotected=last.unprotected if last else (),
        held=tuple((one.group, one.artifact, one.words) for one in held),
        untold=tuple((Place(*one), words) for one, words in sorted(site.state.untold().items())),
        unused=_unused(site, choices),
        lost=lost_and_missed(site),
        restored=restored_words(site.state),
        under_way=at_a_medium(site.home),
        strange=tuple(sorted(set(site.home.settings.groups) - set(site.enrolment.groups))),
    )


def _runs(site: OpenSite, choices: Choices) -> Iterator[ModelStatus]:
    failures = site.state.failures()
    for place, wanted in choices.wanted():
        running, assigned = choices.current.get(place), choices.of(place)
        fallback = choices.fallback(place) if running else None
        last = newest_check(site, place, running) if running else None
        note = _note(site, choices, place, wanted, failures)
        digest = assigned.current.sha256 if assigned else ""
        yield ModelStatus(
            place=place,
            version=running.path.version if running else None,
            sha256=running.sha256 if running else "",
            assigned=assigned.current.parsed.version if assigned else None,
            fallback=fallback.path.version if fallback else None,
            note=note,
            checked=last.checked if isinstance(last, RecordedCheck) else last,
            checked_at=last.made if isinstance(last, RecordedCheck) else None,
            failed=bool(note) and note == failures.get((*place, digest)),
        )


def _note(
    site: OpenSite,
    choices: Choices,
    place: Place,
    wanted: Choice | None,
    failures: dict[tuple[str, str, str], str],
) -> str:
    running, assigned = choices.current.get(place), choices.of(place)
    here = Choice(running.path, running.sha256) if running else None
    if choices.unfinished(place):
        return "a rollback is not finished: run it again"
    if here != wanted:
        return "a switch is pending: run the import again"
    if assigned is None:
        return "no longer assigned; it runs on" if here else ""
    return _not_assigned(site, choices, place, assigned.current, failures)


def _not_assigned(
    site: OpenSite,
    choices: Choices,
    place: Place,
    assigned: AssignedArtifact,
    failures: dict[tuple[str, str, str], str],
) -> str:
    """Why something else runs than what is assigned; empty where just that does."""
    here = choices.current.get(place)
    if here and here.sha256 == assigned.sha256:
        return ""
    if choices.held_back(place):
        return f"rolled back: {site.state.rollbacks()[place].reason}"
    if held := choices.goes_back(place):
        return f"held: {held}"
    failed = failures.get((*place, assigned.sha256))
    return failed or f"version {assigned.parsed.version} is not installed or may not run"


def _roles(site: OpenSite) -> Iterator[tuple[str, int, datetime]]:
    kept = {role: data for (_, role), data in site.state.trusted().items()}
    roots = site.state.roots()
    for role, data in (kept | {"root": roots[max(roots)]}).items():
        signed = Metadata.from_bytes(data).signed
        yield role, signed.version, signed.expires


def _unused(site: OpenSite, choices: Choices) -> tuple[int, int]:
    """Blobs that nothing assigned or running needs: they are kept, and here is what that costs."""
    store = site.home.store
    needed = {one.sha256 for one in choices.current.values()}
    needed |= {one.sha256 for _, given in choices.assigned() for one in given.artifacts}
    used, rows = set(needed), rows_of(site.state)
    for digest in needed:
        if store.has(digest):
            used |= _blobs(store, digest)
        used |= {one.sha256 for one in rows.get(digest, ())}
    left = [digest for digest in store.digests() if digest not in used]
    return len(left), sum(store.size(digest) for digest in left)


def _blobs(store: BlobFolder, manifest: str) -> set[str]:
    try:
        found = read_manifest(
            store.read(manifest, LARGEST_MANIFEST), what=f"the manifest {manifest[:12]}"
        )
    except SealiftError:
        return set()  # damaged: whatever shows it says so
    return {file.sha256 for file in found.contents}
