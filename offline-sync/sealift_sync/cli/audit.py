"""`sealift-site audit`: the site's own log, listed and checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from sealift_signing.errors import RefusedError, UsageError, shown
from sealift_signing.vocabulary import counted
from sealift_sync.cli import telling
from sealift_sync.cli.calling import Call
from sealift_sync.cli.group import InOrder

if TYPE_CHECKING:
    from sealift_signing.transparency.checkpoint import Checkpoint
    from sealift_signing.transparency.entry import Entry, Term
    from sealift_signing.transparency.verdict import Verdict
    from sealift_sync.site.log.log_reader import SiteLogReader
    from sealift_sync.site.setup.open_site import OpenSite

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(cls=InOrder, epilog="Example: sealift-site audit list --type transfer.*")
def audit() -> None:
    """List this site's log, and check that nobody changed it."""


@audit.command(
    "list", epilog="Example: sealift-site audit list --term model=vision/digits --limit 20"
)
@click.option("--type", "kind", metavar="TYPE", help="Only this type; transfer.* means all such.")
@click.option("--term", "terms", multiple=True, metavar="KIND=VALUE", help="Only with this word.")
@click.option("--id", "entry", metavar="UUID", help="Only the entry with this id.")
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
@click.option("--beyond", type=click.IntRange(0), metavar="NO", help="Go on after entry NO.")
@click.option("--oldest-first", is_flag=True, help="Begin with the oldest.")
@as_json
@click.pass_obj
def list_(
    call: Call,
    *,
    kind: str | None,
    terms: tuple[str, ...],
    entry: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    beyond: int | None,
    oldest_first: bool,
    as_json: bool,
) -> None:
    """List entries of the log, newest first."""
    from sealift_signing import shape
    from sealift_signing.transparency.entry import read_entry
    from sealift_signing.transparency.question import Question, day_or_time
    from sealift_sync.site.log.restored_site import MARK_TERM

    question = Question(
        id=entry,
        type=kind,
        terms=tuple(_term(text) for text in terms),
        since=None if since is None else day_or_time(since),
        until=None if until is None else day_or_time(until),
    )
    with _reading(call, "audit list") as (_, reader):
        rows = reader.page(question, limit=limit, beyond=beyond, newest_first=not oldest_first)
    entries = [(row.seq, read_entry(row.body)) for row in rows]
    if as_json:
        told = [{"seq": seq, **shape.to_json(one)} for seq, one in entries]
        telling.print_json("audit-list", {"entries": told})
        return
    if not entries:
        telling.say("No entry matches.")
        return
    columns = ("No.", "When (UTC)", "What", "Who", "About")
    telling.table(columns, [_row(seq, one) for seq, one in entries])
    if behind := sum(MARK_TERM in one.terms for _, one in entries):
        telling.warn(
            f"{behind} of these were written when this log was not all that was signed with this "
            "site's key; each holds the checkpoint that says so."
        )
    if len(rows) == limit:
        telling.say_aside(f"There may be more: add --beyond {rows[-1].seq}")


@audit.command(epilog="Example: sealift-site audit verify")
@as_json
@click.pass_obj
def verify(call: Call, *, as_json: bool) -> None:
    """Check that nobody changed the log.

    Every entry must be the one that was committed, under the signature over all of them.
    """
    with _reading(call, "audit verify") as (site, reader):
        verdict = reader.verify(site.key, site.origin, seen=_seen(site))
        step = _step_where_restored(site)
    _tell("audit-verify", verdict, step, as_json=as_json)


@audit.command(epilog="Example: sealift-site audit fsck")
@as_json
@click.pass_obj
def fsck(call: Call, *, as_json: bool) -> None:
    """As verify, and every signature and column.

    Columns and terms are derived again from the entries' bytes.
    """
    with _reading(call, "audit fsck") as (site, reader):
        verdict = reader.fsck(site.key, site.origin, seen=_seen(site))
        step = _step_where_restored(site)
    _tell("audit-fsck", verdict, step, as_json=as_json)


@contextmanager
def _reading(call: Call, command: str) -> Iterator[tuple[OpenSite, SiteLogReader]]:
    from sealift_sync.site.log.log_reader import SiteLogReader

    with call.site(command, looks=True) as site:
        yield site, SiteLogReader(site.state.connection)


def _seen(site: OpenSite) -> list[Checkpoint]:
    """What the hub accepted of this log: only that can show that its end was cut off.

    And what showed before that this log is not all that was signed.
    """
    from sealift_signing.transparency.checkpoint import claimed
    from sealift_sync.site.log.restored_site import ACKNOWLEDGED, AHEAD

    notes = [site.state.fact(name) for name in (ACKNOWLEDGED, AHEAD)]
    return [claimed(note) for note in notes if note]


def _step_where_restored(site: OpenSite) -> str:
    """What every command says to do where this log is not all that was signed; else empty."""
    from sealift_sync.site.log.restored_site import RestoredError, check_remembered

    try:
        check_remembered(site.state)
    except RestoredError as bad:
        return bad.next_step
    return ""


def _tell(command: str, verdict: Verdict, step: str, *, as_json: bool) -> None:
    if as_json:
        found = [
            {"code": one.code, "what": one.sentence, "seq": one.seq} for one in verdict.findings
        ]
        said = {"ok": verdict.ok, "size": verdict.size, "root": verdict.root.hex()}
        telling.print_json(command, {**said, "findings": found})
    else:
        for one in verdict.findings:
            telling.bad(one.sentence)
    if not verdict.ok:
        raise RefusedError(
            "log-not-whole",
            f"The log is not the one that was signed; faults found: {len(verdict.findings)}.",
            next_step=step
            or "Write nothing more here, keep a copy, and tell the organisation's auditors.",
        )
    if not as_json:
        size = counted(verdict.size, "entry", "entries")
        telling.good(f"{size}, each the one that was committed and signed for.")
        telling.say(f"Root  {verdict.root.hex()}")


def _row(seq: int, entry: Entry) -> tuple[str, ...]:
    from sealift_signing.drawing import drawn, word

    about = ", ".join(
        word(term.value) for term in entry.terms if term.kind not in {"artifact", "log"}
    )
    data = entry.data if isinstance(entry.data, dict) else {}
    words, reason = data.get("words") or data.get("what"), data.get("reason")
    told = str(words) if words else drawn(str(reason)) if reason else about
    return (str(seq), entry.at[:19].replace("T", " "), entry.type, word(entry.actor), told)


def _term(text: str) -> Term:
    from sealift_signing.transparency.entry import Term

    kind, equals, value = text.partition("=")
    if not (kind and equals and value):
        raise UsageError(
            "usage",
            f"{shown(text)} is not of the form KIND=VALUE.",
            subject=text,
            next_step="For example: --term model=vision/digits",
        )
    return Term(kind, value)
