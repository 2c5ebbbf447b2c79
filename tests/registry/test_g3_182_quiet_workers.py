"""Whom a worker speaks to: its database and its store, and nobody else; it listens to nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_registry.jobs import records
from tests.registry.hub_fixture import Acme
from tests.registry.killed_worker import FOLDER, HELD
from tests.registry.real_workers import Hosts, at_home, until
from tests.registry.test_g3_26_engine_alone import CLOUD, listening
from tests.registry.test_g3_127_killed_jobs import ask as ask_at_home
from tests.registry.test_g3_127_killed_jobs import keeps_no_secret as keeps_none_at_home
from tests.registry.test_g3_170_killed_hosts import ask, hosts, keeps_no_secret
from tests.registry.test_g3_176_upgrades import KINDS
from tests.servers.seaweed import seaweed

__all__ = ["hosts"]

pytestmark = pytest.mark.socket
CALLS = ["strace", "--follow-forks", "--quiet=all", "--trace=connect,bind,listen,sendto"]


def addresses(trace: Path) -> Iterator[str]:
    """Each address that was connected to, and whatever was listened at.

    The C library asks who a user is, and urllib3 whether there is IPv6, by a socket of loopback at
    which nobody listens.
    """
    for line in trace.read_text("utf-8", "replace").splitlines():
        found = re.search(r"\b(connect|bind|listen|sendto)\((.*)", line)
        if found is None or "AF_NETLINK" in line or "/var/run/nscd/socket" in line:
            continue
        asks = found[1] == "bind" and "htons(0)" in line and '"::1"' in line
        sends = found[1] == "sendto" and "sa_family" not in line
        if not asks and not sends:
            yield f"{found[1]} {found[2]}"


def whereto(said: str) -> str:
    """The address of a call, as far as it is of interest."""
    if "AF_UNIX" in said:
        return str(re.findall(r'sun_path=@?"([^"]*)"', said)[0])
    port, host = (
        re.findall(r"sin6?_port=htons\((\d+)\)", said),
        re.findall(r'"([0-9a-f.:]+)"', said),
    )
    return f"{host[0]}:{port[0]}" if port and host else said


def all_done(acme: Acme) -> None:
    with acme.app.hub.reading() as connection:
        for number, _ in enumerate(KINDS, 1):
            end = records.end(connection, number)
            assert end is not None
            assert end.outcome == "done", end.problem


def test_g3_182_a_hub_in_its_home_has_all_its_jobs_done_without_a_network(ready: Acme) -> None:
    for kind in KINDS:
        ask_at_home(ready, kind)
    ready.close()
    one = at_home(ready, "--once", before=("unshare", "-rn"), **CLOUD)
    assert one.ended() == 0, one.text()
    all_done(ready)
    keeps_none_at_home(ready)


@pytest.mark.system
def test_g3_183_at_home_nothing_is_connected_to(ready: Acme) -> None:
    for kind in KINDS:
        ask_at_home(ready, kind)
    ready.close()
    trace = ready.folder / "trace"
    one = at_home(ready, "--once", before=(*CALLS, f"--output={trace}"), **CLOUD)
    assert one.ended() == 0, one.text()
    all_done(ready)
    assert list(addresses(trace)) == []


@pytest.mark.system
def test_g3_183_on_servers_its_database_and_its_store_are(hosts: Hosts) -> None:
    for kind in KINDS:
        ask(hosts.one, kind)
    trace = hosts.one.folder / "trace"
    words = (*CALLS, f"--output={trace}")
    one = hosts.begin(hosts.one, "--once", before=words, **CLOUD)
    assert one.ended() == 0, one.text()
    all_done(hosts.one)
    folder, port = hosts.database.server.address
    known = {f"{folder}/.s.PGSQL.{port}", seaweed().endpoint.removeprefix("http://")}
    said = list(addresses(trace))
    assert {whereto(one) for one in said if one.startswith("connect")} == known
    assert [one for one in said if not one.startswith("connect")] == []


def test_g3_182_whoever_works_listens_to_nobody(hosts: Hosts) -> None:
    folder = hosts.one.folder / "held-here"
    folder.mkdir()
    ask(hosts.one, "export")
    worker = hosts.begin(hosts.one, **{HELD: "write made", FOLDER: str(folder)}, **CLOUD)
    until((folder / "held").exists)
    at = seaweed().endpoint.rpartition(":")[2]
    for pid in (worker.process.pid, int((folder / "held").read_text())):
        for line in listening(pid):
            there = line.split()[2]
            assert int(there.rpartition(":")[2], 16) == int(at), line
    (folder / "go").touch()
    worker.hears("done, after")
    keeps_no_secret(hosts)
