"""`sealift list`: what there is, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping

import click

from sealift_registry.catalog import page_sizes
from sealift_registry.cli import refused_rows, remote
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_registry.shown import lists
from sealift_signing.errors import UsageError


@command(
    sealift,
    "list",
    example="sealift list promotions --model vision/digits --newest-first",
    at_server=True,
)
@click.argument("kind", type=click.Choice(list(lists.FILTERS)), default="versions")
@click.option("--team", metavar="NAME", help="Only models, versions or promotions of this team.")
@click.option("--model", metavar="TEAM/MODEL", help="Only versions or promotions of this model.")
@click.option("--stage", metavar="STAGE", help="Only promotions to it, or sites enrolled for it.")
@click.option("--site", metavar="ID", help="Only transfers to this site, or receipts from it.")
@click.option("--newest-first", is_flag=True, help="Begin with the newest.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, page_sizes.LARGEST),
    default=page_sizes.USUAL,
    show_default=True,
    help="At most N.",
)
@click.option("--beyond", metavar="NAME", help="Go on after this one.")
def list_(
    session: Session,
    *,
    kind: str,
    team: str | None,
    model: str | None,
    stage: str | None,
    site: str | None,
    newest_first: bool,
    limit: int,
    beyond: str | None,
) -> None:
    """List versions, promotions, sites, people and more.

    Of more than N the last is named: --beyond goes on after it.
    """
    from sealift_registry.catalog.pages import PagePlace
    from sealift_registry.catalog.reference import ModelRef
    from sealift_registry.client.address import address_of

    given = {"team": team, "model": model, "stage": stage, "site": site}
    _check_options(kind, given | {"newest_first": newest_first or None})
    if session.server is not None:
        asked_for = (
            *(("team", team), ("model", model), ("stage", stage), ("site", site)),
            *(("newest_first", newest_first), ("limit", limit), ("beyond", beyond)),
        )
        remote.show(session, f"list-{kind}", address_of(kind), asked_for)
        return
    place = PagePlace(limit, beyond, newest_first)
    asked = lists.Asked(team, ModelRef.parse(model) if model else None, stage, site, place)
    here = lists.Here(session.app.hub, session.app.hardware_targets)
    with session.app.hub.reading() as connection:
        found = lists.told(here, connection, kind, asked)
    session.terminal.answer(f"list-{kind}", found.data, found.lines)
    refused_rows.check(found.refused)


def _check_options(kind: str, given: Mapping[str, object]) -> None:
    """Check that nothing is asked that would silently mean nothing.

    Raises:
        UsageError: something is.
    """
    for name, value in given.items():
        if value is not None and name not in lists.FILTERS[kind]:
            option = f"--{name.replace('_', '-')}"
            known = ", ".join(f"--{one.replace('_', '-')}" for one in sorted(lists.FILTERS[kind]))
            besides = f"; {known} can be given" if known else ""
            raise UsageError(
                "option-not-for-list",
                f"A list of {kind} cannot be narrowed down or turned round by {option}.",
                subject=option,
                next_step=f"Leave it out{besides}.",
            )
