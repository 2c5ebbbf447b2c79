"""A server that is killed, cut off or full under load: what it acknowledged is so, nothing half.

Each write is named by its Idempotency-Key; who got no answer asks again by the same one, as clients
do.
"""

from __future__ import annotations

import signal
import sqlite3
import time
import uuid
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from sealift_registry.access.calling import Grant
from sealift_registry.access.gatekeeper import Gatekeeper
from sealift_signing.acts.material import Ask
from tests.registry.accounts_fixture import signed_in
from tests.registry.desks_of_server import Desk, bound
from tests.registry.hub_fixture import APPROVERS, MODEL, REQUESTER, Acme
from tests.registry.served_hub import served as served_here
from tests.registry.served_hub import serving
from tests.registry.test_g3_80_jobs_seen import asked
from tests.registry.test_hub_cli import Capsys
from tests.registry.writers_of_server import (
    check_all_is_there,
    check_log,
    writers_of,
    writing,
)

pytestmark = pytest.mark.socket
ROUNDS = 3
WORDS = {"meaning": ("validated",), "reason": ("It was tested.",)}


def test_g2_204_killed_under_load_it_loses_nothing_that_it_acknowledged(
    hub: Acme, capsys: Capsys
) -> None:
    """Sixteen write, and a promotion is asked for and approved meanwhile."""
    writers = writers_of(hub)
    deciding = Deciding(hub)
    hub.close()
    for number in range(ROUNDS):
        with serving(hub.root) as server, writing(server.url, writers):
            time.sleep(0.7 + 0.3 * number)
            deciding.goes_on(server.url)
            server.process.kill()
            server.process.wait()
    with serving(hub.root) as server:
        for _ in range(10):
            deciding.goes_on(server.url)
    assert deciding.is_done
    check_all_is_there(hub, writers)
    check_log(hub, capsys)
    assert hub.standing(1).listed
    types = hub.types()
    assert (types.count("promotion.requested"), types.count("promotion.approved")) == (1, 2)


class Deciding:
    """A promotion, from its request to its second approval, a step each time."""

    def __init__(self, acme: Acme) -> None:
        self._acme = acme
        self._people = (REQUESTER, *APPROVERS)
        self._secrets = {one: bound(acme, one) for one in self._people}
        request = Ask("request", (f"{MODEL}/1", "production"), {"reason": ("It is better.",)})
        approval = Ask("approve", ("P-000001",), WORDS)
        self._asks = [request, approval, approval]
        self._signed: bytes = b""
        self._key = ""
        self._step = 0

    @property
    def is_done(self) -> bool:
        return self._step == len(self._asks)

    def goes_on(self, url: str) -> None:
        """The next step, or the one that was not answered, by the same name."""
        if self.is_done:
            return
        person = self._people[self._step]
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            desk = Desk(client, self._acme, person, self._secrets[person])  # type: ignore[arg-type]  # as good
            self._signed = self._signed or desk.signed(self._asks[self._step])
            self._key = self._key or str(uuid.uuid4())
            answer = desk.hands_in(self._signed, self._key)
        assert answer.status_code == 200, answer.text
        self._step, self._signed, self._key = self._step + 1, b"", ""


def test_g2_204_told_to_end_under_load_it_ends_what_runs(acme: Acme, capsys: Capsys) -> None:
    writers = writers_of(acme)
    acme.close()
    with serving(acme.root) as server, writing(server.url, writers):
        time.sleep(1)
        code, _, err = server.ends(signal.SIGTERM)
    assert code == 0, err
    check_all_is_there(acme, writers)
    check_log(acme, capsys)


@pytest.mark.embedded("it limits SQLite's pages")
def test_g2_206_a_full_disk_is_507_and_changes_nothing(acme: Acme) -> None:
    """Reading goes on; and once there is room, so does writing."""
    hub = acme.app.hub
    keeper, secret = Gatekeeper(hub), signed_in(acme, "omar", Grant("operator")).secret
    jobs = [asked(hub).id for _ in range(3)]
    full = True

    def small(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's
        if isinstance(connection, sqlite3.Connection):
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages if full else 1 << 30}")

    event.listen(hub.engine, "checkout", lambda one, record, _proxy: small(one, record))
    with served_here(acme, keeper) as client:
        desk = Desk(client, acme, "omar", secret)
        size, told = len(acme.types()), list[int]()
        answer = desk.post(f"/jobs/{jobs[0]}/cancel")
        while answer.status_code == 200 and len(told) < 200:
            told.append(200)
            jobs[0] = answer.json()["job"]
            answer = desk.post(f"/jobs/{jobs[0]}/{'cancel' if len(told) % 2 == 0 else 'retry'}")
        assert answer.status_code == 507, answer.text
        done = len(acme.types())
        assert done - size == len(told)
        assert desk.get(f"/jobs/{jobs[0]}").status_code == 200
        full = False
        last = desk.post(f"/jobs/{jobs[1]}/cancel")
        assert last.status_code == 200, last.text
    assert len(acme.types()) == done + 1
