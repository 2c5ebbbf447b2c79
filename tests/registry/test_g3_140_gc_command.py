"""`sealift gc`: what people and machines are told of what goes, and of what stays."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from sealift_registry.cli import gc
from sealift_registry.gc.collecting import Amount, Found
from sealift_registry.gc.marking import WORDS
from sealift_registry.jobs import records
from sealift_registry.storage.blob_removal import FOR_EVER
from tests.registry.hub_fixture import Acme
from tests.registry.test_g3_80_jobs_seen import asked
from tests.registry.test_hub_cli import Capsys, Cli

RUBBISH = b"what nobody names " * 100_000


@pytest.fixture
def cli(ready: Acme, capsys: Capsys) -> Cli:
    return Cli(ready, capsys)


def put(acme: Acme, data: bytes = RUBBISH) -> Path:
    """A blob that nothing names, of a process that has ended."""
    hub = acme.app.hub
    digest = hub.home.blobs.put_bytes(data).sha256
    acme.close()
    return acme.root / "blobs" / "sha256" / digest


def test_g3_140_it_says_what_would_go_and_removes_nothing(cli: Cli, ready: Acme) -> None:
    blob = put(ready)
    said = cli.says("gc")
    assert said.splitlines()[:2] == ["This would go:", "  1 blob, 1.8 MB: named by nothing"]
    assert "files of versions" in said
    last = f"Nothing was removed. To remove it:  sealift gc --remove --home {ready.root}"
    assert said.splitlines()[-1] == last
    found = cli.json("gc")
    assert (found["done"], found["blobs"], found["bytes"]) == (False, 1, len(RUBBISH))
    assert (found["locked"], found["needs_versions"]) == (
        {"blobs": 0, "bytes": 0, "until": None},
        False,
    )
    assert blob.exists()
    assert "gc.removed" not in ready.types()


def test_g3_140_what_it_removed_is_told_and_logged_and_the_rest_is_whole(
    cli: Cli, ready: Acme
) -> None:
    blob = put(ready)
    said = cli.says("gc", "--remove")
    assert said.startswith("Removed:\n  1 blob, 1.8 MB: named by nothing\n")
    assert "--remove" not in said
    assert not blob.exists()
    assert ready.types()[-1] == "gc.removed"
    assert cli.says("gc", "--remove").startswith("There is nothing to remove.\n")
    assert ready.types().count("gc.removed") == 1, "of nothing there is no entry"
    assert cli("blobs", "fsck")[0] == 0


def test_g3_141_old_jobs_and_killed_work_go_as_well(
    cli: Cli, ready: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = ready.app.hub
    for _ in range(2):
        records.finish(hub, asked(hub).number, "cancelled", attempt=None, by="dora")
    killed = ready.root / "work" / ("0" * 32)
    killed.mkdir(parents=True)
    ready.close()
    later = ready.app.hub.now() + timedelta(days=91)
    monkeypatch.setattr("sealift_registry.trust.hub.Hub.now", lambda _: later)
    said = cli.says("gc", "--remove")
    assert "  1 job: ended more than 90 days ago\n  1 folder: of work that was killed\n" in said
    code, _, err = cli("job", "show", "J-000001")
    assert (code, "sealift audit list --term job=J-000001" in err) == (3, True)
    assert not killed.exists()


def test_g3_142_nothing_goes_by_rows_that_are_not_sound(cli: Cli, ready: Acme) -> None:
    blob = put(ready)
    hub = ready.app.hub
    with hub.reading() as connection:
        kept = {one for one in hub.home.blobs.digests() if one != blob.name}
    assert connection.closed
    manifest = next(
        one
        for one in kept
        if b"application/vnd.oci.image.manifest" in (blob.parent / one).read_bytes()
    )
    ready.close()
    (blob.parent / manifest).unlink()
    for given in (("gc",), ("gc", "--remove")):
        code, _, err = cli(*given)
        assert (code, "is lost or damaged" in err) == (1, True)
        assert "Next: See what brings it back: sealift blobs fsck" in err
    assert blob.exists()


@pytest.mark.parametrize(
    "until, words",
    [
        (FOR_EVER, "keeps until somebody lifts it."),
        ("2031-05-06T00:00:00Z", "keeps until 2031-05-06."),
    ],
)
def test_g3_143_what_a_store_keeps_by_itself_is_told(until: str, words: str) -> None:
    found = Found("s3://acme/hub", locked=Amount(2, 3_000_000), locked_until=until)
    assert gc._lines(found, 90, done=False)[-1] == (
        f"Nothing needs 2 blobs, 3.0 MB, which the bucket's object lock {words}"
    )


def test_g3_143_a_bucket_without_versions_is_named_with_what_to_do() -> None:
    found = Found("s3://acme/hub", unnamed=Amount(1, 5), needs_versions=True)
    lines = gc._lines(found, 90, done=False)
    assert lines[-1] == "  Have it keep them:  sealift blobs init"
    assert not any("--remove" in one for one in lines)


def test_g3_143_every_reason_has_its_words_in_one_order() -> None:
    kept = {why: Amount(1, 5) for why in reversed(list(WORDS))}
    lines = gc._lines(Found("hub/blobs", kept=kept), 90, done=False)
    assert [one.partition(": ")[2] for one in lines[3:]] == [*WORDS.values()]
