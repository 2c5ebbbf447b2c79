"""What every command needs: the hub, the keys that were named on the command line, the terminal."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from sealift_registry.cli import servers
from sealift_registry.cli.again import told_again
from sealift_registry.cli.terminal import Terminal
from sealift_signing.errors import SealiftError, UsageError, shown
from sealift_signing.login import login_name
from sealift_signing.printing import printed

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

    from sealift_registry.app import App
    from sealift_registry.cli.group import GlobalOptions
    from sealift_registry.client.address import ServerAddress
    from sealift_registry.client.hub import RemoteHub
    from sealift_signing.keys import Passphrases

F = TypeVar("F", bound=Callable[..., Any])


def _common(*, at_server: bool) -> list[click.Parameter]:
    """The options of every command; help shows them after its own.

    `at_server`: it can be asked of a hub's server.
    """
    there = "The hub behind this server, in the place of a home."
    one_line = "Read the passphrase of every named key from FILE's first line."
    machines = "Print one JSON object, for machines."
    return [
        click.Option(["--passphrase-file"], metavar="FILE", help=one_line),
        click.Option(["--home"], metavar="DIR", help="The hub's home. [default: ./sealift-hub]"),
        *([click.Option(["--server"], metavar="URL", help=there)] if at_server else []),
        click.Option(["--json", "as_json"], is_flag=True, help=machines),
    ]


json_lines_option = click.option(
    "--json-lines", is_flag=True, help="Print a JSON object for each, a line each, for machines."
)


class Session:
    """One run of `sealift`; `today` is the date, where somebody stated it.

    Attributes:
        warned: the command itself says why the hub signs nothing now, where it is so.
    """

    def __init__(
        self,
        home: str | None,
        *,
        server: str | None = None,
        as_json: bool,
        passphrase_file: str | None,
        today: date | None = None,
    ) -> None:
        from sealift_registry.storage import home as homes

        self.environment = homes.environment()
        self._home, self._server = home, server
        self.terminal = Terminal(as_json=as_json)
        self._passphrase_file = passphrase_file
        self._today = today
        self.warned = False

    @cached_property
    def server(self) -> ServerAddress | None:
        """The server that the command is about; None where it is about a home.

        Raises:
            UsageError: both are named, or the server's address is none.
        """
        return servers.named(self._home, self._server, self.environment)

    def name_server_again(self) -> None:
        """Have printed commands name the server, where the command line alone named it."""
        if self._server and self.server is not None:
            from sealift_registry.cli.at_server import naming

            self.terminal.naming = functools.partial(naming, server=str(self.server))

    @cached_property
    def root(self) -> Path:
        """The home.

        Raises:
            UsageError: the command is about a server.
            RefusedError: nobody named it, and it is another user's.
        """
        from sealift_registry.storage import home as homes

        if self.server is not None:
            raise servers.hub_needed(self.server)
        return homes.locate(self._home, self.environment)

    @cached_property
    def remote(self) -> RemoteHub:
        """The hub behind the server; its connections are let go of when the command ends.

        Raises:
            UsageError: the command is about a home.
            RefusedError: nobody is signed in there.
        """
        if self.server is None:
            raise UsageError(
                "server-needed",
                "This is asked of a hub's server, and none is named.",
                subject="--server",
                next_step=f"Name it with --server URL, or with {servers.VARIABLE}.",
            )
        found = servers.remote_hub(self.server, self.environment, self.terminal.note)
        click.get_current_context().find_root().call_on_close(found.close)
        return found

    @cached_property
    def app(self) -> App:
        """The open hub and its use cases; opened when first asked for."""
        from sealift_registry.app import open_app

        app = open_app(self.root, self.environment, self.terminal.note)
        app.hub.log.stated = self._today
        click.get_current_context().find_root().call_on_close(app.close)
        return app

    def now(self) -> datetime:
        """The time by this machine's clock, for what somebody signs.

        Raises:
            ClockError: it was never set.
        """
        from sealift_signing.clock import check_possible

        now = datetime.now(UTC)
        check_possible(now)
        return now

    def warn(self) -> None:
        """Tell whoever only looked why the hub signs nothing now, where it is so."""
        if self.warned or "app" not in vars(self):
            return
        from sealift_registry.trust import readiness

        for bad in readiness.problems(self.app.hub):
            self.terminal.note(("", f"Warning: {bad.what}", f"  Next: {bad.advice}"))

    def say_what_was_kept(self, stop: BaseException) -> None:
        """Have `stop` say what had been done by then, unless the use case itself has said it."""
        opened = "app" in vars(self)  # not by asking for it, which would open it now
        if not opened or getattr(stop, "__notes__", None):
            return
        for one in self.app.hub.log.kept:
            stop.add_note(f"{one.type} was done: it is entry {one.seq} of the log.")

    def passphrases(self, *, new: bool = False) -> Passphrases:
        """Where passphrases come from; `new` asks twice, and once for all keys of the command."""
        from sealift_signing.keys import Passphrases

        given = Path(self._passphrase_file) if self._passphrase_file else None
        ask = _asker(new=new) if self.terminal.interactive else None
        return Passphrases(given, self.environment, ask, self.terminal.note)

    def signers(self, given: Sequence[str]) -> list[Signer]:
        """The signers that `--key` names; where it names none, the home's default key.

        Raises:
            UsageError: none was given and the home has no default.
        """
        from sealift_signing.keys import key_path, open_signer

        if given:
            passphrases = self.passphrases()
            return [open_signer(uri, passphrases) for uri in given]
        hub = self.app.hub
        default = hub.home.settings.keys.default
        if not default:
            raise UsageError(
                "key-needed",
                "This command needs somebody's signature.",
                next_step="Name the key with --key FILE.",
            )
        path = hub.home.root / key_path(default)
        own = path.parent == hub.home.keys
        passphrases = hub.online.passphrases() if own else self.passphrases()
        return [open_signer(str(path), passphrases)]

    def signer(self, given: str | None) -> Signer:
        """The one signer that `--key` names, or the home's default."""
        (signer,) = self.signers([given] if given else [])
        return signer


def command(
    group: click.Group, name: str, *, example: str, at_server: bool = False
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function a command of `group`: with a session, the common options, an example.

    `at_server`: it can be asked of a hub's server as well.
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def run(**given: object) -> None:
            names = ("home", "server", "passphrase_file")
            home, server, file = (cast("str | None", given.pop(name, None)) for name in names)
            first = cast("GlobalOptions", click.get_current_context().obj)
            session = Session(
                home or first.home,
                server=server or first.server,
                as_json=bool(given.pop("as_json")),
                passphrase_file=file,
                today=first.today,
            )
            try:
                session.name_server_again()
                function(session, **given)
                session.warn()
            except (KeyboardInterrupt, click.Abort) as stop:
                session.say_what_was_kept(stop)
                raise
            except SealiftError as bad:
                told_again(bad)
                bad.next_step = session.terminal.naming(bad.next_step)
                raise

        made = group.command(name, epilog=f"\b\nExample:\n  {example}")(run)
        made.params += _common(at_server=at_server)
        return made

    return decorate


def split(pairs: Sequence[str], form: str, *, once: bool = False) -> list[tuple[str, str]]:
    """Pairs joined by `=`, as `form` says; `once` where what stands before it is given once.

    Raises:
        UsageError: one is spelled otherwise, or given twice.
    """
    found: list[tuple[str, str]] = []
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise UsageError(
                "bad-pair",
                f"{shown(pair)} is not {form}.",
                subject=pair,
                next_step=f"Write {form}.",
            )
        if once and name in dict(found):
            raise UsageError(
                "twice",
                f"{name} is given twice.",
                subject=name,
                next_step="Give it once; which one was meant cannot be told.",
            )
        found.append((name, value))
    return found


def user() -> str:
    """Who runs the command, by their login name; their number, where the system has no name."""
    return login_name() or f"uid-{os.getuid()}"


def _asker(*, new: bool) -> Callable[[str], str]:
    answers: list[str] = []

    def ask(question: str) -> str:
        if new and answers:
            return answers[0]
        text = "Passphrase for the new keys (one for all of them)" if new else question
        answer: str = click.prompt(
            printed(text, sys.stderr), hide_input=True, confirmation_prompt=new, err=True
        )
        answers.append(answer)
        return answer

    return ask
