"""`sealift account take` and `password`: what somebody signs in with at a hub's server.

All that is secret is asked for as it is typed, and stands on no command line. The seed of one-time
codes is shown once, where somebody sits; no file and no --json has it.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from sealift_registry.cli import signing_in
from sealift_registry.cli.accounts import account
from sealift_registry.cli.session import Session, command
from sealift_signing.drawing import pasted, plain, word
from sealift_signing.errors import RefusedError, UsageError
from sealift_signing.printing import printed
from sealift_signing.vocabulary import counted

if TYPE_CHECKING:
    from sealift_registry.client.address import ServerAddress
    from sealift_registry.client.hub import RemoteHub, Seed

T = TypeVar("T")

AGAIN = {"weak-password", "wrong-code"}
"""Refusals after which the same is asked for again."""
TRIES = 5
SHORTEST = 12
"""As `access.passwords.SHORTEST`: what is shorter is not sent, and takes no code."""


@command(
    account, "take", example="sealift account take --server https://hub.example", at_server=True
)
@click.option(
    "--authorities",
    metavar="FILE",
    help="Believe the server by these certificates (PEM), beside the system's.",
)
@click.option(
    "--certificate", metavar="FILE", help="This desk's own certificate (PEM), if one is asked for."
)
@click.option("--certificate-key", metavar="FILE", help="The key of that certificate (PEM).")
def take(
    session: Session,
    *,
    authorities: str | None,
    certificate: str | None,
    certificate_key: str | None,
) -> None:
    """Take an invitation: choose what you sign in with at a server.

    You are asked for the invitation that you were handed, and shown a seed for an authenticator;
    then for a password of twelve characters or more, and for the code that the authenticator shows.
    """
    from sealift_registry.client.asking import Tls
    from sealift_registry.client.hub import RemoteHub

    server = _server(session)
    files = (authorities, certificate, certificate_key)
    tls = Tls(*(str(Path(one).absolute()) if one else "" for one in files))
    tls.context()  # before anything is typed
    _check_can_ask(session)
    with closing(RemoteHub(server, tls, told=session.terminal.note)) as hub:
        invitation = _hidden("The invitation")
        seed = hub.seed(invitation)
        _tell([f"You are invited as {word(seed.account)}. Add this to an authenticator:"])
        click.echo(plain(f"  {_copied(seed.uri)}"), err=True)  # whole, however narrow it is
        _tell([f"or type it there: {_copied(seed.text)}"])
        device = _tried(lambda: _take(hub, invitation, seed))
    signing_in.sessions_of(session).keep_device(server, seed.account, device)
    data = {"server": str(server), "account": seed.account}
    named = pasted(["sealift", "login", seed.account, "--server", str(server)])
    lines = [
        f"You have the account {word(seed.account)} at {server}.",
        f"  Sign in with the next code:  {named}",
    ]
    session.terminal.answer("account-take", data, lines)


@command(
    account,
    "password",
    example="sealift account password --server https://hub.example",
    at_server=True,
)
def password(session: Session) -> None:
    """Choose another password; your other sessions end.

    You are asked for the password of before, the new one and a one-time code.
    """
    server = _server(session)
    hub = session.remote
    _check_can_ask(session)
    old = _hidden("The password of before")
    ended = _tried(lambda: hub.change_password(old, _chosen(), _hidden("One-time code")))
    lines = [f"Your password at {server} is changed."]
    if ended:
        lines.append(f"  With that {counted(len(ended), 'other session')} ended.")
    session.terminal.answer("account-password", {"server": str(server), "ended": ended}, lines)


def _take(hub: RemoteHub, invitation: str, seed: Seed) -> str:
    """Take the invitation with what is typed now: by what this desk is known from now on.

    Raises:
        SealiftError: the server's.
    """
    chosen, code = _chosen(), _hidden("The code that it shows now")
    try:
        return hub.take_invitation(invitation, chosen, seed.text, code)
    except RefusedError as bad:
        if bad.code == "no-invitation":  # an answer may have been cut off
            bad.next_step = (
                "It waited a moment ago, so this may have taken it: try to sign in. Else have "
                "whoever runs the hub invite you again."
            )
        raise


def _tried(act: Callable[[], T]) -> T:
    """What `act` makes of what is typed; where that does not do, it is typed again.

    Raises:
        SealiftError: the server's, where nothing that is typed would help; or it never did.
    """
    for _ in range(TRIES - 1):
        try:
            return act()
        except RefusedError as bad:
            if bad.code not in AGAIN:
                raise
            _tell([f"{plain(bad.what)} {plain(bad.advice)}"])
    return act()


def _chosen() -> str:
    """A new password, typed twice the same."""
    while True:
        first = _hidden("A new password")
        if len(unicodedata.normalize("NFC", first)) < SHORTEST:  # as the server counts
            _tell([f"A password has {SHORTEST} characters or more."])
            continue
        if first == _hidden("The same again"):
            return first
        _tell(["These are two different ones."])


def _hidden(what: str) -> str:
    answer: str = click.prompt(printed(what, sys.stderr), hide_input=True, err=True)
    return answer


def _tell(lines: Iterable[str]) -> None:
    """Tell whoever sits there, also where the answer is for machines."""
    for line in lines:
        click.echo(printed(line, sys.stderr), err=True)


def _copied(text: str) -> str:
    """What a server says that is to be copied: on one line, however long, and nothing hidden."""
    return plain(text).encode("ascii", "backslashreplace").decode()


def _server(session: Session) -> ServerAddress:
    """The server that is named.

    Raises:
        UsageError: none is.
    """
    if session.server is None:
        raise UsageError(
            "server-needed",
            "This is asked of a hub's server, and none is named.",
            subject="--server",
            next_step="Name it with --server URL, or with SEALIFT_SERVER.",
        )
    return session.server


def _check_can_ask(session: Session) -> None:
    if not session.terminal.interactive:
        raise UsageError(
            "nobody-to-ask",
            "This asks for what nobody else may see, and nobody can be asked here.",
            next_step="Run this on a terminal.",
        )
