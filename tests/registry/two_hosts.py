"""A hub on PostgreSQL with two homes, each of which stands for a host.

The second home has what its administrator copies there: `settings.toml` and `keys/`; and its blobs
are the first one's, as they are where both name one bucket.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pytest

from sealift_registry.storage import host, postgres_claims
from sealift_registry.storage.home import SETTINGS, DatabaseSettings, Settings
from sealift_registry.storage.postgres_roles import Roles
from sealift_registry.trust import founding
from sealift_signing.approvals import REQUEST, approve
from tests.registry.hub_fixture import (
    APPROVERS,
    REQUESTER,
    STEWARDS,
    TEAM,
    Acme,
    secrets,
)
from tests.servers.postgres import Database, PostgresServer, postgres
from tests.site_on_paper import SiteOnPaper

FIRST, SECOND = "plant-prep-1", "plant-prep-2"


@dataclass
class Host(Acme):
    """A host's home, in `folder`; the people's keys, the medium and the site are shared."""

    home: str = "hub"
    name: str = FIRST

    @property
    def root(self) -> Path:
        return self.folder / self.home

    @contextmanager
    def named(self) -> Iterator[None]:
        """As long as this lasts, the machine is called as this host is."""
        with pytest.MonkeyPatch.context() as patched:
            for module in (host, postgres_claims):
                patched.setattr(module, "this_name", lambda: self.name)
            yield

    def export_here(self, to: Path | None = None, *, anew: bool = False) -> str:
        """Export as this host; the transfer."""
        with self.named():
            made = self.app.exports.export(
                "plant-7",
                to or self.medium,
                self.dispatcher(),
                lambda *_: lambda _: None,
                anew=anew,
            )
        return made.transfer


@dataclass
class TwoHosts:
    """Both, and their database."""

    one: Host
    two: Host
    database: Database

    @cached_property
    def both(self) -> tuple[Host, Host]:
        return self.one, self.two

    def close(self) -> None:
        for each in self.both:
            each.close()


def settings_url(root: Path, before: str, after: str) -> None:
    path = root / SETTINGS
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def found(folder: Path, database: Database, stores: Settings | None = None) -> Host:
    """A hub on `database`, with a version that a site is to run; blobs where `stores` says."""
    acme = Host(folder)
    url = DatabaseSettings(database.url(Roles().application))
    stores = stores or replace(founding.EMBEDDED, database=url)
    founding.found(acme.root, "Acme", acme.folder / "offline", secrets(), {}, stores).close()
    for person in (*STEWARDS, *APPROVERS, REQUESTER):
        acme.new_key(person)
    acme.add_team(TEAM, {name: acme.public(name) for name in STEWARDS})
    acme.entitle(REQUESTER, REQUEST)
    for person in APPROVERS:
        acme.entitle(person, approve("staging"), approve("production"))
    acme.ingest(1, acme.goldens())
    acme.convert(1)
    acme.promoted()
    acme.enrol(SiteOnPaper(acme.folder / "site", datetime.now(UTC)))
    acme.assign()
    acme.close()
    return acme


def second_home(folder: Path) -> Host:
    """Another home of the hub in `folder`, as its administrator makes it on another host."""
    first, made = Host(folder), Host(folder, home="hub-2", name=SECOND)
    made.root.mkdir(mode=0o700)
    shutil.copy(first.root / SETTINGS, made.root)
    shutil.copytree(first.root / "keys", made.root / "keys")
    (made.root / "metadata").mkdir(mode=0o700)
    (made.root / "blobs").symlink_to(first.root / "blobs")
    return made


@pytest.fixture(scope="session")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Database]:
    """The template: a closed hub, and its database."""
    folder, database = tmp_path_factory.mktemp("on-postgresql"), postgres().migrated()
    found(folder, database)
    return folder, database


@pytest.fixture
def hosts(on_postgresql: tuple[Path, Database], tmp_path: Path) -> Iterator[TwoHosts]:
    """A hub on two hosts."""
    folder, template = on_postgresql
    made = copied(folder, template, template.copy(), tmp_path / "acme")
    yield made
    made.close()
    made.database.drop()


def copied(folder: Path, template: Database, database: Database, to: Path) -> TwoHosts:
    shutil.copytree(folder, to, symlinks=True)
    one = Host(to)
    role = Roles().application
    settings_url(one.root, template.url(role), database.url(role))
    return TwoHosts(one, second_home(to), database)


def moved(template: tuple[Path, Database], server: PostgresServer, to: Path) -> TwoHosts:
    """The template's copy on a server of one's own, which may be killed."""
    import subprocess

    from tests.servers.postgres import program

    folder, source = template
    database = server.migrated()
    words = [
        "--data-only",
        "--schema=sealift",
        "--disable-triggers",
        "--exclude-table=*.alembic_version",
    ]
    dump = subprocess.run(
        [program("pg_dump"), *words, source.url()], check=True, capture_output=True
    ).stdout
    subprocess.run(
        [program("psql"), "-q", "-v", "ON_ERROR_STOP=1", database.url()], input=dump, check=True
    )
    return copied(folder, source, database, to)
