"""`sealift convert`: build a variant for a hardware target, and prove that it is faithful."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, user
from sealift_registry.cli.terminal import short
from sealift_signing.drawing import drawn, plain
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from sealift_registry.catalog.reference import VersionRef
    from sealift_signing.statements import Evidence, Signed
    from sealift_signing.vocabulary import CatalogPath

IN_SHORT = ("expected", "proof")
"""What is printed of a proof that passed: how well it answers, and all of it in a sentence."""


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
@click.option("--verbose", is_flag=True, help="Print every check, as `sealift show` does.")
def convert(
    session: Session, *, version: str, hardware_targets: tuple[str, ...], verbose: bool
) -> None:
    """Build a version's variant for a hardware target.

    The variant is scanned, and proved against its source on the goldens and on rows that are made
    to find out; both are kept as evidence. A variant whose proof fails is not kept. Where the
    hardware target promises other releases of its runtime than the one that came with Sealift, the
    proof is made on the oldest and the newest of them as well (`sealift runtime add`).
    """
    from sealift_registry.catalog.reference import VersionRef
    from sealift_registry.trust.repository import Repository
    from sealift_registry.trust.teams import lets_check_rows_travel
    from sealift_signing.more_member import LOOK, first_words

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
            lines += _whole(said) if verbose else _shortly(said)
            if said.kind == "parity":
                lines += _kept(session, said, ref, travel=travel)
                lines += _untriable(done.artifact.path, evidence, travel=travel)
        told = first_words(done.evidence)
        first += told
        lines += [f"  {plain(words)}" for words in done.untried]
        made.append(
            {
                "path": str(done.artifact.path),
                "sha256": done.artifact.sha256,
                "new": done.new,
                "evidence": {e.predicate.kind: e.predicate.verdict for e in done.evidence},
                "untried": list(done.untried),
                "told_first": told,
            }
        )
    lines += [] if verbose else [f"Every check:  sealift show {ref}"]
    head = [f"{LOOK}: {drawn(words)}" for words in dict.fromkeys(first)]
    session.terminal.answer("convert", {"artifacts": made}, [*head, *lines])


def _whole(said: Evidence) -> list[str]:
    """A piece of evidence with all its checks."""
    from sealift_signing.more_member import mark

    checks = [f"    {mark(one):4}  {drawn(one.words)}" for one in said.checks]
    return [f"  {said.kind}: {said.verdict}, on {drawn(said.machine)}", *checks]


def _shortly(said: Evidence) -> list[str]:
    """Its verdict, how well the model answers, all in a sentence, and what is not in order."""
    from sealift_signing.more_member import mark

    ordered = [one for name in IN_SHORT for one in said.checks if one.name == name]
    failed = [one for one in said.checks if one.verdict == "fail" and one not in ordered]
    shown = [f"    {mark(one):4}  {drawn(one.words)}" for one in (*ordered, *failed)]
    count = "" if shown else f", {counted(len(said.checks), 'check')}"
    return [f"  {said.kind}: {said.verdict}{count}", *shown]


def _untriable(path: CatalogPath, parity: Signed[Evidence], *, travel: bool) -> list[str]:
    """That it will not be promoted so: whoever converts can still do something about it."""
    from sealift_registry.promotion.promise_checks import untriable

    bad = untriable(path, parity, travel=travel)
    return [] if bad is None else [f"  It cannot be promoted: {bad.what}", f"    {bad.advice}"]


def _kept(session: Session, said: Evidence, ref: VersionRef, *, travel: bool) -> list[str]:
    """What a proof left at the hub."""
    from sealift_registry.cli.shown.version import left_lines
    from sealift_registry.views.versions import left_by

    left = left_by(session.app.hub, said)
    return [f"    {text}" for text in left_lines(ref, left, travel=travel)]
