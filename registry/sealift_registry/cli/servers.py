"""Which hub a command is about: one whose home is on this machine, or one behind its server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sealift_signing.errors import UsageError

if TYPE_CHECKING:
    from sealift_registry.client.address import ServerAddress
    from sealift_registry.client.hub import RemoteHub

VARIABLE = "SEALIFT_SERVER"
HOME_VARIABLE = "SEALIFT_HOME"


def named(
    home: str | None, server: str | None, environment: Mapping[str, str]
) -> ServerAddress | None:
    """The server that a command is about; None where it is a home. An option beats a variable.

    Raises:
        UsageError: both are named, or the server's address is none.
    """
    if home and server:
        raise UsageError(
            "home-and-server",
            "--home names a hub on this machine, and --server one behind its server.",
            subject="--server",
            next_step="Give one of the two.",
        )
    given = server or ("" if home else environment.get(VARIABLE, ""))
    if not given:
        return None
    if not server and environment.get(HOME_VARIABLE):
        raise UsageError(
            "home-and-server",
            f"{HOME_VARIABLE} names a hub on this machine, and {VARIABLE} one behind its server.",
            subject=VARIABLE,
            next_step="Say which is meant: --home DIR or --server URL.",
        )
    from sealift_registry.client.address import ServerAddress

    return ServerAddress.parse(given)


def remote_hub(
    server: ServerAddress, environment: Mapping[str, str], told: Callable[[str], None]
) -> RemoteHub:
    """The hub behind a server, asked by whoever is signed in there.

    Raises:
        RefusedError: nobody is.
        UsageError: a certificate that was named cannot be used.
    """
    from sealift_registry.client.hub import RemoteHub
    from sealift_registry.client.sessions import Sessions

    found = Sessions.located(environment, told).get(server)
    return RemoteHub(server, found.tls, found.secret, told)


def hub_needed(server: ServerAddress) -> UsageError:
    """What a command does is done where the hub's own disk is."""
    return UsageError(
        "hub-needed",
        "This needs the hub's own disk, and cannot be asked of its server.",
        subject=str(server),
        next_step="Run it on the hub's machine, with --home DIR in place of --server.",
    )
