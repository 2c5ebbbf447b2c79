"""What this site told the hub of its software, and telling it anew once that is another.

The hub writes for a site what its software reads, and knows that from receipts. A site that was
brought forward would wait for ever for a bundle that only the new software reads: so its log says
it, and a return carries the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from sealift_signing import canonical, statements
from sealift_signing.canonical import Json
from sealift_signing.errors import FailedError
from sealift_signing.statements import Receipt, SiteRequest
from sealift_sync.site.setup.enrolment import REQUEST
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.software import READS, SOFTWARE_CHANGED, software

_TOLD = "told-software"


def remember_told(site: OpenSite) -> None:
    """A receipt tells of the software that there is; within the transaction that keeps it.

    With how many there were: one more is by software that did not know of this, and newer word.
    """
    count = len(site.state.imported())
    site.state.set_fact(_TOLD, canonical.encode({**_now(), "receipts": count}))


def tell_software(site: OpenSite) -> None:
    """Say in the log what software this is, where the hub was told of another.

    Where that cannot be written, the return goes home all the same: it says what it said before.
    """
    now = _now()
    if _told(site) == now:
        return
    with suppress(FailedError), site.state.transaction():
        site.record(site.entry(SOFTWARE_CHANGED, now))
        remember_told(site)


def _now() -> dict[str, Json]:
    return {"software": software(), "reads": [*READS]}


def _told(site: OpenSite) -> dict[str, Json]:
    """What the hub was told last: by the log, or by a receipt or the request of before."""
    told, done = site.state.fact(_TOLD), site.state.imported()
    known = canonical.decode(told, what=_TOLD) if told is not None else None
    if isinstance(known, Mapping) and known.get("receipts") == len(done):
        return {"software": known.get("software", ""), "reads": [*_list(known.get("reads"))]}
    said: Receipt | SiteRequest
    if done:
        said = statements.read(Receipt, done[-1].receipt, what="a receipt").predicate
    else:
        request = site.state.fact(REQUEST) or b""
        said = statements.read(SiteRequest, request, what="this site's request").predicate
    return {"software": said.software, "reads": [*said.reads]}


def _list(value: Json | None) -> Sequence[Json]:
    return value if isinstance(value, list | tuple) else ()
