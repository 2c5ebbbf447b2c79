"""Who asks, as routes know it: the seam to the room that keeps accounts and rights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from sqlalchemy import Connection

from sealift_registry.access.calling import Reach, Way, Where
from sealift_signing.errors import SealiftError

__all__ = ["Caller", "Gatekeeper", "Nobody", "Reach", "Way", "Where", "signed_out"]


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

    @property
    def by(self) -> Way:
        """How they are signed in."""
        ...

    @property
    def csrf(self) -> str:
        """Of a browser's session: what a page must send besides."""
        ...


class Gatekeeper(Protocol):
    """Knows who is signed in, and what each may do."""

    def caller(self, secret: str, kind: Way, /) -> Caller:
        """Who shows this secret.

        Raises:
            SealiftError: nobody who is signed in.
        """
        ...

    def check(self, caller: Any, action: str, where: Where, /) -> None:  # noqa: ANN401 - its own
        """Check that somebody may do something there; a refusal is logged.

        Raises:
            SealiftError: they may not.
        """
        ...

    def reach(self, caller: Any, action: str, /) -> Reach:  # noqa: ANN401 - its own
        """How far an action goes for somebody, for lists."""
        ...

    def tell_refused(self, caller: Any, action: str, where: Where, /) -> None:  # noqa: ANN401 - its own
        """Log that somebody who is signed in was refused by the server itself."""
        ...

    def tell_request_refused(
        self,
        caller: Any,  # noqa: ANN401 - its own
        asked: str,
        kind: str,
        bad: SealiftError,
        run: str,
        /,
    ) -> None:
        """Log that a change that somebody asked for was refused, by whatever refuses changes.

        Raises:
            SealiftError: the log could not be written.
        """
        ...

    def tell_more_refused(self, *, rest: bool = False) -> None:
        """Log how many refusals are no entries, where that is due; or the `rest`."""
        ...

    def guard(
        self,
        caller: Any,  # noqa: ANN401 - its own
        action: str,
        where: Where,
        /,
    ) -> Callable[[Connection], None]:
        """The same check, to be asked within a commit: between the two a right may end."""
        ...


class Nobody:
    """A gatekeeper of a server that has no accounts yet: it lets nobody in."""

    def caller(self, secret: str, kind: Way) -> Caller:  # noqa: ARG002 - the protocol's
        """Nobody is signed in."""
        raise signed_out()

    def check(self, caller: Caller, action: str, where: Where) -> None:  # noqa: ARG002 - as above
        """Nobody may do anything."""
        raise signed_out()

    def reach(self, caller: Caller, action: str) -> Reach:  # noqa: ARG002 - as above
        """Nobody sees anything."""
        return Reach()

    def tell_refused(self, caller: Caller, action: str, where: Where) -> None:
        """Nobody is signed in."""

    def tell_request_refused(
        self, caller: Caller, asked: str, kind: str, bad: SealiftError, run: str
    ) -> None:
        """Nobody is signed in."""

    def tell_more_refused(self, *, rest: bool = False) -> None:
        """Nobody is signed in."""

    def guard(
        self,
        caller: Caller,  # noqa: ARG002 - as above
        action: str,  # noqa: ARG002 - as above
        where: Where,  # noqa: ARG002 - as above
    ) -> Callable[[Connection], None]:
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
