"""A bundle that was imported before still mends what the store has lost since.

Its transfer.json is byte for byte the one that was verified then, so its list can be believed,
whatever has expired; every blob is hashed while it is copied, as in any import.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from sealift_signing import statements
from sealift_signing.statements import Transfer
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.bundle.quarantine import Quarantine
from sealift_sync.durable import BeginPhase
from sealift_sync.site.importing.copying import adopt_copied, check_room, copy_blobs
from sealift_sync.site.importing.planning import Sources, Supply
from sealift_sync.site.running.installed_parts import artifact_of, manifest_of, record_lost
from sealift_sync.site.setup.open_site import OpenSite
from sealift_sync.site.state.check_results import rows_of


def replace_lost(
    site: OpenSite, bundle: Quarantine, medium: Medium, begin_phase: BeginPhase
) -> int:
    """Copy what the bundle carries and the store is known to lack; nothing else changes.

    Returns:
        How many blobs are whole again.

    Raises:
        RefusedError: what the medium has instead is damaged as well; nothing was changed.
        FailedError: something could not be read or written.
    """
    wanted, paths = _wanted(site, bundle)
    copies = wanted.medium
    if not copies:
        return 0
    check_room(copies, site.home)
    with site.aside():
        copy_blobs(copies, sorted(wanted.packs), paths, medium, site.home, begin_phase)
    adopt_copied(copies, site.home)
    with site.state.transaction():
        record_lost(site, (), copies)
        site.state.clear_failures()  # what could not be shown for want of them may be tried again
    return len(copies)


def _wanted(site: OpenSite, bundle: Quarantine) -> tuple[Supply, Mapping[str, str]]:
    """What the bundle carries of what is installed and the store lacks, and where that lies."""
    said = statements.read(Transfer, bundle.read(layout.TRANSFER), what=layout.TRANSFER).predicate

    def carried(digest: str) -> bytes | None:
        data = bundle.get(layout.blob_file(digest))
        return data if data is not None and sha256(data).hexdigest() == digest else None

    every = {}
    for one in site.state.installed():
        manifest = manifest_of(site, one.sha256, carried)
        if manifest is not None:
            every[one.sha256] = artifact_of(one, manifest)
    sources, found = Sources(said, site.home.store, site.state.lost(), every.values()), Supply()
    for digest, artifact in every.items():
        found |= sources.find(digest, artifact, fresh=False)
    for rows in rows_of(site.state).values():
        found |= sources.find_rows(rows)
    return found, sources.paths
