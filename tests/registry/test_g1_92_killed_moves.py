"""A move that is killed at each of its steps: the hub is in one place, and run again it ends."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sealift_registry.app import App, open_app
from sealift_registry.audit.edge import Edge
from sealift_registry.audit.moved import MovedHubError
from sealift_registry.moving import checks
from sealift_registry.storage.database import Database as HubDatabase
from sealift_registry.storage.postgresql import PostgresDatabase
from sealift_registry.storage.sqlite import SqliteDatabase
from sealift_registry.trust import readiness, whereabouts
from sealift_signing import events
from tests.registry.hub_fixture import Acme, copied
from tests.registry.moving_hubs import (
    blobs,
    bodies,
    copies,
    moved_to,
    new_database,
    opened,
    root_of,
    rows,
    url_of,
)
from tests.servers.postgres import Database

pytestmark = pytest.mark.embedded(
    "it begins in the home, and is moved to servers by the test itself"
)

MOVED_AT = "ended"
"""From this step on the hub is at the new place."""
THERE = [
    *("alone", "rows-written", "rows-committed", "end-written", "ended"),
    *("left-known", "arrived", "logged", "settings"),
]
BACK = [*THERE[:3], "in-place", *THERE[3:]]


class Killer:
    """Ends this process, as kill -9 does, at a step; or when rows of a table were copied."""

    def __init__(self, name: str) -> None:
        self._name = name

    def tell(self, _level: str, logger: str, _event: str, fields: Mapping[str, Any]) -> None:
        if logger == "migrate" and self._name in (fields.get("name"), fields.get("table")):
            os.kill(os.getpid(), signal.SIGKILL)

    def reopen(self) -> str:
        return ""

    def close(self) -> None:
        """Nobody is told anything."""


def killed(name: str, act: Callable[[], object]) -> bool:
    """Whether `act`, in a process of its own, was killed at the step `name`."""
    child = os.fork()
    if not child:
        code = 1
        try:
            events.hear(Killer(name))
            act()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) == signal.SIGKILL
    assert os.WEXITSTATUS(status) == 0
    return False


def signs(root: Path) -> bool:
    """Whether the hub at `root` would sign, as its settings are now."""

    def ready(app: App) -> bool:
        return not [one for one in readiness.problems(app.hub) if isinstance(one, MovedHubError)]

    return bool(opened(root, ready))


def takes_entries(place: str) -> bool:
    """Whether a database would take an entry of the hub's, whoever opens it."""
    if not place.startswith("postgresql://") and not Path(place).exists():
        return False
    with closing(database_at(place)) as database, database.reading() as connection:
        return checks.edge(connection).size > 0 and whereabouts.refusal(connection) is None


def database_at(place: str) -> HubDatabase:
    if place.startswith("postgresql://"):
        return PostgresDatabase(place)
    return SqliteDatabase(Path(place), Path(place).with_name("sealift.lock"))


def edge(root: Path) -> Edge:
    """The end of the log of the hub at `root`."""

    def found(app: App) -> Edge:
        with app.hub.reading() as connection:
            return checks.edge(connection)

    edge: Edge = opened(root, found)
    return edge


def whole(hub: Acme) -> dict[str, object]:
    """What must be the same before and after."""
    found: dict[str, object] = {
        "bodies": bodies(hub.app),
        "copies": copies(hub.root),
        "blobs": blobs(hub.app),
        "rows": {name: one for name, one in rows(hub.app).items() if not name.startswith("log_")},
    }
    hub.close()
    return found


@pytest.mark.parametrize("step", [*THERE, "log_entry", "tuf_metadata", "statement"])
def test_there(hub: Acme, step: str) -> None:
    hub.close()
    goes_on(hub, step, url_of(new_database()))


@pytest.fixture(scope="module")
def away(stocked: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Database]:
    """A hub whose rows are on PostgreSQL; a test gets a copy of both."""
    folder, database = tmp_path_factory.mktemp("away"), new_database()
    made = copied(stocked, folder)
    moved_to(made.app, url_of(database))
    made.close()
    return folder, database


@pytest.mark.parametrize("step", [*BACK, "log_entry"])
def test_back(away: tuple[Path, Database], tmp_path: Path, step: str) -> None:
    folder, database = away
    shutil.copytree(folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    settings = tmp_path / "hub/settings.toml"
    there = database.copy()
    settings.write_text(settings.read_text().replace(url_of(database), url_of(there)))
    goes_on(Acme(tmp_path), step, "home")


def goes_on(hub: Acme, step: str, to: str) -> None:
    """A move is killed at a step: what is there then, and what comes of it."""

    def act() -> None:
        moved_to(open_app(hub.root, {}), to)

    old = opened(hub.root, lambda app: app.hub.database.place)
    new = str((hub.root / "sealift.db").absolute()) if to == "home" else to
    before, ended = whole(hub), edge(hub.root)
    assert killed(step, act), f"it never came to {step}"
    is_there = step in THERE[THERE.index(MOVED_AT) :]
    assert takes_entries(old) is not is_there
    assert takes_entries(new) is (step in THERE[THERE.index("arrived") :])
    assert signs(hub.root) is (not is_there or step == "settings")
    done = opened(hub.root, lambda app: moved_to(app, to))
    assert (done.again or done.already) is is_there
    assert done.already is (step == "settings")
    assert not killed("never", act)  # once more changes nothing
    assert signs(hub.root)
    assert not takes_entries(old)
    assert whole(hub) == before
    assert opened(hub.root, lambda app: root_of(app, ended.size)) == ended.root.hex()
    assert (
        edge(hub.root).size == ended.size + 2
    )  # one entry says that it left, and one that it was moved
