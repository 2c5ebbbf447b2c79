"""The group that every command of `sealift` belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import import_module

import click

from sealift_signing import command_start

MODULES: Mapping[str, str] = {
    "init": "setup",
    "key": "keys",
    "team": "teams",
    "person": "people",
    "next": "setup",
    "ingest": "intake",
    "convert": "conversion",
    "job": "jobs",
    "runtime": "runtimes",
    "promote": "promotion",
    "approve": "promotion",
    "object": "promotion",
    "submit": "submit",
    "site": "delivery",
    "assign": "delivery",
    "unassign": "delivery",
    "export": "delivery",
    "receive": "delivery",
    "worker": "worker",
    "builder": "builder",
    "serve": "serve",
    "account": "own_account",
    "login": "signing_in",
    "logout": "signing_in",
    "whoami": "signing_in",
    "sites": "sites",
    "list": "lists",
    "show": "show",
    "comment": "hub_words",
    "policy": "policies",
    "settings": "hub_words",
    "audit": "audit",
    "blobs": "blobs",
    "discard": "discard",
    "gc": "gc",
    "renew": "teams",
    "fingerprint": "fingerprint",
    "db": "db",
    "migrate": "migrate",
}
"""In which module of this package each command is.

They stand as help lists them: in the order in which a newcomer needs them.
"""


class OnDemand(MutableMapping[str, click.Command]):
    """The commands by their names: a module is loaded when a command of it is asked for.

    Whoever runs one command does not wait for thirty to be loaded.
    """

    def __init__(self) -> None:
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded and name in MODULES:
            import_module(f"{__package__}.{MODULES[name]}")
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        yield from MODULES
        yield from self._loaded.keys() - MODULES.keys()

    def __len__(self) -> int:
        return len({*MODULES, *self._loaded})


@dataclass(frozen=True)
class GlobalOptions:
    """What was given before the command: the home or the server, and today's date."""

    home: str | None
    server: str | None
    today: date | None


class Journey(click.Group):
    """A group whose help lists commands in the journey's order; a group in it, as they are made."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click asks
        """Every command's name, in order."""
        return list(self.commands)


Journey.group_class = Journey


@click.group(
    cls=Journey,
    commands=OnDemand(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `sealift init`; `sealift next` always says what is missing.",
)
@click.option("--home", metavar="DIR", help="The hub's home. [default: ./sealift-hub]")
@click.option("--server", metavar="URL", help="The hub behind this server; else SEALIFT_SERVER.")
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
    context: click.Context,
    *,
    home: str | None,
    server: str | None,
    today: datetime | None,
    log_file: str | None,
) -> None:
    """The hub: ingest models, have people approve them, sign them, carry them to isolated sites."""
    command_start.open_log_file(log_file, "sealift", str(context.obj or ""))
    if today is not None:
        from sealift_signing.clock import check_stated

        check_stated(datetime.now(UTC), today.date())
    # The home is given before the command or after it: both are meant; so is the server.
    context.obj = GlobalOptions(home, server, today.date() if today else None)
