"""The refusal of a disk that is older than what was imported: of bundles and dates first.

Which role went back to which number says nothing to whoever holds the disk. Which bundle it is, and
which one came after it, does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sealift_signing import statements
from sealift_signing.errors import SealiftError
from sealift_signing.statements import Transfer
from sealift_signing.tuf_walk import WentBackError
from sealift_signing.vocabulary import moment, sentence
from sealift_sync.bundle import layout
from sealift_sync.bundle.quarantine import Quarantine
from sealift_sync.site.setup.open_site import OpenSite


@contextmanager
def told_by_bundles(site: OpenSite, bundle: Quarantine) -> Iterator[None]:
    """Say first of what went back which bundle is older than which, where the disk says so.

    What the disk says of itself was not verified, and is said to be its own word.

    Raises:
        WentBackError: as what is done, in more words.
    """
    try:
        yield
    except WentBackError as bad:
        bad.what = sentence(f"{_older(site, bundle)}{bad.what}")
        raise


def _older(site: OpenSite, bundle: Quarantine) -> str:
    """Which bundle this is by its own word, and the newest that was imported.

    Nothing where it has the higher number: then it is not the disk that is old.
    """
    with suppress(SealiftError):
        said = statements.read(Transfer, bundle.read(layout.TRANSFER), what=layout.TRANSFER)
        imported = site.state.imported()
        if imported and said.predicate.site == site.enrolment.site:
            last, this = imported[-1], said.predicate
            if (len(this.id), this.id) >= (len(last.id), last.id):
                return ""
            return (
                f"This is {this.id}, made on {this.made[:10]}, as the disk says; {last.id} was "
                f"imported here on {moment(last.made)[:10]}, and is newer. "
            )
    return ""
