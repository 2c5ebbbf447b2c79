"""Hosts that are suspended, and hosts whose clock is wrong: no job is done twice, none is lost."""

from __future__ import annotations

import os
import signal
import time

import pytest

from sealift_registry.jobs import records
from sealift_registry.jobs.job import Job
from sealift_registry.kinds import ConvertArguments, convert_wanted
from sealift_registry.storage.host import Host, this_host
from tests.registry.hub_fixture import MODEL, TARGET, Acme
from tests.registry.killed_worker import CLOCK, FOLDER, HELD, LEASE
from tests.registry.real_workers import ONE, TWO, AtWork, Hosts, at_home, until
from tests.registry.test_g3_40_workers import is_there
from tests.registry.test_g3_127_killed_jobs import ONCE
from tests.registry.test_g3_127_killed_jobs import ask as ask_at_home
from tests.registry.test_g3_170_killed_hosts import ask, ended_once, hosts
from tests.registry.test_hub_cli import Capsys, Cli

__all__ = ["hosts"]

pytestmark = pytest.mark.socket
HOUR, DAYS = 3600, 3 * 24 * 3600
SHORT = 10
"""Seconds of a lease that a test can wait for; a worker says that it lives every three."""


class Held:
    """A worker that is held at a point of its job: of a hub in its home, or of the first host."""

    def __init__(self, hosts: Hosts | Acme, point: str, **environment: str) -> None:
        acme = hosts if isinstance(hosts, Acme) else hosts.one
        self.folder = acme.folder / "held-here"
        self.folder.mkdir()
        told = {HELD: point, FOLDER: str(self.folder), **environment}
        if isinstance(hosts, Acme):
            self.worker: AtWork = at_home(acme, **told)
        else:
            self.worker = hosts.begin(acme, **told)
        until((self.folder / "held").exists)

    @property
    def job(self) -> int:
        """The process that is held."""
        return int((self.folder / "held").read_text())

    def signal(self, number: signal.Signals, how: int, *others: int) -> None:
        """Stop the worker, and other processes, or let them go on; it has, once this returns."""
        for pid in dict.fromkeys((self.worker.process.pid, *others)):
            os.kill(pid, number)
        os.waitid(os.P_PID, self.worker.process.pid, how)

    def suspend(self) -> None:
        """The host stands still."""
        self.signal(signal.SIGSTOP, os.WSTOPPED, self.job)

    def go_on(self) -> None:
        (self.folder / "go").touch()
        self.signal(signal.SIGCONT, os.WCONTINUED, self.job)

    def end(self) -> None:
        self.worker.process.send_signal(signal.SIGTERM)
        assert self.worker.ended() == 0


@pytest.mark.parametrize(
    "point, really",
    [
        ("build made", False),
        pytest.param("build made", True, marks=pytest.mark.long),
        pytest.param("build asked", False, marks=pytest.mark.long),
        pytest.param("job ending", False, marks=pytest.mark.long),
    ],
)
def test_g3_172_a_host_that_was_suspended_past_its_lease_is_refused_and_told(
    hosts: Hosts, point: str, *, really: bool
) -> None:
    job = ask(hosts.one, "convert")
    before = hosts.one.types().count(ONCE["convert"])
    lease = {LEASE: str(SHORT)} if really else {}
    held = Held(hosts, point, **lease)
    held.suspend()
    if really:
        time.sleep(SHORT + 1)
    else:
        hosts.passes()
    code, said = hosts.work(hosts.two, **lease)
    assert code == 0, said
    ended_once(hosts, "convert", job, before)
    ended = hosts.end(job)
    held.go_on()
    words = "stopped: it was cancelled, or has ended elsewhere"
    if point != "job ending":
        words = f"{job.id} refused"
    text = held.worker.hears(words)
    if point != "job ending":
        assert f"Attempt 1 of {job.id} may record nothing any more: attempt 2, on {TWO}" in text
        assert f"sealift job show {job.id}" in text
    held.end()
    assert f"{job.id} done" not in held.worker.text()
    assert hosts.attempts(job) == [ONE, TWO]
    assert hosts.end(job) == ended
    ended_once(hosts, "convert", job, before)


@pytest.mark.parametrize(
    "point", ["build made", pytest.param("job ending", marks=pytest.mark.long)]
)
def test_g3_172_in_a_home_a_job_waits_for_its_stopped_process(
    ready: Acme, point: str, capsys: Capsys
) -> None:
    job = ask_at_home(ready, "convert")
    before = ready.types().count(ONCE["convert"])
    held = Held(ready, point)
    held.suspend()
    other = at_home(ready, "--once")
    assert other.ended() == 0, other.text()
    shown = Cli(ready, capsys).says("job", "show", job.id)
    assert "was stopped and does not answer." in shown
    assert "Let that process go on (kill -CONT), or end it" in shown
    held.go_on()
    held.worker.hears(f"{job.id} done")
    held.end()
    with ready.app.hub.reading() as connection:
        end = records.end(connection, job.number)
    assert end is not None
    assert (end.outcome, end.attempt) == ("done", 1)
    assert ready.types().count(ONCE["convert"]) == before + 1


@pytest.mark.long
def test_g3_173_a_host_that_comes_back_while_another_is_at_it_is_refused(hosts: Hosts) -> None:
    job = ask(hosts.one, "convert")
    before = hosts.one.types().count(ONCE["convert"])
    held = Held(hosts, "job ending")
    held.suspend()
    hosts.passes()
    records.begin(hosts.two.app.hub, job.number, "w", Host(this_host(hosts.two.root).id, "there"))
    held.go_on()
    text = held.worker.hears(f"{job.id} refused")
    assert f"Attempt 1 of {job.id} may record nothing any more: attempt 2, on there" in text
    held.end()
    code, said = hosts.work(hosts.two)  # unless the first has taken it anew before it ended
    assert code == 0, said
    end = hosts.end(job)
    assert end is not None
    assert (end.outcome, end.attempt) == ("done", 3)
    assert hosts.one.types().count(ONCE["convert"]) == before + 1


def test_g3_173_a_process_whose_worker_alone_was_stopped_records_nothing(hosts: Hosts) -> None:
    """It is about to take its variant in, and asks nobody but the hub whether it may."""
    job = ask(hosts.one, "convert")
    before = hosts.one.types().count(ONCE["convert"])
    held = Held(hosts, "build recorded")
    held.signal(signal.SIGSTOP, os.WSTOPPED)
    hosts.passes()
    code, said = hosts.work(hosts.two)
    assert code == 0, said
    types, ended = hosts.one.types(), hosts.end(job)
    (held.folder / "go").touch()
    until(lambda: not is_there(held.job))
    assert hosts.one.types() == types, "it was recorded twice"
    held.signal(signal.SIGCONT, os.WCONTINUED)
    held.worker.hears(f"{job.id} stopped: it was cancelled, or has ended elsewhere")
    held.end()
    assert hosts.end(job) == ended
    ended_once(hosts, "convert", job, before)


@pytest.mark.parametrize("clock", [HOUR, pytest.param(-HOUR, marks=pytest.mark.long)])
def test_g3_174_a_clock_that_is_an_hour_off_strands_nothing(
    hosts: Hosts, clock: int, capsys: Capsys
) -> None:
    job = ask(hosts.one, "convert")
    before = hosts.one.types().count(ONCE["convert"])
    held = Held(hosts, "build made")
    other = again(hosts)
    code, said = hosts.work(hosts.two, **{CLOCK: str(clock)})
    assert code == 0, said
    assert hosts.attempts(other) == [TWO]
    assert hosts.attempts(job) == [ONE], "it was taken from one that lives"
    held.worker.process.kill()
    held.worker.ended()
    hosts.passes()
    code, said = hosts.work(hosts.two, **{CLOCK: str(clock)})
    assert code == 0, said
    end = hosts.end(job)
    assert end is not None
    assert (end.outcome, end.attempt, hosts.attempts(job)) == ("done", 2, [ONE, TWO])
    assert hosts.one.types().count(ONCE["convert"]) == before + 1
    assert "The log is whole" in Cli(hosts.one, capsys).says("audit", "fsck")


def test_g3_175_a_clock_that_the_hub_does_not_believe_fails_no_job(hosts: Hosts) -> None:
    job = ask(hosts.one, "convert")
    code, said = hosts.work(hosts.two, **{CLOCK: str(-DAYS)})
    assert code == 0, said
    assert f"{job.id} put off" in said
    assert "The clock of this machine says" in said
    assert (hosts.end(job), hosts.attempts(job)) == (None, [])
    code, said = hosts.work(hosts.one)
    assert code == 0, said
    end = hosts.end(job)
    assert end is not None
    assert (end.outcome, end.attempt) == ("done", 1)


def again(hosts: Hosts) -> Job:
    """Another job: a variant that is there already."""
    wanted = convert_wanted(hosts.one.app, ConvertArguments(f"{MODEL}/1", TARGET))
    return records.ask(hosts.one.app.hub, wanted, "dora")
