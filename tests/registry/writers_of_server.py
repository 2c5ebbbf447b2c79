"""Sixteen who write to a server for ever, by named requests; and what must be so afterwards."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from sealift_registry.access.calling import Grant
from sealift_registry.changing_jobs import look
from tests.registry.accounts_fixture import signed_in
from tests.registry.desks_of_server import API
from tests.registry.hub_fixture import Acme
from tests.registry.test_g2_190_writing import entries
from tests.registry.test_g3_80_jobs_seen import asked
from tests.registry.test_hub_cli import Capsys, Cli

WRITERS = 16


@dataclass
class Writer:
    """Takes a job back and asks for it again, for ever; remembers what it was told.

    Attributes:
        job: the job that waits, by what it was told last.
        cancelled: jobs that it was told were taken back.
        made: jobs that it was told were asked for again, by the one that each does again.
        odd: answers that it should not have had.
        key: the name of the request that it has no answer to yet.
    """

    headers: dict[str, str]
    job: str
    cancelled: list[str] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    key: str = ""

    def works(self, url: str, ends: threading.Event) -> None:
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            while not ends.is_set():
                try:
                    self._step(client)
                except httpx.TransportError:
                    time.sleep(0.02)

    def _step(self, client: httpx.Client) -> None:
        self.key = self.key or str(uuid.uuid4())
        what = "retry" if self.job in self.cancelled else "cancel"
        headers = {**self.headers, "idempotency-key": self.key}
        answer = client.post(f"{API}/jobs/{self.job}/{what}", headers=headers)
        if answer.status_code == 503:
            return  # it ends, or its database is away: the same again
        said = answer.json()
        if answer.status_code == 409 and said["code"] == "once-answer-lost":
            self.key = ""  # it was done: asked anew, it is told so
            return
        self.key = ""
        if answer.status_code != 200:
            self.odd.append(f"{what} {self.job}: {answer.text}")
        elif what == "cancel":
            self.cancelled.append(self.job)
        else:
            self.made[self.job], self.job = said["job"], said["job"]


@contextmanager
def writing(url: str, writers: list[Writer]) -> Iterator[None]:
    """All of them work, until the end of the block."""
    ends = threading.Event()
    threads = [threading.Thread(target=one.works, args=(url, ends)) for one in writers]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        ends.set()
        for one in threads:
            one.join()


def writers_of(acme: Acme) -> list[Writer]:
    secret = signed_in(acme, "omar", Grant("operator")).secret
    headers = {"authorization": f"Bearer {secret}"}
    return [Writer(headers, asked(acme.app.hub).id) for _ in range(WRITERS)]


def check_all_is_there(acme: Acme, writers: list[Writer]) -> None:
    """Whatever was acknowledged is so, and nothing was done twice."""
    again: dict[str, int] = {}
    for one in entries(acme):
        if one.type == "job.asked" and "retries" in one.data:
            again[str(one.data["retries"])] = again.get(str(one.data["retries"]), 0) + 1
    for writer in writers:
        assert writer.odd == []
        for job in writer.cancelled:
            end = look(acme.app.hub, job).end
            assert end is not None
            assert end.outcome == "cancelled"
        for before, made in writer.made.items():
            assert look(acme.app.hub, made).job.order.retries == int(before.removeprefix("J-"))
    assert set(again.values()) <= {1}, "what was asked again by the same key was done once"
    assert sum(len(one.cancelled) for one in writers) >= WRITERS, "there was load"


def check_log(acme: Acme, capsys: Capsys) -> None:
    cli = Cli(acme, capsys)
    for which in ("verify", "fsck"):
        code, out, err = cli("audit", which)
        assert code == 0, out + err
