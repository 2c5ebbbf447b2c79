"""Who asks, as routes know it: the seam to the room that keeps accounts and rights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Way = Literal["browser", "desk", "token"]


@dataclass(frozen=True)
class Where:
    """What something is about; all None: the hub as a whole.

    Attributes:
        team: the team whose it is.
        site: the site that it is about.
        owner: the account whose own thing it is: a job, a token, a session, an upload.
    """

    team: str | None = None
    site: str | None = None
    owner: str | None = None


class Caller(Protocol):
    """Somebody who is signed in."""

    @property
    def account(self) -> str:
        """Its id."""
        ...

    @property
    def name(self) -> str:
        """What the log names."""
        ...

    @property
    def person(self) -> str | None:
        """The person whose key it proved."""
        ...


class Gatekeeper(Protocol):
    """Knows who is signed in, and what each may do."""

    def caller(self, secret: str, kind: Way) -> Caller:
        """Who shows this secret.

        Raises:
            SealiftError: nobody who is signed in.
        """
        ...

    def check(self, caller: Caller, action: str, where: Where) -> None:
        """Check that somebody may do something there; a refusal is logged.

        Raises:
            SealiftError: they may not.
        """
        ...


class Nobody:
    """A gatekeeper of a server that has no accounts yet: it lets nobody in."""

    def caller(self, secret: str, kind: Way) -> Caller:  # noqa: ARG002 - the protocol's
        """Nobody is signed in."""
        raise signed_out()

    def check(self, caller: Caller, action: str, where: Where) -> None:  # noqa: ARG002 - as above
        """Nobody may do anything."""
        raise signed_out()


def signed_out() -> Exception:
    """Nobody is signed in."""
    from sealift_signing.errors import RefusedError

    return RefusedError(
        "signed-out",
        "This needs somebody who is signed in, and nobody is.",
        next_step="Sign in, or send a token that is still good.",
    )
