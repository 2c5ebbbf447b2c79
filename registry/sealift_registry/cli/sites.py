"""`sealift sites`: what runs where, at every site at once."""

from __future__ import annotations

import click

from sealift_registry.cli import refused_rows, remote
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, json_lines_option
from sealift_signing.errors import UsageError


@command(sealift, "sites", example="sealift sites vision/digits/3", at_server=True)
@click.argument("what", metavar="[TEAM/MODEL[/VERSION]]", default="", required=False)
@click.option("--site", "site_id", metavar="ID", help="Only at this site.")
@click.option(
    "--at", metavar="DAY|TIME", help="As it was known here before this day or time (UTC)."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@json_lines_option
def sites(
    session: Session,
    *,
    what: str,
    site_id: str | None,
    at: str | None,
    as_csv: bool,
    json_lines: bool,
) -> None:
    """Show what runs where, at every site.

    Of each host group and model: what is assigned, what runs, since when, and when the site was
    heard of. Of a version it shows where that runs, and where it is assigned and not known to run.
    What runs is told by the sites' own logs: attested by each site's key as of its receipt.
    """
    from sealift_registry.shown import overview
    from sealift_registry.views.overview import Asked, ref_of
    from sealift_signing.transparency.question import day_or_time

    if sum((as_csv, json_lines, session.terminal.as_json)) > 1:
        raise UsageError(
            "one-form",
            "An answer has one form, and several are asked for.",
            subject="--csv, --json, --json-lines",
            next_step="Give one of them.",
        )
    model, version = ref_of(what) if what else (None, None)
    if session.server is not None:
        asked = (("of", what or None), ("site", site_id), ("at", at))
        if as_csv:
            members = session.remote.members("/overview", [(k, v) for k, v in asked if v])
            rows = members.get("places")
            found = rows if isinstance(rows, list) else ()
            session.terminal.each_line(
                overview.comma_separated([one for one in found if isinstance(one, dict)])
            )
        else:
            remote.show(session, "sites", "/overview", asked, each="places" if json_lines else "")
        return
    until = None if at is None else day_or_time(at)
    with session.app.hub.reading() as connection:
        told = overview.told(connection, Asked(model, version, site_id, until), whole=True)
    if json_lines:
        session.terminal.each(told.data["places"])
    elif as_csv:
        session.terminal.each_line(overview.comma_separated(told.data["places"]))
    else:
        session.terminal.answer("sites", told.data, told.lines)
    refused_rows.check(told.refused)
