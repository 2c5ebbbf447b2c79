"""A database that goes away under a server's load, and comes back."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from sealift_registry.storage.home import DatabaseSettings, Settings
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.trust import founding
from tests.registry.desks_of_server import API
from tests.registry.hub_fixture import Acme
from tests.registry.served_hub import serving
from tests.registry.test_hub_cli import Capsys
from tests.registry.writers_of_server import (
    WRITERS,
    check_all_is_there,
    check_log,
    writers_of,
    writing,
)
from tests.servers.postgres import set_up, starting

pytestmark = pytest.mark.socket


def test_g2_205_a_database_that_is_away_is_said_and_nothing_is_restarted(
    tmp_path: Path, capsys: Capsys
) -> None:
    with starting(fsync=True) as postgres:
        database = postgres.fresh()
        set_up(database)
        acme = Acme(tmp_path)
        stores = Settings(database=DatabaseSettings(database.url(Roles().application)))
        founding.found_solo(acme.root, "Acme", "dora", {}, stores).close()
        writers = writers_of(acme)
        acme.close()
        with (
            serving(acme.root) as server,
            httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client,
            writing(server.url, writers),
        ):
            time.sleep(1)
            postgres.kill()
            away = client.get("/health/ready")
            assert (away.status_code, away.json()["ready"]) == (503, False)
            assert client.get("/health/live").status_code == 200
            read = client.get(f"{API}/jobs", headers=writers[0].headers)
            assert read.status_code == 503
            assert read.json()["code"].startswith("database-")
            assert read.json()["next"]
            before = sum(len(one.cancelled) for one in writers)
            postgres.start()
            until = time.monotonic() + 60
            while client.get("/health/ready").status_code != 200:
                assert time.monotonic() < until
                time.sleep(0.1)
            while sum(len(one.cancelled) for one in writers) < before + WRITERS:
                assert time.monotonic() < until, [one.odd for one in writers]
                time.sleep(0.1)
        check_all_is_there(acme, writers)
        check_log(acme, capsys)
        acme.close()
