"""The group that every command of `sealift` belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime

import click

from sealift_signing import command_start

JOURNEY = (
    *("init", "key", "team", "next"),
    *("ingest", "convert", "job", "runtime", "promote", "approve", "object", "submit"),
    *("site", "assign", "unassign", "export", "receive"),
    *("worker", "builder"),
    *("list", "show", "audit", "blobs", "discard", "gc", "renew", "fingerprint", "db", "migrate"),
)
"""The commands as help lists them: in the order in which a newcomer needs them."""


@dataclass(frozen=True)
class GlobalOptions:
    """What was given before the command: the home, and today's date."""

    home: str | None
    today: date | None


class Journey(click.Group):
    """A group whose help lists commands in the journey's order; a group in it, as they are made."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name, in order."""
        first = [name for name in JOURNEY if name in self.commands and ctx.parent is None]
        return first + [name for name in self.commands if name not in first]


Journey.group_class = Journey


@click.group(
    cls=Journey,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `sealift init`; `sealift next` always says what is missing.",
)
@click.option("--home", metavar="DIR", help="The hub's home. [default: ./sealift-hub]")
@click.option(
    "--today",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Today by another clock, where this machine's was or is wrong.",
)
@click.option("--log-file", metavar="FILE", help="Write what happens to FILE; else SEALIFT_LOG.")
@click.version_option(package_name="sealift-registry", prog_name="sealift")
@click.pass_context
def sealift(
    context: click.Context, home: str | None, today: datetime | None, log_file: str | None
) -> None:
    """The hub: ingest models, have people approve them, sign them, carry them to isolated sites."""
    command_start.open_log_file(log_file, "sealift", str(context.obj or ""))
    if today is not None:
        from sealift_signing.clock import check_stated

        check_stated(datetime.now(UTC), today.date())
    # The home is given before the command or after it: both are meant.
    context.obj = GlobalOptions(home, today.date() if today else None)
