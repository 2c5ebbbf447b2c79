"""`sealift promote` and `sealift approve`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, key_option
from sealift_registry.cli.terminal import counted

if TYPE_CHECKING:
    from sealift_registry.promotion.promotions import Standing


@command(
    sealift,
    "promote",
    example="sealift promote vision/digits/3 --to production --reason 'better on night images' "
    "--key dora.pem",
)
@click.argument("version", metavar="TEAM/MODEL/VERSION")
@click.option("--to", "stage", metavar="STAGE", required=True, help="Such as production.")
@click.option(
    "--reason", metavar="WORDS", required=True, help="Why, for whoever approves or audits."
)
@click.option(
    "--despite",
    multiple=True,
    metavar="WITHDRAWAL",
    help="A withdrawal that this sets aside, by its id or its sha256.",
)
@key_option("The requester's key.")
def promote(
    session: Session,
    *,
    version: str,
    stage: str,
    reason: str,
    despite: tuple[str, ...],
    key: str | None,
) -> None:
    """Ask for a version to be promoted to a stage.

    The request is signed, names every variant that the version has and all their evidence, and
    never changes; a variant built later needs a request of its own.
    """
    from sealift_registry.catalog.reference import VersionRef
    from sealift_registry.summary import despite_lines, evidence_lines, standing_data

    ref = VersionRef.parse(version)
    signer = session.signer(key)
    made = session.app.promotions.request(ref, stage, reason, signer, despite)
    with session.app.hub.reading() as connection:
        standing = session.app.promotions.standing(connection, made.number)
    # A hub for one person has a key that is meant where none is named.
    own = "" if session.app.hub.home.settings.keys.default else " --key FILE"
    lines = [
        *despite_lines(standing),
        f"{made.id}: {ref} to {stage}, asked for by {made.person}.",
        *evidence_lines(standing),
        "",
        f"It needs {counted(standing.tally.needed, 'approval')}. Whoever approves runs:",
        f"  sealift approve {made.id}{own} --meaning validated --reason '…'",
    ]
    session.terminal.answer("promote", standing_data(standing), "\n".join(lines))


@command(
    sealift,
    "approve",
    example="sealift approve P-000001 --key carla.pem --meaning validated --reason 'tested'",
)
@click.argument("promotion", metavar="P-NUMBER")
@click.option(
    "--meaning",
    metavar="WORDS",
    required=True,
    help="What your signature means, as the policy words it: 'validated', 'accepts the risk'.",
)
@click.option("--reason", metavar="WORDS", required=True, help="Why, in your words.")
@click.option(
    "--days", type=int, metavar="N", help="How long it is valid. [default: the policy's longest]"
)
@click.option("--yes", is_flag=True, help="Do not ask again.")
@key_option("Your own key.")
def approve(
    session: Session,
    *,
    promotion: str,
    meaning: str,
    reason: str,
    days: int | None,
    yes: bool,
    key: str | None,
) -> None:
    """Sign your approval of one request, after reading it."""
    from sealift_registry.catalog.reference import parse_promotion
    from sealift_registry.summary import standing_data
    from sealift_signing.errors import UsageError

    number = parse_promotion(promotion)
    promotions, terminal = session.app.promotions, session.terminal
    with session.app.hub.reading() as connection:
        before = promotions.standing(connection, number)
    terminal.note("\n".join(_question(before)))
    if not yes and not terminal.ask(f"Approve {before.promotion.id} ({meaning})?"):
        raise UsageError(
            "nothing-signed",
            "Nothing was signed.",
            subject=before.promotion.id,
            next_step="Answer yes, or give --yes where nobody can be asked.",
        )
    standing = promotions.approve(number, session.signer(key), meaning, reason, days)
    have, need = len(standing.tally.counted), standing.tally.needed
    state = "listed" if standing.listed else f"waiting for {need - have} more"
    text = f"{standing.promotion.id}: {have} of {need} approvals; {state}."
    terminal.answer("approve", standing_data(standing), text)


def _question(standing: Standing) -> list[str]:
    from sealift_registry.summary import despite_lines, doubt_lines, evidence_lines

    promotion, have = standing.promotion, standing.tally.people
    said = promotion.request.predicate
    asked = f"{promotion.id}: {promotion.ref} to {promotion.stage}, asked for by {said.person}"
    count = f"({len(have)} of {standing.tally.needed})"
    return [
        *despite_lines(standing),
        *doubt_lines(standing),
        f"{asked} on {said.made}.",
        f"  reason: {said.reason}",
        *evidence_lines(standing),
        "",
        f"  approved so far by: {', '.join(have) or 'nobody'} {count}",
        "",
    ]
