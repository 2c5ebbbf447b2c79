"""`sealift-site audit`: the site's own log, listed and checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from sealift_signing.errors import RefusedError
from sealift_signing.transparency.checkpoint import Checkpoint, claimed
from sealift_signing.transparency.entry import Entry, Term, read_entry
from sealift_signing.transparency.question import Question
from sealift_signing.transparency.verdict import Verdict
from sealift_signing.vocabulary import sentence
from sealift_sync.cli import telling
from sealift_sync.cli.calling import Call
from sealift_sync.site.hub_log import ACKNOWLEDGED
from sealift_sync.site.log_reading import SiteLogReader
from sealift_sync.site.opened import Site

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(epilog="Example: sealift-site audit list --model vision/digits")
def audit() -> None:
    """List this site's log, and check that nobody changed it."""


@audit.command("list", epilog="Example: sealift-site audit list --type transfer.* --limit 20")
@click.option("--type", "kind", metavar="TYPE", help="Only this type; transfer.* means all such.")
@click.option("--model", metavar="TEAM/MODEL", help="Only entries about this model.")
@click.option("--transfer", metavar="ID", help="Only entries about this transfer.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@as_json
@click.pass_obj
def list_(
    call: Any,  # noqa: ANN401 - commands.Call, which imports this module
    kind: str | None,
    model: str | None,
    transfer: str | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """List the newest entries first."""
    terms = [Term(name, said) for name, said in (("model", model), ("transfer", transfer)) if said]
    with _reading(call, "audit list") as (_, reader):
        rows = reader.page(Question(type=kind, terms=tuple(terms)), limit=limit)
    entries = [(row.seq, read_entry(row.body)) for row in rows]
    if as_json:
        told = [_entry_json(seq, entry) for seq, entry in entries]
        telling.print_json("audit-list", {"entries": told})
        return
    columns = ("No.", "When (UTC)", "What", "Who", "About")
    telling.table(columns, [_row(seq, entry) for seq, entry in entries])


@audit.command(epilog="Example: sealift-site audit verify")
@as_json
@click.pass_obj
def verify(call: Call, *, as_json: bool) -> None:
    """Check that every entry is the one that was committed, and the signature over all of them."""
    with _reading(call, "audit verify") as (site, reader):
        verdict = reader.verify(site.key, site.origin, seen=_seen(site))
    _tell("audit-verify", verdict, as_json=as_json)


@audit.command(epilog="Example: sealift-site audit fsck")
@as_json
@click.pass_obj
def fsck(call: Call, *, as_json: bool) -> None:
    """As verify, every signature, and the columns that are derived from the entries."""
    with _reading(call, "audit fsck") as (site, reader):
        verdict = reader.fsck(site.key, site.origin, seen=_seen(site))
    _tell("audit-fsck", verdict, as_json=as_json)


@contextmanager
def _reading(call: Call, command: str) -> Iterator[tuple[Site, SiteLogReader]]:
    with call.site(command) as site:
        yield site, SiteLogReader(site.state.connection)


def _seen(site: Site) -> list[Checkpoint]:
    """What the hub accepted of this log: only that can show that its end was cut off."""
    note = site.state.fact(ACKNOWLEDGED)
    return [claimed(note)] if note else []


def _tell(command: str, verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        found = [one._asdict() for one in verdict.findings]
        said = {"ok": verdict.ok, "size": verdict.size, "root": verdict.root.hex()}
        telling.print_json(command, {**said, "findings": found})
    else:
        for one in verdict.findings:
            telling.bad(one.sentence)
    if not verdict.ok:
        raise RefusedError(
            "log-changed",
            f"The log is not the one that was signed: {len(verdict.findings)} findings.",
            next_step="Write nothing more here, keep a copy, and tell the organisation's auditors.",
        )
    if not as_json:
        telling.good(f"{verdict.size} entries, each the one that was committed and signed for.")
        telling.say(f"Root  {verdict.root.hex()}")


def _row(seq: int, entry: Entry) -> tuple[str, ...]:
    about = ", ".join(term.value for term in entry.terms if term.kind != "artifact")
    data = entry.data if isinstance(entry.data, dict) else {}
    words = str(data.get("words") or data.get("what") or data.get("reason") or "")
    told = sentence(words) if words else about
    return (str(seq), entry.at[:19].replace("T", " "), entry.type, entry.actor, told)


def _entry_json(seq: int, entry: Entry) -> dict[str, Any]:
    return {
        "seq": seq,
        "id": entry.id,
        "at": entry.at,
        "type": entry.type,
        "actor": entry.actor,
        "terms": [{"kind": term.kind, "value": term.value} for term in entry.terms],
        "data": entry.data,
    }
