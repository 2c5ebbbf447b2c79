"""`sealift site enroll`, `assign`, `export`, `receive`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from sealift_registry.cli import exporting
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, holders, key_option, split
from sealift_registry.cli.terminal import counted, short

LARGEST_VERSION = 10**15 - 1
LARGEST_REQUEST = 1024 * 1024
"""Bytes: a site's request to be enrolled, with very many host groups."""


@sealift.group()
def site() -> None:
    """Enrol sites."""


@command(
    site,
    "enroll",
    example="sealift site enroll plant-7.request --stage production --key fleet-1.pem "
    "--answer plant-7.answer",
)
@click.argument("file", metavar="REQUEST")
@click.option(
    "--stage", metavar="STAGE", required=True, help="Take only what is promoted to this stage."
)
@click.option("--answer", required=True, metavar="FILE", help="Write the answer here.")
@click.option(
    "--dispatcher",
    "dispatchers",
    multiple=True,
    metavar="PERSON=PUBLIC-KEY",
    help="Who may assign to the site and export for it. [default: the hub's dispatcher]",
)
@key_option("A fleet administrator's key.")
def site_enroll(
    session: Session,
    *,
    file: str,
    stage: str,
    answer: str,
    dispatchers: Sequence[str],
    key: str | None,
) -> None:
    """Answer a site that asks to be enrolled.

    The site printed eight words with its request: compare them with those printed here. Read those
    of the answer aloud to whoever installs the site, who must type them.
    """
    from sealift_signing.errors import UsageError
    from sealift_signing.words import words_of
    from sealift_sync import durable
    from sealift_sync.bundle.medium import read_named

    hub = session.app.hub
    default = hub.home.settings.delivery.dispatcher
    people = holders(dispatchers or ([f"dispatcher={default}"] if default else []))
    request = read_named(
        Path(file),
        LARGEST_REQUEST,
        next_step="Give the file that `sealift-site init --request` wrote.",
    )
    target = Path(answer)
    if target.exists():
        raise UsageError(
            "answer-exists",
            f"{answer} exists already.",
            subject=answer,
            next_step="Choose another file with --answer.",
        )
    if not dispatchers and people:
        # A file of this machine, and about to be signed into `fleet`: nobody chose it here.
        session.terminal.note(
            f"No --dispatcher is given: by settings.toml, this key may assign to the site and "
            f"export for it: {default}"
        )
    enrolled = session.app.enrolment.enroll(request, stage, people, session.signer(key))
    durable.write(target, enrolled.answer)
    lines = [
        f"Site {enrolled.id} is enrolled for {stage}; the answer is in {answer}.",
        *(f"  {group}: {hw}" for group, hw in sorted(enrolled.groups.items())),
        "",
        "The site printed these words with its request; where it did not, stop here:",
        f"  request      {enrolled.request_words}",
        "Carry the answer to the site, and read its words aloud; they are typed there:",
        f"  answer       {enrolled.words}",
        "The organisation's fingerprint is typed there too, from paper and not from you:",
        f"  fingerprint  {words_of(enrolled.fingerprint)}",
        f"               {enrolled.fingerprint}",
    ]
    data = {
        "site": enrolled.id,
        "stage": stage,
        "enrolment": enrolled.enrolment,
        "groups": enrolled.groups,
        "request_words": enrolled.request_words,
        "words": enrolled.words,
        "fingerprint": enrolled.fingerprint,
        "answer": answer,
    }
    session.terminal.answer("site-enroll", data, "\n".join(lines))


@command(
    sealift,
    "assign",
    example="sealift assign plant-7 vision/digits/3 --for line-1=cpu-x86_64 --fallback 2 "
    "--key dispatcher-1.pem",
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
@key_option("The dispatcher's key.")
def assign(
    session: Session,
    *,
    site_id: str,
    version: str,
    groups: Sequence[str],
    fallbacks: Sequence[int],
    no_fallback: bool,
    key: str | None,
) -> None:
    """Say what a site's host groups should run.

    Only what is listed for the site's stage can be assigned.
    """
    from sealift_registry.catalog.reference import VersionRef

    ref = VersionRef.parse(version)
    wanted = dict(split(groups, "GROUP=HARDWARE-TARGET", once=True))
    given = None if not fallbacks and not no_fallback else list(fallbacks)
    assignment = session.app.assignments.assign(site_id, ref, wanted, given, session.signer(key))
    rows = []
    for group in sorted(wanted):
        versions = assignment.groups[group].models[str(ref.of)]
        behind = [str(one.parsed.version) for one in versions.fallbacks]
        rows.append({"group": group, "current": str(ref), "fallbacks": behind})
    text = "\n".join(
        f"{site_id} {row['group']}: {row['current']}, falling back to "
        f"{', '.join(row['fallbacks']) or 'nothing'}."
        for row in rows
    )
    session.terminal.answer("assign", {"site": site_id, "groups": rows}, text)


@command(
    sealift, "export", example="sealift export plant-7 --to /media/disk --key dispatcher-1.pem"
)
@click.argument("site_id", metavar="SITE")
@click.option("--to", "medium", required=True, metavar="DIR", help="The medium's top folder.")
@click.option("--full", is_flag=True, help="Leave out nothing, whatever the site has.")
@click.option(
    "--plan", "planned", is_flag=True, help="Say what would be written, and leave nothing there."
)
@key_option("The dispatcher's key.")
def export(
    session: Session, *, site_id: str, medium: str, full: bool, planned: bool, key: str | None
) -> None:
    """Write a signed bundle for a site to a medium.

    It leaves out what the site has by its last receipt. All of it is read back from the medium
    before it counts as written. An export that was interrupted is gone on with by the same command.
    """
    exports = session.app.exports
    if planned:
        plan = exports.plan(site_id, Path(medium), full=full)
        data, text = exporting.of_plan(plan, medium)
        session.terminal.answer("export-plan", data, text)
        if plan.misfits:
            raise plan.misfits[0]
        return
    with session.terminal.stages() as stage:
        made = exports.export(site_id, Path(medium), session.signer(key), stage, full=full)
    session.terminal.answer("export", *exporting.of_export(made))


@command(sealift, "receive", example="sealift receive /media/disk")
@click.argument("medium", metavar="DIR")
def receive(session: Session, *, medium: str) -> None:
    """Take in what sites sent home: receipts and logs.

    Both are verified; a log that does not continue the one known so far is refused.
    """
    from sealift_sync.bundle.medium import foreign

    accepted, refused = session.app.returns.receive(Path(medium))
    lines, found = [], []
    for one in accepted:
        lines.append(
            f"{one.site}: {counted(len(one.receipts), 'new receipt')}, "
            f"{counted(one.entries, 'new log entry', 'new log entries')} ({one.size} in all)."
        )
        for receipt in one.receipts:
            said = receipt.predicate
            lines.append(f"  {said.transfer}, imported {said.made}")
            lines += [
                f"    {a.outcome:9} {a.group}: {a.artifact}  {short(a.sha256)}"
                + (f"  {a.words}" if a.outcome == "held" else "")
                for a in said.artifacts
            ]
        lost = session.app.returns.missed(one.site)
        if lost:
            are = "is" if lost == 1 else "are"
            lines.append(
                f"  Of what {one.site} is assigned {counted(lost, 'blob')} {are} lost there."
            )
            lines.append(f"  The next bundle brings it: sealift export {one.site} --to DIR")
        lines += [f"  {text}" for text in foreign(one.ignored)]
        found.append(
            {
                "site": one.site,
                "receipts": [r.predicate.transfer for r in one.receipts],
                "entries": one.entries,
                "size": one.size,
                "lost": lost,
                "ignored": list(one.ignored),
            }
        )
    told = [bad.as_json()["error"] for bad in refused]
    lines += [f"Not taken in: {bad.what}" for bad in refused[1:]]
    session.terminal.answer("receive", {"returns": found, "refused": told}, "\n".join(lines))
    if refused:
        raise refused[0]
