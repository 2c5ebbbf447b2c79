"""What an administrator does with `sealift account … --server`: asked of the server, told as here.

What changes an account is of the state that was read a moment before; whoever was slower than
another administrator is told so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sealift_registry.cli import remote
from sealift_registry.client.address import address_of
from sealift_signing.drawing import pasted, word

if TYPE_CHECKING:
    from sealift_registry.cli.session import Session

ALL = "/accounts"
NEW = {"new": bool}
TOKEN = {"token": str, "ends": str, "secret": str, "scopes": list}
"""What the server must answer for it to be told."""


def list_(session: Session) -> None:
    """As `sealift account list`."""
    remote.show(session, "account-list", ALL)


def show(session: Session, name: str) -> None:
    """As `sealift account show`."""
    remote.show(session, "account-show", address_of("accounts", name))


def invite(session: Session, name: str, roles: Sequence[str], kind: str, hours: int) -> None:
    """As `sealift account invite`."""
    asked = {"account": name, "kind": kind, "grants": list(roles), "hours": hours}
    _invited(session, "account-invite", session.remote.change("POST", ALL, asked))


def recover(session: Session, name: str, hours: int) -> None:
    """As `sealift account recover`."""
    path = address_of("accounts", name)
    said = session.remote.change_of(path, "POST", "/recover", {"hours": hours})
    _invited(session, "account-recover", said)


def disable(session: Session, name: str) -> bool:
    """Keep everybody out of an account. Whether that is new."""
    path = address_of("accounts", name)
    return bool(session.remote.change_of(path, "POST", "/disable", None, NEW)["new"])


def grant(session: Session, name: str, grant: str) -> bool:
    """Grant a role. Whether that is new."""
    path = address_of("accounts", name)
    return bool(session.remote.change_of(path, "POST", "/grants", {"grant": grant}, NEW)["new"])


def revoke(session: Session, name: str, grant: str) -> bool:
    """Take a role away. Whether the account had it."""
    path, ends = address_of("accounts", name), address_of("grants", grant)
    return bool(session.remote.change_of(path, "DELETE", ends, None, NEW)["new"])


def token(
    session: Session, name: str, scopes: Sequence[str], note: str, days: int
) -> Mapping[str, Any]:
    """Make a token of one's own account, or as an administrator of a program's.

    What the server says of it is answered.
    """
    asked = {"scopes": list(scopes), "note": note, "days": days}
    if _is_own(session, name):
        return session.remote.change("POST", "/tokens", asked, TOKEN)
    return session.remote.change_of(address_of("accounts", name), "POST", "/tokens", asked, TOKEN)


def revoke_token(session: Session, name: str, token: str) -> None:
    """Revoke a token of an account: one's own, or as an administrator anybody's."""
    own = _is_own(session, name)
    parts = ("tokens", token) if own else ("accounts", name, "tokens", token)
    session.remote.change("DELETE", address_of(*parts))


def _is_own(session: Session, name: str) -> bool:
    return bool(session.remote.members("/me").get("account") == name)


def _invited(session: Session, command: str, said: Any) -> None:  # noqa: ANN401 - a server's JSON
    """Tell of an invitation; what a server says is drawn anew."""
    data = remote.without_schema(said)
    name, secret, ends = (str(data.get(one) or "") for one in ("account", "secret", "ends"))
    path = address_of("accounts", name)
    lines = [] if session.terminal.as_json else list(session.remote.lines(path))
    if secret:
        lines += ["", *told(word(secret), word(ends), str(session.server))]
    session.terminal.answer(command, data, lines)


def told(secret: str, ends: str, server: str) -> list[str]:
    """What is said of an invitation, at the hub and at a desk."""
    return [
        f"The invitation counts once, until {ends}. It is told this once:",
        f"  {secret}",
        "Whoever it is for takes it at their desk:",
        f"  {pasted(['sealift', 'account', 'take', '--server', server])}",
    ]
