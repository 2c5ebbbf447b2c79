"""What this site told the hub of its software, and telling it anew once that is another.

The hub writes for a site what its software reads, and knows that from receipts. A site that was
brought forward would wait for ever for a bundle that only the new software reads: so its log says
it, and a return carries the log.
"""

from __future__ import annotations

from contextlib import suppress

from sealift_signing import canonical, statements
from sealift_signing.canonical import Json
from sealift_signing.errors import FailedError
from sealift_signing.statements import Receipt, SiteRequest
from sealift_sync.site.enrolment import REQUEST
from sealift_sync.site.opened import Site
from sealift_sync.software import READS, software

CHANGED = "software.changed"
"""The entry of a site's log that says what software it has now, and what that reads."""
_TOLD = "told-software"


def remember_told(site: Site) -> None:
    """A receipt tells of the software that there is; within the transaction that keeps it."""
    site.state.set_fact(_TOLD, _spelled(_now()))


def tell(site: Site) -> None:
    """Say in the log what software this is, where the hub was told of another.

    Where that cannot be written, the return goes home all the same: it says what it said before.
    """
    now = _now()
    if _told(site) == _spelled(now):
        return
    with suppress(FailedError), site.state.transaction():
        site.record(site.entry(CHANGED, now))
        remember_told(site)


def _now() -> dict[str, Json]:
    return {"software": software(), "reads": [*READS]}


def _told(site: Site) -> bytes:
    """What the hub was told last: by the log, or by a receipt or the request of before."""
    told = site.state.fact(_TOLD)
    if told is not None:
        return told
    done = site.state.imported()
    said: Receipt | SiteRequest
    if done:
        said = statements.read(Receipt, done[-1].receipt, what="a receipt").predicate
    else:
        request = site.state.fact(REQUEST) or b""
        said = statements.read(SiteRequest, request, what="this site's request").predicate
    return _spelled({"software": said.software, "reads": [*said.reads]})


def _spelled(said: dict[str, Json]) -> bytes:
    return canonical.encode(said)
