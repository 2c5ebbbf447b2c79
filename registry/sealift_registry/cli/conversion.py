"""`sealift convert`: build a variant for a hardware target, and prove that it is faithful."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from sealift_registry.cli import asking_jobs
from sealift_registry.cli.detaching import ask, detach_options
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command, user

if TYPE_CHECKING:
    from sealift_registry.jobs.steps import Made
    from sealift_signing.canonical import Json


@command(
    sealift, "convert", example="sealift convert vision/digits/3 --for cpu-x86_64", at_server=True
)
@click.argument("version", metavar="TEAM/MODEL/VERSION")
@click.option(
    "--for",
    "hardware_targets",
    multiple=True,
    required=True,
    metavar="HARDWARE-TARGET",
    help="For which class of machine; may be given more than once.",
)
@detach_options
@click.option("--verbose", is_flag=True, help="Print every check, as `sealift show` does.")
def convert(
    session: Session,
    *,
    version: str,
    hardware_targets: tuple[str, ...],
    verbose: bool,
    detached: int | None,
) -> None:
    """Build a version's variant for a hardware target.

    The variant is scanned, and proved against its source on the goldens and on rows that are made
    to find out; both are kept as evidence. A variant whose proof fails is not kept. Where the
    hardware target promises other releases of its runtime than the one that came with Sealift, the
    proof is made on the oldest and the newest of them as well (`sealift runtime add`).
    With --detach each hardware target is a job of its own. Of a server it is a job in any case,
    which is waited for without it.
    """
    from sealift_registry.catalog.reference import VersionRef
    from sealift_registry.client.address import address_of
    from sealift_registry.kinds import CONVERT, ConvertArguments, convert_wanted
    from sealift_registry.shown.converted import converted_lines

    ref = VersionRef.parse(version)
    if session.server is not None:
        if detached is None:
            asking_jobs.check_one(hardware_targets)
        path = address_of("versions", *str(ref).split("/"), "conversions")
        said = {"hardware_targets": list(hardware_targets)}
        asking_jobs.ask(session, path, said, detached)
        return
    if detached is not None:
        asked_for = [ConvertArguments(str(ref), target) for target in hardware_targets]
        ask(session, [convert_wanted(session.app, one, detached) for one in asked_for])
        return
    made: list[Json] = []
    for target in hardware_targets:
        asked = ConvertArguments(str(ref), target)
        with session.terminal.steps(f"convert for {target}", counted=False) as progress:
            done = CONVERT.in_foreground(session.app, asked, user(), progress)
        made += cast("list[Json]", done["artifacts"])
    found: Made = {"artifacts": made}
    lines = converted_lines(session.app.hub, found, verbose=verbose)
    session.terminal.answer("convert", found, lines)
