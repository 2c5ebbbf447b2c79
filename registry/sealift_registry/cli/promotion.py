"""`sealift promote`, `sealift approve` and `sealift object`: what people say of a version.

Each is signed by whoever says it. What they read before is computed from the bytes of the draft
that they then sign (`sealift_signing.acts.promoting`), and nothing is read again in between.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_registry.cli.signing import Signing, carry_out, signing_options
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from sealift_registry.promotion.status import PromotionStatus
    from sealift_registry.trust.submitting import AcceptedSubmission


@command(
    sealift,
    "promote",
    example="sealift promote vision/digits/3 --to production --reason 'better on night images'",
    at_server=True,
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
@signing_options("With --at-hub or --server: the requester's key.", over=False, statement=True)
def promote(
    session: Session,
    *,
    version: str,
    stage: str,
    reason: str,
    despite: tuple[str, ...],
    how: Signing,
) -> None:
    """Ask for a version to be promoted to a stage.

    The request is signed, names every variant that the version has and all their evidence, and
    never changes; a variant built later needs a request of its own. Before it is drafted, each
    variant is compared with the one that is listed for the same stage and hardware target: what
    changes is evidence too, and stands before whoever approves.
    """
    from sealift_registry.catalog.reference import VersionRef
    from sealift_registry.shown.promotion import (
        despite_lines,
        evidence_lines,
        first_lines,
        status_data,
    )
    from sealift_registry.wanting import Asked
    from sealift_signing.acts.material import Ask

    details = {"reason": (reason,)} | ({"despite": despite} if despite else {})
    asked = Asked(Ask("request", (str(VersionRef.parse(version)), stage), details))
    done = carry_out(session, asked, how, compares=f"compare with what is listed for {stage}")
    if done is None:
        return
    status, stale = _status(session, done)
    made = status.promotion
    lines = [
        *stale,
        *despite_lines(status),
        *first_lines(status),
        done.sentence,
        *evidence_lines(status),
        "",
        f"It needs {counted(status.tally.needed, 'approval')}. Whoever approves runs:",
        f"  sealift approve {made.id} --meaning validated --reason '…'",
    ]
    session.terminal.answer("promote", status_data(status) | {"stale": stale}, lines)


@command(
    sealift,
    "approve",
    example="sealift approve P-000001 --meaning validated --reason 'tested'",
    at_server=True,
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
@signing_options("With --at-hub or --server: your own key.", over=False, statement=True)
def approve(
    session: Session,
    *,
    promotion: str,
    meaning: str,
    reason: str,
    days: int | None,
    how: Signing,
) -> None:
    """Approve one request, after reading it.

    P-NUMBER is how the hub calls it; what is approved is the request that you read, by its sha256.
    """
    from sealift_registry.catalog.reference import parse_promotion, promotion_id
    from sealift_registry.shown.promotion import status_data
    from sealift_registry.wanting import Asked
    from sealift_signing.acts.material import Ask

    number = parse_promotion(promotion)
    stale = _stale(session, number) if session.server is None else []
    session.terminal.note(stale)
    details = {"meaning": (meaning,), "reason": (reason,)}
    details |= {} if days is None else {"days": (str(days),)}
    asked = Asked(Ask("approve", (promotion_id(number),), details))
    done = carry_out(session, asked, replace(how, asks=not how.yes))
    if done is not None:
        data = status_data(_status(session, done)[0]) | {"stale": stale}
        session.terminal.answer("approve", data, done.lines)


@command(
    sealift, "object", example="sealift object P-000001 --reason 'fails at night'", at_server=True
)
@click.argument("promotion", metavar="P-NUMBER")
@click.option("--reason", metavar="WORDS", required=True, help="Why, in your words.")
@signing_options("With --at-hub or --server: your own key.", over=False, statement=True)
def object_(session: Session, *, promotion: str, reason: str, how: Signing) -> None:
    """Say why you do not approve a request.

    An objection bars nothing; every later approver is shown it. Who may approve may object.
    """
    from sealift_registry.catalog.reference import parse_promotion, promotion_id
    from sealift_registry.shown.promotion import status_data
    from sealift_registry.wanting import Asked
    from sealift_signing.acts.material import Ask

    ask = Ask("object", (promotion_id(parse_promotion(promotion)),), {"reason": (reason,)})
    done = carry_out(session, Asked(ask), replace(how, asks=not how.yes))
    if done is not None:
        status, stale = _status(session, done)
        session.terminal.answer("object", status_data(status) | {"stale": stale}, done.lines)


def _stale(session: Session, number: int) -> list[str]:
    """What is told first of a promotion's comparisons, to whoever is about to approve it."""
    promotions = session.app.promotions
    with session.app.hub.reading() as connection:
        return promotions.stale(connection, promotions.status(connection, number))


def _status(session: Session, done: AcceptedSubmission) -> tuple[PromotionStatus, list[str]]:
    """How the promotion stands that `done` is about, and what is told first of its comparisons."""
    from sealift_registry.catalog.reference import parse_promotion

    number = parse_promotion(str(done.data["promotion"]))
    with session.app.hub.reading() as connection:
        status = session.app.promotions.status(connection, number)
        return status, session.app.promotions.stale(connection, status)
