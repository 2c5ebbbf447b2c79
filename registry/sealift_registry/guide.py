"""What is missing before the next step of the journey: one sentence and one command each.

The order is the journey's, and only what can be done now is named: a version cannot be promoted
before it has a variant, so nobody is told to.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from sealift_registry.audit.moved import MovedHubError, to_blobs
from sealift_registry.audit.restored_backup import RestoredHubError
from sealift_registry.catalog.pages import VersionDue
from sealift_registry.catalog.reference import VersionRef, promotion_id
from sealift_registry.conversion.refused import Refused
from sealift_registry.delivery.attention import Rank
from sealift_registry.jobs.dbos_watching import watched
from sealift_registry.storage.home import IN_HOME
from sealift_registry.storage.within import ALL, Within
from sealift_registry.trust import readiness
from sealift_registry.trust.hub import Hub
from sealift_registry.views import due, jobs_due, people
from sealift_registry.views.due import (
    PeopleDue,
    PromotionDue,
    RoleDue,
    SiteDue,
    SiteLack,
    SitesDue,
    StaleKey,
    VersionsDue,
)
from sealift_registry.views.jobs import about
from sealift_registry.views.jobs_due import Unattended, WentWrong
from sealift_signing import roles
from sealift_signing.clock import ClockError
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import SealiftError
from sealift_signing.vocabulary import counted, moment

LONGEST_SHOWN = 400
"""Characters of why something was refused."""
_KEYS = re.compile(r" --key [A-Z]+")
_NO_COMMAND = "sealift team list     (no command takes it out yet: tell those who sign with them)"
_NEW_LOG_KEY = "sealift key rotate log     (only where no backup holds them: restore that first)"
_SET_CLOCK = "sealift --today YYYY-MM-DD next     (once the clock is right)"
_BLOBS_ELSEWHERE = "sealift migrate --to-blobs s3://BUCKET/PREFIX     (on the host that has them)"
SCHEME = "://"
"""What the address of a server holds, and no path."""
_WAYS_ON = {
    "clock-not-set": "sealift next     (once the clock is set)",
    "clock-behind": _SET_CLOCK,
    "clock-ahead": _SET_CLOCK,
    "log-damaged": "sealift audit verify",
}

_STOPS = (ClockError, MovedHubError, RestoredHubError)
"""What stops a hub, and has a way on."""


@dataclass(frozen=True)
class Step:
    """What is missing, and the command that sees to it."""

    sentence: str
    command: str


_STOPPED = Step(
    "The hub is stopped until whoever runs it has seen to that.", "sealift next     (at the hub)"
)


def no_hub(root: Path) -> Step:
    """The step where there is no hub at `root`."""
    command = "sealift init --offline-keys DIR     (or, for one person alone: sealift init --solo)"
    return Step(f"There is no hub at {root} yet.", command)


def missing(hub: Hub, hardware_targets: Collection[str], within: Within = ALL) -> list[Step]:
    """What is missing at the hub, in the order of the journey; first, and alone, what stops it.

    To who sees some teams and sites, what is of those; and that the hub is stopped, but not why.

    Raises:
        RefusedError: a row that nobody signed, which no step does away with.
    """
    problems = readiness.problems(hub)
    for bad in problems:
        if bad.code != "log-damaged" and not isinstance(bad, _STOPS):
            raise bad
    stopped = [Step(bad.what, _way_on(hub, bad)) for bad in problems]
    if stopped:
        return stopped if within.everything else [_STOPPED]
    steps = hub.reading_blobs(
        lambda asking, connection: list(_steps(asking, hardware_targets, connection, within))
    )
    if not hub.home.settings.keys.default:
        return steps
    # A hub for one person has a key that every command takes where none is named.
    return [replace(step, command=_KEYS.sub("", step.command)) for step in steps]


def _way_on(hub: Hub, bad: SealiftError) -> str:
    """The command that sees to what stops the hub."""
    if bad.code == "database-arriving":
        return f"sealift migrate --to-database {pasted([hub.database.place])}     (as before)"
    if bad.code == "blobs-moved" and bad.subject == IN_HOME and hub.home.settings.database.url:
        return _BLOBS_ELSEWHERE
    if bad.code == "blobs-moved":
        return f"{to_blobs(bad.subject)}     (here, too)"
    if bad.code == "database-moved" and SCHEME not in bad.subject:
        return f"sealift next --home {pasted([str(Path(bad.subject).parent)])}     (where that is)"
    if bad.code == "database-moved":
        return f"sealift migrate --to-database {pasted([bad.subject])}     (here, too)"
    return _WAYS_ON.get(bad.code, _NEW_LOG_KEY)


def _steps(
    hub: Hub, hardware_targets: Collection[str], connection: Connection, within: Within
) -> Iterator[Step]:
    now = hub.now()
    expiring = due.expiring(connection, now)  # read first: a false row is named so
    stale = due.stale_keys(connection)
    yield from (_stale_key(one) for one in stale if within.has_role(one.office.place))
    yield from (_expiring(one, now) for one in expiring if within.has_role(one.role))
    handed_on = due.handed_on(connection)
    if handed_on:
        yield from map(
            _handed_on, filter(within.has_role, handed_on)
        )  # what stands on such a role says nothing until then
        return
    teams = [one for one in people.team_names(connection) if within.has_team(one)]
    if not teams and within.everything:
        # In a hub for one person, that person is the steward.
        stewards = "" if hub.home.settings.keys.person else " --steward CARD" * 2
        command = f"sealift team add NAME{stewards}"
        yield Step("There is no team yet; a team owns models.", command)
        return
    for team in teams:
        yield from map(_people, due.people(connection, team))
    sites, versions = due.sites(hub, connection, within), due.versions(connection, within)
    yield from (_site(site) for site in sites.sites if site.lack.is_amiss)  # before all that waits
    amiss = "not to run what is assigned there, or to have lost blobs of it"
    yield from _more_sites(sites, Rank.AMISS, amiss)
    yield from map(_went_wrong, jobs_due.went_wrong(connection, now, within))
    if within.everything:
        yield from map(_unattended, jobs_due.unattended(connection, lambda: watched(hub)))
    yield from _versions(versions, teams, hardware_targets)
    requests = due.promotions(connection, now, within)
    yield from map(_promotion, requests.promotions)
    names = [promotion_id(number) for number in requests.beyond]
    yield from _more(names, "request", "to wait for approvals, or for being made again")
    if not sites.any_site and within.everything:
        yield Step(
            "No site is enrolled yet. At the site: sealift-site init --id ID "
            "--group NAME=HARDWARE-TARGET --request FILE; then here:",
            "sealift site enroll FILE --stage STAGE --dispatcher CARD",
        )
    yield from (_site(site) for site in sites.sites if not site.lack.is_amiss)
    yield from _more_sites(sites, Rank.WAITS, "to wait for something")
    yield from _more_sites(sites, Rank.UNKNOWN, "to have answered, with no row of what runs there")
    for ref, refused in versions.refused:
        yield _another(ref, refused)


def _more_sites(found: SitesDue, rank: Rank, what: str) -> Iterator[Step]:
    return _more(found.beyond.get(rank, ()), "site", what)


def _more(names: Sequence[str], noun: str, what: str) -> Iterator[Step]:
    """That there seem to be more of a kind than one is told of at once; none of them was looked at.

    Their names come from rows, and so the first is drawn as any word of others.
    """
    if names:
        seem = f"1 more {noun} seems" if len(names) == 1 else f"{len(names)} more {noun}s seem"
        them = "It is" if len(names) == 1 else "They are"
        first = "" if len(names) == 1 else " The first of them:"
        told = f"{them} told here once what stands before is seen to."
        yield Step(f"{seem} {what}. {told}{first}", f"sealift show {pasted(names[:1])}")


def _stale_key(one: StaleKey) -> Step:
    """A person of whom one key was replaced in one office and goes on in another."""
    kind, _, name = one.office.place.partition(".")
    person = one.office.person
    commands = {
        roles.TEAM: f"sealift team stewards {name} PERSON… --card {person}.card",
        roles.SITE: f"sealift site enroll REQUEST --stage STAGE --dispatcher {person}.card",
    }
    return Step(one.sentence, commands.get(kind, _NO_COMMAND))


def _expiring(one: RoleDue, now: datetime) -> Step:
    ends = "expired" if one.expires <= now else "expires"
    return Step(
        f"The signature of {one.role} {ends} at {moment(one.expires)}.",
        f"sealift renew {one.role}",
    )


def _handed_on(role: str) -> Step:
    return Step(
        f"Others hold {role} since it was signed, and they have not signed it again.",
        f"sealift renew {role}",
    )


def _people(one: PeopleDue) -> Step:
    if one.stage is None:
        return Step(
            f"Nobody in team {one.team} may request promotions.",
            f"sealift team requester {one.team} CARD",
        )
    return Step(
        f"Team {one.team} has {one.have} of the {one.need} people whose approval "
        f"{one.stage} needs.",
        f"sealift team approver {one.team} CARD --stage {one.stage}",
    )


def _went_wrong(one: WentWrong) -> Step:
    """A job that nobody asked for again: its problem says what to do."""
    order, name = one.job.order, one.job.id
    how = "was set aside" if one.end.outcome == "set-aside" else "failed"
    why = f": {one.end.problem.what}" if one.end.problem else "."
    sentence = f"{name} ({order.kind} {about(order)}) {how} on {one.end.made[:10]}{why}"
    if (
        one.end.problem is not None and one.end.problem.final
    ):  # as it was refused, it would be again
        return Step(sentence, f"sealift job show {name}     (what to do; a retry would end so too)")
    return Step(
        sentence,
        f"sealift job show {name}     (and once that is seen to: sealift job retry {name})",
    )


def _unattended(one: Unattended) -> Step:
    where = "no worker takes from it"
    command = f"sealift worker --queue {pasted([one.queue])}"
    if one.host_name is not None:
        where = f"no worker on {word(one.host_name)} does so, where alone that can be done"
        command = f"{command}     (on {word(one.host_name)})"
    jobs = "1 job waits" if one.count == 1 else f"{one.count} jobs wait"
    return Step(f"{jobs} in the queue {one.queue}, from {one.first.id} on; {where}.", command)


def _versions(
    found: VersionsDue, teams: Sequence[str], hardware_targets: Collection[str]
) -> Iterator[Step]:
    """The newest version of a model: goldens, then a variant, then a promotion."""
    if not found.any_model and teams:
        command = f"sealift ingest onnx FILE --as {teams[0]}/MODEL --goldens FILE.npz"
        yield Step("No model has been taken in yet.", command)
    for one in found.versions:
        yield _version(one, hardware_targets)
    what = "to lack goldens, a variant or a promotion"
    yield from _more([str(ref) for ref in found.beyond], "model", what)


def _version(one: VersionDue, hardware_targets: Collection[str]) -> Step:
    ref = one.ref
    if not one.has_goldens:
        return Step(
            f"{ref} has no goldens, which converting needs.",
            f"sealift ingest …  (as before)  --as {ref.of} --goldens FILE.npz",
        )
    if not one.has_variant:
        return Step(
            f"{ref} has no variant for any hardware target yet.",
            f"sealift convert {ref} --for {min(hardware_targets, key=_x86_first)}",
        )
    return Step(
        f"{ref} has not been promoted to any stage.",
        f"sealift promote {ref} --to STAGE --reason '…'",
    )


def _another(ref: VersionRef, found: Refused) -> Step:
    """To convert the same once more would end as it did; a mended one is another version."""
    words = found.words
    if len(words) > LONGEST_SHOWN:
        words = f"{words[:LONGEST_SHOWN]} …"
    return Step(
        f"Converting {ref} for {found.path.form} was refused: {words} Ingest "
        "another version, mended so, or other goldens where it is these.",
        f"sealift ingest …  (as before)  --as {ref.of} --goldens FILE.npz",
    )


def _promotion(one: PromotionDue) -> Step:
    promotion, tally = one.counted.promotion, one.counted.tally
    so_far = (
        f"{promotion.id} ({promotion.ref} to {promotion.stage}) has {len(tally.counted)} of "
        f"{tally.needed} approvals"
    )
    if not one.too_old:
        return Step(
            f"{so_far}.",
            f"sealift approve {promotion.id} --meaning validated --reason '…'",
        )
    return Step(
        f"{so_far}, and is too old to get more: it was asked for on {promotion.made[:10]}, and an "
        f"approval counts within {one.within.days} days. Ask again:",
        f"sealift promote {promotion.ref} --to {promotion.stage} --reason '…'",
    )


def _site(one: SiteDue) -> Step:
    name = one.site.id
    if one.lack is SiteLack.ASSIGNMENT:
        group, hardware_target = min(one.site.groups.items())
        return Step(
            f"Nothing is assigned to site {name}.",
            f"sealift assign {name} TEAM/MODEL/VERSION --for {group}={hardware_target} "
            "--key DISPATCHER",
        )
    if one.unsigned is not None:
        return Step(
            f"{one.unsigned.transfer.id} waits on {one.unsigned.medium} to be signed by whoever "
            f"dispatches to {name}. The same export again gives the same draft; what is signed of "
            "it:",
            f"sealift submit FILE --medium {pasted([str(one.unsigned.medium)])}",
        )
    if one.lack in _AFTERWARDS:
        return _afterwards(one)
    if one.begun is not None:
        transfer, other = one.begun
        return Step(
            f"{transfer} for site {name} was begun on {other}, and is not signed yet. Go on there; "
            "or, here, begin another one that takes its place:",
            f"sealift export {name} --to DIR --key DISPATCHER --anew",
        )
    return Step(_why_export(one), f"sealift export {name} --to DIR --key DISPATCHER")


_AFTERWARDS = {SiteLack.ANSWER, SiteLack.SILENT, SiteLack.ATTENTION, SiteLack.REFUSED}
"""What a site waits for to which all was sent that it should run."""


def _afterwards(one: SiteDue) -> Step:
    """What somebody should look at there, or bring home from there."""
    name = one.site.id
    home = "sealift-site return --to DIR; then here:"
    if one.lack is SiteLack.ANSWER:
        since = f", which was exported {counted(one.days, 'day')} ago" if one.days else ""
        return Step(
            f"Site {name} has not answered {one.transfer} yet{since}. At the site: sealift-site "
            f"import DIR, then {home}",
            "sealift receive DIR",
        )
    if one.lack is SiteLack.SILENT:
        silent = f"Nothing was heard of site {name} for {counted(one.days, 'day')}"
        return Step(f"{silent}. At the site: {home}", "sealift receive DIR")
    what = f"What site {name} is assigned does not run there, or did not start; the site says why:"
    what = f"Site {name}: {one.first.rstrip('.')}." if one.first else what
    return Step(what, f"sealift show {name}")


def _why_export(one: SiteDue) -> str:
    name = one.site.id
    if one.lack is SiteLack.BUNDLE:
        return f"Nothing has been exported for site {name} yet."
    if one.lack is SiteLack.NEWER_BUNDLE:
        return f"What site {name} is assigned has changed since {one.transfer} was exported."
    blobs = "1 blob" if one.blobs == 1 else f"{one.blobs} blobs"
    return f"Site {name} says that it has lost {blobs}; the next bundle brings what is lost."


def _x86_first(name: str) -> tuple[bool, str]:
    return "x86" not in name, name
