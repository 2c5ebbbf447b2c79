"""The refusals that a server answers with statuses of their own."""

from __future__ import annotations

from sealift_registry.access.calling import Caller
from sealift_registry.access.rights import ACTIONS
from sealift_signing.errors import RefusedError


class SignedOutError(RefusedError):
    """Nobody is signed in, or no longer."""


class ForbiddenError(RefusedError):
    """Somebody is signed in, and may not."""


class ThrottledError(RefusedError):
    """Signing in is to wait; `retry_after` says how many seconds."""

    def __init__(self, code: str, what: str, *, next_step: str, retry_after: int) -> None:
        super().__init__(code, what, next_step=next_step)
        self.retry_after = retry_after


def signed_out() -> SignedOutError:
    """Nobody is signed in with what was shown: which of the reasons it is, nobody is told."""
    return SignedOutError(
        "signed-out",
        "Nobody is signed in with this, or no longer.",
        next_step="Sign in again, or use a token that is still good.",
    )


def forbidden(caller: Caller, action: str, *, elsewhere: bool = False) -> ForbiddenError:
    """Somebody may not do it, or not there; `elsewhere`: of some teams, sites or things they may.

    Of what is not there and of what is others' the same is said: no team of it is named.
    """
    rule = ACTIONS.get(action)
    words = rule.words if rule else "do that"
    if rule and rule.people and caller.kind == "person" and caller.person is None:
        return ForbiddenError(
            "not-bound",
            f"{caller.name} may not {words}: the account is nobody's whose key it knows.",
            subject=caller.name,
            next_step="Bind it to you with a key of yours; see docs/how-to/people-and-rights.md",
        )
    if caller.scopes is not None and action not in caller.scopes:
        return ForbiddenError(
            "token-without-scope",
            f"This token of {caller.name} is not for what was asked: {words}.",
            subject=action,
            next_step="Use one with that scope; see docs/reference/rights.md",
        )
    what = f"{caller.name} may not {words}."
    if elsewhere:
        what = (
            f"{caller.name} may {words} of some teams or sites alone, or their own, and what is "
            "asked for is none of these, or is not there."
        )
    return ForbiddenError(
        "forbidden",
        what,
        subject=caller.name,
        next_step="Who may is in docs/reference/rights.md: an administrator grants it, or it "
        "follows from what people signed.",
    )
