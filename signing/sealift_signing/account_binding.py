"""Whose account it is: said by a person to one server, and signed with a key of theirs.

It binds an account of a hub's server to the person whose key signed it, and grants nothing that is
signed: what the person may sign follows from the documents that name the key, as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from sealift_signing import statements
from sealift_signing.errors import UsageError, shown
from sealift_signing.statements import Subject
from sealift_signing.vocabulary import Moment, Name, Sha256, Spelling

SERVER = Spelling(
    r"(?=.{1,255}\Z)https?://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::[1-9][0-9]{0,4})?",
    "a server's address: https:// and its name, with its port if that is another; nothing behind",
)
"""In ASCII alone: no letter of another script looks like one of these."""
LONGEST = timedelta(hours=1)
"""How long a server waits for an answer to its challenge, at most."""
NAME = "account-binding"
"""What the statement is called in a draft."""

ServerAddress = Annotated[str, SERVER]


@dataclass(frozen=True)
class AccountBinding:
    """That an account of a server belongs to whoever signed this. The subject is the challenge.

    Attributes:
        organisation: whose server it is.
        server: by the address under which the person knows it.
        account: its name there.
        challenge: 32 random bytes of the server's, in hexadecimal: it takes each once.
        made: when it was signed, by the clock there.
        ends: when it counts no more, as the server says.
    """

    PREDICATE_TYPE: ClassVar[str] = "urn:sealift:account-binding:1"

    format: Literal[1]
    requires: tuple[str, ...]
    organisation: Sha256
    server: ServerAddress
    account: Name
    challenge: Sha256
    made: Moment
    ends: Moment

    def subject(self) -> Subject:
        """What it is about: the one challenge of this account."""
        return statements.subject(f"accounts/{self.account}", self.challenge)


def check_server(address: str) -> None:
    """Check that somebody named a server as statements do.

    Raises:
        UsageError: it is spelled otherwise.
    """
    if not SERVER.matches(address):
        raise UsageError(
            "bad-server",
            f"{shown(address)} is not {SERVER.words}.",
            subject=address,
            next_step="Write it so, in lower case: https://hub.example or https://hub.example:8443",
        )
