"""`sealift-site fsck`: whether everything that this site keeps is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sealift_signing.vocabulary import counted
from sealift_sync.cli import telling
from sealift_sync.cli.calling import Call

if TYPE_CHECKING:
    from sealift_signing.errors import RefusedError
    from sealift_sync.site.reports.integrity import Damage, Examination

WORDS = {
    "missing": "is missing",
    "damaged": "is damaged: its bytes are not those of its digest",
    "unreadable": "cannot be read from the disk",
}


@click.command(epilog="Example: sealift-site fsck")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def fsck(call: Call, *, as_json: bool) -> None:
    """Hash everything again, mend what can be, and name what is lost.

    Looks at the database, the log, every blob, and what consumers read of it. What is lost is
    logged, and the next receipt tells the hub, so that the next bundle brings it.
    """
    from sealift_sync import progress
    from sealift_sync.site.reports.integrity import examine

    with progress.telling(quiet=as_json) as begin_phase:
        found = examine(lambda: call.site("fsck"), begin_phase)
    if as_json:
        telling.print_json("fsck", _json(found))
    else:
        _tell(found)
    if found.problems:
        raise _not_whole(call, found)


def _not_whole(call: Call, found: Examination) -> RefusedError:
    from sealift_signing.errors import RefusedError

    lost = any(one.missed for one in found.damages)
    what = f"This site is not whole: {counted(found.problems, 'thing')} are wrong."
    if found.problems == 1:
        what = "This site is not whole: one thing is wrong."
    if found.restored and found.problems == 1:
        step = "Nothing was recorded. Do what is said above."
    elif not found.recorded:
        step = (
            "Nothing was recorded, because the database or the log is damaged. Write nothing more "
            "here, keep a copy, restore the newest backup, and tell the organisation's auditors."
        )
    elif lost:
        with call.site("fsck", mend=False) as site:
            name = site.enrolment.site
        step = (
            f"Have what is lost carried again: sealift export {name} --full --to DIR. An import "
            "of an earlier medium that still has it restores it too."
        )
    else:
        step = "Mend the disk or the permissions, and run this again."
    return RefusedError("site-not-whole", what, next_step=step)


def _tell(found: Examination) -> None:
    from sealift_sync.pace import megabytes

    for sentence in (found.restored, *found.database, *found.receipts):
        if sentence:
            telling.bad(sentence)
    for finding in found.log.findings:
        telling.bad(finding.sentence)
    for one in found.damages:
        (telling.bad if one.missed else telling.warn)(_sentence(one))
    for link in found.links:
        where = f"{link.place.model} in host group {link.place.group}"
        problem = f"cannot be shown: {link.problem}" if link.problem else "was put right."
        (telling.bad if link.problem else telling.good)(f"{where} {problem}")
    for digest in found.removed:
        telling.good(f"The blob {digest[:12]} was damaged and is needed by nothing: removed.")
    for digest in found.mended:
        telling.good(f"The blob {digest[:12]} is whole again.")
    count, size = found.blobs
    if not found.damages:
        telling.good(f"{counted(count, 'blob')} hashed, {megabytes(size)}: whole.")
    if found.log.ok and found.recorded:  # else a sentence above says what the log is not
        entries = counted(found.log.size, "entry", "entries")
        telling.good(f"The log is the one that was signed: {entries}.")


def _sentence(one: Damage) -> str:
    """One lost blob, with everything that consists of it."""
    from sealift_signing.vocabulary import CatalogPath

    said = []
    for use in one.used_by:
        path = CatalogPath.parse(use.artifact)
        runs = ", which runs there" if use.running else "" if use.in_use else ", no longer used"
        said.append(f"{use.file} of {path.full_version} in {use.group}{runs} ({use.transfer})")
    return f"The blob {one.sha256[:12]} {WORDS[one.fault]}. It is {'; '.join(said)}."


def _json(found: Examination) -> dict[str, Any]:
    return {
        "ok": not found.problems,
        "recorded": found.recorded,
        "blobs": found.blobs[0],
        "bytes": found.blobs[1],
        "damaged": [
            {
                "sha256": one.sha256,
                "fault": one.fault,
                "used_by": [vars(use) for use in one.used_by],
            }
            for one in found.damages
        ],
        "mended": list(found.mended),
        "removed": list(found.removed),
        "links": [
            {"group": one.place.group, "model": one.place.model, "problem": one.problem}
            for one in found.links
        ],
        "log": {
            "ok": found.log.ok,
            "size": found.log.size,
            "findings": [
                {"code": one.code, "what": one.sentence, "seq": one.seq}
                for one in found.log.findings
            ],
        },
        "receipts": list(found.receipts),
        "database": list(found.database),
        "restored": bool(found.restored),
    }
