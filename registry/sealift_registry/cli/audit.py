"""`sealift audit`: the hub's log, to be read and to be checked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from sealift_registry.cli import refused_rows, remote
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, json_lines_option, split
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from sealift_registry.audit.reading import LogReader
    from sealift_registry.trust.log_keys import LogKeys
    from sealift_signing.transparency.checkpoint import Checkpoint
    from sealift_signing.transparency.verdict import Verdict


_NEXT = {
    False: "Keep the database as it is, and compare it with a backup.",
    True: "Somebody changed what is derived from the logs, or it was damaged; it is right again. "
    "Find out who may write to the hub's database, and check again: sealift audit fsck",
}
"""What to do next where something differs, by whether it was made anew."""


@sealift.group()
def audit() -> None:
    """Read the append-only log, and check it."""


@command(
    audit,
    "list",
    example="sealift audit list --term model=vision/digits --limit 20",
    at_server=True,
)
@click.option("--type", "kind", metavar="TYPE", help="Only this type; promotion.* means all such.")
@click.option("--site", "site_id", metavar="ID", help="Only about this site, or of its own log.")
@click.option("--at", metavar="hub|SITE", help="Only of the hub's log, or of this site's.")
@click.option(
    "--actor",
    metavar="WHO",
    help="Only what this person did or signed, or what was signed with this key, by its id.",
)
@click.option("--term", "terms", multiple=True, metavar="KIND=VALUE", help="Only with this word.")
@click.option("--id", "entry_id", metavar="UUID", help="Only the entry with this id.")
@click.option("--since", metavar="DAY|TIME", help="Not before this day or time (UTC).")
@click.option("--until", metavar="DAY|TIME", help="Before this day or time (UTC).")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="At most N.",
)
@click.option("--beyond", metavar="NO", help="Go on after entry NO; what the list's end named.")
@click.option("--oldest-first", is_flag=True, help="Begin with the oldest.")
@json_lines_option
def audit_list(
    session: Session,
    *,
    kind: str | None,
    site_id: str | None,
    at: str | None,
    actor: str | None,
    terms: tuple[str, ...],
    entry_id: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    beyond: str | None,
    oldest_first: bool,
    json_lines: bool,
) -> None:
    """List entries of all logs, newest first.

    Of the hub's, and of sites' as far as those came home.
    What a site's log says is attested by that site's key, as of the receipt that is named.

    KIND is person (who signed, or whom it is about), team, model, promotion, site, transfer, role,
    or key (a key's id); --term signed-at=hub finds what was signed on the hub's own machine.
    """
    from sealift_registry.shown import entries
    from sealift_registry.views.all_logs import LogsPlace
    from sealift_signing.transparency.entry import Term
    from sealift_signing.transparency.question import Question, day_or_time

    if session.server is not None:
        asked = (
            *(("type", kind), ("site", site_id), ("at", at), ("actor", actor), ("id", entry_id)),
            *(("term", one) for one in terms),
            *(("since", since), ("until", until), ("limit", limit), ("beyond", beyond)),
            ("oldest_first", oldest_first),
        )
        each = "entries" if json_lines else ""
        remote.show(session, "audit-list", "/log/entries", asked, each=each)
        return
    words = tuple(Term(name, value) for name, value in split(terms, "KIND=VALUE"))
    question = Question(
        id=entry_id,
        type=kind,
        site=site_id,
        actor=actor,
        terms=words,
        since=None if since is None else day_or_time(since),
        until=None if until is None else day_or_time(until),
    )
    place = LogsPlace(limit, beyond, not oldest_first, at)
    with session.app.hub.reading() as connection:
        found = entries.told(connection, question, place, whole=True)
    if json_lines:
        session.terminal.each(found.data["entries"])
    else:
        session.terminal.answer("audit-list", found.data, found.lines)
    refused_rows.check(found.refused)


@command(audit, "verify", example="sealift audit verify")
def audit_verify(session: Session) -> None:
    """Check that nobody changed the log.

    Hashes every entry again, and checks the tree, its checkpoints and the newest signature.
    """

    def verified() -> Verdict:
        key, origin, former = _log(session)
        seen = _seen(session)
        return _reader(session).verify(key, origin, seen=seen, former=former)

    _tell(session, "audit-verify", _with_tables(session, verified))


@command(audit, "fsck", example="sealift audit fsck")
def audit_fsck(session: Session) -> None:
    """As verify, and everything else that the database holds.

    Of the log every signature, column and term; and every version of a role, document, request,
    approval, piece of evidence, enrolment and receipt: who signed it, and whether one is missing.

    What each site said last is compared with the whole of its log. Where only that differs, it is
    made anew from the logs: it is derived from them, and nobody signed it.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from sealift_registry import fsck
    from sealift_registry.trust import checking
    from sealift_signing.errors import SealiftError

    def checked() -> Verdict:
        key, origin, former = _log(session)
        verdict = _reader(session).fsck(key, origin, seen=_seen(session), former=former)
        with session.app.hub.reading() as connection:
            return verdict.joined(fsck.check(connection))

    verdict, pruned = _with_tables(session, checked), None
    # What is wrong with a table was told.
    with suppress(SQLAlchemyError, SealiftError), session.app.hub.reading() as connection:
        pruned = checking.pruned(connection)
    _tell(session, "audit-fsck", verdict, pruned, made_anew=_made_anew(session, verdict))


def _with_tables(session: Session, check: Callable[[], Verdict]) -> Verdict:
    """What `check` found, and how the tables are built that it read: before it, and after.

    Tables that are not what they were can keep a hub from being opened, which says less.
    """
    from sealift_registry import fsck
    from sealift_registry.storage.home import open_home
    from sealift_registry.storage.opening import database_of
    from sealift_signing.errors import SealiftError
    from sealift_signing.transparency.merkle import EMPTY_ROOT
    from sealift_signing.transparency.verdict import UNFINISHED, LogFault, Verdict

    database = database_of(open_home(session.root, session.environment))
    try:
        built = fsck.built(database)
        try:
            verdict = check()
        except SealiftError as bad:
            if not any(one.code == fsck.BUILT_OTHERWISE for one in built):
                raise
            unread = LogFault(bad.code, f"The log{UNFINISHED}{bad.what}", None)
            verdict = Verdict(0, EMPTY_ROOT, (unread,))
        return verdict.joined(dict.fromkeys((*built, *fsck.built(database))))
    finally:
        database.close()


def _made_anew(session: Session, verdict: Verdict) -> bool:
    """Make the derived rows anew where nothing but them differs, and where the hub may be written.

    Where more differs the database is best kept as it is, to be compared with a backup.
    """
    from sealift_registry.delivery import derived_rows
    from sealift_registry.fsck import ROWS_DIFFER
    from sealift_registry.storage.writable import is_read_only
    from sealift_signing.errors import SealiftError

    if {one.code for one in verdict.findings} != {ROWS_DIFFER}:
        return False  # perhaps the hub cannot even be opened
    if is_read_only(session.app.hub.home.root):
        return False
    try:
        derived_rows.make_anew(session.app.hub)
    except SealiftError:
        return False  # what was found is told all the same
    return True


def _seen(session: Session) -> list[Checkpoint]:
    """What the log's key signed and this database lacks, where that was found out.

    None where the fleet's list is damaged, which fsck says.
    """
    from sealift_registry.trust import readiness
    from sealift_signing.errors import SealiftError

    # A hub that cannot be opened is told of where it is checked.
    with suppress(SealiftError):
        kept = readiness.kept(session.app.hub)  # before the state that it is compared with
        with session.app.hub.reading() as connection:
            return readiness.seen(connection, kept)
    return []


def _reader(session: Session) -> LogReader:
    from sealift_registry.audit.reading import LogReader

    return LogReader(session.app.hub.database)


def _log(session: Session) -> LogKeys:
    """How the log is verified."""
    from sealift_registry.trust.log_keys import log_keys

    return log_keys(session.app.hub)


def _tell(
    session: Session,
    name: str,
    verdict: Verdict,
    pruned: int | None = None,
    *,
    made_anew: bool = False,
) -> None:
    """What was found; how many superseded versions are pruned, where that was looked at.

    And whether derived rows were made anew.
    """
    findings = [
        {"code": one.code, "what": one.sentence, "seq": one.seq} for one in verdict.findings
    ]
    root = verdict.root.hex()
    data: dict[str, Any] = {
        "ok": verdict.ok,
        "size": verdict.size,
        "root": root,
        "findings": findings,
    }
    if verdict.ok:
        lines = [f"The log is whole: {counted(verdict.size, 'entry', 'entries')}, root {root}."]
    else:
        lines = ["What is stored is NOT what was committed and signed:"]
        lines += [f"  {one.sentence}" for one in verdict.findings]
    lines += ["What each site said last was made anew from its log."] if made_anew else []
    if pruned is not None:
        data["pruned"] = pruned
        lines.append(f"Of what the hub signs by itself, superseded versions are pruned: {pruned}.")
    session.terminal.answer(name, data, lines)
    if not verdict.ok:
        from sealift_registry.audit import restored_backup
        from sealift_signing.errors import RefusedError

        seen = _seen(session)
        raise RefusedError(
            "log-not-whole",
            f"What is stored is not whole; faults found: {len(findings)}.",
            next_step=restored_backup.restored(seen[-1]).next_step if seen else _NEXT[made_anew],
        )
