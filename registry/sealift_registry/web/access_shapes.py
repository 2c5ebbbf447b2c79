"""What is sent and answered about accounts, sessions and tokens (as `shapes`)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

LONGEST_PASSWORD = 4096
Named = Annotated[str, Meta(max_length=200)]
Typed = Annotated[str, Meta(max_length=LONGEST_PASSWORD)]
Code = Annotated[str, Meta(max_length=64)]
Text = str | None


class SignIn(Struct, forbid_unknown_fields=True):
    """Who signs in, and with what.

    Attributes:
        account: its name.
        code: the one-time code that is shown now.
        way: from where: a browser keeps a cookie, a desk is answered the session's secret.
        note: by which the session is known among others, such as a machine's name.
    """

    account: Named
    password: Typed
    way: Literal["desk", "browser"] = field(name="for")
    code: Code = ""
    note: Named = ""


class SignedIn(Struct):
    """A session that was opened.

    Attributes:
        account: the id of the account.
        name: what the account is called.
        ends: when the session is over, however much it is used.
        id: of the session, which is no secret.
        session: of a desk: what it shows from now on as `Authorization: Bearer`; told this once.
        csrf: of a browser: what its pages send as `X-Sealift-CSRF` with what changes something.
    """

    account: str
    name: str
    ends: str
    id: str
    session: str | UnsetType = UNSET
    csrf: str | UnsetType = UNSET


class OfficeHeld(Struct):
    """What somebody may sign, by what was published last."""

    place: str
    name: str


class Allowed(Struct):
    """How far an action goes for somebody.

    Attributes:
        hub: they may do it of the hub as a whole.
        everything: they may do it of every team and site.
        all_sites: they may do it of every site.
        teams: they may do it of these.
        sites: likewise.
        own: they may do it of what is their own.
    """

    action: str
    hub: bool
    everything: bool
    all_sites: bool
    teams: list[str]
    sites: list[str]
    own: bool


class AccountRow(Struct, kw_only=True):
    """An account."""

    account: str
    id: str
    kind: str
    state: str
    person: Text
    keyid: Text
    grants: list[str]


class Me(AccountRow, kw_only=True):
    """Whoever asks.

    Attributes:
        by: how they are signed in: `browser`, `desk` or `token`.
        credential: the id of the session or the token.
        ends: when that is over.
        csrf: of a browser's session: what its pages send as `X-Sealift-CSRF`.
    """

    by: str
    credential: str
    ends: str
    offices: list[OfficeHeld]
    may: list[Allowed]
    csrf: str | UnsetType = UNSET
