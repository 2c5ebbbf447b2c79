"""The hand of a dispatcher at the hub, and what `export --plan` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealift_signing.drawing import word
from sealift_signing.errors import UsageError
from sealift_signing.vocabulary import counted
from sealift_sync.pace import speed

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from sealift_registry.cli.session import Session
    from sealift_registry.cli.signing import Signing
    from sealift_registry.delivery.exports import ExportPlan
    from sealift_signing.acts.material import Ask
    from sealift_signing.desk.signing import Desk
    from sealift_signing.drafts import Draft
    from sealift_signing.errors import FailedError
    from sealift_signing.public_key import PublicKey

MINUTE = 60
HOUR = 60 * MINUTE


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

    check_one_key(how)
    (signer,) = session.signers(how.keys)
    return DispatcherAtHub(desk_at_hub(session, how), signer)


def check_one_key(how: Signing) -> None:
    """Check that a transfer gets the one signature that it has.

    Raises:
        UsageError: several keys are named.
    """
    if len(how.keys) > 1:
        raise UsageError(
            "twice",
            "--key is given twice.",
            subject="--key",
            next_step="Give it once: a transfer is signed by one dispatcher.",
        )


def of_plan(plan: ExportPlan, medium: str) -> tuple[dict[str, Any], list[str]]:
    """What would be written, and whether it fits."""
    from sealift_registry.delivery.export_answers import carried_data
    from sealift_registry.shown.exported import left_out_lines, warned_lines

    ready, space = plan.ready, plan.space
    carried = carried_data(ready)
    size, kind = (
        f"{counted(plan.files, 'file')}, {counted(plan.size, 'byte')}",
        space.kind or "file system unknown",
    )
    lines = [
        f"For {ready.site.id}, to {word(medium)}: {size}. Nothing was written.",
        *(f"  {path}" for path in ready.load.artifacts),
        *left_out_lines(carried, ready.site.id),
        "",
        f"The medium ({kind}): {plan.needed:,} bytes are needed, {space.free:,} are free.",
        f"  {_speed(plan)}",
        *_misfits(plan.misfits),
        *warned_lines(ready.lapsed),
    ]
    speed = plan.speed
    measured = speed and {"write": int(speed.write), "read": int(speed.read)}
    data: dict[str, Any] = {
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
    return data | carried, lines


def _misfits(misfits: tuple[FailedError, ...]) -> list[str]:
    """That it does not fit. The first reason is the error that the command ends with."""
    more = [f"  Also: {one.what} {one.next_step}" for one in misfits[1:]]
    return ["  It does not fit.", *more] if misfits else []


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
