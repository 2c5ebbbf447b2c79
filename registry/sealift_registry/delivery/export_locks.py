"""Who is exporting what: one export a medium, one process a transfer.

Both are claims (`storage.claims`), which tell whoever waits what is done by which process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sealift_registry.storage import host
from sealift_registry.storage.claims import MEDIUM, PAUSE, Claim
from sealift_registry.storage.database import Database
from sealift_signing.errors import FailedError

PATIENCE = 10.0
"""Seconds that an export waits for another one that writes to the same medium."""
Newest = Callable[[], str]
"""Says which transfer is next."""
_BEGINNING = "a process that has just begun"
"""Who holds a lock that says nothing yet."""


class OvertakenError(Exception):
    """Another transfer is next by now than the one whose lock is held."""


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
            self._stack.callback(self.let_go, name)
        return True

    def take_next(self, newest: Newest) -> str:
        """Take the lock of the transfer that is next, as `newest` says whenever it is asked.

        Whoever has that lock is about to begin that transfer, and another one is next then.

        Raises:
            FailedError: the lock could not be made; or somebody has it who begins nothing.
        """
        until = time.monotonic() + PATIENCE
        while not self.take(made := newest()):
            if time.monotonic() >= until:
                raise FailedError(
                    "transfer-busy",
                    f"Another export has {made}, which is next, and does not begin it: "
                    f"{self._database.holder(made) or _BEGINNING}.",
                    subject=made,
                    next_step="Wait until it is done, or look for a sealift process that hangs.",
                )
            time.sleep(PAUSE)
        return made

    def let_go(self, name: str) -> None:
        """Let others have one of them before the export ends."""
        claim = self._claims.pop(name, None)
        if claim is not None:
            claim.let_go()

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
