"""The group of `sealift-sign`, and what all its commands share."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sealift_signing.desk.cli.terminal import Terminal
from sealift_signing.drawing import drawn
from sealift_signing.errors import NotFoundError, UsageError
from sealift_signing.printing import printed

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from sealift_signing.keys import Passphrases
    from sealift_signing.memory import Memory
    from sealift_signing.organisation_memory import OrganisationMemory

F = TypeVar("F", bound=Callable[..., Any])

MEMORY = ("trust", "learn", "share", "heads", "signed", "again", "write")
KEYS = ("key", "card", "card-show")
"""Commands that are no acts, in the order of their use; acts come first."""


class Desks(click.Group):
    """A group whose help lists acts first, then what is done with memory and keys."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command's name, in order."""
        last = [name for name in (*MEMORY, *KEYS) if name in self.commands]
        return [name for name in self.commands if name not in last] + last

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands under three headings."""
        names = self.list_commands(ctx)
        acts = [name for name in names if name not in (*MEMORY, *KEYS)]
        for heading, listed in (("Acts", acts), ("Memory", MEMORY), ("Keys", KEYS)):
            rows = [
                (name, found.get_short_help_str(limit=100))
                for name in listed
                if (found := self.get_command(ctx, name)) is not None
            ]
            with formatter.section(heading):
                formatter.write_dl(rows)


@click.group(
    cls=Desks,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with `sealift-sign trust`; each act is signed with one of your keys.",
)
@click.version_option(package_name="sealift-signing", prog_name="sealift-sign")
def sign() -> None:
    """Sign what a hub drafted, on a machine of your own: nothing that you have not seen."""


class Session:
    """One run of `sealift-sign`."""

    def __init__(self, *, as_json: bool, passphrase_file: str | None = None) -> None:
        self.environment = dict(os.environ)
        self.terminal = Terminal(as_json=as_json)
        self._passphrase_file = passphrase_file

    @functools.cached_property
    def memory(self) -> Memory:
        """What whoever runs this remembers."""
        from sealift_signing.memory import Memory

        return Memory.located(self.environment, self.terminal.note)

    def now(self) -> datetime:
        """The clock here.

        Raises:
            ClockError: it was never set.
        """
        from sealift_signing.clock import check_possible

        now = datetime.now(UTC)
        check_possible(now)
        return now

    def known(self, prefix: str | None) -> OrganisationMemory:
        """The organisation that is meant: the only one, or that whose id begins so.

        Raises:
            NotFoundError: none is known.
            UsageError: several are.
        """
        from sealift_signing.memory import not_trusted

        found = self.memory.organisations()
        meant = [one for one in found if one.organisation.startswith(prefix or "")]
        if len(meant) == 1:
            return meant[0]
        if not meant:
            raise NotFoundError(
                "nobody-trusted",
                "No organisation is trusted here yet."
                if not found
                else f"No organisation whose id begins with {prefix} is trusted here.",
                subject=prefix or "",
                next_step=not_trusted("").next_step,
            )
        raise UsageError(
            "which-organisation",
            f"{len(meant)} organisations are trusted here.",
            next_step="Say which, by the beginning of its id: "
            + ", or ".join(f"--organisation {o.organisation[:12]} {drawn(o.name)}" for o in meant),
        )

    def passphrases(self, *, new: bool = False) -> Passphrases:
        """Where passphrases come from; `new` asks twice."""
        from sealift_signing.keys import Passphrases

        given = Path(self._passphrase_file) if self._passphrase_file else None

        def ask(question: str) -> str:
            text = printed(question, sys.stderr)
            said: str = click.prompt(text, hide_input=True, confirmation_prompt=new, err=True)
            return said

        asked = ask if self.terminal.interactive else None
        return Passphrases(given, self.environment, asked, self.terminal.note)

    def signer(self, key: str) -> Signer:
        """The signer that `--key` names."""
        from sealift_signing.keys import open_signer

        return open_signer(key, self.passphrases())


KEY = click.Option(["--key"], metavar="FILE", required=True, help="Your key.")
PASSPHRASE = click.Option(
    ["--passphrase-file"], metavar="FILE", help="Read your key's passphrase from FILE's first line."
)
JSON = click.Option(
    ["--json", "as_json"], is_flag=True, help="Print one JSON object, for machines."
)
ORGANISATION = click.Option(
    ["--organisation"],
    metavar="ID",
    help="Which organisation, by the beginning of its id, where several are trusted here.",
)


def command(
    group: click.Group, name: str, *, example: str, more: Sequence[click.Parameter] = ()
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function a command of `group`: with a session, its shared options, an example."""

    def decorate(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def run(**given: Any) -> None:  # noqa: ANN401 - what click parsed
            file = given.pop("passphrase_file", None)
            function(Session(as_json=given.pop("as_json"), passphrase_file=file), **given)

        made = group.command(name, epilog=f"\b\nExample:\n  {example}")(run)
        made.params += [*more, JSON]
        return made

    return decorate


@sign.group()
def key() -> None:
    """Make and show keys."""
