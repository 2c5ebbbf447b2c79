"""What a site can report over a telephone, where nothing may leave it on a medium.

The outcome is said in words that one person reads to another. What makes it more than hearsay is
the log's checkpoint: its eight words cover the log's name, size and root, and so every entry of it,
that of the import among them. The hub compares them with the next return, or computes them itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sealift_signing import statements
from sealift_signing.statements import ArtifactOutcome, Receipt
from sealift_signing.transparency.checkpoint import Checkpoint
from sealift_signing.words import eight_words
from sealift_sync.site.log.log_reader import SiteLogReader
from sealift_sync.site.log.restored_site import restored_words
from sealift_sync.site.running.installed_parts import lost_and_missed
from sealift_sync.site.setup.open_site import OpenSite


@dataclass(frozen=True)
class TelephoneReport:
    """What is read out.

    Attributes:
        last: the receipt of the last transfer; None if nothing was imported yet.
        counts: how many artifacts it installed and held.
        held: each that was held, with its code.
        runs: per host group and model, the version that runs.
        lost: how many blobs of what is assigned or runs are known to be lost.
        restored: the log is not all that was signed: a restored backup, or a stolen key.
        log: the log's checkpoint now.
        words: the eight words of it.
    """

    site: str
    last: Receipt | None
    counts: dict[str, int]
    held: tuple[ArtifactOutcome, ...]
    runs: dict[tuple[str, str], int]
    lost: int
    restored: bool
    log: Checkpoint
    words: str


def telephone_report(site: OpenSite) -> TelephoneReport:
    """The site's report, as it stands; nothing is changed."""
    done = site.state.imported()
    last = statements.read(Receipt, done[-1].receipt, what="a receipt").predicate if done else None
    outcomes = last.artifacts if last else ()
    stored = SiteLogReader(site.state.connection).checkpoint()
    log = Checkpoint(site.origin, stored.size, stored.root)
    return TelephoneReport(
        site=site.enrolment.site,
        last=last,
        counts=dict(Counter(one.outcome for one in outcomes)),
        held=tuple(one for one in outcomes if one.outcome == "held"),
        runs={place: one.path.version for place, one in sorted(site.state.current().items())},
        lost=len(lost_and_missed(site)),
        restored=bool(restored_words(site.state)),
        log=log,
        words=checkpoint_words(log),
    )


def checkpoint_words(log: Checkpoint) -> str:
    """The eight words of a log's checkpoint: of the text that its writer signs."""
    return eight_words(log.body())
