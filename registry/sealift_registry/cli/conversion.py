"""`sealift convert`: build a variant for a hardware target, and prove that it is faithful."""

from __future__ import annotations

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, user
from sealift_registry.cli.terminal import short
from sealift_signing.drawing import drawn, plain
from sealift_signing.informing import LOOK, TOLD_FIRST, mark


@command(sealift, "convert", example="sealift convert vision/digits/3 --for cpu-x86_64")
@click.argument("version", metavar="TEAM/MODEL/VERSION")
@click.option(
    "--for",
    "hardware_targets",
    multiple=True,
    required=True,
    metavar="HARDWARE-TARGET",
    help="For which class of machine; may be given more than once.",
)
def convert(session: Session, *, version: str, hardware_targets: tuple[str, ...]) -> None:
    """Build a version's variant for a hardware target.

    The variant is scanned, and proved against its source on the goldens and on rows that are made
    to find out; both are kept as evidence. A variant whose proof fails is not kept. Where the
    hardware target promises other releases of its runtime than the one that came with Sealift, the
    proof is made on the oldest and the newest of them as well (`sealift runtime add`).
    """
    from sealift_registry.catalog.reference import VersionRef
    from sealift_registry.summary import check_rows_lines, picture_lines
    from sealift_registry.trust.repository import Repository
    from sealift_registry.trust.teams import lets_check_rows_travel

    ref = VersionRef.parse(version)
    lines, made = [], []
    first: list[str] = []
    for target in hardware_targets:
        with session.terminal.steps(f"convert for {target}", counted=False) as progress:
            done = session.app.conversion.convert(ref, target, user(), progress)
        with session.app.hub.reading() as connection:
            travel = lets_check_rows_travel(Repository(connection), ref.team)
        state = "built" if done.new else "was there already"
        lines.append(f"{done.artifact.path} {state}  {short(done.artifact.sha256)}")
        for evidence in done.evidence:
            said = evidence.predicate
            lines.append(f"  {said.kind}: {said.verdict}, on {drawn(said.machine)}")
            lines += [f"    {mark(c):4}  {drawn(c.words)}" for c in said.checks]
            lines += [f"    {text}" for text in picture_lines(session.app.hub, said)]
            if said.kind == "parity":
                rows = check_rows_lines(session.app.hub, said, travel=travel)
                lines += [f"    {text}" for text in rows]
            first += [drawn(c.words) for c in said.checks if c.name == TOLD_FIRST]
        lines += [f"  {plain(words)}" for words in done.untried]
        made.append(
            {
                "path": str(done.artifact.path),
                "sha256": done.artifact.sha256,
                "new": done.new,
                "evidence": {e.predicate.kind: e.predicate.verdict for e in done.evidence},
                "untried": list(done.untried),
            }
        )
    told = [f"{LOOK}: {words}" for words in dict.fromkeys(first)]
    session.terminal.answer("convert", {"artifacts": made}, [*told, *lines])
