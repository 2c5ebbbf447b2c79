"""What `export` and `export --plan` say: for people, and for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealift_signing.drawing import pasted, word
from sealift_signing.vocabulary import counted
from sealift_sync.pace import speed

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from sealift_registry.cli.session import Session
    from sealift_registry.cli.signing import Signing
    from sealift_registry.delivery.bundle_contents import BundleContents
    from sealift_registry.delivery.exports import DraftedBundle, Exported, ExportPlan
    from sealift_registry.delivery.preparing import Ready
    from sealift_signing.acts.material import Ask
    from sealift_signing.desk.signing import Desk
    from sealift_signing.drafts import Draft
    from sealift_signing.errors import FailedError
    from sealift_signing.public_key import PublicKey

MINUTE = 60
HOUR = 60 * MINUTE


def of_export(made: Exported) -> tuple[dict[str, Any], list[str]]:
    """What was written."""
    lines = [
        f"{made.transfer} is written to {word(str(made.folder))} and was read back:",
        f"  {counted(made.files, 'file')}, {counted(made.size, 'byte')}",
        *(f"  {path}" for path in made.artifacts),
        *_left_out(made.ready),
    ]
    if made.again:
        lines += ["  An earlier run had begun it, and this one went on from there."]
    lines += _warned(made.warnings)
    if made.unprotected:
        lines += ["", "UNPROTECTED: " + "; ".join(made.unprotected) + "."]
    lines += ["", f"At the site:  sealift-site import {pasted([str(made.folder)])}"]
    data = {
        "transfer": made.transfer,
        "folder": str(made.folder),
        "files": made.files,
        "bytes": made.size,
        "again": made.again,
        "unprotected": list(made.unprotected),
        "warnings": list(made.warnings),
    }
    return data | _carried(made.ready), lines


def of_draft(made: DraftedBundle, medium: str) -> list[str]:
    """What waits on the medium for its signature."""
    return [
        f"{made.transfer} is written to {word(medium)} and was read back, all but its signature:",
        f"  {counted(made.files, 'file')}, {counted(made.size, 'byte')}",
        *(f"  {path}" for path in made.ready.load.artifacts),
        *_left_out(made.ready),
        *_warned(made.warnings),
        "Keep the medium where you can vouch for it until then.",
    ]


@dataclass(frozen=True)
class DispatcherAtHub:
    """The dispatcher who signs a transfer at the hub, while it is written."""

    desk: Desk
    signer: Signer

    @property
    def key(self) -> PublicKey:
        """Their key."""
        from sealift_signing.public_key import PublicKey

        return PublicKey.from_tuf(self.signer.public_key)

    def check(self, draft: Draft, ask: Ask) -> None:
        """Check that it could be signed."""
        self.desk.check(draft, ask, self.signer)

    def sign(self, draft: Draft, ask: Ask) -> Draft:
        """It, signed, and remembered."""
        draft = self.desk.unfinished(draft, ask, [self.signer])
        return self.desk.sign(draft, ask, self.signer)


def at_hub(session: Session, how: Signing) -> DispatcherAtHub:
    """The dispatcher, by the key that the command names.

    Raises:
        UsageError: it names several: a transfer has one signature.
    """
    from sealift_registry.cli.at_hub import desk_at_hub
    from sealift_signing.errors import UsageError

    if len(how.keys) > 1:
        raise UsageError(
            "twice",
            "--key is given twice.",
            subject="--key",
            next_step="Give it once: a transfer is signed by one dispatcher.",
        )
    (signer,) = session.signers(how.keys)
    return DispatcherAtHub(desk_at_hub(session, how), signer)


def of_plan(plan: ExportPlan, medium: str) -> tuple[dict[str, Any], list[str]]:
    """What would be written, and whether it fits."""
    ready, space = plan.ready, plan.space
    size, kind = (
        f"{counted(plan.files, 'file')}, {counted(plan.size, 'byte')}",
        space.kind or "file system unknown",
    )
    lines = [
        f"For {ready.site.id}, to {word(medium)}: {size}. Nothing was written.",
        *(f"  {path}" for path in ready.load.artifacts),
        *_left_out(ready),
        "",
        f"The medium ({kind}): {plan.needed:,} bytes are needed, {space.free:,} are free.",
        f"  {_speed(plan)}",
        *_misfits(plan.misfits),
        *_warned(ready.lapsed),
    ]
    speed = plan.speed
    measured = speed and {"write": int(speed.write), "read": int(speed.read)}
    data = {
        "site": ready.site.id,
        "files": plan.files,
        "bytes": plan.size,
        "needed": plan.needed,
        "free": space.free,
        "file_system": space.kind,
        "bytes_per_second": measured,
        "seconds": None if plan.seconds is None else round(plan.seconds),
        "misfits": [bad.as_json()["error"] for bad in plan.misfits],
        "warnings": list(ready.lapsed),
    }
    return data | _carried(ready), lines


def _misfits(misfits: tuple[FailedError, ...]) -> list[str]:
    """That it does not fit. The first reason is the error that the command ends with."""
    more = [f"  Also: {one.what} {one.next_step}" for one in misfits[1:]]
    return ["  It does not fit.", *more] if misfits else []


def _carried(ready: Ready) -> dict[str, Any]:
    load = ready.load
    return {
        "artifacts": [str(path) for path in load.artifacts],
        "left_out": {
            "blobs": len(load.left_out),
            "bytes": sum(load.left_out.values()),
            "base": list(load.base),
        },
        "check_rows": {"files": len(load.contents.checks), "staying": list(load.rows.staying)},
    }


def _left_out(ready: Ready) -> list[str]:
    """What stays at home and why; or why nothing does."""
    load, site = ready.load, ready.site.id
    rows = _check_rows(load)
    if load.left_out:
        what = f"{counted(len(load.left_out), 'blob')}, {sum(load.left_out.values()):,} bytes"
        return [
            f"  Left out: {what}, which {site} has by its receipt for {load.held.transfer}.",
            f"    If it has lost one:  sealift export {site} --full --to DIR",
            *rows,
        ]
    return ["  Nothing is left out: the bundle is full.", *rows]


def _check_rows(load: BundleContents) -> list[str]:
    """How many files of check rows travel, and why others do not."""
    count = len(load.contents.checks)
    travelling = [f"  Check rows travel: {counted(count, 'file')}."] if count else []
    return [*travelling, *(f"  {one}" for one in load.rows.staying)]


def _speed(plan: ExportPlan) -> str:
    if plan.speed is None or plan.seconds is None:
        return "Its speed could not be measured: nothing can be written there."
    write, read = speed(plan.speed.write), speed(plan.speed.read)
    return (
        f"Measured just now: it writes {write} and reads {read}; writing and reading back takes "
        f"about {_time(plan.seconds)}."
    )


def _time(seconds: float) -> str:
    if seconds < 2 * MINUTE:
        return counted(max(round(seconds), 1), "second")
    if seconds < 2 * HOUR:
        return counted(round(seconds / MINUTE), "minute")
    return f"{seconds / HOUR:.1f} hours"


def _warned(warnings: tuple[str, ...]) -> list[str]:
    return [f"Warning: {one}" for one in warnings]
