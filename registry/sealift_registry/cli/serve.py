"""`sealift serve`: the hub, for desks and machines."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import click

from sealift_registry.cli.again import at_home
from sealift_registry.cli.group import sealift
from sealift_registry.cli.session import Session, command
from sealift_signing.errors import FailedError, RefusedError

if TYPE_CHECKING:
    from sealift_registry.storage.claims import Claim
    from sealift_registry.trust.hub import Hub
    from sealift_registry.web.server import Listening

CLAIM = "server"
"""The claim of whoever serves a hub whose rows are in its home."""
_SERVES = re.compile(r" at (https?://[\w.:\[\]-]+)")
INVITE = "sealift account invite NAME --role administrator"
"""What whoever starts a hub's first server does next."""


@command(sealift, "serve", example="sealift serve --host 127.0.0.1 --port 8700")
@click.option("--host", metavar="ADDRESS", help="Listen there.  [default: server.host]")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    metavar="NUMBER",
    help="Listen on this port; on any that is free, with 0.  [default: server.port]",
)
@click.option(
    "--grace",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="Give requests that run so long to end, when told to end.",
)
def serve(session: Session, *, host: str | None, port: int | None, grace: int) -> None:
    """Serve the hub to desks, browsers and machines.

    Settings are in [server] of settings.toml. Ctrl-C or SIGTERM ends the server: it takes nothing
    more, and what runs may end in time; a second one ends it at once. SIGHUP has it read its
    settings and its certificate again, and open its log file anew. A hub whose rows are in its home
    has one server; of one on PostgreSQL there may be several, behind a proxy. With --json it prints
    one object a line.
    """
    _check_installed()
    from sealift_registry.storage.home import open_home
    from sealift_registry.web import server

    settings = open_home(session.root, session.environment).settings.server
    settings = replace(settings, host=host or settings.host)
    settings = replace(settings, port=settings.port if port is None else port)
    with closing(server.listen(settings)) as listening:  # before the hub is opened and changed
        claim = _claimed(session.app.hub, listening.url)
        try:
            _serve(session, listening, grace)
        finally:
            if claim is not None:
                claim.let_go()


def _serve(session: Session, listening: Listening, grace: int) -> None:
    from sealift_registry.access.gatekeeper import Gatekeeper
    from sealift_registry.access.standing import any_account
    from sealift_registry.audit.steady import Steady
    from sealift_registry.storage.home import open_home
    from sealift_registry.trust import readiness
    from sealift_registry.web import server
    from sealift_registry.web.api import Served
    from sealift_registry.web.health import Health
    from sealift_registry.web.reloading import Reloading

    app, url = session.app, listening.url
    app.hub.log.steady = Steady(app.hub.now())
    readiness.keep(app.hub)
    health = Health(app.hub, server.valid_until(listening.settings))
    served = Served(app, Gatekeeper(app.hub), url, version("sealift-registry"), health)

    def begun() -> None:
        lines = [f"Serves the hub at {url}", f"  What it answers:  {url}/docs"]
        if not any_account(app.hub):
            lines.append("  Nobody has an account yet:  " + INVITE + at_home())
        _tell(session, "ready", {"url": url, "port": listening.port}, lines)
        if warning := server.open_to_all(listening.settings):
            noted(warning)

    def noted(text: str) -> None:
        with suppress(OSError):  # nobody reads any more; it goes on
            session.terminal.note(text)
            if session.terminal.as_json:
                _tell(session, "noted", {"what": text}, ())

    reloading = Reloading(served, lambda: open_home(session.root, session.environment).settings)
    server.serve(served, listening, grace, begun, noted, reloading)
    _tell(session, "over", {}, ["The server has ended."])


def _tell(session: Session, event: str, data: dict[str, Any], lines: Sequence[str]) -> None:
    with suppress(OSError):
        session.terminal.answer("serve", {"event": event, **data}, lines)
        sys.stdout.flush()


def _check_installed() -> None:
    """Check that what serves is installed.

    Raises:
        FailedError: it is not.
    """
    try:
        import litestar
        import uvicorn
    except ImportError as bad:
        raise FailedError(
            "server-not-installed",
            "What serves a hub is not installed.",
            subject=str(bad.name),
            next_step="Install it: pip install 'sealift-registry[server]'",
        ) from bad
    _ = litestar, uvicorn


def address(hub: Hub) -> str:
    """The server's name to everybody: of the one that runs now, where its own settings differ.

    Whoever holds the claim says where it listens; else the settings say where it would.
    """
    settings, database = hub.home.settings.server, hub.database
    if not settings.url and not database.is_shared and CLAIM in database.held([CLAIM]):
        found = _SERVES.search(database.holder(CLAIM))
        if found is not None:
            return found[1]
    return settings.public_url


def _claimed(hub: Hub, url: str) -> Claim | None:
    """The right to be the one server of a hub whose rows are in its home.

    Raises:
        RefusedError: another process serves it.
    """
    if hub.database.is_shared:
        return None
    claim = hub.database.claim(CLAIM, f"serves the hub at {url}")
    if claim is None:
        who = hub.database.holder(CLAIM)
        raise RefusedError(
            "server-runs-already",
            f"The hub at {hub.home.root} is served already{f' ({who})' if who else ''}.",
            subject=str(hub.home.root),
            next_step="End that one first; of several at once, each would count sign-ins and "
            "requests alone. On PostgreSQL there may be several.",
        )
    return claim
