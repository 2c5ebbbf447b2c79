"""`sealift login`, `logout` and `whoami`: who somebody is to a hub's server.

A session opens what its person may look at and hand in. It signs nothing: that takes their key,
which stays at their desk.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_registry.cli import remote
from sealift_registry.cli.at_desk import bind_account
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_signing.drawing import pasted, word
from sealift_signing.errors import FailedError, RefusedError, UsageError
from sealift_signing.printing import printed

if TYPE_CHECKING:
    from sealift_registry.client.address import ServerAddress
    from sealift_registry.client.asking import Tls
    from sealift_registry.client.sessions import OpenSession, Sessions

IDLE_MINUTES = 60
"""As `access.sessions.IDLE`, which a server keeps."""
SECRET = 64 << 10
"""Bytes of the first line of a file with a secret."""


@command(
    sealift, "login", example="sealift login anna --server https://hub.example", at_server=True
)
@click.argument("account", metavar="ACCOUNT")
@click.option(
    "--password-file", metavar="FILE", help="Read the password from FILE's first line, for scripts."
)
@click.option("--code", metavar="DIGITS", help="The one-time code, where nobody can be asked.")
@click.option(
    "--authorities",
    metavar="FILE",
    help="Believe the server by these certificates (PEM), beside the system's.",
)
@click.option(
    "--certificate", metavar="FILE", help="This desk's own certificate (PEM), if one is asked for."
)
@click.option("--certificate-key", metavar="FILE", help="The key of that certificate (PEM).")
@click.option("--bind", is_flag=True, help="Prove your key as well, so that the account is yours.")
@click.option("--key", metavar="FILE", help="With --bind: your key, by which you sign.")
@click.option("--yes", is_flag=True, help="With --bind: sign without being asked whether to.")
def login(
    session: Session,
    *,
    account: str,
    password_file: str | None,
    code: str | None,
    authorities: str | None,
    certificate: str | None,
    certificate_key: str | None,
    bind: bool,
    key: str | None,
    yes: bool,
) -> None:
    """Sign in at a hub's server, with a password and a one-time code.

    Other commands then do with --server what they do with --home at the hub. The session is kept in
    a file of yours alone, with how the server is believed, until `sealift logout` or its end.

    With --bind you also prove a key by which you sign something here, so that what you sign counts
    as handed in by you; whoever is signed in already is asked for no password then.
    """
    if bind and _is_in(session, account):
        bind_account(session, account, key, yes=yes)
        return
    _sign_in(session, account, password_file, code, (authorities, certificate, certificate_key))
    if bind:
        bind_account(session, account, key, yes=yes)


def _sign_in(
    session: Session,
    account: str,
    password_file: str | None,
    code: str | None,
    files: tuple[str | None, ...],
) -> None:
    """Open a session, keep it, and tell of it.

    Raises:
        SealiftError: the server's; or nobody can be asked; or a file is none.
    """
    from sealift_registry.client.asking import Tls
    from sealift_registry.client.hub import RemoteHub
    from sealift_registry.client.sessions import OpenSession

    server, kept = _server(session), sessions_of(session)
    tls = Tls(*map(_absolute, files))
    if tls == Tls():
        tls = _tls_before(kept, server)
    tls.context()  # before a password is typed
    password = _password(session, password_file)
    asked = code or _hidden(session, "One-time code", "--code DIGITS")
    hub = RemoteHub(server, tls, told=session.terminal.note)
    try:
        opened = hub.sign_in(account, password, asked, kept.device(server, account))
    finally:
        hub.close()
    kept.keep(
        OpenSession(
            str(server),
            opened.secret,
            opened.account,
            opened.name,
            opened.ends,
            tls.authorities,
            tls.certificate,
            tls.key,
        )
    )
    kept.keep_device(server, account, opened.device)
    lines = [
        f"You are signed in at {server} as {word(opened.name)}, until {word(opened.ends)}.",
        f"  It ends sooner where {IDLE_MINUTES} minutes pass without a request.",
        f"  See what you may do there:  sealift whoami --server {pasted([str(server)])}",
    ]
    data = {
        "server": str(server),
        "account": opened.account,
        "name": opened.name,
        "ends": opened.ends,
    }
    session.terminal.answer("login", data, lines)


@command(sealift, "logout", example="sealift logout --server https://hub.example", at_server=True)
def logout(session: Session) -> None:
    """End the session at a hub's server, there and here."""
    server, kept = _server(session), sessions_of(session)
    was_in = kept.at(server) is not None
    if was_in:
        try:
            session.remote.sign_out()
        except RefusedError as bad:
            if bad.code != "signed-out":
                raise
        kept.forget(server)
    line = f"You are signed out at {server}." if was_in else f"Nobody was signed in at {server}."
    session.terminal.answer("logout", {"server": str(server), "new": was_in}, line)


@command(sealift, "whoami", example="sealift whoami --server https://hub.example", at_server=True)
def whoami(session: Session) -> None:
    """Say who you are to a hub's server, and what you may do there."""
    _server(session)
    remote.show(session, "whoami", "/me")


def _is_in(session: Session, account: str) -> bool:
    """Whether somebody is signed in with this account, and has not been signed out."""
    found = sessions_of(session).at(_server(session))
    if found is None or found.name != account:
        return False
    try:
        session.remote.members("/me")
    except RefusedError as bad:
        if bad.code != "signed-out":
            raise
        del session.remote
        return False
    return True


# ---------------------------------------------------------------------- what is asked


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


def sessions_of(session: Session) -> Sessions:
    """Where whoever runs this keeps what servers told them.

    Raises:
        UsageError: there is no home.
    """
    from sealift_registry.client.sessions import Sessions

    return Sessions.located(session.environment, session.terminal.note)


def _tls_before(kept: Sessions, server: ServerAddress) -> Tls:
    """How the server was believed when somebody last signed in there."""
    from sealift_registry.client.asking import Tls

    found: OpenSession | None = kept.at(server)
    return Tls() if found is None else found.tls


def _absolute(file: str | None) -> str:
    """A file by its whole path: later commands are run elsewhere."""
    return str(Path(file).absolute()) if file else ""


def _password(session: Session, file: str | None) -> str:
    """The password, from its file or as it is typed.

    Raises:
        UsageError: nobody can be asked; or the file holds none.
    """
    if file is None:
        return _hidden(session, "Password", "--password-file FILE")
    try:
        with Path(file).open("rb") as opened:  # which may be a pipe: it is read once
            found = opened.readline(SECRET).decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        found = ""
    except OSError as bad:
        raise FailedError(
            "password-unreadable",
            f"The password file {word(file)} could not be read.",
            subject=file,
            next_step="Name a file that exists and that you may read; its first line is the "
            "password.",
        ) from bad
    if not found:
        raise UsageError(
            "no-password",
            f"The first line of {word(file)} is no password.",
            subject=file,
            next_step="Write the password on its first line, in UTF-8.",
        )
    return found


def _hidden(session: Session, what: str, option: str) -> str:
    """Something secret, as it is typed.

    Raises:
        UsageError: nobody can be asked.
    """
    if not session.terminal.interactive:
        raise UsageError(
            "nobody-to-ask",
            f"{what}: nobody can be asked here.",
            subject=option.split(maxsplit=1)[0],
            next_step=f"Run this on a terminal, or give {option}.",
        )
    answer: str = click.prompt(printed(what, sys.stderr), hide_input=True, err=True)
    return answer
