"""The commands of `sealift-site`: each reads its arguments and calls one use case.

What a command needs is imported where it runs, so that help and a usage error are there at once.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_signing import command_start, events
from sealift_signing.errors import NotFoundError, UsageError
from sealift_signing.vocabulary import counted
from sealift_sync.cli import telling
from sealift_sync.cli.audit import audit
from sealift_sync.cli.calling import Call, Given
from sealift_sync.cli.fsck import fsck
from sealift_sync.cli.group import FOLDER, HOME, InOrder

if TYPE_CHECKING:
    from sealift_sync.site.running.choices import Place

FILE = click.Path(dir_okay=False, path_type=Path)


def example(text: str) -> str:
    """The end of a command's help."""
    return f"Example: {text}"


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(
    cls=InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: sealift-site import /media/stick",
)
@click.option(
    "--home",
    type=HOME,
    metavar="DIR",
    help="The site's folder; else SEALIFT_SITE_HOME, else ./sealift-site.",
)
@click.option("--log-file", metavar="FILE", help="Write what happens to FILE; else SEALIFT_LOG.")
@click.version_option(package_name="sealift-offline-sync", message="%(package)s %(version)s")
@click.pass_context
def site(context: click.Context, home: Path | None, log_file: str | None) -> None:
    """An isolated site: verify a bundle, install it, go back, report. It never uses a network."""
    given = context.obj if isinstance(context.obj, Given) else Given("", [])
    command_start.open_log_file(log_file, "sealift-site", given.command)
    environment = dict(os.environ)
    context.obj = Call(home, environment, lambda: datetime.now(UTC), given.kept)


@site.command(
    epilog=example(
        "sealift-site init --id plant-7 --group cpu=cpu-x86_64 --request plant-7.request"
    )
)
@click.option("--id", "name", metavar="ID", help="The site's name in its organisation.")
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="NAME=HARDWARE-TARGET",
    help="A host group and its hardware target; repeat it.",
)
@click.option(
    "--request",
    "request",
    type=FILE,
    metavar="FILE",
    help="Write the request to be enrolled to FILE.",
)
@click.option("--answer", type=FILE, metavar="FILE", help="Take in the hub's answer from FILE.")
@click.option(
    "--fingerprint",
    metavar="WORDS|DIGITS",
    help="Your organisation's fingerprint, from paper; asked for on a terminal.",
)
@click.option(
    "--words",
    metavar="WORDS",
    help="The answer's eight words, as the hub's side reads them; asked for on a terminal.",
)
@as_json
@click.pass_obj
def init(
    call: Call,
    name: str | None,
    groups: tuple[str, ...],
    request: Path | None,
    answer: Path | None,
    fingerprint: str | None,
    words: str | None,
    *,
    as_json: bool,
) -> None:
    """Ask to be enrolled, then take in the answer.

    The answer is believed because you type two things that it cannot bring along: its eight words,
    which somebody at the hub reads to you, and your organisation's fingerprint, from paper.
    """
    from sealift_sync.cli import enrolling

    typed = fingerprint is not None or words is not None
    if answer is not None and request is None and not name and not groups:
        enrolling.take_answer(call, answer, fingerprint, words, as_json=as_json)
    elif request is not None and name and groups and answer is None and not typed:
        enrolling.write_request(call, name, groups, request, as_json=as_json)
    else:
        raise UsageError(
            "usage",
            "Give either --id, --group and --request, or --answer.",
            next_step="See: sealift-site init --help",
        )


@site.command(epilog=example("sealift-site verify /media/stick"))
@click.argument("folder", metavar="DIR", type=FOLDER)
@as_json
@click.pass_obj
def verify(call: Call, folder: Path, *, as_json: bool) -> None:
    """Check a bundle completely; write nothing.

    DIR is the medium's top, or the folder of one transfer.
    """
    from sealift_sync import progress
    from sealift_sync.cli import showing
    from sealift_sync.site.importing.finding_transfer import find_transfer
    from sealift_sync.site.importing.importer import verify_bundle

    with (
        call.site("verify", mend=False, reads_medium=True) as found,
        progress.telling(quiet=as_json) as begin_phase,
    ):
        with found.aside():
            bundle = find_transfer(folder, found.enrolment.site)
        watch = showing.watch(begin_phase, quiet=as_json)
        accepted = verify_bundle(found, bundle, watch)
    if as_json:
        telling.print_json("verify", showing.accepted_json(accepted))
    else:
        showing.accepted(accepted)


@site.command("import", epilog=example("sealift-site import /media/stick"))
@click.argument("folder", metavar="DIR", type=FOLDER)
@as_json
@click.pass_obj
def import_(call: Call, folder: Path, *, as_json: bool) -> int:
    """Verify a bundle and install what is approved.

    Then switch to what is assigned, run the host group's hook and health check, and switch back if
    either fails.

    DIR is the medium's top, or the folder of one transfer. Nothing is written to it.

    What is recalled on it stops first, also while another import is under way.
    """
    from sealift_sync import progress
    from sealift_sync.cli import showing
    from sealift_sync.site.importing.importer import find_bundle, import_bundle
    from sealift_sync.site.running.installed_parts import lost_and_missed
    from sealift_sync.site.setup.home_locks import HomeBusyError

    try:
        with (
            call.site("import", reads_medium=True, stops=True) as found,
            progress.telling(quiet=as_json) as begin_phase,
        ):
            watch = showing.watch(begin_phase, quiet=as_json)
            done = import_bundle(found, find_bundle(found, folder, watch.recalled), watch)
            lost = lost_and_missed(found)
    except HomeBusyError as busy:
        if busy.at_medium:
            busy.next_step = f"{_recalls_alone(call, folder, quiet=as_json)} {busy.next_step}"
        raise
    if as_json:
        telling.print_json("import", showing.import_json(done))
    else:
        showing.imported(done, len(lost))
    return 0 if all(one.went_well for one in (*done.stopped, *done.activations)) else 1


def _recalls_alone(call: Call, folder: Path, *, quiet: bool) -> str:
    """Stop what the medium in `folder` recalls, while another is imported; what to say of it."""
    from sealift_sync import progress
    from sealift_sync.cli import showing
    from sealift_sync.site.importing.importer import find_bundle
    from sealift_sync.site.importing.stopping_recalled import honour_recalls

    with (
        call.site("import", stops=True) as found,
        progress.telling(quiet=quiet) as begin_phase,
    ):
        told = showing.watch(begin_phase, quiet=quiet).recalled
        recalls = honour_recalls(found, find_bundle(found, folder, told), told)
    if recalls:
        return "What this medium recalls was honoured all the same."
    return "This medium recalls nothing that this site did not know of."


@site.command(epilog=example("sealift-site status"))
@as_json
@click.pass_obj
def status(call: Call, *, as_json: bool) -> None:
    """Say what runs, was held, and expires when."""
    from sealift_sync.cli import showing
    from sealift_sync.site.reports.site_status import site_status

    with call.site("status", looks=True) as found:
        state = site_status(found)
        if as_json:
            telling.print_json("status", showing.status_json(found, state))
        else:
            showing.status(found, state)


@site.command(epilog=example('sealift-site rollback vision/digits --reason "wrong on dim images"'))
@click.argument("model", metavar="MODEL")
@click.option("--group", metavar="NAME", help="The host group, where the model runs in several.")
@click.option(
    "--from",
    "away_from",
    type=click.IntRange(1),
    metavar="VERSION",
    help="From which version; needed only to go back further.",
)
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is logged and goes home.")
@as_json
@click.pass_obj
def rollback(
    call: Call,
    model: str,
    group: str | None,
    away_from: int | None,
    reason: str,
    *,
    as_json: bool,
) -> int:
    """Go back to the next fallback of MODEL.

    MODEL is team/model. It takes a moment, needs no medium, and works when all has expired.

    It holds until the hub assigns another version of this model. Run again, it changes nothing.
    """
    from sealift_sync.cli import showing
    from sealift_sync.site.running.rollback import roll_back

    _check_reason(reason)
    with call.site("rollback", stops=True) as found:
        done = roll_back(found, model, group, reason, away_from)
    if as_json:
        telling.print_json("rollback", {"activation": showing.activation_json(done)})
    else:
        showing.activation(done)
        showing.unchecked([done])
    return 0 if done.went_well else 1


@site.command(epilog=example('sealift-site activate vision/digits --reason "the camera is mended"'))
@click.argument("model", metavar="MODEL")
@click.option("--group", metavar="NAME", help="The host group, where it is assigned to several.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is logged and goes home.")
@as_json
@click.pass_obj
def activate(call: Call, model: str, group: str | None, reason: str, *, as_json: bool) -> int:
    """Try the assigned version of MODEL again.

    After its hook or health check failed and was mended, or to end a rollback.
    """
    from sealift_sync.cli import next_steps, showing
    from sealift_sync.site.running.reactivation import activate_assigned

    _check_reason(reason)
    with call.site("activate", stops=True) as found:
        done = activate_assigned(found, model, group, reason)
    if as_json:
        telling.print_json("activate", {"activation": showing.activation_json(done)})
    else:
        showing.activation(done)
        showing.unchecked([done])
        next_steps.try_again(next_steps.not_switched([done]))
    return 0 if done.went_well else 1


@site.command(epilog=example("sealift-site check vision/digits"))
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@click.option("--group", metavar="NAME", help="Only in this host group.")
@as_json
@click.pass_obj
def check(call: Call, models: tuple[str, ...], group: str | None, *, as_json: bool) -> int:
    """Ask the runtime of a host group whether it answers as it must.

    MODEL is team/model; without any, all that runs is checked by the rows that came with it.
    Nothing is switched; the outcome is logged and goes home. It takes a runtime in settings.toml.
    """
    from sealift_sync.cli import showing
    from sealift_sync.site.running.recheck import advice, check_running

    def asking(place: Place) -> None:
        if not as_json:
            telling.say_aside(f"Asking the runtime of {place.group} about {place.model} …")

    with call.site("check") as found:
        done = check_running(found, models, group, asking)
    if as_json:
        telling.print_json("check", showing.checks_json(done))
    else:
        showing.checks(done)
    if not any(one.was_asked for one in done):
        raise NotFoundError(
            "nothing-checked",
            "No runtime was asked anything."
            if done
            else "Nothing runs here that could be checked.",
            next_step=advice(done) if done else "See what runs with: sealift-site status",
        )
    return 1 if any(one.checked and one.checked.failure for one in done) else 0


@site.command("return", epilog=example("sealift-site return --to /media/stick"))
@click.option("--to", "medium", type=FOLDER, metavar="DIR", help="The medium's top.")
@click.option("--print", "aloud", is_flag=True, help="Print what can be read over a telephone.")
@click.option("--all", "everything", is_flag=True, help="Also what the hub has acknowledged.")
@as_json
@click.pass_obj
def return_(
    call: Call, medium: Path | None, *, aloud: bool, everything: bool, as_json: bool
) -> None:
    """Write receipts and log for the hub, or read out how it stands.

    Where nothing may leave on a medium, --print gives the outcome of the last transfer, what runs,
    and the log's checkpoint as eight words.
    """
    if (medium is None) != aloud or (aloud and everything):
        raise UsageError(
            "usage",
            "Give either --to DIR, with --all if you like, or --print.",
            next_step="See: sealift-site return --help",
        )
    from sealift_sync.cli import showing
    from sealift_sync.site.reports.homebound import write_home
    from sealift_sync.site.reports.telephone import telephone_report

    with call.site("return", looks=aloud) as found:
        if medium is None:
            said = telephone_report(found)
            if as_json:
                telling.print_json("return-print", showing.telephone_json(said))
            else:
                showing.telephone_report(said)
            return
        folder, returned = write_home(found, medium, everything=everything)
        events.tell("return", "return-written", transfers=sorted(returned.receipts))
    told = {
        "folder": str(folder),
        "receipts": sorted(returned.receipts),
        "first": returned.log.first,
        "size": returned.size,
    }
    if as_json:
        telling.print_json("return", told)
        return
    telling.good(
        f"Wrote {counted(len(returned.receipts), 'receipt')} and "
        f"{counted(len(returned.log.entries), 'log entry', 'log entries')} to {folder}"
    )
    telling.say("Carry the medium to the hub, and there: sealift receive DIR")


site.add_command(fsck)
site.add_command(audit)


def _check_reason(text: str) -> None:
    from sealift_signing.vocabulary import SENTENCE

    if not SENTENCE.matches(text):
        raise UsageError(
            "usage",
            f"The reason must be {SENTENCE.words}.",
            next_step="Say why in one line, with --reason.",
        )
