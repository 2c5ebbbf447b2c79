"""Where blobs went is the same store for every host: no home is taken for another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sealift_registry.audit.moved import blobs_elsewhere, to_blobs
from sealift_registry.cli.migrate import migrate
from sealift_registry.storage.s3_address import S3Address, place_named, s3_address
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_signing.errors import RefusedError, UsageError
from sealift_sync.blobs import BlobFolder
from tests.registry.hub_fixture import Acme
from tests.registry.hubs_on_postgres import another_home
from tests.registry.moving_hubs import moved_to, new_database, opened, url_of
from tests.registry.test_g1_19_blob_commands import Capsys, Commands
from tests.servers.seaweed import S3Server, seaweed

pytestmark = [
    pytest.mark.socket,
    pytest.mark.embedded("it begins in the home, and is moved to servers by the test itself"),
]
HOME = {"url": "home", "endpoint": "", "region": ""}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    found = seaweed()
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def bucket(server: S3Server) -> dict[str, str]:
    """The section `[blobs]` of a hub whose blobs are in a new bucket."""
    return {"url": f"s3://{server.bucket()}/hub", "endpoint": server.endpoint, "region": ""}


@pytest.fixture
def other(hub: Acme, tmp_path: Path) -> Iterator[Acme]:
    """Another host of the hub, whose rows then are on a server."""
    moved_to(hub.app, url_of(new_database()))
    hub.close()
    with another_home(hub, tmp_path / "other") as made:
        yield made


def signs(acme: Acme) -> None:
    """Write to the hub's log."""
    opened(
        acme.root, lambda app: app.hub.log.commit_entry(app.hub.entry("work.resumed", "hub", {}))
    )


def test_g1_222_blobs_of_several_hosts_go_into_no_home(
    hub: Acme, other: Acme, bucket: dict[str, str], capsys: Capsys
) -> None:
    opened(hub.root, lambda app: moved_to(app, None, bucket))
    opened(other.root, lambda app: moved_to(app, None, bucket))
    for one in (hub, other):
        settings = (one.root / "settings.toml").read_bytes()
        commands = Commands(one.root, capsys)
        for words in ((), ("--plan",)):
            said = commands("migrate", "--to-blobs", "home", *words, code=1)
            assert said["error"]["code"] == "move-blobs-home"
        said_so = commands.words("migrate", "--to-blobs", "home", code=1)
        assert "sealift migrate --to-blobs s3://" in said_so
        assert (one.root / "settings.toml").read_bytes() == settings
        signs(one)
        assert isinstance(one.app.hub.home.blobs, S3Blobs)


def test_g1_222_nor_where_rows_go_to_a_server_with_them(hub: Acme, bucket: dict[str, str]) -> None:
    moved_to(hub.app, None, bucket)
    hub.close()
    with pytest.raises(RefusedError, match="no other host") as caught:
        moved_to(hub.app, url_of(new_database()), HOME)
    assert caught.value.code == "move-blobs-home"
    hub.close()
    moved_to(hub.app, None, HOME)
    hub.close()
    assert isinstance(hub.app.hub.home.blobs, BlobFolder), "the rows are at home"
    moved_to(hub.app, url_of(new_database()))
    hub.close()
    signs(hub)
    assert opened(hub.root, lambda app: moved_to(app, None, HOME)).already


@pytest.mark.parametrize("lost", ["all", "one"])
def test_g1_222_a_place_that_lacks_blobs_is_not_named_in_settings(
    hub: Acme, other: Acme, bucket: dict[str, str], lost: str, capsys: Capsys
) -> None:
    """The same bucket and server by their names, as this host reaches them, may be others."""
    opened(hub.root, lambda app: moved_to(app, None, bucket))
    with hub.another() as here:
        store = here.app.hub.home.blobs
        digests = sorted(store.digests())
        kept = {one: store.read(one) for one in digests}
        for one in digests if lost == "all" else digests[:1]:
            store.remove(one)
    settings = (other.root / "settings.toml").read_bytes()
    way = ("migrate", "--to-blobs", bucket["url"], "--blobs-endpoint", bucket["endpoint"])
    said = Commands(other.root, capsys)(*way, code=1)
    assert said["error"]["code"] == "move-blobs-missing"
    assert bucket["url"] in said["error"]["what"]
    assert (other.root / "settings.toml").read_bytes() == settings
    with hub.another() as here:
        for data in kept.values():
            here.app.hub.home.blobs.put_bytes(data)
    assert Commands(other.root, capsys)(*way)["again"]
    signs(other)


def test_g1_222_what_is_left_behind_is_not_needed(
    hub: Acme, other: Acme, bucket: dict[str, str]
) -> None:
    opened(hub.root, lambda app: moved_to(app, None, bucket))
    assert not (other.root / "blobs" / "sha256").exists(), "another host never had them"
    assert opened(other.root, lambda app: moved_to(app, None, bucket)).again
    assert isinstance(other.app.hub.home.blobs, S3Blobs)


# -------------------------------------------------------------------- what is printed


@pytest.mark.parametrize(
    "place",
    [
        s3_address("s3://acme-models"),
        s3_address("s3://acme-models/hub/of.ours"),
        s3_address("s3://acme-models/hub", "http://127.0.0.1:8333"),
        s3_address("s3://acme-models/it's-(ours)", "https://s3.acme.example"),
    ],
)
def test_g1_224_a_place_is_read_as_it_was_written(place: S3Address) -> None:
    assert place_named(place.where) == place


def test_g1_224_what_is_no_place_names_none() -> None:
    for wrong in ("the home", "s3://", "s3://acme-models/hub at", "s3://a-b/c at ftp://x"):
        with pytest.raises(UsageError):
            place_named(wrong)
    assert to_blobs("s3://UPPER at nowhere") == "sealift migrate --help"


def test_g1_224_the_next_step_of_blobs_moved_can_be_followed(
    hub: Acme, other: Acme, bucket: dict[str, str], capsys: Capsys
) -> None:
    opened(hub.root, lambda app: moved_to(app, None, bucket))
    with pytest.raises(RefusedError) as caught:
        signs(other)
    command = to_blobs(s3_address(bucket["url"], bucket["endpoint"]).where)
    assert caught.value.code == "blobs-moved"
    assert f"too: {command};" in str(caught.value.next_step)
    assert command in Commands(other.root, capsys).words("next")
    Commands(other.root, capsys)(*command.split()[1:])
    signs(other)


def test_g1_224_of_a_home_and_a_server_likewise() -> None:
    for place in ("the home", "s3://acme-models/hub", "s3://a-b/c at https://s3.acme.example"):
        said = str(blobs_elsewhere(place, "elsewhere").next_step)
        command = said.partition(": ")[2].partition(";")[0]
        words = command.split()
        assert words[:2] == ["sealift", "migrate"]
        migrate.make_context("migrate", words[2:])
