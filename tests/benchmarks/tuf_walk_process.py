"""Run by the benchmark as a process of its own, which holds only what a site's command holds.

python -m tests.benchmarks.tuf_walk_process walk|verify|json HOME BUNDLE SECONDS-SINCE-1970

It prints the wall and CPU seconds of the work, and the most memory in bytes that it took up, as
JSON. `json` is the control: parse the bundle's largest piece of metadata, spell it out and hash it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from sealift_signing import statements
from sealift_signing.statements import Transfer
from sealift_sync.bundle import layout
from sealift_sync.bundle.medium import Medium
from sealift_sync.bundle.quarantine import quarantine
from sealift_sync.site.importing.importer import Watch, remove_quarantine, verify_bundle
from sealift_sync.site.setup.open_site import OpenSite, open_site
from sealift_sync.site.verifying.tuf_metadata import Walker

WATCH = Watch(
    begin_phase=lambda _name, _size: lambda _done: None,
    plan=lambda _accepted, _ignored: None,
    recalled=lambda _recalls, _stopped: None,
)


def main(work: str, home: Path, bundle: Path, now: datetime) -> None:
    with open_site(home, {}, lambda: now, "measure") as site:
        prepared = {"walk": _walk, "verify": _verify, "json": _json}[work](site, bundle)
        wall, cpu = time.perf_counter(), time.process_time()
        prepared()
        told = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        remove_quarantine(site)
    print(json.dumps(told | {"peak": _peak()}))


def _walk(site: OpenSite, bundle: Path) -> Callable[[], object]:
    """Steps (3) and (4) of an import."""
    copied = quarantine(Medium(bundle), site.home.quarantine)
    data = copied.read(layout.TRANSFER)
    said = statements.read(Transfer, data, what=layout.TRANSFER).predicate
    listed = {file.path for file in said.files}
    walker = Walker(copied, site.state, site.trusted_time(), listed)
    return lambda: walker.visit(site.enrolment.site)


def _verify(site: OpenSite, bundle: Path) -> Callable[[], object]:
    """All that `sealift-site verify` does once it is loaded."""
    return lambda: verify_bundle(site, Medium(bundle), WATCH)


def _json(_site: OpenSite, bundle: Path) -> Callable[[], object]:
    """What no reader of TUF's metadata can do without."""
    files = (bundle / layout.METADATA).iterdir()
    data = max(files, key=lambda path: path.stat().st_size).read_bytes()

    def parse() -> str:
        spelled = json.dumps(json.loads(data), separators=(",", ":"), sort_keys=True)
        return sha256(spelled.encode()).hexdigest()

    return parse


def _peak() -> int:
    """Not `ru_maxrss`: that begins with what the parent took up."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    seconds = float(sys.argv[4])
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), datetime.fromtimestamp(seconds, UTC))
