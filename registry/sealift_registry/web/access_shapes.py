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
        device: what was told as such when this desk signed in with the account before, or took its
            invitation. A browser keeps a cookie for it.
    """

    account: Named
    password: Typed
    way: Literal["desk", "browser"] = field(name="for")
    code: Code = ""
    note: Named = ""
    device: Named = ""


class SignedIn(Struct):
    """A session that was opened.

    Attributes:
        account: the id of the account.
        name: what the account is called.
        ends: when the session is over, however much it is used.
        id: of the session, which is no secret.
        session: of a desk: what it shows from now on as `Authorization: Bearer`; told this once.
        csrf: of a browser: what its pages send as `X-Sealift-CSRF` with what changes something.
        device: of a desk: what it shows when it signs in again, so that nobody who guesses at the
            account elsewhere makes it wait. It lets nobody in.
    """

    account: str
    name: str
    ends: str
    id: str
    session: str | UnsetType = UNSET
    csrf: str | UnsetType = UNSET
    device: str | UnsetType = UNSET


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
    invited_by: str
    grants: list[str]


class AccountTaken(AccountRow, kw_only=True):
    """An account that can be signed in with now.

    Attributes:
        device: what is shown as such when signing in from there.
    """

    device: str


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


class SessionShown(Struct):
    """A session.

    Attributes:
        seen: when it was used last, by the minute; none: never since it was opened.
        current: it is the one that asks.
    """

    session: str
    way: str
    note: str
    made: str
    ends: str
    seen: Text
    current: bool


class Sessions(Struct):
    """The sessions of whoever asks, newest first."""

    sessions: list[SessionShown]


class SessionEnded(Struct):
    """A session that lets nobody in any more."""

    account: str
    session: str


class TokenRevoked(Struct):
    """A token that lets nobody in any more."""

    account: str
    token: str


class TokenShown(Struct):
    """A token, without its secret."""

    token: str
    note: str
    scopes: list[str]
    made: str
    ends: str
    used: Text


class Tokens(Struct):
    """The tokens of whoever asks, newest first."""

    tokens: list[TokenShown]


class TokenMade(TokenShown, kw_only=True):
    """A token that was made; `secret` is told this once, and not where the request is repeated."""

    secret: Text


class TokenAsked(Struct, forbid_unknown_fields=True):
    """What a token is to be for.

    Attributes:
        scopes: the actions.
        note: what it is for, in words.
        days: how long it is to be good for.
    """

    scopes: Annotated[list[Named], Meta(max_length=100)]
    note: Named = ""
    days: int = 90


class InvitationShown(Struct, forbid_unknown_fields=True):
    """What whoever is invited was handed."""

    invitation: Named


class SeedGiven(Struct):
    """A new seed of one-time codes, for the account that somebody is invited to.

    Attributes:
        account: its name.
        seed: to be typed into an authenticator, and given back with a code of it.
        uri: the same, as an authenticator takes it.
    """

    account: str
    seed: str
    uri: str


class InvitationTaken(Struct, forbid_unknown_fields=True):
    """What the account is to be signed in with, and a code that the seed shows now."""

    invitation: Named
    password: Typed
    seed: Named
    code: Code


class PasswordChange(Struct, forbid_unknown_fields=True):
    """The password of before, the new one, and a code that is shown now."""

    old: Typed
    new: Typed
    code: Code


class PasswordChanged(Struct):
    """The sessions that ended with that, by their ids."""

    ended: list[str]


class BindingDraft(Struct):
    """A draft for `sealift-sign bind-account`, in base64; it answers a challenge given out now.

    Attributes:
        words: the eight words of the challenge, which whoever signs compares with what they see.
        until: when it counts no more.
    """

    draft: bytes
    warnings: list[str]
    words: str
    until: str


class BindingMade(Struct):
    """Whose account it is now.

    Attributes:
        data: the account.
        lines: the same for people.
    """

    new: bool
    data: AccountRow
    lines: list[str]
    left_out: list[str]


class Accounts(Struct):
    """Every account, by name."""

    accounts: list[AccountRow]


class SessionOf(Struct):
    """A session of an account."""

    session: str
    way: str
    note: str
    made: str
    ends: str
    seen: Text


class AccountWhole(AccountRow, kw_only=True):
    """An account, with what it is signed in with."""

    sessions: list[SessionOf]
    tokens: list[TokenShown]


class AccountAsked(Struct, forbid_unknown_fields=True):
    """Somebody, or a program, that is to have an account.

    Attributes:
        account: what it is to be called.
        grants: what it is granted, spelled as `publisher:team=vision`.
        hours: how long the invitation waits.
    """

    account: Named
    kind: Literal["person", "service"] = "person"
    grants: Annotated[list[Named], Meta(max_length=200)] = []
    hours: int = 24


class Recovery(Struct, forbid_unknown_fields=True):
    """How long the invitation waits, in hours."""

    hours: int = 24


class AccountInvited(AccountRow, kw_only=True):
    """An account, with the invitation to it.

    Attributes:
        secret: the invitation, told this once, and not where the request is repeated; none: it is a
            program's.
        ends: when it counts no more.
    """

    secret: Text
    ends: Text


class AccountChanged(Struct):
    """Whether that changed anything."""

    account: str
    new: bool


class GrantAsked(Struct, forbid_unknown_fields=True):
    """What is granted, spelled as `publisher:team=vision`."""

    grant: Named


class GrantChanged(Struct):
    """Whether that changed anything."""

    account: str
    grant: str
    new: bool
