"""`sealift gc` of a hub whose rows are on a real PostgreSQL, and its blobs on a real S3 server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from sealift_registry.app import open_app
from sealift_registry.gc import collecting
from sealift_registry.jobs import records, tables
from sealift_registry.storage import blob_claims, blob_removal, s3_blobs
from sealift_registry.storage.blob_tables import blob_claim, condemned_blob
from sealift_registry.storage.s3_blobs import S3Blobs
from sealift_registry.storage.s3_calls import Calls
from sealift_signing.vocabulary import moment
from tests.registry.held_process import held, ran
from tests.registry.hub_fixture import SITE, Acme, Loose, stage
from tests.registry.hubs_on_postgres import another_home
from tests.registry.moving_hubs import moved_to, opened
from tests.registry.test_g3_80_jobs_seen import asked
from tests.registry.test_g3_190_gc_beside_others import (
    GC,
    is_whole,
    left_by_killed,
    on_servers,
    there,
)
from tests.registry.test_hub_cli import Capsys, Cli
from tests.servers.postgres import postgres
from tests.servers.seaweed import S3Server, seaweed

pytestmark = [pytest.mark.socket, pytest.mark.timeout(300)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> S3Server:
    for name, value in seaweed().environment.items():
        monkeypatch.setenv(name, value)
    return seaweed()


@pytest.fixture
def lock() -> bool:
    """Whether the bucket may lock objects."""
    return False


@pytest.fixture
def hub(ready: Acme, server: S3Server, lock: bool) -> Acme:
    del server
    on_servers(ready, lock=lock)
    return ready


@pytest.fixture
def cli(hub: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("SEALIFT_TRUST", str(hub.folder / "trust"))
    return Cli(hub, capsys)


def put(acme: Acme, data: bytes, *, times: int = 1) -> str:
    """A blob that nothing names, of a process that has ended; and how often it was put."""
    digest = sha256(data).hexdigest()
    for _ in range(times):
        acme.app.hub.home.blobs.put(BytesIO(data), expect=digest, anew=True)
    acme.close()
    return digest


def versions(acme: Acme) -> dict[str, int]:
    """How many versions, and marks of deletions, the bucket has of each blob."""
    found: dict[str, int] = {}
    store = opened(acme.root, lambda app: app.hub.home.blobs)
    pages = seaweed().client().get_paginator("list_object_versions")
    prefix = store.address.key("sha256/")
    for page in pages.paginate(Bucket=store.address.bucket, Prefix=prefix):
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            name = one["Key"].removeprefix(prefix)
            found[name] = found.get(name, 0) + 1
    return found


def objects(acme: Acme, *digests: str) -> list[dict[str, str]]:
    """How boto3 is told of these blobs."""
    store = opened(acme.root, lambda app: app.hub.home.blobs)
    return [{"Bucket": store.address.bucket, "Key": store.key(one)} for one in digests]


def test_g3_197_what_goes_goes_with_all_its_versions(hub: Acme, cli: Cli) -> None:
    before = versions(hub)
    twice, hidden = put(hub, b"x" * 600_000, times=2), put(hub, b"hidden" * 100_000)
    store = opened(hub.root, lambda app: app.hub.home.blobs)
    store.remove(hidden)
    all_of_it = versions(hub)
    assert (all_of_it[twice], all_of_it[hidden]) == (2, 2)
    said = cli.says("gc")
    assert said.startswith("This would go:\n  2 blobs, 1.8 MB: named by nothing\n")
    assert "This stays in “s3://" in said
    assert versions(hub) == all_of_it
    count = len(hub.types())
    hub.close()
    found = cli.json(*GC)
    assert (found["done"], found["blobs"], found["bytes"]) == (True, 2, 1_800_000)
    assert versions(hub) == before
    assert hub.types()[count:] == ["gc.removing", "gc.removed"]
    hub.close()
    assert cli("blobs", "fsck")[0] == 0
    assert cli.says(*GC).startswith("There is nothing to remove.\n")


@pytest.mark.parametrize("lock", [True])
def test_g3_198_what_a_lock_keeps_is_told_and_goes_once_it_ends(hub: Acme, cli: Cli) -> None:
    free, dated, held_on = put(hub, b"free"), put(hub, b"dated"), put(hub, b"held")
    client, (on_date, on_hold) = seaweed().client(), objects(hub, dated, held_on)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=12)
    retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
    client.put_object_retention(**on_date, Retention=retention)
    found = cli.json("gc")
    assert found["blobs"] == 2
    assert found["locked"] == {"blobs": 1, "bytes": 5, "until": moment(until)}
    client.put_object_legal_hold(**on_hold, LegalHold={"Status": "ON"})
    said = cli.says(*GC)
    assert "Removed:\n  1 blob, " in said
    words = "Nothing needs 2 blobs, 9 bytes, which the bucket's object lock keeps until somebody"
    assert words in said
    assert there(hub) >= {dated, held_on}
    assert free not in there(hub)
    client.put_object_legal_hold(**on_hold, LegalHold={"Status": "OFF"})
    while datetime.now(UTC) < until + timedelta(seconds=1):
        time.sleep(0.1)
    assert cli.json("gc")["locked"]["blobs"] == 0, "the date stays there, and has passed"
    assert cli.json(*GC)["blobs"] == 2
    assert not versions(hub).keys() & {free, dated, held_on}
    assert cli("blobs", "fsck")[0] == 0


@pytest.mark.parametrize("lock", [True])
def test_g3_198_a_lock_that_nobody_could_know_of_is_no_fault(
    hub: Acme, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody locks a blob between the look and the removal; or the lock may not be asked for."""
    free, late = put(hub, b"free"), put(hub, b"late")
    client, (on_date,) = seaweed().client(), objects(hub, late)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until}

    def locks(name: str) -> None:
        if name == "told":
            client.put_object_retention(**on_date, Retention=retention)

    with monkeypatch.context() as patched:
        patched.setattr(collecting, "step", locks)
        found = cli.json(*GC)
    assert found["blobs"] == 1
    assert found["locked"]["blobs"] == 1
    assert found["locked"]["until"].startswith(f"{until:%Y-%m-%d}")
    assert late in there(hub)
    assert free not in there(hub)
    monkeypatch.setattr(blob_removal, "_locks", lambda _: False)
    assert cli.json(*GC)["locked"]["blobs"] == 1
    assert hub.types()[-1] == "gc.removed"
    with hub.app.hub.reading() as connection:
        assert connection.execute(select(condemned_blob)).all() == []


@pytest.mark.parametrize("refused", ["delete_object", "list_object_versions"])
def test_g3_198_what_may_not_be_removed_is_an_error(
    hub: Acme, cli: Cli, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not taken for locked: nobody would ever hear that a permission is missing."""
    digest = put(hub, b"nobody needs this")
    ask = Calls.ask

    def denied(self: Loose, operation: str, *given: Loose, **more: Loose) -> Loose:
        if operation == refused:
            raise _denied()
        return ask(self, operation, *given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Calls, "ask", denied)
        code, _, err = cli(*GC)
    assert (code, "may not list, look at or delete versions" in err) == (4, True)
    assert digest in there(hub)
    assert cli.json(*GC)["blobs"] == 1


def _denied() -> Exception:
    from botocore.exceptions import ClientError

    said: Loose = {
        "Error": {"Code": "AccessDenied", "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    }
    made: Exception = ClientError(said, "DeleteObject")
    return made


def test_g3_199_uploads_that_nobody_goes_on_with_are_told_and_go(
    hub: Acme, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(hub.root, lambda app: app.hub.home.blobs)
    assert isinstance(store, S3Blobs)
    client, there_ = seaweed().client(), {"Bucket": store.address.bucket}
    for data in (b"one", b"other"):
        client.create_multipart_upload(**there_, Key=store.key(sha256(data).hexdigest()))
    store.sweep()  # which is done once a day
    assert cli.json("gc")["unfinished"] == 0, "somebody may go on with them"
    monkeypatch.setattr(s3_blobs, "ABANDONED", timedelta(0))
    assert "  2 unfinished blobs: of work that was killed\n" in cli.says("gc")
    assert len(client.list_multipart_uploads(**there_)["Uploads"]) == 2
    assert cli.json(*GC)["unfinished"] == 2
    assert client.list_multipart_uploads(**there_).get("Uploads", []) == []


def test_g3_199_what_a_killed_process_had_half_written_goes_in_a_folder_too(
    ready: Acme, capsys: Capsys
) -> None:
    cli = Cli(ready, capsys)
    left = ready.root / "blobs" / "incoming" / f"{'0' * 32}.partial"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"half of it")
    assert "  1 unfinished blob: of work that was killed\n" in cli.says("gc")
    assert left.exists()
    assert cli.json(*GC)["unfinished"] == 1
    assert not left.exists()


@pytest.fixture
def other(hub: Acme, tmp_path: Path) -> Iterator[Acme]:
    """Another host of the hub."""
    with another_home(hub, tmp_path / "other") as made:
        yield made


def test_g3_200_what_another_host_relies_on_stays(hub: Acme, other: Acme, cli: Cli) -> None:
    words, left = left_by_killed(hub, "ingest")
    with held(other, "names", *words) as theirs:
        theirs.at()
        cli.says(*GC)
        assert there(hub) >= left
        theirs.ends()
    is_whole(cli, "ingest")


@pytest.mark.parametrize("moment", ["gc condemned", "half"])
def test_g3_200_another_host_waits_for_this_one(
    hub: Acme, other: Acme, cli: Cli, moment: str
) -> None:
    words, left = left_by_killed(hub, "ingest")
    with held(hub, moment, *GC) as gc:
        gc.at()
        code, _, err = cli("--home-is", other.root, *GC)
        assert (code, "Another process removes what is no longer needed" in err) == (4, True)
        with held(other, "waits", *words) as theirs:
            theirs.at()
            gc.ends()
            assert not there(hub) & left
            theirs.ends()
    is_whole(cli, "ingest")


@pytest.mark.parametrize("moment", ["told", "condemned"])
def test_g3_201_a_gc_that_was_cut_off_removes_nothing_by_what_it_saw(
    hub: Acme, other: Acme, cli: Cli, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server lost its locks. Another host takes what was there in, and removes claims."""
    words, _ = left_by_killed(hub, "ingest")
    with hub.app.hub.reading() as connection:
        name = connection.engine.url.database
    hub.close()

    def cut_off(step: str) -> None:
        if step != moment:
            return
        monkeypatch.setattr(collecting, "step", lambda _: None)
        postgres().administration.run(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "  # noqa: S608 - our name
            f"WHERE datname = '{name}' AND application_name LIKE '%removes what%'"
        )
        ran(other, *words)
        ran(other, *GC)

    monkeypatch.setattr(collecting, "step", cut_off)
    code, _, err = cli(*GC)
    assert (code, "was lost for a while" in err) == (4, True), err
    is_whole(cli, "ingest")
    cli.says(*GC)
    is_whole(cli, "ingest")


# ---------------------------------------------------------------------- rows and folders


def test_g3_202_old_jobs_and_claims_of_the_dead_go_on_a_server_too(
    hub: Acme, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = hub.app
    for _ in range(3):
        records.finish(app.hub, asked(app.hub).number, "cancelled", attempt=None, by="dora")
    dead = [{"digest": "1" * 64, "holder": f"process-{n:032x}", "made": ""} for n in range(40)]
    with app.hub.database.writing() as connection, connection.begin():
        connection.execute(insert(blob_claim), dead)
    hub.close()
    later = datetime.now(UTC) + timedelta(days=8)
    monkeypatch.setattr("sealift_registry.trust.hub.Hub.now", lambda _: later)
    assert cli.json("gc")["jobs"] == 0
    monkeypatch.setenv("SEALIFT_RETENTION__JOB_DAYS", "7")
    assert "  2 jobs: ended more than 7 days ago\n" in cli.says("gc")
    assert cli.json(*GC)["jobs"] == 2
    assert hub.types()[-2:] == ["gc.removing", "gc.removed"]
    with hub.app.hub.reading() as connection:
        assert connection.execute(select(tables.job.c.number)).scalars().all() == [3]
        assert connection.execute(select(tables.job_end.c.job)).scalars().all() == [3]
        assert connection.execute(select(blob_claim)).all() == []


@pytest.mark.parametrize("where", ["embedded", "servers"])
def test_g3_203_others_write_while_gc_asks_who_lives(
    request: pytest.FixtureRequest, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To ask takes a moment for each of those who ever were killed."""
    acme: Acme = request.getfixturevalue("hub" if where == "servers" else "ready")
    put(acme, b"of a process that has ended")
    dead, written = blob_claims.dead, list[str]()
    with closing(open_app(acme.root, {})) as other:

        def slowly(*given: Loose) -> tuple[str, ...]:
            other.hub.commit_entry(other.hub.entry("work.resumed", "hub", {}))
            written.append("one")
            return dead(*given)

        monkeypatch.setattr(blob_claims, "dead", slowly)
        assert collecting.collect(acme.app.hub, "dora", stage).removed.blobs == 1
    assert written


# ---------------------------------------------------------------------- versions that were kept


def test_g3_204_versions_that_were_kept_until_today_go_as_well(
    ready: Acme, server: S3Server, capsys: Capsys
) -> None:
    """Of a bucket that keeps no more of them: to delete there hides what is older."""
    name = server.bucket()
    bucket, client = {"url": f"s3://{name}/hub", "endpoint": server.endpoint}, server.client()
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    moved_to(ready.app, None, {**bucket, "region": ""})
    ready.close()
    before = versions(ready)
    put(ready, b"nobody needs this", times=2)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    put(ready, b"nobody needs this")
    cli = Cli(ready, capsys)
    assert cli.json(*GC)["blobs"] == 1
    assert versions(ready) == before
    assert cli("blobs", "fsck")[0] == 0


def test_g3_205_what_gc_prints_next_names_the_home(ready: Acme, capsys: Capsys) -> None:
    cli, home = Cli(ready, capsys), f"--home {ready.root}"
    put(ready, b"nobody needs this")
    assert cli.says("gc").endswith(f"To remove it:  sealift gc --remove {home}\n")
    ready.sql("DELETE FROM goldens")
    ready.close()
    _, _, err = cli("gc")
    assert err.endswith(f"sealift audit fsck {home}\n")


def test_g3_205_so_does_whatever_else_says_to_look_at_blobs(ready: Acme, capsys: Capsys) -> None:
    """Of the hub that was named, and not of another one below the folder that somebody is in."""
    cli = Cli(ready, capsys)
    for blob in (ready.root / "blobs" / "sha256").iterdir():
        if not blob.read_bytes().startswith(b"{"):
            blob.unlink()
    _, _, err = cli("export", SITE, "--to", ready.medium, "--key", cli.key("dispatcher-1"))
    assert err.endswith(f"sealift blobs fsck --home {ready.root}\n"), err
