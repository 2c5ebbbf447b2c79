"""`sealift gc --remove` beside commands and jobs in other processes, at the dangerous moments.

What an ingestion or a conversion that was killed put is named by nothing, and is just what the same
command again needs: gc comes before, while and after that says so. Over the embedded engines, and
over a real PostgreSQL with a bucket of a real S3 server.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator

import pytest

from sealift_registry.jobs import records
from sealift_registry.kinds import IngestArguments, ingest_wanted
from tests import models
from tests.registry.held_process import held, killed, ran
from tests.registry.hub_fixture import MODEL, SITE, TARGET, Acme, version
from tests.registry.moving_hubs import moved_to, new_database, opened, url_of
from tests.registry.test_hub_cli import Capsys, Cli
from tests.servers.seaweed import seaweed
from tests.site_on_paper import SiteOnPaper

pytestmark = [pytest.mark.socket, pytest.mark.timeout(300)]
EMBEDDED, SERVERS = "embedded", "servers"
ENGINES = (EMBEDDED, SERVERS)
GC = ("gc", "--remove")
VERSION = 3
"""The number of what is taken in here."""
BOTH = pytest.mark.parametrize("engines", ENGINES)
GOING = ("gc condemned", "half", "gc removed")
"""The moments at which it is about to remove, or just did."""


def each(
    names: str, *values: Collection[str], sample: Collection[tuple[str, ...]]
) -> pytest.MarkDecorator:
    """Every combination of these values, of which all but the sample are for `make test-long`."""
    found = [
        pytest.param(*one, marks=[] if one in sample else [pytest.mark.long])
        for one in itertools.product(*values)
    ]
    return pytest.mark.parametrize(names, found)


@pytest.fixture
def engines() -> str:
    return EMBEDDED


@pytest.fixture
def hub(ready: Acme, engines: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Acme]:
    """Two versions, one at a site; on servers in a bucket that keeps versions."""
    if engines == SERVERS:
        for name, value in seaweed().environment.items():
            monkeypatch.setenv(name, value)
        on_servers(ready)
    yield ready
    ready.close()


def on_servers(acme: Acme, *, lock: bool = False) -> str:
    """Move a hub to a PostgreSQL and to a bucket that keeps versions; the bucket."""
    name, client = seaweed().bucket(), seaweed().client()
    if lock:
        client.delete_bucket(Bucket=name)
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    bucket = {"url": f"s3://{name}/hub", "endpoint": seaweed().endpoint, "region": ""}
    moved_to(acme.app, url_of(new_database()), bucket)
    acme.close()
    return name


@pytest.fixture
def cli(hub: Acme, capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("SEALIFT_TRUST", str(hub.folder / "trust"))
    return Cli(hub, capsys)


def there(acme: Acme) -> set[str]:
    return set(opened(acme.root, lambda app: list(app.hub.home.blobs.digests())))


def ingestion(acme: Acme) -> tuple[object, ...]:
    """The command that takes a third version in, with goldens of its own."""
    path, goldens = acme.folder / "tiny-3.onnx", acme.goldens(3)
    if not path.exists():
        models.tiny_onnx(path, 3)
    acme.close()
    return "ingest", "onnx", path, "--as", MODEL, "--goldens", goldens


def conversion(acme: Acme) -> tuple[object, ...]:
    """The command that builds a variant of a third version."""
    if acme.types().count("version.ingested") < VERSION:
        ran(acme, *ingestion(acme))
    acme.close()
    return "convert", str(version(VERSION)), "--for", TARGET


COMMANDS = {"ingest": ingestion, "convert": conversion}
DONE = {"ingest": "version.ingested", "convert": "variant.built"}


def left_by_killed(acme: Acme, kind: str) -> tuple[tuple[object, ...], set[str]]:
    """The command, after one like it was killed before rows named its blobs; and these."""
    words = COMMANDS[kind](acme)
    before = there(acme)
    embedded = acme.app.hub.database.is_shared is False
    acme.close()
    # A variant's files get their places in a folder within the commit itself.
    killed(acme, "adopted" if embedded and kind == "convert" else "names", *words)
    left = there(acme) - before
    assert left, "or nothing is at stake"
    return words, left


def is_whole(cli: Cli, kind: str) -> None:
    """The command did what it is for, all of it is there, and gc finds nothing else to do."""
    assert cli.acme.types().count(DONE[kind]) == VERSION
    cli.acme.close()
    assert cli("blobs", "fsck")[0] == 0
    assert cli("audit", "fsck")[0] == 0


@each("kind, engines", COMMANDS, ENGINES, sample=[("ingest", EMBEDDED), ("convert", SERVERS)])
def test_g3_190_what_was_there_and_is_relied_on_stays(hub: Acme, cli: Cli, kind: str) -> None:
    words, left = left_by_killed(hub, kind)
    with held(hub, "names", *words) as other:
        other.at()
        said = cli.says(*GC)
        assert there(hub) >= left
        assert "relied on by work that is under way" in said
        other.ends()
    is_whole(cli, kind)


@each(
    "moment, kind, engines",
    ["swept", "told"],
    COMMANDS,
    ENGINES,
    sample=[("told", "ingest", EMBEDDED), ("told", "convert", SERVERS)],
)
def test_g3_191_who_relies_on_it_once_gc_has_looked_keeps_it(
    hub: Acme, cli: Cli, kind: str, moment: str
) -> None:
    words, left = left_by_killed(hub, kind)
    with held(hub, f"gc {moment}", *GC) as gc:
        gc.at()
        with held(hub, "names", *words) as other:
            other.at()
            gc.ends()
            assert there(hub) >= left
            other.ends()
    is_whole(cli, kind)


@each(
    "moment, kind, engines",
    GOING,
    COMMANDS,
    ENGINES,
    sample=[("gc condemned", "convert", EMBEDDED), ("half", "ingest", SERVERS)],
)
def test_g3_192_who_comes_while_it_goes_waits_and_puts_it_anew(
    hub: Acme, cli: Cli, kind: str, moment: str
) -> None:
    words, left = left_by_killed(hub, kind)
    with held(hub, moment, *GC) as gc:
        gc.at()
        with held(hub, "waits", *words) as other:
            other.at()
            gc.ends()
            assert not there(hub) & left
            other.ends()
    is_whole(cli, kind)


@each(
    "moment, engines",
    GOING,
    ENGINES,
    sample=[("half", EMBEDDED), ("gc removed", SERVERS)],
)
def test_g3_193_who_waits_for_a_gc_that_is_killed_goes_on(hub: Acme, cli: Cli, moment: str) -> None:
    """What that gc left condemned is put anew, also where it is there still."""
    words, _ = left_by_killed(hub, "ingest")
    with held(hub, moment, *GC) as gc:
        gc.at()
        with held(hub, "waits", *words) as other:
            other.at()
            gc.process.kill()
            gc.process.wait()
            other.ends()
    is_whole(cli, "ingest")
    cli.says(*GC)
    is_whole(cli, "ingest")


@BOTH
def test_g3_194_what_an_export_reads_stays(hub: Acme, cli: Cli, plant: SiteOnPaper) -> None:
    hub.app.hub.home.blobs.put_bytes(b"nobody needs this")
    hub.close()
    medium, key = hub.medium, hub.key("dispatcher-1")
    words = ("export", SITE, "--to", medium, "--key", key, "--passphrase-file", hub.folder / "pass")
    with held(hub, "reads", *words) as export:
        export.at()
        assert cli.says(*GC).startswith("Removed:\n  1 blob, ")
        export.ends()
    taken = plant.take(medium / "sealift" / f"{SITE}-000001")
    assert taken.transfer == f"{SITE}-000001"
    assert cli("blobs", "fsck")[0] == 0


@BOTH
def test_g3_195_what_a_job_took_in_stays_until_it_has_ended(hub: Acme, cli: Cli) -> None:
    """Its worker was killed with it before a row named its blobs; the next attempt needs them."""
    path = models.tiny_onnx(hub.folder / "tiny-3.onnx", 3)
    arguments = IngestArguments(MODEL, str(hub.goldens(3)), onnx=str(path))
    job = records.ask(hub.app.hub, ingest_wanted(hub.app, arguments), "dora")
    hub.close()
    before = there(hub)
    killed(hub, "names", "worker", "--once")
    left = there(hub) - before
    assert left
    cli.says(*GC)
    assert there(hub) >= left
    assert (hub.root / "work" / "jobs" / job.order.key).exists()
    if hub.app.hub.database.is_shared:  # where a worker that says nothing is waited for
        hub.sql("UPDATE sealift_jobs.sealift_worker SET seen = seen - 3600000")
    hub.close()
    ran(hub, "worker", "--once")
    is_whole(cli, "ingest")
    cli.says(*GC)
    is_whole(cli, "ingest")


def test_g3_195_what_a_cancelled_job_took_in_goes_and_its_folder_with_it(
    hub: Acme, cli: Cli
) -> None:
    path = models.tiny_onnx(hub.folder / "tiny-3.onnx", 3)
    arguments = IngestArguments(MODEL, str(hub.goldens(3)), onnx=str(path))
    job = records.ask(hub.app.hub, ingest_wanted(hub.app, arguments), "dora")
    hub.close()
    before = there(hub)
    killed(hub, "names", "worker", "--once")
    folder = hub.root / "work" / "jobs" / job.order.key
    cli.says("job", "cancel", job.id)
    assert (cli.json("gc")["folders"], folder.exists()) == (1, True)
    assert "  1 folder: of work that was killed\n" in cli.says(*GC)
    assert there(hub) == before
    assert not folder.exists()
    assert cli.json("gc")["folders"] == 0


KILLS = ("swept", "told", "condemned", "removed", "settled", "forgotten")


@each(
    "moment, engines",
    [*(f"gc {one}" for one in KILLS), "half"],
    ENGINES,
    sample=[("gc removed", EMBEDDED), ("half", SERVERS)],
)
def test_g3_196_gc_killed_at_any_step_and_run_again(hub: Acme, cli: Cli, moment: str) -> None:
    """What is needed is there, the rest is gone, and the log has what each of the two did."""
    needed = there(hub)
    hub.app.hub.home.blobs.put_bytes(b"of a process that has ended")
    hub.close()
    words, left = left_by_killed(hub, "ingest")
    rubbish = there(hub) - needed
    assert rubbish > left
    count = len(hub.types())
    hub.close()
    killed(hub, moment, *GC)
    between = there(hub)
    assert between >= needed
    said = ["gc.removing"] if moment != "gc swept" else []
    assert hub.types()[count:] == said
    hub.close()
    found = cli.json("gc")
    assert found["blobs"] == len(between & rubbish)
    again = cli.json(*GC)
    assert again["blobs"] == len(between & rubbish)
    assert there(hub) == needed
    assert hub.types()[count:] == [
        *said,
        *(["gc.removing", "gc.removed"] if again["blobs"] else []),
    ]
    hub.close()
    for check in (("blobs", "fsck"), ("audit", "fsck"), ("audit", "verify")):
        assert cli(*check)[0] == 0
    ran(hub, *words)
    is_whole(cli, "ingest")
