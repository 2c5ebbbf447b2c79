"""Exports whose locks are lost while they write: nothing is recorded as if they were held.

And what several processes of two hosts write at once: dense numbers, and each sees the others'.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealift_registry.audit.reading import LogReader
from sealift_registry.delivery import finishing, transfers
from sealift_registry.delivery.sites import Sites
from sealift_registry.storage import postgres_claims
from sealift_registry.trust.repository import Repository
from sealift_signing.errors import SealiftError
from sealift_signing.transparency.checkpoint import hub_origin
from sealift_sync.bundle import partial, writer
from tests.registry.hub_fixture import SITE, Loose
from tests.registry.test_delivery import made
from tests.registry.two_hosts import Host, TwoHosts, hosts, moved, on_postgresql
from tests.servers.postgres import Database, starting
from tests.site_on_paper import SiteOnPaper

__all__ = ["hosts", "on_postgresql"]

REPOSITORY = Path(__file__).parents[2]
BEGUN, NEXT = "plant-7-000001", "plant-7-000002"
ENDED = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%for %'"
)


def before_recording(monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> list[int]:
    """Have `then` happen once, when all is read back; how often anything was read back."""
    genuine, count = writer._read_back, [0]

    def read_back(*arguments: Loose) -> None:
        genuine(*arguments)
        count[0] += 1
        if count[0] == 1:
            then()

    monkeypatch.setattr(writer, "_read_back", read_back)
    return count


def test_g1_88_after_its_locks_were_lost_all_is_read_back_once_more(
    hosts: TwoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = before_recording(monkeypatch, lambda: hosts.database.run(ENDED))
    made_now = hosts.one.export()
    assert count == [3], "what is on the medium, that once more, and transfer.json"
    plant = SiteOnPaper(hosts.one.folder / "site", datetime.now(UTC))
    assert plant.take(made_now.folder).receipt.artifacts[0].outcome == "installed"


def test_g1_88_what_another_changed_meanwhile_is_not_recorded(
    hosts: TwoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose() -> None:
        hosts.database.run(ENDED)
        partial.remove(partial.folder(hosts.one.medium, BEGUN))

    with monkeypatch.context() as patched:
        before_recording(patched, lose)
        with pytest.raises(SealiftError) as told:
            hosts.one.export()
    assert told.value.code == "medium-touched"
    assert "transfer.exported" not in hosts.one.types()
    assert hosts.one.export().transfer == BEGUN


def test_g1_88_whoever_has_its_lock_by_now_is_not_overtaken(
    hosts: TwoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_claims, "BACK_WITHIN", 0.3)
    taken = []

    def lose() -> None:
        hosts.database.run(ENDED)
        taken.append(hosts.two.app.hub.database.claim(BEGUN, "for somebody else", patience=5))

    before_recording(monkeypatch, lose)
    with pytest.raises(SealiftError) as told:
        hosts.one.export()
    assert told.value.code == "claim-lost"
    assert taken[0] is not None
    taken[0].let_go()
    assert "transfer.exported" not in hosts.one.types()


def test_g1_88_what_is_recorded_is_recorded_once_without_any_lock(hosts: TwoHosts) -> None:
    """The transaction itself asks: whoever believes that they hold the lock is told otherwise."""
    hosts.one.export()
    with hosts.one.app.hub.reading() as connection:
        site = Sites(connection).get(SITE)
        body = transfers.recorded(connection, BEGUN)
    assert body is not None
    with pytest.raises(SealiftError) as told:
        finishing.record_bundle(hosts.two.app.hub, site, body, hosts.one.medium, at_hub=True)
    assert told.value.code == "transfer-recorded"
    assert hosts.one.types().count("transfer.exported") == 1


def test_g1_88_the_server_is_killed_while_an_export_writes(
    on_postgresql: tuple[Path, Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is back by the time that the bundle is to be recorded: the export goes on by itself."""
    with starting(fsync=True) as server:
        hub = moved(on_postgresql, server, tmp_path / "acme")

        def kill() -> None:
            server.kill()
            server.start()

        count = before_recording(monkeypatch, kill)
        made_now = hub.one.export()
        assert made_now.transfer == BEGUN
        assert count == [3]
        assert hub.one.types()[-2:] == ["transfer.begun", "transfer.exported"]
        hub.close()


# -------------------------------------------------------------------- several processes

WORKING = """
import json, sys
from pathlib import Path
from tests.registry.two_hosts import Host
folder, home, first, key = sys.argv[1:5]
host = Host(Path(folder), home=home, name=home)
said = {"versions": [], "promotions": [], "transfers": []}
for turn in range(2):
    seed = int(first) + turn
    host.ingest(seed, host.goldens())
    said["promotions"].append(host.asked(1, reason=f"It is better, by {seed}."))
    said["transfers"].append(host.export_here(Path(key), anew=True))
print(json.dumps(said))
host.close()
"""


def test_g1_89_two_hosts_at_once(hosts: TwoHosts) -> None:
    folder = hosts.one.folder
    media = [made(folder / f"medium-{n}") for n in range(4)]
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                WORKING,
                str(folder),
                home,
                str(10 * (n + 1)),
                str(media[n]),
            ],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
        )
        for n, home in enumerate(("hub", "hub-2", "hub", "hub-2"))
    ]
    said = [json.loads(one.communicate(timeout=300)[0]) for one in running]
    assert [one.returncode for one in running] == [0] * 4
    begun = sorted(name for one in said for name in one["transfers"])
    assert begun == [f"{SITE}-{number:06}" for number in range(1, 9)]
    promotions = sorted(number for one in said for number in one["promotions"])
    assert promotions == list(range(2, 10)), "the first was there"
    for host in hosts.both:
        assert seen(host) == (9, 9, 8)
    hub = hosts.two.app.hub
    with hub.reading() as connection:
        origin = hub_origin(Repository(connection).organisation())
    assert LogReader(hub.database).fsck(hub.online.public("log"), origin).findings == ()


def seen(host: Host) -> tuple[int, ...]:
    """The versions, promotions and transfers that a host sees."""
    with host.app.hub.reading() as connection:
        return tuple(
            int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608 - our own names
            for table in ("model_version", "promotion", "transfer")
        )
