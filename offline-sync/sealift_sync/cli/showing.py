"""How a person reads what the use cases return, and how a machine does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sealift_signing import shape
from sealift_signing.drawing import drawn
from sealift_signing.vocabulary import CatalogPath, moment
from sealift_signing.words import words_of
from sealift_sync.cli import going_on, telling
from sealift_sync.pace import megabytes
from sealift_sync.site.state.check_results import check_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealift_signing.documents import Recall
    from sealift_signing.statements import ArtifactOutcome
    from sealift_sync.durable import BeginPhase
    from sealift_sync.site.importing.accepting import Accepted
    from sealift_sync.site.importing.importer import Import, Watch
    from sealift_sync.site.reports.status import ModelStatus, SiteStatus
    from sealift_sync.site.reports.telephone import TelephoneReport
    from sealift_sync.site.running.activation import Activation
    from sealift_sync.site.running.recheck import PlaceCheck
    from sealift_sync.site.setup.open_site import Site

DAYS_TO_WARN = 14


def watch(begin_phase: BeginPhase, *, quiet: bool) -> Watch:
    """What an import tells while it works; under `--json` it tells nothing."""
    from sealift_sync.bundle.medium import foreign
    from sealift_sync.site.importing.importer import Watch

    def plan(accepted: Accepted, ignored: tuple[str, ...]) -> None:
        if quiet:
            return
        for text in (*foreign(ignored), *accepted.visit.remarks):
            telling.warn_aside(text)
        if accepted.plan.copies:
            count, size = len(accepted.plan.copies), accepted.plan.size
            telling.say_aside(f"{counted(count, 'file')} to copy, {megabytes(size)}.")

    def recalled(recalls: tuple[Recall, ...], stopped: tuple[Activation, ...]) -> None:
        if quiet:
            return
        for one in recalls:
            telling.warn_aside(f"Recalled: {one.sha256[:12]}: {drawn(one.reason)}")
        for switched in stopped:
            telling.warn_aside(switched.words)

    return Watch(begin_phase, plan, recalled)


def accepted(found: Accepted) -> None:
    """What `verify` says."""
    from sealift_sync.site.importing.receipts import unprotected

    telling.good(f"{found.transfer.predicate.id} is whole and authentic; nothing was written.")
    _outcomes([one.outcome for one in found.plan.judged], future=True)
    _unprotected(unprotected(found.visit))


def accepted_json(found: Accepted) -> dict[str, Any]:
    """As `accepted`, for machines."""
    from sealift_sync.site.importing.receipts import unprotected

    return {
        "transfer": found.transfer.predicate.id,
        "artifacts": [shape.to_json(one.outcome) for one in found.plan.judged],
        "copies": {"blobs": len(found.plan.copies), "bytes": found.plan.size},
        "unprotected": list(unprotected(found.visit)),
        "remarks": list(found.visit.remarks),
    }


def imported(done: Import, lost: int) -> None:
    """What `import` says; `lost` blobs of what is in use are still not whole."""
    if done.already:
        telling.good(f"{done.transfer} was already imported; {_brought(done)}.")
    else:
        telling.good(f"{done.transfer} is imported.")
        _outcomes(list(done.receipt.artifacts), future=False)
        _unprotected(done.receipt.unprotected)
    _lost(done.receipt.site, lost)
    for one in done.activations:
        activation(one)
    unchecked(one for one in done.activations if one.outcome == "activated")
    going_on.try_again(going_on.not_switched(done.activations))


def unchecked(activations: Iterable[Activation]) -> None:
    """Why what was switched to was not checked here first: each reason once."""
    reasons: dict[str, list[str]] = {}
    for one in activations:
        if one.checked is not None and one.checked.outcome == "not-checked":
            where = f"{one.place.model} in {one.place.group}"
            reasons.setdefault(one.checked.words, []).append(where)
    for words, places in reasons.items():
        telling.warn(f"{', '.join(places)}: {words}")


def import_json(done: Import) -> dict[str, Any]:
    """As `imported`, for machines."""
    return {
        "transfer": done.transfer,
        "already_imported": done.already,
        "mended": done.mended,
        "receipt": shape.to_json(done.receipt),
        "activations": [activation_json(one) for one in (*done.stopped, *done.activations)],
        "remarks": list(done.remarks),
    }


def activation(one: Activation) -> None:
    """One switched model."""
    if one.outcome == "activated":
        telling.good(one.words)
    elif one.outcome == "already":
        telling.warn(one.words)
    else:
        telling.bad(one.words)


def activation_json(one: Activation) -> dict[str, Any]:
    """As `activation`, for machines."""
    return {
        "group": one.place.group,
        "model": one.place.model,
        "outcome": one.outcome,
        "before": one.before,
        "after": one.after,
        "words": one.words,
        "checked": check_json(one.checked) if one.checked else None,
    }


def checks(found: tuple[PlaceCheck, ...]) -> None:
    """What `check` says."""
    for one in found:
        where = f"{one.place.model} version {one.version} in host group {one.place.group}"
        if one.checked is None or one.checked.outcome == "not-checked":
            why = one.checked.words if one.checked else "Not checked here: nobody set it up."
            telling.warn(f"{where}: {why}")
        elif one.checked.failure:
            telling.bad(f"{where}: {one.checked.failure}")
        else:
            telling.good(f"{where}: {one.checked.words}")
    going_on.ask_again(
        {one.place: one.fallback for one in found if one.checked and one.checked.failure}
    )


def checks_json(found: tuple[PlaceCheck, ...]) -> dict[str, Any]:
    """As `checks`, for machines."""
    return {
        "checks": [
            {
                "group": one.place.group,
                "model": one.place.model,
                "version": one.version,
                "sha256": one.sha256,
                "checked": check_json(one.checked) if one.checked else None,
            }
            for one in found
        ]
    }


def status(site: Site, found: SiteStatus) -> None:
    """What `status` says."""
    known = site.enrolment
    telling.say(f"{known.site}, enrolled for {known.stage}", "bold")
    if found.restored:
        telling.bad(found.restored)
    telling.say(f"Organisation   {known.organisation}")
    telling.say(f"Fingerprint    {words_of(site.fingerprint)}")
    if found.last:
        telling.say(f"Last transfer  {found.last.transfer}, imported {_when(found.last.made)}")
    elif found.under_way:
        telling.say("Nothing has been imported yet.")
    else:
        telling.say("Nothing has been imported yet. Next: sealift-site import DIR")
    if found.under_way:
        telling.say(f"Under way      {found.under_way}; what it brings is not counted here")
    if found.runs:
        telling.say()
        columns = ("Host group", "Model", "Runs", "Assigned", "Fallback", "")
        telling.table(columns, [_run(one) for one in found.runs])
    _checked(found)
    _strange(found.strange)
    for group, _, words in found.held:
        telling.warn(f"Held in {group}: {words}")
    _untold(found)
    _lost(known.site, len(found.lost))
    _unprotected(found.unprotected)
    for role, version, expires in found.roles:
        left = (expires - site.trusted_time()).days
        if left < DAYS_TO_WARN:
            ends = "expired" if left < 0 else "expires"
            telling.warn(
                f"{role} (version {version}) {ends} {expires:%Y-%m-%d}: carry a newer bundle; "
                "what is installed keeps running."
            )
    count, size = found.unused
    if count:
        telling.say(f"Kept and no longer used: {counted(count, 'blob')}, {megabytes(size)}.")
    going_on.try_again([one.place for one in found.runs if one.failed])
    going_on.ask_again(
        {one.place: one.fallback for one in found.runs if one.checked and one.checked.failure}
    )


def status_json(site: Site, found: SiteStatus) -> dict[str, Any]:
    """As `status`, for machines."""
    known = site.enrolment
    return {
        "site": known.site,
        "stage": known.stage,
        "organisation": known.organisation,
        "fingerprint": site.fingerprint,
        "enrolment": known.id,
        "trusted_time": moment(site.trusted_time()),
        "last_transfer": found.last.transfer if found.last else None,
        "under_way": found.under_way or None,
        "runs": [
            {
                "group": one.place.group,
                "model": one.place.model,
                "version": one.version,
                "sha256": one.sha256 or None,
                "assigned": one.assigned,
                "fallback": one.fallback,
                "note": one.note,
                "checked": _checked_json(one),
            }
            for one in found.runs
        ],
        "held": [dict(zip(("group", "artifact", "words"), one, strict=True)) for one in found.held],
        "untold": [
            {"group": place.group, "model": place.model, "words": words}
            for place, words in found.untold
        ],
        "lost": sorted(found.lost),
        "restored": bool(found.restored),
        "recalls": found.recalls,
        "unprotected": list(found.unprotected),
        "strange_groups": list(found.strange),
        "roles": {
            role: {"version": version, "expires": moment(expires)}
            for role, version, expires in found.roles
        },
        "unused": dict(zip(("blobs", "bytes"), found.unused, strict=True)),
    }


def spoken_aloud(said: TelephoneReport) -> None:
    """What `return --print` says: short lines, to be read to somebody."""
    telling.say(f"Site           {said.site}")
    if said.last is None:
        telling.say("Last transfer  none has been imported yet")
    else:
        counts = ", ".join(f"{number} {one}" for one, number in sorted(said.counts.items()))
        telling.say(f"Last transfer  {said.last.transfer}: {counts or 'nothing assigned'}")
    for one in said.held:
        version = CatalogPath.parse(one.artifact).full_version
        telling.say(f"Held           {version} in {one.group}: {one.code}")
    for (group, model), version_number in said.runs.items():
        telling.say(f"Runs           {model}/{version_number} in {group}")
    if not said.runs:
        telling.say("Runs           nothing")
    if said.lost:
        telling.say(f"Lost           {counted(said.lost, 'blob')}")
    if said.restored:
        telling.say("Behind         this log is not all that was signed with this site's key")
    telling.say(f"Log            {counted(said.log.size, 'entry', 'entries')}")
    telling.say(f"Its words      {said.words}")


def spoken_json(said: TelephoneReport) -> dict[str, Any]:
    """As `spoken_aloud`, for machines."""
    return {
        "site": said.site,
        "transfer": said.last.transfer if said.last else None,
        "imported": said.last.made if said.last else None,
        "installed": said.counts.get("installed", 0),
        "held": [
            {"group": one.group, "artifact": one.artifact, "code": one.code} for one in said.held
        ],
        "runs": [
            {"group": group, "model": model, "version": version}
            for (group, model), version in said.runs.items()
        ],
        "lost": said.lost,
        "restored": said.restored,
        "log": {
            "origin": said.log.origin,
            "size": said.log.size,
            "root": said.log.root.hex(),
            "words": said.words,
        },
    }


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _outcomes(outcomes: list[ArtifactOutcome], *, future: bool) -> None:
    for one in outcomes:
        name = f"{CatalogPath.parse(one.artifact).full_version} in {one.group}"
        if one.outcome == "held":
            telling.bad(f"held       {name}: {one.words}")
        elif one.code == "installed":
            telling.good(f"{'to install' if future else 'installed '} {name}: {one.words}")
        elif one.code == "installed-already":
            telling.good(f"there      {name}: {one.words}")
        elif one.code == "retired":
            telling.warn(f"retired    {name}: {one.words}")
        else:
            telling.warn(f"kept       {name}: {one.words}")


def _unprotected(reasons: tuple[str, ...]) -> None:
    if reasons:
        telling.warn(f"UNPROTECTED: {'; '.join(reasons)}.")


def _strange(groups: tuple[str, ...]) -> None:
    for name in groups:
        telling.warn(f"The settings name host group {name}, which this site does not have.")


def _lost(site: str, blobs: int) -> None:
    if blobs:
        are = "is" if blobs == 1 else "are"
        telling.bad(
            f"{counted(blobs, 'blob')} of what is in use {are} lost or damaged; sealift-site fsck "
            "says which."
        )
        telling.say(f"  Have all carried again, at the hub: sealift export {site} --full --to DIR")


def _brought(done: Import) -> str:
    """What changed by a transfer that was imported before."""
    if done.mended:
        are = "is" if done.mended == 1 else "are"
        return f"{counted(done.mended, 'blob')} of it {are} whole again"
    return "what was not finished is finished now" if done.activations else "nothing changed"


def _run(one: ModelStatus) -> tuple[str, ...]:
    return (
        one.place.group,
        one.place.model,
        str(one.version or "nothing"),
        str(one.assigned or "-"),
        str(one.fallback or "-"),
        one.note,
    )


def _checked(found: SiteStatus) -> None:
    """How what runs was checked here; nothing where nobody set that up."""
    for one in found.runs:
        if one.checked is None:
            continue
        where = f"{one.place.model} in {one.place.group}"
        if one.checked_at is None:
            telling.warn(f"{where}: {one.checked.words}")
            continue
        tell = telling.bad if one.checked.failure else telling.say
        when = _when(moment(one.checked_at))
        what = f"{one.place.model} version {one.version} in {one.place.group}"
        tell(f"{what} was checked here {when}: {one.checked.words}")


def _checked_json(one: ModelStatus) -> dict[str, Any] | None:
    if one.checked is None:
        return None
    made = moment(one.checked_at) if one.checked_at else None
    return {**check_json(one.checked), "made": made}


def _when(text: str) -> str:
    when = datetime.fromisoformat(text)
    days = (datetime.now(UTC) - when).days
    age = "today" if days < 1 else "yesterday" if days == 1 else f"{days} days ago"
    return f"{when:%Y-%m-%d %H:%M} UTC ({age})"


def _untold(found: SiteStatus) -> None:
    for place, words in found.untold:
        telling.bad(
            f"{place.model} in host group {place.group} was stopped, and its server was not told. "
            f"It may still run it: {words}"
        )
        again = f"sealift-site rollback {place.model} --group {place.group} --reason TEXT"
        telling.say(f"  Stop it there, or mend the hook and run: {again}")
