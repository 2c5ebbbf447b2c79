"""All about one thing, for people and for machines: what `sealift show` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from sealift_registry.catalog.catalog import Catalog, latest, newest
from sealift_registry.catalog.reference import VersionRef, parse_promotion
from sealift_registry.delivery import (
    assignments,
    outcomes,
    receipts,
    site_records,
    site_software,
    tables,
    transfers,
    unsigned_transfers,
)
from sealift_registry.delivery.running import last_heard, running
from sealift_registry.delivery.sites import Site, Sites
from sealift_registry.pictures import picture_lines
from sealift_registry.promotion.promotions import Promotions
from sealift_registry.promotion.status import PromotionStatus
from sealift_registry.proof.proof_report import named_check_rows
from sealift_registry.regression import comparison_words
from sealift_registry.regression.regression_report import KIND
from sealift_registry.trust import teams
from sealift_registry.trust.hub import Hub
from sealift_registry.trust.repository import Repository
from sealift_signing import shape
from sealift_signing.documents import Assignment, Withdrawal
from sealift_signing.drawing import drawn, pasted, word
from sealift_signing.errors import NotFoundError
from sealift_signing.more_member import LOOK, mark, more_json, more_of, more_words, told_first
from sealift_signing.statements import (
    NO_LONGER_ASSIGNED,
    NO_MORE,
    RETIRED,
    ArtifactOutcome,
    Evidence,
    Signed,
)
from sealift_signing.transparency.checkpoint import claimed
from sealift_signing.vocabulary import PORTABLE, CatalogPath
from sealift_signing.words import eight_words, words_of

Summary = tuple[str, dict[str, Any], list[str]]


def of(hub: Hub, promotions: Promotions, connection: Connection, what: str) -> Summary:
    """(kind, data, lines) about the version, promotion, site or transfer that `what` names.

    Raises:
        NotFoundError: it names nothing that there is.
    """
    if "/" in what:
        return _version(hub, promotions, connection, VersionRef.parse(what))
    if re.fullmatch(r"P-[0-9]+", what):  # in lower case it may be a site's id
        standing = promotions.status(connection, parse_promotion(what))
        stale = promotions.stale(connection, standing)
        data = standing_data(standing) | {KIND: _compared(standing), "stale": stale}
        return "promotion", data, [*stale, *standing_lines(standing)]
    transfer = _transfer(hub, connection, what)
    if transfer is not None:
        return transfer
    try:
        return _site(connection, Sites(connection).get(what))
    except NotFoundError as bad:
        raise NotFoundError(
            "nothing-of-that-name",
            f"Nothing here is called {what}.",
            subject=what,
            next_step="Write TEAM/MODEL/VERSION, P-000001, a site's id or a transfer's id.",
        ) from bad


def standing_lines(standing: PromotionStatus) -> list[str]:
    """A promotion in words: what it is about, the evidence, who approved."""
    promotion = standing.promotion
    said = promotion.request.predicate
    have, need = len(standing.tally.counted), standing.tally.needed
    lines = [
        *despite_lines(standing),
        *doubt_lines(standing),
        *first_lines(standing),
        f"{promotion.id}: {promotion.ref} to {promotion.stage}",
        f"  asked for by   {said.person}, {said.made}",
        f"  reason         {drawn(said.reason)}",
        f"  request        {promotion.request.sha256[:12]}, at entry {said.log.size} of the log",
        f"  approvals      {have} of {need}; {'listed' if standing.listed else 'not listed'}",
    ]
    for one in standing.tally.counted:
        a = one.predicate
        lines += [f"    {a.person}: {drawn(a.meaning)}, until {a.valid_until}: {drawn(a.reason)}"]
    lines += [f"    not counted: {reason}" for reason in standing.tally.set_aside]
    lines += [
        f"  OBJECTED to by {said.person}, {said.made}: {drawn(said.reason)}"
        for said in (one.predicate for one in standing.objections)
    ]
    lines += [f"    no objection of theirs: {reason}" for reason in standing.not_heard]
    return lines + evidence_lines(standing)


def doubt_lines(standing: PromotionStatus) -> list[str]:
    """Why nobody vouches for a request, where it does not count."""
    if not standing.doubt:
        return []
    return [f"This request does not count, and what follows is what the hub says: {standing.doubt}"]


def first_lines(standing: PromotionStatus) -> list[str]:
    """What the evidence has to say before all else."""
    return [text for one in standing.vouched for text in first_of(one.artifact.path, one.evidence)]


def first_of(path: CatalogPath, found: Iterable[Signed[Evidence]]) -> list[str]:
    """The same, of one artifact."""
    return [f"{LOOK}, of {path}: {drawn(words)}" for words in told_first(found)]


def despite_lines(standing: PromotionStatus) -> list[str]:
    """The withdrawals that a request sets aside: the first thing that whoever approves reads."""
    if not standing.despite:
        return []
    lines = ["This request sets aside what the team's stewards withdrew:"]
    for digest, one in standing.despite.items():
        if one is None:
            lines.append(f"  {digest}: no withdrawal of the team's present list")
            continue
        lines += [
            f"  {one.id}: {_covered(one)} for {one.stage}, withdrawn {one.made}",
            f"    reason       {drawn(one.reason)}",
            f"    sha256       {digest}",
        ]
    return [*lines, ""]


def _covered(one: Withdrawal) -> str:
    return f"{one.model} below {one.below}" if one.model else f"the artifact {one.sha256}"


def evidence_lines(standing: PromotionStatus) -> list[str]:
    """Every artifact and every piece of evidence that a request names, in words."""
    lines = []
    for one in standing.vouched:
        lines += ["", f"  {one.artifact.path}  {one.artifact.sha256[:12]}"]
        policy = standing.promotion.request.predicate.artifact_policy(str(one.artifact.path))
        lines += [f"    its request calls it {policy}"] if policy != PORTABLE else []
        for evidence in one.evidence:
            said, signer = evidence.predicate, _signer(evidence, standing.machines)
            whose = "" if evidence.sha256 in standing.machines else "the hub says "
            words = f"{said.kind}: {said.verdict}, on {drawn(said.machine)}, signed by {signer}"
            lines.append(f"    {whose}{words}")
            lines += [f"      {mark(check):4}  {drawn(check.words)}" for check in said.checks]
            lines += [f"      {text}" for text in comparison_words.shown(said)]
    return lines


def standing_data(standing: PromotionStatus) -> dict[str, Any]:
    """A promotion for machines."""
    promotion, counted = standing.promotion, standing.tally
    members = ("person", "meaning", "reason", "made", "valid_until")
    return {
        "promotion": promotion.id,
        "version": str(promotion.ref),
        "stage": promotion.stage,
        "requester": promotion.person,
        "reason": promotion.request.predicate.reason,
        "request": promotion.request.sha256,
        "made": promotion.made,
        "despite": [
            {"withdrawal": digest} | (shape.to_json(one) if one else {})
            for digest, one in standing.despite.items()
        ],
        "approvals": [
            {name: getattr(one.predicate, name) for name in members} | {"sha256": one.sha256}
            for one in counted.counted
        ],
        "set_aside": list(counted.set_aside),
        "objections": [
            {name: getattr(one.predicate, name) for name in ("person", "reason", "made")}
            | {"sha256": one.sha256}
            for one in standing.objections
        ],
        "have": len(counted.counted),
        "need": counted.needed,
        "listed": standing.listed,
        "artifacts": [
            {
                "path": str(one.artifact.path),
                "sha256": one.artifact.sha256,
                "evidence": {e.predicate.kind: e.predicate.verdict for e in one.evidence},
                "signers": {e.predicate.kind: _signer(e, standing.machines) for e in one.evidence},
                "told_first": told_first(one.evidence),
            }
            for one in standing.vouched
        ],
    }


def _compared(standing: PromotionStatus) -> list[dict[str, Any]]:
    """What each variant was compared with and how it differs, as all evidence named has it."""
    return [
        {"path": str(one.artifact.path)} | dict(evidence.predicate.details)
        for one in standing.vouched
        for evidence in one.all_of(KIND)
    ]


def _signer(evidence: Signed[Evidence], machines: Mapping[str, str]) -> str:
    """The machine of ours that signed evidence."""
    return machines.get(evidence.sha256, "no machine of ours")


def _version(hub: Hub, promotions: Promotions, connection: Connection, ref: VersionRef) -> Summary:
    catalog = Catalog(connection)
    version = catalog.version(ref)
    source = json.loads(version.source)
    aliases, goldens = catalog.aliases(ref), catalog.goldens(ref)
    artifacts = catalog.artifacts(ref)
    runs, repository = _running(connection, ref), Repository(connection)
    standings = [promotions.status(connection, p.number) for p in catalog.promotions(ref)]
    lines = [
        *(text for one in artifacts for text in _newest_first(catalog, one.path)),
        f"{ref} ({word(version.source_version)}, {version.format}), taken in {version.made}",
        f"  source         {word(source['locator'])}",
        f"  asked for as   {', '.join(map(word, aliases or (source['locator'],)))}",
        f"  source record  {version.source_sha256[:12]}",
        f"  goldens        {goldens[:12] if goldens else 'none yet'}",
    ]
    travel = teams.lets_check_rows_travel(repository, ref.team)
    for one in artifacts:
        lines += ["", f"  {one.path}  {one.sha256[:12]}"]
        for evidence in catalog.evidence(one.path):
            said, signer = evidence.predicate, repository.signer_of(evidence)
            whose = "" if signer else "the hub says "
            words = f"{said.kind}: {said.verdict}, {said.made}, {drawn(said.machine)}, signed by "
            lines.append(f"    {whose}{words}{signer or 'no machine of ours'}")
            if said.kind == "parity":
                lines += [f"      {mark(c):4}  {drawn(c.words)}" for c in said.checks]
                lines += [f"      {text}" for text in picture_lines(hub, said, ref)]
                rows = check_rows_lines(hub, said, travel=travel)
                lines += [f"      {text}" for text in rows]
            if said.kind == KIND:
                lines += [f"      {mark(c):4}  {drawn(c.words)}" for c in said.checks[:1]]
                lines += [f"      {text}" for text in comparison_words.shown(said)]
            lines += [f"      {text}" for text in more_words(more_of(said.details))]
    lines += [""] if standings else []
    for standing in standings:
        have, need = len(standing.tally.counted), standing.tally.needed
        state = "listed" if standing.listed else "not listed"
        lines.append(
            f"  {standing.promotion.id} to {standing.promotion.stage}: {have} of {need}, {state}"
        )
    lines += [
        f"  runs at {one['site']}/{one['group']} since {one['since']}, by the site's log as of "
        f"{one['as_of']}"
        for one in runs
    ] or ["  runs nowhere that has reported"]
    data = {
        "version": str(ref),
        "source": source,
        "source_record": version.source_sha256,
        "format": version.format,
        "aliases": aliases,
        "goldens": goldens,
        "artifacts": [
            {
                "path": str(a.path),
                "sha256": a.sha256,
                "check_rows": _check_rows(catalog, a.path),
                "told_first": told_first(newest(catalog.evidence(a.path))),
            }
            for a in artifacts
        ],
        "check_rows_travel": travel,
        "promotions": [standing_data(standing) for standing in standings],
        "running": runs,
    }
    return "version", data, lines


def _newest_first(catalog: Catalog, path: CatalogPath) -> list[str]:
    """What is told first of an artifact by its newest evidence: older may be of other goldens."""
    return first_of(path, newest(catalog.evidence(path)))


def _check_rows(catalog: Catalog, path: CatalogPath) -> int:
    """How many check rows the newest proof of an artifact left."""
    parity = latest(catalog.evidence(path)).get("parity")
    named = None if parity is None else named_check_rows(parity.predicate.details)
    return 0 if named is None else named.rows


def check_rows_lines(hub: Hub, said: Evidence, *, travel: bool) -> list[str]:
    """How many check rows a proof left, and whether their team lets them leave the hub."""
    named = named_check_rows(said.details)
    if named is None:
        return []
    where = "which travel with the variant" if travel else "which stay at the hub"
    lost = "" if hub.home.blobs.has(named.sha256) else "; their file is MISSING here"
    return [f"{named.rows} check rows, {where}{lost}"]


def _running(connection: Connection, ref: VersionRef) -> list[dict[str, str | None]]:
    """Where a version runs, as each site's own log says it, and as of when."""
    return [
        {
            "site": site.id,
            "group": one.group,
            "since": one.since,
            "as_of": last_heard(connection, site),
        }
        for site in Sites(connection).all()
        for one in running(connection, site)
        if (one.model, one.version) == (str(ref.of), ref.number)
    ]


def _site(connection: Connection, site: Site) -> Summary:
    assignment = assignments.current(Repository(connection), site)
    receipt = receipts.newest(connection, site)
    rows = _assigned(assignment)
    end = outcomes.outcomes_at(connection, site, assignment)
    lines = [
        f"Site {site.id}, stage {site.stage}, enrolled {site.made}",
        *(f"  {text}" for text in outcomes.first_lines(end)),
        f"  enrolment      {site.enrolment[:12]}",
        f"  its request    {site.request_words}",
        f"  its answer     {site.words}",
        f"  fingerprint    {words_of(site.fingerprint)}",
        *(f"  host group     {group}: {hw}" for group, hw in sorted(site.groups.items())),
        "",
        *(
            f"  assigned       {g}: {m} {c}, falling back to {f or 'nothing'}"
            for g, m, c, f in rows
        ),
        *(
            f"  goes back      {one.group}: {one.model}, from version {one.version}: "
            f"{drawn(one.reason)}"
            for one in assignment.back or ()
        ),
        *(
            f"  retired        {one.group}: {one.model}: {drawn(one.reason)}"
            for one in assignment.retire or ()
        ),
    ]
    reads = site_software.software_of(connection, site)
    lines += [
        f"  its software   {drawn(reads.software, site_software.LONGEST_SHOWN)}, by {reads.where}"
    ]
    if unread := site_software.lacking(reads):
        lines += [f"    does not read  {', '.join(unread)}: what needs one is refused here"]
    note = site_records.note(connection, site)
    log = claimed(note.encode()) if note else None
    if log:
        lines += [f"  its log        {log.size} entries came home; {eight_words(log.body())}"]
    if receipt is None:
        lines += ["  It has sent no receipt yet."]
    else:
        said = receipt.predicate
        lines += [f"  last receipt   {said.transfer}, {said.made}"]
        lines += [f"    {_outcome(a)}" for a in said.artifacts]
        lines += [f"    {text}" for text in more_words(outcomes.receipt_news(end, said.more))]
        lines += [f"    lost           {len(said.lost)} of its blobs"] if said.lost else []
        lines += [
            f"  runs           {one.group}: {one.model}/{one.version}, since {one.since}"
            for one in running(connection, site)
        ]
        lines += [f"  {text}" for text in outcomes.check_lines(end)]
        if said.unprotected:
            lines += ["  UNPROTECTED: " + "; ".join(map(drawn, said.unprotected))]
    data = {
        "site": site.id,
        "stage": site.stage,
        "enrolment": site.enrolment,
        "request_words": site.request_words,
        "words": site.words,
        "fingerprint": site.fingerprint,
        "groups": site.groups,
        "assigned": [
            {"group": g, "model": m, "current": c, "fallbacks": f.split(", ") if f else []}
            for g, m, c, f in rows
        ],
        "retired": [
            {"group": one.group, "model": one.model, "reason": one.reason}
            for one in assignment.retire or ()
        ],
        "running": [
            {"group": r.group, "model": r.model, "version": r.version, "since": r.since}
            for r in running(connection, site)
        ],
        "heard": last_heard(connection, site),
        "software": reads.software,
        "does_not_read": list(unread),
        "log": {"size": log.size, "words": eight_words(log.body())} if log else None,
        "last_receipt": receipt.predicate.transfer if receipt else None,
        **outcomes.outcomes_json(end),
        **more_json(receipt.predicate.more if receipt else None),
    }
    return "site", data, lines


def _outcome(one: ArtifactOutcome) -> str:
    """What became of one artifact; why, of one that was held or is assigned no more."""
    why = f": {drawn(one.words)}" if one.outcome == "held" or one.code in NO_MORE else ""
    return f"{became(one)} {one.group}: {one.artifact}{why}"


def became(one: ArtifactOutcome) -> str:
    """The word for what became of an artifact, as the site's own import says it."""
    return {RETIRED: "retired", NO_LONGER_ASSIGNED: "kept"}.get(one.code, one.outcome)


def _assigned(assignment: Assignment) -> list[tuple[str, str, str, str]]:
    rows = []
    for group, assigned in sorted(assignment.groups.items()):
        for model, versions in sorted(assigned.models.items()):
            behind = ", ".join(str(one.parsed.version) for one in versions.fallbacks)
            rows.append((group, model, str(versions.current.parsed.version), behind))
    return rows


def _begun(hub: Hub, connection: Connection, what: str) -> Summary | None:
    """A transfer that was begun, and that nobody vouched for yet."""
    t = tables.transfer
    row = connection.execute(select(t).where(t.c.id == what)).first()
    if row is None:
        return None
    newest = transfers.newest(connection, Sites(connection).get(row.site))
    waits = unsigned_transfers.kept(hub, what)
    lines = [f"Transfer {what} to {row.site}, begun {row.begun}"]
    data: dict[str, Any] = {"transfer": what, "site": row.site, "begun": row.begun, "waits": None}
    if newest is not None and newest.id != what:
        lines.append(f"  It was never signed; {newest.id} took its place.")
    elif waits is None:
        lines += ["  It is not written whole.", f"  Go on:  sealift export {row.site} --to DIR"]
    else:
        size, medium = sum(file.size for file in waits.said.files), str(waits.medium)
        digest = waits.draft.parts[0].digest
        lines += [
            f"  carries        {len(waits.said.files)} files, {size:,} bytes",
            f"  written to     {medium}, where it waits to be signed",
            f"  its draft is   {digest}",
            f"  Draft again:   sealift export {row.site} --to {pasted([medium])}",
            f"  Then, signed:  sealift submit FILE --medium {pasted([medium])}",
        ]
        data |= {"waits": {"medium": medium, "sha256": digest}, "files": len(waits.said.files)}
    return "transfer", data, lines


def _transfer(hub: Hub, connection: Connection, what: str) -> Summary | None:
    t = tables.bundle
    row = connection.execute(select(t).where(t.c.transfer == what)).first()
    if row is None:
        return _begun(hub, connection, what)
    one = transfers.verified(Repository(connection), row)
    said, receipt = one.predicate, receipts.answer_to(connection, one.predicate)
    size = sum(file.size for file in said.files)
    lines = [
        f"Transfer {what} to {said.site}, made {said.made}",
        f"  transfer.json  {one.sha256[:12]}",
        f"  carries        {len(said.files)} files, {size:,} bytes",
        f"  written to     {word(row.medium)}, the hub says",
        f"  previous       {said.previous or 'none'}",
    ]
    if receipt is None:
        lines.append("  The site has not answered yet.")
    else:
        lines.append(f"  imported       {receipt.predicate.made}")
        lines += [f"    {_outcome(a)}" for a in receipt.predicate.artifacts]
        lines += [f"    {text}" for text in more_words(receipt.predicate.more)]
    data = {
        "transfer": what,
        "site": said.site,
        "sha256": one.sha256,
        "made": said.made,
        "files": len(said.files),
        "bytes": size,
        "receipt": receipt.sha256 if receipt else None,
        **more_json(receipt.predicate.more if receipt else None),
    }
    return "transfer", data, lines
