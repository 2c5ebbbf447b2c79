"""`sealift site enroll`, `assign`, `export`, `receive`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_registry.cli import exporting, remote_answers, remote_exports
from sealift_registry.cli.at_hub import is_solo, signs_here
from sealift_registry.cli.cards import own_card, read_cards
from sealift_registry.cli.detaching import ask, detach_options
from sealift_registry.cli.group import sealift
from sealift_registry.cli.servers import hub_needed
from sealift_registry.cli.session import Session, command, split
from sealift_registry.cli.signing import Signing, carry_out, set_aside_versions, signing_options
from sealift_signing.drawing import word
from sealift_signing.errors import UsageError

if TYPE_CHECKING:
    from sealift_registry.trust.submitting import AcceptedSubmission

DISPATCHER = "The dispatcher's key; with it, the command signs here."

any_software_option = click.option(
    "--any-software",
    is_flag=True,
    help="Go on although the site said that its software cannot read this, or could not try what "
    "was never run on its architecture.",
)

LARGEST_VERSION = 10**15 - 1
LARGEST_REQUEST = 1024 * 1024
"""Bytes: a site's request to be enrolled, with very many host groups."""


@sealift.group()
def site() -> None:
    """Enrol sites."""


@command(
    site,
    "enroll",
    example="sealift site enroll plant-7.request --stage production --dispatcher dispatcher-1.card",
    at_server=True,
)
@click.argument("file", metavar="REQUEST")
@click.option(
    "--stage", metavar="STAGE", required=True, help="Take only what is promoted to this stage."
)
@click.option("--answer", metavar="FILE", help="Where it is signed here: write the answer there.")
@click.option(
    "--dispatcher",
    "dispatchers",
    multiple=True,
    metavar="CARD|PERSON",
    help="Who may assign to the site and export for it: a key card, or the name of somebody who "
    "does so for another site.",
)
@signing_options("With --at-hub or --server: a fleet administrator's key.")
def site_enroll(
    session: Session,
    *,
    file: str,
    stage: str,
    answer: str | None,
    dispatchers: Sequence[str],
    how: Signing,
) -> None:
    """Answer a site that asks to be enrolled.

    The site printed eight words with its request: compare them with those that are shown to whoever
    signs. The answer is written by `sealift site answer`.
    """
    from sealift_registry.wanting import Asked
    from sealift_signing import statements
    from sealift_signing.acts.material import Ask
    from sealift_signing.statements import SiteRequest
    from sealift_signing.wrong_file import reading
    from sealift_sync.bundle.medium import read_named

    step = "Give the file that `sealift-site init --request` wrote."
    request = read_named(Path(file), LARGEST_REQUEST, next_step=step)
    with reading(request, file, "request"):
        said = statements.read(SiteRequest, request, what=file).predicate
    if answer is not None:
        if session.server is not None:
            raise hub_needed(session.server)
        _check_new(session, answer)
    cards = [one for one in dispatchers if _is_card(one)]
    found = read_cards(cards)
    named = [one for one in dispatchers if not _is_card(one)]
    people = [*named, *(who for who, _ in found if who not in named)]
    if session.server is None and not people and is_solo(session):
        found = own_card(session, session.app.hub.home.settings.keys.person)
        people = [who for who, _ in found]
    if (
        session.server is None
        and not people
        and "delivery.dispatcher" in session.app.hub.home.ignored
    ):
        session.terminal.note(
            "delivery.dispatcher in settings.toml no longer counts: whoever can write that file "
            "would choose who dispatches. Have its owner make a card: sealift key card PERSON "
            "--key FILE"
        )
    details = {"stage": (stage,)} | ({"dispatcher": tuple(people)} if people else {})
    owned, aside = tuple(data for _, data in found), set_aside_versions(how.over)
    asked = Asked(Ask("enroll", (said.site,), details), owned, aside, request)
    done = carry_out(session, asked, how, cards)
    if done is not None:
        _tell_enrolled(session, done, answer)


@command(site, "answer", example="sealift site answer plant-7 --out plant-7.answer", at_server=True)
@click.argument("site_id", metavar="SITE")
@click.option("--out", metavar="FILE", required=True, help="Write the answer here.")
def site_answer(session: Session, *, site_id: str, out: str) -> None:
    """Write the answer to a site, once it was signed."""
    from sealift_registry.delivery import enrolling
    from sealift_registry.delivery.sites import Sites

    if session.server is not None:
        remote_answers.write_answer(session, site_id, out)
        return
    with session.app.hub.reading() as connection:
        enrolled = Sites(connection).get(site_id)
    _tell_enrolled(session, enrolling.accepted(enrolled, new=False), out)


def _tell_enrolled(session: Session, done: AcceptedSubmission, out: str | None) -> None:
    from sealift_registry.delivery.sites import Sites

    with session.app.hub.reading() as connection:
        enrolled = Sites(connection).get(str(done.data["site"]))
    if out is not None:
        _write_answer(out, enrolled.answer)
    where = f"Write the answer: {_answer_line(enrolled.id)}"
    if out:
        where = f"The answer is in {word(out)}."
    session.terminal.answer("site-enroll", {**done.data, "answer": out}, [*done.lines, where])


def _answer_line(site_id: str) -> str:
    return f"sealift site answer {site_id} --out FILE"


def _is_card(given: str) -> bool:
    """Whether `--dispatcher` names a file; a person's name could be one, too, were it there."""
    return "/" in given or given.endswith(".card") or Path(given).is_file()


def _check_new(session: Session, answer: str) -> None:
    """Check, before anything is signed, that no other file is there than some site's answer.

    A run that was cut after it wrote the answer left just that, and the same again goes on.
    """
    from sealift_registry.delivery.sites import Sites

    if not Path(answer).exists():
        return
    with session.app.hub.reading() as connection:
        if not any(_holds(answer, one.answer) for one in Sites(connection).all()):
            raise _answer_exists(answer)


def _write_answer(answer: str, data: bytes) -> None:
    from sealift_signing import file_access
    from sealift_sync import durable

    if not Path(answer).exists():
        durable.write(Path(answer), data, mode=file_access.SHOWN_FILE)
    elif not _holds(answer, data):
        raise _answer_exists(answer)


def _holds(file: str, data: bytes) -> bool:
    path = Path(file)
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def _answer_exists(answer: str) -> UsageError:
    return UsageError(
        "answer-exists",
        f"{answer} exists already.",
        subject=answer,
        next_step="Choose another file for the answer.",
    )


@command(
    sealift,
    "assign",
    example="sealift assign plant-7 vision/digits/3 --for line-1=cpu-x86_64 --fallback 2 "
    "--key dispatcher-1.pem",
    at_server=True,
)
@click.argument("site_id", metavar="SITE")
@click.argument("version", metavar="TEAM/MODEL/VERSION")
@click.option(
    "--for",
    "groups",
    multiple=True,
    required=True,
    metavar="GROUP=HARDWARE-TARGET",
    help="Which host group, and its hardware target.",
)
@click.option(
    "--fallback",
    "fallbacks",
    type=click.IntRange(1, LARGEST_VERSION),
    multiple=True,
    metavar="VERSION",
    help="A version to go back to, in order. [default: the last three]",
)
@click.option("--no-fallback", is_flag=True, help="Nothing to go back to.")
@click.option("--back", is_flag=True, help="It is lower than before, and that is meant.")
@click.option("--reason", metavar="TEXT", help="With --back: why; the site logs it.")
@any_software_option
@signing_options(DISPATCHER)
def assign(
    session: Session,
    *,
    site_id: str,
    version: str,
    groups: Sequence[str],
    fallbacks: Sequence[int],
    no_fallback: bool,
    back: bool,
    reason: str | None,
    any_software: bool,
    how: Signing,
) -> None:
    """Say what a site's host groups should run.

    Only what is listed for the site's stage can be assigned. A lower version than before is
    assigned with --back and a reason; without, a site would hold it.
    """
    from sealift_registry.catalog.reference import VersionRef
    from sealift_registry.wanting import Asked
    from sealift_signing.acts.assigning import NO_FALLBACK
    from sealift_signing.acts.assignment_changes import needs_both
    from sealift_signing.acts.material import Ask
    from sealift_signing.acts.names import GIVEN

    if back != bool(reason):
        raise needs_both(version)

    pairs = split(groups, "GROUP=HARDWARE-TARGET", once=True)
    details = {"for": tuple(f"{group}={target}" for group, target in pairs)}
    if fallbacks or no_fallback:
        details["fallback"] = tuple(map(str, fallbacks)) or (NO_FALLBACK,)
    if back:
        details |= {"back": (GIVEN,), "reason": (reason or "",)}
    ask = Ask("assign", (site_id, str(VersionRef.parse(version))), details)
    aside = set_aside_versions(how.over)
    asked = Asked(ask, aside=aside, any_software=any_software)
    done = carry_out(session, asked, how, own=True)
    if done is not None:
        session.terminal.answer("assign", done.data, done.lines)


@command(
    sealift,
    "unassign",
    example='sealift unassign plant-7 vision/digits --reason "the line was closed" '
    "--key dispatcher-1.pem",
    at_server=True,
)
@click.argument("site_id", metavar="SITE")
@click.argument("model", metavar="TEAM/MODEL")
@click.option("--reason", required=True, metavar="TEXT", help="Why; the site logs it.")
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="NAME",
    help="Only this host group. [default: all that it is assigned to]",
)
@any_software_option
@signing_options(DISPATCHER)
def unassign(
    session: Session,
    *,
    site_id: str,
    model: str,
    reason: str,
    groups: Sequence[str],
    any_software: bool,
    how: Signing,
) -> None:
    """Have a site's host groups stop running a model.

    It stops with the next bundle that the site imports, and starts again where it is assigned. What
    is wrong is recalled: a recall needs no assignment.
    """
    from sealift_registry.catalog.reference import ModelRef
    from sealift_registry.wanting import Asked
    from sealift_signing.acts.material import Ask

    details = {"reason": (reason,)} | ({"group": tuple(groups)} if groups else {})
    ask = Ask("unassign", (site_id, str(ModelRef.parse(model))), details)
    aside = set_aside_versions(how.over)
    asked = Asked(ask, aside=aside, any_software=any_software)
    done = carry_out(session, asked, how, own=True)
    if done is not None:
        session.terminal.answer("unassign", done.data, done.lines)


@command(
    sealift,
    "export",
    example="sealift export plant-7 --to /media/disk --key dispatcher-1.pem",
    at_server=True,
)
@click.argument("site_id", metavar="SITE")
@click.option(
    "--to",
    "medium",
    required=True,
    metavar="DIR|NAME",
    help="The medium's top folder; with --server, the name that a folder has in the hub's "
    "settings.",
)
@click.option("--full", is_flag=True, help="Leave out nothing, whatever the site has.")
@click.option(
    "--plan", "planned", is_flag=True, help="Say what would be written, and leave nothing there."
)
@click.option(
    "--anew",
    "begins",
    is_flag=True,
    help="Begin another transfer, though an earlier one is not finished.",
)
@any_software_option
@detach_options
@signing_options(DISPATCHER, over=False)
def export(
    session: Session,
    *,
    site_id: str,
    medium: str,
    full: bool,
    planned: bool,
    begins: bool,
    any_software: bool,
    detached: int | None,
    how: Signing,
) -> None:
    """Write a signed bundle for a site to a medium.

    It leaves out what the site has by its last receipt. All of it is read back from the medium
    before it counts as written. An export that was interrupted is gone on with by the same command.
    Without --key the bundle waits there for its transfer.json: a draft is written, and `sealift
    submit FILE --medium DIR` finishes the bundle once that is signed. With --detach a worker on
    this host does so, and a key is never needed.

    With --server a worker writes it to a folder of the hub's, and --key signs for it here; what
    waits there already is not written again.
    """
    wanted = {"full": full, "any_software": any_software, "anew": begins}
    if session.server is not None:
        _export_there(session, site_id, {"folder": medium, **wanted}, how, detached, planned)
        return
    from sealift_registry.delivery.export_answers import exported_data
    from sealift_registry.kinds import ExportArguments, draft_export, export_wanted
    from sealift_registry.shown.exported import exported_lines

    exports = session.app.exports
    draft = ExportArguments(
        site_id, medium, how.draft or ".", full=full, any_software=any_software, anew=begins
    )
    if detached is not None:
        _check_detached(how, planned=planned)
        ask(session, [export_wanted(session.app, draft, detached)])
        return
    if planned:
        plan = exports.plan(site_id, Path(medium), **wanted)
        data, lines = exporting.of_plan(plan, medium)
        session.terminal.answer("export-plan", data, lines)
        if plan.misfits:
            raise plan.misfits[0]
        return
    if not signs_here(session, how, own=True):
        with session.terminal.phases() as begin_phase:
            done = draft_export(session.app, draft, begin_phase)
        session.terminal.answer(
            "draft" if "bundle" in done else "export", done, exported_lines(done)
        )
        return
    hand = exporting.at_hub(session, how)
    with session.terminal.phases() as begin_phase:
        made = exports.export(site_id, Path(medium), hand, begin_phase, **wanted)
    said = exported_data(made)
    session.terminal.answer("export", said, exported_lines(said))


def _export_there(
    session: Session,
    site: str,
    asked: Mapping[str, object],
    how: Signing,
    detached: int | None,
    planned: bool,  # noqa: FBT001 - as the command is given it
) -> None:
    """Have the hub behind a server write the bundle.

    Raises:
        UsageError: that is asked which a server does not do, or a job.
        SealiftError: as `remote_exports.export`.
    """
    if planned and session.server is not None:
        raise hub_needed(session.server)
    if detached is not None and how.keys:
        raise _key_in_job(
            "--key",
            "Leave it out. When the job is done, give this command with --key, and without "
            "--detach: it signs for what waits there.",
        )
    remote_exports.export(session, site, asked, how, detached)


def _check_detached(how: Signing, *, planned: bool) -> None:
    """Check that nothing is asked of a job that none does."""
    if planned:
        raise UsageError(
            "plan-detached",
            "--plan is answered at once, and is no job.",
            subject="--plan",
            next_step="Leave --detach out.",
        )
    if how.keys or how.at_hub:
        raise _key_in_job(
            "--key" if how.keys else "--at-hub",
            "Leave --key and --at-hub out. When the job is done, sign the draft that it "
            "names, and finish the bundle with: sealift submit FILE --medium DIR",
        )


def _key_in_job(option: str, step: str) -> UsageError:
    return UsageError(
        "key-in-job",
        "A job has nobody's key: what it writes waits on the medium to be signed for.",
        subject=option,
        next_step=step,
    )


@command(sealift, "receive", example="sealift receive /media/disk", at_server=True)
@click.argument("medium", metavar="DIR")
def receive(session: Session, *, medium: str) -> None:
    """Take in what sites sent home: receipts and logs.

    Both are verified; a log that does not continue the one known so far is refused. With --server
    what lies on the medium is sent, and verified there.
    """
    if session.server is not None:
        from sealift_registry.cli import remote_returns

        remote_returns.send(session, Path(medium))
        return
    from sealift_registry.receiving import receive as receive_medium

    told, refused = receive_medium(session.app, Path(medium))
    session.terminal.answer("receive", told.data, told.lines)
    if refused:
        raise refused[0]
