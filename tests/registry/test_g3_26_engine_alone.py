"""A worker speaks with its database and nobody else; commands do not load what it needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_registry.jobs import opening
from sealift_registry.jobs.opening import open_engine
from sealift_registry.storage.home import Home, Settings
from sealift_registry.storage.opening import database_of
from sealift_signing.errors import FailedError
from tests.registry.engines_of_jobs import Where, at_a_server, in_a_home, job

CLOUD = {
    "DBOS__CLOUD": "true",
    "DBOS__CONDUCTOR_APP_NAME": "sealift",
    "DBOS__CONDUCTOR_KEY": "key",
    "DBOS__CONDUCTOR_URL": "ws://127.0.0.1:9/",
    "DBOS_APP_NAME": "theirs",
    "DBOS_SYSTEM_DATABASE_URL": "sqlite:////nowhere/x.db",
    "DBOS__VMID": "one-for-all",
    "DBOS__APPVERSION": "theirs",
}


@pytest.fixture(params=["embedded", "shared"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Where]:
    made = in_a_home(tmp_path) if request.param == "embedded" else at_a_server()
    yield made
    made.end()


def listening(pid: int) -> list[str]:
    """The addresses at which a process listens, or speaks by TCP or UDP."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(file.readlink()).removeprefix("socket:[").removesuffix("]"))
        except FileNotFoundError:
            continue
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        lines = Path(f"/proc/{pid}/net/{table}").read_text("ascii").splitlines()[1:]
        found += [line for line in lines if line.split()[9] in inodes]
    return found


@pytest.mark.parametrize("environment", [{}, CLOUD], ids=["plain", "cloud"])
def test_g3_26_no_port_and_no_connection_out(where: Where, environment: dict[str, str]) -> None:
    """Its database is asked over a Unix socket here."""
    with where.engine() as engine:
        engine.enqueue(job(1))
        worker = where.worker(environment, holds="two")
        worker.hear("held key0001 two")
        assert listening(worker.process.pid) == []
        worker.tell("go")
        worker.hear("done key0001")
        assert listening(worker.process.pid) == []
        assert not [line for line in worker.heard() if line.startswith("net")]


def test_g3_26_nothing_is_said_to_a_terminal(where: Where) -> None:
    """Whatever DBOS has to say: that a server is away, that a row is odd."""
    code = (
        "import sys\n"
        "from sealift_registry.storage.host import Host\n"
        "from sealift_registry.jobs.dbos_engine import DbosEngine\n"
        "from tests.registry.engine_process import place_of\n"
        "from tests.registry.engines_of_jobs import job, until\n"
        "engine = DbosEngine(place_of(sys.argv[1], 30.0), Host('0' * 32, 'here'))\n"
        "engine.enqueue(job(1))\n"
        "engine.enqueue(job(1, host='1' * 32))\n"  # of which DBOS warns
        "def body(key, recorder):\n"
        "    raise ValueError('a word that is nobody else\\'s')\n"
        "engine.work(['hub'], 1, body)\n"
        "until(engine.states, {'key0001': 'over'})\n"
        "engine.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, where.place], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_g3_26_without_it_what_to_install_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dbos", None)
    home = Home(tmp_path, Settings())
    with pytest.raises(FailedError) as told:
        open_engine(home, database_of(home))
    assert told.value.code == "engine-missing"
    assert "sealift-registry[jobs]" in told.value.next_step


def test_g3_26_the_protocol_loads_none() -> None:
    """Nor do rows, and who only asks which engine there is."""
    code = (
        f"import sys\nimport {opening.__name__}, sealift_registry.jobs.engine\n"
        "import sealift_registry.jobs.records, sealift_registry.jobs.plain\n"
        "print([name for name in sys.modules if name.partition('.')[0] == 'dbos'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_g3_26_a_home_says_which_engine(tmp_path: Path) -> None:
    home = Home(tmp_path, Settings())
    engine = open_engine(home, database_of(home))
    try:
        engine.enqueue(job(1))
        assert engine.states() == {"key0001": "waiting"}
    finally:
        engine.close()
    assert (tmp_path / "jobs.db").is_file()
