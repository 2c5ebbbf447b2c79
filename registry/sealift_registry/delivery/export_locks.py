"""Who is exporting what: one export a medium, one process a transfer.

Both are claims (`storage.claims`), which tell whoever waits what is done by which process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sealift_registry.storage import host
from sealift_registry.storage.claims import MEDIUM, Claim
from sealift_registry.storage.database import Database
from sealift_signing.errors import FailedError

PATIENCE = 10.0
"""Seconds that an export waits for another one that writes to the same medium."""
_BEGINNING = "a process that has just begun"
"""Who holds a lock that says nothing yet."""


class Holding:
    """What an export holds: its medium, and the transfers that it took."""

    def __init__(self, database: Database, stack: ExitStack) -> None:
        self._database = database
        self._stack = stack
        self._claims: dict[str, Claim] = {}

    def take(self, transfer_id: str) -> bool:
        """Take a transfer's lock until the export ends; whether nobody else holds it.

        Raises:
            FailedError: the lock could not be made.
        """
        return self.hold(transfer_id, f"for {transfer_id}")

    def hold(self, name: str, words: str, patience: float = 0.0) -> bool:
        """Take the claim `name`, or have it already; whether nobody else holds it.

        Raises:
            FailedError: the lock could not be made.
        """
        if name not in self._claims:
            claim = self._database.claim(name, words, patience)
            if claim is None:
                return False
            self._claims[name] = claim
            self._stack.callback(claim.let_go)
        return True

    def was_kept(self) -> bool:
        """Whether all of it was held all the while; it is held now.

        Raises:
            FailedError: something was lost, and another has it.
        """
        return all([claim.was_kept() for claim in self._claims.values()])  # noqa: C419 - each is to be asked


@contextmanager
def medium(
    database: Database, identity: tuple[int, int], where: Path, words: str
) -> Iterator[Holding]:
    """Be the only export that writes to the medium of this identity; wait for another a little.

    Raises:
        FailedError: another export still writes to it; which, is said.
    """
    name = f"{MEDIUM}{identity[0]:x}-{identity[1]:x}"
    if database.is_shared:  # elsewhere another medium may have that identity
        name = f"{name}-{host.kernel()}"
    with ExitStack() as stack:
        holding = Holding(database, stack)
        if not holding.hold(name, words, PATIENCE):
            raise FailedError(
                "medium-busy",
                f"Another export is writing to {where}: {database.holder(name) or _BEGINNING}.",
                subject=str(where),
                next_step="Wait until it is done, and run the command again.",
            )
        yield holding
