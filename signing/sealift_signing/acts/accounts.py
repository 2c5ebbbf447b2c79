"""`bind-account ACCOUNT SERVER`: an account of a hub's server is that of whoever signs.

The person names account and server; the draft brings the server's challenge and until when it
waits. A draft for another server or another account is another act, and is refused as one.
"""

from __future__ import annotations

from sealift_signing import statements
from sealift_signing.account_binding import LONGEST, NAME, AccountBinding, check_server
from sealift_signing.acts.material import Ask, Material, Prepared, Unsigned
from sealift_signing.approvals import LARGEST_LEAD
from sealift_signing.drafts import STATEMENT
from sealift_signing.errors import MalformedError, RefusedError, UsageError, shown
from sealift_signing.organisation import Organisation
from sealift_signing.vocabulary import MOMENT, SHA256, instant, moment
from sealift_signing.vocabulary import NAME as SPELLED
from sealift_signing.words import words_of

CHALLENGE, UNTIL = "challenge", "until"
"""The facts: what the server asks with, and when it counts no more."""


def bind(organisation: Organisation, ask: Ask, material: Material) -> Prepared:
    """The statement that the account is the signer's, for one server and one challenge.

    Raises:
        UsageError: no such account or server can be.
        MalformedError: the draft brings no challenge.
        RefusedError: it counts no more, or longer than any server waits.
    """
    account, server = ask.object
    if not SPELLED.matches(account):
        raise UsageError(
            "bad-account",
            f"{shown(account)} is not {SPELLED.words}.",
            subject=account,
            next_step="Name your account as the server does.",
        )
    check_server(server)
    challenge, until = material.fact(CHALLENGE), material.fact(UNTIL)
    if not (SHA256.matches(challenge) and MOMENT.matches(until)):
        raise MalformedError(
            "bad-draft",
            "The draft brings no challenge of a server, or no end of it.",
            subject=CHALLENGE,
            next_step="Do not sign it; ask the server again, where you sign in",
        )
    _check_time(until, material)
    said = AccountBinding(
        format=1,
        requires=(),
        organisation=organisation.id,
        server=server,
        account=account,
        challenge=challenge,
        made=moment(material.now),
        ends=until,
    )
    key = "" if material.key is None else f" {material.key.keyid[:12]}"
    words = (
        f"The account {account} of the server {server} is yours.",
        f"  It becomes that of whoever holds the key{key} that signs this, by their name.",
        "  Whoever signs in with it is told what you may be told, and hands in what was signed;",
        "  nothing is signed for you by that, and no document changes.",
        f"  It answers the server's challenge, which counts until {until}. In eight words:",
        f"    {words_of(challenge)}",
        "  They stand where you asked to sign in. Where others stand, somebody else asked.",
    )
    if material.key is None:
        return Prepared((), words)
    payload = statements.payload(said, [said.subject()])
    return Prepared((Unsigned(STATEMENT, NAME, None, payload),), words)


def _check_time(until: str, material: Material) -> None:
    """The end is not over by the clock here, and no further than servers wait; a day is forgiven.

    The server's clock decides: this refuses what was meant to be kept and used one day.
    """
    end = instant(until)
    if material.now - end > LARGEST_LEAD:
        raise RefusedError(
            "challenge-over",
            f"The server waited for this until {until}.",
            subject=until,
            next_step="Ask it again, where you sign in.",
        )
    if end - material.made > LONGEST or end - material.now > LONGEST + LARGEST_LEAD:
        raise RefusedError(
            "challenge-too-long",
            f"The draft would count until {until}; a server waits for an answer for an hour at "
            "most.",
            subject=until,
            next_step="Do not sign it. If the clock here is right, tell whoever runs the server.",
        )
