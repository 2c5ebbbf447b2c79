"""Pages by which a hub goes to servers, followed to the letter on real ones.

What is another everywhere stands in them as an example: addresses, a bucket, who the
administrator is. It is put in place of that, in the commands and in what they show.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from sealift_registry.cli.run import run
from sealift_registry.moving import checks
from sealift_signing.keys import variable
from tests.pages import ROOT, blocks, environment, follow, shell
from tests.registry.hub_fixture import Acme
from tests.registry.moving_hubs import moved_to, opened, url_of
from tests.registry.test_g1_190_forged_rows import signs
from tests.servers.postgres import Database, PostgresServer, program, starting
from tests.servers.seaweed import seaweed

pytestmark = [
    pytest.mark.socket,
    pytest.mark.timeout(600),
    pytest.mark.embedded("its hubs begin in a home, and are moved to servers by what is written"),
]
MOVE = ROOT / "docs/how-to/move-a-hub.md"
README = ROOT / "README.md"


@dataclass(frozen=True)
class Ground:
    """Where a page is followed: a folder, servers of its own, and what stands for what.

    Attributes:
        instead: what is written, and what is there in its place.
    """

    folder: Path
    server: PostgresServer
    instead: Mapping[str, str]
    environment: Mapping[str, str]

    def here(self, text: str) -> str:
        """A text of a page, with what is here."""
        for written, there in self.instead.items():
            text = text.replace(written, there)
        return text

    def page(self, page: Path) -> Path:
        """A page with what is here; of what it shows, addresses are told in other words."""
        commands = self.here(page.read_text("utf-8"))
        found = self.folder / page.name
        shown = re.compile(r"^```text\n.*?^```$", re.DOTALL | re.MULTILINE)
        databases = [one for one in self.instead.values() if one.startswith("postgresql:")]

        def dotted(match: re.Match[str]) -> str:
            text = match[0]
            for one in databases:
                text = text.replace(one, "postgresql://…")
            return text

        found.write_text(shown.sub(dotted, commands), "utf-8")
        return found


@pytest.fixture
def ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    objects = seaweed()
    bucket = objects.bucket().replace("tests-", "played-")  # which the page makes
    with starting() as server:
        host, port = server.address
        at_socket = f"?host={quote(host, safe='')}"
        instead = {
            f"postgresql://{user}@{at}/{name}": f"postgresql://{user}@/{name}{at_socket}"
            for user in ("sealift_app", "sealift_migrator", "postgres")
            for at, name in (("db.acme.example", "hub"), ("db.example", "sealift"))
        }
        instead |= {
            "s3://acme-models/hub": f"s3://{bucket}/hub",
            "https://s3.acme.example": objects.endpoint,
        }
        own = environment(tmp_path, Path(program("createdb")).parent) | objects.environment
        own |= {"PGHOST": host, "PGPORT": str(port), "PGUSER": "postgres"}
        for name, value in (objects.environment | {"PGPORT": str(port)}).items():
            monkeypatch.setenv(name, value)
        yield Ground(tmp_path, server, instead, own)


def test_g1_198_a_hub_is_moved_to_the_letter(ground: Ground, stocked: Path) -> None:
    shutil.copytree(stocked / "hub", ground.folder / "sealift-hub")
    said = follow(ground.page(MOVE), ground.folder, ground.environment)
    assert "each whole" in said
    root = ground.folder / "sealift-hub"
    assert opened(root, signs)
    assert opened(root, lambda app: checks.faults(app.hub)) == []
    assert (root / "sealift.db.moved").exists()
    there = Database(ground.server, "hub")
    there.connect("sealift_app").close()
    (ended,) = blocks(MOVE, "sql")
    there.run(*(one for one in ended.text.split(";") if one.strip()))
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        there.connect("sealift_app")


def _readme() -> tuple[str, str]:
    """What README says of a new hub on servers, and of one that is there already."""
    text = README.read_text("utf-8")
    section = text.split("\n## When one machine is not enough\n")[1].split("\n## ")[0]
    new, there = re.findall(r"^```bash\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return new, there


def _played(ground: Ground, script: str, keys: Path) -> str:
    """What the commands print, with what is here; the keys' passphrases are in the environment."""
    script = ground.here(script)
    assert ".example" not in script
    secrets = {variable(one): "only for this test" for one in keys.glob("*.pem")}
    return shell(script, ground.folder, {**ground.environment, **secrets})


def test_g1_199_a_new_hub_on_servers_as_readme_has_it(ground: Ground, stocked: Path) -> None:
    new, _ = _readme()
    assert _played(ground, new, stocked / "offline")
    root = ground.folder / "sealift-hub"
    assert not (root / "sealift.db").exists()
    assert opened(root, signs)
    assert opened(root, lambda app: checks.faults(app.hub)) == []


def test_g1_199_a_hub_that_is_there_is_moved_as_readme_has_it(
    ground: Ground, stocked: Path
) -> None:
    shutil.copytree(stocked / "hub", ground.folder / "sealift-hub")
    new, moved = _readme()
    *before, last = new.splitlines(keepends=True)
    assert last.startswith("sealift init ")
    said = _played(ground, "".join(before) + moved, stocked / "offline")
    assert "Nothing was written." in said
    said = _played(ground, moved.replace(" --plan", ""), stocked / "offline")
    assert "each whole" in said
    assert opened(ground.folder / "sealift-hub", signs)


def test_g1_199_a_left_database_that_can_be_logged_in_to_is_named(
    hub: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    """A host that never looked there would sign, once it is restored to a moment before."""
    with starting() as server:
        there = server.migrated()
        url = url_of(there)
        moved_to(hub.app, url)
        hub.close()
        words = ["db", "check", "--as", there.url(), "--application", "sealift_app"]

        def said() -> str:
            capsys.readouterr()
            run([*words, "--home", str(hub.root)])
            return capsys.readouterr().out

        assert "can still log in" not in said()
        moved_to(hub.app, "home")
        hub.close()
        assert "The hub has left this database, for" in said()
        assert 'ALTER ROLE "sealift_app" NOLOGIN' in said()
        there.run("ALTER ROLE sealift_app NOLOGIN")
        assert "can still log in" not in said()
        there.run("ALTER ROLE sealift_app LOGIN")
        there.run(f'REVOKE CONNECT ON DATABASE "{there.name}" FROM PUBLIC, sealift_app')
        assert "can still log in" not in said()
