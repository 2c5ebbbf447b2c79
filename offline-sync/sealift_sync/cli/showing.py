"""How a person reads what the use cases return, and how a machine does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sealift_signing import shape
from sealift_signing.drawing import drawn
from sealift_signing.vocabulary import CatalogPath, counted, moment
from sealift_signing.words import words_of
from sealift_sync.cli import next_steps, telling
from sealift_sync.pace import megabytes
from sealift_sync.site.state.check_results import check_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealift_signing.documents import Recall
    from sealift_signing.statements import ArtifactOutcome
    from sealift_sync.durable import BeginPhase
    from sealift_sync.site.importing.accepting import Accepted
    from sealift_sync.site.importing.importer import Import, Watch
    from sealift_sync.site.reports.site_status import ModelStatus, SiteStatus
    from sealift_sync.site.reports.telephone import TelephoneReport
    from sealift_sync.site.running.activation import Activation
    from sealift_sync.site.running.recheck import PlaceCheck
    from sealift_sync.site.setup.open_site import OpenSite

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
    from sealift_sync.site.importing.making_receipt import unprotected

    telling.good(f"{found.transfer.predicate.id} is whole and authentic; nothing was written.")
    _outcomes([one.outcome for one in found.plan.judged], future=True)
    _unprotected(unprotected(found.visit))


def accepted_json(found: Accepted) -> dict[str, Any]:
    """As `accepted`, for machines."""
    from sealift_sync.site.importing.making_receipt import unprotected

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
    next_steps.try_again(next_steps.not_switched(done.activations))


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


def activation(switched: Activation) -> None:
    """One switched model."""
    if switched.outcome == "activated":
        telling.good(switched.words)
    elif switched.outcome == "already":
        telling.warn(switched.words)
    else:
        telling.bad(switched.words)


def activation_json(switched: Activation) -> dict[str, Any]:
    """As `activation`, for machines."""
    return {
        "group": switched.place.group,
        "model": switched.place.model,
        "outcome": switched.outcome,
        "before": switched.before,
        "after": switched.after,
        "words": switched.words,
        "checked": check_json(switched.checked) if switched.checked else None,
    }


def checks(places: tuple[PlaceCheck, ...]) -> None:
    """What `check` says."""
    for one in places:
        where = f"{one.place.model} version {one.version} in host group {one.place.group}"
        if one.checked is None or one.checked.outcome == "not-checked":
            why = one.checked.words if one.checked else "Not checked here: nobody set it up."
            telling.warn(f"{where}: {why}")
        elif one.checked.failure:
            telling.bad(f"{where}: {one.checked.failure}")
        else:
            telling.good(f"{where}: {one.checked.words}")
    next_steps.ask_again(
        {one.place: one.fallback for one in places if one.checked and one.checked.failure}
    )


def checks_json(places: tuple[PlaceCheck, ...]) -> dict[str, Any]:
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
            for one in places
        ]
    }


def status(site: OpenSite, state: SiteStatus) -> None:
    """What `status` says."""
    known = site.enrolment
    telling.say(f"{known.site}, enrolled for {known.stage}", "bold")
    if state.restored:
        telling.bad(state.restored)
    telling.say(f"Organisation   {known.organisation}")
    telling.say(f"Fingerprint    {words_of(site.fingerprint)}")
    if state.last:
        telling.say(f"Last transfer  {state.last.transfer}, imported {_when(state.last.made)}")
    elif state.under_way:
        telling.say("Nothing has been imported yet.")
    else:
        telling.say("Nothing has been imported yet. Next: sealift-site import DIR")
    if state.under_way:
        telling.say(f"Under way      {state.under_way}; what it brings is not counted here")
    if state.runs:
        telling.say()
        columns = ("Host group", "Model", "Runs", "Assigned", "Fallback", "")
        telling.table(columns, [_run(one) for one in state.runs])
    _checked(state)
    _strange(state.strange)
    for group, _, words in state.held:
        telling.warn(f"Held in {group}: {words}")
    _untold(state)
    _lost(known.site, len(state.lost))
    _unprotected(state.unprotected)
    for role, version, expires in state.roles:
        left = (expires - site.trusted_time()).days
        if left < DAYS_TO_WARN:
            ends = "expired" if left < 0 else "expires"
            telling.warn(
                f"{role} (version {version}) {ends} {expires:%Y-%m-%d}: carry a newer bundle; "
                "what is installed keeps running."
            )
    count, size = state.unused
    if count:
        telling.say(f"Kept and no longer used: {counted(count, 'blob')}, {megabytes(size)}.")
    next_steps.try_again([one.place for one in state.runs if one.failed])
    next_steps.ask_again(
        {one.place: one.fallback for one in state.runs if one.checked and one.checked.failure}
    )


def status_json(site: OpenSite, state: SiteStatus) -> dict[str, Any]:
    """As `status`, for machines."""
    known = site.enrolment
    return {
        "site": known.site,
        "stage": known.stage,
        "organisation": known.organisation,
        "fingerprint": site.fingerprint,
        "enrolment": known.id,
        "trusted_time": moment(site.trusted_time()),
        "last_transfer": state.last.transfer if state.last else None,
        "under_way": state.under_way or None,
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
            for one in state.runs
        ],
        "held": [dict(zip(("group", "artifact", "words"), one, strict=True)) for one in state.held],
        "untold": [
            {"group": place.group, "model": place.model, "words": words}
            for place, words in state.untold
        ],
        "lost": sorted(state.lost),
        "restored": bool(state.restored),
        "recalls": state.recalls,
        "unprotected": list(state.unprotected),
        "strange_groups": list(state.strange),
        "roles": {
            role: {"version": version, "expires": moment(expires)}
            for role, version, expires in state.roles
        },
        "unused": dict(zip(("blobs", "bytes"), state.unused, strict=True)),
    }


def telephone_report(report: TelephoneReport) -> None:
    """What `return --print` says: short lines, to be read to somebody."""
    telling.say(f"Site           {report.site}")
    if report.last is None:
        telling.say("Last transfer  none has been imported yet")
    else:
        counts = ", ".join(f"{number} {one}" for one, number in sorted(report.counts.items()))
        telling.say(f"Last transfer  {report.last.transfer}: {counts or 'nothing assigned'}")
    for one in report.held:
        version = CatalogPath.parse(one.artifact).full_version
        telling.say(f"Held           {version} in {one.group}: {one.code}")
    for (group, model), version_number in report.runs.items():
        telling.say(f"Runs           {model}/{version_number} in {group}")
    if not report.runs:
        telling.say("Runs           nothing")
    if report.lost:
        telling.say(f"Lost           {counted(report.lost, 'blob')}")
    if report.restored:
        telling.say("Behind         this log is not all that was signed with this site's key")
    telling.say(f"Log            {counted(report.log.size, 'entry', 'entries')}")
    telling.say(f"Its words      {report.words}")


def telephone_json(report: TelephoneReport) -> dict[str, Any]:
    """As `telephone_report`, for machines."""
    return {
        "site": report.site,
        "transfer": report.last.transfer if report.last else None,
        "imported": report.last.made if report.last else None,
        "installed": report.counts.get("installed", 0),
        "held": [
            {"group": one.group, "artifact": one.artifact, "code": one.code} for one in report.held
        ],
        "runs": [
            {"group": group, "model": model, "version": version}
            for (group, model), version in report.runs.items()
        ],
        "lost": report.lost,
        "restored": report.restored,
        "log": {
            "origin": report.log.origin,
            "size": report.log.size,
            "root": report.log.root.hex(),
            "words": report.words,
        },
    }


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
