"""A builder: a machine that runs the hub's work orders, and has neither a hub nor its database.

It needs this distribution, the keys that the fleet administrators entered for it, and a folder with
an order. What it answers is a folder, too; how both are carried is nobody's business here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from securesystemslib.signer import Signer

from sealift_registry.conversion.build_run import Machine, run
from sealift_registry.conversion.work_order import order_in
from sealift_registry.intake.scan_evidence import scan_folder
from sealift_registry.runtimes.environments import Environments
from sealift_registry.workers.channel import Progress


def _now() -> datetime:
    return datetime.now(UTC)


def machine(
    name: str,
    signers: Mapping[str, Signer],
    environment: Mapping[str, str],
    clock: Callable[[], datetime] = _now,
) -> Machine:
    """This machine.

    Args:
        name: of its builder's key in fleet/keys.json.
        signers: its keys by their purposes there: `builder` and `scanner`.
        environment: of this process, which says where other releases of runtimes are.
        clock: its time.
    """
    return Machine(name, signers, clock, scan_folder, lambda: Environments.located(environment))


def build(
    order: Path,
    result: Path,
    machine: Machine,
    progress: Progress = lambda _subject, _done, _total: None,
) -> None:
    """Run the order in the folder `order`; the signed result goes to the empty folder `result`.

    Raises:
        MalformedError: there is no order that this software understands.
        RefusedError: it is of another release of Sealift, or a blob is damaged.
        FailedError: something could not be read, written or started.
    """
    known, blobs = order_in(order)
    run(known, blobs, result, machine, progress)
